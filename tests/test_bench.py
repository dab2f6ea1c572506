"""The benchmark itself: every case runs, all sides compute the same, the table tells the truth.

At the smallest sizes and without a look at the clock.
"""

from __future__ import annotations

import json
import math
import random
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.bench import __main__ as bench
from tests.bench import transformer
from tests.bench.cases import CASES, INSTALL, Case, Line
from tests.bench.sides import ours
from tests.bench.worker import measured

PROCESSES = {"cold", "imported", "nothing"}  # these start Python anew and train, for a second


@pytest.mark.parametrize("name", CASES)
def test_every_case_runs_and_its_sides_agree(name: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(ours, "settled", lambda program, step: program.report().executor)
    case = CASES[name]
    answers = {}
    for line in case.lines:
        size = line.size or case.tiny
        if line.function in PROCESSES or size > 1000:
            continue
        if line.side != "ours" and not find_spec(line.side):
            continue
        state = random.getstate()  # micrograd draws from it
        work = getattr(import_module(f"tests.bench.sides.{line.side}"), line.function)(size)
        random.setstate(state)
        work.step()
        answers[line.label] = work.answer()
    if case.alike and answers:
        first = answers[case.lines[0].label]
        assert all(math.isfinite(x) for x in first)
        for label, answer in answers.items():
            assert answer == pytest.approx(first, rel=1e-9, abs=1e-12), label


def test_the_command_writes_a_table_data_and_a_plot(tmp_path: Path, capsys: pytest.CaptureFixture):
    bench.main(["--tiny", "--quick", "--rounds", "1", "--case", "eager", "--out", str(tmp_path)])
    told = capsys.readouterr().out
    assert "micrograd" in told
    assert max(map(len, told.splitlines()[1:])) <= 80 or str(tmp_path) in told
    data = json.loads((tmp_path / "bench.json").read_text())
    ours_, peer = data["cases"]["eager"]["lines"].values()
    assert ours_["seconds"] > 0.0
    assert peer["bar"] == "≥ 10 ×"
    assert str(Path.home()) not in json.dumps(data)
    if find_spec("matplotlib"):
        assert (tmp_path / "bench.png").read_bytes().startswith(b"\x89PNG")


def found(line: Line, *rounds: float, **facts: float) -> bench.Found:
    return bench.Found(line, list(rounds), facts)


def test_bars_are_judged_by_medians():
    first = found(Line("ours", "ours", "f", limit=0.5), 1.0, 3.0, 2.0)
    assert bench.judged(first, first) == ("", "≤ 0.5 s", False)
    peer = found(Line("peer", "torch", "f", times=10.0), 20.0, 19.0, 500.0)
    assert bench.judged(peer, first) == ("10.0 ×", "≥ 10 ×", True)
    slower = found(Line("slower", "ours", "f", within=2.0), 4.1)
    assert bench.judged(slower, first) == ("2.05 ×", "≤ 2 ×", False)


def test_the_table_fits_a_terminal_and_names_what_is_missing():
    lines = (
        Line("tinygrad_edu", "ours", "f"),
        Line("micrograd", "micrograd", "f", times=10_000.0),
        Line("JAX jit", "jax", "f", times=2.0),
        Line("PyTorch eager", "torch", "f"),
    )
    case = Case("A case", 1, 1, lines, spread=2.0)
    first = found(lines[0], 1e-6, nodes=1000, executor="machine")
    rows = [
        first,
        found(lines[1], 0.1, nodes=10**5, bytes=77 * 10**6),
        bench.Found(lines[2], [], {}, INSTALL["jax"]),
        bench.Found(lines[3], [], {}, "it broke " * 30),
    ]
    text = bench.table(case, rows)
    assert max(map(len, text.splitlines())) <= 80
    assert "100,000 × ≥ 10,000 × met" in text
    assert "not installed: pip install jax" in text
    assert "failed: it broke" in text


def test_sides_that_differ_are_not_compared():
    class Side:
        def __init__(self, *answer: float) -> None:
            self.told, self.line = {"answer": list(answer)}, CASES["mlp"].lines[0]

    bench.agreeing(Side(1.0, 2.0), Side(1.0, 2.0 + 1e-10))
    for other in (Side(1.0, 2.1), Side(1.0), Side(1.0, math.nan)):
        with pytest.raises(SystemExit, match="do not compute the same"):
            bench.agreeing(Side(1.0, 2.0), other)


def test_a_step_is_measured_at_least_once():
    calls = []
    assert measured(lambda: calls.append(1), 0.0) >= 0.0
    assert calls == [1]


def test_the_transformer_has_the_size_that_its_case_says_and_learns():
    shape = transformer.Shape()
    loss = transformer.loss(transformer.made(shape), transformer.text(8, shape.vocabulary))
    assert 66_000 < ours.nodes(loss, ours.values_in) < 70_000

    model = transformer.made(transformer.Shape(vocabulary=5, places=3, width=4, heads=2, hidden=4))
    losses = []
    for _ in range(3):
        loss = transformer.loss(model, [0, 3, 1, 4])
        losses.append(loss.data)
        loss.backward()
        for parameter in model.parameters():
            parameter.data -= 0.1 * parameter.grad
            parameter.zero_grad()
    assert losses == sorted(losses, reverse=True)
