"""One recorded sample: the outputs of the layers, its loss and its metrics.

It is recorded on Values whose numbers can't be read, so no Python code can depend on them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from math import prod
from random import Random
from typing import Any, NamedTuple

from ..blocks import MODE
from ..compiler import flatten
from ..compiler.lowering import Flat
from ..compiler.traced import Trace
from ..core import ops
from ..core.calculus import gradients
from ..core.graph import tape
from ..core.value import Value
from ..errors import NotTraceable
from ..nn.layers import ShapedLayer
from ..nn.losses import Loss, class_index
from ..nn.metrics import METRICS, Metric
from ..nn.module import Module
from ..nn.names import Named
from ..nn.optimizers import Optimizer
from .data import Pairs

SPARSE = {"sparse_categorical_crossentropy": "categorical_crossentropy"}
"""Losses whose target is a class, and the same loss of that class as one-hot numbers."""


class OnlyPython(Exception):
    """A part can only run in plain Python, such as a loss that sees whole batches."""


class Draws(Random):
    """Replaces a layer's random numbers while it is recorded: each becomes an input."""

    def __new__(cls, *_: Any) -> Draws:
        return super().__new__(cls)  # which takes the seed alone before Python 3.11

    def __init__(self, source: Random, drawn: list[tuple[Random, Value]]) -> None:
        super().__init__(0)
        self._source, self._drawn = source, drawn

    def random(self) -> Any:
        self._drawn.append((self._source, MODE.get().trace.leaf(0.5)))
        return self._drawn[-1][1]

    def getrandbits(self, bits: int) -> int:
        raise NotTraceable(
            "A layer draws random numbers by a method other than random(), which can't be replayed."
        )


@contextmanager
def drawing(layers: Sequence[ShapedLayer]) -> Iterator[list[tuple[Random, Value]]]:
    """A block in which layers draw Values: yields them, each with the stream it will come from."""
    drawn: list[tuple[Random, Value]] = []
    parts = [part for layer in layers for _, part in layer._walk() if isinstance(part, ShapedLayer)]
    places = [
        (layer, name, stream)
        for layer in dict.fromkeys(parts)
        for stream in layer.streams()
        for name, thing in vars(layer).items()
        if thing is stream
    ]
    try:
        for layer, name, stream in places:
            setattr(layer, name, Draws(stream, drawn))
        yield drawn
    finally:
        for layer, name, stream in places:
            setattr(layer, name, stream)


class Recorded(NamedTuple):
    """One sample, recorded."""

    x: list[Value]
    drawn: list[Value]  # the random numbers that its layers draw
    streams: list[Random]  # where each of these comes from
    outputs: list[Any]
    fines: list[Any]  # the penalties on outputs of layers


def forward(model: Any, training: bool) -> Recorded:
    """The outputs of the layers for one sample; called while tracing.

    Raises:
        OnlyPython: if a layer sees whole batches.
    """
    x = [MODE.get().trace.leaf(0.5, "input") for _ in range(prod(model.in_shape))]
    if training and model.sees_batches:
        raise OnlyPython("a layer that sees whole batches")
    fines: list[Any] = []
    with drawing(model.layers if training else []) as drawn:
        outputs = list(model.forward(list(x), fines=fines))
    return Recorded(x, [v for _, v in drawn], [stream for stream, _ in drawn], outputs, fines)


def of_one_hot(loss: Loss) -> Loss | None:
    """The same loss of one-hot numbers, for one whose target is a class."""
    name = SPARSE.get(loss.row or "") if loss.built_in else None
    return Loss(name, reduction=loss.reduction, **loss.settings) if name else None


def targets(loss: Loss, data: Pairs, outputs: int) -> list[list[float]]:
    """The targets in the form for programs: a class as one-hot numbers.

    Raises:
        BadArgument: for a class that does not exist, as the loss itself would.
    """
    if of_one_hot(loss) is None:
        return data.y.rows
    classes = [class_index(row, outputs) for row in data.y.rows]
    return [[1.0 if i == right else 0.0 for i in range(outputs)] for right in classes]


def _recordable(metric: Metric, sparse: bool, target: int, outputs: int) -> Any:
    """The function of a metric that is a mean over samples, None if Python must compute it."""
    if not metric.is_mean:
        return None
    name = metric.row or ""
    if sparse:  # and so the target is one-hot numbers here
        name = "sparse_categorical_accuracy" if name == "accuracy" else name
        return METRICS[name.removeprefix("sparse_")] if name.startswith("sparse_") else None
    if name.startswith("sparse_") or (name == "accuracy" and target != outputs):
        return None
    return metric.function


class Losses(NamedTuple):
    """A recorded sample with its loss, its metrics and the penalties."""

    inputs: list[Value]
    streams: list[Random]
    loss: Any  # times the weight of the sample
    sums: list[Any]  # numbers whose sums over a batch are needed, besides that of the loss
    penalties: list[Any]


def with_loss(model: Any, target: int, weighted: bool, training: bool) -> Losses:
    """One sample with its loss; called while tracing.

    Args:
        model: compiled.
        target: how many numbers a target has.
        weighted: whether samples have weights.
        training: whether layers should behave as in training.

    Raises:
        OnlyPython: if a metric sees whole batches.
    """
    sample, one_hot = forward(model, training), of_one_hot(model.loss)
    outputs = len(sample.outputs)
    y = [Value(0.5, role="target") for _ in range(outputs if one_hot else target)]
    (loss,) = (one_hot or model.loss).per_sample([y], [sample.outputs])
    weights = [Value(1.0)] if weighted else []
    sums: list[Any] = list(weights)
    for name, metric in model.measures.items():
        function = _recordable(metric, one_hot is not None, target, outputs)
        if function is None:
            raise OnlyPython(name)
        measured = function(y, sample.outputs, **metric.settings)
        sums.append(weights[0] * measured if weighted and name in model.weighted else measured)
    if weighted:
        loss = loss * weights[0]
    loss = with_penalties(loss, sample.fines)
    inputs = [*sample.x, *y, *weights, *sample.drawn]
    return Losses(inputs, sample.streams, loss, sums, penalties(model))


def flattened(trace: Trace, *args: Any, **wanted: Any) -> Flat:
    """A program; results recorded before the trace are constants in it.

    Raises:
        StaleGraph: if such a constant is out of date, as plain Python would report.
    """
    flat = flatten(*args, **wanted, since=trace.since)
    tape(*flat.captured)
    return flat


def penalties(model: Any) -> list[Any]:
    """The penalty of the regularisers of all layers."""
    return [p for layer in model.layers for p in layer.penalties()]


def with_penalties(loss: Any, fines: Sequence[Any]) -> Any:
    """The loss and what is added to it."""
    return ops.sum([loss, *fines]) if fines else loss


def slopes_of(y: Any, weights: Sequence[Value]) -> list[Any]:
    """∂y/∂w of each weight, a float where it is a plain number."""
    if not isinstance(y, Value):
        return [0.0] * len(weights)
    recorded = set(tape(y))  # a leaf beyond these was made of a plain number
    slopes = gradients(y, weights)
    return [g if g.op is not None or g in recorded else g._data for g in slopes]


def custom(atoms: Sequence[Any]) -> bool:
    """Whether any of these is user-defined code, which might behave differently each
    time that it is called."""
    package = __name__.partition(".")[0]
    for atom in atoms:
        code = type(atom) if isinstance(atom, (Module, Named, Optimizer)) else atom
        if callable(code) and not str(getattr(code, "__module__", "")).startswith(f"{package}."):
            return True
    return False
