"""Programs made of programs: a part that is enough for some results, and one without long sums."""

from __future__ import annotations

from collections.abc import Sequence

from .code import Code

__all__ = ["only", "with_short_sums"]


def only(
    code: Code, each: Sequence[int] = (), total: Sequence[int] = (), once: Sequence[int] = ()
) -> tuple[Code, list[int]]:
    """The program that computes these slots, without the instructions that they don't need.

    Inputs and shared numbers stay, used or not: a caller gives all of them.

    Returns:
        The program, and for every old slot where it is now, −1 if it is gone.

    >>> both = Code(2, 0, (3.0,), ("mul", "add"), ((0, 2), (1, 2)), each=(3, 4))
    >>> only(both, each=[4])
    (Code(inputs=2, shared=0, constants=(3.0,), ops=('add',), args=((1, 2),),
          each=(3,), total=(), once=()), [0, 1, 2, -1, 3])
    """
    first, given = code.first, code.inputs + code.shared
    live = [True] * given + [False] * (code.slots - given)
    for slot in (*each, *total, *once):
        live[slot] = True
    for i in range(len(code.ops) - 1, -1, -1):
        if live[first + i]:
            for slot in code.args[i]:
                live[slot] = True
    moved = [-1] * code.slots
    for new, old in enumerate(slot for slot in range(code.slots) if live[slot]):
        moved[old] = new
    written = [i for i in range(len(code.ops)) if live[first + i]]
    shorter = Code(
        code.inputs,
        code.shared,
        tuple([x for x, slot in zip(code.constants, range(given, first)) if live[slot]]),
        tuple([code.ops[i] for i in written]),
        tuple([tuple([moved[slot] for slot in code.args[i]]) for i in written]),
        *(tuple([moved[slot] for slot in slots]) for slots in (each, total, once)),
    )
    return shorter, moved


def with_short_sums(code: Code, most: int) -> Code:
    """The program with sums of at most so many terms, which adds in the same order.

    The first term of a sum is then the sum of the terms before.

    >>> with_short_sums(Code(4, 0, (), ("sum",), ((0, 1, 2, 3),), each=(4,)), 3)
    Code(inputs=4, shared=0, constants=(), ops=('sum', 'sum'), args=((0, 1, 2), (4, 3)),
         each=(5,), total=(), once=())
    """
    moved, ops, args = [*range(code.first)], list[str](), list[tuple[int, ...]]()
    for op, old in zip(code.ops, code.args):
        slots = tuple([moved[slot] for slot in old])
        while len(slots) > most:
            ops.append("sum")
            args.append(slots[:most])
            slots = code.first + len(ops) - 1, *slots[most:]
        ops.append(op)
        args.append(slots)
        moved.append(code.first + len(ops) - 1)
    results = [tuple([moved[slot] for slot in slots]) for slots in code[-3:]]
    return Code(*code[:3], tuple(ops), tuple(args), *results)
