"""Build it yourself: the page and its steps agree, files of readers go on from step to step, and
what they have built computes what the engine computes."""

from __future__ import annotations

import ast
import math
import re
import time
from pathlib import Path

import pytest

import tinygrad_edu as tg
from tinygrad_edu import homework, keras
from tinygrad_edu.command.cli import main
from tinygrad_edu.homework.continuing import continued

PAGE = (Path(__file__).parents[1] / "docs" / "build.md").read_text(encoding="utf-8")
STEPS = {name: homework.load(name) for name in homework.STEPS}
FINAL = STEPS["build8"].solution


def built(source: str = FINAL) -> dict:
    room: dict = {"__name__": "built"}
    exec(compile(source, "built", "exec"), room)
    return room


def definitions(source: str) -> dict[str, str]:
    """Each definition of a file, as Python would write it: without comments and blank lines."""
    found = {}
    for node in ast.parse(source).body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            found[node.name] = ast.unparse(node)
        elif isinstance(node, ast.Assign):
            found[ast.unparse(node.targets[0])] = ast.unparse(node)
    return found


# ── The page ──────────────────────────────────────────────────────────────────────────────


def sections() -> list[str]:
    return re.split(r"(?m)^## Step \d: ", PAGE)[1:]


@pytest.mark.parametrize("i", range(8))
def test_the_page_shows_the_solutions_of_the_steps(i):
    blocks = re.findall(r"```python\n(?!>>>)(.*?)```", sections()[i], re.S)
    shown, task = definitions("\n".join(blocks)), STEPS[f"build{i + 1}"]
    whole = definitions(task.solution)
    assert shown.keys() == definitions(task.part or task.solution).keys()
    for name, code in shown.items():
        assert code == whole[name], name


def table(i: int) -> list[list[str]]:
    rows = re.findall(r"(?m)^\| (.*) \|$", sections()[i - 1])
    return [row.replace("−", "-").replace("`", "").split(" | ") for row in rows[1:]]


def test_the_tables_of_the_page_are_true():
    guess = {"w": 8000.0, "flats": 3.0, "b": 1000.0}
    for (name, move), (_, value, slope) in zip(
        [(name.split(",")[0], name) for name, *_ in table(2)], table(2)
    ):
        before, after = map(float, move.split(", ")[1].split(" → "))
        assert guess[name] == before
        nudged = {**guess, name: after}
        assert nudged["w"] * nudged["flats"] + nudged["b"] == float(value) == 25000 + float(slope)
    room = built()
    for name, _, _, numbers in table(4):
        values = [room["Value"](x) for x in (3.0, 4.0)]
        value = room["record"](name, *values[: 2 if name in "+-*/" else 1])
        shown = [float(x) for x in re.split("[;,]", numbers)]
        assert shown == [round(x, 4) for x in (value.data, *room["slopes"](value))]
    for steps, *shown in table(5):
        assert room["train"](int(steps)) == pytest.approx([float(x) for x in shown], abs=0.05)
    for name, *row in table(7):
        expected = room["hessian"](room["loss"](*(leaves := both(room))), leaves)
        assert expected["wb".index(name[-1])] == pytest.approx([float(x) for x in row])
    x = room["Value"](3.0)
    lines = room["source"]([x * x + 2.0], [x]).split("\n    ")
    assert [row[-1] for row in table(8) if "=" in row[-1]] == lines[1:3]


def both(room: dict) -> list:
    return [room["Value"](0.0), room["Value"](0.0)]


def test_the_counts_of_the_page_are_true():
    code = [
        line for line in ast.unparse(ast.parse(FINAL)).split("\n")
        if line.strip() and not line.strip().startswith(('"""', "'"))
    ]  # fmt: skip
    assert 110 <= len(code) <= 130
    parts = [task.part or task.solution for task in STEPS.values()]
    assert 38 <= sum(part.count(homework.BLANK) for part in parts) <= 44
    room = built()
    assert len(room["order"](room["loss"](*both(room)))) == 68


def test_a_compiled_training_is_faster():
    room, times = built(), {}
    for name in ("train", "train_compiled"):
        start = time.process_time()
        room[name](500)
        times[name] = time.process_time() - start
    assert times["train"] > 5 * times["train_compiled"]


# ── What was built ────────────────────────────────────────────────────────────────────────


def test_it_learns_what_keras_learns():
    flats, prices = built()["FLATS"], built()["PRICES"]
    model = keras.Sequential([keras.layers.Dense(1, kernel_initializer="zeros", input_dim=1)])
    model.compile("sgd", "mse")
    model.fit(flats, prices, epochs=100, verbose=0, shuffle=False)
    (w,), b = (weights.ravel() for weights in model.layers[0].get_weights())
    assert built()["train"](100) == pytest.approx([w, *b], rel=1e-12)


@pytest.mark.parametrize(
    "f",
    [
        lambda r, x, y: r.tanh(x * y) / (1.0 + r.exp(x)) - y,
        lambda r, x, y: r.log(x + 2.0) * x * x - 3.0 / y,
        lambda r, x, y: -x / (y * y) + r.exp(r.tanh(x)),
    ],
)
def test_its_derivatives_are_those_of_the_engine(f):
    room = built()
    names = type("Names", (), {name: staticmethod(room[name]) for name in ("exp", "log", "tanh")})
    leaves = [room["Value"](0.5), room["Value"](1.5)]
    result = f(names, *leaves)
    slopes = tg.grad(lambda p: f(tg, *p))([0.5, 1.5])
    room["backward"](result)
    assert [leaf.grad for leaf in leaves] == pytest.approx(slopes, rel=1e-12)
    assert [room["forward"](result, {leaf: 1.0}) for leaf in leaves] == pytest.approx(slopes)
    second = tg.hessian(lambda p: f(tg, *p))([0.5, 1.5])
    for mine, theirs in zip(room["hessian"](result, leaves), second):
        assert mine == pytest.approx(theirs, rel=1e-12)
    run = room["compiled"]([result, *room["gradients"](result, leaves)], leaves)
    expected = [f(tg, 1.0, 2.0), *tg.grad(lambda p: f(tg, *p))([1.0, 2.0])]
    assert run(1.0, 2.0) == pytest.approx(expected, rel=1e-12)


# ── A reader's own file ───────────────────────────────────────────────────────────────────

OWN = """# my engine
from collections import deque


class Value:
    def __init__(self, data, op="", args=()):
        self.data, self.op, self.args, self.grad = data, op, tuple(args), 0.0

    def __repr__(self):
        return f"<{self.data}>"

    def __add__(self, other):
        # one line is enough
        return Value(other.data + self.data, op="+", args=[self, other])

    def __mul__(self, other):
        return type(self)(self.data * other.data, "*", (self, other))


def formula(v):
    if v.args:
        inner = f" {v.op} ".join(formula(arg) for arg in v.args)
        return "(" + inner + ")"
    return str(v.data)


SPARE = deque([1]); MORE = 2
"""
VARIED = {  # the parts of the steps, written in other ways
    "build2": (
        ("return b.data, a.data", "return [b.data, a.data]"),
        ("arg.grad += value.grad * slope", "arg.grad = arg.grad + slope * value.grad"),
    ),
    "build3": (
        ("for value in reversed(values):", "for value in values[::-1]:"),
        ("        if value not in seen:\n            seen.add(value)  # BLANK\n",
         "        if all(value is not each for each in found):\n"),
    ),
    "build4": (
        ("(1.0 / b, -out / b)", "(1 / b, -a / (b * b))"),
        ("(1.0 - out * out,)", "(-out * out + 1.0,)"),
        ("return partials(value.data, *[arg.data for arg in value.args])",
         "return list(partials(value.data, *(arg.data for arg in value.args)))"),
    ),
    "build5": (
        ("sum(w * x for w, x in zip(weights, inputs)) + bias",
         "sum((x * w for x, w in zip(inputs, weights)), bias)"),
        ("neuron([w], [x], b) - y for", "y - neuron([w], [x], b) for"),
        ("w.data -= rate * w.grad", "w, b = Value(w.data - w.grad * rate), "
         "Value(b.data - b.grad * rate)"),
        ("b.data -= rate * b.grad", "pass"),
    ),
    "build6": (
        ("tangents[value] = sum(slope * tangents.get(arg, 0.0) for slope, arg in shares)",
         "tangents[value] = 0.0\n            for slope, arg in shares:\n"
         "                tangents[value] += tangents.setdefault(arg, 0.0) * slope"),
    ),
    "build7": (
        ("grads[arg] = grads[arg] + share if arg in grads else share",
         "grads[arg] = grads.get(arg, 0.0) + share"),
    ),
    "build8": (
        ('f"v{len(lines)}"', 'f"t{len(names)}_"'),
        ("by_w, by_b = run(w, b)", "by_w, by_b = run(*[w, b])"),
    ),
}  # fmt: skip


def test_a_readers_own_file_goes_on_through_all_steps():
    own = OWN
    assert homework.grade(STEPS["build1"], own).passed
    for name, edits in VARIED.items():
        part = STEPS[name].part
        for old, new in edits:
            assert old in part
            part = part.replace(old, new)
        own = continued(own, part)
        grade = homework.grade(STEPS[name], own)
        assert grade.passed, str(grade)
    for kept in ("# my engine", "def __repr__", "SPARE = deque([1]); MORE = 2", "import deque"):
        assert own.count(kept) == 1
    assert "one line is enough" not in own  # the method was written anew in step 4
    assert list(definitions(own)).count("Value") == 1
    assert built(own)["train"](2) == pytest.approx([6336.0, 1264.0])


def test_start_continues_a_file_that_is_right(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["homework", "start", "build2"]) == 0  # nothing to continue
    assert "continues" not in capsys.readouterr().out
    given = Path("homework/build2.py").read_text()
    assert given == STEPS["build2"].blanks()
    Path("homework/build2.py").unlink()

    Path("homework/build1.py").write_text(OWN.replace('op="+"', 'op="*"'))
    assert main(["homework", "start", "build2"]) == 0
    assert "the solution of build1: in your build1.py only" in capsys.readouterr().out
    assert Path("homework/build2.py").read_text() == given
    Path("homework/build2.py").unlink()

    Path("homework/build1.py").write_text("# task: build1\n" + OWN)
    assert main(["homework", "start", "build2"]) == 0
    assert "continues your build1.py" in capsys.readouterr().out
    own = Path("homework/build2.py").read_text()
    assert own.startswith('# task: build2\n"""Build it yourself, step 2')
    assert "def __repr__" in own
    assert own.count("# write this") == 3
    assert "task: build1" not in own
    assert main(["homework", "check", "build1", "build2"]) == 0
    out = capsys.readouterr().out
    assert "build1: all 15 answers are right" in out
    assert "build2: 1 of 10" in out


@pytest.mark.parametrize(
    ("before", "part", "after"),
    [
        ("x = 1\ny = 2\n", "x = 3\n", "x = 3\ny = 2\n"),
        ("x = 1\ny = 2\n", "x = 3\nz = x\n", "x = 3\nz = x\ny = 2\n"),
        ("y = 2\n", "import math\n\nz = 1\n", "import math\ny = 2\n\nz = 1\n"),
        ('"""Old."""\ny = 2\n', '"""New."""\nz = 1\n', '"""New."""\ny = 2\nz = 1\n'),
        ("y = 2\n", '"""New."""\nz = 1\n', '"""New."""\ny = 2\nz = 1\n'),
        ("a = 1; b = 2\n", "a = 3\n", "a = 1; b = 2\na = 3\n"),
        ("f()\n", "f()\n", "f()\nf()\n"),
        ("# only a comment\n", "x = 1\n", "x = 1\n"),
        ("class A: x = 1\n", "class A:\n    y = 2\n", "class A:\n    y = 2\n"),
        ("class A:\n    x = 1\n\n    @property\n    def f(self):\n        return 1\n",
         "class A:\n    @property\n    def f(self):\n        return 2\n",
         "class A:\n    x = 1\n    @property\n    def f(self):\n        return 2\n"),
        ("x = 1\nx = 2\n", "x = 3\n", "x = 1\nx = 3\n"),
    ],
)  # fmt: skip
def test_continued(before, part, after):
    assert continued(before, part) == after
    ast.parse(after)


# As readers write them, not as the lists of mistakes do; with a part of the sentence that fits.
MISTAKEN = [
    ("build1", "(self, other))", "{self, other})", "set"),
    ("build1", "(self, other))", "(self.data, other.data))", "not the Values"),
    ("build1", 'return f"({formula(a)} {value.op} {formula(b)})"',
     'return "%s %s %s" % (formula(a), value.op, formula(b))', "parentheses"),
    ("build1", 'return f"({formula(a)} {value.op} {formula(b)})"',
     'return "(" + str(a.data) + f" {value.op} " + str(b.data) + ")"', "only one step"),
    ("build2", "return b.data, a.data", "return value.args[0].data, value.args[1].data", "swapped"),
    ("build2", "arg.grad += value.grad * slope", "arg.grad = slope * value.grad", "= for +="),
    ("build2", "arg.grad += value.grad * slope", "arg.grad = arg.grad + slope", "passed on alone"),
    ("build3", "result.grad = 1.0", "result.grad += 0", "nothing to pass on"),
    ("build3", "reversed(values)", "sorted(values, key=values.index)", "oldest first"),
    ("build3", "seen.add(value)", "seen.add(None)", "once for each way"),
    ("build3", "value.grad = 0.0", "value.grad += 0.0", "still there"),
    ("build4", "lambda out, a: (1.0 / a,)", "lambda out, a: [out / out / out]", "by the output"),
    ("build4", "(1.0, -1.0)", "[1, 1]", "partials of a sum"),
    ("build4", "(1.0 / b, -out / b)", "(1.0 / b, a / b / b)", "needs a minus"),
    ("build5", "/ len(errors)", "/ 1.0", "not divided"),
    ("build5", "e * e for e", "abs(e.data) * 0.0 + e for e", "not of their squares"),
    ("build5", "w.data -= rate * w.grad", "w.data = w.data - w.grad", None),
    ("build6", "in order(result):", "in order(result)[::-1]:", "newest first"),
    ("build6", "slope * tangents.get(arg, 0.0)", "tangents.get(arg, 0.0) + slope",
     "added where they must be multiplied"),
    ("build6", "tangents.get(arg, 0.0) for", "tangents.get(arg, 1) for", "stands still"),
    ("build7", "partials(value, *value.args)", "slopes(value)", "with numbers"),
    ("build7", "grads[arg] + share if arg in grads else share", "share", "replaces"),
    ("build7", "grads[value] * slope", "grads[value].data * slope", None),
    ("build8", "args = [names[arg] for arg in value.args]",
     "args = [str(arg.data) for arg in value.args]", "are written into the program"),
    ("build8", "repr(value.data)", 'str(round(value.data))', "rounded"),
    ("build8", "by_w, by_b = run(w, b)", "by_w, by_b = run(0, 0)", "again and again"),
]  # fmt: skip


@pytest.mark.parametrize("i", range(len(MISTAKEN)))
def test_a_mistake_is_named_however_it_is_written(i):
    name, old, new, part = MISTAKEN[i]
    task = STEPS[name]
    assert old in task.solution
    grade = homework.grade(task, task.solution.replace(old, new))
    assert not grade.passed
    assert len(grade.mistakes) == (part is not None), str(grade)
    assert part is None or part in grade.mistakes[0]


def test_a_mistake_is_named_while_other_lines_are_blank():
    task, row = STEPS["build4"], '    "-": ...,  # write this\n'
    source = task.blanks()
    for line in re.findall(r"(?m)^ *return .*(?=  # BLANK$)", task.part):  # record and slopes
        source = source.replace("    ...  # write this", line, 1)
    wrong = '    "-": (lambda a, b: a - b, lambda out, a, b: (1.0, 1.0)),\n'
    grade = homework.grade(task, source.replace(row, wrong))
    assert len(grade.mistakes) == 1
    assert "partials of a sum" in grade.mistakes[0]
    assert "will come when no line # write this is left" in str(grade)
    assert homework.grade(task, source.replace(row, wrong.replace("1.0)", "-1.0)"))).mistakes == []


def test_a_step_without_its_predecessor_is_refused(tmp_path):
    path = tmp_path / "mine.txt"
    path.write_text('x = 1\n\n# TEACHER\nAFTER = "build9"\nPROBES = []\nMISTAKES = []\n')
    with pytest.raises(tg.errors.TinygradError, match="build8"):
        homework.load(str(path))


def test_the_curvatures_are_those_of_chapter_1():
    room = built()
    (a, b), (_, d) = room["hessian"](room["loss"](*(leaves := both(room))), leaves)
    root = math.sqrt(((a - d) / 2) ** 2 + b * b)
    model = keras.Sequential([keras.layers.Dense(1, kernel_initializer="zeros", input_dim=1)])
    model.compile("sgd", "mse")
    bowl = model.why_diverging(room["FLATS"], room["PRICES"])
    assert [(a + d) / 2 + root, (a + d) / 2 - root] == pytest.approx(bowl.curvatures)
