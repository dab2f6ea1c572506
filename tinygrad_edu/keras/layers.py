"""Layers under the names that Keras gives them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..nn.layers import (
    Activation,
    Add,
    Apply,
    Average,
    Concatenate,
    Dense,
    Dropout,
    Flatten,
    Input,
    Lambda,
    Maximum,
    Minimum,
    Multiply,
    Softmax,
    Subtract,
)
from ..nn.layers import ShapedLayer as Layer
from ..nn.more_layers import (
    ELU,
    Embedding,
    GaussianNoise,
    Identity,
    LeakyReLU,
    PReLU,
    ReLU,
    Reshape,
)
from ..nn.normalizing import BatchNormalization, LayerNormalization, Normalization, Rescaling

__all__ = [
    "ELU", "Activation", "Add", "Apply", "Average", "BatchNormalization", "Concatenate", "Dense",
    "Dropout", "Embedding", "Flatten", "GaussianNoise", "Identity", "Input", "Lambda", "Layer",
    "LayerNormalization", "LeakyReLU", "Maximum", "Minimum", "Multiply", "Normalization", "PReLU",
    "ReLU", "Rescaling", "Reshape", "Softmax", "Subtract", "add", "average", "concatenate",
    "deserialize", "maximum", "minimum", "multiply", "serialize", "subtract",
]  # fmt: skip


def add(inputs: Any, **layer: Any) -> Any:
    """`Add` of these signals."""
    return Add(**layer)(inputs)


def average(inputs: Any, **layer: Any) -> Any:
    """`Average` of these signals."""
    return Average(**layer)(inputs)


def concatenate(inputs: Any, axis: int = -1, **layer: Any) -> Any:
    """`Concatenate` of these signals."""
    return Concatenate(axis, **layer)(inputs)


def maximum(inputs: Any, **layer: Any) -> Any:
    """`Maximum` of these signals."""
    return Maximum(**layer)(inputs)


def minimum(inputs: Any, **layer: Any) -> Any:
    """`Minimum` of these signals."""
    return Minimum(**layer)(inputs)


def multiply(inputs: Any, **layer: Any) -> Any:
    """`Multiply` of these signals."""
    return Multiply(**layer)(inputs)


def subtract(inputs: Any, **layer: Any) -> Any:
    """`Subtract` of these signals."""
    return Subtract(**layer)(inputs)


FORMS: dict[str, Callable[..., Any]] = {}
"""How a layer is written in Keras's form, and read; `interchange` adds both."""


def serialize(layer: Layer) -> dict[str, Any]:
    """A layer as data, in Keras's form, without its weights.

    Raises:
        SavedModelError: if it holds a function, which isn't data.

    >>> serialize(Dense(2, "relu"))["config"]["units"]
    2
    """
    described: dict[str, Any] = FORMS["written"](layer)
    return described


def deserialize(config: Mapping[str, Any], custom_objects: Mapping[str, Any] | None = None) -> Any:
    """The layer that ``serialize`` described, ours or Keras's, with new weights.

    Raises:
        SavedModelError: for an unknown layer or setting.

    >>> deserialize(serialize(Dense(2, "relu", name="first")))
    <Dense 'first', None → None>
    """
    return FORMS["read"](config, custom_objects or {})
