"""Who runs a model's programs: plain Python at once, machine code where there is more to do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..compiler import Code, python

Rows = Sequence[Sequence[float]]

PIECE = 0.05
"""Seconds that a call may take: between two calls Ctrl-C is heard."""


class Engine:
    """One program, run for as many samples as it is given.

    >>> engine = Engine(Code(2, 0, (), ("mul",), ((0, 1),), each=(2,), total=(2,)))
    >>> engine([[2.0, 3.0], [4.0, 5.0]], [])
    ([[6.0], [20.0]], [26.0], [])
    """

    def __init__(self, code: Code) -> None:
        self.code = code
        self._kernel: Any = None

    def __call__(
        self, rows: Rows, shared: Sequence[float]
    ) -> tuple[list[list[float]], list[float], list[float]]:
        """The results of each row, their totals over the rows, and those wanted once."""
        if self._kernel is None:
            self._kernel = python.load(self.code)
        each: list[list[float]] = [[] for _ in rows]
        total, once = [0.0] * len(self.code.total), [0.0] * len(self.code.once)
        self._kernel(len(rows), rows, shared, each, total, once)
        return each, total, once


class TrainingEngine:
    """A step and an update, run for as many batches as they are given."""

    def __init__(self, step: Code, update: Code) -> None:
        self.step, self.update = Engine(step), Engine(update)

    def at_once(self, samples: int, steps: int) -> int:
        """How many epochs take about `PIECE` seconds."""
        work = samples * len(self.step.code.ops) + steps * len(self.update.code.ops)
        return max(1, int(PIECE / (1e-7 * work + 1e-5 * steps)))

    def train(
        self,
        rows: Rows,
        batches: Sequence[Sequence[int]],
        state: Sequence[float],
        rates: Sequence[Sequence[float]],
    ) -> tuple[list[float], list[list[float]]]:
        """The state after these batches, and the record of each."""
        state, size = list(state), len(state)
        shared, records = self.step.code.shared, []
        for batch, scalars in zip(batches, rates):
            _, total, once = self.step([rows[i] for i in batch], state[:shared])
            given = [*state, *total, *once, *scalars, float(len(batch))]
            _, _, fresh = self.update((), given)
            state = fresh[:size]
            records.append(fresh[size:])
        return state, records
