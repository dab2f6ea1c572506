"""The page as text: what is in it, what can't get into it, and what is refused."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from functools import cache
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_edu as tg
from tinygrad_edu import Value, keras
from tinygrad_edu.errors import BadArgument, GraphError
from tinygrad_edu.exploring.naming import names
from tinygrad_edu.exploring.page import document, embedded

FLATS, PRICES = (1, 2, 3, 4, 5, 6, 7), (10000, 20000, 30000, 40000, 50000, 60000, 70000)


def trained(epochs: int = 3, **compiled):
    """The post's model from zeros, and the weights of every epoch."""
    model = keras.Sequential([keras.layers.Dense(units=1, input_shape=[1])])
    model.compile(**{"optimizer": "sgd", "loss": "mean_squared_error", **compiled})
    model.layers[0].set_weights([[[0.0]], [0.0]])
    recorded = keras.callbacks.WeightHistory()
    model.fit(FLATS, PRICES, epochs=epochs, verbose=0, callbacks=recorded)
    return model, recorded


def small_loss(**names: str) -> Value:
    w, x = Value(0.5, names.get("w", "w"), "parameter"), Value(2.0, names.get("x", "x"), "input")
    loss = (w * x - 3.0) ** 2
    loss.name = names.get("loss", "loss")
    return loss


def data_of(html: str) -> dict:
    (found,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', html, re.S)
    return json.loads(found)


def test_the_posts_page_holds_500_epochs_in_less_than_a_megabyte(tmp_path):
    model, recorded = trained(epochs=500)
    page = tg.explore(model, tmp_path / "model.html", data=(FLATS, PRICES), training=recorded)
    size = (tmp_path / "model.html").stat().st_size
    assert size < 1_000_000
    data = data_of(page.html)
    assert data["epochs"] == list(range(501))
    assert len(data["samples"]) == 7
    assert [data["name"][id] for id in data["parameters"]] == ["w", "b"]
    assert data["rate"] == pytest.approx(0.01)
    assert os.fspath(page) == str(tmp_path / "model.html")
    assert "iframe" in page._repr_mimebundle_()["text/html"]


def test_nothing_in_the_page_comes_from_elsewhere(tmp_path):
    html = tg.explore(small_loss(), tmp_path / "page.html").html
    assert "default-src 'none'" in html
    links = set(re.findall(r"""(?:https?:)?//[\w.]+\.\w+[^\s"'<]*""", html))
    assert links <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}, links


class Tags(HTMLParser):
    """The tags and attributes of a page, and the texts between them."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        assert not any(name.startswith("on") for name, _ in attributes), attributes


def outside_of_pictures(html: str) -> list[str]:
    return [tag for tag in Tags(html).tags if tag not in ("g", "text", "path", "polygon", "a")]


@cache
def tags_of_a_plain_page() -> list[str]:
    return outside_of_pictures(document(tg.snapshot(small_loss()), "t", [0], [], 0.1))


NASTY = [
    "</script><script>alert(1)</script>", "<!--<script>", "]]>", "\"'`${x}", "\\u003c\\", "{{js}}",
    "a\nb\u2028c", "&lt;b&gt;", "\x00\ud800", "家🏠é", "x" * 10_000, "<img src=x onerror=alert(1)>",
]  # fmt: skip


@given(st.one_of(st.sampled_from(NASTY), st.text(max_size=30)))
def test_no_name_can_become_markup(name):
    mine = tg.snapshot(small_loss(w=name, loss=name))
    html = document(mine, name, [0], [], 0.1)
    assert outside_of_pictures(html) == tags_of_a_plain_page()
    assert html.count("<script") == 2
    if name.isprintable():
        assert data_of(html)["name"][0] == name


@given(st.recursive(st.text() | st.floats(allow_nan=False, allow_infinity=False), st.lists))
def test_embedded_data_come_back_the_same(data):
    text = embedded(data)
    assert json.loads(text) == data
    assert not re.search(r"[<>&\u2028\u2029]", text)


def test_the_same_graph_gives_the_same_page_in_every_process(tmp_path):
    program = (
        "import tinygrad_edu as tg, sys, hashlib; w = tg.Value(2.0, name='w');"
        "page = tg.explore((tg.tanh(w) + tg.exp(w)) ** 2, sys.argv[1]);"
        "print(hashlib.sha256(page.html.encode()).hexdigest())"
    )
    found = {
        subprocess.check_output(
            [sys.executable, "-c", program, str(tmp_path / "page.html")],
            env={**os.environ, "PYTHONHASHSEED": seed}, text=True,
        )
        for seed in ("0", "1")
    }  # fmt: skip
    assert len(found) == 1


def test_parameters_are_told_or_those_without_a_role(tmp_path):
    a, b = Value(1.0, "a"), Value(2.0, "b")
    page = tg.explore(a * b, tmp_path / "page.html")
    assert len(data_of(page.html)["parameters"]) == 2
    page = tg.explore(a * b, tmp_path / "page.html", parameters=[b], training=[[1.0], [2.0]])
    data = data_of(page.html)
    assert [data["name"][id] for id in data["parameters"]] == ["b"]
    assert data["epochs"] == [0, 1]


@pytest.mark.parametrize(
    ("make", "error", "says"),
    [
        (lambda path: tg.explore(3.0, path), GraphError, "Received: 3.0"),
        (lambda path: tg.explore(trained()[0], path), BadArgument, "data=None"),
        (lambda path: tg.explore(small_loss(), path, data=(1, 2)), BadArgument, "already"),
        (lambda path: tg.explore(small_loss(), path, training=[[1.0, 2.0]]), BadArgument, "2 num"),
        (lambda path: tg.explore(small_loss(), path, learning_rate=-1.0), BadArgument, "-1.0"),
        (lambda path: tg.explore(small_loss(), path / "below.html"), OSError, "page.html"),
    ],
)  # fmt: skip
def test_mistakes_are_told_and_leave_the_old_page(tmp_path, make, error, says):
    path = tmp_path / "page.html"
    path.write_text("old")
    with pytest.raises(error, match=says):
        make(path)
    assert path.read_text() == "old"


def test_edges_of_graphs(tmp_path):
    """A constant, a lone leaf, nan and infinity, an operation that only Python can run."""
    mine = tg.op("only_python_does_this", lambda x: float(int(x)), [lambda out, x: 1.0])
    for value in (Value(1.0), Value(2.0) * 0.0, tg.log(Value(-1.0)), Value(1.0) / Value(0.0),
                  mine(Value(2.0)), tg.stop_gradient(Value(1.0)) * 2.0):  # fmt: skip
        page = tg.explore(value, tmp_path / "page.html")
        assert data_of(page.html)["op"]
    opaque = data_of(tg.explore(mine(Value(2.0)), tmp_path / "page.html").html)
    assert opaque["opaque"] == ["only_python_does_this"]
    assert opaque["adjoint"] == [1.0, 1.0]


def test_only_the_number_of_a_sample_is_left_out_of_a_name():
    """The page says which sample it is; x₁ and x₂ of one sample, or w₁ of none, keep theirs."""
    w = Value(0.5, "w₁", "parameter")
    errors = []
    for i in "₁₂":
        with tg.scope(f"house {'₁₂'.index(i) + 1}"):
            inputs = Value(1.0, "x₁", "input") + Value(2.0, "x₂", "input")
            guess = w * inputs
            guess.name = f"ŷ{i}"
            errors.append(guess - Value(3.0, f"y{i}", "target"))
    found = names(tg.snapshot(tg.sum(errors)))
    assert [name for name in found if name] == ["w₁", *["x₁", "x₂", "ŷ", "y"] * 2]
    # A single sample needs no label.
    assert names(tg.snapshot(errors[0]))[-2] == "y₁"


def test_weights_travel_to_the_last_bit():
    import struct
    from base64 import b64decode

    model, recorded = trained(epochs=2, optimizer="adam")
    graph = tg.snapshot(model.loss_graph(FLATS, PRICES))
    html = document(graph, "t", [0, 1], recorded.epochs, 0.1)
    flat = [x for epoch in recorded.epochs for x in epoch]
    assert list(struct.unpack(f"<{len(flat)}d", b64decode(data_of(html)["weights"]))) == flat


def test_the_command_writes_a_page(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("houses.csv").write_text("flats,price\n1,10000\n2,20000\n3,30000\n")
    command = [sys.executable, "-m", "tinygrad_edu", "explore", "houses.csv", "--epochs", "5"]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8")
    assert (done.returncode, done.stderr) == (0, "")
    assert "Open model.html in a browser" in done.stdout
    data = data_of(Path("model.html").read_text(encoding="utf-8"))
    assert len(data["epochs"]) == 6
    assert {"flats", "price"} <= set(data["name"])
