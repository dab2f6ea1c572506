"""Large graphs: nothing recurses, nothing is quadratic, and all of it dies by reference count."""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Callable, Iterator

import pytest

import tinygrad_edu as tg
from tinygrad_edu import Value
from tinygrad_edu.errors import StaleGraph


def chain(n: int) -> tuple[Value, float]:
    """x·(−1)·(−1)…: deep."""
    y = Value(2.0)
    for _ in range(n):
        y = -y
    return y, 1.0 if n % 2 == 0 else -1.0


def fan(n: int) -> tuple[Value, float]:
    """Σ x: wide."""
    x = Value(2.0)
    return tg.sum([x] * n), float(n)


def ladder(n: int) -> tuple[Value, float]:
    """y + y of y + y …, scaled back: 2ⁿ paths from the root to x."""
    y = Value(2.0)
    for _ in range(n // 2):
        y = 0.5 * (y + y)
    return y, 1.0


SHAPES = [chain, fan, ladder]


@pytest.fixture
def without_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def leaf_of(y: Value) -> Value:
    while y.args:
        y = next(arg for arg in y.args if isinstance(arg, Value))
    return y


@pytest.mark.usefixtures("without_collector")
@pytest.mark.parametrize("shape", SHAPES)
def test_a_large_graph_is_built_differentiated_shown_and_freed(
    shape: Callable[[int], tuple[Value, float]],
):
    def live() -> None:
        y, slope = shape(1_000_000)
        y.backward()
        assert leaf_of(y).grad == slope
        assert y == y.data
        assert hash(y) == hash(y)
        assert repr(y).startswith("Value(data=")

    shape(10)[0].backward()  # what is made once and kept
    before = sys.getallocatedblocks()
    live()
    assert sys.getallocatedblocks() - before < 5000  # the interpreter keeps a few for reuse


@pytest.mark.usefixtures("without_collector")
@pytest.mark.parametrize("shape", SHAPES)
def test_a_snapshot_of_a_large_graph(shape: Callable[[int], tuple[Value, float]]):
    y, slope = shape(100_000)
    graph = tg.snapshot(y)
    assert graph.root.data == y.data
    assert [n.adjoint for n in graph.nodes if n.op is None and n.role is None] == [slope]


def test_ten_thousand_diamonds_have_a_gradient_beyond_the_floats():
    x = y = Value(1e-300)
    for _ in range(10_000):
        y = y + y
    y.backward()
    assert (y.data, x.grad) == (float("inf"), float("inf"))


def test_a_snapshot_leaves_the_collector_as_it_was():
    x = Value(1.0)
    y = x * 2.0
    tg.snapshot(y)
    assert gc.isenabled()
    x.data = 3.0
    with pytest.raises(StaleGraph):
        tg.snapshot(y)
    assert gc.isenabled()
    gc.disable()
    try:
        tg.snapshot(x * 2.0)
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_models_of_thousands_of_layers_are_made_saved_and_loaded_in_linear_time(tmp_path):
    from tinygrad_edu import keras

    start = time.process_time()
    model = keras.Sequential([keras.Input((1,))])
    for _ in range(4000):
        model.add(keras.layers.Flatten())
    model.save(tmp_path / "m.json")
    keras.models.load_model(tmp_path / "m.json")
    assert time.process_time() - start < 10.0  # it was cubic, 2,000 layers took 35 s
    assert model.layers[-1].name == "flatten_3999"
