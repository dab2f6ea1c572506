"""A model's training, evaluation and prediction as programs that are recorded once.

    one sample ──layers, loss──▶ its loss ──reverse sweep──▶ gradients      the step
    weights, memory, Σ gradients, rate ──the optimiser's rule──▶ new ones   the update

Both are recorded on Values that nobody may read, so what depends on numbers in Python can't
slip in; `compiler` flattens them, and the step is then replayed over the samples of a batch
and the two together over the batches of many epochs.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from itertools import accumulate
from math import prod
from random import Random, getstate, setstate
from typing import Any, ClassVar, NamedTuple, TypeVar

from ..blocks import MODE
from ..compiler import Code, flatten
from ..compiler.lowering import Flat
from ..compiler.traced import Trace
from ..core import ops
from ..core.calculus import gradients
from ..core.graph import tape
from ..core.modes import refuse_while_tracing
from ..core.value import Value, zero_grad
from ..errors import NotTraceable, TinygradError, TracingError
from ..nn.layers import Sample, ShapedLayer
from ..nn.losses import Loss, class_index
from ..nn.metrics import METRICS, Metric
from ..nn.module import Module
from ..nn.names import Named
from ..nn.optimizers import Optimizer
from .data import Pairs
from .engines import Engine, Table, Task, TrainingEngine

T = TypeVar("T", "Forward", "Evaluation", "Training")
SPARSE = {"sparse_categorical_crossentropy": "categorical_crossentropy"}
"""Losses whose target is a class, and the same loss of that class as one-hot numbers."""


# ── Recording one sample ──────────────────────────────────────────────────────────────────


class Draws(Random):
    """Stands in for a layer's random numbers while it is recorded: each becomes an input."""

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
            "A layer draws something else than random(), which is all that can be replayed."
        )


@contextmanager
def _drawing(layers: Sequence[ShapedLayer]) -> Iterator[list[tuple[Random, Value]]]:
    """Within, what layers draw are Values: yields them, each with the stream it will come from."""
    drawn: list[tuple[Random, Value]] = []
    places = [
        (layer, name, stream)
        for layer in layers
        for stream in layer.streams()
        for name, found in vars(layer).items()
        if found is stream
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
    draws: list[tuple[Random, Value]]
    outputs: list[Any]

    @property
    def drawn(self) -> list[Value]:
        return [value for _, value in self.draws]

    @property
    def streams(self) -> list[Random]:
        return [stream for stream, _ in self.draws]


def _forward(model: Any, width: int, training: bool) -> Recorded:
    """What the layers make of one sample; called while tracing."""
    x = [MODE.get().trace.leaf(0.5, "input") for _ in range(width)]
    with _drawing(model.layers if training else []) as draws:
        inputs: Sample = list(x)
        outputs = model.forward(inputs)
    return Recorded(x, draws, list(outputs))


def _sparse(loss: Loss) -> bool:
    return loss.built_in and loss.name in SPARSE


def _of_one_hot(loss: Loss) -> Loss:
    """The loss for targets that `one_hot` has widened."""
    if not _sparse(loss):
        return loss
    return Loss(SPARSE[loss.name], reduction=loss.reduction, **loss.settings)


def targets(loss: Loss, data: Pairs, outputs: int) -> list[list[float]]:
    """The targets as the programs take them: a class as one-hot numbers.

    Raises:
        BadArgument: for a class that there is not, as the loss itself would.
    """
    if not _sparse(loss):
        return data.y.rows
    found = [class_index(row, outputs) for row in data.y.rows]
    return [[1.0 if i == right else 0.0 for i in range(outputs)] for right in found]


def _recordable(found: Metric, sparse: bool, target: int, outputs: int) -> Any:
    """The function of a metric that is a mean over samples, None if Python must compute it."""
    if type(found) is not Metric or not found.built_in:
        return None
    name = found.name
    if sparse:  # and so the target is one-hot numbers here
        name = "sparse_categorical_accuracy" if name == "accuracy" else name
        return METRICS[name.removeprefix("sparse_")] if name.startswith("sparse_") else None
    if name.startswith("sparse_") or (name == "accuracy" and target != outputs):
        return None
    return found.function


def _with(penalties: Sequence[Any], loss: Any) -> Any:
    return ops.sum([loss, *penalties]) if penalties else loss


class Losses(NamedTuple):
    """One sample with its loss and what metrics say of it, recorded."""

    inputs: list[Value]
    streams: list[Random]
    loss: Any  # times the weight of the sample
    sums: list[Any]  # whose sums over a batch are wanted beside that of the loss


def _with_loss(model: Any, widths: tuple[int, int, int], weighted: bool, training: bool) -> Losses:
    width, target, outputs = widths
    recorded = _forward(model, width, training)
    sparse = _sparse(model.loss)
    y = [Value(0.5, role="target") for _ in range(outputs if sparse else target)]
    (loss,) = _of_one_hot(model.loss).per_sample([y], [recorded.outputs])
    weight = Value(1.0) if weighted else 1.0
    sums: list[Any] = [weight] if weighted else []
    for name, metric in model.metrics.items():
        function = _recordable(metric, sparse, target, outputs)
        if function is None:
            raise OnlyPython(name)
        measured = function(y, recorded.outputs, **metric.settings)
        sums.append(weight * measured if name in model.weighted else measured)
    weights = [weight] if isinstance(weight, Value) else []
    inputs = [*recorded.x, *y, *weights, *recorded.drawn]
    return Losses(inputs, recorded.streams, loss * weight, sums)


# ── Programs ──────────────────────────────────────────────────────────────────────────────


class OnlyPython(Exception):
    """Part of this is plain Python by its nature, such as a loss that sees whole batches."""


class _Recording:
    """What all programs share: code of the model is recorded when they are made, and ``ready()``
    makes of it what runs.

    Attributes:
        beside: attributes of the model that it does not depend on.
        sketch: what was recorded, flattened. Recordings with the same sketch are the same.
        streams: where the random numbers come from that are drawn for each sample.
    """

    beside: ClassVar[Collection[str]] = ("loss", "metrics", "optimizer")
    sketch: tuple[Flat, ...]
    streams: Sequence[Random] = ()

    def __init__(self, model: Any) -> None:
        self.jit = model.jit_compile
        self.trace = Trace()  # what is older keeps its number, as in plain Python

    def flattened(self, *args: Any, **wanted: Any) -> Flat:
        """A program; what was recorded before is a number in it.

        Raises:
            StaleGraph: if that number is none of today's, as plain Python will say.
        """
        flat = flatten(*args, **wanted, since=self.trace.since)
        tape(*flat.captured)
        return flat


class Forward(_Recording):
    """The outputs for samples, and from their adjoints the gradients of the weights.

    Args:
        model: whose layers they are.
        training: whether layers should behave as in training; only then there are gradients.
    """

    def __init__(self, model: Any, training: bool) -> None:
        super().__init__(model)
        self.weights = _to_learn(model) if training else []
        with self.trace:
            self._recorded = recorded = _forward(model, _width(model), training)
        self.streams = recorded.streams
        self._inputs = [*recorded.x, *recorded.drawn]
        self.sketch = (self.flattened(self._inputs, self.weights, each=recorded.outputs),)

    def ready(self) -> None:
        """Differentiate what was recorded, and prepare both programs."""
        (flat,), outputs = self.sketch, self._recorded.outputs
        with self.trace:
            adjoints = _fresh(len(outputs))
            seeded = ops.sum([a * y for a, y in zip(adjoints, outputs)])
            pulled = _gradients(seeded, self.weights)
        back = self.flattened([*self._inputs, *adjoints], self.weights, total=pulled)
        self.held, self.pull_held = flat.captured, back.captured
        self._run, self._pull = (Engine(found.code, self.jit) for found in (flat, back))
        del self._recorded

    def rows(self, xs: Sequence[Sequence[float]]) -> list[list[float]]:
        """The inputs of each sample, and what its layers draw."""
        return [[*x, *(stream.random() for stream in self.streams)] for x in xs]

    def outputs(self, rows: Sequence[Sequence[float]]) -> list[list[float]]:
        """One list of outputs per row."""
        each, _, _ = self._run(rows, _numbers([*self.weights, *self.held]))
        return each

    def leaves(self, rows: Sequence[Sequence[float]]) -> list[Sample]:
        """The outputs as Values without a past, to record from there on."""
        return [list(map(Value, found)) for found in self.outputs(rows)]

    def pull(self, rows: Sequence[Sequence[float]], outputs: Sequence[Sequence[Any]]) -> None:
        """Add Σ adjoint · ∂output/∂weight to the gradient of each weight.

        Args:
            rows: as `rows` gave them.
            outputs: Values for the outputs of each row, whose ``grad`` is their adjoint.
        """
        both = [[*row, *(y.grad for y in found)] for row, found in zip(rows, outputs)]
        _, slopes, _ = self._pull(both, _numbers([*self.weights, *self.pull_held]))
        for weight, slope in zip(self.weights, slopes):
            weight.grad += slope


class _OfBatches(_Recording):
    """What evaluation and training share: targets, weights and sums over batches.

    Losses and metrics of a user's see whole batches, in Python.
    """

    def __init__(self, model: Any, target: int, weighted: bool) -> None:
        super().__init__(model)
        self.loss: Loss = model.loss
        if not self.loss.built_in or self.loss.reduction == "none":
            raise OnlyPython(self.loss.name)
        self.weighted, self.outputs = weighted, prod(model.output_shape)
        self.metrics = [
            (m, weighted and name in model.weighted) for name, m in model.metrics.items()
        ]
        self.widths = (_width(model), target, self.outputs)

    def _record(self, model: Any, training: bool) -> tuple[Losses, list[Any]]:
        """One sample with its loss, and the penalties."""
        with self.trace:
            return _with_loss(model, self.widths, self.weighted, training), _penalties(model)

    def rows(self, data: Pairs) -> Table:
        """The numbers of each sample: inputs, targets, weight."""
        ys = targets(self.loss, data, self.outputs)
        weights = [[]] * len(data) if data.weights is None else [[w] for w in data.weights]
        return Table([*x, *y, *w] for x, y, w in zip(data.x.rows, ys, weights))

    def note(self, sums: Sequence[float], count: int) -> None:
        """Give the metrics the sums of a batch of so many samples."""
        for (metric, weighs), total in zip(self.metrics, sums[self.weighted :]):
            metric.total += total
            metric.weight += sums[0] if weighs else float(count)


class Evaluation(_OfBatches):
    """The loss of a batch, and what metrics say of it, by sums over its samples."""

    def __init__(self, model: Any, target: int, weighted: bool) -> None:
        super().__init__(model, target, weighted)
        recorded, penalties = self._record(model, training=False)
        wanted = [recorded.loss, *recorded.sums]
        self.sketch = (self.flattened(recorded.inputs, total=wanted, once=penalties),)

    def ready(self) -> None:
        """Prepare the program."""
        ((code, self.held),) = self.sketch
        self._run = Engine(code, self.jit)

    def batch(self, data: Pairs) -> float:
        """The loss of some samples; the metrics take them in."""
        _, (total, *sums), penalties = self._run(self.rows(data), _numbers(self.held))
        self.note(sums, len(data))
        weight = sums[0] if self.weighted else None
        loss: float = _with(penalties, self.loss.of_sum(total, float(len(data)), weight))
        return loss


class Training(_OfBatches):
    """Steps of the optimiser as a program for the gradients and one for the update.

    The state that the steps change is one list of numbers: the weights that are trained, all
    others that the layers read, what the optimiser remembers of each weight, how many steps
    were taken, and the last gradients. The record of a step holds its loss and its sums.

    Args:
        model: compiled, with its optimiser bound.
        target: how many numbers a target has.
        weighted: whether samples have weights.

    Raises:
        OnlyPython: if loss or metrics see whole batches.
        TracingError: if something looks at numbers.
    """

    beside = ("loss", "metrics")

    def __init__(self, model: Any, target: int, weighted: bool) -> None:
        super().__init__(model, target, weighted)
        self.optimizer: Optimizer = model.optimizer
        self.weights, self.frozen = _to_learn(model), frozen(model)
        if any(getattr(type(self.optimizer), n) is not getattr(Optimizer, n) for n in _STEPPING):
            raise NotTraceable(
                f"{type(self.optimizer).__name__} has a step of its own. Write the rule as "
                f"update(self, w, g, rate, t, old), and it can be compiled."
            )
        self.names = list(self.optimizer.start())
        self._recorded = recorded, penalties = self._record(model, training=True)
        self.streams, wanted = recorded.streams, [recorded.loss, *recorded.sums]
        sample = self.flattened(recorded.inputs, self.weights, total=wanted, once=penalties)
        self.sketch = (sample, self._rule())

    def ready(self) -> None:
        """Differentiate what was recorded, and prepare the step and the update."""
        recorded, penalties = self._recorded
        with self.trace:
            slopes = _gradients(recorded.loss, self.weights)
            pull = _gradients(ops.sum(penalties), self.weights)
        pulled = [i for i, slope in enumerate(pull) if isinstance(slope, Value) or slope]
        step = self.flattened(
            recorded.inputs,
            self.weights,
            total=[recorded.loss, *recorded.sums, *slopes],
            once=[*penalties, *(pull[i] for i in pulled)],
        )
        self.held = step.captured
        update = self._update(len(recorded.sums), len(penalties), pulled)
        self._engine = TrainingEngine(step.code, update, self.jit)
        del self._recorded

    def _rule(self) -> Flat:
        """What the optimiser does to one weight: a program whose lanes are the weights."""
        w, g, rate, t = _fresh(4)
        old = dict(zip(self.names, _fresh(len(self.names))))
        with self.trace:
            update = _guarded(self.optimizer).applied_to(w, g, g, rate, t, old)
        after = [update.after, *(update.memory[name] for name in self.names)]
        rule = self.flattened([w, g, *old.values()], [rate, t], each=after)
        if rule.captured:
            raise NotTraceable(
                "The rule of the optimizer reads a Value that is none of its arguments. Keep "
                "numbers in its settings, and what it remembers in its memory."
            )
        return rule

    def _update(self, sums: int, penalties: int, pulled: Sequence[int]) -> Code:
        """One step of the optimiser, given the sums over the batch: the rule, which was recorded
        for one weight, stands in it once for each of them."""
        count = len(self.weights)
        weights, held, last = _fresh(count), _fresh(len(self.held)), _fresh(count)
        memory = [dict(zip(self.names, _fresh(len(self.names)))) for _ in range(count)]
        total, told, slopes = Value(0.5), _fresh(sums), _fresh(count)
        fines, pulls = _fresh(penalties), _fresh(len(pulled))
        t, rate, n = _fresh(3)
        weight = told[0] if self.weighted else None
        with self.trace:
            gradients = [self.loss.of_sum(slope, n, weight) for slope in slopes]
            for i, pull in zip(pulled, pulls):
                gradients[i] = gradients[i] + pull
            clipped = self.optimizer._clip(gradients)
            loss = _with(fines, self.loss.of_sum(total, n, weight))
        state = [*weights, *held, *(kept[name] for kept in memory for name in self.names), t]
        shared = [*state, *last, total, *told, *slopes, *fines, *pulls, rate, n]
        around = self.flattened([], shared, once=[*clipped, t + 1.0, *gradients, loss, *told])
        at = {value: slot for slot, value in enumerate(shared)}
        ends, step = around.code.once[:count], around.code.once[count]
        lanes = [
            [at[w], g, *(at[x] for x in old.values())] for w, g, old in zip(weights, ends, memory)
        ]
        _, rule = self.sketch
        code, moved = unrolled(around.code, rule.code, lanes, [at[rate], step])
        once = [
            *(w for w, *_ in moved), *(at[x] for x in held),
            *(x for _, *kept in moved for x in kept), *code.once[count:],
        ]  # fmt: skip
        return code._replace(once=tuple(once))

    def run(
        self, rows: Table, batches: Sequence[Sequence[int]], task: Task | None = None
    ) -> list[list[float]]:
        """Take a step for each batch of rows: model and optimiser are changed.

        Args:
            rows: the numbers of each sample.
            batches: the places in ``rows`` that each step takes.
            task: the whole training that this is part of, if that is known.

        Returns:
            The record of each step: its loss, then the sums that `note` takes.
        """
        records = []
        size = len(batches)
        if custom([self.optimizer.learning_rate]):
            size = 1  # a schedule of a user's is asked before each step: it may read the model
        for i in range(0, len(batches), size):
            records += self._run(rows, batches[i : i + size], task)
        return records

    def _run(
        self, rows: Table, batches: Sequence[Sequence[int]], task: Task | None
    ) -> list[list[float]]:
        rates = self._rates(len(batches))
        if self.streams:
            rows, batches = self._drawn(rows, batches)
        state, records = self._engine.train(rows, batches, self._load(), rates, task)
        self._store(state)
        return records

    def at_once(self, samples: int, steps: int) -> int:
        """How many such epochs fit into one call that does not keep Ctrl-C waiting."""
        return self._engine.at_once(samples, steps)

    def _drawn(self, rows: Table, batches: Sequence[Sequence[int]]) -> tuple[Table, list[range]]:
        """The rows in the order of their use, each with what its layers draw."""
        ends = list(accumulate(map(len, batches), initial=0))
        used = Table([*rows[i], *(s.random() for s in self.streams)] for b in batches for i in b)
        return used, list(map(range, ends, ends[1:]))

    def _load(self) -> list[float]:
        """The state as model and optimiser have it."""
        return [
            *_numbers(self.weights), *_numbers(self.held),
            *(kept[name] for kept in self.optimizer.memory for name in self.names),
            float(self.optimizer.iterations), *[0.0] * len(self.weights),
        ]  # fmt: skip

    def _store(self, state: Sequence[float]) -> None:
        """Give model and optimiser the state."""
        rest = iter(state)
        for weight in self.weights:
            weight.data = next(rest)
        for _ in self.held:
            next(rest)
        self.optimizer.memory = [{name: next(rest) for name in self.names} for _ in self.weights]
        self.optimizer.iterations = int(next(rest))
        for weight in self.weights:
            weight.grad = next(rest)
        zero_grad(self.frozen)

    def _rates(self, steps: int) -> list[list[float]]:
        optimizer = self.optimizer
        if not callable(optimizer.learning_rate):
            return [[optimizer.learning_rate]] * steps
        return [[optimizer.rate_at(optimizer.iterations + i)] for i in range(steps)]


_STEPPING = ("step", "updates", "applied", "applied_to", "_clip", "_never_raising")


def unrolled(
    around: Code, rule: Code, lanes: Sequence[Sequence[int]], shared: Sequence[int]
) -> tuple[Code, list[list[int]]]:
    """A program that is followed by another one for each of its lanes.

    Args:
        around: what comes first.
        rule: what is then done for each lane; what all lanes have in common only once.
        lanes: of each lane, the slots of ``around`` that are the inputs of the rule.
        shared: the slots of ``around`` that are the shared numbers of the rule.

    Returns:
        The whole, and of each lane the slots of what the rule wants in ``each``.

    Two numbers, each times the root of a third:

    >>> rule = Code(1, 1, (), ("sqrt", "mul"), ((1,), (0, 2)), each=(3,))
    >>> whole, results = unrolled(Code(0, 3, (), (), ()), rule, [[0], [1]], [2])
    >>> whole.ops, whole.args, results
    (('sqrt', 'mul', 'mul'), ((2,), (0, 3), (1, 3)), [[4], [5]])
    """
    start, more = around.first, len(rule.constants)
    moved = [*range(start), *range(start + more, around.slots + more)]
    ops, args = list(around.ops), [tuple([moved[x] for x in found]) for found in around.args]
    constants = range(start, start + more)
    varying, common = rule.varying(), dict[int, int]()
    results = []
    for lane in lanes:
        slots = [*(moved[x] for x in (*lane, *shared)), *constants]
        for op, found in zip(rule.ops, rule.args):
            place, new = len(slots), start + more + len(ops)
            slot = new if varying[place] else common.setdefault(place, new)
            if slot == new:
                ops.append(op)
                args.append(tuple([slots[x] for x in found]))
            slots.append(slot)
        results.append([slots[x] for x in rule.each])
    whole = Code(
        around.inputs, around.shared, (*around.constants, *rule.constants), tuple(ops),
        tuple(args), once=tuple([moved[x] for x in around.once]),
    )  # fmt: skip
    return whole, results


def _guarded(optimizer: Optimizer) -> Optimizer:
    """A stand-in while the rule is recorded, which does not tell what training changes."""
    kind: Any = type(optimizer)
    guard: Optimizer = object.__new__(_guard(kind))
    vars(guard).update(vars(optimizer))
    return guard


@lru_cache(maxsize=32)
def _guard(kind: type[Optimizer]) -> Any:
    def reading(name: str) -> property:
        remedy = "The arguments of update say it: rate, t (the number of the step) and old."
        return property(lambda _: refuse_while_tracing(f"{kind.__name__}.{name} was read", remedy))

    def setting(_: Any, name: str, value: Any) -> None:
        remedy = "What a rule remembers belongs into the memory that update returns."
        refuse_while_tracing(f"{kind.__name__}.{name} was set", remedy)

    names = ("learning_rate", "rate", "iterations", "memory")
    hiding = {"__setattr__": setting, **{name: reading(name) for name in names}}
    return type(kind.__name__, (kind,), {"__module__": kind.__module__, **hiding})


class Programs:
    """The programs of one model: each made when it is first wanted, and kept while it fits.

    Attributes:
        why_not: why the model runs in plain Python, if it has to; None as long as it has not.
    """

    def __init__(self) -> None:
        self.why_not: str | None = None
        self._made: dict[Any, Any] = {}
        self._custom: dict[Any, bool] = {}  # whether code of a user's is in it
        self._of: list[Any] = []

    def get(self, model: Any, kind: type[T], *about: Any) -> T | None:
        """The program of this kind, None where it can't be one.

        Code of a user's may read what no fingerprint shows: a global, an array, an attribute
        of its class. So it is recorded anew at each call, and the program that there is stays
        if the same comes out.

        Args:
            model: whose program it is; if it was changed, old ones are dropped.
            kind: `Training`, `Evaluation` or `Forward`.
            about: what else the program depends on, see there.
        """
        now = fingerprint(model)
        if not same(now, self._of):
            self._made.clear()
            self._of = now
        key = (kind, *about)
        known = self._made.get(key)
        if key not in self._made:
            self._custom[key] = custom(fingerprint(model, kind.beside))
        if key not in self._made or (self._custom[key] and known is not None):
            self._made[key] = known = self._attempt(model, key, known)
        found: T | None = known
        return found

    def _attempt(self, model: Any, key: Any, known: Any) -> Any:
        """What is recorded now: the known program if it does the same."""
        kind, *about = key
        try:
            with trained(model, kind is Training or about == [True]):
                if self._custom[key]:
                    with _unchanged(model):
                        made = kind(model, *about)
                        if known is not None and not _differ(made, known):
                            return known
                        again = kind(model, *about)
                    if _differ(made, again):
                        raise NotTraceable("Recorded twice, it gave two different programs.")
                else:
                    made = kind(model, *about)
                made.ready()
                return made
        except OnlyPython:
            return None
        except TracingError as error:
            self.why_not = str(error)
            return None
        except TinygradError:  # which plain Python will raise at its place
            return None
        except Exception as error:
            self.why_not = f"It raised {type(error).__name__} while it was recorded: {error}."
            return None

    def __reduce__(self) -> tuple[Any, ...]:
        return Programs, ()  # of a copied model they are made anew


@contextmanager
def trained(model: Module, training: bool) -> Iterator[None]:
    """Within, the layers know that they are trained, or used; then it is again as it was, since
    a callback may ask for either in the middle of an epoch."""
    was_training = model.training
    try:
        model.train(training)
        yield
    finally:
        model.train(was_training)


@contextmanager
def _unchanged(model: Module) -> Iterator[None]:
    """Within, code of a user's is recorded: what it does to the model, and to Python's random
    numbers, is undone.

    Raises:
        NotTraceable: naming what it set, since a program would not.
    """
    parts = [part for _, part in model._walk() if isinstance(part, Module)]
    before, drawn = [dict(vars(part)) for part in parts], getstate()
    changed: list[str] = []
    try:
        yield
    finally:
        setstate(drawn)
        for part, kept in zip(parts, before):
            now = vars(part)
            names = [
                name for name in {**kept, **now} if not same([now.get(name)], [kept.get(name)])
            ]
            changed += [f"{type(part).__name__}.{name}" for name in names]
            if names:
                now.clear()
                now.update(kept)
    if changed:
        raise NotTraceable(
            f"Its code sets {changed[0]} for each sample, which a program does not do."
        )


def _differ(one: _Recording, other: _Recording) -> bool:
    """Whether two recordings of the same compute something else. Leaves that were made on the
    way are others each time, and their numbers tell: as texts, since nan is not nan."""

    def told(made: _Recording) -> list[Any]:
        return [
            (code._replace(constants=()), list(map(repr, [*code.constants, *_numbers(leaves)])))
            for code, leaves in made.sketch
        ]

    return told(one) != told(other) or not same(one.streams, other.streams)


def _fresh(count: int) -> list[Value]:
    return [Value(0.5) for _ in range(count)]


def _numbers(values: Sequence[Value]) -> list[float]:
    return [value._data for value in values]


def _width(model: Any) -> int:
    return prod(model.input_shape)


def _to_learn(model: Any) -> list[Value]:
    if not model.parameters() or model.optimizer.parameters is None:
        raise OnlyPython("a model that has nothing to learn")
    return list(model.optimizer.parameters)


def frozen(model: Any) -> list[Value]:
    """The weights that its optimiser does not move. After a step their gradient is 0."""
    moved = set(model.optimizer.parameters or ())
    return [weight for weight in model.parameters() if weight not in moved]


def _penalties(model: Any) -> list[Any]:
    return [p for layer in model.layers for p in layer.penalties()]


def _gradients(y: Any, weights: Sequence[Value]) -> list[Any]:
    """∂y/∂w of each weight, a float where it is a plain number."""
    if not isinstance(y, Value):
        return [0.0] * len(weights)
    recorded = set(tape(y))  # a leaf beyond these was made of a plain number
    slopes = gradients(y, weights)
    return [g if g.op is not None or g in recorded else g._data for g in slopes]


# ── What a recording depends on ───────────────────────────────────────────────────────────

_PLAIN = (float, int, str, bool, type(None))
_CHANGING = {  # what training itself changes, and what no program depends on
    Optimizer: {"memory", "iterations", "learning_rate", "name"},
    Metric: {"total", "weight", "outputs"},
    Module: {
        "training", "history", "stop_training", "metadata", "name", "given_name", "run_eagerly",
    },
}  # fmt: skip


def fingerprint(model: Any, beside: Collection[str] = ()) -> list[Any]:
    """All that the programs of a model depend on but the numbers of its weights.

    Whatever layers, loss, metrics and optimiser have as attributes: settings, functions,
    lists of weights, flags. Numbers and texts count by what they are, all else by identity.

    Args:
        model: compiled or not.
        beside: attributes of the model to leave out.
    """
    found: list[Any] = []
    seen: set[int] = set()
    waiting: list[Any] = [model]
    while waiting:
        x = waiting.pop()
        kind = type(x)
        if kind is Value or kind in _PLAIN:
            found.append(x)
        elif id(x) in seen:
            found.append(id(x))
        elif kind in (list, tuple, dict):
            seen.add(id(x))
            found.append(len(x))
            waiting.extend(x)
            waiting.extend(x.values() if kind is dict else ())
        else:
            seen.add(id(x))
            found.append(x)
            if isinstance(x, (Module, Named, Optimizer)):
                changing = [names for base, names in _CHANGING.items() if isinstance(x, base)]
                skipped = set(beside if x is model else ()).union(*changing)
                waiting.extend(v for name, v in vars(x).items() if name not in skipped)
    return found


def same(one: Sequence[Any], other: Sequence[Any]) -> bool:
    """Whether two fingerprints are of the same model in the same state."""
    return len(one) == len(other) and all(
        a is b or (type(a) is type(b) and type(a) in _PLAIN and a == b) for a, b in zip(one, other)
    )


def custom(atoms: Sequence[Any]) -> bool:
    """Whether part of a fingerprint is code of a user's, which might do something else each
    time that it is called."""
    package = __name__.partition(".")[0]
    for atom in atoms:
        code = type(atom) if isinstance(atom, (Module, Named, Optimizer)) else atom
        if callable(code) and not str(getattr(code, "__module__", "")).startswith(f"{package}."):
            return True
    return False
