"""What `fit`, `evaluate` and `predict` do with what they are given; the numbers are Keras's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tinygrad_edu as tg
from tinygrad_edu import keras, nn
from tinygrad_edu.errors import BadArgument
from tinygrad_edu.keras.training import Diverged

X = np.array([[0.0], [1.0], [0.0], [1.0]])
Y = np.array([0, 1, 0, 1])
TENS, ONES = [[10.0], [20.0]], [[1.0], [2.0]]


def half(**compile: Any) -> keras.Sequential:
    """A model that always says 0.5."""
    dense = keras.layers.Dense(1, "sigmoid", kernel_initializer="zeros", input_shape=[1])
    model = keras.Sequential([dense])
    model.compile(keras.optimizers.SGD(0.0), "binary_crossentropy", **compile)
    return model


def line(**compile: Any) -> keras.Sequential:
    model = keras.Sequential([keras.layers.Dense(1, kernel_initializer="ones", input_shape=[1])])
    model.compile("sgd", "mse", **compile)
    return model


def difference() -> keras.Model:
    a, b = keras.Input(shape=(1,), name="a"), keras.Input(shape=(1,), name="b")
    scaled = keras.layers.Dense(1, kernel_initializer="ones")(keras.layers.Subtract()([a, b]))
    model = keras.Model([a, b], scaled)
    model.compile("sgd", "mse")
    return model


# ── Several inputs ────────────────────────────────────────────────────────────────────────

TWO = {
    "list": [TENS, ONES],
    "tuple": (TENS, ONES),
    "arrays": [np.array(TENS), np.array(ONES)],
    "dict": {"b": ONES, "a": TENS},
    "array": np.array([[10.0, 1.0], [20.0, 2.0]]),
}


@pytest.mark.parametrize("x", TWO.values(), ids=list(TWO))
def test_as_many_samples_as_inputs(x):
    model = difference()
    assert np.asarray(model.predict(x)).tolist() == [[9.0], [18.0]]
    assert model.evaluate(x, [9.0, 18.0]) == 0.0
    assert model.train_on_batch(x, [9.0, 18.0]) == 0.0
    assert model.fit(x, [9, 18], verbose=0, validation_data=(x, [9, 18])).history == {
        "loss": [0.0], "val_loss": [0.0]
    }  # fmt: skip
    batches = [(x, [9.0, 18.0])]
    assert model.fit(iter(batches), verbose=0).history == {"loss": [0.0]}
    assert model.evaluate(iter(batches)) == 0.0
    assert np.asarray(model.predict(iter(batches))).tolist() == [[9.0], [18.0]]
    assert model.loss_graph(x, [9.0, 18.0]).data == 0.0


def test_rows_in_a_list_are_not_inputs():
    with pytest.raises(BadArgument, match="2 inputs, a, b"):
        difference().predict([[10.0, 1.0], [20.0, 2.0], [30.0, 3.0]])


# ── Weights ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("eagerly", [False, True])
def test_class_weights_are_for_training_alone(eagerly):
    model = half(metrics=["accuracy"], run_eagerly=eagerly)
    logs = model.fit(X, Y, validation_split=0.5, class_weight={0: 1.0, 1: 9.0}, verbose=0).history
    assert logs["val_loss"] == pytest.approx([0.6931471805599453])
    assert logs["val_accuracy"] == [0.5]
    assert logs["loss"] == pytest.approx([3.4657359])  # (1 + 9)/2 · log 2


class Listener(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        pass

    def on_test_batch_end(self, batch, logs=None):
        pass


@pytest.mark.parametrize("listening", [False, True])
@pytest.mark.parametrize("eagerly", [False, True])
def test_metrics_that_weigh_and_metrics_that_do_not(eagerly, listening):
    model = half(metrics=["acc", "mae"], weighted_metrics=["mae", "acc"], run_eagerly=eagerly)
    weights = [1.0, 9.0, 1.0, 9.0]
    expected = {
        "loss": 0.6931471805599453 * 5, "acc": 0.5, "mae": 0.5, "weighted_mae": 0.5,
        "weighted_acc": 0.1,
    }  # fmt: skip
    logs = model.fit(
        X, Y, sample_weight=weights, validation_data=(X, Y, weights), batch_size=3, verbose=0,
        epochs=2, shuffle=False, callbacks=[Listener()] if listening else None,
    ).history  # fmt: skip
    for name, number in expected.items():
        assert logs[name] == pytest.approx([number] * 2), name
        assert logs[f"val_{name}"] == pytest.approx([number] * 2), name
    assert model.evaluate(X, Y, sample_weight=weights, return_dict=True) == pytest.approx(expected)
    assert model.evaluate(X, Y)[-1] == 0.5  # without weights all weigh alike


def test_metrics_of_equal_names(tmp_path):
    threshold = keras.metrics.BinaryAccuracy
    model = half(
        metrics=[threshold(threshold=0.3), threshold(threshold=0.9), threshold()],
        weighted_metrics=[threshold(), threshold()],
    )  # fmt: skip
    names = ["loss", "binary_accuracy", "binary_accuracy_1", "binary_accuracy_2",
             "weighted_binary_accuracy", "weighted_binary_accuracy_1"]  # fmt: skip
    assert list(model.fit(X, Y, verbose=0).history) == sorted(names)
    bare = ["binary_accuracy"] * 5  # a quirk of Keras: each stands for the first of them
    rest = sorted({*names} - {"loss", "binary_accuracy"})
    assert model.metrics_names == ["loss", *bare, *rest]
    assert len(model.evaluate(X, Y)) == len(model.metrics_names)
    model.save(tmp_path / "half.json")
    again = keras.models.load_model(tmp_path / "half.json")
    assert again.weighted == model.weighted
    weights = [1.0, 9.0, 1.0, 9.0]
    found = [m.evaluate(X, Y, sample_weight=weights) for m in (model, again)]
    assert found[0] == found[1]


# ── Steps and sources ─────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("eagerly", [False, True])
def test_steps_per_epoch_of_arrays(eagerly):
    """One batch an epoch: the first two samples, then the last two, and again."""
    model = half(run_eagerly=eagerly)
    model.set_weights([[[4.0]], [0.0]])
    steps = {"batch_size": 2, "steps_per_epoch": 1, "shuffle": False, "verbose": 0}
    losses = model.fit([0, 0, 1, 1], [0, 0, 1, 1], epochs=4, **steps).history["loss"]
    each = [model.evaluate([x, x], [x, x]) for x in (0, 1)]
    assert losses == pytest.approx(each * 2)
    with pytest.warns(UserWarning, match="ran out: an epoch got 2 of 3"):
        losses = model.fit(X, Y, epochs=2, **{**steps, "steps_per_epoch": 3}).history["loss"]
    assert len(losses) == 2


def test_steps_without_a_batch_size_divide_the_samples():
    """As in Keras: two steps of five samples are batches of 3 and 2; without steps one batch."""
    seen = []

    class Sizes(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            seen.append(batch)

    model, x = half(), [0, 1, 0, 1, 1]
    model.fit(x, x, steps_per_epoch=2, epochs=2, verbose=0, callbacks=[Sizes()])
    assert seen == [0, 1, 0, 1]
    assert model.evaluate(x, x, steps=1) == pytest.approx(model.evaluate(x, x))
    assert len(model.predict(x, steps=1)) == 5
    assert len(model.predict(x, steps=2, batch_size=2)) == 4


def test_each_validation_begins_with_the_first_batch():
    """A generator goes on, as nothing can take it back."""
    model = half()
    steps = {"validation_batch_size": 2, "validation_steps": 1, "epochs": 3, "verbose": 0}
    x, y = [0, 0, 0, 0], [1, 0, 1, 1]
    model.set_weights([[[0.0]], [1.0]])  # 73 %, and the learning rate is 0
    first, second = model.evaluate(x[:2], y[:2]), model.evaluate(x[2:], y[2:])
    assert first != pytest.approx(second)
    batches = [(x[:2], y[:2]), (x[2:], y[2:])]

    class Loaded:
        def __len__(self):
            return 2

        def __getitem__(self, i):
            return batches[i]

    for data in ((x, y), Loaded()):
        logs = model.fit(X, Y, validation_data=data, **steps).history
        assert logs["val_loss"] == pytest.approx([first] * 3)
    logs = model.fit(X, Y, validation_data=(b for b in batches * 2), **steps).history
    assert logs["val_loss"] == pytest.approx([first, second, first])


def endless():
    while True:
        yield X, Y


class Loader:
    def __len__(self):
        return 2

    def __getitem__(self, i):
        return X[2 * i : 2 * i + 2], Y[2 * i : 2 * i + 2]


VALIDATIONS: dict[str, tuple[Any, dict[str, Any]]] = {
    "a tuple": ((X, Y), {}),
    "a list": ([X, Y], {}),
    "weights": ((X, Y, [1.0] * 4), {}),
    "an endless generator": (endless(), {"validation_steps": 3}),
    "a loader of two batches": (Loader(), {}),
    "small batches": ((X, Y), {"validation_batch_size": 1}),
    "its first batch": ((X, Y), {"validation_batch_size": 2, "validation_steps": 1}),
}


@pytest.mark.parametrize(("data", "settings"), VALIDATIONS.values(), ids=list(VALIDATIONS))
def test_every_kind_of_validation_data(data, settings):
    model = half()
    logs = model.fit(X, Y, epochs=2, verbose=0, validation_data=data, **settings).history
    assert logs["val_loss"] == pytest.approx([0.6931471805599453] * 2)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (endless(), "validation_steps says how many"),
        ((X,), "validation_data must be"),
        (X, "validation_data must be"),
        ((X, Y, Y, Y), "validation_data must be"),
        ("xy", "validation_data must be"),
    ],
)
def test_validation_data_that_is_not(data, said):
    with pytest.raises(BadArgument, match=said):
        half().fit(X, Y, verbose=0, validation_data=data)


def test_a_source_of_batches_is_not_split():
    with pytest.raises(BadArgument, match="Pass validation_data"):
        half().fit(endless(), verbose=0, steps_per_epoch=1, validation_split=0.5)


def test_numpy_integers_count():
    counts = {"epochs": np.int64(2), "batch_size": np.int32(1), "steps_per_epoch": np.int8(2)}
    assert len(half().fit(X, Y, verbose=0, **counts).history["loss"]) == 2


@pytest.mark.parametrize(
    ("freq", "epochs"), [(1, [0, 1, 2, 3]), (2, [1, 3]), (3, [2]), ([1, 4], [0, 3]), ({2}, [1])]
)
def test_how_often_it_is_validated(freq, epochs):
    heard = []

    class Hearing(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            heard.extend([epoch] if "val_loss" in logs else [])

    half().fit(X, Y, epochs=4, verbose=0, callbacks=Hearing(), validation_data=(X, Y),
               validation_freq=freq)  # fmt: skip
    assert heard == epochs


def test_a_validation_that_runs_out_is_an_error():
    model = half()
    twice = ((X, Y) for _ in range(2))
    with pytest.warns(UserWarning, match="ran out"), pytest.raises(BadArgument, match="left to"):
        model.fit(X, Y, epochs=3, verbose=0, validation_data=twice, validation_steps=1)
    assert model.history.epoch == [0, 1]


def test_sources_of_batches_for_evaluate_and_predict():
    model = half(metrics=["acc"])
    assert model.evaluate(Loader()) == model.evaluate(X, Y, 2)
    assert model.evaluate(endless(), steps=2) == pytest.approx(model.evaluate(X, Y))
    assert model.evaluate(X, Y, 1, steps=1) == model.evaluate(X[:1], Y[:1])
    assert np.array_equal(model.predict(Loader()), model.predict(X))
    assert model.predict([[x] for x in X.tolist()] and iter([[[0.0]], ([[1.0]], [1])])) == [
        [0.5], [0.5]
    ]  # fmt: skip
    assert len(model.predict(X, 1, steps=2)) == 2


# ── Training at all ───────────────────────────────────────────────────────────────────────


def test_a_model_that_is_not_trainable():
    model = line()
    model.trainable = False
    assert not model.layers[0].trainable
    model.compile("sgd", "mse")
    before = model.state_dict()
    model.fit(X, Y + 1, verbose=0, epochs=2)
    model.train_on_batch(X, Y + 1)
    assert model.state_dict() == before
    assert not model.trainable
    model.trainable = True
    model.compile("sgd", "mse")
    model.fit(X, Y + 1, verbose=0)
    assert model.state_dict() != before


@pytest.mark.parametrize("eagerly", [False, True])
def test_what_train_on_batch_returns(eagerly):
    model = line(metrics=["mae"], weighted_metrics=["mse"], run_eagerly=eagerly)
    error = Y + 1 - X[:, 0]
    expected = {"loss": (error**2).mean(), "mae": abs(error).mean(), "mse": (error**2).mean()}
    assert model.train_on_batch(X, Y + 1, return_dict=True) == pytest.approx(expected)
    found = model.train_on_batch(X, Y + 1)
    assert len(found) == 3
    assert found[1] < expected["mae"]  # of this batch alone
    assert isinstance(line().train_on_batch(X, Y), float)
    weighted = half(run_eagerly=eagerly).train_on_batch(X, Y, class_weight={1: 9.0})
    assert weighted == pytest.approx(5 * 0.6931471805599453)


def test_the_end_of_training_hears_the_last_numbers():
    heard = []
    ends = keras.callbacks.LambdaCallback(on_train_end=heard.append)
    logs = half(metrics=["acc"]).fit(X, Y, epochs=3, verbose=0, callbacks=ends).history
    assert heard == [{name: numbers[-1] for name, numbers in logs.items()}]


def test_a_loss_that_diverges_within_steps_of_an_array():
    histories = []
    for eagerly in (False, True):
        model = line(run_eagerly=eagerly)
        model.compile(keras.optimizers.SGD(1e20), "mse", run_eagerly=eagerly)
        with pytest.warns(Diverged, match="not a finite number"):
            history = model.fit(
                [1.0, 2.0, 3.0, 4.0], [0.0, 1.0, 2.0, 3.0], batch_size=1, steps_per_epoch=2,
                epochs=50, verbose=0, shuffle=False,
            )  # fmt: skip
        assert all(np.isfinite(history.history["loss"]))
        histories.append((history.epoch, history.history["loss"]))
    assert histories[0][0] == histories[1][0] == [0, 1, 2, 3][: len(histories[0][0])] != []
    assert histories[0][1] == pytest.approx(histories[1][1])


class Attributes(keras.layers.Layer):
    """A layer whose weights are Values in its attributes, without a list of them."""

    def __init__(self, wrap: Any) -> None:
        super().__init__()
        self.w, self.fixed = wrap(tg.Value(0.5)), tg.Value(2.0, role="constant")

    def forward(self, x: Any) -> Any:
        return [self.parameters()[0] * x[0] * self.fixed]


class OfTensors(Attributes):
    def call(self, x: Any) -> Any:
        return self.parameters()[0] * x * self.fixed


class Around(keras.layers.Layer):
    """The same inside another layer."""

    def __init__(self, wrap: Any) -> None:
        super().__init__()
        self.inside = Attributes(wrap)

    def forward(self, x: Any) -> Any:
        return self.inside.forward(x)


class Held(nn.Module):
    def __init__(self, value: tg.Value) -> None:
        self.value = value


@pytest.mark.parametrize("kind", [Attributes, OfTensors, Around])
@pytest.mark.parametrize("wrap", [lambda v: v, lambda v: [v], lambda v: {"w": (v,)}, Held])
@pytest.mark.parametrize("eagerly", [False, True])
def test_values_in_the_attributes_of_a_layer_are_trained(kind, wrap, eagerly):
    layer = kind(wrap)
    model = keras.Sequential([layer])
    model.compile(keras.optimizers.SGD(0.1), "mse", run_eagerly=eagerly)
    model.fit([[1.0]], [[3.0]], verbose=0)
    assert [p.data for p in model.parameters()] == [0.5 + 0.1 * 2 * (3.0 - 1.0) * 2.0]
    assert (model.count_params(), len(layer.trainable_weights)) == (1, 1)
    layer.trainable = False
    model.compile(keras.optimizers.SGD(0.1), "mse", run_eagerly=eagerly)
    model.fit([[1.0]], [[5.0]], verbose=0)
    assert [p.data for p in model.parameters()] == [1.3]
    assert (len(layer.trainable_weights), len(layer.non_trainable_weights)) == (0, 1)
