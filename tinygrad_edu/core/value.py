"""`Value`: a float that remembers how it was made.

An operation on Values computes its float by a row of the table and keeps three things:
the number, the row, and the arguments. `backward` asks each row for its partials, newest
node first, and that is all there is to reverse-mode differentiation:

    adjoint(arg) += adjoint(node) × ∂node/∂arg
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Sequence
from itertools import count
from math import isfinite, isnan
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from ..errors import Anomaly, BadArgument, GraphError, NotANumber, unknown_name
from . import ops
from .graph import datum, local_numbers, rebuild, tape
from .modes import MODE, Mode, caller, refuse_while_tracing
from .table import Op, is_real, number

if TYPE_CHECKING:
    from ..explaining import Explanation

__all__ = ["Number", "Value", "backward", "replay", "zero_grad"]

# Roles are compared by identity in the sweep, so each is one string object.
ROLES: Final = {role: role for role in ("input", "target", "parameter", "constant")}
CONSTANT: Final = ROLES["constant"]

_tick = count().__next__
_mode = MODE.get
_new = object.__new__


# What can never take part in arithmetic with a Value: refused at once, before Python tries to
# repeat a text that often.
_FOREIGN = (str, bytes, complex, list, tuple, dict, set, type(None))


def _operand(x: Any) -> Any:
    """x as the argument of an operator: a Value, a float, or NotImplemented.

    Things with a length are arrays: their own reflected operator goes through them.
    """
    if isinstance(x, Value):
        return x
    if isinstance(x, _FOREIGN) or (is_real(x) and not hasattr(x, "__len__")):
        return number(x)
    return NotImplemented


def _record(op: Op, args: tuple[Any, ...], data: float) -> Value:
    """A node for an operation that was computed; under no_grad a leaf."""
    mode = _mode()
    node = _new(Value)
    node._data = data
    node._grad = 0.0
    node.op = op
    node.args = args
    node._serial = _tick()
    node._name = None
    node._role = None
    node.scope = mode.scope
    if not mode.plain:
        _attend(node, mode)
    return node


def _attend(node: Value, mode: Mode) -> None:
    """What no_grad and detect_anomaly do to a new node."""
    if mode.births is not None:
        mode.births[node._serial] = caller()
        _check_birth(node, mode)
    if mode.recording:
        return
    if mode.tracing:  # a leaf would be a number of today: the program must compute it again
        hidden = _copied(node)
        node._serial = _tick()
        node.op, node.args = ops.stop_gradient, (hidden,)
    else:
        node.op, node.args = None, ()


def _copied(node: Value) -> Value:
    """Another object for the same node, of the same age."""
    copy = _new(Value)
    for slot in Value.__slots__:
        setattr(copy, slot, getattr(node, slot))
    return copy


def _unary(op: Op) -> Callable[[Value], Value]:
    """The method of Value that applies a row of one argument."""
    compute = op.compute

    def method(self: Value) -> Value:
        return _record(op, (self,), compute(self._data))

    method.__name__ = method.__qualname__ = op.name
    method.__doc__ = f"`tg.{op.name}` of this Value."
    return method


_Binary: TypeAlias = Callable[["Value", "Value | float"], "Value"]


def _binary(op: Op) -> tuple[_Binary, _Binary]:
    """A Python operator and its reflection, for a row of two arguments.

    They spell out `_record` and `Op.compute`: half of all time of building a graph is spent
    here, and the calls would cost half as much again.
    """
    value, compute = op.value, op.compute

    def forward(self: Value, other: Any) -> Value:
        if type(other) is Value:
            y = other._data
        elif type(other) is float:
            y = other
        else:
            other = _operand(other)
            if other is NotImplemented:
                return other  # type: ignore[no-any-return]
            y = other if type(other) is float else other._data
        try:
            data = value(self._data, y)
        except (ArithmeticError, ValueError):
            data = compute(self._data, y)
        mode = _mode()
        node = _new(Value)
        node._data = data
        node._grad = 0.0
        node.op = op
        node.args = (self, other)
        node._serial = _tick()
        node._name = None
        node._role = None
        node.scope = mode.scope
        if not mode.plain:
            _attend(node, mode)
        return node

    def reflected(self: Value, other: Any) -> Value:
        other = _operand(other)
        if other is NotImplemented:
            return other  # type: ignore[no-any-return]
        return _record(op, (other, self), compute(other, self._data))

    forward.__doc__ = f"Row `{op.name}` of the table."
    return forward, reflected


def _comparison(how: Callable[[float, float], bool], op: Op) -> Callable[[Value, Any], Any]:
    """A comparison of Python's: about the numbers, or while tracing a row of the graph."""

    def compare(self: Value, other: Any) -> Any:
        other = NotImplemented if isinstance(other, _FOREIGN) else _operand(other)
        if other is NotImplemented:
            return other
        if _mode().tracing:
            return Value.interpret(op, (self, other))
        return how(self._data, datum(other))

    return compare


def _refusing(kind: str) -> Callable[[Value], Any]:
    """A conversion that would drop the graph silently, and says so instead."""

    def refuse(self: Value) -> Any:
        refuse_while_tracing(f"{kind}() of a Value was asked for")
        raise TypeError(
            f"{kind}() of a Value would lose its graph. Take the number with v.data, or stay "
            f"in the graph: tg.sin(v) instead of math.sin(v), tg.where(cond, a, b) instead of "
            f"an if. Received: {self!r}."
        )

    return refuse


class Value:
    """A float that records the operations it goes through and backpropagates gradients.

    Args:
        data: a real number (int, float, NumPy scalar, anything with ``__float__``).
        name: what pictures and explanations call it.
        role: "input", "target", "parameter", "constant" or None. No gradient flows to a
            constant.

    Attributes:
        data: the number. Setting a leaf's data marks every graph that used it as stale.
        grad: of a leaf, the sum of the adjoints of all backward passes since `zero_grad`;
            of an interior node, the adjoint of the last pass.
        op: the row of the table that made it, None for a leaf.
        args: what it was made from, Values and plain floats, in order.
        scope: where it was made, as told by ``with tg.scope(...)``.

    Raises:
        NotANumber: if ``data`` is text, complex, None, a list, another Value, ...

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

    def __init__(self, data: Any, name: str | None = None, role: str | None = None) -> None:
        self._data = number(data)
        self._grad = 0.0
        self._serial = _tick()
        self.op = None
        self.args = ()
        self.name = name
        self.role = role
        self.scope = _mode().scope

    @property
    def data(self) -> float:
        if _mode().tracing:
            refuse_while_tracing("The data of a Value was read")
        return self._data

    @data.setter
    def data(self, data: Any) -> None:
        refuse_while_tracing("The data of a Value was set")
        if self.op is not None:
            raise GraphError(
                f"The data of an interior node is the result of {self.op.name}; only leaves "
                f"can be set. Received: {data!r}. Change a leaf and compute again."
            )
        self._data = number(data)
        self._serial = _tick()  # younger than all that used the old number: they are stale

    @property
    def grad(self) -> float:
        if _mode().tracing:
            refuse_while_tracing("The grad of a Value was read")
        return self._grad

    @grad.setter
    def grad(self, grad: Any) -> None:
        refuse_while_tracing("The grad of a Value was set")
        self._grad = number(grad)

    @property
    def name(self) -> str | None:
        return self._name

    @name.setter
    def name(self, name: str | None) -> None:
        if name is not None and not isinstance(name, str):
            raise NotANumber(f"A name is a text. Received: {name!r}.")
        self._name = name

    @property
    def role(self) -> str | None:
        return self._role

    @role.setter
    def role(self, role: str | None) -> None:
        if role is not None and role not in ROLES:
            raise unknown_name("role", role, ROLES)
        self._role = None if role is None else ROLES[role]

    @staticmethod
    def interpret(op: Op, args: Sequence[Any]) -> Value:
        """What a row makes of arguments of which one is a Value: it computes and records.

        This is the seam between the table and its interpreters; see `table.Op`.
        """
        numbers = [arg._data for arg in args if type(arg) is Value]
        if len(numbers) != len(args):  # other numbers among them, as constants
            args = [arg if isinstance(arg, Value) else number(arg) for arg in args]
            numbers = list(map(datum, args))
        data = op.compute(*numbers)
        return _record(op, tuple(args), data if type(data) is float else number(data))

    def backward(self, seed: float = 1.0) -> None:
        """Add to every leaf's ``grad`` the derivative of ``seed`` × this Value by that leaf.

        Interior nodes then hold the adjoint of this pass. Calling it twice gives exactly
        twice the leaf gradients; `zero_grad` clears them. It never raises for the sake of
        a number: a gradient may be inf or nan.

        Raises:
            StaleGraph: if a leaf was changed since; nothing was written then.

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
        """A new leaf with the same number and name, and no memory of how it was made."""
        if _mode().tracing:  # where a leaf would be a number of today
            stopped = Value.interpret(ops.stop_gradient, (self,))
            stopped._name, stopped._role = self._name, self._role
            return stopped
        return Value(self._data, self._name, self._role)

    __add__, __radd__ = _binary(ops.add)
    __sub__, __rsub__ = _binary(ops.sub)
    __mul__, __rmul__ = _binary(ops.mul)
    __truediv__, __rtruediv__ = _binary(ops.div)
    __floordiv__, __rfloordiv__ = _binary(ops.floordiv)
    __mod__, __rmod__ = _binary(ops.mod)
    _pow, __rpow__ = _binary(ops.pow)

    def __pow__(self, exponent: Any) -> Value:
        if type(exponent) in (int, float) and exponent == 2:
            return _record(ops.square, (self,), ops.square.compute(self._data))
        return self._pow(exponent)

    def __divmod__(self, other: Any) -> tuple[Value, Value]:
        return self // other, self % other

    def __rdivmod__(self, other: Any) -> tuple[Value, Value]:
        return other // self, other % self

    __pos__ = _unary(ops.identity)
    __neg__ = _unary(ops.neg)
    __abs__ = _unary(ops.abs)
    __floor__ = _unary(ops.floor)
    __ceil__ = _unary(ops.ceil)

    def __round__(self, digits: None = None) -> Value:
        if digits is not None:
            refuse_while_tracing("round() of a Value to some digits was asked for")
            raise BadArgument(
                f"round(v) rounds a Value to a whole number; digits can't be given. "
                f"Received: {digits!r}. To show fewer digits write f'{{v:.{digits}f}}'."
            )
        return ops.round(self)

    # Comparisons are about numbers and give bools; conditions that belong to the graph
    # are rows: tg.less(a, b). While a function is traced for compilation they give those.
    # Hashing is by identity, so Values live in sets and dicts.
    __eq__ = _comparison(operator.eq, ops.equal)
    __ne__ = _comparison(operator.ne, ops.not_equal)
    __lt__ = _comparison(operator.lt, ops.less)
    __le__ = _comparison(operator.le, ops.less_equal)
    __gt__ = _comparison(operator.gt, ops.greater)
    __ge__ = _comparison(operator.ge, ops.greater_equal)

    __hash__ = object.__hash__
    __float__ = _refusing("float")
    __int__ = _refusing("int")
    __bool__ = _refusing("bool")
    __trunc__ = _refusing("trunc")

    def __repr__(self) -> str:
        name = "" if self._name is None else f", name={self._name!r}"
        if _mode().tracing:
            return f"Value(being traced{name})"
        return f"Value(data={self._data!r}, grad={self._grad!r}{name})"

    def __format__(self, spec: str) -> str:
        if spec:
            refuse_while_tracing("The number of a Value was formatted")
        return format(self._data, spec) if spec else repr(self)

    def __reduce__(self) -> tuple[Any, ...]:
        refuse_while_tracing("A Value was copied")
        if self.op is not None:
            raise GraphError(
                f"Recorded graphs are not copied or pickled, only leaves and Modules are. "
                f"Received: the result of {self.op.name}. Use v.detach() for a leaf with its "
                f"number, or tg.replay(v) to record the expression again."
            )
        return _leaf, (self._data, self._grad, self._name, self._role, self.scope)

    # Every row of one argument is a method too; so are a few of two or three.
    square = _unary(ops.square)
    reciprocal = _unary(ops.reciprocal)
    sign = _unary(ops.sign)
    step = _unary(ops.step)
    floor = _unary(ops.floor)
    ceil = _unary(ops.ceil)
    round = _unary(ops.round)
    exp = _unary(ops.exp)
    expm1 = _unary(ops.expm1)
    log = _unary(ops.log)
    log1p = _unary(ops.log1p)
    log2 = _unary(ops.log2)
    log10 = _unary(ops.log10)
    sqrt = _unary(ops.sqrt)
    cbrt = _unary(ops.cbrt)
    sin = _unary(ops.sin)
    cos = _unary(ops.cos)
    tan = _unary(ops.tan)
    asin = _unary(ops.asin)
    acos = _unary(ops.acos)
    atan = _unary(ops.atan)
    sinh = _unary(ops.sinh)
    cosh = _unary(ops.cosh)
    tanh = _unary(ops.tanh)
    asinh = _unary(ops.asinh)
    acosh = _unary(ops.acosh)
    atanh = _unary(ops.atanh)
    erf = _unary(ops.erf)
    erfc = _unary(ops.erfc)
    sigmoid = _unary(ops.sigmoid)
    softplus = _unary(ops.softplus)
    log_sigmoid = _unary(ops.log_sigmoid)
    log_cosh = _unary(ops.log_cosh)
    silu = _unary(ops.silu)
    mish = _unary(ops.mish)
    gelu = _unary(ops.gelu)
    gelu_tanh = _unary(ops.gelu_tanh)
    softsign = _unary(ops.softsign)
    tanh_shrink = _unary(ops.tanh_shrink)
    relu = _unary(ops.relu)
    relu6 = _unary(ops.relu6)
    selu = _unary(ops.selu)
    hard_sigmoid = _unary(ops.hard_sigmoid)
    hard_silu = _unary(ops.hard_silu)
    hard_tanh = _unary(ops.hard_tanh)
    stop_gradient = _unary(ops.stop_gradient)

    def clip(self, low: Any, high: Any) -> Value:
        """`tg.clip` of this Value."""
        return Value.interpret(ops.clip, (self, low, high))

    def leaky_relu(self, slope: Any = 0.2) -> Value:
        """`tg.leaky_relu` of this Value."""
        return Value.interpret(ops.leaky_relu, (self, slope))

    def elu(self, alpha: Any = 1.0) -> Value:
        """`tg.elu` of this Value."""
        return Value.interpret(ops.elu, (self, alpha))

    def celu(self, alpha: Any = 1.0) -> Value:
        """`tg.celu` of this Value."""
        return Value.interpret(ops.celu, (self, alpha))

    def squareplus(self, b: Any = 4.0) -> Value:
        """`tg.squareplus` of this Value."""
        return Value.interpret(ops.squareplus, (self, b))

    def soft_shrink(self, threshold: Any = 0.5) -> Value:
        """`tg.soft_shrink` of this Value."""
        return Value.interpret(ops.soft_shrink, (self, threshold))

    def hard_shrink(self, threshold: Any = 0.5) -> Value:
        """`tg.hard_shrink` of this Value."""
        return Value.interpret(ops.hard_shrink, (self, threshold))


Number: TypeAlias = "Value | float"


def _leaf(data: float, grad: float, name: str | None, role: str | None, scope: str | None) -> Value:
    """A copied or unpickled leaf."""
    value = Value(data, name, role)
    value._grad = grad
    value.scope = scope
    return value


def backward(roots: Iterable[Value], seeds: Iterable[float] | None = None) -> None:
    """Backpropagate several roots in one sweep: the gradient of Σ seed × root.

    Args:
        roots: Values, for instance several losses that share nodes.
        seeds: one number per root, all 1 if not given.

    Raises:
        StaleGraph: if a leaf was changed since; nothing was written then.
        Anomaly: under `detect_anomaly`, for the first nan or inf; nothing was written then.

    >>> x = Value(3.0)
    >>> y = x * x
    >>> backward([y, 2.0 * y])
    >>> x.grad
    18.0
    """
    refuse_while_tracing("backward() was called (tg.grad(f) can be compiled)")
    roots = [roots] if isinstance(roots, Value) else list(roots)
    seeds = [1.0] * len(roots) if seeds is None else [number(seed) for seed in seeds]
    if len(seeds) != len(roots):
        raise BadArgument(
            f"backward needs one seed per root. Received: {len(roots)} roots, {len(seeds)} seeds."
        )
    for root in roots:
        if not isinstance(root, Value):
            raise NotANumber(f"backward starts at Values. Received: {root!r}.")
    nodes = tape(*roots, through_stops=False)
    held = [(node, node._grad) for node in nodes if node.op is None]
    try:
        for node in nodes:
            node._grad = 0.0
        for root, seed in zip(roots, seeds):
            root._grad += seed
        births = _mode().births
        if births is None:
            _sweep(nodes)
        else:
            _sweep_and_check(nodes, births)
    except BaseException:  # an Anomaly, a faulty row of a user's, Ctrl-C: as if not begun
        for leaf, grad in held:
            leaf._grad = grad
        raise
    for leaf, grad in held:  # this pass's sum is complete, so twice will be exactly twice
        leaf._grad = grad + leaf._grad if leaf._role is not CONSTANT else grad


def _sweep(nodes: list[Value]) -> None:
    """The reverse sweep, newest node first: arg.grad += node.grad × ∂node/∂arg.

    The rows of one and two arguments are spelled out, for speed; `local_numbers` is what
    they mean. Both partials are taken before either is used, so that a row that raises
    (a division by zero) can be asked again, with IEEE arithmetic.
    """
    for node in reversed(nodes):
        op = node.op
        if op is None:
            continue
        args = node.args
        upstream = node._grad
        arity = op.arity
        try:
            if op.blocked:
                _pull(node)
            elif arity == 2:
                a, b = args
                partial_a, partial_b = op.partials
                if type(a) is float and b._role is not CONSTANT:
                    b._grad += upstream * partial_b(node._data, a, b._data)
                elif type(b) is float and a._role is not CONSTANT:
                    a._grad += upstream * partial_a(node._data, a._data, b)
                elif (
                    type(a) is float
                    or type(b) is float
                    or a._role is CONSTANT
                    or b._role is CONSTANT
                ):
                    _pull(node)
                else:
                    x, y, out = a._data, b._data, node._data
                    local_a = partial_a(out, x, y)
                    local_b = partial_b(out, x, y)
                    a._grad += upstream * local_a
                    b._grad += upstream * local_b
            elif arity == 1 and args[0]._role is not CONSTANT:
                a = args[0]
                a._grad += upstream * op.partials[0](node._data, a._data)
            elif op.together is not None:
                numbers = [a if type(a) is float else a._data for a in args]
                for a, local in zip(args, op.together(node._data, *numbers)):
                    if type(a) is not float and a._role is not CONSTANT:
                        a._grad += upstream * local
            else:
                _pull(node)
        except (ArithmeticError, ValueError):
            _pull(node)


def _pull(node: Value) -> None:
    """One step of the sweep, for any row."""
    upstream = node._grad
    for arg, local in zip(node.args, local_numbers(node)):
        if local is not None:
            arg._grad += upstream * local


def _sweep_and_check(nodes: list[Value], births: dict[int, tuple[str, int]]) -> None:
    """The reverse sweep under `detect_anomaly`."""
    for node in reversed(nodes):
        if node.op is None:
            continue
        for i, (arg, local) in enumerate(zip(node.args, local_numbers(node))):
            if local is None:
                continue
            product = node._grad * local
            if isfinite(node._grad) and not isfinite(product):
                why = ""
                if node._grad == 0.0:
                    why = " Zero times infinity is nan: guard the argument, not the result."
                raise Anomaly(
                    f"backward through {node.op.name} gave {product!r} for its argument "
                    f"{i + 1}: upstream {node._grad!r} × local derivative {local!r}.{why}"
                    f"{_told(node, births)}"
                )
            arg._grad += product


def _check_birth(node: Value, mode: Mode) -> None:
    assert node.op is not None
    assert mode.births is not None
    numbers = [datum(arg) for arg in node.args]
    nan_born = isnan(node._data) and not any(map(isnan, numbers))
    inf_born = not isfinite(node._data) and all(map(isfinite, numbers))
    if nan_born or inf_born:
        kind = "finite operands" if inf_born else "operands that are not nan"
        told = _told(node, mode.births)
        raise Anomaly(f"{node.op.name} gave {node._data!r} from {kind}.{told}")


def _told(node: Value, births: dict[int, tuple[str, int]]) -> str:
    """The operands of a node and the line that recorded it, for an error."""
    assert node.op is not None
    names = node.op.parameters if node.op.arity else [f"[{i}]" for i in range(len(node.args))]
    operands = [
        f"{getattr(arg, 'name', None) or parameter} = {datum(arg)!r}"
        for parameter, arg in zip(names, node.args)
    ]
    if len(operands) > 6:
        operands[5:] = [f"... ({len(operands)} operands)"]
    place = "recorded outside detect_anomaly, so its line is not known"
    if node._serial in births:
        from linecache import getline

        file, line = births[node._serial]
        place = f'File "{file}", line {line}: {getline(file, line).strip()}'
    scope = f" in {node.scope}" if node.scope else ""
    return f" Operands: {', '.join(operands)}{scope}. {place}"


def zero_grad(values: Any) -> None:
    """Set the ``grad`` of Values to 0: of one, of an iterable of them, or of a Module.

    >>> x = Value(1.0)
    >>> (x * 2.0).backward()
    >>> zero_grad([x])
    >>> x.grad
    0.0
    """
    if hasattr(values, "parameters"):
        values = values.parameters()
    for value in [values] if isinstance(values, Value) else values:
        if not isinstance(value, Value):
            raise NotANumber(f"zero_grad takes Values. Received: {value!r}.")
        value._grad = 0.0


def replay(root: Value) -> Value:
    """Record the expression of ``root`` again, at the numbers its leaves have today.

    Names, roles and scopes are kept. Branches that Python took stay taken.

    >>> x = Value(3.0)
    >>> y = x * x
    >>> x.data = 4.0
    >>> replay(y).data
    16.0
    """

    def record(old: Value, args: tuple[Any, ...]) -> Value:
        assert old.op is not None
        new = Value.interpret(old.op, args)
        new._name, new._role, new.scope = old._name, old._role, old.scope
        return new

    return rebuild(root, record)
