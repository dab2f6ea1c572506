"""Losses against recorded ones, reductions by their definitions, gradients by differences."""

from __future__ import annotations

import json
import math
from math import inf, nan
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import tinygrad_edu as tg
from tinygrad_edu import Value
from tinygrad_edu.errors import BadArgument, NameUnknown, NotANumber
from tinygrad_edu.nn import losses
from tinygrad_edu.nn.activations import softmax
from tinygrad_edu.nn.losses import LOSSES, REDUCTIONS, Loss, loss

CASES = json.loads((Path(__file__).parent / "data/losses_float64.json").read_text())["cases"]
case = pytest.mark.parametrize("case", CASES, ids=lambda c: f"{c['loss']}-{c['case']}")


def approx(x: object) -> object:
    return pytest.approx(x, rel=1e-12, abs=0.0)


# What each loss takes, one sample of three outputs: targets and predictions, off its kinks.
NUMBERS, POSITIVE = st.floats(-5.0, 5.0), st.floats(0.1, 5.0)
SHARES = st.floats(0.05, 0.95)
TAKES = {
    **dict.fromkeys(LOSSES, (NUMBERS, NUMBERS)),
    **dict.fromkeys(("mean_squared_logarithmic_error", "poisson"), (POSITIVE, POSITIVE)),
    "cosine_similarity": (NUMBERS, POSITIVE),
    "mean_absolute_percentage_error": (POSITIVE, NUMBERS),
    **dict.fromkeys(("hinge", "squared_hinge"), (st.sampled_from((-1.0, 0.0, 1.0)), NUMBERS)),
    **dict.fromkeys(
        ("binary_crossentropy", "categorical_crossentropy", "kl_divergence"), (SHARES, SHARES)
    ),
    "sparse_categorical_crossentropy": (st.sampled_from((0.0, 1.0, 2.0)), SHARES),
}
NEVER_NEGATIVE = set(LOSSES) - {"poisson", "cosine_similarity", "kl_divergence"}


def batches(name: str, outputs: int = 3) -> st.SearchStrategy:
    """Batches of one to four samples: targets, predictions, weights."""
    target, prediction = TAKES[name]
    targets = 1 if name == "sparse_categorical_crossentropy" else outputs
    sample = st.tuples(
        st.lists(target, min_size=targets, max_size=targets),
        st.lists(prediction, min_size=outputs, max_size=outputs),
        st.floats(0.1, 3.0),
    )
    return st.lists(sample, min_size=1, max_size=4).map(lambda batch: [*map(list, zip(*batch))])


class TestRecorded:
    @case
    def test_values(self, case):
        exact = case["exact"]
        for reduction, field in (("none", "per_sample"), ("mean", "mean"), ("sum", "sum")):
            made = Loss(case["string"], reduction=reduction, **case["kwargs"])
            assert made(case["y_true"], case["y_pred"]) == approx(exact[field])
            assert loss(case["loss"]).function is made.function

    @case
    def test_gradients(self, case):
        predictions = [[Value(p) for p in sample] for sample in case["y_pred"]]
        Loss(case["loss"], **case["kwargs"])(case["y_true"], predictions).backward()
        for sample, right in zip(predictions, case["exact"]["grad_mean"]):
            assert [p.grad for p in sample] == approx(right)

    def test_nothing_recorded_is_missing(self):
        elsewhere = {"categorical_hinge"}  # see test_keras_cases.py
        assert {loss(c["loss"]).name for c in CASES} == set(LOSSES) - elsewhere


class TestEveryLoss:
    @pytest.mark.parametrize("name", LOSSES)
    @given(data=st.data())
    def test_its_gradient_is_its_slope(self, name, data):
        targets, predictions, _ = data.draw(batches(name))
        flat, unravel = tg.ravel(predictions)
        direction = [1.0, -0.5, 0.25] * len(predictions)

        def along(h: float) -> float:
            return Loss(name)(targets, unravel([p + h * d for p, d in zip(flat, direction)]))

        h = 2.0**-17
        slopes = [(along(s * h) - along(0.0)) / (s * h) for s in (1.0, -1.0)]
        assume(abs(slopes[0] - slopes[1]) < 1e-2)  # else there is a kink, or nearly
        _, slope = tg.jvp(lambda ps: Loss(name)(targets, unravel(ps)), [flat], [direction])
        central = (along(h) - along(-h)) / (2.0 * h)
        assert slope == pytest.approx(central, rel=1e-5, abs=1e-5)

    @pytest.mark.parametrize("name", LOSSES)
    @given(data=st.data())
    def test_weights(self, name, data):
        targets, predictions, weights = data.draw(batches(name))
        each = Loss(name, reduction="none")(targets, predictions)
        weighted = [w * x for w, x in zip(weights, each)]
        n = len(each)
        for reduction, right in {
            "none": weighted,
            None: weighted,
            "sum": sum(weighted),
            "mean": sum(weighted) / n,
            "sum_over_batch_size": sum(weighted) / n,
            "mean_with_sample_weight": sum(weighted) / sum(weights),
        }.items():
            got = Loss(name, reduction=reduction)(targets, predictions, weights)
            assert got == pytest.approx(right, rel=1e-13, abs=1e-13)

    @pytest.mark.parametrize("name", LOSSES)
    @given(data=st.data())
    def test_a_weight_of_zero_leaves_the_sample_out(self, name, data):
        targets, predictions, weights = data.draw(batches(name))
        (more,), (outputs,), _ = data.draw(batches(name).map(lambda b: [x[:1] for x in b]))
        leaves = [Value(p) for p in outputs]
        for reduction in ("sum", "mean_with_sample_weight"):
            made = Loss(name, reduction=reduction)
            without = made(targets, predictions, weights)
            nothing = made([*targets, more], [*predictions, leaves], [*weights, 0.0])
            assert nothing.data == without
            assert tg.gradients(nothing, leaves) == [0.0] * len(leaves)

    @pytest.mark.parametrize("name", sorted(NEVER_NEGATIVE))
    @given(data=st.data())
    def test_never_negative(self, name, data):
        targets, predictions, _ = data.draw(batches(name))
        assert all(x >= 0.0 for x in Loss(name, reduction=None)(targets, predictions))

    @pytest.mark.parametrize("name", LOSSES)
    @given(data=st.data())
    def test_a_sample_does_not_depend_on_its_neighbours(self, name, data):
        targets, predictions, _ = data.draw(batches(name))
        alone = [Loss(name)([t], [p]) for t, p in zip(targets, predictions)]
        assert Loss(name, reduction="none")(targets, predictions) == alone

    @pytest.mark.parametrize("name", LOSSES)
    def test_numbers_values_and_arrays_agree(self, name):
        one_sparse = name.startswith("sparse")
        targets = [[1.0], [0.0]] if one_sparse else [[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]
        predictions = [[0.5, 0.25, 0.25], [0.25, 0.5, 0.25]]
        right = Loss(name)(targets, predictions)
        assert type(right) is float
        assert Loss(name)(np.array(targets), np.array(predictions)) == right
        assert Loss(name)(tuple(map(tuple, targets)), predictions) == right
        told = [[Value(t, role="target") for t in sample] for sample in targets]
        assert Loss(name)(told, predictions) == pytest.approx(right, rel=1e-15)
        if one_sparse:
            assert Loss(name)([1, 0], predictions) == right

    @pytest.mark.parametrize("name", LOSSES)
    def test_nan_is_never_hidden(self, name):
        targets = [[1.0]] if name.startswith("sparse") else [[1.0, 0.0, 0.0]]
        for settings in ({}, {"from_logits": True})[: 1 + name.endswith("entropy")]:
            assert math.isnan(Loss(name, **settings)(targets, [[nan, nan, nan]]))


class TestGraph:
    def test_one_output_records_no_mean_of_one(self):
        predictions = [Value(1.0), Value(2.0)]
        found = loss("mse")([0.0, 0.0], predictions)
        names = [node.op.name for node in (found, *found.args[:1], *found.args[0].args)]
        assert names == ["div", "sum", "square", "square"]

    def test_labels_of_0_and_1_record_one_logarithm(self):
        p = Value(0.25)
        node, rows = loss("bce")([1.0], [p]), []
        while node.op:
            rows.append(node.op.name)
            (node,) = (arg for arg in node.args if isinstance(arg, Value))
        assert rows == ["mul", "clip", "log", "clip"]


class TestLogits:
    @given(st.floats(-30.0, 30.0), st.floats(0.0, 1.0))
    def test_binary(self, x, t):
        of_scores = Loss("bce", from_logits=True)([t], [x])
        assert of_scores == pytest.approx(tg.softplus(x) - t * x, rel=1e-13, abs=1e-13)
        assume(abs(x) < 16.0)  # where no clip acts
        assert of_scores == pytest.approx(Loss("bce")([t], [tg.sigmoid(x)]), rel=1e-8)

    @given(st.lists(st.floats(-7.0, 7.0), min_size=3, max_size=3), st.integers(0, 2))
    def test_categorical(self, xs, right):
        sparse = Loss("sparse_categorical_crossentropy", from_logits=True)([right], [xs])
        assert sparse == pytest.approx(tg.logsumexp(xs) - xs[right], rel=1e-9)
        assert sparse == pytest.approx(
            Loss("sparse_categorical_crossentropy")([right], [softmax(xs)]), rel=1e-9
        )

    def test_certain_and_wrong_still_learns(self):
        x = Value(-40.0)
        clipped = loss("bce")([1.0], [tg.sigmoid(x)])
        assert (clipped.data, tg.gradients(clipped, [x])) == (-math.log(1e-7), [0.0])
        behind = loss("bce").before(tg.sigmoid)([1.0], [x])
        assert (behind.data, tg.gradients(behind, [x])) == (40.0, [-1.0])

    @pytest.mark.parametrize(
        ("name", "function"),
        [
            ("binary_crossentropy", tg.sigmoid),
            ("categorical_crossentropy", softmax),
            ("sparse_categorical_crossentropy", softmax),
        ],
    )
    def test_before(self, name, function):
        made = Loss(name, reduction="sum")
        assert made.before(function).config() == {**made.config(), "from_logits": True}
        assert made.before(function).before(function) is None
        assert made.before(tg.tanh) is None
        mine = lambda y_true, y_pred: 0.0  # noqa: E731
        mine.__name__ = name
        assert Loss(mine).before(function) is None


class TestYours:
    def test_gets_the_batch_and_gives_one_number_per_sample(self):
        def cubed(y_true, y_pred):
            return [(p - t) ** 3 for t, p in zip(y_true, y_pred)]

        assert loss(cubed).name == "cubed"
        assert loss(cubed)([[1.0], [0.0]], [[3.0], [1.0]], [1.0, 2.0]) == (8.0 + 2.0) / 2.0
        assert Loss(cubed, reduction="sum")([1.0], [2.0]) == 1.0

    def test_gives_one_number_for_the_batch(self):
        p = Value(2.0)
        made = Loss(lambda y_true, y_pred: tg.abs(y_pred[0] - y_true[0]), reduction="none")
        assert made([1.0], [p]).data == 1.0
        with pytest.raises(BadArgument, match="one number for the whole batch"):
            made([1.0], [p], [1.0])

    def test_samples_of_several_numbers_are_lists(self):
        got = []
        Loss(lambda t, p: got.extend((t, p)) or 0.0)([[1, 2], [3, 4]], [[5, 6], [7, 8]])
        assert got == [[[1, 2], [3, 4]], [[5, 6], [7, 8]]]

    def test_a_function_of_the_table_is_that_loss(self):
        assert loss(losses.huber).config() == loss("huber").config()
        made = Loss("mse", reduction="sum")
        assert loss(made) is made

    def test_settings_go_to_it(self):
        made = Loss(lambda y_true, y_pred, power: [p**power for p in y_pred], power=2)
        assert made([0.0], [3.0]) == 9.0
        with pytest.raises(BadArgument, match="can't be saved"):
            made.config()

    @pytest.mark.parametrize("wrong", [[1.0], [[1.0, 2.0], [3.0]]])
    def test_something_that_fits_no_batch(self, wrong):
        with pytest.raises(BadArgument, match="or one for each of its 2 samples"):
            Loss(lambda y_true, y_pred: wrong)([1.0, 2.0], [1.0, 2.0])


class TestNames:
    KERAS = """BCE BinaryCrossentropy CategoricalCrossentropy CosineSimilarity Hinge Huber KLD
        KLDivergence LogCosh MAE MAPE MSE MSLE MeanAbsoluteError MeanAbsolutePercentageError
        MeanSquaredError MeanSquaredLogarithmicError Poisson SparseCategoricalCrossentropy
        SquaredHinge bce binary_crossentropy categorical_crossentropy cosine_similarity hinge
        huber kl_divergence kld log_cosh mae mape mean_absolute_error mse msle poisson
        mean_absolute_percentage_error mean_squared_error mean_squared_logarithmic_error
        sparse_categorical_crossentropy squared_hinge"""

    @pytest.mark.parametrize("name", KERAS.split())
    def test_all_that_keras_accepts(self, name):
        assert loss(name).name in LOSSES

    @pytest.mark.parametrize(
        ("short", "function"),
        [
            ("mse", losses.mean_squared_error),
            ("mae", losses.mean_absolute_error),
            ("mape", losses.mean_absolute_percentage_error),
            ("msle", losses.mean_squared_logarithmic_error),
            ("bce", losses.binary_crossentropy),
            ("kld", losses.kl_divergence),
        ],
    )
    def test_short_names(self, short, function):
        assert loss(short).function is loss(short.upper()).function is function

    @pytest.mark.parametrize("name", LOSSES)
    @pytest.mark.parametrize("reduction", REDUCTIONS)
    def test_what_is_saved_is_what_there_is(self, name, reduction):
        made = Loss(name, reduction=reduction)
        config = json.loads(json.dumps(made.config()))
        again = Loss(**config)
        assert (again.function, again.settings) == (made.function, made.settings)
        assert again.reduction == reduction

    def test_repr_says_what_is_not_usual(self):
        assert repr(Loss("huber", delta=2)) == "Loss('huber', delta=2.0)"
        assert repr(Loss("huber")) == "Loss('huber')"


@pytest.mark.parametrize(
    ("make", "error", "says"),
    [
        (lambda: loss("mean_square_error"), NameUnknown, "'mean_squared_error'"),
        (lambda: loss(None), NameUnknown, "Received: None"),
        (lambda: Loss("mse", reduction="avg"), NameUnknown, "Unknown reduction.*'avg'"),
        (lambda: Loss("mse", reduction="means"), NameUnknown, "Did you mean 'mean'"),
        (lambda: Loss("huber", dleta=1.0), NameUnknown, "setting of huber.*'delta'"),
        (lambda: Loss("huber", delta=0.0), BadArgument, r"delta of huber.*Received: 0\.0"),
        (lambda: Loss("huber", delta=nan), BadArgument, "Received: nan"),
        (lambda: Loss("huber", delta="1"), NotANumber, "Received: '1'"),
        (lambda: Loss("bce", label_smoothing=1.0), BadArgument, "label smoothing of binary"),
        (lambda: Loss("bce", from_logits=2), BadArgument, "True or False"),
        (lambda: loss("mse")([1.0], [1.0, 2.0]), BadArgument, "1 samples of targets and 2 of"),
        (lambda: loss("mse")([], []), BadArgument, "at least one sample"),
        (lambda: loss("mse")([[1.0, 2.0]], [[1.0]]), BadArgument, "2 targets and 1 predictions"),
        (lambda: loss("mse")([[]], [[]]), BadArgument, "at least one. Received: 0"),
        (lambda: loss("mse")(1.0, [1.0]), BadArgument, r"Write \[1.0\]"),
        (lambda: loss("mse")(Value(1.0), [1.0]), BadArgument, "list of samples"),
        (lambda: loss("mse")(["a"], [1.0]), NotANumber, "'a'"),
        (lambda: loss("mse")([None], [1.0]), NotANumber, "None"),
        (lambda: loss("mse")([1.0], [1.0], [1.0, 1.0]), BadArgument, "sample is needed: 1. Re"),
        (lambda: loss("cosine_similarity")([[1.0]], [[1.0, 2.0]]), BadArgument, "1 targets and 2"),
        (lambda: Loss("categorical_crossentropy")([1.0], [1.0]), BadArgument, "two classes"),
        (
            lambda: Loss("sparse_categorical_crossentropy")([3], [[0.5, 0.25, 0.25]]),
            BadArgument,
            r"from 0 to 2, .* Received: 3\.0",
        ),
        (
            lambda: Loss("sparse_categorical_crossentropy")([-1], [[0.5, 0.5]]),
            BadArgument,
            r"Received: -1\.0",
        ),
        (
            lambda: Loss("sparse_categorical_crossentropy")([0.5], [[0.5, 0.5]]),
            BadArgument,
            r"Received: 0\.5",
        ),
        (
            lambda: Loss("sparse_categorical_crossentropy")([[0, 1]], [[0.5, 0.5]]),
            BadArgument,
            "categorical form",
        ),
        (
            lambda: Loss("sparse_categorical_crossentropy")([nan], [[0.5, 0.5]]),
            BadArgument,
            "Received: nan",
        ),
    ],
)
def test_mistakes(make, error, says):
    with pytest.raises(error, match=says):
        make()


def test_extremes_stay_what_they_are():
    assert loss("mse")([0.0], [1e200]) == inf
    assert loss("log_cosh")([0.0], [1e6]) == 1e6 - math.log(2.0)
    assert Loss("mse", reduction="mean_with_sample_weight")([1.0], [3.0], [0.0]) == 0.0
    assert loss("cosine_similarity")([[0.0, 0.0]], [[1.0, 2.0]]) == 0.0
    assert loss("mape")([0.0], [1e-7]) == 100.0
    assert math.isnan(loss("categorical_crossentropy")([[1.0, 0.0]], [[0.0, 0.0]]))
