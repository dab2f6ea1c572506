"""Matrices of derivatives: the Jacobian and the Hessian, from one run of the function.

Each takes many sweeps over the recorded graph. A sweep starts at one output, or at one variable,
and visits only the nodes that depend on it. So the cost of a banded matrix is that of its band, and
no sweep meets the infinite slope of another output, which times 0 would be nan.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

from .core.calculus import Run, between, like, pull, push, run_on_values, slopes_of
from .core.graph import by_serial, flowing
from .core.value import Number, Value
from .errors import check_name
from .trees import spread

__all__ = ["hessian", "jacobian"]


def jacobian(
    f: Callable[..., Any], argnums: int | Sequence[int] = 0, mode: str = "auto"
) -> Callable[..., Any]:
    """All partial derivatives of f's results by its argument, from one run of f.

    Args:
        f: a function that returns a number or nested lists, tuples, dicts, arrays of them.
        argnums: as in `grad`.
        mode: "forward" (one sweep per input), "reverse" (one per output), or "auto", the
            one with fewer sweeps.

    Returns:
        A function whose result has the structure of f's, with the structure of the argument
        in place of every number. If one of two leaves is an array, the entry is an array of both
        shapes, out.shape + in.shape.

    >>> jacobian(lambda v: [v[0] * v[1], v[0] + v[1]])([2.0, 3.0])
    [[3.0, 2.0], [1.0, 1.0]]
    """
    check_name("mode", mode, ("auto", "forward", "reverse"))

    def jacobian_of_f(*args: Any, **named: Any) -> Any:
        run = run_on_values(f, args, named, argnums)
        outputs, xs = run.outputs, run.variables
        if mode == "forward" or (mode == "auto" and len(xs) < len(outputs)):
            columns = _columns(outputs, xs, run.record)
            rows = [[column[j] for column in columns] for j in range(len(outputs))]
        else:
            rows = _rows(outputs, xs, run.record)
        return _matrix(run, rows, run.like_output(outputs))

    return like(f, jacobian_of_f)


def hessian(f: Callable[..., Any], argnums: int | Sequence[int] = 0) -> Callable[..., Any]:
    """The second derivatives of f, a function that returns one number.

    The gradient is recorded once; then one reverse sweep per input, over that input's own
    slope only. Entries on which a slope does not depend cost nothing and are exactly 0.

    Returns:
        A function whose result has the structure of the argument, with that structure again
        in the place of every number; for arrays as in `jacobian`.

    >>> hessian(lambda v: v[0] * v[0] * v[1])([2.0, 3.0])
    [[6.0, 4.0], [4.0, 0.0]]
    """

    def hessian_of_f(*args: Any, **named: Any) -> Any:
        run = run_on_values(f, args, named, argnums)
        rows = _rows(slopes_of(run), run.variables, run.record)
        return _matrix(run, rows, run.like_input(run.variables))

    return like(f, hessian_of_f)


def _rows(outputs: Sequence[Number], xs: Sequence[Value], record: bool) -> list[list[Number]]:
    """The slopes of each output by all xs: a reverse sweep per output."""
    _, live = between(xs, outputs)
    return [
        pull({y: 1.0}, xs, record, (_reachable(y, flowing, live), live))
        if isinstance(y, Value) and y in live
        else [0.0] * len(xs)
        for y in outputs
    ]


def _columns(outputs: Sequence[Number], xs: Sequence[Value], record: bool) -> list[list[Number]]:
    """The slopes of all outputs by each x: a forward sweep per x."""
    nodes, live = between(xs, outputs)
    consumers: dict[Any, list[Value]] = defaultdict(list)
    for node in nodes:
        for arg in flowing(node):
            if type(arg) is not float:
                consumers[arg].append(node)
    columns = []
    for x in xs:
        tangents = push((_reachable(x, consumers.__getitem__, live), live), {x: 1.0}, record)
        columns.append([tangents.get(y, 0.0) if isinstance(y, Value) else 0.0 for y in outputs])
    return columns


def _reachable(
    start: Value, neighbours: Callable[[Value], Sequence[Any]], live: set[Value]
) -> list[Value]:
    """A node, its neighbours, those of the neighbours, and so on, oldest first."""
    nodes, seen = [start], {start}
    for node in nodes:  # which grows while it is read
        for other in neighbours(node):
            if type(other) is not float and other in live and other not in seen:
                seen.add(other)
                nodes.append(other)
    nodes.sort(key=by_serial)
    return nodes


def _matrix(run: Run, rows: Sequence[Sequence[Number]], outputs: Any) -> Any:
    """The rows in the structure of the outputs, each in that of the input."""
    given = [[run.give(x) for x in row] for row in rows]
    return spread(given, outputs, run.like_input(run.variables))
