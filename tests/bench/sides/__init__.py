"""The sides of the benchmark: one module each, with a function per case that it takes part in.

A function prepares the case at some size and returns a `Work`. The imports of a side are in
its own module, so that each runs in an interpreter that has it.
"""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from typing import Any, NamedTuple


class Work(NamedTuple):
    """One step of a case on one side.

    Attributes:
        step: what is timed.
        answer: the numbers that a step gave: all sides must agree on them.
        facts: what else there is to tell: nodes, bytes, seconds.
    """

    step: Callable[[], Any]
    answer: Callable[[], list[float]]
    facts: dict[str, Any] = {}  # noqa: RUF012 (never changed)


def measured_graph(step: Callable[[], Any], children: Callable[[Any], Any]) -> dict[str, int]:
    """The nodes of the graph of an eager step, and its bytes as long as it lives."""
    tracemalloc.start()
    loss = step()
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return {"nodes": nodes(loss, children), "bytes": held}


def nodes(root: Any, children: Callable[[Any], Any]) -> int:
    """How many nodes a graph has."""
    found, seen = [root], {root}
    for node in found:
        for child in children(node):
            if child not in seen:
                seen.add(child)
                found.append(child)
    return len(found)
