"""`tg.jit` and `tg.vmap`: as eager code, traced as rarely as promised, and never a baked number."""

from __future__ import annotations

import copy
import functools
import gc
import math
import random
import threading
import warnings
import weakref
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
import threads
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_edu as tg
from tinygrad_edu import Value
from tinygrad_edu.blocks import MODE
from tinygrad_edu.compiler.tracing import KEPT
from tinygrad_edu.errors import (
    BadArgument,
    NameUnknown,
    NotANumber,
    NotTraceable,
    StaleGraph,
    TracingError,
)

moderate = st.floats(-3.0, 3.0)


class Point(NamedTuple):
    x: Any
    y: Any


# ── jit ───────────────────────────────────────────────────────────────────────────────────


@given(st.recursive(
    moderate,
    lambda inner: st.lists(inner, max_size=3) | st.tuples(inner, inner)
    | st.dictionaries(st.sampled_from("abc"), inner, max_size=2)
    | st.builds(Point, inner, inner),
    max_leaves=6,
))  # fmt: skip
def test_arguments_and_results_may_be_trees(tree):
    def f(tree: Any) -> Any:
        return [tree, {"twice": tg.ravel(tree)[1]([2.0 * x for x in tg.ravel(tree)[0]])}]

    assert tg.jit(f)(tree) == f(tree)
    assert repr(tg.jit(f)(tree)) == repr(f(tree))  # the same kinds, named tuples too


def test_arrays_go_in_and_come_out():
    np = pytest.importorskip("numpy")
    f = tg.jit(lambda a, b: {"product": a @ b, "sine": np.sin(a), "list": list(a[0])})
    a, b = np.arange(6.0).reshape(2, 3), np.array([1, 0, 2])
    found = f(a, b)
    assert found["product"].dtype == np.float64
    np.testing.assert_array_equal(found["product"], a @ b)
    np.testing.assert_allclose(found["sine"], np.sin(a), rtol=1e-15)
    assert found["list"] == [0.0, 1.0, 2.0]
    assert all(type(x) is float for x in found["list"])
    f(a + 1.0, b)
    assert f.traces == 1
    assert f(np.float64(2.0) * np.ones((1, 3)), b)["product"].shape == (1,)
    assert f.traces == 2


def test_plain_numbers_of_any_kind():
    np = pytest.importorskip("numpy")
    f = tg.jit(lambda x: x + 0.5)
    assert [f(2), f(True), f(np.float32(2.0)), f(2.0)] == [2.5, 1.5, 2.5, 2.5]
    assert f.traces == 1
    with pytest.raises(NotANumber, match="Received: 'two'"):
        f("two")


TRANSFORMS: dict[str, Callable[..., Any]] = {
    "grad": lambda f: tg.grad(f),
    "grad of grad": lambda f: tg.grad(tg.grad(f)),
    "value_and_grad": lambda f: tg.value_and_grad(f, argnums=(0, 1)),
    "hessian": lambda f: tg.hessian(f, argnums=(0, 1)),
    "jacobian": lambda f: tg.jacobian(lambda x, y: [f(x, y), x], argnums=(0, 1)),
    "jacobian forward": lambda f: tg.jacobian(lambda x, y: [f(x, y)], mode="forward"),
    "jvp": lambda f: lambda x, y: tg.jvp(f, (x, y), (1.0, y)),
    "vjp": lambda f: lambda x, y: tg.vjp(f, x, y)[1](x),
    "hvp": lambda f: lambda x, y: tg.hvp(f, (x, y), (1.0, x)),
}


@pytest.mark.parametrize("name", TRANSFORMS)
@given(x=moderate, y=moderate)
def test_every_transform_compiles(name, x, y):
    def f(x: Any, y: Any) -> Any:
        return tg.sin(x * y) + tg.maximum(x, y) * tg.exp(0.3 * x) + x**3

    derivative = TRANSFORMS[name](f)
    assert tg.ravel(tg.jit(derivative)(x, y))[0] == pytest.approx(
        tg.ravel(derivative(x, y))[0], rel=1e-14, abs=1e-14
    )


def test_nested_it_steps_aside():
    cube = tg.jit(lambda x: x**3)
    assert tg.grad(cube)(2.0) == 12.0
    assert tg.grad(tg.grad(cube))(2.0) == 12.0
    assert tg.jit(lambda x: cube(x) + cube(2.0 * x))(1.0) == 9.0
    assert tg.jit(tg.grad(tg.jit(tg.grad(cube))))(2.0) == 12.0
    assert cube.traces == 0
    # the captured w is what the outer derivative is taken by
    assert tg.grad(lambda w: tg.jit(lambda x: w * x.exp())(0.0))(3.0) == 1.0
    x = Value(2.0)
    cube(x).backward()
    assert x.grad == 12.0
    with tg.detect_anomaly(), pytest.raises(tg.errors.Anomaly):
        tg.jit(tg.log)(0.0)


def test_captured_values_are_read_at_every_call():
    w = Value(3.0, name="w")
    fixed = Value(10.0, role="constant")
    f = tg.jit(lambda x: w * x + fixed)
    slope = tg.jit(tg.grad(lambda x: w * x * x))
    assert (f(2.0), slope(1.0)) == (16.0, 6.0)
    w.data, fixed.data = 5.0, 1.0
    assert (f(2.0), slope(1.0)) == (11.0, 10.0)
    assert f.traces == slope.traces == 1
    assert f.program(2.0).captured == (w, fixed)


def test_a_parameter_made_at_the_first_call_is_no_constant():
    made: list[Value] = []

    def f(x: Any) -> Any:
        if not made:
            made.append(Value(2.0))
        return made[0] * x

    f = tg.jit(f)
    assert f(3.0) == 6.0
    made[0].data = 5.0
    assert f(3.0) == 15.0


def test_traces_are_counted_and_bounded():
    f = tg.jit(lambda xs, n: tg.sum([x**n for x in xs]), static_argnums=1)
    assert [f([1.0, 2.0], 2), f([2.0, 3.0], 2), f.traces] == [5.0, 13.0, 1]
    assert [f([1.0, 2.0], 3), f.traces] == [9.0, 2]
    assert [f([1.0, 2.0], 3.0), f.traces] == [9.0, 3]  # another kind of number
    assert [f((1.0, 2.0), 2), f.traces] == [5.0, 4]
    for size in range(KEPT - 3):
        f([1.0] * size, 2)
    with pytest.warns(UserWarning, match="traced for more than"):
        f([1.0] * KEPT, 2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # once is enough
        f([1.0] * (KEPT + 1), 2)
    assert len(f._kept.programs) == KEPT


def test_static_arguments():
    f = tg.jit(lambda name, x, scale=1.0: getattr(tg, name)(x) * scale, static_argnums=0)
    assert f("sin", 2.0) == math.sin(2.0)
    assert f("sin", 2.0, scale=3.0) == math.sin(2.0) * 3.0
    assert f("sin", 2.0, scale=4.0) == math.sin(2.0) * 4.0
    assert f.traces == 2
    with pytest.raises(BadArgument, match="hashable"):
        f(["sin"], 2.0)
    with pytest.raises(BadArgument, match="positions"):
        tg.jit(lambda x: x, static_argnums=-1)
    with pytest.raises(NotANumber, match="function"):
        tg.jit(3.0)


def test_nan_is_a_static_argument_like_any_other():
    f = tg.jit(lambda x, edge: x if math.isnan(edge) else edge, static_argnums=1)
    assert [f(2.0, float("nan")) for _ in range(5)] == [2.0] * 5
    assert f.traces == 1
    assert [str(f(2.0, edge)) for edge in (0.0, -0.0, 1, 1.0)] == ["0.0", "-0.0", "1.0", "1.0"]
    assert f.traces == 5


def test_it_looks_like_the_function_it_wraps():
    def area(r: Any) -> Any:
        """πr²"""
        return math.pi * r * r

    f = tg.jit(area)
    assert (f.__name__, f.__doc__, repr(f)) == ("area", "πr²", "<jitted area>")
    assert f.__wrapped__ is area
    assert "for r, in lanes" in f.program(1.0).source()


# ── Tracing errors ────────────────────────────────────────────────────────────────────────

READS: dict[str, Callable[[Any], Any]] = {
    "data": lambda x: x.data,
    "data of an intermediate": lambda x: (x * 2.0).data,
    "grad": lambda x: x.grad,
    "if": lambda x: x if x > 0.0 else -x,
    "while": lambda x: [x := x - 1.0 for _ in iter(lambda: bool(x > 0.0), False)],
    "and": lambda x: x > 0.0 and x < 1.0,
    "not": lambda x: not x,
    "equality": lambda x: 1.0 if x == 2.0 else 0.0,
    "membership": lambda x: 1.0 if x in [1.0, 2.0] else 0.0,
    "max": lambda x: max(x, 0.0),
    "sorted": lambda x: sorted([x, x + 1.0]),
    "float": float,
    "int": int,
    "math": lambda x: math.sin(x),
    "trunc": math.trunc,
    "format": lambda x: f"{x:.2f}",
    "percent": lambda x: "%f" % x,  # noqa: UP031
    "round": lambda x: round(x, 2),
    "backward": lambda x: (x * x).backward(),
    "set data": lambda x: setattr(x, "data", 1.0),
    "set grad": lambda x: setattr(x, "grad", 1.0),
    "copy": copy.copy,
    "snapshot": tg.snapshot,
    "explain": lambda x: x.explain(x),
}


@pytest.mark.parametrize("name", READS)
def test_reading_a_number_while_tracing(name):
    f = tg.jit(READS[name])
    with pytest.raises(TracingError, match=r"tg\.where.*static_argnums") as caught:
        f(2.0)
    assert __file__ in str(caught.value)
    assert MODE.get().trace is None
    with pytest.raises(TracingError):  # nothing was kept of the attempt
        f(2.0)


def test_the_line_is_named():
    def f(x: Any) -> Any:
        y = x * 2.0
        if y > 1.0:  # this one
            return y
        return x

    with pytest.raises(TracingError, match=r"if y > 1\.0:  # this one"):
        tg.jit(f)(2.0)


def test_a_parameter_may_not_be_read_either():
    w = Value(2.0)
    with pytest.raises(TracingError, match="data of a Value was read"):
        tg.jit(lambda x: x * w.data)(2.0)


COMPARISONS = {
    "<": lambda x, y: x < y, "<=": lambda x, y: x <= y, ">": lambda x, y: x > y,
    ">=": lambda x, y: x >= y, "==": lambda x, y: x == y, "!=": lambda x, y: x != y,
}  # fmt: skip


@pytest.mark.parametrize("sign", COMPARISONS)
def test_comparisons_are_conditions_while_tracing(sign):
    compare = COMPARISONS[sign]
    both = tg.jit(lambda x, y: tg.where(compare(x, y), x + 10.0, y))
    constant = tg.jit(lambda x: [tg.where(compare(x, 2.0), 1.0, 0.0), compare(2.0, x)])
    for x in (1.0, 2.0, 3.0, math.nan, -0.0):
        for y in (2.0, 0.0):
            expected = x + 10.0 if compare(x, y) else y
            assert both(x, y) == pytest.approx(expected, abs=0.0, nan_ok=True)
        assert constant(x) == [float(compare(x, 2.0)), float(compare(2.0, x))]


def test_repr_is_allowed_and_shows_no_number():
    seen = []

    def f(x: Any) -> Any:
        seen.extend([repr(x), f"{x}"])
        return x

    tg.jit(f)(2.0)
    assert seen == ["Value(being traced, name='x')"] * 2


def test_no_grad_and_detach_are_computed_and_not_baked():
    def f(x: Any, y: Any) -> Any:
        with tg.no_grad():
            held = x * y
        return held * x + x.detach() * y

    slope = tg.grad(f)
    jitted, jitted_slope = tg.jit(f), tg.jit(slope)
    for x, y in ((2.0, 3.0), (5.0, 7.0)):
        assert jitted(x, y) == f(Value(x), Value(y)).data
        assert jitted_slope(x, y) == slope(x, y)
    assert jitted.traces == jitted_slope.traces == 1


def test_outside_of_tracing_nothing_has_changed():
    x = Value(2.0)
    assert (x > 1.0) is True
    assert (x == 2.0) is True
    assert f"{x:.1f}" == "2.0"
    with pytest.raises(TypeError, match=r"v\.data"):
        float(x)


# ── User-defined rows ──────────────────────────────────────────────────────────────────────


@pytest.fixture
def opaque():
    yield tg.op("opaque_here", lambda x: 1.0 - math.cos(x), [lambda out, x: tg.sin(x)])
    del tg.TABLE["opaque_here"]


def test_a_function_with_an_opaque_row_runs_uncompiled_and_says_so_once(opaque):
    f = tg.jit(lambda x: {"y": opaque(x.exp())})
    with pytest.warns(UserWarning, match=r"opaque_here.*opaque=False"):
        assert f(0.5) == {"y": opaque(math.exp(0.5))}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert f(0.7) == {"y": opaque(math.exp(0.7))}
    assert f.traces == 1
    with pytest.raises(NotTraceable):
        f.program(0.5)
    lanes = tg.jit(tg.vmap(lambda x: opaque(x)))
    with pytest.warns(UserWarning, match="uncompiled"):
        assert lanes([0.5, 0.7]) == [opaque(0.5), opaque(0.7)]


# ── vmap ──────────────────────────────────────────────────────────────────────────────────


def affine(w: Any, x: Any) -> Any:
    return {"y": w[0] * x["a"] + w[1] * x["b"][0], "pair": (x["a"], [w[0], x["b"][1]])}


@given(st.lists(st.tuples(moderate, moderate, moderate), min_size=1, max_size=5))
def test_vmap_is_a_loop_and_jit_makes_it_lanes(rows):
    xs = {"a": [a for a, _, _ in rows], "b": [[b, c] for _, b, c in rows]}
    w = (2.0, 3.0)
    each = [affine(w, {"a": a, "b": [b, c]}) for a, b, c in rows]
    expected = {
        "y": [one["y"] for one in each],
        "pair": ([one["pair"][0] for one in each], [one["pair"][1] for one in each]),
    }
    mapped = tg.vmap(affine, in_axes=(None, 0))
    assert mapped(w, xs) == expected
    assert tg.jit(mapped)(w, xs) == expected


def test_lanes_are_traced_once_whatever_their_number():
    f = tg.jit(tg.vmap(tg.value_and_grad(lambda x, k: k * x**2), in_axes=(0, None)))
    assert f([1.0, 2.0, 3.0], 10.0) == ([10.0, 40.0, 90.0], [20.0, 40.0, 60.0])
    assert f([1.0], 1.0) == ([1.0], [2.0])
    assert f.traces == 1
    assert f([], 1.0) == []
    with pytest.raises(BadArgument, match="at least one sample"):
        f.program([], 1.0)


def test_arrays_of_samples_give_arrays():
    np = pytest.importorskip("numpy")

    def f(x: Any, k: Any) -> Any:
        return {"s": x.sum() * k, "v": x * 2.0, "l": [x[0], x[1] * k]}

    xs, k = np.arange(6.0).reshape(3, 2), 10.0
    mapped = tg.vmap(f, in_axes=(0, None))
    for g in (mapped, tg.jit(mapped)):
        found = g(xs, k)
        np.testing.assert_array_equal(found["s"], xs.sum(axis=1) * k)
        np.testing.assert_array_equal(found["v"], xs * 2.0)
        np.testing.assert_array_equal(found["l"], np.stack([xs[:, 0], xs[:, 1] * k], axis=1))
        assert found["s"].dtype == np.float64


def test_arrays_beside_lists_of_samples_give_arrays():
    np = pytest.importorskip("numpy")
    mapped = tg.vmap(lambda x, y: {"s": x * y, "l": ([x, [y]], [x]), "t": [(x, y), (2.0, x)]})
    plain, lanes = (f(np.array([1.0, 2.0]), [3.0, 4.0]) for f in (mapped, tg.jit(mapped)))
    for found in (plain, lanes):
        assert type(found["s"]) is type(found["l"][1]) is np.ndarray
        np.testing.assert_array_equal(found["s"], [3.0, 8.0])
        np.testing.assert_array_equal(found["l"][1], [[1.0], [2.0]])
        assert found["l"][0] == [[1.0, [3.0]], [2.0, [4.0]]]  # which no array can hold
        np.testing.assert_array_equal(
            found["t"], [[[1.0, 3.0], [2.0, 1.0]], [[2.0, 4.0], [2.0, 2.0]]]
        )


def test_lanes_that_meet_values_are_a_loop():
    xs = [1.0, 2.0, 3.0]

    def loss(w: Any) -> Any:
        return tg.sum(tg.vmap(lambda x: (w * x.exp() - 1.0) ** 2)(xs)) / 3.0

    def by_hand(w: Any) -> Any:
        return tg.sum([(w * tg.exp(x) - 1.0) ** 2 for x in xs]) / 3.0

    assert tg.value_and_grad(loss)(0.3) == tg.value_and_grad(by_hand)(0.3)
    assert tg.jit(tg.value_and_grad(loss))(0.3) == tg.value_and_grad(by_hand)(0.3)
    lanes = tg.jit(tg.vmap(lambda w, x: w * x, in_axes=(None, 0)))
    assert tg.grad(lambda w: tg.sum(lanes(w, xs)))(2.0) == 6.0
    values = tg.vmap(lambda x: x * x)([Value(2.0), Value(3.0)])
    assert [v.data for v in values] == [4.0, 9.0]


@pytest.mark.parametrize(
    ("axes", "args", "match"),
    [
        (0, ([1.0, 2.0], [1.0]), "same number of samples"),
        (0, (1.0, 2.0), "list or array of samples"),
        ((None, None), (1.0, 2.0), "no such argument"),
        ((0,), ([1.0], [1.0]), "for 1 arguments"),
        (0, ([[1.0], [1.0, 2.0]], [1.0, 2.0]), "differs from"),
    ],
)
def test_samples_that_do_not_fit(axes, args, match):
    with pytest.raises(BadArgument, match=match):
        tg.jit(tg.vmap(lambda x, y: y, in_axes=axes))(*args)


@pytest.mark.parametrize("axes", [1, 0.5, "0", True, [[0]], (0, 1), {0: 1}], ids=repr)
def test_axes_that_there_are_not(axes):
    with pytest.raises(BadArgument, match=r"in_axes must be 0 .* Received: "):
        tg.vmap(lambda x: x, in_axes=axes)


def test_a_stale_graph_is_named_as_such_while_tracing():
    w = tg.Value(2.0, name="w")
    y = w * w
    w.data = 3.0
    with pytest.raises(StaleGraph, match=r"'w' was changed after .* It is 3\.0 now"):
        tg.jit(lambda x: x * tg.gradients(y, [w])[0])(1.0)


def recorded_before(w: Value) -> dict[str, Callable[[Any], Any]]:
    """Functions of x that capture results made of w before they are traced."""
    h = w * 3.0
    deep = tg.exp(h) + w
    with tg.no_grad():
        stopped = w * 5.0
    return {
        "interior": lambda x: x * h,
        "with its own leaf": lambda x: x * h + w,
        "two of one graph": lambda x: [x * deep, h, h - deep],
        "as it is": lambda x: [h, x],
        "under no_grad": lambda x: x * stopped,
        "detached": lambda x: x * h.detach(),
        "with lifted numbers": lambda x: tg.jvp(lambda y: y * h, (x,), (1.0,)),
        "recorded again": lambda x: x * tg.replay(h),
    }


@pytest.mark.parametrize("name", recorded_before(Value(0.0)))
def test_what_was_recorded_before_keeps_its_number(name):
    w = Value(0.2)
    f = recorded_before(w)[name]
    jitted, lanes = tg.jit(f), tg.jit(tg.vmap(f))

    def hold() -> None:
        for x in (1.5, -2.0):
            plain = tg.ravel(f(Value(x)))[0]
            expected = [y.data if isinstance(y, Value) else y for y in plain]
            assert tg.ravel(jitted(x))[0] == expected
            assert tg.ravel(lanes([x, 7.0]))[0] == tg.ravel(tg.vmap(f)([x, 7.0]))[0]

    hold()
    w.data = 0.3
    if name == "with lifted numbers":  # eager code looks for changed leaves, a program need not
        assert jitted(1.5) == (1.5 * (0.2 * 3.0), 0.2 * 3.0)
    else:
        hold()
    assert jitted.traces == lanes.traces == 1


def test_what_was_recorded_before_is_a_constant_for_derivatives():
    w = Value(2.0)
    h = w * 3.0

    def f(x: Any) -> Any:
        return x * x * h + w * x

    slope, twice = tg.grad(f), tg.value_and_grad(lambda x: tg.grad(f)(x) * h)
    jitted = tg.jit(slope)
    assert jitted(1.0) == slope(1.0) == 14.0
    assert tg.jit(twice)(1.0) == twice(1.0) == (84.0, 72.0)
    w.data = 10.0
    assert jitted(1.0) == 2.0 * 6.0 + 10.0  # the slope of f as it is now: 6x² + 10x
    assert jitted.program(1.0).captured == (w, h)
    with pytest.raises(StaleGraph):  # eager code asks for it to be recorded again
        slope(1.0)


def test_a_program_does_not_differentiate_what_it_knows_by_its_number_only():
    w = Value(2.0, name="w")
    y = tg.exp(w) * w
    pulled = tg.vjp(lambda x: tg.exp(x) * x, w)[1]
    for f in (
        lambda x: x * tg.gradients(y, [w])[0],
        lambda x: tg.gradients(x * y, [w])[0],
        lambda x: pulled(x)[0],
    ):
        with pytest.raises(TracingError, match=r"Compute it inside the function; tg\.replay"):
            tg.jit(f)(1.0)
    slope = tg.jit(lambda x: x * tg.gradients(tg.replay(y), [w])[0])
    for at in (2.0, 0.5):
        w.data = at
        assert slope(3.0) == pytest.approx(3.0 * math.exp(at) * (1.0 + at), rel=1e-15)


def test_a_jitted_function_within_a_transform_sees_what_is_being_recorded():
    w = Value(2.0)
    inner = tg.jit(lambda x: x * w)
    h = w * 3.0
    assert inner(h).data == 12.0  # a Value in: f itself answers
    assert tg.grad(lambda v: tg.jit(lambda x: x * v * h)(2.0))(1.0) == 12.0
    outer = tg.jit(lambda v: inner(v * h) + tg.jit(lambda x: x * v)(h))
    assert outer(1.0) == 18.0
    w.data = 3.0
    assert outer(1.0) == 6.0 * 3.0 + 6.0


@pytest.mark.parametrize("static", [{"static_argnums": 1}, {"static_argnames": "n"}])
@pytest.mark.parametrize("mapped", [False, True])
def test_static_arguments_may_be_passed_by_position_or_by_name(static, mapped):
    seen = []

    def power(x: Any, n: int = 2, *, times: Any = 1.0) -> Any:
        seen.append(n)
        return x**n * times

    f = tg.jit(tg.vmap(power, in_axes=(0,)), static_argnames="n") if mapped else None
    f = f or tg.jit(power, **static)
    x, out = ([3.0], lambda y: [y]) if mapped else (3.0, lambda y: y)
    assert f(x) == f(x, n=2) == out(9.0)
    assert f(x, n=3) == f(x, times=1.0, n=3) == f(x, n=3, times=1.0) == out(27.0)
    assert f(x, n=3.0) == out(27.0)
    if not mapped:
        assert f(3.0, 3) == 27.0
    assert all(type(n) in (int, float) for n in seen)
    with pytest.raises(BadArgument, match=r"hashable. Received: \[2\]"):
        f(x, n=[2])
    doubled = f(Value(3.0), n=2) if not mapped else f([Value(3.0)], n=2)[0]  # f itself answers
    assert doubled.data == 9.0
    assert tg.grad(lambda y: f(y, n=3) if not mapped else f([y], n=3)[0])(2.0) == 12.0


def test_static_settings_of_lanes_meet_values_too():
    f = tg.jit(tg.vmap(lambda x, name: getattr(tg, name)(x)), static_argnums=1)
    assert f([0.5], "sin") == [math.sin(0.5)]
    assert tg.grad(lambda x: f([x], "sin")[0])(0.5) == math.cos(0.5)


@pytest.mark.parametrize(
    ("static", "error", "match"),
    [
        ({"static_argnums": 2}, BadArgument, "takes 2 by position. Received: 2"),
        ({"static_argnums": (0, -1)}, BadArgument, "positions from 0"),
        ({"static_argnums": True}, BadArgument, "positions from 0"),
        ({"static_argnums": None}, BadArgument, "positions from 0. Received: None"),
        ({"static_argnums": [[1]]}, BadArgument, "positions from 0"),
        ({"static_argnames": "m"}, NameUnknown, "argument of f in static_argnames.*Known: k, n, x"),
        ({"static_argnames": [3]}, BadArgument, "names of arguments. Received: \\[3\\]"),
    ],
)
def test_static_arguments_that_there_are_not(static, error, match):
    def f(x: Any, n: Any, *, k: Any) -> Any:
        return x

    with pytest.raises(error, match=match):
        tg.jit(f, **static)


def test_signatures_that_take_anything():
    f = tg.jit(lambda *xs, **settings: xs[0] ** xs[2] * settings["by"], static_argnums=2,
               static_argnames=["by"])  # fmt: skip
    assert f(3.0, 1.0, 2, by=2) == 18.0
    for of in (tg.grad, tg.jacobian, tg.hessian, tg.value_and_grad):
        for static in ({"static_argnums": 1}, {"static_argnames": "n"}):
            seen: list[Any] = []
            f = of(lambda x, n, seen=seen: seen.append(n) or x**n)
            jitted = tg.jit(f, **static)
            assert jitted(3.0, n=2) == jitted(3.0, 2) == f(3.0, 2)
            assert set(map(type, seen)) == {int}
            assert "for x, in lanes" in jitted.program(3.0, 2).source()
    assert tg.jit(math.hypot, static_argnums=5) is not None  # it does not tell what it takes


class Model:
    """A user's own class, whose objects are equal and not hashable."""

    def __init__(self, w: float, scale: float = 1.0) -> None:
        self.w, self.scale, self.seen = Value(w), scale, 0

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Model)

    __hash__ = None  # type: ignore[assignment]

    @tg.jit
    def loss(self, x: Any, y: Any = 0.0) -> Any:
        """(scale · w · x − y)²"""
        self.seen += 1
        return (self.scale * self.w * x - y) ** 2

    @functools.partial(tg.jit, static_argnums=2)
    def power(self, x: Any, n: int) -> Any:
        return self.w * x**n

    @tg.jit
    @functools.partial(tg.vmap, in_axes=(None, 0, None))
    def lanes(self, x: Any, k: Any) -> Any:
        return self.w * x * k

    slope = tg.jit(tg.grad(lambda self, x: self.w * x * x, argnums=1))
    fixed = tg.jit(staticmethod(lambda x: x + 1.0))


def test_a_method_is_traced_for_each_object():
    one, two = Model(2.0), Model(5.0, scale=2.0)
    assert [one.loss(3.0), two.loss(3.0), one.loss(1.0, y=1.0)] == [36.0, 900.0, 1.0]
    assert (one.loss.traces, two.loss.traces, one.seen, Model.loss.traces) == (2, 1, 2, 0)
    one.w.data = 3.0
    assert one.loss(3.0) == 81.0
    assert one.seen == 2
    one.scale = 100.0  # a Python number: a constant
    assert one.loss(3.0) == 81.0
    assert one.loss.program(3.0).captured == (one.w,)
    assert one.loss.__doc__ == "(scale · w · x − y)²"
    assert "for x, in lanes" in one.loss.program(3.0).source()


def test_a_static_argument_of_a_method_is_a_number_of_python():
    class Powers:
        @functools.partial(tg.jit, static_argnums=2)
        def up_to(self, x: Any, n: int) -> Any:
            return [x**i for i in range(n)]

    assert Powers().up_to(3.0, 3) == Powers().up_to(3.0, n=3) == [1.0, 3.0, 9.0]


def test_positions_and_axes_of_methods_count_self():
    model = Model(2.0)
    assert [model.power(3.0, 2), model.power(3.0, n=3), model.power.traces] == [18.0, 54.0, 2]
    assert model.lanes([1.0, 2.0], 10.0) == [20.0, 40.0]
    assert Model.lanes.__get__(model).__wrapped__([1.0], 1.0) == [2.0]
    assert model.slope(3.0) == 12.0
    assert model.fixed(1.0) == Model.fixed(1.0) == 2.0
    assert model.fixed.traces == 1
    assert tg.grad(model.loss)(3.0) == 24.0


@pytest.mark.parametrize("position", [1, 2])
def test_a_position_of_a_method_is_that_of_the_setting(position):
    """The setting is a count, which no Value can stand for."""

    class Doubling:
        def times(self, *args: Any) -> Any:
            n, x = args if position == 1 else args[::-1]
            return x * len(range(n))

    Doubling.times = tg.jit(Doubling.times, static_argnums=position)
    args = (3, 5.0) if position == 1 else (5.0, 3)
    assert Doubling().times(*args) == 15.0


def test_what_python_does_not_bind_is_not_bound():
    class Described:
        def __init__(self, x: Any) -> None:
            raise AssertionError

        def __get__(self, instance: Any, owner: Any) -> Any:
            raise AssertionError

    class Holder:
        row = tg.jit(tg.tanh)
        partial = tg.jit(functools.partial(lambda x, y: x * y, 2.0))
        builtin = tg.jit(abs)
        lanes = tg.jit(tg.vmap(staticmethod(lambda x: x + 1.0)))
        described = tg.jit(Described)

    held = Holder()
    assert held.row(0.5) == math.tanh(0.5)
    assert (held.partial(3.0), held.builtin(-1.0), held.lanes([1.0])) == (6.0, 1.0, [2.0])
    assert held.described is Holder.described
    assert held.row.traces == Holder.row.traces == 1


def test_programs_of_methods_go_with_their_object():
    model = Model(2.0)
    loss = model.loss
    gone = weakref.ref(model)
    before = len(Model.loss._of_objects)
    del model
    assert loss(1.0) == 4.0  # a method holds its object
    assert len(Model.loss._of_objects) == before
    del loss
    gc.collect()
    assert gone() is None
    assert len(Model.loss._of_objects) == before - 1
    for i in range(100):  # which may have the same id, one after the other
        w = 1.0 + 0.01 * i
        assert Model(w).loss(1.0) == w * w


def test_an_object_that_cannot_be_followed_is_named():
    class Slotted:
        __slots__ = ("w",)

        @tg.jit
        def loss(self, x: Any) -> Any:
            return self.w * x

    with pytest.raises(BadArgument, match=r"'__weakref__' to its __slots__"):
        Slotted().loss(1.0)


def test_copies_of_a_model_have_programs_of_their_own():
    model = Model(2.0)
    model.step = tg.jit(model.loss)  # type: ignore[attr-defined]
    assert model.step(3.0) == 36.0  # type: ignore[attr-defined]
    other = copy.deepcopy(model)
    other.w.data = 3.0
    assert (model.step(3.0), other.step(3.0), other.loss(3.0)) == (36.0, 81.0, 81.0)  # type: ignore[attr-defined]


def test_a_module_may_be_called_by_a_jitted_method():
    class Line(tg.nn.Module):
        def __init__(self) -> None:
            self.w, self.b = Value(2.0), Value(1.0)

        @tg.jit
        def __call__(self, x: Any) -> Any:
            return self.w * x + self.b

    line = Line()
    assert [line(3.0), line(4.0), Line.__call__.traces] == [7.0, 9.0, 0]
    assert len(line.parameters()) == 2
    line(Value(3.0)).backward()
    assert line.w.grad == 3.0


def test_a_program_that_reads_values_is_no_number_of_a_trace():
    x, w, scale = Value(1.0), Value(2.0), Value(3.0)
    learned = tg.compile(w * x, inputs=x, parameters=w)
    fixed = tg.compile(x * x, inputs=x)
    scaled = tg.compile(scale * x, inputs=x)
    for program in (learned, scaled):
        with pytest.raises(TracingError, match="that a Program reads from its Values"):
            tg.jit(lambda y, program=program: y * program.value([[1.0]]))(2.0)
    assert tg.jit(lambda y: y * fixed.value([[3.0]]) * learned.value([[1.0]], [5.0]))(2.0) == 90.0


# ── Clumsy use ────────────────────────────────────────────────────────────────────────────


class Held:
    def __init__(self, x: Any) -> None:
        self.x = x


@pytest.mark.parametrize(
    "f",
    [
        Held, lambda x: None, lambda x: [x, None], lambda x: {"y": x, "name": "y"}, lambda x: {x},
        lambda x: (x * i for i in range(3)), lambda x: (yield x), lambda x: range(3),
    ],
)  # fmt: skip
def test_results_that_are_no_numbers(f):
    for made in (tg.jit(f), lambda x: tg.vmap(f)([x]), lambda x: tg.jit(tg.vmap(f))([x])):
        with pytest.raises(NotANumber, match=r"(Held|<lambda>) must return numbers\..*Received: "):
            made(1.0)


@pytest.mark.parametrize(
    "x", [None, "sin", Held(1.0), tg.nn.Neuron(1), {1.0}, range(3)], ids=lambda x: type(x).__name__
)
def test_arguments_that_are_no_numbers(x):
    with pytest.raises(NotANumber, match=r"Received: .*tg\.jit\(f, static_argnums=\.\.\.\)"):
        tg.jit(lambda x: 1.0)(x)


def test_counts_and_indices_are_to_be_static():
    for f in (
        lambda x, n: tg.sum([x for _ in range(n)]),
        lambda x, n: x * [1.0, 2.0][n],
    ):
        with pytest.raises(TracingError, match=r"integer.*tg\.jit\(f, static_argnums") as caught:
            tg.jit(f)(1.0, 1)
        assert caught.value.__cause__ is not None
        assert tg.jit(f, static_argnums=1)(1.0, 1) == f(1.0, 1)
    with pytest.raises(TypeError, match="missing 1 required") as plain:
        tg.jit(lambda x, n: x)(1.0)
    assert type(plain.value) is TypeError


CALLABLES: dict[str, tuple[Callable[..., Any], tuple[Any, ...], Any]] = {
    "a row": (tg.tanh, (0.5,), math.tanh(0.5)),
    "a builtin": (abs, (-2.0,), 2.0),
    "sum": (sum, ([1.0, 2.0],), 3.0),
    "a partial": (functools.partial(lambda x, y: x - y, 5.0), (2.0,), 3.0),
    "a partial by name": (functools.partial(lambda x, y: x - y, y=5.0), (2.0,), -3.0),
    "a jitted one": (tg.jit(lambda x: x + 1.0), (1.0,), 2.0),
    "lanes of lanes": (tg.vmap(tg.vmap(lambda x: x * x)), ([[1.0], [3.0]],), [[1.0], [9.0]]),
    "no argument": (lambda: [3, True], (), [3.0, 1.0]),
    "defaults": (lambda x, y=2.0, *z, k=3.0, **named: x * y * k + len(z), (1.0, 2.0, 5.0), 7.0),
    "empty trees": (lambda x: [x, [[]], {}, ()], ({"a": []},), [{"a": []}, [[]], {}, ()]),
    "what it is given": (lambda x: x, ([1.0, {"a": (2.0,)}],), [1.0, {"a": (2.0,)}]),
    "a huge constant": (lambda x: x * 10**400, (2.0,), math.inf),
}  # fmt: skip


@pytest.mark.parametrize("name", CALLABLES)
def test_whatever_can_be_called(name):
    f, args, expected = CALLABLES[name]
    jitted = tg.jit(f)
    assert jitted(*args) == jitted(*args) == expected
    assert jitted.traces == 1


def test_a_function_that_adds_to_its_argument_adds_to_a_copy():
    def appended(xs: list[Any]) -> list[Any]:
        xs.append(xs[0] * 2.0)
        return xs

    xs, f = [1.0], tg.jit(appended)
    assert [f(xs), f(xs), xs] == [[1.0, 2.0], [1.0, 2.0], [1.0]]


@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt, SystemExit, MemoryError])
def test_what_is_raised_while_tracing_leaves_nothing_behind(error):
    fail = [True]

    def f(x: Any) -> Any:
        with tg.scope("inside"), tg.no_grad():
            if fail:
                raise error
        return x * 2.0

    f = tg.jit(f)
    before = MODE.get()
    with pytest.raises(error) as caught:
        f(1.0)
    assert caught.value.__context__ is None  # no "during handling of" an error of ours
    assert MODE.get() is before
    fail.clear()
    assert [f(1.0), f(2.0), f.traces] == [2.0, 4.0, 2]


def test_threads_that_trace_and_drop_programs_at_once():
    w = Value(3.0)
    f = tg.jit(lambda xs, n: tg.sum([w * x**n for x in xs]), static_argnames="n")
    models = [Model(float(i)) for i in range(3)]
    wrong: list[Any] = []
    barrier = threading.Barrier(8)

    def work(seed: int) -> None:
        source = random.Random(seed)
        barrier.wait()
        for _ in range(100):
            size, n = source.randrange(1, 5), source.randrange(2, 30)
            if f([2.0] * size, n) != 3.0 * size * 2.0**n:
                wrong.append((size, n))
            model = source.choice(models)
            if model.loss(1.0) != model.w.data**2 or Model(7.0).loss(1.0) != 49.0:
                wrong.append(model)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # more than 64 programs
        threads.eight(work)
    assert not wrong
    assert len(f._kept.programs) <= KEPT
    assert [model.loss.traces for model in models] == [1, 1, 1]
