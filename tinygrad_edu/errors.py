"""Every error of tinygrad_edu: what happened, what was received, what to do.

The bottom floor: it imports nothing of the package, so every room can raise these.
Each class is also the built-in error a caller would expect, so ``except TypeError`` works.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any


class TinygradError(Exception):
    """The parent of every error that this package raises on purpose."""


class NotANumber(TinygradError, TypeError):
    """Something that is no real number stood where a number must be."""


class NameUnknown(TinygradError, ValueError):
    """A name that is not in the table it was looked up in."""


class BadArgument(TinygradError, ValueError):
    """An argument of the right type whose value makes no sense here."""


class GraphError(TinygradError, RuntimeError):
    """A recorded graph was asked for something that it cannot give."""


class StaleGraph(GraphError):
    """A leaf changed after it was used, so the recorded numbers are no longer its own."""


class Anomaly(GraphError):
    """The first nan or inf, found by `detect_anomaly`. Deliberately no ArithmeticError:
    rows answer those with IEEE arithmetic, and this one must reach the reader."""


class TracingError(TinygradError, TypeError):
    """A function that is being compiled asked for a number that it will only have later."""


class NotTraceable(TracingError):
    """An operation that only Python can run stood in a function to be compiled."""


class MissingExtra(TinygradError, ImportError):
    """An optional package is needed and not installed."""


class DrawingError(TinygradError, RuntimeError):
    """A graph could not be laid out or written."""


class SavedModelError(TinygradError, ValueError):
    """A model could not be saved as data, or a file is no saved model in good order."""


class GradientMismatch(TinygradError, AssertionError):
    """`check_grads` found two derivatives that disagree."""


def check_name(kind: str, name: object, known: Collection[str]) -> None:
    """Refuse a name that is in no table.

    Raises:
        NameUnknown: with the nearest name that there is.

    >>> check_name("mode", "forward", ["forward", "reverse"])
    """
    if name not in known:
        raise unknown_name(kind, name, known)


def check_whole(what: str, n: Any, least: int = 1) -> int:
    """A whole number that is large enough, NumPy's too; True and False are none here.

    Raises:
        BadArgument: for anything else.

    >>> check_whole("The number of epochs", 0)
    Traceback (most recent call last):
        ...
    tinygrad_edu.errors.BadArgument: The number of epochs is a whole number from 1. Received: 0.
    """
    if isinstance(n, bool) or not hasattr(n, "__index__") or int(n) < least:
        raise BadArgument(f"{what} is a whole number from {least}. Received: {n!r}.")
    return int(n)


def unknown_name(kind: str, name: object, known: Iterable[str]) -> NameUnknown:
    """The error for a name that is in no table, with the nearest match.

    >>> print(unknown_name("activation", "rellu", ["relu", "tanh"]))
    Unknown activation. Received: 'rellu'. Did you mean 'relu'? Known: relu, tanh.
    """
    import difflib  # only when something went wrong: it costs a few milliseconds to import

    known = sorted(known)
    near = difflib.get_close_matches(str(name), known, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return NameUnknown(f"Unknown {kind}. Received: {name!r}.{hint} Known: {', '.join(known)}.")
