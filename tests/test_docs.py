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
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")),
         ROOT / "docs" / "slides" / "index.md"]  # fmt: skip


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
    elif words == ["python", "-m", "pytest"]:
        subprocess.run([sys.executable, "-m", "pytest", "--version"], check=True)
    else:
        assert words[0] == "tinygrad-edu", f"no test runs {line!r}"
        assert cli.main(words[1:]) == 0


class ShellBlockParser(CodeBlockParser):
    language = "sh"

    def evaluate(self, example) -> None:
        for line in example.parsed.splitlines():
            command(line)


SYBIL = Sybil([PythonCodeBlockParser(doctest_optionflags=ELLIPSIS), ShellBlockParser()])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: f"{page.parent.name}/{page.name}")
def test_its_code_blocks_run(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for example in SYBIL.parse(page).examples():
        example.evaluate()
    for name in re.findall(r"\]\(([\w-]+\.svg)\)", page.read_text(encoding="utf-8")):
        if (tmp_path / name).exists():
            assert words(tmp_path / name) == words(page.parent / name), f"{name} is old"


def words(picture: Path) -> list[str]:
    """The strings in a picture; their places depend on the layout engine."""
    return re.findall(r">([^<>\n]+)</text>", picture.read_text(encoding="utf-8"))


def test_the_numbers_of_the_slides_are_those_of_chapter_1():
    """There they are computed."""
    slides = (ROOT / "docs" / "slides" / "index.md").read_text(encoding="utf-8")
    chapter = (ROOT / "docs" / "zero.md").read_text(encoding="utf-8")
    numbers = set(re.findall(r"\d+\.\d+|\d{3,}", re.sub(r"(?s)```.*?```", "", slides)))
    assert len(numbers) > 20
    assert [number for number in numbers if number not in chapter] == []


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


def anchor(heading: str) -> str:
    """The name by which GitHub and the site link to a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def test_links_into_pages_lead_to_headings():
    for page in PAGES:
        for link, name in re.findall(r"\]\(([^)#:]*)#([^)]+)\)", page.read_text(encoding="utf-8")):
            there = (page.parent / link if link else page).read_text(encoding="utf-8")
            headings = re.findall(r"(?m)^#+ (.*)$", re.sub(r"(?s)```.*?```", "", there))
            assert name in map(anchor, headings), f"{page.name} links to {link}#{name}"


# Pages that a student reads, and the words that they may not know yet.
EXPLAINED = (
    "build", "conventions", "elsewhere", "explaining", "exploring", "pictures", "plots", "testing",
    "the-post", "tour",
)  # fmt: skip
TERMS = {
    "adjoint": "adjoint", "curvature": "curvature", "forward mode": "forward-mode",
    "Hessian": "hessian", "Jacobian": "jacobian", "JVP": "jvp", "kink": "kink",
    "local derivative": "partial", "reverse mode": "reverse-mode", "scope": "scope",
    "subgradient": "subgradient", "tangent": "tangent", "VJP": "vjp",
}  # fmt: skip


@pytest.mark.parametrize("name", EXPLAINED)
def test_a_term_is_linked_to_the_glossary_where_it_is_first_used(name):
    text = (ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8")
    prose = re.sub(r"(?s)```.*?```|`[^`\n]+`|!\[[^\]]*\]", " ", text)
    words_only = re.sub(r"\]\([^)]*\)", lambda link: "]" + " " * (len(link[0]) - 1), prose)
    for term, entry in TERMS.items():
        used = re.search(rf"\b{term}", words_only)
        if used and f"*{term}" not in prose:  # else the page defines it
            link = prose.find(f"glossary.md#{entry}")
            assert 0 <= link < used.end() + 60, f"{term} is used before it is explained"


def test_a_failing_block_fails(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("```python\n>>> 1 + 1\n3\n\n```\n")
    (example,) = SYBIL.parse(page).examples()
    with pytest.raises(SybilFailure, match=r"(?s)Expected:\n *3"):
        example.evaluate()
