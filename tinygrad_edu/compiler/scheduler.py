"""The choice of executors: Python at once, then something faster if it is worthwhile.

    python ──1 million instructions──▶ machine ──100 million──▶ native
                                              └──50,000 lanes of a wide program──▶ tensors

Python needs no preparation. The virtual machine needs llvmlite and is prepared once per process.
Native code is compiled per program, in a background thread while the machine still runs; a long
program stays on the machine. `Scheduler` alone decides, for `jit`, `compile` and `fit`. It counts
instructions instead of measuring time: Python adds samples in another order than the others, so
timing would affect the last bits of a result. For the same reason a training changes from Python to
the machine only where its first epoch ends. The machine and native code give the same bits; tensors
do not, so they are loaded where the program stands, at a counted point, and not in the background.
"""

from __future__ import annotations

import os
import threading
import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext, suppress
from functools import cache
from importlib import import_module
from math import inf
from time import perf_counter
from typing import Any, Final

from ..errors import MissingExtra, check_name
from ..locks import Locked, lock
from .arrays import arrays
from .code import Code
from .lifting import SCALAR, promising
from .python import PythonKernel

__all__ = ["EXECUTORS", "Runner", "Scheduler"]

WARM: Final = 1_000_000
"""Instructions × lanes after which a program leaves Python, which takes about 50 ms for them."""

HOT: Final = 100_000_000
"""Instructions × lanes after which it gets its own machine code: about 0.1 s of the virtual
machine, while compiling takes a third of a second per thousand instructions."""

LIFTED: Final = 50_000
"""Work per instruction, that is lanes, after which the tensors of a program are looked for, which
takes about as long as that many lanes of the virtual machine."""

GAIN: Final = 0.65
"""Share of the scalars' counted cost below which tensors are chosen."""

LONG: Final = 20_000
"""Instructions from which a program is not compiled but left to the virtual machine. When Python
ends, it waits for a compilation that has begun, which can't be stopped."""

CHUNK: Final = 4096
"""Lanes that are summed at once. A larger batch is summed chunk by chunk, in order, so that the
result does not depend on the number of cores."""


EXECUTORS: Final = {
    "python": ".python",
    "machine": ".virtual_machine",
    "native": ".native",
    "tensors": ".tensor_machine",
}
"""By name the module whose ``load(code, fastmath)`` gives a *kernel*: a program, ready to run.

``kernel(n, batch, shared, each, total, once)`` reads ``batch`` (n rows of ``code.inputs`` numbers)
and ``shared``, and fills ``each`` (n rows of ``len(code.each)`` numbers), ``total`` and ``once``.
``kernel.into(total, once)`` is a function of n, batch and shared that always fills the same two.
"""


TRAINING_HOT: Final = 20 * HOT
TRAINING_LONG: Final = LONG // 4
"""The same for `fit`, whose programs are long, and most trainings short."""

EARLY: Final = WARM
"""Instructions × lanes of a first epoch that Python trains while the virtual machine is loaded."""

NAME: Final = "tinygrad_edu compiles"
"""The name of threads that compile."""

_LOADING: Final = lock()


class Scheduler(Locked):
    """Programs that run together, and the executor that runs them now.

    Args:
        codes: the programs.
        executor: "auto", or one of `EXECUTORS`.
        fastmath: whether the native executor may fuse and reorder arithmetic.
        hot, long: instead of `HOT` and `LONG`.
        lift: whether tensors may be chosen by "auto".

    Attributes:
        executor: its name; and ``why``.
        kernels: the programs, loaded by the executor.
        work: the instructions × lanes that were run.
        size: the instructions of one lane.
        lanes_of_a_call: how many lanes a call has, on average.

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
        lift: bool = True,
    ) -> None:
        check_name("executor", executor, ("auto", *EXECUTORS))
        super().__init__()
        self.codes, self.fastmath = codes, fastmath
        self.executor, self.why = "", "it answers at once"
        self.kernels: tuple[Any, ...] = ()
        self._loaded: tuple[Any, ...] = ()  # by the thread, until they are used
        self._loading: threading.Thread | None = None
        self._load_of = ""  # what it loads
        self.seconds: dict[str, float] = {}  # the time to prepare each executor
        self.work: float = 0
        # A sum of very many terms is one instruction, and as much work as many.
        self.lanes_of_a_call = 100.0
        self.size = max(1, *(max(len(c.ops), sum(map(len, c.args)) // 4) for c in codes))
        self._hot = HOT if hot is None else hot
        self._long = self.size > (LONG if long is None else long)
        self._lift = lift and executor == "auto" and promising(codes[0])
        self._due: float = WARM  # the work after which a faster executor is
        self._task: Any = None
        if executor != "auto":
            self.why, self._due = "it was asked for", inf
            self._switch(executor)
        elif self._long:
            self._promote("the program is too long for Python")
        if not self.executor:
            self._switch("python")

    def prepared(
        self, planned: float, task: Any = None, early: bool = False
    ) -> tuple[bool, tuple[Any, ...]]:
        """Whether the kernels take arrays, and the kernels.

        Whether Python continues is decided at the start of a task, because the length of its parts
        depends on the clock; and at the end of its early parts, during which the virtual machine
        is loaded.

        Args:
            planned: the work of the whole task.
            task: the same object for all parts of a task; None for a task of one part.
            early: whether this part can be left to Python.
        """
        begins = task is None or task is not self._task
        self._task = task
        if self.due(planned):
            if early and self._loading is None:
                self._load(self._next(planned))
            elif not early and (begins or self._loading is not None):
                self._promote("there is much to do", planned)
        elif begins and self.executor == "machine" and self._next(planned) == "tensors":
            self._promote("there is much to do", planned)
        kernels = self.kernels
        return not isinstance(kernels[0], PythonKernel), kernels

    def _next(self, planned: float) -> str:
        """The executor that comes after Python for so much work."""
        return "tensors" if self._lift and self.work + planned >= self._lifted else "machine"

    @property
    def _lifted(self) -> float:
        """The work after which tensors are looked for."""
        return LIFTED * sum(len(code.ops) for code in self.codes)

    def due(self, planned: float) -> bool:
        """Whether Python would be too slow for this amount of work."""
        return self.work + planned > self._due and self.executor == "python"

    def add(self, work: float) -> None:
        """Count completed work; compile the programs if it exceeds the limit. (Tensors wait for
        the next task: the parts of a task depend on the clock.)"""
        self.work += work
        if self.work > self._due and self.executor == "machine" and not self._lift:
            self._promote("")

    def _kernels(self, executor: str) -> tuple[Any, ...]:
        start = perf_counter()
        try:
            # One after the other: the first also makes the parts that all kernels share.
            with nullcontext() if executor == "python" else _LOADING:
                load = import_module(EXECUTORS[executor], __package__).load
                kernels = tuple([load(code, self.fastmath) for code in self.codes])
        except ImportError as error:
            needed = "NumPy" if executor == "tensors" else "llvmlite and NumPy"
            raise MissingExtra(
                f"The executor {executor!r} needs {needed}. Install them with: "
                f"pip install 'tinygrad-edu[compiler]', or use executor='python'."
            ) from error
        self.seconds[executor] = perf_counter() - start
        return kernels

    def _load(self, executor: str) -> None:
        """Load an executor in a thread, where Ctrl-C doesn't reach it: a module that is half
        imported loses an interrupt, or takes it for an ImportError."""

        def load() -> None:
            with suppress(Exception):  # `_switch` tries again, and raises it
                self._loaded = self._kernels(executor)

        self._load_of, self._loading = executor, threading.Thread(target=load, name=NAME)
        with suppress(RuntimeError):  # no thread can be had
            self._loading.start()

    def _switch(self, executor: str) -> None:
        """Use another executor, when it is loaded."""
        if executor != "python" and self._loading is None:
            self._load(executor)
        if self._loading is not None and self._loading.is_alive():
            self._loading.join()
        if self._load_of != executor:  # another one was loaded early
            self._loaded = ()
        self.kernels = self._loaded or self._kernels(executor)
        self.executor, self._loaded, self._loading = executor, (), None

    def _switch_to_tensors(self) -> bool:
        """Use tensors, if they are worthwhile."""
        before = self.kernels, self.executor
        self._lift = False
        self._switch("tensors")
        kernel = self.kernels[0]
        if kernel.nanoseconds(self.lanes_of_a_call) < GAIN * SCALAR * len(kernel.code.ops):
            self.why = "most of it are products of matrices"
            return True
        self.kernels, self.executor = before
        return False

    def _promote(self, why: str, planned: float = 0.0) -> None:
        """Switch to the virtual machine or to tensors, or start compiling."""
        with self.lock:
            due, self._due = self._due, inf
            if due == inf:
                return  # another thread was here first
            if self.executor == "machine" and self._lift:
                if not self._switch_to_tensors():
                    self._due = inf if self._long else self._hot
                return
            if self.executor == "machine":
                if threading.main_thread().is_alive():  # else Python ends, and would not wait
                    with suppress(RuntimeError):  # no thread can be had: the machine goes on
                        threading.Thread(target=self._compile, name=NAME).start()
                return
            try:
                if self._next(planned) == "tensors" and self._switch_to_tensors():
                    return
                self._switch("machine")
                self.why = why
                self._due = self._lifted if self._lift else inf if self._long else self._hot
            except MissingExtra as error:
                self.why = "llvmlite or NumPy is not installed"
                _report(str(error))
            except BaseException:  # Ctrl-C: the next call waits again
                self._due = due
                raise

    def _compile(self) -> None:
        """Compile in the background, where nobody could catch an error: the machine continues."""
        try:
            self.kernels = self._kernels("native")
            self.executor = "native"
        except Exception as error:
            self.why = f"machine code was not made: {error}"


class Runner(Scheduler):
    """A program, run by the suitable executor; it is called as the kernels of `EXECUTORS` are.

    Args:
        code: the program.
        executor, fastmath: as for `Scheduler`.

    >>> runner = Runner(Code(1, 0, (), ("square",), ((0,),), total=(1,)))
    >>> total = [0.0]
    >>> runner(3, [[1.0], [2.0], [3.0]], [], [], total, [])
    >>> total, runner.executor
    ([14.0], 'python')
    """

    def __init__(
        self, code: Code, executor: str = "auto", fastmath: bool = False, lift: bool = True
    ) -> None:
        super().__init__([code], executor, fastmath, lift=lift)
        self.code, self.calls = code, 0
        self._thread = threading.local()

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
        """Run only for the totals and the terms that count once: the quickest way.

        The next call in the same thread overwrites them.
        """
        self._count(n)
        results = getattr(self._thread, "results", None)
        if results is None or results.kernel is not self.kernels[0]:
            results = self._thread.results = self._fresh()
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
            self.lanes_of_a_call = self.lanes / self.calls
            self._promote(f"{self.lanes:,} lanes were run")

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


@cache  # once per process
def _report(reason: str) -> None:
    with suppress(UserWarning):  # where warnings are errors, a missing extra still isn't one
        warnings.warn(f"Programs run in Python, with the same results. {reason}", stacklevel=2)


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(_cores(), thread_name_prefix="tinygrad_edu lanes")


if hasattr(os, "register_at_fork"):  # a child process has none of its parent's threads
    os.register_at_fork(after_in_child=_pool.cache_clear)


def _cores() -> int:
    allowed = getattr(os, "sched_getaffinity", None)
    return len(allowed(0)) if allowed else os.cpu_count() or 1
