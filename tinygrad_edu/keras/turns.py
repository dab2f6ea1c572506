"""One thread at a time works on a model; while it is being trained, others get an error."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from threading import RLock
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

from ..errors import GraphError

P = ParamSpec("P")
R = TypeVar("R")


class Turns:
    """The lock of a model. Copies and pickles of a model get a new one."""

    def __init__(self) -> None:
        self._lock = RLock()  # a callback, in the thread of fit, may use the model
        self._training = False

    def __reduce__(self) -> Any:
        return Turns, ()

    @contextmanager
    def taken(self, what: str) -> Iterator[None]:
        """A block in which no other thread works on the model.

        Raises:
            GraphError: if another thread is in `fit`, which may take hours. The block waits for all
                other methods.
        """
        while not self._lock.acquire(timeout=0.05):
            if self._training:
                raise GraphError(
                    f"This model is being trained in another thread. Received: a call of {what}. "
                    f"Wait for fit to return, use a callback, or work on a copy that was made "
                    f"earlier: copy.deepcopy(model)."
                )
        before = self._training
        self._training = before or what == "fit"
        try:
            yield
        finally:
            self._training = before
            self._lock.release()


class _Taking(Protocol):
    @property
    def _turns(self) -> Turns: ...


M = TypeVar("M", bound=_Taking)


def alone(method: Callable[Concatenate[M, P], R]) -> Callable[Concatenate[M, P], R]:
    """A method of a model during which no other thread works on it; see `Turns.taken`."""

    @wraps(method)
    def call(self: M, /, *args: P.args, **settings: P.kwargs) -> R:
        with self._turns.taken(method.__name__):
            return method(self, *args, **settings)

    return call
