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
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple

from .code import PRIMITIVES, Code
from .kernels import PART, FastKernel, layout
from .llvm import LANES, Function, MachineCode, Real, Whole, compiled, once
from .primitives import compute

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["load"]

WINDOW = 16384
"""Instructions that are sorted together. Levels of a million instructions would stride through
all memory, again and again; the order in which a graph was recorded keeps together what
belongs together."""

_NUMBER = {name: i for i, name in enumerate(PRIMITIVES)}

# What the data of a program holds, an array of i64. A list has two fields: where it lies, and
# how long it is. Groups are of five numbers each (see _table); those of SPREAD, of two.
_DATA = (
    "INPUTS", "SHARED", "EACH_AT", "TOTAL_AT", "NUMBERS_AT",
    *(f"{name}{suffix}" for name in ("ONCE", "ONE", "MANY", "CONSTANTS", "SPREAD", "EACH", "TOTAL",
      "EACH_COLUMNS", "TOTAL_COLUMNS") for suffix in ("", "_COUNT")),
)  # fmt: skip


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
    parts = _parts()
    import numpy as np

    groups, args, place, fixed = _sorted(code)
    each, total, once = (place[list(slots)] for slots in (code.each, code.total, code.once))
    varying = groups.out >= fixed

    # What varies has a column of numbers, and so has what else is read or wanted beside it.
    start = groups.start[varying].min(initial=len(args))
    read = np.concatenate([args[start:], each, total])
    spread = np.unique(read[(read >= code.inputs) & (read < fixed)])
    given = np.arange(code.inputs)
    with_column = np.concatenate([given, np.arange(fixed, code.slots), spread])
    columns = np.zeros(code.slots, np.int32)
    columns[with_column] = np.arange(len(with_column))
    args_of_columns = columns[args]

    singly, side_by_side = _loops(frozenset(code.ops))
    lists = {
        "ONCE": _table(groups, ~varying, singly, groups.out, args),
        "ONE": _table(groups, varying, singly, groups.out, args),
        "MANY": _table(groups, varying, side_by_side, columns[groups.out], args_of_columns),
        "SPREAD": np.stack([spread, columns[spread]], axis=1),
        "EACH": each, "EACH_COLUMNS": columns[each],
        "TOTAL": total, "TOTAL_COLUMNS": columns[total],
        "CONSTANTS": np.array(code.constants).view(np.int64),
    }  # fmt: skip
    lists = {name: np.ascontiguousarray(x, np.int64) for name, x in lists.items()}
    where = layout(code, len(with_column))
    data = np.zeros(len(_DATA), np.int64)
    data[:5] = code.inputs, code.shared, *where
    for name, x in lists.items():
        i = _DATA.index(name)
        data[i : i + 2] = x.ctypes.data, len(x)
    once_part, one, many = [
        (parts.address(name), data.ctypes.data) for name in ("once", "one", "many")
    ]
    keep = data, lists, args, args_of_columns
    return FastKernel(code, once_part, one, many, where, code.slots, once, keep)


# ── Sorting ───────────────────────────────────────────────────────────────────────────────


class Groups(NamedTuple):
    """The groups of a program, one array per property; slots are numbered in the new order."""

    op: NDArray[np.int64]  # the primitive, by its number
    out: NDArray[np.int64]  # the slot of the first result; the others follow
    start: NDArray[np.int64]  # where the arguments of the first instruction begin
    size: NDArray[np.int64]  # how many instructions there are
    length: NDArray[np.int64]  # how many arguments each of them has


def _sorted(code: Code) -> tuple[Groups, NDArray[np.int32], NDArray[np.int32], int]:
    """The groups, the arguments of all instructions, the new number of every slot, and the
    first of those that vary with the sample: what no sample changes comes before."""
    import numpy as np

    first, count = code.first, len(code.ops)
    ops = np.fromiter(map(_NUMBER.__getitem__, code.ops), np.int64, count)
    lengths = np.fromiter(map(len, code.args), np.int64, count)
    flat = np.fromiter(chain.from_iterable(code.args), np.int32, int(lengths.sum()))
    starts = np.cumsum(lengths) - lengths
    levels, varies = _analysed(code, starts, lengths, flat)

    key = varies
    for part in (np.arange(count) // WINDOW, levels, ops, lengths):
        key = key * (int(part.max(initial=0)) + 1) + part
    order = np.argsort(key, kind="stable")
    place = np.arange(code.slots, dtype=np.int32)
    place[first + order] = np.arange(first, code.slots)
    ops, lengths, old_starts = ops[order], lengths[order], starts[order]
    starts = np.cumsum(lengths) - lengths
    args = place[flat[np.repeat(old_starts - starts, lengths) + np.arange(len(flat))]]

    heads = np.flatnonzero(np.diff(key[order], prepend=-1))
    sizes = np.diff(heads, append=count)
    groups = Groups(ops[heads], heads + first, starts[heads], sizes, lengths[heads])
    return groups, args, place, code.slots - int(varies.sum())


def _analysed(
    code: Code, starts: NDArray[np.int64], lengths: NDArray[np.int64], flat: NDArray[np.int32]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Of every instruction, its level in its window, and 1 if it varies with the sample."""
    import numpy as np

    levels, varies = np.zeros(code.slots), np.zeros(code.slots)
    varies[: code.inputs] = 1.0
    run = ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * 2, *[ctypes.c_void_p] * 5)
    arrays = [x.ctypes.data for x in (starts, lengths, flat, levels, varies)]
    run(_parts().address("analysis"))(code.first, len(code.ops), *arrays)
    return levels[code.first :].astype(np.int64), varies[code.first :].astype(np.int64)


def _table(groups: Groups, chosen: Any, loops: list[int], out: Any, args: NDArray[np.int32]) -> Any:
    """Some groups as they are run: loop, first result, address of the arguments, counts."""
    import numpy as np

    start = args.ctypes.data + args.itemsize * groups.start
    table = [np.array(loops, np.int64)[groups.op], out, start, groups.size, groups.length]
    return np.stack(table, axis=1)[chosen]


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


@once
def _compiled_loop(name: str) -> tuple[int, int, MachineCode]:
    code = compiled([_loop(name, 1), _loop(name, LANES)])
    return code.address(f"{name}_1"), code.address(f"{name}_{LANES}"), code


def _loops(names: frozenset[str]) -> tuple[list[int], list[int]]:
    """The addresses of the loops of every primitive, 0 for those that are not asked for."""
    found = [_compiled_loop(name)[:2] if name in names else (0, 0) for name in PRIMITIVES]
    return [single for single, _ in found], [lanes for _, lanes in found]


@once
def _parts() -> MachineCode:
    return compiled([_groups(), _once(), _one(), _many(), _analysis()])


def _data(f: Function, name: str) -> Whole:
    return f.field("%data", _DATA.index(name))


def _list(f: Function, name: str) -> tuple[str, Whole]:
    return f.pointer("%data", _DATA.index(name)), _data(f, f"{name}_COUNT")


def _groups() -> Function:
    """Run groups, one after the other."""
    f = Function("groups", {"r": "ptr", "groups": "ptr", "count": "i64"}, lanes=1)
    with f.repeat(f.whole("count")) as loop:
        group = f.place("%groups", loop.index * 5, "i64")
        run, args = f.pointer(group, 0), f.pointer(group, 2)
        out, count, length = f.field(group, 1), f.field(group, 3), f.field(group, 4)
        f.write(f"call void {run}(ptr %r, i64 {out}, ptr {args}, i64 {count}, i64 {length})")
    return f


def _run_groups(f: Function, r: str, which: str) -> None:
    groups, count = _list(f, which)
    f.write(f"call void @groups(ptr {r}, ptr {groups}, i64 {count})")


def _once() -> Function:
    """What no sample changes, from the shared numbers and the constants."""
    f = Function("once", PART, lanes=1)
    r = f.place("%memory", _data(f, "NUMBERS_AT"))
    inputs, shared = _data(f, "INPUTS"), _data(f, "SHARED")
    f.copy("%shared", f.place(r, inputs), shared)
    constants, count = _list(f, "CONSTANTS")
    f.copy(constants, f.place(r, inputs + shared), count)
    _run_groups(f, r, "ONCE")
    with f.when(f.whole("n").compare("sgt", 1)):
        spread, count = _list(f, "SPREAD")
        with f.repeat(count) as loop:
            x = f.load(r, f.field(spread, loop.index * 2))
            column = f.field(spread, loop.index * 2 + 1)
            f.store(x.spread(LANES), "%memory", column * LANES)
    return f


def _one() -> Function:
    """A single sample, on numbers: an eighth of the work, and the C library's functions."""
    f = Function("one", PART, lanes=1)
    r = f.place("%memory", _data(f, "NUMBERS_AT"))
    with f.repeat(_data(f, "INPUTS")) as loop:
        f.store(f.load("%memory", loop.index * LANES), r, loop.index)
    _run_groups(f, r, "ONE")
    _deliver(f, r, "EACH", "TOTAL")
    return f


def _many() -> Function:
    """A block of samples, on columns."""
    f = Function("many", PART)
    _run_groups(f, "%memory", "MANY")
    _deliver(f, "%memory", "EACH_COLUMNS", "TOTAL_COLUMNS")
    return f


def _deliver(f: Function, r: str, each: str, total: str) -> None:
    """Copy results to the columns of ``each``, and add them to those of ``total``."""
    for which, at in ((each, "EACH_AT"), (total, "TOTAL_AT")):
        wanted, count = _list(f, which)
        columns = f.place("%memory", _data(f, at))
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
