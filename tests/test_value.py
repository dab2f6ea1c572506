"""The contract of Value: what it may be made of, its operators, and `backward`."""

from __future__ import annotations

import asyncio
import copy
import math
import pickle
import threading
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest

import tinygrad_edu as tg
from tinygrad_edu import Value
from tinygrad_edu.core.table import Op
from tinygrad_edu.errors import (
    Anomaly,
    BadArgument,
    GraphError,
    NameUnknown,
    NotANumber,
    StaleGraph,
)


class TestWhatAValueIsMadeOf:
    @pytest.mark.parametrize(
        "number",
        [3, 3.0, True, np.float64(3), np.float32(3), np.int8(3), np.bool_(True), Decimal(3),
         Fraction(3), np.array(3.0), -0.0, math.inf],
    )  # fmt: skip
    def test_any_real_number(self, number):
        value = Value(number)
        assert type(value.data) is float
        assert value.data == float(number)

    @pytest.mark.parametrize(
        "junk",
        ["3", b"3", 1j, None, [3], (3,), {}, np.complex128(3), np.array([1.0, 2.0]), np.str_("3"),
         np.datetime64("2026-01-01"), object(), Value(3.0)],
    )  # fmt: skip
    def test_nothing_else(self, junk):
        with pytest.raises(NotANumber, match="Received"):
            Value(junk)
        with pytest.raises(NotANumber, match="Received"):
            Value(1.0).data = junk
        with pytest.raises(NotANumber, match="Received"):
            Value(1.0).backward(seed=junk)

    def test_an_int_beyond_the_floats_is_infinite(self):
        assert Value(10**400).data == math.inf
        assert Value(-(10**400)).data == -math.inf

    def test_names_and_roles(self):
        value = Value(1.0, "w", "parameter")
        assert (value.name, value.role, value.scope) == ("w", "parameter", None)
        with pytest.raises(NameUnknown, match="Did you mean 'parameter'"):
            Value(1.0, role="paramter")
        with pytest.raises(NotANumber, match="string"):
            Value(1.0, name=3)

    def test_scopes_nest_and_close(self):
        with tg.scope("sample 1"):
            outer = Value(1.0)
            with tg.scope("neuron 2"):
                inner = outer * 2.0
        assert (outer.scope, inner.scope) == ("sample 1", "sample 1/neuron 2")
        assert (inner + 1.0).scope is None
        with pytest.raises(BadArgument, match="non-empty"):
            tg.scope("")


class TestOperators:
    @pytest.mark.parametrize(
        ("make", "data", "op"),
        [
            (lambda v: v + 2, 5.0, "add"),
            (lambda v: 2 + v, 5.0, "add"),
            (lambda v: v - 2, 1.0, "sub"),
            (lambda v: 2 - v, -1.0, "sub"),
            (lambda v: v * 2, 6.0, "mul"),
            (lambda v: 2 * v, 6.0, "mul"),
            (lambda v: v / 2, 1.5, "div"),
            (lambda v: 2 / v, 2 / 3, "div"),
            (lambda v: v // 2, 1.0, "floordiv"),
            (lambda v: 7 // v, 2.0, "floordiv"),
            (lambda v: v % 2, 1.0, "mod"),
            (lambda v: 7 % v, 1.0, "mod"),
            (lambda v: divmod(7, v)[1], 1.0, "mod"),
            (lambda v: divmod(v, 2)[0], 1.0, "floordiv"),
            (lambda v: v**2, 9.0, "square"),
            (lambda v: v**2.0, 9.0, "square"),
            (lambda v: v**3, 27.0, "pow"),
            (lambda v: v**-1, 1 / 3, "pow"),
            (lambda v: 2**v, 8.0, "pow"),
            (lambda v: v**v, 27.0, "pow"),
            (lambda v: +v, 3.0, "identity"),
            (lambda v: -v, -3.0, "neg"),
            (lambda v: abs(-v), 3.0, "abs"),
            (lambda v: round(v * 0.5), 2.0, "round"),
            (lambda v: math.floor(v * 0.5), 1.0, "floor"),
            (lambda v: math.ceil(v * 0.5), 2.0, "ceil"),
            (lambda v: np.float64(2) * v, 6.0, "mul"),
            (lambda v: v - np.float32(2), 1.0, "sub"),
            (lambda v: np.int64(2) ** v, 8.0, "pow"),
            (lambda v: np.exp(v), math.exp(3.0), "exp"),
            (lambda v: v * Fraction(1, 2), 1.5, "mul"),
            (lambda v: tg.sum([np.float64(2), v, 1, True]), 7.0, "sum"),
            (lambda v: tg.maximum(np.float64(2), v), 3.0, "maximum"),
        ],
    )
    def test_on_both_sides(self, make, data, op):
        result = make(Value(3.0))
        assert isinstance(result, Value)
        assert result.data == data
        assert result.op is tg.TABLE[op]
        assert {type(arg) for arg in result.args} <= {float, Value}
        result.backward()

    @pytest.mark.parametrize(
        ("name", "x", "slope"),
        [
            ("arcsin", 0.5, 1 / math.sqrt(0.75)), ("arccos", 0.5, -1 / math.sqrt(0.75)),
            ("arctan", 0.5, 0.8), ("arcsinh", 0.5, 1 / math.sqrt(1.25)),
            ("arccosh", 2.0, 1 / math.sqrt(3.0)), ("arctanh", 0.5, 1 / 0.75),
            ("fabs", -2.0, -1.0), ("rint", 2.5, 0.0), ("conjugate", 0.5, 1.0),
        ],
    )  # fmt: skip
    def test_numpys_functions_by_their_own_names(self, name, x, slope):
        f = getattr(np, name)
        assert f(Value(x)).data == pytest.approx(f(x), rel=1e-15)
        assert f(np.array([Value(x)]))[0].data == pytest.approx(f(x), rel=1e-15)
        assert tg.grad(f)(x) == pytest.approx(slope, rel=1e-15)

    @pytest.mark.parametrize(("x", "y"), [(7.5, 2.0), (-7.5, 2.0), (7.5, -2.0), (-7.5, -2.0)])
    def test_numpys_functions_of_two_numbers(self, x, y):
        for f in (np.hypot, np.arctan2, np.fmod):
            assert f(Value(x), Value(y)).data == pytest.approx(f(x, y), rel=1e-15)
        assert tg.grad(np.fmod, argnums=(0, 1))(x, y) == (1.0, -math.trunc(x / y))
        assert tg.grad(np.fmod)(0.0, y) == 1.0

    def test_numpys_moments(self):
        v = [1.0, 2.0, 4.0]
        values = np.array([Value(x) for x in v])
        assert np.var(values).data == pytest.approx(np.var(v))
        assert np.std(values).data == pytest.approx(np.std(v))
        assert [x.data for x in np.round(values * 0.3)] == [0.0, 1.0, 1.0]
        assert tg.grad(np.var)(np.array(v)) == pytest.approx(2 / 3 * (np.array(v) - np.mean(v)))

    def test_what_notebooks_written_for_micrograd_ask_of_a_node(self):
        a, b = Value(2.0), Value(-3.0)
        product = a * b
        assert (product._prev, product._op) == ({a, b}, "×")
        assert (a._prev, a._op) == (set(), "")
        assert ((a * 2.0)._prev, (a**2)._prev) == ({a}, {a})
        product.grad = 1.0
        product._backward()
        a._backward()
        assert (a.grad, b.grad) == (-3.0, 2.0)

    def test_the_graph_is_what_was_typed(self):
        a, b = Value(2.0), Value(3.0)
        assert (a - b).args == (a, b)
        assert (1.0 - b).args == (1.0, b)
        assert len((a * a).args) == 2

    def test_object_arrays(self):
        a, b = Value(2.0), Value(3.0)
        v = np.array([a, b])
        dot = v @ v
        dot.backward()
        assert (dot.data, a.grad, b.grad) == (13.0, 4.0, 6.0)
        assert np.sum(np.exp(v)).data == math.exp(2.0) + math.exp(3.0)
        assert [x.data for x in a * np.array([1.0, 2.0])] == [2.0, 4.0]
        assert [x.data for x in np.array([1.0, 2.0]) * a] == [2.0, 4.0]
        assert np.dot(np.array([[1.0, 2.0]]), v)[0].data == 8.0

    def test_comparisons_are_about_numbers(self):
        a, b = Value(2.0), Value(3.0)
        assert a < b
        assert a <= 2
        assert b > np.float64(2.5)
        assert b >= a
        assert a == 2
        assert Value(2.0) == a
        assert a != b
        assert a != "2"
        assert max([a, b]) is b
        assert len({a, Value(2.0)}) == 2, "hashing is by identity"
        with pytest.raises(TypeError):
            _ = a < "3"

    @pytest.mark.parametrize(
        "junk", ["a", None, 1j, [1.0], {}, np.complex128(1)], ids=lambda junk: repr(junk)
    )
    def test_a_foreign_operand_is_refused(self, junk):
        for attempt in (
            lambda v: v + junk,
            lambda v: junk - v,
            lambda v: v**junk,
            lambda v: tg.maximum(v, junk),
            lambda v: tg.sum([v, junk]),
        ):
            with pytest.raises(NotANumber, match="Received"):
                attempt(Value(1.0))

    @pytest.mark.parametrize("convert", [float, int, bool, complex, math.sin, math.trunc])
    def test_conversions_that_would_lose_the_graph_are_refused(self, convert):
        with pytest.raises(TypeError, match=r"v\.data.*tg\.sin"):
            convert(Value(1.0))
        with pytest.raises(TypeError):
            np.array([Value(1.0)], dtype=float)

    def test_functions_take_plain_numbers_too(self):
        assert tg.tanh(0.5) == math.tanh(0.5)
        assert tg.sum([1, 2, np.float64(3)]) == 6.0
        assert type(tg.relu(3)) is float
        assert tg.elu(-1.0, alpha=2.0) == 2.0 * math.expm1(-1.0)
        assert tg.sum([]) == 0.0
        assert tg.sum(x for x in (1.0, 2.0)) == 3.0

    @pytest.mark.parametrize(
        "call",
        [lambda: tg.tanh(), lambda: tg.tanh(1.0, 2.0), lambda: tg.tanh(1.0, x=2.0),
         lambda: tg.elu(1.0, beta=2.0), lambda: tg.sum(1.0, 2.0), lambda: tg.sum(3.0)],
    )  # fmt: skip
    def test_the_wrong_number_of_arguments(self, call):
        with pytest.raises(TypeError):
            call()

    def test_format_and_repr(self):
        v = Value(3.14159, name="π")
        assert f"{v:.2f} {v:>8.1e}" == "3.14  3.1e+00"
        assert repr(v) == str(v) == f"{v}" == "Value(data=3.14159, grad=0.0, name='π')"
        assert repr(Value(3)) == "Value(data=3.0, grad=0.0)"

    def test_rounding_to_digits_is_refused(self):
        with pytest.raises(BadArgument, match=r":\.2f"):
            round(Value(1.0), 2)


class TestBackward:
    def test_two_losses_that_share_a_node_give_the_sum_of_their_gradients(self):
        x = Value(2.0)
        shared = x * x
        (shared * 3.0).backward()
        (shared * 5.0).backward()
        assert x.grad == 32.0  # micrograd says 44
        assert shared.grad == 5.0, "an interior node holds the last pass's, never a mixture"

    def test_twice_is_exactly_twice(self):
        x = Value(0.1)
        y = tg.sum([x * 0.1, x * 0.2, x.sin(), x * 1e17, x * -1e17])
        y.backward()
        once = x.grad
        y.backward()
        assert x.grad == 2.0 * once

    def test_both_edges_of_a_square(self):
        x = Value(3.0)
        (x * x).backward()
        assert x.grad == 6.0

    def test_several_roots_in_one_sweep(self):
        x = Value(2.0)
        y = x * x
        z = y * 3.0
        tg.backward([y, z])
        assert (x.grad, y.grad) == (16.0, 4.0)
        x.zero_grad()
        tg.backward([y, y], seeds=[1.0, 10.0])
        assert x.grad == 44.0
        with pytest.raises(BadArgument, match="one seed per root"):
            tg.backward([y], seeds=[1.0, 2.0])
        with pytest.raises(NotANumber):
            tg.backward([y, 3.0])

    def test_seed_and_leaf_roots(self):
        x = Value(2.0)
        x.backward(seed=3.0)
        x.backward()
        assert x.grad == 4.0

    def test_constants_want_no_gradient(self):
        asked = []

        def by_y(out, x, y):
            asked.append(y)
            return x

        row = tg.op("times_spied", lambda x, y: x * y, [lambda out, x, y: y, by_y])
        x = Value(2.0)
        c = Value(3.0, role="constant")
        result = row(x, c) + row(x, 4.0) + row(2.0, c) + tg.sum([c, x]) + tg.exp(c)
        result.backward()
        assert asked == []
        assert (x.grad, c.grad) == (8.0, 0.0)
        row(x, Value(3.0)).backward()
        assert asked == [3.0]

    def test_minus_two_squared_by_a_constant_exponent(self):
        x = Value(-2.0)
        (x ** Value(2.0, role="constant")).backward()
        assert x.grad == -4.0

    def test_a_faulty_row_leaves_gradients_as_they_were(self):
        def broken(out, x):
            raise RuntimeError("a bug in a partial")

        row = tg.op("broken_partial", lambda x: x, [broken])
        x = Value(2.0)
        (x * x).backward()
        with pytest.raises(RuntimeError, match="a bug"):
            (row(x) + x).backward()
        assert x.grad == 4.0

    def test_never_raises_for_the_sake_of_a_number(self):
        x = Value(0.0)
        (1.0 / x + tg.log(x) + x / 0.0 + tg.sqrt(x) + x**-1).backward()
        assert math.isnan(x.grad)

    def test_zero_grad_takes_one_many_or_a_module(self):
        model = tg.nn.MLP(1, [2, 1], seed=0)
        model(1.0).backward()
        tg.zero_grad(model)
        assert [p.grad for p in model.parameters()] == [0.0] * 7
        x = Value(1.0)
        (x * x).backward()
        tg.zero_grad(x)
        assert x.grad == 0.0
        with pytest.raises(NotANumber):
            tg.zero_grad([1.0])


class TestStaleGraphs:
    def test_a_changed_leaf_is_never_differentiated_silently(self):
        x, w = Value(3.0), Value(2.0, name="w")
        loss = (x * w) ** 2
        w.data = 5.0
        for use in (loss.backward, lambda: tg.snapshot(loss), lambda: tg.gradients(loss, [x])):
            with pytest.raises(StaleGraph, match=r"'w'.*replay"):
                use()
        assert (x.grad, w.grad) == (0.0, 0.0), "nothing was written"

    def test_a_slope_may_depend_on_an_argument_that_gets_none(self):
        gated = Op("gated", lambda x, y: x * y, [lambda out, x, y: y, None], opaque=False)
        x, y = Value(3.0), Value(2.0)
        out = gated(x, y) * 1.0
        y.data = 5.0
        for use in (out.backward, lambda: tg.gradients(out, [x])):
            with pytest.raises(StaleGraph):
                use()
        stopped = tg.stop_gradient(y) * x  # needs no slope there, so the recorded number is right
        y.data = 7.0
        stopped.backward()
        assert x.grad == 5.0

    def test_replay_records_again_at_todays_numbers(self):
        w = Value(2.0, name="w")
        with tg.scope("here"):
            loss = (w * 3.0) ** 2
        loss.name = "loss"
        w.data = 5.0
        again = tg.replay(loss)
        again.backward()
        assert (again.data, w.grad, again.name, again.scope) == (225.0, 90.0, "loss", "here")
        assert loss.data == 36.0
        assert tg.replay(w) is w

    def test_a_graph_made_after_the_change_is_fine(self):
        w = Value(2.0)
        for _ in range(3):
            w.zero_grad()
            (w * w).backward()
            w.data -= 0.1 * w.grad
        assert w.data == pytest.approx(1.024)

    def test_interior_data_cannot_be_set(self):
        y = Value(2.0) * 3.0
        with pytest.raises(GraphError, match="mul"):
            y.data = 1.0
        assert y.data == 6.0


class TestModes:
    def test_no_grad_records_nothing(self):
        x = Value(2.0)
        with tg.no_grad():
            y = x * x + tg.sum([x, x])
        assert (y.data, y.op, y.args) == (8.0, None, ())

        @tg.no_grad()
        def f():
            return x * x

        assert f().args == ()
        assert (x * x).args == (x, x)

    def test_detach(self):
        x = Value(2.0, name="x")
        y = (x * x).detach()
        assert (y.data, y.args) == (4.0, ())
        assert x.detach().name == "x"

    def test_modes_are_restored_after_an_error(self):
        with pytest.raises(KeyError), tg.no_grad(), tg.scope("a"):
            raise KeyError
        assert Value(1.0).scope is None

    def test_a_mode_may_be_entered_twice(self):
        quiet = tg.no_grad()
        with quiet, quiet:
            pass
        assert (Value(1.0) * 2.0).op is tg.TABLE["mul"]

    def test_threads_and_tasks_do_not_see_each_other(self):
        seen = []
        with tg.scope("main"), tg.no_grad():
            thread = threading.Thread(target=lambda: seen.append(Value(1.0) * 2.0))
            thread.start()
            thread.join()
        assert seen[0].scope is None
        assert seen[0].op is tg.TABLE["mul"]

        async def task(name):
            with tg.scope(name):
                await asyncio.sleep(0)
                return Value(1.0).scope

        async def both():
            return await asyncio.gather(task("a"), task("b"))

        assert asyncio.run(both()) == ["a", "b"]

    def test_anomaly_forward_names_operation_operands_and_line(self):
        x = Value(0.0, name="x")
        with (
            pytest.raises(Anomaly, match=r"(?s)log gave -inf.*x = 0\.0.*test_value\.py.*here"),
            tg.detect_anomaly(),
        ):
            tg.log(x)  # here

    @pytest.mark.parametrize(
        ("make", "says"),
        [
            (lambda x: (x * 1e308) * 1e308, "mul gave inf from finite"),
            (lambda x: x * math.inf - math.inf, "sub gave nan from operands that are not nan"),
            (lambda x: tg.sum([x] * 9 + [math.inf, -math.inf]), r"sum gave nan.*11 operands"),
            (lambda x: (x - 3.0) / 0.0, "div gave nan from finite"),
        ],
    )
    def test_anomaly_finds_the_birth(self, make, says):
        with pytest.raises(Anomaly, match=says), tg.detect_anomaly():
            make(Value(3.0))

    def test_anomaly_does_not_blame_who_only_passes_it_on(self):
        with tg.detect_anomaly():
            y = Value(math.nan) * 2.0 + math.inf
        assert math.isnan(y.data)

    def test_anomaly_backward_explains_zero_times_infinity(self):
        x = Value(0.0, name="x")
        with tg.detect_anomaly():
            y = tg.where(x > 0.0, tg.sqrt(x), 1.0)
            with pytest.raises(Anomaly, match=r"(?s)sqrt.*0\.0 × .*inf.*guard the argument.*x = 0"):
                y.backward()
        assert x.grad == 0.0
        y.backward()
        assert math.isnan(x.grad), "0 · inf is nan, through where too"

    def test_after_an_anomaly_every_grad_is_as_before(self):
        x = Value(0.0)
        root = tg.sqrt(x)
        y = root * 2.0
        for node, grad in zip((x, root, y), (1.0, 2.0, 3.0)):
            node.grad = grad
        with tg.detect_anomaly(), pytest.raises(Anomaly):
            y.backward()
        assert [x.grad, root.grad, y.grad] == [1.0, 2.0, 3.0]

    def test_anomaly_backward_outside_says_that_lines_are_unknown(self):
        y = tg.sqrt(Value(0.0))
        with pytest.raises(Anomaly, match="recorded outside"), tg.detect_anomaly():
            y.backward()

    def test_anomaly_lets_right_numbers_through(self):
        x = Value(3.0)
        with tg.detect_anomaly():
            y = tg.sum([x * x, tg.exp(x), 2.0 / x, tg.stop_gradient(x)])
            y.backward()
        assert x.grad == pytest.approx(6.0 + math.exp(3.0) - 2.0 / 9.0)


class TestTravel:
    @pytest.mark.parametrize(
        "send", [copy.copy, copy.deepcopy, lambda v: pickle.loads(pickle.dumps(v))]
    )
    def test_leaves_travel(self, send):
        with tg.scope("here"):
            w = Value(2.0, name="w", role="parameter")
        w.grad = 3.0
        there = send(w)
        assert there is not w
        assert (there.data, there.grad, there.name, there.role, there.scope) == (
            2.0, 3.0, "w", "parameter", "here",
        )  # fmt: skip
        (there * there).backward()
        assert w.grad == 3.0

    def test_modules_travel_and_shared_parameters_stay_shared(self):
        class Tied(tg.nn.Module):
            def __init__(self):
                self.w = Value(2.0)
                self.also = [self.w]
                self.act = tg.tanh

        for send in (copy.deepcopy,):
            tied = send(Tied())
            assert tied.also[0] is tied.w
            assert len(tied.parameters()) == 1
        model = tg.nn.MLP(2, [3, 1], activation="tanh", seed=0)
        there = pickle.loads(pickle.dumps(model))
        assert there([1.0, 2.0]).data == model([1.0, 2.0]).data
        assert there.parameters()[0] is not model.parameters()[0]

    @pytest.mark.parametrize("send", [copy.copy, copy.deepcopy, pickle.dumps])
    def test_graphs_do_not(self, send):
        with pytest.raises(GraphError, match=r"detach\(\)"):
            send(Value(2.0) * 3.0)


class TestRowsOfUsers:
    def test_a_row_works_everywhere(self):
        cube = tg.op(
            "cube_for_test", lambda x: x * x * x, [lambda out, x: 3.0 * x * x], tex="{#1}^3"
        )
        assert cube(2) == 8.0
        x = Value(2.0)
        y = cube(x)
        y.backward()
        assert (y.data, x.grad) == (8.0, 12.0)
        assert tg.grad(tg.grad(cube))(2.0) == 12.0
        assert tg.jvp(cube, (2.0,), (1.0,)) == (8.0, 12.0)
        assert tg.snapshot(y).root.op is cube

    def test_a_decorator(self):
        @tg.op("half_for_test", partials=[lambda out, x: 0.5])
        def half(x):
            return np.float64(x / 2)

        y = half(Value(3.0))
        assert type(y.data) is float
        assert tg.grad(half)(3.0) == 0.5

    def test_an_n_ary_row_of_several_that_depend_on_each_other(self):
        product = tg.op(
            "product_for_test",
            lambda *xs: math.prod(xs),
            lambda i, out, *xs: tg.TABLE["product_for_test"]([*xs[:i], *xs[i + 1 :]]),
        )
        xs = [Value(2.0), Value(3.0), Value(4.0)]
        product(xs).backward()
        assert [x.grad for x in xs] == [12.0, 8.0, 6.0]
        assert tg.hessian(lambda v: product(v))([2.0, 3.0, 4.0])[0] == [0.0, 4.0, 3.0]

    def test_leaving_the_domain_gives_nan_not_an_error(self):
        row = tg.op("log_for_test", math.log, [lambda out, x: 1.0 / x])
        assert math.isnan(row(-1.0))
        x = Value(0.0)
        row(x).backward()
        assert x.grad == math.inf

    def test_a_partial_that_is_not_made_of_rows_says_what_to_do(self):
        row = tg.op("sin_for_test", math.sin, [lambda out, x: math.cos(x)])
        assert tg.grad(row)(0.0) == 1.0
        with pytest.raises(TypeError, match=r"tg\.sin"):
            tg.grad(tg.grad(row))(0.0)

    @pytest.mark.parametrize(
        ("arguments", "says"),
        [
            (("tanh", lambda x: x, [lambda out, x: 1.0]), "built in"),
            (("a b", lambda x: x, [lambda out, x: 1.0]), "identifier"),
            (
                ("two_for_test", lambda x, y: x, [lambda out, x, y: 1.0]),
                "one partial derivative per",
            ),
            (("none_for_test", lambda x: x, [1.0]), "one partial derivative per"),
        ],
    )
    def test_a_row_that_cannot_be(self, arguments, says):
        with pytest.raises(BadArgument, match=says):
            tg.op(*arguments)
        assert tg.TABLE["tanh"] is tg.tanh

    def test_a_partial_of_none_lets_no_gradient_flow(self):
        gate = tg.op("gate_for_test", lambda x, g: x * g, [lambda out, x, g: g, None])
        x, g = Value(2.0), Value(0.0)
        (gate(x, tg.log(g)) + x).backward()  # log(0) has an infinite slope: not even 0 times it
        assert (x.grad, g.grad) == (-math.inf, 0.0)
        assert tg.grad(lambda g: gate(2.0, g))(3.0) == 0.0
        assert tg.jvp(lambda x, g: gate(x, g), (2.0, 3.0), (1.0, 1.0)) == (6.0, 3.0)
        assert tg.snapshot(gate(x, g)).root.partials == (0.0, None)

    def test_rows_travel_by_name(self):
        assert pickle.loads(pickle.dumps(tg.tanh)) is tg.tanh
        assert copy.deepcopy(tg.tanh) is tg.tanh


class TestSnapshot:
    def test_numbers_add_up_whatever_grad_holds(self):
        w = Value(2.0, name="w", role="parameter")
        loss = (w * 3.0 - w) ** 2
        before = tg.snapshot(loss)
        loss.backward()
        loss.backward()
        assert tg.snapshot(loss) == before
        assert w.grad == 2.0 * before.nodes[0].adjoint
        for node in before.nodes[:-1]:
            arriving = sum(
                end.partials[i] * end.adjoint
                for start, i, end in before.edges()
                if start is node and end.partials[i] is not None
            )
            assert arriving == node.adjoint
        assert before.root.adjoint == 1.0

    def test_what_a_node_tells(self):
        w = Value(2.0, name="w", role="parameter")
        with tg.scope("s"):
            y = w * 3.0
        w_node, three, product = tg.snapshot(y).nodes
        assert (w_node.id, w_node.op, w_node.data, w_node.adjoint) == (0, None, 2.0, 3.0)
        assert (three.role, three.data, three.scope) == ("constant", 3.0, "s")
        assert (product.args, product.partials, product.scope) == ((0, 1), (3.0, None), "s")
        assert [n.label for n in (w_node, three, product)] == ["w", "3", "×"]

    def test_behind_stop_gradient_all_is_shown_and_nothing_flows(self):
        x = Value(2.0)
        graph = tg.snapshot(x + tg.stop_gradient(x * x))
        assert [node.adjoint for node in graph.nodes] == [1.0, 0.0, 1.0, 1.0]
        assert graph.nodes[2].partials == (None,)

    def test_only_values_have_one(self):
        with pytest.raises(GraphError, match=r"Received: 3\.0"):
            tg.snapshot(3.0)
