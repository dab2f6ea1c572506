"""Formulas are trees; each way to write them is a short renderer of the tree.

A renderer writes one operation around its arguments, which it asks for by the tightness that
their places need; `rendered` walks the tree and adds the parentheses. `on_line` writes formulas
on one line, for a terminal and for the page; `latex` fills in the rows' own templates. How
symbols and numbers are written is the caller's to say, in a function of its own: the leaves.
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
"""How a term is written, and how tightly that holds together, in a place that needs so much
tightness; None if its operation is written out."""

Held = Callable[[int, int], str]
"""Argument i, in parentheses unless it holds together as tightly as it must."""

Renderer = Callable[["Term", Held], "tuple[str, int]"]


def rendered(
    term: Term, leaves: Leaves, write: Renderer, brackets: str = "({})", needs: int = 0
) -> tuple[str, int]:
    """A term as a renderer writes it, and how tightly that holds together."""
    leaf = leaves(term, needs)
    if leaf is not None:
        return leaf
    if term.op is not None and term.op.text is not None and term.op.text.form == "{}":
        return rendered(term.args[0], leaves, write, brackets, needs)  # what it passes on

    def held(i: int, needs: int) -> str:
        text, tightness = rendered(term.args[i], leaves, write, brackets, needs)
        return text if tightness >= needs else brackets.format(text)

    return write(term, held)


_BRACKETED: Final = re.compile(r"\([^()]*\)")
_SIGNS: Final = {
    # Not the sign of an exponent, and not a hyphen between letters.
    SUM: re.compile(r"(?<!\de)(?:[+−=<>≤≥≠]|(?<![^\W\d_])-|-(?![^\W\d_]))"),
    PRODUCT: re.compile(r"[*×·/÷]|^Σ "),
    POWER: re.compile(r"[\^⁻⁰¹²³⁴⁵⁶⁷⁸⁹]"),
}


def precedence(name: str) -> int:
    """How tightly a name holds together: one that reads as a formula does as that formula.

    >>> [precedence(name) for name in ("w", "cross-entropy", "(ŷ − y)²", "Σ e", "x - 1", "1e+08")]
    [5, 5, 3, 2, 1, 5]
    """
    outside = _BRACKETED.sub("", _BRACKETED.sub("", name))
    return next((degree for degree, signs in _SIGNS.items() if signs.search(outside)), NAME)


# ── On one line ───────────────────────────────────────────────────────────────────────────

_RAISED: Final = {"t": "ᵗ", "n": "ⁿ", "x": "ˣ", "y": "ʸ"}  # letters that an exponent may be


def on_line(term: Term, held: Held, *, spaced: bool = False, most: int = 1_000) -> tuple[str, int]:
    """An operation on one line.

    Args:
        term: the operation.
        held: its arguments.
        spaced: whether there is room between the signs.
        most: terms of a sum that are written out.
    """
    op, count = term.op, len(term.args)
    assert op is not None
    if op.text is None:
        return f"{op.name}({', '.join(held(i, 0) for i in range(count))})", ATOM
    form, needs = op.text.spaced if spaced and op.text.spaced else op.text.form, op.text.needs
    if op.arity is None:
        places = range(count) if count <= most else (0, None, count - 1)
        terms = ("…" if i is None else held(i, needs[i > 0]) for i in places)
        return form.join(terms), op.text.whole
    if op.name == "pow":
        exponent = held(1, 0).replace("−", "-")
        if exponent in _RAISED or exponent.lstrip("-").isdecimal():
            return held(0, ATOM) + (_RAISED.get(exponent) or as_superscript(int(exponent))), POWER
    return form.format(*map(held, range(count), needs)), op.text.whole


# ── LaTeX ─────────────────────────────────────────────────────────────────────────────────

BRACKETS: Final = r"\left({}\right)"


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


def latex(term: Term, held: Held) -> tuple[str, int]:
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
            written.append(", ".join(held(i, 0) for i in places))
        elif part.which == "+":
            written.append(" + ".join(held(i, PRODUCT if i else SUM) for i in places))
        else:
            i = int(part.which) - 1
            written.append(held(i, binding.needs[i] if binding else part.needs))
    return "".join(written), binding.whole if binding else whole
