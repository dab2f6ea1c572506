"""The right results of every row of the table, to fifty digits, by mpmath.

The oracle shares no code and no derivation with the engine: an entry is the function's
definition and nothing else, and derivatives are difference quotients of it at a precision at
which they are exact for our purpose. The precision is raised (and the step with it) until two
successive answers agree, so neither cancellation nor a tail of 1e-320 can fool it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, partial
from itertools import product
from math import frexp, inf, log10, prod
from typing import Any

from mpmath.ctx_mp import MPContext

mp: Any = MPContext()  # our own context: mpmath's global one stays as it is
mp.dps = 60

DIGITS = (150, 300, 600, 1200, 2400, 4800, 9600)
"""The precisions tried in turn, in decimal digits."""

AGREED = mp.mpf("1e-35")
"""Relative difference of two successive answers that are believed."""

VANISHED = mp.mpf("1e-360")
"""Less than this is zero, if the noise is less too: with fewer digits it may just be lost."""


def _pow(x: Any, y: Any) -> Any:
    if x < 0:
        return x ** int(y) if y == int(y) else mp.nan
    return mp.mpf(x == 0 and y == 0) if x == 0 and y >= 0 else mp.power(x, y)


def _relu(x: Any) -> Any:
    return max(x, mp.zero)


def _clip(x: Any, low: Any, high: Any) -> Any:
    return min(max(x, low), high)


def _round(x: Any) -> Any:
    """To the nearest integer, halves to the even one."""
    below = mp.floor(x)
    rest = x - below - mp.mpf(0.5)
    return below + (rest > 0 or (rest == 0 and below % 2 == 1))


def _sigmoid(x: Any) -> Any:
    return 1 / (1 + mp.exp(-x))


def _softplus(x: Any) -> Any:
    return mp.log1p(mp.exp(x))


def _erfc(x: Any) -> Any:
    return mp.erfc(x) if abs(x) < 1e6 else mp.mpf(2 * (x < 0))  # mpmath can't, beyond


def _exponential_below_zero(x: Any, alpha: Any, width: Any) -> Any:
    return x if x > 0 else alpha * mp.expm1(x / width)


def _hard_sigmoid(x: Any) -> Any:
    return _clip(x + 3, 0, 6) / 6


VALUE: dict[str, Callable[..., Any]] = {
    # Arithmetic
    "identity": lambda x: x,
    "add": lambda x, y: x + y,
    "sub": lambda x, y: x - y,
    "mul": lambda x, y: x * y,
    "div": lambda x, y: x / y,
    "neg": lambda x: -x,
    "pow": _pow,
    "square": lambda x: x**2,
    "abs": lambda x: abs(x),
    "reciprocal": lambda x: 1 / x,
    "mod": lambda x, y: x - y * mp.floor(x / y),
    "floordiv": lambda x, y: mp.floor(x / y),
    # Sums of many
    "sum": lambda *xs: mp.fsum(xs),
    "logsumexp": lambda *xs: mp.log(mp.fsum(mp.exp(x) for x in xs)),
    # Comparing and choosing
    "less": lambda x, y: mp.mpf(x < y),
    "less_equal": lambda x, y: mp.mpf(x <= y),
    "greater": lambda x, y: mp.mpf(x > y),
    "greater_equal": lambda x, y: mp.mpf(x >= y),
    "equal": lambda x, y: mp.mpf(x == y),
    "not_equal": lambda x, y: mp.mpf(x != y),
    "where": lambda cond, x, y: x if cond != 0 else y,
    "unless_nan": lambda x, witness: x,
    "maximum": lambda x, y: max(x, y),
    "minimum": lambda x, y: min(x, y),
    "clip": _clip,
    "sign": lambda x: mp.mpf((x > 0) - (x < 0)),
    "step": lambda x: mp.mpf(x > 0),
    "floor": lambda x: mp.floor(x),
    "ceil": lambda x: mp.ceil(x),
    "round": _round,
    # Exponentials, logarithms, roots
    "exp": lambda x: mp.exp(x),
    "expm1": lambda x: mp.expm1(x),
    "exp2": lambda x: mp.power(2, x),
    "xlogy": lambda x, y: x * mp.log(y),
    "logit": lambda x: mp.log(x) - mp.log1p(-x),
    "degrees": lambda x: mp.degrees(x),
    "radians": lambda x: mp.radians(x),
    "norm": lambda *xs: mp.sqrt(sum(x**2 for x in xs)),
    "log": lambda x: mp.log(x),
    "log1p": lambda x: mp.log1p(x),
    "log2": lambda x: mp.log(x) / mp.log(2),
    "log10": lambda x: mp.log(x) / mp.log(10),
    "sqrt": lambda x: mp.sqrt(x),
    "cbrt": lambda x: mp.sign(x) * mp.cbrt(abs(x)),
    # Trigonometry, circular and hyperbolic
    "sin": lambda x: mp.sin(x),
    "cos": lambda x: mp.cos(x),
    "tan": lambda x: mp.tan(x),
    "asin": lambda x: mp.asin(x),
    "acos": lambda x: mp.acos(x),
    "atan": lambda x: mp.atan(x),
    "atan2": lambda y, x: mp.atan2(y, x),
    "sinh": lambda x: mp.sinh(x),
    "cosh": lambda x: mp.cosh(x),
    "tanh": lambda x: mp.tanh(x),
    "sech2": lambda x: mp.sech(x) ** 2,
    "asinh": lambda x: mp.asinh(x),
    "acosh": lambda x: mp.acosh(x),
    "atanh": lambda x: mp.atanh(x),
    "hypot": lambda x, y: mp.sqrt(x**2 + y**2),
    "gaussian": lambda x: mp.exp(-(x**2) / 2),
    "erf": lambda x: mp.erf(x),
    "erfc": _erfc,
    # Smooth activations
    "sigmoid": _sigmoid,
    "softplus": _softplus,
    "log_sigmoid": lambda x: -_softplus(-x),
    "log_cosh": lambda x: mp.log(mp.cosh(x)),
    "logaddexp": lambda x, y: mp.log(mp.exp(x) + mp.exp(y)),
    "silu": lambda x: x * _sigmoid(x),
    "mish": lambda x: x * mp.tanh(_softplus(x)),
    "gelu": lambda x: x * _erfc(-x / mp.sqrt(2)) / 2,
    "gelu_tanh": lambda x: x * _sigmoid(2 * mp.sqrt(2 / mp.pi) * (x + mp.mpf("0.044715") * x**3)),
    "softsign": lambda x: x / (1 + abs(x)),
    "squareplus": lambda x, b: (x + mp.sqrt(x**2 + b)) / 2,
    "tanh_shrink": lambda x: x - mp.tanh(x),
    # Piecewise activations
    "relu": _relu,
    "relu6": lambda x: _clip(x, 0, 6),
    "leaky_relu": lambda x, slope: x if x > 0 else slope * x,
    "elu": lambda x, alpha: _exponential_below_zero(x, alpha, 1),
    "celu": lambda x, alpha: _exponential_below_zero(x, alpha, alpha),
    "selu": lambda x: (
        mp.mpf("1.0507009873554804934193349852946")
        * _exponential_below_zero(x, mp.mpf("1.6732632423543772848170429916717"), 1)
    ),
    "hard_sigmoid": _hard_sigmoid,
    "hard_silu": lambda x: x * _hard_sigmoid(x),
    "hard_tanh": lambda x: _clip(x, -1, 1),
    "soft_shrink": lambda x, threshold: x - _clip(x, -threshold, threshold),
    "hard_shrink": lambda x, threshold: x if abs(x) > threshold else mp.zero,
    "stop_gradient": lambda x: x,
}
"""The definitions, by the names of the rows."""


def _softmax(i: int, *xs: Any) -> Any:
    return 1 / mp.fsum(mp.exp(x - xs[i]) for x in xs)


def _normal(x: Any) -> Any:
    return mp.exp(-(x**2) / 2) / mp.sqrt(2 * mp.pi)


SLOPE: dict[str, Callable[..., Any]] = {
    # First derivatives (by argument i), where a quotient would take mpmath very long.
    "erf": lambda i, x: 2 * mp.exp(-(x**2)) / mp.sqrt(mp.pi),
    "erfc": lambda i, x: -2 * mp.exp(-(x**2)) / mp.sqrt(mp.pi),
    "gaussian": lambda i, x: -x * mp.exp(-(x**2) / 2),
    "gelu": lambda i, x: _erfc(-x / mp.sqrt(2)) / 2 + x * _normal(x),
    "atan2": lambda i, y, x: (x, -y)[i] / (x**2 + y**2),
    "logaddexp": lambda i, *xs: _softmax(i, *xs),
    "logsumexp": lambda i, *xs: _softmax(i, *xs),
}

STOPPED = {"stop_gradient"}
"""Rows whose derivative is zero by decree and not by mathematics."""


def _from_integer(x: Any) -> Any:
    return x - _round(x)


def _from_jump(quotient: Any, y: Any) -> tuple[Any, ...]:
    """How far x and y are from where the quotient is whole, and y from 0."""
    by_x = y * _from_integer(quotient)
    return by_x, by_x / max(abs(quotient), 1), y


def _at_zero(x: Any, *rest: Any) -> tuple[Any]:
    return (x,)


BORDERS: dict[str, Callable[..., tuple[Any, ...]]] = {
    # Where a function is not analytic, because of a kink, a jump, a pole or the end of its
    # domain, one of these is 0; elsewhere they say how far it is to there.
    **dict.fromkeys(
        (
            "abs",
            "reciprocal",
            "log",
            "log2",
            "log10",
            "sqrt",
            "cbrt",
            "sign",
            "step",
            "relu",
            "leaky_relu",
            "elu",
            "celu",
            "selu",
            "softsign",
            "pow",
            "where",
        ),
        _at_zero,
    ),
    **dict.fromkeys(
        (
            "less",
            "less_equal",
            "greater",
            "greater_equal",
            "equal",
            "not_equal",
            "maximum",
            "minimum",
        ),
        lambda x, y: (x - y,),
    ),
    **dict.fromkeys(("floor", "ceil"), lambda x: (_from_integer(x),)),
    **dict.fromkeys(("asin", "acos", "atanh", "hard_tanh"), lambda x: (x - 1, x + 1)),
    **dict.fromkeys(("hard_sigmoid", "hard_silu"), lambda x: (x - 3, x + 3)),
    **dict.fromkeys(("mod", "floordiv"), lambda x, y: _from_jump(x / y, y)),
    **dict.fromkeys(("soft_shrink", "hard_shrink"), lambda x, t: (x - t, x + t, t)),
    "div": lambda x, y: (y,),
    "clip": lambda x, low, high: (x - low, x - high, low - high),
    "round": lambda x: (_from_integer(x - mp.mpf(0.5)),),
    "log1p": lambda x: (x + 1,),
    "acosh": lambda x: (x - 1, x),
    "atan2": lambda y, x: (abs(y) + _relu(x),),
    "hypot": lambda x, y: (abs(x) + abs(y),),
    "squareplus": lambda x, b: (b,),
    "relu6": lambda x: (x, x - 6),
}


class Truth:
    """The right answers for one row at one point: the value and its derivatives of any order."""

    def __init__(self, name: str, args: Sequence[float]) -> None:
        self.name, self.args = name, tuple(args)
        self._known: dict[tuple[int, ...], Any] = {}
        with mp.workdps(DIGITS[-1]):
            borders = BORDERS[name](*map(mp.mpf, args)) if name in BORDERS else ()
            self.distance = min(map(abs, borders), default=mp.one)

    @property
    def value(self) -> Any:
        return self.derivative(())

    def partial(self, i: int) -> Any:
        return self.derivative((i,))

    def second(self, i: int, j: int) -> Any:
        return self.derivative((min(i, j), max(i, j)))

    def on_border(self) -> bool:
        """Whether the function is not smooth at this very point."""
        return bool(self.distance == 0)

    def condition(self, *by: int) -> Any:
        """Σ|xᵢ ∂ᵢg / g| for the derivative g of the function by these arguments, or for the
        function itself if none is given; times |g|, to make sense where g is 0."""
        slopes = [self.derivative(tuple(sorted((*by, i)))) for i in range(len(self.args))]
        # where x^y is real for whole y only, there is no direction to vary y in
        return mp.fsum(abs(x * slope) for x, slope in zip(self.args, slopes) if slope == slope)

    def derivative(self, by: tuple[int, ...]) -> Any:
        """The derivative by these arguments, one after another, in ascending order."""
        if by not in self._known:
            self._known[by] = self._believed(by)
        return self._known[by]

    def _believed(self, by: tuple[int, ...]) -> Any:
        """The derivative at rising precision, until two answers in succession agree."""
        if by and self.name in STOPPED:
            return mp.zero
        before = None
        reach = 3 * max(abs(frexp(x)[1]) for x in self.args) * log10(2.0)
        for digits in DIGITS:
            if digits < reach and digits < 1200:
                continue  # the arguments alone differ by more
            with mp.workdps(digits):
                now, noise = self._quotient(by)
                if now != now or abs(now) == inf:
                    return now
                if before is not None and (
                    (now != 0 and abs(now - before) <= AGREED * abs(now))
                    or max(abs(now), abs(before), noise) < VANISHED
                ):
                    break
                before = now
        else:
            raise AssertionError(f"no agreement about {self.name}{self.args} by {by}")
        with mp.workdps(60):
            return +now

    def _quotient(self, by: tuple[int, ...]) -> tuple[Any, Any]:
        """The central difference quotient by these arguments (by none: the value), and what
        the rounding of its terms may amount to."""
        f, xs = VALUE[self.name], [mp.mpf(x) for x in self.args]
        if by and self.name in SLOPE:
            f, by = partial(SLOPE[self.name], by[0]), by[1:]
        step = mp.ldexp(1, -mp.prec // (2 + len(by)) + min(mp.mag(self.distance), 0) - 2)

        @cache
        def at(*moves: int) -> Any:
            return f(*[x + move * step for x, move in zip(xs, moves)])

        terms = []
        for signs in product((1, -1), repeat=len(by)):
            moves = [sum(s for j, s in zip(by, signs) if i == j) for i in range(len(xs))]
            terms.append(prod(signs) * at(*moves))
        width = (2 * step) ** len(by)
        size = max(1, *map(abs, (*terms, *xs)))  # what cancelled within a term may be as large
        return mp.fsum(terms) / width, size * mp.eps / width


@cache
def truth(name: str, *args: float) -> Truth:
    """The right answers for a row at a point; computed once each."""
    return Truth(name, args)
