"""A file that goes on where another one ended: each step of "Build it yourself" does."""

from __future__ import annotations

import ast
from typing import NamedTuple

__all__ = ["continued"]


DOCSTRING = "a docstring"


class Piece(NamedTuple):
    """A statement with its lines, and the comments and blank lines above it."""

    name: str
    lines: list[str]
    node: ast.stmt


def continued(before: str, part: str) -> str:
    """The code of one step, continued by the next one.

    A definition takes the place of an earlier one of the same name; of a class, only the methods
    that are written anew do. Imports go to the top, everything else to the end.

    Args:
        before: the code so far.
        part: the code to be added.

    Raises:
        SyntaxError: if one of the two is not Python.

    >>> print(continued("def f(x):\\n    return x\\n\\n\\ndef g(x):\\n    return 3\\n",
    ...                 "def f(x):\\n    return -x\\n"))
    def f(x):
        return -x
    <BLANKLINE>
    <BLANKLINE>
    def g(x):
        return 3
    <BLANKLINE>
    """
    old, new = (_pieces(code.split("\n"), ast.parse(code).body, 0) for code in (before, part))
    return "\n".join(line for piece in _joined(old, new) for line in piece.lines).strip() + "\n"


def _pieces(lines: list[str], body: list[ast.stmt], start: int) -> list[Piece]:
    """The statements of a module or class, each with its lines; the first line is number 0."""
    pieces: list[Piece] = []
    for node in body:
        end = node.end_lineno or node.lineno
        if end > start:
            pieces.append(Piece(_name(node), lines[start:end], node))
            start = end
        else:  # several statements on one line are one piece, and stay together
            pieces[-1] = pieces[-1]._replace(name="")
    return pieces


def _name(node: ast.stmt) -> str:
    """The name that a statement defines; docstrings and imports have names, too."""
    if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
        return node.name
    if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
        return node.targets[0].id
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return DOCSTRING
    return ast.unparse(node) if isinstance(node, (ast.Import, ast.ImportFrom)) else ""


def _joined(old: list[Piece], new: list[Piece]) -> list[Piece]:
    """The old pieces with the new ones: at the place of their names, or behind the piece before."""
    joined, place = list(old), len(old)
    for piece in new:
        known = [i for i, each in enumerate(joined) if each.name == piece.name != ""]
        if known:
            joined[known[-1]] = _merged(joined[known[-1]], piece)
            place = len(joined) if _is_above(piece) else known[-1] + 1
        elif _is_above(piece):
            joined.insert(sum(map(_is_above, joined)) if piece.name != DOCSTRING else 0, piece)
            place = len(joined)
        else:
            joined.insert(place, piece)
            place += 1
    return joined


def _is_above(piece: Piece) -> bool:
    """Whether it belongs above all else: the docstring and the imports."""
    return piece.name == DOCSTRING or isinstance(piece.node, (ast.Import, ast.ImportFrom))


def _merged(old: Piece, new: Piece) -> Piece:
    """The new statement at the place of the old one; classes are merged method by method."""
    if not (isinstance(old.node, ast.ClassDef) and isinstance(new.node, ast.ClassDef)):
        return new
    if old.node.body[0].lineno == old.node.lineno:  # class Value: ...
        return new
    (head, before), (_, after) = _opened(old, old.node), _opened(new, new.node)
    methods = _joined(before, after)
    return old._replace(lines=[*head, *(line for piece in methods for line in piece.lines)])


def _opened(piece: Piece, node: ast.ClassDef) -> tuple[list[str], list[Piece]]:
    """The lines of a class above its body, and the pieces of its body."""
    above = (node.end_lineno or node.lineno) - len(piece.lines)  # lines of the file, to the piece
    lines = [""] * above + piece.lines
    return piece.lines[: node.lineno - above], _pieces(lines, node.body, node.lineno)
