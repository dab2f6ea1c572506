"""Writes the files that are made from the table: ``python -m tests.generate``, or make generate.

A test compares each with what stands in the repository.
"""

from __future__ import annotations

import importlib
import inspect
import json
import textwrap
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from tests import keras_page, operations_page, tensor_picture
from tests.operations_page import ROWS, plot, plotted
from tinygrad_edu.core.operators import is_method
from tinygrad_edu.core.table import BUILT_IN, TABLE, Op

PACKAGE = Path(__file__).parents[1] / "tinygrad_edu"


def operators_stub() -> str:
    """The stub of `core/operators.py` for type checkers."""
    rows = [op for op in TABLE.values() if op.name in BUILT_IN and is_method(op)]
    return _HEAD + "".join(map(_method, rows))


_HEAD = (
    """# Made from the table by tests/generate.py.
from collections.abc import Callable
from typing import Any

from .table import Op
from .value import Value

def operand(x: Any) -> Any: ...
def binary(op: Op) -> tuple[Callable[..., Any], Callable[..., Any]]: ...
def is_method(op: Op) -> bool: ...
def method(op: Op) -> Callable[..., Any]: ...

class Operators:
"""
    + "".join(
        f"    def __{reflected}{name}__(self, other: Value | float) -> Value: ...\n"
        for name in ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow")
        for reflected in ("", "r")
    )
    + "".join(
        f"    def __{name}__(self, other: Any) -> Any: ...\n"
        for name in ("eq", "ne", "lt", "le", "gt", "ge")
    )
    + "".join(
        f"    def __{name}__(self) -> Value: ...\n"
        for name in ("pos", "neg", "abs", "floor", "ceil")
    )
    + """    def _pow(self, exponent: Any) -> Any: ...
    def __divmod__(self, other: Value | float) -> tuple[Value, Value]: ...
    def __rdivmod__(self, other: Value | float) -> tuple[Value, Value]: ...
    def __round__(self, digits: None = None) -> Value: ...
    def __hash__(self) -> int: ...
    def __float__(self) -> float: ...
    def __int__(self) -> int: ...
    def __bool__(self) -> bool: ...
    def __trunc__(self) -> int: ...
"""
)


def _method(op: Op) -> str:
    assert op.arity is not None
    settings = op.parameters[1:]
    defaults = [" = ..."] * len(op.defaults)
    defaults = [""] * (len(settings) - len(defaults)) + defaults
    given = "".join(f", {name}: Value | float{x}" for name, x in zip(settings, defaults))
    return f"    def {op.name}(self{given}) -> Value: ...\n"


def exports() -> str:
    """The rows that the front door gives away: all but those that serve partials only."""
    names = sorted(name for name in BUILT_IN if name != "unless_nan")
    return "\n".join(
        [
            '"""The built-in rows, by name. Made from the table by tests/generate.py."""',
            "",
            *(f"from .ops import {name} as {name}" for name in names),
            "",
            "__all__ = [",
            textwrap.indent(textwrap.fill(", ".join(map(json.dumps, names)), 94) + ",", "    "),
            "]",
            "",
        ]
    )


# ── The rooms of keras ────────────────────────────────────────────────────────────────────

BASES = {
    "activations": "", "constraints": "Constraint", "initializers": "Initializer",
    "losses": "Loss", "metrics": "Metric", "ops": "", "regularizers": "Regularizer",
}  # fmt: skip


def room_stub(name: str) -> str:
    """The stub of a room whose classes and functions are made of rows, for type checkers."""
    room = importlib.import_module(f"tinygrad_edu.keras.{name}")
    base = BASES[name]
    lines = ["# Made from the tables by tests/generate.py.", "from typing import Any", ""]
    if base:
        lines += [f"from .bases import {base} as {base}", "from .lookup import Made", ""]
        lines += ["CLASSES: dict[str, type[Any]]"]
    lines += ["FUNCTIONS: dict[str, Any]"] if hasattr(room, "FUNCTIONS") else []
    aliases = []
    for title in sorted(set(room.__all__) - {base}):
        thing = getattr(room, title)
        if isinstance(thing, type) and thing.__name__ != title:
            aliases += [f"{title} = {thing.__name__}"]
        elif isinstance(thing, type):
            given = ", ".join(["self", *_typed(thing)])
            lines += [f"class {title}(Made, {base}):", f"    def __init__({given}) -> None: ..."]
        else:
            lines += [f"def {title}({', '.join(_typed(thing))}) -> Any: ..."]
    return "\n".join([*lines, *aliases, ""])


def _typed(thing: Any) -> Iterator[str]:
    """The parameters, each typed by its default."""
    kinds = {bool: "bool", int: "int", float: "float", str: "str | None"}
    for p in inspect.signature(thing).parameters.values():
        stars = {p.VAR_POSITIONAL: "*", p.VAR_KEYWORD: "**"}.get(p.kind, "")
        default = "" if p.default is p.empty else " = ..."
        yield f"{stars}{p.name}: {kinds.get(type(p.default), 'Any')}{default}"


GENERATED = {
    PACKAGE.parent / "docs" / "operations.md": operations_page.operations,
    **{
        PACKAGE.parent / "docs" / "operations" / f"{row.name}.svg": partial(plot, row)
        for row in filter(plotted, ROWS)
    },
    PACKAGE.parent / "docs" / "tensors.svg": tensor_picture.picture,
    PACKAGE.parent / "docs" / "keras.md": keras_page.page,
    PACKAGE / "core" / "exports.py": exports,
    PACKAGE / "core" / "operators.pyi": operators_stub,
    **{PACKAGE / "keras" / f"{name}.pyi": partial(room_stub, name) for name in BASES},
}


if __name__ == "__main__":
    for path, content in GENERATED.items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(content(), encoding="utf-8")
