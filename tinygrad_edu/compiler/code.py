"""A program as plain data: a list of primitive instructions, independent of executors."""

from __future__ import annotations

from typing import NamedTuple

from ..core.table import BUILT_IN, TABLE, Op
from ..errors import BadArgument, unknown_name

PRIMITIVES: dict[str, Op] = {
    name: row for name, row in TABLE.items() if name in BUILT_IN and row.spelled is not None
}
"""Every primitive that an executor must implement, by name, with its row."""

SPELLED = {name: row.spelled for name, row in PRIMITIVES.items() if row.spelled is not None}
"""Their spelling in other languages."""

FORMULAS = {name for name, spelling in SPELLED.items() if not isinstance(spelling.llvm, str)}
"""Primitives of a few instructions that IEEE 754 defines to the last bit. The others are functions,
which libraries compute differently."""


MOST = 2**24
"""Inputs or shared numbers that a program may have: more is a mistake, or malice."""


class Code(NamedTuple):
    """A straight-line program over numbered slots; every slot is written once.

    The slots are numbered in this order: the inputs, the shared numbers, the constants, then
    one result per instruction. A program runs for n samples at once, the *lanes*: inputs
    differ from lane to lane, shared numbers (parameters) and constants do not.

    Attributes:
        inputs: the number of numbers per lane.
        shared: the number of numbers that all lanes share.
        constants: the plain numbers of the expression.
        ops: of each instruction, the primitive, a name in `PRIMITIVES`.
        args: of each instruction, the slots it reads, all of them written before. Only
            ``sum`` takes any number of them; it adds from left to right.
        each: the slots wanted in every lane.
        total: the slots wanted as a sum over the lanes, from the first lane to the last;
            0.0 when there is none. (Begin with −0.0: 0.0 + −0.0 would lose the sign of a sum
            of one lane.)
        once: the slots wanted once. They depend on no input.

    The hypotenuse of every sample, and the sum of the hypotenuses:

    >>> code = Code(2, 0, (), ("square", "square", "add", "sqrt"),
    ...             ((0,), (1,), (2, 3), (4,)), each=(5,), total=(5,))
    >>> code.first, code.slots
    (2, 6)
    """

    inputs: int
    shared: int
    constants: tuple[float, ...]
    ops: tuple[str, ...]
    args: tuple[tuple[int, ...], ...]
    each: tuple[int, ...] = ()
    total: tuple[int, ...] = ()
    once: tuple[int, ...] = ()

    @property
    def first(self) -> int:
        """The slot of the first instruction's result."""
        return self.inputs + self.shared + len(self.constants)

    @property
    def slots(self) -> int:
        """The number of slots."""
        return self.first + len(self.ops)

    def varying(self) -> list[bool]:
        """For every slot, whether it may differ from lane to lane.

        Other instructions are computed once per call and not once per lane.

        >>> Code(1, 1, (), ("square", "mul"), ((1,), (0, 2))).varying()
        [True, False, False, True]
        """
        varies = [True] * self.inputs + [False] * (self.first - self.inputs)
        for args in self.args:
            varies.append(any(varies[slot] for slot in args))
        return varies

    def checked(self) -> Code:
        """This program, after a check that it can be run; for programs from outside.

        Raises:
            BadArgument: naming the first thing wrong.

        >>> Code(1, 0, (), ("exp",), ((1,),)).checked()
        Traceback (most recent call last):
        ...
        tinygrad_edu.errors.BadArgument: Instruction 0 (exp) reads slot 1 before it is written...
        """
        for what, count in (("inputs", self.inputs), ("shared", self.shared)):
            if type(count) is not int or not 0 <= count <= MOST:
                raise BadArgument(
                    f"{what} must be a whole number up to {MOST}. Received: {count!r}."
                )
        for x in self.constants:
            if type(x) is not float:
                raise BadArgument(f"A constant must be a float. Received: {x!r}.")
        if len(self.ops) != len(self.args):
            raise BadArgument(
                f"Each instruction needs its arguments. Received: {len(self.ops)} instructions, "
                f"{len(self.args)} lists of arguments."
            )
        for i, (name, args) in enumerate(zip(self.ops, self.args)):
            row = PRIMITIVES.get(name) if type(name) is str else None
            if row is None:
                raise unknown_name("primitive", name, PRIMITIVES)
            if row.arity not in (None, len(args)):
                raise BadArgument(
                    f"Instruction {i} ({name}) takes {row.arity} arguments. Received: {len(args)}."
                )
            for slot in args:
                if type(slot) is not int or not 0 <= slot < self.first + i:
                    raise BadArgument(
                        f"Instruction {i} ({name}) reads slot {slot!r} before it is written. "
                        f"Written by then: 0 to {self.first + i - 1}."
                    )
        varies = self.varying()
        for what, slots in (("each", self.each), ("total", self.total), ("once", self.once)):
            for slot in slots:
                if type(slot) is not int or not 0 <= slot < self.slots:
                    raise BadArgument(f"{what} names slot {slot!r}, but there are {self.slots}.")
                if what == "once" and varies[slot]:
                    raise BadArgument(f"once names slot {slot}, which differs from lane to lane.")
        return self
