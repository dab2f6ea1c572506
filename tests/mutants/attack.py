"""Random inputs that could tell a mutant of the core from the source."""

from __future__ import annotations

import hashlib
import math
import random
import struct
from collections.abc import Iterator
from typing import Any

import tinygrad_edu as tg
from tinygrad_edu import Value
from tinygrad_edu.core.table import BUILT_IN, TABLE, Op

PLAIN = (0.0, -0.0, 1.0, -1.0, 0.5, 2.0, 3.0, 6.0, 1e-17, 1e-20, 20.0, 30.0, 64.0, math.inf,
         -math.inf, math.nan, 5e-324, 1.7976931348623157e308, 2.0**53, 2.0**-1022)  # fmt: skip


def some(rng: random.Random, low: float = -8.0, high: float = 8.0) -> float:
    """A double: of a range, of any size, a neighbour of a notable one, or any bits at all."""
    kind = rng.randrange(6)
    if kind < 2:
        return rng.uniform(low, high)
    if kind == 2:
        return rng.choice((-1.0, 1.0)) * 10.0 ** rng.uniform(-320.0, 308.0)
    if kind == 3:
        return rng.choice(PLAIN)
    if kind == 4:
        near = rng.choice((-1.0, 1.0)) * rng.choice(PLAIN)
        return math.nextafter(near, rng.choice((-math.inf, math.inf)))
    (x,) = struct.unpack("<d", rng.randbytes(8))
    return float(x)


def outcome(op: Op, args: tuple[float, ...], deep: bool) -> Iterator[Any]:
    """The value and partials of a row, on floats; if deep, on Values to the third derivative."""
    out = op.compute(*args)
    yield out
    yield op.locals(out, args, [True] * len(args))
    if not deep:
        return
    leaves = [Value(x) for x in args]
    result = op(leaves) if op.arity is None else op(*leaves)
    for _ in range(3):
        slopes = tg.gradients(result, leaves)
        yield [slope.data for slope in slopes]
        result = slopes[0]
    tg.backward([result])
    yield [leaf.grad for leaf in leaves]


def graph(rng: random.Random, rows: list[Op]) -> Iterator[Any]:
    """The numbers of a random graph, and its gradients in two ways."""
    leaves = [Value(some(rng), role=rng.choice((None, None, "constant"))) for _ in range(3)]
    nodes: list[Any] = [*leaves, some(rng)]
    for _ in range(6):
        op = rng.choice(rows)
        args = [rng.choice(nodes) for _ in range(2 if op.arity is None else op.arity)]
        args[0] = rng.choice([node for node in nodes if isinstance(node, Value)])
        nodes.append(op(args) if op.arity is None else op(*args))
    yield [node.data for node in nodes if isinstance(node, Value)]
    yield [slope.data for slope in tg.gradients(nodes[-1], leaves)]
    if rng.random() < 0.1:
        leaves[0].data = 1.0
        nodes[-1] = tg.replay(nodes[-1])
    nodes[-1].backward(some(rng))
    yield [node.grad for node in nodes if isinstance(node, Value)]


def products(rng: random.Random, rows: list[Op]) -> Iterator[Any]:
    """The derivatives of a row along a direction, of the first and the second order."""
    op = rng.choice(rows)

    def f(*xs: Any) -> Any:
        return op(xs) if op.arity is None else op(*xs)

    primals, along = ([some(rng) for _ in range(op.arity or 2)] for _ in range(2))
    yield tg.jvp(f, primals, along)
    yield tg.hvp(f, primals, along)


def attack(count: int, names: list[str]) -> str:
    """A digest of the outcomes of these rows, or of all, on random inputs.

    Of a mutant that is listed as equivalent, it must be that of the source.
    """
    rng = random.Random(count)
    every = [TABLE[name] for name in sorted(BUILT_IN)]
    rows = [row for row in every if row.name in names] or every
    digest = hashlib.sha256()
    for i in range(count):
        if i % 20 == 0:
            said = [*graph(rng, every), *products(rng, every)]
        else:
            op = rows[i % len(rows)]
            ranges = op.sample * (rng.randrange(1, 4) if op.arity is None else 1)
            said = list(outcome(op, tuple(some(rng, *r) for r in ranges), deep=i % 10 == 1))
        digest.update(repr(said).encode())
    return digest.hexdigest()
