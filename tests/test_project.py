"""The house: floors that imports only go down, exported names, an import that stays light,
and the built wheel in a fresh environment."""

from __future__ import annotations

import ast
import email
import io
import json
import os
import re
import subprocess
import sys
import tokenize
import venv
from functools import cache
from pathlib import Path
from zipfile import ZipFile

import pytest

import tinygrad_edu as tg
from tests import release
from tinygrad_edu.core.table import BUILT_IN, TABLE

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "tinygrad_edu"

# The floor of each room; docs/architecture.md says what lives there. The files of the core have
# floors of their own, in the order in which they are read.
FLOORS = {
    "errors": 0, "files": 0, "notebooks": 0, "strings": 0, "blocks": 0, "ieee": 0, "locks": 0,
    "arrays": 0,
    "trees": 1, "schemas": 1,
    "core": 2,
    "aliases": 3, "anomalies": 3, "defining": 3, "fast": 3, "matrices": 3, "snapshots": 3,
    "nn": 4, "compiler": 4, "drawing": 4, "explaining": 4, "testing": 4,
    "homework": 5, "keras": 5,
    "exploring": 6, "estimators": 6,
    "command": 7, "__main__": 8, "__init__": 8,
}  # fmt: skip
CORE = (
    "modes",
    "spelling",
    "table",
    "ops",
    "operators",
    "graph",
    "value",
    "calculus",
)
KERAS = (
    "diagnosis", "documents", "engines", "backups", "callbacks", "lookup", "bases", "of_arrays",
    "activations", "constraints", "initializers", "layers", "ops", "losses", "metrics",
    "schedules", "optimizers", "regularizers", "data", "turns", "wiring", "goals", "recording",
    "updating", "programs", "keeping", "training", "saving", "interchange", "summary", "models",
    "utils",
)  # fmt: skip
PURE = ("errors", "blocks", "ieee", "trees", "core", "fast", "matrices", "nn")
# Rooms on one floor do not know each other, but for these, where the numbers flow that way.
NEIGHBOURS = {
    ("fast", "snapshots"), ("errors", "strings"), ("files", "errors"), ("blocks", "errors"),
    ("drawing", "explaining"),  # how TeX writes names
}  # fmt: skip


def room(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


@cache
def imports(path: Path) -> list[str]:
    """Every module a file imports, with its dots, but for those that only a type checker sees."""
    found: list[str] = []
    waiting: list[ast.AST] = [ast.parse(path.read_text(encoding="utf-8"))]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            waiting.extend(node.orelse)
            continue
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            dots = "." * node.level
            names = [node.module] if node.module else [alias.name for alias in node.names]
            found += [f"{dots}{name}" for name in names]
        waiting.extend(ast.iter_child_nodes(node))
    return found


def rooms_imported(path: Path) -> set[str]:
    depth = len(path.relative_to(PACKAGE).parts)
    own = {
        name.lstrip(".").split(".")[0]
        for name in imports(path)
        if name.startswith(".") and len(name) - len(name.lstrip(".")) == depth
    }
    named = {n.split(".")[1] for n in imports(path) if n.startswith("tinygrad_edu.")}
    return (own | named) - {"__version__"}


FILES = sorted(PACKAGE.rglob("*.py"))


def test_every_room_has_a_floor():
    assert {room(path) for path in FILES} == set(FLOORS)


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_only_go_down(path):
    here = room(path)
    for there in rooms_imported(path) - {here}:
        lower = FLOORS[there] < FLOORS[here]
        beside = (here, there) in NEIGHBOURS or here == "__init__"
        assert lower or beside, f"{here} imports {there}"


@pytest.mark.parametrize(
    ("order", "path"),
    [(CORE, PACKAGE / "core" / f"{name}.py") for name in CORE]
    + [(KERAS, path) for path in FILES if room(path) == "keras" and path.stem != "__init__"],
    ids=lambda x: str(x.relative_to(PACKAGE)) if isinstance(x, Path) else "",
)
def test_a_room_is_read_from_its_first_file_to_its_last(order, path):
    earlier = set(order[: order.index(path.stem)])
    beside = {n.lstrip(".") for n in imports(path) if re.match(r"\.\w", n)}
    assert beside <= earlier


@pytest.mark.parametrize("path", [p for p in FILES if room(p) in PURE], ids=lambda p: p.stem)
def test_the_core_imports_only_the_standard_library(path):
    foreign = {n.split(".")[0] for n in imports(path) if not n.startswith(".")}
    allowed = (
        {"numpy"} if path.stem in ("trees", "tensors") else set()
    )  # late, and only where an array came in
    assert foreign - allowed <= sys.stdlib_module_names


def code_lines(path: Path) -> int:
    """How many lines of a file are code: not docs, comments, blanks, or other languages.

    In the rows, a line that only spells an operation for a printer or another language counts
    as docs do: a reader of the mathematics passes over it.
    """
    source = path.read_text(encoding="utf-8")
    docs = {
        line
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
        for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)
    }  # fmt: skip
    code: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in NO_CODE:
            code.update(range(token.start[0], token.end[0] + 1))
    lines = source.splitlines()
    return sum(not SPELLING.match(lines[line - 1]) for line in code - docs)


NO_CODE = {
    tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT,
    tokenize.ENDMARKER,
}  # fmt: skip
SPELLING = re.compile(r"\s+(symbol|tex|text|spelled|python|c|llvm|js)=")


def test_the_core_is_read_in_one_sitting():
    """Recording, the sweep, the walks and the calculus; and the whole core with its rows."""
    sizes = {name: code_lines(PACKAGE / "core" / f"{name}.py") for name in CORE}
    assert sum(sizes[name] for name in ("value", "graph", "calculus")) < 500
    assert sum(sizes.values()) - sizes["spelling"] < 1100, sizes


@pytest.mark.parametrize("name", CORE)
def test_no_function_of_the_core_is_long(name):
    tree = ast.parse((PACKAGE / "core" / f"{name}.py").read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            docs = ast.get_docstring(node, clean=False) or ""
            length = (node.end_lineno or 0) - node.lineno + 1 - len(docs.splitlines())
            assert length <= 40, node.name


def test_importing_is_light():
    program = "import sys, json, tinygrad_edu; print(json.dumps(sorted(sys.modules)))"
    loaded = json.loads(subprocess.check_output([sys.executable, "-c", program]))
    heavy = {"numpy", "graphviz", "hypothesis", "inspect", "dataclasses", "random", "subprocess"}
    assert not heavy & set(loaded)


def test_exported_names():
    assert sorted(set(tg.__all__)) == sorted(tg.__all__)
    for name in tg.__all__:
        assert hasattr(tg, name), name
    for name in BUILT_IN - {"unless_nan"}:  # which serves partials only
        assert getattr(tg, name) is TABLE[name]
    with pytest.raises(AttributeError, match="no_such_name"):
        tg.no_such_name  # noqa: B018
    assert "max" not in dir(tg)
    assert "draw" in dir(tg)


def test_make_help_names_every_target():
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z]+):", makefile, re.M))
    printed = subprocess.check_output(["make", "--no-print-directory", "help"], cwd=ROOT, text=True)
    assert targets == {line.split()[1] for line in printed.splitlines()}
    assert max(map(len, printed.splitlines())) <= 80


def test_versions_agree():
    assert f'version = "{tg.__version__}"' in (ROOT / "pyproject.toml").read_text()
    assert f"## {tg.__version__}" in (ROOT / "CHANGELOG.md").read_text()


# Phrases that a native reader stumbles over, and what to write instead.
PHRASES = {
    r"\bof yours\b|\bof a user's\b": "user-defined",
    r"\b(is|are|was|were|be|been) told\b": "shown, reported or passed",
    r"\ba text\b": "a string",
    r"\bof now\b": "current",
    r"(?<!here )\b(is|are|was|were) no (number|text|Value|finite|real|plain|such|file|UTF)":
        "is not a ...",
    r"\b[a-z]+s no longer an?\b|\bcompiles no\b": "no longer compiles",
    r"(^|[.] |\"\"\")(What|Whatever|Whoever) [a-z]": "a noun as the subject",
}  # fmt: skip


@pytest.mark.parametrize("phrase", PHRASES)
def test_the_english_is_plain(phrase):
    """In code, docs and messages; the reason stands beside each phrase."""
    written = [*FILES, *ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"),
               *(ROOT / "tests").rglob("*.py"), *PACKAGE.rglob("*.js"),
               *PACKAGE.rglob("*.html")]  # fmt: skip
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in written
        if path != Path(__file__)
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if re.search(phrase, line.strip())
    ]
    assert not found, f"better: {PHRASES[phrase]}"


def test_a_release_needs_its_version_everywhere(tmp_path, monkeypatch):
    """`make release` says what is missing, and tags nothing before it is there."""
    for name in ("pyproject.toml", "CHANGELOG.md", "CITATION.cff"):
        (tmp_path / name).write_text((ROOT / name).read_text(encoding="utf-8"), encoding="utf-8")
    monkeypatch.setattr(release, "ROOT", tmp_path)
    author = ["-c", "user.name=a", "-c", "user.email=b@c"]
    for command in (["init", "-q"], ["add", "."], [*author, "commit", "-qm", "x"]):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    assert len(release.obstacles()) == 2  # the changelog says Unreleased, nothing is built
    assert release.main("--tag") == 1
    now = release.version()
    changes = (tmp_path / "CHANGELOG.md").read_text(encoding="utf-8")
    (tmp_path / "CHANGELOG.md").write_text(
        changes.replace("## Unreleased", f"## {now} (2027-01-31)"), encoding="utf-8"
    )
    (tmp_path / "dist").mkdir()
    for name in (f"tinygrad_edu-{now}.tar.gz", f"tinygrad_edu-{now}-py3-none-any.whl"):
        (tmp_path / "dist" / name).touch()
    assert release.obstacles() == ["Everything must be committed."]
    (tmp_path / "CITATION.cff").write_text("version: 9", encoding="utf-8")
    assert len(release.obstacles()) == 2


def test_no_page_names_a_machine():
    for path in [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *FILES]:
        text = path.read_text(encoding="utf-8")
        assert str(ROOT) not in text, path


def description(wheel: Path) -> str:
    """The description of a wheel, which an index of packages shows."""
    with ZipFile(wheel) as files:
        (name,) = [name for name in files.namelist() if name.endswith("/METADATA")]
        message = email.message_from_bytes(files.read(name))
    assert message["Description-Content-Type"] == "text/markdown"
    return message.get_payload(decode=True).decode()


def test_the_wheel_works_in_a_fresh_environment(tmp_path, monkeypatch):
    """Built as `make build` does, installed with its dependencies, used away from the source."""
    run = {"check": True, "cwd": tmp_path, "capture_output": True, "text": True}
    monkeypatch.delenv("PYTHONPATH", raising=False)  # which would lead to the source
    subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--outdir", tmp_path, ROOT], **run
    )
    (wheel,) = tmp_path.glob("*.whl")
    (sdist,) = tmp_path.glob("*.tar.gz")
    subprocess.run([sys.executable, "-m", "twine", "check", "--strict", wheel, sdist], **run)
    described = description(wheel)
    assert described.startswith("# tinygrad_edu")
    assert "## The post's six lines" in described
    assert not re.findall(r"\]\((?!https?:)[^)]*\)", described)  # an index can't follow them
    venv.create(tmp_path / "fresh")
    bin = tmp_path / "fresh" / ("Scripts" if os.name == "nt" else "bin")
    install = ["pip", "--python", bin / "python", "install", "--quiet", "--no-compile", wheel]
    subprocess.run([sys.executable, "-m", *install], **run)
    program = (
        "import tinygrad_edu as tg, pathlib, sys;"
        "assert 'fresh' in tg.__file__, tg.__file__;"
        "assert (pathlib.Path(tg.__file__).parent / 'py.typed').exists();"
        "w = tg.Value(3.0, name='w'); loss = (w * 2.0 - 1.0) ** 2; loss.backward();"
        "print(w.grad, tg.draw(loss).svg()[:4])"
    )
    used = subprocess.run([bin / "python", "-W", "error", "-c", program], **run)
    assert used.stdout.split() == ["20.0", "<svg"]
    demo = subprocess.run([bin / "tinygrad-edu", "--epochs", "5"], **run)
    assert "flats" in demo.stdout
    assert (tmp_path / "one-neuron.svg").exists()
