"""The display of a Value in a notebook: a picture of its graph."""

from __future__ import annotations

from collections.abc import Collection
from html import escape
from typing import Final

from ..core.value import Value
from ..errors import GraphError
from ..notebooks import wants_html
from .picture import as_picture, draw

CARDS: Final = 40  # in a picture that is drawn automatically: small and fast
MOST: Final = 20_000  # nodes; a larger graph is not counted completely


def shown(
    value: Value,
    include: Collection[str] | None = None,
    exclude: Collection[str] | None = None,
) -> dict[str, str]:
    """A Value by MIME type: its text, and as HTML the picture of its graph.

    A leaf, or a Value with more than 20,000 nodes, has only text. Without a layout engine there is
    a tree instead of a picture, and for a stale graph only a hint. It never raises.

    >>> w = Value(3.0, name="w")
    >>> shown(w)
    {'text/plain': "Value(data=3.0, grad=0.0, name='w')"}
    >>> sorted(shown(w * 2.0))
    ['image/svg+xml', 'text/html', 'text/plain']
    """
    text = {"text/plain": repr(value)}
    if value.op is None or not wants_html(include, exclude):
        return text
    if _larger(value, MOST):
        hint = f"The graph has more than {MOST:,} nodes; tg.draw(...) draws a part of it."
        return {"text/plain": f"{value!r}\n{hint}"}
    try:
        drawing = draw(value, limit=CARDS)
    except GraphError as error:  # a leaf has changed since
        return {"text/plain": f"{value!r}\n{error}"}
    bundle = as_picture(drawing.svg, repr(value))
    if "text/html" not in bundle:  # without a layout engine
        _, _, hint = bundle["text/plain"].partition("\n\n")
        return {**text, "text/html": f"<pre>{escape(drawing.text())}</pre><p>{escape(hint)}</p>"}
    return bundle


def _larger(root: Value, most: int) -> bool:
    """Whether the graph of a Value has more nodes than that."""
    nodes, seen = [root], {root}
    for node in nodes:  # which grows while it is read
        for arg in node.args:
            if isinstance(arg, Value) and arg not in seen:
                seen.add(arg)
                nodes.append(arg)
        if len(nodes) > most:
            return True
    return False
