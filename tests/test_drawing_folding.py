"""Large graphs as pictures: what is folded, in which order it stands, and that it adds up."""

from __future__ import annotations

import math
import re
import subprocess
import sys
from collections import Counter, defaultdict
from itertools import combinations
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_edu as tg
from tinygrad_edu import Graph, Value, errors, nn, scope, snapshot
from tinygrad_edu.drawing import draw
from tinygrad_edu.drawing.dot import Slot
from tinygrad_edu.drawing.folding import View, view
from tinygrad_edu.drawing.themes import THEMES

SVG = "{http://www.w3.org/2000/svg}"


def mlp(sizes: tuple[int, ...], samples: int) -> Value:
    """The squared error of an MLP over some samples, as a reader would record it."""
    model = nn.MLP(sizes[0], list(sizes[1:]), seed=1)
    squares = []
    for i in range(1, samples + 1):
        with scope(f"sample {i}"):
            xs = [Value(math.sin(i + j), f"x{j}", "input") for j in range(1, sizes[0] + 1)]
            out: Any = model(xs)
            out = out[0] if isinstance(out, list) else out
            squares.append((out - Value(1.0, "y", "target")) ** 2)
    loss = tg.sum(squares) / samples
    loss.name = "loss"
    return loss


def texts(group: ElementTree.Element) -> list[str]:
    return [(text.text or "").replace("\xa0", " ").strip() for text in group.iter(f"{SVG}text")]


def drawn(drawing: tg.Drawing) -> tuple[dict[str, float], dict[str, float]]:
    """Where boxes (by path) and cards (by id) begin, from the top."""
    boxes, cards = {}, {}
    for group in ElementTree.fromstring(drawing.svg()).iter(f"{SVG}g"):
        kind = group.get("class", "").split(" ")[0]
        if kind in ("cluster", "node"):
            top = min(float(text.attrib["y"]) for text in group.iter(f"{SVG}text"))
            if kind == "node":
                cards[group.attrib["id"]] = top
            else:
                boxes["".join(group.find(f"{SVG}title").itertext())] = top  # type: ignore[union-attr]
    return boxes, cards


@st.composite
def scoped(pick: st.DrawFn) -> Value:
    """A random graph with scopes within scopes, long sums, shared leaves and dead ends."""
    pool = [
        Value(pick(st.floats(-2, 2)), f"w{i}", "parameter") for i in range(pick(st.integers(1, 6)))
    ]
    for _ in range(pick(st.integers(1, 25))):
        place = pick(st.sampled_from(["a", "a/b", "a/c 1", "c 1", "c 2", "c 3/a", None]))
        picked = [pick(st.sampled_from(pool[-8:] + pool[:3])) for _ in range(3)]
        make = pick(
            st.sampled_from(
                [
                    lambda a, b, c: a + b + c,
                    lambda a, b, c: tg.sum([a, b, c, a]),
                    lambda a, b, c: a * b - 1.5,
                    lambda a, b, c: tg.tanh(a),
                    lambda a, b, c: tg.stop_gradient(a) * b,
                ]
            )
        )
        if place is None:
            pool.append(make(*picked))
        else:
            with scope(place):
                pool.append(make(*picked))
    return pool[-1]


# --- a picture is a quotient of the graph


def check_adds_up(graph: Graph, seen: View) -> None:
    owner = {node.id: card.id for card in seen.cards for node in card.nodes}
    assert sum(len(card.nodes) for card in seen.cards) == len(graph.nodes) == len(owner)
    crossing = Counter(
        (arg.id, i, node.id) for arg, i, node in graph.edges() if owner[arg.id] != owner[node.id]
    )
    assert Counter(edge for link in seen.links for edge in link.edges) == crossing
    assert len({card.id for card in seen.cards}) == len(seen.cards)
    assert len({link.id for link in seen.links}) == len(seen.links)

    brought: dict[str, float] = defaultdict(float)
    for link in seen.links:
        assert all((owner[a], owner[c]) == (link.tail, link.head) for a, _, c in link.edges)
        brought[link.tail] += seen.flow(link) or 0.0
    for card in seen.cards:
        if not card.folded and card.id != owner[graph.root.id]:
            assert math.isclose(
                brought[card.id], card.outputs[0].adjoint, rel_tol=1e-9, abs_tol=1e-9
            )


@given(scoped(), st.integers(1, 30), st.sampled_from([(), ("a",), ("c *",), ("Σ",), ("*",)]))
def test_every_node_and_every_edge_is_accounted_for(
    root: Value, limit: int, unfold: tuple[str, ...]
) -> None:
    graph = snapshot(root)
    seen = view(graph, limit, unfold=unfold)
    check_adds_up(graph, seen)
    assert sum(card.id != "more" for card in seen.cards) <= max(1, limit)


@given(scoped(), st.integers(0, 4))
def test_depth(root: Value, depth: int) -> None:
    graph = snapshot(root)
    seen = view(graph, 1000, depth=depth)
    check_adds_up(graph, seen)
    near = {seen.cards[-1].id}
    for _ in range(depth):
        near |= {link.tail for link in seen.links if link.head in near and link.head != "more"}
    assert near >= {card.id for card in seen.cards} - {"more"}


@settings(max_examples=10)
@given(scoped(), st.integers(1, 12))
def test_a_folded_picture_is_drawn_whole(root: Value, limit: int) -> None:
    drawing = draw(root, limit=limit)
    seen = view(snapshot(root), limit)
    groups = {
        group.attrib["id"]: group
        for group in ElementTree.fromstring(drawing.svg()).iter(f"{SVG}g")
        if "id" in group.attrib
    }
    assert {card.id for card in seen.cards} | {link.id for link in seen.links} <= set(groups)
    for link in seen.links:
        if len(link.edges) > 1:
            told = groups[link.id].find(f"{SVG}title")
            assert told is not None
            flow = seen.flow(link)
            assert told.text == (
                "no gradient flows here"
                if flow is None
                else f"{len(link.edges)} edges from {len(set(link.tails))} nodes"
                if len(set(link.tails)) > 1  # their gradients have no sum
                else f"{len(link.edges)} edges that contribute {flow!r} to d"
            )


# --- sums


def test_a_chain_of_plus_is_one_sum() -> None:
    a, b, c, d = (Value(float(i), name) for i, name in enumerate("abcd", 1))
    total = a + b + c + d
    seen = view(snapshot(total), 80)
    assert [(card.title, len(card.nodes)) for card in seen.cards if card.nodes[0].op] == [("Σ", 3)]
    assert [seen.local(link.edges[0]) for link in seen.links] == [1.0] * 4
    assert {link.head for link in seen.links} == {f"v{seen.graph.root.id}"}
    assert "d+/da = 1.0" in draw(total).source
    assert sum(card.title == "+" for card in view(snapshot(total), 80, unfold=["Σ"]).cards) == 3
    assert view(snapshot(a + b), 80).cards[-1].title == "+"
    assert view(snapshot(tg.sum([a, b])), 80).cards[-1].title == "+"
    assert view(snapshot(tg.sum([a, b, c])), 80).cards[-1].title == "Σ"


def test_a_sum_that_is_named_or_used_or_elsewhere_stays() -> None:
    a, b, c = Value(1.0), Value(2.0), Value(3.0)
    named = a + b
    named.name = "subtotal"
    assert len(view(snapshot(named + c), 80).cards) == 5
    used = a + b
    assert len(view(snapshot((used + c) * used), 80).cards) == 6
    with scope("here"):
        inner = a + b
    assert len(view(snapshot(inner + c), 80).cards) == 5


# --- scopes


def test_the_innermost_scopes_are_folded_first() -> None:
    graph = snapshot(mlp((2, 16, 16, 1), 3))
    for limit, kinds in ((3000, set()), (80, {"layer #"}), (20, {"sample #"})):
        seen = view(graph, limit)
        folded = {re.sub(r"\d+", "#", card.title) for card in seen.cards if card.kind == "folded"}
        assert folded == kinds
        check_adds_up(graph, seen)
    sources = {limit: draw(graph, limit=limit).source for limit in (80, 20)}
    assert "48 parameters" in sources[80]
    assert "337 parameters" in sources[20]
    assert "folded: 1,459 nodes of 1,462 into 4 cards" in sources[20]


def test_parameters_of_one_folded_scope_go_into_it() -> None:
    seen = view(snapshot(mlp((2, 3, 1), 1)), 25)
    neurons = [card for card in seen.cards if card.title.startswith("neuron")]
    assert [card.note for card in neurons] == ["7 nodes, 3 parameters"] * 3 + [
        "8 nodes, 4 parameters"
    ]
    assert not any(card.kind == "parameter" for card in seen.cards)


def test_a_folded_card_shows_its_outputs_and_its_largest_gradient() -> None:
    loss = mlp((2, 3, 1), 1)
    seen = view(snapshot(loss), 25)
    group = next(
        group
        for group in ElementTree.fromstring(draw(loss, limit=25).svg()).iter(f"{SVG}g")
        if group.get("id") == next(card.id for card in seen.cards if card.title == "neuron 2")
    )
    card = next(card for card in seen.cards if card.title == "neuron 2")
    (output,) = card.outputs
    largest = max((node.adjoint for node in card.parameters), key=abs)
    assert texts(group) == [
        "neuron 2", "out", f"{output.data:.4g}", f"d {output.adjoint:+.4g}",
        "max", f"d {largest:+.4g}", card.note,
    ]  # fmt: skip


def test_a_nan_is_not_hidden_among_folded_parameters() -> None:
    slot = Slot("fold0-chip", "grad", (0, 1, 2))
    leaf = snapshot(Value(1.0)).root
    for order in ([1.0, math.nan, 3.0], [math.nan, 3.0, 1.0], [3.0, 1.0, math.nan]):
        nodes = tuple(leaf._replace(id=i, adjoint=x) for i, x in enumerate(order))
        assert math.isnan(slot.number(Graph(nodes)))
    assert slot.number(Graph(tuple(leaf._replace(adjoint=x) for x in (1.0, -3.0, 2.0)))) == -3.0


def test_scopes_can_be_kept_open() -> None:
    graph = snapshot(mlp((1, 1), 30))
    closed = view(graph, 40)
    assert sum(card.kind == "folded" for card in closed.cards) == 30
    for pattern in ("sample 3", "sample 3*"):
        seen = view(graph, 80, unfold=[pattern])
        opened = {card.place for card in seen.cards if card.place}
        assert ("sample 3",) in opened or ("sample 3", "layer 1") in opened
        check_adds_up(graph, seen)
    assert not any(card.folded for card in view(graph, 500).cards)


@pytest.mark.parametrize(
    ("wanted", "near"),
    [("nope", None), ("sampl 3", "sample *"), ("sample 40", "sample *"), ("sigma", None),
     ("layer 1/sample 1", "layer 1"), ("Layer 1", "layer 1"), ("", None), ("[", None)],
)  # fmt: skip
def test_a_scope_to_unfold_that_is_not_there_is_refused(wanted: str, near: str | None) -> None:
    loss = mlp((1, 1), 30)
    with pytest.raises(errors.NameUnknown, match="scope to unfold") as refused:
        draw(loss, unfold=wanted)
    with pytest.raises(errors.NameUnknown):
        draw(snapshot(loss), unfold=["sample 1", wanted])
    assert near is None or f"Did you mean {near!r}" in str(refused.value)
    assert len(str(refused.value)) < 200


@pytest.mark.parametrize(
    "wanted", ["Σ", "*", "sample 3", "sample *", "sample 3/layer 1", "layer [0-9]", "s*", ()]
)
def test_names_and_patterns_of_scopes_are_not_refused(wanted: str) -> None:
    draw(mlp((1, 1), 30), unfold=wanted)
    draw(Value(1.0), unfold="Σ")


@pytest.mark.parametrize("name", ["<TABLE>", 'a"b\\N', "\x00\n", "x" * 10_000, "…", "*["])
def test_names_to_unfold_may_be_nasty(name: str) -> None:
    with scope(name):
        inner = tg.tanh(Value(2.0) * 2.0)
    with pytest.raises(errors.NameUnknown, match="scope to unfold"):
        draw(inner, unfold=f"not {name}")


def test_very_many_samples_are_told_by_the_first_and_the_last() -> None:
    graph = snapshot(mlp((1, 1), 500))
    seen = view(graph, 80)
    titles = [card.title for card in seen.cards if card.kind == "folded"]
    assert titles == [
        *(f"sample {i}" for i in range(1, 7)), "sample 7 … sample 497",
        "sample 498", "sample 499", "sample 500",
    ]  # fmt: skip
    check_adds_up(graph, seen)


@pytest.mark.parametrize("name", ["<TABLE>", 'a"b\\N', "\x00\n", "<b>", "x" * 10_000, "…", "*["])
def test_nasty_names_of_folded_scopes(name: str) -> None:
    w = Value(2.0, "w")
    with scope(name):
        inner = tg.tanh(w * 2.0) * 3.0
    drawing = draw(inner + w, limit=4)
    (card,) = [
        group
        for group in ElementTree.fromstring(drawing.svg()).iter(f"{SVG}g")
        if group.get("id", "").startswith("fold") and "node" in group.get("class", "")
    ]
    shown = texts(card)[0]
    assert len(shown) <= 40
    if len(name) < 40 and name.isprintable():
        assert shown == name
    assert len(drawing.source) < 20_000


# --- order


SHAPES = [(1, 1), (2, 1), (2, 2, 1), (2, 4, 1), (3, 3, 1), (1, 8, 1), (2, 3, 2, 1)]
FEW = [((1, 1), 7), ((2, 1), 4), ((2, 2, 1), 3), ((2, 4, 1), 3), ((2, 4, 1), 5), ((1, 8, 1), 4)]


@pytest.mark.parametrize(
    ("sizes", "samples"),
    FEW
    + [
        pytest.param(sizes, samples, marks=pytest.mark.thorough)
        for sizes in SHAPES
        for samples in range(1, 8)
    ],
)
def test_samples_from_top_to_bottom(sizes: tuple[int, ...], samples: int) -> None:
    boxes, _ = drawn(draw(mlp(sizes, samples), limit=1000))
    top = [boxes[f"sample {i}"] for i in range(1, samples + 1)]
    assert top == sorted(top)


@pytest.mark.parametrize("sizes", [(2, 4, 1), (2, 8, 8, 1), (2, 16, 16, 1)])
def test_folded_neurons_and_inputs_from_top_to_bottom(sizes: tuple[int, ...]) -> None:
    drawing = draw(mlp(sizes, 1), limit=25 if len(sizes) == 3 else 200)
    _, cards = drawn(drawing)
    neurons: dict[tuple[str, ...], list[float]] = defaultdict(list)
    for card in drawing._stage._view.cards:
        if card.title.startswith("neuron"):
            neurons[card.place].append(cards[card.id])
    assert [len(tops) for tops in neurons.values()] == list(sizes[1:])
    assert all(tops == sorted(tops) for tops in neurons.values())
    inputs = [cards[f"v{node.id}"] for node in drawing.graph.nodes if node.role == "input"]
    assert inputs == sorted(inputs)


# --- options

SIGNS = ("positive", "negative")


def test_what_is_shown() -> None:
    loss = mlp((1, 1), 2)

    def said(**options: Any) -> str:
        return " ".join(texts(ElementTree.fromstring(draw(loss, **options).svg())))

    assert "d = gradient" in said()
    for show in (["data"], "data"):
        assert "d" not in said(show=show)
    assert "d +1" in said(show=["grad"])
    assert f" {loss.data:.4g} " not in said(show=["grad", "local"])
    assert f" {loss.data:.4g} " in said(show=["data", "local"])
    assert "on an edge" not in said(show=["data", "grad"])
    assert f" {loss.data:.2g} " in said(digits=2)
    assert f" {loss.data:.3f} " in said(digits=".3f")
    assert len(draw(loss, show=[]).svg()) < len(draw(loss).svg())


PARTS = ("data", "grad", "local")


@pytest.mark.parametrize("limit", [8, 400])
@pytest.mark.parametrize(
    "show", [subset for n in range(4) for subset in combinations(PARTS, n)], ids="-".join
)
def test_lines_are_coloured_by_gradients_only_where_gradients_are_shown(
    show: tuple[str, ...], limit: int
) -> None:
    drawing = draw(mlp((2, 1), 3), show=show, limit=limit)
    shades = {
        word
        for group in ElementTree.fromstring(drawing.svg()).iter(f"{SVG}g")
        if "edge" in group.get("class", "").split()
        for word in group.get("class", "").split()[1:]
    }
    frame = drawing._stage.frame(drawing.graph)
    framed = {
        c["class"].split()[1] for c in frame.values() if c.get("class", "").startswith("edge")
    }
    assert shades == framed
    if "grad" in show:
        assert len(shades) > 2
    else:
        assert shades == {"none"}
        assert not any(f'"{THEMES["light"][sign]}"' in drawing.source for sign in SIGNS)


def test_from_top_to_bottom() -> None:
    boxes, cards = drawn(draw(mlp((1, 1), 2), direction="TB"))
    assert max(cards, key=cards.__getitem__) == max(cards, key=lambda id: int(id[1:]))
    assert boxes["sample 1"] == boxes["sample 2"]


def test_highlighted_paths() -> None:
    a, b = Value(2.0, "a"), Value(3.0, "b")
    left, right = tg.tanh(a), tg.tanh(b)
    root = left * right + a
    for wanted in (a, "a", [a], ["a", a]):
        drawing = draw(root, highlight=wanted)
        pale = drawing._stage._view.pale
        assert pale == {"v1", "v3", "v1-v3-0", "v3-v4-1"}
        for group in ElementTree.fromstring(drawing.svg()).iter(f"{SVG}g"):
            if group.get("class", "").split(" ")[0] in ("node", "edge"):
                assert ("opacity" in group.attrib) == (group.attrib["id"] in pale)
        assert '"#D9DCE2"' not in draw(root).source
    assert draw(root, highlight=root)._stage._view.pale >= {"v0", "v1"}
    with pytest.raises(errors.NameUnknown, match="'c'"):
        draw(root, highlight="c")
    for wrong in (Value(2.0), 3.0, [None]):
        with pytest.raises(errors.GraphError, match="highlight needs"):
            draw(root, highlight=wrong)


def test_options_that_make_no_sense() -> None:
    x = Value(1.0)
    for name, wrong in (("theme", "drak"), ("direction", "left"), ("show", "number")):
        with pytest.raises(errors.NameUnknown, match=name if name != "show" else "part of a card"):
            draw(x, **{name: wrong})  # type: ignore[arg-type]
    for name, wrong in (("digits", 0), ("digits", "x"), ("digits", True), ("depth", -1),
                        ("unfold", [3]), ("show", [None])):  # fmt: skip
        with pytest.raises(errors.BadArgument, match=name):
            draw(x, **{name: wrong})  # type: ignore[arg-type]


def test_a_picture_that_follows_the_reader() -> None:
    svg = draw(mlp((1, 1), 1), theme="auto").svg()
    assert "prefers-color-scheme:dark" in svg
    assert 'class="tg-picture tg-auto"' in svg
    assert "<style>" not in draw(mlp((1, 1), 1), theme="dark").svg()
    assert "#FFFFFF" in draw(mlp((1, 1), 1), theme="auto").source


def test_gradients_are_graphs_that_can_be_drawn() -> None:
    w = Value(0.5, "w", "parameter")
    (first,) = tg.gradients(tg.tanh(w * 3.0) * w, [w])
    (second,) = tg.gradients(first, [w])
    for root in (first, second):
        seen = view(snapshot(root), 80)
        check_adds_up(snapshot(root), seen)
        assert "w = 0.5\nd" in draw(root).svg()
    graph = snapshot(first)
    leaf = next(node for node in graph.nodes if node.name == "w")
    assert leaf.adjoint == pytest.approx(second.data)


# --- long chains, wide sums, and what stands out


@pytest.mark.parametrize("length", [15, 16, 17, 40, 79])
@pytest.mark.parametrize("direction", ["LR", "TB"])
def test_a_long_chain_continues_below(length: int, direction: str) -> None:
    y = Value(0.5, "x", "parameter")
    for i in range(length):
        y = tg.tanh(y) if i % 2 else y * 1.1
    drawing = draw(y, limit=200, direction=direction)
    rows = math.ceil((length + 1) / 12) if length + 1 > 16 else 1
    assert drawing.source.count('shape="circle"') == 2 * (rows - 1)  # where rows end and begin
    assert drawing.svg().count('-on" class="edge') == rows - 1
    size = re.search(r'width="(\d+)pt" height="(\d+)pt"', drawing.svg())
    assert size is not None
    assert max(map(int, size.groups())) < 16 * 200
    check_adds_up(drawing.graph, view(drawing.graph, 200))
    assert all(f'id="v{node.id}"' in drawing.svg() for node in drawing.graph.nodes)


def test_what_is_not_a_chain_is_not_wrapped() -> None:
    power = w = Value(0.9, "w", "parameter")
    for _ in range(30):
        power = power * w  # whose lines would cross every row
    boxed = w
    for i in range(30):
        with tg.scope(f"step {i}"):
            boxed = tg.tanh(boxed)
    for y in (power, boxed):
        assert 'shape="circle"' not in draw(y, limit=200).source


def test_many_numbers_that_are_only_added_up_are_one_card() -> None:
    def shown(count: int, *more: Value, role: str | None = "input", unfold: str = "") -> list[str]:
        terms = [Value(float(i), f"x{i}", role) for i in range(count)]
        graph = snapshot(tg.sum([*terms, *more]) * 2.0)
        seen = view(graph, 80, unfold=[unfold] if unfold else [])
        check_adds_up(graph, seen)
        return sorted(card.title for card in seen.cards if card.folded)

    assert shown(24) == []
    assert shown(25) == ["25 inputs"]
    assert shown(30, Value(1.0, "b", "parameter"), role=None) == ["30 numbers"]
    assert shown(30, unfold="Σ") == []


@pytest.mark.parametrize("factor", [1.0, 1e9])
def test_the_gradients_of_inputs_have_no_colour(factor: float) -> None:
    w, b = Value(2.0, "w", "parameter"), Value(0.5, "b", "parameter")
    x, y = Value(30.0 / factor, "x", "input"), Value(1.0, "y", "target")
    error = (w * factor) * x + b - y
    error.name = "error"
    svg = draw(error * error).svg()
    chips = dict(re.findall(r'id="(v\d+)-chip" class="chip (\S+)"', svg))
    of = {node.name: chips[f"v{node.id}"] for node in snapshot(error * error).nodes if node.name}
    assert of == {"w": "positive-3", "b": "positive-2", "x": "none", "y": "none",
                  "error": "positive-2"}  # fmt: skip
    strokes = dict(re.findall(r'id="(v\d+)-v\d+-\d" class="edge (\S+)"', svg))
    assert [strokes[f"v{node.id}"] for node in snapshot(error * error).nodes
            if node.role in ("input", "target")] == ["zero", "zero"]  # fmt: skip


def test_a_picture_without_its_legend() -> None:
    y = Value(1.0, "x", "input") * Value(2.0, "w", "parameter")
    assert "each step paler" in draw(y).svg()
    bare = draw(y, title="product", legend=False).svg()
    assert "each step paler" not in bare
    assert ">product<" in bare


# --- scale

LARGE = """
import resource
from test_drawing_folding import mlp
import tinygrad_edu as tg
loss = mlp((2, 16, 16, 1), 270)
drawing = tg.draw(loss)
svg = drawing.svg()
print(len(drawing.graph.nodes), len(svg), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.thorough
def test_a_hundred_thousand_nodes() -> None:
    done = subprocess.run(
        [sys.executable, "-c", LARGE], capture_output=True, text=True, check=True, cwd="tests"
    )
    nodes, size, memory = map(int, done.stdout.split())
    assert nodes > 100_000
    assert size < 200_000
    assert memory < 1_000_000  # kB
