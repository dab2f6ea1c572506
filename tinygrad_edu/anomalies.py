"""`detect_anomaly`: the first nan or inf raises an error with the line that recorded it."""

from __future__ import annotations

from collections.abc import Collection
from math import isfinite, isnan
from typing import Any

from .blocks import MODE, Mode, entering
from .core.graph import datum, local_numbers
from .core.modes import caller
from .core.table import Op
from .core.value import Value
from .core.value import node as new_node
from .errors import Anomaly

__all__ = ["detect_anomaly"]


class Watched(Value):
    """A node that knows the file and line that recorded it."""

    __slots__ = ("birth",)

    birth: tuple[str, int]


def record(op: Op, args: tuple[Any, ...], data: float) -> Value:
    """`value.recorded`, with a check of the number."""
    new: Watched = new_node(Watched, op, args, data)
    new.birth = caller()
    check(new)
    if not MODE.get().recording:
        new.op, new.args = None, ()
    return new


def born(result: float, operands: Collection[float]) -> bool:
    """Whether a result is nan and no operand is, or not finite though all operands are.

    >>> from math import inf, nan
    >>> born(nan, [1.0]), born(inf, [1.0]), born(nan, [nan]), born(inf, [inf]), born(nan, [inf])
    (True, True, False, False, True)
    """
    if isnan(result):
        return not any(map(isnan, operands))
    return not isfinite(result) and all(map(isfinite, operands))


def check(node: Value) -> None:
    """Raise if a node is nan and no operand is, or not finite though all operands are."""
    assert node.op is not None
    numbers = [datum(arg) for arg in node.args]
    if born(node._data, numbers):
        kind = "finite operands" if all(map(isfinite, numbers)) else "operands that are not nan"
        raise Anomaly(f"{node.op.name} gave {node._data!r} from {kind}.{_origin(node)}")


def sweep(nodes: list[Value]) -> None:
    """`value.sweep`, with a check of each product before it is added."""
    for node in reversed(nodes):
        if node.op is None:
            continue
        for i, (arg, local) in enumerate(zip(node.args, local_numbers(node))):
            if local is None:
                continue
            product = node._grad * local
            if isfinite(node._grad) and not isfinite(product):
                zero = " Zero times infinity is nan: guard the argument, not the result."
                raise Anomaly(
                    f"backward through {node.op.name} gave {product!r} for its argument "
                    f"{i + 1}: upstream {node._grad!r} × local derivative {local!r}."
                    f"{'' if node._grad else zero}"
                    f"{_origin(node)}"
                )
            arg._grad += product


def _origin(node: Value) -> str:
    """The operands of a node and the line that recorded it, for an error."""
    assert node.op is not None
    names = node.op.parameters if node.op.arity else [f"[{i}]" for i in range(len(node.args))]
    operands = [
        f"{getattr(arg, 'name', None) or parameter} = {datum(arg)!r}"
        for parameter, arg in zip(names, node.args)
    ]
    if len(operands) > 6:
        operands[5:] = [f"... ({len(operands)} operands)"]
    place = "It was recorded outside detect_anomaly, so its line is not known"
    if isinstance(node, Watched):
        from linecache import getline

        file, line = node.birth
        place = f'File "{file}", line {line}: {getline(file, line).strip()}'
    scope = f" in {node.scope}" if node.scope else ""
    return f" Operands: {', '.join(operands)}{scope}. {place}"


class detect_anomaly(entering):
    """A block in which the first new nan or inf raises `Anomaly`, forward or backward.

    The error names the operation, its operands with their names, and the source line that
    recorded it. Run the forward pass inside the block too, otherwise the lines are unknown. In a
    function that is traced for compilation nothing is checked: its program computes the numbers.

    >>> import tinygrad_edu as tg
    >>> x = tg.Value(0.0, name="x")
    >>> with detect_anomaly():
    ...     tg.log(x)
    Traceback (most recent call last):
    ...
    tinygrad_edu.errors.Anomaly: log gave -inf from finite operands...
    """

    def __init__(self) -> None:
        super().__init__(record=record, sweep=sweep)

    def change(self, mode: Mode) -> None:
        if mode.trace is None:
            super().change(mode)
