"""A model and data: compile, fit, evaluate, predict, and the loss as a graph."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from math import isfinite, prod
from random import Random
from typing import Any, NamedTuple, TypeVar

from .. import nn
from ..anomalies import detect_anomaly
from ..blocks import MODE
from ..core import ops
from ..core.calculus import gradients
from ..core.modes import caller, no_grad, scope
from ..core.table import number
from ..core.value import Value, zero_grad
from ..errors import Anomaly, BadArgument, GraphError, check_whole
from ..nn.layers import Sample
from ..nn.module import set_numbers
from ..trees import as_array, flatten
from .callbacks import CallbackList, History, Progress
from .data import (
    Batched,
    Pairs,
    Samples,
    Source,
    Stream,
    is_stream,
    pairs,
    parts,
    samples,
    split,
)
from .diagnosis import MOST_WEIGHTS, Diagnosis, diagnose, eigen, refuse_too_many
from .engines import Task
from .keeping import Programs, fingerprint, trained
from .programs import Evaluation, Forward, Training, frozen
from .recording import custom, penalties, with_penalties
from .turns import alone, alone_for_long
from .wiring import Wired, free, named

T = TypeVar("T", Forward, Evaluation, Training)

_OF_BATCHES = ("on_train_batch_begin", "on_train_batch_end", "on_batch_begin", "on_batch_end")
_OF_EPOCHS = ("on_epoch_begin", "on_epoch_end")
_OF_TESTS = ("on_test_batch_begin", "on_test_batch_end")
_OF_PREDICTIONS = ("on_predict_batch_begin", "on_predict_batch_end")


class Diverged(UserWarning):
    """Training stopped at a loss that was not a finite number."""


class RunsEagerly(UserWarning):
    """A model can't be compiled and is trained in plain Python."""


class NotFinite(Exception):
    """The loss of an epoch is not a finite number, after so many whole ones."""

    def __init__(self, whole: int) -> None:
        self.whole = whole


class State(NamedTuple):
    """All that training changes, so that it can be put back."""

    weights: list[float]
    optimizer: dict[str, Any]
    streams: list[Any]  # of the random numbers that shuffling and dropout draw
    rest: Any  # what the source of batches has left to the next epoch


class Validation(NamedTuple):
    """The validation data, and the epochs after which they are evaluated."""

    source: Source[Pairs]
    due: int | Collection[int]  # every so many epochs, or after these, counted from 1

    def after(self, epoch: int) -> bool:
        """Whether it is due after this epoch, counted from 0."""
        return (epoch + 1) % self.due == 0 if isinstance(self.due, int) else epoch + 1 in self.due


class Run(NamedTuple):
    """One call of `fit`: what is trained on, and who hears of it."""

    source: Source[Pairs]
    validation: Validation | None
    hooks: CallbackList
    history: History
    epochs: int  # where to stop counting
    stop_at_nonfinite: bool
    by_batch: bool  # whether batches must be gone through one by one, in Python
    by_epoch: bool  # whether epochs must
    task: Task | None  # how much is to be done, None if nobody knows how much will come


class Trainer(Wired):
    """What `Model` and `Sequential` do with data; see there for making one."""

    def __init__(self, name: str | None) -> None:
        super().__init__(name)
        self.optimizer: nn.Optimizer | None = None
        self.loss: nn.Loss | None = None
        self.measures: dict[str, nn.Metric] = {}  # metrics by the name that the history gives them
        self.weighted: list[str] = []  # those metrics that weigh samples as the loss does
        self.history: History | None = None
        self.stop_training = False
        self.initial_epoch = 0  # where `fit` begins
        self.run_eagerly = False
        self.jit_compile: bool | str = "auto"
        self._programs = Programs()

    @property
    def trainable(self) -> bool:
        """Whether training may move any weight; set, it is so for all layers."""
        return any(layer.trainable for layer in self.layers)

    @trainable.setter
    def trainable(self, trainable: bool) -> None:
        for layer in self.layers:
            layer.trainable = trainable

    @property
    def metrics(self) -> list[nn.Metric]:
        """The metrics; the history gives them the names of `metrics_names`."""
        return list(self.measures.values())

    @property
    def metrics_names(self) -> list[str]:
        """The names of what `evaluate` returns."""
        return ["loss", *self.measures] if self.loss is not None else []

    def build(self, input_shape: Any) -> None:
        """Give the shape of one sample, for a model that lacks it."""
        raise NotImplementedError

    @alone
    def compile(
        self,
        optimizer: Any = "rmsprop",
        loss: Any = None,
        metrics: Sequence[Any] | None = None,
        run_eagerly: bool = False,
        jit_compile: bool | str = "auto",
        weighted_metrics: Sequence[Any] | None = None,
    ) -> None:
        """Say how to train.

        Args:
            optimizer: a name, or one of keras.optimizers.
            loss: a name, one of keras.losses, or a callable on Values.
            metrics: names, keras.metrics, or callables. Sample weights do not matter to them.
            run_eagerly: whether every sample is recorded anew, as a graph of Values, which you can
                inspect with debuggers and prints. False: one sample is recorded, compiled, and
                replayed for all others; the results are the same. User-defined code is recorded
                again before each call and, if there are callbacks for epochs or batches, before
                each of these; it prints only then.
            jit_compile: who replays it. "auto": Python, and machine code as soon as that is
                worth its preparation, counted in instructions; True: machine code at once;
                False: Python alone.
            weighted_metrics: like ``metrics``, but they weigh samples as the loss does.

        Raises:
            NameUnknown: with the nearest known name.
            BadArgument: for another jit_compile.
        """
        if jit_compile not in (True, False, "auto"):
            raise BadArgument(
                f"jit_compile must be True, False or 'auto'. Received: {jit_compile!r}."
            )
        while isinstance(loss, (list, tuple, Mapping)) and len(loss) == 1:  # for the only output
            (loss,) = loss.values() if isinstance(loss, Mapping) else loss
        chosen, loss = nn.optimizer(optimizer), None if loss is None else nn.loss(loss)
        by_name: dict[str, nn.Metric] = {}
        for name, each in map(_named_metric, metrics or ()):
            by_name[free(name, by_name)] = each
        plain = len(by_name)
        for name, each in map(_named_metric, weighted_metrics or ()):
            by_name[free(f"weighted_{name}" if name in by_name else name, by_name)] = each
        vars(self).update(  # at once, so that Ctrl-C can't come in between
            measures=by_name, weighted=list(by_name)[plain:], optimizer=chosen, loss=loss,
            run_eagerly=bool(run_eagerly), jit_compile=jit_compile, _programs=Programs(),
        )  # fmt: skip

    # ── Training ──────────────────────────────────────────────────────────────────────────

    @alone_for_long
    def fit(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: int | str = "auto",
        callbacks: Any = None,
        validation_split: float = 0.0,
        validation_data: Any = None,
        shuffle: bool = True,
        class_weight: Any = None,
        sample_weight: Any = None,
        initial_epoch: int = 0,
        steps_per_epoch: int | None = None,
        validation_steps: int | None = None,
        validation_batch_size: int | None = None,
        validation_freq: int | Collection[int] = 1,
        stop_at_nonfinite: bool = True,
    ) -> History:
        """Train for some epochs, each one pass over all samples in batches.

        Args:
            x, y: inputs and targets: tuples, lists, arrays, Series, DataFrames; several inputs
                as a list of these, or a dict by their names. Or x alone, a generator or another
                source of batches ``(x, y)`` or ``(x, y, weights)``.
            batch_size: samples per step of the optimiser; 32 if not given.
            epochs: the number of the last epoch; training starts at ``initial_epoch``.
            verbose: 0 silent, 1 a bar, 2 a line per epoch; "auto" chooses by the terminal.
            callbacks: one of keras.callbacks, or a list of them.
            validation_split: the fraction of the samples, from the end, to validate on.
            validation_data: ``(x, y)`` or ``(x, y, weights)`` to validate on instead, or a
                source of batches.
            shuffle: whether each epoch uses a new order of the samples.
            class_weight: a weight for each class, by its number; only for training.
            sample_weight: a weight for each sample.
            initial_epoch: the number of the first epoch, from 0.
            steps_per_epoch: the number of batches per epoch; the next epoch continues with the next
                batch.
            validation_steps: the number of batches to validate on.
            validation_batch_size: samples per batch of the validation; ``batch_size`` if not given.
            validation_freq: validate after every so many epochs, or after these (from 1).
            stop_at_nonfinite: stop at the first loss that is nan or infinite, restore the weights
                of the last finite epoch, and explain why. False: continue, as Keras does.

        Returns:
            The history: ``history.history["loss"]`` is one number per epoch.

        Raises:
            GraphError: before compile, without a loss, or while another thread trains the model.
            BadArgument: for lengths or shapes that do not fit, nan in the data, and the like.
            KeyboardInterrupt: as it came; the model is then that of the last epoch recorded.
        """
        self._ready()
        epochs = check_whole("epochs", epochs, 0)
        initial_epoch = check_whole("initial_epoch", initial_epoch, 0)
        if not isinstance(validation_freq, Collection):
            check_whole("validation_freq", validation_freq)
        if validation_split and validation_data is None:
            if y is None and is_stream(x):
                raise BadArgument(
                    f"validation_split takes the last samples, which a source of batches does not "
                    f"show. Received: {validation_split!r}. Pass validation_data instead."
                )
            x, validation_data = split(self._pairs(x, y, sample_weight), validation_split)
        random = self.random if shuffle else None
        source = self._source(
            x, y, sample_weight, size=batch_size, steps=steps_per_epoch, random=random,
            class_weight=class_weight,
        )  # fmt: skip
        validation = None
        if validation_data is not None:
            if validation_steps is None and isinstance(validation_data, Iterator):
                raise BadArgument(
                    "A generator can be validated on if validation_steps says how many batches to "
                    "take after each epoch; it may never end. Received: validation_steps=None."
                )
            apart, size = parts(validation_data, "validation_data"), validation_batch_size
            checked = self._source(*apart, size=size or batch_size, steps=validation_steps)
            validation = Validation(checked, validation_freq)
        optimizer, _ = self._ready()
        optimizer.bind(self._variables())
        history = self.history = History()
        self.stop_training = False
        hooks = CallbackList(
            [callbacks, Progress(verbose), history], self,
            verbose=verbose, epochs=epochs, steps=source.steps,
        )  # fmt: skip
        self.initial_epoch = initial_epoch
        hooks.set_source(source)
        hooks.on_train_begin()  # which may continue from a backup
        by_batch = source.data is None or any(map(hooks.hears, _OF_BATCHES))
        by_epoch = by_batch or validation is not None or any(map(hooks.hears, _OF_EPOCHS))
        by_epoch = by_epoch or custom([optimizer.learning_rate])  # a schedule may read the history
        task = Task(len(source.data), source.steps or 0, epochs) if source.data else None
        run = Run(
            source, validation, hooks, history, epochs, stop_at_nonfinite, by_batch, by_epoch, task
        )
        why = self._train(run, self.initial_epoch)
        hooks.on_train_end({name: numbers[-1] for name, numbers in history.history.items()})
        if why is not None:
            warnings.warn_explicit(why, Diverged, *caller())
        return history

    def _train(self, run: Run, epoch: int) -> str | None:
        """Train from this epoch to the last: each as a whole, or as if it had not begun.

        Where nobody hears epochs a program runs many at once. If one of these fails they are put
        back; those before it run again, and then it fails alone.

        Returns:
            Why it stopped at a loss that is not finite, if it did.
        """
        source, most = run.source, 1 if run.by_epoch else run.epochs
        while epoch < run.epochs and not self.stop_training:
            before, count, program = self._state(source), 1, None
            try:
                run.hooks.on_epoch_begin(epoch)
                stepwise = run.by_batch or self.stop_training  # a callback may stop it here
                if isinstance(source, Batched) and not stepwise:
                    program = self._replay(source.data)
                if program is not None and run.task is not None:
                    count = min(most, run.epochs - epoch, program.at_once(run.task))
                logs = self._epochs(run, program, epoch, count)
            except BaseException as error:  # Ctrl-C too: what is whole stays, and nothing else
                self._restore(before, source)
                self.eval()
                if count > 1 and isinstance(error, Exception):
                    most = max(1, error.whole if isinstance(error, NotFinite) else 1)
                    continue
                if isinstance(error, NotFinite):
                    return self._why_stopped(epoch, source, before)
                raise
            if not logs:
                break  # a generator that had nothing left
            self._record(run, epoch, logs)
            epoch += len(logs["loss"])
        return None

    def _epochs(
        self, run: Run, program: Training | None, epoch: int, count: int
    ) -> dict[str, list[float]]:
        """Some epochs by a program, or one step by step: their numbers by name.

        Raises:
            NotFinite: at the first loss that is not, if training should stop there.
        """
        if program is not None and isinstance(run.source, Batched):
            logs = self._replayed(program, run.source, count, run.task)
        else:
            logs = _listed(self._epoch(run.source.epoch(), run.hooks, run.task))
        whole = next((i for i, x in enumerate(logs.get("loss", [])) if not isfinite(x)), count)
        if run.stop_at_nonfinite and whole < count:
            raise NotFinite(whole)
        if run.validation is not None and logs and whole and run.validation.after(epoch):
            checked = self._test(run.validation.source, run.hooks)
            logs |= _listed({f"val_{name}": x for name, x in checked.items()})
        self.stop_training = self.stop_training or run.source.exhausted  # which has said so
        return logs

    def _record(self, run: Run, epoch: int, logs: dict[str, list[float]]) -> None:
        """Report whole epochs; several of them only to the history."""
        count = len(logs["loss"])
        if count > 1:
            run.history.extend(range(epoch, epoch + count), logs)
            return
        last = {name: x for name, (x,) in logs.items()}
        try:
            run.hooks.on_epoch_end(epoch, last)
        except BaseException:  # the epoch is whole all the same, and the history hears it last
            if run.history.epoch[-1:] != [epoch]:
                run.history.on_epoch_end(epoch, last)
            raise

    def _replayed(
        self, program: Training, source: Batched[Pairs], epochs: int, task: Task | None
    ) -> dict[str, list[float]]:
        """Some epochs by a program: the numbers that `_epoch` gives, a list per name."""
        orders = source.orders(epochs)
        batches = [batch for order in orders for batch in order]
        records = iter(program.run(source.rows_for(program), batches, task))
        logs: dict[str, list[float]] = {"loss": [], **{name: [] for name in self.measures}}
        for order in orders:
            loss_sum = 0.0
            if self.measures:
                self._reset()
            for batch in order:
                loss, *sums = next(records)
                loss_sum += loss * len(batch)
                if self.measures:
                    program.note(sums, len(batch))
            logs["loss"].append(loss_sum / sum(map(len, order)))
            if self.measures:
                for name, x in self._results().items():
                    logs[name].append(x)
        return logs

    def _epoch(
        self, batches: Iterable[Pairs], hooks: CallbackList, task: Task | None = None
    ) -> dict[str, float]:
        """One pass over all samples. Its loss is the mean over them, each batch's before its
        step, as in Keras."""

        def step(batch: Pairs) -> float:
            if not all(part.training for part in (self, *self.layers)):
                self.train()  # the first step, or a callback used the model
            return self._step(batch, task)

        def until_stopped() -> Iterator[Pairs]:
            for batch in batches:
                yield batch
                if self.stop_training:
                    return

        begin, end = hooks.on_train_batch_begin, hooks.on_train_batch_end
        logs = self._pass(until_stopped(), step, begin, end)
        self.eval()
        return logs

    def _pass(
        self,
        batches: Iterable[Pairs],
        loss: Callable[[Pairs], float],
        begin: Callable[..., None],
        end: Callable[..., None],
    ) -> dict[str, float]:
        """The mean loss over all samples and the metrics, after the last of these batches."""
        loss_sum, seen = 0.0, 0
        logs: dict[str, float] = {}
        self._reset()
        for i, batch in enumerate(batches):
            begin(i)
            loss_sum += loss(batch) * len(batch)
            seen += len(batch)
            logs = {"loss": loss_sum / seen, **self._results()}
            end(i, logs)
        return logs

    def _step(self, batch: Pairs, task: Task | None = None) -> float:
        """One step of the optimiser; the loss before it."""
        program = self._replay(batch)
        if program is not None:
            ((loss, *sums),) = program.run(program.rows(batch), [range(len(batch))], task)
            program.note(sums, len(batch))
            return loss
        optimizer, _ = self._ready()
        layers = None if self.fines_outputs else self._program(Forward, True)
        rows = layers.rows(batch.x.rows) if layers is not None else []
        value, outputs = self._loss_of(batch, layers, rows)
        zero_grad([*self.parameters(), *(optimizer.parameters or ())])  # constants are in one alone
        if isinstance(value, Value):
            value.backward()
            if layers is not None:
                layers.pull(rows, outputs)
        if optimizer.parameters:  # also if none of them matters to these samples: momentum goes on
            optimizer.step()
            for layer in self.layers:
                layer.constrain()
        zero_grad(frozen(self))  # no business of training, so a program computes none
        self._measure(batch, outputs)
        return _number(value)

    def _loss_of(
        self, data: Pairs, layers: Forward | None = None, rows: Sequence[Sequence[float]] = ()
    ) -> tuple[Any, list[Sample]]:
        """The loss of some samples with all penalties, and the outputs it is the loss of.

        If the layers are a program, which reads these rows, only what is around them is recorded.
        """
        _, loss = self._ready()
        fines: list[Any] = []
        if layers is not None:
            outputs = layers.leaves(rows)
        else:
            outputs = self.forward_batch(self._given(data.x.rows), fines=fines)
        fines = [ops.sum(fines) / len(outputs)] if fines else []
        value = loss(data.y.rows, outputs, data.weights)
        return with_penalties(value, [*penalties(self), *fines]), outputs

    def _given(self, rows: Sequence[Sequence[float]]) -> list[Sample]:
        """The samples as arguments of layers: for user-defined code, which may inspect them, as
        Values, as while it is recorded; for all other layers as plain numbers, which are faster."""
        if custom(fingerprint(self, Forward.beside)):
            return [[Value(x, role="constant") for x in row] for row in rows]
        return list(map(list, rows))

    # ── Programs ──────────────────────────────────────────────────────────────────────────

    def _program(self, kind: type[T], *about: Any) -> T | None:
        """The program of this kind; None where every sample is recorded anew."""
        if self.run_eagerly or MODE.get().sweep is not None:  # detect_anomaly wants to watch
            return None
        reason = self._programs.why_not
        program = self._programs.get(self, kind, *about)
        why = self._programs.why_not
        if why is not None and reason is None:
            warnings.warn_explicit(
                f"{self!r} can't be compiled, so all samples are recorded anew, which is slower "
                f"and gives the same results. {why} Or pass run_eagerly=True to compile.",
                RunsEagerly,
                *caller(),
            )
        return program

    def _replay(self, data: Pairs) -> Training | None:
        """Steps of the optimiser on such data as a program."""
        return self._program(Training, data.y.width, data.weights is not None)

    def _measure(self, data: Pairs, outputs: list[Sample]) -> None:
        for name, metric in self.measures.items():
            weights = data.weights if name in self.weighted else None
            metric.update(data.y.rows, outputs, weights)

    def _results(self) -> dict[str, float]:
        return {name: metric.result() for name, metric in self.measures.items()}

    def _reset(self) -> None:
        for metric in self.measures.values():
            metric.reset()

    @alone
    def train_on_batch(
        self,
        x: Any,
        y: Any = None,
        sample_weight: Any = None,
        class_weight: Any = None,
        return_dict: bool = False,
    ) -> Any:
        """One step of the optimiser on these samples.

        Returns:
            The loss before it; with metrics a list ``[loss, *metrics]``; or with ``return_dict``
            by name.
        """
        data = self._pairs(x, y, sample_weight).weighted(class_weight)
        optimizer, _ = self._ready()
        optimizer.bind(self._variables())
        self._reset()
        with trained(self, True):
            return self._answer({"loss": self._step(data), **self._results()}, return_dict)

    def _answer(self, logs: dict[str, float], return_dict: bool) -> Any:
        if return_dict:
            return logs
        return list(logs.values()) if self.measures else logs["loss"]

    # ── Using ─────────────────────────────────────────────────────────────────────────────

    @alone
    def predict(
        self,
        x: Any,
        batch_size: int | None = None,
        verbose: int | str = 0,
        steps: int | None = None,
        callbacks: Any = None,
    ) -> Any:
        """The outputs for each sample: nested lists, or an array if one went in.

        Args:
            x: as for `fit`; or a source of batches, each of them inputs or ``(x, …)``.
            batch_size: samples per batch; 32 if not given.
            verbose: nothing is printed.
            steps: how many batches; None for all.
            callbacks: one of keras.callbacks, or a list of them.

        >>> from tinygrad_edu import keras
        >>> model = keras.Sequential([keras.layers.Dense(1, "linear", kernel_initializer="ones")])
        >>> model.predict([10, 20])
        [[10.0], [20.0]]
        """
        source: Source[Samples]
        if is_stream(x):
            source = Stream(x, self._inputs_of_batch, steps)
        else:
            source = Batched(self._inputs_of(x), batch_size, steps=steps)
        hooks = CallbackList([callbacks], self)
        rows: list[list[float]] = []
        hooks.on_predict_begin()
        by_batch = any(map(hooks.hears, _OF_PREDICTIONS))
        array = False
        for step, batch in enumerate(source.epoch()):
            hooks.on_predict_batch_begin(step)
            if by_batch or step == 0:  # a callback may have changed the model
                program = self._program(Forward, False)
            if program is not None:
                outputs = program.outputs(batch.rows)
            else:
                with trained(self, False), no_grad():
                    outputs = [list(map(_number, self.forward(x))) for x in self._given(batch.rows)]
            rows += outputs
            array = array or batch.from_array
            hooks.on_predict_batch_end(step, {"outputs": outputs})
        hooks.on_predict_end()
        return self.separated(rows, lambda part, _: as_array(part) if array else part)

    def separated(self, rows: list[Any], make: Callable[[Any, tuple[int, ...]], Any]) -> Any:
        """The numbers of all outputs, for each of several outputs apart: a list, or a dict."""
        if len(self._outputs) == 1 and self._keys is None:
            return make(rows, self._outputs[0].shape)
        parts, start = [], 0
        for signal in self._outputs:
            end = start + prod(signal.shape)
            parts.append(make([row[start:end] for row in rows], signal.shape))
            start = end
        return dict(zip(self._keys, parts)) if self._keys else parts

    def predict_on_batch(self, x: Any) -> Any:
        """`predict` of these samples as one batch."""
        return self.predict(x, batch_size=len(self._inputs_of(x)))

    def test_on_batch(
        self, x: Any, y: Any = None, sample_weight: Any = None, return_dict: bool = False
    ) -> Any:
        """`evaluate` of these samples as one batch."""
        size = len(self._inputs_of(x))
        return self.evaluate(x, y, size, sample_weight=sample_weight, return_dict=return_dict)

    @alone
    def evaluate(
        self,
        x: Any,
        y: Any = None,
        batch_size: int | None = None,
        verbose: int | str = 0,
        sample_weight: Any = None,
        steps: int | None = None,
        callbacks: Any = None,
        return_dict: bool = False,
    ) -> Any:
        """The loss over all samples, and the metrics if there are any.

        Args:
            x, y: as for `fit`; or x alone, a source of batches.
            batch_size: samples per batch; 32 if not given.
            verbose: nothing is printed.
            sample_weight: a weight for each sample.
            steps: how many batches; None for all.
            callbacks: one of keras.callbacks, or a list of them.
            return_dict: whether to answer by name.

        Returns:
            The loss; with metrics a list ``[loss, *metrics]``; or with ``return_dict`` by name.
        """
        source = self._source(x, y, sample_weight, size=batch_size, steps=steps)
        return self._answer(self._test(source, CallbackList([callbacks], self)), return_dict)

    def _test(self, source: Source[Pairs], hooks: CallbackList) -> dict[str, float]:
        hooks.on_test_begin()
        anew = source.data is None or any(map(hooks.hears, _OF_TESTS))
        loss_of: Callable[[Pairs], float] | None = None

        def loss(batch: Pairs) -> float:
            nonlocal loss_of
            if anew or loss_of is None:  # a callback may have changed the model
                loss_of = self._evaluator(batch)
            return loss_of(batch)

        logs = self._pass(source.epoch(), loss, hooks.on_test_batch_begin, hooks.on_test_batch_end)
        if not logs:
            raise BadArgument(
                "There is nothing left to evaluate. Received: a source of batches that ran out. "
                "Pass something that can be iterated again, or limit the number of steps."
            )
        hooks.on_test_end(logs)
        return logs

    def _evaluator(self, like: Pairs) -> Callable[[Pairs], float]:
        """The function for the loss of such a batch, which also updates the metrics."""
        program = self._program(Evaluation, like.y.width, like.weights is not None)
        if program is not None:
            return program.batch
        layers = None if self.fines_outputs else self._program(Forward, False)

        def loss(batch: Pairs) -> float:
            with trained(self, False), no_grad():
                value, outputs = self._loss_of(batch, layers, batch.x.rows)
            self._measure(batch, outputs)
            return _number(value)

        return loss

    # ── Opened up ─────────────────────────────────────────────────────────────────────────

    @alone
    def loss_graph(self, x: Any, y: Any, sample_weight: Any = None) -> Value:
        """The recorded loss of these samples, with names, roles and scopes.

        Ready to draw and differentiate; nothing is trained.

        >>> from tinygrad_edu import keras
        >>> model = keras.Sequential([keras.layers.Dense(1, input_shape=[1])])
        >>> model.compile("sgd", "mse")
        >>> loss = model.loss_graph([1, 2], [10, 20])
        >>> loss.name, loss.args[0].args[0].scope
        ('loss', 'sample 1')
        """
        data = self._pairs(x, y, sample_weight)
        _, loss = self._ready()
        outputs: list[Sample] = []
        targets: list[Sample] = []
        losses: list[Any] = []
        for i, (row, target) in enumerate(zip(data.x.rows, data.y.rows), 1):
            with scope(f"sample {i}"):
                outputs.append(self.forward_named(row))
                targets.append(named(target, "y", "target"))
                if loss.built_in:  # a user-defined loss sees only whole batches
                    losses += loss.per_sample(targets[-1:], outputs[-1:])
        if not loss.built_in:
            losses = loss.per_sample(targets, outputs)
        value: Value = with_penalties(loss.reduced(losses, data.weights), penalties(self))
        value.name = "loss"
        return value

    @alone
    def hessian(self, x: Any, y: Any) -> list[list[float]]:
        """The second derivatives of the loss by all weights, in the order of `parameters`.

        >>> from tinygrad_edu import keras
        >>> model = keras.Sequential([keras.layers.Dense(1, input_shape=[1])])
        >>> model.compile("sgd", "mse")
        >>> [[ww, wb], [bw, bb]] = model.hessian((1, 2, 3, 4, 5, 6, 7), (1, 2, 3, 4, 5, 6, 7))
        >>> round(ww, 9), round(wb, 9), round(bw, 9), round(bb, 9)
        (40.0, 8.0, 8.0, 2.0)
        """
        return self._curvatures(self._pairs(x, y))

    def _curvatures(self, data: Pairs) -> list[list[float]]:
        value, _ = self._loss_of(data)
        mine = self.parameters()
        return [[h.data for h in gradients(g, mine)] for g in gradients(value, mine)]

    @alone
    def why_diverging(self, x: Any, y: Any) -> Diagnosis:
        """Which learning rates these data allow, why some weights learn slowly, what helps.

        >>> from tinygrad_edu import keras
        >>> model = keras.Sequential([keras.layers.Dense(1, input_shape=[1])])
        >>> model.compile("sgd", "mse")
        >>> diagnosis = model.why_diverging((1, 2, 3, 4, 5, 6, 7), (1, 2, 3, 4, 5, 6, 7))
        >>> round(diagnosis.largest_rate, 7), round(diagnosis.condition, 2)
        (0.048059, 108.24)
        """
        data = self._pairs(x, y)  # which builds the model if it has to be
        names = [name for name, _ in self._named_weights()]
        refuse_too_many(len(names))  # before n sweeps are made for n weights
        optimizer, _ = self._ready()
        return diagnose(self._curvatures(data), names, optimizer.rate, data.x.rows)

    def _why_stopped(self, epoch: int, source: Source[Pairs], before: State) -> str:
        """The message for a loss that is not finite. The epoch is run again under
        detect_anomaly."""
        optimizer, _ = self._ready()
        first = "the sum over the batches overflowed"
        bound = self._bound(source)
        try:
            with detect_anomaly():
                self._epoch(source.epoch(), CallbackList([], self))
        except Anomaly as anomaly:
            first = str(anomaly).split(" File ")[0].rstrip(".")
        finally:
            self._restore(before, source)
            self.eval()
        return (
            f"Training stopped in epoch {epoch + 1}: the loss was not a finite number. The weights "
            f"are those of the epoch before. The learning rate was {optimizer.rate:g}"
            f"{bound}. First: {first}. A smaller rate, or inputs scaled to mean 0 and "
            f"deviation 1, may help: model.why_diverging(x, y) says more. "
            f"fit(..., stop_at_nonfinite=False) goes on regardless."
        )

    def _bound(self, source: Source[Pairs]) -> str:
        """The bound of the learning rate on the first batch, in words; nothing where it can't
        be known: a large model, or weights too large already for finite curvatures."""
        batch = next(source.epoch(), None)
        if batch is None or self.count_params() > MOST_WEIGHTS:
            return ""
        curvatures = self._curvatures(batch)
        if not all(isfinite(x) for row in curvatures for x in row):
            return ""
        largest = max(eigen(curvatures)[0])
        return f", its bound on these data 2/λ_max = {2.0 / largest:.7f}" if largest > 0.0 else ""

    # ── Inside ────────────────────────────────────────────────────────────────────────────

    def _ready(self) -> tuple[nn.Optimizer, nn.Loss]:
        if self.optimizer is None:
            raise GraphError(
                "A model must be compiled before it is trained or evaluated. Received: a call "
                "before compile. Write model.compile(optimizer='sgd', loss='mean_squared_error') "
                "first."
            )
        if len(self._outputs) > 1:
            raise BadArgument(
                f"A model is trained and evaluated on one output. Received: "
                f"{len(self._outputs)} outputs of {self!r}, which can predict. Join them with a "
                f"Concatenate layer, or make a model of each."
            )
        if self.loss is None:
            raise GraphError(
                "There is no loss to compute. Received: a model compiled without one. "
                "Write model.compile(optimizer='sgd', loss='mean_squared_error')."
            )
        return self.optimizer, self.loss

    def _inputs_of(self, x: Any, of: str = "") -> Samples:
        """Samples that fit this model, which is built by them if it has to be."""
        inputs = samples(x, f"x{of}", self.ports)
        if self.in_shape is None:
            self.build(inputs.shape)
        return inputs

    def _inputs_of_batch(self, item: Any, i: int) -> Samples:
        return self._inputs_of(item[0] if isinstance(item, tuple) else item, f" of batch {i}")

    def _pairs(self, x: Any, y: Any = None, sample_weight: Any = None, *, of: str = "") -> Pairs:
        """Samples, targets and weights that fit this model."""
        self._ready()
        return pairs(self._inputs_of(x, of), y, sample_weight, targets=self._wanted(), of=of)

    def _source(
        self,
        x: Any,
        y: Any = None,
        sample_weight: Any = None,
        *,
        size: int | None = None,
        steps: int | None = None,
        random: Random | None = None,
        class_weight: Any = None,
    ) -> Source[Pairs]:
        """The door: whatever was passed as inputs, targets and weights, as batches of pairs."""
        self._ready()
        if y is not None or not is_stream(x):
            data = x if isinstance(x, Pairs) else self._pairs(x, y, sample_weight)
            return Batched(data.weighted(class_weight), size, random, steps)
        if self.in_shape is None:
            raise BadArgument(
                "A generator does not show the shape of a sample before training. Give the "
                "first layer its input_shape, or call model.build((n,))."
            )

        def read(item: Any, i: int) -> Pairs:
            batch = parts(item, f"Batch {i} of the epoch")
            return self._pairs(*batch, of=f" of batch {i}").weighted(class_weight)

        return Stream(x, read, steps)

    def _wanted(self) -> int | None:
        """The number of numbers in a target; None if a user-defined loss may accept any."""
        _, loss = self._ready()
        if not loss.built_in or self.out_shape is None:
            return None
        return 1 if str(loss.row).startswith("sparse") else prod(self.out_shape)

    def _named_weights(self) -> list[tuple[str, Value]]:
        """Each weight with a name for people: its layer's and its own."""
        return [
            (f"{layer.name}'s {value.name}", value)
            for layer in self.layers
            for value in layer.parameters()
        ]

    def _variables(self) -> list[list[Value]]:
        """The weights that training may move, each a variable of its own."""
        return [
            flatten(list(weight))[0] for layer in self.layers for weight in layer.trainable_weights
        ]

    def _streams(self) -> list[Random]:
        """The sources of random numbers of this model and its layers."""
        return [self.random, *[r for layer in self.layers for r in layer.streams()]]

    def _kept(self) -> list[Value]:
        """Every Value whose number is part of the model, such as moving averages."""
        weights = flatten([layer.weight_values() for layer in self.layers])[0]
        return list(dict.fromkeys([*self.parameters(), *weights]))

    def _state(self, source: Source[Pairs]) -> State:
        optimizer, _ = self._ready()
        return State(
            [p.data for p in self._kept()],
            optimizer.state_dict(),
            [stream.getstate() for stream in self._streams()],
            source.rest,
        )

    def _restore(self, state: State, source: Source[Pairs]) -> None:
        optimizer, _ = self._ready()
        set_numbers(self._kept(), state.weights)
        optimizer.load_state_dict(state.optimizer)
        for stream, numbers in zip(self._streams(), state.streams):
            stream.setstate(numbers)
        source.rest = state.rest


def _number(x: Any) -> float:
    return x.data if isinstance(x, Value) else number(x)


def _listed(logs: dict[str, float]) -> dict[str, list[float]]:
    return {name: [x] for name, x in logs.items()}


def _named_metric(which: Any) -> tuple[str, nn.Metric]:
    """A metric, and the name that the history gives it."""
    made = nn.metric(which)
    return (which if isinstance(which, str) else made.name), made
