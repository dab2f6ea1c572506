"""A changed role changes derivatives at once, also those of programs that were recorded before."""

from __future__ import annotations

import itertools
import pickle
import random
from collections.abc import Callable
from typing import Any

import pytest

import tinygrad_edu as tg
from tinygrad_edu import Value, keras, nn
from tinygrad_edu.errors import BadArgument

ROLES = (None, "parameter", "constant")
CHANGES = [change for change in itertools.product(ROLES, ROLES) if change[0] != change[1]]


class Model(nn.Module):
    def __init__(self, w: Value) -> None:
        self.w, self.b = w, Value(0.5)

    def __call__(self, x: Any) -> Any:
        return (self.w * x + self.b) ** 2

    @tg.jit
    def slopes(self, x: Any) -> Any:
        return tg.gradients(self(x), [self.w, self.b])


def inner(w: Value) -> Callable[[Any], Any]:
    """A derivative by x of a derivative by w."""
    return tg.grad(lambda x: tg.gradients((w * x) ** 3, [w])[0])


FUNCTIONS: dict[str, Callable[[Value], Callable[[Any], Any]]] = {
    "gradients": lambda w: lambda x: tg.gradients((w * x) ** 2 + x, [w])[0],
    "the same of a used Value": lambda w: lambda x: w * tg.gradients((w * x) ** 2, [w])[0],
    "second derivative": lambda w: (
        lambda x: tg.gradients(tg.gradients((w * x) ** 3, [w])[0] * x, [w])[0]
    ),
    "inside grad": inner,
    "parameters": lambda w: (
        lambda x: (lambda m: [g * 1.0 for g in tg.gradients(m(x), m.parameters())])(Model(w))
    ),
    "the role itself": lambda w: lambda x: x * (2.0 if w.role == "constant" else 3.0),
    "replayed": lambda w: lambda x: tg.gradients(tg.replay(w * x * w), [w])[0],
    "detached": lambda w: lambda x: tg.gradients(w.detach() * x * w, [w])[0],
    "a detached factor": lambda w: (
        lambda x: (lambda d: tg.gradients(d * x * d, [d])[0])(w.detach())
    ),
    "none": lambda w: lambda x: w * x,
}


def number(x: Any) -> Any:
    return [number(y) for y in x] if isinstance(x, list) else x.data if isinstance(x, Value) else x


@pytest.mark.parametrize(("first", "then"), CHANGES)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_jit_sees_the_roles_of_what_it_captured(name, first, then):
    w = Value(2.0, role=first)
    f = FUNCTIONS[name](w)
    jitted, lanes = tg.jit(f), tg.jit(tg.vmap(lambda x: f(x)))
    for role in (first, then, first, then):
        w.role = role
        expected = number(f(Value(3.0)))
        assert jitted(3.0) == expected
        assert lanes([3.0, 3.0]) == [expected, expected]
    assert jitted.traces <= 2, "one program for each role"
    Value(1.0).role = "constant"
    jitted(3.0)
    assert jitted.traces <= 2, "the role of another Value doesn't matter"


@pytest.mark.parametrize(("first", "then"), CHANGES)
def test_jit_sees_the_roles_of_interior_nodes_that_it_records_again(first, then):
    w = Value(2.0)
    h = w * 3.0
    f = lambda x: tg.gradients(tg.replay(h * 1.0) * x * w, [w])[0]  # noqa: E731
    jitted = tg.jit(f)
    for role in (first, then, first, then):
        h.role = role
        assert jitted(3.0) == f(Value(3.0)).data
    assert jitted.traces <= 2, "one program for each role"


def test_a_jitted_method_sees_roles_and_the_programs_of_each_stay_current():
    model = Model(Value(2.0))
    for role in ("constant", "parameter", "constant"):
        model.w.role = role
        expected = [g.data for g in tg.gradients(model(Value(3.0)), [model.w, model.b])]
        assert [float(g) for g in model.slopes(3.0)] == expected
        model.w.data += 1.0


@pytest.mark.parametrize(("first", "then"), CHANGES)
def test_a_program_refuses_gradients_that_its_parameters_roles_no_longer_fit(first, then):
    x, w, v = Value(0.0, name="x"), Value(2.0, name="w", role=first), Value(1.0, name="v")
    program = tg.compile((w * x) ** 2 + v * x, inputs=[x], parameters=[w, v])
    before = program.value_and_grad([[3.0]])
    slope = 0.0 if first == "constant" else 36.0
    assert (before[0], list(before[1])) == (39.0, [slope, 3.0])
    w.role = then
    if "constant" not in (first, then):
        assert list(program.value_and_grad([[3.0]])[1]) == [slope, 3.0]
        return
    for ask in (lambda: program.value_and_grad([[3.0]]), program.to_json,
                program.c_source, program.source, lambda: pickle.dumps(program)):  # fmt: skip
        with pytest.raises(BadArgument, match=r"role of 'w'.*tg\.compile"):
            ask()
    assert program.value([[3.0]]) == 39.0, "which depends on no role"
    w.role = first
    assert list(program.value_and_grad([[3.0]])[1]) == [slope, 3.0]


INTERIOR: dict[str, Callable[[Value, Value], list[Value]]] = {
    "used once": lambda w, x: [h := w * x, h**2 + w],
    "used twice": lambda w, x: [h := w * x, h * h + h],
    "a term": lambda w, x: [h := (w * x) ** 2, h + 0.5 * w],
    "a term that counts once": lambda w, x: [h := 0.5 * w, w * x + h],
    "a sum of both kinds": lambda w, x: [h := w * x + 0.5 * w, h + w * x],
    "shared sums": lambda w, x: [h := w * x + w, tg.sum([h, h, x]) + h],
    "in a row of many": lambda w, x: [h := tg.tanh(w), tg.logsumexp([h, x, w * x])],
    "behind another constant": lambda w, x: [
        h := w * x,
        Value.interpret(tg.ops.stop_gradient, [h]) + h,
    ],
    "the loss": lambda w, x: [h := (w * x) ** 2, h],
}


@pytest.mark.parametrize(("first", "then"), CHANGES)
@pytest.mark.parametrize("name", INTERIOR)
@pytest.mark.parametrize("reduce", ["mean", "sum"])
@pytest.mark.parametrize("changed", [False, True])
def test_a_program_knows_the_roles_of_interior_nodes(name, first, then, reduce, changed):
    x, w = Value(3.0, name="x"), Value(2.0, name="w")
    h, loss = INTERIOR[name](w, x)
    h.name, h.role = "h", first
    slopes = {first: tg.gradients(loss, [w])[0].data}
    if changed:
        w.data = 2.0  # so that the graph is recorded again for the program
    program = tg.compile(loss, inputs=[x], parameters=[w], reduce=reduce)
    copy = pickle.loads(pickle.dumps(program))
    h.role = then
    slopes[then] = tg.gradients(tg.replay(loss), [w])[0].data
    for kept in (program, copy):
        assert kept.value([[3.0]]) == pytest.approx(loss.data)
    assert copy.value_and_grad([[3.0]])[1] == pytest.approx([slopes[first]]), "has no such node"
    for role in (then, first):
        h.role = role
        if h is loss or (role == "constant") is (first == "constant"):
            assert program.value_and_grad([[3.0]])[1] == pytest.approx([slopes[role]])
        else:
            with pytest.raises(BadArgument, match=r"role of 'h'.*tg\.compile"):
                program.value_and_grad([[3.0]])


@pytest.mark.parametrize("seed", range(200))
def test_a_loss_is_taken_apart_without_letting_a_gradient_through_a_constant(seed):
    rng = random.Random(seed)
    x, w, v = Value(0.3), Value(0.7), Value(-0.4)
    nodes = [x, w, v]
    for _ in range(rng.randint(2, 8)):
        a, b, c = rng.choices(nodes, k=3)
        nodes.append(rng.choice([a + b, a + b, tg.sum([a, b, c]), a + 1.5, a * b, tg.tanh(a)]))
        nodes[-1].role = rng.choice([None, None, "constant"])
    loss = nodes[-1]
    loss.backward()
    expected = pytest.approx([w.grad, v.grad], rel=1e-12, abs=1e-300)
    program = tg.compile(loss, inputs=[x], parameters=[w, v])
    for batch in ([[0.3]], [[0.3], [0.3]], [[0.3]] * 5):
        assert program.value(batch) == pytest.approx(loss.data, rel=1e-12)
        assert program.value_and_grad(batch)[1] == expected


def test_results_that_are_no_derivatives_depend_on_no_role():
    x, w = Value(0.0, name="x"), Value(2.0, name="w")
    program = tg.compile([w * x], inputs=[x], parameters=[w])
    w.role = "constant"
    assert [list(row) for row in program.values([[3.0]])] == [[6.0]]


@pytest.mark.parametrize(("first", "then"), [*itertools.product(ROLES, ROLES)])
def test_fit_sees_roles_compiled_as_eagerly(first, then):
    weights = []
    for eagerly in (True, False):
        model = keras.Sequential(
            [keras.layers.Dense(2, "tanh", input_shape=[1]), keras.layers.Dense(1)]
        )
        mine = model.parameters()
        for i, weight in enumerate(mine):
            weight.data = 0.1 * (i + 1)
        model.compile(keras.optimizers.SGD(0.1), "mse", run_eagerly=eagerly)
        seen = []
        for role in (first, then, first):
            mine[0].role = role
            before = mine[0].data
            model.fit([[0.1], [0.2], [0.3]], [[1.0], [2.0], [3.0]], verbose=0, shuffle=False)
            assert (mine[0].data == before) is (role == "constant")
            seen += [weight.data for weight in mine]
        weights.append(seen)
    assert weights[0] == pytest.approx(weights[1], rel=1e-12)


@pytest.mark.parametrize(("first", "then"), CHANGES)
def test_the_program_of_a_jitted_function_refuses_roles_that_its_derivatives_no_longer_fit(
    first, then
):
    w = Value(2.0, name="w", role=first)
    f = tg.jit(lambda x: w * tg.gradients((w * x) ** 2, [w])[0])
    program = f.program(3.0)
    slope = 0.0 if first == "constant" else 72.0
    assert float(program.values([[3.0]])[0][0]) == slope
    copy = pickle.loads(pickle.dumps(program))
    copy.captured[0].role = w.role = then
    with pytest.raises(BadArgument, match="role of 'w'"):
        copy.values([[3.0]])
    for ask in (lambda: program.values([[3.0]]), program.to_json, program.c_source,
                program.source, lambda: pickle.dumps(program)):  # fmt: skip
        with pytest.raises(BadArgument, match=r"role of 'w'.*jit\(f\)\.program"):
            ask()
    again = f.program(3.0).values([[3.0]])
    assert float(again[0][0]) == (0.0 if then == "constant" else 72.0)
    w.role = first
    assert float(program.values([[3.0]])[0][0]) == slope
