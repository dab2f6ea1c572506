"""Random graphs, drawn with fixed seeds: every library gets the same ones."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import Any

import tinygrad_edu as tg
from tests import naive
from tinygrad_edu import Value
from tinygrad_edu.core.graph import local_numbers, tape

Step = tuple[str, int, int]  # an operation, and which earlier results it takes
NAMES = sorted({**naive.UNARY, **naive.BINARY})
COUNT = {"torch": 3000, "jax": 300}  # graphs that are compared with each peer


def expression(rng: random.Random) -> tuple[list[float], list[Step]]:
    """Some numbers, and operations on earlier results, away from poles and from large numbers."""
    start = [rng.uniform(-2.0, 2.0) for _ in range(rng.randint(1, 4))]
    steps = []
    results = list(start)
    for _ in range(rng.randint(1, 30)):
        name = rng.choice(NAMES)
        i, j = rng.randrange(len(results)), rng.randrange(len(results))
        x, y = results[i], results[j]
        pole = {"log": x, "sqrt": x, "reciprocal": abs(x), "div": abs(y), "tan": abs(math.cos(x))}
        if pole.get(name, 1.0) < 0.1:
            continue
        out = tg.TABLE[name](*((x, y) if name in naive.BINARY else (x,)))
        if abs(out) < 20.0:
            steps.append((name, i, j))
            results.append(out)
    return start, steps


def run(apply: Callable[..., Any], steps: list[Step], start: list[Any]) -> Any:
    results = list(start)
    for name, i, j in steps:
        results.append(apply(name, *(results[i], results[j])[: 1 + (name in naive.BINARY)]))
    return apply("add", results[-1], results[len(results) // 2])


def recorded(name: str, *args: Any) -> Any:
    return tg.TABLE[name](*args)


def size(root: Value) -> float:
    """The magnitudes of the terms of all gradients: what rounding is in relation to."""
    weight: dict[Any, float] = {root: 1.0}
    for node in reversed(tape(root)):
        if node.op is not None:
            for arg, local in zip(node.args, local_numbers(node)):
                weight[arg] = weight.get(arg, 0.0) + weight.get(node, 0.0) * abs(local or 0.0)
    return 1.0 + sum(weight.values())


def expressions(peer: str) -> list[tuple[list[float], list[Step]]]:
    """Those that are compared with a peer."""
    rng = random.Random("peers")
    return [expression(rng) for _ in range(COUNT[peer])]


def errors(peer: str, numbers: list[list[float]]) -> list[float]:
    """The errors of a peer's [value, *gradient] of each expression, in relation to the terms."""
    found = []
    for (start, steps), theirs in zip(expressions(peer), numbers):
        leaves = [Value(x) for x in start]
        root = run(recorded, steps, leaves)
        root.backward()
        ours = [root.data, *(leaf.grad for leaf in leaves)]
        found.append(max(abs(x - y) for x, y in zip(ours, theirs)) / size(root))
    return found
