"""The blocks of an explanation, and their output as plain text, LaTeX and Markdown.

There are three kinds of blocks: sentences, formulas, tables. Sentences and cells are made of
strings, which are escaped in every output, and of mathematics.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple, TypeAlias

from ..strings import columns, cut, legible
from .notation import Math, in_markdown, in_tex

WIDTH: Final = 80  # columns of a terminal
TEX_WIDTH: Final = 110  # characters of TeX in one line of a formula
Piece: TypeAlias = "str | Math"


class Title(NamedTuple):
    """A heading."""

    pieces: tuple[Piece, ...]


class Prose(NamedTuple):
    """A paragraph."""

    pieces: tuple[Piece, ...]


class Formula(NamedTuple):
    """Equations below each other, aligned: a left side and what it equals, step by step.

    If ``dense``, every equation that fits has one line.
    """

    lines: tuple[tuple[Math, ...], ...]
    dense: bool = False


class Table(NamedTuple):
    """Rows below a head; ``align`` has an "l" or "r" per column, ``feet`` are rows below a rule."""

    align: str
    head: tuple[Piece, ...]
    rows: tuple[tuple[Piece, ...], ...]
    feet: tuple[tuple[Piece, ...], ...] = ()


Block: TypeAlias = "Title | Prose | Formula | Table"


class Explanation:
    """An explanation, with several outputs of the same content.

    ``print(e)`` writes it for a terminal of 80 columns, ``e.latex()`` for a document, and
    ``e.data()`` returns plain data with numbers in full. Notebooks typeset the formulas.

    >>> from tinygrad_edu import Value, explain
    >>> w = Value(3.0, name="w")
    >>> e = explain(w * w, w)
    >>> e.data()["adjoint"]
    6.0
    """

    def __init__(self, blocks: Sequence[Block], data: dict[str, Any]) -> None:
        self._blocks = tuple(blocks)
        self._data = data

    def data(self) -> dict[str, Any]:
        """The content as dicts and lists of numbers and strings, which JSON can store.

        Its "kind" is "gradient", with "adjoint", the number of "paths", their "sum", and
        "groups" of them with their formulas and biggest paths; or "value", with "lines"; or
        "update", with the numbers in their order and "formulas"; or "comparison", with
        "nudges" and "kinks". The origins of nan and inf are "births". Nodes have the ids of
        `tg.snapshot`.
        """
        return self._data

    def latex(self) -> str:
        """The content as LaTeX, for a document that uses the package amsmath.

        Names with letters that pdfTeX does not support need LuaLaTeX or XeLaTeX.
        """
        return "\n\n".join(_LATEX[type(block)](block) for block in self._blocks) + "\n"

    def markdown(self) -> str:
        """The content as Markdown with formulas between dollars, as notebooks and MyST read it."""
        return "\n\n".join(_MARKDOWN[type(block)](block) for block in self._blocks) + "\n"

    def __str__(self) -> str:
        return legible("\n\n".join(_TEXT[type(block)](block) for block in self._blocks))

    __repr__ = __str__

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        """For notebooks: Markdown, whose formulas MathJax or KaTeX typesets.

        "text/latex" is left out: notebooks that prefer it would omit titles and tables.
        """
        return {"text/markdown": self.markdown(), "text/plain": str(self)}


# ── A terminal ────────────────────────────────────────────────────────────────────────────


def _plainly(pieces: Sequence[Piece]) -> str:
    return "".join(piece if isinstance(piece, str) else piece.text for piece in pieces)


def _text_of_title(title: Title) -> str:
    text = cut(_plainly(title.pieces), WIDTH)
    return f"{text}\n{'─' * columns(text)}"


def _text_of_prose(prose: Prose) -> str:
    lines = [""]
    for word in _plainly(prose.pieces).split():
        longer = f"{lines[-1]} {word}".lstrip()
        if columns(longer) <= WIDTH:
            lines[-1] = longer
        else:
            lines.append(cut(word, WIDTH))
    return "\n".join(filter(None, lines))


def _equation(sides: Sequence[Math], dense: bool) -> str:
    """An equation: in one line if it is short, else a line for each step."""
    left, *rest = [side.text for side in sides]
    whole = "  " + " = ".join([left, *rest])
    if columns(whole) <= WIDTH and (dense or len(rest) <= 2):
        return whole
    indent = " " * (2 + columns(left)) if columns(left) < WIDTH // 3 else " " * 6
    lines = []
    for i, side in enumerate(rest):
        lead = f"  {left}" if i == 0 else indent
        lines += _folded(f"{lead} = {side}", indent + "     ")
    return "\n".join(lines)


def _folded(line: str, indent: str) -> list[str]:
    """A long formula in several lines, broken where a term ends."""
    if columns(line) <= WIDTH:
        return [line]
    lines, now = [], ""
    for part in re.split(r"(?<=\S)(?= [+−·] )", line):
        if now and columns(now + part) > WIDTH:
            lines.append(now)
            now = indent + part.lstrip()
        else:
            now += part
    return [cut(each, WIDTH) for each in [*lines, now]]


def _text_of_table(table: Table) -> str:
    grid = [[_plainly([cell]) for cell in row] for row in (table.head, *table.rows, *table.feet)]
    widths = [max(columns(row[i]) for row in grid) for i in range(len(table.align))]
    while sum(widths) + 2 * len(widths) > WIDTH:
        # the widest strings are shortened first, then numbers
        order = [(side == "l" and w > 12, w) for side, w in zip(table.align, widths)]
        widths[order.index(max(order))] -= 1
    lines = [
        "  " + "  ".join(_padded(cell, w, a) for cell, w, a in zip(row, widths, table.align))
        for row in grid
    ]
    rule = "  " + "─" * (sum(widths) + 2 * len(widths) - 2)
    lines.insert(1, rule)
    if table.feet:
        lines.insert(len(lines) - len(table.feet), rule)
    return "\n".join(line.rstrip() for line in lines)


def _padded(cell: str, width: int, align: str) -> str:
    cell = cut(cell, width)
    blanks = " " * (width - columns(cell))
    return blanks + cell if align == "r" else cell + blanks


# ── LaTeX ─────────────────────────────────────────────────────────────────────────────────


def _between_dollars(pieces: Sequence[Piece], escape: Callable[[str], str]) -> str:
    return "".join(escape(p) if isinstance(p, str) else f"${p.tex}$" for p in pieces)


def _aligned(formula: Formula) -> str:
    lines = []
    for left, *rest in formula.lines:
        for i, side in enumerate(rest or [Math("", "")]):
            first, *others = _broken(side.tex)
            sign = "= " if rest else ""
            lines.append(f"{left.tex if i == 0 else ''} &{sign}{first}")
            lines += [rf" &\quad {other}" for other in others]
    return " \\\\\n".join(lines)


def _broken(tex: str) -> list[str]:
    """A long formula in several lines, broken between terms outside brackets."""
    lines, now, depth = [], "", 0
    for token in re.split(r"(\\left|\\right|\\[{}]|[{}]| (?:[+-]|\\cdot) )", tex):
        if depth == 0 and token in (" + ", " - ", r" \cdot ") and len(now) > TEX_WIDTH:
            lines.append(now)
            now = token.lstrip()
            continue
        depth += token in ("{", r"\left")
        depth -= token in ("}", r"\right")
        now += token
    return [*lines, now]


def _array(table: Table) -> str:
    def row(cells: Sequence[Piece]) -> str:
        written = [
            rf"\text{{{in_tex(cell)}}}" if isinstance(cell, str) else cell.tex for cell in cells
        ]
        return " & ".join(written) + r" \\"

    feet = [r"\hline", *map(row, table.feet)] if table.feet else []
    lines = [row(table.head), r"\hline", *map(row, table.rows), *feet]
    return "\n".join([rf"\begin{{array}}{{{table.align}}}", *lines, r"\end{array}"])


# ── Markdown ──────────────────────────────────────────────────────────────────────────────


def _markdown_of_table(table: Table) -> str:
    def row(cells: Sequence[Piece]) -> str:
        safe = (
            in_markdown(cell) if isinstance(cell, str) else f"${cell.tex.replace('|', bar)}$"
            for cell in cells
        )
        return f"| {' | '.join(safe)} |"

    sides, bar = {"l": ":---", "r": "---:"}, r"\vert "
    rule = "| " + " | ".join(sides[side] for side in table.align) + " |"
    return "\n".join([row(table.head), rule, *map(row, table.rows), *map(row, table.feet)])


_TEXT: Final[dict[type, Callable[[Any], str]]] = {
    Title: _text_of_title,
    Prose: _text_of_prose,
    Formula: lambda formula: "\n".join(_equation(line, formula.dense) for line in formula.lines),
    Table: _text_of_table,
}
_LATEX: Final[dict[type, Callable[[Any], str]]] = {
    Title: lambda title: rf"\subsubsection*{{{_between_dollars(title.pieces, in_tex)}}}",
    Prose: lambda prose: _between_dollars(prose.pieces, in_tex),
    Formula: lambda formula: f"\\begin{{align*}}\n{_aligned(formula)}\n\\end{{align*}}",
    Table: lambda table: f"\\begin{{equation*}}\n{_array(table)}\n\\end{{equation*}}",
}
_MARKDOWN: Final[dict[type, Callable[[Any], str]]] = {
    Title: lambda title: f"**{_between_dollars(title.pieces, in_markdown)}**",
    Prose: lambda prose: _between_dollars(prose.pieces, in_markdown),
    Formula: lambda formula: f"$$\n\\begin{{aligned}}\n{_aligned(formula)}\n\\end{{aligned}}\n$$",
    Table: _markdown_of_table,
}
