"""Right answers at extreme arguments, recorded; and what rows answer at infinity, for the docs.

``python -m tests.extremes`` adds the rows that tests/data/extremes.json lacks, which takes some
seconds each, and writes the table of docs/conventions.md. To record a row again, delete it there.
"""

from __future__ import annotations

import json
import math
import random
from collections.abc import Iterator, Sequence
from itertools import combinations_with_replacement
from pathlib import Path
from typing import Any

import tinygrad_edu as tg
from tests.oracle import mp, truth
from tinygrad_edu import Value
from tinygrad_edu.core.table import BUILT_IN, TABLE, Op

RECORDED = Path(__file__).parent / "data/extremes.json"
CONVENTIONS = Path(__file__).parents[1] / "docs/conventions.md"
LARGEST, SMALLEST_NORMAL = math.nextafter(math.inf, 0.0), 2.2250738585072014e-308
ORDER = 3
By = tuple[int, ...]  # the arguments by which a derivative is taken, one after another

SMOOTH = [
    TABLE[name]
    for name in sorted(BUILT_IN)
    if (TABLE[name].kinks is None or name in ("hypot", "norm"))  # whose one kink is the origin
    and name not in ("unless_nan", "stop_gradient")
]

# fmt: off
SIZES = (
    5e-324, SMALLEST_NORMAL, 1e-300, 1e-155, 1e-103, 1e-20, 1e-9, 1e-4, 0.3, 0.75, 1.0, 1.5, 3.0,
    10.0, 19.0, 20.5, 27.3, 37.4, 38.6, 100.0, 186.0, 249.0, 355.0, 373.0, 700.0, 709.79, 710.5,
    744.4, 746.0, 1420.0, 1e8, 1e16, 1e103, 1e155, 1e308, LARGEST,
)  # where exp, cosh, squares, cubes and their products overflow, underflow or round to 1
BESIDE_ONE = (1.0 - 2.0**-53, 1.0 + 2.0**-52, 1.0 - 1e-9, 1.0 + 1e-9)
WIDE = (5e-324, 1e-308, 1e-200, 1e-20, 0.3, 1.0, 2.0, 37.0, 745.0, 1e20, 1e154, 1e308, LARGEST)
# Third powers of these are doubles, so all terms of third derivatives are.
MODERATE = (1e-100, 1e-60, 1e-20, 1e-5, 0.3, 1.0, 2.0, 37.0, 745.0, 1e20, 1e60, 1e100)
# fmt: on


def both_signs(sizes: Sequence[float]) -> list[float]:
    return [0.0, *(sign * x for x in sizes for sign in (1.0, -1.0))]


def points(row: Op) -> Iterator[tuple[tuple[float, ...], int]]:
    """Where to look at a row, and up to which derivative: everywhere at rows of one argument,
    or with default settings; else up to the first one, and among moderate numbers to the third."""
    if row.arity == 1 or row.defaults:
        for x in both_signs((*SIZES, *BESIDE_ONE)):
            yield (x, *row.defaults), ORDER
    if row.arity == 1:
        return
    rng = random.Random(row.name)
    settings = (0.01, 0.5, 1.0, 3.0, 1e4) if row.defaults else None
    for sizes, order in ((WIDE, 1), (MODERATE, ORDER)):
        for _ in range(40):
            first, *rest = (rng.choice(both_signs(sizes)) for _ in range(row.arity or 3))
            yield (first, *(rng.choice(settings or (x,)) for x in rest)), order


def derivatives(row: Op, count: int, order: int) -> list[By]:
    """All derivatives up to an order, each by its arguments in ascending order."""
    return [by for k in range(order + 1) for by in combinations_with_replacement(range(count), k)]


def fits(row: Op, args: tuple[float, ...]) -> bool:
    """Whether a row is smooth there. A quotient of subnormals has no more digits than they."""
    if row.domain is not None and not row.domain(*args):
        return False
    out = row.compute(*args)
    digits_lost = row.name in ("div", "hypot", "norm") and 0.0 < abs(out) < SMALLEST_NORMAL
    return not digits_lost and not truth(row.name, *args).on_border()


def recorded(row: Op) -> list[list[Any]]:
    """The right answers of a row: [arguments, {derivative: twenty digits}], infinite beyond
    all doubles and "0" far below the least."""
    answers = []
    for args, order in dict(points(row)).items():
        if fits(row, args):
            right = {
                by: truth(row.name, *args).derivative(by)
                for by in derivatives(row, len(args), order)
            }
            answers.append([list(args), {shown(by): digits(x) for by, x in right.items()}])
    return answers


def shown(by: By) -> str:
    return "".join(map(str, by))


def digits(x: Any) -> str:
    if abs(x) < mp.mpf("1e-330"):
        return "0"
    return str(mp.nstr(x, 20)) if abs(x) < mp.mpf("1e320") else "inf" if x > 0 else "-inf"


def at_infinity(row: Op, x: float) -> list[float]:
    """The value of a row at an infinity, and three derivatives."""
    leaf = Value(x)
    y = row(leaf, *row.defaults)
    answers = [y.data]
    for _ in range(ORDER):
        (y,) = tg.gradients(y, [leaf])
        answers.append(y.data)
    return answers


def table() -> str:
    """The results of smooth rows of one argument at −∞ and ∞, as Markdown."""
    lines = ["| row | at −∞: value; derivatives | at ∞: value; derivatives |", "|---|---|---|"]
    for row in SMOOTH:
        if row.arity == 1 or row.defaults:
            cells = [
                f"{named[0]}; {', '.join(named[1:])}"
                for named in (
                    [f"{x + 0.0:.5g}".replace("-", "−") for x in at_infinity(row, end)]
                    for end in (-math.inf, math.inf)
                )
            ]
            lines.append(f"| {row.name} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    known = json.loads(RECORDED.read_text()) if RECORDED.exists() else {}
    for row in SMOOTH:
        known[row.name] = known.get(row.name) or recorded(row)
        print(row.name, len(known[row.name]), flush=True)
    rows = (
        f'"{name}": [\n' + ",\n".join(map(json.dumps, answers)) + "\n]"
        for name, answers in sorted(known.items())
    )
    RECORDED.write_text("{" + ",\n".join(rows) + "}\n")
    text = CONVENTIONS.read_text(encoding="utf-8")
    begin = text.index("| row | at −∞")
    end = text.index("\n\n", begin) + 1
    CONVENTIONS.write_text(text[:begin] + table() + text[end:], encoding="utf-8")


if __name__ == "__main__":
    main()
