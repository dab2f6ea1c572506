"""Optimisers under the names that Keras gives them; their schedules in ``schedules``.

>>> from tinygrad_edu import keras
>>> keras.optimizers.get("adam")
Adam(learning_rate=0.001)
>>> keras.optimizers.serialize(keras.optimizers.SGD(0.5))["config"]["learning_rate"]
0.5
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..nn.names import check_known
from ..nn.optimizers import (
    OPTIMIZERS,
    SGD,
    Adadelta,
    Adagrad,
    Adam,
    Adamax,
    AdamW,
    Ftrl,
    Lion,
    Nadam,
    Optimizer,
    RMSprop,
    optimizer,
)
from . import schedules

__all__ = [
    "SGD", "Adadelta", "Adagrad", "Adam", "AdamW", "Adamax", "Ftrl", "Lion", "Nadam", "Optimizer",
    "RMSprop", "deserialize", "get", "schedules", "serialize",
]  # fmt: skip


def get(identifier: Any) -> Any:
    """The optimiser of that name, class or description; others and None stay.

    Raises:
        NameUnknown: with the nearest known name.
        BadArgument: for anything else.
    """
    if isinstance(identifier, Mapping) and "class_name" in identifier:
        return deserialize(identifier)
    if isinstance(identifier, type) and issubclass(identifier, Optimizer):
        return identifier()
    return None if identifier is None else optimizer(identifier)


def serialize(optimizer: Optimizer) -> dict[str, Any]:
    """An optimiser as data, in Keras's form.

    Raises:
        BadArgument: if its learning rate is a function, which isn't data.
    """
    return {"module": "keras.optimizers", "class_name": type(optimizer).__name__,
            "config": optimizer.get_config(), "registered_name": None}  # fmt: skip


def deserialize(config: Any, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """The optimiser that ``serialize`` described, or that of a name.

    Raises:
        NameUnknown: for an unknown class or setting.
        BadArgument: for a setting that must keep its default.
    """
    if not isinstance(config, Mapping):
        return get(config)
    known = {**OPTIMIZERS, **(custom_objects or {})}
    name = config["class_name"]
    name = name if name in known else str(name).lower()
    check_known("optimizer", name, known)
    return known[name].from_config(config["config"])
