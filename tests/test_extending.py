"""A new primitive is one edit of the package: it is added to a copy, and everything knows it.

docs/architecture.md shows the same edit as a diff.
"""

from __future__ import annotations

import filecmp
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.generate import GENERATED, PACKAGE

ROOT = PACKAGE.parent
DIFF = re.search(
    r"```diff\n(--- a/tinygrad_edu/core/ops\.py.*?)```",
    (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8"),
    re.S,
)

USE = """
import sys
import tinygrad_edu as tg
from tinygrad_edu import Value
from tinygrad_edu.exploring import javascript
from tinygrad_edu.testing import check_grads

assert tg.rsqrt(4.0) == 0.5 and "rsqrt" in tg.__all__
x = Value(4.0, name="x")
y = x.rsqrt()
y.backward()
assert x.grad == -0.0625
assert tg.grad(tg.grad(tg.rsqrt))(4.0) == 0.0234375
check_grads(tg.rsqrt, 0.3)

program = tg.compile(y, inputs=[x])
assert "1.0 / sqrt(x)" in program.source()
assert "1.0 / sqrt(inputs[0])" in program.c_source()
assert "1 / Math.sqrt(x0)" in javascript.row(tg.TABLE["rsqrt"], 1)
for executor in ("python", "machine", "native"):
    assert tg.jit(tg.grad(tg.rsqrt), executor=executor)(4.0) == -0.0625, executor

assert "1/√x" in tg.tree(y) and "1/√x" in tg.draw(y).source
explained = tg.explain(y, x)
assert "√x" in str(explained) and "sqrt{x}" in explained.latex()
tg.explore(y, sys.argv[1])
"""


@pytest.fixture(scope="module")
def copy(tmp_path_factory) -> Path:
    """A copy of the package and its tests, with the edit and the generated files."""
    copy = tmp_path_factory.mktemp("copy")
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(PACKAGE, copy / "tinygrad_edu", ignore=ignore)
    shutil.copytree(ROOT / "tests", copy / "tests", ignore=ignore)
    shutil.copy(ROOT / "pyproject.toml", copy)
    assert DIFF is not None, "docs/architecture.md shows how a row is added"
    subprocess.run(["patch", "-p1"], cwd=copy, input=DIFF[1], text=True, check=True)
    run(copy, "-m", "tests.generate")
    return copy


def run(copy: Path, *args: str) -> str:
    done = subprocess.run(
        [sys.executable, *args], cwd=copy, capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": str(copy)},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def test_one_file_of_the_package_is_edited_by_hand(copy: Path):
    def differing(one: filecmp.dircmp) -> list[str]:
        found = [str(Path(one.left, name).relative_to(PACKAGE)) for name in one.diff_files]
        return found + [name for inner in one.subdirs.values() for name in differing(inner)]

    changed = differing(filecmp.dircmp(PACKAGE, copy / "tinygrad_edu", ["__pycache__"]))
    generated = {str(path.relative_to(PACKAGE)) for path in GENERATED}
    assert set(changed) - generated == {"core/ops.py"}


def test_everything_knows_the_new_row(copy: Path, tmp_path: Path):
    run(copy, "-c", USE, str(tmp_path / "page.html"))
    assert "rsqrt" in (tmp_path / "page.html").read_text(encoding="utf-8")


def test_it_goes_through_the_tests_of_every_row(copy: Path):
    tests = ["tests/test_table.py", "tests/test_edges.py", "tests/test_compiler.py"]
    printed = run(copy, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", "rsqrt", *tests)
    assert re.search(r"(\d+) passed", printed), printed
