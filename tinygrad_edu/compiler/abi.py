"""The frame of both fast executors: one compiled function that takes samples to results.

    shared ──once──▶ numbers for all samples ┐
    batch ──▶ eight samples, as columns ──lanes──▶ each, and columns of totals ──▶ total

An executor supplies the two parts in the middle. The frame, compiled once per process, cuts the
batch into blocks of `LANES` samples, turns rows into columns, adds up and manages memory. The order
of additions depends on neither the executor nor the processor: eight columns, each from top to
bottom, then from left to right, then the remaining samples, one by one.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ..errors import BadArgument
from .arrays import SMALL
from .code import Code
from .llvm import LANES, Function, MachineCode, Whole, compiled, library, once

__all__ = ["CALLED", "PART", "FastKernel", "Layout", "layout"]

CALLED = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p)
"""A function of the address of its arguments."""

PART = {"memory": "ptr", "shared": "ptr", "data": "ptr", "n": "i64"}
"""The parameters of an executor's functions: ``once`` fills numbers in ``memory``; ``one`` and
``many`` compute a block, from columns there to columns there. ``data`` is the executor's own."""

# The fields of the context, an array of i64.
(POOL, BYTES, INPUTS, EACH, TOTAL, ONCE, EACH_AT, TOTAL_AT, NUMBERS_AT, RESULTS,
 DATA, RUN_ONCE, RUN_ONE, RUN_MANY) = range(14)  # fmt: skip


class Layout(NamedTuple):
    """The places in the memory of a program, counted in numbers from its beginning.

    It begins with the columns of `LANES` numbers that the executor computes with, the inputs first.
    """

    each: int  # the columns of the results wanted in every lane
    total: int  # the columns of those wanted as a sum
    numbers: int  # single numbers, which are the same for every sample


def layout(code: Code, columns: int) -> Layout:
    """The layout of a program that computes with so many columns."""
    each = columns * LANES
    total = each + len(code.each) * LANES
    return Layout(each, total, total + len(code.total) * LANES)


class FastKernel:
    """A program in machine code; a kernel of `scheduler.EXECUTORS`.

    A call takes C-contiguous arrays of float64, which it trusts: none may overlap another or
    be shorter than ``code`` and n say. It may run in many threads at once.

    Args:
        code: the program.
        functions: the executor's, called ``once``, ``one`` and ``many``: for numbers that are the
            same for every sample, for a single sample, and for a block of samples.
        data: the address of their own data.
        layout: the layout of their memory.
        numbers: the number of single numbers in it.
        results: which of these numbers are wanted as ``once``; faster if they are the first.
        keep: objects that must live as long as the kernel.

    Attributes:
        address: of the C function ``int32 kernel(context, int64 n, batch, shared, each, total,
            once)``. It returns 0, or 1 if there was no memory.
        context: its first argument.
    """

    def __init__(
        self,
        code: Code,
        functions: MachineCode,
        data: int,
        layout: Layout,
        numbers: int,
        results: Any,
        keep: Any,
    ) -> None:
        frame, wanted = _frame(), np.array(results, np.int32)
        in_order = (wanted == np.arange(len(wanted))).all()
        self.code, self._keep = code, (frame, functions, wanted, keep)
        self.bytes = (layout.numbers + numbers) * 8 + 64
        self._fields = np.array(
            [0, self.bytes, code.inputs, len(code.each), len(code.total), len(code.once),
             *layout, 0 if in_order else wanted.ctypes.data, data,
             *map(functions.addresses.get, ("once", "one", "many"))],
            np.int64,
        )  # fmt: skip
        self.context: int = self._fields.ctypes.data
        self.address = frame.addresses["kernel"]
        self._called = CALLED(frame.addresses["called"])

    def __call__(self, n: int, batch: Any, shared: Any, each: Any, total: Any, once: Any) -> None:
        """Run for n samples."""
        code = self.code
        arguments = _ARGUMENTS(
            self.context,
            n,
            address(batch) if n and code.inputs else 0,
            address(shared) if code.shared else 0,
            address(each) if n and code.each else 0,
            address(total) if code.total else 0,
            address(once) if code.once else 0,
        )
        if self._called(ctypes.addressof(arguments)):
            raise self.no_memory()

    def into(self, total: Any, once: Any) -> Callable[[int, Any, Any], None]:
        """A call that always leaves its results there; for programs without ``each``.

        It takes half the time, as only the arguments that change from call to call are passed. Only
        one thread at a time may use it.

        >>> import numpy as np
        >>> from tinygrad_edu.compiler.virtual_machine import load
        >>> total = np.zeros(1)
        >>> call = load(Code(1, 1, (), ("mul",), ((0, 1),), total=(2,))).into(total, ())
        >>> call(2, np.array([[2.0], [3.0]]), np.array([10.0]))
        >>> total
        array([50.])
        """
        code, called = self.code, self._called
        totals, onces = address(total) if code.total else 0, address(once) if code.once else 0
        arguments: Any = _ARGUMENTS(self.context, 0, 0, 0, 0, totals, onces)
        arguments.kept = total, once  # they must live as long
        place = ctypes.addressof(arguments)
        takes_batch, takes_shared = code.inputs > 0, code.shared > 0
        last_batch = last_shared = last_n = None

        def call(n: int, batch: Any, shared: Any) -> None:
            nonlocal last_batch, last_shared, last_n
            if n != last_n:
                arguments[1] = last_n = n
            # Most calls have the arrays of the last one. They are kept, so their memory stays.
            if batch is not last_batch and takes_batch and n:
                arguments[2], last_batch = address(batch), batch if batch.nbytes <= SMALL else None
            if shared is not last_shared and takes_shared:
                arguments[3], last_shared = address(shared), shared
            if called(place):
                raise self.no_memory()

        return call

    def no_memory(self) -> MemoryError:
        return MemoryError(f"A program needs {self.bytes} bytes to run. Received: none.")

    def __del__(self) -> None:
        fields = getattr(self, "_fields", None)
        if fields is not None and fields[POOL]:
            library().free(ctypes.c_void_p(int(fields[POOL])))


_ARGUMENTS = ctypes.c_int64 * 7
_start = (ctypes.c_char * 0).from_buffer


def address(array: Any) -> int:
    """The address of an array's numbers, in the quickest way that ctypes knows.

    >>> import numpy as np
    >>> a = np.zeros(3)
    >>> address(a) == a.ctypes.data
    True

    Raises:
        BadArgument: for an array with gaps, and for anything but an array.
    """
    try:
        return ctypes.addressof(_start(array))
    except TypeError:  # read-only, or something else
        interface = getattr(array, "__array_interface__", None)
        if interface and interface["strides"] is None:
            return int(interface["data"][0])
    raise BadArgument(
        "A kernel takes C-contiguous arrays of float64. "
        f"Received: {'an array with gaps' if interface else repr(array)}."
    )


# ── The frame ─────────────────────────────────────────────────────────────────────────────


@once
def _frame() -> MachineCode:
    return compiled([_kernel(), _called(), _block(), _fold()])


def _kernel() -> Function:
    pointers = ("batch", "shared", "each", "total", "once")
    f = Function(
        "kernel", {"context": "ptr", "n": "i64", **dict.fromkeys(pointers, "ptr")}, lanes=1
    )
    n = f.whole("n")
    # Memory is kept from call to call; a thread allocates its own if another one uses it.
    taken = f.value("alloca i64")
    f.write(f"store i64 {_exchanged(f, 0)}, ptr {taken}")
    with f.when(f.field(taken, 0).compare("eq", 0)):
        size = f.field("%context", BYTES)
        fresh = f.value(f"call i64 {f.c_function('calloc')}(i64 1, i64 {size})")
        f.write(f"store i64 {fresh}, ptr {taken}")
    memory = f.field(taken, 0)
    missing = memory.compare("eq", 0)
    f.result = f"i32 {f.value(f'zext i1 {missing} to i32')}"
    with f.when(memory.compare("ne", 0)):
        columns = f.value(f"inttoptr i64 {(memory + 63) & -64} to ptr")
        _run(f, RUN_ONCE, columns)
        _hand_over(f, columns)
        totals = f.place(columns, f.field("%context", TOTAL_AT))
        count = f.field("%context", TOTAL)
        none = f.real(-0.0)  # −0 + x is x, even for x = −0
        with f.repeat(count) as loop:
            f.store(n.compare("eq", 0).where(0.0, none), "%total", loop.index)
            f.store(none.spread(LANES), totals, loop.index * LANES)
        with f.repeat(n >> LANES.bit_length() - 1) as loop:
            _call_block(f, columns, loop.index * LANES, LANES)
        with f.when(n.compare("sge", LANES)):
            f.write(f"call void @fold(ptr {totals}, ptr %total, i64 {count}, i64 {LANES})")
        rest = n & (LANES - 1)
        with f.when(rest.compare("ne", 0)):
            _call_block(f, columns, n - rest, rest)
            f.write(f"call void @fold(ptr {totals}, ptr %total, i64 {count}, i64 {rest})")
        f.write(f"call void {f.c_function('free')}(i64 {_exchanged(f, memory)})")
    return f


def _called() -> Function:
    """The kernel, called with an array of arguments, as ctypes is slow to convert each."""
    f = Function("called", {"arguments": "ptr"}, lanes=1)
    context, *pointers = [f.pointer("%arguments", i) for i in (0, 2, 3, 4, 5, 6)]
    n, listed = f.field("%arguments", 1), ", ".join(f"ptr {pointer}" for pointer in pointers)
    f.result = f"i32 {f.value(f'call i32 @kernel(ptr {context}, {n.typed}, {listed})')}"
    return f


def _block() -> Function:
    """At most `LANES` samples: rows to columns, the executor's function, and columns to rows."""
    parameters = dict.fromkeys(("context", "rows", "each", "memory", "shared"), "ptr")
    f = Function("block", {**parameters, "n": "i64", "lanes": "i64"}, lanes=1)
    width = f.field("%context", INPUTS)
    with f.repeat(f.whole("lanes")) as row, f.repeat(width) as column:
        x = f.load("%rows", row.index * width + column.index)
        f.store(x, "%memory", column.index * LANES + row.index)
    single = f.whole("n").compare("eq", 1)
    run = f.value(f"select {single.typed}, i64 {RUN_ONE}, i64 {RUN_MANY}")
    _run(f, Whole(f, run, 1), "%memory")
    results = f.place("%memory", f.field("%context", EACH_AT))
    width = f.field("%context", EACH)
    with f.repeat(f.whole("lanes")) as row, f.repeat(width) as column:
        x = f.load(results, column.index * LANES + row.index)
        f.store(x, "%each", row.index * width + column.index)
    return f


def _hand_over(f: Function, columns: str) -> None:
    """Copy the results that are computed once to their places: there may be thousands."""
    numbers = f.place(columns, f.field("%context", NUMBERS_AT))
    wanted, count = f.pointer("%context", RESULTS), f.field("%context", ONCE)
    in_order = f.field("%context", RESULTS).compare("eq", 0)
    with f.when(in_order):
        f.copy(numbers, "%once", count)
    with f.when(~in_order), f.repeat(count) as loop:
        f.store(f.load(numbers, f.field(wanted, loop.index, "i32")), "%once", loop.index)


def _fold() -> Function:
    """Add the first lanes of the columns of totals to the totals, and clear the columns."""
    f = Function(
        "fold", {"columns": "ptr", "total": "ptr", "count": "i64", "lanes": "i64"}, lanes=1
    )
    with f.repeat(f.whole("count")) as total:
        column = f.place("%columns", total.index * LANES)
        with f.repeat(f.whole("lanes"), carry=f.load("%total", total.index)) as lane:
            lane.carried = lane.carried + f.load(column, lane.index)
        f.store(lane.carried, "%total", total.index)
        f.store(f.real(-0.0).spread(LANES), column, 0)
    return f


def _exchanged(f: Function, memory: Whole | int) -> str:
    """The former content of the pool, which now holds that memory."""
    pool = f.place("%context", POOL, "i64")
    return f.value(f"atomicrmw xchg ptr {pool}, i64 {memory} acq_rel")


def _run(f: Function, run: int | Whole, memory: str) -> None:
    function, data = f.pointer("%context", run), f.pointer("%context", DATA)
    f.write(f"call void {function}(ptr {memory}, ptr %shared, ptr {data}, i64 %n)")


def _call_block(f: Function, columns: str, first: Whole, lanes: Whole | int) -> None:
    rows = f.place("%batch", first * f.field("%context", INPUTS))
    each = f.place("%each", first * f.field("%context", EACH))
    f.write(
        f"call void @block(ptr %context, ptr {rows}, ptr {each}, ptr {columns}, ptr %shared, "
        f"i64 %n, i64 {lanes})"
    )
