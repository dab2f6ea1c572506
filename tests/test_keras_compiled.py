"""Compiled training is eager training: the same weights, histories, streams and manners."""

from __future__ import annotations

import contextlib
import copy
import importlib
import math
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pytest

import tinygrad_edu as tg
from tinygrad_edu import Value, keras, nn
from tinygrad_edu.compiler import Code, scheduler
from tinygrad_edu.errors import BadArgument
from tinygrad_edu.keras import engines
from tinygrad_edu.keras.keeping import fingerprint, same
from tinygrad_edu.keras.programs import Forward, Training
from tinygrad_edu.keras.recording import Draws
from tinygrad_edu.keras.training import Diverged, RunsEagerly
from tinygrad_edu.nn.optimizers import OPTIMIZERS, Optimizer
from tinygrad_edu.nn.schedules import ExponentialDecay

dense, layers = keras.layers.Dense, keras.layers
FLATS, PRICES = (1, 2, 3, 4, 5, 6, 7), tuple(range(10000, 80000, 10000))
_RANDOM = random.Random(7)
XS = [[_RANDOM.gauss(0, 1), _RANDOM.gauss(0, 1)] for _ in range(11)]
YS = [math.sin(2 * x) + y for x, y in XS]
SIGNS = [1.0 if y > 0 else -1.0 for y in YS]
CLASSES = [float(i % 3) for i in range(11)]
ONE_HOT = [[float(c == i) for i in range(3)] for c in CLASSES]
PROBABLE = [[0.7, 0.2, 0.1], [0.1, 0.1, 0.8], [0.3, 0.4, 0.3]] * 3 + [[0.2, 0.2, 0.6]] * 2


def mlp(*last: Any, hidden: Any = "tanh", **first: Any) -> list[Any]:
    return [dense(4, hidden, input_shape=[2], **first), *(last or [dense(1)])]


def both(
    make: Callable[[], Any], compile: dict[str, Any], *data: Any, **fit: Any
) -> tuple[Any, Any]:
    """The same model trained eagerly and compiled."""
    models = []
    for eagerly in (True, False):
        keras.set_random_seed(3)
        made = make()
        model = keras.Sequential(made) if isinstance(made, list) else made
        fresh = {name: copy.deepcopy(x) if isinstance(x, Optimizer) else x
                 for name, x in compile.items()}  # fmt: skip
        model.compile(**fresh, run_eagerly=eagerly)
        model.fit(*data, **{"epochs": 4, "batch_size": 4, "verbose": 0, **fit})
        models.append(model)
    return models[0], models[1]


def assert_same(eager: Any, compiled: Any, rel: float = 1e-12) -> None:
    close = {"rel": rel, "abs": 1e-14}
    mine, theirs = ([p.data for p in m.parameters()] for m in (compiled, eager))
    assert mine == pytest.approx(theirs, **close)
    assert compiled.history.epoch == eager.history.epoch
    assert compiled.history.history.keys() == eager.history.history.keys()
    for name, numbers in eager.history.history.items():
        assert compiled.history.history[name] == pytest.approx(numbers, **close, nan_ok=True), name
    one, other = (m.optimizer.state_dict() for m in (compiled, eager))
    assert one["iterations"] == other["iterations"]
    for name, numbers in other["memory"].items():
        assert one["memory"][name] == pytest.approx(numbers, rel=1e-11, abs=1e-14)
    for mine, theirs in zip(compiled._streams(), eager._streams()):
        assert mine.getstate() == theirs.getstate()
    assert not compiled.training


def is_compiled(model: Any, target: int = 1, weighted: bool = False) -> bool:
    return model._programs.get(model, Training, (target,), (weighted,)) is not None


# ── A table of everything ─────────────────────────────────────────────────────────────────

RULES: list[tuple[str, dict[str, Any]]] = [
    *((name, {}) for name in OPTIMIZERS),
    ("sgd", {"momentum": 0.9}),
    ("sgd", {"momentum": 0.9, "nesterov": True, "weight_decay": 0.01}),
    ("adam", {"amsgrad": True}),
    ("rmsprop", {"momentum": 0.5, "centered": True}),
    ("ftrl", {"l1_regularization_strength": 0.01, "beta": 0.1}),
    ("ftrl", {"learning_rate_power": -0.4, "l2_shrinkage_regularization_strength": 0.1}),
    ("ftrl", {"learning_rate": 0.0}),
    ("adam", {"learning_rate": ExponentialDecay(0.05, 3, 0.5), "clipvalue": 0.1}),
    ("sgd", {"learning_rate": lambda step: 0.1 / (1 + step), "clipnorm": 0.3}),
    ("adamw", {"global_clipnorm": 0.2}),
]


@pytest.mark.parametrize(("name", "settings"), RULES, ids=lambda x: str(x).split(" at 0x")[0])
def test_every_optimiser(name, settings):
    rule = OPTIMIZERS[name](**{"learning_rate": 0.02, **settings})
    eager, compiled = both(mlp, {"optimizer": rule, "loss": "mse"}, XS, YS)
    assert is_compiled(compiled)
    assert_same(eager, compiled)


REGRESSION = ["mse", "mae", "mape", "huber", "log_cosh", nn.Loss("huber", delta=0.1)]
LOSSES: list[tuple[Any, Any, Any]] = [
    *((loss, dense(1), YS) for loss in REGRESSION),
    ("msle", dense(1, "softplus"), [abs(y) for y in YS]),
    ("poisson", dense(1, "exponential"), [abs(y) for y in YS]),
    ("hinge", dense(1), SIGNS),
    ("squared_hinge", dense(1), SIGNS),
    ("binary_crossentropy", dense(1, "sigmoid"), [float(s > 0) for s in SIGNS]),
    (nn.Loss("bce", from_logits=True, label_smoothing=0.1), dense(1), [s > 0 for s in SIGNS]),
    ("categorical_crossentropy", dense(3, "softmax"), ONE_HOT),
    (nn.Loss("categorical_crossentropy", from_logits=True), dense(3), PROBABLE),
    ("sparse_categorical_crossentropy", dense(3, "softmax"), CLASSES),
    (nn.Loss("sparse_categorical_crossentropy", from_logits=True), dense(3), CLASSES),
    ("kl_divergence", dense(3, "softmax"), PROBABLE),
    ("cosine_similarity", dense(3), PROBABLE),
    (nn.Loss("mse", reduction="sum"), dense(3), PROBABLE),
    (nn.Loss("mae", reduction="mean_with_sample_weight"), dense(1), YS),
]


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("loss", "last", "ys"), LOSSES, ids=lambda x: str(x)[:40])
def test_every_loss(loss, last, ys, weighted):
    weights = [0.0, 1.0, 0.5, 2.0] * 2 + [0.0, 1.0, 3.0] if weighted else None
    config = last.config()
    eager, compiled = both(
        lambda: mlp(dense.from_config(config)),
        {"optimizer": keras.optimizers.Adam(0.01), "loss": loss},
        XS, ys, sample_weight=weights,
    )  # fmt: skip
    assert is_compiled(compiled, len(compiled._pairs(XS, ys).y.rows[0]), weighted)
    assert_same(eager, compiled, rel=1e-10)
    for batch_size in (3, 32):
        told = [m.evaluate(XS, ys, batch_size, sample_weight=weights) for m in (eager, compiled)]
        assert told[1] == pytest.approx(told[0], rel=1e-10)


@pytest.mark.parametrize(
    "activation",
    [
        name
        for name in {**nn.ACTIVATIONS, **nn.VECTOR_ACTIVATIONS}
        if name not in ("sparsemax", "glu")
    ],
)
def test_every_activation(activation):
    eager, compiled = both(
        lambda: mlp(hidden=activation), {"optimizer": "sgd", "loss": "mse"}, XS, YS, epochs=2
    )
    assert is_compiled(compiled)
    assert_same(eager, compiled)
    assert [*map(tuple, compiled.predict(XS))] == [
        pytest.approx(row, rel=1e-12) for row in eager.predict(XS)
    ]


def branching() -> Any:
    a, b = keras.Input(shape=(1,)), keras.Input(shape=(1,))
    shared = dense(2, "tanh")
    one, two = shared(a), shared(b)
    merged = [merge()([one, two]) for merge in (layers.Add, layers.Average, layers.Multiply,
              layers.Subtract, layers.Maximum, layers.Minimum, layers.Concatenate)]  # fmt: skip
    joined = layers.Concatenate()(merged)
    return keras.Model([a, b], dense(1)(layers.Softmax()(layers.Activation("relu")(joined))))


MODELS: dict[str, Callable[[], Any]] = {
    "regularised": lambda: mlp(
        dense(3, kernel_regularizer="l1_l2"), dense(1, bias_regularizer=keras.regularizers.L2(0.3)),
        kernel_regularizer="l1",
    ),
    "frozen": lambda: mlp(dense(3, trainable=False, kernel_regularizer="l2"), dense(1)),
    "frozen at first": lambda: mlp(trainable=False),
    "branching": branching,
    "dropout": lambda: mlp(layers.Dropout(0.4), dense(3), layers.Dropout(0.2, seed=5), dense(1)),
    "no bias": lambda: mlp(dense(1, use_bias=False)),
    "of your rows": lambda: mlp(hidden=lambda x: tg.where(x > 0, x, 0.1 * tg.sin(x))),
}  # fmt: skip


@pytest.mark.parametrize("batch_size", [1, 4, 32])
@pytest.mark.parametrize("name", MODELS)
def test_every_kind_of_model(name, batch_size):
    eager, compiled = both(
        MODELS[name], {"optimizer": keras.optimizers.Adam(0.01), "loss": "mse"}, np.array(XS), YS,
        batch_size=batch_size, validation_split=0.2,
    )  # fmt: skip
    assert is_compiled(compiled)
    assert_same(eager, compiled)


@pytest.mark.parametrize("name", MODELS)
def test_machine_code_at_once(name):
    pytest.importorskip("llvmlite")
    eager, compiled = both(
        MODELS[name], {"optimizer": "adamw", "loss": "huber", "jit_compile": True}, np.array(XS),
        YS,
        validation_split=0.2,
    )  # fmt: skip
    assert settled(compiled) == "machine"
    assert_same(eager, compiled)
    ours, theirs = (model.predict(np.array(XS)) for model in (compiled, eager))
    assert ours == pytest.approx(theirs, rel=1e-12)


def settled(model: Any) -> str:
    """Which fast executor there is for the training of a model, when none is prepared any more."""
    for thread in threading.enumerate():
        if thread.name == scheduler.NAME:
            thread.join()
    return str(model._programs.get(model, Training, (1,), (False,))._engine._scheduler.executor)


def test_machine_code_in_the_background(monkeypatch):
    pytest.importorskip("llvmlite")
    keras.set_random_seed(3)
    eager = keras.Sequential(mlp())
    eager.compile("adam", "mse", run_eagerly=True)
    keras.set_random_seed(3)
    model = keras.Sequential(mlp())
    model.compile("adam", "mse")
    monkeypatch.setattr(scheduler, "WARM", 3000)
    monkeypatch.setattr(engines, "TRAINING_HOT", 30_000)
    seen = []
    for _ in range(4):
        for one in (eager, model):
            one.fit(XS, YS, epochs=3, batch_size=1, verbose=0, validation_split=0.2)
            one.predict(XS)
        seen.append(settled(model))
    assert seen == sorted(seen, key=["python", "machine", "native"].index)
    assert seen[-1] == "native", seen
    assert_same(eager, model, rel=1e-11)


def test_machine_code_on_demand():
    for jit, executor in ((True, "machine"), (False, "python")):
        model = keras.Sequential(mlp())
        model.compile("adam", "mse", jit_compile=jit)
        model.fit(XS, YS, epochs=1 if jit else 500, batch_size=1, verbose=0)
        assert settled(model) == executor
    with pytest.raises(BadArgument, match="'yes'"):
        model.compile("sgd", "mse", jit_compile="yes")


@pytest.mark.parametrize("pieces", [[1], [100], [1, 7]])
@pytest.mark.parametrize("batch_size", [1, 7, 11])
def test_the_clock_never_shows_in_the_result(batch_size, pieces, monkeypatch):
    """Which executor answers depends on how much was asked for, not on how fast it was done."""
    pytest.importorskip("llvmlite")

    def trained(*pieces):
        keras.set_random_seed(3)
        model = keras.Sequential(mlp(hidden="gelu"))
        model.compile(keras.optimizers.Adam(0.01), "mse")
        seen = []
        for i in range(8):
            # The fewer instructions fit into a piece, the more often Python could be left.
            monkeypatch.setattr(engines, "PIECE", pieces[i % len(pieces)] * 1e-5)
            model.fit(XS, YS, epochs=4, batch_size=batch_size, verbose=0)
            seen.append(settled(model))
        return model.state_dict(), seen

    work = 40_000  # of a few of these trainings
    monkeypatch.setattr(scheduler, "WARM", work)
    expected, executors = trained(10**6)
    assert (executors[0], executors[-1]) == ("python", "machine")
    assert trained(*pieces) == (expected, executors)


@pytest.mark.parametrize("stands", [True, False])
def test_a_clock_of_coarse_steps(stands, monkeypatch):
    """In a browser, a clock goes in steps of up to a millisecond: the time of a piece may be 0."""

    def trained():
        keras.set_random_seed(3)
        model = keras.Sequential(mlp())
        model.compile("sgd", "mse")
        each = [keras.callbacks.WeightHistory()]  # so that it comes back after every epoch
        model.fit(XS, YS, epochs=20, batch_size=1, verbose=0, callbacks=each)
        return model.state_dict()

    expected, now = trained(), iter(range(10**9))
    clock = (lambda: 0.0) if stands else (lambda: next(now) // 3 * 1e-3)
    monkeypatch.setattr(engines, "perf_counter", clock)
    assert trained() == expected


def test_an_executor_that_only_few_samples_agree_on_is_taken_between_trainings():
    """A task is not left in the middle, however many parts it has."""
    code = Code(1, 0, (), ("exp",), ((0,),), total=(1,))
    work, task = scheduler.WARM // 2 + 1, object()
    one = scheduler.Scheduler([code])
    for _ in range(3):
        assert not one.prepared(work, task)[0]
        one.add(work)
    pytest.importorskip("llvmlite")
    assert one.prepared(work, object())[0]


def test_much_work_is_for_machine_code_from_the_second_epoch_on():
    pytest.importorskip("llvmlite")
    model = keras.Sequential(mlp())
    model.compile("adam", "mse")

    def stop(epoch, logs):
        executors.append(settled(model))
        model.stop_training = epoch == 1

    executors: list[str] = []
    hook = keras.callbacks.LambdaCallback(on_epoch_end=stop)
    model.fit(XS, YS, epochs=10**4, callbacks=hook, verbose=0)
    assert executors == ["python", "machine"]
    assert model.history.epoch == [0, 1]
    model.fit(XS, YS, epochs=1, verbose=0)  # a small task after the large one
    assert model.optimizer.iterations == 3


def test_what_is_exact():
    from tinygrad_edu.compiler.code import FORMULAS, PRIMITIVES
    from tinygrad_edu.compiler.vectors import VECTORS

    assert PRIMITIVES.keys() - VECTORS.keys() >= FORMULAS


METRICS: list[tuple[Any, Any, Any, list[Any]]] = [
    ("mse", dense(1), YS, ["mae", "rmse", "r2_score"]),
    ("bce", dense(1, "sigmoid"), [s > 0 for s in SIGNS], ["accuracy", "binary_accuracy", "bce"]),
    ("categorical_crossentropy", dense(3, "softmax"), ONE_HOT,
     ["acc", "categorical_accuracy", "mse"]),
    ("sparse_categorical_crossentropy", dense(3, "softmax"), CLASSES,
     ["acc", "sparse_categorical_accuracy", "sparse_categorical_crossentropy"]),
    ("mse", dense(1), YS, ["mae", lambda y, p: max(p)]),
]  # fmt: skip


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("loss", "last", "ys", "metrics"), METRICS, ids=lambda x: str(x)[:20])
def test_metrics(loss, last, ys, metrics, weighted):
    config = last.config()
    eager, compiled = both(
        lambda: mlp(dense.from_config(config)),
        {"optimizer": "adam", "loss": loss, "metrics": metrics}, XS, ys,
        sample_weight=[0.5, 1.0, 2.0] * 3 + [1.0, 0.0] if weighted else None,
        validation_data=(XS[:5], ys[:5]),
    )  # fmt: skip
    assert_same(eager, compiled)
    assert compiled.evaluate(XS, ys) == pytest.approx(eager.evaluate(XS, ys), rel=1e-12)


def test_class_weights():
    ys = [float(s > 0) for s in SIGNS]
    eager, compiled = both(
        lambda: mlp(dense(1, "sigmoid")), {"optimizer": "adam", "loss": "bce"}, XS, ys,
        class_weight={0: 1.0, 1: 3.0},
    )  # fmt: skip
    assert_same(eager, compiled)


def test_batch_by_batch():
    models = []
    for eagerly in (True, False):
        keras.set_random_seed(1)
        model = keras.Sequential(mlp())
        model.compile("adam", "mse", ["mae"], run_eagerly=eagerly)
        found = [model.train_on_batch(XS[i : i + 3], YS[i : i + 3]) for i in (0, 3, 6)]
        losses = [x for loss_and_mae in found for x in loss_and_mae]
        models.append((losses, [p.data for p in model.parameters()],
                       [p.grad for p in model.parameters()]))  # fmt: skip
    for mine, theirs in zip(models[1], models[0]):
        assert mine == pytest.approx(theirs, rel=1e-12)


# ── What can't be compiled runs as it always did ──────────────────────────────────────────


class Peeking(keras.layers.Layer):
    """A layer that looks at its numbers."""

    def forward(self, x):
        return [v if v.data > 0.0 else 0.5 * v for v in x]


class Noisy(keras.layers.Layer):
    """A layer that draws numbers nobody knows of."""

    random = random.Random(0)

    def forward(self, x):
        return [v + self.random.gauss(0.0, 0.1) for v in x]


class Growing(keras.layers.Layer):
    """A layer that counts its calls, in a constant that it makes on the way."""

    calls: ClassVar[list[float]] = [0.0]

    def forward(self, x):
        self.calls[0] += 1.0
        return [v * Value(self.calls[0], role="constant") for v in x]


class Scaled(keras.layers.Layer):
    """An honest user-defined layer, with its own weight and a constant made on the way."""

    def make(self, shape, random):
        self.factor = Value(1.5, role="parameter")

    def weight_values(self):
        return [[self.factor]]

    def forward(self, x):
        return [tg.maximum(v * self.factor, Value(-0.3, role="constant")) for v in x]


@dataclass(eq=False, repr=False)
class Careful(Optimizer):
    """A rule with an if on a number."""

    def update(self, w, g, rate, t, old):
        return (w - rate * g if g * g < 1.0 else w - rate * tg.sign(g)), {}


@dataclass(eq=False, repr=False)
class Remembering(Optimizer):
    """A rule made of rows."""

    def start(self):
        return {"size": 1.0}

    def update(self, w, g, rate, t, old):
        size = tg.maximum(old["size"] * 0.9, abs(g))
        return w - rate * g / size, {"size": size}


@dataclass(eq=False, repr=False)
class Stepping(Optimizer):
    """A rule with a step of its own."""

    def step(self, parameters=None):
        for parameter in self.parameters:
            parameter.data -= self.rate * parameter.grad
        self.iterations += 1


def huber_of_yours(y_true, y_pred):
    errors = [p - t for t, p in zip(y_true, y_pred)]
    return [e * e if abs(e.data) < 1.0 else 2.0 * abs(e) - 1.0 for e in errors]


def test_layers_that_look_at_numbers_run_eagerly_with_one_notice():
    keras.set_random_seed(3)
    model = keras.Sequential(mlp(Peeking(), dense(1)))
    model.compile("sgd", "mse")
    with pytest.warns(RunsEagerly, match="data of a Value was read.*where.*test_keras_compiled"):
        model.fit(XS, YS, epochs=4, batch_size=4, verbose=0)
    model.fit(XS, YS, epochs=1, verbose=0)  # warnings are errors: there is none any more
    model.predict(XS)
    model.evaluate(XS, YS)
    keras.set_random_seed(3)
    eager = keras.Sequential(mlp(Peeking(), dense(1)))
    eager.compile("sgd", "mse", run_eagerly=True)
    eager.fit(XS, YS, epochs=4, batch_size=4, verbose=0)
    eager.fit(XS, YS, epochs=1, verbose=0)
    assert eager.state_dict() == model.state_dict(), "to the bit: it is the same code"


class Namespace:
    """A user-defined object that is neither layer nor setting."""

    scale = 1.0


SCALES, NAMESPACE, SCALE = [1.0], Namespace(), 1.0


def scale(x: Any) -> Any:
    return SCALES[0] * x


class Scaling(keras.layers.Layer):
    """A layer that reads a number where no fingerprint sees it."""

    of_class = 1.0

    def __init__(self, read: Callable[[Any], float]):
        super().__init__()
        self.read, self.array, self.object = read, np.array([1.0]), Namespace()

    def forward(self, x):
        return [v * self.read(self) for v in x]


def set_global(x: float) -> None:
    global SCALE
    SCALE = x


HIDDEN: dict[str, tuple[Callable[[Any], float], Callable[[Any, float], Any]]] = {
    "a list": (lambda layer: SCALES[0], lambda layer, x: SCALES.__setitem__(0, x)),
    "a global": (lambda layer: SCALE, lambda layer, x: set_global(x)),
    "an array": (lambda layer: float(layer.array[0]), lambda layer, x: layer.array.fill(x)),
    "of the class": (lambda layer: layer.of_class,
                     lambda layer, x: setattr(Scaling, "of_class", x)),
    "of an object": (lambda layer: layer.object.scale,
                     lambda layer, x: setattr(layer.object, "scale", x)),
}  # fmt: skip


@pytest.mark.parametrize("hook", ["on_train_begin", "on_epoch_begin", "on_epoch_end",
                                  "on_train_batch_begin", "on_train_batch_end"])  # fmt: skip
@pytest.mark.parametrize("hidden", HIDDEN)
def test_what_layers_of_yours_read_is_read_again(hidden, hook):
    read, change = HIDDEN[hidden]

    class Changing(keras.callbacks.Callback):
        def __init__(self):
            setattr(self, hook, self.change)

        def change(self, *place):
            self.x *= 0.8
            change(self.model.layers[1], self.x)

        def set_model(self, model):
            super().set_model(model)
            self.x = 1.5
            change(model.layers[1], self.x)

    models = both(
        lambda: mlp(Scaling(read), dense(1)), {"optimizer": "adam", "loss": "mse"}, XS, YS,
        callbacks=Changing(), validation_split=0.2,
    )  # fmt: skip
    assert is_compiled(models[1])
    assert_same(*models)
    for x in (0.3, 0.4):
        change(models[0].layers[1], x)
        change(models[1].layers[1], x)
        one, other = (model.predict(XS) for model in models)
        assert tg.ravel(one)[0] == pytest.approx(tg.ravel(other)[0], rel=1e-12)
        assert models[1].evaluate(XS, YS) == pytest.approx(models[0].evaluate(XS, YS), rel=1e-12)
        for model in models:
            model.fit(XS, YS, epochs=2, verbose=0)
        assert_same(*models)


@pytest.mark.parametrize("when", ["begin", "batch_begin", "batch_end"])
def test_callbacks_of_evaluation_and_prediction_may_change_the_model(when):
    class Changing(keras.callbacks.Callback):
        def __init__(self):
            setattr(self, f"on_test_{when}", self.change)
            setattr(self, f"on_predict_{when}", self.change)

        def change(self, *place):
            SCALES[0] *= 0.5
            self.model.layers[0].activation = layers.Activation("relu" if SCALES[0] < 1 else "tanh")

    found = []
    for eagerly in (True, False):
        keras.set_random_seed(3)
        SCALES[0] = 4.0
        model = keras.Sequential(mlp(layers.Activation(scale), dense(1)))
        model.compile("sgd", "mse", run_eagerly=eagerly)
        loss = model.evaluate(XS, YS, 3, callbacks=Changing())
        found.append([loss, *(y for (y,) in model.predict(XS, 3, callbacks=Changing()))])
    assert found[1] == pytest.approx(found[0], rel=1e-12)


def test_what_was_recorded_before_keeps_its_number():
    """Until a leaf of it is changed: then Python says so, compiled or not."""
    base = Value(1.5)

    class Using(keras.layers.Layer):
        square = base * base

        def forward(self, x):
            return [v * Using.square for v in x]

    class Renewing(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            base.data = 1.0 / (epoch + 1.0)
            if epoch < 3:
                Using.square = base * base

    def make():
        base.data = 1.5
        Using.square = base * base
        return mlp(Using(), dense(1))

    models = both(make, {"optimizer": "adam", "loss": "mse"}, XS, YS)
    assert is_compiled(models[1])
    assert_same(*models)
    models = both(make, {"optimizer": "adam", "loss": "mse"}, XS, YS, callbacks=Renewing())
    assert_same(*models)
    for model in models:
        with pytest.raises(tg.errors.StaleGraph, match="changed after the result of mul"):
            model.fit(XS, YS, verbose=0)


def test_activations_and_penalties_of_yours_are_read_again():
    class Changing(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            SCALES[0] = 1.0 / (epoch + 2)

    def penalised(weights):
        return SCALES[0] * tg.sum([w * w for w in weights])

    def make():
        SCALES[0] = 1.0
        return mlp(dense(3, scale), dense(1, kernel_regularizer=penalised))

    models = both(make, {"optimizer": "adam", "loss": "mse"}, XS, YS, callbacks=Changing())
    assert is_compiled(models[1])
    assert_same(*models)


def test_the_program_of_code_that_does_the_same_is_kept():
    model = keras.Sequential(mlp(Scaling(lambda layer: SCALES[0]), dense(1)))
    model.compile("adam", "mse")
    SCALES[0] = 1.0
    model.fit(XS, YS, epochs=1, verbose=0)
    first = model._programs.get(model, Training, (1,), (False,))
    model.fit(XS, YS, epochs=1, verbose=0)
    assert model._programs.get(model, Training, (1,), (False,)) is first
    SCALES[0] = 2.0
    second = model._programs.get(model, Training, (1,), (False,))
    assert second is not first
    assert model._programs.get(model, Training, (1,), (False,)) is second


def test_nan_and_signed_zeros_are_told_apart_from_other_numbers():
    """A layer that multiplies by a new nan each time does the same each time; 0 and −0 differ."""
    numbers = [math.nan]
    model = keras.Sequential(mlp(Scaling(lambda layer: numbers[0] + 0.0), dense(1)))
    model.compile("sgd", "mse")
    assert all(math.isnan(y) for (y,) in model.predict(XS))
    for zero in (0.0, -0.0):
        numbers[0] = zero
        activation = layers.Activation(lambda x: tg.where(x > 9.0, x, numbers[0]))
        shown = keras.Sequential([keras.Input(2), activation])
        shown.compile("sgd", "mse")
        assert shown.predict([[1.0, 2.0]]) == [[0.0, 0.0]]
        numbers[0] = -zero
        assert math.copysign(1.0, shown.predict([[1.0, 2.0]])[0][0]) == math.copysign(1.0, -zero)


def test_what_is_of_the_package_is_recorded_once(monkeypatch):
    model = keras.Sequential(mlp(layers.Dropout(0.1), dense(1)))
    model.compile("adam", lambda t, p: (t[0] - p[0]) ** 2, ["mae", lambda t, p: p[0]])
    recorded = []
    init = Forward.__init__
    monkeypatch.setattr(Forward, "__init__", lambda *args: recorded.append(1) or init(*args))
    model.fit(XS, YS, epochs=3, batch_size=4, verbose=0)
    assert len(recorded) == 1


class Counting(keras.layers.Layer):
    """A layer that counts its calls."""

    calls = 0

    def forward(self, x):
        self.calls += 1
        return [v * (1.0 + 0.01 * self.calls) for v in x]


class Keeping(keras.layers.Layer):
    """A layer that keeps what it made last."""

    def forward(self, x):
        self.last = x
        return x


class Rolling(keras.layers.Layer):
    """A layer with Python's own random numbers."""

    def forward(self, x):
        return [v * (1.0 + random.random()) for v in x]


@pytest.fixture
def of_python():
    """Python's own random numbers, put back in the end."""
    state = random.getstate()
    yield random.seed
    random.setstate(state)


@pytest.mark.parametrize("layer", [Counting, Keeping, Rolling])
def test_what_layers_do_besides_is_done_for_each_sample(layer, of_python):
    """And not by recording: refused code trains as if nobody had tried."""

    def make():
        of_python(3)
        return mlp(layer(), dense(1))

    match = "different programs" if layer is Rolling else rf"sets {layer.__name__}\.(calls|last)"
    with pytest.warns(RunsEagerly, match=match):
        eager, compiled = both(make, {"optimizer": "adam", "loss": "mse"}, XS, YS)
    assert not is_compiled(compiled)
    assert_same(eager, compiled)
    one, other = (m.layers[1] for m in (eager, compiled))
    assert getattr(one, "calls", 0) == getattr(other, "calls", 0)
    assert [type(v) for v in getattr(one, "last", [])] == [
        type(v) for v in getattr(other, "last", [])
    ]


def test_layers_of_yours_are_given_values_always():
    """So user-defined code sees the same in Python and while it is recorded."""

    class Asking(keras.layers.Layer):
        def forward(self, x):
            return [v.relu() if isinstance(v, Value) else 3.0 * v for v in x]

    def make():
        return [Asking(input_shape=[2]), dense(1)]

    models = both(make, {"optimizer": "adam", "loss": "mse"}, XS, YS, validation_split=0.2)
    assert is_compiled(models[1])
    assert_same(*models)
    assert [y for (y,) in models[1].predict(XS)] == pytest.approx(
        [y for (y,) in models[0].predict(XS)], rel=1e-12
    )


def test_streams_of_random_numbers_may_be_replaced():
    class Reseeding(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.layers[1].random = random.Random(epoch)

    models = both(
        lambda: mlp(layers.Dropout(0.4), dense(1)), {"optimizer": "adam", "loss": "mse"}, XS, YS,
        callbacks=Reseeding(),
    )  # fmt: skip
    assert_same(*models)


@pytest.mark.parametrize(
    "rate",
    [
        lambda model: 0.1 / (1.0 + abs(model.parameters()[0].data)),
        lambda model: 0.1 / (1.0 + len(model.history.epoch)),
        lambda model: 0.1 / (1.0 + model.optimizer.iterations),
    ],
    ids=["weights", "history", "iterations"],
)
def test_schedules_of_yours_may_look_at_the_model(rate):
    models = []
    for eagerly in (True, False):
        keras.set_random_seed(3)
        model = keras.Sequential(mlp())
        schedule = keras.optimizers.SGD(lambda step, model=model: rate(model))
        model.compile(schedule, "mse", run_eagerly=eagerly)
        model.fit(XS, YS, epochs=4, batch_size=4, verbose=0)
        models.append(model)
    assert is_compiled(models[1])
    assert_same(*models)


@pytest.mark.parametrize("loss", ["mse", lambda t, p: (t[0] - p[0]) ** 2], ids=["named", "yours"])
def test_frozen_weights_are_left_without_gradient(loss):
    """Their gradient is no business of training; a program does not compute it."""
    for eagerly in (True, False):
        model = keras.Sequential(mlp(trainable=False, kernel_regularizer="l2"))
        model.compile("adam", loss, run_eagerly=eagerly)
        model.loss_graph(XS, YS).backward()
        assert any(w.grad for w in model.layers[0].parameters())
        model.fit(XS, YS, verbose=0)
        assert not any(w.grad for w in model.layers[0].parameters())
        assert all(w.grad for w in model.layers[1].parameters())


def test_compiling_on_the_way_counts_from_the_next_fit():
    models = []
    for eagerly in (True, False):
        keras.set_random_seed(3)
        model = keras.Sequential(mlp())
        model.compile("sgd", "mse", run_eagerly=eagerly)

        class Again(keras.callbacks.Callback):
            def on_epoch_end(self, epoch, logs=None, eagerly=eagerly):
                if epoch == 1:
                    self.model.compile("adam", "mae", run_eagerly=eagerly)

        model.fit(XS, YS, epochs=4, verbose=0, callbacks=Again())
        model.fit(XS, YS, epochs=1, verbose=0)
        models.append(model)
    assert_same(*models)


def test_the_notice_points_to_where_training_was_asked_for():
    model = keras.Sequential(mlp(Peeking(), dense(1)))
    model.compile("sgd", "mse")
    with pytest.warns(RunsEagerly) as told:
        model.fit(XS, YS, epochs=1, verbose=0, callbacks=callbacks()["weights"])
    assert told[0].filename == __file__


@pytest.mark.parametrize(
    "layer", [Noisy(), Growing(), layers.Activation(lambda x: x + _RANDOM.random())]
)
def test_numbers_that_differ_each_time_are_noticed(layer):
    model = keras.Sequential(mlp(layer, dense(1)))
    model.compile("sgd", "mse")
    with pytest.warns(RunsEagerly, match="different programs"):
        model.fit(XS, YS, epochs=1, verbose=0)


def test_sparsemax_sorts_numbers_and_runs_eagerly():
    with pytest.warns(RunsEagerly, match="data of a Value was read"):
        eager, compiled = both(
            lambda: mlp(dense(3, "sparsemax")), {"optimizer": "sgd", "loss": "mse"}, XS, PROBABLE
        )
    assert_same(eager, compiled)


def test_layers_of_yours_are_compiled():
    eager, compiled = both(
        lambda: mlp(Scaled(), dense(1)), {"optimizer": "sgd", "loss": "mse"}, XS, YS
    )
    assert is_compiled(compiled)
    assert_same(eager, compiled)


@pytest.mark.parametrize("optimizer", [Careful(0.1), Stepping(0.1)], ids=["if", "step"])
def test_rules_that_look_at_numbers_run_in_python(optimizer):
    with pytest.warns(RunsEagerly, match="of a Value was asked for|step of its own"):
        eager, compiled = both(mlp, {"optimizer": optimizer, "loss": "mse"}, XS, YS)
    assert not is_compiled(compiled)
    assert_same(eager, compiled)


def test_rules_of_yours_are_compiled():
    eager, compiled = both(mlp, {"optimizer": Remembering(0.1), "loss": "mse"}, XS, YS)
    assert is_compiled(compiled)
    assert_same(eager, compiled)


def halving(step: int) -> float:
    return float(0.1 * 0.5**step)


RATES: dict[str, Any] = {
    "self.learning_rate": 0.1,
    "self.rate": halving,
    "self.rate_at(2)": halving,
    "rate / (self.iterations + 1)": 0.1,
    "rate / sum(len(kept) + 1 for kept in self.memory)": 0.1,
    "vars(self).setdefault('mine', 0.1) and setattr(self, 'mine', self.mine / 2) or self.mine": 0.1,
}


@pytest.mark.parametrize("read", RATES)
def test_rules_that_read_what_training_changes_run_in_python(read):
    """Numbers that they read while they are recorded would stay as they were."""

    @dataclass(eq=False, repr=False)
    class Rule(Optimizer):
        def size(self, rate):
            return eval(read)

        def update(self, w, g, rate, t, old):
            return w - self.size(rate) * g, {}

    class Slower(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            if not callable(self.model.optimizer.learning_rate):
                self.model.optimizer.learning_rate /= 2.0

    with pytest.warns(RunsEagerly, match=r"Rule\..* was .*(arguments of|memory that) update"):
        eager, compiled = both(
            mlp, {"optimizer": Rule(RATES[read]), "loss": "mse"}, XS, YS, callbacks=Slower()
        )
    assert not is_compiled(compiled)
    assert_same(eager, compiled)


def test_the_notice_names_the_line_that_read():
    @dataclass(eq=False, repr=False)
    class Rule(Optimizer):
        def update(self, w, g, rate, t, old):
            return w - self.rate * g, {}  # here

    model = keras.Sequential(mlp())
    model.compile(Rule(0.1), "mse")
    with pytest.warns(RunsEagerly, match=r"test_keras_compiled.py.*self.rate \* g, {}  # here"):
        model.fit(XS, YS, verbose=0)


def test_a_rule_is_recorded_once_for_all_weights():
    """And a second time, since the code is a user's: see below."""
    calls = []

    @dataclass(eq=False, repr=False)
    class Rule(Remembering):
        def update(self, w, g, rate, t, old):
            calls.append(w)
            return super().update(w, g, rate, t, old)

    for clip in ({}, {"clipnorm": 0.1}, {"global_clipnorm": 0.1}, {"clipvalue": 0.1}):
        calls.clear()
        eager, compiled = both(
            lambda: mlp(kernel_regularizer="l2"), {"optimizer": Rule(0.1, **clip), "loss": "mse"},
            XS, YS,
        )  # fmt: skip
        assert_same(eager, compiled)
        assert [type(w) for w in calls].count(Value) == 2


@pytest.mark.parametrize(
    "loss",
    [
        huber_of_yours,
        lambda t, p: tg.sum([(a - b) ** 2 for a, b in zip(t, p)]),
        lambda t, p: 1.0,
    ],
    ids=["if", "sum", "constant"],
)
def test_losses_of_yours_see_whole_batches_in_python(loss):
    """Only what stands around the layers is recorded then; no notice is needed."""
    eager, compiled = both(
        lambda: mlp(layers.Dropout(0.3), dense(1, kernel_regularizer="l2"), trainable=False),
        {"optimizer": "adam", "loss": loss}, XS, YS, validation_split=0.3,
    )  # fmt: skip
    assert_same(eager, compiled)


def test_a_loss_of_yours_may_hold_weights_itself():
    models = []
    for eagerly in (True, False):
        keras.set_random_seed(3)
        model = keras.Sequential(mlp())
        w = model.layers[0].kernel[0][0]
        model.compile("sgd", lambda t, p, w=w: p[0] * w + w * w, run_eagerly=eagerly)
        model.fit(XS, YS, epochs=3, verbose=0)
        models.append(model)
    assert_same(*models)


def test_under_detect_anomaly_training_is_watched():
    model = keras.Sequential([dense(1, "exponential", input_shape=[1])])
    model.compile(keras.optimizers.SGD(1e3), "mse")
    with pytest.raises(tg.errors.Anomaly, match="exp"), tg.detect_anomaly():
        model.fit([1.0], [9.0], epochs=5, verbose=0)


# ── Programs are kept, and dropped ────────────────────────────────────────────────────────


def test_a_program_is_kept_as_long_as_nothing_changed():
    model = keras.Sequential(mlp())
    model.compile("adam", "mse", ["mae"])
    model.fit(XS, YS, epochs=1, verbose=0)
    first = model._programs.get(model, Training, (1,), (False,))
    model.fit(XS[:5], YS[:5], epochs=2, verbose=0)
    model.optimizer.learning_rate = 0.5
    model.set_weights(model.get_weights())
    model.evaluate(XS, YS)
    assert model._programs.get(model, Training, (1,), (False,)) is first


CHANGES: dict[str, Callable[[Any], Any]] = {
    "another activation": lambda m: setattr(m.layers[0], "activation", layers.Activation("relu")),
    "the function in it": lambda m: setattr(m.layers[0].activation, "of", tg.sin),
    "a frozen layer": lambda m: setattr(m.layers[0], "trainable", False),
    "a rate of dropout": lambda m: setattr(m.layers[1], "rate", 0.9),
    "a setting of the optimiser": lambda m: setattr(m.optimizer, "momentum", 0.9),
    "clipping": lambda m: setattr(m.optimizer, "clipvalue", 0.01),
    "a regulariser": lambda m: setattr(m.layers[2], "kernel_regularizer", nn.Regularizer("l2")),
    "a setting of a regulariser": lambda m: m.layers[2].bias_regularizer.settings.update(l1=0.7),
    "a setting of the loss": lambda m: m.loss.settings.update(delta=0.1),
    "another loss": lambda m: m.compile(m.optimizer, "mae", run_eagerly=m.run_eagerly),
    "another weight": lambda m: m.layers[0].kernel[0].__setitem__(0, Value(0.3, role="parameter")),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_was_changed_is_compiled_anew(change):
    models = []
    for eagerly in (True, False):
        keras.set_random_seed(4)
        last = dense(1, bias_regularizer="l1")
        model = keras.Sequential(mlp(layers.Dropout(0.2), last))
        model.compile(keras.optimizers.SGD(0.05), nn.Loss("huber"), run_eagerly=eagerly)
        if change not in ("a frozen layer", "another weight"):  # an optimiser keeps its weights
            model.fit(XS, YS, epochs=2, verbose=0)
        before = fingerprint(model)
        CHANGES[change](model)
        assert not same(fingerprint(model), before)
        model.fit(XS, YS, epochs=2, verbose=0)
        models.append(model)
    assert_same(*models)


def test_weights_are_read_at_every_call():
    model = keras.Sequential([dense(1, input_shape=[1], trainable=False), dense(1)])
    model.compile("sgd", "mse")
    ones = [[[1.0]], [0.0]] * 2
    model.set_weights(ones)
    assert model.predict([3.0]) == [[3.0]]
    model.layers[0].kernel[0][0].data = 2.0
    assert model.predict([3.0]) == [[6.0]]
    assert model.evaluate([3.0], [5.0]) == 1.0
    assert model.train_on_batch([3.0], [5.0]) == 1.0


def test_copies_of_a_model_go_their_own_ways():
    model = keras.Sequential(mlp())
    model.compile("adam", "mse")
    model.fit(XS, YS, epochs=1, verbose=0)
    other = copy.deepcopy(model)
    before = model.state_dict()
    other.fit(XS, YS, epochs=1, verbose=0)
    assert model.state_dict() == before != other.state_dict()
    model.fit(XS, YS, epochs=1, verbose=0)
    assert model.state_dict() == other.state_dict()


# ── Manners ───────────────────────────────────────────────────────────────────────────────


def post_model(**compile: Any) -> keras.Sequential:
    keras.set_random_seed(0)
    model = keras.Sequential([dense(1, input_shape=[1], kernel_initializer="zeros")])
    model.compile(**{"optimizer": "sgd", "loss": "mse", **compile})
    return model


def test_callbacks_see_the_weights_of_their_moment():
    seen: dict[bool, list[Any]] = {True: [], False: []}

    def noting(model, into, every_batch):
        def note(*_):
            into.append([w.tolist() for w in model.get_weights()])

        hooks = {"on_train_batch_begin": note, "on_train_batch_end": note} if every_batch else {}
        return keras.callbacks.LambdaCallback(on_epoch_begin=note, on_epoch_end=note, **hooks)

    for every_batch in (False, True):
        for eagerly in (True, False):
            keras.set_random_seed(2)
            model = keras.Sequential(mlp())
            model.compile("adam", "mse", run_eagerly=eagerly)
            seen[eagerly].clear()
            model.fit(XS, YS, epochs=3, batch_size=4, verbose=0,
                      callbacks=noting(model, seen[eagerly], every_batch))  # fmt: skip
        assert len(seen[True]) == len(seen[False]) == 6 + 18 * every_batch
        for mine, theirs in zip(seen[False], seen[True]):
            for one, other in zip(mine, theirs):
                assert tg.ravel(one)[0] == pytest.approx(tg.ravel(other)[0], rel=1e-12, abs=1e-14)


def callbacks() -> dict[str, Any]:
    made = keras.callbacks
    return {
        "early": made.EarlyStopping("loss", patience=1, min_delta=0.05, restore_best_weights=True),
        "plateau": made.ReduceLROnPlateau("loss", patience=1, min_delta=1.0, factor=0.5),
        "schedule": made.LearningRateScheduler(lambda epoch, rate: rate / (1.0 + epoch)),
        "weights": made.WeightHistory(),
    }


def test_freezing_on_the_way_counts_from_the_next_fit():
    models = []
    for eagerly in (True, False):
        keras.set_random_seed(2)
        model = keras.Sequential(mlp())
        model.compile("adam", "mse", run_eagerly=eagerly)

        def freeze(epoch, logs, model=model):
            model.layers[0].trainable = False

        hook = keras.callbacks.LambdaCallback(on_epoch_end=freeze)
        model.fit(XS, YS, epochs=3, verbose=0, callbacks=hook)
        models.append(model)
    assert_same(*models)


@pytest.mark.parametrize("name", callbacks())
def test_callbacks_steer_the_same_way(name):
    models = []
    for eagerly in (True, False):
        keras.set_random_seed(2)
        model = keras.Sequential(mlp())
        model.compile(keras.optimizers.Adam(0.03), "mse", run_eagerly=eagerly)
        model.fit(XS, YS, epochs=12, batch_size=4, verbose=0, callbacks=callbacks()[name])
        models.append(model)
    assert_same(*models)
    assert models[0].optimizer.learning_rate == models[1].optimizer.learning_rate


def test_a_loss_that_is_not_finite_stops_at_the_same_epoch():
    models, said = [], []
    for eagerly in (True, False):
        model = post_model(optimizer=keras.optimizers.SGD(0.5), run_eagerly=eagerly)
        with pytest.warns(Diverged) as told:
            model.fit(FLATS, PRICES, epochs=2000, verbose=0)
        said.append(str(told[0].message).partition(" First: ")[0])
        models.append(model)
    assert said[0] == said[1]
    assert_same(*models, rel=1e-9)  # a diverging path magnifies roundings
    assert all(math.isfinite(p.data) for p in models[1].parameters())


def test_going_on_regardless():
    eager, compiled = (
        post_model(optimizer=keras.optimizers.SGD(0.5), run_eagerly=eagerly)
        for eagerly in (True, False)
    )
    for model in (eager, compiled):
        model.fit(FLATS, PRICES, epochs=300, verbose=0, stop_at_nonfinite=False)
    for mine, theirs in zip(*(m.history.history["loss"] for m in (compiled, eager))):
        assert mine == pytest.approx(theirs, rel=1e-9) or not math.isfinite(mine + theirs)


def test_an_interrupt_leaves_the_last_whole_epoch(monkeypatch):
    model = post_model(optimizer="adam")
    model.fit(FLATS, PRICES, epochs=1, verbose=0)
    replay = model._programs.get(model, Training, (1,), (False,))
    train, calls = replay._engine.train, []

    def interrupted(*args):
        calls.append(len(args[1]))
        if len(calls) == 3:
            raise KeyboardInterrupt
        return train(*args)

    monkeypatch.setattr(replay._engine, "train", interrupted)
    monkeypatch.setattr(replay._engine, "at_once", lambda task: 5)
    with pytest.raises(KeyboardInterrupt):
        model.fit(FLATS, PRICES, epochs=100, batch_size=2, verbose=0)
    assert calls == [20, 20, 20]
    assert model.history.epoch == list(range(10))
    assert model.optimizer.iterations == 1 + 10 * 4
    other = post_model(optimizer="adam")
    other.fit(FLATS, PRICES, epochs=1, verbose=0)
    other.random.setstate(random.Random(0).getstate())


def test_a_schedule_that_fails_on_the_way():
    def rate(step):
        if step == 7:
            raise ZeroDivisionError("no rate")
        return 0.01

    models = []
    for eagerly in (True, False):
        model = post_model(optimizer=keras.optimizers.SGD(rate), run_eagerly=eagerly)
        with pytest.raises(ZeroDivisionError):
            model.fit(FLATS, PRICES, epochs=10, batch_size=4, verbose=0, shuffle=False)
        models.append(model)
    assert models[1].history.epoch == [0, 1, 2]
    assert_same(*models)


def test_an_error_in_the_data_changes_nothing():
    keras.set_random_seed(0)
    model = keras.Sequential(mlp(dense(3, "softmax")))
    model.compile("adam", "sparse_categorical_crossentropy")
    before = model.state_dict()
    with pytest.raises(BadArgument, match="whole number from 0 to 2"):
        model.fit(XS, [*CLASSES[:-1], 3.0], epochs=2, verbose=0)
    assert model.state_dict() == before
    assert model.history.epoch == []


def test_a_model_without_weights():
    for eagerly in (True, False):
        model = keras.Sequential([keras.Input(2), layers.Activation("tanh")])
        model.compile("sgd", "mse", run_eagerly=eagerly)
        model.fit(XS, XS, epochs=2, verbose=0)
        assert model.optimizer.iterations == 0


@pytest.mark.parametrize("hidden", ["numpy", "llvmlite"])
def test_without_extras_the_results_are_the_same_and_a_notice_says_so(hidden, monkeypatch):
    if hidden == "numpy":
        monkeypatch.setitem(sys.modules, "numpy", None)
    else:  # as if: what was imported by other tests would still work
        monkeypatch.setitem(scheduler.EXECUTORS, "machine", ".not_installed")
    monkeypatch.setattr(scheduler, "WARM", 0)
    scheduler._report.cache_clear()
    with pytest.warns(UserWarning, match=r"tinygrad-edu\[compiler\]"):
        eager, compiled = both(mlp, {"optimizer": "adam", "loss": "mse"}, XS, YS)
    for model in (eager, compiled):
        model.fit(XS, YS, epochs=2, verbose=0)
    assert_same(eager, compiled)
    assert settled(compiled) == "python"
    scheduler._report.cache_clear()


def test_asking_within_an_epoch_changes_nothing():
    """Dropout rests while a callback predicts or evaluates, and goes on afterwards."""

    class Curious(keras.callbacks.Callback):
        def __init__(self):
            self.seen = []

        def on_train_batch_end(self, batch, logs=None):
            self.seen.append(self.model.predict(XS[:2]) == self.model.predict(XS[:2]))
            self.model.evaluate(XS[:2], YS[:2])

    def make():
        return mlp(layers.Dropout(0.4, seed=5), dense(1))

    curious = Curious()
    models = both(make, {"optimizer": "adam", "loss": "mse"}, XS, YS, callbacks=[curious])
    assert_same(*models)
    assert curious.seen
    assert all(curious.seen)
    undisturbed, _ = both(make, {"optimizer": "adam", "loss": "mse"}, XS, YS)
    assert_same(undisturbed, models[0])


def test_a_batch_without_gradient_is_a_step_too():
    """Targets of all zeros have a loss that no weight matters to; momentum goes on."""
    nothing = [[0.0, 0.0, 0.0]] * 3
    loss = {
        "optimizer": keras.optimizers.SGD(0.1, momentum=0.9),
        "loss": "categorical_crossentropy",
    }
    for targets in (nothing, [*ONE_HOT[:2], *nothing]):
        xs = XS[: len(targets)]
        models = both(
            lambda: mlp(dense(3, "softmax")), loss, xs, targets, batch_size=1, shuffle=False
        )
        assert_same(*models)
        assert models[0].optimizer.iterations == 4 * len(targets)


def test_a_stop_at_the_begin_of_an_epoch():
    class Stop(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            self.model.stop_training = epoch == 2

    models = both(mlp, {"optimizer": "adam", "loss": "mse"}, XS, YS, callbacks=[Stop()])
    assert_same(*models)
    assert models[0].optimizer.iterations == 2 * 3 + 1


def test_a_batch_trained_within_an_epoch_leaves_it_training():
    class Extra(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            self.model.train_on_batch(XS[:2], YS[:2])
            assert self.model.training

    def make():
        return mlp(layers.Dropout(0.4, seed=5), dense(1))

    assert_same(*both(make, {"optimizer": "sgd", "loss": "mse"}, XS, YS, callbacks=[Extra()]))


def test_where_no_thread_can_be_had_python_goes_on(monkeypatch):
    def no_thread(*_):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(engines, "TRAINING_HOT", 0)
    model = post_model(jit_compile=True)
    model.train_on_batch(FLATS[:1], PRICES[:1])
    monkeypatch.setattr(threading.Thread, "start", no_thread)
    for _ in range(3):
        model.train_on_batch(FLATS[:1], PRICES[:1])
    assert model.optimizer.iterations == 4


def test_an_interrupt_while_layers_are_recorded_leaves_their_random_numbers(monkeypatch):
    def interrupted(self, source, drawn):
        if source is second.random:
            raise KeyboardInterrupt
        random.Random.__init__(self)

    first, second = layers.Dropout(0.5, seed=1), layers.Dropout(0.5, seed=2)
    model = keras.Sequential([dense(1, input_shape=[1]), first, second])
    model.compile("sgd", "mse")
    before = first.random
    monkeypatch.setattr(Draws, "__init__", interrupted)
    with pytest.raises(KeyboardInterrupt):
        model.fit(FLATS, PRICES, verbose=0)
    assert first.random is before


@pytest.mark.parametrize("use", ["fit", "eval"])
def test_what_a_callback_does_with_the_model_leaves_it_training(use):
    class Extra(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            self.times = 0

        def on_train_batch_begin(self, batch, logs=None):
            if use == "eval":
                self.model.eval()

        def on_train_batch_end(self, batch, logs=None):
            self.times += 1
            if use == "fit" and self.times == 2:
                self.model.fit(XS[:5], YS[:5], verbose=0)

    def make():
        return mlp(layers.Dropout(0.4, seed=5), dense(1))

    assert_same(*both(make, {"optimizer": "sgd", "loss": "mse"}, XS, YS, callbacks=[Extra()]))


@pytest.mark.parametrize("eagerly", [True, False])
@pytest.mark.parametrize("error", [KeyboardInterrupt, ZeroDivisionError])
def test_an_epoch_whose_end_was_interrupted_is_recorded(error, eagerly):
    class Interrupt(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            logs["more"] = 1.0
            if epoch == 2:
                raise error

    model, other = (post_model(optimizer="adam", run_eagerly=eagerly) for _ in range(2))
    with pytest.raises(error):
        model.fit(FLATS, PRICES, epochs=9, verbose=0, callbacks=[Interrupt()])
    other.fit(FLATS, PRICES, epochs=3, verbose=0)
    assert model.history.history == {**other.history.history, "more": [1.0] * 3}
    assert model.history.epoch == [0, 1, 2]
    assert model.state_dict() == other.state_dict()
    assert model.optimizer.state_dict() == other.optimizer.state_dict()


FORKING = """
import os, signal, threading, time, warnings
import numpy as np
import tinygrad_edu as tg
from tinygrad_edu import keras
from tinygrad_edu.compiler import llvm, scheduler

x, w = tg.Value(0.0), tg.Value(2.0)
program = tg.compile((w * x) ** 2, inputs=[x], parameters=[w], executor="machine")
ones = np.ones((10_000, 1))  # enough for threads

def train():
    model = keras.Sequential([keras.layers.Dense(1, input_shape=[1])])
    model.compile("sgd", "mse", jit_compile=True)
    model.fit([1.0, 2.0], [2.0, 4.0], epochs=3, verbose=0)

def load():
    with scheduler._LOADING, llvm._COMPILING:
        loading.set()
        time.sleep(0.3)

assert program.value(ones) == 4.0
train()
loading = threading.Event()
threading.Thread(target=load).start()
loading.wait()
with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # of threads, from Python 3.12 on
    child = os.fork()
if not child:
    signal.alarm(20)  # a child that waits for what never comes is killed
    assert program.value(ones) == 4.0
    train()
    tg.compile(w * x, inputs=[x], executor="native").values(ones)
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
train()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_a_forked_process_computes_too():
    """While threads of its parent run programs and prepare them."""
    pytest.importorskip("llvmlite")
    command = [sys.executable, "-W", "error", "-c", FORKING]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr[-2000:]


INTERRUPTED_IMPORT = """
import os, signal, sys
from tinygrad_edu import keras

class Interrupting:
    def find_spec(self, name, path, target=None):
        if name == "datetime":  # which NumPy imports from C
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Interrupting())
model = keras.Sequential([keras.layers.Dense(1, input_shape=[1])])
model.compile("sgd", "mse")
try:
    model.fit([1.0, 2.0], [2.0, 4.0], epochs=10**7, verbose=0)
except KeyboardInterrupt:
    import numpy
    model.fit([1.0, 2.0], [2.0, 4.0], epochs=10, verbose=0)
    print("interrupted", len(model.history.history["loss"]), numpy.ones(1))
"""


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT for one process")
def test_an_interrupt_while_numpy_is_imported():
    pytest.importorskip("llvmlite")
    command = [sys.executable, "-c", INTERRUPTED_IMPORT]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.stdout == "interrupted 10 [1.]\n", done.stderr[-2000:]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT for one process")
def test_an_interrupt_while_the_virtual_machine_is_loaded_keeps_the_first_epoch(monkeypatch):
    pytest.importorskip("llvmlite")
    machine = importlib.import_module(scheduler.EXECUTORS["machine"], scheduler.__package__)
    load, interrupts = machine.load, iter([True])

    def loading(code: Code, fastmath: bool) -> Any:
        if next(interrupts, False):
            time.sleep(0.3)
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.2)
        return load(code, fastmath)

    def fitted(epochs: int) -> keras.Sequential:
        keras.utils.set_random_seed(3)
        model = keras.Sequential(
            [keras.layers.Dense(8, "tanh", input_shape=[2]), keras.layers.Dense(1)]
        )
        model.compile("sgd", "mse")
        with contextlib.suppress(KeyboardInterrupt):
            model.fit(XS, YS, epochs=epochs, verbose=0)
        return model

    expected = fitted(1)
    assert len(expected.history.history["loss"]) == 1
    monkeypatch.setattr(machine, "load", loading)
    model = fitted(50_000)
    assert model.history.epoch == [0]
    assert model.state_dict() == expected.state_dict()
    model.fit(XS, YS, epochs=20_000, verbose=0)
    assert len(model.history.epoch) == 20_000
