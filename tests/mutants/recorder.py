"""Plugins for pytest: which functions of the package does each test call, and which test fails?"""

from __future__ import annotations

import hashlib
import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import pytest
from hypothesis import Phase, settings

from .mutations import functions


class Coverage:
    """Records the functions that each test calls, in the test's own threads too."""

    def __init__(self, package: Path) -> None:
        self.package = f"{package}/"
        self.called: dict[int, CodeType] = {}
        self.kept: list[list[CodeType]] = []  # or the ids of code that is gone would return
        self.tests: dict[str, dict[str, Any]] = {}
        self.failed: list[str] = []
        threading.setprofile(self.hear)
        sys.setprofile(self.hear)

    def hear(self, frame: FrameType, event: str, arg: Any) -> None:
        if event == "call":
            self.called[id(frame.f_code)] = frame.f_code

    def taken(self) -> list[str]:
        """The functions called since the last time, by `key`."""
        codes, self.called = list(self.called.values()), {}
        self.kept.append(codes)
        keys = {
            key(c.co_filename[len(self.package) :], c.co_firstlineno, c.co_name)
            for c in codes
            if c.co_filename.startswith(self.package)
        }
        return sorted(keys - {None})

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        self.taken()
        began = time.process_time()
        yield
        seconds = time.process_time() - began
        self.tests[item.nodeid] = {"calls": self.taken(), "seconds": round(seconds, 4)}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.outcome != "passed":
            self.failed.append(report.nodeid)

    def write(self, file: Path) -> None:
        sys.setprofile(None)
        usable = {test: record for test, record in self.tests.items() if test not in self.failed}
        file.write_text(json.dumps({"tests": usable, "failed": self.failed}), encoding="utf-8")


def key(file: str, line: int, function: str) -> str | None:
    """How a function is called in the records: by its text, so that other code may move it."""
    text = texts(file).get((line, function))
    return text and f"{file}:{hashlib.sha256(text.encode()).hexdigest()[:16]}"


@cache
def texts(file: str) -> dict[tuple[int, str], str]:
    path = Path("tinygrad_edu", file)
    return functions(path.read_text(encoding="utf-8")) if path.exists() else {}


class Chosen:
    """Runs chosen tests in their order, until one fails."""

    def __init__(self, serve: Callable[[pytest.Session], object]) -> None:
        self.serve = serve
        self.items: dict[str, pytest.Item] = {}
        self.killer = ""

    @pytest.hookimpl(trylast=True)
    def pytest_configure(self) -> None:
        """The first counterexample will do: Hypothesis need not look for the simplest."""
        phases = [Phase.explicit, Phase.generate]
        settings.register_profile("mutants", settings.get_profile("ci"), phases=phases)
        settings.load_profile("mutants")

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        if session.testsfailed:
            raise session.Interrupted("errors while collecting")
        self.items = {item.nodeid: item for item in session.items}
        self.serve(session)
        return True

    def run(self, tests: list[str]) -> str:
        """The first of the tests that fails, "" if none does."""
        items = [self.items[test] for test in tests if test in self.items]
        for item, after in zip(items, [*items[1:], None]):
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=after)
            if self.killer:
                break
        return self.killer

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.killer = self.killer or report.nodeid
