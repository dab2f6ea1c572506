"""What Values do, by the names that NumPy and micrograd have for it."""

from __future__ import annotations

from typing import Any

from .core import ops, value
from .core.operators import method
from .core.value import Value

__all__ = ["install"]

# NumPy calls these on the Values in its arrays: np.arcsin(v) is v.arcsin().
_NUMPY = {
    "arccos": ops.acos, "arccosh": ops.acosh, "arcsin": ops.asin, "arcsinh": ops.asinh,
    "arctan": ops.atan, "arctan2": ops.atan2, "arctanh": ops.atanh, "conjugate": ops.identity,
    "fabs": ops.abs, "hypot": ops.hypot, "rint": ops.round,
}  # fmt: skip


def _fmod(self: Any, other: Any) -> Any:
    """NumPy's remainder, which has the sign of the first number."""
    size = ops.abs(other)
    return ops.where(ops.less(self, 0.0), -ops.mod(-self, size), ops.mod(self, size))


# Notebooks written for micrograd read these of a node.
_MICROGRAD = {
    "_prev": property(lambda self: {arg for arg in self.args if isinstance(arg, Value)}),
    "_op": property(lambda self: "" if self.op is None else self.op.symbol),
    "_backward": lambda self: value.sweep([self]),
}


def install() -> None:
    """Give Value these names as well."""
    numpy = {name: method(op) for name, op in _NUMPY.items()}
    for name, attribute in {**numpy, "fmod": _fmod, **_MICROGRAD}.items():
        setattr(Value, name, attribute)
