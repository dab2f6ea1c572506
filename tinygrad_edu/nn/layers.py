"""Layers as in Keras: they learn the shape of their input, then create their weights.

A layer maps the numbers of one sample to numbers: it takes and returns a flat list, and knows the
shape of both. A batch is just several samples. Called with a `Signal` instead of numbers, a layer
records that it comes next: that is how branching models are described.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from math import prod
from operator import index
from random import Random
from typing import TYPE_CHECKING, Any, ClassVar

from ..core import ops
from ..core.modes import scope
from ..core.table import is_real, number
from ..core.value import Number, Value
from ..errors import BadArgument, check_whole
from ..strings import legible
from ..trees import as_array, flatten, sizes
from .activations import ACTIVATIONS, VECTOR_ACTIVATIONS, activation
from .initializers import initializer
from .module import Module
from .neurons import subscript, weighted_sum
from .regularizers import regularizer
from .settings import check_dtype

if TYPE_CHECKING:
    from typing_extensions import Self

Shape = tuple[int, ...]
Sample = list[Number]


class Signal:
    """A connection between two layers of a model, with the shape of one sample there.

    Attributes:
        layer: the layer whose output it is, None for an input of the model.
        inputs: the signals that go into that layer.
        shape: the shape of one sample.

    >>> Input(shape=(2,))
    Signal(shape=(2,), from an input)
    """

    __slots__ = ("inputs", "layer", "name", "shape")

    def __init__(
        self,
        shape: Shape,
        layer: ShapedLayer | None = None,
        inputs: tuple[Signal, ...] = (),
        name: str | None = None,
    ) -> None:
        self.shape, self.layer, self.inputs, self.name = shape, layer, inputs, name

    def __repr__(self) -> str:
        origin = "an input" if self.layer is None else self.layer.name
        return f"Signal(shape={self.shape}, from {origin})"


def Input(
    shape: Sequence[int] | int | None = None,
    batch_size: int | None = None,
    dtype: Any = None,
    name: str | None = None,
    batch_shape: Sequence[int | None] | None = None,
) -> Signal:
    """An input of a model.

    Args:
        shape: the shape of one sample, such as ``(2,)``.
        batch_size: changes nothing: a batch may have any size.
        dtype: see `settings.check_dtype`.
        name: the name of the input.
        batch_shape: the shape of a batch, such as ``(None, 2)``, instead of ``shape``.

    Raises:
        BadArgument: if it is not a shape.
    """
    check_dtype(dtype)
    return Signal(_shape(shape if batch_shape is None else tuple(batch_shape)[1:]), name=name)


def _shape(shape: Any) -> Shape:
    try:
        sizes = tuple(map(index, shape if hasattr(shape, "__iter__") else (shape,)))
    except TypeError:
        sizes = ()
    if not sizes or min(sizes) < 1 or isinstance(shape, (bool, str)):
        raise BadArgument(
            f"A shape must be the sizes of one sample, whole numbers from 1, without the batch: "
            f"(2,) for two numbers. Received: {shape!r}."
        )
    return sizes


def sample_shape(shape: Any) -> Shape:
    """The shape of one sample, of a shape that may begin with None for the batch.

    >>> sample_shape((None, 2)), sample_shape(2)
    ((2,), (2,))
    """
    whole = tuple(shape) if hasattr(shape, "__iter__") else (shape,)
    return _shape(whole[1:] if whole[:1] == (None,) else whole)


class ShapedLayer(Module):
    """The base class of all layers, including user-defined ones: override `forward` and, where they
    apply, `make` and `shape_after`.

    Args:
        name: its name in summaries and pictures; numbered by the model if not given.
        trainable: False freezes its weights.
        input_shape: the shape of one sample, for the first layer of a model; input_dim=n is (n,),
            batch_input_shape=(None, n) too.
        dtype: see `settings.check_dtype`.
        batch_size: changes nothing: a batch may have any size.

    Attributes:
        input_shape, output_shape: the shapes of one sample, None until the layer is built.

    >>> class Double(ShapedLayer):
    ...     def forward(self, x):
    ...         return [2.0 * number for number in x]
    >>> Double()([1.0, 2.0])
    [2.0, 4.0]
    """

    inputs_wanted: ClassVar[int | None] = 1  # None: any number of them

    def __init__(
        self,
        *,
        name: str | None = None,
        trainable: bool = True,
        input_shape: Sequence[int | None] | int | None = None,
        input_dim: int | None = None,
        dtype: Any = None,
        batch_size: int | None = None,
        batch_input_shape: Sequence[int | None] | None = None,
    ) -> None:
        check_dtype(dtype)
        if batch_input_shape is not None:
            input_shape = tuple(batch_input_shape)[1:]
        input_shape = input_dim if input_shape is None else input_shape
        self.given_name = name
        self.name = name or snake(type(self).__name__)
        self.trainable = trainable
        self.given_shape = None if input_shape is None else _shape(input_shape)
        self.input_shape: Shape | None = None
        self.output_shape: Shape | None = None

    @property
    def built(self) -> bool:
        return self.output_shape is not None

    def build(self, *shapes: Shape, random: Random | None = None) -> None:
        """Set the shape of the input, and create the weights; a second call only checks the
        shape."""
        if self.built and self.input_shape not in (shapes[0], None):
            raise BadArgument(
                f"Layer {self.name!r} was built for samples of shape {self.input_shape}. "
                f"Received: {shapes[0]}."
            )
        if not self.built:
            after = self.shape_after(*shapes)
            self.make(shapes[0], random or Random())
            self.input_shape, self.output_shape = shapes[0], after

    def make(self, shape: Shape, random: Random) -> None:
        """Create the weights for samples of this shape; by default there are none."""

    def shape_after(self, *shapes: Shape) -> Shape:
        """The shape of the output; by default that of the input."""
        return shapes[0]

    def weight_shapes(self, *shapes: Shape) -> list[Shape] | None:
        """The shapes of the weights that `make` would create; None if they are not known before.

        Loading a saved model checks this first, so that a file can't make it create weights that
        the file does not contain.
        """
        return None

    def forward(self, x: Sample) -> Sample:
        """The output for one sample."""
        raise NotImplementedError(f"{type(self).__name__} has no forward(self, x).")

    def __call__(self, x: Any) -> Any:
        """The output for one sample of numbers; for Signals, the output Signal."""
        parts = [x] if isinstance(x, Signal) or self.inputs_wanted == 1 else list(x)
        if parts and isinstance(parts[0], Signal):
            if not all(isinstance(part, Signal) for part in parts):
                raise BadArgument(f"{self.name} got Signals and numbers together: {x!r}.")
            shape = self.shape_after(*[part.shape for part in parts])
            return Signal(shape, self, tuple(parts))
        samples = [[p] if isinstance(p, Value) or is_real(p) else list(p) for p in parts]
        if not self.built:
            self.build(*[(len(sample),) for sample in samples])
        if self.input_shape is not None and len(samples[0]) != prod(self.input_shape):
            raise BadArgument(
                f"Layer {self.name!r} takes samples of shape {self.input_shape}. "
                f"Received: {len(samples[0])} numbers."
            )
        return self.forward(*samples)

    def weights(self) -> list[list[Any]]:
        """The Values of the weights, each as nested lists of its Keras shape."""
        return []

    def get_weights(self) -> list[Any]:
        """The numbers of the weights: NumPy arrays if NumPy is installed, else nested lists."""
        return [as_array(_map(lambda value: value.data, weight)) for weight in self.weights()]

    def set_weights(self, weights: Sequence[Any]) -> None:
        """Set all weights to numbers in the shapes that `get_weights` returns.

        Raises:
            BadArgument: if a shape does not match; nothing is changed then.
            NotANumber: if an entry is not a number; nothing is changed then.
        """
        mine = self.weights()
        wanted = list(map(sizes, mine))
        if len(weights) != len(mine) or not all(map(_fits, weights, wanted)):
            raise BadArgument(
                f"The weights of {self.name!r} have the shapes {_listed(wanted)}. "
                f"Received: {_listed(list(map(sizes, weights)))}, or rows of different lengths."
            )
        values = flatten(mine)[0]
        numbers = [number(x) for x in flatten(list(weights))[0]]
        for value, x in zip(values, numbers):
            value.data = x

    def penalties(self) -> list[Value]:
        """The penalty that regularisers add to the loss."""
        return []

    def streams(self) -> list[Random]:
        """The sources of random numbers that it draws from while training."""
        return []

    def config(self) -> dict[str, Any]:
        """The arguments to create this layer again, without its weights, as JSON can store them."""
        shape = self.given_shape
        return {
            "name": self.given_name,
            "trainable": self.trainable,
            "input_shape": None if shape is None else list(shape),
        }

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        """The layer that `config` described, without its weights.

        >>> Dense.from_config(Dense(3, "relu", kernel_regularizer="l2").config()).units
        3
        """
        return cls(**config)

    def __repr__(self) -> str:
        shapes = f"{self.input_shape} → {self.output_shape}"
        return legible(f"<{type(self).__name__} {self.name!r}, {shapes}>")


def _fits(tree: Any, shape: Shape) -> bool:
    """Whether every list in a tree has the length that the shape requires."""
    if not hasattr(tree, "__len__") or isinstance(tree, (str, bytes)):
        return not shape
    return bool(shape) and len(tree) == shape[0] and all(_fits(t, shape[1:]) for t in tree)


def _map(f: Callable[[Any], Any], tree: Any) -> Any:
    return [_map(f, child) for child in tree] if isinstance(tree, list) else f(tree)


def _listed(shapes: Sequence[Shape]) -> str:
    return ", ".join(map(str, shapes)) or "none"


def snake(name: str) -> str:
    """A class name as the name of a layer.

    >>> snake("Dense"), snake("MyLayer")
    ('dense', 'my_layer')
    """
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def parameter(x: float, name: str) -> Value:
    """A number as a weight."""
    return Value(x, name=name, role="parameter")


class Dense(ShapedLayer):
    """``units`` neurons connected to all inputs: activation(x·K + b).

    Args:
        units: the number of neurons.
        activation: a name, a callable on Values, or None for the identity.
        use_bias: whether to add b.
        kernel_initializer, bias_initializer: names or callables, see `nn.initializer`.
        kernel_regularizer, bias_regularizer: names or callables, see `nn.regularizer`.
        **layer: as for `ShapedLayer`.

    Attributes:
        kernel: K as rows, one per input, of one Value per unit.
        bias: b, one Value per unit; empty without bias.

    >>> dense = Dense(2, kernel_initializer="ones")
    >>> [y.data for y in dense([1.0, 2.0, 3.0])]
    [6.0, 6.0]
    """

    def __init__(
        self,
        units: int,
        activation: str | Callable[[Any], Any] | None = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        **layer: Any,
    ) -> None:
        super().__init__(**layer)
        self.units, self.use_bias = check_whole("units", units), bool(use_bias)
        self.activation = Activation(activation)
        self.kernel_initializer = initializer(kernel_initializer)
        self.bias_initializer = initializer(bias_initializer)
        self.kernel_regularizer = regularizer(kernel_regularizer)
        self.bias_regularizer = regularizer(bias_regularizer)
        self.kernel: list[list[Value]] = []
        self.bias: list[Value] = []

    def make(self, shape: Shape, random: Random) -> None:
        drawn = iter(self.kernel_initializer.draw((*shape, self.units), random))
        self.kernel = [
            [parameter(next(drawn), subscript("w", i, shape[0])) for _ in range(self.units)]
            for i in range(1, shape[0] + 1)
        ]
        if self.use_bias:
            self.bias = [
                parameter(x, "b") for x in self.bias_initializer.draw((self.units,), random)
            ]

    def shape_after(self, *shapes: Shape) -> Shape:
        if len(shapes[0]) != 1:
            raise BadArgument(
                f"{self.name} takes samples with one axis. Received: shape {shapes[0]}. Put a "
                f"Flatten layer before it."
            )
        return self.activation.shape_after((self.units,))

    def weight_shapes(self, *shapes: Shape) -> list[Shape]:
        kernel, bias = (*shapes[0], self.units), (self.units,)
        return [kernel, bias] if self.use_bias else [kernel]

    def forward(self, x: Sample) -> Sample:
        sums: Sample = []
        for j in range(self.units):
            with scope(f"neuron {j + 1}"):
                bias = self.bias[j] if self.use_bias else None
                total = weighted_sum([row[j] for row in self.kernel], x, bias)
                sums.append(total if self.activation.by_vector else self.activation.of(total))
        return self.activation.forward(sums) if self.activation.by_vector else sums

    def weights(self) -> list[list[Any]]:
        return [self.kernel, self.bias] if self.use_bias else [self.kernel]

    def config(self) -> dict[str, Any]:
        return {
            **super().config(),
            "units": self.units,
            "activation": self.activation.called(),
            "use_bias": self.use_bias,
            "kernel_initializer": self.kernel_initializer.config(),
            "bias_initializer": self.bias_initializer.config(),
            "kernel_regularizer": self.kernel_regularizer and self.kernel_regularizer.config(),
            "bias_regularizer": self.bias_regularizer and self.bias_regularizer.config(),
        }

    def penalties(self) -> list[Value]:
        pairs = (
            (self.kernel_regularizer, self.kernel),
            (self.bias_regularizer, self.bias),
        )
        return [penalty(values) for penalty, values in pairs if penalty is not None and values]


class Activation(ShapedLayer):
    """Applies a function to every number, such as relu, or to all of them together, such as
    softmax.

    >>> [round(y, 3) for y in Activation("softmax")([1.0, 1.0])]
    [0.5, 0.5]
    """

    def __init__(self, activation: str | Callable[[Any], Any] | None, **layer: Any) -> None:
        super().__init__(**layer)
        self.of = named_activation(activation)
        self.by_vector = self.of in VECTOR_ACTIVATIONS.values()

    def shape_after(self, *shapes: Shape) -> Shape:
        # A function of all numbers may return fewer of them: glu returns half as many.
        return (len(self.of([0.0] * prod(shapes[0]))),) if self.by_vector else shapes[0]

    def called(self) -> str:
        """The name of the function.

        Raises:
            BadArgument: for a user-defined function, which can't be saved as data.
        """
        for name, function in {**ACTIVATIONS, **VECTOR_ACTIVATIONS}.items():
            if function is self.of:
                return name
        raise BadArgument(
            f"A user-defined activation can't be saved as data. Received: {self.of!r}."
        )

    def config(self) -> dict[str, Any]:
        return {**super().config(), "activation": self.called()}

    def forward(self, x: Sample) -> Sample:
        if self.by_vector:
            return list(self.of(x))
        return x if self.of is ops.identity else [self.of(number) for number in x]


named_activation = activation  # parameters have the same name


class Softmax(Activation):
    """exp(xᵢ)/Σ exp(xⱼ): numbers that are positive and sum to 1."""

    def __init__(self, **layer: Any) -> None:
        super().__init__("softmax", **layer)

    def config(self) -> dict[str, Any]:
        return {name: x for name, x in super().config().items() if name != "activation"}


class Dropout(ShapedLayer):
    """During training, sets each number to 0 with probability ``rate`` and multiplies the others by
    1/(1 − rate); otherwise it changes nothing.

    Args:
        rate: from 0 to below 1.
        seed: an int, or a random.Random; the global random state is never used.

    >>> dropout = Dropout(0.5, seed=0).train()
    >>> dropout([1.0, 1.0, 1.0])
    [2.0, 2.0, 0.0]
    >>> dropout.eval()([1.0, 1.0, 1.0])
    [1.0, 1.0, 1.0]
    """

    def __init__(self, rate: float, seed: int | Random | None = None, **layer: Any) -> None:
        super().__init__(**layer)
        self.rate = number(rate)
        if not 0.0 <= self.rate < 1.0:
            raise BadArgument(f"A dropout rate must be from 0 to below 1. Received: {rate!r}.")
        self._seeded = seed is not None
        if not isinstance(seed, Random):
            seed = Random(None if seed is None else index(seed))
        self.random = seed

    def make(self, shape: Shape, random: Random) -> None:
        if not self._seeded:  # then the model sets its own stream
            self.random.seed(random.getrandbits(64))

    def forward(self, x: Sample) -> Sample:
        if not self.training or self.rate == 0.0:
            return x
        scale = 1.0 / (1.0 - self.rate)
        # A row, not an if: in compiled training the random number is an input.
        return [v * (scale * ops.greater_equal(self.random.random(), self.rate)) for v in x]

    def streams(self) -> list[Random]:
        return [self.random]

    def config(self) -> dict[str, Any]:
        return {**super().config(), "rate": self.rate}


class Flatten(ShapedLayer):
    """Turns a sample with several axes into a flat list; the numbers don't change."""

    def shape_after(self, *shapes: Shape) -> Shape:
        return (prod(shapes[0]),)

    def forward(self, x: Sample) -> Sample:
        return x


class Merge(ShapedLayer):
    """Merges several inputs of one shape, element by element: the base class of `Add` and
    others."""

    inputs_wanted = None
    rule: ClassVar[Any]  # a function of the numbers to merge, as a static method

    def shape_after(self, *shapes: Shape) -> Shape:
        if len(shapes) < 2 or len(set(shapes)) > 1:
            raise BadArgument(
                f"{type(self).__name__} takes two or more inputs of one shape. "
                f"Received: {', '.join(map(str, shapes))}."
            )
        return shapes[0]

    def forward(self, *xs: Sample) -> Sample:
        return [type(self).rule(terms) for terms in zip(*xs)]


def _folded(rule: Callable[[Any, Any], Any]) -> Any:
    return staticmethod(lambda terms: reduce(rule, terms))


class Add(Merge):
    """Their sum."""

    rule = staticmethod(ops.sum)


class Average(Merge):
    """Their mean."""

    rule = staticmethod(lambda terms: ops.sum(terms) / len(terms))


class Multiply(Merge):
    """Their product."""

    rule = _folded(lambda a, b: a * b)


class Subtract(Merge):
    """The first minus the second."""

    rule = _folded(lambda a, b: a - b)


class Maximum(Merge):
    """The largest of them."""

    rule = _folded(ops.maximum)


class Minimum(Merge):
    """The smallest of them."""

    rule = _folded(ops.minimum)


class Concatenate(Merge):
    """The numbers of all of them, one input after the other.

    >>> Concatenate()([[1.0], [2.0, 3.0]])
    [1.0, 2.0, 3.0]
    """

    def shape_after(self, *shapes: Shape) -> Shape:
        return (sum(prod(shape) for shape in shapes),)

    def forward(self, *xs: Sample) -> Sample:
        return [number for x in xs for number in x]
