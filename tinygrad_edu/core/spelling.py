"""How rows are written: in formulas that people read, and in other languages that compute.

A formula needs parentheses where an argument holds together less tightly than its place asks.
Five degrees say how tightly: a sum, a product, a power, what brackets enclose, and a name.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

SUM, PRODUCT, POWER, ATOM, NAME = range(1, 6)


class Notation(NamedTuple):
    """A row as a formula on one line.

    Attributes:
        form: with ``{}`` for each argument; of ``sum``, the sign between its terms.
        needs: how tightly each argument must hold together to go without parentheses.
        whole: how tightly the formula does.
        tex: whether the same holds of its LaTeX, as no braces or brackets stand around there.
        spaced: the form where there is room for spaces, if it is another one.
    """

    form: str
    needs: tuple[int, ...]
    whole: int
    tex: bool = False
    spaced: str = ""


class Spelling(NamedTuple):
    """A primitive in each language, with ``{0}``, ``{1}`` for its arguments, which are variables
    or numbers; of ``sum``, the sign between its terms.

    Attributes:
        python: with the names of `math`.
        c: with the names of math.h; "@" stands before a helper of `compiler.c_source`.
        js: with the names of ``Math`` and of the page's own script.
        llvm: a formula in the arithmetic of `compiler.llvm.Real`; or the name of a function of
            `compiler.primitives` or of the C library. None: the row's own value is the formula.
    """

    python: str
    c: str
    js: str
    llvm: Callable[..., Any] | str | None


def spelled(
    common: str,
    *,
    python: str | None = None,
    c: str | None = None,
    js: str | None = None,
    llvm: Callable[..., Any] | str | None = None,
) -> Spelling:
    """The spelling that the languages share, and the exceptions.

    >>> spelled("exp({0})")
    Spelling(python='exp({0})', c='exp({0})', js='Math.exp({0})', llvm='exp')
    >>> spelled("{0} + {1}").js
    '{0} + {1}'
    """
    function, call, _ = common.partition("(")
    is_call = bool(call) and function.isidentifier()
    return Spelling(
        python or common,
        c or common,
        js or ("Math." if is_call else "") + common,
        llvm or (function if is_call else None),
    )
