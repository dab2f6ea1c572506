"""The explanation of a result: each operation in order, with names and with numbers."""

from __future__ import annotations

from collections import defaultdict
from itertools import groupby
from typing import Any, Final

from ..snapshots import Graph, Node
from ..strings import columns, pattern, plural, short
from . import nonfinite
from .document import WIDTH, Block, Explanation, Formula, Piece, Prose, Table, Title
from .formulas import WIDEST, Formulas
from .gradients import KEPT, identity
from .notation import Math, numeral

LINES: Final = 40  # the most operations with a line each
ROWS: Final = 10  # the most samples with a row each
GIVEN: Final = 12  # the most leaves listed at the beginning
LARGEST: Final = 9  # the most operations in one line


def narrative(graph: Graph) -> Explanation:
    """An explanation of how the root of a graph was computed."""
    return _Narrative(graph).explanation()


class _Narrative:
    """The parts of one explanation.

    If several samples share the same steps, these are shown for the first sample, and then the
    numbers of all samples as a table.

    Attributes:
        ids: the operations that have a line of their own.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        lines = _with_lines(graph)
        self.formulas = Formulas(graph, (graph.root.id,), apart=lines)
        self.alike = _alike(graph)
        self.samples = {scope for scopes in self.alike.values() for scope in scopes}
        others = self.samples - self.alike.keys()
        self.ids = [id for id in sorted(lines) if top(graph.nodes[id]) not in others]

    def explanation(self) -> Explanation:
        root = self.graph.root
        blocks: list[Block] = [
            Title((self.formulas.symbol((root.id,)), " = ", numeral(root.data))),
            *self._given(),
        ]
        hidden, half = len(self.ids) - LINES, LINES // 2
        if hidden > 0:
            more = Prose((f"… {plural(hidden, 'more line')} …",))
            blocks += [*self._lines(self.ids[:half]), more, *self._lines(self.ids[-half:])]
        else:
            blocks += self._lines(self.ids)
        births = nonfinite.births(self.graph)
        data = {
            "kind": "value",
            "of": identity(root),
            "operations": sum(node.op is not None for node in self.graph.nodes),
            "lines": [self._data_of(id) for id in self.ids[:KEPT]],
            "births": nonfinite.as_data(births),
        }
        return Explanation([*blocks, *nonfinite.blocks(self.graph, births)], data)

    def _given(self) -> list[Block]:
        """The leaves that do not belong to a single sample."""
        used = {arg for node in self.graph.nodes for arg in node.args}
        leaves = [
            node
            for node in self.graph.nodes
            if node.op is None and node.id in used and top(node) not in self.samples
            and (node.name or node.role != "constant")
        ]  # fmt: skip
        if not leaves:
            return [] if self.ids else [Prose(("It is a leaf: it was given, not computed.",))]
        pieces: list[Piece] = ["Given: "]
        for i, leaf in enumerate(leaves[:GIVEN]):
            role = f" ({leaf.role})" if leaf.role else ""
            symbol = self.formulas.symbol((leaf.id,))
            pieces += [", " if i else "", symbol, " = ", numeral(leaf.data), role]
        rest = len(leaves) - GIVEN
        pieces.append(f" and {plural(rest, 'more number')}." if rest > 0 else ".")
        return [Prose(tuple(pieces))]

    def _lines(self, ids: list[int]) -> list[Block]:
        blocks: list[Block] = []
        for scope, run in groupby(ids, lambda id: top(self.graph.nodes[id])):
            here = list(run)
            if scope:
                blocks.append(Title((short(scope, 60),)))
            elif blocks:
                blocks.append(Title(("Then",)))
            blocks.append(Formula(tuple(map(self._line, here)), dense=True))
            if scope in self.alike:
                blocks += self._table(scope, here)
        return blocks

    def _line(self, id: int) -> tuple[Math, ...]:
        """ŷ = w·x + b = 0.5·3 + 0.1 = 1.6"""
        node = self.graph.nodes[id]
        symbol = self.formulas.symbol((id,))
        formula = self.formulas.opened((id,))
        sides = [symbol, formula.math(), formula.math(numbers=True), numeral(node.data)]
        return tuple(side for side, _ in groupby(sides))

    def _table(self, scope: str, ids: list[int]) -> list[Block]:
        """The same lines for every sample, as rows of numbers."""
        scopes = self.alike[scope]
        members = _members(self.graph, scopes)
        first, lines = members[scope], set(ids)
        places = [
            k for k, node in enumerate(first) if node.id in lines or (node.op is None and node.name)
        ]
        heads = {k: self.formulas.symbol((first[k].id,)) for k in places}
        cells = {k: [numeral(members[s][k].data) for s in scopes[:ROWS]] for k in places}
        wide = max(columns(short(s, 24)) for s in scopes[:ROWS]) + 4
        while places:  # until they fit, drop the first ones, which are the least interesting
            width = sum(
                2 + max(columns(cell.text) for cell in (heads[k], *cells[k])) for k in places
            )
            if wide + width <= WIDTH:
                break
            unnamed = [k for k in places if not first[k].name]
            places.remove(unnamed[0] if unnamed[:-1] else places[0])
        rows: tuple[tuple[Piece, ...], ...] = tuple(
            (short(s, 24), *(cells[k][row] for k in places)) for row, s in enumerate(scopes[:ROWS])
        )
        kind = short(pattern(scope).replace("#", "").strip())
        blocks: list[Block] = [Prose((f"The same for all {kind}s:",))]
        head: tuple[Piece, ...] = ("", *(heads[k] for k in places))
        blocks.append(Table("l" + "r" * len(places), head, rows))
        if len(scopes) > ROWS:
            blocks.append(Prose((f"… and {len(scopes) - ROWS:,} more.",)))
        return blocks

    def _data_of(self, id: int) -> dict[str, Any]:
        node = self.graph.nodes[id]
        assert node.op is not None
        sides = self._line(id)
        return {
            **identity(node),
            "op": node.op.name,
            "args": list(node.args[:KEPT]),
            "formula": sides[1].text,
            "latex": sides[1].tex,
        }


def top(node: Node) -> str:
    """The outermost scope of a node: that of its sample, in models."""
    return (node.scope or "").partition("/")[0]


def _with_lines(graph: Graph) -> set[int]:
    """The ids of the operations that have a line of their own.

    An operation has one if it has a name, if it is used more than once or in another scope, or if
    the line that uses it would otherwise be too long.
    """
    uses = [0] * len(graph.nodes)
    size = [0] * len(graph.nodes)
    ids = {graph.root.id} if graph.root.op is not None else set()
    for node in graph.nodes:
        if node.op is None:
            continue
        size[node.id] = 1 + sum(size[arg] for arg in node.args)
        for arg in node.args:
            uses[arg] += 1
            inner = graph.nodes[arg]
            if inner.op is not None and (uses[arg] > 1 or inner.scope != node.scope):
                ids.add(arg)
        if node.name or size[node.id] > LARGEST or len(node.args) > WIDEST:
            ids.add(node.id)
        if node.id in ids:
            size[node.id] = 0
    return ids


def _members(graph: Graph, scopes: list[str]) -> dict[str, list[Node]]:
    """The nodes within each outermost scope."""
    members: dict[str, list[Node]] = {scope: [] for scope in scopes}
    for node in graph.nodes:
        if top(node) in members:
            members[top(node)].append(node)
    return members


def _alike(graph: Graph) -> dict[str, list[str]]:
    """The outermost scopes that contain the same computation, by the first of each group."""
    inside: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for node in graph.nodes:
        if top(node):
            inside[top(node)].append((node.op.name if node.op else "", pattern(node.name or "")))
    kinds: dict[Any, list[str]] = defaultdict(list)
    for scope, nodes in inside.items():
        kinds[pattern(scope), tuple(nodes)].append(scope)
    return {scopes[0]: scopes for scopes in kinds.values() if len(scopes) > 1}
