"""The native executor: a program as straight-line machine code, eight samples at a time.

Every instruction becomes one machine instruction or a few, on rows of eight numbers, one per
sample, and once more on single numbers, for a single sample; there is no interpreter. Numbers that
are the same for every sample are computed once, before. Long programs are cut into functions of
bounded size, because the time that LLVM takes grows faster than the size of a function; numbers are
passed from one to another in memory.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from itertools import chain

import numpy as np

from .abi import PART, FastKernel, layout
from .code import FORMULAS, PRIMITIVES, Code
from .llvm import LANES, Function, MachineCode, Real, compiled, kind, once
from .primitives import compute
from .transforms import with_short_sums

__all__ = ["load"]

CUT = 1000
"""Operations per function."""


def load(code: Code, fastmath: bool = False) -> FastKernel:
    """The program in machine code.

    Args:
        code: the program.
        fastmath: allow sums of products to be fused and reordered, which is faster but changes
            bits of the results.

    Raises:
        MissingExtra: if llvmlite is not installed.

    >>> import numpy as np
    >>> code = Code(2, 0, (), ("mul",), ((0, 1),), each=(2,), total=(2,))
    >>> each, total = np.zeros((2, 1)), np.zeros(1)
    >>> load(code)(2, np.array([[2.0, 3.0], [4.0, 5.0]]), (), each, total, ())
    >>> each.tolist(), total.tolist()
    ([[6.0], [20.0]], [26.0])
    """
    return _Assembly(with_short_sums(code, CUT), fastmath).kernel()


class _Assembly:
    """A program that is being translated to machine code.

    The instructions of either kind, those computed once and those computed for every sample,
    are cut into pieces of about `CUT` operations; a piece is one function. A result that one piece
    computes and another reads has a place in memory: a column, or a number if it is the same
    in every sample.
    """

    def __init__(self, code: Code, fastmath: bool) -> None:
        self.code, self.fastmath = code, fastmath
        self.varies = code.varying()
        self.once, self.many = self.cut(False), self.cut(True)
        self.numbers = {slot: i for i, slot in enumerate(self.kept())}
        self.columns, count = self.placed()
        self.layout = layout(code, count)
        self.outputs = defaultdict[int, list[tuple[str, int]]](list)
        for output in ("each", "total"):
            for i, slot in enumerate(getattr(code, output)):
                place = getattr(self.layout, output) + i * LANES
                self.outputs[slot].append((output, place))
        self.functions = sorted({op for op in code.ops if op not in FORMULAS})

    def cut(self, varies: bool) -> list[list[int]]:
        """The slots of one kind, piece by piece; at least one piece.

        An input that is also a result counts as computed, with itself as the argument.
        """
        given = () if varies else dict.fromkeys(s for s in self.code.once if s < self.code.first)
        pieces: list[list[int]] = [[]]
        size = 0
        for slot in chain(given, range(self.code.first, self.code.slots)):
            if self.varies[slot] == varies:
                pieces[-1].append(slot)
                size += len(self.args(slot))
                if size > CUT:
                    pieces.append([])
                    size = 0
        return pieces

    def kept(self) -> list[int]:
        """Results that are computed once and read outside the piece that computes them."""
        code = self.code
        piece_of = {slot: i for i, piece in enumerate(self.once) for slot in piece}
        read = {*code.each, *code.total, *code.once}
        for i, piece in enumerate(chain(self.once, self.many)):
            for slot in piece:
                read.update(arg for arg in self.args(slot) if piece_of.get(arg, i) != i)
        # Those wanted once come first, in their order, so that they are copied together.
        return list(dict.fromkeys([*code.once, *(slot for slot in piece_of if slot in read)]))

    def placed(self) -> tuple[dict[int, int], int]:
        """The column of every result that another piece reads, and how many columns there are.

        A column is free again after the last piece that reads it.
        """
        code = self.code
        last: dict[int, int] = {}
        for i, piece in enumerate(self.many):
            for slot in piece:
                last.update(dict.fromkeys(code.args[slot - code.first], i))
        columns = {slot: slot for slot in range(code.inputs)}
        count, free = code.inputs, list[int]()
        ending = defaultdict[int, list[int]](list)
        for i, piece in enumerate(self.many):
            for slot in piece:
                if last.get(slot, i) > i:
                    if not free:
                        free.append(count)
                        count += 1
                    columns[slot] = free.pop()
                    ending[last[slot]].append(columns[slot])
            free += ending.pop(i, [])
        return columns, count

    def kernel(self) -> FastKernel:
        """The compiled program in its frame."""
        functions = [
            *self.joined("once", [self.piece(slots, 1) for slots in self.once]),
            *self.joined("one", [self.piece(slots, 1) for slots in self.many]),
            *self.joined("many", [self.piece(slots, LANES) for slots in self.many]),
        ]
        called = [_function(name) for name in self.functions]
        addresses = np.array([code.addresses["many"] for code in called], np.int64)
        return FastKernel(
            self.code,
            compiled(functions, level=1),
            addresses.ctypes.data,
            self.layout,
            numbers=len(self.numbers),
            results=[self.numbers[slot] for slot in self.code.once],
            keep=(addresses, called),
        )

    def joined(self, name: str, pieces: list[Function]) -> list[Function]:
        """The pieces, and the function that runs one after the other."""
        f = Function(name, PART)
        given = ", ".join(f"{of} %{parameter}" for parameter, of in PART.items())
        for i, piece in enumerate(pieces):
            piece.name = f"{name}_{i}"
            f.write(f"call void @{piece.name}({given})")
        return [*pieces, f]

    def piece(self, piece: list[int], lanes: int) -> Function:
        """The function of a piece: it reads what other pieces computed, and stores what they read.

        A number in memory is read there at every use: a register that kept it in between
        would be written to memory and read from it anyway.
        """
        f = Function("", PART, lanes=lanes, fastmath=self.fastmath)
        here: dict[int, Real] = {}
        for slot in piece:
            args = [here[arg] if arg in here else self.row(f, arg) for arg in self.args(slot)]
            here[slot] = result = self.result(f, slot, args)
            if slot in self.numbers:
                f.store(result, "%memory", self.layout.numbers + self.numbers[slot])
            if slot in self.columns:
                f.store(result, "%memory", self.columns[slot] * LANES)
            if self.varies[slot]:
                self.put(f, slot, result)
        if piece is self.many[-1]:
            for slot in self.outputs:
                if slot < self.code.first or not self.varies[slot]:
                    self.put(f, slot, self.row(f, slot))
        return f

    def args(self, slot: int) -> tuple[int, ...]:
        first = self.code.first
        return self.code.args[slot - first] if slot >= first else (slot,)

    def result(self, f: Function, slot: int, args: Sequence[Real]) -> Real:
        """One instruction. Functions of rows are called by their addresses in the data."""
        if slot < self.code.first:
            return args[0]
        name = self.code.ops[slot - self.code.first]
        if not args:
            return f.real(0.0)  # the sum of nothing
        if f.lanes == 1 or name in FORMULAS:
            return compute(name, *args)
        return f.call(f.pointer("%data", self.functions.index(name)), *args)

    def row(self, f: Function, slot: int) -> Real:
        """A slot in every lane, from memory; a constant as it is."""
        code = self.code
        if self.varies[slot]:
            return f.load("%memory", self.columns[slot] * LANES)
        if slot >= code.first:
            return f.load("%memory", self.layout.numbers + self.numbers[slot], 1).spread(f.lanes)
        if slot >= code.inputs + code.shared:
            return f.real(code.constants[slot - code.inputs - code.shared])
        return f.load("%shared", slot - code.inputs, 1).spread(f.lanes)

    def put(self, f: Function, slot: int, x: Real) -> None:
        """Leave a result in the columns of ``each``, and add it to those of ``total``."""
        for output, place in self.outputs.get(slot, ()):
            whole = x if output == "each" else f.load("%memory", place) + x
            f.store(whole, "%memory", place)


@once
def _function(name: str) -> MachineCode:
    """A primitive that is called, on rows."""
    row = kind("double", LANES)
    parameters = [f"x{i}" for i in range(len(PRIMITIVES[name].parameters))]
    f = Function("many", dict.fromkeys(parameters, row))
    f.result = f"{row} {compute(name, *[Real(f, f'%{x}', LANES) for x in parameters])}"
    return compiled([f])
