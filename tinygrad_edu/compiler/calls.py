"""The calls of a function that is jitted or mapped, taken apart: numbers, shapes and settings.

A static argument is a setting: the function gets it as it is. Everything else is numbers in lists
and other containers, whose structure decides which program is run.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from importlib import import_module
from inspect import Parameter, signature, unwrap
from pickle import loads
from typing import Any, NamedTuple

from ..core.calculus import is_symbolic, lifted
from ..core.table import number
from ..core.value import Value
from ..errors import BadArgument, NotANumber, TracingError, unknown_name
from ..trees import Rebuild, container, flatten, several

# What an argument is to a program: different in every lane, the same in all, or no number.
OWN, COMMON, STATIC = "own", "common", "static"


class Call(NamedTuple):
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
        """Whether a Value is among the numbers, so that the call must be recorded."""
        lists = [self.common, *self.rows] if isinstance(self.rows, list) else [self.common]
        return any(type(x) is not float for numbers in lists for x in numbers)


class Static(NamedTuple):
    """Which arguments are static. Those that can be passed either way are in both."""

    positions: frozenset[int] = frozenset()
    names: frozenset[str] = frozenset()


def static_arguments(f: Callable[..., Any], argnums: Any, argnames: Any) -> Static:
    positions, names = several(argnums), several(argnames)
    if not all(type(i) is int and i >= 0 for i in positions):
        raise BadArgument(f"static_argnums must be positions from 0. Received: {argnums!r}.")
    if not all(isinstance(name, str) for name in names):
        raise BadArgument(f"static_argnames must be names of arguments. Received: {argnames!r}.")
    try:
        parameters = signature(f).parameters.values()
    except (TypeError, ValueError):  # some functions written in C have none
        return Static(frozenset(positions), frozenset(names))
    kinds = {parameter.kind for parameter in parameters}
    ordered = positional_names(parameters)
    for i in positions:
        if i >= len(ordered) and Parameter.VAR_POSITIONAL not in kinds:
            raise BadArgument(
                f"static_argnums counts the arguments of {name_of(f)} from 0, and it takes "
                f"{len(ordered)} by position. Received: {argnums!r}."
            )
    known = [*ordered, *(p.name for p in parameters if p.kind is Parameter.KEYWORD_ONLY)]
    for name in names:
        if name not in known and Parameter.VAR_KEYWORD not in kinds:
            raise unknown_name(f"argument of {name_of(f)} in static_argnames", name, known)
    return Static(
        frozenset([*positions, *(i for i, name in enumerate(ordered) if name in names)]),
        frozenset([*names, *(name for i, name in enumerate(ordered) if i in positions)]),
    )


def positional_names(parameters: Iterable[Parameter]) -> list[str]:
    """The names of the arguments that can be passed by position."""
    kinds = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
    return [parameter.name for parameter in parameters if parameter.kind in kinds]


def check_hashable(settings: Iterable[Any]) -> None:
    for x in settings:
        try:
            hash(x)
        except TypeError as error:
            raise BadArgument(f"Static arguments must be hashable. Received: {x!r}.") from error


def check_function(f: Any) -> None:
    if not callable(f):
        raise NotANumber(f"A function is needed. Received: {f!r}.")


def is_method(f: Any) -> bool:
    """Whether Python would pass the object to f, if f stood in a class. (Partials are about to
    change in this: some versions of Python warn. They are not bound.)"""
    return hasattr(type(f), "__get__") and not isinstance(f, (staticmethod, partial))


def name_of(f: Any) -> str:
    return getattr(f, "__name__", None) or repr(f)


def pickled(made: Any, f: Any, *settings: Any) -> tuple[Any, ...]:
    """How ``made`` is pickled, which is ``type(made)(f, *settings)``: as a method of its object, by
    its name at the top of f's module or of the main program, or by the name of f.

    Raises:
        BadArgument: for a lambda or a local function, which has no name elsewhere.
    """
    again = (type(made), (f, *settings))
    if hasattr(f, "__self__"):
        return getattr, (f.__self__, f.__name__)
    if not hasattr(f, "__qualname__"):
        return again  # an object that can be called
    for name in dict.fromkeys([getattr(unwrap(f), "__module__", None), "__main__"]):
        for key, thing in {**vars(sys.modules.get(name or "", object))}.items():
            if thing is made:
                # joblib's workers don't import the main program: they get its functions as code.
                names = ("cloudpickle", "joblib.externals.cloudpickle") * (name == "__main__")
                joblib: Any = next(filter(None, map(sys.modules.get, names)), None)
                return _named, (name, key, joblib and joblib.dumps(again))
            if (key, thing) == (f.__qualname__, f):
                return again
    raise BadArgument(
        f"Only a function that has a name at the top of a module can be pickled, so that another "
        f"process finds it; a lambda or a function inside another has none. Received: {made!r}."
    )


def _named(module: str, name: str, code: bytes | None) -> Any:
    there = import_module(module)
    if code and not hasattr(there, name):
        kind, arguments = loads(code)
        return kind(*arguments)
    return getattr(there, name)


def call_of(
    f: Callable[..., Any],
    args: Sequence[Any],
    kinds: list[str],
    named: dict[str, Any],
    settings: dict[str, Any],
) -> Call:
    """A call of f for one sample, taken apart. Arguments by name are common to all."""
    numbers: dict[str, list[Any]] = {OWN: [], COMMON: []}
    shapes = [
        static_key(arg) if kind is STATIC else shape_of(arg, numbers[kind])
        for kind, arg in zip(kinds, args)
    ]
    key = (*shapes, shape_of(named, numbers[COMMON]), tuple(map(static_key, settings.items())))
    rows, common = [numbers[OWN]], numbers[COMMON]
    return Call(f, key, kinds, tuple(args), named, settings, rows, common)


def shape_of(tree: Any, numbers: list[Any]) -> Any:
    """The part of an argument that a program depends on; its numbers are added to the list."""
    kind = type(tree)
    if kind is float:
        numbers.append(tree)
        return None
    if kind is list or kind is tuple:  # these two and dicts, faster
        return (kind, *[shape_of(child, numbers) for child in tree])
    if kind is dict:
        return (kind, *tree, *[shape_of(child, numbers) for child in tree.values()])
    if isinstance(tree, Value):
        numbers.append(tree)
        return None
    row = container(tree)
    if row is not None and row.rebuild is not None:
        inside = row.members(tree)
        shapes = [shape_of(child, numbers) for child in inside.values()]
        return (kind, row.settings(tree), *inside, *shapes)
    try:
        items, _ = flatten(tree)  # arrays, numbers of other libraries
    except NotANumber as error:
        raise NotANumber(
            f"{error} An argument that is a setting, not a number, must be static: "
            f"tg.jit(f, static_argnums=...)."
        ) from None
    numbers += [x if isinstance(x, Value) else number(x) for x in items]
    if not getattr(tree, "shape", ()):
        return None
    return (kind, tree.shape)


def static_key(x: Any) -> Any:
    """A key of a static argument. It differs for 2 and 2.0, and for 0.0 and −0.0, which are equal;
    and it is the same for every nan."""
    if isinstance(x, tuple):
        return (type(x), *map(static_key, x))
    return (type(x), repr(x) if isinstance(x, (float, complex)) else x)


def call_on_values(
    f: Callable[..., Any], args: Sequence[Any], named: dict[str, Any], static: Static
) -> Any:
    """f of these arguments: f gets its numbers as Values, and its result is converted back to
    numbers, unless there were Values before or something is being differentiated."""
    given: dict[Any, Any] = {**dict(enumerate(args)), **named}
    settings = {key: x for key, x in given.items() if key in static.positions | static.names}
    numbers, like = flatten({key: () if key in settings else x for key, x in given.items()})
    called = like([x if isinstance(x, Value) else lifted(number(x)) for x in numbers]) | settings
    positional = [called[i] for i in range(len(args))]
    named = {name: called[name] for name in named}
    if any(isinstance(x, Value) for x in numbers):
        return f(*positional, **named)
    outputs, like_output = returned(f, *positional, **named)
    if is_symbolic(outputs):
        return like_output(outputs)
    return like_output([x.data if isinstance(x, Value) else number(x) for x in outputs])


def returned(f: Callable[..., Any], *args: Any, **named: Any) -> tuple[list[Any], Rebuild]:
    """The result of a function of Values, flattened."""
    try:
        result = f(*args, **named)
    except TypeError as error:
        if type(error) is TypeError and "Traced" in str(error):  # range(n), xs[n]
            raise TracingError(
                f"{name_of(f)} got Values instead of numbers, and raised: {error}. If a count "
                f"or an index is needed, make that argument static: tg.jit(f, static_argnums=...)."
            ) from error
        raise
    try:
        return flatten(result)
    except NotANumber as error:
        raise NotANumber(f"{name_of(f)} must return numbers. {error}") from None
