"""`jit`: a function that is recorded once and replayed as a program.

A function is traced by calling it once on Values whose numbers can't be read: any operation that
would make a number of this one call a constant of the program (``.data``, ``if x > 0``,
``float(x)``) raises a `TracingError` that names the line. The result is flattened to a program,
which runs for all later calls with arguments of the same shape.
"""

from __future__ import annotations

import functools
import warnings
import weakref
from collections.abc import Callable, Sequence
from copy import deepcopy
from inspect import signature
from operator import attrgetter
from typing import Any, Final, NamedTuple

from ..blocks import MODE, enclosed
from ..core.calculus import is_symbolic
from ..core.graph import wanted
from ..core.table import number
from ..core.value import Value
from ..errors import BadArgument, NotTraceable
from ..locks import Locked
from ..trees import Rebuild, flatten
from .arrays import listed
from .batching import Vmapped, as_arrays, stack, transposed
from .calls import (
    COMMON,
    OWN,
    STATIC,
    Call,
    Static,
    call_of,
    call_on_values,
    check_function,
    check_hashable,
    is_method,
    name_of,
    pickled,
    positional_names,
    returned,
    static_arguments,
)
from .lowering import Lowering
from .program import Program
from .traced import Mixed, Roles, Trace, leaked

__all__ = ["jit"]

KEPT: Final = 64
"""Programs that one jitted function keeps."""


def jit(
    f: Callable[..., Any],
    static_argnums: int | Sequence[int] = (),
    *,
    static_argnames: str | Sequence[str] = (),
    executor: str = "auto",
    fastmath: bool = False,
) -> Jitted:
    """A function that records f at its first call and then replays it as a program.

    f is an ordinary Python function of Values, and may use `grad`, `value_and_grad`, `jvp`,
    `hessian` and so on. It is called once for each shape of arguments. Values that it captures,
    such as a model's parameters, are read at every call, and results recorded earlier (``h = w *
    3``) keep their recorded number. All other state that f uses (Python numbers, lists, the random
    numbers of a dropout) is a constant from the time of tracing.

    Args:
        f: a function of numbers or nested lists, tuples, dicts and arrays of them, which returns
            one of these.
        static_argnums, static_argnames: the arguments that are settings (a count, a name, a flag)
            and not numbers to compute with, by their positions or their names: f gets them as they
            are, and each of their values has its own program. They must be hashable. A call may
            pass them either way: static_argnums=1 of f(x, n) is static_argnames="n".
        executor, fastmath: as in `compile`.

    Returns:
        A function of the same arguments, whose result has the structure of f's: lists of floats
        where f returned lists, arrays of float64 where f returned arrays. (f gets an array as an
        array of Values, on which NumPy's arithmetic works.) Called with Values, or inside a
        function that is being differentiated or traced, it simply calls f.

        Its ``traces`` is the number of traces of f; ``program(*args)`` returns the `Program`. At
        most 64 programs are kept.

        A jitted method has its own programs for each object, which live as long as the object.
        Values of the object are read at every call; its Python numbers are constants from the time
        of tracing. Positions count self.

    Raises:
        BadArgument: if f has no argument at one of the positions.
        NameUnknown: if f has no argument with one of the names.
        TracingError: from a call, if f reads a number (use `tg.where`, or static_argnums), or
            differentiates through a result recorded earlier.

    >>> from tinygrad_edu import grad
    >>> slope = jit(grad(lambda x: x**3))
    >>> slope(2.0), slope(3.0), slope.traces
    (12.0, 27.0, 1)
    >>> power = jit(lambda x, n: x**n, static_argnums=1)
    >>> power(3.0, 2), power(3.0, n=3), power.traces
    (9.0, 27.0, 2)
    """
    check_function(f)
    static = static_arguments(f, static_argnums, static_argnames)
    return Jitted(f, static, {"executor": executor, "fastmath": fastmath})


class _Kept(Locked):
    """The programs of a function, or of a method of one object."""

    def __init__(self) -> None:
        super().__init__()
        self.programs: dict[Any, list[_Traced]] = {}  # by shapes: one for each set of roles
        self.traces = 0
        self.thrashed = False


class Jitted:
    """The result of `jit`."""

    def __init__(self, f: Callable[..., Any], static: Static, options: dict[str, Any]) -> None:
        functools.update_wrapper(self, f, updated=())
        self._f, self._static, self._options = f, static, options
        self._kept = _Kept()
        self._of_objects: dict[int, tuple[weakref.ref[Any], _Kept]] = {}  # by id

    @property
    def traces(self) -> int:
        """The number of traces of the function."""
        return self._kept.traces

    def __get__(self, instance: Any, owner: type | None = None) -> Jitted:
        """The method of an object. It holds the object; the programs that are kept do not."""
        if instance is None or not is_method(self._f):
            return self
        method = self._f.__get__(instance, owner)
        positions = frozenset(i - 1 for i in self._static.positions if i > 0)
        bound = object.__new__(Jitted)
        bound.__dict__.update(
            self.__dict__,
            __wrapped__=method,
            _f=method,
            _static=Static(positions, self._static.names),
            _kept=self._kept_of(instance),
        )
        return bound

    def _kept_of(self, instance: Any) -> _Kept:
        key, of_objects = id(instance), self._of_objects
        with self._kept.lock:
            if key not in of_objects:
                try:
                    dropped = weakref.ref(instance, lambda _: of_objects.pop(key, None))
                except TypeError as error:
                    raise BadArgument(
                        f"{name_of(self._f)} is jitted, and its programs live as long as their "
                        f"object, which takes a weak reference. An object of type "
                        f"{type(instance).__name__} has none: add '__weakref__' to its __slots__, "
                        f"or jit a function."
                    ) from error
                of_objects[key] = dropped, _Kept()
            return of_objects[key][1]

    def __call__(self, *args: Any, **named: Any) -> Any:
        mode = MODE.get()
        if not mode.nested and mode.trace is None and mode.sweep is None:
            call = self._call(args, {**named})
            if call is not None and not call.holds_values():
                traced = self._fitting(call) or self._keep(call)
                if traced.program is not None:
                    return traced.run(call)
        if isinstance(self._f, Vmapped):
            return self._f.loop(args, named, self._static)
        return call_on_values(self._f, args, named, self._static)

    def program(self, *args: Any, **named: Any) -> Program:
        """The program for arguments of this shape.

        Raises:
            NotTraceable: if f uses an operation that only Python can compute.
        """
        call = self._call(args, named)
        if call is None:
            raise BadArgument("A program needs at least one sample. Received: none.")
        traced = self._fitting(call) or self._keep(call)
        if traced.program is None:
            traced = enclosed(_trace, call, self._options)  # which says why
        return traced.program  # type: ignore[no-any-return]

    def _call(self, args: tuple[Any, ...], named: dict[str, Any]) -> Call | None:
        """A call taken apart, and settings out of ``named``; None if it is for no samples."""
        static = self._static
        settings = {}
        if named:
            settings = {name: named.pop(name) for name in sorted(static.names & named.keys())}
        if static.positions or settings:
            positional = [args[i] for i in static.positions if i < len(args)]
            check_hashable([*positional, *settings.values()])
        if isinstance(self._f, Vmapped):
            return self._f.call(args, named, settings, static)
        kinds = [STATIC if i in static.positions else OWN for i in range(len(args))]
        return call_of(self._f, args, kinds, named, settings)

    def _fitting(self, call: Call) -> _Traced | None:
        """The trace for such arguments, with the current roles."""
        for traced in self._kept.programs.get(call.key, ()):
            if not traced.roles.changed():
                return traced
        return None

    def _keep(self, call: Call) -> _Traced:
        kept = self._kept
        with kept.lock:  # so that threads trace one after the other
            fitting = self._fitting(call)
            if fitting is not None:
                return fitting
            kept.traces += 1
            traced = _UNCOMPILED
            try:
                traced = enclosed(_trace, call, self._options)
            except Mixed:  # f captured Values that are being differentiated or traced: it is called
                kept.traces -= 1
                return traced
            except NotTraceable as error:
                warnings.warn(f"{name_of(self._f)} runs uncompiled. {error}", stacklevel=3)
            if sum(map(len, kept.programs.values())) >= KEPT:
                del kept.programs[next(iter(kept.programs))]
                if not kept.thrashed:
                    kept.thrashed = True
                    warnings.warn(
                        f"{name_of(self._f)} was traced for more than {KEPT} shapes or static "
                        f"arguments; the oldest programs are dropped.",
                        stacklevel=3,
                    )
            kept.programs.setdefault(call.key, []).append(traced)
            return traced

    def __reduce__(self) -> tuple[Any, ...]:
        return pickled(self, self._f, self._static, self._options)

    def __deepcopy__(self, memo: dict[int, Any]) -> Jitted:  # a copy of a model traces anew
        return Jitted(deepcopy(self._f, memo), self._static, self._options)

    def __repr__(self) -> str:
        return f"<jitted {name_of(self._f)}>"


class _Traced(NamedTuple):
    """A program, and how its numbers become a result."""

    program: Any  # None where only Python can compute it
    like_output: Rebuild
    roles: Roles

    def run(self, call: Call) -> Any:
        each = self.program.values(call.rows, call.common)
        if not call.stacked:
            return self.like_output(listed(each[0]))
        if call.arrays:
            columns = self.like_output([each[:, i] for i in range(each.shape[1])])
            try:
                return transposed(columns)
            except ValueError:
                pass  # lists that no array can hold
        stacked = stack([self.like_output(row) for row in listed(each)])
        return as_arrays(stacked) if call.arrays else stacked


_UNCOMPILED = _Traced(None, list, Roles((), wanted))


def _trace(call: Call, options: dict[str, Any]) -> _Traced:
    """Run a function on Values whose numbers can't be read, and flatten the result."""
    trace = Trace()
    own, like_own = flatten(_of_kind(OWN, call))
    common, like_common = flatten([_of_kind(COMMON, call), call.named])
    inputs = [trace.leaf(x, "input") for x in own]
    shared = [trace.leaf(x) for x in common]
    with trace:  # a container may compute with its new members
        commons, named = like_common(shared)
        parts = {OWN: iter(like_own(inputs)), COMMON: iter(commons)}
        args = [
            arg if kind is STATIC else next(parts[kind]) for kind, arg in zip(call.kinds, call.args)
        ]
        _name(call, args)
        outputs, like_output = returned(call.f, *args, **named, **call.settings)
    roles = Roles(trace.consulted, attrgetter("_role"))
    lowering = Lowering(inputs, shared, outputs, trace.since)
    if any(x.trace is not None for x in lowering.captured):
        raise leaked()
    if is_symbolic(lowering.captured):
        raise Mixed("A jitted function captured a variable of an enclosing derivative.")
    code = lowering.code(each=[lowering.slot(x) for x in outputs])
    program = Program(lowering.recording(code, inputs, shared), **options, roles=roles)
    numbers = [x._data if isinstance(x, Value) else number(x) for x in outputs]
    _, like_output = flatten(like_output(numbers))  # which keeps no traced Value alive
    return _Traced(program, like_output, roles)


def _of_kind(kind: str, call: Call) -> list[Any]:
    return [arg for arg, its in zip(call.args, call.kinds) if its is kind]


def _name(call: Call, args: Sequence[Any]) -> None:
    """Name the Values of the arguments after the parameters, for readers of the program."""
    try:
        names = positional_names(signature(call.f).parameters.values())
    except (TypeError, ValueError):
        names = []
    for i, (kind, arg) in enumerate(zip(call.kinds, args)):
        if kind is not STATIC:
            name = names[i] if i < len(names) else f"x{i}"
            values, _ = flatten(arg)
            for j, value in enumerate(values):
                value.name = name if value is arg else f"{name}{j}"
