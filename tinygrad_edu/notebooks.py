"""Display in notebooks: whether HTML is wanted, and tables.

Jupyter, VS Code and marimo call an object's ``_repr_mimebundle_`` and choose one of the formats
that it returns: "text/html" if they can show it, otherwise "text/plain".
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterable, Sequence
from html import escape


def wants_html(
    include: Collection[str] | None = None, exclude: Collection[str] | None = None
) -> bool:
    """Whether HTML would be shown. IPython in a terminal asks for HTML but shows only plain text,
    so rendering a picture for it would be wasted work.

    Args:
        include, exclude: the formats that the caller wants, or does not want.

    >>> wants_html(include=["text/plain"])
    False
    """
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    if shell is not None and "text/html" not in shell.display_formatter.active_types:
        return False
    return (not include or "text/html" in include) and "text/html" not in (exclude or ())


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """An HTML table of escaped strings.

    >>> table(["name"], [["<b>"]])
    '<table><tr><th>name</th></tr><tr><td>&lt;b&gt;</td></tr></table>'
    """
    lines = ["".join(f"<th>{escape(head)}</th>" for head in heads)]
    lines += ["".join(f"<td>{escape(cell)}</td>" for cell in row) for row in rows]
    return f"<table>{''.join(f'<tr>{line}</tr>' for line in lines)}</table>"


def ends(rows: Sequence[Sequence[str]], most: int = 10) -> list[Sequence[str]]:
    """The rows, or if there are more than ``most``, the first and the last ones.

    >>> ends([["1"], ["2"], ["3"], ["4"]], most=2)
    [['1'], ['⋮'], ['4']]
    """
    if len(rows) <= most:
        return list(rows)
    half = most // 2
    return [*rows[:half], ["⋮"] * len(rows[0]), *rows[-half:]]
