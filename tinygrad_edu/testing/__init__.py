"""Tools to test your own mathematics: gradient checks and Hypothesis strategies.

`check_grads` compares reverse mode, forward mode and differences of the values; `check_op` does so
for one row of the table at many points, and answers in words. Both need only the standard library.
`strategies` generates numbers, Values and whole random expression graphs
for property tests; it needs Hypothesis: ``pip install 'tinygrad-edu[testing]'``.

>>> import tinygrad_edu as tg
>>> check_grads(lambda x, y: tg.sin(x) * y, 0.5, 2.0)
GradientReport: 20 comparisons, all agree.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from .checking import GradientReport, check_grads
from .differences import Kink
from .expressions import Expression
from .rows import check_op

if TYPE_CHECKING:
    from . import strategies as strategies

__all__ = ["Expression", "GradientReport", "Kink", "check_grads", "check_op", "strategies"]


def __getattr__(name: str) -> Any:  # Hypothesis is imported only if it is used
    if name == "strategies":
        return importlib.import_module(".strategies", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
