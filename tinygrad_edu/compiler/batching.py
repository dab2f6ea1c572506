"""`vmap`: a function of one sample as a function of many, sample by sample or as one call.

Alone it is a loop. Inside `jit` the samples become the lanes of one program.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from typing import Any

from ..core.value import Value
from ..errors import BadArgument
from ..trees import container, is_array, is_several, like, several
from .arrays import arrays
from .calls import (
    COMMON,
    OWN,
    STATIC,
    Call,
    Static,
    call_of,
    call_on_values,
    check_function,
    is_method,
    pickled,
    shape_of,
)

__all__ = ["vmap"]


def vmap(f: Callable[..., Any], in_axes: int | Sequence[int | None] | None = 0) -> Vmapped:
    """f, a function of one sample, as a function of many.

    Args:
        f: ordinary Python on Values; may be a `grad` or `value_and_grad` of something.
        in_axes: 0 for arguments that hold one item per sample (a list, or an array along its
            first axis; in tuples and dicts, each member), None for those that all samples
            have in common. One for all positional arguments, or one for each. Keyword
            arguments are common to all.

    Returns:
        A function that calls f per sample and stacks the results: numbers become a list of
        numbers, lists a list of lists, tuples and dicts a tuple or dict of these; arrays
        instead of lists if the samples are in an array. ``tg.jit(tg.vmap(f))`` is one
        program whose lanes are the samples: the fastest way to call a function many times.

    Raises:
        BadArgument: from a call, if the numbers of samples differ.

    >>> vmap(lambda x: x**2)([1.0, 2.0, 3.0])
    [1.0, 4.0, 9.0]
    >>> from tinygrad_edu import jit
    >>> scaled = jit(vmap(lambda w, x: w * x[0] + x[1], in_axes=(None, 0)))
    >>> scaled(10.0, [[1.0, 2.0], [3.0, 4.0]])
    [12.0, 34.0]
    """
    return Vmapped(f, in_axes)


class Vmapped:
    """The result of `vmap`."""

    def __init__(self, f: Callable[..., Any], axes: int | Sequence[int | None] | None) -> None:
        check_function(f)
        functools.update_wrapper(self, f, updated=())
        listed = several(axes)
        if any(axis is not None and (type(axis) is not int or axis != 0) for axis in listed):
            raise BadArgument(f"in_axes must be 0 (samples) or None (common). Received: {axes!r}.")
        self._f = f
        self._axes = listed if is_several(axes) else listed[0]

    def __get__(self, instance: Any, owner: type | None = None) -> Vmapped:
        """The method of an object. Axes count self."""
        if instance is None or not is_method(self._f):
            return self
        axes = self._axes if self._axes is None or isinstance(self._axes, int) else self._axes[1:]
        return Vmapped(self._f.__get__(instance, owner), axes)

    def __reduce__(self) -> tuple[Any, ...]:
        return pickled(self, self._f, self._axes)

    def __deepcopy__(self, memo: dict[int, Any]) -> Vmapped:
        return Vmapped(deepcopy(self._f, memo), self._axes)

    def __call__(self, *args: Any, **named: Any) -> Any:
        return self.loop(args, named, Static())

    def loop(self, args: tuple[Any, ...], named: dict[str, Any], static: Static) -> Any:
        """The results of f, called for one sample after the other."""
        kinds = self._kinds(args, static)
        n, array = _samples(args, kinds)
        results = [
            call_on_values(self._f, _sample(args, kinds, i), named, static) for i in range(n)
        ]
        stacked = stack(results)
        return as_arrays(stacked) if array else stacked

    def call(
        self,
        args: tuple[Any, ...],
        named: dict[str, Any],
        settings: dict[str, Any],
        static: Static,
    ) -> Call | None:
        """A call taken apart; None if there are no samples."""
        kinds = self._kinds(args, static)
        n, array = _samples(args, kinds)
        if n == 0:
            return None
        call = call_of(self._f, _sample(args, kinds, 0), kinds, named, settings)
        rows = call.rows
        own = [arg for arg, kind in zip(args, kinds) if kind is OWN]
        if array and all(is_array(arg) and arg.dtype != object for arg in own):
            import numpy

            rows = numpy.hstack([arrays().contiguous(arg).reshape(n, -1) for arg in own])
        else:
            shapes = [shape for shape, kind in zip(call.key, kinds) if kind is OWN]
            for i in range(1, n):
                row: list[Any] = []
                if [shape_of(_item(arg, i), row) for arg in own] != shapes:
                    raise BadArgument(
                        f"The shape of sample {i} differs from that of the first one."
                    )
                rows.append(row)
        return call._replace(key=(*call.key, array), rows=rows, stacked=True, arrays=array)

    def _kinds(self, args: tuple[Any, ...], static: Static) -> list[str]:
        axes = self._axes if isinstance(self._axes, list) else [self._axes] * len(args)
        if len(axes) != len(args):
            raise BadArgument(f"in_axes is for {len(axes)} arguments. Received: {len(args)}.")
        return [
            STATIC if i in static.positions else COMMON if axis is None else OWN
            for i, axis in enumerate(axes)
        ]


def _members(tree: Any) -> Mapping[Any, Any] | None:
    """The members of a tree if each contains samples; None if the tree itself does."""
    row = None if isinstance(tree, list) else container(tree)
    return None if row is None or row.rebuild is None else row.members(tree)


def _samples(args: Sequence[Any], kinds: Sequence[str]) -> tuple[int, bool]:
    """The number of samples, and whether an array holds some."""
    waiting = [arg for arg, kind in zip(args, kinds) if kind is OWN]
    holders = []
    for tree in waiting:  # which grows while it is read
        members = _members(tree)
        if members is not None:
            waiting.extend(members.values())
        elif isinstance(tree, list) or (is_array(tree) and tree.shape):
            holders.append(tree)
        else:
            raise BadArgument(
                f"An argument with axis 0 must be a list or array of samples. Received: {tree!r}. "
                f"Pass in_axes=None for an argument that all samples share."
            )
    sizes = set(map(len, holders))
    if len(sizes) != 1:
        raise BadArgument(
            f"All arguments with axis 0 must have the same number of samples. Received: "
            f"{', '.join(map(str, sorted(sizes))) or 'no such argument'}."
        )
    return sizes.pop(), any(map(is_array, holders))


def _sample(args: Sequence[Any], kinds: Sequence[str], i: int) -> list[Any]:
    """The arguments of the i-th call."""
    return [_item(arg, i) if kind is OWN else arg for arg, kind in zip(args, kinds)]


def _item(tree: Any, i: int) -> Any:
    return tree[i] if _members(tree) is None else _each(tree, lambda part: _item(part, i))


def _each(tree: Any, change: Callable[[Any], Any]) -> Any:
    """A container like the given one, with every member changed."""
    return like(tree, map(change, _members(tree).values()))  # type: ignore[union-attr]


def stack(results: Sequence[Any]) -> Any:
    """The results of all samples in lists: n tuples become one tuple of lists, n dicts one dict."""
    first = _members(results[0]) if results else None
    if first is None:
        return list(results)
    row, keys = container(results[0]), first.keys()
    inside = [_members(result) if container(result) is row else None for result in results]
    for i, other in enumerate(inside):
        if other is None or other.keys() != keys:
            raise BadArgument(
                f"The results of all samples need the same structure. Received for sample {i}: "
                f"{results[i]!r}; for sample 0: {results[0]!r}."
            )
    return like(results[0], [stack([one[key] for one in inside]) for key in keys])  # type: ignore[index]


def as_arrays(tree: Any) -> Any:
    """The same with arrays in place of lists, wherever an array can hold them."""
    import numpy

    if _members(tree) is not None:
        return _each(tree, as_arrays)
    try:
        made = numpy.array(tree)
    except ValueError:  # lists of different lengths
        return tree
    return made if made.dtype != object or all(isinstance(x, Value) for x in made.flat) else tree


def transposed(tree: Any) -> Any:
    """A result whose numbers are columns, as arrays whose first axis is that of the samples.

    Raises:
        ValueError: if it isn't made of lists of equally long lists, in tuples and dicts.
    """
    import numpy

    if _members(tree) is not None:
        return _each(tree, transposed)
    if not isinstance(tree, list):
        return numpy.moveaxis(tree, -1, 0)
    parts = list(map(transposed, tree))
    if not all(map(is_array, parts)):
        raise ValueError("Lists of tuples or dicts stay lists.")
    return numpy.stack(parts, axis=1)  # which raises it for parts of different shapes
