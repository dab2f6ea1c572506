"""A standard output that lacks mathematics gets a readable form, and never an error or a "?"."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading

import pytest

import tinygrad_edu as tg
from tinygrad_edu.strings import _INSTEAD, shown_in

SCRIPT = r"""
import sys
import tinygrad_edu as tg
from tinygrad_edu import keras, testing
from tinygrad_edu.command.cli import main

w, x = tg.Value(3.0, name="w\u2081"), tg.Value(2.0, name="\u0177\u03b8")
loss = tg.sum([(w * x - 1.0) ** 2, tg.sqrt(w) / x, abs(x) ** 5, tg.maximum(w, x)])
loss.backward()
m = keras.Sequential([keras.layers.Input((2,)), keras.layers.Dense(2, "gelu"),
                      keras.layers.Dense(1, name="\u00e9nd")])
m.compile("adam", "mse", metrics=["mae"])
for thing in (w, [w], tg.tree(loss), tg.explain(loss), repr(tg.explain(loss, w)), tg.draw(loss),
              tg.compare(loss, w), m, m.layers[0],
              testing.check_grads(lambda x: abs(x) * tg.exp(x), 0.0)):
    print(thing)
m.summary()
for verbose in (1, 2):
    print(m.fit([[1, 2], [2, 3]], [2, 4], epochs=2, verbose=verbose))
try:
    tg.Value("\u2202")
except TypeError as error:
    print(error)
with open("t.csv", "w", encoding="utf-8") as file:
    file.write("fl\u00e4che,pre\u00efs\n" + "".join(f"{i},{2 * i}\n" for i in range(9)))
for line in ("--epochs 1", "train t.csv --epochs 2 --model m.json", "summary m.json",
             "diagnose t.csv", "graph m.json t.csv", "explore t.csv --output p.html"):
    print(line)
    assert main(line.split()) == 0, line
"""


@pytest.mark.parametrize("environment", [
    {"PYTHONIOENCODING": "cp1252"},
    {"PYTHONIOENCODING": "ascii", "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
], ids=lambda environment: environment["PYTHONIOENCODING"])  # fmt: skip
def test_every_output_in_an_encoding_that_lacks_mathematics(environment, tmp_path):
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", SCRIPT], capture_output=True, cwd=tmp_path,
        env={**os.environ, **environment}, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode()
    text = done.stdout.decode(environment["PYTHONIOENCODING"])
    assert {line[:7] for line in text.splitlines() if "?" in line} == {"Why not"}
    assert "\\u" not in text, text
    assert "+-" in text or "├" in text
    assert re.search(r"[d∂]loss/[d∂]w|dL/dw", text)


def test_ascii_forms():
    """The forms are ASCII; signs without a rule or a row of the table show their code."""
    assert all(form.isascii() for form in _INSTEAD.values())
    for text, form in {
        "∂loss/∂w₁": "dloss/dw1", "2·10⁻¹²": "2*10^-12", "x²": "x^2", "eⁿ⁽ⁱ⁾": "e^n(i)",
        "αβγ Ω": "alphabetagamma Omega", "ŷ é ß": "y e \\u00df", "½": "1/2", "…": "...",
        "1 → 2": "1 -> 2", "家": "\\u5bb6", "± ≤ ≥": "+- <= >=", "a\u00a0b": "a b",
        "└─ ├─ │": "+- +- |", "😀": "\\u1f600",
    }.items():  # fmt: skip
        assert shown_in(text, "ascii") == form
    assert shown_in("x² − é∂", "cp1252") == "x² - éd"
    for encoding in ("utf-8", "utf-16", None):
        assert shown_in("∂家", encoding) == "∂家"


def test_every_sign_of_the_package_has_a_readable_form():
    signs = {c for op in tg.TABLE.values() for c in f"{op.symbol}{op.text}" if not c.isascii()}
    assert {c for c in signs if "\\u" in shown_in(c, "ascii")} == set()


MISSING = """
import sys
sys.modules.update(dict.fromkeys(["llvmlite", "numpy", "tqdm"]))  # as if not installed
import tinygrad_edu as tg
from tinygrad_edu import compiler, keras

model = keras.Sequential([keras.layers.Dense(8, "tanh", input_shape=[1]), keras.layers.Dense(1)])
model.compile("sgd", "mse")
xs = [i / 400 for i in range(400)]
model.fit(xs, xs, epochs=4)
assert len(model.predict(xs)) == 400
f = tg.jit(lambda x: tg.sum([tg.sin(x * i) for i in range(200)]))
[f(float(i)) for i in range(1000)]
try:
    tg.jit(lambda x: x, executor="native")(1.0)
except ImportError as error:
    print(error)
"""


def test_a_missing_extra_neither_raises_nor_leaves_a_traceback_of_a_thread():
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", MISSING], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert "pip install 'tinygrad-edu[compiler]'" in done.stdout


def test_an_error_of_the_background_thread_leaves_the_virtual_machine_running(monkeypatch, capfd):
    from tinygrad_edu.compiler import scheduler

    monkeypatch.setitem(scheduler.EXECUTORS, "native", ".not_there")
    monkeypatch.setattr(scheduler, "WARM", 0)
    monkeypatch.setattr(scheduler, "HOT", 0)
    f = tg.jit(lambda x: tg.sin(x) * x)
    assert {f(2.0) for _ in range(50)} == {f(2.0)}
    for thread in threading.enumerate():
        if thread.name == scheduler.NAME:
            thread.join()
    report = f.program(2.0).report()
    assert (report.executor, "machine code was not made" in report.why) == ("machine", True)
    assert capfd.readouterr().err == ""


def test_bundles_have_a_picture_that_stands_on_its_own():
    from xml.etree.ElementTree import fromstring

    w = tg.Value(3.0, name="w")
    history = tg.keras.callbacks.History()
    history.extend([0, 1], {"loss": [2.0, 1.0]})
    for thing in (w * 2.0, tg.draw(w * 2.0), tg.film([tg.snapshot(w * 2.0)] * 2), history):
        bundle = thing._repr_mimebundle_()
        assert set(bundle) == {"text/html", "text/plain", "image/svg+xml"}
        assert fromstring(bundle["image/svg+xml"]).tag == "{http://www.w3.org/2000/svg}svg"
        assert bundle["image/svg+xml"] in bundle["text/html"]
