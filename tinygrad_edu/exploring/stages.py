"""The pictures of the page: one per sample, with all others as one card, and one of the whole."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from ..drawing.folding import Card, Link, View, contents, view
from ..drawing.layout import Stage
from ..snapshots import Graph
from ..strings import plural

CARDS: Final = 300  # in the picture of the whole; a larger graph is folded
SPAN: Final = 3000  # columns that all lines cross together: with more, the layout takes minutes
OPENED: Final = 120  # cards of one sample; a larger sample is not drawn alone
SAMPLES: Final = 8  # at most this many samples are drawn alone,
TOGETHER: Final = 480  # if they have at most this many cards together
WIDE: Final = -123456.0


class Scene(NamedTuple):
    """A picture in the page, with its label in the list and its note."""

    label: str
    note: str
    stage: Stage
    cards: Sequence[Card]


def scenes(graph: Graph, scopes: Sequence[str]) -> list[Scene]:
    """The pictures of a graph: of each sample if there are several, and of the whole."""
    scenes: list[Scene] = []
    limit = CARDS
    while span(whole := view(graph, limit)) > SPAN and limit > 30:
        limit //= 2
    if len(scopes) > 1:
        all_open = view(graph, len(graph.nodes))
        for scope in scopes[:SAMPLES]:
            alone = opened(all_open, scope, set(scopes) - {scope})
            together = sum(len(scene.cards) for scene in scenes) + len(alone.cards)
            if len(alone.cards) <= OPENED and together <= TOGETHER:
                others = plural(len(scopes) - 1, "other sample")
                note = f"This picture shows {scope}; {others} are one card."
                scenes.append(_scene(graph, alone, scope, note, len(scenes)))
    folded = [card for card in whole.cards if card.folded]
    count = sum(len(card.nodes) for card in folded)
    note = f"{plural(count, 'value')} of {len(graph.nodes):,} are folded into " if folded else ""
    note += f"{plural(len(folded), 'card')}." if folded else ""
    label = "all of it" if scenes else "the graph"
    return [*scenes, _scene(graph, whole, label, note, len(scenes))]


def _scene(graph: Graph, seen: View, label: str, note: str, number: int) -> Scene:
    frames = [graph, wide(graph)]
    stage = Stage(frames, seen._replace(notes=[]), prefix=f"s{number}-", legend=False)
    return Scene(label, note, stage, seen.cards)


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

    def outside(card: Card) -> bool:
        return bool(card.place) and card.place[0] in others

    nodes = [node for card in seen.cards if outside(card) for node in card.nodes]
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


def described(scenes: Sequence[Scene]) -> list[dict[str, Any]]:
    """The page's data about its pictures, as JSON can store it."""
    return [
        {
            "label": scene.label,
            "note": scene.note,
            "prefix": scene.stage.prefix,
            "slots": scene.stage.slots,
            "links": scene.stage.links,
            "cards": [[card.id, [node.id for node in card.nodes]] for card in scene.cards],
        }
        for scene in scenes
    ]
