"""Strings for people: what a terminal and a picture can show, counts of things, small digits."""

from __future__ import annotations

import codecs
import re
import sys
from typing import Final

MANY: Final = 10**1000  # counts stop here: nobody reads more digits, and they need memory

# Characters that terminals, XML and formulas can't show: controls, lone surrogates, and what is
# invisible or turns the direction of writing. Line ends and tabs become blanks.
_UNFIT: Final = {
    **dict.fromkeys([*range(32), *range(127, 160), *range(0xD800, 0xE000), 0xFFFE, 0xFFFF]),
    **dict.fromkeys([0xAD, 0x61C, 0x180E, 0x200B, 0x200E, 0x200F, 0xFEFF, *range(0xFFF9, 0xFFFC)]),
    **dict.fromkeys([*range(0x202A, 0x202F), *range(0x2060, 0x2070), *range(0xE0000, 0xE0080)]),
    **dict.fromkeys(map(ord, "\t\n\v\f\r\x85\u2028\u2029"), " "),
}
SUBSCRIPTS: Final = "₀₁₂₃₄₅₆₇₈₉"
_BELOW: Final = str.maketrans("0123456789", SUBSCRIPTS)
_ABOVE: Final = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
# What replaces a character that a terminal or file can't show. Accents are dropped, Greek letters
# are named, superscripts follow a "^"; the code of any other character is shown.
_INSTEAD: Final = {
    **dict(zip("∂−·×÷′─│└├┼┤┌┬┐┴┘⌊⌋⌈⌉⋮↑µ“”‘’", "d-**/'-|+++++++++[][]:^u\"\"''")),
    "Σ": "sum ", "√": "sqrt ", "∛": "cbrt ", "±": "+-", "≤": "<=", "≥": ">=", "≠": "!=", "≈": "~",
    "→": "->", "←": "<-", "⋯": "...", "‖": "||", "∞": "inf", "λ": "lambda", "–": "-", "—": "--",
    "∇": "grad ", "∈": "in", "⁄": "/",
}  # fmt: skip


def clean(text: str) -> str:
    """A string without control characters, lone surrogates and invisible characters, in one line.

    >>> clean("a\\x00b\\ud800\\nc\\u202ed")
    'ab cd'
    """
    return text.translate(_UNFIT)


def legible(text: str) -> str:
    """A text of several lines without anything that a terminal would obey: each line cleaned.

    Everything that is printed, and every error, goes through here. A standard output that lacks
    some of the characters gets a readable form of them.

    >>> legible("one\\x1b[2J\\ntwo")
    'one[2J\\ntwo'
    """
    text = "\n".join(map(clean, text.split("\n")))
    return text if text.isascii() else shown_in(text, getattr(sys.stdout, "encoding", None))


def shown_in(text: str, encoding: str | None) -> str:
    """A string with readable forms of the characters that an encoding lacks.

    >>> print(shown_in("∂L/∂w₁ = 2·10⁻¹² − α…", "ascii"))
    dL/dw1 = 2*10^-12 - alpha...
    """
    encoding = encoding or "utf-8"
    return text.encode(encoding, "tinygrad_edu.readable").decode(encoding)


def _readable(error: UnicodeError) -> tuple[str, int]:
    """Python's hook for a run of characters that an encoding lacks."""
    from unicodedata import decomposition  # late, as below

    assert isinstance(error, UnicodeEncodeError)
    made, before = "", False
    for char in error.object[error.start : error.end]:
        raised = decomposition(char).startswith("<super>")
        made += ("^" if raised and not before else "") + _instead(char)
        before = raised
    return made, error.end


def _instead(char: str) -> str:
    from unicodedata import combining, name, normalize

    words = name(char, "").split()
    if char not in _INSTEAD and words[:1] == ["GREEK"]:
        letter = words[words.index("LETTER") + 1] if "LETTER" in words else words[1]
        return letter.lower() if char.islower() else letter.title()
    simpler = [_INSTEAD.get(c, c) for c in normalize("NFKD", _INSTEAD.get(char, char))]
    text = "".join(c for c in simpler if not combining(c[0]))
    return text if text.isascii() else f"\\u{ord(char):04x}"


codecs.register_error("tinygrad_edu.readable", _readable)


def short(text: str, width: int = 24) -> str:
    """A cleaned string of at most ``width`` characters.

    >>> short("x" * 30, 8)
    'xxxxxxx…'
    """
    text = clean(text)
    return text if len(text) <= width else text[: width - 1] + "…"


def pattern(name: str) -> str:
    """A name without its numbers: things of one pattern are of one kind.

    >>> pattern("sample 12"), pattern("w₁")
    ('sample #', 'w#')
    """
    return re.sub(r"[\d₀-₉]+", "#", name)


def columns(text: str) -> int:
    """The width of a string in a terminal, in columns.

    >>> columns("ŷ"), columns("家")
    (1, 2)
    """
    from unicodedata import combining, east_asian_width  # late: errors import this room

    wide = sum(east_asian_width(char) in "WF" for char in text)
    return len(text) + wide - sum(combining(char) > 0 for char in text)


def cut(text: str, width: int) -> str:
    """A string of at most ``width`` columns in a terminal.

    >>> cut("gradient", 5), cut("家家家", 5), cut("∂L", 5)
    ('grad…', '家家…', '∂L')
    """
    if columns(text) <= width:
        return text
    while columns(text) > width - 1:
        text = text[:-1]
    return text + "…"


def plural(count: int, noun: str) -> str:
    """A number of things.

    >>> plural(1, "node"), plural(1200, "node")
    ('1 node', '1,200 nodes')
    """
    return f"{counted(count)} {noun}{'' if count == 1 else 's'}"


def counted(count: int) -> str:
    """A count, with all its digits if it is short enough to read.

    >>> counted(1200), counted(2**40), counted(2**200)
    ('1,200', '1,099,511,627,776', '1.61e+60')
    """
    from decimal import Decimal  # imported late: few counts are that large

    if count >= MANY:
        return "more than 1e+1000"
    return f"{count:,}" if count < 10**18 else f"{Decimal(count):.2e}"


def as_subscript(text: object) -> str:
    """A string with its digits as subscripts; a number gives its digits.

    >>> as_subscript("w1"), as_subscript(12)
    ('w₁', '₁₂')
    """
    return str(text).translate(_BELOW)


def as_superscript(n: int) -> str:
    """A whole number as an exponent.

    >>> as_superscript(-12)
    '⁻¹²'
    """
    return str(n).translate(_ABOVE)
