"""Functions of whole arrays under the names that Keras gives them, for losses, metrics and layers.

They work on arrays of numbers and Values, and on Signals, where they make layers.

>>> from tinygrad_edu import keras
>>> float(keras.ops.mean(keras.ops.square([1.0, 3.0])))
5.0
"""

from .of_arrays import FUNCTIONS

globals().update(FUNCTIONS)
__all__ = [*FUNCTIONS]
