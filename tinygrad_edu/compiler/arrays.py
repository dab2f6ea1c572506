"""The numbers that go into a program and come out: NumPy's arrays, or lists where it is missing.

`Lists` and `Arrays` have the same methods, so a program runs with either.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from functools import cache
from typing import Any, Final

from ..core.table import number
from ..errors import BadArgument, NotANumber

__all__ = ["SMALL", "Arrays", "Lists", "arrays"]


SMALL: Final = 2**20
"""Bytes of an array that may be kept from one call to the next."""


def listed(numbers: Any) -> Any:
    """An array as a list, and a list as it is."""
    return numbers.tolist() if hasattr(numbers, "tolist") else numbers


class Results:
    """The totals of a program, the terms that count once, and their sum.

    Attributes:
        total, once: for a kernel to fill.
        front: the totals, or ``once`` if there are none: the loss, then its slopes.
        kernel, run: the kernel that fills these results, and a function that runs it for them.
    """

    kernel: Any
    run: Callable[[int, Any, Any], None]

    def __init__(self, totals: int, onces: int) -> None:
        self.total: Any = [0.0] * totals
        self.once: Any = [0.0] * onces
        self.front = self.total or self.once

    def reduce(self, n: int) -> None:
        """Divide the totals by n, and add the terms that count once, if there are any."""
        total = self.total
        if n != 1:
            total[:] = [x / n for x in total]
        if total and self.once:
            total[:] = [x + y for x, y in zip(total, self.once)]

    @property
    def slopes(self) -> Any:
        """The slopes of the loss."""
        return self.front[1:]


class ArrayResults(Results):
    """The same in memory with a fixed address, which is used again and again.

    Attributes:
        slopes: an array of the slopes, until they are overwritten by those of another call.
    """

    slopes = None  # in the place of the property

    def __init__(self, totals: int, onces: int) -> None:
        import ctypes

        import numpy as np

        self._numpy = np
        self.total, self.once = (ctypes.c_double * totals)(), (ctypes.c_double * onces)()
        self.front = self.total or self.once
        self._arrays = [np.frombuffer(x) for x in (self.total, self.once) if x]
        self.slopes = self._arrays[0][1:] if self._arrays else None

    def reduce(self, n: int) -> None:
        total = self._arrays[0]
        if n != 1 and self.total:
            self._numpy.divide(total, n, total)
        for once in self._arrays[1:]:
            with self._numpy.errstate(all="ignore"):  # inf − inf is nan, without a warning
                self._numpy.add(total, once, total)


class Lists:
    """Lists of floats, and lists of lists for tables."""

    results = Results

    def table_of(self, batch: Any, width: int) -> Any:
        """A batch as a table of that many columns."""
        rows = [[number(x) for x in _items(row)] for row in _items(batch)]
        for row in rows:
            if len(row) != width:
                raise BadArgument(f"a row of {len(row)} numbers")
        return rows

    def numbers_of(self, numbers: Any, count: int) -> Any:
        """That many numbers, from anything that holds them in order."""
        floats = [number(x) for x in _items(numbers)]
        if len(floats) != count:
            raise BadArgument(f"{len(floats)}")
        return floats

    def of_floats(self, numbers: list[float]) -> Any:
        """A list of floats, as the program takes it."""
        return numbers

    def empty_table(self, n: int, width: int) -> Any:
        return [[0.0] * width for _ in range(n)]

    def column(self, table: Any) -> Any:
        """The only column of a table."""
        return [x for (x,) in table]

    def template(self, row: Sequence[float], places: Sequence[int]) -> tuple[Any, Any]:
        """The arguments of `spread`, made once for many calls."""
        return row, places

    def spread(self, table: Any, row: Any, places: Any) -> Any:
        """Each row of the table put into these places of a longer row."""
        rows = [list(row) for _ in table]
        for longer, numbers in zip(rows, table):
            for place, x in zip(places, numbers):
                longer[place] = x
        return rows


def _items(x: Any) -> Any:
    """x, if it is iterable and its numbers have an order."""
    if isinstance(x, (str, bytes, Mapping, Set)) or not hasattr(x, "__iter__"):
        raise BadArgument(f"{x!r}")
    return x


class Arrays:
    """Arrays of float64. Contiguous ones are used without a copy."""

    results = ArrayResults

    def __init__(self) -> None:
        import numpy

        self._np = numpy
        self._kind, self._float = numpy.ndarray, numpy.dtype(numpy.float64)

    def contiguous(self, x: Any) -> Any:
        """An array of float64 that holds the real numbers of x."""
        array = x
        if type(x) is not self._kind or x.dtype is not self._float or not x.flags.c_contiguous:
            array = self._np.ascontiguousarray(self._real(x), dtype=self._float)
        return array if array.flags.aligned else array.copy()

    def _real(self, x: Any) -> Any:
        """x as an array, if it holds real numbers: NumPy would also read strings as numbers, and
        drop imaginary parts and masks."""
        np = self._np
        rows = x if isinstance(x, (list, tuple)) and x and hasattr(x[0], "__len__") else [x]
        if any(hasattr(row, "mask") and np.ma.is_masked(row) for row in rows):
            raise NotANumber("Real numbers are needed. Received: masked ones. Fill or drop them.")
        try:
            array = np.asarray(x)
        except ValueError:
            raise BadArgument("rows that are not equally long") from None
        if array.dtype.kind == "O":
            return np.array([number(item) for item in array.flat]).reshape(array.shape)
        if array.dtype.kind not in "biuf":
            raise NotANumber(f"Real numbers are needed. Received: {array!r}.")
        return array

    def table_of(self, batch: Any, width: int) -> Any:
        table = self.contiguous(batch)
        if table.ndim != 2 or table.shape[1] != width:
            if table.shape == (0,):  # no rows, so none is too short
                return table.reshape(0, width)
            raise BadArgument(f"an array of shape {table.shape}")
        return table

    def numbers_of(self, numbers: Any, count: int) -> Any:
        array = self.contiguous(numbers)
        if array.shape != (count,):
            raise BadArgument(f"{len(array)}" if array.ndim == 1 else f"shape {array.shape}")
        return array

    def of_floats(self, numbers: list[float]) -> Any:
        return self._np.array(numbers, self._float)

    def empty_table(self, n: int, width: int) -> Any:
        return self._np.empty((n, width))

    def column(self, table: Any) -> Any:
        return table[:, 0]

    def template(self, row: Sequence[float], places: Sequence[int]) -> tuple[Any, Any]:
        return self._np.array(row), self._np.array(places, int)

    def spread(self, table: Any, row: Any, places: Any) -> Any:
        if len(table) == 1:  # in a third of the time
            single = row.copy()
            single[places] = table[0]
            return single.reshape(1, -1)
        rows = self._np.empty((len(table), len(row)))
        rows[:] = row
        rows[:, places] = table
        return rows


@cache
def arrays() -> Any:
    """Arrays if NumPy is installed, else lists."""
    try:
        return Arrays()
    except ImportError:
        return Lists()
