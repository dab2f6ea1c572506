"""`jit` and `vmap`: functions in, functions out; recorded once and replayed.

A function is traced by calling it once on Values that nobody may read: whatever would bake a
number of this one call into the program (``.data``, ``if x > 0``, ``float(x)``) raises a
`TracingError` that names the line. What comes out is flattened to a program, which then
answers all later calls with arguments of the same shape.
"""

from __future__ import annotations

import functools
import warnings
import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from inspect import Parameter, signature
from operator import attrgetter
from typing import Any, Final, NamedTuple

from ..blocks import MODE
from ..core.calculus import is_symbolic, lifted
from ..core.graph import wanted
from ..core.table import number
from ..core.value import Value
from ..errors import BadArgument, NotANumber, NotTraceable, TracingError, unknown_name
from ..locks import Locked
from ..trees import Rebuild, container, flatten, is_array, is_several, like, members, several
from .arrays import arrays
from .lowering import Lowering
from .program import Program
from .traced import Mixed, Roles, Trace

__all__ = ["jit", "vmap"]

KEPT: Final = 64
"""Programs that one jitted function keeps."""


# ── jit ───────────────────────────────────────────────────────────────────────────────────


def jit(
    f: Callable[..., Any],
    static_argnums: int | Sequence[int] = (),
    *,
    static_argnames: str | Sequence[str] = (),
    executor: str = "auto",
    fastmath: bool = False,
) -> Jitted:
    """f, recorded when it is first called and from then on replayed as a program.

    f is ordinary Python on Values, and may use `grad`, `value_and_grad`, `jvp`, `hessian` and
    their kin. It is called once for each shape of arguments. Values that it captures, such as
    a model's parameters, are read at every call, and results recorded before (``h = w * 3``)
    have the number that they were recorded with, as ever; all else that it looks at (Python
    numbers, lists, the random numbers of a dropout) is as it was when f was traced.

    Args:
        f: takes numbers or nested lists, tuples, dicts and arrays of them, and returns such.
        static_argnums, static_argnames: which arguments are no numbers to compute with but
            settings (a count, a name, a flag), by their positions or their names: f sees them
            as they are, and each value of them has a program of its own. They must be
            hashable. It does not matter how a call passes them: static_argnums=1 of f(x, n)
            is static_argnames="n".
        executor, fastmath: as in `compile`.

    Returns:
        A function of the same arguments, whose result is built as f built it: lists of floats
        where f returned lists, arrays of float64 where f returned arrays. (f sees an array as
        an array of Values, on which NumPy's arithmetic works.) Called with Values, or inside
        a function that is being differentiated or traced, it simply calls f.

        Its ``traces`` counts how often f was traced; ``program(*args)`` gives the `Program`.
        At most 64 programs are kept.

        A jitted method has programs for each object that it is called on, as long as that
        lives. Values that the object holds are read at every call; Python numbers on it are
        constants, as they were when the method was traced. Positions count self.

    Raises:
        BadArgument: if f has no argument of such a position.
        NameUnknown: if f has no argument of such a name.
        TracingError: from a call, if f reads a number (use `tg.where`, or static_argnums), or
            differentiates what was recorded before.

    >>> from tinygrad_edu import grad
    >>> slope = jit(grad(lambda x: x**3))
    >>> slope(2.0), slope(3.0), slope.traces
    (12.0, 27.0, 1)
    >>> power = jit(lambda x, n: x**n, static_argnums=1)
    >>> power(3.0, 2), power(3.0, n=3), power.traces
    (9.0, 27.0, 2)
    """
    _check_function(f)
    static = _static_arguments(f, static_argnums, static_argnames)
    return Jitted(f, static, {"executor": executor, "fastmath": fastmath})


class _Static(NamedTuple):
    """Which arguments are static. Those that can be passed either way are in both."""

    positions: frozenset[int] = frozenset()
    names: frozenset[str] = frozenset()


def _static_arguments(f: Callable[..., Any], argnums: Any, argnames: Any) -> _Static:
    positions, names = several(argnums), several(argnames)
    if not all(type(i) is int and i >= 0 for i in positions):
        raise BadArgument(f"static_argnums are positions from 0 on. Received: {argnums!r}.")
    if not all(isinstance(name, str) for name in names):
        raise BadArgument(f"static_argnames are names of arguments. Received: {argnames!r}.")
    try:
        parameters = signature(f).parameters.values()
    except (TypeError, ValueError):  # some functions written in C don't tell
        return _Static(frozenset(positions), frozenset(names))
    kinds = {parameter.kind for parameter in parameters}
    ordered = _positional(parameters)
    for i in positions:
        if i >= len(ordered) and Parameter.VAR_POSITIONAL not in kinds:
            raise BadArgument(
                f"static_argnums counts the arguments of {_called(f)} from 0, and it takes "
                f"{len(ordered)} by position. Received: {argnums!r}."
            )
    known = [*ordered, *(p.name for p in parameters if p.kind is Parameter.KEYWORD_ONLY)]
    for name in names:
        if name not in known and Parameter.VAR_KEYWORD not in kinds:
            raise unknown_name(f"argument of {_called(f)} in static_argnames", name, known)
    return _Static(
        frozenset([*positions, *(i for i, name in enumerate(ordered) if name in names)]),
        frozenset([*names, *(name for i, name in enumerate(ordered) if i in positions)]),
    )


def _positional(parameters: Iterable[Parameter]) -> list[str]:
    """The names of those that can be passed by position."""
    kinds = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
    return [parameter.name for parameter in parameters if parameter.kind in kinds]


class _Kept(Locked):
    """The programs of a function, or of a method of one object."""

    def __init__(self) -> None:
        super().__init__()
        self.programs: dict[Any, list[_Traced]] = {}  # by shapes: one for each set of roles
        self.traces = 0
        self.thrashed = False


class Jitted:
    """What `jit` returns."""

    def __init__(self, f: Callable[..., Any], static: _Static, options: dict[str, Any]) -> None:
        functools.update_wrapper(self, f, updated=())
        self._f, self._static, self._options = f, static, options
        self._kept = _Kept()
        self._of_objects: dict[int, tuple[weakref.ref[Any], _Kept]] = {}  # by id

    @property
    def traces(self) -> int:
        """How often the function was traced."""
        return self._kept.traces

    def __get__(self, instance: Any, owner: type | None = None) -> Jitted:
        """The method of an object. It holds the object; the programs that are kept do not."""
        if instance is None or not _is_method(self._f):
            return self
        method = self._f.__get__(instance, owner)
        positions = frozenset(i - 1 for i in self._static.positions if i > 0)
        bound = object.__new__(Jitted)
        bound.__dict__.update(
            self.__dict__,
            __wrapped__=method,
            _f=method,
            _static=_Static(positions, self._static.names),
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
                        f"{_called(self._f)} is jitted, and its programs are dropped with their "
                        f"object; Python does not say when that is for one of type "
                        f"{type(instance).__name__}. Add '__weakref__' to its __slots__, or jit "
                        f"a function."
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
        return _on_values(self._f, args, named, self._static)

    def program(self, *args: Any, **named: Any) -> Program:
        """The program for arguments of this shape.

        Raises:
            NotTraceable: if f uses an operation that only Python can compute.
        """
        call = self._call(args, named)
        if call is None:
            raise BadArgument("There is no program for no samples.")
        traced = self._fitting(call) or self._keep(call)
        if traced.program is None:
            traced = _trace(call, self._options)  # which says why
        program: Program = traced.program
        return program

    def _call(self, args: tuple[Any, ...], named: dict[str, Any]) -> _Call | None:
        """A call taken apart, and settings out of ``named``; None if it is for no samples."""
        static = self._static
        settings = {}
        if named:
            settings = {name: named.pop(name) for name in sorted(static.names & named.keys())}
        if static.positions or settings:
            _check_hashable([args[i] for i in static.positions if i < len(args)])
            _check_hashable(settings.values())
        if isinstance(self._f, Vmapped):
            return self._f.call(args, named, settings, static)
        kinds = [STATIC if i in static.positions else OWN for i in range(len(args))]
        row: list[Any] = []
        common: list[Any] = []
        shapes = [
            _static(arg) if kind is STATIC else _shape(arg, row) for kind, arg in zip(kinds, args)
        ]
        key = (*shapes, _shape(named, common), tuple(map(_static, settings.items())))
        return _Call(self._f, key, kinds, args, named, settings, [row], common)

    def _fitting(self, call: _Call) -> _Traced | None:
        """What was traced for such arguments, and the roles of today."""
        for traced in self._kept.programs.get(call.key, ()):
            if not traced.roles.changed():
                return traced
        return None

    def _keep(self, call: _Call) -> _Traced:
        kept = self._kept
        with kept.lock:  # so that threads trace one after the other
            fitting = self._fitting(call)
            if fitting is not None:
                return fitting
            kept.traces += 1
            traced = _UNCOMPILED
            try:
                traced = _trace(call, self._options)
            except Mixed:  # someone differentiates or traces what f captured: it runs on Values
                kept.traces -= 1
                return traced
            except NotTraceable as error:
                warnings.warn(f"{_called(self._f)} runs uncompiled. {error}", stacklevel=3)
            if sum(map(len, kept.programs.values())) >= KEPT:
                del kept.programs[next(iter(kept.programs))]
                if not kept.thrashed:
                    kept.thrashed = True
                    warnings.warn(
                        f"{_called(self._f)} was traced for more than {KEPT} shapes or static "
                        f"arguments; the oldest programs are dropped.",
                        stacklevel=3,
                    )
            kept.programs.setdefault(call.key, []).append(traced)
            return traced

    def __reduce__(self) -> tuple[Any, ...]:  # a copy of a model traces anew
        return Jitted, (self._f, self._static, self._options)

    def __repr__(self) -> str:
        return f"<jitted {_called(self._f)}>"


def _check_hashable(settings: Iterable[Any]) -> None:
    for x in settings:
        try:
            hash(x)
        except TypeError as error:
            raise BadArgument(f"Static arguments must be hashable. Received: {x!r}.") from error


def _check_function(f: Any) -> None:
    if not callable(f):
        raise NotANumber(f"A function is needed. Received: {f!r}.")


def _is_method(f: Any) -> bool:
    """Whether Python would pass the object to f, if f stood in a class. (Partials are about to
    change in this: some versions of Python warn. They are not bound.)"""
    return hasattr(type(f), "__get__") and not isinstance(f, (staticmethod, functools.partial))


def _called(f: Any) -> str:
    return getattr(f, "__name__", None) or repr(f)


# ── Calls and their programs ──────────────────────────────────────────────────────────────

# What an argument is to a program: different in every lane, the same in all, or no number.
OWN, COMMON, STATIC = "own", "common", "static"


class _Call(NamedTuple):
    """The arguments of one call, taken apart."""

    f: Callable[..., Any]  # of one sample
    key: Any  # what the program depends on: shapes, kinds, static arguments
    kinds: list[str]  # of each positional argument
    args: tuple[Any, ...]  # those of the first sample
    named: dict[str, Any]
    settings: dict[str, Any]  # the static ones that were passed by name
    rows: Any  # the numbers of each lane
    common: list[Any]  # the numbers that all lanes have in common
    stacked: bool = False  # whether results come per sample
    arrays: bool = False  # whether they are to be arrays

    def holds_values(self) -> bool:
        """Whether something is being recorded, so that a number would not do."""
        lists = [self.common, *self.rows] if isinstance(self.rows, list) else [self.common]
        return any(type(x) is not float for numbers in lists for x in numbers)


class _Traced(NamedTuple):
    """A program, and how its numbers become a result."""

    program: Any  # None where only Python can compute it
    like_output: Rebuild
    roles: Roles

    def run(self, call: _Call) -> Any:
        each = self.program.values(call.rows, call.common)
        if not call.stacked:
            return self.like_output(_listed(each[0]))
        if call.arrays:
            columns = self.like_output([each[:, i] for i in range(each.shape[1])])
            try:
                return _transposed(columns)
            except ValueError:
                pass  # lists that no array can hold
        stacked = _stacked([self.like_output(row) for row in _listed(each)])
        return _as_arrays(stacked) if call.arrays else stacked


_UNCOMPILED = _Traced(None, list, Roles((), wanted))


def _listed(numbers: Any) -> Any:
    return numbers.tolist() if hasattr(numbers, "tolist") else numbers


def _shape(tree: Any, numbers: list[Any]) -> Any:
    """What a program depends on of an argument; the numbers in it are added to the list."""
    kind = type(tree)
    if kind is float:
        numbers.append(tree)
        return None
    if kind is list or kind is tuple:  # these two and dicts, faster
        return (kind, *[_shape(child, numbers) for child in tree])
    if kind is dict:
        return (kind, *tree, *[_shape(child, numbers) for child in tree.values()])
    if isinstance(tree, Value):
        numbers.append(tree)
        return None
    row = container(tree)
    if row is not None and row.rebuild is not None:
        inside = row.members(tree)
        shapes = [_shape(child, numbers) for child in inside.values()]
        return (kind, row.settings(tree), *inside, *shapes)
    try:
        found, _ = flatten(tree)  # arrays, numbers of other libraries
    except NotANumber as error:
        raise NotANumber(
            f"{error} What is a setting and no number to compute with is a static argument: "
            f"tg.jit(f, static_argnums=...)."
        ) from None
    numbers += [x if isinstance(x, Value) else number(x) for x in found]
    if not getattr(tree, "shape", ()):
        return None
    return (kind, tree.shape)


def _static(x: Any) -> Any:
    """A key of a static argument. It keeps apart what == does not: 2 and 2.0, 0.0 and −0.0; and
    nan is nan."""
    if isinstance(x, tuple):
        return (type(x), *map(_static, x))
    return (type(x), repr(x) if isinstance(x, (float, complex)) else x)


def _trace(call: _Call, options: dict[str, Any]) -> _Traced:
    """Run a function on Values that nobody may read, and flatten what comes out."""
    trace = Trace()
    own, like_own = flatten(_of_kind(OWN, call))
    common, like_common = flatten([_of_kind(COMMON, call), call.named])
    inputs = [trace.leaf(x, "input") for x in own]
    shared = [trace.leaf(x) for x in common]
    with trace:  # a container may compute with what it is rebuilt from
        commons, named = like_common(shared)
        parts = {OWN: iter(like_own(inputs)), COMMON: iter(commons)}
        args = [
            arg if kind is STATIC else next(parts[kind]) for kind, arg in zip(call.kinds, call.args)
        ]
        _name(call, args)
        outputs, like_output = _returned(call.f, *args, **named, **call.settings)
    roles = Roles(trace.consulted, attrgetter("_role"))
    lowering = Lowering(inputs, shared, outputs, trace.since)
    trace.check_captured(lowering.captured)
    if is_symbolic(lowering.captured):
        raise Mixed("A jitted function captured what a derivative around it is taken by.")
    code = lowering.code(each=[lowering.slot(x) for x in outputs])
    program = Program(
        code,
        inputs=[value.name for value in inputs],
        parameters=shared,
        captured=lowering.captured,
        names=lowering.names(),
        scopes=lowering.scopes(),
        **options,
    )
    numbers = [x._data if isinstance(x, Value) else number(x) for x in outputs]
    _, like_output = flatten(like_output(numbers))  # which keeps no traced Value alive
    return _Traced(program, like_output, roles)


def _returned(f: Callable[..., Any], *args: Any, **named: Any) -> tuple[list[Any], Rebuild]:
    """What a function of Values returns, as `flatten` gives it."""
    try:
        result = f(*args, **named)
    except TypeError as error:
        if type(error) is TypeError and "Traced" in str(error):  # range(n), xs[n]
            raise TracingError(
                f"{_called(f)} is called with Values for numbers, and raised: {error}. If a count "
                f"or an index is needed, make that argument static: tg.jit(f, static_argnums=...)."
            ) from error
        raise
    try:
        return flatten(result)
    except NotANumber as error:
        raise NotANumber(f"{_called(f)} must return numbers. {error}") from None


def _of_kind(kind: str, call: _Call) -> list[Any]:
    return [arg for arg, its in zip(call.args, call.kinds) if its is kind]


def _name(call: _Call, args: Sequence[Any]) -> None:
    """Give the Values of the arguments the names of the parameters, for who reads the program."""
    try:
        names = _positional(signature(call.f).parameters.values())
    except (TypeError, ValueError):
        names = []
    for i, (kind, arg) in enumerate(zip(call.kinds, args)):
        if kind is not STATIC:
            name = names[i] if i < len(names) else f"x{i}"
            values, _ = flatten(arg)
            for j, value in enumerate(values):
                value.name = name if value is arg else f"{name}{j}"


def _on_values(
    f: Callable[..., Any], args: Sequence[Any], named: dict[str, Any], static: _Static
) -> Any:
    """f of these arguments: numbers are Values for f, and what f returns are numbers again,
    unless there were Values before or something is being differentiated."""
    given: dict[Any, Any] = {**dict(enumerate(args)), **named}
    settings = {key: x for key, x in given.items() if key in static.positions | static.names}
    numbers, like = flatten({key: () if key in settings else x for key, x in given.items()})
    keep = any(isinstance(x, Value) for x in numbers)
    called = like([x if isinstance(x, Value) else lifted(number(x)) for x in numbers]) | settings
    positional = [called[i] for i in range(len(args))]
    named = {name: called[name] for name in named}
    if keep:
        return f(*positional, **named)
    outputs, like_output = _returned(f, *positional, **named)
    if is_symbolic(outputs):
        return like_output(outputs)
    return like_output([x.data if isinstance(x, Value) else number(x) for x in outputs])


# ── vmap ──────────────────────────────────────────────────────────────────────────────────


def vmap(f: Callable[..., Any], in_axes: int | Sequence[int | None] | None = 0) -> Vmapped:
    """f, a function of one sample, as a function of many.

    Args:
        f: ordinary Python on Values; may be a `grad` or `value_and_grad` of something.
        in_axes: 0 for arguments that hold one item per sample (a list, or an array along its
            first axis; in tuples and dicts, each member), None for those that all samples
            have in common. One for all positional arguments, or one for each. Keyword
            arguments are common to all.

    Returns:
        A function that calls f per sample and stacks the results: numbers become a list of
        numbers, lists a list of lists, tuples and dicts a tuple or dict of such; arrays
        instead of lists if what holds the samples is an array. ``tg.jit(tg.vmap(f))`` is one
        program whose lanes are the samples: the fastest way to call a function many times.

    Raises:
        BadArgument: from a call, if the numbers of samples differ.

    >>> vmap(lambda x: x**2)([1.0, 2.0, 3.0])
    [1.0, 4.0, 9.0]
    >>> scaled = jit(vmap(lambda w, x: w * x[0] + x[1], in_axes=(None, 0)))
    >>> scaled(10.0, [[1.0, 2.0], [3.0, 4.0]])
    [12.0, 34.0]
    """
    return Vmapped(f, in_axes)


class Vmapped:
    """What `vmap` returns."""

    def __init__(self, f: Callable[..., Any], axes: int | Sequence[int | None] | None) -> None:
        _check_function(f)
        functools.update_wrapper(self, f, updated=())
        listed = several(axes)
        for axis in listed:
            if axis is not None and (type(axis) is not int or axis != 0):
                raise BadArgument(f"in_axes are 0 (samples) or None (common). Received: {axes!r}.")
        self._f = f
        self._axes = listed if is_several(axes) else listed[0]

    def __get__(self, instance: Any, owner: type | None = None) -> Vmapped:
        """The method of an object. Axes count self."""
        if instance is None or not _is_method(self._f):
            return self
        axes = self._axes if self._axes is None or isinstance(self._axes, int) else self._axes[1:]
        return Vmapped(self._f.__get__(instance, owner), axes)

    def __call__(self, *args: Any, **named: Any) -> Any:
        return self.loop(args, named, _Static())

    def loop(self, args: tuple[Any, ...], named: dict[str, Any], static: _Static) -> Any:
        """The results of f, called for one sample after the other."""
        kinds = self._kinds(args, static)
        results = [
            _on_values(self._f, _sample(args, kinds, i), named, static)
            for i in range(_size(args, kinds))
        ]
        stacked = _stacked(results)
        return _as_arrays(stacked) if _has_array(args, kinds) else stacked

    def call(
        self,
        args: tuple[Any, ...],
        named: dict[str, Any],
        settings: dict[str, Any],
        static: _Static,
    ) -> _Call | None:
        """A call taken apart; None if there are no samples."""
        kinds = self._kinds(args, static)
        n = _size(args, kinds)
        if n == 0:
            return None
        first = _sample(args, kinds, 0)
        common: list[Any] = []
        rows: Any = [[]]
        shapes = [
            _static(arg) if kind is STATIC else _shape(arg, rows[0] if kind is OWN else common)
            for kind, arg in zip(kinds, first)
        ]
        array = _has_array(args, kinds)
        key = (*shapes, _shape(named, common), tuple(map(_static, settings.items())), array)
        own = [arg for arg, kind in zip(args, kinds) if kind is OWN]
        if array and all(is_array(arg) and arg.dtype != object for arg in own):
            import numpy

            rows = numpy.hstack([arrays().contiguous(arg).reshape(n, -1) for arg in own])
        else:
            for i in range(1, n):
                row: list[Any] = []
                sample = _sample(args, kinds, i)
                shape = [_shape(a, row) for a, kind in zip(sample, kinds) if kind is OWN]
                if shape != [s for s, kind in zip(shapes, kinds) if kind is OWN]:
                    raise BadArgument(f"Sample {i} has another shape than the first one.")
                rows.append(row)
        return _Call(self._f, key, kinds, tuple(first), named, settings, rows, common, True, array)

    def _kinds(self, args: tuple[Any, ...], static: _Static) -> list[str]:
        axes = self._axes
        if axes is None or isinstance(axes, int):
            axes = [axes] * len(args)
        if len(axes) != len(args):
            raise BadArgument(f"in_axes is for {len(axes)} arguments. Received: {len(args)}.")
        return [
            STATIC if i in static.positions else COMMON if axis is None else OWN
            for i, axis in enumerate(axes)
        ]


def _members(tree: Any) -> Mapping[Any, Any] | None:
    """The parts of a tree that hold samples each, None if it holds them itself."""
    return None if isinstance(tree, list) or is_array(tree) else members(tree)


def _holders(args: Sequence[Any], kinds: Sequence[str]) -> list[Any]:
    """Every list and array of samples."""
    waiting = [arg for arg, kind in zip(args, kinds) if kind is OWN]
    found = []
    for tree in waiting:  # which grows while it is read
        inside = _members(tree)
        if inside is not None:
            waiting.extend(inside.values())
        elif isinstance(tree, list) or (is_array(tree) and tree.shape):
            found.append(tree)
        else:
            raise BadArgument(
                f"An argument with axis 0 is a list or array of samples. Received: {tree!r}. "
                f"Pass in_axes=None for what all samples have in common."
            )
    return found


def _size(args: Sequence[Any], kinds: Sequence[str]) -> int:
    """How many samples there are."""
    sizes = {len(holder) for holder in _holders(args, kinds)}
    if len(sizes) != 1:
        raise BadArgument(
            f"All arguments with axis 0 must hold equally many samples. Received: "
            f"{', '.join(map(str, sorted(sizes))) or 'no such argument'}."
        )
    return sizes.pop()


def _has_array(args: Sequence[Any], kinds: Sequence[str]) -> bool:
    return any(map(is_array, _holders(args, kinds)))


def _sample(args: Sequence[Any], kinds: Sequence[str], i: int) -> list[Any]:
    """The arguments of the i-th call."""
    return [_item(arg, i) if kind is OWN else arg for arg, kind in zip(args, kinds)]


def _item(tree: Any, i: int) -> Any:
    return tree[i] if _members(tree) is None else _each(tree, lambda part: _item(part, i))


def _each(tree: Any, change: Callable[[Any], Any]) -> Any:
    """A container like the given one, with every member changed."""
    return like(tree, map(change, members(tree).values()))  # type: ignore[union-attr]


def _stacked(results: Sequence[Any]) -> Any:
    """Results per sample, put into lists: of n tuples one tuple of n, likewise of dicts."""
    row = container(results[0]) if results else None
    if row is None or isinstance(results[0], list):
        return list(results)
    inside = [row.members(result) if container(result) is row else None for result in results]
    keys = inside[0].keys()  # type: ignore[union-attr]
    for i, other in enumerate(inside):
        if other is None or other.keys() != keys:
            raise BadArgument(
                f"The results of all samples need the same structure. Received for sample {i}: "
                f"{results[i]!r}; for sample 0: {results[0]!r}."
            )
    return like(results[0], [_stacked([one[key] for one in inside]) for key in keys])  # type: ignore[index]


def _as_arrays(tree: Any) -> Any:
    """The same with an array in the place of every list that one can hold."""
    import numpy

    if _members(tree) is not None:
        return _each(tree, _as_arrays)
    try:
        made = numpy.array(tree)
    except ValueError:  # lists of different lengths
        return tree
    return made if made.dtype != object or all(isinstance(x, Value) for x in made.flat) else tree


def _transposed(tree: Any) -> Any:
    """A result whose numbers are columns, as arrays whose first axis are the samples.

    Raises:
        ValueError: if it isn't made of lists of equally long lists, in tuples and dicts.
    """
    import numpy

    if _members(tree) is not None:
        return _each(tree, _transposed)
    if not isinstance(tree, list):
        return numpy.moveaxis(tree, -1, 0)
    parts = list(map(_transposed, tree))
    if not all(map(is_array, parts)):
        raise ValueError("Lists of tuples or dicts stay lists.")
    return numpy.stack(parts, axis=1)  # which raises it for parts of different shapes
