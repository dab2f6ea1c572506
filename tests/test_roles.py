"""A changed role changes derivatives at once, also those of programs that were recorded before."""

from __future__ import annotations

import itertools
import pickle
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
