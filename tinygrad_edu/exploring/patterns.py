"""The patterns of the page's formulas: Terms, written on one line with spaces around the signs.

The page fills in the arguments, as names or numbers: in the patterns of `value` and `slope`, each
argument is one special character, which also encodes the precedence that the argument needs to be
written there without parentheses.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from math import nan
from typing import Final

from ..core.ops import pow as pow_row
from ..core.spelling import NAME, SUM
from ..core.table import Op, number
from ..explaining.notation import Math
from ..explaining.rendering import on_line, precedence, rendered
from ..explaining.symbols import Term

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
    return rendered(term, _leaves, partial(on_line, spaced=True, most=3))


def _leaves(term: Term, needs: int) -> tuple[str, int] | None:
    if term.op is not None:
        return None
    if term.symbol is None:
        numeral = f"{term.values[0] + 0.0:.4g}".replace("-", "−")  # −0 is written as 0
        return numeral, SUM if numeral.startswith("−") else NAME
    text = term.symbol.text
    is_slot = len(text) == 1 and _FIRST <= ord(text) <= _FIRST + RESULT
    return (slot(ord(text) - _FIRST, needs), NAME) if is_slot else (text, precedence(text))


def value(op: Op, constants: Sequence[float | None]) -> str | None:
    """A row's value as a formula; ``constants`` marks the arguments that are plain numbers.

    >>> from ..core.ops import square
    >>> from ..core.spelling import ATOM
    >>> value(square, [None]) == slot(0, ATOM) + "²"
    True
    """
    return _short(Term(op, tuple(_arguments(constants)), (nan,)))


def slope(op: Op, i: int, constants: Sequence[float | None]) -> str | None:
    """A row's partial by argument i as a formula, None if it is too long or there is none.

    >>> from ..core.ops import square
    >>> slope(square, 0, [None]) == "2 × " + slot(0, 2)
    True
    """
    args: list[Term | float] = list(_arguments(constants))
    if op is pow_row and constants[1] is not None:  # its slope is short if the exponent is known
        args[1] = constants[1]
    try:
        traced = op.partial(i, named(slot(RESULT)), *args)
        return _short(traced if isinstance(traced, Term) else Term.number(number(traced)))
    except (ArithmeticError, AttributeError, TypeError, ValueError):  # an opaque row's, say
        return None


def _arguments(constants: Sequence[float | None]) -> list[Term]:
    return [named(slot(i)) if x is None else Term.number(x) for i, x in enumerate(constants)]


def _short(term: Term) -> str | None:
    text, _ = written(term)
    return text if len(text) <= LONGEST else None
