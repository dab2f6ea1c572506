"""A film of training: one layout with the numbers and colours of successive epochs.

The film is a single SVG that plays by itself, in a browser, a README or a slide, without
JavaScript. A changing element is drawn once for every run of frames in which it stays the same, and
a style shows each copy at its time. Readers whose system is set to reduce motion, and programs
without animation, show the last frame.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from copy import deepcopy
from functools import cached_property
from itertools import groupby
from pathlib import Path
from typing import Any, Final
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from ..errors import BadArgument, MissingExtra, check_name
from ..snapshots import Graph
from ..strings import short
from .folding import view
from .layout import Stage
from .layout_engines import render
from .picture import CARDS, THEMED, as_picture, graph_of, sized, write
from .text import tree

_NAMESPACE: Final = "{http://www.w3.org/2000/svg}"


def film(
    frames: Sequence[Any],
    captions: Sequence[str] | None = None,
    *,
    title: str | None = None,
    theme: str = "light",
    seconds: float = 1.0,
    limit: int = CARDS,
) -> Film:
    """A film of one expression at different numbers, for instance of a loss while it falls.

    Args:
        frames: for each frame a snapshot (``tg.snapshot(loss)``, taken at chosen epochs), all
            of the same shape; or a Value, for a snapshot of its current graph.
        captions: a line for each frame, such as "epoch 10".
        title: a line above the picture.
        theme: "light", "dark", or "auto", which follows the reader's system.
        seconds: the duration of each frame; the last one lasts twice as long.
        limit: the largest number of cards; see `tinygrad_edu.draw`.

    Raises:
        BadArgument: if there is no frame, or the number of captions differs.
        GraphError: if the frames differ in shape.

    >>> from tinygrad_edu import Value, snapshot
    >>> w, shots = Value(0.0, name="w", role="parameter"), []
    >>> for epoch in range(4):
    ...     loss = (w * 2.0 - 6.0) ** 2
    ...     loss.backward()
    ...     shots.append(snapshot(loss))
    ...     w.data, w.grad = w.data - 0.1 * w.grad, 0.0
    >>> shown = film(shots, [f"epoch {epoch}" for epoch in range(4)])
    >>> shown
    <Film of 4 frames: .svg(), .frames(), .save("training.svg")>
    """
    graphs = [graph_of(frame) for frame in frames]
    if not graphs:
        raise BadArgument("A film needs at least one frame. Received: none.")
    if captions is not None and len(captions) != len(graphs):
        raise BadArgument(
            f"Each frame needs one caption. Received: {len(captions)} captions for "
            f"{len(graphs)} frames."
        )
    check_name("theme", theme, THEMED)
    if not seconds > 0.0:
        raise BadArgument(f"seconds must be a number above 0. Received: {seconds!r}.")
    stage = Stage(graphs, view(graphs[0], limit), title=title, theme=theme, captions=captions or ())
    return Film(stage, graphs, list(captions or [""] * len(graphs)), seconds)


class Film:
    """Frames with one layout; created by `film`.

    Attributes:
        graphs: the snapshots.
        captions: the caption of each frame.
    """

    def __init__(
        self, stage: Stage, graphs: list[Graph], captions: list[str], seconds: float
    ) -> None:
        self.graphs = graphs
        self.captions = captions
        self._stage = stage
        self._seconds = seconds

    @cached_property
    def _still(self) -> str:
        return self._stage.drawn(style=self._stage.css)

    def _changes(self, number: int) -> dict[str, dict[str, str]]:
        changes = self._stage.frame(self.graphs[number])
        if self.captions[number]:
            changes["caption"] = {"text": short(self.captions[number], 200)}
        return changes

    def frames(self) -> list[str]:
        """Every frame as a separate ``<svg>`` element, for slides that are advanced by hand."""
        roots = [ElementTree.fromstring(self._still) for _ in self.graphs]
        for number, root in enumerate(roots):
            _apply(root, self._changes(number))
        return list(map(_text, roots))

    def svg(self) -> str:
        """The film as one ``<svg>`` element that plays by itself."""
        root = ElementTree.fromstring(self._still)
        parents = {child: parent for parent in root.iter() for child in parent}
        changes = [self._changes(number) for number in range(len(self.graphs))]
        moments: set[tuple[int, int]] = set()
        for element in _changing(root, set(changes[0])):
            own = {one.get("id") for one in element.iter()}
            steps = [{id: set for id, set in each.items() if id in own} for each in changes]
            alike = [list(run) for _, run in groupby(range(len(steps)), steps.__getitem__)]
            if len(alike) == 1:
                _apply(element, steps[0])
                continue
            copies = []
            for run in alike:
                copy = deepcopy(element)
                _apply(copy, steps[run[0]])
                for one in copy.iter():
                    if "id" in one.attrib:
                        one.set("id", f"{one.attrib['id']}-{run[0]}")
                moment = Element(f"{_NAMESPACE}g", {"class": f"tg-{run[0]}-{run[-1]}"})
                moment.attrib |= {} if run is alike[-1] else {"visibility": "hidden"}
                moment.append(copy)
                copies.append(moment)
                moments.add((run[0], run[-1]))
            parent = parents[element]
            place = list(parent).index(element)
            parent[place : place + 1] = copies
        sheet = next(root.iter(f"{_NAMESPACE}style"))
        sheet.text = f"{sheet.text}\n{self._timing(moments)}"
        return _text(root)

    def _timing(self, moments: set[tuple[int, int]]) -> str:
        """The style that shows each copy in its run of frames."""
        total = len(self.graphs) + 1  # the last frame lasts twice as long
        rules = ["@media (prefers-reduced-motion:no-preference){"]
        for first, last in sorted(moments):
            name = f"tg-{first}-{last}"
            end = total if last == len(self.graphs) - 1 else last + 1
            rules.append(
                f".{name}{{animation:{name} {total * self._seconds:g}s step-end infinite}}"
            )
            steps = [(0, "hidden" if first else "visible"), (first / total, "visible")]
            steps += [(end / total, "hidden")] if end < total else []
            inside = "".join(f"{at:.4%}{{visibility:{how}}}" for at, how in steps)
            rules.append(f"@keyframes {name}{{{inside}}}")
        return "\n".join([*rules, "}"])

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the film as .svg, which plays by itself, or as .gif; return the path.

        Raises:
            BadArgument: if the path ends in neither.
            DrawingError: if there is no layout engine, or the file can't be written.
            MissingExtra: for a .gif without the package Pillow.
        """
        path = Path(path)
        form = path.suffix.lower()
        if form not in (".svg", ".gif"):
            raise BadArgument(f"A film can be written as .svg or .gif. Received: {str(path)!r}.")
        write(path, self.svg().encode() if form == ".svg" else self._gif())
        return path

    def _gif(self) -> bytes:
        from io import BytesIO

        try:
            from PIL import Image
        except ImportError:
            raise MissingExtra(
                "A film as .gif needs the package Pillow: pip install 'tinygrad-edu[plots]'. "
                "An .svg needs no further package."
            ) from None
        pictures = [
            Image.open(BytesIO(render(sized(self._stage.dot(*frame)), "png"))).convert("RGB")
            for frame in zip(self.graphs, self.captions)
        ]
        made = BytesIO()
        each = [self._seconds * 1000] * (len(pictures) - 1) + [self._seconds * 2000]
        pictures[0].save(
            made, "GIF", save_all=True, append_images=pictures[1:], duration=each, loop=0
        )
        return made.getvalue()

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        """For notebooks: the film, or without an engine its last graph as a tree."""
        return as_picture(self.svg, f"{self!r}\n{tree(self.graphs[-1])}")

    def __repr__(self) -> str:
        return f'<Film of {len(self.graphs)} frames: .svg(), .frames(), .save("training.svg")>'


def _changing(root: Element, ids: set[str]) -> list[Element]:
    """The outermost elements in which something changes: chips, edges, labels."""
    changing, todo = [], [root]
    while todo:
        element = todo.pop()
        if element.get("id") in ids:
            changing.append(element)
        else:
            todo += reversed(element)
    return changing


def _apply(root: Element, changes: dict[str, dict[str, str]]) -> None:
    for element in root.iter():
        change = changes.get(element.get("id", ""), {})
        element.text = change.get("text", element.text)
        if "class" in change:
            element.set("class", change["class"])


def _text(root: Element) -> str:
    ElementTree.register_namespace("", _NAMESPACE[1:-1])
    return ElementTree.tostring(root, encoding="unicode")
