"""Activations by name: functions of one number, which are rows of the table, or of a list."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from itertools import accumulate
from math import inf, nan
from typing import Any

from ..core import ops
from ..core.table import number
from ..core.value import plain
from ..errors import BadArgument
from .names import check_known

# ── Functions of one number that Keras has with more arguments than a row ──────────────────


def relu(
    x: Any, negative_slope: float = 0.0, max_value: float | None = None, threshold: float = 0.0
) -> Any:
    """x above the threshold, negative_slope·(x − threshold) up to it, and at most max_value.

    This is Keras's relu. With its defaults it is the row of that name; without a threshold it has
    that row's subgradients of minimum norm, and a slope of 0 at max_value.

    Args:
        x: a number or Value.
        negative_slope: slope up to the threshold, from 0.
        max_value: the largest result, from 0; None for no bound.
        threshold: above it, the result is x; from 0.

    Raises:
        BadArgument: if one of the three is negative or nan.

    >>> [relu(x, negative_slope=0.1, max_value=6.0, threshold=1.0) for x in (-1.0, 2.0, 8.0)]
    [-0.2, 2.0, 6.0]
    """
    for name, setting in (
        ("negative_slope", negative_slope),
        ("max_value", 0.0 if max_value is None else max_value),
        ("threshold", threshold),
    ):
        if not number(setting) >= 0.0:
            raise BadArgument(f"{name} of relu must be a number from 0. Received: {setting!r}.")
    if not threshold:
        out = ops.leaky_relu(x, negative_slope) if negative_slope else ops.relu(x)
    else:  # a slope of 0 must not be a factor: −∞ · 0 would be nan
        below = negative_slope * (x - threshold) if negative_slope else ops.unless_nan(0.0, x)
        out = ops.where(ops.greater(x, threshold), x, below)
    return out if max_value is None else ops.clip(out, -inf, max_value)


def gelu(x: Any, approximate: bool = False) -> Any:
    """x·Φ(x), with Φ the normal distribution function; ``approximate`` uses tanh.

    >>> round(gelu(1.0), 6), round(gelu(1.0, approximate=True), 6)
    (0.841345, 0.841192)
    """
    return ops.gelu_tanh(x) if approximate else ops.gelu(x)


def threshold(x: Any, threshold: float, default_value: float) -> Any:
    """x above the threshold, default_value up to it.

    >>> threshold(2.0, 1.0, -5.0), threshold(1.0, 1.0, -5.0)
    (2.0, -5.0)
    """
    return ops.where(ops.greater(x, threshold), x, ops.unless_nan(default_value, x))


def sparse_plus(x: Any) -> Any:
    """0 up to −1, (x + 1)²/4 up to 1, then x: a softplus that is exactly straight at both ends.

    >>> sparse_plus(-1.0), sparse_plus(0.0), sparse_plus(3.0)
    (0.0, 0.25, 3.0)
    """
    within = ops.clip(x, -1.0, 1.0)  # so that the branch not taken stays finite
    return ops.where(ops.less(x, 1.0), 0.25 * ops.square(within + 1.0), x)


def sparse_sigmoid(x: Any) -> Any:
    """0 up to −1, (x + 1)/2 up to 1, then 1: the derivative of `sparse_plus`.

    >>> sparse_sigmoid(-2.0), sparse_sigmoid(0.0), sparse_sigmoid(3.0)
    (0.0, 0.5, 1.0)
    """
    return 0.5 * (ops.hard_tanh(x) + 1.0)


# ── Functions of a list ────────────────────────────────────────────────────────────────────


def log_odds(xs: Sequence[Any]) -> list[Any]:
    """The lead of each score over all the others together: xᵢ − log Σ_{j≠i} exp(xⱼ).

    These are the numbers whose sigmoids are the softmax: pᵢ/(1 − pᵢ) = exp(xᵢ)/Σ_{j≠i} exp(xⱼ).
    This detour preserves the 1 − pᵢ of a nearly certain class, which exp(xᵢ − logsumexp(x)) would
    round away, in the value and in every derivative.

    >>> log_odds([3.0, 1.0])
    [2.0, -2.0]
    """
    if len(xs) < 2:
        return [x + inf for x in xs]  # a single class is certain
    # Adding a number to every score changes nothing, so the shift needs no derivative.
    top = ops.stop_gradient(reduce(ops.maximum, xs))
    scores = [x - top for x in xs]
    before: list[Any] = list(accumulate(scores[:-1], ops.logaddexp))
    after: list[Any] = list(accumulate(scores[:0:-1], ops.logaddexp))[::-1]
    others = [after[0], *map(ops.logaddexp, before, after[1:]), before[-1]]
    return [score - rest for score, rest in zip(scores, others)]


def softmax(xs: Sequence[Any]) -> list[Any]:
    """exp(xᵢ) / Σⱼ exp(xⱼ): turns scores into probabilities that add up to 1.

    Args:
        xs: numbers or Values.

    >>> softmax([0.0, 0.0])
    [0.5, 0.5]
    """
    return list(map(ops.sigmoid, log_odds(xs)))


def log_softmax(xs: Sequence[Any]) -> list[Any]:
    """xᵢ − log Σⱼ exp(xⱼ): the logarithm of `softmax`, accurate even where that is near 0 or 1.

    >>> log_softmax([800.0, -800.0])
    [-0.0, -1600.0]
    """
    return list(map(ops.log_sigmoid, log_odds(xs)))


def glu(xs: Sequence[Any]) -> list[Any]:
    """aᵢ·σ(bᵢ), with a the first half of the numbers and b the second.

    Raises:
        BadArgument: if their number is odd.

    >>> glu([3.0, 5.0, 0.0, 0.0])
    [1.5, 2.5]
    """
    half, odd = divmod(len(xs), 2)
    if odd:
        raise BadArgument(f"glu takes an even number of numbers. Received: {len(xs)}.")
    return [a * ops.sigmoid(b) for a, b in zip(xs[:half], xs[half:])]


def sparsemax(xs: Sequence[Any]) -> list[Any]:
    """The point of the simplex nearest to x: max(xᵢ − τ, 0), with τ such that they sum to 1.

    Unlike softmax it gives exact zeros. Sorting the numbers decides which ones stay above τ, so a
    recorded graph holds for one such choice. (Martins & Astudillo, "From softmax to sparsemax",
    2016.)

    >>> sparsemax([1.0, 0.5, -1.0])
    [0.75, 0.25, 0.0]
    """
    falling = sorted(xs, key=plain, reverse=True)
    above, total = 0, 0.0
    for k, x in enumerate(map(plain, falling), 1):
        total += x
        if 1.0 + k * x > total:
            above = k
    tau = (ops.sum(falling[:above]) - 1.0) / above if above else nan  # above is 0 for nan alone
    return [ops.relu(x - tau) for x in xs]


# ── By name ────────────────────────────────────────────────────────────────────────────────

ACTIVATIONS: dict[str, Callable[[Any], Any]] = {
    "linear": ops.identity,
    "exponential": ops.exp,
    **{
        row.name: row
        for row in (
            ops.celu, ops.elu, ops.gelu, ops.gelu_tanh, ops.hard_shrink, ops.hard_sigmoid,
            ops.hard_silu, ops.hard_tanh, ops.leaky_relu, ops.log_sigmoid, ops.mish, ops.relu,
            ops.relu6, ops.selu, ops.sigmoid, ops.silu, ops.soft_shrink, ops.softplus,
            ops.softsign, ops.squareplus, ops.tanh, ops.tanh_shrink,
        )
    },
    "sparse_plus": sparse_plus,
    "sparse_sigmoid": sparse_sigmoid,
    "swish": ops.silu,
    "hard_swish": ops.hard_silu,
}  # fmt: skip
"""Every activation of one number, by name."""

VECTOR_ACTIVATIONS: dict[str, Callable[[Sequence[Any]], list[Any]]] = {
    "softmax": softmax,
    "log_softmax": log_softmax,
    "glu": glu,
    "sparsemax": sparsemax,
}
"""Every activation that takes all outputs of a layer at once and returns a list."""


def activation(name: str | Callable[[Any], Any] | None) -> Callable[[Any], Any]:
    """The activation of that name; a callable is returned as it is, None is linear.

    It takes one number or Value, or if it is in `VECTOR_ACTIVATIONS` a list of them.

    Raises:
        NameUnknown: with the nearest known name.

    >>> activation("tanh")
    <op tanh(x)>
    >>> activation("softmax")([1.0, 1.0])
    [0.5, 0.5]
    """
    if name is None:
        return ACTIVATIONS["linear"]
    activations = {**ACTIVATIONS, **VECTOR_ACTIVATIONS}
    if callable(name):
        row = getattr(name, "__wrapped__", name)  # of one that takes arrays, too
        return row if row in activations.values() else name
    check_known("activation", name, activations)
    return activations[name]
