"""Pages of these docs as notebooks: ``write`` makes them, runs them from top to bottom, and saves
them with their results.

A page has one source, its Markdown. Each example of a code block becomes a cell, up to the first
that shows a result. A picture is put into the text, where notebooks show it before they trust the
file. A page in a frame becomes the call in its attribute ``data-cell``.
"""

from __future__ import annotations

import base64
import doctest
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

HERE = Path(__file__).parent
PAGES = ("zero", "build", "the-post", "tour")
"""The pages that are notebooks, too."""

PIECE = re.compile(
    r"^```(?P<language>\w+)\n(?P<code>.*?)^```$"
    r"|^!\[(?P<alt>[^\]]*)\]\((?P<file>[^)]+\.svg)\)$"
    r'|^<iframe [^>]*data-cell="(?P<cell>[^"]+)"[^>]*></iframe>$'
    r"|^<details><summary>(?P<summary>[^\n]*)</summary>\n(?=\n```)"
    r"|(?<=```\n\n)^</details>$",
    re.M | re.S,
)
LINK = re.compile(r"\[([^\]]+)\]\(([\w-]+)\.md(?:#[\w-]+)?\)")


def notebook(page: str) -> nbformat.NotebookNode:
    """The notebook of a page, not yet run.

    Args:
        page: its name, without ``.md``.
    """
    cells, end, hidden = [], 0, False
    text = (HERE / f"{page}.md").read_text(encoding="utf-8")
    for piece in PIECE.finditer(text):
        cells += _prose(text[end : piece.start()])
        end = piece.end()
        if piece["language"] == "python":
            cells += [new_code_cell(code, metadata=_shown(hidden)) for code in _code(piece["code"])]
        elif piece["language"] == "sh":
            cells.append(new_code_cell("\n".join(f"!{x}" for x in piece["code"].splitlines())))
        elif piece["file"]:
            picture = base64.b64encode((HERE / piece["file"]).read_bytes()).decode()
            cells += _prose(f"![{piece['alt']}](data:image/svg+xml;base64,{picture})")
        elif piece["cell"]:
            cells.append(new_code_cell(piece["cell"].replace("'", '"')))
        elif piece["summary"]:
            cells += _prose(f"**{piece['summary']}**")
        hidden = bool(piece["summary"]) if piece["language"] is None else hidden
    cells += _prose(text[end:])
    for i, cell in enumerate(cells):
        cell["id"] = f"cell-{i}"  # random ones would differ in each build
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return new_notebook(cells=cells, metadata={"kernelspec": kernel})


def _prose(text: str) -> list[nbformat.NotebookNode]:
    def link(match: re.Match[str]) -> str:
        return f"[{match[1]}]({match[2]}.ipynb)" if match[2] in PAGES else match[1]

    text = LINK.sub(link, text.strip())
    return [new_markdown_cell(text)] if text else []


def _shown(hidden: bool) -> dict[str, object]:
    """A solution is folded, as it is on the page."""
    return {"jupyter": {"source_hidden": True}} if hidden else {}


def _code(block: str) -> Iterator[str]:
    """The cells of a block: its examples, up to each that shows a result."""
    if not block.startswith(">>>"):
        yield block.strip()
        return
    lines: list[str] = []
    for example in doctest.DocTestParser().get_examples(block):
        lines.append(example.source)
        if example.want:
            yield "".join(lines).strip()
            lines = []
    if lines:
        yield "".join(lines).strip()


def run(notebook: nbformat.NotebookNode) -> None:
    """Run all cells, in a kernel and a folder of their own.

    Raises:
        nbclient.exceptions.CellExecutionError: if one of them raises.
    """
    before = os.environ.copy()
    paths = [str(HERE.parent), *filter(None, [before.get("PYTHONPATH")])]
    os.environ["PYTHONPATH"] = os.pathsep.join(paths)
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), before["PATH"]])
    try:
        with tempfile.TemporaryDirectory() as folder:
            client = NotebookClient(notebook, timeout=600, kernel_name="python3",
                                    extra_arguments=["--log-level=ERROR"], record_timing=False,
                                    resources={"metadata": {"path": folder}})  # fmt: skip
            client.execute()
    finally:
        os.environ.clear()
        os.environ.update(before)


def write(folder: Path) -> None:
    """Write all notebooks, with their results.

    Args:
        folder: where to; it is made if it isn't there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for page in PAGES:
        made = notebook(page)
        run(made)
        nbformat.write(made, folder / f"{page}.ipynb")
