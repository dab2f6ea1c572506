"""Elementary functions on rows of numbers: exp, log and their kin, eight samples at a time.

A C library computes one exponential at a time; these functions compute eight with the same few
dozen multiplications. Each reduces its argument to a small interval where a polynomial is exact to
the last digit, and combines the pieces so that no digit cancels. They are valid for all doubles,
including subnormals and infinities, with errors of at most 2 units in the last place.

The reductions and the order of the sums are those of the classical C libraries (Tang's exponential,
fdlibm's logarithm); the coefficients are plain Taylor series where those suffice.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import zip_longest

from .llvm import Real, Truth, c

LN2_HIGH = float.fromhex("0x1.62e42fee00000p-1")  # 33 bits: k times it is exact
LN2_LOW = float.fromhex("0x1.a39ef35793c76p-33")
MAGIC = 1.5 * 2.0**52  # adding it leaves no room for a fraction: it rounds to a whole number
MAGIC_BITS = 0x4338000000000000


def polynomial(x: Real, coefficients: Sequence[float]) -> Real:
    """c₀ + c₁x + c₂x² + …, in pairs of pairs (Estrin's scheme): short chains run side by side."""
    terms: list[Real] = [x.f.real(c) for c in coefficients]
    while len(terms) > 1:
        pairs = [low + high * x for low, high in zip(terms[::2], terms[1::2])]
        terms = pairs + terms[len(terms) & ~1 :]
        x = x * x
    return terms[0]


def absolute(x: Real) -> Real:
    return x.f.intrinsic("fabs", x)


def copysign(magnitude: Real | float, sign: Real) -> Real:
    return sign.f.intrinsic("copysign", sign.f.real(magnitude), sign)


def _rounded(x: Real) -> Real:
    """x as a whole number."""
    return (x + MAGIC) - MAGIC


def _two_to(k: Real) -> Real:
    """2^k for a whole −1023 < k < 1024: k, put among the bits of the exponent."""
    return (((k + MAGIC).bits() + 1023) << 52).real()


def _scaled(x: Real, k: Real) -> Real:
    """x·2^k in two steps, as 2^k itself may not be a double; rounds once where it underflows."""
    half = _rounded(k * 0.5)
    return x * _two_to(half) * _two_to(k - half)


def _clamped(x: Real, low: float, high: float) -> Real:
    return (x > high).where(high, (x < low).where(low, x))  # nan stays


# (e^r − 1 − r)/r², to the last digit for |r| ≤ ln 2 / 2
_EXP = [1.0 / math.factorial(i) for i in range(2, 14)]


def _cut(x: Real) -> tuple[Real, Real]:
    """x = k·ln 2 + r: gives k and e^r − 1."""
    k = _rounded(x * (1.0 / math.log(2.0)))
    high, low = x - k * LN2_HIGH, k * LN2_LOW
    r = high - low
    lost = (high - r) - low  # what rounding took from r
    return k, r + (r * r * polynomial(r, _EXP) + lost)


def exp(x: Real) -> Real:
    """2^k·e^r."""
    k, p = _cut(_clamped(x, -750.0, 710.0))
    return _scaled(1.0 + p, k)


def expm1(x: Real) -> Real:
    """(1 − 2^−k + e^r − 1)·2^k: exact in the first difference, so nothing cancels."""
    k, p = _cut(_clamped(x, -60.0, 710.0))
    result = _scaled((1.0 - _two_to(_clamped(-k, -60.0, 100.0))) + p, k)
    return (absolute(x) < 1e-300).where(x, result)


# log((1 + s)/(1 − s)) = 2s + s·z·R(z) for z = s²: fdlibm's minimax R, good to 2⁻⁵⁸
_LOG = [
    6.666666666666735130e-01, 3.999999999940941908e-01, 2.857142874366239149e-01,
    2.222219843214978396e-01, 1.818357216161805012e-01, 1.531383769920937332e-01,
    1.479819860511658591e-01,
]  # fmt: skip
_ROOT_HALF_BITS = 0x3FE6A09E667F3BCD


def _log(u: Real, correction: Real | float, shift: Real | float = 0.0) -> Real:
    """log(u + correction) + shift·ln 2, for a normal u > 0; the correction is of its last digit."""
    # Counted from √½, the bits of the exponent say how many doublings make u of m in [√½, √2).
    doublings = (u.bits() - (_ROOT_HALF_BITS - (1024 << 52))) >> 52
    m = (u.bits() - ((doublings - 1024) << 52)).real()
    k = (doublings | MAGIC_BITS).real() - (MAGIC + 1024.0) + shift
    f = m - 1.0
    s = f / (2.0 + f)
    z = s * s
    half = 0.5 * f * f
    small = s * (half + z * polynomial(z, _LOG)) + (k * LN2_LOW + correction)
    return k * LN2_HIGH - ((half - small) - f)


def _at_log_edges(u: Real, result: Real) -> Real:
    result = u.equals(0.0).where(-math.inf, result)
    result = (u < 0.0).where(math.nan, result)
    return (u.is_nan() | u.equals(math.inf)).where(u, result)


def log(x: Real) -> Real:
    tiny = x < 2.0**-1022
    normal = tiny.where(x * 2.0**54, x)
    return _at_log_edges(x, _log(normal, 0.0, tiny.where(-54.0, 0.0)))


def log1p(x: Real) -> Real:
    """log(u + the rounding error of u) for u = 1 + x."""
    u = 1.0 + x
    lost = (u > 2.0).where(1.0 - (u - x), x - (u - 1.0))
    result = _at_log_edges(u, _log(u, lost / u))
    return (absolute(x) < 2.0**-54).where(x, result)


def _half_exp(a: Real) -> Real:
    """e^a/2, which is a double a little longer than e^a is."""
    k, p = _cut(_clamped(a, 0.0, 712.0))
    return _scaled(1.0 + p, k - 1.0)


# (sinh x − x)/x³ in z = x², to the last digit for |x| ≤ 1
_SINH = [1.0 / math.factorial(i) for i in range(3, 21, 2)]


def sinh(x: Real) -> Real:
    """(e^a − e^−a)/2 for a = |x|; near 0, where the two cancel, the series."""
    a, z = absolute(x), x * x
    half = _half_exp(a)
    return (a < 1.0).where(x + x * (z * polynomial(z, _SINH)), copysign(half - 0.25 / half, x))


def cosh(x: Real) -> Real:
    """(e^a + e^−a)/2 for a = |x|."""
    half = _half_exp(absolute(x))
    return half + 0.25 / half


def _lambert(depth: int) -> tuple[list[float], list[float]]:
    """Polynomials A, B in z = x² with tanh(x) = x − x·z·A/B, from Lambert's continued fraction
    tanh(x) = x/(1 + z/(3 + z/(5 + …))): its numerators are pₖ = (2k + 1)·pₖ₊₁ + z·pₖ₊₂."""
    p = [[1.0], [2.0 * depth + 1.0]]
    for k in range(depth - 1, -1, -1):
        pairs = zip_longest(p[-1], [0.0, *p[-2]], fillvalue=0.0)
        p.append([(2.0 * k + 1.0) * one + two for one, two in pairs])
    return p[-3], p[-1]


_TANH_A, _TANH_B = _lambert(8)


def tanh(x: Real) -> Real:
    """1 − 2/(e^2a + 1) for a = |x|; near 0, where that cancels, Lambert's fraction."""
    a, z = absolute(x), x * x
    k, p = _cut(_clamped(2.0 * a, 0.0, 40.0))
    far = 1.0 - 2.0 / ((1.0 + p) * _two_to(k) + 1.0)
    near = x - x * (z * polynomial(z, _TANH_A) / polynomial(z, _TANH_B))
    return copysign((a < 0.55).where(near, far), x)


def _or_library(fine: Truth, quick: Real, name: str, *args: Real) -> Real:
    """The fast result where it is accurate; in the other, rare lanes that of the C library."""
    f = quick.f
    result = f.kept(quick)
    with f.when(~fine.everywhere()):
        f.store(fine.where(quick, c(name, *args)), result, 0)
    return f.load(result, 0, quick.lanes)


# π/2 in three parts: a whole number below 2²⁰ times one of the first two is exact
_QUARTER = [
    float.fromhex(x) for x in ("0x1.921fb544p+0", "0x1.0b4611a6p-34", "0x1.3198a2e037073p-69")
]
_FAR = 1e5
# (sin r − r)/r³ and (cos r − 1 + r²/2)/r⁴ in z = r², to the last digit for |r| ≤ π/4
_SIN = [(-1.0) ** i / math.factorial(2 * i + 1) for i in range(1, 9)]
_COS = [(-1.0) ** i / math.factorial(2 * i) for i in range(2, 9)]


def _circular(x: Real, quarters: int) -> Real:
    """sin(x + quarters·π/2), for |x| < 10⁵."""
    k = _rounded(x * (2.0 / math.pi))
    first, second = x - k * _QUARTER[0], k * _QUARTER[1]
    r = first - second
    back = first - r
    lost = ((first - (r + back)) + (back - second)) - k * _QUARTER[2]
    r, lost = r + lost, (r - (r + lost)) + lost
    z = r * r
    sine = r + (r * z * polynomial(z, _SIN) + (lost - 0.5 * z * lost))
    rest = 1.0 - 0.5 * z
    cosine = rest + (((1.0 - rest) - 0.5 * z) + (z * z * polynomial(z, _COS) - r * lost))
    quarter = (k + MAGIC).bits() + quarters
    result = (quarter & 1).compare("eq", 0).where(sine, cosine)
    return (quarter & 2).compare("eq", 0).where(result, -result)


def sin(x: Real) -> Real:
    result = (absolute(x) < 1e-8).where(x, _circular(x, 0))
    return _or_library(absolute(x) < _FAR, result, "sin", x)


def cos(x: Real) -> Real:
    return _or_library(absolute(x) < _FAR, _circular(x, 1), "cos", x)


def pow(x: Real, y: Real) -> Real:
    """Products for the exponents that are written most; √x and 1/x round as they should."""
    x2 = x * x
    powers = {2.0: x2, 3.0: x2 * x, 4.0: x2 * x2, -1.0: 1.0 / x, 1.0: x}
    root = y.equals(0.5) & (x > 0.0)
    result, fine = root.where(x.f.intrinsic("sqrt", x), x), root
    for exponent, power in powers.items():
        asked = y.equals(exponent)
        result, fine = asked.where(power, result), fine | asked
    return _or_library(fine, result, "pow", x, y)


VECTORS: dict[str, Callable[..., Real]] = {
    "exp": exp, "expm1": expm1, "log": log, "log1p": log1p, "pow": pow,
    "sin": sin, "cos": cos, "sinh": sinh, "cosh": cosh, "tanh": tanh,
}  # fmt: skip
"""The functions for rows of samples, by the name of the primitive."""
