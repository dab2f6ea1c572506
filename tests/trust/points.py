"""Where each row is looked at: the same points in every run and for every library."""

from __future__ import annotations

import hashlib
import math
import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from tests.extremes import BESIDE_ONE, SIZES, both_signs, derivatives
from tinygrad_edu.core.table import BUILT_IN, TABLE, Op

ROWS = [TABLE[name] for name in sorted(BUILT_IN)]
ORDER = 3
NEAR = 20.0  # where most functions bend
KINKS = (0.5, 1.0, 3.0, 6.0)  # of the piecewise rows, besides 0
Args, By = tuple[float, ...], tuple[int, ...]


def points(row: Op) -> list[Args]:
    """Dense samples where a row bends and over its range, its tails, and beside its edges."""
    return [args for args in dict.fromkeys(_candidates(row)) if _inside(row, args)]


def key(row: Op) -> str:
    """Changes when the points of a row do."""
    text = repr((row.name, points(row), orders(row)))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def count(row: Op) -> int:
    """How many arguments the points have."""
    return 3 if row.arity is None else row.arity


def orders(row: Op) -> list[By]:
    """The value and all derivatives up to the third, by their arguments."""
    return derivatives(row, count(row), ORDER)


def tree(order: Sequence[By], value: Any, slope: Callable[[Any, int], Any]) -> list[Any]:
    """A value and its derivatives, each the slope of one before it."""
    known = {(): value}
    for by in order:
        if by:
            known[by] = slope(known[by[:-1]], by[-1])
    return [known[by] for by in order]


def _candidates(row: Op) -> Iterator[Args]:
    rng, many = random.Random(row.name), count(row)
    ranges = row.sample if row.arity else row.sample * many
    near = [(max(low, -NEAR), min(high, NEAR)) for low, high in ranges]
    dense, wide, tails = (200, 50, 50) if many == 1 else (100, 30, 30)
    for span, number in ((near, dense), (ranges, wide)):
        for i in range(number):
            args = tuple(rng.uniform(*ends) for ends in span)
            # settings are at their defaults in every second point
            yield args[: many - len(row.defaults)] + row.defaults if i % 2 else args
    reach = 300.0 if many == 1 else 100.0  # third derivatives of a quotient need fourth powers
    for _ in range(tails):
        args = tuple(
            rng.choice((-1.0, 1.0)) * 10.0 ** rng.uniform(-reach, reach) for _ in range(many)
        )
        yield args[: many - len(row.defaults)] + row.defaults
    if many - len(row.defaults) == 1:
        for x in both_signs((*SIZES, *BESIDE_ONE, *map(_below, KINKS), *map(_above, KINKS))):
            yield (x, *row.defaults)


def _inside(row: Op, args: Args) -> bool:
    return row.domain is None or row.domain(*args)


def _below(x: float) -> float:
    return math.nextafter(x, 0.0)


def _above(x: float) -> float:
    return math.nextafter(x, math.inf)
