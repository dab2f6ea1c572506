"""docs/keras.md and the errors for names of Keras that aren't here."""

from __future__ import annotations

import re

import pytest

from tests import keras_page
from tests.keras_names import arguments, room
from tinygrad_edu import keras, nn
from tinygrad_edu.errors import BadArgument, NameUnknown
from tinygrad_edu.nn import absent

NAMES = keras_page.names()
ABSENT = [(title, name) for title in NAMES for name in absent.names(title)]
ROOM_OF = {title: kind for kind, title in absent.ROOMS.items()}
DENSE = keras.layers.Dense


def compiled(**settings):
    model = keras.Sequential([keras.Input((1,)), DENSE(1)])
    model.compile(**{"loss": "mse", **settings})


USES = {
    "activations": [lambda name: DENSE(1, name), keras.activations.get],
    "constraints": [lambda name: DENSE(1, kernel_constraint=name), keras.constraints.get],
    "initializers": [lambda name: DENSE(1, kernel_initializer=name), keras.initializers.get],
    "losses": [lambda name: compiled(loss=name), keras.losses.get],
    "metrics": [lambda name: compiled(metrics=[name]), keras.metrics.get],
    "optimizers": [lambda name: compiled(optimizer=name), keras.optimizers.get],
    "regularizers": [lambda name: DENSE(1, bias_regularizer=name), keras.regularizers.get],
}
"""Where a string names a thing of a room."""


def test_every_public_name_is_on_the_page():
    page = keras_page.page()
    rooms = re.split(r"^## (\S+)$", page, flags=re.M)
    sections = dict(zip(rooms[1::2], rooms[2::2]))
    for title, names in NAMES.items():
        section = sections[keras_page.TITLES[title]]
        cells = re.findall(r"`([\w.]+)`", section)
        assert {n for n in names if n not in cells} == set(), title


def test_each_name_is_either_here_or_absent():
    for title, names in NAMES.items():
        gone, ours = absent.names(title), room(keras, title)
        assert sorted(gone) == sorted(set(gone)), title
        assert set(gone) <= set(names), title
        assert {n for n in names if hasattr(ours, n)} == set(names) - set(gone), title


def test_the_counts_add_up():
    found = [state for title in NAMES for state in keras_page.states(title).values()]
    assert len(found) == sum(map(len, NAMES.values()))
    assert f"has {len(found)} public names" in keras_page.page()
    assert sum(state == "" for state in found) >= 390
    assert set(absent.ABSENT) == set(NAMES) == set(keras_page.TITLES)


def test_notes_are_of_names_that_are_here():
    for title, notes in keras_page.NOTES.items():
        assert set(notes) <= set(NAMES[title]) - set(absent.names(title)), title


@pytest.mark.parametrize(("title", "name"), ABSENT)
def test_an_absent_name_says_why(title, name):
    with pytest.raises(AttributeError) as caught:
        getattr(room(keras, title), name)
    said = str(caught.value)
    assert f"no attribute {name!r}. Keras's {name!r} is absent here: " in said
    assert "Nearest: " in said
    assert not hasattr(room(keras, title), name)


@pytest.mark.parametrize("title", NAMES)
def test_a_typo_gets_the_nearest_name(title):
    ours = room(keras, title)
    for name in NAMES[title]:
        if hasattr(ours, name) and len(name) > 6 and name[:-1] not in NAMES[title]:
            with pytest.raises(AttributeError, match=r"Did you mean '|is absent here"):
                getattr(ours, f"{name}x")
    with pytest.raises(AttributeError, match=r"has no attribute '_secret'$"):
        _ = ours._secret


def test_imports_fail_as_python_makes_it():
    with pytest.raises(ImportError, match="cannot import name 'Conv2D'"):
        from tinygrad_edu.keras.layers import Conv2D  # noqa: F401
    with pytest.raises(ModuleNotFoundError):
        import tinygrad_edu.keras.datasets  # noqa: F401


@pytest.mark.parametrize("title", USES)
def test_strings_say_it_too(title):
    for name in absent.names(title):
        if name == "legacy":
            continue
        for use in USES[title]:
            for spelling in (name, name.lower()):
                with pytest.raises(NameUnknown, match=r"is absent here: .*Nearest: "):
                    use(spelling)
    for use in USES[title]:
        with pytest.raises(NameUnknown, match="Received: 'nothing_like_it'"):
            use("nothing_like_it")


CLASSES = [
    (title, name)
    for title in ("constraints", "initializers", "layers", "losses", "metrics", "optimizers",
                  "optimizers.schedules", "regularizers", "callbacks")
    for name, (kind, *_) in NAMES[title].items()
    if kind == "class" and name not in absent.names(title)
]  # fmt: skip
OTHER_IN_KIND = {"CallbackList", "Layer", "LearningRateSchedule", "Optimizer", "Metric", "Loss"}


@pytest.mark.parametrize(("title", "name"), CLASSES)
def test_classes_take_the_arguments_of_keras(title, name):
    """Their names, order and defaults; `fixed` ones are refused but for their default."""
    thing = getattr(room(keras, title), name)
    if name in OTHER_IN_KIND:
        return
    assert keras_page.differing(NAMES[title][name][1], thing) == []
    defaults = {x[0]: x[1] for x in keras_page.accepted(thing) if len(x) > 1}
    needed = {"Dense": [1], "Embedding": [2, 3], "Dropout": [0.5]}.get(name, [])
    for setting in keras_page.fixed(thing):
        if title != "optimizers":  # whose signature has them
            assert defaults[setting] == {x[0]: x[1:] for x in NAMES[title][name][1]}[setting][0]
        with pytest.raises(BadArgument):
            thing(*needed, **{setting: "another"})
        thing(*needed, **{setting: defaults[setting]})


@pytest.mark.parametrize("name", [c.__name__ for c in nn.OPTIMIZERS.values()])
def test_optimizers_take_all_settings_by_place(name):
    made_by = getattr(keras.optimizers, name)
    theirs = [x for x in NAMES["optimizers"][name][1] if not x[0].startswith("**")]
    assert made_by(*[default for _, default in theirs]).get_config() == made_by().get_config()
    assert arguments(made_by)[: len(theirs)] == theirs


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: DENSE(1, lora_rank=4), "lora_rank=None alone. Received: 4"),
        (lambda: DENSE(1, unts=4), "setting of Dense. Received: 'unts'. Did you mean 'units'"),
        (lambda: DENSE(1, autocast=False), "autocast"),
        (lambda: keras.layers.Dropout(0.5, (None, 1)), "noise_shape"),
        (lambda: keras.layers.Flatten("channels_first"), "channels_first"),
        (lambda: keras.layers.Softmax(0), "last axis"),
        (lambda: keras.layers.Embedding(3, 2, mask_zero=True), "mask_zero"),
        (lambda: keras.layers.BatchNormalization(renorm=True), "renorm"),
        (lambda: keras.layers.concatenate([keras.Input((2, 3))] * 2, axis=1), "last axis"),
        (lambda: keras.layers.concatenate([keras.Input((2, 3)), keras.Input((3, 3))]), "last axis"),
        (lambda: keras.Input((2,), sparse=True), "sparse=True"),
        (lambda: keras.utils.to_categorical([0.5]), "Received: 0.5"),
        (lambda: keras.utils.to_categorical([-1, 0]), "Received: -1"),
        (lambda: keras.utils.to_categorical([5], 3), "below 3"),
        (lambda: keras.utils.split_dataset([1, 2, 3]), "A size is needed"),
        (lambda: keras.utils.split_dataset([1, 2, 3], 3), "left_size"),
        (lambda: keras.utils.split_dataset([1, 2, 3], 0.1), "Both parts need"),
        (lambda: keras.utils.split_dataset([1, 2, 3], 2, 2), "Both parts need"),
        (lambda: keras.utils.split_dataset(([1, 2], [1]), 1), "equally long"),
        (lambda: keras.utils.split_dataset([1, 2], 1, preferred_backend="torch"), "one backend"),
        (lambda: keras.losses.get(3), "Received: 3"),
        (lambda: keras.optimizers.schedules.serialize(abs), "Received: <built-in function abs>"),
        (lambda: keras.layers.deserialize({"class_name": "Conv1D", "config": {}}), "absent here"),
    ],
)  # fmt: skip
def test_mistakes_are_named(make, says):
    with pytest.raises((BadArgument, NameUnknown), match=re.escape(says)):
        make()


def test_data_sets_are_split_in_their_structure():
    import numpy as np
    import pandas as pd

    x, y = np.arange(10.0).reshape(5, 2), [1, 2, 3, 4, 5]
    (a, b), (c, d) = keras.utils.split_dataset((x, y), 0.6)
    assert (a.shape, b, c.shape, d) == ((3, 2), [1, 2, 3], (2, 2), [4, 5])
    assert keras.utils.split_dataset(y, right_size=2) == ([1, 2, 3], [4, 5])
    assert keras.utils.split_dataset(y, 1, 2) == ([1], [4, 5])
    left, right = keras.utils.split_dataset(y, 2, shuffle=True, seed=1)
    assert sorted(left + right) == y
    assert (left, right) == keras.utils.split_dataset(y, 2, shuffle=True, seed=1)
    assert (left, right) != keras.utils.split_dataset(y, 2)
    first, last = keras.utils.split_dataset(pd.DataFrame({"a": y}), 0.4)
    assert (list(first.a), list(last.a)) == ([1, 2], [3, 4, 5])


def test_activations_take_numbers_arrays_signals_and_values():
    import numpy as np

    import tinygrad_edu as tg

    for name in keras.activations.FUNCTIONS:
        function, more = getattr(keras.activations, name), (0.5, 2.0) if name == "threshold" else ()
        array = np.array([[0.25, -1.5], [2.0, 0.75]])
        whole = np.asarray(function(array, *more))
        if name in ("glu", "softmax", "log_softmax", "sparsemax"):
            assert whole[1].tolist() == pytest.approx(list(function(list(array[1]))))
            continue
        assert whole[0, 1] == function(-1.5, *more)
        assert function(tg.Value(-1.5), *more).data == whole[0, 1]
        x = keras.Input((2,))
        model = keras.Model(x, function(x, *more))
        assert np.allclose(model.predict(array, verbose=0), whole, rtol=1e-14)
        if name != "threshold":
            assert (
                keras.activations.serialize(keras.activations.get(name))
                in keras.activations.FUNCTIONS
            )
            layer = DENSE(1, activation=function)
            assert layer.activation.called()  # it is the row, which is saved and compiled
