"""JSON from outside is checked completely before any of it is used.

A schema describes each part: ``{"shape": [int], "name": Maybe(str)}``. A dict stands for an object
with exactly these keys, a list for a list whose items are all of its one kind, a tuple for a list
of exactly these kinds in this order, a type for exactly that type.
"""

from __future__ import annotations

import json
from hashlib import sha256
from math import isfinite
from reprlib import repr as brief
from typing import Any, NamedTuple

from .errors import SavedModelError, TinygradError

_NUMERALS = ("nan", "inf", "-inf")


class Maybe(NamedTuple):
    """In a schema: this kind, or null."""

    of: Any


class Either(NamedTuple):
    """In a schema: an object with the keys of one or of the other."""

    one: dict[str, Any]
    other: dict[str, Any]


class ByName(NamedTuple):
    """In a schema: an object with any keys, whose values are all of this kind."""

    of: Any


class Row(NamedTuple):
    """In a schema: a list whose first item is of one kind, and all others of another."""

    first: Any
    rest: Any


class Numeral:
    """In a schema: a number, or one of the strings "nan", "inf" and "-inf"."""


def parsed(content: str) -> Any:
    """The content of a JSON string.

    Raises:
        ValueError: if it is not JSON or is nested too deeply, or contains a key twice in one
            object, a constant that JSON does not have, or a whole number of too many digits.

    >>> parsed('{"a": 1, "a": 2}')
    Traceback (most recent call last):
    ...
    ValueError: the key 'a' appears twice in one object
    """
    try:
        return json.loads(
            content,
            parse_int=_whole,
            parse_float=_finite,
            parse_constant=_constant,
            object_pairs_hook=_unique,
        )
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    parts: dict[str, Any] = {}
    for name, part in pairs:
        if name in parts:  # programs differ in which of the two they use
            raise ValueError(f"the key {brief(name)} appears twice in one object")
        parts[name] = part
    return parts


def _constant(token: str) -> Any:
    raise ValueError(f"JSON does not have the number {token}")


def _finite(digits: str) -> float:
    x = float(digits)
    if not isfinite(x):
        raise ValueError(f"the number {brief(digits)} is beyond the range of doubles")
    return x


def _whole(digits: str) -> int:
    if len(digits) > 20:
        raise ValueError(f"a whole number of {len(digits)} digits")
    return int(digits)


def checksum(parts: dict[str, Any]) -> str:
    """A checksum of everything but itself, whatever the order and the spaces.

    It finds damage. It is not a signature: whoever changes a file on purpose can compute a new one.

    >>> checksum({"a": 1, "b": 2}) == checksum({"b": 2, "a": 1, "checksum": "sha256:0"})
    True
    """
    rest = {name: part for name, part in parts.items() if name != "checksum"}
    text = json.dumps(rest, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return f"sha256:{sha256(text.encode()).hexdigest()}"


def check(part: Any, schema: Any, place: str, error: type[TinygradError] = SavedModelError) -> None:
    """Raise ``error``, with the place, if a part of the JSON does not match its schema.

    >>> check({"shape": [2, 3]}, {"shape": [int]}, "the input")
    >>> check({"shape": [2, "3"]}, {"shape": [int]}, "the input")
    Traceback (most recent call last):
        ...
    tinygrad_edu.errors.SavedModelError: In the input, shape, 1: expected int. Received: '3'.
    """
    if isinstance(schema, Maybe):
        if part is not None:
            check(part, schema.of, place, error)
    elif isinstance(schema, Either):
        fits = isinstance(part, dict) and part.keys() == schema.other.keys()
        check(part, schema.other if fits else schema.one, place, error)
    elif isinstance(schema, (dict, ByName)):
        need(type(part) is dict, place, "an object", part, error)
        kinds = schema if isinstance(schema, dict) else dict.fromkeys(part, schema.of)
        keys = f"an object with {', '.join(kinds)}"
        need(part.keys() == kinds.keys(), place, keys, list(part), error)
        for name, item in part.items():
            check(item, kinds[name], f"{place}, {brief(name)[1:-1]}", error)
    elif isinstance(schema, (list, tuple)):  # a Row is a tuple, too
        need(type(part) is list, place, "a list", part, error)
        if isinstance(schema, Row):
            schema = [schema.first, *[schema.rest] * (len(part) - 1)]
        elif isinstance(schema, list):
            schema = schema * len(part)
        need(len(part) == len(schema), place, f"a list of {len(schema)}", part, error)
        for i, (item, kind) in enumerate(zip(part, schema)):
            check(item, kind, f"{place}, {i}", error)
    elif schema is Numeral:
        need(is_numeral(part), place, "a number", part, error)
    else:
        need(type(part) is schema, place, schema.__name__, part, error)


def need(
    holds: bool,
    place: str,
    expected: str,
    received: Any,
    error: type[TinygradError] = SavedModelError,
) -> None:
    """Unless a condition holds, raise ``error`` with the place, what is expected there, and what
    was received."""
    if not holds:
        raise error(f"In {place}: expected {expected}. Received: {brief(received)}.")


def is_numeral(x: Any) -> bool:
    """Whether x is a number in the form that `numeral` returns.

    >>> is_numeral(1.5), is_numeral("nan"), is_numeral("1.5"), is_numeral(True)
    (True, True, False, False)
    """
    return type(x) in (float, int) or (type(x) is str and x in _NUMERALS)


def numeral(x: float) -> float | str:
    """A number in a form that JSON allows, which has neither nan nor infinity; float() reads it.

    >>> numeral(0.1), numeral(float("-inf"))
    (0.1, '-inf')
    """
    return float(x) if isfinite(x) else repr(float(x))
