"""Blocks end where they end: in every thread, task, generator and decorator, in any order.

And what a derivative or a trace is taken by is seen on the Values, in whatever thread they are.
"""

from __future__ import annotations

import asyncio
import contextvars
import functools
import gc
import os
import signal
import sys
import threading
import tracemalloc
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from interrupts import interrupted

import tinygrad_edu as tg
from tinygrad_edu import Value, blocks
from tinygrad_edu.blocks import MODE, Mode
from tinygrad_edu.errors import Anomaly, NotANumber, TracingError
from tinygrad_edu.locks import Locked


def _checks() -> bool:
    try:
        tg.log(Value(0.0))
    except Anomaly:
        return True
    return False


# Each mode, and how its presence is seen.
MODES: dict[str, tuple[Callable[[], Any], Callable[[], bool]]] = {
    "no_grad": (tg.no_grad, lambda: (Value(1.0) * 2.0).op is None),
    "scope": (lambda: tg.scope("s"), lambda: (Value(1.0).scope or "").endswith("s")),
    "detect_anomaly": (tg.detect_anomaly, _checks),
}


def _function(mode: Any, seen: Callable[[], bool]) -> list[bool]:
    @mode
    def f() -> bool:
        return seen()

    return [f(), f(), not seen()]


def _method(mode: Any, seen: Callable[[], bool]) -> list[bool]:
    class A:
        @mode
        def f(self) -> bool:
            return seen()

    return [A().f(), not seen()]


def _recursive(mode: Any, seen: Callable[[], bool]) -> list[bool]:
    @mode
    def f(depth: int) -> list[bool]:
        return [seen(), *(f(depth - 1) if depth else [])]

    return [*f(3), not seen()]


def _generator(mode: Any, seen: Callable[[], bool]) -> list[bool]:
    @mode
    def f() -> Any:
        got = yield seen()
        try:
            yield seen() and got == "sent"
        except KeyError:
            yield seen()
        return seen()

    steps, answers = f(), [not seen()]
    answers += [next(steps), not seen()]
    answers += [steps.send("sent"), not seen()]
    answers += [steps.throw(KeyError()), not seen()]
    with pytest.raises(StopIteration) as stop:
        next(steps)
    closed = f()
    next(closed)
    closed.close()
    return [*answers, stop.value.value, not seen()]


def _coroutine(mode: Any, seen: Callable[[], bool]) -> list[bool]:
    @mode
    async def f() -> list[bool]:
        before = seen()
        await asyncio.sleep(0)
        return [before, seen()]

    async def main() -> list[bool]:
        one, two = asyncio.create_task(f()), asyncio.create_task(f())
        await asyncio.sleep(0)
        return [not seen(), *(await one), not seen(), *(await two), *(await f()), not seen()]

    return asyncio.run(main())


def _async_generator(mode: Any, seen: Callable[[], bool]) -> list[bool]:
    @mode
    async def f() -> Any:
        yield seen()
        await asyncio.sleep(0)
        yield seen()

    async def main() -> list[bool]:
        answers = []
        async for answer in f():
            answers += [answer, not seen()]
        return answers

    return asyncio.run(main())


class _Callable:
    def __init__(self, f: Any) -> None:
        self.f = f

    def __call__(self) -> Any:
        return self.f()

    method = __call__


def _logged(f: Any) -> Any:
    """Another decorator, whose wrapper is a plain function."""

    @functools.wraps(f)
    def logged() -> Any:
        return f()

    return logged


# Callables that return a generator or a coroutine without being one's function.
DISGUISES: list[Callable[[Any], Any]] = [
    functools.partial, _Callable, lambda f: _Callable(f).method, _logged, staticmethod,
    lambda f: lambda: f(),
]  # fmt: skip


def _disguised(mode: Any, seen: Callable[[], bool]) -> list[bool]:
    def generator() -> Any:
        yield seen()
        yield seen()
        return seen()

    async def coroutine() -> bool:
        await asyncio.sleep(0)
        return seen()

    async def async_generator() -> Any:
        yield seen()
        await asyncio.sleep(0)
        yield seen()

    answers = []
    for disguise in DISGUISES:
        f = mode(disguise(generator))
        for answer in f():
            answers += [answer, not seen()]

        async def main(disguise: Any = disguise) -> list[bool]:
            task = asyncio.create_task(mode(disguise(coroutine))())
            found = [await task, await mode(disguise(coroutine))(), not seen()]
            async for answer in mode(disguise(async_generator))():
                found += [answer, not seen()]
            return found

        answers += asyncio.run(main())
    answers += list(mode(lambda: (seen() for _ in range(2)))())
    return [*answers, not seen()]


def _inherited_by_a_task(mode: Any, seen: Callable[[], bool]) -> list[bool]:
    async def child(after: asyncio.Event) -> bool:
        await after.wait()
        return seen()

    async def main() -> list[bool]:
        after = asyncio.Event()
        with mode:
            task = asyncio.create_task(child(after))
            await asyncio.sleep(0)
        after.set()  # the block is left here; the task has its copy
        return [await task, not seen()]

    return asyncio.run(main())


def _not_inherited_by_a_thread(mode: Any, seen: Callable[[], bool]) -> list[bool]:
    with mode, ThreadPoolExecutor(1) as pool:
        return [not pool.submit(seen).result(), seen()]


def _one_object_in_many_threads(mode: Any, seen: Callable[[], bool]) -> list[bool]:
    def work(_: int) -> bool:
        with mode:
            inside = seen()
        return inside and not seen()

    with ThreadPoolExecutor(4) as pool:
        return list(pool.map(work, range(40)))


WAYS = [
    _function, _method, _recursive, _generator, _coroutine, _async_generator,
    _disguised, _inherited_by_a_task, _not_inherited_by_a_thread, _one_object_in_many_threads,
]  # fmt: skip


@pytest.mark.parametrize("way", WAYS, ids=lambda f: f.__name__.strip("_"))
@pytest.mark.parametrize("name", MODES)
def test_a_mode_holds_inside_and_not_outside(name, way):
    make, seen = MODES[name]
    assert all(way(make(), seen))
    with ThreadPoolExecutor(4) as pool:
        mode = make()  # one object, used by several threads at once
        assert all(all(answers) for answers in pool.map(lambda _: way(mode, seen), range(8)))


@pytest.mark.parametrize("name", MODES)
@pytest.mark.parametrize("f", [classmethod(lambda cls: 0), property(lambda self: 0), _Callable, 3])
def test_a_mode_decorates_no_other_things(name, f):
    with pytest.raises(NotANumber, match="@classmethod and @property above"):
        MODES[name][0]()(f)


# ── Left late ─────────────────────────────────────────────────────────────────────────────


def _held(mode: Any) -> Any:
    with mode:
        yield
        yield


def _close(steps: Any) -> None:
    steps.close()


def _close_in_a_thread(steps: Any) -> None:
    thread = threading.Thread(target=steps.close)
    thread.start()
    thread.join()


def _close_in_a_task(steps: Any) -> None:
    async def close() -> None:
        steps.close()

    async def main() -> None:
        await asyncio.create_task(close())

    asyncio.run(main())


def _close_in_a_copy(steps: Any) -> None:
    contextvars.copy_context().run(steps.close)


CLOSERS = [_close, _close_in_a_thread, _close_in_a_task, _close_in_a_copy]


@pytest.mark.parametrize("close", CLOSERS, ids=lambda f: f.__name__.strip("_"))
@pytest.mark.parametrize("around", [None, *MODES])
@pytest.mark.parametrize("name", MODES)
def test_a_block_that_is_left_late_takes_only_itself_away(name, around, close):
    make, seen = MODES[name]
    steps = _held(make())
    if around is None or around == name:
        next(steps)
        assert seen()
        close(steps)
        assert not seen()
        return
    outer, outer_seen = MODES[around]
    with outer():
        next(steps)
        assert outer_seen()
    assert not outer_seen()  # left before the one inside it
    close(steps)
    assert not seen()
    assert not outer_seen()
    now = MODE.get()
    assert (now.outer if now.ended else now).outer is None


@given(st.lists(st.integers(0, 5), max_size=24))
def test_blocks_left_in_any_order(moves):
    """Each move opens a scope, or leaves it if it is open; a list is the model."""
    blocks = [tg.scope(f"s{i}") for i in range(6)]
    contextvars.Context().run(_moved, blocks, moves)


def _moved(blocks: list[Any], moves: list[int]) -> None:
    model: list[int] = []
    for i in moves:
        if i in model:
            blocks[i].__exit__()
            model.remove(i)
        else:
            blocks[i].__enter__()
            model.append(i)
        assert Value(0.0).scope == ("/".join(f"s{i}" for i in model) or None)
    for i in list(model):
        blocks[i].__exit__()
    assert Value(0.0).scope is None


def test_a_block_left_late_ends_in_copies_whose_inner_blocks_were_left_in_time():
    late, inner, later = tg.no_grad(), tg.scope("inner"), tg.scope("later")
    late.__enter__()
    inner.__enter__()
    copied = contextvars.copy_context()  # as for a task
    inner.__exit__()
    later.__enter__()
    late.__exit__()
    assert not copied.run(MODES["no_grad"][1])
    assert copied.run(lambda: Value(0.0).scope) == "inner"
    later.__exit__()


def test_a_block_left_in_time_stays_in_copies_after_one_within_it_was_left_late():
    outer, steps = tg.scope("outer"), _held(tg.no_grad())
    outer.__enter__()
    next(steps)
    _close_in_a_thread(steps)
    copied = contextvars.copy_context()
    outer.__exit__()
    assert Value(0.0).scope is None
    assert copied.run(lambda: Value(0.0).scope) == "outer"


def test_a_generator_with_an_open_scope_in_a_traced_function():
    def rows(x: Any) -> Any:
        with tg.scope("row"):
            for k in (1.0, 2.0):
                yield x * k

    kept = []

    @tg.jit
    def f(x: Any) -> Any:
        kept.append(rows(x))
        return next(kept[0])

    g = tg.grad(f)
    assert f(3.0) == 3.0
    kept.clear()
    gc.collect()
    assert Value(1.0).data == 1.0
    assert g(3.0) == 1.0
    assert tg.grad(lambda x: x * x)(3.0) == 6.0
    kept.clear()
    assert Value(1.0).scope is None


# ── Derivatives and traces in other threads ───────────────────────────────────────────────

TRANSFORMS: dict[str, Callable[[Callable[..., Any], Any], Any]] = {
    "grad": lambda f, x: tg.grad(f)(x),
    "value_and_grad": lambda f, x: tg.sum(tg.ravel(tg.value_and_grad(f)(x))[0]),
    "vjp": lambda f, x: tg.vjp(f, x)[1](1.0)[0],
    "jvp": lambda f, x: tg.jvp(f, (x,), (1.0,))[1],
    "jacobian forward": lambda f, x: tg.jacobian(f, mode="forward")(x),
    "jacobian": lambda f, x: tg.jacobian(f, mode="reverse")(x),
    "hessian": lambda f, x: tg.hessian(f)(x),
    "hvp": lambda f, x: tg.hvp(f, (x,), (1.0,))[0],
    "jit": lambda f, x: tg.jit(f)(x),
    "vmap": lambda f, x: tg.vmap(f)([x])[0],
    "jit of vmap": lambda f, x: tg.jit(tg.vmap(f))([x])[0],
    "jit of grad": lambda f, x: tg.jit(tg.grad(f))(x),
    "grad of jit": lambda f, x: tg.grad(tg.jit(f))(x),
}


def _here(work: Callable[[], Any]) -> Any:
    return work()


def _in_a_thread(work: Callable[[], Any]) -> Any:
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(work).result()


def _in_a_task(work: Callable[[], Any]) -> Any:
    async def main() -> Any:
        return await asyncio.to_thread(work)

    return asyncio.run(main())


def _in_a_generator(work: Callable[[], Any]) -> Any:
    def steps() -> Any:
        yield work()

    return next(steps())


@pytest.mark.parametrize("where", [_in_a_thread, _in_a_task, _in_a_generator])
@pytest.mark.parametrize("inner", TRANSFORMS)
@pytest.mark.parametrize("outer", TRANSFORMS)
@pytest.mark.filterwarnings("error")
def test_an_inner_transform_somewhere_else(outer, inner, where):
    def through(place: Callable[[Callable[[], Any]], Any]) -> Any:
        def f(w: Any) -> Any:
            return place(lambda: TRANSFORMS[inner](lambda z: z * z * z * w * w, 2.0)) * w

        return TRANSFORMS[outer](f, 3.0)

    expected = through(_here)
    try:
        answer = through(where)
    except TracingError as error:
        answer, remedy = expected, str(error)
        assert "tg." in remedy or "Return" in remedy
    assert float(getattr(answer, "data", answer)) == pytest.approx(float(expected), rel=1e-12)


@pytest.mark.parametrize("outer", TRANSFORMS)
def test_an_inner_transform_by_hand(outer):
    """d/dw of w·(d/dz z²w at 2) and its kin, known without the engine."""
    known = {"grad": 8.0 * 3.0, "jvp": 24.0, "hessian": 8.0, "jit": 36.0, "vmap": 36.0}

    def f(w: Any) -> Any:
        return _in_a_thread(lambda: tg.grad(lambda z: z * z * w)(2.0)) * w

    if outer in known:
        assert TRANSFORMS[outer](f, 3.0) == known[outer]


READS: dict[str, Callable[[Any], Any]] = {
    "data": lambda v: v.data, "grad": lambda v: v.grad, "if": lambda v: 1.0 if v > 0.0 else 2.0,
    "bool": bool, "float": float, "format": lambda v: f"{v:.2f}",
    "backward": lambda v: (v * v).backward(), "snapshot": tg.snapshot,
    "set": lambda v: setattr(v, "data", 1.0), "if from the left": lambda v: 1.0 if v > 0.0 else 2.0,
    "beside a Value": lambda v: 1.0 if Value(0.0) < v else 2.0,
    "in a product": lambda v: (Value(2.0) * v).data,
    "in a row": lambda v: tg.where(1.0, v, 0.0).data,
}  # fmt: skip


@pytest.mark.parametrize("name", READS)
def test_a_traced_value_is_not_read_in_another_thread(name):
    f = tg.jit(lambda x: x * (_in_a_thread(lambda: READS[name](x)) or 1.0))
    with pytest.raises(TypeError, match=r"traced|v\.data|tg\."):
        f(2.0)


def test_a_traced_value_that_was_kept():
    kept = []
    f = tg.jit(lambda x: (kept.append(x * 2.0), x + 1.0)[1])
    assert f(1.0) == 2.0
    for use in (*READS.values(), lambda v: v + 1.0, lambda v: 1.0 + v, lambda v: Value(1.0) * v,
                tg.exp, lambda v: tg.jit(lambda x: x * v)(1.0), lambda v: tg.jit(lambda x: v)(1.0),
                lambda v: tg.grad(lambda x: x * v)(1.0)):  # fmt: skip
        with pytest.raises(TypeError, match=r"Return the Value|v\.data"):
            use(kept[0])
    assert f(5.0) == 6.0


@pytest.mark.parametrize("threads", [2, 4])
def test_backward_from_threads_is_exact(threads):
    leaves = [Value(1.0) for _ in range(400)]

    def work() -> None:
        for _ in range(20):
            tg.sum([leaf * 2.0 * 1.0 for leaf in leaves]).backward()

    workers = [threading.Thread(target=work) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert {leaf.grad for leaf in leaves} == {2.0 * 20 * threads}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_process_forked_during_a_sweep_can_sweep():
    leaves = [Value(1.0) for _ in range(3000)]
    stop = threading.Event()

    def work() -> None:
        while not stop.is_set():
            tg.sum([leaf * 2.0 for leaf in leaves]).backward()

    worker = threading.Thread(target=work)
    worker.start()
    try:
        for _ in range(5):
            child = os.fork()
            if not child:
                signal.alarm(20)  # a child that waits for ever is killed
                x = Value(3.0)
                (x * x).backward()
                os._exit(0 if x.grad == 6.0 else 1)
            assert os.waitpid(child, 0)[1] == 0
    finally:
        stop.set()
        worker.join()


def test_detect_anomaly_keeps_nothing_of_what_is_gone():
    w = Value(1.0)

    def steps() -> int:
        tracemalloc.start()
        for _ in range(3000):
            ((w * 2.0 - 1.0) ** 2).backward()
        grown, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return grown

    with tg.detect_anomaly():
        steps()  # Python keeps some memory for tuples of its own
        assert steps() < 20_000


# ── Ctrl-C ────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("entered", [tg.no_grad, lambda: tg.scope("a")], ids=["no_grad", "scope"])
def test_an_interrupt_while_a_block_is_entered_or_left_leaves_it_closed(entered: Any):
    """At any line but where `__exit__` begins, before any Python code can catch it."""

    def work() -> None:
        with tg.scope("around"), entered():
            pass

    def closed(line: int) -> bool | None:
        """In a context of its own; None if there are not so many lines."""
        if not interrupted(work, line, blocks):
            return None
        return blocks._innermost().outer is None

    results = []
    while (result := contextvars.Context().run(closed, len(results) + 1)) is not None:
        results.append(result)
    assert len(results) > 60
    assert results.count(False) <= 4  # where both `__exit__` begin


def test_no_python_code_runs_when_a_block_or_an_object_with_a_lock_is_forgotten():
    """An interrupt would be raised there, and Python ignores what a weakref's callback raises."""
    called: list[str] = []
    forgotten: list[Any] = [Mode(MODE.get(), None), Locked()]
    sys.setprofile(lambda frame, event, arg: called.append(event) if event == "call" else None)
    try:
        forgotten.clear()
    finally:
        sys.setprofile(None)
    assert not called
