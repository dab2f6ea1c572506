"""The irregular parts of a lifted program, as programs of scalars for the virtual machine.

A call of NumPy takes a microsecond or two, however few numbers it computes. Groups of few numbers,
such as those of a softmax, are therefore left to the virtual machine, which computes all groups
between two products of matrices at once, for eight samples at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from math import prod
from typing import Any, Final, NamedTuple

import numpy as np

from ..errors import MissingExtra
from .code import Code
from .lifting import GIVEN, INSIDE, Group, Lifted

__all__ = ["Island", "islands", "phases"]

SMALL: Final = 16
"""Results, or terms of dots and sums, up to which a group is left to the machine."""

FEWEST: Final = 8
"""Small groups of an island; fewer are quicker one by one."""


class Island(NamedTuple):
    """Small groups that are computed together.

    Attributes:
        groups: their numbers.
        kernel: the program that computes them.
        inputs, shared: where its numbers come from: of each array the places.
        results: of each array that others read, its columns in ``each``.
    """

    groups: tuple[int, ...]
    kernel: Any
    inputs: dict[int, list[int]]
    shared: dict[int, list[int]]
    results: dict[int, slice]

    def step(self, arrays: dict[int, Any], n: int) -> Callable[[], None]:
        """The call for a block of samples."""
        code = self.kernel.code
        rows, each = np.empty((n, code.inputs)), np.empty((n, len(code.each)))
        common, nothing = np.empty(code.shared), np.empty(0)
        gathered = [(array, np.array(places)) for array, places in self.inputs.items()]
        fixed = [(array, np.array(places)) for array, places in self.shared.items()]

        def step() -> None:
            at = 0
            for array, places in gathered:
                flat = arrays[array].reshape(n, -1)
                np.take(flat, places, 1, rows[:, at : at + len(places)], "clip")
                at += len(places)
            at = 0
            for array, places in fixed:
                common[at : at + len(places)] = arrays[array].reshape(-1)[places]
                at += len(places)
            self.kernel(n, rows, common, each, nothing, nothing)
            for array, columns in self.results.items():
                arrays[array].reshape(n, -1)[:] = each[:, columns]

        return step


def phases(found: Lifted) -> dict[int, tuple[int, int]]:
    """When each group of a sample is computed: in which phase, and 1 if among its small groups,
    which follow the large ones."""
    when: dict[int, tuple[int, int]] = {}
    for i, group in enumerate(found.groups, GIVEN):
        if group.stage == INSIDE:
            small = int(_is_small(group))
            read = [when[arg.array] for arg in group.args if arg.array in when]
            phase = max([before + (1 if after > small else 0) for before, after in read], default=0)
            when[i] = phase, small
    return when


def islands(found: Lifted) -> list[Island]:
    """The islands of a program; none without llvmlite."""
    by_phase: dict[int, list[int]] = {}
    for i, (phase, small) in phases(found).items():
        if small:
            by_phase.setdefault(phase, []).append(i)
    try:
        return [_island(found, groups) for groups in by_phase.values() if len(groups) >= FEWEST]
    except (ImportError, MissingExtra):
        return []


def _is_small(group: Group) -> bool:
    terms = group.args[0].shape[-1] if group.kind in ("dot", "row sum") else 1
    return prod(group.shape) * terms <= SMALL


def _island(found: Lifted, groups: Sequence[int]) -> Island:
    from .virtual_machine import load

    inside = set(groups)
    inputs: dict[int, list[int]] = {}
    shared: dict[int, list[int]] = {}
    for i in groups:
        for access in found.groups[i - GIVEN].args:
            if access.array not in inside:
                varies = found.stage_of(access.array) == INSIDE
                places = (inputs if varies else shared).setdefault(access.array, [])
                places += access.all_places()
    sources = [
        {array: list(dict.fromkeys(places)) for array, places in side.items()}
        for side in (inputs, shared)
    ]
    given = [(array, place) for side in sources for array in side for place in side[array]]
    slots = {source: slot for slot, source in enumerate(given)}
    ops, args = list[str](), list[tuple[int, ...]]()
    for i in groups:
        results = _scalars(found.groups[i - GIVEN], slots, len(given), ops, args)
        slots.update({(i, place): slot for place, slot in enumerate(results)})
    columns, each = {}, list[int]()
    for i in _read_elsewhere(found, inside):
        start = len(each)
        each += [slots[i, place] for place in range(prod(found.groups[i - GIVEN].shape))]
        columns[i] = slice(start, len(each))
    varying, common = (sum(map(len, side.values())) for side in sources)
    code = Code(varying, common, (), tuple(ops), tuple(args), each=tuple(each))
    return Island(tuple(groups), load(code), sources[0], sources[1], columns)


def _read_elsewhere(found: Lifted, inside: set[int]) -> Iterable[int]:
    """The groups of an island that others read, or that are results."""
    readers = [group.args for i, group in enumerate(found.groups, GIVEN) if i not in inside]
    arrays = {access.array for args in readers for access in args}
    arrays |= {store.source.array for stores in found[-3:] for store in stores}
    return sorted(arrays & inside)


def _scalars(
    group: Group,
    slots: dict[tuple[int, int], int],
    given: int,
    ops: list[str],
    args: list[tuple[int, ...]],
) -> list[int]:
    """Write the instructions of a group; the slots of its results."""

    def write(op: str, operands: Sequence[int]) -> int:
        ops.append(op)
        args.append(tuple(operands))
        return given + len(ops) - 1

    read = [[slots[arg.array, place] for place in arg.all_places()] for arg in group.args]
    if group.kind == "row sum":
        k = group.args[0].shape[-1]
        return [write("sum", read[0][at : at + k]) for at in range(0, len(read[0]), k)]
    if group.kind != "dot":
        return [write(group.kind, operands) for operands in zip(*read)]
    (m, p, k), q = group.args[0].shape, group.args[1].shape[1]
    results = []
    for block in range(m):
        for row in range(q):
            for column in range(p):
                a = read[0][(block * p + column) * k :][:k]
                b = read[1][(block * q + row) * k :][:k]
                results.append(write("sum", [write("mul", pair) for pair in zip(a, b)]))
    return results
