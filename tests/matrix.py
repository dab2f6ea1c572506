"""Every place that this machine has, one after the other: ``python tests/matrix.py [PART ...]``.

A cell of the matrix is a Python, a set of extras, or a condition, such as a terminal without UTF-8
or a folder that can't be written. Each runs `smoke`, and each Python runs the fast tests, too. A
place that the machine lacks is reported as absent, with the reason. The parts are ``pythons``,
``packages``, ``conditions`` and ``pyodide``; without arguments all of them run.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[1]
sys.path.append(str(ROOT))

from docs.browser import packing  # noqa: E402
from tests import browser  # noqa: E402

KEPT = ROOT / ".venv" / "matrix"  # environments, from one run to the next
SMOKE = ROOT / "tests" / "smoke.py"
VERSIONS = ("3.10", "3.11", "3.12", "3.13", "3.14")


class Absent(Exception):
    """This machine lacks something."""


class Failed(Exception):
    """A cell failed; the message is what it printed last."""


class Cell(NamedTuple):
    """A place and what is run there."""

    name: str
    run: Callable[[], None]


def run(*command: str | Path, **options: Any) -> None:
    """Run a command; its last lines are shown if it fails."""
    environment = {**os.environ, **options.pop("env", {})}
    environment = {name: x for name, x in environment.items() if x is not None}
    options.setdefault("cwd", tempfile.gettempdir())
    done = subprocess.run(
        list(map(str, command)), env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        **options,
    )  # fmt: skip
    if done.returncode:
        lines = done.stdout.decode("utf-8", "replace").strip().split("\n")
        raise Failed("\n".join(lines[-12:]))


# ── Environments ──────────────────────────────────────────────────────────────────────────


def interpreter(version: str) -> Path:
    """A Python of this version: on PATH, or one of pyenv's."""
    roots = [Path(os.environ.get("PYENV_ROOT", "")), Path.home() / ".pyenv"]
    pyenvs = [path for root in roots for path in root.glob(f"versions/{version}.*/bin/python")]
    for path in [shutil.which(f"python{version}"), *sorted(pyenvs, reverse=True)]:
        works = [path, "-c", f"import sys; assert sys.version.startswith('{version}.')"]
        if path and not subprocess.run(works, capture_output=True).returncode:
            return Path(path)
    raise Absent(f"no python{version} on PATH or among pyenv's")


def environment(name: str, package: str, python: Path = Path(sys.executable)) -> Path:
    """The Python of an environment in which just this was installed, with its dependencies."""
    bin_ = KEPT / name / ("Scripts" if os.name == "nt" else "bin")
    pip = [bin_ / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    state = KEPT / name / "installed"  # the dependencies stay, unless others are declared
    path, _, extras = package.partition("[")
    wanted = extras + "".join(sorted(re.findall("^Requires-Dist.*\n", metadata(Path(path)), re.M)))
    if not state.exists() or state.read_text("utf-8") != wanted:
        run(python, "-m", "venv", "--clear", KEPT / name)
        run(*pip, package)
        state.write_text(wanted, "utf-8")
    elif name not in _CURRENT:
        run(*pip, "--force-reinstall", "--no-deps", path)
    _CURRENT.add(name)
    return bin_ / "python"


_CURRENT: set[str] = set()  # the environments that have the package as it is now


def built() -> tuple[Path, Path]:
    """The wheel and the sdist of the package as it is now."""
    made = Path(tempfile.mkdtemp(prefix="matrix-"))
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", made, ROOT)
    return next(made.glob("*.whl")), next(made.glob("*.tar.gz"))


def extras_of(wheel: Path) -> list[str]:
    extras = re.findall(r"^Provides-Extra: (\S+)", metadata(wheel), re.MULTILINE)
    return [extra for extra in extras if extra != "dev"]


def metadata(package: Path) -> str:
    """The description of a wheel; for an sdist only its name."""
    if package.suffix != ".whl":
        return package.name
    with zipfile.ZipFile(package) as archive:
        name = next(name for name in archive.namelist() if name.endswith("METADATA"))
        return archive.read(name).decode()


# ── The cells ─────────────────────────────────────────────────────────────────────────────


# Neither the folder of the package nor its parent is on the path, but `tests` can be imported.
PYTEST = "import sys; del sys.path[0]; import pytest; sys.exit(pytest.main(sys.argv[1:]))"


def pythons(wheel: Path, sdist: Path) -> Iterator[Cell]:
    """The fast tests on each Python, with the package as it is installed from the wheel."""

    def suite(version: str) -> None:
        python = environment(f"python-{version}", f"{wheel}[dev]", interpreter(version))
        run(python, SMOKE)
        with tempfile.TemporaryDirectory() as folder:
            for name in ("tests", "docs"):
                shim = Path(folder) / name / "__init__.py"
                shim.parent.mkdir()
                shim.write_text(f"__path__ = [{str(ROOT / name)!r}]\n", "utf-8")
            run(
                python, "-c", PYTEST, "--quiet", "--numprocesses", "auto", "tests",
                cwd=ROOT, env={"PYTHONPATH": folder},
            )  # fmt: skip

    for version in VERSIONS:
        yield Cell(f"tests on Python {version}", lambda version=version: suite(version))


def packages(wheel: Path, sdist: Path) -> Iterator[Cell]:
    """The wheel with no extra, with each of them and with all; and the sdist."""

    def smoke(name: str, package: str) -> None:
        run(environment(name, package), "-W", "error", SMOKE)

    yield Cell("wheel, no extra", lambda: smoke("bare", f"{wheel}"))
    extras = extras_of(wheel)
    for extra in extras:
        yield Cell(f"wheel, {extra}", lambda extra=extra: smoke(extra, f"{wheel}[{extra}]"))
    most = ",".join(extra for extra in extras if extra != "bench")
    yield Cell("wheel, all extras", lambda: smoke("all", f"{wheel}[{most}]"))
    yield Cell("sdist, no extra", lambda: smoke("sdist", f"{sdist}"))


def conditions(wheel: Path, sdist: Path) -> Iterator[Cell]:
    """All extras, where something is unusual."""
    most = ",".join(extra for extra in extras_of(wheel) if extra != "bench")

    def smoke(*flags: str, before: tuple[str, ...] = (), **options: Any) -> Callable[[], None]:
        def start() -> None:
            needs(before)
            run(*before, environment("all", f"{wheel}[{most}]"), *flags, SMOKE, **options)

        return start

    plain = {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    yield Cell("-W error", smoke("-W", "error"))
    yield Cell("-O", smoke("-O"))
    yield Cell("-OO", smoke("-OO"))
    yield Cell("-X dev", smoke("-X", "dev", "-W", "error"))
    yield Cell("-I", smoke("-I"))
    yield Cell("PYTHONHASHSEED random", smoke(env={"PYTHONHASHSEED": "random"}))
    yield Cell("C locale", smoke(env={"LC_ALL": "C", "PYTHONIOENCODING": None, **plain}))
    for encoding in ("ascii", "cp1252", "cp437", "utf-16"):
        yield Cell(f"stdout in {encoding}", smoke(env={"PYTHONIOENCODING": encoding}))
    yield Cell("HOME unset", smoke(env={"HOME": None, "XDG_CACHE_HOME": None}))
    yield Cell("HOME nowhere", smoke(env={"HOME": "/nonexistent", "XDG_CACHE_HOME": None}))
    yield Cell("no network", smoke(before=("unshare", "--map-root-user", "--net")))
    yield Cell(
        "SIGINT ignored", smoke(preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN))
    )
    yield Cell("stdin closed", smoke(stdin=subprocess.DEVNULL))
    yield Cell("no dot", lambda: without_dot(wheel))
    yield Cell("no writable folder", lambda: nothing_writable(wheel, most))
    yield Cell("read-only site-packages", lambda: read_only_packages(wheel, most))


UNPRIVILEGED = ("setpriv", "--bounding-set=-all", "--inh-caps=-all")  # root may write anywhere


def needs(command: tuple[str, ...]) -> None:
    if command and subprocess.run([*command, "true"], capture_output=True).returncode:
        raise Absent(f"{' '.join(command)} does not work here")


def unprivileged() -> tuple[str, ...]:
    if hasattr(os, "geteuid") and os.geteuid():
        return ()
    needs(UNPRIVILEGED)
    return UNPRIVILEGED


def without_dot(wheel: Path) -> None:
    """Neither the package that brings dot, nor one on PATH: pictures are refused, with a remedy."""
    python = environment("without-dot", str(wheel))
    run(python, "-m", "pip", "uninstall", "--quiet", "--yes", "graphviz-pure")
    found = os.environ.get("PATH", "").split(os.pathsep)
    path = os.pathsep.join(folder for folder in found if not shutil.which("dot", path=folder))
    run(python, SMOKE, env={"PATH": path, "SMOKE_WITHOUT_DOT": "1"})


def nothing_writable(wheel: Path, extras: str) -> None:
    """No folder for results, temporary files, caches or bytecode."""
    python = environment("all", f"{wheel}[{extras}]")
    before = unprivileged()
    nowhere = Path(tempfile.mkdtemp(prefix="matrix-"))
    nowhere.chmod(0o555)
    mounts = "mount -o remount,bind,ro / 2>/dev/null || mount -o bind,ro / / || exit 77"
    try:
        run("unshare", "--mount", "sh", "-c", f'true && ({mounts}) && exec "$@"', "sh", "true")
    except (Failed, FileNotFoundError):
        raise Absent("folders can't be mounted read-only here") from None
    for place in ("/tmp", "/var/tmp", "/dev/shm"):
        mounts += f"; mountpoint -q {place} && mount -o remount,bind,ro {place}; true"
    places = {"HOME": str(nowhere), "TMPDIR": str(nowhere), "XDG_CACHE_HOME": None}
    run(
        "unshare", "--mount", "sh", "-c", f'{mounts}; exec "$@"', "sh", *before, python, SMOKE,
        cwd=nowhere, env=places,
    )  # fmt: skip


def read_only_packages(wheel: Path, extras: str) -> None:
    """Installed by somebody else: Python can't even keep its bytecode there."""
    python = environment("read-only", f"{wheel}[{extras}]")
    before = unprivileged()
    packages = next(python.parents[1].glob("lib/*/site-packages/tinygrad_edu"))
    folders = [packages, *(path for path in packages.rglob("*") if path.is_dir())]
    for cache in [path for path in folders if path.name == "__pycache__"]:
        shutil.rmtree(cache)
    folders = [path for path in folders if path.exists()]
    try:
        for path in folders:
            path.chmod(0o555)
        run(*before, python, SMOKE)
        assert not [*packages.rglob("__pycache__")], "it was not read-only"
    finally:
        for path in folders:
            path.chmod(0o755)


# Tests that need neither NumPy, nor threads, nor other processes.
IN_PYODIDE = (
    "test_core_messages", "test_edges", "test_nn", "test_post_math", "test_roles", "test_schedules",
    "test_table",
)  # fmt: skip


def pyodide(wheel: Path, sdist: Path) -> Iterator[Cell]:
    """Python in WebAssembly, without threads, processes and packages."""

    def start(program: str, *arguments: str, **options: Any) -> None:
        try:
            modules = packing.from_npm()
        except packing.Missing as reason:
            raise Absent(str(reason)) from None
        run(
            *browser.command(modules, wheel, Path(__file__).parent / program, *arguments), **options
        )

    def suite() -> None:
        packages = KEPT / "pyodide" / "packages"
        if not packages.exists():
            pip = ["pip", "install", "--quiet", "--target", packages, "--platform", "any"]
            pure = ["--only-binary=:all:", "--python-version", "3.14"]
            run(sys.executable, "-m", *pip, *pure, "pytest", "hypothesis", "mpmath")
        here = Path("/src") / packages.relative_to(ROOT)  # as Pyodide sees it
        start("browser/suite.py", str(here), *(f"tests/{name}.py" for name in IN_PYODIDE))

    yield Cell("Pyodide, smoke", lambda: start("smoke.py", env={"WITHOUT_VIZ": "1"}))
    yield Cell("Pyodide, tests of the engine", suite)


PARTS = {
    "pythons": pythons, "packages": packages, "conditions": conditions, "pyodide": pyodide,
}  # fmt: skip


def main(chosen: list[str]) -> int:
    """Run the cells, and print the matrix."""
    wheel, sdist = built()
    rows = []
    for name in chosen or [*PARTS]:
        for cell in PARTS[name](wheel, sdist):
            print(f"{cell.name} ... ", end="", flush=True)
            start, reason = time.perf_counter(), ""
            try:
                cell.run()
                verdict = "passed"
            except Absent as error:
                verdict, reason = "absent", str(error)
            except Failed as error:
                verdict, reason = "FAILED", str(error)
            print(verdict, flush=True)
            rows.append((cell.name, verdict, time.perf_counter() - start, reason))
    width = max(len(name) for name, *_ in rows)
    print(f"\n{'cell':{width}}  verdict  seconds")
    for name, verdict, seconds, reason in rows:
        brief = reason if verdict == "absent" else ""
        print(f"{name:{width}}  {verdict:7}  {seconds:7.1f}  {brief}".rstrip())
    for name, verdict, _, reason in rows:
        if verdict == "FAILED":
            print(f"\n── {name}\n{reason}")
    return int(any(verdict == "FAILED" for _, verdict, *_ in rows))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
