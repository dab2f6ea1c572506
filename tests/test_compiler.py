"""Programs give what eager code gives: the same bits, on every executor, at every float.

The yardstick is `tg.value_and_grad` on plain numbers. Any nan is like any other.
"""

from __future__ import annotations

import math
import random
import struct
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_edges import EDGES, power, quotient

import tinygrad_edu as tg
from tinygrad_edu import Value
from tinygrad_edu.compiler import Code, flatten, python, scheduler
from tinygrad_edu.compiler.code import PRIMITIVES
from tinygrad_edu.compiler.lowering import Lowering
from tinygrad_edu.compiler.templates import KEPT, partials_template
from tinygrad_edu.compiler.transforms import only
from tinygrad_edu.core import ops
from tinygrad_edu.core.table import BUILT_IN, TABLE, Op
from tinygrad_edu.errors import BadArgument, MissingExtra, NameUnknown, NotTraceable
from tinygrad_edu.testing import strategies
from tinygrad_edu.testing.expressions import Expression

SPECIAL = [
    0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 2.0, -2.5, 3.0, 20.0, -37.3, 710.0, 1e-200, 1e300, -1e300,
    5e-324, -5e-324, 2.2250738585072014e-308, math.inf, -math.inf, math.nan,
]  # fmt: skip
floats = st.sampled_from(SPECIAL) | st.floats() | st.floats(-10.0, 10.0)

ROWS = [row for name, row in TABLE.items() if name in BUILT_IN]
every_row = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)


def present(name: str) -> bool:
    try:
        tg.compile(Value(1.0) * 2.0, inputs=[], executor=name)
    except MissingExtra:
        return False
    return True


# Those that give the same bits; tensors have tests of their own.
EXECUTORS = [name for name in scheduler.EXECUTORS if name != "tensors" and present(name)]
every_executor = pytest.mark.parametrize("executor", EXECUTORS)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python compiles the text of a program at once, or only the rows would be tested."""
    monkeypatch.setattr(python, "PATIENCE", 0)


def bits(x: float) -> bytes:
    return struct.pack("<d", math.nan if x != x else x)


def same(ours: Sequence[float], theirs: Sequence[float]) -> bool:
    return [bits(x) for x in ours] == [bits(x) for x in theirs]


def ulps(x: float, y: float) -> float:
    """How many floats apart two numbers are."""
    if bits(x) == bits(y):
        return 0
    if not (math.isfinite(x) and math.isfinite(y)):
        return math.inf
    near, far = (struct.unpack("<q", struct.pack("<d", z))[0] for z in (x, y))
    return abs(near - far) if (near < 0) == (far < 0) else math.inf


def applied(op: Op, args: Sequence[Any]) -> Any:
    return op(list(args)) if op.arity is None else op(*args)


def eager(f: Callable[..., Any], args: Sequence[float]) -> list[float]:
    """The value and then the gradient."""
    y, slopes = tg.value_and_grad(f, argnums=tuple(range(len(args))))(*args)
    return [y, *slopes]


def replayed(f: Callable[..., Any], args: Sequence[float], executor: str = "python") -> list[float]:
    """The same by a program that was recorded at other numbers."""
    leaves = [Value(0.3 + 0.1 * i) for i in range(len(args))]
    program = tg.compile(f(*leaves), inputs=[], parameters=leaves, executor=executor)
    y, slopes = program.value_and_grad([[]], list(args))
    return [y, *map(float, slopes)]


# ── The rows ──────────────────────────────────────────────────────────────────────────────


@every_row
def test_every_row_and_its_gradient_to_the_last_bit(row: Op):
    def f(*xs: Any) -> Any:
        return applied(row, xs) * 1.5

    @given(st.data())
    def holds(data: st.DataObject) -> None:
        size = data.draw(st.integers(1, 4)) if row.arity is None else row.arity
        args = data.draw(st.lists(floats, min_size=size, max_size=size))
        assert same(replayed(f, args), eager(f, args))

    holds()


@every_executor
def test_every_row_on_every_executor(executor):
    """All rows and their gradients in one program. Python's own hypot may differ by 1 ulp."""
    source = random.Random(4)
    leaves = [Value(x) for x in (0.3, 0.4, 0.5)]
    results, functions = [], []
    for row in ROWS:
        args = leaves[: row.arity or 3]
        y = applied(row, args)
        results += [y, *tg.gradients(y, args)]
        functions.append((row, len(args)))
    program = tg.compile(results, inputs=leaves, executor=executor)
    for _ in range(100):
        point = [source.choice([*SPECIAL, source.gauss(0.0, 3.0)]) for _ in leaves]
        found = list(map(float, program.values([point])[0]))
        for row, count in functions:
            ours, found = found[: count + 1], found[count + 1 :]
            theirs = eager(lambda *xs, row=row: applied(row, xs), point[:count])
            allowed = 0 if executor == "python" else 4 if "hypot" in inside(row) else 0
            assert all(ulps(x, y) <= allowed for x, y in zip(ours, theirs)), (row, point)


def inside(row: Op) -> set[str]:
    """The primitives that a row and its partials are made of."""
    leaves = [Value(x) for x in (0.3, 0.4, 0.5)][: row.arity or 3]
    y = applied(row, leaves)
    return set(flatten(leaves, each=[y, *tg.gradients(y, leaves)]).code.ops)


@pytest.mark.parametrize("name", PRIMITIVES)
def test_the_text_of_every_primitive_means_its_row(name):
    """Unless Python raises, where the rows answer instead."""
    row = PRIMITIVES[name]
    count = row.arity or 3
    code = Code(count, 0, (), (name,), (tuple(range(count)),), each=(count,))
    space: dict[str, Any] = {}
    exec(python.source(code), space)

    @given(st.lists(floats, min_size=count, max_size=count))
    def holds(args: list[float]) -> None:
        try:
            (row_of_results,), _, _ = space["run"]([args], [])
        except (ArithmeticError, ValueError):
            return
        assert same(row_of_results, [row.compute(*args)])

    holds()


def test_every_executor_knows_every_primitive():
    assert {row.lower for row in ROWS if row.lower} == set(PRIMITIVES)


@pytest.mark.parametrize("executor", [name for name in EXECUTORS if name != "native"])
@pytest.mark.parametrize(
    ("f", "at", "value", "gradients"),
    [edge[1:] for edge in EDGES],
    ids=[edge[0] for edge in EDGES],
)
def test_the_edges_of_the_conventions(f, at, value, gradients, executor):
    found = replayed(f, at, executor)
    assert found == pytest.approx([value, *gradients], rel=1e-15, nan_ok=True)


@pytest.mark.skipif("native" not in EXECUTORS, reason="llvmlite is not installed")
def test_the_edges_of_the_conventions_all_at_once_in_native_code():
    leaves, results, point, wanted = [], [], [], []
    for _, f, at, value, gradients in EDGES:
        args = [Value(0.3 + 0.1 * i) for i in range(len(at))]
        y = f(*args)
        leaves += args
        point += at
        results += [y, *tg.gradients(y, args)]
        wanted += [value, *gradients]
    program = tg.compile(results, inputs=leaves, executor="native")
    assert list(program.values([point])[0]) == pytest.approx(wanted, rel=1e-15, nan_ok=True)


# ── Whole expressions ─────────────────────────────────────────────────────────────────────


@given(strategies.graphs(tuple(ROWS), kinks=True), st.data())
def test_random_expressions_at_any_floats(graph, data):
    args = data.draw(st.lists(floats, min_size=len(graph.point), max_size=len(graph.point)))
    for point in (graph.point, args):
        assert same(replayed(graph.expression, point), eager(graph.expression, point))


@pytest.mark.parametrize("executor", [name for name in EXECUTORS if name != "python"])
def test_random_expressions_on_the_fast_executors(executor):
    rows = tuple(row for row in ROWS if "hypot" not in inside(row))

    @settings(max_examples=10 if executor == "native" else 30)
    @given(strategies.graphs(rows, kinks=True), st.data())
    def holds(graph: strategies.Example, data: st.DataObject) -> None:
        args = data.draw(st.lists(floats, min_size=len(graph.point), max_size=len(graph.point)))
        leaves = graph.leaves()
        root = graph.expression(*leaves)
        program = tg.compile(root, inputs=[], parameters=leaves, executor=executor)
        for point in (graph.point, args):
            y, slopes = program.value_and_grad([[]], list(point))
            assert same([y, *slopes], eager(graph.expression, point))

    holds()


@given(strategies.graphs(), st.integers(0, 6))
def test_second_derivatives_compile_too(graph, seed):
    hessian = tg.hessian(graph.expression, argnums=tuple(range(len(graph.point))))
    ours, theirs = tg.jit(hessian)(*graph.point), hessian(*graph.point)
    for row, expected in zip(ours, theirs):
        assert row == pytest.approx(expected, rel=1e-12, abs=1e-9)


@given(strategies.graphs(), st.lists(st.lists(floats, min_size=3, max_size=3), max_size=12))
def test_lanes_are_samples(graph, rows):
    """Over many samples: the sum, in the order of the samples."""
    leaves = graph.leaves()
    program = tg.compile(graph.expression(*leaves), inputs=leaves, reduce="sum", executor="python")
    rows = [row[: len(leaves)] for row in rows]
    total = -0.0 if rows else 0.0
    for row in rows:
        total += graph.expression(*row)
    assert same([program.value(rows)], [total])
    assert same(list(program.values(rows)), [graph.expression(*row) for row in rows])


@every_executor
@pytest.mark.parametrize("n", [1, 2, 7, 8, 9, 100, 5000])
def test_every_executor_sums_batches(executor, n):
    np = pytest.importorskip("numpy")
    x, y, w, b = (Value(0.5, name=name) for name in "xywb")
    program = tg.compile(
        (tg.tanh(w * x + b) - y) ** 2, inputs=[x, y], parameters=[w, b], executor=executor
    )
    rows = np.random.default_rng(n).normal(size=(n, 2))

    def loss(w: Any, b: Any) -> Any:
        return tg.sum([(tg.tanh(w * x + b) - y) ** 2 for x, y in rows.tolist()]) / float(n)

    value, slopes = program.value_and_grad(rows, [0.7, -0.2])
    expected = eager(loss, [0.7, -0.2])
    assert [value, *slopes] == pytest.approx(expected, rel=1e-13)


# ── What lowering saves, and what it must not ─────────────────────────────────────────────


def instructions(f: Callable[..., Any], count: int = 2) -> tuple[str, ...]:
    leaves = [Value(0.3 + i) for i in range(count)]
    return flatten(leaves, each=[f(*leaves)]).code.ops


@pytest.mark.parametrize(
    ("f", "kept"),
    [
        (lambda x, y: x * 1.0, ()),
        (lambda x, y: 1.0 * x / 1.0 - 0.0, ()),
        (lambda x, y: tg.neg(tg.neg(x)), ()),
        (lambda x, y: tg.identity(tg.stop_gradient(x)), ()),
        (lambda x, y: tg.sum([x]), ()),
        (lambda x, y: -1.0 * x, ("neg",)),
        (lambda x, y: tg.squareplus(x, 4.0), None),
        (lambda x, y: x * y + x * y, ("mul", "add")),
        (lambda x, y: x * y + y * x, ("mul", "mul", "add")),  # nan · nan keeps the first
        (lambda x, y: x + 0.0, ("add",)),  # −0 + 0 is 0
        (lambda x, y: 0.0 - x, ("sub",)),  # 0 − 0 is 0, −(0) is −0
        (lambda x, y: x - -0.0, ("sub",)),  # −0 + 0 is 0
        (lambda x, y: x * 0.0, ("mul",)),  # inf · 0 is nan
        (lambda x, y: x - x, ("sub",)),
        (lambda x, y: x / x, ("div",)),
        (lambda x, y: x**1.0, ("pow",)),
        (lambda x, y: (x * 0.0) + (x * -0.0), ("mul", "mul", "add")),
        (lambda x, y: tg.where(y, x * 2.0, x * 2.0), ("mul", "where")),
    ],
)
def test_what_is_saved(f, kept):
    if kept is not None:
        assert instructions(f) == kept
    else:
        assert instructions(f).count("sqrt") == 0  # √4 is folded

    @given(floats, floats)
    def same_bits(x: float, y: float) -> None:
        assert same(replayed(f, [x, y]), eager(f, [x, y]))

    same_bits()


def test_constants_are_kept_apart_by_their_bits():
    x = Value(1.0)
    code = flatten([x], each=[x * 0.0, x * -0.0, x * math.nan, x + math.nan]).code
    assert {bits(c) for c in code.constants} == {bits(c) for c in (0.0, -0.0, math.nan)}
    assert len(code.constants) == 3
    assert len(code.ops) == 4


def test_what_is_computed_from_constants_alone_is_no_instruction():
    x = Value(2.0)
    code = flatten([x], each=[tg.jit(lambda: 0.0)() + x]).code
    assert code.ops == ("add",)

    def f(x: Any) -> Any:
        return x * tg.grad(lambda y: y**3)(2.0)

    assert tg.jit(f).program(1.0).code.ops == ("mul",)
    assert tg.jit(f)(1.0) == 12.0
    bend = tg.jit(lambda x: x + tg.grad(lambda y: y * y * y)(2.0))
    assert bend.program(1.0).code.ops == ("add",)


def test_the_derivative_shares_what_the_value_computes():
    w, x = Value(0.5), Value(0.3)
    y = tg.exp(w * x)
    lowering = Lowering([x], [w], [y])
    (slope,) = lowering.gradients(y, [w])
    assert lowering.code(total=[lowering.slot(y), slope]).ops == ("mul", "exp", "mul")


@given(strategies.graphs())
def test_the_sweep_with_slots_is_the_sweep_with_values(graph):
    """The derivative that lowering writes is the recorded one: the same results."""
    leaves = graph.leaves()
    root = graph.expression(*leaves)
    recorded, captured = flatten(leaves, each=tg.gradients(root, leaves))
    lowering = Lowering(leaves, [], [root])
    written = lowering.code(each=lowering.gradients(root, leaves))
    results: list[Any] = [[[]], [[]]]
    for code, shared, into in zip((recorded, written), (captured, ()), results):
        python.load(code)(1, [list(graph.point)], [v.data for v in shared], into, [], [])
    assert same(*(each[0] for each in results))
    assert len(written.ops) <= len(recorded.ops)


@given(strategies.graphs())
def test_a_part_of_a_program_gives_what_the_whole_gave(graph):
    leaves = graph.leaves()
    steps = graph.expression.trace(*leaves)
    code = flatten(leaves, each=steps).code
    whole: list[Any] = [[]]
    python.load(code)(1, [list(graph.point)], [], whole, [], [])
    for i, slot in enumerate(code.each):
        part: list[Any] = [[]]
        shorter, _ = only(code, each=[slot])
        python.load(shorter.checked())(1, [list(graph.point)], [], part, [], [])
        assert same(part[0], [whole[0][i]])
        assert len(shorter.ops) <= len(code.ops)


@given(st.integers(2, 300))
def test_sums_keep_their_order(count):
    source = random.Random(count)
    numbers = [source.choice([1.0, -1.0]) * 10.0 ** source.uniform(-8, 8) for _ in range(count)]
    leaves = [Value(x) for x in numbers]
    program = tg.compile([tg.sum(leaves)], inputs=leaves, executor="python")
    assert same(program.values([numbers])[0], [tg.sum(numbers)])


def test_the_rows_answer_until_the_text_is_compiled(monkeypatch):
    monkeypatch.setattr(python, "PATIENCE", 3)
    x, w = Value(0.5), Value(2.0)
    program = tg.compile(tg.log(x) * tg.square(w), inputs=[x], parameters=[w], executor="python")
    kernel = program._runner("all").kernels[0]
    found = [program.value_and_grad([[3.0]]) for _ in range(5)]
    assert kernel._function is not None
    assert [(y, *slopes) for y, slopes in found] == [(math.log(3.0) * 4.0, 4.0 * math.log(3.0))] * 5
    assert program.value([[0.0], [1.0]]) == -math.inf  # where Python's log would raise
    sums = tg.compile(x * 1.0, inputs=[x], reduce="sum", executor="python")
    assert same([sums.value([[-0.0]]), sums.value([])], [-0.0, 0.0])


# ── Large programs ────────────────────────────────────────────────────────────────────────


def long_chain(length: int) -> tuple[Value, Value]:
    x = Value(0.5, name="x")
    y = x
    for i in range(length):
        y = y * 0.999 + float(i % 3)
    return x, y


@every_executor
def test_a_long_program(executor):
    x, y = long_chain(5000)
    program = tg.compile(y, inputs=[], parameters=[x], executor=executor)
    value, (slope,) = program.value_and_grad([[]])
    y.backward()
    assert (value, slope) == (y.data, x.grad)


def test_a_sum_of_many_terms_is_no_deep_expression():
    leaves = [Value(float(i)) for i in range(5000)]
    program = tg.compile(tg.sum(leaves), inputs=[], parameters=leaves, executor="python")
    assert program.value([[]]) == sum(range(5000))


@pytest.mark.thorough
def test_a_program_of_a_million_nodes():
    x, y = long_chain(500_000)
    program = tg.compile(y, inputs=[], parameters=[x])
    value, (slope,) = program.value_and_grad([[]])
    y.backward()
    assert (value, slope) == (y.data, x.grad)


# ── What cannot be compiled ───────────────────────────────────────────────────────────────


@pytest.fixture
def rows_of_mine():
    before = dict(TABLE)
    yield
    for name in set(TABLE) - set(before):
        del TABLE[name]


@pytest.mark.usefixtures("rows_of_mine")
def test_an_opaque_row_is_refused_and_says_why():
    mine = tg.op("versine_here", lambda x: 1.0 - math.cos(x), [lambda out, x: tg.sin(x)])
    x = Value(0.5)
    with pytest.raises(NotTraceable, match=r"versine_here.*opaque=False"):
        tg.compile(mine(x), inputs=[x])


@pytest.mark.usefixtures("rows_of_mine")
def test_a_row_made_of_rows_compiles_like_any_other():
    mine = tg.op(
        "versine_of_rows", lambda x: 1.0 - tg.cos(x), [lambda out, x: tg.sin(x)], opaque=False
    )
    assert same(replayed(mine, [0.7]), eager(mine, [0.7]))
    assert instructions(lambda x, y: mine(x)) == ("cos", "sub")


@pytest.mark.usefixtures("rows_of_mine")
def test_a_row_that_only_claims_to_be_made_of_rows_is_found_out():
    lying = tg.op("lying_here", lambda x: math.cos(x), [lambda out, x: tg.sin(x)], opaque=False)
    x = Value(0.5)
    with pytest.raises(NotTraceable, match="lying_here"):
        tg.compile(lying(x), inputs=[x])
    unknown = tg.op("unknown_here", lambda x: x, [lambda out, x: 1.0], lower="warp_drive")
    with pytest.raises(NotTraceable, match="warp_drive"):
        tg.compile(unknown(x), inputs=[x])


def test_an_executor_that_there_is_not():
    x = Value(1.0)
    with pytest.raises(NameUnknown, match="Did you mean 'native'"):
        tg.compile(x * x, inputs=[x], executor="natve")


@pytest.mark.parametrize(
    "code",
    [
        Code(-1, 0, (), (), ()),
        Code(10**9, 0, (), (), ()),
        Code(True, 0, (), (), ()),
        Code(1, 0, (1,), (), ()),
        Code(1, 0, (), ("exp",), ()),
        Code(1, 0, (), ("system",), ((0,),)),
        Code(1, 0, (), ("exp",), ((1,),)),
        Code(1, 0, (), ("exp",), ((-1,),)),
        Code(1, 0, (), ("exp",), ((0.0,),)),
        Code(1, 0, (), ("exp",), ((0, 0),)),
        Code(1, 0, (), ("add",), ((0,),)),
        Code(1, 0, (), (), (), each=(1,)),
        Code(1, 0, (), (), (), total=(-1,)),
        Code(1, 0, (), (), (), once=(0,)),
    ],
)
def test_a_program_that_is_none_is_refused(code):
    with pytest.raises((BadArgument, NameUnknown)):
        code.checked()
    assert Code(1, 0, (1.0,), ("add",), ((0, 1),), each=(2,)).checked().slots == 3


def test_the_expressions_of_the_strategies_are_what_these_tests_think():
    """That the tests above see something: one that is wrong is noticed."""
    wrong = Expression(1, ((ops.exp, (0,)),))
    assert not same(replayed(wrong, [0.5]), eager(lambda x: tg.exp(x) * (1 + 1e-15), [0.5]))
    assert ulps(1.0, math.nextafter(1.0, 2.0)) == 1
    assert ulps(0.0, -0.0) == math.inf
    assert power(2.0, 3.0) == quotient(16.0, 2.0)


def test_programs_are_told_apart():
    """By the type and fields of trees, and by what static arguments are, not what they equal."""

    class Pair(NamedTuple):
        a: Any
        b: Any

    def weigh(p):
        flat, _ = tg.ravel(p.a)
        return flat[0] + 10.0 * tg.sum(flat[1:]) + 100.0 * tg.ravel(p.b)[0][0]

    jitted = tg.jit(weigh)
    for pair in (Pair([1.0, 2.0], 3.0), Pair(1.0, [2.0, 3.0])):
        assert jitted(pair) == tg.jit(weigh)(pair)
    last = tg.jit(lambda d: list(d.values())[-1] * (2.0 if "b" in d else 3.0))
    for d in (OrderedDict(a=1.0), OrderedDict(b=1.0), OrderedDict(a=1.0, b=5.0), {"b": 2.0}):
        assert last(d) == list(d.values())[-1] * (2.0 if "b" in d else 3.0)
    angle = tg.jit(lambda x, zero: tg.atan2(zero, x), static_argnums=1)
    assert [angle(-1.0, 0.0), angle(-1.0, -0.0)] == [math.pi, -math.pi]
    typed = tg.jit(lambda x, n: x * (1.0 if isinstance(n[0], int) else 2.0), static_argnums=1)
    assert [typed(3.0, (2,)), typed(3.0, (2.0,))] == [3.0, 6.0]


@pytest.mark.parametrize(
    "f",
    [
        lambda x: [(x, x * 2.0), (x * 3.0, x * 4.0)],
        lambda x: [[x, x * 2.0], [x * 3.0, x * 4.0], [x, x]],
        lambda x: (x, [x * 2.0, x * 3.0]),
        lambda x: {"a": [x], "b": (x, x * 2.0)},
        lambda x: [],
    ],
)
def test_results_over_arrays_have_the_axes_of_vmap(f):
    np = pytest.importorskip("numpy")
    samples = np.array([1.0, 2.0, 3.0])
    eager, jitted = tg.vmap(f)(samples), tg.jit(tg.vmap(f))(samples)
    flat = tg.ravel(eager)[0]
    assert tg.ravel(jitted)[0] == flat
    assert repr(jitted) == repr(eager)


def test_sums_that_share_terms_are_taken_apart_once():
    x, w = tg.Value(2.0), tg.Value(3.0)
    a = x * w + w
    for _ in range(40):
        a = a + a
    program = tg.compile(a, inputs=[x], parameters=[w], reduce="sum")
    value, (slope,) = program.value_and_grad([[2.0], [5.0]])
    assert value == 2.0**40 * (7.0 * 3.0 + 3.0)
    assert slope == 2.0**40 * (7.0 + 1.0)


def test_exponents_beyond_number_do_not_fill_the_memory():
    x = Value(1.5)
    for start in range(0, 2 * KEPT, KEPT):
        powers = tg.sum([x ** (start + i + 0.5) for i in range(KEPT)])
        tg.compile(powers, inputs=[], parameters=[x])
    nans = [tg.compile(x**math.nan, inputs=[], parameters=[x]) for _ in range(10)]
    assert partials_template.cache_info().currsize <= KEPT
    assert partials_template.cache_info().misses < 2 * KEPT + 500  # one nan is like another
    assert all(math.isnan(program.value_and_grad([[]])[1][0]) for program in nans)


@pytest.mark.parametrize("exponents", [(0.0, -0.0), (-0.0, 0.0)])
def test_powers_of_either_zero_are_told_apart(exponents):
    for exponent in exponents:
        for at in (0.0, -0.0, 2.0, -2.0, math.inf, math.nan):
            f = lambda x, exponent=exponent: x**exponent  # noqa: E731
            assert same(replayed(f, [at]), eager(f, [at]))


@every_executor
def test_what_nothing_depends_on(executor):
    x, w, other = Value(1.0), Value(2.0), Value(3.0)

    def found(loss: Value, inputs: Any, parameters: Any, rows: Any, reduce: str) -> list[float]:
        program = tg.compile(
            loss, inputs=inputs, parameters=parameters, reduce=reduce, executor=executor
        )
        value, slopes = program.value_and_grad(rows)
        assert program.value(rows) == value
        return [value, *map(float, slopes)]

    rows = [[3.0], [1.0]]
    assert found(w * 2.0, [x], [w], rows, "mean") == [4.0, 2.0]  # no input counts
    assert found(w * 2.0, [x], [w], rows, "sum") == [4.0, 2.0]
    assert found(x * 2.0, [x], [w], rows, "sum") == [8.0, 0.0]  # no parameter counts
    assert found(x * other, [x], [], rows, "mean") == [6.0]
    assert found(w * other, [], [w], [[]], "mean") == [6.0, 3.0]
    assert found(x * w + w * w, [x], [w], [], "sum") == [4.0, 4.0]  # no sample: what counts once
    assert found(x * w, [x], [w], [], "sum") == [0.0, 0.0]
    with pytest.raises(BadArgument, match="mean of an empty batch"):
        found(x * w + w, [x], [w], [], "mean")
