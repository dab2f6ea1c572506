"""`tg.compile` and `Program`: batches, regularisers, threads, JSON, source, and what is refused."""

from __future__ import annotations

import copy
import datetime
import gc
import json
import math
import pickle
import subprocess
import sys
import threading
import time
import warnings
import weakref
from fractions import Fraction
from itertools import pairwise
from typing import Any

import pytest
import threads
from hypothesis import given
from hypothesis import strategies as st
from test_compiler import EXECUTORS, SPECIAL, every_executor, floats, same

import tinygrad_edu as tg
from tinygrad_edu import Program, Value
from tinygrad_edu.compiler import Code, program, python, scheduler
from tinygrad_edu.compiler.arrays import SMALL, Lists, arrays
from tinygrad_edu.compiler.scheduler import CHUNK, Runner
from tinygrad_edu.errors import BadArgument, MissingExtra, NameUnknown, NotANumber
from tinygrad_edu.schemas import checksum
from tinygrad_edu.testing import strategies


def perceptron(**options: Any) -> tuple[Program, list[Value]]:
    """(tanh(w·x + b) − y)² of two inputs."""
    x1, x2, y = (Value(0.5, name=name) for name in ("x1", "x2", "y"))
    parameters = [Value(0.3 * i - 0.4, name=name) for i, name in enumerate(("w1", "w2", "b"))]
    w1, w2, b = parameters
    loss = (tg.tanh(w1 * x1 + w2 * x2 + b) - y) ** 2
    return tg.compile(loss, inputs=[x1, x2, y], parameters=parameters, **options), parameters


def by_hand(rows: Any, w1: Any, w2: Any, b: Any) -> Any:
    return tg.sum([(tg.tanh(w1 * x1 + w2 * x2 + b) - y) ** 2 for x1, x2, y in rows])


ROWS = [[0.1, 0.2, 1.0], [-0.3, 0.5, -1.0], [0.7, -0.2, 0.5]]


# ── Batches ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("reduce", ["mean", "sum"])
def test_reductions(reduce):
    program, parameters = perceptron(reduce=reduce)
    theta = [p.data for p in parameters]
    n = 3.0 if reduce == "mean" else 1.0
    value, slopes = tg.value_and_grad(by_hand, argnums=(1, 2, 3))(ROWS, *theta)
    found, gradient = program.value_and_grad(ROWS)
    assert [found, *gradient] == pytest.approx([value / n, *(s / n for s in slopes)], rel=1e-14)
    assert program.value(ROWS) == found
    assert sum(program.values(ROWS)) / n == pytest.approx(found, rel=1e-14)


def test_theta_is_what_the_parameters_are_now_unless_given():
    program, parameters = perceptron()
    first = program.value(ROWS)
    assert program.value(ROWS, [p.data for p in parameters]) == first
    other = program.value(ROWS, [1.0, 2.0, 3.0])
    for parameter, x in zip(parameters, (1.0, 2.0, 3.0)):
        parameter.data = x
    assert program.value(ROWS) == other != first
    assert program.value_and_grad(ROWS)[0] == other


def test_the_gradient_goes_where_it_is_wanted():
    np = pytest.importorskip("numpy")
    program, parameters = perceptron()
    out = np.empty(3)
    theta = np.array([p.data for p in parameters])
    _, gradient = program.value_and_grad(np.array(ROWS), theta, out)
    assert gradient is out
    assert out.tolist() == program.value_and_grad(ROWS)[1].tolist()
    both = program.value_and_grad(np.asfortranarray(np.array(ROWS)), np.array([*theta, 0.0])[:3])
    assert both[1].tolist() == out.tolist()
    assert program.value(np.array(ROWS, dtype=np.float32)) == pytest.approx(
        program.value(ROWS), rel=1e-6
    )


def without_numpy(monkeypatch):
    for module in (program, scheduler):
        monkeypatch.setattr(module, "arrays", Lists)


def test_without_numpy_lists_come_out(monkeypatch):
    expected = perceptron(executor="python")[0].value_and_grad(ROWS)
    without_numpy(monkeypatch)
    found, _ = perceptron(executor="python")
    value, gradient = found.value_and_grad(ROWS)
    assert type(gradient) is list
    assert (value, gradient) == (expected[0], list(expected[1]))
    assert type(found.values(ROWS)) is list
    several = tg.compile([x := Value(1.0), x * 2.0], inputs=[x], executor="python")
    assert several.values([[3.0], [4.0]]) == [[3.0, 6.0], [4.0, 8.0]]
    regular = tg.compile(x + (w := Value(2.0)) ** 2, inputs=[x], parameters=[w], executor="python")
    assert regular.value_and_grad([[1.0], [3.0]]) == (6.0, [4.0])
    with pytest.raises(BadArgument, match=r"one row per sample.*a row of 2 numbers"):
        found.value([[1.0, 2.0]])
    with pytest.raises(BadArgument, match=r"per parameter, 3\. Received: 1"):
        found.value(ROWS, [1.0])
    hessian = tg.jit(tg.hessian(lambda v: v[0] ** 2 + v[1]), executor="python")
    assert hessian([1.0, 2.0]) == [[2.0, 0.0], [0.0, 0.0]]


def product() -> Program:
    x, y, w = Value(1.0, name="x"), Value(1.0, name="y"), Value(2.0, name="w")
    return tg.compile(w * x * y, inputs=[x, y], parameters=[w], reduce="sum", executor="python")


NO_BATCHES: dict[str, Any] = {
    "None": [[1.0, None]],
    "a string": [[1.0, "1.5"]],
    "texts": [["1.0", "1.5"]],
    "bytes": [[1.0, b"1"]],
    "a complex number": [[1.0, 2.0 + 0j]],
    "a date": [[1.0, datetime.date(2020, 1, 1)]],
    "a Value": [[1.0, Value(2.0)]],
    "rows of two lengths": [[1.0, 2.0], [1.0]],
    "a string for rows": ["12"],
    "a string alone": "12",
    "no rows": 3.0,
    "nothing": None,
    "a dict": {0: [1.0, 2.0]},
    "a set": [{1.0, 2.0}],
    "deeper lists": [[[1.0, 2.0]]],
}


@pytest.mark.parametrize("numpy", [True, False])
@pytest.mark.parametrize("name", NO_BATCHES)
def test_a_batch_of_anything_but_real_numbers(name, numpy, monkeypatch):
    if not numpy:
        without_numpy(monkeypatch)
    found = product()
    for call in (found.value, found.value_and_grad, found.values):
        with pytest.raises((NotANumber, BadArgument), match=r"^A batch .*Received: "):
            call(NO_BATCHES[name])
    assert found.value([[True, Fraction(3, 2)], (1, 2**70)]) == 3.0 + 2.0**71


NO_THETAS: list[Any] = [[None], ["1.5"], "1", [1j], {1.0: 2.0}, {2.0}, [Value(1.0)], [[1.0]], []]


@pytest.mark.parametrize("numpy", [True, False])
@pytest.mark.parametrize("theta", NO_THETAS, ids=repr)
def test_a_theta_of_anything_but_real_numbers(theta, numpy, monkeypatch):
    if not numpy:
        without_numpy(monkeypatch)
    with pytest.raises((NotANumber, BadArgument), match=r"^theta .*Received: "):
        product().value([[1.0, 2.0]], theta)


def test_arrays_of_anything_but_real_numbers():
    np = pytest.importorskip("numpy")
    masked = np.ma.masked_array([[1.0, 2.0], [3.0, 4.0]], mask=[[0, 0], [1, 0]])
    jitted = tg.jit(lambda xs: [x * 2.0 for x in tg.ravel(xs)[0]])
    lanes = tg.jit(tg.vmap(lambda xs: xs[0] * xs[1]))
    loop = tg.vmap(lambda xs: xs[0] * xs[1])
    for wrong in (
        masked, [masked[1], masked[0]], np.array([[1.0, 2.0 + 1j]]), np.array([["1.0", "2.0"]]),
        np.array([[1.0, None]]), np.array([["2020-01-01"] * 2], "M8[ns]"),
        np.array([["NaT", 1]], "m8[ns]"), np.array([[(1, 2.0), (3, 4.0)]], dtype="i4,f8"),
        np.array([[1.0, Value(2.0)]]),
    ):  # fmt: skip
        with pytest.raises(NotANumber, match=r"A batch must contain only numbers.* Received: "):
            product().value(wrong)
        if Value not in map(type, np.ma.getdata(wrong).ravel().tolist()):
            for f in (jitted, lanes, loop, tg.grad(lambda xs: xs[0][0])):
                with pytest.raises(NotANumber, match="Received: "):
                    f(wrong)
    with pytest.raises(NotANumber, match="masked"):
        Value(np.ma.masked)


def test_arrays_of_real_numbers_of_any_kind():
    np = pytest.importorskip("numpy")
    rows = np.arange(12.0).reshape(3, 4)
    theta = np.array([0.0, 2.0, 0.0])
    expected = product().value_and_grad(rows[:, ::2].tolist(), [2.0])
    lanes = tg.jit(tg.vmap(lambda xs, w: w[0] * xs[0] * xs[1], in_axes=(0, None)))
    each = product().values(rows[:, ::2], theta[1::2]).tolist()
    for kind in ("f8", ">f8", "f4", "f2", "g", "i1", "u2", ">i8", "O"):
        found = rows.astype(kind)[:, ::2], theta.astype(kind)[1::2]
        assert product().value_and_grad(*found) == expected, kind
        assert lanes(*found).tolist() == each
        assert type(lanes(found[0], found[1].tolist())) is np.ndarray
    shifted = np.frombuffer(b"." + rows[:, ::2].tobytes(), np.uint8)[1:].view(float).reshape(3, 2)
    assert not shifted.flags.aligned  # some processors can't read such numbers
    assert arrays().contiguous(shifted).flags.aligned
    assert product().value_and_grad(shifted, [2.0]) == expected
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PendingDeprecationWarning)
        assert product().value(np.matrix(rows[:, ::2])) == expected[0]
    unmasked = np.ma.masked_array(rows[:, ::2], mask=False)
    assert product().value(unmasked) == expected[0]
    assert lanes(unmasked, theta[1::2]).tolist() == each
    assert product().value(np.array([[True, True]])) == 2.0
    assert product().value(np.empty((0, 2))) == product().value([]) == 0.0


W = Value(2.0, name="w")


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"loss": 3.0}, r"^loss is a Value .*Received: 3\.0\."),
        ({"loss": None}, r"^loss is a Value .*Received: None\."),
        ({"loss": "w * x"}, r"^loss is a Value .*Received: 'w \* x'\."),
        ({"loss": {"y": W}}, r"^loss is a Value .*Received: \{'y'"),
        ({"loss": [[W, W], W]}, r"flat list of Values\. Received: \[Value.*tg\.ravel"),
        ({"loss": [W, None]}, r"flat list of Values\. Received: None in it"),
        ({"inputs": None}, r"^inputs are a list of Values\. Received: None\."),
        ({"inputs": 1.0}, r"^inputs are a list of Values\. Received: 1\.0\."),
        ({"inputs": "x"}, r"^inputs are a list of Values\. Received: 'x'\."),
        ({"inputs": [[Value(1.0)]]}, r"^inputs must be leaves, .*Received: \[Value"),
        ({"inputs": [1.0]}, r"^inputs must be leaves, .*Received: 1\.0\."),
        ({"parameters": {W}}, r"^parameters are a list of Values\. Received: \{Value"),
        ({"parameters": [W * 2.0]}, r"^parameters must be leaves, .*Received: Value\(data=4\.0"),
        ({"parameters": tg.nn.Neuron(2)}, r"^parameters are a list of Values\. Received: "),
    ],
    ids=lambda x: next(iter(x)) if isinstance(x, dict) else "",
)  # fmt: skip
def test_compile_of_what_is_no_graph(arguments, match):
    with pytest.raises(NotANumber, match=match):
        tg.compile(**{"loss": W, "inputs": [], **arguments})


def test_one_value_is_a_list_of_one():
    np = pytest.importorskip("numpy")
    x = Value(3.0)
    found = tg.compile(W * x * x, inputs=x, parameters=W, reduce="sum")
    assert found.value_and_grad([[2.0], [3.0]]) == (26.0, [13.0])
    several = tg.compile(np.array([x, W * x]), inputs=iter([x]))
    assert several.values([[2.0]]).tolist() == [[2.0, 4.0]]
    assert tg.compile([3.0, x, np.float64(4.0)], inputs=x).values([[2.0]]).tolist() == [
        [3.0, 2.0, 4.0]
    ]
    assert tg.compile([], inputs=x).values([[2.0]]).shape == (1, 0)


@every_executor
def test_terms_without_an_input_count_once(executor):
    x, w, v = Value(0.5, name="x"), Value(2.0, name="w"), Value(3.0, name="v")
    data = (w * x) ** 2
    data.name = "data"
    penalty = 0.1 * w**2
    penalty.name = "penalty"
    inner = data + penalty
    inner.name = "inner"
    loss = tg.sum([inner, v**2, tg.identity(x + 7.0)])
    loss.name = "loss"
    rows = [[1.0], [2.0], [3.0]]
    lanes = [(2.0 * x) ** 2 + x for (x,) in rows]
    once = 0.1 * 2.0**2 + 3.0**2 + 7.0
    for reduce, n in (("mean", 3.0), ("sum", 1.0)):
        program = tg.compile(loss, inputs=[x], parameters=[w, v], reduce=reduce, executor=executor)
        value, slopes = program.value_and_grad(rows)
        assert value == pytest.approx(sum(lanes) / n + once, rel=1e-14)
        by_w = sum(2.0 * (2.0 * x) * x for (x,) in rows) / n + 0.2 * 2.0
        assert list(slopes) == pytest.approx([by_w, 6.0], rel=1e-14)
        assert list(program.values(rows)) == pytest.approx(lanes, rel=1e-14)


TERMS: list[Any] = [
    lambda x, w: x * 1.0,
    lambda x, w: w * x,
    lambda x, w: w * 2.0,
    lambda x, w: w**2,
    lambda x, w: 1e16,
]


@given(st.data())
def test_the_terms_of_a_single_sample_are_added_in_their_order(data):
    """Those that count once too, though infinities and large numbers meet on the way."""
    numbers = st.sampled_from([*SPECIAL, 1e16, -1e16, 0.1]) | floats
    point = data.draw(st.lists(numbers, min_size=4, max_size=4))
    picked = data.draw(st.lists(
        st.tuples(st.sampled_from(TERMS), st.integers(0, 1), st.integers(2, 3), st.booleans()),
        min_size=2, max_size=6,
    ))  # fmt: skip

    def loss(*leaves: Any) -> Any:
        found = picked[0][0](leaves[picked[0][1]], leaves[picked[0][2]])
        for term, x, w, left in picked[1:]:
            other = term(leaves[x], leaves[w])
            found = tg.sum([other, found]) if left else found + other
        return found + leaves[0] * 0.0

    leaves = [Value(0.5) for _ in point]
    program = tg.compile(loss(*leaves), inputs=leaves[:2], parameters=leaves[2:])
    value, slopes = tg.value_and_grad(loss, argnums=(2, 3))(*point)
    for found in (program, Program.from_json(program.to_json())):
        y, gradient = found.value_and_grad([point[:2]], point[2:])
        assert same([y, *gradient], [value, *slopes])
        assert same([found.value([point[:2]], point[2:])], [value])


def test_a_single_sample_whose_terms_cancel():
    x, w = Value(0.0), Value(1e16)
    program = tg.compile(tg.sum([w, x, -w, x]), inputs=[x], parameters=[w])
    assert (1e16 + 1.0) - 1e16 + 1.0 == program.value([[1.0]]) == 1.0
    assert program.value([[1.0], [1.0]]) == 2.0  # what counts once is added last
    assert program.single is not None
    assert tg.compile(w * x + 1.0 * x, inputs=[x], parameters=[w]).single is None


def test_a_sum_without_such_terms_keeps_its_order():
    a, b, c = (Value(x) for x in (1e16, 1.0, -1e16))
    program = tg.compile((a + b) + c, inputs=[a, b, c])
    assert program.value([[1e16, 1.0, -1e16]]) == (1e16 + 1.0) - 1e16


def test_a_loss_of_parameters_alone():
    w = Value(-0.0)
    program = tg.compile(w * 1.0, inputs=[], parameters=[w])
    assert math.copysign(1.0, program.value([[]])) == -1.0
    assert program.value([]) == 0.0
    with pytest.raises(BadArgument, match="depends on a sample"):
        program.values([[]])


def test_other_leaves_are_read_at_each_call():
    x, scale, w = Value(1.0), Value(10.0, role="constant"), Value(2.0)
    program = tg.compile(w * x * scale, inputs=[x], parameters=[w])
    assert program.captured == (scale,)
    assert program.value([[1.0]]) == 20.0
    scale.data = 100.0
    assert program.value([[1.0]]) == 200.0
    assert program.value([[1.0]], [3.0]) == 300.0


def test_a_graph_whose_leaves_have_changed_compiles():
    x, w = Value(1.0), Value(2.0)
    loss = (w * x) ** 2
    w.data = 5.0
    assert tg.compile(loss, inputs=[x], parameters=[w]).value([[1.0]]) == 25.0
    w.data = 2.0
    both = tg.sum([(w * x) ** 2, w, x])
    with tg.no_grad():  # the mode of whoever compiles does not matter
        program = tg.compile(both, inputs=[x], parameters=[w])
    assert program.value_and_grad([[1.0], [1.0]]) == (7.0, [5.0])


def test_an_empty_batch():
    with pytest.raises(BadArgument, match="mean of an empty batch"):
        perceptron()[0].value([])
    assert perceptron(reduce="sum")[0].value([]) == 0.0
    assert len(perceptron()[0].values([])) == 0


@pytest.mark.parametrize("batch", [[[1.0, 2.0]], [1.0, 2.0, 3.0], [[[1.0, 2.0, 3.0]]]])
def test_batches_of_another_shape(batch):
    with pytest.raises(BadArgument, match=r"x1, x2, y\)\. Received: an array of shape"):
        perceptron()[0].value(batch)


def test_other_arguments_that_make_no_sense():
    x, w = Value(1.0), Value(2.0)
    with pytest.raises(BadArgument, match=r"one number per parameter, 3\. Received: 2"):
        perceptron()[0].value(ROWS, [1.0, 2.0])
    with pytest.raises(NameUnknown, match="Did you mean 'mean'"):
        tg.compile(w * x, inputs=[x], reduce="means")
    with pytest.raises(NotANumber, match="inputs must be leaves"):
        tg.compile(w * x, inputs=[w * x])
    with pytest.raises(NotANumber, match="parameters must be leaves"):
        tg.compile(w * x, inputs=[x], parameters=[2.0])
    with pytest.raises(BadArgument, match="different"):
        tg.compile(w * x, inputs=[x], parameters=[x])
    with pytest.raises(BadArgument, match="values"):
        tg.compile([w * x], inputs=[x]).value([[1.0]])


@every_executor
def test_results_that_are_plain_numbers(executor):
    """Of a Hessian most are; they cost the program nothing."""
    x = Value(2.0)
    program = tg.compile([0.0, x * 3.0, -0.0, x, math.nan], inputs=[x], executor=executor)
    assert same(program.values([[5.0], [7.0]])[1], [0.0, 21.0, -0.0, 7.0, math.nan])
    assert len(program._runner("each").code.each) == 2
    constant = tg.compile([1.0, 2.0], inputs=[x], executor=executor)
    assert [list(row) for row in constant.values([[5.0], [7.0]])] == [[1.0, 2.0]] * 2


def test_rosenbrock_in_many_variables():
    def rosenbrock(v: Any) -> Any:
        return tg.sum([100.0 * (b - a * a) ** 2 + (1.0 - a) ** 2 for a, b in pairwise(v)])

    point = [0.1 * i for i in range(10)]
    hessian = tg.hessian(rosenbrock)
    jitted = tg.jit(hessian)
    for row, expected in zip(jitted(point), hessian(point)):
        assert row == pytest.approx(expected, rel=1e-14)
    assert (
        len(jitted.program(point)._runner("each").code.each) == 9 + 2 * 9
    )  # the last one's own is 200


# ── Executors ─────────────────────────────────────────────────────────────────────────────


def soon_busy(executor, monkeypatch, **limits):
    """A program that goes over to that executor after so little work; and NumPy."""
    np = pytest.importorskip("numpy")
    if executor not in EXECUTORS:
        pytest.skip("llvmlite is not installed")
    for name, limit in limits.items():
        monkeypatch.setattr(scheduler, name, limit)
    return perceptron()[0], np


def test_a_busy_program_goes_over_to_faster_executors(monkeypatch):
    program, np = soon_busy("native", monkeypatch, WARM=1000, HOT=5000)
    rows = np.random.default_rng(0).normal(size=(50, 3))
    first = program.value_and_grad(rows)
    assert program.report().executor == "python"
    assert "answers at once" in str(program.report())
    deadline = time.monotonic() + 60.0
    while program.report().executor != "native" and time.monotonic() < deadline:
        value, gradient = program.value_and_grad(rows)
        assert value == pytest.approx(first[0], rel=1e-13)
        assert gradient == pytest.approx(first[1], rel=1e-13)
    report = program.report()
    assert report.executor == "native"
    assert set(report.seconds) == {"python", "machine", "native"}
    assert report.lanes == 50 * report.calls
    assert "lanes were run" in str(report)
    assert max(map(len, str(report).splitlines())) <= 80


def test_a_missing_extra_is_told_once_and_changes_nothing(monkeypatch):
    monkeypatch.setattr(scheduler, "WARM", 25)
    monkeypatch.setitem(scheduler.EXECUTORS, "machine", ".not_installed")
    scheduler._report.cache_clear()
    program, _ = perceptron()
    value = program.value(ROWS)
    with pytest.warns(UserWarning, match=r"pip install 'tinygrad-edu\[compiler\]'"):
        assert program.value(ROWS) == value
    assert program.value(ROWS) == value  # told once
    again, _ = perceptron()
    assert [again.value(ROWS) for _ in range(5)] == [value] * 5
    assert "not installed" in again.report().why or "not installed" in program.report().why
    with pytest.raises(MissingExtra, match="executor='python'"):
        perceptron(executor="machine")


def test_a_long_program_is_left_to_the_machine(monkeypatch):
    program, _ = soon_busy("machine", monkeypatch, LONG=5)
    program.value_and_grad(ROWS)
    assert program.report().executor == "machine"
    assert "too long for Python" in program.report().why


def no_thread(*_):
    raise RuntimeError("can't start new thread")


def test_where_no_thread_can_be_had_the_machine_goes_on(monkeypatch):
    program, np = soon_busy("machine", monkeypatch, WARM=100, HOT=500)
    rows = np.random.default_rng(0).normal(size=(2 * CHUNK + 1, 3))
    expected = program.value(rows)
    monkeypatch.setattr(threading.Thread, "start", no_thread)
    scheduler._pool.cache_clear()
    other, _ = perceptron()
    assert [other.value(rows) for _ in range(3)] == [expected] * 3
    assert other.report().executor == "machine"


AT_THE_END = """
import atexit
import numpy as np
import tinygrad_edu as tg
from tinygrad_edu.compiler import scheduler

def last_words():
    program = tg.compile(x * x, inputs=[x])
    for _ in range(3):
        print(program.value(ones), program.report().executor)

scheduler.WARM = scheduler.HOT = 10
x, ones = tg.Value(0.0), np.ones((10_000, 1))
atexit.register(last_words)
"""


def test_programs_answer_when_python_ends():
    """No thread can be had any more, and none would be waited for."""
    pytest.importorskip("llvmlite")
    command = [sys.executable, "-W", "error", "-c", AT_THE_END]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("1.0 machine\n" * 3, "")


def test_a_long_sum_is_a_long_program(monkeypatch):
    if "machine" not in EXECUTORS:
        pytest.skip("llvmlite is not installed")
    monkeypatch.setattr(scheduler, "LONG", 40)
    xs = [Value(0.0) for _ in range(200)]
    program = tg.compile(tg.sum(xs), inputs=xs)
    assert program.value([[0.5] * 200]) == 100.0
    assert program.report().executor == "machine"


@pytest.mark.parametrize("cores", [1, 2, 5])
@every_executor
def test_large_batches_do_not_depend_on_the_cores(executor, cores, monkeypatch):
    np = pytest.importorskip("numpy")
    program, _ = perceptron(executor=executor, reduce="sum")
    rows = np.random.default_rng(1).normal(size=(2 * CHUNK + 100, 3))
    monkeypatch.setattr(scheduler, "_cores", lambda: cores)
    scheduler._pool.cache_clear()
    value, gradient = program.value_and_grad(rows)
    parts = [
        program.value_and_grad(rows[start : start + CHUNK]) for start in range(0, len(rows), CHUNK)
    ]
    totals = [parts[0][0] + parts[1][0] + parts[2][0], *(parts[0][1] + parts[1][1] + parts[2][1])]
    assert same([value, *gradient], totals)
    each = program.values(rows)
    assert each.shape == (len(rows),)
    assert each.tolist() == [x for p in range(0, len(rows), CHUNK)
                             for x in program.values(rows[p : p + CHUNK]).tolist()]  # fmt: skip
    scheduler._pool().shutdown()
    scheduler._pool.cache_clear()


def test_chunks_are_added_in_their_order():
    x = Value(1.0)
    program = tg.compile(x * 1.0, inputs=[x], reduce="sum", executor="python")
    rows = [[0.0] for _ in range(3 * CHUNK)]
    rows[0], rows[CHUNK], rows[2 * CHUNK] = [1e16], [-1e16], [1.0]
    assert program.value(rows) == 1.0


def test_large_batches_of_lists(monkeypatch):
    program_of_arrays, _ = perceptron(executor="python")
    rows = [[0.001 * i, -0.002 * i, 0.5] for i in range(2 * CHUNK + 1)]
    expected = program_of_arrays.value_and_grad(rows)
    each = program_of_arrays.values(rows)
    without_numpy(monkeypatch)
    program_of_lists, _ = perceptron(executor="python")
    assert program_of_lists.value_and_grad(rows) == (expected[0], list(expected[1]))
    assert program_of_lists.values(rows) == list(each)


@every_executor
def test_eight_threads_at_once(executor):
    np = pytest.importorskip("numpy")
    program, _ = perceptron(executor=executor)
    batches = [np.random.default_rng(i).normal(size=(20 + i, 3)) for i in range(8)]
    expected = [program.value_and_grad(batch) for batch in batches]
    failures: list[Any] = []

    def work(i: int) -> None:
        for _ in range(100):
            value, gradient = program.value_and_grad(batches[i])
            if value != expected[i][0] or gradient.tolist() != expected[i][1].tolist():
                failures.append((i, value))

    threads.eight(work)
    assert not failures


def test_a_jitted_function_is_traced_once_by_eight_threads():
    f = tg.jit(tg.grad(lambda x: tg.sin(x) * x))
    barrier = threading.Barrier(8)
    found = []

    def work(_: int) -> None:
        barrier.wait()
        found.append(f(2.0))

    threads.eight(work)
    assert found == [found[0]] * 8
    assert f.traces == 1


def compile_and_drop(times: int) -> None:
    for _ in range(times):
        program, _ = perceptron()
        program.value_and_grad(ROWS)
        tg.jit(tg.grad(lambda x: x * x))(2.0)


def test_programs_leave_nothing_behind():
    compile_and_drop(3)
    gc.collect()
    before = len(gc.get_objects())
    compile_and_drop(20)
    gc.collect()
    assert abs(len(gc.get_objects()) - before) < 50


@pytest.mark.thorough
@every_executor
def test_ten_thousand_programs_keep_memory_flat(executor):
    resource = pytest.importorskip("resource")
    times = 10_000 if executor != "native" else 500  # each is compiled, which takes a while

    def cycle(count: int) -> int:
        for _ in range(count):
            program, _ = perceptron(executor=executor)
            program.value_and_grad(ROWS)
        gc.collect()
        return int(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)

    start = cycle(times // 10)
    assert cycle(times) - start < 10_000  # kB


# ── Source ────────────────────────────────────────────────────────────────────────────────


def test_the_source_reads_forward_then_backward():
    program, _ = perceptron()
    assert (
        program.source()
        == """\
from math import cosh, tanh


def run(lanes, shared):
    w1, w2, b = shared
    total = [-0.0 if lanes else 0.0] * 4
    for x1, x2, y in lanes:
        # forward
        v8 = w1 * x1
        v9 = w2 * x2
        v10 = v8 + v9
        v11 = v10 + b
        v12 = tanh(v11)
        v13 = v12 - y
        v14 = v13 * v13
        # backward
        v15 = 2.0 * v13
        v16 = cosh(v11)
        v17 = 1.0 / v16
        v18 = v17 * v17
        db = v15 * v18
        dw2 = db * x2
        dw1 = db * x1
        total[0] += v14
        total[1] += dw1
        total[2] += dw2
        total[3] += db
    return [], total, []
"""
    )


def test_the_source_runs_as_it_stands():
    program, parameters = perceptron(reduce="sum")
    space: dict[str, Any] = {}
    exec(program.source(), space)
    _, total, _ = space["run"](ROWS, [p.data for p in parameters])
    value, gradient = program.value_and_grad(ROWS)
    assert total == [value, *gradient]


def test_names_are_read_as_python_reads_them():
    x = Value(1.0, name="ﬁt")
    y = tg.exp(x)
    y.name = "e to the x"
    text = tg.compile(y, inputs=[x]).source()
    assert "for fit, in lanes" in text
    assert "e_to_the_x = exp(fit)  # e to the x" in text


HOSTILE = [
    "x", "x", "run", "lanes", "total", "lambda", "match", "_", "__import__", "exp", "v7", "v",
    "ŷ", "w₁", "ﬁ", "fi", "a\nimport os", "a\\", '"""', "a # b", "\ud800", "a\u2028b", "\x00", "é",
    "coding: latin-1", "\f", "total = None", "None", "名前", "𝐱", "1x", "", " ", "x_1", "nan",
]  # fmt: skip


@given(
    strategies.graphs(),
    st.lists(st.sampled_from(HOSTILE) | st.text(max_size=5), min_size=20, max_size=20),
)
def test_names_never_reach_the_source_as_code(graph, names):
    words = iter(names * 10)
    leaves = graph.leaves()
    with tg.scope(next(words) or "scope"):
        steps = graph.expression.trace(*leaves)
    for value in steps:
        value.name = next(words)
    program = tg.compile(steps[-1], inputs=leaves[:1], parameters=leaves[1:], reduce="sum")
    text = program.source()
    lines = len(text.splitlines())
    recording = program._recording
    plain = python.source(program.code, None, recording.scopes, recording.backward)
    assert lines == len(plain.splitlines())
    space: dict[str, Any] = {}
    exec(compile(text, "<test>", "exec"), space)
    try:
        _, total, once = space["run"]([list(graph.point[:1])], list(graph.point[1:]))
    except (ArithmeticError, ValueError):
        return
    found = program.value_and_grad([list(graph.point[:1])], list(graph.point[1:]))
    if not (total and once):
        assert same([found[0], *found[1]], total or once)


def test_long_programs_are_written_in_functions(monkeypatch):
    monkeypatch.setattr(python, "LONG", 5)
    monkeypatch.setattr(python, "BLOCK", 3)
    monkeypatch.setattr(python, "PATIENCE", 0)
    x, w = Value(0.5, name="x"), Value(2.0, name="w")
    with tg.scope("here"):
        loss = tg.sum([(w * x - 1.0) ** 2, tg.cbrt(w) * w**2])
    program = tg.compile(loss, inputs=[x], parameters=[w], reduce="sum", executor="python")
    assert "def inside_2(v):" in program.source()
    value, (slope,) = program.value_and_grad([[1.0], [2.0]])
    eager, by_w = tg.value_and_grad(
        lambda w: (w * 1.0 - 1.0) ** 2 + (w * 2.0 - 1.0) ** 2 + tg.cbrt(w) * w**2
    )(2.0)
    assert (value, slope) == pytest.approx((eager, by_w), rel=1e-14)


def test_it_is_also_a_c_function():
    text = perceptron()[0].c_source("perceptron")
    assert "void perceptron(long n" in text
    assert "tanh(" in text


# ── JSON ──────────────────────────────────────────────────────────────────────────────────


@given(strategies.graphs(), floats)
def test_programs_survive_a_round_trip(graph, captured):
    leaves = graph.leaves()
    other = Value(captured, name="other")
    loss = graph.expression(*leaves) * other + math.inf
    program = tg.compile(loss, inputs=leaves[:1], parameters=leaves[1:], reduce="sum")
    text = program.to_json()
    again = Program.from_json(text)
    assert again.to_json() == text
    assert again.source() == program.source()
    rows = [[x] for x in (graph.point[0], 2.0, captured)]
    results = [(y, *slopes) for y, slopes in (p.value_and_grad(rows) for p in (again, program))]
    assert same(*results)


def test_documents_of_the_first_version_are_read():
    later = ("single", "checksum")
    first = {key: x for key, x in document().items() if key not in later} | {"version": 1}
    text = json.dumps(first)
    assert Program.from_json(text).value_and_grad([[0.0]]) == (2.0, [0.5])


def test_a_read_program_has_parameters_of_its_own():
    program, parameters = perceptron()
    again = Program.from_json(program.to_json(), executor="python")
    assert [p.name for p in again.parameters] == ["w1", "w2", "b"]
    parameters[0].data = 100.0
    assert again.value(ROWS) != program.value(ROWS)
    again.parameters[0].data = 100.0
    assert again.value(ROWS) == program.value(ROWS)


def document() -> Any:
    x, w = Value(1.0, name="x"), Value(2.0, name="w")
    return json.loads(tg.compile(tg.exp(w * x) + 0.5 * w, inputs=[x], parameters=[w]).to_json())


DOCUMENT = json.dumps(document())
CHANGES: dict[str, Any] = {
    "no object": lambda d: [d],
    "a key too few": lambda d: {k: v for k, v in d.items() if k != "once"},
    "a key too many": lambda d: {**d, "code": "import os"},
    "another format": lambda d: {**d, "format": "pickle"},
    "a later version": lambda d: {**d, "version": 3},
    "version 1 with a checksum": lambda d: {**d, "version": 1},
    "another checksum": lambda d: {**d, "checksum": "sha256:0"},
    "true as version": lambda d: {**d, "version": True},
    "an unknown primitive": lambda d: {**d, "instructions": [["system", 0]]},
    "a primitive that is not a string": lambda d: {**d, "instructions": [[3, 0]]},
    "an empty instruction": lambda d: {**d, "instructions": [[]]},
    "a slot of a later instruction": lambda d: {**d, "instructions": [["exp", 10**6]]},
    "a negative slot": lambda d: {**d, "instructions": [["exp", -1]]},
    "a slot that is a float": lambda d: {**d, "instructions": [["exp", 0.0]]},
    "a slot that is true": lambda d: {**d, "instructions": [["exp", True]]},
    "a giant slot": lambda d: {**d, "instructions": [["exp", 10**400]]},
    "too many arguments": lambda d: {**d, "instructions": [["exp", 0, 0]]},
    "a giant constant": lambda d: {**d, "constants": [10**400]},
    "a constant that is a string": lambda d: {**d, "constants": ["1.0"]},
    "a constant that is true": lambda d: {**d, "constants": [True]},
    "too few constants": lambda d: {**d, "constants": []},
    "inputs that are counted": lambda d: {**d, "inputs": 10**9},
    "a parameter without data": lambda d: {**d, "parameters": [{"name": "w"}]},
    "a name that is none": lambda d: {**d, "inputs": [3]},
    "a result out of range": lambda d: {**d, "total": [999, 999]},
    "a total too few": lambda d: {**d, "total": d["total"][:1]},
    "results of every kind": lambda d: {**d, "each": [0]},
    "once what varies": lambda d: {**d, "once": d["total"]},
    "an unknown reduction": lambda d: {**d, "reduce": "median"},
    "a single sample elsewhere": lambda d: {**d, "once": [], "total": d["total"]},
    "a single sample with each": lambda d: {**d, "single": {**d["single"], "each": [0]}},
    "a single sample with a slot too few": lambda d: {**d, "single": {**d["single"], "total": [0]}},
    "a single sample with more": lambda d: {**d, "single": {**d["single"], "names": []}},
    "a single sample out of range": lambda d: {
        **d,
        "single": {**d["single"], "instructions": [["exp", 999]]},
    },
    "a single sample that is a list": lambda d: {**d, "single": []},
    "labels that are no pairs": lambda d: {**d, "names": [[0]]},
    "a label that is not a string": lambda d: {**d, "names": [[0, 1]]},
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_document_that_is_no_program(change):
    text = json.dumps(changed := CHANGES[change](document()))
    with pytest.raises(BadArgument):
        Program.from_json(text)
    if isinstance(changed, dict) and "checksum" not in change:  # nor one that was made on purpose
        with pytest.raises((BadArgument, NameUnknown)):
            Program.from_json(summed(changed))
    assert Program.from_json(json.dumps(document())).value([[0.0]]) == 2.0


@pytest.mark.parametrize(
    "text",
    [
        "", "null", "{", "NaN", "[" * 100_000, '{"a":' * 100_000, "\x00", "\ud800",
        json.dumps(document()).replace("0.5", "NaN"),
        json.dumps(document()).replace("0.5", "-Infinity"),
        json.dumps(document()).replace("0.5", "1e999"),
        json.dumps(document()).replace('"version": 2', '"version": 2, "version": 2'),
        json.dumps(document()).replace("0.5", "1" + "0" * 5000),
        b"{}", None,
    ],
)  # fmt: skip
def test_a_text_that_is_no_program(text):
    with pytest.raises(BadArgument):
        Program.from_json(text)


def summed(parts: dict[str, Any]) -> str:
    """The document with a checksum of its own, as who changes it on purpose may compute it."""
    return json.dumps({**parts, "checksum": checksum(parts)})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
    | st.sampled_from(["exp", "nan", "add", 0, 1, 2, -1]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=8,
)  # fmt: skip


@given(st.sampled_from(sorted(document())), JSON)
def test_a_document_with_anything_in_one_place_is_a_program_or_refused(key, anything):
    try:
        text = summed({**document(), key: anything})
    except ValueError:  # nan, which JSON does not have
        return
    try:
        program = Program.from_json(text, executor="python")
    except (BadArgument, NameUnknown):
        return
    width = len(program.inputs)
    if program.code.each:
        program.values([[1.0] * width])
    elif program.code.total or program.code.once:
        program.value_and_grad([[1.0] * width])
    program.source()


@given(st.data())
def test_a_damaged_document_is_refused(data):
    """A digit that became another digit, or any bit: never another program without a word."""
    text = DOCUMENT.encode()
    changed, damage = bytearray(text), data.draw(st.sampled_from(["bit", "digit", "cut"]))
    at = data.draw(st.integers(0, len(text) - 1))
    if damage == "bit":
        changed[at] ^= 1 << data.draw(st.integers(0, 7))
    elif damage == "digit":
        places = [i for i, byte in enumerate(text) if chr(byte).isdigit()]
        at = places[at % len(places)]
        changed[at] = ord("0") + (changed[at] - ord("0") + data.draw(st.integers(1, 9))) % 10
    else:
        del changed[at:]
    try:
        same_parts = json.loads(changed) == json.loads(text)  # a space became a tab
    except ValueError:
        same_parts = False
    if not same_parts:
        with pytest.raises(BadArgument):
            Program.from_json(bytes(changed).decode(errors="surrogateescape"))


@given(st.text(max_size=30))
def test_no_text_does_harm(text):
    with pytest.raises(BadArgument):
        Program.from_json(text)


@every_executor
def test_copies_of_a_program(executor):
    """They read Values that are copied with them, such as the parameters of a model."""
    program = regularised(executor)
    (w,) = program.parameters
    model = {"w": w, "program": program}
    expected = program.value_and_grad([[1.0, 2.0]])
    for copied in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert copied["program"].parameters == (copied["w"],)
        assert copied["program"].parameters[0] is copied["w"]
        assert copied["program"].value_and_grad([[1.0, 2.0]]) == expected
        assert copied["program"].value_and_grad([[1.0, 2.0]] * 2) == expected
        copied["w"].data = 7.0
        assert copied["program"].value([[1.0, 2.0]]) != expected[0]
        assert copied["program"].report().executor == program.report().executor
    assert program.value_and_grad([[1.0, 2.0]]) == expected
    assert copy.copy(program).parameters[0] is w


def test_the_report_tells_of_single_samples_too():
    program = regularised("python")
    for _ in range(3):
        program.value_and_grad([[1.0, 2.0]])
    assert (program.report().calls, program.report().lanes) == (3, 3)
    program.value_and_grad([[1.0, 2.0]] * 5)
    assert (program.report().calls, program.report().lanes) == (1, 5)


def test_a_list_that_has_grown_has_no_place_for_the_gradient():
    program = regularised("python")
    out = [0.0]
    program.value_and_grad([[1.0, 2.0]], out=out)
    out.append(5.0)
    with pytest.raises(BadArgument, match="one number per parameter"):
        program.value_and_grad([[1.0, 2.0]], out=out)
    assert len(out) == 2


def regularised(executor):
    x, y, w = (Value(data, name=name) for data, name in ((0.0, "x"), (0.0, "y"), (3.0, "w")))
    loss = (w * x - y) ** 2 + 0.1 * w**2
    return tg.compile(loss, inputs=[x, y], parameters=[w], executor=executor)


def test_a_runner_says_what_it_runs():
    runner = Runner(Code(1, 0, (), ("square",), ((0,),), total=(1,)), "python")
    assert (runner.executor, runner.why) == ("python", "it was asked for")
    assert repr(perceptron()[0]) == "<Program of 14 instructions, 3 inputs, 3 parameters>"


# ── Memory that is used again ─────────────────────────────────────────────────────────────


@every_executor
def test_a_theta_that_is_known_is_read_anew_at_every_call(executor):
    np = pytest.importorskip("numpy")
    program, _ = perceptron(executor=executor)
    rows, theta = np.array(ROWS), np.array([1.0, 2.0, 3.0])
    first, slopes = program.value_and_grad(rows, theta)
    kept = slopes.copy()
    theta *= 0.5
    half = program.value_and_grad(rows, theta)
    assert half[0] == program.value(ROWS, [0.5, 1.0, 1.5]) != first
    assert half[1].tolist() == program.value_and_grad(ROWS, [0.5, 1.0, 1.5])[1].tolist()
    assert slopes.tolist() == kept.tolist() != half[1].tolist()  # nobody writes to it later
    other = np.array([1.0, 2.0, 3.0])
    other.flags.writeable = False
    for again in (other, theta, other[::-1][::-1], other, theta):
        expected = half[0] if again is theta else first
        assert program.value_and_grad(rows, again)[0] == expected
    with pytest.raises(ValueError, match="resize"):
        theta.resize(100_000)


@every_executor
def test_an_array_that_is_known_may_be_changed_in_every_way(executor):
    np = pytest.importorskip("numpy")
    program, _ = perceptron(executor=executor)
    rows, theta = np.array(ROWS * 3), np.array([1.0, 2.0, 3.0])
    expected = program.value(rows, theta)
    assert program.value(rows, theta) == expected
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of NumPy, some day
        rows.shape, theta.shape = (rows.size,), (3, 1)
    assert program.value(rows, theta) == expected
    rows *= 2.0
    assert program.value(rows, theta) == program.value(rows.reshape(-1, 3), [1.0, 2.0, 3.0])
    large = np.zeros((SMALL // 24 + 1, 3))
    alive = weakref.ref(large)
    program.value(large, [1.0, 2.0, 3.0])
    del large
    assert alive() is None  # nothing large is held on to


def test_where_the_gradient_has_no_place():
    np = pytest.importorskip("numpy")
    program, _ = perceptron(executor="python")
    read_only = np.zeros(3)
    read_only.flags.writeable = False
    wrong = [
        np.zeros(2),
        np.zeros(4),
        np.zeros((3, 1)),
        np.zeros(3, int),
        read_only,
        [0.0],
        (),
        1.0,
    ]
    for out in wrong:
        with pytest.raises(BadArgument, match=r"^out must be .* per parameter, 3\. Received: "):
            program.value_and_grad(ROWS, out=out)
    expected = program.value_and_grad(ROWS)[1].tolist()
    for out in ([0.0] * 3, np.zeros(3), np.zeros(6)[::2]):
        assert program.value_and_grad(ROWS, out=out)[1] is out
        assert list(out) == expected


def test_numbers_of_captured_values_are_read_at_every_call():
    x, w, rate = Value(0.0), Value(2.0), Value(10.0)
    program = tg.compile(x * rate, inputs=[x])
    for theta in (None, (), [], ()):
        rate.data += 1.0
        assert program.value([[2.0]], theta) == 2.0 * rate.data
    both = tg.compile(x * w * rate, inputs=[x], parameters=[w])
    np = pytest.importorskip("numpy")
    theta = np.array([3.0])
    for number in (1.0, 5.0):
        rate.data = number
        assert both.value([[2.0]], theta) == 6.0 * number


@pytest.mark.parametrize("wanted", ["value", "value_and_grad"])
def test_results_of_the_slower_executor_are_not_used_by_the_faster_one(wanted, monkeypatch):
    pytest.importorskip("llvmlite")
    program, _ = perceptron()
    monkeypatch.setattr(scheduler, "WARM", 100)
    call, seen = getattr(program, wanted), []
    expected = getattr(perceptron(executor="python")[0], wanted)(ROWS)
    for _ in range(40):
        found = call(ROWS)
        assert repr(found) == repr(expected)
        runner = program._runner("all" if wanted == "value_and_grad" else "value")
        seen.append(runner.executor)
        assert runner._thread.results.kernel is runner.kernels[0]
    assert (seen[0], seen[-1]) == ("python", "machine")
