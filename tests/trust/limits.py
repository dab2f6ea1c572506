"""How large, deep, wide and many: each limit is tried here, or counted."""

from __future__ import annotations

import gc
import sys
import tempfile
import threading
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import tinygrad_edu as tg
from tinygrad_edu import Value, keras
from tinygrad_edu.compiler.code import MOST

MILLION = 1_000_000


def deep() -> None:
    """A chain: x + 1 + 1 + …"""
    x = y = Value(1.0)
    for _ in range(MILLION):
        y = y + 1.0
    y.backward()
    assert (y.data, x.grad) == (MILLION + 1.0, 1.0)
    assert tg.gradients(y, [x])[0].data == 1.0
    del y
    gc.collect()


def deep_at_once() -> None:
    """A chain whose derivative is a graph as deep: x·1.0000001·…, differentiated twice."""
    x = y = Value(1.0)
    for _ in range(100_000):
        y = tg.square(y)
        y = tg.sqrt(y)
    (slope,) = tg.gradients(y, [x])
    slope.backward()
    assert (slope.data, x.grad) == (1.0, 0.0)


def wide() -> None:
    xs = [Value(float(i)) for i in range(MILLION)]
    total = tg.sum(xs)
    total.backward()
    assert total.data == MILLION * (MILLION - 1) / 2
    assert all(x.grad == 1.0 for x in xs)


def shared() -> None:
    x = Value(2.0)
    total = tg.sum([x * 1.0 for _ in range(MILLION)])
    total.backward()
    assert x.grad == MILLION


def paths() -> None:
    """Diamonds on diamonds: 2**1000 paths."""
    x = y = Value(1.0)
    for _ in range(1000):
        y = y + y
    y.backward()
    assert x.grad == 2.0**1000


def program() -> None:
    """A graph that is recorded and replayed."""
    x = y = Value(1.0)
    for _ in range(200_000):
        y = y + x
    compiled = tg.compile(y, inputs=[x], executor="python")
    assert compiled.value([[2.0]]) == 400_002.0


def layers() -> None:
    model = keras.Sequential([keras.Input(shape=(1,))])
    for _ in range(2000):
        model.add(keras.layers.Dense(1, kernel_initializer="ones"))
    with tempfile.TemporaryDirectory() as folder:
        model.save(Path(folder, "model.json"))
        again = keras.models.load_model(Path(folder, "model.json"))
    assert again.predict([3.0]) == model.predict([3.0])


def threads() -> None:
    """64 threads at once, on one leaf."""
    x = Value(3.0)

    def work() -> None:
        for _ in range(100):
            (x * 2.0).backward()

    every = [threading.Thread(target=work) for _ in range(64)]
    for thread in every:
        thread.start()
    for thread in every:
        thread.join()
    assert x.grad == 64 * 100 * 2.0


TRIED: list[tuple[str, str, Callable[[], None]]] = [
    ("depth: operations in one chain", "1,000,000", deep),
    ("depth, differentiated twice", "200,000", deep_at_once),
    ("width: terms of one sum", "1,000,000", wide),
    ("uses of one leaf", "1,000,000", shared),
    ("paths between two nodes", "2¹⁰⁰⁰", paths),
    ("instructions of a replayed program", "200,000", program),
    ("layers of a model, saved and loaded", "2,000", layers),
    ("threads that run backward at once", "64", threads),
]


def chapter() -> tuple[str, str]:
    """The chapter in Markdown."""
    lines = ["| tried | size | result |", "|---|---|---|"]
    for what, size, trial in TRIED:
        try:
            trial()
            result = "exact"
        except Exception as error:
            result = f"{type(error).__name__}: {error}"
        lines.append(f"| {what} | {size} | {result} |")
    parts = [HEAD, "\n".join(lines), memory(), orders(), PROMISES.format(most=MOST)]
    return "\n\n".join(parts), ""


HEAD = """\
No part of the engine recurses over a graph, so the depth of a graph is limited by memory alone.
Each line was tried just now, under Python's usual limit of 1,000 nested calls, and its result
compared with the exact one:"""


def memory() -> str:
    """The bytes of a node, by tracemalloc."""
    count = 100_000

    def bytes_of(make: Callable[[Any], Any]) -> int:
        gc.collect()
        tracemalloc.start()
        nodes = [make(None) for _ in range(count)]
        size = tracemalloc.get_traced_memory()[0] - sys.getsizeof(nodes)
        tracemalloc.stop()
        return 8 * round(size / count / 8)

    x = Value(2.0)
    return (
        f"A leaf takes {bytes_of(lambda _: Value(2.0))} bytes, and the result of an operation "
        f"{bytes_of(lambda _: x * x)}, its number included."
    )


def orders() -> str:
    """How many nodes the derivatives of a function have."""
    lines = ["| derivative of tanh(x)·x | " + " | ".join(map(str, range(1, 8))) + " |"]
    lines.append("|---" * 8 + "|")
    x = Value(0.5)
    y = tg.tanh(x) * x
    counts = []
    for _ in range(7):
        (y,) = tg.gradients(y, [x])
        counts.append(len(tg.snapshot(y).nodes))
    lines.append("| nodes | " + " | ".join(f"{n:,}" for n in counts) + " |")
    return ORDERS + "\n\n" + "\n".join(lines)


ORDERS = """\
There is no limit to the order of a derivative but its size. Each derivative of a graph is a graph
a few times as large:"""

PROMISES = """\
Promised:

- Numbers are doubles, from 5e-324 to 1.8e308. No arithmetic raises; results that are too large are
  infinite, as IEEE 754 says.
- The time and the memory of `backward` grow linearly with the graph, and those of loading a model
  with the size of its file.
- A compiled program has at most {most:,} inputs; a larger one is refused.
- Any number of threads may record, differentiate and replay, and `backward` may run in all of them
  at once, even on shared leaves.

Not promised:

- The same last bits on another machine: `exp`, `sin` and the like are those of the C library.
- More than one core: threads take turns, as Python's do.
- Data that one thread changes while another one reads them: see
  [conventions](conventions.md#threads-tasks-and-generators).
- Graphs larger than memory: recording stops with Python's `MemoryError`."""
