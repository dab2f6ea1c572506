"""The diffs of docs/architecture.md are applied to copies of the package, and used there.

A new primitive is one edit of the package: everything knows it.
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
DOCS = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
ROW, *OTHERS = re.findall(r"^```diff\n(.*?)^```$", DOCS, re.S | re.M)

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


USE_OF_OTHERS = """
import sys
import tinygrad_edu as tg
from tinygrad_edu import Value, keras
from tinygrad_edu.explaining.lisp import lisp
from tinygrad_edu.explaining.notation import Math
from tinygrad_edu.explaining.symbols import Term

model = keras.Sequential([keras.layers.Scaling(0.5, 1.0, input_shape=[1]), keras.layers.Dense(1)])
model.compile("sgd", "mse")
model.fit([2.0, 4.0], [1.0, 2.0], epochs=2, verbose=0)
model.save(sys.argv[1])
again = keras.models.load_model(sys.argv[1])
assert list(again.predict([3.0])) == list(model.predict([3.0]))
loss = model.loss_graph([2.0], [1.0])
assert tg.tree(loss) and tg.draw(loss).source and str(tg.explain(loss, model.parameters()[0]))

assert tg.jit(tg.grad(lambda x: x * tg.sin(x)), executor="plain")(0.0) == 0.0
x, y = (Term.named(Math(name, name), 3.0) for name in "xy")
assert lisp(tg.tanh(x * 2.0) + y) == "(add (tanh (mul x 2.0)) y)"
"""


def copied(copy: Path, *diffs: str) -> Path:
    """A copy of the package, its docs and its tests, with these edits."""
    ignore = shutil.ignore_patterns("__pycache__")
    for name in ("tinygrad_edu", "tests", "docs"):
        shutil.copytree(ROOT / name, copy / name, ignore=ignore)
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, copy)
    for diff in diffs:
        subprocess.run(["patch", "-p1"], cwd=copy, input=diff, text=True, check=True)
    return copy


@pytest.fixture(scope="module")
def copy(tmp_path_factory) -> Path:
    """A copy with the new row and the generated files."""
    copy = copied(tmp_path_factory.mktemp("copy"), ROW)
    run(copy, "-m", "tests.generate")
    return copy


@pytest.fixture(scope="module")
def other(tmp_path_factory) -> Path:
    """A copy with the new layer, executor, renderer and page."""
    return copied(tmp_path_factory.mktemp("other"), *OTHERS)


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
    generated = {str(path.relative_to(PACKAGE)) for path in GENERATED if PACKAGE in path.parents}
    assert set(changed) - generated == {"core/ops.py"}


def test_everything_knows_the_new_row(copy: Path, tmp_path: Path):
    run(copy, "-c", USE, str(tmp_path / "page.html"))
    assert "rsqrt" in (tmp_path / "page.html").read_text(encoding="utf-8")


def test_it_goes_through_the_tests_of_every_row(copy: Path):
    names = ("table", "edges", "compiler", "compiler_c", "compiler_native", "exploring_arithmetic")
    tests = [f"tests/test_{name}.py" for name in names]
    chosen = "rsqrt or every_row_answers or every_primitive_at or (every_row_on and not python)"
    printed = run(copy, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", chosen, *tests)
    assert re.search(r"(\d+) passed", printed), printed


def test_a_layer_an_executor_and_a_renderer_are_used(other: Path, tmp_path: Path):
    run(other, "-c", USE_OF_OTHERS, str(tmp_path / "model.json"))


def test_an_executor_and_a_page_go_through_their_tests(other: Path):
    for test, chosen in (("test_compiler", "plain"), ("test_docs", "scaling")):
        command = ["-m", "pytest", "-q", "-p", "no:cacheprovider", f"tests/{test}.py", "-k", chosen]
        printed = run(other, *command)
        assert re.search(r"(\d+) passed", printed), printed
