"""The assertions of other libraries, and where this one differs on purpose.

Three tables, all of our own making: the special cases of the array API standard
(tests/data/peers/array_api.csv), what the tests of JAX, PyTorch and autograd assert of scalars
(asserted.csv), and what PyTorch and JAX answer at kinks, poles, ties, infinities and nan (the part
"edges" of tests/data/peers.json, written by ``python -m tests.trust accuracy``).
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable, Iterator, Sequence
from math import inf, nan
from pathlib import Path
from typing import Any, NamedTuple

import tinygrad_edu as tg
from tinygrad_edu import Value
from tinygrad_edu.core.table import TABLE

from .graphs import COUNT
from .peers import PEERS, edges

DATA = Path(__file__).parents[1] / "data"


class Case(NamedTuple):
    """One result of another library: of the value, or of a derivative by these arguments."""

    source: str
    test: str
    row: str
    args: tuple[float, ...]
    by: tuple[int, ...]
    theirs: float

    def __str__(self) -> str:
        name = f"∂{''.join(map(str, self.by))} " if self.by else ""
        return f"{self.source}: {self.test}: {name}{self.row}{self.args} is {self.theirs}"


def ours(case: Case) -> float:
    """The same by this package."""
    row, leaves = TABLE[case.row], [Value(x) for x in case.args]
    y: Any = row(leaves) if row.arity is None else row(*leaves)
    for i in case.by:
        (y,) = tg.gradients(y, [leaves[i]])
    return float(y.data)


def agree(x: float, y: float) -> bool:
    """Whether two results are equal, but for rounding, that of terms which cancel included. Any
    nan is like any other."""
    if not (math.isfinite(x) and math.isfinite(y)):
        return x == y or (x != x and y != y)
    return abs(x - y) <= 1e-9 * max(abs(x), abs(y)) + 1e-16


def _lines(name: str) -> Iterator[dict[str, str]]:
    with (DATA / "peers" / name).open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(line for line in file if not line.startswith("#"))


def _floats(text: str) -> tuple[float, ...]:
    return tuple(map(float, text.split()))


def array_api() -> list[Case]:
    """The special cases of the array API standard. There the signs of zeros count."""
    return [
        Case("array API", x["case"], x["row"], _floats(x["arguments"]), (), float(x["value"]))
        for x in _lines("array_api.csv")
    ]


def asserted() -> list[Case]:
    """The assertions in the tests of JAX, PyTorch and autograd."""
    return [
        Case(
            x["source"], x["test"], x["row"], _floats(x["arguments"]),
            () if x["of"] == "value" else tuple(map(int, x["of"])), float(x["result"]),
        )
        for x in _lines("asserted.csv")
    ]  # fmt: skip


def answered() -> list[Case]:
    """The values and slopes of PyTorch and JAX where libraries differ."""
    return [
        Case(f"{PEERS[peer]} {record['version']}", "edge", name, args, by, theirs)
        for peer, record in json.loads((DATA / "peers.json").read_text()).items()
        for name, results in record["edges"].items()
        for args, numbers in zip(edges(TABLE[name]), results)
        for by, theirs in zip([(), *((i,) for i in range(len(args)))], numbers)
        if theirs is not None
    ]


def every() -> list[Case]:
    return [*array_api(), *asserted(), *answered()]


# ── Deliberate differences ────────────────────────────────────────────────────────────────


class Difference(NamedTuple):
    """A reason, and the cases that it covers: ``covers(case, result)``."""

    reason: str
    covers: Callable[[Case, float], bool]


def _rows(names: str, when: Callable[[Case, float], bool]) -> Callable[[Case, float], bool]:
    known = names.split()
    assert all(name in TABLE for name in known)
    return lambda case, x: case.row in known and when(case, x)


def _has(args: Sequence[float], *numbers: float) -> bool:
    return any(x in numbers or (x != x and nan in numbers) for x in args)


def _undefined(case: Case, x: float) -> bool:
    row = TABLE[case.row]
    value = row.compute(*case.args)
    return x != x and value != value and not any(z != z for z in case.args)


LIMITS = (
    "abs atan2 celu gelu gelu_tanh hard_silu hypot leaky_relu logaddexp logsumexp mish norm silu "
    "softsign squareplus"
)
TAILS = "acosh asinh celu elu expm1 gelu_tanh selu sigmoid softsign squareplus tanh"
DIFFERENCES = [
    Difference(
        "a nan is never hidden: where an argument is nan, so is the slope",
        lambda case, x: x != x and any(z != z for z in case.args),
    ),
    Difference(
        "where a function isn't defined, its value is nan, and so is its slope",
        lambda case, x: bool(case.by) and _undefined(case, x),
    ),
    Difference(
        "at an infinity, value and slope are the one-sided limit where it exists",
        _rows(LIMITS, lambda case, x: _has(case.args, inf, -inf) and x == x),
    ),
    Difference(
        "a result that is a double isn't rounded to 0, infinity or nan on the way to it",
        _rows(TAILS, lambda case, x: max(map(abs, case.args)) >= 40.0 and math.isfinite(x)),
    ),
    Difference(
        "at a kink the slope is the subgradient of minimum norm",
        _rows(
            "abs clip hard_tanh hypot leaky_relu norm selu",
            lambda case, x: bool(case.by) and (_has(case.args, 0.0) or case.args[0] in (-1.0, 1.0)),
        ),
    ),
    Difference(
        "the slope of hard_sigmoid is ⅙ as a double; PyTorch's has the digits of a float32",
        _rows("hard_sigmoid", lambda case, x: case.by == (0,) and x == 1.0 / 6.0),
    ),
    Difference(
        "x⁰ is 1 for every x, so its slope is 0",
        _rows("pow", lambda case, x: case.by == (0,) and case.args[1] == 0.0 and x == 0.0),
    ),
    Difference(
        "an infinite exponent is even, as all huge doubles are, and one less is odd",
        _rows("pow", lambda case, x: case.by == (0,) and _has(case.args[1:], inf, -inf)),
    ),
    Difference(
        "0 to a negative power is infinite, and so is its slope by the exponent",
        _rows("pow", lambda case, x: case.by == (1,) and case.args[0] == 0.0 > case.args[1]),
    ),
    Difference(
        "the angle of (0, 0) has no subgradient",
        _rows("atan2", lambda case, x: case.args[0] == case.args[1] == 0.0 and x != x),
    ),
    Difference(
        "x mod ∞ of unlike signs is infinite, and its slope by y is nan",
        _rows("mod", lambda case, x: case.by == (1,) and _has(case.args, inf, -inf) and x != x),
    ),
    Difference(
        "the slope of x·log y by x is log y, also at x = 0",
        _rows("xlogy", lambda case, x: case.by == (0,) and case.args[0] == 0.0),
    ),
    Difference(
        "floor division follows Python: ⌊∞/y⌋ is nan, and ⌊−1/∞⌋ is −1; the standard allows both",
        _rows("floordiv", lambda case, x: _has(case.args, inf, -inf)),
    ),
]


def difference(case: Case, result: float) -> Difference | None:
    """The reason why our result is another, None if there is none."""
    return next((d for d in DIFFERENCES if d.covers(case, result)), None)


# ── The chapter ───────────────────────────────────────────────────────────────────────────


def chapter() -> tuple[str, str]:
    """The chapter in Markdown."""
    counts: dict[str, list[int]] = {}
    reasons = dict.fromkeys((d.reason for d in DIFFERENCES), 0)
    unexplained = []
    for table, cases in (
        ("special cases", array_api()),
        ("its tests", asserted()),
        ("edges", answered()),
    ):
        for case in cases:
            counted = counts.setdefault(f"{case.source}: {table}", [0, 0])
            result = ours(case)
            if agree(case.theirs, result):
                counted[0] += 1
                continue
            counted[1] += 1
            reason = difference(case, result)
            if reason is None:
                unexplained.append(f"- {case}, here {result}")
            else:
                reasons[reason.reason] += 1
    lines = ["| of | the same | different |", "|---|---|---|"]
    lines += [f"| {source} | {same:,} | {other:,} |" for source, (same, other) in counts.items()]
    listed = "\n".join(f"- {count}: {reason}" for reason, count in reasons.items())
    record = json.loads((DATA / "peers.json").read_text())
    compared = [
        GRAPHS.format(count=COUNT[peer], peer=PEERS[peer], error=kept["graphs"])
        for peer, kept in record.items()
        if "graphs" in kept
    ]
    parts = [HEAD, "\n".join(lines), *compared, REASONS, listed, *unexplained]
    return "\n\n".join(parts), ""


HEAD = """\
The tests of other libraries are a source of cases that nobody here thought of. Their assertions
about scalars are written down as tables, in `tests/data/peers/`: the special cases of the array API
standard 2024.12, signs of zeros included, and the cases in the tests of JAX, PyTorch and autograd.
"Edges" are the values and slopes of PyTorch and JAX at kinks, poles, ties, infinities and nan, as
they answered when they were last installed. micrograd's own test file passes with only its import
changed (`tests/test_micrograd.py`). A test, `tests/test_peers.py`, repeats all of this."""

GRAPHS = """\
On {count:,} random graphs, value and gradient differ from those of {peer} by at most {error:.0e},
in relation to the terms that add up to them."""

REASONS = """\
A different result is deliberate. The reasons, and how many results each of them explains:"""
