"""The picture of docs/compiling.md: 65,000 scalars, and the three lines that they are.

Every number is drawn as a cell, from the axes of the tensors that were found.
"""

from __future__ import annotations

import math

import tinygrad_edu as tg
from tinygrad_edu.compiler.lifting import GIVEN, Group
from tinygrad_edu.compiler.tensors import Tensors

CELL, ROW, GAP = 4.0, 1.4, 44.0
COLOURS = {
    "paper": ("#ffffff", "#111827"), "ink": ("#1f2937", "#e5e7eb"), "muted": ("#6b7280", "#9ca3af"),
    "numbers": ("#475569", "#94a3b8"), "data": ("#0072b2", "#56b4e9"),
    "weights": ("#007a5a", "#34d399"),
}  # fmt: skip


def network(theta, sample):
    """2-16-16-1, number by number."""
    rest, x = iter(theta), sample
    for width in (16, 16, 1):
        outputs = []
        for _ in range(width):
            z = next(rest) * x[0]
            for number in x[1:]:
                z = z + next(rest) * number
            outputs.append(tg.tanh(z + next(rest)))
        x = outputs
    return x[0]


def found() -> Tensors:
    theta = [tg.Value(math.sin(i)) for i in range(337)]
    samples = [[math.sin(i), math.cos(3.0 * i)] for i in range(100)]
    outputs = [network(theta, sample) for sample in samples]
    return tg.compile(outputs, inputs=[], parameters=theta).tensors()


def box(x: float, y: float, rows: int, columns: int, kind: str) -> str:
    """A matrix, one cell per number."""
    width, height = CELL * columns, max(ROW * rows, 2.0)
    return (
        f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" class="{kind}"/>'
        f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" fill="url(#cells)"/>'
    )


def text(x: float, y: float, words: str, kind: str = "", anchor: str = "start") -> str:
    return f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}" class="{kind}">{words}</text>'


def line(dot: Group, formula: str, y: float) -> list[str]:
    """One line: its result, its two factors and its bias, beside the formula."""
    a, b = dot.args
    rows, columns, k = b.shape[1], a.shape[1], b.shape[2]
    middle = y + ROW * rows / 2
    factor, weights = 176.0, 176.0 + CELL * k + 40.0
    parts = [
        box(104.0 - CELL * columns, y, rows, columns, "numbers"),
        text(140, middle + 5, "= tanh", anchor="middle"),
        box(factor, y, rows, k, "data" if b.array < GIVEN else "numbers"),
        text(weights - 20, middle + 5, "@", anchor="middle"),
        box(weights, middle - ROW * k / 2, k, columns, "weights"),
    ]
    if " + " in formula:
        bias = weights + CELL * columns + 32
        parts += [text(bias - 16, middle + 5, "+", anchor="middle"),
                  box(bias, middle - 1, 1, columns, "weights")]  # fmt: skip
    return [
        *parts,
        text(480, middle - 4, formula, "formula"),
        text(480, middle + 18, f"{rows * columns:,} neurons with {k} numbers each", "muted"),
    ]


def picture() -> str:
    """The picture as SVG."""
    tensors = found()
    dots = [group for group in tensors.lifted.groups if group.kind == "dot"]
    formulas = str(tensors).splitlines()[2 : 2 + len(dots)]
    parts, y = [], 64.0
    for dot, formula in zip(dots, formulas):
        parts += line(dot, formula.split("    ")[0], y)
        y += ROW * dot.args[1].shape[1] + GAP
    count = f"{len(tensors.lifted.code.ops):,} scalars are these three lines"
    themes = [
        "".join(f".{name}{{fill:{pair[i]}}}" for name, pair in COLOURS.items()) for i in (0, 1)
    ]
    style = (
        f"text{{font:14px Helvetica,Arial,sans-serif;fill:{COLOURS['ink'][0]}}}"
        f"text.formula{{font:15px monospace}}"
        f"text.title{{font-size:18px;font-weight:bold}}{themes[0]}"
        f"@media(prefers-color-scheme:dark){{text{{fill:{COLOURS['ink'][1]}}}{themes[1]}}}"
        f"text.muted{{font-size:13px}}"
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 760 {y:g}" width="760" role="img" '
        f'aria-label="{count}"><style>{style}</style>'
        f'<pattern id="cells" width="{CELL:g}" height="{ROW:g}" patternUnits="userSpaceOnUse">'
        f'<path d="M0 0H{CELL:g}M0 0V{ROW:g}" class="cell" stroke="#ffffff" stroke-width="0.5" '
        f'stroke-opacity="0.6"/></pattern>'
        f'<rect width="760" height="{y:g}" class="paper"/>'
        f"{text(40, 36, count, 'title')}{''.join(parts)}</svg>\n"
    )
