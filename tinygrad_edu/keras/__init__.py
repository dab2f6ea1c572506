"""The post's six lines, and the rest of Keras's interface, built only on Values.

>>> from tinygrad_edu import keras
>>> model = keras.Sequential([keras.layers.Dense(units=1, input_shape=[1])])
>>> model.compile(optimizer="sgd", loss="mean_squared_error")
>>> model.layers[0].set_weights([[[0.0]], [0.0]])
>>> num_of_flats = (1, 2, 3, 4, 5, 6, 7)
>>> price_of_house = (10000, 20000, 30000, 40000, 50000, 60000, 70000)
>>> history = model.fit(num_of_flats, price_of_house, epochs=500, verbose=0)
>>> [[price]] = model.predict([10])
>>> round(price, 4)
99711.7725

Names, arguments, defaults and numbers are those of Keras; errors and warnings say more. Every
layer, loss and optimiser is one of `tinygrad_edu.nn`, under Keras's name.
"""

import sys

from ..nn.seeding import set_random_seed
from ..nn.variables import Variable
from . import (
    activations,
    callbacks,
    constraints,
    initializers,
    layers,
    losses,
    metrics,
    models,
    ops,
    optimizers,
    regularizers,
    saving,
    utils,
)
from .bases import Initializer, Loss, Metric, Regularizer
from .interchange import from_keras
from .layers import Input, Layer
from .lookup import missing
from .models import Model, Sequential
from .optimizers import Optimizer

__all__ = [
    "Initializer", "Input", "Layer", "Loss", "Metric", "Model", "Optimizer", "Regularizer",
    "Sequential", "Variable", "activations", "callbacks", "constraints", "from_keras",
    "initializers", "layers", "losses", "metrics", "models", "ops", "optimizers", "regularizers",
    "saving", "set_random_seed", "utils",
]  # fmt: skip

for _room in (
    sys.modules[__name__], activations, callbacks, constraints, initializers, layers, losses,
    metrics, models, ops, optimizers, optimizers.schedules, regularizers, saving, utils,
):  # fmt: skip
    vars(_room)["__getattr__"] = missing(_room)
