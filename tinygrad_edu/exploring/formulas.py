"""The page's formulas: Terms, written on one line with spaces around the signs.

The page fills in the arguments, as names or numbers: in the formulas of `value` and `partial`, each
argument is one special character, which also encodes the precedence that the argument needs to be
written there without parentheses.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import nan
from typing import Final

from ..core.ops import pow as pow_row
from ..core.ops import sum as sum_row
from ..core.spelling import ATOM, NAME, POWER, PRODUCT, SUM
from ..core.table import Op, number
from ..explaining.notation import Math
from ..explaining.symbols import Term
from ..strings import as_superscript

LONGEST: Final = 48  # characters; a longer formula doesn't explain anything
RESULT: Final = 31  # the index of the result, among those of the arguments
_FIRST: Final = 0xE000


def slot(i: int, needs: int = 0) -> str:
    """The character for argument i or the `RESULT`, in a place that needs this precedence."""
    return chr(_FIRST + 32 * needs + i)


def named(name: str) -> Term:
    """A symbol whose number only the page knows."""
    return Term.named(Math(name, ""), nan)


def written(term: Term) -> tuple[str, int]:
    """A term on one line, and its precedence.

    >>> x, y = named("x"), named("y")
    >>> written((x * 2.0 + y) / -0.5)
    ('(x × 2 + y) / (−0.5)', 2)
    >>> written((x**2) ** 2)[0], written((x**3) ** 2)[0], written(-(x * y))[0]
    ('(x²)²', '(x³)²', '−x × y')
    """
    op = term.op
    if op is None:
        if term.symbol is not None:
            return term.symbol.text, NAME
        x = term.values[0]
        return f"{x:.4g}".replace("-", "−"), NAME if x >= 0.0 else SUM
    if op is sum_row:
        terms = [_held(arg, PRODUCT if i else SUM) for i, arg in enumerate(term.args)]
        return (" + ".join(terms) if len(terms) < 4 else f"{terms[0]} + … + {terms[-1]}"), SUM
    if op is pow_row:
        exponent = term.args[1].known
        if exponent is not None and exponent == int(exponent):
            return _held(term.args[0], ATOM) + as_superscript(int(exponent)), POWER
    if op.text is None:
        return f"{op.name}({', '.join(_held(arg, 0) for arg in term.args)})", ATOM
    form = op.text.spaced or op.text.form
    return form.format(*map(_held, term.args, op.text.needs)), op.text.whole


def _held(term: Term, needs: int) -> str:
    """A term in a place that needs this precedence."""
    text, tightness = written(term)
    if len(text) == 1 and _FIRST <= ord(text) <= _FIRST + RESULT:
        return slot(ord(text) - _FIRST, needs)
    return text if tightness >= needs else f"({text})"


def value(op: Op, constants: Sequence[float | None]) -> str | None:
    """A row's value as a formula; ``constants`` marks the arguments that are plain numbers.

    >>> from ..core.ops import square
    >>> value(square, [None]) == slot(0, ATOM) + "²"
    True
    """
    return _short(Term(op, tuple(_arguments(constants)), (nan,)))


def partial(op: Op, i: int, constants: Sequence[float | None]) -> str | None:
    """A row's partial by argument i as a formula, None if it is too long or there is none.

    >>> from ..core.ops import square
    >>> partial(square, 0, [None]) == "2 × " + slot(0, 2)
    True
    """
    args: list[Term | float] = list(_arguments(constants))
    if op is pow_row and constants[1] is not None:  # its slope is short if the exponent is known
        args[1] = constants[1]
    try:
        slope = op.partial(i, named(slot(RESULT)), *args)
        return _short(slope if isinstance(slope, Term) else Term.number(number(slope)))
    except (ArithmeticError, AttributeError, TypeError, ValueError):  # an opaque row's, say
        return None


def _arguments(constants: Sequence[float | None]) -> list[Term]:
    return [named(slot(i)) if x is None else Term.number(x) for i, x in enumerate(constants)]


def _short(term: Term) -> str | None:
    text, _ = written(term)
    return text if len(text) <= LONGEST else None
