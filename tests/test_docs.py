"""Every code block of README and docs runs; a page's Python blocks share their names."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from doctest import ELLIPSIS
from pathlib import Path

import pytest
from sybil import Sybil
from sybil.example import SybilFailure
from sybil.parsers.markdown import CodeBlockParser, PythonCodeBlockParser

from tinygrad_edu.command import cli

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def command(line: str) -> None:
    """Run one line of a shell block; of make, see that there is such a target."""
    words = shlex.split(line, comments=True)
    if words[0] == "make":
        words = ["make", "--dry-run", *words[1:]]
        subprocess.run(words, check=True, cwd=ROOT, capture_output=True)
    elif words[:4] == ["python", "-m", "pip", "install"]:
        words = [sys.executable, "-m", "pip", "install", "--dry-run", "--no-deps",
                 "--no-build-isolation", *words[4:]]  # fmt: skip
        subprocess.run(words, check=True, cwd=ROOT, capture_output=True)
    else:
        assert words[0] == "tinygrad-edu", f"no test runs {line!r}"
        assert cli.main(words[1:]) == 0


class ShellBlockParser(CodeBlockParser):
    language = "sh"

    def evaluate(self, example) -> None:
        for line in example.parsed.splitlines():
            command(line)


SYBIL = Sybil([PythonCodeBlockParser(doctest_optionflags=ELLIPSIS), ShellBlockParser()])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_its_code_blocks_run(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for example in SYBIL.parse(page).examples():
        example.evaluate()


def test_no_block_is_passed_over():
    """Python and sh blocks are executed, and the diff by test_extending.py: there are no others."""
    for page in PAGES:
        fences = [x for x in page.read_text(encoding="utf-8").splitlines() if x.startswith("```")]
        assert set(fences[0::2]) <= {"```python", "```sh", "```diff"}, page.name
        assert set(fences[1::2]) <= {"```"}, page.name


def test_links_lead_somewhere():
    for page in PAGES:
        for link in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / link).exists(), f"{page.name} links to {link}"


def test_a_failing_block_fails(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("```python\n>>> 1 + 1\n3\n\n```\n")
    (example,) = SYBIL.parse(page).examples()
    with pytest.raises(SybilFailure, match=r"(?s)Expected:\n *3"):
        example.evaluate()
