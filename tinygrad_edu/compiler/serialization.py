"""Programs as JSON: data that is checked in full before anything of it runs.

A document holds what `Code` holds, the names, and the numbers that the leaves had. Numbers are
JSON numbers; inf, −inf and nan, which JSON has not, are the texts "inf", "-inf" and "nan".
"""

from __future__ import annotations

import json
from collections.abc import Callable
from math import inf, isfinite, nan
from typing import Any, Final

from ..core.value import Value
from ..errors import BadArgument
from .code import Code

__all__ = ["FORMAT", "VERSION", "read", "write"]

FORMAT: Final = "tinygrad_edu program"
VERSION: Final = 1

_UNWRITABLE: Final = {"inf": inf, "-inf": -inf, "nan": nan}
_RESULTS: Final = ("each", "total", "once")


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
            kind: [{"name": leaf.name, "data": _written(leaf._data)} for leaf in leaves[kind]]
            for kind in ("parameters", "captured")
        },
        **_described(code),
        "single": single and _described(single),
        **rest,
    }
    return json.dumps(document, ensure_ascii=False, allow_nan=False)


def _described(code: Code) -> dict[str, Any]:
    return {
        "constants": [_written(x) for x in code.constants],
        "instructions": [[name, *args] for name, args in zip(code.ops, code.args)],
        **{kind: list(getattr(code, kind)) for kind in _RESULTS},
    }


def read(text: str) -> tuple[Code, Code | None, dict[str, Any], dict[str, Any]]:
    """What `write` was given.

    Raises:
        BadArgument: naming what is wrong, if the text is no program in good order.
    """
    parsed = _parsed(text)
    if isinstance(parsed, dict):
        parsed.setdefault("single", None)  # which documents of 0.1.0 lack
    document = _object(parsed, "A program", {
        "format": _text, "version": _whole, "inputs": _list(_name),
        "parameters": _list(_leaf), "captured": _list(_leaf), **_CODE, "single": _single,
        "reduce": _text, "names": _list(_label), "scopes": _list(_label),
        "backward": _whole_or_none,
    })  # fmt: skip
    if document["format"] != FORMAT or document["version"] != VERSION:
        raise BadArgument(
            f"This reads documents of format {FORMAT!r}, version {VERSION}. Received: "
            f"{document['format']!r}, version {document['version']!r}."
        )
    leaves = {kind: document[kind] for kind in ("inputs", "parameters", "captured")}
    inputs, shared = len(leaves["inputs"]), len(leaves["parameters"]) + len(leaves["captured"])
    code = _code(document, inputs, shared)
    single = document["single"] and _code(document["single"], inputs, shared)
    return (
        code,
        single,
        leaves,
        {kind: document[kind] for kind in ("reduce", "names", "scopes", "backward")},
    )


def _parsed(text: str) -> Any:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            raise ValueError("a key stands twice in one object")
        return found

    def refused(token: str) -> Any:
        raise ValueError(f"{token} is no number of JSON")

    if not isinstance(text, str):
        raise BadArgument(f"A program is read from a text. Received: {type(text).__name__}.")
    try:
        return json.loads(text, object_pairs_hook=unique, parse_constant=refused)
    except (ValueError, RecursionError) as error:
        raise BadArgument(f"This is no program: {error or 'it is nested too deeply'}.") from error


# ── What may stand where ──────────────────────────────────────────────────────────────────


def _written(x: float) -> Any:
    return x if isfinite(x) else repr(x)


def _wrong(what: str, received: Any) -> BadArgument:
    shown = repr(received)
    shown = shown if len(shown) <= 60 else shown[:60] + "…"
    return BadArgument(f"This is no program in good order. {what}. Received: {shown}.")


def _object(found: Any, what: str, fields: dict[str, Callable[[Any, str], Any]]) -> dict[str, Any]:
    if type(found) is not dict or found.keys() != fields.keys():
        raise _wrong(f"{what} is an object with the keys {', '.join(fields)}", found)
    return {key: read_field(found[key], key) for key, read_field in fields.items()}


def _list(read_item: Callable[[Any, str], Any]) -> Callable[[Any, str], list[Any]]:
    def read_list(found: Any, what: str) -> list[Any]:
        if type(found) is not list:
            raise _wrong(f"{what!r} is a list", found)
        return [read_item(item, what) for item in found]

    return read_list


def _text(found: Any, what: str) -> str:
    if type(found) is not str:
        raise _wrong(f"{what!r} is a text", found)
    return found


def _name(found: Any, what: str) -> str | None:
    return None if found is None else _text(found, what)


def _whole(found: Any, what: str) -> int:
    if type(found) is not int:
        raise _wrong(f"{what!r} needs whole numbers", found)
    return found


def _whole_or_none(found: Any, what: str) -> int | None:
    return None if found is None else _whole(found, what)


def _number(found: Any, what: str) -> float:
    if type(found) is str and found in _UNWRITABLE:
        return _UNWRITABLE[found]
    try:
        if type(found) in (int, float) and isfinite(x := float(found)):
            return x
    except OverflowError:
        pass
    raise _wrong(f'{what!r} needs finite numbers, or "inf", "-inf", "nan"', found)


def _leaf(found: Any, what: str) -> Value:
    fields = _object(found, f"Each of the {what}", {"name": _name, "data": _number})
    return Value(fields["data"], fields["name"])


def _label(found: Any, what: str) -> tuple[int, str]:
    if type(found) is not list or len(found) != 2:
        raise _wrong(f"{what!r} are pairs of a slot and a name", found)
    return _whole(found[0], what), _text(found[1], what)


def _instruction(found: Any, what: str) -> list[Any]:
    if type(found) is not list or not found or type(found[0]) is not str:
        raise _wrong(f"{what!r} are lists of a primitive and the slots that it reads", found)
    return [found[0], *(_whole(slot, what) for slot in found[1:])]


_CODE: Final = {
    "constants": _list(_number),
    "instructions": _list(_instruction),
    **dict.fromkeys(_RESULTS, _list(_whole)),
}


def _single(found: Any, what: str) -> dict[str, Any] | None:
    return None if found is None else _object(found, f"A program of a {what} sample", _CODE)


def _code(described: dict[str, Any], inputs: int, shared: int) -> Code:
    return Code(
        inputs,
        shared,
        tuple(described["constants"]),
        tuple(name for name, *_ in described["instructions"]),
        tuple(tuple(args) for _, *args in described["instructions"]),
        *(tuple(described[kind]) for kind in _RESULTS),
    ).checked()
