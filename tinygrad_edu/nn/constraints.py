"""Constraints on weights, which hold after each step of the optimiser."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any, ClassVar

from ..core import ops
from ..trees import flatten, sizes
from .names import Named, made
from .settings import NotNegative
from .tensors import Tensor, shaped

FUZZ = 1e-7


def _measured(weights: Sequence[Any]) -> tuple[Any, Any]:
    """The unit in which the weights are measured, and their norm in that unit.

    It is 1, or the largest weight if that is larger, so that the norm is always finite.
    """
    unit = reduce(ops.maximum, map(ops.abs, weights), 1.0)
    return unit, ops.norm([w / unit for w in weights])


def max_norm(weights: Sequence[Any], max_value: NotNegative = 2.0) -> list[Any]:
    """Scaled down to at most this norm.

    Args:
        weights: those that go into one unit, a column of the kernel.
        max_value: the largest norm.

    >>> [round(w, 6) for w in max_norm([3.0, 4.0], 1.0)]
    [0.6, 0.8]
    """
    unit, norm = _measured(weights)
    return [w * (ops.clip(norm, 0.0, max_value / unit) / (norm + FUZZ / unit)) for w in weights]


def min_max_norm(
    weights: Sequence[Any],
    min_value: NotNegative = 0.0,
    max_value: NotNegative = 1.0,
    rate: NotNegative = 1.0,
) -> list[Any]:
    """Scaled towards a norm between the two; a rate below 1 goes that part of the way.

    >>> [round(w, 6) for w in min_max_norm([3.0, 4.0], rate=0.5)]
    [1.8, 2.4]
    """
    unit, norm = _measured(weights)
    wanted = rate * ops.clip(norm, min_value / unit, max_value / unit) + (1.0 - rate) * norm
    return [w * (wanted / (norm + FUZZ / unit)) for w in weights]


def non_neg(weights: Sequence[Any]) -> list[Any]:
    """Negative weights become 0.

    >>> non_neg([-1.0, 2.0])
    [0.0, 2.0]
    """
    return [ops.relu(w) for w in weights]


def unit_norm(weights: Sequence[Any]) -> list[Any]:
    """Scaled to the norm 1.

    >>> [round(w, 6) for w in unit_norm([3.0, 4.0])]
    [0.6, 0.8]
    """
    unit, norm = _measured(weights)
    return [w / unit / (FUZZ / unit + norm) for w in weights]


CONSTRAINTS: dict[str, Callable[..., list[Any]]] = {
    f.__name__: f for f in (max_norm, min_max_norm, non_neg, unit_norm)
}
"""Every constraint: ``function(weights, **settings)`` for the weights that go into one unit."""


class Constraint(Named):
    """A constraint from `CONSTRAINTS` with its settings, or a user-defined one.

    Args:
        function: a name; or a function of a whole weight, see `tensors.Tensor`.
        **settings: such as ``max_value=3.0``.

    >>> Constraint("non_neg")([[1.0, -1.0], [-2.0, 3.0]])
    [[1.0, 0.0], [0.0, 3.0]]
    """

    kind: ClassVar[str] = "constraint"
    table = CONSTRAINTS

    def __call__(self, weights: Any) -> Any:
        """The weights as they should be.

        Args:
            weights: numbers in nested lists of their shape, or an array.
        """
        shape, flat = sizes(weights), flatten(weights)[0]
        if not self.built_in:
            flat = flatten(self.function(Tensor(flat, shape), **self.settings))[0]
        else:
            width = shape[-1] if len(shape) > 1 else 1
            for j in range(width):
                flat[j::width] = self.function(flat[j::width], **self.settings)
        return shaped(flat, shape)


def constraint(which: Any) -> Constraint | None:
    """The constraint for a name, a function, a class or a dict from ``config()``; a Constraint is
    returned as it is, and None stays None.

    Raises:
        NameUnknown: with the nearest known name.

    >>> constraint("NonNeg")
    Constraint('non_neg')
    """
    return None if which is None else made(Constraint, which)
