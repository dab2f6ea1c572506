"""How a Value shows itself in a notebook: the graph it was made by, as a picture."""

from __future__ import annotations

from collections.abc import Collection
from html import escape
from typing import Final

from ..core.value import Value
from ..errors import DrawingError, GraphError
from ..notebooks import wants_html
from .picture import draw

CARDS: Final = 40  # of a picture that nobody asked for by name: small, and done at once
MOST: Final = 20_000  # nodes; a larger graph is not even counted to its end


def shown(
    value: Value,
    include: Collection[str] | None = None,
    exclude: Collection[str] | None = None,
) -> dict[str, str]:
    """A Value by MIME type: its text, and as HTML the picture of its graph.

    A leaf, and what was made of more than 20,000 nodes, is text alone. Without a layout
    engine the picture is a tree of text; of a stale graph there is only the hint. It never
    raises.

    >>> w = Value(3.0, name="w")
    >>> shown(w)
    {'text/plain': "Value(data=3.0, grad=0.0, name='w')"}
    >>> sorted(shown(w * 2.0))
    ['text/html', 'text/plain']
    """
    text = {"text/plain": repr(value)}
    if value.op is None or not wants_html(include, exclude):
        return text
    if _larger(value, MOST):
        hint = f"Made of more than {MOST:,} nodes; tg.draw(...) draws a part of them."
        return {"text/plain": f"{value!r}\n{hint}"}
    try:
        drawing = draw(value, limit=CARDS)
    except GraphError as error:  # a leaf was changed since
        return {"text/plain": f"{value!r}\n{error}"}
    try:
        picture = f'<div style="overflow-x: auto">{drawing.svg()}</div>'
    except DrawingError as error:
        picture = f"<pre>{escape(drawing.text())}</pre><p>{escape(str(error))}</p>"
    return {**text, "text/html": picture}


def _larger(root: Value, most: int) -> bool:
    """Whether a Value was made of more nodes than that."""
    nodes, seen = [root], {root}
    for node in nodes:  # which grows while it is read
        for arg in node.args:
            if isinstance(arg, Value) and arg not in seen:
                seen.add(arg)
                nodes.append(arg)
        if len(nodes) > most:
            return True
    return False
