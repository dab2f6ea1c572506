"""Numbers and names in a picture: rounded, shortened, and escaped."""

from __future__ import annotations

import html
from typing import Final, TypeAlias
from unicodedata import combining, east_asian_width

from ..errors import BadArgument
from ..snapshots import Node
from ..strings import clean, short

Digits: TypeAlias = int | str  # how numbers are rounded; see `rounded`

LONGEST: Final = 10_000  # characters of a name in a tooltip


def rounded(x: float, digits: Digits = 4) -> str:
    """A number in a picture: 4 significant digits; whole numbers below a million are written out.

    In detail, for ``digits`` = d: inf, -inf and nan are written as such. If 10^d ≤ |x| < 999999.5
    the number is rounded to a whole one. Otherwise to d significant digits: let e be the decimal
    exponent of the rounded number; for −4 ≤ e < d it is written out, otherwise as mantissa, "e",
    sign, and the exponent with at least two digits; zeros at the end of a fraction are dropped.
    Halves of the exact binary number are rounded to even. rules.js does the same in JavaScript.

    Args:
        digits: the number of significant digits, or a format such as ".2f" (see Python's `format`).

    >>> [rounded(x) for x in (1 / 7, 250_000.0, 123456789.0, -2.0, float("inf"))]
    ['0.1429', '250000', '1.235e+08', '-2', 'inf']
    >>> rounded(1 / 7, 2), rounded(1 / 7, ".2f")
    ('0.14', '0.14')
    """
    if isinstance(digits, str):
        return format(x, digits)
    return f"{x:.0f}" if 10.0**digits <= abs(x) < 999_999.5 else f"{x:.{digits}g}"


def fit(digits: object) -> Digits:
    """A checked number format.

    Raises:
        BadArgument: if it is neither a number of digits nor a format.
    """
    try:
        if isinstance(digits, str) and format(-1234.5678, digits):
            return digits
    except ValueError:
        pass
    if type(digits) is int and 1 <= digits <= 17:
        return digits
    raise BadArgument(
        f"digits must be a number of significant digits from 1 to 17, or a format such as "
        f"'.2f'. Received: {digits!r}."
    )


def signed(x: float, digits: Digits = 4) -> str:
    """A gradient in a picture, with its sign.

    >>> signed(0.5), signed(-1.4), signed(-0.0), signed(float("nan"))
    ('+0.5', '-1.4', '0', 'nan')
    """
    if x == 0.0:
        return "0"
    return ("+" if x > 0 else "") + rounded(x, digits)


def symbol(node: Node) -> str:
    """The sign of the operation; a sum of two terms is a plus."""
    if node.op is None:
        return ""
    return "+" if node.op.name == "sum" and len(node.args) == 2 else clean(node.op.symbol)


def named(node: Node) -> str:
    """The name of a node, cleaned; empty if nothing in it is visible."""
    return clean(node.name or "")


def called(node: Node, width: int = LONGEST) -> str:
    """The name of a node in a sentence: its name, else its operation, else its role.

    >>> from tinygrad_edu import Value, snapshot
    >>> [called(node) for node in snapshot(Value(1.0, name="w") * 2.0).nodes]
    ['w', 'constant', '×']
    """
    return short(named(node) or symbol(node) or node.role or "leaf", width)


def in_table(text: str) -> str:
    """A string for an HTML-like label, in which Graphviz interprets backslashes too."""
    return html.escape(text).replace("\\", "\\\\")


def quoted(text: str) -> str:
    r"""A DOT string for a tooltip, which Graphviz unescapes twice: no quote ends it, and no entity
    and no ``\N`` is interpreted in it. (Labels, which are unescaped once, are HTML-like instead.)

    >>> print(quoted('say "&lt;\\N"'))
    "say \"&amp;lt;\\\\N\""
    """
    text = text.replace("&", "&amp;").replace("\\", 4 * "\\").replace('"', '\\"')
    return '"' + text.replace("\n", "\\n") + '"'


# Advance widths of Helvetica in thousandths of the font size, from U+0020 on (the metrics are
# published by Adobe; Arial and Liberation Sans agree with them).
# fmt: off
_HELVETICA: Final = (
    278, 278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333, 278, 278,
    556, 556, 556, 556, 556, 556, 556, 556, 556, 556, 278, 278, 584, 584, 584, 556,
    1015, 667, 667, 722, 722, 667, 611, 778, 722, 278, 500, 667, 556, 833, 722, 778,
    667, 778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 278, 278, 278, 469, 556,
    333, 556, 556, 500, 556, 556, 278, 556, 556, 222, 222, 500, 222, 833, 556, 556,
    556, 556, 333, 500, 278, 556, 500, 722, 500, 500, 500, 334, 260, 334, 584,
)
# fmt: on


def breadth(text: str, size: float, *, bold: bool = False) -> float:
    """The width of a string in Helvetica, in the unit of ``size``; for other letters it is an upper
    estimate, because the reader's fonts are unknown.

    >>> breadth("0.5", 10.0)
    13.9
    """
    total = sum(
        _HELVETICA[ord(char) - 32]
        if " " <= char <= "~"
        else 1100
        if east_asian_width(char) in "WF"
        else 650
        for char in text
        if not combining(char)
    )
    return round(total * size / 1000 * (1.1 if bold else 1.0), 2)
