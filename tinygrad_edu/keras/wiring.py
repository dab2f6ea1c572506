"""How the layers of a model are wired: signals in order, from its inputs to its output."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import chain, count
from math import prod
from typing import Any, ClassVar

from ..core.modes import scope
from ..core.value import Value
from ..errors import BadArgument, check_name
from ..nn.layers import Sample, ShapedLayer, Signal, snake
from ..nn.module import Module
from ..nn.neurons import subscript
from .data import Port
from .seeding import fresh
from .turns import Turns


class Wired(Module):
    """Layers, and the signals between them.

    Attributes:
        layers: in the order in which their outputs are needed.
        random: the stream of the initial weights, and of shuffling.
        metadata: user-defined data that JSON can store; it is saved too.
    """

    branching: ClassVar[bool] = True  # whether a layer's input may be any other's output

    def __init__(self, name: str) -> None:
        self.name = name
        self.layers: list[ShapedLayer] = []
        self.random = fresh()
        self.metadata: dict[str, Any] = {}
        self._inputs: list[Signal] = []
        self._order: list[Signal] = []  # every signal after its inputs
        self._taken: dict[str, int] = {}  # see `number_names`
        self._members: set[int] = set()  # the ids of the layers
        self._turns = Turns()

    @property
    def built(self) -> bool:
        return bool(self._order)

    def _wire(self, inputs: list[Signal], output: Signal) -> None:
        """Sort the signals and build the layers between them."""
        for signal in (*inputs, output):
            if not isinstance(signal, Signal):
                raise BadArgument(
                    f"A model needs Signals: the results of keras.Input, and of layers called on "
                    f"them. Received: {signal!r}."
                )
        placed: dict[int, Signal] = {}  # each after all that it is made from
        waiting = [output]
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
                f"The output of a model must come from its inputs, from all of them and nothing "
                f"else. Received: {len(inputs)} inputs; the output comes from {len(starts)}."
            )
        layers = list({id(s.layer): s.layer for s in order if s.layer is not None}.values())
        self._taken = number_names(layers, {})
        for signal in order:
            if signal.layer is not None:
                signal.layer.build(*[s.shape for s in signal.inputs], random=self.random)
        self.layers, self._inputs, self._order = layers, inputs, order
        self._members = set(map(id, layers))

    @property
    def input_shape(self) -> tuple[int, ...] | None:
        """The shape of one sample; with several inputs, their total number of numbers."""
        if len(self._inputs) == 1:
            return self._inputs[0].shape
        return (sum(prod(s.shape) for s in self._inputs),) if self._inputs else None

    @property
    def output_shape(self) -> tuple[int, ...] | None:
        return self._order[-1].shape if self._order else None

    @property
    def ports(self) -> list[Port] | None:
        """Each input by its name; by default ``input``, or ``input_1`` if there are several."""
        several = len(self._inputs) > 1
        names = [
            s.name or f"input_{i}" if several else s.name or "input"
            for i, s in enumerate(self._inputs, 1)
        ]
        return [Port(name, prod(s.shape)) for name, s in zip(names, self._inputs)] or None

    def forward(self, sample: Sample) -> Sample:
        """The outputs for the numbers of one sample; each layer records in its own scope."""
        results: dict[int, Sample] = {}
        start = 0
        for signal in self._inputs:
            width = prod(signal.shape)
            results[id(signal)] = sample[start : start + width]
            start += width
        for signal in self._order:
            if signal.layer is not None:
                with scope(signal.layer.name):
                    inputs = [results[id(s)] for s in signal.inputs]
                    results[id(signal)] = signal.layer.forward(*inputs)
        return results[id(self._order[-1])]

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
                    f"Two layers of a model are named {layer.given_name!r}. Give one another name."
                )
            taken[layer.given_name] = 1
    for layer in layers:
        if layer.given_name is None:
            if layer.name in taken:
                base = layer.name = snake(type(layer).__name__)
                for i in count(taken.get(base, 1)):
                    if layer.name not in taken:
                        break
                    layer.name, taken[base] = f"{base}_{i}", i + 1
            taken.setdefault(layer.name, 1)
    return taken
