"""Errors around files: whoever writes or reads one, the error says what went wrong and what to
do, an older file stays, and no draft is left behind."""

from __future__ import annotations

import errno
import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import tinygrad_edu as tg
from tinygrad_edu import Value, homework, keras
from tinygrad_edu.command import tables
from tinygrad_edu.errors import FileError, SavedModelError, TinygradError
from tinygrad_edu.files import read_whole, write_whole
from tinygrad_edu.keras.saving import load_model


def model() -> Any:
    made = keras.Sequential([keras.layers.Dense(1, input_shape=[1])])
    made.compile("sgd", "mse")
    return made


def fitted(callback: Any) -> None:
    model().fit([1.0], [2.0], epochs=2, verbose=0, callbacks=callback)


loss = Value(2.0, name="w") * 3.0

WRITERS: dict[str, Callable[[Any], Any]] = {
    "a.dot": tg.draw(loss).save,
    "a.svg": lambda path: keras.utils.plot_model(model(), path),
    "film.svg": tg.film([loss, loss]).save,
    "a.html": lambda path: tg.explore(loss, path, parameters=[]),
    "m.json": lambda path: model().save(path),
    "w.json": lambda path: model().save_weights(path),
    "log.csv": lambda path: fitted(keras.callbacks.CSVLogger(path)),
    "c.json": lambda path: fitted(keras.callbacks.ModelCheckpoint(path)),
    "a.js": lambda path: tg.export(loss, path),
    "m.keras": lambda path: model().save(path),
    "w.weights.h5": lambda path: model().save_weights(path),
    "bytes": lambda path: write_whole(path, b"x"),
}
READERS: dict[str, Callable[[Any], Any]] = {
    "m.json": load_model,
    "w.json": lambda path: model().load_weights(path),
    "m.keras": load_model,
    "w.weights.h5": lambda path: model().load_weights(path),
    "t.csv": tables.read,
    "bytes": read_whole,
}
NAMES = ["missing/{}", "a\0{}", "a\ud800{}", "x" * 300 + "{}", "file/{}"]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("file").write_text("old")
    return tmp_path


@pytest.mark.parametrize("name", NAMES, ids=lambda name: ascii(name[:8]))
@pytest.mark.parametrize("writer", WRITERS)
def test_names_that_no_file_can_have_here(writer, name):
    if writer == "c.json" and name.startswith("missing"):
        return  # it makes its folder
    with pytest.raises(TinygradError) as raised:
        WRITERS[writer](name.format(writer))
    said = str(raised.value)
    assert any(advice in said for advice in ("Choose", "Give", "Is the path right?")), said
    assert ("Make its folder first" in said) is name.startswith("missing"), said
    assert [path.name for path in Path().iterdir()] == ["file"]


@pytest.mark.parametrize("name", NAMES, ids=lambda name: ascii(name[:8]))
@pytest.mark.parametrize("reader", READERS)
def test_names_of_files_that_are_not_there(reader, name):
    with pytest.raises(TinygradError) as raised:
        READERS[reader](name.format(reader))
    said = str(raised.value)
    assert any(advice in said for advice in ("Choose", "Give", "Is the path right?")), said
    assert "Make its folder" not in said  # in which there would be nothing


@pytest.mark.parametrize(
    ("number", "advice"),
    [(errno.ENOSPC, "free some space"), (errno.EDQUOT, "free some space"),
     (errno.EACCES, "permissions"), (errno.EROFS, "may write to"), (errno.EIO, "Input/output")],
)  # fmt: skip
@pytest.mark.parametrize("writer", WRITERS)
def test_disks_that_fail(writer, number, advice, monkeypatch):
    def failing(file: int) -> None:
        raise OSError(number, os.strerror(number))

    Path(writer).write_text("old")
    monkeypatch.setattr(os, "fsync", failing)
    with pytest.raises(TinygradError, match=advice) as raised:
        WRITERS[writer](writer)
    assert "Is the path right?" not in str(raised.value)
    assert Path(writer).read_text() == "old"
    assert {path.name for path in Path().iterdir()} == {"file", writer}


@pytest.mark.skipif(os.name == "nt" or not Path("/dev/full").exists(), reason="Linux")
def test_a_log_on_a_full_disk():
    logger = keras.callbacks.CSVLogger("/dev/full", append=False)
    logger._columns = ["epoch", "loss"]
    with pytest.raises(FileError, match="The disk is full"):
        logger.on_epoch_end(0, {"loss": 1.0})


def test_homework_on_a_full_disk(monkeypatch):
    """An empty file would be taken for the student's own."""

    def failing(file: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", failing)
    with pytest.raises(FileError, match="The disk is full"):
        homework.start(Path("mine"), ["neuron"])
    assert [*Path("mine").iterdir()] == []
    monkeypatch.undo()
    with pytest.raises(FileError, match="shorter name"):
        homework.start(Path("x" * 300), ["neuron"])


def test_file_errors_are_oserrors_and_can_be_pickled():
    with pytest.raises(OSError, match="Is the path right") as raised:
        read_whole("nowhere")
    again = pickle.loads(pickle.dumps(raised.value))
    assert (str(again), again.reason) == (str(raised.value), raised.value.reason)


def test_a_key_that_comes_twice_is_refused():
    made = model()
    made.save("m.json")
    text = Path("m.json").read_text(encoding="utf-8")
    for key in ("format", "name", "weights", "metadata"):
        twice = text.replace(f'"{key}":', f'"{key}": {json.dumps("x")}, "{key}":', 1)
        assert twice != text
        Path("m.json").write_text(twice, encoding="utf-8")
        with pytest.raises(SavedModelError, match=f"'{key}' (appears|comes|stands) twice"):
            load_model("m.json")
