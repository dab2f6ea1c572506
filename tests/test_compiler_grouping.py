"""How the virtual machine orders a program: no bit may change by it, and memory is used again."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_edu.compiler import grouping, python, virtual_machine
from tinygrad_edu.compiler.code import Code

NUMBERS = st.sampled_from(
    [0.0, -0.0, 1.0, -1.5, 0.1, 3.0, 1e200, -1e200, 5e-324, math.inf, -math.inf, math.nan]
) | st.floats(-3.0, 3.0)


def run(kernel, n, batch, shared):
    code = kernel.code
    each, total, once = (
        np.full(shape, 77.0) for shape in ((n, len(code.each)), len(code.total), len(code.once))
    )
    kernel(n, np.array(batch, float).reshape(n, code.inputs), np.array(shared), each, total, once)
    return np.concatenate([each.ravel(), total, once])


def same_bits(one, other) -> bool:
    """All nans are alike."""
    nan = np.isnan(one) & np.isnan(other)
    return bool((nan | (one.view(np.int64) == other.view(np.int64))).all())


def kinds(code: Code) -> dict[str, int]:
    """How many instructions of which kind the machine runs."""
    groups = grouping.grouped(code).groups
    found: dict[str, int] = {}
    for loop, size in zip(groups.loop.tolist(), groups.size.tolist()):
        found[grouping.LOOPS[loop]] = found.get(grouping.LOOPS[loop], 0) + size
    return found


@st.composite
def sums_of_products(draw):
    """Programs of products and sums, many of which only one other instruction reads."""
    inputs, shared = draw(st.integers(0, 3)), draw(st.integers(0, 3))
    first = inputs + shared + 1
    unread: list[int] = []
    ops, args = [], []
    for slot in range(first, first + draw(st.integers(1, 60))):
        name = draw(st.sampled_from(["mul", "mul", "mul", "square", "add", "sum", "sum", "neg"]))
        count = {"mul": 2, "add": 2, "sum": draw(st.integers(0, 6))}.get(name, 1)
        reads = []
        for _ in range(count):
            fresh = bool(unread) and name in ("add", "sum") and draw(st.booleans())
            reads.append(unread.pop() if fresh else draw(st.integers(0, slot - 1)))
        ops.append(name)
        args.append(tuple(reads))
        unread.append(slot)
    code = Code(inputs, shared, (draw(NUMBERS),), tuple(ops), tuple(args))
    varies = code.varying()
    fixed = [slot for slot in range(code.slots) if not varies[slot]]
    each, total = (tuple(draw(st.lists(st.integers(0, code.slots - 1), max_size=3))) for _ in "12")
    return code._replace(
        each=each, total=total, once=tuple(draw(st.lists(st.sampled_from(fixed), max_size=3)))
    )


@given(code=sums_of_products(), window=st.sampled_from([1, 2, 5, 16, 8192]), data=st.data())
def test_neither_fusing_nor_using_memory_again_changes_a_bit(code, window, data):
    n = data.draw(st.sampled_from([1, 1, 2, 8, 11]))
    batch = [[data.draw(NUMBERS) for _ in range(code.inputs)] for _ in range(n)]
    shared = [data.draw(NUMBERS) for _ in range(code.shared)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(grouping, "WINDOW", window)
        kernel = virtual_machine.load(code)
    first, again = (run(kernel, n, batch, shared) for _ in range(2))
    assert same_bits(first, run(python.load(code), n, batch, shared))
    assert same_bits(first, again)


@pytest.mark.parametrize("n", [1, 9])
@pytest.mark.parametrize("length", [0, 1, 5])
@pytest.mark.parametrize("count", [1, 7, 8, 9, 23])
def test_many_sums_of_one_length(count, length, n):
    """Eight sums side by side, and those that are left over: of terms, and of products."""
    terms = count * length
    products = [("mul", (i % 7, (3 * i) % 8)) for i in range(terms)]
    plain = [("neg", (i % 8,)) for i in range(terms)]
    steps = products + plain
    for part in (0, terms):
        for k in range(count):
            start = 8 + part + k * length
            steps.append(("sum", tuple(range(start, start + length))))
    ops, args = zip(*steps)
    results = tuple(range(8 + 2 * terms, 8 + 2 * terms + 2 * count))
    code = Code(8, 0, (), ops, args, each=results)
    fused = {"sum_products": count, "neg": terms, "sum": count}
    assert kinds(code) == ({k: c for k, c in fused.items() if c} if length else {"sum": 2 * count})
    batch = np.sin(np.arange(8.0 * n)).reshape(n, 8)
    expected, got = (run(load(code), n, batch, []) for load in (python.load, virtual_machine.load))
    assert same_bits(expected, got)


def test_a_product_is_computed_where_one_sum_alone_reads_it():
    mul, neuron = ("mul", (0, 1)), ("sum", (2, 3, 4))
    code = Code(2, 0, (), ("mul", "square", "neg", "sum"), ((0, 1), (0,), (1,), neuron[1]))
    assert kinds(code._replace(each=(5,))) == {"neg": 1, "sum_products": 1}
    assert kinds(code._replace(each=(5, 3))) == {"mul": 1, "square": 1, "neg": 1, "sum": 1}
    once_read = Code(2, 0, (), (mul[0], "add"), (mul[1], (2, 1)), each=(3,))
    assert kinds(once_read) == {"sum_products": 1}
    assert kinds(once_read._replace(each=(3, 2))) == {"mul": 1, "add": 1}
    twice_read = Code(2, 0, (), (mul[0], "add"), (mul[1], (2, 2)), each=(3,))
    assert kinds(twice_read) == {"mul": 1, "add": 1}
    of_the_weights = Code(1, 2, (), (mul[0], "add"), ((1, 2), (3, 0)), each=(4,))
    assert kinds(of_the_weights) == {"mul": 1, "add": 1}  # once per call, not per sample


def test_sums_of_sums_are_one_as_long_as_nothing_else_reads_them():
    chain = Code(1, 0, (), ("add",) * 9, ((0, 0), *((slot, 0) for slot in range(1, 9))), each=(9,))
    assert kinds(chain) == {"sum": 1}
    assert kinds(chain._replace(each=(9, 4))) == {"sum": 2}
    assert kinds(chain._replace(args=((0, 0), *((0, slot) for slot in range(1, 9))))) == {"add": 9}
    kept = Code(1, 2, (), ("add", "add"), ((1, 2), (3, 0)), each=(4,))
    assert kinds(kept) == {"add": 2}  # once per call, and per sample
    nothing = Code(1, 0, (), ("sum", "add", "sum"), ((), (1, 0), (2, 0)), each=(3,))
    assert kinds(nothing) == {"sum": 2}


@pytest.mark.parametrize("inputs", [0, 1])
def test_results_that_are_soon_forgotten_share_their_memory(inputs):
    """A chain of so many instructions needs no more than a window of it."""
    count = 20 * grouping.WINDOW
    first, last = 2, count + 1
    args = [(0, 1), *((slot - 1, slot % 2) for slot in range(first + 1, first + count))]
    found = {"each": (last,)} if inputs else {"once": (last,)}
    code = Code(inputs, 2 - inputs, (), ("sub",) * count, tuple(args), **found)
    kernel = virtual_machine.load(code)
    lanes = 8 if inputs else 0
    assert kernel.bytes < 1.1 * 8 * (1 + lanes) * grouping.WINDOW
    batch, shared = np.full((1, inputs), 0.5), np.full(2 - inputs, 0.5)
    got, expected = (
        run(load(code), 1, batch, shared) for load in (virtual_machine.load, python.load)
    )
    assert same_bits(got, expected)
