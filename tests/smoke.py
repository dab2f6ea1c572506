"""The package in use, in some seconds and without pytest: ``python tests/smoke.py``.

`matrix` runs this in every place it makes. Each function is one use; an assertion or an exception
that a user would not expect is a failure. Where something optional is missing, the error must name
the remedy.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import tinygrad_edu as tg
from tinygrad_edu.errors import TinygradError

WITHOUT_DOT = os.environ.get("SMOKE_WITHOUT_DOT") == "1"
FLATS, PRICES = (1, 2, 3, 4, 5, 6, 7), (10000, 20000, 30000, 40000, 50000, 60000, 70000)


def _has(module: str) -> bool:
    return importlib.util.find_spec(module) is not None


def _holds(condition: bool, what: object = "") -> None:
    """An assertion that python -O does not leave out."""
    if not condition:
        raise AssertionError(what)


def gradients() -> None:
    w = tg.Value(3.0, name="w")
    loss = (w * 2.0 - 1.0) ** 2
    loss.backward()
    _holds(w.grad == 20.0)
    _holds(tg.hessian(lambda v: v[0] * v[0] * v[1])([2.0, 3.0]) == [[6.0, 4.0], [4.0, 0.0]])
    _holds(tg.jvp(lambda x, y: x * y, (2.0, 3.0), (1.0, 0.0)) == (6.0, 3.0))
    _holds(tg.jit(tg.grad(lambda x: x**3))(2.0) == 12.0)
    _holds(list(tg.vmap(lambda x: x * x)([1.0, 2.0])) == [1.0, 4.0])
    print(loss, tg.tree(loss), tg.explain(loss, w), tg.compare(loss, w), sep="\n")


def six_lines(folder: Path | None) -> None:
    from tinygrad_edu import keras

    model = keras.Sequential([keras.layers.Dense(units=1, input_shape=[1])])
    model.compile(optimizer="sgd", loss="mean_squared_error")
    model.fit(FLATS, PRICES, epochs=500, verbose=0)
    _holds(abs(model.predict([10])[0][0] - 99711.8) < 50.0)
    model.fit(FLATS, PRICES, epochs=2, verbose=1)
    model.summary()
    path = "model.json" if folder is None else str(folder / "model.json")
    if folder is None:
        _refused(lambda: model.save(path), "Choose")
    else:
        model.save(path)
        _holds(keras.models.load_model(path).predict([10]) == model.predict([10]))


def executors() -> None:
    for executor, needs in (("python", ""), ("machine", "llvmlite"), ("native", "llvmlite")):
        square = tg.jit(lambda x: x * x, executor=executor)
        if needs and not (_has(needs) and _has("numpy")):
            _refused(lambda square=square: square(3.0), "compiler")  # type: ignore[misc]
        elif executor == "python" or _has("numpy"):
            _holds(square(3.0) == 9.0)


def extras(folder: Path | None) -> None:
    """Each extra works, or the error names it."""

    def testing() -> None:
        from tinygrad_edu.testing import strategies

        strategies.graphs()

    def plots() -> None:
        _holds(len(tg.plots.operation("tanh").lines) >= 2)

    for extra, module, use in (("testing", "hypothesis", testing), ("plots", "matplotlib", plots)):
        if extra == "plots" and folder is None:
            continue  # matplotlib cannot be imported without a folder for its cache
        if _has(module):
            use()
        else:
            _refused(use, extra)
    x = tg.Value(2.0, name="x")
    print(tg.explain(tg.exp(x) * tg.exp(-x), x))  # which sympy simplifies, if it is there


def pictures(folder: Path | None) -> None:
    loss = tg.tanh(tg.Value(0.5, name="x") * 2.0)
    picture = tg.draw(loss)
    _holds("digraph" in picture.source)
    if folder is None:
        return
    picture.save(folder / "picture.dot")
    for write in (
        lambda: picture.save(folder / "picture.svg"),
        lambda: tg.explore(loss, folder / "page.html", parameters=[]),
    ):
        if WITHOUT_DOT:
            _refused(write, "Graphviz")
        else:
            write()


def run(*arguments: str) -> tuple[int, str, str]:
    """The exit status of the command, and what it prints on stdout and stderr."""
    if sys.platform == "emscripten":  # which has one process
        files, status = (io.StringIO(), io.StringIO()), 0
        with contextlib.redirect_stdout(files[0]), contextlib.redirect_stderr(files[1]):
            try:
                status = importlib.import_module("tinygrad_edu.command.cli").main(arguments)
            except SystemExit as left:
                status = int(left.code or 0)
        return status, files[0].getvalue(), files[1].getvalue()
    flags = [flag for flag in ("-O",) if sys.flags.optimize]
    flags += [f"-W{option}" for option in sys.warnoptions]
    command = [sys.executable, *flags, "-m", "tinygrad_edu", *arguments]
    done = subprocess.run(command, capture_output=True)
    encoding = os.environ.get("PYTHONIOENCODING") or "utf-8"
    out, errors = (text.decode(encoding, "replace") for text in (done.stdout, done.stderr))
    return done.returncode, out, errors


def command(folder: Path | None) -> None:
    status, printed, errors = run("--version")
    _holds(status == 0 and tg.__version__ in printed, errors)
    if folder is None:
        status, _, errors = run("--epochs", "1")
        _holds(status == 1 and "Traceback" not in errors, errors)
        return
    table = folder / "houses.csv"
    table.write_text("flats,price\n" + "".join(f"{x},{y}\n" for x, y in zip(FLATS, PRICES)))
    model = str(folder / "m.json")
    steps: list[tuple[str, ...]] = [
        ("train", str(table), "--model", model, "--epochs", "20"),
        ("predict", model, str(table)),
        ("summary", model),
        ("diagnose", str(table)),
    ]
    if not WITHOUT_DOT:
        steps.append(("explore", str(table), "--epochs", "5", "--output", str(folder / "p.html")))
        steps.append(("--epochs", "3", "--output", str(folder)))
    for step in steps:
        status, printed, errors = run(*step)
        _holds(status == 0, (step, errors))
        _holds(not errors or step[0] == "predict", (step, errors))


def _refused(use: object, remedy: str) -> None:
    try:
        use()  # type: ignore[operator]
    except TinygradError as error:
        _holds(remedy in str(error), error)
    else:
        raise AssertionError(f"not refused: {remedy}")


def main() -> None:
    """Every use; the folder is None where nothing can be written."""
    try:
        temporary = tempfile.TemporaryDirectory()
    except FileNotFoundError:
        temporary = None
    folder = None if temporary is None else Path(temporary.name)
    gradients()
    six_lines(folder)
    executors()
    extras(folder)
    pictures(folder)
    command(folder)
    if temporary is not None:
        temporary.cleanup()
    print("smoke: all uses work")


if __name__ == "__main__":
    main()
