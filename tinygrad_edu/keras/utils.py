"""What Keras keeps in ``keras.utils``: pictures, seeds and small tools for data."""

from __future__ import annotations

import os
from collections import abc
from math import isfinite, prod
from random import Random
from typing import TYPE_CHECKING, Any

from ..core.ops import sum as total
from ..core.value import Value
from ..drawing import Drawing, draw
from ..errors import BadArgument, GraphError, check_name
from ..nn.seeding import fresh, set_random_seed
from ..nn.tensors import shaped
from ..trees import as_array, flatten, sizes

if TYPE_CHECKING:
    from .models import Model

__all__ = ["normalize", "plot_model", "set_random_seed", "split_dataset", "to_categorical"]

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


def to_categorical(x: Any, num_classes: int | None = None) -> Any:
    """Whole numbers as rows with a single 1, at the place of the number.

    Args:
        x: whole numbers from 0: a list, nested lists or an array. A last axis of one number is
            left out.
        num_classes: the length of the rows; one more than the largest number if not given.

    Returns:
        An array if NumPy is installed, otherwise nested lists.

    Raises:
        BadArgument: for other numbers. (Keras cuts off fractions, and counts negative numbers from
            the end.)

    >>> [[int(one) for one in row] for row in to_categorical([0, 2])]
    [[1, 0, 0], [0, 0, 1]]
    """
    numbers, shape = list(map(float, flatten(x)[0])), sizes(x)
    count = num_classes or int(max(numbers, default=-1.0)) + 1
    for number in numbers:
        if not isfinite(number) or number % 1.0 or not 0.0 <= number < count:
            raise BadArgument(
                f"Classes must be whole numbers from 0 to below {count}. Received: {number!r}. "
                f"Give each class such a number first."
            )
    if len(shape) > 1 and shape[-1] == 1:
        shape = shape[:-1]
    ones = [float(k == number) for number in numbers for k in range(count)]
    return as_array(shaped(ones, (*shape, count)) if ones else [])


def normalize(x: Any, axis: int = -1, order: float = 2) -> Any:
    """Each vector along an axis, divided by its norm; one of zeros stays.

    Args:
        x: an array or nested lists of numbers.
        axis: the axis of the vectors.
        order: of the norm: 2, 1, inf or another that `numpy.linalg.norm` has.

    Returns:
        An array with at least two axes.

    >>> normalize([[3.0, 4.0], [0.0, 0.0]]).tolist()
    [[0.6, 0.8], [0.0, 0.0]]
    """
    from ..nn.tensors import numpy

    np = numpy()
    norms = np.atleast_1d(np.linalg.norm(x, order, axis))
    norms[norms == 0] = 1
    return np.asarray(x) / np.expand_dims(norms, axis)


def split_dataset(
    dataset: Any,
    left_size: float | None = None,
    right_size: float | None = None,
    shuffle: bool = False,
    seed: int | None = None,
    preferred_backend: str | None = None,
) -> tuple[Any, Any]:
    """Samples in two parts, which have the structure of the whole: arrays give arrays.

    Args:
        dataset: an array or a list of samples, or a tuple of several of equal length, such as
            ``(x, y)``. (Keras returns data sets of its backend.)
        left_size, right_size: how many samples go into each part, as a number of samples or a
            fraction below 1. If one is not given, it gets the rest.
        shuffle: whether samples are drawn at random instead of in their order.
        seed: for the draw; the global one of ``set_random_seed`` if not given.
        preferred_backend: must be None.

    Raises:
        BadArgument: if the sizes don't fit, or the lengths differ.

    >>> split_dataset([1, 2, 3, 4, 5], 0.6)
    ([1, 2, 3], [4, 5])
    """
    if preferred_backend is not None:
        raise BadArgument(f"There is one backend. Received: preferred_backend={preferred_backend}.")
    parts = dataset if isinstance(dataset, tuple) else (dataset,)
    counts = sorted({len(part) for part in parts})
    if len(counts) != 1:
        raise BadArgument(f"All parts of a data set are equally long. Received: {counts}.")
    left, right = _split_sizes(left_size, right_size, counts[0])
    order = list(range(counts[0]))
    if shuffle:
        (fresh() if seed is None else Random(seed)).shuffle(order)
    halves = [
        tuple(_taken(part, places) for part in parts)
        for places in (order[:left], order[len(order) - right :])
    ]
    first, last = halves if isinstance(dataset, tuple) else [half[0] for half in halves]
    return first, last


def _split_sizes(left: float | None, right: float | None, count: int) -> tuple[int, int]:
    """How many samples go into each part: Keras's rule."""
    whole = []
    for name, size in (("left_size", left), ("right_size", right)):
        fits = size is None or (0 < size < (1 if isinstance(size, float) else count))
        if not fits or isinstance(size, bool):
            raise BadArgument(
                f"{name} is a fraction between 0 and 1, or a whole number below {count}. "
                f"Received: {size!r}."
            )
        whole.append(round(size * count) if isinstance(size, float) else size)
    if left is None and right is None:
        raise BadArgument("A size is needed. Received: None for both. Pass left_size=0.8.")
    first, last = whole
    first = count - (last or 0) if first is None else first
    last = count - first if last is None else last
    if not (first > 0 and last > 0 and first + last <= count):
        raise BadArgument(
            f"Both parts need a sample, and together no more than {count}. Received: "
            f"left_size={left!r} and right_size={right!r}, which are {first} and {last}."
        )
    return int(first), int(last)


def _taken(part: Any, places: abc.Sequence[int]) -> Any:
    """Some samples of an array, a frame or a sequence."""
    if hasattr(part, "iloc"):
        return part.iloc[list(places)]
    if hasattr(part, "shape"):
        return part[list(places)]
    return type(part)(part[i] for i in places)
