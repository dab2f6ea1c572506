"""What Values, models and histories show in notebooks: complete, escaped, bounded."""

from __future__ import annotations

import subprocess
import sys
from html.parser import HTMLParser
from types import SimpleNamespace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import tinygrad_edu as tg
from tinygrad_edu import Value, keras, nn
from tinygrad_edu.drawing import layout_engines, notebook
from tinygrad_edu.notebooks import ends, table, wants_html

EVIL = '<script>alert("1")</script>&amp;<img src=x onerror=y>\\N\'"$\x00\ud800'


class Page(HTMLParser):
    """Every element, attribute and text of a piece of HTML; elements must nest."""

    VOID = ("br", "img", "meta")

    def __init__(self, html):
        super().__init__()
        self.tags, self.attributes, self.text, self.open = set(), set(), "", []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in self.VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data

    @property
    def harmless(self):
        """That nothing in it runs or loads anything."""
        handlers = {name for name in self.attributes if name.startswith("on")}
        return not self.tags & {"script", "img", "iframe", "object"} and not handlers


def trained(epochs=12, name="post", **fit):
    model = keras.Sequential(
        [keras.layers.Dense(1, kernel_initializer="zeros", input_shape=[1])], name=name
    )
    model.compile("sgd", "mse")
    history = model.fit([1, 2, 3], [2, 4, 6], epochs=epochs, verbose=0, **fit)
    return model, history


def chain(n):
    x = w = Value(1.0, name="w")
    for _ in range(n):
        x = x * 0.5 + w
    return x


# Values -----------------------------------------------------------------------------------


def test_a_value_shows_the_graph_it_was_made_by():
    w, x = Value(3.0, name="w"), Value(2.0, name="x")
    bundle = (w * x - 1.0)._repr_mimebundle_()
    assert bundle["text/plain"] == "Value(data=5.0, grad=0.0)"
    page = Page(bundle["text/html"])
    assert "svg" in page.tags
    assert page.harmless
    for name in ("w", "x", "×", "−"):
        assert name in page.text
    assert (w.grad, x.grad) == (0.0, 0.0)


def test_a_leaf_is_text():
    assert Value(3.0)._repr_mimebundle_() == {"text/plain": "Value(data=3.0, grad=0.0)"}


def test_a_larger_graph_shows_a_part_and_says_so():
    page = Page(chain(1000)._repr_mimebundle_()["text/html"])
    assert "not drawn: 2,961 nodes" in page.text  # of 2,001 and 1,000 constants


def test_of_a_very_large_graph_there_is_only_text():
    bundle = chain(100_000)._repr_mimebundle_()
    assert list(bundle) == ["text/plain"]
    assert "tg.draw" in bundle["text/plain"]
    wide = tg.sum([Value(1.0) for _ in range(notebook.MOST)])
    assert list(wide._repr_mimebundle_()) == ["text/plain"]


def test_a_stale_graph_shows_the_hint():
    w = Value(3.0, name="w")
    loss = w * w
    w.data = 4.0
    bundle = loss._repr_mimebundle_()
    assert list(bundle) == ["text/plain"]
    assert bundle["text/plain"].startswith("Value(data=9.0, grad=0.0)\nthe leaf 'w' was changed")
    assert "tg.replay" in bundle["text/plain"]


def test_without_an_engine_there_is_a_tree_and_a_hint(monkeypatch):
    def missing(source, form):
        raise layout_engines._Missing("<nothing> is installed")

    monkeypatch.setattr(layout_engines, "ENGINES", {"missing": missing})
    page = Page((Value(3.0, name=EVIL) * 2.0)._repr_mimebundle_()["text/html"])
    assert page.tags == {"pre", "p"}
    assert "└─ 2" in page.text
    assert "pip install graphviz" in page.text


@given(st.text(max_size=40))
@example(EVIL)
def test_names_are_text_whatever_they_hold(name):
    with tg.scope(name or "s"):
        value = Value(1.0, name=name) * 2.0
    value.name = name
    page = Page(value._repr_mimebundle_()["text/html"])
    assert page.harmless
    assert "svg" in page.tags


def test_no_html_is_made_where_none_is_shown(monkeypatch):
    monkeypatch.setattr(notebook, "draw", lambda *args, **named: pytest.fail("drawn"))
    value = Value(1.0) * 2.0
    text = {"text/plain": "Value(data=2.0, grad=0.0)"}
    assert value._repr_mimebundle_(include=["text/plain"]) == text
    assert value._repr_mimebundle_(exclude=["text/html"]) == text
    terminal = SimpleNamespace(display_formatter=SimpleNamespace(active_types=["text/plain"]))
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: terminal))
    assert value._repr_mimebundle_() == text
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: None))
    assert wants_html()
    assert wants_html(include=["text/html"])


def test_the_room_is_opened_when_it_is_first_used():
    program = (
        "import sys, tinygrad_edu as tg; v = tg.Value(1.0) * 2.0;"
        "assert 'tinygrad_edu.drawing' not in sys.modules;"
        "assert 'html' not in sys.modules, 'nn was opened';"
        "assert 'text/html' in v._repr_mimebundle_()"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", program], check=True)


# Models and Modules -----------------------------------------------------------------------


def test_a_model_shows_its_summary():
    model, _ = trained()
    bundle = model._repr_mimebundle_()
    said = []
    model.summary(print_fn=said.append)
    assert bundle["text/plain"] == said[0]
    page = Page(bundle["text/html"])
    for text in ("post", "dense (Dense)", "linear", "1·1 + 1 = 2", "SGD(", "mean_squared_error"):
        assert text in page.text
        assert text in bundle["text/plain"]


X = keras.Input(shape=(2,), name=EVIL)


@pytest.mark.parametrize(
    "model",
    [
        keras.Sequential(), keras.Sequential([keras.layers.Dense(1)]),
        keras.Sequential([keras.layers.Dense(2, name=EVIL, input_shape=[1])], name=EVIL),
        keras.Model(X, keras.layers.Add()([X, keras.layers.Dense(2)(X)])),
    ],
)  # fmt: skip
def test_every_model_shows_itself(model):
    bundle = model._repr_mimebundle_()
    page = Page(bundle["text/html"])
    assert page.harmless
    assert type(model).__name__ in page.text
    assert "\x00" not in bundle["text/html"]
    assert list(model._repr_mimebundle_(include=["text/plain"])) == ["text/plain"]


def test_a_module_shows_its_parameters():
    neuron = nn.Neuron(2, seed=0)
    neuron.w[0].data, neuron.w[0].grad = 0.125, -3.0
    bundle = neuron._repr_mimebundle_()
    assert bundle["text/plain"] == "ReLUNeuron(2)"
    page = Page(bundle["text/html"])
    for text in ("w.0", "w.1", "b", "0.125", "-3"):
        assert f"<td>{text}</td>" in bundle["text/html"]
    assert page.harmless


def test_a_large_module_shows_the_first_and_last_parameters():
    html = nn.MLP(2, [16, 16, 1], seed=0)._repr_mimebundle_()["text/html"]
    assert html.count("<tr>") == 12  # heads, five, dots, five
    assert "layers.0.neurons.0.w.0" in html
    assert "layers.2.neurons.0.b" in html
    assert len(Page(html).text) < 1000


def test_a_module_of_yours_names_no_address():
    class Line(nn.Module):
        def __init__(self):
            self.parts = {"<w>": Value(2.0)}

    assert repr(Line()) == "<Line of 1 parameter>"
    page = Page(Line()._repr_mimebundle_()["text/html"])
    assert "parts.<w>" in page.text
    assert repr(nn.Module()) == "<Module of 0 parameters>"
    assert "table" not in Page(nn.Module()._repr_mimebundle_()["text/html"]).tags


# Histories --------------------------------------------------------------------------------


def test_a_history_shows_its_curve_and_its_table():
    pytest.importorskip("matplotlib")
    _, history = trained(validation_data=([4], [8]))
    bundle = history._repr_mimebundle_()
    assert bundle["text/plain"] == repr(history)
    page = Page(bundle["text/html"])
    assert {"svg", "table"} <= page.tags
    assert page.harmless
    assert "style" not in page.tags  # it would colour the page around it
    assert bundle["text/html"].count("<tr>") == 12
    assert "val_loss" in page.text


def test_without_matplotlib_a_history_shows_its_table(monkeypatch):
    _, history = trained(epochs=3)
    for name in [name for name in sys.modules if name.split(".")[0] == "matplotlib"]:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    page = Page(history._repr_mimebundle_()["text/html"])
    assert "svg" not in page.tags
    assert [f"{loss:.6g}" in page.text for loss in history.history["loss"]] == [True] * 3


@pytest.mark.parametrize("numbers", [{}, {"loss": [float("nan")] * 2}, {"mae<b>": [1.0, 2.0]}])
def test_a_history_without_losses_shows_itself(numbers):
    history = keras.callbacks.History()
    history.history, history.epoch = numbers, list(range(2 if numbers else 0))
    bundle = history._repr_mimebundle_()
    assert "svg" not in Page(bundle["text/html"]).tags
    assert "<b>" not in bundle["text/html"]


# Where they are shown ---------------------------------------------------------------------


def test_ipython_formats_them_all():
    formatters = pytest.importorskip("IPython.core.formatters")
    shown = formatters.DisplayFormatter()
    model, history = trained(epochs=2)
    loss = model.loss_graph([1, 2], [2, 4])
    for thing in (loss, model, model.layers[0], history, tg.draw(loss), tg.plots.loss(history)):
        bundle, _ = shown.format(thing)
        assert bundle["text/plain"]
        assert {"text/html", "image/svg+xml"} & set(bundle)
        for form, text in bundle.items():
            assert text == text.encode("utf-8", "strict").decode(), form


def test_the_same_thing_shows_the_same_in_every_process():
    program = (
        "import sys, tinygrad_edu as tg; from tinygrad_edu import keras;"
        "m = keras.Sequential([keras.layers.Dense(1, 'linear', kernel_initializer='ones')]);"
        "m.compile('sgd', 'mse'); h = m.fit([1, 2], [3, 4], epochs=9, verbose=0);"
        "things = (m, h, m.layers[0], m.loss_graph([1], [2]));"
        "print([thing._repr_mimebundle_() for thing in things])"
    )
    run = [sys.executable, "-c", program]
    assert subprocess.check_output(run) == subprocess.check_output(run)


@given(st.lists(st.lists(st.text(), min_size=2, max_size=2), max_size=30))
def test_tables_are_escaped_and_short(rows):
    short = ends(rows)
    assert len(short) <= 11
    page = Page(table(["a", "b"], short))
    assert page.tags <= {"table", "tr", "th", "td"}
    assert len(rows) > 10 or short == rows
