"""JSON documents that are checked before they are believed: format, version, checksum, kinds.

A schema says what stands where: ``{"shape": [int], "name": Maybe(str)}``. A dict wants an
object with these keys, a list of one kind wants a list of these, a type wants just that type.
The checksum finds damage. It is no signature: whoever changes a file on purpose can make a new
one, and so a document that was read is still only data of the right kinds.
"""

from __future__ import annotations

import json
import os
from hashlib import sha256
from math import isfinite
from reprlib import repr as brief
from typing import Any, NamedTuple

from ..errors import SavedModelError
from ..files import read_whole, write_whole

FORMAT, VERSION = "tinygrad_edu model", 1
HEAD: dict[str, Any] = {"format": str, "version": int, "checksum": str}

_WIDTH = 90  # of a line, where its parts allow it


class Maybe(NamedTuple):
    """In a schema: this kind, or null."""

    of: Any


class ByName(NamedTuple):
    """In a schema: an object with any keys, each for one of this kind."""

    of: Any


class Numeral:
    """In a schema: a number, also as one of the texts "nan", "inf" and "-inf"."""


def write(path: str | os.PathLike[str], parts: dict[str, Any], schema: dict[str, Any]) -> None:
    """Write a document, whole or not at all.

    Args:
        path: where.
        parts: what; without the head.
        schema: what it must be, with the head: nothing is written that could not be read.

    Raises:
        SavedModelError: if the parts are not of the schema's kinds.
        FileError: if the file can't be written; an older one is then as it was.
    """
    head = {"format": FORMAT, "version": VERSION}
    whole = {**head, "checksum": checksum({**head, **parts}), **parts}
    check(whole, schema, "the model")
    write_whole(path, f"{pretty(whole)}\n".encode())


def read(path: str | os.PathLike[str], *schemas: dict[str, Any]) -> dict[str, Any]:
    """What is in a document, after a look whether everything is of the right kind.

    Args:
        path: of the file.
        schemas: what it may be: the one with the same keys is taken.

    Raises:
        SavedModelError: if it is anything else, with what it is instead.
        FileError: if it can't be read.
    """
    content = read_whole(path)
    try:
        parts = json.loads(content.decode(), parse_int=_whole, object_pairs_hook=_unique)
        found = checksum(parts) if isinstance(parts, dict) else None  # nan has no checksum
    except RecursionError:
        raise SavedModelError("It is nested too deeply to be a model.") from None
    except ValueError as error:
        raise SavedModelError(
            f"It is not JSON, or was cut off or damaged: {error}. Received: {len(content)} bytes "
            f"that begin with {content[:20]!r}. Take another copy."
        ) from error
    if found is None or parts.get("format") != FORMAT:
        raise SavedModelError(
            f"It is JSON, but no model that tinygrad_edu saved: that has "
            f'"format": "{FORMAT}". Received: {brief(parts)}.'
        )
    if type(parts.get("version")) is not int or parts["version"] != VERSION:
        raise SavedModelError(
            f"This tinygrad_edu reads version {VERSION} of the format. Received: version "
            f"{brief(parts.get('version'))}. Load it with the tinygrad_edu that saved it."
        )
    if parts.get("checksum") != found:
        raise SavedModelError(
            f"It was changed or damaged since it was saved: its checksum is {found}. "
            f"Received: {brief(parts.get('checksum'))}. Take another copy; or load that, change "
            f"the model in Python and save it again."
        )
    check(parts, next((s for s in schemas if s.keys() == parts.keys()), schemas[0]), "the file")
    return dict(parts)


def checksum(parts: dict[str, Any]) -> str:
    """Of everything but the checksum, whatever the order and the spaces.

    >>> checksum({"a": 1, "b": 2}) == checksum({"b": 2, "a": 1, "checksum": "sha256:0"})
    True
    """
    rest = {name: part for name, part in parts.items() if name != "checksum"}
    text = json.dumps(rest, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return f"sha256:{sha256(text.encode()).hexdigest()}"


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    parts: dict[str, Any] = {}
    for name, part in pairs:
        if name in parts:  # readers differ in which of the two they take
            raise ValueError(f"the key {brief(name)} comes twice")
        parts[name] = part
    return parts


def _whole(digits: str) -> int:
    if len(digits) > 20:  # such numbers would only keep somebody busy
        raise ValueError(f"a whole number of {len(digits)} digits")
    return int(digits)


def check(found: Any, schema: Any, place: str) -> None:
    """Refuse what is not of the kind that a schema wants.

    Raises:
        SavedModelError: with the place.

    >>> check({"shape": [2, 3]}, {"shape": [int]}, "the input")
    >>> check({"shape": [2, "3"]}, {"shape": [int]}, "the input")
    Traceback (most recent call last):
        ...
    tinygrad_edu.errors.SavedModelError: In the input, shape, 1: wanted is int. Received: '3'.
    """
    if isinstance(schema, Maybe):
        if found is not None:
            check(found, schema.of, place)
    elif isinstance(schema, list):
        need(type(found) is list, place, "a list", found)
        for i, item in enumerate(found):
            check(item, schema[0], f"{place}, {i}")
    elif isinstance(schema, (dict, ByName)):
        need(type(found) is dict, place, "an object", found)
        if isinstance(schema, dict):
            names = f"an object with {', '.join(schema)}"
            need(found.keys() == schema.keys(), place, names, list(found))
        for name, part in found.items():
            kind = schema.of if isinstance(schema, ByName) else schema[name]
            check(part, kind, f"{place}, {brief(name)[1:-1]}")
    elif schema is Numeral:
        need(is_numeral(found), place, "a number", found)
    else:
        need(type(found) is schema, place, schema.__name__, found)


def need(holds: bool, place: str, what: str, found: Any) -> None:
    """Refuse what does not hold.

    Raises:
        SavedModelError: with the place, what is wanted there, and what was received.
    """
    if not holds:
        raise SavedModelError(f"In {place}: wanted is {what}. Received: {brief(found)}.")


def is_numeral(x: Any) -> bool:
    """Whether x is a number as `numeral` writes it.

    >>> is_numeral(1.5), is_numeral("nan"), is_numeral("1.5"), is_numeral(True)
    (True, True, False, False)
    """
    return type(x) in (float, int) or (type(x) is str and x in ("nan", "inf", "-inf"))


def numeral(x: float) -> float | str:
    """A number as JSON can hold it, which knows neither nan nor infinity; float() reads it.

    >>> numeral(0.1), numeral(float("-inf"))
    (0.1, '-inf')
    """
    return float(x) if isfinite(x) else repr(float(x))


def pretty(x: Any, indent: str = "") -> str:
    """JSON to be read by people: what fits stands on one line, long rows of numbers are filled.

    >>> print(pretty({"name": "dense", "weights": [[0.1] * 30], "bias": [0.0, 0.0]}))
    {
      "name": "dense",
      "weights": [
        [
          0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1,
          0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1
        ]
      ],
      "bias": [0.0, 0.0]
    }
    """
    line = json.dumps(x, ensure_ascii=False, allow_nan=False)
    if not isinstance(x, (dict, list)) or len(indent + line) <= _WIDTH:
        return line
    inner = f"{indent}  "
    if isinstance(x, dict):
        name_of = [json.dumps(name, ensure_ascii=False) for name in x]
        rows = [f"{name}: {pretty(part, inner)}" for name, part in zip(name_of, x.values())]
    elif any(isinstance(item, (dict, list)) for item in x):
        rows = [pretty(item, inner) for item in x]
    else:
        texts = [json.dumps(item, ensure_ascii=False) for item in x]
        each = max(1, _WIDTH // (2 + max(map(len, texts))))
        rows = [", ".join(texts[i : i + each]) for i in range(0, len(texts), each)]
    begin, end = line[0], line[-1]
    return f"{begin}\n{inner}" + f",\n{inner}".join(rows) + f"\n{indent}{end}"
