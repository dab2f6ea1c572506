"""Keras's own files: read as ours, written for Keras, or refused with the reason.

The files in data/keras were made by Keras; data/keras/make.py says how. Where Keras is installed,
it reads ours.
"""

from __future__ import annotations

import io
import json
import random
import zipfile
from pathlib import Path

import numpy as np
import pytest

from tinygrad_edu import keras
from tinygrad_edu.errors import SavedModelError, TinygradError

pytest.importorskip("h5py", reason="h5py is not installed")

FOLDER = Path(__file__).parent / "data" / "keras"
RECORDED = json.loads((FOLDER / "recorded.json").read_text(encoding="utf-8"))
X = RECORDED["x"]
NAMES = ["dense", "functional", "plain"]


def inputs(name):
    return [[row[:2] for row in X], [row[2:] for row in X]] if name == "functional" else X


def targets(name):
    return [[1, 0], [0, 1]] * 4 if name == "dense" else [row[:1] for row in X]


def load(name, **settings):
    return keras.models.load_model(FOLDER / f"{name}.keras", **settings)


def near(got, want, rel=1e-12):
    assert np.allclose(got, want, rtol=rel, atol=rel)


@pytest.mark.parametrize("name", NAMES)
class TestReading:
    def test_predictions(self, name):
        near(load(name).predict(inputs(name)), RECORDED[name]["predict"])

    def test_weights_of_a_file_of_weights(self, name):
        model = load(name)
        model.set_weights([np.zeros(np.shape(w)) for w in model.get_weights()])
        model.load_weights(FOLDER / f"{name}.weights.h5")
        near(model.predict(inputs(name)), RECORDED[name]["predict"])

    def test_back_and_forth(self, name, tmp_path):
        model = load(name)
        model.save(tmp_path / "again.keras")
        assert zipfile.is_zipfile(tmp_path / "again.keras")
        again = keras.models.load_model(tmp_path / "again.keras")
        assert again.get_weights()[0].tolist() == model.get_weights()[0].tolist()
        assert again.predict(inputs(name)) == model.predict(inputs(name))
        assert [layer.name for layer in again.layers] == [layer.name for layer in model.layers]
        assert [layer.config() for layer in again.layers] == [
            layer.config() for layer in model.layers
        ]
        if model.optimizer is not None:
            assert again.optimizer.state_dict() == model.optimizer.state_dict()
            assert again.loss.config() == model.loss.config()
        model.save_weights(tmp_path / "w.weights.h5")
        again.set_weights([np.zeros(np.shape(w)) for w in model.get_weights()])
        again.load_weights(tmp_path / "w.weights.h5")
        assert again.predict(inputs(name)) == model.predict(inputs(name))


@pytest.mark.parametrize("name", ["dense", "functional"])
def test_what_it_was_compiled_with(name):
    model = load(name)
    near(model.evaluate(inputs(name), targets(name), verbose=0), RECORDED[name]["evaluate"], 1e-7)
    assert load(name, compile=False).optimizer is None


def test_training_continues():
    model = load("functional")
    x, y = inputs("functional"), targets("functional")
    model.fit(x, y, epochs=3, batch_size=8, shuffle=False, verbose=0)
    near(model.predict(x), RECORDED["functional"]["trained"])


def changed(name, change):
    """A .keras file with another config."""
    content = io.BytesIO()
    with zipfile.ZipFile(FOLDER / f"{name}.keras") as old, zipfile.ZipFile(content, "w") as new:
        for part in old.namelist():
            text = old.read(part)
            if part == "config.json":
                config = json.loads(text)
                change(config)
                text = json.dumps(config)
            new.writestr(part, text)
    return content.getvalue()


def dense_layer(config):
    return config["config"]["layers"][1]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda c: dense_layer(c).update(class_name="LSTM"), "Unknown layer.*LSTM"),
        (lambda c: dense_layer(c)["config"].update(lora_rank=4), "lora_rank=4"),
        (lambda c: dense_layer(c)["config"].update(units="many"), "units"),
        (lambda c: dense_layer(c)["config"].update(units=9), "weight"),
        (lambda c: dense_layer(c)["config"].update(activation="magic"), "magic"),
        (lambda c: dense_layer(c)["config"]["kernel_initializer"].update(class_name="Odd"), "Odd"),
        (lambda c: c.update(class_name="MyModel"), "MyModel"),
        (lambda c: c["compile_config"].update(loss="ctc"), "ctc"),
        (lambda c: c["compile_config"].update(loss_weights=["1"]), "loss_weights must be"),
        (lambda c: c["compile_config"]["optimizer"]["config"].update(use_ema=True), "use_ema"),
        (lambda c: c["compile_config"]["optimizer"].update(class_name="Muon"), "Muon"),
        (lambda c: c.pop("config"), "config"),
    ],
)
def test_files_with_something_unknown_are_refused_by_name(change, words, tmp_path):
    path = tmp_path / "m.keras"
    path.write_bytes(changed("dense", change))
    with pytest.raises(SavedModelError, match=f"(?s)m.keras.*{words}"):
        keras.models.load_model(path)


def test_damaged_files(tmp_path):
    path, content = tmp_path / "m.keras", (FOLDER / "dense.keras").read_bytes()
    for damaged in (content[:100], content[:-50], b"PK", content[:2000] + bytes(9000)):
        path.write_bytes(damaged)
        with pytest.raises(SavedModelError):
            keras.models.load_model(path)
    weights = (FOLDER / "dense.weights.h5").read_bytes()
    for damaged in (weights[:200], weights[:-4000], weights[:8] + bytes(3000)):
        path.write_bytes(damaged)
        with pytest.raises(SavedModelError):
            load("dense").load_weights(path)


@pytest.mark.parametrize("ending", [".keras", ".weights.h5", ".json", ".weights.json"])
def test_a_flipped_bit_is_never_another_number(ending, tmp_path):
    model, path, rng = load("dense"), tmp_path / f"m{ending}", random.Random(ending)
    weights_only = "weights" in ending
    (model.save_weights if weights_only else model.save)(path)
    content, expected = path.read_bytes(), [w.tolist() for w in model.get_weights()]
    zeros, refused = [np.zeros(np.shape(w)) for w in expected], 0
    for _ in range(200):
        flipped = bytearray(content)
        flipped[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
        path.write_bytes(flipped)
        try:
            if weights_only:
                model.set_weights(zeros)
                model.load_weights(path)
            else:
                model = keras.models.load_model(path)
        except TinygradError:
            refused += 1
            continue
        assert [w.tolist() for w in model.get_weights()] == expected
    assert refused > 20


def test_a_key_twice_is_refused(tmp_path):
    """Readers differ in which of the two they use."""
    whole = load("dense").to_json()
    again = whole.replace("{", '{"config": {}, ', 1)
    assert keras.models.model_from_json(whole).count_params() == load("dense").count_params()
    with pytest.raises(SavedModelError, match="twice"):
        keras.models.model_from_json(again)
    path = tmp_path / "m.keras"
    with zipfile.ZipFile(FOLDER / "dense.keras") as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            text = old.read(name)
            twice = text.replace(b"{", b'{"config": {}, ', 1) if name == "config.json" else text
            new.writestr(name, twice)
    with pytest.raises(SavedModelError, match="twice"):
        keras.models.load_model(path)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", "null", '{"config": 3}', "[" * 10**5, None])
def test_a_string_that_is_not_a_model(text):
    with pytest.raises(SavedModelError):
        keras.models.model_from_json(text)


def test_no_file_lies_about_its_content(tmp_path):
    model = load("dense")
    for name in ("m.h5", "m.hdf5", "m.H5", "m.weights.h5"):
        with pytest.raises(SavedModelError, match=r"\.json or \.keras"):
            model.save(tmp_path / name)
    for name in ("m.keras", "m.h5"):
        with pytest.raises(SavedModelError, match=r"weights\.h5"):
            model.save_weights(tmp_path / name)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(SavedModelError, match=r"HDF5.*load_weights"):
        keras.models.load_model(FOLDER / "dense.weights.h5")


def test_user_defined_code_is_not_written(tmp_path):
    class Own(keras.layers.Dense):
        pass

    model = keras.Sequential([Own(1, input_shape=[1])])
    with pytest.raises(SavedModelError, match="Own"):
        model.save(tmp_path / "m.keras")
    assert not (tmp_path / "m.keras").exists()


class TestKeras:
    """Where Keras is installed, it is the judge."""

    @pytest.fixture(autouse=True)
    def _keras_draws_from_the_global_stream(self):
        state = random.getstate()
        yield
        random.setstate(state)

    def test_it_reads_ours(self, tmp_path):
        theirs = pytest.importorskip("keras", reason="Keras is not installed")
        for name in NAMES:
            model = load(name)
            x = [np.array(part) for part in inputs(name)] if name == "functional" else np.array(X)
            model.save(tmp_path / "m.keras")
            near(theirs.models.load_model(tmp_path / "m.keras").predict(x, verbose=0),
                 model.predict(inputs(name)), 1e-6)  # fmt: skip
            space = {}
            exec(model.export("keras"), space)
            near(space["model"].predict(x, verbose=0), model.predict(inputs(name)), 1e-6)

    def test_a_live_model(self):
        theirs = pytest.importorskip("keras", reason="Keras is not installed")
        for name in NAMES:
            live = theirs.models.load_model(FOLDER / f"{name}.keras")
            model = keras.from_keras(live)
            near(model.predict(inputs(name)), RECORDED[name]["predict"])
            if name != "plain":
                assert model.optimizer.iterations == int(live.optimizer.iterations.numpy())
