"""Laws that hold for every graph, on whole random expressions of every row that has slopes.

The first user of `tinygrad_edu.testing.strategies`. Each law is stated once; that each test
can fail is shown at the end, by breaking the engine in one place and meeting the failure.
"""

from __future__ import annotations

import cmath
import math
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings

import tinygrad_edu as tg
from tinygrad_edu import Value
from tinygrad_edu.core import ops
from tinygrad_edu.core.graph import datum, local_numbers
from tinygrad_edu.core.table import Op
from tinygrad_edu.errors import GradientMismatch
from tinygrad_edu.testing import check_grads, strategies
from tinygrad_edu.testing.strategies import Example

# ── The laws ──────────────────────────────────────────────────────────────────────────────


def all_modes_agree(graph: Example) -> None:
    """backward(), gradients, grad, jvp and snapshot: one derivative, to the last digits."""
    expression, point = graph
    leaves = graph.leaves()
    root = expression(*leaves)
    recorded = tg.gradients(root, leaves)
    record = tg.snapshot(root)
    adjoints = {node.name: node.adjoint for node in record.nodes if node.op is None}
    root.backward()
    reverse = [leaf.grad for leaf in leaves]
    bound = 1e-14 * (1 + len(record.nodes)) * largest_path(root, leaves)
    assert [adjoints[leaf.name] for leaf in leaves] == pytest.approx(reverse, rel=0, abs=bound)
    assert [slope.data for slope in recorded] == pytest.approx(reverse, rel=0, abs=bound)
    by_grad = tg.grad(expression, argnums=tuple(range(len(point))))(*point)
    assert list(by_grad) == pytest.approx(reverse, rel=0, abs=bound)
    for i in range(len(point)):
        unit = [float(i == j) for j in range(len(point))]
        value, slope = tg.jvp(expression, point, unit)
        assert value == root.data
        assert slope == pytest.approx(reverse[i], rel=0, abs=bound)


def largest_path(root: Value, leaves: Sequence[Value]) -> float:
    """Σ |product of partials| over all paths to a leaf: what rounding errors are relative to."""
    size: dict[Any, float] = dict.fromkeys(leaves, 1.0)
    for node in tg.core.graph.tape(root):
        if node.op is not None:
            pairs = zip(node.args, local_numbers(node))
            size[node] = sum(size.get(arg, 0.0) * abs(local or 0.0) for arg, local in pairs)
    return size.get(root, 0.0)


def adjoints_add_up(graph: Example) -> None:
    """Each adjoint is the sum of local × upstream over the outgoing edges, exactly so."""
    root = graph.expression(*graph.leaves())
    record = tg.snapshot(root)
    arriving: dict[int, list[float]] = {node.id: [] for node in record.nodes}
    for arg, position, consumer in record.edges():
        local = consumer.partials[position]
        if local is not None:
            arriving[arg.id].append(local * consumer.adjoint)
    for node in record.nodes[:-1]:
        terms = arriving[node.id]
        size = math.fsum(map(abs, terms))
        assert abs(node.adjoint - math.fsum(terms)) <= 1e-15 * len(terms) * size
    assert record.root.adjoint == 1.0


def backward_twice_is_exactly_twice(graph: Example) -> None:
    leaves = graph.leaves()
    root = graph.expression(*leaves)
    root.backward()
    once = [leaf.grad for leaf in leaves]
    root.backward()
    assert [leaf.grad for leaf in leaves] == [2.0 * grad for grad in once]
    tg.zero_grad(leaves)
    root.backward(2.0)
    assert [leaf.grad for leaf in leaves] == [2.0 * grad for grad in once]


def replay_gives_the_same_bits(graph: Example) -> None:
    leaves = graph.leaves()
    root = graph.expression(*leaves)
    before = tg.snapshot(root)
    assert tg.snapshot(tg.replay(root)) == before
    for leaf in leaves:
        leaf.data = leaf.data  # which makes the record stale
    assert tg.snapshot(tg.replay(root)) == before


def numbers_are_the_same_recorded_or_not(graph: Example) -> None:
    expression, point = graph
    plain = expression.trace(*point)
    assert [datum(x) for x in expression.trace(*graph.leaves())] == plain
    with tg.no_grad():
        assert expression(*graph.leaves()).data == plain[-1]


def its_code_gives_the_same_bits(graph: Example) -> None:
    expression, point = graph
    again = eval(repr(expression), {"tg": tg})
    assert again(*point) == expression(*point)
    ours, its = (tg.snapshot(f(*graph.leaves())) for f in (expression, again))
    assert len(its.nodes) == len(ours.nodes)  # what is shared is shared in the code too


def the_complex_step_agrees(graph: Example) -> None:
    """Im f(x + iε)/ε is the slope to the last digits, and shares no rule with the engine."""
    expression, point = graph
    slopes = tg.grad(expression, argnums=tuple(range(len(point))))(*point)
    leaves = graph.leaves()
    root = expression(*leaves)
    bound = 1e-13 * (1 + len(expression.steps)) * largest_path(root, leaves)
    for i, slope in enumerate(slopes):
        moved = [complex(x, 1e-150 * (i == j)) for j, x in enumerate(point)]
        step = expression(*moved, apply=lambda op, z: ANALYTIC[op](*z)).imag / 1e-150
        assert step == pytest.approx(slope, rel=1e-12, abs=bound)


ANALYTIC: dict[Op, Callable[..., complex]] = {
    ops.add: lambda z, w: z + w,
    ops.sub: lambda z, w: z - w,
    ops.mul: lambda z, w: z * w,
    ops.div: lambda z, w: z / w,
    ops.neg: lambda z: -z,
    ops.square: lambda z: z * z,
    ops.sum: lambda *zs: sum(zs),
    ops.exp: cmath.exp,
    ops.sin: cmath.sin,
    ops.cos: cmath.cos,
    ops.tanh: cmath.tanh,
    ops.sigmoid: lambda z: 1.0 / (1.0 + cmath.exp(-z)),
    ops.relu: lambda z: z if z.real > 0.0 else 0j,
    ops.maximum: lambda z, w: z if z.real > w.real else w,
    ops.where: lambda c, z, w: z if c.real != 0.0 else w,
}


def differences_agree(graph: Example) -> None:
    """All of check_grads, to the second order: whatever it can decide is right."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        check_grads(graph.expression, *graph.point)


LAWS = {
    law: strategies.graphs()
    for law in (
        all_modes_agree,
        adjoints_add_up,
        backward_twice_is_exactly_twice,
        replay_gives_the_same_bits,
        numbers_are_the_same_recorded_or_not,
        its_code_gives_the_same_bits,
        differences_agree,
    )
} | {the_complex_step_agrees: strategies.graphs(tuple(ANALYTIC))}

every_law = pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)


@every_law
def test_law(law: Callable[[Example], None]) -> None:
    given(LAWS[law])(law)()


# ── Each of them can fail ─────────────────────────────────────────────────────────────────


def broken_multiplication(monkeypatch: pytest.MonkeyPatch) -> None:
    """A rule that is wrong in the same way in every mode."""
    wrong = (lambda out, x, y: y * (1.0 + 1e-9), lambda out, x, y: x)
    monkeypatch.setattr(ops.mul, "partials", wrong)


def broken_reverse(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reverse mode in functions, but not in backward(), is off by a billionth."""
    right = tg.core.calculus.pull

    def off(seeds: Any, xs: Any, record: bool) -> Any:
        return [g * (1.0 + 1e-9) for g in right(seeds, xs, record)]

    monkeypatch.setattr(tg.core.calculus, "pull", off)


def broken_snapshot(monkeypatch: pytest.MonkeyPatch) -> None:
    """An edge told with another partial than the sweep used."""
    right = tg.snapshot

    def shifted(root: Value) -> Any:
        nodes = right(root).nodes
        last = nodes[-1]._replace(partials=tuple(p and p * 1.001 for p in nodes[-1].partials))
        return tg.Graph((*nodes[:-1], last))

    monkeypatch.setattr(tg, "snapshot", shifted)


def broken_backward(monkeypatch: pytest.MonkeyPatch) -> None:
    """The gradients of interior nodes are not cleared, as in micrograd."""
    right = Value.backward

    def mixing(self: Value, seed: float = 1.0) -> None:
        right(self, seed + self.grad)

    monkeypatch.setattr(Value, "backward", mixing)


def broken_replay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tg, "replay", lambda root: root * 1.0)


def broken_recording(monkeypatch: pytest.MonkeyPatch) -> None:
    """Values compute something that floats do not."""
    right = Value.interpret

    def rounded(op: Op, args: Any) -> Value:
        made = right(op, args)
        made._data = float(f"{made._data:.12g}")
        return made

    monkeypatch.setattr(Value, "interpret", staticmethod(rounded))


def broken_code(monkeypatch: pytest.MonkeyPatch) -> None:
    """Operators without parentheses."""
    from tinygrad_edu.testing import expressions

    right = expressions._parts
    monkeypatch.setattr(expressions, "_parts", lambda op, places, inside: right(op, places, False))


@pytest.mark.parametrize(
    ("law", "breaking"),
    [
        (all_modes_agree, broken_reverse),
        (adjoints_add_up, broken_snapshot),
        (backward_twice_is_exactly_twice, broken_backward),
        (replay_gives_the_same_bits, broken_replay),
        (numbers_are_the_same_recorded_or_not, broken_recording),
        (its_code_gives_the_same_bits, broken_code),
        (the_complex_step_agrees, broken_multiplication),
        (differences_agree, broken_multiplication),
        (differences_agree, broken_reverse),
    ],
    ids=lambda f: f.__name__,
)
def test_a_broken_engine_is_found(law, breaking, monkeypatch):
    breaking(monkeypatch)
    rows = (ops.mul, ops.sub, ops.sum, ops.sin, ops.exp)

    @settings(
        max_examples=300, phases=[Phase.generate], derandomize=True, deadline=None, database=None,
        report_multiple_bugs=False, suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(strategies.graphs(rows))
    def search(graph: Example) -> None:
        law(graph)

    with pytest.raises((AssertionError, GradientMismatch)):
        search()
