"""Pickle: between processes of one owner, for everything that has a name or is data."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
import textwrap

import pytest

import tinygrad_edu as tg
from tinygrad_edu import keras, nn
from tinygrad_edu.core.table import TABLE
from tinygrad_edu.errors import BadArgument, NameUnknown

XS, YS = [[1.0, 2.0], [3.0, 4.0], [5.0, 7.0]], [1.0, 2.0, 3.0]


def square(x):
    return x * x


@tg.jit
def cube(x):
    return x * x * x


@tg.vmap
def each(x):
    return x + 1.0


slope = tg.jit(tg.grad(square))
nameless = tg.jit(lambda x: x + 2.0)  # which has a name here all the same


class Line(nn.Module):
    def __init__(self):
        self.w = tg.Value(3.0)

    @tg.jit
    def step(self, x):
        return self.w * x


class Own(keras.layers.Dense):
    """A user-defined layer: pickle finds its class by its name."""


def sequential(layer=keras.layers.Dense, **settings):
    model = keras.Sequential([layer(3, "tanh", input_shape=[2], **settings),
                              keras.layers.Dropout(0.5), keras.layers.Dense(1)])  # fmt: skip
    model.compile(keras.optimizers.Adam(0.01), keras.losses.Huber(0.5), metrics=["mae"])
    model.fit(XS, YS, epochs=2, verbose=0)
    return model


def functional():
    x = keras.layers.Input((2,))
    y = keras.layers.Dense(1)(keras.layers.Concatenate()([x, keras.layers.Dense(3, "relu")(x)]))
    model = keras.Model(x, y)
    model.compile("sgd", "mse")
    return model


def pickled(x):
    return pickle.loads(pickle.dumps(x))


@pytest.mark.parametrize("make", [
    sequential, functional, lambda: sequential(Own),
    *(lambda name=name: sequential(kernel_initializer=name)
      for name in [*nn.initializers.INITIALIZERS]),
    lambda: keras.Sequential([keras.layers.Dense(1, input_shape=[2])]),
])  # fmt: skip
def test_models_predict_and_learn_on_as_before(make):
    model = make()
    copies = [pickled(model), copy.deepcopy(model)]
    for other in copies:
        assert other.predict(XS) == model.predict(XS)
        assert type(other) is type(model)
    if model.optimizer is not None:
        for each in (model, *copies):
            each.fit(XS, YS, epochs=2, verbose=0)
        for other in copies:
            assert other.predict(XS) == model.predict(XS)


def test_what_training_leaves_behind():
    model = sequential()
    history = pickled(model.history)
    assert (history.history, history.epoch) == (model.history.history, [0, 1])
    assert history.model.predict(XS) == model.predict(XS)
    optimizer = pickled(model.optimizer)
    assert optimizer.state_dict() == model.optimizer.state_dict()
    assert optimizer.config() == model.optimizer.config()


@pytest.mark.parametrize(
    "thing",
    [
        keras.callbacks.EarlyStopping(patience=3), keras.callbacks.ModelCheckpoint("m.json"),
        keras.callbacks.ReduceLROnPlateau(factor=0.5), keras.callbacks.TerminateOnNaN(),
        keras.callbacks.CSVLogger("log.csv"), keras.callbacks.WeightHistory(),
        keras.callbacks.LearningRateScheduler(square), keras.callbacks.LambdaCallback(),
        keras.optimizers.Lion(0.1), keras.optimizers.schedules.CosineDecay(0.1, 10),
        keras.losses.Huber(2.0), keras.metrics.MeanAbsoluteError(), keras.regularizers.L2(0.1),
        keras.initializers.HeNormal(), keras.layers.Dropout(0.5), keras.layers.Input((2,)),
        keras.activations.relu, keras.losses.mean_squared_error, tg.ops.tanh, nn.MLP(2, [3, 1]),
    ],
    ids=lambda thing: getattr(thing, "__name__", type(thing).__name__),
)  # fmt: skip
def test_parts_of_models(thing):
    again = pickled(thing)
    assert type(again) is type(thing)
    if hasattr(thing, "config"):
        assert again.config() == thing.config()


def test_programs():
    w, x = tg.Value(3.0, name="w"), tg.Value(0.0, name="x", role="input")
    program = tg.compile(tg.tanh(w * x), inputs=[x], parameters=[w])
    assert pickled(program).value_and_grad([[0.5]]) == program.value_and_grad([[0.5]])


def test_jitted_functions_are_known_by_their_names():
    for f in (cube, each, slope, nameless):
        assert pickled(f) is f
    assert pickled(tg.jit(square))(3.0) == 9.0
    assert pickled(tg.jit(square, executor="python"))._options["executor"] == "python"
    line = Line()
    other = pickled(line)
    other.w.data = 5.0
    assert pickled(other.step)(2.0) == 10.0
    assert line.step(2.0) == 6.0
    assert copy.deepcopy(tg.jit(lambda x: x + 1.0))(1.0) == 2.0


def test_what_has_no_name_is_refused_with_the_reason():
    def local(x):
        return x

    for f in (tg.jit(lambda x: x), tg.jit(local), tg.vmap(lambda x: x), tg.jit(tg.grad(local))):
        with pytest.raises(BadArgument, match=r"top of a module.*lambda"):
            pickle.dumps(f)


def test_a_row_that_this_process_lacks_is_named():
    row = tg.op("pickled_row", lambda x: 2.0 * x, [lambda out, x: 2.0])
    text = pickle.dumps(row)
    assert pickle.loads(text) is row
    del TABLE["pickled_row"]
    with pytest.raises(NameUnknown, match="pickled_row"):
        pickle.loads(text)


SPAWNED = """
    import multiprocessing, sys
    import tinygrad_edu as tg
    from tinygrad_edu import keras

    @tg.jit
    def cube(x):
        return x * x * x

    def predicted(model):
        return model.predict([[1.0, 2.0]])

    if __name__ == "__main__":
        model = keras.Sequential([keras.layers.Dense(2, "tanh"), keras.layers.Dense(1)])
        model.compile("adam", "mse")
        model.fit([[1.0, 2.0], [2.0, 3.0]], [1.0, 2.0], epochs=2, verbose=0)
        if sys.argv[1] == "spawn":
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                run = pool.map
                assert run(cube, [2.0, 3.0]) == [8.0, 27.0]
                assert run(predicted, [model]) == [predicted(model)]
        else:
            from joblib import Parallel, delayed
            assert Parallel(2)(delayed(cube)(x) for x in (2.0, 3.0)) == [8.0, 27.0]
            assert Parallel(2)(delayed(predicted)(m) for m in [model] * 2) == [predicted(model)] * 2
            assert Parallel(2)(delayed(model.predict)([[1.0, 2.0]]) for _ in range(2))
"""


@pytest.mark.parametrize("way", ["spawn", pytest.param("joblib", marks=pytest.mark.thorough)])
def test_other_processes(way, tmp_path):
    if way == "joblib":
        pytest.importorskip("joblib")
    script = tmp_path / "script.py"
    script.write_text(textwrap.dedent(SPAWNED), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(script), way], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr


class Half(keras.initializers.Initializer):
    def __call__(self, shape, dtype=None):
        return [0.5] * shape[0]


class Fine(keras.regularizers.Regularizer):
    def __call__(self, x):
        return 0.1 * sum(x)


class AtMostOne(keras.constraints.Constraint):
    def __call__(self, w):
        return w


@pytest.mark.parametrize("made_by", [Half, Fine, AtMostOne])
def test_code_of_users_that_has_no_row(made_by):
    thing = made_by()
    thing.more = 3
    assert pickled(thing).more == 3
    assert type(pickled(thing)) is made_by
