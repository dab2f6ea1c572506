"""Writes the files that are made from the table: ``python -m tests.generate``, or make generate.

A test compares each with what stands in the repository.
"""

from __future__ import annotations

from pathlib import Path

from tinygrad_edu.core.methods import is_method
from tinygrad_edu.core.table import BUILT_IN, TABLE, Op

PACKAGE = Path(__file__).parents[1] / "tinygrad_edu"


def methods_stub() -> str:
    """What a type checker sees of `core/methods.py`."""
    rows = [op for op in TABLE.values() if op.name in BUILT_IN and is_method(op)]
    return "\n".join(
        [
            "# Made from the table by tests/generate.py.",
            "from .table import Op",
            "from .value import Value",
            "",
            "def is_method(op: Op) -> bool: ...",
            "",
            "class Methods:",
            *map(_method, rows),
            "",
        ]
    )


def _method(op: Op) -> str:
    assert op.arity is not None
    settings = op.parameters[1:]
    defaults = [" = ..."] * len(op.defaults)
    defaults = [""] * (len(settings) - len(defaults)) + defaults
    given = "".join(f", {name}: Value | float{x}" for name, x in zip(settings, defaults))
    return f"    def {op.name}(self{given}) -> Value: ..."


GENERATED = {PACKAGE / "core" / "methods.pyi": methods_stub}


if __name__ == "__main__":
    for path, content in GENERATED.items():
        path.write_text(content(), encoding="utf-8")
