"""User-defined rows: `op` checks its arguments, and the results of the partials."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .core.table import BUILT_IN, TABLE, Op, Partial
from .core.value import Value, tick
from .errors import BadArgument, NotANumber
from .trees import is_interpreted, is_real, number

__all__ = ["op"]


def op(
    name: str,
    value: Callable[..., Any] | None = None,
    partials: Sequence[Partial | None] | Partial = (),
    **fields: Any,
) -> Any:
    """Add a row to the table and return it; without ``value``, a decorator that does so.

    The attributes of `Op` explain each field. The row works everywhere at once: on
    numbers and Values, in higher derivatives, pictures, explanations and checks. A
    user-defined row may be replaced (a notebook cell is run twice); a built-in one may not.

    Raises:
        BadArgument: if the name belongs to a built-in row or is not an identifier, or if the number
            of partials differs from the number of arguments.
        NotANumber: from a derivative, if a partial returns anything but one real number.

    >>> cube = op("cube", lambda x: x * x * x, [lambda out, x: 3.0 * x * x], tex="{#1}^3")
    >>> cube(2.0)
    8.0

    >>> from tinygrad_edu import sin
    >>> @op("versine", partials=[lambda out, x: sin(x)])
    ... def versine(x):
    ...     return 1.0 - math.cos(x)
    >>> versine
    <op versine(x)>
    """
    if value is None:
        return lambda f: op(name, f, partials, **fields)
    if not isinstance(name, str) or not name.isidentifier():
        raise BadArgument(f"A row's name must be an identifier. Received: {name!r}.")
    if name in BUILT_IN:
        raise BadArgument(f"The row {name!r} is built in. Choose another name.")
    if callable(partials):
        signature = signature_of(value, 0)
        partials = _checked(name, partials)
    else:
        signature = signature_of(value, len(partials))
        if len(signature[0]) != len(partials) or not all(
            p is None or callable(p) for p in partials
        ):
            raise BadArgument(
                f"A row needs one partial derivative per argument. Received for {name!r}: "
                f"{len(partials)} partials and the arguments ({', '.join(signature[0])})."
            )
        partials = [rule and _checked(name, rule) for rule in partials]
    if fields.get("together"):
        fields["together"] = _checked(name, fields["together"], each=True)
    TABLE[name] = row = Op(name, value, partials, signature=signature, **fields)
    return row


def _checked(name: str, rule: Callable[..., Any], each: bool = False) -> Callable[..., Any]:
    """A rule whose result, or each item of it, is checked."""

    def checked(*args: Any) -> Any:
        since = tick()
        slopes = rule(*args) if each else [rule(*args)]
        numbers = [_slope(name, slope, args, since) for slope in slopes]
        return numbers if each else numbers[0]

    return checked


def _slope(name: str, slope: Any, args: tuple[Any, ...], since: int) -> Any:
    """The result of a user-defined partial: a float for floats, or a result of Values."""
    if type(slope) is float:
        return slope
    if is_interpreted(slope):
        fits = any(map(is_interpreted, args)) and _is_made_of(slope, args, since)
    else:
        fits = is_real(slope) and not getattr(slope, "shape", None)
    if not fits:
        raise NotANumber(
            f"A partial derivative of the row {name!r} must be one real number, made of its "
            f"arguments by + - * / and other rows. "
            f"Received: {slope!r} (of type {type(slope).__name__})."
        )
    return slope if is_interpreted(slope) else number(slope)


def _is_made_of(slope: Any, args: tuple[Any, ...], since: int) -> bool:
    """Whether no Value flows into a slope that is older than the call, except its arguments."""
    waiting = [slope] if isinstance(slope, Value) else []
    seen = {arg for arg in args if isinstance(arg, Value)}
    for node in waiting:  # which grows while it is read
        if node in seen:
            continue
        if node._serial < since:
            return False
        seen.add(node)
        waiting.extend(arg for arg in node.args if type(arg) is not float)
    return True


def signature_of(
    value: Callable[..., Any], count: int
) -> tuple[tuple[str, ...], tuple[float, ...]]:
    """Names and defaults of the arguments; names are made up where there are none to read.

    An argument whose default is not a number is a setting of the function and is never passed.
    """
    from inspect import signature  # late: importing it takes milliseconds

    names = ("x", "y", "z", *(f"x{i}" for i in range(3, count)))[:count]
    try:
        parameters = signature(value).parameters.values()
    except (TypeError, ValueError):  # some written in C have none
        return names, ()
    positional = [
        p for p in parameters
        if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
        and (p.default is p.empty or is_real(p.default))
    ]  # fmt: skip
    defaults = tuple(p.default for p in positional if p.default is not p.empty)
    more = any(p.kind is p.VAR_POSITIONAL for p in parameters)
    return (*(p.name for p in positional), *(names[len(positional) :] if more else ())), defaults
