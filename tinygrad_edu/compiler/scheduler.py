"""Which executor runs a program: Python at once, then something faster if it is worth it.

    python ──1 million instructions──▶ machine ──100 million──▶ native

Python needs no preparation. The virtual machine needs llvmlite and is prepared once per
process. Native code is compiled per program, by a thread of its own while the machine goes on
answering; a long program stays with the machine. Every executor gives the same results, so the
choice shows in the time only.
"""

from __future__ import annotations

import os
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cache
from importlib import import_module
from math import inf
from time import perf_counter
from typing import Any, Final

from ..errors import MissingExtra, check_name
from ..locks import Locked, lock
from .arrays import arrays
from .code import Code

__all__ = ["EXECUTORS", "Runner"]

WARM: Final = 1_000_000
"""Instructions × lanes after which a program deserves more than Python: about 50 ms of it."""

HOT: Final = 100_000_000
"""Instructions × lanes after which it deserves machine code of its own: about 0.1 s of the
virtual machine, while compiling takes a third of a second per thousand instructions."""

LONG: Final = 20_000
"""Instructions from which a program is not compiled but left to the virtual machine. Python
waits at its end for a compilation that has begun: it can't be stopped, and must not be cut off."""

CHUNK: Final = 4096
"""Lanes that are summed in one go. A larger batch is summed chunk by chunk, in order and by
however many cores there are, so that the result does not depend on their number."""


EXECUTORS: Final = {"python": ".python", "machine": ".virtual_machine", "native": ".native"}
"""By name the module whose ``load(code, fastmath)`` gives a kernel, see `training_loop.Kernel`."""


_IMPORTING: Final = lock()


class Runner(Locked):
    """A program and the executor that runs it now; see `training_loop.Kernel` for a call.

    Args:
        code: the program.
        executor: "auto", or one of `EXECUTORS`.
        fastmath: whether the native executor may fuse and reorder arithmetic.

    Attributes:
        free: takes results that were read, so that other calls may use their memory.

    Raises:
        NameUnknown: for another executor.
        MissingExtra: for "machine" or "native" if llvmlite is not installed.

    >>> runner = Runner(Code(1, 0, (), ("square",), ((0,),), total=(1,)))
    >>> total = [0.0]
    >>> runner(3, [[1.0], [2.0], [3.0]], [], [], total, [])
    >>> total, runner.executor
    ([14.0], 'python')
    """

    def __init__(self, code: Code, executor: str = "auto", fastmath: bool = False) -> None:
        check_name("executor", executor, ("auto", *EXECUTORS))
        super().__init__()
        self.code, self.fastmath = code, fastmath
        self.seconds: dict[str, float] = {}  # what preparing each executor took
        self.calls = self.lanes = 0
        # A sum of very many terms is one instruction, and as much work as many.
        self._size = max(len(code.ops), sum(map(len, code.args)) // 4)
        self._free: list[Any] = []
        self.free = self._free.append
        self._due = inf  # the lanes after which a faster executor is
        if executor != "auto":
            self.why = "it was asked for"
            self._kernel = self._load(executor)
            return
        self.why = "it answers at once"
        if self._size > LONG:
            self._faster("the program is too long for Python")
        else:
            self._due = WARM / max(1, self._size)
        if not self.seconds:
            self._kernel = self._load("python")

    def __call__(self, n: int, batch: Any, shared: Any, each: Any, total: Any, once: Any) -> None:
        self._count(n)
        if n <= CHUNK:
            self._kernel(n, batch, shared, each, total, once)
        else:
            self._in_chunks(n, batch, shared, each, total, once)

    def results(self, n: int, batch: Any, shared: Any) -> Any:
        """Run for the totals and what counts once alone, `arrays.Results`: the quickest way.

        Their memory is used again: `free` it when all is read.
        """
        self.calls += 1  # as `_count` does, whose call would take a twentieth of the whole time
        self.lanes += n or 1
        if self.lanes > self._due:
            self._promote()
        try:
            results = self._free.pop()
        except IndexError:
            results = self._fresh()
        if results.kernel is not self._kernel:  # there is a faster one by now
            results = self._fresh()
        if n <= CHUNK:
            results.run(n, batch, shared)
        else:
            self._in_chunks(n, batch, shared, (), results.total, results.once)
        return results

    def _fresh(self) -> Any:
        results = arrays().results(len(self.code.total), len(self.code.once))
        results.kernel = kernel = self._kernel
        results.run = kernel.into(results.total, results.once)
        return results

    def _count(self, n: int) -> None:
        self.calls += 1
        self.lanes += n or 1
        if self.lanes > self._due:
            self._promote()

    @property
    def bytes(self) -> int:
        """The memory that a call works in."""
        return int(getattr(self._kernel, "bytes", 8 * self.code.slots))

    def _load(self, executor: str) -> Any:
        start = perf_counter()
        try:
            with _IMPORTING:
                load = import_module(EXECUTORS[executor], __package__).load
            kernel = load(self.code, self.fastmath)
        except ImportError as error:
            raise MissingExtra(
                f"The executor {executor!r} needs llvmlite and NumPy. Install them with: "
                f"pip install 'tinygrad-edu[compiler]', or use executor='python'."
            ) from error
        self.seconds[executor] = perf_counter() - start
        self.executor = executor
        return kernel

    def _promote(self) -> None:
        """Go over to the virtual machine, or begin to compile."""
        with self.lock:
            if self.lanes <= self._due:
                return  # another thread was here first
            self._due = inf
            if self.executor == "python":
                self._faster(f"{self.lanes:,} lanes were run")
            elif threading.main_thread().is_alive():  # else Python ends, and would not wait
                name = "tinygrad_edu compiles"
                with suppress(RuntimeError):  # no thread can be had: the machine goes on
                    threading.Thread(target=self._compile, name=name, daemon=False).start()

    def _faster(self, why: str) -> None:
        try:
            self._kernel = self._load("machine")
        except MissingExtra as error:
            self.why = "llvmlite or NumPy is not installed"
            _tell(str(error))
            return
        self.why = why
        if self._size <= LONG:
            self._due = HOT / max(1, self._size)

    def _compile(self) -> None:
        self._kernel = self._load("native")

    def _in_chunks(self, n: int, batch: Any, shared: Any, each: Any, total: Any, once: Any) -> None:
        code, kernel, make = self.code, self._kernel, arrays().results
        starts = range(0, n, CHUNK)
        parts = [make(len(code.total), len(code.once)) for _ in starts]
        eaches = [each[start : start + CHUNK] if code.each else each for start in starts]

        def run(i: int) -> None:
            rows = batch[starts[i] : starts[i] + CHUNK]
            kernel(len(rows), rows, shared, eaches[i], parts[i].total, parts[i].once)

        try:
            list(_pool().map(run, range(len(starts))))
        except RuntimeError:  # no thread can be had, or Python ends
            for i in range(len(starts)):
                run(i)
        if code.each and isinstance(each, list):  # whose slices were copies
            each[:] = [row for part in eaches for row in part]
        for i in range(len(code.total)):
            whole = -0.0
            for part in parts:
                whole += part.total[i]
            total[i] = whole
        if code.once:
            once[:] = parts[0].once


@cache  # once per process
def _tell(reason: str) -> None:
    warnings.warn(f"Programs run in Python, with the same results. {reason}", stacklevel=2)


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(len(_cores()), thread_name_prefix="tinygrad_edu lanes")


if hasattr(os, "register_at_fork"):  # a child process has none of its parent's threads
    os.register_at_fork(after_in_child=_pool.cache_clear)


def _cores() -> Any:
    if hasattr(os, "sched_getaffinity"):
        return os.sched_getaffinity(0)
    return range(os.cpu_count() or 1)
