"""Pieces of NumPy code: words for primitives, parentheses, and indexes of regular places."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Final

from ..strings import as_subscript
from .array_words import ARRAYS
from .code import SPELLED
from .lifting import Access

ATOM, PRODUCT, SUM = range(3)
"""How tightly an expression holds together; an expression is a string and one of these."""

SPECIAL: Final = {"erf": "math.erf", "erfc": "math.erfc"}
"""Primitives that NumPy doesn't have."""

_CALLED: Final = re.compile(r"(?=\b[a-z]\w*\()")

Dims = tuple[tuple[int, int], ...]
"""Axes of numbers in an array: of each its length and stride."""


def pretty(text: str) -> str:
    """NumPy code as mathematics."""
    text = text.replace("np.", "").replace("theta", "θ")
    return re.sub(r"\b(d?[WwbhgsCI])(\d+)\b", lambda m: m[1] + as_subscript(m[2]), text)


def words(kind: str) -> str:
    words = {"cbrt": "np.cbrt({0})", "square": "np.square({0})", "pow": "np.power({0}, {1})"}
    known = words.get(kind) or ARRAYS.get(kind, "").replace("m.", "np.")
    if not known and kind in SPELLED:  # a row that was added since
        known = f"({_CALLED.sub('np.', SPELLED[kind].python)})"
    return known or "{0}"


def helped(kind: str) -> bool:
    """Whether a primitive is a function that the source defines."""
    return words(kind).count("{0}") > 1 or kind in SPECIAL


def helper(kind: str) -> list[str]:
    if kind in SPECIAL:
        return [f"{kind} = np.vectorize({SPECIAL[kind]}, otypes=[float])"]
    args = ["x", "y", "z"][: 1 + max(i for i in range(3) if f"{{{i}}}" in words(kind))]
    return ["", f"def {kind}({', '.join(args)}):", f"    return {words(kind).format(*args)}", ""]


def within(text: tuple[str, int], level: int) -> str:
    """An expression as an argument that must hold together this tightly."""
    return text[0] if text[1] <= level else f"({text[0]})"


def transposed(text: str) -> str:
    return text.removesuffix(".T") if text.endswith(".T") else f"{text}.T"


def literal(x: float) -> tuple[str, int]:
    text = (
        repr(x) if math.isfinite(x) else {math.inf: "np.inf", -math.inf: "-np.inf"}.get(x, "np.nan")
    )
    return text, PRODUCT if text.startswith("-") else ATOM


def dims_of(access: Access) -> Dims:
    strides = access.strides or ()
    return tuple((n, s) for n, s in zip(access.shape, strides) if n > 1)


def row_major(shape: Sequence[int]) -> tuple[int, ...]:
    return tuple(math.prod(shape[i + 1 :]) if n > 1 else 0 for i, n in enumerate(shape))


def grid(offset: int, dims: Dims) -> str:
    """The places of a tensor, as an index."""
    if not dims:
        return str(offset)
    if len(dims) == 1 and dims[0][1] > 0:
        n, stride = dims[0]
        stop = offset + stride * (n - 1) + 1
        return f"{offset}:{stop}" if stride == 1 else f"{offset}:{stop}:{stride}"
    parts = [str(offset)] if offset else []
    for i, (n, stride) in enumerate(dims):
        index = (
            f"[{', '.join([':', *['None'] * (len(dims) - 1 - i)])}]" if i < len(dims) - 1 else ""
        )
        factor = f"{stride} * " if stride != 1 else ""
        parts.append(f"{factor}np.arange({n}){index}")
    return " + ".join(parts)


def taken(offset: int, dims: Dims, count: int, name: str = "theta") -> str:
    """A tensor in an array of so many numbers, as a view if NumPy has a word for it."""
    if len(dims) < 2:
        return f"{name}[{grid(offset, dims)}]"
    turned = dims[0][1] == 1 and dims[1][1] >= dims[0][0]
    (n, stride), (m, step) = dims[::-1] if turned else dims
    if n == 1:
        return f"{name}[None, {grid(offset, dims[1:])}]"
    if step != 1 or stride < m or len(dims) > 2 or offset + n * stride > count:
        return f"{name}[{grid(offset, dims)}]"
    text = f"{name}[{offset}:{offset + n * stride}].reshape({n}, {stride})"
    return text + (f"[:, :{m}]" if m < stride else "") + (".T" if turned else "")
