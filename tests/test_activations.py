"""Activations against recorded ones, at their kinks, by name; softmax to the last digit."""

from __future__ import annotations

import json
import math
from math import inf, nan
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mpmath import mp, mpf

import tinygrad_edu as tg
from tinygrad_edu import Value
from tinygrad_edu.errors import BadArgument, NameUnknown
from tinygrad_edu.nn import activations
from tinygrad_edu.nn.activations import (
    ACTIVATIONS,
    VECTOR_ACTIVATIONS,
    activation,
    log_odds,
    log_softmax,
    relu,
    softmax,
)

RECORDED = json.loads((Path(__file__).parent / "data/activations_float64.json").read_text())
NOT_IN_THE_RECORDING = {
    # Its derivative at a kink is that of the branch x ≤ 0; ours is the one nearest to zero.
    ("selu", 0.0): 1.0507009873554805,
}
SCORES = st.lists(st.floats(-50.0, 50.0), min_size=1, max_size=6)


def close(got: float, right: float, ulps: int = 4) -> bool:
    """Within 1e-14 of it, or that many units in the last place."""
    return abs(got - right) <= max(ulps * math.ulp(right), 1e-14 * abs(right))


def ours(name: str, kwargs: dict) -> object:
    """The function of this package for a Keras function with these arguments."""
    if name in ("relu", "gelu"):
        return lambda x: getattr(activations, name)(x, **kwargs)
    row = ACTIVATIONS[name]
    return lambda x: row(x, *kwargs.values())


@pytest.mark.parametrize("case", RECORDED["functions"])
def test_every_recorded_activation(case):
    recorded = RECORDED["functions"][case]
    function = ours(recorded["keras_function"], recorded["kwargs"])
    exact = recorded["exact"]
    for x, value, slope in zip(RECORDED["points"], exact["value"], exact["derivative"]):
        slope = NOT_IN_THE_RECORDING.get((case, x), slope)
        leaf = Value(x)
        out = function(leaf)
        out.backward()
        if float(value) == inf:  # "Infinity" is written as a string
            assert (out.data, leaf.grad) == (inf, inf)
        else:
            assert close(out.data, value), f"{case}({x})"
            assert close(leaf.grad, slope), f"{case}′({x})"
        assert function(x) == out.data


@pytest.mark.parametrize(
    ("name", "case"), [(name, case) for name, v in RECORDED["vectors"].items() for case in v]
)
def test_every_recorded_jacobian(name, case):
    recorded = RECORDED["vectors"][name][case]
    xs = [Value(x) for x in recorded["x"]]
    outs = VECTOR_ACTIVATIONS[name](xs)
    for out, right, row in zip(outs, recorded["exact"]["value"], recorded["exact"]["jacobian"]):
        assert close(out.data, right)
        for got, slope in zip(tg.gradients(out, xs), row):
            assert close(got, slope)
    assert VECTOR_ACTIVATIONS[name](recorded["x"]) == [out.data for out in outs]


class TestSoftmax:
    @given(SCORES)
    def test_sums_to_one(self, xs):
        assert math.fsum(softmax(xs)) == pytest.approx(1.0, abs=1e-14)

    @given(SCORES, st.floats(-50.0, 50.0))
    def test_only_differences_count(self, xs, shift):
        # The shifted scores are rounded: to 2⁻⁴⁶ at most, as none is beyond 128.
        assert softmax([x + shift for x in xs]) == pytest.approx(softmax(xs), rel=1e-13)

    @given(SCORES)
    def test_the_logarithm_of_one_is_the_other(self, xs):
        assert [math.exp(x) for x in log_softmax(xs)] == pytest.approx(softmax(xs), rel=1e-13)

    @given(st.lists(st.floats(-300.0, 300.0), min_size=2, max_size=5))
    def test_against_fifty_digits(self, xs):
        with mp.workdps(300):
            shares = [mp.exp(mpf(x)) for x in xs]
            right = [share / sum(shares) for share in shares]
            for p, log_p, truth in zip(softmax(xs), log_softmax(xs), right):
                # Rounding a difference of 600 by half an ulp changes its exp by 6e-14.
                assert abs(p - truth) <= 2e-13 * truth
                assert abs(log_p - mp.log(truth)) <= -2e-13 * mp.log(truth)

    def test_of_a_nearly_certain_class_nothing_is_rounded_away(self):
        sure, _ = xs = [Value(40.0), Value(0.0)]
        softmax(xs)[0].backward()
        assert sure.grad == pytest.approx(math.exp(-40.0), rel=1e-15)

    def test_second_derivatives_are_the_sigmoids(self):
        # The softmax of two scores is the sigmoid of their difference.
        for x in (-30.0, -1.0, 0.5, 30.0):
            of_two = tg.hessian(lambda v: softmax([v, 0.0])[0])(x)
            assert of_two == pytest.approx(tg.hessian(tg.sigmoid)(x), rel=1e-13)

    @pytest.mark.parametrize("v", [-20.0, 0.0, 0.5, 20.0])  # and where two scores are equal
    def test_second_derivatives(self, v):
        p, q, _ = softmax([0.0, v, 0.5])
        second = tg.hessian(lambda v: softmax([0.0, v, 0.5])[0])(v)
        assert second == pytest.approx(p * q * (2.0 * q - 1.0), rel=1e-13)

    @pytest.mark.parametrize("f", [softmax, log_softmax])
    def test_infinite_scores(self, f):
        out = f([0.0, -inf, 0.0])
        assert out[1] == {softmax: 0.0, log_softmax: -inf}[f]
        assert out[0] == out[2] == f([0.0, 0.0])[0]
        assert all(map(math.isnan, f([0.0, nan, 1.0])))

    def test_its_graph_grows_as_the_number_of_scores(self):
        sizes = [len(tg.snapshot(tg.sum(softmax([Value(i) for i in range(n)])))) for n in (50, 100)]
        assert sizes[1] < 2.1 * sizes[0]

    def test_log_odds_of_one_score_are_infinite(self):
        assert log_odds([3.0]) == [inf]
        assert softmax([3.0]) == [1.0]


class TestNames:
    def test_every_name_that_keras_accepts(self):
        names = """celu elu exponential gelu glu hard_shrink hard_sigmoid hard_silu hard_swish
            hard_tanh leaky_relu linear log_sigmoid log_softmax mish relu relu6 selu sigmoid silu
            soft_shrink softmax softplus softsign sparse_plus sparse_sigmoid squareplus swish
            tanh tanh_shrink"""
        for name in names.split():
            function = activation(name)
            out = function([0.5, 1.0]) if name in VECTOR_ACTIVATIONS else [function(0.5)]
            assert all(map(math.isfinite, out))
        assert activation("swish") is tg.silu
        assert activation(None) is tg.identity
        assert activation(math.sin) is math.sin

    @pytest.mark.parametrize(("wrong", "near"), [("sotfmax", "softmax"), ("Relu", "relu"), (3, "")])
    def test_unknown(self, wrong, near):
        with pytest.raises(NameUnknown, match=f"(?s){wrong!r}.*{near}"):
            activation(wrong)


class TestOfOneNumber:
    # function, point, value, slope; a kink has the slope of least magnitude
    TABLE = (
        (relu, -inf, 0.0, 0.0),
        (lambda x: relu(x, negative_slope=0.1), 0.0, 0.0, 0.1),
        (lambda x: relu(x, negative_slope=0.1), -2.0, -0.2, 0.1),
        (lambda x: relu(x, max_value=2.0), 2.0, 2.0, 0.0),
        (lambda x: relu(x, max_value=2.0), 1.0, 1.0, 1.0),
        (lambda x: relu(x, threshold=1.0), 1.0, 0.0, 0.0),
        (lambda x: relu(x, threshold=1.0), -inf, 0.0, 0.0),
        (lambda x: relu(x, threshold=1.0), 1.5, 1.5, 1.0),
        (lambda x: activations.threshold(x, 1.0, 7.0), 1.0, 7.0, 0.0),
        (lambda x: activations.threshold(x, 1.0, 7.0), 3.0, 3.0, 1.0),
        (activations.sparse_plus, -inf, 0.0, 0.0),
        (activations.sparse_plus, -1.0, 0.0, 0.0),
        (activations.sparse_plus, 0.5, 0.5625, 0.75),
        (activations.sparse_plus, 1.0, 1.0, 1.0),
        (activations.sparse_plus, inf, inf, 1.0),
        (activations.sparse_sigmoid, -1.0, 0.0, 0.0),
        (activations.sparse_sigmoid, 0.5, 0.75, 0.5),
        (activations.sparse_sigmoid, 1.0, 1.0, 0.0),
    )

    @pytest.mark.parametrize(("function", "x", "value", "slope"), TABLE)
    def test_values_and_slopes(self, function, x, value, slope):
        assert function(x) == value
        assert tg.grad(function)(x) == slope

    @pytest.mark.parametrize("function", dict.fromkeys(row[0] for row in TABLE))
    def test_nan_is_never_hidden(self, function):
        assert math.isnan(function(nan))

    @pytest.mark.parametrize("name", ["negative_slope", "max_value", "threshold"])
    def test_settings_of_relu(self, name):
        for wrong in (-0.1, nan):
            with pytest.raises(BadArgument, match=f"{name} of relu.*Received: {wrong}"):
                relu(1.0, **{name: wrong})
        with pytest.raises(TypeError, match="'a'"):
            relu(1.0, **{name: "a"})

    def test_glu(self):
        a, b = Value(3.0), Value(0.0)
        (out,) = activations.glu([a, b])
        assert out.data == 1.5
        assert tg.gradients(out, [a, b]) == [0.5, 0.75]
        with pytest.raises(BadArgument, match="even number of numbers"):
            activations.glu([1.0, 2.0, 3.0])


@given(st.lists(st.floats(-5.0, 5.0), min_size=1, max_size=6))
def test_sparsemax_is_the_nearest_point_of_the_simplex(xs):
    found = activations.sparsemax(xs)
    assert min(found) >= 0.0
    assert sum(found) == pytest.approx(1.0, abs=1e-12)
    # Nearest: what is above zero lies one distance below its x, what is zero at least that far.
    tau = max(x - p for x, p in zip(xs, found) if p > 0.0)
    for x, p in zip(xs, found):
        assert x - p == pytest.approx(tau, abs=1e-12) if p > 0.0 else x <= tau + 1e-12


def test_sparsemax_has_the_slopes_of_its_support():
    rows = tg.jacobian(activations.sparsemax)([1.0, 0.5, -1.0])
    assert rows == [[0.5, -0.5, 0.0], [-0.5, 0.5, 0.0], [0.0, 0.0, 0.0]]


def test_a_layer_knows_how_many_numbers_its_activation_gives():
    dense = tg.nn.Dense(4, "glu", input_shape=[2])
    assert dense.shape_after((2,)) == (2,)
    assert len(dense([1.0, 2.0])) == 2
