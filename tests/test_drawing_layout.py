"""The stage: one layout, other numbers; and its rules, the same in Python and JavaScript."""

from __future__ import annotations

import json
import math
import re
import shutil
import subprocess
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_edu as tg
from tinygrad_edu import Graph, Value, errors, scope, snapshot
from tinygrad_edu.drawing.labels import breadth, rounded, signed
from tinygrad_edu.drawing.layout import Stage, rules_js, stage
from tinygrad_edu.drawing.themes import RULES, SHADES, THEMES, shade, stroke, stylesheet

SVG = "{http://www.w3.org/2000/svg}"


def neuron(w: float, b: float, houses: int = 3) -> Graph:
    weight, bias = Value(w, "w", "parameter"), Value(b, "b", "parameter")
    squares = []
    for i in range(1, houses + 1):
        with scope(f"sample {i}"):
            x = Value(float(i), f"size{i}", "input")
            squares.append((tg.sum([weight * x, bias]) - (1.5 * i + 0.5)) ** 2)
    loss = tg.sum(squares) / houses
    loss.name = "loss"
    return snapshot(loss)


def by_id(svg: str) -> dict[str, ElementTree.Element]:
    root = ElementTree.fromstring(svg)
    return {one.attrib["id"]: one for one in root.iter() if "id" in one.attrib}


def words(element: ElementTree.Element) -> str:
    return "".join(element.itertext()).replace("\xa0", " ").strip()


FRAMES = [neuron(0.5, 0.1), neuron(-1234.5, 1e-7), neuron(1.5, 0.5)]


@pytest.fixture(scope="module")
def shown() -> Stage:
    return stage(FRAMES, prefix="g1-", title="the post")


def test_every_id_bears_the_prefix_and_nothing_of_the_engine_is_left(shown: Stage) -> None:
    ids = re.findall(r'\bid="([^"]*)"', shown.svg)
    assert len(ids) == len(set(ids))
    assert all(id.startswith("g1-") for id in ids)
    assert shown.svg.startswith("<svg ")
    assert "<title" not in shown.svg
    assert "xlink" not in shown.svg
    assert not re.findall(r"#0000[0-9a-f]{2}\b", shown.svg)  # no mark was forgotten
    root = ElementTree.fromstring(shown.svg)
    assert root.attrib["role"] == "img"
    assert root.attrib["aria-label"].startswith("the post: computation graph of 23 nodes, loss = ")


@pytest.mark.parametrize("limit", [400, 8])
def test_a_frame_is_the_picture_of_its_graph(limit: int) -> None:
    """What `frame` tells to set is what a picture of that graph alone shows."""
    shown = stage(FRAMES, prefix="p-", limit=limit)
    for graph in FRAMES:
        own = Stage([graph, *FRAMES], shown._view._replace(graph=graph), prefix="p-")
        drawn = by_id(own.svg)
        for id, change in shown.frame(graph).items():
            if "text" in change:
                assert words(drawn[id]) == change["text"]
            else:
                assert drawn[id].attrib["class"] == change["class"]


def test_both_parts_of_an_edge_between_rows_change() -> None:
    graphs = []
    for start in (0.5, -0.5):
        y = Value(start, "x", "parameter")
        for _ in range(20):
            y = tg.tanh(y)
        graphs.append(snapshot(y * start))
    shown = stage(graphs, prefix="r-")
    drawn = {
        e.attrib["id"]: e for e in ElementTree.fromstring(shown.svg).iter() if "id" in e.attrib
    }
    before, after = (shown.frame(graph) for graph in graphs)
    (on,) = (id for id in before if id.endswith("-on"))
    assert drawn[on].attrib["class"] == before[on]["class"] == before[on[:-3]]["class"]
    assert after[on] == after[on[:-3]] != before[on]


def test_the_loops_of_a_page_come_to_the_same(shown: Stage) -> None:
    """slots and links are all that a page needs to compute a frame itself."""
    assert json.loads(json.dumps([shown.slots, shown.links])) == [shown.slots, shown.links]
    for graph in FRAMES:
        made: dict[str, dict[str, str]] = {}
        for slot in shown.slots:
            node = graph.nodes[slot["nodes"][0]]
            if slot["what"] == "data":
                made[slot["text"]] = {"text": rounded(node.data)}
            else:
                made[slot["text"]] = {"text": f"d {signed(node.adjoint)}"}
                name = shade(node.adjoint, shown.scale["gradient"]) if slot["coloured"] else "none"
                made[slot["id"]] = {"class": f"chip {name}"}
        for link in shown.links:
            ((_, position, id),) = link["edges"]
            local = graph.nodes[id].partials[position]
            flow = None if local is None else local * graph.nodes[id].adjoint
            shown_flow = flow if flow is None or link["coloured"] else 0.0
            made[link["id"]] = {"class": f"edge {shade(shown_flow, shown.scale['flow'])}"}
            if link["what"] == "local":
                assert local is not None
                made[link["text"]] = {"text": signed(local)}
        assert made == shown.frame(graph)


def test_numbers_stand_in_the_middle_of_a_place_that_is_wide_enough(shown: Stage) -> None:
    drawn = by_id(shown.svg)
    for graph in FRAMES:
        for id, change in shown.frame(graph).items():
            if not id.endswith("-grad"):
                continue
            text, chip = drawn[id], drawn[id.replace("grad", "chip")]
            path = next(chip.iter(f"{SVG}path"))
            xs = [float(x) for x in re.findall(r"(-?[\d.]+),", path.attrib["d"])]
            assert text.attrib["text-anchor"] == "middle"
            assert float(text.attrib["x"]) == pytest.approx((min(xs) + max(xs)) / 2, abs=0.01)
            assert breadth(change["text"], 11) < max(xs) - min(xs)


def test_room_for_any_number() -> None:
    wide = stage(FRAMES[0], any_number=True)
    chip = next(by_id(wide.svg)["v0-chip"].iter(f"{SVG}path"))
    xs = [float(x) for x in re.findall(r"(-?[\d.]+),", chip.attrib["d"])]
    assert max(xs) - min(xs) > max(breadth(f"d {signed(x)}", 11) for x in (-1.235e-308, -0.0001235))


def test_graphs_of_other_shapes_are_refused() -> None:
    with pytest.raises(errors.GraphError, match=r"23 nodes.*graph 1 has 17 nodes"):
        stage([FRAMES[0], neuron(1.0, 1.0, houses=2)])
    a, b = Value(1.0, "a"), Value(2.0, "b")
    with pytest.raises(errors.GraphError, match="Node 2 is '×' of"):
        stage(snapshot(a * b)).frame(snapshot(a + b))
    with pytest.raises(errors.BadArgument, match="at least one graph"):
        stage([])


# --- colours


def test_the_stylesheet_knows_every_class_and_every_colour(shown: Stage) -> None:
    classes = {
        name for found in re.findall(r'class="([^"]*)"', shown.svg) for name in found.split()
    }
    coloured = {name for name in classes if name.startswith(("f-", "s-"))}
    assert coloured
    assert all(f".tg-picture .{name}{{" in shown.css for name in coloured)
    for name in SHADES:
        colour, width = stroke(name)
        assert f".edge.{name}{{stroke:var(--tg-{colour});stroke-width:{width}}}" in shown.css
        assert (f".chip.{name}{{fill:var(--tg-{name})}}" in shown.css) == (name != "none")
    for theme in ("light", "dark"):
        for name, colour in THEMES[theme].items():
            assert f"--tg-{name}:{colour};" in stylesheet("auto")
            assert f"--tg-{name}:{colour};" in stylesheet(theme)


# --- the same rules in JavaScript

NODE = shutil.which("node")
NUMBERS = [
    0.0, -0.0, 0.5, 1 / 7, 1234.5, 1233.5, 12344.5, 12345.5, 9999.5, 99999.6, 999999.4, 999999.5,
    1e-4, 9.9995e-5, 1e-5, 5e-324, 1.7976931348623157e308, -250000.0, 123456789.0, 100.0, 2.5,
]  # fmt: skip


def javascript(expression: str) -> Any:
    assert NODE is not None
    program = f"{rules_js()}\nconsole.log(JSON.stringify({expression}));"
    done = subprocess.run([NODE, "-"], input=program, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


@pytest.mark.skipif(NODE is None, reason="there is no node to run JavaScript with")
@settings(max_examples=10)
@given(
    st.lists(
        st.floats(allow_nan=False, allow_infinity=False)
        | st.floats(-2e6, 2e6)
        | st.integers(-(10**8), 10**8).map(lambda n: n / 64),
        min_size=100, max_size=300,
    ),
    st.integers(1, 8),
)  # fmt: skip
def test_numbers_are_rounded_alike(numbers: list[float], digits: int) -> None:
    numbers += NUMBERS
    largest = max(map(abs, numbers))
    told = f"[rounded(x, {digits}), signed(x), shade(x, {largest!r}, RULES.thresholds)]"
    assert javascript(f"{json.dumps(numbers)}.map((x) => {told})") == [
        [rounded(x, digits), signed(x), shade(x, largest)] for x in numbers
    ]


@pytest.mark.skipif(NODE is None, reason="there is no node to run JavaScript with")
def test_what_is_no_number_is_told_alike() -> None:
    assert javascript("[NaN, 1 / 0, -1 / 0].map((x) => [rounded(x), signed(x)])") == [
        [rounded(x), signed(x)] for x in (math.nan, math.inf, -math.inf)
    ]
    given = "[NaN, 1 / 0, -1 / 0, null, 0]"
    assert javascript(f"{given}.map((x) => shade(x, 0, RULES.thresholds))") == [
        shade(x, 0.0) for x in (math.nan, math.inf, -math.inf, None, 0.0)
    ]
    assert javascript("RULES") == RULES
    near = [t * (1 + k * 2e-16) for t in RULES["thresholds"] for k in (-2, -1, 0, 1, 2)]
    assert javascript(f"{near}.map((x) => shade(x, 1, RULES.thresholds))") == [
        shade(x, 1.0) for x in near
    ]
