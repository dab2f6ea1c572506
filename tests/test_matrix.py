"""The matrix of places reports each of them; and the package can be used here."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import matrix
import pytest


def test_smoke():
    done = subprocess.run(
        [sys.executable, "-W", "error", matrix.SMOKE], capture_output=True, text=True,
        env={**os.environ, "PYTHONIOENCODING": "utf-8"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("smoke: all uses work\n")


def test_every_place_has_a_verdict(monkeypatch, capsys):
    def lacking() -> None:
        raise matrix.Absent("nothing of the kind here")

    def broken() -> None:
        matrix.run(sys.executable, "-c", "raise SystemExit('it broke')")

    def cells(wheel: Path, sdist: Path) -> Iterator[matrix.Cell]:
        yield matrix.Cell("here", lambda: matrix.run(sys.executable, "-c", ""))
        yield matrix.Cell("nowhere", lacking)
        yield matrix.Cell("there", broken)

    monkeypatch.setattr(matrix, "built", lambda: (Path("w.whl"), Path("s.tar.gz")))
    monkeypatch.setattr(matrix, "PARTS", {"cells": cells})
    assert matrix.main([]) == 1
    shown = capsys.readouterr().out
    for line in (
        "here     passed",
        "nowhere  absent",
        "there    FAILED",
        "nothing of the kind here",
    ):
        assert line in shown
    assert shown.endswith("── there\nit broke\n")


def test_a_python_that_is_not_there_is_absent():
    with pytest.raises(matrix.Absent, match=r"python3\.99"):
        matrix.interpreter("3.99")
