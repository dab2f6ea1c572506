"""Initial weights: rules that draw one number at a time.

A rule is ``rule(fan_in, fan_out, random, **settings) -> float``: the numbers of inputs and
outputs of the layer, and the `random.Random` to draw from. A rule in `SHAPED` needs the place of
the weight, and returns all of them. Names and definitions are Keras's; the global random state is
never used.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from inspect import signature
from math import prod, sqrt
from random import Random
from typing import Annotated, Any, ClassVar, TypeAlias

from ..core.table import number
from ..errors import BadArgument, check_whole
from ..trees import flatten
from .names import Finite, Named, made
from .settings import Choice, NotNegative, Positive

Mode: TypeAlias = Annotated[str, Choice(("fan_in", "fan_out", "fan_avg"))]
Distribution: TypeAlias = Annotated[
    str, Choice(("truncated_normal", "untruncated_normal", "uniform"))
]

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


def variance_scaling(
    fan_in: int,
    fan_out: int,
    random: Random,
    scale: Positive = 1.0,
    mode: Mode = "fan_in",
    distribution: Distribution = "truncated_normal",
) -> float:
    """With variance scale / fan, so that signals neither fade nor grow.

    Args:
        fan_in, fan_out, random: as for every rule.
        scale: above 0.
        mode: which fan: "fan_in", "fan_out", or "fan_avg", their mean.
        distribution: "uniform", "untruncated_normal", or "truncated_normal", which has no tails
            beyond two standard deviations; that reduces the variance, and a correction restores it.
    """
    fan = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2.0}[mode]
    variance = scale / max(1.0, fan)
    if distribution == "uniform":
        return random.uniform(-(limit := sqrt(3.0 * variance)), limit)
    if distribution == "untruncated_normal":
        return random.gauss(0.0, sqrt(variance))
    return truncated_normal(1, 1, random, 0.0, sqrt(variance) / _TRUNCATED)


def _scaled(scale: float, mode: str, distribution: str) -> Callable[[int, int, Random], float]:
    def rule(fan_in: int, fan_out: int, random: Random) -> float:
        return variance_scaling(fan_in, fan_out, random, scale, mode, distribution)

    return rule


INITIALIZERS: dict[str, Callable[..., float]] = {
    **{
        rule.__name__: rule
        for rule in (
            zeros, ones, constant, random_uniform, random_normal, truncated_normal,
            variance_scaling,
        )
    },
    **{
        f"{author}_{shape}": _scaled(scale, mode, distribution)
        for shape, distribution in {"uniform": "uniform", "normal": "truncated_normal"}.items()
        for author, scale, mode in (
            ("glorot", 1.0, "fan_avg"), ("he", 2.0, "fan_in"), ("lecun", 1.0, "fan_in")
        )
    },
}  # fmt: skip
"""Every initialiser by Keras's name for it.

With variance v, the uniform ones draw uniformly from ±√(3v), and the normal ones from a normal
distribution truncated at two standard deviations. Glorot: v = 2/(fan_in + fan_out); He: v =
2/fan_in; LeCun: v = 1/fan_in.
"""


def identity(shape: tuple[int, ...], random: Random, gain: Finite = 1.0) -> list[float]:
    """``gain`` on the diagonal of a matrix, 0 elsewhere.

    Raises:
        BadArgument: for a shape that is not a matrix.
    """
    if len(shape) != 2:
        raise BadArgument(f"identity makes matrices. Received: shape {shape}.")
    return [gain if i == j else 0.0 for i in range(shape[0]) for j in range(shape[1])]


SHAPED: dict[str, Callable[..., list[float]]] = {"identity": identity}
"""Rules that need the shape: ``rule(shape, random, **settings)``, all numbers row by row."""

ALIASES = {
    "zero": "zeros",
    "one": "ones",
    "uniform": "random_uniform",
    "normal": "random_normal",
    "identity_initializer": "identity",
}


class Initializer(Named):
    """A rule from `INITIALIZERS` with its settings, or a user-defined one.

    Args:
        function: a name or an alias; or a function ``(fan_in, fan_out, random) -> number``, or
            ``(shape, dtype) -> array`` as in Keras.
        seed: an int from which it draws the same numbers each time; by default the model's
            random numbers are used.
        name: see `Named`.
        **settings: such as ``stddev=0.1``.

    >>> Initializer("constant", value=0.5)(2, 3, Random(0))
    0.5
    """

    kind: ClassVar[str] = "initializer"
    table: ClassVar[Mapping[str, Callable[..., Any]]] = {**INITIALIZERS, **SHAPED}
    aliases = ALIASES

    def __init__(
        self,
        function: str | Callable[..., Any],
        *,
        seed: int | None = None,
        name: str | None = None,
        **settings: Any,
    ) -> None:
        super().__init__(function, name=name, **settings)
        self.seed = None if seed is None else check_whole("The seed", seed, 0)

    def __call__(self, fan_in: int, fan_out: int, random: Random) -> float:
        """One number.

        Args:
            fan_in: inputs of the layer.
            fan_out: outputs of the layer.
            random: the only source of randomness.
        """
        return number(self.function(fan_in, fan_out, random, **self.settings))

    def draw(self, shape: tuple[int, ...], random: Random) -> list[float]:
        """All numbers of a weight of this shape, row by row.

        >>> Initializer("identity").draw((2, 2), Random(0))
        [1.0, 0.0, 0.0, 1.0]
        """
        source = random if self.seed is None else Random(self.seed)
        if self.row in SHAPED:
            return list(self.function(shape, source, **self.settings))
        if self.built_in or "shape" not in signature(self.function).parameters:
            one = partial(Initializer.__call__, self, shape[0], shape[-1], source)
            return [one() for _ in range(prod(shape))]
        numbers = [number(x) for x in flatten(self.function(shape, dtype="float64"))[0]]
        if len(numbers) != prod(shape):
            raise BadArgument(
                f"{self.name} must return an array of shape {shape}. "
                f"Received: {len(numbers)} numbers."
            )
        return numbers

    def config(self) -> dict[str, Any]:
        """Everything to save; see `Named.config`."""
        seeded = {} if self.seed is None else {"seed": self.seed}
        return {**super().config(), **seeded}


def initializer(
    which: str | Callable[..., Any] | Mapping[str, Any] | Initializer,
) -> Initializer:
    """The initialiser for a name, a function, a class or a dict from ``config()``; an Initializer
    is returned as it is.

    Raises:
        NameUnknown: with the nearest known name.

    >>> initializer("GlorotUniform")
    Initializer('glorot_uniform')
    >>> abs(initializer("glorot_uniform")(1, 5, Random(0))) <= 1.0  # √(6 / (1 + 5))
    True
    """
    return made(Initializer, which)
