"""Runs the code blocks of the docs in Pyodide, as the buttons of the site do, and prints as JSON
what each gave."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path
from typing import Any

sys.path.append("/src")

from docs.browser.marking import needs
from docs.browser.session import Session


def ran(page: Path) -> list[dict[str, Any]]:
    """The blocks of a page that a reader would run: in order, and at the end each of those without
    a button, none of which sees the names of another."""
    text = page.read_text(encoding="utf-8")
    blocks = re.findall(r"^```(\w+)\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    rows, given = [], list[dict[str, Any]]()
    session = Session(given.append)
    marked = list(zip(blocks, needs(blocks), range(1, len(blocks) + 1)))
    for (language, source), packages, number in sorted(marked, key=lambda one: bool(one[1])):
        if packages is None:
            continue
        given.clear()
        names = dict(session.names)
        succeeded = session.run(source, language)
        if packages:
            session.names = names
        rows.append({
            "block": f"{page.name} {number}", "source": source, "packages": packages,
            "succeeded": succeeded, "given": [one for one in given if one["kind"] != "file"],
        })  # fmt: skip
    return rows


def main() -> None:
    for page in sorted(Path("/src/docs").glob("*.md")):
        folder = Path("/pages") / page.stem
        folder.mkdir(parents=True)
        os.chdir(folder)
        for row in ran(page):
            print(json.dumps(row))


if __name__ == "__main__":
    main()
