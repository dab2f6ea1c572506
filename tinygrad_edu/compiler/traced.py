"""`Traced`: Values whose numbers can't be read, and `Trace`, the run of a function on them.

Every result of a traced Value is traced too, in every thread and task: that is seen on the
Value. Values that the function captures are ordinary ones, and must not be read either while it
runs: a program will find other numbers in them. That is seen in the mode, so only where the
function itself runs and not in threads that it starts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from ..blocks import MODE, entering
from ..core import ops
from ..core.graph import datum
from ..core.modes import traced_read
from ..core.operators import binary
from ..core.table import Op, number
from ..core.value import ROLES_SET, Value, node, tick
from ..errors import TracingError

__all__ = ["Mixed", "Roles", "Trace", "Traced", "leaked"]


class Mixed(TracingError):
    """Values of two traces were mixed: a jitted function captured those of an enclosing one."""


class Roles:
    """The roles on which a recording depends, to check whether they have changed.

    Args:
        values: the Values whose roles matter. Their current roles are remembered.
        read: a function from a Value to the property of its role that matters.

    Attributes:
        seen: the last change of a role that did not matter.
    """

    def __init__(self, values: Iterable[Value], read: Callable[[Value], Any]) -> None:
        self.values, self._read = list(values), read
        self.seen = ROLES_SET[0]
        self._were = list(map(read, self.values))

    def __reduce__(self) -> tuple[Any, ...]:
        return Roles, ([x for x in self.values if x.op is None], self._read)  # without the graph

    def changed(self) -> list[Value]:
        """The Values whose role has changed."""
        last = ROLES_SET[0]
        if last == self.seen:
            return []
        others = [x for x, was in zip(self.values, self._were) if self._read(x) != was]
        if not others:
            self.seen = last
        return others


class Trace(entering):
    """The trace of one function; a block, which may be entered several times.

    Attributes:
        consulted: the Values on whose roles the recording depends.
        since: the serial number at which it began. Older nodes were recorded before, and are
            constants of the program.
    """

    def __init__(self) -> None:
        super().__init__(trace=self, record=self.record, recording=True, sweep=None)
        self.since = tick()
        self.consulted = set[Value]()

    def leaf(self, x: float, role: str | None = None) -> Traced:
        """An argument of the function, which is x in this call."""
        new = self._node(None, (), x)
        new.role = role
        return new

    def record(self, op: Op, args: tuple[Any, ...], data: float) -> Traced:
        """`value.recorded`, for a node of this trace.

        Under `no_grad` a leaf would be a number of this one call; so the program computes it,
        and no gradient flows through it.
        """
        if not self._open:
            raise leaked()
        new = self._node(op, args, data)
        return new if MODE.get().recording else self._node(ops.stop_gradient, (new,), data)

    def _node(self, op: Op | None, args: tuple[Any, ...], data: float) -> Traced:
        new: Traced = node(Traced, op, args, data)
        new.trace = self
        return new

    def check(self, live: Iterable[Value]) -> None:
        """Raise if a derivative goes through a node that is older than the trace: its slope must
        not mix the number of its recording with those of a later call."""
        for x in live:
            if x.trace is None:
                self.consulted.add(x)
            if x._serial < self.since and x.op is not None:
                raise TracingError(
                    f"A derivative through {x!r}, the result of {x.op.name}, was asked for "
                    f"while a function is traced for compilation that did not record it. Compute "
                    f"it inside the function; tg.replay(y) records the expression of y again."
                )


def leaked() -> TracingError:
    """The error for a Value of a trace that has ended."""
    return TracingError(
        "A Value was kept from a function that was traced for compilation, and used after its "
        "trace had ended: it represents a number of each later call, and has no number itself. "
        "Return the Value from the function instead of storing it."
    )


class Traced(Value):
    """A Value of a trace."""

    __slots__ = ("trace",)

    trace: Trace  # type: ignore[misc]

    @property
    def data(self) -> float:
        self.read("The data of a Value was read")
        return self._data

    @data.setter
    def data(self, data: Any) -> None:
        self.read("The data of a Value was set")

    def read(self, what: str) -> None:
        raise traced_read(what) if self.trace._open else leaked()

    @staticmethod
    def interpret(op: Op, args: Sequence[Any]) -> Value:
        args = tuple(arg if isinstance(arg, Value) else number(arg) for arg in args)
        traces = {arg.trace for arg in args if isinstance(arg, Traced)}
        inner = MODE.get().trace
        if len(traces | ({inner} if inner else set())) > 1:
            raise (
                leaked()
                if not all(trace._open for trace in traces)
                else Mixed("A jitted function captured a Value of a function that is being traced.")
            )
        return traces.pop().record(op, args, number(op.compute(*map(datum, args))))


# A subclass's own operators are called first, even if an ordinary Value is on the left.
for _name, _op in {
    "add": ops.add, "sub": ops.sub, "mul": ops.mul, "truediv": ops.div,
    "floordiv": ops.floordiv, "mod": ops.mod,
}.items():  # fmt: skip
    _forward, _reflected = binary(_op)
    setattr(Traced, f"__{_name}__", _forward)
    setattr(Traced, f"__r{_name}__", _reflected)
Traced._pow, Traced.__rpow__ = binary(ops.pow)  # type: ignore[method-assign]
