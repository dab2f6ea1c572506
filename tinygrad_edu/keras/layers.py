"""Layers under the names that Keras gives them."""

from __future__ import annotations

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
    "maximum", "minimum", "multiply", "subtract",
]  # fmt: skip


def add(inputs: Any, **layer: Any) -> Any:
    """`Add` of these signals."""
    return Add(**layer)(inputs)


def average(inputs: Any, **layer: Any) -> Any:
    """`Average` of these signals."""
    return Average(**layer)(inputs)


def concatenate(inputs: Any, **layer: Any) -> Any:
    """`Concatenate` of these signals."""
    return Concatenate(**layer)(inputs)


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
