"""All paths from a result back to one node: their number, their sum, and the largest of them.

A path is a chain of edges from the root to the node. It contributes the product of the local
derivatives along it, and the node's adjoint is the sum over its paths. There may be 10¹² of them,
so they are not visited one by one: the number, the sum and the largest of the paths from a node
follow from those of its arguments (dynamic programming). Everything is read from one snapshot.
"""

from __future__ import annotations

from functools import cached_property
from heapq import heappop, heappush
from math import inf
from typing import Any, Final, NamedTuple

from ..snapshots import Graph
from ..strings import MANY, pattern

PASSING: Final = frozenset({"identity", "add", "sum"})  # their partials are always 1

Letter = tuple[int, int]
Place = tuple[int, int]  # a position along a shape: the number of letters read, and the node


class Step(NamedTuple):
    """One edge of a path: from a node to its argument at a position."""

    node: int
    position: int
    arg: int
    local: float


class Path(NamedTuple):
    """A chain of edges, from the root on, and the product of its local derivatives."""

    product: float
    steps: tuple[Step, ...]


class Sums(NamedTuple):
    """The sums over some paths.

    Attributes:
        number: how many there are; `MANY` means that many or more.
        total: the sum of their products.
        size: the sum of the magnitudes of their products.
        live: how many of them contain no factor 0.
    """

    number: int
    total: float
    size: float
    live: int

    def plus(self, other: Sums, local: float) -> Sums:
        """The sums with the paths added that extend others by an edge."""
        return Sums(
            min(self.number + other.number, MANY),
            self.total + local * other.total,
            self.size + abs(local) * other.size,
            min(self.live + other.live, MANY) if local != 0.0 else self.live,
        )


NONE: Final = Sums(0, 0.0, 0.0, 0)
ONE: Final = Sums(1, 1.0, 1.0, 1)


class Paths:
    """The paths from the root of a graph to the node of some id.

    Args:
        graph: a snapshot.
        target: the id of the node.

    >>> from tinygrad_edu import Value, snapshot
    >>> x = Value(3.0)
    >>> paths = Paths(snapshot(x * x + x), 0)
    >>> paths.sums
    Sums(number=3, total=7.0, size=7.0, live=3)
    >>> [path.product for path in paths.biggest(2)]
    [3.0, 3.0]
    """

    def __init__(self, graph: Graph, target: int) -> None:
        self.graph = graph
        self.target = target
        self._from = {target: ONE}  # the sums over the paths from each node
        self._steps: dict[int, list[Step]] = {}  # the edges that lead on to the target
        for node in graph.nodes[target + 1 :]:
            steps, sums = [], NONE
            for position, (arg, local) in enumerate(zip(node.args, node.partials)):
                if local is not None and arg in self._from:
                    steps.append(Step(node.id, position, arg, local))
                    sums = sums.plus(self._from[arg], local)
            if steps:
                self._steps[node.id], self._from[node.id] = steps, sums
        self.sums = self._from.get(graph.root.id, NONE)

    def steps(self, id: int) -> list[Step]:
        """The edges from a node that lead on to the target."""
        return self._steps.get(id, [])

    @cached_property
    def cut(self) -> list[Step]:
        """The edges where a gradient that would flow to the target stops, newest first.

        They are on paths that the derivative does not follow, as through `stop_gradient`. Their
        local derivative is 0.
        """
        nodes = self.graph.nodes
        leading = {self.target}
        for node in nodes[self.target + 1 :]:
            if leading.intersection(node.args):
                leading.add(node.id)
        reached, cut = {self.graph.root.id}, []
        for node in reversed(nodes[self.target + 1 :]):
            if node.id in reached:
                for position, arg in enumerate(node.args):
                    if node.partials[position] is not None:
                        reached.add(arg)
                    elif arg in leading:
                        cut.append(Step(node.id, position, arg, 0.0))
        return cut

    # ── Shapes ────────────────────────────────────────────────────────────────────────────

    @cached_property
    def classes(self) -> list[int]:
        """A number for each node, equal for expressions that differ only in their leaves:
        in their numbers and scopes, and in the digits of their names."""
        numbers: dict[tuple[Any, ...], int] = {}
        classes: list[int] = []
        for node in self.graph.nodes:
            kind = node.op.name if node.op else node.role
            key = (kind, pattern(node.name or ""), *(classes[arg] for arg in node.args))
            classes.append(numbers.setdefault(key, len(numbers)))
        return classes

    def letter(self, step: Step) -> Letter:
        """The contribution of a step to the shape of its path.

        It identifies the expression and the position in it, so that paths of one
        shape have one formula. Additions, whose partials are 1, contribute nothing: the
        samples in ((a + b) + c) are of one shape.
        """
        return self.classes[step.node], step.position

    def passing(self, id: int) -> bool:
        """Whether a node is an addition or the like."""
        op = self.graph.nodes[id].op
        return op is not None and op.name in PASSING

    def groups(self, rows: int, work: int = 100_000) -> list[tuple[Sums, list[Path]]] | None:
        """The sums over the paths of each shape and its largest paths, the largest contribution
        first; None if there are too many shapes.

        All paths of a shape are followed together, as sums at each node that they reach, at the
        same cost for seven samples as for 10¹² paths through equal layers.

        Args:
            rows: the number of paths of each shape to list.
            work: the number of edges to visit, besides a few times those of the graph.
        """
        left = work + 2 * len(self._from)
        root = self.graph.root.id
        todo: list[tuple[Any, dict[int, Sums]]] = [(None, {root: ONE})]
        shapes: list[tuple[Sums, Any]] = []
        while todo:
            word, at = todo.pop()
            further: dict[Letter, dict[int, Sums]] = {}
            waiting = sorted(-id for id in at)
            while waiting:  # newest first: every path through a node has arrived there
                id = -heappop(waiting)
                if id == self.target:
                    shapes.append((at[id], word))
                    continue
                passing = self.passing(id)
                for step in self.steps(id):
                    left -= 1
                    there = at if passing else further.setdefault(self.letter(step), {})
                    if passing and step.arg not in at:
                        heappush(waiting, -step.arg)
                    there[step.arg] = there.get(step.arg, NONE).plus(at[id], step.local)
                if left < 0:
                    return None
            todo += [((word, letter), there) for letter, there in further.items()]
        shapes.sort(key=lambda pair: (-_magnitude(pair[0].total), -_magnitude(pair[0].size)))
        return [
            (sums, self.biggest(rows, _spelled(word)) if i < SHOWN else [])
            for i, (sums, word) in enumerate(shapes)
        ]

    def multiplying(self, path: Path) -> list[Step]:
        """The steps of a path without additions, which make up its shape."""
        return [step for step in path.steps if not self.passing(step.node)]

    # ── The biggest ───────────────────────────────────────────────────────────────────────

    def biggest(self, count: int, word: list[Letter] | None = None) -> list[Path]:
        """The paths of largest magnitude, largest first; only those of one shape if given.

        Best-first search. The best continuation from each place is computed first, so the search
        never enters a dead end. A nan counts as larger than any number.
        """
        if not self.sums.number:
            return []
        goal = (len(word or ()), self.target)
        onward = self._onward(word)
        best = {goal: 1.0}  # the largest magnitude of a path to the goal, from each place
        for place in sorted(onward, key=lambda place: (place[1], -place[0])):  # arguments first
            ways = [_magnitude(s.local * best[to]) for s, to in onward[place] if to in best]
            if ways and place != goal:
                best[place] = max(ways)
        return _search(count, (0, self.graph.root.id), goal, onward, best)

    def _onward(self, word: list[Letter] | None) -> dict[Place, list[tuple[Step, Place]]]:
        """The places on paths of a shape, or on all paths, and the edges between them."""
        onward: dict[Place, list[tuple[Step, Place]]] = {}
        todo = [(0, self.graph.root.id)]
        while todo:
            place = read, id = todo.pop()
            if place in onward:
                continue
            passing = word is None or self.passing(id)
            next = word[read] if word is not None and read < len(word) else None
            onward[place] = [
                (step, (read if passing else read + 1, step.arg))
                for step in self.steps(id)
                if passing or self.letter(step) == next
            ]
            todo += [to for _, to in onward[place]]
        return onward


SHOWN: Final = 5  # shapes that are shown in full


def _magnitude(x: float) -> float:
    return inf if x != x else abs(x)


def _spelled(word: Any) -> list[Letter]:
    """A linked word, written out."""
    letters = []
    while word is not None:
        word, letter = word
        letters.append(letter)
    return letters[::-1]


def _search(
    count: int,
    start: Place,
    goal: Place,
    onward: dict[Place, list[tuple[Step, Place]]],
    best: dict[Place, float],
) -> list[Path]:
    """The ``count`` best paths from start to goal; ``best`` bounds the rest of each path."""
    paths: list[Path] = []
    tick = 0  # among equals the newest is continued, which is the deepest
    heap: list[Any] = [(-best[start], tick, start, 1.0, None)]
    while heap and len(paths) < count:
        _, _, place, product, trail = heappop(heap)
        while place != goal:
            ways = [(step, to) for step, to in onward[place] if to in best]
            if len(ways) > 1:
                for step, to in reversed(ways):
                    tick -= 1
                    p = product * step.local
                    heappush(heap, (-_magnitude(p * best[to]), tick, to, p, (trail, step)))
                break
            ((step, place),) = ways
            product, trail = product * step.local, (trail, step)
        else:
            paths.append(Path(product, tuple(_spelled(trail))))  # type: ignore[arg-type]
    return paths
