"""Finds the tensors in a program of scalars.

    instructions ──sums taken apart──▶ parts ──alike──▶ groups ──in order──▶ tensors

A layer of neurons is many sums Σⱼ wᵢⱼ·xⱼ + bᵢ over the same numbers: a matrix product. Nothing in a
program of scalars says so, and all of it can be found by structure alone, in three steps:

1. A sum is taken apart into its products, by the arrays that their factors come from: Σⱼ wᵢⱼ·xⱼ
   becomes a *dot* of a row of weights and a row of inputs, to which the bias is added.
2. Instructions of one kind whose arguments come from the same arrays form a *group*. Its results
   lie side by side in an array, from which later groups read.
3. The results of a group get an order in which the places of its arguments are regular. If every
   row of weights meets every row of inputs, the dots are a matrix product; and if the places
   have equal distances, the matrix is a view of the array where it lies.

Nothing depends on how the graph was written. The reverse sweep is part of the program, so its
products are found as well: Wᵀδ is a group of dots, and δᵀX a group of products that are summed over
the samples. An instruction that is like no other is a group of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from math import prod
from operator import itemgetter
from typing import Final, NamedTuple

from ..snapshots import uncollected
from .code import Code

__all__ = ["AFTER", "BEFORE", "CONSTANTS", "INPUTS", "INSIDE", "SHARED", "Access", "Group",
           "Lifted", "Store", "lifted", "promising"]  # fmt: skip

SHARED, INPUTS, CONSTANTS, GIVEN = range(4)
"""The numbers of the arrays that are given; the groups follow."""

BEFORE, INSIDE, AFTER = range(3)
"""When a group is computed: once before the samples, for every sample, or from sums over them."""

LONG_ENOUGH: Final = 4000
"""Instructions from which products of matrices are large enough to be quicker than scalars."""

FEW: Final = 3
"""Terms of one array from which they are added up as a row, instead of term by term."""

MANY: Final = 16
"""Constants that the same number meets in the same way, from which they are taken as a tensor."""

SCALAR: Final = 0.2
"""Nanoseconds of an instruction in a program of scalars, about."""

_SUMS: Final = ("add", "sum")
_PRODUCTS: Final = ("mul", "square", "neg")


class Access(NamedTuple):
    """Numbers of one array, as a group reads them.

    Attributes:
        array: `SHARED`, `INPUTS`, `CONSTANTS`, or `GIVEN` and the number of a group.
        shape: the axes in which they are read.
        offset: the place of the first.
        strides: along each axis, from one number to the next; None if they lie irregularly.
        places: if they do, the place of each, in the order of rows.
    """

    array: int
    shape: tuple[int, ...]
    offset: int = 0
    strides: tuple[int, ...] | None = None
    places: tuple[int, ...] = ()

    def all_places(self) -> list[int]:
        """Every place, in the order of rows."""
        if self.strides is None:
            return list(self.places)
        places = [self.offset]
        for n, stride in zip(self.shape, self.strides):
            places = [x + i * stride for x in places for i in range(n)]
        return places


class Group(NamedTuple):
    """Instructions that are alike: one operation on tensors.

    Attributes:
        kind: a primitive, for each number; or

            - "dot": Σₖ aₚₖ·bᵩₖ for every pair of rows p and q. Its arguments a and b have the axes
              block, row and k; its results have the axes block, q and p, without those of
              length 1.
            - "row sum": Σₖ aₚₖ.
            - "total dot", "total": the same dot, or the numbers, summed over the samples.
            - "times n": the numbers, times the number of samples.
        args: of every argument, where it lies.
        shape: the axes of the results.
        stage: `BEFORE`, `INSIDE` or `AFTER`.
        slots: of every result, the slot of the program, −1 if it has none.
    """

    kind: str
    args: tuple[Access, ...]
    shape: tuple[int, ...]
    stage: int
    slots: tuple[int, ...]


class Store(NamedTuple):
    """Numbers of one array that are results: where they lie, and their places in the results."""

    source: Access
    target: Access


class Lifted(NamedTuple):
    """A program of tensors.

    Attributes:
        code: the program of scalars.
        constants: its constants, and others.
        groups: in an order in which they can be computed.
        each, total, once: where the results come from.
    """

    code: Code
    constants: tuple[float, ...]
    groups: tuple[Group, ...]
    each: tuple[Store, ...]
    total: tuple[Store, ...]
    once: tuple[Store, ...]

    def stage_of(self, array: int) -> int:
        """When the numbers of an array are known."""
        if array < GIVEN:
            return INSIDE if array == INPUTS else BEFORE
        return self.groups[array - GIVEN].stage

    def shape_of(self, array: int) -> tuple[int, ...]:
        """The axes of an array, without that of the samples."""
        code = self.code
        given = {SHARED: code.shared, INPUTS: code.inputs, CONSTANTS: len(self.constants)}
        return (given[array],) if array < GIVEN else self.groups[array - GIVEN].shape


def promising(code: Code) -> bool:
    """Whether it is worthwhile to look for large products of matrices in a program: it is long, and
    half of it are products.

    >>> promising(Code(2, 0, (), ("mul",), ((0, 1),)))
    False
    """
    return len(code.ops) >= LONG_ENOUGH and 2.2 * code.ops.count("mul") > len(code.ops)


@uncollected()
def lifted(code: Code) -> Lifted:
    """The tensors of a program.

    Two sums of two products, w₀·x₀ + w₁·x₁ and w₂·x₀ + w₃·x₁, are one product of a matrix:

    >>> code = Code(2, 4, (), ("mul", "mul", "sum", "mul", "mul", "sum"),
    ...             ((0, 2), (1, 3), (6, 7), (0, 4), (1, 5), (9, 10)), each=(8, 11))
    >>> (group,) = lifted(code).groups
    >>> group.kind, group.shape, group.slots
    ('dot', (2,), (8, 11))
    >>> group.args[0]
    Access(array=0, shape=(1, 2, 2), offset=0, strides=(0, 2, 1), places=())
    """
    finder = _Finder(code)
    finder.read()
    totals = [finder.total(slot) for slot in code.total]
    groups = [finder.arranged(draft) for draft in finder.drafts]
    results = [finder.stores(slots) for slots in (code.each, totals, code.once)]
    return Lifted(code, tuple(finder.constants), tuple(groups), *results)


# ── Which instructions are alike ──────────────────────────────────────────────────────────


Term = tuple[int, ...]
"""Of a sum: the slots of two factors, or of one number."""

Rows = tuple[tuple[int, ...], ...]
"""Of an instruction: for every argument the slots that it reads, one or a row of them."""


Places = tuple[int, ...]
Arranged = tuple[tuple[int, ...], list["Access"], list[int]]
"""Of a group: its axes, its arguments, and the place of every member."""

RESULTS: Final = -1
"""In the place of an array: what the program returns."""


class _Draft(NamedTuple):
    """A group whose order isn't known yet."""

    kind: str
    stage: int
    array: int
    members: list[tuple[int, Rows]]  # the slot of each, and what it reads


class _Finder:
    """The instructions of a program, put into groups one after the other.

    Attributes:
        array, place: of every slot, the array that holds it, and where in it.
        stage: of every array.
        shapes: the axes of the arrays of groups.
        drafts: the groups.
    """

    def __init__(self, code: Code) -> None:
        self.code, self.first, self.constants = code, code.first, list(code.constants)
        given = code.inputs, code.shared, len(code.constants)
        kinds = (INPUTS, SHARED, CONSTANTS)
        self.array = [kind for kind, count in zip(kinds, given) for _ in range(count)]
        self.place = [i for count in given for i in range(count)]
        self.array += [-1] * len(code.ops)
        self.place += [-1] * len(code.ops)
        self.stage = [BEFORE, INSIDE, BEFORE]
        self.shapes: dict[int, tuple[int, ...]] = {}
        self.drafts: list[_Draft] = []
        self._keys: dict[tuple[object, ...], _Draft] = {}
        self._turns: dict[tuple[object, ...], list[Rows]] = {}
        self._terms: dict[int, list[Term]] = {}  # of sums that another sum takes in
        self._extra: dict[float, int] = {}  # the slots of other constants
        self._dissolve()

    def _dissolve(self) -> None:
        """Find products that only sums read, and sums that only one other reads: they are computed
        there."""
        code, first = self.code, self.code.first
        varies, reads = code.varying(), [0] * code.slots
        alone = [True] * code.slots  # whether nothing but sums of the same stage reads it
        for slot in (*code.each, *code.once):
            alone[slot] = False
        totals = [0] * code.slots
        for slot in code.total:
            totals[slot] += 1
        for i, (op, args) in enumerate(zip(code.ops, code.args), first):
            for arg in args:
                reads[arg] += 1
                if op not in _SUMS or varies[arg] != varies[i]:
                    alone[arg] = False
        self.gone, self.in_total = [False] * code.slots, [False] * code.slots
        for slot, (op, args) in enumerate(zip(code.ops, code.args), first):
            if not alone[slot] or (reads[slot] and totals[slot]):
                continue
            if op in _SUMS:
                self.gone[slot] = reads[slot] == 1
                self.in_total[slot] = totals[slot] == 1 and varies[slot]
            elif op in _PRODUCTS:
                self.gone[slot] = reads[slot] > 0
                both = op != "neg" and all(varies[arg] for arg in args)
                self.in_total[slot] = totals[slot] > 0 and both

    def read(self) -> None:
        """Put every instruction into a group."""
        for slot, (op, args) in enumerate(zip(self.code.ops, self.code.args), self.code.first):
            if op in _SUMS:
                terms = self._all_terms(args)
                if self.in_total[slot]:
                    self.in_total[slot] = all(map(self._is_product_of_samples, terms))
                if self.gone[slot] or self.in_total[slot]:
                    self._terms[slot] = terms
                else:
                    self._sum(slot, terms)
            elif not (self.gone[slot] or self.in_total[slot]):
                self._put(slot, op, tuple([(arg,) for arg in args]))

    def _all_terms(self, args: Iterable[int]) -> list[Term]:
        """The terms of a sum: factors of its products, and those of sums that it takes in."""
        terms: list[Term] = []
        for arg in args:
            if not self.gone[arg]:
                terms.append((arg,))
            elif arg in self._terms:
                inner = self._terms.pop(arg)
                if len(inner) > len(terms):
                    inner, terms = terms, inner
                terms += inner
            else:
                terms.append(self._factors(arg))
        return terms

    def _factors(self, product: int) -> Term:
        args, op = self.code.args[product - self.first], self.code.ops[product - self.first]
        return (self._constant(-1.0), *args) if op == "neg" else (args[0], args[-1])

    def _constant(self, x: float) -> int:
        """The slot of a constant that the program may not have."""
        if x not in self._extra:
            self._extra[x] = len(self.array)
            self.array.append(CONSTANTS)
            self.place.append(len(self.constants))
            self.constants.append(x)
        return self._extra[x]

    def _is_product_of_samples(self, term: Term) -> bool:
        return len(term) == 2 and all(self.stage[self.array[slot]] == INSIDE for slot in term)

    def _put(self, slot: int, kind: str, rows: Rows, stage: int = -1) -> int:
        """Put an instruction into the group of those that are alike; the slot of its result."""
        array = self.array
        if kind in ("mul", "add") and array[rows[0][0]] > array[rows[1][0]]:
            rows = rows[::-1]
        arrays = tuple([array[row[0]] for row in rows])
        key: tuple[object, ...] = kind, stage, arrays, tuple(map(len, rows))
        if CONSTANTS in arrays and "dot" not in kind:
            key = *key, self._turn(key, rows)
        draft = self._keys.get(key)
        if draft is None:
            if stage < 0:
                stage = max([self.stage[array] for array in arrays], default=BEFORE)
            draft = self._keys[key] = _Draft(kind, stage, len(self.stage), [])
            self.drafts.append(draft)
            self.stage.append(stage)
        if slot < 0:
            slot = len(array)
            array.append(-1)
            self.place.append(-1)
        array[slot] = draft.array
        draft.members.append((slot, rows))
        return slot

    def _turn(self, key: tuple[object, ...], rows: Rows) -> object:
        """A key for instructions with different constants: the exponent of a power, else how many
        there were before on the same numbers. (Of many samples each has its own constant, and
        they are alike; but x + 1 and x + 2 are two operations.)"""
        if key[0] == "pow" and self.array[rows[1][0]] == CONSTANTS:
            return rows[1]
        others = key, *[row for row in rows if self.array[row[0]] != CONSTANTS]
        seen = self._turns.setdefault(others, [])
        if rows not in seen:
            seen.append(rows)
        return min(seen.index(rows), MANY)

    # ── Sums ──

    def _sum(self, slot: int, terms: Sequence[Term]) -> int:
        """A sum: the dots of its products, and its other terms, by the arrays they come from."""
        parts: list[int] = []
        classes = self._classes(terms)
        for arrays, alike in classes.items():
            name = slot if len(classes) == 1 else -1
            if len(arrays) == 2 and len(alike) > 1:
                rows = tuple(zip(*alike))
                parts.append(self._put(name, "dot", rows))
            elif len(arrays) == 2:
                parts.append(self._put(name, "mul", tuple([(x,) for x in alike[0]])))
            elif len(alike) >= FEW:
                parts.append(self._put(name, "row sum", (tuple([x for (x,) in alike]),)))
            else:
                parts += [x for (x,) in alike]
        if len(parts) == 1 and self.array[slot] >= 0:
            return slot
        return self._put(slot, *self._added(parts))

    def _added(self, parts: list[int]) -> tuple[str, Rows]:
        """The instruction that adds up these slots."""
        parts.sort(key=self.array.__getitem__)
        if len(parts) == 2:
            return "add", tuple([(x,) for x in parts])
        if not parts:
            return "identity", ((self._constant(0.0),),)
        return ("sum" if len(parts) > 1 else "identity"), tuple([(x,) for x in parts])

    def _classes(self, terms: Iterable[Term]) -> dict[tuple[int, ...], list[Term]]:
        """The terms by the arrays that their numbers come from, the lower first."""
        array = self.array
        classes: dict[tuple[int, ...], list[Term]] = {}
        for term in terms:
            if len(term) == 2 and array[term[0]] > array[term[1]]:
                term = term[::-1]
            classes.setdefault(tuple([array[slot] for slot in term]), []).append(term)
        # Beside c·x with constants c, a mere x is 1·x: the compiler leaves out factors of 1.
        for (kind,) in [arrays for arrays in classes if len(arrays) == 1]:
            pair = (kind, CONSTANTS) if kind < CONSTANTS else (CONSTANTS, kind)
            if pair in classes:
                one = self._constant(1.0)
                order = 1 if kind < CONSTANTS else -1
                classes[pair] += [(x, one)[::order] for (x,) in classes.pop((kind,))]
        return classes

    def total(self, slot: int) -> int:
        """The sum of a slot over the samples: the slot of it, where it is known afterwards."""
        if not self.in_total[slot]:
            varies = self.stage[self.array[slot]] == INSIDE
            return self._put(-1, "total" if varies else "times n", ((slot,),), AFTER)
        terms = self._terms.get(slot) or [self._factors(slot)]
        dots = [
            self._put(-1, "total dot", tuple(zip(*alike)), AFTER)
            for alike in self._classes(terms).values()
        ]
        return dots[0] if len(dots) == 1 else self._put(-1, *self._added(dots))

    # ── The order of results ──

    def arranged(self, draft: _Draft) -> Group:
        """A group in the order in which its arguments are regular."""
        dots = draft.kind in ("dot", "total dot")
        shape, args, order = (self._dots if dots else self._alike)(draft)
        self.shapes[draft.array] = shape
        slots = [-1] * prod(shape)
        for place, (slot, _) in zip(order, draft.members):
            self.place[slot] = place
            slots[place] = slot if slot < self.code.slots else -1
        return Group(draft.kind, tuple(args), shape, draft.stage, tuple(slots))

    def _arrays(self, draft: _Draft) -> list[int]:
        return [self.array[row[0]] for row in draft.members[0][1]]

    def _dots(self, draft: _Draft) -> Arranged:
        """Dots: rows of the first factor, rows of the second, and which of them meet."""
        arrays = self._arrays(draft)
        pairs, rows = self._met(draft, arrays)
        keys = [_order_of(array, found) for array, found in zip(arrays, rows)]
        blocks = [(sorted(p, key=keys[0]), sorted(q, key=keys[1])) for p, q in _blocks(pairs)]
        blocks.sort(key=lambda block: (keys[1](block[1][0]), keys[0](block[0][0])))
        met = [(a, b) for p, q in blocks for b in q for a in p]
        at = {pair: i for i, pair in enumerate(met)}
        m, p, q, k = len(blocks), len(blocks[0][0]), len(blocks[0][1]), len(rows[0][0])
        args = []
        for side, count in enumerate((p, q)):
            places = [x for block in blocks for i in block[side] for x in rows[side][i]]
            args.append(_fit(arrays[side], places, (m, count, k)))
        shape = tuple([n for n in (m, q, p) if n > 1]) or (1,)
        return shape, args, [at[pair] for pair in pairs]

    def _met(
        self, draft: _Draft, arrays: Sequence[int]
    ) -> tuple[list[tuple[int, int]], tuple[list[Places], list[Places]]]:
        """Of every dot the numbers of its two rows; and the rows, with their terms in order."""
        place = self.place
        alike = arrays[0] == arrays[1]  # then the factors have no order
        by_first = arrays[1] == CONSTANTS  # whose places mean nothing
        ids: tuple[dict[Places, int], dict[Places, int]] = ({}, {})
        pairs = []
        for _, (a, b) in draft.members:
            terms = [(place[y], place[x]) for x, y in zip(a, b)]
            if alike:
                terms = [(max(term), min(term)) for term in terms]
            terms.sort(key=itemgetter(1) if by_first else None)
            row_a, row_b = tuple([x for _, x in terms]), tuple([y for y, _ in terms])
            numbers = ids[0].setdefault(row_a, len(ids[0])), ids[1].setdefault(row_b, len(ids[1]))
            pairs.append(numbers)
        return pairs, ([*ids[0]], [*ids[1]])

    def _alike(self, draft: _Draft) -> Arranged:
        """Instructions on single numbers, or on a row: those with equal arguments are one."""
        place, arrays = self.place, self._arrays(draft)
        rows = [
            tuple([tuple(sorted([place[slot] for slot in row])) for row in members])
            for _, members in draft.members
        ]
        unique = list(dict.fromkeys(rows))
        shape, first = self._axes(unique, arrays)
        unique.sort(key=lambda row: ([row[i] for i in first], row))
        whole = self.shapes.get(arrays[first[-1]], ())
        read = [x for row in unique for x in row[first[-1]]]
        if len(first) == 1 and len(unique) > 1 and read == [*range(prod(whole))]:
            shape = whole if len(unique) == len(read) else shape
        at = {row: i for i, row in enumerate(unique)}
        args = []
        for i, array in enumerate(arrays):
            places = [x for row in unique for x in row[i]]
            axes = shape if draft.kind != "row sum" else (*shape, len(unique[0][i]))
            args.append(_fit(array, places, axes))
        return shape, args, [at[row] for row in rows]

    def _axes(
        self, unique: Sequence[Rows], arrays: Sequence[int]
    ) -> tuple[tuple[int, ...], list[int]]:
        """The axes of instructions that are alike, and the arguments whose places order them.

        There are two axes if every number of one argument meets every number of another.
        """
        counts = [len({row[i] for row in unique}) for i in range(len(arrays))]
        lead = max(range(len(arrays)), key=lambda i: (counts[i], arrays[i]))
        for i in range(len(arrays)):
            if counts[lead] < len(unique) == counts[i] * counts[lead] and i != lead:
                first = sorted([i, lead], key=arrays.__getitem__, reverse=True)
                return (counts[first[0]], counts[first[1]]), first
        return (len(unique),), [lead]

    def stores(self, slots: Sequence[int]) -> tuple[Store, ...]:
        """Where results come from: one entry for every array."""
        found: dict[int, list[tuple[int, int]]] = {}
        for target, slot in enumerate(slots):
            found.setdefault(self.array[slot], []).append((self.place[slot], target))
        stores = []
        for array, pairs in found.items():
            places, targets = zip(*sorted(pairs))
            shape = self.shapes.get(array, ())
            if places != tuple(range(prod(shape))):
                shape = (len(places),)
            stores.append(Store(_fit(array, places, shape), _fit(RESULTS, targets, shape)))
        return tuple(stores)


def _order_of(array: int, rows: Sequence[Places]) -> Callable[[int], Places]:
    """A key that sorts rows, given by their numbers."""
    if array != CONSTANTS:
        return rows.__getitem__
    return lambda i: tuple([-x for x in rows[i]])  # the last constant was recorded first


def _blocks(pairs: Iterable[tuple[int, int]]) -> list[tuple[list[int], list[int]]]:
    """Pairs of rows as blocks of equal size, in each of which every a meets every b.

    If there are no such blocks, but half of all a and b meet, they are one block, in which more
    is computed than wanted; else each pair is a block.

    >>> _blocks([(0, 0), (1, 0), (2, 1), (3, 1)])
    [([0, 1], [0]), ([2, 3], [1])]
    >>> _blocks([(0, 0), (1, 0), (0, 1)])
    [([0, 1], [0, 1])]
    """
    unique = list(dict.fromkeys(pairs))
    partners: dict[int, list[int]] = {}
    for a, b in unique:
        partners.setdefault(a, []).append(b)
    blocks: dict[tuple[int, ...], list[int]] = {}
    for a, found in partners.items():
        blocks.setdefault(tuple(sorted(found)), []).append(a)
    count = len({b for _, b in unique})
    sizes = {(len(p), len(q)) for q, p in blocks.items()}
    if len(sizes) == 1 and sum(map(len, blocks)) == count:
        return [(p, list(q)) for q, p in blocks.items()]
    if len(partners) * count <= 2 * len(unique):
        return [(list(partners), sorted({b for _, b in unique}))]
    return [([a], [b]) for a, b in unique]


def _fit(array: int, places: Sequence[int], shape: tuple[int, ...]) -> Access:
    """These places of an array, by strides if they are regular.

    >>> _fit(0, [5, 6, 8, 9], (2, 2))
    Access(array=0, shape=(2, 2), offset=5, strides=(3, 1), places=())
    >>> _fit(0, [5, 6, 9, 8], (2, 2))
    Access(array=0, shape=(2, 2), offset=0, strides=None, places=(5, 6, 9, 8))
    """
    strides, size = list[int](), 1
    for n in reversed(shape):
        strides.insert(0, places[size] - places[0] if n > 1 else 0)
        size *= n
    regular = [places[0]]
    for n, stride in zip(shape, strides):
        regular = [x + i * stride for x in regular for i in range(n)]
    if regular == list(places):
        return Access(array, shape, places[0], tuple(strides))
    return Access(array, shape, places=tuple(places))
