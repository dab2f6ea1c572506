"""Settings: named numbers that are checked whenever one is set, and can be saved as JSON.

Optimisers and schedules share them. A setting's type states its limits, as in ``momentum: Fraction
= 0.0``, so its name, default and limits are in one line.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from math import inf
from typing import (
    Annotated,
    Any,
    ClassVar,
    NamedTuple,
    TypeAlias,
    TypeVar,
    get_args,
    get_type_hints,
)

from ..core.table import is_real, number
from ..errors import BadArgument, NotANumber, check_name


class Limit(NamedTuple):
    """The limit of a setting, in words and as a test. Every comparison with nan is false."""

    words: str
    holds: Callable[[float], bool]

    def check(self, what: str, value: Any) -> None:
        """Raise an error for a value beyond the limit.

        Raises:
            NotANumber: for something that is not a number.
            BadArgument: for a number beyond the limit.
        """
        refusal = f"The {what} must be {self.words}. Received: {value!r}."
        if not is_real(value):
            raise NotANumber(refusal)
        if not self.holds(number(value)):
            raise BadArgument(refusal)


class Choice(NamedTuple):
    """The limit of a setting that is one of a few names."""

    names: tuple[str, ...]

    def check(self, what: str, value: Any) -> None:
        """Raise an error for another name.

        Raises:
            NameUnknown: with the nearest one.
        """
        check_name(what, value, self.names)


Fraction: TypeAlias = Annotated[
    float, Limit("a number from 0 to below 1, such as 0.9", lambda x: 0.0 <= x < 1.0)
]
Positive: TypeAlias = Annotated[float, Limit("a finite number above 0", lambda x: 0.0 < x < inf)]
NotNegative: TypeAlias = Annotated[float, Limit("a finite number from 0", lambda x: 0.0 <= x < inf)]
NotPositive: TypeAlias = Annotated[
    float, Limit("a finite number up to 0", lambda x: -inf < x <= 0.0)
]
FromOne: TypeAlias = Annotated[float, Limit("a finite number from 1", lambda x: 1.0 <= x < inf)]
Whole: TypeAlias = Annotated[
    int, Limit("a whole number from 1", lambda x: x >= 1.0 and x % 1.0 == 0.0)
]
Flag: TypeAlias = Annotated[bool, Limit("True or False", lambda x: x in (0.0, 1.0))]
Rate: TypeAlias = (
    Annotated[
        float, Limit("a finite number from 0 such as 0.01, or a schedule", lambda x: 0.0 <= x < inf)
    ]
    | Callable[[int], float]
)
"""A learning rate, or a function that returns one for a number of steps."""


def check_dtype(dtype: Any) -> None:
    """Raise an error for numbers of another kind than those here.

    Raises:
        BadArgument: for all but float64, in which everything is computed, and float32.
    """
    if getattr(dtype, "name", dtype) not in (None, "float64", "float32"):
        raise BadArgument(
            f"Everything is computed in float64. Received: dtype={dtype!r}. Leave it out."
        )


class Settings:
    """The base class of dataclasses whose fields are settings.

    A field that is not a setting is declared with ``field(metadata={"setting": False})``.

    Raises:
        NotANumber: if a setting is set to something that is not a number.
        BadArgument: if it is beyond its limits.

    >>> from dataclasses import dataclass
    >>> @dataclass
    ... class Ball(Settings):
    ...     bounce: Fraction = 0.5
    >>> Ball(bounce=1.5)
    Traceback (most recent call last):
        ...
    tinygrad_edu.errors.BadArgument: The bounce of Ball must be a number from 0 to below 1, ...
    >>> Ball().config()
    {'class': 'Ball', 'bounce': 0.5}
    """

    limits: ClassVar[dict[str, tuple[Limit, type, bool]]] = {}
    """The limit of each setting, whether it is a float or a bool, and whether it may be None."""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        unmeant = {"KW_ONLY": None}  # a mark among the fields, which Python 3.10 takes for a type
        cls.limits = {
            name: (note, part.__origin__, type(None) in get_args(hint))
            for name, hint in get_type_hints(cls, None, unmeant, include_extras=True).items()
            for part in (hint, *get_args(hint))  # ``Positive | None`` is a union of two
            for note in getattr(part, "__metadata__", ())
            if isinstance(note, Limit)
        }

    def __setattr__(self, name: str, value: Any) -> None:
        limit, kind, optional = self.limits.get(name, (None, None, True))
        if limit and kind and not (value is None and optional):
            limit.check(f"{name.replace('_', ' ')} of {type(self).__name__}", value)
            value = kind(value)
        super().__setattr__(name, value)

    @classmethod
    def names(cls) -> list[str]:
        """The names of all settings, in the order in which the class takes them."""
        return [
            field.name
            for field in fields(cls)  # type: ignore[arg-type]
            if field.metadata.get("setting", True)
        ]

    def settings(self) -> dict[str, Any]:
        """Every setting by name, with its current value."""
        return {name: getattr(self, name) for name in self.names()}

    def config(self) -> dict[str, Any]:
        """The class and every setting, as JSON can store them; `from_config` reads them.

        Raises:
            BadArgument: if a setting is a user-defined function, which JSON can't store.
        """
        plain = {name: self._plain(name, value) for name, value in self.settings().items()}
        return {"class": type(self).__name__, **plain}

    def get_config(self) -> dict[str, Any]:
        """Every setting by name, as JSON can store them: ``type(x).from_config(x.get_config())``
        equals x.

        Raises:
            BadArgument: if a setting is a user-defined function, which JSON can't store.
        """
        return {name: x for name, x in self.config().items() if name != "class"}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Any:
        """The object that ``get_config()`` described."""
        return cls(**config)

    def _plain(self, name: str, value: Any) -> Any:
        if isinstance(value, Settings):
            return value.config()
        if callable(value):
            raise BadArgument(
                f"The {name.replace('_', ' ')} of {type(self).__name__} is a function, which "
                f"can't be saved as data. Received: {value!r}. Use a schedule from SCHEDULES, "
                f"or a subclass of Schedule added to it."
            )
        return list(value) if isinstance(value, tuple) else value


T = TypeVar("T", bound=Settings)


def from_config(kind: str, table: Mapping[str, type[T]], config: Any) -> T:
    """The object that ``config()`` described, from a table of classes.

    Args:
        kind: the kind of object, for errors: "optimizer" or "schedule".
        table: the classes, under any names.
        config: a dict with the key "class" and the settings.

    Raises:
        BadArgument: if it is not such a dict, or a setting is beyond its limits.
        NameUnknown: if the class is not in the table, or has no such setting.
    """
    if not isinstance(config, Mapping) or "class" not in config:
        raise BadArgument(
            f"The configuration of a {kind} must be a dict with a 'class' and its settings, as "
            f"config() returns. Received: {config!r}."
        )
    classes = {cls.__name__: cls for cls in table.values()}
    settings = dict(config)
    name = settings.pop("class")
    check_name(kind, name, classes)
    for setting in settings:
        check_name(f"setting of {name}", setting, classes[name].names())
    return classes[name](**settings)
