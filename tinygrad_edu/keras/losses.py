"""Losses under the names that Keras gives them: ``MeanSquaredError()``, ``Huber(delta=2.0)``.

>>> from tinygrad_edu import keras
>>> keras.losses.BinaryCrossentropy(from_logits=True)
Loss('binary_crossentropy', from_logits=True)
"""

from ..nn.losses import ALIASES, LOSSES, Loss
from .lookup import by_name

__getattr__ = by_name(__name__, "loss", LOSSES, ALIASES, Loss)
