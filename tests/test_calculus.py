"""grad and its relatives: shapes, orders, mixtures, and never one variable for another."""

from __future__ import annotations

import math
from collections import namedtuple
from itertools import pairwise, product

import numpy as np
import pytest

import tinygrad_edu as tg
from tinygrad_edu import Value
from tinygrad_edu.core.table import BUILT_IN, TABLE
from tinygrad_edu.errors import BadArgument, NameUnknown, NotANumber


class TestNestedDerivativesAreNeverConfused:
    """Each of these gives another number when an inner derivative sees an outer variable."""

    def test_the_classic(self):
        assert tg.grad(lambda x: x * tg.grad(lambda y: x + y)(x))(3.0) == 1.0

    def test_the_inner_point_is_a_plain_number(self):
        assert tg.grad(lambda x: tg.grad(lambda y: x * y)(2.0))(3.0) == 1.0

    def test_forward_in_reverse(self):
        assert tg.grad(lambda x: x * tg.jvp(lambda y: x * y, (x,), (1.0,))[1])(3.0) == 6.0

    def test_reverse_in_forward(self):
        f = lambda x: x * tg.grad(lambda y: x * y * y)(2.0)  # noqa: E731 (4x², slope 8x)
        assert tg.jvp(f, (3.0,), (1.0,)) == (36.0, 24.0)

    def test_forward_in_forward(self):
        f = lambda x: x * tg.jvp(lambda y: x + y, (1.0,), (1.0,))[1]  # noqa: E731
        assert tg.jvp(f, (3.0,), (1.0,)) == (3.0, 1.0)

    def test_three_deep(self):
        f = lambda x: tg.grad(lambda y: tg.grad(lambda z: x * y * y * z * z)(x))(x)  # noqa: E731
        # ∂z: 2xy²z at z=x → 2x²y² seen from y: x fixed inside: 2·x·y²·x; ∂y at y=x: 4x³; ∂x: 12x²
        assert tg.grad(f)(2.0) == 48.0

    def test_the_inner_function_ignores_its_argument(self):
        assert tg.grad(lambda x: tg.grad(lambda y: x * x)(x))(3.0) == 0.0

    def test_vjp_whose_cotangent_is_the_outer_variable(self):
        assert tg.grad(lambda x: tg.vjp(lambda y: y * y, 5.0)[1](x)[0])(2.0) == 10.0


class TestShapes:
    def test_a_number(self):
        value, slope = tg.value_and_grad(lambda x: x * x)(3)
        assert (value, slope) == (9.0, 6.0)
        assert type(value) is type(slope) is float

    def test_values_in_values_out(self):
        x = Value(3.0)
        slope = tg.grad(lambda x: x**3)(x)
        assert isinstance(slope, Value)
        slope.backward()
        assert (slope.data, x.grad) == (27.0, 18.0)

    def test_nested_containers(self):
        Point = namedtuple("Point", "x y")
        f = lambda t: t["p"].x * t["p"].y + t["q"][0][1] * 2.0  # noqa: E731
        tree = {"p": Point(2.0, 3.0), "q": ([4.0, 5.0], 6.0)}
        assert tg.grad(f)(tree) == {"p": Point(3.0, 2.0), "q": ([0.0, 2.0], 0.0)}

    def test_arrays(self):
        gradient = tg.grad(lambda v: v @ v)(np.array([1.0, 2.0, 3.0]))
        assert isinstance(gradient, np.ndarray)
        assert gradient.tolist() == [2.0, 4.0, 6.0]
        matrix = tg.jacobian(lambda v: v * v[0])(np.array([2.0, 3.0]))
        assert matrix.tolist() == [[4.0, 0.0], [3.0, 2.0]]
        bend = tg.hessian(lambda m: m[0, 0] * m[1, 1] ** 2)(np.array([[1.0, 2.0], [3.0, 4.0]]))
        assert bend.shape == (2, 2, 2, 2)
        assert bend[1, 1, 1, 1] == 2.0
        assert bend[0, 0, 1, 1] == 8.0

    def test_several_arguments_and_keywords(self):
        f = lambda x, y, scale=1.0: x * y * scale  # noqa: E731
        assert tg.grad(f, argnums=1)(2.0, 3.0) == 2.0
        assert tg.grad(f, argnums=(0, 1))(2.0, 3.0, scale=10.0) == (30.0, 20.0)
        assert tg.grad(f, argnums=-1)(2.0, 3.0) == 2.0

    def test_an_argument_that_is_no_number_is_passed_through(self):
        f = lambda x, how: {"twice": x * 2.0}[how]  # noqa: E731
        assert tg.grad(f)(1.0, "twice") == 2.0

    def test_a_function_that_returns_a_plain_number_has_slope_zero(self):
        assert tg.grad(lambda x: 5.0)(1.0) == 0.0
        assert tg.jvp(lambda x: [x, 5.0], (1.0,), (1.0,)) == ([1.0, 5.0], [1.0, 0.0])

    def test_jacobian_is_the_same_both_ways(self):
        f = lambda v: [v[0] * v[1], v[1].sin(), v[0] / v[1], 3.0]  # noqa: E731
        forward, reverse = (tg.jacobian(f, mode=m)([2.0, 3.0]) for m in ("forward", "reverse"))
        assert forward == reverse == tg.jacobian(f)([2.0, 3.0])
        assert forward[0] == [3.0, 2.0]
        assert forward[3] == [0.0, 0.0]

    def test_the_same_output_twice(self):
        assert tg.vjp(lambda x: [x * x] * 2, 3.0)[1]([1.0, 10.0]) == (66.0,)
        y = lambda x: (lambda s: [s, s])(x * x)  # noqa: E731 (one node, two outputs)
        assert tg.vjp(y, 3.0)[1]([1.0, 10.0]) == (66.0,)

    def test_no_gradient_is_written(self):
        w = Value(2.0)
        assert tg.grad(lambda x: x * w)(3.0) == 2.0
        tg.gradients(w * w, [w])
        assert w.grad == 0.0


class TestHigherOrders:
    def test_every_derivative_of_a_power(self):
        f, expected = (lambda x: x**5), [32.0, 80.0, 160.0, 240.0, 240.0, 120.0, 0.0]
        for want in expected:
            value = f(2.0)
            assert (value.data if isinstance(value, Value) else value) == want
            f = tg.grad(f)

    @pytest.mark.parametrize("outer", ["grad", "jvp"])
    @pytest.mark.parametrize("middle", ["grad", "jvp"])
    @pytest.mark.parametrize("inner", ["grad", "jvp"])
    def test_any_mixture(self, outer, middle, inner):
        ways = {"grad": tg.grad, "jvp": lambda f: lambda x: tg.jvp(f, (x,), (1.0,))[1]}
        third = ways[outer](ways[middle](ways[inner](lambda x: tg.exp(2.0 * x))))
        assert third(0.5) == pytest.approx(8.0 * math.e, rel=1e-15)

    def test_hessian_is_the_jacobian_of_the_gradient(self):
        f = lambda v: v[0] ** 3 * v[1] + tg.tanh(v[1] * v[2])  # noqa: E731
        at = [0.5, -1.5, 2.0]
        for row, want in zip(tg.hessian(f)(at), tg.jacobian(tg.grad(f))(at)):
            assert row == pytest.approx(want, rel=1e-14)

    def test_hvp_is_the_hessian_times_the_vector(self):
        f = lambda v: tg.sum([x.sin() * y for x, y in pairwise(v)])  # noqa: E731
        at, v = [0.1, 0.2, 0.3, 0.4], [1.0, -2.0, 0.5, 3.0]
        (product,) = tg.hvp(f, (at,), (v,))
        want = np.array(tg.hessian(f)(at)) @ np.array(v)
        assert product == pytest.approx(want.tolist(), rel=1e-13)

    def test_a_hessian_uses_structural_zeros(self, monkeypatch):
        """Σ xᵢ³ in n variables: the work of each row must not grow with n."""

        def steps(n: int) -> int:
            count = 0
            counted = tg.core.calculus.local_numbers

            def counting(node):
                nonlocal count
                count += 1
                return counted(node)

            monkeypatch.setattr(tg.core.calculus, "local_numbers", counting)
            bends = tg.hessian(lambda v: tg.sum([x * x * x for x in v]))([2.0] * n)
            monkeypatch.setattr(tg.core.calculus, "local_numbers", counted)
            assert bends[1][1] == 12.0
            assert bends[1][0] == 0.0
            return count

        assert steps(20) == 2 * steps(10)

    def test_logaddexp_bends_where_its_arguments_are_equal(self):
        bends = tg.hessian(lambda v: tg.logaddexp(v[0], v[1]))([3.0, 3.0])
        assert bends == [[0.25, -0.25], [-0.25, 0.25]]

    def test_gradients_can_be_taken_by_interior_nodes(self):
        x = Value(2.0)
        y = x * x
        z = y * y + x
        by_y, by_x = tg.gradients(z, [y, x])
        assert (by_y.data, by_x.data) == (8.0, 33.0)

    def test_gradients_are_graphs(self):
        w = Value(2.0, name="w")
        (slope,) = tg.gradients(tg.sin(w) * w, [w])
        assert len(tg.snapshot(slope).nodes) > 3
        slope.backward()
        assert w.grad == pytest.approx(2 * math.cos(2.0) - 2.0 * math.sin(2.0), rel=1e-15)


def test_at_a_bound_of_clip_the_slope_is_the_bounds():
    slopes = tg.grad(tg.clip, argnums=(0, 1, 2))
    assert slopes(1.0, 1.0, 3.0) == (0.0, 1.0, 0.0)
    assert slopes(3.0, 1.0, 3.0) == (0.0, 0.0, 1.0)
    assert slopes(2.0, 2.0, 2.0) == (0.0, 0.0, 1.0)
    assert slopes(2.0, 1.0, 3.0) == (1.0, 0.0, 0.0)


class TestStopGradient:
    def test_stops_in_both_modes(self):
        f = lambda x: x * tg.stop_gradient(x)  # noqa: E731
        assert tg.grad(f)(3.0) == 3.0
        assert tg.jvp(f, (3.0,), (1.0,)) == (9.0, 3.0)

    def test_an_infinite_slope_behind_it_does_no_harm(self):
        assert tg.grad(lambda x: x + tg.stop_gradient(tg.log(x * 0.0)) * 0.0)(1.0) == 1.0
        x = Value(1.0)
        (x + tg.stop_gradient(tg.sqrt(x - 1.0))).backward()
        assert x.grad == 1.0


class TestErrors:
    @pytest.mark.parametrize(
        ("call", "error", "says"),
        [
            (lambda: tg.grad(lambda v: v)([1.0, 2.0]), BadArgument, "jacobian"),
            (lambda: tg.grad(lambda x: [x])(1.0), BadArgument, "one number"),
            (lambda: tg.grad(lambda x: x, argnums=1)(1.0), BadArgument, "argnums"),
            (lambda: tg.grad(lambda x: x)("text"), NotANumber, "'text'"),
            (lambda: tg.grad(lambda x: None)(1.0), NotANumber, "None"),
            (lambda: tg.grad(3.0)(1.0), NotANumber, "function"),
            (lambda: tg.jvp(lambda x: x, (1.0,), (1.0, 2.0)), BadArgument, "shape"),
            (lambda: tg.hvp(lambda x: x, (1.0,), ()), BadArgument, "shape"),
            (lambda: tg.vjp(lambda x: [x, x], 1.0)[1](1.0), BadArgument, "cotangent"),
            (lambda: tg.jacobian(lambda x: x, mode="forwards"), NameUnknown, "'forward'"),
            (lambda: tg.gradients(1.0, [Value(1.0)]), NotANumber, "Values"),
            (lambda: tg.hessian(lambda v: v)([1.0, 2.0]), BadArgument, "one number"),
            (lambda: tg.ravel([1.0, 2.0])[1]([1.0]), BadArgument, "2 numbers"),
        ],
    )
    def test_each_says_what_was_received_and_what_to_do(self, call, error, says):
        with pytest.raises(error, match=says):
            call()


def test_no_grad_outside_does_not_silence_a_transform():
    with tg.no_grad():
        assert tg.grad(lambda x: x * x)(3.0) == 6.0
        assert tg.hessian(lambda x: x * x * x)(3.0) == 18.0


def test_the_recipe_with_scipy():
    """As in the documentation: ravel on the way in, ravel on the way out."""
    from scipy.optimize import minimize

    xs, ys = (1, 2, 3, 4, 5, 6, 7), (10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 70.0)

    def loss(p):
        return tg.sum([(p["w"] * x + p["b"] - y) ** 2 for x, y in zip(xs, ys)]) / len(xs)

    flat, unravel = tg.ravel({"w": 0.0, "b": 0.0})

    def objective(theta):
        value, gradient = tg.value_and_grad(loss)(unravel(theta))
        return value, tg.ravel(gradient)[0]

    found = unravel(minimize(objective, flat, jac=True).x)
    assert found["w"] == pytest.approx(10.0, abs=1e-5)
    assert found["b"] == pytest.approx(0.0, abs=1e-4)


EDGES = (0.0, -0.0, 1.0, -2.0, 0.5, math.inf, -math.inf, math.nan, 5e-324, 1e308)


@pytest.mark.parametrize(
    "op", [op for op in map(TABLE.get, sorted(BUILT_IN)) if op.arity == 2], ids=lambda op: op.name
)
def test_a_constant_at_an_edge_gives_the_same_slope_recorded_or_not(op):
    """A rule's arithmetic on a plain number may raise in Python, as 1/0 does, among Values too."""
    for i, constant, x in product((0, 1), EDGES, EDGES):

        def f(v, i=i, constant=constant):
            return op(v, constant) if i == 0 else op(constant, v)

        v = Value(x)
        (recorded,) = tg.gradients(f(v), [v])
        slope = tg.grad(f)(x)
        assert recorded.data == slope or (math.isnan(recorded.data) and math.isnan(slope)), (i, x)
        tg.grad(tg.grad(f))(x)  # whose value may be anything there, but it is one
