"""Terms: numbers that know their formula. Rows of the table applied to them give formulas.

A Term is one more number type with an `interpret` method. A row's partials, traced with Terms,
are its derivative as a formula; printed, it is text for a terminal or LaTeX from the rows' own
templates. A Term also carries its numbers, one for each of several corresponding places (the
samples of a batch), so that branches are taken as the numbers take them, and a formula can be
held against the numbers that it stands for.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, Final, NamedTuple

from ..core import ops
from ..core.spelling import ATOM, NAME, POWER, PRODUCT, SUM
from ..core.table import Op, number
from ..strings import as_superscript
from .notation import Math, numeral, parenthesised, tex_name

LARGEST: Final = 200  # operations in one formula; what is larger is shown as dots
DOTS: Final = Math("⋯", r"\cdots")

_Operator = Callable[["Term", Any], "Term"]


def _operator(op: Op) -> tuple[_Operator, _Operator]:
    """A Python operator and its reflection."""
    apply: Callable[..., Term] = op
    return lambda x, y: apply(x, y), lambda x, y: apply(y, x)


def _comparison(compare: Callable[[float, float], bool]) -> Callable[[Term, Any], bool]:
    """A comparison of the numbers, which must come out the same at every place."""

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
        args: what the row is applied to.
        symbol: how a symbol is written, None for a number.
        values: its numbers, one for each place that the formula holds at.
        size: how many operations it has, every repetition counted.

    >>> x = Term.named(Math("x", "x"), 3.0)
    >>> y = ops.exp(2.0 * x) + 1.0 * x
    >>> y.math().text, y.math().tex
    ('exp(2·x) + x', 'e^{2 \\\\cdot x} + x')
    """

    __slots__ = ("args", "op", "size", "symbol", "values")

    op: Op | None
    args: tuple[Term, ...]
    values: tuple[float, ...]
    symbol: Math | None
    size: int

    def __init__(
        self,
        op: Op | None,
        args: tuple[Term, ...],
        values: tuple[float, ...],
        symbol: Math | None = None,
    ) -> None:
        self.op = op
        self.args = args
        self.values = values
        self.symbol = symbol
        self.size = 1 + sum(arg.size for arg in args)
        if self.size > LARGEST:
            self.op, self.args, self.symbol, self.size = None, (), DOTS, 1

    @classmethod
    def named(cls, symbol: Math, *values: float) -> Term:
        """A symbol that stands for these numbers."""
        return cls(None, (), values, symbol)

    @classmethod
    def number(cls, x: float, places: int = 1) -> Term:
        """A plain number, the same at every place."""
        return cls(None, (), (float(x),) * places)

    @property
    def known(self) -> float | None:
        """The number, of a plain one."""
        return self.values[0] if self.op is None and self.symbol is None else None

    @staticmethod
    def interpret(op: Op, args: Sequence[Any]) -> Term:
        """What a row makes of Terms: a formula, without 1·x, x + 0 and their like."""
        places = max(len(arg.values) for arg in args if isinstance(arg, Term))
        terms = tuple(
            arg if isinstance(arg, Term) else Term.number(number(arg), places) for arg in args
        )
        values = tuple(op.compute(*at) for at in zip(*(term.values for term in terms)))
        simpler = _SIMPLER.get(op.name, _unchanged)(terms, values)
        return Term(op, terms, values) if simpler is None else simpler

    def math(self, among: Mapping[int, Math] | None = None, *, numbers: bool = False) -> Math:
        """The formula as it is written.

        Args:
            among: how to write some of the terms, by their `id`: those that have names.
            numbers: whether symbols are replaced by their first number.
        """
        return _printed(self, among or {}, numbers)[0]

    __add__, __radd__ = _operator(ops.add)
    __sub__, __rsub__ = _operator(ops.sub)
    __mul__, __rmul__ = _operator(ops.mul)
    __truediv__, __rtruediv__ = _operator(ops.div)
    __pow__, __rpow__ = _operator(ops.pow)

    def __neg__(self) -> Term:
        return ops.neg(self)

    def __abs__(self) -> Term:
        return ops.abs(self)

    # A user's rule may ask which of two numbers is larger.
    __lt__ = _comparison(operator.lt)
    __le__ = _comparison(operator.le)
    __gt__ = _comparison(operator.gt)
    __ge__ = _comparison(operator.ge)

    def __repr__(self) -> str:
        return f"<Term {self.math().text}>"


# ── What formulas leave out ───────────────────────────────────────────────────────────────

Simpler = Callable[[tuple[Term, ...], tuple[float, ...]], "Term | None"]


def _unchanged(terms: tuple[Term, ...], values: tuple[float, ...]) -> Term | None:
    return None


def _known(terms: tuple[Term, ...], values: tuple[float, ...]) -> Term | None:
    """Numbers among themselves are computed, if the result is one that can be read."""
    if any(term.known is None for term in terms):
        return None
    return Term.number(values[0], len(values))


def _add(terms: tuple[Term, ...], values: tuple[float, ...]) -> Term | None:
    x, y = terms
    return y if x.known == 0.0 else x if y.known == 0.0 else _known(terms, values)


def _sub(terms: tuple[Term, ...], values: tuple[float, ...]) -> Term | None:
    x, y = terms
    return x if y.known == 0.0 else ops.neg(y) if x.known == 0.0 else _known(terms, values)


def _mul(terms: tuple[Term, ...], values: tuple[float, ...]) -> Term | None:
    x, y = terms
    if x.known == 1.0 or y.known == 1.0:
        return y if x.known == 1.0 else x
    if x.known == -1.0 or y.known == -1.0:
        return ops.neg(y if x.known == -1.0 else x)
    if (x.known == 0.0 or y.known == 0.0) and not any(values):
        return Term.number(0.0, len(values))
    return _known(terms, values)


def _div(terms: tuple[Term, ...], values: tuple[float, ...]) -> Term | None:
    if terms[1].known == 1.0 or (terms[0].known == 0.0 and not any(values)):
        return terms[0]
    known = _known(terms, values)  # but 1/3 is better read than 0.333333
    return known if known is not None and values[0] * 64.0 % 1.0 == 0.0 else None


def _neg(terms: tuple[Term, ...], values: tuple[float, ...]) -> Term | None:
    (x,) = terms
    return x.args[0] if x.op is ops.neg else _known(terms, values)


def _pow(terms: tuple[Term, ...], values: tuple[float, ...]) -> Term | None:
    return terms[0] if terms[1].known == 1.0 else _known(terms, values)


def _first(terms: tuple[Term, ...], values: tuple[float, ...]) -> Term | None:
    return terms[0] if all(x == x for x in values) else None


def _condition(terms: tuple[Term, ...], values: tuple[float, ...]) -> Term | None:
    """A comparison is what it is at these numbers, if that is the same at every place."""
    if any(x != x for term in terms for x in term.values):
        return None
    return Term.number(values[0], len(values)) if len(set(values)) == 1 else None


def _where(terms: tuple[Term, ...], values: tuple[float, ...]) -> Term | None:
    cond, x, y = terms
    return None if cond.known is None else x if cond.known != 0.0 else y


_SIMPLER: Final[dict[str, Simpler]] = {
    "add": _add, "sub": _sub, "mul": _mul, "div": _div, "neg": _neg, "pow": _pow,
    "square": _known, "identity": _first, "stop_gradient": _first, "unless_nan": _first,
    "where": _where, "maximum": _known, "minimum": _known, "abs": _known,
    **dict.fromkeys(
        ("less", "less_equal", "greater", "greater_equal", "equal", "not_equal"), _condition
    ),
}  # fmt: skip


# ── Writing a formula ─────────────────────────────────────────────────────────────────────

_RAISED: Final = {"t": "ᵗ", "n": "ⁿ", "x": "ˣ", "y": "ʸ"}  # letters that an exponent may be


class _Slot(NamedTuple):
    """Where a template of TeX takes an argument: ``#1``, or ``#,`` and ``#+`` for all."""

    which: str
    needs: int  # how tightly the argument must hold together to go without parentheses


_RELATIONS: Final = ("<", ">", "=", r"\le", r"\ge", r"\ne")
_BEFORE: Final = ("{", "(", "[", "|", ",", r"\lfloor", r"\lceil", *_RELATIONS)
_AFTER: Final = ("}", r"\right", ",", "|", *_RELATIONS)


@cache
def _template(tex: str) -> tuple[tuple[str | _Slot, ...], int]:
    """A row's template, taken apart, and how tightly what it writes holds together.

    An argument stands safely where braces or brackets are all around it.
    """
    parts: list[str | _Slot] = []
    pieces = re.split(r"#([1-9,+])", tex)
    for i, piece in enumerate(pieces):
        if i % 2 == 0:
            parts.append(piece)
            continue
        before, after = pieces[i - 1].rstrip(), pieces[i + 1].lstrip()
        braced = before.endswith("{") and after.startswith("}")
        if braced and (after[1:].startswith("^") or before[:-1].endswith("{")):
            needs = ATOM  # the base of a power
        else:
            enclosed = before.endswith(_BEFORE) and after.startswith(_AFTER)
            needs = SUM if enclosed else ATOM
        parts.append(_Slot(piece, needs))
    outside = re.sub(r"\\left.*\\right.|\{[^{}]*\}", "", tex)
    loose = "#" in outside or re.search(r"[-+]|\\cdot|\\log|\\tanh|\\cosh", outside)
    fraction = PRODUCT if tex.startswith(r"\frac") else ATOM
    whole = SUM if loose else POWER if "^" in outside else fraction
    return tuple(parts), whole


def _held(printed: tuple[Math, int, int], text: int, tex: int) -> Math:
    """A printed argument, in parentheses where its place needs them."""
    math, text_has, tex_has = printed
    safe = parenthesised(math)
    return Math(
        safe.text if text_has < text else math.text, safe.tex if tex_has < tex else math.tex
    )


def _printed(term: Term, among: Mapping[int, Math], numbers: bool) -> tuple[Math, int, int]:
    """A term as text and TeX, with the tightness of each. Terms are never deep."""
    if id(term) in among:
        called = among[id(term)]
        tight = SUM if called.text.startswith("-") else NAME
        return called, tight, tight
    op = term.op
    if op is None:
        if term.symbol is not None and not numbers:
            return term.symbol, NAME, NAME
        x = term.values[0]
        tight = SUM if x < 0.0 else NAME
        written = numeral(x)
        return written, tight, PRODUCT if r"\times" in written.tex and x > 0.0 else tight
    args = [_printed(arg, among, numbers) for arg in term.args]
    if op.text is not None and op.text.form == "{}":  # it is written as what it passes on
        return args[0]
    text, text_whole = _as_text(op, args)
    tex, tex_whole = _as_tex(op, args)
    return Math(text, tex), text_whole, tex_whole


def _terms(args: list[tuple[Math, int, int]]) -> list[Math]:
    """The terms of a sum."""
    return [_held(arg, PRODUCT if i else SUM, PRODUCT if i else SUM) for i, arg in enumerate(args)]


def _as_text(op: Op, args: list[tuple[Math, int, int]]) -> tuple[str, int]:
    if op.name == "sum":
        return " + ".join(term.text for term in _terms(args)), SUM
    if op.name == "pow":
        exponent = args[1][0].text
        if exponent in _RAISED or exponent.lstrip("-").isdecimal():
            raised = _RAISED.get(exponent) or as_superscript(int(exponent))
            return _held(args[0], ATOM, ATOM).text + raised, POWER
    if op.text is not None:
        held = [_held(arg, need, need).text for arg, need in zip(args, op.text.needs)]
        return op.text.form.format(*held), op.text.whole
    return f"{op.name}({', '.join(arg[0].text for arg in args)})", ATOM


def _as_tex(op: Op, args: list[tuple[Math, int, int]]) -> tuple[str, int]:
    parts, whole = _template(op.tex)
    binding = op.text if op.text is not None and op.text.tex else None
    written = []
    for part in parts:
        if isinstance(part, str):
            written.append(part)
        elif part.which == ",":
            written.append(", ".join(arg[0].tex for arg in args))
        elif part.which == "+":
            written.append(" + ".join(term.tex for term in _terms(args)))
        else:
            i = int(part.which) - 1
            written.append(_held(args[i], 0, binding.needs[i] if binding else part.needs).tex)
    return "".join(written), binding.whole if binding else whole


def product(factors: Sequence[Term], *, numbers: bool = False) -> Math:
    """Factors side by side, as they follow on a path.

    >>> product([Term.number(-2.0), Term.named(Math("x", "x"), 3.0)]).text
    '(-2) · x'
    """
    held = [_held(_printed(factor, {}, numbers), PRODUCT, PRODUCT) for factor in factors]
    return Math(
        " · ".join(one.text for one in held) or "1", r" \cdot ".join(one.tex for one in held) or "1"
    )


def partial(op: Op, i: int, out: Term, args: Sequence[Term], locals: Sequence[float]) -> Term:
    """∂out/∂args[i] of a row as a formula, traced through the row's own rule.

    Args:
        op: the row.
        i: by which argument.
        out: its result, as a term.
        args: its arguments.
        locals: the partial as numbers, one for each place. A formula that does not give them
            (a user's rule may look at numbers on its own) is not shown: a symbol stands there.

    >>> x = Term.named(Math("x", "x"), 3.0)
    >>> partial(ops.square, 0, ops.square(x), [x], [6.0]).math().text
    '2·x'
    """
    plain = [arg.known if op is ops.pow and arg.known is not None else arg for arg in args]
    if len(args) <= LARGEST // 4:
        try:
            traced = op.partial(i, out, *plain)
            if not isinstance(traced, Term):
                traced = Term.number(number(traced), len(locals))
            if all(map(close, traced.values, locals)):
                return traced
        except (TypeError, AttributeError):  # the rule is for floats only
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
    """Whether two numbers agree, as far as two ways of computing them can.

    >>> close(1.0, 1.0 + 1e-12), close(float("nan"), float("nan")), close(1.0, 1.1)
    (True, True, False)
    """
    if x == y or (x != x and y != y):
        return True
    return abs(x - y) <= tolerance * max(abs(x), abs(y))
