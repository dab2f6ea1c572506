"""The notebooks of the docs: they run from top to bottom, and show what their pages show.

CI runs these tests; ``make test`` does not.
"""

from __future__ import annotations

import doctest
import re
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[1] / "docs"
sys.path.append(str(DOCS))
nbformat = pytest.importorskip("nbformat")
notebooks = pytest.importorskip("notebooks")
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


@pytest.fixture(scope="module", params=notebooks.PAGES)
def page(request):
    """The text of a page, and its notebook, run."""
    made = notebooks.notebook(request.param)
    notebooks.run(made)
    return (DOCS / f"{request.param}.md").read_text(encoding="utf-8"), made


def code(made) -> list:
    return [cell for cell in made.cells if cell.cell_type == "code"]


def printed(cell) -> str:
    """The prints and the result of a cell, as a terminal would show them."""
    parts = [x.get("text") or x.get("data", {}).get("text/plain", "") for x in cell.outputs]
    return "".join(part if part.endswith("\n") else f"{part}\n" for part in parts if part)


def test_each_example_shows_its_result(page):
    text, made = page
    blocks = re.findall(r"```python\n(>>>.*?)```", text, re.S)
    examples = [x for block in blocks for x in doctest.DocTestParser().get_examples(block)]
    cells = iter(code(made))
    checker = doctest.OutputChecker()
    for example in filter(lambda x: x.want, examples):
        cell = next(cell for cell in cells if cell.source.endswith(example.source.strip()))
        assert checker.check_output(example.want, printed(cell), FLAGS), example.source


def test_nothing_of_the_page_is_left_out(page):
    text, made = page
    code_of_page = {
        line.removeprefix(">>> ").removeprefix("... ")
        for block in re.findall(r"```python\n(.*?)```", text, re.S)
        for line in block.split("\n")
        if line.startswith((">>> ", "... ")) or not block.startswith(">>>")
    }
    lines = {line for cell in code(made) for line in cell.source.split("\n")}
    assert code_of_page - {"", "..."} <= lines
    prose = "\n".join(cell.source for cell in made.cells if cell.cell_type == "markdown")
    for heading in re.findall(r"(?m)^#+ .*", re.sub(r"(?s)```.*?```", "", text)):
        assert heading in prose
    assert "```" not in prose
    assert prose.count("<details>") == prose.count("</details>")


def test_pictures_and_pages_are_shown(page):
    text, made = page
    prose = "\n".join(cell.source for cell in made.cells if cell.cell_type == "markdown")
    assert prose.count("](data:image/svg+xml;base64,") == text.count(".svg)\n")
    shown = [list(x.get("data", {})) for cell in code(made) for x in cell.outputs]
    assert sum("text/html" in kinds for kinds in shown) >= text.count("<iframe")
    assert not any(x.output_type == "error" for cell in code(made) for x in cell.outputs)


def test_links_lead_to_notebooks(page):
    _, made = page
    for cell in made.cells:
        if cell.cell_type == "markdown":
            for link in re.findall(r"\]\(([^)]*)\)", cell.source):
                page_or_picture = (
                    link.removesuffix(".ipynb") in notebooks.PAGES,
                    link[:5] == "data:",
                )
                assert any(page_or_picture), link


def test_it_is_a_valid_notebook(page):
    nbformat.validate(page[1])


def test_a_cell_that_raises_is_reported():
    made = notebooks.notebook("the-post")
    made.cells = [nbformat.v4.new_code_cell("1 / 0")]
    with pytest.raises(Exception, match="ZeroDivisionError"):
        notebooks.run(made)
