"""The rows: every operation of the engine, written once.

How to read a row::

    mul = _built_in("mul", operator.mul,                # x·y
             [lambda out, x, y: y,                      # ∂/∂x
              lambda out, x, y: x], symbol="×", ...)    # ∂/∂y

Each partial gets the result ``out`` and then the arguments. It uses only + − × ÷, negation
and other rows, never ``**`` and never an ``if`` on a number (it branches through rows such as
`step`, `sign` and `where`): that is what makes it serve every kind of number.

At the edges the rows follow IEEE 754; at kinks they take the subgradient of minimum norm;
a nan is never hidden. Partials are written so that they neither cancel nor overflow where
the true derivative is representable: tanh′ is sech²(x), never 1 − tanh²(x).
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from functools import reduce
from typing import Any

from ..ieee import divide, inf, nan, power
from .spelling import ATOM, NAME, POWER, PRODUCT, SUM, Notation, spelled
from .table import BUILT_IN, TABLE, Op


def _built_in(name: str, value: Any, partials: Any, **rest: Any) -> Op:
    """A row of this file: its value is a primitive (it has ``lower``) or made of rows."""
    TABLE[name] = row = Op(name, value, partials, opaque=False, **rest)
    return row


# ── Shapes that several rows share ────────────────────────────────────────────────────────

_EVERY = (-1e6, 1e6)
_R1, _R2 = (_EVERY,), (_EVERY, _EVERY)
_LN2, _LN10 = math.log(2.0), math.log(10.0)
_TWO_OVER_ROOT_PI, _ROOT_HALF = 2.0 / math.sqrt(math.pi), math.sqrt(0.5)
_NORMAL_PEAK = 1.0 / math.sqrt(2.0 * math.pi)
_GELU_B, _GELU_C = math.sqrt(2.0 / math.pi), 0.044715
_LARGEST = 2.0**1023 * (2.0 - 2.0**-52)
_ALL_EVEN = 2.0**106  # the square of the double from which on none is odd


def _one(out: Any, *args: Any) -> float:
    return 1.0


def _zero(out: Any, *args: Any) -> float:
    return 0.0


def _cell(x: float) -> float:
    """A piece label for steps at the integers: 2n on an integer n, 2n+1 right of it."""
    return math.floor(x) + math.ceil(x) if math.isfinite(x) else x


def _sign(x: float) -> float:
    return 1.0 if x > 0.0 else -1.0 if x < 0.0 else x + 0.0  # nan stays nan, −0 becomes 0


# Guards of factors, that an infinite one may meet a zero: silu(−∞) is 0, not nan. A float that
# needs none passes without a call of rows, and with the same result.


def _finite(x: Any) -> Any:
    return x if type(x) is float and x - x == 0.0 else clip(x, -_LARGEST, _LARGEST)


def _finite_below(x: Any) -> Any:
    return x if type(x) is float and x > -inf else maximum(x, -_LARGEST)


def _within(x: Any, reach: float) -> Any:
    """x, cut off at ±reach, where its factor has vanished: no power of it overflows."""
    return x if type(x) is float and -reach < x < reach else clip(x, -reach, reach)


def _bent(x: Any, below: Any, above: Any) -> Any:
    """The slope at x of a function with a kink at 0, given its slopes on both sides.

    At the kink every number between the two is a subgradient; we take the one of minimum
    norm, which is 0 when their signs differ. nan where x is nan.
    """
    nearest_to_zero = relu(minimum(below, above)) - relu(-maximum(below, above))
    at_kink = where(equal(x, 0.0), nearest_to_zero, x)
    return where(less(x, 0.0), below, where(greater(x, 0.0), above, at_kink))


# fmt: off
# ── Arithmetic ────────────────────────────────────────────────────────────────────────────

identity: Op = _built_in("identity", lambda x: x, [_one],
    symbol="id", tex="#1", sample=_R1,
    text=Notation("{}", (SUM,), SUM, tex=True),
    spelled=spelled("{0}"))

add: Op = _built_in("add", operator.add, [lambda out, x, y: 1.0, lambda out, x, y: 1.0],
    symbol="+", tex="#1 + #2", sample=_R2,
    neutral=(-0.0, -0.0),
    text=Notation("{} + {}", (SUM, PRODUCT), SUM, tex=True),
    spelled=spelled("{0} + {1}"))

sub: Op = _built_in("sub", operator.sub, [lambda out, x, y: 1.0, lambda out, x, y: -1.0],
    symbol="−", tex="#1 - #2", sample=_R2,
    neutral=(None, 0.0),
    text=Notation("{} − {}", (SUM, PRODUCT), SUM, tex=True),
    spelled=spelled("{0} - {1}"))

mul: Op = _built_in("mul", operator.mul, [lambda out, x, y: y, lambda out, x, y: x],
    symbol="×", tex=r"#1 \cdot #2", sample=_R2,
    neutral=(1.0, 1.0),
    text=Notation("{}·{}", (PRODUCT, PRODUCT), PRODUCT, tex=True, spaced="{} × {}"),
    spelled=spelled("{0} * {1}"))

div: Op = _built_in("div", operator.truediv, [lambda out, x, y: 1.0 / y,
                                          lambda out, x, y: -(out / y)],
    symbol="÷", tex=r"\frac{#1}{#2}", sample=_R2,
    domain=lambda x, y: y != 0.0, at_edge=divide,
    neutral=(None, 1.0),
    text=Notation("{}/{}", (PRODUCT, POWER), PRODUCT, spaced="{} / {}"),
    spelled=spelled("{0} / {1}"))

neg: Op = _built_in("neg", operator.neg, [lambda out, x: -1.0],
    symbol="−x", tex="-#1", sample=_R1,
    text=Notation("−{}", (PRODUCT,), SUM, tex=True),
    spelled=spelled("-{0}"))

# x⁰ has slope 0 even at x = 0, and 0^y has slope 0 for y ≥ 0: both are guarded in the
# argument of the factor that would be infinite, so that higher derivatives stay right too.
def _pow_slope(out: Any, x: Any, y: Any) -> Any:
    """y·xʸ⁻¹; for small y, where a tiny x would magnify the rounding of y − 1, y·xʸ/x. Huge y
    are even, and so is what y − 1 is rounded to: there the sign of an odd power is put back.

    Most exponents are constants, known when this is recorded: they need not be asked again.
    """
    lower = y - 1.0
    if type(y) is float and y * y >= 0.25 and lower * lower < _ALL_EVEN:
        return y * pow(x, lower)
    small = stop_gradient(less(y * y, 0.25) * greater(abs(x), 0.0))
    sign = stop_gradient(1.0 - 2.0 * greater_equal(lower * lower, _ALL_EVEN) * less(x, 0.0))
    return sign * y * pow(x, y - not_equal(y, 0.0) * (1.0 - small)) / where(small, x, 1.0)


pow: Op = _built_in("pow", math.pow, [
    _pow_slope,
    lambda out, x, y: out * log(x + stop_gradient(equal(x, 0.0) * greater_equal(y, 0.0)))],
    symbol="xʸ", tex="{#1}^{#2}", sample=((-20.0, 20.0), (-8.0, 8.0)),
    domain=lambda x, y: x > 0.0 or (x == 0.0 and y > 1.0) or (x < 0.0 and y % 1.0 == 0.0),
    at_edge=power,
    text=Notation("{}^{}", (ATOM, ATOM), POWER),
    spelled=spelled("pow({0}, {1})", c="@pow({0}, {1})", js="power({0}, {1})"))

square: Op = _built_in("square", lambda x: x * x, [lambda out, x: 2.0 * x],
    symbol="x²", tex="{#1}^{2}", sample=_R1,
    text=Notation("{}²", (ATOM,), POWER),
    spelled=spelled("{0} * {0}"))

_absolute = abs  # Python's, which is quicker on floats and comes to this row on all else
abs: Op = _built_in("abs", math.fabs, [lambda out, x: sign(x)],
    symbol="|x|", tex=r"\left|#1\right|", sample=_R1, kinks=_sign,
    text=Notation("|{}|", (SUM,), ATOM),
    spelled=spelled("fabs({0})", js="Math.abs({0})", llvm=lambda x: x.f.intrinsic("fabs", x)))

reciprocal: Op = _built_in("reciprocal", lambda x: 1.0 / x, [lambda out, x: -(out * out)],
    symbol="1/x", tex=r"\frac{1}{#1}", sample=_R1,
    domain=lambda x: x != 0.0, at_edge=lambda x: divide(1.0, x),
    text=Notation("1/{}", (POWER,), PRODUCT, spaced="1 / {}"),
    spelled=spelled("1.0 / {0}"))

# Python's %, with the sign of the divisor. (x − out)/y is a whole number but for rounding;
# its own slope, which round would multiply by 0, may be infinite.
mod: Op = _built_in("mod", operator.mod,
    [_one, lambda out, x, y: -round(stop_gradient((x - out) / y))],
    tex=r"#1 \bmod #2", sample=((-1e3, 1e3), (-1e3, 1e3)),
    domain=lambda x, y: y != 0.0, kinks=lambda x, y: _cell(divide(x, y)),
    at_edge=lambda x, y: nan,
    text=Notation("{} mod {}", (ATOM, ATOM), 0, tex=True),
    spelled=spelled("mod({0}, {1})", python="{0} % {1}", c="@mod({0}, {1})", js="modulo({0}, {1})"))

floordiv: Op = _built_in("floordiv", operator.floordiv, [_zero, _zero],
    symbol="⌊÷⌋", tex=r"\left\lfloor\frac{#1}{#2}\right\rfloor",
    sample=((-1e3, 1e3), (-1e3, 1e3)),
    domain=lambda x, y: y != 0.0, kinks=lambda x, y: _cell(divide(x, y)), at_edge=divide,
    spelled=spelled("floordiv({0}, {1})", python="{0} // {1}", c="@floordiv({0}, {1})",
                    js="floorDivide({0}, {1})"))


# ── Sums of many ──────────────────────────────────────────────────────────────────────────

def _sum(*xs: float) -> float:
    """Left to right, so that every executor can repeat it bit for bit (from Python 3.12 on
    the built-in sum compensates, and answers differently than 3.11)."""
    total = xs[0] if xs else 0.0
    for x in xs[1:]:
        total += x
    return total


def _logsumexp(*xs: Any) -> Any:
    """log Σ exp(xᵢ), shifted by the largest; by nothing when that is infinite.

    One largest argument is kept out of the sum, where its exp is 1: what log1p then adds to
    it keeps its digits, also when it is all that is left because the largest is near 0.
    """
    top: Any = -inf
    rest = []
    for x in xs:
        rest.append(minimum(top, x))
        top = maximum(top, x)
    shift = where(equal(abs(top), inf), 0.0, top)
    return top + log1p(sum([exp(x - shift) for x in rest]))


sum: Op = _built_in("sum", _sum, lambda i, out, *xs: 1.0,
    together=lambda out, *xs: [1.0] * len(xs),
    symbol="Σ", tex="#+", sample=_R1,
    text=Notation(" + ", (SUM, PRODUCT), SUM, tex=True),
    spelled=spelled(" + ", llvm=lambda *xs: reduce(operator.add, xs)))


def _softmax(out: Any, *xs: Any) -> list[Any]:
    """exp(xᵢ)/Σ exp(xⱼ). Shifted by the largest as it stands, not by ``out``, whose rounding
    would show; where that is infinite, those that equal it share the slope."""
    top: Any = -inf
    for x in xs:
        top = maximum(top, x)
    shares = [exp(x - stop_gradient(top)) for x in xs]
    if type(top) is not float or math.isinf(top):  # a finite number need not be asked
        infinite = equal(abs(top), inf)
        shares = [where(infinite, equal(x, top), share) for x, share in zip(xs, shares)]
    total = sum(shares)
    return [share / total for share in shares]


logsumexp: Op = _built_in("logsumexp", _logsumexp,
    lambda i, out, *xs: _softmax(out, *xs)[i], together=_softmax,
    symbol="log Σ eˣ", tex=r"\operatorname{logsumexp}\left(#,\right)", sample=((-700.0, 700.0),))


# ── Comparing and choosing: 1.0 or 0.0, so that conditions can be part of a graph ─────────

def _comparison(name: str, compare: Callable[[Any, Any], Any], symbol: str, tex: str,
                sign: str, truth: Callable[[Any, Any], Any] | None = None) -> Op:
    return _built_in(name, lambda x, y: 1.0 if compare(x, y) else 0.0, [_zero, _zero],
        sample=_R2, kinks=lambda x, y: _sign(x - y),
        symbol=symbol, tex=rf"\left[#1 {tex} #2\right]",
        text=Notation(f"[{{}} {symbol} {{}}]", (SUM, SUM), ATOM),
        spelled=spelled(f"{{0}} {sign} {{1}}", python=f"1.0 if {{0}} {sign} {{1}} else 0.0",
                        js=f"+({{0}} {sign} {{1}})",
                        llvm=lambda x, y: (truth or compare)(x, y).where(1.0, 0.0)))

less: Op          = _comparison("less",          operator.lt, "<", "<", "<")
less_equal: Op    = _comparison("less_equal",    operator.le, "≤", r"\le", "<=")
greater: Op       = _comparison("greater",       operator.gt, ">", ">", ">")
greater_equal: Op = _comparison("greater_equal", operator.ge, "≥", r"\ge", ">=")
equal: Op         = _comparison("equal",         operator.eq, "=", "=", "==",
                            lambda x, y: x.equals(y))
not_equal: Op     = _comparison("not_equal",     operator.ne, "≠", r"\ne", "!=",
                            lambda x, y: x.differs(y))

# As in C and NumPy, a nan condition counts as true.
where: Op = _built_in("where", lambda cond, x, y: x if cond != 0.0 else y,
    [_zero, lambda out, cond, x, y: not_equal(cond, 0.0),
            lambda out, cond, x, y: equal(cond, 0.0)],
    symbol="if", tex=r"\left(#2 \text{ if } #1 \text{ else } #3\right)",
    sample=((-1.0, 1.0), _EVERY, _EVERY),
    kinks=lambda cond, x, y: 1.0 if cond != 0.0 else 0.0,
    spelled=spelled("{0} != 0.0 ? {1} : {2}", python="{1} if {0} != 0.0 else {2}",
                 llvm=lambda cond, x, y: cond.differs(0.0).where(x, y)))

# x, but nan wherever ``witness`` is: how a partial keeps a nan of its operation in sight.
unless_nan: Op = _built_in("unless_nan", lambda x, witness: x if witness == witness else witness,
    [_one, None], tex="#1", sample=_R2,
    text=Notation("{}", (SUM, SUM), SUM, tex=True),
    spelled=spelled("{1} == {1} ? {0} : {1}", python="{0} if {1} == {1} else {1}",
                      llvm=lambda x, witness: witness.is_nan().where(witness, x)))

maximum: Op = _built_in("maximum", lambda x, y: x if x > y or x != x else y, [
    lambda out, x, y: unless_nan(greater(x, y) + 0.5 * equal(x, y), out),
    lambda out, x, y: unless_nan(greater(y, x) + 0.5 * equal(x, y), out)],
    symbol="max", tex=r"\max\left(#1, #2\right)", sample=_R2,
    kinks=lambda x, y: _sign(x - y),
    text=Notation("max({}, {})", (SUM, SUM), ATOM),
    spelled=spelled("{0} > {1} || {0} != {0} ? {0} : {1}",
                   python="{0} if {0} > {1} or {0} != {0} else {1}",
                   llvm=lambda x, y: ((x > y) | x.is_nan()).where(x, y)))

minimum: Op = _built_in("minimum", lambda x, y: x if x < y or x != x else y, [
    lambda out, x, y: unless_nan(less(x, y) + 0.5 * equal(x, y), out),
    lambda out, x, y: unless_nan(less(y, x) + 0.5 * equal(x, y), out)],
    symbol="min", tex=r"\min\left(#1, #2\right)", sample=_R2,
    kinks=lambda x, y: _sign(x - y),
    text=Notation("min({}, {})", (SUM, SUM), ATOM),
    spelled=spelled("{0} < {1} || {0} != {0} ? {0} : {1}",
                   python="{0} if {0} < {1} or {0} != {0} else {1}",
                   llvm=lambda x, y: ((x < y) | x.is_nan()).where(x, y)))

# At a bound the slope of 1 belongs to the bound, none to x.
clip: Op = _built_in("clip", lambda x, low, high: minimum(maximum(x, low), high), [
    lambda out, x, low, high: unless_nan(greater(x, low) * less(x, high), out),
    lambda out, x, low, high: unless_nan(less_equal(x, low) * less(low, high), out),
    lambda out, x, low, high: unless_nan(greater_equal(maximum(x, low), high), out)],
    tex=r"\operatorname{clip}\left(#1, #2, #3\right)",
    sample=(_EVERY, (-1e6, -1.0), (1.0, 1e6)),
    kinks=lambda x, low, high: _sign(x - low) + 3.0 * _sign(x - high) + 9.0 * _sign(low - high))

sign: Op = _built_in("sign", _sign, [_zero],
    tex=r"\operatorname{sgn}\left(#1\right)", sample=_R1, kinks=_sign,
    spelled=spelled("{0} > 0.0 ? 1.0 : {0} < 0.0 ? -1.0 : {0} + 0.0",
                python="1.0 if {0} > 0.0 else -1.0 if {0} < 0.0 else {0} + 0.0",
                llvm=lambda x: (x > 0.0).where(1.0, (x < 0.0).where(-1.0, x + 0.0))))

step: Op = _built_in("step", lambda x: 1.0 if x > 0.0 else x * 0.0 if x != x else 0.0, [_zero],
    tex=r"\operatorname{step}\left(#1\right)", sample=_R1, kinks=_sign,
    spelled=spelled("{0} > 0.0 ? 1.0 : {0} != {0} ? {0} : 0.0",
                python="1.0 if {0} > 0.0 else 0.0 if {0} == {0} else {0} * 0.0",
                llvm=lambda x: (x > 0.0).where(1.0, x.is_nan().where(x, 0.0))))

# copysign keeps −0, which Python's integers lose. An infinity or nan, which has no integer
# in Python, is its own floor.
floor: Op = _built_in("floor", lambda x: math.copysign(math.floor(x), x), [_zero],
    symbol="⌊x⌋", tex=r"\left\lfloor #1\right\rfloor", sample=_R1,
    kinks=_cell, at_edge=lambda x: x,
    text=Notation("⌊{}⌋", (SUM,), ATOM),
    spelled=spelled("floor({0})", python="copysign(floor({0}), {0})"))

ceil: Op = _built_in("ceil", lambda x: math.copysign(math.ceil(x), x), [_zero],
    symbol="⌈x⌉", tex=r"\left\lceil #1\right\rceil", sample=_R1,
    kinks=_cell, at_edge=lambda x: x,
    text=Notation("⌈{}⌉", (SUM,), ATOM),
    spelled=spelled("ceil({0})", python="copysign(ceil({0}), {0})"))

_round = round
round: Op = _built_in("round", lambda x: math.copysign(_round(x), x), [_zero],  # halves to even
    tex=r"\operatorname{round}\left(#1\right)", sample=_R1,
    kinks=lambda x: _cell(x - 0.5), at_edge=lambda x: x,
    spelled=spelled("rint({0})", python="copysign(round({0}), {0})", js="halfToEven({0})",
                  llvm="round"))


# ── Exponentials, logarithms, roots ───────────────────────────────────────────────────────
# A logarithm left of its domain is nan and so must be its slope, though 1/x is a number there.

exp: Op = _built_in("exp", math.exp, [lambda out, x: out],
    tex="e^{#1}", sample=((-745.0, 709.0),), at_edge=lambda x: inf,
    spelled=spelled("exp({0})"))

expm1: Op = _built_in("expm1", math.expm1, [lambda out, x: exp(x)],
    symbol="eˣ−1", tex=r"\left(e^{#1} - 1\right)", sample=((-745.0, 709.0),),
    at_edge=lambda x: inf,
    spelled=spelled("expm1({0})"))

exp2: Op = _built_in("exp2", lambda x: pow(2.0, x), [lambda out, x: _LN2 * out],
    sample=((-1074.0, 1023.0),),
    symbol="2ˣ", tex="2^{#1}")

log: Op = _built_in("log", math.log, [lambda out, x: 1.0 / unless_nan(x, out)],
    tex=r"\log\left(#1\right)", sample=((0.0, 1e12),),
    domain=lambda x: x > 0.0, at_edge=lambda x: nan if x else -inf,
    spelled=spelled("log({0})"))

log1p: Op = _built_in("log1p", math.log1p, [lambda out, x: 1.0 / (1.0 + unless_nan(x, out))],
    tex=r"\log\left(1 + #1\right)", sample=((-1.0, 1e12),),
    domain=lambda x: x > -1.0, at_edge=lambda x: -inf if x == -1.0 else nan,
    spelled=spelled("log1p({0})"))

log2: Op = _built_in("log2", math.log2, [lambda out, x: 1.0 / _LN2 / unless_nan(x, out)],
    tex=r"\log_2\left(#1\right)", sample=((0.0, 1e12),),
    domain=lambda x: x > 0.0, at_edge=lambda x: nan if x else -inf,
    spelled=spelled("log2({0})"))

log10: Op = _built_in("log10", math.log10, [lambda out, x: 1.0 / _LN10 / unless_nan(x, out)],
    tex=r"\log_{10}\left(#1\right)", sample=((0.0, 1e12),),
    domain=lambda x: x > 0.0, at_edge=lambda x: nan if x else -inf,
    spelled=spelled("log10({0})"))

# 0·log y is 0 for every y that is not nan.
xlogy: Op = _built_in("xlogy",
    lambda x, y: where(equal(x, 0.0) * equal(y, y), 0.0, x * log(y)),
    [lambda out, x, y: log(y), lambda out, x, y: x / unless_nan(y, out)],
    sample=(_EVERY, (0.0, 1e12)), domain=lambda x, y: y > 0.0,
    symbol="x log y", tex=r"#1 \cdot \log\left(#2\right)",
    text=Notation("{}·log({})", (PRODUCT, SUM), PRODUCT, tex=True, spaced="{} × log({})"))

# Near ½ the two logarithms would cancel.
logit: Op = _built_in("logit",
    lambda x: where(less(abs(x - 0.5), 0.25), 2.0 * atanh(2.0 * x - 1.0), log(x) - log1p(-x)),
    [lambda out, x: 1.0 / (unless_nan(x, out) * (1.0 - x))],
    sample=((0.0, 1.0),), domain=lambda x: 0.0 < x < 1.0,
    tex=r"\operatorname{logit}\left(#1\right)")

sqrt: Op = _built_in("sqrt", math.sqrt, [lambda out, x: 0.5 / out],
    symbol="√x", tex=r"\sqrt{#1}", sample=((0.0, 1e12),),
    domain=lambda x: x > 0.0, at_edge=lambda x: nan,
    text=Notation("√{}", (NAME,), POWER),
    spelled=spelled("sqrt({0})", llvm=lambda x: x.f.intrinsic("sqrt", x)))


def _cbrt(x: float) -> float:
    """A power, and one Newton step to the last digit: C libraries are several ulp off, and
    Python 3.10 has no math.cbrt at all."""
    if x == 0.0 or not math.isfinite(x):
        return x
    root = math.copysign(math.fabs(x) ** (1.0 / 3.0), x)
    return root - (root - x / (root * root)) / 3.0


cbrt: Op = _built_in("cbrt", _cbrt, [lambda out, x: 1.0 / (3.0 * out * out)],
    symbol="∛x", tex=r"\sqrt[3]{#1}", sample=_R1, domain=lambda x: x != 0.0,
    text=Notation("∛{}", (NAME,), POWER),
    spelled=spelled("cbrt({0})", c="@cbrt({0})"))


# ── Trigonometry, circular and hyperbolic ─────────────────────────────────────────────────

sin: Op = _built_in("sin", math.sin, [lambda out, x: cos(x)],
    tex=r"\sin\left(#1\right)", sample=((-100.0, 100.0),), at_edge=lambda x: nan,
    spelled=spelled("sin({0})"))

cos: Op = _built_in("cos", math.cos, [lambda out, x: -sin(x)],
    tex=r"\cos\left(#1\right)", sample=((-100.0, 100.0),), at_edge=lambda x: nan,
    spelled=spelled("cos({0})"))

tan: Op = _built_in("tan", math.tan, [lambda out, x: 1.0 + out * out],
    tex=r"\tan\left(#1\right)", sample=((-100.0, 100.0),), at_edge=lambda x: nan,
    spelled=spelled("tan({0})"))

_DEGREES, _RADIANS = 180.0 / math.pi, math.pi / 180.0

degrees: Op = _built_in("degrees", lambda x: x * _DEGREES, [lambda out, x: _DEGREES],
    sample=_R1)

radians: Op = _built_in("radians", lambda x: x * _RADIANS, [lambda out, x: _RADIANS],
    sample=_R1)

def _one_minus_square(x: Any) -> Any:
    """1 − x², which cancels neither near ±1 itself nor near 0 in its derivative."""
    return where(less(abs(x), 0.5), 1.0 - square(x), (1.0 - x) * (1.0 + x))


asin: Op = _built_in("asin", math.asin, [lambda out, x: 1.0 / sqrt(_one_minus_square(x))],
    tex=r"\arcsin\left(#1\right)", sample=((-1.0, 1.0),),
    domain=lambda x: -1.0 < x < 1.0, at_edge=lambda x: nan,
    spelled=spelled("asin({0})"))

acos: Op = _built_in("acos", math.acos, [lambda out, x: -1.0 / sqrt(_one_minus_square(x))],
    tex=r"\arccos\left(#1\right)", sample=((-1.0, 1.0),),
    domain=lambda x: -1.0 < x < 1.0, at_edge=lambda x: nan,
    spelled=spelled("acos({0})"))

atan: Op = _built_in("atan", math.atan, [lambda out, x: square(1.0 / hypot(1.0, x))],
    tex=r"\arctan\left(#1\right)", sample=_R1,
    spelled=spelled("atan({0})"))

def _over_square(x: Any, y: Any) -> Any:
    """x/r² for r = √(x² + y²): at once where x/r might be subnormal and have few digits, else
    in two steps, as r² might overflow or underflow; from x/4 and y/4 where r overflows."""
    r, scale, near = hypot(y, x), 1.0, x
    finite = type(r) is float and r < inf  # then there is nothing more to ask
    if not finite:
        scale = where(less(r, inf), 1.0, 0.25)
        near, r = scale * x, hypot(scale * y, scale * x)
    at_once = less(r, 1.0) * greater(r, 1e-20)
    slope = near / (r * where(at_once, r, 1.0)) / where(at_once, 1.0, r)
    return slope if finite else where(equal(abs(x), inf), 0.0, scale * slope)


atan2: Op = _built_in("atan2", lambda y, x: math.atan2(y, x), [
    lambda out, y, x: unless_nan(_over_square(x, y), out),
    lambda out, y, x: unless_nan(-_over_square(y, x), out)],
    tex=r"\operatorname{atan2}\left(#1, #2\right)", sample=_R2,
    domain=lambda y, x: x > 0.0 or y != 0.0,
    spelled=spelled("atan2({0}, {1})"))  # off the cut, where it jumps by 2π

sinh: Op = _built_in("sinh", math.sinh, [lambda out, x: cosh(x)],
    tex=r"\sinh\left(#1\right)", sample=((-710.0, 710.0),),
    at_edge=lambda x: math.copysign(inf, x),
    spelled=spelled("sinh({0})"))

cosh: Op = _built_in("cosh", math.cosh, [lambda out, x: sinh(x)],
    tex=r"\cosh\left(#1\right)", sample=((-710.0, 710.0),), at_edge=lambda x: inf,
    spelled=spelled("cosh({0})"))

tanh: Op = _built_in("tanh", math.tanh, [lambda out, x: sech2(x)],
    tex=r"\tanh\left(#1\right)", sample=_R1,
    spelled=spelled("tanh({0})"))

def _sech2(x: Any) -> Any:
    root = 1.0 / cosh(x)
    return root * root


# Its slope is a multiple of itself: so no derivative of tanh meets cosh, which overflows.
sech2: Op = _built_in("sech2", _sech2, [lambda out, x: -2.0 * out * tanh(x)],
    symbol="sech²", tex=r"\operatorname{sech}^{2}\left(#1\right)", sample=_R1)

asinh: Op = _built_in("asinh", math.asinh, [lambda out, x: 1.0 / hypot(1.0, x)],
    tex=r"\operatorname{arsinh}\left(#1\right)", sample=_R1,
    spelled=spelled("asinh({0})"))

acosh: Op = _built_in("acosh", math.acosh, [lambda out, x: 1.0 / (sqrt(x - 1.0) * sqrt(x + 1.0))],
    tex=r"\operatorname{arcosh}\left(#1\right)", sample=((1.0, 1e6),),
    domain=lambda x: x > 1.0, at_edge=lambda x: nan,
    spelled=spelled("acosh({0})"))

atanh: Op = _built_in("atanh", math.atanh,
    [lambda out, x: 1.0 / _one_minus_square(unless_nan(x, out))],
    tex=r"\operatorname{artanh}\left(#1\right)", sample=((-1.0, 1.0),),
    domain=lambda x: -1.0 < x < 1.0,
    at_edge=lambda x: math.copysign(inf, x) if math.fabs(x) == 1.0 else nan,
    spelled=spelled("atanh({0})"))

def _norm(*xs: Any) -> Any:
    """√Σxᵢ², scaled by the largest so that no square overflows; by nothing where that is 0 or
    infinite."""
    top: Any = 0.0
    for x in xs:
        top = maximum(top, abs(x))
    scale = where(equal(top, 0.0) + equal(top, inf), 1.0, top)
    return scale * sqrt(sum([square(x / scale) for x in xs]))


def _directions(length: Callable[..., Any], out: Any, *xs: Any) -> list[Any]:
    """Each xᵢ over their length, and 0 at the origin; all are shortened where that overflows."""
    if not (type(out) is float and out < inf):
        scale = where(less(out, inf), 1.0, 2.0**-100)
        shorter = [scale * x for x in xs]
        total = length(*shorter) + equal(out, 0.0)
        slopes = [where(equal(abs(x), inf), sign(x), y / total) for x, y in zip(xs, shorter)]
        return [unless_nan(slope, out) for slope in slopes]
    total = out + equal(out, 0.0)
    return [x / total for x in xs]


def _norm_slopes(out: Any, *xs: Any) -> list[Any]:
    return _directions(lambda *shorter: norm(shorter), out, *xs)


norm: Op = _built_in("norm", _norm,
    lambda i, out, *xs: _norm_slopes(out, *xs)[i], together=_norm_slopes,
    sample=_R1, kinks=lambda *xs: 0.0 if not any(xs) else 1.0,
    symbol="‖x‖", tex=r"\left\lVert\left(#,\right)\right\rVert")

# At the origin every slope from −1 to 1 is a subgradient; 0 is the one of minimum norm.
hypot: Op = _built_in("hypot", lambda x, y: math.hypot(x, y), [
    lambda out, x, y: _directions(hypot, out, x, y)[0],
    lambda out, x, y: _directions(hypot, out, x, y)[1]],
    tex=r"\sqrt{{#1}^2 + {#2}^2}", sample=_R2,
    kinks=lambda x, y: 0.0 if x == y == 0.0 else 1.0, more=norm,
    spelled=spelled("hypot({0}, {1})"))

# e^(−x²/2). Its slope is a multiple of itself: so no power of x meets what has vanished.
gaussian: Op = _built_in("gaussian", lambda x: exp(-0.5 * (x * x)),
    [lambda out, x: -(_within(x, 64.0) * out)],
    tex=r"e^{-\frac{1}{2}{#1}^{2}}", sample=_R1)

erf: Op = _built_in("erf", math.erf, [lambda out, x: _TWO_OVER_ROOT_PI * square(gaussian(x))],
    tex=r"\operatorname{erf}\left(#1\right)", sample=_R1,
    spelled=spelled("erf({0})", js="erf({0})"))

erfc: Op = _built_in("erfc", math.erfc, [lambda out, x: -_TWO_OVER_ROOT_PI * square(gaussian(x))],
    tex=r"\operatorname{erfc}\left(#1\right)", sample=_R1,
    spelled=spelled("erfc({0})", js="erfc({0})"))


# ── Smooth activations ────────────────────────────────────────────────────────────────────
# Each is its own row and not a composition: a softplus made of relu and log1p would have
# the wrong slope at 0, a sigmoid′ made of s·(1 − s) would vanish at 40.

def _sigmoid(x: Any) -> Any:
    small = exp(-_absolute(x))  # ≤ 1, so nothing overflows on either side
    return where(less(x, 0.0), small, 1.0) / (1.0 + small)


def _difference(x: Any, y: Any) -> Any:
    return where(equal(x, y) * equal(abs(x), inf), 0.0, x - y)  # of equal infinities: 0


sigmoid: Op = _built_in("sigmoid", _sigmoid, [lambda out, x: out * sigmoid(-x)],
    symbol="σ", tex=r"\sigma\left(#1\right)", sample=((-745.0, 745.0),),
    text=Notation("σ({})", (SUM,), ATOM))

softplus: Op = _built_in("softplus", lambda x: maximum(x, 0.0) + log1p(exp(-_absolute(x))),
    [lambda out, x: sigmoid(x)], sample=((-745.0, 1e6),))

log_sigmoid: Op = _built_in("log_sigmoid", lambda x: -softplus(-x), [lambda out, x: sigmoid(-x)],
    tex=r"\log\sigma\left(#1\right)", symbol="log σ", sample=((-1e6, 745.0),))

# Near 0 the two halves of cosh would cancel; far from it sinh² would overflow.
log_cosh: Op = _built_in("log_cosh",
    lambda x: where(less(abs(x), 20.0), 0.5 * log1p(square(sinh(x))), abs(x) - _LN2),
    [lambda out, x: tanh(x)], tex=r"\log\cosh\left(#1\right)", symbol="log cosh", sample=_R1)

logaddexp: Op = _built_in("logaddexp",
    lambda x, y: maximum(x, y) + log1p(exp(-abs(_difference(x, y)))),
    [lambda out, x, y: sigmoid(_difference(x, y)), lambda out, x, y: sigmoid(_difference(y, x))],
    tex=r"\log\left(e^{#1} + e^{#2}\right)", sample=((-700.0, 700.0), (-700.0, 700.0)))

silu: Op = _built_in("silu", lambda x: _finite_below(x) * sigmoid(x),
    [lambda out, x: sigmoid(x) + _finite(out) * sigmoid(-x)], sample=((-700.0, 1e6),))

mish: Op = _built_in("mish", lambda x: _finite_below(x) * tanh(softplus(x)),
    [lambda out, x: tanh(softplus(x)) + (
        _within(x, 1e3) * sech2(softplus(x)) * sigmoid(x))],
    sample=((-700.0, 1e6),))

def _gelu(x: Any) -> Any:
    """x·Φ(x). erfc keeps the digits of the left tail that 1 + erf would cancel, but far out it
    magnifies the rounding of x·√½: there φ times its asymptotic series is right."""
    body = 0.5 * _finite_below(x) * erfc(-_ROOT_HALF * x)
    if type(x) is float and x > -30.0:
        return body
    far, series = minimum(x, -30.0), 1.0
    ratio = 1.0 / (far * far)
    for k in range(13, 0, -2):
        series = 1.0 - k * ratio * series
    return where(less(x, -30.0), -_NORMAL_PEAK * gaussian(far) * series, body)


gelu: Op = _built_in("gelu", _gelu,
    [lambda out, x: 0.5 * erfc(-_ROOT_HALF * x)
     + _within(x, 64.0) * (_NORMAL_PEAK * gaussian(x))],
    sample=((-37.0, 1e6),))

def _gelu_tanh_slope(out: Any, x: Any) -> Any:
    x = _within(x, 64.0)  # beyond, the slope is 0 or 1, and x² could overflow
    u = 2.0 * _GELU_B * x * (1.0 + _GELU_C * square(x))
    return sigmoid(u) * (
        1.0 + x * sigmoid(-u) * (2.0 * _GELU_B * (1.0 + 3.0 * _GELU_C * square(x))))


# (1 + tanh u)/2 is σ(2u), which does not cancel on the left.
gelu_tanh: Op = _built_in("gelu_tanh",
    lambda x: _finite_below(x) * sigmoid(2.0 * _GELU_B * x * (1.0 + _GELU_C * square(x))),
    [_gelu_tanh_slope], sample=((-20.0, 1e6),))

softsign: Op = _built_in("softsign", lambda x: _finite(x) / (1.0 + abs(_finite(x))),
    [lambda out, x: square(1.0 / (1.0 + abs(x)))],
    tex=r"\frac{#1}{1 + \left|#1\right|}", sample=_R1)


def _squareplus(x: Any, b: Any = 4.0) -> Any:
    right = 0.5 * hypot(x, sqrt(b)) + 0.5 * abs(x)
    return where(less(x, 0.0), 0.25 * (b / right), right)  # x + √(x² + b) cancels on the left


def _squareplus_slope(out: Any, x: Any, b: Any) -> Any:
    slope = out / hypot(x, sqrt(b))
    return slope if type(x) is float and x < inf else where(equal(x, inf), 1.0, slope)


squareplus: Op = _built_in("squareplus", _squareplus,
    [_squareplus_slope, lambda out, x, b: 0.25 / hypot(x, sqrt(b))],
    tex=r"\frac{#1 + \sqrt{{#1}^2 + #2}}{2}", sample=(_EVERY, (0.1, 10.0)),
    domain=lambda x, b: b > 0.0)


def _tanh_shrink(x: Any) -> Any:
    """x − tanh x; near 0 as (x cosh x − sinh x)/cosh x by its series Σ 2k x^{2k+1}/(2k+1)!."""
    series = 0.0
    for k in range(9, 0, -1):
        series = series * square(x) + 2.0 * k / math.factorial(2 * k + 1)
    return where(less(abs(x), 1.0), x * square(x) * series / cosh(x), x - tanh(x))


tanh_shrink: Op = _built_in("tanh_shrink", _tanh_shrink, [lambda out, x: square(tanh(x))],
    tex=r"\left(#1 - \tanh\left(#1\right)\right)", sample=_R1)


# ── Piecewise activations ─────────────────────────────────────────────────────────────────

relu: Op = _built_in("relu", lambda x: x if x > 0.0 or x != x else 0.0, [lambda out, x: step(x)],
    sample=_R1, kinks=_sign,
    spelled=spelled("{0} > 0.0 || {0} != {0} ? {0} : 0.0",
                python="{0} if {0} > 0.0 or {0} != {0} else 0.0",
                llvm=lambda x: ((x > 0.0) | x.is_nan()).where(x, 0.0)))

relu6: Op = _built_in("relu6", lambda x: clip(x, 0.0, 6.0),
    [lambda out, x: unless_nan(greater(x, 0.0) * less(x, 6.0), out)],
    sample=((-20.0, 20.0),), kinks=lambda x: _sign(x) + _sign(x - 6.0))

leaky_relu: Op = _built_in("leaky_relu", lambda x, slope=0.2: where(less(x, 0.0), slope * x, x),
    [lambda out, x, slope: _bent(x, slope, 1.0), lambda out, x, slope: minimum(x, 0.0)],
    sample=(_EVERY, (-2.0, 2.0)), kinks=lambda x, slope: _sign(x))

elu: Op = _built_in("elu",
    lambda x, alpha=1.0: maximum(x, 0.0) + alpha * expm1(minimum(x, 0.0)),
    [lambda out, x, alpha: _bent(x, alpha * exp(minimum(x, 0.0)), 1.0),
     lambda out, x, alpha: expm1(minimum(x, 0.0))],
    sample=((-700.0, 1e6), (-2.0, 2.0)), kinks=lambda x, alpha: _sign(x))


def _celu_reach(x: Any, alpha: Any) -> Any:
    """min(x, 0)/α, cut off where its exponential has vanished."""
    return maximum(minimum(x, 0.0), -800.0 * alpha) / alpha


def _celu_alpha_slope(out: Any, x: Any, alpha: Any) -> Any:
    """e^u − 1 − u·e^u for u = min(x, 0)/α; near 0 by its series −Σ (k−1) u^k / k!."""
    u = _celu_reach(x, alpha)
    series = 0.0
    for k in range(18, 1, -1):
        series = series * u + (k - 1) / math.factorial(k)
    return where(less(u, -0.5), expm1(u) - u * exp(u), -(series * square(u)))


def _celu(x: Any, alpha: Any = 1.0) -> Any:
    u = minimum(x, 0.0) / alpha
    return where(greater(u, -1e-17), x, alpha * expm1(u))  # a tiny x/α might underflow


# Unlike elu's, its slope is 1 on both sides of 0 for every α, so it has no kink.
celu: Op = _built_in("celu", _celu,
    [lambda out, x, alpha: exp(_celu_reach(x, alpha)), _celu_alpha_slope],
    sample=((-60.0, 1e6), (0.1, 2.0)), domain=lambda x, alpha: alpha > 0.0)

_SELU_SCALE, _SELU_ALPHA = 1.0507009873554804934193349852946, 1.6732632423543772848170429916717

selu: Op = _built_in("selu",
    lambda x: _SELU_SCALE * maximum(x, 0.0) + _SELU_SCALE * _SELU_ALPHA * expm1(minimum(x, 0.0)),
    [lambda out, x: _bent(x, _SELU_SCALE * _SELU_ALPHA * exp(minimum(x, 0.0)), _SELU_SCALE)],
    sample=((-700.0, 1e6),), kinks=_sign)

hard_sigmoid: Op = _built_in("hard_sigmoid", lambda x: relu6(x + 3.0) / 6.0,
    [lambda out, x: unless_nan(greater(x, -3.0) * less(x, 3.0), out) / 6.0],
    sample=((-20.0, 20.0),), kinks=lambda x: _sign(x + 3.0) + _sign(x - 3.0))

hard_silu: Op = _built_in("hard_silu", lambda x: _finite_below(x) * hard_sigmoid(x),
    [lambda out, x: where(greater_equal(x, 3.0), 1.0,
                          where(less_equal(x, -3.0), 0.0, (2.0 * x + 3.0) / 6.0))],
    sample=((-20.0, 20.0),), kinks=lambda x: _sign(x + 3.0) + _sign(x - 3.0))

hard_tanh: Op = _built_in("hard_tanh", lambda x: clip(x, -1.0, 1.0),
    [lambda out, x: unless_nan(greater(x, -1.0) * less(x, 1.0), out)],
    sample=((-20.0, 20.0),), kinks=lambda x: _sign(x + 1.0) + _sign(x - 1.0))

soft_shrink: Op = _built_in("soft_shrink",
    lambda x, threshold=0.5: x - clip(x, -threshold, threshold),
    [lambda out, x, threshold: unless_nan(greater(abs(x), threshold), out),
     lambda out, x, threshold: -sign(x) * greater(abs(x), threshold)],
    sample=((-20.0, 20.0), (0.1, 2.0)), domain=lambda x, threshold: threshold > 0.0,
    kinks=lambda x, threshold: _sign(x + threshold) + _sign(x - threshold))

hard_shrink: Op = _built_in("hard_shrink",
    lambda x, threshold=0.5: where(less_equal(abs(x), threshold), 0.0, unless_nan(x, threshold)),
    [lambda out, x, threshold: unless_nan(greater(abs(x), threshold), out), _zero],
    sample=((-20.0, 20.0), (0.1, 2.0)), domain=lambda x, threshold: threshold > 0.0,
    kinks=lambda x, threshold: _sign(x + threshold) + _sign(x - threshold))


# ── Where differentiation stops ───────────────────────────────────────────────────────────

stop_gradient: Op = _built_in("stop_gradient", lambda x: x, [None],
    symbol="stop", tex=r"\operatorname{stop}\left(#1\right)", sample=_R1,
    lower="identity")
# fmt: on

BUILT_IN.update(TABLE)
