"""``python -m tests.trust``, or make trust: writes docs/trust.md, in less than half an hour.

``python -m tests.trust accuracy limits`` writes these chapters again and leaves the others.
Everything that is random has a fixed seed, and no time is written down: two runs differ at most
in the line of versions.
"""

from __future__ import annotations

import argparse
import platform
import re
import sys
from collections.abc import Callable
from pathlib import Path

from . import accuracy, asserted, limits, suite, tried

PAGE = Path(__file__).parents[2] / "docs/trust.md"
HEAD = """\
# Why to trust it, measured

`make trust` writes this page again, from nothing but the repository, in less than half an hour. Two
runs differ only in the line of versions:

"""
CHAPTERS: dict[str, tuple[str, Callable[[], tuple[str, str]]]] = {
    "tried": ("Trials, and how many failed", tried.chapter),
    "peers": ("The assertions of other libraries", asserted.chapter),
    "limits": ("Limits", limits.chapter),
    "mutants": ("Errors that the tests notice", suite.mutants),
    "coverage": ("Code that the tests run", suite.coverage),
    "accuracy": ("How accurate every operation is", accuracy.chapter),
}


def main() -> None:
    """Measure the chapters that were asked for, and write them into the page."""
    parser = argparse.ArgumentParser(prog="python -m tests.trust", description=__doc__)
    parser.add_argument("chapter", nargs="*", help=f"of {', '.join(CHAPTERS)}; otherwise all")
    asked = parser.parse_args().chapter or list(CHAPTERS)
    measured = {}
    versions = [f"Python {platform.python_version()}", " ".join(platform.libc_ver()).strip()]
    for name in asked:
        title, chapter = CHAPTERS[name]
        print(name, file=sys.stderr, flush=True)
        measured[title], more = chapter()
        versions += [more] if more else []
    line = f"Versions: {', '.join(filter(None, versions))}, {platform.machine()}."
    before = PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""
    kept = dict(re.findall(r"(?ms)^## ([^\n]+)\n\n(.*?)\n+(?=^## |\Z)", before))
    if len(asked) < len(CHAPTERS) and (old := re.search(r"(?m)^Versions: .*$", before)):
        line = old.group()
    chapters = [
        f"## {title}\n\n{measured.get(title) or kept.get(title, 'Not measured yet.')}\n"
        for title, _ in CHAPTERS.values()
    ]
    PAGE.write_text("\n".join([HEAD + line + "\n", *chapters]), encoding="utf-8")


if __name__ == "__main__":
    main()
