"""The arguments of every command of ``tinygrad-edu``, and their ``--help``."""

from __future__ import annotations

import argparse
import csv
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable, Mapping
from math import isfinite
from pathlib import Path
from textwrap import dedent, indent
from typing import Any

from ..errors import NameUnknown
from ..nn.activations import ACTIVATIONS
from ..nn.initializers import ALIASES as INITIALIZER_ALIASES
from ..nn.initializers import INITIALIZERS
from ..nn.losses import ALIASES as LOSS_ALIASES
from ..nn.names import look_up
from ..nn.optimizers import OPTIMIZERS
from . import commands

EXAMPLES = {
    commands.train: """
        tinygrad-edu train houses.csv --features flats --target price --epochs 500
        tinygrad-edu train houses.csv --standardize --model model.json
        tinygrad-edu train houses.csv --hidden 8,8 --optimizer adam --lr 0.01
        tinygrad-edu train sold.csv --target sold --loss binary_crossentropy
    """,
    commands.explore: """
        tinygrad-edu explore houses.csv --features flats --target price
        tinygrad-edu explore houses.csv --hidden 3 --activation tanh --standardize --lr 0.1
    """,
    commands.predict: """
        tinygrad-edu predict model.json houses.csv --output predictions.csv
        tinygrad-edu predict model.json houses.csv --missing skip > predictions.csv
    """,
    commands.summary: "tinygrad-edu summary model.json",
    commands.graph: """
        tinygrad-edu graph model.json --output graph.svg
        tinygrad-edu graph model.json houses.csv --rows 2 --output loss.png
    """,
    commands.diagnose: """
        tinygrad-edu diagnose houses.csv --features flats --target price
        tinygrad-edu diagnose houses.csv --hidden 4 --rows 20
        tinygrad-edu diagnose houses.csv --model model.json
    """,
}


def add_commands(parser: ArgumentParser) -> None:
    """Add the commands to the parser of ``tinygrad-edu``."""
    table = _part(_table_options)
    table.add_argument("table", type=Path, metavar="TABLE", help="a CSV file")
    perhaps = _part(_table_options)
    perhaps.add_argument("table", type=Path, nargs="?", metavar="TABLE", help="a CSV file")
    saved = _part()
    saved.add_argument("model", type=Path, metavar="MODEL", help="a file that train saved")
    columns, model, quiet = _part(_column_options), _part(_model_options), _part()
    passes = _part(_training_options)
    quiet.add_argument("--quiet", action="store_true", help="print nothing")

    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND")

    def command(function: Callable[..., Any], *parts: ArgumentParser) -> ArgumentParser:
        does = (function.__doc__ or "").strip()
        sub: ArgumentParser = subparsers.add_parser(
            function.__name__,
            parents=parts,
            help=does[0].lower() + does[1:].rstrip("."),
            description=does,
            epilog="examples:\n" + indent(dedent(EXAMPLES[function]).strip(), "  "),
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        sub.add_argument("--json", action="store_true", help="print only one JSON object")
        sub.set_defaults(command=function, parser=sub, quiet=False)
        return sub

    training = command(commands.train, table, columns, model, passes, quiet)
    training.add_argument(
        "--model", type=Path, metavar="FILE", help="where to save the model (default: not saved)"
    )
    exploring = command(commands.explore, table, columns, model, passes, quiet)
    _rows(exploring, "rows to show (default: 12)")
    exploring.add_argument(
        "--output", type=Path, default=Path("model.html"), metavar="FILE",
        help="the page to write (default: model.html)",
    )  # fmt: skip
    predicting = command(commands.predict, saved, table, quiet)
    _features(predicting)
    predicting.add_argument(
        "--output", type=Path, metavar="FILE", help="a CSV file (default: print it)"
    )
    command(commands.summary, saved)
    drawing = command(commands.graph, saved, perhaps, columns, quiet)
    _rows(drawing, "rows to draw (default: 3)")
    drawing.add_argument(
        "--output", type=Path, default=Path("graph.svg"), metavar="FILE",
        help="a .svg, .png, .pdf or .dot (default: graph.svg)",
    )  # fmt: skip
    diagnosing = command(commands.diagnose, table, columns, model)
    _rows(diagnosing, "rows to use")
    diagnosing.add_argument(
        "--model", type=Path, metavar="FILE",
        help="a file that train saved, instead of a new model",
    )  # fmt: skip


def _part(*options: Callable[[ArgumentParser], None]) -> ArgumentParser:
    """Arguments that several commands share."""
    part = ArgumentParser(add_help=False)
    for add in options:
        add(part)
    return part


def _table_options(part: ArgumentParser) -> None:
    part.add_argument(
        "--missing", choices=("error", "skip", "mean"), default="error",
        help="if a number is missing: stop (default), leave out the row, or use the mean",
    )  # fmt: skip
    part.add_argument(
        "--delimiter", type=delimiter, metavar="CHAR", help="between fields (default: detected)"
    )
    part.add_argument(
        "--decimal", choices=(".", ","), default=".", metavar="CHAR",
        help="decimal separator: a point (default) or a comma",
    )  # fmt: skip


def _features(part: ArgumentParser) -> None:
    part.add_argument(
        "--features", type=names, metavar="A,B", help="input columns (default: all numeric ones)"
    )


def _column_options(part: ArgumentParser) -> None:
    _features(part)
    part.add_argument("--target", metavar="C", help="column to predict (default: the last)")


def _rows(part: ArgumentParser, what: str) -> None:
    part.add_argument("--rows", type=whole(1), metavar="N", help=what)


def _model_options(part: ArgumentParser) -> None:
    part.add_argument(
        "--hidden", type=sizes, default=[], metavar="8,8",
        help="neurons of each hidden layer (default: none, a linear model)",
    )  # fmt: skip
    part.add_argument(
        "--activation", type=one_of("activation", ACTIVATIONS), metavar="NAME",
        help="activation of hidden layers (default: relu)",
    )  # fmt: skip
    part.add_argument(
        "--initializer", metavar="NAME", default="glorot_uniform",
        type=one_of("initializer", INITIALIZERS, INITIALIZER_ALIASES),
        help="initial weights, such as zeros (default: glorot_uniform)",
    )  # fmt: skip
    part.add_argument(
        "--loss", metavar="NAME", default="mean_squared_error",
        type=one_of("loss", commands.OUTPUTS, LOSS_ALIASES),
        help="the loss to minimise (default: mean_squared_error)",
    )  # fmt: skip
    classes = {cls.__name__: name for name, cls in OPTIMIZERS.items()}
    part.add_argument(
        "--optimizer", type=one_of("optimizer", OPTIMIZERS, classes), default="sgd",
        metavar="NAME", help="default: sgd",
    )  # fmt: skip
    part.add_argument(
        "--lr", "--learning-rate", type=rate, metavar="α",
        help="learning rate (default: the optimizer's; 0.01 for sgd)",
    )  # fmt: skip
    part.add_argument(
        "--standardize", action="store_true",
        help="train on columns scaled to mean 0 and deviation 1; the model takes raw numbers",
    )  # fmt: skip
    part.add_argument(
        "--validation-split", type=share, default=0.0, metavar="0.2",
        help="fraction of the rows, from the end, to validate with",
    )  # fmt: skip
    part.add_argument(
        "--seed", type=whole(0), default=0, metavar="N", help="random seed (default: 0)"
    )


def _training_options(part: ArgumentParser) -> None:
    part.add_argument(
        "--epochs", type=whole(0), default=100, metavar="N", help="passes over it (default: 100)"
    )
    part.add_argument(
        "--batch-size", type=whole(1), default=32, metavar="N", help="rows per step (default: 32)"
    )


# ── The types of arguments ─────────────────────────────────────────────────────────────────


def whole(least: int) -> Callable[[str], int]:
    """A whole number, at least ``least``."""

    def read(text: str) -> int:
        if not (text.isascii() and text.isdigit() and int(text) >= least):
            raise ArgumentTypeError(f"a whole number from {least} is needed. Received: {text!r}.")
        return int(text)

    return read


def sizes(text: str) -> list[int]:
    """Positive whole numbers, separated by commas.

    >>> sizes("8,4")
    [8, 4]
    """
    return [whole(1)(part.strip()) for part in text.split(",")]


def names(text: str) -> list[str]:
    """Names of columns, separated by commas; names that contain commas are quoted, as in CSV.

    >>> names('flats,"size, in m²"')
    ['flats', 'size, in m²']
    """
    fields = next(csv.reader(text.splitlines(), skipinitialspace=True), [])
    columns = [name.strip() for name in fields]
    if not columns or not all(columns) or len(set(columns)) < len(columns):
        raise ArgumentTypeError(f"different names such as a,b are needed. Received: {text!r}.")
    return columns


def delimiter(text: str) -> str:
    """One character, or the word tab."""
    char = {"tab": "\t", "\\t": "\t"}.get(text, text)
    if len(char) != 1 or char in '\r\n"':
        raise ArgumentTypeError(f"one character, or the word tab, is needed. Received: {text!r}.")
    return char


def rate(text: str) -> float:
    """A finite number above 0."""
    return _float(text, "a finite number above 0", lambda x: x > 0.0 and isfinite(x))


def share(text: str) -> float:
    """A number from 0 up to, not including, 1."""
    return _float(text, "a number from 0 up to, not including, 1", lambda x: 0.0 <= x < 1.0)


def _float(text: str, what: str, holds: Callable[[float], bool]) -> float:
    try:
        x = float(text)
    except ValueError:
        x = float("nan")
    if not holds(x):
        raise ArgumentTypeError(f"{what} is needed. Received: {text!r}.")
    return x


def one_of(
    kind: str, table: Mapping[str, Any], aliases: Mapping[str, str] | None = None
) -> Callable[[str], str]:
    """A name of the table, also as an alias."""
    usable = {alias: name for alias, name in (aliases or {}).items() if name in table}

    def read(text: str) -> str:
        try:
            return look_up(kind, text, table, usable)
        except NameUnknown as error:
            raise ArgumentTypeError(str(error)) from None

    return read
