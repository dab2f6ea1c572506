"""BackupAndRestore: an interrupted training ends with the bits of an unbroken one."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

from tinygrad_edu import keras
from tinygrad_edu.errors import BadArgument, FileError, SavedModelError

X = [[float(i), float(i * i % 7)] for i in range(20)]
Y = [[2.0 * a - b] for a, b in X]


def model(optimizer="adam", *layers):
    keras.utils.set_random_seed(3)
    made = keras.Sequential([
        keras.Input((2,)), keras.layers.Dense(3, "tanh"), *layers, keras.layers.Dense(1)
    ])  # fmt: skip
    made.compile(optimizer, "mse")
    return made


def listed(model):
    return [np.asarray(w).tolist() for w in model.get_weights()]


def trained(model, epochs, *callbacks, **settings):
    """The epochs that were trained, their losses, and the weights."""
    history = model.fit(
        X, Y, epochs=epochs, batch_size=6, verbose=0, callbacks=list(callbacks), **settings
    )
    return history.epoch, history.history.get("loss", []), listed(model)


MODELS = {
    "adam": lambda: model("adam"),
    "momentum": lambda: model(keras.optimizers.SGD(0.01, 0.9)),
    "schedule": lambda: model(
        keras.optimizers.RMSprop(keras.optimizers.schedules.ExponentialDecay(0.1, 7, 0.5))
    ),
    "dropout": lambda: model("sgd", keras.layers.Dropout(0.5)),
    "seeded dropout": lambda: model("sgd", keras.layers.Dropout(0.5, seed=4)),
    "noise": lambda: model("nadam", keras.layers.GaussianNoise(0.1)),
    "batch normalization": lambda: model("sgd", keras.layers.BatchNormalization()),
}
SETTINGS = {"": {}, "in order": {"shuffle": False}, "few steps": {"steps_per_epoch": 2},
            "validated": {"validation_split": 0.2}}  # fmt: skip


@pytest.mark.parametrize("made", MODELS)
@pytest.mark.parametrize("how", SETTINGS)
def test_the_rest_has_the_bits_of_an_unbroken_training(made, how, tmp_path):
    settings = SETTINGS[how]
    first = keras.callbacks.BackupAndRestore(tmp_path / "a", delete_checkpoint=False)
    epochs, losses, _ = trained(MODELS[made](), 3, first, **settings)
    second = keras.callbacks.BackupAndRestore(tmp_path / "a")
    more, rest, weights = trained(MODELS[made](), 6, second, **settings)
    beside = keras.callbacks.BackupAndRestore(tmp_path / "b")
    every, whole, wanted = trained(MODELS[made](), 6, beside, **settings)
    assert epochs + more == every == list(range(6))
    assert losses + rest == whole
    assert weights == wanted
    assert not list(tmp_path.iterdir())  # a training that ends deletes its backup


class Stop(keras.callbacks.Callback):
    def __init__(self, epoch, error):
        self.epoch, self.error = epoch, error

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == self.epoch:
            raise self.error


@pytest.mark.parametrize("error", [RuntimeError("power"), KeyboardInterrupt()], ids=repr)
def test_a_training_that_raised_is_continued(error, tmp_path):
    backup = keras.callbacks.BackupAndRestore(tmp_path)
    with pytest.raises(type(error)):
        trained(model(), 6, backup, Stop(4, error))
    epochs, _, weights = trained(model(), 6, backup)
    assert epochs == [4, 5]
    assert weights == trained(model(), 6, keras.callbacks.BackupAndRestore(tmp_path / "b"))[2]


SCRIPT = """
    import os, sys
    from tests.test_keras_backups import keras, model, trained

    class Kill(keras.callbacks.Callback):
        count = 0
        def on_train_batch_end(self, batch, logs=None):
            Kill.count += 1
            if Kill.count == int(sys.argv[2]):
                os._exit(9)

    backup = keras.callbacks.BackupAndRestore(sys.argv[1], save_freq=sys.argv[3])
    epochs, losses, weights = trained(model(), 5, backup, Kill())
    import json
    print(json.dumps([epochs, weights]))
"""


def killed(folder, batch):
    script = textwrap.dedent(SCRIPT)
    command = [sys.executable, "-c", script, str(folder), str(batch), "epoch"]
    return subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[1])


def test_a_process_that_is_killed_is_continued(tmp_path):
    for batch in (2, 7, 9):  # in the first epoch, and in later ones of the continued training
        assert killed(tmp_path / "killed", batch).returncode == 9
    finished = killed(tmp_path / "killed", 1000)
    unbroken = killed(tmp_path / "unbroken", 1000)
    assert finished.returncode == unbroken.returncode == 0, finished.stderr
    epochs, weights = json.loads(finished.stdout)
    assert epochs == [3, 4]
    assert weights == json.loads(unbroken.stdout)[1]


def test_the_learning_rate_that_a_callback_set_is_kept(tmp_path):
    lower = keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate / 2)
    stop = Stop(3, RuntimeError())
    with pytest.raises(RuntimeError):
        trained(model("sgd"), 5, keras.callbacks.BackupAndRestore(tmp_path), lower, stop)
    again = model("sgd")
    trained(again, 5, keras.callbacks.BackupAndRestore(tmp_path), lower)
    assert float(again.optimizer.learning_rate) == 0.01 / 2**5


def test_within_an_epoch(tmp_path):
    """After a backup within an epoch, it begins anew with the weights reached, as in Keras."""
    backup = keras.callbacks.BackupAndRestore(tmp_path, save_freq=3, delete_checkpoint=False)
    trained(model(), 2, backup, shuffle=False)  # 8 batches: backups after the 3rd and the 6th
    assert json.loads((tmp_path / "training.json").read_text())["epoch"] == 1
    assert trained(model(), 2, backup)[0] == [1]
    never = keras.callbacks.BackupAndRestore(tmp_path / "never", save_freq=False)
    trained(model(), 1, never)
    assert not (tmp_path / "never").exists()


def test_a_damaged_backup(tmp_path):
    backup = keras.callbacks.BackupAndRestore(
        tmp_path, double_checkpoint=True, delete_checkpoint=False
    )
    trained(model(), 4, backup)
    (tmp_path / "training.json").write_text("{")
    assert trained(model(), 4, backup)[0] == [3]  # from the backup before
    for path in tmp_path.iterdir():
        path.write_text("{")
    with pytest.raises(SavedModelError, match="damaged"):
        trained(model(), 4, backup)


def test_mistakes_are_named(tmp_path):
    backup = keras.callbacks.BackupAndRestore(tmp_path, delete_checkpoint=False)
    trained(model(), 1, backup)
    for other in (model("sgd"), model("adam", keras.layers.Dense(2)),
                  model("adam", keras.layers.Dropout(0.5))):  # fmt: skip
        before = listed(other)
        with pytest.raises(BadArgument, match="another model"):
            trained(other, 2, backup)
        assert listed(other) == before
    for settings in ({"save_freq": "batch"}, {"save_freq": 0}, {"save_freq": -1}):
        with pytest.raises(BadArgument, match="save_freq"):
            keras.callbacks.BackupAndRestore(tmp_path, **settings)
    with pytest.raises(BadArgument, match="backup_dir"):
        keras.callbacks.BackupAndRestore("")
    (tmp_path / "file").write_text("")
    with pytest.raises(FileError, match="file"):
        trained(model(), 2, keras.callbacks.BackupAndRestore(tmp_path / "file" / "deeper"))


def test_others_in_the_directory_stay(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    trained(model(), 1, keras.callbacks.BackupAndRestore(tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_a_generator_goes_on_and_the_callback_can_be_pickled(tmp_path):
    def batches():
        while True:
            yield X[:4], Y[:4]

    backup = keras.callbacks.BackupAndRestore(tmp_path, delete_checkpoint=False)
    model().fit(batches(), epochs=2, steps_per_epoch=2, verbose=0, callbacks=[backup])
    assert pickle.loads(pickle.dumps(backup)).backup_dir == tmp_path
    history = model().fit(batches(), epochs=3, steps_per_epoch=2, verbose=0, callbacks=[backup])
    assert history.epoch == [2]
