"""One gradient in words: the sum over all paths from the result back to a node."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from math import fsum, isfinite
from typing import Any, Final

from ..snapshots import Graph, Node
from . import anomalies
from .document import WIDTH, Block, Explanation, Formula, Piece, Prose, Table, Title
from .formulas import Formulas
from .notation import MANY, Math, columns, counted, numeral, plural, short
from .paths import SHOWN, Group, Path, Paths, Step
from .simplifying import simplified
from .symbols import LARGEST, Term, product

ROWS: Final = 10  # paths of a group that have a row each
READ: Final = 50  # paths of a group that its formula is read from
STEPS: Final = 14  # edges of a path that have a row each
LONGEST: Final = 360  # characters of a formula; a longer one explains nothing
KEPT: Final = 1000  # edges of a path in the data


def gradient(graph: Graph, target: int) -> Explanation:
    """The derivative of the root of a graph by the node of that id, explained."""
    return _Gradient(graph, target).explanation()


class _Gradient:
    """The parts of one explanation, as they are put together."""

    def __init__(self, graph: Graph, target: int) -> None:
        self.graph = graph
        self.paths = Paths(graph, target)
        self.root = graph.root
        self.node = graph.nodes[target]
        names = self.formulas()
        self.name, self.loss = names.symbol((target,)), names.symbol((self.root.id,))
        self.left = Math(
            f"∂{self.loss.text}/∂{self.name.text}",
            rf"\frac{{\partial {self.loss.tex}}}{{\partial {self.name.tex}}}",
        )
        self.blocks: list[Block] = []
        sums = self.paths.sums
        self.data: dict[str, Any] = {
            "kind": "gradient",
            "of": identity(self.root),
            "by": identity(self.node),
            "adjoint": self.node.adjoint,
            "paths": sums.number,
            "paths_without_zero": sums.live,
            "sum": sums.total,
            "sum_of_magnitudes": sums.size,
            "groups": [],
        }

    def formulas(self) -> Formulas:
        """Fresh names, of which nothing takes those of the two ends."""
        return Formulas(self.graph, (self.root.id, self.paths.target))

    def say(self, *pieces: Piece) -> None:
        self.blocks.append(Prose(pieces))

    def explanation(self) -> Explanation:
        value = numeral(self.node.adjoint)
        title = Math(f"{self.left.text} = {value.text}", f"{self.left.tex} = {value.tex}")
        self.blocks.append(Title((title,)))
        if self.root is self.node:
            self.say(self.name, " is the result itself: where it changes by 1, it changes by 1.")
        elif not self.paths.sums.number:
            self.say(self.loss, " does not depend on ", self.name, ": the derivative is 0.")
        else:
            self._tell_meaning()
            self._tell_paths()
        self._tell_stops()
        told, self.data["births"] = anomalies.told(self.graph)
        return Explanation([*self.blocks, *told], self.data)

    def _tell_meaning(self) -> None:
        slope = self.node.adjoint
        if not isfinite(slope):
            self.say("It is no finite number. Where that began is told below.")
        elif slope == 0.0:
            self.say("A small change of ", self.name, " does not change ", self.loss,
                     ", to first order.")  # fmt: skip
        else:
            moves = "rises" if slope > 0.0 else "falls"
            self.say("If ", self.name, " grows by a little, ", self.loss, f" {moves} by ",
                     numeral(abs(slope)), " times as much.")  # fmt: skip

    # ── Paths ─────────────────────────────────────────────────────────────────────────────

    def _tell_paths(self) -> None:
        sums = self.paths.sums
        count = plural(sums.number, "path")
        say: tuple[Piece, ...] = (self.name, " goes into ", self.loss, f" along {count}")
        groups = self.paths.groups(READ)
        if groups is None:
            self.say(*say, ", of too many shapes for one formula each.")
            self._tell_biggest()
            return
        if sums.number == 1:
            self.say(*say, ". The gradient is the product of the local derivatives on it.")
        elif len(groups) == 1:
            self.say(*say, ", all of one shape. What a path brings is the product of the local "
                     "derivatives on it; the gradient is the sum over the paths.")  # fmt: skip
        else:
            self.say(*say, f" of {len(groups):,} shapes. What a path brings is the product of "
                     "the local derivatives on it; the gradient is the sum.")  # fmt: skip
        if 0 < sums.live < sums.number:
            dead = sums.number - sums.live
            self.say(f"{counted(dead)} of them bring nothing: they pass a factor 0.")
        for number, group in enumerate(groups[:SHOWN], 1):
            self._tell_group(group, number, len(groups))
        if len(groups) > 1:
            self._tell_sum(groups)
        self.data["more_groups"] = max(0, len(groups) - SHOWN)

    def _tell_sum(self, groups: list[Group]) -> None:
        """The shapes together."""
        shown = [numeral(group.sums.total) for group in groups[:SHOWN]]
        if len(groups) > SHOWN:
            rest = groups[SHOWN:]
            number = min(MANY, sum(group.sums.number for group in rest))
            total = fsum_(group.sums.total for group in rest)
            self.say(f"{plural(len(rest), 'more shape')}, with {plural(number, 'path')}, together "
                     "bring ", numeral(total), ".")  # fmt: skip
            shown.append(numeral(total))
        added = Math(
            " + ".join(bracketed(one).text for one in shown),
            " + ".join(bracketed(one).tex for one in shown),
        )
        self.blocks.append(Formula(((self.left, added, numeral(self.paths.sums.total)),)))

    def _tell_group(self, group: Group, number: int, of: int) -> None:
        sums, paths = group.sums, group.paths
        if of > 1:
            share = plural(sums.number, "path")
            self.blocks.append(
                Title((f"Shape {number} of {of}: {share}, bringing ", numeral(sums.total)))
            )
        labels = self._labels(paths, sums.number)
        where = ""
        if sums.number > 1:
            told = labels[0][0] not in "#123456789"
            where = f", for {labels[0] if told else 'the biggest path'}"
        meaning = ", and how fast the left changes with the right" if number == 1 else ""
        self.say(f"Edge by edge{where}{meaning}:")
        formulas = self.formulas()
        self._tell_steps(paths[0], formulas)
        if not sums.live:
            self._tell_zero(paths[0], sums.number, formulas)
        entry = {
            "count": sums.number,
            "sum": sums.total,
            "sum_of_magnitudes": sums.size,
            "formula": None,
            "latex": None,
            "paths": [self._data_of(path, label) for path, label in zip(paths[:ROWS], labels)],
        }
        self.data["groups"].append(entry)
        factors = self._factors(paths, formulas)
        if sums.number > 1:
            self.say("The same for each path i:")
        if factors is not None:
            shorter = self._simplified(paths, formulas)
            self._tell_formula(factors, shorter, group, of > 1, entry)
        if sums.number > 1:
            self._tell_rows(factors or [], paths, group, labels)

    def _tell_formula(
        self, factors: list[Term], shorter: Term | None, group: Group, several: bool, entry: Any
    ) -> None:
        """The product of the local derivatives as a formula, with symbols and with numbers."""
        formula = product(factors)
        if columns(formula.text) > LONGEST:
            return
        many = group.sums.number > 1
        sides = [_summed(formula) if many else formula]
        if shorter is not None and len(shorter.math().text) <= max(60, len(formula.text)):
            sides.append(_summed(shorter.math(), shorter) if many else shorter.math())
        entry["formula"], entry["latex"] = sides[-1].text, sides[-1].tex
        if not many:
            if max(factor.size for factor in factors) > 1:
                sides.append(product(factors, numbers=True))
            values = product([Term.number(factor.values[0]) for factor in factors])
            sides += [values, numeral(group.sums.total)]
        sides = [side for side, _ in groupby(sides)]
        left = Math("brings", r"\text{brings}") if several else self.left
        self.blocks.append(Formula(((left, *sides),)))
        if group.sums.number > len(group.paths):
            self.say(f"That is the formula of the {len(group.paths)} biggest; the others go "
                     "through the same operations.")  # fmt: skip

    def _simplified(self, paths: list[Path], formulas: Formulas) -> Term | None:
        """The formula down to the leaves, simplified; None if sympy is not there."""
        factors = self._factors(paths, formulas, deep=True)
        if factors is None:
            return None
        whole = factors[0]
        for factor in factors[1:]:
            whole = whole * factor
        return simplified(whole)

    def _factors(
        self, paths: list[Path], formulas: Formulas, *, deep: bool = False
    ) -> list[Term] | None:
        """The local derivatives of some paths of one shape, as formulas for all of them.

        Factors of 1 are left out. None if the path is too long for a formula.
        """
        aligned = [[s for s in path.steps if not self.paths.passing(s.node)] for path in paths]
        if len(aligned[0]) > LARGEST:
            return None
        found: list[Term] = []
        for steps in zip(*aligned):
            column = tuple(step.node for step in steps)
            locals = tuple(step.local for step in steps)
            term = formulas.local(column, steps[0].position, locals, deep=deep)
            if term.known != 1.0:
                found.append(term)
            if sum(each.size for each in found) > LARGEST // 2:
                return None
        return found or [Term.number(1.0, len(paths))]

    def _tell_rows(
        self, factors: list[Term], paths: list[Path], group: Group, labels: list[str]
    ) -> None:
        """A row for each of the biggest paths of a shape, and what the others bring."""
        heads = [product([factor]) for factor in factors]
        cells = [[numeral(x) for x in factor.values[:ROWS]] for factor in factors]
        width = sum(
            2 + max(columns(one.text) for one in (head, *column))
            for head, column in zip(heads, cells)
        )
        wide = max(columns(label) for label in labels[:ROWS])
        if width + min(wide, 24) + 16 > WIDTH or len(factors) < 2:
            heads, cells = [], []
        rows: list[tuple[Piece, ...]] = [
            (label, *(column[k] for column in cells), numeral(path.product))
            for k, (path, label) in enumerate(zip(paths[:ROWS], labels))
        ]
        blank = ("",) * len(heads)
        feet: list[tuple[Piece, ...]] = []
        left = _fewer(group.sums.number, len(rows))
        if left:
            rest = group.sums.total - fsum_(path.product for path in paths[:ROWS])
            feet.append((f"{plural(left, 'more path')}", *blank, numeral(rest)))
        feet.append(("sum", *blank, numeral(group.sums.total)))
        head = ("i", *heads, "product" if heads else "brings")
        self.blocks.append(Table("l" + "r" * (len(heads) + 1), head, tuple(rows), tuple(feet)))

    def _tell_steps(self, path: Path, formulas: Formulas) -> None:
        """A path edge by edge: the operation, by what it is differentiated, and the result."""
        formulas = formulas.shorter(10)
        rows: list[tuple[Piece, ...]] = []
        runs = self._runs(path)
        before = False  # whether the last line spoke of this node by its id
        for i, run in enumerate(runs):
            if len(runs) > STEPS and STEPS // 2 <= i < len(runs) - STEPS // 2:
                if i == STEPS // 2:
                    hidden = runs[i : len(runs) - STEPS // 2]
                    together = 1.0
                    for step in (step for run in hidden for step in run):
                        together *= step.local
                    rows.append((f"… {len(hidden):,} more", "", "", numeral(together)))
                continue
            first, last = run[0], run[-1]
            passing = self.paths.passing(first.node)
            local = formulas.local((first.node,), first.position, (first.local,))
            by = formulas.term((last.arg,))
            rows.append((
                definition(formulas, self.graph.nodes[first.node], called=before),
                by.math(),
                Math("1", "1") if passing else local.math(),
                numeral(1.0 if passing else first.local),
            ))  # fmt: skip
            before = by.symbol is not None
        foot = ("product", "", "", numeral(path.product))
        head = ("of", "by", "local derivative", "number")
        self.blocks.append(Table("lllr", head, tuple(rows), (foot,)))

    def _runs(self, path: Path) -> list[list[Step]]:
        """The edges of a path, additions in a row together: their partials are 1."""
        runs: list[list[Step]] = []
        for step in path.steps:
            joins = runs and self.paths.passing(step.node) and self.paths.passing(runs[-1][0].node)
            if joins:
                runs[-1].append(step)
            else:
                runs.append([step])
        return runs

    def _tell_zero(self, path: Path, count: int, formulas: Formulas) -> None:
        """Why a path brings nothing."""
        for step in path.steps:
            if step.local == 0.0:
                factor = formulas.local((step.node,), step.position, (0.0,))
                why = () if factor.known is not None else (", ", factor.math(), ",")
                each = "" if count == 1 else "Each of these paths passes a factor 0. "
                what = formulas.opened((step.node,)).math()
                self.say(f"{each}Nothing flows through ", what, ": its local derivative",
                         *why, " is 0.")  # fmt: skip
                return

    def _tell_biggest(self) -> None:
        """The biggest of all paths, where shapes are too many."""
        paths = self.paths.biggest(ROWS)
        self.say("The biggest path, edge by edge:")
        self._tell_steps(paths[0], self.formulas())
        left = _fewer(self.paths.sums.number, len(paths))
        rest = self.paths.sums.total - fsum_(path.product for path in paths)
        rows = tuple(
            (str(k), str(len(path.steps)), numeral(path.product)) for k, path in enumerate(paths, 1)
        )
        feet = (
            (plural(left, "more path"), "", numeral(rest)),
            ("sum", "", numeral(self.paths.sums.total)),
        )
        self.say("The paths that bring most:")
        self.blocks.append(Table("lrr", ("", "edges", "brings"), rows, feet))
        self.data["biggest"] = [self._data_of(path, "") for path in paths]

    # ── Stops ─────────────────────────────────────────────────────────────────────────────

    def _tell_stops(self) -> None:
        """Where a gradient that would flow to the node is stopped."""
        cut = self.paths.cut()
        self.data["stops"] = [_edge(step) for step in cut[:KEPT]]
        if not cut:
            return
        if all(step.arg == self.node.id for step in cut) and self.node.role == "constant":
            self.say(self.name, " is a constant: no gradient flows to it.")
            return
        pieces: list[Piece] = []
        formulas = self.formulas().shorter(10)
        for step in cut[:3]:
            pieces.append(", " if pieces else "")
            if self.graph.nodes[step.arg].role == "constant":
                pieces += ["to ", formulas.term((step.arg,)).math(), ", a constant"]
            else:
                pieces += ["through ", formulas.opened((step.node,)).math()]
        pieces.append("." if len(cut) <= 3 else f", and at {len(cut) - 3:,} more places.")
        self.say(self.name, " is also used where no gradient flows: ", *pieces)

    # ── Labels and data ───────────────────────────────────────────────────────────────────

    def _labels(self, paths: list[Path], count: int) -> list[str]:
        """What tells the paths of one shape apart: the parts of their scopes that differ."""
        if len(paths) == 1 or len(paths[0].steps) > KEPT:
            return [f"#{k}" for k in range(1, len(paths) + 1)]
        aligned = [[s for s in path.steps if not self.paths.passing(s.node)] for path in paths]
        scopes = [[(self.graph.nodes[s.node].scope or "").split("/") for s in a] for a in aligned]
        told: list[dict[tuple[str, ...], str]] = [{} for _ in paths]
        for at in zip(*scopes):
            for depth in range(min(map(len, at))):
                if len({scope[depth] for scope in at}) > 1:
                    for found, scope in zip(told, at):
                        found[tuple(scope[: depth + 1])] = scope[depth]
        labels = [short(", ".join(found.values()), 40) for found in told]
        order = sorted(range(len(paths)), key=lambda k: [s.node for s in paths[k].steps[::-1]])
        ranks = {k: str(rank) for rank, k in enumerate(order, 1)}
        ends = [f"v{path.steps[-1].node}" for path in paths]
        longer = [", ".join(filter(None, pair)) for pair in zip(labels, ends)]
        numbers = [ranks[k] for k in range(len(paths))]
        for some in [labels, numbers] if count == len(paths) else [labels, longer, ends]:
            if all(some) and len(set(some)) == len(some):
                return some
        return [f"#{k}" for k in range(1, len(paths) + 1)]

    def _data_of(self, path: Path, label: str) -> dict[str, Any]:
        return {
            "label": label,
            "product": path.product,
            "length": len(path.steps),
            "steps": [_edge(step) for step in path.steps[:KEPT]],
        }


def _edge(step: Step) -> dict[str, Any]:
    return {"node": step.node, "position": step.position, "arg": step.arg, "local": step.local}


def identity(node: Node) -> dict[str, Any]:
    """Which node it is, as data."""
    return {"id": node.id, "name": node.name, "scope": node.scope, "value": node.data}


def definition(formulas: Formulas, node: Node, *, called: bool = False) -> Math:
    """A node and how it was computed: ŷ = w·x + b. Without a name only how, or by its id."""
    formula = formulas.opened((node.id,)).math()
    if not node.name and not called:
        return formula
    name = formulas.symbol((node.id,))
    return Math(f"{name.text} = {formula.text}", f"{name.tex} = {formula.tex}")


def _fewer(number: int, shown: int) -> int:
    """How many are left; of more than can be counted, as many."""
    return number if number >= MANY else number - shown


def _summed(formula: Math, term: Term | None = None) -> Math:
    """Σᵢ before a formula."""
    loose = term is not None and term.op is not None and term.op.name in ("add", "sub", "sum")
    if loose:
        return Math(f"Σᵢ ({formula.text})", rf"\sum_i \left({formula.tex}\right)")
    return Math(f"Σᵢ {formula.text}", rf"\sum_i {formula.tex}")


def bracketed(number: Math) -> Math:
    """A number as a term of a sum or a factor: in parentheses if it is negative."""
    if not number.text.startswith("-"):
        return number
    return Math(f"({number.text})", rf"\left({number.tex}\right)")


def fsum_(xs: Any) -> float:
    """The exact sum, rounded once; plain addition where infinities are among the terms."""
    terms: Sequence[float] = list(xs)
    return fsum(terms) if all(map(isfinite, terms)) else sum(terms)
