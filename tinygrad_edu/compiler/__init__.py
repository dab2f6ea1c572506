"""Record once, replay fast: a graph of Values as a flat program, run by whichever executor fits.

    Values (value.py) -> trace -> Code (code.py), plain data -> an executor -> numbers

Nothing is differentiated here: the derivative of a program is the reverse sweep of
`calculus`, recorded as Values and flattened like any other expression.
"""

from __future__ import annotations

from .code import Code
from .lowering import Flat, flatten

__all__ = ["Code", "Flat", "flatten"]
