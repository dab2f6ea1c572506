"""Activations under the names that Keras gives them, of numbers, arrays and Signals.

>>> from tinygrad_edu import keras
>>> keras.activations.relu(-2.0, negative_slope=0.1)
-0.2
>>> keras.activations.tanh([0.0, 0.5]).round(3).tolist()
[0.0, 0.462]
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .. import nn
from ..errors import BadArgument
from ..nn.activations import gelu, relu, threshold
from ..nn.layers import Signal
from .of_arrays import elementwise, function_of, over_lists, signature_of

_ARGUMENTS = {
    "celu": "x, alpha=1.0", "elu": "x, alpha=1.0", "gelu": "x, approximate=False",
    "hard_shrink": "x, threshold=0.5", "leaky_relu": "x, negative_slope=0.2",
    "relu": "x, negative_slope=0.0, max_value=None, threshold=0.0",
    "soft_shrink": "x, threshold=0.5", "squareplus": "x, b=4",
    "threshold": "x, threshold, default_value",
    **dict.fromkeys(nn.VECTOR_ACTIVATIONS, "x, axis=-1"),
}  # fmt: skip
"""The arguments in Keras of those that have more than x."""


def _of_anything(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of a number or, in the table of vectors, of a list, for arrays and Signals too."""
    described, lists = _ARGUMENTS.get(name, "x"), name in nn.VECTOR_ACTIVATIONS
    signature = signature_of(described)
    arrays = function_of(
        name, described, over_lists(function) if lists else elementwise(described, function)
    )

    def activation(x: Any, *args: Any, **settings: Any) -> Any:
        flat = isinstance(x, (list, tuple)) and not any(hasattr(item, "__len__") for item in x)
        plain = flat if lists else not (hasattr(x, "__len__") or isinstance(x, Signal))
        given = signature.bind(x, *args, **settings)
        if not plain or (lists and given.arguments.get("axis", -1) != -1):
            return arrays(*given.args, **given.kwargs)
        given.apply_defaults()
        return function(x) if lists else function(*given.arguments.values())

    activation.__name__ = activation.__qualname__ = name
    activation.__module__ = __name__  # where pickle finds it
    activation.__doc__ = function.__doc__
    activation.__signature__ = signature  # type: ignore[attr-defined]
    row = {**nn.ACTIVATIONS, **nn.VECTOR_ACTIVATIONS}.get(name, function)
    activation.__wrapped__ = row  # type: ignore[attr-defined]  # what layers compute with
    return activation


_ROWS: dict[str, Callable[..., Any]] = {
    **nn.ACTIVATIONS, **nn.VECTOR_ACTIVATIONS, "relu": relu, "gelu": gelu, "threshold": threshold,
}  # fmt: skip
FUNCTIONS = {name: _of_anything(name, row) for name, row in _ROWS.items()}


def get(identifier: Any) -> Callable[..., Any]:
    """The activation of that name; a function is returned as it is, None is linear.

    Raises:
        NameUnknown: with the nearest known name.

    >>> get("relu")([-1.0, 2.0]).tolist()
    [0.0, 2.0]
    """
    if identifier is None or (isinstance(identifier, str) and identifier in FUNCTIONS):
        return FUNCTIONS[identifier or "linear"]
    return nn.activation(identifier)


def serialize(activation: Any) -> str:
    """The name of an activation.

    Raises:
        BadArgument: for a user-defined one, which can't be saved as data.

    >>> serialize(relu)
    'relu'
    """
    for name, function in FUNCTIONS.items():
        if activation in (function, _ROWS[name], getattr(function, "__wrapped__", None)):
            return name
    raise BadArgument(f"A user-defined activation can't be saved. Received: {activation!r}.")


def deserialize(config: Any, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """The activation of that name."""
    known = custom_objects or {}
    if isinstance(config, Mapping) and config.get("class_name") == "function":
        config = config["config"]
    return known[config] if config in known else get(config)


globals().update(FUNCTIONS)
__all__ = [*FUNCTIONS, "deserialize", "get", "serialize"]
