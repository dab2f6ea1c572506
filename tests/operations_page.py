"""docs/operations.md: every row of the table with its formula, slope, plot and edges."""

from __future__ import annotations

import ast
import json
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.trust.asserted import Case, agree, ours
from tests.trust.peers import PEERS, edges
from tinygrad_edu.core.table import BUILT_IN, TABLE, Op
from tinygrad_edu.explaining import symbols
from tinygrad_edu.explaining.notation import Math, rounded
from tinygrad_edu.explaining.symbols import Term

ROOT = Path(__file__).parents[1]
PEERS_DATA = ROOT / "tests" / "data" / "peers.json"
ROWS = [TABLE[name] for name in TABLE if name in BUILT_IN - {"unless_nan"}]

HEAD = """# Operations

Every operation of the table, with its formula, its partial derivatives, its domain and whether it
has kinks. A plot shows an operation of one argument from −4 to 4 as a line, and its slope dashed;
both axes have the same scale. `out` is the operation's result. Guards against overflow are left out
of the partials, and "or" stands between the partials of an operation in several pieces. Outside its
domain an operation is not real or not smooth; [conventions.md](conventions.md) lists the results
there, and the slopes at kinks. (Made from the table by `make generate`.)

| operation | plot | formula | partial derivatives | domain | kinks |
|---|---|---|---|---|---|
"""
NARY = {"sum": ("Σ xᵢ", "1"), "logsumexp": ("log Σ exp(xᵢ)", "exp(xᵢ − out)"),
        "norm": ("√Σ xᵢ²", "xᵢ/out")}  # fmt: skip
GUARD = re.compile(r"clip\((\w+), -[\d.e+]+, [\d.e+]+\)")


def operations() -> str:
    """The whole page."""
    domains = conditions()
    return HEAD + "\n".join(line(row, domains) for row in ROWS) + "\n" + beside()


def line(op: Op, domains: dict[str, str]) -> str:
    """A row's line in the first table."""
    names = op.parameters if op.arity else ("xs",)
    if op.arity is None:
        formula, slopes = NARY[op.name][0], [NARY[op.name][1]]
    else:
        args = [Term.named(Math(name, name), x) for name, x in zip(names, POINTS[0])]
        formula = Term(op, tuple(args), (0.0,)).math().text
        slopes = [slope(op, i) for i in range(op.arity)]
    shown = f"![{op.name} and its slope](operations/{op.name}.svg)" if plotted(op) else ""
    cells = [
        f"`{op.name}({', '.join(names)})`", shown, formula, "; ".join(slopes),
        "" if op.domain is None else f"`{domains[op.name]}`", "yes" if op.kinks else "",
    ]  # fmt: skip
    return table_row(cells)


def table_row(cells: list[str]) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


POINTS = (
    (0.3, 0.5, 0.7),
    (1.5, 0.5, 2.5),
    (-0.7, 0.5, 0.7),
    (9.0, 8.0, 7.0),
    (-9.0, 0.5, 1.0),
)


def slope(op: Op, i: int) -> str:
    """A partial as a formula; for a row in pieces, that of each piece that a point is on."""
    if op.partials[i] is None:
        return "none"
    texts = []
    for point in POINTS:
        numbers = point[: op.arity]
        if op.domain is None or op.domain(*numbers):
            args = [Term.named(Math(name, name), x) for name, x in zip(op.parameters, numbers)]
            out = Term.named(Math("out", "out"), op(*numbers))
            at = float(op.partials[i](*out.values, *numbers))
            texts.append(symbols.partial(op, i, out, args, [at]).math().text)
    short = [GUARD.sub(r"\1", text) for text in texts if "⋯" not in text]
    return " or ".join(dict.fromkeys(short))


def conditions() -> dict[str, str]:
    """The condition of each row's domain, as it stands in the file of the rows."""
    found = {}
    source = (ROOT / "tinygrad_edu" / "core" / "ops.py").read_text(encoding="utf-8")
    for call in ast.walk(ast.parse(source)):
        if isinstance(call, ast.Call) and ast.unparse(call.func) == "_built_in":
            for keyword in call.keywords:
                if keyword.arg == "domain":
                    body = getattr(keyword.value, "body", keyword.value)
                    found[ast.literal_eval(call.args[0])] = ast.unparse(body)
    return found


# ── Plots ─────────────────────────────────────────────────────────────────────────────────

WIDE, HIGH, REACH = 96, 64, 4.0  # pixels, and the numbers at the left and right ends
SCALE = WIDE / (2.0 * REACH)  # pixels per 1, in both directions
STYLE = (
    "path{fill:none;stroke-linejoin:round}.axis{stroke:#9ca3af;stroke-width:.7}"
    ".value{stroke:#0a7abf;stroke-width:1.8}.slope{stroke:#d1660f;stroke-width:1.4;"
    "stroke-dasharray:3 2.2}"
)


def plotted(op: Op) -> bool:
    """Whether an operation has a plot: if one argument is enough, and a gradient flows to it."""
    return op.arity is not None and op.arity - len(op.defaults) == 1 and not op.blocked


def plot(op: Op) -> str:
    """An operation and its slope as a small picture."""
    xs = [REACH * (i - 100) / 100.0 + 1e-9 for i in range(201)]
    xs = [x for x in xs if op.domain is None or op.domain(x, *op.defaults)]
    values = [(x, op.compute(x, *op.defaults)) for x in xs]
    slopes = [(x, float(op.partials[0](y, x, *op.defaults))) for x, y in values]  # type: ignore[misc]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDE}" height="{HIGH}" '
        f'viewBox="0 0 {WIDE} {HIGH}"><style>{STYLE}</style>'
        f'<path class="axis" d="M0 {HIGH / 2:g}H{WIDE}M{WIDE / 2:g} 0V{HIGH}"/>'
        f'<path class="slope" d="{curve(op, slopes)}"/>'
        f'<path class="value" d="{curve(op, values)}"/>'
        "</svg>\n"
    )


def curve(op: Op, points: list[tuple[float, float]]) -> str:
    """A path through points, with a gap where it jumps or leaves the picture."""
    steps, before, last = [], None, (math.nan, math.nan)
    for x, y in points:
        piece = op.kinks(x, *op.defaults) if op.kinks else 0
        apart = before is None or x - last[0] > 0.05 or (piece != before and abs(y - last[1]) > 0.3)
        inside = abs(y) < 1.5 * REACH
        if inside:
            steps.append(f"{'M' if apart else 'L'}{pixel(x, WIDE, 1)} {pixel(y, HIGH, -1)}")
        before, last = piece if inside else None, (x, y)
    return thinned(steps)


def thinned(steps: list[str]) -> str:
    """Every second of the points between others, for half the size."""
    keep = [
        step for i, step in enumerate(steps)
        if i % 2 == 0 or step[0] == "M" or i + 1 == len(steps) or steps[i + 1][0] == "M"
    ]  # fmt: skip
    return "".join(keep)


def pixel(x: float, size: int, way: int) -> str:
    return f"{size / 2.0 + way * SCALE * x:.1f}".removesuffix(".0")


# ── Edges ─────────────────────────────────────────────────────────────────────────────────

MOST = 3  # of one operation

BESIDE = """
## Edges beside PyTorch's and JAX's

The values and slopes of {rows} operations were compared with those of {versions}
at kinks, poles, ends of domains, ties and infinities, in double precision: {points} numbers, of
which {same} are the same in every library that has the operation. Below are up to three numbers of
each operation that differ, those at finite arguments first; [trust.md](trust.md) says why. "by x"
is the slope by that argument, and — stands where a library lacks the operation.

| at | of | here | PyTorch | JAX |
|---|---|---|---|---|
"""


class Edge(NamedTuple):
    """A number at an edge: here, and of each library that has the operation."""

    row: str
    args: tuple[float, ...]
    by: tuple[int, ...]
    here: float
    theirs: dict[str, float]

    @property
    def differs(self) -> bool:
        return not all(agree(x, self.here) for x in self.theirs.values())


def every_edge() -> tuple[list[Edge], str]:
    """All edges at arguments that are not nan; and the versions of the libraries."""
    record = json.loads(PEERS_DATA.read_text(encoding="utf-8"))
    met: dict[str, tuple[str, tuple[float, ...], tuple[int, ...], dict[str, float]]] = {}
    for peer, found in record.items():
        for name, results in found["edges"].items():
            for args, numbers in zip(edges(TABLE[name]), results):
                for by, x in zip([(), *((i,) for i in range(len(args)))], numbers):
                    if x is not None and not any(map(math.isnan, args)):
                        key = f"{name}{args}{by}"  # −0 is not 0
                        met.setdefault(key, (name, args, by, {}))[-1][peer] = x
    versions = " and ".join(f"{PEERS[peer]} {found['version']}" for peer, found in record.items())
    return [
        Edge(name, args, by, ours(Case("", "", name, args, by, 0.0)), theirs)
        for name, args, by, theirs in met.values()
    ], versions


def beside() -> str:
    """The second table: where the three libraries differ."""
    found, versions = every_edge()
    lines = [
        table_row(
            [written(edge), "value" if not edge.by else f"by {argument(edge)}",
             number(edge.here), *(number(edge.theirs.get(peer)) for peer in PEERS)]
        )
        for row in ROWS
        for edge in chosen([edge for edge in found if edge.row == row.name and edge.differs])
    ]  # fmt: skip
    same = sum(not edge.differs for edge in found)
    head = BESIDE.format(
        versions=versions, points=f"{len(found):,}", same=f"{same:,}",
        rows=len({edge.row for edge in found}),
    )  # fmt: skip
    return head + "\n".join(lines) + "\n"


def chosen(edges: list[Edge]) -> Iterator[Edge]:
    """A few of an operation's edges: at finite numbers first, each kind of difference once."""
    order = sorted(edges, key=lambda e: (any(map(math.isinf, e.args)), max(map(abs, e.args))))
    seen: set[tuple[str, ...]] = set()
    for edge in order:
        kind = (*map(str, edge.by), number(edge.here), *map(number, edge.theirs.values()))
        apparent = any(text != number(edge.here) for text in map(number, edge.theirs.values()))
        if apparent and kind not in seen and len(seen) < MOST:
            seen.add(kind)
            yield edge


def argument(edge: Edge) -> str:
    row = TABLE[edge.row]
    return row.parameters[edge.by[0]] if row.arity else f"x{'₁₂₃'[edge.by[0]]}"


def written(edge: Edge) -> str:
    """The operation at its arguments; those that are defaults are left out."""
    row = TABLE[edge.row]
    required = len(edge.args) if row.arity is None else row.arity - len(row.defaults)
    return f"`{edge.row}({', '.join(map(number, edge.args[:required]))})`"


def number(x: float | None) -> str:
    if x is None:
        return "—"
    return "−0" if x == 0.0 and math.copysign(1.0, x) < 0.0 else rounded(x).replace("-", "−")
