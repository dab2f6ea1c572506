"""Makes the files beside this one with Keras 3.15.1 on JAX, in float64: `python make.py .`

Keras's tanh is float32 there, and several inputs pass through float32, so neither is used with
numbers that need more.
"""

import json
import os
import sys
from pathlib import Path

os.environ["KERAS_BACKEND"] = "jax"

import jax
import keras
import numpy as np
from keras import layers

jax.config.update("jax_enable_x64", True)
keras.config.set_floatx("float64")
keras.utils.set_random_seed(7)
X = np.round(np.random.default_rng(0).normal(size=(8, 3)) * 8) / 8
ONE_HOT = np.eye(2)[[0, 1] * 4]


def dense():
    model = keras.Sequential(
        [
            layers.Input((3,)),
            layers.Dense(4, "relu", kernel_regularizer="l2", kernel_initializer="he_normal"),
            layers.Dropout(0.3),
            layers.Dense(2, "softmax", name="out"),
        ],
        name="dense_model",
    )
    adam = keras.optimizers.Adam(0.01)
    model.compile(adam, "categorical_crossentropy", metrics=["accuracy"])
    model.fit(X, ONE_HOT, epochs=3, batch_size=4, verbose=0)
    return model


def functional():
    a, b = keras.Input((2,), name="a"), keras.Input((1,), name="b")
    shared = layers.Dense(2, "sigmoid")
    joined = layers.Concatenate()([shared(shared(a)), b])
    out = layers.Add()([layers.Dense(1, "softplus", use_bias=False)(joined), b])
    model = keras.Model([a, b], out, name="wired")
    sgd = keras.optimizers.SGD(0.05, momentum=0.9)
    model.compile(sgd, keras.losses.Huber(), metrics=["mae"])
    model.fit([X[:, :2], X[:, 2:]], X[:, :1], epochs=3, batch_size=4, verbose=0)
    return model


def plain():
    return keras.Sequential(
        [
            layers.Input((3,)),
            layers.Flatten(),
            layers.Dense(3, activation="gelu"),
            layers.Activation("silu"),
            layers.Dense(2, "elu"),
            layers.Softmax(),
        ],
        name="plain",
    )


recorded = {"keras": keras.__version__, "x": X.tolist()}
for make in (dense, functional, plain):
    model, name = make(), make.__name__
    model.save(f"{sys.argv[1]}/{name}.keras")
    model.save_weights(f"{sys.argv[1]}/{name}.weights.h5")
    x = [X[:, :2], X[:, 2:]] if name == "functional" else X
    y = ONE_HOT if name == "dense" else X[:, :1]
    numbers = {"predict": model.predict(x, verbose=0).tolist()}
    if name != "plain":
        numbers["evaluate"] = [float(v) for v in model.evaluate(x, y, verbose=0, batch_size=8)]
    if name == "functional":  # the others have dropout, or were not compiled
        model.fit(x, y, epochs=3, batch_size=8, shuffle=False, verbose=0)
        numbers["trained"] = model.predict(x, verbose=0).tolist()
    recorded[name] = numbers
Path(sys.argv[1], "recorded.json").write_text(json.dumps(recorded), encoding="utf-8")
