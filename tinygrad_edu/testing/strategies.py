"""Hypothesis strategies for mathematics: numbers, Values, points of rows, whole graphs.

Needs Hypothesis: ``pip install 'tinygrad-edu[testing]'``.

>>> import tinygrad_edu as tg
>>> from hypothesis import given
>>> from tinygrad_edu.testing import check_grads, strategies
>>> @given(strategies.graphs())
... def test_gradients_of_any_expression(graph):
...     check_grads(graph.expression, *graph.point)

All of them shrink: a failing example is the smallest graph at the simplest numbers that
fails, and a graph's repr is code that can be pasted into a session.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, floor, inf, isfinite, nextafter
from typing import NamedTuple

from ..core import ops
from ..core.table import Op
from ..core.value import Value
from ..errors import BadArgument, MissingExtra
from .expressions import Expression, letter

try:
    from hypothesis import strategies as st
except ImportError as error:
    raise MissingExtra(
        "tinygrad_edu.testing.strategies needs Hypothesis, which is not installed. "
        "Install it with: pip install 'tinygrad-edu[testing]'"
    ) from error

__all__ = ["Example", "any_floats", "graphs", "numbers", "points", "rows", "values"]

SMALLEST = 2.0**-10  # of moderate numbers, except for 0
LARGEST = 2.0**10  # of results and slopes in graphs
MOST_TERMS = 4  # of sums in graphs
MARGIN = 2.0**-6  # the distance of points from kinks and borders, relative to max(1, |x|)


def numbers(min_value: float = -10.0, max_value: float = 10.0) -> st.SearchStrategy[float]:
    """Moderate floats: 0, or between 1/1024 and the bounds. They shrink to small integers.

    >>> from hypothesis import find
    >>> find(numbers(), lambda x: x > 2.5)
    3.0
    """
    if not (isfinite(min_value) and isfinite(max_value) and min_value <= max_value):
        raise BadArgument(f"numbers needs finite bounds. Received: {min_value}, {max_value}.")

    def moderate(x: float) -> float:
        return x if abs(x) >= SMALLEST or not min_value <= 0.0 <= max_value else 0.0

    fractions = st.floats(min_value, max_value).map(moderate)
    if ceil(min_value) > floor(max_value):
        return fractions
    return st.integers(ceil(min_value), floor(max_value)).map(float) | fractions


def any_floats() -> st.SearchStrategy[float]:
    """Every float, including nan, infinities, subnormal numbers and −0.0.

    >>> from hypothesis import find
    >>> find(any_floats(), lambda x: x != x)
    nan
    """
    return st.floats()


def values(
    data: st.SearchStrategy[float] | None = None,
    names: st.SearchStrategy[str | None] | None = None,
    roles: st.SearchStrategy[str | None] | None = None,
) -> st.SearchStrategy[Value]:
    """Leaf Values of moderate numbers, with or without a name.

    Args:
        data: `numbers` if not given; `any_floats` is the other usual choice.
        names: none, or a letter or two, if not given.
        roles: none if not given.

    >>> from hypothesis import find
    >>> find(values(), lambda v: v.data > 1.0)
    Value(data=2.0, grad=0.0)
    """
    letters = st.text("abcdwxyz", min_size=1, max_size=2)
    return st.builds(
        Value,
        numbers() if data is None else data,
        st.none() | letters if names is None else names,
        st.none() if roles is None else roles,
    )


def rows() -> st.SearchStrategy[Op]:
    """The built-in rows that have slopes: not the comparisons, `sign`, `floor` and the like.

    >>> from hypothesis import find
    >>> find(rows(), lambda row: row.arity is None).name in ("sum", "logsumexp", "norm")
    True
    """
    return st.sampled_from(DIFFERENTIABLE)


def points(op: Op, *, kinks: bool = False) -> st.SearchStrategy[tuple[float, ...]]:
    """Arguments of a row, inside its domain and the range to sample it from.

    Args:
        op: a row of the table. For an n-ary row the tuple has one to five numbers.
        kinks: whether points on or next to kinks may be among them.

    >>> from hypothesis import find
    >>> import tinygrad_edu as tg
    >>> find(points(tg.log), lambda args: True)
    (1.0,)
    >>> x, y = find(points(tg.maximum), lambda args: args[0] > args[1])
    >>> x - y
    1.0
    """
    if not isinstance(op, Op):
        raise BadArgument(f"points needs a row of the table. Received: {op!r}.")
    ranges = [st.floats(low, high) for low, high in op.sample]
    tuples: st.SearchStrategy[tuple[float, ...]] = (
        st.lists(ranges[0], min_size=1, max_size=5).map(lambda xs: (*xs,))
        if op.arity is None
        else st.tuples(*ranges)
    )
    return tuples.filter(lambda args: _inside(op, args) if kinks else _smooth(op, args, 0.0))


class Example(NamedTuple):
    """A random expression and a point for it; ``expression(*point)`` is a moderate number."""

    expression: Expression
    point: tuple[float, ...]

    def leaves(self) -> list[Value]:
        """Fresh Values for the point, named as in the repr of the expression.

        >>> from tinygrad_edu import ops
        >>> Example(Expression(1, ((ops.exp, (0,)),)), (0.0,)).leaves()
        [Value(data=0.0, grad=0.0, name='a')]
        """
        return [Value(x, name=letter(i)) for i, x in enumerate(self.point)]


@st.composite
def graphs(
    draw: st.DrawFn,
    rows: Sequence[Op] | None = None,
    *,
    max_leaves: int = 3,
    max_steps: int = 12,
    kinks: bool = False,
) -> Example:
    """Whole random expressions whose parts are shared, each with a point to evaluate it at.

    At the point every operation is well inside its domain and off its kinks, and every result
    and slope is of moderate size.

    Args:
        rows: the rows to use; if not given, every built-in one that has slopes.
        max_leaves: the largest number of arguments.
        max_steps: the largest number of operations.
        kinks: whether operations may be on kinks.

    >>> from hypothesis import find
    >>> example = find(graphs(), lambda graph: len(graph.expression.steps) >= 2)
    >>> example.expression
    lambda a: ...
    >>> expression, point = example  # to be unpacked
    """
    table = DIFFERENTIABLE if rows is None else tuple(rows)
    width = max((op.arity or MOST_TERMS for op in table), default=0)
    point = tuple(draw(st.lists(numbers(-4.0, 4.0), min_size=1, max_size=max_leaves)))
    results = list(point)
    steps: list[tuple[Op, tuple[int, ...]]] = []

    def fits(op: Op, operands: Sequence[float]) -> bool:
        return (_inside(op, operands) if kinks else _smooth(op, operands)) and all(
            x == 0.0 or SMALLEST <= abs(x) <= LARGEST for x in _value_and_slopes(op, operands)
        )

    for _ in range(draw(st.integers(1, max_steps))):
        # The first operand is usually the newest result, so that most steps contribute to the
        # result; the others are the oldest, so that small examples are simple.
        place = st.integers(0, len(results) - 1)
        places = (
            len(results) - 1 - draw(st.just(0) | place),
            *(draw(place) for _ in range(width - 1)),
        )
        terms = draw(st.integers(1, MOST_TERMS))
        start = draw(st.integers(0, len(table) - 1))
        for op in (*table[start:], *table[:start]):  # the first suitable one from there on
            chosen = places[: terms if op.arity is None else op.arity]
            operands = [results[i] for i in chosen]
            if fits(op, operands):
                results.append(op.compute(*operands))
                steps.append((op, chosen))
                break
    return _pruned(Expression(len(point), tuple(steps)), point)


def _pruned(expression: Expression, point: tuple[float, ...]) -> Example:
    """Without the leaves and steps that the result does not depend on."""
    leaves = expression.leaves
    needed = {leaves + len(expression.steps) - 1}
    for i in range(len(expression.steps) - 1, -1, -1):
        if leaves + i in needed:
            needed.update(expression.steps[i][1])
    place = {old: new for new, old in enumerate(sorted(needed))}
    steps = tuple(
        (op, tuple(place[k] for k in places))
        for i, (op, places) in enumerate(expression.steps)
        if leaves + i in needed
    )
    used = tuple(x for i, x in enumerate(point) if i in needed)
    return Example(Expression(len(used), steps), used)


def _inside(op: Op, args: Sequence[float]) -> bool:
    """Whether a row's arguments are in its domain, and its value finite."""
    return (op.domain is None or op.domain(*args)) and isfinite(op.compute(*args))


def _smooth(op: Op, args: Sequence[float], margin: float = MARGIN) -> bool:
    """Whether a row is smooth at its arguments and around them, each moved on its own."""
    if not _inside(op, args):
        return False
    label = op.kinks(*args) if op.kinks else 0.0
    for i, x in enumerate(args):
        reach = margin * max(1.0, abs(x))
        for y in (min(x - reach, nextafter(x, -inf)), max(x + reach, nextafter(x, inf))):
            moved = [*args[:i], y, *args[i + 1 :]]
            if op.kinks and op.kinks(*moved) != label:
                return False
            if margin and not _inside(op, moved):
                return False
    return True


def _value_and_slopes(op: Op, args: Sequence[float]) -> list[float]:
    out = op.compute(*args)
    return [out, *(op.partial(i, out, *args) for i in range(len(args)))]


def _has_slopes(op: Op) -> bool:
    """Whether some partial is not 0 everywhere."""
    flat = (None, *ops.sign.partials)  # all piecewise constant rows share one rule
    return op.arity is None or any(rule not in flat for rule in op.partials)


# not of the whole table, which may already contain user-defined rows
DIFFERENTIABLE = tuple(op for op in vars(ops).values() if isinstance(op, Op) and _has_slopes(op))
