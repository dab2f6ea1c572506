"""The training loop in machine code against the same loop in Python."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from tinygrad_edu.compiler import native, python, virtual_machine
from tinygrad_edu.compiler.code import Code
from tinygrad_edu.compiler.training_loop import training_loop
from tinygrad_edu.errors import BadArgument
from tinygrad_edu.keras import engines

EXECUTORS = pytest.mark.parametrize(
    "executor", [virtual_machine, native], ids=["machine", "native"]
)

# Least squares (w·x + b − y)² by gradient descent with momentum: the state is w, b, two
# momenta, and the scalars of a step are rate and momentum.
STEP = Code(
    2, 2, (2.0,),
    ("mul", "add", "sub", "square", "mul", "mul", "add"),
    ((0, 2), (5, 3), (6, 1), (7,), (4, 7), (9, 0), (2, 3)),
    total=(8, 10, 9), once=(11,),
)  # fmt: skip
# shared: w, b, p, q, loss, ∂w, ∂b, w + b, rate, momentum, lanes
UPDATE = Code(
    0, 11, (),
    ("div", "div", "mul", "add", "mul", "add", "mul", "sub", "mul", "sub", "div"),
    ((5, 10), (6, 10), (9, 2), (13, 11), (9, 3), (15, 12),
     (8, 14), (0, 17), (8, 16), (1, 19), (4, 10)),
    once=(18, 20, 14, 16, 21, 7),
)  # fmt: skip


def problem(samples=23, epochs=3, size=5):
    rng = np.random.default_rng(0)
    x = rng.normal(size=samples)
    data = np.stack([x, 3.0 * x - 1.0 + 0.1 * rng.normal(size=samples)], axis=1)
    order = np.concatenate([rng.permutation(samples) for _ in range(epochs)])
    offsets = [e * samples + i for e in range(epochs) for i in range(0, samples, size)]
    offsets = np.array([*offsets, epochs * samples])
    steps = len(offsets) - 1
    scalars = np.stack([np.linspace(0.1, 0.05, steps), np.full(steps, 0.5)], axis=1)
    return data, order, offsets, np.zeros(4), scalars, np.full((steps, 2), np.nan)


def train(executor, problem):
    step, update = executor.load(STEP), executor.load(UPDATE)
    if executor is not python:
        training_loop(step, update, *problem)
        return problem[3], problem[5]
    data, order, offsets, state, scalars, _ = (numbers.tolist() for numbers in problem)
    batches = [order[start:stop] for start, stop in pairwise(offsets)]
    return engines._plainly(step, update, data, batches, state, scalars)


@EXECUTORS
def test_it_trains_as_python_does(executor):
    state, records = train(executor, problem())
    expected, recorded = train(python, problem())
    assert (state == expected).all()
    assert (records == recorded).all()
    assert records[-1, 0] < 0.05 * records[0, 0]


@EXECUTORS
def test_piece_by_piece_is_the_same(executor):
    data, order, offsets, state, scalars, records = problem()
    step, update = executor.load(STEP), executor.load(UPDATE)
    for a, b in ((0, 1), (1, 1), (1, 7), (7, 15)):
        some = offsets[a : b + 1]
        training_loop(step, update, data, order, some, state, scalars[a:b], records[a:b])
    expected, recorded = train(executor, problem())
    assert (state == expected).all()
    assert (records == recorded).all()


@EXECUTORS
def test_a_step_may_have_no_samples(executor):
    data, order, _, state, scalars, records = problem()
    arrays = data, order, np.array([0, 0, 3]), state, scalars[:2], records[:2]
    train(executor, arrays)
    assert np.isnan(records[0, 0])  # a mean over none
    assert not np.isfinite(state).all()


WRONG = {
    "data": lambda a: a[:, :1], "order": lambda a: a + 1, "offsets": lambda a: a + 1,
    "state": lambda a: a[:1], "scalars": lambda a: a[:-1], "records": lambda a: a[:-1],
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_what_does_not_fit_is_refused(name):
    arrays = dict(zip(("data", "order", "offsets", "state", "scalars", "records"), problem()))
    state, records = arrays["state"], arrays["records"]
    arrays[name] = WRONG[name](arrays[name])
    with pytest.raises(BadArgument, match=name):
        training_loop(virtual_machine.load(STEP), virtual_machine.load(UPDATE), *arrays.values())
    assert not state.any()
    assert np.isnan(records).all()
