"""A virtual machine that dispatches once per group of like instructions.

An ordinary virtual machine looks up the kind of every instruction, and waits for the answer. Here a
program is sorted once, by `grouping`: instructions that depend only on earlier levels form a level,
and within a level all instructions of one kind are a *group*, whose results lie side by side.
Running a group is one tight loop, compiled once per process for all programs, ::

    for j in range(count): r[out + j] = r[a[j]] ∘ r[b[j]]

so the kind is looked up once per group, and the processor works on many of its instructions at a
time. Nothing is compiled per program: it can run as soon as it is sorted.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from .abi import PART, FastKernel, layout
from .code import PRIMITIVES, Code
from .grouping import LOOPS, Groups, grouped
from .llvm import LANES, Function, MachineCode, Real, Whole, compiled, once
from .primitives import compute

__all__ = ["load"]

BESIDE: Final = 8
"""Sums that are added up at the same time: a single one would wait for each addition."""

# The fields of a program's data, an array of i64. A list has two fields: its address and its
# length. Groups have five numbers each (see _table), items of SPREAD two.
_LISTS = (
    "ONCE", "ONE", "MANY", "CONSTANTS", "SPREAD", "EACH", "TOTAL", "EACH_COLUMNS", "TOTAL_COLUMNS",
)  # fmt: skip
_DATA = (
    "INPUTS", "SHARED", "EACH_AT", "TOTAL_AT", "NUMBERS_AT",
    *(f"{name}{suffix}" for name in _LISTS for suffix in ("", "_COUNT")),
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
    groups, args, place, first, size = grouped(code)
    each, total, once = (place[list(slots)] for slots in (code.each, code.total, code.once))

    # Varying results have a column of numbers, and so have others that are used with them.
    start = groups.start[groups.varies].min(initial=len(args))
    read = np.concatenate([args[start:], each, total])
    spread = np.unique(read[(read >= code.inputs) & (read < first)])
    end = (groups.out + groups.size)[groups.varies].max(initial=first)
    with_column = np.concatenate([np.arange(code.inputs), np.arange(first, end), spread])
    columns = np.zeros(size, np.int32)
    columns[with_column] = np.arange(len(with_column))
    args_of_columns = columns[args]

    kinds = set(groups.loop.tolist())
    loops = [
        [*_compiled_loop(name).addresses.values()] if i in kinds else [0, 0]
        for i, name in enumerate(LOOPS)
    ]
    singly, side_by_side = np.array(loops, np.int64).T
    varies = groups.varies
    lists = {
        "ONCE": _table(groups, ~varies, singly, groups.out, args),
        "ONE": _table(groups, varies, singly, groups.out, args),
        "MANY": _table(groups, varies, side_by_side, columns[groups.out], args_of_columns),
        "SPREAD": np.stack([spread, columns[spread]], axis=1),
        "EACH": each, "EACH_COLUMNS": columns[each],
        "TOTAL": total, "TOTAL_COLUMNS": columns[total],
        "CONSTANTS": np.array([*code.constants, 1.0]).view(np.int64),
    }  # fmt: skip
    lists = {name: np.ascontiguousarray(x, np.int64) for name, x in lists.items()}
    where = layout(code, len(with_column))
    fields = [field for name in _LISTS for field in (lists[name].ctypes.data, len(lists[name]))]
    data = np.array([code.inputs, code.shared, *where, *fields], np.int64)
    keep = data, lists, args, args_of_columns
    return FastKernel(code, _functions(), data.ctypes.data, where, size, once, keep)


def _table(groups: Groups, chosen: Any, loops: Any, out: Any, args: Any) -> Any:
    """Some groups as they are run: loop, first result, address of the arguments, counts."""
    start = args.ctypes.data + args.itemsize * groups.start
    table = loops[groups.loop], out, start, groups.size, groups.length
    return np.stack(table, axis=1)[chosen]


# ── Functions that are compiled once per process ──────────────────────────────────────────


class _Group(Function):
    """A function that runs a group: it reads its arguments and leaves its results."""

    def __init__(self, name: str, lanes: int) -> None:
        counts = dict.fromkeys(("count", "length"), "i64")
        super().__init__(
            f"{name}_{lanes}", {"r": "ptr", "out": "i64", "args": "ptr", **counts}, lanes=lanes
        )

    def argument(self, i: Whole) -> Real:
        return self.load("%r", self.field("%args", i, "i32") * self.lanes)

    def leave(self, x: Real, i: Whole) -> None:
        self.store(x, "%r", (self.whole("out") + i) * self.lanes)


def _loop(name: str, lanes: int) -> Function:
    """The loop that runs a group of one kind, on numbers or on columns of numbers."""
    if name in ("sum", "sum_products"):
        return _loop_of_sums(name, lanes)
    f, arity = _Group(name, lanes), len(PRIMITIVES[name].parameters)
    with f.repeat(f.whole("count")) as group:
        args = [f.argument(group.index * arity + i) for i in range(arity)]
        f.leave(compute(name, *args), group.index)
    return f


def _loop_of_sums(name: str, lanes: int) -> Function:
    """The same for sums, `BESIDE` of them at a time as long as there are enough."""
    f = _Group(name, lanes)
    count, length, factors = f.whole("count"), f.whole("length"), 1 + (name == "sum_products")
    empty, none = length.compare("eq", 0), f.real(-0.0)  # −0 + x is x, even for x = −0

    def arguments(first: Whole, i: Whole, sums: int) -> Real:
        """The argument number i of some sums, as a row if they are more than one."""
        if sums == 1:
            return f.argument(first * length + i)
        row = none.spread(sums)
        for k in range(sums):
            row = row.with_lane(k, f.argument((first + k) * length + i))
        return row

    def add_up(first: Whole, sums: int) -> None:
        start, nothing = (x if sums == 1 else x.spread(sums) for x in (none, f.real(0.0)))
        with f.repeat(length >> factors - 1, carry=start) as term:
            x = arguments(first, term.index << factors - 1, sums)
            if factors == 2:
                x = x * arguments(first, (term.index << 1) + 1, sums)
            term.carried = term.carried + x
        f.leave(empty.where(nothing, term.carried), first)

    beside = BESIDE if lanes == 1 else 1
    with f.repeat(count >> beside.bit_length() - 1) as block:
        add_up(block.index * beside, beside)
    with f.repeat(count & beside - 1) as rest:
        add_up((count & -beside) + rest.index, 1)
    return f


@once
def _compiled_loop(name: str) -> MachineCode:
    return compiled([_loop(name, 1), _loop(name, LANES)])


@once
def _functions() -> MachineCode:
    return compiled([_groups(), _once(), _one(), _many()])


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
    """The numbers that are the same for every sample, from shared numbers and constants."""
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
    """A single sample, on numbers: an eighth of the work, with the C library's functions."""
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
