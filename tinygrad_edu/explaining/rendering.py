"""Renderers: functions that write a formula, which is a tree of rows, in some notation.

A renderer writes one operation around its arguments, and states for each of them the precedence
that its place needs; `rendered` walks the tree and adds the parentheses. `on_line` writes formulas
on one line, for a terminal and for the page; `latex` fills in the templates of the rows. The
caller passes a function that writes symbols and numbers: the leaves.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Final, NamedTuple

from ..core.spelling import ATOM, NAME, POWER, PRODUCT, SUM
from ..strings import as_superscript

if TYPE_CHECKING:
    from .symbols import Term

Leaves = Callable[["Term", int], "tuple[str, int] | None"]
"""A term as it is written where some precedence is needed, and the precedence that it has; None
if its operation is written out."""

Argument = Callable[[int, int], str]
"""Argument i as it is written where some precedence is needed, in parentheses if it has less."""

Renderer = Callable[["Term", Argument], "tuple[str, int]"]


def rendered(
    term: Term, leaves: Leaves, write: Renderer, brackets: str = "({})", needs: int = 0
) -> tuple[str, int]:
    """A term as a renderer writes it, and its precedence."""
    leaf = leaves(term, needs)
    if leaf is not None:
        return leaf
    if term.op is not None and term.op.text is not None and term.op.text.form == "{}":
        return rendered(term.args[0], leaves, write, brackets, needs)  # as identity

    def argument(i: int, needs: int) -> str:
        text, has = rendered(term.args[i], leaves, write, brackets, needs)
        return text if has >= needs else brackets.format(text)

    return write(term, argument)


_BRACKETED: Final = re.compile(r"\([^()]*\)")
_SIGNS: Final = {
    # Not the sign of an exponent, and not a hyphen between letters.
    SUM: re.compile(r"(?<!\de)(?:[+−=<>≤≥≠]|(?<![^\W\d_])-|-(?![^\W\d_]))"),
    PRODUCT: re.compile(r"[*×·/÷]|^Σ "),
    POWER: re.compile(r"[\^⁻⁰¹²³⁴⁵⁶⁷⁸⁹]"),
}


def precedence(name: str) -> int:
    """The precedence of a name; one that reads as a formula has that of the formula.

    >>> [precedence(name) for name in ("w", "cross-entropy", "(ŷ − y)²", "Σ e", "x - 1", "1e+08")]
    [5, 5, 3, 2, 1, 5]
    """
    outside = _BRACKETED.sub("", _BRACKETED.sub("", name))
    return next((degree for degree, signs in _SIGNS.items() if signs.search(outside)), NAME)


# ── On one line ───────────────────────────────────────────────────────────────────────────

_RAISED: Final = {"t": "ᵗ", "n": "ⁿ", "x": "ˣ", "y": "ʸ"}  # letters that have a superscript


def on_line(
    term: Term, argument: Argument, *, spaced: bool = False, most: int = 1_000
) -> tuple[str, int]:
    """An operation on one line.

    Args:
        term: the operation.
        argument: its arguments as strings.
        spaced: whether to write spaces around the signs.
        most: the number of terms of a sum that are written out.
    """
    op, count = term.op, len(term.args)
    assert op is not None
    if op.text is None:
        return f"{op.name}({', '.join(argument(i, 0) for i in range(count))})", ATOM
    form, needs = op.text.spaced if spaced and op.text.spaced else op.text.form, op.text.needs
    if op.arity is None:
        places = range(count) if count <= most else (0, None, count - 1)
        terms = ("…" if i is None else argument(i, needs[i > 0]) for i in places)
        return form.join(terms), op.text.whole
    if op.name == "pow":
        exponent = argument(1, 0).replace("−", "-")
        if exponent in _RAISED or exponent.lstrip("-").isdecimal():
            return argument(0, ATOM) + (
                _RAISED.get(exponent) or as_superscript(int(exponent))
            ), POWER
    return form.format(*map(argument, range(count), needs)), op.text.whole


# ── LaTeX ─────────────────────────────────────────────────────────────────────────────────

BRACKETS: Final = r"\left({}\right)"


class _Slot(NamedTuple):
    """The place of an argument in a template of TeX: ``#1``, or ``#,`` and ``#+`` for all."""

    which: str
    needs: int  # the precedence that an argument without parentheses must have


_RELATIONS: Final = ("<", ">", "=", r"\le", r"\ge", r"\ne")
_BEFORE: Final = ("{", "(", "[", "|", ",", r"\lfloor", r"\lceil", *_RELATIONS)
_AFTER: Final = ("}", r"\right", ",", "|", *_RELATIONS)


@cache
def _template(tex: str) -> tuple[tuple[str | _Slot, ...], int]:
    """The parts of a row's template, and the precedence of a formula written with it.

    An argument needs no parentheses between braces or brackets of the template.
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


def latex(term: Term, argument: Argument) -> tuple[str, int]:
    """An operation in LaTeX."""
    op = term.op
    assert op is not None
    places = range(len(term.args))
    parts, whole = _template(op.tex)
    binding = op.text if op.text is not None and op.text.tex else None
    written = []
    for part in parts:
        if isinstance(part, str):
            written.append(part)
        elif part.which == ",":
            written.append(", ".join(argument(i, 0) for i in places))
        elif part.which == "+":
            written.append(" + ".join(argument(i, PRODUCT if i else SUM) for i in places))
        else:
            i = int(part.which) - 1
            written.append(argument(i, binding.needs[i] if binding else part.needs))
    return "".join(written), binding.whole if binding else whole
