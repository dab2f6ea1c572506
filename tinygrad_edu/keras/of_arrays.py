"""The functions of `keras.ops`: rows for each element of an array, and NumPy's for whole ones.

They stand here and not in `keras.ops`, where ``max``, ``sum`` and ``any`` are Keras's.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from functools import reduce
from inspect import Parameter, Signature
from typing import Any, Final

from ..arrays import of_values
from ..core import ops as rows
from ..core.table import TABLE
from ..core.value import plain
from ..errors import BadArgument
from ..nn.activations import VECTOR_ACTIVATIONS, sparse_plus, sparse_sigmoid
from ..nn.activations import gelu as exact_or_tanh
from ..nn.activations import threshold as above
from ..nn.layers import Lambda, Signal, apply
from ..nn.settings import check_dtype
from ..nn.tensors import numpy as _numpy

_UNCHANGED = {"dtype": None, "sparse": None, "ragged": None}
"""Settings that change nothing: everything is float64 and dense."""

# ── Element by element: rows of the table ──────────────────────────────────────────────────

_ROWS: Final = {
    "x": (
        "abs", "cbrt", "ceil", "cos", "cosh", "erf", "erfc", "exp", "exp2", "expm1", "floor",
        "hard_sigmoid", "hard_silu", "hard_tanh", "log", "log10", "log1p", "log2", "log_sigmoid",
        "reciprocal", "relu", "relu6", "selu", "sigmoid", "sign", "silu", "sin", "sinh",
        "softplus", "softsign", "sqrt", "square", "tan", "tanh", "tanh_shrink",
    ),
    "x1, x2": (
        "add", "equal", "greater", "greater_equal", "less", "less_equal", "logaddexp", "maximum",
        "minimum", "mod", "not_equal",
    ),
    "x, alpha=1.0": ("celu", "elu"),
    "x, negative_slope=0.2": ("leaky_relu",),
    "x, threshold=0.5": ("hard_shrink", "soft_shrink"),
    "x, b=4": ("squareplus",),
    "x, x_min, x_max": ("clip",),
    "variable": ("stop_gradient",),
}  # fmt: skip
"""Names of rows, by their arguments in Keras."""

_OTHERWISE: Final = {
    "x": {
        "absolute": "abs", "arccos": "acos", "arccosh": "acosh", "arcsin": "asin",
        "arcsinh": "asinh", "arctan": "atan", "arctanh": "atanh", "deg2rad": "radians",
        "fabs": "abs", "hard_swish": "hard_silu", "negative": "neg", "rad2deg": "degrees",
        "swish": "silu",
    },
    "x1, x2": {
        "arctan2": "atan2", "divide": "div", "floor_divide": "floordiv", "hypot": "hypot",
        "multiply": "mul", "power": "pow", "subtract": "sub", "true_divide": "div",
    },
}  # fmt: skip
"""Other names of rows in Keras, by their arguments there."""


def _no_nan(x1: Any, x2: Any) -> Any:
    zero = rows.equal(x2, 0.0)
    return rows.where(zero, 0.0, rows.div(x1, rows.where(zero, 1.0, x2)))


_MADE_OF_ROWS: Final[dict[str, tuple[str, Callable[..., Any]]]] = {
    "divide_no_nan": ("x1, x2", _no_nan),
    "gelu": ("x, approximate=True", exact_or_tanh),
    "rsqrt": ("x", lambda x: rows.reciprocal(rows.sqrt(x))),
    "sparse_plus": ("x", sparse_plus),
    "sparse_sigmoid": ("x", sparse_sigmoid),
    "threshold": ("x, threshold, default_value", above),
}
"""Functions of one element that are made of rows, with their arguments."""

# ── Whole arrays: NumPy's functions ────────────────────────────────────────────────────────

_OF_NUMPY: Final = {
    "x": (
        "copy", "fliplr", "flipud", "isfinite", "isinf", "isnan", "isneginf", "isposinf",
        "logical_not", "ndim", "ravel", "size", "trunc",
    ),
    "x1, x2": (
        "dot", "fmax", "fmin", "fmod", "inner", "kron", "logical_and", "logical_or",
        "logical_xor", "matmul", "outer", "vdot",
    ),
    "x, axis=None, keepdims=False": (
        "all", "amax", "amin", "any", "argmax", "argmin", "mean", "ptp", "std", "sum", "var",
    ),
    "x, axis=None, keepdims=False, initial=None": ("max", "min"),
    "x, axis=None, keepdims=False, dtype=None": ("prod",),
    "x, axis=None, dtype=None": ("cumprod", "cumsum"),
    "x, axis=None, weights=None": ("average",),
    "x, axis=None": ("flip", "squeeze"),
    "x, axis": ("expand_dims",),
    "x, axis=-1": ("sort",),
    "x, axis=0": ("stack",),
    "xs, axis=0": ("concatenate",),
    "xs": ("dstack", "hstack", "vstack"),
    "x, k=0": ("diag", "diagflat", "tril", "triu"),
    "x, offset=0, axis1=0, axis2=1": ("diagonal", "trace"),
    "x, axes=None": ("transpose",),
    "x, axis1, axis2": ("swapaxes",),
    "x, source, destination": ("moveaxis",),
    "x, shape": ("broadcast_to",),
    "x, newshape": ("reshape",),
    "x, repeats": ("tile",),
    "x, repeats, axis=None": ("repeat",),
    "x, shift, axis=None": ("roll",),
    "x, indices, axis=None": ("take",),
    "x, indices_or_sections": ("dsplit", "hsplit", "vsplit"),
    "x, indices_or_sections, axis=0": ("array_split", "split"),
    "x, dtype=None": ("array", "ones_like", "zeros_like"),
    "x, fill_value, dtype=None": ("full_like",),
    "x, decimals=0": ("round",),
    "x1, x2, axis=None": ("append",),
    "x1, x2, axes=2": ("tensordot",),
    "x1, x2, axisa=-1, axisb=-1, axisc=-1, axis=None": ("cross",),
    "x1, x2, rtol=1e-05, atol=1e-08, equal_nan=False": ("allclose", "isclose"),
    "a, n=1, axis=-1": ("diff",),
    "array, k=1, axes=(0, 1)": ("rot90",),
    "y, x=None, dx=1.0, axis=-1": ("trapezoid",),
    "condlist, choicelist, default=0": ("select",),
    "subscripts, *operands": ("einsum",),
    "*x, indexing='xy'": ("meshgrid",),
}  # fmt: skip
"""NumPy's functions, which Keras has under the same names, by their arguments in Keras."""

_NEW_ARRAYS: Final = {
    "start, stop=None, step=None, dtype=None": ("arange",),
    "start, stop, num=50, endpoint=True, retstep=False, dtype=None, axis=0": ("linspace",),
    "N, M=None, k=0, dtype=None": ("eye", "tri"),
    "n, dtype=None": ("identity",),
    "shape, dtype=None": ("ones", "zeros"),
    "shape, fill_value, dtype=None": ("full",),
}
"""NumPy's functions that make arrays of plain numbers."""


def _plainly(name: str) -> Callable[..., Any]:
    """NumPy's function on the numbers alone: questions, whose answers have no gradient."""

    def ask(*arrays: Any, **settings: Any) -> Any:
        return getattr(_numpy(), name)(*map(_plain, arrays), **settings)

    return ask


def _plain(x: Any) -> Any:
    np = _numpy()
    array = np.asarray(x)
    return np.frompyfunc(plain, 1, 1)(array).astype(float) if array.dtype == object else array


_QUESTIONS: Final = frozenset({
    "all", "allclose", "any", "argmax", "argmin", "isclose", "isfinite", "isinf", "isnan",
    "isneginf", "isposinf", "logical_and", "logical_not", "logical_or", "logical_xor",
})  # fmt: skip


def _along(function: Callable[[list[Any]], Any], x: Any, axis: int | None, keepdims: bool) -> Any:
    """A function of a list, along one axis; along all of them for None."""
    np = _numpy()
    x = np.asarray(x)
    if isinstance(axis, tuple):
        raise BadArgument(f"axis must be one axis, or None for all. Received: {axis!r}.")
    if axis is None:
        result = np.asarray(function(list(x.ravel())), x.dtype)
        return result.reshape((1,) * x.ndim) if keepdims else result
    rest = np.moveaxis(x, axis, -1)
    lists = rest.reshape(-1, rest.shape[-1])
    result = np.empty(len(lists), x.dtype if x.dtype == object else float)
    result[:] = [function(list(row)) for row in lists]
    result = result.reshape(rest.shape[:-1])
    return np.expand_dims(result, axis) if keepdims else result


def _logsumexp(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    return _along(lambda xs: rows.logsumexp(xs), x, axis, keepdims)


_NORMS: Final[dict[Any, Callable[[list[Any]], Any]]] = {
    None: lambda xs: rows.norm(xs), 2: lambda xs: rows.norm(xs),
    1: lambda xs: rows.sum([rows.abs(x) for x in xs]),
    float("inf"): lambda xs: reduce(rows.maximum, map(rows.abs, xs)),
}  # fmt: skip


def _norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    flat = len(_numpy().shape(x)) == 1 or ord is None
    if ord not in _NORMS or not (flat or isinstance(axis, int)):
        raise BadArgument(
            f"norm computes the norms None, 1, 2 and inf of vectors: along an axis. Received: "
            f"ord={ord!r}, axis={axis!r}."
        )
    return _along(_NORMS[ord], x, axis, keepdims)


def _normalize(x: Any, axis: int = -1, order: int = 2, epsilon: float | None = None) -> Any:
    least = 1e-7 if epsilon is None else epsilon
    x = of_values(_numpy().asarray(x))
    return x / _numpy().maximum(of_values(_norm(x, order, axis, True)), least)


def _one_hot(x: Any, num_classes: int, axis: int = -1) -> Any:
    np = _numpy()
    classes = np.moveaxis(np.asarray(_plain(x))[..., None] == np.arange(num_classes), -1, axis)
    return classes.astype(float)


def _top_k(x: Any, k: int, sorted: bool = True) -> Any:
    np = _numpy()
    order = np.argsort(-_plain(x), axis=-1, kind="stable")[..., :k]
    return of_values(np.take_along_axis(np.asarray(x), order, -1)), order


def _unstack(x: Any, num: int | None = None, axis: int = 0) -> Any:
    return [of_values(part) for part in _numpy().moveaxis(_numpy().asarray(x), axis, 0)]


def _padded(x: Any, pad_width: Any, mode: str = "constant", constant_values: Any = None) -> Any:
    usual = {} if constant_values is None else {"constant_values": constant_values}
    return _numpy().pad(_numpy().asarray(x), pad_width, mode, **usual)


def _trapezoid(y: Any, x: Any = None, dx: float = 1.0, axis: int = -1) -> Any:
    np = _numpy()
    integrate = getattr(np, "trapezoid", None) or np.trapz  # its name before NumPy 2
    return integrate(y, x, dx, axis)


def over_lists(function: Callable[[Any], Any]) -> Callable[..., Any]:
    """A function of a list, for arrays: along an axis."""
    return lambda x, axis=-1: _numpy().apply_along_axis(function, axis, x)


_OF_ARRAYS: Final[dict[str, tuple[str, Callable[..., Any]]]] = {
    "convert_to_tensor": (
        "x, dtype=None, sparse=None, ragged=None", lambda x: _numpy().asarray(x),
    ),
    "logsumexp": ("x, axis=None, keepdims=False", _logsumexp),
    "norm": ("x, ord=None, axis=None, keepdims=False", _norm),
    "normalize": ("x, axis=-1, order=2, epsilon=None", _normalize),
    "one_hot": ("x, num_classes, axis=-1, dtype=None, sparse=False", _one_hot),
    "pad": ("x, pad_width, mode='constant', constant_values=None", _padded),
    "take_along_axis": (
        "x, indices, axis=None", lambda x, i, axis=None: _numpy().take_along_axis(x, i, axis),
    ),
    "top_k": ("x, k, sorted=True", _top_k),
    "trapezoid": ("y, x=None, dx=1.0, axis=-1", _trapezoid),
    "unstack": ("x, num=None, axis=0", _unstack),
    **{name: ("x, axis=-1", over_lists(f)) for name, f in VECTOR_ACTIVATIONS.items()},
}  # fmt: skip
"""Functions of whole arrays that are made here, with their arguments in Keras."""

# ── One function for each name ─────────────────────────────────────────────────────────────


def signature_of(described: str) -> Signature:
    """The signature that a string describes.

    >>> signature_of("x, axis=None")
    <Signature (x, axis=None)>
    """
    expression: Any = ast.parse(f"lambda {described}: 0", mode="eval").body
    given, either = expression.args, Parameter.POSITIONAL_OR_KEYWORD
    needed = [Parameter.empty] * (len(given.args) - len(given.defaults))
    defaults = [*needed, *map(ast.literal_eval, given.defaults)]
    parameters = [Parameter(a.arg, either, default=x) for a, x in zip(given.args, defaults)]
    if given.vararg:
        parameters.append(Parameter(given.vararg.arg, Parameter.VAR_POSITIONAL))
    for a, x in zip(given.kwonlyargs, given.kw_defaults):
        default = ast.literal_eval(x)
        parameters.append(Parameter(a.arg, Parameter.KEYWORD_ONLY, default=default))
    return Signature(parameters)


def function_of(
    name: str, described: str, function: Callable[..., Any], row: str | None = None
) -> Any:
    """A function with Keras's arguments: those without a default are passed on by place.

    Args:
        name: its name.
        described: its arguments in Keras.
        function: computes with arrays.
        row: the row that a Signal is given to; otherwise it makes a Lambda layer.
    """
    signature = signature_of(described)

    def called(*args: Any, **settings: Any) -> Any:
        given = signature.bind(*args, **settings).arguments
        places, options = _sorted_out(signature, given)
        if not (signals := list(_signals(places))):
            return of_values(function(*places, **options))
        if row:
            return apply(row, *places, *options.values())
        one = len(signals) == 1
        layer = Lambda(
            lambda xs: of_values(function(*_filled(places, iter([xs] if one else xs)), **options)),
            name=name,
        )
        return layer(signals[0] if one else signals)

    called.__name__ = called.__qualname__ = name
    called.__module__ = "tinygrad_edu.keras.ops"  # where pickle finds it
    called.__signature__ = signature  # type: ignore[attr-defined]
    called.__doc__ = f"Keras's ``{name}({described})``, of numbers and Values."
    return called


def _sorted_out(signature: Signature, given: dict[str, Any]) -> tuple[list[Any], dict[str, Any]]:
    """The arguments that are passed on by place, and those by name."""
    places, options = [], {}
    for name, x in given.items():
        parameter = signature.parameters[name]
        if name == "dtype":
            check_dtype(x)
        elif name in _UNCHANGED:
            if x:
                raise BadArgument(f"Arrays are dense here. Received: {name}={x!r}. Leave it out.")
        elif parameter.kind is Parameter.VAR_POSITIONAL:
            places += x
        elif parameter.default is Parameter.empty:
            places.append(x)
        else:
            options[name] = x
    return places, options


def _signals(x: Any) -> Iterator[Signal]:
    """All Signals in nested lists."""
    if isinstance(x, Signal):
        yield x
    elif isinstance(x, (list, tuple)):
        for item in x:
            yield from _signals(item)


def _filled(x: Any, arrays: Iterator[Any]) -> Any:
    """The same nested lists with arrays for Signals."""
    if isinstance(x, Signal):
        return next(arrays)
    return type(x)(_filled(item, arrays) for item in x) if isinstance(x, (list, tuple)) else x


def elementwise(described: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of one element, for arrays."""
    usual = signature_of(described).parameters

    def of_arrays(*arrays: Any, **options: Any) -> Any:
        np = _numpy()
        more = [options.get(p.name, p.default) for p in usual.values() if p.default is not p.empty]
        whole = np.frompyfunc(lambda *xs: function(*xs, *more), len(arrays), 1)
        given = list(map(np.asarray, arrays))
        result = np.asarray(whole(*given))
        numbers = not any(array.dtype == object for array in given)
        return (result.astype(float) if numbers else of_values(result))[()]

    return of_arrays


def _from_numpy(name: str) -> Callable[..., Any]:
    """NumPy's function of this name."""
    return lambda *args, **options: getattr(_numpy(), name)(*map(_array, args), **options)


def _array(x: Any) -> Any:
    """Arrays and lists of arrays as NumPy's; anything else as it is."""
    if isinstance(x, (list, tuple)) and any(hasattr(item, "__len__") for item in x):
        return [_array(item) for item in x]
    if isinstance(x, (str, int)) or callable(x):
        return x
    return of_values(_numpy().asarray(x))


def convert_to_numpy(x: Any) -> Any:
    """The numbers as an array, without what they were made from."""
    return x.numpy() if hasattr(x, "numpy") else _plain(x)


def cast(x: Any, dtype: Any = None) -> Any:
    """The same: all numbers are float64 here; Python's own types become numbers."""
    check_dtype(dtype)
    array = _numpy().asarray(x)
    return of_values(array if array.dtype == object else array.astype(float))


def where(condition: Any, x1: Any = None, x2: Any = None) -> Any:
    """x1 where the condition isn't 0, x2 elsewhere."""
    if x1 is None or x2 is None:
        raise BadArgument("where chooses between two arrays. Received: None. Pass x1 and x2.")
    return _where(condition, x1, x2)


def shape(x: Any) -> tuple[int | None, ...]:
    """The sizes of an array; of a Signal, with None for the batch."""
    return (None, *x.shape) if isinstance(x, Signal) else _numpy().shape(x)


_where = function_of("where", "condition, x1, x2", elementwise("a, b, c", rows.where), "where")
_TABLES: Final = (
    *((n, n, described) for described, names in _ROWS.items() for n in names),
    *((n, row, described) for described, names in _OTHERWISE.items() for n, row in names.items()),
)

FUNCTIONS: Final[dict[str, Callable[..., Any]]] = {
    **{n: function_of(n, d, elementwise(d, TABLE[row]), row) for n, row, d in _TABLES},
    **{n: function_of(n, d, elementwise(d, f)) for n, (d, f) in _MADE_OF_ROWS.items()},
    **{
        n: function_of(n, d, _plainly(n) if n in _QUESTIONS else _from_numpy(n))
        for table in (_OF_NUMPY, _NEW_ARRAYS) for d, names in table.items() for n in names
    },
    **{n: function_of(n, d, f) for n, (d, f) in _OF_ARRAYS.items()},
    **{f.__name__: f for f in (cast, convert_to_numpy, shape, where)},
}  # fmt: skip
