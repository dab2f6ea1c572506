"""Regularisers under the names that Keras gives them: ``L2(0.01)``.

>>> from tinygrad_edu import keras
>>> keras.regularizers.L2(l2=0.5)
Regularizer('l2', l2=0.5)
"""

from ..nn.regularizers import REGULARIZERS, Regularizer
from .lookup import by_name

__getattr__ = by_name(__name__, "regularizer", REGULARIZERS, {}, Regularizer)
