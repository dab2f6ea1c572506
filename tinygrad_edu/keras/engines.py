"""The executors of a model's programs: plain Python at once, machine code for longer tasks.

Python needs no preparation, and seven samples are trained on before LLVM is even imported.
The virtual machine of `compiler` takes a tenth of a second, once per process, and is then a
hundred times as fast; code of its own takes a second or two per model, for a training that
goes on and on. Both are prepared in the background. Which of the three it is shows in the time
alone.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence
from contextlib import suppress
from functools import cache, cached_property
from importlib import import_module
from importlib.util import find_spec
from itertools import accumulate, chain
from math import inf
from threading import Thread
from time import perf_counter
from typing import Any, NamedTuple

from ..compiler import Code, python
from ..compiler.code import FORMULAS
from ..compiler.scheduler import EXECUTORS
from ..locks import lock

Rows = Sequence[Sequence[float]]
Batches = Sequence[Sequence[int]]

LANES = 8
"""From so many samples on, the fast kernels add several at once."""

MUCH = 1_000_000
"""Instructions × lanes from which a task is not for Python: about 50 ms of it."""

WARM = 0.003
"""Seconds of Python after which machine code is prepared."""

HOT = 2.0
"""Seconds of the virtual machine after which it is worth code of its own."""

LONG = 5000
"""Instructions from which a program is left to the virtual machine: Python and LLVM compile such a
long program slowly."""

PATIENCE = 0.02
"""Seconds that a call leaves to a thread that prepares the virtual machine: both need Python's
one lock, and whoever trains without a pause would keep it waiting for a second."""

NAME = "tinygrad_edu prepares"
"""The name of threads that prepare machine code."""

PIECE = 0.05
"""Seconds that a call may take: between two calls Ctrl-C is heard."""


class Table(list[list[float]]):
    """Rows of numbers, and an array of them from when one is needed."""

    @cached_property
    def array(self) -> Any:
        """The same numbers."""
        import numpy as np

        return np.array(self, float)


class Engine:
    """One program, run for as many samples as it is given.

    >>> engine = Engine(Code(2, 0, (), ("mul",), ((0, 1),), each=(2,), total=(2,)))
    >>> engine([[2.0, 3.0], [4.0, 5.0]], [])
    ([[6.0], [20.0]], [26.0], [])
    """

    def __init__(self, code: Code, jit: bool | str = "auto") -> None:
        self._runs = _Runs([code], jit)

    def __call__(
        self, rows: Rows, shared: Sequence[float]
    ) -> tuple[list[list[float]], list[float], list[float]]:
        """The results of each row, their totals over the rows, and those wanted once."""
        (code,), n = self._runs.codes, len(rows)
        fast, (kernel,) = self._runs.prepared(n, 20.0 * n * len(code.ops))
        counts = len(code.total), len(code.once)
        start = perf_counter()
        results: tuple[Any, ...]
        if fast:
            import numpy as np

            each = np.empty((n, len(code.each)))
            total, once = map(np.empty, counts)
            kernel(n, np.array(rows, float).reshape(n, -1), np.array(shared), each, total, once)
            results = each.tolist(), total.tolist(), once.tolist()
        else:
            results = [[] for _ in rows], *([0.0] * count for count in counts)
            kernel(n, rows, shared, *results)
        self._runs.seconds += perf_counter() - start
        return results


class Task(NamedTuple):
    """How much is asked for: samples and steps of an epoch, and epochs."""

    samples: int
    steps: int
    epochs: int


class TrainingEngine:
    """A step and an update, run for as many batches as they are given; see `training_loop`."""

    def __init__(self, step: Code, update: Code, jit: bool | str = "auto") -> None:
        self._runs = _Runs([step, update], jit)
        self._pace = 1e-7  # seconds per instruction of a lane, as measured last

    def _work(self, samples: int, steps: int) -> int:
        """Instructions × lanes of so many samples in so many steps."""
        step, update = self._runs.codes
        return samples * (len(step.ops) + 10) + steps * (len(update.ops) + 50)

    def at_once(self, samples: int, steps: int) -> int:
        """How many epochs of so many samples and steps take about `PIECE` seconds."""
        return max(1, int(PIECE / (self._work(samples, steps) * self._pace)))

    def train(
        self,
        rows: Table,
        batches: Batches,
        state: Sequence[float],
        rates: Rows,
        task: Task | None,
    ) -> tuple[list[float], list[list[float]]]:
        """The state after these batches, and the record of each.

        It goes on in pieces, so that Ctrl-C is heard between two of them.

        Args:
            rows: the numbers of each sample.
            batches: which rows each step takes.
            state: as the program for the update reads it.
            rates: the learning rate of each step, as a list of one.
            task: the whole training that this is part of; if that is not known, a thousand
                times this.
        """
        state, records = list(state), list[list[float]]()
        lanes, samples = max(map(len, batches)), sum(map(len, batches))
        task = task or Task(samples, len(batches), 1000)
        planned = self._work(task.samples, task.steps) * task.epochs
        work = self._work(samples, len(batches)) / len(batches)
        while len(records) < len(batches):
            i, size = len(records), max(1, int(PIECE / (work * self._pace)))
            fast, (step, update) = self._runs.prepared(lanes, planned)
            start = perf_counter()
            run, table = (_quickly, rows.array) if fast else (_plainly, rows)
            until = i + size
            state, more = run(step, update, table, batches[i:until], state, rates[i:until])
            took = perf_counter() - start
            self._runs.seconds += took
            self._pace = took / (work * len(more))
            records += more
        return state, records


class _Runs:
    """Some programs and the kernels that run them now.

    Which kernels run must never depend on the clock where that would show in a result. Single
    samples come out the same to the bit, and so do fewer than `LANES` of them if everything
    computed is exact (`FORMULAS`): there the faster kernels take over whenever they are ready.
    Otherwise sums are taken in another order, or exp is another one; then the size of the task
    decides, which is the same in every run.

    Args:
        codes: the programs.
        jit: "auto", or True for machine code at once, or False for none.

    Attributes:
        seconds: what the present kernels have taken so far.
    """

    def __init__(self, codes: Sequence[Code], jit: bool | str) -> None:
        self.codes, self.jit, self.seconds = codes, jit, 0.0
        self.fast = ""  # which executor the fast kernels are from
        self._kernels: dict[bool, tuple[Any, ...]] = {}
        self._long = any(len(code.ops) > LONG for code in codes)
        varying = (code.ops for code in codes if code.inputs)
        self._alike = LANES if FORMULAS.issuperset(*varying) else 2
        self._asked: set[str] = set()
        self._preparing: Thread | None = None

    def prepared(self, lanes: int, planned: float) -> tuple[bool, tuple[Any, ...]]:
        """Whether the kernels are fast ones, which take arrays, and the kernels.

        Args:
            lanes: how many samples the largest batch has.
            planned: the instructions × lanes of the whole task.
        """
        if self._preparing is not None and not self.fast:
            self._preparing.join(PATIENCE)
        fast = self.jit is True or (bool(self.jit) and self._is_due(lanes, planned))
        if fast and not self.fast:
            self._load("machine")
        if not fast and False not in self._kernels:
            self._kernels[False] = tuple(map(python.load, self.codes))
        if self.jit:
            self._look_ahead()
        return fast, self._kernels[fast]

    def _is_due(self, lanes: int, planned: float) -> bool:
        if lanes < self._alike and not self._long:
            return bool(self.fast)
        return (self._long or planned > MUCH) and _installed()

    def _look_ahead(self) -> None:
        """Prepare the next executor in the background, if it is worth that."""
        after, enough = _AFTER.get(self.fast, ("", inf))
        if self.seconds > enough and after not in self._asked:
            self._asked.add(after)
            if _installed() and not (after == "native" and self._long):
                _import_numpy()  # here: others look at it while it is half imported
                thread = Thread(target=self._load, args=[after], name=NAME, daemon=True)
                with suppress(RuntimeError):  # no thread can be had: what there is goes on
                    thread.start()
                    if after == "machine":
                        self._preparing = thread

    def _load(self, executor: str) -> None:
        with _LOADING:  # one after the other: what all kernels share is made by the first
            _import_numpy()
            load = import_module(EXECUTORS[executor], "tinygrad_edu.compiler").load
            self._kernels[True] = tuple(map(load, self.codes))
            self.fast, self.seconds = executor, 0.0


_AFTER = {"": ("machine", WARM), "machine": ("native", HOT)}
_LOADING = lock()


def _import_numpy() -> None:
    """In a thread, where Ctrl-C does not reach it: half imported NumPy loses an interrupt, or
    takes it for an ImportError."""
    thread = Thread(target=import_module, args=["numpy"], name=NAME)
    if "numpy" not in sys.modules:
        thread.start()
        try:
            thread.join()
        except KeyboardInterrupt:
            thread.join()
            raise


@cache
def _installed() -> bool:
    """Whether there is what machine code needs; if not there is a notice, once."""
    found = all(map(find_spec, ("llvmlite", "numpy")))
    if not found:
        warnings.warn(
            "Models are trained in Python, with the same results. For more speed: "
            "pip install 'tinygrad-edu[compiler]'.",
            stacklevel=2,
        )
    return found


def _plainly(
    step: Any, update: Any, rows: Rows, batches: Batches, state: list[float], rates: Rows
) -> tuple[list[float], list[list[float]]]:
    """What `training_loop` does, on lists."""
    size, shared, records = len(state), step.code.shared, []
    total, once = [0.0] * len(step.code.total), [0.0] * len(step.code.once)
    fresh = [0.0] * len(update.code.once)
    for batch, rate in zip(batches, rates):
        step(len(batch), [rows[i] for i in batch], state[:shared], [], total, once)
        update(0, [], [*state, *total, *once, *rate, float(len(batch))], [], [], fresh)
        state = fresh[:size]
        records.append(fresh[size:])
    return state, records


def _quickly(
    step: Any, update: Any, table: Any, batches: Batches, state: list[float], rates: Rows
) -> tuple[list[float], list[list[float]]]:
    """`training_loop`, on arrays."""
    import numpy as np

    from ..compiler.training_loop import training_loop

    count, numbers = len(batches), np.array(state)
    order = np.array(list(chain.from_iterable(batches)), np.int64)
    offsets = np.array(list(accumulate(map(len, batches), initial=0)), np.int64)
    records = np.empty((count, len(update.code.once) - len(state)))
    training_loop(step, update, table, order, offsets, numbers, np.array(rates), records)
    return numbers.tolist(), records.tolist()
