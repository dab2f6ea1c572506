"""One recorded sample: the outputs of the layers, its loss and its metrics.

It is recorded on Values whose numbers can't be read, so no Python code can depend on them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import accumulate, chain, pairwise
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


def of_one_hot(loss: Loss | None) -> Loss | None:
    """The same loss of one-hot numbers, for one whose target is a class."""
    if loss is None:
        return None
    name = SPARSE.get(loss.row or "") if loss.built_in else None
    return Loss(name, reduction=loss.reduction, **loss.settings) if name else None


def targets(model: Any, data: Pairs) -> list[list[float]]:
    """The targets in the form for programs: a class as one-hot numbers.

    Raises:
        BadArgument: for a class that does not exist, as the loss itself would.
    """
    columns = []
    for goal, n, ys in zip(model.goals, model.widths, columns_of(data.y.rows, data.y.parts)):
        if of_one_hot(goal.loss) is not None:
            classes = [class_index(row, n) for row in ys]
            ys = [[1.0 if i == right else 0.0 for i in range(n)] for right in classes]
        columns.append(ys)
    return columns[0] if len(columns) == 1 else [list(chain(*parts)) for parts in zip(*columns)]


def columns_of(rows: list[Any], widths: Sequence[int]) -> list[list[Any]]:
    """Rows of numbers, cut into the rows for each output.

    >>> columns_of([[1, 2, 3], [4, 5, 6]], [1, 2])
    [[[1], [4]], [[2, 3], [5, 6]]]
    """
    if len(widths) == 1:
        return [rows]
    ends = list(accumulate(widths, initial=0))
    return [[row[start:end] for row in rows] for start, end in pairwise(ends)]


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


class Share(NamedTuple):
    """A loss of one sample, and how those of a batch are reduced.

    Args:
        loss: whose `of_sum` reduces them.
        weight: the place of its weight among those of the sample, None if it has none.
        value: the number itself.
    """

    loss: Loss
    weight: int | None
    value: Any

    def reduced(self, total: Any, count: Any, sums: Sequence[Any]) -> Any:
        """The loss of a batch, from the sum over its samples and the sums of their weights."""
        return self.loss.of_sum(total, count, None if self.weight is None else sums[self.weight])


class Losses(NamedTuple):
    """A recorded sample with its losses, its metrics and the penalties."""

    inputs: list[Value]
    streams: list[Random]
    shares: list[Share]  # their sum is the loss; losses that are reduced alike are one share
    apart: list[Share]  # the losses of several outputs, without their factors
    noted: list[Any]  # the weights of the sample, and its metrics
    penalties: list[Any]


_MEAN = Loss("mean_squared_error")  # how penalties on outputs are reduced


def with_loss(
    model: Any, target: Sequence[int], weighted: Sequence[bool], training: bool
) -> Losses:
    """One sample with its loss; called while tracing.

    Args:
        model: compiled.
        target: for each output, how many numbers its target has.
        weighted: for each output, whether samples have weights.
        training: whether layers should behave as in training.

    Raises:
        OnlyPython: if a metric sees whole batches.
    """
    sample, places = forward(model, training), list(accumulate(weighted, initial=0))
    weights = [Value(1.0) for _ in range(places[-1])]
    ends = model.widths
    outputs = [column[0] for column in columns_of([sample.outputs], ends)]
    hot = [of_one_hot(goal.loss) for goal in model.goals]
    y = [
        [Value(0.5, role="target") for _ in range(end if one_hot else width)]
        for one_hot, end, width in zip(hot, ends, target)
    ]
    apart, terms = list[Share](), dict[Any, list[Any]]()
    for i, goal in enumerate(model.goals):
        if goal.loss is not None:
            (value,) = (hot[i] or goal.loss).per_sample([y[i]], [outputs[i]])
            place = places[i] if weighted[i] else None
            value = value if place is None else value * weights[place]
            apart.append(Share(goal.loss, place, value))
            terms.setdefault(_alike(apart[-1]), []).append(_scaled(value, goal.factor))
    reducing = {_alike(share): share for share in reversed(apart)}
    if sample.fines:
        terms.setdefault("mean", []).extend(sample.fines)
        reducing.setdefault("mean", Share(_MEAN, None, 0.0))
    shares = [reducing[k]._replace(value=with_penalties(v[0], v[1:])) for k, v in terms.items()]
    noted: list[Any] = list(weights)
    for name, (metric, i, weighs, _) in model.measured.items():
        function = _recordable(metric, hot[i] is not None, target[i], ends[i])
        if function is None:
            raise OnlyPython(name)
        measured = function(y[i], outputs[i], **metric.settings)
        noted.append(weights[places[i]] * measured if weighted[i] and weighs else measured)
    inputs = [*sample.x, *chain(*y), *weights, *sample.drawn]
    apart = apart if len(apart) > 1 else []
    return Losses(inputs, sample.streams, shares, apart, noted, penalties(model))


def _alike(share: Share) -> Any:
    """The same for losses that are reduced alike."""
    if share.loss.reduction == "sum":
        return "sum"
    own = share.loss.reduction == "mean_with_sample_weight" and share.weight is not None
    return share.weight if own else "mean"


def _scaled(loss: Any, factor: float) -> Any:
    return loss if factor == 1.0 else loss * factor


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
