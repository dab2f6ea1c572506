"""Containers of numbers: flattening them and rebuilding them.

A tree is a number, a Value, an array, or a container whose members are trees. `CONTAINERS` says
how each kind of container is read and rebuilt; `register_container` adds a kind. Derivatives,
`jit`, `vmap` and the search for a Module's parameters all use this table.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, MappingView, Sequence
from itertools import islice
from math import inf, prod
from operator import index
from types import SimpleNamespace
from typing import Any, NamedTuple

from .arrays import of_values
from .errors import BadArgument, NotANumber

Rebuild = Callable[[Iterable[Any]], Any]
Build = Callable[[Iterator[Any]], Any]  # it takes as many as it needs


# ── Numbers ───────────────────────────────────────────────────────────────────────────────


def is_interpreted(x: Any) -> bool:
    """Whether x is a number with its own interpretation of rows, such as a Value.

    Only its type is checked, because an attribute dict has every name.
    """
    return hasattr(type(x), "interpret")


def is_real(x: Any) -> bool:
    """Whether x is a real number of any library, and neither recorded nor an array.

    >>> is_real(2), is_real(2j), is_real("2"), is_real([2])
    (True, False, False, False)
    """
    if isinstance(x, (float, int)):
        return True
    kind = type(x)
    return (
        (hasattr(kind, "__float__") or hasattr(kind, "__index__"))
        and not is_interpreted(x)
        and kind.__name__ != "MaskedConstant"  # what NumPy puts for a masked number
        # NumPy gives even its complex numbers and strings a __float__.
        and getattr(getattr(x, "dtype", None), "kind", "f") in "biuf"
    )


def number(x: Any) -> float:
    """x as a Python float: int, float, bool, NumPy scalar, anything with ``__float__``.

    Raises:
        NotANumber: for text, complex numbers, None, lists, Values and the like.

    >>> number(True), number(3)
    (1.0, 3.0)
    """
    if not is_real(x):
        advice = " Pass its .data." if is_interpreted(x) else ""
        raise NotANumber(
            f"A real number is needed. Received: {x!r} (of type {type(x).__name__}).{advice}"
        )
    try:
        return float(x)
    except OverflowError:  # an int beyond the floats: the nearest double is an infinity
        return inf if x > 0 else -inf
    except (TypeError, ValueError) as error:  # an array of several numbers, say
        raise NotANumber(f"A single real number is needed. Received: {x!r}.") from error


def is_several(x: Any) -> bool:
    """Whether x holds several settings, such as positions of arguments, and is not one itself."""
    return isinstance(x, (list, tuple, set, frozenset, range)) or is_array(x)


def several(x: Any) -> list[Any]:
    """One or several settings as a list, where whole numbers of any library are ints.

    >>> several(1), several((0, None)), several(True)
    ([1], [0, None], [True])
    """
    if type(x) is int:
        return [x]
    return [
        index(i) if hasattr(type(i), "__index__") and not isinstance(i, bool) else i
        for i in (x if is_several(x) else [x])
    ]


def positions(argnums: Any, count: int) -> list[int]:
    """The positions among ``count`` arguments that argnums means, one or several.

    Raises:
        BadArgument: if an argument does not exist or is named twice.

    >>> positions((0, -1), 3)
    [0, -1]
    """
    chosen = several(argnums)
    if not all(type(i) is int and -count <= i < count for i in chosen) or (
        len({i % count for i in chosen}) < len(chosen)
    ):
        raise BadArgument(
            f"argnums must be the positions of the arguments to differentiate by, each once. "
            f"Received: {argnums!r} for {count} arguments."
        )
    return chosen


# ── The table of containers ───────────────────────────────────────────────────────────────


class Container(NamedTuple):
    """How one kind of container is handled; `register_container` explains the fields."""

    members: Callable[[Any], Mapping[Any, Any]]
    rebuild: Callable[[Any, dict[Any, Any]], Any] | None
    settings: Callable[[Any], Any] = lambda x: None


def _by_position(x: Any) -> dict[int, Any]:
    return dict(enumerate(x))


def _fields(x: Any, computed: bool = False) -> dict[str, Any]:
    """The fields that the constructor of a dataclass takes, and those that it computes."""
    from dataclasses import fields  # late: importing it takes milliseconds

    return {
        field.name: getattr(x, field.name, None) for field in fields(x) if field.init or computed
    }


def _replaced(x: Any, members: dict[str, Any]) -> Any:
    """A dataclass with other fields, if its constructor stores them and computes the rest."""
    from dataclasses import replace

    made, mine = replace(x, **members), _fields(x, computed=True)
    changed = [name for name in members if not _alike(members[name], getattr(made, name))]
    computed = [name for name in mine if name not in members]
    if computed and not holds_values(list(mine.values())):  # so they can be compared
        again = replace(x, **{name: mine[name] for name in members})
        changed += [name for name in computed if not _alike(mine[name], getattr(again, name, None))]
    if changed:
        raise _refused(x, f"its constructor sets {', '.join(changed)} to something else.")
    return made


def _kept(x: Any, made: Any) -> Any:
    """The new container, if it has the attributes of x, whose class may be user-defined."""
    if type(x) not in CONTAINERS:
        mine, its = _attributes(x), _attributes(made)
        if mine.keys() != its.keys() or not _alike(mine, its):
            raise _refused(x, f"its attributes would change: {', '.join(mine)}.")
    return made


def _attributes(x: Any) -> dict[str, Any]:
    inside = getattr(x, "__dict__", None)  # an attribute dict may be its own
    return inside if type(inside) is dict else {}


def _alike(x: Any, y: Any) -> bool:
    """Whether two members hold the same numbers and Values."""
    if x is y:
        return True
    try:
        (one, _), (other, _) = flatten(x), flatten(y)
    except NotANumber:
        try:
            return bool(x == y)
        except (TypeError, ValueError):  # arrays of other things
            return False
    return len(one) == len(other) and all(
        a is b or (not is_interpreted(a) and (a == b or (a != a and b != b)))
        for a, b in zip(one, other)
    )


def _refused(x: Any, why: str) -> BadArgument:
    kind = type(x).__name__
    return BadArgument(
        f"An object of type {kind} could not be rebuilt from other members: {why} "
        f"Say how with tg.register_container({kind}, members, rebuild)."
    )


_DATACLASS = Container(_fields, _replaced)
_WITHOUT_OBJECTS = (str, bytes, bytearray, memoryview, range)


def _series(x: Any, members: dict[int, Any]) -> Any:
    made = type(x)([None] * len(x), index=x.index, name=x.name, dtype=object)
    for i, new in members.items():
        made.iat[i] = new  # which may be an array
    return made.infer_objects()


def _frame(x: Any, members: dict[int, Any]) -> Any:
    made = type(x)(members)
    made.columns = x.columns  # of which several may have the same name
    return made


# Kinds of containers in pandas, by the names of their classes: it is imported only by its users.
_PANDAS = {
    "Series": Container(
        lambda x: _by_position(x.tolist()), _series, lambda x: (tuple(x.index), x.name)
    ),
    "DataFrame": Container(
        lambda x: {i: x.iloc[:, i] for i in range(x.shape[1])}, _frame, lambda x: tuple(x.columns)
    ),
}

CONTAINERS: dict[type, Container] = {
    list: Container(_by_position, lambda x, new: _kept(x, type(x)(new.values()))),
    tuple: Container(  # a named tuple's constructor takes the members one by one
        _by_position, lambda x, new: _kept(x, getattr(type(x), "_make", type(x))(new.values()))
    ),
    dict: Container(dict, lambda x, new: _kept(x, type(x)(new))),
    defaultdict: Container(
        dict,
        lambda x, new: _kept(x, type(x)(x.default_factory, new)),
        lambda x: x.default_factory,
    ),
    deque: Container(
        _by_position,
        lambda x, new: _kept(x, type(x)(new.values(), x.maxlen)),
        lambda x: x.maxlen,
    ),
    set: Container(_by_position, None),
    frozenset: Container(_by_position, None),
    SimpleNamespace: Container(vars, lambda x, new: type(x)(**new)),
}
"""Every kind of container; a subclass is handled as its nearest parent here."""


def register_container(
    kind: type,
    members: Callable[[Any], Mapping[Any, Any]],
    rebuild: Callable[[Any, dict[Any, Any]], Any] | None,
    settings: Callable[[Any], Any] | None = None,
) -> None:
    """Add a kind of container, whose objects can then be arguments and results like lists.

    Lists, tuples, named tuples, dicts of every kind, deques and dataclasses are handled without
    registration. Registering a type again replaces what was registered before.

    Args:
        kind: the type. Its subclasses are handled in the same way.
        members: ``members(x)`` returns a dict of everything in x: numbers, Values, arrays and
            other containers. Objects with the same structure must have the same keys.
        rebuild: ``rebuild(x, members)`` returns an object like x with other members under the
            same keys. These may also be Values or arrays, so it should only store them. Pass
            None for a type that can't be rebuilt: it is then refused as an argument.
        settings: ``settings(x)`` returns everything else that matters about x, as something
            hashable. A jitted function has one program for each. Without it, the other
            attributes of x stay as they were when the function was traced.

    Raises:
        BadArgument: if ``kind`` is not a type, or the others can't be called.

    >>> from tinygrad_edu import grad
    >>> class Line:
    ...     def __init__(self, w, b):
    ...         self.w, self.b = w, b
    ...     def __repr__(self):
    ...         return f"Line({self.w}, {self.b})"
    >>> register_container(Line, vars, lambda line, members: Line(**members))
    >>> grad(lambda line: line.w * 3.0 + line.b)(Line(2.0, 1.0))
    Line(3.0, 1.0)
    """
    if not isinstance(kind, type):
        raise BadArgument(f"register_container needs a type. Received: {kind!r}.")
    if not callable(members) or not all(f is None or callable(f) for f in (rebuild, settings)):
        raise BadArgument(
            f"members, rebuild and settings of a container must be functions. "
            f"Received for {kind.__name__}: {members!r}, {rebuild!r}, {settings!r}."
        )
    CONTAINERS[kind] = Container(members, rebuild, *([settings] if settings else []))


def container(x: Any) -> Container | None:
    """How a container is handled; None for numbers, arrays and all else."""
    if type(x) is float:
        return None
    for kind in type(x).__mro__:
        if kind in CONTAINERS:
            return CONTAINERS[kind]
        if kind.__name__ in _PANDAS and kind.__module__.partition(".")[0] == "pandas":
            return _PANDAS[kind.__name__]
    return _DATACLASS if hasattr(type(x), "__dataclass_fields__") and not is_real(x) else None


def members(x: Any) -> Mapping[Any, Any] | None:
    """All that a container or an array of objects holds, by key or position; None for all else."""
    row = container(x)
    if row is not None:
        return _fields(x, computed=True) if row is _DATACLASS else row.members(x)
    if is_array(x):  # one of records may hold objects, too
        objects = getattr(getattr(x, "dtype", None), "hasobject", False)
        return _by_position(x.tolist() if x.shape else [x.item()]) if objects else None
    if isinstance(x, Mapping):
        return dict(x)
    if isinstance(x, (Sequence, MappingView)) and not isinstance(x, _WITHOUT_OBJECTS):
        return _by_position(x)
    return None


def like(x: Any, parts: Iterable[Any]) -> Any:
    """A container of the same kind as x, with other members.

    >>> like({"w": 1.0, "b": 2.0}, [10.0, 20.0])
    {'w': 10.0, 'b': 20.0}
    """
    row: Any = container(x)
    return _rebuilt(x, row, dict(zip(row.members(x), parts)))


def _rebuilt(x: Any, row: Any, inside: dict[Any, Any]) -> Any:
    try:
        return row.rebuild(x, inside)
    except TypeError as error:
        if type(error) is not TypeError:
            raise
        raise _refused(x, str(error)) from error


def is_array(x: Any) -> bool:
    """Whether x is an array of any library. Its type is asked: an attribute dict has them all."""
    return hasattr(type(x), "reshape") and hasattr(type(x), "shape") and not _is_number(x)


def _is_number(x: Any) -> bool:
    return is_interpreted(x) or (is_real(x) and not getattr(x, "shape", ()))


def holds_values(tree: Any) -> bool:
    """Whether a Value is anywhere in it, in a Module or an array of objects too."""
    waiting, seen = [tree], {}
    for x in waiting:  # which grows while it is read
        if type(x) is float or id(x) in seen:
            continue
        if is_interpreted(x):
            return True
        inside = members(x)
        if inside is not None:
            seen[id(x)] = x
            waiting.extend(inside.values())
    return False


# ── Taken apart and put together ──────────────────────────────────────────────────────────


def flatten(tree: Any) -> tuple[list[Any], Rebuild]:
    """The numbers and Values of a tree in order, and a function that puts others in their places.

    Raises:
        NotANumber: if something in the tree is neither, or a container can't be rebuilt.

    >>> numbers, rebuild = flatten({"w": [1.0, 2.0], "b": 3.0})
    >>> numbers
    [1.0, 2.0, 3.0]
    >>> rebuild([10.0, 20.0, 30.0])
    {'w': [10.0, 20.0], 'b': 30.0}
    """
    numbers, build = _parts(tree, _opened)
    return numbers, lambda new: build(iter(new))


def kept(trees: Iterable[Any]) -> set[int]:
    """The ids of the Values in those trees that are variables of a model, or lists of them: their
    type has a true ``differentiated_in_place``."""
    own: set[int] = set()
    for tree in trees:
        first = tree
        while type(first) in (list, tuple) and first:
            first = first[0]
        if getattr(type(first), "differentiated_in_place", False):
            own.update(map(id, flatten(tree)[0]))
    return own


def leaves(tree: Any) -> tuple[list[Any], Rebuild]:
    """The same with arrays left whole."""
    found, build = _parts(tree, lambda array: ([array], next))
    return found, lambda new: build(iter(new))


def _parts(
    tree: Any, of_array: Callable[[Any], tuple[list[Any], Build]]
) -> tuple[list[Any], Build]:
    if type(tree) is float or is_interpreted(tree):
        return [tree], next
    row = container(tree)
    if row is None and _is_number(tree):
        return [tree], next
    if row is None and is_array(tree):
        return of_array(tree)
    if row is None or row.rebuild is None:
        raise NotANumber(
            f"Numbers, Values, arrays, or lists, tuples, dicts, dataclasses and other containers "
            f"of them are needed. Received: {tree!r} (of type {type(tree).__name__})."
        )
    inside = row.members(tree)
    parts = [_parts(child, of_array) for child in inside.values()]
    numbers = [x for part, _ in parts for x in part]
    if type(tree) is list or type(tree) is tuple:  # the same as below, faster
        if all(build is next for _, build in parts):
            return numbers, lambda new: type(tree)(islice(new, len(numbers)))
        return numbers, lambda new: type(tree)([build(new) for _, build in parts])
    return numbers, lambda new: _rebuilt(
        tree, row, {key: build(new) for key, (_, build) in zip(inside, parts)}
    )


def _opened(array: Any) -> tuple[list[Any], Build]:
    """The items of an array, in order."""
    items = array.reshape(-1).tolist()
    times = getattr(getattr(array, "dtype", None), "kind", "f") in "mM"  # tolist may give ints
    for x in items:
        if times or not (type(x) is float or _is_number(x)):
            raise NotANumber(f"Numbers are needed. Received: {x!r}, in {array!r}.")
    shape = tuple(array.shape)
    return items, lambda new: _block(list(islice(new, len(items))), shape)


def _block(numbers: Sequence[Any], shape: tuple[int, ...]) -> Any:
    import numpy

    made = numpy.array(numbers)  # whose items may be arrays too, one number for each sample
    return of_values(made.reshape(shape + made.shape[1:]))


def matched(tree: Any, model: Any, what: str, of: str) -> list[Any]:
    """The numbers of a tree, in the order of another one of the same structure.

    Lists, tuples and arrays match by position, dicts by key, other containers by the names of
    their members.

    Args:
        what, of: what to call the two in an error.

    Raises:
        BadArgument: if the structure is another one; the error names the place.

    >>> matched({"b": 1.0, "w": 2.0}, {"w": 0.0, "b": 0.0}, "tangents", "primals")
    [2.0, 1.0]
    """

    def walk(x: Any, wanted: Any, place: tuple[Any, ...]) -> list[Any]:
        if type(x) is type(wanted) is float:
            return [x]
        x, wanted = (t.tolist() if is_array(t) else t for t in (x, wanted))
        row, given = container(wanted), container(x)
        if row is None and _is_number(x):
            return [x if is_interpreted(x) else number(x)]
        keys = None if row is None else row.members(wanted)
        inside = None if given is None or given.rebuild is None else given.members(x)
        same = row is not None and given is not None and row.members is given.members
        if not same or keys is None or inside is None or keys.keys() != inside.keys():
            needed = "A number"
            if keys is not None:
                named = [*keys] if [*keys] != [*range(len(keys))] else len(keys)
                needed = f"A {type(wanted).__name__} of {named}"
            raise BadArgument(
                f"The {what} must have the structure and shape of the {of}. {needed} is needed "
                f"at {what}{''.join(f'[{key!r}]' for key in place)}. Received: {x!r}."
            )
        return [n for key in keys for n in walk(inside[key], keys[key], (*place, key))]

    return walk(tree, model, ())


def spread(rows: Sequence[Sequence[Any]], outputs: Any, inputs: Any) -> Any:
    """A matrix with one row per number of a tree of outputs and one column per number of a tree
    of inputs, in their structures: that of the outputs, with that of the inputs in the place of
    each leaf. Where one of two leaves is an array, an array of both their shapes.

    >>> spread([[1.0, 2.0], [3.0, 4.0]], [0.0, 0.0], {"w": 0.0, "b": 0.0})
    [{'w': 1.0, 'b': 2.0}, {'w': 3.0, 'b': 4.0}]
    """
    ys, like_outputs = leaves(outputs)
    xs, like_inputs = leaves(inputs)
    if not any(map(is_array, [*ys, *xs])):
        return like_outputs([like_inputs(row) for row in rows])
    remaining = iter(rows)
    made = []
    for y in ys:
        mine = [iter(row) for row in islice(remaining, _size(y))]
        parts = []
        for x in xs:
            block = [n for row in mine for n in islice(row, _size(x))]
            shapes = [tuple(leaf.shape) for leaf in (y, x) if is_array(leaf)]
            parts.append(_block(block, sum(shapes, ())) if shapes else block[0])
        made.append(like_inputs(parts))
    return like_outputs(made)


def _size(leaf: Any) -> int:
    return prod(leaf.shape) if is_array(leaf) else 1


def sizes(tree: Any) -> tuple[int, ...]:
    """The shape of nested lists or of an array.

    >>> sizes([[1.0, 2.0, 3.0]])
    (1, 3)
    """
    lengths = []
    while hasattr(tree, "__len__") and not isinstance(tree, (str, bytes)):
        lengths.append(len(tree))
        tree = tree[0] if len(tree) else None
    return tuple(lengths)


def as_array(tree: Any) -> Any:
    """Nested lists as a NumPy array where NumPy is installed, else as they are."""
    try:
        import numpy
    except ImportError:
        return tree
    return numpy.array(tree)


def ravel(tree: Any) -> tuple[list[Any], Callable[[Any], Any]]:
    """A tree of numbers as one flat list, and the function that undoes it.

    The form that optimisers of other libraries need: see the recipe with ``scipy.optimize`` in the
    documentation.

    Args:
        tree: nested lists, tuples, dicts, other containers and arrays of numbers or Values.

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
        items = [x if is_interpreted(x) else number(x) for x in flat]
        if len(items) != len(numbers):
            raise BadArgument(f"unravel needs {len(numbers)} numbers. Received: {len(items)}.")
        return rebuild(items)

    return numbers, unravel
