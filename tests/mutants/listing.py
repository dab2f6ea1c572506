"""Which mutants there are, and which of them are equivalent to the source."""

from __future__ import annotations

import hashlib
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
