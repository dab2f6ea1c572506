"""Blocks of a page, as the site runs them in the browser: which ones, and what is shown."""

from __future__ import annotations

import base64
import sys
from pathlib import Path
from typing import Any

import pytest

from docs.browser import packing
from docs.browser.marking import names, needs
from docs.browser.session import MOST, Session


@pytest.fixture
def given() -> list[dict[str, Any]]:
    return []


@pytest.fixture
def session(given, tmp_path, monkeypatch) -> Session:
    monkeypatch.chdir(tmp_path)
    return Session(given.append)


def texts(given: list[dict[str, Any]]) -> list[str]:
    return [one["text"] for one in given]


def test_after_prompts_every_value_is_displayed_and_names_are_kept(session, given):
    assert session.run(">>> x = 2\n>>> x + 1\n3\n>>> 'a'\n'a'\n>>> None\n>>> print(x)\n2\n")
    assert session.run(">>> x * 10\n20\n")
    assert texts(given) == ["3", "'a'", "2", "\n", "20"]
    assert [one["kind"] for one in given] == ["value", "value", "text", "text", "value"]


def test_elsewhere_only_the_last_value_is_displayed(session, given):
    assert session.run("x = 1\nx + 1\ndisplay(x)\n(x +\n 5)")
    assert session.run("def f():\n    return 3\n")
    assert session.run("x; f()")
    assert session.run("# only a comment\n")
    assert texts(given) == ["1", "6", "3"]


def test_pictures_are_displayed_as_html(session, given):
    code = "import tinygrad_edu as tg\nx = tg.Value(2.0, 'x')\ntg.draw(x * x)"
    assert session.run(code)
    assert "<svg" in given[0]["html"]
    assert given[0]["text"].startswith("× = 4")
    assert session.run("tg.Value")  # a class is not an object that has a picture
    assert given[1]["html"] is None


def test_files_that_a_block_saves_are_shown(session, given):
    Path("before.txt").write_text("old")
    assert session.run(
        "from pathlib import Path\nPath('f').mkdir()\nn = Path('f/é.txt').write_bytes(b'\\xff')\n"
    )
    assert given == [{"kind": "file", "name": str(Path("f/é.txt")), "data": "/w=="}]
    assert session.run("n = Path('before.txt').write_text('newer')")
    assert base64.b64decode(given[1]["data"]) == b"newer"
    assert session.run("n = 3")
    assert len(given) == 2


def test_an_error_names_its_message_and_the_lines_of_the_block(session, given):
    assert not session.run("def f(x):\n    return 1 / x\n\nprint('before')\nf(0)\nprint('after')")
    printed, newline, error = given
    assert (printed["text"], newline["text"]) == ("before", "\n")
    assert error["kind"] == "error"
    assert error["text"] == "ZeroDivisionError: division by zero"
    assert "line 5" in error["trace"]
    assert "line 2" in error["trace"]
    assert "return 1 / x" in error["trace"]
    assert "session.py" not in error["trace"]


def test_errors_of_the_package_are_shown_without_its_own_lines(session, given):
    assert not session.run("import tinygrad_edu as tg\ntg.Value('three')")
    assert given[0]["text"].startswith("tinygrad_edu.errors.NotANumber: ")
    assert given[0]["trace"].count("File") == 1


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("x = (1,", "SyntaxError"),
        ("import sys; sys.exit(3)", "SystemExit: 3"),
        ("import no_such_module", "only tinygrad_edu and Python's standard library"),
    ],
)
def test_whatever_ends_a_block_is_shown(session, given, code, message):
    assert not session.run(code)
    assert message in given[-1]["text"]
    assert session.run("1")


def test_an_exception_that_a_page_expects_is_shown_and_the_block_goes_on(session, given):
    expected = "Traceback (most recent call last):\n    ...\nZeroDivisionError: division by zero\n"
    assert session.run(f">>> 1 / 0\n{expected}>>> 5\n5\n")
    assert [one["kind"] for one in given] == ["error", "value"]


def test_no_more_is_shown_than_a_page_can_hold(session, given):
    assert session.run(f"print('x' * {MOST - 1})\nprint('y' * 9)\nprint('z')")
    shown = "".join(texts(given))
    assert shown.startswith("x" * (MOST - 1) + "\n")
    assert shown.endswith("… and more, which is not shown")
    assert len(shown) < MOST + 40
    assert session.run("print('again')")
    assert texts(given)[-2:] == ["again", "\n"]


def test_commands_run(session, given):
    Path("t.csv").write_text("a,b\n1,2\n2,4\n3,6\n")
    assert session.run("tinygrad-edu train t.csv --epochs 3  # a comment\n\n", "sh")
    assert any("t.csv" in one["text"] for one in given)
    assert not session.run("tinygrad-edu train nowhere.csv\ntinygrad-edu --version", "sh")
    assert not session.run("rm -rf x", "sh")
    assert "Only tinygrad-edu" in given[-1]["text"]


def test_standard_output_and_the_display_of_values_are_as_before(session):
    before = sys.stdout, sys.stderr, sys.displayhook
    session.run("print(1)\n1 / 0")
    assert (sys.stdout, sys.stderr, sys.displayhook) == before


PAGES: dict[str, tuple[list[tuple[str, str]], list[list[str] | None]]] = {
    "a name of a block that doesn't run": (
        [("python", "import numpy as np\na = b = np.ones(2)"), ("python", "f(b)"),
         ("python", "c = a"), ("python", "def f():\n    return c")],
        [["numpy"]] * 4,
    ),
    "a name that is given anew": (
        [("python", "import numpy as np\nx = 1"), ("python", "x = 2\nx"), ("python", ">>> x\n2\n")],
        [["numpy"], [], []],
    ),
    "a name that is given anew too late": (
        [("python", "import numpy as np\nx = 1"), ("python", "y = x\nx = 2"), ("python", "x")],
        [["numpy"], ["numpy"], ["numpy"]],
    ),
    "a name inside": (
        [("python", "import scipy\nx = 1"), ("python", "[x for x in (1, 2)]; lambda x: x"),
         ("python", "def f(x): return x"), ("python", "lambda: x")],
        [["scipy"], [], [], ["scipy"]],
    ),
    "several packages": (
        [("python", 'e.export("a.onnx", "sympy")'), ("sh", "tinygrad-edu\ntinygrad-edu --x"),
         ("diff", "+1"), (None, "text"), ("sh", "make docs")],
        [["tinygrad-edu[symbols]", "tinygrad-edu[onnx]"], ["tinygrad-edu"], None, None, None],
    ),
}  # fmt: skip


@pytest.mark.parametrize("page", PAGES)
def test_which_blocks_run(page):
    blocks, expected = PAGES[page]
    assert needs(blocks) == expected


def test_the_names_of_a_statement():
    code = "import os.path, ab as c\nclass A:\n    b = d\n    def f(self): return e + self\nx += y"
    assert names(code) == [({"os", "c"}, set()), ({"A"}, {"d", "e"}), ({"x"}, {"x", "y"})]


@pytest.mark.parametrize(
    ("npm", "reason"),
    [(None, "Install Node.js"), ("import sys; sys.exit('no network')", "no network")],
)
@pytest.mark.skipif(sys.platform == "win32", reason="the stand-in for npm is a script")
def test_without_npm_there_is_no_script_but_a_reason(npm, reason, tmp_path, monkeypatch):
    """The script of an earlier build would no longer fit the site."""
    script, program = tmp_path / "python.js", tmp_path / "npm"
    script.write_text("old")
    if npm:
        program.write_text(f"#!{sys.executable}\n{npm}\n")
        program.chmod(0o755)
    monkeypatch.setattr(packing, "CACHE", tmp_path / "cache")
    monkeypatch.setattr(packing.shutil, "which", lambda name: str(program) if npm else None)
    with pytest.raises(packing.Missing, match=reason):
        packing.pack(script)
    assert not script.exists()
    assert not list(tmp_path.glob("cache/*"))
