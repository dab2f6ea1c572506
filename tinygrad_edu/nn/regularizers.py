"""Penalties on large weights, which are added to the loss."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from ..core import ops
from ..trees import flatten, sizes
from .names import Named, made
from .settings import NotNegative
from .tensors import Tensor


def l1(weights: Sequence[Any], l1: NotNegative = 0.01) -> Any:
    """λ Σ |wᵢ|, which pulls weights to 0 and keeps them there; its slope at 0 is 0.

    >>> l1([1.0, -2.0], 0.5)
    1.5
    """
    return l1 * ops.sum([ops.abs(w) for w in weights])


def l2(weights: Sequence[Any], l2: NotNegative = 0.01) -> Any:
    """λ Σ wᵢ², which pulls a weight more strongly the larger it is.

    >>> l2([1.0, -2.0], 0.5)
    2.5
    """
    return l2 * ops.sum([ops.square(w) for w in weights])


def l1_l2(weights: Sequence[Any], l1: NotNegative = 0.01, l2: NotNegative = 0.01) -> Any:
    """λ₁ Σ |wᵢ| + λ₂ Σ wᵢ², both at once.

    Both λ default to 0.01, as Keras documents for the name "l1_l2"; in Keras's code they default to
    0, and nothing is penalised.

    >>> l1_l2([1.0, -2.0], 0.5, 0.5)
    4.0
    """
    return REGULARIZERS["l1"](weights, l1) + REGULARIZERS["l2"](weights, l2)


REGULARIZERS: dict[str, Callable[..., Any]] = {"l1": l1, "l2": l2, "l1_l2": l1_l2}
"""Every penalty: ``function(weights, **settings)``."""


class Regularizer(Named):
    """A penalty from `REGULARIZERS` with its settings, or a user-defined one.

    Args:
        function: a name, or a function of a list of Values; see `tensors.Tensor`.
        name: see `Named`.
        **settings: the factors λ, from 0: ``l1``, ``l2``.

    >>> Regularizer("l2", l2=0.1)([1.0, 2.0])
    0.5
    """

    kind: ClassVar[str] = "regularizer"
    table = REGULARIZERS
    aliases: ClassVar[dict[str, str]] = {"l1l2": "l1_l2"}

    def __call__(self, weights: Any) -> Any:
        """The penalty, a number or Value.

        Args:
            weights: numbers or Values, in nested lists of their shape.
        """
        numbers, shape = flatten(weights)[0], sizes(weights)
        if self.built_in:
            return self.function(numbers, **self.settings)
        (penalty,) = flatten(self.function(Tensor(numbers, shape), **self.settings))[0]
        return penalty


def regularizer(
    which: str | Callable[..., Any] | Mapping[str, Any] | Regularizer | None,
) -> Regularizer | None:
    """The regulariser for a name, a function, a class or a dict from ``config()``; a Regularizer is
    returned as it is.

    None stays None: no penalty.

    Raises:
        NameUnknown: with the nearest known name.

    >>> regularizer("L2")
    Regularizer('l2')
    """
    return None if which is None else made(Regularizer, which)
