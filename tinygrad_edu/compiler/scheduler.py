"""Which executor runs programs: Python at once, then something faster if it is worth it.

    python ──1 million instructions──▶ machine ──100 million──▶ native

Python needs no preparation. The virtual machine needs llvmlite and is prepared once per process.
Native code is compiled per program, in a background thread while the machine still runs; a long
program stays on the machine. `Scheduler` alone decides, for `jit`, `compile` and `fit`. It counts
instructions instead of measuring time: Python adds samples in another order than the others, so
timing would affect the last bits of a result. The machine and native code give the same bits.
"""

from __future__ import annotations

import os
import sys
import threading
import warnings
from collections.abc import Sequence
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
from .python import PythonKernel

__all__ = ["EXECUTORS", "Runner", "Scheduler"]

WARM: Final = 1_000_000
"""Instructions × lanes after which a program deserves more than Python: about 50 ms of it."""

HOT: Final = 100_000_000
"""Instructions × lanes after which it deserves its own machine code: about 0.1 s of the
virtual machine, while compiling takes a third of a second per thousand instructions."""

LONG: Final = 20_000
"""Instructions from which a program is not compiled but left to the virtual machine. Python
waits at its end for a compilation that has begun: it can't be stopped, and must not be cut off."""

CHUNK: Final = 4096
"""Lanes that are summed at once. A larger batch is summed chunk by chunk, in order, whatever the
number of cores, so that the result does not depend on it."""


EXECUTORS: Final = {"python": ".python", "machine": ".virtual_machine", "native": ".native"}
"""By name the module whose ``load(code, fastmath)`` gives a *kernel*: a program, ready to run.

``kernel(n, batch, shared, each, total, once)`` reads ``batch`` (n rows of ``code.inputs`` numbers)
and ``shared``, and fills ``each`` (n rows of ``len(code.each)`` numbers), ``total`` and ``once``.
``kernel.into(total, once)`` is a function of n, batch and shared that always fills the same two.
"""


TRAINING_HOT: Final = 20 * HOT
TRAINING_LONG: Final = LONG // 4
"""The same for `fit`, whose programs are long, and most trainings short."""

NAME: Final = "tinygrad_edu compiles"
"""The name of threads that compile."""

_LOADING: Final = lock()


class Scheduler(Locked):
    """Programs that run together, and the executor that runs them now.

    Args:
        codes: the programs.
        executor: "auto", or one of `EXECUTORS`.
        fastmath: whether the native executor may fuse and reorder arithmetic.
        hot, long: in the place of `HOT` and `LONG`.

    Attributes:
        executor: its name, "" until one is needed; and ``why``.
        kernels: the programs, loaded by the executor.
        work: the instructions × lanes that were run.
        size: the instructions of one lane.

    Raises:
        NameUnknown: for another executor.
        MissingExtra: for "machine" or "native" if llvmlite is not installed.
    """

    def __init__(
        self,
        codes: Sequence[Code],
        executor: str = "auto",
        fastmath: bool = False,
        *,
        hot: int | None = None,
        long: int | None = None,
    ) -> None:
        check_name("executor", executor, ("auto", *EXECUTORS))
        super().__init__()
        self.codes, self.fastmath = codes, fastmath
        self.executor, self.why = "", "it answers at once"
        self.kernels: tuple[Any, ...] = ()
        self.seconds: dict[str, float] = {}  # what preparing each executor took
        self.work: float = 0
        # A sum of very many terms is one instruction, and as much work as many.
        self.size = max(1, *(max(len(c.ops), sum(map(len, c.args)) // 4) for c in codes))
        self._hot = HOT if hot is None else hot
        self._long = self.size > (LONG if long is None else long)
        self._due: float = WARM  # the work after which a faster executor is
        self._task: Any = None
        if executor != "auto":
            self.why, self._due = "it was asked for", inf
            self._load(executor)

    def prepared(self, planned: float, task: Any = None) -> tuple[bool, tuple[Any, ...]]:
        """Whether the kernels take arrays, and the kernels.

        Whether Python continues is decided at the start of a task, because the length of its parts
        depends on the clock.

        Args:
            planned: the work of the whole task.
            task: the same object for all parts of a task; None for a task of one part.
        """
        if task is None or task is not self._task:
            self._task = task
            if self.executor in ("", "python") and self.work + planned > self._due:
                self._promote("there is much to do")
        if not self.executor:
            self.start()
        kernels = self.kernels
        return not isinstance(kernels[0], PythonKernel), kernels

    def start(self) -> None:
        """Load Python, or for a long program something else."""
        if self._long and self._due < inf:
            self._promote("the program is too long for Python")
        if not self.executor:
            self._load("python")

    def add(self, work: float) -> None:
        """Count completed work; compile the programs if it exceeds the limit."""
        self.work += work
        if self.work > self._due and self.executor == "machine":
            self._promote("")

    def _load(self, executor: str) -> None:
        start = perf_counter()
        try:
            with _LOADING:  # one after the other: what all kernels share is made by the first
                if executor != "python":
                    _import_numpy()
                load = import_module(EXECUTORS[executor], __package__).load
                kernels = tuple([load(code, self.fastmath) for code in self.codes])
        except ImportError as error:
            raise MissingExtra(
                f"The executor {executor!r} needs llvmlite and NumPy. Install them with: "
                f"pip install 'tinygrad-edu[compiler]', or use executor='python'."
            ) from error
        self.seconds[executor] = perf_counter() - start
        self.kernels, self.executor = kernels, executor

    def _promote(self, why: str) -> None:
        """Switch to the virtual machine, or start compiling."""
        with self.lock:
            if self._due == inf:
                return  # another thread was here first
            self._due = inf
            if self.executor != "machine":
                try:
                    self._load("machine")
                except MissingExtra as error:
                    self.why = "llvmlite or NumPy is not installed"
                    _report(str(error))
                    return
                self.why = why
                if not self._long:
                    self._due = self._hot
            elif threading.main_thread().is_alive():  # else Python ends, and would not wait
                with suppress(RuntimeError):  # no thread can be had: the machine goes on
                    threading.Thread(target=self._compile, name=NAME).start()

    def _compile(self) -> None:
        """In the background, where nobody could catch an error: the machine goes on."""
        try:
            self._load("native")
        except Exception as error:
            self.why = f"machine code was not made: {error}"


class Runner(Scheduler):
    """A program, run by the suitable executor; it is called as the kernels of `EXECUTORS` are.

    Args:
        code: the program.
        executor, fastmath: as for `Scheduler`.

    Attributes:
        free: takes results that were read, so that other calls may use their memory.

    >>> runner = Runner(Code(1, 0, (), ("square",), ((0,),), total=(1,)))
    >>> total = [0.0]
    >>> runner(3, [[1.0], [2.0], [3.0]], [], [], total, [])
    >>> total, runner.executor
    ([14.0], 'python')
    """

    def __init__(self, code: Code, executor: str = "auto", fastmath: bool = False) -> None:
        super().__init__([code], executor, fastmath)
        self.code, self.calls = code, 0
        self._free: list[Any] = []
        self.free = self._free.append
        if not self.executor:
            self.start()

    @property
    def lanes(self) -> int:
        """The number of samples for which it was run."""
        return int(self.work) // self.size

    def __call__(self, n: int, batch: Any, shared: Any, each: Any, total: Any, once: Any) -> None:
        self._count(n)
        if n <= CHUNK:
            self.kernels[0](n, batch, shared, each, total, once)
        else:
            self._in_chunks(n, batch, shared, each, total, once)

    def results(self, n: int, batch: Any, shared: Any) -> Any:
        """Run for the totals and what counts once alone, `arrays.Results`: the quickest way.

        Their memory is used again: `free` it when all is read.
        """
        self.calls += 1  # as `_count` does, whose call would take a twentieth of the whole time
        self.work += (n or 1) * self.size
        if self.work > self._due:
            self._promote(f"{self.lanes:,} lanes were run")
        try:
            results = self._free.pop()
        except IndexError:
            results = self._fresh()
        if results.kernel is not self.kernels[0]:  # there is a faster one by now
            results = self._fresh()
        if n <= CHUNK:
            results.run(n, batch, shared)
        else:
            self._in_chunks(n, batch, shared, (), results.total, results.once)
        return results

    def _fresh(self) -> Any:
        results = arrays().results(len(self.code.total), len(self.code.once))
        results.kernel = kernel = self.kernels[0]
        results.run = kernel.into(results.total, results.once)
        return results

    def _count(self, n: int) -> None:
        self.calls += 1
        self.work += (n or 1) * self.size
        if self.work > self._due:
            self._promote(f"{self.lanes:,} lanes were run")

    @property
    def bytes(self) -> int:
        """The working memory of a call."""
        return int(getattr(self.kernels[0], "bytes", 8 * self.code.slots))

    def _in_chunks(self, n: int, batch: Any, shared: Any, each: Any, total: Any, once: Any) -> None:
        code, kernel, make = self.code, self.kernels[0], arrays().results
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


def _import_numpy() -> None:
    """In a thread, where Ctrl-C does not reach it: half imported NumPy loses an interrupt, or
    takes it for an ImportError."""
    thread = threading.Thread(target=_imported, args=["numpy"], name=NAME)
    if "numpy" not in sys.modules:
        thread.start()
        try:
            thread.join()
        except KeyboardInterrupt:
            thread.join()
            raise


def _imported(module: str) -> None:
    with suppress(ImportError):  # the caller imports it again, and reports that it is missing
        import_module(module)


@cache  # once per process
def _report(reason: str) -> None:
    with suppress(UserWarning):  # where warnings are errors, a missing extra still isn't one
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
