"""Models with several outputs in training. Keras's own numbers are in `keras_cases`; here are the
forms in which data and settings may come, and both ways of computing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tinygrad_edu import draw, grad, keras, value_and_grad
from tinygrad_edu.errors import BadArgument, TinygradError

X = [[1.0, -2.0], [3.0, 0.5], [-1.0, 4.0], [0.25, 0.75], [2.0, 2.5]]
A = [[1.0], [-1.0], [0.5], [2.0], [0.0]]
B = [[0.0, 1.0], [1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 0.0]]
CLASS = [1, 0, 1, 0, 0]
W, V = [1.0, 2.0, 0.5, 0.0, 1.0], [0.5, 1.0, 1.0, 2.0, 1.0]
L = keras.losses


def two(outputs: str = "list", **compiled: Any) -> keras.Model:
    """Two inputs, a shared hidden layer, an output of one number and one of two."""
    layers, x = keras.layers, keras.Input((2,), name="x")
    hidden = layers.Dense(3, "tanh", kernel_regularizer="l2")(x)
    a, b = layers.Dense(1, name="a")(hidden), layers.Dense(2, "softmax", name="b")(hidden)
    model = keras.Model(x, [a, b] if outputs == "list" else {"a": a, "b": b})
    ramp(model)
    if compiled:
        model.compile(**{"optimizer": keras.optimizers.Adam(0.05), **compiled})
    return model


def ramp(model: keras.Model) -> keras.Model:
    """Weights that are easy to tell apart."""
    count = iter(range(1, 1000))
    for parameter in model.parameters():
        parameter.data = 0.02 * next(count)
    return model


def trained(model: keras.Model, y: Any = (A, B), **settings: Any) -> Any:
    settings = {"epochs": 2, "batch_size": 2, "shuffle": False, "verbose": 0, **settings}
    logs = model.fit(X, y, **settings).history
    return [logs, [p.data for p in model.parameters()]]


def flat(x: Any) -> list[float]:
    """All numbers in it."""
    if isinstance(x, dict):
        return flat(list(x.values()))
    return [n for item in x for n in flat(item)] if isinstance(x, (list, tuple)) else [float(x)]


WAYS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "one loss": ({"loss": "mse"}, {}),
    "two losses": ({"loss": ["mse", "categorical_crossentropy"]}, {}),
    "factors": ({"loss": ["mse", "mae"], "loss_weights": [0.5, 3.0]}, {}),
    "reductions": (
        {"loss": [L.MeanSquaredError(reduction="sum"), L.MeanAbsoluteError()]},
        {"sample_weight": (W, V)},
    ),
    "three reductions": (
        {"loss": [
            L.MeanSquaredError(reduction="mean_with_sample_weight"),
            L.MeanAbsoluteError(reduction="mean_with_sample_weight"),
        ]},
        {"sample_weight": {"a": W, "b": V}},
    ),
    "a class": ({"loss": ["mse", "sparse_categorical_crossentropy"]}, {"y": (A, CLASS)}),
    "one weight for all": ({"loss": "mse"}, {"sample_weight": W}),
    "weights for one": ({"loss": "mse"}, {"sample_weight": [None, V]}),
    "nothing of one": ({"loss": ["mse", None]}, {}),
    "metrics": (
        {"loss": "mse", "metrics": {"a": ["mae", "mae"], "b": "accuracy"},
         "weighted_metrics": [["mae"], None]},
        {"sample_weight": [W, V]},
    ),
    "validation": ({"loss": "mse", "metrics": ["mae", "mae"]}, {"validation_split": 0.4}),
}  # fmt: skip


@pytest.mark.parametrize("name", WAYS)
def test_a_program_and_plain_python_agree(name):
    compiled, fitted = WAYS[name]
    fast = trained(two(**compiled), **fitted)
    plain = trained(two(**compiled, run_eagerly=True), **fitted)
    assert fast[0].keys() == plain[0].keys()
    assert flat(fast) == pytest.approx(flat(plain), rel=1e-12)


@pytest.mark.parametrize("reduction", ["sum", "mean_with_sample_weight", "sum_over_batch_size"])
def test_penalties_on_outputs_are_means_whatever_the_loss_is(reduction):
    """A program added them up where the loss is a sum, and weighed them where it is weighted."""
    found = []
    for eagerly in (False, True):
        dense = keras.layers.Dense(2, activity_regularizer="l2")
        model = ramp(keras.Sequential([keras.Input((2,)), dense, keras.layers.Dense(1)]))
        model.compile(
            keras.optimizers.SGD(0.01), L.MeanSquaredError(reduction=reduction), run_eagerly=eagerly
        )
        found.append(trained(model, A, sample_weight=W))
    assert flat(found[0]) == pytest.approx(flat(found[1]), rel=1e-12)


FORMS: dict[str, Any] = {
    "tuple": (A, B),
    "dict": {"b": B, "a": A},
    "arrays": [np.array(A), np.array(B)],
    "flat": [np.array(A)[:, 0], B],
    "side by side": np.hstack([A, B]),
}


@pytest.mark.parametrize("outputs", ["list", "dict"])
@pytest.mark.parametrize("form", FORMS)
def test_targets_come_in_every_form(form, outputs):
    compiled = {"loss": "mse", "metrics": [["mae"], ["accuracy"]]}
    expected = trained(two(**compiled), [A, B])
    model = two(outputs, **compiled)
    assert flat(trained(model, FORMS[form])) == flat(expected)
    batches = [(X[i : i + 2], [A[i : i + 2], B[i : i + 2]]) for i in (0, 2, 4)]
    other = two(outputs, **compiled)
    logs = other.fit(iter(batches * 2), steps_per_epoch=3, epochs=2, verbose=0).history
    assert logs == expected[0]
    assert model.evaluate(X, FORMS[form]) == pytest.approx(other.evaluate(iter(batches)))
    predicted = model.predict(X)
    parts = list(predicted.values()) if outputs == "dict" else predicted
    assert [len(part[0]) for part in parts] == [1, 2]
    assert model.predict_on_batch(X) == predicted


def test_names_in_logs_and_lists():
    model = two(loss="mse", metrics={"b": ["accuracy"]}, weighted_metrics=[["mae"], ["accuracy"]])
    heard: list[str] = []

    class Listening(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            heard.append(",".join(logs))

    logs = trained(model, callbacks=[Listening()], validation_data=(X, [A, B]))[0]
    names = ["a_loss", "a_mae", "b_accuracy", "b_loss", "b_weighted_accuracy", "loss"]
    assert list(logs) == [*names, *(f"val_{name}" for name in names)]
    assert set(heard) == {",".join(names)}
    listed = ["loss", "a_loss", "b_loss", "a_mae", "b_accuracy", "b_weighted_accuracy"]
    assert model.metrics_names == listed
    by_name = model.evaluate(X, (A, B), return_dict=True)
    assert model.evaluate(X, (A, B)) == [by_name[name] for name in listed]
    assert model.test_on_batch(X, (A, B), return_dict=True) == by_name
    assert list(model.train_on_batch(X, (A, B), return_dict=True)) == names


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "too few losses": ({"loss": ["mse"]}, "one for each output, a, b"),
    "an unknown output": ({"loss": {"a": "mse", "c": "mae"}}, "one for each output, a, b"),
    "a part of the outputs": ({"loss": {"a": "mse"}}, "one for each output, a, b"),
    "factors for one loss": ({"loss": "mse", "loss_weights": [1.0, 2.0]}, "one number"),
    "a factor for two": ({"loss": ["mse", "mae"], "loss_weights": 2.0}, "a list or a dict"),
    "one factor": ({"loss": ["mse", "mae"], "loss_weights": [2.0]}, "each output"),
    "a factor that is none": ({"loss": ["mse", "mae"], "loss_weights": [2.0, "x"]}, "numbers"),
    "one metric": ({"loss": "mse", "metrics": ["mae"]}, "an item for each of a, b"),
    "metrics of another": ({"loss": "mse", "metrics": {"c": "mae"}}, "by the names"),
    "a name": ({"loss": "mse", "metrics": "mae"}, "must be a list"),
}


@pytest.mark.parametrize(("compiled", "reason"), REFUSED.values(), ids=list(REFUSED))
def test_settings_that_do_not_fit_are_refused(compiled, reason):
    with pytest.raises(BadArgument, match=reason):
        two(**compiled)


@pytest.mark.parametrize(
    "settings",
    [
        {"y": A}, {"y": [A]}, {"y": {"a": A}}, {"y": [A, B, B]}, {"y": [A, B[:3]]},
        {"y": {"a": A, "c": B}}, {"class_weight": {0: 1.0}}, {"sample_weight": [W]},
        {"sample_weight": {"c": W}}, {"sample_weight": [W, V[:2]]},
    ],
)  # fmt: skip
def test_data_that_do_not_fit_are_refused(settings):
    with pytest.raises(TinygradError):
        trained(two(loss="mse"), **settings)


def test_an_output_without_a_loss_needs_no_targets():
    expected = trained(two(loss=["mse", None]))
    for y in ([A], {"a": A}, {"a": A, "b": None}, (A, None)):
        assert flat(trained(two(loss=["mse", None]), y)) == flat(expected)
    assert list(expected[0]) == ["loss"]
    with pytest.raises(TinygradError, match="no loss"):
        trained(two(loss=[None, None]))


def test_user_defined_losses_see_their_own_output():
    shapes = []

    def cubic(y_true, y_pred):
        shapes.append((y_true.shape, y_pred.shape))
        return abs(y_true - y_pred) ** 3

    compiled = {"loss": ["mse", cubic], "loss_weights": [1.0, 0.5]}
    fast, plain = trained(two(**compiled)), trained(two(**compiled, run_eagerly=True))
    assert flat(fast) == pytest.approx(flat(plain), rel=1e-12)
    assert set(shapes) == {((2, 2), (2, 2)), ((1, 2), (1, 2))}


def test_saved_and_loaded_it_learns_on(tmp_path):
    compiled = {
        "loss": ["mse", L.Huber(0.5)], "loss_weights": [1.0, 0.25],
        "metrics": [["mae"], ["mae", keras.metrics.AUC(5)]], "weighted_metrics": [None, ["mae"]],
    }  # fmt: skip
    model = two(**compiled)
    trained(model)
    model.save(tmp_path / "two.json")
    again = keras.models.load_model(tmp_path / "two.json")
    assert trained(again, sample_weight=W) == trained(model, sample_weight=W)
    assert again.metrics_names == model.metrics_names


def test_a_file_of_keras_holds_the_losses_of_each_output(tmp_path):
    pytest.importorskip("h5py")
    model = two(
        loss=["mse", L.Huber(0.5)], loss_weights=[1.0, 0.25], metrics=[["mae"], ["accuracy"]],
        weighted_metrics=[None, [keras.metrics.MeanSquaredError(name="mine")]],
        optimizer=keras.optimizers.SGD(0.1),
    )  # fmt: skip
    model.save(tmp_path / "two.keras")
    again = keras.models.load_model(tmp_path / "two.keras")
    assert flat(trained(again)) == pytest.approx(flat(trained(model)), rel=1e-6)
    assert again.metrics_names == model.metrics_names


def test_a_subclass_may_have_several_outputs():
    class Two(keras.Model):
        def __init__(self, named):
            super().__init__()
            self.hidden = keras.layers.Dense(3, "tanh")
            self.a, self.b = keras.layers.Dense(1, name="a"), keras.layers.Dense(2, name="b")
            self.named = named

        def call(self, x):
            hidden = self.hidden(x)
            outputs = self.a(hidden), self.b(hidden)
            return dict(zip("ab", outputs)) if self.named else list(outputs)

    found = []
    for named in (False, True):
        model = Two(named)
        model.compile(keras.optimizers.SGD(0.1), ["mse", "mae"], metrics=[["mae"], None])
        model.build((None, 2))
        ramp(model)
        found.append(trained(model, {"a": A, "b": B}))
    assert found[0] == found[1]
    assert list(found[0][0]) == ["a_loss", "a_mae", "b_loss", "loss"]


def test_several_inputs_and_outputs():
    layers = keras.layers
    one, other = keras.Input((1,), name="one"), keras.Input((1,), name="other")
    joined = layers.Concatenate()([one, other])
    model = keras.Model([one, other], [layers.Dense(1, name="a")(joined),
                                       layers.Dense(2, name="b")(joined)])  # fmt: skip
    weights = [p.data for p in ramp(model).parameters()]
    single = keras.Input((2,), name="x")
    same = keras.Model(single, [layers.Dense(1, name="a")(single),
                                layers.Dense(2, name="b")(single)])  # fmt: skip
    found = []
    columns = list(zip(*X))
    for m, x in ((model, [*columns]), (model, dict(zip(("one", "other"), columns))), (same, X)):
        for parameter, number in zip(m.parameters(), weights):
            parameter.data = number
        m.compile(keras.optimizers.SGD(0.1), "mse", metrics=[["mae"], ["mae"]])
        logs = m.fit(x, [A, B], epochs=2, verbose=0).history
        found.append([logs, m.evaluate(x, {"a": A, "b": B})])
    assert found[0] == found[1]
    assert flat(found[0]) == pytest.approx(flat(found[2]), rel=1e-12)


def test_a_loop_of_your_own_takes_the_steps_of_fit():
    """`value_and_grad` by the variables of a model, which the function uses through the model."""
    fitted, looped = two(loss=["mse", "mae"], loss_weights=[1.0, 0.5]), two()
    mse, mae, rule = L.MeanSquaredError(), L.MeanAbsoluteError(), keras.optimizers.Adam(0.05)
    fitted.fit(X, [A, B], batch_size=5, epochs=3, shuffle=False, verbose=0)

    def loss_of(weights: Any) -> Any:
        a, b = looped(X, training=True)
        hidden = looped.layers[0].weights[0]
        return mse(A, a) + 0.5 * mae(B, b) + 0.01 * sum(w * w for row in hidden for w in row)

    for _ in range(3):
        _, slopes = value_and_grad(loss_of)(looped.trainable_weights)
        assert [np.shape(slope) for slope in slopes] == [w.shape for w in looped.trainable_weights]
        rule.apply_gradients(zip(slopes, looped.trainable_weights))
    for one, other in zip(fitted.get_weights(), looped.get_weights()):
        np.testing.assert_allclose(other, one, rtol=1e-12)
    with pytest.raises(BadArgument, match="in its shape"):
        rule.apply(slopes[:2])


def test_variables_are_differentiated_where_they_stand():
    """A first derivative may be part of the function, and the arguments may be used as well."""
    model = ramp(keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, use_bias=False)]))
    (kernel,) = model.trainable_weights

    def squared(weights: Any) -> Any:
        return sum(x * x for row in model([[3.0, 5.0]]) for x in row)

    def slopes(weights: Any) -> Any:
        ((first, second),) = [[row[0] for row in grad(squared)(weights)[0]]]
        return first + second

    (bends,) = grad(slopes)([kernel])  # (3v + 5w)² has the slopes 6(3v + 5w) and 10(3v + 5w)
    assert [row[0].data for row in bends] == pytest.approx([16 * 3, 16 * 5])
    used = grad(lambda weights: weights[0][0][0] * kernel[0][0])([kernel])
    assert used[0][0][0].data == 2.0 * kernel[0][0].data


def test_the_loss_can_be_drawn_and_summed_up():
    model = two(loss=["mse", "mae"], loss_weights=[0.5, 2.0], metrics=[["mae"], None])
    loss = model.loss_graph(X, [A, B], sample_weight=[W, V])
    assert loss.data == pytest.approx(model.evaluate(X, [A, B], sample_weight=[W, V])[0])
    assert draw(loss).svg()
    lines: list[str] = []
    model.summary(print_fn=lines.append)
    assert "a: 0.5 · mean_squared_error; b: 2 · mean_absolute_error" in lines[0]
    assert model.loss[0].name == "mean_squared_error"
    assert len(model.hessian(X, [A, B])) == model.count_params()


def test_a_dict_names_two_outputs_of_one_layer(tmp_path):
    x, dense = keras.Input((2,)), keras.layers.Dense(1, name="d")
    ends = {"left": dense(x), "right": dense(keras.layers.Dense(2)(x))}
    logs = []
    for outputs in (list(ends.values()), ends):
        model = ramp(keras.Model(x, outputs))
        model.compile(keras.optimizers.SGD(0.1), "mse")
        model.fit(X, [A, CLASS], epochs=2, verbose=0)
        model.save(tmp_path / "m.json")
        again = keras.models.load_model(tmp_path / "m.json")
        assert again.evaluate(X, [A, CLASS]) == model.evaluate(X, [A, CLASS])
        logs.append(model.evaluate(X, [A, CLASS], return_dict=True))
    assert list(logs[0]) == ["d_loss", "loss"]
    assert list(logs[1]) == ["left_loss", "loss", "right_loss"]
    assert logs[0]["d_loss"] == logs[1]["right_loss"]
