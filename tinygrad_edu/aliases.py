"""Further names of what Values do: those of NumPy and micrograd."""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable
from functools import partialmethod
from typing import Any, Final

from .arrays import UFUNCS, apply_ufunc
from .core import ops, value
from .core.value import Value

__all__ = ["install"]


def _fmod(x: Any, y: Any) -> Any:
    """NumPy's remainder, which has the sign of the first number."""
    size = ops.abs(y)
    return ops.where(ops.less(x, 0.0), -ops.mod(-x, size), ops.mod(x, size))


def _trunc(x: Any) -> Any:
    return ops.where(ops.less(x, 0.0), ops.ceil(x), ops.floor(x))


def _logaddexp2(x: Any, y: Any) -> Any:
    return ops.logaddexp(x * math.log(2.0), y * math.log(2.0)) / math.log(2.0)


def _fmax(x: Any, y: Any) -> Any:
    """The larger number, where a nan counts as missing."""
    return ops.where(ops.not_equal(x, x), y, ops.where(ops.not_equal(y, y), x, ops.maximum(x, y)))


def _asks(question: Callable[[float], bool]) -> Callable[[Any], bool]:
    return lambda x: question(value.plain(x))


# NumPy calls these on the Values in its arrays: np.arcsin(v) is v.arcsin().
_METHODS: Final[dict[str, Callable[..., Any]]] = {
    "arccos": ops.acos, "arccosh": ops.acosh, "arcsin": ops.asin, "arcsinh": ops.asinh,
    "arctan": ops.atan, "arctan2": ops.atan2, "arctanh": ops.atanh, "conjugate": ops.identity,
    "deg2rad": ops.radians, "fabs": ops.abs, "fmod": _fmod, "hypot": ops.hypot,
    "rad2deg": ops.degrees, "rint": ops.round,
}  # fmt: skip

# It calls no method for these, or a comparison.
_OTHERS: Final[dict[str, Callable[..., Any]]] = {
    "clip": ops.clip, "float_power": ops.pow, "fmax": _fmax,
    "fmin": lambda x, y: -_fmax(-x, -y), "isfinite": _asks(math.isfinite),
    "isinf": _asks(math.isinf), "isnan": _asks(math.isnan), "logaddexp": ops.logaddexp,
    "logaddexp2": _logaddexp2, "maximum": ops.maximum, "minimum": ops.minimum, "sign": ops.sign,
    "trunc": _trunc,
}  # fmt: skip


# Notebooks written for micrograd read these of a node.
_MICROGRAD = {
    "_prev": property(lambda self: {arg for arg in self.args if isinstance(arg, Value)}),
    "_op": property(lambda self: "" if self.op is None else self.op.symbol),
    "_backward": lambda self: value.sweep([self]),
}


def install() -> None:
    """Give Value these names as well, and let NumPy and pytest compute with it."""
    for name, function in _METHODS.items():
        setattr(Value, name, partialmethod(function))
    for name, attribute in _MICROGRAD.items():
        setattr(Value, name, attribute)
    UFUNCS.update(_METHODS | _OTHERS)
    Value.__array_ufunc__ = apply_ufunc  # type: ignore[attr-defined]
    # pytest.approx compares numbers, which have a real part; it says False to anything else.
    numbers.Complex.register(Value)
    Value.real, Value.imag = property(lambda self: self), 0.0  # type: ignore[attr-defined]
