"""Locks that a forked process finds open."""

from __future__ import annotations

import os
import threading
from typing import Any, Final

__all__ = ["lock"]

_FORKING: Final = threading.RLock()
_LOCKS: Final[list[Any]] = []
_taken: Final[list[Any]] = []  # by the thread that forks


def lock() -> Any:
    """A reentrant lock for which a fork waits.

    A child process has one thread only: the one that forked. A lock that another thread held
    would stay closed there for ever, and what it was guarding would stay half done.

    >>> held = lock()
    >>> with held, held:
    ...     pass
    """
    made = threading.RLock()
    _LOCKS.append(made)
    return made


def _take_all() -> None:
    """Take all locks, or none and try again: a thread may hold one and wait for another."""
    _FORKING.acquire()
    while len(_taken) < len(_LOCKS):
        one = _LOCKS[len(_taken)]
        if one.acquire(timeout=0.01):
            _taken.append(one)
        else:
            _leave()


def _leave() -> None:
    while _taken:
        _taken.pop().release()


def _leave_all() -> None:
    _leave()
    _FORKING.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_take_all, after_in_parent=_leave_all, after_in_child=_leave_all)
