"""Walks over recorded nodes, without recursion.

An argument is always older than the node made from it, so the order of creation is a
topological order: a graph only ever needs to be sorted by serial number.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from ..errors import StaleGraph

if TYPE_CHECKING:
    from .value import Value

by_serial = attrgetter("_serial")


def tape(*roots: Value, through_stops: bool = True) -> list[Value]:
    """The roots and every Value from which they were computed, oldest first.

    Args:
        through_stops: whether to continue where no gradient flows, as behind `stop_gradient`;
            differentiation does not.

    Raises:
        StaleGraph: if a leaf has changed since something was computed from it.

    >>> from tinygrad_edu import Value
    >>> a = Value(2.0, name="a")
    >>> [v.op for v in tape(a * a + a)]
    [None, <op mul(x, y)>, <op add(x, y)>]
    """
    nodes: list[Value] = []
    waiting = list(dict.fromkeys(roots))
    seen = set(waiting)
    while waiting:  # depth first: the result is nearly sorted, which makes sorting fast
        node = waiting.pop()
        nodes.append(node)
        op, serial = node.op, node._serial
        stops = not through_stops and op is not None and op.blocked
        behind = flowing(node) if stops else node.args
        for arg in node.args if behind else ():  # the slopes may depend on any of them
            if type(arg) is not float:
                if arg._serial > serial:  # setting a leaf's data made it younger
                    raise stale(arg, node)
                if arg not in seen and not (stops and all(arg is not x for x in behind)):
                    seen.add(arg)
                    waiting.append(arg)
    return sorted(nodes, key=by_serial)


def flowing(node: Value) -> Sequence[Any]:
    """The arguments of a node to which its row lets a gradient flow."""
    op = node.op
    if op is None or not op.blocked:
        return node.args
    return [arg for arg, partial in zip(node.args, op.partials) if partial is not None]


def stale(leaf: Value, consumer: Value) -> StaleGraph:
    return StaleGraph(
        f"{_called(leaf)} was changed after {_called(consumer)} was computed from it, so the "
        f"recorded graph no longer fits its numbers. It is {leaf._data!r} now. Compute the "
        f"result again, or use tg.replay(result), then differentiate that."
    )


def _called(node: Value) -> str:
    what = "the leaf" if node.op is None else f"the result of {node.op.name}"
    return f"{what} {node.name!r}" if node.name else what


def wanted(arg: Any) -> bool:
    """Whether a gradient flows to this argument: to every one except constants."""
    return type(arg) is not float and arg._role != "constant"


def datum(arg: Any) -> float:
    """The plain number of an argument, a Value or a constant."""
    return arg if type(arg) is float else arg._data


def local_numbers(node: Value) -> Sequence[float | None]:
    """The partials of one node as numbers, None for arguments without gradient."""
    assert node.op is not None
    numbers = [datum(arg) for arg in node.args]
    return node.op.locals(node._data, numbers, [wanted(arg) for arg in node.args])


def depends_on(nodes: Sequence[Value], leaves: Sequence[Value]) -> set[Value]:
    """Those of the nodes of a tape that one of the leaves flows into, and the leaves.

    A derivative by these leaves has work to do only there.
    """
    reached = set(leaves)
    for node in nodes:
        for arg in flowing(node):
            if type(arg) is not float and arg in reached:
                reached.add(node)
                break
    return reached
