"""Losses under the names that Keras gives them: ``MeanSquaredError()``, ``Huber(delta=2.0)``.

>>> from tinygrad_edu import keras
>>> keras.losses.BinaryCrossentropy(from_logits=True)
BinaryCrossentropy(from_logits=True)
>>> float(keras.losses.mean_squared_error([1.0, 2.0], [1.0, 4.0]))
2.0
"""

from __future__ import annotations

from .. import nn
from ..nn.losses import ALIASES, LOSSES
from .bases import Loss
from .lookup import Shelf, classes, functions

CLASSES = classes(
    __name__, Loss, nn.Loss,
    [
        "BinaryCrossentropy(from_logits, label_smoothing, axis, reduction, name, dtype)",
        "CategoricalCrossentropy(from_logits, label_smoothing, axis, reduction, name, dtype)",
        "SparseCategoricalCrossentropy(from_logits, ignore_class, reduction, axis, name, dtype)",
        "CosineSimilarity(axis, reduction, name, dtype)",
        "Huber(delta, reduction, name, dtype)",
        *(
            f"{name}(reduction, name, dtype)"
            for name in (
                "CategoricalHinge", "Hinge", "KLDivergence", "LogCosh", "MeanAbsoluteError",
                "MeanAbsolutePercentageError", "MeanSquaredError", "MeanSquaredLogarithmicError",
                "Poisson", "SquaredHinge",
            )
        ),
    ],
    Huber={"name": "huber_loss"},
)  # fmt: skip
FUNCTIONS = functions(__name__, LOSSES, LOSSES)

_short = {alias: FUNCTIONS[row] for alias, row in ALIASES.items()}
_shelf = Shelf(__name__, "loss", {**FUNCTIONS, **_short, **CLASSES})
get, serialize, deserialize = _shelf.get, _shelf.serialize, _shelf.deserialize

globals().update({**CLASSES, **FUNCTIONS})
__all__ = ["Loss", *CLASSES, *FUNCTIONS, "deserialize", "get", "serialize"]
