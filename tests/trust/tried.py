"""Random programs, damaged files, interrupts, kills and threads: how many were tried, what failed.

Every campaign draws its cases with a fixed seed, and says which results are right;
anything else is a failure.
"""

from __future__ import annotations

import contextlib
import gc
import io
import json
import random
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import tinygrad_edu as tg
from tests import naive
from tests.naive import Dual
from tinygrad_edu import Value, keras
from tinygrad_edu.command import cli
from tinygrad_edu.compiler.scheduler import EXECUTORS
from tinygrad_edu.errors import TinygradError
from tinygrad_edu.keras.saving import load_model

from .graphs import Step, expression, recorded, run, size

Failures = Iterator[str]


class Campaign(NamedTuple):
    """A kind of trial, how often, and a generator that yields one line for each failure."""

    what: str
    expected: str
    count: int
    run: Callable[[int, random.Random], Failures]


# ── Programs ──────────────────────────────────────────────────────────────────────────────


def case(rng: random.Random) -> tuple[list[float], list[Step], list[Value], Value]:
    start, steps = expression(rng)
    leaves = [Value(x) for x in start]
    return start, steps, leaves, run(recorded, steps, leaves)


def gradients(count: int, rng: random.Random) -> Failures:
    """backward() against pairs of value and slope, pushed forward with other formulas."""
    for _ in range(count):
        start, steps, leaves, root = case(rng)
        root.backward()
        for i, leaf in enumerate(leaves):
            dual = run(naive.apply, steps, [Dual(x, float(i == j)) for j, x in enumerate(start)])
            if not abs(dual.slope - leaf.grad) <= 1e-13 * size(root):
                yield f"{steps} at {start}: {leaf.grad} by {i}, {dual.slope} expected"


def second(count: int, rng: random.Random) -> Failures:
    """The Hessian against the forward derivative of the gradient."""
    for _ in range(count):
        start, steps, _, root = case(rng)

        def f(*xs: Any) -> Any:
            return run(recorded, steps, list(xs))  # noqa: B023

        every = tuple(range(len(start)))
        hessian = tg.hessian(f, argnums=every)(*start)
        for i in every:
            unit = [float(i == j) for j in every]
            _, row = tg.jvp(tg.grad(f, argnums=every), start, unit)
            bound = 1e-11 * (1.0 + size(root)) ** 2
            if any(abs(hessian[j][i] - row[j]) > bound for j in every):
                yield f"{steps} at {start}: {hessian} and {row}"


def replays(executor: str) -> Callable[[int, random.Random], Failures]:
    """A program, replayed over a batch, against the same expression recorded anew."""

    def run_all(count: int, rng: random.Random) -> Failures:
        for _ in range(count):
            start, steps, leaves, root = case(rng)
            program = tg.compile(
                root, inputs=[], parameters=leaves, reduce="sum", executor=executor
            )
            for _ in range(4):
                near = [x + rng.uniform(-1e-3, 1e-3) for x in start]
                fresh = [Value(x) for x in near]
                y = run(recorded, steps, fresh)
                y.backward()
                value, slopes = program.value_and_grad([[]], near)
                bound = 1e-13 * size(y)
                got = [value, *map(float, slopes)]
                want = [y.data, *(leaf.grad for leaf in fresh)]
                if any(not abs(a - b) <= bound for a, b in zip(got, want)):
                    yield f"{steps} at {near}: {got}, {want} expected"

    return run_all


# ── Files ─────────────────────────────────────────────────────────────────────────────────


def damaged(content: bytes, rng: random.Random) -> bytes:
    """One to three bits flipped, or bytes cut off, doubled, or replaced."""
    data = bytearray(content)
    kind = rng.choice(("bits", "bits", "cut", "double", "bytes"))
    at = rng.randrange(len(data))
    if kind == "cut":
        return bytes(data[:at])
    if kind == "double":
        return bytes(data[:at] + data[at // 2 :])
    for _ in range(rng.randint(1, 3)):
        at = rng.randrange(len(data))
        data[at] = data[at] ^ (1 << rng.randrange(8)) if kind == "bits" else rng.randrange(256)
    return bytes(data)


def small_model() -> Any:
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [keras.layers.Dense(3, "tanh", input_shape=[2]), keras.layers.Dense(1)]
    )
    model.compile("adam", "mse")
    model.fit([[0.0, 1.0], [1.0, 2.0]], [1.0, 2.0], epochs=2, verbose=0)
    return model


def same_document(a: bytes, b: bytes) -> bool:
    try:
        return bool(json.loads(a) == json.loads(b))
    except ValueError:
        return False


def models(count: int, rng: random.Random) -> Failures:
    model = small_model()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.json")
        model.save(path)
        content = path.read_bytes()
        for _ in range(count):
            changed = damaged(content, rng)
            path.write_bytes(changed)
            try:
                again = load_model(path)
            except TinygradError:
                continue
            except Exception as error:
                yield f"{type(error).__name__}: {error}"
                continue
            if not same_document(changed, content):
                yield f"loaded a damaged file: {again.get_weights()}"


def programs(count: int, rng: random.Random) -> Failures:
    x, w = Value(2.0, name="x"), Value(0.5, name="w")
    saved = tg.compile(tg.tanh(w * x + 1.0) ** 2, inputs=[x], parameters=[w]).to_json().encode()
    for _ in range(count):
        changed = damaged(saved, rng)
        try:
            tg.Program.from_json(changed.decode(errors="surrogateescape"))
        except TinygradError:
            continue
        except Exception as error:
            yield f"{type(error).__name__}: {error}"
            continue
        if not same_document(changed, saved):
            yield f"read a damaged program: {changed!r}"


def tables(count: int, rng: random.Random) -> Failures:
    content = "flats,price\n" + "".join(f"{n},{n}0000\n" for n in range(1, 8))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "table.csv")
        for _ in range(count):
            path.write_bytes(damaged(content.encode(), rng))
            printed = io.StringIO()
            command = ["train", str(path), "--target", "price", "--epochs", "2"]
            try:
                with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
                    cli.main(command)
            except SystemExit as end:
                if end.code not in (1, 2):
                    yield f"exit code {end.code}"
            except Exception as error:
                yield f"{type(error).__name__}: {error}"
            if "Traceback" in printed.getvalue():
                yield printed.getvalue()


# ── Interrupts, kills, threads ────────────────────────────────────────────────────────────


def interrupts(count: int, rng: random.Random) -> Failures:
    """Ctrl-C at any moment of a training: the model has whole epochs, and can go on."""
    xs, ys = [float(i) for i in range(10)], [2.0 * i for i in range(10)]

    def made() -> Any:
        keras.utils.set_random_seed(3)
        model = keras.Sequential([keras.layers.Dense(1, input_shape=[1])])
        model.compile(keras.optimizers.SGD(0.001, momentum=0.5), "mse")
        return model

    every = []  # a model that is dropped may swallow an interrupt, as Python's finalisers do
    for _ in range(count):
        model, wait = made(), rng.uniform(0.0, 0.03)
        every.append(model)

        def strike(logs: Any, wait: float = wait) -> None:
            signal.setitimer(signal.ITIMER_REAL, wait + 1e-4, 5.0)  # again, if it was swallowed

        before = signal.signal(signal.SIGALRM, signal.default_int_handler)
        listeners, gc.callbacks[:] = gc.callbacks[:], []  # Python drops what is raised in them
        try:
            model.fit(
                xs, ys, epochs=10**9, batch_size=3, verbose=0, shuffle=False,
                callbacks=[keras.callbacks.LambdaCallback(on_train_begin=strike)],
            )  # fmt: skip
        except KeyboardInterrupt:
            pass
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0.0)
            signal.signal(signal.SIGALRM, before)
            gc.callbacks[:] = listeners
        epochs = len(model.history.history.get("loss", []))
        steps = model.optimizer.iterations
        if steps != 4 * epochs:
            yield f"{steps} steps in {epochs} epochs"
            continue
        again = made()
        if epochs:
            again.fit(xs, ys, epochs=epochs, batch_size=3, verbose=0, shuffle=False)
        if again.get_weights() != model.get_weights():
            yield f"after {epochs} epochs: {model.get_weights()}, not {again.get_weights()}"


def kills(count: int, rng: random.Random) -> Failures:
    """A process that saves one model after another is killed: the file is one of them."""
    from tests.test_keras_saving import KILLING

    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-c", KILLING, str(Path(folder, "m.json")), str(count)]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            yield done.stderr


def in_threads(work: Callable[[int], object]) -> list[str]:
    """Run work(0) to work(7) at once; the errors."""
    errors: list[str] = []

    def caught(i: int) -> None:
        try:
            work(i)
        except BaseException as error:
            errors.append(f"{type(error).__name__}: {error}")

    every = [threading.Thread(target=caught, args=(i,)) for i in range(8)]
    for thread in every:
        thread.start()
    for thread in every:
        thread.join()
    return errors


def threads(count: int, rng: random.Random) -> Failures:
    """Eight threads on the same leaves, the same program and the same model."""
    model = small_model()
    for _ in range(count):
        x, before = Value(float(rng.randrange(1, 9))), model.optimizer.iterations
        square = tg.compile(x * x, inputs=[x])
        answer = model.predict([[1.0, 2.0]])
        results: list[Any] = []

        def work(i: int) -> None:
            (x * float(i)).backward()  # noqa: B023
            results.append((square.value([[float(i)]]), float(i * i)))  # noqa: B023
            results.append((model.predict([[1.0, 2.0]]), answer))  # noqa: B023

        errors = in_threads(work)
        errors += in_threads(lambda _: model.train_on_batch([[0.0, 1.0]], [1.0]))
        errors += [f"{got}, {want} expected" for got, want in results if got != want]
        if errors or x.grad != 28.0 or model.optimizer.iterations != before + 8:
            yield f"{errors}, {x.grad}, {model.optimizer.iterations - before} steps"


# ── The chapter ───────────────────────────────────────────────────────────────────────────

CAMPAIGNS = [
    Campaign("random programs, all gradients", "as by a second engine", 10_000, gradients),
    Campaign("random programs, Hessians", "forward over reverse agrees", 500, second),
    *(
        Campaign(f"random programs, replayed by `{name}`", "as recorded anew", n, replays(name))
        for name, n in zip(EXECUTORS, (1000, 1000, 50))
    ),
    Campaign("damaged files of models", "refused, or the same numbers", 5000, models),
    Campaign("damaged files of programs", "refused, or the same program", 5000, programs),
    Campaign("damaged CSV tables", "refused, or trained; no traceback", 500, tables),
    Campaign("Ctrl-C while a model trains", "whole epochs remain", 200, interrupts),
    Campaign("processes killed while they save", "the file is whole", 100, kills),
    Campaign("rounds of eight threads at once", "nothing lost, nothing mixed", 200, threads),
]


def chapter() -> tuple[str, str]:
    """The chapter in Markdown."""
    lines = ["| tried | times | expected | failed |", "|---|---|---|---|"]
    found: list[str] = []
    for campaign in CAMPAIGNS:
        print(" ", campaign.what, file=sys.stderr, flush=True)
        failures = list(campaign.run(campaign.count, random.Random(campaign.what)))
        found += [f"- {campaign.what}: {failure}" for failure in failures[:3]]
        lines.append(
            f"| {campaign.what} | {campaign.count:,} | {campaign.expected} | {len(failures)} |"
        )
    return "\n\n".join([HEAD, "\n".join(lines), *(["\n".join(found)] if found else [])]), ""


HEAD = """\
Every case is drawn with a fixed seed. The second engine (`tests/naive.py`) shares no code with the
first: it pushes pairs of value and slope forward, by formulas written down in other forms. A file
is damaged by flipped bits, by bytes cut off, doubled or replaced."""
