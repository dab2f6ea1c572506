"""Tables in CSV files, as people and spreadsheets write them; and Parquet, by pandas.

A `Table` keeps every field as it is in the file, so that writing it reproduces the file. Only
the columns that a command uses are read as numbers; an error names the line and the column of a
field that is not a number. A column of strings is read as categories: each field is the number of
its string in a list.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from math import inf, isfinite
from pathlib import Path
from statistics import fmean, mean, mode
from typing import NamedTuple

from ..errors import BadArgument, MissingExtra, NotANumber, TinygradError, check_name
from ..files import file_errors, read_whole
from ..strings import plural, short

MISSING = ("", "na", "n/a", "#n/a", "<na>", "nan", "null", "none", "-", "?")
DELIMITERS = ",;\t|"
MOST_CATEGORIES = 50
_NUMERIC = re.compile(
    r"[^A-Za-z]*\d([eE][+-]?\d|[^A-Za-z])*"
)  # a number, or one with a typing error
_GROUPED = re.compile(r"[+-]?\d{1,3}([ \u00a0\u202f']\d{3})+(\.\d*)?")  # 10 000
_BY_SIGN = {  # thousands grouped by the sign that is not the decimal one: 1,234.5 or 1.234,5
    ".": re.compile(r"[+-]?\d{1,3}(,\d{3})+(\.\d*)?"),
    ",": re.compile(r"[+-]?\d{1,3}(\.\d{3})+(,\d*)?"),
}
_DATE = re.compile(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}([ T]\d{1,2}:\d{2}.*)?|\d{1,2}:\d{2}(:\d{2})?")
_NAMED_DELIMITER = re.compile(r"sep=(.)\r?\n")
_LOOKED_AT_CHARACTERS = 200_000
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
        fields = self.fields(name)
        if self.decimal == "." and "_" not in "".join(fields):
            try:  # as most columns are: numbers alone
                plain = list(map(float, fields))
            except ValueError:
                plain = [inf]
            if all(map(isfinite, plain)):
                return [*plain]
        grouped = {x.strip() for x in fields if (",." if self.decimal == "." else ".,")[0] in x}
        thousands = bool(grouped) and all(map(_BY_SIGN[self.decimal].fullmatch, grouped))
        numbers = []
        for field, line in zip(fields, self.lines):
            try:
                numbers.append(number(field, self.decimal, thousands))
            except TinygradError as error:
                where = f"{self.path}, line {line}, column {name!r}"
                raise type(error)(f"{where}: {error}") from None
        return numbers

    def fields(self, name: str) -> list[str]:
        """The fields of a column, as the file has them.

        Raises:
            NameUnknown: with the nearest known name.
        """
        check_name(f"column of {self.path}", name, self.names)
        place = self.names.index(name)
        return [row[place] for row in self.rows]

    def strings(self, name: str) -> list[str | None]:
        """The strings of a column without blanks around them, None where one is missing."""
        fields = map(str.strip, self.fields(name))
        return [None if field.casefold() in MISSING else field for field in fields]

    def constant(self, name: str) -> bool:
        """Whether several fields of a column aren't missing, and all of these are equal."""
        if len(set(self.fields(name))) > MOST_CATEGORIES:  # more than there are signs for missing
            return False
        there = [string for string in self.strings(name) if string is not None]
        return len(there) > 1 and len(set(there)) == 1

    def codes(self, name: str, categories: Sequence[str] | None) -> list[float | None]:
        """The numbers of a column; of one with categories, the place of each string among them.

        Raises:
            BadArgument: for a string that is not among them.
        """
        if categories is None:
            return self.column(name)
        places = {category: float(i) for i, category in enumerate(categories)}
        strings = self.strings(name)
        for string, line in zip(strings, self.lines):
            if string is not None and string not in places:
                raise BadArgument(
                    f"{self.path}, line {line}, column {name!r}: the model does not know "
                    f"{short(string)!r}. It knows {short(', '.join(categories), 60)}."
                )
        return [None if string is None else places[string] for string in strings]

    def taken(self, places: Sequence[int]) -> Table:
        """The rows at these places, in this order."""
        return self._replace(
            rows=[self.rows[i] for i in places], lines=[self.lines[i] for i in places]
        )

    def written(self, x: object) -> str:
        """A field that this table's reader reads back; empty for None."""
        text = "" if x is None else str(x)
        return text.replace(".", self.decimal) if isinstance(x, float) else text

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


def categories_of(table: Table, name: str, numbers: bool = False) -> list[str]:
    """The different strings of a column, in the order of the alphabet.

    Args:
        table: the table.
        name: of the column.
        numbers: whether numbers may be categories too.

    Raises:
        BadArgument: if the column is not one of categories: it is empty or holds dates, numbers
            with something else between them, or too many different strings.
    """
    strings = [string for string in table.strings(name) if string is not None]
    different = sorted(set(strings))
    where = f"{table.path}, column {name!r}:"
    if not strings:
        raise BadArgument(f"{table.path}: column {name!r} is empty.")
    if sum(map(bool, map(_DATE.fullmatch, strings))) > len(strings) / 2:
        raise BadArgument(
            f"{where} it holds dates, such as {strings[0]!r}. Turn them into numbers first, such "
            f"as a year, or the days since the first one."
        )
    if not numbers and any(map(_NUMERIC.fullmatch, strings)):
        table.column(name)  # which names the field that is not a number
    if len(different) > min(MOST_CATEGORIES, max(2, len(strings) // 2)):
        raise BadArgument(
            f"{where} {len(different)} different strings in {plural(len(strings), 'row')} are too "
            f"many for categories, such as {short(different[0])!r}."
        )
    return different


def number(text: str, decimal: str = ".", thousands: bool = False) -> float | None:
    """The number in a field, None if it is missing.

    Args:
        text: the field.
        decimal: the sign before the fraction.
        thousands: whether the other sign groups digits, as in 1,234.5.

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
    plain = text.strip().replace("\u2212", "-")  # the sign that is typeset as a minus
    if plain.casefold() in MISSING:
        return None
    if thousands:
        plain = plain.replace("," if decimal == "." else ".", "")
    if decimal == ",":
        plain = plain.translate({ord("."): "_", ord(","): "."})
    if _GROUPED.fullmatch(plain):
        plain = "".join(plain.replace("'", "").split())
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
    categories: Mapping[str, Sequence[str]] | None = None,
) -> Numbers:
    """The numbers of some columns, row by row.

    Args:
        table: the table to read.
        names: the columns, in this order.
        missing: how to treat a row in which a number is missing: "error" raises, "skip" leaves
            it out, "mean" fills in the mean of the column.
        fills: means of columns to fill in instead of those of this table.
        needed: columns that are never filled in: a row without a number there is left out.
        categories: the strings of those columns that have some; their numbers are places among
            them, and the most frequent one is filled in.

    Raises:
        NameUnknown, NotANumber, BadArgument: see `Table.column`; also for the first missing
            number if that is an error, and if no row is left.

    >>> table = parse("flats,price\\n1,10\\n,20\\n3,\\n", "houses.csv")
    >>> numbers(table, ["flats"], missing="mean").rows
    [[1.0], [2.0], [3.0]]
    >>> numbers(table, ["flats", "price"], missing="skip").places
    [0]
    """
    categories = categories or {}
    columns = [table.codes(name, categories.get(name)) for name in names]
    means = [
        fills[name] if fills and name in fills
        else _middle(column, name, table, mode if name in categories else _mean)
        for name, column in zip(names, columns)
    ]  # fmt: skip
    if not any(None in column for column in columns):  # as most tables are
        return Numbers(list(map(list, zip(*columns))), list(range(len(table.rows))), means, 0)
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


def _mean(xs: list[float]) -> float:
    try:
        return fmean(xs)
    except OverflowError:  # of numbers near the largest, which fractions add without
        return mean(xs)


def _middle(
    column: Sequence[float | None], name: str, table: Table, middle: Callable[[list[float]], float]
) -> float:
    there = [x for x in column if x is not None]
    if not there:
        raise BadArgument(f"{table.path}: column {name!r} contains no numbers.")
    return middle(there)


def read(path: str | Path, delimiter: str | None = None, decimal: str = ".") -> Table:
    """The table in a CSV file, whose first line names the columns; or in a Parquet file.

    A CSV file is read as UTF-8 or, if it begins with a mark that says so, as UTF-16; one that is
    not valid UTF-8 is read as Windows-1252.

    Args:
        path: the file; one that ends in ``.parquet`` is read by pandas.
        delimiter: between fields; detected from the first rows if not given.
        decimal: the sign before the fraction of a number.

    Raises:
        FileError: if it can't be read.
        BadArgument: if it is not such a table; the message names the line.
    """
    if Path(path).suffix.casefold() == ".parquet":
        return _parquet(Path(path))
    content = read_whole(path)
    marked = content.startswith((b"\xff\xfe", b"\xfe\xff"))
    for encoding in ("utf-16",) if marked else ("utf-8-sig", "cp1252"):
        try:
            return parse(content.decode(encoding), str(path), delimiter, decimal)
        except UnicodeDecodeError as error:
            line = content.count(b"\n", 0, error.start) + 1
    raise BadArgument(f"{path}, line {line}: not valid UTF-8. Save the file as UTF-8.")


def _parquet(path: Path) -> Table:
    """The table in a Parquet file, its fields as strings.

    Raises:
        MissingExtra: without pandas and pyarrow.
        FileError: if it can't be read.
    """
    with file_errors(path, "read"):
        content = read_whole(path)
    try:
        frame = import_module("pandas").read_parquet(io.BytesIO(content))
    except ImportError as error:
        raise MissingExtra(
            "Parquet files need pandas and pyarrow, which are not installed. Install them with: "
            "pip install 'tinygrad-edu[tables]'"
        ) from error
    except Exception as error:  # pyarrow's errors are of many kinds
        raise BadArgument(f"{path} is not a Parquet file that pandas can read: {error}") from error
    rows = [["" if x != x or x is None else str(x) for x in row] for row in frame.to_numpy(object)]
    return Table(str(path), list(map(str, frame.columns)), rows, list(range(1, len(rows) + 1)))


def parse(text: str, path: str, delimiter: str | None = None, decimal: str = ".") -> Table:
    """The table in the contents of a CSV file; see `read`.

    >>> parse("flats;price\\n1;10\\n", "houses.csv")
    Table(path='houses.csv', names=['flats', 'price'], rows=[['1', '10']], lines=[2], ...
    """
    named = _NAMED_DELIMITER.match(text)  # by Excel, in a line of its own before the header
    if named:
        delimiter, text = delimiter or named[1], "\n" + text[named.end() :]
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
    if not any(row[-1].strip() for _, row in records if len(row) == len(header)):
        header = header[:-1]  # each line ends in a delimiter
    names = [name.strip() or f"column {i}" for i, name in enumerate(header, 1)]
    width = len(names)
    body = [
        (line, row if len(row) <= width or "".join(row[width:]) else row[:width])
        for line, row in body
    ]
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
            if any(map(str.strip, record)):
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
        records, _ = _records(text[:_LOOKED_AT_CHARACTERS], delimiter, _LOOKED_AT)
        widths = [len(record) for _, record in records] or [0]
        return (widths.count(widths[0]) if widths[0] > 1 else 0), widths[0]

    best = max(DELIMITERS, key=agreement)
    return " " if agreement(best)[0] == 0 < agreement(" ")[0] else best


def _is_number(text: str, decimal: str) -> bool:
    try:
        return number(text, decimal) is not None
    except TinygradError:
        return False
