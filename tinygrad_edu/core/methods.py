"""The rows as methods of Value: ``v.tanh()`` is ``tg.tanh(v)``.

Each row of one argument is a method, and each row whose further arguments are settings with
defaults; so is `clip`. The stub beside this file is made from the same table, by `make stubs`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .ops import clip
from .table import BUILT_IN, TABLE, Op


class Methods:
    """The parent of `Value` that holds the methods made from the table."""

    __slots__ = ()


def is_method(op: Op) -> bool:
    """Whether a row is a method of Value.

    >>> [is_method(TABLE[name]) for name in ("tanh", "leaky_relu", "add")]
    [True, True, False]
    """
    return op is clip or (op.arity is not None and op.arity - len(op.defaults) == 1)


def _method(op: Op) -> Callable[..., Any]:
    def method(self: Any, *settings: Any, **named: Any) -> Any:
        return op(self, *settings, **named)

    method.__name__ = method.__qualname__ = op.name
    method.__doc__ = f"`tg.{op.name}` of this Value."
    return method


for _op in TABLE.values():
    if _op.name in BUILT_IN and is_method(_op):
        setattr(Methods, _op.name, _method(_op))
