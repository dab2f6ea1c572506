"""`Value`: a float that remembers how it was computed.

An operation on Values computes its float by a row of the table and keeps three things:
the number, the row, and the arguments. `backward` asks each row for its partials, newest
node first, and that is all there is to reverse-mode differentiation:

    adjoint(arg) += adjoint(node) × ∂node/∂arg

Everything here is written in the plainest way. `fast` spells out the most frequent parts again and
replaces them; tests compare the two.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import count
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeAlias

from ..blocks import MODE
from ..errors import BadArgument, GraphError, NotANumber, unknown_name
from ..locks import lock
from ..strings import legible
from . import ops
from .graph import by_serial, datum, local_numbers, tape
from .modes import refuse_while_tracing
from .operators import Operators
from .table import Op, number

if TYPE_CHECKING:
    from ..explaining import Explanation

__all__ = ["Number", "Value", "backward", "replay", "zero_grad"]

# Roles are compared by identity in the sweep, so each is one string object.
ROLES: Final = {role: role for role in ("input", "target", "parameter", "constant")}
CONSTANT: Final = ROLES["constant"]
ROLES_SET: Final = [0]
"""The serial number of the last change of a role, for programs that depend on roles."""

tick = count().__next__
_mode = MODE.get
_new = object.__new__


# ── Recording ─────────────────────────────────────────────────────────────────────────────


def recorded(op: Op, args: tuple[Any, ...], data: float) -> Any:
    """The node of an operation that was computed; under `no_grad` a leaf.

    An open block may have set another recorder: that of `detect_anomaly` checks each number, and
    that of the compiler hides them.
    """
    mode = _mode()
    if mode.record is not None:
        return mode.record(op, args, data)
    return node(Value, op, args, data) if mode.recording else node(Value, None, (), data)


def node(kind: type[Value], op: Op | None, args: tuple[Any, ...], data: float) -> Any:
    """A new node of some kind of Value, made by ``op`` from ``args``; a leaf without them."""
    new = _new(kind)
    new._data = data
    new._grad = 0.0
    new.op = op
    new.args = args
    new._serial = tick()
    new._name = new._role = None
    new.scope = _mode().scope
    return new


class Value(Operators):
    """A float that records the operations on it and backpropagates gradients.

    Args:
        data: a real number (int, float, NumPy scalar, anything with ``__float__``).
        name: its name in pictures and explanations.
        role: "input", "target", "parameter", "constant" or None. No gradient flows to a
            constant.

    Attributes:
        data: the number. Setting a leaf's data marks every graph that used it as stale.
        grad: for a leaf, the sum of the adjoints of all backward passes since `zero_grad`; for an
            interior node, the adjoint of the last pass.
        op: the row of the table that computed it, None for a leaf.
        args: the arguments of that row, Values and plain floats, in order.
        scope: the path of the `scope` blocks that were open when it was created.

    Raises:
        NotANumber: if ``data`` is a string, complex, None, a list, another Value, ...

    >>> w = Value(3.0, name="w")
    >>> loss = (w * 2.0 - 1.0) ** 2
    >>> loss.backward()
    >>> w
    Value(data=3.0, grad=20.0, name='w')
    """

    if TYPE_CHECKING:  # attached by the front door, which knows the rooms above

        def explain(self, w: Value | None = None) -> Explanation: ...

    __slots__ = ("_data", "_grad", "_name", "_role", "_serial", "args", "op", "scope")

    _data: float
    _grad: float
    _name: str | None
    _role: str | None
    _serial: int
    args: tuple[Any, ...]
    op: Op | None
    scope: str | None
    trace: ClassVar[Any] = None  # of the compiler's own kind of Value, the trace that it is in

    def __init__(self, data: Any, name: str | None = None, role: str | None = None) -> None:
        self._data, self._grad = number(data), 0.0
        self._serial = tick()
        self.op, self.args = None, ()
        self.name = name
        self._role = None if role is None else _known_role(role)
        self.scope = _mode().scope

    @property
    def data(self) -> float:
        if _mode().trace is not None:
            self.read("The data of a Value was read")
        return self._data

    @data.setter
    def data(self, data: Any) -> None:
        self.read("The data of a Value was set")
        if self.op is not None:
            raise GraphError(
                f"The data of an interior node is the result of {self.op.name}; only leaves "
                f"can be set. Received: {data!r}. Change a leaf and compute again."
            )
        self._data = number(data)
        self._serial = tick()  # younger than all results of the old number, which are now stale

    @property
    def grad(self) -> float:
        self.read("The grad of a Value was read")
        return self._grad

    @grad.setter
    def grad(self, grad: Any) -> None:
        self.read("The grad of a Value was set")
        self._grad = number(grad)

    @property
    def name(self) -> str | None:
        return self._name

    @name.setter
    def name(self, name: str | None) -> None:
        if name is not None and not isinstance(name, str):
            raise NotANumber(f"A name must be a string. Received: {name!r}.")
        self._name = name

    @property
    def role(self) -> str | None:
        trace = _mode().trace
        if trace is not None:
            trace.consulted.add(self)
        return self._role

    @role.setter
    def role(self, role: str | None) -> None:
        self._role = None if role is None else _known_role(role)
        ROLES_SET[0] = tick()

    def read(self, what: str) -> None:
        """Raise if a function is being traced, because its program would keep the current
        number."""
        refuse_while_tracing(what)

    @staticmethod
    def interpret(op: Op, args: Sequence[Any]) -> Value:
        """Compute and record a row, applied to arguments of which one is a Value.

        This is the seam between the table and its interpreters; see `table.Op`. A kind of Value
        with its own interpretation goes first.
        """
        for arg in args:
            if isinstance(arg, Value) and type(arg).interpret is not Value.interpret:
                return type(arg).interpret(op, args)
        args = tuple(arg if isinstance(arg, Value) else number(arg) for arg in args)
        return recorded(op, args, number(op.compute(*map(datum, args))))  # type: ignore[no-any-return]

    def backward(self, seed: float = 1.0) -> None:
        """Add to every leaf's ``grad`` the derivative of ``seed`` × this Value with respect to that
        leaf.

        The ``grad`` of an interior node is then its adjoint of this pass. Calling it twice gives
        exactly twice the leaf gradients; `zero_grad` clears them. It never raises because of a
        number: a gradient may be inf or nan.

        Raises:
            StaleGraph: if a leaf has changed since; nothing is written then.

        >>> x = Value(2.0)
        >>> (x * x * x).backward()
        >>> x.grad
        12.0
        """
        backward([self], [seed])

    def zero_grad(self) -> None:
        """Set this Value's ``grad`` to 0."""
        self._grad = 0.0

    def detach(self) -> Value:
        """A new leaf with the same number and name, without the graph."""
        if self.trace is not None or _mode().trace is not None:  # a leaf would hide its origin
            stopped = self.interpret(ops.stop_gradient, (self,))
            stopped._name, stopped._role = self._name, self.role
            return stopped
        return Value(self._data, self._name, self._role)

    def __repr__(self) -> str:
        name = "" if self._name is None else f", name={self._name!r}"
        if self.trace is not None:
            return f"Value(being traced{name})"
        return legible(f"Value(data={self._data!r}, grad={self._grad!r}{name})")

    def __format__(self, spec: str) -> str:
        if spec:
            self.read("The number of a Value was formatted")
        return format(self._data, spec) if spec else repr(self)

    def __reduce__(self) -> tuple[Any, ...]:
        self.read("A Value was copied")
        if self.op is not None:
            raise GraphError(
                f"Recorded graphs are not copied or pickled, only leaves and Modules are. "
                f"Received: the result of {self.op.name}. Use v.detach() for a leaf with its "
                f"number, or tg.replay(v) to record the expression again."
            )
        return _leaf, (self._data, self._grad, self._name, self._role, self.scope)


Number: TypeAlias = "Value | float"


def _known_role(role: str) -> str:
    if role not in ROLES:
        raise unknown_name("role", role, ROLES)
    return ROLES[role]


def _leaf(data: float, grad: float, name: str | None, role: str | None, scope: str | None) -> Value:
    """A copied or unpickled leaf."""
    value = Value(data, name, role)
    value._grad, value.scope = grad, scope
    return value


# ── Backward ──────────────────────────────────────────────────────────────────────────────


def backward(roots: Iterable[Value], seeds: Iterable[float] | None = None) -> None:
    """Backpropagate several roots in one sweep: the gradient of Σ seed × root.

    Args:
        roots: Values, for instance several losses that share nodes.
        seeds: one number per root, all 1 if not given.

    Raises:
        StaleGraph: if a leaf has changed since; nothing is written then.
        Anomaly: under `detect_anomaly`, for the first nan or inf; nothing was written then.

    >>> x = Value(3.0)
    >>> y = x * x
    >>> backward([y, 2.0 * y])
    >>> x.grad
    18.0
    """
    roots = [roots] if isinstance(roots, Value) else list(roots)
    seeds = [1.0] * len(roots) if seeds is None else [number(seed) for seed in seeds]
    if len(seeds) != len(roots):
        raise BadArgument(
            f"backward needs one seed per root. Received: {len(roots)} roots, {len(seeds)} seeds."
        )
    for root in roots:
        if not isinstance(root, Value):
            raise NotANumber(f"The roots of backward must be Values. Received: {root!r}.")
        root.read("backward() was called (tg.grad(f) can be compiled)")
    with _SWEEPING:
        nodes = tape(*roots, through_stops=False)
        before = [node._grad for node in nodes]
        leaves = _leaves(nodes)
        try:
            for node in nodes:
                node._grad = 0.0
            for root, seed in zip(roots, seeds):
                root._grad += seed
            (_mode().sweep or sweep)(nodes)
            for leaf, grad in leaves:  # this pass's sum is complete, so twice is exactly twice
                leaf._grad = grad + leaf._grad if leaf._role is not CONSTANT else grad
        except BaseException:  # an Anomaly, a user-defined row, Ctrl-C: as if not begun
            for node, grad in zip(nodes, before):
                node._grad = grad
            raise


# One sweep at a time: two threads would overwrite each other's adjoints. A fork waits for it too.
_SWEEPING = lock()


def _leaves(nodes: list[Value]) -> list[tuple[Value, float]]:
    """The leaves with their earlier gradients.

    It is a function because Python 3.13.0 ends no `with` block if Ctrl-C comes in the condition of
    a comprehension inside the block.
    """
    return [(node, node._grad) for node in nodes if node.op is None]


def sweep(nodes: list[Value]) -> None:
    """The reverse sweep, newest node first: arg.grad += node.grad × ∂node/∂arg."""
    for node in reversed(nodes):
        if node.op is not None:
            for arg, local in zip(node.args, local_numbers(node)):
                if local is not None:
                    arg._grad += node._grad * local


def plain(x: Any) -> float:
    """The number of a Value, and any other number as a float.

    Raises:
        NotANumber: for something else.

    >>> plain(Value(2.0)), plain(3)
    (2.0, 3.0)
    """
    return x.data if isinstance(x, Value) else number(x)


def zero_grad(values: Any) -> None:
    """Set the ``grad`` of Values to 0: of one, of an iterable of them, or of a Module.

    >>> x = Value(1.0)
    >>> (x * 2.0).backward()
    >>> zero_grad([x])
    >>> x.grad
    0.0
    """
    if hasattr(type(values), "parameters"):
        values = values.parameters()
    for value in [values] if isinstance(values, Value) else values:
        if not isinstance(value, Value):
            raise NotANumber(f"zero_grad takes Values. Received: {value!r}.")
        value._grad = 0.0


def replay(root: Value) -> Value:
    """Record the expression of ``root`` again, with the current numbers of its leaves.

    Names, roles and scopes are kept. Branches that Python took stay taken.

    >>> x = Value(3.0)
    >>> y = x * x
    >>> x.data = 4.0
    >>> replay(y).data
    16.0
    """

    order, seen = [root], {root}
    for node in order:
        for arg in node.args:
            if type(arg) is not float and arg not in seen:
                seen.add(arg)
                order.append(arg)
    made: dict[Any, Value] = {}
    # Leaves may be younger than their consumers here, so only the others are sorted.
    for old in sorted((node for node in order if node.op is not None), key=by_serial):
        assert old.op is not None
        args = [arg if type(arg) is float else made.get(arg, arg) for arg in old.args]
        made[old] = copy = Value.interpret(old.op, args)
        copy._name, copy._role, copy.scope = old._name, old.role, old.scope
    return made.get(root, root)
