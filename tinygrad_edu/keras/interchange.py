"""Keras's own files and models: read as ours, and ours written for Keras.

A ``.keras`` file is a zip archive: config.json describes the layers, their wiring and what the
model was compiled with, in the form of Keras's ``get_config``; model.weights.h5 holds the weights,
by the kinds of their layers, numbered. A ``.weights.h5`` file is the latter alone.
"""

from __future__ import annotations

import json
import os
import re
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from inspect import signature
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final
from zipfile import BadZipFile, ZipFile

from ..core.value import Value
from ..errors import MissingExtra, SavedModelError, TinygradError
from ..files import write_whole
from ..nn.layers import Apply, Input, Lambda, ShapedLayer
from ..nn.names import check_known
from ..nn.optimizers import Optimizer
from ..schemas import parsed
from ..trees import flatten
from . import constraints, initializers, losses, metrics, optimizers, regularizers, saving
from .layers import FORMS
from .lookup import Made

if TYPE_CHECKING:
    from .models import Model

VERSION: Final = "3.10.0"
"""The version of Keras whose format is written; later ones read it."""

_ROOMS: Final[dict[str, Any]] = {
    "initializer": initializers, "regularizer": regularizers, "constraint": constraints,
    "loss": losses, "metric": metrics,
}  # fmt: skip

# Settings of Keras that don't change a number here: everything is computed in float64, batches
# have any size, and random streams are our own.
_NO_MATTER: Final = {
    "dtype", "seed", "noise_shape", "quantization_config", "data_format", "batch_shape", "sparse",
    "ragged", "optional", "ema_momentum", "ema_overwrite_frequency", "jit_compile", "name",
}  # fmt: skip
_MEMORY: Final = {"SGD": ["m"], "Adam": ["m", "v"], "AdamW": ["m", "v"], "Adagrad": ["s"]}
"""The memory of optimisers for each weight, in Keras's order; of others it is not carried over."""


def from_keras(model: Any, compile: bool = True) -> Model:
    """The model of tinygrad_edu for a live model of Keras: its layers, weights and, if it was
    compiled, its optimizer, loss and metrics.

    Args:
        model: a Sequential or functional model of the library Keras.
        compile: whether to compile it as it was.

    Raises:
        SavedModelError: if something in it doesn't exist here; the error names it.
    """
    with saving._reported("No model was made from", f"{type(model).__name__} {model.name!r}"):
        config = json.loads(model.to_json())
        weights = {layer.name: layer.get_weights() for layer in model.layers}
        optimizer = getattr(model, "optimizer", None)
        state = [variable.numpy() for variable in getattr(optimizer, "variables", [])]
        return _built(config, weights, state, {}, compile)


def load(content: bytes, custom: Mapping[str, Any], compile: bool) -> Model:
    """The model in a ``.keras`` file.

    Raises:
        SavedModelError: if it is damaged, or something in it doesn't exist here.
        MissingExtra: without h5py.
    """
    try:
        with ZipFile(BytesIO(content)) as archive:
            config = parsed(archive.read("config.json").decode())
            weights = archive.read("model.weights.h5")
    except (BadZipFile, KeyError, ValueError) as error:
        raise SavedModelError(f"It is not a whole .keras file of Keras 3: {error}.") from error
    layers = config.get("config", {}).get("layers", [])
    return _built(config, *_arrays(weights, layers), custom, compile)


def save(model: Model, path: str | os.PathLike[str]) -> None:
    """Write a ``.keras`` file that Keras reads, in float64."""
    content = BytesIO()
    with ZipFile(content, "w") as archive:
        archive.writestr("metadata.json", json.dumps({"keras_version": VERSION}))
        archive.writestr("config.json", json.dumps(config_of(model)))
        archive.writestr("model.weights.h5", _h5(model))
    write_whole(path, content.getvalue())


def save_weights(model: Model, path: str | os.PathLike[str]) -> None:
    """Write a ``.weights.h5`` file that Keras reads."""
    write_whole(path, _h5(model))


def load_weights(model: Model, content: bytes) -> None:
    """Give a model the weights of a ``.weights.h5`` file of Keras, all or none."""
    weights, _ = _arrays(content, config_of(model)["config"]["layers"])
    model.set_weights([array for layer in model.layers for array in weights.get(layer.name, [])])


# ── Reading ───────────────────────────────────────────────────────────────────────────────


def _built(
    config: dict[str, Any],
    weights: Mapping[str, Sequence[Any]],
    state: Sequence[Any],
    custom: Mapping[str, Any],
    compile: bool,
) -> Model:
    kind, described = config["class_name"], config["config"]
    if kind not in ("Sequential", "Functional"):
        raise SavedModelError(
            f"Only Sequential and functional models can be read, because a user-defined class is "
            f"code. Received: a {kind}."
        )
    layers = [one for one in described["layers"] if one["class_name"] != "InputLayer"]
    made = {one["config"]["name"]: _layer(one, custom) for one in layers}
    if kind == "Sequential":
        model = saving.MODELS[kind](list(made.values()), described["name"])
        shape = described.get("build_input_shape") or next(_shapes(described["layers"]), None)
        if shape is not None:
            model.build(tuple(shape))
    else:
        inputs, outputs = _wired(described, made)
        model = saving.MODELS["Model"](inputs, outputs, described["name"])
    if model.built:
        for name, layer in made.items():
            layer.name = name
        arrays = [array for layer in model.layers for array in weights.get(layer.name, [])]
        model.set_weights(arrays)
    if compile and config.get("compile_config"):
        _compile(model, config["compile_config"], state)
    return model  # type: ignore[no-any-return]


def _shapes(layers: Sequence[dict[str, Any]]) -> Iterator[Any]:
    """The shapes of inputs, of one sample."""
    for one in layers:
        shape = one["config"].get("batch_shape") or one["config"].get("batch_input_shape")
        if shape:
            yield shape[1:] if one["class_name"] == "InputLayer" else shape


def _layer(described: dict[str, Any], custom: Mapping[str, Any]) -> ShapedLayer:
    name, config = described["class_name"], described["config"]
    made_by = custom.get(name, saving.LAYERS.get(name))
    if made_by is None:
        raise saving._unknown("layer", name, saving.LAYERS)
    known = {"name", "trainable", *signature(made_by.__init__).parameters} - {"seed"}
    settings = _settings(f"layer {config['name']!r}", config, known)
    return made_by(**{"name": config["name"], **settings})  # type: ignore[no-any-return]


def _settings(what: str, config: dict[str, Any], known: set[str]) -> dict[str, Any]:
    """The settings that exist here.

    Raises:
        SavedModelError: for another one that isn't off.
    """
    settings = {}
    for key, value in config.items():
        if key in known and key not in _NO_MATTER:
            settings[key] = _converted(key, value)
        elif key not in _NO_MATTER and value not in (None, False, [], {}) and (key, value) not in (
            ("axis", -1), ("axis", [-1]), ("trainable", True),
        ):  # fmt: skip
            raise SavedModelError(
                f"A setting of the {what} doesn't exist here. Received: {key}={value!r}."
            )
    return settings


def _converted(key: str, value: Any) -> Any:
    if not isinstance(value, dict) or "class_name" not in value:
        return value
    name, config = value["class_name"], value["config"]
    if name == "function":
        return config
    room = _ROOMS.get(key.rpartition("_")[2])
    if room is not None:
        instance = room.deserialize(value)
        return {"function": instance.row, **instance.settings}
    if key == "learning_rate":
        return getattr(optimizers.schedules, name)(**{k: v for k, v in config.items() if v})
    raise SavedModelError(f"Received: {key}={name}, which doesn't exist here.")


def _wired(described: dict[str, Any], layers: Mapping[str, ShapedLayer]) -> tuple[Any, Any]:
    """The inputs and outputs of a functional model, whose layers are called in order."""
    signals: dict[tuple[str, int], Any] = {}
    waiting = []
    for one in described["layers"]:
        name = one["config"]["name"]
        if one["class_name"] == "InputLayer":
            signals[name, 0] = Input(next(_shapes([one])), name=name)
        waiting += [(name, i, call) for i, call in enumerate(one["inbound_nodes"])]

    def found(x: Any) -> Any:
        """The signal, or the list of signals, that a call gets."""
        if isinstance(x, list):
            return [found(one) for one in x]
        if not isinstance(x, dict) or x.get("class_name") != "__keras_tensor__":
            raise SavedModelError(f"A layer is called on something else than signals: {x!r}.")
        name, node, _ = x["config"]["keras_history"]
        return signals[name, node]

    while waiting:
        later = []
        for name, i, call in waiting:
            try:
                (argument,) = map(found, call["args"])
            except KeyError:  # not there yet
                later.append((name, i, call))
                continue
            signals[name, i] = layers[name](argument)
        if len(later) == len(waiting):
            raise SavedModelError(
                f"The layers can't be put in order: {[name for name, *_ in later]}."
            )
        waiting = later

    def listed(ends: Any) -> list[Any]:
        one = ends and isinstance(ends[0], str)
        return [signals[name, node] for name, node, _ in ([ends] if one else ends)]

    inputs, outputs = listed(described["input_layers"]), listed(described["output_layers"])
    return inputs, outputs if len(outputs) > 1 else outputs[0]


def _compile(model: Model, config: dict[str, Any], state: Sequence[Any]) -> None:
    described = config["optimizer"]
    if isinstance(described, dict):
        known = {*signature(getattr(optimizers, described["class_name"])).parameters}
        settings = _settings("optimizer", described["config"], known)
        optimizer: Optimizer = getattr(optimizers, described["class_name"])(**settings)
    else:
        optimizer = described
    model.compile(
        optimizer,
        _revived(config.get("loss"), losses.deserialize),
        metrics=_revived(config.get("metrics"), metrics.deserialize),
        weighted_metrics=_revived(config.get("weighted_metrics"), metrics.deserialize),
        loss_weights=config.get("loss_weights"),
    )
    if len(state) > 2 and model.built:
        _remember(model, state)


def _revived(given: Any, deserialize: Callable[[Any], Any]) -> Any:
    """Losses or metrics, those that are data as objects, in the lists and dicts around them."""
    if isinstance(given, list):
        return [_revived(one, deserialize) for one in given]
    if isinstance(given, dict) and "class_name" not in given:
        return {name: _revived(one, deserialize) for name, one in given.items()}
    return deserialize(given) if isinstance(given, dict) else given


def _remember(model: Model, state: Sequence[Any]) -> None:
    """Give the optimiser the state of Keras's: the step, the rate, and numbers of each weight."""
    optimizer: Any = model.optimizer
    columns = _MEMORY.get(type(optimizer).__name__, [])
    variables = saving._variables(layer for layer in model.layers if layer.trainable)
    if len(state) != 2 + len(columns) * len(variables):
        warnings.warn(
            f"{type(optimizer).__name__} starts afresh: Keras remembers {len(state) - 2} arrays, "
            f"which can't be carried over.",
            stacklevel=5,
        )
        return
    optimizer.bind(variables)
    memory = {
        name: [x for array in state[2 + i :: len(columns)] for x in array.ravel().tolist()]
        for i, name in enumerate(columns)
    }
    own = optimizer.state_dict()
    largest = {"v_max": memory["v"]} if "v_max" in own["memory"] else {}
    own = {**own, "iterations": int(state[0]), "memory": {**memory, **largest}}
    optimizer.load_state_dict(own)


# ── Writing ───────────────────────────────────────────────────────────────────────────────


def config_of(model: Model) -> dict[str, Any]:
    """What Keras's ``get_config`` would return for the same model, as in config.json.

    Raises:
        SavedModelError: if something in it doesn't exist in Keras.
    """
    saving._named(model)
    described = [_in_keras(layer) for layer in model.layers]
    inputs = [
        {
            "module": "keras.layers", "class_name": "InputLayer", "registered_name": None,
            "config": {"batch_shape": [None, *signal.shape], "dtype": "float64", "name": name},
        }
        for signal, name in zip(model._inputs, _input_names(model))
    ]  # fmt: skip
    config: dict[str, Any] = {"name": model.name, "trainable": True, "dtype": "float64"}
    if model.branching:
        _wire(model, inputs, described, config)
    config["layers"] = [*inputs, *described]
    kind = {"module": "keras", "class_name": "Sequential", "registered_name": None}
    if model.branching:
        kind = {"module": "keras.src.models.functional", "class_name": "Functional",
                "registered_name": "Functional"}  # fmt: skip
    compiled = _compiled(model)
    return {**kind, "config": config, **({"compile_config": compiled} if compiled else {})}


def _input_names(model: Model) -> list[str]:
    return [signal.name or f"input_{i}" for i, signal in enumerate(model._inputs, 1)]


def layer_as_data(layer: ShapedLayer) -> dict[str, Any]:
    """A layer in Keras's form; a user-defined one as its ``get_config`` says."""
    kind = type(layer)
    if kind.__name__ in saving.LAYERS or kind.__module__.startswith("tinygrad_edu."):
        return _in_keras(layer)
    return {"module": kind.__module__, "class_name": kind.__name__, "config": layer.get_config(),
            "registered_name": kind.__name__}  # fmt: skip


def layer_of_data(described: Mapping[str, Any], custom: Mapping[str, Any]) -> ShapedLayer:
    """The layer that `layer_as_data` or Keras described."""
    name = described["class_name"]
    if name in custom:
        made: ShapedLayer = custom[name].from_config(described["config"])
        return made
    check_known("layer", name, saving.LAYERS)
    return _layer({**described}, custom)


FORMS.update(written=layer_as_data, read=layer_of_data)


def _in_keras(layer: ShapedLayer) -> dict[str, Any]:
    kind = type(layer)
    if saving.LAYERS.get(kind.__name__) is not kind:
        raise SavedModelError(f"Keras has no layer {kind.__name__}, which is user-defined.")
    if isinstance(layer, (Apply, Lambda, saving.MODELS["Model"])):
        raise SavedModelError(
            f"Layer {layer.name!r} has no form that Keras reads: it comes from arithmetic with "
            f"signals, is a model itself, or is code."
        )
    shapes = {"input_shape", "name"}
    own = {key: value for key, value in layer.config().items() if key not in shapes}
    for key, value in own.items():
        if isinstance(value, dict) and "function" in value:
            own[key] = _serialized(_ROOMS[key.rpartition("_")[2]], value)
    if own.get("activation") == "gelu_tanh":
        raise SavedModelError("Keras has no name for the activation gelu_tanh.")
    config = {"name": layer.name, "dtype": "float64", **own}
    return {"module": "keras.layers", "class_name": kind.__name__, "config": config,
            "registered_name": None}  # fmt: skip


def _serialized(room: Any, config: dict[str, Any]) -> dict[str, Any]:
    settings = dict(config)
    name = settings.pop("function")
    kind = next((each for each in room.CLASSES.values() if each.origin == name), None)
    if kind is None:
        raise SavedModelError(f"Keras has no class for {name!r}.")
    return room.serialize(kind(**settings))  # type: ignore[no-any-return]


def _wire(
    model: Model, inputs: list[Any], layers: list[dict[str, Any]], config: dict[str, Any]
) -> None:
    """Describe the calls of the layers of a functional model."""
    nodes: dict[str, list[Any]] = {one["config"]["name"]: [] for one in [*inputs, *layers]}
    place: dict[int, list[Any]] = {}
    for signal, name in zip(model._inputs, _input_names(model)):
        place[id(signal)] = [name, 0, 0]
    for signal in model._order:
        if signal.layer is not None:
            tensors = [
                {"class_name": "__keras_tensor__",
                 "config": {"shape": [None, *x.shape], "dtype": "float64",
                            "keras_history": place[id(x)]}}
                for x in signal.inputs
            ]  # fmt: skip
            name, one = signal.layer.name, signal.layer.inputs_wanted == 1
            place[id(signal)] = [name, len(nodes[name]), 0]
            nodes[name].append({"args": tensors if one else [tensors], "kwargs": {}})
    for described in (*inputs, *layers):
        name = described["config"]["name"]
        described |= {"name": name, "inbound_nodes": nodes[name]}
    config["input_layers"] = [place[id(signal)] for signal in model._inputs]
    config["output_layers"] = [place[id(signal)] for signal in model._outputs]


def _compiled(model: Model) -> dict[str, Any] | None:
    """The settings of compile; None if there are none, or Keras doesn't have one of them."""
    optimizer = model.optimizer
    if optimizer is None or not model.losses_names:
        return None
    try:
        return {
            "optimizer": optimizers.serialize(optimizer),
            **_goals(model),
            "metrics": _measures(model, False), "weighted_metrics": _measures(model, True),
        }  # fmt: skip
    except TinygradError:  # user-defined
        return None


def _goals(model: Model) -> dict[str, Any]:
    """The losses and their factors, of several outputs as lists."""
    each = [goal.loss and _serialized(losses, goal.loss.config()) for goal in model.goals]
    factors = [goal.factor for goal in model.goals]
    several = len(each) > 1
    same = set(factors) == {1.0}
    return {
        "loss": each if several else each[0],
        "loss_weights": None if same else factors if several else factors[0],
    }


def _measures(model: Model, weighs: bool) -> list[Any] | None:
    """The metrics that weigh samples, or those that do not; of several outputs a list of each."""
    each: list[list[Any]] = [[] for _ in model.goals]
    for measure in model.measured.values():
        if measure.weighs is weighs:
            made = isinstance(measure.metric, Made)
            each[measure.place].append(metrics.serialize(measure.metric) if made else measure.name)
    return None if not any(each) else each if len(each) > 1 else each[0]


def source(model: Model) -> str:
    """The model as a Python program for Keras, with its weights, in float64."""
    described = config_of(model)["config"]["layers"][len(model._inputs) :]
    calls = {one["config"]["name"]: _call(one) for one in described}
    places = {name: f"layer{i}" for i, name in enumerate(calls)}
    called = {id(signal): f"x{i}" for i, signal in enumerate(model._inputs)}
    lines = [
        f'x{i} = keras.Input({signal.shape}, name={name!r}, dtype="float64")'
        for i, (signal, name) in enumerate(zip(model._inputs, _input_names(model)))
    ]
    lines += [f"{places[name]} = {call}" for name, call in calls.items()]
    for signal in model._order:
        if signal.layer is not None:
            inputs = ", ".join(called[id(x)] for x in signal.inputs)
            given = inputs if signal.layer.inputs_wanted == 1 else f"[{inputs}]"
            called[id(signal)] = f"x{len(called)}"
            lines.append(f"{called[id(signal)]} = {places[signal.layer.name]}({given})")
    inputs = ", ".join(called[id(signal)] for signal in model._inputs)
    ends = [called[id(signal)] for signal in model._outputs]
    output = ends[0] if len(ends) == 1 else f"[{', '.join(ends)}]"
    lines += [f"model = keras.Model([{inputs}], {output}, name={model.name!r})"]
    weights = [weight for layer in model.layers for weight in layer.weight_values()]
    arrays = "".join(f"    numpy.array({_numbers(weight)!r}),\n" for weight in weights)
    text = "\n".join(lines)
    return f"import keras\nimport numpy\n\n{text}\nmodel.set_weights([\n{arrays}])\n"


def _call(described: dict[str, Any]) -> str:
    """A layer, an initialiser or a regulariser as the call that makes it."""
    settings = ", ".join(
        f"{key}={_call(x) if isinstance(x, dict) else repr(x)}"
        for key, x in described["config"].items()
        if x is not None and (key, x) != ("trainable", True)
    )
    return f"{described['module']}.{described['class_name']}({settings})"


# ── HDF5 ──────────────────────────────────────────────────────────────────────────────────


def _h5py() -> Any:
    try:
        import h5py
    except ImportError as error:
        raise MissingExtra(
            "Files of Keras need the package h5py: pip install 'tinygrad-edu[h5]'"
        ) from error
    return h5py


def _groups(layers: Sequence[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    """The name of each layer and of its group: the kind of layer, numbered."""
    counts: dict[str, int] = {}
    for one in layers:
        kind = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", one["class_name"])
        kind = re.sub(r"([a-z])([A-Z])", r"\1_\2", kind).lower()
        count = counts[kind] = counts.get(kind, -1) + 1
        yield one["config"]["name"], f"layers/{kind}_{count}" if count else f"layers/{kind}"


def _arrays(
    content: bytes, layers: Sequence[dict[str, Any]]
) -> tuple[dict[str, list[Any]], list[Any]]:
    """The weights of each layer, and the variables of the optimiser."""
    h5py = _h5py()

    def variables(file: Any, group: str) -> list[Any]:
        parts = file.get(f"{group}/vars", {})
        return [parts[key][()] for key in sorted(parts, key=int)]

    try:
        with h5py.File(BytesIO(content), "r") as file:
            return (
                {name: variables(file, group) for name, group in _groups(layers)},
                variables(file, "optimizer"),
            )
    except (OSError, ValueError) as error:
        raise SavedModelError(f"Its weights are damaged: {error}.") from error


def _h5(model: Model) -> bytes:
    """The weights of a model, and what its optimiser remembers; with checksums, which HDF5 checks
    for every reader, of each array and of what describes it."""
    h5py, content = _h5py(), BytesIO()
    named = {layer.name: layer for layer in model.layers}
    config = config_of(model)
    with h5py.File(content, "w", libver="latest") as file:
        for name, group in _groups(config["config"]["layers"]):
            into = file.create_group(f"{group}/vars")
            into.attrs["name"] = name
            for i, weight in enumerate(named[name].weight_values() if name in named else []):
                into.create_dataset(str(i), data=_numbers(weight), dtype="float64", fletcher32=True)
        for i, array in enumerate(_state(model) if config.get("compile_config") else []):
            file.create_dataset(f"optimizer/vars/{i}", data=array)
    return content.getvalue()


def _numbers(tree: Any) -> Any:
    if isinstance(tree, (list, tuple)):
        return [_numbers(child) for child in tree]
    return tree.data if isinstance(tree, Value) else tree


def _state(model: Model) -> list[Any]:
    """The variables of the optimiser in Keras's order; none where they can't be carried over."""
    optimizer: Any = model.optimizer
    columns = _MEMORY.get(type(optimizer).__name__)
    if columns is None or not optimizer.parameters:
        return []
    memory = optimizer.state_dict()["memory"]
    rest = {name: iter(memory[name]) for name in columns}
    made: list[Any] = [optimizer.iterations, float(optimizer.learning_rate)]
    for weight in (list(weight) for layer in model.layers for weight in layer.trainable_weights):
        numbers, like = flatten(weight)
        made += [like([next(rest[name]) for _ in numbers]) for name in columns]
    return made


saving.OTHERS.update({".keras": (save, load), ".weights.h5": (save_weights, load_weights)})
