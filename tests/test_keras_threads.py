"""One model in several threads: nothing is lost without a word, and nothing is read half-way."""

from __future__ import annotations

import contextvars
import copy
import functools
import itertools
import pickle
import threading
from typing import Any

import pytest
from interrupts import interrupted
from threads import eight

from tinygrad_edu import keras
from tinygrad_edu.errors import GraphError
from tinygrad_edu.keras import training, turns

X, Y = [1.0, 2.0, 3.0], [2.0, 4.0, 6.0]


def model(**settings: Any) -> Any:
    made = keras.Sequential([keras.layers.Dense(1, input_shape=[1])])
    made.compile(keras.optimizers.SGD(0.001), "mse", **settings)
    return made


@pytest.mark.parametrize("eagerly", [True, False])
def test_steps_from_several_threads_all_count(eagerly):
    made = model(run_eagerly=eagerly)
    eight(lambda _: [made.train_on_batch(X, Y) for _ in range(25)])
    alone = model(run_eagerly=eagerly)
    assert made.optimizer.iterations == 200
    assert [len(w) for w in made.get_weights()] == [len(w) for w in alone.get_weights()]


def test_readers_wait_for_each_other():
    made = model()
    expected = made.predict(X), made.evaluate(X, Y)
    seen: list[Any] = []
    eight(lambda _: seen.extend((made.predict(X), made.evaluate(X, Y)) for _ in range(10)))
    assert seen == [expected] * 80


USES = {
    "predict": lambda made, path: made.predict(X),
    "evaluate": lambda made, path: made.evaluate(X, Y),
    "save": lambda made, path: made.save(path),
    "save_weights": lambda made, path: made.save_weights(path),
    "get_weights": lambda made, path: made.get_weights(),
    "set_weights": lambda made, path: made.set_weights([[[1.0]], [1.0]]),
    "fit": lambda made, path: made.fit(X, Y, verbose=0),
    "train_on_batch": lambda made, path: made.train_on_batch(X, Y),
    "compile": lambda made, path: made.compile("adam", "mae"),
    "loss_graph": lambda made, path: made.loss_graph(X, Y),
    "why_diverging": lambda made, path: made.why_diverging(X, Y),
}


@pytest.mark.parametrize("use", USES)
def test_a_model_in_training_is_no_other_threads_business(use, tmp_path):
    made, path = model(), tmp_path / "m.json"
    errors: list[BaseException] = []

    def elsewhere() -> None:
        try:
            USES[use](made, path)
        except GraphError as error:
            errors.append(error)

    class Other(keras.callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            if epoch == 1:
                made.predict(X)  # the thread of fit may
                thread = threading.Thread(target=elsewhere)
                thread.start()
                thread.join()

    made.fit(X, Y, epochs=3, verbose=0, callbacks=Other())
    assert "being trained in another thread" in str(errors[0])
    assert f"a call of {use}." in str(errors[0])
    assert made.optimizer.iterations == 3
    assert not path.exists()
    elsewhere()  # afterwards everyone may again
    assert len(errors) == 1


def test_an_error_in_training_ends_the_turn():
    made = model()

    class Failing(keras.callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        made.fit(X, Y, verbose=0, callbacks=Failing())
    eight(lambda _: made.predict(X))


def test_copies_have_their_own_turns():
    made = model()
    copies: list[Any] = []

    class Copying(keras.callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            copies.extend([copy.deepcopy(made), pickle.loads(pickle.dumps(made))])
            for other in copies:
                eight(lambda _, other=other: other.predict(X))

    made.fit(X, Y, verbose=0, callbacks=Copying())
    assert len(copies) == 2


def test_a_callback_may_fit_and_its_end_is_not_the_end():
    made = model()
    errors: list[BaseException] = []

    def elsewhere() -> None:
        try:
            made.predict(X)
        except GraphError as error:
            errors.append(error)

    class Inner(keras.callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            made.fit(X, Y, verbose=0)
            thread = threading.Thread(target=elsewhere)
            thread.start()
            thread.join()

    made.fit(X, Y, verbose=0, callbacks=Inner())
    assert len(errors) == 1
    eight(lambda _: made.predict(X))


@pytest.mark.parametrize("use", ["fit", "predict", "compile", "train_on_batch"])
def test_after_an_interrupt_it_is_everyones_turn(use):
    """At any line of `turns`, and at some lines of what takes its turn."""
    made = model()

    def free() -> bool:
        answers: list[Any] = []
        thread = threading.Thread(target=lambda: answers.append(made.predict(X)), daemon=True)
        thread.start()
        thread.join(10.0)
        return len(answers) == 1

    work, line = functools.partial(USES[use], made, ""), 0
    for line in itertools.chain(range(1, 40), itertools.count(40, 17)):
        if not contextvars.Context().run(interrupted, work, line, turns, training):
            break
        assert free(), f"Ctrl-C at line {line} keeps the model"
    assert line > 10
