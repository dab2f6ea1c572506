"""Many training steps in one call: gather the rows, differentiate, update, again.

Two kernels do the work, and this loop only passes numbers between them:

    state, rows ──step──▶ total, once ──update──▶ next state, record
"""

from __future__ import annotations

from typing import Any, Protocol

from .code import Code


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
        update(n=0, shared=[state, total, once, scalars[t], float(len(rows))]) → fresh
        state, records[t] = fresh[: len(state)], fresh[len(state) :]

    To be open to interrupts call it for some steps at a time, with a slice of ``offsets``
    (one more than there are steps), ``scalars`` and ``records``: between two calls ``state``
    is that of a finished step.

    Args:
        step: the loss and its gradients. ``each`` is empty; the shared numbers are the first
            of ``state`` (the parameters), which may hold more (momenta, counters).
        update: the optimiser as a program without inputs. It reads the shared numbers written
            above, in this order, and wants all its results ``once``: the next state, then
            what is to be recorded (the loss first, by custom).
        data: all samples, one row of ``step.code.inputs`` numbers each.
        order: int64, the rows in the order of their use: those of all steps, one after another.
        offsets: int64, where in ``order`` each step begins; the last is where the last ends.
        state: parameters and whatever else the optimiser keeps from step to step.
        scalars: a row of numbers per step (learning rate, 1 − βᵗ …), maybe an empty one.
        records: one row per step, filled with what ``update`` gives beyond the state.

    With native kernels every array is a C-contiguous NumPy array, float64 where not said
    otherwise; with others, sequences of floats and sequences of rows do as well.
    """
    total, once = [0.0] * len(step.code.total), [0.0] * len(step.code.once)
    fresh = [0.0] * len(update.code.once)
    for t in range(len(offsets) - 1):
        rows = _rows(data, order[offsets[t] : offsets[t + 1]])
        step(len(rows), rows, state[: step.code.shared], (), total, once)
        shared = [*state, *total, *once, *scalars[t], float(len(rows))]
        update(0, (), shared, (), (), fresh)
        state[:] = fresh[: len(state)]
        records[t] = fresh[len(state) :]


def _rows(data: Any, chosen: Any) -> Any:
    return data[chosen] if hasattr(data, "dtype") else [data[i] for i in chosen]
