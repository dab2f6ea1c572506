"""Blocks of `with` that change how Values are recorded, and the modes of those that are open.

Each block that is entered adds a `Mode` to a chain, and a context variable holds the innermost
one. So threads and tasks never see each other's blocks: a thread starts with none, a task with
a copy of those that were open when it was created.

A block can be left late: by a generator that is closed after the enclosing block, or by the garbage
collector, in another thread. Its mode then *ends* in place: its own changes are undone wherever
they are still visible, and those of all other blocks stay.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Generator
from contextvars import ContextVar, Token, copy_context
from functools import wraps
from types import AsyncGeneratorType, CoroutineType, GeneratorType
from typing import Any, TypeVar
from weakref import ref

from .errors import NotANumber

F = TypeVar("F", bound=Callable[..., Any])
R = TypeVar("R")


class Mode:
    """The state on which recording depends: a block's own changes on top of those around it."""

    __slots__ = (
        "__weakref__", "block", "ended", "inner", "nested", "outer", "plain", "record", "recording",
        "scope", "sweep", "token", "trace",
    )  # fmt: skip

    scope: str | None  # "sample 1/neuron 2"
    recording: bool  # False under no_grad
    record: Callable[..., Any] | None  # who makes nodes, where it isn't `value.recorded`
    sweep: Callable[..., None] | None  # who sweeps backward, where it isn't `value.sweep`
    nested: bool  # in a function that is being differentiated
    trace: Any  # the compiler's trace of the function that runs, in which no number is read
    token: Token[Mode] | None
    plain: bool  # whether none of these but the scope matters

    def __init__(self, outer: Mode | None, block: entering | None) -> None:
        self.outer, self.block, self.ended, self.token = outer, block, False, None
        self.inner = set[ref[Mode]]()  # those within it that someone may still see
        if outer is not None:
            self.enclose(outer)
        self.settle()

    def enclose(self, outer: Mode) -> None:
        """Depend on another mode, for as long as this one can be seen."""
        self.outer = outer
        # In a callback in Python, Ctrl-C would be raised and get lost.
        outer.inner.add(ref(self, outer.inner.discard))

    def within(self) -> list[Mode]:
        """The modes directly within this one."""
        return [mode for seen in list(self.inner) if (mode := seen()) is not None]

    def settle(self) -> None:
        """Recompute every field from the enclosing mode and its own changes."""
        outer = self.outer
        if outer is None:
            self.scope, self.recording, self.plain, self.nested = None, True, True, False
            self.record = self.sweep = self.trace = None
            return
        self.scope = outer.scope
        self.recording = outer.recording
        self.plain = outer.plain
        self.record = outer.record
        self.sweep = outer.sweep
        self.trace = outer.trace
        self.nested = outer.nested
        if self.block is not None and not self.ended:
            self.block.change(self)

    def end(self) -> None:
        """Undo the changes wherever they are still visible, and leave the chain."""
        around = self.outer
        assert around is not None
        self.ended, self.token = True, None
        orphans = self.within()
        self.inner = set()
        for mode in orphans:
            mode.enclose(around)
        unsettled = [self, *orphans]
        for mode in unsettled:
            mode.settle()
            unsettled += mode.within()


MODE: ContextVar[Mode] = ContextVar("tinygrad_edu.mode", default=Mode(None, None))  # noqa: B039


def _innermost() -> Mode:
    """The mode of the innermost block that is still open here."""
    mode = MODE.get()
    return mode.outer if mode.ended and mode.outer is not None else mode


def enclosed(f: Callable[..., R], *args: Any) -> R:
    """Call f; a block that it leaves open ends with it.

    Python doesn't leave a block if Ctrl-C comes at the very moment when its ``__exit__`` begins.
    """
    return copy_context().run(f, *args)


class entering:
    """A block that sets fields of the `Mode`; a context manager, and a decorator.

    One object may be entered again inside itself, and by several threads at once. A decorated
    generator or coroutine runs inside the block at each of its steps, but its caller does not.
    """

    def __init__(self, **changes: Any) -> None:
        self._changes = changes
        self._open: list[Mode] = []

    def change(self, mode: Mode) -> None:
        """Apply this block's changes to a copy of the enclosing mode."""
        for field, x in self._changes.items():
            setattr(mode, field, x)
        mode.plain = mode.recording and mode.record is None

    def __enter__(self) -> None:
        mode = Mode(_innermost(), self)
        try:
            self._open.append(mode)
            mode.token = MODE.set(mode)
        except BaseException:  # Ctrl-C: `with` doesn't leave a block that it hasn't entered
            self._leave(mode)
            raise

    def __exit__(self, *exc: object) -> None:
        mode: Mode | None = None
        try:
            now = MODE.get()
            mode = now if now.block is self and not now.ended else self._entered(_innermost())
            self._leave(mode)
        except BaseException:  # Ctrl-C here must not leave the block open
            self._leave(mode or self._entered(_innermost()))
            raise

    def _leave(self, mode: Mode) -> None:
        """Leave the block of this mode; also if that was begun already."""
        if mode in self._open:
            self._open.remove(mode)
        now = MODE.get()
        if (now is mode or _innermost() is mode) and mode.token is not None:
            try:
                MODE.reset(mode.token)
            except ValueError:  # a task got this mode as a copy from its creator
                mode.end()
        else:
            mode.end()
        left = MODE.get()
        if left.ended and left.outer is not None:
            MODE.set(left.outer)

    def _entered(self, now: Mode) -> Mode:
        """The mode of this block to leave: the innermost one here, or one entered elsewhere."""
        mode: Mode | None = now
        while mode is not None and (mode.block is not self or mode.ended):
            mode = mode.outer
        return self._open[-1] if mode is None else mode

    def __call__(self, f: F) -> F:
        return decorated(self, f)


def decorated(block: entering, f: F) -> F:
    """f, run inside the block; a generator or coroutine at each step.

    Raises:
        NotANumber: if f is a class, or what ``@classmethod`` and ``@property`` made.
    """
    if isinstance(f, type) or not callable(f):
        raise NotANumber(
            f"A block decorates functions, generators and coroutines. Received: {f!r}. Decorate "
            f"the methods of a class, and write @classmethod and @property above the block."
        )
    flags = getattr(getattr(f, "__code__", None), "co_flags", 0)
    for flag, wrapper in _OF_FLAG.items():  # importing inspect would cost milliseconds
        if flags & flag:
            return wrapper(block, f)  # type: ignore[no-any-return]

    @wraps(f)
    def inside(*args: Any, **named: Any) -> Any:
        with block:
            result = f(*args, **named)
        stepped = _OF_RESULT.get(type(result))  # of a partial, or of another decorator
        return result if stepped is None else stepped(block, lambda: result)()

    return inside  # type: ignore[return-value]


def _generator(block: entering, f: Any) -> Any:
    @wraps(f)
    def steps_of_generator(*args: Any, **named: Any) -> Any:
        return (yield from _steps(block, f(*args, **named)))

    return steps_of_generator


def _coroutine(block: entering, f: Any) -> Any:
    @wraps(f)
    async def steps_of_coroutine(*args: Any, **named: Any) -> Any:
        return await _Awaited(block, f(*args, **named))

    return steps_of_coroutine


def _async_generator(block: entering, f: Any) -> Any:
    @wraps(f)
    async def steps_of_async_generator(*args: Any, **named: Any) -> Any:
        generator = f(*args, **named)
        try:
            step = generator.__anext__()
            while True:
                try:
                    item = await _Awaited(block, step)
                except StopAsyncIteration:
                    return
                try:
                    step = generator.asend((yield item))
                except GeneratorExit:
                    raise
                except BaseException as error:
                    step = generator.athrow(error)
        finally:
            await _Awaited(block, generator.aclose())

    return steps_of_async_generator


# By the flag of the code, as in `inspect`, and by the type of the result.
_OF_FLAG = {0x20: _generator, 0x80: _coroutine, 0x200: _async_generator}
_OF_RESULT: dict[type, Any] = {
    GeneratorType: _generator, CoroutineType: _coroutine, AsyncGeneratorType: _async_generator,
}  # fmt: skip


def _steps(block: entering, steps: Any) -> Generator[Any, Any, Any]:
    """The values that a generator or coroutine yields, with each step inside the block."""
    step, given = steps.send, None
    while True:
        with block:
            try:
                item = step(given)
            except StopIteration as stop:
                return stop.value
        try:
            step, given = steps.send, (yield item)
        except GeneratorExit:
            with block:
                steps.close()
            raise
        except BaseException as error:
            step, given = steps.throw, error


class _Awaited:
    """An awaitable whose every step is taken inside a block."""

    def __init__(self, block: entering, steps: Coroutine[Any, Any, Any]) -> None:
        self._block, self._steps = block, steps

    def __await__(self) -> Generator[Any, Any, Any]:
        return _steps(self._block, self._steps.__await__())
