"""Rows of the table as formulas that people read: one more interpreter of rows.

A formula is a text in which ``slot(i)`` stands for argument i and `OUT` for the result; the page
puts names there, or numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from ..core.table import TABLE, Op

LONGEST: Final = 48  # characters; a longer formula explains nothing
OUT: Final = "\ue0ff"
_SUM, _PRODUCT, _SIGN, _ATOM = range(4)  # how strongly a formula holds together
_INFIX: Final = {
    "add": (" + ", _SUM, _SUM, _SUM), "sub": (" − ", _SUM, _SUM, _PRODUCT),
    "mul": (" × ", _PRODUCT, _PRODUCT, _PRODUCT), "div": (" / ", _PRODUCT, _PRODUCT, _SIGN),
    "mod": (" mod ", _PRODUCT, _PRODUCT, _SIGN),
}  # fmt: skip
_SUPERSCRIPT: Final = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def slot(i: int) -> str:
    """What stands for argument i in a formula."""
    return chr(0xE000 + i)


class Formula:
    """A piece of a formula: its text, and how strongly it holds together."""

    __slots__ = ("rank", "text")

    def __init__(self, text: str, rank: int = _ATOM) -> None:
        self.text, self.rank = text, rank

    def within(self, rank: int) -> str:
        """Its text, in parentheses where the neighbours would tear it apart."""
        return self.text if self.rank >= rank else f"({self.text})"

    @staticmethod
    def interpret(op: Op, args: tuple[Any, ...]) -> Formula:
        """What a row makes of arguments of which one is a Formula (see `table.Op`)."""
        return written(op, [arg if isinstance(arg, Formula) else of_number(arg) for arg in args])


for _python, _name in {"add": "add", "sub": "sub", "mul": "mul", "truediv": "div"}.items():
    setattr(Formula, f"__{_python}__", lambda x, y, op=TABLE[_name]: op(x, y))
    setattr(Formula, f"__r{_python}__", lambda x, y, op=TABLE[_name]: op(y, x))
setattr(Formula, "__neg__", lambda x: TABLE["neg"](x))  # noqa: B010


def of_number(x: float) -> Formula:
    """A plain number.

    >>> of_number(-2.0).text, of_number(1 / 3).text
    ('−2', '0.3333')
    """
    return Formula(f"{x:.4g}".replace("-", "−"), _ATOM if x >= 0.0 else _SIGN)


def written(op: Op, args: Sequence[Formula]) -> Formula:
    """A row applied to formulas.

    >>> x, y = Formula("x"), Formula("y")
    >>> written(TABLE["div"], [written(TABLE["add"], [x, y]), y]).text
    '(x + y) / y'
    """
    if op.name in _INFIX:
        sign, rank, left, right = _INFIX[op.name]
        for one, other in ((args[0], args[1]), (args[1], args[0])):
            if op.name == "mul" and one.text == "1":
                return other
        return Formula(args[0].within(left) + sign + args[1].within(right), rank)
    if op.name == "sum":
        if len(args) > 3:
            return Formula(f"{args[0].within(_SUM)} + … + {args[-1].within(_SUM)}", _SUM)
        return Formula(" + ".join(arg.within(_SUM) for arg in args) or "0", _SUM)
    if op.name == "neg":
        return Formula("−" + args[0].within(_SIGN), _SIGN)
    if op.name == "square":
        return Formula(args[0].within(_ATOM) + "²")
    if op.name == "reciprocal":
        return Formula("1 / " + args[0].within(_SIGN), _PRODUCT)
    if op.name == "pow":
        exponent = args[1].text.replace("−", "-")
        if exponent.lstrip("-").isdigit():
            raised = exponent.translate(_SUPERSCRIPT) if exponent != "1" else ""
            return Formula(args[0].within(_ATOM) + raised, args[0].rank if not raised else _ATOM)
        return Formula(f"{args[0].within(_ATOM)} ^ {args[1].within(_ATOM)}", _SIGN)
    if op.name in ("identity", "stop_gradient", "unless_nan"):
        return args[0]
    if op.symbol in tuple("<≤>≥=≠"):
        return Formula(f"[{args[0].text} {op.symbol} {args[1].text}]")  # 1 or 0
    name = {"abs": "abs", "sqrt": "√", "sigmoid": "σ"}.get(op.name, op.name)
    return Formula(f"{name}({', '.join(arg.text for arg in args)})")


def value(op: Op, constants: Sequence[float | None]) -> str | None:
    """A row's value as a formula; ``constants`` tells which arguments are plain numbers.

    >>> value(TABLE["square"], [None]) == slot(0) + "²"
    True
    """
    return _short(lambda: written(op, _slots(constants)))


def partial(op: Op, i: int, constants: Sequence[float | None]) -> str | None:
    """A row's partial by argument i as a formula, None if it is too long or there is none.

    >>> partial(TABLE["square"], 0, [None]) == "2 × " + slot(0)
    True
    """

    def asked() -> Any:
        out, args = Formula(OUT), _slots(constants)
        if op.name == "pow" and constants[1] is not None:  # its slope is short where it is known
            args[1] = constants[1]
        if op.together is not None:
            return op.together(out, *args)[i]
        return op.partials(i, out, *args) if op.arity is None else op.partials[i](out, *args)

    return _short(asked)


def _slots(constants: Sequence[float | None]) -> list[Any]:
    return [
        Formula(slot(i)) if constant is None else of_number(constant)
        for i, constant in enumerate(constants)
    ]


def _short(make: Callable[[], Any]) -> str | None:
    try:
        found = make()
    except (ArithmeticError, TypeError, ValueError):  # an opaque row's, say
        return None
    text = found.text if isinstance(found, Formula) else of_number(float(found)).text
    return text if len(text) <= LONGEST else None
