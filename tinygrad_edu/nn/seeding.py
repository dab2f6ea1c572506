"""The one source of randomness that models draw their seeds from; never the global one."""

from __future__ import annotations

from random import Random

_SOURCE = Random()


def set_random_seed(seed: int) -> None:
    """From here on every model starts, shuffles and drops out as the seed determines.

    >>> from tinygrad_edu import keras
    >>> set_random_seed(1)
    >>> one = keras.Sequential([keras.layers.Dense(1, input_shape=[1])]).state_dict()
    >>> set_random_seed(1)
    >>> one == keras.Sequential([keras.layers.Dense(1, input_shape=[1])]).state_dict()
    True
    """
    _SOURCE.seed(seed)


def fresh() -> Random:
    """A random stream of its own for one model."""
    return Random(_SOURCE.getrandbits(64))
