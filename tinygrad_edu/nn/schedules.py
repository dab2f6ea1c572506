"""Schedules: learning rates that depend on the step.

A schedule is called with the number of steps already taken (batches, not epochs): 0 for the
first. Names, arguments and formulas are Keras's, computed in float64. Pass one to an optimiser
instead of a number: ``SGD(learning_rate=CosineDecay(0.1, decay_steps=500))``.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from itertools import pairwise
from math import cos, isfinite, log, pi
from typing import Any

from ..core.table import number
from ..errors import BadArgument
from ..ieee import power
from .settings import Flag, FromOne, NotNegative, Positive, Settings, from_config

__all__ = [
    "SCHEDULES", "CosineDecay", "CosineDecayRestarts", "ExponentialDecay", "InverseTimeDecay",
    "PiecewiseConstantDecay", "PolynomialDecay", "Schedule", "schedule_from_config",
]  # fmt: skip


class Schedule(Settings):
    """The base class of all schedules. A new one is a dataclass with a method ``at``:

    >>> @dataclass
    ... class Halving(Schedule):
    ...     initial_learning_rate: NotNegative
    ...     def at(self, step: float) -> float:
    ...         return self.initial_learning_rate / 2.0**step
    >>> Halving(0.1)(2)
    0.025
    """

    def at(self, step: float) -> float:
        """The learning rate after ``step`` steps; each schedule defines its formula here."""
        raise NotImplementedError(f"{type(self).__name__} needs a method at(self, step).")

    def __call__(self, step: int) -> float:
        """The learning rate of the next step, after ``step`` steps.

        Raises:
            BadArgument: if ``step`` is negative or not finite.
        """
        t = number(step)
        if not isfinite(t) or t < 0.0:
            raise BadArgument(
                f"The step of a schedule must be a finite number from 0. Received: {step!r}."
            )
        return self.at(t)


@dataclass
class _Steady(Schedule):
    """The part shared by the two schedules that count time in units of ``decay_steps``."""

    initial_learning_rate: NotNegative
    decay_steps: Positive
    decay_rate: NotNegative
    staircase: Flag = False
    name: str | None = None

    def units(self, step: float) -> float:
        """t / T, rounded down for a staircase."""
        t = step / self.decay_steps
        return t // 1.0 if self.staircase else t


@dataclass
class ExponentialDecay(_Steady):
    """α(t) = α₀ · rate^(t / T): every T steps, α is multiplied by ``rate``.

    Args:
        initial_learning_rate: α₀, from 0.
        decay_steps: T, above 0.
        decay_rate: the factor after T steps, such as 0.5.
        staircase: whether t / T is rounded down, so that α falls in steps.
        name: any name; it has no effect.

    >>> halving = ExponentialDecay(0.1, decay_steps=10, decay_rate=0.5)
    >>> halving(0), halving(10), halving(20)
    (0.1, 0.05, 0.025)
    """

    name: str | None = "ExponentialDecay"

    def at(self, step: float) -> float:
        return self.initial_learning_rate * power(self.decay_rate, self.units(step))


@dataclass
class InverseTimeDecay(_Steady):
    """α(t) = α₀ / (1 + rate · t / T).

    Args:
        initial_learning_rate: α₀, from 0.
        decay_steps: T, above 0.
        decay_rate: from 0; 1 halves α within the first T steps.
        staircase: whether t / T is rounded down.
        name: any name; it has no effect.

    >>> slowing = InverseTimeDecay(0.1, decay_steps=10, decay_rate=1.0)
    >>> slowing(0), slowing(10), slowing(30)
    (0.1, 0.05, 0.025)
    """

    name: str | None = "InverseTimeDecay"

    def at(self, step: float) -> float:
        return self.initial_learning_rate / (1.0 + self.decay_rate * self.units(step))


@dataclass
class PiecewiseConstantDecay(Schedule):
    """α(t) = values[i], where i boundaries are below t.

    At a boundary itself the earlier value still applies.

    Args:
        boundaries: increasing steps.
        values: learning rates from 0, one more than boundaries.
        name: any name; it has no effect.

    Raises:
        BadArgument: if boundaries do not increase or the lengths do not match.

    >>> stairs = PiecewiseConstantDecay([10, 20], [1.0, 0.5, 0.1])
    >>> stairs(10), stairs(11), stairs(99)
    (1.0, 0.5, 0.1)
    """

    boundaries: Any  # a sequence of numbers; kept as a tuple
    values: Any
    name: str | None = "PiecewiseConstant"

    def __post_init__(self) -> None:
        self.boundaries = tuple(map(number, self.boundaries))
        self.values = tuple(map(number, self.values))
        if len(self.values) != len(self.boundaries) + 1:
            raise BadArgument(
                f"PiecewiseConstantDecay needs one more value than boundaries. Received: "
                f"{len(self.boundaries)} boundaries and {len(self.values)} values."
            )
        if not all(a < b for a, b in pairwise(self.boundaries)):
            raise BadArgument(
                f"The boundaries of PiecewiseConstantDecay must be increasing steps. "
                f"Received: {list(self.boundaries)!r}."
            )
        if not all(isfinite(value) and value >= 0.0 for value in self.values):
            raise BadArgument(
                f"The values of PiecewiseConstantDecay must be learning rates, finite numbers "
                f"from 0. Received: {list(self.values)!r}."
            )

    def at(self, step: float) -> float:
        rate: float = self.values[bisect_left(self.boundaries, step)]
        return rate


@dataclass
class PolynomialDecay(Schedule):
    """α(t) = (α₀ − α_T) · (1 − t / T)^power + α_T, and α_T from step T on.

    Args:
        initial_learning_rate: α₀, from 0.
        decay_steps: T, above 0.
        end_learning_rate: α_T, from 0.
        power: 1 is a straight line, 2 falls fast at the start, ½ at the end.
        cycle: instead of staying at α_T, start again somewhat lower each time: T is then
            the next whole multiple of ``decay_steps``.
        name: any name; it has no effect.

    >>> line = PolynomialDecay(0.5, decay_steps=10, end_learning_rate=0.25)
    >>> line(0), line(5), line(10), line(99)
    (0.5, 0.375, 0.25, 0.25)
    """

    initial_learning_rate: NotNegative
    decay_steps: Positive
    end_learning_rate: NotNegative = 0.0001
    power: NotNegative = 1.0
    cycle: Flag = False
    name: str | None = "PolynomialDecay"

    def at(self, step: float) -> float:
        length = self.decay_steps
        if self.cycle:
            length *= max(1.0, -(-step / length // 1.0))  # rounded up
        p = min(step, length) / length
        span = self.initial_learning_rate - self.end_learning_rate
        return float(span * (1.0 - p) ** self.power + self.end_learning_rate)


@dataclass
class CosineDecay(Schedule):
    """α(t) = α₀ · [(1 − a) · ½(1 + cos(π·t / T)) + a], and a·α₀ from step T on.

    Half a period of a cosine: slow, fast, slow. With ``warmup_target`` α first rises linearly from
    α₀ to the target, within ``warmup_steps``, and falls from there.

    Loshchilov & Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts", 2017.

    Args:
        initial_learning_rate: α₀, from 0.
        decay_steps: T, above 0; the warmup does not count.
        alpha: a, the fraction of α₀ (or of the target) that is left at the end.
        name: any name; it has no effect.
        warmup_target: the learning rate at the end of the warmup, or None.
        warmup_steps: how many steps that takes.

    >>> wave = CosineDecay(0.1, decay_steps=100)
    >>> wave(0), round(wave(50), 9), wave(100)
    (0.1, 0.05, 0.0)
    """

    initial_learning_rate: NotNegative
    decay_steps: Positive
    alpha: NotNegative = 0.0
    name: str | None = "CosineDecay"
    warmup_target: NotNegative | None = None
    warmup_steps: NotNegative = 0.0

    def at(self, step: float) -> float:
        start, top = self.initial_learning_rate, self.warmup_target
        if top is not None:
            if step < self.warmup_steps:
                return (top - start) * (step / self.warmup_steps) + start
            start, step = top, step - self.warmup_steps
        p = min(step, self.decay_steps) / self.decay_steps
        return start * ((1.0 - self.alpha) * 0.5 * (1.0 + cos(pi * p)) + self.alpha)


@dataclass
class CosineDecayRestarts(Schedule):
    """Falls like `CosineDecay`, again and again: period i is T·t_mulⁱ steps long and starts at
    α₀·m_mulⁱ.

    With p the fraction of period i that is over: α = α₀ · [(1 − a) · m_mulⁱ · ½(1 + cos(π·p)) + a].
    As in Keras, i is computed by a logarithm: exactly at a restart, rounding may give that of the
    period before.

    Loshchilov & Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts", 2017.

    Args:
        initial_learning_rate: α₀, from 0.
        first_decay_steps: T, above 0.
        t_mul: the ratio of the length of a period to that of the one before; from 1.
        m_mul: the ratio of the initial learning rate of a period to that of the one before.
        alpha: a, the fraction of α₀ that is always left.
        name: any name; it has no effect.

    >>> waves = CosineDecayRestarts(0.1, first_decay_steps=10, m_mul=0.5)
    >>> waves(0), waves(10), waves(30)
    (0.1, 0.05, 0.025)
    """

    initial_learning_rate: NotNegative
    first_decay_steps: Positive
    t_mul: FromOne = 2.0
    m_mul: NotNegative = 1.0
    alpha: NotNegative = 0.0
    name: str | None = "SGDRDecay"

    def at(self, step: float) -> float:
        p = step / self.first_decay_steps  # in first periods
        if self.t_mul == 1.0:
            i = p // 1.0  # a float, which may be infinite or nan
            p -= i
        else:  # i periods last 1 + t + … + tⁱ⁻¹ = (1 − tⁱ) / (1 − t) first periods
            i = log(1.0 - p * (1.0 - self.t_mul)) / log(self.t_mul) // 1.0
            length = power(self.t_mul, i)
            p = (p - (1.0 - length) / (1.0 - self.t_mul)) / length
        wave = 0.5 * power(self.m_mul, i) * (1.0 + cos(pi * p))
        return self.initial_learning_rate * ((1.0 - self.alpha) * wave + self.alpha)


SCHEDULES: dict[str, type[Schedule]] = {
    cls.__name__: cls
    for cls in (
        CosineDecay, CosineDecayRestarts, ExponentialDecay, InverseTimeDecay,
        PiecewiseConstantDecay, PolynomialDecay,
    )
}  # fmt: skip
"""Every schedule by its class name. Add your own here, and `schedule_from_config` finds it."""


def schedule_from_config(config: Any) -> Schedule:
    """The schedule that ``config()`` described.

    Raises:
        BadArgument: if it is not such a dict, or a setting is beyond its limits.
        NameUnknown: if the schedule or a setting is unknown.

    >>> schedule_from_config(ExponentialDecay(0.1, 10, 0.5).config())(10)
    0.05
    """
    return from_config("schedule", SCHEDULES, config)
