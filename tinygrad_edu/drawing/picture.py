"""`draw` and its result: a `Drawing`, which is rendered on demand."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from ..errors import (
    BadArgument,
    DrawingError,
    FileError,
    GraphError,
    check_name,
    check_whole,
    unknown_name,
)
from ..files import write_whole
from ..snapshots import Graph, ids, snapshot
from ..strings import plural
from .dot import SHOWN
from .folding import check_unfold
from .folding import view as view_of
from .labels import Digits, fit
from .layout import Stage
from .layout_engines import render
from .text import tree
from .themes import THEMES
from .tikz import tikz

CARDS: Final = 80  # as many as a reader can still follow
THEMED: Final = (*THEMES, "auto")
DIRECTIONS: Final = ("LR", "TB")
_WIDEST: Final = "40,40"  # inches; an uncapped PNG of 5,000 nodes takes 10 GB


def draw(
    x: Any,
    *,
    view: str = "graph",
    title: str | None = None,
    theme: str = "light",
    limit: int = CARDS,
    depth: int | None = None,
    unfold: str | Sequence[str] = (),
    highlight: Any = (),
    show: str | Sequence[str] = SHOWN,
    digits: Digits = 4,
    direction: str = "LR",
    legend: bool = True,
) -> Drawing:
    """A picture of a Value and of the graph from which it was computed; or of a model's neurons.

    Each node is a card with its value and its gradient, and each edge shows its local derivative,
    so that you can follow the chain rule by hand. The numbers come from `snapshot`: you need no
    ``backward()``, and no ``.grad`` changes. Chains of + are drawn as one Σ, and long chains of
    other operations in several rows. The darkest colours belong to the largest gradients of what
    training changes: those of inputs and targets have no colour.

    Args:
        x: a Value, or the Graph that ``tg.snapshot`` made of one. For a network: a model that is a
            stack of dense layers (a Sequential, an MLP, a Layer, a Neuron).
        view: "graph"; or "network", which draws the neurons of a model as circles and its weights
            as lines, whose width and colour show their size and sign. It only uses the options
            title, theme, digits, direction and legend.
        title: a line above the picture.
        theme: "light", "dark", or "auto", an SVG that follows the reader's system.
        limit: the largest number of cards. In a larger graph every scope becomes one card,
            innermost first, until all fit; without scopes the part nearest ``x`` is drawn. The
            picture says what was folded and what was left out.
        depth: draw only nodes at most this many edges away from ``x``.
        unfold: names of scopes that stay open whatever the limit, or patterns of such names
            ("sample *"), each of which is that of some scope; "Σ" leaves chains of + as they
            were typed.
        highlight: a Value, a node's name, or several of these: their paths to ``x`` are emphasised,
            and everything else is pale.
        show: any of "data", "grad" and "local" (values, gradients, local derivatives). Lines have
            the colour and width of their gradient only if "grad" is shown.
        digits: the number of significant digits, or a format such as ".2f". The tooltips of an SVG
            show all digits.
        direction: the side of the result: "LR" is right, "TB" is bottom.
        legend: whether a legend above the picture explains its colours.

    Raises:
        GraphError: if ``x`` is neither.
        StaleGraph: if a leaf was changed after something was computed from it.
        BadArgument: for an invalid option.
        NameUnknown: for an unknown theme, direction, scope or name.

    >>> from tinygrad_edu import Value
    >>> w = Value(3.0, name="w", role="parameter")
    >>> picture = draw((w * 2.0 - 1.0) ** 2, title="one weight")
    >>> picture
    <Drawing of 6 nodes: .svg(), .png(), .save("graph.svg"), .text()>
    >>> picture.svg()[:4]
    '<svg'
    """
    check_name("view", view, ("graph", "network"))
    check_name("theme", theme, THEMED)
    check_name("direction", direction, DIRECTIONS)
    limit = check_whole("limit", limit)
    depth = None if depth is None else check_whole("depth", depth, 0)
    if title is not None and not isinstance(title, str):
        raise BadArgument(f"A title must be a string. Received: {title!r}.")
    style: dict[str, Any] = {
        "title": title, "theme": theme, "digits": fit(digits), "direction": direction,
        "legend": bool(legend),
    }  # fmt: skip
    if view == "network":
        from .network import Network, dense  # which imports this module

        return Network(dense(x), **style)
    shown = _strings("show", show)
    for part in shown:
        check_name("part of a card", part, SHOWN)
    graph, opened = graph_of(x), _strings("unfold", unfold)
    check_unfold(graph, opened)
    return Drawing(
        graph,
        {"limit": limit, "depth": depth, "unfold": opened},
        _ids(x, graph, highlight),
        {**style, "show": frozenset(shown)},
    )


def _ids(x: Any, graph: Graph, wanted: Any) -> list[int]:
    """The nodes of a graph for Values or names."""
    wanted = wanted if isinstance(wanted, (list, tuple)) else [wanted]
    by_value = {} if isinstance(x, Graph) else ids(x)
    chosen: list[int] = []
    for one in wanted:
        if isinstance(one, str):
            named = [node.id for node in graph.nodes if node.name == one]
            if not named:
                names = {node.name for node in graph.nodes if node.name}
                raise unknown_name("name of a node", one, names)
            chosen += named
        elif hasattr(one, "_serial") and one in by_value:
            chosen.append(by_value[one])
        else:
            raise GraphError(
                f"highlight needs Values from which the drawn one was computed, or their names; "
                f"for a snapshot, names. Received: {one!r}."
            )
    return chosen


def _strings(option: str, given: Any) -> tuple[str, ...]:
    """One string, or several."""
    several = tuple(given) if isinstance(given, Iterable) else (given,)
    strings = (given,) if isinstance(given, str) else several
    if not all(isinstance(one, str) for one in strings):
        raise BadArgument(f"{option} must be a string, or a list of strings. Received: {given!r}.")
    return strings


def graph_of(x: Any) -> Graph:
    """The snapshot to draw.

    Raises:
        GraphError: if ``x`` is neither a Value nor a Graph.
    """
    if isinstance(x, Graph):
        return x
    if not hasattr(x, "_serial"):
        raise GraphError(
            f"Only a Value, or the Graph that tg.snapshot made of one, can be drawn. "
            f"Received: {x!r} (of type {type(x).__name__}). Draw what your model returns, for "
            f"instance its loss: tg.draw(loss)."
        )
    return snapshot(x)


def sized(source: str) -> str:
    """DOT source whose PNG is never larger than an engine can draw."""
    return source.replace("\tgraph [", f'\tgraph [size="{_WIDEST}" ', 1)


class Drawing:
    """A picture of a graph, which is laid out only when it is rendered.

    Attributes:
        graph: the snapshot it shows; later changes of the Values don't change the picture.
        source: its DOT source, the same for the same graph in every process.
    """

    def __init__(
        self, graph: Graph, folding: dict[str, Any], highlight: list[int], style: dict[str, Any]
    ) -> None:
        self.graph = graph
        self._folding, self._highlight, self._style = folding, highlight, style

    @cached_property
    def _stage(self) -> Stage:
        seen = view_of(self.graph, **self._folding)
        lit = seen.highlighted(self._highlight) if self._highlight else seen
        return Stage([self.graph], lit, **self._style)

    @cached_property
    def source(self) -> str:
        return self._stage.dot()

    def svg(self) -> str:
        """The picture as an ``<svg>`` element, ready to insert into a page.

        Raises:
            DrawingError: if there is no layout engine; the message says what to install.
        """
        return self._svg

    @cached_property
    def _svg(self) -> str:
        style = self._stage.css if self._stage.theme == "auto" else ""
        return self._stage.drawn(style=style, titles=True)

    def png(self) -> bytes:
        """The picture as the bytes of a PNG file, at most 40 inches wide and high.

        Raises:
            DrawingError: if there is no layout engine; the message says what to install.
        """
        return render(sized(self.source), "png")

    def text(self, limit: int = 60) -> str:
        """The graph as a tree for the terminal; see `tree`."""
        return tree(self.graph, limit)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the picture as .svg, .png, .pdf, .dot or .tikz (for LaTeX), and return the path.

        The file is written completely or not at all: if there is an error, an existing file is
        unchanged.

        Raises:
            BadArgument: if the path ends in none of these.
            DrawingError: if there is no layout engine, or the file can't be written.
        """
        path = Path(path)
        form = path.suffix.lower().removeprefix(".")
        if form not in _FORMS:
            raise BadArgument(
                f"The extension of the path must be one of "
                f"{', '.join(f'.{ending}' for ending in _FORMS)}. Received: {str(path)!r}."
            )
        write(path, _FORMS[form](self))
        return path

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        """For notebooks: the picture, or without an engine the tree and a hint."""
        return as_picture(self.svg, self.text())

    def __repr__(self) -> str:
        nodes = plural(len(self.graph.nodes), "node")
        return f'<Drawing of {nodes}: .svg(), .png(), .save("graph.svg"), .text()>'

    def __str__(self) -> str:
        return self.text()


_FORMS: Final[dict[str, Callable[[Drawing], bytes]]] = {
    "svg": lambda drawing: drawing.svg().encode(),
    "png": lambda drawing: drawing.png(),
    "pdf": lambda drawing: render(drawing.source, "pdf"),
    "dot": lambda drawing: drawing.source.encode(),
    "tikz": lambda drawing: tikz(drawing.svg()).encode(),
}


def as_picture(svg: Callable[[], str], text: str) -> dict[str, str]:
    """For notebooks: the picture and the plain text, or without an engine the text and a hint.

    The picture is also there as an SVG, because programs that turn notebooks into PDF ignore HTML.
    """
    try:
        picture = svg()
    except DrawingError as error:
        return {"text/plain": f"{text}\n\n{error}"}
    scrolling = f'<div style="overflow-x: auto">{picture}</div>'
    return {"text/html": scrolling, "image/svg+xml": picture, "text/plain": text}


def write(path: Path, content: bytes) -> None:
    try:
        write_whole(path, content)
    except FileError as error:
        text = f"The picture was not saved to {str(path)!r}. {error.reason}"
        raise DrawingError(text) from error
