"""The main job: the numbers that Keras gives, in text that reads well in 80 columns."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tinygrad_edu import nn
from tinygrad_edu.command import cli

KERAS = json.loads((Path(__file__).parent / "data" / "trajectories_float64.json").read_text())


def command(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tinygrad_edu", *arguments],
        capture_output=True, text=True, encoding="utf-8", env={**os.environ, **environment},
    )  # fmt: skip


FULL_BATCH = [run for run in KERAS["runs"] if run["batch_size"] == 32]


@pytest.mark.parametrize("run", FULL_BATCH, ids=lambda run: run["id"])
def test_every_epoch_is_that_of_keras(run):
    neuron = nn.Neuron(1, nonlin=False)
    (w,), b = neuron.w, neuron.b
    w.data, b.data = run["init"]["w"], run["init"]["b"]
    optimizer = nn.SGD(neuron.parameters(), learning_rate=0.01)
    ws, bs, losses = [w.data], [b.data], []
    for _ in range(500):
        neuron.zero_grad()
        loss = nn.mean_squared_error(cli.PRICES, [neuron(x) for x in cli.FLATS])
        loss.backward()
        optimizer.step()
        losses.append(loss.data)
        ws.append(w.data)
        bs.append(b.data)
    assert ws == pytest.approx(run["w"], rel=1e-11)
    assert bs == pytest.approx(run["b"], rel=1e-11)
    assert losses == pytest.approx(run["loss"], rel=1e-11)


def test_the_demo_trains_shows_explains_and_draws(tmp_path):
    done = command("--output", str(tmp_path))
    assert (done.returncode, done.stderr) == (0, "")
    for said in ("9942.903307", "282.739456", "99711.7725", "0.0480590", "108 times", "14.6%",
                 "Why not 100000?", "one-neuron.svg"):  # fmt: skip
        assert said in done.stdout
    longest = max(done.stdout.replace(str(tmp_path), "").splitlines(), key=len)
    assert len(longest) <= 80, longest
    assert "\x1b" not in done.stdout, "no escape codes in a pipe"
    svg = (tmp_path / "one-neuron.svg").read_text(encoding="utf-8")
    assert svg.count('class="node') >= 7 * 6
    shown = Path(__file__).parents[1] / "docs" / "one-neuron.svg"
    assert svg == shown.read_text(encoding="utf-8"), (
        f"README shows an old picture: copy it to {shown}"
    )
    assert (tmp_path / "one-neuron.png").read_bytes().startswith(b"\x89PNG")


def test_the_bowl_is_that_of_the_hessian():
    np = pytest.importorskip("numpy")
    shape = cli.bowl(cli.FLATS, cli.PRICES)
    values, vectors = np.linalg.eigh([[40.0, 8.0], [8.0, 2.0]])
    assert shape.curvatures[::-1] == pytest.approx(list(values), rel=1e-13)
    assert abs(np.dot(shape.axes[-1], vectors[:, 0])) == pytest.approx(1.0, abs=1e-13)
    assert shape.largest_rate == pytest.approx(0.0480590, abs=5e-8)
    assert shape.condition == pytest.approx(108.24, abs=5e-3)


@pytest.mark.parametrize(
    ("epochs", "rate", "says"),
    [
        (30, 0.06, "every step overshoots"),
        (5, 0.0, "nothing moves"),
        (4000, 0.02, "is within 1 of 100000 now"),
        (0, 0.01, "100.0% left after 0"),
        (700, 0.5, "every step overshoots"),
    ],
)
def test_the_explanation_fits_what_happened(epochs, rate, says):
    neuron = nn.Neuron(1, nonlin=False)
    neuron.w[0].data = 0.0
    lines: list[str] = []
    cli.train(neuron, nn.SGD(neuron.parameters(), rate), epochs, lines.append)
    assert says in " ".join(cli.why_not_exact(neuron, epochs, rate).split())
    assert all(len(line) <= 80 for line in lines)


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["--epochs", "-1"], 2, "Received: -1"),
        (["--epochs", "many"], 2, "invalid int"),
        (["--learning-rate", "-0.1"], 1, "Received: -0.1"),
        (["--learning-rate", "nan"], 1, "Received: nan"),
        (["--epochs", "1", "--output", str(Path(__file__, "below-a-file"))], 1, "not saved"),
        (["--wrong"], 2, "unrecognized"),
    ],
)
def test_mistakes_get_a_line_and_an_exit_code(arguments, code, says):
    done = command(*arguments)
    assert done.returncode == code
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_help_and_version():
    assert "example" in command("--help").stdout
    assert command("--version").stdout.strip() == "tinygrad-edu 0.1.0"


def test_a_terminal_that_knows_only_ascii(tmp_path):
    done = command("--epochs", "1", "--output", str(tmp_path), PYTHONIOENCODING="ascii")
    assert done.returncode == 0, done.stderr
