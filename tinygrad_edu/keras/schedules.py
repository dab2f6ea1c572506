"""Schedules under the names that Keras gives them: ``ExponentialDecay(0.1, 100, 0.5)``.

>>> from tinygrad_edu import keras
>>> keras.optimizers.schedules.ExponentialDecay(0.5, decay_steps=10, decay_rate=0.5)(10)
0.25
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import BadArgument
from ..nn.names import check_known
from ..nn.schedules import (
    SCHEDULES,
    CosineDecay,
    CosineDecayRestarts,
    ExponentialDecay,
    InverseTimeDecay,
    PiecewiseConstantDecay,
    PolynomialDecay,
)
from ..nn.schedules import Schedule as LearningRateSchedule

__all__ = [
    "CosineDecay", "CosineDecayRestarts", "ExponentialDecay", "InverseTimeDecay",
    "LearningRateSchedule", "PiecewiseConstantDecay", "PolynomialDecay", "deserialize", "serialize",
]  # fmt: skip


def serialize(learning_rate_schedule: Any) -> dict[str, Any]:
    """A schedule as data, in Keras's form.

    Raises:
        BadArgument: for a function, which isn't data.
    """
    kind = type(learning_rate_schedule)
    if not isinstance(learning_rate_schedule, LearningRateSchedule):
        raise BadArgument(
            f"Only a schedule of this room is data. Received: {learning_rate_schedule!r}."
        )
    return {"module": "keras.optimizers.schedules", "class_name": kind.__name__,
            "config": learning_rate_schedule.get_config(), "registered_name": None}  # fmt: skip


def deserialize(config: Mapping[str, Any], custom_objects: Mapping[str, Any] | None = None) -> Any:
    """The schedule that ``serialize`` described.

    Raises:
        NameUnknown: for an unknown schedule.
    """
    known = {**SCHEDULES, **(custom_objects or {})}
    check_known("schedule", config["class_name"], known)
    return known[config["class_name"]].from_config(config["config"])
