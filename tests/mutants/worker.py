"""Runs mutants in a copy of the project: `python -m tests.mutants.worker WAY SCRATCH`.

Each line of the input is a job, each line of the output its answer, in JSON. Each job is run in a
fork of this process, in one of two ways. Where the error is in a function that nothing calls
before the tests begin, this process has collected the tests, and the fork replaces the function's
code ("collected"). Otherwise this process has imported only other libraries, and the fork imports
the package as it then is on disk and collects the tests that it needs ("imported").
"""

from __future__ import annotations

import gc
import importlib.util
import json
import os
import resource
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any, TextIO

PRELOADED = (
    "hypothesis", "hypothesis.strategies", "hypothesis.stateful", "llvmlite.binding", "matplotlib",
    "mpmath", "numpy", "pandas", "pytest", "scipy.special", "sybil", "sympy",
)  # fmt: skip
MEMORY = 4 * 2**30  # bytes that a mutant may use before it counts as killed
OPTIONS = [
    "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "--no-header", "--tb=no", "--assert=plain",
    "-W", "ignore::pytest.PytestAssertRewriteWarning",
]  # fmt: skip
KILLED, SURVIVED, NOT_REPLACED, FAILED = 1, 0, 80, 70


class Worker:
    """The loop over the jobs."""

    def __init__(self, scratch: Path) -> None:
        self.scratch = scratch
        self.jobs: TextIO = os.fdopen(os.dup(0))  # pytest takes the standard streams
        self.answers: TextIO = os.fdopen(os.dup(1), "w")
        self.redirect("pytest")

    def serve(self, child: Callable[[dict[str, Any]], int]) -> None:
        for line in self.jobs:
            job = json.loads(line)
            file = Path("tinygrad_edu", job.get("path", "__init__.py"))
            original = file.read_text(encoding="utf-8")
            self.write(file, job.get("source", original))
            answer = self.run(job, child)
            self.write(file, original)
            print(json.dumps(answer), file=self.answers, flush=True)

    def write(self, file: Path, source: str) -> None:
        """Write a source, and forget its compiled code, which Python tells apart by seconds."""
        file.write_text(source, encoding="utf-8")
        Path(importlib.util.cache_from_source(str(file))).unlink(missing_ok=True)

    def run(self, job: dict[str, Any], child: Callable[[dict[str, Any]], int]) -> dict[str, Any]:
        """One job: in a process of its own, with limits of time and memory."""
        said = self.scratch / "said"
        said.unlink(missing_ok=True)
        pid = os.fork()
        if not pid:
            code = FAILED
            try:
                self.limited(job["seconds"])
                code = child(job)
            finally:
                os._exit(code)
        waited, status = 0, 0
        end = time.monotonic() + 10.0 * job["seconds"] + 20.0
        while not waited and time.monotonic() < end:
            time.sleep(0.002)
            waited, status = os.waitpid(pid, os.WNOHANG)
        with suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)  # and what it started
        if not waited:
            os.waitpid(pid, 0)
            return {"code": "time"}
        if os.WIFSIGNALED(status):
            return {"code": "time" if os.WTERMSIG(status) == signal.SIGXCPU else "crash"}
        answer = {"code": os.WEXITSTATUS(status)}
        return {**answer, "said": said.read_text(encoding="utf-8")} if said.exists() else answer

    def limited(self, seconds: float) -> None:
        os.setsid()
        self.redirect("output")
        resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
        limit = int(seconds) + 1
        resource.setrlimit(resource.RLIMIT_CPU, (limit, limit + 5))

    def redirect(self, name: str) -> None:
        """From here on, the standard output goes to a file, for who wonders what happened."""
        out = os.open(self.scratch / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(out, 1)
        os.dup2(out, 2)

    def say(self, text: str) -> None:
        (self.scratch / "said").write_text(text, encoding="utf-8")

    def options(self, files: list[str]) -> list[str]:
        return [*OPTIONS, f"--basetemp={self.scratch / 'tmp'}", *files]


# ── The package imported in each fork ─────────────────────────────────────────────────────


def imported(worker: Worker) -> None:
    for name in PRELOADED:
        with suppress(ImportError):
            __import__(name)
    assert "tinygrad_edu" not in sys.modules

    def child(job: dict[str, Any]) -> int:
        import pytest

        from tests.mutants.recorder import Chosen, Coverage

        if "rows" in job:
            from tests.mutants.attack import attack

            worker.say(attack(job["inputs"], job["rows"]))
            return 0
        if "modules" in job:
            coverage = Coverage(Path.cwd() / "tinygrad_edu")
            for module in job["modules"]:
                with suppress(ImportError):
                    importlib.import_module(module)
            sys.setprofile(None)
            worker.say(json.dumps(coverage.taken()))
            return 0
        options = worker.options(job["files"])
        if "coverage" in job:
            coverage = Coverage(Path.cwd() / "tinygrad_edu")
            pytest.main(options, plugins=[coverage])
            coverage.write(Path(job["coverage"]))
            return 0
        chosen = Chosen(lambda session: chosen.run(job["tests"]))
        code = pytest.main(options, plugins=[chosen])
        if chosen.killer:
            worker.say(chosen.killer)
        return KILLED if chosen.killer else int(code)

    worker.serve(child)


# ── Code replaced in each fork of a process with all tests ────────────────────────────────


def collected(worker: Worker) -> None:
    import pytest

    from tests.mutants.recorder import Chosen

    functions: dict[str, list[tuple[Any, FunctionType]]] = {}

    def child(job: dict[str, Any]) -> int:
        sources = (job["original"], job["source"])
        if not replaced(job["path"], functions.get(job["path"], []), *sources):
            return NOT_REPLACED
        if killer := chosen.run(job["tests"]):
            worker.say(killer)
        return KILLED if killer else SURVIVED

    def serve() -> None:
        package = f"{Path.cwd() / 'tinygrad_edu'}/"
        for path in Path("tinygrad_edu", "core").glob("*.py"):  # once, not in each fork
            compiled(path.read_text(encoding="utf-8"), str(path.absolute()))
        gc.unfreeze()
        for f in gc.get_objects():
            if type(f) is FunctionType and f.__code__.co_filename.startswith(package):
                placed = (place(f.__code__), f)
                functions.setdefault(f.__code__.co_filename[len(package) :], []).append(placed)
        gc.freeze()
        worker.serve(child)

    chosen = Chosen(lambda session: serve())
    pytest.main(worker.options(sys.argv[3:]), plugins=[chosen])


def replaced(path: str, functions: list[tuple[Any, FunctionType]], *sources: str) -> bool:
    """Replace the code of functions; false if that alone does not make the mutant."""
    file = str(Path.cwd() / "tinygrad_edu" / path)
    old, new = (compiled(source, file) for source in sources)
    if [code.co_name for code in old] != [code.co_name for code in new]:
        return False  # a function was deleted
    changes = {place(a): b for a, b in zip(old, new) if a != b}
    hit = False
    for where, f in functions:
        change = changes.get(where)
        if change is not None:
            try:
                f.__code__ = change
            except ValueError:  # it closes over other variables
                return False
            hit = True
    return hit


@lru_cache(maxsize=20)
def compiled(source: str, file: str) -> list[CodeType]:
    """All code objects of a source."""
    return list(codes(compile(source, file, "exec", dont_inherit=True)))


def codes(code: CodeType) -> Iterator[CodeType]:
    """A code object and those inside it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from codes(constant)


def place(code: CodeType) -> tuple[Any, ...]:
    """Where the code stands in its file."""
    return code.co_name, code.co_firstlineno, tuple(getattr(code, "co_positions", tuple)())


if __name__ == "__main__":
    way = {"imported": imported, "collected": collected}[sys.argv[1]]
    sys.path.insert(0, str(Path.cwd()))
    way(Worker(Path(sys.argv[2])))
