"""IEEE 754 arithmetic where Python raises: ``1 / 0`` is inf, ``0 / 0`` is nan.

Rows of the table run on plain floats, at full speed. Only when one of them raises is it
run again on `Ieee` numbers, whose arithmetic never does. So the ordinary case pays nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

inf, nan = math.inf, math.nan


def divide(x: float, y: float) -> float:
    """x / y as the hardware gives it.

    >>> divide(1.0, -0.0), divide(0.0, 0.0)
    (-inf, nan)
    """
    try:
        return x / y
    except ZeroDivisionError:
        return nan if x == 0.0 or x != x else math.copysign(inf, x) * math.copysign(1.0, y)


def power(x: float, y: float) -> float:
    """x ** y as C's pow gives it: never complex, never an error.

    >>> power(0.0, -1.0), power(-2.0, 0.5), power(-10.0, 309.0)
    (inf, nan, -inf)
    """
    try:
        return math.pow(x, y)
    except (OverflowError, ValueError):
        if x < 0.0 and x != -inf and y != math.floor(y):
            return nan  # no real root
        odd = math.isfinite(y) and abs(math.fmod(y, 2.0)) == 1.0
        return math.copysign(inf, x) if odd else inf


def never_raising(f: Callable[..., Any], *args: float) -> float:
    """f(*args) for any f built from arithmetic and rows, with IEEE results throughout.

    A foreign function inside f may still raise: then its domain or range was left,
    and the answer is nan or inf.
    """
    try:
        return float(f(*map(Ieee, args)))
    except OverflowError:
        return inf
    except (ArithmeticError, ValueError):
        return nan


class Ieee(float):
    """A float whose arithmetic never raises.

    >>> Ieee(1.0) / 0.0
    Ieee(inf)
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return f"Ieee({float(self)!r})"

    @staticmethod
    def interpret(op: Any, args: tuple[Any, ...]) -> Ieee:
        """The result of a row if one of its arguments is an Ieee (see `table.Op`).

        Other numbers with a reading of their own go first: they record it, say.
        """
        for arg in args:
            if _is_interpreted(arg):
                return arg.interpret(op, args)  # type: ignore[no-any-return]
        return Ieee(op.compute(*map(float, args)))


def _is_interpreted(x: Any) -> bool:
    return hasattr(type(x), "interpret") and not isinstance(x, Ieee)


def _closed(arithmetic: Callable[[float, float], float]) -> tuple[Any, Any]:
    """An operator of Ieee and its reflection, whose results are Ieee again."""

    def operator(self: Ieee, other: float) -> Any:
        if _is_interpreted(other):
            return NotImplemented
        return Ieee(arithmetic(float(self), float(other)))

    def reflected(self: Ieee, other: float) -> Any:
        if _is_interpreted(other):
            return NotImplemented
        return Ieee(arithmetic(float(other), float(self)))

    return operator, reflected


for _name, _arithmetic in {
    "add": lambda x, y: x + y,
    "sub": lambda x, y: x - y,
    "mul": lambda x, y: x * y,
    "truediv": divide,
    "pow": power,
}.items():
    _operator, _reflected = _closed(_arithmetic)
    setattr(Ieee, f"__{_name}__", _operator)
    setattr(Ieee, f"__r{_name}__", _reflected)
Ieee.__neg__ = lambda self: Ieee(-float(self))  # type: ignore[method-assign]
Ieee.__abs__ = lambda self: Ieee(abs(float(self)))  # type: ignore[method-assign]
