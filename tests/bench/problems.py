"""The problems that every side solves: their numbers, and their formulas over any number type.

This file imports nothing but the standard library, as peers read it in interpreters of their own.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

CLASSIFIER = (2, 16, 16, 1)
REGRESSOR = (8, 8, 8, 1)
WIDE = {"wide_8": (8, 64, 64, 1), "wide_64": (64, 64, 64, 1), "wide_30": (30, 100, 100, 1),
        "wide_784": (784, 32, 1)}  # fmt: skip


def rows(count: int, width: int) -> list[list[float]]:
    """Inputs: some numbers from −1 to 1, the same on every side."""
    return [[math.sin(1.7 * i + 0.9 * j + 0.3 * i * j) for j in range(width)] for i in range(count)]


def labels(xs: Sequence[Sequence[float]]) -> list[float]:
    """±1 by the sign of the product of the first two inputs."""
    return [1.0 if x[0] * x[1] > 0.0 else -1.0 for x in xs]


def targets(xs: Sequence[Sequence[float]]) -> list[float]:
    return [math.sin(sum(x)) for x in xs]


def count(widths: Sequence[int]) -> int:
    """How many parameters a network has."""
    return sum((n + 1) * m for n, m in pairwise(widths))


def start(count: int, size: float = 0.5) -> list[float]:
    """Parameters: of each neuron its weights and then its bias, layer after layer."""
    return [size * math.sin(3.0 * i + 1.0) for i in range(count)]


def network(
    theta: Sequence[Any],
    x: Sequence[Any],
    widths: Sequence[int],
    activations: Sequence[Callable[[Any], Any]],
) -> Any:
    """The score of one sample, number by number; the last layer has no activation."""
    parameters = iter(theta)
    for width, activation in zip(widths[1:], [*activations, lambda z: z]):
        outputs = []
        for _ in range(width):
            z = next(parameters) * x[0]
            for x_i in x[1:]:
                z = z + next(parameters) * x_i
            outputs.append(activation(z + next(parameters)))
        x = outputs
    return x[0]


def mean(terms: Sequence[Any]) -> Any:
    total = terms[0]
    for term in terms[1:]:
        total = total + term
    return total * (1.0 / len(terms))


def hinge(theta: Any, x: Any, y: Any, relu: Callable[[Any], Any]) -> Any:
    """The loss of a classifier for one sample: max(0, 1 − y · score)."""
    return relu(1.0 + -y * network(theta, x, CLASSIFIER, [relu, relu]))


def squared(theta: Any, x: Any, y: Any, tanh: Any, exp: Any, log: Any) -> Any:
    """The loss for one sample of a regressor of a layer of tanh and one of log(1 + eᶻ)."""
    error = network(theta, x, REGRESSOR, [tanh, lambda z: log(exp(z) + 1.0)]) - y
    return error * error


def wide(theta: Any, x: Any, y: Any, widths: Sequence[int], relu: Any) -> Any:
    """The squared error for one sample of a network with relu."""
    error = network(theta, x, widths, [relu] * (len(widths) - 2)) - y
    return error * error


def rosenbrock(x: Sequence[Any]) -> Any:
    """Σ 100 (xᵢ₊₁ − xᵢ²)² + (1 − xᵢ)²."""
    total = 0.0
    for a, b in pairwise(x):
        bend, rest = b - a * a, 1.0 - a
        total = total + (bend * bend * 100.0 + rest * rest)
    return total
