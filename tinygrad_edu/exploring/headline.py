"""A compiled model's own account of its graph: the formulas of its loss and of its layers as a
person writes them, and the classes of its samples."""

from __future__ import annotations

from typing import Any, Final

from ..core.table import is_real, number

# The loss of one sample, ŷ its output and y its target; of several outputs, the mean or the sum.
LOSSES: Final = {
    "mean_squared_error": "(ŷ − y)²",
    "mean_absolute_error": "|ŷ − y|",
    "mean_absolute_percentage_error": "100 × |ŷ − y| / |y|",
    "mean_squared_logarithmic_error": "(log(1 + ŷ) − log(1 + y))²",
    "huber": "e² / 2, but δ × (|e| − δ / 2) where |e| > δ, of e = ŷ − y",
    "log_cosh": "log cosh(ŷ − y)",
    "poisson": "ŷ − y × log ŷ",
    "cosine_similarity": "−y · ŷ / (‖y‖ ‖ŷ‖)",
    "hinge": "max(0, 1 − y × ŷ)",
    "squared_hinge": "max(0, 1 − y × ŷ)²",
    "categorical_hinge": "max(0, 1 + the largest wrong ŷ − the right ŷ)",
    "binary_crossentropy": "−(y × log ŷ + (1 − y) × log(1 − ŷ))",
    "categorical_crossentropy": "−Σ y × log ŷ over the classes",
    "sparse_categorical_crossentropy": "−log ŷ of the right class",
    "kl_divergence": "Σ y × log(y / ŷ)",
}
_MEANS: Final = {"sum_over_batch_size": "the mean", "mean_with_sample_weight": "the mean",
                 "sum": "the sum"}  # fmt: skip
_SHORT: Final = {"sigmoid": "σ", "linear": ""}
_PROBABLE: Final = {"binary_crossentropy": "σ(ŷ)"}  # of scores; the others take softmax(ŷ)


def headline(model: Any, count: int) -> str:
    """The formulas of a model's loss over some samples and of its layers; empty if it is neither a
    stack of dense layers nor has a built-in loss.

    >>> from tinygrad_edu import keras
    >>> model = keras.Sequential([keras.layers.Dense(3, "softmax", input_shape=[2])])
    >>> model.compile(loss="sparse_categorical_crossentropy")
    >>> headline(model, 4)
    'loss = the mean over 4 samples of −log ŷ of the right class,  ŷ = softmax(W x + b)'
    """
    loss = model.loss
    formula, mean = LOSSES.get(getattr(loss, "name", "")), getattr(loss, "reduction", "")
    if formula is None or mean not in _MEANS:
        return ""
    if loss.settings.get("from_logits"):
        formula = formula.replace("ŷ", _PROBABLE.get(loss.name, "softmax(ŷ)"))
    configs = [layer.config() for layer in getattr(model, "layers", [])]
    punished = [
        config.get(f"{what}_regularizer") for config in configs for what in ("kernel", "bias")
    ]
    penalties = ", and the penalties of the layers" if any(punished) else ""
    over = f"{_MEANS[mean]} over {count} samples of " if count > 1 else ""
    return ",  ".join([f"loss = {over}{formula}{penalties}", *reversed(_layers(model))])


def _layers(model: Any) -> list[str]:
    """The formula of each dense layer; none if there are others."""
    lines, below = [], "x"
    layers, scalar = getattr(model, "layers", []), len(model.parameters()) == 2
    for place, layer in enumerate(layers, 1):
        if type(layer).__name__ != "Dense":
            return []
        config = layer.config()
        name = "ŷ" if place == len(layers) else "h" + ("′" * (place - 1))
        activation = config.get("activation") or "linear"
        if not isinstance(activation, str):
            return []
        inside = f"w × {below}" if layer.units == 1 and scalar else f"W {below}"
        inside += " + b" if config.get("use_bias", True) else ""
        applied = _SHORT.get(activation, activation)
        lines.append(f"{name} = {applied}({inside})" if applied else f"{name} = {inside}")
        below = name
    return lines


_BETWEEN: Final = {"hinge": 0.0, "squared_hinge": 0.0}  # these classes are −1 and 1


def classification(loss: Any, data: Any, count: int) -> dict[str, Any]:
    """For a loss of classes, the "threshold" of a single output between two of them; and where no
    node of the graph is a target, the "classes" of the samples, by number.

    >>> from tinygrad_edu import keras
    >>> classification(keras.losses.BinaryCrossentropy(from_logits=True), ([[1.0]], [0]), 1)
    {'threshold': 0.0}
    >>> classification(keras.losses.SparseCategoricalCrossentropy(), ([[1.0]] * 2, [0, 2]), 2)
    {'classes': [0, 2]}
    """
    name = getattr(loss, "name", "")
    if name == "binary_crossentropy":
        return {"threshold": 0.0 if loss.settings.get("from_logits") else 0.5}
    if name in _BETWEEN:
        return {"threshold": _BETWEEN[name]}
    if name != "sparse_categorical_crossentropy":
        return {}
    try:
        rows = [row if is_real(row) else row[0] for row in data[1]]
        classes = [int(number(row)) for row in rows]
    except (TypeError, IndexError, KeyError):  # a stream, say, which can be read only once
        return {}
    return {"classes": classes} if len(classes) == count else {}
