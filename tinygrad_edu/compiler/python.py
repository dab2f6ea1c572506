"""The executor that is always available, and readable source: plain Python.

A program becomes the source of one function ``run(lanes, shared)``: instructions that depend on no
input are computed once, the rest in a loop over the lanes. The source runs by itself. If Python
raises where IEEE does not (1/0, exp(710)), the executor computes the call again, row by row.
"""

from __future__ import annotations

import builtins
import keyword
import math
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from .arrays import listed
from .code import PRIMITIVES, SPELLED, Code

__all__ = ["PythonKernel", "load", "source"]

LONG: Final = 20_000
"""Instructions from which a program is written with numbered slots, in functions of `BLOCK`
lines, instead of with a variable for each result in one function."""

BLOCK: Final = 2_000

PATIENCE: Final = 30
"""Lanes before the source is compiled. Until then the rows compute, one after the other: Python
takes as long to compile a line as to run fifty."""


class PythonKernel:
    """A program as a function of Python; a kernel of `scheduler.EXECUTORS`.

    ``batch`` and ``each`` are sequences of rows or arrays of two dimensions, ``shared``,
    ``total`` and ``once`` sequences of numbers.
    """

    def __init__(self, code: Code) -> None:
        self.code = code
        self._lanes = 0
        self._function: Callable[..., Any] | None = None
        self._rows = _rows(code)

    def __call__(self, n: int, batch: Any, shared: Any, each: Any, total: Any, once: Any) -> None:
        lanes, numbers = listed(batch), listed(shared)
        run = self._function
        if run is None:
            self._lanes += max(1, n)
            run = self._rows if self._lanes <= PATIENCE else self._compiled()
        try:
            results = run(lanes, numbers)
        except (ArithmeticError, ValueError):
            results = self._rows(lanes, numbers)
        for target, numbers in zip((each, total, once), results):
            if numbers:
                target[:] = numbers

    def _compiled(self) -> Callable[..., Any]:
        space: dict[str, Any] = {}
        exec(compile(source(self.code), "<compiled program>", "exec"), space)
        self._function = run = space["run"]
        return run  # type: ignore[no-any-return]

    def into(self, total: Any, once: Any) -> Callable[[int, Any, Any], None]:
        """A call that always leaves its results there; for programs without ``each``."""
        return lambda n, batch, shared: self(n, batch, shared, (), total, once)


def load(code: Code, fastmath: bool = False) -> PythonKernel:
    """The program, ready to run in Python; ``fastmath`` changes nothing here.

    >>> code = Code(2, 0, (), ("mul",), ((0, 1),), each=(2,), total=(2,))
    >>> each, total = [[], []], [0.0]
    >>> load(code)(2, [[2.0, 3.0], [4.0, 5.0]], [], each, total, [])
    >>> each, total
    ([[6.0], [20.0]], [26.0])
    """
    return PythonKernel(code)


def _rows(code: Code) -> Callable[..., Any]:
    """The same program, computed by the rows one after the other, which never raise."""
    steps = [
        (slot, PRIMITIVES[name].compute, args)
        for slot, (name, args) in enumerate(zip(code.ops, code.args), code.first)
    ]
    varies = code.varying()
    before = [step for step in steps if not varies[step[0]]]
    inside = [step for step in steps if varies[step[0]]]

    def run(lanes: Sequence[Sequence[float]], shared: Sequence[float]) -> tuple[Any, ...]:
        slots = [0.0] * code.inputs + [*shared, *code.constants] + [0.0] * len(code.ops)
        for slot, compute, args in before:
            slots[slot] = compute(*[slots[arg] for arg in args])
        each: list[list[float]] = []
        total = [-0.0 if lanes else 0.0] * len(code.total)
        for lane in lanes:
            slots[: code.inputs] = lane
            for slot, compute, args in inside:
                slots[slot] = compute(*[slots[arg] for arg in args])
            if code.each:
                each.append([slots[slot] for slot in code.each])
            total = [x + slots[slot] for x, slot in zip(total, code.total)]
        return each, total, [slots[slot] for slot in code.once]

    return run


# ── The source ────────────────────────────────────────────────────────────────────────────


def source(
    code: Code,
    names: Mapping[int, str] | None = None,
    scopes: Mapping[int, str] | None = None,
    backward: int | None = None,
) -> str:
    """The program as runnable Python source.

    ``run(lanes, shared)`` takes the inputs of every lane and the shared numbers, and returns
    the three kinds of results: of each lane, totals over the lanes, and those wanted once.

    Args:
        names: the names of slots that have one.
        scopes: the scopes of slots, for comments.
        backward: the slot where the derivative begins, for a comment there.

    >>> code = Code(2, 1, (1.0,), ("mul", "add"), ((0, 2), (4, 3)), total=(5,), once=(2,))
    >>> print(source(code, {0: "x", 2: "w", 5: "loss"}, {4: "neuron 1"}), end="")
    def run(lanes, shared):
        w, = shared
        total = [-0.0 if lanes else 0.0]
        for x, v1 in lanes:
            # neuron 1
            v4 = x * w
            loss = v4 + 1.0
            total[0] += loss
        return [], total, [w]
    """
    return _Text(code, names or {}, scopes or {}, backward).written()


class _Text:
    """The source of one program, while it is being written."""

    def __init__(
        self, code: Code, names: Mapping[int, str], scopes: Mapping[int, str], backward: int | None
    ) -> None:
        self.code, self.names, self.scopes, self.backward = code, names, scopes, backward
        self.long = len(code.ops) > LONG
        numbered = [f"v[{slot}]" for slot in range(code.slots)]
        self.called = numbered if self.long else _identifiers(code.slots, names)
        for slot, x in enumerate(code.constants, code.inputs + code.shared):
            self.called[slot] = _literal(x)

    def written(self) -> str:
        code, varies = self.code, self.code.varying()
        results = range(code.first, code.slots)
        before = self.section([slot for slot in results if not varies[slot]])
        inside = self.section([slot for slot in results if varies[slot]])
        functions: list[str] = []
        body = []
        if code.shared:
            end = code.inputs + code.shared
            slots = self.listed(range(code.inputs, end))
            body.append(f"{f'v[{code.inputs}:{end}]' if self.long else slots} = shared")
        lane = "lane" if self.long or not code.inputs else self.listed(range(code.inputs))
        start = [f"v[:{code.inputs}] = lane"] if self.long else []
        if self.long:
            body.insert(0, f"v = [0.0] * {code.slots}")
            before = self.in_functions("before", before, functions)
            inside = self.in_functions("inside", inside, functions)
        body += before
        if code.each:
            body.append("each = []")
            inside.append(f"each.append([{self.listed(code.each)}])")
        if code.total:
            times = f" * {len(code.total)}" if len(code.total) > 1 else ""
            body.append(f"total = [-0.0 if lanes else 0.0]{times}")
            inside += [f"total[{i}] += {self.called[slot]}" for i, slot in enumerate(code.total)]
        if inside:
            body.append(f"for {lane} in lanes:")
            body += ["    " + line for line in [*start, *inside]]
        once = f"[{', '.join(self.called[slot] for slot in code.once)}]"
        each, total = "each" if code.each else "[]", "total" if code.total else "[]"
        body.append(f"return {each}, {total}, {once}")
        lines = [*functions, "def run(lanes, shared):", *("    " + line for line in body)]
        text = (_CBRT if "cbrt" in code.ops else "") + "\n".join(lines) + "\n"
        words = set(re.findall(r"[a-z]\w*", re.sub("#.*", "", text)))
        imported = sorted(words & {*dir(math)} - {"cbrt"})
        return f"from math import {', '.join(imported)}\n\n\n{text}" if imported else text

    def section(self, slots: Sequence[int]) -> list[str]:
        """The lines of some instructions, with titles if there is a derivative."""
        lines, start, last = list[str](), self.backward, ""
        for slot in slots:
            title = "# forward" if start is None or slot < start else "# backward"
            if start is not None and title != last:
                lines.append(title)
            lines += self.lines(slot)
            last = title
        return lines

    def lines(self, slot: int) -> list[str]:
        """One instruction, below its comments."""
        i = slot - self.code.first
        op, args = self.code.ops[i], [self.called[arg] for arg in self.code.args[i]]
        target = self.called[slot]
        lines = []
        scope = self.scopes.get(slot)
        if scope is not None and scope != self.scopes.get(slot - 1):
            lines.append(f"# {_printable(scope)}")
        if op != "sum":
            lines.append(f"{target} = {SPELLED[op].python.format(*args)}")
        else:  # from left to right; in parts, as Python can't read an expression of any length
            lines.append(f"{target} = {' + '.join(args[:50]) or '0.0'}")
            for start in range(50, len(args), 50):
                lines.append(f"{target} = {target} + {' + '.join(args[start : start + 50])}")
        name = self.names.get(slot, target)
        if name != target:
            lines[-1] += f"  # {_printable(name)}"
        return lines

    def listed(self, slots: Iterable[int]) -> str:
        names = [self.called[slot] for slot in slots]
        return ", ".join(names) + ("," if len(names) == 1 else "")

    def in_functions(self, name: str, lines: list[str], functions: list[str]) -> list[str]:
        """Divide the lines into functions of bounded size; the result is the calls of these."""
        calls = []
        for number, start in enumerate(range(0, len(lines), BLOCK), 1):
            functions.append(f"def {name}_{number}(v):")
            functions += ["    " + line for line in lines[start : start + BLOCK]]
            functions += ["    return", "", ""]  # so that no function is only a comment
            calls.append(f"{name}_{number}(v)")
        return calls


# Python 3.10 has no math.cbrt, and that of other versions differs.
_CBRT = """\
def cbrt(x):
    if x == 0.0 or x - x != 0.0:
        return x
    root = copysign(fabs(x) ** (1.0 / 3.0), x)
    return root - (root - x / (root * root)) / 3.0


"""


def _literal(x: float) -> str:
    """A constant in Python, in parentheses where its sign would bind to its neighbour."""
    text = repr(x)
    return f"({text})" if text.startswith("-") else text


def _printable(text: str) -> str:
    """A string that can't end its comment."""
    return "".join(c if c.isprintable() else "·" for c in text)


def _identifiers(count: int, names: Mapping[int, str]) -> list[str]:
    """A variable for every slot: its name if Python allows it, otherwise v and its number."""
    taken = {*keyword.kwlist, *keyword.softkwlist, *dir(builtins), *dir(math), *PRIMITIVES}
    taken |= {"run", "lanes", "lane", "shared", "each", "total", "v"}
    called = []
    for slot in range(count):
        name = _identifier(names.get(slot, ""))
        if not name or name in taken or re.fullmatch(r"v\d+", name):
            name = f"{name}_{slot}" if name and f"{name}_{slot}" not in taken else f"v{slot}"
        taken.add(name)
        called.append(name)
    return called


def _identifier(name: str) -> str:
    """The letters, digits and _ of a name; '' if there are none."""
    plain = unicodedata.normalize("NFKC", name)  # as Python itself reads names
    word = "".join(c if ("a" + c).isidentifier() else "_" for c in plain).strip("_")
    return word if word.isidentifier() and unicodedata.normalize("NFKC", word) == word else ""
