"""JSON from outside is checked in full before anything of it is used.

A schema says what stands where: ``{"shape": [int], "name": Maybe(str)}``. A dict wants an
object with these keys, a list of one kind a list of these, a tuple a list of just these kinds
in this order, a type just that type.
"""

from __future__ import annotations

import json
from math import isfinite
from reprlib import repr as brief
from typing import Any, NamedTuple

from .errors import SavedModelError, TinygradError

_NUMERALS = ("nan", "inf", "-inf")


class Maybe(NamedTuple):
    """In a schema: this kind, or null."""

    of: Any


class ByName(NamedTuple):
    """In a schema: an object with any keys, each for one of this kind."""

    of: Any


class Row(NamedTuple):
    """In a schema: a list that begins with one kind and goes on with another."""

    first: Any
    rest: Any


class Numeral:
    """In a schema: a number, also as one of the strings "nan", "inf" and "-inf"."""


def parsed(content: str) -> Any:
    """The content of a JSON string.

    Raises:
        ValueError: if it is not JSON, is nested too deeply, has a key twice in one object, a
            constant that JSON does not have, or a whole number that only keeps somebody busy.

    >>> parsed('{"a": 1, "a": 2}')
    Traceback (most recent call last):
    ...
    ValueError: the key 'a' stands twice in one object
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
        if name in parts:  # readers differ in which of the two they take
            raise ValueError(f"the key {brief(name)} stands twice in one object")
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


def check(
    found: Any, schema: Any, place: str, error: type[TinygradError] = SavedModelError
) -> None:
    """Raise ``error``, with the place, for what is not of the kind that a schema wants.

    >>> check({"shape": [2, 3]}, {"shape": [int]}, "the input")
    >>> check({"shape": [2, "3"]}, {"shape": [int]}, "the input")
    Traceback (most recent call last):
        ...
    tinygrad_edu.errors.SavedModelError: In the input, shape, 1: expected int. Received: '3'.
    """
    if isinstance(schema, Maybe):
        if found is not None:
            check(found, schema.of, place, error)
    elif isinstance(schema, (dict, ByName)):
        need(type(found) is dict, place, "an object", found, error)
        if isinstance(schema, dict):
            keys = f"an object with {', '.join(schema)}"
            need(found.keys() == schema.keys(), place, keys, list(found), error)
        for name, part in found.items():
            kind = schema.of if isinstance(schema, ByName) else schema[name]
            check(part, kind, f"{place}, {brief(name)[1:-1]}", error)
    elif isinstance(schema, (list, tuple)):  # a Row is a tuple, too
        need(type(found) is list, place, "a list", found, error)
        count = len(found)
        if isinstance(schema, list):
            kinds = schema * count
        elif isinstance(schema, Row):
            kinds = [schema.first, *[schema.rest] * (count - 1)]
        else:
            kinds = list(schema)
        need(count == len(kinds), place, f"a list of {len(kinds)}", found, error)
        for i, (item, kind) in enumerate(zip(found, kinds)):
            check(item, kind, f"{place}, {i}", error)
    elif schema is Numeral:
        need(is_numeral(found), place, "a number", found, error)
    else:
        need(type(found) is schema, place, schema.__name__, found, error)


def need(
    holds: bool,
    place: str,
    expected: str,
    found: Any,
    error: type[TinygradError] = SavedModelError,
) -> None:
    """Raise ``error``, with the place, what is expected there and what was received."""
    if not holds:
        raise error(f"In {place}: expected {expected}. Received: {brief(found)}.")


def is_numeral(x: Any) -> bool:
    """Whether x is a number as `numeral` writes it.

    >>> is_numeral(1.5), is_numeral("nan"), is_numeral("1.5"), is_numeral(True)
    (True, True, False, False)
    """
    return type(x) in (float, int) or (type(x) is str and x in _NUMERALS)


def numeral(x: float) -> float | str:
    """A number as JSON can hold it, which has neither nan nor infinity; float() reads it.

    >>> numeral(0.1), numeral(float("-inf"))
    (0.1, '-inf')
    """
    return float(x) if isfinite(x) else repr(float(x))
