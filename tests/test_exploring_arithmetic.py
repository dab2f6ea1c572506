"""The page's arithmetic against Python's: every row of the table, in value and partials."""

from __future__ import annotations

import itertools
import json
import math
import random
import shutil
import subprocess
from importlib.resources import files

import pytest

from tinygrad_edu import op
from tinygrad_edu.core.table import BUILT_IN, TABLE
from tinygrad_edu.exploring import javascript

ROWS = [TABLE[name] for name in sorted(BUILT_IN)]
EDGES = (0.0, -0.0, 1.0, -1.0, 0.5, 2.5, -2.5, 5e-324, 1e308, math.inf, -math.inf, math.nan)
NODE = shutil.which("node")


def points(row) -> list[list[float]]:
    """The edges in every combination, and numbers from all over the row's range."""
    rng, count = random.Random(row.name), row.arity or 3
    edges = itertools.product(EDGES, repeat=count)
    found = list(edges) if count < 3 else rng.sample(list(edges), 200)
    ranges = row.sample if row.arity else row.sample * count
    for _ in range(150):
        near = rng.random() < 0.5  # half of them near 0, where most happens
        found.append([rng.uniform(*(max(low, -9.0), min(high, 9.0)) if near else (low, high))
                      for low, high in ranges])  # fmt: skip
    return [list(point) for point in found]


def spelled(x: float) -> str:
    return repr(x)


SCRIPT = """
const read = (x) => x === 'nan' ? NaN : x === 'inf' ? Infinity : x === '-inf' ? -Infinity : +x;
const told = (x) => x === null ? null : Object.is(x, -0) ? '-0.0' : String(x);
const tasks = JSON.parse(require('fs').readFileSync(0, 'utf8'));
console.log(JSON.stringify(tasks.map(([name, points]) => points.map(([out, args]) => {
  const row = ROWS[name], numbers = args.map(read);
  return [told(row.value(...numbers)), row.partials(read(out), ...numbers).map(told)];
}))));
"""


def in_javascript(tasks) -> list:
    """The results of the page's arithmetic; run by node, as the page's own tests need a browser."""
    if NODE is None:
        pytest.skip("node is not here to run the page's arithmetic")
    written, _ = javascript.rows([(row, row.arity or 3) for row in ROWS])
    helpers = (files("tinygrad_edu.exploring") / "script" / "arithmetic.js").read_text(
        encoding="utf-8"
    )
    done = subprocess.run(
        [NODE, "-e", f"'use strict';{helpers}\nconst ROWS = {written};{SCRIPT}"],
        input=json.dumps(tasks), capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    return json.loads(done.stdout)


def read(text: str) -> float:
    return float(text.replace("Infinity", "inf"))


def same(got: str, right: float) -> bool:
    x = read(got)
    if x == right or (x != x and right != right):
        return True
    return abs(x - right) <= 1e-12 * abs(right) + 5e-323 if math.isfinite(right) else False


def test_every_row_answers_as_python_does():
    tasks, right = [], []
    for row in ROWS:
        found = []
        for args in points(row):
            out = row.compute(*args)
            found.append((args, out, row.locals(out, args, [True] * len(args))))
        right.append(found)
        name = javascript.key(row, row.arity or 3)
        tasks.append((name, [(spelled(out), [*map(spelled, args)]) for args, out, _ in found]))
    wrong = []
    for row, answers, found in zip(ROWS, in_javascript(tasks), right):
        for (value, partials), (args, out, slopes) in zip(answers, found):
            if not same(value, out):
                wrong.append(f"{row.name}{args}: {value}, not {out}")
            for i, (partial, slope) in enumerate(zip(partials, slopes)):
                if (partial is None) != (slope is None) or (partial and not same(partial, slope)):
                    wrong.append(f"∂{row.name}{args}/∂{i}: {partial}, not {slope}")
    assert not wrong, "\n".join(wrong[:40]) + f"\n{len(wrong)} in all"


def test_what_only_python_can_run_is_named():
    mine = op("only_python_runs_this", lambda x: math.sin(x), [lambda out, x: 1.0])
    written, opaque = javascript.rows([(mine, 1), (TABLE["neg"], 1), (mine, 1)])
    assert opaque == ["only_python_runs_this"]
    assert '"neg"' in written
    assert "only" not in written


def test_a_traced_row_of_a_user_is_written():
    twice = op("twice_traced", lambda x: x + x, [lambda out, x: 2.0], opaque=False)
    assert javascript.rows([(twice, 1)])[1] == []
