"""What Keras users write, as functions of the module ``k`` that is Keras or ours.

    python -m tests.keras_cases            both sides, where Keras is installed: make keras
    python -m tests.keras_cases --record   write Keras's answers to data/keras_cases.json; after
                                           it, the names of cases to write those alone

A test runs each case on our side and compares it with what was recorded: numbers to 6 digits,
as some constants of Keras are float32; all else must be equal.
"""

from __future__ import annotations

import inspect
import json
import math
import os
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from tests.keras_names import RECORDED as NAMES
from tinygrad_edu.nn import absent

RECORDED = Path(__file__).parent / "data" / "keras_cases.json"
CASES: dict[str, Callable[[Any], Any]] = {}


def case(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    CASES[function.__name__] = function
    return function


def plain(x: Any) -> Any:
    """Anything as JSON can store it."""
    if isinstance(x, dict):
        return {str(name): plain(item) for name, item in x.items()}
    if isinstance(x, (list, tuple)):
        return [plain(item) for item in x]
    if x is None or isinstance(x, (str, bool, int)):
        return x
    if hasattr(x, "numpy"):
        x = x.numpy()
    if hasattr(x, "data") and isinstance(x.data, float):
        x = x.data
    x = np.asarray(x)
    if x.dtype == object:
        return [plain(item) for item in x.tolist()] if x.ndim else plain(x.item())
    return x.tolist()


def unnumbered(name: str) -> str:
    """Keras counts the instances of a session; ours are numbered within a model only."""
    return re.sub(r"_\d+$", "", name)


def same(x: Any, y: Any) -> bool:
    if isinstance(x, dict) and isinstance(y, dict):
        return x.keys() == y.keys() and all(same(x[name], y[name]) for name in x)
    if isinstance(x, list) and isinstance(y, list):
        return len(x) == len(y) and all(map(same, x, y))
    if isinstance(x, (int, float)) and isinstance(y, (int, float)):
        return math.isclose(x, y, rel_tol=1e-6, abs_tol=1e-9) or (x != x and y != y)
    return bool(x == y)


# ── Names, settings and numbers of whole rooms ─────────────────────────────────────────────


def settings(made_by: Any) -> list[Any]:
    """The names of the settings in their order, each with its default."""
    return [
        [p.name, p.default if p.default is not p.empty else "needed"]
        for p in inspect.signature(made_by).parameters.values()
        if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)
    ]


Y = np.array([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, 1.0, 0.0]])
P = np.array([[0.1, 0.7, 0.2], [0.5, 0.2, 0.3], [0.3, 0.4, 0.3], [0.25, 0.6, 0.15]])
CLASS = np.array([[1.0], [0.0], [2.0], [1.0]])
WEIGHTS = np.array([1.0, 2.0, 0.5, 0.0])


def predictions(name: str) -> Any:
    return P.astype("float32") if "Top" in name else P  # TensorFlow's in_top_k takes no others


def targets(name: str) -> Any:
    return CLASS if name.lower().startswith("sparse") else Y


OPS: tuple[str, ...] = tuple(
    name
    for name, (kind, *_) in json.loads(NAMES.read_text(encoding="utf-8"))["rooms"]["ops"].items()
    if kind == "function" and name not in absent.names("ops")
    and name != "sparsemax"  # Keras's results don't add up to 1, as they should
)  # fmt: skip
LOSSES = (
    "BinaryCrossentropy", "CategoricalCrossentropy", "CategoricalHinge", "CosineSimilarity",
    "Hinge", "Huber", "KLDivergence", "LogCosh", "MeanAbsoluteError",
    "MeanAbsolutePercentageError", "MeanSquaredError", "MeanSquaredLogarithmicError", "Poisson",
    "SparseCategoricalCrossentropy", "SquaredHinge",
)  # fmt: skip
METRICS = (
    "AUC", "Accuracy", "BinaryAccuracy", "BinaryCrossentropy", "CategoricalAccuracy",
    "CategoricalCrossentropy", "CategoricalHinge", "CosineSimilarity", "F1Score", "FBetaScore",
    "FalseNegatives", "FalsePositives", "Hinge", "KLDivergence", "LogCoshError",
    "MeanAbsoluteError", "MeanAbsolutePercentageError", "MeanSquaredError",
    "MeanSquaredLogarithmicError", "Poisson", "Precision", "R2Score", "Recall",
    "RootMeanSquaredError", "SparseCategoricalAccuracy", "SparseCategoricalCrossentropy",
    "SparseTopKCategoricalAccuracy", "SquaredHinge", "TopKCategoricalAccuracy", "TrueNegatives",
    "TruePositives",
)  # fmt: skip
FUNCTIONS = (
    "binary_crossentropy", "categorical_crossentropy", "categorical_hinge", "cosine_similarity",
    "hinge", "huber", "kl_divergence", "log_cosh", "mean_absolute_error",
    "mean_absolute_percentage_error", "mean_squared_error", "mean_squared_logarithmic_error",
    "poisson", "sparse_categorical_crossentropy", "squared_hinge",
)  # fmt: skip


@case
def losses_by_class(k):
    def of(name: str) -> Any:
        made_by, y = getattr(k.losses, name), targets(name)
        return {
            "settings": settings(made_by),
            "name": made_by().name,
            "value": made_by()(y, P),
            "weighted": made_by()(y, P, sample_weight=WEIGHTS),
            "sum": made_by(reduction="sum")(y, P),
            "none": made_by(reduction="none")(y, P),
            "weighted mean": made_by(reduction="mean_with_sample_weight")(
                y, P, sample_weight=WEIGHTS
            ),
            "one sample": made_by()(y[0], P[0]),
            "named": made_by(name="mine").name,
            "config": made_by().get_config().get("name"),
            "again": made_by.from_config(made_by().get_config())(y, P),
            "is a Loss": isinstance(made_by(), k.losses.Loss),
        }

    return {name: of(name) for name in LOSSES}


@case
def losses_with_settings(k):
    L = k.losses
    return {
        "huber": L.Huber(2.0)([[0.0], [0.0]], [[1.5], [3.0]]),
        "huber by name": L.Huber(delta=0.5)([[0.0], [0.0]], [[1.5], [3.0]]),
        "logits": L.BinaryCrossentropy(True)([[0.0], [1.0]], [[-2.0], [0.5]]),
        "smoothed": L.BinaryCrossentropy(label_smoothing=0.2)([[0.0], [1.0]], [[0.2], [0.5]]),
        "categorical": L.CategoricalCrossentropy(True, 0.1)(Y, P),
        "sparse": L.SparseCategoricalCrossentropy(from_logits=True)(CLASS, P),
        "sparse flat": L.SparseCategoricalCrossentropy()(np.array([1, 0, 2, 1]), P),
    }


@case
def losses_by_function(k):
    def of(name: str) -> Any:
        function, y = getattr(k.losses, name), targets(name)
        return [function(y, P), function(y[0], P[0])]

    return {name: of(name) for name in FUNCTIONS}


@case
def losses_found_by_name(k):
    names = ("mse", "MSE", "mae", "mape", "msle", "kld", "bce", *FUNCTIONS, *LOSSES)
    found = {}
    for name in names:
        made = k.losses.get(name)
        found[name] = [inspect.isfunction(made), made(targets(name), P)]
    return found


@case
def metrics_by_class(k):
    def of(name: str) -> Any:
        made_by, y, P = getattr(k.metrics, name), targets(name), predictions(name)
        metric, weighted = made_by(), made_by()
        metric.update_state(y[:2], P[:2])
        first = metric.result()
        metric.update_state(y[2:], P[2:])
        weighted.update_state(y, P, sample_weight=WEIGHTS)
        both = metric.result()
        metric.reset_state()
        metric.update_state(y[2:], P[2:])
        return {
            "settings": settings(made_by),
            "name": unnumbered(made_by().name),
            "first": first,
            "both": both,
            "weighted": weighted.result(),
            "after reset": metric.result(),
            "called": made_by()(y, P),
            "named": made_by(name="mine").name,
            "is a Metric": isinstance(metric, k.metrics.Metric),
        }

    return {name: of(name) for name in METRICS}


@case
def metrics_with_settings(k):
    M = k.metrics
    t, p = [0.0, 1.0, 1.0, 0.0, 1.0], [0.1, 0.9, 0.4, 0.6, 0.8]
    columns = [[x] for x in t], [[x] for x in p]
    return {
        **{
            f"AUC {curve} {method}": M.AUC(5, curve=curve, summation_method=method)(t, p)
            for curve in ("ROC", "PR")
            for method in ("interpolation", "minoring", "majoring")
        },
        "AUC at": M.AUC(thresholds=[0.2, 0.5, 0.7])(t, p),
        "AUC weighted": M.AUC()(t, p, sample_weight=[1.0, 2.0, 0.5, 1.0, 3.0]),
        "precision": M.Precision(thresholds=[0.3, 0.7])(t, p),
        "precision at": M.Precision(0.7)(t, p),
        "precision of one": M.Precision(class_id=1)(Y, P),
        "precision of k": M.Precision(top_k=2)(Y, P),
        "recall": M.Recall(thresholds=[0.3, 0.7])(t, p, sample_weight=[1.0, 2.0, 0.5, 1.0, 3.0]),
        "recall of k": M.Recall(top_k=1)(Y, P),
        **{
            f"{name} at": getattr(M, name)(thresholds=[0.7, 0.3])(t, p)
            for name in ("FalseNegatives", "FalsePositives", "TrueNegatives", "TruePositives")
        },
        **{f"F1 {how}": M.F1Score(average=how)(Y, P) for how in ("micro", "macro", "weighted")},
        "F1 at": M.F1Score(threshold=0.5)(*columns),
        "F2": M.FBetaScore(beta=2.0, average="macro", threshold=0.3)(Y, P),
        "accuracy at": M.BinaryAccuracy(threshold=0.7)(t, p),
        "top 1": M.TopKCategoricalAccuracy(1)(Y, predictions("Top")),
        "top 2": M.SparseTopKCategoricalAccuracy(k=2)(np.array([1, 0, 2, 1]), predictions("Top")),
        "accuracy": M.Accuracy()([1, 2, 3, 4], [0, 2, 3, 4], sample_weight=[1, 1, 0, 0]),
        "flat cosine": M.CosineSimilarity()([0.0, 1.0], [1.0, 3.0]),
        "flat kl": M.KLDivergence()([0.5, 0.5], [0.2, 0.8]),
        "mean": M.Mean()([1.0, 2.0, 6.0]),
        "mean weighted": M.Mean()([1.0, 3.0], sample_weight=[1.0, 0.5]),
        "sum": M.Sum()([[1.0, 2.0], [6.0, 0.5]]),
        "cosine by name": M.get("cosine_similarity")(Y, P),
    }


@case
def initializers(k):
    names = (
        "Constant", "GlorotNormal", "GlorotUniform", "HeNormal", "HeUniform", "Identity",
        "LecunNormal", "LecunUniform", "Ones", "RandomNormal", "RandomUniform", "TruncatedNormal",
        "VarianceScaling", "Zeros",
    )  # fmt: skip
    described = {
        name: [
            settings(getattr(k.initializers, name)),
            np.asarray(getattr(k.initializers, name)()((2, 3))).shape,
            getattr(k.initializers, name)().get_config() if name != "Identity" else {},
            isinstance(getattr(k.initializers, name)(), k.initializers.Initializer),
        ]
        for name in names
    }
    seeded = k.initializers.GlorotUniform(seed=42)
    return {
        **described,
        "fixed": [
            k.initializers.Constant(2.0)((2,)),
            k.initializers.Identity(3.0)((2, 3)),
            k.initializers.get("zeros")((1, 2)),
            k.initializers.get("Ones")((1, 2)),
        ],
        "a seed gives the same": bool(
            (np.asarray(seeded((2, 2))) == np.asarray(seeded((2, 2)))).all()
        ),
    }


@case
def regularizers(k):
    w = np.array([[1.0, -2.0], [0.5, 3.0]])
    R = k.regularizers
    return {
        "settings": [settings(getattr(R, name)) for name in ("L1", "L2", "L1L2")],
        "values": [R.L1(0.1)(w), R.L2(0.1)(w), R.L1L2(0.1, 0.2)(w), R.L1L2()(w), R.get("l2")(w)],
        "lower case": [R.l1(0.1)(w), R.l2(l2=0.1)(w), R.l1_l2(l1=0.1)(w)],
        "config": R.L1L2(0.1, 0.2).get_config(),
    }


@case
def serialized(k):
    found = [
        k.losses.serialize(k.losses.MeanSquaredError(name="mine")),
        k.initializers.serialize(k.initializers.HeNormal(seed=1)),
        k.regularizers.serialize(k.regularizers.L2(0.5)),
        k.activations.serialize(k.activations.relu),
        k.losses.serialize(k.losses.mean_squared_error),
    ]
    again = [
        k.losses.deserialize(found[0]).name,
        k.initializers.deserialize(found[1]).seed,
        k.regularizers.deserialize(found[2]).get_config(),
        k.activations.deserialize(found[3])(-1.0),
    ]
    return [found, again]


# ── Small scripts ──────────────────────────────────────────────────────────────────────────

X = np.array([[0.0], [1.0], [0.0], [1.0]])
LABELS = np.array([0, 1, 1, 1])
TARGETS = np.array([0.5, 2.0, -1.0, 1.5])


def dense(k: Any, units: int = 1, **settings: Any) -> Any:
    return k.layers.Dense(units, kernel_initializer="ones", **settings)


def one_neuron(k: Any, **compiled: Any) -> Any:
    model = k.Sequential([k.Input((1,)), dense(k)])
    model.compile(**{"optimizer": k.optimizers.SGD(0.1), "loss": "mse", **compiled})
    return model


def fitted(model: Any, y: Any = TARGETS, **settings: Any) -> dict[str, Any]:
    return model.fit(X, y, epochs=2, verbose=0, shuffle=False, **settings).history


@case
def losses_in_compile(k):
    L = k.losses
    given = {
        "name": "mse", "class name": "MeanSquaredError", "function": L.mean_squared_error,
        "class": L.MeanAbsoluteError(), "list": ["mae"], "huber": L.Huber(0.3),
        "function with settings": L.huber, "list of a function": [L.log_cosh],
    }  # fmt: skip
    return {name: fitted(one_neuron(k, loss=loss)) for name, loss in given.items()}


@case
def metrics_in_compile(k):
    M = k.metrics
    given = [
        ["mae", M.MeanSquaredError(name="mine")],
        ["cosine_similarity"],
        [M.CosineSimilarity()],
        ["accuracy", M.BinaryAccuracy(threshold=0.3), M.BinaryAccuracy(threshold=0.9)],
        [k.losses.mean_absolute_error],
        [k.losses.cosine_similarity],
        ["Accuracy"],
        [M.Precision(name="p"), M.Recall(name="r"), M.AUC(5, name="auc")],
        [M.RootMeanSquaredError(), "mape", M.LogCoshError()],
    ]
    return [fitted(one_neuron(k, metrics=metrics), LABELS) for metrics in given]


@case
def metrics_by_name_in_compile(k):
    given = [
        ["AUC", "Precision", "recall"], ["auc", "mse"], ["RootMeanSquaredError"],
        ["TruePositives", "false_negatives", "TrueNegatives", "false_positives"],
    ]  # fmt: skip
    return [
        fitted(one_neuron(k, metrics=metrics, optimizer=k.optimizers.SGD(0.01)), LABELS)
        for metrics in given
    ]


@case
def shapes_and_types(k):
    x = k.Input(shape=(np.int64(2),), batch_size=3, dtype="float32", name="x")
    model = k.Model(inputs=[x], outputs=dense(k, 2, dtype="float32", name="out")(x))
    rows = [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]
    sized = k.Sequential([dense(k, 3), dense(k)])
    sized.build((None, 2))
    first = k.Sequential([k.Input(batch_shape=(None, 2)), dense(k)])
    return {
        "predicted": model.predict(np.array(rows), verbose=0),
        "sized": sized.predict(np.array(rows), verbose=0, batch_size=np.int32(2)),
        "first": first.count_params(),
        "fit": len(one_neuron(k).fit(X, LABELS, epochs=np.int64(2), verbose=0).epoch),
    }


@case
def a_learning_rate_is_assigned(k):
    model = one_neuron(k)
    fitted(model)
    model.optimizer.learning_rate.assign(0.5)
    first = float(model.optimizer.learning_rate)
    return [first, fitted(model)]


@case
def initial_weights(k):
    def model(**settings: Any) -> Any:
        made = k.Sequential([k.Input((2,)), k.layers.Dense(2, **settings)])
        return [plain(w) for w in made.get_weights()]

    I = k.initializers  # noqa: E741
    seeded = [model(kernel_initializer=I.GlorotUniform(seed=1)) for _ in range(2)]
    return {
        "seeded": seeded[0] == seeded[1],
        "identity": model(kernel_initializer=I.Identity(2.0), bias_initializer=I.Constant(0.5)),
        "function": model(kernel_initializer=lambda shape, dtype=None: np.full(shape, 0.25)),
        "class": model(kernel_initializer=I.Ones),
    }


# ── Layers ─────────────────────────────────────────────────────────────────────────────────

PAIRS = np.array([[1.0, -2.0], [3.0, 0.5], [-1.0, 4.0], [0.25, 0.75], [2.0, 2.5]])
GOALS = np.array([[1.0], [-1.0], [0.5], [2.0], [0.0]])
RAMP = 0.02  # weights are set to 0.02, 0.04, …


def ramp(model: Any) -> Any:
    """The model with weights that are easy to tell apart."""
    start = 1
    weights = []
    for w in model.get_weights():
        count = int(np.prod(np.shape(w)))
        weights.append(RAMP * np.arange(start, start + count).reshape(np.shape(w)))
        start += count
    model.set_weights(weights)
    return model


def trained(k: Any, *layers: Any, epochs: int = 3, loss: Any = "mse", **settings: Any) -> Any:
    """A model of these layers with two inputs: its losses, its outputs and its weights."""
    model = ramp(k.Sequential([k.Input((2,)), *layers]))
    model.compile(k.optimizers.SGD(0.02), loss)
    history = model.fit(
        PAIRS, GOALS, epochs=epochs, batch_size=2, shuffle=False, verbose=0, **settings
    ).history
    return [
        history["loss"],
        model.evaluate(PAIRS, GOALS, verbose=0),
        model.predict(PAIRS, verbose=0),
        [plain(w) for w in model.get_weights()],
    ]


@case
def layers_in_training(k):
    L = k.layers
    return {
        "BatchNormalization": trained(k, L.Dense(3), L.BatchNormalization(), L.Dense(1)),
        "BatchNormalization set": trained(
            k, L.BatchNormalization(momentum=0.5, epsilon=0.01, center=False), L.Dense(1)
        ),
        "BatchNormalization frozen": trained(k, L.BatchNormalization(trainable=False), L.Dense(1)),
        "LayerNormalization": trained(k, L.Dense(3), L.LayerNormalization(), L.Dense(1)),
        "LayerNormalization set": trained(
            k, L.Dense(3), L.LayerNormalization(epsilon=0.1, scale=False), L.Dense(1)
        ),
        "Rescaling": trained(k, L.Rescaling(0.5, offset=-1.0), L.Dense(1)),
        "ReLU": trained(
            k, L.Dense(3), L.ReLU(max_value=1.0, negative_slope=0.1, threshold=0.2), L.Dense(1)
        ),
        "LeakyReLU": trained(k, L.Dense(3), L.LeakyReLU(), L.LeakyReLU(0.1), L.Dense(1)),
        "ELU": trained(k, L.Dense(3), L.ELU(), L.ELU(alpha=0.5), L.Dense(1)),
        "PReLU": trained(k, L.Dense(3), L.PReLU(), L.Dense(1)),
        "Reshape": trained(k, L.Dense(6), L.Reshape((3, -1)), L.Flatten(), L.Dense(1)),
        "Identity": trained(k, L.Dense(2), L.Identity(), L.Dense(1)),
        "GaussianNoise": trained(k, L.GaussianNoise(0.0), L.Dropout(0.0), L.Dense(1)),
        "Lambda": trained(k, L.Lambda(lambda x: x * x + 1.0), L.Dense(1)),
        "activity": trained(k, L.Dense(2, activity_regularizer="l2"), L.Dense(1)),
        "activity weighted": trained(
            k, L.Dense(2, activity_regularizer=k.regularizers.L1(0.1)), L.Dense(1),
            sample_weight=np.array([1.0, 2.0, 0.5, 0.0, 1.0]),
        ),
        "regularized": trained(k, L.Dense(2, kernel_regularizer="l1", bias_regularizer="l2"),
                               L.Dense(1)),
        "MaxNorm": trained(k, L.Dense(2, kernel_constraint=k.constraints.MaxNorm(0.3)), L.Dense(1)),
        "MinMaxNorm": trained(k, L.Dense(
            2, bias_constraint=k.constraints.MinMaxNorm(0.1, 0.4, 0.5)), L.Dense(1)),
        "NonNeg": trained(k, L.Dense(2, kernel_constraint="non_neg"), L.Dense(1)),
        "UnitNorm": trained(k, L.Dense(1, kernel_constraint=k.constraints.UnitNorm())),
    }  # fmt: skip


@case
def layers_of_their_own(k):
    numbers = k.layers.Normalization()
    numbers.adapt(PAIRS)
    given = k.layers.Normalization(mean=[1.0, 2.0], variance=[4.0, 0.25])
    back = k.layers.Normalization(mean=1.0, variance=4.0, invert=True)
    words = ramp(k.Sequential([k.Input((2,)), k.layers.Embedding(4, 3), k.layers.Flatten()]))
    return {
        "adapted": numbers(PAIRS),
        "weights": [plain(w) for w in numbers.get_weights()],
        "given": given(PAIRS),
        "inverted": back(PAIRS),
        "embedding": words.predict(np.array([[0, 3], [1, 2]]), verbose=0),
        "embedding shape": words.layers[0].get_weights()[0].shape,
        "constraints": [
            k.constraints.MaxNorm(1.0)(PAIRS), k.constraints.MinMaxNorm(0.5, 1.0, 0.5)(PAIRS),
            k.constraints.NonNeg()(PAIRS), k.constraints.UnitNorm()(PAIRS),
            k.constraints.get("max_norm")(PAIRS),
        ],
        "settings": {
            name: settings(getattr(k.constraints, name))
            for name in ("MaxNorm", "MinMaxNorm", "NonNeg", "UnitNorm")
        },
    }  # fmt: skip


@case
def layers_of_users(k):
    class Linear(k.layers.Layer):
        def __init__(self, units, **settings):
            super().__init__(**settings)
            self.units = units

        def build(self, input_shape):
            self.w = self.add_weight(shape=(input_shape[-1], self.units), initializer="ones")
            self.b = self.add_weight(shape=(self.units,), initializer="zeros", name="b")
            self.gain = self.add_weight(shape=(), initializer="ones", trainable=False)

        def call(self, x):
            return (x @ self.w + self.b) * self.gain

        def get_config(self):
            return {**super().get_config(), "units": self.units}

    class Block(k.layers.Layer):
        def __init__(self):
            super().__init__()
            self.one, self.two = k.layers.Dense(3, "tanh"), k.layers.Dense(2)
            self.normal = k.layers.BatchNormalization()

        def call(self, x, training=None):
            return self.normal(self.two(self.one(x)), training=training) + x

    layer = Linear(3, name="mine")
    layer.build((None, 2))
    return {
        "linear": trained(k, Linear(3), k.layers.Dense(1)),
        "block": trained(k, Block(), k.layers.Dense(1)),
        "called": layer(PAIRS),
        "counts": [layer.count_params(), len(layer.weights), len(layer.trainable_weights)],
        "shapes": [list(w.shape) for w in layer.weights],
        "again": Linear.from_config(layer.get_config()).units,
    }


@case
def models_of_users(k):
    class Mine(k.Model):
        def __init__(self):
            super().__init__()
            self.second = k.layers.Dense(1)
            self.first = k.layers.Dense(3, "tanh")
            self.drop = k.layers.Dropout(0.0)

        def call(self, x, training=False):
            return self.second(self.drop(self.first(x), training=training)) * 2.0 + 0.5

    model = Mine()
    model(PAIRS)
    ramp(model)
    model.compile(k.optimizers.SGD(0.02), "mse", metrics=["mae"])
    logs = model.fit(PAIRS, GOALS, epochs=2, batch_size=2, shuffle=False, verbose=0).history
    return {
        "logs": logs,
        "evaluated": model.evaluate(PAIRS, GOALS, verbose=0),
        "predicted": model.predict(PAIRS, verbose=0),
        "called": model(PAIRS),
        "weights": [plain(w) for w in model.get_weights()],
        "counts": [model.count_params(), len(model.trainable_weights)],
    }


@case
def models_in_models(k):
    inner = k.Sequential([k.Input((2,)), k.layers.Dense(3, "tanh")], name="inner")
    outer = k.Sequential([k.Input((1,)), k.layers.Dense(1)], name="outer")
    whole = k.Sequential([k.Input((2,)), inner, k.layers.Dense(1), outer])
    x = k.Input((2,))
    h = inner(x)
    skip = k.Model(x, outer(k.layers.Dense(1)(h)) + k.layers.Dense(1)(2.0 * h - 1.0) / 4.0)
    features = k.Model(inner.inputs, inner.layers[0].output)
    found = {}
    for name, model in {"whole": whole, "skip": skip}.items():
        ramp(model).compile(k.optimizers.SGD(0.02), "mse")
        found[name] = model.fit(PAIRS, GOALS, epochs=2, shuffle=False, verbose=0).history
        found[f"{name} weights"] = [plain(w) for w in model.get_weights()]
    inner.trainable = False
    whole.compile(k.optimizers.SGD(0.02), "mse")
    whole.fit(PAIRS, GOALS, verbose=0)
    return {
        **found,
        "features": features.predict(PAIRS, verbose=0),
        "frozen": [plain(w) for w in inner.get_weights()],
        "trainable": len(whole.trainable_weights),
        "layers": [layer.name for layer in whole.layers][:1],
    }


@case
def code_of_users(k):
    class Cubic(k.losses.Loss):
        def __init__(self, factor=2.0, name="cubic"):
            super().__init__(name=name)
            self.factor = factor

        def call(self, y_true, y_pred):
            return self.factor * abs(y_pred - y_true) ** 3

    class Largest(k.metrics.Metric):
        def __init__(self, name="largest", **settings):
            super().__init__(name=name, **settings)
            self.total = self.add_variable(shape=(), initializer="zeros", name="total")
            self.batches = self.add_weight(shape=(), initializer="zeros", name="batches")

        def update_state(self, y_true, y_pred, sample_weight=None):
            self.total.assign_add(k.ops.sum((y_true - y_pred) ** 2))
            self.batches.assign_add(1.0)

        def result(self):
            return self.total / self.batches

    class Watching(k.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.seen = [*getattr(self, "seen", []), float(logs["loss"])]

    class Half(k.initializers.Initializer):
        def __call__(self, shape, dtype=None):
            return np.full(shape, 0.5)

    class Fine(k.regularizers.Regularizer):
        def __call__(self, x):
            return 0.1 * k.ops.sum(k.ops.square(x))

    class AtMostOne(k.constraints.Constraint):
        def __call__(self, w):
            return k.ops.clip(w, -0.6, 0.6)

    settings = {"kernel_initializer": Half(), "kernel_regularizer": Fine(),
                "kernel_constraint": AtMostOne()}  # fmt: skip
    model = k.Sequential([k.Input((2,)), k.layers.Dense(1, **settings)])
    model.compile(k.optimizers.SGD(0.001), Cubic(), metrics=[Largest()])
    watching = Watching()
    logs = model.fit(
        PAIRS, GOALS, epochs=3, shuffle=False, batch_size=2, verbose=0, callbacks=[watching]
    ).history
    functions = {}
    for name, loss in {
        "square": lambda y, p: (y - p) ** 2,
        "mean": lambda y, p: k.ops.mean(k.ops.abs(y - p), axis=-1),
        "one number": lambda y, p: k.ops.mean(k.ops.exp(y - p)),
        "weighted": lambda y, p: k.ops.where(y > 0.6, 2.0, 1.0) * k.ops.square(y - p),
    }.items():
        functions[name] = trained(k, k.layers.Dense(1), loss=loss)
    return [logs, watching.seen, model.evaluate(PAIRS, GOALS, verbose=0), functions]


@case
def what_models_have(k):
    model = ramp(k.Sequential([k.Input((2,)), k.layers.Dense(3, name="q"), k.layers.Dense(1)]))
    model.compile("sgd", "mse", metrics=["mae"], weighted_metrics=["mse"])
    copy = k.models.clone_model(model)
    again = k.models.model_from_json(model.to_json())
    return {
        "shapes": [list(model.input_shape), list(model.output_shape)],
        "signals": [len(model.inputs), len(model.outputs)],
        "weights": [[w.name, "/".join(w.path.split("/")[-2:])] for w in model.weights][:2],
        "numbers": model.weights[0].numpy(),
        "counts": [model.count_params(), model.layers[0].count_params()],
        "trainable": [len(model.trainable_variables), len(model.non_trainable_variables)],
        "tested": model.test_on_batch(PAIRS, GOALS),
        "by name": model.test_on_batch(PAIRS, GOALS, return_dict=True),
        "predicted": model.predict_on_batch(PAIRS),
        "called": model(PAIRS),
        "copy": [np.shape(w) for w in copy.get_weights()],
        "again": [np.shape(w) for w in again.get_weights()],
        "config": model.layers[0].get_config()["units"],
        "list": isinstance(model.metrics, list),
        "assigned": [model.layers[1].bias.assign([3.0]), model.predict(PAIRS, verbose=0)][1],
    }


# ── Functions of whole arrays ──────────────────────────────────────────────────────────────

A = np.array([[0.3, 0.7, 0.2], [0.9, 0.4, 0.6]])
B = np.array([[0.5, 0.1, 0.8], [0.35, 0.45, 0.15]])
SQUARE = np.array([[0.5, 0.25], [0.125, 0.75]])
LINE = np.array([0.5, 2.0, -1.0])
SIGNED = np.array([[-2.45, 0.45, 1.55], [-0.55, 2.9, -1.3]])
MORE_THAN_ONE = {"arccosh": A + 1.5}
OF_TWO_AXES = {"dot": (A, B.T), "matmul": (A, B.T), "vdot": (LINE, LINE), "inner": (A, B),
               "floor_divide": (SIGNED, B), "fmod": (SIGNED, B), "mod": (SIGNED, B),
               "cross": (A, B), "tensordot": (A, B.T, 1), "dsplit": (A.reshape(1, 2, 3), 3),
               "hsplit": (A, 3), "vsplit": (A, 2), "split": (A, 3, 1), "array_split": (A, 2, 1),
               "append": (A, B, 0), "threshold": (SIGNED, 0.1, -3.0)}  # fmt: skip
OF_THEIR_OWN = {
    "arange": [(3.0,), (1.0, 2.0, 0.25)], "linspace": [(0.0, 1.0, 5)], "eye": [(2,), (2, 3, 1)],
    "tri": [(3,), (2, 3, 1)], "identity": [(2,)], "ones": [((2, 3),)], "zeros": [((2, 3),)],
    "full": [((2,), 0.5)], "einsum": [("ij,kj->ik", A, B)], "meshgrid": [(LINE, LINE)],
    "where": [(A > B, A, B)], "clip": [(A, 0.35, 0.65)], "one_hot": [(np.array([0, 2, 1]), 3)],
    "pad": [(A, ((1, 0), (0, 2))), (LINE, 1, "constant", 2.0)],
    "take": [(A, np.array([1, 0]), 0), (A, np.array([4, 1]))],
    "take_along_axis": [(A, np.array([[0, 2], [1, 1]]), 1)],
    "top_k": [(A, 2)], "trapezoid": [(LINE,), (A, LINE)], "unstack": [(A,), (A, None, 1)],
    "select": [([A > 0.5, B > 0.4], [A, B], 7.0)], "rot90": [(A,), (A, 2)],
    "roll": [(A, 1), (A, 2, 1)], "repeat": [(A, 2), (A, 2, 0)], "tile": [(A, (2, 1))],
    "moveaxis": [(A, 0, 1)], "swapaxes": [(A, 0, 1)], "reshape": [(A, (3, 2)), (A, -1)],
    "broadcast_to": [(LINE, (2, 3))], "transpose": [(A,), (A, (1, 0))], "full_like": [(A, 2.0)],
    "norm": [(LINE,), (A,), (A, 2, 1), (A, 1, 0), (A, np.inf, 1, True)],
    "normalize": [(A,), (A, 0, 1)], "expand_dims": [(A, 1)], "squeeze": [(A[None],), (A[None], 0)],
    "glu": [(np.hstack([A, B]),)], "round": [(SIGNED,), (SIGNED, 1)], "diag": [(SQUARE,), (LINE,)],
    "diagflat": [(LINE,)], "average": [(A,), (A, 1, LINE)], "concatenate": [([A, B],), ([A, B], 1)],
    "stack": [([A, B],), ([A, B], 1)], "hstack": [([A, B],)], "vstack": [([A, B],)],
    "dstack": [([A, B],)], "gelu": [(SIGNED,), (SIGNED, False)], "isclose": [(A, A + 1e-9)],
    "allclose": [(A, A + 1e-9)], "divide_no_nan": [(A, np.round(B))],
    "logsumexp": [(SIGNED,), (SIGNED, 1), (SIGNED, 0, True)], "cast": [(A, "float64")],
    "std": [(A,), (A, 1), (A, 0, True)], "sum": [(A,), (A, 1), (A, 0, True)],
    "convert_to_numpy": [(A,)], "convert_to_tensor": [(A,)], "shape": [(A,)],
    "softmax": [(SIGNED,), (SIGNED, 0)], "isneginf": [(np.array([1.0, -np.inf, np.inf]),)],
    "isposinf": [(np.array([1.0, -np.inf, np.inf]),)], "isnan": [(np.array([1.0, np.nan]),)],
    "logical_and": [(A > 0.5, B > 0.4)], "logical_or": [(A > 0.5, B > 0.4)],
    "logical_xor": [(A > 0.5, B > 0.4)], "logical_not": [(A > 0.5,)],
}  # fmt: skip
"""Arguments of functions that don't take one or two arrays of one shape."""


def op_arguments(name: str, needed: int) -> list[tuple[Any, ...]]:
    """The arguments with which a function of `keras.ops` is tried."""
    signed = name in ("abs", "absolute", "ceil", "floor", "sign", "trunc", "exp", "sort", "argmax")
    one: Any = MORE_THAN_ONE.get(name, SIGNED if signed or "lu" in name or "soft" in name else A)
    usual = OF_TWO_AXES.get(name, (one, B)[:needed])
    return OF_THEIR_OWN.get(name, [usual])


@case
def functions_of_arrays(k):
    needed = {
        name: sum(p.default is p.empty for p in inspect.signature(f).parameters.values())
        for name in OPS
        for f in [getattr(k.ops, name)]
    }
    return {
        name: [getattr(k.ops, name)(*args) for args in op_arguments(name, count)]
        for name, count in needed.items()
    }


@case
def tools_for_data(k):
    U, rows = k.utils, np.array([[3.0, 4.0], [0.0, 0.0], [-1.0, 2.0]])
    return {
        "categorical": [
            U.to_categorical([0, 2, 1]), U.to_categorical(np.array([[0], [3]]), num_classes=5),
            U.to_categorical([[0, 1], [2, 0]], 3), U.to_categorical(np.array([1.0, 0.0])),
            U.to_categorical(2, 4),
        ],
        "normalized": [
            U.normalize(rows), U.normalize(rows, 1), U.normalize(rows, order=1),
            U.normalize(rows[0]), U.normalize(rows[None], axis=1, order=np.inf),
        ],
    }  # fmt: skip


@case
def described_as_data(k):
    S, L = k.optimizers.schedules, k.layers
    optimizers = [
        k.optimizers.SGD(0.1, 0.9, True), k.optimizers.AdamW(0.1, 0.01, clipnorm=2.0),
        k.optimizers.RMSprop(0.1, 0.8), k.optimizers.Adam(S.ExponentialDecay(0.1, 10, 0.5)),
        *(getattr(k.optimizers, name)() for name in (
            "Adadelta", "Adagrad", "Adam", "Adamax", "Ftrl", "Lion", "Nadam")),
    ]  # fmt: skip
    schedules = [
        S.CosineDecay(0.1, 10), S.CosineDecayRestarts(0.1, 10), S.InverseTimeDecay(0.1, 10, 0.5),
        S.PiecewiseConstantDecay([1, 2], [0.3, 0.2, 0.1]), S.PolynomialDecay(0.1, 10),
    ]  # fmt: skip
    layers = [
        L.Dense(2, "relu", name="a", kernel_regularizer="l2"), L.Dropout(0.5, name="b"),
        L.Concatenate(name="c"), L.Activation("tanh", name="d"), L.Rescaling(0.5, name="e"),
        L.LeakyReLU(0.1, name="f"), L.Embedding(3, 2, name="g"), L.Reshape((2, 3), name="h"),
        L.BatchNormalization(name="i"), L.Flatten(name="j"), L.Add(name="k"), L.Softmax(name="l"),
    ]  # fmt: skip

    def settings_of(described: Any, *without: str) -> Any:
        config = {n: x for n, x in described["config"].items() if n not in without}
        return [described["module"], described["class_name"], config]

    def of(layer: Any) -> Any:
        kind, config = L.serialize(layer)["class_name"], L.serialize(layer)["config"]
        again = L.deserialize(L.serialize(layer))
        known = {
            n: config[n]
            for n in (
                "name",
                "units",
                "rate",
                "activation",
                "kernel_regularizer",
                "scale",
                "negative_slope",
                "output_dim",
            )
            if n in config
        }
        return [kind, known, type(again).__name__, again.name]

    return {
        "optimizers": [settings_of(k.optimizers.serialize(x), "name") for x in optimizers],
        "again": [
            settings_of(k.optimizers.serialize(k.optimizers.deserialize(described)), "name")
            for described in map(k.optimizers.serialize, optimizers)
        ],
        "schedules": [settings_of(S.serialize(x)) for x in schedules],
        "rates": [float(S.deserialize(S.serialize(x))(3)) for x in schedules],
        "layers": [of(x) for x in layers],
        "found": {
            f"{where} {name}": type(getattr(k, where).get(name)).__name__
            for where, names in {
                "optimizers": ["sgd", "Adam", "ADAMW"], "metrics": ["auc", "MeanSquaredError"],
                "initializers": ["he_normal", "HeNormal"], "regularizers": ["l2", "L1L2"],
                "constraints": ["max_norm", "UnitNorm"],
            }.items()
            for name in names
        },
        "none": [getattr(k, where).get(None) is None for where in (
            "optimizers", "losses", "initializers", "regularizers", "constraints")],
        "from the old form": k.optimizers.deserialize(
            {"class_name": "sgd", "config": {"learning_rate": 0.5}}
        ).get_config()["learning_rate"],
    }  # fmt: skip


@case
def samples_of_several_axes(k):
    x, y = k.Input((2, 3)), k.Input((2, 3))
    L, data = k.layers, np.stack([A, SIGNED])
    model = k.Model([x, y], [L.Softmax()(x), L.Concatenate()([x, y]), L.Activation("softmax")(y)])
    return [np.reshape(part, (2, -1)) for part in model.predict([data, data[::-1]], verbose=0)]


# ── Several outputs, and what callbacks hear ───────────────────────────────────────────────

FOUR = PAIRS[:4]
TARGET_A, TARGET_B = GOALS[:4], np.array([[0.0, 1.0], [1.0, 0.0], [0.0, 1.0], [1.0, 0.0]])
OF_A, OF_B = np.array([1.0, 2.0, 0.5, 0.0]), np.array([0.5, 1.0, 1.0, 2.0])


def two_outputs(k: Any, **compiled: Any) -> Any:
    x = k.Input((2,), name="x")
    hidden = k.layers.Dense(2, "tanh", name="hidden")(x)
    ends = [k.layers.Dense(1, name="a")(hidden), k.layers.Dense(2, "softmax", name="b")(hidden)]
    model = ramp(k.Model(x, ends))
    model.compile(**{"optimizer": k.optimizers.SGD(0.1), "loss": "mse", **compiled})
    return model


def items(logs: Any) -> Any:
    """Logs with the order of their names."""
    return [[name, x] for name, x in (logs or {}).items()]


def refused(function: Callable[[], Any]) -> Any:
    try:
        return function()
    except Exception:  # each side has errors of its own
        return "refused"


def of_two(model: Any, y: Any = None, **settings: Any) -> Any:
    y = [TARGET_A, TARGET_B] if y is None else y
    history = model.fit(FOUR, y, batch_size=2, shuffle=False, verbose=0, **settings).history
    weights = {"sample_weight": settings["sample_weight"]} if "sample_weight" in settings else {}
    return [items(history), model.evaluate(FOUR, y, batch_size=2, verbose=0, **weights)]


@case
def losses_of_outputs(k):
    given: dict[str, Any] = {
        "list": {"loss": ["mse", "categorical_crossentropy"]},
        "dict": {"loss": {"b": "mae", "a": "mse"}, "loss_weights": {"b": 2.0, "a": 0.5}},
        "factor": {"loss": "mse", "loss_weights": 0.5},
        "none": {"loss": ["mse", None], "loss_weights": [0.5, 2.0]},
        "a part": {"loss": {"a": "mse"}},
        "another": {"loss": {"a": "mse", "c": "mae"}},
        "factors for one": {"loss": "mse", "loss_weights": [0.5, 2.0]},
    }
    return {
        name: refused(lambda one=compiled: of_two(two_outputs(k, **one)))
        for name, compiled in given.items()
    }


@case
def metrics_of_outputs(k):
    M = k.metrics
    given: dict[str, Any] = {
        "list": {"metrics": ["mae", ["mse", "accuracy"]]},
        "dict": {"metrics": {"b": ["accuracy"], "a": [M.MeanAbsoluteError(name="mine")]}},
        "weighted": {"metrics": ["mae", "mae"], "weighted_metrics": {"a": ["mae"], "b": "mse"}},
        "equal": {"metrics": [["mae", "mae"], None]},
        "too few": {"metrics": ["mae"]},
        "another": {"metrics": {"c": "mae"}},
        "a name": {"metrics": "mae"},
    }
    return {
        name: refused(lambda one=compiled: of_two(two_outputs(k, **one), sample_weight=OF_A))
        for name, compiled in given.items()
    }


@case
def data_of_outputs(k):
    def fit(y: Any = None, **settings: Any) -> Any:
        model = two_outputs(k, metrics=["mae", "mae"], weighted_metrics=["mse", "mse"])
        return refused(lambda: of_two(model, y, **settings))

    def stream(weighted: bool) -> Iterator[Any]:
        while True:
            for i in (0, 2):
                one, other = slice(i, i + 2), (OF_A[i : i + 2], OF_B[i : i + 2])
                batch = FOUR[one], (TARGET_A[one], TARGET_B[one])
                yield (*batch, other) if weighted else batch

    streamed = []
    for weighted in (False, True):
        model = two_outputs(k, weighted_metrics=["mse", "mse"])
        logs = model.fit(
            stream(weighted), steps_per_epoch=2, epochs=2, verbose=0,
            validation_data=(FOUR, [TARGET_A, TARGET_B]),
        ).history  # fmt: skip
        streamed.append([items(logs), model.evaluate(stream(weighted), steps=2, verbose=0)])
    return {
        "dict": fit({"b": TARGET_B, "a": TARGET_A}),
        "flat": fit((TARGET_A[:, 0], TARGET_B)),
        "one": fit(TARGET_A),
        "three": fit([TARGET_A, TARGET_B, TARGET_B]),
        "weights": fit(sample_weight=[OF_A, OF_B]),
        "weights for one": fit(sample_weight=[OF_A]),
        "class weights": fit(class_weight={0: 1.0, 1: 2.0}),
        "streamed": streamed,
    }


@case
def steps_with_outputs(k):
    model = two_outputs(k, metrics=["mae", "accuracy"], weighted_metrics={"a": ["mae"]})
    y = [TARGET_A, TARGET_B]
    return [
        model.train_on_batch(FOUR, y),
        items(model.train_on_batch(FOUR, y, sample_weight=[OF_A, OF_B], return_dict=True)),
        model.test_on_batch(FOUR, y),
        items(model.test_on_batch(FOUR, y, sample_weight=[OF_A, OF_B], return_dict=True)),
        model.predict_on_batch(FOUR),
        model.predict(FOUR, batch_size=3, verbose=0),
        items(model.evaluate(FOUR, y, verbose=0, return_dict=True)),
        [plain(w) for w in model.get_weights()],
    ]


@case
def outputs_of_other_kinds(k):
    x, other = k.Input((2,), name="x"), k.Input((1,), name="other")
    joined = k.layers.Concatenate()([x, other])
    named = k.Model(
        [x, other], {"q": k.layers.Dense(1, name="b")(joined), "p": k.layers.Dense(2)(x)}
    )
    found = []
    ramp(named).compile(k.optimizers.SGD(0.1), {"p": "mse", "q": "mae"}, metrics={"p": ["mae"]})
    data = {"x": FOUR, "other": FOUR[:, :1]}, {"p": TARGET_B, "q": TARGET_A}
    logs = named.fit(*data, epochs=2, shuffle=False, verbose=0).history
    predicted = named.predict(data[0], verbose=0)
    found.append([items(logs), {name: plain(part) for name, part in predicted.items()}])

    class Mine(k.Model):
        def __init__(self):
            super().__init__()
            self.one, self.two = k.layers.Dense(1), k.layers.Dense(2)

        def call(self, x):
            return {"p": self.two(x), "q": self.one(x)}

    mine = Mine()
    mine(FOUR)
    ramp(mine).compile(k.optimizers.SGD(0.1), {"p": "mse", "q": "mae"})
    logs = mine.fit(FOUR, data[1], epochs=2, shuffle=False, verbose=0).history
    found.append([items(logs), mine.evaluate(FOUR, data[1], verbose=0)])
    return found


@case
def outputs_of_one_layer(k):
    """Both have its name, and the history keeps the loss of the second."""
    x, dense = k.Input((2,), name="x"), k.layers.Dense(1, name="d")
    ends = [dense(x), dense(k.layers.Dense(2, name="e")(x))]
    model = ramp(k.Model(x, ends))
    model.compile(k.optimizers.SGD(0.1), ["mse", "mae"], metrics=[["mae"], ["mae"]])
    y = [TARGET_A, 2.0 * TARGET_A]
    logs = model.fit(FOUR, y, epochs=2, shuffle=False, verbose=0).history
    return [items(logs), model.evaluate(FOUR, y, verbose=0), model.output_names]


def listening(k: Any) -> tuple[Any, list[Any]]:
    """A callback that keeps every hook with its arguments, and where it keeps them."""
    heard: list[Any] = []
    places = ("train", "test", "predict")
    hooks = [f"on_{place}_{when}" for place in places for when in ("begin", "end")]
    hooks += [f"on_{place}_batch_{when}" for place in places for when in ("begin", "end")]
    hooks += ["on_epoch_begin", "on_epoch_end"]

    def method(hook: str) -> Any:
        def hear(self: Any, *given: Any, logs: Any = None) -> None:
            *place, last = [*given, logs] if not given or not isinstance(given[-1], dict) else given
            heard.append([hook, *[int(x) for x in place], items(last)])

        return hear

    return type("Listening", (k.callbacks.Callback,), {h: method(h) for h in hooks})(), heard


@case
def what_callbacks_hear(k):
    one = one_neuron(k, metrics=["mae", "accuracy"])
    two = two_outputs(k, metrics={"a": ["mae"]}, loss_weights=[1.0, 0.3], loss=["mse", "mse"])
    found = []
    for model, x, y in ((one, X, LABELS), (two, FOUR, [TARGET_A, TARGET_B])):
        callback, heard = listening(k)
        common = {"batch_size": 2, "verbose": 0, "callbacks": [callback]}
        history = model.fit(x, y, epochs=2, shuffle=False, validation_data=(x, y), **common)
        model.evaluate(x, y, **common)
        model.predict(x, **common)
        found.append([heard, items(history.history), history.epoch, history.params])
    return found


# ── Steps, validation and callbacks ────────────────────────────────────────────────────────


@case
def steps_and_validation(k):
    M = k.metrics
    x, y = PAIRS, np.array([0, 1, 1, 0, 1])
    given: dict[str, Any] = {
        "steps": {"steps_per_epoch": 2},
        "steps of batches": {"steps_per_epoch": 1, "batch_size": 2},
        "validation steps": {"validation_data": (x[:4], y[:4]), "validation_steps": 2},
        "first batch": {
            "validation_data": (x, y), "validation_steps": 1, "validation_batch_size": 2,
        },
        "frequency": {"validation_data": (x, y), "validation_freq": [1, 3]},
        "every second": {"validation_split": 0.4, "validation_freq": 2},
        "a large batch": {"batch_size": 100},
        "later": {"initial_epoch": 1},
        "class weights": {"validation_split": 0.4, "class_weight": {0: 0.5, 1: 3.0}},
        "weights": {"validation_split": 0.4, "sample_weight": np.array([1.0, 2.0, 0.5, 0.0, 3.0])},
    }  # fmt: skip
    found = {}
    for name, settings in given.items():
        model = ramp(k.Sequential([k.Input((2,)), k.layers.Dense(1)]))
        model.compile(
            k.optimizers.SGD(0.05), "mse", metrics=["mae", M.BinaryAccuracy(threshold=0.1)],
            weighted_metrics=["mae"],
        )  # fmt: skip
        history = model.fit(x, y, epochs=3, shuffle=False, verbose=0, **settings)
        found[name] = [items(history.history), history.epoch, history.params["steps"]]
    found["evaluated"] = [
        model.evaluate(x, y, verbose=0),
        model.evaluate(x, y, steps=1, batch_size=2, verbose=0),
        model.evaluate(x, y, steps=2, verbose=0),
        model.predict(x, steps=2, batch_size=2, verbose=0),
    ]
    return found


@case
def callbacks_that_change_the_training(k):
    C = k.callbacks

    def run(*callbacks: Any, rate: float = 0.3, epochs: int = 6) -> Any:
        model = ramp(k.Sequential([k.Input((2,)), k.layers.Dense(1)]))
        model.compile(k.optimizers.SGD(rate, momentum=0.5), "mse")
        logs = model.fit(
            PAIRS, GOALS, epochs=epochs, batch_size=2, shuffle=False, verbose=0,
            callbacks=list(callbacks), validation_data=(PAIRS[:3], GOALS[:3]),
        )  # fmt: skip
        weights = [plain(w) for w in model.get_weights()]
        return [items(logs.history), logs.epoch, weights, float(model.optimizer.learning_rate)]

    stop = C.EarlyStopping(patience=2, restore_best_weights=True)
    return {
        "stopped": [run(stop, rate=0.12), stop.stopped_epoch, stop.best, stop.best_epoch],
        "from": run(C.EarlyStopping("loss", patience=0, start_from_epoch=2), rate=0.12),
        "baseline": run(C.EarlyStopping(baseline=0.01, patience=1), rate=0.05),
        "scheduled": run(C.LearningRateScheduler(lambda i, rate: rate * 0.5 if i else rate)),
        "by epoch": run(C.LearningRateScheduler(lambda i: 0.1 / (i + 1))),
        "plateau": run(C.ReduceLROnPlateau(factor=0.1, patience=1, cooldown=1), rate=0.12),
    }


@case
def trainable_at_each_level(k):
    def model(*frozen: str) -> Any:
        first = k.layers.Dense(2, "tanh", name="first")
        inner = k.Sequential([k.Input((2,)), first, k.layers.Dense(2, name="second")], name="inner")
        whole = k.Sequential([k.Input((2,)), inner, k.layers.Dense(1, name="last")])
        ramp(whole)
        parts = {"first": first, "inner": inner, "whole": whole, "last": whole.layers[-1]}
        for name in frozen:
            parts[name].trainable = False
        whole.compile(k.optimizers.SGD(0.1), "mse")
        return whole

    found = {}
    for frozen in (("first",), ("inner",), ("last",), ("whole",), ("first", "last")):
        whole = model(*frozen)
        logs = whole.fit(PAIRS, GOALS, epochs=2, shuffle=False, verbose=0).history
        found[",".join(frozen)] = [
            logs, [plain(w) for w in whole.get_weights()], len(whole.trainable_weights),
            len(whole.non_trainable_weights), whole.trainable,
        ]  # fmt: skip
    return found


# ── Both sides ─────────────────────────────────────────────────────────────────────────────


def answers(k: Any, chosen: Callable[[str], bool] = lambda name: True) -> Iterator[tuple[str, Any]]:
    for name, function in CASES.items():
        if chosen(name):
            yield name, plain(function(k))


def keras() -> Any:
    """Keras itself, in float64."""
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("JAX_ENABLE_X64", "1")
    import keras as k

    k.config.set_floatx("float64")
    return k


def record(k: Any, names: list[str]) -> None:
    """Write Keras's answers: all of them, or those to the cases of these names anew."""
    content = json.loads(RECORDED.read_text(encoding="utf-8"))
    content["cases"] |= dict(answers(k, lambda name: not names or name in names))
    backend = {"keras": k.__version__, "backend": k.backend.backend(), "floatx": "float64"}
    command = " ".join(["python -m tests.keras_cases --record", *names])
    first = {} if not names else content["provenance"]
    recorded = {name: {**backend, "script": command} for name in names or ["all"]}
    content["provenance"] = {**first, **recorded}
    RECORDED.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def main(*arguments: str) -> int:
    try:
        k = keras()
    except ImportError:
        print("Keras is not installed: pip install keras tensorflow-cpu")
        return 0
    if "--record" in arguments:
        record(k, [name for name in arguments if name != "--record"])
        return 0
    from tinygrad_edu import keras as ours

    failed = 0
    for name, theirs in answers(k):
        try:
            mine = plain(CASES[name](ours))
        except Exception as error:
            mine = f"{type(error).__name__}: {error}"
        differ = not same(mine, theirs)
        failed += differ
        print(f"{'DIFFERS' if differ else 'same   '} {name}")
        if differ:
            print(f"   Keras {json.dumps(theirs)[:2000]}\n   ours  {json.dumps(mine)[:2000]}")
    print(f"{len(CASES)} cases, {failed} differ")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
