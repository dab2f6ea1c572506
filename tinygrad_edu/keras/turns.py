"""One thread at a time works on a model; while it is being trained, others get an error."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from threading import RLock, get_ident
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

from ..errors import GraphError

P = ParamSpec("P")
R = TypeVar("R")


class Turns:
    """Whose turn it is to work on a model. Copies and pickles of a model get a new one.

    Attributes:
        lock: held while a method works on the model; by `fit`, which may take hours, only while it
            begins. A callback, in the thread of `fit`, may use the model.
        trained: by the thread with this number; empty if by none.
    """

    def __init__(self) -> None:
        self.lock = RLock()
        self.trained: tuple[int, ...] = ()

    def __reduce__(self) -> Any:
        return Turns, ()

    def check(self, what: str) -> None:
        """Raise a GraphError if another thread is in `fit`."""
        if self.trained not in ((), (get_ident(),)):
            raise GraphError(
                f"This model is being trained in another thread. Received: a call of {what}. "
                f"Wait for fit to return, use a callback, or work on a copy that was made "
                f"earlier: copy.deepcopy(model)."
            )


class _Taking(Protocol):
    @property
    def _turns(self) -> Turns: ...


M = TypeVar("M", bound=_Taking)


def alone(method: Callable[Concatenate[M, P], R]) -> Callable[Concatenate[M, P], R]:
    """A method of a model during which no other thread works on it; others wait.

    Raises:
        GraphError: if another thread is in `fit`.
    """

    @wraps(method)
    def call(self: M, /, *args: P.args, **settings: P.kwargs) -> R:
        turns = self._turns
        with turns.lock:
            turns.check(method.__name__)
            return method(self, *args, **settings)

    return call


def alone_for_long(method: Callable[Concatenate[M, P], R]) -> Callable[Concatenate[M, P], R]:
    """A method of a model that trains it: until it returns, other threads get an error.

    Raises:
        GraphError: if another thread is in `fit`.
    """

    @wraps(method)
    def call(self: M, /, *args: P.args, **settings: P.kwargs) -> R:
        turns, mine = self._turns, (get_ident(),)
        outer = turns.trained  # by a callback
        try:  # Ctrl-C at any moment ends the turn: Python handles it only before and after calls
            with turns.lock:
                turns.check(method.__name__)
                turns.trained = mine
            return method(self, *args, **settings)
        finally:
            if turns.trained is mine:
                turns.trained = outer

    return call
