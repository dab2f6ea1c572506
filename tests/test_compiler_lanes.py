"""One sample or many: which rows give the same bits, and by how much the others differ. The bounds
are those of the table in docs/compiling.md."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import tinygrad_edu as tg
from tinygrad_edu import Value

np = pytest.importorskip("numpy")
pytest.importorskip("llvmlite")

DOCS = Path(__file__).parents[1] / "docs" / "compiling.md"
SAID = {
    name: tuple(map(int, found))
    for names, *found in re.findall(
        r"^\| (`[^|]*`) \| (\d+) ulp \| (\d+) ulp \|$", DOCS.read_text("utf-8"), re.MULTILINE
    )
    for name in re.findall(r"`(\w+)`", names)
}
"""For each row that may differ: by how many ulp its value, and its slopes."""

ROWS = [op for op in tg.TABLE.values() if op.arity is not None and not op.opaque]
BIG = 0.125  # results nearer to 0 may come from terms that cancel


def samples(count: int, width: int, seed: int) -> Any:
    rng = np.random.default_rng(seed)
    shape = (count, width)
    sizes = rng.choice([-1.0, 1.0], shape) * np.exp2(rng.uniform(-60.0, 10.0, shape))
    return np.concatenate([rng.uniform(-1.5, 1.5, shape), rng.uniform(-40.0, 40.0, shape), sizes])


def ulps(found: Any, right: Any) -> Any:
    """How far numbers are from others, in units of the last place of these; 0 for the same."""
    same = (found == right) | (np.isnan(found) & np.isnan(right))
    with np.errstate(all="ignore"):
        return np.where(same, 0.0, np.abs(found - right) / np.spacing(np.abs(right)))


def differences(op: Any, count: int, seed: int) -> list[float]:
    """By how much many samples in machine code differ from Python: the value, and the slopes.

    A single sample must give the same bits as Python, and the two executors in machine code must
    give the same bits as each other, whatever the number of lanes.
    """
    xs = [Value(x, role="input") for x in (0.6, 0.7, 0.8)[: op.arity - len(op.defaults)]]
    out = op(*xs)
    worst = [0.0, 0.0]
    for i, result in enumerate([out, *tg.gradients(out, xs)]):
        if result.op is None:
            continue  # a constant slope
        rows = samples(count, len(xs), seed)
        python, native, machine = (
            tg.compile(result, inputs=xs, executor=executor)
            for executor in ("python", "native", "machine")
        )
        right, found = (np.asarray(program.values(rows)) for program in (python, native))
        alone = np.array([native.values(row[None])[0] for row in rows[:20]])
        allowed = 1.0 if op.name == "hypot" else 0.0
        assert max(ulps(alone, right[:20])) <= allowed, op.name
        assert np.array_equal(found, machine.values(rows), equal_nan=True), op.name
        for few in (2, 9):
            same = np.array_equal(found[:few], native.values(rows[:few]), equal_nan=True)
            assert same, (op.name, few)
        big = (np.abs(right) >= BIG) | (ulps(found, right) == 0.0)
        far = np.where(big, ulps(found, right), 0.0)
        worst[i > 0] = max(worst[i > 0], float(far.max()))
        if op.name not in SAID and op.name != "hypot":
            assert (ulps(found, right) == 0.0).all(), op.name
    return worst


@pytest.mark.parametrize("op", ROWS, ids=lambda op: op.name)
def test_lanes_agree_as_documented(op):
    value, slope = differences(op, 150, seed=len(op.name))
    said = SAID.get(op.name, (1, 1) if op.name == "hypot" else (0, 0))
    assert value <= said[0]
    assert slope <= said[1]


def test_the_table_names_only_rows():
    assert SAID.keys() <= {op.name for op in ROWS}
    assert len(SAID) > 20


if __name__ == "__main__":  # prints what the documented table is made from
    for op in ROWS:
        SAID[op.name] = (99, 99)
        value, slope = differences(op, 20_000, seed=1)
        if value or slope:
            print(op.name, int(value), int(slope), flush=True)
