"""A recorded graph as words: each gradient as the sum over its paths, in numbers and LaTeX.

    snapshot (graph.py) -> all paths to a node (paths) -> the chain rule in words (gradients)
                        -> the operations in order (narrative), a nudge (comparing), nan (anomalies)
    the table, traced   -> formulas (symbols, formulas), simplified by sympy (simplifying)
                        -> sentences, formulas, tables (document): text, LaTeX, Markdown, data

Everything is read from one `snapshot`, so the numbers always add up, and ``.grad`` is neither
needed nor touched. What an optimiser does is traced from its own rule (updates).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..core.value import Value
from ..errors import GraphError
from ..snapshots import ids, snapshot
from .comparing import comparison
from .document import Explanation
from .gradients import gradient
from .narrative import story
from .updates import update

__all__ = ["Explanation", "compare", "explain", "explain_update"]


def explain(loss: Value, w: Value | None = None) -> Explanation:
    """Why a number is what it is: a result, or with ``w`` the gradient of the result by it.

    With ``w`` it tells every path from ``loss`` back to ``w``: the local derivatives along it,
    as formulas and as numbers, their product, and the sum of the products, which is the
    adjoint of ``w``:

        ∂L/∂w = Σ over paths  Π over edges  ∂node/∂argument

    Paths through the same operations, those of the samples of a batch for instance, share one
    formula and have one table. Of many paths the biggest are told, and how many others there
    are and what they bring together, exactly counted. With sympy (the extra ``symbols``) the
    formula is simplified, for display only.

    Without ``w`` it tells each operation in order. A nan or inf is followed back to where it
    was born.

    Args:
        loss: a Value, the result.
        w: a Value that ``loss`` was computed from: a leaf, or any other.

    Returns:
        An `Explanation`: print it, or take its ``latex()``, ``markdown()`` or ``data()``.

    Raises:
        GraphError: if one of them is no Value, or ``w`` is not in the graph of ``loss``.
        StaleGraph: if a leaf was changed after something was computed from it.

    >>> import tinygrad_edu as tg
    >>> w, x = Value(0.5, name="w"), Value(3.0, name="x")
    >>> print(explain((w * x - 3.0) ** 2, w))
    ∂L/∂w = -9
    ──────────
    ...
      ∂L/∂w = 2·(w·x − 3) · x
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
        return story(snapshot(_value(loss)))
    return gradient(snapshot(_value(loss)), _position(loss, w))


def explain_update(optimizer: Any, w: Value) -> Explanation:
    """What the next step of an optimiser does to one parameter, in symbols and in numbers.

    The rule's own ``update`` is traced, so a rule of yours is explained too; one that can't be
    traced (it calls `math.sqrt`, say) is told in numbers only. Nothing changes.

    Args:
        optimizer: an `nn.Optimizer` that has its parameters, after ``backward()``.
        w: one of the parameters.

    Raises:
        BadArgument: if ``w`` is none of its parameters, or there is no optimiser.

    >>> from tinygrad_edu import nn
    >>> w = Value(1.0, name="w")
    >>> (w * w).backward()
    >>> print(explain_update(nn.SGD([w], 0.1), w))
    Step 1 of SGD: w from 1 to 0.8
    ──────────────────────────────
    <BLANKLINE>
      g = ∂L/∂w = 2
      mₜ = −α·g
         = −0.1·2
         = -0.2
      new w = w + mₜ
            = 1 + (-0.2)
            = 0.8
    <BLANKLINE>
    w moves by -0.2, against its gradient.
    """
    return update(optimizer, w)


def compare(loss: Value, w: Value, h: float | Sequence[float] | None = None) -> Explanation:
    """A gradient beside what it predicts: ``w`` nudged by ±h, and ``loss`` computed again.

    Forward, backward and central difference stand beside the gradient:

        (L(w+h) − L(w))/h     (L(w) − L(w−h))/h     (L(w+h) − L(w−h))/2h

    The numbers are computed aside: no Value changes. Operations that have a kink within ±h
    are named.

    Args:
        loss: a Value, the result.
        w: a Value that ``loss`` was computed from: a leaf, or any other.
        h: the step; if not given, max(1, |w|) × 2⁻¹⁷, rounded down to a power of two, which
            suits a central difference of most functions. Several steps give a table, in which
            large ones miss the bend of the curve and small ones drown in rounding.

    Raises:
        GraphError: if one of them is no Value, or ``w`` is not in the graph of ``loss``.
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
        raise GraphError(
            f"A gradient is taken by a Value. Received: {w!r} (of type {type(w).__name__})."
        )
    id = ids(loss).get(w)
    if id is not None:
        return id
    raise GraphError(
        f"The result was not computed from this Value. Received: {w!r}. Was it made anew, or the "
        f"result computed before? Values are told apart by identity, not by name or number."
    )
