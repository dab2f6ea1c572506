"""Tables of numbers in CSV files, as people and spreadsheets write them.

A `Table` keeps every field as it is in the file, so that writing it reproduces the file. Only
the columns that a command uses are read as numbers; an error names the line and the column of a
field that is not a number.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping, Sequence
from math import isfinite
from pathlib import Path
from statistics import mean
from typing import NamedTuple

from ..errors import BadArgument, NotANumber, TinygradError, check_name
from ..files import read_whole
from ..strings import plural

MISSING = ("", "na", "n/a", "nan", "null")
DELIMITERS = ",;\t"
_GROUPED = re.compile(r"[+-]?\d{1,3}([ \u00a0\u202f]\d{3})+(\.\d*)?")  # 10 000
_LOOKED_AT = 20  # rows from which the delimiter is detected


class Table(NamedTuple):
    """A header and rows of fields.

    Attributes:
        path: the file, for errors.
        names: of the columns; one without a name is called by its place, "column 1".
        rows: the fields of each row, unchanged.
        lines: the line of the file on which each row begins, counted from 1.
        delimiter: between fields.
        decimal: the sign before the fraction of a number.
    """

    path: str
    names: list[str]
    rows: list[list[str]]
    lines: list[int]
    delimiter: str = ","
    decimal: str = "."

    def column(self, name: str) -> list[float | None]:
        """The numbers of a column, None where one is missing.

        Raises:
            NameUnknown: with the nearest known name.
            NotANumber, BadArgument: for the first field that is not a finite number.
        """
        check_name(f"column of {self.path}", name, self.names)
        place = self.names.index(name)
        numbers = []
        for row, line in zip(self.rows, self.lines):
            try:
                numbers.append(number(row[place], self.decimal))
            except TinygradError as error:
                where = f"{self.path}, line {line}, column {name!r}"
                raise type(error)(f"{where}: {error}") from None
        return numbers

    def text(self, more: Mapping[str, Sequence[object]]) -> str:
        """The contents of a CSV file with this table, with more columns after its own.

        >>> parse("flats;price\\n1;10\\n", "houses.csv").text({"sold": ["no"]})
        'flats;price;sold\\n1;10;no\\n'
        """
        file = io.StringIO()
        writer = csv.writer(file, delimiter=self.delimiter, lineterminator="\n")
        writer.writerow([*self.names, *more])
        writer.writerows([*row, *extra] for row, *extra in zip(self.rows, *more.values()))
        return file.getvalue()


class Numbers(NamedTuple):
    """Columns of a table as rows of floats.

    Attributes:
        rows: one list of floats for each row that is used.
        places: which rows of the table these are.
        means: of the columns, over the numbers that are there.
        filled: how many missing numbers became the mean.
    """

    rows: list[list[float]]
    places: list[int]
    means: list[float]
    filled: int


def number(text: str, decimal: str = ".") -> float | None:
    """The number in a field, None if it is missing.

    Raises:
        NotANumber: for anything else.
        BadArgument: for a number that does not fit a float.

    >>> number(" 10 000.5 "), number("1,5", decimal=","), number("NA")
    (10000.5, 1.5, None)
    >>> number("two")
    Traceback (most recent call last):
        ...
    tinygrad_edu.errors.NotANumber: a number is needed. Received: 'two'.
    """
    plain = text.strip()
    if plain.casefold() in MISSING:
        return None
    if decimal == ",":
        plain = plain.translate({ord("."): "_", ord(","): "."})
    if _GROUPED.fullmatch(plain):
        plain = "".join(plain.split())
    try:
        x = float("" if "_" in plain else plain)  # 2020_01 is a number to Python only
    except ValueError:
        comma = re.fullmatch(r"[+-]?\d+,\d+", plain) is not None
        hint = " Is its comma a decimal point? Use --decimal ','." if comma else ""
        raise NotANumber(f"a number is needed. Received: {text!r}.{hint}") from None
    if not isfinite(x):
        raise BadArgument(f"a finite number is needed. Received: {text!r}.")
    return x


def numbers(
    table: Table,
    names: Sequence[str],
    missing: str = "error",
    fills: Mapping[str, float] | None = None,
    needed: Sequence[str] = (),
) -> Numbers:
    """The numbers of some columns, row by row.

    Args:
        table: the table to read.
        names: the columns, in this order.
        missing: how to treat a row in which a number is missing: "error" raises, "skip" leaves
            it out, "mean" fills in the mean of the column.
        fills: means of columns to fill in instead of those of this table.
        needed: columns that are never filled in: a row without a number there is left out.

    Raises:
        NameUnknown, NotANumber, BadArgument: see `Table.column`; also for the first missing
            number if that is an error, and if no row is left.

    >>> table = parse("flats,price\\n1,10\\n,20\\n3,\\n", "houses.csv")
    >>> numbers(table, ["flats"], missing="mean").rows
    [[1.0], [2.0], [3.0]]
    >>> numbers(table, ["flats", "price"], missing="skip").places
    [0]
    """
    columns = [table.column(name) for name in names]
    means = [
        fills[name] if fills and name in fills else _mean(column, name, table)
        for name, column in zip(names, columns)
    ]
    fillable = [missing == "mean" and name not in needed for name in names]
    rows, places, filled = [], [], 0
    for i, row in enumerate(zip(*columns)):
        gaps = [j for j, x in enumerate(row) if x is None]
        if gaps and missing == "error":
            raise BadArgument(
                f"{table.path}, line {table.lines[i]}, column {names[gaps[0]]!r}: the number is "
                f"missing. Fill it in, or use --missing skip or --missing mean."
            )
        if all(fillable[j] for j in gaps):
            rows.append([x if x is not None else fill for x, fill in zip(row, means)])
            places.append(i)
            filled += len(gaps)
    if not rows:
        raise BadArgument(f"In {table.path}, every row lacks a number in one of the columns used.")
    return Numbers(rows, places, means, filled)


def _mean(column: Sequence[float | None], name: str, table: Table) -> float:
    there = [x for x in column if x is not None]
    if not there:
        raise BadArgument(f"{table.path}: column {name!r} contains no numbers.")
    return mean(there)


def read(path: str | Path, delimiter: str | None = None, decimal: str = ".") -> Table:
    """The table in a CSV file: UTF-8, its first line names the columns.

    Args:
        path: the file.
        delimiter: between fields; detected from the first rows if not given.
        decimal: the sign before the fraction of a number.

    Raises:
        FileError: if it can't be read.
        BadArgument: if it is not such a table; the message names the line.
    """
    content = read_whole(path)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise BadArgument(
            f"{path}, line {line}: not valid UTF-8. Save the file as UTF-8."
        ) from error
    return parse(text, str(path), delimiter, decimal)


def parse(text: str, path: str, delimiter: str | None = None, decimal: str = ".") -> Table:
    """The table in the contents of a CSV file; see `read`.

    >>> parse("flats;price\\n1;10\\n", "houses.csv")
    Table(path='houses.csv', names=['flats', 'price'], rows=[['1', '10']], lines=[2], ...
    """
    delimiter = delimiter or _delimiter(text)
    records, problem = _records(text, delimiter)
    if problem:
        line, what = problem
        raise BadArgument(f"{path}, line {line}: not valid CSV: {what}.")
    if len(records) < 2:
        raise BadArgument(
            f"{path} is too short. It needs a line that names the columns, and at least one "
            f"line of numbers. Received: {plural(len(records), 'line')}."
        )
    (_, header), *body = records
    names = [name.strip() or f"column {i}" for i, name in enumerate(header, 1)]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise BadArgument(f"{path} has two columns named {twice!r}. Rename one.")
    if all(_is_number(name, decimal) for name in header):
        raise BadArgument(
            f"{path}: its first line must name the columns. Received: {', '.join(header)}."
        )
    for line, row in body:
        if len(row) != len(names):
            raise BadArgument(
                f"{path}, line {line}: {plural(len(names), 'field')} are needed, as in the header. "
                f"Received: {len(row)}. (The delimiter is {delimiter!r}.)"
            )
    rows, lines = [row for _, row in body], [line for line, _ in body]
    return Table(path, names, rows, lines, delimiter, decimal)


def _records(
    text: str, delimiter: str, most: int | None = None
) -> tuple[list[tuple[int, list[str]]], tuple[int, str] | None]:
    """Every record that is not blank, with the line it starts on; and the error that stopped it."""
    reader = csv.reader(
        io.StringIO(text, newline=""),
        delimiter=delimiter,
        skipinitialspace=True,
        strict=True,  # a quote that is never closed would swallow the rest of the file
    )
    records: list[tuple[int, list[str]]] = []
    begins = 1
    try:
        for record in reader:
            if any(field.strip() for field in record):
                records.append((begins, record))
            if len(records) == most:
                break
            begins = reader.line_num + 1
    except csv.Error as error:
        return records, (begins, str(error))
    return records, None


def _delimiter(text: str) -> str:
    """The delimiter that splits most of the first rows into as many fields as the header.

    csv.Sniffer guesses from counts of letters and is often wrong on small tables.
    """

    def agreement(delimiter: str) -> tuple[int, int]:
        records, _ = _records(text, delimiter, _LOOKED_AT)
        widths = [len(record) for _, record in records] or [0]
        return (widths.count(widths[0]) if widths[0] > 1 else 0), widths[0]

    return max(DELIMITERS, key=agreement)


def _is_number(text: str, decimal: str) -> bool:
    try:
        return number(text, decimal) is not None
    except TinygradError:
        return False
