"""Foreign text on its way to a terminal: names in files, graphs and models may hold escapes that
move the cursor, rename the window or turn the direction of writing. None of them arrives."""

from __future__ import annotations

import ast
import io
import re
import warnings
from contextlib import redirect_stderr, redirect_stdout, suppress
from itertools import product
from pathlib import Path
from typing import Any

import pytest

import tinygrad_edu as tg
from tinygrad_edu import Value, errors, keras, nn
from tinygrad_edu.command import cli
from tinygrad_edu.errors import BadArgument, SavedModelError, TinygradError, unknown_name
from tinygrad_edu.keras.saving import load_model
from tinygrad_edu.strings import clean, legible, short

UNSAFE = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\xad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f"
    "\ud800-\udfff\ufeff\ufff9-\ufffb\ufffe\uffff\U000e0000-\U000e007f]"
)
NASTY = [
    "\x1b]0;pwned\x07x", "\x9b31mred", "x\x1b[2Jy", "a\u202eb", "a\u2066b\u2069", "a\ud800b",
    "a\x00b", "a\x7fb", "a\x08b", "a\u200bb", "\ufeffa", "a\U000e0041b", "a\rb",
]  # fmt: skip


def safe(text: str) -> None:
    found = UNSAFE.search(text)
    assert not found, (found, text)


@pytest.fixture(params=NASTY, ids=ascii)
def name(request):
    return request.param


def test_one_place_makes_text_safe(name):
    for function in (clean, short, legible):
        safe(function(name))
    assert legible(f"{name}\n{name}").count("\n") == 1
    assert clean("\N{WOMAN}\u200d\N{PERSONAL COMPUTER} می\u200cخواهم") == (
        "\N{WOMAN}\u200d\N{PERSONAL COMPUTER} می\u200cخواهم"
    )


ERRORS = [e for e in vars(errors).values() if isinstance(e, type) and issubclass(e, TinygradError)]


@pytest.mark.parametrize("error", ERRORS, ids=lambda e: e.__name__)
def test_every_error(error, name):
    safe(str(error(f"Unknown: {name}\nUse another.")))
    assert str(error("Two lines.\nStay two.")) == "Two lines.\nStay two."
    long = str(error(f"Unknown: {'x' * 5000!r}. Did you mean {'y' * 5000!r}? Choose one."))
    assert len(long) < 2000
    assert long.startswith("Unknown: 'xxx")
    assert long.endswith("Choose one.")


def test_unknown_names_of_any_length(name):
    error = unknown_name("column", "z" * 5000, [name, *(f"{c}" * 5000 for c in "abc")])
    assert len(str(error)) < 2000
    safe(str(error))


def graph(name: str) -> tuple[Value, Value]:
    w = Value(2.0, name=name, role="parameter")
    x = Value(3.0, name=f"x{name}", role="input")
    with tg.scope(name):
        product_ = w * x
    product_.name = f"p{name}"
    loss = (product_ - 1.0) ** 2 + tg.exp(w)
    loss.name = f"loss{name}"
    return loss, w


def test_graphs(name, tmp_path):
    loss, w = graph(name)
    texts: list[Any] = [tg.tree(loss), tg.draw(loss), tg.draw(loss).source, tg.draw(loss).text()]
    for explanation in (tg.explain(loss), tg.explain(loss, w), tg.compare(loss, w)):
        texts += [explanation, explanation.markdown(), explanation.latex()]
    loss.backward()
    texts += [tg.explain_update(nn.SGD([w], 0.1), w), tg.explore(loss, tmp_path / "p.html")]
    with pytest.raises(errors.Anomaly) as raised, tg.detect_anomaly():
        tg.log(Value(-1.0, name=name))
    texts += [raised.value]
    for text in texts:
        safe(str(text).replace("\t", ""))  # DOT is indented by tabs


def test_models(name, tmp_path):
    layers = [keras.layers.Dense(2, "relu", name=name, input_shape=[1]), keras.layers.Dense(1)]
    model = keras.Sequential(layers, name=name)

    def measured(y_true: Any, y_pred: Any) -> float:
        return 0.0

    measured.__name__ = name
    model.compile("sgd", "mse", metrics=[measured])
    out = io.StringIO()
    with redirect_stdout(out), redirect_stderr(out), warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        model.fit([1.0, 2.0], [1.0, 2.0], epochs=2, verbose=1)
        model.fit([1.0, 2.0], [1.0, 2.0], epochs=2, verbose=2)
        stop = keras.callbacks.EarlyStopping(name, mode="min")
        model.fit([1.0, 2.0], [1.0, 2.0], epochs=2, verbose=2, callbacks=stop)
        model.summary()
        print(model, model.layers, model.history)
        print(model.why_diverging([1.0, 2.0], [1.0, 2.0]))
        print(*(warning.message for warning in seen))
        for ask in (
            lambda: model.get_layer("nowhere"),
            lambda: model.save(tmp_path / "m.json"),
            lambda: load_model(f"{name}.json"),
            lambda: model.save(tmp_path / name / name),
        ):
            with suppress(TinygradError):
                print(ask())
    safe(out.getvalue().replace("\r", ""))  # a bar begins its line anew


@pytest.mark.parametrize(("header", "place"), [*product(NASTY, ["x", "y"])], ids=ascii)
def test_commands_on_foreign_tables(header, place, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    quoted = '"' + header.encode("utf-8", "surrogatepass").decode("utf-8", "replace") + '"'
    names = (quoted, "y") if place == "x" else ("x", quoted)
    Path("t.csv").write_text(f"{','.join(names)}\n1,2\n2,4\n", encoding="utf-8")
    Path("words.csv").write_text(f"{quoted},b\n{quoted},2\n", encoding="utf-8")
    column = next(iter(names))
    for command in (
        ["train", "t.csv", "--epochs", "2", "--model", "m.json"], ["summary", "m.json"],
        ["train", "words.csv"], ["train", "t.csv", "--target", "nowhere"], ["diagnose", "t.csv"],
        ["explore", "t.csv", "--epochs", "1"], ["predict", "m.json", "words.csv"],
        ["predict", "m.json", "t.csv", "--output", "p.csv"], ["graph", "m.json"],
        ["train", f"{header}.csv"], ["train", "t.csv", "--loss", header], [header],
        ["train", "t.csv", "--lr", header], ["train", "t.csv", "--features", column[1:-1]],
        ["train", "t.csv", "--json", "--epochs", "1"],
    ):  # fmt: skip
        with suppress(SystemExit):
            cli.main(command)
        said = capsys.readouterr()
        safe(said.out)
        safe(said.err)


def test_a_model_file_can_smuggle_nothing(name, tmp_path):
    path = tmp_path / "m.json"
    path.write_bytes(f'{{"format": "tinygrad_edu model", "{name}": 1}}'.encode("utf-8", "replace"))
    with pytest.raises(SavedModelError) as raised:
        load_model(path)
    safe(str(raised.value))
    assert not isinstance(raised.value, BadArgument)


def test_pictures_pages_and_programs_hold_names_that_utf8_lacks(name, tmp_path):
    loss, w = graph(name)
    tg.film([loss, loss], captions=[name, name], title=name).save(tmp_path / "f.svg")
    tg.draw(loss, title=name).save(tmp_path / "d.svg")
    tg.explore(loss, tmp_path / "p.html", title=name)
    text = tg.compile(loss, inputs=[], parameters=[w]).to_json()
    text.encode()
    assert tg.Program.from_json(text).to_json() == text


@pytest.mark.parametrize("separator", ["", ",,", "\n", '"', "\x00", "\ud800"], ids=ascii)
def test_a_log_refuses_what_cannot_stand_between_columns(separator):
    with pytest.raises(BadArgument, match="one character"):
        keras.callbacks.CSVLogger("l.csv", separator=separator)


def test_only_two_places_print():
    """Code that prints elsewhere must send its text through `legible`, too."""
    package = Path(tg.__file__).parent
    printing = {
        str(path.relative_to(package).as_posix())
        for path in package.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("print", "sys.stdout.write")
    }
    assert printing == {"command/commands.py", "keras/callbacks.py"}
