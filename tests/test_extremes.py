"""Plain floats outside the table of operations: huge, tiny, subnormal, infinite and nan numbers
reach every public function that computes with them, and each answers, or refuses in its words."""

from __future__ import annotations

import inspect
import itertools
import random
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from math import inf, isfinite, isnan, nan
from pathlib import Path
from typing import Any

import pytest

import tinygrad_edu as tg
from tinygrad_edu import Value, keras, nn
from tinygrad_edu.command import cli, commands
from tinygrad_edu.drawing import labels
from tinygrad_edu.errors import BadArgument, TinygradError
from tinygrad_edu.keras.diagnosis import diagnose, eigen, moments
from tinygrad_edu.nn.activations import ACTIVATIONS
from tinygrad_edu.nn.initializers import INITIALIZERS
from tinygrad_edu.nn.losses import LOSSES
from tinygrad_edu.nn.metrics import METRICS
from tinygrad_edu.nn.optimizers import OPTIMIZERS
from tinygrad_edu.nn.regularizers import REGULARIZERS
from tinygrad_edu.nn.schedules import SCHEDULES

FINITE = (1e160, -1e160, 1.7e308, -1.7e308, 5e-324, 1e-310, 1e-160, 1.0, 0.0)
NUMBERS = (*FINITE, inf, -inf, nan)


def drawn(seed: str, n: int, numbers: tuple[float, ...] = NUMBERS) -> list[float]:
    return random.Random(seed).choices(numbers, k=n)


@contextmanager
def answers() -> Iterator[None]:
    """Run a computation, for which an error of the package is a valid result too."""
    with warnings.catch_warnings(), suppress(TinygradError):
        warnings.simplefilter("ignore")
        yield


def linear() -> Any:
    model = keras.Sequential([keras.layers.Dense(1, input_shape=[1])])
    model.compile("sgd", "mse", metrics=["rmse", "r2", "mae"])
    return model


def graph(a: float, b: float) -> tuple[Value, Value]:
    w = Value(a, name="w")
    x = Value(b, name="x", role="input")
    loss = (w * x - 1.0) ** 2 + tg.exp(w) / x
    loss.name = "loss"
    return loss, w


# ── Models ────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("a", "b"), [*itertools.product(FINITE, repeat=2)])
def test_data_may_be_of_any_size(a, b):
    with answers():
        str(linear().why_diverging([a, b], [1.0, 2.0]))
    with answers():
        str(linear().why_diverging([1.0, 2.0], [a, b]))
    model = linear()
    model.set_weights([[[a]], [b]])
    with answers():
        str(model.why_diverging([1.0, 2.0], [1.0, 2.0]))
    for x, y in (([a, b], [1.0, 2.0]), ([1.0, 2.0], [a, b])):
        with answers():
            linear().fit(x, y, epochs=2, verbose=2)
        with answers():
            linear().fit(x, y, epochs=2, verbose=0, stop_at_nonfinite=False)
        with answers():
            linear().evaluate(x, y)


def test_a_diagnosis_of_huge_inputs_says_so():
    found = linear().why_diverging([1e160, 1.0], [1.0, 2.0])
    assert isnan(found.largest_rate)
    assert isnan(found.condition)
    assert found.means[0] == pytest.approx(5e159)
    assert found.deviations[0] == pytest.approx(5e159)
    assert "too large" in str(found)
    assert "Scaled to mean 0" in str(found)


@pytest.mark.parametrize("size", [1.0, 1e160, 1e300, 1e-160, 1e-300, 1e-320])
def test_a_mean_and_a_deviation_scale_with_the_numbers(size):
    tolerance = 1e-2 if size < 1e-307 else 1e-13
    assert moments([size, 3.0 * size]) == pytest.approx((2.0 * size, size), rel=tolerance)
    assert moments([0.1 * size] * 7) == (0.1 * size, 0.0)


@pytest.mark.parametrize("size", [1.0, 1e200, 8e307, 1e-200, 1e-300])
def test_eigenvalues_scale_with_the_matrix(size):
    values, vectors = eigen([[size, size], [size, size]])
    assert sorted(values) == pytest.approx([0.0, 2.0 * size], rel=1e-12, abs=1e-12 * size)
    assert all(abs(x) == pytest.approx(0.5**0.5) for v in vectors for x in v)


@pytest.mark.parametrize(("a", "b"), [*itertools.product(NUMBERS, repeat=2)])
def test_any_hessian_is_diagnosed(a, b):
    str(diagnose([[a, b], [b, a]], ["w", "b"], 0.1, [[1.0], [2.0]]))


# ── nn ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", sorted({*METRICS, "r2_score"}))
def test_metrics(name):
    for seed in range(30):
        n = 1 + seed % 3
        y, p, w = (drawn(f"{name}{seed}{part}", 2 * n) for part in "ypw")
        metric = nn.metric(name)
        with answers():
            metric.update([y[:n], y[n:]], [p[:n], p[n:]])
        assert isinstance(metric.result(), float)
        with answers():
            metric.update([y[:n], y[n:]], [p[:n], p[n:]], w[:2])
        assert isinstance(metric.result(), float)


@pytest.mark.parametrize("name", sorted(LOSSES))
def test_losses(name):
    for seed in range(30):
        y, p = drawn(f"{name}{seed}y", 2), drawn(f"{name}{seed}p", 2)
        with answers():
            nn.loss(name)([y], [p])
        with answers():
            nn.loss(name)([y], [[Value(x) for x in p]]).backward()


def made(kind: Any, seed: str) -> Any:
    """One with numbers drawn for its settings; those that it refuses keep a plain number."""
    numbers = drawn(seed, 20)
    settings = {}
    for parameter, x in zip(inspect.signature(kind).parameters.values(), numbers):
        if parameter.name == "name":
            continue
        if isinstance(parameter.default, bool):
            settings[parameter.name] = x > 0.0
            continue
        for candidate in (x, abs(x), 0.5, 2.0):
            trial = {**settings, parameter.name: candidate}
            with suppress(TinygradError, TypeError):
                kind(**trial)
                settings = trial
                break
            if parameter.default is parameter.empty:
                settings[parameter.name] = 2.0
    with answers():
        return kind(**settings)
    return None


STEPPED = [kind for name, kind in SCHEDULES.items() if name != "PiecewiseConstantDecay"]


@pytest.mark.parametrize("kind", STEPPED, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("step", [0, 1, 10, 10**6, 10**15, 10**18])
def test_schedules(kind, step):
    for seed in range(60):
        schedule = made(kind, f"{kind.__name__}{seed}")
        if schedule is not None:
            with answers():
                assert isinstance(schedule(step), float), schedule


@pytest.mark.parametrize("size", [1.0, 1e154, 1e160, 1e200, 4e307])
@pytest.mark.parametrize(
    ("constraint", "norm"),
    [(keras.constraints.MaxNorm(2.0), 2.0), (keras.constraints.UnitNorm(), 1.0),
     (keras.constraints.MinMaxNorm(0.5, 3.0), 3.0)],
    ids=["max", "unit", "min_max"],
)  # fmt: skip
def test_constraints_on_large_weights(constraint, norm, size):
    """Squares that overflow made zeros of them, without a word."""
    column = constraint([[3.0 * size], [-4.0 * size]])
    assert column == [[pytest.approx(0.6 * norm, rel=1e-7)], [pytest.approx(-0.8 * norm, rel=1e-7)]]


@pytest.mark.parametrize("size", [1e155, 1e200, 1e307])
def test_normalising_layers_make_no_zeros_of_large_numbers(size):
    x = [3.0 * size, 4.0 * size, size]
    layer: Any = keras.layers.LayerNormalization()
    layer.prepare((3,))
    assert all(isnan(y.data) for y in layer(x))
    layer = keras.layers.BatchNormalization()
    layer.prepare((1,))
    out = layer.train().forward_batch([[v] for v in x])
    assert all(isnan(y.data) for row in out for y in row)
    with pytest.raises(BadArgument, match="Scale the data"):
        keras.layers.Normalization().adapt([[v] for v in x])


@pytest.mark.parametrize("data", [[], iter(()), [[nan], [1.0]], [[inf], [1.0]]])
def test_normalization_adapts_to_finite_samples(data):
    with pytest.raises(BadArgument):
        keras.layers.Normalization().adapt(data)


@pytest.mark.parametrize("kind", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_optimisers(kind):
    for seed in range(60):
        optimizer = made(kind, f"{kind.__name__}{seed}")
        if optimizer is None:
            continue
        weight = Value(1.0, role="parameter")
        optimizer.bind([[weight]])
        for data, slope in zip(drawn(f"d{seed}", 3), drawn(f"g{seed}", 3)):
            weight.data, weight.grad = data, slope
            with answers():
                optimizer.step()
            assert isinstance(weight.data, float)


@pytest.mark.parametrize("x", NUMBERS)
def test_activations_initialisers_and_regularisers(x):
    for name in ACTIVATIONS:
        for y in (x, 1.0, -x):
            with answers():
                nn.activation(name)(y)
    for name, function in {**INITIALIZERS, **REGULARIZERS}.items():
        one = nn.initializer if name in INITIALIZERS else nn.regularizer
        for p in inspect.signature(function).parameters.values():
            setting = {} if p.default is p.empty else {p.name: x}
            with answers():
                chosen = one({"function": name, **setting})
                if name in REGULARIZERS:
                    chosen([x, 1.0])
                else:
                    assert isinstance(chosen(2, 3, random.Random(1)), float)


# ── Pictures, words, pages ────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("a", "b"), [*itertools.product(NUMBERS, repeat=2)])
def test_a_graph_is_shown_whatever_its_numbers(a, b, tmp_path):
    loss, w = graph(a, b)
    str(tg.tree(loss))
    assert tg.draw(loss).source
    for explanation in (tg.explain(loss, w), tg.explain(loss), tg.compare(loss, w)):
        assert str(explanation)
        assert explanation.latex()
        assert explanation.markdown()
        assert explanation.data()
    optimizer = nn.SGD([w], 0.1)
    loss.backward()
    str(tg.explain_update(optimizer, w))
    tg.explore(loss, tmp_path / "page.html", parameters=[w])


@pytest.mark.parametrize("x", NUMBERS)
@pytest.mark.parametrize("digits", [1, 4, 17, ".2f"])
def test_numbers_are_written(x, digits):
    assert labels.rounded(x, digits)
    assert labels.signed(x, digits)


def test_plots():
    pytest.importorskip("matplotlib")
    from tinygrad_edu import plots

    for seed in range(40):
        a, b, c, d = drawn(f"plot{seed}", 4)
        model = linear()
        model.set_weights([[[a]], [b]])
        x, y = [a, 1.0, c], [b, d, 2.0]
        for plot in (
            partial(plots.loss, {"loss": [a, b, c, d]}),
            partial(plots.fitted, model, x, y),
            partial(plots.bowl, model, x, y, path=[[c, d], [a, b]]),
            partial(plots.regions, tg.sum, [[a, 1.0], [c, b]], [0, 1]),
            partial(plots.operation, "mul", a, b),
        ):
            with answers():
                plots.svg(plot())


# ── The command line ──────────────────────────────────────────────────────────────────────

COMMANDS = (
    "train t.csv --epochs 2", "train t.csv --epochs 2 --standardize",
    "train t.csv --epochs 2 --missing mean --validation-split 0.3 --standardize --json",
    "train t.csv --epochs 1 --lr 1e-300 --model m.json", "train t.csv --hidden 2 --epochs 1",
    "explore t.csv --epochs 2", "explore t.csv --epochs 2 --standardize", "diagnose t.csv",
    "diagnose t.csv --standardize --json", "diagnose t.csv --model m.json", "predict m.json t.csv",
    "graph m.json t.csv --output g.dot", "graph m.json --output g.dot",
)  # fmt: skip
TABLES = [(1e160, 1e308), (1.7e308, 1.0), (5e-324, 1.0), (1.0, 1e308), (0.0, 5e-324)]


@pytest.mark.parametrize(("x", "y"), TABLES)
def test_commands_on_tables(x, y, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("t.csv").write_text(f"x,y\n{x},{y}\n{-x},2\n3,{y}\n4,1\n")
    for command in COMMANDS:
        if "m.json" in command and "train" not in command and not Path("m.json").exists():
            continue
        with suppress(SystemExit):
            cli.main(command.split())
    capsys.readouterr()


@pytest.mark.parametrize("rate", ["1e-20", "1e-300", "0", "-1", "-1e300", "1e300", "nan", "inf"])
def test_the_demo_at_any_learning_rate(rate, tmp_path, capsys):
    with suppress(SystemExit):
        cli.main(["--epochs", "9", "--learning-rate", rate, "--output", str(tmp_path)])
    capsys.readouterr()


def test_a_scale_is_never_zero():
    for column in itertools.product(FINITE, repeat=3):
        scale = commands.Scale.of(list(column))
        assert 0.0 < scale.deviation < inf, column
        assert isfinite(scale.mean), column
        assert max(map(abs, column)) > 8e307 or all(isfinite(scale(x)) for x in column), column
