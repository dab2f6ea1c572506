"""The output of every renderer has the meaning of the tree: it is parsed and computed.

The readers are small parsers of this file, which share no code with what prints: one for
formulas on one line, as explanations and the page write them, and one for their LaTeX. Programs
are run: Python by Python, C by a compiler, JavaScript by node.
"""

from __future__ import annotations

import ctypes
import itertools
import json
import math
import operator
import random
import re
import shutil
import subprocess
from collections.abc import Callable, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinygrad_edu import Value, gradients, op, snapshot
from tinygrad_edu.compiler.c_source import c_source
from tinygrad_edu.compiler.code import Code
from tinygrad_edu.compiler.lowering import Lowering
from tinygrad_edu.compiler.python import source
from tinygrad_edu.compiler.templates import partials_template, row_template, traced
from tinygrad_edu.core import ops
from tinygrad_edu.core.table import BUILT_IN, TABLE, Op
from tinygrad_edu.drawing.layout import rules_js
from tinygrad_edu.errors import NotTraceable
from tinygrad_edu.explaining.notation import Math
from tinygrad_edu.explaining.symbols import Term
from tinygrad_edu.exploring import javascript, patterns
from tinygrad_edu.exploring.naming import labels, sign
from tinygrad_edu.exploring.page import columns

# ── Readers ───────────────────────────────────────────────────────────────────────────────

SUPERSCRIPTS = "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"
FUNCTIONS: dict[str, Callable[..., float]] = {
    "exp": math.exp, "log": math.log, "tanh": math.tanh, "sin": math.sin, "max": max, "min": min,
    "σ": lambda x: 1.0 / (1.0 + math.exp(-x)), "sigma": lambda x: 1.0 / (1.0 + math.exp(-x)),
    "atan2": math.atan2, "sgn": lambda x: math.copysign(1.0, x) if x else 0.0,
    "sign": lambda x: math.copysign(1.0, x) if x else 0.0,
}  # fmt: skip
# Every other row is called by its name, which LaTeX spells without underscores, or as follows.
NAMES = {"arcsin": "asin", "arccos": "acos", "arctan": "atan", "arsinh": "asinh", "norm": "norm",
         "arcosh": "acosh", "artanh": "atanh", "stop": "identity", "logtwo": "log2",
         "logten": "log10", "sech": "sech2"}  # fmt: skip
for _row in TABLE.values():
    FUNCTIONS.setdefault(_row.name, _row.compute)
    FUNCTIONS.setdefault(_row.name.replace("_", ""), _row.compute)
for _name, _called in NAMES.items():
    FUNCTIONS.setdefault(_name, TABLE[_called].compute)
FUNCTIONS["sech"] = lambda x: 1.0 / math.cosh(x)
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
        text = re.sub(r"₍[₀-₉]+₎", "", text)  # which of several parts of one formula it is
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
        while self.peek() == "{":  # \\frac{1}{2}{x}^{2}
            x *= self.power()
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
        if self.among("ˣʸ"):
            return float(x ** self.numbers["xy"["ˣʸ".index(self.take())]])
        return x

    def exponent(self) -> float:
        return self.atom()

    def arguments(self) -> list[float]:
        """The content of parentheses, after the opening one."""
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

    token = r"\s*(\d+\.?\d*|\\[A-Za-z]+[0-9]*|.)"
    minus, times = "-", "\0"

    def __init__(self, text: str, numbers: dict[str, float]) -> None:
        text = text.replace(r"\_", "").replace(r"\lVert", r"\norm").replace(r"\rVert", "")
        text = re.sub(r"\\operatorname\{(\w+)\}", r"\\\1", text)
        text = text.replace(r"\log_2", r"\logtwo").replace(r"\log_{10}", r"\logten")
        text = re.sub(r"\\(left|right)", "", text).replace(r"\times", r"\cdot")
        super().__init__(text, numbers)

    def group(self) -> float:
        self.take("{")
        x = self.sum()
        self.take("}")
        return x

    def exponent(self) -> float:
        return float(self.take()) if self.peek().isdigit() else self.group()

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
            self.take()
            power = 1.0
            if self.peek() == "^":
                self.take()
                power = self.exponent()
            if self.peek() != "(":  # \log\cosh
                return FUNCTIONS[token[1:]](self.atom())
            self.take("(")
            return FUNCTIONS[token[1:]](*self.arguments()) ** power
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
    ops.sin, ops.sigmoid, ops.sum, ops.less, ops.greater_equal, ops.logaddexp, ops.identity,
]  # fmt: skip
# Not atan2 and floordiv, which know the sign of 0, nor squareplus, whose formula goes on beyond its
# domain.
WRITTEN = [
    TABLE[name]
    for name in sorted(BUILT_IN - {"where", "unless_nan", "atan2", "squareplus", "floordiv"})
]
EXPONENTS = (2, 3, -1, -2, 1, 0.5, 2.5)


def tree(rng: random.Random, x: Any, y: Any, depth: int, rows: Sequence[Op] = ROWS) -> Any:
    """A random expression of two numbers of any kind."""
    if depth == 0 or rng.random() < 0.1:
        return rng.choice([x, y, x, y, rng.choice([2.0, -3.0, 0.5, 1.0, -1.0])])
    if rng.random() < 0.25:
        base, exponent = tree(rng, x, y, depth - 1, rows), rng.choice(EXPONENTS)
        return ops.pow(base, exponent) if isinstance(base, float) else base**exponent
    row = rng.choice(rows)
    args = [tree(rng, x, y, depth - 1, rows) for _ in range(row.arity or rng.randrange(1, 4))]
    if all(isinstance(arg, float) for arg in args):
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
        found = tree(rng, x, y, depth, rng.choice([ROWS, WRITTEN]))
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
        told.append(Reader(patterns.written(term)[0], POINT).read())
    except (
        ArithmeticError,
        TypeError,
        ValueError,
    ):  # 1/0 and the like are infinite only in the graph
        return
    for answer, shown in zip(told, (text, tex, patterns.written(term)[0])):
        assert isinstance(answer, float), shown
        if math.isfinite(answer):  # a part of it may overflow
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
        if label.partition("₍")[0].strip("()") in (node.op.symbol, sign(node)):
            continue  # the sign alone, where a formula would be long
        try:
            answer = Reader(label, POINT).read()
        except (ArithmeticError, TypeError, ValueError):
            continue
        assert isinstance(answer, complex) or close(answer, node.data), (label, node.data)


SENTENCES = """
const told = JSON.parse(require('fs').readFileSync(0, 'utf8')).map(([data, partials]) => {
  const document = { getElementById: () => ({ textContent: data }) };
  return new Function('document', 'rounded', SOURCE + `
    state.numbers = { values: RECORDED };
    return DATA.op.map((op, id) => op && {
      computed: computed(id),
      slopes: DATA.args[id].map((_, at) => localFormula({ to: id, at })),
      name: gradientOf(id),
    });`)(document, rounded);
});
console.log(JSON.stringify(told));
"""


def sentences(graphs: Sequence[Any]) -> Any:
    """The page's sentence for each operation, by its own script."""
    folder = files("tinygrad_edu.exploring") / "script"
    texts = [
        (folder / f"{name}.js").read_text(encoding="utf-8") for name in ("graph", "state", "words")
    ]
    given = []
    for graph in graphs:
        data = {
            **columns(graph, live=True),
            "opaque": [], "parameters": [], "samples": [], "rate": 0.1, "epochs": [], "weights": "",
        }  # fmt: skip
        given.append([json.dumps(data), []])
    script = f"{rules_js()}\nconst SOURCE = {json.dumps(''.join(texts))};{SENTENCES}"
    printed = subprocess.run(
        ["node", "-e", script], input=json.dumps(given), capture_output=True, text=True
    )
    assert printed.returncode == 0, printed.stderr[-2000:]
    return json.loads(printed.stdout)


def is_short(x: float) -> bool:
    return math.isfinite(x) and float(f"{x:.4g}") == x and (x == 0.0 or 1e-20 < abs(x) < 1e20)


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not here")
def test_sentences_of_the_page_mean_what_they_say():
    """Its formulas in names, and in numbers that are not rounded, give value and slope."""
    graphs = []
    for seed in range(400):
        x, y = (Value(at, name=name) for name, at in POINT.items())
        root = tree(random.Random(seed), x, y, 4)
        if isinstance(root, Value) and math.isfinite(root.data):
            graphs.append(snapshot(ops.mul(root, 1e6) + 0.0))
    checked = 0
    for graph, told in zip(graphs, sentences(graphs)):
        called = [label for label, _ in labels(graph)]
        names = {label: node.data for node, label in zip(graph.nodes, called)}
        for node, said in zip(graph.nodes, told):
            if said is None or not math.isfinite(node.data) or not said["computed"]:
                continue
            args = [graph.nodes[arg].data for arg in node.args]
            by_names, by_numbers = said["computed"]
            near = [node, *(graph.nodes[arg] for arg in node.args)]
            signs = {sign(each) for each in near if each.op} & {
                called[each.id].partition("₍")[0].strip("()") for each in near
            }
            cases = [(by_names, node.data)] * all(map(math.isfinite, args))
            cases += [(by_numbers, node.data)] * all(map(is_short, args))
            cases += zip(said["slopes"], node.partials)
            for text, expected in cases:
                if text is None or expected is None or not math.isfinite(expected):
                    continue
                words = set(re.findall(r"[A-Za-z]\w*", text))
                if any(one in text for one in signs):
                    continue  # an operation that has only a sign for a name
                if "…" in text or "Σ" in text or not words <= {*FUNCTIONS, "mod", "x", "y"}:
                    continue  # a function unknown here
                if not numbers_are_short(text.replace("10", "")):
                    continue
                try:
                    answer = Reader(text, {**names, **POINT}).read()
                except (ArithmeticError, TypeError, ValueError, KeyError):
                    continue
                checked += 1
                assert close(answer, expected), (text, answer, expected)
    assert checked > 500


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not here")
def test_signs_and_powers_of_ten_stand_in_parentheses():
    w, v = Value(-3.0, name="w"), Value(2e9, name="v")
    negative, square, _ = filter(None, sentences([snapshot((-w) * v**2)])[0])
    assert negative["name"] == "dresult/d(−w)"
    assert square["computed"] == ["v²", "(2·10⁹)²"]


@pytest.mark.parametrize(
    ("name", "square", "times", "plus"),
    [
        ("w", "w²", "2·w", "1 + w"),
        ("w²", "(w²)²", "2·w²", "1 + w²"),
        ("x - 1", "(x - 1)²", "2·(x - 1)", "1 + (x - 1)"),
        ("a·b", "(a·b)²", "2·a·b", "1 + a·b"),
        ("(ŷ − y)²", "((ŷ − y)²)²", "2·(ŷ − y)²", "1 + (ŷ − y)²"),
        ("Σ e", "(Σ e)²", "2·Σ e", "1 + Σ e"),
        ("cross-entropy", "cross-entropy²", "2·cross-entropy", "1 + cross-entropy"),
    ],
)
def test_a_name_that_reads_as_a_formula_is_one(name, square, times, plus):
    term = Term.named(Math(name, name), 3.0)
    for written, text in ((term**2, square), (2.0 * term, times), (1.0 + term, plus)):
        assert written.math().text == text
        assert patterns.written(written)[0].replace(" × ", "·") == text


def test_a_negative_zero_is_written_without_its_sign():
    x = Term.named(Math("x", "x"), 3.0)
    assert patterns.written(ops.sum([x, -0.0]))[0] == "x + 0"


def test_the_square_of_a_long_sum_is_not_a_sum_of_squares():
    leaves = [Value(float(i), name="e") for i in range(5)]
    written = [label for label, _ in labels(snapshot(ops.sum(leaves) ** 2 * 2.0))]
    assert "(Σ e)²" in written


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


# ── Programs ──────────────────────────────────────────────────────────────────────────────

SMOOTH = [TABLE[name] for name in sorted(BUILT_IN) if TABLE[name].kinks is None]
SAMPLES = [{"x": 1.75, "y": -0.625}, {"x": 0.375, "y": 2.5}]


class Program(NamedTuple):
    """A tree and its gradient, for each way to write it."""

    run: Callable[[Any, Any], Any]
    code: Code
    expected: list[list[float]]


def programs(count: int) -> list[Program]:
    found: list[Program] = []
    for seed in itertools.count():
        if len(found) == count:
            return found

        def run(x: Any, y: Any, seed: int = seed) -> Any:
            return tree(random.Random(seed), x, y, 5, [*ROWS, *SMOOTH])

        x, y = Value(1.0), Value(1.0)
        root = run(x, y)
        if not isinstance(root, Value):
            continue
        lowering = Lowering([x, y], [], [root])
        slots = [lowering.slot(root), *lowering.gradients(root, [x, y])]
        expected = []
        for sample in SAMPLES:
            leaves = [Value(sample["x"]), Value(sample["y"])]
            root = run(*leaves)
            slopes = gradients(root, leaves)
            expected.append([root.data, *(slope.data for slope in slopes)])
        found.append(Program(run, lowering.code(each=slots), expected))
    raise AssertionError


def agree(found: Sequence[float], expected: Sequence[float], ulps: float) -> bool:
    return all(
        x == y or (x != x and y != y) or abs(x - y) <= ulps * math.ulp(y)
        for x, y in zip(found, expected)
    )


def in_python(cases: list[Program]) -> list[list[list[float]]]:
    lanes = [list(sample.values()) for sample in SAMPLES]
    results = []
    for case in cases:
        space: dict[str, Any] = {}
        exec(source(case.code), space)
        try:
            results.append(space["run"](lanes, [])[0])
        except (ArithmeticError, ValueError):  # where IEEE does not raise; the executor asks rows
            results.append(case.expected)
    return results


def in_c(cases: list[Program], folder: Path) -> list[list[list[float]]]:
    text, library = folder / "programs.c", folder / "programs.so"
    text.write_text("\n".join(c_source(case.code, f"p{i}") for i, case in enumerate(cases)))
    command = ["cc", "-O2", "-ffp-contract=off", "-shared", "-fPIC", "-o", library, text, "-lm"]
    subprocess.run(command, check=True)
    functions = ctypes.CDLL(str(library))
    lanes = [x for sample in SAMPLES for x in sample.values()]
    results = []
    for i, case in enumerate(cases):
        given, each = (ctypes.c_double * 4)(*lanes), (ctypes.c_double * (3 * len(SAMPLES)))()
        scratch = (ctypes.c_double * case.code.slots)()
        functions[f"p{i}"](ctypes.c_long(len(SAMPLES)), given, None, each, None, None, scratch)
        results.append([each[start : start + 3] for start in range(0, len(each), 3)])
    return results


def in_javascript(cases: list[Program]) -> list[list[list[float]]]:
    written = []
    for case in cases:
        template = traced(ops.identity, lambda x, y, run=case.run: [run(x, y)], 2)
        lines, (result,) = javascript.function(template, ["x", "y"])
        written.append(f"(x, y) => {{ {lines}return {result}; }}")
    helpers = files("tinygrad_edu.exploring") / "script" / "arithmetic.js"
    script = (
        f"{helpers.read_text(encoding='utf-8')}\nconst F = [{','.join(written)}];"
        f"console.log(JSON.stringify(F.map((f) => {json.dumps(SAMPLES)}.map("
        "({x, y}) => String(f(x, y))))));"
    )
    printed = subprocess.run(["node"], input=script, capture_output=True, text=True, check=True)
    return [
        [[float(x.replace("Infinity", "inf"))] for x in found]
        for found in json.loads(printed.stdout)
    ]


@pytest.mark.parametrize("language", ["python", "c", "javascript"])
def test_programs_mean_what_they_say(language, tmp_path):
    """The value in each language, and the gradient where a program has one."""
    needed = {"c": "cc", "javascript": "node"}.get(language)
    if needed is not None and shutil.which(needed) is None:
        pytest.skip(f"{needed} is not here")
    cases = programs(60)
    if language == "javascript":  # its functions may differ in the last digits, which add up
        results, ulps = in_javascript(cases), 2.0**20
    else:
        results, ulps = in_c(cases, tmp_path) if language == "c" else in_python(cases), 64.0
    wrong = [
        (case.code, found, expected)
        for case, rows in zip(cases, results)
        for found, expected in zip(rows, case.expected)
        if not agree(found, expected, ulps)
    ]
    assert not wrong, f"{len(wrong)} of {len(cases)}: {wrong[:3]}"


@pytest.mark.parametrize("op", [TABLE[name] for name in sorted(BUILT_IN)], ids=lambda op: op.name)
def test_a_row_is_complete(op):
    """The one check of what a row lacks: it names the row and the missing cell."""
    count = op.arity or 2
    missing = [cell for cell in ("symbol", "tex", "sample") if not getattr(op, cell)]
    if op.spelled is not None:
        missing += [
            f"spelled.{name}" for name in ("python", "c", "js") if not getattr(op.spelled, name)
        ]
    try:
        row_template(op, count)
    except NotTraceable:
        missing.append("spelled, or a value made of rows")
    try:
        partials_template(op, (True,) * count, None)
    except NotTraceable:
        missing.append("partials made of rows")
    if op.arity is not None and len(op.sample) != op.arity:
        missing.append("a range in sample for each argument")
    assert not missing, f"{op.name} lacks {', '.join(missing)}"


def test_every_operator_of_a_value_is_one_of_symbols():
    """A user-defined row may be written with any of them."""

    def value(x: Any, y: Any) -> Any:
        return -abs(x) // y + 7.5 % (x % y) - 2.0 // x * y / 3.0 + x**2 - 2.0**y + 1.0 / x

    def slope(out: Any, x: Any, y: Any) -> Any:
        return value(x, +y) + math.floor(x) * math.ceil(y) - round(x)

    mine = op("every_operator", value, [slope, slope], opaque=False)
    x, y = Value(2.5), Value(0.75)
    lowering = Lowering([x, y], [], [z := mine(x, y)])
    lowering.gradients(z, [x, y])
    assert mine(2.5, 0.75) == value(2.5, 0.75) == z.data
    assert javascript.row(mine, 2).startswith("{value")
    terms = [Term.named(Math(name, name), at) for name, at in (("x", 2.5), ("y", 0.75))]
    assert value(*terms).values == (value(2.5, 0.75),)
