"""Keras's public names and their arguments, recorded: ``python -m tests.keras_names``.

The recorded file says which names docs/keras.md must list, and what their arguments are. It is
written anew where Keras is installed; nothing else here needs Keras.
"""

from __future__ import annotations

import inspect
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

RECORDED = Path(__file__).parent / "data" / "keras_names.json"
ROOMS = (
    "", "activations", "callbacks", "constraints", "initializers", "layers", "losses", "metrics",
    "models", "ops", "optimizers", "optimizers.schedules", "regularizers", "saving", "utils",
)  # fmt: skip


def room(k: Any, name: str) -> Any:
    """A module of Keras, or of ours, by the name that it has in ``keras``."""
    for part in name.split(".") if name else ():
        k = getattr(k, part)
    return k


def public(module: Any) -> Iterator[str]:
    """The public names of a module of Keras."""
    return (name for name in dir(module) if not name.startswith("_"))


def arguments(thing: Any) -> list[list[Any]] | None:
    """The arguments in their order, as (name, default) or (name,); None if unknown.

    A default that JSON can't store is its ``repr``; ``*args`` and ``**settings`` have no default.
    """
    try:
        parameters = list(inspect.signature(thing).parameters.values())
        stars = all(p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD) for p in parameters)
        if inspect.isclass(thing) and parameters and stars:  # Keras's layers have a __new__
            parameters = list(inspect.signature(thing.__init__).parameters.values())[1:]
    except (TypeError, ValueError):
        return None
    marks = {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**"}
    return [
        [marks.get(p.kind, "") + p.name, *([] if p.default is p.empty else [_plain(p.default)])]
        for p in parameters
    ]


def _plain(x: Any) -> Any:
    if x is None or isinstance(x, (bool, int, float, str)):
        return x
    if isinstance(x, (list, tuple)):
        return [_plain(item) for item in x]
    return getattr(x, "__name__", None) or type(x).__name__


def described(thing: Any) -> list[Any]:
    """The kind of a name, and its arguments unless it is a module."""
    if isinstance(thing, ModuleType):
        return ["module"]
    kind = "class" if inspect.isclass(thing) else "function" if callable(thing) else "value"
    return [kind, arguments(thing)] if callable(thing) else [kind]


def written(names: dict[str, dict[str, Any]], provenance: dict[str, str]) -> str:
    """The recorded file, with a line for each name."""
    rooms = []
    for title, content in names.items():
        lines = [f"  {json.dumps(name)}: {json.dumps(what)}" for name, what in content.items()]
        rooms.append(f" {json.dumps(title)}: {{\n" + ",\n".join(lines) + "\n }")
    head = f'{{\n "provenance": {json.dumps(provenance)},\n "rooms": {{\n'
    return head + ",\n".join(rooms) + "\n }\n}\n"


def main() -> int:
    try:
        import keras as k
    except ImportError:
        print("Keras is not installed: pip install keras jax")
        return 1
    names = {
        title: {name: described(getattr(room(k, title), name)) for name in public(room(k, title))}
        for title in ROOMS
    }
    provenance = {"keras": k.__version__, "script": "python -m tests.keras_names"}
    RECORDED.write_text(written(names, provenance), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
