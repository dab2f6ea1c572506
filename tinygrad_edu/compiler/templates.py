"""Rows written out: an expression of rows, traced once on symbols, as steps of primitives.

A composite row's value and every row's partials are expressions of rows. A `Template` is such
an expression as data, and whoever writes programs renders it: `lowering` pastes it into a
`Code`, which becomes Python, C or machine code, and the exploring page writes it as JavaScript.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple

from ..core.table import Op, number
from ..errors import NotTraceable
from .code import PRIMITIVES

__all__ = ["Template", "partials_template", "row_template", "traced"]


class Template(NamedTuple):
    """An expression of rows, written out in primitives.

    Attributes:
        steps: per instruction the primitive and its arguments: a float, or a place (an int)
            that counts first the arguments of the template and then the steps.
        outs: the places of the results, or floats, or None for results that were not asked for.
    """

    steps: list[tuple[str, tuple[float, ...]]]
    outs: list[Any]

    def constants(self) -> list[float]:
        """The plain numbers in it."""
        return [x for _, args in self.steps for x in args if type(x) is float]


class Symbol:
    """A place in a template, to which operations on it are added."""

    __slots__ = ("count", "place", "steps")

    def __init__(self, place: int, steps: list[Any], count: int) -> None:
        self.place, self.steps, self.count = place, steps, count

    @staticmethod
    def interpret(op: Op, args: Sequence[Any]) -> Any:
        """The result of a row if one of its arguments is a symbol (see `table.Op`)."""
        if op.opaque:
            raise opaque_row(op)
        if op.lower is None:
            return op.value(*args)
        symbol = next(arg for arg in args if isinstance(arg, Symbol))
        steps, count = symbol.steps, symbol.count
        steps.append((op.lower, tuple(map(_place, args))))
        return Symbol(count + len(steps) - 1, steps, count)


def _place(x: Any) -> Any:
    return x.place if isinstance(x, Symbol) else None if x is None else number(x)


_OTHERWISE = {"truediv": "div", "pos": "identity"}
for _name in (
    "add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "neg", "pos", "abs", "floor", "ceil",
    "round",
):  # fmt: skip
    _row = PRIMITIVES[_OTHERWISE.get(_name, _name)]
    setattr(Symbol, f"__{_name}__", lambda *args, row=_row: Symbol.interpret(row, args))
    setattr(Symbol, f"__r{_name}__", lambda x, y, row=_row: Symbol.interpret(row, (y, x)))


def traced(op: Op, f: Callable[..., Sequence[Any]], count: int) -> Template:
    """The template of a function of so many symbols."""
    steps: list[Any] = []
    try:
        outs = [_place(out) for out in f(*(Symbol(place, steps, count) for place in range(count)))]
    except (TypeError, ValueError) as error:
        if isinstance(error, NotTraceable):
            raise
        raise NotTraceable(
            f"The row {op.name!r} is not made of rows: {error} Write it with tg.exp and "
            f"tg.where, without math.exp and if; or leave opaque=True, and do without compiling."
        ) from error
    return _pruned(Template(steps, outs), count)


def _pruned(template: Template, count: int) -> Template:
    """Without the steps that no result depends on."""
    live = {out for out in template.outs if type(out) is int}
    for place in range(count + len(template.steps) - 1, count - 1, -1):
        if place in live:
            live.update(x for x in template.steps[place - count][1] if type(x) is int)
    kept = [i for i in range(len(template.steps)) if count + i in live]
    moved: dict[Any, int] = {place: place for place in range(count)}
    moved.update((count + i, count + new) for new, i in enumerate(kept))

    def there(x: Any) -> Any:
        return moved[x] if type(x) is int else x

    return Template(
        [(template.steps[i][0], tuple(map(there, template.steps[i][1]))) for i in kept],
        list(map(there, template.outs)),
    )


KEPT: Final = 1024
"""Templates of either kind that are kept: powers have one for each exponent."""


@lru_cache(KEPT)
def row_template(op: Op, count: int) -> Template:
    """The value of a row of so many arguments.

    >>> from tinygrad_edu import ops
    >>> row_template(ops.hard_tanh, 1)
    Template(steps=[('maximum', (0, -1.0)), ('minimum', (1, 1.0))], outs=[2])
    """
    if op.opaque:
        raise opaque_row(op)
    if op.lower is not None:
        return Template([(op.lower, tuple(range(count)))], [count])
    return traced(op, lambda *args: [op.value(*args)], count)


@lru_cache(KEPT)
def partials_template(op: Op, asked: tuple[bool, ...], exponent: Any) -> Template:
    """The partials asked for, applied to a row's result and then its arguments.

    The slope of a power looks whether its exponent is a plain number; that is part of it, by
    its bits.
    """

    def partials(out: Any, *args: Any) -> list[Any]:
        return op.locals(out, args if exponent is None else (args[0], float(exponent)), asked)

    return traced(op, partials, 1 + len(asked))


def opaque_row(op: Op) -> NotTraceable:
    return NotTraceable(
        f"The row {op.name!r} computes on floats, in Python only, so it can't be compiled. Make "
        f"its value of rows (tg.exp(x) for math.exp(x), tg.where for an if) and pass "
        f"opaque=False to tg.op, or use it without tg.jit and tg.compile."
    )
