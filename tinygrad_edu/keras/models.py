"""`Sequential` and `Model`: layers in a row, or in any arrangement without cycles."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from math import prod
from typing import Any

from ..core.modes import scope
from ..errors import BadArgument, TinygradError, unknown_name
from ..nn.layers import Input, Sample, ShapedLayer, Signal, snake
from ..notebooks import wants_html
from .data import Port
from .training import Trainer, free


class Model(Trainer):
    """A model described by signals: layers called on `Input` and on what came out of others.

    Args:
        inputs: what `Input` gave, one or a list; several inputs share a sample's numbers in
            this order.
        outputs: the signal that is the answer.
        name: what pictures and summaries call it.

    Raises:
        BadArgument: if the output does not come from the inputs alone.

    >>> from tinygrad_edu import keras
    >>> x = keras.Input(shape=(2,))
    >>> hidden = keras.layers.Dense(2, activation="tanh")(x)
    >>> model = keras.Model(x, keras.layers.Add()([x, hidden]))  # a skip connection
    >>> model.count_params()
    6
    """

    def __init__(
        self, inputs: Signal | Sequence[Signal], outputs: Signal, name: str = "model"
    ) -> None:
        self._prepare(name)
        self._wire([inputs] if isinstance(inputs, Signal) else list(inputs), outputs)

    def _prepare(self, name: str) -> None:
        super().__init__()
        self.name = name
        self.metadata: dict[str, Any] = {}  # yours, of what JSON can hold: it is saved along
        self._inputs: list[Signal] = []
        self._order: list[Signal] = []  # every signal after those it is made from

    @property
    def built(self) -> bool:
        return bool(self._order)

    def _wire(self, inputs: list[Signal], output: Signal) -> None:
        """Put the signals in order and build the layers they go through."""
        for signal in (*inputs, output):
            if not isinstance(signal, Signal):
                raise BadArgument(
                    f"A model is made from Signals: what keras.Input gives, and layers called "
                    f"on it. Received: {signal!r}."
                )
        order: list[Signal] = []
        done: set[int] = set()
        waiting = [output]
        while waiting:  # depth first; a signal is put in order after all its inputs
            signal = waiting[-1]
            missing = [s for s in signal.inputs if id(s) not in done]
            if id(signal) in done or missing:
                waiting.extend(missing)
                if id(signal) in done:
                    waiting.pop()
                continue
            waiting.pop()
            done.add(id(signal))
            order.append(signal)
        starts = [s for s in order if s.layer is None]
        if {id(s) for s in starts} != {id(s) for s in inputs}:
            raise BadArgument(
                f"The output of a model must come from its inputs, from all of them and nothing "
                f"else. Received: {len(inputs)} inputs; the output comes from {len(starts)}."
            )
        layers = list({id(s.layer): s.layer for s in order if s.layer is not None}.values())
        _number_names(layers)
        for signal in order:
            if signal.layer is not None:
                signal.layer.build(*[s.shape for s in signal.inputs], random=self.random)
        self.layers, self._inputs, self._order = layers, inputs, order

    @property
    def input_shape(self) -> tuple[int, ...] | None:
        """Of one sample; with several inputs, how many numbers they take together."""
        if not self._inputs:
            return None
        if len(self._inputs) == 1:
            return self._inputs[0].shape
        return (sum(prod(s.shape) for s in self._inputs),)

    @property
    def output_shape(self) -> tuple[int, ...] | None:
        return self._order[-1].shape if self._order else None

    @property
    def ports(self) -> list[Port] | None:
        """Each input by the name it was given, else ``input``, or ``input_1`` of several."""
        several = len(self._inputs) > 1
        names = [
            s.name or f"input_{i}" if several else s.name or "input"
            for i, s in enumerate(self._inputs, 1)
        ]
        return [Port(name, prod(s.shape)) for name, s in zip(names, self._inputs)] or None

    def forward(self, sample: Sample) -> Sample:
        """The outputs for the numbers of one sample; each layer records in its own scope."""
        found: dict[int, Sample] = {}
        start = 0
        for signal in self._inputs:
            width = prod(signal.shape)
            found[id(signal)] = sample[start : start + width]
            start += width
        for signal in self._order:
            if signal.layer is not None:
                with scope(signal.layer.name):
                    inputs = [found[id(s)] for s in signal.inputs]
                    found[id(signal)] = signal.layer.forward(*inputs)
        return found[id(self._order[-1])]

    def get_layer(self, name: str | None = None, index: int | None = None) -> ShapedLayer:
        """A layer by its name, or by its place.

        Raises:
            NameUnknown: with the nearest known name.
        """
        if index is not None:
            return self.layers[index]
        for layer in self.layers:
            if layer.name == name:
                return layer
        raise unknown_name("layer", name, [layer.name for layer in self.layers])

    def summary(
        self, line_length: int | None = None, print_fn: Callable[[str], Any] = print
    ) -> None:
        """Print a table of the layers, and what is trained and how; see `summary.summary`.

        Args:
            line_length: how many columns it may take, from 40; 80 if not given.
            print_fn: what gets the text, all of it at once.
        """
        from .summary import summary

        print_fn(summary(self, line_length))

    def get_weights(self) -> list[Any]:
        """The numbers of all layers' weights, one after the other, as `Dense.get_weights` does."""
        return [weight for layer in self.layers for weight in layer.get_weights()]

    def set_weights(self, weights: Sequence[Any]) -> None:
        """Set all weights to numbers of the shapes that `get_weights` gives.

        Raises:
            BadArgument: if their number or a shape does not fit; nothing is changed then.
            NotANumber: if something there is no number; nothing is changed then.
        """
        counts = [len(layer.weights()) for layer in self.layers]
        if len(weights) != sum(counts):
            raise BadArgument(
                f"This model has {sum(counts)} weights. Received: {len(weights)} arrays."
            )
        before, rest = self.get_weights(), list(weights)
        try:
            for layer, count in zip(self.layers, counts):
                layer.set_weights(rest[:count])
                rest = rest[count:]
        except TinygradError:
            self.set_weights(before)
            raise

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the model into one readable file, whole or not at all; see `saving.save_model`."""
        from .saving import save_model

        save_model(self, path)

    def save_weights(self, path: str | os.PathLike[str]) -> None:
        """Write the weights alone; see `saving.save_weights`."""
        from .saving import save_weights

        save_weights(self, path)

    def load_weights(self, path: str | os.PathLike[str]) -> None:
        """Take the weights out of a file, all or none; see `saving.load_weights`."""
        from .saving import load_weights

        load_weights(self, path)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        """What notebooks show: the summary."""
        from .summary import as_html, summary

        text = {"text/plain": summary(self)}
        return {**text, "text/html": as_html(self)} if wants_html(include, exclude) else text

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r}, {len(self.layers)} layers>"


class Sequential(Model):
    """Layers one after the other.

    Args:
        layers: of which the first may tell the shape of its input (``input_shape=[1]``), or
            be `Input`; else the first data that it sees tells.

    >>> from tinygrad_edu import keras
    >>> model = keras.Sequential([keras.layers.Dense(units=1, input_shape=[1])])
    >>> model.layers[0].set_weights([[[2.0]], [1.0]])
    >>> model.predict([10])
    [[21.0]]
    """

    def __init__(self, layers: Iterable[Any] = (), name: str = "sequential") -> None:
        self._prepare(name)
        self._start: Signal | None = None
        for layer in layers:
            self.add(layer)

    def add(self, layer: ShapedLayer | Signal) -> None:
        """Put a layer behind the last one."""
        if isinstance(layer, Signal):
            if self.layers or layer.layer is not None:
                raise BadArgument("Input is the first thing in a Sequential, and only once.")
            self._start = layer
            return
        if not isinstance(layer, ShapedLayer):
            raise BadArgument(
                f"A Sequential is made of layers, such as keras.layers.Dense(1). "
                f"Received: {layer!r}."
            )
        if any(layer is other for other in self.layers):
            raise BadArgument(f"Layer {layer.name!r} is in this model already.")
        self.layers.append(layer)
        if self._start is None and len(self.layers) == 1 and layer.given_shape is not None:
            self._start = Input(layer.given_shape)
        self._rewire()

    def pop(self) -> ShapedLayer:
        """Take the last layer away, and return it."""
        if not self.layers:
            raise BadArgument("There is no layer to take away.")
        layer = self.layers.pop()
        self._rewire()
        return layer

    def build(self, input_shape: Sequence[int] | int) -> None:
        """Tell the shape of one sample, for a model whose first layer does not."""
        if self._start is None:
            self._start = Input(input_shape)
        elif self._start.shape != Input(input_shape).shape:
            raise BadArgument(
                f"This model takes samples of shape {self._start.shape}. Received: {input_shape!r}."
            )
        self._rewire()

    def _rewire(self) -> None:
        self._order = []
        if self._start is not None and self.layers:
            signal = self._start
            for layer in self.layers:
                signal = layer(signal)
            self._wire([self._start], signal)


def load_model(
    path: str | os.PathLike[str], custom_objects: Mapping[str, Any] | None = None
) -> Model:
    """The model that `Model.save` wrote; see `saving.load_model`."""
    from .saving import load_model

    return load_model(path, custom_objects)


def _number_names(layers: Iterable[ShapedLayer]) -> None:
    """Names that differ: a second dense is dense_1. Names that were given stay as they are."""
    layers = list(layers)
    given = [layer.given_name for layer in layers if layer.given_name is not None]
    for name in given:
        if given.count(name) > 1:
            raise BadArgument(f"Two layers of a model are named {name!r}. Give one another name.")
    taken = set(given)
    for layer in layers:
        if layer.given_name is None:
            if layer.name in taken:
                layer.name = free(snake(type(layer).__name__), taken)
            taken.add(layer.name)
