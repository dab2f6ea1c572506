"""Regularisers under the names that Keras gives them: ``L2(0.01)``.

>>> from tinygrad_edu import keras
>>> keras.regularizers.L2(l2=0.5)
L2(l2=0.5)
"""

from __future__ import annotations

from .. import nn
from .bases import Regularizer
from .lookup import Shelf, classes

CLASSES = classes(
    __name__, Regularizer, nn.Regularizer, ["L1(l1)", "L2(l2)", "L1L2(l1, l2)"],
    L1L2={"l1": 0.0, "l2": 0.0},
)  # fmt: skip

_rows = {made.origin: made for made in CLASSES.values()}
_shelf = Shelf(__name__, "regularizer", {**_rows, **CLASSES})
get, serialize, deserialize = _shelf.get, _shelf.serialize, _shelf.deserialize

globals().update({**CLASSES, **_rows})
__all__ = ["Regularizer", *CLASSES, *_rows, "deserialize", "get", "serialize"]
