"""`check_grads`: reverse mode against forward mode against differences of the values."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from math import frexp, isfinite, ldexp, ulp
from random import Random
from typing import Any, NamedTuple

from ..blocks import entering
from ..core import ops
from ..core.calculus import jvp, vjp
from ..core.graph import datum
from ..core.table import Op
from ..core.value import plain
from ..errors import BadArgument, GradientMismatch, check_name
from ..strings import legible
from ..trees import Rebuild, flatten
from .differences import EPSILON, NOTHING, Flat, Kink, Run, Slope, flow, only, run, slopes
from .expressions import applied

__all__ = ["GradientReport", "check_grads"]

BLAMED = 500  # distinct operations that are searched for the cause of a mismatch


class GradientReport(NamedTuple):
    """The report of `check_grads`.

    Attributes:
        checks: the number of comparisons; all of them agreed.
        kinks: the operations that are not smooth at the point. There the slope is a convention, and
            only has to lie between the slopes on both sides.
        undecided: descriptions of the comparisons in which a wrong slope might have gone unnoticed.
    """

    checks: int
    kinks: tuple[Kink, ...] = ()
    undecided: tuple[str, ...] = ()

    def __repr__(self) -> str:
        agree = f"{len(self.undecided)} undecided, the others" if self.undecided else "all"
        lines = [f"GradientReport: {self.checks} comparisons, {agree} agree."]
        lines += [f"  kink: {kink}" for kink in self.kinks]
        lines += [f"  undecided: {why}" for why in self.undecided]
        return legible("\n".join(lines))


def check_grads(
    f: Callable[..., Any],
    *points: Any,
    order: int = 2,
    modes: Sequence[str] = ("fwd", "rev"),
    directions: int = 2,
    seed: int = 0,
    rtol: float | None = None,
) -> GradientReport:
    """Check the derivatives of f at a point: reverse, forward and differences must agree.

    Along random directions the forward slope Jv is compared with the extrapolated central
    differences of f, and the reverse slope w·J with both. Tolerances are not constants: they are
    the measured rounding and truncation errors. Higher orders check the derivatives of the
    derivatives, in every combination of the modes.

    Args:
        f: a function of numbers, or of nested lists, tuples, dicts and arrays of them, which
            returns such.
        *points: the arguments at which to check f.
        order: the highest derivative to check.
        modes: "fwd", "rev" or both.
        directions: the number of random directions at each order.
        seed: for the random directions; the same seed gives the same ones.
        rtol: an additional relative tolerance; none if not given.

    Returns:
        The number of comparisons, the kinks, and the undecided comparisons, for which there is also
        a warning.

    Raises:
        GradientMismatch: with the point, the direction, the three slopes, and the row of the table
            that caused it, if there is one.
        BadArgument: for a point that is not finite, an unknown mode, an order below 1.

    >>> import tinygrad_edu as tg
    >>> check_grads(lambda p: tg.relu(p["w"] * 3.0 + p["b"]), {"w": 1.0, "b": 2.0})
    GradientReport: 20 comparisons, all agree.
    >>> check_grads(tg.relu, 0.0, order=1)
    GradientReport: 3 comparisons, all agree.
      kink: relu(x=0.0)
    >>> cube = tg.op("cube", lambda x: x * x * x, [lambda out, x: 3.001 * x * x])
    >>> check_grads(lambda x: cube(x) + 1.0, 2.0)
    Traceback (most recent call last):
    ...
    tinygrad_edu.errors.GradientMismatch: ...
    """
    for mode in modes:
        check_name("mode", mode, ("fwd", "rev"))
    if not modes or order < 1 or directions < 1:
        raise BadArgument(
            f"check_grads needs a mode, and an order and directions of at least 1. "
            f"Received: modes={modes!r}, order={order!r}, directions={directions!r}."
        )
    leaves, like_points = flatten(points)
    xs = list(map(plain, leaves))
    if not xs or not all(map(isfinite, xs)):
        raise BadArgument(f"check_grads needs a point of finite numbers. Received: {points!r}.")

    def flat(numbers: list[Any]) -> list[Any]:
        return flatten(f(*like_points(numbers)))[0]

    check = _Check(tuple(modes), directions, Random(seed), 0.0 if rtol is None else rtol)
    # Inside, steps out of a domain are judged here, and no_grad would hide the graph.
    with entering(recording=True, record=None, sweep=None):
        try:
            check.at(flat, xs, order)
        except _Disagreement as wrong:
            mismatch, advice = _mismatch(wrong, f, like_points), _advice(wrong, run(flat, xs), seed)
            raise GradientMismatch(f"{mismatch}\n{advice}") from None
    report = GradientReport(check.checks, tuple(check.kinks), tuple(check.undecided.values()))
    if report.undecided:
        warnings.warn(f"check_grads could not decide everything. {report!r}", stacklevel=2)
    return report


class _View(NamedTuple):
    """Three slopes of the same weighted outputs of f, to be compared."""

    f: Flat
    xs: list[float]
    v: list[float]
    how: tuple[str, ...]  # the modes of the lower orders, whose derivative f is
    outputs: list[int]
    weights: list[float]
    slope: Slope  # of the values' differences
    rounding: float  # of either mode

    @property
    def order(self) -> int:
        return len(self.how) + 1

    def forward(self) -> float:
        return _dot(self.weights, jvp(only(self.f, self.outputs), (self.xs,), (self.v,))[1])

    def reverse(self) -> float:
        return _dot(vjp(only(self.f, self.outputs), self.xs)[1](self.weights)[0], self.v)


class _Disagreement(Exception):
    """Two slopes that differ."""

    def __init__(self, view: _View, got: float, expected: float, modes: bool) -> None:
        self.view, self.got, self.expected, self.modes = view, got, expected, modes


class _Check:
    """One run of check_grads: its settings and its results so far."""

    def __init__(
        self, modes: tuple[str, ...], directions: int, random: Random, rtol: float
    ) -> None:
        self.modes, self.directions, self.random, self.rtol = modes, directions, random, rtol
        self.checks = 0
        self.kinks: dict[Kink, None] = {}
        self.undecided: dict[tuple[Any, ...], str] = {}  # one message for each output

    def at(self, f: Flat, xs: list[float], order: int, how: tuple[str, ...] = ()) -> None:
        """Check the derivatives of f up to an order."""
        here = run(f, xs)
        for _ in range(self.directions if len(xs) > 1 else 1):
            signs = [self._dyadic() for _ in xs]
            self._along(f, here, xs, signs, how)
        if order == 1:
            return
        if outside := [str(kink) for kink in self.kinks if kink.outside]:
            self.undecided[how] = f"orders above {len(how) + 1}: {'; '.join(outside)}"
            return
        v = _scaled(signs, xs)
        w = [self._dyadic() for _ in here.outputs]
        derivative: dict[str, Flat] = {
            "fwd": lambda xs: list(jvp(f, (xs,), (v,))[1]),
            "rev": lambda xs: list(vjp(f, xs)[1](w)[0]),
        }
        for mode in self.modes:
            self.at(derivative[mode], xs, order - 1, (*how, mode))

    def _dyadic(self) -> float:
        """A random factor of few bits, so that steps in powers of two cause no rounding."""
        return self.random.choice((-1.0, 1.0)) * self.random.choice((4, 5, 6, 7)) / 8.0

    def _along(
        self, f: Flat, here: Run, xs: list[float], signs: list[float], how: tuple[str, ...]
    ) -> None:
        """Compare the three slopes along one direction, scaled to the point.

        Numbers below 1 are first moved by 1; if that can't decide, by their own size.
        """
        for least in (1.0, 0.0):
            v = _scaled(signs, xs, least)
            by_values = slopes(f, xs, v)
            if not any(slope.undecided() for slope in by_values):
                break
        arrived = flow(here, v)
        sizes = [arrived.get(y, NOTHING).size for y in here.outputs]
        rounding = EPSILON * (8 + 2 * sum(len(node.args) for node in here.nodes))

        def view(outputs: list[int], weights: list[float]) -> _View:
            size = sum(abs(w) * sizes[j] for w, j in zip(weights, outputs))
            slope = _weighted(weights, [by_values[j] for j in outputs])
            return _View(f, xs, v, how, outputs, weights, slope, rounding * size)

        everyone = range(len(by_values))
        if "fwd" in self.modes:
            for j, got in zip(everyone, jvp(f, (xs,), (v,))[1]):
                self._compare(view([j], [1.0]), got)
        if "rev" in self.modes:  # with weights, outputs of any size count equally
            plain = [j for j in everyone if not (by_values[j].kinks or by_values[j].undecided())]
            if plain:
                self._reverse(view(plain, [self._dyadic() * _power(sizes[j]) for j in plain]))
            for j in everyone:
                if j not in plain:
                    self._reverse(view([j], [1.0]))

    def _reverse(self, view: _View) -> None:
        got = view.reverse()
        self._compare(view, got)
        if "fwd" not in self.modes:
            return
        self.checks += 1
        expected = view.forward()
        if isfinite(got + expected) and not abs(got - expected) <= 2.0 * view.rounding:
            raise _Disagreement(view, got, expected, modes=True)

    def _compare(self, view: _View, got: float) -> None:
        """Compare a slope from the table with one from differences."""
        slope = view.slope
        self.checks += 1
        expected = min(max(got, slope.low), slope.high) if got == got else slope.low
        tolerance = slope.error + view.rounding + self.rtol * max(abs(got), abs(expected))
        agree = abs(got - expected) <= tolerance
        kinks = slope.kinks
        why = "" if kinks and isfinite(got) else slope.undecided(got)
        one = slope.high - slope.low <= slope.error and not slope.undecided(got)
        if not (agree and one):  # a slope's formula in pieces, say, may join without a kink
            self.kinks.update(dict.fromkeys(kinks))
        if not agree and isfinite(slope.error):
            bracketed = len(kinks) == 1 and not kinks[0].outside and not one and isfinite(got)
            if slope.stops:
                why = f"stop_gradient hides a part of the slope, which is {slope}"
            elif bracketed or not (kinks or (why and not isfinite(got))):
                raise _Disagreement(view, got, expected, modes=False)
            elif kinks:  # of two, each slope may be fair, and their sum be anything
                names = "; ".join(dict.fromkeys(map(str, kinks)))
                why = f"not smooth ({names}), and the slope is {slope}"
        if why:
            order = " after ".join((str(view.order), *reversed(view.how)))
            message = f"order {order}, slope {got!r}: {why}"
            self.undecided.setdefault((view.how, *view.outputs), message)


def _dot(xs: Sequence[float], ys: Sequence[float]) -> float:
    return sum(x * y for x, y in zip(xs, ys))


def _power(size: float) -> float:
    """The power of two that scales a number of some size to about 1."""
    return ldexp(1.0, max(-1000, min(1000, -frexp(size)[1]))) if isfinite(size) else 1.0


def _scaled(signs: Sequence[float], xs: Sequence[float], least: float = 1.0) -> list[float]:
    """A direction, scaled to each number of the point, or to ``least`` if that is larger."""
    return [sign / _power(max(abs(x), least) or 1.0) for sign, x in zip(signs, xs)]


def _weighted(weights: Sequence[float], slopes: Sequence[Slope]) -> Slope:
    ends = [sorted((w * slope.low, w * slope.high)) for w, slope in zip(weights, slopes)]
    return Slope(
        sum(low for low, _ in ends),
        sum(high for _, high in ends),
        sum(abs(w) * slope.error for w, slope in zip(weights, slopes)),
        sum(abs(w) * slope.scale for w, slope in zip(weights, slopes)),
        tuple(kink for slope in slopes for kink in slope.kinks),
        any(slope.stops for slope in slopes),
    )


# ── Reporting what is wrong ───────────────────────────────────────────────────────────────


def _mismatch(wrong: _Disagreement, f: Callable[..., Any], like_points: Rebuild) -> str:
    view = wrong.view
    forward, reverse = view.forward(), view.reverse()
    error = abs(wrong.got - wrong.expected)
    which = "the differences of the values disagree with forward and reverse mode"
    if wrong.modes:
        lone = max((forward, "forward"), (reverse, "reverse"), key=lambda x: view.slope.miss(x[0]))
        which = f"{lone[1]} mode disagrees with the two others"
    several = f"outputs {view.outputs}, weighted by {view.weights}"
    outputs = several if len(view.outputs) > 1 else f"output {view.outputs[0]}"
    return (
        f"The derivatives of {getattr(f, '__name__', f)!s} do not agree: {which}.\n"
        f"  order       {' after '.join((str(view.order), *reversed(view.how)))}\n"
        f"  point       {like_points(view.xs)!r}\n"
        f"  direction   {like_points(view.v)!r}\n"
        f"  of          {outputs}\n"
        f"  forward     {forward!r}\n"
        f"  reverse     {reverse!r}\n"
        f"  differences {view.slope}\n"
        f"  got {wrong.got!r}, expected {wrong.expected!r}: "
        f"off by {error:.3g}, {error / ulp(wrong.expected):.3g} ulps"
    )


def _advice(wrong: _Disagreement, at: Run, seed: int) -> str:
    """The row that causes a mismatch: each operation of f is checked on its own."""
    if wrong.modes:
        return (
            "Both use the same partials, so a row may return different results from call to call."
        )
    rows = dict.fromkeys(
        (op, tuple(map(datum, node.args))) for op, node in at.made if op is not ops.stop_gradient
    )
    suspects = sorted(rows, key=lambda row: not row[0].opaque)  # user-defined rows first
    for op, numbers in suspects[:BLAMED]:
        if all(map(isfinite, numbers)) and (fault := _fault(op, numbers, wrong.view.order, seed)):
            return fault
    return (
        "No row of the table is wrong on its own there. Does f leave the graph somewhere, by "
        "v.data, or does it return different results from call to call?"
    )


def _fault(op: Op, numbers: tuple[float, ...], order: int, seed: int) -> str:
    """The error of a row at some arguments, in words; empty if there is none."""
    names = op.parameters if op.arity else [f"[{i}]" for i in range(len(numbers))]
    shown = ", ".join(f"{name}={x!r}" for name, x in zip(names, numbers))

    for i in filter(op.flows_to, range(len(numbers))):

        def along(xs: list[Any], i: int = i) -> list[Any]:
            return [applied(op, [*numbers[:i], xs[0], *numbers[i + 1 :]])]

        try:
            _Check(("fwd",), 1, Random(seed), 0.0).at(along, [numbers[i]], 1)
        except _Disagreement as wrong:
            slope, by = wrong.view.slope, wrong.view.v[0]
            return (
                f"The partial {i} of row {op.name!r} is wrong at ({shown}): it returns "
                f"{wrong.got / by!r}, the differences of its value {wrong.expected / by!r} "
                f"± {abs(slope.error / by):.1e}."
            )
    try:
        _Check(("fwd", "rev"), 2, Random(seed), 0.0).at(
            lambda xs: [applied(op, xs)], list(numbers), order
        )
    except _Disagreement as wrong:
        return (
            f"The partials of row {op.name!r} are right at ({shown}), but their derivatives of "
            f"order {wrong.view.order} are not: a partial must be made of rows and + − × ÷, and "
            f"use the Values it is given."
        )
    return ""
