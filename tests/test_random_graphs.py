"""Random expressions with sharing: four ways to differentiate them, and one answer."""

from __future__ import annotations

import cmath
from collections.abc import Callable, Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

import tinygrad_edu as tg
from tests import naive
from tests.naive import Dual
from tinygrad_edu import Value

Step = tuple[str, int, int]  # an operation, and which earlier results it takes

NAMES = sorted({**naive.UNARY, **naive.BINARY})
inputs = st.lists(st.floats(-2.0, 2.0), min_size=1, max_size=4)
steps = st.lists(
    st.tuples(st.sampled_from(NAMES), st.integers(0, 99), st.integers(0, 99)),
    min_size=1,
    max_size=30,
)

CMATH = ("exp", "log", "sqrt", "sin", "cos", "tan", "tanh", "sinh", "cosh", "atan")
COMPLEX: dict[str, Callable[..., complex]] = {
    **{name: getattr(cmath, name) for name in CMATH},
    "neg": lambda z: -z,
    "square": lambda z: z * z,
    "reciprocal": lambda z: 1.0 / z,
    "sigmoid": lambda z: 1.0 / (1.0 + cmath.exp(-z)),
    "softplus": lambda z: cmath.log(1.0 + cmath.exp(z)),
    "add": lambda z, w: z + w,
    "sub": lambda z, w: z - w,
    "mul": lambda z, w: z * w,
    "div": lambda z, w: z / w,
}


def run(apply: Callable[..., Any], steps: Sequence[Step], start: Sequence[Any]) -> Any:
    """The last two results of a program and its first input added up; steps share results."""
    results = list(start)
    for name, i, j in steps:
        args = [results[i % len(results)], results[j % len(results)]]
        results.append(apply(name, *args[: 2 if name in naive.BINARY else 1]))
    return apply("add", apply("add", results[-1], results[-2 % len(results)]), results[0])


def tame(steps: Sequence[Step], start: Sequence[float]) -> list[Step]:
    """The steps that stay away from poles, cuts and large numbers, where all ways lose digits."""
    kept: list[Step] = []
    results = list(start)
    for name, i, j in steps:
        x, y = results[i % len(results)], results[j % len(results)]
        if (
            (name in ("log", "sqrt") and x < 0.1)
            or (name == "reciprocal" and abs(x) < 0.1)
            or (name == "div" and abs(y) < 0.1)
            or (name == "tan" and abs(tg.cos(x)) < 0.2)
        ):
            continue
        out = tg.TABLE[name](*((x, y) if name in naive.BINARY else (x,)))
        if abs(out) < 20.0:
            kept.append((name, i % len(results), j % len(results)))
            results.append(out)
    return kept


def record(name: str, *args: Value) -> Value:
    out: Value = tg.TABLE[name](*args)
    return out


def sum_of_absolute_paths(root: Value) -> float:
    """The sum of the magnitudes of the terms of all gradients."""
    graph = tg.snapshot(root)
    weight = [0.0] * len(graph.nodes)
    weight[-1] = 1.0
    for node in reversed(graph.nodes):
        for arg, local in zip(node.args, node.partials):
            if local is not None:
                weight[arg] += weight[node.id] * abs(local)
    return sum(weight)


@given(inputs, steps)
def test_four_ways_to_differentiate_agree(xs: list[float], steps: list[Step]):
    program = tame(steps, xs)
    leaves = [Value(x, name=f"x{i}") for i, x in enumerate(xs)]
    root = run(record, program, leaves)
    root.backward()
    adjoints = {node.name: node.adjoint for node in tg.snapshot(root).nodes if node.name}
    scale = 1e-12 * (1.0 + sum_of_absolute_paths(root))
    for i, leaf in enumerate(leaves):
        assert adjoints.get(leaf.name, 0.0) == leaf.grad
        duals = [Dual(x, float(i == j)) for j, x in enumerate(xs)]
        assert abs(run(naive.apply, program, duals).slope - leaf.grad) <= scale
        nudged = [complex(x, 1e-30 * (i == j)) for j, x in enumerate(xs)]
        stepped = run(lambda name, *zs: COMPLEX[name](*zs), program, nudged)
        assert abs(stepped.imag / 1e-30 - leaf.grad) <= scale
        assert abs(stepped.real - root.data) <= scale
