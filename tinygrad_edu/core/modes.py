"""Blocks that change how Values are recorded: `scope` and `no_grad`."""

from __future__ import annotations

import sys

from ..blocks import MODE, Mode, entering
from ..errors import BadArgument, TracingError


class scope(entering):
    """A block whose nodes have this scope, which pictures draw as a box around them.

    Scopes nest: a scope "neuron 2" inside "sample 1" is "sample 1/neuron 2".

    Args:
        name: the caption of the box; "/" separates levels.

    >>> from tinygrad_edu import Value
    >>> with scope("sample 1"), scope("neuron 2"):
    ...     v = Value(1.0)
    >>> v.scope
    'sample 1/neuron 2'
    """

    def __init__(self, name: str) -> None:
        if not isinstance(name, str) or not name:
            raise BadArgument(f"A scope needs a name, a non-empty string. Received: {name!r}.")
        self.name = name
        self._open = []

    def change(self, mode: Mode) -> None:
        mode.scope = self.name if mode.scope is None else f"{mode.scope}/{self.name}"


class no_grad(entering):
    """A block in which operations compute without recording; also a decorator.

    A block is open until it is left, even across a ``yield``: the caller of a generator that keeps
    one open records nothing either. Decorate the generator instead.

    >>> from tinygrad_edu import Value
    >>> x = Value(3.0)
    >>> with no_grad():
    ...     y = x * x
    >>> y.data, y.args
    (9.0, ())
    """

    def __init__(self) -> None:
        super().__init__(recording=False)


_PACKAGE = __file__.rpartition("core")[0]


def caller() -> tuple[str, int]:
    """The file and line that is recording: outside this package, and outside libraries that call
    it."""
    frame = sys._getframe(1)
    while frame.f_back is not None and (
        frame.f_code.co_filename.startswith(_PACKAGE)
        or frame.f_globals.get("__name__") in ("contextlib", "copy", "copyreg")
    ):
        frame = frame.f_back
    return frame.f_code.co_filename, frame.f_lineno


_REMEDY = (
    "Write conditions with tg.where(cond, a, b), stay in the graph (tg.sin(v), v * 2.0), or make "
    "the argument static: tg.jit(f, static_argnums=...)."
)


def refuse_while_tracing(what: str, remedy: str = _REMEDY) -> None:
    """Raise if a function is being traced: the number would become a constant of its program."""
    if MODE.get().trace is not None:
        raise traced_read(what, remedy)


def traced_read(what: str, remedy: str = _REMEDY) -> TracingError:
    """The error for reading a number while a function is traced."""
    from linecache import getline

    file, line = caller()
    return TracingError(
        f"{what} while a function is traced for compilation: the program would keep the number "
        f'of this one call. {remedy} File "{file}", line {line}: {getline(file, line).strip()}'
    )
