"""Ctrl-C at any line: all of a change is made or nothing of it, and everything still works."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from contextvars import Context
from types import ModuleType
from typing import Any, NamedTuple

import pytest
from interrupts import interrupted

import tinygrad_edu as tg
from tinygrad_edu import Value, blocks, compiler, core, keras
from tinygrad_edu.compiler import scheduler, tracing
from tinygrad_edu.keras import keeping, models, programs, saving, training, turns, updating
from tinygrad_edu.nn import layers, module, optimizers


class Work(NamedTuple):
    """Something that is interrupted."""

    make: Callable[[], Any]  # what it is done to
    do: Callable[[Any], object]
    state: Callable[[Any], Any]  # what it changes, or what can then be computed
    within: list[ModuleType]  # where Ctrl-C is pressed
    lines: int = 1  # before every so many lines
    steps: int = 1  # of which some or all may have been done


def graph() -> list[Value]:
    x, y = Value(0.5), Value(2.0)
    x.grad, y.grad = 1.0, 2.0
    return [tg.tanh(x * y) + x * x, x, y]


def weights(kind: str) -> Any:
    optimizer = optimizers.OPTIMIZERS[kind]()
    optimizer.bind([[Value(float(i), role="parameter") for i in range(1, 4)]])
    for weight in optimizer.parameters:
        weight.grad = 1.0
    return optimizer


def model(eagerly: bool = False) -> Any:
    keras.utils.set_random_seed(1)
    made = keras.Sequential([keras.layers.Dense(2, input_shape=[1])])
    made.compile("adam", "mse", run_eagerly=eagerly)
    return made


def deep() -> Any:
    made = model()
    made.add(keras.layers.Dense(1))
    return made


def dropping(eagerly: bool) -> Any:
    made = model(eagerly)
    made.add(keras.layers.Dropout(0.5))
    made.compile("adam", "mse", run_eagerly=eagerly)
    return made


def modes_of(made: Any) -> Any:
    """Whether each layer drops numbers: not for use."""
    return [made.training, *(layer.training for layer in made.layers)]


def trained(made: Any) -> Any:
    return made.optimizer.iterations, [w.tolist() for w in made.get_weights()]


def compiled(made: Any) -> Any:
    return (
        made.loss.name, type(made.optimizer).__name__, list(made.measures), made.run_eagerly,
        made.evaluate([1.0], [[2.0, 3.0]], return_dict=True).keys(),
    )  # fmt: skip


def fit(made: Any) -> None:
    made.fit([1.0, 2.0], [[2.0, 3.0], [4.0, 6.0]], epochs=3, batch_size=1, verbose=0)


FILE: list[str] = []  # of weights
TRAINING = [blocks, training, programs, updating, turns, optimizers, core.value]
WORKS = {
    "backward": Work(
        graph, lambda nodes: nodes[0].backward(), lambda nodes: [x.grad for x in nodes[1:]],
        [core.value],
    ),
    **{
        f"{kind}.step": Work(
            lambda kind=kind: weights(kind), lambda optimizer: optimizer.step(),
            lambda optimizer: ([w.data for w in optimizer.parameters], optimizer.memory,
                               optimizer.iterations),
            [optimizers, core.value],
        )
        for kind in optimizers.OPTIMIZERS
    },
    "train_on_batch": Work(
        model, lambda made: made.train_on_batch([1.0], [[2.0, 3.0]]), trained, TRAINING, 37
    ),
    "train_on_batch, eagerly": Work(
        lambda: model(True), lambda made: made.train_on_batch([1.0], [[2.0, 3.0]]), trained,
        TRAINING, 17,
    ),
    "fit": Work(model, fit, trained, TRAINING, 97, 3),
    "fit, eagerly": Work(lambda: model(True), fit, trained, TRAINING, 149, 3),
    "model.compile": Work(
        model, lambda made: made.compile("sgd", "mae", ["mse"], run_eagerly=True), compiled,
        [training, turns, optimizers],
    ),
    "set_weights": Work(
        model, lambda made: made.set_weights([[[3.0, 4.0]], [5.0, 6.0]]), trained,
        [models, module, core.value, turns],
    ),
    "load_weights": Work(
        deep, lambda made: made.load_weights(FILE[0]), trained, [models, module, saving, layers],
    ),
    "load_state_dict": Work(
        deep, lambda made: made.load_state_dict(dict.fromkeys(made.state_dict(), 2.0)), trained,
        [module, core.value], 19,
    ),
    **{
        f"{name}{', eagerly' * eagerly}": Work(
            lambda eagerly=eagerly: dropping(eagerly), use, modes_of,
            [keeping, module], 37 if eagerly else 97,
        )
        for name, use in (
            ("predict", lambda made: made.predict([1.0, 2.0])),
            ("evaluate", lambda made: made.evaluate([1.0], [[2.0, 3.0]])),
            ("train_on_batch with dropout", lambda made: made.train_on_batch([1.0], [[2.0, 3.0]])),
        )
        for eagerly in (False, True)
    },
    "grad": Work(
        lambda: Value(0.5), lambda x: tg.grad(lambda x: tg.sin(x) * tg.grad(tg.exp)(x))(x),
        lambda x: len(core.calculus._running), [core.calculus, core.graph, core.value],
    ),
    "jit": Work(
        lambda: tg.jit(lambda x: tg.sin(x) * x), lambda f: f(2.0), lambda f: f(3.0),
        [tracing, scheduler, compiler.traced, blocks],
    ),
}  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def _file(tmp_path_factory: pytest.TempPathFactory) -> None:
    FILE[:] = [str(tmp_path_factory.mktemp("weights") / "w.json")]
    other = deep()
    other.set_weights([w + 1.0 for w in other.get_weights()])
    other.save_weights(FILE[0])


def states(work: Work) -> list[Any]:
    """The state before the work, and after each of its steps."""
    thing = work.make()
    seen = [work.state(thing)]
    if work.steps == 1:
        work.do(thing)
        return [*seen, work.state(thing)]
    every = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: seen.append(work.state(thing))
    )
    thing.fit([1.0, 2.0], [[2.0, 3.0], [4.0, 6.0]], epochs=3, batch_size=1, verbose=0,
              callbacks=[every])  # fmt: skip
    return seen


def elsewhere(f: Callable[[], object]) -> None:
    """Do it in another thread, which must not wait for a lock that this one kept."""
    thread = threading.Thread(target=f, daemon=True)
    thread.start()
    thread.join(20.0)
    assert not thread.is_alive(), "it waits for a lock"


@pytest.mark.parametrize("name", WORKS)
def test_after_an_interrupt_all_or_nothing_is_changed(name: str) -> None:
    work = WORKS[name]
    expected, pressed = states(work), 0
    for line in itertools.count(1, work.lines):
        thing = work.make()

        def do(thing: Any = thing) -> object:
            return work.do(thing)

        def found(line: int = line, do: Any = do) -> bool:
            """In a context of its own: a `no_grad` whose `__exit__` just begins may stay open."""
            was_pressed = interrupted(do, line, *work.within)
            assert blocks._innermost().trace is None, f"still tracing after line {line}"
            return was_pressed

        if not Context().run(found):
            break
        assert work.state(thing) in expected, f"Ctrl-C at line {line}"
        elsewhere(do)
        pressed += 1
    assert pressed >= 15
