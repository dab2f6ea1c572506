"""docs/conventions.md, line by line: what every operation returns at its edges, and its gradients.

Each line of the table here is recorded with Values, through the operator or function that
a reader would write, and differentiated by `backward`.
"""
# ruff: noqa: E501 (a table is read by its columns)

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_edu as tg
from tinygrad_edu import Value
from tinygrad_edu.core.table import BUILT_IN, TABLE, Op

inf, nan, pi = math.inf, math.nan, math.pi
ROWS = [TABLE[name] for name in sorted(BUILT_IN)]
every_row = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)


def power(x: Any, y: Any) -> Any:
    return x**y


def quotient(x: Any, y: Any) -> Any:
    return x / y


# fmt: off
EDGES: list[tuple[str, Callable[..., Any], tuple[float, ...], float, tuple[float, ...]]] = [
    # what                        function                          at             value    gradients
    ("relu(0)",                   tg.relu,                          (0.0,),        0.0,     (0.0,)),
    ("relu(-0)",                  tg.relu,                          (-0.0,),       0.0,     (0.0,)),
    ("relu(nan)",                 tg.relu,                          (nan,),        nan,     (nan,)),
    ("relu(inf)",                 tg.relu,                          (inf,),        inf,     (1.0,)),
    ("abs(0)",                    abs,                              (0.0,),        0.0,     (0.0,)),
    ("abs(-0)",                   abs,                              (-0.0,),       0.0,     (0.0,)),
    ("abs(nan)",                  abs,                              (nan,),        nan,     (nan,)),
    ("abs(-inf)",                 abs,                              (-inf,),       inf,     (-1.0,)),
    ("max(a, a)",                 tg.maximum,                       (3.0, 3.0),    3.0,     (0.5, 0.5)),
    ("min(a, a)",                 tg.minimum,                       (3.0, 3.0),    3.0,     (0.5, 0.5)),
    ("max(x, x)",                 lambda x: tg.maximum(x, x),       (3.0,),        3.0,     (1.0,)),
    ("max(0, -0)",                tg.maximum,                       (0.0, -0.0),   0.0,     (0.5, 0.5)),
    ("max(inf, inf)",             tg.maximum,                       (inf, inf),    inf,     (0.5, 0.5)),
    ("max(1, nan)",               tg.maximum,                       (1.0, nan),    nan,     (nan, nan)),
    ("max(nan, 1)",               tg.maximum,                       (nan, 1.0),    nan,     (nan, nan)),
    ("min(1, nan)",               tg.minimum,                       (1.0, nan),    nan,     (nan, nan)),
    ("min(nan, 1)",               tg.minimum,                       (nan, 1.0),    nan,     (nan, nan)),
    ("clip at its lower bound",   lambda x: tg.clip(x, 0.0, 1.0),   (0.0,),        0.0,     (0.0,)),
    ("clip at its upper bound",   lambda x: tg.clip(x, 0.0, 1.0),   (1.0,),        1.0,     (0.0,)),
    ("clip(nan)",                 lambda x: tg.clip(x, 0.0, 1.0),   (nan,),        nan,     (nan,)),
    ("leaky_relu(0)",             tg.leaky_relu,                    (0.0, 0.2),    0.0,     (0.2, 0.0)),
    ("leaky_relu(0), steep",      tg.leaky_relu,                    (0.0, 2.0),    0.0,     (1.0, 0.0)),
    ("leaky_relu(0), downward",   tg.leaky_relu,                    (0.0, -0.5),   0.0,     (0.0, 0.0)),
    ("elu(0), α = ½",             lambda x: tg.elu(x, 0.5),         (0.0,),        0.0,     (0.5,)),
    ("elu(0), α = 2",             lambda x: tg.elu(x, 2.0),         (0.0,),        0.0,     (1.0,)),
    ("elu(0), α = 1",             lambda x: tg.elu(x),              (0.0,),        0.0,     (1.0,)),
    ("step(0)",                   tg.step,                          (0.0,),        0.0,     (0.0,)),
    ("sign(0)",                   tg.sign,                          (0.0,),        0.0,     (0.0,)),
    ("step(nan)",                 tg.step,                          (nan,),        nan,     (0.0,)),
    ("sign(nan)",                 tg.sign,                          (nan,),        nan,     (0.0,)),
    ("x**0 at 0",                 lambda x: x**0,                   (0.0,),        1.0,     (0.0,)),
    ("nan**0",                    lambda x: x**0,                   (nan,),        1.0,     (0.0,)),
    ("0**0",                      power,                            (0.0, 0.0),    1.0,     (0.0, 0.0)),
    ("0**y by y",                 lambda y: 0.0**y,                 (2.0,),        0.0,     (0.0,)),
    ("0**0.5",                    lambda x: x**0.5,                 (0.0,),        0.0,     (inf,)),
    ("0**-1",                     lambda x: x**-1,                  (0.0,),        inf,     (-inf,)),
    ("(-2)**2",                   lambda x: x**2,                   (-2.0,),       4.0,     (-4.0,)),
    ("(-2)**3.0",                 lambda x: x**3.0,                 (-2.0,),       -8.0,    (12.0,)),
    ("(-2)**2, by the exponent",  power,                            (-2.0, 2.0),   4.0,     (-4.0, nan)),
    ("(-2)**0.5",                 lambda x: x**0.5,                 (-2.0,),       nan,     (nan,)),
    ("log(0)",                    tg.log,                           (0.0,),        -inf,    (inf,)),
    ("log(-1)",                   tg.log,                           (-1.0,),       nan,     (nan,)),
    ("log2(0)",                   TABLE["log2"],                    (0.0,),        -inf,    (inf,)),
    ("log2(-1)",                  TABLE["log2"],                    (-1.0,),       nan,     (nan,)),
    ("log10(0)",                  TABLE["log10"],                   (0.0,),        -inf,    (inf,)),
    ("log10(-1)",                 TABLE["log10"],                   (-1.0,),       nan,     (nan,)),
    ("log1p(-1)",                 TABLE["log1p"],                   (-1.0,),       -inf,    (inf,)),
    ("log1p(-2)",                 TABLE["log1p"],                   (-2.0,),       nan,     (nan,)),
    ("log(5e-324)",               tg.log,                           (5e-324,),     -744.4400719213812, (inf,)),
    ("sqrt(0)",                   tg.sqrt,                          (0.0,),        0.0,     (inf,)),
    ("sqrt(-1)",                  tg.sqrt,                          (-1.0,),       nan,     (nan,)),
    ("1/0",                       quotient,                         (1.0, 0.0),    inf,     (inf, -inf)),
    ("1/-0",                      quotient,                         (1.0, -0.0),   -inf,    (-inf, -inf)),
    ("0/0",                       quotient,                         (0.0, 0.0),    nan,     (inf, nan)),
    ("hypot(0, 0)",               tg.hypot,                         (0.0, 0.0),    0.0,     (0.0, 0.0)),
    ("atan2(0, 0)",               tg.atan2,                         (0.0, 0.0),    0.0,     (nan, nan)),
    ("asin(1)",                   tg.asin,                          (1.0,),        pi / 2,  (inf,)),
    ("asin(-1)",                  tg.asin,                          (-1.0,),       -pi / 2, (inf,)),
    ("acos(1)",                   tg.acos,                          (1.0,),        0.0,     (-inf,)),
    ("acos(-1)",                  tg.acos,                          (-1.0,),       pi,      (-inf,)),
    ("asin(2)",                   tg.asin,                          (2.0,),        nan,     (nan,)),
    ("acosh(1)",                  tg.acosh,                         (1.0,),        0.0,     (inf,)),
    ("atanh(1)",                  tg.atanh,                         (1.0,),        inf,     (inf,)),
    ("atanh(2)",                  tg.atanh,                         (2.0,),        nan,     (nan,)),
    ("sin(inf)",                  tg.sin,                           (inf,),        nan,     (nan,)),
    ("cos(-inf)",                 tg.cos,                           (-inf,),       nan,     (nan,)),
    ("tan(inf)",                  tg.tan,                           (inf,),        nan,     (nan,)),
    ("cbrt(0)",                   tg.cbrt,                          (0.0,),        0.0,     (inf,)),
    ("tiny / tiny, by below",     quotient,                         (1e-200, 1e-200), 1.0,  (1e200, -1e200)),
    ("exp(710)",                  tg.exp,                           (710.0,),      inf,     (inf,)),
    ("exp(-inf)",                 tg.exp,                           (-inf,),       0.0,     (0.0,)),
    ("sigmoid(1000)",             tg.sigmoid,                       (1000.0,),     1.0,     (0.0,)),
    ("sigmoid(-1000)",            tg.sigmoid,                       (-1000.0,),    0.0,     (0.0,)),
    ("sigmoid'(40)",              tg.sigmoid,                       (40.0,),       1.0,     (4.248354255291589e-18,)),
    ("tanh'(20)",                 tg.tanh,                          (20.0,),       1.0,     (1.6993417021166355e-17,)),
    ("tanh'(1000)",               tg.tanh,                          (1000.0,),     1.0,     (0.0,)),
    ("softplus(1000)",            tg.softplus,                      (1000.0,),     1000.0,  (1.0,)),
    ("softplus(0)",               tg.softplus,                      (0.0,),        math.log(2.0), (0.5,)),
    ("softplus(-1000)",           tg.softplus,                      (-1000.0,),    0.0,     (0.0,)),
    ("cross-entropy of a logit",  lambda x: tg.softplus(x) - 1 * x, (1000.0,),     0.0,     (0.0,)),
    ("... with the wrong target", lambda x: tg.softplus(x) - 0 * x, (1000.0,),     1000.0,  (1.0,)),
    ("logsumexp(-inf, 0)",        lambda x, y: tg.logsumexp([x, y]), (-inf, 0.0),  0.0,     (0.0, 1.0)),
    ("logsumexp(nan, 0)",         lambda x, y: tg.logsumexp([x, y]), (nan, 0.0),   nan,     (nan, nan)),
    ("expm1(1e-20)",              tg.expm1,                         (1e-20,),      1e-20,   (1.0,)),
    ("log1p(1e-20)",              tg.log1p,                         (1e-20,),      1e-20,   (1.0,)),
    ("hypot(1e200, 1e200)",       tg.hypot,                         (1e200, 1e200), 1.4142135623730951e200, (0.7071067811865475, 0.7071067811865475)),
    ("erf(10)",                   tg.erf,                           (10.0,),       1.0,     (4.197656231354417e-44,)),
    ("xlogy(0, 0)",               tg.xlogy,                         (0.0, 0.0),    0.0,     (-inf, nan)),
    ("xlogy(0, nan)",             tg.xlogy,                         (0.0, nan),    nan,     (nan, nan)),
    ("logit(0)",                  tg.logit,                         (0.0,),        -inf,    (inf,)),
    ("logit(1)",                  tg.logit,                         (1.0,),        inf,     (inf,)),
    ("logit(2)",                  tg.logit,                         (2.0,),        nan,     (nan,)),
    ("exp2(1024)",                tg.exp2,                          (1024.0,),     inf,     (inf,)),
    ("norm of zeros",             lambda x, y: tg.norm([x, y, y]),  (0.0, 0.0),    0.0,     (0.0, 0.0)),
    ("hypot of three",            lambda x, y: tg.hypot(x, y, y),   (1e200, 2e200), 3e200,  (1/3, 4/3)),
    ("where takes the branch",    lambda x: tg.where(1.0, x, 0.0),  (2.0,),        2.0,     (1.0,)),
    ("0·inf through where",       lambda x: tg.where(0.0, 1 / x, x), (0.0,),       0.0,     (nan,)),
    ("stop_gradient",             lambda x: x * tg.stop_gradient(x), (3.0,),       9.0,     (3.0,)),
    ("no path",                   lambda x, y: x * 1.0,             (3.0, 4.0),    3.0,     (1.0, 0.0)),
]
# fmt: on


def same(x: float, y: float) -> bool:
    """Equal within an ulp or two; a nan equals a nan."""
    return (x != x and y != y) or x == y or math.isclose(x, y, rel_tol=4.5e-16)


@pytest.mark.parametrize(
    ("f", "at", "value", "gradients"), [edge[1:] for edge in EDGES], ids=[e[0] for e in EDGES]
)
def test_edge(f: Callable[..., Any], at: tuple[float, ...], value: float, gradients: Any):
    leaves = [Value(x) for x in at]
    out = f(*leaves)
    out.backward()
    assert type(out.data) is float
    assert same(out.data, value)
    got = tuple(leaf.grad for leaf in leaves)
    assert all(map(same, got, gradients)), f"gradients {got}, not {gradients}"


def test_logsumexp_of_large_numbers():
    x, y = Value(1000.0), Value(1000.0)
    out = tg.logsumexp([x, y])
    out.backward()
    assert out.data == 1000.6931471805599
    # exp(x − out) of a result that is rounded by up to 2⁻⁵³ × 1000
    assert x.grad == y.grad == pytest.approx(0.5, rel=1.2e-13, abs=0.0)


def test_a_constant_exponent_of_a_negative_base_asks_for_no_logarithm():
    x = Value(-2.0)
    y = x ** Value(2.0, role="constant")
    y.backward()
    assert (y.data, x.grad) == (4.0, -4.0)


# ── nan is never hidden, and nothing raises ───────────────────────────────────────────────

# Conditions are true or false of a nan too, as in NumPy, and x⁰ is 1 for every x.
# A slope of leaky_relu that is not asked for, because x > 0, is like a branch not taken.
ANSWERS_OF_NAN = {"equal", "greater", "greater_equal", "less", "less_equal", "not_equal", "where"}
any_float = st.one_of(
    st.floats(),
    st.sampled_from(
        [0.0, -0.0, 5e-324, -5e-324, inf, -inf, nan, 1.0, -1.0, 1.7976931348623157e308]
    ),
)


def count_of_arguments(row: Op) -> int:
    return 3 if row.arity is None else row.arity


@every_row
def test_nan_is_never_hidden(row: Op):
    if row.name in ANSWERS_OF_NAN:
        return
    plain = [-0.5 if row.name == "leaky_relu" else 0.5] * count_of_arguments(row)
    for i in range(len(plain)):
        args = [*plain[:i], nan, *plain[i + 1 :]]
        assert math.isnan(row.compute(*args)), f"{row.name}{tuple(args)} is {row.compute(*args)}"


@every_row
@given(data=st.data())
def test_no_float_makes_a_row_raise(row: Op, data: st.DataObject):
    args = [data.draw(any_float) for _ in range(count_of_arguments(row))]
    out = row.compute(*args)
    assert type(out) is float
    for i in range(len(args)):
        assert isinstance(row.partial(i, out, *args), (float, int))
    leaves = [Value(x) for x in args]
    recorded = row(leaves) if row.arity is None else row(*leaves)
    recorded.backward()
    assert same(recorded.data, out)
    assert all(type(leaf.grad) is float for leaf in leaves)
    for i in range(len(args)):
        slope = row.partial(i, recorded, *leaves)
        if isinstance(slope, Value):
            slope.backward()  # nor do second derivatives
