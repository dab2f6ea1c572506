"""A view of a graph as DOT source, which is the same for the same graph on every machine.

One HTML-like table per card, in plain shapes, as Graphviz fails on flat edges between record
shapes; one box per scope. Numbers that change later stand in cells of their own (`Slot`),
as wide as the widest of them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from copy import copy
from functools import cached_property
from math import isnan
from typing import Final, NamedTuple

from ..snapshots import Graph, Node
from ..strings import clean, plural, short
from .folding import (
    Boxes,
    Card,
    Link,
    Path,
    Row,
    View,
    contents,
    distances,
    path,
    untrained,
    wrapped,
)
from .labels import Digits, breadth, called, in_table, named, quoted, rounded, signed
from .themes import FAINT, ROLES, Theme, mixed, shade, stroke

_TABLE: Final = '<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="2" CELLPADDING="3">'
_NUMBERS: Final = _TABLE.replace('SPACING="2"', 'SPACING="0"')
_TIGHT: Final = '<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="0">'
_CHIPS: Final = '<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="4" CELLPADDING="2">'
_RULE: Final = (
    "on an edge: its local derivative.  d of a card = Σ over its outgoing edges of "
    "(local derivative) × (d where it ends)"
)
SHOWN: Final = ("data", "grad", "local")
TIES: Final = 5  # invisible edges between a box and its point: each crossing of one counts
OUTPUTS: Final = 3  # the most outputs that a folded card shows


class Slot(NamedTuple):
    """A number on a card: its value ("data") or its gradient's chip ("grad").

    For several nodes it is the one of the largest magnitude, with nan before all others.
    """

    id: str
    what: str
    nodes: tuple[int, ...]

    def number(self, graph: Graph) -> float:
        nodes = (graph.nodes[id] for id in self.nodes)
        numbers = (node.data if self.what == "data" else node.adjoint for node in nodes)
        return max(numbers, key=lambda x: (isnan(x), abs(x)))

    def text(self, graph: Graph, digits: Digits) -> str:
        x = self.number(graph)
        return rounded(x, digits) if self.what == "data" else f"d {signed(x, digits)}"


class Style(NamedTuple):
    """The style of a view.

    Attributes:
        theme: the colours.
        scale: the largest |gradient| and the largest |flow|, from which shades are counted.
        rooms: the least width of a slot, or of a link's label, in points.
        caption: a line below the title that films change.
    """

    theme: Theme
    scale: tuple[float, float]
    title: str | None = None
    digits: Digits = 4
    direction: str = "LR"
    show: frozenset[str] = frozenset(SHOWN)
    rooms: Mapping[str, float] = {}
    legend: bool = True
    caption: str = ""


def results(card: Card) -> list[Node]:
    """The outputs that a card shows, if there are not too many. A folded card shows no constants,
    and parameters only if there are few and they have names of their own."""
    if not card.folded:
        return list(card.outputs)
    mine = [node for node in card.outputs if node.role == "parameter"]
    few = len(mine) <= OUTPUTS and len({named(node) for node in mine}) == len(mine)
    left_out = ("constant",) if few else ("constant", "parameter")
    return [node for node in card.outputs if node.role not in left_out]


def slots(card: Card, show: frozenset[str]) -> list[Slot]:
    """The numbers of a card, in the order in which they are written."""
    slots = []
    for node in results(card)[:OUTPUTS]:
        if "data" in show:
            slots.append(Slot(f"v{node.id}-data", "data", (node.id,)))
        if "grad" in show and card.kind != "constant":
            slots.append(Slot(f"v{node.id}-chip", "grad", (node.id,)))
    if "grad" in show and card.folded and card.parameters:
        ids = tuple(node.id for node in card.parameters)
        slots.append(Slot(f"{card.id}-chip", "grad", ids))
    return slots


def label(view: View, link: Link, graph: Graph, style: Style) -> str:
    """The label of a link: the local derivative of one edge, or the gradient that several
    contribute to one node; empty if there is none, or it isn't shown."""
    number = view.flow(link, graph) if link.summed else view.local(link.edges[0], graph)
    several = len(set(link.tails)) > 1  # the gradients of different nodes have no sum
    if number is None or several or link.quiet or "local" not in style.show:
        return ""
    return f"{'d ' if link.summed else ''}{signed(number, style.digits)}"


def tint(view: View, link: Link, graph: Graph, style: Style) -> str:
    """The shade of a line, by the gradient along it; "none" if no gradients are shown."""
    flow = view.flow(link, graph)
    flow = 0.0 if flow is not None and untrained(graph, link.tails) else flow
    return shade(flow, style.scale[1]) if "grad" in style.show else "none"


def chip(slot: Slot, graph: Graph, style: Style) -> str:
    """The shade of a gradient's chip; "none" for inputs and targets, so that the gradients by which
    training moves stand out."""
    background = untrained(graph, slot.nodes)
    return "none" if background else shade(slot.number(graph), style.scale[0])


def source(view: View, style: Style) -> str:
    """The DOT source of a view.

    >>> from tinygrad_edu import Value, snapshot
    >>> from .themes import THEMES
    >>> from .folding import view
    >>> seen = view(snapshot(Value(2.0, name="x") * 3.0), limit=400)
    >>> text = source(seen, Style(THEMES["light"], (1.0, 1.0)))
    >>> [line.split()[0] for line in text.splitlines() if line.strip().startswith("v")]
    ['v0', 'v1', 'v2', 'v0', 'v1']
    """
    return "\n".join(_Writer(view, style).lines()) + "\n"


class Markup(str):
    """An HTML-like label. It has its own type because any plain string may begin with <."""

    __slots__ = ()


def attributes(**values: object) -> str:
    """DOT attributes, quoted so that no value can end its attribute."""
    return " ".join(
        f"{key}={f'<{value}>' if isinstance(value, Markup) else quoted(str(value))}"
        for key, value in values.items()
    )


class _Writer:
    """Writes one view; contains the data that its cards share."""

    def __init__(self, view: View, style: Style) -> None:
        self.view = view
        self.style = style
        self.theme = style.theme
        self.root = view.graph.root
        self.boxes = Boxes(view)
        self.number = {box: i for i, box in enumerate(self.boxes.within(()))}
        self.place = {card.id: card.place for card in view.cards}
        self.shared = {leaf.id for row in self.boxes.rows for leaf in row.shared}
        self.wrapped = row = wrapped(view)
        self.crossing = [link.id for link in view.links if row and row[link.tail] != row[link.head]]

    def lines(self) -> Iterator[str]:
        theme = self.theme
        yield 'digraph "computation graph" {'
        yield "\tgraph [" + attributes(
            bgcolor=theme["paper"], color=theme["box-line"], fillcolor=theme["box"],
            fontcolor=theme["muted"], fontname="Helvetica", fontsize=11, label=self.legend(),
            labeljust="l", labelloc="t", nodesep=0.22, ordering="in", outputorder="edgesfirst",
            pad=0.25, rankdir=self.style.direction, ranksep=0.42, splines="true",
            remincross="false",  # a second search would reverse cards that are side by side
        ) + "]"  # fmt: skip
        yield '\tnode [fontname="Helvetica" fontsize="11" penwidth="1.4"]'
        yield (
            f'\tedge [arrowsize="0.6" color="{theme["idle"]}" fontcolor="{theme["muted"]}" '
            'fontname="Helvetica" fontsize="9"]'
        )
        yield from self.inside(())
        for number, row in enumerate(self.boxes.rows):
            yield from self.spine(number, row)
        yield from self.rows()
        for link in self.view.links:
            yield self.drawn(link.id).link(link)
        yield "}"

    def drawn(self, id: str) -> _Writer:
        """The writer of a card or a link: pale ones have faint colours."""
        return self.faint if id in self.view.pale else self

    @cached_property
    def faint(self) -> _Writer:
        other = copy(self)
        if "slot" not in self.theme:  # if colours only mark the parts, a class says so
            paper = self.theme["paper"]
            other.theme = {name: mixed(paper, of, FAINT) for name, of in self.theme.items()}
        return other

    # --- cards and boxes

    def inside(self, place: Path) -> Iterator[str]:
        """The cards and boxes in a box."""
        indent = "\t" * (len(place) + 1)
        for card in self.boxes.cards.get(place, ()):
            yield indent + self.drawn(card.id).card(card)
        for chain in self.boxes.chains.get(place, ()):
            yield indent + self.side_by_side(chain)
        for box in self.boxes.children.get(place, ()):
            label = attributes(
                label=Markup(in_table(short(box[-1], 60) or " ")), id=f"box-{self.number[box]}",
                style="rounded,filled", margin=10, tooltip=short("/".join(box), 200),
            )  # fmt: skip
            yield f"{indent}subgraph cluster_{self.number[box]} {{"
            yield f"{indent}\tgraph [{label}]"
            yield from self.inside(box)
            yield indent + "}"

    def side_by_side(self, chain: list[Card]) -> str:
        """Cards of one box in their order, which Graphviz reverses in horizontal boxes."""
        ids = [card.id for card in chain]
        turned = chain[0].place and self.style.direction == "LR"
        return chained(ids[::-1] if turned else ids)

    def spine(self, number: int, row: Row) -> Iterator[str]:
        """Invisible points at both ends of the boxes of a row, which keep the boxes in order.

        Graphviz orders boxes only by crossings, and drops edges between boxes of one rank. But
        points outside them can be chained from top to bottom, and the edges between each box and
        its points would cross others if the boxes were out of order. The leaves that the boxes
        share come last in the chain, so that their edges enter every box from the same side, and
        all boxes look alike. These edges fan out in an extra rank between (minlen).
        """
        begin = [f"begin_{number}_{i}" for i in range(len(row.heads))]
        end = [f"end_{number}_{i}" for i in range(len(row.tails))]
        for point in (*begin, *end):
            yield f'{point} [shape="point" style="invis" width="0.01" height="0.01"]'
        yield chained([*begin, *(leaf.id for leaf in row.shared)])
        if end:
            yield chained(end)
        minlen = 2 if row.shared else 1
        for point, head in zip(begin, row.heads):
            yield from [f'{point} -> {head.id} [style="invis" minlen="{minlen}"]'] * TIES
        for tail, point in zip(row.tails, end):
            yield from [f'{tail.id} -> {point} [style="invis"]'] * TIES

    def rows(self) -> Iterator[str]:
        """The first operations of all rows of a wrapped chain, below each other."""
        far, row = distances(self.view.cards, self.view.links), self.wrapped
        inner = {link.head for link in self.view.links if row}
        first = {row[id]: id for id in sorted(inner, key=lambda id: (far[id], id))}
        if first:
            yield chained([first[place] for place in sorted(first, reverse=True)])

    def card(self, card: Card) -> str:
        theme, shape = self.theme, ROLES[card.kind]
        content = self.rows_of_many(card) if card.folded else self.rows_of_one(card)
        rows = "".join(f"<TR>{''.join(row)}</TR>" for row in content)
        return f"{card.id} [" + attributes(
            label=Markup(f"{_TABLE}{rows}</TABLE>"), id=card.id, tooltip=self.tooltip(card),
            color=theme[f"{card.kind}-line"], fillcolor=theme[card.kind], shape=shape.shape,
            style=shape.style, margin=shape.margin, peripheries=shape.peripheries,
            **{"class": f"value {card.kind}{self.pale(card.id)}"},
        ) + "]"  # fmt: skip

    def rows_of_one(self, card: Card) -> list[list[str]]:
        """Symbol and name; below them the value and the gradient's chip."""
        ink = self.theme[f"{card.kind}-ink"]
        (node,) = card.outputs
        sign = ink if card.kind == "root" else self.theme["symbol"]
        head = [(short(card.title, 12), 15, sign)] if card.title else []
        head += [(short(named(node)), 12, ink)] if named(node) else []
        cells = [self.slot(slot, ink, bold=not head) for slot in slots(card, self.style.show)]
        rows = [[self.heading(head, 1)]] if head or not cells else []
        if cells:  # in a separate table, so that a long name does not stretch them
            rows.append([f"<TD>{_NUMBERS}<TR>{''.join(cells)}</TR></TABLE></TD>"])
        return rows

    def rows_of_many(self, card: Card) -> list[list[str]]:
        """The name of a scope; below it its outputs, its parameters' largest gradient, and the
        number of nodes folded into it."""
        ink, muted = self.theme[f"{card.kind}-ink"], self.theme["muted"]
        rows: list[list[str]] = []
        notes: list[str] = []
        lines: dict[str, list[str]] = defaultdict(list)
        for slot in slots(card, self.style.show):
            lines[slot.id.rpartition("-")[0]].append(self.slot(slot, ink))
        names = {f"v{node.id}": short(named(node), 16) or "out" for node in card.outputs}
        width = 1 + max([len(cells) for cells in lines.values()], default=0)
        for id, cells in lines.items():
            name = names.get(id, "max")
            gap = f' COLSPAN="{width - len(cells)}"'
            rows.append([f'<TD ALIGN="LEFT"{gap}>{font(name, 9, muted)}</TD>', *cells])
        if len(results(card)) > OUTPUTS:
            notes.append(f"… {plural(len(results(card)) - OUTPUTS, 'more output')}")
        if card.kind == "folded":
            notes.append(card.note)
        rows += [[f'<TD COLSPAN="{width}">{font(note, 9, muted)}</TD>'] for note in notes]
        return [[self.heading([(short(card.title, 40), 12, ink)], width)], *rows]

    def heading(self, words: list[tuple[str, int, str]], columns: int) -> str:
        """A cell across all columns: (text, size, colour) side by side, bold."""
        wide = sum(breadth(text, size, bold=True) for text, size, _ in words)
        room = "" if all(text.isascii() for text, _, _ in words) else f' WIDTH="{wide:.0f}"'
        inside = "&#160;&#160;".join(font(*part, bold=True) for part in words) or "&#160;"
        return f'<TD COLSPAN="{columns}"{room}>{inside}</TD>'

    def slot(self, slot: Slot, ink: str, *, bold: bool = False) -> str:
        """A cell for a number; themes that only mark the parts give it a background too."""
        text = slot.text(self.view.graph, self.style.digits)
        room = f' WIDTH="{self.style.rooms[slot.id]:.0f}"' if slot.id in self.style.rooms else ""
        if slot.what == "data":
            ground = f' BGCOLOR="{self.theme["slot"]}"' if "slot" in self.theme else ""
            return f"<TD{ground}{room}>{font(text, 11, ink, bold=bold)}</TD>"
        name = chip(slot, self.view.graph, self.style)
        words = font(text, 11, self.theme.get(f"{name}-ink", ink))
        ground = f' BGCOLOR="{self.theme[name]}" STYLE="ROUNDED"' if name in self.theme else ""
        return f"<TD{ground}{room}>{words}</TD>"

    def tooltip(self, card: Card) -> str:
        """The tooltip of a card, with all digits and the whole name."""
        if card.folded:
            return f"{short(card.title, 200)}\n{contents(card.nodes)}"
        (node,) = card.outputs
        name = called(node)
        lines = [f"{name} = {node.data!r}"]
        if card.kind != "constant":
            lines.append(f"d{called(self.root, 24)}/d{short(name)} = {node.adjoint!r}")
        if node.scope:
            lines.append(short("/".join(path(node)), 200))
        return "\n".join(lines)

    # --- links

    def link(self, link: Link) -> str:
        view, theme = self.view, self.theme
        flow = view.flow(link)
        name = tint(view, link, view.graph, self.style)
        colour, width = stroke(name)
        values: dict[str, object] = {"id": link.id}
        tooltip = self.product(link, flow)
        text = label(view, link, view.graph, self.style)
        if text:
            values |= {"label": self.above(text, self.style.rooms.get(link.id)),
                       "labeltooltip": tooltip}  # fmt: skip
        if flow is None:
            values["style"] = "dashed"
        values |= {"tooltip": tooltip, "color": theme[colour], "penwidth": width}
        values["class"] = f"{name}{self.pale(link.id)}"
        if link.tail in self.shared or link.quiet:
            values["minlen"] = 2  # room for many lines to fan out
        if link.head == "more":
            values["constraint"] = "false"  # distant arguments belong on the left
        if self.place[link.tail] == self.place[link.head]:
            values["weight"] = 3  # links inside a scope are drawn straight
        if self.wrapped.get(link.tail) == self.wrapped.get(link.head):
            return f"{link.tail} -> {link.head} [{attributes(**values)}]"
        # It ends in a circle; in the next row, a circle with the same number goes on.
        number = attributes(
            label=self.crossing.index(link.id) + 1, shape="circle", fontsize=9, margin="0.02",
            width=0.2, color=theme[colour], fontcolor=theme["muted"],
        )  # fmt: skip
        ends = [quoted(f"{link.id}-{end}") for end in ("end", "begin")]
        onward = attributes(
            id=f"{link.id}-on", color=theme[colour], penwidth=width, **{"class": values["class"]}
        )
        return "\n".join([
            *(f"{end} [{number}]" for end in ends),
            f"{link.tail} -> {ends[0]} [{attributes(**values)}]",
            f"{ends[1]} -> {link.head} [{onward}]",
        ])  # fmt: skip

    def pale(self, id: str) -> str:
        return " pale" if id in self.view.pale else ""

    def product(self, link: Link, flow: float | None) -> str:
        """The tooltip of a link: its product written out."""
        if flow is None:
            return "no gradient flows here"
        sources = len(set(link.tails))
        if sources > 1:
            return f"{plural(len(link.edges), 'edge')} from {sources} nodes"
        if len(link.edges) > 1:
            return f"{plural(len(link.edges), 'edge')} that contribute {flow!r} to d"
        (edge,) = link.edges
        local, upstream = self.view.local(edge), self.view.graph.nodes[edge[2]].adjoint
        return f"local derivative {local!r} × upstream {upstream!r} = {flow!r}"

    def above(self, text: str, room: float | None) -> Markup:
        """An edge's label, raised from the line by an empty row."""
        ground = f' BGCOLOR="{self.theme["slot"]}"' if "slot" in self.theme else ""
        wide = f' WIDTH="{room:.0f}"' if room else ""
        words = f"<TR><TD{ground}{wide}>{font(text, 9, self.theme['muted'])}</TD></TR>"
        return Markup(f'{_TIGHT}{words}<TR><TD HEIGHT="7"></TD></TR></TABLE>')

    # --- the legend

    def legend(self) -> Markup:
        """The graph's label: the title, notes about folding, and the legend of the parts that
        occur."""
        theme, rows = self.theme, []
        if clean(self.style.title or ""):
            rows.append(font(short(self.style.title or "", 200), 14, theme["ink"], bold=True))
        if self.style.caption:
            ground = f' BGCOLOR="{theme["slot"]}"' if "slot" in theme else ""
            words = font(short(self.style.caption, 200), 12, theme["ink"])
            cell = f'<TD ALIGN="LEFT"{ground} WIDTH="{self.style.rooms["caption"]:.0f}">{words}'
            rows.append(f"{_TIGHT}<TR>{cell}</TD></TR></TABLE>")
        rows += [font(note, 10, theme["ink"], bold=True) for note in self.view.notes]
        if self.style.legend:
            rows.append(self.chips())
            if "local" in self.style.show and any(
                self.view.local(edge) is not None for link in self.view.links for edge in link.edges
            ):
                rule = _RULE if "grad" in self.style.show else _RULE.partition("  ")[0]
                rows.append(font(rule, 9, theme["muted"]))
        cells = "".join(f'<TR><TD ALIGN="LEFT">{row}</TD></TR>' for row in rows)
        cells += '<TR><TD HEIGHT="8"></TD></TR>' if rows else ""
        return Markup(f"{_TIGHT}{cells}</TABLE>" if cells else "")

    def chips(self) -> str:
        """A chip for each kind of card that occurs, and the scale of the gradients."""
        theme = self.theme
        kinds = {card.kind for card in self.view.cards}
        cells = []
        for name, shape in ROLES.items():
            if name in kinds and shape.legend:
                text = named(self.root) if name == "root" else None
                words = font(f"\xa0{short(text or shape.legend, 24)}\xa0", 9, theme[f"{name}-ink"])
                cells.append(
                    f'<TD BGCOLOR="{theme[name]}" BORDER="1" COLOR="{theme[f"{name}-line"]}" '
                    f'STYLE="{shape.chip}">{words}</TD>'
                )
        if "grad" in self.style.show:
            blank = "\xa0\xa0\xa0"
            scale = [
                ("\xa0d = gradient:", "paper", "muted"),
                ("\xa0-\xa0", "negative-3", "negative-3-ink"),
                *((blank, f"negative-{i}", "ink") for i in (2, 1, 0)),
                ("\xa00\xa0", "zero", "zero-ink"),
                *((blank, f"positive-{i}", "ink") for i in (0, 1, 2)),
                ("\xa0+\xa0", "positive-3", "positive-3-ink"),
                ("each step paler: 10 times smaller", "paper", "muted"),
            ]
            for text, fill, ink in scale:
                words = font(text, 9, theme[ink])
                cells.append(f'<TD BGCOLOR="{theme[fill]}" STYLE="ROUNDED">{words}</TD>')
        return f"{_CHIPS}<TR>{''.join(cells)}</TR></TABLE>"


def chained(ids: list[str]) -> str:
    """Cards side by side, in this order."""
    return f'{{ graph [rank="same"] edge [style="invis"] {" -> ".join(ids)} }}'


def font(text: str, size: int, colour: str, *, bold: bool = False) -> str:
    words = f"<B>{in_table(text)}</B>" if bold else in_table(text)
    return f'<FONT POINT-SIZE="{size}" COLOR="{colour}">{words}</FONT>'
