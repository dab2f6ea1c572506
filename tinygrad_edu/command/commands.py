"""The commands of ``tinygrad-edu`` for your own tables: train, explore, predict, summary, graph,
diagnose.

Each command is a function of its options and of ``say``, which prints for people; ``--json`` prints
the returned dict for programs.
"""

from __future__ import annotations

import argparse
import io
import json
import sys
import textwrap
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from itertools import count
from math import ceil, hypot, isfinite, prod, sqrt
from pathlib import Path
from random import Random
from statistics import mode
from typing import TYPE_CHECKING, Any, NamedTuple

from ..core.value import Value
from ..errors import BadArgument, TinygradError
from ..files import write_whole
from ..nn.neurons import subscript
from ..nn.optimizers import OPTIMIZERS
from ..schemas import ByName, Maybe, check
from ..strings import legible, plural, short
from . import tables

if TYPE_CHECKING:  # keras is imported by the command that needs it
    from ..keras import Model
    from ..keras.callbacks import Callback
    from ..keras.data import Pairs

Options = argparse.Namespace
Say = Callable[[str], None]
Answer = dict[str, Any]

OUTPUTS = {
    "mean_squared_error": "linear", "mean_absolute_error": "linear", "huber": "linear",
    "log_cosh": "linear", "mean_absolute_percentage_error": "linear",
    "mean_squared_logarithmic_error": "linear", "hinge": "linear", "squared_hinge": "linear",
    "poisson": "exponential", "binary_crossentropy": "sigmoid",
    "sparse_categorical_crossentropy": "softmax",
}  # fmt: skip
"""The losses, and the activation of the output for each."""

POWERS = {"mean_squared_error": 2, "mean_absolute_error": 1}
"""Losses that are only multiplied, by this power of the scale, if the target is scaled."""

WORK = 100_000  # rows × weights²: such a Hessian takes some seconds

NEW = (
    "hidden", "activation", "initializer", "loss", "optimizer", "lr", "standardize",
    "validation", "validation_split",
)  # fmt: skip
"""The options that describe a new model."""


# ── Scales ────────────────────────────────────────────────────────────────────────────────


class Scale(NamedTuple):
    """The mean and deviation by which a column is scaled to mean 0 and deviation 1."""

    mean: float = 0.0
    deviation: float = 1.0

    @classmethod
    def of(cls, column: Sequence[float]) -> Scale:
        """The scale of a column; a constant one becomes 0.

        >>> Scale.of([1.0, 3.0]), Scale.of([5.0, 5.0])
        (Scale(mean=2.0, deviation=1.0), Scale(mean=5.0, deviation=1.0))
        """
        from ..keras.diagnosis import moments

        middle, deviation = moments(column)
        return cls(middle, deviation or 1.0)

    def __call__(self, x: float) -> float:
        return (x - self.mean) / self.deviation


def fold(model: Model, scales: Sequence[Scale]) -> None:
    """Fold the scales into the weights, so that the model takes and returns raw numbers.

    The last scale is that of the target. The first layer and the last one are Dense. The neuron
    Σ wᵢ·(xᵢ − μᵢ)/σᵢ + b is the neuron Σ (wᵢ/σᵢ)·xᵢ + (b − Σ wᵢ·μᵢ/σᵢ), and σ·(Σ wᵢ·hᵢ + b) + μ
    is Σ (σ·wᵢ)·hᵢ + (σ·b + μ). So the file need not contain the scales.
    """
    first: Any = model.layers[0]
    last: Any = model.layers[-1]
    *inputs, output = scales
    for row, scale in zip(first.kernel, inputs):
        for w, b in zip(row, first.bias):
            w.data /= scale.deviation
            b.data -= w.data * scale.mean
    for w in [w for row in last.kernel for w in row]:
        w.data *= output.deviation
    for b in last.bias:
        b.data = output.deviation * b.data + output.mean


# ── Train ─────────────────────────────────────────────────────────────────────────────────


class Memory(NamedTuple):
    """The columns of the table that a model is trained on.

    They are stored in the model's metadata as "table"; a model saved by other programs may lack
    them.

    Attributes:
        features: the names of the input columns, in order.
        target: the name of the column to predict.
        means: the means of the features; of one with categories, the place of the most frequent.
        categories: the strings of each column that has some, the target included.
    """

    features: list[str]
    target: str | None
    means: dict[str, float]
    categories: dict[str, list[str]] = {}  # noqa: RUF012, as it is never changed

    @property
    def inputs(self) -> list[str]:
        """The names of the model's inputs: one for each number, one or more for each category."""
        return [name for feature in self.features for name in self._names(feature)]

    def _names(self, feature: str) -> list[str]:
        categories = self.categories.get(feature)
        if categories is None:
            return [feature]
        return [f"{feature}={x}" for x in (categories[1:] if len(categories) < 3 else categories)]

    def row(self, codes: Sequence[float]) -> list[float]:
        """The inputs for one row: numbers as they are, and 1 for the category that it has."""
        inputs: list[float] = []
        for feature, code in zip(self.features, codes):
            if feature in self.categories:
                count = len(self.categories[feature])
                inputs += [float(code == i) for i in range(count < 3, count)]
            else:
                inputs.append(code)
        return inputs

    @property
    def labels(self) -> list[str]:
        """The classes of the target; empty if it is a number."""
        return self.categories.get(self.target or "", [])


_MEMORY = {
    "features": [str], "target": Maybe(str), "means": ByName(float), "categories": ByName([str]),
}  # fmt: skip


class Job(NamedTuple):
    """The numbers to learn from a table.

    Attributes:
        memory: the columns.
        scales: those of the features, and last that of the target.
        learned: the scaled numbers to train on.
        checked: those to validate with.
    """

    memory: Memory
    scales: list[Scale]
    learned: Pairs
    checked: Pairs | None

    def raw(self, name: str, loss: float) -> float:
        """A loss of scaled targets in the table's units; inf if no float is so large."""
        return prod([loss, *[self.scales[-1].deviation] * POWERS.get(name, 0)])


def read_job(options: Options, say: Say) -> Job:
    """Read the table, choose its columns, and scale them if the options ask for it.

    Validation rows must not influence the training: the scales, and the means that fill gaps,
    are those of the training rows alone.
    """
    from ..keras.data import split

    table = tables.read(options.table, options.delimiter, options.decimal)
    target = options.target or table.names[-1]
    if target in (options.features or ()):
        raise BadArgument(f"{target!r} is the target: it cannot be a feature too.")
    asked = options.categories or []
    features, categories = usable(
        table, options.features or [n for n in table.names if n != target], asked, say,
        named=bool(options.features),
    )  # fmt: skip
    labels = classes(table, target, options, asked)
    if labels:
        categories[target] = labels
    names = [*features, target]
    share = options.validation or options.validation_split
    if options.validation:  # sorted tables are common, so the rows are drawn
        places = range(len(table.rows))
        table = table.taken(Random(options.seed).sample(places, len(places)))
    data = tables.numbers(table, names, options.missing, None, [target], categories)
    count = len(split(_pairs([[0.0, 0.0]] * len(data.rows)), share)[0])
    if share and data.filled:
        seen = table.taken(range(data.places[count]))
        fills = tables.numbers(seen, names, options.missing, None, [target], categories).means
        means = dict(zip(names, fills))
        data = tables.numbers(table, names, options.missing, means, [target], categories)
    say(f"{table.path}: {plural(len(table.rows), 'row')}, {len(table.names)} columns.")
    if len(data.rows) < len(table.rows):
        gaps = len(table.rows) - len(data.rows)
        say(f"Left out: {plural(gaps, 'row')} with a missing number.")
    if data.filled:
        say(f"Filled in: {plural(data.filled, 'missing number')}, with the mean of the column.")
    for name, strings in categories.items():
        say(filled(f"Column {name!r} has the categories {short(', '.join(strings), 60)}."))
    say(filled(f"Learning {target} from {', '.join(features)}."))

    memory = Memory(features, target, dict(zip(features, data.means)), categories)
    rows = [[*memory.row(row[:-1]), row[-1]] for row in data.rows]
    scales = [Scale()] * len(rows[0])
    if options.standardize:
        scales = [Scale.of(column) for column in zip(*rows[:count])]
        scales[-1] = scales[-1] if options.loss in POWERS else Scale()
    if options.loss == "binary_crossentropy" and not {row[-1] for row in rows} <= {0.0, 1.0}:
        raise BadArgument(
            f"binary_crossentropy needs targets 0 and 1. Received: {rows[0][-1]:g} in column "
            f"{target!r}. Use --categories {target!r} to make classes of its numbers."
        )
    scaled = _pairs([[scale(x) for scale, x in zip(scales, row)] for row in rows])
    return Job(memory, scales, *split(scaled, share))


def _pairs(rows: Sequence[Sequence[float]]) -> Pairs:
    """The rows of numbers as samples, whose targets are the last numbers."""
    from ..keras.data import pairs

    return pairs([row[:-1] for row in rows], [row[-1] for row in rows])


def usable(
    table: tables.Table, names: Iterable[str], asked: Sequence[str], say: Say, *, named: bool
) -> tuple[list[str], dict[str, list[str]]]:
    """The columns that a model can learn from, and the categories of those that have some.

    Args:
        table: the table.
        names: the columns to choose from.
        asked: columns of numbers to read as categories.
        say: prints why a column is not used.
        named: whether the user named the columns: then an unusable one is an error.
    """
    columns, categories = [], dict[str, list[str]]()
    for name in names:
        try:
            if not named and _counts_rows(table, name):
                raise BadArgument(f"column {name!r}, which only numbers the rows.")
            if not named and table.constant(name):
                raise BadArgument(f"column {name!r}, which is the same in every row.")
            if name not in asked and _numeric(table, name):
                columns.append(name)
                continue
            categories[name] = tables.categories_of(table, name, name in asked)
            columns.append(name)
        except TinygradError as error:
            if named:
                raise
            say(filled(f"Not used: {error}"))
    if not columns:
        raise BadArgument(
            f"{table.path} has no numeric column to learn from. Its columns are "
            f"{', '.join(table.names)}; the last is the target unless --target names another."
        )
    return columns, categories


def _numeric(table: tables.Table, name: str) -> bool:
    """Whether a column contains numbers only, at least one."""
    try:
        return any(x is not None for x in table.column(name))
    except TinygradError:
        return False


def _counts_rows(table: tables.Table, name: str) -> bool:
    """Whether a column without a name counts the rows from 0 or 1, as pandas writes."""
    if name != f"column {table.names.index(name) + 1}" or not _numeric(table, name):
        return False
    numbers = table.column(name)
    return len(numbers) > 1 and numbers == [(numbers[0] or 0.0) + i for i in range(len(numbers))]


def classes(table: tables.Table, target: str, options: Options, asked: Sequence[str]) -> list[str]:
    """The classes of the target, empty if it is a number; a loss is chosen to fit, if none is
    named."""
    if target not in asked and _numeric(table, target):
        options.loss = options.loss or "mean_squared_error"
        if options.loss.startswith("sparse"):
            asked = [target]
        else:
            return []
    labels = tables.categories_of(table, target, target in asked)
    if len(labels) < 2:
        raise BadArgument(f"All rows have the same {target}, {labels[0]!r}: there is no choice.")
    fitting = "binary_crossentropy" if len(labels) == 2 else "sparse_categorical_crossentropy"
    options.loss = options.loss or fitting
    if options.loss not in (fitting, "sparse_categorical_crossentropy"):
        raise BadArgument(
            f"{target} has {len(labels)} classes, for which the loss is {fitting}. "
            f"Received: --loss {options.loss}."
        )
    return labels


def new_model(options: Options, memory: Memory) -> Model:
    """A compiled model as the options describe it: hidden layers if there are any, and an output
    neuron, or one for each class."""
    from .. import keras

    keras.set_random_seed(options.seed)
    dense = partial(keras.layers.Dense, kernel_initializer=options.initializer)
    hidden = [dense(units, options.activation or "relu") for units in options.hidden]
    outputs = len(memory.labels) if options.loss.startswith("sparse") else 1
    model = keras.Sequential([*hidden, dense(outputs, OUTPUTS[options.loss])])
    model.build((len(memory.inputs),))
    _compile(model, options)
    return model


def _compile(model: Model, options: Options) -> None:
    rate = {} if options.lr is None else {"learning_rate": options.lr}
    model.compile(OPTIMIZERS[options.optimizer](**rate), options.loss)


def train(options: Options, say: Say) -> Answer:
    """Train a model on a table, and save it."""
    if options.activation and not options.hidden:
        options.parser.error("--activation is for hidden layers. Pass --hidden too.")
    if options.model and not options.model.parent.is_dir():  # reported before hours of training
        raise BadArgument(f"The folder of {options.model} does not exist.")
    job = read_job(options, say)
    features, target, *_ = job.memory
    model = new_model(options, job.memory)
    rate, highest = _rate(model), bound(model, options, job.learned)
    say(
        filled(
            f"{options.epochs} epochs of {options.optimizer} with the learning rate {rate:g}, "
            f"in batches of {min(options.batch_size, len(job.learned))}; "
            f"{model.count_params()} weights; the loss is the {options.loss.replace('_', ' ')}."
        )
    )
    if highest is not None:
        say(filled(about_bound(rate, highest)))
    raw = partial(job.raw, options.loss)
    history = fit(model, job, options, highest, say)
    loss, *others = [
        raw(model.evaluate(data.x, data.y))
        for data in (job.learned, job.checked)
        if data is not None
    ]
    validation = others[0] if others else None
    grew = bool(history) and not loss <= history[0]
    if grew and (not isfinite(loss) or (highest is not None and rate >= highest)):
        what = f"the loss grew from {history[0]:.6g} to {loss:.6g}"
        raise diverged(what, options, model, highest)
    numbers, words = score(model, job)
    if options.standardize:
        fold(model, job.scales)
        # The optimiser's state belongs to the scaled weights: it starts afresh.
        _compile(model, options)

    say(f"\nAfter {options.epochs} epochs the loss is {loss:.10g}.")
    if validation is not None:
        rows = plural(len(job.checked or ()), "row")
        say(f"On the {rows} held out for validation it is {validation:.10g}.")
    say(filled(words))
    if grew:
        say(f"It grew, from {history[0]:.6g}: try a smaller --lr, or --standardize.")
    answer: Answer = {
        "table": str(options.table), "rows": len(job.learned) + len(job.checked or ()),
        "features": features, "target": target, "epochs": options.epochs,
        "optimizer": options.optimizer, "learning_rate": rate, "learning_rate_bound": highest,
        "loss_name": options.loss, "loss": loss, "validation_loss": validation,
        "history": history, "model": options.model and str(options.model), **numbers,
    }  # fmt: skip
    if not options.hidden and OUTPUTS[options.loss] == "linear":
        layer: Any = model.layers[-1]
        names = job.memory.inputs
        answer["weights"] = {name: w.data for name, (w,) in zip(names, layer.kernel)}
        answer["bias"] = layer.bias[0].data
        say(filled(line(target or "", answer["weights"], answer["bias"])))
    if options.model:
        model.metadata["table"] = job.memory._asdict()
        model.save(options.model)
        say(f"Saved the model in {options.model}.")
    else:
        say("The model is not saved: --model model.json would save it.")
    return answer


def score(model: Model, job: Job) -> tuple[Answer, str]:
    """How good a model is on the rows held out, or else on those it was trained on, beside the
    simplest guess; as numbers and in words."""
    data = job.checked or job.learned
    rows = f"held-out row{'s' * (len(data) > 1)}" if job.checked else "rows it was trained on"
    outputs, labels = model.predict(data.x), job.memory.labels
    targets = [y for (y,) in data.y.rows]
    if labels:
        right = sum(_place(row) == y for row, y in zip(outputs, targets))
        usual = mode([y for (y,) in job.learned.y.rows])
        share, blind = right / len(targets), targets.count(usual) / len(targets)
        return {"accuracy": share, "accuracy_of_one_class": blind}, (
            f"It names {right} of the {len(targets)} {rows} rightly ({share:.1%}); always "
            f"answering {labels[int(usual)]!r} would be right for {blind:.1%}."
        )
    unit, middle = job.scales[-1].deviation, Scale.of([y for (y,) in job.learned.y.rows]).mean
    error, blind = (
        hypot(*[guess - y for guess, y in zip(guesses, targets)]) / sqrt(len(targets)) * unit
        for guesses in ([row[0] for row in outputs], [middle] * len(targets))
    )
    return {"typical_error": error, "typical_error_of_mean": blind}, (
        f"On the {len(targets)} {rows} its typical error is {error:.6g}; guessing the mean would "
        f"give {blind:.6g}."
    )


def _place(outputs: Sequence[float]) -> float:
    """The predicted class: 0 or 1 for one probability, the largest of several."""
    return float(outputs[0] > 0.5 if len(outputs) == 1 else outputs.index(max(outputs)))


def fit(
    model: Model, job: Job, options: Options, highest: float | None, say: Say, *callbacks: Callback
) -> list[float]:
    """Train, and print a line for some of the epochs; returns the loss of every epoch."""
    from ..keras.callbacks import LambdaCallback
    from ..keras.training import Diverged

    raw = partial(job.raw, options.loss)

    def show(epoch: int, logs: Mapping[str, float]) -> None:
        number = str(epoch + 1)
        if number.rstrip("0") in ("1", "2", "5") or epoch + 1 == options.epochs:
            numbers = "  ".join(f"{name} {raw(x):<12.6g}" for name, x in logs.items())
            say(f"epoch {number:>{len(str(options.epochs))}}  {numbers}".rstrip())

    say("")
    with warnings.catch_warnings():
        warnings.simplefilter("error", Diverged)
        try:
            history = model.fit(
                job.learned.x,
                job.learned.y,
                batch_size=options.batch_size,
                epochs=options.epochs,
                verbose=0,
                callbacks=[LambdaCallback(on_epoch_end=show), *callbacks],
                validation_data=job.checked and (job.checked.x, job.checked.y),
            )
        except Diverged:
            epoch = 1 + len(model.history.history.get("loss", ()) if model.history else ())
            what = f"in epoch {epoch} the loss was not finite"
            raise diverged(what, options, model, highest) from None
    return [raw(loss) for loss in history.history.get("loss", [])]


def _rate(model: Model) -> float:
    return 0.0 if model.optimizer is None else model.optimizer.rate


def bound(model: Model, options: Options, data: Pairs) -> float | None:
    """The learning rate below which gradient descent converges, if one number describes it.

    It does if the loss is a quadratic bowl: the squared error of a linear model.
    """
    from ..keras.diagnosis import MOST_WEIGHTS

    one_bowl = options.loss == "mean_squared_error" and not options.hidden
    if not one_bowl or options.optimizer != "sgd":
        return None
    weights = model.count_params()
    x, y = some(data, WORK // weights**2)
    if weights > MOST_WEIGHTS or len(x) < min(len(data), 2 * weights):
        return None  # too many weights, or too few rows to represent all of them
    highest = model.why_diverging(x, y).largest_rate
    return highest if isfinite(highest) else None


def some(data: Pairs, most: int) -> tuple[list[list[float]], list[list[float]]]:
    """At most ``most`` of the samples, spread evenly."""
    step = ceil(len(data) / max(most, 1))
    return data.x.rows[::step], data.y.rows[::step]


def about_bound(rate: float, highest: float) -> str:
    """A sentence that compares a learning rate with its bound."""
    limit = f"the bound of gradient descent on all rows at once, 2/λ_max = {highest:.7f}"
    if rate < highest:
        return f"The learning rate is below {limit}: these steps converge."
    return f"Warning: the learning rate is above {limit}: every step overshoots."


def diverged(what: str, options: Options, model: Model, highest: float | None) -> TinygradError:
    """The error for a training that diverged."""
    rate, above, lower = _rate(model), "", "a smaller --lr"
    if highest is not None and rate >= highest:
        above, lower = f", above the bound {highest:.7f}", f"--lr {highest / 2.0:.2g}"
    scaled = "" if options.standardize else ", or --standardize"
    return BadArgument(
        f"Training diverged: {what}. The learning rate was {rate:g}{above}. Try {lower}{scaled}. "
        f"No model was written."
    )


def line(target: str, weights: Mapping[str, float], bias: float) -> str:
    """A linear model as a formula.

    >>> line("price", {"flats": 2.0, "age": -0.5}, -1.0)
    'price = 2 · flats − 0.5 · age − 1'
    """
    terms = [*((w, f" · {name}") for name, w in weights.items()), (bias, "")]
    signed = [f"{'−' if w < 0 else '+'} {abs(w):.10g}{name}" for w, name in terms]
    return f"{target} = {' '.join(signed).removeprefix('+ ')}"


def explore(options: Options, say: Say) -> Answer:
    """Train a model on a table, and write a page in which each gradient can be stepped through."""
    from ..core.graph import tape
    from ..exploring import explore as page_of
    from ..keras.callbacks import WeightHistory

    job = read_job(options, say)
    features, target = job.memory.inputs, job.memory.target
    model, recorded = new_model(options, job.memory), WeightHistory()
    fit(model, job, options, bound(model, options, job.learned), say, recorded)
    x, y = some(job.learned, options.rows or 12)
    loss = model.loss_graph(x, y)
    names = dict(zip(_inputs(len(features)), features))
    for leaf in tape(loss):
        if leaf.role in ("input", "target"):
            leaf.name = names[leaf.name or ""] if leaf.role == "input" else target
    page = page_of(
        loss, options.output, parameters=model.parameters(), training=recorded,
        learning_rate=_rate(model), title=f"How a model learns {target} from {options.table}",
    )  # fmt: skip
    say("")
    if len(x) < len(job.learned):
        say(f"The page shows {len(x)} of {len(job.learned)} rows; --rows N shows more.")
    if options.standardize:
        say("Its numbers are in units of the standardised columns.")
    say(f"Open {page.path} in a browser: it needs no network.")
    return {"table": str(options.table), "rows": len(x), "output": str(page.path)}


def _inputs(count: int) -> list[str]:
    """The names of the inputs in a model's loss."""
    return [subscript("x", j, count) for j in range(1, count + 1)]


def diagnose(options: Options, say: Say) -> Answer:
    """Show which learning rates a table allows, and why some weights learn slowly."""
    if options.model:
        for name in NEW:
            if getattr(options, name) != options.parser.get_default(name):
                option = f"--{name.replace('_', '-')}"
                options.parser.error(f"{option} is for a new model; the saved model has its own.")
        model, memory, _, numbers = read_saved(options, say)
        data = _pairs(numbers.rows)
    else:
        job = read_job(options, say)
        memory, data = job.memory, job.learned
        model = new_model(options, memory)
    x, y = some(data, options.rows or 5 * WORK // model.count_params() ** 2)
    if len(x) < len(data):
        say(f"Using {len(x)} of {len(data)} rows; --rows N uses more, which takes longer.")
    diagnosis = model.why_diverging(x, y)
    say(f"\n{diagnosis}")
    return {
        "table": str(options.table), "rows": len(x), "features": memory.features,
        "target": memory.target, "learning_rate": diagnosis.learning_rate,
        "learning_rate_bound": diagnosis.largest_rate, "condition": diagnosis.condition,
        "curvatures": diagnosis.curvatures,
    }  # fmt: skip


# ── Use a trained model ───────────────────────────────────────────────────────────────────


def load(path: Path) -> tuple[Model, Memory]:
    """A saved model, and the columns of its table."""
    from ..keras.saving import load_model

    model = load_model(path)
    table = model.metadata.get("table", {})
    if isinstance(table, dict):
        table = {"features": [], "target": None, "means": {}, "categories": {}, **table}
    check(table, _MEMORY, f"the metadata of {path}, table")
    return model, Memory(**table)


def read_saved(
    options: Options, say: Say, *, targets: bool = True
) -> tuple[Model, Memory, tables.Table, tables.Numbers]:
    """A saved model, the columns that it uses, and a table with their numbers.

    The input columns are those in the options, otherwise those of the model, otherwise all numeric
    ones.

    Args:
        options: those of the command.
        say: prints for people.
        targets: whether the column that the model predicts is read too, as the last one.
    """
    model, memory = load(options.model)
    table = tables.read(options.table, options.delimiter, options.decimal)
    if targets:
        memory = memory._replace(target=options.target or memory.target or table.names[-1])
    target = [memory.target or ""] * targets
    features = options.features or memory.features
    if not features:
        others = [name for name in table.names if name not in target and _numeric(table, name)]
        features, _ = usable(table, others, (), say, named=False)
        say(filled(f"The model has no column names: using {', '.join(features)}, in this order."))
    width = prod(model.in_shape or ())
    memory = memory._replace(features=features)
    if len(memory.inputs) != width:
        raise BadArgument(
            f"The model takes {plural(width, 'number')} for each row. Received: "
            f"{plural(len(features), 'column')}, {', '.join(features)}. Name the right ones "
            f"with --features."
        )
    names = [*features, *target]
    data = tables.numbers(table, names, options.missing, memory.means, target, memory.categories)
    count = len(features)
    rows = [[*memory.row(row[:count]), *row[count:]] for row in data.rows]
    return model, memory, table, data._replace(rows=rows)


def predict(options: Options, say: Say) -> Answer:
    """Add a column of a model's predictions to a table."""
    model, memory, table, data = read_saved(options, say, targets=False)
    outputs = model.predict(data.rows)
    name = "predicted" if memory.target is None else f"predicted_{memory.target}"
    columns: dict[str, list[Any]] = {}
    if memory.labels:
        if len(memory.labels) != max(2, len(outputs[0])):
            raise BadArgument(
                f"The model has {plural(len(outputs[0]), 'output')}, which do not fit the labels "
                f"of its target. Received: {short(', '.join(memory.labels), 60)}."
            )
        columns[name] = [memory.labels[int(_place(row))] for row in outputs]
        columns[f"{name}_probability"] = [
            max(row) if len(row) > 1 else max(row[0], 1.0 - row[0]) for row in outputs
        ]
    else:
        several = len(outputs[0]) > 1
        for j, numbers in enumerate(zip(*outputs), 1):
            columns[f"{name}_{j}" if several else name] = list(numbers)
    more = {
        _free(name, table.names): [*map(dict(zip(data.places, x)).get, range(len(table.rows)))]
        for name, x in columns.items()
    }
    text = table.text({name: list(map(table.written, x)) for name, x in more.items()})
    if options.output:
        write_whole(options.output, text.encode())  # with the same line ends on every system
        say(f"{len(data.rows)} of {len(table.rows)} rows predicted, in {options.output}.")
    elif not options.json:
        if isinstance(sys.stdout, io.TextIOWrapper):  # as in a file: UTF-8, and every character
            sys.stdout.reconfigure(encoding="utf-8", errors="strict", newline="")
        sys.stdout.write(legible(text) if sys.stdout.isatty() else text)
    return {
        "table": str(options.table), "rows": len(data.rows), "features": memory.features,
        "predictions": more, "output": options.output and str(options.output),
    }  # fmt: skip


def _free(name: str, taken: Sequence[str]) -> str:
    """A name for a new column that is not taken."""
    numbered = (name if n == 1 else f"{name}_{n}" for n in count(1))
    return next(candidate for candidate in numbered if candidate not in taken)


def summary(options: Options, say: Say) -> Answer:
    """Show the layers of a model, and how many weights they have."""
    model, memory = load(options.model)
    model.summary(print_fn=say)
    if memory.features and memory.target:
        say(filled(f"The model predicts {memory.target} from {', '.join(memory.features)}."))
    return {
        "model": str(options.model), "name": model.name, "weights": model.count_params(),
        "layers": [
            {
                "name": layer.name, "kind": type(layer).__name__,
                "output_shape": list(layer.output_shape or ()), "weights": len(layer.parameters()),
            }
            for layer in model.layers
        ],
        "features": memory.features, "target": memory.target,
    }  # fmt: skip


def graph(options: Options, say: Say) -> Answer:
    """Draw what a model computes: its output, or its loss on a table."""
    from ..drawing import draw

    if options.table is None:
        model, memory = load(options.model)
        names = memory.inputs or _inputs(prod(model.in_shape or ()))
        inputs = [Value(memory.means.get(x, 1.0), name=x, role="input") for x in names]
        value: Any = model.forward([*inputs])[0]
        value.name = f"predicted {memory.target or ''}".rstrip()
        title = f"{model.name}, for a row of {'means' if memory.means else 'ones'}"
    else:
        model, _, _, data = read_saved(options, say)
        few = _pairs(data.rows[: options.rows or 3])
        value = model.loss_graph(few.x.rows, few.y.rows)
        title = f"{model.name}, its loss on {plural(len(few), 'row')} of {options.table.name}"
    drawing = draw(value, title=title)
    written = drawing.save(options.output)
    say(f"Drew {len(drawing.graph.nodes)} values in {written}.")
    return {"model": str(options.model), "values": len(drawing.graph.nodes), "output": str(written)}


def homework(options: Options, say: Say) -> Answer:
    """Write files with blanks to fill in, and grade them in words."""
    from .. import homework as kit

    if options.action == "start":
        names = options.names or kit.TASKS
        files = kit.start(options.folder, [name.removesuffix(".py") for name in names])
        for file in files:
            say(f"{file.path}{_origin(file)}")
        say("Fill in the lines # write this, then: tinygrad-edu homework check")
        return {"files": [str(file.path) for file in files]}
    if options.action == "try":
        verdicts = [each for name in options.names for each in kit.mistakes(kit.load(name))]
        for words, verdict in verdicts:
            say(f"{'named' if words in verdict.mistakes else 'NOT NAMED'}: {words}\n  {verdict}\n")
        return {"mistakes": [{"words": w, "named": w in g.mistakes} for w, g in verdicts]}
    there = [options.folder / f"{name}.py" for name in (*kit.TASKS, *kit.STEPS)]
    there = [path for path in there if path.exists()]
    short = {path.stem: path for path in there}
    paths = [short.get(name, Path(name)) for name in options.names] or there
    if not paths:
        raise BadArgument(
            f"There is no homework in {options.folder}. Received: no files to check. Write them "
            f"with: tinygrad-edu homework start"
        )
    grades = []
    for path in paths:
        task = kit.load(options.task or kit.task_of(path))
        grade = kit.grade(task, kit.read(path))
        say(f"{path}: {grade}\n")
        grades.append({"file": str(path), "passed": grade.passed, **grade._asdict()})
    return {"grades": grades}


def _origin(file: Any) -> str:
    """Where a file that homework start wrote comes from, if that needs to be said."""
    if not file.new:
        return " is there already and stays as it is"
    if file.before is None:
        return ""
    if file.before.passed:
        return f", which continues your {file.before.task}.py"
    return (f", which continues the solution of {file.before.task}: in your {file.before.task}.py "
            f"only {file.before.right} of {file.before.asked} answers are right")  # fmt: skip


def show(text: str, stream: Any = None) -> None:
    """Print a string at once: pipes show progress, too."""
    print(legible(text), file=stream, flush=True)


def run(options: Options) -> None:
    """Run the command that the options name, and print its result as they ask."""
    stream = sys.stderr if options.command is predict and not options.output else sys.stdout

    def say(text: str) -> None:
        if not (options.quiet or options.json):
            show(text, stream)

    answer = options.command(options, say)
    if options.json:
        print(json.dumps(_finite(answer), allow_nan=False))


def _finite(x: Any) -> Any:
    """The same without infinities and nan, which JSON lacks."""
    if isinstance(x, dict):
        return {key: _finite(child) for key, child in x.items()}
    if isinstance(x, (list, tuple)):
        return [_finite(child) for child in x]
    return None if isinstance(x, float) and not isfinite(x) else x


def filled(text: str) -> str:
    """A paragraph for a terminal."""
    return textwrap.fill(text, 78, break_long_words=False, break_on_hyphens=False)
