"""A recorded graph as a picture: DOT, SVG, PNG, PDF, or a tree for the terminal.

    snapshot (snapshots.py) -> cards and links (folding) -> DOT text (dot)
                               -> an engine (layout_engines)
                               -> clean SVG, coloured by classes (svg) -> a Drawing (picture)
                               -> one layout for many numbers (layout) -> a Film (films)
                            -> a tree for the terminal (text)
    a model -> its neurons and weights as DOT text (network) -> a Drawing

Everything is read from one `snapshot`, so the numbers on a picture always add up, and ``.grad`` is
neither needed nor changed. Importing this room imports only the standard library: the layout engine
is located when something is rendered.
"""

from __future__ import annotations

from .films import Film, film
from .layout_engines import register_layout_engine
from .picture import Drawing, draw
from .text import tree
from .themes import THEMES

__all__ = ["THEMES", "Drawing", "Film", "draw", "film", "register_layout_engine", "tree"]
