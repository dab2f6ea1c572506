"""The pictures of the page: one per sample, with all others as one card, and one of the whole."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from ..drawing.folding import Card, Link, View, contents, view
from ..drawing.folding import path as boxes
from ..drawing.layout import Stage
from ..snapshots import Graph
from ..strings import plural

CARDS: Final = 300  # in the picture of the whole; a larger graph is folded
SPAN: Final = 3000  # columns that all lines cross together: with more, the layout takes minutes
OPENED: Final = 120  # cards of one sample; a larger sample is not drawn alone
LARGE: Final = 1500  # nodes; of a larger graph only one sample is drawn alone
SAMPLES: Final = 8  # at most this many samples are drawn alone,
TOGETHER: Final = 480  # if they have at most this many cards together
UPRIGHT: Final = 40  # cards of a picture from top to bottom; more don't make it narrower
FLAT: Final = 8  # cards of a picture that fits from left to right, too
WIDE: Final = -123456.0


class Scene(NamedTuple):
    """A picture in the page: its label in the list, its note, and how far it is folded."""

    label: str
    note: str
    level: int
    stage: Stage
    cards: Sequence[Card]


def scenes(graph: Graph, scopes: Sequence[str]) -> list[Scene]:
    """The pictures of a graph: of each sample if there are several, and of the whole. Each is there
    in full and folded step by step, so that every window has room for one of them; a picture from
    top to bottom is narrower, unless it has very many cards."""
    pictures: list[Scene] = []

    def add(label: str, views: Sequence[View], note: str = "") -> None:
        for level, seen in enumerate(views):
            said = f"{note} {_folded(graph, seen)}".strip()
            upright = level > 0 or len(seen.cards) <= UPRIGHT
            flat = not upright or len(seen.cards) <= FLAT
            for direction in ("LR",) * flat + ("TB",) * upright:
                number = len(pictures)
                pictures.append(_scene(graph, seen, label, said, level, number, direction))

    limit = CARDS
    while span(whole := view(graph, limit)) > SPAN and limit > 30:
        limit //= 2
    if len(scopes) > 1:
        together = 0
        for scope in scopes[: SAMPLES if len(graph.nodes) <= LARGE else 1]:
            views = levels(graph, scope, scopes)
            together += sum(len(seen.cards) for seen in views)
            if views and (together <= TOGETHER or scope == scopes[0]):
                others = plural(len(scopes) - 1, "other sample")
                add(scope, views, f"This picture shows {scope}; {others} are one card.")
    add("all of it" if pictures else "the graph", [whole, *overview(graph, scopes, whole)])
    return pictures


def _folded(graph: Graph, seen: View) -> str:
    """A sentence about the folded cards of a view."""
    folded = [card for card in seen.cards if card.folded and not card.title.endswith("others")]
    count = sum(len(card.nodes) for card in folded)
    into = f"{plural(count, 'value')} of {len(graph.nodes):,} are folded into"
    return f"{into} {plural(len(folded), 'card')}; a tap unfolds them." if folded else ""


def levels(graph: Graph, scope: str, scopes: Sequence[str]) -> list[View]:
    """One sample in full, then with its neurons folded, its layers, and its loss."""
    lost = Graph(  # what a sample computes outside its layers is a scope of its own
        tuple(
            node._replace(scope=f"{node.scope}/the loss")
            if node.op is not None and boxes(node) == (scope,) and node is not graph.root
            else node
            for node in graph.nodes
        )
    )
    views: list[View] = []
    limit = len(graph.nodes)
    for source in (graph, lost):
        while limit > 3:
            seen = view(source, limit, unfold=(scope,))
            if any(card.id == "more" for card in seen.cards):
                break
            limit = len(seen.cards) - 1
            alone = opened(seen, scope, {*scopes} - {scope})
            fewer = not views or len(alone.cards) < len(views[-1].cards)
            if fewer and len(alone.cards) <= OPENED:
                views.append(alone._replace(graph=graph))
    return views


def overview(graph: Graph, scopes: Sequence[str], whole: View) -> list[View]:
    """All samples and their loss as one card, between the parameters and the result; without
    samples, the operations nearest the result."""
    if len(scopes) < 2:
        near = [view(graph, limit) for limit in (6, 3) if len(whole.cards) > FLAT]
        return [seen for seen in near if len(seen.cards) < len(whole.cards)]
    shared = Graph(
        tuple(
            node._replace(scope="parameters") if node.role == "parameter" else
            node._replace(scope=plural(len(scopes), "sample")) if node is not graph.root else node
            for node in graph.nodes
        )
    )  # fmt: skip
    return [view(shared, 4)._replace(graph=graph)]


def _scene(
    graph: Graph, seen: View, label: str, note: str, level: int, number: int, direction: str
) -> Scene:
    frames, bare = [graph, wide(graph)], seen._replace(notes=[])
    stage = Stage(frames, bare, prefix=f"s{number}-", legend=False, direction=direction)
    return Scene(label, note, level, stage, seen.cards)


def span(seen: View) -> int:
    """How many columns the lines of a view cross, all together.

    >>> from tinygrad_edu import Value, snapshot
    >>> w = Value(2.0, "w")
    >>> span(view(snapshot((w + 1.0) * w), 10))  # 1 for each line, 2 for the one from w to ×
    5
    """
    column: dict[str, int] = dict.fromkeys((card.id for card in seen.cards), 0)
    for link in seen.links:  # in the order of their heads: every tail has its column by then
        column[link.head] = max(column[link.head], column[link.tail] + 1)
    return sum(column[link.head] - column[link.tail] for link in seen.links)


def wide(graph: Graph) -> Graph:
    """The graph with numbers of 7 characters, so that its cards have room for the page's numbers,
    which are written with as many digits as fit."""
    return Graph(
        tuple(
            node
            if node.role == "constant"
            else node._replace(
                data=WIDE,
                adjoint=WIDE,
                partials=tuple(None if local is None else WIDE for local in node.partials),
            )
            for node in graph.nodes
        )
    )


def opened(seen: View, scope: str, others: set[str]) -> View:
    """A view in which all samples but one are a single card.

    >>> from tinygrad_edu import Value, snapshot
    >>> from tinygrad_edu import scope as named
    >>> w, squares = Value(2.0, "w"), []
    >>> for i in (1, 2, 3):
    ...     with named(f"sample {i}"):
    ...         squares.append((w - i) ** 2)
    >>> loss = squares[0] + squares[1] + squares[2]
    >>> alone = opened(view(snapshot(loss), 100), "sample 1", {"sample 2", "sample 3"})
    >>> [card.title or card.nodes[0].label for card in alone.cards]
    ['w', '1', '−', 'x²', '2 others', 'Σ']
    """

    def outside(card: Card) -> bool:  # a sample may be one card already
        return all(boxes(node)[:1] and boxes(node)[0] in others for node in card.nodes)

    nodes = [node for card in seen.cards if outside(card) for node in card.nodes]
    if not nodes:
        return seen
    id = f"fold{nodes[0].id}"
    one = Card(id, "folded", (), plural(len(others), "other"), contents(nodes), nodes, ())
    card_of = {card.id: one if outside(card) else card for card in seen.cards}
    links: dict[tuple[str, ...], Link] = {}
    for link in seen.links:
        tail, head = card_of[link.tail].id, card_of[link.head].id
        if tail == head == id:
            continue
        if id not in (tail, head):
            links[(link.id,)] = link
            continue
        merged = links.get((tail, head))
        edges = [*(merged.edges if merged else ()), *link.edges]
        links[tail, head] = Link(f"{tail}-{head}", tail, head, edges, True)
    cards = list({card.id: card for card in card_of.values()}.values())
    return seen._replace(cards=cards, links=list(links.values()))


def html(scenes: Sequence[Scene]) -> str:
    """The first picture, and all others as templates, which cost nothing until they are shown."""
    first, *others = (scene.stage.svg for scene in scenes)
    templates = [f"<template>{svg}</template>" for svg in others]
    return "\n".join([f'<div class="picture">{first}</div>', *templates])


def size(svg: str) -> list[float]:
    """The width and the height of a picture, in its own units.

    >>> size('<svg viewBox="0.00 0.00 12.50 3.00">')
    [12.5, 3.0]
    """
    box = re.search(r'viewBox="([^"]+)"', svg)
    assert box is not None
    return [float(number) for number in box[1].split()[2:]]


def described(scenes: Sequence[Scene]) -> list[dict[str, Any]]:
    """The page's data about its pictures, as JSON can store it."""
    return [
        {
            "label": scene.label,
            "note": scene.note,
            "level": scene.level,
            "prefix": scene.stage.prefix,
            "size": size(scene.stage.svg),
            "slots": scene.stage.slots,
            "links": scene.stage.links,
            "cards": [[card.id, [node.id for node in card.nodes]] for card in scene.cards],
        }
        for scene in scenes
    ]
