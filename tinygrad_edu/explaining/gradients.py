"""One gradient explained: the sum over all paths from the result back to a node.

`gradient` first computes the facts, a `Finding`, which are then written twice: as plain data, and
as sentences, formulas and tables.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import reduce
from itertools import groupby
from math import fsum, isfinite, prod
from operator import mul
from typing import Any, Final, NamedTuple

from ..snapshots import Graph, Node
from ..strings import MANY, columns, counted, plural, short
from . import nonfinite
from .document import WIDTH, Block, Explanation, Formula, Piece, Prose, Table, Title
from .formulas import Formulas
from .notation import Math, derivative, equal, nth, numeral, parenthesised  # fmt: skip
from .paths import SHOWN, Path, Paths, Step, Sums
from .simplifying import simplified
from .symbols import LARGEST, Term, product

ROWS: Final = 10  # paths of a shape that have a row each
READ: Final = 50  # paths of a shape from which its formula is derived
STEPS: Final = 14  # edges of a path that have a row each
LONGEST: Final = 360  # characters of a formula; a longer one doesn't explain anything
KEPT: Final = 1000  # edges of a path in the data


class Edge(NamedTuple):
    """An edge of a path, or several together: the operation, by what it is differentiated, and
    the local derivative, as a formula and as a number."""

    of: Piece
    by: Piece
    local: Piece
    number: float


class Shape(NamedTuple):
    """The paths of one shape, or all paths if their shapes are too many.

    Attributes:
        sums: the sums over all of them.
        paths: the largest of them.
        labels: a distinguishing label for each of these.
        edges: the largest one, edge by edge.
        zero: the first edge whose factor is 0, if all paths contain one.
        factors: the local derivatives along these paths, as terms; none if they are too many.
        formulas: the product of the factors, also simplified; none if it is too long.
    """

    sums: Sums
    paths: list[Path]
    labels: list[str]
    edges: list[Edge]
    zero: Edge | None = None
    factors: Sequence[Term] = ()
    formulas: Sequence[Math] = ()


class Finding(NamedTuple):
    """The paths from a result back to a node, as far as they are explained.

    Attributes:
        paths: all of them.
        node: the node.
        names: the symbols, each of one node; the two ends had the first choice of names.
        shapes: those that are shown in full, the largest contribution first.
        others: the sums over the paths of each further shape; None if there are too many shapes.
    """

    paths: Paths
    node: Node
    names: Formulas
    shapes: list[Shape]
    others: list[Sums] | None

    def ends(self) -> tuple[Math, Math]:
        """The symbols of the result and of the node."""
        return self.names.symbol((self.paths.graph.root.id,)), self.names.symbol((self.node.id,))


def gradient(graph: Graph, target: int) -> Explanation:
    """The explanation of the derivative of a graph's root with respect to the node with that id."""
    finding, births = find(graph, target), nonfinite.births(graph)
    data = {**as_data(finding), "births": nonfinite.as_data(births)}
    return Explanation([*_blocks(finding), *nonfinite.blocks(graph, births)], data)


def find(graph: Graph, target: int) -> Finding:
    """The facts about the paths from a graph's root to the node with that id."""
    paths = Paths(graph, target)
    names = Formulas(graph, (graph.root.id, target))
    trivial = not paths.sums.number or target == graph.root.id
    groups = [] if trivial else paths.groups(READ)
    shapes, others = [], None
    if groups is None:
        largest = paths.biggest(ROWS)
        edges = _edges(paths, largest[0], names)
        shapes = [Shape(paths.sums, largest, [""] * len(largest), edges)]
    else:
        shapes = [_shape(paths, sums, largest, names) for sums, largest in groups[:SHOWN]]
        others = [sums for sums, _ in groups[SHOWN:]]
    return Finding(paths, graph.nodes[target], names, shapes, others)


def _shape(paths: Paths, sums: Sums, some: list[Path], names: Formulas) -> Shape:
    edges = _edges(paths, some[0], names)
    zero = None
    if not sums.live:
        step = next(step for step in some[0].steps if step.local == 0.0)
        local = names.local((step.node,), step.position, (0.0,))
        zero = Edge(names.opened((step.node,)).math(), "", local.math(), 0.0)
    factors = _factors(paths, some, names) or []
    formulas = [product(factors)] if factors else []
    if factors and columns(formulas[0].text) > LONGEST:
        formulas = []
    elif factors and (deep := _factors(paths, some, names, deep=True)):
        shorter = simplified(reduce(mul, deep))
        if shorter is not None and len(shorter.math().text) <= max(60, len(formulas[0].text)):
            added = shorter.op is not None and shorter.op.name in ("add", "sub", "sum")
            loose = added and sums.number > 1
            formulas.append(parenthesised(shorter.math()) if loose else shorter.math())
    if sums.number > 1:
        formulas = [Math(f"Σᵢ {one.text}", rf"\sum_i {one.tex}") for one in formulas]
    labels = _labels(paths, some, sums.number)
    return Shape(sums, some, labels, edges, zero, factors, formulas)


def _edges(paths: Paths, path: Path, names: Formulas) -> list[Edge]:
    """A path edge by edge; consecutive additions are merged, because their partials are 1."""
    names = names.shorter(10)
    runs: list[list[Step]] = []
    for step in path.steps:
        if runs and paths.passing(step.node) and paths.passing(runs[-1][0].node):
            runs[-1].append(step)
        else:
            runs.append([step])
    half = STEPS // 2
    hidden = runs[half:-half] if len(runs) > STEPS else []
    edges: list[Edge] = []
    called = False  # whether the last edge named this node by its id
    for run in [*runs[:half], *runs[-half:]] if hidden else runs:
        first = run[0]
        of = definition(names, paths.graph.nodes[first.node], called=called)
        local = names.local((first.node,), first.position, (first.local,)).math()
        by = names.term((run[-1].arg,))
        argument = _argument(paths.graph, run[-1], by.math())
        edges.append(Edge(of, argument, local, first.local))
        called = by.symbol is not None
    if hidden:
        product_of_hidden = prod(step.local for run in hidden for step in run)
        edges.insert(half, Edge(f"… {len(hidden):,} more", "", "", product_of_hidden))
    return edges


def _argument(graph: Graph, step: Step, name: Math) -> Math:
    """The argument at the end of a step; which one, if the operation takes it several times."""
    args = graph.nodes[step.node].args
    several = args.count(step.arg) > 1
    return nth(args[: step.position + 1].count(step.arg), name) if several else name


def _factors(
    paths: Paths, some: list[Path], names: Formulas, *, deep: bool = False
) -> list[Term] | None:
    """The local derivatives of some paths of one shape, as formulas for all of them.

    Factors of 1 are left out. None if the path is too long for a formula.
    """
    aligned = [paths.multiplying(path) for path in some]
    if len(aligned[0]) > LARGEST:
        return None
    factors: list[Term] = []
    for steps in zip(*aligned):
        column = tuple(step.node for step in steps)
        locals = tuple(step.local for step in steps)
        term = names.local(column, steps[0].position, locals, deep=deep)
        if term.constant != 1.0:
            factors.append(term)
        if sum(each.size for each in factors) > LARGEST // 2:
            return None
    return factors or [Term.number(1.0, len(some))]


def _labels(paths: Paths, some: list[Path], count: int) -> list[str]:
    """Labels for the paths of one shape: the parts of their scopes that differ."""
    numbered = [f"#{k}" for k in range(1, len(some) + 1)]
    if len(some) == 1 or len(some[0].steps) > KEPT:
        return numbered
    nodes = paths.graph.nodes
    scopes = [[(nodes[s.node].scope or "").split("/") for s in paths.multiplying(p)] for p in some]
    parts: list[dict[tuple[str, ...], str]] = [{} for _ in some]
    for at in zip(*scopes):
        for depth in range(min(map(len, at))):
            if len({scope[depth] for scope in at}) > 1:
                for mine, scope in zip(parts, at):
                    mine[tuple(scope[: depth + 1])] = scope[depth]
    labels = [short(", ".join(mine.values()), 40) for mine in parts]
    ends = [f"v{path.steps[-1].node}" for path in some]
    longer = [", ".join(filter(None, pair)) for pair in zip(labels, ends)]
    order = sorted(range(len(some)), key=lambda k: [s.node for s in some[k].steps[::-1]])
    ranks = [str(order.index(k) + 1) for k in range(len(some))]
    tried = [labels, ranks] if count == len(some) else [labels, longer, ends]
    return next((one for one in tried if all(one) and len(set(one)) == len(one)), numbered)


# ── As data ───────────────────────────────────────────────────────────────────────────────


def as_data(finding: Finding) -> dict[str, Any]:
    """A finding as dicts and lists of numbers and strings, which JSON can store."""
    sums, several = finding.paths.sums, finding.others is not None
    return {
        "kind": "gradient",
        "of": identity(finding.paths.graph.root),
        "by": identity(finding.node),
        "adjoint": finding.node.adjoint,
        "paths": sums.number,
        "paths_without_zero": sums.live,
        "sum": sums.total,
        "sum_of_magnitudes": sums.size,
        "groups": [
            {
                "count": shape.sums.number,
                "sum": shape.sums.total,
                "sum_of_magnitudes": shape.sums.size,
                "formula": shape.formulas[-1].text if shape.formulas else None,
                "latex": shape.formulas[-1].tex if shape.formulas else None,
                "paths": list(map(_data_of, shape.paths[:ROWS], shape.labels)),
            }
            for shape in (finding.shapes if several else ())
        ],
        "more_groups": len(finding.others or ()),
        "biggest": [] if several else list(map(_data_of, finding.shapes[0].paths)),
        "stops": [step._asdict() for step in finding.paths.cut[:KEPT]],
    }


def _data_of(path: Path, label: str = "") -> dict[str, Any]:
    return {
        "label": label,
        "product": path.product,
        "length": len(path.steps),
        "steps": [step._asdict() for step in path.steps[:KEPT]],
    }


def identity(node: Node) -> dict[str, Any]:
    """The node, as data."""
    return {"id": node.id, "name": node.name, "scope": node.scope, "value": node.data}


# ── As sentences, formulas and tables ─────────────────────────────────────────────────────


def _blocks(finding: Finding) -> Iterator[Block]:
    loss, name = finding.ends()
    slope = finding.node.adjoint
    yield Title((equal(derivative(loss, name), numeral(slope)),))
    if finding.paths.graph.root is finding.node:
        yield Prose((name, " is the result itself, so the derivative is 1."))
    elif not finding.paths.sums.number:
        yield Prose((loss, " does not depend on ", name, ": the derivative is 0."))
    elif not isfinite(slope):
        yield Prose(("It is not finite. Its origin is shown below.",))
    elif slope == 0.0:
        yield Prose(("A small change of ", name, " does not change ", loss, ", to first order."))
    else:
        moves = f" {'rises' if slope > 0.0 else 'falls'} by "
        yield Prose(("If ", name, " grows by a little, ", loss, moves, numeral(abs(slope)),
                     " times as much."))  # fmt: skip
    if finding.shapes:
        yield Prose((name, " affects ", loss, f" along {_ways(finding)}"))
        yield from _biggest(finding.shapes[0]) if finding.others is None else _shapes(finding)
    yield from _stops(finding, name)


def _ways(finding: Finding) -> str:
    """The number of paths and of their shapes, and how the gradient follows from them."""
    number = finding.paths.sums.number
    paths = plural(number, "path")
    if finding.others is None:
        return f"{paths}, of too many shapes for one formula each."
    if number == 1:
        return f"{paths}. The gradient is the product of the local derivatives on it."
    shapes = len(finding.shapes) + len(finding.others)
    rule = "Each contributes the product of its local derivatives; the gradient is"
    if shapes == 1:
        return f"{paths}, all of one shape. {rule} the sum over the paths."
    return f"{paths} of {shapes:,} shapes. {rule} the sum."


def _shapes(finding: Finding) -> Iterator[Block]:
    sums, shapes, others = finding.paths.sums, finding.shapes, finding.others or []
    if 0 < sums.live < sums.number:
        dead = counted(sums.number - sums.live)
        yield Prose((f"{dead} of them contribute nothing: they contain a factor 0.",))
    left = derivative(*finding.ends())
    for number, shape in enumerate(shapes, 1):
        yield from _in_full(shape, number, len(shapes) + len(others), left)
    if len(shapes) == 1:
        return
    brought = [numeral(shape.sums.total) for shape in shapes]
    if others:
        count = min(MANY, sum(other.number for other in others))
        brought.append(numeral(exact_sum([other.total for other in others])))
        also = f"{plural(len(others), 'more shape')}, with {plural(count, 'path')}, contribute "
        yield Prose((also, brought[-1], "."))
    terms = [parenthesised(one) if one.text.startswith("-") else one for one in brought]
    added = Math(" + ".join(one.text for one in terms), " + ".join(one.tex for one in terms))
    yield Formula(((left, added, numeral(sums.total)),))


def _in_full(shape: Shape, number: int, of: int, left: Math) -> Iterator[Block]:
    """One of the shapes: its first path edge by edge, its formula, a row for each path."""
    sums, several = shape.sums, shape.sums.number > 1
    if of > 1:
        share = plural(sums.number, "path")
        yield Title((f"Shape {number} of {of}: {share}, contributing ", numeral(sums.total)))
        left = Math("contribution", r"\text{contribution}")
    label = "the largest path" if shape.labels[0][0] in "#123456789" else shape.labels[0]
    where = f", for {label}" if several else ""
    meaning = " (how fast “of” changes when “by” does)" if number == 1 else ""
    yield Prose((f"Edge by edge{where}{meaning}:",))
    yield _chain(shape)
    if shape.zero is not None:
        each = "Each of these paths contains a factor 0. " if several else ""
        constant = shape.zero.local == Math("0", "0")
        why = () if constant else (", ", shape.zero.local, ",")
        yield Prose((f"{each}Nothing flows through ", shape.zero.of, ": its local derivative",
                     *why, " is 0."))  # fmt: skip
    if several:
        yield Prose(("The same for each path i:",))
    if shape.formulas:
        sides = [*shape.formulas, *(() if several else _numbers(shape))]
        yield Formula(((left, *(side for side, _ in groupby(sides))),))
        if sums.number > len(shape.paths):
            count = len(shape.paths)
            yield Prose((f"That is the formula of the {count} largest; the others pass through "
                         f"the same operations.",))  # fmt: skip
    if several:
        yield _rows(shape)


def _numbers(shape: Shape) -> Iterator[Math]:
    """The formula of a single path with numbers for its symbols, and the result."""
    if max(factor.size for factor in shape.factors) > 1:
        yield product(shape.factors, numbers=True)
    yield product([Term.number(factor.values[0]) for factor in shape.factors])
    yield numeral(shape.sums.total)


def _chain(shape: Shape) -> Table:
    """The largest path, edge by edge."""
    rows = tuple((edge.of, edge.by, edge.local, numeral(edge.number)) for edge in shape.edges)
    foot = ("product", "", "", numeral(shape.paths[0].product))
    return Table("lllr", ("of", "by", "local derivative", "number"), rows, (foot,))


def _rows(shape: Shape) -> Table:
    """A row for each of the largest paths of a shape, and one for the sum of the others."""
    heads = [product([factor]) for factor in shape.factors]
    cells = [[numeral(x) for x in factor.values[:ROWS]] for factor in shape.factors]
    width = sum(
        2 + max(columns(one.text) for one in (head, *column)) for head, column in zip(heads, cells)
    )
    wide = max(columns(label) for label in shape.labels[:ROWS])
    if width + min(wide, 24) + 16 > WIDTH or len(heads) < 2:
        heads, cells = [], []
    rows: list[tuple[Piece, ...]] = [
        (label, *(column[k] for column in cells), numeral(path.product))
        for k, (path, label) in enumerate(zip(shape.paths[:ROWS], shape.labels))
    ]
    feet = _feet(shape.sums, shape.paths[:ROWS], [""] * len(heads))
    head: tuple[Piece, ...] = ("i", *heads, "product")
    return Table("l" + "r" * (len(heads) + 1), head, tuple(rows), feet)


def _biggest(shape: Shape) -> Iterator[Block]:
    """The largest of all paths, if there are too many shapes."""
    yield Prose(("The largest path, edge by edge:",))
    yield _chain(shape)
    yield Prose(("The paths that contribute most:",))
    rows = tuple(
        (str(k), str(len(path.steps)), numeral(path.product))
        for k, path in enumerate(shape.paths, 1)
    )
    yield Table("lrr", ("", "edges", "product"), rows, _feet(shape.sums, shape.paths, [""]))


def _feet(sums: Sums, shown: list[Path], blank: Sequence[Piece]) -> tuple[tuple[Piece, ...], ...]:
    """The sum over the paths that have no row, and the sum over all paths."""
    whole: tuple[Piece, ...] = ("sum", *blank, numeral(sums.total))
    left = sums.number if sums.number >= MANY else sums.number - len(shown)
    if not left:
        return (whole,)
    rest = numeral(sums.total - exact_sum([path.product for path in shown]))
    return (plural(left, "more path"), *blank, rest), whole


def _stops(finding: Finding, name: Math) -> Iterator[Block]:
    """The edges at which a gradient that would flow to the node is stopped."""
    cut, nodes = finding.paths.cut, finding.paths.graph.nodes
    if not cut:
        return
    if all(step.arg == finding.node.id for step in cut) and finding.node.role == "constant":
        yield Prose((name, " is a constant: no gradient flows to it."))
        return
    pieces: list[Piece] = []
    names = finding.names.shorter(10)
    for step in cut[:3]:
        pieces.append(", " if pieces else "")
        if nodes[step.arg].role == "constant":
            pieces += ["to ", names.term((step.arg,)).math(), ", a constant"]
        else:
            pieces += ["through ", names.opened((step.node,)).math()]
    pieces.append("." if len(cut) <= 3 else f", and at {len(cut) - 3:,} more places.")
    yield Prose((name, " is also used where no gradient flows: ", *pieces))


def definition(names: Formulas, node: Node, *, called: bool = False) -> Math:
    """A node and its formula: ŷ = w·x + b. If it has no name, only the formula, or with its id."""
    formula = names.opened((node.id,)).math()
    return equal(names.symbol((node.id,)), formula) if node.name or called else formula


def exact_sum(terms: Sequence[float]) -> float:
    """The exact sum, rounded once; plain addition where infinities are among the terms."""
    return fsum(terms) if all(map(isfinite, terms)) else sum(terms)
