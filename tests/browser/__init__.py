"""Programs that run in Pyodide, Python in JavaScript; start.mjs starts them in Node.js."""

from __future__ import annotations

import subprocess
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


def command(modules: Path, wheel: Path, program: Path, *arguments: str) -> list[str]:
    """The command that runs a program in Pyodide."""
    start = ["node", HERE / "start.mjs", modules, wheel, ROOT, program]
    return [*map(str, start), *arguments]


def output(modules: Path, wheel: Path, program: Path, *arguments: str) -> str:
    """The output of a program in Pyodide.

    Raises:
        AssertionError: if it fails, with the end of what it said.
    """
    line = command(modules, wheel, program, *arguments)
    done = subprocess.run(line, capture_output=True, text=True, encoding="utf-8")
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
    return done.stdout
