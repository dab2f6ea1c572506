"""Every equation holds that explanations print in LaTeX, that comparisons, updates and diagnoses
print, and that stands in the tooltips of pictures."""

from __future__ import annotations

import itertools
import math
import os
import random
import re
from collections.abc import Iterator
from html import unescape
from typing import Any

import numpy as np
import pytest

import tinygrad_edu as tg
from tests.equations import Interval, Reader, TexReader, plain_tex, wrong
from tests.test_equations import MADE, is_tame
from tests.test_exploring import FLATS, PRICES
from tinygrad_edu import Value, keras, nn
from tinygrad_edu.command.cli import HOUSE, why_not_exact
from tinygrad_edu.explaining.document import Formula, Table, Title
from tinygrad_edu.explaining.formulas import Formulas
from tinygrad_edu.explaining.gradients import gradient
from tinygrad_edu.explaining.narrative import narrative
from tinygrad_edu.explaining.notation import Math


def tame_values(count: int) -> Iterator[tuple[int, Value]]:
    """Results of random graphs whose numbers are neither huge nor tiny."""
    for seed in itertools.count(1000):
        value = MADE[seed % 4](random.Random(seed))
        if is_tame(tg.snapshot(value)):
            yield seed, value
            count -= 1
        if not count:
            return


@pytest.fixture
def thorough(request) -> bool:
    """Whether many graphs are to be read, as in CI; else a few."""
    return bool(os.environ.get("REQUIRE_BROWSER")) or request.config.getoption("--thorough")


def complain(bad: list[str], held: int, least: int) -> None:
    assert not bad, "\n".join(bad[:20]) + f"\n{len(bad)} are wrong, {held} hold"
    assert held > least


# ── LaTeX ─────────────────────────────────────────────────────────────────────────────────


def test_the_reader_of_latex():
    reader = TexReader({r"\hat{y}": 2.0, "w_{1}": 3.0}, {}, 6)
    for tex, expected in {
        r"\frac{w_{1}}{\hat{y}} \cdot \hat{y}": 3.0, r"{\left(w_{1} + \hat{y}\right)}^{2}": 25.0,
        r"-{w_{1}}^{2}": -9.0, r"\max\left(w_{1}, \hat{y}\right)": 3.0, r"e^{w_{1} - 3}": 1.0,
        r"\left|\hat{y} - w_{1}\right|": 1.0, r"2 \times 10^{-3}": 0.002, r"\hat{y}^{-1}": 0.5,
        r"\operatorname{relu}\left(-\hat{y}\right)": 0.0, r"\tanh^{2}\left(0\right)": 0.0,
    }.items():  # fmt: skip
        x = reader.side(tex)
        assert x.low - 1e-4 <= expected <= x.high + 1e-4, (tex, x)
    assert wrong(r"{w_{1}}^{2} = 8", reader)[0]


@pytest.fixture
def tex_meanings(monkeypatch):
    """The numbers of each symbol in LaTeX, one for each place."""
    symbols: dict[str, tuple[float, ...]] = {}
    original = Formulas.symbol

    def symbol(self: Formulas, column: tuple[int, ...]) -> Math:
        written = original(self, column)
        values = tuple(self.graph.nodes[id].data for id in column)
        values = values[:1] if len(set(column)) == 1 else values
        assert symbols.setdefault(plain_tex(written.tex), values) == values, written
        return written

    monkeypatch.setattr(Formulas, "symbol", symbol)
    return symbols


def test_every_equation_in_latex_holds(tex_meanings, thorough):
    bad, held = [], 0
    for seed, value in tame_values(100 if thorough else 10):
        graph = tg.snapshot(value)
        targets = [node.id for node in graph.nodes if node.op is None and node.role != "constant"]
        for target in [None, *targets[:2]]:
            tex_meanings.clear()
            told = narrative(graph) if target is None else gradient(graph, target)
            several = max(map(len, tex_meanings.values()), default=1)
            reader = TexReader(
                {name: values[0] for name, values in tex_meanings.items()}, {}, digits=6
            )
            for block in told._blocks:
                for sides in block.lines if isinstance(block, Formula) else ():
                    text = " = ".join(side.tex for side in sides)
                    if several > 1 and r"\sum" in text:
                        continue  # over samples: the text of the same formula is read elsewhere
                    complaint, count = wrong(text, reader)
                    held += count
                    bad += [f"graph {seed} by {target}: {complaint}"] if complaint else []
    complain(bad, held, 50)


# ── Comparisons with nudges ───────────────────────────────────────────────────────────────


def computed_again(graph: tg.Graph, target: int, x: float) -> float:
    numbers = [node.data for node in graph.nodes]
    numbers[target] = x
    for node in graph.nodes:
        if node.op is not None and node.id != target:
            numbers[node.id] = node.op.compute(*[numbers[arg] for arg in node.args])
    return numbers[-1]


def read(cell: Any) -> Interval:
    return Reader({}, {}, digits=6).side(cell.text)


def complaints_of_nudge(graph: tg.Graph, target: int, h: float | None) -> Iterator[str]:
    """The sentences and numbers of a comparison that are wrong."""
    from tinygrad_edu.explaining.comparing import comparison

    node = graph.nodes[target]
    told = comparison(graph, target, h)
    (nudge,) = told.data()["nudges"]
    numbers, slopes = [block for block in told._blocks if isinstance(block, Table)]
    for (_, at, result), sign in zip(numbers.rows, (-1, 0, 1)):
        x = node.data + sign * nudge["h"]
        if not math.isclose(float(at.text), x, rel_tol=1e-11, abs_tol=1e-12):
            yield f"{at.text} is not {x}"
        y = computed_again(graph, target, x)
        if math.isnan(y) and result.text == "nan":
            continue  # a nudge led out of the domain
        if not math.isclose(float(result.text), y, rel_tol=1e-10, abs_tol=1e-12):
            yield f"{result.text} is not {y}"
    below, here, above = (float(row[2].text) for row in numbers.rows)
    left, middle, right = (float(row[1].text) for row in numbers.rows)
    rates = ((above - here) / (right - middle), (here - below) / (middle - left),
             (above - below) / (right - left), node.adjoint)  # fmt: skip
    noise = 2e-11 * max(map(abs, (below, here, above, 1e-300))) / nudge["h"]
    noise += 2e-11 * abs(middle) / nudge["h"] * max(map(abs, rates))  # 12 digits are printed
    for (what, number), rate in zip(slopes.rows, rates):
        if not math.isfinite(rate + noise):
            continue  # a nudge led out of the domain
        if not read(number).overlaps(Interval(rate - noise, rate + noise)):
            yield f"{what}: {number.text} is not {rate}"
    text = str(told)
    if match := re.search(r"agrees to (\d+)\s+digits", text):
        gap = abs(nudge["central"] - node.adjoint)
        share = gap / max(abs(nudge["central"]), abs(node.adjoint))
        if not 10.0 ** -(int(match[1]) + 1) <= share <= 10.0 ** -int(match[1]):
            yield f"{match[0]}: {share}"


def test_comparisons_are_what_they_say(thorough):
    bad, held = [], 0
    for seed, value in tame_values(120 if thorough else 10):
        graph = tg.snapshot(value)
        for node in graph.nodes[:-1]:
            if node.role == "constant" or node.adjoint == 0.0:
                continue
            for h in (None, 0.125):
                bad += [f"graph {seed} by {node.id}, {h}: {said}"
                        for said in complaints_of_nudge(graph, node.id, h)]  # fmt: skip
                held += 1
    complain(bad, held, 50)


# ── Updates ───────────────────────────────────────────────────────────────────────────────

RULES: list[Any] = [
    lambda p: nn.SGD(p, 0.1), lambda p: nn.SGD(p, 0.03, momentum=0.9),
    lambda p: nn.SGD(p, 0.03, momentum=0.9, nesterov=True),
    lambda p: nn.SGD(p, 0.2, weight_decay=0.1), lambda p: nn.SGD(p, 0.1, clipvalue=0.5),
    lambda p: nn.SGD(p, 0.1, global_clipnorm=1.0), lambda p: nn.Adam(p, 0.1),
    lambda p: nn.Adam(p, 0.1, amsgrad=True), lambda p: nn.AdamW(p, 0.1, weight_decay=0.2),
    lambda p: nn.Nadam(p, 0.1), lambda p: nn.Adamax(p, 0.1), lambda p: nn.RMSprop(p, 0.1),
    lambda p: nn.RMSprop(p, 0.1, momentum=0.5, centered=True), lambda p: nn.Adagrad(p, 0.1),
    lambda p: nn.Adadelta(p, 0.5), lambda p: nn.Lion(p, 0.1),
    lambda p: nn.Ftrl(p, 0.1, l2_regularization_strength=0.01),
    lambda p: nn.SGD(p, nn.schedules.CosineDecay(0.3, 10)),
    lambda p: nn.Adam(p, nn.schedules.ExponentialDecay(0.3, 2, 0.7)),
]  # fmt: skip
GREEK = {"momentum": "μ", "beta_1": "β₁", "beta_2": "β₂", "beta": "β", "epsilon": "ε", "rho": "ρ",
         "weight_decay": "λ", "l1_regularization_strength": "l₁",
         "l2_regularization_strength": "l₂", "l2_shrinkage_regularization_strength": "s",
         "learning_rate_power": "p"}  # fmt: skip


def symbols_of(optimizer: Any, number: int) -> dict[str, float]:
    """The number of each symbol in the explanation of an update, from the optimiser itself."""
    parameter = optimizer.parameters[number]
    update = optimizer.update_of(parameter)
    name = parameter.name
    settings = {GREEK.get(key, key): x for key, x in optimizer.settings().items()}
    return {
        **{key: x for key, x in settings.items() if type(x) is float},
        **{f"{key}ₜ₋₁": x for key, x in optimizer.memory[number].items()},
        **{f"{key}ₜ": x for key, x in update.memory.items()},
        "α": update.learning_rate, "t": float(optimizer.iterations + 1), "g": update.clipped,
        name: update.before, f"decayed {name}": update.decayed, f"new {name}": update.after,
        f"dL/d{name}": update.gradient,
    }  # fmt: skip


@pytest.mark.parametrize("rule", range(len(RULES)))
def test_every_equation_of_an_update_holds(rule):
    bad, held, rng = [], 0, random.Random(rule)
    for _ in range(6):
        w, b = Value(rng.uniform(-3, 3), "w"), Value(rng.uniform(-3, 3), "b₁")
        optimizer = RULES[rule]([w, b])
        for _ in range(4):
            w.grad = b.grad = 0.0
            ((w * rng.uniform(-2, 2) + b - 1.0) ** 2 + w * w * 0.3).backward()
            for number, parameter in enumerate((w, b)):
                told = tg.explain_update(optimizer, parameter)
                numbers = symbols_of(optimizer, number)
                reader = Reader(numbers, {}, digits=6)
                texts = [text for block in told._blocks if isinstance(block, Formula)
                         for text in (" = ".join(side.text for side in line)
                                      for line in block.lines)]  # fmt: skip
                texts = [re.sub(r"dL/d\w+, clipped = \S+, clipped = ", "", text) for text in texts]
                assert texts, told
                for text in texts:
                    complaint, count = wrong(text, reader)
                    held += count
                    bad += [f"{optimizer!r}: {complaint}"] if complaint else []
                (title,) = [block for block in told._blocks if isinstance(block, Title)]
                words = "".join(p if isinstance(p, str) else p.text for p in title.pieces)
                said = re.search(r"from (\S+) to (\S+)$", words)
                ends = [numbers[parameter.name], numbers[f"new {parameter.name}"]]
                for text, x in zip(said.groups(), ends):
                    assert Reader({}, {}, 6).side(text).overlaps(Interval(x, x)), words
            optimizer.step()
    complain(bad, held, 60)


# ── Why ───────────────────────────────────────────────────────────────────────────────────


def number_in(pattern: str, text: str) -> Interval:
    found = re.search(pattern, " ".join(text.split()))
    assert found, (pattern, text)
    digits = len(re.sub(r"e.*|\D", "", found[1]).lstrip("0"))
    return Reader({}, {}, digits=max(1, digits)).side(found[1])


def holds(pattern: str, text: str, right: float) -> None:
    assert number_in(pattern, text).overlaps(Interval(right, right)), (pattern, text, right)


@pytest.mark.parametrize("seed", range(12))
def test_a_diagnosis_says_what_numpy_says(seed):
    """The loss of a line is quadratic, so its Hessian is 2/n Σ (x, 1)(x, 1)ᵀ."""
    rng = np.random.default_rng(seed)
    xs = rng.uniform(-5.0, 12.0, 6)
    model = keras.Sequential([keras.layers.Dense(1, input_shape=[1])])
    rate = float(rng.uniform(0.001, 0.2))
    model.compile(keras.optimizers.SGD(rate), "mse")
    rows = np.stack([xs, np.ones(6)], axis=1)
    low, high = np.linalg.eigvalsh(2.0 / 6.0 * rows.T @ rows)
    text = str(model.why_diverging(xs.tolist(), (3.0 * xs - 2.0).tolist()))
    holds(r"largest eigenvalue is ([\d.]+),", text, high)
    holds(r"below 2/[\d.]+ = ([\d.]+)\.", text, 2.0 / high)
    assert ("above the bound" in text) == (rate >= 2.0 / high)
    holds(r"([\d.]+) times as steep", text, high / low)
    best = 2.0 / (low + high)
    if "best rate" in text:
        holds(r"best rate, ([\d.]+?),? ", text, best)
    if "keeps" in text:
        holds(r"keeps ([\d.]+)%", text, 100.0 * (1.0 - best * low))
        holds(r"with eigenvalue ([\d.]+),", text, low)


@pytest.mark.parametrize(("rate", "epochs"), [(0.01, 500), (0.02, 100), (0.045, 60), (0.001, 9)])
def test_why_the_price_is_not_exact(rate, epochs):
    rows = np.stack([np.array(FLATS, float), np.ones(len(FLATS))], axis=1)
    low, high = np.linalg.eigvalsh(2.0 / len(FLATS) * rows.T @ rows)
    neuron = nn.Neuron(1)
    neuron.w[0].data, neuron.b.data = 9000.0, 3000.0
    text = why_not_exact(neuron, epochs, rate)
    holds(r"eigenvalues ([\d.]+) and", text, high)
    holds(r"eigenvalues [\d.]+ and ([\d.]+)\. ", text, low)
    for way, curvature in (("across the valley", high), ("along the valley", low)):
        keep = 1.0 - rate * curvature
        found = re.search(rf"{way}\s+(-?[\d.]+) per epoch,\s+([\d.]+)% left", text)
        assert abs(float(found[1]) - keep) <= 0.6e-6, (found[0], keep)
        assert abs(float(found[2]) - 100.0 * abs(keep) ** epochs) <= 0.06, (found[0], keep)
    if more := re.search(r"About (\d+) more epochs", " ".join(text.split())):
        error = abs(neuron.w[0].data * HOUSE + neuron.b.data - HOUSE * PRICES[0])
        needed = math.log(1.0 / error) / math.log(1.0 - rate * low)
        assert needed <= int(more[1]) <= needed + 1.0


# ── Tooltips ──────────────────────────────────────────────────────────────────────────────


def test_every_equation_in_a_tooltip_holds(thorough):
    bad, held = [], 0
    for seed, value in tame_values(60 if thorough else 6):
        graph = tg.snapshot(value)
        svg = tg.draw(value).svg()
        adjoints = {repr(node.adjoint) for node in graph.nodes}
        for title in map(unescape, re.findall(r"<title>([^<]*)</title>", svg)):
            for line in title.splitlines():
                if match := re.fullmatch(r"local derivative (\S+) × upstream (\S+) = (\S+)", line):
                    local, upstream, flow = map(float, match.groups())
                    held += 1
                    bad += [] if local * upstream == flow else [f"graph {seed}: {line}"]
                elif match := re.fullmatch(r"d.*/d.* = (\S+)", line):
                    held += 1
                    bad += [] if match[1] in adjoints else [f"graph {seed}: {line}"]
    complain(bad, held, 50)
