"""Plots: curves, bowls, regions, rows of the table.

    plots.loss(history)                         the loss over the epochs
    plots.fitted(model, x, y)                   the fitted line over the points
    plots.bowl(model, x, y, path=recorded)      the loss over two weights, and the path through it
    plots.regions(model, x, y)                  the regions of a classifier of two inputs
    plots.operation("tanh")                     an operation and its derivative

Each returns matplotlib's Axes, which you can label (``ax.set_xlabel("flats")``) or save
(``ax.figure.savefig("loss.png")``), and accepts an ``ax=`` to draw on. Notebooks display the Axes.
No window is opened, and of matplotlib's global state only settings change, while an SVG is written.

Needs matplotlib: ``pip install 'tinygrad-edu[plots]'``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import pairwise, repeat
from math import floor, inf, isfinite, nan, nextafter
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from ..core.calculus import gradients
from ..core.graph import tape
from ..core.modes import no_grad
from ..core.table import TABLE, Op, number
from ..core.value import Value, plain
from ..errors import BadArgument, GraphError, NotANumber, check_name, check_whole
from ..strings import plural
from ..trees import flatten
from .axes import (
    FONT,
    Point,
    begin,
    cycle,
    extent,
    interval,
    legend,
    literal,
    say,
    span,
    steps,
    svg,
    window,
    written,
)  # fmt: skip
from .themes import Theme

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["bowl", "fitted", "loss", "operation", "regions", "svg"]

_WORK: Final = 10_000_000  # nodes × points that a bowl may cost: about a second
_RINGS: Final = 7  # contours of a bowl, each a quarter as high as the next
_MARKS: Final = "osD^vP"


# ── The loss over the epochs ──────────────────────────────────────────────────────────────


def loss(
    history: Any,
    *,
    log: bool | None = None,
    title: str | None = None,
    theme: str = "light",
    ax: Axes | None = None,
) -> Axes:
    """Plot the loss over the epochs, with the validation loss and the best epoch of each run.

    Args:
        history: the result of fit; or a list of losses, one for each epoch; or a dict of several of
            these by name, to compare runs.
        log: whether the axis is logarithmic. None: if the losses span more than two powers of ten.
            A loss of 0 can't be shown on such an axis and is left out.
        title: a line above the plot.
        theme: "light" or "dark".
        ax: the Axes to draw on; a new figure if not given.

    The best epoch is the one with the smallest validation loss, or without validation the smallest
    loss. If some epochs have no validation loss, it is left out, as its epochs are unknown.

    Raises:
        BadArgument: if there is no finite loss to show.
        MissingExtra: without matplotlib.

    >>> ax = loss({"rate 0.01": [9.0, 4.0, 1.0], "rate 0.02": [9.0, 1.0, 0.5]})
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['rate 0.01', 'rate 0.02']
    """
    runs = _runs(history)
    drawn = [y for run in runs.values() for ys in run.losses.values() for y in ys if isfinite(y)]
    if not drawn:
        raise BadArgument(f"There is no finite loss to show. Received: {history!r}.")
    ax, look = begin(ax, theme, title)
    from matplotlib.ticker import MaxNLocator

    low, high = extent(drawn)
    positive = [y for y in drawn if y > 0.0]
    if log or (log is None and low >= 0.0 and high > 100.0 * min(positive, default=1)):
        ax.set_yscale("log", nonpositive="mask")
        ax.minorticks_off()
    for (name, run), colour in zip(runs.items(), cycle(look)):
        for kind, ys in run.losses.items():
            ax.plot(
                range(run.first, run.first + len(ys)), ys, "--" if kind == "val_loss" else "-",
                color=colour, linewidth=1.8, marker="o" if len(ys) == 1 else "",
                label=f"{name}, {kind}" if name and len(run.losses) > 1 else name or kind,
            )  # fmt: skip
        watched = list(run.losses.values())[-1]
        epoch, best = min(enumerate(watched), key=lambda at: at[1] if isfinite(at[1]) else inf)
        place = (run.first + epoch, best)
        ax.plot(*place, "o", color=colour, label=f"_best of {name}", zorder=3)
        if len(runs) == 1:
            side = "right" if epoch > len(watched) / 2 else "left"
            say(ax, look, f"best: {written(best)} in epoch {written(place[0])}", place,
                 (0, -14), side)  # fmt: skip
    ax.margins(y=0.15)
    ax.set(xlabel="epoch", ylabel="loss")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1, steps=[1, 2, 5, 10]))
    if len(ax.get_legend_handles_labels()[1]) > 1:
        legend(ax, look)
    return ax


class _Run(NamedTuple):
    """The losses of one training by name, and the number of its first epoch."""

    first: int
    losses: dict[str, list[float]]


def _runs(history: Any) -> dict[str, _Run]:
    """The trainings by name; a single one has none."""
    losses = getattr(history, "history", history)
    first = next(iter(getattr(history, "epoch", [])), 0) + 1
    if not isinstance(losses, Mapping):
        return {"": _Run(1, {"loss": _losses(losses)})}
    if losses is not history and "loss" not in losses:
        raise BadArgument(f"There is no loss to show. Received: {history!r}.")
    if "loss" not in losses or isinstance(losses["loss"], Mapping):
        return {literal(str(name)): _runs(run)[""] for name, run in losses.items()}
    lists = {name: _losses(losses[name]) for name in ("loss", "val_loss") if name in losses}
    if len(lists.get("val_loss", lists["loss"])) != len(lists["loss"]):
        del lists["val_loss"]
    return {"": _Run(first, lists)}


def _losses(losses: Any) -> list[float]:
    if isinstance(losses, (str, Mapping)) or not hasattr(losses, "__iter__"):
        raise NotANumber(
            f"The losses of a plot must be the result of fit, a list with one for each epoch, or "
            f"a dict of these by name. Received: {losses!r}."
        )
    numbers = list(map(plain, losses))
    if not numbers:
        raise BadArgument("There is no loss to show. Received: an empty list.")
    return [y if isfinite(y) else nan for y in numbers]  # which leaves a gap


# ── The fitted line over the points ───────────────────────────────────────────────────────


def fitted(
    model: Any,
    x: Any,
    y: Any,
    *,
    title: str | None = None,
    theme: str = "light",
    ax: Axes | None = None,
) -> Axes:
    """Plot the predictions of a model of one input, as a line over the points it was fitted to.

    The thin lines from the points are the errors; the mean squared error is the mean of their
    squares. The model does not change.

    Args:
        model: a model with a ``predict``, or a function of one number.
        x, y: the inputs and the targets, one number each.
        title, theme, ax: as for `loss`.

    Raises:
        BadArgument: if x and y differ in length, or have more than one number each.
        MissingExtra: without matplotlib.

    >>> ax = fitted(lambda x: 2.0 * x, [1.0, 2.0, 3.0], [2.0, 5.0, 6.0])
    >>> [round(float(y), 9) for y in ax.lines[0].get_ydata()][::200]
    [1.8, 6.2]
    """
    xs = [row[0] for row in _rows(x, 1, "x")]
    ys = [row[0] for row in _rows(y, 1, "y")]
    if len(xs) != len(ys):
        raise BadArgument(f"Each input needs one target. Received: {len(xs)} of x, {len(ys)} of y.")
    ax, look = begin(ax, theme, title)
    at = steps(*span(xs, 0.05), 201)
    rows = _answers(model, [[x] for x in [*at, *xs]], 1)
    if any(len(row) != 1 for row in rows):
        raise BadArgument(
            f"A line needs a model with one output. Received: {len(rows[0])} outputs."
        )
    answers = [row[0] for row in rows]
    extent([*ys, *answers])
    line, here = answers[: len(at)], answers[len(at) :]
    ax.plot(at, line, color=look["positive"], linewidth=1.8, label=_formula(model), zorder=2)
    if len(xs) <= 200:
        ax.vlines(xs, ys, here, color=look["muted"], linewidth=0.9, label="errors", zorder=1)
    ax.plot(
        xs, ys, "o", color=look["input-line"], markersize=6.5 if len(xs) <= 200 else 2.5,
        label="data", zorder=3,
    )  # fmt: skip
    ax.set(xlabel="x", ylabel="y")
    legend(ax, look)
    return ax


def _formula(model: Any) -> str:
    """The label of the line: the model, with its numbers if there are two."""
    parameters = model.parameters() if hasattr(model, "parameters") else []
    if len(parameters) != 2 or not all(isinstance(p, Value) and p.name for p in parameters):
        return "model"
    return "model: " + ", ".join(f"{literal(p.name)} = {written(p.data, 5)}" for p in parameters)


# ── The bowl of the loss, and the way through it ──────────────────────────────────────────


def bowl(
    model: Any,
    x: Any = None,
    y: Any = None,
    *,
    parameters: Sequence[Value] | None = None,
    path: Any = None,
    limits: tuple[Point, Point] | None = None,
    title: str | None = None,
    theme: str = "light",
    ax: Axes | None = None,
) -> Axes:
    """Plot the loss over two of its parameters, as a map, with the path of the training.

    Each contour is a quarter as high as the next, measured from the lowest point, so in a round
    bowl each is half as wide, and a narrow valley is visible. The recorded loss is evaluated again
    for each point of the map, without changing any weight of the model. It is one fixed expression:
    a branch that plain Python took when it was recorded stays taken.

    Args:
        model: a keras model, whose loss on ``x, y`` is plotted; or any recorded loss.
        x, y: the samples; nothing for a recorded loss.
        parameters: the two to vary, horizontally and vertically. None: those of the model, if there
            are two.
        path: the points of the training: a WeightHistory, or pairs of numbers.
        limits: ``((left, right), (bottom, top))``. None: around the path, the current parameters,
            and the minimum of the local parabola (Newton's step).
        title, theme, ax: as for `loss`.

    Raises:
        BadArgument: if the parameters are not two leaves of the loss.
        StaleGraph: if a leaf has changed since the loss was recorded.
        MissingExtra: without matplotlib.

    >>> w, b = Value(1.0, name="w"), Value(0.0, name="b")
    >>> ax = bowl((3.0 * w + b - 1.0) ** 2 + w * w, parameters=(w, b), path=[(0, 0), (1, 0)])
    >>> ax.get_xlabel(), ax.get_ylabel()
    ('w', 'b')
    """
    height = _recorded(model, x, y)
    across, up = chosen = _two(model, height, parameters)
    places = _path(model, chosen, path)
    lowest = _newton(height, chosen)
    seen = [*places, (across.data, up.data), *([lowest] if lowest else [])]
    (left, right), (bottom, top) = window(limits, seen, 0.3)
    nodes = _moved(height, chosen)
    n = min(121, max(25, floor((_WORK / len(nodes)) ** 0.5)))
    columns, rows = steps(left, right, n), steps(bottom, top, n)
    heights = [_over(nodes, {across: columns, up: [row] * n}) for row in rows]

    ax, look = begin(ax, theme, title)
    _contours(ax, look, columns, rows, heights)
    if places:
        _walk(ax, look, places, (left, right), (bottom, top))
    else:
        ax.plot(across.data, up.data, "o", color=look["positive"], label="now", zorder=4)
    if lowest and left <= lowest[0] <= right and bottom <= lowest[1] <= top:
        ax.plot(
            *lowest, "+", color=look["ink"], markersize=11, markeredgewidth=1.6, label="minimum"
        )
    names = literal(across.name or "w"), literal(up.name or "b")
    ax.set(xlim=(left, right), ylim=(bottom, top), xlabel=names[0], ylabel=names[1])
    ax.grid(False)
    legend(ax, look)
    return ax


def _recorded(model: Any, x: Any, y: Any) -> Value:
    """The recorded loss, of the model or as given."""
    if isinstance(model, Value):
        if x is not None or y is not None:
            raise BadArgument(
                "A recorded loss already contains its samples. Received: x or y as well."
            )
        return model
    if not hasattr(model, "loss_graph"):
        raise GraphError(
            f"A bowl needs a keras model with x and y, or a recorded loss. Received: {model!r}."
        )
    loss: Value = model.loss_graph(x, y)
    return loss


def _two(model: Any, loss: Value, parameters: Sequence[Value] | None) -> tuple[Value, Value]:
    """The two leaves to vary."""
    if parameters is None:
        parameters = [] if isinstance(model, Value) else model.parameters()
        if len(parameters) != 2:
            raise BadArgument(
                f"A bowl has two axes: choose them with parameters=(w, b). "
                f"Received: none, and {plural(len(parameters), 'parameter')} to choose from."
            )
    leaves = {value for value in tape(loss) if value.op is None}
    chosen = list(parameters)
    if len(set(chosen)) != 2 or len(chosen) != 2 or not leaves.issuperset(chosen):
        raise BadArgument(
            f"The parameters of a bowl must be two different leaves of the loss. "
            f"Received: {chosen!r}."
        )
    return chosen[0], chosen[1]


def _path(model: Any, chosen: tuple[Value, Value], path: Any) -> list[Point]:
    """The points of the path as pairs: of all recorded weights, the two that are shown."""
    if path is None:
        return []
    recorded = getattr(path, "epochs", path)
    if not all(hasattr(row, "__iter__") for row in getattr(recorded, "__iter__", lambda: [0])()):
        raise BadArgument(
            f"A path must be a WeightHistory, or pairs of numbers. Received: {path!r}."
        )
    rows = [[number(x) for x in row] for row in recorded]
    of_model = hasattr(path, "epochs") and not isinstance(model, Value)
    weights = model.parameters() if of_model else list(chosen)
    where = {id(weight): i for i, weight in enumerate(weights)}
    if any(len(row) != len(weights) for row in rows) or not where.keys() >= set(map(id, chosen)):
        raise BadArgument(
            f"A path must be the WeightHistory of this model, or pairs of numbers. "
            f"Received: points of {len(rows[0])} numbers."
        )
    i, j = (where[id(parameter)] for parameter in chosen)
    return [(row[i], row[j]) for row in rows if isfinite(row[i]) and isfinite(row[j])]


def _newton(loss: Value, chosen: tuple[Value, Value]) -> Point | None:
    """The minimum of the local parabola of the loss, None if there is none."""
    slopes = gradients(loss, list(chosen))
    (aa, ab), (_, bb) = [[h.data for h in gradients(slope, list(chosen))] for slope in slopes]
    ga, gb = (slope.data for slope in slopes)
    steepness = aa * bb - ab * ab
    if not (aa > 0.0 and steepness > 1e-12 * aa * bb):
        return None
    minimum = (
        chosen[0].data - (bb * ga - ab * gb) / steepness,
        chosen[1].data - (aa * gb - ab * ga) / steepness,
    )
    return minimum if isfinite(minimum[0]) and isfinite(minimum[1]) else None


def _moved(loss: Value, leaves: Sequence[Value]) -> list[Value]:
    """The nodes that depend on some leaves, oldest first; also through `stop_gradient`."""
    moved = dict.fromkeys(leaves)
    for node in tape(loss):
        if any(type(arg) is not float and arg in moved for arg in node.args):
            moved[node] = None
    return list(moved)[len(leaves) :]


def _over(nodes: Sequence[Value], lanes: Mapping[Value, Sequence[float]]) -> list[float]:
    """The last of some nodes at many numbers of the leaves that move them: each row of the table
    over whole lists.

    >>> x = Value(2.0)
    >>> square = x * x
    >>> _over([square, square + 1.0], {x: [0.0, 1.0, 2.0]})
    [1.0, 2.0, 5.0]
    """
    lane_of = dict(lanes)
    for node in nodes:
        assert node.op is not None
        columns = [
            repeat(arg) if type(arg) is float else lane_of.get(arg) or repeat(arg.data)
            for arg in node.args
        ]
        try:
            lane_of[node] = list(map(node.op.value, *columns))
        except (ArithmeticError, ValueError):
            lane_of[node] = list(map(node.op.compute, *columns))
    return list(lane_of[nodes[-1]])


def _contours(
    ax: Axes,
    look: Theme,
    columns: list[float],
    rows: list[float],
    heights: list[list[float]],
) -> None:
    finite = [h for row in heights for h in row if isfinite(h)]
    if not finite or not max(finite) > min(finite):
        return  # a plain, or nothing
    from matplotlib.colors import LinearSegmentedColormap
    from numpy import ma

    low, top = min(finite), max(finite)
    rings = [low + (top - low) * 0.25**k for k in range(_RINGS - 1, 0, -1)]
    masked = ma.masked_invalid(heights)
    depths = [look["paper"], look["input"], look["box-line"]]  # from the valley upwards
    sea = LinearSegmentedColormap.from_list("bowl", depths, _RINGS)
    ax.contourf(
        columns, rows, masked, [low, *rings, top], colors=[sea(k) for k in range(_RINGS)], zorder=0
    )
    lines = ax.contour(columns, rows, masked, rings, colors=look["idle"], linewidths=0.7, zorder=1)
    labels = ax.clabel(
        lines, rings[1::2], fmt=partial(written, digits=2), fontsize=7.5, colors=look["muted"]
    )
    for text in labels:
        text.set_fontfamily(FONT)


def _walk(ax: Axes, look: Theme, places: list[Point], across: Point, up: Point) -> None:
    """The path, labelled at the epochs 1, 10, 100, … and the last, if there is room."""
    ax.plot(*zip(*places), ".-", color=look["positive"], markersize=4.5, linewidth=1.4,
            label="path of training", zorder=3)  # fmt: skip
    ax.plot(*places[0], "o", color=look["paper"], markeredgecolor=look["positive"], zorder=4)
    ax.plot(*places[-1], "o", color=look["positive"], zorder=4)
    width, height = across[1] - across[0], up[1] - up[0]
    last = len(places) - 1
    labelled: list[Point] = []
    for epoch in [0, last, *(10**k for k in range(9) if 10**k < last)]:
        x, y = places[epoch]
        if all(abs(x - a) > 0.12 * width or abs(y - b) > 0.06 * height for a, b in labelled):
            labelled.append((x, y))
            then = places[min(epoch + 1, last)]
            rising = (then[0] - x) * (then[1] - y) > 0.0  # then there is room below the path
            label = "start" if epoch == 0 else f"epoch {written(epoch)}"
            say(ax, look, label, (x, y), (7, -11 if rising else 4), "left")


# ── The regions of a classifier ───────────────────────────────────────────────────────────


def regions(
    model: Any,
    x: Any = None,
    y: Any = None,
    *,
    threshold: float | None = None,
    limits: tuple[Point, Point] | None = None,
    resolution: int = 64,
    title: str | None = None,
    theme: str = "light",
    ax: Axes | None = None,
) -> Axes:
    """Plot the regions of a classifier in the plane of its two inputs, with the samples.

    A model with one output separates two classes by a threshold; the deeper the colour, the farther
    the output is from it. With several outputs, the largest one decides. Misclassified samples are
    ringed. The model does not change.

    Args:
        model: a model with a ``predict``, or a function of a list of two numbers.
        x: the samples, two numbers each.
        y: their classes: two numbers such as 0 and 1 or −1 and 1 if the model has one output;
            else the number of the output, or one-hot rows.
        threshold: of a single output. None: halfway between the two numbers of y, else 0.5.
        limits: ``((left, right), (bottom, top))``. None: around the samples.
        resolution: the number of points in each direction at which the model is evaluated.
        title, theme, ax: as for `loss`.

    Raises:
        BadArgument: without samples and limits; if x is not pairs; if the classes don't match the
            model's outputs.
        MissingExtra: without matplotlib.

    >>> square = [[-1.0, -1.0], [-1.0, 1.0], [1.0, -1.0], [1.0, 1.0]]
    >>> ax = regions(lambda x: x[0] * x[1], square, [1, -1, -1, 1], resolution=9)
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['class −1', 'class 1']
    """
    points = [] if x is None else [(row[0], row[1]) for row in _rows(x, 2, "x")]
    if not points and limits is None:
        raise BadArgument("The regions need samples or limits. Received: neither x nor limits.")
    resolution = check_whole("resolution", resolution, 2)
    (left, right), (bottom, top) = window(limits, points, 0.12)
    columns, rows = steps(left, right, resolution), steps(bottom, top, resolution)
    grid = [[a, b] for b in rows for a in columns]
    answers = _answers(model, [*grid, *map(list, points)], 2)
    outputs = len(answers[0])
    labels, names, threshold = _classes(y, len(points), outputs, threshold)

    # The lead of each class over the threshold, or over the best of the others.
    if outputs == 1:
        leads = [[threshold - one, one - threshold] for (one,) in answers]
    else:
        leads = [
            [a - max(answer[:k] + answer[k + 1 :]) for k, a in enumerate(answer)]
            for answer in answers
        ]
    ax, look = begin(ax, theme, title)
    _fields(ax, look, columns, rows, leads[: resolution**2])
    _samples(ax, look, points, labels, names, leads[resolution**2 :])
    ax.set(xlim=(left, right), ylim=(bottom, top), xlabel="x₁", ylabel="x₂")
    ax.grid(False)
    if labels:
        legend(ax, look)
    return ax


def _classes(
    y: Any, count: int, outputs: int, threshold: float | None
) -> tuple[list[int], list[str], float]:
    """The number of each sample's class, the names of the classes, and the threshold."""
    if threshold is not None:
        threshold = number(threshold)
    if y is None:
        return [], [], 0.5 if threshold is None else threshold
    rows = _rows(y, None, "y")
    if len(rows) != count:
        raise BadArgument(f"Each sample needs a class. Received: {count} of x, {len(rows)} of y.")
    if outputs > 1 and all(len(row) == outputs for row in rows):  # one-hot
        rows = [[float(row.index(max(row)))] for row in rows]
    flat = [row[0] for row in rows if len(row) == 1]
    classes = sorted(set(flat))
    if outputs == 1 and len(flat) == count and len(classes) <= 2:
        between = sum(classes) / 2 if len(classes) == 2 else 0.5  # the labels, not the outputs
        labels = [int(x > between) for x in flat]
        return labels, _named(classes, between), between if threshold is None else threshold
    if outputs > 1 and len(flat) == count and all(0 <= x < outputs and x % 1 == 0 for x in classes):
        return [int(x) for x in flat], list(map(str, range(outputs))), 0.5
    wanted = "one of two numbers" if outputs == 1 else f"one of 0 to {outputs - 1}, or one-hot rows"
    raise BadArgument(
        f"The model has {plural(outputs, 'output')}, so the class of a sample must be {wanted}. "
        f"Received: {', '.join(map(written, classes[:6])) or 'rows of numbers'}"
        f"{', …' if len(classes) > 6 else ''}."
    )


def _named(classes: list[float], between: float) -> list[str]:
    """The names of the classes below and above the threshold."""
    sides = [[x for x in classes if (x > between) == above] for above in (False, True)]
    return [", ".join(map(written, side)) for side in sides]


def _fields(
    ax: Axes, look: Theme, columns: list[float], rows: list[float], leads: list[list[float]]
) -> None:
    """Each class's region in its colour, and the borders between them."""
    from matplotlib.colors import LinearSegmentedColormap
    from numpy import array, isfinite

    field = array(leads).reshape(len(rows), len(columns), -1)
    for k, colour in zip(range(field.shape[2]), cycle(look)):
        lead = field[:, :, k]
        most = lead[isfinite(lead)].max(initial=0.0)
        if not most > 0.0:
            continue  # it is predicted nowhere
        shades = LinearSegmentedColormap.from_list("field", [look["paper"], colour])
        depth = (0.12, 0.2, 0.28, 0.36, 0.44) if field.shape[2] == 2 else (0.3,)
        levels = [most * i / len(depth) for i in range(len(depth) + 1)]
        ax.contourf(columns, rows, lead, levels, colors=list(map(shades, depth)), zorder=0)
        if (lead < 0.0).any():
            ax.contour(columns, rows, lead, [0.0], colors=look["ink"], linewidths=1.1, zorder=1)


def _samples(
    ax: Axes,
    look: Theme,
    points: list[Point],
    labels: list[int],
    names: list[str],
    leads: list[list[float]],
) -> None:
    """The samples, each class with its colour and mark; misclassified ones are ringed."""
    if not labels and points:
        ax.plot(*zip(*points), "o", color=look["ink"], markersize=5, zorder=3)
    for k, (name, colour, mark) in enumerate(zip(names, cycle(look), _MARKS * len(names))):
        mine = [point for point, label in zip(points, labels) if label == k]
        if mine:
            ax.plot(
                *zip(*mine), mark, color=colour, markeredgecolor=look["paper"], markersize=6.5,
                label=f"class {name}", zorder=3,
            )  # fmt: skip
    wrong = [
        point for point, label, lead in zip(points, labels, leads) if lead.index(max(lead)) != label
    ]
    if wrong:
        ax.plot(
            *zip(*wrong), "o", markerfacecolor="none", markeredgecolor=look["nan"],
            markersize=11, markeredgewidth=1.3, label=f"wrong: {len(wrong)} of {len(points)}",
            zorder=4,
        )  # fmt: skip


# ── Rows of the table ─────────────────────────────────────────────────────────────────────


def operation(
    *rows: str | Op,
    limits: Point = (-4.0, 4.0),
    title: str | None = None,
    theme: str = "light",
    ax: Axes | None = None,
) -> Axes:
    """Plot operations and their derivatives, both from the table of operations.

    The derivative is dashed. Both end at the border of the operation's domain. At a kink the dot is
    the derivative that the engine returns: of all slopes between those of the two sides, the one
    nearest to 0.

    Args:
        *rows: names or rows of one argument, such as "tanh" or tg.relu; further arguments
            take their defaults.
        limits: the range of x; reduced if the operations have a smaller domain.
        title, theme, ax: as for `loss`.

    Raises:
        NameUnknown: with the nearest known name.
        BadArgument: for a row that needs several arguments; for limits that are not an interval.
        MissingExtra: without matplotlib.

    >>> ax = operation("relu")
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['relu(x)', 'relu′(x)']
    """
    chosen = [_unary(row) for row in rows]
    if not chosen:
        raise BadArgument('Name an operation, such as "tanh". Received: none.')
    low, high = interval("limits", limits)
    low, high = _inside(chosen, low, high)
    ax, look = begin(ax, theme, title)
    reach = 0.55 * (high - low)
    seen: list[float] = []
    for row, colour in zip(chosen, cycle(look)):
        kinks, ends = (_changes(label, row, low, high) for label in (row.kinks, row.domain))
        beside = [x for kink in kinks for x in (kink - 1e-9, kink + 1e-9)]
        xs = sorted([*steps(low, high, 801), *beside, *ends])
        dashed = colour if len(chosen) > 1 else look["positive"]
        for which, (style, shade, label) in enumerate(
            [("-", colour, f"{row.name}(x)"), ("--", dashed, f"{row.name}′(x)")]
        ):
            ys = [_local(row, x)[which] for x in xs]
            if not any(map(isfinite, ys)):
                continue  # no gradient flows through this one
            if which == 1 and len(chosen) > 1:
                label = f"_{label}"  # which the legend ignores
            ax.plot(*_torn(xs, ys, 2.0 * reach), style, color=shade, linewidth=1.8, label=label,
                    zorder=2)  # fmt: skip
            ax.plot(
                kinks, [_local(row, x)[which] for x in kinks], "o", color=shade, markersize=5,
                label=f"_kinks of {label}", zorder=3,
            )  # fmt: skip
            seen += filter(isfinite, ys)
    heights = span([y for y in seen if abs(y) <= reach] or [0.0], 0.08)
    ax.set(xlim=(low, high), ylim=heights, xlabel="x")
    for draw in (ax.axhline, ax.axvline):
        draw(0.0, color=look["idle"], linewidth=0.8, zorder=0)
    legend(ax, look, "dashed: the derivatives" if len(chosen) > 1 else None)
    return ax


def _unary(row: str | Op) -> Op:
    if isinstance(row, str):
        check_name("operation", row, TABLE)
        row = TABLE[row]
    if not isinstance(row, Op):
        raise BadArgument(
            f'An operation must be a name or a row, such as "tanh". Received: {row!r}.'
        )
    if row.arity is None or row.arity - len(row.defaults) > 1:
        raise BadArgument(f"Only operations of one argument can be plotted. Received: {row!r}.")
    return row


def _local(row: Op, x: float) -> Point:
    """The value and the derivative at x; nan outside of the domain."""
    args = [x, *row.defaults]
    out = row.compute(*args)
    if row.domain is not None and not row.domain(*args):
        return (out if isfinite(out) else nan), nan
    (slope, *_) = row.locals(out, args, [True] + [False] * len(row.defaults))
    return out, nan if slope is None else slope


def _inside(rows: Sequence[Op], low: float, high: float) -> Point:
    """The limits, or the borders of an operation's domain, with a margin."""
    xs = [
        x
        for x in steps(low, high, 2001)
        for row in rows
        if row.domain is None or row.domain(x, *row.defaults)
    ]
    if not xs:
        raise BadArgument(f"The limits lie outside the domain. Received: {low:g} to {high:g}.")
    room = 0.1 * (max(xs) - min(xs))
    return max(low, min(xs) - room), min(high, max(xs) + room)


def _changes(label: Callable[..., float] | None, row: Op, low: float, high: float) -> list[float]:
    """The points at which the label of a row's pieces changes, as at its kinks or at the borders of
    its domain: by bisection, rounded if possible."""
    if label is None:
        return []
    changes = []
    for a, b in pairwise(steps(low, high, 802)):  # so many that few whole numbers are hit
        first = label(a, *row.defaults)
        if label(b, *row.defaults) == first:
            continue
        while a < (middle := 0.5 * (a + b)) < b:
            a, b = (middle, b) if label(middle, *row.defaults) == first else (a, middle)
        near = (a, b, nextafter(a, -inf), nextafter(b, inf))
        changes.append(min(near, key=lambda x: len(repr(x))))
    return changes


def _torn(xs: Sequence[float], ys: Sequence[float], jump: float) -> tuple[list[float], list[float]]:
    """The line with a gap where it jumps, at a kink or outside the visible range."""
    torn_xs, torn_ys = [xs[0]], [ys[0]]
    for (x, y), (then, there) in pairwise(zip(xs, ys)):
        torn = abs(there - y) > (1e-6 if then - x < 1e-8 else jump)
        torn_xs += [x, then] if torn else [then]
        torn_ys += [nan, there] if torn else [there]
    return torn_xs, torn_ys


# ── Numbers in ────────────────────────────────────────────────────────────────────────────


def _rows(data: Any, width: int | None, what: str) -> list[list[float]]:
    """Each sample's numbers, of the wanted count."""
    data = data.to_numpy() if hasattr(data, "to_numpy") else data
    if isinstance(data, (str, Mapping)) or not hasattr(data, "__iter__"):
        raise NotANumber(f"{what} must be a list, one item for each sample. Received: {data!r}.")
    rows = [[number(x) for x in flatten(item)[0]] for item in data]
    wrong = next((row for row in rows if width is not None and len(row) != width), None)
    if wrong is not None or not rows:
        raise BadArgument(
            f"Each item of {what} must be {plural(width or 1, 'number')}. "
            f"Received: {'no item' if wrong is None else plural(len(wrong), 'number')}."
        )
    if not all(isfinite(x) for row in rows for x in row):
        raise BadArgument(f"The numbers of {what} must be finite. Received: nan or inf among them.")
    return rows


def _answers(model: Any, points: list[list[float]], inputs: int) -> list[list[float]]:
    """The model's prediction at each point; a function of one input takes a number."""
    if hasattr(model, "predict"):
        answers = [flatten(answer)[0] for answer in model.predict(points)]
    elif callable(model):
        with no_grad():
            answers = [flatten(model(p[0] if inputs == 1 else p))[0] for p in points]
    else:
        raise BadArgument(f"A model must have a predict, or be a function. Received: {model!r}.")
    return [list(map(plain, answer)) for answer in answers]
