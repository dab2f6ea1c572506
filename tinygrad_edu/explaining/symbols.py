"""Terms: numbers with their formulas. A row of the table applied to Terms gives a formula.

A Term is a number type with an `interpret` method. A row's partials, called with Terms, return the
derivative as a formula, which `rendering` prints for a terminal or as LaTeX. A Term also carries
its numbers, one for each of several corresponding places (the samples of a batch): they decide
branches, and a formula can be checked against the numbers that it represents.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from ..core import ops
from ..core.spelling import NAME, PRODUCT, SUM
from ..core.table import Op, number
from .notation import Math, numeral, tex_name
from .rendering import BRACKETS, Leaves, latex, on_line, precedence, rendered

LARGEST: Final = 200  # operations in one formula; a larger one is shown as dots
DOTS: Final = Math("⋯", r"\cdots")

_Operator = Callable[["Term", Any], "Term"]


def _operator(op: Op) -> tuple[_Operator, _Operator]:
    """A Python operator and its reflection."""
    apply: Callable[..., Term] = op
    return lambda x, y: apply(x, y), lambda x, y: apply(y, x)


def _comparison(compare: Callable[[float, float], bool]) -> Callable[[Term, Any], bool]:
    """A comparison of the numbers, which must give the same result at every place."""

    def answer(x: Term, y: Any) -> bool:
        others = y.values if isinstance(y, Term) else (y,) * len(x.values)
        answers = set(map(compare, x.values, others))
        if len(answers) != 1:
            raise TypeError("A formula can't take two branches at once.")
        return answers.pop()

    return answer


class Term:
    """A number as a formula.

    Attributes:
        op: the row that it applies, None for a symbol or a number.
        args: the arguments of the row.
        symbol: the spelling of a symbol, None for a number.
        values: its numbers, one for each place that the formula describes.
        size: the number of operations, with repetitions.

    >>> x = Term.named(Math("x", "x"), 3.0)
    >>> y = ops.exp(2.0 * x) + 1.0 * x
    >>> y.math().text, y.math().tex
    ('exp(2·x) + x', 'e^{2 \\\\cdot x} + x')
    """

    __slots__ = ("args", "op", "size", "symbol", "values")

    def __init__(
        self,
        op: Op | None,
        args: tuple[Term, ...],
        values: tuple[float, ...],
        symbol: Math | None = None,
    ) -> None:
        self.op, self.args, self.values, self.symbol = op, args, values, symbol
        self.size: int = 1 + sum(arg.size for arg in args)
        if self.size > LARGEST:
            self.op, self.args, self.symbol, self.size = None, (), DOTS, 1

    @classmethod
    def named(cls, symbol: Math, *values: float) -> Term:
        """A symbol for these numbers."""
        return cls(None, (), values, symbol)

    @classmethod
    def number(cls, x: float, places: int = 1) -> Term:
        """A plain number, the same at every place."""
        return cls(None, (), (float(x),) * places)

    @property
    def constant(self) -> float | None:
        """The number, if the term is a plain number and not a symbol or an operation."""
        return self.values[0] if self.op is None and self.symbol is None else None

    @staticmethod
    def interpret(op: Op, args: Sequence[Any]) -> Term:
        """A row applied to Terms: a formula, without 1·x, x + 0 and the like."""
        places = max(len(arg.values) for arg in args if isinstance(arg, Term))
        terms = tuple(
            arg if isinstance(arg, Term) else Term.number(number(arg), places) for arg in args
        )
        values = tuple(op.compute(*at) for at in zip(*(term.values for term in terms)))
        simpler = _simpler(op, terms, values)
        return Term(op, terms, values) if simpler is None else simpler

    def math(self, among: Mapping[int, Math] | None = None, *, numbers: bool = False) -> Math:
        """The formula, written for a terminal and in LaTeX.

        Args:
            among: the names of terms that have one, by their `id`.
            numbers: whether to write the first number of each symbol in its place.
        """
        return _enclosed(self, 0, among or {}, numbers)

    __add__, __radd__ = _operator(ops.add)
    __sub__, __rsub__ = _operator(ops.sub)
    __mul__, __rmul__ = _operator(ops.mul)
    __truediv__, __rtruediv__ = _operator(ops.div)
    __floordiv__, __rfloordiv__ = _operator(ops.floordiv)
    __mod__, __rmod__ = _operator(ops.mod)
    __pow__, __rpow__ = _operator(ops.pow)

    def __neg__(self) -> Term:
        return ops.neg(self)

    def __abs__(self) -> Term:
        return ops.abs(self)

    # A user-defined rule may compare two numbers.
    __lt__ = _comparison(operator.lt)
    __le__ = _comparison(operator.le)
    __gt__ = _comparison(operator.gt)
    __ge__ = _comparison(operator.ge)

    def __repr__(self) -> str:
        return f"<Term {self.math().text}>"


# ── Simplification ────────────────────────────────────────────────────────────────────────

_PASSING: Final = (ops.identity, ops.stop_gradient, ops.unless_nan)
_CONDITIONS: Final = (
    ops.less, ops.less_equal, ops.greater, ops.greater_equal, ops.equal, ops.not_equal
)  # fmt: skip
_COMPUTED: Final = (
    ops.add, ops.sub, ops.mul, ops.neg, ops.pow, ops.square, ops.maximum, ops.minimum, ops.abs
)  # fmt: skip


def _simpler(op: Op, terms: tuple[Term, ...], values: tuple[float, ...]) -> Term | None:
    """A shorter term with the same numbers, None if there is none."""
    constants = [term.constant for term in terms]
    if op in _PASSING:
        return terms[0] if all(x == x for x in values) else None
    if op in _CONDITIONS:  # 0 or 1, if it is the same at every place
        is_nan = any(x != x for term in terms for x in term.values)
        return None if is_nan or len(set(values)) > 1 else Term.number(values[0], len(values))
    if op is ops.where and constants[0] is not None:
        return terms[1 if constants[0] != 0.0 else 2]
    for i, neutral in enumerate(op.neutral):
        if neutral is not None and constants[i] == neutral:
            return terms[1 - i]
    if op is ops.pow and constants[1] == 1.0:
        return terms[0]
    if op is ops.mul and -1.0 in constants:
        return ops.neg(terms[1 - constants.index(-1.0)])
    if op is ops.sub and constants[0] == 0.0:
        return ops.neg(terms[1])
    if op is ops.neg and terms[0].op is ops.neg:
        return terms[0].args[0]
    is_zero = op in (ops.mul, ops.div) and 0.0 in constants and not any(values)
    # Operations on numbers alone are computed, but 1/3 is easier to read than 0.333333.
    is_short = op in _COMPUTED or (op is ops.div and values[0] * 64.0 % 1.0 == 0.0)
    if is_zero or (is_short and None not in constants):
        return Term.number(values[0], len(values))
    return None


# ── Writing a formula ─────────────────────────────────────────────────────────────────────


def _leaves(among: Mapping[int, Math], numbers: bool, tex: bool) -> Leaves:
    """A function that writes symbols, numbers, and terms that have names."""

    def leaf(term: Term, needs: int) -> tuple[str, int] | None:
        if id(term) in among:
            name = among[id(term)]
            return name[tex], precedence(name.text)
        if term.op is not None:
            return None
        if term.symbol is not None and not numbers:
            return term.symbol[tex], precedence(term.symbol.text)
        x, text = term.values[0], numeral(term.values[0])[tex]
        return text, SUM if x < 0.0 else PRODUCT if r"\times" in text else NAME

    return leaf


def _enclosed(term: Term, needs: int, among: Mapping[int, Math], numbers: bool) -> Math:
    """A term as text and TeX, in parentheses if its precedence is lower than needed."""
    text, has = rendered(term, _leaves(among, numbers, False), on_line)
    tex, tex_has = rendered(term, _leaves(among, numbers, True), latex, BRACKETS)
    return Math(
        text if has >= needs else f"({text})", tex if tex_has >= needs else BRACKETS.format(tex)
    )


def product(factors: Sequence[Term], *, numbers: bool = False) -> Math:
    """Factors side by side, in the order of a path.

    >>> product([Term.number(-2.0), Term.named(Math("x", "x"), 3.0)]).text
    '(-2) · x'
    """
    written = [_enclosed(factor, PRODUCT, {}, numbers) for factor in factors]
    return Math(
        " · ".join(math.text for math in written) or "1",
        r" \cdot ".join(math.tex for math in written) or "1",
    )


def partial(op: Op, i: int, out: Term, args: Sequence[Term], locals: Sequence[float]) -> Term:
    """∂out/∂args[i] of a row as a formula, from the row's own rule.

    Args:
        op: the row.
        i: the position of the argument.
        out: its result, as a term.
        args: its arguments.
        locals: the partial as numbers, one for each place. If the formula has other numbers (a
            user-defined rule may depend on them), a symbol is shown instead.

    >>> x = Term.named(Math("x", "x"), 3.0)
    >>> partial(ops.square, 0, ops.square(x), [x], [6.0]).math().text
    '2·x'
    """
    plain = [arg.constant if op is ops.pow and arg.constant is not None else arg for arg in args]
    if len(args) <= LARGEST // 4:
        try:
            traced = op.partial(i, out, *plain)
            if not isinstance(traced, Term):
                traced = Term.number(number(traced), len(locals))
            if all(map(close, traced.values, locals)):
                return traced
        except (TypeError, AttributeError):  # the rule only accepts floats
            pass
    if len(set(locals)) == 1:
        return Term.number(locals[0], len(locals))
    parameter = op.parameters[i] if op.arity is not None else str(i + 1)
    name = Math(
        f"∂{op.name}/∂{parameter}",
        rf"\frac{{\partial {tex_name(op.name)}}}{{\partial {tex_name(parameter)}}}",
    )
    return Term.named(name, *locals)


def close(x: float, y: float, tolerance: float = 1e-9) -> bool:
    """Whether two numbers are equal up to rounding.

    >>> close(1.0, 1.0 + 1e-12), close(float("nan"), float("nan")), close(1.0, 1.1)
    (True, True, False)
    """
    if x == y or (x != x and y != y):
        return True
    return abs(x - y) <= tolerance * max(abs(x), abs(y))
