"""Keras's classes and functions that are rows of nn's tables, made from lists of names.

Type checkers and editors read the stubs beside the rooms, which ``make generate`` writes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from inspect import Parameter, Signature, getdoc, signature
from typing import Any, ClassVar

from ..errors import BadArgument, check_name
from ..nn.absent import near
from ..nn.names import Named, check_known, defaults, look_up
from ..nn.settings import check_dtype
from ..trees import as_array, sizes

FIXED: dict[str, Any] = {
    "axis": -1, "ignore_class": None, "input_axes": None, "output_axes": None,
    "class_aggregation": "uniform_average", "num_regressors": 0, "from_sorted_ids": False,
    "multi_label": False, "num_labels": None, "label_weights": None, "from_logits": False,
}  # fmt: skip
"""Settings that must have Keras's default here."""


_SCHEDULES = "optimizers.schedules"


class Made:
    """The base of the classes made here: it binds what they are called with.

    Attributes:
        origin: the row of the table.
        usual: the settings in Keras's order, with their defaults.
        own: those that may be changed.
        engine: the class of `nn` that computes.
    """

    origin: ClassVar[str]
    usual: ClassVar[dict[str, Any]]
    own: ClassVar[dict[str, Any]]
    engine: ClassVar[type[Named]]

    def __init__(self, *given: Any, **settings: Any) -> None:
        arguments: Any = bound(type(self).__name__, self.usual, self.own, given, settings)
        self.arguments = arguments
        engine: Any = self.engine
        first, *_ = signature(engine).parameters.values()
        place = (self.origin,) if first.default is Parameter.empty else ()
        engine.__init__(self, *place, **arguments)

    def get_config(self) -> dict[str, Any]:
        """The settings by name: ``type(x).from_config(x.get_config())`` equals x."""
        known = {**self.usual, **self.arguments}
        return {name: known[name] for name in self.usual if name != "dtype"}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Any:
        """The object that ``get_config()`` described."""
        return cls(**config)

    def __repr__(self) -> str:
        config = self.get_config()
        changed = [f"{name}={x!r}" for name, x in config.items() if x != self.usual[name]]
        return f"{type(self).__name__}({', '.join(changed)})"


def bound(
    what: str,
    usual: Mapping[str, Any],
    own: Mapping[str, Any],
    given: tuple[Any, ...],
    settings: Mapping[str, Any],
) -> dict[str, Any]:
    """The settings by name, without those that change nothing here.

    Args:
        what: what has them, for errors.
        usual: all settings with their defaults.
        own: those that may be changed.
        given: what was passed by place.
        settings: what was passed by name.

    Raises:
        NameUnknown: for an unknown setting, with the nearest one.
        BadArgument: for a setting that must keep its default, or too many by place.
    """
    names = list(usual)
    if len(given) > len(names):
        raise BadArgument(
            f"{what} has the settings ({', '.join(names)}). Received: {len(given)} by place."
        )
    for name in settings:
        check_name(f"setting of {what}", name, names)
    arguments = {**usual, **dict(zip(names, given)), **settings}
    check_dtype(arguments.pop("dtype", None))
    for name in arguments.keys() - own.keys():
        if (x := arguments.pop(name)) != usual[name]:
            raise BadArgument(
                f"{what} computes with {name}={usual[name]!r} alone. Received: {x!r}."
            )
    return arguments


def classes(
    module: str, base: type[Named], engine: type[Named], names: Iterable[str], **changed: Any
) -> dict[str, type[Any]]:
    """Classes under Keras's names.

    Args:
        module: the room in which they are.
        base: their base class there.
        engine: the class of `nn` that computes.
        names: each class with its settings in Keras's order: ``"Huber(delta, name)"``.
        **changed: defaults of a class that are not those of its row: ``Huber={"name": ...}``.
    """
    made: dict[str, type[Any]] = {}
    for described in names:
        title, _, rest = described.rstrip(")").partition("(")
        row = look_up(engine.kind, title, engine.table, engine.aliases)
        own = {**defaults(engine), **defaults(engine.table[row]), "name": row}
        known = {**FIXED, "dtype": None, **own, **changed.get(title, {})}
        usual = {name: known[name] for name in rest.split(", ") if name}
        doc = (getdoc(engine.table[row]) or getdoc(engine) or "").partition("\n>>>")[0].strip()
        body = {
            "__module__": module, "__doc__": doc, "origin": row, "usual": usual,
            "own": own, "engine": engine, "__signature__": _signature(usual),
        }  # fmt: skip
        bases = (Made, base) if issubclass(base, engine) else (Made, base, engine)
        made[title] = type(title, bases, body)
    return made


def _signature(usual: Mapping[str, Any]) -> Signature:
    kind = Parameter.POSITIONAL_OR_KEYWORD
    return Signature([Parameter(name, kind, default=x) for name, x in usual.items()])


def functions(
    module: str, table: Mapping[str, Callable[..., Any]], names: Iterable[str]
) -> dict[str, Any]:
    """Functions of whole arrays: that of a row, along the last axis."""
    made = {name: _over_arrays(table[name]) for name in names}
    for function in made.values():
        function.__module__ = module  # where pickle finds it
    return made


_FIXED_IN: dict[str, dict[str, Any]] = {
    "binary_crossentropy": {"axis": -1},
    "categorical_crossentropy": {"axis": -1},
    "cosine_similarity": {"axis": -1},
    "sparse_categorical_crossentropy": {"ignore_class": None, "axis": -1},
    "sparse_top_k_categorical_accuracy": {"from_sorted_ids": False},
}
"""Settings of functions that must have Keras's default here."""


def _over_arrays(row: Callable[..., Any]) -> Callable[..., Any]:
    usual = {**defaults(row), **_FIXED_IN.get(row.__name__, {})}

    def apply(y_true: Any, y_pred: Any, settings: dict[str, Any]) -> Any:
        if len(sizes(y_pred)) > 1:
            return [apply(t, p, settings) for t, p in zip(y_true, y_pred)]
        return row(
            *(list(y) if hasattr(y, "__len__") else [y] for y in (y_true, y_pred)), **settings
        )

    @wraps(row)
    def over_arrays(y_true: Any, y_pred: Any, *given: Any, **settings: Any) -> Any:
        results = apply(y_true, y_pred, bound(row.__name__, usual, defaults(row), given, settings))
        return as_array(results) if isinstance(results, list) else results

    over_arrays.__module__ = row.__module__.replace(".nn.", ".keras.")  # where pickle finds it
    arrays = [Parameter(y, Parameter.POSITIONAL_OR_KEYWORD) for y in ("y_true", "y_pred")]
    over_arrays.__signature__ = Signature(  # type: ignore[attr-defined]
        [*arrays, *_signature(usual).parameters.values()]
    )
    return over_arrays


class Shelf:
    """What Keras calls ``get``, ``serialize`` and ``deserialize`` in each room.

    Args:
        module: the room.
        kind: what is in it, for errors.
        names: everything that ``get`` finds: classes and functions by name.
    """

    def __init__(self, module: str, kind: str, names: Mapping[str, Any]) -> None:
        self.module, self.kind, self.names = module, kind, names

    def get(self, identifier: Any) -> Any:
        """The function or a new instance for a name, a class or a dict; others stay.

        Raises:
            NameUnknown: with the nearest known name.
        """
        if isinstance(identifier, Mapping):
            return self.deserialize(identifier)
        if isinstance(identifier, str):
            name = identifier if identifier in self.names else identifier.lower()  # such as MSE
            if name not in self.names:
                check_known(self.kind, identifier, self.names)
            identifier = self.names[name]
        if identifier is not None and not callable(identifier):
            raise BadArgument(
                f"A {self.kind} is a name, a class, a dict or a function. Received: {identifier!r}."
            )
        return identifier() if isinstance(identifier, type) else identifier

    def serialize(self, thing: Any) -> dict[str, Any]:
        """A function or an instance as data, in Keras's form."""
        if not hasattr(thing, "get_config"):
            name = thing.__name__
            return {"module": "builtins", "class_name": "function", "config": name,
                    "registered_name": "function"}  # fmt: skip
        module = self.module.replace("tinygrad_edu.", "")
        return {"module": module, "class_name": type(thing).__name__,
                "config": thing.get_config(), "registered_name": None}  # fmt: skip

    def deserialize(self, config: Any, custom_objects: Mapping[str, Any] | None = None) -> Any:
        """What ``serialize`` described, or a name."""
        if not isinstance(config, Mapping):
            return self.get(config)
        name, rest = config["class_name"], config["config"]
        known = {**self.names, **(custom_objects or {})}
        if name == "function":
            check_known(self.kind, rest, known)
            return known[rest]
        check_known(self.kind, name, known)
        return known[name].from_config(rest)


def missing(module: Any) -> Callable[[str], Any]:
    """The ``__getattr__`` of a room: the error for a name that isn't there.

    It says why a name of Keras is absent and what is nearest, or which known name is meant.
    """
    room = module.__name__.partition(".keras")[2].lstrip(".").replace("schedules", _SCHEDULES)

    def getattr(name: str) -> Any:
        known = vars(module).get("__all__") or [x for x in vars(module) if not x.startswith("_")]
        hint = "" if name.startswith("_") else near(room, name, known)
        raise AttributeError(
            f"module {module.__name__!r} has no attribute {name!r}{hint and '. '}{hint}",
            name=name,
            obj=module if not hint else None,
        )

    return getattr
