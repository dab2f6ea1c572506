"""Functions with a name and settings: losses, metrics, initialisers, regularisers.

Each kind has a table from names to plain functions. A function's settings are its arguments with a
default, and an argument's type states its limits, as in ``delta: Positive = 1.0``.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from math import isfinite
from typing import Annotated, Any, ClassVar, TypeAlias, TypeVar, get_type_hints

from ..errors import BadArgument, NameUnknown, check_name, unknown_name
from .absent import ROOMS, remedy
from .settings import Limit

Finite: TypeAlias = Annotated[float, Limit("a finite number", isfinite)]

_BEFORE_A_WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def look_up(
    kind: str, name: object, table: Mapping[str, Any], aliases: Mapping[str, str] | None = None
) -> str:
    """The name in the table for ``name``, which may be written like a class or as an alias.

    Args:
        kind: the kind of function, for the error.
        name: the name to look up.
        table: the functions, under names like ``mean_squared_error``.
        aliases: other names for some of them.

    Raises:
        NameUnknown: with the nearest known name.

    >>> table, aliases = {"log_cosh": ..., "kl_divergence": ...}, {"logcosh": "log_cosh"}
    >>> [look_up("loss", name, table, aliases) for name in ("LogCosh", "logcosh", "KLDivergence")]
    ['log_cosh', 'log_cosh', 'kl_divergence']
    """
    aliases = aliases or {}
    if isinstance(name, str):
        plain = _BEFORE_A_WORD.sub("_", name).lower()
        for spelling in (name, plain):
            if aliases.get(spelling, spelling) in table:
                return aliases.get(spelling, spelling)
    raise not_here(kind, name, [*table, *aliases])


def check_known(kind: str, name: object, names: Collection[str]) -> None:
    """Raise an error for a name that is not in a table that has Keras's names.

    Raises:
        NameUnknown: why a name of Keras is absent, or the nearest known name.

    >>> check_known("loss", "ctc", ["mean_squared_error"])
    Traceback (most recent call last):
        ...
    tinygrad_edu.errors.NameUnknown: Unknown loss. Received: 'ctc'. Keras's 'ctc' is absent ...
    """
    if name not in names:
        raise not_here(kind, name, names)


def not_here(kind: str, name: object, names: Iterable[str]) -> NameUnknown:
    """The error for a name that is not in a table that has Keras's names."""
    if found := remedy(ROOMS.get(kind, kind), name):
        return NameUnknown(f"Unknown {kind}. Received: {name!r}. {found}")
    return unknown_name(kind, name, names)


class Named:
    """A function from a table, or a user-defined one, with its settings.

    Args:
        function: a name, an alias, or a function. A function that wraps one from the table, as
            ``functools.wraps`` marks it, is the one from the table.
        name: the name that it is shown by; that of the function if not given.
        **settings: arguments of the function by name; the others keep their defaults.

    Attributes:
        row: the name of the function in the table; None for a user-defined one.
        name: the name that it is shown by.
        function: the function itself.
        settings: every setting by name.

    Raises:
        NameUnknown: for a name that is not in the table, or a setting it does not have.
        NotANumber: for a setting that is not a number.
        BadArgument: for a setting beyond its limits.
    """

    kind: ClassVar[str] = "function"
    table: ClassVar[Mapping[str, Callable[..., Any]]] = {}
    aliases: ClassVar[Mapping[str, str]] = {}

    def __init__(
        self, function: str | Callable[..., Any], *, name: str | None = None, **settings: Any
    ) -> None:
        self.row: str | None
        if callable(function):
            either = (function, getattr(function, "__wrapped__", function))
            self.row = next((row for row, f in self.table.items() if f in either), None)
            self.function = self.table.get(self.row or "", function)
            usual = getattr(function, "__name__", type(function).__name__)
        else:
            self.row = usual = look_up(self.kind, function, self.table, self.aliases)
            self.function = self.table[self.row]
        if not isinstance(name, str | None):
            raise BadArgument(f"The name of a {self.kind} must be a string. Received: {name!r}.")
        self.name = usual if name is None else name
        self.settings = self._checked(settings) if self.built_in else settings

    @property
    def built_in(self) -> bool:
        """Whether the function is from the table."""
        return self.table.get(self.row or "") is self.function

    def config(self) -> dict[str, Any]:
        """Everything to save, as JSON can store it: ``type(x)(**x.config())`` equals x.

        Raises:
            BadArgument: for a user-defined function, which can't be saved as data.
        """
        if not self.built_in:
            raise BadArgument(
                f"A user-defined {self.kind} is code, which can't be saved as data. "
                f"Received: {self.function!r}. Use one of: {', '.join(self.table)}."
            )
        named = {} if self.name == self.row else {"name": self.name}
        return {"function": self.row, **named, **self.settings}

    def __getstate__(self) -> dict[str, Any]:  # a row is pickled as its name: the table is code
        if not hasattr(self, "function"):  # a subclass that overrides __call__ has none
            return vars(self)
        return {**vars(self), "function": self.row if self.built_in else self.function}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        row = state.get("function")
        if isinstance(row, str):
            self.function = self.table[row]

    def __repr__(self) -> str:
        usual = defaults(self.function).items() if self.built_in else ()
        changed = [f"{name}={x!r}" for name, x in self.settings.items() if (name, x) not in usual]
        return f"{type(self).__name__}({', '.join([repr(self.row or self.name), *changed])})"

    def _checked(self, given: dict[str, Any]) -> dict[str, Any]:
        """The settings of a function from the table: the given ones, and defaults for the rest."""
        settings = defaults(self.function)
        limits = get_type_hints(self.function, include_extras=True)
        for name, value in given.items():
            check_name(f"setting of {self.row}", name, settings)
            (limit,) = limits[name].__metadata__
            limit.check(f"{name.replace('_', ' ')} of {self.row}", value)
            settings[name] = limits[name].__origin__(value)  # float or bool
        return settings


def defaults(function: Callable[..., Any]) -> dict[str, Any]:
    """The settings of a function, its arguments with a default, each with that.

    >>> defaults(lambda y_true, y_pred, delta=1.0: 0.0)
    {'delta': 1.0}
    """
    parameters = inspect.signature(function).parameters.values()
    return {p.name: p.default for p in parameters if p.default is not p.empty}


N = TypeVar("N", bound=Named)


def made(base: type[N], which: Any) -> N:
    """An instance of ``base``, of whatever a user may pass for one.

    Args:
        base: the class, such as `Loss`.
        which: an instance; a subclass, which is called; a name; a function; a dict from
            ``config()``.
    """
    if isinstance(which, type) and issubclass(which, base):
        make: Any = which
        which = make()
    if isinstance(which, base) and hasattr(which, "settings"):
        return which  # a subclass may leave out super().__init__(), as it may in Keras
    return base(**which) if isinstance(which, Mapping) else base(which)
