"""Pictures: what they show is what the snapshot says, whatever the names, wherever they go."""

from __future__ import annotations

import builtins
import html
import importlib.metadata
import math
import os
import re
import shutil
import struct
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_edu as tg
from tinygrad_edu import Value, errors, nn, scope, snapshot
from tinygrad_edu.drawing import THEMES, Drawing, draw, layout_engines, picture, tree
from tinygrad_edu.drawing.folding import Boxes, in_order, view
from tinygrad_edu.drawing.labels import rounded, signed
from tinygrad_edu.drawing.themes import ROLES, SHADES, shade, stroke
from tinygrad_edu.strings import clean

SVG = "{http://www.w3.org/2000/svg}"


def neuron(houses: int, w: float = 0.5, b: float = 0.1) -> Value:
    """price = w·size + b, the mean squared error over some houses."""
    weight, bias = Value(w, "w", "parameter"), Value(b, "b", "parameter")
    squares = []
    for i in range(1, houses + 1):
        with scope(f"sample {i}"):
            x = Value(float(i), f"size{i}", "input")
            y = Value(1.5 * i + 0.5, f"price{i}", "target")
            out = tg.sum([weight * x, bias])
            out.name = f"out{i}"
            squares.append((out - y) ** 2)
    loss = tg.sum(squares) / houses
    loss.name = "loss"
    return loss


def parsed(drawing: Drawing) -> ElementTree.Element:
    return ElementTree.fromstring(drawing.svg())


def groups(svg: ElementTree.Element, kind: str) -> dict[str, ElementTree.Element]:
    return {
        group.attrib["id"]: group
        for group in svg.iter(f"{SVG}g")
        if group.attrib.get("class", "").split(" ")[0] == kind
    }


def tooltip(group: ElementTree.Element) -> str:
    return next("".join(title.itertext()) for title in group.iter(f"{SVG}title"))


def words(group: ElementTree.Element) -> str:
    return " ".join("".join(text.itertext()) for text in group.iter(f"{SVG}text"))


@st.composite
def expressions(pick: st.DrawFn) -> Value:
    """A random small graph with shared nodes, repeated arguments, roles and constants."""
    numbers = st.floats(-3, 3, allow_nan=False)
    roles = st.sampled_from([None, "input", "parameter", "target", "constant"])
    pool = [Value(pick(numbers), "x"), Value(pick(numbers), None, pick(roles))]
    for _ in range(pick(st.integers(0, 8))):
        a, b = pick(st.sampled_from(pool)), pick(st.sampled_from(pool))
        make = pick(
            st.sampled_from(
                [
                    lambda a, b: a + b,
                    lambda a, b: a - b,
                    lambda a, b: a * b,
                    lambda a, b: a / b,
                    lambda a, b: a**2,
                    lambda a, b: tg.tanh(a) * 2.5,
                    lambda a, b: tg.sum([a, b, a]),
                    lambda a, b: tg.stop_gradient(a) * b,
                ]
            )
        )
        with scope(pick(st.sampled_from(["a", "a/b", "c 1", "c 2"]))):
            pool.append(make(a, b))
    return pool[-1]


# --- the picture is the snapshot


@settings(max_examples=25)
@given(expressions())
def test_svg_is_the_snapshot(root: Value) -> None:
    graph = snapshot(root)
    svg = parsed(draw(root, unfold="Σ"))
    cards, lines = groups(svg, "node"), groups(svg, "edge")
    assert set(cards) == {f"v{node.id}" for node in graph.nodes}
    assert set(lines) == {f"v{arg.id}-v{node.id}-{i}" for arg, i, node in graph.edges()}

    arrives = {graph.root.id}
    for arg, _, node in reversed(list(graph.edges())):
        if node.id in arrives and node.op is not tg.stop_gradient:
            arrives.add(arg.id)
    sums: defaultdict[int, float] = defaultdict(float)
    for arg, i, node in reversed(list(graph.edges())):
        told = tooltip(lines[f"v{arg.id}-v{node.id}-{i}"])
        local = node.partials[i]
        if local is None or node.id not in arrives:
            assert told == "no gradient flows here"
            continue
        numbers = re.fullmatch(r"local derivative (\S+) × upstream (\S+) = (\S+)", told)
        assert numbers is not None, told
        shown = [float(number) for number in numbers.groups()]
        assert repr(shown) == repr([local, node.adjoint, local * node.adjoint])
        assert signed(local) in words(lines[f"v{arg.id}-v{node.id}-{i}"])
        sums[arg.id] += shown[2]
    for node in graph.nodes:
        value, *rest = tooltip(cards[f"v{node.id}"]).splitlines()
        assert repr(float(value.rpartition(" = ")[2])) == repr(node.data)
        assert rounded(node.data) in words(cards[f"v{node.id}"])
        if node.role == "constant" and node.id != graph.root.id:
            assert "d" not in words(cards[f"v{node.id}"])
            continue
        gradient = float(rest[0].rpartition(" = ")[2])
        assert repr(gradient) == repr(node.adjoint)
        assert f"d {signed(node.adjoint)}" in words(cards[f"v{node.id}"]).replace("\xa0", " ")
        if node.id != graph.root.id and not math.isnan(gradient):
            assert math.isclose(sums[node.id], gradient, rel_tol=1e-9, abs_tol=1e-12)


def test_the_numbers_do_not_depend_on_backward() -> None:
    loss = neuron(2)
    before = draw(loss).source
    loss.backward()
    loss.backward()
    assert draw(loss).source == before
    assert draw(snapshot(loss)).source == before


def test_both_edges_of_a_square_by_hand() -> None:
    x = Value(3.0, name="x")
    svg = parsed(draw(x * x))
    assert sorted(groups(svg, "edge")) == ["v0-v1-0", "v0-v1-1"]
    assert words(groups(svg, "node")["v0"]).split() == ["x", "3", "d", "+6"]


def test_roles_have_shapes_and_the_root_is_dark() -> None:
    source = draw(neuron(2)).source
    cards = {line.split()[0]: line for line in source.splitlines() if '" class="value ' in line}
    assert 'shape="cylinder"' in cards["v0"]
    assert [line for line in cards.values() if 'peripheries="2"' in line] == [cards["v16"]]
    assert 'fillcolor="#1F2937"' in cards["v16"]
    assert sum('shape="note"' in line for line in cards.values()) == 4
    dashed = [line for line in source.splitlines() if 'style="dashed"' in line and "->" in line]
    assert len(dashed) == 1
    assert "label=" not in dashed[0]


def test_a_root_that_is_a_constant_still_tells_its_gradient() -> None:
    card = groups(parsed(draw(Value(2.0, "k", "constant"))), "node")["v0"]
    assert tooltip(card) == "k = 2.0\ndk/dk = 1.0"
    assert words(card).replace("\xa0", " ").split() == ["k", "2", "d", "+1"]


def test_nothing_flows_behind_stop_gradient() -> None:
    x = Value(0.0, name="x")
    svg = parsed(draw(tg.stop_gradient(tg.log(x)) * Value(2.0)))  # where 0 × inf would be nan
    assert tooltip(groups(svg, "edge")["v0-v1-0"]) == "no gradient flows here"
    assert tooltip(groups(svg, "node")["v0"]).endswith("d×/dx = 0.0")


def test_sum_of_two_is_a_plus() -> None:
    x = Value(1.0)
    assert "<B>+</B>" in draw(tg.sum([x, x])).source
    assert "<B>Σ</B>" in draw(tg.sum([x, x, x])).source


def test_themes_and_roles_are_complete() -> None:
    for theme in THEMES.values():
        assert list(theme) == list(THEMES["light"])
        assert {f"{role}{part}" for role in ROLES for part in ("", "-line", "-ink")} <= set(theme)
        assert {*SHADES, *(f"{name}-ink" for name in SHADES)} - {"none", "none-ink"} <= set(theme)
    light, dark = draw(neuron(2)).source, draw(neuron(2), theme="dark").source
    assert THEMES["light"]["paper"] in light
    assert THEMES["dark"]["paper"] in dark
    assert set(groups(parsed(draw(neuron(2), theme="dark")), "node")) == {
        f"v{i}" for i in range(17)
    }
    colour = re.compile(r"#[0-9A-F]{6}")
    assert not set(colour.findall(dark)) & {"#FFFFFF", "#DDF4EA", "#E3F1FB"}


def test_shades_and_strokes() -> None:
    assert [shade(10.0**-k, 1.0) for k in range(6)] == [f"positive-{i}" for i in (3, 2, 1, 0, 0, 0)]
    assert shade(-1.0, 1.0) == "negative-3"
    assert shade(0.0, 1.0) == shade(-0.0, 1.0) == "zero"
    assert shade(math.nan, 1.0) == "nan"
    assert shade(None, 1.0) == "none"
    assert shade(-math.inf, 0.0) == "negative-3"
    assert shade(5e-324, 1e308) == "positive-0"
    assert shade(5e-324, 5e-324) == "positive-3"
    widths = [stroke(f"negative-{k}")[1] for k in (3, 2, 1, 0)]
    assert widths == sorted(widths, reverse=True)
    assert len(set(widths)) == 4
    assert {stroke(name)[0] for name in SHADES} == {"negative", "positive", "idle", "nan"}


def test_inf_and_nan_are_shown_as_such() -> None:
    x = Value(0.0, name="x")
    svg = parsed(draw(tg.log(x) * Value(math.nan, name="n")))
    assert "nan" in words(groups(svg, "node")["v0"])
    assert any("-inf" in words(card) for card in groups(svg, "node").values())


@pytest.mark.parametrize(
    ("x", "text"),
    [
        (0.0, "0"), (1 / 7, "0.1429"), (1234.56, "1235"), (12345.6, "12346"), (1e6, "1e+06"),
        (123456789.0, "1.235e+08"), (-1e-9, "-1e-09"), (math.inf, "inf"), (math.nan, "nan"),
        (999999.7, "1e+06"), (-250000.0, "-250000"),
    ],
)  # fmt: skip
def test_rounded(x: float, text: str) -> None:
    assert rounded(x) == text


# --- boxes


def tops(svg: ElementTree.Element) -> dict[str, float]:
    boxes = groups(svg, "cluster").values()
    return {tooltip(box): float(next(box.iter(f"{SVG}text")).attrib["y"]) for box in boxes}


@pytest.mark.parametrize("houses", [2, 3, 7, 12])
def test_samples_stand_in_their_own_order_and_parameters_at_the_left(houses: int) -> None:
    svg = parsed(draw(neuron(houses)))
    top = tops(svg)
    assert sorted(top, key=top.__getitem__) == [f"sample {i}" for i in range(1, houses + 1)]
    left = {
        id: min(float(text.attrib["x"]) for text in card.iter(f"{SVG}text"))
        for id, card in groups(svg, "node").items()
    }
    assert set(sorted(left, key=left.__getitem__)[:2]) == {"v0", "v1"}


def test_scopes_nest() -> None:
    with scope("sample 1"):
        x = Value(1.0)
        with scope("neuron 2"):
            y = x * 2.0
    lines = [line.strip() for line in draw(y + 1.0).source.splitlines()]
    assert [line for line in lines if line == "}" or line.startswith("subgraph")] == [
        "subgraph cluster_0 {", "subgraph cluster_1 {", "}", "}", "}",
    ]  # fmt: skip
    assert set(tops(parsed(draw(y + 1.0)))) == {"sample 1", "sample 1/neuron 2"}


def test_very_deep_and_odd_scopes() -> None:
    with scope("/".join(f"s{i}" for i in range(5000))):
        x = Value(1.0)
    with scope("//"):
        y = x * 2.0
    assert len(tops(parsed(draw(y)))) == 8


def test_a_box_is_held_by_its_leftmost_card() -> None:
    squares = []
    for i in range(3):
        with scope(f"sample {i}"):
            late, early = Value(1.0, "late"), Value(2.0, "early")
            squares.append((tg.tanh(early) - late) ** 2)
    (row,) = Boxes(view(snapshot(tg.sum(squares)), 400)).rows
    assert [(head.nodes[0].name, head.place) for head in row.heads] == [
        ("early", (f"sample {i}",)) for i in range(3)
    ]


def test_in_order() -> None:
    names = ["b 10", "loss", "b 9", "a", "b 9"]
    assert in_order(names) == ["b 9", "b 10", "loss", "a"]
    assert in_order(["x" + "9" * 5000, "x1"])[0] == "x1"


# --- any text is a name


NASTY = [
    "<script>alert(1)</script>", '"', "\\", "\\N \\G \\n", "a\nb\tc", "]]>", "&lt;&amp;&#160;",
    "</B></FONT>", "\x00\x07\x1b[31m", "\ud800x", "ŷ₁ 數 🙂", "--><!--", "'; DROP", "\u202e",
    '" onload="x', "\ufffe", "x" * 10_000, "", " ", "<<", "\\\"", "%s{0}",
]  # fmt: skip


def check_text(text: str) -> None:
    x = Value(1.0, name=text, role="input")
    with scope(text or "s"):
        drawing = draw(x * 2.0, title=text)
    svg = parsed(drawing)
    card = groups(svg, "node")["v0"]
    expected = clean(text)
    if text:
        told = tooltip(card).replace("\xa0", " ")  # Graphviz keeps runs of blanks like this
        assert told.startswith(f"{expected or 'input'} = 1.0\n".replace("\xa0", " "))
        if len(expected) <= 24:  # and leading, trailing and lone blanks are laid out
            assert expected.replace("\xa0", " ") in words(card).replace("\xa0", " ")
        if text.strip("/") and "/" not in text and len(expected) <= 60:
            (box,) = groups(svg, "cluster").values()
            assert words(box).replace("\xa0", " ") == expected.replace("\xa0", " ") or not expected
    assert len(words(card)) < 60
    assert {element.tag for element in svg.iter()} <= {
        SVG + tag for tag in ("svg", "g", "title", "a", "text", "path", "polygon", "polyline")
    }
    for element in svg.iter():
        assert not any(key.lower().startswith("on") for key in element.attrib)
        assert re.fullmatch(r"[A-Za-z][\w-]*", element.attrib.get("id", "x"))
    assert len(groups(svg, "node")) == 3
    assert all(len(line) <= 80 for line in drawing.text().splitlines())


@pytest.mark.parametrize("text", NASTY)
def test_nasty_names(text: str) -> None:
    check_text(text)


@settings(max_examples=40)
@given(
    st.text(st.characters(codec=None), max_size=30) | st.text("<>&\"'\\/;#lgtNG \n]-", max_size=12)
)
def test_any_name(text: str) -> None:
    check_text(text)


# --- the same text everywhere


PROGRAM = """
import tinygrad_edu as tg
from tinygrad_edu.drawing import draw
ws = [tg.Value(i / 3, name=f"w{i}", role="parameter") for i in range(6)]
terms = []
for i in range(4):
    with tg.scope(f"sample {i}"), tg.scope("neuron"):
        terms.append(tg.tanh(tg.sum([w * float(i) for w in ws])))
d = draw(tg.sum(terms), limit=40)
print(d.source, d.svg(), draw(tg.sum(terms), theme="auto").svg())
"""


def test_same_text_in_every_process() -> None:
    runs = [
        subprocess.run(
            [sys.executable, "-c", PROGRAM],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONIOENCODING": "utf-8"},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("0", "1", "77")
    ]
    assert len(set(runs)) == 1
    assert b"fold0 [" in runs[0]


def test_importing_needs_the_standard_library_only() -> None:
    code = "import sys, tinygrad_edu.drawing as d; print('graphviz' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert done.stdout.strip() == b"False"


# --- engines


def hide(monkeypatch: pytest.MonkeyPatch, *, pure: bool = True, dot: bool = True) -> None:
    """As on a machine without graphviz-pure, dot, pygraphviz."""
    if pure:

        def files(name: str) -> Any:
            raise importlib.metadata.PackageNotFoundError(name)

        monkeypatch.setattr(importlib.metadata, "files", files)
    if dot:
        monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.setitem(sys.modules, "pygraphviz", None)


def a_dot(folder: Path, writes: str) -> str:
    """A program that answers whatever it is asked with one text."""
    program = folder / "dot"
    program.write_text(f"#!{sys.executable}\nimport sys\nsys.stdin.read()\nprint({writes!r})\n")
    program.chmod(0o755)
    return str(program)


def test_the_global_of_the_graphviz_package_is_left_alone() -> None:
    from graphviz.backend import dot_command

    before = dot_command.DOT_BINARY
    draw(Value(1.0)).svg()
    assert dot_command.DOT_BINARY is before


def test_graphviz_pure_needs_no_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert draw(Value(1.0)).svg().startswith("<svg")


@pytest.mark.skipif(os.name == "nt", reason="the stand-in for dot is a script")
def test_fallback_order(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = a_dot(tmp_path, '<svg xmlns="http://www.w3.org/2000/svg"><text>by dot</text></svg>')
    monkeypatch.setattr(shutil, "which", lambda name: program)
    assert "by dot" not in draw(Value(1.0)).svg()  # graphviz-pure comes first
    assert b"by dot" in layout_engines.render("", "pdf")  # but draws no pdf
    hide(monkeypatch, dot=False)
    assert "by dot" in draw(Value(1.0)).svg()

    class AGraph:
        def __init__(self, string: str) -> None:
            assert "digraph" in string

        def draw(self, path: None, format: str, prog: str) -> bytes:
            words = f"<text>{format} {prog}</text>"
            return f'<svg xmlns="http://www.w3.org/2000/svg">{words}</svg>'.encode()

    hide(monkeypatch)
    monkeypatch.setitem(sys.modules, "pygraphviz", type("module", (), {"AGraph": AGraph}))
    assert "<text>svg dot</text>" in draw(Value(1.0)).svg()


@pytest.mark.skipif(os.name == "nt", reason="the stand-in for dot is a script")
def test_an_engine_that_fails_is_passed_over(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    hide(monkeypatch, dot=False)
    program = Path(a_dot(tmp_path, ""))
    program.write_text(f"#!{sys.executable}\nimport sys\nsys.exit('no fonts today')\n")
    monkeypatch.setattr(shutil, "which", lambda name: str(program))
    with pytest.raises(errors.DrawingError, match="no fonts today"):
        draw(Value(1.0)).svg()
    monkeypatch.setitem(layout_engines.ENGINES, "last", lambda source, form: b"<svg/>")
    assert draw(Value(1.0)).svg().startswith("<svg")
    monkeypatch.setattr(layout_engines, "ENGINES", {"one": lambda source, form: b"<svg>"})
    with pytest.raises(errors.DrawingError, match="invalid SVG"):
        draw(Value(1.0)).svg()


@pytest.fixture
def registering() -> Iterator[Callable[[str, Any], None]]:
    """`register_layout_engine`; afterwards, none is registered."""
    yield tg.register_layout_engine
    layout_engines.REGISTERED.clear()


def an_svg(words: str) -> str:
    return f'<svg xmlns="http://www.w3.org/2000/svg"><text>{words}</text></svg>'


def test_a_registered_engine_is_the_first(registering: Callable[[str, Any], None]) -> None:
    asked: list[tuple[str, str]] = []

    def mine(source: str, form: str) -> str | bytes:
        asked.append((source[:7], form))
        return an_svg("mine") if form == "svg" else b"\x89PNG"

    registering("mine", mine)
    assert "mine" in draw(Value(1.0)).svg()
    assert draw(Value(1.0)).png() == b"\x89PNG"
    assert asked == [("digraph", "svg"), ("digraph", "png")]
    registering("mine", lambda source, form: an_svg("another").encode())
    assert "another" in draw(Value(1.0)).svg()
    registering("mine", None)
    registering("nobody", None)
    assert "another" not in draw(Value(1.0)).svg()


def test_a_registered_engine_that_fails_is_passed_over(
    registering: Callable[[str, Any], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(source: str, form: str) -> str:
        raise ZeroDivisionError("no room")

    registering("broken", broken)
    registering("odd", lambda source, form: 3)
    assert draw(Value(1.0)).svg().startswith("<svg")
    monkeypatch.setattr(layout_engines, "ENGINES", {})
    with pytest.raises(errors.DrawingError) as caught:
        draw(Value(1.0)).svg()
    tried = "Tried: broken failed: no room; odd returned int instead of bytes or str."
    assert tried in str(caught.value)
    assert "tg.register_layout_engine" in str(caught.value)


def test_what_is_not_an_engine_is_refused(registering: Callable[[str, Any], None]) -> None:
    with pytest.raises(errors.BadArgument, match=r"function of DOT.*Received: 'dot'"):
        registering("dot", "dot")
    with pytest.raises(errors.BadArgument, match=r"must be a string.*Received: 3"):
        registering(3, an_svg)  # type: ignore[arg-type]
    assert not layout_engines.REGISTERED


class Viz:
    """An instance of viz.js, as Pyodide shows it to Python."""

    class formats:
        @staticmethod
        def to_py() -> list[str]:
            return ["dot", "svg"]

    def renderString(self, source: str, format: str) -> str:
        assert source.startswith("digraph")
        return an_svg("by viz.js")


class Maker:
    """The module of viz.js."""

    @staticmethod
    def instance() -> Viz:
        return Viz()


PLACES: dict[str, tuple[dict[str, Any], Any, bool]] = {
    "a global instance": ({"viz": Viz()}, None, False),
    "an instance, named as the module is": ({"Viz": Viz()}, None, False),
    "a registered module": ({}, Viz(), False),
    "a global that makes one": ({"viz": None, "Viz": Maker()}, None, True),
    "a registered module that makes one": ({}, Maker(), True),
}


def in_a_browser(
    monkeypatch: pytest.MonkeyPatch, names: dict[str, Any], module: Any, waits: bool
) -> Any:
    """As in Pyodide, with these globals of JavaScript and this module named viz."""
    hide(monkeypatch)
    js = SimpleNamespace(**names)
    ffi = SimpleNamespace(can_run_sync=lambda: waits, run_sync=lambda promise: promise)
    monkeypatch.setattr(layout_engines, "IN_PYODIDE", True)
    for name, there in {"js": js, "pyodide": None, "pyodide.ffi": ffi, "viz": module}.items():
        monkeypatch.setitem(sys.modules, name, there)
    return js


@pytest.mark.parametrize("place", PLACES)
def test_viz_js_is_found(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    js = in_a_browser(monkeypatch, *PLACES[place])
    assert "by viz.js" in draw(Value(1.0)).svg()
    assert "makes one" not in place or isinstance(js.viz, Viz)  # kept for the next picture
    with pytest.raises(errors.DrawingError, match=r"viz\.js draws no png"):
        draw(Value(1.0)).png()


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        ({}, "viz.js is not loaded"),
        ({"viz": None}, "viz.js is not loaded"),
        ({"Viz": Maker()}, "viz.js is loaded, but has no instance yet"),
    ],
)
def test_in_a_browser_the_remedy_is_viz_js(
    names: dict[str, Any], reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_a_browser(monkeypatch, names, None, waits=False)
    with pytest.raises(errors.DrawingError) as caught:
        draw(Value(1.0)).svg()
    assert reason in str(caught.value)
    assert "globalThis.viz = await Viz.instance()" in str(caught.value)
    assert "pip" not in str(caught.value)


TIKZ = {
    "neuron": lambda: draw(neuron(2), title="50% of w_1 & b", theme="dark", highlight="w"),
    "names": lambda: draw(Value(1.0, name="{x}\\ŷ₁#^~") * Value(math.inf, name="θ²")),
    "network": lambda: draw(nn.MLP(2, [3, 1], seed=0), view="network"),
}


@pytest.mark.parametrize("kind", TIKZ)
def test_tikz_draws_what_the_svg_draws(kind: str, tmp_path: Path) -> None:
    drawing = TIKZ[kind]()
    code = drawing.save(tmp_path / "x.tikz").read_text(encoding="utf-8")
    root = ElementTree.fromstring(drawing.svg())
    count = Counter(element.tag.rpartition("}")[2] for element in root.iter())
    shapes = count["path"] + count["polygon"] + count["polyline"] + count["ellipse"]
    assert code.count("\n\\draw[") == shapes
    assert code.count("\n\\node[") == count["text"]
    bare = re.sub(r"\\[\\{}]", "", code)
    assert bare.count("{") == bare.count("}")
    points = re.findall(r"\((-?[\d.]+),(-?[\d.]+)\)", code)
    _, _, width, height = map(float, root.attrib["viewBox"].split())
    assert all(-18.0 <= float(x) <= width and -height <= float(y) <= 18.0 for x, y in points)
    fills = {e.attrib["fill"] for e in root.iter() if e.get("fill", "none").startswith("#")}
    for fill in fills:
        rgb = "rgb,255:red,{};green,{};blue,{}".format(*bytes.fromhex(fill[1:]))
        assert rgb in code


@pytest.mark.thorough
@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="there is no pdflatex here")
@pytest.mark.parametrize("kind", TIKZ)
def test_latex_reads_the_tikz(kind: str, tmp_path: Path) -> None:
    TIKZ[kind]().save(tmp_path / "x.tikz")
    page = r"\documentclass{article}\usepackage{tikz,amsmath}\begin{document}"
    (tmp_path / "page.tex").write_text(page + r"\input{x.tikz}\end{document}", encoding="utf-8")
    command = ["pdflatex", "-interaction=batchmode", "-halt-on-error", "page.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, (tmp_path / "page.log").read_text(errors="replace")[-2000:]


def test_a_pdf_is_made_from_the_svg(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    try:
        import cairosvg  # noqa: F401
    except (ImportError, OSError) as error:  # OSError: without its C library
        pytest.skip(str(error))
    hide(monkeypatch, pure=False)
    picture = draw(neuron(2), title="two inputs").save(tmp_path / "x.pdf")
    assert picture.read_bytes().startswith(b"%PDF-")


def test_without_engines_one_clear_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    hide(monkeypatch)
    drawing = draw(neuron(2))
    with pytest.raises(errors.DrawingError, match="pip install graphviz graphviz-pure"):
        drawing.png()
    monkeypatch.undo()
    hide(monkeypatch, pure=False)
    monkeypatch.setitem(sys.modules, "cairosvg", None)
    with pytest.raises(errors.DrawingError, match=r"pip install 'tinygrad-edu\[pdf\]'.*no pdf"):
        drawing.save(tmp_path / "x.pdf")
    assert list(tmp_path.iterdir()) == []
    hide(monkeypatch)
    drawing.save(tmp_path / "x.dot")
    bundle = drawing._repr_mimebundle_()
    assert set(bundle) == {"text/plain"}
    assert "loss" in bundle["text/plain"]
    assert "pip install" in bundle["text/plain"]


def test_without_the_graphviz_package(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def refusing(name: str, *args: Any, **named: Any) -> Any:
        if name.startswith("graphviz"):
            raise ImportError(name)
        return real(name, *args, **named)

    hide(monkeypatch, pure=False)
    monkeypatch.setattr(builtins, "__import__", refusing)
    with pytest.raises(errors.DrawingError, match="the package graphviz is not installed"):
        draw(Value(1.0)).svg()


def test_a_layout_without_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout_engines, "SECONDS", 1e-6)
    with pytest.raises(errors.DrawingError, match="limit"):
        draw(neuron(7)).svg()


def test_notebook() -> None:
    bundle = draw(neuron(2))._repr_mimebundle_()
    assert "<svg" in bundle["text/html"]
    for prolog in ("<?xml", "<!DOCTYPE", "<script"):
        assert prolog not in bundle["text/html"]
    assert bundle["text/plain"].startswith("÷ loss")


# --- files


def test_save(tmp_path: Path) -> None:
    drawing = draw(neuron(2))
    assert drawing.save(str(tmp_path / "a.SVG")) == tmp_path / "a.SVG"
    ElementTree.parse(tmp_path / "a.SVG")
    drawing.save(tmp_path / "a.dot")
    assert (tmp_path / "a.dot").read_text(encoding="utf-8") == drawing.source
    drawing.save(tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes() == drawing.png()
    assert len(list(tmp_path.iterdir())) == 3


def test_png_is_capped() -> None:
    x = Value(1.0)
    for _ in range(300):
        x = tg.tanh(x)
    content = draw(x).png()
    assert content[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", content[16:24])
    assert 1000 < width <= 40 * 96 + 1
    assert height < width


def test_save_fails_clearly_and_leaves_no_half_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawing = draw(Value(1.0))
    for name in ("x", "x.jpg", ".svg"):
        with pytest.raises(errors.BadArgument, match=r"\.svg, \.png, \.pdf, \.dot, \.tikz"):
            drawing.save(tmp_path / name)
    with pytest.raises(errors.DrawingError, match="Make its folder first"):
        drawing.save(tmp_path / "missing" / "x.svg")
    (tmp_path / "file").write_text("")
    with pytest.raises(errors.DrawingError, match="not saved"):
        drawing.save(tmp_path / "file" / "x.svg")
    (tmp_path / "folder.svg").mkdir()
    with pytest.raises(errors.DrawingError, match="not a file"):
        drawing.save(tmp_path / "folder.svg")
    with pytest.raises(errors.DrawingError):
        drawing.save(tmp_path / f"{'x' * 300}.svg")

    old = tmp_path / "old.svg"
    old.write_text("old")

    def failing(file: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", failing)
    with pytest.raises(errors.DrawingError, match="No space left"):
        drawing.save(old)
    assert old.read_text() == "old"
    assert {path.name for path in tmp_path.iterdir()} == {"file", "folder.svg", "old.svg"}


# --- arguments


@pytest.mark.parametrize("x", [3.0, None, "loss", [Value(1.0)], object()])
def test_only_values_and_graphs_are_drawn(x: Any) -> None:
    with pytest.raises(errors.GraphError, match="Received"):
        draw(x)
    with pytest.raises(errors.GraphError, match="Received"):
        tree(x)


def test_wrong_arguments() -> None:
    x = Value(1.0)
    with pytest.raises(errors.NameUnknown, match="Did you mean 'dark'"):
        draw(x, theme="drak")
    for limit in (0, -1, 2.5, True, None):
        with pytest.raises(errors.BadArgument, match="limit"):
            draw(x, limit=limit)  # type: ignore[arg-type]
        with pytest.raises(errors.BadArgument, match="limit"):
            tree(x, limit)  # type: ignore[arg-type]
    with pytest.raises(errors.BadArgument, match="title"):
        draw(x, title=3)  # type: ignore[arg-type]
    for option in ("show", "unfold"):
        for wrong in (3, None, ["data", 3]):
            with pytest.raises(errors.BadArgument, match=f"{option} must be a string"):
                draw(x, **{option: wrong})


def test_reprs() -> None:
    drawing = draw(neuron(2))
    assert repr(drawing).startswith("<Drawing of 17 nodes")
    assert str(drawing) == drawing.text() == tree(neuron(2))


# --- large graphs


def test_budget_is_said_in_the_picture() -> None:
    x = Value(1.0, name="x")
    for _ in range(2000):
        x = x + 1.0
    drawing = draw(x, unfold="Σ")
    svg = parsed(drawing)
    cards = [name for name in groups(svg, "node") if not name.startswith("node")]  # no circles
    assert len(cards) == picture.CARDS + 1
    assert words(groups(svg, "node")["more"]) == "… 3,921 more nodes"
    assert "not drawn: 3,921 nodes" in html.unescape(drawing.svg())
    assert "v4000" in groups(svg, "node")
    assert "more" not in groups(parsed(draw(neuron(2), limit=17)), "node")


def test_what_is_left_out_is_accounted_for() -> None:
    x = Value(2.0, name="x")
    y = (x * x) * 3.0 + x  # x is near the root, and used by x * x, which is not
    seen = view(snapshot(y), 3)
    assert [card.id for card in seen.cards] == ["v0", "more", "v3", "v4"]
    (link,) = [link for link in seen.links if link.head == "more"]
    assert link.edges == [(0, 0, 1), (0, 1, 1)]
    assert seen.flow(link) == snapshot(y).nodes[0].adjoint - 1.0
    source = draw(y, limit=3).source
    assert "v0 -> more" in source
    assert f"2 edges that contribute {seen.flow(link)!r} to d" in source


def test_a_sum_of_very_many_terms() -> None:
    x = Value(1.0, name="x")
    svg = parsed(draw(tg.sum([x] * 50_000), limit=20))
    assert len(groups(svg, "node")) == 2
    assert words(groups(svg, "edge")["v0-v1"]) == "d +50000"
    total = tg.sum([Value(1.0) for _ in range(5000)])
    svg = parsed(draw(total, limit=20))
    assert words(groups(svg, "node")["fold0"]) == "5,000 numbers"
    assert words(groups(svg, "edge")["fold0-v5000"]) == ""  # 5000 gradients have no sum
    svg = parsed(draw(total, limit=20, unfold="Σ"))
    assert words(groups(svg, "node")["more"]) == "… 4,981 more nodes"


# --- the tree


def test_tree_of_shared_nodes() -> None:
    x = Value(3.0, name="x")
    square = x * x
    square.name = "s"
    assert tree(square + square * 2.0).splitlines() == [
        "+ = 27  d +1",
        "├─ +1 · × s = 9  d +3  (v1)",
        "│  ├─ +3 · x = 3  d +18",
        "│  └─ +3 · x = 3  d +18",
        "└─ +1 · × = 18  d +1",
        "   ├─ +2 · × s = 9  d +3  ↑ v1",
        "   └─ 2",
    ]


def test_tree_of_a_ladder_of_diamonds() -> None:
    x = Value(1.0, name="x")
    for _ in range(10_000):
        x = x + x
    lines = tree(x).splitlines()
    assert len(lines) == 61
    assert max(map(len, lines)) <= 80
    assert len(tree(x, limit=10**6).splitlines()) == 20_001


def test_tree_of_a_long_chain() -> None:
    x = Value(1.0, name="x")
    for _ in range(100_000):
        x = tg.tanh(x)
    lines = tree(x, limit=40).splitlines()
    assert len(lines) == 41
    assert lines[-1] == "… 99,961 more nodes (limit=40)"
    assert lines[-2].startswith("⋯")
    assert re.search(r"tanh = 0\.\d+  d \S+$", lines[-2])  # the indentation gave way, not this
    assert max(map(len, lines)) <= 80


def test_tree_counts_what_it_leaves_out() -> None:
    x = Value(1.0)
    assert tree(x) == "1  d +1"
    assert tree(tg.sum([x] * 100), limit=3).splitlines()[-1] == "… 98 more edges (limit=3)"
    assert "more" not in tree(neuron(7))


@settings(max_examples=60)
@given(expressions(), st.integers(1, 30))
def test_tree_shows_every_edge_once(root: Value, limit: int) -> None:
    graph = snapshot(root)
    edges = sum(1 for _ in graph.edges())
    whole = tree(graph, limit=10**6).splitlines()
    assert len(whole) == edges + 1
    part = tree(graph, limit).splitlines()
    assert part[:limit] == whole[:limit]
    assert len(part) <= limit + 1
