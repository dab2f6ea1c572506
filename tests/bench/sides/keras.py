"""Keras 3 on JAX: the post's six lines. (It refuses tuples of int, so lists become arrays.)"""

from __future__ import annotations

import subprocess
import sys

from . import Work

POST = """
import os
os.environ["KERAS_BACKEND"] = "jax"
import keras
import numpy as np

keras.utils.set_random_seed(0)
model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(units=1)])
model.compile(optimizer="sgd", loss="mean_squared_error")
flats = np.array([1, 2, 3, 4, 5, 6, 7.0]).reshape(7, 1)
prices = np.array([10000, 20000, 30000, 40000, 50000, 60000, 70000.0]).reshape(7, 1)
"""


def fit(epochs: int) -> Work:
    names: dict = {}
    exec(POST, names)
    model, flats, prices = names["model"], names["flats"], names["prices"]

    def step():
        model.fit(flats, prices, epochs=epochs, shuffle=False, verbose=0)

    step()
    return Work(step, list)


def cold(epochs: int) -> Work:
    line = f"model.fit(flats, prices, epochs={epochs}, verbose=0)"
    return Work(lambda: subprocess.run([sys.executable, "-c", POST + line], check=True), list)
