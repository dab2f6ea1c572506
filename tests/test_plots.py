"""Plots: what is on the axes are the model's numbers, and nothing else is touched."""

from __future__ import annotations

import math
import os
import re
import subprocess
import sys
from itertools import pairwise
from math import inf, isfinite, nan
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sybil import Sybil
from sybil.parsers.markdown import PythonCodeBlockParser

import tinygrad_edu as tg
from tinygrad_edu import Value, keras, nn, plots
from tinygrad_edu.core.table import BUILT_IN, TABLE
from tinygrad_edu.drawing.axes import written
from tinygrad_edu.drawing.themes import THEMES
from tinygrad_edu.errors import BadArgument, GraphError, MissingExtra, NameUnknown, NotANumber

matplotlib = pytest.importorskip("matplotlib")
from matplotlib.colors import to_hex  # noqa: E402
from matplotlib.figure import Figure  # noqa: E402

FLATS = (1, 2, 3, 4, 5, 6, 7)
PRICES = (10000, 20000, 30000, 40000, 50000, 60000, 70000)


def neuron(rate=0.01, epochs=5, **fit):
    """The post's model, trained from 0, with its history and the path of its weights."""
    model = keras.Sequential(
        [keras.layers.Dense(1, kernel_initializer="zeros", input_shape=[1])], name="post"
    )
    model.compile(keras.optimizers.SGD(rate), "mse")
    path = keras.callbacks.WeightHistory()
    history = model.fit(FLATS, PRICES, epochs=epochs, verbose=0, callbacks=path, **fit)
    return model, history, path


def mean_squared_error(w, b):
    return sum((w * x + b - y) ** 2 for x, y in zip(FLATS, PRICES)) / 7


def lines(ax):
    return {line.get_label(): line for line in ax.lines}


def data(line):
    return [float(x) for x in line.get_xdata()], [float(y) for y in line.get_ydata()]


def legend(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def said(ax):
    return [text.get_text().replace("\u202f", " ") for text in ax.texts]


def spaced(x):
    return written(x).replace("\u202f", " ")


# The path of training ---------------------------------------------------------------------


def test_weight_history_is_the_path_of_descent():
    *_, path = neuron(epochs=20)
    w = b = 0.0
    by_hand = [[w, b]]
    for _ in range(20):
        errors = [w * x + b - y for x, y in zip(FLATS, PRICES)]
        w, b = (
            w - 0.01 * 2 / 7 * sum(e * x for e, x in zip(errors, FLATS)),
            b - 0.01 * 2 / 7 * sum(errors),
        )
        by_hand.append([w, b])
    assert len(path.epochs) == 21
    for got, wanted in zip(path.epochs, by_hand):
        assert got == pytest.approx(wanted, rel=1e-12)


def test_weight_history_begins_anew_and_leaves_out_an_interrupted_epoch():
    model, _, path = neuron(epochs=3)

    def interrupt(batch, logs):
        if len(path.epochs) == 2:
            raise KeyboardInterrupt

    stop = keras.callbacks.LambdaCallback(on_train_batch_end=interrupt)
    with pytest.raises(KeyboardInterrupt):
        model.fit(FLATS, PRICES, epochs=9, verbose=0, callbacks=[path, stop])
    assert len(path.epochs) == 2  # the start and one epoch
    assert path.epochs[-1] == [p.data for p in model.parameters()]


# The loss ---------------------------------------------------------------------------------


def test_the_loss_is_the_history():
    _, history, _ = neuron(epochs=30)
    ax = plots.loss(history, title="houses")
    line = lines(ax)["loss"]
    assert data(line) == ([*range(1, 31)], history.history["loss"])
    assert ax.get_yscale() == "log"
    assert (ax.get_xlabel(), ax.get_ylabel(), ax.get_title("left")) == ("epoch", "loss", "houses")
    assert ax.get_legend() is None  # one line needs none
    assert data(lines(ax)["_best of "]) == ([30.0], [min(history.history["loss"])])
    assert said(ax) == [
        f"best: {written(history.history['loss'][-1])} in epoch 30".replace("\u202f", " ")
    ]


def test_the_validation_stands_beside_it_and_tells_the_best_epoch():
    ax = plots.loss(
        {"loss": [4.0, 3.0, 2.0, 1.5], "val_loss": [5.0, 3.5, 3.6, 3.9], "mae": [1] * 4}
    )
    assert legend(ax) == ["loss", "val_loss"]
    assert data(lines(ax)["val_loss"])[1] == [5.0, 3.5, 3.6, 3.9]
    assert data(lines(ax)["_best of "]) == ([2.0], [3.5])
    assert ax.get_yscale() == "linear"
    assert said(ax) == ["best: 3.5 in epoch 2"]


def test_a_later_training_counts_on():
    _, history, _ = neuron(initial_epoch=2, epochs=5)
    assert data(lines(plots.loss(history))["loss"])[0] == [3.0, 4.0, 5.0]


def test_runs_are_compared_by_name():
    slow, fast = neuron(0.001)[1], neuron(0.02)[1]
    ax = plots.loss({"slow": slow, "fast $x$": fast.history["loss"]})
    assert legend(ax) == ["slow", r"fast \$x\$"]
    assert data(lines(ax)["slow"])[1] == slow.history["loss"]
    assert len({line.get_color() for line in (lines(ax)["slow"], lines(ax)[r"fast \$x\$"])}) == 2
    both = {"loss": [2.0, 1.0], "val_loss": [3.0, 2.0]}
    assert legend(plots.loss({"a": both, "b": [1.0]})) == ["a, loss", "a, val_loss", "b"]


def test_what_is_not_finite_is_a_gap():
    ax = plots.loss([4.0, inf, nan, 1.0])
    _, ys = data(lines(ax)["loss"])
    assert [isfinite(y) for y in ys] == [True, False, False, True]
    assert data(lines(ax)["_best of "]) == ([4.0], [1.0])


@pytest.mark.parametrize(
    ("losses", "scale"),
    [
        ([1.0, 0.02], "linear"), ([1.0, 0.009], "log"), ([1e3, 1.0, 0.0], "log"),
        ([1e3, 1.0, -1.0], "linear"), ([0.0, 0.0], "linear"), ([5.0], "linear"),
    ],
)  # fmt: skip
def test_the_scale_is_logarithmic_when_it_spans_decades(losses, scale):
    ax = plots.loss(losses)
    assert ax.get_yscale() == scale
    assert plots.loss(losses, log=False).get_yscale() == "linear"
    plots.svg(ax)


def test_a_validation_that_lost_its_places_is_left_out():
    assert "val_loss" not in lines(plots.loss({"loss": [2.0, 1.0], "val_loss": [1.0]}))


@pytest.mark.parametrize(
    ("history", "error"),
    [
        ([], BadArgument), ([nan, inf], BadArgument), (keras.callbacks.History(), BadArgument),
        ({}, BadArgument), ("loss", NotANumber), (3.0, NotANumber), (["a"], NotANumber),
    ],
)  # fmt: skip
def test_no_loss_is_refused(history, error):
    with pytest.raises(error, match="Received"):
        plots.loss(history)


# The fitted line --------------------------------------------------------------------------


def test_the_fitted_line_is_what_the_model_predicts():
    model, _, _ = neuron(0.03, epochs=40)
    noisy = [y + 3000 * (-1) ** x for x, y in zip(FLATS, PRICES)]
    ax = plots.fitted(model, FLATS, noisy)
    label = next(text for text in legend(ax) if text.startswith("model"))
    xs, ys = data(lines(ax)[label])
    assert ys == [row[0] for row in model.predict(xs)]
    assert xs[0] < 1.0
    assert xs[-1] > 7.0
    assert data(lines(ax)["data"]) == ([*map(float, FLATS)], noisy)
    errors = [path.vertices.tolist() for path in ax.collections[0].get_paths()]
    here = [row[0] for row in model.predict(FLATS)]
    assert errors == [[[x, y], [x, h]] for x, y, h in zip(FLATS, noisy, here)]
    assert label == f"model: w = {written(model.parameters()[0].data, 5)}, " + (
        f"b = {written(model.parameters()[1].data, 5)}"
    )


@pytest.mark.parametrize(
    "model", [nn.Neuron(1, seed=0), nn.MLP(1, [3, 1], seed=0), math.sin, lambda x: [x * x]]
)
def test_any_function_of_one_number_can_be_the_model(model):
    ax = plots.fitted(model, [[0.0], [1.0]], [[1.0], [2.0]])
    xs, ys = data(ax.lines[0])
    with tg.no_grad():
        for x, y in zip(xs, ys):
            found = model(x)
            found = found[0] if isinstance(found, list) else found
            assert y == (found.data if isinstance(found, Value) else found)


@pytest.mark.parametrize(
    ("x", "y"),
    [([1, 2], [1]), ([[1, 2]], [1]), ([], []), ([nan], [1.0]), ("12", "34"), (1, 2), ([1j], [1])],
)
def test_points_that_are_none_are_refused(x, y):
    with pytest.raises((BadArgument, NotANumber), match="Received"):
        plots.fitted(math.sin, x, y)


def test_what_is_no_model_is_refused():
    with pytest.raises(BadArgument, match="predict"):
        plots.fitted(3, [1], [1])
    with pytest.raises(BadArgument, match="2 outputs"):
        plots.fitted(lambda x: [x, x], [1], [1])


# The bowl ---------------------------------------------------------------------------------


def contoured(monkeypatch):
    """The list that every grid comes into whose contours are filled from now on."""
    from matplotlib.axes import Axes

    seen = []
    drawn = Axes.contourf

    def contourf(self, columns, rows, field, *rest, **more):
        seen.append((list(columns), list(rows), field.tolist()))
        return drawn(self, columns, rows, field, *rest, **more)

    monkeypatch.setattr(Axes, "contourf", contourf)
    return seen


def heights(monkeypatch, *args, **named):
    """The grid that a bowl draws contours of, and its Axes."""
    seen = contoured(monkeypatch)
    ax = plots.bowl(*args, **named)
    return ax, *seen[0]


def test_the_bowl_is_the_loss_over_both_weights(monkeypatch):
    model, _, path = neuron(epochs=15)
    before = [(p.data, p.grad, p._serial) for p in model.parameters()]
    ax, ws, bs, found = heights(monkeypatch, model, FLATS, PRICES, path=path)
    assert [(p.data, p.grad, p._serial) for p in model.parameters()] == before
    for i in range(0, len(bs), 17):
        for j in range(0, len(ws), 17):
            assert found[i][j] == pytest.approx(mean_squared_error(ws[j], bs[i]), rel=1e-12)
    walked = data(lines(ax)["path of training"])
    assert list(map(list, zip(*walked))) == path.epochs
    (w,), (b,) = data(lines(ax)["minimum"])  # a parabola's is Newton's step, wherever it stands
    assert w == pytest.approx(10000.0)
    assert b == pytest.approx(0.0, abs=1e-6)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("w", "b")
    assert {"start", "epoch 1", "epoch 15"} <= set(said(ax))
    low, high = ax.get_xlim()
    assert low < 0.0 < 10000.0 < high


def test_two_parameters_of_any_loss(monkeypatch):
    x, y, z = Value(1.0, "x"), Value(-2.0, "y"), Value(3.0, "z")
    loss = tg.log(x) * y + tg.sigmoid(z) / y + tg.stop_gradient(x)  # log is nan on the left
    limits = ((-1.0, 3.0), (-2.0, 2.0))
    ax, xs, ys, found = heights(monkeypatch, loss, parameters=(x, y), limits=limits)
    assert (ax.get_xlim(), ax.get_ylim()) == limits
    for i in range(0, len(ys), 13):
        for j in range(0, len(xs), 13):
            wanted = tg.log(xs[j]) * ys[i] + tg.div(tg.sigmoid(3.0), ys[i]) + xs[j]
            got = nan if found[i][j] is None else found[i][j]  # masked where it is not finite
            assert got == wanted or not isfinite(wanted)
    assert x.grad == y.grad == z.grad == 0.0
    assert loss.data == tg.replay(loss).data  # nothing is stale


def test_two_of_many_weights_and_their_path():
    keras.set_random_seed(0)
    model = keras.Sequential(
        [keras.layers.Dense(2, "tanh", input_shape=[1]), keras.layers.Dense(1)]
    )
    model.compile("sgd", "mse")
    path = keras.callbacks.WeightHistory()
    model.fit([0.0, 1.0], [1.0, 0.0], epochs=4, verbose=0, callbacks=path)
    weights = model.parameters()
    ax = plots.bowl(model, [0.0, 1.0], [1.0, 0.0], parameters=(weights[5], weights[1]), path=path)
    walked = zip(*data(lines(ax)["path of training"]))
    assert list(walked) == [(row[5], row[1]) for row in path.epochs]


def test_without_a_path_the_bowl_shows_where_the_model_is():
    model, _, _ = neuron(epochs=2)
    w, b = (p.data for p in model.parameters())
    assert data(lines(plots.bowl(model, FLATS, PRICES))["now"]) == ([w], [b])


def test_a_plain_loss_and_one_without_a_bowl_are_drawn():
    w, b = Value(1.0, "w"), Value(1.0, "b")
    assert "minimum" not in lines(plots.bowl(0.0 * w * b, parameters=(w, b)))  # flat
    assert "minimum" not in lines(plots.bowl(w * b, parameters=(w, b)))  # a saddle


def test_the_contours_of_a_bowl_are_quarters():
    w, b = Value(1.0, "w"), Value(0.0, "b")
    ax = plots.bowl(w * w + 9.0 * b * b + 2.0, parameters=(w, b), limits=((-1, 1), (-1, 1)))
    levels = ax.collections[1].levels
    steps = [(b - 2.0) / (a - 2.0) for a, b in pairwise(levels)]
    assert steps == pytest.approx([4.0] * 5, rel=1e-2)  # the lowest point of the grid is not 2


def test_what_is_no_bowl_is_refused():
    model, _, _ = neuron()
    w, b = model.parameters()
    loss = model.loss_graph(FLATS, PRICES)
    stranger = Value(1.0)
    for wrong in [(w,), (w, w), (w, stranger), (w, loss), (w, b, b)]:
        with pytest.raises(BadArgument, match="two different leaves"):
            plots.bowl(loss, parameters=wrong)
    with pytest.raises(BadArgument, match="choose them"):
        plots.bowl(loss)
    with pytest.raises(BadArgument, match="contains its samples"):
        plots.bowl(loss, FLATS, parameters=(w, b))
    with pytest.raises(GraphError, match="Received: 3"):
        plots.bowl(3)
    with pytest.raises(BadArgument, match="path"):
        plots.bowl(model, FLATS, PRICES, path=[(1.0, 2.0, 3.0)])
    for path in [3, [3], "ab"]:
        with pytest.raises((BadArgument, NotANumber), match="Received"):
            plots.bowl(model, FLATS, PRICES, path=path)
    for limits in [(0, 1), ((1, 0), (0, 1)), ((0, inf), (0, 1)), "ab", 3]:
        with pytest.raises(BadArgument, match="limits"):
            plots.bowl(model, FLATS, PRICES, limits=limits)
    w.data = 5.0
    with pytest.raises(tg.errors.StaleGraph, match="replay"):
        plots.bowl(loss, parameters=(w, b))


# The regions ------------------------------------------------------------------------------

CORNERS = [[-1.0, -1.0], [-1.0, 1.0], [1.0, -1.0], [1.0, 1.0]]


def fields(monkeypatch, *args, **named):
    """The leads of each class over the grid, as they are drawn, and the Axes."""
    seen = contoured(monkeypatch)
    return plots.regions(*args, **named), seen


@pytest.mark.parametrize(
    ("labels", "threshold"), [([0, 1, 1, 0], 0.5), ([-1, 1, 1, -1], 0.0), ([2, 2, 2, 2], 0.5)]
)
def test_one_output_tells_two_classes_apart(monkeypatch, labels, threshold):
    def model(x):
        return 1.0 - x[0] * x[1]

    ax, seen = fields(monkeypatch, model, CORNERS, labels, resolution=9)
    columns, rows, above = seen[-1]
    for i, b in enumerate(rows):
        for j, a in enumerate(columns):
            assert above[i][j] == model([a, b]) - threshold
    for label in set(labels):
        mine = [tuple(p) for p, this in zip(CORNERS, labels) if this == label]
        got = zip(*data(lines(ax)[f"class {written(label)}"]))
        assert list(got) == mine
    wrong = [p for p, y in zip(CORNERS, labels) if (model(p) > threshold) != (y > threshold)]
    assert [text for text in legend(ax) if "wrong" in text] == (
        [f"wrong: {len(wrong)} of 4"] if wrong else []
    )


def test_the_threshold_is_of_the_output_and_not_of_the_labels():
    ax = plots.regions(lambda x: 9.0 * x[0], CORNERS, [0, 0, 1, 1], threshold=-3.0, resolution=4)
    assert legend(ax) == ["class 0", "class 1"]  # and none of them wrong


@pytest.mark.parametrize("labels", [[0, 1, 2, 1], [[1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 1, 0]]])
def test_of_several_outputs_the_largest_is_the_answer(monkeypatch, labels):
    def model(p):
        return [p[0], p[1], -p[0] - p[1]]

    ax, seen = fields(monkeypatch, model, CORNERS, labels, resolution=8)
    assert len(seen) == 3
    for k, (columns, rows, lead) in enumerate(seen):
        for i, b in enumerate(rows):
            for j, a in enumerate(columns):
                answer = model([a, b])
                assert (lead[i][j] > 0.0) == (answer[k] > max(answer[:k] + answer[k + 1 :]))
    assert legend(ax) == ["class 0", "class 1", "class 2", "wrong: 3 of 4"]


def test_a_keras_model_is_only_asked():
    keras.set_random_seed(0)
    model = keras.Sequential(
        [keras.layers.Dense(3, "tanh", input_shape=[2]), keras.layers.Dense(1, "sigmoid")]
    )
    before = [(p.data, p._serial) for p in model.parameters()]
    ax = plots.regions(model, CORNERS, [0, 1, 1, 0], resolution=5)
    assert [(p.data, p._serial) for p in model.parameters()] == before
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("x₁", "x₂")


def test_regions_without_samples():
    limits = ((-2.0, 2.0), (-1.0, 1.0))
    ax = plots.regions(nn.MLP(2, [2, 1], seed=0), limits=limits, resolution=5, threshold=0.1)
    assert (ax.get_xlim(), ax.get_ylim()) == limits
    assert ax.get_legend() is None
    plots.svg(plots.regions(lambda x: nan, CORNERS, resolution=3))  # no answer anywhere
    plots.svg(plots.regions(lambda x: x[0] / 0.0 if x[0] < -9 else 2.0, CORNERS, resolution=3))


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({}, "neither"),
        ({"x": [1.0, 2.0]}, "2 numbers"),
        ({"x": CORNERS, "y": [0, 1]}, "4 of x, 2 of y"),
        ({"x": CORNERS, "y": [0, 1, 2, 3]}, "1 output"),
        ({"x": CORNERS, "y": [[0, 1]] * 4}, "1 output"),
        ({"x": CORNERS, "y": ["a", "b", "a", "b"]}, "Received: 'a'"),
        ({"x": CORNERS, "resolution": 1}, "resolution"),
        ({"limits": ((0, 1), (1, 1))}, "limits"),
        ({"x": CORNERS, "threshold": "half"}, "real number"),
    ],
)
def test_samples_that_do_not_fit_are_refused(arguments, error):
    with pytest.raises((BadArgument, NotANumber), match=error):
        plots.regions(lambda x: x[0], **arguments)


def test_classes_that_a_model_has_not_are_refused():
    for labels in ([0, 1, 2, 0], [0.5, 0, 1, 1], [-1, 1, 1, 1]):
        with pytest.raises(BadArgument, match="2 outputs"):
            plots.regions(lambda x: [x[0], x[1]], CORNERS, labels, resolution=3)


# Rows of the table ------------------------------------------------------------------------

UNARY = [
    name
    for name in sorted(BUILT_IN)
    if (row := TABLE[name]).arity is not None and row.arity - len(row.defaults) == 1
]


@pytest.mark.parametrize("name", UNARY)
def test_every_row_of_one_argument_is_drawn_as_the_table_has_it(name):
    row = TABLE[name]
    ax = plots.operation(name)
    drawn = lines(ax)
    xs, ys = data(drawn[f"{name}(x)"])
    at = [x for x, y in zip(xs, ys) if isfinite(y)]
    assert at
    for x, y in zip(xs, ys):
        inside = row.domain is None or row.domain(x, *row.defaults)
        assert y == row(x) if isfinite(y) else not (inside and isfinite(row(x))) or x in at
    if name == "stop_gradient":
        assert f"{name}′(x)" not in drawn
        return
    slope = tg.grad(lambda x: row(x))
    xs, ys = data(drawn[f"{name}′(x)"])
    assert any(map(isfinite, ys))
    for x, y in list(zip(xs, ys))[::7]:
        if isfinite(y):
            assert row.domain is None or row.domain(x, *row.defaults)
            assert y == slope(x)


@pytest.mark.parametrize(
    ("name", "kinks"),
    [
        ("relu", [0.0]), ("relu6", [0.0]), ("hard_tanh", [-1.0, 1.0]), ("hard_shrink", [-0.5, 0.5]),
        ("floor", [-4.0, -3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0, 4.0]),
        ("round", [-3.5, -2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 3.5]), ("tanh", []),
    ],
)  # fmt: skip
def test_kinks_are_marked_with_what_the_engine_answers_there(name, kinks):
    drawn = lines(plots.operation(name))
    row = TABLE[name]
    assert data(drawn[f"_kinks of {name}(x)"]) == (kinks, [row(x) for x in kinks])
    slopes = data(drawn[f"_kinks of {name}′(x)"])
    assert slopes == (kinks, [tg.grad(lambda x: row(x))(x) for x in kinks])


def test_a_line_is_torn_where_it_jumps():
    xs, ys = data(lines(plots.operation("sign"))["sign(x)"])
    assert {y for y in ys if isfinite(y)} == {-1.0, 0.0, 1.0}
    for a, b in pairwise(ys):
        assert a == b or not (isfinite(a) and isfinite(b))
    xs, ys = data(lines(plots.operation("tan"))["tan(x)"])
    assert all(abs(a - b) < 10.0 for a, b in pairwise(ys) if isfinite(a) and isfinite(b))
    assert any(x == pytest.approx(math.pi / 2, abs=0.02) for x, y in zip(xs, ys) if y != y)


def test_several_rows_and_rows_of_yours():
    versine = tg.op("versine_of_plots", lambda x: 1.0 - math.cos(x), [lambda out, x: tg.sin(x)])
    try:
        ax = plots.operation("tanh", versine, tg.relu)
        assert legend(ax) == ["tanh(x)", "versine_of_plots(x)", "relu(x)"]
        assert ax.get_legend().get_title().get_text() == "dashed: the derivatives"
        xs, ys = data(lines(ax)["_versine_of_plots′(x)"])
        assert ys == [math.sin(x) for x in xs]
    finally:
        del TABLE["versine_of_plots"]


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [("asin", -1.0, 1.0), ("acosh", 1.0, 4.0), ("log", 0.0, 4.0), ("tanh", -4.0, 4.0)],
)
def test_the_limits_follow_the_domain(name, low, high):
    left, right = plots.operation(name).get_xlim()
    assert left == (low if low == -4.0 else pytest.approx(low - 0.1 * (high - low), abs=0.01))
    assert right == (high if high == 4.0 else pytest.approx(high + 0.1 * (high - low), abs=0.01))


@pytest.mark.parametrize(
    ("rows", "named", "error"),
    [
        ((), {}, BadArgument), (("tanhh",), {}, NameUnknown), (("add",), {}, BadArgument),
        (("sum",), {}, BadArgument), ((3,), {}, BadArgument),
        (("tanh",), {"limits": (1, 1)}, BadArgument), (("tanh",), {"limits": 3}, BadArgument),
        (("log",), {"limits": (-3, -1)}, BadArgument),
    ],
)  # fmt: skip
def test_what_is_no_row_of_one_argument_is_refused(rows, named, error):
    with pytest.raises(error, match="Received"):
        plots.operation(*rows, **named)


# All of them ------------------------------------------------------------------------------


def every_plot(**named):
    model, history, path = neuron(0.03)
    yield plots.loss(history, **named)
    yield plots.fitted(model, FLATS, PRICES, **named)
    yield plots.bowl(model, FLATS, PRICES, path=path, **named)
    yield plots.regions(lambda x: x[0], CORNERS, [0, 1, 0, 1], resolution=5, **named)
    yield plots.operation("relu", "tan", **named)


@pytest.mark.parametrize("theme", THEMES)
def test_every_plot_can_be_saved_in_every_theme(theme, tmp_path):
    look = THEMES[theme]
    for i, ax in enumerate(every_plot(theme=theme, title="a $title$ <b> & \x00 more")):
        assert to_hex(ax.figure.get_facecolor()).upper() == look["paper"]
        assert to_hex(ax.xaxis.label.get_color()).upper() == look["ink"]
        ax.figure.savefig(tmp_path / f"{i}.png")
        assert (tmp_path / f"{i}.png").read_bytes().startswith(b"\x89PNG")


def test_plots_share_a_figure():
    figure = Figure(figsize=(10, 6))
    (a, b), (c, d) = figure.subplots(2, 2)
    half = figure.subfigures(1, 2)[1].add_subplot()
    for ax in (a, b, c, d, half):
        assert plots.operation("tanh").figure is not figure  # one of its own
        assert plots.operation("tanh", ax=ax) is ax
        assert plots.svg(ax).startswith("<svg")
    with pytest.raises(BadArgument, match="ax must be"):
        plots.operation("tanh", ax=3)
    with pytest.raises(NameUnknown, match="dark"):
        plots.operation("tanh", theme="drak")


def test_nothing_global_is_touched():
    import matplotlib.pyplot as plt

    before, model = dict(matplotlib.rcParams), neuron()[0]
    state = [(p.data, p.grad, p._serial) for p in model.parameters()]
    for ax in every_plot():
        plots.svg(ax)
        repr(ax)
    assert dict(matplotlib.rcParams) == before
    assert plt.get_fignums() == []
    plots.fitted(model, FLATS, PRICES)
    plots.bowl(model, FLATS, PRICES)
    assert [(p.data, p.grad, p._serial) for p in model.parameters()] == state


def test_no_window_and_no_pyplot():
    program = (
        "import sys, tinygrad_edu as tg; tg.plots.loss([2.0, 1.0]); tg.plots.operation('tanh');"
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", program], check=True)


def test_the_same_plot_is_the_same_svg_in_every_process():
    program = (
        "import sys, tinygrad_edu as tg; w, b = tg.Value(1.0, 'w'), tg.Value(2.0, 'b');"
        "sys.stdout.buffer.write(tg.plots.svg(tg.plots.bowl((w - 2.0 * b) ** 2 + b * b,"
        "parameters=(w, b), path=[(0, 0), (1, 2)])).encode())"
    )
    run = [sys.executable, "-W", "error", "-c", program]
    one, other = (
        subprocess.check_output(run, env={**os.environ, "PYTHONHASHSEED": seed}) for seed in "12"
    )
    assert one == other
    assert one.startswith(b"<svg")
    assert b"<style" not in one
    assert b"<metadata" not in one
    assert b'aria-label="b, w"' in one


def test_a_notebook_shows_the_plot():
    ax = plots.operation("tanh")
    bundle = ax._repr_mimebundle_()
    assert bundle["image/svg+xml"].startswith("<svg")
    assert set(bundle) == {"text/plain", "image/svg+xml"}


def test_without_matplotlib_the_extra_is_named(monkeypatch):
    model, history, _ = neuron()
    for name in [name for name in sys.modules if name.split(".")[0] == "matplotlib"]:
        monkeypatch.setitem(sys.modules, name, None)
    for call in (
        lambda: plots.loss(history), lambda: plots.fitted(model, FLATS, PRICES),
        lambda: plots.bowl(model, FLATS, PRICES), lambda: plots.operation("tanh"),
        lambda: plots.regions(lambda x: x[0], CORNERS, resolution=3),
    ):  # fmt: skip
        with pytest.raises(MissingExtra, match=r"tinygrad-edu\[plots\]"):
            call()


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_written_numbers_read_back(x):
    text = written(x, 6).replace("\u202f", "").replace("−", "-")
    raised = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")
    if "10" in text and any(digit in text for digit in "⁰¹²³⁴⁵⁶⁷⁸⁹"):
        front, _, power = text.rpartition("10")
        sign = -1.0 if front == "-" else 1.0
        number = float(front.removesuffix("·") or "1") if front not in ("-", "") else sign
        read = float(f"{number!r}e{power.translate(raised)}")
    else:
        read = float(text)
    assert read == pytest.approx(x, rel=1e-5, abs=1e-320)


# The page about them ----------------------------------------------------------------------

DOCS = Path(__file__).parents[1] / "docs"
SYBIL = Sybil([PythonCodeBlockParser()])
NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
ID = re.compile(r"\b[a-z][0-9a-f]{10}\b")  # which Matplotlib makes of the numbers of a clip path


def test_the_pictures_of_the_page_are_what_its_code_draws(tmp_path, monkeypatch):
    """But for rounding: the number of a picture is a hundredth of a point off at most."""
    if tuple(map(int, matplotlib.__version__.split(".")[:2])) < (3, 11):
        pytest.skip("They were drawn by a newer Matplotlib, whose paths are others.")
    monkeypatch.chdir(tmp_path)
    page = SYBIL.parse(DOCS / "plots.md")
    for example in page.examples():
        example.evaluate()
    drawn = {path.name: ID.sub("id", path.read_text()) for path in tmp_path.glob("*.svg")}
    assert set(drawn) == {"activations.svg", "bowl.svg", "regions.svg"}
    for name, text in drawn.items():
        kept = ID.sub("id", (DOCS / name).read_text())
        same = f"docs/{name} is not what docs/plots.md draws: run its code and copy the file"
        assert NUMBER.sub("#", text) == NUMBER.sub("#", kept), same
        numbers = [[float(x) for x in NUMBER.findall(svg)] for svg in (text, kept)]
        assert numbers[0] == pytest.approx(numbers[1], abs=0.01), same
