"""`Sequential` and `Model`: layers in a row, or in any arrangement without cycles."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from inspect import signature
from pathlib import Path
from typing import Any, ClassVar

from ..compiler.exporting import Exported, written
from ..errors import BadArgument
from ..files import write_whole
from ..nn.layers import Apply, Input, ShapedLayer, Signal, layers_in, sample_shape
from ..nn.tensors import Tensor
from ..notebooks import wants_html
from ..schemas import parsed
from ..strings import legible
from . import interchange, saving
from .keeping import trained
from .programs import Forward
from .summary import as_html, summary
from .training import Trainer
from .turns import alone
from .wiring import number_names


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

    _NOT_ASKED = (
        "compute_loss", "compute_metrics", "make_train_function", "predict_step", "test_step",
        "train_step",
    )  # fmt: skip

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        for name in cls._NOT_ASKED:
            if name in vars(cls):
                raise BadArgument(
                    f"fit does not call {name}, so this model would not do what it says. "
                    f"Received: {cls.__name__}.{name}. Write a loop instead: loss = "
                    f"loss_function(y, model(x)), loss.backward(), optimizer.step()."
                )

    def __init__(self, inputs: Any = None, outputs: Any = None, name: str | None = None) -> None:
        super().__init__(name)
        if inputs is not None:
            self._wire([inputs] if isinstance(inputs, Signal) else list(_values(inputs)), outputs)

    def build(self, input_shape: Any) -> None:
        """Call ``call`` of a subclass on Signals, which wires it.

        Args:
            input_shape: the shape of one sample such as ``(2,)``, or of a batch: ``(None, 2)``.
        """
        method = getattr(self, "call", None)
        if method is None:
            raise BadArgument(
                f"{type(self).__name__} has no inputs and outputs, and no call(self, x)."
            )
        start = Input(sample_shape(input_shape))
        if "training" not in signature(method).parameters:
            outputs = method(start)
        else:
            outputs, other = method(start, training=False), method(start, training=True)
            if _wiring(outputs) != _wiring(other):
                raise BadArgument(
                    f"call of {type(self).__name__} uses other layers in training. Call them "
                    f"always: layers such as Dropout know whether they are in training."
                )
        self._wire([start], outputs)
        mine = {name: x for name, x in vars(self).items() if name != "layers"}
        places = {id(layer): i for i, layer in enumerate(layers_in(mine.values()))}
        self.layers.sort(key=lambda layer: places.get(id(layer), len(places)))

    def __call__(self, x: Any, training: bool | None = None) -> Any:
        """The outputs for samples, as Values; for Signals, the output Signal.

        Args:
            x: samples as for `fit`; or Signals, for a model in a model.
            training: whether to behave as in training.

        >>> from tinygrad_edu import keras
        >>> model = keras.Sequential([keras.layers.Dense(1, kernel_initializer="ones")])
        >>> [[y]] = model([[2.0]])
        >>> y.data
        2.0
        """
        parts = x if isinstance(x, (list, tuple)) else [x]
        if any(isinstance(part, Signal) for part in parts):
            return super().__call__(x)
        rows = self._inputs_of(x).rows
        with trained(self, bool(training)):
            outputs = self.forward_batch(list(map(list, rows)))
        return self.separated(outputs, lambda rows, shape: Tensor(rows, (len(rows), *shape)))

    def get_config(self) -> dict[str, Any]:
        """The layers and how they are wired, without weights; `from_config` reads it."""
        return saving.described(self)

    config = get_config

    @classmethod
    def from_config(
        cls, config: Mapping[str, Any], custom_objects: Mapping[str, Any] | None = None
    ) -> Any:
        """A new model, with new weights, as `get_config` described it.

        Raises:
            SavedModelError: if it is anything else.
        """
        with saving._reported("No model was made from", config):
            return saving.assembled(config, custom_objects or {})

    def to_json(self, **settings: Any) -> str:
        """`get_config` as JSON; `keras.models.model_from_json` reads it.

        Args:
            **settings: as for `json.dumps`.
        """
        described = {"class_name": type(self).__name__, "config": self.get_config()}
        return json.dumps(described, **settings)

    def summary(
        self, line_length: int | None = None, print_fn: Callable[[str], Any] = print
    ) -> None:
        """Print a table of the layers, and what is trained and how; see `summary.summary`.

        Args:
            line_length: how many columns it may take, from 40; 80 if not given.
            print_fn: what gets the text, all of it at once.
        """
        print_fn(legible(summary(self, line_length)))

    @alone
    def get_weights(self) -> list[Any]:
        """The numbers of all layers' weights, one after the other, as `Dense.get_weights` does."""
        return [weight for layer in self.layers for weight in layer.get_weights()]

    @alone
    def set_weights(self, weights: Sequence[Any]) -> None:
        """Set all weights to numbers in the shapes that `get_weights` returns.

        Raises:
            BadArgument: if their number or a shape does not fit; nothing is changed then.
            NotANumber: if an entry is not a number; nothing is changed then.
        """
        counts = [len(layer.weight_values()) for layer in self.layers]
        if len(weights) != sum(counts):
            raise BadArgument(
                f"This model has {sum(counts)} weights. Received: {len(weights)} arrays."
            )
        before, rest = self.get_weights(), list(weights)
        try:
            for layer, count in zip(self.layers, counts):
                layer.set_weights(rest[:count])
                rest = rest[count:]
        except BaseException:  # Ctrl-C, too
            self.set_weights(before)
            raise

    @alone
    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the model atomically into one readable file; see `saving.save_model`."""
        saving.save_model(self, path)

    @alone
    def save_weights(self, path: str | os.PathLike[str]) -> None:
        """Write the weights alone; see `saving.save_weights`."""
        saving.save_weights(self, path)

    @alone
    def load_weights(self, path: str | os.PathLike[str]) -> None:
        """Load the weights from a file, all or none; see `saving.load_weights`."""
        saving.load_weights(self, path)

    @alone
    def export(self, to: str | os.PathLike[str], format: str | None = None) -> Any:
        """The trained model for another library or language; see `tinygrad_edu.export`. Besides
        its formats there are ``.keras`` files, and "keras", a Python program for Keras.

        Samples are rows of numbers there, of several inputs side by side, and results are rows,
        too. Layers are as when they predict: dropout does nothing.

        >>> from tinygrad_edu import keras
        >>> model = keras.Sequential([keras.layers.Dense(1, input_shape=[1])])
        >>> model.set_weights([[[2.0]], [1.0]])
        >>> "2.0 * inputs[0]" in model.export("javascript")
        True
        """
        if not self.built:
            raise BadArgument(f"{self.name!r} has no weights yet: call build, or fit it first.")
        path = Path(to)
        if path.suffix == ".keras":
            saving.save_model(self, path)
            return path
        if "keras" in (to, format):
            text = interchange.source(self)
            if format is not None:
                write_whole(path, text.encode())
            return text if format is None else path
        forward = Forward(self, training=False)
        (flat,), name = forward.sketch, re.sub(r"\W", "_", self.name)
        theta, inputs = [value.data for value in flat.captured], [""] * flat.code.inputs
        return written(Exported(flat.code, theta, inputs, name, forward.graph), to, format)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        """For notebooks: the summary."""
        text = {"text/plain": summary(self)}
        return {**text, "text/html": as_html(self)} if wants_html(include, exclude) else text

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r}, {len(self.layers)} layers>"


class Sequential(Model):
    """Layers one after the other.

    Args:
        layers: the layers. The first may specify the shape of its input (``input_shape=[1]``), or
            be `Input`; otherwise the first data determine it.

    >>> from tinygrad_edu import keras
    >>> model = keras.Sequential([keras.layers.Dense(units=1, input_shape=[1])])
    >>> model.layers[0].set_weights([[[2.0]], [1.0]])
    >>> model.predict([10])
    [[21.0]]
    """

    branching: ClassVar[bool] = False

    def __init__(self, layers: Iterable[Any] | None = None, name: str | None = None) -> None:
        super().__init__(name=name)
        self._start: Signal | None = None
        for layer in layers or ():
            self.add(layer)

    def add(self, layer: ShapedLayer | Signal) -> None:
        """Append a layer."""
        if isinstance(layer, Signal):
            if self.layers or layer.layer is not None:
                raise BadArgument("Input can only be the first layer of a Sequential.")
            self._start = layer
            return
        if not isinstance(layer, ShapedLayer):
            raise BadArgument(
                f"A Sequential is made of layers, such as keras.layers.Dense(1). "
                f"Received: {layer!r}."
            )
        if id(layer) in self._members:
            raise BadArgument(f"Layer {layer.name!r} is in this model already.")
        start = self._start
        if start is None and not self.layers and layer.given_shape is not None:
            start = Input(layer.given_shape)
        if start is None:
            self.layers.append(layer)  # the shape of the input is not known yet
        elif self.built and layer.given_name not in self._taken:  # only the end is new
            signal = layer(self._order[-1])
            number_names([layer], self._taken)
            layer.prepare(self._order[-1].shape, random=self.random)
            self.layers.append(layer)
            self._order.append(signal)
            self._outputs = [signal]
        else:
            self._rewire([*self.layers, layer], start)
        self._members.add(id(layer))

    def pop(self) -> ShapedLayer:
        """Remove the last layer, and return it."""
        if not self.layers:
            raise BadArgument("There is no layer to remove.")
        layer = self.layers[-1]
        self._rewire(self.layers[:-1], self._start)
        self._members.discard(id(layer))
        return layer

    def build(self, input_shape: Sequence[int | None] | int) -> None:
        """Set the shape of one sample, for a model whose first layer does not specify it.

        Args:
            input_shape: the shape of one sample such as ``(2,)``, or of a batch: ``(None, 2)``.
        """
        shape = sample_shape(input_shape)
        start = self._start or Input(shape)
        if start.shape != shape:
            raise BadArgument(
                f"This model takes samples of shape {start.shape}. Received: {input_shape!r}."
            )
        self._rewire(self.layers, start)

    def _rewire(self, layers: list[ShapedLayer], start: Signal | None) -> None:
        """Take these layers, behind this input; nothing changes where they do not fit."""
        if start is not None and layers:
            signal = start
            for layer in layers:
                signal = layer(signal)
            self._wire([start], signal)
        else:
            self.layers, self._order, self._outputs = layers, [], []
        self._start = start


def _values(parts: Any) -> Any:
    return parts.values() if isinstance(parts, Mapping) else parts


def _wiring(outputs: Any) -> list[Any]:
    """Which layers are called on what, to compare two ways."""
    waiting = [outputs] if isinstance(outputs, Signal) else list(_values(outputs))
    found = []
    while waiting:
        signal = waiting.pop()
        waiting += signal.inputs
        layer = signal.layer
        fixed = isinstance(layer, Apply) and (layer.row, layer.operands)
        found.append(fixed or id(layer if layer is not None else signal))
    return found


def clone_model(model: Model) -> Any:
    """A model with the same layers, and new weights."""
    return type(model).from_config(model.get_config())


def model_from_json(json_string: str, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """A new model, as `Model.to_json` described it.

    Raises:
        SavedModelError: if it is anything else.
    """
    with saving._reported("No model was made from", json_string):
        return saving.assembled(parsed(json_string)["config"], custom_objects or {})


load_model, save_model = saving.load_model, saving.save_model

saving.MODELS.update(Sequential=Sequential, Model=Model)
saving.LAYERS.update(saving.MODELS)  # models can be layers of models
