"""Every primitive as arithmetic on `Real`s, for one sample and for eight.

Operations of the hardware are written as formulas. The others are functions: for one sample those
of the C library, which Python's `math` calls too, so results agree to the last bit; for a row of
samples those of `vectors`, if there is one.

Only `hypot` may differ by 1 ulp from eager results, as Python computes its own and changed
it between versions; before Python 3.11 `erf` and `erfc` may too, for the same reason.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from .code import PRIMITIVES, SPELLED
from .llvm import Real, c
from .vectors import VECTORS, absolute, copysign

__all__ = ["compute"]


# ── Functions of several formulas ─────────────────────────────────────────────────────────


def _round(x: Real) -> Real:
    """Beyond 2⁵² there are no fractions, so adding it rounds, halves to even."""
    size = absolute(x)
    return (size < 2.0**52).where(copysign((size + 2.0**52) - 2.0**52, x), x)


def _floor(x: Real) -> Real:
    whole = _round(x)
    return copysign((whole > x).where(whole - 1.0, whole), x)


def _cbrt(x: Real) -> Real:
    root = copysign(c("pow", absolute(x), x.f.real(1.0 / 3.0)), x)
    root = root - (root - x / (root * root)) / 3.0
    return (x.equals(0.0) | absolute(x).equals(math.inf)).where(x, root)


def _mod(x: Real, y: Real) -> Real:
    """The remainder with the sign of the divisor."""
    rest = c("fmod", x, y)
    opposite = ((y < 0.0) & (rest > 0.0)) | ((y > 0.0) & (rest < 0.0))
    return rest.equals(0.0).where(copysign(0.0, y), opposite.where(rest + y, rest))


def _floordiv(x: Real, y: Real) -> Real:
    """As Python's floats divide: from the remainder, so that ⌊x/y⌋·y + x mod y is x."""
    rest = c("fmod", x, y)
    opposite = ((y < 0.0) & (rest > 0.0)) | ((y > 0.0) & (rest < 0.0))
    quotient = (x - rest) / y
    quotient = opposite.where(quotient - 1.0, quotient)
    whole = _floor(quotient)
    whole = (quotient - whole > 0.5).where(whole + 1.0, whole)
    whole = quotient.equals(0.0).where(copysign(0.0, x / y), whole)
    return y.equals(0.0).where(x / y, whole)


def _square_exactly(x: Real) -> tuple[Real, Real]:
    """x² as a sum of two doubles (Dekker): its nearest double, and the rest."""
    product = x * x
    shifted = x * 134217729.0  # 2²⁷ + 1: cuts x into halves whose products are exact
    high = shifted - (shifted - x)
    low = x - high
    return product, ((high * high - product) + 2.0 * (high * low)) + low * low


def _hypot(x: Real, y: Real) -> Real:
    """√(x² + y²) with the squares in twice the digits, scaled so that they are doubles."""
    x, y = absolute(x), absolute(y)
    large, small = (x < y).where(y, x), (x < y).where(x, y)
    scale = (large < 2.0**-300).where(2.0**700, (large > 2.0**400).where(2.0**-700, 1.0))
    (a, a_rest), (b, b_rest) = _square_exactly(large * scale), _square_exactly(small * scale)
    total = a + b
    rest = (b - (total - a)) + (a_rest + b_rest)
    root = x.f.intrinsic("sqrt", total)
    again, again_rest = _square_exactly(root)
    root = root + (((total - again) - again_rest) + rest) / (2.0 * root)
    result = large.equals(0.0).where(0.0, root / scale)
    infinite = x.equals(math.inf) | y.equals(math.inf)
    return infinite.where(math.inf, (x.is_nan() | y.is_nan()).where(math.nan, result))


# ── Every primitive ───────────────────────────────────────────────────────────────────────

FUNCTIONS: dict[str, Callable[..., Real]] = {
    "floor": _floor, "ceil": lambda x: -_floor(-x), "round": _round, "mod": _mod,
    "floordiv": _floordiv, "cbrt": _cbrt, "hypot": _hypot,
}  # fmt: skip
"""The functions, by their names, that the C library doesn't compute."""


def compute(name: str, *args: Real) -> Real:
    """A primitive, of numbers or of rows."""
    how = SPELLED[name].llvm or PRIMITIVES[name].value
    if not isinstance(how, str):
        return how(*args)  # type: ignore[no-any-return]
    functions = FUNCTIONS if args[0].lanes == 1 else FUNCTIONS | VECTORS
    with args[0].f.exactly():
        return functions[how](*args) if how in functions else c(how, *args)
