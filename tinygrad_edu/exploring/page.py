"""`explore`: a graph, its picture and its training in one HTML file that computes by itself."""

from __future__ import annotations

import base64
import html
import json
import os
import re
import sys
from array import array
from collections.abc import Iterable, Sequence
from importlib.resources import files
from math import isfinite
from pathlib import Path
from typing import Any, Final

from ..core.graph import tape
from ..core.table import is_real, number
from ..core.value import Value
from ..drawing.folding import path as boxes
from ..drawing.folding import reached
from ..drawing.labels import named
from ..drawing.layout import rules_js
from ..errors import BadArgument, GraphError
from ..files import write_whole
from ..keras.callbacks import WeightHistory
from ..snapshots import Graph, Node, ids, snapshot
from ..strings import clean, plural
from . import javascript, patterns, stages
from .headline import classification, headline
from .naming import alike, definition, labels, names, samples, sign

SCRIPT: Final = (
    "arithmetic", "graph", "compute", "state", "words", "heading", "picture", "reason", "training",
    "charts", "landscape", "regions", "table", "predict", "worksheet", "controls",
)  # fmt: skip
MOST_ARGUMENTS: Final = 12  # in a formula
MOST_NUMBERS: Final = 60_000  # weights of all epochs together, 11 bytes each
MOST_NODES: Final = 20_000  # so that the page computes in less than a second


def explore(
    x: Any,
    path: str | os.PathLike[str] = "model.html",
    *,
    data: tuple[Any, Any] | None = None,
    parameters: Sequence[Value] | None = None,
    training: WeightHistory | Sequence[Sequence[float]] | None = None,
    learning_rate: float | None = None,
    title: str | None = None,
) -> Page:
    """Write a page that shows, step by step, how every gradient of a graph is computed.

    It is one HTML file that needs no server and no network. The reader steps forward and backward,
    operation by operation; asks any card why its gradient is what it is; moves the parameters and
    the learning rate, for which the page recomputes everything with the rows of the table; steps
    through the epochs of a training; and guesses a gradient before it is shown.

    Args:
        x: a loss: any Value. Or a compiled model, with ``data``.
        path: the file to write.
        data: for a model, the inputs and targets of the loss: ``(flats, prices)``.
        parameters: the leaves that the page moves. Default: those of the model; for a Value, its
            leaves of role "parameter", or if there are none, those without a role.
        training: the weights of each epoch: the ``keras.callbacks.WeightHistory`` of a fit, or
            a list with one number per parameter for each epoch. Without it the page starts at the
            current weights.
        learning_rate: for the page's steps of gradient descent; default: that of the model's
            optimiser (of a schedule, that of the first recorded step), else 0.01.
        title: the page's heading.

    Returns:
        The page, which notebooks display.

    Raises:
        GraphError: if x is neither a Value nor a compiled model.
        BadArgument: if a model is passed without data, or the training does not match its weights.
        DrawingError: if there is no layout engine to draw the graph.
        FileError: if the file can't be written; an existing file is then unchanged.

    >>> import tempfile
    >>> w = Value(0.5, name="w", role="parameter")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     page = explore((w * 2.0 - 3.0) ** 2, Path(folder, "loss.html"))
    ...     page.path.read_bytes()[:15]
    b'<!doctype html>'
    >>> page
    <Page of 6 values: open loss.html in a browser>
    """
    loss, default = _subject(x, data)
    moved = default if parameters is None else list(parameters)
    rate, optimizer = 0.01, None
    if not isinstance(x, Value):
        optimizer = x.optimizer  # a schedule has a rate of its own for each step
        rate = optimizer.rate if training is None else optimizer.rate_at(0)
    graph = snapshot(loss)
    if len(graph.nodes) > MOST_NODES:
        raise BadArgument(
            f"A page can step through at most {MOST_NODES:,} values. Received: a graph of "
            f"{len(graph.nodes):,}. Explore the loss of fewer samples."
        )
    id_of = ids(loss)
    moved_ids = [id_of.get(value) for value in moved]
    rate = rate if learning_rate is None else _rate(learning_rate)
    formulas = definition(graph) if isinstance(x, Value) else headline(x, len(samples(graph)))
    heading = clean(title or f"{named(graph.root) or 'Result'}: every gradient, step by step")
    content = document(
        graph,
        heading,
        [id for id in moved_ids if id is not None],
        _epochs(training, moved_ids),
        rate,
        optimizer,
        formulas,
        {} if isinstance(x, Value) else classification(x.loss, data, len(samples(graph))),
    )
    path = Path(path)
    write_whole(path, content.encode())
    return Page(path, content, len(graph.nodes))


class Page:
    """A page that was written.

    Attributes:
        path: the file.
        html: its content.
    """

    def __init__(self, path: Path, html: str, count: int) -> None:
        self.path, self.html, self._count = path, html, count

    def __fspath__(self) -> str:
        return str(self.path)

    def __repr__(self) -> str:
        return f"<Page of {plural(self._count, 'value')}: open {self.path.name} in a browser>"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        """For notebooks: the page in its own frame."""
        frame = (
            f'<iframe srcdoc="{html.escape(self.html)}" sandbox="allow-scripts" '
            f'style="width: 100%; height: 860px; border: 0" title="explore"></iframe>'
        )
        return {"text/html": frame, "text/plain": repr(self)}


# ── What is explored ──────────────────────────────────────────────────────────────────────


def _subject(x: Any, data: tuple[Any, Any] | None) -> tuple[Value, list[Value]]:
    """The loss and the parameters to move."""
    if isinstance(x, Value):
        if data is not None:
            raise BadArgument("A Value already contains its data. Received: data as well.")
        leaves = [value for value in tape(x, through_stops=False) if value.op is None]
        parameters = [leaf for leaf in leaves if leaf.role == "parameter"]
        return x, parameters or [leaf for leaf in leaves if leaf.role is None]
    if not hasattr(x, "loss_graph"):
        raise GraphError(
            f"Only a loss or a compiled model can be explored. Received: {x!r} (of type "
            f"{type(x).__name__}). Explore what your model returns: tg.explore(loss)."
        )
    if not isinstance(data, (tuple, list)) or len(data) != 2:
        raise BadArgument(
            f"A model needs data for its loss: tg.explore(model, data=(x, y)). "
            f"Received: data={data!r}."
        )
    return x.loss_graph(*data), x.parameters()


def _rate(x: Any) -> float:
    rate = number(x)
    if not (isfinite(rate) and rate >= 0.0):
        raise BadArgument(f"A learning rate must be a finite number from 0. Received: {x!r}.")
    return rate


def _epochs(training: Any, ids: Sequence[int | None]) -> list[list[float]]:
    """The weights of every epoch, of the parameters in the graph."""
    epochs = training.epochs if isinstance(training, WeightHistory) else training
    rows = []
    for epoch in () if epochs is None else epochs:
        row = list(epoch)
        if len(row) != len(ids) or not all(map(is_real, row)):
            raise BadArgument(
                f"Each epoch of a training must have one number for each of the {len(ids)} "
                f"parameters. Received: {plural(len(row), 'number')}."
            )
        rows.append([number(x) for x, id in zip(row, ids) if id is not None])
    return rows


# ── The page as text ──────────────────────────────────────────────────────────────────────


def document(
    graph: Graph,
    title: str,
    parameters: list[int],
    epochs: list[list[float]],
    rate: float,
    optimizer: Any = None,
    formulas: str = "",
    classes: dict[str, Any] | None = None,
) -> str:
    """The whole page as HTML."""
    applied = [(node.op, len(node.args)) for node in graph.nodes if node.op is not None]
    rows, opaque = javascript.rows(applied)
    kept = thinned(len(epochs), len(parameters))
    data = {
        **columns(graph, live=not opaque),
        "opaque": opaque,
        "title": title,
        "parameters": parameters,
        "samples": samples(graph),
        "rate": rate,
        **javascript.optimizer_data(optimizer),
        "headline": formulas,
        **(classes or {}),
        "epochs": kept,
        "weights": packed(x for epoch in kept for x in epochs[epoch]),
    }
    scenes = stages.scenes(graph, [sample["scope"] for sample in data["samples"]])
    parts = {
        "title": html.escape(title),
        "css": f"{scenes[0].stage.css}\n{_file('page.css')}",
        "stages": stages.html(scenes),
        "data": embedded({**data, "scenes": stages.described(scenes)}),
        "rules": rules_js(),
        "rows": rows,
        "rule": javascript.rule(optimizer) or "null",
        "script": "\n".join(_file(f"script/{name}.js") for name in SCRIPT),
    }
    # In one pass, so that inserted content is not replaced again.
    return re.sub(r"\{\{(\w+)\}\}", lambda place: parts[place[1]], _file("page.html"))


def thinned(epochs: int, weights: int) -> list[int]:
    """The epochs that the page keeps: all, or if there are too many weights, every k-th and the
    last.

    >>> thinned(4, 2), len(thinned(100_000, 10)) <= MOST_NUMBERS / 10
    ([0, 1, 2, 3], True)
    """
    most = max(2, MOST_NUMBERS // max(1, weights) - 1)
    kept = list(range(0, epochs, -(-epochs // most) or 1))
    return kept if not epochs or kept[-1] == epochs - 1 else [*kept, epochs - 1]


def _file(name: str) -> str:
    return (files(__package__) / name).read_text(encoding="utf-8")


def columns(graph: Graph, live: bool) -> dict[str, Any]:
    """The nodes of a graph, a list for each of their properties."""
    flowing = reached(graph)
    called = labels(graph)
    rows: dict[Any, int] = {}
    scopes: dict[str, int] = {}
    columns: dict[str, Any] = {
        "op": [None if n.op is None else javascript.key(n.op, len(n.args)) for n in graph.nodes],
        "args": [n.args for n in graph.nodes],
        "flows": [
            [int(n.id in flowing and local is not None) for local in n.partials]
            for n in graph.nodes
        ],
        "reached": [int(n.id in flowing) for n in graph.nodes],
        "data": [spelled(n.data) for n in graph.nodes],
        "sign": [sign(n) for n in graph.nodes],
        "label": [label for label, _ in called],
        "tightness": [tightness for _, tightness in called],
        "name": names(graph),
        "alike": alike(graph),
        "role": [n.role or "" for n in graph.nodes],
        "scope": [
            scopes.setdefault("/".join(map(clean, boxes(n))), len(scopes)) for n in graph.nodes
        ],
        "formula": [
            None if n.op is None else rows.setdefault(_pattern(graph, n), len(rows))
            for n in graph.nodes
        ],
    }
    columns["scopes"] = list(scopes)
    columns["formulas"] = [_formulas(*row) for row in rows]
    if not live:  # the page can't compute: it shows the recorded numbers
        columns["partials"] = [
            [None if local is None else spelled(local) for local in n.partials] for n in graph.nodes
        ]
        columns["adjoint"] = [spelled(n.adjoint) for n in graph.nodes]
    return columns


def _pattern(graph: Graph, node: Node) -> tuple[Any, tuple[float | None, ...]]:
    """The key of a node's formula: its row, and which arguments are plain numbers."""
    args = [graph.nodes[arg] for arg in node.args]
    return node.op, tuple(arg.data if arg.role == "constant" else None for arg in args)


def _formulas(op: Any, constants: tuple[float | None, ...]) -> list[Any]:
    """The formulas of a row's value and partials; in a sum all partials are the same."""
    if op.name == "sum":
        return [patterns.value(op, constants[:3]), [patterns.slope(op, 0, constants)]]
    if len(constants) > MOST_ARGUMENTS:
        return [None, []]
    return [
        patterns.value(op, constants),
        [
            patterns.slope(op, i, constants) if constant is None else None
            for i, constant in enumerate(constants)
        ],
    ]


def spelled(x: float) -> float | str:
    """A number as JSON can store it exactly; JSON has neither nan nor infinity."""
    return x if isfinite(x) else repr(x)


def packed(numbers: Iterable[float]) -> str:
    """Doubles as base64, little-endian: 11 characters each, to the last bit."""
    doubles = array("d", numbers)
    if sys.byteorder == "big":
        doubles.byteswap()
    return base64.b64encode(doubles.tobytes()).decode()


def embedded(data: Any) -> str:
    """JSON that is safe inside a ``<script>``: nothing in it ends the script or begins a comment.

    >>> embedded("</script><!--")
    '"\\\\u003c/script\\\\u003e\\\\u003c!--"'
    """
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for char in "<>&\u2028\u2029":
        text = text.replace(char, f"\\u{ord(char):04x}")
    return text
