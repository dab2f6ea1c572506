"""A neural network as neurons and lines: each line is a weight, with its width and colour.

It shows the weights of a model, not a computation: it needs no sample, and there are no gradients.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from itertools import pairwise, product
from math import isfinite
from typing import Any, Final, NamedTuple

from ..errors import BadArgument
from ..snapshots import Graph
from ..strings import as_subscript, legible, plural, short
from .dot import Markup, attributes, chained, font
from .labels import Digits, rounded, signed
from .layout_engines import render
from .picture import Drawing
from .svg import dress
from .themes import THEMES, Theme, largest, marks, shade, stroke, stylesheet

NEURONS: Final = 16  # of a layer; of a larger one the first ones and the last are drawn
LABELLED: Final = 20  # the most weights whose numbers are shown; of more, tooltips show them


class Dense(NamedTuple):
    """A layer of neurons: its weights as one row per input, its biases, and its activation."""

    kernel: Sequence[Sequence[Any]]
    bias: Sequence[Any]
    activation: str


def dense(model: Any) -> list[Dense]:
    """The layers of a model that is a stack of dense layers.

    Raises:
        BadArgument: for any other model, and for one that is not built.

    >>> from tinygrad_edu import nn
    >>> [(len(layer.kernel), len(layer.bias)) for layer in dense(nn.MLP(2, [3, 1]))]
    [(2, 3), (3, 1)]
    """
    layers: list[Dense] = []
    branches = hasattr(model, "layers") and not hasattr(model, "add")
    for layer in getattr(model, "layers", [model]):
        neurons = [layer] if hasattr(layer, "w") else getattr(layer, "neurons", [])
        if neurons:
            kernel = list(zip(*(neuron.w for neuron in neurons)))
            bias = [neuron.b for neuron in neurons]
            layers.append(Dense(kernel, bias, _named(neurons[0].activation)))
        elif getattr(layer, "kernel", None) and not branches:
            layers.append(Dense(layer.kernel, layer.bias, _named(layer.activation.of)))
        elif not hasattr(layer, "parameters") or layer.parameters() or branches:
            raise BadArgument(
                f'view="network" draws Sequential models of Dense layers, MLPs, Layers and '
                f"Neurons. Received: {short(repr(layer), 200)}."
            )
        elif layers and hasattr(layer, "of"):  # an activation as a layer of its own
            layers[-1] = layers[-1]._replace(activation=_named(layer.of))
    if not layers:
        raise BadArgument(
            f"There are no weights to draw. Received: {short(repr(model), 200)}. Build the model "
            f"first: model.build((inputs,))."
        )
    return layers


def _named(activation: Callable[..., Any]) -> str:
    name = getattr(activation, "name", getattr(activation, "__name__", "?"))
    return "linear" if name == "identity" else name


class Network(Drawing):
    """A picture of a model's neurons and weights; `draw` makes it for ``view="network"``."""

    def __init__(
        self, layers: list[Dense], *, title: str | None, theme: str, digits: Digits,
        direction: str, legend: bool,
    ) -> None:  # fmt: skip
        super().__init__(Graph(()), {}, [], {})
        self._layers, self._title, self._theme = layers, title, theme
        self._digits, self._direction, self._legend = digits, direction, legend
        self._colours = THEMES["light" if theme == "auto" else theme]
        self._sizes = [len(layers[0].kernel), *(len(layer.kernel[0]) for layer in layers)]
        weights = (w.data for layer in layers for row in layer.kernel for w in row)
        self._largest = largest(weights)

    @cached_property
    def source(self) -> str:
        return self._dot(self._colours)

    @cached_property
    def _svg(self) -> str:
        drawn = render(self._dot(marks()[0]), "svg").decode()
        label = ": ".join(filter(None, [self._title, self.text()]))
        style = stylesheet("auto") if self._theme == "auto" else ""
        return dress(drawn, {}, self._theme, self._colours, label, style=style)

    def text(self, limit: int = 60) -> str:
        """The layers in a line."""
        layers = [f"{len(layer.kernel[0])} {layer.activation}" for layer in self._layers]
        return legible(" → ".join([plural(self._sizes[0], "input"), *layers]))

    def __repr__(self) -> str:
        sizes = "-".join(map(str, self._sizes))
        return f'<Drawing of a {sizes} network: .svg(), .png(), .save("network.svg"), .text()>'

    def _dot(self, theme: Theme) -> str:
        return "\n".join(self._lines(theme)) + "\n"

    def _lines(self, theme: Theme) -> Iterator[str]:
        shown = [_shown(size) for size in self._sizes]
        tallest = max(map(len, shown))
        count = sum(len(a) * len(b) for a, b in pairwise(shown))
        yield 'digraph "neural network" {'
        yield "\tgraph [" + attributes(
            bgcolor=theme["paper"], fontname="Helvetica", label=self._heading(theme),
            labeljust="l", labelloc="t", nodesep=max(0.16, 0.9 - 0.1 * tallest),
            outputorder="edgesfirst", pad=0.25, rankdir=self._direction,
            ranksep=1.4 + 0.1 * tallest, splines="line",
        ) + "]"  # fmt: skip
        yield '\tnode [fixedsize="true" fontname="Helvetica" penwidth="1.4" width="0.7"]'
        yield '\tedge [arrowhead="none" fontname="Helvetica" labelangle="24" labeldistance="3.2"]'
        for depth, places in enumerate(shown):
            for place in places:
                yield f"{_id(depth, place)} [{self._neuron(depth, place, theme)}]"
            yield chained([_id(depth, place) for place in places])
        for depth, layer in enumerate(self._layers):
            for i, j in product(shown[depth], shown[depth + 1]):
                if i is not None and j is not None:
                    ends = f"{_id(depth, i)} -> {_id(depth + 1, j)}"
                    line = self._weight(layer.kernel[i][j].data, f"w{depth + 1}-{i + 1}-{j + 1}",
                                        theme, count <= LABELLED)  # fmt: skip
                    yield f"{ends} [{line}]"
        yield "}"

    def _neuron(self, depth: int, place: int | None, theme: Theme) -> str:
        """An input with its name, or a neuron with its activation and its bias."""
        id, size = _id(depth, place), self._sizes[depth]
        if place is None:
            label = font(f"… {size - NEURONS + 1:,} more", 9, theme["muted"])
            paper = theme["paper"]
            return attributes(label=Markup(label), id=id, shape="box", style="filled", color=paper,
                              fillcolor=paper, height=0.3)  # fmt: skip
        kind = "operation" if depth else "input"
        ink, layer = theme[f"{kind}-ink"], self._layers[depth - 1]
        name = layer.activation if depth else f"x{as_subscript(place + 1) if size > 1 else ''}"
        rows, tooltip = [font(short(name, 8), 10, ink, bold=True)], name
        if depth and layer.bias:
            b = layer.bias[place].data
            rows.append(font(f"b {signed(b, self._digits)}", 9, theme["muted"]))
            tooltip = f"{name}, b = {b!r}"
        return attributes(
            label=Markup(table(rows)), id=id, tooltip=tooltip, shape="circle", style="filled",
            color=theme[f"{kind}-line"], fillcolor=theme[kind], **{"class": f"value {kind}"},
        )  # fmt: skip

    def _weight(self, w: float, id: str, theme: Theme, labelled: bool) -> str:
        sign, _ = stroke(shade(w, self._largest))
        share = abs(w) / self._largest if self._largest and isfinite(w) else 1.0
        width = 4.6 if labelled else 2.6
        text = font(signed(w, self._digits), 9, theme["muted"])
        return attributes(
            id=id, color=theme[sign], penwidth=round(0.4 + width * share, 2), tooltip=f"w = {w!r}",
            **{"class": sign}, **({"taillabel": Markup(text)} if labelled else {}),
        )  # fmt: skip

    def _heading(self, theme: Theme) -> Markup:
        """The title and the legend."""
        rows = [font(short(self._title, 200), 14, theme["ink"], bold=True)] if self._title else []
        if self._legend:
            most = rounded(self._largest, self._digits)
            rule = f"a line: a weight, the wider the larger (up to {most})"
            rows.append(
                font(f"{rule};  ", 9, theme["muted"])
                + font("positive  ", 9, theme["positive"], bold=True)
                + font("negative", 9, theme["negative"], bold=True)
            )
        return Markup(table([*rows, " "], "LEFT") if rows else "")


def table(rows: Sequence[str], align: str = "CENTER") -> str:
    """Strings below each other, in an HTML-like label."""
    cells = "".join(f'<TR><TD ALIGN="{align}">{row}</TD></TR>' for row in rows)
    return f'<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="1">{cells}</TABLE>'


def _shown(size: int) -> list[int | None]:
    """The places of a layer that are drawn; None stands for those that are not."""
    return [*range(size)] if size <= NEURONS else [*range(NEURONS - 2), None, size - 1]


def _id(depth: int, place: int | None) -> str:
    return f"n{depth}_{'more' if place is None else place + 1}"
