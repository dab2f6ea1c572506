"""Runs the code blocks of a page, in the browser by Pyodide; the tests run it in Python, too.

All blocks share one set of names, so that a block sees the names of those before it. Everything a
block prints, displays, raises or saves is passed to `emit` as a dict, ready for JSON.
"""

from __future__ import annotations

import ast
import base64
import contextlib
import doctest
import io
import linecache
import shlex
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

MOST = 100_000  # characters that one block may print
FILES = 50  # of those that one block saved


class Session:
    """One interpreter for a page.

    ``emit`` gets these dicts:

    ============================================  ===============================================
    ``{"kind": "text", "text": …}``               printed
    ``{"kind": "value", "text": …, "html": …}``   a value, with HTML (or None) if it has a picture
    ``{"kind": "error", "text": …, "trace": …}``  an exception: its message, and where it was raised
    ``{"kind": "file", "name": …, "data": …}``    a file that was written, as base64
    ============================================  ===============================================
    """

    def __init__(self, emit: Callable[[dict[str, Any]], None]) -> None:
        self.emit = emit
        self.names: dict[str, Any] = {"__name__": "__main__", "display": self._display}
        self._blocks = 0

    def run(self, source: str, language: str = "python") -> bool:
        """Run a block of Python, with or without ``>>>``, or of commands; whether it succeeded."""
        before = _files()
        printed = _Printed(self.emit)
        hook, sys.displayhook = sys.displayhook, self._display
        try:
            with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
                commands(source) if language == "sh" else self._python(source)
        except BaseException as error:
            self.emit({"kind": "error", **_described(error)})
            return False
        finally:
            sys.displayhook = hook
            self._saved(before)
        return True

    def _python(self, source: str) -> None:
        self._blocks += 1
        for number, (text, tree, raises) in enumerate(parts(source), 1):
            name = f"<block {self._blocks}, part {number}>"
            linecache.cache[name] = (len(text), None, text.splitlines(True), name)
            mode = "single" if isinstance(tree, ast.Interactive) else "exec"
            try:
                exec(compile(tree, name, mode), self.names)
            except Exception as error:
                if not raises:
                    raise
                self.emit({"kind": "error", **_described(error)})

    def _display(self, value: Any) -> None:
        if value is None:
            return
        show = getattr(value, "_repr_mimebundle_", None)
        bundle = show() if show and not isinstance(value, type) else {}
        self.emit({
            "kind": "value", "html": bundle.get("text/html"),
            "text": bundle.get("text/plain") or repr(value),
        })  # fmt: skip

    def _saved(self, before: dict[Path, tuple[int, int]]) -> None:
        changed = [path for path, state in _files().items() if before.get(path) != state]
        for path in changed[:FILES]:
            data = base64.b64encode(path.read_bytes()).decode()
            self.emit({"kind": "file", "name": str(path), "data": data})


def parts(source: str) -> Iterator[tuple[str, ast.Module | ast.Interactive, bool]]:
    """The statements to run one by one: the lines that a traceback quotes, the code, and whether it
    is there to raise an exception. The value of Interactive code is displayed.

    After ``>>>`` that is every value, elsewhere only that of the last line, as in a notebook.
    """
    examples = doctest.DocTestParser().get_examples(source)
    if examples:
        for example in examples:
            tree = ast.parse(example.source, "<block>", "single")
            yield example.source, tree, example.exc_msg is not None
        return
    whole = ast.parse(source, "<block>")
    last = whole.body[-1:] if whole.body and isinstance(whole.body[-1], ast.Expr) else []
    yield source, ast.Module(whole.body[: len(whole.body) - len(last)], []), False
    yield source, ast.Interactive(last), False


def commands(source: str) -> None:
    """Run lines such as ``tinygrad-edu train houses.csv``, each of which must succeed."""
    from tinygrad_edu.command import cli

    for line in source.splitlines():
        name, *arguments = shlex.split(line, comments=True) or [""]
        if not name:
            continue
        if name != "tinygrad-edu":
            raise ValueError(f"Only tinygrad-edu can be run here. Received: {line!r}.")
        status = cli.main(arguments)
        if status:
            raise SystemExit(status)


class _Printed(io.TextIOBase):
    """A file that passes on what is printed, but no more than a page can show."""

    encoding = "utf-8"

    def __init__(self, emit: Callable[[dict[str, Any]], None]) -> None:
        self._emit, self._left = emit, MOST

    def write(self, text: str) -> int:
        shown = text[: self._left]
        self._left -= len(shown)
        if shown:
            self._emit({"kind": "text", "text": shown})
            if not self._left:
                self._emit({"kind": "text", "text": "\n… and more, which is not shown"})
        return len(text)


def _files() -> dict[Path, tuple[int, int]]:
    """Every file in the current folder, with its time and size."""
    found = [path for path in Path().rglob("*") if path.is_file()]
    return {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in found}


def _described(error: BaseException) -> dict[str, str]:
    """The message, and the lines of the block that led to it; those of libraries are left out."""
    described = traceback.TracebackException.from_exception(error)
    described.stack = traceback.StackSummary.from_list(
        [frame for frame in described.stack if frame.filename.startswith("<block")]
    )
    message = "".join(described.format_exception_only()).strip()
    if isinstance(error, ModuleNotFoundError) and error.name != "tinygrad_edu":
        message += (
            "\nIn the browser there are only tinygrad_edu and Python's standard library. "
            "Install Python and tinygrad_edu on your computer to use more."
        )
    trace = "".join(described.stack.format()).rstrip()
    return {"text": message, "trace": trace}
