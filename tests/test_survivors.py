"""Mutants that no other test noticed: each of these tests fails if one line is changed back."""

from __future__ import annotations

import inspect
import itertools
import math
import operator
import re
import threading
from typing import Any

import pytest
from mpmath import mp

import tinygrad_edu as tg
from tinygrad_edu import Value, fast, keras, nn
from tinygrad_edu.core import calculus, ops
from tinygrad_edu.core.graph import tape
from tinygrad_edu.core.operators import is_method
from tinygrad_edu.core.table import BUILT_IN, Op
from tinygrad_edu.errors import Anomaly, TracingError
from tinygrad_edu.nn.optimizers import OPTIMIZERS


@pytest.fixture(params=["fast", "plain"])
def form(request):
    """The engine as it is imported, and without the fast forms of its most frequent parts."""
    if request.param == "plain":
        fast.remove()
    yield request.param
    fast.install()


# ── Operators and methods ─────────────────────────────────────────────────────────────────

BINARY = (
    operator.add, operator.sub, operator.mul, operator.truediv, operator.floordiv, operator.mod,
    operator.pow, operator.lt, operator.le, operator.gt, operator.ge, divmod,
)  # fmt: skip


@pytest.mark.parametrize("binary", BINARY, ids=lambda f: f.__name__)
@pytest.mark.parametrize("foreign", [object(), "1", None, [1.0], {}], ids=lambda x: str(type(x)))
def test_operators_leave_foreign_things_to_python(form, binary, foreign):
    if isinstance(foreign, str) and binary is operator.mod:
        return  # "1" % x formats
    for args in ((Value(1.0), foreign), (foreign, Value(1.0))):
        python_says = r"unsupported operand|not supported between"
        said = python_says if type(foreign) is object else f"{python_says}|real number is needed"
        with pytest.raises(TypeError, match=said):
            binary(*args)


class Answering:
    """A foreign type that knows what to do with a Value."""


for _name in ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow"):
    setattr(Answering, f"__r{_name}__", lambda self, other: "mine")


def test_a_foreign_type_may_answer(form):
    for binary in BINARY:
        if hasattr(Answering, f"__r{binary.__name__}__"):
            assert binary(Value(1.0), Answering()) == "mine", binary


@pytest.mark.parametrize("op", [op for op in tg.TABLE.values() if is_method(op)],
                         ids=lambda op: op.name)  # fmt: skip
def test_every_method_records_its_row(form, op):
    x = Value(0.75)
    settings = [0.25, 0.5] if op.name == "clip" else []
    method = getattr(x, op.name)(*settings)
    row = op(Value(0.75), *settings)
    assert method.op is row.op is op
    assert repr(method.data) == repr(row.data)
    assert method.args[0] is x
    assert len(method.args) == len(row.args)


# ── Derivatives ───────────────────────────────────────────────────────────────────────────


def counting() -> tuple[Any, list[float]]:
    """The identity, and a list that grows whenever its partial is asked for."""
    asked: list[float] = []

    def partial(out: Any, x: Any) -> float:
        asked.append(0.0)
        return 1.0

    return tg.op(f"counted_{id(asked)}", lambda x: x, [partial], sample=[(1.0,)]), asked


@pytest.mark.parametrize(
    ("inputs", "outputs", "mode", "sweeps"),
    [(2, 5, "forward", 2), (2, 5, "reverse", 5), (5, 2, "forward", 5), (5, 2, "reverse", 2),
     (2, 5, "auto", 2), (5, 2, "auto", 2)],
)  # fmt: skip
def test_a_jacobian_makes_as_many_sweeps_as_its_mode_says(form, inputs, outputs, mode, sweeps):
    counted, asked = counting()

    def f(xs: Any) -> Any:
        middle = counted(tg.sum(xs))
        return [middle * float(i + 1) for i in range(outputs)]

    found = tg.jacobian(f, mode=mode)([1.0] * inputs)
    assert [list(row) for row in found] == [[float(i + 1)] * inputs for i in range(outputs)]
    assert len(asked) == sweeps


@pytest.mark.parametrize(
    "f",
    [
        lambda x, y: x + y, lambda x, y: x - y, lambda x, y: -x, lambda x, y: x * y,
        lambda x, y: -(x * y), lambda x, y: y * -x, lambda x, y: y * (y - x),
        lambda x, y: y * (x + y), lambda x, y: tg.sum([x * y, y]) * y, lambda x, y: (x + 1.0) * y,
    ],
)  # fmt: skip
def test_factors_of_one_are_not_recorded_in_gradients(form, f):
    x, y = Value(2.0), Value(3.0)
    loss = f(x, y)
    there = set(tape(loss))
    for slope in tg.gradients(loss, [x, y]):
        for node in set(tape(slope)) - there:
            assert (
                node.op is None
                or node.op.name != "mul"
                or not {1.0, -1.0} & {arg for arg in node.args if type(arg) is float}
            )
            assert node.op is not tg.sum or len(node.args) > 1  # nor sums of one term


def test_tangents_are_recorded_without_sums_of_one_term_or_factors_of_one():
    x, direction = Value(2.0), Value(3.0)
    _, along = tg.jvp(lambda x: tg.sum([x * x, x, -x]) + 1.0, (x,), (direction,))
    made = [node for node in tape(along) if node.op is not None and node._serial > x._serial]
    sums = [node for node in made if node.op is tg.sum]
    assert along.data == 12.0
    assert {len(node.args) for node in sums} == {2, 3}
    assert not any(1.0 in n.args or -1.0 in n.args for n in made if n.op is tg.mul)


# ── Recording ─────────────────────────────────────────────────────────────────────────────


def test_a_new_node_has_no_gradient_name_or_role(form):
    with tg.scope("here"):
        x = Value(2.0)
        nodes = [x, x * 3.0, 3.0 - x, tg.atan2(x, 1.0), tg.sum([x, 1.0]), x.tanh(), x**2]
    with tg.no_grad():
        nodes.append(x * 3.0)
    for node in nodes[:-1]:
        assert (node.grad, node.name, node.role, node.scope) == (0.0, None, None, "here")
    assert (nodes[-1].op, nodes[-1].args, nodes[-1].grad) == (None, (), 0.0)


def test_a_grad_is_set_to_a_number():
    x = Value(1.0)
    x.grad = 3
    assert type(x.grad) is float
    with pytest.raises(tg.errors.NotANumber):
        x.grad = "3"
    assert x.grad == 3.0


@pytest.mark.parametrize("set_late", [True, False])
def test_a_role_is_known_by_its_letters(form, set_late):
    """Roles are compared by identity, but may be given as any string."""
    role = "".join(["con", "stant"])
    x = Value(2.0, role=None if set_late else role)
    if set_late:
        x.role = role
    y = Value(3.0)
    (x * y).backward()
    assert (x.grad, y.grad) == (0.0, 2.0)


def test_backward_takes_one_root_or_any_iterable(form):
    for roots in (lambda y: y, lambda y: [y], lambda y: (y,), lambda y: iter([y])):
        x = Value(3.0)
        tg.backward(roots(x * x))
        assert x.grad == 6.0


def test_no_gradient_comes_to_a_constant_that_is_a_root(form):
    constant = Value(2.0, role="constant")
    constant.backward()
    assert constant.grad == 0.0


def test_zero_grad_goes_through_an_iterable_whatever_it_is_given():
    class Bag(list):  # type: ignore[type-arg]
        pass

    x = Value(1.0)
    (x * 2.0).backward()
    bag = Bag([x])
    bag.parameters = "an attribute, no method"
    tg.zero_grad(bag)
    assert x.grad == 0.0


def test_a_shared_node_is_replayed_once(form):
    x = Value(2.0, name="x")
    shared = x * x
    result = (shared + shared) * (shared + 1.0)
    before = Value(0.0)
    again = tg.replay(result)
    assert again._serial - before._serial == 4
    assert len(tape(again)) == len(tape(result))
    assert tg.replay(x) is x


@pytest.mark.parametrize("count", [1, 2])
def test_a_user_defined_row_gives_floats_or_an_error(form, count):
    partials = [lambda out, *args: 1.0] * count
    whole = tg.op(f"whole_{form}_{count}", [lambda x: 3, lambda x, y: 3][count - 1], partials,
                  sample=[(1.0,) * count])  # fmt: skip
    result = whole(*[Value(1.0)] * count)
    assert (result.data, type(result.data)) == (3.0, float)


def in_thread(work: Any) -> Any:
    results: list[Any] = []
    thread = threading.Thread(target=lambda: results.append(work()))
    thread.start()
    thread.join()
    return results[0]


@pytest.mark.parametrize("row", [tg.mul, tg.atan2, lambda x, y: tg.sum([x, y])])
def test_results_of_traced_values_are_traced_in_other_threads(form, row):
    w = Value(3.0)

    def f(x: Any) -> Any:
        result = in_thread(lambda: row(w, x))
        assert result.trace is x.trace  # so that its number can't be read
        return result

    assert [tg.jit(f)(x) for x in (2.0, 5.0)] == [row(3.0, x) for x in (2.0, 5.0)]


@pytest.mark.parametrize("run", [lambda work: work(), in_thread])
def test_a_value_is_detached_in_a_trace(run):
    w = Value(3.0, name="w", role="parameter")
    seen: list[Any] = []

    def f(x: Any) -> Any:
        there = [run(x.detach), w.detach()]
        seen.extend(there)
        return there[0] * there[1] * x

    compiled = tg.jit(tg.grad(f))
    assert compiled(2.0) == 6.0
    w.data = 5.0
    assert compiled(7.0) == 35.0
    assert (seen[1].name, seen[1].role) == ("w", "parameter")
    assert {node.op for node in seen} == {tg.stop_gradient}


def test_a_node_that_became_constant_has_no_tangent_not_even_zero():
    """Zero times an infinite slope would be nan."""

    def f(x: Any) -> Any:
        middle = x * 0.0
        middle.role = "constant"
        return tg.sqrt(middle + 0.0)

    assert tg.jvp(f, (1.0,), (1.0,)) == (0.0, 0.0)
    assert tg.grad(f)(1.0) == 0.0
    assert tg.jvp(f, (Value(1.0),), (1.0,))[1].data == 0.0
    assert tg.grad(f)(Value(1.0)).data == 0.0


def test_derivatives_of_numbers_record_only_the_function():
    def f(x: Any) -> Any:
        return tg.sin(x) * x

    for derive in (tg.grad(f), lambda x: tg.jvp(f, (x,), (1.0,)), lambda x: tg.vjp(f, x)[1](1.0)):
        before = Value(0.0)
        derive(2.0)
        assert Value(0.0)._serial - before._serial == 4  # x, sin x, the product, and this one


def test_an_inner_derivative_is_a_value_only_if_it_depends_on_an_outer_variable():
    seen = []

    def f(x: Any) -> Any:
        alone = tg.grad(lambda y: y * y * 2.0)(3.0)
        joined = tg.grad(lambda y: (y * y * x) * 2.0)(3.0)
        seen.append((type(alone), type(joined)))
        return alone * joined

    assert tg.grad(f)(5.0) == 12.0 * 12.0
    assert seen == [(float, Value)]


def test_a_jitted_function_that_captures_a_variable_does_not_lose_it():
    captured: list[Any] = [Value(7.0)]
    jitted = tg.jit(lambda y: y * captured[-1])
    assert jitted(2.0) == 14.0  # so that there is a program for numbers

    def f(x: Any) -> Any:
        captured.append(x)
        return jitted(2.0)

    assert tg.grad(f)(3.0) == 2.0
    assert tg.jvp(f, (3.0,), (1.0,)) == (6.0, 2.0)
    assert tg.vjp(f, 3.0)[1](1.0) == (2.0,)


@pytest.mark.parametrize("derive", [tg.grad, tg.value_and_grad, tg.jacobian, tg.hessian])
def test_a_derivative_has_the_signature_of_its_function(derive):
    def f(weight: float, *, rate: float = 0.5) -> float:
        return weight * rate

    assert inspect.signature(derive(f)) == inspect.signature(f)
    assert derive(f).__wrapped__ is f


def test_where_a_direction_is_a_value_the_derivative_along_it_is_one():
    direction = Value(2.0)
    (_, along), (twice,) = (
        tg.jvp(lambda x: x * x, (3.0,), (direction,)),
        tg.hvp(lambda x: x * x * x, (3.0,), (direction,)),
    )
    (pulled,) = tg.vjp(lambda x: x * x, 3.0)[1](direction)
    for derivative, factor in ((along, 6.0), (twice, 18.0), (pulled, 6.0)):
        assert derivative.data == 2.0 * factor
        assert [slope.data for slope in tg.gradients(derivative, [direction])] == [factor]


def test_gradients_takes_one_value_or_any_iterable():
    x = Value(3.0)
    y = x * x
    for xs in (x, [x], (x,), iter([x])):
        assert [slope.data for slope in tg.gradients(y, xs)] == [6.0]


@pytest.mark.parametrize("run", [lambda work: work(), in_thread])
def test_no_derivative_goes_through_what_a_trace_has_not_recorded(run):
    w = Value(2.0)
    older = w * w

    def f(x: Any) -> Any:
        root = older if run is not in_thread else older * x
        with pytest.raises(TracingError, match="A derivative through"):
            tg.gradients(root, [w])
        return x

    def in_its_thread(x: Any) -> Any:
        return run(lambda: f(x)) if run is in_thread else f(x)

    assert tg.jit(in_its_thread)(3.0) == 3.0


def test_a_variable_that_is_kept_from_a_trace_can_not_be_set():
    """It is no leaf, which the program would read again at each call."""
    kept: list[Value] = []

    def inner(y: Any) -> Any:
        kept.append(y)
        return y * y

    f = tg.jit(lambda x: x * tg.grad(inner)(3.0))
    assert f(1.0) == 6.0
    for variable in kept:
        with pytest.raises(TracingError):
            variable.data = 100.0
    assert f(1.0) == 6.0


def test_a_captured_value_that_an_inner_function_returns_is_read_at_each_call():
    w = Value(5.0)
    f = tg.jit(lambda x: x * tg.value_and_grad(lambda y: w)(3.0)[0])
    assert f(2.0) == 10.0
    w.data = 7.0
    assert f(2.0) == 14.0


def test_a_sweep_waits_for_the_sweep_of_another_thread(form):
    threads: list[threading.Thread] = []

    def partial(out: Any, x: Any) -> float:
        if not threads:
            threads.append(threading.Thread(target=result.backward))
            threads[0].start()
            threads[0].join(0.1)
            assert threads[0].is_alive()
        return 2.0

    x = Value(1.0)
    waiting = tg.op(f"waiting_{form}", lambda x: x + x, [partial], sample=[(1.0,)])
    result = waiting(x) * 3.0
    result.backward()
    threads[0].join()
    assert x.grad == 12.0


def test_an_inner_derivative_of_a_ladder_of_diamonds_takes_no_time():
    """Whether it depends on an outer variable is asked of each node once: 60, not 2⁶⁰."""

    def ladder(y: Any) -> Any:
        for _ in range(60):
            y = y + y
        return y

    assert tg.grad(lambda x: x * tg.grad(ladder)(1.0))(3.0) == 2.0**60


def test_where_values_go_in_values_come_out():
    x = Value(2.0)
    for f, slope in ((lambda x: 3.0, 0.0), (lambda x: x, 1.0), (lambda x: x + 1.0, 1.0)):
        results = [*tg.value_and_grad(f)(x), *tg.jvp(f, (x,), (1.0,)), tg.vjp(f, x)[0]]
        assert all(isinstance(result, Value) for result in results)
        assert [result.data for result in results[1::2]] == [slope, slope]
        numbers = [*tg.value_and_grad(f)(2.0), *tg.jvp(f, (2.0,), (1.0,)), tg.vjp(f, 2.0)[0]]
        assert all(type(number) is float for number in numbers)


def test_leaves_behind_a_stop_may_change(form):
    w, x = Value(2.0), Value(3.0)
    y = tg.stop_gradient(x) * w
    x.data = 5.0
    assert [slope.data for slope in tg.gradients(y, [w])] == [3.0]
    y.backward()
    assert (w.grad, x.grad) == (3.0, 0.0)


# ── Rows ──────────────────────────────────────────────────────────────────────────────────

EDGES = (0.0, -0.0, 0.3, -0.3, 0.5, -0.5, 0.6, 1.0, -1.0, 1.1, 2.0, -2.0, 3.0, 25.0, -25.0, 40.0,
         -40.0, 1e3, -1e3, 1e16, -1e16, 1e160, -1e160, 1e308, -1e308, 1e-160, 5e-324, math.inf,
         -math.inf, math.nan)  # fmt: skip


@pytest.mark.parametrize("name", sorted(BUILT_IN))
def test_partials_are_the_same_bits_on_floats_and_on_values(name):
    """Floats that need no guard pass without one, to the same result."""
    row = tg.TABLE[name]
    count = row.arity or 2
    for args in itertools.product(EDGES[::count], repeat=count):
        out = row.compute(*args)
        on_floats = row.locals(out, args, [True] * count)
        on_values = row.locals(Value(out), [Value(x) for x in args], [True] * count)
        for plain, recorded in zip(on_floats, on_values):
            number = recorded.data if isinstance(recorded, Value) else recorded
            assert repr(number) == repr(plain) or abs(number - plain) < 1e-320, args


@pytest.mark.parametrize("exponent", [-3.0, -0.5, 0.5, 0.6, 1.0, 1.1, 1.5, 3.0, 2.0**53])
def test_the_slope_of_a_power_by_a_number_is_recorded_in_two_nodes(exponent):
    x = Value(2.0)
    (slope,) = tg.gradients(tg.pow(x, exponent), [x])
    made = [node.op.name for node in tape(slope) if node.op is not None]
    assert made == ["pow", "mul"]


@pytest.mark.parametrize(("x", "y"), [(1e-300, 1e-10), (1e-300, -1e-3), (1e-200, 0.3), (0.5, 0.4),
                                      (3e300, 1e-5), (2.0, 0.25)])  # fmt: skip
def test_the_slope_of_a_small_power_keeps_its_digits_at_a_tiny_base(x, y):
    with mp.workdps(50):
        right = float(mp.mpf(y) * mp.mpf(x) ** (mp.mpf(y) - 1))
    for exponent in (y, Value(y)):
        slope = tg.pow.partial(0, tg.pow(x, y), x, exponent)
        assert getattr(slope, "data", slope) == pytest.approx(right, rel=1e-15)


@pytest.mark.parametrize("offset", [2.0**-40, -(2.0**-30), 2.0**-10, 0.2])
def test_logit_keeps_its_digits_near_a_half(offset):
    with mp.workdps(50):
        right = float(mp.log(mp.mpf(0.5 + offset) / (1 - mp.mpf(0.5 + offset))))
    assert tg.logit(0.5 + offset) == pytest.approx(right, rel=1e-15)


def test_huge_exponents_keep_the_sign_of_the_slope():
    huge = 2.0**53 + 2.0
    for x, sign in ((math.nextafter(1.0, 0.0), 1.0), (-math.nextafter(1.0, 0.0), -1.0)):
        assert math.copysign(1.0, tg.pow.partial(0, tg.pow(x, huge), x, huge)) == sign


def test_the_slope_of_a_remainder_by_its_divisor_is_a_whole_number():
    for x, y in ((835.9, 0.44), (721.8, 0.71), (270.0, 0.55), (-7.3, 0.7), (7.3, -0.3)):
        assert tg.mod.partial(1, x % y, x, y) == -(x // y)
    y = Value(1e-308)
    (slope,) = tg.gradients(tg.mod(3.5e-308, y), [y])
    (bend,) = tg.gradients(slope, [y])
    assert (slope.data, bend.data) == (-3.0, 0.0)


def test_the_sum_of_nothing_is_zero():
    assert (tg.sum([]), tg.norm([]), tg.logsumexp([])) == (0.0, 0.0, -math.inf)


def test_at_a_bend_the_slope_is_the_nearest_to_zero():
    slopes = (-2.0, -0.5, 0.0, 0.5, 2.0)
    for below, above in itertools.product(slopes, slopes):
        low, high = sorted((below, above))
        assert ops._bent(0.0, below, above) == max(low, min(high, 0.0))
        assert (ops._bent(-1.0, below, above), ops._bent(1.0, below, above)) == (below, above)
        assert math.isnan(ops._bent(math.nan, below, above))


# ── Errors that name things ───────────────────────────────────────────────────────────────


def test_an_anomaly_names_its_operands():
    with tg.detect_anomaly():
        rate, other = Value(0.0, name="rate"), Value(0.0)
        with pytest.raises(Anomaly, match=r"Operands: rate = 0\.0, y = 0\.0"):
            rate / other
        with pytest.raises(Anomaly, match=r"Operands: x = 0\.0, rate = 0\.0"):
            other / rate
        with pytest.raises(Anomaly, match=r"Operands: x = -1\.0"):
            tg.log(Value(-1.0))
        with pytest.raises(Anomaly, match=r"Operands: rate = inf, \[1\] = -inf"):
            tg.sum([Value(math.inf, name="rate"), Value(-math.inf)])


def test_arguments_of_c_functions_have_the_names_that_the_comment_says():
    w, x = Value(2.0, name="w", role="parameter"), Value(1.0, name="x", role="input")
    source = tg.compile(tg.exp(w * x), inputs=[x], parameters=[w]).c_source()
    signature = re.search(r"void program\(([^)]*)\)", source)
    assert signature is not None
    assert " ".join(signature[1].split()) == (
        "long n, const double *inputs, const double *shared, double *each, double *total, "
        "double *once, double *scratch"
    )
    described = re.findall(r"^       (\w+) +\d|^       (\w+) +n rows", source, re.MULTILINE)
    assert {a or b for a, b in described} == {
        "inputs", "shared", "each", "total", "once", "scratch"
    }  # fmt: skip


@pytest.mark.parametrize("kind", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_settings_of_an_optimiser_by_place_come_after_the_rate_alone(kind):
    w = Value(1.0)
    assert kind([w], 0.25).learning_rate == kind(0.25).learning_rate == 0.25
    with pytest.raises(TypeError):
        kind([w], 0.25, 0.5)
    own = inspect.signature(kind.__init__).parameters
    assert {own[name].kind for name in list(own)[3:]} == {inspect.Parameter.KEYWORD_ONLY}


# ── Training ──────────────────────────────────────────────────────────────────────────────


class Batches(keras.callbacks.Callback):
    """Hears every batch, so that `fit` makes single steps."""

    def __init__(self) -> None:
        self.logs: list[dict[str, float]] = []

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.logs.append(dict(logs))


@pytest.mark.parametrize("eagerly", [True, False])
@pytest.mark.parametrize("weights", [None, [1.0, 2.0, 0.5, 1.0]])
def test_metrics_are_the_same_when_batches_are_heard(eagerly, weights):
    def trained(*callbacks: Any) -> dict[str, list[float]]:
        keras.set_random_seed(3)
        model = keras.Sequential([keras.layers.Dense(1, input_shape=[1])])
        model.compile("sgd", "mse", metrics=["mae", "mse", "rmse"], run_eagerly=eagerly)
        x, y = [1.0, 2.0, 3.0, 4.0], [2.0, 3.0, 5.0, 9.0]
        history = model.fit(x, y, batch_size=2, epochs=3, verbose=0, sample_weight=weights,
                            shuffle=False, callbacks=list(callbacks))  # fmt: skip
        return dict(history.history)

    heard = Batches()
    quiet, loud = trained(), trained(heard)
    assert quiet.keys() == loud.keys() == heard.logs[0].keys()
    for name, numbers in quiet.items():
        assert loud[name] == pytest.approx(numbers, rel=1e-12)
    for logs in heard.logs:
        assert all(math.isfinite(x) for x in logs.values()), logs
    assert {name: numbers[-1] for name, numbers in loud.items()} == heard.logs[-1]


def test_optimisers_are_listed_with_their_classes():
    assert {kind.__name__ for kind in OPTIMIZERS.values()} <= set(nn.__all__)


# ── Guards ────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("guard", "bound"),
    [(ops._finite, math.nextafter(math.inf, 0.0)), (lambda x: ops._within(x, 64.0), 64.0)],
    ids=["finite", "within"],
)
@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_a_guard_has_the_slope_of_clip_at_its_bounds(guard, bound, sign):
    x, y = Value(sign * bound), Value(sign * bound)
    guard(x).backward()
    tg.clip(y, -bound, bound).backward()
    assert (x.grad, y.grad) == (0.0, 0.0)


def test_a_derivative_may_begin_while_the_running_ones_are_looked_through(monkeypatch):
    """In another thread, which here comes at the worst moment."""
    running = dict(calculus._running)
    monkeypatch.setattr(calculus, "_running", running)

    class Beginning(list):  # type: ignore[type-arg]
        def __iter__(self):
            running[id(self) + len(running)] = [Value(1.0)]
            return iter([])

    running[0] = Beginning()
    assert not calculus.is_symbolic([Value(1.0)])


def test_a_row_keeps_its_partials_whatever_becomes_of_the_list():
    partials = [lambda out, x: 3.0]
    row = Op("triple", lambda x: 3.0 * x, partials)
    partials[0] = lambda out, x: 4.0
    assert tg.grad(row)(2.0) == 3.0
    assert isinstance(row.partials, tuple)
