"""Formulas simplified by sympy, for display only.

Terms are converted to sympy's expressions and back node by node, so no string is ever evaluated.
The result is checked against the numbers of the original formula; if they differ, it is not shown.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from importlib.util import find_spec
from operator import mul
from typing import Any, Final

from ..core import ops
from ..core.table import BUILT_IN, TABLE
from .notation import Math
from .symbols import Term, close

LARGEST: Final = 80  # operations in a formula; a larger one takes too long to simplify

# Every other row becomes sympy's function of that name, or else a function without rules.
_ARITHMETIC: Final[dict[str, Callable[..., Any]]] = {
    "add": lambda x, y: x + y,
    "sub": lambda x, y: x - y,
    "mul": lambda x, y: x * y,
    "div": lambda x, y: x / y,
    "neg": lambda x: -x,
    "square": lambda x: x**2,
    "reciprocal": lambda x: 1 / x,
    "pow": lambda x, y: x**y,
    "identity": lambda x: x,
    "sum": lambda *xs: sum(xs[1:], xs[0]),
    "abs": abs,
}


def simplified(term: Term) -> Term | None:
    """A shorter formula for the same numbers; None if there is none or sympy is not installed.

    >>> x = Term.named(Math("x", "x"), 3.0)
    >>> simplified(x * 2.0 + x * 3.0).math().text
    '5·x'
    """
    if term.size > LARGEST or find_spec("sympy") is None:
        return None
    import sympy

    symbols: dict[Math, Any] = {}
    there = _to_sympy(term, sympy, symbols)
    shortest = min((sympy.factor_terms(there), there), key=sympy.count_ops)
    back = _Back(sympy, {symbol: name for name, symbol in symbols.items()}, term)
    try:
        shorter = back.term(shortest)
    except NotImplementedError:  # of something that is not a row, such as cases or zoo
        return None
    size = max(map(abs, term.values))
    agrees = all(
        close(x, y) or abs(x - y) <= 1e-9 * size for x, y in zip(shorter.values, term.values)
    )
    return shorter if agrees and shorter.math() != term.math() else None


def _to_sympy(term: Term, sympy: Any, symbols: dict[Math, Any]) -> Any:
    if term.symbol is not None:
        # Numbered by appearance, so that sympy, which sorts by name, keeps the order.
        return symbols.setdefault(term.symbol, sympy.Symbol(f"s{len(symbols):03}", real=True))
    if term.op is None:
        x = term.values[0]
        return sympy.Rational(x) if x * 1024.0 % 1.0 == 0.0 else sympy.Float(x)
    args = [_to_sympy(arg, sympy, symbols) for arg in term.args]
    if term.op.name in _ARITHMETIC:
        return _ARITHMETIC[term.op.name](*args)
    function: Any = getattr(sympy, term.op.name, None) if term.op.name in BUILT_IN else None
    if not isinstance(function, sympy.FunctionClass) and term.op.name != "sqrt":
        function = sympy.Function(term.op.name)
    return function(*args)


class _Back:
    """The conversion from sympy's expressions back to Terms."""

    def __init__(self, sympy: Any, symbols: dict[Any, Math], like: Term) -> None:
        self.sympy = sympy
        self.places = len(like.values)
        self.values = {term.symbol: term.values for term in parts(like) if term.symbol}
        self.symbols = symbols

    def term(self, e: Any) -> Term:
        sympy = self.sympy
        if e.is_Symbol:
            symbol = self.symbols[e]
            return Term.named(symbol, *self.values[symbol])
        if e.is_Rational:  # Terms leave out a denominator of 1
            return Term.number(int(e.p), self.places) / Term.number(int(e.q), self.places)
        if e.is_Float:
            return Term.number(float(e), self.places)
        if e.is_Add:
            return self._sum(e.as_ordered_terms())
        if e.is_Mul or sympy.fraction(e)[1] != 1:
            return self._quotient(e)
        if e.is_Pow:
            short = {2: ops.square, sympy.Rational(1, 2): ops.sqrt}.get(e.exp)
            base = self.term(e.base)
            return ops.pow(base, self.term(e.exp)) if short is None else short(base)
        name = getattr(e.func, "__name__", "")
        row = TABLE.get("abs" if name == "Abs" else name)
        if row is None or not e.is_Function:
            raise NotImplementedError(e)
        args = [self.term(arg) for arg in e.args]
        return row(*args) if row.arity is not None else row(args)

    def _sum(self, terms: list[Any]) -> Term:
        first, *rest = sorted(terms, key=lambda e: e.could_extract_minus_sign())
        total = self.term(first)
        for e in rest:
            negative = e.could_extract_minus_sign()
            total = total - self.term(-e) if negative else total + self.term(e)
        return total

    def _quotient(self, e: Any) -> Term:
        """A product, as a fraction if some of its factors are in the denominator."""
        number, rest = e.as_coeff_Mul(rational=True)
        above, below = self.sympy.fraction(rest)
        quotient = self._product(abs(number.p), above) / self._product(number.q, below)
        return -quotient if number < 0 else quotient

    def _product(self, number: Any, e: Any) -> Term:
        one = Term.number(int(number), self.places)
        return reduce(mul, map(self.term, e.as_ordered_factors()), one)


def parts(term: Term) -> list[Term]:
    """Every term inside a term, each once."""
    terms, todo = {id(term): term}, [term]
    while todo:
        new = {id(arg): arg for arg in todo.pop().args if id(arg) not in terms}
        terms |= new
        todo += new.values()
    return list(terms.values())
