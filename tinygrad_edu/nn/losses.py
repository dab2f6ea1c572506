"""Losses: one function each, for one sample.

A sample's targets and predictions are lists of numbers or Values, one per output. `LOSSES` is
the table of these functions, with Keras's names and definitions; `Loss` applies one to every
sample of a batch and reduces the results to one number. A loss is made of rows of the table, so its
derivatives are not written by hand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import reduce
from math import inf, log, log1p
from typing import Any, ClassVar

from ..core import ops
from ..core.table import is_real, number
from ..core.value import Value, plain
from ..errors import BadArgument, check_name
from ..trees import flatten, sizes
from .activations import log_softmax, softmax
from .names import Named, made
from .settings import Flag, Fraction, Positive
from .tensors import Tensor

EPSILON = 1e-7
"""Keras's fuzz factor: probabilities are kept this far from 0 and 1, divisors from 0."""


def _fitting(y_true: Sequence[Any], y_pred: Sequence[Any]) -> tuple[list[Any], list[Any]]:
    """The targets and predictions of one sample, checked to have equal length."""
    if len(y_true) != len(y_pred) or not len(y_true):
        raise BadArgument(
            f"A loss needs as many predictions as targets, at least one. "
            f"Received: {len(y_true)} targets and {len(y_pred)} predictions."
        )
    return _numbers(y_true), _numbers(y_pred)


def _pairs(y_true: Sequence[Any], y_pred: Sequence[Any]) -> list[tuple[Any, Any]]:
    return list(zip(*_fitting(y_true, y_pred)))


def _numbers(xs: Sequence[Any]) -> list[Any]:
    return [x if type(x) is float or isinstance(x, Value) else number(x) for x in xs]


def _mean(terms: Sequence[Any]) -> Any:
    return terms[0] if len(terms) == 1 else ops.sum(terms) / len(terms)


# ── Regression ─────────────────────────────────────────────────────────────────────────────


def mean_squared_error(y_true: Sequence[Any], y_pred: Sequence[Any]) -> Any:
    """(1/n) Σ (ŷᵢ − yᵢ)²; the order of the arguments is Keras's, in all losses.

    Args:
        y_true: n numbers or Values y, the targets.
        y_pred: n numbers or Values ŷ, the predictions.

    Raises:
        BadArgument: if n differs or is 0. The other losses check this too.

    >>> mean_squared_error([20000.0], [18000.0])  # one error of 2000
    4000000.0
    """
    return _mean([ops.square(p - t) for t, p in _pairs(y_true, y_pred)])


def mean_absolute_error(y_true: Sequence[Any], y_pred: Sequence[Any]) -> Any:
    """(1/n) Σ |ŷᵢ − yᵢ|; the slope is 0 where they are equal.

    >>> mean_absolute_error([1.0, 2.0], [4.0, 1.0])
    2.0
    """
    return _mean([ops.abs(p - t) for t, p in _pairs(y_true, y_pred)])


def mean_absolute_percentage_error(y_true: Sequence[Any], y_pred: Sequence[Any]) -> Any:
    """(100/n) Σ |ŷᵢ − yᵢ| / max(|yᵢ|, 1e-7), in percent.

    >>> mean_absolute_percentage_error([2.0], [1.5])
    25.0
    """
    return 100.0 * _mean(
        [ops.abs((p - t) / ops.maximum(ops.abs(t), EPSILON)) for t, p in _pairs(y_true, y_pred)]
    )


def mean_squared_logarithmic_error(y_true: Sequence[Any], y_pred: Sequence[Any]) -> Any:
    """(1/n) Σ (log(1 + ŷᵢ) − log(1 + yᵢ))²; numbers below 1e-7 count as 1e-7.

    >>> round(mean_squared_logarithmic_error([0.0], [1.718281828459045]), 6)
    1.0
    """

    def log_of(x: Any) -> Any:
        return ops.log1p(ops.maximum(x, EPSILON))

    return _mean([ops.square(log_of(p) - log_of(t)) for t, p in _pairs(y_true, y_pred)])


def huber(y_true: Sequence[Any], y_pred: Sequence[Any], delta: Positive = 1.0) -> Any:
    """(1/n) Σ e²/2 for an error |e| ≤ δ, δ·(|e| − δ/2) beyond; e = ŷᵢ − yᵢ.

    Args:
        y_true: the targets.
        y_pred: the predictions.
        delta: δ > 0, at which the parabola becomes a straight line.

    >>> huber([0.0, 0.0], [0.5, 3.0])  # (0.125 + 2.5) / 2
    1.3125
    """
    terms = []
    for t, p in _pairs(y_true, y_pred):
        error = p - t
        clipped = ops.clip(error, -delta, delta)  # which combines both cases in one formula
        terms.append(clipped * (error - 0.5 * clipped))
    return _mean(terms)


def log_cosh(y_true: Sequence[Any], y_pred: Sequence[Any]) -> Any:
    """(1/n) Σ log cosh(ŷᵢ − yᵢ): about e²/2 for small errors, |e| − log 2 for large ones.

    >>> log_cosh([1.0], [1.0])
    0.0
    """
    return _mean([ops.log_cosh(p - t) for t, p in _pairs(y_true, y_pred)])


def poisson(y_true: Sequence[Any], y_pred: Sequence[Any]) -> Any:
    """(1/n) Σ ŷᵢ − yᵢ·log(ŷᵢ + 1e-7), for counts yᵢ and expected counts ŷᵢ > 0.

    >>> poisson([0.0], [0.5])
    0.5
    """
    return _mean([p - t * ops.log(p + EPSILON) for t, p in _pairs(y_true, y_pred)])


def cosine_similarity(y_true: Sequence[Any], y_pred: Sequence[Any]) -> Any:
    """−y·ŷ / (‖y‖ ‖ŷ‖): −1 for the same direction, 1 for the opposite one.

    A norm below 1e-7 counts as 1e-7, so a vector of zeros gives 0.

    >>> cosine_similarity([1.0, 0.0], [2.0, 0.0])
    -1.0
    """
    ts, ps = _fitting(y_true, y_pred)

    def norm(xs: list[Any]) -> Any:
        return ops.sqrt(ops.maximum(ops.sum([ops.square(x) for x in xs]), EPSILON * EPSILON))

    return -(ops.sum([t * p for t, p in zip(ts, ps)]) / (norm(ts) * norm(ps)))


# ── Margins ────────────────────────────────────────────────────────────────────────────────


def _margins(y_true: Sequence[Any], y_pred: Sequence[Any]) -> list[Any]:
    """max(0, 1 − y·ŷ), a label of 0 read as −1."""
    return [
        ops.relu(1.0 - ops.where(ops.equal(t, 0.0), -1.0, t) * p) for t, p in _pairs(y_true, y_pred)
    ]


def hinge(y_true: Sequence[Any], y_pred: Sequence[Any]) -> Any:
    """(1/n) Σ max(0, 1 − yᵢ·ŷᵢ), for labels −1 and 1.

    A label of 0 is read as −1. Keras does so only in a batch where all labels are 0 or 1;
    here a sample's loss does not depend on its neighbours.

    >>> hinge([1.0, 0.0], [0.5, 0.5])  # (0.5 + 1.5) / 2
    1.0
    """
    return _mean(_margins(y_true, y_pred))


def squared_hinge(y_true: Sequence[Any], y_pred: Sequence[Any]) -> Any:
    """(1/n) Σ max(0, 1 − yᵢ·ŷᵢ)², with the labels of `hinge`.

    >>> squared_hinge([1.0], [-1.0])
    4.0
    """
    return _mean([ops.square(margin) for margin in _margins(y_true, y_pred)])


def categorical_hinge(y_true: Sequence[Any], y_pred: Sequence[Any]) -> Any:
    """max(0, 1 + the largest wrong score − the right one), for one-hot targets.

    >>> categorical_hinge([0.0, 1.0], [0.5, 0.75])
    0.75
    """
    ts, ps = _fitting(y_true, y_pred)
    right = ops.sum([t * p for t, p in zip(ts, ps)])
    wrong = reduce(ops.maximum, [(1.0 - t) * p for t, p in zip(ts, ps)])
    return ops.relu(wrong - right + 1.0)


# ── Probabilities ──────────────────────────────────────────────────────────────────────────
# Both ends are clipped twice: in the argument, so that no infinite slope is multiplied by 0,
# and in the result, because no float equals 1 − 1e-7 and the logarithm near 1 would show it.

_LOWEST, _HIGHEST = log(EPSILON), log1p(-EPSILON)


def _log(p: Any) -> Any:
    """log p, with p clipped to [1e-7, 1 − 1e-7]."""
    return ops.clip(ops.log(ops.clip(p, EPSILON, 1.0)), _LOWEST, _HIGHEST)


def _log_not(p: Any) -> Any:
    """log(1 − p), with p clipped to [1e-7, 1 − 1e-7]."""
    return ops.clip(ops.log1p(-ops.clip(p, 0.0, 1.0 - EPSILON)), _LOWEST, _HIGHEST)


def _log_sigmoid_not(x: Any) -> Any:
    return ops.log_sigmoid(-x)


def _surprise(parts: Iterable[tuple[Any, Callable[[Any], Any], Any]]) -> Any:
    """−Σ weight · log(p) over (weight, log, p); terms with weight 0 are not even recorded."""
    terms = [-w * log(p) for w, log, p in parts if isinstance(w, Value) or w != 0.0]
    return terms[0] if len(terms) == 1 else ops.sum(terms)


def binary_crossentropy(
    y_true: Sequence[Any],
    y_pred: Sequence[Any],
    from_logits: Flag = False,
    label_smoothing: Fraction = 0.0,
) -> Any:
    """−(1/n) Σ yᵢ·log pᵢ + (1 − yᵢ)·log(1 − pᵢ), for labels from 0 to 1.

    Args:
        y_true: the labels.
        y_pred: probabilities p, clipped to [1e-7, 1 − 1e-7] as in Keras, with gradient 0 where they
            are clipped. Or scores x with p = σ(x); then nothing is clipped, the loss is
            y·softplus(−x) + (1 − y)·softplus(x), and no digit is lost.
        from_logits: whether the predictions are scores.
        label_smoothing: s in [0, 1); the labels become y·(1 − s) + s/2.

    >>> round(binary_crossentropy([1.0], [0.5]), 6)
    0.693147
    >>> binary_crossentropy([1.0], [-800.0], from_logits=True)
    800.0
    """
    yes, no = (ops.log_sigmoid, _log_sigmoid_not) if from_logits else (_log, _log_not)
    terms = []
    for t, p in _pairs(y_true, y_pred):
        if label_smoothing:
            t = t * (1.0 - label_smoothing) + 0.5 * label_smoothing
        terms.append(_surprise([(t, yes, p), (1.0 - t, no, p)]))
    return _mean(terms)


def categorical_crossentropy(
    y_true: Sequence[Any],
    y_pred: Sequence[Any],
    from_logits: Flag = False,
    label_smoothing: Fraction = 0.0,
) -> Any:
    """−Σ yᵢ·log pᵢ over the classes of one sample.

    Args:
        y_true: the probability of each class, as in [0, 1, 0].
        y_pred: p, divided by their sum and then clipped to [1e-7, 1 − 1e-7] as in Keras, with
            gradient 0 where they are clipped. Or scores x with p = softmax(x); then nothing is
            clipped and no digit is lost.
        from_logits: whether the predictions are scores.
        label_smoothing: s in [0, 1); the targets become y·(1 − s) + s/n.

    Raises:
        BadArgument: also for fewer than two classes, for which it would always be 0.

    >>> round(categorical_crossentropy([0.0, 1.0], [0.5, 0.5]), 6)
    0.693147
    """
    ts, ps = _fitting(y_true, y_pred)
    if len(ps) < 2:
        raise BadArgument(
            f"A categorical cross-entropy needs at least two classes. Received: {len(ps)} "
            f"prediction per sample. For two classes with one output use binary_crossentropy."
        )
    if label_smoothing:
        ts = [t * (1.0 - label_smoothing) + label_smoothing / len(ts) for t in ts]
    if from_logits:
        return _surprise((t, lambda log: log, log) for t, log in zip(ts, log_softmax(ps)))
    total = ops.sum(ps)
    return _surprise((t, lambda p: _log(ops.div(p, total)), p) for t, p in zip(ts, ps))


def sparse_categorical_crossentropy(
    y_true: Sequence[Any], y_pred: Sequence[Any], from_logits: Flag = False
) -> Any:
    """−log p of the right class: `categorical_crossentropy` with the class as a number.

    Args:
        y_true: one whole number, the class, counted from 0.
        y_pred: as there.
        from_logits: as there.

    Raises:
        BadArgument: also if that class does not exist.

    >>> round(sparse_categorical_crossentropy([1], [0.5, 0.5]), 6)
    0.693147
    """
    right = class_index(y_true, len(y_pred))
    one_hot = [1.0 if i == right else 0.0 for i in range(len(y_pred))]
    return categorical_crossentropy(one_hot, y_pred, from_logits)


def class_index(y_true: Sequence[Any], classes: int) -> int:
    """The class in a sample's only target.

    Raises:
        BadArgument: if it is not one whole number from 0 to below ``classes``.

    >>> class_index([2.0], 3)
    2
    """
    if len(y_true) != 1:
        raise BadArgument(
            f"A sparse target must be one number, the class. Received: {len(y_true)} numbers. "
            f"For one number per class use the categorical form."
        )
    target = plain(y_true[0])
    if not (target.is_integer() and 0 <= target < classes):
        raise BadArgument(
            f"A sparse target must be a whole number from 0 to {classes - 1}, as there are "
            f"{classes} predictions per sample. Received: {target!r}."
        )
    return int(target)


def kl_divergence(y_true: Sequence[Any], y_pred: Sequence[Any]) -> Any:
    """Σ yᵢ·log(yᵢ/pᵢ), both clipped to [1e-7, 1] as Keras does.

    >>> kl_divergence([0.5, 0.5], [0.5, 0.5])
    0.0
    """
    terms = []
    for t, p in _pairs(y_true, y_pred):
        t, p = ops.clip(t, EPSILON, 1.0), ops.clip(p, EPSILON, 1.0)
        terms.append(t * ops.log(t / p))
    return ops.sum(terms)


# ── By name, for batches ───────────────────────────────────────────────────────────────────

LOSSES: dict[str, Callable[..., Any]] = {
    function.__name__: function
    for function in (
        mean_squared_error, mean_absolute_error, mean_absolute_percentage_error,
        mean_squared_logarithmic_error, huber, log_cosh, poisson, cosine_similarity,
        hinge, squared_hinge, categorical_hinge, binary_crossentropy, categorical_crossentropy,
        sparse_categorical_crossentropy, kl_divergence,
    )
}  # fmt: skip
"""Every loss: ``function(y_true, y_pred, **settings)`` for one sample."""

ALIASES = {
    "mse": "mean_squared_error",
    "mae": "mean_absolute_error",
    "mape": "mean_absolute_percentage_error",
    "msle": "mean_squared_logarithmic_error",
    "bce": "binary_crossentropy",
    "kld": "kl_divergence",
    "k_l_divergence": "kl_divergence",
    "logcosh": "log_cosh",
}
"""Short names, and other spellings that Keras uses."""

REDUCTIONS = ("sum_over_batch_size", "mean", "sum", "mean_with_sample_weight", "none")

_SQUASHED_BY: dict[str, Callable[[Any], Any]] = {
    "binary_crossentropy": ops.sigmoid,
    "categorical_crossentropy": softmax,
    "sparse_categorical_crossentropy": softmax,
}


_SINGLE = frozenset((float, int, Value))  # the usual types, for a quick test


def samples(ys: Any) -> list[list[Any]]:
    """A batch as a list of samples, each a list of numbers or Values.

    Args:
        ys: an iterable of samples; a sample is a number, a Value, or a list or array of them.

    >>> samples([1.0, 2.0]), samples([[1.0, 2.0], [3.0, 4.0]])
    ([[1.0], [2.0]], [[1.0, 2.0], [3.0, 4.0]])
    """
    if isinstance(ys, Value) or not hasattr(ys, "__iter__"):
        raise BadArgument(f"A batch must be a list of samples. Received: {ys!r}. Write [{ys!r}].")
    return [[y] if type(y) in _SINGLE else y if type(y) is list else flatten(y)[0] for y in ys]


class Compared(Named):
    """A function applied to the samples of a batch: the base class of `Loss` and the metrics.

    A user-defined function gets the whole batch, as in Keras: the list of targets and the list of
    predictions, in which a sample of one number is that number and any other sample is a list.
    Both are a `tensors.Tensor`, whose arithmetic is that of arrays of shape (samples, numbers). The
    function returns one number for the batch, or a list with one per sample. If it returns several
    per sample, their mean counts, or their sum for the reduction "sum".
    """

    def per_sample(self, y_true: Any, y_pred: Any) -> Any:
        """The list of results, one per sample; or the single number of a user-defined function.

        Args:
            y_true: a batch of targets, see `samples`.
            y_pred: a batch of as many predictions.

        Raises:
            BadArgument: for batches that are empty, differ in length or do not match.
        """
        targets, predictions = samples(y_true), samples(y_pred)
        n = len(predictions)
        if len(targets) != n or not n:
            raise BadArgument(
                f"A {self.kind} needs as many predictions as targets, at least one sample. "
                f"Received: {len(targets)} samples of targets and {n} of predictions."
            )
        if self.built_in and type(self).call is Compared.call:
            return self.call(targets, predictions)
        results = self.call(_bare(targets), _bare(predictions))
        if isinstance(results, Value) or (is_real(results) and not getattr(results, "shape", ())):
            return results
        values = flatten(results)[0]
        each, odd = divmod(len(values), n)
        reduction = getattr(self, "reduction", "mean")
        if each > 1 and not odd and sizes(results)[:1] == (n,) and reduction != "none":
            share = 1.0 if reduction == "sum" else float(each)
            values = [ops.sum(values[i : i + each]) / share for i in range(0, len(values), each)]
        if len(values) != n:
            raise BadArgument(
                f"The {self.kind} {self.name} must return one number for the batch, or one for "
                f"each of its {n} samples. Received: {len(values)} numbers."
            )
        return values

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """What `per_sample` asks; a subclass may override it, as in Keras."""
        if not self.built_in:
            return self.function(y_true, y_pred, **self.settings)
        return [
            self.function(t, p, **self.settings)
            for t, p in zip(map(_one, y_true), map(_one, y_pred))
        ]


def _one(sample: Any) -> Any:
    return sample if isinstance(sample, list) else [sample]


def _bare(batch: list[list[Any]]) -> Tensor:
    """The numbers themselves, if every sample is just one."""
    single = all(len(sample) == 1 for sample in batch)
    shape = (len(batch), len(batch[0]))
    return Tensor([sample[0] for sample in batch] if single else batch, shape)


def weights_of(sample_weight: Any, n: int) -> list[float]:
    """One weight per sample, as floats.

    Raises:
        BadArgument: if there are not ``n`` of them.

    >>> weights_of([1, 0.5], 2)
    [1.0, 0.5]
    """
    weights = [number(w) for w in flatten(sample_weight)[0]]
    if len(weights) != n:
        raise BadArgument(f"One weight per sample is needed: {n}. Received: {len(weights)}.")
    return weights


class Loss(Compared):
    """A loss of batches: a function for every sample, and a reduction to one number.

    Args:
        function: a name of `LOSSES` or an alias; or a user-defined function of whole batches, see
            `Compared`. If it returns a single number, that is the reduced loss.
        reduction: with n losses Lᵢ and weights wᵢ (default 1), as Keras defines them:
            "sum_over_batch_size" or "mean": Σ wᵢ·Lᵢ / n, also with weights;
            "mean_with_sample_weight": Σ wᵢ·Lᵢ / Σ wᵢ, or 0 where Σ wᵢ is 0;
            "sum": Σ wᵢ·Lᵢ;
            "none" or None: the list of wᵢ·Lᵢ.
        name: see `Named`.
        **settings: such as ``delta=2.0`` or ``from_logits=True``.

    Raises:
        NameUnknown: for an unknown loss, reduction or setting, with the nearest match.
        BadArgument: for a setting beyond its limits.

    >>> Loss("mse")([1.0, 2.0], [1.5, 2.0])
    0.125
    >>> Loss("huber", delta=2.0, reduction="none")([[0.0], [0.0]], [[1.0], [3.0]])
    [0.5, 4.0]
    >>> Loss(lambda y_true, y_pred: [p - t for t, p in zip(y_true, y_pred)])([1.0], [3.0])
    2.0
    """

    kind: ClassVar[str] = "loss"
    table = LOSSES
    aliases = ALIASES

    def __init__(
        self,
        function: str | Callable[..., Any],
        *,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        **settings: Any,
    ) -> None:
        super().__init__(function, name=name, **settings)
        self.reduction = "none" if reduction is None else reduction
        check_name("reduction", self.reduction, REDUCTIONS)

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """The loss of a batch, one number or Value; or with reduction "none" a list of them.

        Args:
            y_true: the targets: a list of samples, each a number or a list of numbers.
            y_pred: the predictions, likewise.
            sample_weight: one number per sample, or None for all 1.

        Raises:
            BadArgument: if the numbers of samples, outputs or weights do not match.
        """
        return self.reduced(self.per_sample(y_true, y_pred), sample_weight)

    def reduced(self, losses: Any, sample_weight: Any = None) -> Any:
        """The results of `per_sample` reduced to one number; arguments as for a call."""
        if not isinstance(losses, list):
            if sample_weight is not None:
                raise BadArgument(
                    f"The loss {self.name} returns one number for the whole batch, so samples "
                    f"can't be weighted. Return a list with one number per sample."
                )
            return losses
        weight = None
        if sample_weight is not None:
            weights = weights_of(sample_weight, len(losses))
            losses = [loss * weight for loss, weight in zip(losses, weights)]
            weight = ops.sum(weights)
        if self.reduction == "none":
            return losses
        total = losses[0] if len(losses) == 1 else ops.sum(losses)
        return self.of_sum(total, float(len(losses)), weight)

    def of_sum(self, total: Any, count: Any, weight: Any = None) -> Any:
        """The loss of a batch from sums over its samples, as numbers or Values.

        Args:
            total: Σ wᵢ·Lᵢ.
            count: the number of samples.
            weight: Σ wᵢ, None if there are no weights.

        >>> Loss("mse").of_sum(3.0, 2.0), Loss("mse", reduction="sum").of_sum(3.0, 2.0)
        (1.5, 3.0)
        """
        if self.reduction == "sum" or (type(count) is float and count == 1.0 and weight is None):
            return total
        if self.reduction == "mean_with_sample_weight" and weight is not None:
            return total / ops.where(ops.equal(weight, 0.0), inf, weight)  # Keras's 0 for none
        return total / count

    def config(self) -> dict[str, Any]:
        """Everything to save; see `Named.config`."""
        return {**super().config(), "reduction": self.reduction}

    def before(self, activation: Callable[[Any], Any]) -> Loss | None:
        """This loss as a function of the inputs of ``activation``, if that is possible.

        A cross-entropy of sigmoid or softmax outputs is also a function of the scores, which needs
        no clipping: a model that is certain and wrong still learns. Keras on TensorFlow uses the
        scores behind these two activations; on other backends it does not.

        >>> Loss("bce").before(ops.sigmoid)
        Loss('binary_crossentropy', from_logits=True)
        >>> Loss("mse").before(ops.sigmoid) is None
        True
        """
        squashed = self.built_in and _SQUASHED_BY.get(self.row or "") is activation
        if not squashed or self.settings["from_logits"]:
            return None
        return Loss(**{**self.config(), "from_logits": True})


def loss(which: str | Callable[..., Any] | Loss) -> Loss:
    """The loss for a name, a function or a class; a Loss is returned as it is.

    Names are those of `LOSSES`, of Keras's classes, and Keras's abbreviations.

    Raises:
        NameUnknown: with the nearest known name.

    >>> loss("MSE").name, loss("MeanSquaredError").name, loss("huber").settings
    ('mean_squared_error', 'mean_squared_error', {'delta': 1.0})
    """
    return made(Loss, which)
