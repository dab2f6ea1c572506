"""Input data: everything that users pass is read here, once, into a source of batches.

    numbers, lists, arrays, frames ──samples──▶ Samples: one flat list of floats per sample
    inputs, targets, weights ────────pairs────▶ Pairs ──────▶ Batched ┐
    generators, loaders ───────(a batch at a time)──────────▶ Stream  ┴▶ Source

Training, evaluation and prediction see only a `Source`. Data are recognised by their methods:
neither NumPy nor pandas is imported. Invalid data raise an error here, before anything is trained
on it, with the place of the first number that does not fit.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, islice
from math import ceil, floor, isfinite, prod
from random import Random
from reprlib import repr as brief
from typing import Any, Generic, NamedTuple, TypeAlias, TypeVar

from ..core.table import is_interpreted, is_real, number
from ..errors import BadArgument, NotANumber, check_whole
from ..nn.settings import Limit
from ..strings import plural

__all__ = [
    "Batched", "Pairs", "Port", "Samples", "Source", "Stream", "batches", "is_stream", "pairs",
    "parts", "samples", "split",
]  # fmt: skip

_SHARE = Limit("a number from 0 to below 1", lambda x: 0.0 <= x < 1.0)
_DEEPEST = 8  # dimensions: a list that contains itself would never end


class Port(NamedTuple):
    """One of the inputs or outputs of a model.

    Args:
        name: its key in a dict of data.
        width: its number of numbers per sample; None if any will do.
        needed: whether data for it must be given.
    """

    name: str
    width: int | None
    needed: bool = True


Weights: TypeAlias = "tuple[list[float] | None, ...] | None"

Wanted: TypeAlias = "int | Sequence[Port] | None"
"""The number of numbers in a sample, if it is known; or the ports."""


@dataclass(frozen=True, slots=True)
class Samples:
    """Samples of numbers, read from whatever a user passed; `samples` makes them.

    Args:
        rows: one list of floats per sample, row-major if a sample has several dimensions.
        shape: of one sample; ``(1,)`` for single numbers.
        from_array: whether the input was an array, Series or DataFrame, so that results are arrays
            too.
        columns: the names of a DataFrame's columns.
        widths: of several ports, how many numbers of a row are for each.
    """

    rows: list[list[float]]
    shape: tuple[int, ...] = (1,)
    from_array: bool = False
    columns: tuple[str, ...] | None = None
    widths: tuple[int, ...] | None = field(default=None, repr=False)

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def width(self) -> int:
        """The number of numbers in one sample.

        >>> samples([[[1, 2, 3], [4, 5, 6]]]).width
        6
        """
        return prod(self.shape)

    @property
    def parts(self) -> tuple[int, ...]:
        """How many numbers of a row are for each port.

        >>> samples([[1, 2], [3, 4]]).parts
        (2,)
        """
        return self.widths or (self.width,)

    def take(self, indices: Iterable[int]) -> Samples:
        """The samples at these places, in this order.

        >>> samples([10, 20, 30]).take([2, 0]).rows
        [[30.0], [10.0]]
        """
        return replace(self, rows=[self.rows[i] for i in indices])


@dataclass(frozen=True, slots=True)
class Pairs:
    """Samples with their targets and, if some matter more than others, their weights.

    Args:
        x: the inputs.
        y: the targets, as many.
        weights: for each output one number from 0 for each sample, or None if all count equally.
            None if that is so for all outputs.
    """

    x: Samples
    y: Samples
    weights: Weights = None

    def __len__(self) -> int:
        return len(self.x)

    def take(self, indices: Iterable[int]) -> Pairs:
        """The pairs at these places, in this order.

        >>> pairs([1, 2, 3], [10, 20, 30]).take([2, 0]).y.rows
        [[30.0], [10.0]]
        """
        places = list(indices)
        weights = self.weights and tuple(
            column and [column[i] for i in places] for column in self.weights
        )
        return Pairs(self.x.take(places), self.y.take(places), weights)

    def weighted(self, class_weight: Mapping[Any, Any] | None) -> Pairs:
        """The same, each sample with the weight of its class.

        Args:
            class_weight: the weight of each class, as in ``{0: 1.0, 1: 5.0}``; other classes have
                weight 1. The class of a target is its whole number, or for several numbers the
                position of the largest. None changes nothing.

        Raises:
            BadArgument: if the samples have weights, or a weight or a target is invalid; or if the
                model has several outputs, as in Keras.

        >>> pairs([1, 2, 3], [0, 1, 1]).weighted({1: 5.0}).weights
        ([1.0, 5.0, 5.0],)
        """
        if class_weight is None:
            return self
        if self.y.widths is not None:
            raise BadArgument(
                f"class_weight is for models with one output. Received: {class_weight!r} for "
                f"{len(self.y.widths)} outputs. Pass sample_weight, with an array for each output."
            )
        if self.weights is not None:
            raise BadArgument(
                "Either sample_weight or class_weight can be given, not both. Multiply them "
                "yourself and pass the products as sample_weight."
            )
        return replace(self, weights=(_of_classes(self.y, class_weight),))


def samples(x: Any, what: str = "x", width: Wanted = None) -> Samples:
    """The numbers of x, one flat list of floats per sample.

    A number is one sample, a flat sequence of n numbers is n samples of one number each, and the
    first level of nested sequences is that of samples. Several ports get one of these each, as a
    list or a dict by their names; or one array of all their numbers side by side.

    Args:
        x: a number, or tuples, lists, arrays, Series or a DataFrame of numbers; Samples stay.
        what: its name in errors.
        width: how many numbers each sample must have, if that is known; or the ports.

    Raises:
        NotANumber: for strings, None, complex numbers, dates and the like, with the first place.
        BadArgument: if there is no sample, the rows differ in length, a number is nan or infinite,
            or the width is wrong.

    >>> samples((1, 2, 3)).rows
    [[1.0], [2.0], [3.0]]
    >>> samples(10) == samples([10]) == samples([[10]])
    True
    >>> samples([[1, 2], [3, 4]]).rows
    [[1.0, 2.0], [3.0, 4.0]]
    >>> samples([[[1, 2, 3], [4, 5, 6]]])
    Samples(rows=[[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]], shape=(2, 3), from_array=False, columns=None)
    >>> samples([1, 2], width=2)
    Traceback (most recent call last):
        ...
    tinygrad_edu.errors.BadArgument: x needs 2 numbers per sample. Received: 2 samples of 1 number.
    One sample of 2 numbers is written [[1.0, 2.0]].
    >>> samples([[1, 2], [30, 40]], width=[Port("left", 1), Port("right", 1)]).rows
    [[1.0, 30.0], [2.0, 40.0]]
    """
    widths = None
    if isinstance(width, Sequence):
        by_port = _by_port(x, what, width)
        if by_port is not None:
            return by_port
        widths, width = _side_by_side(x, what, width)
    read = x if isinstance(x, Samples) else _samples(x, what)
    if width not in (None, read.width):
        raise BadArgument(
            f"{what} needs {plural(width, 'number')} per sample. Received: "
            f"{plural(len(read), 'sample')} of {plural(read.width, 'number')}."
            f"{_remedy(read.rows, width)}"
        )
    return read if widths is None else replace(read, widths=widths)


def _side_by_side(
    x: Any, what: str, ports: Sequence[Port]
) -> tuple[tuple[int, ...] | None, int | None]:
    """How many numbers of one array are for each port, if there are several, and for all."""
    if len(ports) == 1:
        return None, ports[0].width
    widths = tuple(port.width for port in ports if port.width is not None)
    if len(widths) < len(ports):
        raise BadArgument(
            f"{what} needs a list or a dict, because one of its user-defined losses may take any "
            f"number of numbers. Received: {brief(x)} (of type {type(x).__name__})."
        )
    return widths, sum(widths)


def _by_port(x: Any, what: str, ports: Sequence[Port]) -> Samples | None:
    """The data for each port, side by side; None if they were passed for all ports as one.

    A list for several ports is never rows of all their numbers, which would be ambiguous if there
    are as many rows as ports.
    """
    one = len(ports) == 1 or isinstance(x, Samples) or hasattr(x, "__array__")
    if one and not isinstance(x, Mapping):
        return None
    found = _found(x, ports)
    if found is None:
        kind = "output" if what.startswith("y") else "input"
        raise BadArgument(
            f"{what} needs numbers for {plural(len(ports), kind)}, "
            f"{', '.join(port.name for port in ports)}: a list of these, a dict by these names, or "
            f"one array of all numbers side by side. "
            f"Received: {brief(x)} (of type {type(x).__name__})."
        )
    read = {name: samples(x, f"{what} for {name}", width) for name, width, x in found}
    (first, most), *others = read.items()
    for name, other in others:
        _same_length(f"{what} for {first}", most, f"{what} for {name}", other)
    rows = [list(chain(*row)) for row in zip(*(some.rows for some in read.values()))]
    widths = tuple(read[port.name].width if port.name in read else 0 for port in ports)
    from_array = any(some.from_array for some in read.values())
    return Samples(rows, (sum(widths),), from_array, widths=widths if len(ports) > 1 else None)


def _found(x: Any, ports: Sequence[Port]) -> list[tuple[str, int | None, Any]] | None:
    """The name, the width and the data of each port that has some; None if they do not fit."""
    if isinstance(x, Mapping):
        by_name = x
    elif isinstance(x, (list, tuple)):
        needed = [port for port in ports if port.needed]
        taking = needed if len(x) == len(needed) else ports
        by_name = {port.name: item for port, item in zip(taking, x) if len(x) == len(taking)}
    else:
        return None
    given = {name: item for name, item in by_name.items() if item is not None}
    names = {port.name for port in ports}
    if not given or not {port.name for port in ports if port.needed} <= given.keys() <= names:
        return None
    return [(p.name, p.width, given[p.name]) for p in ports if p.name in given]


def _samples(x: Any, what: str) -> Samples:
    leaves, shape = _open(x, what)
    if 0 in shape:
        raise BadArgument(f"{what} is empty: at least one number is needed. Received: {brief(x)}.")
    frame = hasattr(x, "columns") and hasattr(x, "to_numpy")
    columns = tuple(map(str, x.columns)) if frame else None
    numbers = _floats(leaves, shape, what, columns)
    each = shape[1:] or (1,)
    step = prod(each)
    rows = [numbers[i : i + step] for i in range(0, len(numbers), step)]
    return Samples(rows, each, hasattr(x, "__array__"), columns)


def pairs(
    x: Any,
    y: Any,
    sample_weight: Any = None,
    *,
    inputs: Wanted = None,
    targets: Wanted = None,
    of: str = "",
) -> Pairs:
    """Inputs with their targets and weights, checked against each other.

    Keras silently broadcasts targets of the wrong width, and learns something else; here they are
    an error.

    Args:
        x: as for `samples`.
        y: the targets, as for `samples`; for single numbers a flat sequence will do.
        sample_weight: one finite number from 0 for each sample; for several outputs also a list of
            these, or a dict by the names of the outputs.
        inputs: how many numbers a sample of x must have, if that is known; or the ports.
        targets: how many numbers a target must have, if that is known; or the ports.
        of: a suffix of x and y in errors, such as " of batch 3".

    Raises:
        NotANumber, BadArgument: as `samples` does, and if lengths or weights do not match.

    >>> pairs([1, 2, 3], [10, 20])
    Traceback (most recent call last):
        ...
    tinygrad_edu.errors.BadArgument: x and y need as many samples as each other. Received: 3 ...
    """
    if y is None:
        raise BadArgument(f"Targets are needed for x{of}: pass y. Received: y=None.")
    ins, outs = samples(x, f"x{of}", inputs), samples(y, f"y{of}", targets)
    _same_length(f"x{of}", ins, f"y{of}", outs)
    names = [port.name for port in targets] if isinstance(targets, Sequence) else None
    return Pairs(ins, outs, _weights(sample_weight, f"sample_weight{of}", f"x{of}", ins, names))


def _weights(given: Any, what: str, of: str, x: Samples, names: list[str] | None) -> Weights:
    """The weights for each output: those given for it, or those given for all."""

    def column(weights: Any, what: str) -> list[float] | None:
        if weights is None:
            return None
        read = samples(weights, what, width=1)
        _same_length(of, x, what, read)
        for i, (weight,) in enumerate(read.rows):
            if weight < 0.0:
                raise BadArgument(f"{what} needs numbers from 0. Received: {weight} at sample {i}.")
        return [weight for (weight,) in read.rows]

    if given is None:
        return None
    if names is None:
        return (column(given, what),)
    listed = isinstance(given, (list, tuple)) and not all(type(w) in (int, float) for w in given)
    if not listed and not isinstance(given, Mapping):
        return (column(given, what),) * len(names)
    ports = [Port(name, 1, needed=False) for name in names]
    found = _found(given, ports)
    if found is None or (listed and len(given) != len(names)):
        raise BadArgument(
            f"{what} needs one weight per sample, for all outputs or for each of {len(names)}: "
            f"{', '.join(names)}. Received: {brief(given)} (of type {type(given).__name__})."
        )
    columns = {name: column(weights, f"{what} for {name}") for name, _, weights in found}
    return tuple(columns.get(name) for name in names)


def parts(batch: Any, what: str) -> tuple[Any, ...]:
    """The parts of inputs, targets and perhaps weights that were passed as one; a source of
    batches, or data that were read earlier, are a single part.

    Raises:
        BadArgument: if there are not two or three of them.

    >>> parts([[1, 2], [10, 20]], "validation_data")
    ([1, 2], [10, 20])
    """
    if isinstance(batch, Pairs) or is_stream(batch):
        return (batch,)
    if isinstance(batch, (tuple, list)) and len(batch) in (2, 3):
        return tuple(batch)
    raise BadArgument(
        f"{what} must be (x, y) or (x, y, sample_weight). Received: {brief(batch)} (of type "
        f"{type(batch).__name__})."
    )


def _same_length(what: str, some: Samples, other_what: str, others: Samples) -> None:
    if len(some) != len(others):
        raise BadArgument(
            f"{what} and {other_what} need as many samples as each other. Received: "
            f"{plural(len(some), 'sample')} in {what} and {len(others)} in {other_what}."
        )


def _of_classes(y: Samples, class_weight: Mapping[Any, Any]) -> list[float]:
    """The weight of every sample by the class of its target."""
    if not isinstance(class_weight, Mapping):
        raise BadArgument(
            f"class_weight must be a dict from class to weight, such as {{0: 1.0, 1: 5.0}}. "
            f"Received: {brief(class_weight)} (of type {type(class_weight).__name__})."
        )
    weights: dict[float, float] = {}
    for key, value in class_weight.items():
        if not is_real(key) or number(key) % 1.0:
            raise BadArgument(
                f"The classes of class_weight must be whole numbers. Received: {key!r}."
            )
        if not is_real(value) or not 0.0 <= number(value) < float("inf"):
            raise BadArgument(
                f"The weight of class {key} must be a finite number from 0. Received: {value!r}."
            )
        weights[number(key)] = number(value)
    if y.width > 1:
        return [weights.get(row.index(max(row)), 1.0) for row in y.rows]
    for i, (target,) in enumerate(y.rows):
        if target % 1.0:
            raise BadArgument(
                f"class_weight needs targets that are classes: whole numbers or one-hot rows. "
                f"Received: {target} at sample {i}. For other targets pass sample_weight."
            )
    return [weights.get(target, 1.0) for (target,) in y.rows]


def split(data: Pairs, fraction: float = 0.0) -> tuple[Pairs, Pairs | None]:
    """The samples to train on, and the last fraction of them, to validate with.

    As in Keras, the end is taken before any shuffling, so you should shuffle sorted data first. The
    first part has ⌊n·(1 − fraction)⌋ samples.

    Args:
        data: the pairs.
        fraction: from 0, which gives ``(data, None)``, to below 1.

    Raises:
        NotANumber: if the fraction is not a number.
        BadArgument: if it is outside [0, 1) or would leave one of the parts empty.

    >>> train, validation = split(pairs(range(7), range(7)), 0.3)
    >>> len(train), validation.x.rows
    (4, [[4.0], [5.0], [6.0]])
    """
    _SHARE.check("validation_split", fraction)
    if not fraction:
        return data, None
    n = len(data)
    first = floor(n * (1.0 - fraction))
    if first in (0, n):
        raise BadArgument(
            f"validation_split={fraction!r} of {plural(n, 'sample')} leaves {first} to train on "
            f"and {n - first} to validate with. Pass more samples or another fraction."
        )
    return data.take(range(first)), data.take(range(first, n))


def batches(n: int, size: int | None = None, random: Random | None = None) -> Iterator[list[int]]:
    """The places 0 … n − 1 in batches; the last may be smaller.

    Args:
        n: the number of samples.
        size: the size of a batch; None is 32, Keras's default.
        random: shuffles them; None leaves them in order.

    Raises:
        BadArgument: at once, if the size is not a whole number from 1.

    >>> list(batches(5, 2))
    [[0, 1], [2, 3], [4]]
    """
    step = check_whole("batch_size", 32 if size is None else size)
    places = list(range(n))
    if random is not None:
        random.shuffle(places)
    return (places[i : i + step] for i in range(0, n, step))


def is_stream(x: Any) -> bool:
    """Whether x yields batches one by one, as a generator does, and is not itself data.

    >>> is_stream((batch for batch in [])), is_stream([1, 2]), is_stream({"flats": [1, 2]})
    (True, False, False)
    """
    data = (Sequence, Mapping, str, bytes, set, frozenset)
    arrays = ("__array__", "tolist", "to_numpy")
    if isinstance(x, data) or is_real(x) or any(hasattr(x, name) for name in arrays):
        return False
    return hasattr(x, "__iter__") or (hasattr(x, "__getitem__") and hasattr(x, "__len__"))


Batch = TypeVar("Batch", Samples, Pairs)


class Source(Generic[Batch]):
    """Batches, epoch after epoch: the interface for training, evaluating and predicting.

    Attributes:
        data: all samples at once, if they are available.
        exhausted: whether the source ran out of batches, so that training should stop.
        rest: the batches that the current epoch leaves to the next one. If restored, they come
            again.
        steps: the number of batches per epoch, if it is known before.
    """

    data: Batch | None = None
    exhausted = False
    rest: Any = None
    steps: int | None

    def epoch(self) -> Iterator[Batch]:
        """The batches of the next epoch."""
        raise NotImplementedError

    def restart(self) -> None:
        """Let the next epoch begin with the first batch, where that is possible."""
        self.rest = None

    def _ran_out(self, taken: int, wanted: int | None) -> None:
        warnings.warn(
            f"The source of batches ran out: an epoch got {taken} of {wanted or 'at least 1'}. Let "
            f"the generator loop for ever, pass something that can be iterated again, or ask "
            f"for fewer steps.",
            UserWarning,
            stacklevel=2,
        )


class Batched(Source[Batch]):
    """Samples in batches, optionally in a new order in each epoch.

    Args:
        data: the samples or pairs.
        size: of a batch; the last one may be smaller. None is 32, or with ``steps`` the size that
            makes as many batches.
        random: shuffles them before each pass. A single batch is not shuffled, because its sum has
            no order.
        steps: the number of batches per epoch; the next epoch continues where it ended. None means
            all. As in Keras, an epoch ends where the samples end.

    Raises:
        BadArgument: if the size or the steps are not a whole number from 1.

    >>> source = Batched(pairs([1, 2, 3], [10, 20, 30]), 2)
    >>> source.steps, source.orders(2)
    (2, [[[0, 1], [2]], [[0, 1], [2]]])
    >>> [batch.y.rows for batch in source.epoch()]
    [[[10.0], [20.0]], [[30.0]]]
    """

    data: Batch

    def __init__(
        self,
        data: Batch,
        size: int | None = None,
        random: Random | None = None,
        steps: int | None = None,
    ) -> None:
        if steps is not None and size is None:
            size = ceil(len(data) / check_whole("steps", steps))
        self.data, self._size = data, size
        self._places = list(batches(len(data), size))
        self._random = random if len(self._places) > 1 else None
        self.steps: int = len(self._places) if steps is None else check_whole("steps", steps)
        self.rest: list[list[int]] = []
        self._rows: tuple[Any, Any] = (None, None)

    def restart(self) -> None:
        self.rest = []

    def orders(self, epochs: int) -> list[list[list[int]]]:
        """The places of each batch of the next epochs."""
        return [self._order() for _ in range(epochs)]

    def _order(self) -> list[list[int]]:
        whole = self._places
        if self._random is None and not self.rest and len(whole) == self.steps:
            return whole
        if not self.rest and self._random is not None:
            whole = list(batches(len(self.data), self._size, self._random))
        order = self.rest or whole
        self.rest = order[self.steps :]
        if len(order) < self.steps:
            self._ran_out(len(order), self.steps)
        return order[: self.steps]

    def rows_for(self, program: Any) -> Any:
        """The numbers of all samples as a program reads them, made once: ``program.rows(data)``."""
        if self._rows[0] is not program:
            self._rows = program, program.rows(self.data)
        return self._rows[1]

    def epoch(self) -> Iterator[Batch]:
        """The batches of the next epoch."""
        return map(self.data.take, self._order())


class Stream(Source[Batch]):
    """Batches that come one by one.

    Args:
        items: a generator; or anything that can be iterated repeatedly: an iterable, or an object
            with a length whose items are batches.
        read: makes a batch of an item, given its number in the epoch for errors.
        steps: the number of batches per epoch. None means all, so a generator that never ends needs
            it.

    Raises:
        BadArgument: if the steps are not a whole number from 1, or the items are not batches.

    >>> stream = Stream(([i, 10 * i] for i in range(3)), lambda item, i: samples(item), steps=2)
    >>> [batch.rows for batch in stream.epoch()]
    [[[0.0], [0.0]], [[1.0], [10.0]]]
    """

    def __init__(
        self, items: Any, read: Callable[[Any, int], Batch], steps: int | None = None
    ) -> None:
        if not is_stream(items):
            raise BadArgument(
                f"A generator or another source of batches is needed. Received: {brief(items)}."
            )
        self._items = items
        self._read: Callable[[Any, int], Batch] = read
        self._limit = None if steps is None else check_whole("steps", steps)
        self.steps = len(items) if steps is None and hasattr(items, "__len__") else self._limit
        self._running = self._endlessly()
        self._begun = False

    def epoch(self) -> Iterator[Batch]:
        """The batches of one epoch; with ``steps`` it goes on where the last one ended.

        Warns:
            UserWarning: if the source runs out; ``exhausted`` is then True.

        Raises:
            NotANumber, BadArgument: if an item is not a batch, with its number from 0; or if
                there is none at all.
        """
        through = self._once() if self._limit is None else islice(self._running, self._limit)
        taken = 0
        for item in through:
            yield self._read(item, taken)
            taken += 1
        if not taken and not self._begun:
            raise BadArgument(
                f"This source of batches is empty. Received: {brief(self._items)}. Is it a "
                f"generator that was already used?"
            )
        self._begun = True
        if taken < (self._limit or 1):
            self.exhausted = True
            self._ran_out(taken, self._limit)

    def restart(self) -> None:
        """As there; a generator can only go on."""
        if not isinstance(self._items, Iterator):
            self._running = self._endlessly()

    def _once(self) -> Iterator[Any]:
        if hasattr(self._items, "__iter__"):
            return iter(self._items)
        return (self._items[i] for i in range(len(self._items)))

    def _endlessly(self) -> Iterator[Any]:
        """Again and again, until there is nothing (more)."""
        more = True
        while more:
            more = False
            for item in self._once():
                more = True
                yield item


def _open(x: Any, what: str) -> tuple[list[Any], tuple[int, ...]]:
    """The items of nested sequences, row-major, and their shape: one level after the other."""
    level, shape = [_plain(x)], tuple[int, ...]()
    while any(isinstance(item, list) for item in level):
        sizes = [len(item) if isinstance(item, list) else None for item in level]
        odd = next((i for i, size in enumerate(sizes) if size != sizes[0]), None)
        if odd is not None or len(shape) == _DEEPEST:
            first, other = (brief(level[i]) for i in (0, odd or 0))
            raise BadArgument(
                f"{what} is nested deeper than {_DEEPEST} lists. Received: {brief(x)}."
                if odd is None
                else f"The rows of {what} differ in length: {first} comes first, and "
                f"{other}{_at(odd, shape)}. Give every sample as many numbers."
            )
        shape += (len(level[0]),)
        level = list(chain.from_iterable(level))
        if not set(map(type, level)) <= {float, int}:
            level = list(map(_plain, level))
    return level, shape


def _plain(x: Any) -> Any:
    """A list for sequences and arrays; anything else unchanged."""
    if isinstance(x, (float, int, str, bytes, list)):
        return x
    if is_real(x) and not getattr(x, "shape", ()):  # one number of any library
        return x
    if isinstance(x, Sequence):
        return list(x)
    if hasattr(x, "columns") and hasattr(x, "to_numpy"):  # a data frame
        x = x.to_numpy()
    if getattr(getattr(x, "dtype", None), "kind", "") in ("M", "m"):
        return list(x) if x.shape else x  # tolist() would make numbers of some dates
    if hasattr(x, "tolist"):
        return x.tolist()
    return x.__array__().tolist() if hasattr(x, "__array__") else x


def _floats(
    leaves: list[Any], shape: tuple[int, ...], what: str, columns: tuple[str, ...] | None
) -> list[float]:
    """The leaves as floats, all of them real and finite."""
    if set(map(type, leaves)) == {float} and all(map(isfinite, leaves)):
        return leaves
    for i, leaf in enumerate(leaves):
        if not is_real(leaf):
            advice = (
                "Pass its .data." if is_interpreted(leaf)
                else "Fill in or drop what is missing." if leaf is None
                else "Pass numbers, or lists or arrays of them."
            )  # fmt: skip
            raise NotANumber(
                f"{what} contains something that is not a real number{_at(i, shape, columns)}. "
                f"Received: {brief(leaf)} (of type {type(leaf).__name__}). {advice}"
            )
    numbers = [number(leaf) for leaf in leaves]
    for i, x in enumerate(numbers):
        if not isfinite(x):
            raise BadArgument(
                f"{what} holds {x}{_at(i, shape, columns)}. Training on it would turn every "
                f"weight into nan: fill in or drop such samples first."
            )
    return numbers


def _at(i: int, shape: tuple[int, ...], columns: tuple[str, ...] | None = None) -> str:
    """The place of the i-th of all numbers, for errors."""
    if not shape:
        return ""
    path: list[Any] = []
    for size in reversed(shape):
        i, place = divmod(i, size)
        path.insert(0, place)
    if columns is not None:
        path[1] = repr(columns[path[1]])
    inside = f", column {', '.join(map(str, path[1:]))}" if path[1:] else ""
    return f" at sample {path[0]}{inside} (counted from 0)"


def _remedy(rows: list[list[float]], width: int) -> str:
    """A hint how to write the same numbers as samples of that width."""
    numbers = [x for row in rows for x in row]
    if len(numbers) == width:
        return f" One sample of {width} numbers is written {brief([numbers])}."
    if width == 1 and len(rows) == 1:
        return f" {len(numbers)} samples of one number each are written {brief(numbers)}."
    return ""
