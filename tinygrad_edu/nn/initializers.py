"""Initial weights: rules that draw one number at a time.

A rule is ``rule(fan_in, fan_out, random, **settings) -> float``: the numbers of inputs and
outputs of the layer, and the `random.Random` to draw from. Names and definitions are Keras's;
the global random state is never used.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import sqrt
from random import Random
from typing import Any, ClassVar

from ..core.table import number
from .names import Finite, Named
from .settings import NotNegative

_TRUNCATED = 0.87962566103423978
"""Standard deviation of a standard normal distribution truncated at ±2."""


def zeros(fan_in: int, fan_out: int, random: Random) -> float:
    """Always 0."""
    return 0.0


def ones(fan_in: int, fan_out: int, random: Random) -> float:
    """Always 1."""
    return 1.0


def constant(fan_in: int, fan_out: int, random: Random, value: Finite = 0.0) -> float:
    """Always ``value``."""
    return value


def random_uniform(
    fan_in: int, fan_out: int, random: Random, minval: Finite = -0.05, maxval: Finite = 0.05
) -> float:
    """Uniformly distributed between minval and maxval."""
    return random.uniform(minval, maxval)


def random_normal(
    fan_in: int, fan_out: int, random: Random, mean: Finite = 0.0, stddev: NotNegative = 0.05
) -> float:
    """Normally distributed."""
    return random.gauss(mean, stddev)


def truncated_normal(
    fan_in: int, fan_out: int, random: Random, mean: Finite = 0.0, stddev: NotNegative = 0.05
) -> float:
    """Normally distributed, truncated at mean ± 2·stddev."""
    x = 3.0
    while abs(x) > 2.0:
        x = random.gauss(0.0, 1.0)
    return mean + stddev * x


def _uniform(random: Random, variance: float) -> float:
    limit = sqrt(3.0 * variance)
    return random.uniform(-limit, limit)


def _normal(random: Random, variance: float) -> float:
    # Cutting off the tails reduces the variance, which the correction restores.
    return truncated_normal(1, 1, random, 0.0, sqrt(variance) / _TRUNCATED)


def _scaled(
    draw: Callable[[Random, float], float], scale: float, fan: Callable[[int, int], float]
) -> Callable[[int, int, Random], float]:
    """A rule with variance scale / fan, so that signals neither fade nor grow."""
    return lambda fan_in, fan_out, random: draw(random, scale / max(1.0, fan(fan_in, fan_out)))


INITIALIZERS: dict[str, Callable[..., float]] = {
    **{
        rule.__name__: rule
        for rule in (zeros, ones, constant, random_uniform, random_normal, truncated_normal)
    },
    **{
        f"{author}_{shape}": _scaled(draw, scale, fan)
        for shape, draw in {"uniform": _uniform, "normal": _normal}.items()
        for author, scale, fan in (
            ("glorot", 1.0, lambda fan_in, fan_out: (fan_in + fan_out) / 2.0),
            ("he", 2.0, lambda fan_in, fan_out: fan_in),
            ("lecun", 1.0, lambda fan_in, fan_out: fan_in),
        )
    },
}
"""Every initialiser by Keras's name for it.

With variance v, the uniform ones draw uniformly from ±√(3v), and the normal ones from a normal
distribution truncated at two standard deviations. Glorot: v = 2/(fan_in + fan_out); He: v =
2/fan_in; LeCun: v = 1/fan_in.
"""

ALIASES = {
    "zero": "zeros",
    "one": "ones",
    "uniform": "random_uniform",
    "normal": "random_normal",
}


class Initializer(Named):
    """A rule from `INITIALIZERS` with its settings, or a user-defined one.

    Args:
        function: a name or an alias, or a function ``(fan_in, fan_out, random) -> number``.
        **settings: such as ``stddev=0.1``.

    >>> Initializer("constant", value=0.5)(2, 3, Random(0))
    0.5
    """

    kind: ClassVar[str] = "initializer"
    table = INITIALIZERS
    aliases = ALIASES

    def __call__(self, fan_in: int, fan_out: int, random: Random) -> float:
        """One number.

        Args:
            fan_in: inputs of the layer.
            fan_out: outputs of the layer.
            random: the only source of randomness.
        """
        return number(self.function(fan_in, fan_out, random, **self.settings))


def initializer(
    which: str | Callable[..., Any] | Mapping[str, Any] | Initializer,
) -> Initializer:
    """The initialiser for a name, a function or a dict from ``config()``; an Initializer is
    returned as it is.

    Raises:
        NameUnknown: with the nearest known name.

    >>> initializer("GlorotUniform")
    Initializer('glorot_uniform')
    >>> abs(initializer("glorot_uniform")(1, 5, Random(0))) <= 1.0  # √(6 / (1 + 5))
    True
    """
    if isinstance(which, Mapping):
        return Initializer(**which)
    return which if isinstance(which, Initializer) else Initializer(which)
