"""Values in NumPy, pandas and pytest: every ufunc that has a row, in every form of argument."""

from __future__ import annotations

import math
from collections import ChainMap, UserDict, UserList
from types import MappingProxyType, SimpleNamespace

import numpy as np
import pandas as pd
import pytest

import tinygrad_edu as tg
from tinygrad_edu import Value, nn
from tinygrad_edu.errors import BadArgument, NotANumber
from tinygrad_edu.nn.tensors import Tensor

# Every ufunc of real numbers that has a row, with arguments in the row's domain.
ONE = {
    **dict.fromkeys(
        ["absolute", "arcsin", "arccos", "arctan", "arcsinh", "arctanh", "cbrt", "ceil",
         "conjugate", "cos", "cosh", "deg2rad", "degrees", "exp", "exp2", "expm1", "fabs", "floor",
         "log", "log10", "log1p", "log2", "negative", "positive", "rad2deg", "radians",
         "reciprocal", "rint", "sign", "sin", "sinh", "sqrt", "square", "tan", "tanh", "trunc"],
        (0.3,),
    ),
    "arccosh": (1.3,),
}  # fmt: skip
TWO = dict.fromkeys(
    ["add", "arctan2", "divide", "float_power", "floor_divide", "fmax", "fmin", "fmod", "hypot",
     "logaddexp", "logaddexp2", "maximum", "minimum", "multiply", "power", "remainder", "subtract"],
    (0.7, 0.4),
)  # fmt: skip
ASKED = ["isfinite", "isinf", "isnan"]
COMPARED = ["equal", "greater", "greater_equal", "less", "less_equal", "not_equal"]
NOT_REAL = {  # of bits, of whole numbers, of pairs; or without a row: they are refused
    "bitwise_and", "bitwise_count", "bitwise_or", "bitwise_xor", "copysign", "divmod", "frexp",
    "gcd", "heaviside", "invert", "isnat", "lcm", "ldexp", "left_shift", "logical_and",
    "logical_not", "logical_or", "logical_xor", "matmul", "matvec", "modf", "nextafter",
    "right_shift", "signbit", "spacing", "vecdot", "vecmat",
}  # fmt: skip


def test_no_ufunc_is_forgotten():
    every = {f.__name__ for f in vars(np).values() if isinstance(f, np.ufunc)}
    assert every - NOT_REAL == {*ONE, *TWO, *ASKED, *COMPARED}


def numbers(result):
    return [x.data for x in np.ravel(np.array(result, object))]


def differences(f, at, h=1e-6):
    return [
        (f(*at[:i], x + h, *at[i + 1 :]) - f(*at[:i], x - h, *at[i + 1 :])) / (2 * h)
        for i, x in enumerate(at)
    ]


@pytest.mark.parametrize(("name", "at"), [*ONE.items(), *TWO.items()])
class TestUfuncs:
    def test_values(self, name, at):
        f = getattr(np, name)
        assert numbers(f(*map(Value, at))) == pytest.approx([f(*at)], rel=1e-15)

    def test_their_slopes(self, name, at):
        f = getattr(np, name)
        slopes = tg.grad(f, argnums=range(len(at)))(*at)
        assert slopes == pytest.approx(differences(f, at), rel=1e-6, abs=1e-9)

    def test_arrays_in_derivatives(self, name, at):
        f = getattr(np, name)
        arrays = [np.array([x, x / 2 + 0.6]) for x in at]
        value, slopes = tg.value_and_grad(
            lambda *xs: np.sum(f(*xs)), argnums=range(len(at))
        )(*arrays)  # fmt: skip
        assert value == pytest.approx(np.sum(f(*arrays)), rel=1e-15)
        for i in range(2):
            want = differences(f, [array[i] for array in arrays])
            assert [slope[i] for slope in slopes] == pytest.approx(want, rel=1e-6, abs=1e-9)

    def test_in_programs(self, name, at):
        f = getattr(np, name)
        arrays = [np.array([x, x]) for x in at]
        assert tg.jit(f)(*arrays) == pytest.approx(f(*arrays), rel=1e-15)


@pytest.mark.parametrize("name", TWO)
def test_a_plain_number_or_array_on_either_side(name):
    f, (x, y) = getattr(np, name), TWO[name]
    for make in (float, np.float64, np.float32, lambda x: np.array(x), lambda x: np.array([x])):
        for got in (f(make(x), Value(y)), f(Value(x), make(y))):
            assert numbers(got) == pytest.approx([f(x, y)], rel=1e-6)


@pytest.mark.parametrize("x", [1.0, math.inf, -math.inf, math.nan])
def test_questions_are_answered_with_bools(x):
    for name in ASKED:
        f = getattr(np, name)
        assert f(Value(x)) is f(x)
        answers: list[np.ndarray] = []
        tg.grad(lambda v, f=f, answers=answers: answers.append(f(v)) or np.sum(v))(np.array([x]))
        assert answers[0].dtype == bool
        assert answers[0][0] == f(x)


def test_a_tie_shares_the_slope_and_a_nan_is_seen():
    assert tg.grad(lambda v: np.maximum(v, 1.0)[0])(np.array([1.0]))[0] == 0.5
    assert math.isnan(np.maximum(Value(math.nan), 1.0).data)
    assert np.fmax(Value(math.nan), 1.0).data == 1.0
    assert np.fmin(1.0, Value(math.nan)).data == 1.0


def test_no_ufunc_of_values_warns_about_infinities():
    assert numbers(np.log(Value(-1.0))) == pytest.approx([math.nan], nan_ok=True)
    assert tg.grad(lambda v: np.sum(np.log(v)))(np.array([0.0]))[0] == math.inf


def test_reductions_and_settings():
    v = np.array([0.5, -1.0, 2.0])
    for f in (
        lambda v: np.logaddexp.reduce(v), lambda v: np.maximum.reduce(v), lambda v: v.max(),
        lambda v: np.hypot.reduce(v), lambda v: np.var(v), lambda v: np.std(v),
        lambda v: np.linalg.norm(v), lambda v: np.clip(v, -0.5, 1.0).sum(),
        lambda v: np.where(v > 0.0, v, 0.0).sum(), lambda v: np.round(v * 0.3).sum(),
        lambda v: np.multiply(v, 2.0, out=np.empty(3, v.dtype)).sum(),
        lambda v: v @ v,
        lambda v: np.cumsum(v)[1], lambda v: np.prod(v), lambda v: np.dot(v, v),
        lambda v: np.add.outer(v, v).sum(), lambda v: np.average(v, weights=[1.0, 2.0, 3.0]),
    ):  # fmt: skip
        value, slope = tg.value_and_grad(f)(v)
        assert value == pytest.approx(f(v), rel=1e-14)
        want = differences(lambda *v, f=f: f(np.array(v)), [*v])
        assert slope == pytest.approx(want, rel=1e-6, abs=1e-9)


def test_arrays_without_axes():
    x = np.array(3.0)
    for f in (np.sin, lambda x: x * x, lambda x: np.array(x * x), lambda x: np.sum(x) ** 2):
        want = differences(lambda x, f=f: float(f(np.array(x))), [3.0])[0]
        assert tg.grad(f)(x) == pytest.approx(want)
        assert tg.value_and_grad(f)(x) == pytest.approx((float(f(x)), want))
        assert tg.jvp(f, (x,), (np.array(1.0),)) == pytest.approx((float(f(x)), want))
        assert tg.vjp(f, x)[1](np.array(1.0)) == pytest.approx((want,))
        assert tg.jit(tg.grad(f))(x) == pytest.approx(want)


class TestPandas:
    S = pd.Series([1.0, 2.0], index=["a", "b"], name="size")

    def test_a_series_in_is_a_series_out(self):
        for f in (lambda s: (s * s).sum(), lambda s: np.sum(s**2), lambda s: s["a"] ** 2 + s.b**2):
            slope = tg.grad(f)(self.S)
            pd.testing.assert_series_equal(slope, 2.0 * self.S)
            pd.testing.assert_series_equal(tg.jit(tg.grad(f))(self.S), slope)
            value, along = tg.jvp(f, (self.S,), (self.S,))
            assert (value, along) == (5.0, 10.0)
        product = tg.hvp(lambda s: (s**3).sum(), (self.S,), (self.S,))[0]
        pd.testing.assert_series_equal(product, 6.0 * self.S**2)

    def test_a_series_as_a_result(self):
        rows = tg.jacobian(lambda s: np.exp(s))(self.S)
        assert [list(row) for row in rows] == [[math.e, 0.0], [0.0, math.exp(2.0)]]
        assert list(rows.index) == ["a", "b"]

    def test_a_series_as_a_constant(self):
        assert tg.grad(lambda w: np.sum(w * self.S))(2.0) == 3.0
        assert tg.grad(lambda w: np.sum(np.hypot(self.S, w)))(0.0) == 0.0

    def test_a_frame(self):
        table = pd.DataFrame({"x": [1.0, 2.0], "y": [3.0, 4.0]}, index=[7, 8])
        slope = tg.grad(lambda t: (t["x"] * t["y"]).sum())(table)
        pd.testing.assert_frame_equal(slope, table.rename(columns={"x": "y", "y": "x"})[["x", "y"]])


class TestApprox:
    def test_a_value_that_is_near(self):
        v = Value(0.1) + 0.2
        assert v == pytest.approx(0.3)
        assert pytest.approx(0.3) == v
        assert [v, 1.0] == pytest.approx([0.3, 1.0])
        assert {"v": v} == pytest.approx({"v": 0.3})
        assert np.array([v]) == pytest.approx(np.array([0.3]))
        assert v != pytest.approx(0.4)
        assert pytest.approx(0.4) != v
        assert Value(math.nan) != pytest.approx(0.3)

    def test_a_value_as_the_number_expected_is_refused_with_the_remedy(self):
        for compare in (
            lambda v: pytest.approx(v) == 0.3, lambda v: pytest.approx([v]) == [0.3],
            lambda v: math.isclose(v, 0.3), lambda v: math.isclose(0.3, v),
        ):  # fmt: skip
            with pytest.raises(TypeError, match=r"v\.data"):
                compare(Value(0.1) + 0.2)


class Holder:
    def __init__(self, role=None):
        self.w = Value(1.0, role=role)


def holding(x):
    module = nn.Module()
    module.x = x
    return module


@pytest.mark.parametrize(
    ("made", "path"),
    [
        (lambda v: SimpleNamespace(w=v), "x.w"), (lambda v: MappingProxyType({"w": v}), "x.w"),
        (lambda v: ChainMap({"w": v}), "x.w"), (lambda v: UserDict(w=v), "x.w"),
        (lambda v: UserList([v]), "x.0"), (lambda v: {"w": v}.values(), "x.0"),
        (lambda v: pd.Series([v]), "x.0"), (lambda v: pd.DataFrame({"w": [v]}), "x.0.0"),
        (lambda v: np.array([(1, v)], [("n", int), ("w", object)]), "x.0.1"),
    ],
)  # fmt: skip
def test_modules_find_parameters_in_everything_that_has_members(made, path):
    assert [path for path, _ in holding(made(Value(1.0))).named_parameters()] == [path]


def test_modules_refuse_objects_whose_parameters_they_would_miss():
    with pytest.raises(BadArgument, match=r"'x' holds Values.*Holder.*Module"):
        holding(Holder()).parameters()
    for held in (Holder("constant"), Holder, math, len):
        assert holding(held).parameters() == []


@pytest.mark.parametrize("symbol", ["+", "-", "*", "/", "**", "//", "%", "<", "<=", ">", ">="])
@pytest.mark.parametrize("form", ["value {} tensor", "tensor {} value"])
def test_a_value_beside_a_tensor_is_a_scalar_beside_an_array(symbol, form):
    written = form.format(symbol)
    of_numbers = eval(written, {"value": 1.5, "tensor": np.array([[2.0, 0.5], [1.5, 3.0]])})
    tensor = Tensor([2.0, 0.5, 1.5, 3.0], (2, 2))
    result = eval(written, {"value": Value(1.5), "tensor": tensor})
    numbers = [x.data if isinstance(x, Value) else x for x in np.ravel(result)]
    assert numbers == list(of_numbers.ravel())
    assert np.shape(result) == (2, 2)


class Names(str):
    __slots__ = ()


class Items(list):
    pass


@pytest.mark.parametrize("other", ["ab", Names("ab"), [1.0], Items([1.0]), (1.0,), b"a", None, {}])
def test_what_is_no_array_is_refused_at_once(other):
    for compute in (lambda v: v + other, lambda v: v * other, lambda v: v**other):
        with pytest.raises(NotANumber):
            compute(Value(2.0))
