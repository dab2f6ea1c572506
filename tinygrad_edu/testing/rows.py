"""`check_op`: whether a row of the table is right, and if not, in words what it says instead."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from itertools import product
from math import exp, isclose, isfinite, sqrt
from random import Random

from ..core.table import Op
from ..errors import BadArgument, GradientMismatch
from .checking import GradientReport, check_grads
from .differences import Kink, slopes
from .expressions import applied

__all__ = ["check_op"]

SIMPLE = (3.0, 0.5, 5.0, 2.0, -2.0, 0.25, -0.75, 7.0, 1.5, -3.0)
"""The first points to try: numbers whose mistakes a reader can follow."""

RANDOM = 8  # more points, drawn from the row's own range
FACTORS = {1.0: "", 2.0: "2", 3.0: "3", 4.0: "4", 0.5: "½", 0.25: "¼"}

# How a slope is recognised: in words, and as a function of the output and an argument.
TERMS: tuple[tuple[str, Callable[[float, float], float]], ...] = (
    ("1", lambda out, x: 1.0),
    ("{x}", lambda out, x: x),
    ("{x}²", lambda out, x: x * x),
    ("{x}³", lambda out, x: x**3),
    ("1/{x}", lambda out, x: 1.0 / x),
    ("1/{x}²", lambda out, x: 1.0 / (x * x)),
    ("out", lambda out, x: out),
    ("out²", lambda out, x: out * out),
    ("1/out", lambda out, x: 1.0 / out),
    ("(1 − out)", lambda out, x: 1.0 - out),
    ("(1 − out²)", lambda out, x: 1.0 - out * out),
    ("out·(1 − out)", lambda out, x: out * (1.0 - out)),
    ("{x}·out", lambda out, x: x * out),
    ("out/{x}", lambda out, x: out / x),
    ("√{x}", lambda out, x: sqrt(x)),
    ("exp({x})", lambda out, x: exp(x)),
)  # fmt: skip


def check_op(row: Op, *, order: int = 2, seed: int = 0) -> GradientReport:
    """Check the partial derivatives of a row at many points, with a verdict in words.

    One point can be lucky: at 0 the slope x of x·x is right, and at a = b the two slopes of a·b may
    be swapped. So the row is checked by `check_grads` at simple points, whose arguments differ, and
    at random ones from its range.

    Args:
        row: a row of the table, such as what `tinygrad_edu.op` returns.
        order: the highest derivative to check.
        seed: for the random points and directions.

    Returns:
        The sum of all reports.

    Raises:
        GradientMismatch: at the simplest point where a slope is wrong: what the row says, what
            nudging the argument gives, and as far as it can be recognised, the right formula.
        BadArgument: if it is not a row with slopes, or its domain contains none of the points.

    >>> import tinygrad_edu as tg
    >>> check_op(tg.tanh).checks > 100
    True
    >>> check_op(tg.op("my_square", lambda x: x * x, [lambda out, x: x]))
    Traceback (most recent call last):
        ...
    tinygrad_edu.errors.GradientMismatch: For my_square(x) you wrote the slope x; at x = 3 that
    gives 3, nudging gives 6.0000: 2x. It is 0.5 times the right slope everywhere.
    """
    if not isinstance(row, Op) or not any(map(row.flows_to, range(row.arity or 1))):
        raise BadArgument(f"check_op takes a row of the table that has slopes. Received: {row!r}.")
    points = list(_points(row, Random(seed)))
    if not points:
        raise BadArgument(
            f"None of the points that were tried is in the domain of {row!r}. Received: "
            f"sample={row.sample!r}. Give the row a sample of ranges inside its domain."
        )
    checks, kinks, undecided = 0, dict[Kink, None](), list[str]()
    for point in points:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)  # undecided: in the report
                report = check_grads(_of(row), *point, order=order, seed=seed)
        except GradientMismatch as mismatch:
            raise GradientMismatch(_words(row, point, points, str(mismatch))) from None
        checks += report.checks
        kinks.update(dict.fromkeys(report.kinks))
        undecided += report.undecided
    return GradientReport(checks, tuple(kinks), tuple(undecided))


def _of(row: Op) -> Callable[..., object]:
    def f(*args: object) -> object:
        return applied(row, list(args))

    f.__name__ = row.name
    return f


def _points(row: Op, random: Random) -> Iterator[tuple[float, ...]]:
    """Points inside the domain, the simple ones first; no two arguments are equal."""
    width = row.arity or 3
    simple = product(SIMPLE[: 6 if width > 2 else None], repeat=width)
    spread = [p for p in simple if len(set(p)) == width][:10]
    ranges = [row.sample[i % len(row.sample)] for i in range(width)]
    drawn = [tuple(random.uniform(low, high) for low, high in ranges) for _ in range(RANDOM)]
    for point in (*spread, *drawn):
        inside = row.domain is None or row.domain(*point)
        if inside and isfinite(applied(row, list(point))):
            yield point


def _slopes_at(row: Op, point: tuple[float, ...]) -> list[tuple[float, float]]:
    """For each argument, the slope according to the row, and the one that nudging gives."""
    out, pairs = applied(row, list(point)), []
    for i in range(len(point)):
        along = [1.0 if i == j else 0.0 for j in range(len(point))]
        (by_values,) = slopes(lambda xs: [applied(row, xs)], list(point), along)
        said = row.partials(i, out, *point) if row.arity is None else row.partials[i](out, *point)
        pairs.append((float(said), (by_values.low + by_values.high) / 2.0))
    return pairs


def _words(
    row: Op, point: tuple[float, ...], points: Sequence[tuple[float, ...]], mismatch: str
) -> str:
    """The verdict on a row whose slopes are wrong at a point, where check_grads says mismatch."""
    names = row.parameters if row.arity else [f"x{i + 1}" for i in range(len(point))]
    here = _slopes_at(row, point)
    wrong = [i for i, (x, y) in enumerate(here) if row.flows_to(i) and not _close(x, y)]
    call = f"{row.name}({', '.join(names)})"
    if not wrong:
        return mismatch.rsplit("\n", 1)[-1]  # the slopes are right, but not their derivatives
    i, at = wrong[0], ", ".join(f"{name} = {x:g}" for name, x in zip(names, point))
    table = [(_slopes_at(row, p), applied(row, list(p)), p) for p in points]
    mine = _recognised([(pairs[i][0], out, p) for pairs, out, p in table], names)
    right = _recognised([(pairs[i][1], out, p) for pairs, out, p in table], names)
    wrote = f"you wrote the slope {mine}" if mine else "the slope is wrong"
    by = f" by {names[i]}" if len(names) > 1 else ""
    said, nudged = (f"{x:{form}}".replace("-", "−") for x, form in zip(here[i], ("g", ".4f")))
    verdict = f"For {call} {wrote}{by}; at {at} that gives {said}, nudging gives {nudged}"
    verdict += f": {right}." if right else "."
    others = [j for j in range(len(names)) if j != i]
    for j in others:
        if all(_close(pairs[i][0], pairs[j][1]) for pairs, _, _ in table):
            return f"{verdict} It is the slope by {names[j]}: are the partials swapped?"
    return f"{verdict}{_factor([pairs[i] for pairs, _, _ in table])}"


def _close(x: float, y: float) -> bool:
    return isclose(x, y, rel_tol=1e-6, abs_tol=1e-9)


def common_factor(pairs: Sequence[tuple[float, float]]) -> float | None:
    """The factor by which all numbers differ from the right ones, None if there is none.

    Args:
        pairs: each number, and the right one.

    >>> common_factor([(2.0, 4.0), (0.5, 1.0), (0.0, 0.0)])
    0.5
    >>> common_factor([(2.0, 4.0), (1.0, 0.0)])
    """
    ratios = [said / right for said, right in pairs if right and isfinite(said / right)]
    if not ratios or any(right == 0.0 != said for said, right in pairs):
        return None
    return ratios[0] if all(_close(ratio, ratios[0]) for ratio in ratios) else None


def _factor(pairs: Sequence[tuple[float, float]]) -> str:
    """A factor that all slopes are off by, in words; "" if there is none."""
    factor = common_factor(pairs)
    if factor is None:
        return ""
    if _close(factor, -1.0):
        return " The sign is wrong everywhere."
    return f" It is {factor:.6g} times the right slope everywhere."


def _recognised(
    rows: Sequence[tuple[float, float, tuple[float, ...]]], names: Sequence[str]
) -> str:
    """The formula of some slopes, in words; "" if it is not among the usual ones.

    Args:
        rows: at each point the slope, the output and the arguments.
        names: of the arguments.
    """
    if all(slope == 0.0 for slope, _, _ in rows):
        return "0"
    for (words, term), (place, name) in product(TERMS, enumerate(names)):
        try:
            ratios = [slope / term(out, point[place]) for slope, out, point in rows]
        except (ArithmeticError, ValueError):
            continue
        factor = next((f for f in FACTORS if _close(abs(ratios[0]), f)), None)
        if factor is None or not all(_close(ratio, ratios[0]) for ratio in ratios):
            continue
        shown = words.format(x=name)
        if FACTORS[factor] and shown.startswith("1"):
            shown = shown[1:]
        return ("−" if ratios[0] < 0.0 else "") + FACTORS[factor] + shown
    return ""
