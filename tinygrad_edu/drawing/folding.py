"""The parts of a graph that are drawn: cards, links between them, and boxes of scopes.

A card is one node, or several that were folded into it: a chain of sums, a whole scope, leaves with
the same use. A link is one edge, or all edges between two cards. So every picture is a quotient of
the graph: nothing is lost, things are only summed, and the numbers still add up.

This module does not depend on DOT.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from functools import lru_cache, reduce
from math import ceil
from operator import add
from typing import Final, NamedTuple, TypeAlias

from ..errors import unknown_name
from ..snapshots import Graph, Node
from ..strings import pattern, plural, short
from .labels import symbol

Path: TypeAlias = tuple[str, ...]
Edge: TypeAlias = tuple[int, int, int]  # the argument's id, its position, the consumer's id
Key: TypeAlias = int | tuple[str, ...]  # a card's content: a node, or several under a name

DEEPEST: Final = 8  # boxes within boxes; deeper scopes share the innermost one
LINKS_PER_CARD: Final = 3  # nobody can follow more
DENSE: Final = 6  # lines out of a card and into another; between such cards they have no labels
PARALLEL: Final = 6  # edges between the same two nodes; more are drawn as one link
CROWD: Final = 3  # folded cards side by side in a box; the lines of more have no labels either
ALIKE: Final = 2  # leaves with the same use; more become one card if a picture must be folded
SIBLINGS: Final = 12  # folded scopes of one kind; more become one card if necessary
TERMS: Final = 24  # leaves added up in one Σ; more of one role become one card
COLUMNS: Final = 16  # cards in a row; a longer chain continues below, in rows of about 12
MORE: Final = ("", "more")  # the key of all nodes beyond the budget


class Card(NamedTuple):
    """One card: its nodes, and the ones whose numbers it shows.

    ``outputs`` are those of its nodes that are used elsewhere; a single node is its own output.
    ``title`` is the sign of an operation, or the name of a scope; ``note`` describes the content.
    """

    id: str
    kind: str
    place: Path
    title: str
    note: str
    nodes: Sequence[Node]
    outputs: Sequence[Node]

    @property
    def folded(self) -> bool:
        """Whether it has more than one node, apart from a single sum."""
        return bool(self.note)

    @property
    def parameters(self) -> list[Node]:
        return [node for node in self.nodes if node.role == "parameter"]


class Link(NamedTuple):
    """A line between two cards: one edge, or all edges between them.

    A ``summed`` link shows the gradient that it contributes to its tail, because it has no single
    local derivative and no single d at its end; from several nodes it shows none. A ``quiet`` link,
    one of very many, has only a tooltip.
    """

    id: str
    tail: str
    head: str
    edges: Sequence[Edge]
    summed: bool
    quiet: bool = False

    @property
    def tails(self) -> list[int]:
        """The nodes at which its edges begin."""
        return [arg for arg, _, _ in self.edges]


class View(NamedTuple):
    """The drawn part of a graph: cards in topological order, links in the order of arguments.

    ``reached`` are the nodes at which a gradient arrives: nodes behind `stop_gradient` have
    partials, but nothing to multiply them by. ``notes`` say what was folded. ``pale`` are the ids
    of cards and links that are not on the highlighted paths.
    """

    graph: Graph
    cards: list[Card]
    links: list[Link]
    reached: set[int]
    notes: list[str]
    pale: frozenset[str] = frozenset()

    def highlighted(self, ids: Iterable[int]) -> View:
        """The same view with everything pale except the paths from some nodes to the root."""
        on = set(ids)
        for arg, i, node in self.graph.edges():
            if arg.id in on and self.local((arg.id, i, node.id)) is not None:
                on.add(node.id)
        cards = {card.id for card in self.cards if on.isdisjoint(n.id for n in card.nodes)}
        links = {
            link.id
            for link in self.links
            if not any(edge[0] in on and self.local(edge) is not None for edge in link.edges)
        }
        return self._replace(pale=frozenset(cards | links))

    def local(self, edge: Edge, graph: Graph | None = None) -> float | None:
        """The local derivative along an edge, None where the sweep brings no gradient."""
        _, position, id = edge
        return (graph or self.graph).nodes[id].partials[position] if id in self.reached else None

    def flow(self, link: Link, graph: Graph | None = None) -> float | None:
        """The gradient that a link contributes, Σ local × upstream; None if none flows."""
        graph = graph or self.graph
        edges = [(self.local(edge, graph), graph.nodes[edge[2]].adjoint) for edge in link.edges]
        flows = [local * upstream for local, upstream in edges if local is not None]
        return reduce(add, flows) if flows else None  # sum() rounds differently since 3.12


def untrained(graph: Graph, ids: Iterable[int]) -> bool:
    """Whether all of some nodes are inputs or targets, which no training step changes."""
    return {graph.nodes[id].role for id in ids} <= {"input", "target"}


def reached(graph: Graph) -> set[int]:
    """The ids of all nodes that the reverse sweep reaches.

    >>> from tinygrad_edu import Value, snapshot, stop_gradient
    >>> x = Value(1.0)
    >>> reached(snapshot(stop_gradient(x * x) * 2.0))
    {2, 3, 4}
    """
    ids = {graph.root.id}
    for node in reversed(graph.nodes):
        if node.id in ids and node.op is not None:
            ids.update(arg for i, arg in enumerate(node.args) if node.op.flows_to(i))
    return ids


def path(node: Node) -> Path:
    """The boxes around a node, outermost first.

    >>> from tinygrad_edu import Value, scope, snapshot
    >>> with scope("sample 1"), scope("neuron 2"):
    ...     x = Value(1.0)
    >>> path(snapshot(x).root)
    ('sample 1', 'neuron 2')
    """
    return () if node.scope is None else _split(node.scope)


@lru_cache(4096)  # scopes are few, nodes are many
def _split(scope: str) -> Path:
    names = [name for name in scope.split("/") if name]
    return (*names[: DEEPEST - 1], *filter(None, ["/".join(names[DEEPEST - 1 :])]))


def check_unfold(graph: Graph, unfold: Iterable[str]) -> None:
    """Raise an error for a name or pattern that matches no scope; "Σ" means chains of +.

    Raises:
        NameUnknown: with the nearest one that there is.
    """
    places = map(path, {node.scope: node for node in graph.nodes}.values())
    boxes = {place[:depth] for place in places for depth in range(1, len(place) + 1)}
    names = {"Σ", *(box[-1] for box in boxes), *("/".join(box) for box in boxes)}
    alike = Counter(pattern(name) for name in names)
    for wanted in unfold:
        if not any(fnmatchcase(name, wanted) for name in names):
            kinds = {pattern(name).replace("#", "*") for name in names if alike[pattern(name)] > 1}
            listed = kinds | {name for name in names if alike[pattern(name)] == 1}
            raise unknown_name("scope to unfold", wanted, {short(name, 40) for name in listed})


def view(graph: Graph, limit: int, *, depth: int | None = None, unfold: Sequence[str] = ()) -> View:
    """The cards and links of a graph, folded until there are at most ``limit`` cards.

    Chains of + are one Σ. Then, only as far as the budget requires: scopes become one card each,
    innermost first, and leaves that they use in the same way become one card; then scopes of one
    kind beyond a dozen do; finally only the cards nearest the root are drawn.

    Args:
        depth: draw only cards at most this many links from the root.
        unfold: names of scopes that stay open, or patterns of such names ("sample *");
            "Σ" leaves chains of + as they were typed.
    """
    folding = _Folding(graph, unfold)
    if depth is not None:
        folding.keep(folding.nearest(limit=len(graph.nodes), depth=depth))
    if not folding.fits(limit):
        folding.fold(limit)
    return folding.view()


class _Folding:
    """The mapping from nodes to cards: ``key`` contains the card of every node."""

    def __init__(self, graph: Graph, unfold: Sequence[str]) -> None:
        self.graph = graph
        self.unfold = unfold
        self.places = [path(node) for node in graph.nodes]
        self.key: list[Key] = [node.id for node in graph.nodes]
        if not self.opened(("Σ",)):
            self.sums()
            self.terms()

    # --- steps of folding

    def sums(self) -> None:
        """Chains of + within one scope become one Σ, if no intermediate sum has a name or another
        use."""
        nodes, uses = self.graph.nodes, self.graph.uses()
        sums = {n.id for n in nodes if n.op is not None and n.op.name in ("add", "sum")}
        inner = {id for id in sums if uses[id] == 1 and not nodes[id].name}
        for node in reversed(nodes):
            for arg in inner.intersection(node.args) if node.id in sums else ():
                if nodes[arg].scope == node.scope:
                    self.key[arg] = self.key[node.id]

    def terms(self) -> None:
        """Very many leaves of one role that are only added up in one Σ become one card."""
        uses = self.graph.uses()
        alike: dict[tuple[Key, str | None, Path], list[int]] = defaultdict(list)
        for arg, _, node in self.graph.edges():
            if arg.op is None and uses[arg.id] == 1 and node.op and node.op.name in ("add", "sum"):
                alike[self.key[node.id], arg.role, self.places[arg.id]].append(arg.id)
        for ids in alike.values():
            if len(ids) > TERMS:
                for id in ids:
                    self.key[id] = ("leaves", str(ids[0]))

    def fold(self, limit: int) -> None:
        """Fold scopes level by level, innermost first, until the cards fit."""
        before = self.key
        for level in range(max(map(len, self.places)), 0, -1):
            self.key = self.closed(before, level)
            self.leaves()
            if self.fits(limit):
                return
        self.key = self.siblings(self.closed(before, 1))
        self.leaves()
        room = limit
        while not self.fits(limit):
            self.keep(self.nearest(room))
            room //= 2

    def closed(self, before: list[Key], level: int) -> list[Key]:
        """Fold every scope of this depth into one card, except those that stay open."""
        key = list(before)
        count: dict[Key, int] = defaultdict(int)
        closed: dict[Path, Path | None] = {}
        for id, place in enumerate(self.places):
            if place not in closed:
                tried = (place[:depth] for depth in range(level, len(place) + 1))
                closed[place] = next((box for box in tried if not self.opened(box)), None)
            box = closed[place]
            if box is not None and before[id] not in (MORE, len(key) - 1):
                key[id] = ("scope", *box)
                count[key[id]] += 1
        return [old if count.get(new) == 1 else new for old, new in zip(before, key)]

    def opened(self, box: Path) -> bool:
        """Whether a scope should stay open, by its name, its whole path, or a pattern."""
        whole = "/".join(box)
        return any(fnmatchcase(box[-1], p) or fnmatchcase(whole, p) for p in self.unfold)

    def leaves(self) -> None:
        """Leaves outside the folded scopes: parameters and constants of one scope go into it,
        and leaves of one role that the same folded scopes use become one card."""
        users: dict[int, set[Key]] = defaultdict(set)
        for arg, _, node in self.graph.edges():
            if arg.op is None and self.key[arg.id] == arg.id:
                users[arg.id].add(self.key[node.id])
        alike: dict[tuple[str | None, Path, frozenset[Key]], list[int]] = defaultdict(list)
        for id, keys in users.items():
            leaf = self.graph.nodes[id]
            if all(isinstance(key, tuple) and key[0] == "scope" for key in keys):
                if len(keys) == 1 and leaf.role in ("parameter", "constant"):
                    (self.key[id],) = keys
                else:
                    alike[leaf.role, self.places[id], frozenset(keys)].append(id)
        for ids in alike.values():
            if len(ids) > ALIKE:
                for id in ids:
                    self.key[id] = ("leaves", str(ids[0]))

    def siblings(self, key: list[Key]) -> list[Key]:
        """If there are many folded scopes of one kind, the first and the last few stay cards."""
        kinds: dict[tuple[Path, str], list[str]] = defaultdict(list)
        for box in dict.fromkeys(key):
            if isinstance(box, tuple) and box[0] == "scope":
                kinds[box[1:-1], pattern(box[-1])].append(box[-1])
        merged: dict[Key, Key] = {}
        for (place, _), names in kinds.items():
            if len(names) > SIBLINGS:
                names = in_order(names)
                between = names[SIBLINGS // 2 : -SIBLINGS // 4]
                one = f"{between[0]} … {between[-1]}"
                merged |= {("scope", *place, name): ("scope", *place, one) for name in between}
        return [merged.get(one, one) for one in key]

    def nearest(self, limit: int, depth: int | None = None) -> set[Key]:
        """The cards nearest the root, by breadth."""
        args: dict[Key, dict[Key, None]] = defaultdict(dict)
        for arg, _, node in self.graph.edges():
            args[self.key[node.id]][self.key[arg.id]] = None  # a set in order
        root = self.key[-1]
        keys, distance = [root], {root: 0}
        for one in keys:  # which grows while it is read
            if depth is None or distance[one] < depth:
                next = [arg for arg in args[one] if arg not in distance][: limit - len(keys)]
                distance |= dict.fromkeys(next, distance[one] + 1)
                keys += next
        return set(keys)

    def keep(self, keys: set[Key]) -> None:
        """All other cards become one, which shows the number of nodes that are not drawn."""
        self.key = [key if key in keys else MORE for key in self.key]

    def fits(self, limit: int) -> bool:
        if len(set(self.key)) - (MORE in self.key) > limit:
            return False
        pairs = {(self.key[arg.id], self.key[node.id]) for arg, _, node in self.graph.edges()}
        return sum(tail != head for tail, head in pairs) <= LINKS_PER_CARD * limit

    # --- the resulting cards and links

    def view(self) -> View:
        graph, key = self.graph, self.key
        groups: dict[Key, list[Node]] = defaultdict(list)
        for node in graph.nodes:
            groups[key[node.id]].append(node)
        used: dict[Key, set[int]] = defaultdict(set)
        used[key[-1]].add(graph.root.id)
        pairs: dict[tuple[Key, Key], list[Edge]] = defaultdict(list)
        for arg, position, node in graph.edges():
            tail, head = key[arg.id], key[node.id]
            if tail != head:
                used[tail].add(arg.id)
                pairs[tail, head].append((arg.id, position, node.id))
        cards = {
            one: self.card(one, nodes, [node for node in nodes if node.id in used[one]])
            for one, nodes in sorted(groups.items(), key=lambda group: group[1][-1].id)
        }
        links: list[Link] = []
        for (tail, head), edges in pairs.items():
            a, b = cards[tail], cards[head]
            if len(edges) > (1 if a.folded or b.folded else PARALLEL):
                links.append(Link(f"{a.id}-{b.id}", a.id, b.id, edges, True))
            else:
                links += [
                    Link(
                        f"v{arg}-v{node}-{position}", a.id, b.id, [(arg, position, node)], b.folded
                    )
                    for arg, position, node in edges
                ]
        last = {card.id: card.nodes[-1].id for card in cards.values()}
        links.sort(key=lambda link: (last[link.head], link.edges[0][2], link.edges[0][1]))
        notes = self.notes(cards.values())
        return View(
            graph, list(cards.values()), hushed(links, cards.values()), reached(graph), notes
        )

    def card(self, key: Key, nodes: list[Node], outputs: list[Node]) -> Card:
        first, root = nodes[0], self.graph.root
        if isinstance(key, int):
            node = self.graph.nodes[key]
            sign = symbol(node) if len(nodes) == 1 else "Σ"
            return Card(f"v{key}", kind(node, root), self.places[key], sign, "", nodes, [node])
        if key == MORE:
            title = f"… {plural(len(nodes), 'more node')}"
            return Card("more", "more", (), title, "not drawn", nodes, [])
        id = f"fold{first.id}"
        if key[0] == "leaves":
            title, place = plural(len(nodes), first.role or "number"), self.places[first.id]
            return Card(id, kind(first, root), place, title, "used alike", nodes, [])
        return Card(id, "folded", key[1:-1], key[-1], contents(nodes), nodes, outputs)

    def notes(self, cards: Collection[Card]) -> list[str]:
        """A sentence about the folded nodes; empty if all nodes are drawn."""
        hidden = sum(len(card.nodes) for card in cards if card.id == "more")
        folded = [len(card.nodes) for card in cards if card.folded and card.id != "more"]
        notes = {
            f"folded: {plural(sum(folded), 'node')} of {len(self.graph.nodes):,} into "
            f"{plural(len(folded), 'card')}; limit= and unfold= open them. A line into a folded "
            f"card shows the d that it adds.": folded,
            f"not drawn: {plural(hidden, 'node')} far from the result; limit= and depth= draw "
            f"more.": hidden,
        }
        return [note for note, holds in notes.items() if holds]


def hushed(links: list[Link], cards: Iterable[Card]) -> list[Link]:
    """The links, without labels where many cards are connected to many and at folded cards that are
    side by side in a box: a neuron's lines are drawn straight instead."""
    out, into = Counter(link.tail for link in links), Counter(link.head for link in links)
    distance = distances(cards, links)
    folded = {card.id: card.place for card in cards if card.kind == "folded" and card.place}
    beside = Counter((place, distance[id]) for id, place in folded.items())
    crowd = {id for id, place in folded.items() if beside[place, distance[id]] > CROWD}
    return [
        link._replace(
            quiet=min(out[link.tail], into[link.head]) > DENSE
            or link.tail in crowd
            or link.head in crowd
        )
        for link in links
    ]


def contents(nodes: Sequence[Node]) -> str:
    """A description of a folded card's nodes.

    >>> from tinygrad_edu import Value, snapshot
    >>> contents(snapshot(Value(1.0, role="parameter") * 2.0 + 1.0).nodes)
    '5 nodes, 1 parameter'
    """
    parameters = sum(node.role == "parameter" for node in nodes)
    if parameters == len(nodes):
        return plural(parameters, "parameter")
    with_them = f", {plural(parameters, 'parameter')}" if parameters else ""
    return plural(len(nodes), "node") + with_them


def kind(node: Node, root: Node) -> str:
    """The row of the table ROLES for a node."""
    if node.id == root.id:
        return "root"
    return node.role or ("leaf" if node.op is None else "operation")


# --- boxes


def in_order(names: Iterable[str]) -> list[str]:
    """Names in the order of their first appearance, except that those of one kind are sorted by
    number.

    >>> in_order(["sample 10", "loss", "sample 9"])
    ['sample 9', 'sample 10', 'loss']
    """
    names = list(dict.fromkeys(names))
    first = {kind: i for i, kind in enumerate(dict.fromkeys(map(pattern, names)))}

    def key(name: str) -> tuple[int, list[tuple[int, str]]]:
        numbers = [number.lstrip("0") for number in re.findall(r"\d+", name)]
        return first[pattern(name)], [(len(number), number) for number in numbers]

    return sorted(names, key=key)


class Row(NamedTuple):
    """Boxes of one kind that begin in the same column, from top to bottom.

    ``heads`` is the leftmost card of each, ``tails`` the rightmost; both keep nested boxes in
    order, too. ``shared`` are the leaves outside all boxes that several of them use.
    """

    heads: list[Card]
    tails: list[Card]
    shared: list[Card]


class Boxes:
    """The boxes for the scopes of some cards, in their own order.

    Attributes:
        cards: the cards directly in each box; the empty path is the picture itself.
        children: the boxes directly in each box, from top to bottom.
        rows: the boxes that are side by side.
        chains: cards directly in one box that are side by side: its inputs, and folded scopes of
            one kind.
    """

    def __init__(self, view: View) -> None:
        self.cards: dict[Path, list[Card]] = defaultdict(list)
        names: dict[Path, list[str]] = defaultdict(list)
        for card in view.cards:
            self.cards[card.place].append(card)
            for depth, name in enumerate(card.place):
                names[card.place[:depth]].append(name)
        self.children = {
            place: [(*place, name) for name in in_order(inner)] for place, inner in names.items()
        }
        distance = distances(view.cards, view.links)
        self.rows = self._rows(view, distance)
        self.chains = {place: _chains(cards, distance) for place, cards in self.cards.items()}

    def within(self, place: Path) -> Iterator[Path]:
        """Every box within a box, each before those within it."""
        for box in self.children.get(place, ()):
            yield box
            yield from self.within(box)

    def _rows(self, view: View, distance: dict[str, int]) -> list[Row]:
        place = {card.id: card.place for card in view.cards}
        users: dict[str, set[Path]] = defaultdict(set)
        for link in view.links:
            users[link.tail].add(place[link.head][:1])

        inside: dict[Path, list[Card]] = defaultdict(list)
        for card in view.cards:
            for depth in range(1, len(card.place) + 1):
                inside[card.place[:depth]].append(card)
        heads, tails = (
            {box: end(cards, key=lambda card: distance[card.id]) for box, cards in inside.items()}
            for end in (max, min)
        )
        kinds: dict[tuple[Path, int], list[Path]] = defaultdict(list)
        for box in self.within(()):
            kinds[tuple(map(pattern, box)), distance[heads[box].id]].append(box)
        leaves = [card for card in self.cards[()] if all(n.op is None for n in card.nodes)]
        rows = []
        for alike in (boxes for boxes in kinds.values() if len(boxes) > 1):
            shared = [leaf for leaf in leaves if len(users[leaf.id].intersection(alike)) > 1]
            nested = any(len(box) > 1 or box in self.children for box in alike)
            ends = [tails[box] for box in alike] if nested else []
            rows.append(Row([heads[box] for box in alike], ends, shared))
        return rows


def wrapped(view: View) -> dict[str, int]:
    """The row of each card if a long chain is written in several rows; empty if it is not.

    Rows are counted from the result backwards. Only what is nearly a chain is wrapped: few links
    lead from row to row, and there are no boxes.
    """
    distance = distances(view.cards, view.links)
    columns = max(distance.values()) + 1
    if columns <= COLUMNS or any(card.place for card in view.cards):
        return {}
    count = ceil(columns / 12)
    width = ceil(columns / count)
    begun = {link.head for link in view.links}  # a leaf is written in the row that uses it first
    rows = {id: (far if id in begun else max(far - 1, 0)) // width for id, far in distance.items()}
    crossing = sum(rows[link.tail] != rows[link.head] for link in view.links)
    return rows if crossing <= 2 * (count - 1) else {}


def distances(cards: Iterable[Card], links: Sequence[Link]) -> dict[str, int]:
    """The largest number of links between each card and the root."""
    distance = {card.id: 0 for card in cards}
    for link in reversed(links):
        distance[link.tail] = max(distance[link.tail], distance[link.head] + 1)
    return distance


def _chains(cards: Sequence[Card], distance: dict[str, int]) -> list[list[Card]]:
    alike: dict[tuple[str, int], dict[str, Card]] = defaultdict(dict)
    for card in cards:
        if card.kind == "input" and not card.folded:
            alike["", distance[card.id]][card.id] = card
        elif card.kind == "folded":
            alike[pattern(card.title), distance[card.id]][card.title] = card
    return [
        [chain[name] for name in (in_order(chain) if sign else chain)]
        for (sign, _), chain in alike.items()
        if len(chain) > 1
    ]
