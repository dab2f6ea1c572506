"""The table as JavaScript: each row's value and partials, traced and written out.

A row is called with `Symbol`s for its arguments, and every primitive that it comes to writes one
line of a function. So the page computes with the very expressions of `ops.py`: nothing is
written twice but the primitives themselves, one line each in their rows; those that need more
than a line are functions of script/arithmetic.js.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from math import isinf, isnan
from typing import Any

from ..compiler.code import SPELLED
from ..core.table import TABLE, Op
from ..errors import GraphError


class Opaque(GraphError):
    """A row whose value is a plain function of floats: only Python can run it."""


def literal(x: float) -> str:
    """A number in JavaScript, to the last bit.

    >>> literal(0.1), literal(float("-inf")), literal(float("nan"))
    ('0.1', '-Infinity', 'NaN')
    """
    if isnan(x):
        return "NaN"
    return ("-" if x < 0 else "") + "Infinity" if isinf(x) else repr(float(x))


class Symbol:
    """A number that the page will know: what is done to it is written down.

    ``lines`` are those of the function being written; ``known`` tells which variable holds
    an expression already, so that none is computed twice.
    """

    __slots__ = ("known", "lines", "text")

    def __init__(self, text: str, lines: list[str], known: dict[str, Symbol]) -> None:
        self.text, self.lines, self.known = text, lines, known

    @staticmethod
    def interpret(op: Op, args: tuple[Any, ...]) -> Any:
        """What a row makes of arguments of which one is a Symbol (see `table.Op`)."""
        if op.opaque:
            raise Opaque(f"The row {op.name!r} is a function of floats, which only Python can run.")
        if op.lower is None:
            return op.value(*args)  # an expression of rows, which come here in their turn
        if op.lower == "identity":
            return args[0]
        found: Symbol = next(arg for arg in args if isinstance(arg, Symbol))
        texts = [arg.text if isinstance(arg, Symbol) else literal(arg) for arg in args]
        if op.lower == "sum":
            return found._written(" + ".join(texts))
        return found._written(SPELLED[op.lower].js.format(*texts))

    def _written(self, expression: str) -> Symbol:
        if expression not in self.known:
            name = f"t{len(self.lines)}"
            self.lines.append(f"const {name} = {expression};")
            self.known[expression] = Symbol(name, self.lines, self.known)
        return self.known[expression]


def _operator(name: str) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """An operator of Symbol and its reflection: the row of that name."""
    return lambda *args: TABLE[name](*args), lambda x, y: TABLE[name](y, x)


for _python, _row in {"add": "add", "sub": "sub", "mul": "mul", "truediv": "div"}.items():
    _straight, _reflected = _operator(_row)
    setattr(Symbol, f"__{_python}__", _straight)
    setattr(Symbol, f"__r{_python}__", _reflected)
setattr(Symbol, "__neg__", _operator("neg")[0])  # noqa: B010


def function(f: Callable[..., Any], names: Sequence[str]) -> str:
    """A JavaScript arrow function that computes what f computes, a number or a list of them.

    >>> from ..core.ops import sigmoid, square
    >>> print(function(lambda x: [square(x) + 1.0, None], ["x"]))
    (x) => { const t0 = x * x; const t1 = t0 + 1.0; return [t1, null]; }
    """
    lines: list[str] = []
    known: dict[str, Symbol] = {}
    found = f(*[Symbol(name, lines, known) for name in names])

    def text(x: Any) -> str:
        return "null" if x is None else x.text if isinstance(x, Symbol) else literal(x)

    answer = f"[{', '.join(map(text, found))}]" if isinstance(found, list) else text(found)
    return f"({', '.join(names)}) => {{ {' '.join([*lines, f'return {answer};'])} }}"


def row(op: Op, count: int) -> str:
    """One row, applied to ``count`` arguments, as a JavaScript object.

    ``value`` is a function of the arguments, ``partials`` of the result and the arguments; it
    gives one number per argument, null where no gradient ever flows.

    Raises:
        Opaque: if only Python can run it.

    >>> print(row(TABLE["mul"], 2))
    {value: (x0, x1) => { const t0 = x0 * x1; return t0; },
     partials: (out, x0, x1) => { return [x1, x0]; }}
    """
    names = [f"x{i}" for i in range(count)]
    value = function(lambda *args: Symbol.interpret(op, args) if args else op.compute(), names)
    slopes = function(lambda out, *args: _partials(op, out, args), ["out", *names])
    return f"{{value: {value},\n partials: {slopes}}}"


def _partials(op: Op, out: Any, args: Sequence[Any]) -> list[Any]:
    if op.together is not None:
        return list(op.together(out, *args))
    if op.arity is None:
        return [op.partials(i, out, *args) for i in range(len(args))]
    return [None if rule is None else rule(out, *args) for rule in op.partials]


def key(op: Op, count: int) -> str:
    """What the page calls a row: its name, and of an n-ary one also its number of arguments."""
    return op.name if op.arity is not None else f"{op.name}/{count}"


def rows(applied: Iterable[tuple[Op, int]]) -> tuple[str, list[str]]:
    """Every row that a graph applies, as one JavaScript object, and the names of those that
    can't be written, in order.

    >>> print(rows([(TABLE["neg"], 1)])[0])
    {
    "neg": {value: (x0) => { const t0 = -x0; return t0; },
     partials: (out, x0) => { return [-1.0]; }}
    }
    """
    written: dict[str, str] = {}
    opaque: dict[str, None] = {}
    for op, count in applied:
        name = key(op, count)
        if name in written or op.name in opaque:
            continue
        try:
            written[name] = f"{json.dumps(name)}: {row(op, count)}"
        except Opaque:
            opaque[op.name] = None
    return "{\n" + ",\n".join(written.values()) + "\n}", list(opaque)
