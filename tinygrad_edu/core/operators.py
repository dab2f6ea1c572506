"""Python's operators on Values, and methods, as rows: ``x * y``, ``x < y``, ``x.tanh()``.

`Operators` is the base class of `Value`. Each of its methods calls
``self.interpret(row, arguments)``, which computes and records. The stub beside this file is
made from the table by ``make generate``.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from ..blocks import MODE
from ..errors import BadArgument
from . import ops
from .table import BUILT_IN, TABLE, Op, is_real, number

# These are rejected at once, before Python tries to repeat a string that often.
_FOREIGN = (str, bytes, complex, list, tuple, dict, set, type(None))


def operand(x: Any) -> Any:
    """x as the argument of an operator: a Value, a float, or NotImplemented.

    Objects with a length are arrays, whose own reflected operator handles the elements; so are
    lists of a type with NumPy's arithmetic, as `nn.Tensor`.
    """
    if isinstance(x, Operators):
        return x
    foreign = isinstance(x, _FOREIGN) and not hasattr(x, "__array_ufunc__")
    if foreign or (is_real(x) and not hasattr(x, "__len__")):
        return number(x)
    return NotImplemented


def binary(op: Op) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """A Python operator and its reflection, for a row of two arguments."""

    def forward(self: Any, other: Any) -> Any:
        other = operand(other)
        return other if other is NotImplemented else self.interpret(op, (self, other))

    def reflected(self: Any, other: Any) -> Any:
        other = operand(other)
        return other if other is NotImplemented else self.interpret(op, (other, self))

    forward.__doc__ = f"Row `{op.name}` of the table."
    return forward, reflected


def _comparison(compare: Callable[[float, float], bool], op: Op) -> Callable[..., Any]:
    """A Python comparison: of the numbers, or in a trace a row of the graph."""

    def comparison(self: Any, other: Any) -> Any:
        other = NotImplemented if isinstance(other, _FOREIGN) else operand(other)
        if other is NotImplemented:
            return other
        if self.trace is not None or MODE.get().trace is not None:
            return self.interpret(op, (self, other))
        return compare(self._data, other if type(other) is float else other._data)

    return comparison


def _refused(kind: str) -> Callable[..., Any]:
    """A conversion that would drop the graph silently, so it raises."""

    def conversion(self: Any) -> Any:
        self.read(f"{kind}() of a Value was asked for")
        raise TypeError(
            f"{kind}() of a Value would lose its graph. Take the number with v.data, or stay "
            f"in the graph: tg.sin(v) instead of math.sin(v), tg.where(cond, a, b) instead of "
            f"an if. Received: {self!r}."
        )

    return conversion


def is_method(op: Op) -> bool:
    """Whether a row is a method of Value: if it has one argument, or only settings with
    defaults after the first; and `clip`.

    >>> [is_method(TABLE[name]) for name in ("tanh", "leaky_relu", "add")]
    [True, True, False]
    """
    return op is ops.clip or (op.arity is not None and op.arity - len(op.defaults) == 1)


def method(op: Op) -> Callable[..., Any]:
    """The method that applies a row."""

    def apply(self: Any, *settings: Any, **named: Any) -> Any:
        return op(self, *settings, **named)

    apply.__name__ = apply.__qualname__ = op.name
    apply.__doc__ = f"`tg.{op.name}` of this Value."
    return apply


class Operators:
    """The operators and methods of `Value`.

    Comparisons compare numbers and return bools; conditions that belong to the graph are rows:
    ``tg.less(a, b)``. Hashing is by identity, so Values live in sets and dicts.
    """

    __slots__ = ()

    __add__, __radd__ = binary(ops.add)
    __sub__, __rsub__ = binary(ops.sub)
    __mul__, __rmul__ = binary(ops.mul)
    __truediv__, __rtruediv__ = binary(ops.div)
    __floordiv__, __rfloordiv__ = binary(ops.floordiv)
    __mod__, __rmod__ = binary(ops.mod)
    _pow, __rpow__ = binary(ops.pow)

    def __pow__(self, exponent):
        if type(exponent) in (int, float) and exponent == 2:
            return self.interpret(ops.square, (self,))
        return self._pow(exponent)

    def __divmod__(self, other):
        return self // other, self % other

    def __rdivmod__(self, other):
        return other // self, other % self

    __pos__ = method(ops.identity)
    __neg__ = method(ops.neg)
    __abs__ = method(ops.abs)
    __floor__ = method(ops.floor)
    __ceil__ = method(ops.ceil)

    def __round__(self, digits=None):
        if digits is not None:
            self.read("round() of a Value to some digits was asked for")
            raise BadArgument(
                f"round(v) rounds a Value to a whole number; digits can't be given. "
                f"Received: {digits!r}. To show fewer digits write f'{{v:.{digits}f}}'."
            )
        return ops.round(self)

    __eq__ = _comparison(operator.eq, ops.equal)
    __ne__ = _comparison(operator.ne, ops.not_equal)
    __lt__ = _comparison(operator.lt, ops.less)
    __le__ = _comparison(operator.le, ops.less_equal)
    __gt__ = _comparison(operator.gt, ops.greater)
    __ge__ = _comparison(operator.ge, ops.greater_equal)
    __hash__ = object.__hash__

    __float__ = _refused("float")
    __int__ = _refused("int")
    __bool__ = _refused("bool")
    __trunc__ = _refused("trunc")


for _op in TABLE.values():
    if _op.name in BUILT_IN and is_method(_op):
        setattr(Operators, _op.name, method(_op))
