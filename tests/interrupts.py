"""Ctrl-C at a chosen moment: when the n-th line begins to run in some files of the package."""

from __future__ import annotations

import signal
import sys
from _thread import interrupt_main
from collections.abc import Callable
from types import ModuleType
from typing import Any


class Key(int):
    """A signal that is sent by reading an attribute, which runs no code in Python.

    After a call Python would handle the signal at once, in the middle of the trace function. So it
    is handled in the code that is traced, where Python next looks for signals, as with a real key.
    """

    pressed: Any = property(interrupt_main)  # type: ignore[arg-type]


def interrupted(work: Callable[[], object], line: int, *modules: ModuleType) -> bool:
    """Run it, and press Ctrl-C at the n-th line within these modules; whether there is one."""
    count, files = 0, {module.__file__ for module in modules}
    key = Key(signal.SIGINT)

    def trace(frame: Any, event: str, arg: Any) -> Any:
        nonlocal count
        if frame.f_code.co_filename not in files:
            return None
        if event == "line":
            count += 1
            if count == line:
                sys.settrace(before)
                _ = key.pressed
                return None
        return trace

    def handler(number: int, frame: Any) -> None:
        raise KeyboardInterrupt

    before, ours = sys.gettrace(), signal.signal(signal.SIGINT, handler)
    sys.settrace(trace)
    try:
        work()
        sys.settrace(before)  # and a key that was pressed in the last line is handled here
    except KeyboardInterrupt:
        pass
    finally:
        sys.settrace(before)
        signal.signal(signal.SIGINT, ours)
    return count >= line
