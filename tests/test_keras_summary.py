"""Summaries and pictures of models: all that is there, within the columns of a terminal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_edu import keras
from tinygrad_edu.drawing import Drawing
from tinygrad_edu.drawing.text import columns
from tinygrad_edu.errors import BadArgument, DrawingError, GraphError, NameUnknown
from tinygrad_edu.keras.layers import Activation, Add, Concatenate, Dense, Dropout, Flatten, Layer
from tinygrad_edu.keras.summary import summary
from tinygrad_edu.keras.utils import plot_model, set_random_seed


def test_the_post(capsys: Any) -> None:
    """Keras writes for the same model: Output Shape (None, 1), Param # 2, and below
    'Total params: 2 (8.00 B)', 'Trainable params: 2 (8.00 B)',
    'Non-trainable params: 0 (0.00 B)'."""
    model = keras.Sequential([Dense(units=1, input_shape=[1])])
    model.compile(optimizer="sgd", loss="mean_squared_error")
    model.summary()
    assert capsys.readouterr().out == (
        'Sequential "sequential", for samples of shape (1,)\n'
        "┌───────────────┬────────────┬──────────────┬─────────────┐\n"
        "│ Layer (type)  │ Activation │ Output shape │  Parameters │\n"
        "├───────────────┼────────────┼──────────────┼─────────────┤\n"
        "│ dense (Dense) │ linear     │ (1,)         │ 1·1 + 1 = 2 │\n"
        "└───────────────┴────────────┴──────────────┴─────────────┘\n"
        " Parameters   2, all trainable\n"
        " Optimizer    SGD(learning_rate=0.01), which remembers 2 numbers\n"
        " Loss         mean_squared_error\n"
    )


def skipping() -> keras.Model:
    a, b = keras.Input(shape=(1,), name="left"), keras.Input(shape=(1,))
    shared = Dense(3, "tanh", use_bias=False, name="shared", trainable=False)
    both = Add()([shared(a), shared(b)])
    return keras.Model([a, b], Dense(1)(Concatenate()([both, Dropout(0.5)(b)])), name="skip")


def test_a_model_that_branches() -> None:
    model = skipping()
    model.compile("adam", "mse", ["mae", "r2"])
    lines = summary(model, 100).splitlines()
    assert lines[0] == 'Model "skip", for samples of shape (1,) and (1,)'
    flat = " ".join(" ".join(lines).replace("│", " ").split())
    for words in (
        "left (input) (1,)", "input_2 (input) (1,)", "input_2; left", "shared, shared",
        "1·3 = 3", "4·1 + 1 = 5", "add, dropout", "Parameters 8: 5 trainable, 3 frozen",
        "Optimizer Adam(learning_rate=0.001), which remembers 15 numbers",
        "Loss mean_squared_error", "Metrics mae, r2",
    ):  # fmt: skip
        assert words in flat, words
    assert "frozen)" in flat


def test_names_that_inputs_share_with_layers() -> None:
    a = keras.Input(shape=(1,), name="input")
    model = keras.Model(a, Dense(1, name="input")(a))
    assert "input′ (input)" in summary(model)


def test_models_that_are_not_built() -> None:
    text = summary(keras.Sequential([Dense(3, "relu"), Dense(1)]))
    assert "not built yet" in text
    assert text.count(" ? ") == 4
    assert "model.build((n,))" in text.replace("\n" + 14 * " ", " ")
    assert "Parameters   " not in text.splitlines()[-1]
    assert "call model.add" in summary(keras.Sequential())
    model = keras.Sequential([Dense(1)])
    model.compile("sgd", "mse")
    assert "SGD(learning_rate=0.01)\n" in summary(model)
    model.build((2,))
    assert "not built" not in summary(model)
    assert "remembers 3 numbers" in summary(model)


def test_the_optimizer_remembers_what_it_did() -> None:
    model = keras.Sequential([Dense(2, input_shape=[2]), Dense(1)])
    model.compile("adam", "mse")
    before = summary(model)
    model.fit([[1, 2]], [1], verbose=0)
    assert summary(model) == before
    assert "remembers 27 numbers" in before


def test_activations() -> None:
    def bent(x: Any) -> Any:
        return x * x

    class Plain(Layer):
        def forward(self, x: Any) -> Any:
            return x

    layers = [Dense(2, bent, input_shape=[2]), Activation("softmax"), Plain(), Flatten()]
    rows = summary(keras.Sequential(layers)).splitlines()[4:8]
    assert [row.split("│")[2].strip() for row in rows] == ["bent", "softmax", "", ""]
    assert [row.split("│")[4].strip() for row in rows] == ["2·2 + 2 = 6", "0", "0", "0"]
    assert "Activation" not in summary(keras.Sequential([Plain(input_shape=[1]), Flatten()]))


def test_print_fn_gets_all_at_once() -> None:
    told: list[str] = []
    model = keras.Sequential([Dense(1, input_shape=[1])])
    model.summary(print_fn=told.append)
    assert told == [summary(model)]


@pytest.mark.parametrize("length", [39, 0, -1, "80", 80.0, True])
def test_line_lengths_that_make_no_sense(length: Any) -> None:
    with pytest.raises(BadArgument, match="line_length must be a whole number from 40"):
        summary(keras.Sequential(), length)


NAMES = st.text(min_size=1, max_size=60) | st.sampled_from(
    [
        "家" * 50,
        "a_very_long_name_" * 5,
        "\x1b[31mred\x1b[0m",
        "two\nlines",
        "é" * 90,
        "e\u0301" * 90,
    ]
)


@given(st.lists(NAMES, min_size=1, max_size=4, unique=True), st.integers(40, 130), st.booleans())
def test_it_fits_whatever_the_names(names: list[str], width: int, branching: bool) -> None:
    layers = [Dense(2, name=name) for name in names]
    signal = start = keras.Input(shape=(2,), name="start")
    for layer in layers:
        signal = layer(signal)
    if branching:
        model = keras.Model(start, signal, name=names[0])
    else:
        layers = [Dense(2, name=name) for name in names]
        model = keras.Sequential([start, *layers], name=names[0])
    text = summary(model, width)
    lines = text.split("\n")
    assert max(map(columns, lines)) <= width
    frame = [line for line in lines if line[0] in "┌│├└"]
    assert len({columns(line) for line in frame}) == 1  # the frame is straight
    assert all(char == "\n" or (char >= " " and not "\x7f" <= char < "\xa0") for char in text)
    assert text.count("= 6") >= len(names) or width < 80


@given(NAMES)
def test_nothing_of_a_name_is_cut(name: str) -> None:
    from tinygrad_edu.strings import clean

    model = keras.Sequential([Dense(1, input_shape=[1], name=name)])
    cells = [line.split("│")[1].strip() for line in summary(model).split("\n")[3:]
             if line.startswith("│") and "│" not in name]  # fmt: skip
    if cells:
        assert "".join("".join(cells).split()) == "".join(f"{clean(name)}(Dense)".split())


# ── Pictures ──────────────────────────────────────────────────────────────────────────────


def test_a_picture_of_the_outputs(tmp_path: Path) -> None:
    model = keras.Sequential([Dense(2, "tanh", input_shape=[2]), Dropout(0.5), Dense(1)])
    picture = plot_model(model, tmp_path / "model.svg", show_shapes=True)
    assert isinstance(picture, Drawing)
    assert (tmp_path / "model.svg").read_text(encoding="utf-8").startswith("<")
    names = [node.name for node in picture.graph.nodes]
    assert {"x₁", "x₂", "ŷ"} <= set(names)
    assert picture.graph.nodes[-1].data == model.predict([[1, 1]])[0][0]
    assert any("dense" in str(node.scope) for node in picture.graph.nodes)


def test_a_picture_of_the_loss(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    model = keras.Sequential([Dense(1, input_shape=[1])])
    model.compile("sgd", "mse")
    picture = plot_model(model, x=[1, 2], y=[10, 20])
    assert (tmp_path / "model.png").read_bytes()[:4] == b"\x89PNG"
    assert picture.graph.nodes[-1].name == "loss"
    assert picture.graph.nodes[-1].data == model.evaluate([1, 2], [10, 20])
    assert all(p.grad == 0.0 for p in model.parameters())  # nothing was trained


def test_several_outputs() -> None:
    model = keras.Sequential([Dense(2, kernel_initializer="ones", input_shape=[1])])
    picture = plot_model(model, to_file=None)
    assert {"ŷ₁", "ŷ₂"} <= {node.name for node in picture.graph.nodes}
    assert picture.graph.nodes[-1].data == 2.0


def test_pictures_that_cannot_be() -> None:
    model = keras.Sequential([Dense(1)])
    with pytest.raises(GraphError, match=r"model\.build"):
        plot_model(model, None)
    model.build((1,))
    for given_one in ({"x": [1]}, {"y": [1]}):
        with pytest.raises(BadArgument, match="together"):
            plot_model(model, None, **given_one)
    with pytest.raises(NameUnknown, match="show_shapes"):
        plot_model(model, None, show_shape=True)
    with pytest.raises(BadArgument, match=r"\.png"):
        plot_model(model, "model.docx")
    with pytest.raises(DrawingError, match="Make its folder first"):
        plot_model(model, "no/such/folder.dot")


def test_the_seed_is_the_same() -> None:
    assert set_random_seed is keras.set_random_seed
