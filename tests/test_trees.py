"""Structures: every transform with every kind of container and every way to pass an argument.

The functions are polynomials of three numbers a, b, c, so that slopes, bends and directions are
written down by hand below and no code of the package is needed to know them.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
import math
import time
from collections import Counter, OrderedDict, defaultdict, deque, namedtuple
from itertools import pairwise
from random import Random

import numpy as np
import pytest

import tinygrad_edu as tg
from tinygrad_edu import Value, nn
from tinygrad_edu.errors import BadArgument, NotANumber
from tinygrad_edu.trees import CONTAINERS, flatten, holds_values

# ── The oracle ────────────────────────────────────────────────────────────────────────────


def polynomial(a, b, c):
    return a * a * b + 3.0 * b * c + c * c * c


def slopes(a, b, c):
    return [2 * a * b, a * a + 3 * c, 3 * b + 3 * c * c]


def bends(a, b, c):
    return [[2 * b, 2 * a, 0.0], [2 * a, 0.0, 3.0], [0.0, 3.0, 6 * c]]


AT = (2.0, -1.0, 0.5)
ALONG = (1.0, 10.0, -4.0)


# ── The containers ────────────────────────────────────────────────────────────────────────

Triple = namedtuple("Triple", "a b c")


class DotDict(dict):
    """An attribute dict as many write it: it answers to every name, or with KeyError."""

    __getattr__ = dict.__getitem__


class AttrDict(dict):
    """Another: its attributes are its items."""

    def __init__(self, *args, **named):
        super().__init__(*args, **named)
        self.__dict__ = self


class Permissive(dict):
    """Another: any name is there."""

    def __getattr__(self, name):
        return self.get(name, 1.0)


class Listed(list):
    pass


@dataclasses.dataclass
class Plain:
    a: float
    b: float
    c: float


@dataclasses.dataclass(frozen=True)
class Frozen:
    a: float
    rest: tuple
    twice: float = dataclasses.field(init=False)

    def __post_init__(self):
        object.__setattr__(self, "twice", self.a * 2.0)


@dataclasses.dataclass
class Late:
    n: int
    w: list = dataclasses.field(init=False)

    def __post_init__(self):
        self.w = [Value(1.0) for _ in range(self.n)]


class Own:
    def __init__(self, a, b, c, unit):
        self.numbers, self.unit = [a, b, c], unit

    def __eq__(self, other):
        return (self.numbers, self.unit) == (other.numbers, other.unit)


tg.register_container(
    Own,
    lambda own: {"numbers": own.numbers},
    lambda own, members: Own(*members["numbers"], own.unit),
    settings=lambda own: own.unit,
)

# Of each kind: how it is made of a, b, c, and how they are read from it.
KINDS = {
    "list": (lambda a, b, c: [a, b, c], lambda t: t),
    "tuple": (lambda a, b, c: (a, b, c), lambda t: t),
    "nested": (lambda a, b, c: [a, {"x": (b, [c])}], lambda t: (t[0], t[1]["x"][0], *t[1]["x"][1])),
    "named tuple": (Triple, lambda t: (t.a, t.b, t.c)),
    "dict": (lambda a, b, c: {"c": c, "a": a, "b": b}, lambda t: (t["a"], t["b"], t["c"])),
    "OrderedDict": (
        lambda a, b, c: OrderedDict(b=b, a=a, c=c),
        lambda t: (t.move_to_end("c"), (t["a"], t["b"], t["c"]))[1],
    ),
    "defaultdict": (
        lambda a, b, c: defaultdict(float, a=a, b=b, c=c),
        lambda t: (t["a"], t["b"], t["c"]) if t.default_factory is float else None,
    ),
    "Counter": (lambda a, b, c: Counter(a=a, b=b, c=c), lambda t: (t["a"], t["b"], t["c"])),
    "DotDict": (lambda a, b, c: DotDict(a=a, b=b, c=c), lambda t: (t.a, t.b, t.c)),
    "AttrDict": (lambda a, b, c: AttrDict(a=a, b=b, c=c), lambda t: (t.a, t["b"], t.c)),
    "Permissive": (lambda a, b, c: Permissive(a=a, b=b, c=c), lambda t: (t.a, t.b, t.c)),
    "deque": (lambda a, b, c: deque([a, b, c], maxlen=3), lambda t: tuple(t)),
    "list's child": (lambda a, b, c: Listed([a, b, c]), lambda t: t),
    "dataclass": (Plain, lambda t: (t.a, t.b, t.c)),
    "frozen dataclass": (
        lambda a, b, c: Frozen(a, (b, c)), lambda t: (t.twice / 2.0, *t.rest)
    ),
    "registered": (lambda a, b, c: Own(a, b, c, "m"), lambda t: t.numbers),
    "array": (lambda a, b, c: np.array([a, b, c]), lambda t: (t[0], t[1], t[2])),
    "array and number": (lambda a, b, c: {"w": np.array([[a], [b]]), "n": c},
                         lambda t: (t["w"][0, 0], t["w"][1, 0], t["n"])),
}  # fmt: skip


def same(got, want):
    """Equal in type and structure, in numbers nearly. Arrays are arrays of floats."""
    assert type(got) is type(want), (got, want)
    if isinstance(want, np.ndarray):
        assert got.dtype == want.dtype == np.float64
        assert got.shape == want.shape
        assert np.allclose(got, want, rtol=1e-12, atol=1e-12)
    elif isinstance(want, dict):
        assert [*got] == [*want]
        for key in want:
            same(got[key], want[key])
    elif isinstance(want, (list, tuple, deque)):
        assert len(got) == len(want)
        for x, y in zip(got, want):
            same(x, y)
    elif dataclasses.is_dataclass(want):
        same(vars(got), vars(want))
    elif isinstance(want, Own):
        assert got.unit == want.unit
        same(got.numbers, want.numbers)
    else:
        assert got == pytest.approx(want, rel=1e-12, abs=1e-12)


@pytest.fixture(params=KINDS)
def kind(request):
    return KINDS[request.param]


class TestEveryTransformOfEveryContainer:
    def test_grad_by_position_and_by_keyword(self, kind):
        make, read = kind
        f = lambda t, scale=1.0: polynomial(*read(t)) * scale  # noqa: E731
        want = make(*slopes(*AT))
        same(tg.grad(f)(make(*AT)), want)
        same(tg.grad(f)(make(*AT), scale=1.0), want)
        y, dy = tg.value_and_grad(f)(make(*AT))
        same(dy, want)
        assert y == polynomial(*AT)

    def test_several_arguments(self, kind):
        make, read = kind
        f = lambda x, t, u: x * polynomial(*read(t)) + polynomial(*read(u))  # noqa: E731
        for argnums in ((0, 2, 1), [np.int64(0), np.int32(-1), 1], np.array([0, 2, 1])):
            by_x, by_u, by_t = tg.grad(f, argnums=argnums)(2.0, make(*AT), make(*AT))
            assert by_x == polynomial(*AT)
            same(by_u, make(*slopes(*AT)))
            same(by_t, make(*(2.0 * slope for slope in slopes(*AT))))

    def test_vjp(self, kind):
        make, read = kind
        y, pullback = tg.vjp(lambda t: make(*(x * x for x in read(t))), make(*AT))
        same(y, make(*(x * x for x in AT)))
        same(pullback(make(*ALONG)), (make(*(2 * x * v for x, v in zip(AT, ALONG))),))

    def test_gradients(self, kind):
        make, read = kind
        values = [Value(x) for x in AT]
        got = tg.gradients(polynomial(*read(make(*values))), values)
        assert [slope.data for slope in got] == slopes(*AT)

    def test_values_in_values_out(self, kind):
        make, read = kind
        values = [Value(x) for x in AT]
        result = tg.grad(lambda t: polynomial(*read(t)))(make(*values))
        numbers, _ = flatten(result)
        assert all(isinstance(x, Value) for x in numbers)
        assert [x.data for x in read(result)] == slopes(*AT)

    @pytest.mark.parametrize("wrap", ["jit", "vmap", "jit of vmap"])
    def test_jit_and_vmap_of_grad(self, kind, wrap):
        make, read = kind
        by = tg.grad(lambda t: polynomial(*read(t)))
        points = [AT, (0.5, 3.0, 1.0)]
        if wrap == "jit":
            f = tg.jit(by)
            for at in points:
                same(f(make(*at)), make(*slopes(*at)))
            assert f.traces == 1
            return
        f = tg.vmap(by) if wrap == "vmap" else tg.jit(tg.vmap(by))
        try:
            stack = make(*map(list, zip(*points)))
        except TypeError:
            return  # its constructor computes with numbers
        if (
            isinstance(stack, (list, deque, np.ndarray, Own))
            or read is KINDS["array and number"][1]
        ):
            return  # lists and arrays hold the samples themselves
        want = zip(*(slopes(*at) for at in points))
        assert [list(part) for part in read(f(stack))] == [list(column) for column in want]


# Of each transform: the transformed function of one container, and its result by hand.
TRANSFORMS = {
    "grad": (lambda f, make: tg.grad(f), lambda make: make(*slopes(*AT))),
    "value_and_grad": (
        lambda f, make: tg.value_and_grad(f),
        lambda make: (polynomial(*AT), make(*slopes(*AT))),
    ),
    "vjp": (
        lambda f, make: lambda t: tg.vjp(f, t)[1](2.0),
        lambda make: (make(*np.multiply(2.0, slopes(*AT)).tolist()),),
    ),
    "jvp": (
        lambda f, make: lambda t: tg.jvp(f, (t,), [make(*ALONG)]),
        lambda make: (polynomial(*AT), float(np.dot(slopes(*AT), ALONG))),
    ),
    "hvp": (
        lambda f, make: lambda t: tg.hvp(f, [t], (make(*ALONG),)),
        lambda make: (make(*np.dot(bends(*AT), ALONG).tolist()),),
    ),
    "jacobian forward": (
        lambda f, make: tg.jacobian(f, mode="forward"),
        lambda make: make(*slopes(*AT)),
    ),
    "jacobian reverse": (
        lambda f, make: tg.jacobian(f, mode="reverse"),
        lambda make: make(*slopes(*AT)),
    ),
    "grad of a jitted function": (
        lambda f, make: tg.grad(tg.jit(f)),
        lambda make: make(*slopes(*AT)),
    ),
}
# The ways to call it: each takes the function and a container.
CALLS = {
    "directly": lambda g, t: g(t),
    "beside a setting": lambda g, t: tg.jit(lambda n, t: g(t), static_argnums=0)("n", t),
    "jitted": lambda g, t: tg.jit(g)(t),
    "jitted, by keyword": lambda g, t: tg.jit(lambda *, t: g(t))(t=t),
    "a second time": lambda g, t: [h := tg.jit(g), h(t), h(t)][-1],
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("transform", TRANSFORMS)
def test_every_transform_of_every_container(kind, transform, call):
    make, read = kind
    derivative, by_hand = TRANSFORMS[transform]
    g = derivative(lambda t: polynomial(*read(t)), make)
    same(CALLS[call](g, make(*AT)), by_hand(make))


@pytest.mark.parametrize("inner", ["grad", "vjp", "jacobian", "jit"])
def test_a_derivative_inside_of_another_transform(kind, inner):
    """Σ vᵢ ∂ᵢf(x·at) by x is Σᵢⱼ vᵢ ∂ᵢⱼf atⱼ at x = 1."""
    make, read = kind
    f = lambda t: polynomial(*read(t))  # noqa: E731
    slope = {
        "grad": tg.grad(f),
        "vjp": lambda t: tg.vjp(f, t)[1](1.0)[0],
        "jacobian": tg.jacobian(f, mode="forward"),
        "jit": tg.jit(tg.grad(f)),
    }[inner]
    along = lambda x: sum(  # noqa: E731
        v * g for v, g in zip(ALONG, read(slope(make(*(x * a for a in AT)))))
    )
    want = pytest.approx(float(np.dot(np.dot(bends(*AT), ALONG), AT)), rel=1e-12)
    assert tg.grad(along)(1.0) == want
    assert tg.jvp(along, (1.0,), (1.0,))[1] == want
    assert tg.jit(tg.grad(along))(1.0) == want
    assert tg.vmap(tg.grad(along))([1.0]) == [want]
    assert tg.jit(tg.vmap(tg.grad(along)))([1.0, 1.0]) == [want, want]


class TestMatrices:
    """jacobian and hessian: the output's structure, with the input's in the place of each leaf;
    between leaves of which one is an array, an array of both shapes."""

    V = np.array([1.0, 2.0])

    @pytest.mark.parametrize("jit", [False, True])
    @pytest.mark.parametrize(
        ("derivative", "args", "want"),
        [
            (
                tg.hessian(lambda p: p[0] ** 2 * p[1][0]),
                ([2.0, V],),
                [[2.0, np.array([4.0, 0.0])], [np.array([4.0, 0.0]), np.zeros((2, 2))]],
            ),
            (
                tg.jacobian(lambda p: [p[0] * p[1][0], p[1]]),
                ([2.0, V],),
                [[1.0, np.array([2.0, 0.0])], [np.zeros(2), np.eye(2)]],
            ),
            (
                tg.jacobian(lambda x, y: np.array([x * y[0], x + y[1]]), argnums=(0, 1)),
                (2.0, V),
                (np.array([1.0, 1.0]), np.array([[2.0, 0.0], [0.0, 1.0]])),
            ),
            (
                tg.hessian(lambda p: p["w"][0] * p["w"][1] * p["b"] ** 2),
                ({"w": V, "b": 3.0},),
                {
                    "w": {"w": np.array([[0.0, 9.0], [9.0, 0.0]]), "b": np.array([12.0, 6.0])},
                    "b": {"w": np.array([12.0, 6.0]), "b": 4.0},
                },
            ),
            (
                tg.jacobian(lambda v: {"s": v[0] * v[1], "v": (v * v, v[0])}),
                (V,),
                {
                    "s": np.array([2.0, 1.0]),
                    "v": (np.array([[2.0, 0.0], [0.0, 4.0]]), np.array([1.0, 0.0])),
                },
            ),
            (tg.jacobian(lambda x: Triple(x * x, x, 1.0)), (3.0,), Triple(6.0, 1.0, 0.0)),
            (tg.jacobian(lambda m: m @ m), (np.array([[2.0]]),), np.array([[[[4.0]]]])),
            (tg.jacobian(lambda x: x * x * np.ones((2, 1))), (3.0,), np.array([[6.0], [6.0]])),
            (tg.jacobian(lambda v, x: x, argnums=1), (V, 3.0), 1.0),
            (tg.jacobian(lambda v: v * 1.0), (np.zeros(0),), np.zeros((0, 0))),
        ],
        ids=lambda tree: type(tree).__name__,
    )
    def test_mixed_trees(self, derivative, args, want, jit):
        if jit and any(isinstance(x, np.ndarray) and not x.size for x in args):
            return
        same((tg.jit(derivative) if jit else derivative)(*args), want)

    @pytest.mark.parametrize("mode", ["forward", "reverse"])
    def test_every_container(self, kind, mode):
        make, read = kind
        if make in (KINDS["frozen dataclass"][0], KINDS["array and number"][0]):
            return  # its constructor computes with the numbers; and see above
        g = tg.jacobian(lambda t: (polynomial(*read(t)), read(t)[0]), mode=mode)
        same(g(make(*AT)), (make(*slopes(*AT)), make(1.0, 0.0, 0.0)))
        h = tg.hessian(lambda t: polynomial(*read(t)))(make(*AT))
        if make is KINDS["array"][0]:
            assert h.tolist() == bends(*AT)
        else:
            want = make(*(make(*row) for row in bends(*AT)))
            if make is not KINDS["nested"][0]:
                assert [list(read(row)) for row in read(want)] == bends(*AT)
            same(h, want)

    @pytest.mark.parametrize("mode", ["forward", "reverse"])
    def test_an_infinite_slope_elsewhere_does_no_harm(self, mode):
        at = [0.0, 1.0]
        rows = tg.jacobian(lambda v: [2.0 * v[0] + v[1], tg.sqrt(v[0])], mode=mode)(at)
        assert rows == [[2.0, 1.0], [math.inf, 0.0]]
        rows = tg.jacobian(lambda v: [v[1] * v[1], tg.log(v[0]), 5.0], mode=mode)(at)
        assert rows == [[0.0, 2.0], [math.inf, 0.0], [0.0, 0.0]]

    @pytest.mark.parametrize("kind", ["jacobian forward", "jacobian reverse", "hessian"])
    def test_a_banded_matrix_costs_its_band(self, kind, monkeypatch):
        """Counted in partials that are asked for: twice the rows, twice the work."""
        counted = tg.core.calculus.local_numbers

        def residuals(v):
            ends = [0.0, *v, 0.0]
            return [a - 2.0 * b * b + tg.sin(c) for a, b, c in zip(ends, ends[1:], ends[2:])]

        def work(n):
            asked = []
            monkeypatch.setattr(
                tg.core.calculus, "local_numbers", lambda node: asked.append(node) or counted(node)
            )
            if kind == "hessian":
                tg.hessian(lambda v: tg.sum([r * r for r in residuals(v)]))([0.5] * n)
            else:
                tg.jacobian(residuals, mode=kind.split()[1])([0.5] * n)
            monkeypatch.setattr(tg.core.calculus, "local_numbers", counted)
            return len(asked)

        ten, twenty, forty = work(10), work(20), work(40)
        assert forty - twenty == 2 * (twenty - ten)

    def test_a_tridiagonal_system_as_one_jacobian_or_row_by_row(self):
        n = 200
        at = [0.01 * i for i in range(n)]

        def row(i, v):
            left, right = v[i - 1] if i else 0.0, v[i + 1] if i + 1 < n else 0.0
            return left - 2.0 * v[i] * v[i] + tg.sin(right)

        best = lambda f: min(timed(f) for _ in range(3))  # noqa: E731

        def timed(f):
            begin = time.process_time()
            f()
            return time.process_time() - begin

        whole = lambda: tg.jacobian(lambda v: [row(i, v) for i in range(n)])(at)  # noqa: E731
        by_row = lambda: [tg.grad(lambda v, i=i: row(i, v))(at) for i in range(n)]  # noqa: E731
        assert whole() == by_row()
        assert best(whole) < 2.0 * best(by_row)


# ── Random trees, by central differences ──────────────────────────────────────────────────


def random_tree(random, depth=0):
    kinds = ["number", "array"] if depth > 2 else [
        "number", "array", list, tuple, deque, dict, OrderedDict, defaultdict, "pair"
    ]  # fmt: skip
    kind = random.choice(kinds)
    if kind == "number":
        return random.choice([random.uniform(-2, 2), 3, np.float32(random.uniform(-1, 1))])
    if kind == "array":
        shape = random.choice([(2,), (1, 2), (2, 2), (3,)])
        return np.array([random.uniform(-2, 2) for _ in range(math.prod(shape))]).reshape(shape)
    if kind == "pair":
        return Triple(*(random_tree(random, depth + 1) for _ in "abc"))
    children = [random_tree(random, depth + 1) for _ in range(random.randint(depth > 0, 3))]
    if issubclass(kind, dict):
        made = kind(list) if kind is defaultdict else kind()
        made.update(zip(random.sample(["a", "b", 1, (2, 3)], len(children)), children))
        return made
    return kind(children)


def parts(tree):
    """The children of a tree in an order of this test's own."""
    if isinstance(tree, dict):
        return [tree[key] for key in sorted(tree, key=str)]
    return list(tree) if isinstance(tree, (list, tuple, deque)) else None


def at_leaves(tree, like):
    """The parts of a tree that stand where another has its leaves."""
    inside = parts(like)
    if inside is None:
        return [tree]
    return [x for part, model in zip(parts(tree), inside) for x in at_leaves(part, model)]


def numbers_of(tree):
    return [x for leaf in at_leaves(tree, tree) for x in np.ravel(np.array(leaf, object))]


def in_another_order(tree, random):
    """A direction of the same structure, as one may write it."""
    if isinstance(tree, dict):
        keys = random.sample(list(tree), len(tree))
        return {key: in_another_order(tree[key], random) for key in keys}
    if isinstance(tree, (list, tuple, deque)):
        return random.choice([list, tuple])(in_another_order(x, random) for x in tree)
    along = [[random.uniform(-1, 1) for _ in range(np.size(tree))]]
    return np.reshape(along, np.shape(tree)).tolist()


def mixed(tree):
    x = numbers_of(tree)
    return sum([i * a * a for i, a in enumerate(x, 1)], sum(a * b * b for a, b in pairwise(x)))


def differences(x, f):
    """∂f/∂xᵢ for a cubic f: central differences at two steps, whose error terms cancel."""

    def slope(i, h):
        up, down = (np.array(x) + h * sign * np.eye(len(x))[i] for sign in (1, -1))
        return (np.array(f(up)) - np.array(f(down))) / (2 * h)

    return np.array([(4 * slope(i, 0.5) - slope(i, 1.0)) / 3 for i in range(len(x))])


@pytest.mark.parametrize("seed", range(80))
def test_random_trees_against_differences(seed):
    random = Random(seed)
    tree = random_tree(random)
    x = [float(a) for a in numbers_of(tree)]
    along = in_another_order(tree, random)
    v = [float(a) for a in numbers_of(along)]
    slope = differences(x, mixed) if x else np.zeros(0)
    bend = differences(x, lambda y: differences(y, mixed)) if x else np.zeros((0, 0))
    near = lambda got, want: np.allclose(np.array(got, float), want, atol=1e-8)  # noqa: E731
    for g in (tg.grad(mixed), tg.jit(tg.grad(mixed)), tg.grad(tg.jit(mixed))):
        assert near(numbers_of(g(tree)), slope)
    assert near(tg.jvp(mixed, (tree,), (along,))[1], slope @ np.array(v))
    (product,) = tg.hvp(mixed, (tree,), (along,))
    assert near(numbers_of(product), bend @ np.array(v))
    _, pullback = tg.vjp(lambda t: [t, mixed(t)], tree)
    (back,) = pullback([along, 2.0])
    assert near(numbers_of(back), v + 2 * slope)
    hessian = tg.hessian(mixed)(tree)
    rows = []
    for leaf, row in zip(at_leaves(tree, tree), at_leaves(hessian, tree)):
        blocks = [*zip(at_leaves(tree, tree), at_leaves(row, tree))]
        for other, block in blocks:
            assert type(block) is float or block.dtype == np.float64
            assert np.shape(block) == np.shape(leaf) + np.shape(other)
        rows.append(np.hstack([np.reshape(b, (np.size(leaf), np.size(o))) for o, b in blocks]))
    assert near(np.vstack(rows) if rows else np.zeros((0, 0)), bend)


@pytest.mark.parametrize("constant", [5, True, np.float32(5.0), np.int64(5)])
def test_numbers_that_a_function_returns_are_floats(constant):
    results = [
        *tg.value_and_grad(lambda x: constant)(1.0), *tg.vjp(lambda x: [constant], 1.0)[0],
        *tg.jvp(lambda x: [constant], (1.0,), (1.0,))[0], *tg.jit(lambda x: [constant])(1.0),
        *tg.vmap(lambda x: constant)([1.0]),
    ]  # fmt: skip
    assert {type(x) for x in results} == {float}


class TestDirections:
    """Tangents, vectors and cotangents: dicts by key, all else in place, nothing else at all."""

    def test_dicts_match_by_key(self):
        f = lambda p: p["w"] * 10.0 + p["b"] * p["b"]  # noqa: E731
        at, along = {"w": 1.0, "b": 2.0}, {"b": 1.0, "w": 3.0}
        assert tg.jvp(f, (at,), (along,)) == (14.0, 34.0)
        assert tg.hvp(f, (at,), (along,)) == ({"w": 0.0, "b": 2.0},)
        _, pullback = tg.vjp(lambda x: {"w": x, "b": x * x}, 3.0)
        assert pullback({"b": 1.0, "w": 100.0}) == (106.0,)
        assert pullback(OrderedDict(b=1.0, w=100.0)) == (106.0,)

    def test_lists_tuples_and_arrays_match_by_position(self):
        f = lambda v: v[0] * 10.0 + v[1]  # noqa: E731
        for at in ([1.0, 2.0], (1.0, 2.0), np.array([1.0, 2.0])):
            for along in ([3.0, 1], (3.0, 1.0), np.array([3, 1])):
                assert tg.jvp(f, (at,), [along]) == (12.0, 31.0)

    WRONG = (
        ({"w": 1.0, "b": 2.0}, {"w": 1.0}, "[0]"),
        ({"w": 1.0, "b": 2.0}, {"w": 1.0, "c": 2.0}, "[0]"),
        ({"w": 1.0, "b": 2.0}, {"w": 1.0, "b": 2.0, "c": 3.0}, "[0]"),
        ({"w": 1.0, "b": 2.0}, [1.0, 2.0], "[0]"),
        ({0: 1.0, 1: 2.0}, [1.0, 2.0], "[0]"),
        ([1.0, 2.0], {0: 1.0, 1: 2.0}, "[0]"),
        ({"w": [1.0, 2.0], "b": 3.0}, {"w": [1.0], "b": [2.0, 3.0]}, "[0]['w']"),
        ({"w": [1.0, 2.0], "b": 3.0}, {"w": [1.0, 2.0], "b": [3.0]}, "[0]['b']"),
        ([[1.0, 2.0], [3.0]], [[1.0], [2.0, 3.0]], "[0][0]"),
        ([[1.0, 2.0], [3.0]], [1.0, 2.0, 3.0], "[0]"),
        ([1.0, [2.0, 3.0]], [1.0, [2.0, None]], "[0][1][1]"),
        ([1.0, 2.0], [1.0, "x"], "[0][1]"),
        ([1.0, 2.0], {1.0, 2.0}, "[0]"),
        ([1.0, 2.0], 1.0, "[0]"),
        (1.0, [1.0], "[0]"),
        (np.ones((2, 2)), np.ones(4), "[0]"),
        (Plain(1.0, 2.0, 3.0), (1.0, 2.0, 3.0), "[0]"),
    )

    @pytest.mark.parametrize(("tree", "other", "place"), WRONG, ids=str)
    def test_another_structure_is_refused_and_the_place_is_named(self, tree, other, place):
        total = lambda t: tg.sum(flatten(t)[0])  # noqa: E731
        calls = {
            "tangents": lambda: tg.jvp(total, (tree,), (other,)),
            "vector": lambda: tg.hvp(total, (tree,), (other,)),
            "cotangent": lambda: tg.vjp(lambda t: [t], tree)[1]([other]),
        }
        for what, call in calls.items():
            with pytest.raises(BadArgument) as error:
                call()
            assert f"at {what}{place}. Received" in str(error.value)

    def test_another_number_of_them(self):
        with pytest.raises(BadArgument, match="at tangents"):
            tg.jvp(lambda x: x, (1.0,), (1.0, 2.0))
        with pytest.raises(BadArgument, match="at tangents"):
            tg.jvp(lambda x: x, (1.0,), 1.0)


HOLDERS = {
    "itself": lambda v: v,
    "list": lambda v: [1.0, (v,)],
    "dict": lambda v: {"y": v},
    "array": lambda v: np.array([1.0, v]),
    "array in dict": lambda v: {"y": np.array([[v]])},
    "dataclass": lambda v: Plain(v, 1.0, 1.0),
    "registered": lambda v: Own(1.0, v, 1.0, "m"),
    "set": lambda v: {v},
    "attribute dict": lambda v: DotDict(y=v),
    "module": lambda v: holding(v),
    "module in list": lambda v: [holding([v])],
}


class TestValuesCount:
    """A Value anywhere in the arguments makes the derivative a Value."""

    @pytest.mark.parametrize("holder", HOLDERS)
    def test_wherever_it_is(self, holder):
        v = Value(3.0)
        held = HOLDERS[holder](v)
        f = lambda x, y: x * x * v  # noqa: E731
        assert holds_values(held)
        results = [
            tg.grad(f)(2.0, held), tg.grad(f)(2.0, y=held), tg.value_and_grad(f)(2.0, y=held)[0],
            tg.jacobian(f)(2.0, y=held), tg.hessian(f)(2.0, y=held),
        ]  # fmt: skip
        assert [type(x) for x in results] == [Value] * 5
        results[0].backward()
        assert v.grad == 4.0

    def test_and_numbers_alone_give_numbers(self):
        for y in (1.0, [1.0], {"y": 1.0}, np.ones(2), nn.Module(), "name", None, object()):
            assert type(tg.grad(lambda x, y: x * x)(2.0, y=y)) is float


def holding(x):
    module = nn.Module()
    module.x = x
    module.itself = module
    return module


class TestArgnums:
    @pytest.mark.parametrize("argnums", [(0, 0), (0, -2), [1, 1], (0, 1, -1), np.array([1, -1])])
    @pytest.mark.parametrize("transform", [tg.grad, tg.value_and_grad, tg.jacobian, tg.hessian])
    def test_no_argument_counts_twice(self, argnums, transform):
        with pytest.raises(BadArgument, match="each once"):
            transform(lambda x, y: x * y, argnums=argnums)(2.0, 3.0)

    @pytest.mark.parametrize("argnums", [2, -3, (0, 2), 0.0, "0", None, (0, None), [[0]], True])
    def test_what_is_no_position_is_refused(self, argnums):
        with pytest.raises(BadArgument, match="positions"):
            tg.grad(lambda x, y: x * y, argnums=argnums)(2.0, 3.0)

    @pytest.mark.parametrize("kind", [int, np.int8, np.int64, np.uint32, np.array])
    def test_whole_numbers_of_numpy(self, kind):
        assert tg.grad(lambda x, y: x * y, argnums=kind(1))(2.0, 3.0) == 2.0
        assert tg.jit(lambda x, n: x**n, static_argnums=kind(1))(3.0, 2) == 9.0
        assert tg.jit(lambda x, n: x**n, static_argnums=(kind(1),))(3.0, 2) == 9.0
        assert tg.vmap(lambda x, y: x * y, in_axes=(kind(0), None))([1.0, 2.0], 3.0) == [3.0, 6.0]
        assert tg.vmap(lambda x: x * x, in_axes=kind(0))([1.0, 2.0]) == [1.0, 4.0]


@dataclasses.dataclass
class Defaulted:
    a: float
    b: float = dataclasses.field(init=False, default=2.0)


@dataclasses.dataclass
class Doubling:
    a: float

    def __post_init__(self):
        self.a = self.a * 2.0


@dataclasses.dataclass
class Multiplied:
    a: float
    times: dataclasses.InitVar[float] = 3.0

    def __post_init__(self, times):
        self.a = self.a * times


@dataclasses.dataclass(init=False)
class Halving:
    a: float

    def __init__(self, a):
        self.a = a / 2.0


@dataclasses.dataclass
class Converting:
    a: list

    def __post_init__(self):
        self.a = list(self.a)


@dataclasses.dataclass
class Computing:
    a: float
    square: float = dataclasses.field(init=False)
    cache: dict = dataclasses.field(init=False, default_factory=dict)

    def __post_init__(self):
        self.square, self.cube = self.a * self.a, self.a * self.a * self.a


class Weighted(list):
    """A list with a setting."""

    def __init__(self, items=(), weight=1.0):
        super().__init__(items)
        self.weight = weight


class Free(tuple):
    pass


class Lazy(defaultdict):
    pass


class Names(dict):
    pass


class Queue(deque):
    pass


def having(x, **attributes):
    for name, value in attributes.items():
        setattr(x, name, value)
    return x


CHANGING = {  # with functions that would see the changes
    "a computed field that was set": (having(Defaulted(2.0), b=5.0), lambda t: t.a * t.b),
    "a field changed": (Doubling(2.0), lambda t: t.a * t.a),
    "a constructor's argument lost": (Multiplied(2.0, 3.0), lambda t: t.a * t.a),
    "a constructor of its own": (Halving(2.0), lambda t: t.a * t.a),
    "a list's attribute": (Weighted([2.0], 3.0), lambda t: t[0] * t.weight),
    "a tuple's attribute": (having(Free([2.0]), weight=3.0), lambda t: t[0] * t.weight),
    "a defaultdict's": (having(Lazy(list, a=2.0), weight=3.0), lambda t: t["a"] * t.weight),
    "a dict's": (having(Names(a=2.0), names=np.array(["b"])), lambda t: t["a"]),
    "a deque's": (having(Queue([2.0]), weight=[3.0]), lambda t: t[0] * t.weight[0]),
}
KEEPING = {
    "a conversion": (Converting((2.0, 3.0)), lambda t: t.a[0] * t.a[1], [3.0, 2.0]),
    "computed": (Computing(2.0), lambda t: t.square + t.cube, 16.0),
    "nan": (having(Computing(math.nan), cache={}), lambda t: 2.0 * t.a, 2.0),
    "attributes as by default": (Weighted([2.0]), lambda t: t[0] * t.weight, 1.0),
}


class TestContainers:
    @pytest.mark.parametrize(
        "tree",
        [{1.0}, frozenset([1.0]), object(), nn.Module(), {"a": object()}, [{2.0}], "text", None,
         [1.0, None], 1j, np.array(["a"]), np.array([1j]), np.array([None]), np.ma.masked,
         np.ma.array([1.0, 2.0], mask=[False, True]), np.array(["2020-01-01"], "M8[ns]"),
         np.array([[1.0], 2.0], dtype=object), Plain(1.0, "b", 2.0), iter([1.0]), range],
        ids=lambda tree: type(tree).__name__,
    )  # fmt: skip
    def test_what_is_none_is_refused_by_name(self, tree):
        for call in (
            lambda: tg.grad(lambda t: 1.0)(tree),
            lambda: tg.jvp(lambda x: tree, (1.0,), (1.0,)),
            lambda: tg.jit(lambda t: 1.0)(tree),
            lambda: tg.ravel(tree),
        ):
            with pytest.raises(NotANumber):
                call()

    def test_one_that_cannot_be_rebuilt_names_its_type(self):
        class Picky(dict):
            def __init__(self, *, w):
                super().__init__(w=w)

        with pytest.raises(BadArgument, match=r"type Picky.*register_container\(Picky"):
            tg.grad(lambda p: p["w"] * 2.0)(Picky(w=1.0))
        tg.register_container(Picky, dict, lambda picky, members: Picky(**members))
        assert tg.grad(lambda p: p["w"] * 2.0)(Picky(w=1.0)) == {"w": 2.0}
        del CONTAINERS[Picky]

    @pytest.mark.parametrize(
        "transform", [tg.grad, tg.jit, tg.hessian, lambda f: lambda x: tg.vmap(f)([x, x])]
    )
    @pytest.mark.parametrize("name", CHANGING)
    def test_one_that_another_constructor_would_change_is_refused(self, name, transform):
        x, f = CHANGING[name]
        transformed = transform(f)
        with pytest.raises(BadArgument, match=rf"{type(x).__name__}.*register_container"):
            transformed(x)

    @pytest.mark.parametrize("name", KEEPING)
    def test_one_whose_constructor_converts_or_computes_is_kept(self, name):
        x, f, want = KEEPING[name]
        slope = tg.grad(f)(x)
        assert type(slope) is type(x)
        assert (slope[0] if isinstance(x, list) else slope.a) == want
        assert tg.jit(f)(x) == pytest.approx(f(x), nan_ok=True)

    def test_a_module_can_be_registered(self):
        class Line(nn.Module):
            def __init__(self, w, b):
                self.w, self.b = w, b

        tg.register_container(Line, vars, lambda line, members: Line(**members))
        line = tg.grad(lambda line: line.w * 3.0 + line.b)(Line(2.0, 1.0))
        assert (type(line), line.w, line.b) == (Line, 3.0, 1.0)
        assert len(Line(Value(1.0), [Value(2.0)]).parameters()) == 2

    @pytest.mark.parametrize(
        "call",
        [
            lambda: tg.register_container("list", list, list),
            lambda: tg.register_container(Triple, None, None),
            lambda: tg.register_container(Triple, list, "f"),
            lambda: tg.register_container(Triple, list, list, 3),
        ],
    )
    def test_registering_nonsense_is_refused(self, call):
        with pytest.raises(BadArgument):
            call()
        assert Triple not in CONTAINERS

    def test_settings_have_programs_of_their_own(self):
        in_units = tg.jit(lambda own: own.numbers[0] * {"m": 1.0, "km": 1000.0}[own.unit])
        assert in_units(Own(2.0, 0.0, 0.0, "m")) == 2.0
        assert in_units(Own(2.0, 0.0, 0.0, "km")) == 2000.0
        missing = tg.jit(lambda d: d["a"] + d["missing"])
        assert missing(defaultdict(lambda: 1.0, a=2.0)) == 3.0
        assert missing(defaultdict(lambda: 5.0, a=2.0)) == 7.0

    def test_a_program_keeps_no_traced_value(self):
        """Its results are rebuilt from a model of plain numbers."""
        import gc

        f = tg.jit(lambda x: {"y": [x * 2.0]})
        assert f(1.0) == {"y": [2.0]}
        gc.collect()
        kinds = [type(x).__name__ for x in gc.get_objects()]
        before = kinds.count("Traced")
        for i in range(5):
            g = tg.jit(lambda x, i=i: {"y": [x * i]})
            assert g(1.0) == {"y": [float(i)]}
        gc.collect()
        after = [type(x).__name__ for x in gc.get_objects()].count("Traced")
        assert after <= before + 1


class TestVmap:
    @pytest.mark.parametrize("jit", [False, True])
    @pytest.mark.parametrize("samples", [{1.0, 2.0}, holding([1.0, 2.0]), 1.0, np.array(1.0), ()])
    def test_what_holds_no_samples_is_refused(self, samples, jit):
        f = tg.vmap(lambda x: 1.0)
        with pytest.raises(BadArgument):
            (tg.jit(f) if jit else f)(samples)

    @pytest.mark.parametrize("jit", [False, True])
    def test_lists_of_containers_stay_lists(self, jit):
        f = tg.vmap(lambda x: [{"a": x}, (x, [2.0 * x])])
        got = (tg.jit(f) if jit else f)(np.array([1.0, 2.0]))
        assert got == [[{"a": x}, (x, [2.0 * x])] for x in (1.0, 2.0)]

    def test_results_match_by_key(self):
        calls = iter([False, True])
        f = lambda x: {"b": -x, "a": x} if next(calls) else {"a": x, "b": -x}  # noqa: E731
        assert tg.vmap(f)([1.0, 2.0]) == {"a": [1.0, 2.0], "b": [-1.0, -2.0]}

    @pytest.mark.parametrize("other", [{"a": 1.0}, [1.0], 1.0, {"a": 1.0, "c": 2.0}])
    def test_results_of_another_structure_are_refused(self, other):
        results = iter([{"a": 1.0, "b": 2.0}, other])
        with pytest.raises(BadArgument, match="sample 1"):
            tg.vmap(lambda x: next(results))([1.0, 2.0])

    @pytest.mark.parametrize("jit", [False, True])
    @pytest.mark.parametrize(
        "name", ["tuple", "named tuple", "dict", "OrderedDict", "DotDict", "AttrDict", "dataclass"]
    )
    def test_containers_of_samples(self, name, jit):
        make, read = KINDS[name]
        f = tg.vmap(lambda t: make(*(x * x for x in read(t))))
        f = tg.jit(f) if jit else f
        got = f(make([1.0, 2.0], [3.0, 4.0], [5.0, 6.0]))
        same(got, make([1.0, 4.0], [9.0, 16.0], [25.0, 36.0]))
        got = f(make(np.array([1.0, 2.0]), np.array([3.0, 4.0]), np.array([5.0, 6.0])))
        same(got, make(np.array([1.0, 4.0]), np.array([9.0, 16.0]), np.array([25.0, 36.0])))


class TestModules:
    @pytest.mark.parametrize(
        ("held", "paths"),
        [
            (lambda: np.array([Value(1.0), Value(2.0)]), ["x.0", "x.1"]),
            (lambda: np.array([[Value(1.0)], [Value(2.0)]]), ["x.0.0", "x.1.0"]),
            (lambda: np.array(Value(1.0)), ["x.0"]),
            (lambda: deque([Value(1.0)]), ["x.0"]),
            (lambda: Plain(Value(1.0), 2.0, [Value(3.0)]), ["x.a", "x.c.0"]),
            (lambda: Late(2), ["x.w.0", "x.w.1"]),
            (lambda: Triple(Value(1.0), 2.0, 3.0), ["x.0"]),
            (lambda: DotDict(w=Value(1.0)), ["x.w"]),
            (lambda: Own(Value(1.0), 2.0, nn.Neuron(1), "m"),
             ["x.numbers.0", "x.numbers.2.w.0", "x.numbers.2.b"]),
            (lambda: defaultdict(list, w=[Value(1.0)]), ["x.w.0"]),
            (lambda: {"names"}, []),
            (lambda: np.ones(3), []),
        ],
    )  # fmt: skip
    def test_parameters_in_every_container(self, held, paths):
        assert [path for path, _ in holding(held()).named_parameters()] == paths

    @pytest.mark.parametrize("held", [{Value(1.0)}, [{(1, Value(1.0))}], frozenset([nn.Neuron(1)])])
    def test_a_set_has_no_order_to_name_parameters_by(self, held):
        with pytest.raises(BadArgument, match=r"'x.*a set"):
            holding(held).parameters()

    def test_other_cycles_end(self):
        ring = [Value(1.0)]
        ring.append(ring)
        assert len(holding(ring).parameters()) == 1


class TestUserDefinedRows:
    CONSTANT = Value(5.0)

    @pytest.mark.parametrize(
        "partial",
        [
            lambda out, x: np.array([2.0]),
            lambda out, x: np.array([2.0, 3.0]),
            lambda out, x: [2.0],
            lambda out, x: 2j,
            lambda out, x: None,
            lambda out, x: "2",
            lambda out, x: TestUserDefinedRows.CONSTANT,
            lambda out, x: TestUserDefinedRows.CONSTANT * x,
        ],
    )
    @pytest.mark.parametrize("arity", ["one", "two", "any", "together"])
    def test_a_partial_that_is_no_number_is_refused_with_the_name_of_its_row(self, partial, arity):
        row = {
            "one": lambda: tg.op("odd", lambda x: x, [partial]),
            "two": lambda: tg.op("odd", lambda x, y: x, [partial_of_two, partial_of_two]),
            "any": lambda: tg.op("odd", lambda *xs: xs[0], lambda i, out, *xs: partial(out, xs[0])),
            "together": lambda: tg.op(
                "odd", lambda *xs: xs[0], lambda i, out, *xs: 1.0,
                together=lambda out, *xs: [partial(out, x) for x in xs],
            ),
        }[arity]  # fmt: skip
        partial_of_two = lambda out, x, y: partial(out, x)  # noqa: E731
        odd = row()
        many = arity in ("any", "together")
        f = (lambda x: odd([x, x])) if many else (lambda x: odd(x, x) if arity == "two" else odd(x))
        for call in (tg.grad(f), lambda x: f(Value(x)).backward(), lambda x: tg.jvp(f, [x], [1.0])):
            with pytest.raises(NotANumber, match="'odd'"):
                call(3.0)

    @pytest.mark.parametrize("slope", [2, True, np.float32(2.0), np.int64(2), np.array(2.0)])
    def test_numbers_of_every_kind_are_made_floats(self, slope):
        row = tg.op("of_kinds", lambda x: x, [lambda out, x: slope])
        x = Value(3.0)
        row(x).backward()
        got = [x.grad, tg.grad(row)(3.0), tg.jvp(row, (3.0,), (1.0,))[1], tg.grad(tg.jit(row))(3.0)]
        assert got == [float(slope)] * 4
        assert {type(g) for g in got} == {float}

    @pytest.mark.parametrize(
        "partial", [lambda c, x: c, lambda c, x: c * x, lambda c, x: x + 2 * c]
    )
    def test_a_value_of_its_own_is_refused_among_values_too(self, partial):
        row = tg.op("own", lambda x: x, [lambda out, x: partial(self.CONSTANT, x)])
        x = Value(3.0)
        for call in (
            lambda: tg.gradients(row(x), [x]),
            lambda: tg.grad(row)(x),
            lambda: tg.grad(tg.grad(row))(3.0),
            lambda: tg.jit(tg.grad(row))(3.0),
        ):
            with pytest.raises(NotANumber, match="'own'"):
                call()

    def test_the_result_and_the_arguments_may_be_given_back(self):
        row = tg.op("given_back", lambda x, y: x * y, [lambda out, x, y: y, lambda out, x, y: out])
        x, y = Value(3.0), Value(5.0)
        assert [slope.data for slope in tg.gradients(row(x, y), [x, y])] == [5.0, 15.0]

    def test_higher_derivatives_stay(self):
        cube = tg.op("cube_here", lambda x: x**3, [lambda out, x: 3 * x * x])
        assert tg.grad(tg.grad(tg.grad(cube)))(2.0) == 6.0

    class Scale:
        def __init__(self, by):
            self.by = by

        def times(self, x, y=2.0):
            return self.by * x * y

        def __call__(self, x, y=2.0):
            return self.by * x * y

    @staticmethod
    def wrapped(f):
        @functools.wraps(f)
        def inner(*args, **named):
            return f(*args, **named)

        return inner

    @pytest.mark.parametrize(
        ("value", "parameters"),
        [
            (Scale(3.0).times, ("x", "y")),
            (Scale(3.0), ("x", "y")),
            (wrapped(lambda x, y=2.0: 3.0 * x * y), ("x", "y")),
            (functools.partial(lambda by, x, y=2.0: by * x * y, 3.0), ("x", "y")),
            (functools.partial(lambda x, y, by: by * x * y, by=3.0), ("x", "y")),
            (functools.partial(Scale(3.0).times), ("x", "y")),
            (functools.lru_cache(lambda x, y=2.0: 3.0 * x * y), ("x", "y")),
            (lambda *xs: 3.0 * xs[0] * xs[1], ("x", "y")),
            (lambda a, *xs: 3.0 * a * xs[0], ("a", "y")),
            (lambda x, y, /, *, by=3.0: by * x * y, ("x", "y")),
            (lambda x, y, mode=None: 3.0 * x * y, ("x", "y")),
        ],
        ids=lambda x: x if isinstance(x, str) else None,
    )
    def test_anything_that_can_be_called(self, value, parameters):
        row = tg.op("scaled", value, [lambda out, x, y: 3.0 * y, lambda out, x, y: 3.0 * x])
        assert row.parameters == parameters
        assert row(2.0, 5.0) == 30.0
        assert tg.grad(row, argnums=(0, 1))(2.0, 5.0) == (15.0, 6.0)
        if "y=2.0" in str(inspect.signature(value)):
            assert row(2.0) == 12.0

    @pytest.mark.parametrize("kind", [np.vectorize, lambda f: np.frompyfunc(f, 2, 1)])
    def test_functions_of_numpy_whose_signatures_change_with_its_versions(self, kind):
        value = kind(lambda x, y: 3.0 * x * y)
        row = tg.op("scaled", value, [lambda out, x, y: 3.0 * y, lambda out, x, y: 3.0 * x])
        assert tg.grad(row, argnums=(0, 1))(2.0, 5.0) == (15.0, 6.0)

    def test_one_partial_too_many_is_refused_for_each_of_them(self):
        for value in (self.Scale(3.0).times, self.wrapped(lambda x, y: x)):
            with pytest.raises(BadArgument, match=r"3 partials and the arguments \(x, y\)"):
                tg.op("scaled", value, [lambda out, *xs: 1.0] * 3)
