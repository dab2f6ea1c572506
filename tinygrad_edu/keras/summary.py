"""A summary of a model, as a table that fits a terminal."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

from ..errors import BadArgument, check_whole
from ..nn.layers import Activation, Shape, ShapedLayer, Signal
from ..notebooks import table
from ..strings import clean, columns, plural
from ..trees import sizes
from .goals import Goal

if TYPE_CHECKING:
    from .models import Model

Row = list[str]


def summary(model: Model, line_length: int | None = None) -> str:
    """A table of the layers, and below it the facts about training.

    Shapes are those of one sample, as everywhere in this package: a batch is several samples, and
    its size is not part of a model. Keras writes ``(None, 3)`` for ``(3,)``. The number of
        parameters is shown with their shapes: ``2·3 + 3 = 9`` are 2·3 weights and 3 biases.

    Args:
        model: a model, built or not; the summary says what is missing.
        line_length: how many columns it may take, from 40; 80 if not given. Longer names are
            broken, none is cut.

    Raises:
        BadArgument: for another line_length.

    >>> from tinygrad_edu import keras
    >>> layers = [keras.layers.Dense(3, "tanh", input_shape=[2]), keras.layers.Dense(1)]
    >>> model = keras.Sequential(layers, name="houses")
    >>> model.compile("adam", "mse")
    >>> print(summary(model))
    Sequential "houses", for samples of shape (2,)
    ┌─────────────────┬────────────┬──────────────┬─────────────┐
    │ Layer (type)    │ Activation │ Output shape │  Parameters │
    ├─────────────────┼────────────┼──────────────┼─────────────┤
    │ dense (Dense)   │ tanh       │ (3,)         │ 2·3 + 3 = 9 │
    │ dense_1 (Dense) │ linear     │ (1,)         │ 3·1 + 1 = 4 │
    └─────────────────┴────────────┴──────────────┴─────────────┘
     Parameters   13, all trainable
     Optimizer    Adam(learning_rate=0.001), which remembers 39 numbers
     Loss         mean_squared_error
    """
    width = 80 if line_length is None else line_length
    width = check_whole("line_length", width, 40)
    texts = [
        *_broken(_title(model), width),
        *(_table(_rows(model), width) if model.layers else []),
        *(line for name, said in _facts(model) for line in _fact(name, said, width)),
    ]
    return "\n".join(texts)


def as_html(model: Model) -> str:
    """The same as HTML, for notebooks; every text is escaped.

    >>> from tinygrad_edu import keras
    >>> as_html(keras.Sequential([keras.layers.Dense(3, input_shape=[2])], name="<houses>"))
    '<p><b>Sequential &quot;&lt;houses&gt;&quot;, for samples of shape (2,)</b></p><table>...'
    """
    heads, *rows = _rows(model)
    facts = [f"<b>{name}</b> {escape(clean(said))}" for name, said in _facts(model)]
    layers = table(heads, rows) if rows else ""
    return f"<p><b>{escape(_title(model))}</b></p>{layers}<p>{'<br>'.join(facts)}</p>"


def _title(model: Model) -> str:
    title = f'{type(model).__name__} "{clean(str(model.name))}"'
    if not model.built:
        return f"{title}, not built yet"
    shapes = [signal.shape for signal in model._inputs]
    return f"{title}, for samples of shape {' and '.join(map(str, shapes))}"


# ── Rows ──────────────────────────────────────────────────────────────────────────────────


def _rows(model: Model) -> list[Row]:
    """The cells of the table, heads first; without columns that would be empty."""
    heads = ["Layer (type)", "Activation", "Output shape", "Parameters", "Connected to"]
    branching = model.built and model.branching
    names = _input_names(model) if branching else {}
    rows = [
        [f"{names[id(signal)]} (input)", "", str(signal.shape), "", ""]
        for signal in model._inputs
        if branching
    ]
    for layer in model.layers:
        built = layer.built and model.built
        rows.append(
            [
                f"{clean(layer.name)} ({_kind(layer)})",
                _activation(layer),
                str(layer.output_shape) if built else "?",
                _counted(layer) if built else "?",
                _sources(model, layer, names) if branching else "",
            ]
        )
    kept = [any(cells) for cells in zip(*rows)]
    return [[cell for cell, keep in zip(row, kept) if keep] for row in [heads, *rows]]


def _kind(layer: ShapedLayer) -> str:
    return clean(type(layer).__name__) + ("" if layer.trainable else ", frozen")


def _activation(layer: ShapedLayer) -> str:
    activation = getattr(layer, "activation", layer)
    if not isinstance(activation, Activation):
        return ""
    try:
        return activation.called()
    except BadArgument:  # a user-defined one
        return clean(getattr(activation.of, "__name__", type(activation.of).__name__))


def _counted(layer: ShapedLayer) -> str:
    """The number of weights, and the shapes that it comes from."""
    shapes: list[Shape] = list(map(sizes, layer.weight_values()))
    count = f"{len(layer.parameters()):,}"
    if not shapes or shapes == [(1,)]:
        return count
    return f"{' + '.join('·'.join(map(str, shape)) for shape in shapes)} = {count}"


def _input_names(model: Model) -> dict[int, str]:
    """A name for each input, by its identity, which differs from those of the layers."""
    taken = {layer.name for layer in model.layers}
    names: dict[int, str] = {}
    for signal, (name, *_) in zip(model._inputs, model.ports or ()):
        while name in taken:
            name += "′"
        taken.add(name)
        names[id(signal)] = clean(name)
    return names


def _sources(model: Model, layer: ShapedLayer, names: dict[int, str]) -> str:
    """Where a layer's inputs come from; several times, if it is called several times."""

    def source(signal: Signal) -> str:
        return names[id(signal)] if signal.layer is None else clean(signal.layer.name)

    calls = [signal for signal in model._order if signal.layer is layer]
    return "; ".join(", ".join(map(source, call.inputs)) for call in calls)


# ── Facts ─────────────────────────────────────────────────────────────────────────────────


def _facts(model: Model) -> list[tuple[str, str]]:
    """The facts below the table."""
    facts = []
    if not model.layers:
        facts.append(("Missing", "any layer: call model.add(keras.layers.Dense(1))"))
    elif not model.built:
        facts.append(
            (
                "Missing",
                "the shape of a sample, from which the weights follow. Call model.build((n,)) for "
                "n numbers, give the first layer input_shape=(n,), or fit: data tell it, too",
            )
        )
    trained = len({id(v) for variable in model._variables() for v in variable})
    if model.built:
        every = model.count_params()
        frozen = f": {trained:,} trainable, {every - trained:,} frozen"
        facts.append(("Parameters", f"{every:,}{frozen if trained < every else ', all trainable'}"))
    if model.optimizer is not None:
        kept = sum(map(len, model.optimizer.memory))
        if model.optimizer.parameters is None:  # before the first step
            kept = trained * len(model.optimizer.start())
        memory = f", which remembers {plural(kept, 'number')}" if model.built and kept else ""
        facts.append(("Optimizer", f"{model.optimizer!r}{memory}"))
        facts.append(("Loss", _losses(model.goals)))
    if model.measures:
        facts.append(("Metrics", ", ".join(model.measures)))
    return facts


def _losses(goals: Sequence[Goal]) -> str:
    """The names of the losses with their factors, and of several outputs theirs.

    >>> from tinygrad_edu.nn import Loss
    >>> _losses([Goal("price", Loss("mse"), 0.5), Goal("sold", None)])
    'price: 0.5 · mean_squared_error; sold: none'
    """
    said = []
    for name, loss, factor in goals:
        scaled = f"{factor:g} · " if factor != 1.0 and loss is not None else ""
        output = f"{name}: " if len(goals) > 1 else ""
        said.append(f"{output}{scaled}{loss.name if loss is not None else 'none'}")
    return "; ".join(said) or "none"


def _fact(name: str, said: str, width: int) -> list[str]:
    first, *rest = _broken(clean(said), width - 14)
    return [f" {name:<12} {first}", *(f"{'':14}{line}" for line in rest)]


# ── Drawing the table ─────────────────────────────────────────────────────────────────────


def _table(rows: Sequence[Row], width: int) -> list[str]:
    """The rows in a frame of at most this width, heads first; numbers are aligned to the right."""
    widths = _widths(rows, width)
    right = [head == "Parameters" for head in rows[0]]

    def rule(left: str, middle: str, end: str) -> str:
        return left + middle.join("─" * (w + 2) for w in widths) + end

    def lines(row: Row) -> list[str]:
        broken = [_broken(cell, w) for cell, w in zip(row, widths)]
        filled = []
        for i in range(max(map(len, broken))):
            parts = [cell[i] if i < len(cell) else "" for cell in broken]
            blanks = [" " * (w - columns(part)) for part, w in zip(parts, widths)]
            cells = [b + p if r else p + b for p, b, r in zip(parts, blanks, right)]
            filled.append(f"│ {' │ '.join(cells)} │")
        return filled

    heads, *body = map(lines, rows)
    between = [rule("├", "┼", "┤")]
    crowded = any(len(row) > 1 for row in body)  # then it needs rules to tell the rows apart
    inside = [line for row in body for line in ([*between, *row] if crowded else row)]
    inside = inside if crowded else [*between, *inside]
    return [rule("┌", "┬", "┐"), *heads, *inside, rule("└", "┴", "┘")]


def _widths(rows: Sequence[Row], width: int) -> list[int]:
    """How wide each column is; the columns of names give way first, then the widest."""
    widths = [max(map(columns, cells)) for cells in zip(*rows)]
    names = [i for i, head in enumerate(rows[0]) if head in ("Layer (type)", "Connected to")]
    while sum(widths) + 3 * len(widths) + 1 > width:
        wide = [i for i in names if widths[i] > 12] or range(len(widths))
        widths[max(wide, key=widths.__getitem__)] -= 1
    return widths


def _broken(text: str, width: int) -> list[str]:
    """A text in lines of so many columns: broken after words, long names after a part, else
    anywhere."""
    pieces = []
    for word in re.findall(r"[^ ]+ *| +", text):
        fits = columns(word.rstrip(" ")) <= width
        pieces += [word] if fits else re.findall(r"[^_]+_*|_+", word)
    lines = [""]
    for piece in pieces:
        if lines[-1] and columns(lines[-1] + piece.rstrip(" ")) > width:
            lines.append("")
        for letter in piece:
            if columns(lines[-1] + letter.strip(" ")) > width:
                lines.append("")
            lines[-1] += letter
    return [line.rstrip(" ") for line in lines]
