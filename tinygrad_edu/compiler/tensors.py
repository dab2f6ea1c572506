"""The tensors of a program, written for readers: as mathematics, and as NumPy code that runs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from .array_words import RELATIONS
from .code import SPELLED, Code
from .lifting import (
    AFTER,
    CONSTANTS,
    GIVEN,
    INPUTS,
    INSIDE,
    SHARED,
    Access,
    Group,
    Lifted,
    Store,
    lifted,
)
from .numpy_text import (
    ATOM,
    PRODUCT,
    SPECIAL,
    SUM,
    Dims,
    dims_of,
    grid,
    helped,
    helper,
    literal,
    pretty,
    row_major,
    taken,
    transposed,
    within,
    words,
)

__all__ = ["Tensors"]

LONG: Final = 60
"""Characters of an expression from which it gets a line of its own."""

_INFIX: Final = {"sub": SUM, "mul": PRODUCT, "div": PRODUCT}
_PLAIN: Final = {"identity", "neg", "reciprocal", "add", "sum", *_INFIX}


class Line(NamedTuple):
    """One operation on tensors: the name of its result, how it is computed, and its axes."""

    title: str
    name: str
    text: str
    axes: str


class Tensors:
    """The tensors that were found in a program of scalars.

    Printing it shows them as mathematics; `source` is the same as NumPy code.

    Args:
        code: the program.
        backward: the slot where its derivative begins, None if there is none.
        slopes: the first of its totals that is the slope by a parameter; the loss is before them.
            None if there are no slopes.

    Attributes:
        lines: the operations, in order.
        weights: by their names, where the tensors among the shared numbers lie: offset, lengths
            and strides.

    >>> code = Code(2, 4, (), ("mul", "mul", "sum", "mul", "mul", "sum", "tanh", "tanh"),
    ...     ((0, 2), (1, 3), (6, 7), (0, 4), (1, 5), (9, 10), (8,), (11,)), each=(12, 13))
    >>> print(Tensors(code))
    8 scalar instructions are 1 line of tensors. n is the number of samples.
    <BLANKLINE>
    h₁ = tanh(X @ W₁.T)    n × 2
    <BLANKLINE>
    X    n × 2, the inputs
    W₁   2 × 2, θ[0:4].reshape(2, 2)
    """

    def __init__(self, code: Code, backward: int | None = None, slopes: int | None = None) -> None:
        self.lifted = lifted(code)
        writer = _Writer(self.lifted, backward, slopes)
        self.lines, self.weights = writer.lines, writer.regions
        self._writer = writer

    def source(self) -> str:
        """The program as NumPy code: ``run(X, theta)`` returns each, total and once, as
        `Code` names them; X has a row for each sample."""
        return self._writer.source()

    def __str__(self) -> str:
        return self._writer.mathematics()


class _Writer:
    """The lines of a program while they are being written."""

    def __init__(self, found: Lifted, backward: int | None, slopes: int | None) -> None:
        self.found, self.code, self.slopes = found, found.code, slopes
        self.regions: dict[str, tuple[int, Dims]] = {}  # of the shared numbers
        self.data: dict[str, Any] = {}  # numbers, and places that are irregular
        self.lines: list[Line] = []
        self.text = {INPUTS: ("X", ATOM), SHARED: ("theta", ATOM), CONSTANTS: ("c", ATOM)}
        self.used: set[str] = set()  # helpers
        self._stored = self._targets()
        self._count_readers()
        titles = self._titles(backward)
        for i, (group, title) in enumerate(zip(found.groups, titles), GIVEN):
            self._write(i, group, title)
        self.stores = [
            line for kind in ("each", "total", "once") for store in getattr(found, kind)
            for line in [self._store(kind, store)]
        ]  # fmt: skip

    # ── Which lines there are ──

    def _count_readers(self) -> None:
        """Arrays that are read once, as a whole, by an operation on single numbers: they need no
        line of their own."""
        reads: dict[int, list[bool]] = {}
        for group in self.found.groups:
            once = group.kind in _PLAIN or words(group.kind).count("{0}") == 1
            simple = once and "dot" not in group.kind and group.kind != "row sum"
            for access in group.args:
                whole = access == self._whole(access.array) and access.shape == group.shape
                reads.setdefault(access.array, []).append(simple and whole)
        for stores in self.found[-3:]:
            for store in stores:
                reads.setdefault(store.source.array, []).append(False)
        self.inline = {array for array, found in reads.items() if found == [True]}

    def _titles(self, backward: int | None) -> list[str]:
        """Of every group whether it belongs to the derivative."""
        titles: list[str] = []
        title = "" if backward is None else "backward"
        for group in reversed(self.found.groups):
            slots = [slot for slot in group.slots if slot >= 0]
            if slots and backward is not None:
                title = "backward" if max(slots) >= backward else "forward"
            titles.append("sums over the samples" if group.stage == AFTER else title)
        return titles[::-1]

    def _targets(self) -> dict[int, tuple[int, Dims]]:
        """Of arrays that are slopes as a whole, the parameters they belong to."""
        if self.slopes is None:
            return {}
        stores = self.found.total or self.found.once
        return {
            s.source.array: (s.target.offset - self.slopes, dims_of(s.target))
            for s in stores if s.target.strides is not None and s.target.offset >= self.slopes
        }  # fmt: skip

    def _write(self, array: int, group: Group, title: str) -> None:
        text, level = self._computed(group)
        if array in self.inline and len(text) <= LONG and group.stage != AFTER:
            self.text[array] = text, level
            return
        name = self._name(array, title)
        self.text[array] = name, ATOM
        axes = [*(["n"] if group.stage == INSIDE else []), *map(str, group.shape)]
        if group.shape == (1,):
            axes = axes[:-1]
        self.lines.append(Line(title, name, text, " × ".join(axes)))

    def _name(self, array: int, title: str) -> str:
        target = self._stored.get(array)
        for name, (offset, dims) in self.regions.items():
            real = tuple(dim for dim in dims if dim[0] > 1)
            if target == (offset, real) and f"d{name}" not in [line.name for line in self.lines]:
                return f"d{name}"
        stores = self.found.total or self.found.once
        if self.slopes and any(
            s.source.array == array and s.target.offset == 0 and s.target.shape == (1,)
            for s in stores
        ):
            return "loss"
        letter = {"backward": "g", "sums over the samples": "s"}.get(title, "h")
        return f"{letter}{1 + sum(line.name[0] == letter for line in self.lines)}"

    # ── Expressions ──

    def _computed(self, group: Group) -> tuple[str, int]:
        """How a group is computed."""
        kind = group.kind
        if kind == "dot":
            return self._dot(group)
        if kind == "total dot":
            return self._total_dot(group)
        if kind == "row sum":
            return self._row_sum(group), ATOM
        texts = [self._read(arg) for arg in group.args]
        if kind == "total":
            return f"{within(texts[0], ATOM)}.sum(0)", ATOM
        if kind == "times n":
            return f"len(X) * {within(texts[0], ATOM)}", PRODUCT
        if kind in _PLAIN:
            return self._plain(kind, texts)
        if kind in RELATIONS:
            compared = SPELLED[kind].c.format(*[within(text, PRODUCT) for text in texts])
            return f"({compared}).astype(float)", ATOM
        arguments = [text for text, _ in texts]
        if helped(kind):
            self.used.add(kind)
            return f"{kind}({', '.join(arguments)})", ATOM
        return words(kind).format(*arguments), ATOM

    def _plain(self, kind: str, texts: list[tuple[str, int]]) -> tuple[str, int]:
        """Arithmetic, with the parentheses that it needs."""
        if kind in ("add", "sum"):
            texts.sort(key=lambda text: "@" not in text[0])  # a product before its bias
            return " + ".join(within(text, PRODUCT) for text in texts), SUM
        if kind == "identity":
            return texts[0]
        level = _INFIX.get(kind)
        if level is None:
            return SPELLED[kind].c.format(within(texts[0], ATOM)), PRODUCT
        return SPELLED[kind].c.format(within(texts[0], level), within(texts[1], level - 1)), level

    def _row_sum(self, group: Group) -> str:
        (arg,) = group.args
        rows = group.shape[0] > 1
        text = within(self._strided(arg, (0, 1) if rows else (1,)), ATOM)
        if group.stage == INSIDE:
            return f"{text}.sum(-1{'' if rows else ', keepdims=True'})"
        return f"{text.removesuffix('.T')}.sum(0)" if text.endswith(".T") else f"{text}.sum(-1)"

    def _dot(self, group: Group) -> tuple[str, int]:
        """A product of matrices, if it is one."""
        a, b = group.args
        (m, p, _), q = a.shape, b.shape[1]
        varies = [self.found.stage_of(arg.array) == INSIDE for arg in group.args]
        if m > 1 or varies[0]:
            return self._einsum(group, varies), ATOM
        left = within(self._strided(b, (1, 2) if q > 1 else (2,)), ATOM)
        if not varies[1]:
            right = self._matrix(a) if p > 1 else within(self._strided(a, (2,)), ATOM)
            return f"{left} @ {right}", PRODUCT
        text = f"{left} @ {self._matrix(a)}"
        return (f"({text})[..., 0]", ATOM) if p == 1 < q else (text, PRODUCT)

    def _total_dot(self, group: Group) -> tuple[str, int]:
        """A product of matrices that adds up the samples, if it is one."""
        a, b = group.args
        (m, p, k), q = a.shape, b.shape[1]
        if m > 1 or k > 1:
            return self._einsum(group, [True, True]), ATOM
        if p == q == 1:
            left, right = (within(self._read(arg), PRODUCT) for arg in (b, a))
            return f"np.sum({f'np.square({left})' if left == right else f'{left} * {right}'})", ATOM
        left, right = (within(self._strided(arg, (1,)), ATOM) for arg in (b, a))
        if 1 not in (p, q):
            return f"{left}.T @ {right}", PRODUCT
        return f"({left}.T @ {right})[{'0' if q == 1 else ':, 0'}]", ATOM

    def _einsum(self, group: Group, varies: Sequence[bool]) -> str:
        """Any dots, in Einstein's notation: axes of length 1 are left out."""
        a, b = group.args
        letters, texts = [], []
        for arg, own, lane in ((b, "q", varies[1]), (a, "p", varies[0])):
            axes = [i for i in range(3) if arg.shape[i] > 1]
            texts.append(self._strided(arg, axes)[0])
            letters.append("n" * lane + "".join(f"m{own}k"[i] for i in axes))
            letters[-1] += "z" * (lane and not axes)  # a column
        sizes = ("m", a.shape[0]), ("q", b.shape[1]), ("p", a.shape[1])
        out = "".join(letter for letter, n in sizes if n > 1)
        column = ""
        if group.kind == "dot" and True in varies:
            has_column = any("z" in x for x in letters)
            column = "" if out or has_column else "[:, None]"
            out = f"n{out or 'z' * has_column}"
        return f"np.einsum('{','.join(letters)}->{out}', {', '.join(texts)}){column}"

    # ── Reading arrays ──

    def _whole(self, array: int) -> Access:
        shape = self.found.shape_of(array)
        return Access(array, shape, 0, row_major(shape))

    def _read(self, access: Access) -> tuple[str, int]:
        """An argument, which NumPy broadcasts to its axes."""
        inside = self.found.stage_of(access.array) == INSIDE
        if access == self._whole(access.array) and access.array != CONSTANTS:
            return self.text[access.array]
        if access.strides is None:
            return self._gathered(access, access.shape)
        sizes = list(zip(access.shape, access.strides))
        axes = [i for i, (n, stride) in enumerate(sizes) if n > 1 and stride]
        if not axes:
            return self._number(access)
        view = self._strided(access, axes)
        index = [":" if i in axes else "None" for i in range(len(sizes))]
        if not inside:
            index = index[axes[0] :]
        if "None" not in index:
            return view
        return f"{within(view, ATOM)}[{', '.join([':'] * inside + index)}]", ATOM

    def _number(self, access: Access) -> tuple[str, int]:
        """A single number, or one of every sample, as a column."""
        array, offset = access.array, access.offset
        if array == CONSTANTS:
            return literal(self.found.constants[offset])
        if array == SHARED:
            return self._region(offset, ()), ATOM
        text, shape = self.text[array], self.found.shape_of(array)
        if shape == (1,) and array >= GIVEN:
            return text
        inside = self.found.stage_of(array) == INSIDE
        flat = self._flat(array)
        return f"{flat}[:, {offset}:{offset + 1}]" if inside else f"{flat}[{offset}]", ATOM

    def _flat(self, array: int) -> str:
        text, shape = within(self.text[array], ATOM), self.found.shape_of(array)
        inside = self.found.stage_of(array) == INSIDE
        if len(shape) == 1:  # single numbers may have no axis
            return f"np.ravel({self.text[array][0]})" if shape == (1,) and not inside else text
        return f"{text}.reshape(len(X), {math.prod(shape)})" if inside else f"{text}.ravel()"

    def _strided(self, access: Access, axes: Sequence[int]) -> tuple[str, int]:
        """An argument with some of its axes, after that of the samples; the others have length 1,
        or are broadcast. (A single number of a sample is a column.)"""
        array, shape = access.array, tuple(access.shape[i] for i in axes)
        if access.strides is None:
            return self._gathered(access, shape or (1,))
        strides = tuple(access.strides[i] for i in axes)
        if array == CONSTANTS:
            return self._gathered(Access(array, shape, access.offset, strides), shape or (1,))
        dims = tuple(zip(shape, strides))
        if array == SHARED and all(stride > 0 for _, stride in dims):
            return self._region(access.offset, dims, dot=len(access.shape) == 3), ATOM
        return self._view(array, access.offset, dims or ((1, 0),))

    def _matrix(self, a: Access) -> str:
        """The first factor of a product of matrices, transposed."""
        if a.array == SHARED and a.strides is not None and a.strides[2] > 0:
            dims = tuple(zip(a.shape[1:], a.strides[1:]))
            if a.shape[1] == 1 or a.strides[1] > 0:
                return transposed(self._region(a.offset, dims, dot=True))
        axes = [i for i in (1, 2) if a.shape[i] > 1]
        text = within(self._strided(a, axes), ATOM)
        if a.shape[1] == 1:
            return f"{text}[:, None]"
        return transposed(text) if len(axes) == 2 else f"{text}[None]"

    def _view(self, array: int, offset: int, dims: Dims) -> tuple[str, int]:
        whole = self.found.shape_of(array)
        inside = self.found.stage_of(array) == INSIDE
        shape, strides = tuple(n for n, _ in dims), tuple(s for _, s in dims)
        text, level = self.text[array]
        if not offset and (shape, strides) == (whole, row_major(whole)):
            return text, level
        turned = tuple(reversed(whole)), tuple(reversed(row_major(whole)))
        if not offset and len(shape) == 2 and (shape, strides) == turned:
            text = within((text, level), ATOM)
            return (f"{text}.swapaxes(1, 2)" if inside else f"{text}.T"), ATOM
        places = grid(offset, dims)
        return f"{self._flat(array)}[{':, ' * inside}{places}]", ATOM

    def _gathered(self, access: Access, shape: tuple[int, ...]) -> tuple[str, int]:
        """Numbers that lie irregularly."""
        array, places = access.array, access.all_places()
        if array == CONSTANTS:
            numbers = [self.found.constants[place] for place in places]
            return self._datum("C", numbers, shape), ATOM
        index = self._datum("I", places, shape)
        inside = self.found.stage_of(array) == INSIDE
        return f"{self._flat(array)}[{':, ' * inside}{index}]", ATOM

    def _datum(self, letter: str, numbers: Sequence[Any], shape: tuple[int, ...]) -> str:
        datum = list(numbers), shape
        turned = ([x for i in range(shape[1]) for x in numbers[i :: shape[1]]], shape[::-1]) if len(
            shape) == 2 else None  # fmt: skip
        for name, known in self.data.items():
            if repr(known) == repr(datum):
                return name
            if repr(known) == repr(turned):
                return f"{name}.T"
        name = f"{letter}{1 + sum(known[0] == letter for known in self.data)}"
        self.data[name] = datum
        return name

    def _region(self, offset: int, dims: Dims, dot: bool = False) -> str:
        """A tensor among the shared numbers, by its name."""
        for name, known in self.regions.items():
            if known == (offset, dims):
                return name
            if len(dims) == 2 and known == (offset, dims[::-1]):
                return f"{name}.T"
            if len(known[1]) == 2 and known[1][0][0] == 1 and (offset, dims) == (
                known[0], known[1][1:] if dims else ()
            ):  # fmt: skip
                return f"{name}[0]" if dims else f"{name}[0, 0]"
        letter = "W" if len(dims) > 1 else "w" if dot else "b"
        name = f"{letter}{1 + sum((known[0] == 'b') == (letter == 'b') for known in self.regions)}"
        self.regions[name] = offset, dims
        return name

    # ── Results ──

    def _store(self, kind: str, store: Store) -> str:
        source, target = store.source, store.target
        lanes = kind == "each"
        text = self._read(source)[0]
        if target.strides is None:
            index = self._datum("I", target.places, target.shape)
        elif not lanes:
            size = len(getattr(self.code, kind))
            left = taken(target.offset, dims_of(target) or ((1, 1),), size, kind)
            return f"{left if left.endswith(']') else f'{left}[:]'} = {text}"
        else:
            index = grid(target.offset, dims_of(target) or ((1, 1),))
        return f"{kind}[{':, ' * lanes}{index}] = {text}"

    # ── The whole ──

    def source(self) -> str:
        code = self.code
        body = [f"{name} = {taken(*region, code.shared)}" for name, region in self.regions.items()]
        title = ""
        for line in self.lines:
            if line.title != title:
                body += [f"# {line.title}"] if line.title else []
                title = line.title
            body.append(f"{line.name} = {line.text}")
        sizes = f"(len(X), {len(code.each)})", len(code.total), len(code.once)
        body.append("# results")
        body += [f"{name} = np.empty({size})" for name, size in zip(code._fields[-3:], sizes)]
        body += [*self.stores, "return each, total, once"]
        indented = [f"    {line}" for line in body]
        return "\n".join([*self._head(), "", "", "def run(X, theta):", *indented]) + "\n"

    def _head(self) -> list[str]:
        """Imports, data and helpers."""
        head = ["import math", ""] if self.used & {*SPECIAL} else []
        head += ["import numpy as np", ""]
        for name, (numbers, shape) in self.data.items():
            listed = ", ".join(literal(x)[0] if type(x) is float else repr(x) for x in numbers)
            reshaped = f".reshape({shape})" if len(shape) > 1 else ""
            head.append(f"{name} = np.array([{listed}]){reshaped}")
        for name in sorted(self.used):
            head += ["", *helper(name)]
        return head

    def mathematics(self) -> str:
        instructions, count = len(self.code.ops), len(self.lines)
        lines = [
            f"{instructions:,} scalar instructions are {count} line{'s' * (count != 1)} of tensors."
        ]
        if self.code.inputs:
            lines[0] += " n is the number of samples."
        texts = [pretty(f"{line.name} = {line.text}") for line in self.lines]
        width = max([len(text) for text in texts if len(text) <= 90], default=0)
        title = None
        for text, line in zip(texts, self.lines):
            if line.title != title:
                lines += ["", *([f"{line.title}:"] if line.title else [])]
                title = line.title
            lines.append(f"{text:{width}}    {line.axes}".rstrip())
        groups = self.found.groups
        alone = sum(group.shape == (1,) and group.slots != (-1,) for group in groups)
        if alone:
            lines += ["", f"{alone} of the instructions are like no other, and stay scalar."]
        return "\n".join([*lines, "", *self._legend()])

    def _legend(self) -> list[str]:
        """Where the given tensors lie."""
        rows = [("X", f"n × {self.code.inputs}, the inputs")] if self.code.inputs else []
        for name, (offset, dims) in self.regions.items():
            text = pretty(taken(offset, dims, self.code.shared))
            rows.append((pretty(name), f"{' × '.join(str(n) for n, _ in dims) or '1'}, {text}"))
        for name, (_, shape) in self.data.items():
            kind = "numbers of the graph" if name[0] == "C" else "places"
            rows.append((pretty(name), f"{' × '.join(map(str, shape))} {kind}"))
        width = max([len(name) for name, _ in rows], default=0)
        return [f"{name:{width}}   {text}" for name, text in rows]
