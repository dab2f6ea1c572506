"""``make bench``, or ``python -m tests.bench``: every case, beside the peers that are installed.

Each line of a case runs in a process of its own. All processes of a case are prepared first and
must agree on the numbers; then they are timed in turn, round after round, so that a machine that
is busy for a while disturbs all of them alike. The table shows medians over the rounds. It is
also written to build/bench.txt and bench.json, and drawn to bench.png there where matplotlib
is installed.

A peer may live in another interpreter: ``--peer torch=/path/to/python``, or several of them,
separated like a PATH, in the environment variable BENCH_PEERS.

Nothing here passes or fails: a benchmark tells numbers, and people read them.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from textwrap import fill
from typing import Any, NamedTuple

from .cases import CASES, INSTALL, Case, Line

ROOT = Path(__file__).parents[2]
ONE_THREAD = {
    **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"),
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
    "KERAS_BACKEND": "jax",
    "PYTHONPATH": str(ROOT),
    "PYTHONHASHSEED": "0",
}
ENOUGH = 20.0  # seconds of timing for one line


class Found(NamedTuple):
    """The result of a line: the time of each round, or why there is none."""

    line: Line
    rounds: list[float]
    facts: dict[str, Any]
    why: str = ""
    version: str = ""

    @property
    def seconds(self) -> float:
        return median(self.rounds)

    @property
    def node(self) -> float:
        """Seconds per node, nan where it is not told how many nodes there are."""
        return self.seconds / self.facts.get("nodes", math.nan)


class Worker:
    """A line's process. See worker.py for what is said to it."""

    def __init__(self, line: Line, size: int, python: str) -> None:
        self.line, self.rounds = line, []
        self.process = subprocess.Popen(
            [python, "-m", "tests.bench.worker", line.side, line.function, str(size)],
            cwd=ROOT, env={**os.environ, **ONE_THREAD}, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        self.told = self.heard()

    def heard(self) -> dict[str, Any]:
        text = self.process.stdout.readline()
        return json.loads(text) if text else {"error": self.process.stderr.read().strip()[-300:]}

    def measure(self, seconds: float) -> None:
        if sum(self.rounds) < ENOUGH and "error" not in self.told:
            print(seconds, file=self.process.stdin, flush=True)
            told = self.heard()
            if "seconds" in told:
                self.rounds.append(told["seconds"])
            else:
                self.told, self.rounds = told, []

    def close(self) -> Found:
        self.process.communicate()
        error = self.told.get("error", "")
        version = self.told.get("version", "")
        return Found(self.line, self.rounds, self.told.get("facts", {}), error, version)


def run(
    case: Case, pythons: dict[str, str], rounds: int, seconds: float, tiny: bool
) -> list[Found]:
    """Prepare all lines of a case, see that they agree, time them in turn."""
    workers: list[Worker] = []
    found: dict[str, Found] = {}
    for line in case.lines:
        if line.side in pythons or line.side == "ours":
            size = line.size or (case.tiny if tiny else case.size)
            workers.append(Worker(line, size, pythons.get(line.side, sys.executable)))
        else:
            found[line.label] = Found(line, [], {}, INSTALL[line.side])
    able = [worker for worker in workers if "answer" in worker.told]
    if case.alike:
        for worker in able:
            agreeing(able[0], worker)
    for _ in range(rounds):
        for worker in able:
            worker.measure(seconds)
    found.update((worker.line.label, worker.close()) for worker in workers)
    return [found[line.label] for line in case.lines]


def agreeing(a: Worker, b: Worker) -> None:
    """Stop if two sides do not give the same numbers: to compare their times would be vain."""
    xs, ys = a.told["answer"], b.told["answer"]
    scale = max(map(abs, xs), default=0.0)
    same = len(xs) == len(ys) and all(abs(x - y) <= 1e-9 * scale for x, y in zip(xs, ys))
    if not same:
        raise SystemExit(
            f"{a.line.label} and {b.line.label} do not compute the same: {xs[:3]}, {ys[:3]}"
        )


# ── Which peers there are ─────────────────────────────────────────────────────────────────


def installed(peers: list[str]) -> dict[str, str]:
    """The interpreter of every peer that there is."""
    given = dict(peer.split("=", 1) for peer in peers)
    result = {}
    for name in INSTALL:
        if name in given:
            code = f"import importlib.util as u; raise SystemExit(u.find_spec({name!r}) is None)"
            if subprocess.run([given[name], "-c", code]).returncode == 0:
                result[name] = given[name]
        elif find_spec(name):
            result[name] = sys.executable
    return result


# ── The table ─────────────────────────────────────────────────────────────────────────────


def shown(seconds: float) -> str:
    """A time with its unit, three digits.

    >>> shown(20.13e-6), shown(1.5e-3), shown(12.0)
    ('20.1 µs', '1.50 ms', '12.0 s')
    """
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6), ("ns", 1e-9)):
        if seconds >= size or unit == "ns":
            x = seconds / size
            return f"{x:.{2 if x < 10 else 1 if x < 100 else 0}f} {unit}"
    raise AssertionError


def ratio(x: float) -> str:
    return f"{x:.2f} ×" if x < 10 else f"{x:.1f} ×" if x < 100 else f"{x:,.0f} ×"


def judged(found: Found, first: Found) -> tuple[str, str, bool | None]:
    """How a line compares to the first, its bar, and whether that is met."""
    line = found.line
    if line.limit is not None:
        return "", f"≤ {line.limit:g} s" if line.limit >= 0.1 else f"≤ {line.limit * 1e3:g} ms", (
            found.seconds <= line.limit
        )  # fmt: skip
    if found is first or not first.rounds:
        return "", "", None
    times = found.seconds / first.seconds
    if line.within is not None:
        return ratio(times), f"≤ {line.within:g} ×", times <= line.within
    bar = f"≥ {line.times:,.0f} ×" if line.times else ""
    return ratio(times), bar, times >= line.times if line.times else None


def table(case: Case, lines: list[Found]) -> str:
    """The lines of a case, at most 80 columns wide."""
    rows = [case.title, "─" * 78]
    for found in lines:
        label = f"  {found.line.label:20}"
        if not found.rounds:
            missing = found.line.side in INSTALL and found.why == INSTALL[found.line.side]
            rows.append(f"{label} {'not installed: ' if missing else 'failed: '}{found.why}"[:80])
            continue
        times, bar, met = judged(found, lines[0])
        mark = {True: "met", False: "missed", None: ""}[met]
        row = f"{label}{shown(found.seconds):>9}{times:>10}{bar:>11} {mark:7}{remark(found)}"
        rows.append(row.rstrip())
    if case.spread is not None and all(found.rounds for found in lines):
        nodes = [found.node for found in lines]
        spread = max(nodes) / min(nodes)
        mark = "met" if spread <= case.spread else "missed"
        bar = f"≤ {case.spread:g} ×"
        rows.append(f"  {'largest ÷ smallest per node':29}{ratio(spread):>10}{bar:>11} {mark}")
    return "\n".join(rows) + "\n"


def remark(found: Found) -> str:
    """Further facts of a line: the executor, and the time per node."""
    facts = found.facts
    words = [str(facts.get("executor", ""))]
    if "bytes" in facts:
        words.append(f"{facts['bytes'] / facts['nodes']:.0f} B")
    if "nodes" in facts:
        words.append(f"{shown(found.node)}/node")
    return " ".join(filter(None, words))


def record(case: Case, lines: list[Found]) -> dict[str, Any]:
    """A case as data."""
    result = {}
    for found in lines:
        if not found.rounds:
            result[found.line.label] = {"missing": found.why}
            continue
        times, bar, met = judged(found, lines[0])
        result[found.line.label] = {
            "seconds": found.seconds, "rounds": found.rounds, "facts": found.facts,
            "ratio": times, "bar": bar, "met": met,
        }  # fmt: skip
    return {"title": case.title, "lines": result}


def machine() -> str:
    """The processor's family, its cores and the versions, and no name of a machine."""
    model = platform.processor() or platform.machine()
    for line in (
        Path("/proc/cpuinfo").read_text().split("\n") if Path("/proc/cpuinfo").exists() else ()
    ):
        if line.startswith("model name"):
            model = line.split(":", 1)[1].strip()
            break
    return f"Python {platform.python_version()}, {model}, {os.cpu_count()} cores"


def versions(results: dict[str, list[Found]]) -> str:
    """Every side that ran, with its version."""
    seen = {f.line.side: f.version for lines in results.values() for f in lines if f.version}
    named = [f"{'tinygrad_edu' if s == 'ours' else s} {version}" for s, version in seen.items()]
    return fill(", ".join(named), 80)


def draw(results: dict[str, list[Found]], path: Path) -> bool:
    """Every case as bars on a logarithmic axis; False where there is no matplotlib."""
    if not find_spec("matplotlib"):
        return False
    from matplotlib.figure import Figure

    results = {name: [f for f in lines if f.rounds] for name, lines in results.items()}
    results = {name: lines for name, lines in results.items() if lines}
    heights = [len(lines) + 1.2 for lines in results.values()]
    figure = Figure(figsize=(8, 0.27 * sum(heights) + 0.5), layout="constrained")
    axes = figure.subplots(len(results), 1, gridspec_kw={"height_ratios": heights}, squeeze=False)
    for ax, (name, lines) in zip(axes[:, 0], results.items()):
        times = [found.seconds for found in lines]
        colours = ["#1b6ca8" if found.line.side == "ours" else "#b8bec4" for found in lines]
        ax.barh([found.line.label for found in lines], times, color=colours)
        ax.set_xscale("log")
        ax.set_xlim(min(times) / 2, max(times) * 8)
        for row, seconds in enumerate(times):
            ax.text(seconds * 1.1, row, shown(seconds), va="center", fontsize=8)
        ax.invert_yaxis()
        ax.set_title(CASES[name].title, fontsize=9, loc="left")
        ax.tick_params(axis="x", which="both", bottom=False, labelbottom=False)
        ax.tick_params(axis="y", length=0, labelsize=8)
        ax.spines[["top", "right", "bottom"]].set_visible(False)
    figure.savefig(path, dpi=150)
    return True


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench", description=__doc__.split("\n")[0]
    )
    parser.add_argument("--case", action="append", choices=CASES, help="only this one (repeatable)")
    parser.add_argument("--rounds", type=int, help="how often every line is timed (default 7)")
    parser.add_argument("--quick", action="store_true", help="few short rounds")
    parser.add_argument("--tiny", action="store_true", help="the smallest sizes, to try it out")
    parser.add_argument("--peer", action="append", default=[], metavar="NAME=PYTHON",
                        help="the interpreter that has a peer (repeatable)")  # fmt: skip
    parser.add_argument("--out", type=Path, default=ROOT / "build", help="folder for the results")
    options = parser.parse_args(arguments)

    others = [peer for peer in os.environ.get("BENCH_PEERS", "").split(os.pathsep) if peer]
    pythons = installed([*others, *options.peer])
    rounds = options.rounds or (3 if options.quick else 7)
    seconds = 0.05 if options.quick else 0.3
    results: dict[str, list[Found]] = {}
    told: list[str] = []

    def tell(text: str) -> None:
        told.append(f"{text}\n")
        print(text, flush=True)

    tell(f"{machine()}; medians of {rounds} rounds\n")
    for name in options.case or CASES:
        results[name] = run(CASES[name], pythons, rounds, seconds, options.tiny)
        tell(table(CASES[name], results[name]))
    tell(versions(results))
    options.out.mkdir(exist_ok=True)
    data = {
        "machine": machine(),
        "versions": versions(results),
        "cases": {name: record(CASES[name], lines) for name, lines in results.items()},
    }
    (options.out / "bench.txt").write_text("".join(told), encoding="utf-8")
    (options.out / "bench.json").write_text(json.dumps(data, indent=1) + "\n")
    drawn = draw(results, options.out / "bench.png")
    print(f"Written to {options.out}: bench.txt, bench.json{', bench.png' if drawn else ''}.")


if __name__ == "__main__":
    main()
