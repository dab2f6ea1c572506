"""Many training steps in one call: gather the rows, differentiate, update, again.

Two kernels do the work, and this loop only passes numbers between them:

    state, rows ──step──▶ total, once ──update──▶ next state, record
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from itertools import pairwise
from typing import Any, Protocol

from ..errors import BadArgument
from .abi import FastKernel
from .code import Code
from .llvm import Function, MachineCode, Real, Whole, compiled, once

__all__ = ["Kernel", "training_loop"]


class Kernel(Protocol):
    """The result of every executor's ``load(code)``: the program, ready to run.

    A call reads ``batch`` (n rows of ``code.inputs`` numbers) and ``shared``, and fills
    ``each`` (n rows of ``len(code.each)`` numbers), ``total`` and ``once``.
    """

    code: Code

    def __call__(self, n: int, batch: Any, shared: Any, each: Any, total: Any, once: Any) -> None:
        """Run for n samples."""

    def into(self, total: Any, once: Any) -> Callable[[int, Any, Any], None]:
        """The same as ``call(n, batch, shared)``, which always leaves its results there."""


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

    With the fast executors the whole of it is one call of machine code, and all of these are
    NumPy arrays: ``state`` and ``records`` C-contiguous and of float64, as they are written to.
    With plain Python, lists and lists of rows do as well.

    Raises:
        BadArgument: with the fast executors, if lengths do not fit, or if ``order`` names a
            row that is not there. Nothing has been changed then.
        MemoryError: if there was none. ``state`` is then that of the last finished step.

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
    if isinstance(step, FastKernel) and isinstance(update, FastKernel):
        _in_machine_code(step, update, data, order, offsets, state, scalars, records)
        return
    total, once = [0.0] * len(step.code.total), [0.0] * len(step.code.once)
    fresh = [0.0] * len(update.code.once)
    for t, (start, stop) in enumerate(pairwise(offsets)):
        rows = [[float(x) for x in data[i]] for i in order[start:stop]]
        step(stop - start, rows, state[: step.code.shared], [], total, once)
        shared = [float(x) for x in (*state, *total, *once, *scalars[t], stop - start)]
        update(0, [], shared, [], [], fresh)
        state[:] = fresh[: len(state)]
        records[t] = fresh[len(state) :]


# ── The same, compiled ────────────────────────────────────────────────────────────────────

# The arguments of the loop, in an array of i64: lengths, and the addresses of kernels and arrays.
_TOLD = (
    "steps", "inputs", "state_length", "total_length", "once_length", "scalar_length",
    "record_length", "step", "step_context", "update", "update_context",
    "data", "order", "offsets", "state", "scalars", "records", "rows", "shared", "fresh",
)  # fmt: skip


def _in_machine_code(
    step: FastKernel,
    update: FastKernel,
    data: Any,
    order: Any,
    offsets: Any,
    state: Any,
    scalars: Any,
    records: Any,
) -> None:
    import numpy as np

    data, scalars = (np.ascontiguousarray(x, np.float64) for x in (data, scalars))
    order, offsets = (np.ascontiguousarray(x, np.int64) for x in (order, offsets))
    steps, kept, made = len(offsets) - 1, len(state), len(update.code.once)
    counts = np.diff(offsets)
    shared = np.empty(kept + len(step.code.total) + len(step.code.once) + scalars.shape[-1] + 1)
    _demand(
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
    arrays = {
        "data": data, "order": order, "offsets": offsets, "state": state, "scalars": scalars,
        "records": records, "rows": np.empty((counts.max(initial=0), step.code.inputs)),
        "shared": shared, "fresh": np.empty(made),
    }  # fmt: skip
    told = {
        "steps": steps, "inputs": step.code.inputs, "state_length": kept,
        "total_length": len(step.code.total), "once_length": len(step.code.once),
        "scalar_length": scalars.shape[1], "record_length": made - kept,
        "step": step.address, "step_context": step.context,
        "update": update.address, "update_context": update.context,
        **{name: array.ctypes.data for name, array in arrays.items()},
    }  # fmt: skip
    fields = np.array([told[name] for name in _TOLD], np.int64)
    if _LOOP(_compiled_loop().address("train"))(fields.ctypes.data):
        raise MemoryError("A training step found no memory to work in.")


def _writable(array: Any) -> bool:
    flags = getattr(array, "flags", None)
    return bool(flags and flags.c_contiguous and flags.writeable and array.dtype == float)


def _within(numbers: Any, last: int) -> bool:
    return bool(numbers.min(initial=last) >= 0 and numbers.max(initial=0) <= last)


def _demand(*conditions: tuple[str, bool, object]) -> None:
    for name, fits, got in conditions:
        if not fits:
            raise BadArgument(
                f"The training loop's {name} does not fit its programs. Received: {got}. "
                f"See training_loop for what each argument holds."
            )


_LOOP = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p)


@once
def _compiled_loop() -> MachineCode:
    f = Function("train", {"told": "ptr"}, lanes=1)
    length = {name: f.field("%told", i) for i, name in enumerate(_TOLD) if i < _TOLD.index("step")}
    at = {name: f.pointer("%told", i) for i, name in enumerate(_TOLD) if name not in length}
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
