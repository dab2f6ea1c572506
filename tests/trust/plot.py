"""The errors of every row, drawn as points: docs/accuracy.svg."""

from __future__ import annotations

import math
from typing import Any

from .peers import PEERS

LIBRARIES = {
    # label, colour (Okabe and Ito's), and the sign: colour is not the only one
    "tinygrad_edu": ("tinygrad_edu", "#0072B2", "circle"),
    "torch": (PEERS["torch"], "#D55E00", "triangle"),
    "jax": (PEERS["jax"], "#007A5A", "square"),
}
TITLES = ("value", "f′", "f″", "f‴")
LEFT, TOP, PANEL, GAP, LINE, FOOT = 116, 84, 176, 44, 15, 48
LEAST, MOST = 0.1, 1e16  # errors beyond are drawn at the edge
STYLE = """\
text { font: 11px system-ui, sans-serif; fill: #1F2937 } .title { font-size: 13px }
.small { fill: #6B7280 } .band { fill: #F6F7F9 }
.frame { fill: none; stroke: #9CA3AF } .grid { stroke: #D1D5DB } .one { stroke: #6B7280 }
.mark { fill-opacity: 0.85 }"""


def x_of(error: float) -> float:
    """Where an error stands in its panel: 0 to PANEL, logarithmic."""
    at = math.log10(min(max(error, LEAST), MOST) / LEAST) / math.log10(MOST / LEAST)
    return PANEL * at


def drawn(reports: list[Any]) -> str:
    """The whole picture as SVG. A panel for each derivative, a line for each row."""
    width = LEFT + 4 * PANEL + 4 * GAP
    bottom = TOP + LINE * len(reports)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {bottom + FOOT}" role="img">'
        "<title>Errors of every row in units in the last place</title>"
        f"<style>{STYLE}</style>"
        f'<rect width="{width}" height="{bottom + FOOT}" fill="#FFFFFF"/>',
        text(16, 24, "The error that 99 % of the results stay below, in ulp", "title"),
    ]
    for i, (label, colour, shape) in enumerate(LIBRARIES.values()):
        parts += [mark(LEFT + 130 * i, 44, colour, shape), text(LEFT + 130 * i + 10, 48, label)]
    for i in range(0, len(reports), 2):
        parts.append(f'<rect class="band" y="{TOP + LINE * i}" width="{width}" height="{LINE}"/>')
    for order, title in enumerate(TITLES):
        left = LEFT + order * (PANEL + GAP)
        parts += [
            text(left, TOP - 12, title, "title"),
            f'<rect class="frame" x="{left - 8}" y="{TOP}" width="{PANEL + 16}" '
            f'height="{bottom - TOP}"/>',
        ]
        for power in (0, 4, 8, 12, 16):
            at = left + x_of(10.0**power)
            kind = "grid" if power else "one"
            parts += [
                f'<path class="{kind}" d="M{at:.1f} {TOP}V{bottom}"/>',
                text(at, bottom + 16, f"1e{power}" if power else "1", "small", "middle"),
            ]
    for i, report in enumerate(reports):
        y = TOP + LINE * (i + 0.5)
        parts.append(text(LEFT - 12, y + 4, report.name, anchor="end"))
        for library in reversed(LIBRARIES):  # ours is drawn last, on top
            _, colour, shape = LIBRARIES[library]
            for order, error in enumerate(report.errors.get(library, [])):
                if error is not None:
                    x = LEFT + order * (PANEL + GAP) + x_of(error.most)
                    parts.append(mark(x, y, colour, shape))
    parts.append(
        text(LEFT, bottom + 38, "At the right edge: 1e16 and more, infinite, or nan", "small")
    )
    return "\n".join([*parts, "</svg>\n"])


def text(x: float, y: float, words: str, kind: str = "", anchor: str = "start") -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{words}</text>'


def mark(x: float, y: float, colour: str, shape: str) -> str:
    if shape == "circle":
        return f'<circle class="mark" cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{colour}"/>'
    path = "m-4 4h8l-4 -8z" if shape == "triangle" else "m-3.5 -3.5h7v7h-7z"
    return f'<path class="mark" d="M{x:.1f} {y:.1f}{path}" fill="{colour}"/>'
