"""The executor that is always there, and the source that a reader looks at: plain Python.

A program becomes the text of one function ``run(lanes, shared)``: what no input flows into is
computed once, the rest in a loop over the lanes. The text runs as it stands. Where Python
raises and IEEE does not (1/0, exp(710)), the executor computes the call again, row by row.
"""

from __future__ import annotations

import keyword
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

from .code import PRIMITIVES, Code

__all__ = ["PythonKernel", "load", "source"]

BLOCK = 1000
"""A longer program is written as several functions of so many lines: Python compiles each of
them quickly, which it does not do for one of 65,000."""

# fmt: off
EXPRESSIONS: dict[str, str] = {
    "add": "{} + {}", "sub": "{} - {}", "mul": "{} * {}", "div": "{} / {}", "neg": "-{}",
    "identity": "{}", "square": "{0} * {0}", "reciprocal": "1.0 / {}",
    "mod": "{} % {}", "floordiv": "{} // {}",
    "less": "1.0 if {} < {} else 0.0", "less_equal": "1.0 if {} <= {} else 0.0",
    "greater": "1.0 if {} > {} else 0.0", "greater_equal": "1.0 if {} >= {} else 0.0",
    "equal": "1.0 if {} == {} else 0.0", "not_equal": "1.0 if {} != {} else 0.0",
    "where": "{1} if {0} != 0.0 else {2}",
    "unless_nan": "{0} if {1} == {1} else {1}",
    "maximum": "{0} if {0} > {1} or {0} != {0} else {1}",
    "minimum": "{0} if {0} < {1} or {0} != {0} else {1}",
    "relu": "{0} if {0} > 0.0 or {0} != {0} else 0.0",
    "step": "1.0 if {0} > 0.0 else 0.0 if {0} == {0} else {0} * 0.0",
    "sign": "1.0 if {0} > 0.0 else -1.0 if {0} < 0.0 else {0} + 0.0",
    "abs": "fabs({})", "pow": "pow({}, {})",
    "floor": "copysign(floor({0}), {0})", "ceil": "copysign(ceil({0}), {0})",
    "round": "copysign(round({0}), {0})",
    **{name: f"{name}({{}})" for name in (
        "exp", "expm1", "log", "log1p", "log2", "log10", "sqrt", "cbrt", "sin", "cos", "tan",
        "asin", "acos", "atan", "sinh", "cosh", "tanh", "asinh", "acosh", "atanh", "erf", "erfc")},
    "atan2": "atan2({}, {})", "hypot": "hypot({}, {})",
}
# fmt: on
"""Every primitive but ``sum`` as Python; a test holds each against its row."""

_CBRT = """
def cbrt(x):
    if x == 0.0 or x - x != 0.0:
        return x
    root = copysign(fabs(x) ** (1.0 / 3.0), x)
    return root - (root - x / (root * root)) / 3.0
"""


class PythonKernel:
    """A program as a function of Python; see `loops.Kernel`.

    ``batch`` and ``each`` are sequences of rows or arrays of two dimensions, ``shared``,
    ``total`` and ``once`` sequences of numbers.
    """

    def __init__(self, code: Code) -> None:
        self.code = code
        space: dict[str, Any] = {}
        exec(compile(source(code), "<compiled program>", "exec"), space)
        self._run = space["run"]

    def __call__(self, n: int, batch: Any, shared: Any, each: Any, total: Any, once: Any) -> None:
        lanes, numbers = _plain(batch), _plain(shared)
        try:
            results = self._run(lanes, numbers)
        except (ArithmeticError, ValueError):
            results = _run_rows(self.code, lanes, numbers)
        for into, found in zip((each, total, once), results):
            if found:
                into[:] = found


def load(code: Code, fastmath: bool = False) -> PythonKernel:
    """The program, ready to run in Python; ``fastmath`` changes nothing here.

    >>> code = Code(2, 0, (), ("mul",), ((0, 1),), each=(2,), total=(2,))
    >>> each, total = [[], []], [0.0]
    >>> load(code)(2, [[2.0, 3.0], [4.0, 5.0]], [], each, total, [])
    >>> each, total
    ([[6.0], [20.0]], [26.0])
    """
    return PythonKernel(code)


def _plain(numbers: Any) -> Any:
    return numbers.tolist() if hasattr(numbers, "tolist") else numbers


def _run_rows(
    code: Code, lanes: Sequence[Sequence[float]], shared: Sequence[float]
) -> tuple[list[list[float]], list[float], list[float]]:
    """The same, instruction by instruction, by the rows themselves: these never raise."""
    compute = [PRIMITIVES[name].compute for name in code.ops]
    varies = code.varying()[code.first :]
    slots = [0.0] * code.inputs + [*shared, *code.constants] + [0.0] * len(code.ops)
    each: list[list[float]] = []
    total = [-0.0] * len(code.total)
    for slot, (row, args) in enumerate(zip(compute, code.args), code.first):
        if not varies[slot - code.first]:
            slots[slot] = row(*[slots[arg] for arg in args])
    for lane in lanes:
        slots[: code.inputs] = lane
        for slot, (row, args) in enumerate(zip(compute, code.args), code.first):
            if varies[slot - code.first]:
                slots[slot] = row(*[slots[arg] for arg in args])
        each.append([slots[slot] for slot in code.each])
        total = [x + slots[slot] for x, slot in zip(total, code.total)]
    if not lanes:
        total = [0.0] * len(total)
    return each if code.each else [], total, [slots[slot] for slot in code.once]


# ── The text ──────────────────────────────────────────────────────────────────────────────


def source(code: Code, names: Mapping[int, str] | None = None, backward: int | None = None) -> str:
    """The program as Python that runs as it stands.

    Args:
        names: what slots are called, where they have a name.
        backward: the slot where the derivative begins, for a comment there.

    >>> code = Code(2, 0, (1.0,), ("mul", "add"), ((0, 1), (3, 2)), total=(4,))
    >>> print(source(code, {0: "w", 1: "x", 4: "loss"}), end="")
    def run(lanes, shared):
        total = [-0.0]
        for w, x in lanes:
            v3 = w * x
            loss = v3 + 1.0
            total[0] += loss
        return [], total if lanes else [0.0] * len(total), []
    """
    return _Text(code, names or {}, backward).written()


class _Text:
    """The text of one program, in the making."""

    def __init__(self, code: Code, names: Mapping[int, str], backward: int | None) -> None:
        self.code, self.backward = code, backward
        self.blocks = len(code.ops) > BLOCK
        self.varies = code.varying()
        if self.blocks:
            self.called = [f"v[{slot}]" for slot in range(code.slots)]
        else:
            self.called = _identifiers(code.slots, names)
        start = code.inputs + code.shared
        for slot, x in enumerate(code.constants, start):
            self.called[slot] = _literal(x)
        self.names = names

    def written(self) -> str:
        code, called = self.code, self.called
        once: list[int] = []
        lanes: list[int] = []
        for i in range(code.first, code.slots):
            (lanes if self.varies[i] else once).append(i)
        body: list[str] = []
        head = self.header()
        if self.blocks:
            body.append(f"    v = [0.0] * {code.slots}")
            body.append(f"    v[{code.inputs}:{code.inputs + code.shared}] = shared")
        elif code.shared:
            body.append(f"    {self.unpacked(code.inputs, code.shared)} = shared")
        functions, calls = self.section("once", once)
        body += calls
        if code.each:
            body.append("    each = []")
        if code.total:
            body.append(f"    total = [{', '.join(['-0.0'] * len(code.total))}]")
        loop: list[str] = []
        if self.blocks:
            loop.append(f"v[:{code.inputs}] = lane")
        more, calls = self.section("lane", lanes)
        loop += [call[4:] for call in calls]
        if code.each:
            loop.append(f"each.append([{', '.join(called[slot] for slot in code.each)}])")
        loop += [f"total[{i}] += {called[slot]}" for i, slot in enumerate(code.total)]
        if loop:
            lane = "lane" if self.blocks or not code.inputs else self.unpacked(0, code.inputs)
            body.append(f"    for {lane} in lanes:")
            body += ["        " + line for line in loop]
        total = "total" if code.total else "[]"
        if code.total:
            total = "total if lanes else [0.0] * len(total)"
        results = [
            "each" if code.each else "[]",
            total,
            f"[{', '.join(called[slot] for slot in code.once)}]",
        ]
        body.append(f"    return {', '.join(results)}")
        lines = [*head, *functions, *more, "def run(lanes, shared):", *body]
        return "\n".join(lines) + "\n"

    def unpacked(self, start: int, count: int) -> str:
        return ", ".join(self.called[start : start + count]) + ("," if count == 1 else "")

    def section(self, kind: str, slots: list[int]) -> tuple[list[str], list[str]]:
        """Functions to write above, and the lines for the body."""
        lines: list[str] = []
        split = self.backward
        for slot in slots:
            if split is not None and slot >= split and slots[0] < split:
                lines.append("    # backward")
                split = None
            lines += ["    " + line for line in self.instruction(slot)]
        if not self.blocks:
            return [], lines
        functions, calls = [], []
        for number, start in enumerate(range(0, len(lines), BLOCK), 1):
            functions += [f"def {kind}_{number}(v):", *lines[start : start + BLOCK], "", ""]
            calls.append(f"    {kind}_{number}(v)")
        return functions, calls

    def instruction(self, slot: int) -> list[str]:
        name, args = self.code.ops[slot - self.code.first], self.code.args[slot - self.code.first]
        operands = [self.called[arg] for arg in args]
        target = self.called[slot]
        if name != "sum":
            return [f"{target} = {EXPRESSIONS[name].format(*operands)}"]
        lines = [f"{target} = {' + '.join(operands[:50]) or '0.0'}"]
        for start in range(50, len(operands), 50):
            rest = operands[start : start + 50]
            # one after the other: a + (b + c) is not (a + b) + c
            lines.append(f"{target} = {target} + {' + '.join(rest)}")
        return lines

    def header(self) -> list[str]:
        used = set(self.code.ops)
        functions = {_FUNCTION[name] for name in used if name in _FUNCTION}
        if "cbrt" in used:
            functions |= {"copysign", "fabs"}
        if used & {"floor", "ceil", "round"}:
            functions.add("copysign")
        functions.discard("cbrt")
        functions.discard("round")
        lines = []
        if functions:
            lines += [f"from math import {', '.join(sorted(functions))}", "", ""]
        special = {x for x in map(_literal, self.code.constants) if "n" in x}
        if special:
            at = f"from math import {', '.join(sorted(functions | {'inf', 'nan'}))}"
            lines = [at, "", ""]
        if "cbrt" in used:
            lines += [*_CBRT.strip().split("\n"), "", ""]
        return lines


_FUNCTION = {
    name: text.split("(")[0]
    for name, text in EXPRESSIONS.items()
    if "(" in text and not text.startswith("copysign")
} | {"floor": "floor", "ceil": "ceil"}


def _literal(x: float) -> str:
    """A constant as it is written, in parentheses where a sign would bind to its neighbour."""
    text = repr(x)
    return f"({text})" if text.startswith("-") else text


def _identifiers(count: int, names: Mapping[int, str]) -> list[str]:
    """A name for every slot: its own as far as Python can read it, else v and its number."""
    taken = {*keyword.kwlist, *keyword.softkwlist, "run", "lanes", "lane", "shared", "each"}
    taken |= {"total", "len", "inf", "nan", "round", "copysign", "fabs", *EXPRESSIONS}
    called = []
    for slot in range(count):
        name = _identifier(names.get(slot, ""))
        if not name or name in taken or (name[0] == "v" and name[1:].isdigit()):
            name = f"{name}_{slot}" if name and not name.startswith("v") else f"v{slot}"
        taken.add(name)
        called.append(name)
    return called


def _identifier(name: str) -> str:
    """What is left of a name when only letters, digits and _ may stay; '' if nothing is."""
    plain = unicodedata.normalize("NFKC", name)
    kept = "".join(c if ("a" + c).isidentifier() else "_" for c in plain).strip("_")
    return kept if kept.isidentifier() else ""
