"""The look of pictures: colours, shapes and the scale of gradients, all as plain data.

Colour-blind readers can distinguish the colours of roles too (Okabe and Ito's palette), and colour
is never the only sign: roles have shapes, and gradients show their sign.

A theme is a dictionary from names to colours. The same names are the classes and custom
properties of an SVG's stylesheet (`stylesheet`), so a picture can change its theme, or a chip
its colour, without a new layout. The only rule that turns a number into a colour is `shade`;
`RULES` contains its constants for JSON, and rules.js is the same rule for a page.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import isfinite, isinf, isnan
from typing import Final, NamedTuple, TypeAlias

Theme: TypeAlias = dict[str, str]


class Shape(NamedTuple):
    """The outline of one kind of card, and of its chip in the legend."""

    shape: str
    style: str
    chip: str
    legend: str | None  # None: the legend need not explain it
    margin: str = "0.06,0.03"
    peripheries: int = 1


ROLES: Final = {
    "input": Shape("note", "filled", "SOLID", "input"),
    "target": Shape("note", "filled", "SOLID", "target"),
    "parameter": Shape("cylinder", "filled", "ROUNDED", "parameter", margin="0.10,0.02"),
    "operation": Shape("box", "filled,rounded", "ROUNDED", "operation"),
    "leaf": Shape("box", "filled", "SOLID", "leaf"),
    "constant": Shape("box", "filled,dashed", "DASHED", "constant"),
    "folded": Shape("box", "filled,rounded", "ROUNDED", "folded", margin="0.10,0.05"),
    "root": Shape("box", "filled,rounded", "ROUNDED", "result", peripheries=2),
    "more": Shape("box", "filled,rounded,dashed", "DASHED", None, margin="0.12,0.08"),
}

# If two colours belong together, "x" is the background and "x-ink" the colour of text on it.
# fmt: off
THEMES: Final[dict[str, Theme]] = {
    "light": {
        "paper": "#FFFFFF", "ink": "#1F2937", "muted": "#6B7280", "symbol": "#475569",
        "box-line": "#CBD5E1", "box": "#F8FAFC",
        "input-line": "#0072B2", "input": "#E3F1FB", "input-ink": "#1F2937",
        "target-line": "#8A6D00", "target": "#FBF3CC", "target-ink": "#1F2937",
        "parameter-line": "#007A5A", "parameter": "#DDF4EA", "parameter-ink": "#1F2937",
        "operation-line": "#475569", "operation": "#FFFFFF", "operation-ink": "#1F2937",
        "leaf-line": "#475569", "leaf": "#FFFFFF", "leaf-ink": "#1F2937",
        "constant-line": "#6B7280", "constant": "#F3F4F6", "constant-ink": "#1F2937",
        "folded-line": "#475569", "folded": "#EEF2F7", "folded-ink": "#1F2937",
        "root-line": "#111827", "root": "#1F2937", "root-ink": "#FFFFFF",
        "more-line": "#6B7280", "more": "#FFFFFF", "more-ink": "#6B7280",
        # the chips of gradients, paler for each power of ten below the largest
        "negative-0": "#F3EDFB", "negative-0-ink": "#111827",
        "negative-1": "#DCCBF3", "negative-1-ink": "#111827",
        "negative-2": "#B79AE3", "negative-2-ink": "#111827",
        "negative-3": "#5B2C91", "negative-3-ink": "#FFFFFF",
        "zero": "#EEF0F3", "zero-ink": "#111827",
        "positive-0": "#FFF3E0", "positive-0-ink": "#111827",
        "positive-1": "#FFDDA8", "positive-1-ink": "#111827",
        "positive-2": "#F5AE4B", "positive-2-ink": "#111827",
        "positive-3": "#A84B00", "positive-3-ink": "#FFFFFF",
        "nan": "#B91C1C", "nan-ink": "#FFFFFF",
        # the strokes of edges
        "negative": "#6A3FA0", "positive": "#C2610C", "idle": "#9CA3AF",
    },
    "dark": {
        "paper": "#0F172A", "ink": "#E5E7EB", "muted": "#94A3B8", "symbol": "#94A3B8",
        "box-line": "#334155", "box": "#131E36",
        "input-line": "#56B4E9", "input": "#10304A", "input-ink": "#E5E7EB",
        "target-line": "#F0E442", "target": "#3A3710", "target-ink": "#E5E7EB",
        "parameter-line": "#3CCB9F", "parameter": "#0E3B30", "parameter-ink": "#E5E7EB",
        "operation-line": "#94A3B8", "operation": "#1B2740", "operation-ink": "#E5E7EB",
        "leaf-line": "#94A3B8", "leaf": "#1B2740", "leaf-ink": "#E5E7EB",
        "constant-line": "#94A3B8", "constant": "#1E293B", "constant-ink": "#E5E7EB",
        "folded-line": "#94A3B8", "folded": "#22304D", "folded-ink": "#E5E7EB",
        "root-line": "#F8FAFC", "root": "#E5E7EB", "root-ink": "#111827",
        "more-line": "#94A3B8", "more": "#0F172A", "more-ink": "#94A3B8",
        "negative-0": "#2A2350", "negative-0-ink": "#E5E7EB",
        "negative-1": "#46347A", "negative-1-ink": "#F8FAFC",
        "negative-2": "#7B5FC7", "negative-2-ink": "#F8FAFC",
        "negative-3": "#CDBBFF", "negative-3-ink": "#111827",
        "zero": "#273449", "zero-ink": "#E5E7EB",
        "positive-0": "#3B2A14", "positive-0-ink": "#E5E7EB",
        "positive-1": "#6B4410", "positive-1-ink": "#F8FAFC",
        "positive-2": "#C77A12", "positive-2-ink": "#111827",
        "positive-3": "#FFC766", "positive-3-ink": "#111827",
        "nan": "#F87171", "nan-ink": "#111827",
        "negative": "#A78BFA", "positive": "#F59E0B", "idle": "#64748B",
    },
}
# fmt: on

THRESHOLDS: Final = (10**-2.5, 10**-1.5, 10**-0.5)  # a step paler for each power of ten
WIDTHS: Final = (1.0, 1.5, 2.0, 2.6)  # of an edge, by the step of its flow
IDLE: Final = 0.8  # the width of an edge along which nothing flows
RULES: Final = {"thresholds": list(THRESHOLDS), "widths": list(WIDTHS), "idle": IDLE}

FAINT: Final = 0.22  # the opacity of pale parts

STEPS: Final = ("negative-3", "negative-2", "negative-1", "negative-0", "zero",
                "positive-0", "positive-1", "positive-2", "positive-3")  # fmt: skip
SHADES: Final = (*STEPS, "nan", "none")


def shade(x: float | None, largest: float) -> str:
    """The name of a number's colour, as a chip or as an edge: its sign and one of four steps.

    The step is how many of the thresholds its share |x| / largest exceeds; they lie a power
    of ten apart. Steps count from the largest of the graph, not from 1, because the reader wants to
    compare contributions. Infinities are always step 3; None is "none": no gradient flows there.

    >>> [shade(x, largest=12.0) for x in (-3.0, 1e-9, 12.0, 0.0, float("nan"), None)]
    ['negative-2', 'positive-0', 'positive-3', 'zero', 'nan', 'none']
    """
    if x is None:
        return "none"
    if isnan(x):
        return "nan"
    if x == 0.0:
        return "zero"
    share = 1.0 if isinf(x) or largest == 0.0 else abs(x) / largest
    step = sum(share > threshold for threshold in THRESHOLDS)
    return f"{'positive' if x > 0 else 'negative'}-{step}"


def stroke(name: str) -> tuple[str, float]:
    """The colour (a name of the theme) and the width of an edge of a shade.

    >>> stroke("positive-3"), stroke("none"), stroke("nan")
    (('positive', 2.6), ('idle', 0.8), ('nan', 1.5))
    """
    if name == "nan":
        return "nan", WIDTHS[1]
    sign, _, step = name.partition("-")
    return (sign, WIDTHS[int(step)]) if step else ("idle", IDLE)


def mixed(ground: str, colour: str, share: float) -> str:
    """A colour mixed into another, as if it were transparent to that degree.

    >>> mixed("#FFFFFF", "#000000", 0.25)
    '#BFBFBF'
    """
    pairs = zip(bytes.fromhex(ground[1:]), bytes.fromhex(colour[1:]))
    return "#" + "".join(f"{round(a + (b - a) * share):02X}" for a, b in pairs)


def largest(numbers: Iterable[float]) -> float:
    """The largest finite magnitude, 0.0 if there is none."""
    return max((abs(x) for x in numbers if isfinite(x)), default=0.0)


# --- the same colours as CSS

PICTURE: Final = "tg-picture"  # the class of every svg element, with which all rules begin


def marks() -> tuple[Theme, dict[str, str]]:
    """A theme in which every name has a colour of its own, and the names of these colours.

    A layout engine copies colours unchanged, so every part that it draws can be identified by its
    colour.
    """
    named = {name: f"#0000{i:02x}" for i, name in enumerate([*THEMES["light"], "slot", "none"], 1)}
    return named, {code: name for name, code in named.items()}


def stylesheet(theme: str) -> str:
    """The CSS of a picture: custom properties for colours, and the rules that use them.

    The theme "auto" follows the reader's system, unless the picture or any element around it
    has the class "tg-light" or "tg-dark", or the attribute data-theme="light" or "dark".
    A chip's or an edge's colour follows from its class, a name that `shade` gives.
    """
    colours = {
        theme: "".join(f"--tg-{name}:{colour};" for name, colour in names.items())
        for theme, names in THEMES.items()
    }
    at = f".{PICTURE} "
    if theme == "auto":
        sheet = [
            f".tg-auto{{{colours['light']}}}",
            f"@media (prefers-color-scheme:dark){{.tg-auto{{{colours['dark']}}}}}",
            *(
                f".tg-{name} .tg-auto,.tg-auto.tg-{name},"
                f'[data-theme="{name}"] .tg-auto,.tg-auto[data-theme="{name}"]{{{own}}}'
                for name, own in colours.items()
            ),
        ]
    else:
        sheet = [f".{PICTURE}.tg-{theme}{{{colours[theme]}}}"]
    sheet.append(f"{at}.pale{{opacity:{FAINT}}}")
    sheet += [
        f"{at}.f-{name}{{fill:var(--tg-{name})}}{at}.s-{name}{{stroke:var(--tg-{name})}}"
        for name in THEMES["light"]
    ]
    for name in SHADES:
        colour, width = stroke(name)
        if name != "none":
            sheet.append(f"{at}.chip.{name}{{fill:var(--tg-{name})}}")
            sheet.append(f"{at}.chip.{name} text{{fill:var(--tg-{name}-ink)}}")
        line = f"stroke:var(--tg-{colour});stroke-width:{width}"
        sheet.append(
            f"{at}.edge.{name}{{{line}}}{at}.edge.{name} .arrow{{fill:var(--tg-{colour})}}"
        )
    for name in ("positive", "negative", "idle"):  # the weights of a network
        sheet.append(f"{at}.edge.{name}{{stroke:var(--tg-{name})}}")
    return "\n".join(sheet)
