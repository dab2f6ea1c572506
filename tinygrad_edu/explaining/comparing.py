"""A gradient compared with finite differences: nudge a number, and watch the result."""

from __future__ import annotations

from collections.abc import Sequence
from math import floor, frexp, isfinite, ldexp, log10
from typing import Any, Final, NamedTuple

from ..core.table import is_real, number
from ..errors import BadArgument
from ..snapshots import Graph, Node
from .document import Block, Explanation, Piece, Prose, Table, Title
from .formulas import Formulas
from .gradients import definition, identity
from .notation import Math, derivative, numeral, rounded

STEP: Final = 2.0**-17  # relative to the number: about ε^⅓, where a central difference is best


class Nudge(NamedTuple):
    """The result with a number nudged by ±h, and the slopes that follow from it."""

    h: float
    below: float
    above: float
    forward: float
    backward: float
    central: float


def comparison(graph: Graph, target: int, h: Any = None) -> Explanation:
    """The derivative of the root by a node, beside differences of the root, explained."""
    node, root = graph.nodes[target], graph.root
    formulas = Formulas(graph, (root.id, target))
    loss, name = formulas.symbol((root.id,)), formulas.symbol((target,))
    slope = node.adjoint
    nudges, crossed = zip(*[_nudged(graph, target, step) for step in _steps(node.data, h)])
    kinks = sorted(set().union(*crossed))
    best = min(nudges, key=lambda nudge: _gap(nudge.central, slope))
    one = len(nudges) == 1
    blocks: list[Block] = [
        Title(("Nudge ", name, ", and watch ", loss)),
        *(_one(loss, name, node, root, best) if one else _several(slope, nudges)),
        Prose(("The computed gradient is ", derivative(loss, name), " = ", numeral(slope),
               f": {_verdict(best.central, slope)}.")),
        *(Prose(("There is a kink within h, where the slope jumps: that of ",
                 definition(formulas.shorter(10), graph.nodes[id]),
                 ". Differences across it are not slopes.")) for id in kinks[:3]),
    ]  # fmt: skip
    data = {
        "kind": "comparison",
        "of": identity(root),
        "by": identity(node),
        "adjoint": slope,
        "nudges": [nudge._asdict() for nudge in nudges],
        "kinks": [identity(graph.nodes[id]) for id in kinks],
    }
    return Explanation(blocks, data)


def _steps(x: float, h: Any) -> list[float]:
    if h is None:
        _, exponent = frexp(x) if isfinite(x) and x else (0.0, 0)
        return [ldexp(STEP, max(exponent - 1, 0))]
    given = [h] if is_real(h) else list(h) if isinstance(h, Sequence) else [None]
    if not given or not all(is_real(s) and isfinite(number(s)) and number(s) > 0 for s in given):
        raise BadArgument(f"h must be a positive number, or several. Received: {h!r}.")
    return [number(step) for step in given]


def _nudged(graph: Graph, target: int, h: float) -> tuple[Nudge, set[int]]:
    """The results of a step of ±h, and the operations that leave their smooth piece within it."""
    x = graph.nodes[target].data
    runs = [_again(graph, target, at) for at in (x - h, x, x + h)]
    below, y, above = (numbers[-1] for numbers in runs)
    up, down = (x + h) - x, x - (x - h)  # the actual steps, after rounding
    if not (up and down):
        raise BadArgument(
            f"h is too small to change {x!r}. Received: {h!r}. Leave it out to get a suitable one."
        )
    nudge = Nudge(h, below, above, (above - y) / up, (y - below) / down,
                  (above - below) / (up + down))  # fmt: skip
    crossed = {
        node.id
        for node in graph.nodes[target + 1 :]
        if len({_piece(node, numbers) for numbers in runs}) > 1
    }
    return nudge, crossed


def _piece(node: Node, numbers: list[float]) -> float | None:
    """The smooth piece of its operation on which a node is; None for an infinity or nan."""
    if node.op is None or node.op.kinks is None:
        return None
    try:
        return node.op.kinks(*[numbers[arg] for arg in node.args])
    except (ArithmeticError, ValueError):
        return None


def _again(graph: Graph, target: int, x: float) -> list[float]:
    """The numbers of all nodes if one of them were x. The graph doesn't change."""
    numbers = [node.data for node in graph.nodes]
    numbers[target] = x
    moved = {target}
    for node in graph.nodes[target + 1 :]:
        if node.op is not None and not moved.isdisjoint(node.args):
            numbers[node.id] = node.op.compute(*[numbers[arg] for arg in node.args])
            moved.add(node.id)
    return numbers


def _one(loss: Math, name: Math, node: Node, root: Node, nudge: Nudge) -> list[Block]:
    rows: tuple[tuple[Piece, ...], ...] = (
        (Math(f"{name.text} − h", f"{name.tex} - h"), _full(node.data - nudge.h),
         _full(nudge.below)),
        (name, _full(node.data), _full(root.data)),
        (Math(f"{name.text} + h", f"{name.tex} + h"), _full(node.data + nudge.h),
         _full(nudge.above)),
    )  # fmt: skip
    slopes: tuple[tuple[Piece, ...], ...] = (
        ("forward: from here to the right", numeral(nudge.forward)),
        ("backward: from the left to here", numeral(nudge.backward)),
        ("central: from the left to the right", numeral(nudge.central)),
        ("the gradient", numeral(node.adjoint)),
    )
    return [
        Prose(("Nothing is differentiated here: ", loss, " is computed again with ", name,
               " a little smaller and a little larger, by h = ", numeral(nudge.h), ".")),
        Table("lrr", ("", name, loss), rows),
        Table("lr", ("change of the result over change of the number", "slope"), slopes),
    ]  # fmt: skip


def _several(slope: float, nudges: Sequence[Nudge]) -> list[Block]:
    rows = tuple(
        (numeral(n.h), numeral(n.forward), numeral(n.backward), numeral(n.central),
         numeral(_gap(n.central, slope)))
        for n in nudges
    )  # fmt: skip
    return [
        Table("rrrrr", (Math("h", "h"), "forward", "backward", "central", "central off by"), rows),
        Prose(("Large steps miss the bend of the curve, small ones drown in rounding: the best "
               "lie between.",)),
    ]  # fmt: skip


def _full(x: float) -> Math:
    text = f"{x:.12g}"
    return Math(text, numeral(x).tex if "e" in text or not isfinite(x) else text)


def _gap(x: float, y: float) -> float:
    gap = abs(x - y)
    return 0.0 if x == y else float("inf") if gap != gap else gap


def _verdict(central: float, slope: float) -> str:
    gap, size = _gap(central, slope), max(abs(central), abs(slope))
    if central != central and slope != slope:
        return "both are nan"
    if gap == 0.0:
        return "the central difference is the same to the last digit"
    if gap <= 0.01 * size:
        return f"the central difference agrees to {-floor(log10(gap / size)) - 1} digits"
    return f"the central difference is {rounded(central)} instead"
