"""Every error of tinygrad_edu: what happened, what was received, what to do.

The bottom floor: it imports only `strings`, so every room can raise these.
Each class is also the built-in error a caller would expect, so ``except TypeError`` works.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any, Final

from .strings import legible

LONGEST: Final = 1800  # characters of a message


class TinygradError(Exception):
    """The parent of every error that this package raises on purpose."""

    def __str__(self) -> str:
        """The message as a terminal may show it, with the middle left out if it is very long."""
        text = legible(super().__str__())
        half = LONGEST // 2
        return text if len(text) <= LONGEST else f"{text[:half]} … {text[-half:]}"


class NotANumber(TinygradError, TypeError):
    """An argument that must be a real number is something else."""


class NameUnknown(TinygradError, ValueError):
    """A name that is not in the table it was looked up in."""


class BadArgument(TinygradError, ValueError):
    """An argument of the right type whose value makes no sense here."""


class GraphError(TinygradError, RuntimeError):
    """An operation that a recorded graph does not support."""


class StaleGraph(GraphError):
    """A leaf changed after it was used, so the recorded results are out of date."""


class Anomaly(GraphError):
    """The first nan or inf, found by `detect_anomaly`. It is deliberately not an ArithmeticError:
    rows catch those and use IEEE arithmetic, but this one must reach the user."""


class TracingError(TinygradError, TypeError):
    """A function that is being traced read a number that is known only when it is called."""


class NotTraceable(TracingError):
    """A function to be compiled contains an operation that only Python can run."""


class MissingExtra(TinygradError, ImportError):
    """An optional package is needed but not installed."""


class DrawingError(TinygradError, RuntimeError):
    """A graph could not be laid out or written."""


class SavedModelError(TinygradError, ValueError):
    """A model could not be saved as data, or a file is not a valid saved model."""


class FileError(TinygradError, OSError):
    """A file could not be read or written; ``reason`` says why, and what to do."""

    def __init__(self, message: str, reason: str = "") -> None:
        super().__init__(message)
        self.reason = reason


class GradientMismatch(TinygradError, AssertionError):
    """`check_grads` found two derivatives that disagree."""


def check_name(kind: str, name: object, names: Collection[str]) -> None:
    """Raise an error for a name that is not in a table.

    Raises:
        NameUnknown: with the nearest known name.

    >>> check_name("mode", "forward", ["forward", "reverse"])
    """
    if name not in names:
        raise unknown_name(kind, name, names)


def check_whole(what: str, n: Any, least: int = 1) -> int:
    """Check a whole number with a lower limit, NumPy's too; True and False do not count as numbers.

    Raises:
        BadArgument: for anything else.

    >>> check_whole("The number of epochs", 0)
    Traceback (most recent call last):
        ...
    tinygrad_edu.errors.BadArgument: The number of epochs must be a whole number from 1. Received:
    0.
    """
    if isinstance(n, bool) or not hasattr(n, "__index__") or int(n) < least:
        raise BadArgument(f"{what} must be a whole number from {least}. Received: {n!r}.")
    return int(n)


def unknown_name(kind: str, name: object, names: Iterable[str]) -> NameUnknown:
    """The error for a name that is not in a table, with the nearest match.

    >>> print(unknown_name("activation", "rellu", ["relu", "tanh"]))
    Unknown activation. Received: 'rellu'. Did you mean 'relu'? Known: relu, tanh.
    """
    import difflib  # only for an error: the import takes a few milliseconds

    names = sorted(names)
    near = difflib.get_close_matches(str(name)[:200], names, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return NameUnknown(f"Unknown {kind}. Received: {name!r}.{hint} Known: {', '.join(names)}.")
