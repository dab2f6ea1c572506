"""Ctrl-C at a chosen moment: before the n-th line that runs in a file of the package."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any


def interrupted(work: Callable[[], object], line: int, module: ModuleType) -> bool:
    """Run it, and press Ctrl-C before the n-th line within a module; whether there is one."""
    count = 0

    def trace(frame: Any, event: str, arg: Any) -> Any:
        nonlocal count
        if frame.f_code.co_filename != module.__file__:
            return None
        if event == "line":
            count += 1
            if count == line:
                raise KeyboardInterrupt
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    except KeyboardInterrupt:
        return True
    finally:
        sys.settrace(before)
    return False
