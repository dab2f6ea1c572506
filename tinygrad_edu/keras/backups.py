"""The state of a training as a file, from which `callbacks.BackupAndRestore` continues.

It holds numbers alone: the model itself comes from the program that trains it.
"""

from __future__ import annotations

import os
from typing import Any

from ..core.table import number
from ..errors import BadArgument
from ..schemas import ByName, Maybe, Numeral, numeral
from . import documents
from .documents import HEAD

SCHEMA: dict[str, Any] = {
    **HEAD,
    "epoch": int,  # the next one
    "shapes": [int],  # how many numbers each layer has
    "weights": [Numeral],
    "rate": Maybe(Numeral),  # None for a schedule
    "optimizer": {"class": str, "iterations": int, "memory": ByName([Numeral])},
    "streams": [{"version": int, "internal": [int], "gauss": Maybe(Numeral)}],
    "rest": Maybe([[int]]),  # the batches that the epoch leaves to the next one
}


def back_up(model: Any, source: Any, path: str | os.PathLike[str], epoch: int) -> None:
    """Write everything that training changes, whole or not at all.

    Args:
        model: the model in training.
        source: the batches that it is trained on.
        path: of the file.
        epoch: the number of the epoch to continue with, from 0.

    Raises:
        FileError: if the file can't be written; an older one is then as it was.
    """
    state, rate = model._state(source), model.optimizer.learning_rate
    memory = {name: list(map(numeral, xs)) for name, xs in state.optimizer["memory"].items()}
    streams = [
        {"version": version, "internal": list(internal), "gauss": gauss and numeral(gauss)}
        for version, internal, gauss in state.streams
    ]
    parts = {
        "epoch": epoch,
        "shapes": _shapes(model),
        "weights": list(map(numeral, state.weights)),
        "rate": None if callable(rate) else numeral(number(rate)),
        "optimizer": {**state.optimizer, "memory": memory},
        "streams": streams,
        "rest": state.rest if _in_order(source) else None,
    }
    documents.write(path, parts, SCHEMA)


def resume(model: Any, source: Any, path: str | os.PathLike[str]) -> int:
    """Set the model, its optimiser and its random streams as a backup holds them.

    Returns:
        The number of the epoch to continue with.

    Raises:
        SavedModelError: if the file is damaged.
        BadArgument: if it is the backup of another model; nothing is changed then.
        FileError: if it can't be read.
    """
    parts = documents.read(path, SCHEMA)
    mine = [type(model.optimizer).__name__, len(model._streams()), *_shapes(model)]
    theirs = [parts["optimizer"]["class"], len(parts["streams"]), *parts["shapes"]]
    if mine != theirs:
        raise BadArgument(
            f"The backup is that of another model: it has {_described(theirs)}, this one "
            f"{_described(mine)}. Received: {os.fspath(path)!r}. Delete it, or choose another "
            f"backup_dir."
        )
    if parts["rate"] is not None and not callable(model.optimizer.learning_rate):
        model.optimizer.learning_rate = float(parts["rate"])
    state = model._state(source)
    memory = {name: list(map(float, xs)) for name, xs in parts["optimizer"]["memory"].items()}
    streams = [
        (s["version"], tuple(s["internal"]), None if s["gauss"] is None else float(s["gauss"]))
        for s in parts["streams"]
    ]
    given = state._replace(
        weights=list(map(float, parts["weights"])),
        optimizer={**parts["optimizer"], "memory": memory},
        streams=streams,
        rest=state.rest if parts["rest"] is None else parts["rest"],
    )
    model._restore(given, source)
    return int(parts["epoch"])


def _shapes(model: Any) -> list[int]:
    return [layer.count_params() for layer in model.layers]


def _in_order(source: Any) -> bool:
    """Whether the batches are places of samples, not a stream that can't be read again."""
    return source.data is not None


def _described(kind: list[Any]) -> str:
    name, streams, *layers = kind
    return f"{name}, {streams} random streams and layers of {layers} numbers"
