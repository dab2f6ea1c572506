"""Constraints under the names that Keras gives them: ``MaxNorm(3)``, ``NonNeg()``.

>>> from tinygrad_edu import keras
>>> keras.constraints.MaxNorm(max_value=3.0)
MaxNorm(max_value=3.0)
"""

from __future__ import annotations

from ..nn.constraints import Constraint as Engine
from .bases import Constraint
from .lookup import Shelf, classes

CLASSES = classes(
    __name__, Constraint, Engine,
    [
        "MaxNorm(max_value, axis)", "MinMaxNorm(min_value, max_value, rate, axis)", "NonNeg()",
        "UnitNorm(axis)",
    ],
    **{name: {"axis": 0} for name in ("MaxNorm", "MinMaxNorm", "UnitNorm")},
)  # fmt: skip

_rows = {made.origin: made for made in CLASSES.values()}
_shelf = Shelf(__name__, "constraint", {**_rows, **CLASSES})
get, serialize, deserialize = _shelf.get, _shelf.serialize, _shelf.deserialize

globals().update({**CLASSES, **_rows})
__all__ = ["Constraint", *CLASSES, *_rows, "deserialize", "get", "serialize"]
