"""Every row of the table against fifty digits: its value, its partials, its higher derivatives.

The tests loop over the table, so no built-in row can escape them; and each check is itself
checked, by rows into which an error was put.
"""

from __future__ import annotations

import json
import math
import random
import re
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path
from typing import Any

import pytest

import tinygrad_edu as tg
from tests.oracle import BORDERS, VALUE, mp, truth
from tinygrad_edu import Value
from tinygrad_edu.core.table import BUILT_IN, TABLE, Op

ROWS = [TABLE[name] for name in sorted(BUILT_IN)]
every_row = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)

ULPS = 4
SMALLEST_NORMAL = 2.2250738585072014e-308
LARGEST = 2.0**1023 * (2.0 - 2.0**-52)


# ── Where to look ─────────────────────────────────────────────────────────────────────────

TINY = (5e-324, 2.2250738585072014e-308, 1e-300, 1e-200, 1e-160, 1e-100, 1e-20, 1e-8, 1e-3)
PLAIN = (0.1, 0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 6.0, 8.0, 10.0, 37.0, 100.0, 1e6)
NOTABLE = [
    0.0,
    *(sign * x for x in (*TINY, *PLAIN) for sign in (1.0, -1.0)),
    *(
        math.nextafter(sign * x, toward)
        for x in (0.5, 1.0, 2.0, 3.0, 6.0)
        for sign in (1.0, -1.0)
        for toward in (-math.inf, math.inf)
    ),
]


# The row's own result is one of the numbers a partial is made of. Where it is subnormal it
# has fewer digits, and these partials cannot have more: a quotient's, and x/√(x² + y²).
MADE_OF_SUBNORMALS = {"div", "hypot"}


def somewhere(rng: random.Random, low: float, high: float) -> float:
    """A number of a range: uniform, or uniform in its magnitude, or a whole one."""
    kind = rng.random()
    if kind < 0.4:
        return rng.uniform(low, high)
    if kind < 0.5:
        return float(rng.randint(math.ceil(low), math.floor(high)))
    x = 10.0 ** rng.uniform(-320.0 if kind < 0.6 else -4.0, math.log10(max(-low, high)))
    x = x if rng.random() < 0.5 else -x
    return x if low <= x <= high else rng.uniform(low, high)


@cache
def points(name: str, count: int) -> list[tuple[float, ...]]:
    """Where to sample a row: in its range and domain, off its kinks; always the same points."""
    row, rng = TABLE[name], random.Random(name)

    def pool(low: float, high: float) -> list[float]:
        inward = (math.nextafter(low, high), math.nextafter(high, low))
        return [x for x in (low, high, *inward, *NOTABLE) if low <= x <= high]

    def candidates() -> Iterator[tuple[float, ...]]:
        if row.arity == 1:
            yield from ((x,) for x in pool(*row.sample[0]))
        while True:
            ranges = row.sample * (rng.choice((1, 2, 3, 5)) if row.arity is None else 1)
            yield tuple(
                rng.choice(pool(*r))
                if row.arity != 1 and rng.random() < 0.3
                else somewhere(rng, *r)
                for r in ranges
            )

    def fits(args: tuple[float, ...]) -> bool:
        if row.domain is not None and not row.domain(*args):
            return False
        digits_lost = name in MADE_OF_SUBNORMALS and 0.0 < abs(row.compute(*args)) < SMALLEST_NORMAL
        return not digits_lost and not truth(name, *args).on_border()

    found: dict[tuple[float, ...], None] = {}
    for args in candidates():
        if fits(args):
            found[args] = None
        if len(found) == count:
            return list(found)
    raise AssertionError


# ── Values and first partials ─────────────────────────────────────────────────────────────


def error_in_ulps(got: float, right: Any) -> Any:
    """The distance of ``got`` from the right answer, in the right answer's last digits.

    Beyond the largest double there is only one answer, infinity, which is next after it.
    """
    if got != got or right != right:
        return 0 if got != got and right != right else mp.inf
    end = mp.mpf(2) ** 1024
    got_, right_ = (max(-end, min(end, mp.mpf(x))) for x in (got, right))
    ulp = math.ulp(max(-LARGEST, min(LARGEST, float(right_))))
    return abs(got_ - right_) / ulp


def disagreement(got: float, right: Any, condition: Callable[[], Any]) -> str | None:
    """The error of ``got``, if it is off by more than 4 ulp × (1 + condition number)."""
    error = error_in_ulps(got, right)
    if error <= ULPS:
        return None
    if right != right:
        return f"gave {got!r}, not nan"
    # At a zero the condition number is infinite: there, what an ulp of the arguments makes.
    number = condition() / abs(right) if right != 0 else condition() * 2.0**-52 / 5e-324
    if error <= ULPS * (1 + number):
        return None
    return (
        f"gave {got!r}, right is {mp.nstr(right, 20)}: {mp.nstr(error, 4)} ulp off, "
        f"condition number {mp.nstr(number, 4)}"
    )


def disagreements(row: Op, where: list[tuple[float, ...]]) -> Iterator[str]:
    """Every value and partial of a row that is not as right as it can be, in words."""
    for args in where:
        right = truth(row.name, *args)
        out = row.compute(*args)
        assert type(out) is float
        if wrong := disagreement(out, right.value, right.condition):
            yield f"{row.name}{args} {wrong}"
        for i in range(len(args)):
            got = row.partial(i, out, *args)
            if wrong := disagreement(got, right.partial(i), partial(right.condition, i)):
                yield f"∂{row.name}{args} by argument {i} {wrong}"


def test_the_oracle_knows_every_built_in_row_and_no_other():
    assert set(VALUE) == BUILT_IN
    assert set(BORDERS) <= BUILT_IN


@pytest.fixture(scope="module")
def count(request: pytest.FixtureRequest) -> int:
    """How many points to try for each row."""
    return 1500 if request.config.getoption("--thorough") else 100


@every_row
def test_values_and_partials_are_right_to_the_last_digits(row: Op, count: int):
    wrong = list(disagreements(row, points(row.name, count)))
    assert not wrong, f"{len(wrong)} of {count} points:\n" + "\n".join(wrong[:10])


@pytest.mark.parametrize("row", [row for row in ROWS if row.together], ids=lambda r: r.name)
def test_all_partials_together_are_the_partials_one_by_one(row: Op):
    for args in points(row.name, 100):
        out = row.compute(*args)
        together = row.locals(out, args, [True] * len(args))
        assert together == [row.partial(i, out, *args) for i in range(len(args))]
        assert row.locals(out, args, [False] * len(args)) == [None] * len(args)


# ── The check is checked ──────────────────────────────────────────────────────────────────

FAULTS: dict[str, Callable[[Any], Any]] = {
    "a thousandth too large": lambda p: lambda *args: p(*args) * 1.001,
    "a part in 10⁹ too large": lambda p: lambda *args: p(*args) * (1.0 + 1e-9),
    "off by 1e-9": lambda p: lambda *args: p(*args) + 1e-9,
    "of the wrong sign": lambda p: lambda *args: -p(*args),
    "nan": lambda p: lambda *args: math.nan,
}


def faulty(row: Op, **changed: Any) -> Op:
    """A copy of a row, outside of the table, with some fields replaced."""
    copy = object.__new__(Op)
    for field in Op.__slots__:
        setattr(copy, field, changed.get(field, getattr(row, field)))
    return copy


def mutants(row: Op) -> Iterator[tuple[str, Op]]:
    """The row with one error put into its value or into one of its partials."""
    for fault, spoil in FAULTS.items():
        yield f"the value {fault}", faulty(row, value=spoil(row.compute))
        if row.arity is None:
            yield f"the partials {fault}", faulty(row, partials=spoil(row.partials))
        for i in range(row.arity or 0):
            rules = list(row.partials)
            rules[i] = spoil(rules[i] or (lambda *args: 0.0))  # None: no gradient flows there
            yield f"partial {i} {fault}", faulty(row, partials=tuple(rules))
    if row.arity is not None and row.arity > 1:
        yield "the arguments of value swapped", faulty(row, value=lambda *a: row.compute(*a[::-1]))
        for i in range(row.arity):
            rules = list(row.partials)
            rules[i] = lambda out, *args, i=i: row.partial(i, out, *args[::-1])
            yield f"the arguments of partial {i} swapped", faulty(row, partials=tuple(rules))


def differ(row: Op, mutant: Op, where: list[tuple[float, ...]]) -> bool:
    """Whether an error put into a row makes a difference: −0 is no other 0, nor −nan."""
    for args in where:
        out = row.compute(*args)
        for right, wrong in [
            (out, mutant.compute(*args)),
            *(
                (row.partial(i, out, *args), mutant.partial(i, out, *args))
                for i in range(len(args))
            ),
        ]:
            if right != wrong and (right == right or wrong == wrong):
                return True
    return False


@every_row
def test_a_row_with_an_error_in_it_is_rejected(row: Op):
    where = points(row.name, 100)
    spoilt = [(how, mutant) for how, mutant in mutants(row) if differ(row, mutant, where)]
    assert len(spoilt) >= 2 * (1 + (row.arity or 1))  # nan and an offset, wherever put
    accepted = [how for how, mutant in spoilt if next(disagreements(mutant, where), None) is None]
    assert not accepted


# ── Second derivatives: Values through the same partials ──────────────────────────────────


def sum_of_absolute_paths(root: Value, leaves: list[Value]) -> list[float]:
    """For each leaf the sum, over all paths to the root, of the product of |∂| along it."""
    graph = tg.snapshot(root)
    weight = [0.0] * len(graph.nodes)
    weight[-1] = 1.0
    for node in reversed(graph.nodes):
        for arg, local in zip(node.args, node.partials):
            if local is not None and weight[node.id]:
                weight[arg] += weight[node.id] * abs(local)
    return [
        math.fsum(weight[node.id] for node in graph.nodes if node.name == leaf.name)
        for leaf in leaves
    ]


@every_row
def test_second_derivatives_flow_through_the_partials(row: Op, count: int):
    wrong = []
    for args in points(row.name, count)[:: 4 if row.arity != 1 else 2]:
        right = truth(row.name, *args)
        if any(0.0 < abs(x) < SMALLEST_NORMAL for x in (*args, right.value)):
            continue  # 1/x overflows, or digits were lost before the derivatives begin
        for i in range(len(args)):
            leaves = [Value(x, name=f"x{j}") for j, x in enumerate(args)]
            slope = row.partial(i, row(leaves) if row.arity is None else row(*leaves), *leaves)
            if not isinstance(slope, Value):
                slope = 0.0 * leaves[0] + slope
            slope.backward()
            terms = sum_of_absolute_paths(slope, leaves)
            for j, (leaf, scale) in enumerate(zip(leaves, terms)):
                second = right.second(i, j)
                if abs(second) > LARGEST:  # then so did a term, and 0·inf is nan by convention
                    close = not math.isfinite(leaf.grad)
                else:
                    close = abs(leaf.grad - second) <= 1e-13 * (scale + SMALLEST_NORMAL)
                if not close and disagreement(leaf.grad, second, partial(right.condition, i, j)):
                    wrong.append(
                        f"∂²{row.name}{args} by {i}, {j} gave {leaf.grad!r}, right is "
                        f"{mp.nstr(second, 20)}, sum of absolute terms {scale!r}"
                    )
    assert not wrong, f"{len(wrong)}:\n" + "\n".join(wrong[:10])


# ── What must hold of every row, whatever it computes ─────────────────────────────────────


@every_row
def test_a_value_made_of_rows_gives_the_same_bits_on_values(row: Op):
    if row.lower is not None:
        return  # a primitive: the back ends know it by this name
    for args in points(row.name, 100):
        traced = row.value(*map(Value, args))
        assert isinstance(traced, Value)
        assert repr(traced.data) == repr(row.compute(*args))
        made_of = {node.op for node in tg.snapshot(traced).nodes} - {None}
        assert made_of <= set(ROWS) - {row}


@every_row
def test_no_cell_of_a_row_is_missing(row: Op):
    """A primitive is spelled in every language; a composite row is an expression of rows."""
    if row.spelled is None:
        assert row.lower == ("identity" if row.blocked else None)
        return
    missing = [language for language, cell in row.spelled._asdict().items() if not cell]
    assert missing in ([], ["llvm"]), f"{row.name} lacks a spelling in {missing}"
    for language in ("python", "c", "js"):
        used = set(re.findall(r"\{(\d)\}", getattr(row.spelled, language)))
        assert used == set(map(str, range(row.arity or 0))), (row.name, language)


@every_row
def test_symbol_and_formula_name_everything(row: Op):
    assert row.symbol
    slots = ["#,", "#+"] if row.arity is None else [f"#{i + 1}" for i in range(row.arity)]
    named = [slot for slot in slots if slot in row.tex]
    assert named if row.arity is None else named == slots or row.name == "unless_nan"


@every_row
def test_each_row_of_one_argument_is_a_method_of_value(row: Op):
    names = {"neg": "__neg__", "abs": "__abs__", "identity": "__pos__"}
    if row.arity != 1:
        return
    for args in points(row.name, 100)[::5]:
        x, y = Value(args[0]), Value(args[0])
        by_method, by_function = getattr(x, names.get(row.name, row.name))(), row(y)
        by_method.backward()
        by_function.backward()
        assert by_method.op is by_function.op is row
        assert repr((by_method.data, x.grad)) == repr((by_function.data, y.grad))


# ── Kinks ─────────────────────────────────────────────────────────────────────────────────

COMPARISONS = ("less", "less_equal", "greater", "greater_equal", "equal", "not_equal")
KINKS: dict[str, list[tuple[float, ...]]] = {
    # Points on a border between smooth pieces, which all but smooth rows have.
    **{key: [(0.0,)] for key in ("abs", "sign", "step", "relu", "selu")},
    **{key: [(0.0,), (2.0,), (-3.0,)] for key in ("floor", "ceil")},
    **{key: [(0.0, 0.0), (2.5, 2.5), (-1.0, -1.0)] for key in COMPARISONS},
    **{key: [(0.0, 0.0), (2.5, 2.5), (-1.0, -1.0)] for key in ("maximum", "minimum")},
    **{key: [(6.0, 3.0), (-4.0, 2.0), (0.0, 5.0)] for key in ("mod", "floordiv")},
    **{key: [(-3.0,), (3.0,)] for key in ("hard_sigmoid", "hard_silu")},
    **{key: [(0.5, 0.5), (-0.5, 0.5), (1.25, 1.25)] for key in ("soft_shrink", "hard_shrink")},
    "round": [(0.5,), (1.5,), (-2.5,)],
    "where": [(0.0, 2.0, 3.0)],
    "clip": [(-1.0, -1.0, 2.0), (2.0, -1.0, 2.0)],
    "relu6": [(0.0,), (6.0,)],
    "hard_tanh": [(-1.0,), (1.0,)],
    "leaky_relu": [(0.0, 0.2), (0.0, 2.0), (0.0, -0.5)],
    "elu": [(0.0, 0.5), (0.0, 2.0), (0.0, -1.0)],
    "hypot": [(0.0, 0.0)],
    "norm": [(0.0, 0.0, 0.0)],
}


def test_every_row_with_kinks_is_tried_at_some():
    assert set(KINKS) == {row.name for row in ROWS if row.kinks is not None}


@pytest.mark.parametrize("name", sorted(KINKS))
def test_the_piece_changes_at_a_kink_and_nowhere_else(name: str):
    row = TABLE[name]
    assert row.kinks is not None
    for args in KINKS[name]:
        before, on, after = ((args[0] + h, *args[1:]) for h in (-1e-9, 0.0, 1e-9))
        assert row.kinks(*on) not in (row.kinks(*before), row.kinks(*after))
    for args in points(name, 100):
        if any(0.0 < abs(x) < 1e-12 for x in args):
            continue
        nudged = tuple(x * (1.0 + 2.0**-51) for x in args)
        if truth(name, *args).distance > 1e-9 * max(map(abs, args)):
            assert row.kinks(*args) == row.kinks(*nudged)


@pytest.mark.parametrize("name", sorted(KINKS))
def test_at_a_kink_the_partial_is_the_subgradient_of_minimum_norm(name: str):
    row = TABLE[name]
    for args in KINKS[name]:
        out = row.compute(*args)
        assert mp.mpf(out) == VALUE[name](*map(mp.mpf, args))
        got = [row.partial(i, out, *args) for i in range(len(args))]
        if name in ("maximum", "minimum"):  # all of the segment from (1, 0) to (0, 1)
            assert got == [0.5, 0.5]
            continue
        if name == "mod":  # which jumps: the slopes of the piece that x is on
            assert got == [1.0, -(args[0] // args[1])]
            continue
        sides = [truth(name, args[0] + h, *args[1:]).partial(0) for h in (-1e-13, 1e-13)]
        low, high = sorted(sides)
        nearest_to_zero = max(low, min(high, mp.zero))
        assert abs(got[0] - nearest_to_zero) < 1e-11


# ── Recorded from Keras's activations, recomputed to 60 digits ────────────────────────────

ACTIVATIONS = json.loads((Path(__file__).parent / "data/activations_float64.json").read_text())
AS_ROWS: dict[str, tuple[str, tuple[float, ...]]] = {
    # Keras calls them otherwise, or by other defaults
    "linear": ("identity", ()),
    "exponential": ("exp", ()),
    "leaky_relu": ("leaky_relu", (0.2,)),
    "leaky_relu_0.01": ("leaky_relu", (0.01,)),
    "leaky_relu_0.3": ("leaky_relu", (0.3,)),
    "elu_alpha0.5": ("elu", (0.5,)),
}
NO_ROWS = {"relu_neg0.1_max6_thr1"}  # Keras's relu with three options: nn composes it of rows
OURS_AT_KINKS: dict[tuple[str, float], float] = {
    # The recording takes the branch of x ≤ 0 (or so); ours is the slope nearest to zero.
    ("selu", 0.0): 1.0507009873554805,
}


@pytest.mark.parametrize("name", sorted(set(ACTIVATIONS["functions"]) - NO_ROWS))
def test_activations_agree_with_the_recording(name: str):
    recorded = ACTIVATIONS["functions"][name]
    row_name, rest = AS_ROWS.get(name, (name, ()))
    row = TABLE[row_name]
    exact = recorded["exact"]
    for x, value, slope in zip(ACTIVATIONS["points"], exact["value"], exact["derivative"]):
        leaf = Value(x)
        out = row(leaf, *rest)
        out.backward()
        slope = OURS_AT_KINKS.get((name, x), slope)
        for got, right in ((out.data, value), (leaf.grad, slope)):
            right = float(right)  # "Infinity" is written as a string
            close = math.isclose(got, right, rel_tol=1e-14)
            assert close or error_in_ulps(got, mp.mpf(right)) <= ULPS, f"{name}({x})"
