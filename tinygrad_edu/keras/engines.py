"""A model's programs, run on lists of numbers; `compiler.scheduler` chooses the executor."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from itertools import accumulate, chain
from math import inf
from time import perf_counter
from typing import Any, NamedTuple

from ..compiler import Code
from ..compiler.scheduler import EARLY, TRAINING_HOT, TRAINING_LONG, Scheduler

Rows = Sequence[Sequence[float]]
Batches = Sequence[Sequence[int]]

PIECE = 0.05
"""Seconds that a call may take: Ctrl-C is handled between two calls."""
TICK = 1e-3
"""Seconds that a call is taken to last at least: a browser's clock goes in steps as long."""


class Table(list[list[float]]):
    """Rows of numbers, and an array of them that is created when it is needed."""

    @cached_property
    def array(self) -> Any:
        """The same numbers."""
        import numpy as np

        return np.array(self, float)


def scheduled(codes: Sequence[Code], jit: bool | str) -> Scheduler:
    """Programs of a model: "auto", or True for machine code at once, or False for none."""
    scheduler = Scheduler(codes, "auto" if jit else "python", hot=TRAINING_HOT, long=TRAINING_LONG)
    if jit is True:
        scheduler.prepared(inf)
    return scheduler


class Engine:
    """One program, run for any number of samples.

    >>> engine = Engine(Code(2, 0, (), ("mul",), ((0, 1),), each=(2,), total=(2,)))
    >>> engine([[2.0, 3.0], [4.0, 5.0]], [])
    ([[6.0], [20.0]], [26.0], [])
    """

    def __init__(self, code: Code, jit: bool | str = "auto") -> None:
        self._scheduler = scheduled([code], jit)

    def __call__(
        self, rows: Rows, shared: Sequence[float]
    ) -> tuple[list[list[float]], list[float], list[float]]:
        """The results of each row, their totals over the rows, and those computed once."""
        (code,), n = self._scheduler.codes, len(rows)
        work = n * len(code.ops)
        fast, (kernel,) = self._scheduler.prepared(20.0 * work)
        counts = len(code.total), len(code.once)
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
        self._scheduler.add(work)
        return results


class Task(NamedTuple):
    """The size of a task: samples and steps per epoch, and epochs."""

    samples: int
    steps: int
    epochs: int


class TrainingEngine:
    """A step and an update, run for any number of batches; see `training_loop`."""

    def __init__(self, step: Code, update: Code, jit: bool | str = "auto") -> None:
        self._scheduler = scheduled([step, update], jit)
        self._pace = 1e-7  # seconds per instruction of a lane, as measured last
        self._steps = 0  # trained so far

    def _work(self, samples: int, steps: int) -> int:
        """Instructions × lanes for these numbers of samples and steps."""
        step, update = self._scheduler.codes
        return samples * (len(step.ops) + 10) + steps * (len(update.ops) + 50)

    def at_once(self, task: Task) -> int:
        """The number of epochs in about `PIECE` seconds; 1 while the virtual machine is loaded."""
        work = self._work(task.samples, task.steps)
        if self._early(task) and self._scheduler.due(work * task.epochs):
            return 1
        return max(1, int(PIECE / (work * self._pace)))

    def _early(self, task: Task) -> bool:
        """Whether this is the first epoch, and short enough to leave it to Python."""
        return self._steps < task.steps and self._work(task.samples, task.steps) <= EARLY

    def train(
        self,
        rows: Table,
        batches: Batches,
        state: Sequence[float],
        rates: Rows,
        task: Task | None,
    ) -> tuple[list[float], list[list[float]]]:
        """The state after these batches, and the record of each.

        It runs in pieces, so that Ctrl-C is handled between them.

        Args:
            rows: the numbers of each sample.
            batches: the rows of each step.
            state: the state as the program for the update reads it.
            rates: the learning rate of each step, as a list of one.
            task: the whole training; if it is not known, a thousand times this part.
        """
        state, records = list(state), list[list[float]]()
        samples = sum(map(len, batches))
        task = task or Task(samples, len(batches), 1000)
        planned = self._work(task.samples, task.steps) * task.epochs
        work = self._work(samples, len(batches)) / len(batches)
        self._scheduler.lanes_of_a_call = samples / max(1, len(batches))
        while len(records) < len(batches):
            i, size = len(records), max(1, int(PIECE / (work * self._pace)))
            fast, (step, update) = self._scheduler.prepared(planned, task, self._early(task))
            start = perf_counter()
            run, table = (_quickly, rows.array) if fast else (_plainly, rows)
            until = i + size
            state, more = run(step, update, table, batches[i:until], state, rates[i:until])
            self._pace = max(perf_counter() - start, TICK) / (work * len(more))
            self._scheduler.add(work * len(more))
            self._steps += len(more)
            records += more
        return state, records


def _plainly(
    step: Any, update: Any, rows: Rows, batches: Batches, state: list[float], rates: Rows
) -> tuple[list[float], list[list[float]]]:
    """The steps that `training_loop` describes, on lists."""
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
    """The same, in machine code, or in tensors."""
    import numpy as np

    if not hasattr(step, "address"):
        return _with_tensors(step, update, table, batches, state, rates)
    from ..compiler.training_loop import training_loop

    count, numbers = len(batches), np.array(state)
    order = np.array(list(chain.from_iterable(batches)), np.int64)
    offsets = np.array(list(accumulate(map(len, batches), initial=0)), np.int64)
    records = np.empty((count, len(update.code.once) - len(state)))
    training_loop(step, update, table, order, offsets, numbers, np.array(rates), records)
    return numbers.tolist(), records.tolist()


def _with_tensors(
    step: Any, update: Any, table: Any, batches: Batches, state: Sequence[float], rates: Rows
) -> tuple[list[float], list[list[float]]]:
    """The same on arrays: both programs write to where the other one reads."""
    import numpy as np

    size, totals, onces = len(state), len(step.code.total), len(step.code.once)
    shared, fresh = np.empty(update.code.shared), np.empty(len(update.code.once))
    nothing, records, rows = np.empty(0), [], dict[int, Any]()
    total, once = np.split(shared[size : size + totals + onces], [totals])
    shared[:size] = state
    for batch, rate in zip(batches, rates):
        n = len(batch)
        if n not in rows:
            rows[n] = np.empty((n, table.shape[1]))
        np.take(table, batch, 0, rows[n], "clip")
        step(n, rows[n], shared[: step.code.shared], nothing, total, once)
        shared[size + totals + onces :] = *rate, float(n)
        update(0, nothing, shared, nothing, nothing, fresh)
        shared[:size] = fresh[:size]
        records.append(fresh[size:].tolist())
    return shared[:size].tolist(), records
