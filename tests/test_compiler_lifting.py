"""The tensors that are found in scalars: whatever the graph, they compute what the scalars do."""

from __future__ import annotations

import gc
import math
import sys
import weakref
from concurrent.futures import ThreadPoolExecutor
from functools import reduce
from itertools import pairwise
from operator import add

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_edu as tg
from tinygrad_edu import keras, nn
from tinygrad_edu.compiler import lifting, python, scheduler, tensor_machine
from tinygrad_edu.compiler.code import PRIMITIVES, Code
from tinygrad_edu.compiler.lifting import lifted
from tinygrad_edu.compiler.tensors import Tensors

EXACT = 1e-13  # of the sum of magnitudes


# ── Two ways to run a program, which share nothing ────────────────────────────────────────


def scalars(code: Code, X, theta):
    """Each, total and once, one instruction after the other."""
    each = np.empty((len(X), len(code.each)))
    total, once = np.zeros(len(code.total)), np.zeros(len(code.once))
    python.load(code)(len(X), X, theta, each, total, once)
    return each, total, once


def printed(code: Code, X, theta):
    """The same by the NumPy code that readers see."""
    space = {}
    exec(Tensors(code).source(), space)
    with np.errstate(all="ignore"):
        return space["run"](X, theta)


def magnitudes(code: Code, X, theta):
    """The same with every number and sign positive: how large the terms of each result are."""
    positive = {"sub": "add", "neg": "identity"}
    ops = tuple(positive.get(op, op) for op in code.ops)
    constants = tuple(map(abs, code.constants))
    return scalars(code._replace(ops=ops, constants=constants), abs(X), abs(theta))


def executed(code: Code, X, theta):
    """The same by the executor, twice: it repeats to the bit."""
    kernel, results = tensor_machine.load(code), []
    for _ in range(2):
        each = np.full((len(X), len(code.each)), 77.0)
        total, once = np.full(len(code.total), 77.0), np.full(len(code.once), 77.0)
        kernel(len(X), X, theta, each, total, once)
        results.append((each, total, once))
    for first, second in zip(*results):
        np.testing.assert_array_equal(first, second)
    return results[0]


WAYS = {"printed": printed, "executed": executed}


def agree(code: Code, X, theta, exact=EXACT, scale=None):
    expected = scalars(code, X, theta)
    scales = magnitudes(code, X, theta) if scale is None else [scale] * 3
    for run in WAYS.values():
        for got, wanted, size in zip(run(code, X, theta), expected, scales):
            assert got.shape == wanted.shape
            assert (np.isnan(got) == np.isnan(wanted)).all()
            np.testing.assert_array_less(abs(got - wanted), exact * size + 1e-300)


# ── Any program of sums and products ──────────────────────────────────────────────────────


@st.composite
def polynomials(draw):
    """Programs of products and sums in every shape: shared, nested, empty, wanted twice."""
    inputs, shared = draw(st.integers(0, 3)), draw(st.integers(1, 4))
    constants = tuple(draw(st.lists(st.sampled_from([1.0, -1.0, 0.5, 3.0]), max_size=3)))
    first = inputs + shared + len(constants)
    ops, args = [], []
    for slot in range(first, first + draw(st.integers(0, 60))):
        name = draw(
            st.sampled_from(["mul", "mul", "mul", "square", "add", "sum", "sum", "neg", "sub"])
        )
        count = {"mul": 2, "add": 2, "sub": 2, "sum": draw(st.integers(0, 5))}.get(name, 1)
        recent = st.integers(max(0, slot - 8), slot - 1) | st.integers(0, slot - 1)
        ops.append(name)
        args.append(tuple(draw(recent) for _ in range(count)))
    code = Code(inputs, shared, constants, tuple(ops), tuple(args))
    varies, slots = code.varying(), st.integers(0, code.slots - 1)
    fixed = [slot for slot in range(code.slots) if not varies[slot]]
    each, total = (tuple(draw(st.lists(slots, max_size=4))) for _ in "12")
    once = tuple(draw(st.lists(st.sampled_from(fixed), max_size=4)))
    return code._replace(each=each, total=total, once=once).checked()


def numbers(code: Code, n: int, seed: int):
    random = np.random.default_rng(seed)
    return random.uniform(-1.5, 1.5, (n, code.inputs)), random.uniform(-1.5, 1.5, code.shared)


@given(code=polynomials(), n=st.sampled_from([0, 1, 2, 5]), seed=st.integers(0, 9))
def test_any_sums_and_products(code, n, seed):
    agree(code, *numbers(code, n, seed))


# ── Networks that are regular, or nearly ──────────────────────────────────────────────────


def leaves(count: int, name: str) -> list[tg.Value]:
    return [tg.Value(math.sin(3.0 * i + len(name)), name=f"{name}{i}") for i in range(count)]


WIDTHS = (4, 5, 3, 2)


class Network:
    """A network that is written number by number, in which a spoiler may change one place.

    Attributes:
        w, b: of each layer the weights [out][in] and the biases.
        term: how a weight and a number become the terms of a neuron.
        total: how the terms are added.
    """

    def __init__(self):
        sizes = list(pairwise(WIDTHS))
        self.theta = leaves(sum((n + 1) * m for n, m in sizes), "w")
        rest = iter(self.theta)
        self.w = [[[next(rest) for _ in range(n)] for _ in range(m)] for n, m in sizes]
        self.b = [[next(rest) for _ in range(m)] for _, m in sizes]
        self.term = lambda layer, i, j, w, x: [w * x]
        self.activation = lambda layer, i, z: z if layer == len(sizes) - 1 else tg.tanh(z)
        self.total = tg.sum

    def __call__(self, x):
        for layer, (w, b) in enumerate(zip(self.w, self.b)):
            x = [
                self.activation(layer, i, self.total([
                    *(t for j, (w, x) in enumerate(zip(row, x))
                      for t in self.term(layer, i, j, w, x)), bias,
                ]))
                for i, (row, bias) in enumerate(zip(w, b))
            ]  # fmt: skip
        return x


def shared_weight(net):
    net.w[0][1][2] = net.w[0][0][0]


def weight_of_another_layer(net):
    net.w[1][0][0] = net.w[0][2][1]


def whole_layer_twice(net):
    net.w[1] = [[*row[:4], row[0]] for row in net.w[0][:3]]


def swapped(net):
    net.w[1][2][0], net.w[1][2][3] = net.w[1][2][3], net.w[1][2][0]


def one_term(change):
    def spoil(net):
        net.term = lambda layer, i, j, w, x: change(w, x) if (layer, i, j) == (1, 1, 2) else [w * x]

    return spoil


def a_neuron_of_another_kind(net):
    plain = net.activation
    net.activation = lambda layer, i, z: tg.relu(z) if (layer, i) == (0, 3) else plain(layer, i, z)


def in_another_order(net):
    net.total = lambda terms: tg.sum(terms[::-1] if len(terms) == 6 else terms)


def tree(terms):
    """A sum as a tree of +."""
    return terms[0] if len(terms) == 1 else tree(terms[::2]) + tree(terms[1::2])


def added_by(total):
    def change(net):
        net.total = total

    return change


REGULAR = {
    "sums": lambda net: None,
    "chains of +": added_by(lambda terms: reduce(add, terms)),
    "chains from the right": added_by(lambda terms: reduce(lambda x, y: y + x, terms[::-1])),
    "trees of +": added_by(tree),
}
NEARLY = {
    "one weight shared": shared_weight,
    "a weight used in two layers": weight_of_another_layer,
    "all weights used in two layers": whole_layer_twice,
    "two weights swapped": swapped,
    "one sign": one_term(lambda w, x: [-w * x]),
    "one sign outside": one_term(lambda w, x: [-(w * x)]),
    "one term missing": one_term(lambda w, x: []),
    "a term twice": one_term(lambda w, x: [w * x, w * x]),
    "a term negated beside itself": one_term(lambda w, x: [w * x, -(w * x)]),
    "a square": one_term(lambda w, x: [x * x]),
    "a weight alone": one_term(lambda w, x: [w]),
    "a number alone": one_term(lambda w, x: [x]),
    "a weight that is a number": one_term(lambda w, x: [0.25 * x]),
    "a weight that is 1": one_term(lambda w, x: [1.0 * x]),
    "a weight that is 0": one_term(lambda w, x: [0.0 * x]),
    "a product of three": one_term(lambda w, x: [w * x * x]),
    "the other order of factors": one_term(lambda w, x: [x * w]),
    "an activation": a_neuron_of_another_kind,
    "sums in another order": in_another_order,
}


def spoilt(change) -> Network:
    net = Network()
    change(net)
    return net


def mean_square(ys, targets):
    return tg.sum([(y - t) ** 2 for y, t in zip(ys, targets)]) / len(ys)


def of_batches(net) -> Code:
    """The loss of a sample, and its slopes."""
    x, targets = leaves(WIDTHS[0], "x"), leaves(WIDTHS[-1], "y")
    loss = mean_square(net(x), targets)
    return tg.compile(loss, inputs=[*x, *targets], parameters=net.theta).code


def unrolled(net, samples=5) -> Code:
    """The loss of several samples, whose numbers are constants, in one graph."""
    random = np.random.default_rng(samples)
    losses = [
        mean_square(net([*map(float, row)]), [0.5, -2.0])
        for row in random.uniform(-1.0, 1.0, (samples, WIDTHS[0]))
    ]
    return tg.compile(tg.sum(losses) / samples, inputs=[], parameters=net.theta).code


def of_outputs(net) -> Code:
    x = leaves(WIDTHS[0], "x")
    return tg.compile(net(x), inputs=x, parameters=net.theta).code


@pytest.mark.parametrize("change", {**REGULAR, **NEARLY}.values(), ids={**REGULAR, **NEARLY})
@pytest.mark.parametrize("form", [of_batches, unrolled, of_outputs])
def test_nearly_regular_networks(form, change):
    code = form(spoilt(change))
    for n in (1, 2, 7):
        agree(code, *numbers(code, n, n), scale=100.0 * n)


def kinds(code: Code) -> list[tuple[str, tuple[int, ...]]]:
    """The dots and row sums of a program, with their axes."""
    return [(g.kind, g.shape) for g in lifted(code).groups if "dot" in g.kind or "row" in g.kind]


@pytest.mark.parametrize("change", REGULAR.values(), ids=REGULAR)
def test_regular_networks_are_three_products_of_matrices(change):
    """And their reverse sweep is two more, and three that add up the samples."""
    net = spoilt(change)
    forward = [("dot", (5,)), ("dot", (3,)), ("dot", (2,))]
    assert kinds(of_outputs(net)) == forward
    backward = [("dot", (1,)), ("dot", (3,)), ("dot", (5,))]  # the sum of squares first
    slopes = [("total dot", (2, 3)), ("total dot", (3, 5)), ("total dot", (5, 4))]
    assert sorted(kinds(of_batches(net))) == sorted(forward + backward + slopes)


def test_unrolled_batches_are_the_same_products():
    """The work grows with the samples, the program does not."""
    small, large = (unrolled(Network(), samples) for samples in (4, 40))
    assert len(large.ops) > 5 * len(small.ops)
    assert len(lifted(large).groups) == len(lifted(small).groups)
    assert ("dot", (40, 5)) in kinds(large)
    assert ("dot", (5, 4)) in kinds(large)  # the slopes of the first layer


@pytest.mark.parametrize(
    ("change", "found"),
    {
        "one weight shared": [("dot", (5,)), ("dot", (3,)), ("dot", (2,))],
        "two weights swapped": [("dot", (5,)), ("dot", (3,)), ("dot", (2,))],
        "the other order of factors": [("dot", (5,)), ("dot", (3,)), ("dot", (2,))],
        "one term missing": [("dot", (5,)), ("dot", (2,)), ("dot", (1,)), ("dot", (2,))],
    }.items(),
)
def test_only_the_irregular_neuron_leaves_its_layer(change, found):
    assert kinds(of_outputs(spoilt(NEARLY[change]))) == found


# ── Wrong tensors are noticed ─────────────────────────────────────────────────────────────


def places_that_look_regular(array, places, shape):
    """Strides from the first and the second place, not checked for the others."""
    strides, size = [], 1
    for n in reversed(shape):
        strides.insert(0, places[size] - places[0] if n > 1 else 0)
        size *= n
    return lifting.Access(array, shape, places[0], tuple(strides))


def rows_turned_round(finder, draft, arrays, right=lifting._Finder._met):
    pairs, (a, b) = right(finder, draft, arrays)
    return pairs, (a, [row[::-1] for row in b])


def differences_as_sums(finder, slot, kind, rows, stage=-1, right=lifting._Finder._put):
    return right(finder, slot, "add" if kind == "sub" else kind, rows, stage)


FAULTS = {
    "places that look regular": ("_fit", places_that_look_regular),
    "rows turned round": ("_Finder._met", rows_turned_round),
    "differences as sums": ("_Finder._put", differences_as_sums),
    "any row meets any": (
        "_blocks",
        lambda pairs: [([a], [b]) for a, b in dict.fromkeys(pairs)][:1],
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_wrong_grouping_is_noticed(fault, monkeypatch):
    name, wrong = FAULTS[fault]
    monkeypatch.setattr(f"tinygrad_edu.compiler.lifting.{name}", wrong)
    noticed = []
    for change in (*REGULAR.values(), *NEARLY.values()):
        code = of_batches(spoilt(change))
        try:
            agree(code, *numbers(code, 3, 1), scale=300.0)
        except (AssertionError, LookupError, ValueError) as error:
            noticed.append(error)
    assert noticed


# ── Other graphs ──────────────────────────────────────────────────────────────────────────


def attention(tokens=4, width=3):
    """Softmax of scores, without a mask."""
    theta = leaves(3 * width * width, "w")
    x = leaves(tokens * width, "x")
    rows = [x[i * width : (i + 1) * width] for i in range(tokens)]
    q, k, v = (
        [[tg.sum([theta[m * width * width + i * width + j] * row[j] for j in range(width)])
          for i in range(width)] for row in rows]
        for m in range(3)
    )  # fmt: skip
    out = []
    for query in q:
        scores = [tg.exp(tg.sum([a * b for a, b in zip(query, key)])) for key in k]
        whole = tg.sum(scores)
        shares = [score / whole for score in scores]
        out += [tg.sum([s * row[j] for s, row in zip(shares, v)]) for j in range(width)]
    return tg.compile(tg.sum([y * y for y in out]), inputs=x, parameters=theta).code


def convolution(size=6, kernel=3, filters=2):
    theta = leaves(filters * kernel * kernel, "w")
    x = leaves(size * size, "x")
    out = [
        tg.relu(tg.sum([
            theta[f * kernel * kernel + a * kernel + b] * x[(i + a) * size + j + b]
            for a in range(kernel) for b in range(kernel)
        ]))
        for f in range(filters) for i in range(size - kernel + 1) for j in range(size - kernel + 1)
    ]  # fmt: skip
    return tg.compile(tg.sum([y * y for y in out]), inputs=x, parameters=theta).code


def recurrent(steps=4, width=3):
    theta = leaves(2 * width * width, "w")
    x = leaves(steps * width, "x")
    h = [0.1] * width
    for t in range(steps):
        h = [
            tg.tanh(tg.sum([
                *(theta[i * width + j] * x[t * width + j] for j in range(width)),
                *(theta[(width + i) * width + j] * h[j] for j in range(width)),
            ]))
            for i in range(width)
        ]  # fmt: skip
    return tg.compile(tg.sum([y * y for y in h]), inputs=x, parameters=theta).code


def penalised():
    net = Network()
    x = leaves(WIDTHS[0], "x")
    loss = mean_square(net(x), [0.0, 1.0]) + 0.1 * tg.sum([w * w for w in net.theta])
    return tg.compile(loss, inputs=x, parameters=net.theta).code


def same_for_every_sample():
    """Results that depend on no sample: a matrix of as many rows as there are samples."""
    theta, x = leaves(6, "w"), leaves(1, "x")
    rows = [[math.sin(2.0 * s + k) for k in range(2)] for s in range(7)]
    out = [
        tg.tanh(tg.sum([c * w for c, w in zip(row, theta[2 * o : 2 * o + 2])]))
        for row in rows for o in range(3)
    ]  # fmt: skip
    return tg.compile([*out, x[0] * theta[0]], inputs=x, parameters=theta).code


def mlp(activation="relu", loss=lambda y: y * y):
    model, x = nn.MLP(3, [4, 4, 1], activation=activation, seed=1), leaves(3, "x")
    return tg.compile(loss(model(x)), inputs=x, parameters=model.parameters()).code


GRAPHS = {
    "attention": attention,
    "convolution": convolution,
    "recurrent": recurrent,
    "penalised": penalised,
    "the same for every sample": same_for_every_sample,
    **{
        name: lambda name=name: mlp(name) for name in ("relu", "sigmoid", "gelu", "softplus", "elu")
    },
    "hinge": lambda: mlp(loss=lambda y: tg.relu(1.0 - y)),
}


@pytest.mark.parametrize("graph", GRAPHS.values(), ids=GRAPHS)
def test_other_graphs(graph):
    code = graph()
    for n in (1, 2, 7):
        agree(code, *numbers(code, n, n), scale=100.0 * n)


def test_convolutions_and_attention_are_products_of_matrices():
    assert ("dot", (16, 2)) in kinds(convolution())
    found = kinds(attention())
    assert ("dot", (4, 9)) in found  # q, k and v at once
    assert ("dot", (4, 4)) in found  # every query meets every key


# ── Every primitive ───────────────────────────────────────────────────────────────────────

SPECIAL = [
    0.0,
    -0.0,
    1.0,
    -1.0,
    0.5,
    -2.5,
    3.5,
    1e-300,
    700.0,
    1e200,
    math.inf,
    -math.inf,
    math.nan,
]


@pytest.mark.parametrize("name", PRIMITIVES)
def test_every_primitive_in_numpy(name):
    """Of pairs of all special numbers; nan stays nan, and zeros keep their signs."""
    arity = PRIMITIVES[name].arity or 3
    code = Code(2 * arity, 0, (), (name, name),
                (tuple(range(arity)), tuple(range(arity, 2 * arity))),
                each=(2 * arity, 2 * arity + 1))  # fmt: skip
    random = np.random.default_rng(0)
    X = np.array(SPECIAL)[random.integers(len(SPECIAL), size=(300, 2 * arity))]
    expected, got = scalars(code, X, np.empty(0))[0], printed(code, X, np.empty(0))[0]
    np.testing.assert_allclose(got, expected, rtol=4e-15, atol=0.0)
    assert (np.signbit(got) == np.signbit(expected))[expected == 0.0].all()


# ── What readers see ──────────────────────────────────────────────────────────────────────


def test_a_keras_model_is_shown_as_mathematics():
    model = keras.Sequential(
        [keras.layers.Dense(3, "relu", input_shape=[4]), keras.layers.Dense(1)]
    )
    x = leaves(4, "x")
    (y,) = model.layers[1](model.layers[0](x))
    program = tg.compile((y - 1.0) ** 2, inputs=x, parameters=model.parameters())
    shown = str(program.tensors())
    assert "h₂ = relu(h₁)" in shown
    assert "h₁ = X @ W₁ + b₁" in shown or "h₁ = X @ W₁.T + b₁" in shown
    assert "dW₁ = " in shown


# ── The executor, chosen by counting ──────────────────────────────────────────────────────


def wide(inputs=40, width=60):
    """A network that is promising: most of its instructions are products."""
    model, x, y = nn.MLP(inputs, [width, width, 1], seed=1), leaves(inputs, "x"), tg.Value(0.0)
    return (model(x) - y) ** 2, [*x, y], model.parameters()


def batch_of(columns, n):
    return np.sin(np.arange(n * columns, dtype=float)).reshape(n, columns)


@pytest.fixture
def soon(monkeypatch):
    """After few lanes, so that a test needn't wait."""
    monkeypatch.setattr(scheduler, "LIFTED", 300)
    monkeypatch.setattr(scheduler, "WARM", 1)


def test_auto_switches_to_tensors_at_a_counted_point(soon):
    loss, inputs, parameters = wide()
    program, same = (tg.compile(loss, inputs=inputs, parameters=parameters) for _ in "12")
    scalars = tg.compile(loss, inputs=inputs, parameters=parameters, lift=False)
    batch, seen = batch_of(len(inputs), 200), []
    for _ in range(4):
        value, slopes = program.value_and_grad(batch)
        value_again, slopes_again = same.value_and_grad(batch)
        expected, wanted = scalars.value_and_grad(batch)
        seen.append(program.report().executor)
        assert value == value_again
        assert (slopes == slopes_again).all()
        assert value == pytest.approx(expected, rel=1e-13)
        np.testing.assert_allclose(slopes, wanted, rtol=1e-10, atol=1e-13)
    assert seen == ["machine", "tensors", "tensors", "tensors"]
    assert "products of matrices" in str(program.report())
    assert scalars.report().executor == "machine"


def test_narrow_programs_are_not_searched(soon):
    loss, inputs, parameters = wide(4, 4)
    program = tg.compile(loss, inputs=inputs, parameters=parameters)
    for _ in range(20):
        program.value_and_grad(batch_of(len(inputs), 40))
    assert program.report().executor == "machine"


def test_tensors_that_are_not_worthwhile_are_left(soon, monkeypatch):
    monkeypatch.setattr(tensor_machine, "CALL", 1e9)
    loss, inputs, parameters = wide()
    program = tg.compile(loss, inputs=inputs, parameters=parameters)
    for _ in range(3):
        program.value_and_grad(batch_of(len(inputs), 200))
    assert program.report().executor == "machine"
    assert "tensors" in program.report().seconds


def softmax_of_ten():
    theta, x = leaves(10 * 6, "w"), leaves(6, "x")
    z = [tg.sum([w * v for w, v in zip(theta[6 * i :], x)]) for i in range(10)]
    return tg.compile(tg.logsumexp(z) - z[3], inputs=x, parameters=theta).code


def test_irregular_parts_are_islands():
    """All that is between the products of matrices is one program of the machine."""
    code = softmax_of_ten()
    (island,) = tensor_machine.load(code)._islands
    assert len(island.groups) > 30
    for n in (1, 2, 7):
        agree(code, *numbers(code, n, n), scale=100.0 * n)


def test_without_llvmlite_there_are_no_islands(monkeypatch):
    monkeypatch.setitem(sys.modules, "tinygrad_edu.compiler.virtual_machine", None)
    code = softmax_of_ten()
    assert tensor_machine.load(code)._islands == []
    for n in (1, 2, 7):
        agree(code, *numbers(code, n, n), scale=100.0 * n)


@pytest.mark.parametrize("n", [1, 63, 64, 65, 700])
def test_blocks_of_samples(n, monkeypatch):
    """Few and many, also of two sizes; large batches are not kept."""
    monkeypatch.setattr(tensor_machine, "CACHE", 1)
    monkeypatch.setattr(tensor_machine, "SMALL", 64 * 41 * 8)
    loss, inputs, parameters = wide()
    program, scalars = (
        tg.compile(loss, inputs=inputs, parameters=parameters, executor=executor)
        for executor in ("tensors", "machine")
    )
    batch = batch_of(len(inputs), n)
    for _ in range(2):
        value, slopes = program.value_and_grad(batch)
        expected, wanted = scalars.value_and_grad(batch)
        assert value == pytest.approx(expected, rel=1e-13)
        np.testing.assert_allclose(slopes, wanted, rtol=1e-9, atol=1e-12)
        batch[:] = batch[::-1].copy() * 0.5  # other numbers in the same place


def test_threads_have_memories_of_their_own():
    loss, inputs, parameters = wide()
    program = tg.compile(loss, inputs=inputs, parameters=parameters, executor="tensors")
    batches = [batch_of(len(inputs), n) for n in (10, 20, 30, 40)] * 4
    expected = [program.value_and_grad(batch) for batch in batches]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(program.value_and_grad, batches))
    for (value, slopes), (wanted, gradient) in zip(found, expected):
        assert value == wanted
        assert (slopes == gradient).all()


def test_a_large_batch_is_not_kept(monkeypatch):
    monkeypatch.setattr(tensor_machine, "SMALL", 8)
    loss, inputs, parameters = wide()
    program = tg.compile(loss, inputs=inputs, parameters=parameters, executor="tensors")
    batch = batch_of(len(inputs), 50).copy()
    kernel = tensor_machine.load(program.code)
    total = np.empty(len(program.code.total))
    kernel(50, batch, np.zeros(program.code.shared), np.empty((50, 0)), total, np.empty(0))
    gone = weakref.ref(batch)
    del batch
    assert gone() is None


def trained(jit):
    keras.utils.set_random_seed(1)
    layers = keras.layers.Dense(8, "relu", input_shape=[6]), keras.layers.Dense(3, "softmax")
    model = keras.Sequential(layers)
    model.compile("adam", "sparse_categorical_crossentropy", ["accuracy"], jit_compile=jit)
    x, y = batch_of(6, 70), [i % 3 for i in range(70)]
    fits = [model.fit(x, y, epochs=3, batch_size=32, verbose=0) for _ in range(2)]
    return [fit.history["loss"] for fit in fits], [w.data for w in model.parameters()], model


def test_fit_trains_with_tensors(soon, monkeypatch):
    """In batches of two sizes, as if the model were wide; it repeats to the bit."""
    monkeypatch.setattr(lifting, "LONG_ENOUGH", 100)
    monkeypatch.setattr(scheduler, "SCALAR", 1000.0)
    monkeypatch.setattr(scheduler, "LIFTED", 10)
    losses, weights, model = trained("auto")
    wanted, expected, _ = trained(False)
    assert model_executor(model) == "tensors"
    np.testing.assert_allclose(losses, wanted, rtol=1e-9)
    np.testing.assert_allclose(weights, expected, rtol=1e-6, atol=1e-8)
    assert (losses, weights) == trained("auto")[:2]


def model_executor(model):
    found = [
        thing._engine._scheduler.executor
        for thing in gc.get_objects()
        if type(thing).__name__ == "Training"
        and getattr(thing, "optimizer", None) is model.optimizer
    ]
    return found[-1]
