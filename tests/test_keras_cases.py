"""Each of `keras_cases` on our side, against what Keras itself answered."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tests.keras_cases import CASES, RECORDED, plain, same
from tinygrad_edu import keras
from tinygrad_edu.errors import BadArgument, TinygradError

ANSWERS = json.loads(RECORDED.read_text(encoding="utf-8"))["cases"]


def differences(mine, theirs, path="") -> list[str]:
    if isinstance(mine, dict) and isinstance(theirs, dict):
        names = {**mine, **theirs}
        return [x for n in names for x in differences(mine.get(n), theirs.get(n), f"{path}/{n}")]
    return [] if same(mine, theirs) else [f"{path}: {mine} for {theirs}"]


@pytest.mark.parametrize("name", CASES)
def test_the_answer_is_that_of_keras(name):
    assert differences(plain(CASES[name](keras)), ANSWERS[name]) == []


def test_several_outputs_predict():
    x = keras.Input((1,))
    outputs = [keras.layers.Dense(n, kernel_initializer="ones")(x) for n in (1, 2)]
    model = keras.Model(x, outputs)
    assert model.predict([[3.0]]) == [[[3.0]], [[3.0, 3.0]]]
    named = keras.Model(x, {"a": outputs[0], "b": outputs[1]})
    assert named.predict([[3.0]]) == {"a": [[3.0]], "b": [[3.0, 3.0]]}


def test_predictions_have_the_shape_of_the_output():
    """Keras's shape: the batch, then the axes of a sample. They came as flat rows."""
    model = keras.Sequential([keras.Input((6,)), keras.layers.Reshape((2, 3))])
    rows = [[float(i + j) for j in range(6)] for i in range(4)]
    wanted = [[row[:3], row[3:]] for row in rows]
    assert model.predict(rows, verbose=0) == wanted
    array = model.predict(np.array(rows), verbose=0)
    assert array.shape == (4, 2, 3)
    assert array.tolist() == wanted


@pytest.mark.parametrize("name", ["train_step", "compute_loss"])
def test_methods_that_fit_does_not_call_are_refused(name):
    with pytest.raises(BadArgument, match=f"does not call {name}"):
        type("Mine", (keras.Model,), {name: lambda self, data: {}})


def test_a_model_that_differs_in_training_is_refused():
    class Mine(keras.Model):
        def __init__(self):
            super().__init__()
            self.one, self.two = keras.layers.Dense(1), keras.layers.Dropout(0.5)

        def call(self, x, training=False):
            return self.two(self.one(x)) if training else self.one(x)

    with pytest.raises(BadArgument, match="other layers in training"):
        Mine().build((None, 2))


@pytest.mark.parametrize(
    "make",
    [
        lambda: keras.losses.Huber(axis=0),
        lambda: keras.losses.CosineSimilarity(axis=0),
        lambda: keras.layers.Dense(1, dtype="float16"),
        lambda: keras.layers.BatchNormalization(axis=0),
        lambda: keras.layers.Dense(1)([keras.Input((1,)), keras.Input((1,))]),
        lambda: keras.losses.Huber(delt=1.0),
        lambda: keras.metrics.AUC(multi_label=True),
        lambda: keras.layers.Lambda(abs, mask=abs),
        lambda: keras.metrics.Mean(name=3),
    ],
)
def test_what_would_compute_something_else_is_refused(make):
    with pytest.raises(TinygradError):
        make()


@pytest.mark.parametrize(
    ("room", "name", "near"),
    [
        ("losses", "Hubber", "Huber"),
        ("metrics", "AUCC", "AUC"),
        ("initializers", "HeNormall", "HeNormal"),
        ("constraints", "MaxNorms", "MaxNorm"),
    ],
)
def test_an_unknown_name_gets_the_nearest(room, name, near):
    with pytest.raises(AttributeError, match=f"{name}.*Did you mean '{near}'"):
        getattr(getattr(keras, room), name)
