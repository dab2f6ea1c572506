"""Initialisers under the names that Keras gives them: ``GlorotUniform()``, ``Constant(0.5)``.

>>> from tinygrad_edu import keras
>>> keras.initializers.Constant(value=0.5)
Constant(value=0.5)
"""

from __future__ import annotations

from .. import nn
from .bases import Initializer
from .lookup import Shelf, classes

_AUTHORS = ("GlorotNormal", "GlorotUniform", "HeNormal", "HeUniform", "LecunNormal", "LecunUniform")

CLASSES = classes(
    __name__, Initializer, nn.Initializer,
    [
        "Constant(value)", "Identity(gain)", "IdentityInitializer(gain)", "Ones()", "Zeros()",
        "RandomNormal(mean, stddev, seed)", "RandomUniform(minval, maxval, seed)",
        "TruncatedNormal(mean, stddev, seed)",
        "VarianceScaling(scale, mode, distribution, seed, input_axes, output_axes)",
        *(f"{name}(seed, input_axes, output_axes)" for name in _AUTHORS),
    ],
)  # fmt: skip

_rows = {made.origin: made for made in reversed(CLASSES.values())}
_short = {alias: _rows[row] for alias, row in nn.initializers.ALIASES.items()}
_shelf = Shelf(__name__, "initializer", {**_rows, **_short, **CLASSES})
get, serialize, deserialize = _shelf.get, _shelf.serialize, _shelf.deserialize

globals().update({**CLASSES, **_rows})
__all__ = ["Initializer", *CLASSES, *_rows, "deserialize", "get", "serialize"]
