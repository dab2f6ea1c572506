"""Checks that every room shares: names of a table, and whole numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tinygrad_edu as tg
from tinygrad_edu import Value, errors, keras, nn
from tinygrad_edu.drawing import plots, tree
from tinygrad_edu.errors import check_name, check_whole


@pytest.mark.parametrize("n", [3, np.int64(3), np.uint8(3)])
def test_whole_numbers_are_taken_from_numpy_too(n):
    assert check_whole("n", n) == 3
    assert type(check_whole("n", n)) is int


@pytest.mark.parametrize("n", [0, -1, True, np.True_, 1.0, "1", None, float("nan")])
def test_anything_else_is_not_a_whole_number_from_1(n):
    with pytest.raises(errors.BadArgument, match="n must be a whole number from 1"):
        check_whole("n", n)


def draw(limit: Any) -> Any:
    return tg.draw(Value(1.0) * 2.0, limit=limit)


WHOLE = {
    "draw": draw,
    "draw depth": lambda n: tg.draw(Value(1.0) * 2.0, depth=n),
    "tree": lambda n: tree(Value(1.0) * 2.0, n),
    "regions": lambda n: plots.regions(lambda x: x[0], [[0.0, 1.0], [1.0, 0.0]], resolution=n),
    "neuron": nn.Neuron,
    "layer": lambda n: nn.Layer(1, n),
    "dense": keras.layers.Dense,
    "patience": lambda n: keras.callbacks.EarlyStopping(patience=n),
    "save_freq": lambda n: keras.callbacks.ModelCheckpoint("a.json", save_freq=n),
}


@pytest.mark.parametrize("what", WHOLE)
def test_every_room_asks_alike(what):
    WHOLE[what](2)
    WHOLE[what](np.int32(2))
    for refused in (True, 2.5, "2", -1):
        with pytest.raises(errors.BadArgument, match="whole number from"):
            WHOLE[what](refused)


def test_a_name_that_is_not_in_the_table_is_refused_with_the_nearest():
    check_name("mode", "forward", ("forward", "reverse"))
    with pytest.raises(errors.NameUnknown, match=r"Did you mean 'forward'"):
        check_name("mode", "foward", ("forward", "reverse"))
