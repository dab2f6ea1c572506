"""How recording goes on right now: scopes, `no_grad`, `detect_anomaly`.

All of it lives in one context variable, so threads and async tasks never see each other's.
"""

from __future__ import annotations

import sys
from contextlib import ContextDecorator
from contextvars import ContextVar, Token
from typing import Any

from ..errors import BadArgument, TracingError


class Mode:
    """What a new node must know about its surroundings; never changed, only replaced."""

    __slots__ = ("births", "nested", "plain", "recording", "scope", "tracing")

    def __init__(
        self,
        recording: bool = True,
        scope: str | None = None,
        births: dict[int, tuple[str, int]] | None = None,
        nested: bool = False,
        tracing: int = False,
    ) -> None:
        self.recording = recording  # False under no_grad
        self.scope = scope  # "sample 1/neuron 2"
        self.births = births  # under detect_anomaly: serial -> (file, line) of each node
        self.nested = nested  # inside a function that is being differentiated
        # Inside a function that is being compiled, where numbers stay unread: the serial number
        # that this began with, so that what is older can be told.
        self.tracing = tracing
        self.plain = recording and births is None  # then only the scope matters


MODE: ContextVar[Mode] = ContextVar("tinygrad_edu.mode", default=Mode())  # noqa: B039 (immutable)


class entering(ContextDecorator):
    """A context manager, and decorator, under which some fields of the mode are replaced."""

    def __init__(self, **changes: Any) -> None:
        self._changes = changes
        self._tokens: list[Token[Mode]] = []  # a stack: one object may be entered again

    def __enter__(self) -> None:
        now = MODE.get()
        fields: dict[str, Any] = {
            "recording": now.recording,
            "scope": now.scope,
            "births": now.births,
            "nested": now.nested,
            "tracing": now.tracing,
        }
        fields.update(self._changed(now))
        self._tokens.append(MODE.set(Mode(**fields)))

    def _changed(self, now: Mode) -> dict[str, Any]:
        return self._changes

    def __exit__(self, *exc: object) -> None:
        MODE.reset(self._tokens.pop())


class scope(entering):
    """Nodes made within bear this scope, which pictures draw as a box around them.

    Scopes nest: a scope "neuron 2" within "sample 1" is "sample 1/neuron 2".

    Args:
        name: what the box is called; "/" separates levels.

    >>> from tinygrad_edu import Value
    >>> with scope("sample 1"), scope("neuron 2"):
    ...     v = Value(1.0)
    >>> v.scope
    'sample 1/neuron 2'
    """

    def __init__(self, name: str) -> None:
        if not isinstance(name, str) or not name:
            raise BadArgument(f"A scope needs a name, a non-empty text. Received: {name!r}.")
        self.name = name
        self._tokens = []

    def __enter__(self) -> None:  # the general way, but several times as fast: neurons use it
        now = MODE.get()
        path = self.name if now.scope is None else f"{now.scope}/{self.name}"
        mode = Mode(now.recording, path, now.births, now.nested, now.tracing)
        self._tokens.append(MODE.set(mode))


class no_grad(entering):
    """Within, operations compute their numbers and record nothing; also a decorator.

    >>> from tinygrad_edu import Value
    >>> x = Value(3.0)
    >>> with no_grad():
    ...     y = x * x
    >>> y.data, y.args
    (9.0, ())
    """

    def __init__(self) -> None:
        super().__init__(recording=False)


class detect_anomaly(entering):
    """Within, the first nan or inf that is born raises `Anomaly`, forward or backward.

    The error names the operation, its operands with their names, and the source line that
    recorded it. Run the forward pass within as well, or backward cannot know the lines.

    >>> from tinygrad_edu import Value
    >>> import tinygrad_edu as tg
    >>> x = Value(0.0, name="x")
    >>> with detect_anomaly():
    ...     tg.log(x)
    Traceback (most recent call last):
    ...
    tinygrad_edu.errors.Anomaly: log gave -inf from finite operands...
    """

    def __init__(self) -> None:
        super().__init__()

    def _changed(self, now: Mode) -> dict[str, Any]:
        return {"births": {} if now.births is None else now.births}


_PACKAGE = __file__.rpartition("core")[0]


def caller() -> tuple[str, int]:
    """The file and line that is recording: outside this package, and of no library that
    called it for someone."""
    frame = sys._getframe(2)
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
    """Raise if a function is being compiled: the number asked for would be baked into it."""
    if not MODE.get().tracing:
        return
    from linecache import getline

    file, line = caller()
    raise TracingError(
        f"{what} while a function is traced for compilation: the program would keep the number "
        f'of this one call. {remedy} File "{file}", line {line}: {getline(file, line).strip()}'
    )
