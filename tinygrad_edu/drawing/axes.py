"""Axes in the style of this package: its colours, its numbers, and their SVG.

This module contains everything about matplotlib that is not specific to a plot, for `plots`.
matplotlib is imported late, and of its global state only settings change, while an SVG is written.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from html import escape
from itertools import cycle as repeated
from math import inf, isfinite
from typing import TYPE_CHECKING, Any, Final

from ..core.table import number
from ..errors import BadArgument, MissingExtra, check_name
from ..strings import as_superscript, clean
from .themes import THEMES, Theme

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Point = tuple[float, float]

FONT: Final = "DejaVu Sans"  # part of matplotlib, so every machine has it
_METADATA: Final = ("Creator", "Date", "Format", "Type")  # which would include the version


def svg(ax: Axes) -> str:
    """The figure of the Axes as an ``<svg>`` element, ready to insert into a page.

    The same plot gives the same string in every process with the same matplotlib.

    >>> from tinygrad_edu.drawing import plots
    >>> svg(plots.operation("tanh"))[:4]
    '<svg'
    """
    from io import StringIO

    from matplotlib import rc_context

    out = StringIO()
    with rc_context({"svg.hashsalt": "tinygrad_edu", "svg.fonttype": "path"}):
        figure: Any = ax.figure.figure  # the whole figure, if it is in a subfigure
        figure.savefig(out, format="svg", metadata=dict.fromkeys(_METADATA))
    # Its style sheet would apply to the whole page; as attributes of the element, it is inherited.
    before, _, rest = out.getvalue().partition("<defs>\n  <style")
    text = before + rest.partition("</style>\n </defs>\n")[2]
    label = escape(
        ", ".join(filter(None, [ax.get_title("left"), ax.get_ylabel(), ax.get_xlabel()]))
    )
    own = f' role="img" aria-label="{label}" stroke-linejoin="round" stroke-linecap="butt"'
    return f'<svg{own} style="max-width:100%;height:auto"{text[text.index("<svg") + 4 :]}'


@cache
def _shown() -> type[Axes]:
    """Axes that a notebook displays; matplotlib's own display only through its global state."""
    from matplotlib.axes import Axes

    class Plot(Axes):
        def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
            return {"text/plain": repr(self), "image/svg+xml": svg(self)}

    return Plot


def begin(ax: Axes | None, theme: str, title: str | None) -> tuple[Axes, Theme]:
    """Axes to draw on, with the colours of the theme."""
    check_name("theme", theme, THEMES)
    look = THEMES[theme]
    try:
        from matplotlib.figure import Figure
        from matplotlib.ticker import FuncFormatter
    except ImportError as error:
        raise MissingExtra(
            "Plots need matplotlib, which is not installed. "
            "Install it with: pip install 'tinygrad-edu[plots]'"
        ) from error
    if ax is None:
        figure = Figure(figsize=(6.4, 4.0), dpi=110, layout="constrained")
        ax = figure.add_subplot(axes_class=_shown())
    elif not hasattr(ax, "set_facecolor"):
        raise BadArgument(f"ax must be matplotlib Axes to draw on. Received: {ax!r}.")
    ax.figure.set_facecolor(look["paper"])  # the background of the labels
    ax.set_facecolor(look["paper"])
    ax.spines[["top", "right"]].set_visible(False)
    ax.spines[["left", "bottom"]].set_color(look["box-line"])
    ax.tick_params(which="both", color=look["box-line"], labelcolor=look["muted"], labelsize=9,
                   labelfontfamily=FONT)  # fmt: skip
    ax.grid(True, color=look["box-line"], linewidth=0.6, alpha=0.6)
    ax.set_axisbelow(True)
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_formatter(FuncFormatter(lambda x, _: written(x, 12)))
        axis.label.set(color=look["ink"], fontfamily=FONT, fontsize=10)
    if title is not None:
        ax.set_title(literal(str(title)), color=look["ink"], fontfamily=FONT, fontsize=11,
                     fontweight="bold", loc="left")  # fmt: skip
    return ax, look


def legend(ax: Axes, look: Theme, title: str | None = None) -> None:
    made = ax.legend(
        title=title, title_fontproperties={"family": FONT, "size": 9},
        prop={"family": FONT, "size": 9}, labelcolor=look["ink"],
        frameon=True, facecolor=look["paper"], edgecolor="none", framealpha=0.8,
    )  # fmt: skip
    made.get_title().set_color(look["muted"])
    made.set_zorder(5)


def say(ax: Axes, look: Theme, text: str, place: Point, beside: Point, side: str) -> None:
    """A label beside a point, legible on lines too."""
    from matplotlib.patheffects import withStroke

    halo = withStroke(linewidth=2.5, foreground=look["paper"])
    ax.annotate(
        text, place, beside, textcoords="offset points", ha=side, color=look["ink"], fontsize=8.5,
        fontfamily=FONT, zorder=5, path_effects=[halo],
    )  # fmt: skip


def cycle(look: Theme) -> Iterator[str]:
    """Colours that colour-blind readers can distinguish, repeated endlessly."""
    names = "input-line", "positive", "parameter-line", "negative", "target-line", "symbol"
    return repeated(look[name] for name in names)


def literal(text: str) -> str:
    """A string that matplotlib does not parse as mathematics."""
    return clean(text).replace("$", r"\$")


def written(x: float, digits: int = 6) -> str:
    """A number for people: with separate thousands, and powers of ten instead of many zeros.

    >>> written(60000.0), written(-0.5), written(2.5e9), written(1e-7)
    ('60\\u202f000', '−0.5', '2.5·10⁹', '10⁻⁷')
    """
    if x == 0.0 or not isfinite(x):
        return "0" if x == 0.0 else str(x)
    front, exponent = f"{x:.{digits - 1}e}".split("e")
    power = int(exponent)
    if -4 <= power < 7:
        places = max(0, min(digits, 15) - 1 - power)
        text = f"{float(f'{x:.{digits}g}'):,.{places}f}"
        text = text.rstrip("0").rstrip(".") if "." in text else text
        return text.replace(",", "\u202f").replace("-", "−")
    front = (front.rstrip("0").rstrip(".") if "." in front else front).replace("-", "−")
    raised = as_superscript(power)
    return f"10{raised}" if front == "1" else f"{front}·10{raised}"


# ── Intervals ─────────────────────────────────────────────────────────────────────────────────


def extent(numbers: Iterable[float]) -> Point:
    """The least and the largest of finite numbers.

    Raises:
        BadArgument: if they lie too far apart for matplotlib, which computes beyond them.
    """
    shown = [x for x in numbers if isfinite(x)] or [0.0]
    low, high = min(shown), max(shown)
    if high - low > 1e300:
        raise BadArgument(
            f"A plot shows numbers at most 1e300 apart. Received: {low:g} to {high:g}."
        )
    return low, high


def span(numbers: Sequence[float], room: float) -> Point:
    """The interval of the numbers, with a margin at both ends."""
    low, high = extent(numbers)
    size = max(abs(low), abs(high), 1e-300)
    if high - low < 1e-9 * size:  # a single point
        return low - 0.5 * size if low or high else -1.0, high + 0.5 * size if low or high else 1.0
    return low - room * (high - low), high + room * (high - low)


def window(limits: Any, points: Sequence[Point], room: float) -> tuple[Point, Point]:
    """The limits of both axes; about the points if there are none."""
    if limits is None:
        return span([x for x, _ in points], room), span([y for _, y in points], room)
    try:
        across, up = limits
    except (TypeError, ValueError):
        across = up = None
    return interval("limits, across and up,", across), interval("limits, across and up,", up)


def interval(what: str, limits: Any) -> Point:
    try:
        low, high = (number(x) for x in limits)
    except (TypeError, ValueError):
        low, high = inf, -inf
    if not (low < high and isfinite(low) and isfinite(high)):
        raise BadArgument(f"{what} must be two numbers, the smaller first. Received: {limits!r}.")
    return low, high


def steps(low: float, high: float, n: int) -> list[float]:
    """n evenly spaced numbers from low to high."""
    return [low + (high - low) * i / (n - 1) for i in range(n - 1)] + [high]
