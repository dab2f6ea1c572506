"""The ``tinygrad-edu`` command. Without arguments it runs a demo: the post's seven houses and one
neuron, with every number visible. The other commands are in `commands`.

The demo trains price = w·flats + b by full-batch gradient descent, shows the steps, explains why
the answer is not quite 100000, and draws the graph of the trained model.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import __version__, nn
from ..core.modes import scope
from ..core.ops import sum as total
from ..core.value import Value
from ..errors import TinygradError
from ..matrices import hessian
from ..strings import as_subscript, legible
from .arguments import add_commands
from .commands import filled, run, show

if TYPE_CHECKING:  # keras is imported by what needs it
    from ..keras.diagnosis import Diagnosis

FLATS = (1, 2, 3, 4, 5, 6, 7)
PRICES = (10000, 20000, 30000, 40000, 50000, 60000, 70000)
HOUSE = 10  # flats of the house whose price is predicted
SHOWN = (0, 1, 2, 5, 10, 20, 50, 100, 200, 300, 400, 500)


def loss_graph(neuron: nn.Neuron, flats: Sequence[float], prices: Sequence[float]) -> Value:
    """The mean squared error of a neuron over some houses, with names for the picture.

    >>> neuron = nn.Neuron(1, nonlin=False)
    >>> neuron.w[0].data = 10000.0
    >>> loss_graph(neuron, FLATS, PRICES).data
    0.0
    """
    squares = []
    for i, (flat, price) in enumerate(zip(flats, prices), 1):
        subscript = as_subscript(i)
        with scope(f"house {i}"):
            x = Value(flat, name=f"flats{subscript}", role="input")
            y = Value(price, name=f"price{subscript}", role="target")
            predicted = neuron(x)
            predicted.name = f"ŷ{subscript}"
            error = predicted - y
            error.name = f"error{subscript}"
            squares.append(error**2)
    loss: Value = total(squares) / len(squares)
    loss.name = "loss"
    return loss


def bowl(flats: Sequence[float], prices: Sequence[float], rate: float = 0.01) -> Diagnosis:
    """The shape of the mean squared error of price = w·flats + b; the same for all w and b.

    >>> round(bowl(FLATS, PRICES).largest_rate, 7)
    0.048059
    """
    from ..keras.diagnosis import diagnose

    def loss(w: Any, b: Any) -> Any:
        return nn.mean_squared_error(prices, [w * x + b for x in flats])

    curvature = hessian(loss, argnums=(0, 1))(0.0, 0.0)
    return diagnose(curvature, ["w", "b"], rate, [[x] for x in flats])


def train(
    neuron: nn.Neuron, optimizer: nn.SGD, epochs: int, show: Callable[[str], None] = print
) -> tuple[Value, list[list[float]]]:
    """Full-batch gradient descent on the seven houses, with a line of numbers for some epochs.

    Returns:
        The recorded loss of the trained neuron, differentiated, and w and b at every epoch.
    """
    (w,), b = neuron.w, neuron.b
    steps = []
    show(f"{'epoch':>6} {'w':>13} {'b':>13} {'loss':>13} {'dloss/dw':>13} {'dloss/db':>13}")
    for epoch in range(epochs + 1):
        neuron.zero_grad()
        loss = loss_graph(neuron, FLATS, PRICES)
        loss.backward()
        steps.append([w.data, b.data])
        if epoch in SHOWN or epoch == epochs:
            show(
                f"{epoch:>6} {_fixed(w.data):>13} {_fixed(b.data):>13} {loss.data:>13.6g} "
                f"{w.grad:>13.6g} {b.grad:>13.6g}"
            )
        if epoch < epochs:
            optimizer.step()
    return loss, steps


def _fixed(x: float) -> str:
    return f"{x:.6f}" if abs(x) < 1e6 else f"{x:.6g}"


def why_not_exact(neuron: nn.Neuron, epochs: int, learning_rate: float) -> str:
    """An explanation of the error that is left after ``epochs`` epochs."""
    shape, truth = bowl(FLATS, PRICES, learning_rate), float(HOUSE * PRICES[0])
    slope, bias = shape.axes[-1]  # along the valley
    limit = f"2/λ_max = {shape.largest_rate:.7f}"
    if learning_rate >= shape.largest_rate:
        return filled(
            f"At a learning rate above {limit} every step overshoots the valley by more than it "
            f"gains, and the error grows. Yours is {learning_rate:g}."
        )
    across, along = (1.0 - learning_rate * curvature for curvature in shape.curvatures)
    if along == 1.0:
        visibly = " visibly" if learning_rate else ""
        return f"At a learning rate of {learning_rate:g} nothing moves{visibly}."
    error = abs(neuron.w[0].data * HOUSE + neuron.b.data - truth)
    more = f"The answer is within 1 of {truth:.0f} now."
    if error > 1.0:
        needed = math.ceil(math.log(1.0 / error) / math.log(along))
        more = f"About {needed} more epochs would bring the answer within 1 of {truth:.0f}."
    rows = (("across the valley", across), ("along the valley ", along))
    left = [
        f"  {way} {keep:9.6f} per epoch, {abs(keep) ** epochs:6.1%} left after {epochs}"
        for way, keep in rows
    ]
    return "\n".join(
        [
            filled(
                f"Why not {truth:.0f}? The points lie on a line, so w = {PRICES[0]}, b = 0 would "
                f"be exact. The loss is a bowl over (w, b), {shape.condition:.0f} times "
                f"as steep across as along: its second derivatives have the eigenvalues "
                f"{' and '.join(f'{x:.4f}' for x in shape.curvatures)}. One step keeps 1 − α·λ of "
                f"the error in each of the two directions. With α = {learning_rate:g} that is"
            ),
            "",
            *left,
            "",
            filled(
                f"The valley runs along ({slope:+.3f}, {bias:+.3f}) in (w, b): a slope that is too "
                f"small pays for a bias that is too large, and both are put right slowly. {more} "
                f"With a learning rate above {limit} training would diverge."
            ),
        ]
    )


def demo(
    epochs: int, learning_rate: float, folder: Path, show: Callable[[str], None] = print
) -> None:
    """Train, print, explain and draw."""
    from ..drawing import draw
    from ..exploring import explore

    neuron = nn.Neuron(1, nonlin=False)
    neuron.w[0].data = neuron.b.data = 0.0
    optimizer = nn.SGD(neuron.parameters(), learning_rate)
    show("One neuron, price = w·flats + b, learns the prices of seven houses.\n")
    show("  flats  " + " ".join(f"{x:>6}" for x in FLATS))
    show("  price  " + " ".join(f"{y:>6}" for y in PRICES) + "\n")
    show(
        f"Start: w = 0, b = 0. Loss: the mean squared error. Each epoch takes one step\n"
        f"downhill on all seven houses, θ ← θ − {learning_rate:g} · dloss/dθ.\n"
    )
    loss, steps = train(neuron, optimizer, epochs, show)
    w, b = neuron.w[0].data, neuron.b.data
    show(f"\nA house with {HOUSE} flats: {w:.6f} · {HOUSE} + {b:.6f} = {w * HOUSE + b:.4f}\n")
    show(why_not_exact(neuron, epochs, learning_rate))

    drawing = draw(loss, title=f"one neuron, seven houses, after {epochs} epochs")
    written = [drawing.save(folder / f"one-neuron{suffix}") for suffix in (".svg", ".png")]
    show("\nIts graph, every value and gradient of the last epoch:")
    for path in written:
        show(f"  {path}")
    show("Open the .svg in a browser: tooltips show all 17 digits.")
    page = explore(
        loss, folder / "one-neuron.html", parameters=neuron.parameters(), training=steps,
        learning_rate=learning_rate, title="One neuron learns the prices of seven houses",
    )  # fmt: skip
    show(f"\nA page to step through, epoch by epoch and gradient by gradient:\n  {page.path}")
    show("Open it in a browser; it needs no network. Move w, b and α, and watch.")


class Parser(argparse.ArgumentParser):
    """A parser whose messages, which quote foreign text, are safe to print."""

    def _print_message(self, message: str, file: Any = None) -> None:
        super()._print_message(legible(message), file)


def _parser() -> Parser:
    parser = Parser(
        prog="tinygrad-edu",
        description="Train one neuron on the post's seven houses, and draw its graph.\n"
        "Or, with a command, work on your own table.",
        epilog="examples:\n  tinygrad-edu --epochs 2000 --output pictures\n"
        "  tinygrad-edu train houses.csv --target price --model model.json\n"
        "  tinygrad-edu train --help",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(command=None)
    add_commands(parser)
    parser.add_argument(
        "--epochs", type=int, default=500, metavar="N", help="steps of training (default: 500)"
    )
    parser.add_argument(
        "--learning-rate", type=float, default=0.01, metavar="α", help="default: 0.01"
    )
    parser.add_argument(
        "--output", type=Path, default=Path(), metavar="FOLDER",
        help="for one-neuron.svg, .png and .html",
    )  # fmt: skip
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """The command. Exit code 0: done; 1: failed; 2: wrong arguments; 130: Ctrl-C."""
    parser = _parser()
    options = parser.parse_args(argv)
    if options.command is None and options.epochs < 0:
        parser.error(f"--epochs must be at least 0. Received: {options.epochs}.")
    try:
        if options.command is None:
            demo(options.epochs, options.learning_rate, options.output, show)
        else:
            run(options)
        sys.stdout.flush()
    except KeyboardInterrupt:
        parser.exit(130, "tinygrad-edu: interrupted.\n")
    except BrokenPipeError:  # the reader closed the pipe: there is nothing to flush
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (TinygradError, OSError) as error:
        parser.exit(1, f"tinygrad-edu: {' '.join(str(error).split())}\n")
    return 0
