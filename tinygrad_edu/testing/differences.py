"""Slopes computed only from a function's values, each with a bound for its error.

Along a direction v the slope at x is the limit of (f(x + tv) − f(x − tv)) / 2t. We halve t,
which is a power of two, and extrapolate (Richardson); the last change of the extrapolation
estimates the truncation error. The rounding error comes from two sources: the recorded graph,
walked once with |partials|, shows how rounding of every node spreads to the result; and values at
neighbouring points show how much they really jitter. Steps shrink until rounding outweighs any
gain. For quadratics every quotient is already exact.

A step is used only if the graph is the same at both ends as in the middle: the same rows, each on
the same smooth piece and inside its domain. If no step is small enough, the point is on a kink, and
the slopes of both sides are reported. An extrapolation is trusted only as far as the means of f(x +
tv) and f(x − tv) extrapolate to f(x): across a pole they would not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf, isfinite, nan, ulp
from typing import Any, NamedTuple

from ..core import ops
from ..core.graph import datum, local_numbers, tape
from ..core.table import BUILT_IN, Op, number
from ..core.value import Number, Value

Flat = Callable[[list[Any]], list[Number]]
"""A function from a list of numbers to a list of numbers."""

STEPS = [2.0**-k for k in range(2, 45)]
"""Relative to a direction that is scaled to the point: from a quarter to the last digits."""

EPSILON = 2.0**-52
COLUMNS = 6  # of the extrapolation: each removes another power of the truncation error
SAFETY = 2.0  # on the truncation error; the estimate is that of the entry before, so generous
SHARP = 2.0**-10  # the largest error, relative to the slope, that allows a verdict


class Kink(NamedTuple):
    """A recorded operation that is not smooth at the point: its slope is a convention there.

    Attributes:
        op: the name of the row, or "branch" where Python took another branch nearby.
        label: the name of the node, or its symbol.
        operands: the names and numbers of its arguments.
        outside: whether it is on or beyond the border of its domain, and not between two pieces.
    """

    op: str
    label: str
    operands: tuple[tuple[str, float], ...]
    outside: bool = False

    def __str__(self) -> str:
        shown = ", ".join(f"{name}={x!r}" for name, x in self.operands)
        text = f"{self.op}({shown})" if self.operands else self.label
        return f"{text}, not inside its domain" if self.outside else text


class Slope(NamedTuple):
    """The slope along a direction, computed from the values.

    Attributes:
        low, high: equal if the function is smooth; else the slopes of both sides.
        error: a bound for their error.
        scale: the size of slopes near the point: over the coarsest step, and along each path on its
            own, before paths cancel.
        kinks: the operations that are not smooth here.
        stops: whether a `stop_gradient` hides some of it from derivatives.
    """

    low: float
    high: float
    error: float
    scale: float
    kinks: tuple[Kink, ...] = ()
    stops: bool = False

    def undecided(self, got: float = 0.0) -> str:
        """Why a wrong ``got`` might go unnoticed; empty if it would not."""
        if not isfinite(self.error + self.scale):
            return "no two steps gave finite values that can be compared"
        size = max(abs(self.low), abs(self.high), self.scale)
        if self.error <= SHARP * size or size == got == 0.0:
            return ""
        return f"the differences are too noisy: {self} for steps of all sizes"

    def miss(self, got: float) -> float:
        """The distance of a slope from this one."""
        return max(self.low - got, got - self.high, 0.0) if got == got else inf

    def __str__(self) -> str:
        if self.low == self.high:
            return f"{self.low!r} ± {self.error:.1e}"
        return f"between {self.low!r} and {self.high!r} ± {self.error:.1e}"


class Run(NamedTuple):
    """A function, recorded once at a point."""

    variables: list[Value]
    outputs: list[Number]
    nodes: list[Value]

    @property
    def numbers(self) -> list[float]:
        return [datum(y) for y in self.outputs]

    @property
    def made(self) -> list[tuple[Op, Value]]:
        """The operations and their results."""
        return [(node.op, node) for node in self.nodes if node.op is not None]

    @property
    def pieces(self) -> list[Any]:
        """The row of each operation, the smooth piece it is on, and whether in its domain."""
        return [_piece(op, node) for op, node in self.made]


def run(f: Flat, xs: Sequence[float]) -> Run:
    """f, recorded at plain numbers."""
    variables = [Value(x) for x in xs]
    outputs = [y if isinstance(y, Value) else number(y) for y in f(list(variables))]
    return Run(variables, outputs, tape(*[y for y in outputs if isinstance(y, Value)]))


def _piece(op: Op, node: Value) -> tuple[Op, float | None, bool]:
    numbers = [datum(arg) for arg in node.args]
    try:
        label = op.kinks(*numbers) if op.kinks else 0.0
        return op, label if label == label else None, op.domain is None or op.domain(*numbers)
    except (ArithmeticError, ValueError):  # for an infinity or nan
        return op, None, False


class Flow(NamedTuple):
    """The effect of a direction and of rounding errors on a node, to first order."""

    slope: float  # along the direction
    size: float  # the same without cancellation: Σ |product of partials| over all paths
    noise: float  # the rounding error of the node's number


NOTHING = Flow(0.0, 0.0, 0.0)


def flow(at: Run, v: Sequence[float]) -> dict[Any, Flow]:
    """The effect on every node, in one walk, oldest node first.

    Each adds two units of its own last place to the errors of its arguments.
    """
    arrived = {x: Flow(d, abs(d), ulp(x.data) / 2.0) for x, d in zip(at.variables, v)}
    for op, node in at.made:
        slope, size, noise = 0.0, 0.0, 2.0 * ulp(node.data) if isfinite(node.data) else inf
        for arg, local in zip(node.args, local_numbers(node)):
            if local and isfinite(local):  # a slope that does not flow on may be nan
                argument = arrived.get(arg, NOTHING)
                slope += local * argument.slope
                size += abs(local) * argument.size
                noise += abs(local) * argument.noise
                if op.arity is None:  # adding n terms rounds n times
                    noise += len(node.args) * EPSILON * abs(local * datum(arg))
        arrived[node] = Flow(slope, size, noise)
    return arrived


def _stops(at: Run, arrived: dict[Any, Flow]) -> bool:
    """Whether a slope other than 0 arrives at an argument whose partial is None.

    Some rows have such partials because they are constant on each piece: the slope is then 0, up to
    rounding.
    """
    hidden = (
        arrived.get(arg, NOTHING)
        for op, node in at.made
        for i, arg in enumerate(node.args)
        if op is ops.stop_gradient or not (op.flows_to(i) or op.name in BUILT_IN)
    )
    return any(abs(came.slope) > 2.0**-36 * came.size for came in hidden)


def slopes(f: Flat, xs: Sequence[float], v: Sequence[float]) -> list[Slope]:
    """The slope of every output of f at xs along v."""
    at = run(f, xs)
    arrived = flow(at, v)
    near = [_sample(f, xs, v, t) for t in (STEPS[-1], -STEPS[-1])]
    smooth = all(side is not None and side[1] == at.pieces for side in near)
    stops = _stops(at, arrived)
    plain = smooth and not stops and all(inside for _, _, inside in at.pieces)
    if len(at.outputs) > 1 and not plain:  # which output is it?
        return [slopes(only(f, [j]), xs, v)[0] for j in range(len(at.outputs))]
    sizes = [arrived.get(y, NOTHING).size for y in at.outputs]
    noise = [arrived.get(y, NOTHING).noise for y in at.outputs]
    if any(op.opaque for op, _ in at.made):
        noise = [max(pair) for pair in zip(noise, _jitter(f, xs, v, at))]
    kinks = _kinks(at, arrived, [side[1] for side in near if side])
    if smooth:
        limits = _limits(f, xs, v, at, noise)
        return [
            Slope(x.value, x.value, x.error, max(x.moved, size), kinks, stops)
            for x, size in zip(limits, sizes)
        ]
    right, left = (_limits(f, xs, v, at, noise, side)[0] for side in (1.0, -1.0))
    low, high = sorted((left.value, right.value))
    scale = max(left.moved, right.moved, sizes[0])
    return [Slope(low, high, max(left.error, right.error), scale, kinks, stops)]


def only(f: Flat, chosen: Sequence[int]) -> Flat:
    """f with some of its outputs."""

    def chosen_outputs(xs: list[Any]) -> list[Number]:
        outputs = f(xs)
        return [outputs[j] for j in chosen]

    return chosen_outputs


def _sample(
    f: Flat, xs: Sequence[float], v: Sequence[float], t: float
) -> tuple[list[float], list[Any]] | None:
    """The values and pieces of f at x + tv; None where f raises."""
    try:
        there = run(f, [x + t * step for x, step in zip(xs, v)])
    except (ArithmeticError, ValueError):
        return None
    return there.numbers, there.pieces


def _jitter(f: Flat, xs: Sequence[float], v: Sequence[float], at: Run) -> list[float]:
    """The rounding errors of f, measured by fourth differences of its values.

    The graph doesn't show how precise an opaque, user-defined row is. The steps are so small that
    only rounding is left of fourth differences, but large enough for rounding to differ.
    """
    seen = [0.0] * len(at.outputs)
    for t in (2.0**-37, 2.0**-36, 2.0**-29, 2.0**-28):
        around = [_sample(f, xs, v, k * t) for k in (-2.0, -1.0, 1.0, 2.0)]
        values = [there[0] for there in around if there and there[1] == at.pieces]
        if len(values) == 4:
            rows = zip(seen, at.numbers, *values)
            seen = [max(n, abs(a - 4.0 * (b + c) + d + 6.0 * y)) for n, y, a, b, c, d in rows]
    return seen


class _Limit:
    """The limit of the quotients of one output as the step is halved (after Ridders)."""

    def __init__(self, base: float) -> None:
        self.base = base  # the factor by which each halving reduces the leading truncation error
        self.row: list[tuple[float, float]] = []
        self.value, self.error, self.moved = nan, inf, 0.0
        self.settled = (0.0, 0.0)  # when smaller steps no longer help: the step, and the

    # distance of its quotient from the limit

    def add(self, quotient: float, bias: float, change: float, t: float, noise: float) -> None:
        """Add the quotient of a step.

        The entry of the triangle with the smallest error estimate counts. If a finer step
        contradicts it, the coarser ones had agreed by accident.

        Args:
            quotient: (f(x + tv) − f(x − tv)) / 2t.
            bias: the mean of f(x ± tv), minus f(x), extrapolated in the same way; it must vanish.
            change: the largest change of f.
            t: the step.
            noise: the rounding error of the quotient.
        """
        if not isfinite(quotient):
            self.row = []
            return
        self.moved = self.moved or change / t
        since, distance = self.settled
        if since:
            if abs(quotient - self.value) <= self.error + 4.0 * noise + distance * t / since:
                return
            self.row, self.error, self.settled = [], inf, (0.0, 0.0)
        row, value, error, factor = [(quotient, bias)], quotient, inf, 1.0
        for coarser in self.row[:COLUMNS]:
            factor *= self.base
            (q, b), (q_before, b_before) = row[-1], coarser
            better = q + (q - q_before) / (factor - 1.0)
            row.append((better, b + (b - b_before) / (factor - 1.0)))
            left = abs(row[-1][1])
            still = max(abs(better - q), abs(better - q_before), left / t)
            regular = left <= change / 16.0 + 4.0 * noise * t
            if regular and SAFETY * still + 4.0 * noise < error:
                value, error = better, SAFETY * still + 4.0 * noise
        self.row = row
        if error < self.error or abs(value - self.value) > error + self.error:
            self.value, self.error = value, error
        if isfinite(self.error) and noise >= self.error:
            self.settled = (t, abs(quotient - self.value))


def _limits(
    f: Flat, xs: Sequence[float], v: Sequence[float], at: Run, noise: list[float], side: float = 0.0
) -> list[_Limit]:
    """The limits for all outputs: of central quotients, or of those of one side (±1)."""
    limits = [_Limit(2.0 if side else 4.0) for _ in at.outputs]
    nearest = _sample(f, xs, v, side * STEPS[-1])
    here, smooth = at.numbers, nearest[1] if nearest else None
    for k, t in enumerate(STEPS):
        if k % 8 and all(limit.settled[0] for limit in limits):
            continue  # check from time to time whether they are contradicted
        ahead = _sample(f, xs, v, side * t or t)
        behind = (here, smooth) if side else _sample(f, xs, v, -t)
        if not ahead or not behind or not ahead[1] == behind[1] == smooth:
            for limit in limits:
                limit.row = []
            continue
        span = side * t or 2.0 * t
        for limit, y, a, b, error in zip(limits, here, ahead[0], behind[0], noise):
            change = max(abs(a - y), abs(y - b))
            bias = 0.0 if side else (a - y + (b - y)) / 2.0
            rounding = 2.0 * (error + EPSILON * max(abs(a), abs(b))) / abs(span)
            limit.add((a - b) / span, bias, change, t, rounding)
    return limits


def _kinks(at: Run, arrived: dict[Any, Flow], sides: Sequence[list[Any]]) -> tuple[Kink, ...]:
    """The operations on kinks or out of their domains, if the direction arrives there."""
    here, kinks = at.pieces, []
    if any([piece[0] for piece in side] != [piece[0] for piece in here] for side in sides):
        return (Kink("branch", "another branch of the program, taken nearby", ()),)
    for i, ((op, node), piece) in enumerate(zip(at.made, here)):
        unlike = any(side[i] != piece for side in sides)
        if unlike or (not piece[2] and any(arg in arrived for arg in node.args)):
            names = op.parameters if op.arity else map(str, range(len(node.args)))
            operands = tuple(
                (getattr(arg, "name", None) or name, datum(arg))
                for name, arg in zip(names, node.args)
            )
            kinks.append(Kink(op.name, node.name or op.symbol, operands, outside=not piece[2]))
    return tuple(kinks)
