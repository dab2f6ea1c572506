"""Reads equations as pages and explanations print them, with names, rounded numbers and
derivatives, and says whether they hold.

A printed number stands for an interval: everything that is rounded to it. So a side of an equation
is an interval, and two sides that are equal overlap.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tests.test_renderers import COMPARISONS, FUNCTIONS, ROUND, SUPERSCRIPTS


class Unreadable(Exception):
    """Something that this reader does not know, such as an ellipsis."""


class Interval:
    """Numbers from low to high."""

    def __init__(self, low: float, high: float) -> None:
        if not (math.isfinite(low) and math.isfinite(high)):
            raise Unreadable("infinite")
        self.low, self.high = min(low, high), max(low, high)

    def __repr__(self) -> str:
        return f"[{self.low:.9g}, {self.high:.9g}]"

    def overlaps(self, other: Interval) -> bool:
        slack = 1e-9 * max(1e-12, abs(self.low), abs(other.low))
        return self.low <= other.high + slack and other.low <= self.high + slack


def applied(function: Callable[..., Any], *args: Interval) -> Interval:
    """A function of intervals, by its values at the corners and in the middle."""
    points = [(arg.low, arg.high) for arg in args]
    middle = [(arg.low + arg.high) / 2.0 for arg in args]
    values = []
    for point in [*itertools.product(*points), middle]:
        try:
            value = function(*point)
        except (ArithmeticError, ValueError, TypeError) as error:
            raise Unreadable(str(error)) from error
        if isinstance(value, complex):
            raise Unreadable("complex")
        values.append(float(value))
    return Interval(min(values), max(values))


def printed(text: str, digits: int) -> Interval:
    """A number as it is printed with so many significant digits, or whole."""
    x = float(text)
    if x == 0.0:
        return Interval(0.0, 0.0)
    half = 0.5 * 10.0 ** (math.floor(math.log10(abs(x))) - digits + 1)
    return Interval(x - half, x + half)


class Reader:
    """A recursive descent over one side of an equation.

    Args:
        symbols: the number of each symbol.
        derivatives: the number of each dL/dx and ∂y/∂x, by its text.
        digits: significant digits of printed numbers.
    """

    def __init__(
        self, symbols: Mapping[str, float], derivatives: Mapping[str, float], digits: int
    ) -> None:
        self.digits, self.derivatives = digits, derivatives
        named = {text: x for name, x in symbols.items() for text in (name, f"({name})")}
        self.numbers = {**named, **derivatives}
        self.lengths = sorted(set(map(len, self.numbers)), reverse=True)  # the longest that fits
        self.signs = [name for name in symbols if name in "+−×÷"]

    def side(self, text: str) -> Interval:
        self.rest = text.strip().replace("⁢", "")
        x = self.sum()
        self.skip()
        if self.rest:
            raise Unreadable(f"{self.rest!r} is left of {text!r}")
        return x

    def skip(self) -> None:
        self.rest = self.rest.lstrip()

    def next(self, *signs: str) -> str:
        self.skip()
        for sign in signs:
            if self.rest.startswith(sign):
                self.rest = self.rest[len(sign) :]
                return sign
        return ""

    def need(self, sign: str) -> None:
        if not self.next(sign):
            raise Unreadable(f"{sign!r} is missing before {self.rest!r}")

    def sum(self) -> Interval:
        x = self.signed()
        while sign := self.next("+", "−", "- "):
            y = self.product()
            x = applied((lambda a, b: a + b) if sign == "+" else (lambda a, b: a - b), x, y)
        return x

    def signed(self) -> Interval:
        self.skip()
        for sign in self.signs:  # a sign that is a symbol, alone
            if self.rest.startswith((f"{sign})", f"{sign},")) or self.rest == sign:
                self.rest = self.rest[1:]
                return Interval(self.numbers[sign], self.numbers[sign])
        minus = self.next("−", "-", "+") in ("−", "-")
        x = self.product()
        return applied(lambda a: -a, x) if minus else x

    def product(self) -> Interval:
        x = self.power()
        while sign := self.next("×", "·10", "·", "/", "mod "):
            if sign == "·10" and self.rest[:1] in SUPERSCRIPTS:  # 2·10⁹
                scale = 10.0 ** self.superscript()
                x = Interval(x.low * scale, x.high * scale)
                continue
            self.rest = ("10" if sign == "·10" else "") + self.rest
            y = self.power() if self.rest.lstrip()[:1] not in ("+", "−") else self.signed()
            x = applied({"/": lambda a, b: a / b, "mod ": lambda a, b: a % b}.get(
                sign, lambda a, b: a * b), x, y)  # fmt: skip
        return x

    def superscript(self) -> int:
        digits = ""
        while self.rest and self.rest[0] in SUPERSCRIPTS:
            digits, self.rest = digits + self.rest[0], self.rest[1:]
        return int(digits.translate(str.maketrans(SUPERSCRIPTS, "-0123456789")))

    def power(self) -> Interval:
        x = self.atom()
        if self.rest[:1] in SUPERSCRIPTS and self.rest:
            exponent = self.superscript()
            return applied(lambda a: a**exponent, x)
        if self.next("^"):
            minus = self.next("−", "-")
            y = self.atom()
            return applied(lambda a, b: a ** (-b if minus else b), x, y)
        return x

    def atom(self) -> Interval:
        self.skip()
        if match := re.match(r"10([⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+)", self.rest):
            self.rest = self.rest[2:]
            k = 10.0 ** self.superscript()
            return Interval(k * (1 - 1e-3), k * (1 + 1e-3))
        for size in self.lengths:
            name, after = self.rest[:size], self.rest[size : size + 1]
            if name in self.numbers and not (name[-1].isalpha() and after == "("):
                self.rest = self.rest[size:]
                return Interval(self.numbers[name], self.numbers[name])
        if match := re.match(r"\d+\.?\d*(?:e[+-]?\d+)?", self.rest):
            self.rest = self.rest[match.end() :]
            return printed(match[0], self.digits)
        if match := re.match(r"(\w+)\(", self.rest):
            self.rest = self.rest[match.end() :]
            if match[1] not in FUNCTIONS:
                raise Unreadable(match[1])
            args = [self.sum()]
            while self.next(","):
                args.append(self.sum())
            self.need(")")
            return applied(FUNCTIONS[match[1]], *args)
        if sign := self.next("(", "|", "√", "∛", "[", *ROUND):
            return self.bracketed(sign)
        raise Unreadable(self.rest)

    def bracketed(self, sign: str) -> Interval:
        if sign in "√∛":
            root = math.sqrt if sign == "√" else FUNCTIONS["cbrt"]
            return applied(root, self.atom())
        x = self.sum()
        if sign == "[":
            compare = self.next(*COMPARISONS)
            if not compare:
                raise Unreadable(self.rest)
            y = self.sum()
            self.need("]")
            return applied(lambda a, b: float(COMPARISONS[compare](a, b)), x, y)
        close = {"(": ")", "|": "|"}.get(sign) or ROUND[sign][0]
        self.need(close)
        if sign in ROUND:
            return applied(ROUND[sign][1], x)
        return applied(abs, x) if sign == "|" else x


class TexReader(Reader):
    """The same for LaTeX: braces group, \\frac divides, \\left and \\right say nothing."""

    def side(self, text: str) -> Interval:
        return super().side(plain_tex(text))

    def power(self) -> Interval:
        x = self.atom()
        if self.next("^"):
            minus = self.next("{-")
            if minus:
                self.rest = "{" + self.rest
            y = self.atom()
            return applied(lambda a, b: a ** (-b if minus else b), x, y)
        return x

    def atom(self) -> Interval:
        self.skip()
        if any(self.rest.startswith(name) for name in self.numbers):
            return super().atom()
        if self.next(r"\frac"):
            above, below = self.group(), self.group()
            return applied(lambda a, b: a / b, above, below)
        if self.next(r"\sqrt[3]"):
            return applied(FUNCTIONS["cbrt"], self.group())
        if self.next(r"\sqrt"):
            return applied(math.sqrt, self.group())
        if self.next("e^"):
            return applied(math.exp, self.group())
        if self.rest.startswith("{"):
            return self.group()
        if match := re.match(r"\\(\w+)(\^(?:\d|\{\d\}))?(?=\()", self.rest):
            power = int(re.sub(r"\D", "", match[2] or "1"))
            self.rest = match[1] + self.rest[match.end() :]
            return applied(lambda a: a**power, super().atom())
        return super().atom()

    def group(self) -> Interval:
        self.need("{")
        x = self.sum()
        self.need("}")
        return x


def plain_tex(tex: str) -> str:
    """LaTeX with this reader's own signs."""
    tex = re.sub(r"\\operatorname\{(\w+)\}", r"\\\1", re.sub(r"\\(left|right)(?![a-z])", "", tex))
    signs = {r"\cdot": "·", r"\times": "×", r"\lfloor": "⌊", r"\rfloor": "⌋", r"\le ": "≤",
             r"\ge ": "≥", r"\ne ": "≠", r"\bmod": "mod ", r"\,": " "}  # fmt: skip
    for sign, plain in signs.items():
        tex = tex.replace(sign, plain)
    return re.sub(r"\s+", " ", tex)


def added(side: str, reader: Reader, samples: Sequence[Reader]) -> Interval:
    """One side, whose terms may be sums over samples, such as Σ7 samples 2 × x."""
    if not re.search(r"Σ\d", side):
        return reader.side(side)
    total = Interval(0.0, 0.0)
    for term in re.split(r" \+ (?![^(]*\))", side):
        match = re.match(r"Σ(\d+) (samples|paths)\s*", term)
        several = [reader]
        if match:
            several = [reader] * int(match[1]) if match[2] == "paths" else [*samples]
            assert len(several) == int(match[1]), side
        for one in several:
            total = applied(
                lambda a, b: a + b, total, one.side(term[match.end() if match else 0 :])
            )
    return total


def wrong(text: str, reader: Reader, samples: Sequence[Reader] = ()) -> tuple[str, int]:
    """A complaint about an equation with any number of sides, and how many pairs were compared.

    A term that begins with Σ and a count is added up over the readers of the samples.
    """
    sides: list[tuple[str, Interval]] = []
    for side in re.split(r" = |= (?=\S)", text):
        try:
            sides.append((side, added(side.strip(), reader, samples)))
        except Unreadable:
            continue
    for (left, x), (right, y) in itertools.pairwise(sides):
        if not x.overlaps(y):
            return f"{text}: {left} is {x}, {right} is {y}", 0
    return "", max(0, len(sides) - 1)
