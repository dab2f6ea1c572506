"""Nodes of a graph as formulas: by name, or as the operation that computed them.

A formula describes several places at once: a column holds the ids of corresponding nodes, such as
the x of each sample. A node that is the same at every place has a plain symbol; others have the
index i.
"""

from __future__ import annotations

from collections.abc import Container
from copy import copy
from typing import Final, TypeAlias

from ..snapshots import Graph, Node
from ..strings import SUBSCRIPTS, as_superscript, clean, pattern, short
from .notation import Math, tex_name
from .symbols import LARGEST, Term, partial

Column: TypeAlias = tuple[int, ...]
"""The ids of corresponding nodes, one for each place."""

DEEPEST: Final = 30  # the most operations inside each other in one formula
WIDEST: Final = 10  # the most terms of a sum that are written out
_PRIME: Final = r"\prime"
_LETTERS: Final = "cdefghklmnpqrstuz"  # for nodes that vary and don't have a name


class Formulas:
    """Writes nodes of one graph as terms, with unique symbols.

    Args:
        graph: a snapshot.
        first: the ids of nodes that have the first choice of names.
        largest: the most operations in one formula; parts of a larger one become symbols.
        apart: ids of nodes that are always written as symbols, except by `opened`.

    >>> from tinygrad_edu import Value, snapshot
    >>> w, x = Value(2.0, name="w"), Value(3.0, name="x")
    >>> graph = snapshot((w * x - 1.0) ** 2)
    >>> Formulas(graph).opened((graph.root.id,)).math().text
    '(w·x − 1)²'
    """

    def __init__(
        self,
        graph: Graph,
        first: tuple[int, ...] = (),
        largest: int = LARGEST // 4,
        apart: Container[int] = (),
    ) -> None:
        self.graph = graph
        self.largest = largest
        self.apart = apart
        self._symbols: dict[Column, Math] = {}
        self._taken: set[str] = set()
        self._terms: dict[tuple[Column, bool, int], Term] = {}
        for id in first:
            self.symbol((id,))

    @property
    def widest(self) -> int:
        """The terms of a sum that are written out."""
        return min(WIDEST, self.largest // 2)

    def _nodes(self, column: Column) -> list[Node]:
        return [self.graph.nodes[id] for id in column]

    def symbol(self, column: Column) -> Math:
        """The symbol of a column: its name, with an index if it varies."""
        column = column[:1] if len(set(column)) == 1 else column
        if column not in self._symbols:
            base, index = self._name(column)
            symbol, twin = _written(base, 0, index), 0
            while symbol.text in self._taken:  # another node has the same name
                twin += 1
                symbol = _written(base, twin, index)
            self._taken.add(symbol.text)
            self._symbols[column] = symbol
        return self._symbols[column]

    def _name(self, column: Column) -> tuple[str, bool]:
        nodes = self._nodes(column)
        name = clean(nodes[0].name or "").strip()
        if len(column) == 1:
            unnamed = "L" if nodes[0] is self.graph.root else f"v{nodes[0].id}"
            return name or unnamed, False
        if name and any(node.name != nodes[0].name for node in nodes):
            # x1, x2, x3: the index replaces the digits.
            name = pattern(name).replace("#", "").strip()
        letters = (letter for letter in _LETTERS if f"{letter}ᵢ" not in self._taken)
        return name or next(letters, "v"), True

    def shorter(self, largest: int) -> Formulas:
        """The same symbols in shorter formulas."""
        formulas = copy(self)  # it shares the tables
        formulas.largest = largest
        return formulas

    def named(self, column: Column) -> Term:
        """A column as a symbol, or as a number if it is a constant."""
        nodes = self._nodes(column)
        values = tuple(node.data for node in nodes)
        constant = all(n.op is None and n.role == "constant" and not n.name for n in nodes)
        if constant and len(set(map(repr, values))) == 1:
            return Term.number(values[0], len(values))
        return Term.named(self.symbol(column), *values)

    def term(self, column: Column, *, deep: bool = False, depth: int = 0) -> Term:
        """A column as a formula: its symbol if it has a name, otherwise its operation.

        Args:
            deep: whether nodes with names are expanded too, down to the leaves.
        """
        node = self.graph.nodes[column[0]]
        visible = clean(node.name or "").strip()
        if node.op is None or ((visible or node.id in self.apart) and not deep):
            return self.named(column)
        if depth >= DEEPEST or len(node.args) > self.widest:
            return self.named(column)
        key = column, deep, self.largest
        if key not in self._terms:  # shared parts are visited once
            term = self.opened(column, deep=deep, depth=depth)
            fits = term.size <= self.largest and term.symbol is None
            self._terms[key] = term if fits else self.named(column)
        return self._terms[key]

    def opened(self, column: Column, *, deep: bool = False, depth: int = 0) -> Term:
        """The operation that computed a column, with its arguments as formulas."""
        op = self.graph.nodes[column[0]].op
        if op is None:
            return self.named(column)
        terms = len(self.graph.nodes[column[0]].args)
        if terms > self.widest:
            count = f"of {terms:,} terms"
            sign = Math("Σ", r"\sum") if op.name == "sum" else Math(op.name, tex_name(op.name))
            values = tuple(node.data for node in self._nodes(column))
            return Term.named(
                Math(f"{sign.text} {count}", rf"{sign.tex} \text{{ {count}}}"), *values
            )
        args = self.args(column, deep=deep, depth=depth)
        return Term(op, tuple(args), tuple(node.data for node in self._nodes(column)))

    def args(self, column: Column, *, deep: bool = False, depth: int = 0) -> list[Term]:
        """The arguments of a column's operation."""
        nodes = self._nodes(column)
        terms = []
        for arg in zip(*(node.args for node in nodes)):
            inner = self.graph.nodes[arg[0]]
            beyond = inner.op is not None and inner.scope != nodes[0].scope and not deep
            terms.append(self.named(arg) if beyond else self.term(arg, deep=deep, depth=depth + 1))
        return terms

    def local(
        self, column: Column, position: int, locals: tuple[float, ...], *, deep: bool = False
    ) -> Term:
        """The local derivative along an edge of a column, as a formula."""
        node = self.graph.nodes[column[0]]
        assert node.op is not None
        if len(node.args) > WIDEST and len(set(locals)) == 1:
            return Term.number(locals[0], len(locals))
        args = self.args(column, deep=deep)
        out = self.named(column) if node.name and not deep else None
        if out is None:
            out = Term(node.op, tuple(args), tuple(each.data for each in self._nodes(column)))
        return partial(node.op, position, out, args, locals)


def _written(base: str, twin: int, index: bool) -> Math:
    """A name, with primes if it is the second or third of that name, and with an index."""
    text, tex = short(base), tex_name(short(base))
    if twin:
        text += "′" * twin if twin < 4 else f"′{as_superscript(twin)}"
        tex = rf"{{{tex}}}^{{{_PRIME * twin if twin < 4 else f'({twin})'}}}"
    if not index:
        return Math(text, tex)
    if twin or text[-1] in SUBSCRIPTS + "0123456789":
        return Math(text + "⁽ⁱ⁾", rf"{{{tex}}}^{{(i)}}")
    return Math(text + "ᵢ", rf"{{{tex}}}_{{i}}")
