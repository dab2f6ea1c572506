"""Programs as JSON: data that is checked in full before anything of it runs.

A document holds a `Recording` with the current numbers of its leaves, and a checksum, because a
damaged digit would make another valid program. Numbers are JSON numbers; inf, −inf and nan, which
JSON does not have, are the strings "inf", "-inf" and "nan".
"""

from __future__ import annotations

import json
from reprlib import repr as brief
from typing import Any, Final

from ..core.value import Value
from ..errors import BadArgument
from ..schemas import Maybe, Numeral, Row, check, checksum, numeral, parsed
from .code import Code
from .lowering import Recording

__all__ = ["FORMAT", "VERSION", "read", "write"]

FORMAT: Final = "tinygrad_edu program"
VERSION: Final = 2

_RESULTS: Final = ("each", "total", "once")
_CODE: Final[dict[str, Any]] = {
    "constants": [Numeral], "instructions": [Row(str, int)], **{kind: [int] for kind in _RESULTS},
}  # fmt: skip
_LEAVES: Final[list[Any]] = [{"name": Maybe(str), "data": Numeral}]
_PROGRAM: Final[dict[str, Any]] = {
    "format": str, "version": int, "checksum": str, "inputs": [Maybe(str)], "parameters": _LEAVES,
    "captured": _LEAVES, **_CODE, "single": Maybe(_CODE), "reduce": str, "names": [(int, str)],
    "scopes": [(int, str)], "backward": Maybe(int),
}  # fmt: skip


def write(recording: Recording) -> str:
    """The document of a recording, with the current numbers of its leaves."""
    document: dict[str, Any] = {
        "format": FORMAT,
        "version": VERSION,
        "checksum": "",
        "inputs": recording.inputs,
        **{
            kind: [{"name": x.name, "data": numeral(x._data)} for x in getattr(recording, kind)]
            for kind in ("parameters", "captured")
        },
        **_described(recording.code),
        "single": recording.single and _described(recording.single),
        "reduce": recording.reduce,
        "names": list(recording.names.items()),
        "scopes": list(recording.scopes.items()),
        "backward": recording.backward,
    }
    document["checksum"] = checksum(document)
    text = json.dumps(document, ensure_ascii=False, allow_nan=False)
    return text.encode("utf-8", "backslashreplace").decode()  # lone surrogates as JSON's escapes


def _described(code: Code) -> dict[str, Any]:
    return {
        "constants": [numeral(x) for x in code.constants],
        "instructions": [[name, *args] for name, args in zip(code.ops, code.args)],
        **{kind: list(getattr(code, kind)) for kind in _RESULTS},
    }


def read(content: str) -> Recording:
    """The recording of a document, with leaves of its own.

    Raises:
        BadArgument: naming the mistake, if the string is not a valid program.
    """
    if not isinstance(content, str):
        raise BadArgument(f"A program is read from a string. Received: {type(content).__name__}.")
    try:
        document = parsed(content)
    except ValueError as error:
        raise BadArgument(f"This is not a program: {error}.") from error
    if isinstance(document, dict) and repr(document.get("version")) == "1":
        document = _of_version_1(document)
    check(document, _PROGRAM, "the program", BadArgument)
    if document["format"] != FORMAT or document["version"] != VERSION:
        raise BadArgument(
            f"This version reads documents of format {FORMAT!r}, version {VERSION}. Received: "
            f"{document['format']!r}, version {document['version']!r}."
        )
    if document["checksum"] != checksum(document):
        raise BadArgument(
            f"The program was changed or damaged since it was written: its checksum is "
            f"{checksum(document)}. Received: {brief(document['checksum'])}. Take another copy, or "
            f"change the program in Python and write it again."
        )
    inputs = tuple(document["inputs"])
    parameters, captured = (
        tuple(Value(float(leaf["data"]), leaf["name"]) for leaf in document[kind])
        for kind in ("parameters", "captured")
    )
    code, single = (
        described and _code(described, len(inputs), len(parameters) + len(captured))
        for described in (document, document["single"])
    )
    names, scopes = dict(document["names"]), dict(document["scopes"])
    return Recording(
        code, inputs, parameters, captured, names, scopes, document["backward"], single,
        document["reduce"],
    )  # fmt: skip


def _of_version_1(document: dict[str, Any]) -> dict[str, Any]:
    """A document of 0.1.0 as one of today: they had no checksum."""
    if "checksum" in document:
        return document
    now = {"single": None, **document, "version": VERSION}
    return {**now, "checksum": checksum(now)}


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
