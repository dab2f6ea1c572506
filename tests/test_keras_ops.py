"""Every function of keras.ops: the same numbers on Values, and gradients as differences show them.

`test_keras_cases` compares the numbers themselves with Keras's.
"""

from __future__ import annotations

import inspect
import pickle

import numpy as np
import pytest

import tinygrad_edu as tg
from tests.keras_cases import OPS, op_arguments
from tinygrad_edu import keras
from tinygrad_edu.core.value import plain
from tinygrad_edu.errors import BadArgument
from tinygrad_edu.keras.of_arrays import _NEW_ARRAYS, _QUESTIONS

MADE = {name for names in _NEW_ARRAYS.values() for name in names}
OF_INTEGERS = {"one_hot", "argmax", "argmin", "ndim", "size", "shape"}
FLAT = {"equal", "greater", "greater_equal", "less", "less_equal", "not_equal", "sign", "ceil",
        "floor", "round", "trunc", "floor_divide", "stop_gradient", "convert_to_numpy"}  # fmt: skip
"""Slopes are 0, or there is no graph."""
WITH_GRADIENTS = [
    name for name in OPS if name not in MADE | OF_INTEGERS | _QUESTIONS and name != "divide_no_nan"
]  # a pole


def needed(name: str) -> int:
    parameters = inspect.signature(getattr(keras.ops, name)).parameters.values()
    return sum(p.default is p.empty for p in parameters)


def arrays(x) -> list:
    """The arrays of floats in nested lists."""
    if isinstance(x, (list, tuple)):
        return [a for item in x for a in arrays(item)]
    return [x] if isinstance(x, np.ndarray) and x.dtype == float else []


def put(x, new):
    """The same with other arrays of floats."""
    if isinstance(x, (list, tuple)):
        return type(x)(put(item, new) for item in x)
    return next(new) if isinstance(x, np.ndarray) and x.dtype == float else x


def flat(result) -> list:
    if isinstance(result, (list, tuple)):
        return [x for item in result for x in flat(item)]
    return list(np.asarray(result).ravel())


def cases(name):
    return [args for args in op_arguments(name, needed(name)) if arrays(args)]


@pytest.mark.parametrize("name", [name for name in OPS if cases(name)])
def test_values_give_the_same_numbers(name):
    function = getattr(keras.ops, name)
    for args in cases(name):
        values = [np.vectorize(tg.Value, otypes=[object])(a) for a in arrays(args)]
        mine = [float(plain(x)) for x in flat(function(*put(args, iter(values))))]
        assert mine == pytest.approx([float(x) for x in flat(function(*args))], rel=1e-14)


@pytest.mark.parametrize("name", WITH_GRADIENTS)
def test_the_gradients_are_those_of_differences(name):
    function = getattr(keras.ops, name)
    for args in cases(name):
        given = arrays(args)
        sizes = np.cumsum([a.size for a in given])[:-1]

        def loss(numbers, args=args, given=given, sizes=sizes):
            parts = np.split(np.asarray(numbers), sizes)
            shaped = [p.reshape(a.shape) for p, a in zip(parts, given)]
            results = flat(function(*put(args, iter(shaped))))
            return sum(((i % 5) - 1.5) * x for i, x in enumerate(results))

        at = np.concatenate([a.ravel() for a in given])
        mine = tg.grad(loss)(list(at)) if name not in FLAT else [0.0] * len(at)
        steps = 1e-6 * np.eye(len(at))
        found = [(float(loss(at + step)) - float(loss(at - step))) / 2e-6 for step in steps]
        assert name in FLAT or mine == pytest.approx(found, rel=1e-5, abs=1e-7)


@pytest.mark.parametrize("name", sorted(FLAT - {"convert_to_numpy"}))
def test_steps_have_no_slope(name):
    function = getattr(keras.ops, name)
    args = op_arguments(name, needed(name))[0]
    values = [np.vectorize(tg.Value, otypes=[object])(a) for a in arrays(args)]
    out = flat(function(*put(args, iter(values))))
    loss = tg.sum([x for x in out if isinstance(x, tg.Value)] or [tg.Value(0.0)])
    loss.backward()
    assert name == "floor_divide" or all(v.grad == 0.0 for a in values for v in a.ravel())


@pytest.mark.parametrize("name", OPS)
def test_it_is_a_function_with_a_docstring_that_can_be_pickled(name):
    function = getattr(keras.ops, name)
    assert pickle.loads(pickle.dumps(function)) is function
    assert function.__doc__


def test_divide_no_nan_has_no_slope_at_the_pole():
    slope = tg.grad(lambda p: keras.ops.divide_no_nan(p[0], p[1]))
    assert slope([3.0, 0.0]) == [0.0, 0.0]


def test_signals_make_layers():
    ops = keras.ops
    x, y = keras.Input((3,)), keras.Input((3,))
    chosen = ops.where(ops.less(x, y), x, y)
    model = keras.Model(
        [x, y],
        [ops.concatenate([x, y], axis=1), chosen, ops.gelu(ops.norm(x, axis=-1, keepdims=True))],
    )
    a, b = np.array([[1.0, 2.0, 3.0]]), np.array([[3.0, 1.0, 5.0]])
    joined, least, _ = model.predict([a, b], verbose=0)
    assert np.array_equal(joined, [[1.0, 2.0, 3.0, 3.0, 1.0, 5.0]])
    assert np.array_equal(least, [[1.0, 1.0, 3.0]])
    assert ops.shape(x) == (None, 3)


@pytest.mark.parametrize(
    "call",
    [
        lambda ops: ops.cast([1.5], "int32"),
        lambda ops: ops.zeros((2,), "int32"),
        lambda ops: ops.norm([[1.0, 2.0]], "fro"),
        lambda ops: ops.norm([[1.0, 2.0]], 2),
        lambda ops: ops.logsumexp([[1.0]], axis=(0, 1)),
        lambda ops: ops.where([True]),
        lambda ops: ops.convert_to_tensor([1.0], sparse=True),
        lambda ops: ops.gelu([1.0], aproximate=True),
    ],
)
def test_what_would_compute_something_else_is_refused(call):
    with pytest.raises((BadArgument, TypeError)):
        call(keras.ops)
