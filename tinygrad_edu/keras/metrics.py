"""Metrics under the names that Keras gives them: ``MeanAbsoluteError()``, ``AUC()``.

>>> from tinygrad_edu import keras
>>> keras.metrics.BinaryAccuracy(threshold=0.7)
BinaryAccuracy(threshold=0.7)
"""

from __future__ import annotations

from typing import Any

from .. import nn
from ..nn import counts
from ..nn.losses import LOSSES
from ..nn.metrics import ALIASES, METRICS
from .bases import Metric
from .lookup import Shelf, classes, functions

_PLAIN = (
    "Accuracy", "CategoricalAccuracy", "CategoricalHinge", "Hinge", "KLDivergence",
    "LogCoshError", "MeanAbsoluteError", "MeanAbsolutePercentageError", "MeanSquaredError",
    "MeanSquaredLogarithmicError", "Poisson", "RootMeanSquaredError", "SparseCategoricalAccuracy",
    "SquaredHinge",
)  # fmt: skip
_COUNTS = ("FalseNegatives", "FalsePositives", "TrueNegatives", "TruePositives")


def _made(engine: type[nn.Metric], *names: str, **changed: Any) -> dict[str, type[Any]]:
    if issubclass(engine, counts.Confusion):
        changed = {name.partition("(")[0]: {"name": None} for name in names}
    return classes(__name__, Metric, engine, names, **changed)


CLASSES = {
    **_made(
        nn.Metric,
        "BinaryAccuracy(name, dtype, threshold)",
        "BinaryCrossentropy(name, dtype, from_logits, label_smoothing)",
        "CategoricalCrossentropy(name, dtype, from_logits, label_smoothing, axis)",
        "CosineSimilarity(name, dtype, axis)",
        "SparseCategoricalCrossentropy(name, dtype, from_logits, ignore_class, axis)",
        "SparseTopKCategoricalAccuracy(k, name, dtype, from_sorted_ids)",
        "TopKCategoricalAccuracy(k, name, dtype)",
        *(f"{name}(name, dtype)" for name in _PLAIN),
        Accuracy={"name": "accuracy"},
        LogCoshError={"name": "logcosh"},
    ),
    **_made(nn.R2Score, "R2Score(class_aggregation, num_regressors, name, dtype)"),
    **_made(counts.Confusion, *(f"{name}(thresholds, name, dtype)" for name in _COUNTS)),
    **_made(
        counts.Confusion,
        *(f"{name}(thresholds, top_k, class_id, name, dtype)" for name in ("Precision", "Recall")),
    ),
    **_made(
        counts.AUC,
        "AUC(num_thresholds, curve, summation_method, name, dtype, thresholds, multi_label, "
        "num_labels, label_weights, from_logits)",
    ),
    **_made(counts.F1Score, "F1Score(average, threshold, name, dtype)"),
    **_made(counts.FBetaScore, "FBetaScore(average, beta, threshold, name, dtype)"),
    **_made(counts.Mean, "Mean(name, dtype)"),
    **_made(counts.Sum, "Sum(name, dtype)"),
}
FUNCTIONS = functions(
    __name__,
    METRICS,
    (
        "binary_accuracy", "categorical_accuracy", "sparse_categorical_accuracy",
        "sparse_top_k_categorical_accuracy", "top_k_categorical_accuracy",
        *(name for name in LOSSES if name != "cosine_similarity"),
    ),
)  # fmt: skip

_rows = {made.origin: made for made in CLASSES.values()}
_short = {alias: _rows[row] for alias, row in ALIASES.items() if row in _rows}
_shelf = Shelf(__name__, "metric", {**FUNCTIONS, **_rows, **_short, **CLASSES})
get, serialize, deserialize = _shelf.get, _shelf.serialize, _shelf.deserialize

globals().update({**CLASSES, **FUNCTIONS})
__all__ = ["Metric", *CLASSES, *FUNCTIONS, "deserialize", "get", "serialize"]
