"""The order in which the virtual machine runs a program, and the places of its results.

    instructions ──fused──▶ fewer ──sorted──▶ groups that are alike ──placed──▶ memory

A long program is limited not by arithmetic but by memory: that of the numbers, and that of the
lists of their places. So a product or a sum that only one other sum reads is computed there and
never stored, and results that are read soon and never again lie in a *scratch* that is used over
and over. None of this changes a bit of a result.
"""

from __future__ import annotations

import ctypes
from itertools import chain
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .code import PRIMITIVES, Code
from .llvm import Function, MachineCode, compiled, once

__all__ = ["LOOPS", "Groups", "Sorted", "grouped"]

WINDOW: Final = 8192
"""Instructions that are sorted together. Levels of a million instructions would stride through
all memory, again and again; in the order in which a graph was recorded, instructions are close to
those that they read."""

LOOPS: Final = (*PRIMITIVES, "sum_products")
"""The kinds of groups: a primitive, or the sum of x·y over pairs (x, y)."""

_NUMBER: Final = {name: i for i, name in enumerate(LOOPS)}


class Groups(NamedTuple):
    """Instructions of one kind whose results lie side by side: one array per property."""

    loop: NDArray[np.int64]  # the kind, by its number in LOOPS
    out: NDArray[np.int64]  # the place of the first result; the others follow
    start: NDArray[np.int64]  # where the arguments of the first instruction begin
    size: NDArray[np.int64]  # how many instructions there are
    length: NDArray[np.int64]  # how many arguments each of them has
    varies: NDArray[np.bool_]  # whether they differ from sample to sample


class Sorted(NamedTuple):
    """A program in the order of its groups.

    Its memory holds, in this order: the given numbers (inputs, shared numbers, constants), and 1;
    the lasting results, first those that are the same for every sample; the scratch.
    """

    groups: Groups
    args: NDArray[np.int32]  # the places that instructions read, one after the other
    place: NDArray[np.int32]  # of every slot that is still computed
    varying: int  # the first place of a result that varies with the sample
    size: int  # of the memory


class _Instructions(NamedTuple):
    """One array per property; the arguments of all instructions are in one list."""

    slot: NDArray[np.int64]  # that each of them computes
    loop: NDArray[np.int64]
    length: NDArray[np.int64]
    args: NDArray[np.int32]
    level: NDArray[np.int64]  # one more than the highest level that it reads in its window
    varies: NDArray[np.bool_]

    @property
    def start(self) -> NDArray[np.int64]:
        """The place of each one's first argument."""
        return self.length.cumsum() - self.length

    def spread(self, of_each: Any) -> Any:
        """A property of each instruction, for each of its arguments."""
        return of_each.repeat(self.length)

    def chosen(self, rows: NDArray[Any]) -> _Instructions:
        """Some instructions, by their numbers or a mask; the arguments stay as they are."""
        slot, loop, length, args, level, varies = self
        return _Instructions(slot[rows], loop[rows], length[rows], args, level[rows], varies[rows])

    def ordered(self, order: NDArray[np.int64]) -> _Instructions:
        """The same in another order."""
        new = self.chosen(order)
        moved = np.arange(len(self.args)) + new.spread(self.start[order] - new.start)
        return new._replace(args=self.args[moved])


def grouped(code: Code) -> Sorted:
    """The program in groups: window after window, level after level, like with like."""
    one, wanted = code.slots, [*code.each, *code.total, *code.once]  # 1 is behind all slots
    todo = _read(code)
    alone = np.bincount(todo.args, minlength=one + 1) == 1
    alone[wanted] = False
    todo = _fused(_unnested(todo, code.first, alone), one, alone)
    windows = -(-len(code.ops) // WINDOW)
    stage = (todo.slot - code.first) // WINDOW + todo.varies * windows

    # Results that another stage reads, or that are wanted in the end, last.
    stage_of = np.full(code.slots + 1, -1)
    stage_of[todo.slot] = stage
    outlives = np.zeros(code.slots + 1, bool)
    outlives[todo.args[stage_of[todo.args] != todo.spread(stage)]] = True
    outlives[wanted] = True
    lasts = outlives[todo.slot]

    key = stage
    for part in (todo.level, todo.loop, todo.length, lasts):
        key = key * (int(part.max(initial=0)) + 1) + part
    order = key.argsort(kind="stable")
    key, stage, lasts = key[order], stage[order], lasts[order]
    todo = todo.ordered(order)

    lasting = code.first + 1
    scratch = lasting + int(lasts.sum())
    forgotten = np.cumsum(~lasts) - ~lasts  # how many before
    begins = np.diff(stage, prepend=-1) != 0
    in_stage = forgotten - np.maximum.accumulate(np.where(begins, forgotten, 0))
    places = np.where(lasts, lasting + np.cumsum(lasts) - 1, scratch + in_stage)
    place = np.arange(code.slots + 1, dtype=np.int32)
    place[one], place[todo.slot] = code.first, places

    head = np.flatnonzero(np.diff(key, prepend=-1))
    groups = Groups(
        todo.loop[head],
        places[head],
        todo.start[head],
        np.diff(head, append=len(key)),
        todo.length[head],
        todo.varies[head],
    )
    return Sorted(
        groups,
        args=place[todo.args],
        place=place,
        varying=lasting + int((lasts & ~todo.varies).sum()),
        size=int(places.max(initial=code.first)) + 1,
    )


# ── Fewer instructions ────────────────────────────────────────────────────────────────────


def _unnested(todo: _Instructions, first: int, alone: NDArray[np.bool_]) -> _Instructions:
    """Write (x + y) + z as one sum of three terms, where nothing else reads x + y.

    Args:
        todo: all instructions.
        first: the slot of the first of them.
        alone: of every slot, whether a single instruction reads it.
    """
    start, rows = todo.start, np.arange(len(todo.slot))
    adds_up = np.isin(todo.loop, [_NUMBER["add"], _NUMBER["sum"]]) & (todo.length > 0)
    outer = rows[adds_up]
    outer = outer[todo.args[start[outer]] >= first]  # whose first term is computed
    inner = todo.args[start[outer]] - first
    nested = adds_up[inner] & alone[inner + first] & (todo.varies[inner] == todo.varies[outer])
    outer, inner = outer[nested], inner[nested]

    root = rows.copy()  # the outermost sum that each instruction is part of
    root[inner] = outer
    while (root != (further := root[root])).any():
        root = further
    loop, length, stays = todo.loop.copy(), todo.length.copy(), np.ones(len(todo.args), bool)
    loop[root[inner]] = _NUMBER["sum"]
    length[outer] -= 1
    stays[start[outer]] = False
    parts = todo._replace(loop=loop, length=length, args=todo.args[stays])
    args = parts.ordered(root.argsort(kind="stable")).args
    length = np.bincount(root, length, len(rows)).astype(np.int64)
    return parts._replace(length=length).chosen(root == rows)._replace(args=args)


def _fused(todo: _Instructions, one: int, alone: NDArray[np.bool_]) -> _Instructions:
    """Compute products that a single sum reads in that sum.

    In a sum of which half or more are such products, any other term x is taken as x·1, which
    is x to the last bit.

    Args:
        todo: the instructions.
        one: the slot of 1.
        alone: of every slot, whether a single instruction reads it.
    """
    slot, loop, length, args, _, varies = todo
    start, reader = todo.start, todo.spread(np.arange(len(slot)))
    product, varying = np.zeros(one + 1, bool), np.zeros(one + 1, bool)
    product[slot] = np.isin(loop, [_NUMBER["mul"], _NUMBER["square"]]) & alone[slot]
    varying[slot] = varies
    fits = product[args] & (varying[args] == varies[reader])

    sums = np.isin(loop, [_NUMBER["add"], _NUMBER["sum"]]) & (length > 0)
    sums &= 2 * np.bincount(reader[fits], minlength=len(slot)) >= length
    gone = np.zeros(one + 1, bool)
    gone[args[fits & sums[reader]]] = True
    inside = gone[slot]

    factor, other = np.arange(one + 1), np.full(one + 1, one)  # x is x·1
    factor[slot[inside]] = args[start[inside]]
    other[slot[inside]] = args[start[inside] + length[inside] - 1]
    pairs = np.stack([factor[args], other[args]], axis=1)
    takes = np.where(sums, 2, 1) * ~inside  # arguments in the place of each one
    args = pairs[np.arange(2) < todo.spread(takes)[:, np.newaxis]].astype(np.int32)
    fused = todo._replace(loop=np.where(sums, _NUMBER["sum_products"], loop), length=length * takes)
    return fused.chosen(~inside)._replace(args=args)


# ── Instructions as arrays ────────────────────────────────────────────────────────────────


def _read(code: Code) -> _Instructions:
    """The program as arrays."""
    count = len(code.ops)
    loop = np.fromiter(map(_NUMBER.__getitem__, code.ops), np.int64, count)
    length = np.fromiter(map(len, code.args), np.int64, count)
    args = np.fromiter(chain.from_iterable(code.args), np.int32, int(length.sum()))
    slot = np.arange(code.first, code.slots)
    start, level, varies = length.cumsum() - length, np.zeros(code.slots), np.zeros(code.slots)
    varies[: code.inputs] = 1.0
    run = ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * 3, *[ctypes.c_void_p] * 5)
    arrays = [x.ctypes.data for x in (start, length, args, level, varies)]
    run(_analysis().addresses["analysis"])(WINDOW, code.first, count, *arrays)
    level, varies = level[code.first :], varies[code.first :]
    return _Instructions(slot, loop, length, args, level.astype(np.int64), varies > 0.0)


@once
def _analysis() -> MachineCode:
    """Whether each result varies with the sample, and its level in its window."""
    arrays = dict.fromkeys(("start", "length", "args", "level", "varies"), "ptr")
    counts = dict.fromkeys(("window", "first", "count"), "i64")
    f = Function("analysis", {**counts, **arrays}, lanes=1)
    first, size = f.whole("first"), f.whole("window")
    with f.repeat(f.whole("count")) as loop:
        window = first + loop.index // size * size
        start = f.field("%start", loop.index)
        nothing = f.real(0.0)
        with f.repeat(f.field("%length", loop.index), carry=nothing) as arg:
            slot = f.field("%args", start + arg.index, "i32")
            inside = slot.compare("sge", window).where(f.load("%level", slot), 0.0)
            arg.carried = (arg.carried < inside).where(inside, arg.carried)
        with f.repeat(f.field("%length", loop.index), carry=nothing) as varying:
            x = f.load("%varies", f.field("%args", start + varying.index, "i32"))
            varying.carried = (varying.carried < x).where(x, varying.carried)
        slot = first + loop.index
        f.store(arg.carried + 1.0, "%level", slot)
        f.store(varying.carried, "%varies", slot)
    return compiled([f])
