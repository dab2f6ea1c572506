"""Metrics under the names that Keras gives them: ``MeanAbsoluteError()``, ``R2Score()``.

>>> from tinygrad_edu import keras
>>> keras.metrics.BinaryAccuracy(threshold=0.7)
Metric('binary_accuracy', threshold=0.7)
"""

from ..nn.metrics import ALIASES, METRICS, Metric, R2Score
from .lookup import by_name

__all__ = ["R2Score"]

__getattr__ = by_name(__name__, "metric", METRICS, ALIASES, Metric)
