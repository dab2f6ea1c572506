"""The mutants themselves: which errors are made, and whether the list of equivalents is current."""

from __future__ import annotations

import ast
import json

import pytest

from tests.mutants.listing import CORE, PACKAGE, REPORT, ROOMS, entries, in_file, sample
from tests.mutants.mutations import mutants

SOURCE = '''
"""Docs."""
import math

LIMIT: float = 1e300


def f(x, y=0.0, *, keep=True):
    """Docs."""
    assert x
    if x < -y and keep:
        raise ValueError(f"{x} is too small")
    for part in (x, y):
        x += g(part, y, key=part is None)
    return -abs(x) if not keep else [x, "name"]
'''
CHANGES = {
    "[1e300 → 2e+300]", "[0.0 → 1.0]", "[*, → ]", "[True → False]", "[< → <=]", "[< → >=]",
    "[and → or]", "[x < -y → ]", "[keep → ]", "[- → ]", "[x < -y and keep → True]",
    "[x < -y and keep → False]", '[raise ValueError(f"{x} is too small") → pass]',
    '[f"{x} is too small" → ""]', '[f"{x} is too small" → without {x}]', "[(x, y) → ()]",
    "[x → ]", "[y → ]", "[+= → -=]", "[+= → =]", "[part, y → y, part]", "[is → is not]",
    "[key=part is None → ]", "[x += g(part, y, key=part is None) → pass]", "[abs(x) → (x)]",
    '[ValueError(f"{x} is too small") → (f"{x} is too small")]', "[not → ]", '["name" → ""]',
    "[not keep → True]", "[not keep → False]", "[LIMIT: float = 1e300 → pass]",
    '[return -abs(x) if not keep else [x, "name"] → pass]',
}  # fmt: skip


def test_each_kind_of_error_is_made():
    changes = set()
    for mutant in mutants(SOURCE, "file.py"):
        mutated = mutant.of(SOURCE)
        assert ast.dump(ast.parse(mutated)) != ast.dump(ast.parse(SOURCE)), mutant.name
        start = mutant.name.index("[", mutant.name.index(": "))
        changes |= {change for change in CHANGES if mutant.name[start:].find(change) >= 0}
    assert changes == CHANGES


@pytest.mark.parametrize("path", CORE)
def test_every_mutant_of_the_core_is_python_and_has_a_name_of_its_own(path):
    source = (PACKAGE / path).read_text(encoding="utf-8")
    every = in_file(path)
    assert len({mutant.name for mutant in every}) == len(every)
    for mutant in every[::100]:
        ast.parse(mutant.of(source))


def test_equivalents_are_listed_once_each_with_a_reason():
    names = [name for entry in entries() for name in entry["mutants"]]
    assert len(set(names)) == len(names)
    for entry in entries():
        assert len(entry["reason"].split()) >= 5, entry


def test_equivalents_name_places_that_exist():
    files = {name.split()[0] for entry in entries() for name in entry["mutants"]}
    there = {mutant.name for path in files for mutant in in_file(path)}
    gone = [name for entry in entries() for name in entry["mutants"] if name not in there]
    assert not gone, "the source has changed: run python -m tests.mutants, and amend the list"


def test_samples_are_fixed():
    for room in ROOMS:
        first, again = sample(room), sample(room)
        assert first == again
        assert sum(map(len, first.values())) == 60


def test_the_report_covers_every_file_of_the_core():
    report = json.loads(REPORT.read_text(encoding="utf-8"))
    assert list(report["core"]) == CORE
    for part in report.values():
        for path, row in part.items():
            rest = row["killed"] + row["equivalent"] + row["waiting"] + len(row["survived"])
            assert row["mutants"] == rest, path
