"""The commands on tables: what they read, learn, write and say, and how they end."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_edu import keras
from tinygrad_edu.command import cli, tables
from tinygrad_edu.command.commands import Scale, fold
from tinygrad_edu.errors import TinygradError
from tinygrad_edu.keras.callbacks import Callback
from tinygrad_edu.keras.saving import load_model

HOUSES = "flats,price\n" + "".join(f"{n},{n}0000\n" for n in range(1, 8))
KERAS_LINE = "price = 9942.903307 · flats + 282.739456"
POSTS = ["--features", "flats", "--target", "price", "--epochs", "500", "--initializer", "zeros"]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Every test has a folder to itself, with the post's houses."""
    monkeypatch.chdir(tmp_path)
    Path("houses.csv").write_text(HOUSES, encoding="utf-8")
    return tmp_path


@pytest.fixture
def run(capsys):
    """Run a command here, and get its exit code and what it printed."""

    def command(*arguments: str) -> tuple[int, str, str]:
        try:
            code = cli.main(arguments)
        except SystemExit as end:
            code = end.code
        return (code, *capsys.readouterr())

    return command


def table(text: str | bytes, name: str = "t.csv") -> str:
    Path(name).write_bytes(text.encode() if isinstance(text, str) else text)
    return name


def here() -> list[str]:
    return sorted(path.name for path in Path().iterdir())


def column(text: str, name: str) -> list[str]:
    return [row[name] for row in csv.DictReader(io.StringIO(text))]


# ── train ─────────────────────────────────────────────────────────────────────────────────


def test_the_posts_houses_give_the_numbers_of_keras(run):
    code, said, wrong = run("train", "houses.csv", *POSTS, "--lr", "0.01")
    assert (code, wrong) == (0, "")
    assert KERAS_LINE in said
    for words in ("7 rows, 2 columns", "Learning price from flats", "0.0480590",
                  "these steps converge", "epoch   1  loss 2e+09", "epoch 500",
                  "is not saved"):  # fmt: skip
        assert words in said
    assert max(map(len, said.splitlines())) <= 80
    assert here() == ["houses.csv"]


def test_lines_come_now_and_then(run):
    _, said, _ = run("train", "houses.csv", "--epochs", "23")
    shown = [line.split()[1] for line in said.splitlines() if line.startswith("epoch")]
    assert shown == ["1", "2", "5", "10", "20", "23"]


def test_quiet_says_nothing_and_json_one_object(run):
    assert run("train", "houses.csv", *POSTS, "--quiet", "--model", "m.json") == (0, "", "")
    assert Path("m.json").exists()
    code, said, wrong = run("train", "houses.csv", *POSTS, "--json")
    found = json.loads(said)
    assert (code, wrong, len(said.splitlines())) == (0, "", 1)
    assert found["weights"]["flats"] == pytest.approx(9942.903307, abs=5e-7)
    assert found["bias"] == pytest.approx(282.739456, abs=5e-7)
    assert found["learning_rate_bound"] == pytest.approx(0.0480590, abs=5e-8)
    assert (found["rows"], found["features"], found["target"]) == (7, ["flats"], "price")
    assert len(found["history"]) == 500
    assert found["loss"] < found["history"][-1] < found["history"][0]
    assert found["validation_loss"] is None
    assert found["model"] is None


def test_the_same_seed_gives_the_same_model(run):
    options = ("train", "houses.csv", "--epochs", "3", "--batch-size", "2", "--json")
    first, again, other = (
        json.loads(run(*options, *more)[1])["weights"] for more in ([], [], ["--seed", "1"])
    )
    assert first == again != other


def test_by_default_all_numbers_are_features_and_the_last_column_is_the_target(run):
    name = table("flats,street,age,empty,odd,price\n1,Elm,3,,1,5\n2,Oak,4,,x1,6\n3,Fir,5,,2,7\n")
    _, said, _ = run("train", name, "--epochs", "1", "--lr", "0.001")
    assert "Learning price from flats, age." in said
    assert "column 'street': 3 different strings in 3 rows are too many" in " ".join(said.split())
    assert "line 3, column 'odd'" in " ".join(said.split())
    assert "column 'empty' is empty" in said


def test_a_rate_above_the_bound_is_warned_of_and_its_model_is_not_kept(run):
    Path("m.json").write_text("an older model")
    code, said, wrong = run(
        "train", "houses.csv", "--lr", "0.06", "--epochs", "30", "--model", "m.json"
    )
    assert code == 1
    assert "Warning: the learning rate is above" in said
    assert "above the bound 0.0480590" in wrong
    assert "the loss grew from" in wrong
    assert len(wrong.splitlines()) == 1
    assert Path("m.json").read_text() == "an older model"


@pytest.mark.parametrize("more", [[], ["--optimizer", "rmsprop"], ["--hidden", "3"]])
def test_a_loss_that_is_no_number_ends_with_code_1(run, more):
    rate = ["--lr", "1e200"]
    Path("m.json").write_text("an older model")
    code, _, wrong = run("train", "houses.csv", *rate, *more, "--model", "m.json")
    assert code == 1
    assert "Training diverged: in epoch " in wrong
    assert "the loss was not finite" in wrong
    assert ("--lr 0.024" in wrong) is (not more)
    assert len(wrong.splitlines()) == 1
    assert Path("m.json").read_text() == "an older model"
    assert "--standardize" not in run("train", "houses.csv", *rate, *more, "--standardize")[2]


@pytest.mark.parametrize("rate", ["0.1", "1e200"])
def test_the_loss_after_the_last_epoch_counts(run, rate):
    """Keras's loss of an epoch is that before its step; what the step did is seen afterwards."""
    arguments = ("--initializer", "zeros", "--epochs", "1", "--lr", rate, "--model", "m.json")
    code, _, wrong = run("train", "houses.csv", *arguments)
    assert code == 1
    assert "the loss grew from 2e+09 to " in wrong
    assert not Path("m.json").exists()


def test_more_columns_than_a_hessian_is_made_for(run):
    names = [f"c{i}" for i in range(250)]
    name = table(f"{','.join(names)}\n" + f"{','.join('12' * 125)}\n{','.join('21' * 125)}\n")
    code, said, _ = run("train", name, "--epochs", "1", "--lr", "1e-9", "--json")
    assert (code, json.loads(said)["learning_rate_bound"]) == (0, None)


def test_a_loss_that_grows_without_a_known_bound_is_told(run):
    arguments = ("--optimizer", "adam", "--lr", "1e6", "--epochs", "3")
    code, said, _ = run("train", "houses.csv", *arguments)
    assert code == 0
    assert "It grew, from" in said


@pytest.mark.parametrize(
    ("loss", "unit"), [("mean_squared_error", 2), ("mean_absolute_error", 1), ("huber", 0)]
)
def test_standardize_trains_on_scaled_columns_and_saves_a_model_of_raw_ones(run, loss, unit):
    """Against the same training done by hand, on columns that were scaled by hand."""
    rows = [(i, 50.0 * i * i - 7.0, 100.0 + 30.0 * i + (i % 3)) for i in range(1, 9)]
    name = table("a,b,y\n" + "".join(f"{a},{b},{y}\n" for a, b, y in rows))
    options = ["--hidden", "3", "--activation", "tanh", "--lr", "0.05", "--epochs", "20"]
    options += ["--loss", loss, "--standardize", "--model", "m.json", "--json"]
    code, said, _ = run("train", name, *options)
    assert code == 0

    a, b, y = zip(*rows)
    of = [Scale.of(column) for column in (a, b, y)]
    if not unit:
        of[2] = Scale()
    x = [[of[0](u), of[1](v)] for u, v in zip(a, b)]
    keras.set_random_seed(0)
    layers = [keras.layers.Dense(3, "tanh"), keras.layers.Dense(1)]
    model = keras.Sequential(layers)
    model.build((2,))
    model.compile(keras.optimizers.SGD(0.05), loss)
    model.fit(x, [of[2](v) for v in y], epochs=20, verbose=0)

    by_hand = [[of[2].mean + of[2].deviation * out] for (out,) in model.predict(x)]
    saved = load_model("m.json")
    assert [*zip(*saved.predict([[u, v] for u, v in zip(a, b)]))] == [
        pytest.approx(column, rel=1e-10) for column in zip(*by_hand)
    ]
    told = json.loads(said)["loss"]
    assert told == pytest.approx(saved.evaluate([[u, v] for u, v in zip(a, b)], y), rel=1e-9)
    history = model.history.history["loss"]
    assert json.loads(said)["history"] == pytest.approx(
        [loss * of[2].deviation ** unit for loss in history]
    )


def test_standardize_takes_the_scales_of_the_rows_that_are_trained_on(run):
    _, said, _ = run(
        "train", "houses.csv", "--standardize", "--validation-split", "0.4", "--lr", "0.5",
        "--epochs", "1", "--initializer", "zeros", "--json",
    )  # fmt: skip
    found = json.loads(said)  # one step of a half is exact on a round bowl of these curvatures
    assert found["weights"]["flats"] == pytest.approx(10000.0)
    assert found["bias"] == pytest.approx(0.0, abs=1e-9)
    assert found["learning_rate_bound"] == pytest.approx(1.0)
    assert found["validation_loss"] == pytest.approx(0.0, abs=1e-12)


def test_folding_is_exact_mathematics_also_for_a_constant_column():
    model = keras.Sequential([keras.layers.Dense(2), keras.layers.Dense(1)])
    model.build((2,))
    rows = [[1.0, 5.0], [2.0, 5.0], [4.0, 5.0]]
    scales = [Scale.of(column) for column in zip(*rows)]
    output = Scale(100.0, 30.0)
    scaled = [[scale(x) for scale, x in zip(scales, row)] for row in rows]
    wanted = [100.0 + 30.0 * y for (y,) in model.predict(scaled)]
    fold(model, [*scales, output])
    assert [y for (y,) in model.predict(rows)] == pytest.approx(wanted, rel=1e-13)


def test_scales_of_very_large_and_very_small_numbers():
    assert Scale.of([1.7e308, 1.7e308, 1.0]).mean == pytest.approx(1.7e308 / 1.5)
    for size in (1e300, 1e-300):
        scale = Scale.of([size, 3.0 * size])
        assert scale(size) == pytest.approx(-1.0)
        assert scale(3.0 * size) == pytest.approx(1.0)


def test_a_validation_split_is_told(run):
    options = ("--validation-split", "0.3", "--epochs", "1")
    _, said, _ = run("train", "houses.csv", *options)
    assert "val_loss" in said
    assert "On the 3 rows held out" in said
    found = json.loads(run("train", "houses.csv", *options, "--json")[1])
    assert found["rows"] == 7
    assert found["validation_loss"] > 0.0


def test_classes_are_learned_as_probabilities(run):
    name = table("x,sold\n" + "".join(f"{x / 10},{int(x > 0)}\n" for x in range(-10, 11)))
    run("train", name, "--loss", "bce", "--lr", "1", "--epochs", "200", "--model", "m.json")
    _, said, _ = run("predict", "m.json", name)
    found = [float(p) for p in column(said, "predicted_sold")]
    assert [round(p) for p in found] == [0] * 11 + [1] * 10
    assert all(0.0 < p < 1.0 for p in found)


def test_ten_thousand_rows_are_bearable(run):
    name = table("x,y\n" + "".join(f"{i / 1e4},{3 * i / 1e4 + 1}\n" for i in range(10000)))
    start = time.process_time()
    code, said, _ = run("train", name, "--epochs", "2", "--lr", "0.1", "--json")
    assert code == 0
    assert json.loads(said)["rows"] == 10000
    assert json.loads(said)["loss"] < 0.01
    assert time.process_time() - start < 30.0


def test_no_epochs_at_all(run):
    code, said, _ = run("train", "houses.csv", "--epochs", "0", "--initializer", "ones", "--json")
    assert code == 0
    assert (json.loads(said)["weights"], json.loads(said)["bias"]) == ({"flats": 1.0}, 0.0)


# ── predict, summary, graph, diagnose ─────────────────────────────────────────────────────


def test_predictions_stand_beside_the_table(run):
    name = table('price,"street, no",flats\n10000,"Elm, 1",1\n20000,"O""ak",2\n,Fir, 3 \n')
    run("train", "houses.csv", *POSTS, "--model", "m.json")
    code, said, wrong = run("predict", "m.json", name)
    assert (code, wrong) == (0, "")
    model = load_model("m.json")
    assert said.splitlines()[0] == 'price,"street, no",flats,predicted_price'
    assert column(said, "street, no") == ["Elm, 1", 'O"ak', "Fir"]
    exact = [y for (y,) in model.predict([1, 2, 3])]
    assert [float(x) for x in column(said, "predicted_price")] == exact, "to the last digit"
    code, words, _ = run("predict", "m.json", name, "--output", "p.csv")
    assert words == "3 of 3 rows predicted, in p.csv.\n"
    assert Path("p.csv").read_text(encoding="utf-8") == said
    assert run("predict", "m.json", name, "--output", "p.csv", "--quiet") == (0, "", "")
    _, again, _ = run("predict", "m.json", "p.csv")
    assert again.splitlines()[0].endswith("predicted_price,predicted_price_2")


def test_predictions_in_json(run):
    run("train", "houses.csv", *POSTS, "--model", "m.json")
    name = table("flats\n10\nNA\n")
    found = json.loads(run("predict", "m.json", name, "--missing", "skip", "--json")[1])
    assert found["rows"] == 1
    assert found["predictions"]["predicted_price"] == [pytest.approx(99711.7725, abs=5e-5), None]


def test_gaps_are_filled_with_the_means_of_the_training(run):
    run("train", "houses.csv", *POSTS, "--model", "m.json")
    name = table("id,flats\na,\nb,100\n")
    code, said, wrong = run("predict", "m.json", name)
    assert (code, said) == (1, "")
    assert "line 2, column 'flats': the number is missing" in wrong
    assert (
        column(run("predict", "m.json", name, "--missing", "skip")[1], "predicted_price")[0] == ""
    )
    filled = column(run("predict", "m.json", name, "--missing", "mean")[1], "predicted_price")
    ((of_mean,),) = load_model("m.json").predict([4.0])
    assert float(filled[0]) == of_mean


def test_a_model_without_names_gets_columns_in_order(run):
    model = keras.Sequential([keras.layers.Dense(2, kernel_initializer="ones", input_shape=[2])])
    model.save("m.json")
    name = table("a,word,b\n1,x,2\n3,y,4\n")
    code, said, notes = run("predict", "m.json", name)
    assert code == 0
    assert column(said, "predicted_1") == column(said, "predicted_2") == ["3.0", "7.0"]
    assert "The model has no column names: using a, b, in this order." in notes
    code, _, wrong = run("predict", "m.json", name, "--features", "a")
    assert code == 1
    assert "takes 2 numbers for each row. Received: 1 column, a." in wrong


def test_the_csv_on_stdout_is_utf8_even_where_the_terminal_is_not():
    name = table("flats,straße\n1,Ölweg\n")
    model = keras.Sequential([keras.layers.Dense(1, input_shape=[1])])
    model.save("m.json")
    done = subprocess.run(
        [sys.executable, "-m", "tinygrad_edu", "predict", "m.json", name],
        capture_output=True, env={**os.environ, "PYTHONIOENCODING": "ascii"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.decode("utf-8").startswith("flats,straße,predicted\n1,Ölweg,")


def test_summary(run):
    run(
        "train", "houses.csv", "--hidden", "4", "--epochs", "1", "--lr", "1e-9", "--model", "m.json"
    )
    code, said, _ = run("summary", "m.json")
    assert code == 0
    for words in ("dense", "(4,)", "13", "The model predicts price from flats."):
        assert words in said
    found = json.loads(run("summary", "m.json", "--json")[1])
    assert found["weights"] == 13
    assert [layer["weights"] for layer in found["layers"]] == [8, 5]
    assert (found["features"], found["target"]) == (["flats"], "price")


def test_graph(run):
    run("train", "houses.csv", *POSTS, "--model", "m.json")
    code, said, _ = run("graph", "m.json", "--output", "g.svg")
    assert (code, "g.svg" in said) == (0, True)
    picture = Path("g.svg").read_text(encoding="utf-8")
    for words in ("flats", "predicted price", "a row of means"):
        assert words in picture
    code, said, _ = run(
        "graph", "m.json", "houses.csv", "--rows", "2", "--output", "l.svg", "--json"
    )
    assert json.loads(said)["output"] == "l.svg"
    picture = Path("l.svg").read_text(encoding="utf-8")
    assert "its loss on 2 rows of houses.csv" in picture
    assert "sample 2" in picture
    assert "sample 3" not in picture
    assert run("graph", "m.json", "--output", "g.gif")[0] == 1


def test_diagnose(run):
    code, said, _ = run("diagnose", "houses.csv", "--features", "flats", "--target", "price")
    assert code == 0
    assert "0.0480590" in said
    assert "108.24" in said
    found = json.loads(run("diagnose", "houses.csv", "--rows", "4", "--json")[1])
    assert found["rows"] == 4
    flat = json.loads(run("diagnose", "houses.csv", "--loss", "mae", "--json")[1])
    assert flat["learning_rate_bound"] is None, "JSON has no infinity"


def test_diagnose_a_saved_model(run):
    options = ("houses.csv", "--features", "flats", "--target", "price")
    assert run("train", *options, "--lr", "0.02", "--loss", "log_cosh", "--model", "m.json")[0] == 0
    code, said, _ = run("diagnose", "houses.csv", "--model", "m.json", "--json")
    found, model = json.loads(said), load_model("m.json")
    known = model.why_diverging([[x] for x in range(1, 8)], [10000 * x for x in range(1, 8)])
    assert (code, found["features"], found["target"]) == (0, ["flats"], "price")
    assert found["curvatures"] == known.curvatures
    assert found["learning_rate"] == 0.02
    code, _, wrong = run("diagnose", "houses.csv", "--model", "m.json", "--lr", "0.1")
    assert code == 2
    assert "--lr is for a new model" in wrong


def test_means_are_those_of_the_rows_to_train_on(run):
    """A mean that includes the validation rows would leak their numbers into the training."""
    name = table("flats,age,price\n1,,10\n2,4,\n3,8,30\n4,6,40\n5,600,50\n6,,60\n")
    options = ("train", name, "--epochs", "1", "--lr", "1e-9", "--missing", "mean")
    _, said, _ = run(*options, "--validation-split", "0.4", "--model", "m.json")
    assert "Filled in: 2 missing numbers" in said
    # Of five rows with a price three are trained on; what stands before the fourth is known.
    assert load_model("m.json").metadata["table"]["means"] == {"flats": 2.5, "age": 6.0}


# ── Tables ────────────────────────────────────────────────────────────────────────────────

FLOATS = st.floats(allow_nan=False, allow_infinity=False)


WIDTHS = st.integers(2, 4)
ROWS = WIDTHS.flatmap(lambda n: st.lists(st.lists(FLOATS, min_size=n, max_size=n), min_size=1))


@given(
    ROWS,
    st.sampled_from(",;\t"),
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
)  # fmt: skip
def test_what_csv_writes_is_read_back(rows, delimiter, end, quoting):
    file = io.StringIO()
    writer = csv.writer(file, delimiter=delimiter, lineterminator=end, quoting=quoting)
    names = [f"c, {i}; {i}" for i in range(len(rows[0]))]
    writer.writerows([names, *rows])
    found = tables.parse(file.getvalue(), "t.csv")
    assert (found.names, found.delimiter) == (names, delimiter)
    assert tables.numbers(found, names).rows == rows
    assert found.lines == list(range(2, len(rows) + 2))


@given(st.lists(st.lists(st.text(), min_size=2, max_size=2), min_size=1))
def test_texts_are_given_back_as_they_stand(rows):
    rows = [["".join(c for c in x if c not in "\0\r").lstrip(" ") for x in row] for row in rows]
    rows = [row for row in rows if any(x.strip() for x in row)] or [["x", ""]]
    found = tables.Table("t.csv", ["a", "b"], rows, [])
    assert tables.parse(found.text({}), "t.csv", ",").rows == rows


@pytest.mark.parametrize(
    "text",
    [
        "flats,price\n1,10\n2,20\n",
        "\ufeffflats,price\n1,10\n2,20\n",
        "flats;price\r\n1;10\r\n2;20\r\n",
        "flats\tprice\n1\t10\n2\t20",
        '"flats","price"\n"1","10"\n"2","20"\n',
        "\n\nflats,price\n\n1,10\n,\n2,20\n\n\n",
        " flats , price \n 1 , 10 \n 2 , 20 \n",
        'flats, price\n"1", "10"\n2, 20\n',
        'price,flats\n10,1\n20,2\n',
        'flats;"price; or so";price\n1;"a;b";10\n2;"c\nd";20\n',
        "flats,price\n+1,1e1\n2.,20.0\n",
    ],
)  # fmt: skip
def test_many_spellings_of_one_table(text):
    found = tables.read(table(text))
    assert tables.numbers(found, ["flats", "price"]).rows == [[1.0, 10.0], [2.0, 20.0]]


@pytest.mark.parametrize(
    ("text", "decimal", "number"),
    [
        ("10 000", ".", 10000.0), ("1 234 567.5", ".", 1234567.5), ("-10\u00a0000", ".", -10000.0),
        ("10\u202f000,25", ",", 10000.25), ("1,5", ",", 1.5), ("\t7 ", ".", 7.0),
        ("", ".", None), (" NA ", ".", None), ("NaN", ".", None), ("n/a", ".", None),
        ("null", ",", None),
    ],
)  # fmt: skip
def test_spellings_of_numbers(text, decimal, number):
    assert tables.number(text, decimal) == number


@pytest.mark.parametrize(
    ("text", "decimal"),
    [("1,5", "."), ("1.5", ","), ("2020_01", "."), ("12 34", "."), ("1 0000", "."), ("x", "."),
     ("inf", "."), ("1e999", "."), ("0x10", "."), ("2024-01-01", "."), ("10 %", ".")],
)  # fmt: skip
def test_spellings_of_no_numbers(text, decimal):
    with pytest.raises(TinygradError, match="Received: "):
        tables.number(text, decimal)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("flats,price\n1,10\n2,\n", "t.csv, line 3, column 'price': the number is missing"),
        ("flats,price\n1,10\nNA,20\n", "line 3, column 'flats': the number is missing"),
        ("flats,price\n1,10\n\ntwo,20\n", "line 4, column 'flats': a number is needed. "
                                          "Received: 'two'"),
        ('flats,price\n"1\n",10\n2,x\n', "line 4, column 'price'"),
        ("flats;price\n1;10,5\n", "Use --decimal ','"),
        ("flats,price\n1,10\n2\n", "line 3: 2 fields are needed, as in the header. Received: 1"),
        ("flats,price\n1,10\n2,20,3\n", "line 3: 2 fields"),
        ("flats,price\n1,1e999\n", "a finite number is needed"),
        ("rooms,price\n1,10\n", "Received: 'flats'. Known: price, rooms."),
        ("flat,price\n1,10\n", "Did you mean 'flat'?"),
        ("flats,price,flats\n1,10,2\n", "two columns named 'flats'"),
        ("1,10\n2,20\n", "first line must name the columns"),
        ("flats,price\n", "is too short"),
        ("", "is too short"),
        ("flats,price\n1,\n,10\n", "missing"),
        ('flats,price\n"1,10\n2,20\n', "line 2: not valid CSV"),
        (b"flats,price\n1,\x81\n", "line 2: not valid UTF-8"),
        ("flats,price\n1,10\x00\n", "t.csv, line 2"),
    ],
)  # fmt: skip
def test_errors_in_a_table_name_their_place(run, text, says):
    code, _, wrong = run("train", table(text), "--features", "flats", "--target", "price")
    assert code == 1
    assert says in wrong
    assert len(wrong.splitlines()) == 1
    assert "Traceback" not in wrong


def test_missing_numbers_are_left_out_or_filled_in(run):
    name = table("flats,age,price\n1,,10\n2,4,\n3,8,30\n4,6,40\n")
    options = ("train", name, "--epochs", "1", "--lr", "1e-9")
    _, said, _ = run(*options, "--missing", "skip")
    assert "Left out: 2 rows" in said
    _, said, _ = run(*options, "--missing", "mean", "--model", "m.json")
    assert "Left out: 1 row with" in said, "no target is made up"
    assert "Filled in: 1 missing number, " in said
    assert load_model("m.json").metadata["table"]["means"] == {"flats": 2.5, "age": 6.0}
    code, _, wrong = run("train", table("a,b\n1,\n,2\n"), "--missing", "skip")
    assert (code, "every row lacks a number" in wrong) == (1, True)
    code, _, wrong = run("train", table("a,b,c\n1,,2\n"), "--features", "b", "--missing", "mean")
    assert (code, "column 'b' is empty" in wrong) == (1, True)


def test_a_delimiter_of_ones_own(run):
    name = table("flats|price\n1|10\n2|20\n")
    assert run("train", name, "--epochs", "1", "--delimiter", "|", "--quiet")[0] == 0
    name = table("flats  price\n1     10\n2     20\n")
    assert run("train", name, "--epochs", "1", "--delimiter", " ", "--quiet")[0] == 0
    name = table("flats\tprice\n1\t10\n2\t20\n")
    assert run("train", name, "--epochs", "1", "--delimiter", "tab", "--quiet")[0] == 0


def test_a_row_of_another_width_does_not_hide_the_delimiter():
    text = "a;b, c\n1;2\n3;4;5\n"
    with pytest.raises(TinygradError, match=r"line 3: 2 fields.*The delimiter is ';'"):
        tables.parse(text, "t.csv")


# ── How commands end ──────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["train"], 2, "required"),
        (["trian", "houses.csv"], 2, "invalid choice"),
        (["train", "houses.csv", "--wrong"], 2, "unrecognized"),
        (["train", "houses.csv", "--epochs", "-1"], 2, "from 0 is needed. Received: '-1'"),
        (["train", "houses.csv", "--batch-size", "0"], 2, "from 1 is needed"),
        (["train", "houses.csv", "--lr", "-0.1"], 2, "above 0 is needed. Received: '-0.1'"),
        (["train", "houses.csv", "--lr", "nan"], 2, "above 0 is needed"),
        (["train", "houses.csv", "--hidden", "8,x"], 2, "Received: 'x'"),
        (["train", "houses.csv", "--hidden", "4", "--activation", "rellu"], 2, "mean 'relu'?"),
        (["train", "houses.csv", "--activation", "relu"], 2, "Pass --hidden too"),
        (["train", "houses.csv", "--optimizer", "sdg"], 2, "mean 'sgd'?"),
        (["train", "houses.csv", "--loss", "categorical_crossentropy"], 2, "Unknown loss"),
        (["train", "houses.csv", "--initializer", "zeroes"], 2, "mean 'zeros'?"),
        (["train", "houses.csv", "--validation-split", "1"], 2, "not including, 1 is needed"),
        (["train", "houses.csv", "--features", "a,,b"], 2, "different names"),
        (["train", "houses.csv", "--features", "a,a"], 2, "different names"),
        (["train", "houses.csv", "--delimiter", "ab"], 2, "one character"),
        (["train", "houses.csv", "--missing", "ignore"], 2, "invalid choice"),
        (["train", "houses.csv", "--features", "price"], 1, "'price' is the target"),
        (["train", "houses.csv", "--target", "prize"], 1, "Did you mean 'price'?"),
        (["train", "no.csv"], 1, "'no.csv' can't be read: No such file"),
        (["train", "."], 1, "can't be read"),
        (["train", "houses.csv", "--model", "no/m.json"], 1, "does not exist"),
        (["train", "houses.csv", "--validation-split", "0.99"], 1, "another fraction"),
        (["predict", "no.json", "houses.csv"], 1, "no.json"),
        (["predict", "houses.csv", "houses.csv"], 1, "houses.csv"),
        (["summary", "houses.csv"], 1, "houses.csv"),
        (["diagnose", "houses.csv", "--hidden", "100"], 1, "at most 200"),
    ],
)
def test_mistakes_get_a_line_and_an_exit_code(run, arguments, code, says):
    found, _, wrong = run(*arguments)
    assert (found, "Traceback" in wrong) == (code, False)
    assert says in wrong
    if code == 1:
        assert len(wrong.splitlines()) == 1


def test_predictions_are_written_whole_or_not_at_all(run, monkeypatch):
    run("train", "houses.csv", *POSTS, "--model", "m.json")
    Path("p.csv").write_text("older")
    monkeypatch.setattr(Path, "replace", lambda *_: (_ for _ in ()).throw(OSError(28, "full")))
    code, _, wrong = run("predict", "m.json", "houses.csv", "--output", "p.csv")
    assert (code, "'p.csv' can't be written: full" in wrong) == (1, True)
    assert Path("p.csv").read_text() == "older"
    assert here() == ["houses.csv", "m.json", "p.csv"]


@pytest.mark.parametrize("command", ["train", "predict", "summary", "graph", "diagnose"])
def test_help_has_examples_that_parse(run, command):
    code, said, _ = run(command, "--help")
    assert code == 0
    assert max(map(len, said.splitlines())) <= 80
    examples = [x.split(" > ")[0].split()[1:] for x in said.splitlines() if x.startswith("  tiny")]
    assert examples
    for example in examples:
        assert cli._parser().parse_args(example).command.__name__ == command
    assert f"  {command} " in run("--help")[1]


def test_the_demo_still_takes_its_own_options(run):
    code, said, _ = run("--epochs", "1", "--output", ".")
    assert code == 0
    assert "One neuron" in said


def test_an_interrupted_training_writes_nothing(run, monkeypatch):
    class Impatient(Callback):
        def on_epoch_end(self, epoch, logs=None):
            raise KeyboardInterrupt

    monkeypatch.setattr("tinygrad_edu.keras.callbacks.LambdaCallback", lambda **_: Impatient())
    Path("m.json").write_text("an older model")
    code, _, wrong = run("train", "houses.csv", "--model", "m.json")
    assert (code, wrong) == (130, "tinygrad-edu: interrupted.\n")
    assert Path("m.json").read_text() == "an older model"


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT for one process")
def test_ctrl_c_in_a_process_of_its_own():
    program = [sys.executable, "-m", "tinygrad_edu", "train", "houses.csv"]
    process = subprocess.Popen(
        [*program, "--epochs", "10000000", "--model", "m.json"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8",
    )  # fmt: skip
    for line in process.stdout:
        if line.startswith("epoch"):
            process.send_signal(signal.SIGINT)
            break
    _, wrong = process.communicate(timeout=60)
    assert (process.returncode, wrong) == (130, "tinygrad-edu: interrupted.\n")
    assert here() == ["houses.csv"]
