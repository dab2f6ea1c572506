"""Rows of nn's tables under the names of Keras's classes: ``losses.MeanSquaredError``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from ..errors import BadArgument, NameUnknown
from ..nn.names import look_up


def by_name(
    module: str, kind: str, table: Mapping[str, Any], aliases: Mapping[str, str], make: Any
) -> Callable[[str], Any]:
    """The ``__getattr__`` of a module whose names are the rows of a table, made when called.

    >>> from ..nn.losses import ALIASES, LOSSES, Loss
    >>> find = by_name("keras.losses", "loss", LOSSES, ALIASES, Loss)
    >>> find("Huber")(2.0)
    Loss('huber', delta=2.0)
    """

    def find(name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        try:
            return partial(_made, make, look_up(kind, name, table, aliases))
        except NameUnknown as unknown:
            raise AttributeError(f"module {module!r}: {unknown}") from None

    return find


def _made(make: Any, row: str, *given: Any, **settings: Any) -> Any:
    """The row with its settings, also those that Keras takes by place: ``L2(0.1)``."""
    names = list(make(row).settings)
    if len(given) > len(names):
        raise BadArgument(
            f"{row} has the settings ({', '.join(names)}). Received: {len(given)} by place."
        )
    return make(row, **dict(zip(names, given)), **settings)
