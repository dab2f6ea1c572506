"""A stage: one SVG layout whose numbers and colours can be changed later.

Films and the exploring page use stages. `stage` lays out a graph once, with room in every card for
the widest number; later a page or a film changes only texts and classes.

The interface for pages
-----------------------
``stage.svg`` is one ``<svg>`` element without stylesheet; ``stage.css`` is the stylesheet, which
all stages of a page share (put it into the page once). Every id begins with ``stage.prefix``,
here written ``p-``:

==================  ==========================================================================
``p-v3``            the card of node 3, a group of class "node value <kind>"
``p-v3-data``       the text of its value, centred in its place
``p-v3-chip``       its chip: a group of class "chip <shade>", ground and text together
``p-v3-grad``       the text within the chip, "d -1.4"
``p-v1-v3-0``       the edge from node 1 to node 3 as its argument 0: class "edge <shade>"
``p-v1-v3-0-path``  its line; ``-arrow`` its head; ``-local`` the text of its local derivative
``p-v1-v3-0-on``    where a long chain is drawn in several rows: the same edge in the next row
``p-box-0``         a scope's box
``p-fold5``         a card of several nodes (then links are named
``p-v1-fold5``      after both of their cards, and their text is the gradient along them)
==================  ==========================================================================

To change a number: set the text, and replace the shade among the classes. The colour and the
width follow from the stylesheet. ``stage.slots`` and ``stage.links`` describe every element as data
for JSON, so a page loops over them and need not know what was folded. ``stage.frame(graph)`` is the
same loop in Python, and returns every text and class for another graph of the same shape. The rules
`themes.shade` and `labels.rounded` also exist in JavaScript, in rules.js (`rules_js`); tests
compare both.

Colours follow the reader's system; a class "tg-dark" or "tg-light", or an attribute
data-theme="dark" or "light", on the svg or on any element around it, forces a theme. A card, a box
or an edge of class "pale" is drawn faintly.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from ..errors import BadArgument, GraphError
from ..snapshots import Graph
from ..strings import plural
from . import dot
from .dot import SHOWN, Slot, Style, chip, label, slots, tint
from .folding import View, untrained, view, wrapped
from .labels import Digits, breadth, called, rounded
from .layout_engines import render
from .svg import dress
from .themes import RULES, THEMES, Theme, largest, marks, stylesheet

WIDEST: Final = "-1.235e+308"  # of all numbers with 4 significant digits


def stage(
    graphs: Graph | Sequence[Graph],
    *,
    title: str | None = None,
    prefix: str = "",
    theme: str = "auto",
    any_number: bool = False,
    legend: bool = True,
    limit: int = 400,
) -> Stage:
    """Lay out a graph so that its numbers can be changed.

    Args:
        graphs: a snapshot, or several of one shape whose numbers are all to fit.
        title: a line above the picture.
        prefix: the prefix of every id, such as "g1-".
        theme: "auto", "light" or "dark".
        any_number: make room for any number, not only for those of the graphs.
        legend: whether to draw the legend.
        limit: the largest number of cards; a larger graph is folded.

    Raises:
        GraphError: if the graphs differ in shape.
        DrawingError: if there is no layout engine; the message says what to install.

    >>> from tinygrad_edu import Value, snapshot
    >>> w = Value(0.5, name="w")
    >>> before = snapshot(w * 2.0)
    >>> w.data = -150.0
    >>> shown = stage([before, snapshot(w * 2.0)], prefix="g1-")
    >>> 'id="g1-v0-data"' in shown.svg
    True
    >>> shown.frame(before)["g1-v0-data"]
    {'text': '0.5'}
    """
    frames = [graphs] if isinstance(graphs, Graph) else list(graphs)
    if not frames:
        raise BadArgument("A stage needs at least one graph. Received: none.")
    return Stage(
        frames, view(frames[0], limit), title=title, prefix=prefix, theme=theme,
        any_number=any_number, legend=legend,
    )  # fmt: skip


class Stage:
    """One layout for many numbers; see the top of this module.

    Attributes:
        graph: the graph it was laid out for, the first one.
        prefix: the prefix of every id.
        theme: "auto", "light" or "dark".
        scale: {"gradient": …, "flow": …}, the largest magnitudes over all graphs, from which
            shades are counted; those of inputs and targets don't count.
    """

    def __init__(
        self,
        frames: Sequence[Graph],
        view: View,
        *,
        title: str | None = None,
        prefix: str = "",
        theme: str = "auto",
        any_number: bool = False,
        digits: Digits = 4,
        direction: str = "LR",
        show: frozenset[str] = frozenset(SHOWN),
        legend: bool = True,
        captions: Sequence[str] = (),
    ) -> None:
        for number, graph in enumerate(frames):
            same_shape(frames[0], graph, number)
        self.graph = frames[0]
        self.prefix = prefix
        self._view = view
        self.theme = theme
        self._slots = {card.id: slots(card, show) for card in view.cards}
        self._numbers = [slot for of_card in self._slots.values() for slot in of_card]
        links = [link for link in view.links if not untrained(self.graph, link.tails)]
        nodes = [node for each in frames for node in each.nodes if not untrained(each, [node.id])]
        flows = [view.flow(link, graph) for graph in frames for link in links]
        self.scale = {
            "gradient": largest(node.adjoint for node in nodes),
            "flow": largest(flow for flow in flows if flow is not None),
        }
        self._style = Style(
            THEMES["light" if theme == "auto" else theme],
            (self.scale["gradient"], self.scale["flow"]), title, digits, direction, show, {},
            legend, captions[0] if captions else "",
        )  # fmt: skip
        rooms = self._rooms(frames, captions, any_number)
        self._style = self._style._replace(rooms=rooms)

    def _rooms(
        self, frames: Sequence[Graph], captions: Sequence[str], any_number: bool
    ) -> dict[str, float]:
        """The width of each number's place, for the widest text that it will show."""
        rooms: dict[str, float] = {}

        def widen(id: str, text: str, size: float) -> None:
            rooms[id] = max(rooms.get(id, 0.0), breadth(text, size) + _AIR)

        for graph in frames:
            for slot in self._numbers:
                widen(slot.id, slot.text(graph, self._style.digits), 11)
            for link in self._view.links:
                widen(link.id, label(self._view, link, graph, self._style), 9)
        for caption in captions:
            widen("caption", caption, 12)
        if any_number:
            for slot in self._numbers:
                if any(self.graph.nodes[id].role != "constant" for id in slot.nodes):
                    widen(slot.id, WIDEST if slot.what == "data" else f"d {WIDEST}", 11)
            for link in self._view.links:
                if self._view.flow(link) is not None:
                    widen(link.id, f"d {WIDEST}" if link.summed else WIDEST, 9)
        return rooms

    @cached_property
    def svg(self) -> str:
        """The picture of the first graph, one ``<svg>`` element without stylesheet."""
        return self.drawn()

    def dot(self, graph: Graph | None = None, caption: str = "", theme: Theme | None = None) -> str:
        """The DOT source in the stage's colours or others, for the first graph or another one."""
        own = self._style
        style = own._replace(theme=theme or own.theme, caption=caption or own.caption)
        return dot.source(self._view._replace(graph=graph or self.graph), style)

    def drawn(self, *, style: str = "", titles: bool = False) -> str:
        """The picture of the first graph, optionally with a stylesheet and tooltips."""
        return dress(
            render(self.dot(theme=marks()[0]), "svg").decode(), self._slots, self.theme,
            self._style.theme, self.label, prefix=self.prefix, style=style, titles=titles,
        )  # fmt: skip

    @property
    def css(self) -> str:
        """The stylesheet of the classes."""
        return stylesheet(self.theme)

    @property
    def label(self) -> str:
        """A description of the picture, in one sentence."""
        root = self.graph.root
        what = f"{self._style.title}: " if self._style.title else ""
        return (
            f"{what}computation graph of {plural(len(self.graph.nodes), 'node')}, "
            f"{called(root, 60)} = {rounded(root.data, self._style.digits)}"
        )

    @property
    def slots(self) -> list[dict[str, Any]]:
        """Every number on a card: its element's id, its kind ("what"), and its nodes.

        "data" is a value, its id that of the text. "grad" is a chip, its id that of the chip;
        "text" is the id of the text in it. For several nodes it is the gradient of the largest
        magnitude, with nan before all others. The gradients of inputs and targets are not
        "coloured": their shade is "none".
        """
        return [
            {
                "id": self.prefix + slot.id,
                "text": self.prefix + _text(slot),
                "what": slot.what,
                "nodes": list(slot.nodes),
                "coloured": not untrained(self.graph, slot.nodes),
            }
            for slot in self._numbers
        ]

    @property
    def links(self) -> list[dict[str, Any]]:
        """Every line: its id, the id of its text, and its edges, each as
        [argument, position, consumer].

        "what" is "local" if its text is the local derivative of its edge; "flow" if it is
        "d " and the gradient along its edges, Σ local × upstream; and None if it has no text,
        because no gradient flows there or only its tooltip shows it. A line from an input or target
        is not "coloured": its shade is that of a gradient of 0.
        """
        return [
            {
                "id": self.prefix + link.id,
                "text": f"{self.prefix}{link.id}-local",
                "what": ("flow" if link.summed else "local")
                if label(self._view, link, self.graph, self._style)
                else None,
                "edges": [list(edge) for edge in link.edges],
                "coloured": not untrained(self.graph, link.tails),
            }
            for link in self._view.links
        ]

    def frame(self, graph: Graph) -> dict[str, dict[str, str]]:
        """The texts and classes, by id, for another graph of the same shape.

        Raises:
            GraphError: if its shape differs.
        """
        same_shape(self.graph, graph, 1)
        changes: dict[str, dict[str, str]] = {}
        rows = wrapped(self._view)
        for slot in self._numbers:
            changes[self.prefix + _text(slot)] = {"text": slot.text(graph, self._style.digits)}
            if slot.what == "grad":
                name = chip(slot, graph, self._style)
                changes[self.prefix + slot.id] = {"class": f"chip {name}"}
        for link in self._view.links:
            name = tint(self._view, link, graph, self._style)
            pale = " pale" if link.id in self._view.pale else ""
            changes[self.prefix + link.id] = {"class": f"edge {name}{pale}"}
            if rows and rows[link.tail] != rows[link.head]:
                changes[f"{self.prefix}{link.id}-on"] = {"class": f"edge {name}{pale}"}
            if text := label(self._view, link, graph, self._style):
                changes[f"{self.prefix}{link.id}-local"] = {"text": text}
        return changes


_AIR: Final = 8  # points around a number, within its cell
RULES_FILE: Final = Path(__file__).with_name("rules.js")


def rules_js() -> str:
    """The rules in JavaScript: the functions ``rounded``, ``signed`` and ``shade``, and RULES,
    the constants of `themes.RULES`."""
    return f"const RULES = {json.dumps(RULES)};\n{RULES_FILE.read_text(encoding='utf-8')}"


def same_shape(first: Graph, graph: Graph, number: int) -> None:
    """Raise an error for a graph that doesn't fit the first one's layout.

    Raises:
        GraphError: naming the first node that differs.
    """
    if len(first.nodes) != len(graph.nodes):
        raise GraphError(
            f"All graphs of one layout must be recorded alike. Graph 0 has "
            f"{plural(len(first.nodes), 'node')}, graph {number} has "
            f"{plural(len(graph.nodes), 'node')}."
        )
    for a, b in zip(first.nodes, graph.nodes):
        if (a.op, a.args, a.role, a.name, a.scope) != (b.op, b.args, b.role, b.name, b.scope):
            raise GraphError(
                f"All graphs of one layout must be recorded alike. Node {a.id} is {a.label!r} of "
                f"{list(a.args)} in graph 0 and {b.label!r} of {list(b.args)} in graph {number}."
            )


def _text(slot: Slot) -> str:
    """The id of the text of a number."""
    return slot.id if slot.what == "data" else slot.id.removesuffix("chip") + "grad"
