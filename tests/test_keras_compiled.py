"""Compiled training is eager training: the same weights, histories, streams and manners."""

from __future__ import annotations

import copy
import math
import random
from collections.abc import Callable
from typing import Any

import pytest

import tinygrad_edu as tg
from tinygrad_edu import keras, nn
from tinygrad_edu.keras.compiled import Training
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
    return model._programs.get(model, Training, target, weighted) is not None


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


@pytest.mark.parametrize(("name", "settings"), RULES, ids=str)
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
        MODELS[name], {"optimizer": keras.optimizers.Adam(0.01), "loss": "mse"}, XS, YS,
        batch_size=batch_size, validation_split=0.2,
    )  # fmt: skip
    assert is_compiled(compiled)
    assert_same(eager, compiled)


METRICS: list[tuple[Any, Any, Any, list[Any]]] = [
    ("mse", dense(1), YS, ["mae", "rmse", "r2_score"]),
    ("bce", dense(1, "sigmoid"), [s > 0 for s in SIGNS], ["accuracy", "binary_accuracy", "bce"]),
    ("categorical_crossentropy", dense(3, "softmax"), ONE_HOT, ["acc", "categorical_accuracy", "mse"]),
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
        losses = [model.train_on_batch(XS[i : i + 3], YS[i : i + 3]) for i in (0, 3, 6)]
        models.append((losses, [p.data for p in model.parameters()],
                       [p.grad for p in model.parameters()]))  # fmt: skip
    for mine, theirs in zip(models[1], models[0]):
        assert mine == pytest.approx(theirs, rel=1e-12)
