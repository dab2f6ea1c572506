"""A graph as a tree of plain text, for terminals and systems without a layout engine."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any, Final

from ..errors import check_whole
from ..snapshots import Graph, Node, snapshot
from ..strings import columns, cut, legible, plural, short
from .labels import named, rounded, signed, symbol

COLUMNS: Final = 80


def tree(x: Any, limit: int = 60) -> str:
    """The graph of a Value as a tree: the result first, its arguments below it.

    Each line shows the local derivative along the edge, then the node, its value, and its gradient
    d. A node that is used several times is expanded once, with its id in parentheses; elsewhere ↑
    and this id refer to it.

    Args:
        x: a Value, or a Graph that ``tg.snapshot`` made.
        limit: the largest number of lines; the last line then says how many were left out.

    >>> from tinygrad_edu import Value
    >>> w, x = Value(0.5, name="w"), Value(2.0, name="x")
    >>> print(tree((w * x - 3.0) ** 2))
    x² = 4  d +1
    └─ -4 · − = -2  d -4
       ├─ +1 · × = 1  d -4
       │  ├─ +2 · w = 0.5  d -8
       │  └─ +0.5 · x = 2  d -2
       └─ 3
    """
    limit = check_whole("limit", limit)
    graph = x if isinstance(x, Graph) else snapshot(x)
    shown = list(islice(_lines(graph), limit))
    lines = [line for line, _ in shown]
    nodes = len(graph.nodes) - len({id for _, id in shown})
    edges = 1 + sum(len(node.args) for node in graph.nodes) - len(lines)
    if edges:
        rest = plural(nodes, "more node") if nodes else plural(edges, "more edge")
        lines.append(f"… {rest} (limit={limit})")
    return legible("\n".join(lines))


def _lines(graph: Graph) -> Iterator[tuple[str, int]]:
    """Every line with the id of its node, lazily: a stack of half-read argument lists."""
    nodes, uses = graph.nodes, graph.uses()
    expanded = {graph.root.id}
    yield _fitted("", _body(graph.root, None, "")), graph.root.id
    stack = [("", graph.root, iter(enumerate(graph.root.args)))]
    while stack:
        indent, consumer, rest = stack[-1]
        position, id = next(rest, (-1, -1))
        if position < 0:
            stack.pop()
            continue
        node = nodes[id]
        last = position == len(consumer.args) - 1
        mark = f"  ↑ v{id}" if id in expanded else f"  (v{id})"
        mark = mark if node.args and uses[id] > 1 else ""
        body = _body(node, consumer.partials[position], mark)
        yield _fitted(indent + ("└─ " if last else "├─ "), body), id
        if id not in expanded:
            expanded.add(id)
            # deeper indentation than a line can show is not stored
            deeper = (indent + ("   " if last else "│  "))[-COLUMNS:]
            stack.append((deeper, node, iter(enumerate(node.args))))


def _body(node: Node, local: float | None, mark: str) -> str:
    """The content of a node's line, without its indentation."""
    edge = "" if local is None else f"{signed(local)} · "
    name = " ".join(filter(None, [short(symbol(node), 12), short(named(node), 24)]))
    value = f"{name} = {rounded(node.data)}" if name else rounded(node.data)
    gradient = "" if node.role == "constant" else f"  d {signed(node.adjoint)}"
    return f"{edge}{value}{gradient}{mark}"


def _fitted(indent: str, body: str) -> str:
    """A line cut to the columns: far from the root the outer indentation is dropped first."""
    room = COLUMNS - columns(body)
    if room < len(indent):
        indent = "⋯" + indent[1 - max(4, room) :]
    return cut(indent + body, COLUMNS)
