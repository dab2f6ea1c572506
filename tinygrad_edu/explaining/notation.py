"""Names and numbers of explanations: in a terminal, in LaTeX and in Markdown.

A name may be any string. The results are safe in their output: no name can end a formula, open a
tag or move the cursor.
"""

from __future__ import annotations

import math
import re
from typing import Final, NamedTuple
from unicodedata import name as unicode_name
from unicodedata import normalize

from ..strings import SUBSCRIPTS, clean


class Math(NamedTuple):
    """A piece of mathematics, written for a terminal and for TeX."""

    text: str
    tex: str


def equal(left: Math, right: Math) -> Math:
    """An equation.

    >>> equal(Math("x", "x"), numeral(0.5)).text
    'x = 0.5'
    """
    return Math(f"{left.text} = {right.text}", f"{left.tex} = {right.tex}")


def derivative(y: Math, x: Math) -> Math:
    """The gradient dy/dx, over all paths. The slope of one operation along one edge has a ∂.

    >>> derivative(Math("L", "L"), Math("w", "w")).text
    'dL/dw'
    """
    return Math(f"d{y.text}/d{x.text}", rf"\frac{{\mathrm{{d}} {y.tex}}}{{\mathrm{{d}} {x.tex}}}")


def parenthesised(inner: Math) -> Math:
    """A formula in parentheses.

    >>> parenthesised(Math("-2", "-2")).text
    '(-2)'
    """
    return Math(f"({inner.text})", rf"\left({inner.tex}\right)")


def nth(n: int, of: Math) -> Math:
    """Which of several equal arguments: the 1st x, the 2nd x.

    >>> nth(2, Math("x", "x")).text, nth(13, Math("x", "x")).text
    ('2nd x', '13th x')
    """
    ending = {1: "st", 2: "nd", 3: "rd"}.get(0 if 10 < n % 100 < 20 else n % 10, "th")
    return Math(f"{n}{ending} {of.text}", rf"\text{{{n}{ending} }}{of.tex}")


# ── Numbers ───────────────────────────────────────────────────────────────────────────────


def rounded(x: float) -> str:
    """A number with 6 significant digits; whole numbers below a million are written out.

    >>> [rounded(x) for x in (1 / 3, 250_000.0, -2.0, 1e-9, float("nan"))]
    ['0.333333', '250000', '-2', '1e-09', 'nan']
    """
    return "0" if x == 0.0 else f"{x:.6g}"


def numeral(x: float) -> Math:
    """A number as mathematics.

    >>> numeral(-2.5e-9).tex
    '-2.5 \\\\times 10^{-9}'
    """
    text = rounded(x)
    if not math.isfinite(x):
        sign = "-" if x < 0 else ""
        return Math(text, r"\mathrm{nan}" if x != x else sign + r"\infty")
    mantissa, _, exponent = text.partition("e")
    return Math(text, mantissa + (rf" \times 10^{{{int(exponent)}}}" if exponent else ""))


# ── Names ─────────────────────────────────────────────────────────────────────────────────


_ACCENTS: Final = {"\u0302": r"\hat", "\u0304": r"\bar", "\u0303": r"\tilde", "\u0307": r"\dot"}
_LETTER: Final = re.compile(r"([^\W\d_])([\u0300-\u036f]?)_?([0-9₀-₉]*)")
_WORD: Final = re.compile(r"([A-Za-z]+)_?([0-9₀-₉]*)")


def tex_name(name: str) -> str:
    """A name in TeX's mathematics: letters as they are, words upright, final digits as subscripts.

    >>> print(tex_name("w₁"), tex_name("ŷ"), tex_name("θ_2"), tex_name("loss"), tex_name("50%"))
    w_{1} \\hat{y} \\theta_{2} \\mathrm{loss} \\mathrm{50\\%}
    """
    name = clean(name)
    if match := _LETTER.fullmatch(normalize("NFD", name)):
        letter, accent, digits = match.groups()
        base = letter if letter.isascii() else _greek(letter)
        if base and (not accent or accent in _ACCENTS):
            return (f"{_ACCENTS[accent]}{{{base}}}" if accent else base) + _below(digits)
    if match := _WORD.fullmatch(name):
        return rf"\mathrm{{{match[1]}}}" + _below(match[2])
    return rf"\mathrm{{{_upright(name)}}}"


def _below(digits: str) -> str:
    return f"_{{{normalize('NFKC', digits)}}}" if digits else ""


_CAPITALS: Final = frozenset(
    {"gamma", "delta", "theta", "lambda", "xi", "pi", "sigma", "upsilon", "phi", "psi", "omega"}
)  # the others look like Latin letters, and TeX has no commands for them


def _greek(letter: str) -> str:
    """The command of a Greek letter, empty for any other and for those that TeX lacks."""
    words = unicode_name(letter, "").split()
    if words[:1] != ["GREEK"] or words[-2:-1] != ["LETTER"]:
        return ""
    command = words[-1].lower().replace("lamda", "lambda")
    if words[1] == "SMALL":
        return "" if command == "omicron" else f"\\{command}"
    return f"\\{command.capitalize()}" if command in _CAPITALS else ""


# TeX's special characters, with the commands that print them in mathematics. The braces keep HTML
# from reading a tag or an entity if the formula is in a page.
_IN_MATH: Final = {
    "\\": r"\backslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&{}", "#": r"\#",
    "%": r"\%", "_": r"\_", "^": r"\wedge{}", "~": r"\sim{}", " ": r"\ ", "<": "{<}", ">": "{>}",
    "'": r"{\prime}", "`": r"\text{`}", "|": r"\vert{}", '"': r"\text{''}",
}  # fmt: skip


def _upright(name: str) -> str:
    written = []
    for char in name:
        command = "" if char.isascii() else _greek(char)
        if command:
            written.append(f"{command}{{}}")
        else:
            written.append(_IN_MATH.get(char, char) if char.isascii() else rf"\text{{{char}}}")
    return "".join(written)


_IN_TEX: Final = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#",
    "%": r"\%", "_": r"\_", "^": r"\textasciicircum{}", "~": r"\textasciitilde{}",
    "<": r"\textless{}", ">": r"\textgreater{}", '"': "''", "|": r"\textbar{}",
    "−": "$-$", "·": r"$\cdot$", "×": r"$\times$", "∂": r"$\partial$", "Σ": r"$\Sigma$",
    "∞": r"$\infty$", "…": r"\ldots{}", "÷": r"$\div$", "√": r"$\surd$",
}  # fmt: skip


def in_tex(text: str) -> str:
    """A string for a paragraph of LaTeX.

    >>> print(in_tex("50% of {a_b}"))
    50\\% of \\{a\\_b\\}
    """
    return "".join(_IN_TEX.get(char) or _tex_letter(char) for char in clean(text))


def _tex_letter(char: str) -> str:
    greek = "" if char.isascii() else _greek(char)
    if greek:
        return f"${greek}$"
    letters = normalize("NFD", char)
    if len(letters) == 2 and letters[1] in _ACCENTS and letters[0].isascii():
        return f"${_ACCENTS[letters[1]]}{{{letters[0]}}}$"
    if char in SUBSCRIPTS:
        return f"$_{normalize('NFKC', char)}$"
    return char


def in_markdown(text: str) -> str:
    """A string for a paragraph or a table of Markdown.

    >>> print(in_markdown("<b> *x* $1"))
    &lt;b&gt; \\*x\\* &#36;1
    """
    text = clean(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*_{}\[\]#|~^])", r"\\\1", text).replace("$", "&#36;")
