"""tinygrad_edu: scalar automatic differentiation to learn from, build with and trust.

>>> import tinygrad_edu as tg
>>> w = tg.Value(3.0, name="w")
>>> loss = (2.0 * w - 1.0) ** 2
>>> loss.backward()
>>> w.grad
20.0

This module defines only names. Rooms other than the engine (models, pictures, checks) are imported
when one of their names is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from . import aliases, fast
from .anomalies import detect_anomaly
from .core import exports
from .core.calculus import grad, gradients, hvp, jvp, value_and_grad, vjp
from .core.exports import *
from .core.modes import no_grad, scope
from .core.table import TABLE, Op
from .core.value import Value, backward, replay, zero_grad
from .defining import op
from .matrices import hessian, jacobian
from .snapshots import Graph, snapshot
from .trees import ravel, register_container

if TYPE_CHECKING:
    from . import keras, nn, testing
    from .compiler import Program, compile, jit, vmap
    from .compiler.exporting import export
    from .drawing import Drawing, Film, draw, film, plots, register_layout_engine, tree
    from .explaining import Explanation, compare, explain, explain_update
    from .exploring import Page, explore

__version__ = "0.1.0"

fast.install()
aliases.install()


def _shown(self: Value, include: Any = None, exclude: Any = None) -> dict[str, str]:
    """For notebooks; see `drawing.notebook`."""
    from .drawing.notebook import shown

    return shown(self, include, exclude)


def _explained(self: Value, w: Value | None = None) -> Explanation:
    """`explain` of this Value."""
    from .explaining import explain

    return explain(self, w)


Value._repr_mimebundle_ = _shown  # type: ignore[attr-defined]
Value.explain = _explained  # type: ignore[method-assign]

# Names that are imported late, with the modules that define them, or that they are.
_LATE: dict[str, str] = {
    **dict.fromkeys(
        ["Drawing", "Film", "draw", "film", "register_layout_engine", "tree"], ".drawing"
    ),
    **dict.fromkeys(["Explanation", "compare", "explain", "explain_update"], ".explaining"),
    **dict.fromkeys(["Page", "explore"], ".exploring"),
    **dict.fromkeys(["Program", "compile", "jit", "vmap"], ".compiler"),
    "export": ".compiler.exporting",
    "keras": ".keras", "nn": ".nn", "ops": ".core.ops", "plots": ".drawing.plots",
    "testing": ".testing",
}  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _LATE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = importlib.import_module(_LATE[name], __name__)
    globals()[name] = late = getattr(module, name, module)
    return late


def __dir__() -> list[str]:
    return sorted({*globals(), *_LATE})


__all__ = [
    "TABLE", "Drawing", "Explanation", "Film", "Graph", "Op", "Page", "Program", "Value",
    "backward", "compare", "compile", "detect_anomaly", "draw", "explain", "explain_update",
    "explore", "export", "film", "grad", "gradients", "hessian", "hvp", "jacobian", "jit", "jvp",
    "keras", "nn", "no_grad", "op", "plots", "ravel", "register_container",
    "register_layout_engine", "replay", "scope", "snapshot", "testing", "tree", "value_and_grad",
    "vjp", "vmap", "zero_grad",
]  # fmt: skip
__all__ += exports.__all__
