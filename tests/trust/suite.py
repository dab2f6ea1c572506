"""The test suite itself: its mutation score, and how much of each room it runs."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from importlib import metadata
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "tinygrad_edu"
REPORT = ROOT / "tests/mutants/report.json"


def mutants() -> tuple[str, str]:
    """The last run of make mutants, and every equivalent with its reason."""
    if not REPORT.exists():
        return "Not measured: `make mutants` has not written its report yet.", ""
    report: dict[str, dict[str, Any]] = json.loads(REPORT.read_text(encoding="utf-8"))
    lines = ["| file | mutants | killed | equivalent | survived | no verdict yet |",
             "|---|---|---|---|---|---|"]  # fmt: skip
    totals = []
    for part, files in report.items():
        sums = [0, 0, 0, 0, 0]
        for path, row in files.items():
            counts = [row["mutants"], row["killed"], row["equivalent"], len(row["survived"]),
                      row.get("waiting", 0)]  # fmt: skip
            sums = [x + y for x, y in zip(sums, counts)]
            if part == "core":
                lines.append(f"| {path} | {' | '.join(map(str, counts))} |")
        lines.append(f"| **{part}** | {' | '.join(f'**{x}**' for x in sums)} |")
        score = 100.0 * sums[1] / max(sums[0] - sums[2], 1)
        totals.append(f"{part} {score:.1f} %")
    survivors = [name for files in report.values() for row in files.values()
                 for name in row["survived"]]  # fmt: skip
    parts = [MUTANTS.format(scores=", ".join(totals)), "\n".join(lines)]
    if survivors:
        parts.append("Survivors:\n\n" + "\n".join(f"- `{name}`" for name in survivors))
    entries = importlib.import_module("tests.mutants.listing").entries()
    if entries:
        listed = "\n".join(f"- {len(e['mutants'])}: {e['reason'].strip()}" for e in entries)
        parts.append(f"The reasons why mutants are equivalent, with their number:\n\n{listed}")
    return "\n\n".join(parts), ""


MUTANTS = """\
A mutant is the source with one small error in it. It is *killed* if a test fails, and *equivalent*
if it behaves like the source, which takes an argument: `tests/mutants/equivalents.toml` lists each
of them. The mutants are those of the core, and of a fixed sample of other rooms. Killed so
far, of all that aren't equivalent: {scores}. The last column counts those for which no run has come
to a verdict yet, survivors of short runs among them. [Testing](testing.md) says how `make mutants`
works."""

SETTINGS = """\
[run]
branch = true
parallel = true
source = {package}
data_file = {folder}/data
patch = subprocess
"""
# Every test that can run here, those of the page in a browser included if there is one. The
# examples of Hypothesis are drawn with a fixed seed.
PYTEST = ("-m", "pytest", "-q", "-p", "no:cacheprovider", "-n", "2", "tests")


def coverage() -> tuple[str, str]:
    """Runs the tests under coverage.py."""
    with tempfile.TemporaryDirectory() as folder:
        settings = Path(folder, "settings")
        settings.write_text(SETTINGS.format(folder=folder, package=PACKAGE))
        environment = {**os.environ, "CI": "1", "COVERAGE_RCFILE": str(settings)}
        run = [sys.executable, "-m", "coverage"]
        subprocess.run([*run, "run", *PYTEST], cwd=ROOT, env=environment, capture_output=True)
        subprocess.run([*run, "combine", "-q"], cwd=ROOT, env=environment, check=True)
        result = Path(folder, "result.json")
        subprocess.run(
            [*run, "json", "-q", "-o", str(result)], cwd=ROOT, env=environment, check=True
        )
        files = json.loads(result.read_text())["files"]
    return rooms(files), f"coverage.py {metadata.version('coverage')}"


def rooms(files: dict[str, Any]) -> str:
    """The chapter, from coverage.py's report."""
    kinds = ("covered_lines", "num_statements", "covered_branches", "num_branches")
    sums: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    for path, file in files.items():
        inside = (ROOT / path).relative_to(PACKAGE).parts
        for name in (f"{inside[0]}/" if len(inside) > 1 else "single files", "**all**"):
            sums[name] = [x + file["summary"][kind] for x, kind in zip(sums[name], kinds)]
    lines = ["| room | statements run | branches taken |", "|---|---|---|"]
    for name, (run, statements, taken, branches) in sorted(sums.items()):
        lines.append(f"| {name} | {share(run, statements)} | {share(taken, branches)} |")
    return "\n\n".join([TESTS, "\n".join(lines)])


TESTS = """\
The tests were run under coverage.py, with a fixed seed. The shares are rounded down to whole
percent, as a few branches depend on how fast the machine is. The rest is mostly what only other
systems reach: other versions of Python, Windows, processors without the instructions that this one
has, and what runs only in processes that tests kill."""


def share(part: int, whole: int) -> str:
    return f"{100 * part // max(whole, 1)} %"
