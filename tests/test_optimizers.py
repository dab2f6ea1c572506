"""Update rules: Keras's numbers, and what must hold for every rule whatever its numbers."""

from __future__ import annotations

import copy
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_edu as tg
from tinygrad_edu import Value, nn
from tinygrad_edu.errors import BadArgument, NameUnknown, NotANumber
from tinygrad_edu.nn.optimizers import (
    OPTIMIZERS,
    SGD,
    Adam,
    AdamW,
    Ftrl,
    Lion,
    Optimizer,
    RMSprop,
    optimizer,
    optimizer_from_config,
)
from tinygrad_edu.nn.schedules import SCHEDULES, CosineDecay, ExponentialDecay

DATA = Path(__file__).parent / "data"
KERAS = json.loads((DATA / "optimizers_float64.json").read_text())
MORE = json.loads((DATA / "optimizers_settings_float64.json").read_text())

# Every rule with its defaults, and the settings that change its formula.
FORMULAS = {
    "sgd": [{"momentum": 0.9}, {"momentum": 0.9, "nesterov": True}],
    "adam": [{"amsgrad": True, "beta_2": 0.5}],
    "rmsprop": [{"momentum": 0.5}, {"centered": True}],
    "ftrl": [
        {"l1_regularization_strength": 0.01, "l2_regularization_strength": 0.1, "beta": 0.1},
        {"learning_rate_power": -0.4, "l2_shrinkage_regularization_strength": 0.1},
    ],
}
SHARED = [
    {"weight_decay": 0.01}, {"clipvalue": 1.0}, {"clipnorm": 1.0}, {"global_clipnorm": 1.0},
    {"learning_rate": ExponentialDecay(0.05, 10, 0.5)},
]  # fmt: skip
EVERY = [
    pytest.param(cls, settings, id=f"{name} {settings or ''}")
    for name, cls in OPTIMIZERS.items()
    for settings in [{}, *FORMULAS.get(name, [])]
]
every = pytest.mark.parametrize(("cls", "settings"), EVERY)
shared = st.sampled_from([{}, *SHARED])

numbers = st.floats(-10.0, 10.0)
three = st.lists(numbers, min_size=3, max_size=3)


def bowl(parameters: list[Value], at: list[float]) -> Value:
    """A convex quadratic, steeper for each further parameter, with its bottom ``at``."""
    squares = [(i + 1.0) * (p - a) ** 2 for i, (p, a) in enumerate(zip(parameters, at))]
    return tg.sum(squares)


def descend(optimizer: Optimizer, at: list[float], steps: int) -> list[float]:
    """That many steps down a bowl; the loss before each."""
    losses = []
    for _ in range(steps):
        tg.zero_grad(optimizer.parameters)
        loss = bowl(optimizer.parameters, at)
        loss.backward()
        losses.append(loss.data)
        optimizer.step()
    return losses


def leaves(start: list[float]) -> list[Value]:
    return [Value(x) for x in start]


def data(values: list[Value]) -> list[float]:
    return [value.data for value in values]


def of_keras(config: dict[str, Any]) -> dict[str, Any]:
    """Keras's configuration without what it alone has."""
    alone = ("use_ema", "ema_momentum", "ema_overwrite_frequency", "loss_scale_factor",
             "gradient_accumulation_steps")  # fmt: skip
    settings = {key: value for key, value in config.items() if key not in alone}
    rate = settings["learning_rate"]
    if isinstance(rate, dict):
        settings["learning_rate"] = SCHEDULES[rate["class_name"]](**rate["config"])
    return settings


class TestKeras:
    @pytest.mark.parametrize("run", KERAS["runs"], ids=lambda run: run["id"])
    def test_every_step(self, run):
        w, b = Value(run["init"]["w"]), Value(run["init"]["b"])
        descent = OPTIMIZERS[run["class"].lower()]([w, b], **of_keras(run["config"]))
        points = KERAS["data"][run["data"]]
        ws, bs, losses = [w.data], [b.data], []
        for _ in range(run["steps"]):
            tg.zero_grad([w, b])
            squares = [(w * x + b - y) ** 2 for x, y in zip(points["x"], points["y"])]
            loss = tg.sum(squares) / len(squares)
            loss.backward()
            descent.step()
            losses.append(loss.data)
            ws.append(w.data)
            bs.append(b.data)
        exact = run["exact64"]
        assert ws == pytest.approx(exact["w"], rel=1e-12, abs=0.0)
        assert bs == pytest.approx(exact["b"], rel=1e-12, abs=0.0)
        assert losses == pytest.approx(exact["loss"], rel=1e-12, abs=0.0)

    @pytest.mark.parametrize("run", MORE["runs"], ids=lambda r: f"{r['class']} {r['settings']}")
    def test_every_setting(self, run):
        values = leaves(MORE["start"])
        descent = OPTIMIZERS[run["class"].lower()]([values[:4], values[4:]], **run["settings"])
        for t in range(1, 31):
            descend(descent, MORE["bottom"], 1)
            if str(t) in run["after"]:
                assert data(values) == pytest.approx(run["after"][str(t)], rel=1e-12, abs=1e-14)

    def test_every_setting_was_recorded_away_from_its_default(self):
        for cls in OPTIMIZERS.values():
            own = {*cls.limits} - {*Optimizer.limits}
            told = {
                name
                for runs in (KERAS["runs"], MORE["runs"])
                for run in runs
                if run["class"] in (base.__name__ for base in (cls, Adam) if issubclass(cls, base))
                for name, value in run.get("settings", run.get("config", {})).items()
                if value != getattr(cls, name, value)
            }
            assert own <= told

    def test_every_rule_and_its_defaults_were_recorded(self):
        assert {cls.__name__ for cls in OPTIMIZERS.values()} == {r["class"] for r in KERAS["runs"]}
        for run in KERAS["runs"]:
            if "default" in run["id"]:
                settings = {**of_keras(run["config"]), "name": None}
                assert OPTIMIZERS[run["class"].lower()]().settings() == settings

    def test_clipnorm_measures_a_variable_as_a_whole(self):
        values = leaves([0.0] * 3)
        for value, grad in zip(values, [3.0, 4.0, 12.0]):
            value.grad = grad
        kernel, bias = values[:2], values[2]
        for parameters, clipped in [
            ([kernel, bias], [0.6, 0.8, 1.0]),
            ([kernel, [bias]], [0.6, 0.8, 1.0]),
            (values, [1.0, 1.0, 1.0]),
            ([[[values[0]], [values[1]]], bias], [0.6, 0.8, 1.0]),  # rows of a matrix
        ]:
            updates = SGD(parameters, clipnorm=1.0).updates()
            assert [u.clipped for u in updates] == pytest.approx(clipped, rel=1e-15)

    def test_ftrl_forgets_its_start_and_keeps_exact_zeros(self):
        far, near = Value(1000.0), Value(0.0)
        far.grad = near.grad = 0.5
        Ftrl([far, near], 0.1, initial_accumulator_value=0.0).step()
        assert (far.data, near.data) == pytest.approx((1000.0 - 0.1, -0.1))
        still = Value(0.0)
        still.grad = 0.5
        Ftrl([still], 0.1, l1_regularization_strength=0.5).step()
        assert still.data == 0.0


class TestEveryRule:
    @every
    @given(
        more=shared, start=three, at=three, before=st.integers(0, 6), after=st.integers(1, 6)
    )  # fmt: skip
    def test_resumed_equals_uninterrupted_to_the_bit(
        self, cls, settings, more, start, at, before, after
    ):
        one = cls(leaves(start), **{**settings, **more})
        descend(one, at, before + after)
        two = cls(leaves(start), **{**settings, **more})
        descend(two, at, before)
        saved = json.dumps([two.config(), two.state_dict(), data(two.parameters)])
        config, state, numbers = json.loads(saved)
        three = optimizer_from_config(config)
        three.bind(leaves(numbers))
        three.load_state_dict(state)
        descend(three, at, after)
        assert data(three.parameters) == data(one.parameters)
        assert json.dumps(three.state_dict()) == json.dumps(one.state_dict())

    @every
    @pytest.mark.parametrize("more", [{}, *SHARED], ids=str)
    def test_the_configuration_is_complete(self, cls, settings, more):
        made = cls(**{**settings, **more, "name": "mine"})
        again = optimizer_from_config(json.loads(json.dumps(made.config())))
        assert type(again) is cls
        assert again.settings() == made.settings()
        assert made.settings().items() >= {**settings, **more}.items()
        assert repr(again) == repr(made)

    @every
    @given(start=three, at=three)
    def test_no_decay_is_a_decay_of_zero(self, cls, settings, start, at):
        none, zero = (cls(leaves(start), **settings, weight_decay=d) for d in (None, 0.0))
        assert descend(none, at, 5) == descend(zero, at, 5)
        assert data(none.parameters) == data(zero.parameters)

    @every
    @given(start=three, at=three, decay=st.floats(0.0, 1.0))
    def test_decay_comes_before_the_rule_and_apart_from_it(self, cls, settings, start, at, decay):
        one = cls(leaves(start), **settings, weight_decay=decay)
        bowl(one.parameters, at).backward()
        shrunk = [p.data - p.data * decay * one.rate for p in one.parameters]
        two = cls(leaves(shrunk), **settings, weight_decay=None)
        for mine, yours in zip(two.parameters, one.parameters):
            mine.grad = yours.grad
        one.step()
        two.step()
        assert data(one.parameters) == data(two.parameters)

    @every
    @given(start=three, at=three, order=st.permutations(range(3)))
    def test_the_order_of_parameters_is_nothing_to_the_rule(self, cls, settings, start, at, order):
        for clip in ({}, {"clipnorm": 0.5}, {"global_clipnorm": 0.5}):
            ordered, other = leaves(start), leaves(start)
            one = cls(ordered, **settings, **clip)
            two = cls([other[i] for i in order], **settings, **clip)
            for _ in range(3):
                for descent, values in ((one, ordered), (two, other)):
                    tg.zero_grad(values)
                    bowl(values, at).backward()
                    descent.step()
            if "global_clipnorm" not in clip:
                assert data(ordered) == data(other)
            elif cls is not Lion:  # the sum of squares is rounded in another order
                assert data(ordered) == pytest.approx(data(other), rel=1e-9, abs=1e-9)

    @every
    @given(at=st.lists(st.floats(1.0, 10.0) | st.floats(-10.0, -1.0), min_size=3, max_size=3))
    def test_it_goes_downhill(self, cls, settings, at):
        descent = cls(leaves([0.0] * 3), **{**settings, "learning_rate": 0.001})
        losses = descend(descent, at, 100)
        assert losses[99] < losses[66] < losses[33] < losses[0]

    @every
    @given(start=three, at=three)
    def test_at_a_learning_rate_of_zero_nothing_moves(self, cls, settings, start, at):
        values = leaves(start)
        descend(cls(values, **{**settings, "learning_rate": 0.0}, weight_decay=0.5), at, 3)
        assert data(values) == start

    @every
    @given(more=shared, start=three, at=three, steps=st.integers(0, 3))
    def test_an_update_tells_what_the_step_then_does(self, cls, settings, more, start, at, steps):
        descent = cls(leaves(start), **{**settings, **more})
        descend(descent, at, steps)
        tg.zero_grad(descent.parameters)
        bowl(descent.parameters, at).backward()
        before = data(descent.parameters)
        told = [descent.update_of(p) for p in descent.parameters]
        assert data(descent.parameters) == before == [update.before for update in told]
        assert [update.gradient for update in told] == [p.grad for p in descent.parameters]
        assert {update.learning_rate for update in told} == {descent.rate}
        descent.step()
        assert data(descent.parameters) == [update.after for update in told]
        assert descent.memory == [update.memory for update in told]
        assert descent.iterations == steps + 1

    @every
    @pytest.mark.parametrize("more", [{}, *SHARED], ids=str)
    def test_no_number_is_an_error(self, cls, settings, more):
        zero = {
            name: 0.0 for name in ("epsilon", "initial_accumulator_value") if name in cls.limits
        }
        grads = [math.inf, -math.inf, math.nan, 0.0, 1e308, -1e200, 5e-324]
        for extra in ({}, zero):
            values = leaves([1.0] * len(grads))
            descent = cls(values, **{**settings, **extra, **more})
            for _ in range(3):
                for value, grad in zip(values, grads):
                    value.grad = grad
                descent.step()
            assert all(type(x) is float for kept in descent.memory for x in kept.values())
            assert math.isnan(values[2].data), "nan is never hidden"

    @every
    def test_a_step_is_all_or_nothing(self, cls, settings):
        class Spoilt(cls):
            def update(self, w, g, rate, t, old):
                if w == 3.0:
                    raise RuntimeError("spoilt")
                return super().update(w, g, rate, t, old)

        values = leaves([1.0, 2.0, 3.0])
        descent = Spoilt(values, **settings, weight_decay=None)
        bowl(values, [0.0] * 3).backward()
        state = descent.state_dict()
        with pytest.raises(RuntimeError, match="spoilt"):
            descent.step()
        assert data(values) == [1.0, 2.0, 3.0]
        assert descent.state_dict() == state


class TestClipping:
    grads = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=6)
    bounds = st.floats(1e-3, 1e3)

    @staticmethod
    def clipped(grads: list[float], variables: int = 1, **clip: float) -> list[float]:
        values = leaves([0.0] * len(grads))
        for value, grad in zip(values, grads):
            value.grad = grad
        parts = [values[i::variables] for i in range(variables)]
        by_value = {
            id(value): update.clipped
            for value, update in zip(
                [v for part in parts for v in part], SGD([p for p in parts if p], **clip).updates()
            )
        }
        return [by_value[id(value)] for value in values]

    @given(grads, bounds)
    def test_by_value(self, grads, bound):
        for g, c in zip(grads, self.clipped(grads, clipvalue=bound)):
            assert abs(c) <= bound
            assert c == (g if abs(g) <= bound else math.copysign(bound, g))

    @given(grads, bounds)
    def test_by_norm_of_all(self, grads, bound):
        clipped = self.clipped(grads, 2, global_clipnorm=bound)
        norm = math.hypot(*grads)
        assert math.hypot(*clipped) <= bound * (1.0 + 1e-15)
        if norm <= bound:
            assert clipped == grads, "what is within the bound is not touched"
        else:
            assert clipped == pytest.approx([g * bound / norm for g in grads], rel=1e-14)

    @given(grads, bounds)
    def test_by_norm_of_each_variable(self, grads, bound):
        clipped = self.clipped(grads, 2, clipnorm=bound)
        for i in range(min(2, len(grads))):
            assert clipped[i::2] == self.clipped(grads[i::2], global_clipnorm=bound)

    def test_nothing_finite_comes_of_an_infinite_norm(self):
        for bad in (math.inf, math.nan):
            for clip in ({"clipnorm": 1.0}, {"global_clipnorm": 1.0}):
                assert all(map(math.isnan, self.clipped([1.0, bad], **clip)))
        assert self.clipped([math.inf, 0.5], clipvalue=1.0) == [1.0, 0.5]
        assert math.isnan(self.clipped([math.nan], clipvalue=1.0)[0])

    def test_norms_of_large_gradients_do_not_overflow(self):
        assert self.clipped([3e200, 4e200], global_clipnorm=5.0) == pytest.approx([3.0, 4.0])


class TestSingleRules:
    @given(three, three, st.floats(0.0, 1.0), st.booleans())
    def test_without_momentum_it_is_gradient_descent_to_the_bit(self, start, at, rate, nesterov):
        values, plain = leaves(start), list(start)
        descent = SGD(values, rate, momentum=0.0, nesterov=nesterov)
        for _ in range(5):
            tg.zero_grad(values)
            bowl(values, at).backward()
            plain = [w - rate * value.grad for w, value in zip(plain, values)]
            descent.step()
            assert data(values) == plain

    def test_adam_remembers_a_nan(self):
        value = Value(0.0)
        adam = Adam([value], amsgrad=True)
        value.grad = math.nan
        adam.step()
        assert all(map(math.isnan, adam.memory[0].values()))

    def test_a_constant_gradient_makes_centered_rmsprop_no_nan(self):
        value = Value(0.0)  # v − a² is rounded to something below 0 here
        descent = RMSprop([value], centered=True, epsilon=1e-7)
        for _ in range(500):
            value.grad = 1e7 / 21.0
            descent.step()
        assert math.isfinite(value.data)


class TestUse:
    @every
    def test_a_number_or_schedule_in_first_place_is_the_learning_rate(self, cls, settings):
        halving = ExponentialDecay(0.5, 1, 0.5)
        for rate in (0.5, halving):
            later = cls(rate, **settings)
            assert later.learning_rate == rate
            values = [leaves([1.0, 2.0]) for _ in range(2)]
            now = cls(values[0], learning_rate=rate, **settings)
            for descent, mine in ((now, values[0]), (later, values[1])):
                for _ in range(2):
                    tg.zero_grad(mine)
                    bowl(mine, [0.0, 0.0]).backward()
                    descent.step(mine)
            assert data(values[0]) == data(values[1])

    def test_parameters_come_in_many_ways(self):
        model = nn.Neuron(2, seed=0)
        expected = [id(p) for p in model.parameters()]
        for parameters in (
            model,
            model.parameters(),
            iter(model.parameters()),
            [[model.w], model.b],
        ):
            assert [id(p) for p in SGD(parameters).parameters] == expected
        single = Value(1.0)
        assert SGD(single).parameters[0] is single
        SGD([]).step()  # everything is frozen: nothing to do

    def test_binding_again(self):
        values, others = leaves([1.0, 2.0]), leaves([1.0, 2.0])
        descent = Adam(values)
        descent.bind(others)  # not begun yet
        descent.step()
        descent.bind(iter(others))
        assert descent.iterations == 1
        descent.clipnorm = 1.0
        for other in others:
            other.grad = 1.0
        assert [update.clipped for update in descent.updates()] == [1.0, 1.0]
        descent.bind([others])  # as one variable now
        assert descent.updates()[0].clipped == pytest.approx(0.5**0.5)
        assert descent.iterations == 1
        with pytest.raises(BadArgument, match="new optimizer"):
            descent.bind(values)
        with pytest.raises(BadArgument, match="new optimizer"):
            descent.step(values)

    def test_schedules_count_steps(self):
        value = Value(0.0)
        descent = SGD([value], learning_rate=lambda step: [1.0, 0.5, 0.25][step])
        for expected in (-1.0, -1.5, -1.75):
            value.grad = 1.0
            descent.step()
            assert value.data == expected
        with pytest.raises(BadArgument, match="function"):
            descent.config()

    def test_settings_change_on_the_way(self):
        descent = SGD(learning_rate=CosineDecay(0.1, 10))
        descent.learning_rate = 1
        assert descent.rate == 1.0
        descent.momentum = 0.5
        for name, bad in [("momentum", 1.0), ("learning_rate", -1), ("weight_decay", math.nan)]:
            with pytest.raises(BadArgument, match=name.replace("_", " ")):
                setattr(descent, name, bad)
        descent.clipnorm = 1.0
        with pytest.raises(BadArgument, match="one way"):
            descent.clipvalue = 1.0
        descent.clipnorm = None
        descent.clipvalue = 1.0
        assert repr(descent) == "SGD(learning_rate=1.0, clipvalue=1.0, momentum=0.5)"

    def test_names(self):
        for name, cls in OPTIMIZERS.items():
            assert type(optimizer(name)) is type(optimizer(cls.__name__)) is cls
        mine = Adam(0.5)
        assert optimizer(mine) is mine
        assert optimizer(mine.config()).learning_rate == 0.5
        assert AdamW().weight_decay == 0.004
        with pytest.raises(NameUnknown, match=r"'adm'.*Did you mean 'adam'"):
            optimizer("adm")
        for bad in (None, 3, Adam, ["adam"]):
            with pytest.raises(BadArgument, match="name such as 'sgd'"):
                optimizer(bad)

    def test_a_rule_of_yours_in_the_table(self, monkeypatch):
        @dataclass(eq=False, repr=False)
        class Mine(Optimizer):
            factor: float = 2.0

            def update(self, w, g, rate, t, old):
                return w - self.factor * rate * g, {}

        monkeypatch.setitem(OPTIMIZERS, "mine", Mine)
        again = optimizer_from_config(Mine(0.1, factor=3.0).config())
        assert (again.factor, optimizer("mine").factor) == (3.0, 2.0)

    def test_copies_share_nothing(self):
        one = begun()
        two = copy.deepcopy(one)
        two.step()
        assert (one.iterations, two.iterations) == (1, 2)
        assert one.parameters[0].data != two.parameters[0].data

    def test_numpy_numbers_are_numbers(self):
        np = pytest.importorskip("numpy")
        descent = SGD(np.float32(0.5), momentum=np.float64(0.5), nesterov=np.bool_(True))
        assert json.loads(json.dumps(descent.config()))["nesterov"] is True
        assert isinstance(descent.learning_rate, float)


W = Value(1.0, name="w")
BAD = [
    (lambda c: c([W], learning_rate=-0.1), BadArgument, r"learning rate.*from 0.*Received: -0.1"),
    (lambda c: c([W], math.nan), BadArgument, "Received: nan"),
    (lambda c: c(-0.1), BadArgument, "Received: -0.1"),
    (lambda c: c([W], "fast"), NotANumber, "learning rate.*'fast'"),
    (lambda c: c([W], None), NotANumber, "learning rate.*None"),
    (lambda c: c(0.1, use_ema=True), BadArgument, r"use_ema=False alone.*Received: True"),
    (lambda c: c(lr=0.1), BadArgument, "Use learning_rate"),
    (lambda c: c(decay=0.1), BadArgument, "Use a schedule"),
    (lambda c: c([W], momentun=0.1), NameUnknown, "momentun"),
    (lambda c: c(*[0.1] * 30), BadArgument, "Received: 30"),
    (lambda c: c(0.1, learning_rate=0.2), BadArgument, r"Received: 0.1 and 0.2"),
    (lambda c: c(weight_decay=-0.1), BadArgument, "weight decay.*Received: -0.1"),
    (lambda c: c(clipvalue=0.0), BadArgument, r"clipvalue.*above 0.*Received: 0.0"),
    (lambda c: c(clipnorm=-1), BadArgument, "clipnorm.*Received: -1"),
    (lambda c: c(global_clipnorm=math.inf), BadArgument, "global clipnorm.*Received: inf"),
    (lambda c: c(clipnorm=1.0, clipvalue=1.0), BadArgument, "one way.*clipvalue=1.0"),
    (lambda c: c(clipnorm=1.0, global_clipnorm=2.0), BadArgument, "one way.*global_clipnorm=2.0"),
    (lambda c: c([1.0]), NotANumber, "Received: 1.0"),
    (lambda c: c("adam"), NotANumber, "Received: 'a'"),
    (lambda c: c([W, [W]]), BadArgument, "twice.*'w'"),
    (lambda c: c([W * 2.0]), BadArgument, "result of mul"),
    (lambda c: c(0.1).step(), BadArgument, "no parameters yet"),
    (lambda c: c(0.1).updates(), BadArgument, "no parameters yet"),
    (lambda c: c([W]).update_of(Value(1.0)), BadArgument, "is not a parameter"),
    (lambda c: c([W], lambda step: -1.0).step(), BadArgument, "Received: -1.0 at step 0"),
    (lambda c: c([W], lambda step: math.nan).step(), BadArgument, "Received: nan"),
    (lambda c: c([W], lambda step: "x").step(), NotANumber, "'x'"),
    (lambda c: optimizer_from_config({**c().config(), "class": "SGDD"}), NameUnknown, "optimizer"),
    (lambda c: optimizer_from_config({**c().config(), "nam": 1}), NameUnknown, "mean 'name'"),
    (lambda c: optimizer_from_config({**c().config(), "parameters": []}), NameUnknown, "setting"),
    (lambda c: optimizer_from_config({"learning_rate": 0.1}), BadArgument, "'class'"),
    (lambda c: optimizer_from_config("adam"), BadArgument, "Received: 'adam'"),
]


@pytest.mark.parametrize("cls", OPTIMIZERS.values(), ids=OPTIMIZERS)
@pytest.mark.parametrize(("mistake", "error", "says"), BAD)
def test_mistakes_are_named(cls, mistake, error, says):
    with pytest.raises(error, match=says):
        mistake(cls)
    assert W.data == 1.0


@pytest.mark.parametrize(
    ("cls", "name", "limit"),
    [
        pytest.param(cls, name, limit, id=f"{cls.__name__}.{name}")
        for cls in OPTIMIZERS.values()
        for name, (limit, *_) in cls.limits.items()
    ],
)
def test_every_setting_has_limits(cls, name, limit):
    for bad in (-math.inf, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0, math.inf, math.nan):
        if limit.holds(bad):
            getattr(cls(**{name: bad}), name)
        else:
            with pytest.raises(BadArgument, match=f"of {cls.__name__} must be .*Received: {bad!r}"):
                cls(**{name: bad})
    with pytest.raises(NotANumber, match=f"of {cls.__name__} must be .*Received: 'x'"):
        cls(**{name: "x"})


def test_which_limits():
    """Spelt out once, so that a wrong limit fails."""
    refused = {
        "momentum": 1.0, "rho": 1.0, "beta_1": 1.0, "beta_2": 1.0, "epsilon": -1e-9,
        "initial_accumulator_value": -0.1, "learning_rate_power": 0.5, "beta": -1.0,
        "l1_regularization_strength": -1.0, "l2_regularization_strength": -1.0,
        "l2_shrinkage_regularization_strength": -1.0, "nesterov": 2, "amsgrad": 0.5,
        "centered": -1, "learning_rate": -1e-9, "weight_decay": -1e-9, "clipnorm": 0.0,
        "clipvalue": 0.0, "global_clipnorm": 0.0,
    }  # fmt: skip
    for cls in OPTIMIZERS.values():
        assert {*cls.names()} - {"name"} == {*cls.limits} <= {*refused}
        for name in cls.limits:
            with pytest.raises(BadArgument):
                cls(**{name: refused[name]})


def begun() -> Adam:
    value = Value(1.0)
    value.grad = 1.0
    adam = Adam([value])
    adam.step()
    return adam


@pytest.mark.parametrize(
    ("change", "error", "says"),
    [
        ({"class": "SGD"}, BadArgument, "the state of a 'SGD'"),
        ({"iterations": -1}, BadArgument, "Received: -1"),
        ({"iterations": 1.0}, BadArgument, "Received: 1.0"),
        ({"iterations": True}, BadArgument, "Received: True"),
        ({"memory": {"m": [0.0], "v": [0.0]}}, BadArgument, "stores m, v, v_max.*m, v"),
        ({"memory": [1.0]}, BadArgument, r"\[1.0\]"),
        ({"memory": {"m": [0.0], "v": [0.0, 1.0], "v_max": [0.0]}}, BadArgument, "2 for 'v'"),
        ({"memory": {"m": [0.0], "v": 0.0, "v_max": [0.0]}}, BadArgument, "0.0 for 'v'"),
        ({"memory": {"m": [0.0], "v": ["x"], "v_max": [0.0]}}, NotANumber, "'x'"),
        ({"more": 1}, BadArgument, "more"),
    ],
)
def test_a_state_that_does_not_fit_changes_nothing(change, error, says):
    adam = begun()
    before = adam.state_dict()
    with pytest.raises(error, match=says):
        adam.load_state_dict({**before, **change})
    with pytest.raises(BadArgument, match="Received: 3"):
        adam.load_state_dict(3)
    assert adam.state_dict() == before


def test_a_state_is_loaded_where_its_parameters_are():
    state = begun().state_dict()
    with pytest.raises(BadArgument, match=r"0 parameters.*Bind"):
        Adam().load_state_dict(state)
    fresh = Adam()
    fresh.load_state_dict(json.loads(json.dumps(Adam().state_dict())))  # saved before training
    assert fresh.iterations == 0
