"""Many training steps in one call: gather the rows, differentiate, update, again.

Two kernels do the work, and this loop only passes numbers between them:

    state, rows ──step──▶ total, once ──update──▶ next state, record
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any, Protocol

from .code import Code

__all__ = ["Kernel", "training_loop"]


class Kernel(Protocol):
    """What every executor's ``load(code)`` gives: the program, ready to run.

    A call reads ``batch`` (n rows of ``code.inputs`` numbers) and ``shared``, and fills
    ``each`` (n rows of ``len(code.each)`` numbers), ``total`` and ``once``.
    """

    code: Code

    def __call__(self, n: int, batch: Any, shared: Any, each: Any, total: Any, once: Any) -> None:
        """Run for n samples."""


def training_loop(
    step: Kernel,
    update: Kernel,
    data: Any,
    order: Any,
    offsets: Any,
    state: Any,
    scalars: Any,
    records: Any,
) -> None:
    """Train for ``len(offsets) − 1`` steps; ``state`` is changed in place.

    Step t does this::

        rows = data[order[offsets[t] : offsets[t + 1]]]
        step(n=len(rows), batch=rows, shared=state[: step.code.shared]) → total, once
        update(n=0, shared=[*state, *total, *once, *scalars[t], float(len(rows))]) → fresh
        state, records[t] = fresh[: len(state)], fresh[len(state) :]

    To be open to interrupts call it for some steps at a time, with a slice of ``offsets``
    (one longer than the slices of ``scalars`` and ``records``): between two calls ``state``
    is that of a finished step.

    Args:
        step: the loss and its gradients. ``each`` is empty; the shared numbers are the first
            of the state (the parameters), which may hold more (momenta, counters).
        update: the optimiser as a program without inputs. It reads the shared numbers written
            above, in this order, and wants all its results ``once``: the next state, then
            what is to be recorded (the loss first, by custom).
        data: all samples, one row of ``step.code.inputs`` numbers each.
        order: int64, the rows in the order of their use: those of all steps, one after another.
        offsets: int64, where in ``order`` each step begins; the last is where the last ends.
        state: parameters and whatever else the optimiser keeps from step to step.
        scalars: a row of numbers per step (learning rate, 1 − βᵗ, …), all empty if none.
        records: one row per step, filled with what ``update`` gives beyond the state.

    All of them are C-contiguous NumPy arrays, of float64 where nothing else is said; with the
    executor that is plain Python, lists and lists of rows do as well.

    Gradient descent on (w·x)² for two samples, twice:

    >>> from tinygrad_edu.compiler.python import load
    >>> step = Code(1, 1, (2.0,), ("mul", "square", "mul", "mul"),
    ...             ((0, 1), (3,), (3, 0), (2, 5)), total=(4, 6))  # Σ (w·x)², Σ 2·w·x·x
    >>> update = Code(0, 5, (), ("mul", "sub"), ((3, 2), (0, 5)), once=(6, 1))  # w − rate·slope
    >>> state, records = [1.0], [[0.0], [0.0]]
    >>> training_loop(load(step), load(update), [[1.0], [2.0]], [0, 1, 1, 0], [0, 2, 4],
    ...               state, [[0.05], [0.05]], records)
    >>> state, records
    ([0.25], [[5.0], [1.25]])
    """
    total, once = [0.0] * len(step.code.total), [0.0] * len(step.code.once)
    fresh = [0.0] * len(update.code.once)
    for t, (start, stop) in enumerate(pairwise(offsets)):
        rows = [[float(x) for x in data[i]] for i in order[start:stop]]
        step(stop - start, rows, state[: step.code.shared], [], total, once)
        shared = [float(x) for x in (*state, *total, *once, *scalars[t], stop - start)]
        update(0, [], shared, [], [], fresh)
        state[:] = fresh[: len(state)]
        records[t] = fresh[len(state) :]
