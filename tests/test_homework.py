"""The homework kit: right answers pass, however they are written, and mistakes are named."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

import pytest

import tinygrad_edu as tg
from tinygrad_edu import homework
from tinygrad_edu.command.cli import main
from tinygrad_edu.core.table import BUILT_IN, TABLE
from tinygrad_edu.errors import BadArgument, GradientMismatch, NameUnknown, TinygradError
from tinygrad_edu.testing import check_op

ALL = (*homework.TASKS, *homework.STEPS)
LOADED = {name: homework.load(name) for name in ALL}


def written(task: str, **functions: str) -> str:
    """The solution, with the bodies of some functions written anew, as a student might."""
    source = LOADED[task].solution
    for name, body in functions.items():
        lines = "\n".join(f"    {line}" for line in body.split("\n"))
        source, count = re.subn(
            rf"(?ms)^(def {name}\(.*?\):\n    \"\"\".*?\"\"\"\n).*?(?=\n\n\n|\n*\Z)",
            lambda match, lines=lines: match[1] + lines,
            source,
        )
        assert count == 1
    return source


def in_class(old: str, new: str, task: str = "backward") -> str:
    assert old in LOADED[task].solution
    return LOADED[task].solution.replace(old, new)


@pytest.mark.parametrize("name", ALL)
def test_the_solution_passes_and_the_blanks_do_not(name):
    task = LOADED[name]
    assert homework.grade(task, task.solution).passed
    blanks = task.blanks()
    compile(blanks, name, "exec")
    for line in task.solution.split("\n"):
        if line.endswith(homework.BLANK):
            assert line.removesuffix(homework.BLANK).strip() not in blanks.split("\n")
    grade = homework.grade(task, blanks)
    assert not grade.passed
    assert grade.mistakes == []
    assert "# write this" in str(grade)


@pytest.mark.parametrize("name", ALL)
def test_each_planted_mistake_is_named_and_no_other(name):
    for words, grade in homework.mistakes(LOADED[name]):
        assert grade.mistakes == [words]
        assert grade.right < grade.asked


def test_enough_mistakes_are_known():
    assert sum(len(LOADED[name].mistakes) for name in homework.TASKS) >= 70
    assert min(len(LOADED[name].mistakes) for name in homework.STEPS) >= 7


_BACK = "arg.grad += value.grad * slope"
RIGHT = {
    "slopes, as sums": written("slopes", square_slope="return x + x", sigmoid_slope=(
        "e = math.exp(-x)\nreturn e / (1 + e) ** 2")),
    "slopes, as lists": written("slopes", product_slopes="return [b, a]",
                                quotient_slopes="return [1 / b, -a * b**-2]"),
    "slopes, by pow": written("slopes", power_slope="return pow(x, n) / x * n"),
    "backward, written out": in_class(_BACK, "arg.grad = arg.grad + slope * value.grad"),
    "backward, by a stack": in_class(
        "        for value in reversed(self.order()):  # BLANK\n",
        "        stack = self.order()\n        while stack:\n            value = stack.pop()\n"),
    "neuron, in a loop": written("neuron", neuron=(
        "total = b\nfor i in range(len(ws)):\n    total += ws[i] * xs[i]\n"
        "return (math.exp(2 * total) - 1) / (math.exp(2 * total) + 1)")),
    "neuron, by cosh": written("neuron", neuron_slopes=(
        "z = sum(w * x for w, x in zip(ws, xs)) + b\ns = 1 / math.cosh(z) ** 2\n"
        "return tuple(s * x for x in xs), tuple(s * w for w in ws), s")),
    "step, mean by mean": written("step", slopes=(
        "n = len(xs)\nby_w = by_b = 0\nfor x, y in zip(xs, ys):\n"
        "    by_w += 2 / n * (w * x + b - y) * x\n    by_b += 2 / n * (w * x + b - y)\n"
        "return by_w, by_b")),
    "softmax, as a tuple": written("softmax", softmax=(
        "m = max(scores)\ne = [math.exp(s - m) for s in scores]\nz = sum(e)\n"
        "return tuple(x / z for x in e)")),
    "softmax, cross-entropy by logsumexp": written("softmax", cross_entropy=(
        "m = max(scores)\nreturn m + math.log(sum(math.exp(s - m) for s in scores))"
        " - scores[right]")),
    "momentum, in place": written("momentum", step=(
        "v *= momentum\nv -= rate * slope\nw += v\nreturn w, v")),
    "operation, by rows": in_class("lambda x: math.exp(-x * x)", "lambda x: tg.exp(-(x**2))",
                                   "operation"),
    "operation, without out": in_class("-2.0 * x * out,", "-2 * x * tg.exp(-x * x),", "operation"),
}  # fmt: skip


@pytest.mark.parametrize("what", RIGHT)
def test_right_variants_pass(what):
    grade = homework.grade(LOADED[what.split(",")[0]], RIGHT[what])
    assert grade.passed, str(grade)
    assert grade.words == []


# As students write them, not as the tasks' own lists do; with a part of the sentence that fits.
MISTAKEN = [
    (written("slopes", square_slope="return 1 * x"), "slope x"),
    (written("slopes", square_slope="return x ** 2"), "the value x·x"),
    (written("slopes", square_slope="return 2"), "slope 2"),
    (written("slopes", product_slopes="return (a, b)"), "swapped"),
    (written("slopes", product_slopes="return [1, 1]"), "slopes of a + b"),
    (written("slopes", quotient_slopes="return 1 / b, a / (b * b)"), "needs a minus"),
    (written("slopes", quotient_slopes="return 1 / b, 0 - a / b"), "b squared"),
    (written("slopes", quotient_slopes="return a / b, -a / b / b"), "itself does not matter"),
    (written("slopes", power_slope="return n * pow(x, n)"), "fall by one"),
    (written("slopes", power_slope="return x**n / x"), "factor n is missing"),
    (written("slopes", sigmoid_slope="return sigmoid(x)"), "the value sigmoid"),
    (written("slopes", sigmoid_slope="return 1 - sigmoid(x)"), "factor s is missing"),
    (in_class(_BACK, "arg.grad = slope * value.grad"), "overwritten"),
    (in_class(_BACK, "arg.grad = arg.grad + slope"), "passed on alone"),
    (in_class(_BACK, "arg.grad += value.grad * 1"), "without the slope"),
    (in_class("self.grad = 1.0", "self.grad = 0"), "nothing to pass on"),
    (in_class("reversed(self.order())", "list(self.order())"), "oldest first"),
    (in_class("if value not in seen:", "if value is not None:"), "once for each path"),
    (in_class("(other.data, self.data)", "[self.data, other.data]"), "are swapped"),
    (in_class("(self, other), (1.0, 1.0)", "(self, other), (other.data, self.data)"),
     "slopes of a product"),
    (written("neuron", neuron="return math.tanh(sum([w * x for w, x in zip(ws, xs)]))"), "bias"),
    (written("neuron", neuron="return sum(map(lambda w, x: w * x, ws, xs)) + b"), "not squashed"),
    (written("neuron", neuron_slopes="return list(xs), list(ws), 1.0"), "link through tanh"),
    (written("neuron", neuron_slopes=(
        "d = 1 - neuron(ws, xs, b) ** 2\nreturn [d * w for w in ws], [d * x for x in xs], d")),
     "swapped"),
    (written("neuron", neuron_slopes=(
        "d = 1 - neuron(ws, xs, b) ** 2\nreturn [d * x for x in xs], [d * w for w in ws], 0")),
     "not 0"),
    (written("neuron", neuron_slopes=(
        "d = 1 - neuron(ws, xs, b)\nreturn [d * x for x in xs], [d * w for w in ws], d")),
     "squared"),
    (written("step", slopes=(
        "e = [y - (w * x + b) for x, y in zip(xs, ys)]\n"
        "return sum(a * x for a, x in zip(e, xs)), sum(e)")), "blog post"),
    (written("step", slopes=(
        "e = [y - (w * x + b) for x, y in zip(xs, ys)]\n"
        "return -sum(a * x for a, x in zip(e, xs)), -sum(e)")), "2/n"),
    (written("step", slopes=(
        "e = [w * x + b - y for x, y in zip(xs, ys)]\n"
        "return 2 * sum(a * x for a, x in zip(e, xs)), 2 * sum(e)")), "not divided"),
    (written("step", slopes=(
        "e = [w * x + b - y for x, y in zip(xs, ys)]\n"
        "return sum(a * x for a, x in zip(e, xs)) / len(e), sum(e) / len(e)")),
     "factor 2 is missing in both"),
    (written("step", slopes=(
        "e = [w * x + b - y for x, y in zip(xs, ys)]\nd = 2 * sum(e) / len(e)\nreturn d, d")),
     "lacks the factor x"),
    (written("step", slopes=(
        "e = [y - w * x - b for x, y in zip(xs, ys)]\nn = len(e)\n"
        "return 2 * sum(a * x for a, x in zip(e, xs)) / n, 2 * sum(e) / n")), "wrong sign"),
    (written("step", step=(
        "dw, db = slopes(w, b, xs, ys)\nreturn w + dw * rate, b + db * rate")), "uphill"),
    (written("step", step="w -= rate * slopes(w, b, xs, ys)[0]\n"
             "b -= rate * slopes(w, b, xs, ys)[1]\nreturn w, b"), "at the new w"),
    (written("softmax", softmax=(
        "e = [math.exp(s) for s in scores]\nreturn [x / sum(e) for x in e]")), "overflows"),
    (written("softmax", softmax="return [math.exp(s - max(scores)) for s in scores]"),
     "not divided by their sum"),
    (written("softmax", cross_entropy="return math.log(softmax(scores)[right])"), "minus"),
    (written("softmax", cross_entropy="return -math.log(softmax(scores)[right], 2)"), "base 2"),
    (written("softmax", cross_entropy_slopes="return softmax(scores)"), "subtracted at the right"),
    (written("softmax", cross_entropy_slopes=(
        "p = softmax(scores)\nreturn [(1 if i == right else 0) - q for i, q in enumerate(p)]")),
     "wrong sign"),
    (written("softmax", cross_entropy_slopes="return [q * (1 - q) for q in softmax(scores)]"),
     "slope of a probability"),
    (written("momentum", step="v = momentum * v + rate * slope\nreturn w + v, v"), "climbs"),
    (written("momentum", step="v = momentum * v - slope\nreturn w + v, v"), "rate is missing"),
    (written("momentum", step="return w - rate * slope, -rate * slope"), "dropped"),
    (written("momentum", step="new = momentum * v - rate * slope\nreturn w + v, new"),
     "old velocity"),
    (in_class("-2.0 * x * out,", "2 * x * out,", "operation"), "lacks the minus"),
    (in_class("-2.0 * x * out,", "-2 * x,", "operation"), "link through exp"),
    (in_class("-2.0 * x * out,", "-2 * float(x) * math.exp(-float(x) ** 2),", "operation"),
     "cut off"),
    (in_class("lambda out, x, k: -x * out,", "lambda out, x, k: x * out,", "operation"),
     "more damping"),
]  # fmt: skip


def task_of(source: str) -> homework.Task:
    number = int(re.search(r"Task (\d)", source)[1])
    return LOADED[homework.TASKS[number - 1]]


@pytest.mark.parametrize("i", range(len(MISTAKEN)))
def test_a_mistake_is_named_however_it_is_written(i):
    source, part = MISTAKEN[i]
    grade = homework.grade(task_of(source), source)
    assert len(grade.mistakes) == 1, str(grade)
    assert part in grade.mistakes[0]
    assert "ulp" not in str(grade)


def test_two_mistakes_are_both_named():
    source = written("slopes", square_slope="return x", product_slopes="return a, b")
    assert len(homework.grade(LOADED["slopes"], source).mistakes) == 2


def test_an_unknown_mistake_gets_numbers_and_what_they_have_in_common():
    def verdict(body: str) -> str:
        return str(homework.grade(LOADED["slopes"], written("slopes", square_slope=body)))

    assert "square_slope(3.0) gives 12, nudging gives 6.0000." in verdict("return 4 * x")
    assert "2 times the right answer everywhere" in verdict("return 4 * x")
    assert "sign is wrong everywhere" in verdict("return -2 * x")
    assert "everywhere" not in verdict("return x + 3.5")
    assert "gives 'no'" in verdict("return 'no'")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("return 1 / 0", "ZeroDivisionError"),
        ("raise SystemExit", "SystemExit"),
        ("return square_slope(x)", "RecursionError"),
        ("return unknown", "NameError"),
    ],
)
def test_code_that_fails_is_reported(body, said):
    grade = homework.grade(LOADED["slopes"], written("slopes", square_slope=body))
    assert grade.right == 10
    assert said in str(grade)


def test_code_that_never_ends_is_stopped(monkeypatch):
    monkeypatch.setattr(homework, "SECONDS", 0.05)
    source = written("slopes", power_slope="while True:\n    pass")
    assert "did not come to an end" in str(homework.grade(LOADED["slopes"], source))


def test_code_that_is_not_python_is_reported():
    grade = homework.grade(LOADED["slopes"], "def square_slope(x)\n    return 2 * x\n")
    assert grade.words == ["Line 1 is not Python yet: expected ':'."]


def test_grading_leaves_nothing_behind(capsys):
    before = dict(TABLE)
    source = LOADED["operation"].solution + "\nprint('hello')\n"
    assert homework.grade(LOADED["operation"], source).passed
    assert before == TABLE
    assert capsys.readouterr().out == ""


TEACHERS = '''"""Double it."""


def double(x):
    return 2 * x  # BLANK


# TEACHER

PROBES = [("double(3)", ""), ("double(-1)", "")]
MISTAKES = [("That is the square.", "2 * x", "x * x"), ("Once is not twice.", "2 * x", "x")]
'''


def test_a_teacher_writes_a_task_in_a_short_file(tmp_path, capsys):
    path = tmp_path / "doubling.txt"
    path.write_text(TEACHERS)
    assert main(["homework", "try", str(path)]) == 0
    assert capsys.readouterr().out.count("named:") == 2
    student = tmp_path / "anna.py"
    student.write_text("def double(x):\n    return x * x\n")
    assert main(["homework", "check", str(student), "--task", str(path), "--json"]) == 0
    (grade,) = json.loads(capsys.readouterr().out)["grades"]
    assert (grade["passed"], grade["mistakes"]) == (False, ["That is the square."])


@pytest.mark.parametrize(
    "text",
    [
        "def f(x): return x\n",
        "x = 1\n\n# TEACHER\nPROBES = [('x', '')]\n",
        "x = 1\n\n# TEACHER\nPROBES = [1]\nMISTAKES = []\n",
        "x = 1\n\n# TEACHER\nPROBES = [('x', '')]\nMISTAKES = [('no', 'absent', '')]\n",
        "x = 1\n\n# TEACHER\n(\n",
    ],
)
def test_a_broken_task_is_refused(tmp_path, text):
    path = tmp_path / "broken.txt"
    path.write_text(text)
    with pytest.raises(BadArgument):
        homework.load(str(path))


def test_from_start_to_check(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["homework", "start"]) == 0
    assert capsys.readouterr().out.count(".py\n") == len(homework.TASKS)
    path = Path("homework/momentum.py")
    mine = path.read_text().replace(
        "    ...  # write this", "    return w - rate * slope, -rate * slope"
    )
    path.write_text(mine)
    assert main(["homework", "start", "momentum"]) == 0
    assert "already" in capsys.readouterr().out
    assert path.read_text() == mine
    assert main(["homework", "check"]) == 0
    assert "momentum: 2 of 5" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["homework", "check", "--folder", "elsewhere"])
    assert "homework start" in capsys.readouterr().err
    with pytest.raises(NameUnknown, match="momentum"):
        homework.load("momentun")
    with pytest.raises(TinygradError, match="read"):
        homework.load("absent.txt")


# ── check_op ──────────────────────────────────────────────────────────────────────────────

WRONG_ROWS = {
    "x for 2x": (lambda x: x * x, [lambda out, x: x], "you wrote the slope x;.*6.0000: 2x"),
    "2 for 2x": (lambda x: x * x, [lambda out, x: 2.0], "you wrote the slope 2;.*2x"),
    "right at 0 alone": (lambda x: x * x, [lambda out, x: 3.0 * x], "3x.*2x.*1.5 times"),
    "swapped": (lambda a, b: a * b, [lambda out, a, b: a, lambda out, a, b: b], "swapped"),
    "no minus": (lambda a, b: a / b, [lambda out, a, b: 1 / b, lambda out, a, b: a / b**2],
                 "sign is wrong"),
    "the value": (lambda x: 1 / (1 + math.exp(-x)), [lambda out, x: out],
                  r"slope out;.*out·\(1 − out\)"),
    "no square": (math.tanh, [lambda out, x: 1 - out], r"\(1 − out²\)"),
    "a factor": (lambda x: x**3, [lambda out, x: 2 * x * x], "2x².*3x²"),
    "not made of rows": (lambda x: x * x, [lambda out, x: 2.0 * float(getattr(x, "data", x))],
                         "made of rows"),
}  # fmt: skip


@pytest.mark.parametrize("what", WRONG_ROWS)
def test_check_op_says_what_is_wrong(what, request):
    value, partials, said = WRONG_ROWS[what]
    row = tg.op("checked_row", value, partials)
    request.addfinalizer(lambda: TABLE.pop("checked_row"))
    with pytest.raises(GradientMismatch, match=f"(?s){said}") as raised:
        check_op(row)
    assert "ulps" not in str(raised.value)


@pytest.mark.parametrize("name", ["tanh", "mul", "relu", "log", "xlogy", "sum"])
def test_check_op_passes_right_rows(name):
    assert check_op(TABLE[name]).checks > 20


@pytest.mark.thorough
@pytest.mark.parametrize("name", sorted(BUILT_IN))
def test_check_op_passes_all_rows(name):
    row = TABLE[name]
    if any(map(row.flows_to, range(row.arity or 1))):
        assert check_op(row).checks > 20


def test_check_op_refuses_what_it_can_not_check():
    with pytest.raises(BadArgument, match="has slopes"):
        check_op(tg.stop_gradient)
    with pytest.raises(BadArgument, match="row of the table"):
        check_op(math.sin)
