"""The data of users: every way to write the same numbers gives the same samples, and what
cannot be meant is refused with its place."""

from __future__ import annotations

import array
import datetime
from collections import deque
from fractions import Fraction
from math import inf, nan
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_edu import Value
from tinygrad_edu.errors import BadArgument, NotANumber
from tinygrad_edu.keras.data import (
    Batched,
    Port,
    Stream,
    batches,
    is_stream,
    pairs,
    parts,
    samples,
    split,
)

FLATS = [1, 2, 3, 4, 5, 6, 7]
COLUMN = [[1.0], [2.0], [3.0], [4.0], [5.0], [6.0], [7.0]]
finite = st.floats(allow_nan=False, allow_infinity=False)


class Tensor:
    """The common part of frameworks' tensors: only ``__array__``."""

    def __init__(self, numbers):
        self.numbers = numbers

    def __array__(self, dtype=None, copy=None):
        return np.array(self.numbers, dtype)


@st.composite
def nested(draw):
    """Nested lists of one shape, of up to three dimensions."""
    shape = draw(st.lists(st.integers(1, 4), min_size=1, max_size=3))
    tree = finite
    for size in reversed(shape):
        tree = st.lists(tree, min_size=size, max_size=size)
    return draw(tree)


# What goes in -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "x",
    [
        FLATS,
        tuple(FLATS),
        range(1, 8),
        deque(FLATS),
        array.array("d", FLATS),
        [[n] for n in FLATS],
        tuple((n,) for n in FLATS),
        [Fraction(n) for n in FLATS],
        [np.float32(n) for n in FLATS],
        [np.array([n]) for n in FLATS],
        *(np.array(FLATS, dtype) for dtype in ("f2", "f4", "f8", "g", "i1", "u8", "O")),
        np.array(FLATS)[:, None],
        Tensor(FLATS),
    ],
    ids=lambda x: f"{type(x).__name__} {getattr(x, 'dtype', '')}",
)
def test_seven_flats_however_written(x):
    read = samples(x)
    assert (read.rows, read.shape, read.width, len(read)) == (COLUMN, (1,), 1, 7)
    assert all(type(number) is float for (number,) in read.rows)
    assert read.from_array == isinstance(x, (np.ndarray, Tensor))


@pytest.mark.parametrize(
    "x", [10, 10.0, True + 9, [10], (10,), [[10]], np.float64(10), np.array(10)]
)
def test_one_number_is_one_sample(x):
    assert samples(x, width=1).rows == [[10.0]]


@given(nested())
def test_nested_lists_equal_the_array_of_them(tree):
    of_lists, of_array = samples(tree), samples(np.array(tree))
    assert (of_lists.rows, of_lists.shape) == (of_array.rows, of_array.shape)
    assert of_array.from_array
    assert not of_lists.from_array
    whole = np.array(tree)
    assert of_lists.rows == whole.reshape(len(whole), -1).tolist()  # row-major
    assert of_lists.shape == (whole.shape[1:] or (1,))


def test_the_caller_s_lists_are_not_kept():
    x = [[1.0, 2.0]]
    read = samples(x)
    x[0][0] = 99.0
    assert read.rows == [[1.0, 2.0]]


def test_pandas():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"flats": [1, 2], "price": [10.5, 20.0], "sold": [True, False]})
    read = samples(frame)
    assert read.rows == [[1.0, 10.5, 1.0], [2.0, 20.0, 0.0]]
    assert read.columns == ("flats", "price", "sold")
    assert read.from_array
    assert samples(frame["flats"]).rows == [[1.0], [2.0]]
    assert samples(frame["flats"]).from_array
    assert pairs(frame[["flats", "sold"]], frame["price"]).y.rows == [[10.5], [20.0]]
    frame["town"] = ["Ulm", "Bern"]
    with pytest.raises(NotANumber, match=r"at sample 0, column 'town'.* Received: 'Ulm'"):
        samples(frame)
    with pytest.raises(BadArgument, match="nan at sample 1, column 'price'"):
        samples(pandas.DataFrame({"flats": [1, 2], "price": [1.0, None]}))
    with pytest.raises(NotANumber, match="at sample 1 "):
        samples(pandas.Series([1, None], dtype="Int64"))
    with pytest.raises(NotANumber, match=r"at sample 0 .*Timestamp"):
        samples(pandas.Series(pandas.to_datetime(["2020-01-01"])))


# What does not ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("x", "said"),
    [
        ("1, 2", r"Received: '1, 2' \(of type str\)"),
        (None, r"Received: None \(of type NoneType\). Fill in"),
        ([1, None], "at sample 1 .*Received: None"),
        ([[1, 2], [3, "4"]], r"at sample 1, column 1 \(counted from 0\). Received: '4'"),
        ([1, 2j], r"Received: 2j"),
        (np.array([1, 2j]), r"at sample 0 .*Received: \(1\+0j\)"),
        (np.array(["1", "2"]), "Received: '1'"),
        (np.array(["2020-01-01"], "datetime64[ns]"), "of type datetime64"),
        (np.array([[5, 6]], "timedelta64[ns]"), "at sample 0, column 0 .*of type timedelta64"),
        (np.ma.array([1.0, 2.0], mask=[False, True]), "at sample 1 .*Received: None"),
        ([datetime.date(2020, 1, 1)], "of type date"),
        ({"flats": [1, 2]}, "of type dict"),
        ({1, 2}, "of type set"),
        ((n for n in FLATS), "of type generator"),
        ([Value(2.0)], r"Pass its \.data"),
        ([[[1, 2], [3, None]]], "at sample 0, column 1, 1 "),
    ],
)
def test_what_is_no_number(x, said):
    with pytest.raises(NotANumber, match=f"x of mine contains .*{said}"):
        samples(x, "x of mine")


@pytest.mark.parametrize(
    ("x", "said"),
    [
        ([], r"x is empty.*Received: \[\]"),
        ([[], []], "x is empty"),
        (np.zeros((0, 2)), "x is empty"),
        (np.zeros((2, 0)), "x is empty"),
        ([[1, 2], [3, 4, 5]], r"\[1, 2\] comes first, and \[3, 4, 5\] at sample 1"),
        ([[1, 2], 3], "and 3 at sample 1"),
        ([1, [2]], r"1 comes first, and \[2\] at sample 1"),
        ([[[1], [2]], [[3], [4, 5]]], r"and \[4, 5\] at sample 1, column 1"),
        ([1, nan], r"x holds nan at sample 1 \(counted from 0\)"),
        ([[1, 2, 3]] * 3 + [[1, 2, nan]], "x holds nan at sample 3, column 2"),
        ([[1, inf], [nan, 1]], "x holds inf at sample 0, column 1"),
        (np.array([1.0, -inf]), "x holds -inf at sample 1"),
        (10**400, "x holds inf. Training"),
    ],
)
def test_what_makes_no_samples(x, said):
    with pytest.raises(BadArgument, match=said):
        samples(x)


def test_a_list_that_holds_itself_ends():
    endless: list = []
    endless += [endless, endless]
    with pytest.raises(BadArgument, match="nested deeper than 8 lists"):
        samples(endless)


@pytest.mark.parametrize(
    ("x", "width", "said"),
    [
        (
            [1, 2],
            2,
            r"Received: 2 samples of 1 number. .* of 2 numbers is written \[\[1.0, 2.0\]\]",
        ),
        (np.array([1, 2]), 2, r"is written \[\[1.0, 2.0\]\]"),
        ([1, 2, 3], 2, "needs 2 numbers per sample. Received: 3 samples of 1 number.$"),
        ([[1, 2, 3]], 1, r"1 sample of 3 numbers. 3 samples .* are written \[1.0, 2.0, 3.0\]"),
        ([[1, 2], [3, 4]], 1, "needs 1 number per sample. Received: 2 samples of 2 numbers.$"),
        (5, 2, "Received: 1 sample of 1 number.$"),
    ],
)
def test_the_wrong_width_is_not_guessed_away(x, width, said):
    with pytest.raises(BadArgument, match=said):
        samples(x, width=width)


# Pairs and weights ------------------------------------------------------------------------


@given(st.lists(st.tuples(finite, finite, st.floats(0, 1e9)), min_size=1))
def test_pairs_keep_together(rows):
    x, y, w = map(list, zip(*rows))
    assert pairs(x, y) == pairs(x, [[number] for number in y])
    data = pairs(x, y, w, inputs=1, targets=1)
    reversed_data = data.take(reversed(range(len(rows))))
    assert (data.weights, data.y.rows) == ((w,), [[number] for number in y])
    assert reversed_data.weights == (w[::-1],)
    assert [reversed_data.x.rows, reversed_data.y.rows] == [data.x.rows[::-1], data.y.rows[::-1]]


@pytest.mark.parametrize(
    ("arguments", "settings", "said"),
    [
        ((FLATS, FLATS[:5]), {}, "Received: 7 samples in x and 5 in y"),
        ((FLATS, [FLATS]), {}, "7 samples in x and 1 in y"),
        ((FLATS, [FLATS]), {"targets": 1}, "y needs 1 number .* are written"),
        ((FLATS, [[n, n] for n in FLATS]), {"targets": 1}, "y needs 1 number per sample"),
        ((FLATS, FLATS), {"targets": 3}, "y needs 3 numbers per sample"),
        ((FLATS, FLATS), {"inputs": 2}, "x needs 2 numbers per sample"),
        ((FLATS, None), {}, "Targets are needed"),
        ((FLATS, FLATS, [1, 2]), {}, "7 samples in x and 2 in sample_weight"),
        ((FLATS, FLATS, [1, 1, 1, 1, -1, 1, 1]), {}, "from 0. Received: -1.0 at sample 4"),
        ((FLATS, FLATS, [nan] * 7), {}, "sample_weight holds nan at sample 0"),
        ((FLATS, FLATS, [[1, 2]] * 7), {}, "sample_weight needs 1 number"),
        ((FLATS, FLATS[:5]), {"of": " of batch 3"}, "7 samples in x of batch 3 and 5 in y of b"),
    ],
)
def test_pairs_that_do_not_fit(arguments, settings, said):
    with pytest.raises(BadArgument, match=said):
        pairs(*arguments, **settings)


@pytest.mark.parametrize(
    ("data", "class_weight", "said"),
    [
        (pairs(FLATS, FLATS, FLATS), {1: 2}, "not both"),
        (pairs(FLATS, FLATS), [1, 2], "a dict from class to weight"),
        (pairs(FLATS, FLATS), {"1": 2}, "whole numbers. Received: '1'"),
        (pairs(FLATS, FLATS), {0.5: 2}, "whole numbers. Received: 0.5"),
        (pairs(FLATS, FLATS), {1: -2}, "class 1 must be a finite number from 0. Received: -2"),
        (pairs(FLATS, FLATS), {1: nan}, "class 1 must be a finite number from 0. Received: nan"),
        (pairs(FLATS, FLATS), {1: "2"}, "class 1 must be a finite number from 0. Received: '2'"),
        (pairs([1, 2], [0, 0.5]), {1: 2}, "Received: 0.5 at sample 1"),
    ],
)
def test_class_weights_that_do_not_fit(data, class_weight, said):
    with pytest.raises(BadArgument, match=said):
        data.weighted(class_weight)


def test_class_weights():
    weights = {0: 1.0, np.int64(2): 5, 1.0: 0.5}
    assert pairs(range(5), [0, 1, 2, 2, 3]).weighted(weights).weights == ([1, 0.5, 5, 5, 1],)
    one_hot = [[0.1, 0.9, 0.0], [0, 0, 1], [1, 0, 0], [0.5, 0.5, 0.0]]  # a tie: the first
    assert pairs(range(4), one_hot).weighted(weights).weights == ([0.5, 5, 1, 1],)
    data = pairs(FLATS, FLATS, FLATS)
    assert data.weighted(None) is data


# Several inputs ---------------------------------------------------------------------------

PORTS = [Port("left", 1), Port("right", 2)]
LEFT, RIGHT = [10, 20], [[1, 2], [3, 4]]
ROWS = [[10.0, 1.0, 2.0], [20.0, 3.0, 4.0]]


@pytest.mark.parametrize(
    "x",
    [
        [LEFT, RIGHT],
        (LEFT, RIGHT),
        [np.array(LEFT)[:, None], np.array(RIGHT)],
        {"left": LEFT, "right": RIGHT},
        {"right": np.array(RIGHT), "left": [[10], [20]]},
        np.array(ROWS),
        samples(ROWS),
    ],
)
def test_several_inputs_however_written(x):
    assert samples(x, width=PORTS).rows == ROWS
    assert pairs(x, [1, 2], inputs=PORTS).x.shape == (3,)


@pytest.mark.parametrize(
    ("x", "said"),
    [
        (ROWS[:1], "x needs numbers for 2 inputs, left, right: a list of these"),
        (ROWS, "x for left needs 1 number per sample. Received: 3 samples|x for right needs 2"),
        ([*ROWS, *ROWS], "2 inputs"),
        ([LEFT, RIGHT, RIGHT], "2 inputs"),
        ([LEFT, RIGHT[:1]], "x for left and x for right need as many samples"),
        ({"left": LEFT}, "2 inputs, left, right"),
        ({"left": LEFT, "rihgt": RIGHT}, "2 inputs, left, right"),
        (np.array(RIGHT), "x needs 3 numbers per sample"),
        (5.0, "2 inputs"),
    ],
)
def test_several_inputs_that_do_not_fit(x, said):
    """Rows in a list would be read as inputs as soon as there are as many: they never are."""
    with pytest.raises(BadArgument, match=said):
        samples(x, width=PORTS)


def test_one_input_by_its_name():
    assert samples({"flats": [1, 2]}, width=[Port("flats", 1)]).rows == [[1.0], [2.0]]
    assert samples([1, 2], width=[Port("flats", 1)]).rows == [[1.0], [2.0]]
    with pytest.raises(BadArgument, match="1 input, flats"):
        samples({"flat": [1, 2]}, width=[Port("flats", 1)])


# Validation split, batches ----------------------------------------------------------------


@given(st.integers(1, 200), st.floats(0, 1, exclude_max=True))
def test_the_split_takes_the_end(n, fraction):
    data = pairs(range(n), range(n), sample_weight=range(n))
    size = int(n * (1.0 - fraction))
    if fraction and size in (0, n):
        with pytest.raises(BadArgument, match=f"leaves {size} to train on"):
            split(data, fraction)
        return
    train, validation = split(data, fraction)
    assert len(train) == size
    kept = [*train.x.rows, *(validation.x.rows if validation else [])]
    assert kept == data.x.rows
    assert (validation is None) == (fraction == 0.0)
    if validation:
        assert validation.weights == (data.weights[0][size:],)


def test_keras_s_split_of_seven():
    """fit_output.verbose_2_batch2_mae_validation_split0.3: two batches of two to train on."""
    train, validation = split(pairs(FLATS, FLATS), 0.3)
    assert (len(train), validation.y.rows) == (4, [[5.0], [6.0], [7.0]])


@pytest.mark.parametrize("fraction", [1, 1.5, -0.1, nan])
def test_no_fraction(fraction):
    with pytest.raises(BadArgument, match=f"from 0 to below 1. Received: {fraction}"):
        split(pairs(FLATS, FLATS), fraction)
    with pytest.raises(NotANumber, match="Received: 'half'"):
        split(pairs(FLATS, FLATS), "half")


@given(st.integers(0, 200), st.integers(1, 50), st.none() | st.integers())
def test_batches_partition_the_places(n, size, seed):
    found = list(batches(n, size, None if seed is None else Random(seed)))
    assert all(len(batch) == size for batch in found[:-1])
    assert not found or 1 <= len(found[-1]) <= size
    places = [i for batch in found for i in batch]
    assert sorted(places) == list(range(n))
    if seed is None:
        assert places == sorted(places)
    else:
        assert found == list(batches(n, size, Random(seed)))


def test_a_shuffle_shuffles_and_goes_on():
    random = Random(0)
    first, second = (list(batches(50, 50, random)) for _ in range(2))
    assert first != second
    assert list(range(50)) not in (first[0], second[0])
    assert [len(batch) for batch in batches(70)] == [32, 32, 6]
    assert list(batches(3, np.int64(2))) == [[0, 1], [2]]


@pytest.mark.parametrize("size", [0, -7, 2.0, "2", True, [2]])
def test_no_batch_size(size):
    with pytest.raises(BadArgument, match=r"batch_size must be a whole number from 1"):
        batches(7, size)  # at once, before the first batch is asked for


def test_steps_of_an_array_go_on_and_end_where_it_ends():
    """As Keras's EpochIterator: [0, 1], [2], and from the begin."""
    source = Batched(samples([0, 1, 2]), size=1, steps=2)
    assert source.steps == 2
    assert source.orders(1) == [[[0], [1]]]
    rest = source.rest
    for _ in range(2):  # put back, the same comes again
        source.rest = rest
        with pytest.warns(UserWarning, match="ran out: an epoch got 1 of 2"):
            assert source.orders(1) == [[[2]]]
    assert source.orders(1) == [[[0], [1]]]
    shuffled = Batched(samples(range(8)), 2, Random(0), steps=2)
    one, two = shuffled.orders(2)
    assert sorted(i for batch in one + two for i in batch) == list(range(8))
    assert shuffled.orders(2) != [one, two]
    with pytest.raises(BadArgument, match="steps must be a whole number from 1"):
        Batched(samples([1]), steps=0)


# Batches that come one by one -------------------------------------------------------------


def endless():
    i = 0
    while True:
        yield [i], [10 * i]
        i += 1


class Indexed:
    """A source like keras.utils.PyDataset: a length, and batches by number."""

    def __len__(self):
        return 3

    def __getitem__(self, i):
        return [i], [10 * i]  # and never an IndexError


def stream_of(items, steps=None, class_weight=None, **settings):
    def read(item, i):
        batch = parts(item, f"Batch {i} of the epoch")
        return pairs(*batch, of=f" of batch {i}", **settings).weighted(class_weight)

    return Stream(items, read, steps)


def firsts(stream):
    return [batch.x.rows[0][0] for batch in stream.epoch()]


def test_what_is_a_stream():
    loader = type("Loader", (), {"__iter__": lambda self: iter([])})()
    assert all(map(is_stream, [endless(), iter([]), Indexed(), loader, map(abs, [1])]))
    data = [1, 2.0, "text", b"", None, [1], (1,), range(3), {}, {1}, np.zeros(2), Tensor([1])]
    assert not any(map(is_stream, data))
    with pytest.raises(BadArgument, match="A generator or another source"):
        stream_of([1, 2])


def test_epochs_of_an_endless_generator_go_on():
    stream = stream_of(endless(), steps=2)
    assert [firsts(stream) for _ in range(3)] == [[0, 1], [2, 3], [4, 5]]
    assert stream.steps == 2
    assert not stream.exhausted


def test_a_source_with_a_length_begins_again():
    whole, cycled = stream_of(Indexed()), stream_of(Indexed(), steps=2)
    assert (whole.steps, cycled.steps) == (3, 2)
    assert [firsts(whole) for _ in range(2)] == [[0, 1, 2]] * 2
    assert [firsts(cycled) for _ in range(3)] == [[0, 1], [2, 0], [1, 2]]


def test_a_generator_that_runs_out():
    once = stream_of(([i], [i]) for i in range(3))
    assert once.steps is None
    assert firsts(once) == [0, 1, 2]
    assert not once.exhausted
    with pytest.warns(UserWarning, match="an epoch got 0 of at least 1"):
        assert firsts(once) == []
    assert once.exhausted
    short = stream_of((([i], [i]) for i in range(3)), steps=2)
    assert firsts(short) == [0, 1]
    with pytest.warns(UserWarning, match="an epoch got 1 of 2"):
        assert firsts(short) == [2]
    nothing = stream_of(type("Empty", (), {"__iter__": lambda self: iter([])})(), steps=2)
    with pytest.raises(BadArgument, match="This source of batches is empty"):
        firsts(nothing)


def test_items_are_checked_with_their_number():
    (batch,) = stream_of([(np.array([[1, 2]]), [3], [0.5])].__iter__(), inputs=2).epoch()
    assert (batch.x.rows, batch.y.rows, batch.weights) == ([[1.0, 2.0]], [[3.0]], ([0.5],))
    (batch,) = stream_of(iter([([1, 2], [0, 1])]), class_weight={1: 3.0}).epoch()
    assert batch.weights == ([1.0, 3.0],)
    for item, settings, said in [
        (([1], [nan]), {}, "y of batch 1 holds nan"),
        (([1, 2], [1]), {}, "2 samples in x of batch 1 and 1 in y of batch 1"),
        (([1], [[1, 2]]), {"targets": 1}, "y of batch 1 needs 1 number"),
        (([1],), {}, "Batch 1 of the epoch must be"),
        ([1, 2, 3, 4], {}, "Batch 1 of the epoch must be"),
        (np.zeros((2, 1)), {}, "of type ndarray"),
    ]:
        with pytest.raises(BadArgument, match=said):
            list(stream_of(iter([([1], [1]), item]), **settings).epoch())
    for steps in (0, -1, 1.5, True):
        with pytest.raises(BadArgument, match="steps must be a whole number from 1"):
            stream_of(endless(), steps)


def test_nothing_heavy_is_imported():
    import subprocess
    import sys

    program = "import sys, tinygrad_edu.keras.data; print('numpy' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", program], text=True) == "False\n"
