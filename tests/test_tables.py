"""Tables as people have them: words, classes, gaps, signs and encodings; none ends in a traceback.

`tests/data/penguins.csv` is that of Horst, Hill and Gorman, "palmerpenguins" (CC0);
`tests/data/housing.csv` the prices of 546 houses in Windsor, by Anglin and Gençay (1996), as the
package pydataset ships them.
"""

from __future__ import annotations

import csv
import io
import json
import random
from pathlib import Path

import pytest

from tests.test_commands import column, folder, run, table  # noqa: F401, as they are fixtures
from tinygrad_edu.command import tables
from tinygrad_edu.errors import BadArgument, TinygradError

DATA = Path(__file__).parent / "data"
QUICK = ("--epochs", "20", "--standardize", "--validation", "0.2", "--json")


def trained(run, *arguments: str) -> dict:  # noqa: F811
    code, said, wrong = run("train", *arguments)
    assert (code, wrong) == (0, ""), wrong
    return json.loads(said)


@pytest.mark.parametrize(
    ("text", "decimal", "expected"),
    [
        ("1,234.5", ".", 1234.5), ("1.234,5", ",", 1234.5), ("12,345,678", ".", 12345678.0),
        ("10 000", ".", 10000.0), ("10\u202f000", ".", 10000.0), ("1'000", ".", 1000.0),
        ("-1e3", ".", -1000.0), (" 7 ", ".", 7.0), ("2,5", ",", 2.5),
        *((word, ".", None) for word in ("", "NA", "n/a", "#N/A", "<NA>", "None", "-", "?", "NaN")),
    ],
)  # fmt: skip
def test_a_field_is_read_as_people_write_it(text, decimal, expected):
    read = tables.parse(f'x;y\n"{text}";1\n', "t.csv", ";", decimal)
    assert read.column("x") == [expected]


def test_a_comma_that_may_be_either_is_not_guessed():
    read = tables.parse('x;y\n"1,5";1\n"1,234";2\n', "t.csv", ";")
    with pytest.raises(TinygradError, match="--decimal"):
        read.column("x")


@pytest.mark.parametrize(
    "content",
    [
        b"flats|price\n1|2\n2|4\n", b"flats price\n1 2\n2 4\n",
        b"flats;price\r\n1;2\r\n2;4\r\n", "\ufeffflats,price\n1,2\n2,4\n".encode(),
        "flats,price\n1,2\n2,4\n".encode("utf-16"), b'"flats","price"\n"1","2"\n"2","4"\n',
        b"flats,price,\n1,2,\n2,4,\n", b"flats,price\n1,2,,\n2,4,,\n",
    ],
)  # fmt: skip
def test_files_of_many_programs_hold_the_same_numbers(content, folder):  # noqa: F811
    read = tables.read(table(content))
    assert (read.column("flats"), read.column("price")) == ([1.0, 2.0], [2.0, 4.0])


def test_latin_letters_are_read_as_windows_wrote_them(folder):  # noqa: F811
    read = tables.read(table("größe,preis\n1,2\n".encode("cp1252")))
    assert read.names == ["größe", "preis"]


def test_parquet(folder):  # noqa: F811
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    pandas.DataFrame({"flats": [1, 2], "street": ["Elm", None]}).to_parquet("t.parquet")
    read = tables.read("t.parquet")
    assert (read.column("flats"), read.strings("street")) == ([1.0, 2.0], ["Elm", None])
    Path("bad.parquet").write_bytes(b"no")
    with pytest.raises(BadArgument, match="not a Parquet file"):
        tables.read("bad.parquet")


# ── Words ─────────────────────────────────────────────────────────────────────────────────


def test_windsor_in_one_command(run):  # noqa: F811
    answer = trained(run, str(DATA / "housing.csv"), "--target", "price", *QUICK)
    assert answer["features"][0] == "lotsize"  # the column that numbers the rows is not used
    assert "driveway=yes" in answer["weights"]
    assert answer["typical_error"] < 0.8 * answer["typical_error_of_mean"]


def test_penguins_in_one_command_and_back(run):  # noqa: F811
    name = str(DATA / "penguins.csv")
    options = ("--target", "species", "--missing", "skip", "--lr", "0.1", "--model", "m.json")
    answer = trained(run, name, *options, *QUICK)
    assert answer["loss_name"] == "sparse_categorical_crossentropy"
    assert answer["accuracy"] > 0.9 > 0.6 > answer["accuracy_of_one_class"]
    code, said, _ = run("predict", "m.json", name, "--missing", "skip")
    assert code == 0
    pairs = list(zip(column(said, "species"), column(said, "predicted_species")))
    assert sum(one == other for one, other in pairs if other) > 0.9 * len(pairs)
    for command in (("graph", "m.json", name, "--missing", "skip"),
                    ("diagnose", name, "--model", "m.json", "--missing", "skip", "--rows", "20"),
                    ("summary", "m.json")):  # fmt: skip
        assert run(*command)[0] == 0


SOLD = "flats,street,sold\n" + "".join(
    f"{i},{'Elm' if i % 2 else 'Oak'},{'yes' if i > 10 else 'no'}\n" for i in range(1, 21)
)


def test_two_classes_and_words_that_were_never_seen(run):  # noqa: F811
    answer = trained(run, table(SOLD), "--standardize", "--lr", "1", "--json", "--model", "m.json")
    assert answer["loss_name"] == "binary_crossentropy"
    assert answer["accuracy"] == 1.0
    code, said, _ = run("predict", "m.json", table("flats,street\n1,Elm\n20,Oak\n", "n.csv"))
    assert (code, column(said, "predicted_sold")) == (0, ["no", "yes"])
    code, _, wrong = run("predict", "m.json", table("flats,street\n1,Ash\n", "n.csv"))
    assert code == 1
    assert "line 2, column 'street': the model does not know 'Ash'. It knows Elm, Oak." in wrong


def test_a_missing_word_is_filled_in_with_the_most_frequent(run):  # noqa: F811
    text = "street,price\nElm,1\nElm,2\nOak,3\n?,4\n"
    answer = trained(run, table(text), "--missing", "mean", "--json", "--model", "m.json")
    assert answer["rows"] == 4
    memory = json.loads(Path("m.json").read_text())["metadata"]["table"]
    assert (memory["means"], memory["categories"]) == ({"street": 0.0}, {"street": ["Elm", "Oak"]})


def test_predictions_can_be_read_again_with_the_same_flags(run):  # noqa: F811
    text = "a;name;y\n1,5;Elm;2,5\n2,5;Oak;4\n3;Elm;5\n4;Oak;6\n"
    trained(run, table(text), "--decimal", ",", "--features", "a", "--json", "--model", "m.json")
    code, said, _ = run("predict", "m.json", "t.csv", "--decimal", ",")
    assert code == 0
    assert said.split("\n")[1].startswith("1,5;Elm;2,5;")  # cells as they stood
    again = tables.parse(said, "o.csv", ";", ",")
    assert all(x is not None for x in again.column("predicted_y"))


@pytest.mark.parametrize(
    ("text", "arguments", "says"),
    [
        ("x,y\n1,1\n2,2\n3,1\n", ["--loss", "binary_crossentropy"], "targets 0 and 1"),
        ("x,y\n1,no\n2,no\n", [], "there is no choice"),
        ("x,y\n1,a\n2,b\n3,c\n4,a\n5,b\n6,c\n", ["--loss", "mean_squared_error"], "3 classes"),
        ("sold,y\n2020-01-05,1\n2021-02-07,2\n", ["--features", "sold"], "holds dates"),
        ("sold,y\n2020-01-05,1\n2021-02-07,2\n", [], "no numeric column"),
        ("x,y\n1,2\ntwo,3\n", ["--features", "x"], "a number is needed"),
    ],
)
def test_what_makes_no_sense_is_refused_with_a_hint(run, text, arguments, says):  # noqa: F811
    code, _, wrong = run("train", table(text), *arguments)
    assert (code, says in " ".join(wrong.split())) == (1, True), wrong


def test_numbers_become_classes_on_demand(run):  # noqa: F811
    text = "x,y\n" + "".join(f"{i},{i % 3}\n" for i in range(12))
    answer = trained(run, table(text), "--categories", "y", "--json", "--epochs", "2")
    assert answer["loss_name"] == "sparse_categorical_crossentropy"


def test_a_question_mark_does_not_drop_a_column(run):  # noqa: F811
    text = "x,z,y\n1,2,3\n?,3,4\n3,4,5\n"
    answer = trained(run, table(text), "--missing", "skip", "--json", "--epochs", "2")
    assert (answer["features"], answer["rows"]) == (["x", "z"], 2)


# ── Damage ────────────────────────────────────────────────────────────────────────────────


def damaged(content: bytes, seed: int) -> bytes:
    """The same file with some bytes replaced, left out, doubled, or its end cut off."""
    draw = random.Random(seed)
    content = content[: draw.randint(40, len(content))] if seed % 4 == 0 else content
    for _ in range(draw.randint(1, 6)):
        i = draw.randrange(len(content))
        new = draw.choice([b"", b"\x00", b"\xff", b'"', b",", b";", b"\n", b"\x1b]0;", b"1e999"])
        content = content[:i] + new + content[i + draw.randint(0, 3) :]
    return content


@pytest.mark.parametrize("seed", range(100))
def test_a_damaged_table_ends_without_a_traceback(run, seed):  # noqa: F811
    whole = (DATA / ("housing.csv" if seed % 2 else "penguins.csv")).read_bytes()[:4000]
    name = table(damaged(whole, seed))
    code, said, wrong = run("train", name, "--epochs", "1", "--missing", "skip", "--standardize")
    assert code in (0, 1)
    assert "Traceback" not in wrong
    assert (code == 1) is bool(wrong)
    assert "\x1b" not in said + wrong
    assert len(wrong) < 2000


def test_the_table_of_predictions_is_that_of_the_csv_module(run):  # noqa: F811
    text = 'a,note,y\n1,"x, ""y""",2\n2,"line\nbreak",4\n'
    trained(run, table(text), "--features", "a", "--json", "--model", "m.json")
    _, said, _ = run("predict", "m.json", "t.csv")
    rows = list(csv.reader(io.StringIO(said)))
    assert [row[:3] for row in rows] == list(csv.reader(io.StringIO(text)))


@pytest.mark.parametrize(
    "content",
    [
        "sep=;\nflats;price\n1;2\n2;4\n", "sep=|\r\nflats|price\r\n1|2\r\n2|4\r\n",
        "flats,price,\n1,2,\n2,4,\n", "flats;price;\n1;2; \n2;4;\n",
    ],
)  # fmt: skip
def test_what_spreadsheets_write_around_a_table_is_no_column(content):
    read = tables.parse(content, "t.csv")
    assert read.names == ["flats", "price"]
    assert (read.column("flats"), read.column("price")) == ([1.0, 2.0], [2.0, 4.0])
    assert tables.parse(read.text({"more": [1, 2]}), "t.csv").column("more") == [1.0, 2.0]


def test_errors_count_the_line_that_names_the_delimiter():
    with pytest.raises(TinygradError, match=r"t.csv, line 4"):
        tables.parse("sep=;\nflats;price\n1;2\nx;4\n", "t.csv").column("flats")


def test_a_typeset_minus_is_a_minus():
    assert tables.parse("x,y\n−2.5,1\n", "t.csv").column("x") == [-2.5]


def test_a_constant_column_is_not_learned_from(run, folder):  # noqa: F811
    rows = "".join(f"5,a,{i},{2 * i}\n" for i in range(12))
    (folder / "t.csv").write_text(f"same,word,x,y\n{rows}", encoding="utf-8")
    code, said, wrong = run("train", "t.csv", "--epochs", "2", "--validation", "0.05")
    assert (code, wrong) == (0, "")
    assert said.count("which is the same in every row") == 2
    assert "Learning y from x." in said
    assert "On the 1 held-out row its typical error" in " ".join(said.split())
    named = trained(run, "t.csv", "--features", "same,x", "--epochs", "2", "--json")
    assert named["features"] == ["same", "x"]
