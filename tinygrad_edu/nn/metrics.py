"""Metrics of predictions, as plain numbers for people to read: means over all samples seen.

A metric takes batch after batch with ``update``; ``result()`` returns its value at any time, and
``reset()`` starts again. `METRICS` is a table with one function per metric, for one sample, as in
`LOSSES`. All metrics except R² are means of such functions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import isinf, nan
from typing import Any, ClassVar

from ..core import ops
from ..core.value import plain
from ..errors import BadArgument
from .losses import ALIASES as LOSS_ALIASES
from .losses import (
    LOSSES,
    Compared,
    Loss,
    class_index,
    mean_squared_error,
    samples,
    weights_of,
)
from .names import Finite, look_up, made
from .settings import Whole


def _same_length(y_true: Sequence[Any], y_pred: Sequence[Any]) -> None:
    if len(y_true) != len(y_pred):
        raise BadArgument(
            f"A metric needs as many predictions as targets. "
            f"Received: {len(y_true)} targets and {len(y_pred)} predictions."
        )


def _largest(xs: Sequence[Any]) -> Any:
    """The position of the largest number, the first of equals; made of rows, so it can be
    recorded."""
    best, place = xs[0], 0.0
    for i, x in enumerate(xs[1:], 1):
        ahead = ops.greater(x, best)
        best, place = ops.where(ahead, x, best), ops.where(ahead, float(i), place)
    return place


def binary_accuracy(y_true: Sequence[Any], y_pred: Sequence[Any], threshold: Finite = 0.5) -> Any:
    """The fraction of correct outputs: ŷᵢ > threshold where yᵢ is 1, otherwise not.

    Args:
        y_true: labels 0 or 1.
        y_pred: as many predictions.
        threshold: 0.5 for probabilities, 0 for scores.

    >>> binary_accuracy([1.0, 0.0], [0.9, 0.6])
    0.5
    """
    _same_length(y_true, y_pred)
    right = [ops.equal(t, ops.greater(p, threshold)) for t, p in zip(y_true, y_pred)]
    return ops.sum(right) / len(right)


def categorical_accuracy(y_true: Sequence[Any], y_pred: Sequence[Any]) -> Any:
    """1 if the largest prediction is at the position of the largest target, else 0.

    >>> categorical_accuracy([0.0, 1.0, 0.0], [0.2, 0.5, 0.3])
    1.0
    """
    _same_length(y_true, y_pred)
    return ops.equal(_largest(y_true), _largest(y_pred))


def sparse_categorical_accuracy(y_true: Sequence[Any], y_pred: Sequence[Any]) -> Any:
    """1 if the largest prediction is that of the class in the only target, else 0.

    >>> sparse_categorical_accuracy([1.0], [0.2, 0.5, 0.3])
    1.0
    """
    return ops.equal(float(class_index(y_true, len(y_pred))), _largest(y_pred))


def accuracy(y_true: Sequence[Any], y_pred: Sequence[Any]) -> Any:
    """The suitable accuracy, chosen by the numbers of outputs and targets as Keras does.

    One output: `binary_accuracy`; several outputs and one target:
    `sparse_categorical_accuracy`; else `categorical_accuracy`.

    >>> accuracy([1.0], [0.9]), accuracy([1.0], [0.2, 0.8]), accuracy([1.0, 0.0], [0.2, 0.8])
    (1.0, 1.0, 0.0)
    """
    if len(y_pred) == 1:
        return binary_accuracy(y_true, y_pred)
    return (sparse_categorical_accuracy if len(y_true) == 1 else categorical_accuracy)(
        y_true, y_pred
    )


def root_mean_squared_error(y_true: Sequence[Any], y_pred: Sequence[Any]) -> Any:
    """(1/n) Σ (ŷᵢ − yᵢ)²; the metric is the root of its mean over all samples.

    >>> root_mean_squared_error([0.0], [2.0]), metric("rmse").name
    (4.0, 'root_mean_squared_error')
    """
    return mean_squared_error(y_true, y_pred)


def equality(y_true: Sequence[Any], y_pred: Sequence[Any]) -> Any:
    """The fraction of outputs that equal their targets; Keras's class ``Accuracy``.

    >>> equality([1.0, 2.0], [1.0, 3.0])
    0.5
    """
    _same_length(y_true, y_pred)
    return ops.sum(list(map(ops.equal, y_true, y_pred))) / len(y_true)


def top_k_categorical_accuracy(y_true: Sequence[Any], y_pred: Sequence[Any], k: Whole = 5) -> Any:
    """1 if fewer than k predictions are larger than that of the largest target, else 0.

    >>> top_k_categorical_accuracy([0.0, 1.0, 0.0], [0.5, 0.3, 0.2], 2)
    1.0
    """
    _same_length(y_true, y_pred)
    place = _largest(y_true)
    return _among(
        k, ops.sum([p * ops.equal(place, float(i)) for i, p in enumerate(y_pred)]), y_pred
    )


def sparse_top_k_categorical_accuracy(
    y_true: Sequence[Any], y_pred: Sequence[Any], k: Whole = 5
) -> Any:
    """`top_k_categorical_accuracy` with the class as a number.

    >>> sparse_top_k_categorical_accuracy([1.0], [0.5, 0.3, 0.2], 1)
    0.0
    """
    return _among(k, y_pred[class_index(y_true, len(y_pred))], y_pred)


def _among(k: int, right: Any, y_pred: Sequence[Any]) -> Any:
    return ops.less(ops.sum([ops.greater(p, right) for p in y_pred]), float(k))


def cosine_similarity(y_true: Sequence[Any], y_pred: Sequence[Any]) -> Any:
    """y·ŷ / (‖y‖ ‖ŷ‖): 1 for the same direction. The loss of this name has the opposite sign.

    >>> cosine_similarity([1.0, 0.0], [2.0, 0.0])
    1.0
    """
    return -LOSSES["cosine_similarity"](y_true, y_pred)


METRICS: dict[str, Callable[..., Any]] = {
    **LOSSES,
    "negative_cosine_similarity": LOSSES["cosine_similarity"],
    **{
        function.__name__: function
        for function in (
            accuracy, binary_accuracy, categorical_accuracy, sparse_categorical_accuracy,
            top_k_categorical_accuracy, sparse_top_k_categorical_accuracy, equality,
            root_mean_squared_error, cosine_similarity,
        )
    },
}  # fmt: skip
"""Every metric that is a mean: ``function(y_true, y_pred, **settings)`` for one sample."""

ALIASES = {
    **LOSS_ALIASES,
    "acc": "accuracy",
    "rmse": "root_mean_squared_error",
    "log_cosh_error": "log_cosh",
    "Accuracy": "equality",
}
"""Short names, and other spellings that Keras uses."""

_FINISHED_BY: dict[str, Callable[[float], float]] = {"root_mean_squared_error": ops.sqrt}


class Metric(Compared):
    """The mean of a function over all samples seen: Σ wᵢ·fᵢ / Σ wᵢ, nan before the first.

    Args:
        function: a name of `METRICS` or an alias; or a user-defined function of whole batches, see
            `Compared`. If it returns one number for a batch, that counts for every sample of the
            batch, so that the size of batches doesn't affect a mean. (Keras counts it once per
            batch.)
        name: see `Named`.
        **settings: such as ``threshold=0.0``.

    Raises:
        NameUnknown: for an unknown metric or setting, with the nearest match.

    >>> seen = Metric("mae")
    >>> seen.update([1.0, 2.0], [1.0, 5.0])
    >>> seen.update([3.0], [0.0])
    >>> seen.result()
    2.0
    """

    kind: ClassVar[str] = "metric"
    table: ClassVar[Mapping[str, Callable[..., Any]]] = METRICS
    aliases: ClassVar[Mapping[str, str]] = ALIASES

    def __init__(
        self, function: str | Callable[..., Any], *, name: str | None = None, **settings: Any
    ) -> None:
        super().__init__(function, name=name, **settings)
        self.reset()

    @property
    def is_mean(self) -> bool:
        """Whether it is the mean of a row of the table, so that a program can compute it."""
        return type(self) is Metric and self.built_in

    def update(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Add a batch.

        Args:
            y_true: the targets: a list of samples, each a number or a list of numbers.
            y_pred: the predictions, likewise; of Values only the numbers are used.
            sample_weight: one number per sample, or None for all 1.

        Raises:
            BadArgument: if the numbers of samples, outputs or weights do not match.
        """
        targets, predictions = floats(y_true), floats(y_pred)
        n = len(predictions)
        weights = [1.0] * n if sample_weight is None else weights_of(sample_weight, n)
        results = self.per_sample(targets, predictions)
        values = results if isinstance(results, list) else [results] * n
        for value, weight in zip(values, weights):
            self.total += weight * plain(value)
            self.weight += weight

    def result(self) -> float:
        """The metric of all samples since the last reset."""
        mean = self.total / self.weight if self.weight else nan
        return _FINISHED_BY.get(self.row or "", float)(mean)

    def reset(self) -> None:
        """Forget all samples."""
        self.total = self.weight = 0.0


class R2Score(Metric):
    """R² = 1 − Σ wᵢ(yᵢ − ŷᵢ)² / Σ wᵢ(yᵢ − ȳ)²: the fraction of the variance that is explained.

    1 is perfect, 0 is no better than always predicting the mean ȳ. With several outputs it is the
    mean of theirs. If all targets are equal, R² is nan if the predictions match them, else 0.

    >>> r2 = R2Score()
    >>> r2.update([1.0, 2.0, 3.0], [1.0, 2.0, 4.0])
    >>> r2.result()
    0.5
    """

    table: ClassVar[Mapping[str, Callable[..., Any]]] = {"r2_score": mean_squared_error}
    aliases: ClassVar[Mapping[str, str]] = {"r2": "r2_score"}

    def __init__(self, function: str = "r2_score", name: str | None = None) -> None:
        super().__init__(function, name=name)

    def update(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Add a batch; see `Metric.update`."""
        targets, predictions = floats(y_true), floats(y_pred)
        self.per_sample(targets, predictions)  # which raises if the shapes do not match
        n = len(targets)
        weights = [1.0] * n if sample_weight is None else weights_of(sample_weight, n)
        for weight, ts, ps in zip(weights, targets, predictions):
            self.weight += weight
            for j, (t, p) in enumerate(zip(ts, ps)):
                mean, spread, error = self.outputs.get(j, (0.0, 0.0, 0.0))
                # West's update: Σ y² − n·ȳ² would cancel if ȳ is large compared with the spread.
                off = t - mean
                mean += ops.div(off * weight, self.weight) if weight else 0.0
                spread += weight * off * (t - mean)
                self.outputs[j] = mean, spread, error + weight * ops.square(t - p)

    def result(self) -> float:
        """R² of all samples since the last reset; nan before the first."""
        scores = [1.0 - ops.div(error, spread) for _, spread, error in self.outputs.values()]
        scores = [0.0 if isinf(score) else score for score in scores]
        return sum(scores) / len(scores) if scores else nan

    def reset(self) -> None:
        """Forget all samples."""
        self.weight = 0.0
        self.outputs: dict[int, tuple[float, float, float]] = {}


def floats(ys: Any) -> list[list[float]]:
    """A batch as `samples` reads it, as plain numbers.

    >>> floats([1, [2]])
    [[1.0], [2.0]]
    """
    return [[plain(y) for y in sample] for sample in samples(ys)]


def metric(which: str | Callable[..., Any] | Metric) -> Metric:
    """The metric for a name, a function, a class or a Loss; a Metric is returned as it is.

    Names are those of `METRICS`, "r2_score", abbreviations, and the names of Keras's classes.

    Raises:
        NameUnknown: with the nearest known name.

    >>> metric("acc").name, metric("RootMeanSquaredError").name, metric("r2").name
    ('accuracy', 'root_mean_squared_error', 'r2_score')
    """
    if isinstance(which, Loss) and not isinstance(which, Metric):
        return Metric(which.function, name=which.name, **which.settings)
    if isinstance(which, str):
        names, aliases = {**METRICS, **R2Score.table}, {**ALIASES, **R2Score.aliases}
        chosen = which.lower() in ("accuracy", "acc")  # by the shapes; Keras's class compares
        name = "accuracy" if chosen else look_up("metric", which, names, aliases)
        return R2Score() if name in R2Score.table else Metric(name)
    return made(Metric, which)
