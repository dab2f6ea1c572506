"""The tests of the tests: check_grads accepts what is right and rejects what is wrong."""

from __future__ import annotations

import cmath
import math
import random
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import find, given, settings

import tinygrad_edu as tg
from tinygrad_edu import Value
from tinygrad_edu.core import ops
from tinygrad_edu.core.table import BUILT_IN, TABLE, Op
from tinygrad_edu.errors import BadArgument, GradientMismatch, MissingExtra, NameUnknown
from tinygrad_edu.testing import Expression, check_grads, strategies
from tinygrad_edu.testing import checking as checking_room
from tinygrad_edu.testing.differences import slopes

ROWS = [TABLE[name] for name in sorted(BUILT_IN - {"stop_gradient"})]
every_row = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)


def somewhere(row: Op) -> tuple[float, ...]:
    """A point well inside the row's domain and off its kinks; always the same one."""
    rng = random.Random(row.name)
    ranges = row.sample if row.arity is not None else row.sample * 3
    while True:
        point = tuple(rng.uniform(max(low, -3.0), min(high, 3.0)) for low, high in ranges)
        if strategies._smooth(row, point):
            return point


def applied(row: Op):
    return row if row.arity is not None else lambda *xs: row(xs)


@pytest.fixture
def new_row():
    """Rows for one test only."""
    names = set(TABLE)
    yield lambda name, *args, **named: tg.op(name, *args, **named)
    for name in set(TABLE) - names:
        del TABLE[name]


class TestEveryRow:
    @every_row
    def test_passes_as_it_is(self, row):
        report = check_grads(applied(row), *somewhere(row))
        assert report.checks > 5
        assert not report.kinks
        assert not report.undecided

    @every_row
    @pytest.mark.parametrize("mode", ["fwd", "rev"])
    def test_fails_with_a_slightly_wrong_partial_and_is_named(self, row, mode, monkeypatch):
        point = somewhere(row)
        right = row.partials
        if row.arity is None:
            together = row.together
            monkeypatch.setattr(
                row, "together", lambda *a: [p * (1.0 + 1e-6) for p in together(*a)]
            )
            wrongs = [right]
        else:
            wrongs = [
                (*right[:k], lambda *a, r=rule: r(*a) * (1.0 + 1e-6) + 2e-6, *right[k + 1 :])
                for k, rule in enumerate(right)
                if rule is not None
            ]
        for wrong in wrongs:
            monkeypatch.setattr(row, "partials", wrong)
            with pytest.raises(GradientMismatch, match=rf"partial \d of row '{row.name}' is wrong"):
                check_grads(applied(row), *point, order=1, modes=[mode])

    @every_row
    def test_whose_partial_is_no_graph_fails_at_the_second_order(self, row, monkeypatch):
        point = somewhere(row)
        bend = tg.jacobian(lambda a: tg.jacobian(lambda b: applied(row)(*b))(a))(list(point))
        if not any(abs(x) > 1e-3 for line in bend for x in line):
            return

        def number(x):
            return x.data if isinstance(x, Value) else x

        def cut(rule):
            return rule and (lambda *args: rule(*map(number, args)))

        if row.arity is None:
            monkeypatch.setattr(row, "together", cut(row.together))
        else:
            monkeypatch.setattr(row, "partials", tuple(map(cut, row.partials)))
        check_grads(applied(row), *point, order=1)
        with pytest.raises(GradientMismatch, match=r"order +2 after (fwd|rev)"):
            check_grads(applied(row), *point)


class TestAccuracy:
    def test_a_slope_of_2_001_where_2_is_right_is_rejected(self, new_row):
        twice = new_row("twice", lambda x: 2.0 * x, [lambda out, x: 2.001])
        with pytest.raises(GradientMismatch, match=r"returns 2\.001, the differences .* 2\.0 ±"):
            check_grads(twice, 3.0)

    @pytest.mark.parametrize("scale", [1e-200, 1e-9, 1.0, 1e9, 1e200])
    @pytest.mark.parametrize("at", [1e-12, 0.3, 1.0, 1e7])
    def test_a_millionth_is_seen_at_every_scale(self, new_row, scale, at):
        slope = 2.0 * scale
        row = new_row("bowl", lambda x: scale * x * x, [lambda out, x: slope * x])
        assert not check_grads(row, at).undecided
        slope *= 1.0 + 1e-6
        with pytest.raises(GradientMismatch, match="'bowl'"):
            check_grads(row, at, order=1)

    @given(
        strategies.st.lists(strategies.st.integers(-1000, 1000), min_size=3, max_size=3),
        strategies.st.integers(-1000, 1000),
    )
    def test_differences_of_quadratics_are_exact(self, coefficients, at):
        a, b, c = map(float, coefficients)
        (slope,) = slopes(lambda x: [a * x[0] * x[0] + b * x[0] + c], [float(at)], [1024.0])
        assert slope.low == slope.high == (2.0 * a * at + b) * 1024.0

    def test_a_loss_of_a_billion(self, monkeypatch):
        """The post's houses: every value is huge, every slope too, and both ends far apart."""
        sizes, prices = (1.0, 2.0, 3.0, 4.0, 5.0), (1e5, 2e5, 3e5, 4e5, 5e5)

        def loss(w, b):
            return tg.sum([(w * x + b - y) ** 2 for x, y in zip(sizes, prices)]) / 5.0

        assert loss(Value(0.5), Value(0.0)).data > 1e9
        assert not check_grads(loss, 0.5, 0.0).undecided
        wrong = (lambda out, x: 2.000002 * x,)
        monkeypatch.setattr(ops.square, "partials", wrong)
        with pytest.raises(GradientMismatch, match="'square'"):
            check_grads(loss, 0.5, 0.0)

    @pytest.mark.parametrize(
        ("f", "point"),
        [
            (tg.log, (1e-150,)),
            (tg.log, (1e-9,)),
            (tg.exp, (-700.0,)),
            (tg.exp, (600.0,)),
            (tg.sqrt, (1e-20,)),
            (tg.reciprocal, (1e-5,)),
            (lambda x: tg.sin(1e9 * x), (1.0,)),
            (lambda x: tg.sin(2.0 * math.pi * x), (0.0,)),
            (lambda x, y: tg.log(x) * y, (1e-9, 1e9)),
            (lambda x: tg.cos(x), (math.pi,)),
            (lambda x: x * x / x, (3.7,)),
            (lambda x: 5.0, (1.0,)),
            (lambda x: tg.relu(x - 1.0), (1.0 + 1e-6,)),
            (lambda x: (x + 1e9) - 1e9 + x * x, (0.3,)),
            (lambda x: tg.pow(x, -20.0), (0.001,)),
        ],
    )
    def test_right_slopes_of_difficult_functions_pass(self, f, point):
        report = check_grads(f, *point)
        assert not report.kinks
        assert not report.undecided

    @pytest.mark.parametrize("x", [1e-5, 1e-3, 0.1])
    def test_a_row_that_cancels_within(self, new_row, x):
        """1 − cos x has few right digits at small x, which the graph can't know."""
        row = new_row("versine", lambda x: 1.0 - math.cos(x), [lambda out, x: ops.sin(x)])
        check_grads(row, x, order=1)

    def test_a_pole_within_a_step_is_no_trap(self):
        """(g(x + h) − g(x − h)) / 2h of 1/x² is about 0 for h ≫ x, to many digits."""
        for x in (1e-5, 1e-3, 0.1):
            check_grads(lambda x: tg.reciprocal(x) * tg.reciprocal(x), x)

    @pytest.mark.parametrize("f", [tg.exp, tg.sin, tg.log, tg.tanh, tg.gelu])
    def test_differences_of_smooth_functions_are_sharp(self, f):
        (slope,) = slopes(lambda xs: [f(xs[0])], [0.7], [0.5])
        assert slope.error < 1e-11
        assert abs(slope.low - 0.5 * tg.grad(f)(0.7)) < slope.error

    def test_a_power_whose_steps_lead_across_the_pole(self):
        check_grads(tg.pow, 0.001, -20.0, order=1)

    def test_rtol_lets_more_pass(self, new_row):
        row = new_row("twice", lambda x: 2.0 * x, [lambda out, x: 2.001])
        check_grads(row, 3.0, rtol=1e-2)

    def test_a_small_output_does_not_hide_behind_a_large_one(self, new_row):
        row = new_row("tiny", lambda x: 1e-9 * x, [lambda out, x: 1.001e-9])
        for modes in (["fwd"], ["rev"]):
            with pytest.raises(GradientMismatch, match="'tiny'"):
                check_grads(lambda x: [1e9 * x, row(x)], 1.0, modes=modes)


class TestKinks:
    @pytest.mark.parametrize(
        ("f", "point", "kink"),
        [
            (tg.relu, (0.0,), "relu(x=0.0)"),
            (tg.abs, (0.0,), "abs(x=0.0)"),
            (tg.maximum, (2.0, 2.0), "maximum(x=2.0, y=2.0)"),
            (tg.leaky_relu, (0.0, 0.2), "leaky_relu(x=0.0, slope=0.2)"),
            (tg.hypot, (0.0, 0.0), "hypot(x=0.0, y=0.0)"),
            (tg.floor, (2.0,), "floor(x=2.0)"),
            (tg.sign, (0.0,), "sign(x=0.0)"),
            (lambda x: tg.relu6(x * 2.0), (3.0,), "relu6(x=6.0)"),
        ],
    )
    def test_are_reported_and_are_no_failures(self, f, point, kink):
        report = check_grads(f, *point, order=1)
        assert [str(k) for k in report.kinks] == [kink]
        assert f"kink: {kink}" in repr(report)

    def test_bear_the_names_of_their_nodes(self):
        def f(x):
            hidden = x - 1.0
            hidden.name = "hidden"
            out = tg.relu(hidden)
            out.name = "output"
            return out

        (kink,) = check_grads(f, 1.0, order=1).kinks
        assert kink == ("relu", "output", (("hidden", 0.0),), False)

    def test_a_subgradient_must_lie_between_the_slopes_of_both_sides(self, new_row):
        def hinge(slope):
            return new_row(
                "hinge",
                lambda x: max(x, 0.0),
                [lambda out, x: ops.step(x) + slope * ops.equal(x, 0.0)],
                kinks=lambda x: (x > 0) - (x < 0),
            )

        for fair in (0.0, 0.3, 1.0):
            assert check_grads(hinge(fair), 0.0, order=1).kinks
        for unfair in (-0.01, 1.01):
            with pytest.raises(GradientMismatch, match=r"between 0\.0 and"):
                check_grads(hinge(unfair), 0.0, order=1)

    def test_two_kinks_that_cancel_are_undecided(self):
        """relu(x) − relu(−x) is x; yet fair slopes at both kinks add up to 0."""
        with pytest.warns(UserWarning, match="not smooth"):
            check_grads(lambda x: tg.relu(x) - tg.relu(-x), 0.0, order=1)

    def test_two_kinks_that_do_not_cancel_are_undecided(self):
        with pytest.warns(UserWarning, match="not smooth"):
            check_grads(lambda x: tg.relu(x) - 2.0 * tg.relu(-x), 0.0, order=1)

    def test_nothing_is_demanded_outside_of_a_domain(self):
        with pytest.warns(UserWarning, match="not inside its domain"):
            report = check_grads(tg.soft_shrink, 0.0, 0.0)
        assert report.kinks[0].outside

    def test_kinks_are_seen_under_no_grad(self):
        with tg.no_grad():
            assert check_grads(tg.relu, 0.0, order=1).kinks

    def test_kinks_where_nothing_bends_are_not_reported(self):
        assert not check_grads(lambda x: x * tg.relu(x), 0.0, order=1).kinks

    def test_a_branch_of_the_program(self):
        report = check_grads(lambda x: x * 2.0 if x > 1.0 else x + 1.0, 1.0, order=1)
        assert [kink.op for kink in report.kinks] == ["branch"]

    def test_an_output_without_a_kink_is_checked_as_ever(self, new_row):
        row = new_row("twice", lambda x: 2.0 * x, [lambda out, x: 2.001])
        with pytest.raises(GradientMismatch, match="'twice'"):
            check_grads(lambda x: [tg.relu(x), row(x)], 0.0)


class TestUndecided:
    @pytest.mark.parametrize(
        ("f", "point", "why"),
        [
            (tg.log, -1.0, "no two steps"),
            (tg.sqrt, 0.0, "no two steps"),
            (lambda x: 1e9 + 1e-9 * x, 1.0, "too noisy"),
            (lambda x: tg.stop_gradient(x) * x, 2.0, "stop_gradient"),
            (lambda x: tg.where(tg.greater(x, 0.0), tg.log(x), 0.0), -1.0, "not inside its domain"),
        ],
    )
    def test_is_said(self, f, point, why):
        with pytest.warns(UserWarning, match=why):
            report = check_grads(f, point, order=1)
        assert any(why in message for message in report.undecided)
        assert "undecided" in repr(report)

    def test_stopping_what_is_constant_anyway_hides_nothing(self):
        assert not check_grads(lambda x: x * tg.stop_gradient(tg.floor(x)), 2.5).undecided


class TestShapes:
    def test_nested_containers_in_and_out(self, new_row):
        def f(p, k):
            return {
                "sum": p["w"][0] * k + p["b"],
                "list": [p["w"][1] * p["w"][0], (tg.sin(k), 3.0)],
            }

        point = {"w": [1.5, -2.0], "b": 0.5}, 0.7
        assert not check_grads(f, *point).undecided
        row = new_row("twice", lambda x: 2.0 * x, [lambda out, x: 2.001])
        with pytest.raises(GradientMismatch) as caught:
            check_grads(lambda p, k: {**f(p, k), "row": row(p["b"])}, *point)
        assert "point       ({'w': [1.5, -2.0], 'b': 0.5}, 0.7)" in str(caught.value)

    def test_arrays(self):
        check_grads(lambda m, v: np.tanh(m @ v), np.array([[1.0, 2.0], [0.5, -1.0]]), np.ones(2))

    def test_values_stand_for_their_numbers_and_keep_their_grads(self):
        x = Value(2.0, name="x")
        check_grads(lambda x: x**3, x)
        assert x.grad == 0.0

    def test_values_from_outside_are_constants(self):
        w = Value(3.0)
        check_grads(lambda x: w * x * x, 2.0)
        assert w.grad == 0.0

    def test_a_model(self):
        model = tg.nn.MLP(2, [3, 1], activation="tanh", seed=1)
        check_grads(lambda x: model(x), [0.5, -1.0], order=1)


class TestSettings:
    def test_third_order(self, new_row):
        check_grads(lambda x, y: tg.exp(x * y) + tg.sin(x), 0.3, 0.8, order=3)
        # the first partial is right, and its slope; the slope of its slope is lost
        lost = new_row("bend", lambda x: 6.0 * x, [lambda out, x: 6.1])
        row = new_row("cubic", lambda x: x * x * x, [lambda out, x: 0.5 * x * lost(x)])
        check_grads(row, 2.0, order=1)
        with pytest.raises(GradientMismatch):
            check_grads(row, 2.0, order=3)

    def test_the_same_seed_gives_the_same_directions(self, new_row):
        row = new_row("off", lambda x, y: x * y, [lambda out, x, y: y, lambda out, x, y: 1.1 * x])

        def told(seed):
            with pytest.raises(GradientMismatch) as caught:
                check_grads(row, 1.0, 2.0, seed=seed)
            return str(caught.value)

        assert told(1) == told(1)
        assert len({told(seed) for seed in range(5)}) > 1

    def test_modes_of_the_surroundings_do_not_matter(self):
        with tg.no_grad():
            check_grads(lambda x: x * x, 2.0)
        with tg.detect_anomaly():
            check_grads(tg.log, 0.3)  # whose first steps lead out of the domain

    def test_a_function_may_refuse_points_beside(self):
        def f(x):
            if not 0.9 < x.data < 1.1:
                raise ValueError
            return x * x

        assert not check_grads(f, 1.0).undecided

    @pytest.mark.parametrize(
        ("call", "error", "says"),
        [
            (lambda: check_grads(tg.sin, 1.0, modes=["forward"]), NameUnknown, "fwd"),
            (lambda: check_grads(tg.sin, 1.0, modes=[]), BadArgument, "a mode"),
            (lambda: check_grads(tg.sin, 1.0, order=0), BadArgument, "order=0"),
            (lambda: check_grads(tg.sin, 1.0, directions=0), BadArgument, "directions=0"),
            (lambda: check_grads(tg.sin, math.inf), BadArgument, "inf"),
            (lambda: check_grads(lambda: 1.0), BadArgument, r"\(\)"),
        ],
    )
    def test_each_error_says_what_was_received(self, call, error, says):
        with pytest.raises(error, match=says):
            call()


class TestWhatAMismatchTells:
    def test_all_of_it(self, new_row):
        row = new_row("cube", lambda x: x * x * x, [lambda out, x: 3.001 * x * x])
        with pytest.raises(GradientMismatch) as caught:
            check_grads(lambda x: row(x) + x, 2.0, order=1)
        for line in (
            "differences of the values disagree with forward and reverse mode",
            "order       1",
            "point       (2.0,)",
            "direction   (",
            "forward     ",
            "reverse     ",
            "ulps",
            "The partial 0 of row 'cube' is wrong at (x=2.0): it returns 12.004, the differences",
        ):
            assert line in str(caught.value)

    def test_a_graph_that_was_left(self):
        with pytest.raises(GradientMismatch, match="leave the graph"):
            check_grads(lambda x: x * x.data, 3.0)

    @pytest.mark.parametrize("mode", ["forward", "reverse"])
    def test_which_of_the_two_modes_is_wrong(self, monkeypatch, mode):
        """With the real tolerance between the modes: a few last digits are enough."""
        off = 1.0 + 2.0**-40
        if mode == "forward":
            right = checking_room.jvp
            monkeypatch.setattr(
                checking_room,
                "jvp",
                lambda *a: (lambda y, dy: (y, [d * off for d in dy]))(*right(*a)),
            )
        else:
            right = checking_room.vjp

            def wrong(*args):
                y, pullback = right(*args)
                return y, lambda w: ([g * off for g in pullback(w)[0]],)

            monkeypatch.setattr(checking_room, "vjp", wrong)
        with pytest.raises(GradientMismatch, match=f"{mode} mode disagrees"):
            check_grads(lambda x: x * x, 2.0, order=1, rtol=1e-6)


class TestStrategies:
    def test_numbers_are_moderate(self):
        @given(strategies.numbers(-3.0, 2.5))
        def check(x):
            assert -3.0 <= x <= 2.5
            assert x == 0.0 or abs(x) >= 2.0**-10

        check()
        assert 0.25 <= find(strategies.numbers(0.25, 0.75), lambda x: True) <= 0.75
        with pytest.raises(BadArgument, match="inf"):
            strategies.numbers(0.0, math.inf)

    @pytest.mark.parametrize("wanted", [math.isnan, math.isinf, lambda x: 0.0 < x < 1e-308])
    def test_any_floats_are_any(self, wanted):
        find(strategies.any_floats(), wanted)

    @given(strategies.values(roles=strategies.st.sampled_from(["input", None])))
    def test_values_are_leaves(self, value):
        assert value.op is None
        assert value.role in ("input", None)

    def test_points_are_inside_domains_and_off_kinks(self):
        @given(strategies.st.data())
        def check(data):
            row = data.draw(strategies.st.sampled_from(ROWS))
            args = data.draw(strategies.points(row))
            assert row.domain is None or row.domain(*args)
            assert math.isfinite(row.compute(*args))
            if row.kinks is not None and row.arity == 1:
                (x,) = args
                both = math.nextafter(x, math.inf), math.nextafter(x, -math.inf)
                assert {row.kinks(y) for y in both} == {row.kinks(x)}

        check()
        assert find(strategies.points(tg.relu, kinks=True), lambda args: True) == (0.0,)
        with pytest.raises(BadArgument, match="row"):
            strategies.points(math.sin)

    def test_graphs_share_and_use_every_row(self):
        shared = find(
            strategies.graphs(),
            lambda graph: max(n for _, n in uses(graph.expression) if n) > 1,
        )
        assert len(shared.expression.steps) <= 2
        rows = {row.name for row in strategies.DIFFERENTIABLE}
        assert {"mul", "sum", "logsumexp", "where", "gelu"} <= rows
        assert not rows & {"sign", "floor", "less", "stop_gradient"}

    @given(strategies.graphs([tg.relu, tg.maximum, tg.add, tg.neg]))
    def test_graphs_stay_off_kinks_by_a_margin(self, graph):
        report = check_grads(graph.expression, *graph.point, order=1)
        assert not report.kinks
        results = graph.expression.trace(*graph.point)
        for op, places in graph.expression.steps:
            if op is tg.relu:
                assert abs(results[places[0]]) > 1e-3

    def test_graphs_of_given_rows(self):
        @given(strategies.graphs([tg.add, tg.mul], max_leaves=1, max_steps=5))
        def check(graph):
            assert graph.expression.leaves == 1
            assert {op for op, _ in graph.expression.steps} <= {tg.add, tg.mul}

        check()

    def test_a_failing_graph_shrinks_to_the_culprit(self):
        """A failure caused by a sigmoid is shown as a sigmoid of next to nothing."""
        found = find(
            strategies.graphs(),
            lambda graph: any(op is tg.sigmoid for op, _ in graph.expression.steps),
            settings=settings(derandomize=True, database=None, max_examples=2000),
        )
        *before, (last, _) = found.expression.steps
        assert last is tg.sigmoid
        assert len(before) <= 2  # the shrinker may stop early, say at sigmoid(a + a)


def uses(expression: Expression):
    places = [i for _, where in expression.steps for i in where]
    return [(i, places.count(i)) for i in range(expression.leaves + len(expression.steps))]


class TestExpression:
    SHARING = Expression(
        2, ((ops.mul, (0, 1)), (ops.neg, (2,)), (ops.sub, (3, 2)), (ops.sum, (4, 2, 0)))
    )

    def test_is_shown_as_code(self):
        assert repr(self.SHARING) == "lambda a, b: tg.sum([(-(c := a * b)) - c, c, a])"

    def test_runs_on_any_number(self):
        assert self.SHARING(2.0, 3.0) == -4.0
        assert self.SHARING(Value(2.0), 3.0).data == -4.0
        plain = {ops.mul: lambda x, y: x * y, ops.neg: lambda x: -x, ops.sub: lambda x, y: x - y}

        def apply(op, operands):
            return sum(operands) if op is ops.sum else plain[op](*operands)

        assert self.SHARING(2j, 3.0, apply=apply) == -4j
        assert cmath.isfinite(self.SHARING(2j, 3.0, apply=apply))

    def test_says_when_the_arguments_do_not_fit(self):
        with pytest.raises(BadArgument, match="takes 2 arguments"):
            self.SHARING(1.0)

    def test_a_row_of_a_user_is_shown_by_the_table(self, new_row):
        row = new_row("cube", lambda x: x * x * x, [lambda out, x: 3.0 * x * x])
        assert repr(Expression(1, ((row, (0,)),))) == "lambda a: tg.TABLE['cube'](a)"

    def test_a_hundred_thousand_steps_deep(self):
        steps = tuple((ops.neg, (i,)) for i in range(100_000))
        deep = Expression(1, steps)
        assert deep(1.0) == 1.0
        assert len(repr(deep)) > 100_000


class TestWithoutHypothesis:
    CODE = """
import sys
sys.modules["hypothesis"] = None
import tinygrad_edu.testing as testing
testing.check_grads(lambda x: x * x, 3.0)
try:
    testing.strategies
except ImportError as error:
    assert type(error).__name__ == "MissingExtra", error
    assert "pip install 'tinygrad-edu[testing]'" in str(error)
else:
    raise SystemExit("strategies came without Hypothesis")
try:
    from tinygrad_edu.testing import strategies
except ImportError as error:
    assert type(error).__name__ == "MissingExtra", error
"""

    def test_checks_work_and_strategies_name_the_extra(self):
        subprocess.run([sys.executable, "-c", self.CODE], check=True)
        assert issubclass(MissingExtra, ImportError)

    def test_hypothesis_is_imported_late(self):
        code = "import sys, tinygrad_edu.testing; sys.exit('hypothesis' in sys.modules)"
        subprocess.run([sys.executable, "-c", code], check=True)
