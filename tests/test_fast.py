"""The fast forms mean what the plain ones do, to the bit."""

from __future__ import annotations

import pytest
from hypothesis import given

import tinygrad_edu as tg
from tests.generate import GENERATED
from tinygrad_edu import Value, fast
from tinygrad_edu.core import operators, value
from tinygrad_edu.core.graph import tape
from tinygrad_edu.testing import strategies


@pytest.mark.parametrize("path", GENERATED, ids=lambda path: path.name)
def test_generated_files_are_current(path):
    assert path.read_text(encoding="utf-8") == GENERATED[path](), "run: python -m tests.generate"


@pytest.fixture
def plain():
    fast.remove()
    yield
    fast.install()


def run(expression, point, roles):
    """The records and adjoints of a graph, as plain data."""
    leaves = [Value(x, role=role) for x, role in zip(point, roles)]
    result = expression(*leaves)
    result = 2.0 * result - leaves[0] / 3.0 + result**2 + (-result) ** 3.0 + abs(result) % 0.7
    result = (result // 2.0) + tg.sum([result, 1.0, leaves[-1]]) + 1.0 / result + 2.0**result
    result.backward(0.5)
    nodes = tape(result)
    places = {node: i for i, node in enumerate(nodes)}
    return [
        (
            node.op and node.op.name,
            [repr(arg) if type(arg) is float else places[arg] for arg in node.args],
            repr(node.data),
            repr(node.grad),
            node.scope,
        )
        for node in nodes
    ]


@given(strategies.graphs())
def test_random_graphs(example):
    expression, point = example
    for roles in ([None] * len(point), ["constant", "parameter"] * len(point)):
        with tg.scope("here"):
            quick = run(expression, point, roles)
            fast.remove()
            try:
                slow = run(expression, point, roles)
            finally:
                fast.install()
        assert quick == slow


def test_the_plain_forms_take_their_places(plain):
    assert value.sweep.__module__ == value.__name__
    assert Value.__add__.__module__ == operators.__name__
    assert Value(2.0).tanh().data == tg.tanh(2.0)


@pytest.mark.parametrize("op", [op for op in tg.TABLE.values() if op.arity], ids=lambda op: op.name)
@pytest.mark.parametrize("special", [float("nan"), float("inf"), -0.0, 0.0, 1e308, 5e-324])
def test_rows_at_the_edges(op, special):
    def answers():
        leaves = [Value(special) for _ in range(op.arity)]
        op(*leaves).backward()
        mixed = op(special, *leaves[1:]) if op.arity > 1 else op(special)
        return [repr(getattr(x, "data", x)) for x in (op(*leaves), mixed)], [
            repr(x.grad) for x in leaves
        ]

    quick = answers()
    fast.remove()
    try:
        assert answers() == quick
    finally:
        fast.install()


def test_foreign_operands(plain):
    for other in ("a", None, [1.0], 1j):
        with pytest.raises(TypeError):
            Value(1.0) + other
    assert (Value(1.0) + True).data == 2.0
