"""The origin of a nan or an infinity, in the values or in the gradients."""

from __future__ import annotations

from collections.abc import Iterator
from math import isfinite
from typing import Any, Final, NamedTuple

from ..anomalies import born
from ..snapshots import Graph, Node
from ..strings import plural, short
from .document import Block, Prose, Title
from .formulas import Formulas
from .notation import Math, numeral

SHOWN: Final = 3  # anomalies that have a sentence each
KEPT: Final = 100  # anomalies in the data


class Birth(NamedTuple):
    """A nan or inf that was computed from numbers that were not.

    Attributes:
        node: the node at which it appeared.
        position: that of an argument, if it appeared in its gradient; None in the values.
        result: the nan or inf.
        operands: the arguments' values, or local derivative and upstream.
    """

    node: Node
    position: int | None
    result: float
    operands: tuple[float, ...]


def forward(graph: Graph) -> Iterator[Birth]:
    """Values that are not finite although all operands are, and nan computed from operands without
    nan.

    >>> from tinygrad_edu import Value, log, snapshot
    >>> x = Value(-1.0, name="x")
    >>> [birth.operands for birth in forward(snapshot(log(x) * 2.0 + 1.0))]
    [(-1.0,)]
    """
    for node in graph.nodes:
        if isfinite(node.data):
            continue
        operands = tuple(graph.nodes[arg].data for arg in node.args)
        if born(node.data, operands):
            yield Birth(node, None, node.data, operands)


def backward(graph: Graph) -> Iterator[Birth]:
    """Edges on which local derivative × upstream is not finite although upstream is.

    >>> from tinygrad_edu import Value, snapshot, sqrt
    >>> x = Value(0.0, name="x")
    >>> [birth.operands for birth in backward(snapshot(sqrt(x) * 0.0))]
    [(inf, 0.0)]
    """
    for node in reversed(graph.nodes):
        for position, (arg, local) in enumerate(zip(node.args, node.partials)):
            if local is None or isfinite(graph.nodes[arg].adjoint):
                continue
            product = local * node.adjoint
            if born(product, (node.adjoint,)):
                yield Birth(node, position, product, (local, node.adjoint))


def births(graph: Graph) -> list[Birth]:
    """Those in the values; if there are none, those in the gradients."""
    return list(forward(graph)) or list(backward(graph))


def as_data(births: list[Birth]) -> list[dict[str, Any]]:
    """The first anomalies as dicts, which JSON can store."""
    return [
        {
            "node": node.id,
            "name": node.name,
            "op": node.op.name if node.op else None,
            "scope": node.scope,
            "position": position,
            "result": result,
            "operands": list(operands),
        }
        for node, position, result, operands in births[:KEPT]
    ]


def blocks(graph: Graph, births: list[Birth]) -> list[Block]:
    """The first anomalies in sentences; nothing if everything is finite."""
    if not births:
        return []
    what, sentence, noun = "it", _in_values, "value"
    if births[0].position is not None:
        what, sentence, noun = "the gradient", _in_gradients, "edge"
    more = plural(len(births) - SHOWN, f"more {noun}")
    return [
        Title((f"Where {what} stopped being a number",)),
        *(sentence(graph, birth) for birth in births[:SHOWN]),
        *([Prose((f"And {more} of that kind.",))] if len(births) > SHOWN else []),
    ]


def _place(node: Node) -> str:
    return f" (in {short(node.scope, 60)})" if node.scope else ""


def _in_values(graph: Graph, birth: Birth) -> Prose:
    node, formulas = birth.node, Formulas(graph)
    symbol, result = formulas.symbol((node.id,)), numeral(birth.result)
    if node.op is None:
        return Prose((symbol, " is ", result, f" from the start{_place(node)}."))
    pieces: list[str | Math] = [symbol, " = ", formulas.opened((node.id,)).math(), " is ", result]
    pieces.append(f"{_place(node)}, though its operands are not: ")
    for i, arg in enumerate(node.args[:6]):
        name = formulas.term((arg,)).math()
        value = numeral(graph.nodes[arg].data)
        pieces += [", " if i else "", name]
        pieces += [] if name == value else [" = ", value]
    pieces.append(", …." if len(node.args) > 6 else ".")
    return Prose(tuple(pieces))


def _in_gradients(graph: Graph, birth: Birth) -> Prose:
    node, position = birth.node, birth.position
    assert position is not None
    formulas = Formulas(graph)
    local, upstream = birth.operands
    why = ""
    if {abs(local), abs(upstream)} == {0.0, float("inf")}:
        why = " Zero times infinity is nan: guard the argument of the operation, not its result."
    return Prose((
        "On the way from ", formulas.term((node.id,)).math(), " back to ",
        formulas.term((node.args[position],)).math(), f"{_place(node)}: local derivative ",
        numeral(local), " × upstream ", numeral(upstream), " = ", numeral(birth.result), "." + why,
    ))  # fmt: skip
