"""Homework: files with blanks, graded at once, in words.

    tinygrad-edu homework start              the files of all tasks, with blanks to fill in
    tinygrad-edu homework check              a verdict for each, with the mistake if it is known
    tinygrad-edu homework try my_task.py     for teachers: the verdict on each planted mistake

A task is one file of Python: its solution, in which lines that end in ``# BLANK`` are left out for
students, and below a line ``# TEACHER`` three lists:

- ``PROBES``: pairs of an expression, which is computed with the student's code and with the
  solution, and an expression for the number that nudging gives, or "";
- ``MISTAKES``: tuples of a sentence and what to replace in the solution to make that mistake;
- ``SETUP``, which may be left out: code for the probes, run behind the student's;
- ``AFTER``, which may be left out: the task that this one continues. The file then has only what is
  new, and students go on with their own files.

A file is right if it answers all probes as the solution does. If not, the mistakes are made one by
one: a mistake whose answers are the student's is named, and otherwise only numbers are shown.

>>> task = load("slopes")
>>> print(grade(task, task.solution.replace("return 2.0 * x", "return x")))
slopes: 10 of 13 answers are right.
  square_slope(3.0) gives 3, nudging gives 6.0000.
  For x·x you wrote the slope x. Both factors are x and both move, each by its own share: ...
"""

from __future__ import annotations

import contextlib
import io
import re
import signal
import textwrap
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache, partial
from math import isclose, isfinite
from pathlib import Path
from typing import Any, NamedTuple

from ..core.table import TABLE
from ..errors import BadArgument, check_name
from ..files import file_errors, read_whole, write_whole
from ..strings import legible, plural, short
from ..testing.rows import common_factor
from .continuing import continued

__all__ = [
    "STEPS", "TASKS", "Grade", "Started", "Task", "grade", "load", "mistakes", "nudge", "start",
]  # fmt: skip

TASKS = ("slopes", "backward", "neuron", "step", "softmax", "momentum", "operation")
"""The names of all tasks, in their order."""

STEPS = tuple(f"build{i}" for i in range(1, 9))
"""The steps of docs/build.md: each continues the file of the step before."""

BLANK, TEACHER = "# BLANK", "\n# TEACHER\n"
SECONDS = 2  # that an answer may take
KEY = re.compile(r' *"[^"]*": ')  # of a row in a table, which stays
CLOSE = 1e-6  # a relative difference that is a matter of rounding


class Task(NamedTuple):
    """A task, read from its file; `load` makes it.

    Attributes:
        name: the name of the file, without its ending.
        solution: the code, complete.
        probes: expressions, each with another one for the nudged number, or "".
        mistakes: sentences, each with the solution in which that mistake was made.
        setup: code that the probes need.
        after: the name of the task that this one continues, or "".
        part: the code of this task alone, if it continues another.
    """

    name: str
    solution: str
    probes: list[tuple[str, str]]
    mistakes: list[tuple[str, str]]
    setup: str = ""
    after: str = ""
    part: str = ""

    def blanks(self, own: str = "") -> str:
        """The file for students: the solution without the lines to be written.

        Args:
            own: for a task that continues another: the student's own code for that one, to which
                this task is added, instead of the solution.

        >>> print(load("momentum").blanks().split("velocity.", 1)[1])
        \"\"\"
            ...  # write this
        <BLANKLINE>
        """
        left = _left(self.part if own else self.solution)
        return f"# task: {self.name}\n{continued(own, left) if own else left}"


def _left(code: str) -> str:
    """Code with its blank lines as students get them."""
    lines: list[str] = []
    for line in code.split("\n"):
        key = KEY.match(line)
        if not line.endswith(BLANK):
            lines.append(line)
        elif key or not lines[-1].endswith("# write this"):
            comma = "," if line.removesuffix(BLANK).rstrip().endswith(",") else ""
            indent = line[: len(line) - len(line.lstrip())]
            lines.append(f"{key[0] if key else indent}...{comma}  # write this")
    return "\n".join(lines)


class Grade(NamedTuple):
    """The verdict on one file; printed, it says so in words.

    Attributes:
        task: the name of the task.
        right, asked: the numbers of right answers and of probes.
        words: what is wrong, as sentences; empty if nothing is.
        mistakes: those sentences that name a known mistake.
    """

    task: str
    right: int
    asked: int
    words: list[str]
    mistakes: list[str]

    @property
    def passed(self) -> bool:
        """Whether every answer is right."""
        return self.right == self.asked

    def __str__(self) -> str:
        if self.passed:
            return f"{self.task}: all {self.asked} answers are right."
        heading = f"{self.task}: {self.right} of {self.asked} answers are right."
        lines = [textwrap.fill(legible(text), 78, initial_indent="  ", subsequent_indent="    ")
                 for text in self.words]  # fmt: skip
        return "\n".join([heading, *lines])


def load(which: str) -> Task:
    """A task by its name, or from a teacher's file.

    Args:
        which: one of `TASKS`, or the path of a file.

    Raises:
        NameUnknown: with the nearest name.
        FileError: if the file does not exist.
        BadArgument: if the file is not a task, with the part that is missing.
    """
    path = Path(which)
    if path.name == which and not path.suffix:
        check_name("task", which, (*TASKS, *STEPS))
        path = Path(__file__).parent / "tasks" / f"{which}.txt"
    solution, _, teacher = read(path).partition(TEACHER)
    room: dict[str, Any] = {}
    try:
        with _silent():
            exec(compile(teacher, str(path), "exec"), room)
        after, part = room.get("AFTER", ""), solution if "AFTER" in room else ""
        if after:
            finished = load(after).solution.replace(f"  {BLANK}", "")
            solution = continued(finished, solution)
        probes = [(str(ask), str(nudged)) for ask, nudged in room["PROBES"]]
        planted = [(words, _replaced(solution, edits)) for words, *edits in room["MISTAKES"]]
    except BadArgument:
        raise
    except Exception as error:
        raise BadArgument(
            f"A task has a line # TEACHER, and below it PROBES, pairs of strings, and MISTAKES, "
            f"tuples of a sentence and the strings to replace. Received: {short(str(path), 60)}, "
            f"where {type(error).__name__}: {error}."
        ) from error
    solution, setup = solution.rstrip() + "\n", room.get("SETUP", "")
    return Task(path.stem, solution, probes, planted, setup, after, part)


def _replaced(solution: str, edits: Sequence[Any]) -> str:
    """The solution with a mistake: ``old, new``, or several pairs of them."""
    pairs = [edits] if isinstance(edits[0], str) else edits
    for old, new in pairs:
        if old not in solution:
            raise BadArgument(
                f"The solution does not contain what a mistake replaces. Received: {old!r}."
            )
        solution = solution.replace(old, new)
    return solution


class Started(NamedTuple):
    """A file that `start` wrote, or found.

    Attributes:
        path: where it is.
        new: whether it was written; files that are there already stay as they are.
        before: the grade of the file that this one continues, if there is one.
    """

    path: Path
    new: bool
    before: Grade | None = None


def start(folder: Path, names: Sequence[str] = TASKS) -> list[Started]:
    """Write the files with blanks.

    A step of `STEPS` continues the student's file of the step before, if all its answers are right,
    and otherwise the solution of that step.

    Raises:
        FileError: if a file can't be written.
    """
    files = []
    for name in names:
        task = load(name)
        path = folder / f"{task.name}.py"
        with file_errors(path, "written"):
            folder.mkdir(parents=True, exist_ok=True)
            new = not path.exists()
        own, before = _own(folder, task) if new else ("", None)
        if new:
            write_whole(path, task.blanks(own).encode())
        files.append(Started(path, new, before))
    return files


def _own(folder: Path, task: Task) -> tuple[str, Grade | None]:
    """The student's code that a task continues, if it is right; and its grade."""
    path = folder / f"{task.after}.py"
    if not task.after or not path.exists():
        return "", None
    own = read(path)
    before = grade(load(task.after), own)
    return own.removeprefix(f"# task: {task.after}\n") if before.passed else "", before


def read(path: Path) -> str:
    """The code in a file.

    Raises:
        FileError: if it can't be read.
    """
    return read_whole(path).decode("utf-8", "replace").replace("\r\n", "\n")


def task_of(path: Path) -> str:
    """The name of the task that a student's file belongs to: its first line, or its name."""
    first = read(path).split("\n", 1)[0]
    return first.removeprefix("# task:").strip() if first.startswith("# task:") else path.stem


# ── Grading ───────────────────────────────────────────────────────────────────────────────


def nudge(f: Any, *at: float) -> Any:
    """The slopes of a function by nudging: (f(x + h) − f(x − h)) / 2h for each argument.

    Args:
        f: a function of numbers.
        *at: the point.

    Returns:
        A number for one argument, else a tuple of one number for each.

    >>> round(nudge(lambda x: x * x, 3.0), 6)
    6.0
    """
    h = 1e-5
    slopes = []
    for i, x in enumerate(at):
        above, below = (f(*at[:i], y, *at[i + 1 :]) for y in (x + h, x - h))
        slopes.append((above - below) / (2.0 * h))
    return slopes[0] if len(slopes) == 1 else tuple(slopes)


def nudge_each(f: Any, at: Sequence[float]) -> Any:
    """`nudge` for a function of one list: the slope by each of its numbers."""
    slopes = nudge(lambda *xs: f(list(xs)), *at)
    return slopes if len(at) > 1 else (slopes,)


def grade(task: Task, source: str) -> Grade:
    """The verdict on a student's code.

    The code is run: grade only files that you would run. Its prints are dropped, and where the
    system can stop it, an answer may take two seconds.

    Args:
        task: from `load`.
        source: Python code.
    """
    expected, answers = _right(task), _answers(task, source)
    wrong = {i for i, (x, y) in enumerate(zip(answers, expected)) if not _same(x, y)}
    right = len(expected) - len(wrong)
    if not wrong:
        return Grade(task.name, right, len(expected), [], [])
    blank = any("..." in line and "# write this" in line for line in source.split("\n"))
    waiting = set[int]()  # for lines that are still blank
    if not blank and isinstance(answers[0], Failure) and len(set(map(str, answers))) == 1:
        return Grade(task.name, 0, len(expected), [str(answers[0])], [])
    missing = _missing(task, answers, wrong) if blank else set()
    words: list[str] = []
    named: list[str] = []
    while wrong:
        sentence, explained = _explained(task, answers, wrong, missing)
        wrong -= explained
        if blank and not sentence:
            waiting |= explained
            continue
        first = min(explained)
        words.append(_shown(task, first, answers[first], expected[first]))
        if sentence:
            words.append(sentence)
            named.append(sentence)
        elif len(explained) > 1:
            words.append(_relation([(answers[i], expected[i]) for i in sorted(explained)]))
    if waiting:
        words.append(
            f"{plural(len(waiting), 'answer')} will come when no line # write this is left."
        )
    return Grade(task.name, right, len(expected), list(filter(None, words)), named)


def _missing(task: Task, answers: list[Any], wrong: set[int]) -> set[int]:
    """The answers that say nothing yet: they fail, or an untouched file gives them, too."""
    untouched = _cached(task.blanks(), task.setup, tuple(ask for ask, _ in task.probes))
    return {i for i in wrong
            if isinstance(answers[i], Failure) or _same(answers[i], untouched[i])}  # fmt: skip


def _explained(
    task: Task, answers: list[Any], wrong: set[int], missing: set[int]
) -> tuple[str, set[int]]:
    """The mistake that explains most of the wrong answers, and which ones these are; "" if none
    does. Mistakes with equal answers are named together. Answers that are missing, because lines
    are still blank, don't count."""
    expected, best, sentences = _right(task), set[int](), list[str]()
    for words, made in _planted(task):
        differing = {i for i, (x, y) in enumerate(zip(made, expected)) if not _same(x, y)}
        differing -= missing
        fits = differing <= wrong and all(_same(answers[i], made[i]) for i in differing)
        if fits and len(differing) > len(best):
            best, sentences = differing, []
        if fits and differing and differing == best:
            sentences.append(words)
    if best:
        return " Or: ".join(sentences), best
    function = task.probes[min(wrong)][0].split("(", 1)[0]
    return "", {i for i in wrong if task.probes[i][0].split("(", 1)[0] == function}


def _right(task: Task) -> tuple[Any, ...]:
    return _cached(task.solution, task.setup, tuple(ask for ask, _ in task.probes))


def _planted(task: Task) -> list[tuple[str, tuple[Any, ...]]]:
    asks = tuple(ask for ask, _ in task.probes)
    return [(words, _cached(wrong, task.setup, asks)) for words, wrong in task.mistakes]


@lru_cache(maxsize=256)
def _cached(source: str, setup: str, asks: tuple[str, ...]) -> tuple[Any, ...]:
    return tuple(_computed(source, setup, asks))


def _answers(task: Task, source: str) -> list[Any]:
    return _computed(source, task.setup, [ask for ask, _ in task.probes])


class Failure(NamedTuple):
    """An answer that is an exception; equal ones are of the same kind."""

    kind: str
    words: str

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Failure) and other.kind == self.kind

    def __hash__(self) -> int:
        return hash(self.kind)

    def __str__(self) -> str:
        return self.words


def _computed(source: str, setup: str, asks: Sequence[str]) -> list[Any]:
    """The answers of some code: numbers, nested lists of them, or failures."""
    room: dict[str, Any] = {"__name__": "homework", "nudge": nudge, "nudge_each": nudge_each}

    def run() -> None:
        exec(compile(source, "your file", "exec"), room)
        exec(compile(setup, "the task", "exec"), room)

    failure = _tried(run)
    if failure:
        return [failure] * len(asks)
    return [_tried(partial(_answer, ask, room)) for ask in asks]


def _answer(ask: str, room: dict[str, Any]) -> Any:
    return _plain(eval(ask, room))


def _tried(compute: Callable[[], Any]) -> Any:
    """The result of some code, or its failure; rows that it adds to the table are removed again."""
    rows = dict(TABLE)
    try:
        with _limited():
            return compute()
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # sys.exit too
        return _failure(error)
    finally:
        TABLE.clear()
        TABLE.update(rows)


def _failure(error: BaseException) -> Failure:
    kind = type(error).__name__
    if isinstance(error, SyntaxError):
        return Failure(kind, f"Line {error.lineno} is not Python yet: {error.msg}.")
    if isinstance(error, TimeoutError):
        return Failure(kind, f"It did not come to an end within {SECONDS} seconds.")
    return Failure(kind, f"It raises {kind}: {short(str(error), 200)}")


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """A block that prints nothing: neither does Python warn, with a line of the file as it is."""
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@contextlib.contextmanager
def _limited() -> Iterator[None]:
    """A block that prints nothing, and ends after some seconds where the system can do that."""

    def stop(*_: Any) -> None:
        raise TimeoutError

    timed = hasattr(signal, "setitimer") and threading.current_thread() is threading.main_thread()
    before = signal.signal(signal.SIGALRM, stop) if timed else None
    if timed:
        signal.setitimer(signal.ITIMER_REAL, SECONDS)
    try:
        with _silent():
            yield
    finally:
        if timed:
            signal.setitimer(signal.ITIMER_REAL, 0.0)
            signal.signal(signal.SIGALRM, before)


def _plain(x: Any) -> Any:
    """Numbers as floats, and what holds several of them as tuples; anything else as it is."""
    if isinstance(x, (list, tuple)):
        return tuple(map(_plain, x))
    if hasattr(x, "tolist"):
        return _plain(x.tolist())
    if hasattr(x, "data") and isinstance(x.data, (int, float)):
        return float(x.data)
    return float(x) if isinstance(x, (int, float)) else x


def _same(x: Any, y: Any) -> bool:
    """Whether two answers are equal, up to rounding."""
    if isinstance(x, tuple) and isinstance(y, tuple) and not isinstance(x, Failure):
        return len(x) == len(y) and all(map(_same, x, y))
    if isinstance(x, float) and isinstance(y, float):
        return isclose(x, y, rel_tol=CLOSE, abs_tol=1e-9) or (x != x and y != y)
    return type(x) is type(y) and bool(x == y)


# ── In words ──────────────────────────────────────────────────────────────────────────────


def _shown(task: Task, i: int, answer: Any, expected: Any) -> str:
    ask, nudged = task.probes[i]
    if isinstance(answer, Failure):
        return f"{ask}: {answer}"
    by = "right is"
    if nudged:
        (expected,) = _computed(task.solution, task.setup, [nudged])
        by = "nudging gives" if "nudge" in nudged else by
    digits = 4 if by != "right is" else None
    return f"{ask} gives {written(answer)}, {by} {written(expected, digits)}."


def written(x: Any, digits: int | None = None) -> str:
    """A number for reading, or several of them.

    >>> written(3.0), written(5.9999999, 4), written((0.5, -2.0))
    ('3', '6.0000', '(0.5, −2)')
    """
    if isinstance(x, tuple):
        return f"({', '.join(written(part, digits) for part in x)})"
    if not isinstance(x, float):
        return short(repr(x), 60)
    moderate = (isfinite(x) and 1e-3 <= abs(x) < 1e6) or x == 0.0
    text = f"{x:.{digits}f}" if digits is not None and moderate else f"{x:.6g}"
    return text.replace("-", "−")


def _relation(pairs: list[tuple[Any, Any]]) -> str:
    """A factor or a sign by which all wrong answers are off; "" if there is none."""
    flat = [pair for x, y in pairs for pair in _aligned(x, y)]
    factor = common_factor(flat)
    if len(flat) < 2 or factor is None or isclose(factor, 1.0, rel_tol=CLOSE):
        return ""
    if isclose(factor, -1.0, rel_tol=CLOSE):
        return "The sign is wrong everywhere."
    return f"It is {written(factor)} times the right answer everywhere: look for a factor."


def _aligned(x: Any, y: Any) -> list[tuple[float, float]]:
    if isinstance(x, float) and isinstance(y, float):
        return [(x, y)]
    if isinstance(x, tuple) and isinstance(y, tuple) and len(x) == len(y):
        return [pair for a, b in zip(x, y) for pair in _aligned(a, b)]
    return [(1.0, 0.0)]  # which no factor explains


def mistakes(task: Task) -> list[tuple[str, Grade]]:
    """For teachers: each planted mistake, and the verdict that a student who makes it gets.

    >>> all(grade.mistakes == [words] for words, grade in mistakes(load("momentum")))
    True
    """
    return [(words, grade(task, wrong)) for words, wrong in task.mistakes]
