"""This engine: replayed programs, called with flat arrays, and Values as they come."""

from __future__ import annotations

import math
import subprocess
import sys
import time
from collections.abc import Sequence
from functools import partial
from itertools import chain

import numpy as np

import tinygrad_edu as tg
from tinygrad_edu import Value, nn
from tinygrad_edu.compiler import flatten
from tinygrad_edu.compiler.lifting import promising
from tinygrad_edu.compiler.scheduler import LONG, Runner

from .. import problems as p
from .. import transformer as scalars
from . import Work, measured_graph, nodes


def values_in(node: Value) -> list[Value]:
    return [arg for arg in node.args if isinstance(arg, Value)]


def settled(program, step) -> str:
    """Call a program until it has gone over to the executor that it stays with."""
    last = "native" if program.report().instructions <= LONG else "machine"
    last = "tensors" if promising(program.code) and program.inputs else last
    end = time.perf_counter() + 60.0
    while program.report().executor != last and time.perf_counter() < end:
        for _ in range(100):
            step()
    return program.report().executor


def _replayed(loss: Value, inputs: Sequence[Value], parameters: Sequence[Value], batch) -> Work:
    """Value and gradient by a compiled program, with flat arrays in and out."""
    program = tg.compile(loss, inputs=inputs, parameters=parameters)
    theta = np.array([parameter.data for parameter in parameters])
    batch, gradient = np.ascontiguousarray(batch), np.empty(len(parameters))

    def step():
        return program.value_and_grad(batch, theta, gradient)

    facts = {"executor": settled(program, step), "nodes": nodes(loss, values_in)}
    return Work(step, lambda: [step()[0], *gradient], facts)


def _of_a_sample(loss, widths, xs, ys) -> Work:
    """The loss of one sample, recorded with inputs, and replayed over all."""
    theta = [Value(number) for number in p.start(p.count(widths))]
    x, y = [Value(0.5) for _ in range(widths[0])], Value(1.0)
    return _replayed(loss(theta, x, y), [*x, y], theta, np.column_stack([xs, ys]))


def mlp(samples: int) -> Work:
    xs = p.rows(samples, 2)
    work = _of_a_sample(
        lambda theta, x, y: p.hinge(theta, x, y, tg.relu), p.CLASSIFIER, xs, p.labels(xs)
    )
    return work._replace(facts={"executor": work.facts["executor"]})


def _wide(name: str, samples: int) -> Work:
    widths = p.WIDE[name]
    xs = p.rows(samples, widths[0])
    work = _of_a_sample(
        lambda theta, x, y: p.wide(theta, x, y, widths, tg.relu), widths, xs, p.targets(xs)
    )
    return work._replace(facts={"executor": work.facts["executor"]})


wide_8, wide_64, wide_30, wide_784 = (partial(_wide, name) for name in p.WIDE)


def smooth(samples: int) -> Work:
    xs = p.rows(samples, 8)
    work = _of_a_sample(
        lambda theta, x, y: p.squared(theta, x, y, tg.tanh, tg.exp, tg.log),
        p.REGRESSOR, xs, p.targets(xs),
    )  # fmt: skip
    return work._replace(facts={"executor": work.facts["executor"]})


# ── One flat graph ────────────────────────────────────────────────────────────────────────


def _parameters() -> list[Value]:
    return [Value(number) for number in p.start(p.count(p.CLASSIFIER))]


def _unrolled(samples: int, theta: Sequence[Value]) -> Value:
    xs = p.rows(samples, 2)
    return p.mean([p.hinge(theta, x, y, tg.relu) for x, y in zip(xs, p.labels(xs))])


def flat(samples: int) -> Work:
    theta = _parameters()
    return _replayed(_unrolled(samples, theta), [], theta, np.empty((1, 0)))


def scaled(count: int) -> Work:
    """`flat` with about so many nodes."""
    return flat(max(1, round(count / 655)))


def built(samples: int) -> Work:
    theta = _parameters()
    loss = _unrolled(samples, theta)
    return Work(lambda: _unrolled(samples, theta), list, {"nodes": nodes(loss, values_in)})


def recorded(samples: int) -> Work:
    theta = _parameters()

    return Work(lambda: flatten([], theta, total=[_unrolled(samples, theta)]), list)


def recorded_with_gradient(samples: int) -> Work:
    theta = _parameters()
    return Work(lambda: tg.compile(_unrolled(samples, theta), inputs=[], parameters=theta), list)


def transformer(places: int) -> Work:
    shape = scalars.Shape(places=places)
    model = scalars.made(shape)
    loss = scalars.loss(model, scalars.text(places, shape.vocabulary))
    return _replayed(loss, [], model.parameters(), np.empty((1, 0)))


def transformer_eager(places: int) -> Work:
    shape = scalars.Shape(places=places)
    model = scalars.made(shape)
    tokens = scalars.text(places, shape.vocabulary)
    return _eager(lambda: scalars.loss(model, tokens), model.parameters())


def compilation(count: int) -> Work:
    """The loss of a sample of a network, and its gradient, compiled again and again."""
    width = max(2, round(math.sqrt(count / 2.0)) - 3)
    widths = (2, width, width, 1)
    theta = [Value(number) for number in p.start(p.count(widths))]
    x = [Value(0.5), Value(0.5)]
    loss = p.network(theta, x, widths, [tg.relu, tg.relu])
    code = tg.compile(loss, inputs=x, parameters=theta).code
    facts = {"nodes": nodes(loss, values_in), "instructions": len(code.ops)}
    return Work(lambda: Runner(code, "native"), list, facts)


def rosenbrock(variables: int) -> Work:
    start = p.start(variables, 1.0)
    x = [Value(number) for number in start]
    slope, bends = tg.grad(p.rosenbrock)(x), tg.hessian(p.rosenbrock)(x)
    results = [p.rosenbrock(x), *slope, *(z if z.args else z.data for z in chain(*bends))]
    program = tg.compile(results, inputs=x)  # most second derivatives are no node, but 0.0
    batch = np.array([start])

    def step():
        return program.values(batch)

    return Work(step, lambda: step()[0].tolist(), {"executor": settled(program, step)})


# ── Values as they come ───────────────────────────────────────────────────────────────────


def _eager(loss_of, parameters: Sequence[Value]) -> Work:
    def step():
        loss = loss_of()
        tg.zero_grad(parameters)
        loss.backward()
        return loss

    return Work(step, lambda: [step().data, *(parameter.grad for parameter in parameters)])


def eager(samples: int) -> Work:
    """The program of micrograd's demo, on our MLP."""
    xs = p.rows(samples, 2)
    ys = p.labels(xs)
    model = nn.MLP(2, [*p.CLASSIFIER[1:]])
    parameters = list(model.parameters())
    for parameter, number in zip(parameters, p.start(len(parameters))):
        parameter.data = number

    def loss():
        inputs = [list(map(Value, x)) for x in xs]
        losses = [(1 + -y * score).relu() for y, score in zip(ys, map(model, inputs))]
        return sum(losses) * (1.0 / len(losses))

    work = _eager(loss, parameters)
    return work._replace(facts=measured_graph(work.step, values_in))


# ── Whole processes, and fit ──────────────────────────────────────────────────────────────

POST = """
from tinygrad_edu import keras

keras.set_random_seed(0)
model = keras.Sequential([keras.layers.Dense(units=1, input_shape=[1])])
model.compile(optimizer="sgd", loss="mean_squared_error")
flats = (1, 2, 3, 4, 5, 6, 7)
prices = (10000, 20000, 30000, 40000, 50000, 60000, 70000)
"""


def fit(epochs: int) -> Work:
    names: dict = {}
    exec(POST, names)
    model, flats, prices = names["model"], names["flats"], names["prices"]

    def step():
        model.fit(flats, prices, epochs=epochs, shuffle=False, verbose=0)

    for _ in range(3):
        step()
    return Work(step, list)


def _process(program: str) -> Work:
    return Work(lambda: subprocess.run([sys.executable, "-c", program], check=True), list)


def cold(epochs: int) -> Work:
    return _process(f"{POST}model.fit(flats, prices, epochs={epochs}, verbose=0)")


def imported(_: int) -> Work:
    return _process("import tinygrad_edu")


def nothing(_: int) -> Work:
    return _process("pass")
