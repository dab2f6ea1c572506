"""The Keras-like face: Keras's numbers step for step, the post's lines as written, manners."""

from __future__ import annotations

import json
import math
import random
from pathlib import Path

import numpy as np
import pytest

import tinygrad_edu as tg
from tinygrad_edu import keras
from tinygrad_edu.errors import BadArgument, GraphError, NameUnknown
from tinygrad_edu.keras.training import Diverged

DATA = Path(__file__).parent / "data"
TRAJECTORIES = json.loads((DATA / "trajectories_float64.json").read_text())["runs"]
MLPS = json.loads((DATA / "mlp_float64.json").read_text())
FLATS = (1, 2, 3, 4, 5, 6, 7)
PRICES = (10000, 20000, 30000, 40000, 50000, 60000, 70000)


def post_model(w: float = 0.0, b: float = 0.0, **compile: object) -> keras.Sequential:
    model = keras.Sequential([keras.layers.Dense(units=1, input_shape=[1])])
    model.layers[0].set_weights([[[w]], [b]])
    model.compile(**{"optimizer": "sgd", "loss": "mean_squared_error", **compile})
    return model


# ── Keras's numbers ───────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("run", TRAJECTORIES, ids=lambda run: run["id"])
def test_the_posts_model_is_that_of_keras_in_every_epoch(run):
    model = post_model(**run["init"])
    ws, bs = [run["init"]["w"]], [run["init"]["b"]]

    def note(epoch, logs):
        [[w]], [b] = model.layers[0].get_weights()
        ws.append(w)
        bs.append(b)

    history = model.fit(
        FLATS, PRICES, epochs=500, batch_size=run["batch_size"], shuffle=False, verbose=0,
        callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=note)],
    )  # fmt: skip
    assert ws == pytest.approx(run["w"], rel=1e-11)
    assert bs == pytest.approx(run["b"], rel=1e-11)
    assert history.history["loss"] == pytest.approx(run["loss"], rel=1e-11)


@pytest.mark.parametrize("run", MLPS["runs"], ids=lambda run: run["id"])
def test_networks_are_those_of_keras_in_every_step(run):
    first, last = run["init"]["layers"]
    model = keras.Sequential(
        [
            keras.layers.Dense(len(first["bias"]), run["hidden_activation"], input_shape=[2]),
            keras.layers.Dense(len(last["bias"]), run["output_activation"]),
        ]
    )
    for layer, weights in zip(model.layers, (first, last)):
        layer.set_weights([weights["kernel"], weights["bias"]])
    optimizer = getattr(keras.optimizers, run["optimizer"])(**run["optimizer_config"])
    model.compile(optimizer, run["loss_name"])
    close = {"rel": 1e-11, "abs": 1e-13}
    for x, hidden in zip(MLPS["x"], run["forward_at_init"]["hidden"]):
        assert [h.data for h in model.layers[0](x)] == pytest.approx(hidden, **close)
    for step in run["steps"]:
        start, stop = step["batch"]
        loss = model.train_on_batch(MLPS["x"][start:stop], run["y"][start:stop])
        assert loss == pytest.approx(step["loss"], **close)
        grads = [w for layer in model.layers for w in layer.weight_values()]
        for mine, theirs in zip(grads, step["grads"]):
            found = [v.grad for v in tg.ravel(mine)[0]]
            assert found == pytest.approx(np.ravel(theirs).tolist(), **close)
        weights = [w for layer in model.layers for w in layer.get_weights()]
        for mine, theirs in zip(weights, step["weights_after"]):
            assert np.ravel(mine).tolist() == pytest.approx(np.ravel(theirs).tolist(), **close)


# ── Scripts ───────────────────────────────────────────────────────────────────────────────


def test_the_posts_six_lines_as_written(capsys):
    from tinygrad_edu import keras

    model = keras.Sequential([keras.layers.Dense(units=1, input_shape=[1])])
    model.compile(optimizer="sgd", loss="mean_squared_error")

    num_of_flats = (1, 2, 3, 4, 5, 6, 7)
    price_of_house = (10000, 20000, 30000, 40000, 50000, 60000, 70000)

    model.fit(num_of_flats, price_of_house, epochs=500)
    ((price,),) = model.predict([10])

    assert price == pytest.approx(99711.75, abs=0.2)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 500, "a line per epoch when piped"
    assert max(map(len, lines)) <= 80
    w, b = model.layers[0].get_weights()
    assert (10 * w + b).tolist() == [[pytest.approx(price)]], "the post's equivalent expression"


@pytest.mark.parametrize(
    "given",
    [
        (FLATS, PRICES),
        (list(FLATS), list(PRICES)),
        (np.array(FLATS), np.array(PRICES)),
        (np.array(FLATS)[:, None], np.array(PRICES, dtype=np.float32)[:, None]),
        ([[x] for x in FLATS], PRICES),
    ],
)
def test_data_of_any_kind_trains_the_same(given):
    model = post_model()
    model.fit(*given, epochs=3, shuffle=False, verbose=0)
    assert model.layers[0].get_weights()[0][0][0] == pytest.approx(7700.48)


def test_pandas():
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"flats": FLATS, "price": PRICES})
    model = post_model()
    model.fit(frame[["flats"]], frame["price"], epochs=3, shuffle=False, verbose=0)
    assert model.layers[0].get_weights()[0][0][0] == pytest.approx(7700.48)


def test_a_generator_of_batches():
    batches = [((1, 2, 3, 4), PRICES[:4]), ((5, 6, 7), PRICES[4:])] * 3
    model, other = post_model(), post_model()
    model.fit((b for b in batches), epochs=3, steps_per_epoch=2, verbose=0)
    other.fit(FLATS, PRICES, epochs=3, batch_size=4, shuffle=False, verbose=0)
    assert model.state_dict() == other.state_dict()


def test_a_generator_that_runs_out_stops_training_and_says_so():
    model = post_model()
    with pytest.warns(UserWarning, match="ran out"):
        history = model.fit((((1, 2), (10, 20)) for _ in range(1)), epochs=3, verbose=0)
    assert history.epoch == [0]


@pytest.mark.parametrize("call", ["fit", "evaluate", "predict"])
@pytest.mark.parametrize(
    "nothing", [lambda: iter([]), lambda: (b for b in ()), lambda: map(abs, [])]
)
def test_a_source_without_a_batch_is_an_error(call, nothing):
    with pytest.raises(BadArgument, match="This source of batches is empty"):
        getattr(post_model(), call)(nothing(), verbose=0)


def test_predictions_have_the_shape_of_what_went_in():
    model = post_model(2.0, 1.0)
    for ten in (10, [10], (10,), [[10]], 10.0):
        assert model.predict(ten) == [[21.0]]
    found = model.predict(np.array([10, 20]))
    assert isinstance(found, np.ndarray)
    assert found.shape == (2, 1)


def moons(n: int) -> tuple[list[list[float]], list[int]]:
    rng, xs, ys = random.Random(0), [], []
    for i in range(n):
        angle = math.pi * rng.random()
        side = i % 2
        x, y = (1 - math.cos(angle), 0.5 - math.sin(angle)) if side else (
            math.cos(angle), math.sin(angle))  # fmt: skip
        xs.append([x + rng.gauss(0, 0.08), y + rng.gauss(0, 0.08)])
        ys.append(side)
    return xs, ys


def test_a_classifier_of_moons():
    keras.set_random_seed(1)
    xs, ys = moons(60)
    model = keras.Sequential(
        [
            keras.layers.Dense(8, activation="tanh", input_shape=(2,)),
            keras.layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile(
        optimizer=keras.optimizers.Adam(learning_rate=0.1),
        loss="binary_crossentropy",
        metrics=["accuracy"],
    )
    history = model.fit(xs, ys, epochs=40, batch_size=16, verbose=0)
    assert history.history["accuracy"][-1] > 0.95
    loss, accuracy = model.evaluate(xs, ys)
    assert accuracy > 0.95
    assert model.evaluate(xs, ys, return_dict=True) == {"loss": loss, "accuracy": accuracy}


def test_three_classes_by_softmax():
    keras.set_random_seed(2)
    xs = [[math.cos(2.1 * (i % 3)) + 0.01 * i, math.sin(2.1 * (i % 3))] for i in range(30)]
    ys = [i % 3 for i in range(30)]
    model = keras.Sequential([keras.Input(shape=(2,)), keras.layers.Dense(3, "softmax")])
    model.compile(keras.optimizers.Adam(0.2), "sparse_categorical_crossentropy", ["accuracy"])
    model.fit(xs, ys, epochs=30, verbose=0)
    assert model.evaluate(xs, ys)[1] == 1.0
    assert [sum(row) for row in model.predict(xs[:3])] == pytest.approx([1.0] * 3, rel=1e-15)


def test_a_functional_model_with_a_skip_connection():
    keras.set_random_seed(3)
    x = keras.Input(shape=(2,))
    hidden = keras.layers.Dense(2, activation="tanh", name="hidden")(x)
    both = keras.layers.Concatenate()([keras.layers.Add()([x, hidden]), x])
    model = keras.Model(inputs=x, outputs=keras.layers.Dense(1)(both))
    model.compile("adam", "mse")
    before = model.evaluate([[0.0, 1.0], [1.0, 0.0]], [1.0, -1.0])
    model.fit([[0.0, 1.0], [1.0, 0.0]], [1.0, -1.0], epochs=50, verbose=0)
    assert model.evaluate([[0.0, 1.0], [1.0, 0.0]], [1.0, -1.0]) < before
    assert [layer.name for layer in model.layers] == ["hidden", "add", "concatenate", "dense"]
    assert model.count_params() == 6 + 5
    assert model.get_layer("hidden").output_shape == (2,)


def test_two_inputs():
    a, b = keras.Input(shape=(1,)), keras.Input(shape=(2,))
    model = keras.Model([a, b], keras.layers.Concatenate()([b, a]))
    assert model.predict([[1.0], [[2.0, 3.0]]]) == [[2.0, 3.0, 1.0]]


# ── Properties ────────────────────────────────────────────────────────────────────────────


def small_model(seed: int = 0, **layer: object) -> keras.Sequential:
    keras.set_random_seed(seed)
    model = keras.Sequential(
        [keras.layers.Dense(3, "tanh", input_shape=[2], **layer), keras.layers.Dense(1)]
    )
    model.compile("sgd", "mse")
    return model


XS = [[0.1 * i, math.sin(i)] for i in range(10)]
YS = [math.cos(i) for i in range(10)]


def test_the_same_seed_trains_the_same_model():
    first, second, other = (small_model(seed) for seed in (5, 5, 6))
    for model in (first, second, other):
        model.fit(XS, YS, epochs=2, batch_size=3, verbose=0)
    assert first.state_dict() == second.state_dict() != other.state_dict()


def test_frozen_layers_do_not_move():
    model = small_model(trainable=False)
    frozen, free = (dict(layer.state_dict()) for layer in model.layers)
    model.fit(XS, YS, epochs=2, verbose=0)
    assert model.layers[0].state_dict() == frozen
    assert model.layers[1].state_dict() != free


@pytest.mark.parametrize("reduction", ["sum", "mean_with_sample_weight"])
def test_a_weight_of_0_leaves_the_sample_out(reduction):
    weighted, without = small_model(), small_model()
    for model in (weighted, without):
        model.compile("sgd", keras.losses.MeanSquaredError(reduction=reduction))
    weighted.fit(XS, YS, sample_weight=[1.0] * 9 + [0.0], epochs=3, shuffle=False, verbose=0)
    without.fit(XS[:9], YS[:9], epochs=3, shuffle=False, verbose=0)
    for mine, theirs in zip(weighted.parameters(), without.parameters()):
        assert mine.data == pytest.approx(theirs.data, rel=1e-13)


def test_class_weights_are_sample_weights():
    one, other = small_model(), small_model()
    ys = [i % 2 for i in range(10)]
    one.fit(XS, ys, class_weight={0: 1.0, 1: 3.0}, epochs=2, shuffle=False, verbose=0)
    weights = [3.0 if y else 1.0 for y in ys]
    other.fit(XS, ys, sample_weight=weights, epochs=2, shuffle=False, verbose=0)
    assert one.state_dict() == other.state_dict()


def test_permuted_neurons_train_the_same():
    first, second = small_model(), small_model()
    (kernel, bias), (out, last) = (layer.get_weights() for layer in second.layers)
    order = [2, 0, 1]
    second.layers[0].set_weights([kernel[:, order], bias[order]])
    second.layers[1].set_weights([out[order], last])
    for model in (first, second):
        model.fit(XS, YS, epochs=5, shuffle=False, verbose=0)
    trained = first.layers[0].get_weights()[0][:, order]
    assert np.allclose(trained, second.layers[0].get_weights()[0], rtol=1e-12, atol=0)


def test_regularisers_add_to_the_loss():
    plain, held = small_model(), small_model(kernel_regularizer=keras.regularizers.L2(0.1))
    penalty = 0.1 * sum(w.data**2 for row in held.layers[0].kernel for w in row)
    assert held.evaluate(XS, YS) == pytest.approx(plain.evaluate(XS, YS) + penalty)
    held.fit(XS, YS, epochs=1, verbose=0)


def test_dropout_is_off_outside_training():
    keras.set_random_seed(0)
    model = keras.Sequential(
        [keras.layers.Dense(8, input_shape=[2]), keras.layers.Dropout(0.5, seed=1),
         keras.layers.Dense(1)]
    )  # fmt: skip
    model.compile("sgd", "mse")
    assert model.predict(XS) == model.predict(XS)
    model.fit(XS, YS, epochs=1, verbose=0)
    assert not model.training
    assert model.predict(XS) == model.predict(XS)


def test_a_random_seed_governs_dropout_too():
    def trained(seed):
        keras.set_random_seed(seed)
        layers = [keras.layers.Dense(4, input_shape=[2]), keras.layers.Dropout(0.5)]
        model = keras.Sequential([*layers, keras.layers.Dense(1)])
        model.compile("sgd", "mse")
        model.fit(XS, YS, epochs=2, verbose=0)
        return model.state_dict()

    assert trained(1) == trained(1) != trained(2)


def test_names_of_layers():
    dense = keras.layers.Dense
    model = keras.Sequential([dense(1, input_shape=[1]), dense(1), dense(1, name="dense_1")])
    assert [layer.name for layer in model.layers] == ["dense", "dense_2", "dense_1"]
    shared = dense(1)
    first = keras.Sequential([keras.Input(1), dense(1), shared])
    keras.Sequential([keras.Input(1), shared])
    assert [layer.name for layer in first.layers] == ["dense", "dense_1"]
    with pytest.raises(BadArgument, match="'twice'"):
        keras.Sequential([keras.Input(1), dense(1, name="twice"), dense(1, name="twice")])


def test_ragged_weights_are_refused():
    model = small_model()
    with pytest.raises(BadArgument, match="different lengths"):
        model.layers[0].set_weights([[[1.0, 2.0, 3.0], [4.0, 5.0]], [0.0] * 3])


def test_validation():
    model = post_model(metrics=["mae"])
    history = model.fit(
        FLATS, PRICES, epochs=2, batch_size=2, shuffle=False, validation_split=0.3, verbose=0
    )
    recorded = {  # by Keras, in float32
        "loss": [679132480.0, 317624384.0], "mae": [23975.0, 16233.47265625],
        "val_loss": [1791078400.0, 891484672.0], "val_mae": [41917.0, 29555.0390625],
    }  # fmt: skip
    assert history.history.keys() == recorded.keys()
    for name, numbers in recorded.items():
        assert history.history[name] == pytest.approx(numbers, rel=1e-6)
    given = post_model().fit(
        FLATS[:4], PRICES[:4], epochs=1, validation_data=(FLATS[4:], PRICES[4:]), verbose=0
    )
    assert "val_loss" in given.history


def test_a_second_fit_goes_on_from_where_the_first_stopped():
    model, whole = post_model(optimizer="adam"), post_model(optimizer="adam")
    model.fit(FLATS, PRICES, epochs=2, shuffle=False, verbose=0)
    model.fit(FLATS, PRICES, epochs=5, initial_epoch=2, shuffle=False, verbose=0)
    whole.fit(FLATS, PRICES, epochs=5, shuffle=False, verbose=0)
    assert model.state_dict() == whole.state_dict()
    assert model.history.epoch == [2, 3, 4]


def test_hooks_are_called_in_keras_order():
    class Listener(keras.callbacks.Callback):
        def __init__(self):
            self.heard = []

    def hook(name):
        return lambda self, *args: self.heard.append((name, *args[:-1]))

    for name in keras.callbacks.HOOKS:
        setattr(Listener, name, hook(name))
    listener = Listener()
    model = post_model()
    seven = (FLATS, PRICES)
    model.fit(*seven, epochs=2, batch_size=4, validation_data=seven, verbose=0, callbacks=listener)
    steps = [f"on_{kind}_batch_{end}" for kind in ("train", "test") for end in ("begin", "end")]
    train, test = [[(s, i) for i in (0, 1) for s in pair] for pair in (steps[:2], steps[2:])]
    epoch = [*train, ("on_test_begin",), *test, ("on_test_end",)]
    assert [h for h in listener.heard if not h[0].startswith("on_batch")] == [
        ("on_train_begin",),
        *(("on_epoch_begin", 0), *epoch, ("on_epoch_end", 0)),
        *(("on_epoch_begin", 1), *epoch, ("on_epoch_end", 1)),
        ("on_train_end",),
    ]
    listener.heard.clear()
    model.predict(FLATS, callbacks=[listener])
    assert [h[0] for h in listener.heard] == [
        f"on_predict_{when}" for when in ("begin", "batch_begin", "batch_end", "end")
    ]
    assert model.history.params["steps"] == 2


def test_a_callback_may_stop_within_an_epoch():
    def stop(batch, logs):
        model.stop_training = batch == 1

    model = post_model()
    model.fit(FLATS, PRICES, epochs=5, batch_size=1, verbose=0,
              callbacks=keras.callbacks.LambdaCallback(on_train_batch_end=stop))  # fmt: skip
    assert (model.optimizer.iterations, model.history.epoch) == (2, [0])


def test_early_stopping_with_a_model_as_recorded_from_keras():
    def run(restore):
        model = post_model()
        stop = keras.callbacks.EarlyStopping(
            monitor="loss", min_delta=1000, patience=3, restore_best_weights=restore
        )
        history = model.fit(FLATS, PRICES, epochs=500, shuffle=False, verbose=0, callbacks=stop)
        return model, stop, history

    model, stop, history = run(restore=False)
    assert len(history.epoch) == 376
    assert (stop.stopped_epoch, stop.best_epoch) == (375, 372)
    assert [w.item() for w in model.get_weights()] == pytest.approx([9907.942, 455.862], rel=1e-5)
    model, _, _ = run(restore=True)
    assert [w.item() for w in model.get_weights()] == pytest.approx([9906.873, 461.161], rel=1e-5)


def test_weights_of_a_whole_model():
    model, other = small_model(1), small_model(2)
    other.set_weights(model.get_weights())
    assert other.state_dict() == model.state_dict()
    before = other.state_dict()
    good = model.get_weights()
    for bad, error in (
        (good[:3], BadArgument),
        ([*good[:3], [1.0, 2.0]], BadArgument),
        ([*good[:2], [["a"]] * 3, [1.0]], TypeError),
    ):
        with pytest.raises(error):
            other.set_weights(bad)
        assert other.state_dict() == before


def test_a_checkpoint_of_a_model_can_be_loaded(tmp_path):
    model = post_model(optimizer="adam", metrics=["mae"])
    path = str(tmp_path / "m-{epoch:02d}.json")
    model.fit(FLATS, PRICES, epochs=2, shuffle=False, verbose=0,
              callbacks=keras.callbacks.ModelCheckpoint(path))  # fmt: skip
    loaded = keras.models.load_model(tmp_path / "m-02.json")
    assert loaded.predict(FLATS) == model.predict(FLATS)
    for m in (model, loaded):
        m.fit(FLATS, PRICES, epochs=3, batch_size=2, verbose=0)
    assert loaded.state_dict() == model.state_dict(), "resumed as if never interrupted"


# ── Opened up ─────────────────────────────────────────────────────────────────────────────


def test_the_loss_as_a_graph():
    model = post_model(0.5, 0.1)
    loss = model.loss_graph([1, 2], [2, 3.5])
    assert loss.data == pytest.approx(3.86)
    graph = tg.snapshot(loss)
    told = {(node.name, node.role) for node in graph.nodes}
    assert {("x", "input"), ("y", "target"), ("w", "parameter"), ("ŷ", None)} <= told
    scopes = {node.scope for node in graph.nodes}
    assert {"sample 1", "sample 1/dense/neuron 1", "sample 2/dense/neuron 1", None} <= scopes
    (error,) = [node for node in graph.nodes if node.op is tg.sub and node.scope == "sample 1"]
    assert error.data == pytest.approx(-1.4), "the loss of a sample is recorded in its scope"
    assert tg.draw(loss).svg().startswith("<svg")
    assert [g.data for g in tg.gradients(loss, model.parameters())] == pytest.approx([-6.2, -3.8])


def test_why_a_model_diverges():
    model = post_model(optimizer=keras.optimizers.SGD(0.1))
    found = model.why_diverging(FLATS, PRICES)
    assert found.largest_rate == pytest.approx(0.0480590, abs=5e-8)
    assert found.condition == pytest.approx(108.24, abs=5e-3)
    said = " ".join(str(found).split())
    for part in ("0.0480590", "108.24", "is above the bound", "dense's b is slow", "4 ± 2"):
        assert part in said
    scaled = [(x - 4) / 2 for x in FLATS]
    found = model.why_diverging(scaled, PRICES)
    assert found.condition == pytest.approx(1.0)
    said = " ".join(str(found).split())
    assert "1.00 times as steep across as along" in said
    assert "all directions learn alike: at the best rate, 0.5, a step takes away 100%" in said
    assert "slow" not in said


def test_the_hessian_is_that_of_calculus():
    model = small_model()
    flat = [p.data for p in model.parameters()]

    def loss(numbers):
        w, b = [numbers[0:3], numbers[3:6]], numbers[6:9]
        out, last = numbers[9:12], numbers[12]
        hidden = [[tg.tanh(tg.sum([w[0][j] * x[0], w[1][j] * x[1], b[j]])) for j in range(3)]
                  for x in XS]  # fmt: skip
        outputs = [tg.sum([*(o * h for o, h in zip(out, hs)), last]) for hs in hidden]
        return tg.sum([(o - y) ** 2 for o, y in zip(outputs, YS)]) / len(YS)

    want = tg.hessian(loss)(flat)
    for row, right in zip(model.hessian(XS, YS), want):
        assert row == pytest.approx(right, rel=1e-10, abs=1e-12)


# ── Manners ───────────────────────────────────────────────────────────────────────────────


def test_a_loss_that_is_not_finite_stops_training_and_is_explained():
    model = post_model(optimizer=keras.optimizers.SGD(0.5))
    with pytest.warns(Diverged, match=r"epoch \d+.*rate was 0\.5, .*0\.0480590\. First: .*inf"):
        history = model.fit(FLATS, PRICES, epochs=2000, shuffle=False, verbose=0)
    assert all(map(math.isfinite, history.history["loss"]))
    assert all(math.isfinite(p.data) for p in model.parameters())
    again = post_model(optimizer=keras.optimizers.SGD(0.5))
    again.fit(FLATS, PRICES, epochs=len(history.epoch), shuffle=False, verbose=0)
    assert again.state_dict() == model.state_dict(), "the weights of the last finite epoch"


def test_or_goes_on_if_asked_to():
    model = post_model(optimizer=keras.optimizers.SGD(0.5))
    history = model.fit(FLATS, PRICES, epochs=300, verbose=0, stop_at_nonfinite=False)
    assert len(history.epoch) == 300
    assert not math.isfinite(history.history["loss"][-1])


def test_an_interrupt_leaves_model_and_history_consistent():
    def interrupt(batch, logs):
        if len(model.history.epoch) == 3 and batch == 1:
            raise KeyboardInterrupt

    model = post_model(optimizer="adam")
    stopper = keras.callbacks.LambdaCallback(on_train_batch_end=interrupt)
    with pytest.raises(KeyboardInterrupt):
        model.fit(FLATS, PRICES, epochs=10, batch_size=2, verbose=0, callbacks=[stopper])
    assert model.history.epoch == [0, 1, 2]
    undisturbed = post_model(optimizer="adam")
    undisturbed.random.setstate(undisturbed.random.getstate())
    assert model.optimizer.iterations == 3 * 4
    assert not model.training
    model.fit(FLATS, PRICES, epochs=1, verbose=0)


@pytest.mark.parametrize(
    ("attempt", "error", "says"),
    [
        (lambda m: keras.Sequential([]).fit([1], [1]), GraphError, "compile"),
        (lambda m: m.compile("sgd") or m.fit([1], [1]), GraphError, "no loss"),
        (lambda m: m.compile("sdg", "mse"), NameUnknown, "Did you mean 'sgd'"),
        (lambda m: m.compile("sgd", "mean_square_error"), NameUnknown, "mean_squared_error"),
        (lambda m: m.compile("sgd", "mse", ["accuracyy"]), NameUnknown, "accuracy"),
        (lambda m: keras.layers.Dense(1, activation="rellu"), NameUnknown, "relu"),
        (lambda m: keras.layers.Dense(0), BadArgument, "Received: 0"),
        (lambda m: keras.layers.Dense(1.5), BadArgument, r"Received: 1\.5"),
        (lambda m: m.fit([1, 2, 3], [1, 2]), BadArgument, "3 samples in x and 2 in y"),
        (lambda m: m.fit([1, 2], [[1, 2], [3, 4]]), BadArgument, "1 number per sample"),
        (lambda m: m.fit([[1, 2]], [1]), BadArgument, "1 number per sample"),
        (lambda m: m.predict([[1, 2, 3]]), BadArgument, "1 number per sample"),
        (lambda m: m.fit([1, 2], [1, 2], batch_size=0), BadArgument, "batch_size"),
        (lambda m: m.fit([1, 2], [1, 2], batch_size=-7), BadArgument, "-7"),
        (lambda m: m.fit([1, 2], [1, 2], epochs=-1), BadArgument, "epochs"),
        (lambda m: m.fit([1, 2], [1, 2], epochs=1.5), BadArgument, r"1\.5"),
        (lambda m: m.fit([1, math.nan], [1, 2]), BadArgument, "nan"),
        (lambda m: m.fit(["a", "b"], [1, 2]), TypeError, "'a'"),
        (lambda m: m.fit([1, 2]), BadArgument, "y"),
        (lambda m: m.fit([], []), BadArgument, "empty"),
        (lambda m: keras.optimizers.SGD(-0.01), BadArgument, r"-0\.01"),
        (lambda m: m.layers[0].set_weights([[1.0], [1.0]]), BadArgument, r"\(1, 1\)"),
        (lambda m: m.layers[0].set_weights([[["a"]], [1.0]]), TypeError, "'a'"),
        (lambda m: m.layers[0].set_weights([[[1.0, 2.0]], [1.0]]), BadArgument, r"\(1, 1\)"),
        (lambda m: m.add("dense"), BadArgument, "'dense'"),
        (lambda m: m.add(m.layers[0]), BadArgument, "already"),
        (lambda m: keras.Sequential().pop(), BadArgument, "no layer"),
        (lambda m: m.get_layer("dens"), NameUnknown, "dense"),
        (lambda m: keras.Model(keras.Input(2), keras.Input(2)), BadArgument, "depend on all"),
        (lambda m: keras.Model(keras.Input(2), 3.0), BadArgument, r"3\.0"),
        (lambda m: keras.Input(shape=(0,)), BadArgument, r"\(0,\)"),
        (lambda m: keras.layers.Add()([keras.Input(1), keras.Input(2)]), BadArgument, "one shape"),
        (lambda m: keras.layers.Dense(1)(keras.Input((2, 2))), BadArgument, "Flatten"),
        (lambda m: keras.layers.Dropout(1.0), BadArgument, "below 1"),
    ],
)  # fmt: skip
def test_mistakes_say_what_was_received_and_what_to_do(attempt, error, says):
    model = post_model()
    with pytest.raises(error, match=says):
        attempt(model)
    assert [w.tolist() for w in model.layers[0].get_weights()] == [[[0.0]], [0.0]]


def test_flatten_and_shapes():
    model = keras.Sequential(
        [keras.Input(shape=(2, 3)), keras.layers.Flatten(), keras.layers.Dense(1, use_bias=False)]
    )
    assert model.layers[0].output_shape == (6,)
    model.layers[1].set_weights([[[1.0]] * 6])
    assert model.predict([[[1, 2, 3], [4, 5, 6]]]) == [[21.0]]


def test_a_sequential_learns_its_shape_from_data_and_grows():
    model = keras.Sequential([keras.layers.Dense(2)])
    assert not model.built
    model.compile("sgd", "mse")
    model.fit([[1.0, 2.0, 3.0]], [[1.0, 2.0]], epochs=1, verbose=0)
    assert model.input_shape == (None, 3)
    model.add(keras.layers.Dense(1))
    assert [layer.name for layer in model.layers] == ["dense", "dense_1"]
    assert model.output_shape == (None, 1)
    assert model.pop().units == 1
    assert model.output_shape == (None, 2)


def test_layers_added_one_by_one_are_those_added_at_once(tmp_path):
    dense, dropout = keras.layers.Dense, keras.layers.Dropout

    def layers():
        return [
            dense(2, input_shape=[3]), dropout(0.1), dense(2), dense(1, name="dense_1"), dense(4),
            dropout(0.2), dense(2, name="last"), dense(1),
        ]  # fmt: skip

    keras.set_random_seed(1)
    at_once = keras.Sequential(layers())
    keras.set_random_seed(1)
    later = keras.Sequential()
    for layer in layers():
        later.add(layer)
    names = [layer.name for layer in later.layers]
    assert names == [layer.name for layer in at_once.layers]
    assert len(set(names)) == len(names)
    assert [p.data for p in later.parameters()] == [p.data for p in at_once.parameters()]
    assert later.predict([[1.0, 2.0, 3.0]]) == at_once.predict([[1.0, 2.0, 3.0]])
    later.save(tmp_path / "m.json")
    loaded = keras.models.load_model(tmp_path / "m.json")
    for model in (later, loaded):
        with pytest.raises(BadArgument, match="already"):
            model.add(model.layers[2])
        with pytest.raises(BadArgument, match="named 'last'"):
            model.add(dense(1, name="last"))
        model.add(dense(1))
        assert len({layer.name for layer in model.layers}) == 9
        assert model.pop().output_shape == (1,)
        assert [layer.name for layer in model.layers] == names


def test_a_layer_that_cannot_be_added_changes_nothing():
    model = keras.Sequential([keras.layers.Dense(2, input_shape=[3], name="first")])
    for wrong in (keras.layers.Dense(1, name="first"), keras.layers.Add()):
        with pytest.raises(BadArgument):
            model.add(wrong)
        assert [layer.name for layer in model.layers] == ["first"]
        assert model.predict([[0.0, 0.0, 0.0]]) == [[0.0, 0.0]]
