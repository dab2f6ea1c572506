"""Ctrl-C at a chosen moment: before the n-th line that runs in some files of the package."""

from __future__ import annotations

import linecache
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any


def interrupted(work: Callable[[], object], line: int, *modules: ModuleType) -> bool:
    """Run it, and press Ctrl-C before the n-th line within these modules; whether there is one.

    A line of `with` runs again when its block ends. Python handles no signal between the end of a
    block and its `__exit__`, so Ctrl-C is not pressed there.
    """
    count, files = 0, {module.__file__ for module in modules}

    def trace(frame: Any, event: str, arg: Any) -> Any:
        nonlocal count
        if frame.f_code.co_filename not in files:
            return None
        if event == "line":
            count += 1
            text = linecache.getline(frame.f_code.co_filename, frame.f_lineno)
            if count == line and not text.lstrip().startswith("with "):
                raise KeyboardInterrupt
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    except KeyboardInterrupt:
        pass
    finally:
        sys.settrace(before)
    return count >= line
