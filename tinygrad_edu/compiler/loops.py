"""Many training steps in one call: gather the rows, differentiate, update, again.

Two programs do the work, and this loop only passes numbers between them:

    state, rows ──step──▶ total, once ──update──▶ next state, record
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

from .code import Code

__all__ = ["training_loop"]


def training_loop(step: Code, update: Code, load: Callable[[Code], Any]) -> Callable[..., None]:
    """A function ``train(data, order, offsets, state, scalars, records)`` that runs many steps.

    It takes ``len(offsets) − 1`` steps and changes ``state`` in place. Step t is::

        rows = data[order[offsets[t] : offsets[t + 1]]]
        step(n=len(rows), batch=rows, shared=state[: step.shared]) → total, once
        update(n=0, shared=[*state, *total, *once, *scalars[t], float(len(rows))]) → fresh
        state, records[t] = fresh[: len(state)], fresh[len(state) :]

    To be open to interrupts, call it for some steps at a time, with a slice of ``offsets``
    (one longer than the slices of ``scalars`` and ``records``): between two calls ``state``
    is that of a finished step.

    Args:
        step: the loss and its gradients. ``each`` is empty; the shared numbers are the first
            of the state (the parameters), which may hold more (momenta, counters).
        update: the optimiser as a program without inputs. It reads the shared numbers written
            above, in this order, and wants all its results ``once``: the next state, then
            what is to be recorded (the loss first, by custom).
        load: an executor's ``load``, which both programs run on.

    The function that is returned takes:
        data: all samples, one row of ``step.inputs`` numbers each.
        order: int64, the rows in the order of their use: those of all steps, one after another.
        offsets: int64, where in ``order`` each step begins; the last is where the last ends.
        state: parameters and whatever else the optimiser keeps from step to step.
        scalars: a row of numbers per step (learning rate, 1 − βᵗ, …), all empty if none.
        records: one row per step, filled with what ``update`` gives beyond the state.

    All of them are C-contiguous NumPy arrays, of float64 where nothing else is said; with the
    executor that is plain Python, lists and lists of rows do as well.

    Gradient descent on (w·x)² for two samples, twice:

    >>> from tinygrad_edu.compiler import python
    >>> step = Code(1, 1, (2.0,), ("mul", "square", "mul", "mul"),
    ...             ((0, 1), (3,), (3, 0), (2, 5)), total=(4, 6))  # Σ (w·x)², Σ 2·w·x·x
    >>> update = Code(0, 5, (), ("mul", "sub"), ((3, 2), (0, 5)), once=(6, 1))  # w − rate·slope
    >>> train = training_loop(step, update, python.load)
    >>> state, records = [1.0], [[0.0], [0.0]]
    >>> train([[1.0], [2.0]], [0, 1, 1, 0], [0, 2, 4], state, [[0.05], [0.05]], records)
    >>> state, records
    ([0.25], [[5.0], [1.25]])
    """
    run_step, run_update = load(step), load(update)
    total, once = [0.0] * len(step.total), [0.0] * len(step.once)
    fresh = [0.0] * len(update.once)

    def train(data: Any, order: Any, offsets: Any, state: Any, scalars: Any, records: Any) -> None:
        for t, (start, stop) in enumerate(pairwise(offsets)):
            rows = [float(x) for i in order[start:stop] for x in data[i]]
            run_step(stop - start, rows, state[: step.shared], [], total, once)
            shared = [float(x) for x in (*state, *total, *once, *scalars[t], stop - start)]
            run_update(0, [], shared, [], [], fresh)
            state[:] = fresh[: len(state)]
            records[t] = fresh[len(state) :]

    return train
