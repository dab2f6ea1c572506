"""`Expression`: a small program of rows that can be run on any kind of number and printed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from ..core import ops
from ..core.table import Op
from ..errors import BadArgument

__all__ = ["Expression"]

_OPERATORS = {ops.add: "+", ops.sub: "-", ops.mul: "*", ops.div: "/"}
_UNLISTED = {ops.unless_nan}  # a built-in row that the package doesn't export


class Expression(NamedTuple):
    """A function made of rows, as data. Calling it runs it; its repr is code that does the same.

    Attributes:
        leaves: the number of arguments.
        steps: the operations, in order: a row, and the places of its operands. Places number the
            arguments first and then the results of the steps; the last one is the result.

    >>> from tinygrad_edu import ops
    >>> f = Expression(2, ((ops.mul, (0, 1)), (ops.tanh, (2,)), (ops.add, (3, 2))))
    >>> f
    lambda a, b: tg.tanh((c := a * b)) + c
    >>> f(0.5, 4.0)
    2.964027580075817
    """

    leaves: int
    steps: tuple[tuple[Op, tuple[int, ...]], ...]

    def __call__(self, *args: Any, apply: Callable[[Op, Sequence[Any]], Any] | None = None) -> Any:
        """The result for these arguments: floats, Values, or types that ``apply`` accepts.

        Args:
            *args: one argument per leaf.
            apply: ``apply(op, operands)`` computes one operation, for instance with complex numbers
                or numbers of many digits. If not given, the row itself.

        Raises:
            BadArgument: for another number of arguments.

        >>> import cmath
        >>> from tinygrad_edu import ops
        >>> f = Expression(1, ((ops.exp, (0,)),))
        >>> f(1e-20j, apply=lambda op, z: getattr(cmath, op.name)(*z)).imag / 1e-20
        1.0
        """
        return self.trace(*args, apply=apply)[-1]

    def trace(
        self, *args: Any, apply: Callable[[Op, Sequence[Any]], Any] | None = None
    ) -> list[Any]:
        """The arguments and then the result of every step, as the places of ``steps`` count."""
        if len(args) != self.leaves:
            raise BadArgument(f"{self!r} takes {self.leaves} arguments. Received: {len(args)}.")
        compute, results = apply or applied, list(args)
        for op, places in self.steps:
            results.append(compute(op, [results[i] for i in places]))
        return results

    def __repr__(self) -> str:
        # Operands are evaluated in the order in which they are written, so a result that is used
        # more than once gets its name (:=) where it is written first.
        uses = Counter(i for _, places in self.steps for i in places)
        names = [letter(i) for i in range(self.leaves + len(self.steps))]
        written = set(range(self.leaves))

        def code(root: int) -> str:
            """Iterative, as every walk here: pieces of text, and places still to be written."""
            pieces: list[str] = []
            todo: list[str | tuple[int, bool]] = [(root, False)]
            while todo:
                item = todo.pop()
                if isinstance(item, str):
                    pieces.append(item)
                    continue
                i, inside = item
                if i in written:
                    pieces.append(names[i])
                    continue
                op, places = self.steps[i - self.leaves]
                parts = _parts(op, places, inside and uses[i] < 2)
                if uses[i] > 1:
                    written.add(i)
                    parts = [f"({names[i]} := ", *parts, ")"]
                todo.extend(reversed(parts))
            return "".join(pieces)

        return f"lambda {', '.join(names[: self.leaves])}: {code(len(names) - 1)}"


def applied(op: Op, operands: Sequence[Any]) -> Any:
    """A row applied to its operands, n-ary or not."""
    return op(*operands) if op.arity is not None else op(operands)


def letter(i: int) -> str:
    """The name of the i-th argument or result: a, b, ..., z, a1, b1, ..."""
    return chr(ord("a") + i % 26) + (str(i // 26) if i >= 26 else "")


def _parts(op: Op, places: Sequence[int], inside: bool) -> list[str | tuple[int, bool]]:
    """The code of one operation: text, and places whose code goes between.

    ``inside``: whether it is next to an operator and may need parentheses.
    """
    if op in _OPERATORS:
        left, right = places
        parts: list[str | tuple[int, bool]] = [(left, True), f" {_OPERATORS[op]} ", (right, True)]
    elif op is ops.neg:
        parts = ["-", (places[0], True)]
    else:
        listed = getattr(ops, op.name, None) is op and op not in _UNLISTED
        called = f"tg.{op.name}" if listed else f"tg.TABLE[{op.name!r}]"
        operands = [piece for i in places for piece in (", ", (i, False))]
        opening, closing = ("(", ")") if op.arity is not None else ("([", "])")
        return [called, opening, *operands[1:], closing]
    return ["(", *parts, ")"] if inside else parts
