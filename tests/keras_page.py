"""docs/keras.md: every public name of Keras's rooms, and whether it is here.

Made from Keras's recorded names (`keras_names`), from the rooms themselves, from the table of
absent names, and from the notes below.
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator
from typing import Any

from tests.keras_names import RECORDED, arguments, room
from tinygrad_edu import keras
from tinygrad_edu.keras.lookup import Made
from tinygrad_edu.nn import absent
from tinygrad_edu.nn.layers import ShapedLayer

NOTES: dict[str, dict[str, str]] = {
    "": {
        "Layer": "maps one sample to one sample; `call` gets a batch of one",
        "Model": "a subclass is wired once, by calling it with Signals; no `train_step`",
        "Variable": "is made of its values; layers make theirs by `add_weight`",
        "Optimizer": "a rule is `update` for one number",
    },
    "activations": {"sparsemax": "adds up to 1, as it should; Keras 3.15 gives other numbers"},
    "callbacks": {
        "BackupAndRestore": "one file; the continued training has the bits of an unbroken one",
        "EarlyStopping": "a loss of nan is never the best one",
        "LambdaCallback": "an unknown hook is refused",
        "ModelCheckpoint": "a name that ends in `.keras` or `.weights.h5` gets that format, any "
        "other name readable JSON",
        "TerminateOnNaN": "`raise_error=True` raises the error, too",
    },
    "layers": {
        "BatchNormalization": "along the last axis only; training with it is not compiled",
        "Dense": "takes samples with one axis; put `Flatten` before it",
        "Embedding": "a number that isn't a whole one in range gives nan",
        "Lambda": "gets a batch of one sample",
        "Layer": "maps one sample to one sample; `call` gets a batch of one",
        "Normalization": "along the last axis only",
    },
    "models": {"Model": "a subclass is wired once, by calling it with Signals; no `train_step`"},
    "ops": {
        **dict.fromkeys(
            ("equal", "greater", "greater_equal", "less", "less_equal", "not_equal"),
            "gives 1.0 and 0.0, so that they can be recorded",
        ),
        "norm": "of vectors, along one axis: None, 1, 2 and inf",
        "logsumexp": "along one axis or all",
        "sparsemax": "adds up to 1, as it should; Keras 3.15 gives other numbers",
        "where": "needs all three arguments",
    },
    "losses": {"Huber": "`get_config` has `delta`, which Keras's forgets"},
    "optimizers.schedules": {"LearningRateSchedule": "a subclass is a dataclass with `at(step)`"},
    "utils": {
        "normalize": "`axis=0` works; Keras 3.15 takes the last axis for it",
        "split_dataset": "gives the structure of its argument, such as arrays",
        "to_categorical": "fractions and negative numbers are refused",
        "plot_model": "draws every number, and takes the options of `tg.draw`",
    },
}
"""Where a name behaves in another way than Keras's; other arguments are found by themselves."""

TITLES = {
    "": "keras", "activations": "keras.activations", "callbacks": "keras.callbacks",
    "constraints": "keras.constraints", "initializers": "keras.initializers",
    "layers": "keras.layers", "losses": "keras.losses", "metrics": "keras.metrics",
    "models": "keras.models", "ops": "keras.ops", "optimizers": "keras.optimizers",
    "optimizers.schedules": "keras.optimizers.schedules", "regularizers": "keras.regularizers",
    "saving": "keras.saving", "utils": "keras.utils",
}  # fmt: skip


def names() -> dict[str, dict[str, Any]]:
    """Keras's names, by room."""
    content: dict[str, dict[str, Any]] = json.loads(RECORDED.read_text(encoding="utf-8"))["rooms"]
    return content


def fixed(thing: Any) -> list[str]:
    """The settings that must keep Keras's default."""
    if isinstance(thing, type) and issubclass(thing, Made):
        return [x for x in thing.usual if x not in thing.own and x != "dtype"]
    return [x for x in getattr(thing, "fixed", ()) if x != "autocast"]


def accepted(thing: Any) -> list[list[Any]]:
    """Our arguments, with those that ``**layer`` and the like pass on."""
    mine = arguments(thing) or []
    if isinstance(thing, type) and issubclass(thing, ShapedLayer):
        for base in thing.__mro__[1:]:
            known = {x[0] for x in mine}
            mine += [x for x in arguments(base) or [] if x[0] not in known]
        mine += [[name, x] for name, x in {"autocast": True, **thing.fixed}.items()]
    return mine


def differing(theirs: list[list[Any]] | None, thing: Any) -> list[str]:
    """How our arguments differ from Keras's."""
    mine, found = {x[0]: x[1:] for x in accepted(thing)}, []
    starred = any(name.startswith("**") for name in mine)
    for name, *default in theirs or ():
        if name.startswith("*") or thing.__name__ in ("get", "serialize", "deserialize"):
            continue
        if name not in mine:
            found += [] if starred and name in PASSED_ON else [f"no `{name}`"]
        elif _same(mine[name]) != _same(default):
            found.append(f"`{name}` is {mine[name][0]!r} if not given" if mine[name]
                         else f"`{name}` is needed")  # fmt: skip
    order = [name for name, *_ in theirs or () if name in mine]
    places = [name for name in mine if name in order]
    by_place = [name for name, other in zip(order, places) if name == other]
    needed = [x[0] for x in theirs or () if len(x) < 2 and x[0] in order]
    if by_place[: len(needed)] != needed:
        found.append("other order")
    return found


PASSED_ON = {
    "inputs", "input_tensors", "show_shapes", "show_dtype", "show_layer_names", "rankdir",
    "expand_nested", "dpi", "show_layer_activations", "show_trainable", "splines",
    "on_epoch_begin", "on_epoch_end", "on_train_begin", "on_train_end", "on_train_batch_begin",
    "on_train_batch_end",
}  # fmt: skip
"""Arguments that functions with ``**options`` take, under these names."""


def _same(default: list[Any]) -> Any:
    (x,) = default or ["needed"]
    if isinstance(x, str):
        return x.lower()
    return list(x) if isinstance(x, (list, tuple)) else x


def states(title: str) -> dict[str, str]:
    """Each name of a room with its difference: "" if there is none, None if it is absent."""
    ours, notes, missing = room(keras, title), NOTES.get(title, {}), set(absent.names(title))
    found: dict[str, Any] = {}
    for name, (kind, *rest) in names()[title].items():
        if name in missing:
            found[name] = None
            continue
        thing = getattr(ours, name)
        how = [notes[name]] if name in notes else []
        if kind != "module":
            how += differing(rest[0], thing)
            if held := fixed(thing):
                listed = ", ".join(f"`{x}`" for x in held)
                how.append(f"{listed}: only Keras's default")
        found[name] = "; ".join(how)
    return found


def page() -> str:
    """The page."""
    every = {title: states(title) for title in TITLES}
    counts = {
        title: [sum(how == "" for how in s.values()), sum(bool(how) for how in s.values()),
                sum(how is None for how in s.values())]
        for title, s in every.items()
    }  # fmt: skip
    there, differ, gone = map(sum, zip(*counts.values()))
    version = json.loads(RECORDED.read_text(encoding="utf-8"))["provenance"]["keras"]
    lines = [
        _HEAD.format(version=version, there=there, differ=differ, gone=gone,
                     all=there + differ + gone),
        "| room | as in Keras | differs | absent |", "|---|---|---|---|",
        *(f"| [`{TITLES[title]}`](#{_anchor(TITLES[title])}) | {' | '.join(map(str, n))} |"
          for title, n in counts.items()),
        "",
    ]  # fmt: skip
    for title, found in every.items():
        lines += _room(title, found)
    return "\n".join(lines)


_HEAD = """# Keras's names

Keras {version} has {all} public names in the rooms below. {there} of them are here and do what
Keras does, {differ} are here and differ in the way that is said, and {gone} are absent on purpose:
each with the reason, and with what is nearest. (Made by `make generate` from the names of both
sides.)

An absent name raises an error that says the same:

```python
>>> from tinygrad_edu import keras
>>> keras.layers.Conv2D
Traceback (most recent call last):
    ...
AttributeError: module 'tinygrad_edu.keras.layers' has no attribute 'Conv2D'. Keras's 'Conv2D' is \
absent here: images have too many numbers for an engine that records each one. Nearest: Flatten \
and Dense.

```

"As in Keras" means Keras's arguments in Keras's order with its defaults, and its numbers in
float64: the tests compare them with recorded results of Keras itself. Three things differ
everywhere. Everything is computed in float64, so `dtype` may only be "float64" or "float32".
Settings that a room can't honour are refused, never ignored. Random numbers are drawn from other
streams than Keras's, so initial weights and dropout agree in distribution, not number by number.
"""


def _anchor(title: str) -> str:
    return title.replace(".", "").lower()


def _room(title: str, found: dict[str, Any]) -> Iterator[str]:
    yield f"## {TITLES[title]}\n"
    there = ", ".join(f"`{name}`" for name, how in found.items() if how == "")
    if there:
        yield textwrap.fill(f"As in Keras: {there}.", 100, break_on_hyphens=False) + "\n"
    differ: dict[str, list[str]] = {}
    for name, how in found.items():
        if how:
            differ.setdefault(how, []).append(f"`{name}`")
    if differ:
        yield "| differs | how |\n|---|---|"
        yield from (f"| {', '.join(group)} | {how} |" for how, group in differ.items())
        yield ""
    if absent.ABSENT[title]:
        yield "| absent | why | nearest here |\n|---|---|---|"
        for group in absent.ABSENT[title]:
            listed = ", ".join(f"`{name}`" for name in group.names.split())
            yield f"| {listed} | {group.why} | {group.nearest} |"
        yield ""
