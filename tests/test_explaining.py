"""Gradients in words: the paths against an enumeration in exact fractions, formulas against
numbers, names that try to break out, and what a reader sees."""

from __future__ import annotations

import json
import math
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_edu as tg
from tinygrad_edu import Explanation, Value, nn, op
from tinygrad_edu.core import ops
from tinygrad_edu.core.table import BUILT_IN, Op
from tinygrad_edu.errors import BadArgument, GraphError, StaleGraph
from tinygrad_edu.explaining import simplifying
from tinygrad_edu.explaining.document import _broken
from tinygrad_edu.explaining.gradients import as_data, find
from tinygrad_edu.explaining.notation import Math, tex_name
from tinygrad_edu.explaining.paths import Path, Paths
from tinygrad_edu.explaining.symbols import Term, close, partial
from tinygrad_edu.snapshots import Graph, ids
from tinygrad_edu.strings import MANY, columns, counted
from tinygrad_edu.testing import strategies

EPSILON = 2.0**-52
SMALLEST = 2.0**-1022  # below it numbers lose digits


def the_post(samples: int = 3) -> tuple[Value, Value, Value]:
    """The mean squared error of one neuron, with names, roles and scopes; and w and b."""
    w, b = Value(0.5, "w", "parameter"), Value(0.25, "b", "parameter")
    errors = []
    for i in range(1, samples + 1):
        with tg.scope(f"sample {i}"):
            x, y = Value(float(i), "x", "input"), Value(2.0 * i, "y", "target")
            with tg.scope("neuron 1"):
                guess = tg.sum([w * x, b])
                guess.name = "ŷ"
            errors.append((guess - y) ** 2)
    loss = tg.sum(errors) / float(samples)
    loss.name = "loss"
    return loss, w, b


# ── Paths ─────────────────────────────────────────────────────────────────────────────────


def every_path(graph: Graph, target: int) -> Iterator[list[tuple[int, int]]]:
    """All paths from the root to a node, as (consumer, position), by plain enumeration."""
    todo: list[tuple[int, list[tuple[int, int]]]] = [(graph.root.id, [])]
    while todo:
        id, path = todo.pop()
        if id == target:
            yield path
            continue
        node = graph.nodes[id]
        for position, (arg, local) in enumerate(zip(node.args, node.partials)):
            if local is not None:
                todo.append((arg, [*path, (id, position)]))


def exact(graph: Graph, path: list[tuple[int, int]]) -> Fraction:
    product = Fraction(1)
    for id, position in path:
        local = graph.nodes[id].partials[position]
        assert local is not None
        product *= Fraction(local)
    return product


@st.composite
def small_graphs(draw: st.DrawFn) -> tuple[Graph, int]:
    """A graph of few paths whose operands repeat often, and the id of a node in it."""
    make = {
        "add": lambda a, b: a + b,
        "mul": lambda a, b: a * b,
        "sum": lambda a, b: tg.sum([a, b, a]),
        "sub": lambda a, b: a - 0.5,
        "square": lambda a, b: a**2,
        "stop": lambda a, b: tg.stop_gradient(a) * b,
    }
    values = [Value(float(draw(st.integers(-3, 3))), name="x")]
    for _ in range(draw(st.integers(1, 7))):
        pick = st.sampled_from(values)
        with tg.scope(f"sample {draw(st.integers(1, 2))}"):
            values.append(make[draw(st.sampled_from(sorted(make)))](draw(pick), draw(pick)))
    return tg.snapshot(values[-1]), 0


@given(small_graphs())
def test_sums_and_groups_against_enumeration(example):
    graph, target = example
    if graph.nodes[target].name != "x":
        return
    found = list(every_path(graph, target))
    products = [exact(graph, path) for path in found]
    paths = Paths(graph, target)
    assert paths.sums.number == len(found)
    assert paths.sums.live == sum(product != 0 for product in products)
    size = float(sum(map(abs, products)))
    bound = len(graph.nodes) * EPSILON * size
    assert abs(paths.sums.total - sum(products)) <= bound
    assert abs(paths.sums.size - size) <= bound

    biggest = [abs(path.product) for path in paths.biggest(5)]
    assert biggest == pytest.approx(sorted(map(float, map(abs, products)), reverse=True)[:5])
    groups = paths.groups(len(found) + 1, work=10**6)
    assert groups is not None
    assert sum(sums.number for sums, _ in groups) == len(found)
    totals = [abs(sums.total) for sums, _ in groups]
    assert totals == sorted(totals, reverse=True)
    for sums, listed in groups[:5]:
        assert len(listed) == sums.number
        assert len({shape(graph, path) for path in listed}) == 1
        assert sums.total == pytest.approx(math.fsum(path.product for path in listed))
        sizes = [abs(path.product) for path in listed]
        assert sizes == sorted(sizes, reverse=True)
    told = {path.steps for _, listed in groups[:5] for path in listed}
    assert len(told) == sum(len(listed) for _, listed in groups[:5])


def shape(graph: Graph, path: Path) -> tuple[tuple[str, int], ...]:
    """The operations of a path that do more than add, and the places it takes in them."""
    names = [(graph.nodes[s.node].op.name, s.position) for s in path.steps]
    return tuple(step for step in names if step[0] not in ("add", "sum", "identity"))


@given(strategies.graphs(kinks=True))
def test_the_sum_over_paths_is_the_adjoint(example):
    leaves = example.leaves()
    the_bar_holds(example.expression(*leaves))


@given(st.lists(st.tuples(st.floats(-1.5, 1.5), st.floats(-1.5, 1.5)), min_size=20, max_size=40))
def test_the_sum_over_up_to_a_million_million_paths_is_the_adjoint(rungs):
    y = x = Value(0.75, name="x")
    for a, b in rungs:
        y = tg.sin(y) * a + y * b
    graph = the_bar_holds(y)
    assert Paths(graph, 0).sums.number == 2 ** len(rungs)
    assert x.grad == 0.0


def the_bar_holds(root: Value) -> Graph:
    graph = tg.snapshot(root)
    for node in graph.nodes:
        if node.op is None and node.role != "constant":
            sums = Paths(graph, node.id).sums
            bound = len(graph.nodes) * EPSILON * sums.size + SMALLEST
            assert abs(sums.total - node.adjoint) <= bound
    return graph


def test_two_to_the_forty_paths():
    y = x = Value(1.0, name="x")
    for _ in range(40):
        y = y * 0.5 + tg.sin(y) * 0.25
    e = tg.explain(y, x)
    assert e.data()["paths"] == 2**40
    products = [path["product"] for path in e.data()["biggest"]]
    assert products == sorted(products, reverse=True)
    assert products[0] == pytest.approx(0.5**40)
    assert "1,099,511,627,776 paths" in str(e)
    assert "1,099,511,627,766 more paths" in str(e)
    assert len(str(e).splitlines()) < 60


def test_the_data_of_every_gradient_has_the_same_keys_and_is_what_was_found():
    x, c = Value(2.0, "x"), Value(3.0, "c", "constant")
    loss, w, _ = the_post()
    deep = x
    for _ in range(40):
        deep = deep * 0.5 + tg.sin(deep) * 0.25
    several = tg.sum([x * 2.0, x * 3.0, tg.sin(x) * 2.0, x**3, x**4, tg.exp(x), tg.cos(x)])
    ends = [(loss, w), (deep, x), (several, x), (x * c, c), (x, x), (tg.stop_gradient(x) * x, x)]
    keys = set()
    for y, by in ends:
        graph = tg.snapshot(y)
        finding = find(graph, ids(y)[by])
        data = as_data(finding)
        assert {**data, "births": []} == tg.explain(y, by).data()
        told = [shape.sums.total for shape in finding.shapes]
        assert math.fsum([*told, *(one.total for one in finding.others or ())]) == pytest.approx(
            0.0 if y is by or by is c else by_hand(y, by)
        )
        keys.add(tuple(data))
    assert len(keys) == 1


def by_hand(y: Value, x: Value) -> float:
    """The derivative as the reverse sweep finds it."""
    (slope,) = tg.gradients(y, [x])
    return slope.data


@pytest.mark.parametrize("x", [-1.0, -3.0])
def test_what_passes_a_number_on_needs_no_parentheses(x):
    w = Value(x, name="w")  # whose logarithm is nan, and so is the slope, by unless_nan
    for e in (tg.explain(tg.log(w) * 2.0 + 1.0, w), tg.explain(tg.exp(tg.identity(w) * 2.0), w)):
        assert "(w)" not in str(e).replace("log(w)", "")


def test_beyond_all_counting():
    y = x = Value(1.0)
    for _ in range(4000):
        y = y * 0.5 + y * 0.5
    assert Paths(tg.snapshot(y), 0).sums == (MANY, 1.0, 1.0, MANY)
    assert "more than 1e+1000 paths" in str(tg.explain(y, x))
    assert json.loads(json.dumps(tg.explain(y, x).data()))["paths"] == MANY


def test_thousands_of_paths_of_one_shape_are_one_group():
    model = nn.MLP(2, [6, 6, 6, 1], activation="tanh", seed=1)
    losses = []
    for i in range(5):
        with tg.scope(f"sample {i}"):
            losses.append((model([i / 5.0, 1.0]) - 1.0) ** 2)
    loss = tg.sum(losses)
    w = model.parameters()[0]
    e = tg.explain(loss, w)
    (group,) = e.data()["groups"]
    assert group["count"] == 5 * 6 * 6
    rest = group["sum"] - math.fsum(path["product"] for path in group["paths"])
    told = re.search(r"170 more paths +(\S+)", str(e))
    assert told is not None
    assert float(told[1]) == pytest.approx(rest, rel=1e-5)
    assert group["sum"] == pytest.approx(tg.gradients(loss, [w])[0].data)
    labels = [path["label"] for path in group["paths"]]
    assert len(set(labels)) == len(labels) == 10
    assert all(re.fullmatch(r"sample \d, neuron \d, neuron \d", label) for label in labels)


def test_samples_in_a_chain_of_additions_are_of_one_shape():
    w = Value(0.5, name="w")
    loss = sum((w * x - y) ** 2 for x, y in [(1.0, 3.0), (2.0, 5.0), (3.0, 7.0)])
    (group,) = tg.explain(loss, w).data()["groups"]
    assert group["count"] == 3
    assert group["formula"] == "Σᵢ 2·cᵢ·(w·cᵢ − dᵢ)"
    assert [path["label"] for path in group["paths"]] == ["3", "2", "1"]


def test_different_constants_are_no_different_shapes_but_other_expressions_are():
    x = Value(0.5, name="x")
    groups = tg.explain(tg.sum([x * 2.0, x * 3.0, tg.sin(x) * 2.0, x**3, x**4]), x).data()["groups"]
    assert sorted(group["count"] for group in groups) == [1, 2, 2]
    y = Value(2.0, name="y")
    groups = tg.explain(tg.sum([x * y, x * tg.sin(y), x * tg.cos(y)]), x).data()["groups"]
    assert {group["formula"] for group in groups} == {"y", "sin(y)", "cos(y)"}


def test_both_places_of_an_operation_are_shapes_of_their_own():
    x = Value(0.5, name="x")
    groups = tg.explain(tg.sin(x) / tg.sin(x), x).data()["groups"]
    assert [group["count"] for group in groups] == [1, 1]
    assert {group["sum"] for group in groups} == {math.cos(0.5) / math.sin(0.5),
                                                  -math.cos(0.5) / math.sin(0.5)}  # fmt: skip


# ── The contents ──────────────────────────────────────────────────────────────────────────


def test_the_post():
    loss, w, b = the_post()
    e = tg.explain(loss, b)
    text = str(e)
    assert text.startswith("dloss/db = -5.5\n")
    assert "b affects loss along 3 paths, all of one shape." in text
    assert "dloss/db = Σᵢ 1/3 · 2·(ŷᵢ − yᵢ) = Σᵢ 2·(w·xᵢ + b − yᵢ)/3" in text
    rows = re.findall(r"sample (\d) +0.333333 +(\S+) +(\S+)\n", text)
    assert [row[0] for row in rows] == ["3", "2", "1"]  # the biggest first
    assert math.fsum(float(row[2]) for row in rows) == pytest.approx(-5.5, rel=1e-5)
    for i, upstream, brings in rows:
        error = 0.5 * int(i) + 0.25 - 2.0 * int(i)
        assert float(upstream) == pytest.approx(2.0 * error)
        assert float(brings) == pytest.approx(2.0 * error / 3.0, rel=1e-5)
    assert str(loss.explain(b)) == text
    assert "dloss/dw = Σᵢ 1/3 · 2·(ŷᵢ − yᵢ) · xᵢ" in str(tg.explain(loss, w))


def test_symbols_and_numbers_side_by_side():
    w, x = Value(0.5, name="w"), Value(3.0, name="x")
    e = tg.explain((w * x - 3.0) ** 2, w)
    assert str(e).endswith(
        "  dL/dw = 2·(w·x − 3) · x\n"
        "        = 2·x·(w·x − 3)\n"
        "        = 2·(0.5·3 − 3) · 3\n"
        "        = (-3) · 3\n"
        "        = -9"
    )
    assert r"\frac{\mathrm{d} L}{\mathrm{d} w} &= 2 \cdot \left(w \cdot x - 3\right) \cdot x" in (
        e.latex()
    )


def test_without_sympy_the_formula_is_that_of_the_chain_rule(monkeypatch):
    monkeypatch.setattr(simplifying, "find_spec", lambda name: None)
    loss, _, b = the_post()
    text = str(tg.explain(loss, b))
    assert "dloss/db = Σᵢ 1/3 · 2·(ŷᵢ − yᵢ)\n" in text
    assert "w·xᵢ" not in text


def test_nothing_of_the_graph_changes():
    loss, w, b = the_post()
    before = tg.snapshot(loss)
    texts = [str(tg.explain(loss, b)), str(tg.explain(loss)), str(tg.compare(loss, w))]
    assert tg.snapshot(loss) == before
    assert (w.grad, b.grad, w.data) == (0.0, 0.0, 0.5)
    loss.backward()
    loss.backward()
    assert texts == [str(tg.explain(loss, b)), str(tg.explain(loss)), str(tg.compare(loss, w))]
    assert b.grad == pytest.approx(-11.0)


def test_interior_nodes_and_the_result_itself():
    x = Value(2.0, name="x")
    square = x * x
    square.name = "s"
    root = tg.sin(square)
    assert tg.explain(root, square).data()["sum"] == math.cos(4.0)
    assert "is the result itself" in str(tg.explain(root, root))
    assert tg.explain(root, root).data()["adjoint"] == 1.0


def test_where_no_gradient_flows():
    x, w = Value(3.0, name="x"), Value(2.0, name="w")
    stopped = tg.explain(tg.stop_gradient(x * x) * w, x)
    assert "L does not depend on x: the derivative is 0." in str(stopped)
    assert "where no gradient flows: through stop_gradient(x·x)." in str(stopped)
    both = tg.explain(tg.stop_gradient(x * x) * x, x)
    assert both.data()["adjoint"] == 9.0
    assert [stop["position"] for stop in both.data()["stops"]] == [0]
    c = Value(1.0, name="c", role="constant")
    assert "c is a constant: no gradient flows to it." in str(tg.explain(c * w, c))
    held = x * 2.0
    held.name, held.role = "held", "constant"
    assert "where no gradient flows: to held, a constant." in str(tg.explain(held * w, x))
    assert tg.explain(c * w, c).data()["paths"] == 0


def test_why_a_path_brings_nothing():
    x = Value(-2.0, name="x")
    text = str(tg.explain(tg.relu(x) * 3.0, x))
    assert "Nothing flows through relu(x): its local derivative, step(x), is 0." in text
    text = str(tg.explain(tg.sum([tg.relu(x * i) for i in (-1.0, 1.0, 2.0, -3.0, 4.0)]), x))
    assert "3 of them contribute nothing: they contain a factor 0." in text
    assert "Nothing flows" not in text


def test_namesakes_get_primes():
    a, b = Value(2.0, name="w₁"), Value(3.0, name="w₁")
    e = tg.explain(a * b, b)
    assert "dL/dw₁ = w₁′" in str(e)
    assert r"{w_{1}}^{\prime}" in e.latex()


def test_refusals():
    loss, w, _ = the_post()
    other = Value(0.5, "w")
    for of, by in ((3.0, None), (3.0, w), (loss, "w"), (loss, other)):
        with pytest.raises(GraphError, match="Received"):
            tg.explain(of, by)
    with pytest.raises(GraphError, match="Received"):
        tg.compare(loss, None)
    w.data = 1.0
    for call in (lambda: tg.explain(loss), lambda: tg.explain(loss, w),
                 lambda: tg.compare(loss, w)):  # fmt: skip
        with pytest.raises(StaleGraph):
            call()


def test_ids_are_those_of_the_snapshot():
    doubled = Value(3.0) * 2.0 + 1.0
    w = Value(1.5, name="w")
    loss = sum((w * 2.0 + doubled) for _ in range(3)) * w
    nodes = {node.id: node for node in tg.snapshot(loss).nodes}
    found = tg.explain(loss, w).data()
    assert nodes[found["by"]["id"]].name == "w"
    assert nodes[found["by"]["id"]].adjoint == found["adjoint"]
    for group in found["groups"]:
        for path in group["paths"]:
            for step in path["steps"]:
                node = nodes[step["node"]]
                assert node.args[step["position"]] == step["arg"]
                assert node.partials[step["position"]] == step["local"]


# ── nan and inf ───────────────────────────────────────────────────────────────────────────


def test_a_nan_is_followed_to_its_birth():
    x = Value(-1.0, name="x")
    with tg.scope("sample 3"):
        bad = tg.log(x)
    loss = (bad + 1.0) * 2.0 + tg.exp(Value(1000.0, name="big"))
    for e in (tg.explain(loss), tg.explain(loss, x)):
        births = e.data()["births"]
        assert [(birth["op"], birth["operands"]) for birth in births] == [
            ("log", [-1.0]), ("exp", [1000.0])]  # fmt: skip
        assert "v1 = log(x) is nan (in sample 3), though its operands are not: x = -1." in str(e)
        json.dumps(e.data())
    assert "adjoint" in tg.explain(loss, x).data()


def test_zero_times_infinity_in_the_gradient():
    x = Value(0.0, name="x")
    e = tg.explain(tg.sqrt(x) * 0.0 + x, x)
    assert "local derivative inf × upstream 0 = nan" in str(e)
    assert "guard the argument" in str(e)
    (birth,) = e.data()["births"]
    assert birth["operands"] == [math.inf, 0.0]
    assert math.isnan(e.data()["adjoint"])
    assert math.isnan(e.data()["sum"])


def test_an_infinite_leaf_is_told():
    x = Value(math.inf, name="x")
    assert "x is inf from the start" in str(tg.explain(x - x))


@given(st.lists(strategies.any_floats(), min_size=2, max_size=4))
def test_any_numbers_at_all(numbers):
    leaves = [Value(x, name=f"x{i}") for i, x in enumerate(numbers)]
    y = leaves[0]
    for leaf in leaves[1:]:
        y = tg.relu(y * leaf) + tg.maximum(y, leaf) / leaf
    for e in (tg.explain(y, leaves[0]), tg.explain(y)):
        well_formed(e)


# ── Formulas ──────────────────────────────────────────────────────────────────────────────


def point(op: Op, at: float) -> list[float]:
    ranges = op.sample if op.arity is not None else op.sample * 3
    return [max(low, -2.0) + (min(high, 3.0) - max(low, -2.0)) * (at + 0.1 * i)
            for i, (low, high) in enumerate(ranges)]  # fmt: skip


def terms(numbers: list[float]) -> list[Term]:
    return [Term.named(Math("xyz"[i], "xyz"[i]), x) for i, x in enumerate(numbers)]


def applied(op: Op, args: list[Any]) -> Any:
    return op(*args) if op.arity is not None else op(args)


@pytest.mark.parametrize("name", sorted(BUILT_IN))
def test_the_partials_of_every_row_are_traced(name):
    op = tg.TABLE[name]
    for at in (0.2, 0.45, 0.7):
        numbers = point(op, at)
        symbols = terms(numbers)
        out = op.compute(*numbers)
        locals = op.locals(out, numbers, [True] * len(numbers))
        result = Term(op, tuple(symbols), (out,))
        for i, local in enumerate(locals):
            if local is None:
                continue
            traced = partial(op, i, result, symbols, [local])
            assert close(traced.values[0], local)
            assert "∂" not in traced.math().text, "the rule was not traced"
            balanced(traced.math().tex)


def by_text(text: str, names: dict[str, float]) -> float:
    """A formula as a terminal shows it, computed by Python."""
    text = re.sub(r"[⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+", lambda found: "**(" + found[0].translate(PLAIN) + ")", text)
    text = re.sub(r"√([\w.]+)", r"√(\1)", text.replace("ᵗ", "**t").replace("^", "**"))
    text = re.sub(r"\|([^|]*)\|", r"abs(\1)", text)
    for sign, python in {"·": "*", "−": "-", "√": "sqrt", "σ": "sigmoid", "Σᵢ": ""}.items():
        text = text.replace(sign, python)
    return float(eval(text, {"max": max, "min": min, **ROWS, **names}))


PLAIN = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")
ROWS = {name: row for name, row in tg.TABLE.items() if row.arity == 1}


def by_tex(tex: str, names: dict[str, float]) -> float:
    """A formula in TeX, computed by Python: braces are taken away from the inside out."""
    tex = tex.replace(r"\left", "").replace(r"\right", "").replace("\\\\", "")
    before = ""
    while tex != before:
        before = tex
        tex = re.sub(r"\\frac\{([^{}]*)\}\{([^{}]*)\}", r"((\1)/(\2))", tex)
        tex = re.sub(r"\{([^{}]*)\}\^\{([^{}]*)\}", r"((\1)**(\2))", tex)
        tex = re.sub(r"\\sqrt\{([^{}]*)\}", r"sqrt(\1)", tex)
        tex = re.sub(r"(?<!\w)e\^\{([^{}]*)\}", r"exp(\1)", tex)
    tex = tex.replace(r"\sigma", "sigmoid").replace(r"\cdot", "*")
    return float(eval(re.sub(r"\\([a-z]+)", r"\1", tex), {**ROWS, **names}))


@st.composite
def random_terms(draw: st.DrawFn) -> Term:
    made = [Term.named(Math(n, n), float(draw(st.integers(-4, 4)))) for n in "xyz"]
    made.append(Term.number(float(draw(st.integers(-3, 3)))))
    rows = [ops.add, ops.sub, ops.mul, ops.div, ops.neg, ops.square, ops.sin, ops.exp, ops.sum,
            ops.reciprocal, ops.sigmoid, ops.sqrt, ops.tanh, ops.pow]  # fmt: skip
    for _ in range(draw(st.integers(1, 8))):
        op = draw(st.sampled_from(rows))
        args = [draw(st.sampled_from(made)) for _ in range(op.arity or 3)]
        if op is ops.pow:
            args[1] = Term.number(float(draw(st.integers(-3, 3))))
        made.append(applied(op, args))
    return made[-1]


A, B, C = (Term.named(Math(n, n), x) for n, x in (("a", 2.0), ("b", 3.0), ("c", 5.0)))


@pytest.mark.parametrize(
    ("term", "text", "tex"),
    [
        (A - (B - C), "a − (b − c)", r"a - \left(b - c\right)"),
        (A - B - C, "a − b − c", "a - b - c"),
        (A + (B + C), "a + (b + c)", r"a + \left(b + c\right)"),
        (A * (B + C), "a·(b + c)", r"a \cdot \left(b + c\right)"),
        (A / (B * C), "a/(b·c)", r"\frac{a}{b \cdot c}"),
        (A / (B / C), "a/(b/c)", r"\frac{a}{\frac{b}{c}}"),
        ((A + B) / C, "(a + b)/c", r"\frac{a + b}{c}"),
        (-(A + B), "−(a + b)", r"-\left(a + b\right)"),
        (ops.square(-A), "(−a)²", r"{\left(-a\right)}^{2}"),
        (-ops.square(A), "−a²", r"-{a}^{2}"),
        (ops.square(ops.square(A)), "(a²)²", r"{\left({a}^{2}\right)}^{2}"),
        ((A**B) ** C, "(a^b)^c", r"{\left({a}^{b}\right)}^{c}"),
        (A**-2.0, "a⁻²", r"{a}^{-2}"),
        (A * -B, "a·(−b)", r"a \cdot \left(-b\right)"),
        (A + -B, "a + (−b)", r"a + \left(-b\right)"),
        (A * -2.5, "a·(-2.5)", r"a \cdot \left(-2.5\right)"),
        (ops.exp(A + B) * C, "exp(a + b)·c", r"e^{a + b} \cdot c"),
        (ops.sqrt(A) * ops.sqrt(A + B), "√a·√(a + b)", r"\sqrt{a} \cdot \sqrt{a + b}"),
        (ops.tanh(A - B) ** 3.0, "tanh(a − b)³",
         r"{\left(\tanh\left(a - b\right)\right)}^{3}"),
        (ops.sum([A, -B, C]) * 2.0, "(a + (−b) + c)·2",
         r"\left(a + \left(-b\right) + c\right) \cdot 2"),
        (A * 1.0 + 0.0 * B, "a", "a"),
        (A * 1e-9, "a·1e-09", r"a \cdot 1 \times 10^{-9}"),
        (1.0 / 3.0 + A * 0.5, "0.333333 + a·0.5", r"0.333333 + a \cdot 0.5"),
        (Term.number(1.0) / 3.0, "1/3", r"\frac{1}{3}"),
        (Term.number(1.0) / 4.0, "0.25", "0.25"),
        (Term.number(math.inf) * A, "inf·a", r"\infty \cdot a"),
    ],
)  # fmt: skip
def test_formulas_in_print(term, text, tex):
    assert term.math() == (text, tex)


@given(random_terms())
def test_printed_formulas_mean_what_they_say(term):
    names = {"x": 0.0, "y": 0.0, "z": 0.0}
    todo = [term]
    while todo:
        each = todo.pop()
        todo += each.args
        if each.symbol is not None and each.symbol.text in names:
            names[each.symbol.text] = each.values[0]
    (value,) = term.values
    if not math.isfinite(value) or abs(value) > 1e6 or "⋯" in term.math().text:
        return
    written = term.math()
    for read, formula in ((by_text, written.text), (by_tex, written.tex)):
        try:
            got = read(formula, names)
        except (ArithmeticError, ValueError):  # Python's own arithmetic is not IEEE's
            continue
        if isinstance(got, float) and math.isfinite(got):
            assert got == pytest.approx(value, rel=1e-4, abs=1e-6), formula


@given(random_terms())
def test_simplified_formulas_mean_the_same(term):
    shorter = simplifying.simplified(term)
    if shorter is not None and all(map(math.isfinite, term.values)):
        assert shorter.values == pytest.approx(term.values, rel=1e-8)
        balanced(shorter.math().tex)


def test_what_sympy_shortens_and_what_is_not_believed():
    pytest.importorskip("sympy")
    shorter = simplifying.simplified(A * -2.0 + A * -3.0)
    assert shorter is not None
    assert shorter.math().text == "−5·a"
    thirds = simplifying.simplified(A * 2.0 * (B * C + A) / 3.0)
    assert thirds is not None
    assert thirds.math().text == "2·a·(a + b·c)/3"
    zero = Term.named(Math("z", "z"), 0.0)
    assert simplifying.simplified(zero / zero) is None  # sympy says 1, but it is nan here
    assert simplifying.simplified(sum([ops.sin(A)] * 100, A)) is None  # too large to try


@given(strategies.graphs(max_steps=6))
def test_the_formulas_of_a_gradient_give_its_number(example):
    leaves = example.leaves()
    root = example.expression(*leaves)
    for leaf in leaves:
        try:
            e = tg.explain(root, leaf)
        except GraphError:
            continue  # the expression does not use it
        well_formed(e)
        assert e.data()["sum"] == pytest.approx(e.data()["adjoint"], rel=1e-9, abs=1e-9)


def test_derivatives_by_sympy():
    """d/dx of each row that sympy knows, against the row's rule traced as a formula."""
    sympy = pytest.importorskip("sympy")
    x, y = sympy.symbols("x y", real=True)
    s = sympy
    known = {
        "add": x + y, "sub": x - y, "mul": x * y, "div": x / y, "neg": -x, "square": x**2,
        "reciprocal": 1 / x, "pow": x**y, "exp": s.exp(x), "expm1": s.exp(x) - 1, "log": s.log(x),
        "log1p": s.log(1 + x), "log2": s.log(x, 2), "log10": s.log(x, 10), "sqrt": s.sqrt(x),
        "cbrt": x ** s.Rational(1, 3), "sin": s.sin(x), "cos": s.cos(x), "tan": s.tan(x),
        "asin": s.asin(x), "acos": s.acos(x), "atan": s.atan(x), "atan2": s.atan2(x, y),
        "sinh": s.sinh(x), "cosh": s.cosh(x), "tanh": s.tanh(x), "asinh": s.asinh(x),
        "acosh": s.acosh(x), "atanh": s.atanh(x), "hypot": s.sqrt(x**2 + y**2), "erf": s.erf(x),
        "erfc": s.erfc(x), "sigmoid": 1 / (1 + s.exp(-x)), "softplus": s.log(1 + s.exp(x)),
        "log_sigmoid": -s.log(1 + s.exp(-x)), "silu": x / (1 + s.exp(-x)), "identity": x,
        "log_cosh": s.log(s.cosh(x)), "logaddexp": s.log(s.exp(x) + s.exp(y)),
        "mish": x * s.tanh(s.log(1 + s.exp(x))), "exp2": 2**x, "xlogy": x * s.log(y),
        "logit": s.log(x / (1 - x)), "degrees": x * 180 / s.pi, "radians": x * s.pi / 180,
        "softsign": x / (1 + s.Abs(x)),
        "gelu": x * (1 + s.erf(x / s.sqrt(2))) / 2, "tanh_shrink": x - s.tanh(x),
        "squareplus": (x + s.sqrt(x**2 + y)) / 2, "celu": y * (s.exp(x / y) - 1),
        "gaussian": s.exp(-(x**2) / 2), "sech2": 1 / s.cosh(x) ** 2,
    }  # fmt: skip
    places = {"acosh": 1.7, "celu": -0.7}
    for name, formula in known.items():
        op = tg.TABLE[name]
        numbers = [places.get(name, 0.6), 0.4][: op.arity]
        symbols = terms(numbers)
        out = op.compute(*numbers)
        at = dict(zip((x, y), numbers))
        assert float(formula.subs(at)) == pytest.approx(out), name
        for i, local in enumerate(op.locals(out, numbers, [True] * len(numbers))):
            traced = partial(op, i, Term(op, tuple(symbols), (out,)), symbols, [local])
            slope = float(s.diff(formula, (x, y)[i]).subs(at))
            assert traced.values[0] == pytest.approx(slope, rel=1e-9), name


def test_a_rule_that_cannot_be_traced_is_a_symbol():
    row = op("math_only", lambda x: math.sin(x), [lambda out, x: math.cos(x)])
    try:
        x = Value(0.5, name="x")
        e = tg.explain(row(x) * 2.0, x)
        assert e.data()["sum"] == 2.0 * math.cos(0.5)
        (step, _) = e.data()["groups"][0]["paths"][0]["steps"][::-1]
        assert step["local"] == math.cos(0.5)
        assert "0.877583" in str(e)
        sly = op("math_only", math.sin, [lambda out, x: x * (2.0 if type(x) is float else 5.0)])
        assert "5·x" not in str(tg.explain(sly(x), x))  # the formula would not be what it does
        many = tg.explain(tg.sum([row(x * i) for i in (1.0, 2.0)]), x)
        assert "∂math_only/∂x" in str(many)
        balanced(many.latex())
    finally:
        del tg.TABLE["math_only"]


# ── Outputs ───────────────────────────────────────────────────────────────────────────────


def balanced(tex: str) -> None:
    """Braces, brackets and environments of TeX that close as they opened."""
    plain = re.sub(r"\\[\\{}$&#%_]", "", tex)
    depth = 0
    for char in plain:
        depth += (char == "{") - (char == "}")
        assert depth >= 0, tex
    assert depth == 0, tex
    assert plain.count(r"\left") == plain.count(r"\right"), tex
    begun = re.findall(r"\\(begin|end)\{([a-z*]+)\}", plain)
    stack: list[str] = []
    for what, name in begun:
        if what == "begin":
            stack.append(name)
        else:
            assert stack.pop() == name
    assert not stack


def escaped(tex: str) -> None:
    """Paragraphs of LaTeX without signs that it reads, outside of mathematics."""
    plain = re.sub(r"\\[\\{}$&#%_]", "", tex)
    outside = re.sub(r"\$[^$]*\$", "", re.sub(r"\\begin\{(align\*|equation\*)\}.*?\\end\{\1\}", "",
                                             plain, flags=re.S))  # fmt: skip
    assert "$" not in outside
    assert not re.search(r"[&#%_^~]", outside), outside


def well_formed(e: Explanation) -> None:
    text, latex, markdown = str(e), e.latex(), e.markdown()
    assert all(columns(line) <= 80 for line in text.splitlines()), text
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\ud800-\udfff]", text)
    balanced(latex)
    escaped(latex)
    assert not re.search(r"<[A-Za-z/!?]", markdown)
    assert not re.search(r"(?<!\\)\\(input|write|def|catcode|href|include)\b", latex)
    for block in re.findall(r"(?:^\| .*\n)+", markdown, re.M):
        assert len({len(re.findall(r"(?<!\\)\|", row)) for row in block.splitlines()}) == 1
    json.dumps(e.data())


ATTACKS = [
    r"\input{/etc/passwd}", "</script><script>alert(1)</script>", "<img src=x onerror=alert(1)>",
    "$$", "a|b", "x" * 10_000, r"}\end{align*}", "**bold**", "[a](javascript:b)", "&lt;b&gt;",
    "ŷ", "θ₂", "w_1", "家", "\x1b[31m", r"\left(", "<!--", "a\nb", "l'Hôpital", "½", "%",
    "e\u0301", "\u200b", "100% of {a_b} ~ #1 & $2^3", "`code`", "{{x}}",
]  # fmt: skip
NASTY = st.one_of(
    st.text(max_size=20),
    st.text("\\{}$&#%_^~<>|`*[]\"'\n\r\t\x00\x1b\u202e\ud800 ab", max_size=30),
    st.sampled_from(ATTACKS),
)


@pytest.mark.parametrize("name", ATTACKS, ids=range(len(ATTACKS)))
def test_no_attack_breaks_out(name):
    a, b = Value(0.5, name=name), Value(2.0, name="b")
    with tg.scope(name.replace("/", " ") + " 1"):
        c = a * b + tg.log(a - 0.5)
        c.name = name
    with tg.scope(name.replace("/", " ") + " 2"):
        d = a * b + tg.log(a - 0.5)
        d.name = name
    rule = nn.Adam([a])
    for e in (
        tg.explain(c + d, a),
        tg.explain(c + d),
        tg.compare(c, a),
        tg.explain_update(rule, a),
    ):
        well_formed(e)


@given(NASTY, NASTY, NASTY)
def test_no_name_breaks_out(first, second, third):
    a, b = Value(0.5, name=first), Value(2.0, name=second)
    with tg.scope(third.strip() or "s"):
        c = a * b + tg.log(a)
        c.name = third
    loss = c**2 + a
    for e in (tg.explain(loss, a), tg.explain(loss), tg.compare(loss, a)):
        well_formed(e)
    assert tg.explain(loss, a).data()["by"]["name"] == first
    visible = first.strip()
    if re.fullmatch(r"[\w ]{1,20}", visible) and visible != second.strip():
        assert visible in str(tg.explain(loss, a))


@pytest.mark.parametrize(
    ("name", "tex"),
    [("x", "x"), ("w₁₂", "w_{12}"), ("x_3", "x_{3}"), ("ŷ", r"\hat{y}"), ("θ", r"\theta"),
     ("Θ", r"\Theta"), ("loss", r"\mathrm{loss}"), ("λ2", r"\lambda_{2}"), ("", r"\mathrm{}"),
     ("a b", r"\mathrm{a\ b}"), ("家", r"\mathrm{\text{家}}"), ("}", r"\mathrm{\}}")],
)  # fmt: skip
def test_names_in_tex(name, tex):
    assert tex_name(name) == tex


def everything() -> list[Explanation]:
    """One explanation of each kind, and the formulas of every row."""
    loss, w, b = the_post()
    found = [tg.explain(loss, w), tg.explain(loss), tg.compare(loss, b, h=[0.1, 0.01])]
    for rule in nn.OPTIMIZERS.values():
        weight = Value(1.0, name="w_1")
        (weight * weight).backward()
        found.append(tg.explain_update(rule([weight]), weight))
    for name in sorted(BUILT_IN):
        op = tg.TABLE[name]
        leaves = [Value(x, name=n) for n, x in zip("abc", point(op, 0.7))]
        made = applied(op, leaves)
        found.append(tg.explain(made * made, leaves[0]))
    odd = Value(2.0, name=r"50%_{a}^~\#&$ é <b>|`" + "'\"")
    found.append(tg.explain(tg.log(odd - 2.0) * tg.stop_gradient(odd) * odd, odd))
    return found


def test_every_output_is_well_formed():
    for e in everything():
        well_formed(e)


@pytest.mark.skipif(not shutil.which("pdflatex"), reason="there is no pdflatex here")
def test_the_latex_compiles(tmp_path):
    every = everything()
    for name in [*filter(str.isascii, ATTACKS), "ŷ", "θ₂", "½", "naïve Ω", "loss"]:
        a = Value(0.5, name=name)
        with tg.scope(name):
            every += [tg.explain(tg.log(a * 2.0 - 1.0) * a, a), tg.explain(tg.log(a - 0.5) * a)]
    body = "\n\n".join(e.latex() for e in every)
    (tmp_path / "all.tex").write_text(
        r"\documentclass{article}\usepackage[T1]{fontenc}\usepackage{amsmath}\begin{document}"
        + body
        + r"\end{document}",
        encoding="utf-8",
    )
    run = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "all.tex"],
        cwd=tmp_path, capture_output=True, text=True, errors="replace", check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stdout[-3000:]


def test_what_a_notebook_shows():
    loss, _, b = the_post()
    e = tg.explain(loss, b)
    bundle = e._repr_mimebundle_()
    assert bundle["text/plain"] == str(e) == repr(e)
    assert bundle["text/markdown"] == e.markdown()
    assert "$$\n\\begin{aligned}" in bundle["text/markdown"]
    assert "| sample 3 | $0.333333$ |" in bundle["text/markdown"]


def test_long_sums_are_broken():
    w = Value(1.0, name="w")
    long = tg.explain((tg.sum([w * Value(1.0, name=f"number_{i}") for i in range(9)])) ** 2, w)
    assert r"&\quad" in long.latex()
    well_formed(long)
    inner = " + ".join(["x"] * 60)
    lines = _broken(rf"a + \left({inner}\right) \cdot \frac{{{inner}}}{{2}} + b + c")
    assert len(lines) == 3
    for line in lines:
        balanced(line)


def test_the_same_in_every_process():
    program = (
        "import tinygrad_edu as tg; x = tg.Value(0.5, name='x'); y = tg.Value(2.0, name='y');"
        "l = tg.sum([tg.sin(x * y) * i for i in (1.0, 2.0)]) + x * y / (x + y);"
        "e = tg.explain(l, x); print(e, e.latex(), e.markdown(), e.data(), tg.explain(l))"
    )
    outputs = {
        subprocess.check_output(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONIOENCODING": "utf-8"},
        )
        for seed in ("1", "2")
    }
    assert len(outputs) == 1


def test_counts():
    assert counted(2**40) == "1,099,511,627,776"
    assert counted(2**200) == "1.61e+60"
    assert counted(MANY) == "more than 1e+1000"


# ── The forward story ─────────────────────────────────────────────────────────────────────


def test_the_story_of_the_post():
    loss, _, _ = the_post()
    text = str(tg.explain(loss))
    assert "Given: w = 0.5 (parameter), b = 0.25 (parameter)." in text
    assert "ŷ = w·x + b = 0.5·1 + 0.25 = 0.75" in text
    assert text.count("ŷ = ") == 1  # one sample in full, the others as rows
    assert re.search(r"sample 3 +3 +6 +1.75 +18.0625\n", text)
    lines = tg.explain(loss).data()["lines"]
    assert [line["name"] for line in lines] == ["ŷ", None, "loss"]
    assert lines[-1]["value"] == loss.data
    assert "It is a leaf: it was given, not computed." in str(tg.explain(Value(1.0)))


def test_what_is_used_twice_has_a_line():
    x = Value(0.5, name="x")
    y = x * x
    text = str(tg.explain(y + tg.sin(y)))
    assert "  v1 = x·x = 0.5·0.5 = 0.25\n" in text
    assert "L = v1 + sin(v1) = 0.25 + sin(0.25) = " in text


def test_a_long_story_is_cut():
    y = x = Value(0.5, name="x")
    for _ in range(500):
        y = tg.sin(y) + x
    e = tg.explain(y)
    assert len(str(e).splitlines()) < 200
    assert re.search(r"… \d+ more lines …", str(e))
    assert e.data()["operations"] == 1000


def test_many_samples_have_few_rows():
    loss, _, _ = the_post(200)
    text = str(tg.explain(loss))
    assert "… and 190 more." in text
    assert re.search(r"(v\d+) = Σ of 200 terms = .*\n  loss = \1/200 = ", text)
    assert len(text.splitlines()) < 50


@given(strategies.graphs())
def test_every_line_of_a_story_gives_its_number(example):
    root = example.expression(*example.leaves())
    e = tg.explain(root)
    well_formed(e)
    values = {node.id: node.data for node in tg.snapshot(root).nodes}
    for line in e.data()["lines"]:
        assert values[line["id"]] == line["value"]
    if root.op is not None:
        assert e.data()["lines"][-1]["id"] == max(values)


# ── Updates ───────────────────────────────────────────────────────────────────────────────

SETTINGS: dict[str, dict[str, Any]] = {
    "sgd": {"momentum": 0.9, "nesterov": True}, "adam": {"amsgrad": True},
    "rmsprop": {"momentum": 0.5, "centered": True},
    "ftrl": {"l1_regularization_strength": 0.01, "beta": 0.5, "learning_rate": 0.1},
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(nn.OPTIMIZERS))
@pytest.mark.parametrize("extra", [{}, {"weight_decay": 0.1, "clipvalue": 1.5}])
def test_the_formulas_of_every_rule_give_its_numbers(name, extra):
    w = Value(1.25, name="w")
    rule = nn.OPTIMIZERS[name]([w], **{**SETTINGS.get(name, {}), **extra})
    for _ in range(3):
        w.grad = 0.0
        (w * w * w).backward()
        told = rule.update_of(w)
        state = rule.state_dict()
        e = tg.explain_update(rule, w)
        assert rule.state_dict() == state
        assert w.data == told.before
        found = e.data()
        assert found["after"] == told.after
        assert found["memory"] == told.memory
        formulas = {line["left"]: line["formula"] for line in found["formulas"]}
        names: dict[str, float] = {"g": told.clipped, "α": told.learning_rate, "w": told.decayed,
                                   "t": float(rule.iterations + 1)}  # fmt: skip
        greek = {"momentum": "μ", "beta_1": "β1", "beta_2": "β2", "epsilon": "ε", "rho": "ρ",
                 "beta": "β", "learning_rate_power": "p", "l1_regularization_strength": "l1",
                 "l2_regularization_strength": "l2"}  # fmt: skip
        names |= {greek[k]: v for k, v in rule.settings().items() if k in greek}
        for key, x in rule.memory[0].items():
            names[f"{key}_old"] = x
        for key, x in told.memory.items():
            names[key] = x
            formula = readable(formulas[f"{key}ₜ"])
            assert by_text(formula, {**names, "clip": ops.clip}) == pytest.approx(x, rel=1e-9)
        if "decayed w" in formulas:
            decayed = by_text(
                formulas["decayed w"], {**names, "w": told.before, "λ": rule.weight_decay}
            )
            assert decayed == pytest.approx(told.decayed, rel=1e-12)
        after = by_text(readable(formulas["new w"]), {**names, "clip": ops.clip})
        assert after == pytest.approx(told.after, rel=1e-9)
        rule.step()


def readable(formula: str) -> str:
    """Subscripts as Python names have them."""
    formula = formula.replace("decayed w", "w").replace("ₜ₋₁", "_old").replace("ₜ", "")
    return formula.translate(str.maketrans("₁₂", "12"))


def test_a_rule_of_a_users():
    from dataclasses import dataclass

    @dataclass(eq=False, repr=False)
    class Signs(nn.Optimizer):
        def update(self, w, g, rate, t, old):
            return (w - rate if g > 0 else w + rate), {}

    @dataclass(eq=False, repr=False)
    class Untraceable(nn.Optimizer):
        def update(self, w, g, rate, t, old):
            return w - rate * math.copysign(1.0, g), {}

    @dataclass(eq=False, repr=False)
    class Sly(nn.Optimizer):
        def update(self, w, g, rate, t, old):
            return w - rate * (2.0 if type(g) is float else 3.0), {}

    w = Value(1.0, name="w")
    (w * w).backward()
    assert tg.explain_update(Sly([w], 0.25), w).data()["formulas"] is None
    assert "new w = w − α\n" in str(tg.explain_update(Signs([w], 0.25), w))
    e = tg.explain_update(Untraceable([w], 0.25), w)
    assert "can't be written as a formula" in str(e)
    assert e.data()["after"] == 0.75
    assert e.data()["formulas"] is None


def test_updates_that_cannot_be_told():
    w = Value(1.0)
    with pytest.raises(BadArgument, match="is not a parameter"):
        tg.explain_update(nn.SGD([Value(1.0)]), w)
    with pytest.raises(BadArgument, match="An optimizer is needed"):
        tg.explain_update("sgd", w)
    with pytest.raises(BadArgument, match="must be a Value"):
        tg.explain_update(nn.SGD([w]), 1.0)
    with pytest.raises(BadArgument, match="no parameters yet"):
        tg.explain_update(nn.SGD(), w)


# ── Comparing ─────────────────────────────────────────────────────────────────────────────


@given(strategies.graphs())
def test_nudging_is_evaluating_again(example):
    expression, at = example
    leaves = example.leaves()
    try:
        e = tg.compare(expression(*leaves), leaves[0], h=0.125)
    except GraphError:
        return
    (nudge,) = e.data()["nudges"]
    assert repr(nudge["above"]) == repr(expression(at[0] + 0.125, *at[1:]))
    assert repr(nudge["below"]) == repr(expression(at[0] - 0.125, *at[1:]))
    well_formed(e)


def test_the_default_step_is_a_good_one():
    for scale in (1e-3, 1.0, 1e4):
        x = Value(0.7 * scale, name="x")
        e = tg.compare(tg.sin(x / scale), x)
        (nudge,) = e.data()["nudges"]
        if scale >= 1.0:
            assert nudge["central"] == pytest.approx(math.cos(0.7) / scale, rel=1e-8)
        assert "the central difference" in str(e)


def test_a_kink_within_the_step_is_named():
    x = Value(0.0, name="x")
    e = tg.compare(tg.relu(x + 1e-9) * 2.0, x)
    assert "kink" in str(e)
    assert [node["name"] for node in e.data()["kinks"]] == [None]
    assert tg.compare(tg.relu(x + 1.0), x).data()["kinks"] == []


def test_several_steps_show_the_valley():
    x = Value(1.0, name="x")
    e = tg.compare(tg.exp(x), x, h=[0.1, 1e-5, 1e-13])
    off = [abs(nudge["central"] - math.e) for nudge in e.data()["nudges"]]
    assert off[1] < off[0]
    assert off[1] < off[2]
    assert "drown in rounding" in str(e)


@pytest.mark.parametrize("h", [0.0, -1.0, math.nan, math.inf, "1", [], [1.0, -1.0], 1e-30])
def test_steps_that_make_no_sense(h):
    x = Value(1.0)
    with pytest.raises(BadArgument, match="Received"):
        tg.compare(x * x, x, h=h)


# ── Size ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.thorough
def test_a_million_operations():
    y = x = Value(1.0, name="x")
    for _ in range(500_000):
        y = y * 0.9999999
    e = tg.explain(y, x)
    assert e.data()["sum"] == pytest.approx(y.data)
    assert len(str(e)) < 5000
    assert len(str(tg.explain(y))) < 20_000
    wide = tg.sum([x * i for i in range(300_000)])
    assert tg.explain(wide, x).data()["paths"] == 300_000
