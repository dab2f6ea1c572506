"""Data from outside are answered, or refused in the package's own words.

Each reader gets random input made for it. It may return or raise one of the package's errors,
briefly and without anything that a terminal would obey; the command may only exit, without a
traceback; and nothing may take long. An input that fails is saved in ``corpus/``, from where it is
tried in every later run. ``make fuzz`` tries many more inputs.
"""

from __future__ import annotations

import copy
import io
import json
import signal
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from test_terminal import UNSAFE

import tinygrad_edu as tg
from tinygrad_edu import Value, keras, nn
from tinygrad_edu import homework as kit
from tinygrad_edu.command import cli
from tinygrad_edu.errors import TinygradError
from tinygrad_edu.keras import documents
from tinygrad_edu.keras.saving import load_model

CORPUS = Path(__file__).parent / "corpus"
SECONDS = 20  # any of these inputs takes milliseconds; on a busy machine a few seconds
LONGEST = 2500  # characters of an error
PHASES = [Phase.explicit, Phase.generate, Phase.shrink]

# ── The property ──────────────────────────────────────────────────────────────────────────


class Hung(Exception):
    """A reader took too long."""


@contextmanager
def limited() -> Iterator[None]:
    """A block that is interrupted after some seconds."""
    if not hasattr(signal, "setitimer"):  # on Windows
        yield
        return

    def hung(*_: Any) -> None:
        raise Hung(f"nothing came back in {SECONDS} s")

    before = signal.signal(signal.SIGALRM, hung)
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def answered(read: Callable[[bytes], Any], content: bytes) -> None:
    """The reader returns something that can be shown, or raises one of our errors."""
    with limited(), warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        texts = refused(lambda: read(content))
    for text in [*texts, *(str(warning.message) for warning in seen)]:
        shown(text)


def refused(read: Callable[[], Any]) -> list[str]:
    """The results of a reader, as strings; or the message of its error."""
    message = ""
    try:
        return [str(text) for text in read() or ()]
    except TinygradError as error:
        message = str(error)
    assert len(message) < LONGEST
    return [message]


def shown(text: str) -> None:
    unsafe = UNSAFE.search(text.replace("\t", ""))
    assert not unsafe, (unsafe, text[:500])


def command(*arguments: str) -> list[str]:
    """The output of the command, which may exit only with a message for people."""
    out, errors, status = io.StringIO(), io.StringIO(), 0
    with redirect_stdout(out), redirect_stderr(errors):
        try:
            status = cli.main(arguments)
        except SystemExit as left:
            status = left.code  # type: ignore[assignment]
    assert status in (0, 1, 2), status
    assert "Traceback" not in errors.getvalue()
    assert bool(status) <= bool(errors.getvalue()), "it failed without a word"
    if status == 1:
        assert len(errors.getvalue()) < LONGEST
    return [errors.getvalue(), *([] if "predict" in arguments else [out.getvalue()])]


def decoded(content: bytes) -> str:
    try:
        return content.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return content.decode("latin-1")


# ── Readers ───────────────────────────────────────────────────────────────────────────────


def written(content: bytes, name: str) -> str:
    Path(name).write_bytes(content)
    return name


def table(*arguments: str) -> Callable[[bytes], list[str]]:
    """A command that reads a table."""
    return lambda content: command(arguments[0], written(content, "t.csv"), *arguments[1:])


@cache
def good_model() -> bytes:
    """A small model, trained for a step, as it is saved."""
    keras.set_random_seed(0)
    model = keras.Sequential(
        [keras.layers.Dense(2, "tanh", input_shape=[2]), keras.layers.Dense(1)], name="good"
    )
    model.compile("adam", "mse", metrics=["mae"])
    model.fit([[1.0, 2.0], [2.0, 1.0]], [1.0, 2.0], epochs=1, verbose=0)
    model.metadata = {"table": {"features": ["a", "b"], "target": "c", "means": {"a": 1.0}}}
    model.save("good.json")
    return Path("good.json").read_bytes()


def predict(content: bytes) -> list[str]:
    written(good_model(), "m.json")
    return command("predict", "m.json", written(content, "t.csv"))


def model(content: bytes) -> list[Any]:
    loaded = load_model(written(content, "m.json"))
    out = io.StringIO()
    with redirect_stdout(out):
        loaded.summary()
    return [out.getvalue(), loaded]


def weights(content: bytes) -> None:
    made = keras.Sequential([keras.layers.Dense(1, input_shape=[1])])
    made.load_weights(written(content, "w.json"))


def model_command(content: bytes) -> list[str]:
    written(content, "m.json")
    written(b"a,b,c\n1,2,3\n2,3,5\n", "t.csv")
    return [
        text
        for arguments in (
            ["summary", "m.json"],
            ["graph", "m.json", "--output", "g.dot"],
            ["predict", "m.json", "t.csv"],
            ["diagnose", "t.csv", "--model", "m.json"],
        )
        for text in command(*arguments)
    ]


def program(content: bytes) -> list[Any]:
    loaded = tg.Program.from_json(decoded(content))
    row = [[0.5] * len(loaded.inputs)]
    if loaded.code.each:
        loaded.values(row)
    else:
        loaded.value_and_grad(row)
    return [loaded.source(), loaded.report(), loaded]


def labels(content: bytes) -> list[Any]:
    """A name of a Value, a scope, a layer and a model, wherever names are shown."""
    name = decoded(content)
    x, w = Value(2.0, name=f"{name}x", role="input"), Value(3.0, name=name, role="parameter")
    with tg.scope(name or "s"):
        loss = (x * w - 1.0) ** 2
    loss.name = name
    drawing = tg.draw(loss, title=name)
    drawing.save("d.dot")
    explanation = tg.explain(loss, w)
    tg.explore(loss, "p.html", parameters=[w], title=name)
    return [
        tg.tree(loss), drawing.source, drawing.text(), explanation, explanation.markdown(),
        explanation.latex(), tg.compare(loss, w), tg.explain_update(nn.SGD([w], 0.1), w),
    ]  # fmt: skip


FINDERS: dict[str, Callable[[str], Any]] = {
    "activation": lambda name: keras.layers.Dense(1, name),
    "initializer": lambda name: keras.layers.Dense(1, kernel_initializer=name),
    "regularizer": lambda name: keras.layers.Dense(1, kernel_regularizer=name),
    "layer": lambda name: keras.layers.Dense(1, name=name),
    "optimizer": lambda name: fresh().compile(name, "mse"),
    "loss": lambda name: fresh().compile("sgd", name),
    "metric": lambda name: fresh().compile("sgd", "mse", metrics=[name]),
    "reduction": lambda name: keras.losses.MeanSquaredError(reduction=name),
    "role": lambda name: Value(1.0, role=name),
    "executor": lambda name: tg.jit(lambda x: x, executor=name)(1.0),
    "mode": lambda name: tg.jacobian(lambda x: x, mode=name)(1.0),
    "monitor": lambda name: watched(name),
    "file": lambda name: load_model(name),
    "theme": lambda name: tg.draw(Value(1.0), theme=name).source,
    "get_layer": lambda name: fresh().get_layer(name),
}


def fresh() -> Any:
    return keras.Sequential([keras.layers.Dense(1, input_shape=[1])])


def watched(name: str) -> None:
    made = fresh()
    made.compile("sgd", "mse")
    made.fit([1.0], [1.0], verbose=0, callbacks=keras.callbacks.EarlyStopping(name, mode="min"))


def names(content: bytes) -> None:
    """A name that is looked up in a table."""
    name = decoded(content)
    for find in FINDERS.values():
        for message in refused(lambda find=find: find(name) and None):  # type: ignore[misc]
            shown(message)


def homework(content: bytes) -> list[str]:
    """A student's file, which is run."""
    return command("homework", "check", written(content, "slopes.py"))


def task(content: bytes) -> list[str]:
    """A teacher's file."""
    return command("homework", "try", written(content, "mine.txt"))


def arguments(content: bytes) -> list[str]:
    """Arguments of the command, a line for each."""
    written(b"a,b\n1,2\n2,4\n3,7\n", "t.csv")
    written(good_model(), "m.json")
    return command(*decoded(content).split("\n"))


# ── Random inputs ─────────────────────────────────────────────────────────────────────────

ODD = st.sampled_from(
    ["", " ", "\x1b]0;pwned\x07", "\x9b31m", "a\u202eb", "a\ud800b", "\x00", "\x7f", "\u200b",
     "\ufeff", "\r", "\u2028", '"', "'", "<b>", "&", "\\", "{", "$", "%", "%s", "{}", "_", "--",
     "家", "e\u0301", "\U0001f3e0", "x" * 5000, "../x", "nan", "inf", "-0", "1e308", "-1e308",
     "1e-320", "5e-324", "1e309", "1_0", "1,5", "1 000", "0x10", "١", "null", "NA"]
)  # fmt: skip
TEXT = st.lists(ODD | st.text(max_size=5), max_size=3).map("".join)
NUMBER = st.one_of(
    st.integers(-9, 9).map(str), st.floats().map(repr), ODD, st.text("0123456789.,eE+-", max_size=6)
)


def encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


@st.composite
def tables(draw: st.DrawFn) -> bytes:
    """Mostly tables; some of them damaged."""
    delimiter, end = draw(st.sampled_from([",", ";", "\t"])), draw(st.sampled_from(["\n", "\r\n"]))
    width = draw(st.integers(1, 3))
    names = draw(st.lists(st.sampled_from("abc") | TEXT, min_size=width, max_size=width))
    rows = draw(st.lists(st.lists(NUMBER, min_size=width, max_size=width), max_size=4))
    content = encoded(end.join(map(delimiter.join, [names, *rows])))
    return draw(damaged(content))


@st.composite
def damaged(draw: st.DrawFn, content: bytes) -> bytes:
    """The same, or with some bytes replaced, left out or inserted."""
    for _ in range(draw(st.sampled_from([0, 0, 0, 1, 3]))):
        start = draw(st.integers(0, len(content)))
        end = min(len(content), start + draw(st.integers(0, 3)))
        content = content[:start] + draw(st.binary(max_size=3)) + content[end:]
    return content


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 700) | st.floats() | ODD
    | st.sampled_from([2**31, 10**18, -(10**30), "Dense", "mse", "class", "add", [], {}]),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(ODD, children, max_size=3),
    max_leaves=6,
)  # fmt: skip


@st.composite
def documents_like(draw: st.DrawFn, make: Callable[[], Any], mended: Any = None) -> bytes:
    """A good document in which some parts are something else; or its bytes, damaged."""
    tree = copy.deepcopy(make())
    for _ in range(draw(st.integers(0, 3))):
        inner = tree
        while True:
            keys = [*inner] if isinstance(inner, dict) else [*range(len(inner))]
            if not keys:
                break
            key = draw(st.sampled_from(keys))
            if isinstance(inner[key], (dict, list)) and inner[key] and draw(st.integers(0, 5)):
                inner = inner[key]
                continue
            action = draw(st.sampled_from(["other", "gone", "twice"]))
            if action == "other":
                inner[key] = draw(JUNK)
            elif action == "gone":
                del inner[key]
            elif isinstance(inner, list):
                inner.insert(key, copy.deepcopy(inner[key]))
            break
    text = json.dumps(mended(tree) if mended else tree, allow_nan=True)
    return draw(damaged(text.encode()))


def with_checksum(tree: Any) -> Any:
    """The document with the right checksum, which damage alone does not have."""
    try:
        return {**tree, "checksum": documents.checksum(tree)}
    except ValueError:  # nan
        return tree


def good_program() -> Any:
    x, y, w = (Value(0.5, name=name) for name in "xyw")
    loss = (tg.tanh(w * x) - y) ** 2 + 0.1 * w**2
    made = tg.compile(loss, inputs=[x, y], parameters=[w], reduce="sum")
    return json.loads(made.to_json())


ARGUMENT = st.one_of(
    st.sampled_from(
        ["train", "explore", "predict", "summary", "graph", "diagnose", "t.csv", "m.json", "x.csv"]
    ),
    st.sampled_from(
        ["--epochs", "--target", "--features", "--hidden", "--lr", "--loss", "--optimizer",
         "--json", "--quiet", "--model", "--output", "--rows", "--missing", "--delimiter",
         "--decimal",
         "--standardize", "--validation-split", "--seed", "--batch-size", "--help", "--version",
         "--learning-rate", "--activation", "--initializer"]
    ),
    st.sampled_from(["0", "1", "2", "-1", "nan", "1e999", "a", "b", "a,b", "g.svg", "mse", "adam"]),
    TEXT.map(lambda text: text.replace("/", "").replace("\n", "")),
)  # fmt: skip


SOLUTION = st.builds(lambda: kit.load("slopes").solution.encode())
TASK = st.builds(lambda: (Path(kit.__file__).parent / "tasks" / "slopes.txt").read_bytes())
ARGUMENTS = st.lists(ARGUMENT, min_size=1, max_size=6).map("\n".join).map(encoded)
MODELS = documents_like(lambda: json.loads(good_model()), with_checksum)


class Reader(NamedTuple):
    """A reader of outside data, the folder of its corpus, and random inputs for it."""

    folder: str
    read: Callable[[bytes], Any]
    inputs: st.SearchStrategy[bytes]


READERS: dict[str, Reader] = {
    "train": Reader("tables", table("train", "--epochs", "2"), tables()),
    "train scaled": Reader("tables", table("train", "--epochs", "2", "--standardize"), tables()),
    "explore": Reader("tables", table("explore", "--epochs", "2", "--output", "x.html"), tables()),
    "diagnose": Reader("tables", table("diagnose", "--missing", "mean"), tables()),
    "predict": Reader("tables", predict, tables()),
    "model": Reader("models", model, MODELS),
    "weights": Reader("models", weights, MODELS),
    "model command": Reader("models", model_command, MODELS),
    "program": Reader("programs", program, documents_like(good_program)),
    "homework": Reader("homework", homework, SOLUTION.flatmap(damaged)),
    "task": Reader("tasks", task, TASK.flatmap(damaged)),
    "labels": Reader("names", labels, TEXT.map(encoded)),
    "names": Reader("names", names, TEXT.map(encoded)),
    "arguments": Reader(
        "arguments",
        arguments,
        st.lists(ARGUMENT, min_size=1, max_size=6).map("\n".join).map(encoded),
    ),
}


# ── The tests ─────────────────────────────────────────────────────────────────────────────


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


SEEDS = [
    pytest.param(name, path, id=f"{name}-{path.stem}")
    for name, reader in READERS.items()
    for path in sorted((CORPUS / reader.folder).glob("*"))
]


@pytest.mark.parametrize(("name", "path"), SEEDS)
def test_corpus(name: str, path: Path) -> None:
    answered(READERS[name].read, path.read_bytes())


@pytest.mark.parametrize("name", READERS)
def test_random_input(name: str) -> None:
    reader, failed = READERS[name], b""

    @settings(max_examples=max(settings().max_examples // 5, 1), phases=PHASES)
    @given(reader.inputs)
    def answers(content: bytes) -> None:
        nonlocal failed
        try:
            answered(reader.read, content)
        except BaseException:
            failed = content
            raise

    try:
        answers()
    except BaseException:  # the last one that failed is the simplest
        path = CORPUS / reader.folder / sha256(failed).hexdigest()[:12]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(failed)
        print(f"The input is saved as {path}.", file=sys.stderr)
        raise
