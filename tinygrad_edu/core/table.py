"""The table: every operation written once, as one row.

A row contains an operation's value, one partial derivative per argument, its symbol and LaTeX, its
domain, its kinks and a range to draw test points from. Everything else in this package is an
interpreter of rows: floats flow through a row's partials and give numbers, `Value`s flow through
the same partials and give graphs, so derivatives of derivatives come free.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol, TypeVar, overload

from ..errors import NotANumber, unknown_name
from ..ieee import Ieee, never_raising
from ..trees import is_interpreted, is_real, number
from .spelling import Notation, Spelling

__all__ = ["BUILT_IN", "TABLE", "Op", "is_interpreted", "is_real", "number"]

Partial = Callable[..., Any]


class Interpreted(Protocol):
    """A number type with its own interpretation of rows: `Value` records, `Ieee` never raises."""

    @staticmethod
    def interpret(op: Op, args: tuple[Any, ...]) -> Any: ...


N = TypeVar("N", bound=Interpreted)


class Op:
    """One row of the table; calling it applies it.

    ``tg.tanh(0.5)`` is a float, ``tg.tanh(Value(0.5))`` a Value that remembers. An n-ary row
    takes one iterable: ``tg.sum(xs)``.

    Attributes:
        name: unique key in the table.
        value: the float function ``value(*args)``, any callable; if it raises ArithmeticError or
            ValueError, `compute` uses IEEE arithmetic.
        partials: one function ``(out, *args)`` per argument, or for an n-ary row one
            function ``(i, out, *args)``.
        arity: number of arguments, None for an n-ary row.
        blocked: whether some partial is None: no gradient ever flows to that argument, and the
            nodes behind it are not differentiated, not even with a factor of zero.
        together: for an n-ary row, ``together(out, *args)`` returns all partials at once, so that
            the cost of a sum is linear in its terms.
        symbol: the sign on a card in a picture.
        text: how a formula on one line is written; None: as a function, ``tanh(x)``.
        tex: LaTeX with ``#1``, ``#2`` for the arguments; ``#,`` and ``#+`` list all of them.
        domain: ``domain(*floats) -> bool``: the open set on which the operation is real,
            finite and, away from kinks, differentiable. None: everywhere.
        kinks: ``kinks(*floats) -> number`` that is constant on each smooth piece and differs
            between pieces and on their borders. None: smooth.
        sample: a range ``(low, high)`` per argument to draw test points from.
        spelled: for a primitive, its spelling in other languages. None if ``value`` is itself an
            expression of rows, which a code generator can trace, or an opaque user-defined
            function.
        lower: name of the primitive to which the row is lowered in programs, None if there is none.
        neutral: per argument, the number there that leaves the other argument as it is, to the
            last bit; None if there is none.
        at_edge: the IEEE result if ``value`` raised and plain arithmetic doesn't give it.
        more: the n-ary row that stands for this one with another number of arguments.
        opaque: whether ``value`` accepts only floats, so that only Python can run it.
        parameters: names of the arguments, with ``defaults`` for the last ones; read from
            ``value`` if no ``signature`` gives both.
    """

    __slots__ = (
        "arity", "at_edge", "blocked", "defaults", "domain", "kinks", "lower", "more", "name",
        "neutral", "opaque", "parameters", "partials", "sample", "spelled", "symbol", "tex", "text",
        "together", "value",
    )  # fmt: skip

    def __init__(
        self,
        name: str,
        value: Callable[..., Any],
        partials: Sequence[Partial | None] | Partial,
        *,
        symbol: str | None = None,
        text: Notation | None = None,
        tex: str | None = None,
        domain: Callable[..., bool] | None = None,
        kinks: Callable[..., float] | None = None,
        sample: tuple[tuple[float, float], ...] | None = None,
        spelled: Spelling | None = None,
        lower: str | None = None,
        neutral: tuple[float | None, ...] = (),
        at_edge: Callable[..., float] | None = None,
        together: Callable[..., Sequence[Any]] | None = None,
        more: Op | None = None,
        signature: tuple[tuple[str, ...], tuple[float, ...]] | None = None,
        opaque: bool = True,
    ) -> None:
        self.name, self.value = name, value
        self.partials: Any = partials if callable(partials) else tuple(partials)
        self.arity = None if callable(partials) else len(partials)
        self.blocked = not callable(partials) and None in partials
        self.parameters, self.defaults = signature or _signature(value, self.arity or 0)
        self.symbol, self.text = name if symbol is None else symbol, text
        slots = "#," if self.arity is None else ", ".join(f"#{i + 1}" for i in range(self.arity))
        latex = name.replace("_", r"\_")
        self.tex = tex or rf"\operatorname{{{latex}}}\left({slots}\right)"
        self.domain, self.kinks, self.at_edge, self.together = domain, kinks, at_edge, together
        self.sample = sample or ((-8.0, 8.0),) * (self.arity or 1)
        self.spelled, self.lower = spelled, name if spelled else lower
        self.neutral, self.opaque = neutral, opaque and self.lower is None
        self.more = more

    # mypy sees that a float is also an "N | float"; the first overload that fits is meant.
    @overload
    def __call__(self, *args: float, **named: float) -> float: ...  # type: ignore[overload-overlap]
    @overload
    def __call__(self, *args: N | float, **named: N | float) -> N: ...
    @overload
    def __call__(self, args: Iterable[float], /) -> float: ...  # type: ignore[overload-overlap]
    @overload
    def __call__(self, args: Iterable[N | float], /) -> N: ...
    def __call__(self, *args: Any, **named: Any) -> Any:
        if self.arity is None:
            args = self._terms(args, named)
        elif named or len(args) != self.arity:
            if self.more is not None and args and not named:
                return self.more(args[0] if hasattr(args[0], "__iter__") else args)
            args = self._complete(args, named)
        for arg in args:
            if type(arg) is not float:
                interpret = getattr(type(arg), "interpret", None)
                if interpret is not None:
                    return interpret(self, args)
                numbers = list(map(_number_or_interpreted, args))
                return self(numbers) if self.arity is None else self(*numbers)
        return self.compute(*args)

    def compute(self, *args: float) -> float:
        """The value at plain floats, with IEEE results where Python would raise.

        >>> from .ops import div, log
        >>> div.compute(1.0, 0.0), log.compute(-1.0)
        (inf, nan)
        """
        try:
            return self.value(*args)  # type: ignore[no-any-return]
        except (ArithmeticError, ValueError):
            return self.at_edge(*args) if self.at_edge else never_raising(self.value, *args)

    def partial(self, i: int, out: Any, *args: Any) -> Any:
        """∂out/∂args[i], a float for floats and a graph for Values; never raises on floats.

        >>> from .ops import mul
        >>> mul.partial(0, 6.0, 2.0, 3.0)
        3.0
        """
        if self.arity is None:
            return _asked(lambda out, *args: self.partials(i, out, *args), out, args)
        rule = self.partials[i]
        return 0.0 if rule is None else _asked(rule, out, args)

    def locals(self, out: Any, args: Sequence[Any], wanted: Sequence[bool]) -> list[Any]:
        """Every wanted partial of one application, None for the others."""
        if self.together is not None:
            try:
                every = self.together(out, *args)
            except (ArithmeticError, ValueError):
                every = self.together(Ieee(out), *map(Ieee, args))
            return [local if w else None for local, w in zip(every, wanted)]
        return [
            self.partial(i, out, *args) if w and self.flows_to(i) else None
            for i, w in enumerate(wanted)
        ]

    def flows_to(self, i: int) -> bool:
        """Whether a gradient ever flows to argument i."""
        return not self.blocked or self.partials[i] is not None

    def __repr__(self) -> str:
        shown = (*self.parameters[: self.arity],) if self.arity is not None else ("xs",)
        return f"<op {self.name}({', '.join(shown)})>"

    def __reduce__(self) -> tuple[Any, ...]:
        return _row, (self.name,)  # a row is pickled as its name: the table is code

    def _terms(self, args: tuple[Any, ...], named: dict[str, Any]) -> tuple[Any, ...]:
        if len(args) != 1 or named or not hasattr(args[0], "__iter__"):
            raise NotANumber(
                f"{self.name} takes one iterable of numbers. "
                f"Received: {', '.join(map(repr, args)) or 'nothing'}. "
                f"Write {self.name}([a, b, c])."
            )
        return tuple(args[0])

    def _complete(self, args: tuple[Any, ...], named: dict[str, Any]) -> tuple[Any, ...]:
        """The arguments in order, names and defaults filled in."""
        assert self.arity is not None
        filled = dict(zip(self.parameters[self.arity - len(self.defaults) :], self.defaults))
        filled.update(named)
        given = dict(zip(self.parameters, args))
        filled.update(given)
        twice = given.keys() & named.keys()
        if twice or len(args) > self.arity or set(filled) != set(self.parameters):
            raise TypeError(
                f"{self.name}({', '.join(self.parameters)}) got {len(args)} arguments"
                f"{' and ' + ', '.join(named) if named else ''}."
            )
        return tuple(filled[name] for name in self.parameters)


def _asked(rule: Partial, out: Any, args: tuple[Any, ...]) -> Any:
    try:
        return rule(out, *args)
    except (ArithmeticError, ValueError):
        numbers = (out, *args)
        if not any(map(is_interpreted, numbers)):
            return never_raising(rule, *numbers)
        # The plain numbers raised: a constant among Values, as in x / 0.
        found = rule(*[Ieee(x) if type(x) is float else x for x in numbers])
        return float(found) if isinstance(found, Ieee) else found


def _number_or_interpreted(x: Any) -> Any:
    return x if is_interpreted(x) else number(x)


TABLE: dict[str, Op] = {}
"""Every row by name, the built-in ones first."""

BUILT_IN: set[str] = set()
"""The names of the rows of `ops`, which no user-defined row may replace."""


def _row(name: str) -> Op:
    """A row by its name in a pickle; a user-defined one must be defined in this process, too."""
    if name not in TABLE:
        raise unknown_name("operation", name, TABLE)
    return TABLE[name]


def _signature(value: Callable[..., Any], count: int) -> tuple[tuple[str, ...], tuple[float, ...]]:
    """Names and defaults of the arguments. C functions have no code to read them from."""
    code = getattr(value, "__code__", None)
    if code is None:
        return ("x", "y", "z")[:count], ()
    return code.co_varnames[: code.co_argcount], getattr(value, "__defaults__", None) or ()
