"""`python -m tests.mutants`: put every small error into the source and see which a test notices."""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from itertools import accumulate
from pathlib import Path
from typing import Any

from .listing import (
    CORE,
    PACKAGE,
    REPORT,
    ROOMS,
    ROOT,
    equivalents,
    in_file,
    killers,
    sample,
    short,
    write_killers,
)
from .mutations import Mutant
from .recorder import key, texts
from .worker import NOT_REPLACED, SURVIVED

KEPT = ROOT / ".mutants"  # results and coverage of earlier runs
# These read the source instead of running it, or need a browser, peers or minutes.
LEFT_OUT = {
    "test_project.py", "test_mutants.py", "test_bench.py", "test_exploring_page.py",
    "test_pyodide.py", "test_site.py",
}  # fmt: skip
STAGES = (1.5, 15.0, float("inf"))  # seconds of tests; most mutants die in the first
SECONDS = 60.0  # of computing, for the test that killed a mutant before


NO_TESTS = 5  # pytest's code where a mutant makes no test of that name
INPUTS = 100_000  # for each equivalent that is attacked


# ── Tests ─────────────────────────────────────────────────────────────────────────────────


@cache
def digest(*paths: Path) -> str:
    return hashlib.sha256(b"\0".join(path.read_bytes() for path in paths)).hexdigest()


def package_files() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def test_files() -> list[str]:
    """The files with tests or doctests, as pytest names them."""
    tests = [p for p in sorted((ROOT / "tests").glob("test_*.py")) if p.name not in LEFT_OUT]
    doctests = [p for p in package_files() if ">>> " in p.read_text(encoding="utf-8")]
    return [str(path.relative_to(ROOT)) for path in (*tests, *doctests)]


def update(copy: Path) -> None:
    """Make a copy of the project, or bring it up to date; compiled code in it stays valid."""

    def differs(path: Path, twin: Path) -> bool:
        if not twin.exists():
            return True
        here, there = path.stat(), twin.stat()
        return (here.st_mtime_ns, here.st_size) != (there.st_mtime_ns, there.st_size)

    def copied(path: str, twin: str) -> None:
        if differs(Path(path), Path(twin)):
            shutil.copy2(path, twin)

    ignored = shutil.ignore_patterns(".*", "__pycache__", "dist", "build")
    shutil.copytree(ROOT, copy, ignore=ignored, copy_function=copied, dirs_exist_ok=True)
    for path in copy.rglob("*.py"):
        if not (ROOT / path.relative_to(copy)).exists():
            path.unlink()


class Workers:
    """Processes that run jobs, in copies of the project."""

    def __init__(self, count: int) -> None:
        self.free = [KEPT / f"copy{i}" for i in range(count)]
        self.processes: dict[tuple[Path, str], subprocess.Popen[str]] = {}
        self.lock = threading.Condition()
        for copy in self.free:
            update(copy)

    def do(self, job: dict[str, Any], way: str = "imported") -> dict[str, Any]:
        """Run a job in the next free copy; `worker` says which ways there are."""
        with self.lock:
            while not self.free:
                self.lock.wait()
            copy = self.free.pop()
        try:
            worker = self.processes.get((copy, way)) or self.started(copy, way)
            assert worker.stdin is not None
            assert worker.stdout is not None
            worker.stdin.write(json.dumps(job) + "\n")
            worker.stdin.flush()
            answer: dict[str, Any] = json.loads(worker.stdout.readline())
            return answer
        finally:
            with self.lock:
                self.free.append(copy)
                self.lock.notify()

    def started(self, copy: Path, way: str) -> subprocess.Popen[str]:
        scratch = copy.parent / f"{copy.name}-{way}"
        scratch.mkdir(exist_ok=True)
        environment = {**os.environ, "PYTHONPATH": str(copy), "CI": "1",
                       "OPENBLAS_NUM_THREADS": "1", "MPLBACKEND": "agg"}  # fmt: skip
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        command = [sys.executable, "-m", "tests.mutants.worker", way, str(scratch)]
        worker = subprocess.Popen(
            command + (test_files() if way == "collected" else []), cwd=copy, env=environment,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.processes[copy, way] = worker
        return worker

    def each(self, work: Callable[[Any], None], things: Iterable[Any]) -> None:
        """Do work on all of the things, as many at a time as there are workers."""
        waiting = iter(things)
        guard = threading.Lock()

        def loop() -> None:
            while True:
                with guard:
                    thing = next(waiting, None)
                if thing is None:
                    return
                work(thing)

        threads = [threading.Thread(target=loop, daemon=True) for _ in self.free]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def close(self) -> None:
        for worker in self.processes.values():
            assert worker.stdin is not None
            worker.stdin.close()
            worker.wait()


class Tests:
    """Which test calls which function, and how long it takes; gathered once for each file."""

    def __init__(self, workers: Workers, trust_old: bool) -> None:
        self.seconds: dict[str, float] = {}
        self.calling: dict[str, set[str]] = defaultdict(set)
        kept = KEPT / "coverage"
        kept.mkdir(parents=True, exist_ok=True)
        package = digest(*package_files())

        def gather(file: str) -> None:
            record = kept / (file.replace("/", "--") + ".json")
            stamp = digest(ROOT / file) + ("" if trust_old else package)
            if record.exists():
                gathered = json.loads(record.read_text(encoding="utf-8"))
                if gathered["stamp"].startswith(stamp):
                    return
            print(f"  recording the calls of {file}", flush=True)
            workers.do({"files": [file], "coverage": str(record), "seconds": 600})
            gathered = json.loads(record.read_text(encoding="utf-8"))
            for test in gathered["failed"]:
                print(f"  fails without any mutant and is left out: {test}", flush=True)
            gathered["stamp"] = digest(ROOT / file) + package
            record.write_text(json.dumps(gathered), encoding="utf-8")

        files = test_files()
        workers.each(gather, files)
        for file in files:
            record = kept / (file.replace("/", "--") + ".json")
            for test, called in json.loads(record.read_text(encoding="utf-8"))["tests"].items():
                self.seconds[test] = called["seconds"]
                for function in called["calls"]:
                    self.calling[function].add(test)
        names = [path.relative_to(ROOT).with_suffix("").parts for path in package_files()]
        modules = [".".join(parts) for parts in names if parts[-1] not in ("__init__", "__main__")]
        said = workers.do({"modules": modules, "seconds": 60})["said"]
        self.at_import = set(json.loads(said))

    def calls(self, path: str, mutant: Mutant) -> tuple[set[str], bool]:
        """The tests that call the function of a mutant, and whether nothing else does."""
        function = key(path, *mutant.functions[0]) if mutant.functions else None
        return self.calling[function or ""], function not in self.at_import

    def ranked(self, tests: set[str], path: str, mutant: Mutant, killers: list[str],
               budget: float) -> list[str]:  # fmt: skip
        """Tests that may notice a mutant, the likeliest and quickest first."""
        first, last = mutant.statement
        inside = [key(path, *place) for place in texts(path) if first <= place[0] <= last]
        near = set().union(*(self.calling[function or ""] for function in inside))
        scope = mutant.scope.rpartition(".")[2].strip("_")

        def rank(test: str) -> tuple[float, ...]:
            named = len(scope) > 1 and scope in test.partition("[")[2]
            return (-killers.count(test), not named, test not in near, self.seconds[test])

        ranked = sorted(tests, key=rank)
        total = accumulate(self.seconds[test] for test in ranked)
        return [test for test, so_far in zip(ranked, total) if so_far < (budget or so_far + 1.0)]


def stages(tests: list[str], seconds: dict[str, float]) -> Iterator[list[str]]:
    """Parts of a list of tests: a few quick ones first, of few files; then more."""
    for limit in STAGES:
        chosen: list[str] = []
        total, files = 0.0, set()
        for test in tests:
            file = test.partition("::")[0]
            if limit < 10.0 and file not in files and len(files) == 4:
                continue
            if total + seconds[test] <= limit or not chosen:
                total += seconds[test]
                files.add(file)
                chosen.append(test)
        if chosen:
            yield chosen
        taken = set(chosen)
        tests = [test for test in tests if test not in taken]


# ── Mutants ───────────────────────────────────────────────────────────────────────────────


class Results:
    """The fate of each mutant, kept from run to run while the code around it is the same."""

    def __init__(self) -> None:
        self.file = KEPT / "results.json"
        self.all = json.loads(self.file.read_text()) if self.file.exists() else {}
        self.lock = threading.Lock()
        self.saved = time.time()
        self.everything = digest(*package_files(), *sorted((ROOT / "tests").glob("*.py")))

    def get(self, mutant: Mutant, source: str) -> str | None:
        """The test that killed a mutant, "" for a survivor, None if it must be run."""
        record = self.all.get(mutant.name)
        if record is None or record["code"] != self.code(mutant, source):
            return None
        killer = record["killer"]
        if killer and "::" in killer:
            file = ROOT / killer.partition("::")[0]
            return killer if file.exists() and digest(file) == record["tests"] else None
        return killer if killer or record["tests"] == self.everything else None

    def put(self, mutant: Mutant, source: str, killer: str) -> None:
        file = ROOT / killer.partition("::")[0]
        tests = digest(file) if "::" in killer else self.everything
        record = {"code": self.code(mutant, source), "tests": tests, "killer": killer}
        with self.lock:
            self.all[mutant.name] = record
            if time.time() > self.saved + 30.0:
                self.save()

    def save(self) -> None:
        self.file.write_text(json.dumps(self.all, indent=0), encoding="utf-8")
        self.saved = time.time()

    def code(self, mutant: Mutant, source: str) -> str:
        first, last = mutant.statement
        lines = source.splitlines()[first - 1 : last]
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def judge(workers: Workers, tests: Tests, path: str, source: str, mutant: Mutant,
          killers: list[str], budget: float) -> str:  # fmt: skip
    """The test that notices a mutant, "" if none does."""
    job = {"path": path, "source": mutant.of(source), "original": source}
    calling, nothing_else = tests.calls(path, mutant)
    if calling:
        ranked = tests.ranked(calling, path, mutant, killers, budget)
        answer = workers.do(timed({**job, "tests": ranked}, tests), "collected")
        if answer["code"] != NOT_REPLACED and (verdict(answer) or nothing_else):
            return verdict(answer)
    ranked = tests.ranked(set(tests.seconds), path, mutant, killers, budget)
    for chosen in stages(ranked, tests.seconds):
        files = sorted({test.partition("::")[0] for test in chosen})
        killer = verdict(workers.do(timed({**job, "tests": chosen, "files": files}, tests)))
        if killer:
            return killer
    return ""


def passing(workers: Workers, tests: Iterable[str]) -> set[str]:
    """Those of some tests that pass without any mutant, on this machine."""
    by_file: dict[str, set[str]] = defaultdict(set)
    for test in tests:
        by_file[test.partition("::")[0]].add(test)

    def drop_failing(file: str) -> None:
        job = {"files": [file], "seconds": 600.0}
        while by_file[file]:
            failing = verdict(workers.do({**job, "tests": sorted(by_file[file])}))
            if not failing:
                return
            by_file[file] -= {failing} if failing in by_file[file] else by_file[file]

    workers.each(drop_failing, list(by_file))
    return set().union(*by_file.values())


def judge_again(workers: Workers, path: str, source: str, mutant: Mutant, killer: str) -> str:
    """The test that killed a mutant before, if it still does; "" if it does not."""
    job = {"path": path, "source": mutant.of(source), "original": source, "tests": [killer],
           "seconds": SECONDS}  # fmt: skip
    again = verdict(workers.do(job, "collected"))
    return again or verdict(workers.do({**job, "files": [killer.partition("::")[0]]}))


def timed(job: dict[str, Any], tests: Tests) -> dict[str, Any]:
    """The job with a limit to its seconds of computing."""
    return {**job, "seconds": 10.0 + 5.0 * sum(tests.seconds[test] for test in job["tests"])}


def verdict(answer: dict[str, Any]) -> str:
    """The test that failed, or what else killed a mutant; "" if it survived."""
    reasons = {SURVIVED: "", NO_TESTS: "", "time": "it takes too long", "crash": "Python crashes"}
    return answer.get("said") or reasons.get(answer["code"], "modules or tests can't be imported")


def examine(paths: dict[str, list[Mutant]], options: argparse.Namespace) -> dict[str, Any]:
    """Run the mutants of some files; what became of them."""
    listed = set(equivalents())
    results = Results()
    sources = {path: (PACKAGE / path).read_text(encoding="utf-8") for path in paths}
    killed: dict[str, str] = {}
    waiting = []
    for path, every in paths.items():
        for mutant in every:
            if mutant.name in listed and not options.listed:
                continue
            killer = results.get(mutant, sources[path])
            if killer is None or (killer == "" and options.again):
                waiting.append((path, mutant))
            else:
                killed[mutant.name] = killer
    waiting.sort(key=lambda pair: not pair[1].functions)  # the quick ones first
    if waiting and not options.report:
        workers = Workers(options.jobs)
        print(f"{len(waiting)} mutants to run, {len(killed)} known from earlier", flush=True)
        began, done = time.time(), 0

        def put(path: str, mutant: Mutant, killer: str) -> None:
            nonlocal done
            killed[mutant.name] = killer
            results.put(mutant, sources[path], killer)
            done += 1
            if not killer:
                print(f"  survived: {mutant.name}", flush=True)
            if done % 50 == 0:
                print(f"  {done} of {len(waiting)}, {time.time() - began:.0f} s", flush=True)

        known = killers()
        recent: dict[tuple[int, int], list[str]] = defaultdict(list)

        def work_again(thing: tuple[str, Mutant]) -> None:
            path, mutant = thing
            known_killer = known[short(mutant.name)]
            if killer := judge_again(workers, path, sources[path], mutant, known_killer):
                put(path, mutant, killer)

        def work(thing: tuple[str, Mutant]) -> None:
            path, mutant = thing
            near = recent[(path, *mutant.statement)]
            killer = judge(workers, tests, path, sources[path], mutant, near, options.budget)
            near.append(killer)
            put(path, mutant, killer)

        try:
            sound = passing(
                workers, {known.get(short(mutant.name), "") for _, mutant in waiting} - {""}
            )
            again = [pair for pair in waiting if known.get(short(pair[1].name)) in sound]
            workers.each(work_again, again)
            rest = [pair for pair in waiting if pair[1].name not in killed]
            if rest:
                tests = Tests(workers, options.old_coverage)
                workers.each(work, rest)
            assert done == len(waiting), "a worker failed; see its output in .mutants"
        finally:
            results.save()
            write_killers(killed)
            workers.close()
    return {path: summary(every, killed, listed) for path, every in paths.items()}


def summary(every: list[Mutant], killed: dict[str, str], listed: set[str]) -> dict[str, Any]:
    """How many mutants there are, how many were killed, and which survived or were not run."""
    names = [mutant.name for mutant in every]
    return {
        "mutants": len(names),
        "killed": sum(bool(killed.get(name)) for name in names),
        "equivalent": sum(name in listed and not killed.get(name) for name in names),
        "waiting": sum(name not in listed and name not in killed for name in names),
        "survived": [name for name in names if name not in listed and killed.get(name) == ""],
    }


def show(title: str, report: dict[str, Any]) -> None:
    """Print a row for each file, and its survivors."""
    print(f"\n{title:30} mutants  killed  equivalent  survived  waiting   score")
    for path, row in report.items():
        survived = len(row["survived"])
        score = row["killed"] / max(row["killed"] + survived, 1)
        print(f"{path:30} {row['mutants']:7} {row['killed']:7} {row['equivalent']:11} "
              f"{survived:9} {row['waiting']:8}  {score:6.1%}")  # fmt: skip
        for name in row["survived"]:
            print(f"    survived: {name}")


def attack(options: argparse.Namespace) -> int:
    """Try to tell some of the equivalents from the source by random inputs; how many differ."""
    names = sorted(name for name in equivalents() if name.split()[0] in CORE)
    names = random.sample(names, min(options.attack, len(names)))
    mutants = {mutant.name: (path, mutant) for path in CORE for mutant in in_file(path)}
    workers = Workers(options.jobs)
    differing = []

    def work(name: str) -> None:
        path, mutant = mutants[name]
        source = (PACKAGE / path).read_text(encoding="utf-8")
        job = {"path": path, "inputs": INPUTS, "rows": [mutant.scope], "seconds": 600}
        mutated, plain = (workers.do({**job, "source": s}) for s in (mutant.of(source), source))
        same = mutated == plain and plain["code"] == 0
        print(f"  {'the same' if same else 'DIFFERS'}: {name}", flush=True)
        if not same:
            differing.append(name)

    workers.each(work, names)
    workers.close()
    print(f"{len(names)} equivalents, {INPUTS} inputs each: {len(differing)} differ")
    return len(differing)


def chosen(options: argparse.Namespace) -> dict[str, dict[str, list[Mutant]]]:
    """The mutants to run, by part of the report and by file."""
    parts: dict[str, dict[str, list[Mutant]]] = {}
    if options.paths:
        parts["files"] = {path: in_file(path) for path in options.paths}
    elif not options.sample:
        parts["core"] = {path: in_file(path) for path in CORE}
    if not (options.paths or options.core):
        parts["sample"] = {path: found for room in ROOMS for path, found in sample(room).items()}
    for paths in parts.values():
        for path, every in paths.items():
            paths[path] = [mutant for mutant in every if options.only in mutant.name]
    return parts


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("paths", nargs="*", help="files of the package, such as core/ops.py")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--sample", action="store_true", help="only the sample of other rooms")
    parser.add_argument("--core", action="store_true", help="only the core")
    parser.add_argument("--again", action="store_true", help="run the survivors again")
    parser.add_argument("--listed", action="store_true", help="run the equivalents too")
    parser.add_argument("--only", default="", help="only mutants whose name contains this")
    parser.add_argument("--report", action="store_true", help="of earlier results; run nothing")
    parser.add_argument("--budget", type=float, help="at most this many seconds of tests for each")
    parser.add_argument("--old-coverage", action="store_true", help="though the code has changed")
    parser.add_argument("--attack", type=int, metavar="N", help="attack N random equivalents")
    options = parser.parse_args()
    os.nice(10)
    if options.attack:
        return attack(options)
    reports = {part: examine(paths, options) for part, paths in chosen(options).items()}
    for part, report in reports.items():
        show(part, report)
    if not (options.paths or options.only):
        written = json.loads(REPORT.read_text(encoding="utf-8")) if REPORT.exists() else {}
        REPORT.write_text(json.dumps({**written, **reports}, indent=1, ensure_ascii=False) + "\n",
                          encoding="utf-8")  # fmt: skip
    return int(any(row["survived"] for report in reports.values() for row in report.values()))


if __name__ == "__main__":
    sys.exit(main())
