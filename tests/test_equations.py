"""Every equation that a page or an explanation prints holds, on random graphs."""

from __future__ import annotations

import itertools
import json
import math
import os
import random
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any

import pytest

import tinygrad_edu as tg
from tests.equations import Reader, wrong
from tinygrad_edu import Value, keras
from tinygrad_edu.core.spelling import NAME
from tinygrad_edu.drawing.layout import rules_js
from tinygrad_edu.explaining.document import Formula, Table, Title
from tinygrad_edu.explaining.formulas import Formulas
from tinygrad_edu.explaining.gradients import gradient
from tinygrad_edu.explaining.narrative import narrative
from tinygrad_edu.explaining.notation import Math
from tinygrad_edu.exploring import javascript
from tinygrad_edu.exploring.naming import alike, definition, labels, samples
from tinygrad_edu.exploring.page import columns
from tinygrad_edu.snapshots import Graph
from tinygrad_edu.strings import as_superscript

ONE = [tg.tanh, tg.exp, tg.sigmoid, tg.relu, tg.sin, tg.softplus, tg.square, tg.abs, tg.neg,
       tg.cos, tg.identity, tg.reciprocal, lambda x: x**3,
       lambda x: 2.0 / (x * x + 1.0)]  # fmt: skip
TWO = [tg.add, tg.mul, tg.sub, tg.maximum, tg.hypot, tg.mul, lambda x, y: x / (y * y + 1.0),
       tg.logaddexp, lambda x, y: tg.where(tg.less(x, y), x, y * 2.0)]  # fmt: skip
MANY = [tg.sum, tg.sum, tg.logsumexp, lambda xs: tg.sum(xs) / len(xs)]


def plain_graph(rng: random.Random) -> Value:
    """Operations of all kinds over a few leaves, which are used several times, also twice by one
    operation; some of them have the same name."""
    nodes = [
        Value(rng.choice([rng.uniform(-2.0, 2.0), rng.randint(1, 9), -0.0]), name, role)
        for name, role in [("x", "parameter"), ("w", "parameter"), (rng.choice("wvx"), None),
                           (None, None), ("w₁", rng.choice(["parameter", "input"]))]
    ]  # fmt: skip
    for _ in range(rng.randint(1, 9)):
        a, b = rng.choice(nodes[-4:]), rng.choice([*nodes, nodes[-1]])
        kind = rng.random()
        if kind < 0.2:
            made = a * a if kind < 0.1 else a / (a + 10.0)
        elif kind < 0.35:
            made = rng.choice(MANY)([rng.choice(nodes) for _ in range(rng.randint(2, 6))])
        elif kind < 0.65:
            made = rng.choice(ONE)(a)
        else:
            made = rng.choice(TWO)(a, b)
        if rng.random() < 0.15:
            made = made * rng.choice([2.0, -3.0, 0.125])
        if not abs(made.data) < 1e5:
            made = tg.tanh(made)
        if rng.random() < 0.3:
            made.name = rng.choice(["h", "error", "s", "y", "h"])
        nodes.append(made)
    loss = nodes[-1] * 1.0 if rng.random() < 0.5 else nodes[-1] + nodes[-2]
    if rng.random() < 0.7:
        loss.name = rng.choice(["loss", "L", "z", "a + b"])
    return loss


def sampled_graph(rng: random.Random) -> Value:
    """A small model with a loss over several samples."""
    w, b = Value(rng.uniform(-2, 2), "w", "parameter"), Value(rng.randint(-2, 2), "b", "parameter")
    inside = rng.choice([tg.identity, tg.tanh, lambda x: x * x, tg.square])
    compare = rng.choice([lambda p, y: (p - y) ** 2, lambda p, y: tg.abs(p - y),
                          lambda p, y: tg.softplus(p * -y),
                          lambda p, y: (p - y) * (p - y)])  # fmt: skip
    losses = []
    plain, named = rng.random() < 0.2, rng.random() < 0.7
    for i in range(1, rng.choice([2, 3, 4, 7]) + 1):
        with tg.scope(f"sample {i}"):
            x = float(i) if plain else Value(rng.randint(1, 9), f"x{i}", "input")
            y = Value(rng.uniform(-5.0, 5.0), "y", "target")
            guess = inside(w * x + b)
            if named:
                guess.name = "ŷ"
            losses.append(compare(guess, y))
    total = rng.choice([tg.sum, tg.sum, lambda xs: sum(xs[1:], xs[0])])(losses)
    loss = total / len(losses) if rng.random() < 0.7 else total * 1.0
    if rng.random() < 0.3:
        loss = loss + w * w * 0.1
    loss.name = "loss"
    return loss


LOSSES = ["huber", "binary_crossentropy", "mean_absolute_error", "hinge", "log_cosh", "poisson",
          "sparse_categorical_crossentropy", "categorical_crossentropy",
          "mean_squared_error"]  # fmt: skip


def model_graph(rng: random.Random) -> Value:
    """A compiled model with a loss of Keras over two or three samples."""
    loss, inputs, count = rng.choice(LOSSES), rng.choice([1, 2]), rng.choice([2, 3])
    classes = 3 if "categorical" in loss else 1
    last = {"binary_crossentropy": "sigmoid", "poisson": "exponential"}.get(loss, "linear")
    last = "softmax" if classes > 1 else last
    hidden = [keras.layers.Dense(2, "relu")] if rng.random() < 0.3 else []
    model = keras.Sequential([*hidden, keras.layers.Dense(classes, last)])
    model.compile("sgd", loss)
    xs = [[float(rng.randint(-3, 4)) for _ in range(inputs)] for _ in range(count)]
    ys: list[Any] = [rng.randrange(3) if classes > 1 else rng.choice([0, 1]) for _ in xs]
    if loss in ("huber", "mean_absolute_error", "log_cosh", "mean_squared_error"):
        ys = [rng.uniform(-4.0, 4.0) for _ in xs]
    if loss == "categorical_crossentropy":
        ys = [[float(k == y) for k in range(3)] for y in ys]
    model.build([inputs])
    for parameter in model.parameters():
        parameter.data = rng.choice([rng.uniform(-1.5, 1.5), float(rng.randint(-1, 2))])
    return model.loss_graph(xs, ys)


def kinked_graph(rng: random.Random) -> Value:
    """Ties and kinks, powers, shared parts and long sums, at whole numbers."""
    whole = [-2.0, -1.0, 0.0, 1.0, 2.0, 3.0]
    x, y, w = (Value(rng.choice(whole), name, "parameter") for name in ("x", "y", "w"))
    one = [tg.relu, tg.abs, lambda a: tg.maximum(a, 0.0), lambda a: tg.maximum(a, a),
           lambda a: tg.clip(a, -1.0, 1.0), lambda a: tg.minimum(a, 1.0),
           lambda a: tg.leaky_relu(a)]  # fmt: skip
    shared = rng.choice(one)(x * w - y)
    shared.name = rng.choice(["h", None])
    terms = [
        shared * rng.choice([x, y, 2.0]), rng.choice(one)(shared + x) ** rng.choice([2, 3]),
        (x + 4.0) ** rng.choice([y, 2.5, -1]), tg.maximum(x, y) * shared,
        tg.hypot(shared, w), tg.norm([x, y, shared]), tg.logsumexp([x, shared, x]),
    ]  # fmt: skip
    chosen = rng.sample(terms, rng.randint(2, 6))
    loss = tg.sum(chosen) if rng.random() < 0.7 else sum(chosen[1:], chosen[0]) * 0.5
    loss.name = "L"
    return loss


MADE = [plain_graph, sampled_graph, model_graph, kinked_graph]


@pytest.fixture
def graphs(request) -> list[Graph]:
    """More than 300 graphs in CI and among the thorough tests; else the first of them."""
    many = os.environ.get("REQUIRE_BROWSER") or request.config.getoption("--thorough")
    return tame_graphs(340 if many else 40)


def tame_graphs(count: int) -> list[Graph]:
    made = (tg.snapshot(MADE[seed % 4](random.Random(seed))) for seed in range(count))
    return [graph for graph in made if is_tame(graph)]


def is_tame(graph: Graph) -> bool:
    """Whether all numbers are finite, and neither so large nor so small that sums lose them."""
    numbers = [x for node in graph.nodes for x in (node.data, node.adjoint, *node.partials)]
    return all(x is None or x == 0.0 or 1e-9 < abs(x) < 1e9 for x in numbers)


# ── The page ──────────────────────────────────────────────────────────────────────────────

STAGE = r"""
class Element {
  constructor(tag, text = "") {
    Object.assign(this, { tag, text, attributes: {}, children: [], style: {}, dataset: {} });
  }
  append(...children) {
    const made = (c) => (c instanceof Element ? c : new Element("#", String(c)));
    this.children.push(...children.map(made));
  }
  replaceChildren(...children) { this.children = []; this.append(...children); }
  setAttribute(name, value) { this.attributes[name] = value; }
  addEventListener() {}
  get textContent() { return this.text + this.children.map((c) => c.textContent).join(""); }
  all(test, found = []) {
    if (test(this)) found.push(this);
    for (const child of this.children) child.all(test, found);
    return found;
  }
}
const made = (data, rows, body) => {
  const document = {
    getElementById: (id) => new Element(id, id === "data" ? data : ""),
    createElement: (tag) => new Element(tag), createElementNS: (_, tag) => new Element(tag),
  };
  return new Function("document", "rounded", "signed", "shade", "RULES",
    `const RULE = null, ROWS = ${rows};` + SOURCE + body)(document, rounded, signed, shade, RULES);
};
"""
COLLECT = r"""
  layOutSteps(); state.step = END(); recompute();
  const has = (name) => (e) => (e.attributes.class ?? "").split(" ").includes(name);
  const pages = DATA.op.map((_, id) => {
    const equations = [];
    state.selected = id;
    const forward = forwardWords(id);
    if (forward && has("math")(forward)) equations.push(forward.textContent);
    if (hasGradient(id))
      for (const part of backwardWords(id)) {
        for (const e of part.all((e) => e.tag === "p" && has("math")(e)))
          equations.push(e.textContent);
        for (const e of part.all((e) => e.tag === "li"))
          equations.push(...e.textContent.split(": ε more")[0].split(", because "));
        for (const e of part.all((e) => e.tag === "tr")) {
          const cells = e.children.map((c) => c.textContent);
          if (cells.at(-1).startsWith("= ") || (cells.at(-2) === "=" && cells.at(-1) !== "product"))
            equations.push("row " + cells.slice(1).join(" "));
        }
        for (const e of part.all((e) => e.tag === "th" && e.textContent.includes("=")))
          equations.push(e.textContent);
      }
    return equations.map((text) => text.replaceAll("\u00a0", " "));
  });
  const steps = [];
  for (state.step = 0; state.step <= END(); state.step++)
    steps.push([STEPS[state.step - 1]?.[0] ?? ROOT, sentence()]);
  state.step = END();
  const edges = DATA.args.flatMap((args, to) =>
    args.map((arg, at) => [to, edgeWords([[arg, at, to]])]));
  const updates = PARAMETERS.map((_, slot) => updateWords(slot));
  return { pages, steps, edges, updates, formulas: formulas() };
"""


row = cache(javascript.row)  # of one operation and its number of arguments, in JavaScript


def in_node(graphs: Sequence[Graph], body: str, tasks: Sequence[Any] = ()) -> list[Any]:
    """The results of the page's own script for each graph; node runs it, without a page."""
    folder = files("tinygrad_edu.exploring") / "script"
    scripts = ("arithmetic", "graph", "compute", "state", "words", "heading", "reason", "training",
               "predict")  # fmt: skip
    source = "".join((folder / f"{name}.js").read_text(encoding="utf-8") for name in scripts)
    given = []
    for graph, task in itertools.zip_longest(graphs, tasks):
        applied = {(n.op, len(n.args)) for n in graph.nodes if n.op is not None}
        rows = [f"{json.dumps(javascript.key(*one))}: {row(*one)}" for one in applied]
        parameters = [node.id for node in graph.nodes if node.role == "parameter"]
        data = {
            **columns(graph, live=True), "opaque": [], "parameters": parameters, "rate": 0.01,
            "samples": samples(graph), "epochs": [], "weights": "", "title": "", "scenes": [],
            "headline": definition(graph), "optimizer": "", "plain": True, "tasks": task,
        }  # fmt: skip
        given.append([json.dumps(data), f"{{{', '.join(rows)}}}"])
    program = f"{rules_js()}\nconst SOURCE = {json.dumps(source)};{STAGE}" + (
        "const given = JSON.parse(require('fs').readFileSync(0, 'utf8'));"
        f"const BODY = {json.dumps(body)};"
        "console.log(JSON.stringify(given.map(([data, rows, extra]) =>"
        " made(data, rows, BODY))));"
    )
    run = subprocess.run(
        ["node", "-e", program], input=json.dumps(given), capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr[-3000:]
    return json.loads(run.stdout)


def readers(graph: Graph) -> tuple[dict[int, Reader], list[int]]:
    """A reader for each sample, and −1 for what is in none; and the sample of each node.

    Raises:
        AssertionError: if a symbol means two numbers.
    """
    called, tight = zip(*labels(graph))
    scopes = [sample["scope"] for sample in samples(graph)]
    sample_of = [
        scopes.index(top) if (top := (node.scope or "").split("/")[0]) in scopes else -1
        for node in graph.nodes
    ]
    made = {}
    for sample in [-1, *range(len(scopes))]:
        symbols: dict[str, float] = {}
        derivatives: dict[str, float] = {}

        def means(table: dict[str, float], text: str, number: float) -> None:
            same = math.isclose(table.setdefault(text, number), number, rel_tol=1e-9, abs_tol=1e-12)
            assert same, f"{text} is {table[text]} and {number}"

        def forms(id: int, sample: int = sample) -> list[str]:
            """The symbol of a node, as it is and in parentheses; with its sample, if another."""
            label = called[id]
            if sample_of[id] in (-1, sample):
                return [label, f"({label})"]
            text = label if tight[id] >= NAME else f"({label})"
            return [f"{text}⁽{as_superscript(sample_of[id] + 1)}⁾"]

        for node in graph.nodes:
            if node.role != "constant" or node.name:
                means(symbols, forms(node.id)[0], node.data)
            for of in forms(node.id):
                for root in forms(graph.root.id):
                    means(derivatives, f"d{root}/d{of}", node.adjoint)
                for at, (arg, local) in enumerate(zip(node.args, node.partials)):
                    if local is None or (graph.nodes[arg].role == "constant"):
                        continue
                    by = forms(arg)
                    if node.args.count(arg) > 1:
                        nth = node.args[: at + 1].count(arg)
                        nth_ = f"{nth}{ {1: 'st', 2: 'nd', 3: 'rd'}.get(nth, 'th') }"
                        by = [f"({nth_} {called[arg]})"]
                    for one in by:
                        means(derivatives, f"∂{of}/∂{one}", local)
        made[sample] = Reader(symbols, derivatives, digits=4)
    return made, sample_of


def complaints(graph: Graph, said: dict[str, Any]) -> Iterator[tuple[str, int]]:
    """Each equation that does not hold; and how many hold."""
    by_sample, sample_of = readers(graph)
    everyone = [reader for sample, reader in by_sample.items() if sample >= 0]

    @cache
    def checked(text: str, sample: int) -> tuple[str, int]:
        """Of what belongs to no sample, the symbols of samples mean those of each."""
        views = [by_sample[sample]]
        views += [] if sample >= 0 or re.search(r"Σ\d", text) else everyone
        found = [wrong(text, view, everyone) for view in views]
        return next((one for one in found if one[0]), ("", sum(count for _, count in found)))

    for id, equations in enumerate(said["pages"]):
        gradient = ""
        for text in equations:
            if text.startswith("row "):
                yield checked(text[4:], sample_of[id])
            elif text.startswith("= "):
                yield checked(f"{gradient} {text}", sample_of[id])
            else:
                gradient = text.split(" = ")[0]
                yield checked(text, sample_of[id])
    for id, text in said["steps"]:
        if match := re.match(r"Step \d+ of \d+, \w+: (.*)\.$", text):
            parts = re.split(r",? ?in each of \d+ samples; in sample \d+ it is ", match[1])
            yield checked(" = ".join(part.strip() for part in parts), sample_of[id])
    for id, text in said["edges"]:
        if "=" in text:
            yield wrong(text, Reader({}, by_sample[sample_of[id]].derivatives, digits=15))
    for text in said["updates"]:
        yield checked(text.partition(" ← ")[2], -1)
    for text in said["formulas"].split(",  "):
        if text:
            yield checked(text, 0 if everyone else -1)


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not here")
def test_every_equation_of_the_page_holds(graphs):
    bad, held = [], 0
    for seed, (graph, said) in enumerate(zip(graphs, in_node(graphs, COLLECT))):
        for complaint, count in complaints(graph, said):
            held += count
            if complaint:
                bad.append(f"graph {seed}: {complaint}")
    assert not bad, "\n".join(bad[:30]) + f"\n{len(bad)} are wrong, {held} hold"
    assert held > 100 * len(graphs)


# ── Explanations ──────────────────────────────────────────────────────────────────────────


@pytest.fixture
def meanings(monkeypatch):
    """The numbers of each symbol that explanations write, one for each place."""
    symbols: dict[str, tuple[float, ...]] = {}
    original = Formulas.symbol

    def symbol(self: Formulas, column: tuple[int, ...]) -> Math:
        written = original(self, column)
        values = tuple(self.graph.nodes[id].data for id in column)
        values = values[:1] if len(set(column)) == 1 else values
        assert symbols.setdefault(written.text, values) == values, (
            f"{written.text} means two things"
        )
        return written

    monkeypatch.setattr(Formulas, "symbol", symbol)
    return symbols


def places(symbols: dict[str, tuple[float, ...]], gradients: dict[str, float]) -> list[Reader]:
    """A reader for each place that the symbols with an index describe."""
    count = max(map(len, symbols.values()), default=1)
    return [
        Reader({name: values[i if len(values) > 1 else 0] for name, values in symbols.items()
                if len(values) in (1, count)}, gradients, digits=6)
        for i in range(count)
    ]  # fmt: skip


def text_of(piece: Any) -> str:
    return piece if isinstance(piece, str) else piece.text


def printed_equations(explanation: tg.Explanation) -> Iterator[str]:
    """The equations of titles and formulas, and what tables say about their columns."""
    for block in explanation._blocks:
        if isinstance(block, Title):
            yield "".join(map(text_of, block.pieces))
        elif isinstance(block, Formula):
            for sides in block.lines:
                yield " = ".join(side.text for side in sides)
        elif isinstance(block, Table) and block.head[:2] == ("of", "by"):
            for of, _, local, number in block.rows:
                yield text_of(of)
                yield f"{text_of(local)} = {text_of(number)}"
            factors = " · ".join(f"({text_of(row[3])})" for row in block.rows)
            yield f"{factors} = {text_of(block.feet[0][3])}"
        elif isinstance(block, Table) and block.head[:1] == ("i",):
            for row in block.rows:
                factors = " · ".join(f"({text_of(cell)})" for cell in row[1:-1])
                yield f"{factors} = {text_of(row[-1])}"
            if len(block.feet) == 1:
                terms = " + ".join(f"({text_of(row[-1])})" for row in block.rows)
                yield f"{terms} = {text_of(block.feet[0][-1])}"


def test_every_equation_of_an_explanation_holds(graphs, meanings):
    bad, held = [], 0
    for seed, graph in enumerate(graphs):
        targets = [node.id for node in graph.nodes if node.op is None and node.role != "constant"]
        for target in [None, *targets[:3]]:
            meanings.clear()
            if target is None:
                explanation = narrative(graph)
                gradients = {}
            else:
                explanation = gradient(graph, target)
                ends = [Formulas(graph, (graph.root.id, target)).symbol((id,)).text
                        for id in (graph.root.id, target)]  # fmt: skip
                gradients = {"d{}/d{}".format(*ends): graph.nodes[target].adjoint}
            readers = places(meanings, gradients)
            for text in printed_equations(explanation):
                count = next((group["count"] for group in explanation.data().get("groups", ())
                              if text.split(" = ")[-1] == group["formula"]), 1)  # fmt: skip
                over = f"Σ{len(readers)} samples " if len(readers) > 1 else f"Σ{count} paths "
                sums = text.replace("Σᵢ ", over)
                complaint, count = wrong(sums, readers[0], readers)
                held += count
                if complaint:
                    bad.append(f"graph {seed} by {target}: {complaint}")
    assert not bad, "\n".join(bad[:30]) + f"\n{len(bad)} are wrong, {held} hold"
    assert held > 20 * len(graphs)


# ── The quiz ──────────────────────────────────────────────────────────────────────────────

DIAGNOSE = """
  layOutSteps(); state.step = END(); recompute();
  const all = mistakes;
  return DATA.tasks.map(([id, guesses]) => {
    const made = all(id);
    mistakes = () => made;
    return guesses.map((guess) => diagnosed(id, guess, toleranceOf(String(guess))));
  });
"""
SLIPS = {
    "dropped": lambda slope, out, arg: 1.0,
    "doubled": lambda slope, out, arg: 2.0 * slope,
    "halved": lambda slope, out, arg: slope / 2.0,
    "negated": lambda slope, out, arg: -slope,
    "the value": lambda slope, out, arg: out,
    "the argument": lambda slope, out, arg: arg,
    "missing": lambda slope, out, arg: 0.0,
}
Edge = tuple[int, int]


def swept(graph: Graph, changed: Mapping[Edge, float], seeds: Mapping[int, float]) -> list[float]:
    """The adjoints if some edges had other slopes."""
    adjoint = [seeds.get(node.id, 0.0) for node in graph.nodes]
    for node in reversed(graph.nodes):
        for at, (arg, local) in enumerate(zip(node.args, node.partials)):
            if local is not None and adjoint[node.id]:
                adjoint[arg] += adjoint[node.id] * changed.get((node.id, at), local)
    return adjoint


def links(graph: Graph, target: int) -> list[list[Edge]]:
    """The edges between a node and the root, those of one kind together, and each alone."""
    kinds, leads, groups = alike(graph), {target}, {}
    _, sample_of = readers(graph)
    for node in graph.nodes[target + 1 :]:
        for at, (arg, local) in enumerate(zip(node.args, node.partials)):
            if local is not None and arg in leads:
                leads.add(node.id)
                collects = sample_of[node.id] < 0 and sample_of[arg] >= 0
                adds = collects and node.op.name in ("sum", "add")
                groups.setdefault((kinds[node.id], None if adds else at), []).append((node.id, at))
    alone = [[edge] for edges in groups.values() if len(edges) > 1 for edge in edges]
    return [*groups.values(), *alone]


def planted(graph: Graph, target: int) -> Iterator[tuple[str, list[Edge], float]]:
    """Mistakes: a name, the edges at which it was made, if at some, and the number it leads to."""
    node, root, nodes = graph.nodes[target], graph.root.id, graph.nodes
    g = node.adjoint
    for edges in links(graph, target):
        for name, slip in SLIPS.items():
            changed = {
                (id, at): slip(
                    nodes[id].partials[at], nodes[id].data, nodes[nodes[id].args[at]].data
                )
                for id, at in edges
            }
            yield name, edges, swept(graph, changed, {root: 1.0})[target]
    for factor in (0.01, -0.01):
        yield "α·g", [], factor * g
    for power in range(-3, 4):
        yield "decimal", [], 10.0**power * g
    yield "sign", [], -g
    seen = samples(graph)
    n = len(seen)
    if n > 1:
        yield "mean for sum", [], g / n
        means = [edges for edges in links(graph, target) if all(
            math.isclose(nodes[id].partials[at] * n, 1.0) for id, at in edges)]  # fmt: skip
        yield "sum for mean", means[0] if means else [], g * n
        _, sample_of = readers(graph)
        for i in range(n) if sample_of[target] < 0 else ():
            others = {(one.id, at): 0.0 for one in nodes if sample_of[one.id] not in (-1, i)
                      for at in range(len(one.args))}  # fmt: skip
            if all(sample_of[id] >= 0 for edges in links(graph, target) for id, _ in edges
                   if target in nodes[id].args):  # fmt: skip
                yield "one sample", [], swept(graph, others, {root: 1.0})[target]
        if all(len(s["out"]) == len(s["y"]) == 1 for s in seen):
            errors = {s["out"][0]: nodes[s["out"][0]].data - nodes[s["y"][0]].data for s in seen}
            post = swept(graph, {}, errors)[target]
            if math.isclose(2.0 / n * post, g, rel_tol=1e-9):
                yield "the post's", [], post
                yield "the post's", [], -post


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not here")
def test_the_quiz_blames_only_where_the_mistake_is(graphs):
    tasks, plants = [], []
    for graph in graphs:
        leaves = [n.id for n in graph.nodes if n.role == "parameter" and n.adjoint][:3]
        inner = [n.id for n in graph.nodes[:-1] if n.op and n.adjoint][:1]
        mine = [
            (id, [plant for plant in planted(graph, id)
                  if math.isfinite(plant[2]) and plant[2] != 0.0
                  and not math.isclose(plant[2], graph.nodes[id].adjoint, rel_tol=0.012)])
            for id in [*leaves, *inner]
        ]  # fmt: skip
        plants.append(mine)
        tasks.append([(id, [number for *_, number in made]) for id, made in mine])
    bad, blames, count = [], 0, 0
    for seed, (graph, mine, said) in enumerate(
        zip(graphs, plants, in_node(graphs, DIAGNOSE, tasks))
    ):
        for (id, made), answers in zip(mine, said):
            for (name, edges, number), answer in zip(made, answers):
                count += 1
                blamed = [{(use["to"], use["at"]) for use in one} for one in answer["blamed"]]
                blames += bool(blamed)
                at = set(edges)
                ok = not blamed or any(at <= one if at else not one for one in blamed)
                if (
                    not blamed
                    and ": ∂" in answer["words"][0]
                    and "A factor 2 is in" not in answer["words"][0]
                ):
                    ok = False
                if not ok:
                    g = graph.nodes[id].adjoint
                    bad.append(f"graph {seed}, {id}: {name} at {edges}: {number} for {g}: {answer}")
    assert not bad, "\n".join(bad[:12]) + f"\n{len(bad)} of {count}, {blames} blamed"
    assert blames > count / 8, (blames, count)
