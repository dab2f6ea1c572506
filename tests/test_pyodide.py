"""Python in JavaScript: what the browser computes is what Python computes here.

CI runs these tests; ``make test`` does not. The site's own buttons are tested by test_site.py.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from doctest import ELLIPSIS, NORMALIZE_WHITESPACE, DocTestParser, OutputChecker
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from docs.browser import packing
from tests import browser
from tests.browser import uses

# What pages show that were made with sympy, and what is there without it.
SYMPY = {
    " = Σᵢ 2·(w·xᵢ + b − yᵢ)/7": "",
    " = Σᵢ 2·xᵢ·(w·xᵢ + b − yᵢ)/7": "",
    "'Σᵢ 2·xᵢ·(w·xᵢ + b − yᵢ)/7'": "'Σᵢ 1/7 · 2·(ŷᵢ − yᵢ) · xᵢ'",
    " &= \\theta \\cdot \\operatorname{sech}^{2}\\left(u_{1} \\cdot \\theta\\right) \\\\\n": "",
}


class Places(NamedTuple):
    """What `browser.output` needs."""

    modules: Path
    wheel: Path


def lacking(reason: str) -> None:
    """CI has everything; elsewhere the tests are skipped."""
    (pytest.fail if os.environ.get("REQUIRE_BROWSER") else pytest.skip)(reason)


@pytest.fixture(scope="module")
def places() -> Places:
    if not shutil.which("node"):
        lacking("there is no node on PATH")
    try:
        return Places(packing.from_npm(), packing.wheel())
    except packing.Missing as reason:
        lacking(str(reason))
        raise


def test_six_lines_a_picture_an_explanation_and_a_page(places, monkeypatch):
    monkeypatch.setitem(sys.modules, "sympy", None)  # which would add to the explanation
    there = json.loads(browser.output(*places, browser.HERE / "uses.py"))
    here = json.loads(json.dumps(uses.uses()))
    assert list(there) == list(here)
    for use in here:
        assert there[use] == here[use], use


@pytest.mark.thorough  # minutes
def test_every_block_of_the_docs_does_what_its_page_says(places):
    """Those with a button; the others do fail, so that none lacks its button without need."""
    rows = [json.loads(line) for line in browser.output(*places, browser.HERE / "blocks.py")
            .splitlines()]  # fmt: skip
    assert len(rows) > 100
    assert {page.name for page in (packing.ROOT / "docs").glob("*.md")} >= {
        row["block"].split()[0] for row in rows
    }
    for row in rows:
        assert row["succeeded"] == (not row["packages"]), (row["block"], row["given"])
        if not row["packages"] and row["source"].startswith(">>> "):
            shown, wanted = text(row), on_the_page(row["source"])
            same = OutputChecker().check_output(wanted, shown, ELLIPSIS | NORMALIZE_WHITESPACE)
            assert same, (row["block"], wanted, shown)


def on_the_page(source: str) -> str:
    """The results that stand in a block, as they are without sympy."""
    examples = DocTestParser().get_examples(source)
    wanted = "".join(example.want for example in examples if example.exc_msg is None)
    for simplified, plain in SYMPY.items():
        wanted = wanted.replace(simplified, plain)
    return wanted


def text(row: dict[str, Any]) -> str:
    """All that a block printed and displayed, as a terminal would show it."""
    ends = {"text": "", "value": "\n"}
    return "".join(one["text"] + ends[one["kind"]] for one in row["given"] if one["kind"] in ends)
