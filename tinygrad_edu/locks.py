"""Locks that a forked process finds open.

A child process has only one thread: the one that forked. A lock that another thread had taken would
stay closed there forever.
"""

from __future__ import annotations

import os
import threading
from typing import Any, Final
from weakref import ref

__all__ = ["Locked", "lock"]

_FORKING: Final = threading.RLock()
_LOCKS: Final[list[Any]] = []
_taken: Final[list[Any]] = []  # by the thread that forks


def lock() -> Any:
    """A reentrant lock for which a fork waits, so that nothing it guards is half done there.

    >>> mine = lock()
    >>> with mine, mine:
    ...     pass
    """
    made = threading.RLock()
    _LOCKS.append(made)
    return made


class Locked:
    """An object with a lock for which no fork waits: the child process gets a new one.

    It is for data that is consistent at any time, and may be locked for long or while user-defined
    code runs.

    Attributes:
        lock: a reentrant lock.
    """

    def __init__(self) -> None:
        self.lock = threading.RLock()
        # In a callback in Python, as a WeakSet has, Ctrl-C would be raised and get lost.
        _LOCKED.add(ref(self, _LOCKED.discard))


_LOCKED: Final = set["ref[Locked]"]()


def _unlock() -> None:
    for one in [seen() for seen in _LOCKED]:
        if one is not None:
            one.lock = threading.RLock()


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
    os.register_at_fork(after_in_child=_unlock)
