"""The arguments of every command of ``tinygrad-edu``, and their ``--help``: tables of options."""

from __future__ import annotations

import csv
from argparse import ArgumentParser, ArgumentTypeError, RawDescriptionHelpFormatter
from collections.abc import Callable, Mapping
from math import inf, nan
from pathlib import Path
from textwrap import dedent, indent
from typing import Any, TypeVar

from ..errors import NameUnknown
from ..nn.activations import ACTIVATIONS
from ..nn.initializers import ALIASES as INITIALIZER_ALIASES
from ..nn.initializers import INITIALIZERS
from ..nn.losses import ALIASES as LOSS_ALIASES
from ..nn.names import look_up
from ..nn.optimizers import OPTIMIZERS
from . import commands

T = TypeVar("T")

# ── The types of arguments ─────────────────────────────────────────────────────────────────


def of_type(
    what: str, read: Callable[[str], T], holds: Callable[[T], object]
) -> Callable[[str], T]:
    """A type of argument: what ``read`` makes of a string, if it meets a condition.

    >>> of_type("an even number", int, lambda n: n % 2 == 0)("3")
    Traceback (most recent call last):
        ...
    argparse.ArgumentTypeError: an even number is needed. Received: '3'.
    """

    def checked(text: str) -> T:
        x = read(text)
        if not holds(x):
            raise ArgumentTypeError(f"{what} is needed. Received: {text!r}.")
        return x

    return checked


def one_of(
    kind: str, table: Mapping[str, Any], aliases: Mapping[str, str] | None = None
) -> Callable[[str], str]:
    """A name in the table, or an alias of one."""
    usable = {alias: name for alias, name in (aliases or {}).items() if name in table}

    def read(text: str) -> str:
        try:
            return look_up(kind, text, table, usable)
        except NameUnknown as error:
            raise ArgumentTypeError(str(error)) from None

    return read


def whole(least: int) -> Callable[[str], int]:
    """A whole number, at least ``least``."""

    def read(text: str) -> int:
        return int(text) if text.isascii() and text.isdigit() else -1

    return of_type(f"a whole number from {least}", read, lambda n: n >= least)


def sizes(text: str) -> list[int]:
    """Positive whole numbers, separated by commas.

    >>> sizes("8,4")
    [8, 4]
    """
    return [whole(1)(part.strip()) for part in text.split(",")]


def listed(text: str) -> list[str]:
    """Names, separated by commas; those that contain commas are quoted, as in CSV.

    >>> listed('flats,"size, in m²"')
    ['flats', 'size, in m²']
    """
    fields = next(csv.reader(text.splitlines(), skipinitialspace=True), [])
    return [name.strip() for name in fields]


def real(text: str) -> float:
    """A number; nan for a string that is not a number."""
    try:
        return float(text)
    except ValueError:
        return nan


names = of_type("a list of different names such as a,b", listed,
                lambda given: given and all(given) and len(set(given)) == len(given))  # fmt: skip
delimiter = of_type("one character or the word tab",
                    lambda text: {"tab": "\t", "\\t": "\t"}.get(text, text),
                    lambda char: len(char) == 1 and char not in '\r\n"')  # fmt: skip
rate = of_type("a finite number above 0", real, lambda x: 0.0 < x < inf)
share = of_type("a number from 0 up to, not including, 1", real, lambda x: 0.0 <= x < 1.0)


# ── The options, by the names that argparse takes, and the commands that have them ─────────

Options = dict[str, dict[str, Any]]

SAVED: Options = {"model": {"type": Path, "metavar": "MODEL", "help": "a file that train saved"}}
TABLE: Options = {
    "table": {"type": Path, "metavar": "TABLE", "help": "a CSV or Parquet file"},
    "--missing": {
        "choices": ("error", "skip", "mean"), "default": "error",
        "help": "if a number is missing: stop (default), leave out the row, or use the mean",
    },
    "--delimiter": {
        "type": delimiter, "metavar": "CHAR", "help": "between fields (default: detected)",
    },
    "--decimal": {
        "choices": (".", ","), "default": ".", "metavar": "CHAR",
        "help": "decimal separator: a point (default) or a comma",
    },
}  # fmt: skip
FEATURES: Options = {
    "--features": {
        "type": names, "metavar": "A,B", "help": "input columns (default: all that can be used)",
    },
}  # fmt: skip
COLUMNS: Options = {
    **FEATURES,
    "--target": {"metavar": "C", "help": "column to predict (default: the last)"},
    "--categories": {
        "type": names,
        "metavar": "A,B",
        "help": "columns of numbers that are categories (default: columns of words)",
    },
}
MODEL: Options = {
    "--hidden": {
        "type": sizes, "default": [], "metavar": "8,8",
        "help": "neurons of each hidden layer (default: none, a linear model)",
    },
    "--activation": {
        "type": one_of("activation", ACTIVATIONS), "metavar": "NAME",
        "help": "activation of hidden layers (default: relu)",
    },
    "--initializer": {
        "type": one_of("initializer", INITIALIZERS, INITIALIZER_ALIASES), "metavar": "NAME",
        "default": "glorot_uniform",
        "help": "initial weights, such as zeros (default: glorot_uniform)",
    },
    "--loss": {
        "type": one_of("loss", commands.OUTPUTS, LOSS_ALIASES), "metavar": "NAME",
        "help": "the loss to minimise (default: mean_squared_error, or a crossentropy of classes)",
    },
    "--optimizer": {
        "type": one_of("optimizer", OPTIMIZERS, {f.__name__: x for x, f in OPTIMIZERS.items()}),
        "default": "sgd", "metavar": "NAME", "help": "default: sgd",
    },
    "--lr --learning-rate": {
        "type": rate, "metavar": "α",
        "help": "learning rate (default: the optimizer's; 0.01 for sgd)",
    },
    "--standardize": {
        "action": "store_true",
        "help": "train on columns scaled to mean 0 and deviation 1; the model takes raw numbers",
    },
    "--validation": {
        "type": share, "default": 0.0, "metavar": "0.2",
        "help": "fraction of the rows, drawn at random, to validate with",
    },
    "--validation-split": {
        "type": share, "default": 0.0, "metavar": "0.2",
        "help": "fraction of the rows, from the end, to validate with",
    },
    "--seed": {
        "type": whole(0), "default": 0, "metavar": "N", "help": "random seed (default: 0)",
    },
}  # fmt: skip
TRAINING: Options = {
    "--epochs": {
        "type": whole(0), "default": 100, "metavar": "N",
        "help": "passes over the rows (default: 100)",
    },
    "--batch-size": {
        "type": whole(1), "default": 32, "metavar": "N", "help": "rows per step (default: 32)",
    },
}  # fmt: skip
QUIET: Options = {"--quiet": {"action": "store_true", "help": "print nothing"}}
JSON: Options = {"--json": {"action": "store_true", "help": "print only one JSON object"}}


def _rows(what: str) -> Options:
    return {"--rows": {"type": whole(1), "metavar": "N", "help": what}}


def _file(name: str, what: str, **more: Any) -> Options:
    return {name: {"type": Path, "metavar": "FILE", "help": what, **more}}


COMMANDS: dict[Callable[..., Any], tuple[Options, str]] = {
    commands.train: (
        {**TABLE, **COLUMNS, **MODEL, **TRAINING, **QUIET, **JSON,
         **_file("--model", "where to save the model (default: not saved)")},
        """
        tinygrad-edu train houses.csv --features flats --target price --epochs 500
        tinygrad-edu train houses.csv --standardize --model model.json
        tinygrad-edu train houses.csv --hidden 8,8 --optimizer adam --lr 0.01
        tinygrad-edu train sold.csv --target sold --loss binary_crossentropy
        """,
    ),
    commands.explore: (
        {**TABLE, **COLUMNS, **MODEL, **TRAINING, **QUIET, **JSON,
         **_rows("rows to show (default: 12)"),
         **_file("--output", "the page to write (default: model.html)",
                 default=Path("model.html"))},
        """
        tinygrad-edu explore houses.csv --features flats --target price
        tinygrad-edu explore houses.csv --hidden 3 --activation tanh --standardize --lr 0.1
        """,
    ),
    commands.predict: (
        {**SAVED, **TABLE, **QUIET, **JSON, **FEATURES,
         **_file("--output", "a CSV file (default: print it)")},
        """
        tinygrad-edu predict model.json houses.csv --output predictions.csv
        tinygrad-edu predict model.json houses.csv --missing skip > predictions.csv
        """,
    ),
    commands.summary: ({**SAVED, **JSON}, "tinygrad-edu summary model.json"),
    commands.graph: (
        {**SAVED, **TABLE, "table": {**TABLE["table"], "nargs": "?"}, **COLUMNS, **QUIET, **JSON,
         **_rows("rows to draw (default: 3)"),
         **_file("--output", "a .svg, .png, .pdf, .tikz or .dot (default: graph.svg)",
                 default=Path("graph.svg"))},
        """
        tinygrad-edu graph model.json --output graph.svg
        tinygrad-edu graph model.json houses.csv --rows 2 --output loss.png
        """,
    ),
    commands.diagnose: (
        {**TABLE, **COLUMNS, **MODEL, **JSON, **_rows("rows to use"),
         **_file("--model", "a file that train saved, instead of a new model")},
        """
        tinygrad-edu diagnose houses.csv --features flats --target price
        tinygrad-edu diagnose houses.csv --hidden 4 --rows 20
        tinygrad-edu diagnose houses.csv --model model.json
        """,
    ),
    commands.homework: (
        {"action": {"choices": ("start", "check", "try"), "help": "what to do"},
         "names": {"nargs": "*", "metavar": "TASK", "help": "tasks or files (default: all)"},
         "--folder": {"type": Path, "metavar": "FOLDER", "default": Path("homework"),
                      "help": "of the files (default: homework)"},
         "--task": {"metavar": "FILE", "help": "a teacher's task, to check files of it"},
         **QUIET, **JSON},
        """
        tinygrad-edu homework start                 the files of all tasks
        tinygrad-edu homework start build1          the first of eight steps, build1 to build8
        tinygrad-edu homework check slopes          a verdict in words
        tinygrad-edu homework check class/*.py --json > grades.json
        tinygrad-edu homework try my_task.txt       for teachers: each planted mistake
        """,
    ),
}  # fmt: skip


def add_commands(parser: ArgumentParser) -> None:
    """Add the commands to the parser of ``tinygrad-edu``."""
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND")
    for command, (options, examples) in COMMANDS.items():
        does = (command.__doc__ or "").strip()
        sub = subparsers.add_parser(
            command.__name__,
            help=does[0].lower() + does[1:].rstrip("."),
            description=does,
            epilog="examples:\n" + indent(dedent(examples).strip(), "  "),
            formatter_class=RawDescriptionHelpFormatter,
        )
        for option, settings in options.items():
            sub.add_argument(*option.split(), **settings)
        sub.set_defaults(command=command, parser=sub, quiet=False)
