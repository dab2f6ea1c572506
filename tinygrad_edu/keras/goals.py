"""The goals of a model: a loss and its factor for each output, and metrics.

`compile` gets them for all outputs, by place or by name, as in Keras.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from .. import nn
from ..core.table import is_real, number
from ..errors import BadArgument
from ..nn.counts import AUC, Confusion, F1Score, FBetaScore
from .metrics import CLASSES
from .wiring import free

_COUNTING: dict[str, Any] = {
    name: made_by
    for made_by in CLASSES.values()
    if made_by.engine in (AUC, Confusion, F1Score, FBetaScore)
    for name in (made_by.__name__, made_by.origin)
}
"""Metrics that count samples instead of taking a mean, by both of their names."""


class Goal(NamedTuple):
    """The goal of one output.

    Args:
        name: of the output.
        loss: of the output; None if nothing is wanted of it.
        factor: of its loss in the sum of all.
    """

    name: str
    loss: nn.Loss | None
    factor: float = 1.0


class Measure(NamedTuple):
    """A metric of one output.

    Args:
        metric: what is measured.
        place: that of the output.
        weighs: whether samples have the weights that they have in the loss.
        name: its own name, which metrics of other outputs may share.
    """

    metric: nn.Metric
    place: int
    weighs: bool
    name: str


def goals(names: Sequence[str], loss: Any, loss_weights: Any = None) -> list[Goal]:
    """The goal of each output.

    Args:
        names: of the outputs.
        loss: one for all; or a list, in the order of the outputs, or a dict by their names. None
            means no loss.
        loss_weights: likewise a factor for each loss, or one for one loss; 1 if not given.

    Raises:
        BadArgument: if they do not fit the outputs, or a factor is not a number.
        NameUnknown: for an unknown loss, with the nearest known name.

    >>> [goal.factor for goal in goals(["a", "b"], ["mse", "mae"], {"b": 0.5, "a": 2.0})]
    [2.0, 0.5]
    >>> goals(["a", "b"], ["mse", None])[1]
    Goal(name='b', loss=None, factor=1.0)
    """
    losses = _for_each("loss", loss, names)
    factors: Sequence[Any] = [1.0] * len(names)
    if loss_weights is not None:
        several = [isinstance(given, (list, tuple, Mapping)) for given in (loss, loss_weights)]
        if len(names) > 1 and several[0] is not several[1]:
            raise BadArgument(
                f"loss_weights must be one number for one loss, and a list or a dict for several. "
                f"Received: loss={loss!r}, loss_weights={loss_weights!r}."
            )
        factors = _for_each("loss_weights", loss_weights, names)
    for factor in factors:
        if not is_real(factor):
            raise BadArgument(f"loss_weights must be numbers. Received: {factor!r}.")
    made = [None if each is None else nn.loss(each) for each in losses]
    return [Goal(*each) for each in zip(names, made, map(number, factors))]


def _for_each(what: str, given: Any, names: Sequence[str]) -> Sequence[Any]:
    """The items for each output."""
    if isinstance(given, Mapping) and (set(given) == set(names) or len(names) == len(given) == 1):
        given = [given[name] for name in names] if len(names) > 1 else list(given.values())
    several = isinstance(given, (list, tuple, Mapping))
    if not several:
        return [given] * len(names)
    if isinstance(given, Mapping) or len(given) != len(names):
        raise BadArgument(
            f"{what} must be one for each output, {', '.join(names)}: a list in this order, or a "
            f"dict by these names. Received: {given!r}."
        )
    return [
        each[0] if isinstance(each, (list, tuple)) and len(each) == 1 else each for each in given
    ]


def measures(names: Sequence[str], metrics: Any, weighted_metrics: Any) -> dict[str, Measure]:
    """The metrics by the names that the history gives them: those of several outputs begin with
    the name of the output.

    Args:
        names: of the outputs.
        metrics: of one output a list; of several a list with a metric or a list of them for each,
            or a dict by the names of the outputs.
        weighted_metrics: likewise, of metrics that weigh samples as the loss does.

    Raises:
        BadArgument: if they do not fit the outputs.
        NameUnknown: for an unknown metric, with the nearest known name.

    >>> list(measures(["a", "b"], {"b": ["mae", "mae"]}, ["mae", "mae"]))
    ['b_mae', 'b_mae_1', 'a_mae', 'b_weighted_mae']
    """
    made: dict[str, Measure] = {}
    for weighs, given in enumerate((metrics, weighted_metrics)):
        what = "weighted_metrics" if weighs else "metrics"
        for place, which in _by_place(what, given, names):
            counts = which if isinstance(which, str) else ""
            metric = _COUNTING[counts]() if counts in _COUNTING else nn.metric(which)
            name = which if isinstance(which, str) else metric.name
            prefix = f"{names[place]}_" if len(names) > 1 else ""
            key = f"{prefix}{name}"
            if weighs and key in made:
                key = f"{prefix}weighted_{name}"
            made[free(key, made)] = Measure(metric, place, bool(weighs), name)
    return made


def _by_place(what: str, given: Any, names: Sequence[str]) -> Iterator[tuple[int, Any]]:
    """Every metric, with the place of its output."""
    if given is None or (isinstance(given, (list, tuple, Mapping)) and not given):
        return
    named = isinstance(given, Mapping) and (len(names) == 1 or set(given) <= set(names))
    listed = isinstance(given, (list, tuple)) and len(names) in (1, len(given))
    if not named and not listed:
        each = "" if len(names) == 1 else f" with an item for each of {', '.join(names)}"
        raise BadArgument(
            f"{what} must be a list{each}, or a dict by the names of the outputs. "
            f"Received: {given!r}."
        )
    if len(names) == 1:
        items = [(0, each) for each in (given.values() if named else given)]
    else:
        items = [(i, given.get(n) if named else given[i]) for i, n in enumerate(names)]
    for place, some in items:
        for which in some if isinstance(some, (list, tuple)) else [some]:
            if which is not None:
                yield place, which
