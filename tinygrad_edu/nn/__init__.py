"""Models built only from Values: neurons, layers, losses, metrics, optimisers.

micrograd's public names are here with its argument order and defaults, so a program written for
micrograd runs with only the import changed.

>>> from tinygrad_edu import nn
>>> model = nn.MLP(2, [3, 1], seed=0)
>>> model
MLP of [Layer of [ReLUNeuron(2), ReLUNeuron(2), ReLUNeuron(2)], Layer of [LinearNeuron(3)]]
>>> len(model.parameters())
13
"""

from .activations import ACTIVATIONS, VECTOR_ACTIVATIONS, activation, log_softmax, softmax
from .initializers import INITIALIZERS, Initializer, initializer
from .layers import (
    Activation,
    Add,
    Average,
    Concatenate,
    Dense,
    Dropout,
    Flatten,
    Input,
    Maximum,
    Minimum,
    Multiply,
    ShapedLayer,
    Signal,
    Softmax,
    Subtract,
)
from .losses import LOSSES, Loss, loss, mean_squared_error
from .metrics import METRICS, Metric, R2Score, metric
from .module import Module
from .neurons import MLP, Layer, Neuron
from .optimizers import (
    OPTIMIZERS,
    SGD,
    Adadelta,
    Adagrad,
    Adam,
    Adamax,
    AdamW,
    Ftrl,
    Lion,
    Nadam,
    Optimizer,
    RMSprop,
    optimizer,
)
from .regularizers import REGULARIZERS, Regularizer, regularizer
from .schedules import (
    CosineDecay,
    CosineDecayRestarts,
    ExponentialDecay,
    InverseTimeDecay,
    PiecewiseConstantDecay,
    PolynomialDecay,
    Schedule,
)

__all__ = [
    "ACTIVATIONS", "INITIALIZERS", "LOSSES", "METRICS", "MLP", "OPTIMIZERS", "REGULARIZERS", "SGD",
    "VECTOR_ACTIVATIONS", "Activation", "Adadelta", "Adagrad", "Adam", "AdamW", "Adamax", "Add",
    "Average", "Concatenate", "CosineDecay", "CosineDecayRestarts", "Dense", "Dropout",
    "ExponentialDecay", "Flatten", "Ftrl", "Initializer", "Input", "InverseTimeDecay", "Layer",
    "Lion", "Loss", "Maximum", "Metric", "Minimum", "Module", "Multiply", "Nadam", "Neuron",
    "Optimizer", "PiecewiseConstantDecay", "PolynomialDecay", "R2Score", "RMSprop", "Regularizer",
    "Schedule", "ShapedLayer", "Signal", "Softmax", "Subtract", "activation", "initializer",
    "log_softmax", "loss", "mean_squared_error", "metric", "optimizer", "regularizer", "softmax",
]  # fmt: skip
