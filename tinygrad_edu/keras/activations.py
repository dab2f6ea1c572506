"""Activations under the names that Keras gives them: ``activations.tanh(0.5)``.

>>> from tinygrad_edu import keras
>>> keras.activations.relu(-2.0, negative_slope=0.1)
-0.2
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .. import nn
from ..errors import BadArgument
from ..nn.activations import gelu, relu, threshold

FUNCTIONS: dict[str, Callable[..., Any]] = {
    **nn.ACTIVATIONS, **nn.VECTOR_ACTIVATIONS, "relu": relu, "gelu": gelu, "threshold": threshold,
}  # fmt: skip

get = nn.activation


def serialize(activation: Any) -> str:
    """The name of an activation.

    Raises:
        BadArgument: for a user-defined one, which can't be saved as data.

    >>> serialize(relu)
    'relu'
    """
    for name, function in {**FUNCTIONS, **nn.ACTIVATIONS}.items():
        if activation is function or activation is FUNCTIONS[name]:
            return name
    raise BadArgument(f"A user-defined activation can't be saved. Received: {activation!r}.")


def deserialize(config: Any, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """The activation of that name."""
    known = custom_objects or {}
    return known[config] if config in known else get(config)


globals().update(FUNCTIONS)
__all__ = [*FUNCTIONS, "deserialize", "get", "serialize"]
