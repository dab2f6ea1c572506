"""A model's training, evaluation and prediction as programs that are recorded once.

    one sample ──layers, loss──▶ its loss ──reverse sweep──▶ gradients      the step
    weights, memory, Σ gradients, rate ──the optimiser's rule──▶ new ones   the update

`compiler` flattens the recordings. The step is replayed over the samples of a batch, and both
together over the batches of many epochs.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import accumulate, repeat
from random import Random
from typing import Any, ClassVar

from ..compiler.lowering import Flat
from ..compiler.traced import Trace
from ..core import ops
from ..core.value import Value, zero_grad
from ..nn.layers import Sample
from .data import Pairs
from .engines import Engine, Table, Task, TrainingEngine
from .recording import (
    Losses,
    OnlyPython,
    custom,
    flattened,
    forward,
    slopes_of,
    targets,
    with_loss,
    with_penalties,
)
from .updating import Sums, Update


class Recording:
    """The base of all programs: code of the model is recorded when they are made, and ``ready()``
    makes of it what runs.

    Attributes:
        beside: attributes of the model that it does not depend on.
        sketch: the flattened recording. Recordings with the same sketch are the same.
        streams: the sources of the random numbers that are drawn for each sample.
    """

    beside: ClassVar[Collection[str]] = ("goals", "measured", "optimizer")
    sketch: tuple[Flat, ...]
    streams: Sequence[Random] = ()

    def __init__(self, model: Any) -> None:
        self.jit = model.jit_compile
        self.trace = Trace()  # older results keep their numbers, as in plain Python


class Forward(Recording):
    """The outputs for samples, and the gradients of the weights from the adjoints of the outputs.

    Args:
        model: the model.
        training: whether layers are in training mode; only then are there gradients.
    """

    def __init__(self, model: Any, training: bool) -> None:
        super().__init__(model)
        self.weights = _to_learn(model) if training else []
        with self.trace:
            self._recorded = recorded = forward(model, training)
        self.streams = recorded.streams
        self._inputs = [*recorded.x, *recorded.drawn]
        self.graph = self._inputs, recorded.outputs
        self.sketch = (flattened(self.trace, self._inputs, self.weights, each=recorded.outputs),)

    def ready(self) -> None:
        """Differentiate the recording, and prepare both programs."""
        (flat,), outputs = self.sketch, self._recorded.outputs
        with self.trace:
            adjoints = [Value(0.5) for _ in outputs]
            seeded = ops.sum([a * y for a, y in zip(adjoints, outputs)])
            pulled = slopes_of(seeded, self.weights)
        back = flattened(self.trace, [*self._inputs, *adjoints], self.weights, total=pulled)
        self.captured, self.pull_captured = flat.captured, back.captured
        self._run, self._pull = (Engine(each.code, self.jit) for each in (flat, back))
        del self._recorded, self.graph

    def rows(self, xs: Sequence[Sequence[float]]) -> list[list[float]]:
        """The inputs of each sample, and the random numbers of its layers."""
        return [[*x, *(stream.random() for stream in self.streams)] for x in xs]

    def outputs(self, rows: Sequence[Sequence[float]]) -> list[list[float]]:
        """One list of outputs per row."""
        each, _, _ = self._run(rows, numbers([*self.weights, *self.captured]))
        return each

    def leaves(self, rows: Sequence[Sequence[float]]) -> list[Sample]:
        """The outputs as leaf Values, from which recording continues."""
        return [list(map(Value, outputs)) for outputs in self.outputs(rows)]

    def pull(self, rows: Sequence[Sequence[float]], outputs: Sequence[Sequence[Any]]) -> None:
        """Add Σ adjoint · ∂output/∂weight to the gradient of each weight.

        Args:
            rows: the result of `rows`.
            outputs: Values for the outputs of each row, whose ``grad`` is their adjoint.
        """
        both = [[*row, *(y.grad for y in ys)] for row, ys in zip(rows, outputs)]
        _, slopes, _ = self._pull(both, numbers([*self.weights, *self.pull_captured]))
        for weight, slope in zip(self.weights, slopes):
            weight.grad += slope


class _OfBatches(Recording):
    """The base of evaluation and training: targets, weights and sums over batches.

    User-defined losses and metrics see whole batches, in Python.
    """

    def __init__(self, model: Any, weighted: Sequence[bool]) -> None:
        super().__init__(model)
        for goal in model.goals:
            if goal.loss is not None and not (goal.loss.built_in and goal.loss.reduction != "none"):
                raise OnlyPython(goal.loss.name)
        self.model, places = model, list(accumulate(weighted, initial=0))
        self.weights = places[-1]  # how many a sample has
        self.metrics = [
            (metric, places[i] if weighs and weighted[i] else None)
            for metric, i, weighs, _ in model.measured.values()
        ]

    def rows(self, data: Pairs) -> Table:
        """The numbers of each sample: inputs, targets, weights."""
        columns = [column for column in data.weights or () if column is not None]
        weights = zip(*columns) if columns else repeat(())
        return Table(
            [*x, *y, *w] for x, y, w in zip(data.x.rows, targets(self.model, data), weights)
        )

    def note(self, sums: Sequence[float], count: int) -> None:
        """Add the sums of a batch to the metrics."""
        for (metric, weight), total in zip(self.metrics, sums[self.weights :]):
            metric.total += total
            metric.weight += float(count) if weight is None else sums[weight]


class Evaluation(_OfBatches):
    """The losses and the metrics of a batch, from sums over its samples."""

    def __init__(self, model: Any, target: Sequence[int], weighted: Sequence[bool]) -> None:
        super().__init__(model, weighted)
        with self.trace:
            one = with_loss(model, target, weighted, training=False)
        self.shares, self.apart = one.shares, one.apart
        self.sketch = (
            flattened(self.trace, one.inputs, total=_wanted(one), once=one.penalties),
        )  # fmt: skip

    def ready(self) -> None:
        """Prepare the program."""
        ((code, self.captured),) = self.sketch
        self._run = Engine(code, self.jit)

    def batch(self, data: Pairs) -> list[float]:
        """The loss of some samples and those of several outputs; they are added to the metrics."""
        _, totals, penalties = self._run(self.rows(data), numbers(self.captured))
        every = [*self.shares, *self.apart]
        sums = totals[len(every) :]
        self.note(sums, len(data))
        losses = [share.reduced(x, float(len(data)), sums) for share, x in zip(every, totals)]
        first, *others = losses[: len(self.shares)]
        return [with_penalties(first, [*others, *penalties]), *losses[len(self.shares) :]]


class Training(_OfBatches):
    """Steps of the optimiser as a program for the gradients and one for the update.

    The state that the steps change is one list of numbers: the trainable weights, all others that
    the layers read, the optimiser's memory of each weight, the number of steps, and the last
    gradients. The record of a step contains its loss and its sums.

    Args:
        model: compiled, with its optimiser bound.
        target: for each output, the number of numbers in a target.
        weighted: for each output, whether samples have weights.

    Raises:
        OnlyPython: if losses or metrics see whole batches.
        TracingError: if some code reads numbers.
    """

    beside = ("goals", "measured")

    def __init__(self, model: Any, target: Sequence[int], weighted: Sequence[bool]) -> None:
        super().__init__(model, weighted)
        if any(layer.constrained for layer in model.layers):
            raise OnlyPython("constraints on weights")
        self.optimizer, self.moved, self.frozen = model.optimizer, _to_learn(model), frozen(model)
        self._update = Update(self.optimizer, self.trace)
        with self.trace:
            self._recorded = recorded = with_loss(model, target, weighted, training=True)
        self.streams, self.losses = recorded.streams, 1 + len(recorded.apart)
        sample = flattened(
            self.trace, recorded.inputs, self.moved, total=_wanted(recorded),
            once=recorded.penalties,
        )  # fmt: skip
        self.sketch = (sample, self._update.rule)

    def ready(self) -> None:
        """Differentiate the recording, and prepare the step and the update."""
        inputs, _, shares, apart, noted, penalties = recorded = self._recorded
        with self.trace:
            slopes = [slope for share in shares for slope in slopes_of(share.value, self.moved)]
            pull = slopes_of(ops.sum(penalties), self.moved)
        pulled = [i for i, slope in enumerate(pull) if isinstance(slope, Value) or slope]
        step = flattened(
            self.trace, inputs, self.moved, total=[*_wanted(recorded), *slopes],
            once=[*penalties, *(pull[i] for i in pulled)],
        )  # fmt: skip
        self.captured = step.captured
        sums = Sums(shares, apart, len(noted), len(penalties), pulled)
        update = self._update.program(len(self.moved), len(self.captured), sums)
        self._engine = TrainingEngine(step.code, update, self.jit)
        del self._recorded

    def run(
        self, rows: Table, batches: Sequence[Sequence[int]], task: Task | None = None
    ) -> list[list[float]]:
        """Take a step for each batch of rows: model and optimiser are changed.

        Args:
            rows: the numbers of each sample.
            batches: the places in ``rows`` for each step.
            task: the whole training, if it is known.

        Returns:
            The record of each step: its loss, those of several outputs (``losses`` in all), then
            the sums that `note` takes.
        """
        # A user-defined schedule is asked before each step: it may read the model.
        size = 1 if custom([self.optimizer.learning_rate]) else max(1, len(batches))
        pieces = [batches[i : i + size] for i in range(0, len(batches), size)]
        return [record for piece in pieces for record in self._run(rows, piece, task)]

    def _run(
        self, rows: Table, batches: Sequence[Sequence[int]], task: Task | None
    ) -> list[list[float]]:
        rates = self._rates(len(batches))
        if self.streams:
            rows, batches = self._drawn(rows, batches)
        before = self._load()
        state, records = self._engine.train(rows, batches, before, rates, task)
        try:
            self._store(state)
        except BaseException:  # Ctrl-C: all of the steps or none
            self._store(before)
            raise
        return records

    def at_once(self, task: Task) -> int:
        """The number of such epochs in one call that does not delay Ctrl-C."""
        return self._engine.at_once(task)

    def _drawn(self, rows: Table, batches: Sequence[Sequence[int]]) -> tuple[Table, list[range]]:
        """The rows in the order of their use, each with the random numbers of its layers."""
        ends = list(accumulate(map(len, batches), initial=0))
        used = Table([*rows[i], *(s.random() for s in self.streams)] for b in batches for i in b)
        return used, list(map(range, ends, ends[1:]))

    def _load(self) -> list[float]:
        """The current state of model and optimiser."""
        return [
            *numbers(self.moved), *numbers(self.captured),
            *(kept[name] for kept in self.optimizer.memory for name in self._update.names),
            float(self.optimizer.iterations), *[0.0] * len(self.moved),
        ]  # fmt: skip

    def _store(self, state: Sequence[float]) -> None:
        """Write the state to model and optimiser."""
        rest = iter(state)
        for weight in self.moved:
            weight.data = next(rest)
        for _ in self.captured:
            next(rest)
        self.optimizer.memory = [
            {name: next(rest) for name in self._update.names} for _ in self.moved
        ]
        self.optimizer.iterations = int(next(rest))
        for weight in self.moved:
            weight.grad = next(rest)
        zero_grad(self.frozen)

    def _rates(self, steps: int) -> list[list[float]]:
        optimizer = self.optimizer
        if not callable(optimizer.learning_rate):
            return [[optimizer.learning_rate]] * steps
        return [[optimizer.rate_at(optimizer.iterations + i)] for i in range(steps)]


def _wanted(one: Losses) -> list[Any]:
    """The numbers that are summed over a batch, beside the gradients."""
    return [*(share.value for share in (*one.shares, *one.apart)), *one.noted]


def numbers(values: Sequence[Value]) -> list[float]:
    """The numbers of Values, read at once."""
    return [value._data for value in values]


def _to_learn(model: Any) -> list[Value]:
    if not model.parameters() or model.optimizer.parameters is None:
        raise OnlyPython("a model that has nothing to learn")
    return list(model.optimizer.parameters)


def frozen(model: Any) -> list[Value]:
    """The weights that its optimiser does not change. After a step their gradient is 0."""
    moved = set(model.optimizer.parameters or ())
    return [weight for weight in model.parameters() if weight not in moved]
