"""The functions on rows of samples against 40 digits: within 2 units in the last place."""

from __future__ import annotations

import math

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_edu.compiler import native
from tinygrad_edu.compiler.code import Code
from tinygrad_edu.compiler.vectors import VECTORS
from tinygrad_edu.ieee import power

BOUND = 2.0

# Where each function is real and finite.
DOMAINS = {
    "exp": (-745.2, 709.78), "expm1": (-745.2, 709.78), "log": (0.0, math.inf),
    "log1p": (-1.0, math.inf), "sinh": (-710.47, 710.47), "cosh": (-710.47, 710.47),
    "tanh": (-math.inf, math.inf), "sin": (-math.inf, math.inf), "cos": (-math.inf, math.inf),
}  # fmt: skip

KERNELS = {name: native.load(Code(1, 0, (), (name,), ((0,),), each=(1,))) for name in DOMAINS}


def computed(name: str, xs: np.ndarray) -> np.ndarray:
    """The function of at least two samples: a single one is the C library's."""
    each = np.empty(len(xs))
    KERNELS[name](len(xs), xs, (), each, (), ())
    return each


def ulps(name: str, x: float, y: float) -> float:
    """How far y is from the function's true value at x, in units of its last place."""
    with mpmath.workprec(1200 if name in ("expm1", "log1p", "sinh", "tanh", "sin", "cos") else 140):
        true = getattr(mpmath, name)(mpmath.mpf(x))
        return float(abs(mpmath.mpf(y) - true) / math.ulp(float(true)))


def worst(name: str, xs: np.ndarray) -> tuple[float, float]:
    low, high = DOMAINS[name]
    xs = xs[(xs > low) & (xs < high) & (xs != 0.0)]
    return max((ulps(name, x, y), x) for x, y in zip(xs.tolist(), computed(name, xs).tolist()))


def points(rng: np.random.Generator, count: int) -> np.ndarray:
    """Doubles of all sizes, and many where the functions change their ways."""
    sign = rng.choice([-1.0, 1.0], count)
    return np.concatenate([
        sign * np.exp2(rng.uniform(-1074.0, 1024.0, count)),
        sign * np.exp2(rng.uniform(-60.0, 10.0, count)),
        rng.uniform(-1.5, 1.5, count),
        rng.uniform(-40.0, 40.0, count),
        rng.uniform(-746.0, 711.0, count),
        sign * (0.55 + rng.uniform(-0.01, 0.01, count)),  # where tanh begins to cancel
        sign * (1.0 + rng.uniform(-0.01, 0.01, count)),
        math.sqrt(0.5) + rng.uniform(-1e-3, 1e-3, count),  # where log takes another exponent
        rng.integers(-1075, 1025, count) * math.log(2.0) / 2.0,  # and exp another power of 2
        rng.uniform(-745.1, -708.0, count),  # subnormal results of exp
        rng.integers(-70_000, 70_000, count) * (math.pi / 2.0),  # where sin or cos is nearly 0
    ])  # fmt: skip


@pytest.mark.parametrize("name", DOMAINS)
def test_two_units_in_the_last_place(name):
    error, at = worst(name, points(np.random.default_rng(0), 200))
    assert error <= BOUND, at


@pytest.mark.thorough
@pytest.mark.parametrize("name", DOMAINS)
def test_two_units_in_the_last_place_everywhere(name):
    error, at = worst(name, points(np.random.default_rng(1), 20_000))
    assert error <= BOUND, at


@pytest.mark.parametrize("name", DOMAINS)
@given(x=st.floats(allow_nan=False, allow_infinity=False))
def test_any_double(name, x):
    low, high = DOMAINS[name]
    if low < x < high and x != 0.0:
        error, _ = worst(name, np.array([x, 1.0]))
        assert error <= BOUND


def test_what_is_subnormal_is_not_flushed():
    """Smaller than 2.2e-308 a double has fewer digits, but it is not 0."""
    tiny = np.array([5e-324, -5e-324, 1e-310, -1e-310])
    for name in ("expm1", "log1p", "sinh", "tanh"):
        assert (computed(name, tiny) == tiny).all(), name
    assert computed("log", abs(tiny)[1:3]).tolist() == [math.log(5e-324), math.log(1e-310)]
    assert computed("exp", np.array([-745.0, -744.0])).tolist() == [5e-324, 1e-323]


@pytest.mark.parametrize("name", DOMAINS)
def test_the_same_in_every_lane(name):
    xs = np.repeat(points(np.random.default_rng(2), 3), 16)
    rows = computed(name, xs).reshape(-1, 16)
    assert np.array_equal(rows, np.broadcast_to(rows[:, :1], rows.shape), equal_nan=True)


def test_every_vector_function_is_tested():
    assert DOMAINS.keys() | {"pow"} == VECTORS.keys()


EXPONENTS = [
    -3.0,
    -2.0,
    -1.0,
    -0.5,
    0.0,
    0.5,
    1.0,
    1.5,
    2.0,
    3.0,
    4.0,
    5.0,
    1e300,
    math.inf,
    math.nan,
]


def test_powers():
    kernel = native.load(Code(2, 0, (), ("pow",), ((0, 1),), each=(2,)))
    xs = points(np.random.default_rng(3), 20)
    rows = np.array([(x, y) for x in xs for y in EXPONENTS])
    each = np.empty(len(rows))
    kernel(len(rows), rows, (), each, (), ())
    for (x, y), got in zip(rows.tolist(), each.tolist()):
        expected = power(x, y)
        same = got == expected or (got != got and expected != expected)
        assert same or abs(got - expected) <= 2.0 * math.ulp(expected), (x, y, got, expected)
