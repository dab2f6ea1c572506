"""`snapshot`: a recorded graph as plain data, with adjoints from its own sweep.

Pictures, explanations and the exploring page read nothing else, so their numbers always add up.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from .core.graph import local_numbers, tape
from .core.table import Op
from .core.value import Value
from .errors import GraphError

__all__ = ["Graph", "Node", "ids", "snapshot"]


@contextmanager
def uncollected() -> Iterator[None]:
    """A block in which Python does not search for garbage in cycles; also a decorator.

    It is for work that creates many objects without cycles, which the collector would walk again
    and again, together with the whole graph.
    """
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


class Node(NamedTuple):
    """One node of a `Graph`.

    ``args`` are the ids of its arguments, ``partials`` the local derivative along each of
    these edges (None where no gradient flows), ``adjoint`` the derivative of the root.
    ``op`` is None for leaves.
    """

    id: int
    op: Op | None
    args: tuple[int, ...]
    data: float
    partials: tuple[float | None, ...]
    adjoint: float
    name: str | None
    role: str | None
    scope: str | None

    @property
    def label(self) -> str:
        """The label of this node: its name, or its operation."""
        return self.name or (self.op.symbol if self.op else f"{self.data:g}")


class Graph(NamedTuple):
    """An immutable record of a root and the nodes from which it was computed, in topological order.

    ``nodes[i].id == i``; the last node is the root.
    """

    nodes: tuple[Node, ...]

    @property
    def root(self) -> Node:
        return self.nodes[-1]

    def edges(self) -> Iterator[tuple[Node, int, Node]]:
        """Every edge as (argument, position among the arguments, consumer)."""
        for node in self.nodes:
            for position, arg in enumerate(node.args):
                yield self.nodes[arg], position, node

    def uses(self) -> list[int]:
        """The number of edges out of each node: how often it is an argument.

        >>> from tinygrad_edu import Value
        >>> x = Value(2.0)
        >>> snapshot(x * x).uses()
        [2, 0]
        """
        uses = [0] * len(self.nodes)
        for arg, _, _ in self.edges():
            uses[arg.id] += 1
        return uses


@uncollected()
def snapshot(root: Value) -> Graph:
    """The graph of ``root`` as plain data, with adjoints from its own reverse sweep.

    It leaves every ``.grad`` untouched and does not depend on them, so its numbers add up
    before and after `backward`: an adjoint is the sum over the outgoing edges of local
    derivative × the adjoint at their end. A plain number in the graph becomes a node of
    role "constant" for each use.

    Raises:
        StaleGraph: if a leaf was changed after something was computed from it.

    >>> from tinygrad_edu import Value
    >>> w = Value(2.0, name="w")
    >>> for node in snapshot(w * 3.0).nodes:
    ...     print(node.id, node.label, node.data, node.adjoint)
    0 w 2.0 3.0
    1 3 3.0 0.0
    2 × 6.0 1.0
    """
    if not hasattr(root, "_serial"):
        raise GraphError(f"The root of a graph must be a Value. Received: {root!r}.")
    root.read("The numbers of a graph were asked for")
    rows: list[tuple[Any, ...]] = []  # of each node all but its id and its adjoint
    ids: dict[Value, int] = {}
    for value in tape(root):
        op, scope = value.op, value.scope
        args = []
        for arg in value.args:
            if type(arg) is float:
                args.append(len(rows))
                rows.append((None, (), arg, (), None, "constant", scope))
            else:
                args.append(ids[arg])
        ids[value] = len(rows)
        partials = () if op is None else tuple(local_numbers(value))
        rows.append((op, tuple(args), value._data, partials, value._name, value._role, scope))

    adjoint = [0.0] * len(rows)
    adjoint[-1] = 1.0
    # Nodes behind a stop have partials to show, but are not differentiated.
    stops = any(op is not None and op.blocked for op, *_ in rows)
    swept = [ids[v] for v in tape(root, through_stops=False)] if stops else range(len(rows))
    for i in reversed(swept):
        upstream = adjoint[i]
        for arg, local in zip(rows[i][1], rows[i][3]):
            if local is not None:
                adjoint[arg] += upstream * local
    return Graph(
        tuple(
            Node(i, op, args, data, partials, slope, name, role, scope)
            for i, (slope, (op, args, data, partials, name, role, scope)) in enumerate(
                zip(adjoint, rows)
            )
        )
    )


def ids(root: Value) -> dict[Value, int]:
    """The id that `snapshot` gives to each Value; a plain number has one before its consumer.

    >>> from tinygrad_edu import Value
    >>> w = Value(2.0, name="w")
    >>> root = w * 3.0
    >>> ids(root)[w], ids(root)[root]
    (0, 2)
    """
    ids: dict[Value, int] = {}
    constants = 0
    for value in tape(root):
        constants += sum(type(arg) is float for arg in value.args)
        ids[value] = len(ids) + constants
    return ids
