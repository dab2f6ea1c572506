"""`jit` and `vmap`: functions in, functions out; recorded once and replayed.

A function is traced by calling it once on Values that nobody may read: whatever would bake a
number of this one call into the program (``.data``, ``if x > 0``, ``float(x)``) raises a
`TracingError` that names the line. What comes out is flattened to a program, which then
answers all later calls with arguments of the same shape.
"""

from __future__ import annotations

import functools
import threading
import warnings
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

from ..calculus import lifted
from ..errors import BadArgument, NotANumber, NotTraceable
from ..modes import MODE, entering
from ..ops import number
from ..trees import Rebuild, flatten
from ..value import Value
from .lowering import Lowering
from .program import Program

__all__ = ["jit", "vmap"]

KEPT: Final = 64
"""Programs that one jitted function keeps."""


# ── jit ───────────────────────────────────────────────────────────────────────────────────


def jit(
    f: Callable[..., Any],
    static_argnums: int | Sequence[int] = (),
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
        static_argnums: which positional arguments are no numbers to compute with but settings
            (a count, a name, a flag): f sees them as they are, and each value of them has a
            program of its own. They must be hashable.
        executor, fastmath: as in `compile`.

    Returns:
        A function of the same arguments, whose result is built as f built it: lists of floats
        where f returned lists, arrays of float64 where f returned arrays. (f sees an array as
        an array of Values, on which NumPy's arithmetic works.) Called with Values, or inside
        a function that is being differentiated or traced, it simply calls f.

        Its ``traces`` counts how often f was traced; ``program(*args)`` gives the `Program`.
        At most 64 programs are kept.

    Raises:
        TracingError: from a call, if f reads a number (use `tg.where`, or static_argnums), or
            differentiates what was recorded before.

    >>> from tinygrad_edu import grad
    >>> slope = jit(grad(lambda x: x**3))
    >>> slope(2.0), slope(3.0), slope.traces
    (12.0, 27.0, 1)
    >>> power = jit(lambda x, n: x**n, static_argnums=1)
    >>> power(3.0, 2), power(3.0, 3), power.traces
    (9.0, 27.0, 2)
    """
    return Jitted(f, static_argnums, executor, fastmath)


class Jitted:
    """What `jit` returns.

    Attributes:
        traces: how often the function was traced.
    """

    def __init__(
        self, f: Callable[..., Any], static: int | Sequence[int], executor: str, fastmath: bool
    ) -> None:
        _check_function(f)
        functools.update_wrapper(self, f, updated=())
        self.traces = 0
        self._f = f
        self._static = (static,) if isinstance(static, int) else tuple(static)
        if not all(isinstance(i, int) and i >= 0 for i in self._static):
            raise BadArgument(f"static_argnums are positions from 0 on. Received: {static!r}.")
        self._options = {"executor": executor, "fastmath": fastmath}
        self._kept: dict[Any, _Traced | None] = {}  # None: only Python can compute it
        self._lock = threading.RLock()
        self._thrashed = False

    def __call__(self, *args: Any, **named: Any) -> Any:
        mode = MODE.get()
        if not (mode.nested or mode.tracing or mode.births is not None):
            call = self._call(args, named)
            if call is not None and not call.holds_values():
                try:
                    traced = self._kept[call.key]
                except KeyError:
                    traced = self._keep(call)
                if traced is not None:
                    return traced.run(call)
        if isinstance(self._f, Vmapped):
            return self._f(*args, **named)
        return _on_values(self._f, args, named, self._static)

    def program(self, *args: Any, **named: Any) -> Program:
        """The program for arguments of this shape.

        Raises:
            NotTraceable: if f uses an operation that only Python can compute.
        """
        call = self._call(args, named)
        if call is None:
            raise BadArgument("There is no program for no samples.")
        traced = self._kept.get(call.key) or self._keep(call)
        return (traced or _trace(call, self._options)).program

    def _call(self, args: tuple[Any, ...], named: dict[str, Any]) -> _Call | None:
        """A call taken apart; None if it is for no samples at all."""
        static = [i for i in self._static if i < len(args)]
        for i in static:
            try:
                hash(args[i])
            except TypeError as error:
                raise BadArgument(
                    f"Static arguments must be hashable. Received: {args[i]!r}."
                ) from error
        if isinstance(self._f, Vmapped):
            return self._f.call(args, named, static)
        kinds = [STATIC if i in static else OWN for i in range(len(args))]
        row: list[Any] = []
        common: list[Any] = []
        shapes = [
            _static(arg) if kind is STATIC else _shape(arg, row) for kind, arg in zip(kinds, args)
        ]
        key = (*shapes, _shape(named, common))
        return _Call(self._f, key, kinds, args, named, [row], common, False)

    def _keep(self, call: _Call) -> _Traced | None:
        with self._lock:  # so that threads trace one after the other
            if call.key in self._kept:
                return self._kept[call.key]
            self.traces += 1
            traced: _Traced | None = None
            try:
                traced = _trace(call, self._options)
            except NotTraceable as error:
                warnings.warn(f"{_called(self._f)} runs uncompiled. {error}", stacklevel=3)
            if len(self._kept) >= KEPT:
                del self._kept[next(iter(self._kept))]
                if not self._thrashed:
                    self._thrashed = True
                    warnings.warn(
                        f"{_called(self._f)} was traced for more than {KEPT} shapes or static "
                        f"arguments; the oldest programs are dropped.",
                        stacklevel=3,
                    )
            self._kept[call.key] = traced
            return traced

    def __repr__(self) -> str:
        return f"<jitted {_called(self._f)}>"


def _check_function(f: Any) -> None:
    if not callable(f):
        raise NotANumber(f"A function is needed. Received: {f!r}.")


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
    rows: Any  # the numbers of each lane
    common: list[Any]  # the numbers that all lanes have in common
    stacked: bool  # whether results come per sample

    def holds_values(self) -> bool:
        """Whether something is being recorded, so that a number would not do."""
        lists = [self.common, *self.rows] if isinstance(self.rows, list) else [self.common]
        return any(type(x) is not float for numbers in lists for x in numbers)


class _Traced(NamedTuple):
    """A program, and how its numbers become a result."""

    program: Program
    like_output: Rebuild

    def run(self, call: _Call) -> Any:
        each = self.program.values(call.rows, call.common)
        if not call.stacked:
            return self.like_output(_listed(each[0]))
        if isinstance(call.rows, list):
            return _stacked([self.like_output(row) for row in _listed(each)])
        columns = self.like_output([each[:, i] for i in range(each.shape[1])])
        if _is_regular(columns):
            return _transposed(columns)
        return _as_arrays(_stacked([self.like_output(row) for row in each.tolist()]))


def _listed(numbers: Any) -> Any:
    return numbers.tolist() if hasattr(numbers, "tolist") else numbers


def _shape(tree: Any, numbers: list[Any]) -> Any:
    """What a program depends on of an argument; the numbers in it are added to the list."""
    kind = type(tree)
    if kind is float:
        numbers.append(tree)
        return None
    if isinstance(tree, (list, tuple)):
        return (kind, *[_shape(child, numbers) for child in tree])
    if isinstance(tree, dict):
        return (kind, *tree, *[_shape(child, numbers) for child in tree.values()])
    if isinstance(tree, Value):
        numbers.append(tree)
        return None
    found, _ = flatten(tree)  # arrays, numbers of other libraries
    numbers += [x if isinstance(x, Value) else number(x) for x in found]
    if not getattr(tree, "shape", ()):
        return None
    return (kind, tree.shape)


def _static(x: Any) -> Any:
    """A key of a static argument, which keeps apart what == does not: 2 and 2.0, 0.0 and −0.0."""
    if isinstance(x, tuple):
        return (type(x), *map(_static, x))
    return (type(x), x, repr(x) if isinstance(x, (float, complex)) else None)


def _trace(call: _Call, options: dict[str, Any]) -> _Traced:
    """Run a function on Values that nobody may read, and flatten what comes out."""
    since = Value(0.0)._serial + 1  # older nodes were recorded before, and keep their numbers
    own, like_own = flatten(_of_kind(OWN, call))
    common, like_common = flatten([_of_kind(COMMON, call), call.named])
    inputs = [Value(x, role="input") for x in own]
    shared = [Value(x) for x in common]
    commons, named = like_common(shared)
    parts = {OWN: iter(like_own(inputs)), COMMON: iter(commons)}
    args = [
        arg if kind is STATIC else next(parts[kind]) for kind, arg in zip(call.kinds, call.args)
    ]
    _name(call, args)
    with entering(tracing=since, nested=True, recording=True):
        outputs, like_output = flatten(call.f(*args, **named))
    lowering = Lowering(inputs, shared, outputs, since)
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
    return _Traced(program, like_output)


def _of_kind(kind: str, call: _Call) -> list[Any]:
    return [arg for arg, its in zip(call.args, call.kinds) if its is kind]


def _name(call: _Call, args: Sequence[Any]) -> None:
    """Give the Values of the arguments the names of the parameters, for who reads the program."""
    code = getattr(call.f, "__code__", None)
    names = code.co_varnames[: code.co_argcount] if code else ()
    for i, (kind, arg) in enumerate(zip(call.kinds, args)):
        if kind is not STATIC:
            name = names[i] if i < len(names) else f"x{i}"
            values, _ = flatten(arg)
            for j, value in enumerate(values):
                value.name = name if value is arg else f"{name}{j}"


def _on_values(
    f: Callable[..., Any], args: Sequence[Any], named: dict[str, Any], static: Sequence[int] = ()
) -> Any:
    """f of these arguments: numbers are Values for f, and what f returns are numbers again,
    unless there were Values before or something is being differentiated."""
    mode = MODE.get()
    numbers, like = flatten([[() if i in static else x for i, x in enumerate(args)], named])
    keep = mode.nested or mode.tracing or any(isinstance(x, Value) for x in numbers)
    called, named = like([x if isinstance(x, Value) else lifted(number(x)) for x in numbers])
    for i in static:
        if i < len(args):
            called[i] = args[i]
    result = f(*called, **named)
    if keep:
        return result
    outputs, like_output = flatten(result)
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
        for axis in [axes] if axes is None or isinstance(axes, int) else axes:
            if axis is not None and (type(axis) is not int or axis != 0):
                raise BadArgument(f"in_axes are 0 (samples) or None (common). Received: {axes!r}.")
        self._f, self._axes = f, axes

    def __call__(self, *args: Any, **named: Any) -> Any:
        kinds = self._kinds(args, ())
        results = [
            _on_values(self._f, _sample(args, kinds, i), named) for i in range(_size(args, kinds))
        ]
        stacked = _stacked(results)
        return _as_arrays(stacked) if _has_array(args, kinds) else stacked

    def call(
        self, args: tuple[Any, ...], named: dict[str, Any], static: Sequence[int]
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
        arrays = _has_array(args, kinds)
        key = (*shapes, _shape(named, common), arrays)
        own = [arg for arg, kind in zip(args, kinds) if kind is OWN]
        if arrays and all(_is_array(arg) and arg.dtype != object for arg in own):
            import numpy

            rows = numpy.concatenate([arg.reshape(n, -1) for arg in own], 1, dtype=float)
        else:
            for i in range(1, n):
                row: list[Any] = []
                sample = _sample(args, kinds, i)
                shape = [_shape(a, row) for a, kind in zip(sample, kinds) if kind is OWN]
                if shape != [s for s, kind in zip(shapes, kinds) if kind is OWN]:
                    raise BadArgument(f"Sample {i} has another shape than the first one.")
                rows.append(row)
        return _Call(self._f, key, kinds, tuple(first), named, rows, common, True)

    def _kinds(self, args: tuple[Any, ...], static: Sequence[int]) -> list[str]:
        axes = self._axes
        if axes is None or isinstance(axes, int):
            axes = [axes] * len(args)
        if len(axes) != len(args):
            raise BadArgument(f"in_axes is for {len(axes)} arguments. Received: {len(args)}.")
        return [
            STATIC if i in static else COMMON if axis is None else OWN
            for i, axis in enumerate(axes)
        ]


def _is_array(x: Any) -> bool:
    return hasattr(x, "reshape") and bool(getattr(x, "shape", ()))


def _members(tree: Any) -> list[Any] | None:
    """The parts of a tree that hold samples each, None if it holds them itself."""
    if isinstance(tree, dict):
        return list(tree.values())
    return list(tree) if isinstance(tree, tuple) else None


def _holders(args: Sequence[Any], kinds: Sequence[str]) -> list[Any]:
    """Every list and array of samples."""
    waiting = [arg for arg, kind in zip(args, kinds) if kind is OWN]
    found = []
    for tree in waiting:  # which grows while it is read
        members = _members(tree)
        if members is not None:
            waiting.extend(members)
        elif isinstance(tree, list) or _is_array(tree):
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
    return any(map(_is_array, _holders(args, kinds)))


def _sample(args: Sequence[Any], kinds: Sequence[str], i: int) -> list[Any]:
    """The arguments of the i-th call."""
    return [_item(arg, i) if kind is OWN else arg for arg, kind in zip(args, kinds)]


def _item(tree: Any, i: int) -> Any:
    members = _members(tree)
    if members is None:
        return tree[i]
    return _like(tree, [_item(member, i) for member in members])


def _like(tree: Any, members: Sequence[Any]) -> Any:
    """A dict or tuple as the given one, with other members."""
    if isinstance(tree, dict):
        return dict(zip(tree, members))
    return type(tree)(*members) if hasattr(tree, "_fields") else tuple(members)


def _stacked(results: Sequence[Any]) -> Any:
    """Results per sample, put into lists: of n tuples one tuple of n, likewise of dicts."""
    first = results[0] if results else None
    if isinstance(first, dict):
        return {key: _stacked([result[key] for result in results]) for key in first}
    if isinstance(first, tuple):
        return _like(first, [_stacked(part) for part in zip(*results)])
    return list(results)


def _as_arrays(tree: Any) -> Any:
    """The same with an array in the place of every list."""
    import numpy

    members = _members(tree)
    return numpy.array(tree) if members is None else _like(tree, list(map(_as_arrays, members)))


def _is_regular(tree: Any, in_list: bool = False) -> bool:
    """Whether a result is made of lists of numbers, in tuples and dicts but not around them."""
    members = _members(tree)
    if members is not None:
        return not in_list and all(map(_is_regular, members))
    return not isinstance(tree, list) or (
        bool(tree) and all(_is_regular(part, in_list=True) for part in tree)
    )


def _transposed(tree: Any) -> Any:
    """A result whose numbers are columns, as arrays whose first axis are the samples."""
    import numpy

    members = _members(tree)
    if members is not None:
        return _like(tree, list(map(_transposed, members)))
    if isinstance(tree, list):
        return numpy.stack([_transposed(part) for part in tree], axis=1)
    return numpy.moveaxis(tree, -1, 0)
