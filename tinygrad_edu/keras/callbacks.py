"""Callbacks: they watch a training and may change its course. Names and arguments are Keras's.

`fit` calls the hooks of every callback, in this order:

    on_train_begin
        on_epoch_begin(epoch)
            on_train_batch_begin(batch), on_train_batch_end(batch, logs)      for each batch
            on_test_begin … on_test_end                                       with validation
        on_epoch_end(epoch, logs)
    on_train_end(logs)

``logs`` holds the numbers so far by name, such as ``{"loss": 0.5, "val_loss": 0.7}``. All
callbacks get the same dict, one after the other; what one adds, the later ones see. Epochs
and batches are counted from 0, but from 1 in what is printed or written into file names.
"""

from __future__ import annotations

import csv
import io
import os
import sys
import warnings
from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from math import isfinite, isnan
from pathlib import Path
from time import perf_counter
from types import MappingProxyType
from typing import Any, TypeAlias

from ..core.table import is_real, number
from ..errors import (
    Anomaly,
    BadArgument,
    NotANumber,
    SavedModelError,
    TinygradError,
    check_name,
    check_whole,
)
from ..files import file_errors, read_whole, write_whole
from ..nn.metrics import ALIASES, METRICS
from ..nn.settings import Limit
from ..notebooks import ends, table, wants_html
from ..strings import clean, columns, legible
from .backups import back_up, resume

__all__ = [
    "BackupAndRestore", "CSVLogger", "Callback", "CallbackList", "EarlyStopping", "History",
    "LambdaCallback", "LearningRateScheduler", "ModelCheckpoint", "Progress", "ReduceLROnPlateau",
    "TerminateOnNaN", "WeightHistory",
]  # fmt: skip

Logs: TypeAlias = dict[str, Any] | None


class Callback:
    """The base class of all callbacks, whose hooks do nothing. Override those that you need.

    Inside them ``self.model`` is the model, ``self.params`` what `fit` was asked for
    (``epochs``, ``steps`` per epoch, ``verbose``), and ``self.model.stop_training = True``
    ends the training after this epoch.

    >>> class Halfway(Callback):
    ...     def on_epoch_end(self, epoch, logs=None):
    ...         if logs["loss"] < 0.5:
    ...             self.model.stop_training = True
    """

    model: Any = None
    params: Mapping[str, Any] = MappingProxyType({})

    def set_model(self, model: Any) -> None:
        """Called once, before everything else."""
        self.model = model

    def set_params(self, params: Mapping[str, Any]) -> None:
        """Called once, before everything else."""
        self.params = params

    def hears(self, hook: str) -> bool:
        """Whether it does anything at this hook; `fit` skips hooks without listeners."""
        return hook in vars(self) or getattr(type(self), hook) is not getattr(Callback, hook)

    def on_train_begin(self, logs: Logs = None) -> None:
        """Before the first epoch."""

    def on_train_end(self, logs: Logs = None) -> None:
        """After the last epoch; logs are those of that epoch."""

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        """Before an epoch."""

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """After an epoch and its validation."""

    def on_train_batch_begin(self, batch: int, logs: Logs = None) -> None:
        """Before a batch is learned from; calls `on_batch_begin`."""
        self.on_batch_begin(batch, logs)

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        """After a batch is learned from; calls `on_batch_end`."""
        self.on_batch_end(batch, logs)

    def on_batch_begin(self, batch: int, logs: Logs = None) -> None:
        """The older name of `on_train_batch_begin`."""

    def on_batch_end(self, batch: int, logs: Logs = None) -> None:
        """The older name of `on_train_batch_end`."""

    def on_test_begin(self, logs: Logs = None) -> None:
        """Before evaluating or validating."""

    def on_test_end(self, logs: Logs = None) -> None:
        """After evaluating or validating."""

    def on_test_batch_begin(self, batch: int, logs: Logs = None) -> None:
        """Before a batch is evaluated."""

    def on_test_batch_end(self, batch: int, logs: Logs = None) -> None:
        """After a batch is evaluated."""

    def on_predict_begin(self, logs: Logs = None) -> None:
        """Before predicting."""

    def on_predict_end(self, logs: Logs = None) -> None:
        """After predicting."""

    def on_predict_batch_begin(self, batch: int, logs: Logs = None) -> None:
        """Before a batch is predicted."""

    def on_predict_batch_end(self, batch: int, logs: Logs = None) -> None:
        """After a batch is predicted; logs hold its "outputs"."""


HOOKS = tuple(name for name in vars(Callback) if name.startswith("on_"))
"""The name of every hook."""


class CallbackList(Callback):
    """Several callbacks as one: each hook calls those of all, in order.

    Args:
        callbacks: a callback, or lists of them, nested in any way; None for none.
        model: the model, for all of them.
        **params: parameters for all of them, such as ``epochs=3, steps=1, verbose=0``.

    Raises:
        BadArgument: if something in the list is not a callback.

    >>> history = History()
    >>> callbacks = CallbackList([history], epochs=1)
    >>> callbacks.on_epoch_end(0, {"loss": 0.5})
    >>> history.history
    {'loss': [0.5]}
    """

    def __init__(self, callbacks: Any = None, model: Any = None, **params: Any) -> None:
        self.callbacks: list[Callback] = []
        waiting = [callbacks]
        while waiting:
            item = waiting.pop()
            if isinstance(item, (list, tuple, CallbackList)):
                waiting += reversed(item.callbacks if isinstance(item, CallbackList) else item)
            elif isinstance(item, Callback):
                self.callbacks.append(item)
            elif item is not None:
                forgot = isinstance(item, type) and issubclass(item, Callback)
                raise BadArgument(
                    f"callbacks must be instances of keras.callbacks.Callback. Received: {item!r}."
                    + (f" Call it: {item.__name__}(...)." if forgot else "")
                )
        if model is not None:
            self.set_model(model)
        if params:
            self.set_params(params)

    def set_model(self, model: Any) -> None:
        """Set the model of all callbacks."""
        self.model = model
        for callback in self.callbacks:
            callback.set_model(model)

    def set_source(self, source: Any) -> None:
        """Tell the callbacks that want it what is trained on."""
        for callback in self.callbacks:
            if hasattr(callback, "set_source"):
                callback.set_source(source)

    def set_params(self, params: Mapping[str, Any]) -> None:
        """Set the parameters of `fit` for all callbacks."""
        self.params = params
        for callback in self.callbacks:
            callback.set_params(params)

    def hears(self, hook: str) -> bool:
        """Whether one of them does anything at this hook."""
        return any(callback.hears(hook) for callback in self.callbacks)


def _told_to_all(hook: str) -> Callable[..., None]:
    def tell(self: CallbackList, *place: Any, logs: Logs = None) -> None:
        if place and (place[-1] is None or isinstance(place[-1], dict)):
            *place, logs = place  # type: ignore[assignment]
        logs = {} if logs is None else logs
        for callback in self.callbacks:
            getattr(callback, hook)(*place, logs)

    tell.__name__, tell.__doc__ = hook, getattr(Callback, hook).__doc__
    return tell


for _hook in HOOKS:
    if _hook not in ("on_batch_begin", "on_batch_end"):  # each callback calls these itself
        setattr(CallbackList, _hook, _told_to_all(_hook))


class History(Callback):
    """What `fit` returns: every number of every epoch.

    ``history["loss"]`` is a list with one number per epoch, ``epoch`` the epochs' numbers
    from 0, ``params`` what fit was asked for, ``model`` the model. A notebook shows the curve of
    the loss and a table.

    The loss of an epoch is the mean over its batches, each before its step, so it is not the loss
    at the end of the epoch.

    >>> history = History()
    >>> history
    History of no epoch yet: fit(...) fills it.
    >>> for epoch, loss in enumerate([2e9, 6.8224e8, 2.33045e8]):
    ...     history.on_epoch_end(epoch, {"loss": loss})
    >>> history
    History of 3 epochs: loss 2e+09 → 2.33045e+08. Every epoch's number: .history['loss'].
    """

    def __init__(self) -> None:
        self.epoch: list[int] = []
        self.history: dict[str, list[Any]] = {}

    def hears(self, hook: str) -> bool:
        """False for the end of an epoch: if there are no other listeners, `fit` calls `extend`."""
        return hook == "on_train_begin"

    def extend(self, epochs: Iterable[int], logs: Mapping[str, list[Any]]) -> None:
        """Keep the numbers of several epochs at once, as one list per name."""
        self.epoch += epochs
        for name, values in logs.items():
            self.history.setdefault(name, []).extend(values)

    def on_train_begin(self, logs: Logs = None) -> None:
        """Start again."""
        self.epoch, self.history = [], {}
        self.model.history = self

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Keep the numbers of this epoch."""
        self.extend([epoch], {name: [value] for name, value in (logs or {}).items()})

    def __repr__(self) -> str:
        if not self.history:
            return "History of no epoch yet: fit(...) fills it."
        n = len(self.epoch)
        ways = [
            f"{clean(name)} {_short(values[0])}" + (f" → {_short(values[-1])}" if n > 1 else "")
            for name, values in self.history.items()
        ]
        return legible(
            f"History of {n} epoch{'s' if n > 1 else ''}: {', '.join(ways)}. "
            f"Every epoch's number: .history[{next(iter(self.history))!r}]."
        )

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        """For notebooks: the loss curve, and a table of the first and last epochs."""
        text = {"text/plain": repr(self)}
        if not wants_html(include, exclude):
            return text
        n = len(self.epoch)
        # A number that some epochs lack, as with a validation every second one, has lost its
        # places: its column stays empty.
        columns = [values if len(values) == n else [""] * n for values in self.history.values()]
        rows = [
            [str(epoch + 1), *(_short(column[i]) for column in columns)]
            for i, epoch in enumerate(self.epoch)
        ]
        curve, numbers = self._curve(), table(["epoch", *self.history], ends(rows))
        picture = {"image/svg+xml": curve} if curve else {}
        return {**text, **picture, "text/html": (f"<div>{curve}</div>" if curve else "") + numbers}

    def _curve(self) -> str:
        """The plot of the loss; nothing without matplotlib, or without losses to plot."""
        from ..drawing import plots

        try:
            return plots.svg(plots.loss(self)) if len(self.epoch) > 1 else ""
        except TinygradError:
            return ""


class WeightHistory(Callback):
    """Every weight after every epoch: the path that training takes through them.

    Attributes:
        epochs: the numbers of all weights before the first epoch and after each one, so one
            list more than epochs; each in the order of ``model.parameters()``.

    A path over the bowl of the loss, or a film, is made from it. It is empty again when
    another training begins.

    >>> from tinygrad_edu import keras
    >>> model = keras.Sequential([keras.layers.Dense(1, "linear", kernel_initializer="zeros")])
    >>> model.compile(keras.optimizers.SGD(0.5), "mse")
    >>> recorded = keras.callbacks.WeightHistory()
    >>> _ = model.fit([1.0], [4.0], epochs=2, verbose=0, callbacks=recorded)
    >>> recorded.epochs
    [[0.0, 0.0], [4.0, 4.0], [0.0, 0.0]]
    """

    def __init__(self) -> None:
        self.epochs: list[list[float]] = []

    def on_train_begin(self, logs: Logs = None) -> None:
        """Begin anew, with where the weights start."""
        self.epochs = [self._weights()]

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Keep the weights as this epoch left them."""
        self.epochs.append(self._weights())

    def _weights(self) -> list[float]:
        return [parameter.data for parameter in self.model.parameters()]


def _short(x: Any, width: int = 11, zeros: bool = False) -> str:
    """A number with up to six digits, as many as the width has room for.

    >>> _short(1999999872.0), _short(0.5), _short(0.5, zeros=True), _short(1234567.0, 8)
    ('2e+09', '0.5', '0.500000', '1.23e+06')
    """
    if not is_real(x):
        return str(x)
    kind = "#" if zeros else ""  # zeros at the end let numbers stand under each other
    texts = [f"{number(x):{kind}.{digits}g}".removesuffix(".") for digits in range(6, 0, -1)]
    return next((text for text in texts if len(text) <= width), texts[-1])


def _say(text: str) -> None:
    """Print a line, above a live bar if there is one."""
    text = legible(text)
    if sys.modules.get("tqdm"):
        sys.modules["tqdm"].tqdm.write(text)
        sys.stdout.flush()
    else:
        print(text, flush=True)  # flush, so that it is visible in pipes at once


# ── Callbacks that watch one number ───────────────────────────────────────────────────────


class _Monitoring(Callback):
    """The base class of callbacks that check whether a number has improved."""

    best: float | None

    def __init__(
        self,
        monitor: str,
        mode: str,
        verbose: int,
        min_delta: float = 0.0,
        compares: bool = True,
    ) -> None:
        check_name(f"mode of {type(self).__name__}", mode, ("auto", "min", "max"))
        self.monitor, self.mode, self.verbose = monitor, mode, verbose
        self.min_delta = abs(_finite("min_delta", min_delta))
        self.best = None
        self._sign = 1.0 if compares and self._wants_more() else -1.0
        self._warned = False

    def _current(self, logs: Logs) -> float | None:
        """The number in question; a warning, once, if there is none by that name."""
        value = (logs or {}).get(self.monitor)
        if value is None and not self._warned:
            self._warned = True
            warnings.warn(
                f"{type(self).__name__} watches {self.monitor!r}, which is not among the numbers "
                f"of this epoch, so it does nothing. Available: {legible(', '.join(logs or {}))}."
                + (" Pass validation_data to fit." if self.monitor.startswith("val_") else ""),
                UserWarning,
                stacklevel=2,
            )
        return value

    def _better(self, value: float, than: float | None) -> bool:
        """Whether value beats the other by more than min_delta. nan never does."""
        if than is None:
            return not isnan(value)
        return self._sign * value - self.min_delta > self._sign * than

    def _wants_more(self) -> bool:
        """Whether a larger number is better."""
        name = self.monitor.removeprefix("val_")
        more = bool(_MORE_IS_BETTER & set(name.split("_")))
        if self.mode != "auto":
            return self.mode == "max"
        if more or name.endswith("loss") or name in METRICS or name in ALIASES:
            return more
        raise BadArgument(
            f"{type(self).__name__} can't tell whether {self.monitor!r} should rise or fall. "
            f"Received: mode='auto'. Pass mode='max' or mode='min'."
        )


_MORE_IS_BETTER = {"acc", "accuracy", "auc", "f1", "iou", "precision", "r2", "recall"}


class EarlyStopping(_Monitoring):
    """Stop when a number has not improved for some epochs.

    Args:
        monitor: the name of the number, such as "loss" or "val_loss".
        min_delta: the least improvement that counts.
        patience: the number of epochs without improvement after which training stops.
        verbose: 1 says when it stops.
        mode: whether "min" or "max" is better; "auto" knows losses and the metrics here.
        baseline: patience only starts again with a number that is better than this one too.
        restore_best_weights: whether to restore, at the end of the training, the weights of the
            epoch with the best number.
        start_from_epoch: epochs before this one (from 0) are ignored.

    After the training ``stopped_epoch``, ``best`` and ``best_epoch`` tell what happened.

    Unlike in Keras, where a first number that is nan stays the best one for ever, nan is
    never better than anything.

    Raises:
        BadArgument: for a patience or an epoch that is not a whole number from 0.
        NameUnknown: for an unknown mode.

    >>> EarlyStopping("loss", patience=3).patience
    3
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        min_delta: float = 0,
        patience: int = 0,
        verbose: int = 0,
        mode: str = "auto",
        baseline: float | None = None,
        restore_best_weights: bool = False,
        start_from_epoch: int = 0,
    ) -> None:
        super().__init__(monitor, mode, verbose, min_delta)
        self.patience = check_whole("patience", patience, 0)
        self.baseline = None if baseline is None else _finite("baseline", baseline)
        self.restore_best_weights = restore_best_weights
        self.start_from_epoch = check_whole("start_from_epoch", start_from_epoch, 0)
        self.on_train_begin()

    def on_train_begin(self, logs: Logs = None) -> None:
        """Reset the state of an earlier training."""
        self.wait = self.stopped_epoch = self.best_epoch = 0
        self.best = self.best_weights = None

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Check the number, and stop if necessary."""
        current = self._current(logs)
        if current is None or epoch < self.start_from_epoch:
            return
        better = self._better(current, self.best)
        if better or (self.restore_best_weights and self.best_weights is None):
            self.best_epoch = epoch
            self.best_weights = self.model.get_weights() if self.restore_best_weights else None
        self.wait += 1
        if better:
            self.best = current
            if self.baseline is None or self._better(current, self.baseline):
                self.wait = 0
        elif self.wait >= self.patience and epoch > 0:
            self.stopped_epoch = epoch
            self.model.stop_training = True

    def on_train_end(self, logs: Logs = None) -> None:
        """Restore the best weights, if the settings say so."""
        if self.stopped_epoch and self.verbose:
            _say(f"Epoch {self.stopped_epoch + 1}: stopped early, {self.monitor} was best in "
                 f"epoch {self.best_epoch + 1}.")  # fmt: skip
        if self.best_weights is not None:
            if self.verbose:
                _say(f"The weights are those of the end of epoch {self.best_epoch + 1} again.")
            self.model.set_weights(self.best_weights)


class ReduceLROnPlateau(_Monitoring):
    """Lower the learning rate when a number has not improved for some epochs.

    Args:
        monitor, min_delta, mode, verbose: as for `EarlyStopping`.
        factor: what the learning rate is multiplied by, above 0 and below 1.
        patience: after how many epochs without a better number it is lowered.
        cooldown: how many epochs after that are not counted.
        min_lr: it never goes below this.

    ``learning_rate`` joins the numbers of every epoch, as it was during it.

    Raises:
        BadArgument: for arguments outside these limits; and when training begins, if the
            optimiser follows a schedule.

    >>> ReduceLROnPlateau("loss", factor=0.5).factor
    0.5
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        factor: float = 0.1,
        patience: int = 10,
        verbose: int = 0,
        mode: str = "auto",
        min_delta: float = 1e-4,
        cooldown: int = 0,
        min_lr: float = 0.0,
    ) -> None:
        super().__init__(monitor, mode, verbose, min_delta)
        Limit("a number above 0 and below 1", lambda x: 0.0 < x < 1.0).check("factor", factor)
        self.factor = number(factor)
        self.patience = check_whole("patience", patience, 0)
        self.cooldown = check_whole("cooldown", cooldown, 0)
        self.min_lr = _finite("min_lr", min_lr)
        self.wait = self.cooldown_counter = 0

    def on_train_begin(self, logs: Logs = None) -> None:
        """Reset the state of an earlier training."""
        self.best = None
        self.wait = self.cooldown_counter = 0
        _learning_rate(self)

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Check the number, and lower the learning rate if necessary."""
        logs = {} if logs is None else logs
        rate = logs["learning_rate"] = _learning_rate(self)
        current = self._current(logs)
        if current is None:
            return
        if self.cooldown_counter:
            self.cooldown_counter -= 1
            self.wait = 0
        if self._better(current, self.best):
            self.best, self.wait = current, 0
        elif not self.cooldown_counter:
            self.wait += 1
            if self.wait >= self.patience and rate > self.min_lr:
                self.wait, self.cooldown_counter = 0, self.cooldown
                self.model.optimizer.learning_rate = lower = max(rate * self.factor, self.min_lr)
                if self.verbose:
                    _say(f"Epoch {epoch + 1}: {self.monitor} did not get better, the learning "
                         f"rate is now {lower:g}.")  # fmt: skip


class ModelCheckpoint(_Monitoring):
    """Save the model during training.

    Args:
        filepath: where to; ``{epoch}``, ``{batch}`` and the names of the epoch's numbers are
            filled in, with formats if you like: ``"best-{epoch:03d}-{loss:.2f}.json"``.
        monitor, mode, verbose: as for `EarlyStopping`; used with save_best_only.
        save_best_only: whether only an epoch that is better than all before is saved.
        save_weights_only: whether ``model.save_weights`` is called instead of ``model.save``.
        save_freq: "epoch", or after how many batches to save.
        initial_value_threshold: only what is better than this number is saved.

    Missing directories are made.

    Raises:
        BadArgument: for another save_freq; and when saving, for a name in filepath that no
            number has.

    >>> ModelCheckpoint("houses-{epoch:03d}.json").save_freq
    'epoch'
    """

    def __init__(
        self,
        filepath: str | os.PathLike[str],
        monitor: str = "val_loss",
        verbose: int = 0,
        save_best_only: bool = False,
        save_weights_only: bool = False,
        mode: str = "auto",
        save_freq: str | int = "epoch",
        initial_value_threshold: float | None = None,
    ) -> None:
        super().__init__(monitor, mode, verbose, compares=save_best_only)
        self.filepath = os.fspath(filepath)
        self.save_best_only, self.save_weights_only = save_best_only, save_weights_only
        often = "save_freq, if it is not 'epoch',"
        self.save_freq = save_freq if save_freq == "epoch" else check_whole(often, save_freq)
        if initial_value_threshold is not None:
            self.best = _finite("initial_value_threshold", initial_value_threshold)
        self._epoch = self._batches = 0

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        """Remember the epoch, for what is saved within it."""
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Count the batches, over all epochs."""
        self._batches += 1
        if self.save_freq != "epoch" and self._batches >= int(self.save_freq):
            self._batches = 0
            self._save({**(logs or {}), "epoch": self._epoch + 1, "batch": batch + 1}, logs)

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Save, if that is due."""
        if self.save_freq == "epoch":
            self._save({**(logs or {}), "epoch": epoch + 1}, logs)

    def _save(self, fields: dict[str, Any], logs: Logs) -> None:
        current = self._current(logs) if self.save_best_only else None
        if current is not None:  # what can't be compared is saved, as Keras does
            if not self._better(current, self.best):
                return
            self.best = current
        try:
            path = self.filepath.format(**fields)
        except (LookupError, ValueError, AttributeError, TypeError) as error:
            raise BadArgument(
                f"filepath can't be filled in: {error!r}. Received: {self.filepath!r}. "
                f"It can hold {', '.join(f'{{{name}}}' for name in fields)}."
            ) from error
        with file_errors(path, "written"):
            Path(path).parent.mkdir(parents=True, exist_ok=True)
        (self.model.save_weights if self.save_weights_only else self.model.save)(path)
        if self.verbose:
            best = f", {self.monitor} is {_short(current)}" if current is not None else ""
            _say(f"Epoch {fields['epoch']}: saved {path}{best}.")


class BackupAndRestore(Callback):
    """Back up the training, so that the same `fit` continues it after a kill, a crash or Ctrl-C.

    The backup is one file, which is replaced as a whole: a kill at any moment leaves the old one or
    the new one. It holds the weights, the optimiser's memory and learning rate, the random streams
    and what the current epoch has left of the data, so the continued training has the bits of one
    that was never interrupted. Other callbacks start anew, as in Keras, and so does the history.

    Args:
        backup_dir: a directory for the backup of this training alone.
        save_freq: "epoch", or after how many batches to save; False for never. After a backup
            within an epoch, that epoch begins anew with the weights reached in it, as in Keras.
        double_checkpoint: whether the backup before is kept, and read if the last one is damaged.
        delete_checkpoint: whether a training that ends deletes its backup.

    Raises:
        BadArgument: for an empty backup_dir or another save_freq; and when training begins, if the
            backup is that of another model.
        SavedModelError: when training begins, if the backup is damaged.

    >>> import tempfile
    >>> from tinygrad_edu import keras
    >>> def trained(epochs, folder):
    ...     keras.utils.set_random_seed(1)
    ...     model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    ...     model.compile("adam", "mse")
    ...     backup = BackupAndRestore(folder, delete_checkpoint=False)
    ...     history = model.fit([1, 2, 3], [2, 4, 6], epochs=epochs, verbose=0, callbacks=backup)
    ...     return history.epoch, model.get_weights()
    >>> with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
    ...     first, _ = trained(3, one)
    ...     rest, weights = trained(5, one)
    ...     first, rest, weights == trained(5, other)[1]
    ([0, 1, 2], [3, 4], True)
    """

    def __init__(
        self,
        backup_dir: str | os.PathLike[str],
        save_freq: str | int = "epoch",
        double_checkpoint: bool = False,
        delete_checkpoint: bool = True,
    ) -> None:
        if not os.fspath(backup_dir):
            raise BadArgument(f"backup_dir must be a directory. Received: {backup_dir!r}.")
        self.backup_dir = Path(backup_dir)
        often = "save_freq, if it is not 'epoch',"
        self.save_freq = (
            save_freq
            if save_freq == "epoch" or save_freq is False
            else check_whole(often, save_freq)
        )
        self.double_checkpoint, self.delete_checkpoint = double_checkpoint, delete_checkpoint
        self._path = self.backup_dir / "training.json"
        self._older = self.backup_dir / "training.json.bkp"
        self._epoch = self._batches = 0
        self._source: Any = None

    def on_train_begin(self, logs: Logs = None) -> None:
        """Continue from the backup, if there is one."""
        self._epoch = self._batches = 0
        found = [path for path in (self._path, self._older) if path.exists()]
        for path in found:
            try:
                self._epoch = resume(self.model, self._source, path)
            except SavedModelError:  # damaged: perhaps the one before is whole
                if path is found[-1]:
                    raise
            else:
                self.model.initial_epoch = self._epoch
                return

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Save after so many batches."""
        self._batches += 1
        if self.save_freq not in ("epoch", False) and self._batches >= int(self.save_freq):
            self._batches = 0
            self._save()

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Save, if that is due."""
        self._epoch = epoch + 1
        if self.save_freq == "epoch":
            self._save()

    def on_train_end(self, logs: Logs = None) -> None:
        """Delete the backup, unless it should stay."""
        if self.delete_checkpoint:
            with file_errors(self.backup_dir, "deleted"):
                for path in (self._path, self._older):
                    path.unlink(missing_ok=True)
                if self.backup_dir.is_dir() and not any(self.backup_dir.iterdir()):
                    self.backup_dir.rmdir()

    def hears(self, hook: str) -> bool:
        """Of batches only if it counts them."""
        counts = self.save_freq not in ("epoch", False)
        return super().hears(hook) and (hook != "on_train_batch_end" or counts)

    def _save(self) -> None:
        with file_errors(self._path, "written"):
            self.backup_dir.mkdir(parents=True, exist_ok=True)
            if self.double_checkpoint and self._path.exists():
                write_whole(self._older, read_whole(self._path))
        back_up(self.model, self._source, self._path, self._epoch)

    def set_source(self, source: Any) -> None:
        """Called by `fit` before the training, with the batches that it trains on."""
        self._source = source

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_source": None}  # which may be a generator


# ── Callbacks that steer or write down ────────────────────────────────────────────────────


class TerminateOnNaN(Callback):
    """Stop as soon as the loss of a batch is nan or infinite.

    Args:
        raise_error: whether to raise instead of stopping quietly.

    Raises:
        Anomaly: during training, if that was wanted.

    >>> TerminateOnNaN().raise_error
    False
    """

    def __init__(self, raise_error: bool = False) -> None:
        self.raise_error = raise_error

    def on_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Check the loss."""
        loss = (logs or {}).get("loss", 0.0)
        if isfinite(loss):
            return
        message = f"Batch {batch}: the loss is {loss}, training stops."
        if self.raise_error:
            raise Anomaly(message + " A smaller learning rate or scaled inputs often help.")
        _say(message)
        self.model.stop_training = True


class LambdaCallback(Callback):
    """A callback made of functions.

    Args:
        **hooks: a function for each hook, by its name; with the hook's arguments.

    Raises:
        NameUnknown: if a hook does not exist. (Keras ignores it.)

    >>> said = LambdaCallback(on_epoch_end=lambda epoch, logs: print(epoch, logs["loss"]))
    >>> said.on_epoch_end(0, {"loss": 0.5})
    0 0.5
    """

    def __init__(self, **hooks: Callable[..., Any] | None) -> None:
        for name, function in hooks.items():
            check_name("hook", name, HOOKS)
            if function is not None:
                setattr(self, name, function)


class LearningRateScheduler(Callback):
    """Set the learning rate before every epoch.

    Args:
        schedule: ``schedule(epoch, rate)`` or ``schedule(epoch)``, which gives the learning
            rate of that epoch (from 0); ``rate`` is that of the epoch before.
        verbose: 1 says so.

    ``learning_rate`` joins the numbers of every epoch. A schedule that counts batches is no
    callback: give it to the optimiser in place of a number.

    Raises:
        NotANumber: during training, if the schedule gives no number.
        BadArgument: when training begins, if the optimiser follows a schedule.

    >>> halved = LearningRateScheduler(lambda epoch, rate: rate / 2 if epoch else rate)
    """

    def __init__(self, schedule: Callable[..., float], verbose: int = 0) -> None:
        self.schedule, self.verbose = schedule, verbose
        self._takes_rate = _takes_two(schedule)

    def on_train_begin(self, logs: Logs = None) -> None:
        """Check that the learning rate can be set."""
        _learning_rate(self)

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        """Set the learning rate."""
        rate = _learning_rate(self)
        wanted = self.schedule(epoch, rate) if self._takes_rate else self.schedule(epoch)
        if not is_real(wanted):
            raise NotANumber(
                f"The schedule of LearningRateScheduler must return a learning rate. Received: "
                f"{wanted!r} for epoch {epoch}."
            )
        self.model.optimizer.learning_rate = number(wanted)
        if self.verbose:
            _say(f"Epoch {epoch + 1}: the learning rate is {number(wanted):g}.")

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Add the learning rate to the numbers of the epoch."""
        if logs is not None:
            logs["learning_rate"] = _learning_rate(self)


class CSVLogger(Callback):
    """Write the numbers of every epoch into a CSV file, a line at a time.

    The file is complete after each epoch, whatever happens in the next. Numbers that first
    come up later, such as a validation every second epoch, become columns then; where a
    number is missing stands NA. (Keras makes columns of NA for validation in any case.)

    Args:
        filename: where to.
        separator: between columns.
        append: whether to go on in a file that is there already.

    Raises:
        BadArgument: if the separator is not one character.
        FileError: while training, if the file can't be written.

    >>> CSVLogger("losses.csv").separator
    ','
    """

    def __init__(
        self, filename: str | os.PathLike[str], separator: str = ",", append: bool = False
    ) -> None:
        if len(separator) != 1 or separator in '\r\n"' or not clean(separator):
            raise BadArgument(f"separator must be one character. Received: {separator!r}.")
        self.path, self.separator, self.append = Path(filename), separator, append
        self._columns: list[str] = []

    def on_train_begin(self, logs: Logs = None) -> None:
        """Begin the file, or read the columns that it has."""
        old = self._read() if self.append and self.path.exists() else []
        self._columns = list(old[0]) if old else []
        self._rewrite(old)

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Write a line."""
        row = {"epoch": epoch, **{clean(name): x for name, x in (logs or {}).items()}}
        new = [name for name in row if name not in self._columns]
        if new:
            old = self._read()
            self._columns += new
            self._rewrite(old)
        with (
            file_errors(self.path, "written"),
            self.path.open("a", newline="", encoding="utf-8") as file,
        ):
            self._writer(file).writerow(row)

    def _read(self) -> list[dict[str, str]]:
        text = io.StringIO(read_whole(self.path).decode("utf-8", "replace"), newline="")
        return list(csv.DictReader(text, restval="NA", delimiter=self.separator))

    def _rewrite(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Write the whole file again, atomically."""
        text = io.StringIO()
        if self._columns:
            writer = self._writer(text)
            writer.writeheader()
            writer.writerows(rows)
        write_whole(self.path, text.getvalue().encode())

    def _writer(self, file: Any) -> csv.DictWriter[str]:
        return csv.DictWriter(
            file, self._columns, "NA", delimiter=self.separator, lineterminator="\n"
        )


# ── What fit prints ───────────────────────────────────────────────────────────────────────


class Progress(Callback):
    """What `fit` and `evaluate` print.

    Args:
        verbose: 0 nothing; 2 a line per epoch; 1 or "auto" a live bar in a terminal or a
            notebook if tqdm is installed (``pip install tinygrad-edu[keras]``), and
            otherwise, when piped for example, a line per epoch too.

    Raises:
        BadArgument: for another verbose.

    >>> progress = Progress(verbose=2)
    >>> progress.set_params({"epochs": 500})
    >>> progress.on_epoch_begin(7)
    >>> progress.on_epoch_end(7, {"loss": 5137209.125, "mae": 1703.25})
    epoch   8/500  loss 5.13721e+06  mae     1703.25      ... ms
    """

    def __init__(self, verbose: int | str = "auto") -> None:
        if verbose not in (0, 1, 2, "auto"):
            raise BadArgument(f"verbose must be 0, 1, 2 or 'auto'. Received: {verbose!r}.")
        self.verbose = verbose
        self._bar: Any = None
        self._fitting = False
        self._start = perf_counter()

    def hears(self, hook: str) -> bool:
        """Nothing if it is silent, and the batches only with a bar."""
        if not self.verbose:
            return False
        return super().hears(hook) and (hook != "on_train_batch_end" or bool(_tqdm(self.verbose)))

    def on_train_begin(self, logs: Logs = None) -> None:
        """From here on evaluations are validations, which the epoch reports."""
        self._fitting = True

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        """Start the clock, and before the first epoch the bar."""
        self._start = perf_counter()
        steps, epochs = self.params.get("steps"), self.params.get("epochs", epoch + 1)
        if self._bar is None and (tqdm := _tqdm(self.verbose)):
            unit, total = (
                ("batch", steps * (epochs - epoch)) if steps else ("epoch", epochs - epoch)
            )
            self._bar = tqdm(total=total, unit=unit, file=sys.stdout, dynamic_ncols=True)
        if self._bar is not None:
            self._bar.set_description(f"epoch {epoch + 1}/{epochs}", refresh=False)

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Move the bar."""
        if self._bar is not None:
            self._move_bar("batch", logs)

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Print a line, or the numbers of the epoch beside the bar."""
        epochs = self.params.get("epochs", epoch + 1)
        if self._bar is not None:
            self._move_bar("epoch", logs)
        elif self.verbose:
            counted = f"{epoch + 1:>{len(str(epochs))}}/{epochs}"
            _say(_line(f"epoch {counted}", logs or {}, perf_counter() - self._start))

    def on_train_end(self, logs: Logs = None) -> None:
        """Leave the bar as it is."""
        if self._bar is not None:
            self._bar.close()
        self._bar, self._fitting = None, False

    def on_test_begin(self, logs: Logs = None) -> None:
        """Start the clock of an evaluation."""
        if not self._fitting:
            self._start = perf_counter()

    def on_test_end(self, logs: Logs = None) -> None:
        """Print the line of an evaluation."""
        if not self._fitting and self.verbose:
            _say(_line("evaluated", logs or {}, perf_counter() - self._start))

    def _move_bar(self, unit: str, logs: Logs) -> None:
        numbers = ", ".join(f"{name}={_short(x)}" for name, x in (logs or {}).items())
        self._bar.set_postfix_str(legible(numbers), refresh=False)
        self._bar.update(unit == self._bar.unit)


def _line(label: str, logs: Mapping[str, Any], seconds: float) -> str:
    """The numbers of an epoch, each beside its name; in several lines if 80 columns are full."""
    time = f"{1000 * seconds:.0f} ms" if seconds < 1.0 else f"{seconds:.1f} s"
    *cells, last = [f"{name} {_short(x, zeros=True):>11}" for name, x in logs.items()] or [""]
    lines = [label]
    for cell in (*cells, f"{last}  {time:>8}"):
        if columns(f"{lines[-1]}  {cell}") > 80 and lines[-1].strip():
            lines.append(" " * len(label))
        lines[-1] += f"  {cell}"
    return "\n".join(lines)


def _tqdm(verbose: int | str) -> Any:
    """The class of bars that fits this output; None if lines are better or tqdm is missing."""
    notebook = type(sys.stdout).__module__.startswith("ipykernel")
    if verbose not in (1, "auto") or not (notebook or (sys.stdout and sys.stdout.isatty())):
        return None
    try:
        with warnings.catch_warnings():  # of a notebook without widgets: a plain bar will do
            warnings.simplefilter("ignore")
            return import_module("tqdm.auto" if notebook else "tqdm").tqdm
    except ImportError:
        return None


# ── Arguments ─────────────────────────────────────────────────────────────────────────────


def _learning_rate(callback: Callback) -> float:
    """The optimiser's learning rate, which must be a number for a callback to change it."""
    rate = callback.model.optimizer.learning_rate
    if callable(rate):
        raise BadArgument(
            f"{type(callback).__name__} sets the learning rate, but the optimizer follows a "
            f"schedule: {rate!r}. Compile with a number, or leave out the callback."
        )
    return number(rate)


def _takes_two(schedule: Callable[..., Any]) -> bool:
    """Whether the schedule wants the learning rate beside the epoch."""
    import inspect  # late: it is slow to import

    try:
        inspect.signature(schedule).bind(0, 0.0)
    except (TypeError, ValueError):  # ValueError: a built-in function that does not tell
        return False
    return True


def _finite(what: str, x: Any) -> float:
    Limit("a finite number", isfinite).check(what, x)
    return number(x)
