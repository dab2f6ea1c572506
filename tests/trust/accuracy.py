"""The error of every row, of its value and of three derivatives, in units in the last place.

The right results are those of tests/oracle.py: the definition of a row, evaluated by mpmath with
as many digits as it takes until fifty of them are right.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

import tinygrad_edu as tg
from tests.extremes import LARGEST, SMALLEST_NORMAL
from tests.oracle import Truth, mp
from tinygrad_edu import Value
from tinygrad_edu.core.table import TABLE, Op

from . import graphs, peers, plot
from .points import ORDER, ROWS, Args, key, orders, points, tree

BEYOND = mp.mpf(LARGEST) * (1 + mp.mpf(2) ** -54)
OURS, LANES = "tinygrad_edu", "tinygrad_edu in lanes"


class Error(NamedTuple):
    """The errors of one derivative of a row over its points, in ulp."""

    most: float  # 99 % of the points have less
    worst: float
    where: Args
    got: float
    right: str


class Report(NamedTuple):
    """Everything that was measured about one row."""

    name: str
    count: int
    errors: dict[str, list[Error | None]]  # by library: of the value and the derivatives in order


def ulps(got: float, true: Any) -> float:
    """The distance of a result from the exact one, in units in the last place of the latter."""
    if not math.isfinite(got):
        return math.inf
    exponent = int(mp.frexp(true)[1]) if true else -1074
    return float(abs(mp.mpf(got) - true) / mp.ldexp(1, max(exponent - 53, -1074)))


def recorded(row: Op, args: Args) -> tuple[list[Value], list[Value]]:
    """The leaves, and the value with all derivatives as graphs."""
    leaves = [Value(x) for x in args]
    y = row(leaves) if row.arity is None else row(*leaves)
    return leaves, tree(orders(row), y, lambda z, i: tg.gradients(z, [leaves[i]])[0])


def ours(row: Op, where: Sequence[Args]) -> list[list[float]]:
    return [[float(z.data) for z in recorded(row, args)[1]] for args in where]


def in_lanes(row: Op, where: Sequence[Args]) -> list[list[float]]:
    leaves, results = recorded(row, where[0])
    program = tg.compile(results, inputs=leaves, executor="machine")
    return [list(map(float, numbers)) for numbers in program.values([list(x) for x in where])]


def exact(row: Op, args: Args) -> list[Any]:
    """The right results, None where there is none: at a kink, and beyond the doubles.

    A quotient of subnormal numbers has no more digits than they.
    """
    truth = Truth(row.name, args)
    out = row.compute(*args)
    lost = row.name in ("div", "hypot", "norm") and 0.0 < abs(out) < SMALLEST_NORMAL
    if lost or truth.on_border():
        return [None] * len(orders(row))
    results = [truth.derivative(by) for by in orders(row)]
    return [x if x == x and abs(x) < BEYOND else None for x in results]


def errors(
    row: Op, where: Sequence[Args], right: list[list[Any]], got: list[list[float]]
) -> list[Error | None]:
    """Of the value and of the derivatives of each order, all arguments together."""
    report: list[Error | None] = []
    for order in range(ORDER + 1):
        columns = [i for i, by in enumerate(orders(row)) if len(by) == order]
        found = [
            (ulps(numbers[i], true[i]), args, numbers[i], true[i])
            for args, numbers, true in zip(where, got, right)
            for i in columns
            if true[i] is not None and numbers[i] is not None
        ]
        if not found:
            report.append(None)
            continue
        found.sort(key=lambda x: x[0])
        worst = found[-1]
        most = found[math.ceil(0.99 * len(found)) - 1][0]
        report.append(Error(most, worst[0], worst[1], worst[2], str(mp.nstr(worst[3], 17))))
    return report


def measured(name: str, other: dict[str, list[list[float]]]) -> Report:
    """One row, and beside it what other libraries gave at its points."""
    row = TABLE[name]
    where = points(row)
    right = [exact(row, args) for args in where]
    given = {OURS: ours(row, where), LANES: in_lanes(row, where), **other}
    return Report(
        name,
        sum(true[0] is not None for true in right),
        {library: errors(row, where, right, got) for library, got in given.items()},
    )


# ── The chapter ───────────────────────────────────────────────────────────────────────────

RECORD = Path(__file__).parents[1] / "data/peers.json"
PLOT = Path(__file__).parents[2] / "docs/accuracy.svg"
Record = dict[str, Any]  # of each peer: its version, and per row the key and the errors


def chapter() -> tuple[str, str]:
    """The chapter, and the versions that its figures depend on."""
    present = {peer: numbers for peer in peers.PEERS if (numbers := peers.numbers(peer))}
    record: Record = json.loads(RECORD.read_text()) if RECORD.exists() else {}
    with ProcessPoolExecutor(max_workers=2) as pool:
        jobs = []
        for row in ROWS:
            given = {
                peer: x["rows"][row.name]["points"]
                for peer, x in present.items()
                if row.name in x["rows"]
            }
            jobs.append(pool.submit(measured, row.name, given))
        reports = [job.result() for job in jobs]
    for peer, x in present.items():
        record[peer] = {
            "version": x["version"],
            "graphs": max(graphs.errors(peer, x["graphs"])),
            "edges": {name: row["edges"] for name, row in x["rows"].items()},
            "rows": {
                report.name: {"key": key(TABLE[report.name]), "errors": report.errors[peer]}
                for report in reports
                if peer in report.errors
            },
        }
    if present:
        RECORD.write_text(dumped(record), encoding="utf-8")
    for report in reports:
        for peer, kept in record.items():
            row = kept["rows"].get(report.name)
            if row and row["key"] == key(TABLE[report.name]):
                report.errors[peer] = [x and Error(*x) for x in row["errors"]]
    PLOT.write_text(plot.drawn(reports), encoding="utf-8")
    versions = "".join(
        f", {label} {record[peer]['version']}" if peer in record else f", {label} not installed"
        for peer, label in peers.PEERS.items()
    )
    return text(reports), f"mpmath {metadata.version('mpmath')}{versions}"


def dumped(record: Record) -> str:
    """The record as JSON, with a line for each row."""
    peers_written = []
    for peer, kept in record.items():
        head = json.dumps({k: x for k, x in kept.items() if not isinstance(x, dict)})
        parts = [
            f"{json.dumps(part)}: {{\n"
            + ",\n".join(f"{json.dumps(name)}: {json.dumps(row)}" for name, row in rows.items())
            + "\n}"
            for part, rows in kept.items()
            if isinstance(rows, dict)
        ]
        peers_written.append(f"{json.dumps(peer)}: {head[:-1]}, {', '.join(parts)}}}")
    return "{" + ",\n".join(peers_written) + "}\n"


def text(reports: list[Report]) -> str:
    """The chapter in Markdown."""
    parts = [
        HEAD.format(points=sum(r.count for r in reports), rows=len(reports)),
        "![Errors of every row, of PyTorch and of JAX](accuracy.svg)",
        SUMMARY,
        summary(reports),
        "### This package",
        table(reports, OURS),
        WORST,
        worst(reports),
        IN_LANES,
        table(reports, LANES, unlike=OURS),
    ]
    for peer, label in peers.PEERS.items():
        measured_too = any(peer in report.errors for report in reports)
        parts += [f"### {label}", table(reports, peer) if measured_too else "Not installed."]
    return "\n\n".join(parts)


def summary(reports: list[Report]) -> str:
    """In how many rows the value and the derivatives are accurate, for each library."""
    lines = [
        "| library | value | f′ | f″ | f‴ | rows with a wrong infinity or nan |",
        "|---|---|---|---|---|---|",
    ]
    for library, label in {OURS: OURS, LANES: LANES, **peers.PEERS}.items():
        rows = [report.errors[library] for report in reports if library in report.errors]
        shares = [
            f"{sum(e.most <= CLOSE for e in column)} of {len(column)}"
            for order in range(ORDER + 1)
            if (column := [e for row in rows if (e := row[order])])
        ]
        lost = sum(any(e and e.worst == math.inf for e in row) for row in rows)
        lines.append(f"| {label} | {' | '.join(shares)} | {lost} |")
    return "\n".join(lines)


CLOSE = 4.0  # ulp
HEAD = """\
Each of the {rows} rows of the table of operations is evaluated at up to 500 points, {points:,} in
all: dense where the row bends, over its whole range, in its tails from 1e-300 to 1e300, and next to
every kink and end of its domain. The exact results are those of the row's definition, to fifty
digits, by mpmath. The unit is the *ulp*, the distance between neighbouring doubles: a result that
is rounded perfectly is off by at most 0.5."""

SUMMARY = f"""\
In how many rows 99 % of the results are off by at most {CLOSE:.0f} ulp:"""

WORST = """\
A cell such as `0.5 (0.9)` says: 99 % of the results are off by at most 0.5 ulp, and the worst by
0.9. Derivatives are by every argument of the row. ∞ means that a result was infinite or nan where
the exact one is a number, and — that the library cannot compute this derivative. Kinks themselves
are left out, as are exact results too large for a double.

An error of many ulp means that terms cancelled: the result is small, and the terms that add up to
it are not. These are the worst results. The last column is the error in relation to the larger one
of 1 and the exact result; [conventions](conventions.md#extreme-arguments) says what is promised."""

IN_LANES = """\
### This package, in the lanes of a batch

A program that is replayed over a batch computes some functions with its own vector code
(see [compiling](compiling.md)). These are the rows whose errors differ from those above."""


def shown(error: float) -> str:
    """An error with as many digits as mean something.

    >>> shown(0.496), shown(12.3), shown(1.2e15), shown(math.inf)
    ('0.5', '12', '1e15', '∞')
    """
    if error in (0.0, math.inf):
        return "∞" if error else "0"
    if error < 10.0:
        return f"{max(error, 0.1):.1f}"
    return f"{error:.0f}" if error < 1e4 else f"{error:.0e}".replace("e+", "e")


def cell(error: Error | None) -> str:
    return "—" if error is None else f"{shown(error.most)} ({shown(error.worst)})"


def table(reports: list[Report], library: str, unlike: str | None = None) -> str:
    """The errors of one library, or of those rows where they are not those of another."""
    lines = ["| row | value | f′ | f″ | f‴ |", "|---|---|---|---|---|"]
    for report in reports:
        if library in report.errors:
            cells = " | ".join(map(cell, report.errors[library]))
            if unlike is None or cells != " | ".join(map(cell, report.errors[unlike])):
                lines.append(f"| {report.name} | {cells} |")
    return "\n".join(lines)


def worst(reports: list[Report]) -> str:
    """The twelve worst results of ours."""
    lines = ["| derivative | at | result | exact | ulp | error |", "|---|---|---|---|---|---|"]
    every = [
        (error, report.name, order)
        for report in reports
        for order, error in enumerate(report.errors[OURS])
        if error is not None
    ]
    for error, name, order in sorted(every, key=lambda x: (-x[0].worst, x[1:]))[:12]:
        off = abs(error.got - float(error.right)) / max(1.0, abs(float(error.right)))
        where = ", ".join(f"{x:.6g}" for x in error.where)
        lines.append(
            f"| {name}{'′' * order} | {where} | {error.got:.6g} | {float(error.right):.6g} "
            f"| {shown(error.worst)} | {off:.0e} |"
        )
    return "\n".join(lines)
