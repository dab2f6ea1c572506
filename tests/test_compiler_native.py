"""The fast executors against the rows of the table: bit for bit on single samples."""

from __future__ import annotations

import gc
import itertools
import math
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import threads
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_edu.compiler import llvm, native, python, virtual_machine
from tinygrad_edu.compiler.code import PRIMITIVES, SPELLED, Code
from tinygrad_edu.compiler.primitives import FUNCTIONS
from tinygrad_edu.compiler.vectors import VECTORS
from tinygrad_edu.errors import BadArgument

EXECUTORS = pytest.mark.parametrize(
    "executor", [virtual_machine, native], ids=["machine", "native"]
)

EDGES = [
    0.0, -0.0, 0.5, -0.5, 1.0, -1.0, 1.5, 2.5, -2.5, 2.0, 3.0, -3.0, 0.1, 1e-20, -1e-20, 1e16,
    20.0, -37.5, 709.7, 710.0, -745.0, -746.0, 5e-324, -5e-324, 2.2e-308, -1e-310, 1e308, -1e308,
    1.7976931348623157e308, math.inf, -math.inf, math.nan,
]  # fmt: skip

# Python computes its own hypot, and before 3.11 its own erf and erfc.
NEARLY = ("hypot", "erf", "erfc")


def same(x: float, y: float) -> bool:
    """Whether two doubles are the same, bit for bit, all nans being alike."""
    return (x != x and y != y) or (x == y and math.copysign(1.0, x) == math.copysign(1.0, y))


def run(kernel, n, batch, shared=()):
    """The results of a kernel, in arrays that are full of something else before."""
    code = kernel.code
    each, total, once = (
        np.full(shape, 77.0) for shape in ((n, len(code.each)), len(code.total), len(code.once))
    )
    batch = np.array(batch, float).reshape(n, code.inputs)
    kernel(n, batch, np.array(shared, float), each, total, once)
    return each, total, once


def unary_or_more(name: str) -> int:
    return 3 if name == "sum" else len(PRIMITIVES[name].parameters)


def edge_rows(name: str) -> list[tuple[float, ...]]:
    count = unary_or_more(name)
    edges = EDGES if count < 3 else [0.0, -0.0, 1.0, -2.0, 0.1, 1e308, math.inf, math.nan]
    return list(itertools.product(edges, repeat=count))


def program_of(name: str) -> Code:
    count = unary_or_more(name)
    return Code(count, 0, (), (name,), (tuple(range(count)),), each=(count,))


def test_every_function_of_rows_is_used():
    called = {spelling.llvm for spelling in SPELLED.values() if isinstance(spelling.llvm, str)}
    assert VECTORS.keys() | FUNCTIONS.keys() <= called


@EXECUTORS
@pytest.mark.parametrize("name", PRIMITIVES)
def test_every_primitive_at_every_edge(executor, name):
    kernel, compute = executor.load(program_of(name)), PRIMITIVES[name].compute
    rows = edge_rows(name)
    for row in rows:
        (got,), expected = run(kernel, 1, row)[0].ravel().tolist(), compute(*row)
        nearly = name in NEARLY and abs(got - expected) <= math.ulp(expected)
        assert same(got, expected) or nearly, (row, got, expected)
    together = run(kernel, len(rows), rows)[0].ravel()
    for row, got in zip(rows, together.tolist()):
        expected = compute(*row)
        # in a row of samples 2 ulp are allowed, and the library has an error of its own
        ulps = 3 if name in VECTORS else 1 if name in NEARLY else 0
        near = ulps and abs(got - expected) <= ulps * math.ulp(expected)
        assert same(got, expected) or near, (row, got, expected)


# ── Random programs ───────────────────────────────────────────────────────────────────────

EXACT = sorted(PRIMITIVES.keys() - set(NEARLY))
FLOATS = st.one_of(st.sampled_from(EDGES), st.floats(-10.0, 10.0), st.floats())


@st.composite
def codes(draw, primitives=tuple(EXACT)):
    inputs, shared = draw(st.integers(0, 3)), draw(st.integers(0, 3))
    constants = tuple(draw(st.lists(FLOATS, min_size=1, max_size=3)))
    ops = tuple(draw(st.lists(st.sampled_from(primitives), min_size=1, max_size=25)))
    first = inputs + shared + len(constants)
    args = []
    for slot, name in enumerate(ops, first):
        # the nearest slots the most, so that programs get deep
        below = st.integers(0, slot - 1) | st.integers(max(0, slot - 5), slot - 1)
        size = (0, 5) if name == "sum" else (len(PRIMITIVES[name].parameters),) * 2
        args.append(tuple(draw(st.lists(below, min_size=size[0], max_size=size[1]))))
    code = Code(inputs, shared, constants, ops, tuple(args))
    varies = code.varying()
    slots = st.lists(st.integers(0, code.slots - 1), max_size=4).map(tuple)
    fixed = [slot for slot in range(code.slots) if not varies[slot]]
    once = st.lists(st.sampled_from(fixed), max_size=4).map(tuple)
    return code._replace(each=draw(slots), total=draw(slots), once=draw(once))


def drawn_numbers(data, code, n):
    numbers = st.lists(FLOATS, min_size=code.inputs, max_size=code.inputs)
    shared = st.lists(FLOATS, min_size=code.shared, max_size=code.shared)
    return [data.draw(numbers) for _ in range(n)], data.draw(shared)


def assert_same(got, expected):
    for ours, theirs in zip(got, expected):
        assert all(map(same, np.ravel(ours).tolist(), np.ravel(theirs).tolist())), (ours, theirs)


@EXECUTORS
@given(code=codes(), data=st.data())
def test_single_samples_are_eager_to_the_bit(executor, code, data):
    batch, shared = drawn_numbers(data, code, 1)
    kernel, reference = executor.load(code), python.load(code)
    assert_same(run(kernel, 1, batch, shared), run(reference, 1, batch, shared))


@EXECUTORS
@given(code=codes(tuple(sorted(set(EXACT) - VECTORS.keys()))), data=st.data())
def test_many_samples_are_single_samples_side_by_side(executor, code, data):
    n = data.draw(st.sampled_from([0, 2, 3, 7, 8, 9, 20]))
    batch, shared = drawn_numbers(data, code, n)
    kernel, reference = executor.load(code), python.load(code)
    got, expected = run(kernel, n, batch, shared), run(reference, n, batch, shared)
    if n > 8:  # where sums run in eight columns
        assert_same([got[0], got[2]], [expected[0], expected[2]])
    else:
        assert_same(got, expected)


def mlp_code(samples=0, width=12, seed=0) -> Code:
    """A network 2-width-width-1 with hinge loss, its gradients by hand as plain instructions."""
    import tinygrad_edu as tg
    from tinygrad_edu.compiler.lowering import Lowering

    rng = np.random.default_rng(seed)
    inputs = [tg.Value(x) for x in (0.3, -0.4, 1.0)]
    parameters, layer = [], inputs[:2]
    for i, (a, b) in enumerate([(2, width), (width, width), (width, 1)]):
        weights = [[tg.Value(float(w)) for w in rng.normal(size=a + 1)] for _ in range(b)]
        parameters += [w for row in weights for w in row]
        sums = [tg.sum([*[w * x for w, x in zip(row, layer)], row[-1]]) for row in weights]
        layer = [tg.tanh(s) if i == 0 else tg.relu(s) if i == 1 else s for s in sums]
    loss = tg.relu(1.0 - inputs[2] * layer[0])
    lowering = Lowering(inputs, parameters, [loss])
    slopes = lowering.gradients(loss, parameters)
    return lowering.code(each=[lowering.slot(layer[0])], total=[lowering.slot(loss), *slopes])


@EXECUTORS
@pytest.mark.parametrize("n", [0, 1, 3, 4, 5, 7, 8, 9, 100, 1001])
def test_batches_of_every_size(executor, n):
    code = mlp_code()
    kernel = executor.load(code)
    rng = np.random.default_rng(n)
    batch, shared = rng.normal(size=(n, 3)), rng.normal(size=code.shared)
    each, total, _ = run(kernel, n, batch, shared)
    reference = python.load(code)
    expected = run(reference, n, batch, shared)
    np.testing.assert_allclose(each, expected[0], rtol=1e-13, atol=1e-14)
    np.testing.assert_allclose(total, expected[1], rtol=1e-13, atol=1e-13 * max(n, 1))
    if n == 0:
        assert_same([total], [np.zeros(len(total))])
    if n == 1:
        assert_same([each, total], expected[:2])


@EXECUTORS
def test_the_order_of_a_sum_over_samples(executor):
    """Eight columns, then from left to right, then the rest: the same in both executors."""
    code = Code(1, 0, (), (), (), total=(0,))
    rng = np.random.default_rng(1)
    x = rng.normal(size=29) * 10.0 ** rng.integers(-10, 10, size=29)
    columns = [0.0] * 8
    for i, number in enumerate(x[:24]):
        columns[i % 8] += number
    expected = 0.0
    for number in [*columns, *x[24:]]:
        expected += number
    assert run(executor.load(code), 29, x)[1] == [expected]


@EXECUTORS
def test_nothing_beside_the_arrays_is_touched(executor):
    code = mlp_code(width=3)
    kernel, n, guard = executor.load(code), 13, 16
    sizes = {"batch": n * 3, "shared": code.shared, "each": n, "total": len(code.total), "once": 0}
    rng = np.random.default_rng(0)
    fields = {name: rng.normal(size=size + 2 * guard) for name, size in sizes.items()}
    before = {name: field.copy() for name, field in fields.items()}
    kernel(n, *[field[guard : len(field) - guard] for field in fields.values()])
    for name, field in fields.items():
        inside = slice(guard, len(field) - guard)
        expected = before[name].copy()
        if name in ("each", "total"):
            assert (field[inside] != expected[inside]).all()
            expected[inside] = field[inside]
        assert (field == expected).all(), name
    fields["batch"][:] = math.nan  # and what lies behind the last row is not read
    inside = fields["batch"][guard : guard + n * 3]
    inside[:] = before["batch"][guard : guard + n * 3]
    again = np.zeros(len(code.total))
    shared = fields["shared"][guard : guard + code.shared]
    kernel(n, inside, shared, np.zeros(n), again, np.zeros(0))
    assert (again == fields["total"][guard:-guard]).all()


@EXECUTORS
def test_what_is_no_plain_array_is_refused(executor):
    kernel = executor.load(Code(1, 0, (), (), (), total=(0,)))
    total = np.zeros(1)
    for wrong in (np.ones((5, 2))[:, :1], [1.0, 2.0]):
        with pytest.raises(BadArgument, match="C-contiguous"):
            kernel(2, wrong, (), (), total, ())
    readonly = np.ones((2, 1))
    readonly.flags.writeable = False
    kernel(2, readonly, (), (), total, ())
    assert total.tolist() == [2.0]


@EXECUTORS
def test_eight_threads(executor):
    code = mlp_code()
    kernel = executor.load(code)
    rng = np.random.default_rng(0)
    batches, shared = rng.normal(size=(8, 50, 3)), rng.normal(size=code.shared)
    expected = [run(kernel, 50, batch, shared) for batch in batches]
    wrong = []

    def work(i):
        for _ in range(100):
            got = run(kernel, 50, batches[i], shared)
            if not all((x == y).all() for x, y in zip(got, expected[i])):
                wrong.append(i)

    threads.eight(work)
    assert not wrong


def test_what_is_made_once_is_made_once_in_threads_too():
    made, barrier = [], threading.Barrier(8)

    @llvm.once
    def make(x):
        made.append(x)
        time.sleep(0.01)
        return object()

    def work(_):
        barrier.wait()
        found.append(make(1))

    found: list[object] = []
    threads.eight(work)
    assert made == [1]
    assert len(set(map(id, found))) == 1


@EXECUTORS
def test_a_long_program_is_cut_into_pieces(executor):
    rng = np.random.default_rng(0)
    ops, args = [], []
    for slot in range(9, 9 + 3000):
        ops.append(str(rng.choice(["add", "sub", "mul", "maximum", "tanh", "sum", "relu"])))
        count = {"sum": 4, "tanh": 1, "relu": 1}.get(ops[-1], 2)
        near, far = rng.integers(max(0, slot - 20), slot, count), rng.integers(0, slot, count)
        args.append(tuple(int(x) for x in np.where(rng.random(count) < 0.8, near, far)))
    code = Code(3, 3, (1.0, -0.5, 0.25), tuple(ops), tuple(args))
    fixed = [slot for slot, varies in enumerate(code.varying()) if not varies]
    some = tuple(int(x) for x in rng.integers(0, code.slots, 40))
    code = code._replace(each=some, total=some[::-1], once=(*fixed[-5:], fixed[4]))
    kernel, reference = executor.load(code), python.load(code)
    batch, shared = rng.normal(size=(1, 3)), rng.normal(size=3)
    assert_same(run(kernel, 1, batch, shared), run(reference, 1, batch, shared))
    code = code._replace(ops=tuple("abs" if name == "tanh" else name for name in ops))
    kernel, reference = executor.load(code), python.load(code)
    batch = rng.normal(size=(8, 3))
    assert_same(run(kernel, 8, batch, shared), run(reference, 8, batch, shared))


@pytest.mark.parametrize("cut", [2, 20])
def test_a_long_sum_is_cut_into_pieces_too(cut, monkeypatch):
    """LLVM would take 10 seconds for 8,000 terms in one function, and hours for more."""
    longest = 0

    def compiled(functions, **settings):
        nonlocal longest
        longest = max(longest, *(len(f.lines) for f in functions if "_" in f.name))
        return llvm.compiled(functions, **settings)

    monkeypatch.setattr(native, "CUT", cut)
    monkeypatch.setattr(native, "compiled", compiled)
    args = tuple(range(5)), tuple(i % 6 for i in range(321)), (3, 4) * 50
    code = Code(3, 1, (0.1,), ("sum",) * 3, args, each=(5, 6), total=(6, 7), once=(7,))
    batch, shared = np.array([[0.3, -0.0, 1e-9]]), np.array([0.7])
    expected = run(python.load(code), 1, batch, shared)
    assert_same(run(native.load(code), 1, batch, shared), expected)
    assert longest < 10 * (cut + 3)


@EXECUTORS
def test_a_chain_as_deep_as_it_is_long(executor):
    count = 20_000
    code = Code(
        0, 1, (1.0000001,), ("mul",) * count, ((1, 0), *[(i, 1) for i in range(2, count + 1)]),
        once=(count + 1,),
    )  # fmt: skip
    expected = 1.5
    for _ in range(count):
        expected *= 1.0000001
    assert run(executor.load(code), 0, [], [1.5])[2] == [expected]


def test_the_bits_do_not_depend_on_the_processor(monkeypatch):
    """A plain one has registers for two numbers; this one may have them for eight."""
    code, rng = mlp_code(), np.random.default_rng(0)
    batch, shared = rng.normal(size=(53, 3)), rng.normal(size=code.shared)
    expected = run(native.load(code), 53, batch, shared)

    def plain_machine(level):
        target = llvm.binding().Target.from_default_triple()
        return target.create_target_machine(opt=level, reloc="pic", codemodel="small", jit=True)

    monkeypatch.setattr(llvm, "_target_machine", plain_machine)
    monkeypatch.setattr(native, "_function", native._function.__wrapped__)  # ask for no old ones
    assert_same(run(native.load(code), 53, batch, shared), expected)


def test_fastmath_may_round_otherwise_but_keeps_nan():
    code = Code(3, 0, (), ("mul", "add", "div"), ((0, 1), (3, 2), (4, 0)), each=(5,))
    fast = native.load(code, fastmath=True)
    rng = np.random.default_rng(0)
    batch = rng.normal(size=(50, 3))
    exact = run(native.load(code), 50, batch)[0]
    np.testing.assert_allclose(run(fast, 50, batch)[0], exact, rtol=1e-12)
    assert np.isnan(run(fast, 2, [[math.nan, 1.0, 1.0], [0.0, 1.0, 0.0]])[0]).all()


# ── Memory ────────────────────────────────────────────────────────────────────────────────


def resident() -> int:
    """Bytes of memory this process holds."""
    with Path("/proc/self/statm").open() as statm:
        return int(statm.read().split()[1]) * 4096


def grown(executor, cycles: int) -> int:
    """How much memory that many programs, loaded, run and dropped, leave behind."""
    batch = np.ones((20, 3))

    def cycle(seed):
        code = Code(
            3, 0, (float(seed),), ("mul", "tanh", "add"), ((0, 3), (4,), (5, 2)), total=(6,)
        )
        kernel = executor.load(code)
        kernel(20, batch, (), (), np.zeros(1), ())

    for seed in range(50):
        cycle(seed)
    gc.collect()
    before = resident()
    for seed in range(cycles):
        cycle(seed)
    gc.collect()
    return resident() - before


@EXECUTORS
def test_dropped_programs_leave_nothing(executor):
    assert grown(executor, 200) < 4_000_000


@EXECUTORS
@pytest.mark.thorough
def test_ten_thousand_dropped_programs_leave_nothing(executor):
    assert grown(executor, 10_000) < 16_000_000


@pytest.mark.parametrize("executor", [native, virtual_machine])
def test_a_kernel_in_a_cycle_is_freed_in_order(executor):
    """Python's collector finalises what is in a cycle in any order; LLVM wants the engine closed
    before its context. A fault here ends the process."""
    code = Code(2, 0, (), ("mul",), ((0, 1),), each=(2,), total=(2,))
    for _ in range(30):
        kernel = executor.load(code)
        kernel.cycle = {"kernel": kernel}
    del kernel
    gc.collect()
