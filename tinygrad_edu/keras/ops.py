"""Functions of whole arrays under the names that Keras gives them, for losses, metrics and layers.

They work on arrays of numbers and Values, and on Signals, where they make layers.

>>> from tinygrad_edu import keras
>>> float(keras.ops.mean(keras.ops.square([1.0, 3.0])))
5.0
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from ..arrays import of_values
from ..core.table import TABLE, Op
from ..nn.activations import VECTOR_ACTIVATIONS
from ..nn.layers import Lambda, Signal, apply
from ..nn.tensors import numpy

_OTHERWISE = {
    "absolute": "abs", "divide": "div", "multiply": "mul", "negative": "neg", "power": "pow",
    "subtract": "sub", "arccos": "acos", "arccosh": "acosh", "arcsin": "asin", "arcsinh": "asinh",
    "arctan": "atan", "arctan2": "atan2", "arctanh": "atanh",
}  # fmt: skip
_SAME = (
    "abs", "add", "ceil", "celu", "clip", "cos", "cosh", "elu", "equal", "erf", "exp", "exp2",
    "expm1", "floor", "gelu", "greater", "greater_equal", "hard_sigmoid", "hard_silu", "hard_tanh",
    "leaky_relu", "less", "less_equal", "log", "log10", "log1p", "log2", "log_sigmoid",
    "logaddexp", "maximum", "minimum", "mod", "not_equal", "reciprocal", "relu", "relu6", "round",
    "selu", "sigmoid", "sign", "silu", "sin", "sinh", "softplus", "softsign", "sqrt", "square",
    "squareplus", "stop_gradient", "tan", "tanh", "tanh_shrink", "where",
)  # fmt: skip
_OF_NUMPY = (
    "all", "any", "argmax", "argmin", "concatenate", "cumsum", "dot", "expand_dims", "matmul",
    "max", "mean", "min", "ones_like", "prod", "repeat", "reshape", "shape", "squeeze", "stack",
    "std", "sum", "transpose", "var", "zeros_like",
)  # fmt: skip


def _elementwise(row: Op) -> Callable[..., Any]:
    def of_arrays(*args: Any, **settings: Any) -> Any:
        if [x for x in args if isinstance(x, Signal)]:  # any() is Keras's in this module
            return apply(row.name, *args)
        np = numpy()
        arrays = [np.asarray(x) for x in args]
        result = np.frompyfunc(partial(row, **settings), len(arrays), 1)(*arrays)
        return of_values(np.asarray(result))[()]

    of_arrays.__name__, of_arrays.__doc__ = row.name, f"The row {row.name}, element by element."
    return of_arrays


def _whole(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    def of_arrays(x: Any, *args: Any, **settings: Any) -> Any:
        parts = x if isinstance(x, (list, tuple)) else [x]
        if [part for part in parts if isinstance(part, Signal)]:
            return Lambda(lambda parts: of_arrays(parts, *args, **settings), name=name)(x)
        np = numpy()
        given = [np.asarray(part) for part in x] if type(x) in (list, tuple) else np.asarray(x)
        result = function(given, *args, **settings)
        return of_values(result)

    of_arrays.__name__, of_arrays.__doc__ = name, f"NumPy's {name}, of numbers and Values."
    return of_arrays


def _of_numpy(name: str) -> Callable[..., Any]:
    return _whole(name, lambda *args, **settings: getattr(numpy(), name)(*args, **settings))


def _over_last(name: str) -> Callable[..., Any]:
    def along(x: Any, axis: int = -1) -> Any:
        return numpy().apply_along_axis(VECTOR_ACTIVATIONS[name], axis, x)

    return _whole(name, along)


def convert_to_tensor(x: Any, dtype: Any = None) -> Any:
    """The same numbers or Values as an array."""
    return of_values(numpy().asarray(x))


def convert_to_numpy(x: Any) -> Any:
    """The numbers as an array, without what they were made from."""
    return x.numpy() if hasattr(x, "numpy") else numpy().asarray(x)


def cast(x: Any, dtype: Any = None) -> Any:
    """The same: all numbers are float64 here; Python's own types become numbers."""
    np = numpy()
    array = np.asarray(x)
    return of_values(array if array.dtype == object else array.astype(float))


FUNCTIONS: dict[str, Callable[..., Any]] = {
    **{name: _elementwise(TABLE[name]) for name in _SAME},
    **{name: _elementwise(TABLE[row]) for name, row in _OTHERWISE.items()},
    **{name: _of_numpy(name) for name in _OF_NUMPY},
    **{name: _over_last(name) for name in ("softmax", "log_softmax", "sparsemax")},
}

for _name, _function in FUNCTIONS.items():
    _function.__module__, _function.__qualname__ = __name__, _name  # where pickle finds it
globals().update(FUNCTIONS)
__all__ = [*FUNCTIONS, "cast", "convert_to_numpy", "convert_to_tensor"]
