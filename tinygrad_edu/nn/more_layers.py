"""Layers of one idea each: activations with settings, noise, shapes, an embedding."""

from __future__ import annotations

from collections.abc import Sequence
from math import nan, pi, prod
from random import Random
from typing import Any, ClassVar

from ..core import ops
from ..core.table import number
from ..core.value import Value
from ..errors import BadArgument, check_whole
from ..trees import flatten
from .activations import relu
from .constraints import constraint
from .initializers import initializer
from .layers import Noise, Sample, Shape, ShapedLayer, parameter
from .neurons import subscript
from .regularizers import regularizer
from .tensors import shaped
from .variables import Variable


class ReLU(ShapedLayer):
    """`activations.relu` with its settings.

    >>> ReLU(max_value=6.0, negative_slope=0.1)([-1.0, 2.0, 8.0])
    [-0.1, 2.0, 6.0]
    """

    def __init__(
        self,
        max_value: float | None = None,
        negative_slope: float = 0.0,
        threshold: float = 0.0,
        **layer: Any,
    ) -> None:
        super().__init__(**layer)
        self.settings: dict[str, Any] = {
            "max_value": None if max_value is None else number(max_value),
            "negative_slope": number(negative_slope),
            "threshold": number(threshold),
        }
        relu(0.0, **self.settings)  # which checks them

    def forward(self, x: Sample) -> Sample:
        return [relu(value, **self.settings) for value in x]

    def config(self) -> dict[str, Any]:
        return {**super().config(), **self.settings}


class LeakyReLU(ShapedLayer):
    """x above 0, ``negative_slope``·x below.

    >>> LeakyReLU()([-1.0, 2.0])
    [-0.3, 2.0]
    """

    def __init__(self, negative_slope: float = 0.3, **layer: Any) -> None:
        super().__init__(**layer)
        self.negative_slope = number(negative_slope)

    def forward(self, x: Sample) -> Sample:
        return [ops.leaky_relu(value, self.negative_slope) for value in x]

    def config(self) -> dict[str, Any]:
        return {**super().config(), "negative_slope": self.negative_slope}


class ELU(ShapedLayer):
    """x above 0, ``alpha``·(exp(x) − 1) below.

    >>> ELU()([2.0])
    [2.0]
    """

    def __init__(self, alpha: float = 1.0, **layer: Any) -> None:
        super().__init__(**layer)
        self.alpha = number(alpha)

    def forward(self, x: Sample) -> Sample:
        return [ops.elu(value, self.alpha) for value in x]

    def config(self) -> dict[str, Any]:
        return {**super().config(), "alpha": self.alpha}


class PReLU(ShapedLayer):
    """x above 0, αᵢ·x below, with a learned αᵢ for each number.

    >>> [y.data for y in PReLU(alpha_initializer="ones")([-1.0, 2.0])]
    [-1.0, 2.0]
    """

    def __init__(
        self,
        alpha_initializer: Any = "zeros",
        alpha_regularizer: Any = None,
        alpha_constraint: Any = None,
        shared_axes: Any = None,
        **layer: Any,
    ) -> None:
        super().__init__(**layer)
        if shared_axes is not None:
            raise BadArgument(
                f"PReLU has one α for each number. Received: shared_axes={shared_axes!r}."
            )
        self.alpha_initializer = initializer(alpha_initializer)
        self.alpha_regularizer = regularizer(alpha_regularizer)
        self.alpha_constraint = constraint(alpha_constraint)
        self.alpha: list[Any] = []

    def make(self, shape: Shape, random: Random) -> None:
        drawn = self.alpha_initializer.draw(shape, random)
        alpha = [parameter(x, subscript("α", i, len(drawn))) for i, x in enumerate(drawn, 1)]
        self.alpha = Variable(shaped(alpha, shape), "alpha")

    def forward(self, x: Sample) -> Sample:
        return [ops.relu(v) - a * ops.relu(-v) for v, a in zip(x, flatten(self.alpha)[0])]

    def weight_shapes(self, *shapes: Shape) -> list[Shape]:
        return [shapes[0]]

    def weight_values(self) -> list[list[Any]]:
        return [self.alpha] if self.alpha else []

    def config(self) -> dict[str, Any]:
        return {**super().config(), **self._parts()}


class Identity(ShapedLayer):
    """Changes nothing.

    >>> Identity()([1.0])
    [1.0]
    """

    def forward(self, x: Sample) -> Sample:
        return x


class Reshape(ShapedLayer):
    """The same numbers as samples of another shape.

    Args:
        target_shape: the new shape of one sample; one of its sizes may be −1, and follows.

    >>> Reshape((2, -1)).shape_after((6,))
    (2, 3)
    """

    def __init__(self, target_shape: Sequence[int] | int, **layer: Any) -> None:
        super().__init__(**layer)
        sizes = target_shape if hasattr(target_shape, "__iter__") else (target_shape,)
        self.target_shape = tuple(check_whole("A size", size, -1) for size in sizes)

    def shape_after(self, *shapes: Shape) -> Shape:
        count, known = prod(shapes[0]), prod(size for size in self.target_shape if size != -1)
        free = self.target_shape.count(-1)
        if free > 1 or known < 1 or count % known or (not free and count != known):
            raise BadArgument(
                f"Samples of shape {shapes[0]} can't have the shape {self.target_shape}."
            )
        return tuple(count // known if size == -1 else size for size in self.target_shape)

    def forward(self, x: Sample) -> Sample:
        return x

    def config(self) -> dict[str, Any]:
        return {**super().config(), "target_shape": list(self.target_shape)}


class GaussianNoise(Noise):
    """During training, adds normally distributed noise; otherwise it changes nothing.

    Args:
        stddev: the standard deviation of the noise, from 0.
        seed: an int, or a random.Random; the global random state is never used.

    >>> GaussianNoise(1.0, seed=0)([1.0])
    [1.0]
    """

    def __init__(self, stddev: float, seed: int | Random | None = None, **layer: Any) -> None:
        super().__init__(seed, **layer)
        self.stddev = number(stddev)
        if not self.stddev >= 0.0:
            raise BadArgument(f"The stddev must be from 0. Received: {stddev!r}.")

    def forward(self, x: Sample) -> Sample:
        return [v + self.stddev * self._normal() for v in x] if self.training else x

    def _normal(self) -> Any:
        """Box and Muller's: two uniform numbers make a normal one, so that it can be compiled."""
        radius = ops.sqrt(-2.0 * ops.log1p(-self.random.random()))
        return radius * ops.cos(2.0 * pi * self.random.random())

    def config(self) -> dict[str, Any]:
        return {**super().config(), "stddev": self.stddev}


class Embedding(ShapedLayer):
    """A learned vector for each whole number from 0 to below ``input_dim``.

    Any other number gives nan.

    Args:
        input_dim: how many numbers there are.
        output_dim: the length of the vectors.
        embeddings_initializer: see `nn.initializer`.
        embeddings_regularizer: see `nn.regularizer`.
        embeddings_constraint: see `nn.constraint`.

    >>> layer = Embedding(3, 2, "identity")
    >>> [y.data for y in layer([1.0, 0.0])]
    [0.0, 1.0, 1.0, 0.0]
    """

    fixed: ClassVar = {
        "mask_zero": False, "weights": None, "lora_rank": None, "lora_alpha": None,
        "quantization_config": None,
    }  # fmt: skip

    def __init__(
        self,
        input_dim: int,
        output_dim: int,
        embeddings_initializer: Any = "uniform",
        embeddings_regularizer: Any = None,
        embeddings_constraint: Any = None,
        **layer: Any,
    ) -> None:
        super().__init__(**layer)
        self.input_dim = check_whole("input_dim", input_dim)
        self.output_dim = check_whole("output_dim", output_dim)
        self.embeddings_initializer = initializer(embeddings_initializer)
        self.embeddings_regularizer = regularizer(embeddings_regularizer)
        self.embeddings_constraint = constraint(embeddings_constraint)
        self.embeddings: list[list[Value]] = []

    def make(self, shape: Shape, random: Random) -> None:
        drawn = iter(self.embeddings_initializer.draw((self.input_dim, self.output_dim), random))
        rows = [
            [parameter(next(drawn), f"e{i}") for _ in range(self.output_dim)]
            for i in range(self.input_dim)
        ]
        self.embeddings = Variable(rows, "embeddings")

    def shape_after(self, *shapes: Shape) -> Shape:
        return (*shapes[0], self.output_dim)

    def forward(self, x: Sample) -> Sample:
        out: Sample = []
        for index in x:
            for column in zip(*self.embeddings):
                chosen: Any = nan
                for i, value in enumerate(column):
                    chosen = ops.where(ops.equal(index, float(i)), value, chosen)
                out.append(chosen)
        return out

    def weight_shapes(self, *shapes: Shape) -> list[Shape]:
        return [(self.input_dim, self.output_dim)]

    def weight_values(self) -> list[list[Any]]:
        return [self.embeddings]

    def config(self) -> dict[str, Any]:
        return {
            **super().config(),
            "input_dim": self.input_dim,
            "output_dim": self.output_dim,
            **self._parts(),
        }
