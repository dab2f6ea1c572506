"""Smooth rows over the whole range of doubles: value and three derivatives, eager and compiled."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from math import inf, nan, pi
from typing import Any

import pytest
from test_compiler import EXECUTORS, applied, every_executor

import tinygrad_edu as tg
from tests.extremes import (
    CONVENTIONS,
    LARGEST,
    RECORDED,
    SMOOTH,
    By,
    at_infinity,
    fits,
    points,
    recorded,
    table,
)
from tests.oracle import mp
from tinygrad_edu import Value
from tinygrad_edu.core import ops
from tinygrad_edu.core.table import TABLE, Op

ANSWERS: dict[str, list[list[Any]]] = json.loads(RECORDED.read_text())
smooth_row = pytest.mark.parametrize("row", SMOOTH, ids=lambda row: row.name)


def nested(row: Op, by: By) -> Callable[..., float]:
    """The derivative of a row by these arguments: one `tg.grad` inside another."""
    f: Callable[..., Any] = lambda *xs: applied(row, xs)  # noqa: E731
    for i in by:
        f = tg.grad(f, argnums=i)
    return f


def sum_of_terms(row: Op, args: Sequence[float], by: By) -> float:
    """The magnitudes of all terms of the last derivative: along every path, |its partials|."""
    leaves = [Value(x, name=f"x{i}") for i, x in enumerate(args)]
    y = applied(row, leaves)
    for i in by[:-1]:
        (y,) = tg.gradients(y, [leaves[i]])
    graph = tg.snapshot(y)
    weight = [0.0] * len(graph.nodes)
    weight[-1] = 1.0
    for node in reversed(graph.nodes):
        for arg, local in zip(node.args, node.partials):
            if local is not None and weight[node.id]:
                weight[arg] += weight[node.id] * abs(local)
    total = math.fsum(weight[node.id] for node in graph.nodes if node.name == f"x{by[-1]}")
    return total if math.isfinite(total) else 0.0


def subnormal_slack(args: Sequence[float], order: int) -> float:
    """The largest effect of a subnormal factor, rounded by 5e-324."""
    return 5e-324 * 8.0 * max(1.0, *(min(abs(x), 1e3) for x in args)) ** (order + 1)


def wrong(row: Op, args: Sequence[float], by: By, right: str, got: float) -> str | None:
    """The error of a derivative, if there is one."""
    true = mp.mpf(right)
    if abs(true) >= mp.mpf(LARGEST) * (1 + mp.mpf(2) ** -54):
        return f"gave {got}, not infinity" if math.isfinite(got) else None  # ∞ − ∞ is nan
    if math.isfinite(got):
        error = abs(mp.mpf(got) - true) - subnormal_slack(args, len(by))
        if row is ops.sum and not by:
            error -= mp.mpf(1e-13) * mp.fsum(map(abs, args))
        if error <= 1e-13 * abs(true) or (by and error <= 1e-13 * sum_of_terms(row, args, by)):
            return None
    return f"gave {got}, right is {right}"


def test_every_smooth_row_is_recorded_and_no_other():
    """If not: python -m tests.extremes."""
    assert set(ANSWERS) == {row.name for row in SMOOTH}


@smooth_row
def test_value_and_three_derivatives_are_right_over_all_doubles(row: Op):
    faults = []
    for args, answers in ANSWERS[row.name]:
        for key, right in answers.items():
            by = tuple(map(int, key))
            fault = wrong(row, args, by, right, nested(row, by)(*args))
            if fault:
                faults.append(f"{row.name}{tuple(args)} by {by} {fault}")
    assert not faults, f"{len(faults)}:\n" + "\n".join(faults[:10])


@smooth_row
def test_the_points_are_all_there(row: Op):
    tried = {tuple(args): max(map(len, answers)) for args, answers in ANSWERS[row.name]}
    assert tried == {args: order for args, order in dict(points(row)).items() if fits(row, args)}


@pytest.mark.thorough
@smooth_row
def test_the_record_is_what_the_oracle_answers(row: Op):
    assert ANSWERS[row.name] == recorded(row)


@every_executor
@smooth_row
def test_executors_agree_at_extremes(row: Op, executor: str):
    """In the lanes of one batch, to what its functions differ by between lanes."""
    answered = ANSWERS[row.name]
    keys = list(max((answers for _, answers in answered), key=len))
    leaves = [Value(0.3 + 0.1 * i) for i in range(len(answered[0][0]))]
    results = []
    for key in keys:
        y = applied(row, leaves)
        for i in map(int, key):
            (y,) = tg.gradients(y, [leaves[i]])
        results.append(y)
    program = tg.compile(results, inputs=leaves, executor=executor)
    faults = []
    for (args, answers), numbers in zip(answered, program.values([args for args, _ in answered])):
        for key, got in zip(keys, map(float, numbers)):
            by = tuple(map(int, key))
            fault = wrong(row, args, by, answers[key], got) if key in answers else None
            if fault:
                faults.append(f"{row.name}{tuple(args)} by {by} {fault}")
    assert not faults, f"{len(faults)}:\n" + "\n".join(faults[:10])


# ── At the infinities ─────────────────────────────────────────────────────────────────────

# fmt: off
LIMITS: dict[str, tuple[tuple[float, float], tuple[float, float]]] = {
    # (value, slope) at −∞ and at ∞; nan where there is no limit, or no function
    "acos": ((nan, nan), (nan, nan)), "asin": ((nan, nan), (nan, nan)),
    "acosh": ((nan, nan), (inf, 0.0)), "atanh": ((nan, nan), (nan, nan)),
    "asinh": ((-inf, 0.0), (inf, 0.0)), "atan": ((-pi / 2, 0.0), (pi / 2, 0.0)),
    "cbrt": ((-inf, 0.0), (inf, 0.0)), "celu": ((-1.0, 0.0), (inf, 1.0)),
    "cos": ((nan, nan), (nan, nan)), "sin": ((nan, nan), (nan, nan)),
    "tan": ((nan, nan), (nan, nan)),
    "cosh": ((inf, -inf), (inf, inf)), "sinh": ((-inf, inf), (inf, inf)),
    "erf": ((-1.0, 0.0), (1.0, 0.0)), "erfc": ((2.0, 0.0), (0.0, 0.0)),
    "degrees": ((-inf, 180.0 / pi), (inf, 180.0 / pi)),
    "radians": ((-inf, pi / 180.0), (inf, pi / 180.0)),
    "exp2": ((0.0, 0.0), (inf, inf)), "logit": ((nan, nan), (nan, nan)),
    "exp": ((0.0, 0.0), (inf, inf)), "expm1": ((-1.0, 0.0), (inf, inf)),
    "gaussian": ((0.0, 0.0), (0.0, 0.0)), "sech2": ((0.0, 0.0), (0.0, 0.0)),
    **dict.fromkeys(("gelu", "gelu_tanh", "mish", "silu", "softplus", "squareplus"),
                    ((0.0, 0.0), (inf, 1.0))),
    "identity": ((-inf, 1.0), (inf, 1.0)), "neg": ((inf, -1.0), (-inf, -1.0)),
    **dict.fromkeys(("log", "log10", "log1p", "log2", "sqrt"), ((nan, nan), (inf, 0.0))),
    "log_cosh": ((inf, -1.0), (inf, 1.0)), "log_sigmoid": ((-inf, 1.0), (0.0, 0.0)),
    "reciprocal": ((0.0, 0.0), (0.0, 0.0)), "sigmoid": ((0.0, 0.0), (1.0, 0.0)),
    "softsign": ((-1.0, 0.0), (1.0, 0.0)), "square": ((inf, -inf), (inf, inf)),
    "tanh": ((-1.0, 0.0), (1.0, 0.0)), "tanh_shrink": ((-inf, 1.0), (inf, 1.0)),
}
# fmt: on


@pytest.mark.parametrize(
    "row", [r for r in SMOOTH if r.arity == 1 or r.defaults], ids=lambda r: r.name
)
def test_at_infinity_value_and_slope_are_the_limit(row: Op):
    """From the second derivative on the limit, by what it is at the largest double, or nan."""
    for x, (value, slope) in zip((-inf, inf), LIMITS[row.name]):
        got = at_infinity(row, x)
        assert got[:2] == pytest.approx([value, slope], rel=1e-15, abs=0.0, nan_ok=True)
        for order, bend in enumerate(got[2:], 2):
            far = [
                float(mp.mpf(answers["0" * order]))
                for args, answers in ANSWERS[row.name]
                if args[0] == math.copysign(LARGEST, x) and args[1:] == list(row.defaults)
            ]
            assert bend != bend or (far and bend == pytest.approx(far[0], abs=1e-300))


def test_the_docs_list_what_rows_answer_at_infinity():
    """If not: python -m tests.extremes."""
    assert table() in CONVENTIONS.read_text(encoding="utf-8")


INFINITE = [
    # where the largest is infinite, those that equal it share the slope
    ((-inf, -inf), -inf, (0.5, 0.5)),
    ((inf, inf), inf, (0.5, 0.5)),
    ((inf, 0.0), inf, (1.0, 0.0)),
    ((-inf, inf), inf, (0.0, 1.0)),
    ((-inf, 0.0), 0.0, (0.0, 1.0)),
    ((LARGEST, inf), inf, (0.0, 1.0)),
    ((nan, inf), nan, (nan, nan)),
]


@pytest.mark.parametrize("executor", ["eager", *EXECUTORS])
@pytest.mark.parametrize("row", [ops.logaddexp, ops.logsumexp], ids=lambda row: row.name)
@pytest.mark.parametrize(("args", "value", "slopes"), INFINITE)
def test_one_rule_for_the_logarithm_of_a_sum(row, args, value, slopes, executor):
    leaves = [Value(x) for x in args]
    y = applied(row, leaves)
    if executor == "eager":
        y.backward()
        got = [y.data, *(leaf.grad for leaf in leaves)]
    else:
        program = tg.compile([y, *tg.gradients(y, leaves)], inputs=leaves, executor=executor)
        got = list(map(float, program.values([args])[0]))
    assert got == pytest.approx([value, *slopes], nan_ok=True, rel=0.0, abs=0.0)


def test_equal_terms_share_the_slope_of_any_sum_of_exponentials():
    xs = [Value(-inf) for _ in range(4)]
    tg.logsumexp(xs).backward()
    assert [x.grad for x in xs] == [0.25] * 4


# ── What no point of the table shows ──────────────────────────────────────────────────────


@pytest.mark.parametrize("executor", ["eager", *EXECUTORS])
@pytest.mark.parametrize(
    "name", ["celu", "softsign", "silu", "gelu", "mish", "tanh", "gelu_tanh", "tanh_shrink"]
)
def test_minus_zero_keeps_its_sign(name: str, executor: str):
    row = TABLE[name]
    x = Value(-0.0)
    got = row(-0.0, *row.defaults)
    if executor != "eager":
        program = tg.compile([row(x, *row.defaults)], inputs=[x], executor=executor)
        got = float(program.values([[-0.0]])[0][0])
    assert math.copysign(1.0, got) == -1.0


@pytest.mark.parametrize("x", [1e-3, 1e-9, 1e-20, 1e-300])
@pytest.mark.parametrize(("row", "factor"), [(ops.asin, 1.0), (ops.acos, -1.0), (ops.atanh, 2.0)])
def test_second_derivatives_that_vanish_at_0_keep_their_digits(row: Op, factor: float, x: float):
    assert tg.grad(tg.grad(row))(x) == pytest.approx(factor * x, rel=5e-6 if x == 1e-3 else 1e-15)
    assert tg.grad(tg.grad(row))(-x) == -tg.grad(tg.grad(row))(x)


@pytest.mark.parametrize("infinite", [inf, -inf])
def test_an_infinite_argument_hides_no_nan(infinite: float):
    for f in (tg.atan2, lambda x, y: tg.norm([x, y])):
        x, y = Value(infinite), Value(nan)
        for out in (f(x, y), f(y, x)):
            x.zero_grad(), y.zero_grad()
            out.backward()
            assert [math.isnan(z) for z in (out.data, x.grad, y.grad)] == [True] * 3


@pytest.mark.parametrize("y", [2.0**53, 2.0**53 + 2.0, 2.0**60, 1e20, 1e300])
def test_a_huge_exponent_is_even_and_its_slope_odd(y: float):
    assert tg.grad(lambda x: x**y)(-1.0) == -y
    assert tg.grad(tg.pow)(-1.0, y) == -y
    assert tg.grad(lambda x: x**-y)(-1.0) == y
    assert tg.grad(tg.grad(lambda x: x**y))(-1.0) == pytest.approx(y * y)


@pytest.mark.parametrize(
    ("domain", "inside", "outside"),
    [
        ("pow", [(2.0, -0.5), (0.0, 1.5), (-2.0, 3.0), (-2.0, -2.0)],
         [(0.0, 1.0), (0.0, 0.5), (0.0, -1.0), (-2.0, 0.5)]),
        ("hard_shrink", [(1.0, 0.5), (0.0, 1e-3)], [(1.0, 0.0), (1.0, -0.5)]),
        ("soft_shrink", [(1.0, 0.5), (0.0, 1e-3)], [(1.0, 0.0), (1.0, -0.5)]),
        ("celu", [(-1.0, 1.0), (1.0, 1e-3)], [(1.0, 0.0), (-1.0, -0.5)]),
        ("squareplus", [(-1.0, 1.0), (1.0, 1e-3)], [(1.0, 0.0), (-1.0, -0.5)]),
    ],
)  # fmt: skip
def test_domains_end_where_they_should(domain: str, inside: Any, outside: Any):
    fits_in = TABLE[domain].domain
    assert fits_in is not None
    assert all(fits_in(*args) for args in inside)
    assert not any(fits_in(*args) for args in outside)


@pytest.mark.parametrize("name", [n for n, r in TABLE.items() if r.defaults and hasattr(Value, n)])
def test_rows_with_settings_are_methods_too(name: str):
    row = TABLE[name]
    for x in (-1.3, 0.7):
        setting = row.defaults[0] * 1.5
        assert getattr(Value(x), name)().data == row(x, *row.defaults)
        assert getattr(Value(x), name)(setting).data == row(x, setting)
        assert getattr(Value(x), name)(**{row.parameters[1]: setting}).data == row(x, setting)
        assert getattr(Value(x), name)().op is row


def test_all_rows_whose_other_arguments_have_defaults_are_methods():
    named = {n for n, r in TABLE.items() if r.defaults and r.arity - len(r.defaults) == 1}
    assert {"elu", "celu", "squareplus", "hard_shrink", "soft_shrink", "leaky_relu"} <= named
    assert all(hasattr(Value, name) for name in named)
