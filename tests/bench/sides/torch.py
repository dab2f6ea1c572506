"""PyTorch, eager: a module, its loss, ``backward()``."""

from __future__ import annotations

from functools import partial

import torch
from torch import nn

from .. import problems as p
from . import Work

torch.set_num_threads(1)
torch.set_default_dtype(torch.float64)


class LogOnePlusExp(nn.Module):
    def forward(self, z):
        return torch.log(torch.exp(z) + 1.0)


def _model(widths, *activations):
    parameters = iter(p.start(p.count(widths)))
    layers = []
    for n, m, activation in zip(widths, widths[1:], [*activations, None]):
        linear = nn.Linear(n, m)
        numbers = torch.tensor([next(parameters) for _ in range(m * (n + 1))]).reshape(m, n + 1)
        with torch.no_grad():
            linear.weight.copy_(numbers[:, :n])
            linear.bias.copy_(numbers[:, n])
        layers += [linear] if activation is None else [linear, activation()]
    return nn.Sequential(*layers)


def _work(model, x, loss_of) -> Work:
    def step():
        model.zero_grad()
        loss = loss_of(model(x).squeeze(1))
        loss.backward()
        return loss

    def answer():
        numbers = [step().item()]
        for layer in model:
            if isinstance(layer, nn.Linear):
                both = torch.cat([layer.weight.grad, layer.bias.grad[:, None]], dim=1)
                numbers += both.flatten().tolist()
        return numbers

    return Work(step, answer)


def mlp(samples: int) -> Work:
    xs = p.rows(samples, 2)
    y = torch.tensor(p.labels(xs))
    model = _model(p.CLASSIFIER, nn.ReLU, nn.ReLU)
    return _work(model, torch.tensor(xs), lambda score: torch.relu(1.0 - y * score).mean())


def _wide(name: str, samples: int) -> Work:
    widths = p.WIDE[name]
    xs = p.rows(samples, widths[0])
    y = torch.tensor(p.targets(xs))
    model = _model(widths, *[nn.ReLU] * (len(widths) - 2))
    return _work(model, torch.tensor(xs), lambda score: ((score - y) ** 2).mean())


wide_8, wide_64, wide_30, wide_784 = (partial(_wide, name) for name in p.WIDE)


def smooth(samples: int) -> Work:
    xs = p.rows(samples, 8)
    y = torch.tensor(p.targets(xs))
    model = _model(p.REGRESSOR, nn.Tanh, LogOnePlusExp)
    return _work(model, torch.tensor(xs), lambda score: ((score - y) ** 2).mean())
