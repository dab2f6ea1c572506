"""Nested lists, tuples, dicts and arrays of numbers, taken apart and put together again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..errors import BadArgument, NotANumber
from .table import is_real, number

Rebuild = Callable[[Sequence[Any]], Any]


def flatten(tree: Any) -> tuple[list[Any], Rebuild]:
    """The numbers and Values of a tree in order, and what puts others in their places.

    >>> numbers, rebuild = flatten({"w": [1.0, 2.0], "b": 3.0})
    >>> numbers
    [1.0, 2.0, 3.0]
    >>> rebuild([10.0, 20.0, 30.0])
    {'w': [10.0, 20.0], 'b': 30.0}
    """
    if hasattr(tree, "interpret") or (is_real(tree) and not getattr(tree, "shape", ())):
        return [tree], _only
    if isinstance(tree, dict):
        keys, children = list(tree), list(tree.values())
        return _together(children, lambda parts: dict(zip(keys, parts)))
    if isinstance(tree, tuple) and hasattr(tree, "_fields"):  # a named tuple
        return _together(list(tree), lambda parts: type(tree)(*parts))
    if isinstance(tree, (list, tuple)):
        return _together(list(tree), type(tree))
    if hasattr(tree, "shape") and hasattr(tree, "reshape"):
        return _of_array(tree)
    raise NotANumber(
        f"Numbers, Values, or lists, tuples, dicts and arrays of them are needed. "
        f"Received: {tree!r} (of type {type(tree).__name__})."
    )


def _only(numbers: Sequence[Any]) -> Any:
    return numbers[0]


def _together(
    children: list[Any], assemble: Callable[[list[Any]], Any]
) -> tuple[list[Any], Rebuild]:
    flat = [flatten(child) for child in children]
    if all(part_rebuild is _only for _, part_rebuild in flat):  # a list of numbers, say
        return [x for (x,), _ in flat], lambda numbers: assemble(list(numbers))

    def rebuild(numbers: Sequence[Any]) -> Any:
        parts, start = [], 0
        for part, part_rebuild in flat:
            parts.append(part_rebuild(numbers[start : start + len(part)]))
            start += len(part)
        return assemble(parts)

    return [x for part, _ in flat for x in part], rebuild


def _of_array(array: Any) -> tuple[list[Any], Rebuild]:
    shape = array.shape
    if getattr(getattr(array, "dtype", None), "kind", "f") in "mM":  # tolist would give ints
        raise NotANumber(f"Numbers are needed. Received: times, in {array!r}.")

    def rebuild(numbers: Sequence[Any]) -> Any:
        import numpy

        made = numpy.array(numbers)  # whose items may be arrays too: a Jacobian's rows are
        return made.reshape(shape + made.shape[1:])

    return list(array.reshape(-1).tolist()), rebuild


def as_array(tree: Any) -> Any:
    """Nested lists as a NumPy array where NumPy is installed, else as they are."""
    try:
        import numpy
    except ImportError:
        return tree
    return numpy.array(tree)


def ravel(tree: Any) -> tuple[list[Any], Callable[[Any], Any]]:
    """A tree of numbers as one flat list, and the function that undoes it.

    What optimisers of other libraries want: see the recipe with ``scipy.optimize`` in the
    documentation.

    Args:
        tree: nested lists, tuples, dicts and arrays of numbers or Values.

    Returns:
        ``(flat, unravel)``; ``unravel`` takes any sequence of ``len(flat)`` numbers.

    Raises:
        NotANumber: if something in the tree is neither.
        BadArgument: from ``unravel``, for a sequence of another length.

    >>> flat, unravel = ravel({"w": [1.0, 2.0], "b": 3.0})
    >>> flat
    [1.0, 2.0, 3.0]
    >>> unravel([x * 2 for x in flat])
    {'w': [2.0, 4.0], 'b': 6.0}
    """
    numbers, rebuild = flatten(tree)

    def unravel(flat: Any) -> Any:
        items = [x if hasattr(x, "interpret") else number(x) for x in flat]
        if len(items) != len(numbers):
            raise BadArgument(f"unravel needs {len(numbers)} numbers. Received: {len(items)}.")
        return rebuild(items)

    return numbers, unravel
