"""Metrics made of counts: of true and false, positive and negative predictions."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate
from math import inf, log
from typing import Any, ClassVar

from ..core import ops
from ..core.table import is_real, number
from ..errors import BadArgument, check_name, check_whole
from ..trees import flatten
from .losses import weights_of
from .metrics import Metric, floats

FUZZ = 1e-7


def ratio(a: float, b: float) -> float:
    """a/b; 0 if b is 0, as in Keras.

    >>> ratio(1.0, 2.0), ratio(0.0, 0.0)
    (0.5, 0.0)
    """
    return a / b if b else 0.0


CONFUSION: dict[str, Callable[[float, float, float, float], float]] = {
    "true_positives": lambda tp, fp, tn, fn: tp,
    "false_positives": lambda tp, fp, tn, fn: fp,
    "true_negatives": lambda tp, fp, tn, fn: tn,
    "false_negatives": lambda tp, fp, tn, fn: fn,
    "precision": lambda tp, fp, tn, fn: ratio(tp, tp + fp),
    "recall": lambda tp, fp, tn, fn: ratio(tp, tp + fn),
}
"""Functions of the four counts at one threshold: true and false positives, then negatives."""


class Confusion(Metric):
    """One of `CONFUSION`. A prediction is positive above the threshold, a target if it is not 0.

    Args:
        which: the name of the function.
        thresholds: a number, or a list of them; then ``result`` is a list. 0.5 by default.
        top_k: if given, the k largest predictions of a sample are positive, instead.
        class_id: the place of the only output that counts; all count by default.
        name: see `Named`.

    >>> precision = Confusion("precision")
    >>> precision.update([0.0, 1.0, 1.0], [0.9, 0.8, 0.2])
    >>> precision.result()
    0.5
    """

    table: ClassVar[Any] = CONFUSION
    aliases: ClassVar[dict[str, str]] = {}

    def __init__(
        self,
        which: str,
        thresholds: Any = None,
        top_k: int | None = None,
        class_id: int | None = None,
        name: str | None = None,
    ) -> None:
        if thresholds is None:
            thresholds = 0.5 if top_k is None else -inf
        self.thresholds = [number(t) for t in flatten(thresholds)[0]]
        self.single = is_real(thresholds) or len(self.thresholds) == 1
        self.top_k = None if top_k is None else check_whole("top_k", top_k)
        self.class_id = None if class_id is None else check_whole("class_id", class_id, 0)
        super().__init__(which, name=name)

    def reset(self) -> None:
        """Forget all samples."""
        self._sorted = sorted(self.thresholds)
        # Weights of positive and negative targets, by the number of thresholds below a prediction.
        self.seen = [[0.0] * (len(self.thresholds) + 1) for _ in range(2)]

    def update(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Add a batch; see `Metric.update`."""
        targets, predictions = floats(y_true), floats(y_pred)
        same_shapes(targets, predictions)
        weights = weights_of(sample_weight, len(targets)) if sample_weight is not None else None
        for i, (ts, ps) in enumerate(zip(targets, predictions)):
            if self.top_k is not None:
                places = sorted(range(len(ps)), key=[-p for p in ps].__getitem__)
                first = places[: self.top_k]
                ps = [p if i in first else -inf for i, p in enumerate(ps)]
            if self.class_id is not None:
                ts, ps = ts[self.class_id :][:1], ps[self.class_id :][:1]
            for t, p in zip(ts, ps):
                below = bisect_left(self._sorted, p)
                self.seen[t == 0.0][below] += 1.0 if weights is None else weights[i]

    def counts(self) -> Iterable[tuple[float, float, float, float]]:
        """True and false positives, true and false negatives at each threshold."""
        positive, negative = ([0.0, *accumulate(seen)] for seen in self.seen)
        for t in self.thresholds:
            j = bisect_left(self._sorted, t) + 1  # at most as many thresholds are below
            yield (positive[-1] - positive[j], negative[-1] - negative[j], negative[j], positive[j])

    def result(self) -> Any:
        """The metric of all samples since the last reset."""
        results = [self.function(*four) for four in self.counts()]
        return results[0] if self.single else results


class AUC(Confusion):
    """The area under the curve of true over false positives, or of precision over recall.

    Args:
        num_thresholds: how many thresholds, evenly from 0 to 1, approximate the curve.
        curve: "ROC" or "PR".
        summation_method: "interpolation", or "minoring" or "majoring" for a bound.
        name: see `Named`.
        thresholds: others between 0 and 1, instead.

    >>> auc = AUC()
    >>> auc.update([0.0, 0.0, 1.0, 1.0], [0.0, 0.5, 0.3, 0.9])
    >>> auc.result()
    0.75
    """

    table: ClassVar[Any] = {"auc": ratio}

    def __init__(
        self,
        num_thresholds: int = 200,
        curve: str = "ROC",
        summation_method: str = "interpolation",
        name: str | None = None,
        thresholds: Sequence[float] | None = None,
    ) -> None:
        count = check_whole("num_thresholds", num_thresholds, 2)
        check_name("curve", curve, ("ROC", "PR"))
        check_name("summation_method", summation_method, ("interpolation", "minoring", "majoring"))
        self.num_thresholds, self.curve, self.summation_method = count, curve, summation_method
        inner = thresholds
        if inner is None:
            inner = [i / (count - 1) for i in range(1, count - 1)]
        super().__init__("auc", [-FUZZ, *sorted(inner), 1.0 + FUZZ], name=name)

    def result(self) -> float:
        """The area, of all samples since the last reset."""
        points = list(self.counts())
        if self.curve == "PR" and self.summation_method == "interpolation":
            return sum(map(_between, points, points[1:]))
        recalls = [CONFUSION["recall"](*four) for four in points]
        if self.curve == "PR":
            xs, ys = recalls, [CONFUSION["precision"](*four) for four in points]
        else:
            xs, ys = [ratio(fp, fp + tn) for _, fp, tn, _ in points], recalls
        height: Any = {
            "interpolation": lambda a, b: (a + b) / 2.0,
            "minoring": min,
            "majoring": max,
        }
        of = height[self.summation_method]
        steps = zip(xs, xs[1:], ys, ys[1:])
        return float(sum((a - b) * of(left, right) for a, b, left, right in steps))


def _between(one: Sequence[float], other: Sequence[float]) -> float:
    """The area below precision between two thresholds, where true positives grow linearly with
    all positives. (Davis & Goadrich, "The relationship between precision-recall and ROC curves",
    2006.)"""
    (tp, fp, _, _), (tp_after, fp_after, _, fn_after) = one, other
    p, p_after = tp + fp, tp_after + fp_after
    slope = ratio(tp - tp_after, p - p_after)
    intercept = tp_after - slope * p_after
    grown = log(p / p_after) if p > 0.0 and p_after > 0.0 else 0.0
    return ratio(slope * (tp - tp_after + intercept * grown), tp_after + fn_after)


class FBetaScore(Metric):
    """(1 + β²)·P·R / (β²·P + R) of precision P and recall R of each class.

    Args:
        average: None for a list with one number per class; "micro" counts over all classes,
            "macro" takes the mean of the classes, "weighted" weighs it by their frequency.
        beta: β, above 0.
        threshold: above it a prediction is positive; None: the largest of a sample is.
        name: see `Named`.

    >>> f1 = FBetaScore(threshold=0.5)
    >>> f1.update([1.0, 0.0, 1.0], [0.9, 0.8, 0.7])
    >>> [round(f, 6) for f in f1.result()]
    [0.8]
    """

    table: ClassVar[Any] = {"fbeta_score": ratio, "f1_score": ratio}
    aliases: ClassVar[dict[str, str]] = {"f_beta_score": "fbeta_score"}
    row_of: ClassVar[str] = "fbeta_score"

    def __init__(
        self,
        average: str | None = None,
        beta: float = 1.0,
        threshold: float | None = None,
        name: str | None = None,
    ) -> None:
        check_name("average", str(average), ("None", "micro", "macro", "weighted"))
        self.average, self.beta = average, number(beta)
        if not self.beta > 0.0:
            raise BadArgument(f"The beta of FBetaScore must be above 0. Received: {beta!r}.")
        self.threshold = None if threshold is None else number(threshold)
        super().__init__(self.row_of, name=name)

    def reset(self) -> None:
        """Forget all samples."""
        self.classes: list[list[float]] = []  # of each class: true positives, positives, targets

    def update(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Add a batch; see `Metric.update`."""
        targets, predictions = floats(y_true), floats(y_pred)
        same_shapes(targets, predictions)
        n = len(targets)
        weights = [1.0] * n if sample_weight is None else weights_of(sample_weight, n)
        self.classes = self.classes or [[0.0] * 3 for _ in predictions[0]]
        for ts, ps, weight in zip(targets, predictions, weights):
            largest = max(ps)
            for counts, t, p in zip(self.classes, ts, ps):
                above = p > self.threshold if self.threshold is not None else (
                    p >= largest and abs(p) > 1e-9
                )  # fmt: skip
                counts[0] += weight * t * above
                counts[1] += weight * above
                counts[2] += weight * t

    def _score(self, right: float, positive: float, targets: float) -> float:
        precision, recall = right / (positive + FUZZ), right / (targets + FUZZ)
        square = self.beta**2
        return (1.0 + square) * precision * recall / (square * precision + recall + FUZZ)

    def result(self) -> Any:
        """The score of all samples since the last reset."""
        if self.average == "micro":
            return self._score(*map(sum, zip(*self.classes)))
        scores = [self._score(*counts) for counts in self.classes]
        if self.average is None:
            return scores
        shares = [targets if self.average == "weighted" else 1.0 for *_, targets in self.classes]
        return ratio(sum(map(ops.mul, scores, shares)), sum(shares))


class F1Score(FBetaScore):
    """`FBetaScore` with β = 1."""

    row_of = "f1_score"

    def __init__(
        self,
        average: str | None = None,
        threshold: float | None = None,
        name: str | None = None,
    ) -> None:
        super().__init__(average, 1.0, threshold, name)


class Mean(Metric):
    """The mean of numbers: Σ wᵢ·xᵢ / Σ wᵢ.

    >>> mean = Mean()
    >>> mean.update([1.0, 2.0, 6.0])
    >>> mean.result()
    3.0
    """

    table: ClassVar[Any] = {"mean": ratio, "sum": lambda total, weight: total}
    aliases: ClassVar[dict[str, str]] = {}
    row_of: ClassVar[str] = "mean"

    def __init__(self, name: str | None = None) -> None:
        super().__init__(self.row_of, name=name)

    def update(self, y_true: Any, y_pred: Any = None, sample_weight: Any = None) -> None:
        """Add numbers.

        Args:
            y_true: the numbers.
            y_pred: the weights, if ``sample_weight`` is not given; Keras takes them second.
            sample_weight: one number per number, or None for all 1.
        """
        values = flatten(floats(y_true))[0]
        weights = y_pred if sample_weight is None else sample_weight
        for x, w in zip(
            values, [1.0] * len(values) if weights is None else weights_of(weights, len(values))
        ):
            self.total += w * x
            self.weight += w

    def result(self) -> Any:
        """Of all numbers since the last reset."""
        return self.function(self.total, self.weight)


class Sum(Mean):
    """The sum of numbers: Σ wᵢ·xᵢ."""

    row_of = "sum"


def same_shapes(targets: Sequence[Sequence[Any]], predictions: Sequence[Sequence[Any]]) -> None:
    """Raise an error unless there is a target for each prediction.

    Raises:
        BadArgument: with both shapes.
    """
    if list(map(len, targets)) != list(map(len, predictions)) or not targets:
        shapes = [
            f"{len(ys)} samples of {len(ys[0]) if ys else 0}" for ys in (targets, predictions)
        ]
        raise BadArgument(
            f"A metric needs as many predictions as targets, at least one. "
            f"Received: {shapes[0]} targets and {shapes[1]} predictions."
        )
