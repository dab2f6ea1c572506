"""Models as files: readable JSON, written atomically, and loaded without running any code in it.

A file holds, in this order: its format, version and checksum; the model, that is its layers'
configurations and how they are wired; what it was compiled with and what the optimiser
remembers; the weights, layer by layer; the model's metadata; and the state of every stream of
random numbers. So a model that is loaded predicts the same and learns on the same, to the bit.
A file of weights alone is the same without the rest.

`WHOLE` says what stands where. A file is compared with it, and its weights with the
shapes that its layers would have, before anything is built.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from inspect import Parameter, signature
from random import Random
from reprlib import repr as brief
from typing import TYPE_CHECKING, Any

from ..core.value import Value
from ..errors import BadArgument, FileError, SavedModelError, TinygradError, unknown_name
from ..files import read_whole
from ..nn.layers import Input, Shape, ShapedLayer, Signal
from ..nn.losses import Loss
from ..nn.metrics import Metric, R2Score
from ..nn.module import set_numbers
from ..nn.names import Named
from ..nn.optimizers import OPTIMIZERS, Optimizer
from ..nn.schedules import SCHEDULES, Schedule
from ..nn.settings import Settings, from_config
from ..schemas import ByName, Either, Maybe, Numeral, check, is_numeral, need, numeral
from ..trees import flatten, sizes
from . import documents, metrics
from . import layers as shelf
from .documents import HEAD
from .goals import Goal, Measure
from .lookup import Made
from .wiring import number_names

if TYPE_CHECKING:
    from .models import Model

LAYERS: dict[str, type[ShapedLayer]] = {
    thing.__name__: thing
    for thing in vars(shelf).values()
    if isinstance(thing, type) and issubclass(thing, ShapedLayer) and thing is not ShapedLayer
}
"""Every layer by its class name. Add your own here, and `load_model` finds it."""

MODELS: dict[str, Any] = {}
"""Every class of models that can be saved whole, by its name; `models` adds them."""

OTHERS: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {}
"""How files with such an ending are written and read, in Keras's own formats; `interchange` adds
them."""


_CALLS: Any = [{"layer": str, "inputs": [int]}]
_COMPILED: dict[str, Any] = {
    "optimizer": dict,
    "metrics": ByName(dict),
    "trained": Maybe([str]),  # the layers whose weights the optimiser remembers
    "memory": {"class": str, "iterations": int, "memory": ByName([Numeral])},
}
WEIGHTS: dict[str, Any] = {**HEAD, "weights": ByName(list)}
WHOLE: dict[str, Any] = {
    **WEIGHTS,
    "model": {
        "class": str,  # Sequential or Model
        "name": str,
        "inputs": [{"name": Maybe(str), "shape": [int]}],
        "layers": [{"name": str, "class": str, "config": dict}],
        # Signals are numbered: the inputs, then what comes out of each call. A Sequential
        # has no wiring: each of its layers is called on what came out of the one before.
        "wiring": Maybe(
            Either(
                {"calls": _CALLS, "output": int},
                {"calls": _CALLS, "outputs": [int], "names": Maybe([str])},
            )
        ),
    },
    "compiled": Maybe(
        Either(
            {**_COMPILED, "loss": Maybe(dict)},
            {**_COMPILED, "losses": [{"loss": Maybe(dict), "factor": Numeral}]},  # of each output
        )
    ),
    "metadata": dict,
    "random": {
        "model": int,  # the place of its stream
        "layers": ByName([int]),
        "streams": [{"version": int, "internal": [int], "gauss": Maybe(Numeral)}],
    },
}
"""The structure of a file, by the kinds of its parts."""


# ── Saving and loading ────────────────────────────────────────────────────────────────────


def save_model(model: Model, path: str | os.PathLike[str]) -> None:
    """Write a model into one file, with everything needed to continue training.

    At any moment, readers see either the old file or the new one, never half of one.

    Args:
        model: a Sequential or a Model that has its weights.
        path: of the file, such as "houses.json". One that ends in .keras is written for Keras, in
            its format, without the metadata and the random streams.

    Raises:
        SavedModelError: if something in the model is not data, such as a user-defined loss, or the
            file can't be written. An existing file is unchanged.

    >>> import tempfile
    >>> from tinygrad_edu import keras
    >>> model = keras.Sequential([keras.layers.Dense(1, input_shape=[1])])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_model(model, f"{folder}/houses.json")
    ...     again = load_model(f"{folder}/houses.json")
    >>> again.predict([10]) == model.predict([10])
    True
    """
    with _reported("The model was not saved to", path, " model.save_weights saves weights alone."):
        if _ending(path, ".keras"):
            OTHERS[".keras"][0](model, path)
            return
        parts = {
            "model": described(model),
            "compiled": _compiled(model),
            "weights": _weights(model.layers),
            "metadata": _data("The metadata", lambda: model.metadata),
            "random": _random(model),
        }
        documents.write(path, parts, WHOLE)


def load_model(
    path: str | os.PathLike[str],
    custom_objects: Mapping[str, Any] | None = None,
    compile: bool = True,
) -> Model:
    """The model that `save_model` wrote: the same predictions and, trained on, the same
    training, to the bit. Files that Keras 3 wrote (.keras) are read, too.

    Nothing in the file is executed, and nothing is built before the whole file is checked.

    Args:
        path: of the file.
        custom_objects: what is yours in the model, by name: classes of layers, optimisers and
            schedules; functions that were in the tables LOSSES or METRICS when it was saved.
        compile: whether the model is compiled as it was.

    Raises:
        SavedModelError: if the file is missing, damaged, changed, of another version or not
            ours, if it holds something unknown, or numbers that do not fit.
        BadArgument: if custom_objects is not a dict.
    """
    if not isinstance(custom_objects or {}, Mapping):
        raise BadArgument(
            f"custom_objects must be a dict such as {{'MyLayer': MyLayer}}. Received: "
            f"{custom_objects!r}."
        )
    custom = dict(custom_objects or {})
    with _reported("No model was loaded from", path):
        content = read_whole(path)
        if content[:2] == b"PK":
            return OTHERS[".keras"][1](content, custom, compile)  # type: ignore[no-any-return]
        _refuse_h5(content)
        parts = documents.read(path, WHOLE, WEIGHTS)
        if "model" not in parts:
            raise SavedModelError(
                "The file contains only weights. Create the model as it was, and call "
                "model.load_weights(path)."
            )
        streams = [_stream(state) for state in parts["random"]["streams"]]
        revived = parts["compiled"] and _revived(parts["compiled"], custom)
        model = assembled(parts["model"], custom, parts["weights"])
        if revived:
            _compile(model, revived, parts["compiled"])
        _give_streams(model, streams, parts["random"])
        model.metadata = parts["metadata"]
        return model


def save_weights(model: Model, path: str | os.PathLike[str]) -> None:
    """Write the weights of a model alone; see `save_model`.

    Raises:
        SavedModelError: if there are none yet, or the file can't be written.
    """
    with _reported("The weights were not saved to", path):
        _named(model)
        if _ending(path, ".weights.h5"):
            OTHERS[".weights.h5"][0](model, path)
            return
        documents.write(path, {"weights": _weights(model.layers)}, WEIGHTS)


def load_weights(model: Model, path: str | os.PathLike[str]) -> None:
    """Give a model the weights of a file, which `save_weights` or `save_model` wrote.

    Layers are known by their names.

    Raises:
        SavedModelError: as in `load_model`, and if the layers or shapes are not those of the
            model. Nothing is changed then.
    """
    with _reported("No weights were loaded from", path):
        _named(model)
        content = read_whole(path)
        if content[:4] == _HDF5:
            OTHERS[".weights.h5"][1](model, content)
            return
        _fill(
            {layer.name: layer for layer in model.layers},
            documents.read(path, WHOLE, WEIGHTS)["weights"],
        )


_HDF5 = b"\x89HDF"


def _ending(path: Any, own: str) -> bool:
    """Whether a file's name ends like this; another ending of Keras's would belie the content."""
    name = os.fspath(path) if isinstance(path, (str, os.PathLike)) else ""
    for ending in (own, ".keras", ".h5", ".hdf5"):
        if str(name).lower().endswith(ending):
            if ending == own:
                return True
            raise SavedModelError(
                f"A file that ends in {ending} must hold what Keras expects there. Received: "
                f"{name!r}. Name a model .json or .keras, and weights .json or .weights.h5."
            )
    return False


def _refuse_h5(content: bytes) -> None:
    if content[:4] == _HDF5:
        raise SavedModelError(
            "It is HDF5, which holds weights, or a model in a format that Keras no longer uses. "
            "Save it with Keras as .keras; or create the model, and call model.load_weights(path)."
        )


@contextmanager
def _reported(what: str, path: Any, advice: str = "") -> Iterator[None]:
    """Turn every error in the block into one kind: a user-defined layer may raise anything."""
    try:
        yield
    except Exception as error:
        ours = isinstance(error, SavedModelError)
        if isinstance(error, FileError):
            reason = error.reason
        elif isinstance(error, TinygradError):
            reason = f"{error}{advice}"
        else:
            reason = f"{type(error).__name__}: {error}"
        text = f"{what} {_shown(path)}. {reason}"
        raise SavedModelError(text) from (error.__cause__ if ours else error)


def _shown(path: Any) -> str:
    return repr(os.fspath(path)) if isinstance(path, (str, os.PathLike)) else repr(path)


# ── Layers and how they are wired ─────────────────────────────────────────────────────────


def _named(model: Model) -> None:
    """Refuse a model without weights; and if a layer, shared with another model, got the name
    of one of this model there, give it another one."""
    if not model.built:
        raise SavedModelError(
            f"The model {model.name!r} has no weights yet: the shape of a sample is unknown. "
            f"Call model.build((n,)), or give its first layer an input_shape."
        )
    if len({layer.name for layer in model.layers}) < len(model.layers):
        model._taken = number_names(model.layers, {})


def described(model: Model) -> dict[str, Any]:
    """The layers of a model and how they are wired, as data."""
    if type(model) not in MODELS.values():
        raise SavedModelError(
            f"Only a Sequential or a Model can be saved whole: a user-defined class is code, not "
            f"data. Received: a {type(model).__name__}."
        )
    _named(model)
    made = [signal for signal in model._order if signal.layer is not None]
    places = {id(signal): i for i, signal in enumerate([*model._inputs, *made])}
    calls = [
        {"layer": s.layer.name, "inputs": [places[id(x)] for x in s.inputs]}
        for s in made
        if s.layer is not None
    ]
    ends = [places[id(signal)] for signal in model._outputs]
    wiring: dict[str, Any] = {"calls": calls, "output": ends[0]}
    if len(ends) > 1 or model._keys:
        wiring = {"calls": calls, "outputs": ends, "names": model._keys}
    return {
        "class": type(model).__name__,
        "name": model.name,
        "inputs": [{"name": s.name, "shape": list(s.shape)} for s in model._inputs],
        "layers": [_layer(layer) for layer in model.layers],
        "wiring": wiring if model.branching else None,
    }


def _layer(layer: ShapedLayer) -> dict[str, Any]:
    """A layer as data, from which another one was made as a check."""
    made_by = type(layer)
    described = {"name": layer.name, "class": made_by.__name__, "config": _plain(layer)}
    _refuse_namesake(made_by, LAYERS.get(made_by.__name__, made_by))
    _layer_from(described, {made_by.__name__: made_by})
    forgotten = _own_arguments(made_by) - set(described["config"])
    if made_by not in LAYERS.values() and forgotten:
        raise SavedModelError(
            f"The config() of layer {layer.name!r} leaves out what {made_by.__name__} is made "
            f"with: {', '.join(sorted(forgotten))}. Return {{**super().config(), ...}} there."
        )
    listed = {id(value) for value in flatten(layer.weight_values())[0]}
    if any(id(parameter) not in listed for parameter in layer.parameters()):
        raise SavedModelError(
            f"Layer {layer.name!r} has parameters that its weight_values() does not list. Return "
            f"all of them there, as nested lists."
        )
    return described


def _own_arguments(made_by: type) -> set[str]:
    """The names of what a class is made with, but for those that its parent takes."""
    own = signature(made_by).parameters.values() if "__init__" in vars(made_by) else ()
    return {p.name for p in own if p.kind not in (Parameter.VAR_KEYWORD, Parameter.VAR_POSITIONAL)}


def _plain(thing: ShapedLayer | Settings | Named) -> dict[str, Any]:
    """The config() as the file will give it back."""
    return dict(
        _data(
            f"The config() of {thing!r}",
            thing.get_config if isinstance(thing, ShapedLayer) else thing.config,
        )
    )


def _data(what: str, give: Callable[[], Any]) -> Any:
    """The same data as JSON returns it: with lists for tuples."""
    try:
        return json.loads(json.dumps(give(), allow_nan=False))
    except (TypeError, ValueError) as error:
        raise SavedModelError(
            f"{what} must be data: strings, finite numbers, and lists and dicts of them. {error}"
        ) from error


def _layer_from(described: dict[str, Any], custom: Mapping[str, Any]) -> ShapedLayer:
    """The layer that was described, without weights."""
    name, config = described["name"], described["config"]
    made_by = _class("layer", described["class"], ShapedLayer, LAYERS, custom)
    try:
        layer: ShapedLayer = made_by.from_config(config)
        same = _plain(layer) == config
    except Exception as error:  # a user-defined class may raise anything
        raise SavedModelError(
            f"Layer {name!r} can't be made by {made_by.__name__}(**config()): {error} "
            f"Received: {brief(config)}."
        ) from error
    sound = isinstance(layer.given_name, (str, type(None))) and isinstance(layer.trainable, bool)
    if not same or not sound:
        raise SavedModelError(
            f"Layer {name!r} can't be made again from its config(): {made_by.__name__}(**config()) "
            f"has a different config or name. Received: {brief(config)}."
        )
    return layer


def _class(
    kind: str, name: Any, parent: type, table: Mapping[str, type], custom: Mapping[str, Any]
) -> Any:
    """A class from a table or from custom_objects, which come first."""
    check(name, str, f"the class of the {kind}")
    chosen = custom.get(name, table.get(name))
    if chosen is None:
        raise _unknown(kind, name, table)
    if not isinstance(chosen, type) or not issubclass(chosen, parent):
        raise SavedModelError(
            f"The model has a {kind} {name!r}: a class is needed that is a {parent.__name__}. "
            f"Received: custom_objects[{name!r}] is {chosen!r}."
        )
    return chosen


def _refuse_namesake(mine: type, built_in: type) -> None:
    """Raise an error for a user-defined class with the name of one of tinygrad_edu."""
    if mine is not built_in:
        raise SavedModelError(
            f"A user-defined class has the same name as {built_in!r}, so a file could not "
            f"distinguish them. Received: {mine!r}. Rename it."
        )


def _unknown(kind: str, name: str, table: Iterable[str]) -> SavedModelError:
    return SavedModelError(
        f"{unknown_name(kind, name, table)} If it is user-defined, pass "
        f"custom_objects={{{name!r}: ...}} to load_model."
    )


def assembled(
    described: Mapping[str, Any],
    custom: Mapping[str, Any],
    weights: dict[str, Any] | None = None,
) -> Model:
    """The model that was described, with new weights or with these, which fit before it is built.

    Args:
        described: the result of `described`.
        custom: user-defined classes by name.
        weights: those of each layer.
    """
    kind, name = described["class"], described["name"]
    need(kind in MODELS, "the model, class", " or ".join(MODELS), kind)
    layers = {one["name"]: _layer_from(one, custom) for one in described["layers"]}
    need(len(layers) == len(described["layers"]), "the layers", "a name for each", list(layers))
    inputs = [Input(one["shape"], name=one["name"]) for one in described["inputs"]]
    in_a_row, wiring = not MODELS[kind].branching, described["wiring"]
    need(in_a_row is (wiring is None), "the wiring", "one for a Model alone", wiring)
    if in_a_row:
        need(len(inputs) == 1 and bool(layers), "the model", "one input and a layer", described)
        calls = [{"layer": name, "inputs": [i]} for i, name in enumerate(layers)]
        wiring = {"calls": calls, "output": len(calls)}
    signals = _signals(inputs, wiring["calls"], layers, weights)
    if in_a_row:
        model: Model = MODELS[kind](name=name)
        model._rewire(list(layers.values()), inputs[0])  # type: ignore[attr-defined]
    else:
        outputs: Any = _picked(signals, wiring.get("outputs", [wiring.get("output")]))
        if wiring.get("names"):
            outputs = dict(zip(wiring["names"], outputs))
        model = MODELS[kind](inputs, outputs, name)
    used = {id(layer) for layer in model.layers}
    need(used == set(map(id, layers.values())), "the wiring", "a call of every layer", list(layers))
    for name, layer in layers.items():
        layer.name = name
    model._taken = dict.fromkeys(layers, 1)
    if weights is not None:
        _fill(layers, weights)
    return model


def _signals(
    inputs: Sequence[Signal],
    calls: list[dict[str, Any]],
    layers: Mapping[str, ShapedLayer],
    weights: dict[str, Any] | None,
) -> list[Signal]:
    """The inputs and what comes out of each call. Layers are called, but nothing is built."""
    signals = list(inputs)
    for call in calls:
        name = call["layer"]
        if name not in layers:
            need(False, "the wiring", f"one of {', '.join(layers)}", name)
        layer, coming = layers[name], _picked(signals, call["inputs"])
        one = layer.inputs_wanted == 1
        need(bool(coming) and (len(coming) == 1 or not one), "the wiring",
              f"what goes into {name!r}", call["inputs"])  # fmt: skip
        shapes = layer.weight_shapes(*[signal.shape for signal in coming])
        if shapes is not None and weights is not None:
            _fitting(name, weights.get(name, []), shapes)
        signals.append(layer(coming[0] if one else coming))
    return signals


def _picked(signals: list[Any], places: list[int]) -> list[Any]:
    """The items at these places, all of which must exist."""
    for i in places:
        need(0 <= i < len(signals), "the file", f"a place below {len(signals)}", i)
    return [signals[i] for i in places]


# ── Weights ───────────────────────────────────────────────────────────────────────────────


def _weights(layers: Iterable[ShapedLayer]) -> dict[str, Any]:
    """The weights of each layer that has some, as nested lists of their Keras shapes."""
    return {
        layer.name: _numbers(layer.weight_values()) for layer in layers if layer.weight_values()
    }


def _numbers(tree: Any) -> Any:
    if isinstance(tree, (list, tuple)):
        return [_numbers(child) for child in tree]
    return numeral(tree.data if isinstance(tree, Value) else tree)


def _fill(layers: Mapping[str, ShapedLayer], weights: dict[str, Any]) -> None:
    """Give the layers their weights: to all of them or, on an error, to none."""
    mine = {name: list(map(sizes, layer.weight_values())) for name, layer in layers.items()}
    wanted = {name for name, shapes in mine.items() if shapes}
    if wanted != weights.keys():
        missing, unknown = sorted(wanted - weights.keys()), sorted(weights.keys() - wanted)
        raise SavedModelError(
            f"The layers with weights are not those of the model. Missing: "
            f"{', '.join(missing) or 'none'}. Unknown: {brief(unknown) if unknown else 'none'}."
        )
    numbers = {name: _fitting(name, weights.get(name, []), shapes) for name, shapes in mine.items()}
    values = [value for layer in layers.values() for value in flatten(layer.weight_values())[0]]
    before = [value.data for value in values]
    try:
        for name, layer in layers.items():
            layer.set_weights(numbers[name])
    except BaseException:  # Ctrl-C, or a user-defined layer that refuses them
        set_numbers(values, before)
        raise


def _fitting(name: str, trees: Any, shapes: Sequence[Shape]) -> list[Any]:
    """The weights of a layer as numbers, which must have these shapes."""
    if len(trees) != len(shapes) or not all(map(_fits, trees, shapes)):
        raise SavedModelError(
            f"The weights of layer {name!r} are numbers in the shapes "
            f"{', '.join(map(str, shapes)) or 'none'}. Received: "
            f"{', '.join(str(sizes(tree)) for tree in trees[:9]) or 'none'}; or one of their "
            f"rows differs in length or holds something else."
        )
    return list(map(_floats, trees))


def _fits(tree: Any, shape: Shape) -> bool:
    if not shape:
        return is_numeral(tree)
    if type(tree) is not list or len(tree) != shape[0]:
        return False
    return all(_fits(child, shape[1:]) for child in tree)


def _floats(tree: Any) -> Any:
    return list(map(_floats, tree)) if isinstance(tree, list) else float(tree)


# ── What it was compiled with ─────────────────────────────────────────────────────────────


def _compiled(model: Model) -> dict[str, Any] | None:
    optimizer = model.optimizer
    if optimizer is None:
        return None
    bound = None if optimizer.parameters is None else list(map(id, optimizer.parameters))
    moved = {*bound} if bound is not None else set()
    trained = [
        layer for layer in model.layers if moved & set(map(id, flatten(_variables([layer]))[0]))
    ]
    if bound is not None and bound != [id(p) for v in _variables(trained) for p in v]:
        raise SavedModelError(
            f"The optimizer is bound to {len(bound)} weights that the model no longer has. "
            f"Compile the model again, then save it."
        )
    memory = optimizer.state_dict()
    columns = {name: list(map(numeral, xs)) for name, xs in memory["memory"].items()}
    return {
        "optimizer": _settings(optimizer),
        **_losses(model),
        "metrics": {
            name: _function(metric)
            | ({"weighted": True} if weighs else {})
            | ({"output": place} if place else {})
            | ({} if own == name else {"called": own})
            for name, (metric, place, weighs, own) in model.measured.items()
        },
        "trained": None if bound is None else [layer.name for layer in trained],
        "memory": {**memory, "memory": columns},
    }


def _losses(model: Model) -> dict[str, Any]:
    """The loss, or those of several outputs with their factors."""
    each = [(goal.loss and _function(goal.loss), goal.factor) for goal in model.goals]
    if len(each) == 1 and each[0][1] == 1.0:
        return {"loss": each[0][0]}
    return {"losses": [{"loss": loss, "factor": numeral(factor)} for loss, factor in each]}


def _variables(layers: Iterable[ShapedLayer]) -> list[list[Value]]:
    return [flatten(list(w))[0] for layer in layers for w in layer.weights if w.trainable]


def _settings(optimizer: Optimizer) -> dict[str, Any]:
    """An optimiser as data, from which another one was made as a check."""
    config, rate = _plain(optimizer), type(optimizer.learning_rate)
    classes = {thing.__name__: thing for thing in (type(optimizer), rate)}
    for built_in in (*OPTIMIZERS.values(), *SCHEDULES.values()):
        _refuse_namesake(classes.get(built_in.__name__, built_in), built_in)
    if _plain(_optimizer(config, classes)) != config:
        raise SavedModelError(
            f"{optimizer!r} can't be made again from its config(), which describes another one."
        )
    return config


def _function(thing: Loss | Metric) -> dict[str, Any]:
    """A loss or metric as data, from which another one was made as a check."""
    config = _plain(thing)
    row = str(thing.row)
    again = _function_from(_base(thing.kind, row), config, {row: thing.function})
    kind: Any = type(thing)
    engine = kind.engine if Made in kind.__bases__ else kind
    if type(again).__name__ not in (kind.__name__, engine.__name__) or _plain(again) != config:
        raise SavedModelError(
            f"The {thing.kind} {thing!r} can't be made again from its config(): a user-defined "
            f"class is code, not data."
        )
    return config


def _optimizer(config: dict[str, Any], custom: Mapping[str, Any]) -> Optimizer:
    """The optimiser that was described, with its schedule if it has one."""
    table = {rule.__name__: rule for rule in OPTIMIZERS.values()}
    made_by: type[Optimizer] = _class("optimizer", config.get("class"), Optimizer, table, custom)
    rate = config.get("learning_rate")
    if isinstance(rate, dict):
        schedule = _class("schedule", rate.get("class"), Schedule, SCHEDULES, custom)
        rate = from_config("schedule", {"": schedule}, rate)
        config = {**config, "learning_rate": rate}
    return from_config("optimizer", {"": made_by}, config)


def _base(kind: str, name: Any) -> type[Loss] | type[Metric]:
    if kind == "loss":
        return Loss
    return R2Score if name in R2Score.table else Metric


def _function_from(base: type[Any], config: dict[str, Any], custom: Mapping[str, Any]) -> Any:
    """The loss or metric that was described; one of custom_objects is a row of its own table."""
    if "class" in config:
        made = _class(base.kind, config["class"], base, metrics.CLASSES, custom)
        return made(**{key: setting for key, setting in config.items() if key != "class"})
    name: Any = config.get("function")
    check(name, str, f"the function of the {base.kind}")
    if name not in base.table:
        if not callable(custom.get(name)):
            raise _unknown(base.kind, name, base.table)
        base = type(base.__name__, (base,), {"table": {**base.table, name: custom[name]}})
    return base(**config)


def _revived(
    compiled: dict[str, Any], custom: Mapping[str, Any]
) -> tuple[Optimizer, list[tuple[Loss | None, float]], dict[str, Measure]]:
    """The optimiser, the losses with their factors, and the metrics that were described."""
    optimizer, metrics = _optimizer(compiled["optimizer"], custom), {}
    each = compiled.get("losses") or [{"loss": compiled.get("loss"), "factor": 1.0}]
    losses = [
        (
            None if one["loss"] is None else _function_from(Loss, one["loss"], custom),
            float(one["factor"]),
        )
        for one in each
    ]
    for name, config in compiled["metrics"].items():
        about = {key: config.get(key, usual) for key, usual in _ABOUT.items()}
        check(about, {key: type(usual) for key, usual in _ABOUT.items()}, f"the metric {name!r}")
        need(0 <= about["output"] < len(losses), f"the metric {name!r}", "an output", about)
        rest = {key: setting for key, setting in config.items() if key not in _ABOUT}
        base = _base("metric", rest.get("function"))
        metric = _function_from(base, rest, custom)
        metrics[name] = Measure(metric, about["output"], about["weighted"], about["called"] or name)
    return optimizer, losses, metrics


_ABOUT: dict[str, Any] = {"weighted": False, "output": 0, "called": ""}
"""Things that are saved with a metric beside its settings, with their usual values."""


def _compile(model: Model, revived: Any, compiled: Any) -> None:
    """Compile a model as it was, with the state of its optimiser."""
    optimizer, losses, measures = revived
    names = model.output_names
    need(len(names) == len(losses), "the losses", f"one for each of {', '.join(names)}", losses)
    model.compile(optimizer)
    model.measured, model.goals = measures, [Goal(n, *each) for n, each in zip(names, losses)]
    if compiled["trained"] is not None:
        named = {layer.name: layer for layer in model.layers}
        for name in compiled["trained"]:
            need(name in named, "the layers trained", f"one of {', '.join(named)}", name)
        optimizer.bind(_variables(named[name] for name in compiled["trained"]))
    memory = compiled["memory"]
    columns = {name: list(map(float, xs)) for name, xs in memory["memory"].items()}
    optimizer.load_state_dict({**memory, "memory": columns})


# ── Random numbers ────────────────────────────────────────────────────────────────────────


def _random(model: Model) -> dict[str, Any]:
    """Every stream once, and which of them the model and its layers draw from."""
    streams: list[Random] = []

    def place(stream: Random) -> int:
        if type(stream) is not Random:
            raise SavedModelError(
                f"The state of a random.Random can be saved. Received: {stream!r}."
            )
        if not any(stream is other for other in streams):
            streams.append(stream)
        return next(i for i, other in enumerate(streams) if other is stream)

    mine = place(model.random)
    layers = {
        layer.name: list(map(place, layer.streams())) for layer in model.layers if layer.streams()
    }
    return {"model": mine, "layers": layers, "streams": list(map(_state, streams))}


def _state(stream: Random) -> dict[str, Any]:
    version, internal, gauss = stream.getstate()
    gauss = None if gauss is None else numeral(gauss)
    return {"version": version, "internal": list(internal), "gauss": gauss}


def _stream(state: dict[str, Any]) -> Random:
    """A stream in that state: 624 words of 32 bits, and how many of them are used up."""
    internal, gauss = state["internal"], state["gauss"]
    sound = len(internal) == 625 and all(0 <= x < 2**32 for x in internal) and internal[-1] <= 624
    need(sound and state["version"] == 3, "a random stream", "a state of random.Random", state)
    stream = Random()
    stream.setstate((3, tuple(internal), None if gauss is None else float(gauss)))
    return stream


def _give_streams(model: Model, streams: list[Random], part: dict[str, Any]) -> None:
    (model.random,) = _picked(streams, [part["model"]])
    drawing = {layer.name: layer for layer in model.layers if layer.streams()}
    need(part["layers"].keys() == drawing.keys(), "the random streams",
          f"some for {', '.join(drawing) or 'no layer'}", list(part["layers"]))  # fmt: skip
    for name, layer in drawing.items():
        mine, given = layer.streams(), _picked(streams, part["layers"][name])
        need(len(mine) == len(given), f"the random streams of {name!r}", f"{len(mine)}", given)
        for old, new in zip(mine, given):
            attributes = [name for name, thing in vars(layer).items() if thing is old]
            for attribute in attributes:  # the stream itself, which several layers may share
                setattr(layer, attribute, new)
            if not attributes:
                old.setstate(new.getstate())
