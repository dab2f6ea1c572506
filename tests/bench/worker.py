"""One side of one case, in a process of its own: ``python -m tests.bench.worker SIDE CASE SIZE``.

It prepares the case, prints what a step answers, and then measures as often as it is asked to:
a line of standard input holds for how many seconds. Every line it prints is JSON. It is bound to
one core where the system allows that, so that one thread works on every side.
"""

from __future__ import annotations

import json
import os
import sys
import time
from importlib import import_module, metadata
from statistics import median

SHORT = 1e-4
"""Seconds below which several steps are timed together: looking at the clock takes a tenth of a
microsecond."""


def measured(step, seconds: float) -> float:
    """The median time of a step, called for so many seconds."""
    begin = time.perf_counter()
    step()
    times = [time.perf_counter() - begin]
    together = max(1, int(SHORT / (times[0] + 1e-9)))
    while time.perf_counter() < begin + seconds:
        start = time.perf_counter()
        for _ in range(together):
            step()
        times.append((time.perf_counter() - start) / together)
    return median(times)


def main(side: str, case: str, size: str) -> None:
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    answers, sys.stdout = sys.stdout, sys.stderr  # whatever a library prints is no answer

    def tell(**what) -> None:
        print(json.dumps(what), file=answers, flush=True)

    try:
        work = getattr(import_module(f"tests.bench.sides.{side}"), case)(int(size))
        answer = work.answer()
    except Exception as error:
        tell(error=f"{type(error).__name__}: {error}")
        raise
    version = metadata.version("tinygrad-edu" if side == "ours" else side)
    tell(answer=answer, facts=work.facts, version=version)
    for line in sys.stdin:
        tell(seconds=measured(work.step, float(line)))


if __name__ == "__main__":
    main(*sys.argv[1:])
