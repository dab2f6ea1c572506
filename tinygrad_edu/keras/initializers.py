"""Initialisers under the names that Keras gives them: ``GlorotUniform()``, ``Constant(0.5)``.

>>> from tinygrad_edu import keras
>>> keras.initializers.Constant(value=0.5)
Initializer('constant', value=0.5)
"""

from ..nn.initializers import ALIASES, INITIALIZERS, Initializer
from .lookup import by_name

__getattr__ = by_name(__name__, "initializer", INITIALIZERS, ALIASES, Initializer)
