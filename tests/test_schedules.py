"""Learning-rate schedules: Keras's numbers, their shapes, and mistakes that are refused."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_edu.errors import BadArgument, NameUnknown, NotANumber
from tinygrad_edu.nn.optimizers import SGD, optimizer_from_config
from tinygrad_edu.nn.schedules import (
    SCHEDULES,
    CosineDecay,
    CosineDecayRestarts,
    ExponentialDecay,
    InverseTimeDecay,
    PiecewiseConstantDecay,
    PolynomialDecay,
    schedule_from_config,
)

KERAS = json.loads((Path(__file__).parent / "data" / "schedules.json").read_text())["schedules"]
recorded = pytest.mark.parametrize("run", KERAS, ids=lambda run: run["id"])

rates = st.floats(1e-6, 1.0)
lengths = st.integers(1, 50)
steps = st.integers(0, 500)


@recorded
def test_every_step_is_that_of_keras(run):
    schedule = SCHEDULES[run["class"]](**run["config"])
    exact = [schedule(step) for step in range(len(run["exact64"]))]
    assert exact == pytest.approx(run["exact64"], rel=1e-12, abs=1e-17)  # cos(π/2) is not 0
    assert all(type(rate) is float for rate in exact)


def test_every_schedule_was_recorded():
    assert set(SCHEDULES) == {run["class"] for run in KERAS}


@recorded
def test_the_configuration_is_complete(run):
    schedule = SCHEDULES[run["class"]](**run["config"], name="mine")
    again = schedule_from_config(json.loads(json.dumps(schedule.config())))
    assert again == schedule
    assert [again(step) for step in range(99)] == [schedule(step) for step in range(99)]
    for key, value in run["config"].items():
        assert schedule.config()[key] == value
    within = optimizer_from_config(json.loads(json.dumps(SGD(schedule).config())))
    assert within.learning_rate == schedule


@recorded
def test_arguments_stand_in_the_order_of_keras(run):
    by_name = SCHEDULES[run["class"]](**run["config"])
    order = {
        "CosineDecay": ("initial_learning_rate", "decay_steps", "alpha", "name", "warmup_target",
                        "warmup_steps"),
        "CosineDecayRestarts": ("initial_learning_rate", "first_decay_steps", "t_mul", "m_mul",
                                "alpha", "name"),
        "ExponentialDecay": ("initial_learning_rate", "decay_steps", "decay_rate", "staircase",
                             "name"),
        "InverseTimeDecay": ("initial_learning_rate", "decay_steps", "decay_rate", "staircase",
                             "name"),
        "PiecewiseConstantDecay": ("boundaries", "values", "name"),
        "PolynomialDecay": ("initial_learning_rate", "decay_steps", "end_learning_rate", "power",
                            "cycle", "name"),
    }[run["class"]]  # fmt: skip
    assert SCHEDULES[run["class"]](*(getattr(by_name, name) for name in order)) == by_name


class TestShapes:
    @given(rates, lengths, st.floats(0.0, 1.0), steps)
    def test_a_staircase_is_the_curve_at_its_last_stair(self, rate, length, decay, step):
        for kind in (ExponentialDecay, InverseTimeDecay):
            stairs = kind(rate, length, decay, staircase=True)
            curve = kind(rate, length, decay)
            assert stairs(step) == curve(step // length * length)
            assert curve(step) <= stairs(step) * (1.0 + 1e-15)

    @given(rates, rates, lengths, st.floats(0.1, 4.0), st.booleans(), steps)
    def test_a_polynomial_stays_between_its_ends(self, start, end, length, power, cycle, step):
        falling = PolynomialDecay(start, length, end, power, cycle)
        low, high = sorted((start, end))
        assert low * (1.0 - 1e-12) <= falling(step) <= high * (1.0 + 1e-12)
        assert falling(0) == pytest.approx(start)
        assert falling(length) == end
        if not cycle:
            assert falling(length + step) == end

    @given(rates, lengths, st.floats(0.0, 1.0), steps)
    def test_a_cosine_falls_to_its_last_part(self, rate, length, alpha, step):
        wave = CosineDecay(rate, length, alpha)
        assert wave(0) == pytest.approx(rate, rel=1e-14)
        assert wave(step + 1) <= wave(step) * (1.0 + 1e-14) + 1e-17
        assert wave(length + step) == pytest.approx(alpha * rate, rel=1e-12, abs=1e-17)

    @given(rates, rates, lengths, lengths, st.floats(0.0, 1.0), steps)
    def test_a_warmup_climbs_straight_to_the_cosine(self, start, top, length, warm, alpha, step):
        warmed = CosineDecay(start, length, alpha, warmup_target=top, warmup_steps=warm)
        assert warmed(warm + step) == CosineDecay(top, length, alpha)(step)
        for t in range(warm):
            assert warmed(t) == pytest.approx(start + (top - start) * t / warm, rel=1e-12)

    @given(rates, lengths, st.floats(0.1, 1.0), st.integers(0, 3))
    def test_restarts_repeat_a_cosine(self, rate, length, m_mul, i):
        waves = CosineDecayRestarts(rate, length, t_mul=1.0, m_mul=m_mul)
        for t in range(length):
            expected = CosineDecay(rate * m_mul**i, length)(t)
            assert waves(i * length + t) == pytest.approx(expected, rel=1e-9, abs=1e-12)

    def test_restarts_get_longer(self):
        waves = CosineDecayRestarts(0.1, 4, t_mul=2.0)
        highest = [step for step in range(61) if waves(step) == 0.1]
        assert highest == [0, 4, 12, 28, 60]

    @given(st.lists(st.integers(0, 400), unique=True, max_size=5), st.data(), steps)
    def test_pieces(self, boundaries, data, step):
        boundaries.sort()
        n = len(boundaries) + 1
        values = data.draw(st.lists(rates, min_size=n, max_size=n))
        pieces = PiecewiseConstantDecay(boundaries, values)
        assert pieces(step) == values[sum(boundary < step for boundary in boundaries)]

    def test_growth_without_end_is_infinite_and_no_error(self):
        assert ExponentialDecay(0.1, 1, 2.0)(5000) == math.inf


GIVEN = {run["class"]: run["config"] for run in KERAS}


@pytest.mark.parametrize(
    ("name", "change", "error", "says"),
    [
        ("ExponentialDecay", {"decay_steps": 0}, BadArgument, "decay steps.*above 0.*Received: 0"),
        ("ExponentialDecay", {"initial_learning_rate": -0.1}, BadArgument, "Received: -0.1"),
        ("ExponentialDecay", {"decay_rate": math.nan}, BadArgument, "Received: nan"),
        ("ExponentialDecay", {"staircase": "no"}, NotANumber, "True or False.*'no'"),
        ("InverseTimeDecay", {"decay_steps": -5}, BadArgument, "Received: -5"),
        ("InverseTimeDecay", {"decay_rate": -0.5}, BadArgument, "Received: -0.5"),
        ("PolynomialDecay", {"end_learning_rate": -1.0}, BadArgument, "end learning rate"),
        ("PolynomialDecay", {"power": -1.0}, BadArgument, "power"),
        ("CosineDecay", {"alpha": -0.1}, BadArgument, "alpha"),
        ("CosineDecay", {"warmup_target": -0.1}, BadArgument, "warmup target"),
        ("CosineDecay", {"warmup_steps": -1}, BadArgument, "warmup steps"),
        ("CosineDecayRestarts", {"first_decay_steps": 0}, BadArgument, "first decay steps"),
        ("CosineDecayRestarts", {"t_mul": 0.5}, BadArgument, "from 1.*Received: 0.5"),
        ("CosineDecayRestarts", {"m_mul": -0.5}, BadArgument, "m mul"),
        ("PiecewiseConstantDecay", {"values": [1.0, 0.5]}, BadArgument, "2 boundaries and 2 val"),
        ("PiecewiseConstantDecay", {"boundaries": [20, 10]}, BadArgument, "increasing"),
        ("PiecewiseConstantDecay", {"boundaries": [5, 5]}, BadArgument, "increasing"),
        ("PiecewiseConstantDecay", {"values": [1.0, -0.5, 0.1]}, BadArgument, "-0.5"),
        ("PiecewiseConstantDecay", {"values": [1.0, math.nan, 0.1]}, BadArgument, "nan"),
        ("PiecewiseConstantDecay", {"values": ["a", "b", "c"]}, NotANumber, "'a'"),
    ],
)
def test_mistakes_are_named(name, change, error, says):
    with pytest.raises(error, match=says):
        SCHEDULES[name](**{**GIVEN[name], **change})


@recorded
def test_steps_from_zero(run):
    schedule = SCHEDULES[run["class"]](**run["config"])
    for bad in (-1, math.nan, math.inf):
        with pytest.raises(BadArgument, match=f"finite number from 0. Received: {bad}"):
            schedule(bad)
    with pytest.raises(NotANumber, match="'x'"):
        schedule("x")


def test_unknown_configurations():
    config = ExponentialDecay(0.1, 10, 0.5).config()
    with pytest.raises(NameUnknown, match="mean 'ExponentialDecay'"):
        schedule_from_config({**config, "class": "ExponentialDeca"})
    with pytest.raises(NameUnknown, match="mean 'decay_steps'"):
        schedule_from_config({**config, "decay_step": 3})
    with pytest.raises(BadArgument, match=r"Received: 0.1"):
        schedule_from_config(0.1)
