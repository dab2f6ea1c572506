"""Layers that bring numbers to a common scale."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from random import Random
from reprlib import repr as brief
from typing import Any, ClassVar

from ..core import ops
from ..core.table import number
from ..core.value import Value, plain
from ..errors import BadArgument
from ..trees import flatten
from .constraints import constraint
from .initializers import initializer
from .layers import Sample, Shape, ShapedLayer, last_axis, parameter
from .regularizers import regularizer
from .variables import Variable


class Rescaling(ShapedLayer):
    """Multiplies each number by ``scale`` and adds ``offset``.

    >>> Rescaling(2.0, offset=1.0)([3.0])
    [7.0]
    """

    def __init__(self, scale: float, offset: float = 0.0, **layer: Any) -> None:
        super().__init__(**layer)
        self.scale, self.offset = number(scale), number(offset)

    def forward(self, x: Sample) -> Sample:
        return [self.scale * value + self.offset for value in x]

    def config(self) -> dict[str, Any]:
        return {**super().config(), "scale": self.scale, "offset": self.offset}


class Normalization(ShapedLayer):
    """(x − mean) / √variance, each feature with its own, which `adapt` takes from data.

    Args:
        axis: must be −1: the features are along the last axis.
        mean, variance: one number each, or one per feature; then there is nothing to adapt.
        invert: whether to undo it instead: x·√variance + mean.

    >>> layer = Normalization()
    >>> layer.adapt([[1.0], [3.0]])
    >>> [y.data for y in layer([3.0])]
    [1.0]
    """

    def __init__(
        self,
        axis: int = -1,
        mean: Any = None,
        variance: Any = None,
        invert: bool = False,
        **layer: Any,
    ) -> None:
        super().__init__(**layer)
        last_axis(self, axis)
        if (mean is None) is not (variance is None):
            raise BadArgument(
                f"Normalization needs both mean and variance, or neither. Received: {mean!r} and "
                f"{variance!r}."
            )
        self.invert = bool(invert)
        self.given = None if mean is None else [_floats(mean), _floats(variance)]
        self.mean: list[Value] = []
        self.variance: list[Value] = []
        self.count: list[Value] = []

    def make(self, shape: Shape, random: Random) -> None:
        if self.given is None and not self.mean:
            self._set([0.0] * shape[-1], [1.0] * shape[-1])

    def _set(self, means: Sequence[float], variances: Sequence[float]) -> None:
        self.mean, self.variance = constants(means, "mean"), constants(variances, "variance")
        self.count = Variable([Value(0.0, "count", "constant")], "count", False, ())

    def adapt(self, data: Any) -> None:
        """Take the mean and the variance of each feature from these samples.

        Raises:
            BadArgument: for no samples, or a variance that is not finite.
        """
        if self.given is not None:
            raise BadArgument("This Normalization was given a mean and a variance.")
        rows = [_floats(row) for row in data]
        columns = list(zip(*rows))
        if not columns:
            raise BadArgument(f"Normalization adapts to samples. Received: {brief(data)}.")
        moments = [_moments(column) for column in columns]
        for i, (_, variance) in enumerate(moments):
            if not isfinite(variance):
                raise BadArgument(
                    f"The variance of feature {i} is too large for a double, or its numbers are "
                    f"not finite. Received: {brief(columns[i])}. Scale the data first."
                )
        self._set(*map(list, zip(*moments)))

    def forward(self, x: Sample) -> Sample:
        known: Any = self.given or (self.mean, self.variance)
        (means, variances), out = known, list[Any]()
        for i, value in enumerate(x):
            mean, spread = means[i % len(means)], variances[i % len(variances)]
            scale = ops.maximum(ops.sqrt(spread), 1e-7)
            out.append(value * scale + mean if self.invert else (value - mean) / scale)
        return out

    def weight_values(self) -> list[list[Any]]:
        return [] if self.given else [self.mean, self.variance, self.count]

    def config(self) -> dict[str, Any]:
        mean, variance = self.given or (None, None)
        return {**super().config(), "mean": mean, "variance": variance, "invert": self.invert}


def constants(numbers: Sequence[float], name: str) -> Variable:
    """Numbers of a layer that training does not change by gradients."""
    return Variable([Value(x, name, "constant") for x in numbers], name, False)


def _floats(x: Any) -> list[float]:
    return [number(leaf) for leaf in flatten(x)[0]]


class _Normalizing(ShapedLayer):
    """The base of the layers with a learned scale γ and centre β for each feature."""

    def __init__(
        self,
        axis: int = -1,
        epsilon: float = 0.001,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        beta_constraint: Any = None,
        gamma_constraint: Any = None,
        **layer: Any,
    ) -> None:
        super().__init__(**layer)
        last_axis(self, axis)
        self.epsilon, self.center, self.scale = number(epsilon), bool(center), bool(scale)
        self.beta_initializer = initializer(beta_initializer)
        self.gamma_initializer = initializer(gamma_initializer)
        self.beta_regularizer = regularizer(beta_regularizer)
        self.gamma_regularizer = regularizer(gamma_regularizer)
        self.beta_constraint = constraint(beta_constraint)
        self.gamma_constraint = constraint(gamma_constraint)
        self.gamma: list[Value] = []
        self.beta: list[Value] = []

    def make(self, shape: Shape, random: Random) -> None:
        size = shape[-1:]
        if self.scale:
            drawn = self.gamma_initializer.draw(size, random)
            self.gamma = Variable([parameter(x, "γ") for x in drawn], "gamma")
        if self.center:
            drawn = self.beta_initializer.draw(size, random)
            self.beta = Variable([parameter(x, "β") for x in drawn], "beta")

    def _scaled(self, x: Any, mean: Any, variance: Any, j: int) -> Any:
        """Number j of the last axis, normalised."""
        gain = ops.pow(variance + self.epsilon, -0.5)
        if self.scale:
            gain = gain * self.gamma[j]
        shifted = (x - mean) * gain
        return shifted + self.beta[j] if self.center else shifted

    def weight_shapes(self, *shapes: Shape) -> list[Shape]:
        return [shapes[0][-1:]] * (self.scale + self.center)

    def weight_values(self) -> list[list[Any]]:
        return [weight for weight in (self.gamma, self.beta) if weight]

    def config(self) -> dict[str, Any]:
        return {
            **super().config(),
            "epsilon": self.epsilon,
            "center": self.center,
            "scale": self.scale,
            **self._parts(),
        }


class LayerNormalization(_Normalizing):
    """γ·(x − mean) / √(variance + ε) + β, with the mean and variance of each sample.

    Args:
        axis: must be −1.
        epsilon: ε.
        center: whether there is a β.
        scale: whether there is a γ.
        **more: initializers, regularizers and constraints of both, as in Keras.

    >>> layer = LayerNormalization(epsilon=0.0)
    >>> [y.data for y in layer([1.0, 3.0])]
    [-1.0, 1.0]
    """

    def forward(self, x: Sample) -> Sample:
        size, out = self._size(x), []
        for start in range(0, len(x), size):
            part = x[start : start + size]
            mean, variance = _moments(part)
            out += [self._scaled(value, mean, variance, j) for j, value in enumerate(part)]
        return out

    def _size(self, x: Sample) -> int:
        return self.input_shape[-1] if self.input_shape else len(x)


def _moments(xs: Sequence[Any]) -> tuple[Any, Any]:
    """Their mean and their variance; nan if their squares overflow, where ∞ would make zeros of
    all of them."""
    mean = ops.sum(xs) / len(xs)
    variance = ops.sum([ops.square(x - mean) for x in xs]) / len(xs)
    return mean, variance + 0.0 * variance


class BatchNormalization(_Normalizing):
    """γ·(x − mean) / √(variance + ε) + β for each feature. In training the mean and variance are
    those of the batch, otherwise moving averages of these.

    It is the one layer whose output for a sample depends on the other samples of the batch, so in
    training it gets them all: see `ShapedLayer.forward_batch`.

    Args:
        axis: must be −1.
        momentum: the share of the moving averages that a batch leaves as it was.
        epsilon: ε.
        center: whether there is a β.
        scale: whether there is a γ.
        moving_mean_initializer, moving_variance_initializer: see `nn.initializer`.
        **more: initializers, regularizers and constraints of γ and β, as in Keras.

    >>> layer = BatchNormalization(epsilon=0.0, momentum=0.5)
    >>> layer.prepare((1,))
    >>> [[y.data for y in row] for row in layer.train().forward_batch([[1.0], [3.0]])]
    [[-1.0], [1.0]]
    >>> layer.moving_mean[0].data
    1.0
    """

    of_batch = True
    fixed: ClassVar = {
        "renorm": False, "renorm_clipping": None, "renorm_momentum": 0.99, "synchronized": False,
    }  # fmt: skip

    def __init__(
        self,
        axis: int = -1,
        momentum: float = 0.99,
        epsilon: float = 0.001,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        moving_mean_initializer: Any = "zeros",
        moving_variance_initializer: Any = "ones",
        **more: Any,
    ) -> None:
        super().__init__(axis, epsilon, center, scale, beta_initializer, gamma_initializer, **more)
        self.momentum = number(momentum)
        self.moving_mean_initializer = initializer(moving_mean_initializer)
        self.moving_variance_initializer = initializer(moving_variance_initializer)
        self.moving_mean: list[Value] = []
        self.moving_variance: list[Value] = []

    def make(self, shape: Shape, random: Random) -> None:
        super().make(shape, random)
        means = self.moving_mean_initializer.draw(shape[-1:], random)
        variances = self.moving_variance_initializer.draw(shape[-1:], random)
        self.moving_mean = constants(means, "moving_mean")
        self.moving_variance = constants(variances, "moving_variance")

    def forward(self, x: Sample) -> Sample:
        size = len(self.moving_mean)
        return [
            self._scaled(
                value, self.moving_mean[i % size], self.moving_variance[i % size], i % size
            )
            for i, value in enumerate(x)
        ]

    def forward_batch(self, xs: list[Sample]) -> list[Sample]:
        if not self.training or not self.trainable:
            return super().forward_batch(xs)
        size = len(self.moving_mean)
        moments = [_moments([v for x in xs for v in x[j::size]]) for j in range(size)]
        keep = self.momentum
        for moving, at in ((self.moving_mean, 0), (self.moving_variance, 1)):
            for value, both in zip(moving, moments):
                value.data = keep * value.data + (1.0 - keep) * plain(both[at])
        return [
            [self._scaled(v, *moments[i % size], i % size) for i, v in enumerate(x)] for x in xs
        ]

    def weight_shapes(self, *shapes: Shape) -> list[Shape]:
        return [*super().weight_shapes(*shapes), shapes[0][-1:], shapes[0][-1:]]

    def weight_values(self) -> list[list[Any]]:
        return [*super().weight_values(), self.moving_mean, self.moving_variance]

    def config(self) -> dict[str, Any]:
        return {**super().config(), "momentum": self.momentum}
