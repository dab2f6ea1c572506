"""Whatever a renderer prints means what the tree means: it is read back and computed.

The readers are small parsers of this file, which share no code with what prints: one for
formulas on one line, as explanations and the page write them, and one for their LaTeX. What
prints programs (Python, C, JavaScript) is held against the rows in tests of its own.
"""

from __future__ import annotations

import math
import operator
import random
import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinygrad_edu import Value, snapshot
from tinygrad_edu.core import ops
from tinygrad_edu.core.table import TABLE, Op
from tinygrad_edu.explaining.notation import Math
from tinygrad_edu.explaining.symbols import Term
from tinygrad_edu.exploring import formulas
from tinygrad_edu.exploring.page import labels

# ── Readers ───────────────────────────────────────────────────────────────────────────────

SUPERSCRIPTS = "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"
FUNCTIONS: dict[str, Callable[..., float]] = {
    "exp": math.exp, "log": math.log, "tanh": math.tanh, "sin": math.sin, "max": max, "min": min,
    "σ": lambda x: 1.0 / (1.0 + math.exp(-x)), "sigma": lambda x: 1.0 / (1.0 + math.exp(-x)),
    "atan2": math.atan2, "sgn": lambda x: math.copysign(1.0, x) if x else 0.0,
    "sign": lambda x: math.copysign(1.0, x) if x else 0.0,
}  # fmt: skip
COMPARISONS = {
    "<": operator.lt, ">": operator.gt, "≤": operator.le, "≥": operator.ge, "=": operator.eq,
    "≠": operator.ne, r"\le": operator.le, r"\ge": operator.ge, r"\ne": operator.ne,
}  # fmt: skip
ROUND = {"⌊": ("⌋", math.floor), "⌈": ("⌉", math.ceil)}


class Reader:
    """A recursive descent: a sum of products of signed powers of atoms."""

    token = r"\s*(\d+\.?\d*(?:e[+-]?\d+)?|[A-Za-zσ][A-Za-z0-9_]*|.)"
    minus, times, over = "−-", "·×", "/"

    def __init__(self, text: str, numbers: dict[str, float]) -> None:
        self.tokens = re.findall(self.token, text.strip())
        self.numbers, self.at = numbers, 0

    def read(self) -> float:
        x = self.sum()
        assert self.peek() == "", f"{self.tokens[self.at :]} is left"
        return x

    def peek(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def take(self, *expected: str) -> str:
        token = self.peek()
        assert not expected or token in expected, f"{token!r} where {expected} must be"
        self.at += 1
        return token

    def among(self, signs: Any) -> bool:
        return self.peek() != "" and self.peek() in signs

    def sum(self) -> float:
        x = self.signed()
        while self.among("+" + self.minus):
            x = x + self.product() if self.take() == "+" else x - self.product()
        return x

    def signed(self) -> float:
        if self.among(self.minus):
            self.take()
            return -self.product()
        return self.product()

    def product(self) -> float:
        x = self.power()
        while self.among([*self.times, *self.over, "mod", r"\cdot", r"\bmod"]):
            sign = self.take()
            y = self.power()
            x = x / y if sign in self.over else x % y if "mod" in sign else x * y
        return x

    def power(self) -> float:
        x = self.atom()
        exponent = ""
        while self.among(SUPERSCRIPTS):
            exponent += self.take()
        if exponent:
            digits = exponent.translate(str.maketrans(SUPERSCRIPTS, "-0123456789"))
            return float(x ** int(digits))
        if self.peek() == "^":
            self.take()
            return float(x ** self.exponent())
        return x

    def exponent(self) -> float:
        return self.atom()

    def arguments(self) -> list[float]:
        """What stands in parentheses, behind the opening one."""
        found = [self.sum()]
        while self.peek() == ",":
            self.take()
            found.append(self.sum())
        self.take(")")
        return found

    def atom(self) -> float:
        token = self.take()
        assert token, "the formula ends where an argument must be"
        if token[0].isdigit():
            return float(token)
        if token == "(":
            (x,) = self.arguments()
            return x
        if token == "|":
            x = abs(self.sum())
            self.take("|")
            return x
        if token in "√∛":
            root = self.atom()
            return math.sqrt(root) if token == "√" else math.copysign(abs(root) ** (1 / 3), root)
        if token in ROUND:
            close, rounded = ROUND[token]
            x = self.sum()
            self.take(close)
            return math.copysign(rounded(x), x)
        if token == "[":
            x, compare, y = self.sum(), COMPARISONS[self.take()], self.sum()
            self.take("]")
            return float(compare(x, y))
        if self.peek() == "(" and token in FUNCTIONS:
            self.take()
            return FUNCTIONS[token](*self.arguments())
        return self.numbers[token]


class TexReader(Reader):
    """The same for LaTeX: braces group, \\frac divides, \\left and \\right say nothing."""

    token = r"\s*(\d+\.?\d*|\\atan2|\\[A-Za-z]+|.)"
    minus, times = "-", "\0"

    def __init__(self, text: str, numbers: dict[str, float]) -> None:
        text = re.sub(r"\\operatorname\{(\w+)\}", r"\\\1", text)
        text = re.sub(r"\\(left|right)", "", text).replace(r"\times", r"\cdot")
        super().__init__(text, numbers)

    def group(self) -> float:
        self.take("{")
        x = self.sum()
        self.take("}")
        return x

    def exponent(self) -> float:
        return self.group()

    def atom(self) -> float:
        token = self.peek()
        if token == "{":
            return self.group()
        if token == r"\frac":
            self.take()
            return self.group() / self.group()
        if token == r"\sqrt":
            self.take()
            if self.peek() == "[":
                self.take(), self.take("3"), self.take("]")
                x = self.group()
                return math.copysign(abs(x) ** (1 / 3), x)
            return math.sqrt(self.group())
        if token == r"\lfloor" or token == r"\lceil":
            self.take()
            x = self.sum()
            self.take(r"\rfloor", r"\rceil")
            return math.copysign(math.floor(x) if "floor" in token else math.ceil(x), x)
        if token == "e":
            self.take()
            self.take("^")
            return math.exp(self.group())
        if token[1:] in FUNCTIONS:
            self.take(), self.take("(")
            return FUNCTIONS[token[1:]](*self.arguments())
        return super().atom()


def test_the_readers_themselves():
    numbers = {"x": 2.0, "y": 3.0}
    for text, expected in {
        "x + y·x": 8.0, "−x² + 1": -3.0, "(−x)²": 4.0, "x/y/2": 1 / 3, "x^y": 8.0, "−(−x)": 2.0,
        "x⁻¹": 0.5, "(x³)²": 64.0, "√(x + x)": 2.0, "|x − y|": 1.0, "[x < y] × 5": 5.0,
        "max(x, y) − 1": 2.0, "⌊y / x⌋": 1.0, "2e-1·x": 0.4,
    }.items():  # fmt: skip
        assert Reader(text, numbers).read() == pytest.approx(expected)
    for tex, expected in {
        r"\frac{x}{y} \cdot x": 4 / 3, r"{\left(x + y\right)}^{2}": 25.0, r"-{x}^{2}": -4.0,
        r"\max\left(x, y\right)": 3.0, r"e^{x - 2}": 1.0, r"\left|x - y\right|": 1.0,
    }.items():  # fmt: skip
        assert TexReader(tex, numbers).read() == pytest.approx(expected)
    for wrong in ("−−x", "x + ", "w²", "x y"):
        with pytest.raises((AssertionError, KeyError)):
            Reader(wrong, numbers).read()


# ── Random trees ──────────────────────────────────────────────────────────────────────────

ROWS: list[Op] = [
    ops.add, ops.sub, ops.mul, ops.div, ops.neg, ops.square, ops.reciprocal, ops.sqrt, ops.cbrt,
    ops.abs, ops.floor, ops.ceil, ops.mod, ops.maximum, ops.minimum, ops.exp, ops.log, ops.tanh,
    ops.sin, ops.sigmoid, ops.sum, ops.less, ops.greater_equal, ops.atan2, ops.identity,
]  # fmt: skip
EXPONENTS = (2, 3, -1, -2, 1, 0.5, 2.5)


def tree(rng: random.Random, x: Any, y: Any, depth: int) -> Any:
    """A random expression of two numbers of any kind."""
    if depth == 0 or rng.random() < 0.1:
        return rng.choice([x, y, x, y, rng.choice([2.0, -3.0, 0.5, 1.0, -1.0])])
    if rng.random() < 0.25:
        return tree(rng, x, y, depth - 1) ** rng.choice(EXPONENTS)
    row = rng.choice(ROWS)
    args = [tree(rng, x, y, depth - 1) for _ in range(row.arity or rng.randrange(1, 4))]
    if not any(isinstance(arg, (Term, Value)) for arg in args):
        args[0] = x
    return row(*args) if row.arity else row(args)


def number_of(x: Any) -> float:
    return x.values[0] if isinstance(x, Term) else x


POINT = {"x": 1.75, "y": -0.625}


def close(x: float, y: float) -> bool:
    return math.isclose(x, y, rel_tol=1e-4, abs_tol=1e-6)  # formulas show six digits


def term_of(seed: int, depth: int) -> Term | None:
    rng = random.Random(seed)
    x, y = (Term.named(Math(name, name), at) for name, at in POINT.items())
    try:
        found = tree(rng, x, y, depth)
    except (TypeError, ArithmeticError, ValueError):
        return None
    sane = isinstance(found, Term) and 1e-3 < abs(number_of(found)) < 1e6
    return found if sane and "⋯" not in found.math().text else None


def numbers_are_short(text: str) -> bool:
    """Whether no number was rounded so that steps such as ⌊x⌋ could fall elsewhere."""
    return (
        "inf" not in text
        and "nan" not in text
        and all(len(number.lstrip("0.")) < 4 for number in re.findall(r"[\d.]+", text))
    )


@given(st.integers(0, 2**32), st.integers(1, 5))
@settings(max_examples=600, deadline=None)
def test_formulas_mean_what_they_say(seed, depth):
    term = term_of(seed, depth)
    if term is None:
        return
    text, tex = term.math()
    if not numbers_are_short(text):
        return
    try:
        told = [Reader(text, POINT).read(), TexReader(tex, POINT).read()]
        told.append(Reader(formulas.written(term)[0], POINT).read())
    except (
        ArithmeticError,
        TypeError,
        ValueError,
    ):  # 1/0 and the like are infinite only in the graph
        return
    for answer, shown in zip(told, (text, tex, formulas.written(term)[0])):
        assert isinstance(answer, float), shown
        assert close(answer, number_of(term)), (shown, answer, number_of(term))


@given(st.integers(0, 2**32))
@settings(max_examples=300, deadline=None)
def test_labels_of_the_page_mean_what_they_say(seed):
    x, y = (Value(at, name=name) for name, at in POINT.items())
    try:
        root = tree(random.Random(seed), x, y, 4)
    except (TypeError, ArithmeticError, ValueError):
        return
    if not isinstance(root, Value) or not math.isfinite(root.data):
        return
    graph = snapshot(root + 0.0)
    for node, (label, _) in zip(graph.nodes, labels(graph)):
        words = re.findall(r"[A-Za-z]\w+", label)
        if node.op is None or "…" in label or not set(words) <= {*FUNCTIONS, "mod"}:
            continue
        if not math.isfinite(node.data) or abs(node.data) > 1e6 or not numbers_are_short(label):
            continue
        if re.fullmatch(r"[^\w√⌊⌈|(\[]*", label) or label == node.op.symbol:
            continue  # the sign alone, where a formula would be long
        try:
            answer = Reader(label, POINT).read()
        except (ArithmeticError, TypeError, ValueError):
            continue
        assert isinstance(answer, complex) or close(answer, node.data), (label, node.data)


SEEN_WRONG: dict[str, Callable[[Any], Any]] = {
    "((w²)² − 1)²": lambda w: ((w**2) ** 2 - 1.0) ** 2,
    "(w³)²": lambda w: (w**3) ** 2,
    "(w⁻¹)²": lambda w: (w**-1) ** 2,
    "−(−w)": lambda w: ops.neg(ops.neg(w)) if not isinstance(w, Term) else w,
    "w × w − 2": lambda w: w * w - 2.0,
    "(w − 1) × (w + 1)": lambda w: (w - 1.0) * (w + 1.0),
    "(−w)²": lambda w: (-w) ** 2,
}


@pytest.mark.parametrize("text", SEEN_WRONG)
def test_labels_that_were_wrong(text):
    w = Value(3.0, name="w")
    root = SEEN_WRONG[text](w)
    graph = snapshot(root * 1.0)
    assert labels(graph)[-3][0] == text


@pytest.mark.parametrize("op", [op for op in TABLE.values() if op.text], ids=lambda op: op.name)
def test_a_notation_has_a_place_for_each_argument(op):
    count = 2 if op.arity is None else op.arity
    assert len(op.text.needs) == count
    if op.arity is not None:
        shown = 1 if op.name == "unless_nan" else count
        assert op.text.form.count("{}") == shown
        assert op.text.spaced.count("{}") in (0, shown)
