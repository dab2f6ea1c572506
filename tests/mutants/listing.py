"""Which mutants there are, and which of them are equivalent to the source."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

from .mutations import Mutant, mutants

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PACKAGE = ROOT / "tinygrad_edu"
REPORT = HERE / "report.json"
KILLERS = HERE / "killers.json"  # for each test the mutants that it killed, by `short`

CORE = [
    f"core/{name}.py"
    for name in ("ops", "value", "graph", "calculus", "operators", "table", "modes", "spelling")
]
ROOMS = {
    "compiler": ["compiler/*.py"],
    "optimisers": ["nn/optimizers.py"],
    "losses": ["nn/losses.py"],
    "training": ["keras/training.py", "keras/recording.py", "keras/updating.py"],
    "explaining": ["explaining/*.py"],
}
SAMPLED = 60  # mutants of each of these rooms


def in_file(path: str) -> list[Mutant]:
    """Every mutant of a file of the package."""
    return mutants((PACKAGE / path).read_text(encoding="utf-8"), path)


def sample(room: str) -> dict[str, list[Mutant]]:
    """A fixed sample of the mutants of a room; other code added does not change the order."""
    files = sorted(file for pattern in ROOMS[room] for file in PACKAGE.glob(pattern))
    paths = [file.relative_to(PACKAGE).as_posix() for file in files]
    every = [(path, mutant) for path in paths for mutant in in_file(path)]
    every.sort(key=lambda pair: hashlib.sha256(pair[1].name.encode()).digest())
    chosen: dict[str, list[Mutant]] = {}
    for path, mutant in every[:SAMPLED]:
        chosen.setdefault(path, []).append(mutant)
    return {path: chosen[path] for path in sorted(chosen)}


def entries() -> list[dict[str, Any]]:
    """The list of equivalent mutants: each entry has a reason and the names of mutants."""
    text = (HERE / "equivalents.toml").read_text(encoding="utf-8")
    listed: list[dict[str, Any]] = tomllib.loads(text).get("equivalent", [])
    return listed


def equivalents() -> dict[str, str]:
    """The reason for each mutant that is equivalent to the source."""
    return {name: entry["reason"] for entry in entries() for name in entry["mutants"]}


def short(name: str) -> str:
    """A mutant's name in twelve characters."""
    return hashlib.sha256(name.encode()).hexdigest()[:12]


def killers() -> dict[str, str]:
    """The test that last killed each mutant, by the mutant's short name: the one to try first."""
    if not KILLERS.exists():
        return {}
    by_test = json.loads(KILLERS.read_text(encoding="utf-8"))
    return {mutant: test for test, mutants in by_test.items() for mutant in mutants}


def write_killers(killed: dict[str, str]) -> None:
    """Keep which test killed each mutant; `killed` gives it by the mutant's whole name."""
    latest = killers() | {short(name): test for name, test in killed.items() if "::" in test}
    by_test: dict[str, list[str]] = {}
    for mutant, test in sorted(latest.items()):
        by_test.setdefault(test, []).append(mutant)
    text = json.dumps(by_test, indent=0, sort_keys=True, ensure_ascii=False)
    KILLERS.write_text(text + "\n", encoding="utf-8")
