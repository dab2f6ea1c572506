"""Many training steps in one call: gather the rows, differentiate, update, again.

Two kernels do the work, and this loop only passes numbers between them:

    state, rows ──step──▶ total, once ──update──▶ next state, record
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import BadArgument
from .abi import CALLED, FastKernel
from .llvm import Function, MachineCode, Real, Whole, compiled, once

__all__ = ["training_loop"]


# The arguments of the loop, in an array of i64: lengths, and the addresses of kernels and arrays.
_FIELDS = (
    "steps", "inputs", "state_length", "total_length", "once_length", "scalar_length",
    "record_length", "step", "step_context", "update", "update_context",
    "data", "order", "offsets", "state", "scalars", "records", "rows", "shared", "fresh",
)  # fmt: skip


def training_loop(
    step: FastKernel,
    update: FastKernel,
    data: Any,
    order: Any,
    offsets: Any,
    state: Any,
    scalars: Any,
    records: Any,
) -> None:
    """Train for ``len(offsets) − 1`` steps, and change ``state`` in place.

    Step t does this::

        rows = data[order[offsets[t] : offsets[t + 1]]]
        step(n=len(rows), batch=rows, shared=state[: step.code.shared]) → total, once
        update(n=0, shared=[*state, *total, *once, *scalars[t], float(len(rows))]) → fresh
        state, records[t] = fresh[: len(state)], fresh[len(state) :]

    To handle interrupts, call it for a few steps at a time, with a slice of ``offsets`` (one longer
    than the slices of ``scalars`` and ``records``): between two calls ``state`` is that of a
    finished step.

    Args:
        step: the loss and its gradients. ``each`` is empty; the shared numbers are the first
            of the state (the parameters), which may hold more (momenta, counters).
        update: the optimiser as a program without inputs. It reads the shared numbers written
            above, in this order, and wants all its results ``once``: the next state, then
            the numbers to be recorded (the loss first, by custom).
        data: all samples, one row of ``step.code.inputs`` numbers each.
        order: int64, the rows in the order of their use: those of all steps, one after another.
        offsets: int64, the beginning of each step in ``order``, and the end of the last.
        state: parameters, and other numbers that the optimiser keeps from step to step.
        scalars: a row of numbers per step (learning rate, 1 − βᵗ, …), all empty if none.
        records: one row per step, filled with the results of ``update`` beyond the state.

    All of it is one call of machine code. ``state`` and ``records``, which are written to, must be
    C-contiguous arrays of float64.

    Raises:
        BadArgument: if lengths do not fit, or if ``order`` names a row that does not exist. Nothing
            has been changed then.
        MemoryError: if there is none left. ``state`` is then that of the last finished step.

    Gradient descent on (w·x)² for two samples, twice:

    >>> from tinygrad_edu.compiler.virtual_machine import Code, load
    >>> step = Code(1, 1, (2.0,), ("mul", "square", "mul", "mul"),
    ...             ((0, 1), (3,), (3, 0), (2, 5)), total=(4, 6))  # Σ (w·x)², Σ 2·w·x·x
    >>> update = Code(0, 5, (), ("mul", "sub"), ((3, 2), (0, 5)), once=(6, 1))  # w − rate·slope
    >>> state, records = np.array([1.0]), np.zeros((2, 1))
    >>> training_loop(load(step), load(update), [[1.0], [2.0]], [0, 1, 1, 0], [0, 2, 4],
    ...               state, [[0.05], [0.05]], records)
    >>> state.tolist(), records.tolist()
    ([0.25], [[5.0], [1.25]])
    """
    data, scalars = (np.ascontiguousarray(x, np.float64) for x in (data, scalars))
    order, offsets = (np.ascontiguousarray(x, np.int64) for x in (order, offsets))
    steps, kept, made = len(offsets) - 1, len(state), len(update.code.once)
    counts = np.diff(offsets)
    shared = np.empty(kept + len(step.code.total) + len(step.code.once) + scalars.shape[-1] + 1)
    conditions = (
        ("data", data.shape[1:] == (step.code.inputs,), data.shape),
        ("offsets", steps >= 0 and (counts >= 0).all() and _within(offsets, len(order)), offsets),
        ("order", _within(order[offsets[0] : offsets[-1]], len(data) - 1), order),
        ("state", step.code.shared <= kept <= made and _writable(state), kept),
        ("scalars", scalars.ndim == 2 and len(scalars) >= steps, scalars.shape),
        ("records", np.shape(records) == (steps, made - kept) and _writable(records),
         np.shape(records)),
        ("update", (update.code.inputs, update.code.shared) == (0, len(shared)),
         update.code.shared),
        ("step", not step.code.each, step.code.each),
    )  # fmt: skip
    for name, fits, received in conditions:
        if not fits:
            raise BadArgument(
                f"The training loop's {name} does not fit its programs. Received: {received}. "
                f"The documentation of training_loop describes each argument."
            )
    arrays = {
        "data": data, "order": order, "offsets": offsets, "state": state, "scalars": scalars,
        "records": records, "rows": np.empty((counts.max(initial=0), step.code.inputs)),
        "shared": shared, "fresh": np.empty(made),
    }  # fmt: skip
    numbers = {
        "steps": steps, "inputs": step.code.inputs, "state_length": kept,
        "total_length": len(step.code.total), "once_length": len(step.code.once),
        "scalar_length": scalars.shape[1], "record_length": made - kept,
        "step": step.address, "step_context": step.context,
        "update": update.address, "update_context": update.context,
        **{name: array.ctypes.data for name, array in arrays.items()},
    }  # fmt: skip
    fields = np.array([numbers[name] for name in _FIELDS], np.int64)
    if CALLED(_compiled_loop().addresses["train"])(fields.ctypes.data):
        raise MemoryError("A training step could not allocate its memory.")


def _writable(array: Any) -> bool:
    flags = getattr(array, "flags", None)
    return bool(flags and flags.c_contiguous and flags.writeable and array.dtype == float)


def _within(numbers: Any, last: int) -> bool:
    return bool(numbers.min(initial=last) >= 0 and numbers.max(initial=0) <= last)


@once
def _compiled_loop() -> MachineCode:
    f = Function("train", {"fields": "ptr"}, lanes=1)
    length = {
        name: f.field("%fields", i) for i, name in enumerate(_FIELDS) if i < _FIELDS.index("step")
    }
    at = {name: f.pointer("%fields", i) for i, name in enumerate(_FIELDS) if name not in length}
    state, shared, fresh = length["state_length"], at["shared"], at["fresh"]
    totals = f.place(shared, state)
    onces = f.place(totals, length["total_length"])
    scalars = f.place(onces, length["once_length"])
    failed = f.value("alloca i32")
    f.write(f"store i32 0, ptr {failed}")
    with f.repeat(length["steps"]) as t:
        start, stop = f.field(at["offsets"], t.index), f.field(at["offsets"], t.index + 1)
        lanes = stop - start
        with f.repeat(lanes) as lane:
            row = f.field(at["order"], start + lane.index)
            source = f.place(at["data"], row * length["inputs"])
            f.copy(source, f.place(at["rows"], lane.index * length["inputs"]), length["inputs"])
        f.copy(at["state"], shared, state)
        source = f.place(at["scalars"], t.index * length["scalar_length"])
        f.copy(source, scalars, length["scalar_length"])
        count = Real(f, f.value(f"sitofp i64 {lanes} to double"), 1)
        f.store(count, scalars, length["scalar_length"])
        _run(f, failed, at, "step", lanes, at["rows"], at["state"], totals, onces)
        _run(f, failed, at, "update", 0, "null", shared, "null", fresh)
        with f.when(f.field(failed, 0, "i32").compare("eq", 0)):
            f.copy(fresh, at["state"], state)
            record = f.place(at["records"], t.index * length["record_length"])
            f.copy(f.place(fresh, state), record, length["record_length"])
    f.result = f"i32 {f.value(f'load i32, ptr {failed}')}"
    return compiled([f])


def _run(
    f: Function,
    failed: str,
    at: dict[str, str],
    kernel: str,
    lanes: Whole | int,
    rows: str,
    shared: str,
    total: str,
    once: str,
) -> None:
    """Call a kernel, unless one has failed before."""
    with f.when(f.field(failed, 0, "i32").compare("eq", 0)):
        status = f.value(
            f"call i32 {at[kernel]}(ptr {at[f'{kernel}_context']}, i64 {lanes}, ptr {rows}, "
            f"ptr {shared}, ptr null, ptr {total}, ptr {once})"
        )
        f.write(f"store i32 {status}, ptr {failed}")
