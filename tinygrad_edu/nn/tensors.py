"""`Tensor`: what user-defined losses, metrics and layers get, so that code for tensors runs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import prod
from typing import Any

from ..arrays import of_values
from ..core.value import plain
from ..errors import MissingExtra
from ..trees import as_array, flatten


class Tensor(list[Any]):
    """A list of numbers, Values or lists of them, whose arithmetic is that of NumPy's arrays.

    Args:
        items: the items of the list.
        shape: the shape that arithmetic sees; by default that of the list.

    >>> from ..core.value import Value
    >>> errors = Tensor([3.0, 5.0], (2, 1)) - Tensor([Value(1.0), Value(2.0)], (2, 1))
    >>> [[x.data for x in row] for row in errors**2]
    [[4.0], [9.0]]
    """

    def __init__(self, items: Iterable[Any], shape: tuple[int, ...] | None = None) -> None:
        super().__init__(items)
        self._shape = shape

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        np = numpy()
        numbers = flatten(list(self))[0]
        kind = float if all(type(x) is float for x in numbers) else object
        array = np.empty(len(numbers), kind)
        array[:] = numbers
        shape = self._shape
        if shape is None or prod(shape) != len(numbers):
            shape = (len(self), len(numbers) // max(1, len(self)))
        array = array.reshape(shape)
        return of_values(array) if dtype is None else array.astype(dtype)

    def numpy(self) -> Any:
        """The numbers, without what they were made from, as an array if NumPy is installed."""
        numbers = [plain(x) for x in flatten(list(self))[0]]
        return as_array(shaped(numbers, self._shape) if self._shape is not None else numbers)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self.__array__(), name)  # shape, mean, reshape, ...

    def __getitem__(self, place: Any) -> Any:
        index = isinstance(place, slice) or hasattr(place, "__index__")
        return super().__getitem__(place) if index else self.__array__()[place]

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **settings: Any) -> Any:
        arrays = [x.__array__() if isinstance(x, Tensor) else x for x in inputs]
        return getattr(ufunc, method)(*arrays, **settings)


def shaped(flat: Sequence[Any], shape: tuple[int, ...]) -> Any:
    """Nested lists of this shape.

    >>> shaped([1.0, 2.0], (2, 1))
    [[1.0], [2.0]]
    """
    if not shape:
        return flat[0]
    step = len(flat) // shape[0]
    return [shaped(flat[i * step : (i + 1) * step], shape[1:]) for i in range(shape[0])]


def _operator(name: str) -> Any:
    def of_arrays(self: Tensor, *others: Any) -> Any:
        plain = [x.__array__() if isinstance(x, Tensor) else x for x in others]
        return getattr(self.__array__(), name)(*plain)

    return of_arrays


for _name in ("add", "sub", "mul", "truediv", "pow", "matmul", "floordiv", "mod"):
    for _way in ("", "r"):
        setattr(Tensor, f"__{_way}{_name}__", _operator(f"__{_way}{_name}__"))
for _name in ("neg", "pos", "abs", "lt", "le", "gt", "ge"):
    setattr(Tensor, f"__{_name}__", _operator(f"__{_name}__"))


def numpy() -> Any:
    """NumPy, which code for tensors needs.

    Raises:
        MissingExtra: if it is not installed.
    """
    try:
        import numpy as np
    except ImportError as error:
        raise MissingExtra(
            "Arithmetic with whole arrays needs NumPy, which is not installed. Write it with "
            "numbers one by one, or pip install 'tinygrad-edu[compiler]'."
        ) from error
    return np
