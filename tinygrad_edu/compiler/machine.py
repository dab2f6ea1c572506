"""A virtual machine without a dispatch per instruction: like goes with like.

An ordinary virtual machine asks at every instruction which one it is, and waits for the
answer. Here a program is sorted once: what depends on nothing unfinished forms a level, and
within a level all instructions of one kind are a *group*, whose results lie side by side.
Running a group is one tight loop, compiled once per process for all programs, ::

    for j in range(count): r[out + j] = r[a[j]] ∘ r[b[j]]

so the question is asked once per group, and the processor works on many instructions of it at
a time. Nothing is compiled per program: it can run as soon as it is sorted.
"""

from __future__ import annotations

import ctypes
from functools import lru_cache
from itertools import chain
from typing import TYPE_CHECKING, Any

from .code import PRIMITIVES, Code
from .kernels import PART, FastKernel
from .llvm import LANES, Function, MachineCode, Real, Whole, compiled
from .primitives import compute

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["load"]

WINDOW = 16384
"""Instructions that are sorted together. Levels of a million instructions would stride through
all memory, again and again; the order in which a graph was recorded keeps together what
belongs together."""

_NAMES = list(PRIMITIVES)
_NUMBER = {name: i for i, name in enumerate(_NAMES)}

# What the data of a program, an array of i64, holds where. A list has two fields, where it lies
# and how long it is; those of groups are of five numbers each, of spread of two.
(ONCE, ONE, MANY, CONSTANTS, SPREAD,
 EACH, TOTAL, EACH_COLUMNS, TOTAL_COLUMNS) = range(0, 18, 2)  # fmt: skip
INPUTS, SHARED, EACH_AT, TOTAL_AT, NUMBERS_AT = range(18, 23)


def load(code: Code, fastmath: bool = False) -> FastKernel:
    """The program, sorted; ``fastmath`` changes nothing here.

    Raises:
        MissingExtra: if llvmlite is not installed.

    >>> import numpy as np
    >>> code = Code(2, 0, (), ("mul",), ((0, 1),), each=(2,), total=(2,))
    >>> each, total = np.zeros((2, 1)), np.zeros(1)
    >>> load(code)(2, np.array([[2.0, 3.0], [4.0, 5.0]]), (), each, total, ())
    >>> each.tolist(), total.tolist()
    ([[6.0], [20.0]], [26.0])
    """
    import numpy as np

    first, count = code.first, len(code.ops)
    ops = np.fromiter(map(_NUMBER.__getitem__, code.ops), np.int64, count)
    lengths = np.fromiter(map(len, code.args), np.int64, count)
    flat = np.fromiter(chain.from_iterable(code.args), np.int32, int(lengths.sum()))
    starts = np.cumsum(lengths) - lengths
    levels, varies = np.zeros(first + count), np.zeros(first + count)
    varies[: code.inputs] = 1.0
    _analysed(first, count, starts, lengths, flat, levels, varies)

    # What no sample changes comes before the rest; then by window, level, primitive, arguments.
    key = varies[first:].astype(np.int64)
    for part in (np.arange(count) // WINDOW, levels[first:].astype(np.int64), ops, lengths):
        key = key * (int(part.max(initial=0)) + 1) + part
    order = np.argsort(key, kind="stable")
    key, ops, lengths, starts = key[order], ops[order], lengths[order], starts[order]
    place = np.arange(first + count, dtype=np.int32)
    place[first + order] = np.arange(first, first + count, dtype=np.int32)
    offsets = np.cumsum(lengths) - lengths
    args = place[flat[np.repeat(starts - offsets, lengths) + np.arange(len(flat))]]

    # What varies has a column of numbers, and so has what else is read or wanted beside it.
    fixed = first + count - int(varies[first:].sum())
    each, total, once = (place[list(slots)] for slots in (code.each, code.total, code.once))
    read = np.concatenate([args[lengths[: fixed - first].sum() :], each, total])
    spread = np.unique(read[(read >= code.inputs) & (read < fixed)])
    columns = np.zeros(first + count, np.int32)
    with_column = np.concatenate([np.arange(code.inputs), np.arange(fixed, first + count), spread])
    columns[with_column] = np.arange(len(with_column))

    # The groups: their function, where results begin, where arguments do, how many of both.
    heads = np.flatnonzero(np.diff(key, prepend=-1))
    sizes = np.diff(heads, append=count)
    many_args = columns[args]
    single, lanes = _loops(frozenset(code.ops))

    def groups(wanted: Any, loops: list[int], places: Any, args: Any) -> NDArray[np.int64]:
        chosen = heads[wanted]
        table = np.array(loops, np.int64)[ops[chosen]], places[chosen + first]
        arguments = args.ctypes.data + 4 * offsets[chosen]
        return np.stack([*table, arguments, sizes[wanted], lengths[chosen]], axis=1).astype(
            np.int64
        )

    varying = heads >= fixed - first
    itself = np.arange(first + count)
    lists = [
        groups(~varying, single, itself, args), groups(varying, single, itself, args),
        groups(varying, lanes, columns, many_args),
        np.array(code.constants), np.stack([spread, columns[spread]], axis=1),
        each, total, columns[each], columns[total],
    ]  # fmt: skip
    lists = [np.ascontiguousarray(x, np.float64 if x.dtype == float else np.int64) for x in lists]
    rows = len(with_column)
    each_at = rows * LANES
    total_at = each_at + len(each) * LANES
    numbers_at = total_at + len(total) * LANES
    fields = [field for x in lists for field in (x.ctypes.data, len(x))]
    data = np.array([*fields, code.inputs, code.shared, each_at, total_at, numbers_at], np.int64)
    parts = _parts()
    once_part, one, many = (
        (parts.address(name), data.ctypes.data) for name in ("once", "one", "many")
    )
    keep = data, lists, args, many_args
    return FastKernel(code, once_part, one, many, rows, first + count, once, keep)


# ── What is compiled once per process ─────────────────────────────────────────────────────


def _loop(name: str, lanes: int) -> Function:
    """The loop that runs a group of one primitive, on numbers or on columns of numbers."""
    f = Function(
        f"{name}_{lanes}",
        {"r": "ptr", "out": "i64", "args": "ptr", "count": "i64", "length": "i64"},
        lanes=lanes,
    )

    def argument(i: Whole) -> Real:
        return f.load("%r", f.field("%args", i, "i32") * lanes)

    with f.repeat(f.whole("count")) as group:
        if name == "sum":
            length = f.whole("length")
            with f.repeat(length, carry=f.real(-0.0)) as term:  # −0 + x is x, even for x = −0
                term.carried = term.carried + argument(group.index * length + term.index)
            result = length.compare("eq", 0).where(f.real(0.0), term.carried)
        else:
            arity = len(PRIMITIVES[name].parameters)
            result = compute(name, *[argument(group.index * arity + i) for i in range(arity)])
        f.store(result, "%r", (f.whole("out") + group.index) * lanes)
    return f


@lru_cache(None)
def _compiled_loop(name: str) -> tuple[int, int, MachineCode]:
    code = compiled([_loop(name, 1), _loop(name, LANES)])
    return code.address(f"{name}_1"), code.address(f"{name}_{LANES}"), code


def _loops(names: frozenset[str]) -> tuple[list[int], list[int]]:
    """The addresses of the loops of every primitive, 0 for those that are not asked for."""
    found = [_compiled_loop(name)[:2] if name in names else (0, 0) for name in _NAMES]
    return [single for single, _ in found], [lanes for _, lanes in found]


@lru_cache(None)
def _parts() -> MachineCode:
    return compiled([_groups(), _once(), _one(), _many(), _analysis()])


def _list(f: Function, which: int) -> tuple[str, Whole]:
    return f.pointer("%data", which), f.field("%data", which + 1)


def _groups() -> Function:
    """Run groups, one after the other."""
    f = Function("groups", {"r": "ptr", "groups": "ptr", "count": "i64"}, lanes=1)
    with f.repeat(f.whole("count")) as loop:
        group = f.place("%groups", loop.index * 5, "i64")
        run, args = f.pointer(group, 0), f.pointer(group, 2)
        out, count, length = f.field(group, 1), f.field(group, 3), f.field(group, 4)
        f.write(f"call void {run}(ptr %r, i64 {out}, ptr {args}, i64 {count}, i64 {length})")
    return f


def _run_groups(f: Function, r: str, which: int) -> None:
    groups, count = _list(f, which)
    f.write(f"call void @groups(ptr {r}, ptr {groups}, i64 {count})")


def _once() -> Function:
    """What no sample changes, from the shared numbers and the constants."""
    f = Function("once", PART, lanes=1)
    r = f.place("%memory", f.field("%data", NUMBERS_AT))
    inputs, shared = f.field("%data", INPUTS), f.field("%data", SHARED)
    with f.repeat(shared) as loop:
        f.store(f.load("%shared", loop.index), r, inputs + loop.index)
    constants, count = _list(f, CONSTANTS)
    with f.repeat(count) as loop:
        f.store(f.load(constants, loop.index), r, inputs + shared + loop.index)
    _run_groups(f, r, ONCE)
    with f.when(f.whole("n").compare("sgt", 1)):
        spread, count = _list(f, SPREAD)
        with f.repeat(count) as loop:
            x = f.load(r, f.field(spread, loop.index * 2))
            column = f.field(spread, loop.index * 2 + 1)
            f.store(x.spread(LANES), "%memory", column * LANES)
    return f


def _one() -> Function:
    """A single sample, on numbers: an eighth of the work, and the C library's functions."""
    f = Function("one", PART, lanes=1)
    r = f.place("%memory", f.field("%data", NUMBERS_AT))
    with f.repeat(f.field("%data", INPUTS)) as loop:
        f.store(f.load("%memory", loop.index * LANES), r, loop.index)
    _run_groups(f, r, ONE)
    _deliver(f, r, EACH, TOTAL)
    return f


def _many() -> Function:
    """A block of samples, on columns."""
    f = Function("many", PART)
    _run_groups(f, "%memory", MANY)
    _deliver(f, "%memory", EACH_COLUMNS, TOTAL_COLUMNS)
    return f


def _deliver(f: Function, r: str, each: int, total: int) -> None:
    """Copy results to the columns of ``each``, and add them to those of ``total``."""
    for which, at in ((each, EACH_AT), (total, TOTAL_AT)):
        wanted, count = _list(f, which)
        columns = f.place("%memory", f.field("%data", at))
        with f.repeat(count) as loop:
            x = f.load(r, f.field(wanted, loop.index) * f.lanes)
            if which == total:
                x = f.load(columns, loop.index * LANES) + x
            f.store(x, columns, loop.index * LANES)


def _analysis() -> Function:
    """Of every result, whether it varies with the sample, and its level in its window: one more
    than the highest level of what it reads there."""
    arrays = dict.fromkeys(("starts", "lengths", "args", "levels", "varies"), "ptr")
    f = Function("analysis", {"first": "i64", "count": "i64", **arrays}, lanes=1)
    with f.repeat(f.whole("count")) as loop:
        window = f.whole("first") + (loop.index & -WINDOW)
        start = f.field("%starts", loop.index)
        nothing = f.real(0.0)
        with f.repeat(f.field("%lengths", loop.index), carry=nothing) as arg:
            slot = f.field("%args", start + arg.index, "i32")
            inside = slot.compare("sge", window).where(f.load("%levels", slot), 0.0)
            arg.carried = (arg.carried < inside).where(inside, arg.carried)
        with f.repeat(f.field("%lengths", loop.index), carry=nothing) as varying:
            x = f.load("%varies", f.field("%args", start + varying.index, "i32"))
            varying.carried = (varying.carried < x).where(x, varying.carried)
        slot = f.whole("first") + loop.index
        f.store(arg.carried + 1.0, "%levels", slot)
        f.store(varying.carried, "%varies", slot)
    return f


def _analysed(first: int, count: int, *arrays: NDArray[Any]) -> None:
    run = ctypes.CFUNCTYPE(None, ctypes.c_int64, ctypes.c_int64, *[ctypes.c_void_p] * len(arrays))
    run(_parts().address("analysis"))(first, count, *[array.ctypes.data for array in arrays])
