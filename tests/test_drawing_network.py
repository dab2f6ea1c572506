"""The neurons of a model as a picture: each weight is a line whose width and colour show it."""

from __future__ import annotations

import math
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

import tinygrad_edu as tg
from tinygrad_edu import Value, errors, keras, nn
from tinygrad_edu.drawing import Drawing

SVG = "{http://www.w3.org/2000/svg}"


def sequential(*sizes: int) -> keras.Sequential:
    keras.set_random_seed(sum(sizes))
    model = keras.Sequential([keras.layers.Dense(size, "tanh") for size in sizes[1:]])
    model.build(sizes[:1])
    return model


def lines(drawing: Drawing) -> dict[str, tuple[float, str, float]]:
    """Of each line of an SVG: the weight in its tooltip, its class, and its width."""
    root = ElementTree.fromstring(drawing.svg())
    weights = {}
    for group in root.iter():
        if (group.get("class") or "").startswith("edge "):
            title = next(element.text for element in group if element.tag == f"{SVG}title")
            weight = float((title or "").removeprefix("w = "))
            weights[group.attrib["id"]] = (weight, group.attrib["class"].split()[1],
                                         float(group.attrib["stroke-width"]))  # fmt: skip
    return weights


def test_each_weight_is_a_line_by_its_size_and_sign() -> None:
    model = sequential(2, 3, 2)
    shown = lines(tg.draw(model, view="network"))
    for depth, layer in enumerate(model.layers, 1):
        for i, row in enumerate(layer.kernel, 1):
            for j, w in enumerate(row, 1):
                weight, sign, _ = shown.pop(f"w{depth}-{i}-{j}")
                assert (weight, sign) == (w.data, "positive" if w.data > 0.0 else "negative")
    assert shown == {}
    widths = [(abs(w), width) for w, _, width in lines(tg.draw(model, view="network")).values()]
    assert [width for _, width in sorted(widths)] == sorted(width for _, width in widths)


def test_models_of_both_kinds_are_drawn_alike() -> None:
    mlp, model = nn.MLP(2, [3, 1], activation="tanh", seed=1), sequential(2, 3, 1)
    for layer, dense in zip(mlp.layers, model.layers):
        for j, neuron in enumerate(layer.neurons):
            neuron.b.data = 0.5
            dense.bias[j].data = 0.5
            for w, row in zip(neuron.w, dense.kernel):
                row[j].data = w.data
    model.layers[1].activation = keras.layers.Activation("linear")
    assert tg.draw(mlp, view="network").svg() == tg.draw(model, view="network").svg()
    assert "b +0.5" in tg.draw(mlp, view="network").svg()
    assert tg.draw(mlp, view="network").text() == "2 inputs → 3 tanh → 1 linear"


@pytest.mark.parametrize(
    ("model", "text", "circles"),
    [
        (nn.Neuron(1, nonlin=False), "1 input → 1 linear", 2),
        (nn.Layer(4, 2), "4 inputs → 2 relu", 6),
        (nn.MLP(1, [40, 1]), "1 input → 40 relu → 1 linear", 1 + 15 + 1),
        (keras.layers.Dense(2), None, 0),
    ],
)
def test_what_can_be_drawn(model: object, text: str | None, circles: int) -> None:
    if text is None:
        with pytest.raises(errors.BadArgument, match="Build the model first"):
            tg.draw(model, view="network")
        return
    drawing = tg.draw(model, view="network", title="T <b>", theme="auto", legend=False)
    assert drawing.text() == text
    assert drawing.svg().count("<ellipse") == circles
    assert ("25 more" in drawing.svg()) == ("40" in text)
    assert "wider" not in drawing.svg()
    assert "T &lt;b&gt;" in drawing.svg()


def test_layers_without_weights() -> None:
    layers = keras.layers
    model = keras.Sequential([
        layers.Flatten(), layers.Dense(2), layers.Activation("tanh"), layers.Dropout(0.5),
        layers.Dense(3), layers.Softmax(),
    ])  # fmt: skip
    model.build((2, 2))
    assert tg.draw(model, view="network").text() == "4 inputs → 2 tanh → 3 softmax"


def test_what_is_not_a_stack_is_refused() -> None:
    a, b = keras.Input((2,)), keras.Input((1,))
    joined = keras.layers.Concatenate()([keras.layers.Dense(2)(a), b])
    for wrong in (keras.Model([a, b], keras.layers.Dense(1)(joined)), Value(1.0), 3, None):
        with pytest.raises(errors.BadArgument, match=r'view="network" draws .*Received: '):
            tg.draw(wrong, view="network")
    with pytest.raises(errors.NameUnknown, match="Did you mean 'network'"):
        tg.draw(Value(1.0), view="networks")


@pytest.mark.parametrize("special", [0.0, -0.0, math.inf, -math.inf, math.nan, 1e308, 5e-324])
def test_any_weight(special: float) -> None:
    neuron = nn.Neuron(2, seed=0)
    neuron.w[0].data = special
    weight, sign, width = lines(tg.draw(neuron, view="network"))["w1-1-1"]
    assert repr(weight) == repr(special)
    assert 0.3 < width <= 5.0
    assert sign == ("nan" if special != special else "idle" if special == 0.0
                    else "positive" if special > 0.0 else "negative")  # fmt: skip


def test_the_formats(tmp_path: Path) -> None:
    drawing = tg.draw(sequential(2, 2, 1), view="network", direction="TB", digits=2, theme="dark")
    assert drawing.png().startswith(b"\x89PNG")
    assert drawing.save(tmp_path / "net.svg").read_text(encoding="utf-8") == drawing.svg()
    assert "digraph" in drawing.save(tmp_path / "net.dot").read_text(encoding="utf-8")
    assert re.fullmatch(r"<Drawing of a 2-2-1 network: .*>", repr(drawing))
    assert "text/html" in drawing._repr_mimebundle_()
