"""Layers as in Keras: they learn the shape of their input, then create their weights.

A layer maps the numbers of one sample to numbers: it takes and returns a flat list, and knows the
shape of both. A batch is just several samples. Called with a `Signal` instead of numbers, a layer
records that it comes next: that is how branching models are described.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import reduce, wraps
from inspect import signature
from math import prod
from operator import index
from random import Random
from typing import TYPE_CHECKING, Any, ClassVar

from ..arrays import UFUNCS
from ..core import ops
from ..core.modes import no_grad, scope
from ..core.table import TABLE, is_real, number
from ..core.value import Number, Value
from ..errors import BadArgument, check_name, check_whole, unknown_name
from ..strings import legible
from ..trees import as_array, flatten, sizes
from .activations import ACTIVATIONS, VECTOR_ACTIVATIONS, activation
from .constraints import constraint as constraint_for
from .initializers import initializer
from .module import Module, set_numbers
from .neurons import subscript, weighted_sum
from .regularizers import regularizer
from .seeding import fresh
from .settings import check_dtype
from .tensors import Tensor
from .variables import Variable, variable

if TYPE_CHECKING:
    from typing_extensions import Self

Shape = tuple[int, ...]
Sample = list[Number]


class Signal:
    """A connection between two layers of a model, with the shape of one sample there.

    Arithmetic with signals and numbers, and NumPy's ufuncs, make layers: ``h + x`` is a skip
    connection.

    Attributes:
        layer: the layer whose output it is, None for an input of the model.
        inputs: the signals that go into that layer.
        shape: the shape of one sample.

    >>> Input(shape=(2,))
    Signal(shape=(2,), from an input)
    >>> 2.0 * Input(shape=(2,)) + 1.0
    Signal(shape=(2,), from add)
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

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **_: Any) -> Signal:
        row = UFUNCS.get(ufunc.__name__)
        if row is None or method != "__call__":
            raise BadArgument(f"A Signal has no {ufunc.__name__}. Use a Lambda layer.")
        return apply(getattr(row, "name", ufunc.__name__), *inputs)

    def __repr__(self) -> str:
        origin = "an input" if self.layer is None else self.layer.name
        return f"Signal(shape={self.shape}, from {origin})"


def Input(
    shape: Sequence[int] | int | None = None,
    batch_size: int | None = None,
    dtype: Any = None,
    sparse: bool | None = None,
    ragged: bool | None = None,
    batch_shape: Sequence[int | None] | None = None,
    name: str | None = None,
    tensor: Any = None,
    optional: bool = False,
) -> Signal:
    """An input of a model.

    Args:
        shape: the shape of one sample, such as ``(2,)``.
        batch_size: changes nothing: a batch may have any size.
        dtype: see `settings.check_dtype`.
        batch_shape: the shape of a batch, such as ``(None, 2)``, instead of ``shape``.
        name: the name of the input.
        sparse, ragged, tensor, optional: as in Keras, but they keep their defaults.

    Raises:
        BadArgument: if it is not a shape, or for another value of the last four.
    """
    check_dtype(dtype)
    for setting, x in (("sparse", sparse), ("ragged", ragged), ("tensor", tensor),
                       ("optional", optional)):  # fmt: skip
        if x is not None and x is not False:
            raise BadArgument(f"An input is a dense array. Received: {setting}={x!r}.")
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


def _first_values(weights: Iterable[Variable]) -> set[int]:
    """The ids of the first Value of each, which no other has."""
    return {id(flatten(list(weight))[0][0]) for weight in weights}


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
        activity_regularizer: a penalty on the outputs, see `nn.regularizer`.
        **fixed: settings of Keras that keep their default here, see `fixed`.

    Raises:
        NameUnknown: for a setting that doesn't exist.
        BadArgument: for another value of a fixed setting, or a wrong shape.

    Attributes:
        input_shape, output_shape: the shapes of one sample, None until the layer is built.

    >>> class Double(ShapedLayer):
    ...     def forward(self, x):
    ...         return [2.0 * number for number in x]
    >>> Double()([1.0, 2.0])
    [2.0, 4.0]
    """

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        build = vars(cls).get("build")
        if build is not None:  # whoever calls it, the weights are made once
            cls.build = _making(build)  # type: ignore[method-assign, assignment]

    inputs_wanted: ClassVar[int | None] = 1  # None: any number of them
    of_batch: ClassVar[bool] = False  # whether, in training, all samples matter to each output
    fixed: ClassVar[dict[str, Any]] = {"autocast": True}
    """Settings of Keras's layer that must keep their default."""

    added: list[Variable]
    _first_random: Random | None = None  # of the first numbers of its weights
    _call: Signal | None = None  # its first output in a model
    _building = _made = False  # whether `build` runs, and whether it has made the weights

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
        activity_regularizer: Any = None,
        **fixed: Any,
    ) -> None:
        check_dtype(dtype)
        self._check_fixed(fixed)
        if batch_input_shape is not None:
            input_shape = tuple(batch_input_shape)[1:]
        input_shape = input_dim if input_shape is None else input_shape
        self.given_name = name
        self.name = name or self.usual_name
        self.trainable = trainable
        self.given_shape = None if input_shape is None else _shape(input_shape)
        self.input_shape: Shape | None = None
        self.output_shape: Shape | None = None
        self.activity_regularizer = regularizer_named(activity_regularizer)
        self.added = []

    def _check_fixed(self, settings: Mapping[str, Any]) -> None:
        fixed = {"autocast": True, **self.fixed}
        for name, x in settings.items():
            kind = type(self).__name__
            if name not in fixed:
                known = [*signature(type(self)).parameters, *signature(ShapedLayer).parameters]
                raise unknown_name(f"setting of {kind}", name, {*known} - {"layer", "fixed"})
            if x != fixed[name]:
                raise BadArgument(
                    f"{kind} computes with {name}={fixed[name]!r} alone. Received: {x!r}."
                )

    @property
    def usual_name(self) -> str:
        """The name that a model numbers, if it was given none."""
        return snake(type(self).__name__)

    @property
    def built(self) -> bool:
        return self.output_shape is not None

    @built.setter
    def built(self, built: bool) -> None:
        """Keras's layers set it at the end of ``build``."""

    @property
    def dtype(self) -> str:
        """The kind of its numbers."""
        return "float64"

    def build(self, input_shape: Any) -> None:
        """Create the weights. A user-defined layer overrides it, and calls `add_weight`.

        Args:
            input_shape: the shape of a batch, such as ``(None, 2)``; a list of them if there are
                several inputs.
        """
        if not self._building:
            several = isinstance(input_shape, list)
            self.prepare(*map(sample_shape, input_shape if several else [input_shape]))

    def add_weight(
        self,
        shape: Any = (),
        initializer: Any = "glorot_uniform",
        dtype: Any = None,
        trainable: bool = True,
        regularizer: Any = None,
        constraint: Any = None,
        name: str | None = None,
    ) -> Variable:
        """A new weight, usually in `build`.

        Args:
            shape: such as ``(3, 2)``; ``()`` for a single number.
            initializer: see `nn.initializer`.
            dtype: see `settings.check_dtype`.
            trainable: whether training may change it.
            regularizer: a penalty, see `nn.regularizer`.
            constraint: see `nn.constraint`.
            name: such as "kernel".
        """
        check_dtype(dtype)
        made = variable(shape, initializer, name or "variable", trainable, self._first_random)
        made.regularizer, made.constraint = (
            regularizer_named(regularizer),
            constraint_for(constraint),
        )
        self.added.append(made)
        return made

    def prepare(self, *shapes: Shape, random: Random | None = None) -> None:
        """Set the shape of the input, and create the weights; a second call only checks the shape.

        Args:
            *shapes: the shape of one sample of each input.
            random: draws the weights.
        """
        if self.built and self.input_shape not in (shapes[0], None):
            raise BadArgument(
                f"Layer {self.name!r} was built for samples of shape {self.input_shape}. "
                f"Received: {shapes[0]}."
            )
        if self.built:
            return
        if type(self).build is not ShapedLayer.build and not self._made:
            of_batches: list[Any] = [(None, *shape) for shape in shapes]
            self._first_random = random or fresh()
            self.build(of_batches[0] if len(shapes) == 1 else of_batches)
        after = self.shape_after(*shapes)
        self.make(shapes[0], random or fresh())
        self.input_shape, self.output_shape = shapes[0], after

    def make(self, shape: Shape, random: Random) -> None:
        """Create the weights for samples of this shape; by default there are none."""

    def shape_after(self, *shapes: Shape) -> Shape:
        """The shape of the output; by default that of the input, or of what ``call`` returns."""
        if type(self).compute_output_shape is not ShapedLayer.compute_output_shape:
            given: list[Any] = [(None, *shape) for shape in shapes]
            return sample_shape(self.compute_output_shape(given[0] if len(given) == 1 else given))
        if not self._defines_call:
            return shapes[0]
        with no_grad():
            batches = [Tensor([[0.5] * prod(shape)], (1, *shape)) for shape in shapes]
            return sizes(self._called(batches))[1:]

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shape of the outputs of a batch, ``(None, …)``.

        Args:
            input_shape: the shape of a batch, such as ``(None, 2)``; a list of them if there are
                several inputs.
        """
        shapes = input_shape if isinstance(input_shape, list) else [input_shape]
        return (None, *self.shape_after(*map(sample_shape, shapes)))

    def weight_shapes(self, *shapes: Shape) -> list[Shape] | None:
        """The shapes of the weights that `make` would create; None if they are not known before.

        Loading a saved model checks this first, so that a file can't make it create weights that
        the file does not contain.
        """
        return None

    @property
    def _defines_call(self) -> bool:
        """Whether it defines ``call``, as Keras's layers do."""
        return hasattr(self, "call")

    def _called(self, batches: list[Any]) -> Any:
        """What ``call`` returns for these inputs."""
        method: Any = self.call  # type: ignore[attr-defined]
        known = signature(method).parameters
        training = {"training": self.training} if "training" in known else {}
        return method(batches[0] if len(batches) == 1 else batches, **training)

    def forward(self, *xs: Any) -> Sample:
        """The output for one sample.

        A user-defined layer overrides it, or defines ``call(self, x)``, which gets a batch of one
        sample as a `tensors.Tensor`.
        """
        if not self._defines_call:
            raise NotImplementedError(f"{type(self).__name__} has no forward(self, x).")
        shapes = (
            [self.input_shape] if len(xs) == 1 and self.input_shape else [(len(x),) for x in xs]
        )
        result = self._called([Tensor([list(x)], (1, *shape)) for x, shape in zip(xs, shapes)])
        return list(flatten(result)[0])

    @property
    def sees_batches(self) -> bool:
        """Whether in training it needs all samples of a batch at once: it, or a layer in it."""
        return self.of_batch or any(layer.sees_batches for layer in self.layers_inside())

    def forward_batch(self, *batches: Any) -> list[Sample]:
        """The outputs for the samples of a batch. Each comes from its sample alone, unless in
        training `sees_batches` is True; `forward` is not called then."""
        if not (self._defines_call and self.sees_batches):
            return [self.forward(*xs) for xs in zip(*batches)]
        shapes = [self.input_shape] if len(batches) == 1 else [(len(xs[0]),) for xs in batches]
        whole = [Tensor(list(xs), (len(xs), *(s or ()))) for xs, s in zip(batches, shapes)]
        outputs = flatten(self._called(whole))[0]
        size = len(outputs) // len(batches[0])
        return [outputs[i : i + size] for i in range(0, len(outputs), size)]

    def __call__(self, x: Any, training: bool | None = None) -> Any:
        """The output for one sample of numbers, or for a batch of samples in arrays; for Signals,
        the output Signal.

        Args:
            x: a sample, a batch or a Signal; for several inputs a list of these.
            training: whether to behave as in training, for numbers; `Module.training` if not given.
        """
        several = isinstance(x, (list, tuple)) and any(isinstance(part, Signal) for part in x)
        single = isinstance(x, Signal) or (self.inputs_wanted == 1 and not several)
        parts = [x] if single else list(x)
        if parts and isinstance(parts[0], Signal):
            return self._connected(parts)
        if training is not None and training is not self.training:
            was, self.training = self.training, training
            try:
                return self(x)
            finally:
                self.train(was)
        if parts and all(getattr(part, "ndim", 0) > 1 for part in parts):
            return self._batch(parts)
        samples = [[p] if isinstance(p, Value) or is_real(p) else list(p) for p in parts]
        if not self.built:
            self.prepare(*[(len(sample),) for sample in samples])
        if self.input_shape is not None and len(samples[0]) != prod(self.input_shape):
            raise BadArgument(
                f"Layer {self.name!r} takes samples of shape {self.input_shape}. "
                f"Received: {len(samples[0])} numbers."
            )
        return self.forward(*samples)

    def _connected(self, parts: list[Any]) -> Signal:
        """The output for Signals."""
        if not all(isinstance(part, Signal) for part in parts):
            raise BadArgument(f"{self.name} got Signals and numbers together: {parts!r}.")
        if self.inputs_wanted == 1 and len(parts) > 1 and not self._defines_call:
            raise BadArgument(f"{self.name} takes one input. Received: {len(parts)} Signals.")
        shapes = [part.shape for part in parts]
        if self._defines_call:
            self.prepare(*shapes)
        output = Signal(self.shape_after(*shapes), self, tuple(parts))
        if self._call is None:
            self._call = output
        return output

    def _batch(self, parts: list[Any]) -> Tensor:
        """The outputs for a batch, of Values or numbers."""
        shapes = [part.shape[1:] for part in parts]
        if not self.built:
            self.prepare(*shapes)
        batches = []
        for part, shape in zip(parts, shapes):
            numbers, size = flatten(part)[0], prod(shape)  # row by row, however it is nested
            batches.append([numbers[i : i + size] for i in range(0, len(numbers), size)])
        rows = self.forward_batch(*batches)
        return Tensor(rows, (len(rows), *self.shape_after(*shapes)))

    @property
    def input(self) -> Any:
        """The Signal that it was first called on; a list of several."""
        signals = self._connection().inputs
        return signals[0] if len(signals) == 1 else list(signals)

    @property
    def output(self) -> Signal:
        """The Signal that came out of its first call on one."""
        return self._connection()

    def _connection(self) -> Signal:
        if self._call is None:
            raise AttributeError(
                f"Layer {self.name!r} was not called on a Signal, so it has no input or output."
            )
        return self._call

    def layers_inside(self) -> list[ShapedLayer]:
        """The layers in its attributes, in their order."""
        return layers_in(vars(self).values())

    def weight_values(self) -> list[list[Any]]:
        """The Values of the weights, each as nested lists of its Keras shape."""
        inside = [weight for layer in self.layers_inside() for weight in layer.weight_values()]
        return [*self._own_weights(), *inside]

    def _own_weights(self) -> list[Any]:
        """The added weights, in Keras's order, and the other Values in its attributes."""
        mine = sorted(self.added, key=lambda weight: not weight.trainable)
        others = [mine, *(layer.parameters() for layer in self.layers_inside())]
        listed = set(map(id, flatten(others)[0]))
        return [*mine, *([value] for value in self.parameters() if id(value) not in listed)]

    @property
    def weights(self) -> list[Variable]:
        """All weights."""
        if type(self).weight_values is not ShapedLayer.weight_values:
            return [self._variable(weight) for weight in self.weight_values() if weight]
        inside = (weight for layer in self.layers_inside() for weight in layer.weights)
        return [*map(self._variable, self._own_weights()), *inside]

    variables = weights

    @property
    def trainable_weights(self) -> list[Variable]:
        """The weights that training may change."""
        inside = self.layers_inside()
        frozen = _first_values(w for layer in inside for w in layer.weights)
        frozen -= _first_values(w for layer in inside for w in layer.trainable_weights)
        return [
            weight
            for weight in (self.weights if self.trainable else ())
            if weight.trainable and not _first_values([weight]) <= frozen
        ]

    trainable_variables = trainable_weights

    @property
    def non_trainable_weights(self) -> list[Variable]:
        """The weights that training leaves as they are."""
        moved = _first_values(self.trainable_weights)
        return [weight for weight in self.weights if not _first_values([weight]) <= moved]

    non_trainable_variables = non_trainable_weights

    def _variable(self, weight: Any) -> Variable:
        if not isinstance(weight, Variable):
            weight = Variable(weight, trainable=flatten(weight)[0][0].role != "constant")
        found: Variable = weight
        found.path = f"{self.name}/{found.name}"
        return found

    def count_params(self) -> int:
        """How many numbers the weights are."""
        return len(flatten(self.weight_values())[0])

    def get_weights(self) -> list[Any]:
        """The numbers of the weights: NumPy arrays if NumPy is installed, else nested lists."""
        return [
            weight.numpy()
            if isinstance(weight, Variable)
            else as_array(_map(lambda value: value.data, weight))
            for weight in self.weight_values()
        ]

    def set_weights(self, weights: Sequence[Any]) -> None:
        """Set all weights to numbers in the shapes that `get_weights` returns.

        Raises:
            BadArgument: if a shape does not match; nothing is changed then.
            NotANumber: if an entry is not a number; nothing is changed then.
        """
        mine = self.weight_values()
        wanted = [w.shape if isinstance(w, Variable) else sizes(w) for w in mine]
        if len(weights) != len(mine) or not all(map(_fits, weights, wanted)):
            raise BadArgument(
                f"The weights of {self.name!r} have the shapes {_listed(wanted)}. "
                f"Received: {_listed(list(map(sizes, weights)))}, or rows of different lengths."
            )
        values = flatten(mine)[0]
        set_numbers(values, [number(x) for x in flatten(list(weights))[0]])

    def penalties(self) -> list[Value]:
        """The penalty that regularisers add to the loss."""
        mine = [
            (getattr(self, name), getattr(self, name.removesuffix("_regularizer")))
            for name in vars(self)
            if name.endswith("_regularizer") and name != "activity_regularizer"
        ]
        mine += [(weight.regularizer, list(weight)) for weight in self.added]
        fines = [penalty(weight) for penalty, weight in mine if penalty is not None and weight]
        return [*fines, *(p for layer in self.layers_inside() for p in layer.penalties())]

    def constrain(self) -> None:
        """Apply the constraints to the weights, as after each step of the optimiser."""
        mine = [
            (getattr(self, name), getattr(self, name.removesuffix("_constraint")))
            for name in vars(self)
            if name.endswith("_constraint")
        ]
        mine += [(weight.constraint, list(weight)) for weight in self.added]
        for constraint, weight in mine:
            if constraint is not None and weight:
                numbers = constraint(_map(lambda value: value.data, weight))
                set_numbers(flatten(weight)[0], map(number, flatten(numbers)[0]))
        for layer in self.layers_inside():
            layer.constrain()

    @property
    def constrained(self) -> bool:
        """Whether there is a constraint to apply."""
        mine = [x for name, x in vars(self).items() if name.endswith("_constraint")]
        mine += [weight.constraint for weight in self.added]
        return any(mine) or any(layer.constrained for layer in self.layers_inside())

    def streams(self) -> list[Random]:
        """The sources of random numbers that it draws from while training."""
        return [stream for layer in self.layers_inside() for stream in layer.streams()]

    def config(self) -> dict[str, Any]:
        """The arguments to create this layer again, without its weights, as JSON can store them."""
        shape = self.given_shape
        return {
            "name": self.given_name,
            "trainable": self.trainable,
            "input_shape": None if shape is None else list(shape),
            **(self._parts("activity_regularizer") if self.activity_regularizer else {}),
        }

    def _parts(self, *names: str) -> dict[str, Any]:
        """The configurations of initialisers, regularisers and constraints."""
        made = {name: getattr(self, name) for name in names or vars(self)}
        ends = ("_initializer", "_regularizer", "_constraint")
        return {name: x and x.config() for name, x in made.items() if name.endswith(ends)}

    def get_config(self) -> dict[str, Any]:
        """`config` under Keras's name, which a user-defined layer overrides."""
        return self.config()

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


def layers_in(items: Iterable[Any]) -> list[ShapedLayer]:
    """The layers among some objects, and in the lists and dicts among them."""
    found: dict[int, ShapedLayer] = {}
    waiting = list(items)[::-1]
    while waiting:
        x = waiting.pop()
        if isinstance(x, ShapedLayer):
            found.setdefault(id(x), x)
        elif type(x) in (list, tuple, dict):
            waiting.extend(list(x.values() if isinstance(x, dict) else x)[::-1])
    return list(found.values())


def _making(build: Callable[[Any, Any], None]) -> Callable[[Any, Any], None]:
    """A user-defined ``build`` that notes that it is running, and that it ran."""

    @wraps(build)
    def made(self: Any, input_shape: Any) -> None:
        before, self._building = self._building, True
        try:
            build(self, input_shape)
        finally:
            self._building = before
        self._made = True

    return made


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


def last_axis(layer: ShapedLayer, axis: Any) -> None:
    """Raise an error unless the axis is the last one."""
    if axis not in (-1, [-1], (-1,)):
        raise BadArgument(
            f"{type(layer).__name__} works along the last axis. Received: axis={axis!r}."
        )


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
        activity_regularizer: a penalty on the outputs.
        kernel_constraint, bias_constraint: names or callables, see `nn.constraint`.
        **layer: as for `ShapedLayer`.

    Attributes:
        kernel: K as rows, one per input, of one Value per unit.
        bias: b, one Value per unit; empty without bias.

    >>> dense = Dense(2, kernel_initializer="ones")
    >>> [y.data for y in dense([1.0, 2.0, 3.0])]
    [6.0, 6.0]
    """

    fixed: ClassVar = {"lora_rank": None, "lora_alpha": None, "quantization_config": None}

    def __init__(
        self,
        units: int,
        activation: str | Callable[[Any], Any] | None = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        **layer: Any,
    ) -> None:
        super().__init__(activity_regularizer=activity_regularizer, **layer)
        self.units, self.use_bias = check_whole("units", units), bool(use_bias)
        self.activation = Activation(activation)
        self.kernel_initializer = initializer(kernel_initializer)
        self.bias_initializer = initializer(bias_initializer)
        self.kernel_regularizer = regularizer(kernel_regularizer)
        self.bias_regularizer = regularizer(bias_regularizer)
        self.kernel_constraint = constraint_for(kernel_constraint)
        self.bias_constraint = constraint_for(bias_constraint)
        self.kernel: list[list[Value]] = []
        self.bias: list[Value] = []

    def make(self, shape: Shape, random: Random) -> None:
        drawn = iter(self.kernel_initializer.draw((*shape, self.units), random))
        kernel = [
            [parameter(next(drawn), subscript("w", i, shape[0])) for _ in range(self.units)]
            for i in range(1, shape[0] + 1)
        ]
        self.kernel = Variable(kernel, "kernel")
        if self.use_bias:
            bias = self.bias_initializer.draw((self.units,), random)
            self.bias = Variable([parameter(x, "b") for x in bias], "bias")

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

    def weight_values(self) -> list[list[Any]]:
        return [self.kernel, self.bias] if self.use_bias else [self.kernel]

    def config(self) -> dict[str, Any]:
        return {
            **super().config(),
            "units": self.units,
            "activation": self.activation.called(),
            "use_bias": self.use_bias,
            **self._parts(),
        }


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
        *rest, last = shapes[0]
        return (*rest, len(self.of([0.0] * last))) if self.by_vector else shapes[0]

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
        if self.by_vector:  # along the last axis
            size = self.input_shape[-1] if self.input_shape else len(x)
            return [y for i in range(0, len(x), size) for y in self.of(x[i : i + size])]
        return x if self.of is ops.identity else [self.of(number) for number in x]


named_activation = activation  # parameters have the same name
regularizer_named = regularizer


class Softmax(Activation):
    """exp(xᵢ)/Σ exp(xⱼ): numbers that are positive and sum to 1.

    Args:
        axis: must be −1.
        **layer: as for `ShapedLayer`.
    """

    def __init__(self, axis: int = -1, **layer: Any) -> None:
        super().__init__("softmax", **layer)
        last_axis(self, axis)

    def config(self) -> dict[str, Any]:
        return {name: x for name, x in super().config().items() if name != "activation"}


class Noise(ShapedLayer):
    """The base of layers that draw random numbers while training.

    Args:
        seed: an int, or a random.Random; the model's random numbers if not given.
        **layer: as for `ShapedLayer`.
    """

    def __init__(self, seed: int | Random | None = None, **layer: Any) -> None:
        super().__init__(**layer)
        self._seeded = seed is not None
        if not isinstance(seed, Random):
            seed = Random(None if seed is None else index(seed))
        self.random = seed

    def make(self, shape: Shape, random: Random) -> None:
        if not self._seeded:  # then the model sets its own stream
            self.random.seed(random.getrandbits(64))

    def streams(self) -> list[Random]:
        return [self.random]


class Dropout(Noise):
    """During training, sets each number to 0 with probability ``rate`` and multiplies the others by
    1/(1 − rate); otherwise it changes nothing.

    Args:
        rate: from 0 to below 1.
        noise_shape: must be None: each number is drawn for by itself.
        seed: an int, or a random.Random; the global random state is never used.

    >>> dropout = Dropout(0.5, seed=0).train()
    >>> dropout([1.0, 1.0, 1.0])
    [2.0, 2.0, 0.0]
    >>> dropout.eval()([1.0, 1.0, 1.0])
    [1.0, 1.0, 1.0]
    """

    def __init__(
        self,
        rate: float,
        noise_shape: None = None,
        seed: int | Random | None = None,
        **layer: Any,
    ) -> None:
        super().__init__(seed, **layer)
        if noise_shape is not None:
            raise BadArgument(
                f"Dropout draws for each number by itself. Received: noise_shape={noise_shape!r}. "
                f"Leave it out; a seed is passed by name."
            )
        self.rate = number(rate)
        if not 0.0 <= self.rate < 1.0:
            raise BadArgument(f"A dropout rate must be from 0 to below 1. Received: {rate!r}.")

    def forward(self, x: Sample) -> Sample:
        if not self.training or self.rate == 0.0:
            return x
        scale = 1.0 / (1.0 - self.rate)
        # A row, not an if: in compiled training the random number is an input.
        return [v * (scale * ops.greater_equal(self.random.random(), self.rate)) for v in x]

    def config(self) -> dict[str, Any]:
        return {**super().config(), "rate": self.rate}


class Flatten(ShapedLayer):
    """Turns a sample with several axes into a flat list; the numbers don't change.

    Args:
        data_format: must be None or "channels_last".
        **layer: as for `ShapedLayer`.
    """

    def __init__(self, data_format: str | None = None, **layer: Any) -> None:
        super().__init__(**layer)
        if data_format not in (None, "channels_last"):
            raise BadArgument(f"Flatten keeps the order of the numbers. Received: {data_format!r}.")

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
    """The numbers of all of them, one input after the other along the last axis.

    Args:
        axis: must be −1, or the number of the last axis, counted from the batch on.
        **layer: as for `ShapedLayer`.

    >>> Concatenate()([[1.0], [2.0, 3.0]])
    [1.0, 2.0, 3.0]
    """

    def __init__(self, axis: int = -1, **layer: Any) -> None:
        super().__init__(**layer)
        self.axis = index(axis)
        self._sizes: list[int] = []  # of the last axis of each input

    def shape_after(self, *shapes: Shape) -> Shape:
        rest = shapes[0][:-1]
        if any(shape[:-1] != rest for shape in shapes) or self.axis not in (-1, len(shapes[0])):
            raise BadArgument(
                f"{self.name} joins inputs along their last axis, axis=-1, and all others must be "
                f"equal. Received: shapes {_listed(shapes)}, axis={self.axis}."
            )
        self._sizes = [shape[-1] for shape in shapes]
        return (*rest, sum(self._sizes))

    def forward(self, *xs: Sample) -> Sample:
        sizes = self._sizes or list(map(len, xs))
        rows = range(len(xs[0]) // sizes[0])
        return [y for i in rows for x, n in zip(xs, sizes) for y in x[i * n : (i + 1) * n]]

    def config(self) -> dict[str, Any]:
        return {**super().config(), "axis": self.axis}


class Apply(ShapedLayer):
    """Applies a row of the table to its inputs, element by element; arithmetic on Signals makes it.

    Args:
        row: the name of the row, such as "add".
        operands: the arguments of the row: None for the next input, or a number.

    >>> Apply("sub", [1.0, None])([[0.25, 3.0]])
    [0.75, -2.0]
    """

    inputs_wanted = None

    def __init__(self, row: str, operands: Sequence[float | None] = (None,), **layer: Any) -> None:
        check_name("row", row, TABLE)
        self.row, self.operands = row, [None if x is None else number(x) for x in operands]
        super().__init__(**layer)

    @property
    def usual_name(self) -> str:
        return self.row

    def shape_after(self, *shapes: Shape) -> Shape:
        largest = max(shapes, key=prod)
        if any(shape != largest and prod(shape) != 1 for shape in shapes):
            raise BadArgument(f"{self.row} needs inputs of one shape. Received: {_listed(shapes)}.")
        return largest

    def forward(self, *xs: Any) -> Sample:
        rest = iter(xs)
        args = [[x] if x is not None else next(rest) for x in self.operands]
        size = max(map(len, args))
        return [TABLE[self.row](*[a[i % len(a)] for a in args]) for i in range(size)]

    def config(self) -> dict[str, Any]:
        return {**super().config(), "row": self.row, "operands": self.operands}


def apply(row: str, *operands: Any) -> Signal:
    """The Signal of a row applied to Signals and numbers.

    >>> apply("mul", 2.0, Input(shape=(3,)))
    Signal(shape=(3,), from mul)
    """
    signals = [x for x in operands if isinstance(x, Signal)]
    made: Signal = Apply(row, [None if isinstance(x, Signal) else x for x in operands])(signals)
    return made


def _of_signals(row: str, reflected: bool = False) -> Any:
    def operator(self: Signal, *others: Any) -> Any:
        if not all(isinstance(x, Signal) or is_real(x) for x in others):
            return NotImplemented
        return apply(row, *others, self) if reflected else apply(row, self, *others)

    return operator


for _dunder, _row in {
    "add": "add",
    "sub": "sub",
    "mul": "mul",
    "truediv": "div",
    "pow": "pow",
}.items():
    setattr(Signal, f"__{_dunder}__", _of_signals(_row))
    setattr(Signal, f"__r{_dunder}__", _of_signals(_row, reflected=True))
for _row in ("neg", "abs"):
    setattr(Signal, f"__{_row}__", _of_signals(_row))


class Lambda(ShapedLayer):
    """A function of whole arrays as a layer.

    Args:
        function: gets a batch of one sample as a `tensors.Tensor`; for several inputs a list of
            them.
        output_shape: the shape of one sample of the output; found by a call if not given.
        arguments: more arguments of the function, by name.

    >>> Lambda(lambda x: x**2)([1.0, 3.0])
    [1.0, 9.0]
    """

    def __init__(
        self,
        function: Callable[..., Any],
        output_shape: Any = None,
        mask: Any = None,
        arguments: Mapping[str, Any] | None = None,
        **layer: Any,
    ) -> None:
        super().__init__(**layer)
        if mask is not None:
            raise BadArgument(f"A Lambda layer has no masks here. Received: mask={mask!r}.")
        self.function, self.arguments = function, dict(arguments or {})
        self.wanted = output_shape

    def call(self, x: Any) -> Any:
        return self.function(x, **self.arguments)

    def shape_after(self, *shapes: Shape) -> Shape:
        return super().shape_after(*shapes) if self.wanted is None else sample_shape(self.wanted)

    def config(self) -> dict[str, Any]:
        raise BadArgument(
            f"The function of a Lambda layer is code, which can't be saved as data. Received: "
            f"{self.function!r}. Write a class of layers, and pass it in custom_objects."
        )
