"""A recorded graph as words: each gradient as the sum over its paths, in numbers and LaTeX.

    snapshot (snapshots.py) -> all paths to a node (paths) -> the chain rule in words (gradients)
                            -> the operations in order (narrative), a nudge (comparing),
                               nan (nonfinite)
    the table, traced -> formulas (symbols, formulas, rendering), simplified by sympy (simplifying)
                      -> sentences, formulas, tables (document): text, LaTeX, Markdown, data

Everything is read from one `snapshot`, so the numbers always add up, and ``.grad`` is neither
needed nor touched. An optimiser's step is traced from its own rule (updates).
"""

from __future__ import annotations

from collections.abc import Sequence

from ..core.value import Value
from ..errors import GraphError
from ..snapshots import ids, snapshot
from .comparing import comparison
from .document import Explanation
from .gradients import gradient
from .narrative import narrative
from .updates import explain_update

__all__ = ["Explanation", "compare", "explain", "explain_update"]


def explain(loss: Value, w: Value | None = None) -> Explanation:
    """Explain a result or, with ``w``, the gradient of the result with respect to it.

    With ``w`` it shows every path from ``loss`` back to ``w``: the local derivatives along it, as
    formulas and as numbers, their product, and the sum of the products, which is the adjoint of
        ``w``:

        dL/dw = Σ over paths  Π over edges  ∂node/∂argument

    Paths through the same operations, such as those of the samples of a batch, share one formula
    and one table. If there are many paths, the largest are listed, with the exact number and sum of
    the others. With sympy (the extra ``symbols``) the formula is simplified, for display only.

    Without ``w`` it shows each operation in order. A nan or inf is traced back to its origin.

    Args:
        loss: a Value, the result.
        w: a Value from which ``loss`` was computed: a leaf, or any other.

    Returns:
        An `Explanation`: print it, or call its ``latex()``, ``markdown()`` or ``data()``.

    Raises:
        GraphError: if one of them is not a Value, or ``w`` is not in the graph of ``loss``.
        StaleGraph: if a leaf was changed after something was computed from it.

    >>> import tinygrad_edu as tg
    >>> w, x = Value(0.5, name="w"), Value(3.0, name="x")
    >>> print(explain((w * x - 3.0) ** 2, w))
    dL/dw = -9
    ──────────
    ...
      dL/dw = 2·(w·x − 3) · x
    ...
            = (-3) · 3
            = -9
    >>> print(explain(tg.tanh(w * x)))
    L = 0.905148
    ────────────
    <BLANKLINE>
    Given: w = 0.5, x = 3.
    <BLANKLINE>
      L = tanh(w·x) = tanh(0.5·3) = 0.905148
    """
    if w is None:
        return narrative(snapshot(_value(loss)))
    return gradient(snapshot(_value(loss)), _position(loss, w))


def compare(loss: Value, w: Value, h: float | Sequence[float] | None = None) -> Explanation:
    """Compare a gradient with finite differences: nudge ``w`` by ±h, and compute ``loss`` again.

    The forward, backward and central differences are shown beside the gradient:

        (L(w+h) − L(w))/h     (L(w) − L(w−h))/h     (L(w+h) − L(w−h))/2h

    The numbers are computed separately, so no Value changes. Operations with a kink within ±h are
    named.

    Args:
        loss: a Value, the result.
        w: a Value from which ``loss`` was computed: a leaf, or any other.
        h: the step; if not given, max(1, |w|) × 2⁻¹⁷, rounded down to a power of two, which
            suits the central difference of most functions. Several steps give a table, which shows
            that large steps miss the bend of the curve and small ones drown in rounding.

    Raises:
        GraphError: if one of them is not a Value, or ``w`` is not in the graph of ``loss``.
        BadArgument: if h is not positive, or too small to change ``w``.
        StaleGraph: if a leaf was changed after something was computed from it.

    >>> w = Value(3.0, name="w")
    >>> e = compare(w * w, w, h=0.5)
    >>> [(n["forward"], n["backward"], n["central"]) for n in e.data()["nudges"]]
    [(6.5, 5.5, 6.0)]
    """
    return comparison(snapshot(_value(loss)), _position(loss, w), h)


def _value(loss: Value) -> Value:
    if not isinstance(loss, Value):
        raise GraphError(
            f"Only a Value can be explained. Received: {loss!r} (of type {type(loss).__name__}). "
            f"Explain what your model returns, for instance its loss: tg.explain(loss, w)."
        )
    return loss


def _position(loss: Value, w: Value) -> int:
    """The id of ``w`` in the snapshot of ``loss``."""
    if not isinstance(w, Value):
        raise GraphError(f"w must be a Value. Received: {w!r} (of type {type(w).__name__}).")
    id = ids(loss).get(w)
    if id is not None:
        return id
    raise GraphError(
        f"The result was not computed from this Value. Received: {w!r}. Was it created after the "
        f"result? Values are compared by identity, not by name or number."
    )
