"""What Keras keeps in ``keras.utils``: seeds and pictures."""

from __future__ import annotations

import os
from math import prod
from typing import TYPE_CHECKING, Any

from ..core.ops import sum as total
from ..core.value import Value
from ..drawing import Drawing, draw
from ..errors import BadArgument, GraphError, check_name
from ..nn.seeding import set_random_seed

if TYPE_CHECKING:
    from .models import Model

__all__ = ["plot_model", "set_random_seed"]

_OF_DRAW = (
    "depth", "digits", "direction", "highlight", "limit", "show", "theme", "title", "unfold",
)  # fmt: skip
_OF_KERAS = (
    "dpi", "expand_nested", "layer_range", "rankdir", "show_dtype", "show_layer_activations",
    "show_layer_names", "show_shapes", "show_trainable",
)  # fmt: skip


def plot_model(
    model: Model,
    to_file: str | os.PathLike[str] | None = "model.png",
    x: Any = None,
    y: Any = None,
    **options: Any,
) -> Drawing:
    """A picture of all numbers in a model: how they become its loss, or its output.

    Args:
        model: a model that is built.
        to_file: where to save it, as .png, .svg, .pdf or .dot; None for nowhere.
        x, y: draw the loss of these samples, with every gradient; for that the model is
            compiled. Without them, the outputs for one sample of ones are drawn.
        **options: those of `tinygrad_edu.draw`: limit, unfold, highlight, theme and so on.
            What Keras's function takes is taken here, too: ``rankdir`` is the direction, the
            others change nothing, for shapes, names and activations are always shown.

    Raises:
        NameUnknown: for an option that there is not.
        GraphError: if the model is not built, or depends on no number at all.
        BadArgument: for x without y, or y without x; or an ending that is not that of a picture.
        DrawingError: if there is no layout engine, or the file can't be written.

    >>> from tinygrad_edu import keras
    >>> model = keras.Sequential([keras.layers.Dense(1, input_shape=[1])])
    >>> plot_model(model, to_file=None)
    <Drawing of 6 nodes: .svg(), .png(), .save("graph.svg"), .text()>
    >>> model.compile("sgd", "mse")
    >>> picture = plot_model(model, None, [1, 2], [10, 20])
    >>> picture.graph.nodes[-1].name
    'loss'
    >>> 'rankdir="TB"' in plot_model(model, None, rankdir="TB", theme="dark").source
    True
    """
    for name in options:
        check_name("argument of plot_model", name, ["to_file", "x", "y", *_OF_DRAW, *_OF_KERAS])
    drawn = {"title": str(model.name), "direction": options.get("rankdir", "LR")}
    drawn |= {name: option for name, option in options.items() if name in _OF_DRAW}
    if (x is None) is not (y is None):
        raise BadArgument(
            f"A loss is drawn of inputs and targets together. "
            f"Received: {'y without x' if x is None else 'x without y'}."
        )
    root = _outputs(model) if x is None else model.loss_graph(x, y)
    picture = draw(root, **drawn)
    if to_file is not None:
        picture.save(to_file)
    return picture


def _outputs(model: Model) -> Value:
    """The recorded output for one sample of ones; the sum of several outputs, as one root."""
    if model.in_shape is None:
        raise GraphError(
            f"There is nothing to draw before the model is built. Received: {model!r}. Call "
            f"model.build((n,)), or draw the loss of data: plot_model(model, x=x, y=y)."
        )
    width = prod(model.in_shape)
    outputs = model.forward_named([1.0] * width)
    root = outputs[0] if len(outputs) == 1 else total(outputs)
    if not isinstance(root, Value):
        raise GraphError(f"The output of {model!r} is a plain number, which has no graph: {root}.")
    return root
