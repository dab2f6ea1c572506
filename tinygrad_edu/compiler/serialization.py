"""Programs as JSON: data that is checked in full before anything of it runs.

A document holds what `Code` holds, the names, and the numbers that the leaves had. Numbers are
JSON numbers; inf, −inf and nan, which JSON does not have, are the strings "inf", "-inf" and "nan".
"""

from __future__ import annotations

import json
from typing import Any, Final

from ..core.value import Value
from ..errors import BadArgument
from ..schemas import Maybe, Numeral, Row, check, numeral, parsed
from .code import Code

__all__ = ["FORMAT", "VERSION", "read", "write"]

FORMAT: Final = "tinygrad_edu program"
VERSION: Final = 1

_RESULTS: Final = ("each", "total", "once")
_CODE: Final[dict[str, Any]] = {
    "constants": [Numeral], "instructions": [Row(str, int)], **{kind: [int] for kind in _RESULTS},
}  # fmt: skip
_LEAVES: Final[dict[str, Any]] = {
    "inputs": [Maybe(str)],
    "parameters": [{"name": Maybe(str), "data": Numeral}],
    "captured": [{"name": Maybe(str), "data": Numeral}],
}
_REST: Final[dict[str, Any]] = {
    "reduce": str, "names": [(int, str)], "scopes": [(int, str)], "backward": Maybe(int),
}  # fmt: skip
_PROGRAM: Final[dict[str, Any]] = {
    "format": str, "version": int, **_LEAVES, **_CODE, "single": Maybe(_CODE), **_REST,
}  # fmt: skip


def write(code: Code, single: Code | None, leaves: dict[str, Any], rest: dict[str, Any]) -> str:
    """The document of a program.

    Args:
        code: the program.
        single: that of a single sample, if it is another one.
        leaves: "inputs" by their names, "parameters" and "captured" as Values.
        rest: what else to write: "reduce", "names", "scopes", "backward".
    """
    document = {
        "format": FORMAT,
        "version": VERSION,
        "inputs": leaves["inputs"],
        **{
            kind: [{"name": leaf.name, "data": numeral(leaf._data)} for leaf in leaves[kind]]
            for kind in ("parameters", "captured")
        },
        **_described(code),
        "single": single and _described(single),
        **rest,
    }
    text = json.dumps(document, ensure_ascii=False, allow_nan=False)
    return text.encode("utf-8", "backslashreplace").decode()  # lone surrogates as JSON's escapes


def _described(code: Code) -> dict[str, Any]:
    return {
        "constants": [numeral(x) for x in code.constants],
        "instructions": [[name, *args] for name, args in zip(code.ops, code.args)],
        **{kind: list(getattr(code, kind)) for kind in _RESULTS},
    }


def read(content: str) -> tuple[Code, Code | None, dict[str, Any], dict[str, Any]]:
    """What `write` was given.

    Raises:
        BadArgument: naming what is wrong, if the string is not a program in good order.
    """
    if not isinstance(content, str):
        raise BadArgument(f"A program is read from a string. Received: {type(content).__name__}.")
    try:
        document = parsed(content)
    except ValueError as error:
        raise BadArgument(f"This is not a program: {error}.") from error
    if isinstance(document, dict):
        document.setdefault("single", None)  # which documents of 0.1.0 lack
    check(document, _PROGRAM, "the program", BadArgument)
    if document["format"] != FORMAT or document["version"] != VERSION:
        raise BadArgument(
            f"This version reads documents of format {FORMAT!r}, version {VERSION}. Received: "
            f"{document['format']!r}, version {document['version']!r}."
        )
    leaves = {
        "inputs": document["inputs"],
        **{
            kind: [Value(float(leaf["data"]), leaf["name"]) for leaf in document[kind]]
            for kind in ("parameters", "captured")
        },
    }
    inputs, shared = len(leaves["inputs"]), len(leaves["parameters"]) + len(leaves["captured"])
    code = _code(document, inputs, shared)
    single = document["single"] and _code(document["single"], inputs, shared)
    return code, single, leaves, {kind: document[kind] for kind in _REST}


def _code(described: dict[str, Any], inputs: int, shared: int) -> Code:
    instructions = described["instructions"]
    return Code(
        inputs,
        shared,
        tuple(map(float, described["constants"])),
        tuple(name for name, *_ in instructions),
        tuple(tuple(args) for _, *args in instructions),
        *(tuple(described[kind]) for kind in _RESULTS),
    ).checked()
