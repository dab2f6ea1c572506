"""Callbacks against what Keras recorded: driven by a model that is ten lines of arithmetic."""

from __future__ import annotations

import io
import json
import re
import sys
from collections import Counter
from math import inf, nan
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_edu.errors import Anomaly, BadArgument, NameUnknown, NotANumber
from tinygrad_edu.keras import callbacks as cb
from tinygrad_edu.nn.schedules import ExponentialDecay

RUNS = json.loads((Path(__file__).parent / "data" / "trajectories_float64.json").read_text())
POST = next(run for run in RUNS["runs"] if run["id"] == "w=0,b=0/batch32/float64")


class Houses:
    """y = w·x + b, descending on the seven houses."""

    def __init__(self, rate=0.01):
        self.w, self.b, self.stop_training = 0.0, 0.0, False
        self.optimizer = SimpleNamespace(learning_rate=rate)
        self.saved = []

    def get_weights(self):
        return [[[self.w]], [self.b]]

    def set_weights(self, weights):
        [[[self.w]], [self.b]] = weights

    def save(self, path):
        self.saved.append(path)
        Path(path).write_text(json.dumps(self.get_weights()))

    def save_weights(self, path):
        self.save(f"{path}.weights")

    def step(self):
        errors = [self.w * x + self.b - 10000 * x for x in range(1, 8)]
        self.w -= (
            self.optimizer.learning_rate * 2 / 7 * sum(e * x for e, x in zip(errors, range(1, 8)))
        )
        self.b -= self.optimizer.learning_rate * 2 / 7 * sum(errors)
        return sum(e * e for e in errors) / 7


class Replay(Houses):
    """Losses that were recorded, and nothing else."""

    def __init__(self, losses):
        super().__init__()
        self.losses = iter(losses)

    def step(self):
        self.w += 1.0  # so that the weights tell how many steps were taken
        return next(self.losses)


def fit(model, callbacks, epochs, name="loss", steps=1, params=(), **more):
    """The course of fit, as callbacks see it."""
    history = cb.History()
    told = cb.CallbackList([callbacks, history], model)
    told.set_params({"epochs": epochs, "steps": steps, "verbose": 0, **dict(params)})
    told.on_train_begin()
    logs = {}
    for epoch in range(epochs):
        told.on_epoch_begin(epoch)
        for batch in range(steps):
            told.on_train_batch_begin(batch)
            logs = {name: model.step(), **more}
            told.on_train_batch_end(batch, logs)
        told.on_epoch_end(epoch, logs)
        if model.stop_training:
            break
    told.on_train_end(logs)
    return history


# The hooks --------------------------------------------------------------------------------


class Recorder(cb.Callback):
    """Every hook with its arguments, as keras_ux.json records them."""

    def __init__(self):
        self.calls = []

    def __getattribute__(self, name):
        found = super().__getattribute__(name)
        if not name.startswith("on_"):
            return found

        def record(*arguments):
            *place, logs = arguments
            self.calls.append([name, place, sorted(logs)])
            return found(*arguments)

        return record


def test_every_hook_reaches_every_callback_in_order():
    first, second = Recorder(), Recorder()
    model = Houses()
    told = cb.CallbackList([first, [second, None]], model, epochs=2)
    assert first.model is second.model is model
    assert first.params == {"epochs": 2}
    named = [hook for hook in cb.HOOKS if hook not in ("on_batch_begin", "on_batch_end")]
    for hook in named:
        place = () if hook.endswith(("train_begin", "train_end", "test_begin", "test_end",
                                     "predict_begin", "predict_end")) else (3,)  # fmt: skip
        getattr(told, hook)(*place, {"loss": 0.5})
        last = [call for call in first.calls if not call[0].startswith("on_batch")][-1]
        assert last == [hook, list(place), ["loss"]]
        getattr(told, hook)(*place)  # logs are a dict all the same
        getattr(told, hook)(*place, logs={"loss": 1.0})
    assert first.calls == second.calls
    counts = Counter(name for name, _, _ in first.calls)
    assert counts == dict.fromkeys(cb.HOOKS, 3)  # on_batch_begin and _end by on_train_batch_*


def test_one_dict_of_logs_goes_through_all():
    class Adds(cb.Callback):
        def on_epoch_end(self, epoch, logs=None):
            logs["extra"] = epoch

    history = fit(Houses(), Adds(), 2)
    assert history.history["extra"] == [0, 1]
    logs = {"loss": 0.5}
    cb.CallbackList(Adds()).on_epoch_end(7, logs)
    assert logs == {"loss": 0.5, "extra": 7}  # the caller's own


def test_what_is_no_callback():
    with pytest.raises(BadArgument, match=r"Call it: EarlyStopping\(\.\.\.\)"):
        cb.CallbackList([cb.EarlyStopping])
    with pytest.raises(BadArgument, match="Received: 'History'"):
        cb.CallbackList("History")
    one = cb.History()
    assert cb.CallbackList(cb.CallbackList((one,))).callbacks == [one]


# History ----------------------------------------------------------------------------------


def test_history_keeps_every_number():
    model = Houses()
    history = fit(model, [], 500)
    assert history.history["loss"] == pytest.approx(POST["loss"], rel=1e-9)  # the fake is right
    assert history.epoch == list(range(500))
    assert history.params["epochs"] == 500
    assert model.history is history
    assert repr(history).startswith("History of 500 epochs: loss 2e+09 → ")
    assert ".history['loss']" in repr(history)


def test_history_begins_anew():
    history = cb.History()
    told = cb.CallbackList(history, Houses())
    for _ in range(2):
        told.on_train_begin()
        told.on_epoch_end(0, {"loss": 1.0})
    assert (history.epoch, history.history) == ([0], {"loss": [1.0]})


def test_history_in_a_notebook():
    empty = cb.History()._repr_mimebundle_()
    assert empty["text/plain"] == "History of no epoch yet: fit(...) fills it."
    history = fit(Houses(), [], 3, **{"<b>": 0.25})
    bundle = history._repr_mimebundle_()
    assert bundle["text/plain"] == repr(history)
    cells = re.findall(r"<t([dh])>(.*?)</t[dh]>", bundle["text/html"])
    assert cells[:3] == [("h", "epoch"), ("h", "loss"), ("h", "&lt;b&gt;")]
    assert cells[3:6] == [("d", "1"), ("d", "2e+09"), ("d", "0.25")]
    assert bundle["text/html"].count("<tr>") == 4
    history.on_epoch_end(3, {"loss": 1.0, "val_loss": 2.0})  # now two columns have gaps
    assert "<td>4</td><td>1</td><td></td><td></td>" in history._repr_mimebundle_()["text/html"]
    long = fit(Houses(), [], 500)._repr_mimebundle_()["text/html"]
    assert re.findall(r"<tr><td>(.*?)</td>", long) == [*"12345", "⋮", *map(str, range(496, 501))]


# EarlyStopping ----------------------------------------------------------------------------


@pytest.mark.parametrize("restore", [False, True])
def test_early_stopping_of_the_post_s_model(restore, capsys):
    """keras_ux.json, EarlyStopping_loss_min_delta1000_patience3 and _restore_best."""
    stopping = cb.EarlyStopping(
        "loss", min_delta=1000, patience=3, restore_best_weights=restore, verbose=1
    )
    model = Houses()
    history = fit(model, stopping, 500)
    assert (len(history.epoch), stopping.stopped_epoch, stopping.best_epoch) == (376, 375, 372)
    assert stopping.best == pytest.approx(42879.29, rel=1e-4)
    after = 373 if restore else 376
    assert (model.w, model.b) == pytest.approx((POST["w"][after], POST["b"][after]), rel=1e-9)
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "Epoch 376: stopped early, loss was best in epoch 373."
    assert len(said) == 1 + restore


def test_early_stopping_when_it_diverges():
    """EarlyStopping_diverging_lr0.1_patience2."""
    stopping = cb.EarlyStopping("loss", patience=2)
    assert len(fit(Houses(rate=0.1), stopping, 60).epoch) == 3
    assert stopping.stopped_epoch == 2


@pytest.mark.parametrize(
    ("losses", "settings", "stopped"),
    [
        ([5, 4, 4, 4, 4, 4], {}, 2),
        ([5, 4, 4, 4, 4, 4], {"patience": 1}, 2),
        ([5, 4, 4, 4, 4, 4], {"patience": 2}, 3),
        ([5, 4, 3, 2, 1, 0], {}, 0),
        ([5, 5, 5, 5, 5, 5], {"start_from_epoch": 3}, 4),
        ([5, 4, 3, 2, 1, 0], {"mode": "max"}, 1),
        ([5, 4, 3, 2, 1, 0], {"baseline": 0.5, "patience": 3}, 0),  # never a worse one
        ([5, 4, 3, 3.5, 1, 0], {"baseline": 2.5, "patience": 4}, 3),
        ([5, 4, 2, 3.5, 3.5, 0], {"baseline": 2.5, "patience": 2}, 4),
        ([5, 4.5, 4, 3.5, 3, 2.5], {"min_delta": 0.5}, 1),  # not better by more than that
        ([5, 4.5, 4, 3.5, 3, 2.5], {"min_delta": -0.5}, 1),  # Keras takes its magnitude
        ([5, 5.5, 6, 6.5, 7, 7.5], {"mode": "max", "min_delta": 0.5}, 1),
        ([5, 6, 7, 8, 9, 10], {"mode": "max", "min_delta": 0.5}, 0),
        ([nan, 4, 3, 2, 1, 0], {}, 0),
        ([5, nan, nan, 2, 1, 0], {"patience": 2}, 2),
    ],
)
def test_when_early_stopping_stops(losses, settings, stopped, capsys):
    """Traced by hand through Keras's rules; stopped_epoch is 0 if it never does."""
    stopping = cb.EarlyStopping("loss", **settings)
    history = fit(Replay(losses), stopping, 6)
    assert stopping.stopped_epoch == stopped
    assert len(history.epoch) == (stopped + 1 if stopped else 6)
    assert capsys.readouterr().out == ""


def test_the_direction_is_known_by_the_name():
    rising = [0.1, 0.5, 0.9, 0.9]
    for name, stopped in [
        ("accuracy", 3), ("val_acc", 3), ("val_binary_accuracy", 3), ("r2_score", 3), ("r2", 3),
        ("loss", 1), ("val_loss", 1), ("mae", 1), ("val_mean_squared_error", 1), ("out_loss", 1),
        ("root_mean_squared_error", 1), ("hinge", 1),
    ]:  # fmt: skip
        stopping = cb.EarlyStopping(name)
        fit(Replay(rising), stopping, 4, name=name)
        assert stopping.stopped_epoch == stopped, name
    for kind in (cb.EarlyStopping, cb.ReduceLROnPlateau):
        with pytest.raises(BadArgument, match="can't tell whether 'my_number' should rise"):
            kind("my_number")
        kind("my_number", mode="max")
    cb.ModelCheckpoint("m.json", "my_number")  # which compares nothing
    with pytest.raises(BadArgument, match="can't tell"):
        cb.ModelCheckpoint("m.json", "my_number", save_best_only=True)


def test_early_stopping_can_be_used_again():
    stopping = cb.EarlyStopping("loss", restore_best_weights=True)
    for _ in range(2):
        model = Replay([3, 2, 1, 1])
        assert len(fit(model, stopping, 4).epoch) == 4
        assert model.w == 3.0


def test_the_best_weights_come_back_without_a_stop_too():
    model = Replay([1, nan, 3])
    fit(model, cb.EarlyStopping("loss", patience=9, restore_best_weights=True), 3)
    assert model.w == 1.0
    model = Replay([nan, nan, nan])  # never a best: as in Keras those of the first epoch
    fit(model, cb.EarlyStopping("loss", patience=9, restore_best_weights=True), 3)
    assert model.w == 1.0


@pytest.mark.parametrize(
    "make",
    [
        lambda: cb.EarlyStopping(patience=5),
        lambda: cb.ReduceLROnPlateau(),
        lambda: cb.ModelCheckpoint("m.json", save_best_only=True),
    ],
)
def test_an_unknown_monitor_warns_once(make, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.warns(UserWarning, match="watches") as warned:
        history = fit(Houses(), make(), 5, mae=1.0)
    assert len(history.epoch) == 5
    (warning,) = warned
    assert "watches 'val_loss'" in str(warning.message)
    assert re.search(r"Available: loss, mae.*\. Pass validation_data", str(warning.message))


@pytest.mark.parametrize(
    ("make", "error", "said"),
    [
        (
            lambda: cb.EarlyStopping(patience=-1),
            BadArgument,
            "patience must be a whole number from 0",
        ),
        (lambda: cb.EarlyStopping(patience=1.5), BadArgument, "Received: 1.5"),
        (lambda: cb.EarlyStopping(start_from_epoch=True), BadArgument, "start_from_epoch"),
        (lambda: cb.EarlyStopping(min_delta="1"), NotANumber, "min_delta must be a finite number"),
        (lambda: cb.EarlyStopping(baseline=nan), BadArgument, "baseline must be a finite number"),
        (lambda: cb.EarlyStopping(mode="mni"), NameUnknown, "Did you mean 'min'"),
        (lambda: cb.ReduceLROnPlateau(factor=1.0), BadArgument, "above 0 and below 1"),
        (lambda: cb.ReduceLROnPlateau(factor=0), BadArgument, "above 0 and below 1"),
        (lambda: cb.ReduceLROnPlateau(cooldown=-1), BadArgument, "cooldown"),
        (lambda: cb.ReduceLROnPlateau(min_lr=inf), BadArgument, "min_lr"),
        (lambda: cb.ModelCheckpoint("m", save_freq="batch"), BadArgument, "Received: 'batch'"),
        (lambda: cb.ModelCheckpoint("m", save_freq=0), BadArgument, "from 1. Received: 0"),
        (lambda: cb.LambdaCallback(on_epoch_ends=print), NameUnknown, "mean 'on_epoch_end'"),
        (lambda: cb.Progress(3), BadArgument, "Received: 3"),
        (lambda: cb.Progress("yes"), BadArgument, "Received: 'yes'"),
    ],
)
def test_arguments_that_make_no_sense(make, error, said):
    with pytest.raises(error, match=re.escape(said)):
        make()


# Learning rates ---------------------------------------------------------------------------


def test_reduce_lr_on_plateau_as_keras_does(capsys):
    """keras_ux.json, ReduceLROnPlateau: which epochs changed the rate, and to what."""
    reducing = cb.ReduceLROnPlateau(
        "loss", factor=0.5, patience=2, min_delta=20000, min_lr=1e-3, verbose=1
    )
    model = Houses()
    history = fit(model, reducing, 150)
    rates = history.history["learning_rate"]
    changes = [(i, r) for i, r in enumerate(rates) if i == 0 or r != rates[i - 1]]
    assert changes == [(0, 0.01), (16, 0.005), (18, 0.0025), (21, 0.00125), (23, 0.001)]
    assert list(history.history) == ["loss", "learning_rate"]
    said = capsys.readouterr().out.splitlines()
    assert [int(line.split()[1][:-1]) for line in said] == [16, 18, 21, 23]
    assert said[0].endswith("the learning rate is now 0.005.")


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"patience": 1}, [8, 8, 4, 2, 1, 0.5, 0.25]),
        ({"patience": 2}, [8, 8, 8, 4, 4, 2, 2]),
        ({"patience": 0}, [8, 8, 4, 2, 1, 0.5, 0.25]),
        ({"patience": 1, "cooldown": 1}, [8, 8, 4, 2, 1, 0.5, 0.25]),  # it ends with the epoch
        ({"patience": 1, "cooldown": 2}, [8, 8, 4, 4, 2, 2, 1]),
        ({"patience": 1, "min_lr": 3.0}, [8, 8, 4, 3, 3, 3, 3]),
    ],
)
def test_plateaus(settings, expected):
    """Traced by hand through Keras's rules."""
    model = Replay([1.0] * 7)
    model.optimizer.learning_rate = 8.0
    history = fit(model, cb.ReduceLROnPlateau("loss", factor=0.5, **settings), 7)
    assert history.history["learning_rate"] == expected


def test_learning_rate_scheduler(capsys):
    """keras_ux.json, LearningRateScheduler_halving."""
    halving = cb.LearningRateScheduler(lambda epoch, rate: rate / 2 if epoch else rate, verbose=1)
    history = fit(Houses(), halving, 3)
    assert history.history["learning_rate"] == [0.01, 0.005, 0.0025]
    assert history.history["loss"] == pytest.approx([1999999872, 682240000, 428136480], rel=1e-6)
    assert capsys.readouterr().out.splitlines()[1] == "Epoch 2: the learning rate is 0.005."


def test_schedules_of_the_epoch_alone():
    for schedule in (lambda epoch: 0.5**epoch, ExponentialDecay(1.0, 1, 0.5)):
        history = fit(Houses(), cb.LearningRateScheduler(schedule), 3)
        assert history.history["learning_rate"] == [1.0, 0.5, 0.25]
    with pytest.raises(NotANumber, match="Received: None for epoch 0"):
        fit(Houses(), cb.LearningRateScheduler(lambda epoch: None), 1)

    def broken(epoch, rate):
        raise TypeError("mine")  # which Keras takes for a schedule of one argument

    with pytest.raises(TypeError, match="mine"):
        fit(Houses(), cb.LearningRateScheduler(broken), 1)


def test_two_masters_of_one_learning_rate():
    for callback in (cb.LearningRateScheduler(float), cb.ReduceLROnPlateau("loss")):
        with pytest.raises(BadArgument, match="the optimizer follows a schedule: Exponential"):
            fit(Houses(ExponentialDecay(0.1, 1, 0.5)), callback, 1)


# Saving, ending, writing down -------------------------------------------------------------


def test_checkpoints_by_name(tmp_path, capsys):
    """keras_ux.json, ModelCheckpoint_save_best: both epochs improve, names from epoch 1."""
    path = tmp_path / "made" / "for it" / "m-{epoch:02d}-{loss:.0f}.json"
    model = Houses()
    fit(model, cb.ModelCheckpoint(path, "loss", save_best_only=True, verbose=1), 2)
    files = sorted(file.name for file in path.parent.iterdir())
    assert files == ["m-01-2000000000.json", "m-02-682240000.json"]
    said = capsys.readouterr().out.splitlines()
    assert said[1] == f"Epoch 2: saved {model.saved[1]}, loss is 6.8224e+08."


@pytest.mark.parametrize(
    ("settings", "epochs"),
    [
        ({}, [1, 2, 3, 4, 5]),
        ({"save_best_only": True}, [1, 2, 4]),
        ({"save_best_only": True, "mode": "max"}, [1, 3]),
        ({"save_best_only": True, "initial_value_threshold": 2.5}, [4]),
    ],
)
def test_which_epochs_are_saved(settings, epochs, tmp_path):
    model = Replay([4, 3, 5, 2, nan])
    fit(model, cb.ModelCheckpoint(tmp_path / "{epoch}", "loss", **settings), 5)
    assert [int(Path(path).name) for path in model.saved] == epochs


def test_checkpoints_by_batches_and_weights(tmp_path):
    model = Replay(range(100))
    fit(model, cb.ModelCheckpoint(tmp_path / "{epoch}-{batch}", save_freq=3), 4, steps=2)
    assert [Path(path).name for path in model.saved] == ["2-1", "3-2"]
    model = Houses()
    fit(model, cb.ModelCheckpoint(tmp_path / "w", save_weights_only=True), 1)
    assert model.saved == [f"{tmp_path / 'w'}.weights"]
    for wrong in ("{mae}", "{0}", "{loss:q}", "{loss.nothing}", "{epoch"):
        with pytest.raises(BadArgument, match=r"It can hold \{loss\}, \{epoch\}"):
            fit(Houses(), cb.ModelCheckpoint(tmp_path / wrong), 1)


@pytest.mark.parametrize("bad", [nan, inf, -inf])
def test_terminate_on_nan(bad, capsys):
    """keras_ux.json, TerminateOnNaN_lr0.1: the epoch of the infinite loss is the last."""
    model = Replay([1e36, 1e37, bad, 1.0])
    history = fit(model, cb.TerminateOnNaN(), 4)
    assert len(history.epoch) == 3
    assert capsys.readouterr().out == f"Batch 0: the loss is {bad}, training stops.\n"
    with pytest.raises(Anomaly, match=f"the loss is {bad}"):
        fit(Replay([bad]), cb.TerminateOnNaN(raise_error=True), 1)


def test_lambda_callback():
    """keras_ux.json, LambdaCallback_on_epoch_end_calls."""
    calls = []
    fit(Houses(), cb.LambdaCallback(
        on_epoch_end=lambda epoch, logs: calls.append((epoch, dict(logs))),
        on_train_batch_end=lambda batch, logs: calls.append(batch),
        on_train_end=None,
    ), 2)  # fmt: skip
    assert calls == [0, (0, {"loss": 2e9}), 0, (1, {"loss": pytest.approx(682240000)})]


def test_csv_logger(tmp_path):
    path = tmp_path / "losses.csv"
    logger = cb.CSVLogger(path, separator=";")
    written = []
    spy = cb.LambdaCallback(on_epoch_end=lambda epoch, logs: written.append(path.read_text()))
    fit(Replay([0.1, 1e-300, nan]), [logger, spy], 3, mae=2)
    assert written[0] == "epoch;loss;mae\n0;0.1;2\n"  # complete after each epoch
    assert written[2] == "epoch;loss;mae\n0;0.1;2\n1;1e-300;2\n2;nan;2\n"
    fit(Replay([7]), logger, 1)
    assert path.read_text() == "epoch;loss\n0;7\n"
    path.write_text("epoch;loss;mae\n0;7;1\n1;8")  # a crash, in the middle of a line
    fit(Replay([9]), cb.CSVLogger(path, ";", append=True), 1, val_loss=3)
    assert path.read_text() == "epoch;loss;mae;val_loss\n0;7;1;NA\n1;8;NA;NA\n0;9;NA;3\n"
    fit(Replay([9]), cb.CSVLogger(tmp_path / "new.csv", append=True), 1)
    assert (tmp_path / "new.csv").read_text() == "epoch,loss\n0,9\n"
    assert not list(tmp_path.glob("*.part"))


def test_csv_columns_that_come_later(tmp_path):
    logger = cb.CSVLogger(tmp_path / "losses.csv")
    logger.on_train_begin()
    for epoch in range(3):
        validated = {"val_loss": 0.25} if epoch % 2 else {}
        logger.on_epoch_end(epoch, {"loss": 0.5, **validated})
    text = (tmp_path / "losses.csv").read_text()
    assert text == "epoch,loss,val_loss\n0,0.5,NA\n1,0.5,0.25\n2,0.5,NA\n"


# What is printed --------------------------------------------------------------------------


def test_one_line_per_epoch_when_piped(capsys):
    for verbose in (1, 2, "auto", True):
        fit(Houses(), cb.Progress(verbose), 3)
        lines = capsys.readouterr().out.splitlines()
        assert [re.sub(r" *\d+ ms", " T", line) for line in lines] == [
            "epoch 1/3  loss 2.00000e+09 T",
            "epoch 2/3  loss 6.82240e+08 T",
            "epoch 3/3  loss 2.33045e+08 T",
        ]
    fit(Houses(), cb.Progress(0), 3)
    assert capsys.readouterr().out == ""


@given(
    names=st.lists(
        st.sampled_from(
            ["loss", "mae", "accuracy", "sparse_categorical_accuracy", "learning_rate",
             "root_mean_squared_error", "a" * 30, "b_" * 16]
        ),
        min_size=1, unique=True,
    ),
    validated=st.booleans(),
    values=st.lists(st.floats(), min_size=1),
    epochs=st.sampled_from([1, 10, 99999]),
)  # fmt: skip
def test_no_line_is_wider_than_a_page_and_all_epochs_look_alike(names, validated, values, epochs):
    names += [f"val_{name}" for name in names] if validated else []
    shapes = set()
    for i, value in enumerate(values):
        text = cb._line(f"epoch {i:>5}/{epochs}", dict.fromkeys(names, value), 0.5)
        shapes.add(tuple(map(len, text.split("\n"))))
        assert not re.search("[\x1b\b\r]", text)
    (shape,) = shapes
    assert max(shape) <= 80


def test_many_numbers_take_several_lines():
    names = ["loss", "sparse_categorical_accuracy", "val_loss", "val_sparse_categorical_accuracy"]
    assert cb._line("epoch  1/10", dict(zip(names, [0.5, 0.25, nan, -1e-7])), 0.014) == (
        "epoch  1/10  loss    0.500000  sparse_categorical_accuracy    0.250000\n"
        "             val_loss         nan\n"
        "             val_sparse_categorical_accuracy -1.0000e-07     14 ms"
    )
    assert cb._line("evaluated", {"loss": 0.5}, 100.0).split()[-2:] == ["100.0", "s"]


def test_evaluate_prints_its_line_and_validation_does_not(capsys):
    progress = cb.Progress(2)
    progress.on_test_begin()
    progress.on_test_end({"loss": 0.5})
    assert capsys.readouterr().out.startswith("evaluated  loss    0.500000")
    progress.on_train_begin()
    progress.on_test_begin()
    progress.on_test_end({"loss": 0.5})
    assert capsys.readouterr().out == ""


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_without_tqdm_a_terminal_gets_lines(monkeypatch):
    monkeypatch.setattr(sys, "stdout", out := Terminal())
    monkeypatch.setitem(sys.modules, "tqdm", None)  # importing it now raises ImportError
    fit(Houses(), cb.Progress(1), 3)
    assert out.getvalue().count("\n") == 3


@pytest.mark.parametrize("steps", [2, None])
def test_the_live_bar(monkeypatch, steps):
    pytest.importorskip("tqdm")
    monkeypatch.setattr(sys, "stdout", out := Terminal())
    progress = cb.Progress("auto")
    fit(Houses(), [cb.EarlyStopping("loss", verbose=1), progress], 3,
        steps=2, params={"steps": steps})  # fmt: skip
    last = out.getvalue().split("\r")[-1]
    assert "epoch 3/3: 100%" in last
    assert "| 6/6 [" in last if steps else "| 3/3 [" in last
    assert re.search(r"loss=9\.92587e\+06\]\n$", last)
    monkeypatch.setattr(sys, "stdout", out := Terminal())
    fit(Houses(), cb.Progress(2), 3)
    assert out.getvalue().count("\n") == 3
    assert "%" not in out.getvalue()


def test_messages_stand_above_the_live_bar(monkeypatch):
    pytest.importorskip("tqdm")
    monkeypatch.setattr(sys, "stdout", out := Terminal())
    rates = cb.LearningRateScheduler(lambda epoch: 0.01, verbose=1)
    fit(Houses(), [rates, cb.Progress("auto")], 3)
    lines = [line.split("\r")[-1] for line in out.getvalue().split("\n")]
    assert lines[:3] == [f"Epoch {i}: the learning rate is 0.01." for i in (1, 2, 3)]
    assert "100%" in lines[3]
