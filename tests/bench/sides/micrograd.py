"""micrograd: its own MLP and Value, used as its demo uses them."""

from __future__ import annotations

from micrograd.engine import Value
from micrograd.nn import MLP

from .. import problems as p
from . import Work, measured_graph


def mlp(samples: int) -> Work:
    xs = p.rows(samples, 2)
    ys = p.labels(xs)
    model = MLP(2, [*p.CLASSIFIER[1:]])
    for parameter, number in zip(model.parameters(), p.start(p.count(p.CLASSIFIER))):
        parameter.data = number

    def step():
        inputs = [list(map(Value, x)) for x in xs]
        losses = [(1 + -y * score).relu() for y, score in zip(ys, map(model, inputs))]
        loss = sum(losses) * (1.0 / len(losses))
        model.zero_grad()
        loss.backward()
        return loss

    return Work(step, lambda: [step().data, *(parameter.grad for parameter in model.parameters())])


def eager(samples: int) -> Work:
    work = mlp(samples)
    return work._replace(facts=measured_graph(work.step, lambda value: value._prev))
