"""How the layers of a model are wired: signals in order, from its inputs to its output."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import chain, count
from math import prod
from random import Random
from typing import Any, ClassVar

from ..core.modes import scope
from ..core.value import Value
from ..errors import BadArgument, check_name
from ..nn.layers import Sample, ShapedLayer, Signal
from ..nn.neurons import subscript
from ..nn.seeding import fresh
from .data import Port
from .turns import Turns


class Wired(ShapedLayer):
    """Layers, and the signals between them; a layer itself, so that models can be nested.

    Attributes:
        layers: in the order in which their outputs are needed.
        random: the stream of the initial weights, and of shuffling.
        metadata: user-defined data that JSON can store; it is saved too.
    """

    branching: ClassVar[bool] = True  # whether a layer's input may be any other's output
    _defines_call = False  # a model is wired once, by ``call`` too

    def __init__(self, name: str | None) -> None:
        self.given_name, self.name = name, name or self.usual_name
        self.given_shape: Any = None
        self.activity_regularizer = None
        self.added = []
        self.layers: list[ShapedLayer] = []
        self.random = fresh()
        self.metadata: dict[str, Any] = {}
        self._inputs: list[Signal] = []
        self._outputs: list[Signal] = []
        self._keys: list[str] | None = None  # of the outputs, where they are a dict
        self._order: list[Signal] = []  # every signal after its inputs
        self._taken: dict[str, int] = {}  # see `number_names`
        self._members: set[int] = set()  # the ids of the layers
        self._turns = Turns()

    @property
    def built(self) -> bool:
        return bool(self._order)

    @built.setter
    def built(self, built: bool) -> None:
        """As in `ShapedLayer`."""

    def _wire(self, inputs: list[Signal], outputs: Any) -> None:
        """Sort the signals and build the layers between them.

        Args:
            inputs: the inputs.
            outputs: a Signal, or a list of them, or a dict of them by name.
        """
        self._keys = None
        if isinstance(outputs, Mapping):
            self._keys = sorted(outputs)  # the order in which Keras takes them
            outputs = [outputs[key] for key in self._keys]
        several = hasattr(outputs, "__iter__") and not isinstance(outputs, Signal)
        outputs = list(outputs) if several else [outputs]
        for signal in (*inputs, *outputs):
            if not isinstance(signal, Signal):
                raise BadArgument(
                    f"A model needs Signals: the results of keras.Input, and of layers called on "
                    f"them. Received: {signal!r}."
                )
        placed: dict[int, Signal] = {}  # each after all that it is made from
        waiting = list(outputs)[::-1]
        while waiting:
            signal = waiting.pop()
            missing = [s for s in signal.inputs if id(s) not in placed]
            if missing:
                waiting += [signal, *missing]
            else:
                placed.setdefault(id(signal), signal)
        order = list(placed.values())
        starts = [s for s in order if s.layer is None]
        if {id(s) for s in starts} != {id(s) for s in inputs}:
            raise BadArgument(
                f"The output of a model must depend on all of its inputs, and on nothing else. "
                f"Received: {len(inputs)} inputs; the output comes from {len(starts)}."
            )
        layers = list({id(s.layer): s.layer for s in order if s.layer is not None}.values())
        self._taken = number_names(layers, {})
        for signal in order:
            if signal.layer is not None:
                signal.layer.prepare(*[s.shape for s in signal.inputs], random=self.random)
        self.layers, self._inputs, self._order = by_depth(layers, order, outputs), inputs, order
        self._outputs = outputs
        self._members = set(map(id, layers))

    @property
    def input_shape(self) -> Any:  # type: ignore[override]
        """The shape of a batch, such as ``(None, 2)``; a list of them for several inputs."""
        shapes: list[Any] = [(None, *signal.shape) for signal in self._inputs]
        return shapes[0] if len(shapes) == 1 else shapes or None

    @property
    def output_shape(self) -> Any:  # type: ignore[override]
        """The shape of the outputs of a batch, such as ``(None, 1)``; a list for several."""
        shapes: list[Any] = [(None, *signal.shape) for signal in self._outputs]
        return shapes[0] if len(shapes) == 1 else shapes or None

    @property
    def inputs(self) -> list[Signal]:
        """The Signals of the inputs."""
        return list(self._inputs)

    @property
    def outputs(self) -> list[Signal]:
        """The Signals of the outputs."""
        return list(self._outputs)

    @property
    def input(self) -> Any:
        """The Signal of the input; a list of several."""
        return self._inputs[0] if len(self._inputs) == 1 else self.inputs

    @property
    def output(self) -> Any:
        """The Signal of the output; a list of several."""
        return self._outputs[0] if len(self._outputs) == 1 else self.outputs

    @property
    def fines_outputs(self) -> bool:
        """Whether there is a penalty on the outputs of a layer."""
        return any(layer.activity_regularizer is not None for layer in self.layers)

    @property
    def inputs_wanted(self) -> int | None:  # type: ignore[override]
        """1, or None for several."""
        return 1 if len(self._inputs) <= 1 else None

    def prepare(self, *shapes: Any, random: Random | None = None) -> None:
        """Set the shape of one sample, as a layer of another model."""
        if not self.built:
            self.build((None, *shapes[0]))
        if list(shapes) != [s.shape for s in self._inputs]:
            raise BadArgument(
                f"The model {self.name!r} takes samples of shape {self.in_shape}. "
                f"Received: {', '.join(map(str, shapes))}."
            )

    def shape_after(self, *shapes: Any) -> Any:
        self.prepare(*shapes)
        if len(self._outputs) > 1:
            raise BadArgument(
                f"A model in a model has one output. Received: {len(self._outputs)} of {self!r}."
            )
        return self.out_shape

    def layers_inside(self) -> list[ShapedLayer]:
        return self.layers

    @property
    def in_shape(self) -> tuple[int, ...] | None:
        """The shape of one sample; with several inputs, their total number of numbers."""
        if len(self._inputs) == 1:
            return self._inputs[0].shape
        return (sum(prod(s.shape) for s in self._inputs),) if self._inputs else None

    @property
    def out_shape(self) -> tuple[int, ...] | None:
        """The shape of the outputs of one sample; of several, how many numbers they are."""
        if len(self._outputs) == 1:
            return self._outputs[0].shape
        return (sum(prod(s.shape) for s in self._outputs),) if self._outputs else None

    @property
    def widths(self) -> list[int]:
        """The number of numbers of each output."""
        return [prod(signal.shape) for signal in self._outputs]

    @property
    def output_names(self) -> list[str]:
        """The names of the outputs: those of their layers, or their keys in a dict. Two outputs of
        one layer have the same name, as in Keras."""
        layers = [signal.layer for signal in self._outputs]
        return self._keys or [layer.name if layer is not None else "output" for layer in layers]

    @property
    def answers(self) -> list[Port]:
        """Each output by its name, which no other has."""
        names: list[str] = []
        for name in self.output_names:
            names.append(free(name, names))
        return [Port(name, width) for name, width in zip(names, self.widths)]

    @property
    def ports(self) -> list[Port] | None:
        """Each input by its name; by default ``input``, or ``input_1`` if there are several."""
        several = len(self._inputs) > 1
        names = [
            s.name or f"input_{i}" if several else s.name or "input"
            for i, s in enumerate(self._inputs, 1)
        ]
        return [Port(name, prod(s.shape)) for name, s in zip(names, self._inputs)] or None

    def forward(self, *xs: Any, fines: list[Any] | None = None) -> Sample:
        """The outputs for the numbers of one sample; each layer records in its own scope.

        Args:
            *xs: the numbers of each input, or of all, one input after the other.
            fines: takes the penalties on the outputs of layers.
        """

        def step(layer: ShapedLayer, *xs: Any) -> list[Sample]:
            return [layer.forward(*[x for (x,) in xs])]

        (outputs,) = self._through([list(chain(*xs))], step, fines)
        return outputs

    def forward_batch(self, *batches: Any, fines: list[Any] | None = None) -> list[Sample]:
        """`forward` of each sample; in training layers that need all of them get them all."""
        samples = [list(chain(*xs)) for xs in zip(*batches)]
        if not self.sees_batches:
            return [self.forward(sample, fines=fines) for sample in samples]
        return self._through(samples, lambda layer, *xs: layer.forward_batch(*xs), fines)

    def _through(
        self, samples: Sequence[Sample], step: Callable[..., list[Sample]], fines: list[Any] | None
    ) -> list[Sample]:
        """The outputs of the last layer, where ``step`` computes those of each."""
        found: dict[int, list[Sample]] = {}
        start = 0
        for signal in self._inputs:
            end = start + prod(signal.shape)
            found[id(signal)] = [sample[start:end] for sample in samples]
            start = end
        for signal in self._order:
            layer = signal.layer
            if layer is not None:
                with scope(layer.name):
                    outputs = step(layer, *[found[id(s)] for s in signal.inputs])
                found[id(signal)] = outputs
                if fines is not None and layer.activity_regularizer is not None:
                    fines += map(layer.activity_regularizer, outputs)
        ends = [found[id(signal)] for signal in self._outputs]
        return ends[0] if len(ends) == 1 else [list(chain(*parts)) for parts in zip(*ends)]

    def forward_named(self, numbers: Sequence[float]) -> Sample:
        """`forward` with names that a picture can show: x₁, x₂, … for inputs, ŷ₁, … for outputs."""
        outputs = self.forward(named(numbers, "x", "input"))
        for i, output in enumerate(outputs, 1):
            if isinstance(output, Value) and output.op is not None:
                output.name = subscript("ŷ", i, len(outputs))
        return outputs

    def get_layer(self, name: str | None = None, index: int | None = None) -> ShapedLayer:
        """A layer by its name or position.

        Raises:
            NameUnknown: with the nearest known name.
        """
        if index is not None:
            return self.layers[index]
        names = [layer.name for layer in self.layers]
        check_name("layer", name, names)
        return self.layers[names.index(name or "")]


def by_depth(
    layers: list[ShapedLayer], order: list[Signal], outputs: list[Signal]
) -> list[ShapedLayer]:
    """Layers in Keras's order: first those that most layers come after; of equals, the one that is
    reached first on the way back from the outputs."""
    depth: dict[int, int] = {}
    for signal in reversed(order):
        after = depth.setdefault(id(signal), 0)
        for coming in signal.inputs:
            depth[id(coming)] = max(depth.get(id(coming), 0), after + 1)
    deepest: dict[int, int] = {}
    for signal in order:
        deepest[id(signal.layer)] = max(deepest.get(id(signal.layer), 0), depth[id(signal)])
    reached: dict[int, int] = {}
    waiting = outputs[::-1]
    seen = set[int]()
    while waiting:
        signal = waiting.pop()
        if id(signal) not in seen:
            seen.add(id(signal))
            reached.setdefault(id(signal.layer), len(reached))
            waiting += signal.inputs[::-1]
    return sorted(layers, key=lambda layer: (-deepest[id(layer)], reached[id(layer)]))


def named(numbers: Sequence[float], name: str, role: str) -> Sample:
    """Numbers as Values that a picture can name."""
    count = len(numbers)
    return [Value(x, subscript(name, i, count), role) for i, x in enumerate(numbers, 1)]


def free(name: str, taken: Collection[str]) -> str:
    """The name, with a number if necessary to make it unique.

    >>> free("mae", []), free("mae", ["mae", "mae_1"])
    ('mae', 'mae_2')
    """
    numbered = (f"{name}_{i}" for i in count(1))
    return next(other for other in chain([name], numbered) if other not in taken)


def number_names(layers: Sequence[ShapedLayer], taken: dict[str, int]) -> dict[str, int]:
    """Unique names: a second dense is dense_1. Names that the user chose stay.

    Args:
        layers: to be named.
        taken: the names that others have, each with the first number that may be free behind it;
            the new ones are put in.
    """
    for layer in layers:
        if layer.given_name is not None:
            if layer.given_name in taken:
                raise BadArgument(
                    f"Two layers of a model are named {layer.given_name!r}. Rename one of them."
                )
            taken[layer.given_name] = 1
    for layer in layers:
        if layer.given_name is None:
            if layer.name in taken:
                base = layer.name = layer.usual_name
                for i in count(taken.get(base, 1)):
                    if layer.name not in taken:
                        break
                    layer.name, taken[base] = f"{base}_{i}", i + 1
            taken.setdefault(layer.name, 1)
    return taken
