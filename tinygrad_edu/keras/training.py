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
from ..nn.layers import Sample, Signal
from ..nn.module import set_numbers
from ..nn.tensors import shaped
from ..trees import as_array, flatten
from .callbacks import CallbackList, History, Progress
from .data import (
    Batched,
    Pairs,
    Port,
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
from .goals import Goal, Measure, goals, measures
from .keeping import Programs, fingerprint, trained
from .programs import Evaluation, Forward, Training, frozen
from .recording import columns_of, custom, penalties, with_penalties
from .turns import alone, alone_for_long
from .wiring import Wired, named

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
        self.goals: list[Goal] = []  # one for each output
        self.measured: dict[str, Measure] = {}  # metrics by the name that the history gives them
        self._wanted: tuple[Any, ...] | None = None  # losses and metrics as they were passed
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
    def loss(self) -> Any:
        """The loss; a list with one for each of several outputs."""
        losses = [goal.loss for goal in self.goals]
        return losses if len(losses) > 1 else losses[0] if losses else None

    @property
    def metrics(self) -> list[nn.Metric]:
        """The metrics; see `measures` for their names."""
        return list(self.measures.values())

    @property
    def measures(self) -> dict[str, nn.Metric]:
        """The metrics by the names that the history gives them."""
        return {name: measure.metric for name, measure in self.measured.items()}

    @property
    def weighted(self) -> list[str]:
        """The names of the metrics that weigh samples as the loss does."""
        return [name for name, measure in self.measured.items() if measure.weighs]

    @property
    def losses_names(self) -> list[str]:
        """The names of the loss and, if several outputs have one, of theirs."""
        apart = [f"{goal.name}_loss" for goal in self.goals if goal.loss is not None]
        return ["loss", *(apart if len(apart) > 1 else [])] if apart else []

    @property
    def metrics_names(self) -> list[str]:
        """The names of what `evaluate` returns, in Keras's order: the loss; the metrics, except
        those that have another name in the history, because several have the same name or outputs;
        the losses of several outputs; and the rest, sorted."""
        if not self.losses_names:
            return []
        every = {*self.losses_names, *self.measured}
        first, *apart = self.losses_names
        own = [measure.name for measure in self.measured.values()]
        listed = [name for name in (first, *own, *apart) if name in every]
        return [*listed, *sorted(every - set(listed))]

    def build(self, input_shape: Any) -> None:
        """Give the shape of one sample, for a model that lacks it."""
        raise NotImplementedError

    @alone
    def compile(
        self,
        optimizer: Any = "rmsprop",
        loss: Any = None,
        metrics: Any = None,
        run_eagerly: bool = False,
        jit_compile: bool | str = "auto",
        weighted_metrics: Any = None,
        loss_weights: Any = None,
        steps_per_execution: int = 1,
        auto_scale_loss: bool = True,
    ) -> None:
        """Say how to train.

        Several outputs are trained for the sum of their losses. Their names are those of the layers
        that they come from, or their keys if they are a dict.

        Args:
            optimizer: a name, or one of keras.optimizers.
            loss: a name, one of keras.losses, or a callable on Values. Of several outputs one for
                all; a list with one for each; or a dict by their names. None trains an output for
                nothing.
            metrics: a list of names, keras.metrics, or callables. Of several outputs a list with an
                item for each, which may be a list, or a dict by their names. Sample weights do not
                matter to them.
            run_eagerly: whether every sample is recorded anew, as a graph of Values, which you can
                inspect with debuggers and prints. False: one sample is recorded, compiled, and
                replayed for all others; the results are the same. User-defined code is recorded
                again before each call and, if there are callbacks for epochs or batches, before
                each of these; it prints only then.
            jit_compile: who replays it. "auto": Python, and machine code as soon as that is
                worth its preparation, counted in instructions; True: machine code at once;
                False: Python alone.
            weighted_metrics: like ``metrics``, but they weigh samples as the loss does.
            loss_weights: a factor for the loss; of several losses a list or a dict.
            steps_per_execution: after how many batches callbacks hear of them; only 1.
            auto_scale_loss: changes nothing: in float64 no gradient vanishes that would have to be
                scaled.

        Raises:
            NameUnknown: with the nearest known name.
            BadArgument: for another jit_compile or steps_per_execution, or losses and metrics that
                do not fit the outputs.
        """
        if jit_compile not in (True, False, "auto"):
            raise BadArgument(
                f"jit_compile must be True, False or 'auto'. Received: {jit_compile!r}."
            )
        if check_whole("steps_per_execution", steps_per_execution) > 1:
            raise BadArgument(
                f"With steps_per_execution callbacks hear of every n-th batch alone, which fit "
                f"does not do. Received: {steps_per_execution!r}. Leave it out: fit is as fast "
                f"without it."
            )
        chosen, wanted = nn.optimizer(optimizer), (loss, loss_weights, metrics, weighted_metrics)
        vars(self).update(  # at once, so that Ctrl-C can't come in between
            optimizer=chosen, **self._aims(wanted), run_eagerly=bool(run_eagerly),
            jit_compile=jit_compile, _programs=Programs(),
        )  # fmt: skip

    def _aims(self, wanted: tuple[Any, ...]) -> dict[str, Any]:
        """The goals and the metrics of each output, as attributes. A model that is not built has
        one output, if nothing says otherwise; once it is built, it may turn out to have several."""
        loss, loss_weights, metrics, weighted_metrics = wanted
        names = self.output_names or ["output"]
        several = isinstance(loss, (list, tuple, Mapping)) and len(loss) > 1
        if several and self.branching and not self.built:
            return {"goals": [], "measured": {}, "_wanted": wanted}
        chosen = goals(names, loss, loss_weights)
        return {
            "goals": chosen, "measured": measures(names, metrics, weighted_metrics),
            "_wanted": wanted,
        }  # fmt: skip

    def _wire(self, inputs: list[Signal], outputs: Any) -> None:
        super()._wire(inputs, outputs)
        if self._wanted is not None and len(self.goals) != len(self._outputs):
            vars(self).update(self._aims(self._wanted))

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
                batch. Without a batch_size it divides the samples into so many batches.
            validation_steps: the number of batches to validate on, each time from the first one;
                a generator goes on.
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
        optimizer = self._ready()
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
            run.validation.source.restart()
            checked = self._test(run.validation.source, run.hooks)
            logs |= _listed({f"val_{name}": x for name, x in checked.items()})
            logs = dict(sorted(logs.items()))
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
        count, plain = program.losses, not self.measured and program.losses == 1
        logs: dict[str, list[float]] = {n: [] for n in sorted([*self.losses_names, *self.measured])}
        for order in orders:
            seen = sum(map(len, order))
            if plain:
                logs["loss"].append(sum(next(records)[0] * len(batch) for batch in order) / seen)
                continue
            sums = [0.0] * count
            self._reset()
            for batch in order:
                record = next(records)
                sums = [x + loss * len(batch) for x, loss in zip(sums, record)]
                program.note(record[count:], len(batch))
            for name, x in self._logs([x / seen for x in sums]).items():
                logs[name].append(x)
        return logs

    def _epoch(
        self, batches: Iterable[Pairs], hooks: CallbackList, task: Task | None = None
    ) -> dict[str, float]:
        """One pass over all samples. Its loss is the mean over them, each batch's before its
        step, as in Keras."""

        def step(batch: Pairs) -> list[float]:
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
        losses: Callable[[Pairs], list[float]],
        begin: Callable[..., None],
        end: Callable[..., None],
    ) -> dict[str, float]:
        """The mean losses over all samples and the metrics, after the last of these batches."""
        sums, seen = [0.0] * len(self.losses_names), 0
        logs: dict[str, float] = {}
        self._reset()
        for i, batch in enumerate(batches):
            begin(i)
            sums = [x + loss * len(batch) for x, loss in zip(sums, losses(batch))]
            seen += len(batch)
            logs = self._logs([x / seen for x in sums])
            end(i, logs)
        return logs

    def _step(self, batch: Pairs, task: Task | None = None) -> list[float]:
        """One step of the optimiser; the losses before it."""
        program = self._replay(batch)
        if program is not None:
            (record,) = program.run(program.rows(batch), [range(len(batch))], task)
            program.note(record[program.losses :], len(batch))
            return record[: program.losses]
        optimizer = self._ready()
        layers = None if self.fines_outputs else self._program(Forward, True)
        rows = layers.rows(batch.x.rows) if layers is not None else []
        (value, *apart), outputs = self._losses_of(batch, layers, rows)
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
        return list(map(_number, [value, *apart]))

    def _losses_of(
        self, data: Pairs, layers: Forward | None = None, rows: Sequence[Sequence[float]] = ()
    ) -> tuple[list[Any], list[Sample]]:
        """The loss of some samples with all penalties and, if several outputs have one, theirs; and
        the outputs.

        If the layers are a program, which reads these rows, only what is around them is recorded.
        """
        self._ready()
        fines: list[Any] = []
        if layers is not None:
            outputs = layers.leaves(rows)
        else:
            outputs = self.forward_batch(self._given(data.x.rows), fines=fines)
        fines = [ops.sum(fines) / len(outputs)] if fines else []
        apart, terms = [], []
        for goal, (ys, ps, weights) in zip(self.goals, self._columns(data, outputs)):
            if goal.loss is not None:
                apart.append(goal.loss(ys, ps, weights))
                terms.append(apart[-1] if goal.factor == 1.0 else apart[-1] * goal.factor)
        value = with_penalties(terms[0], [*terms[1:], *penalties(self), *fines])
        return [value, *(apart if len(apart) > 1 else [])], outputs

    def _columns(
        self, data: Pairs, outputs: list[Any], ys: list[Any] | None = None
    ) -> list[tuple[Any, Any, list[float] | None]]:
        """For each output: its targets (those of the data if not given), itself, its weights."""
        targets = columns_of(data.y.rows if ys is None else ys, data.y.parts)
        predictions = columns_of(outputs, self.widths)
        weights = data.weights or [None] * len(targets)
        return list(zip(targets, predictions, weights))

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
        return self._program(Training, *_form(data))

    def _measure(self, data: Pairs, outputs: list[Sample]) -> None:
        columns = self._columns(data, outputs) if self.measured else []
        for metric, place, weighs, _ in self.measured.values():
            ys, ps, weights = columns[place]
            metric.update(ys, ps, weights if weighs else None)

    def _logs(self, losses: Sequence[float]) -> dict[str, float]:
        """The numbers so far, in the order of their names, as Keras gives them to callbacks."""
        results = {name: measure.metric.result() for name, measure in self.measured.items()}
        return dict(sorted({**dict(zip(self.losses_names, losses)), **results}.items()))

    def _reset(self) -> None:
        for metric in self.metrics:
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
        optimizer = self._ready()
        optimizer.bind(self._variables())
        self._reset()
        with trained(self, True):
            return self._answer(self._logs(self._step(data)), return_dict)

    def _answer(self, logs: dict[str, float], return_dict: bool) -> Any:
        """The numbers by name; or a list in the order of `metrics_names`, as Keras returns it."""
        if return_dict:
            return logs
        numbers = [logs[name] for name in self.metrics_names]
        return numbers if len(numbers) > 1 else numbers[0]

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
            hooks.on_predict_batch_end(step, {"outputs": self.separated(outputs, _as_it_is)})
        hooks.on_predict_end()
        make = as_array if array else list
        return self.separated(rows, lambda part, shape: make(_in_shape(part, shape)))

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
        losses_of: Callable[[Pairs], list[float]] | None = None

        def losses(batch: Pairs) -> list[float]:
            nonlocal losses_of
            if anew or losses_of is None:  # a callback may have changed the model
                losses_of = self._evaluator(batch)
            return losses_of(batch)

        begin, end = hooks.on_test_batch_begin, hooks.on_test_batch_end
        logs = self._pass(source.epoch(), losses, begin, end)
        if not logs:
            raise BadArgument(
                "There is nothing left to evaluate. Received: a source of batches that ran out. "
                "Pass something that can be iterated again, or limit the number of steps."
            )
        hooks.on_test_end(logs)
        return logs

    def _evaluator(self, like: Pairs) -> Callable[[Pairs], list[float]]:
        """The function for the losses of such a batch, which also updates the metrics."""
        program = self._program(Evaluation, *_form(like))
        if program is not None:
            return program.batch
        layers = None if self.fines_outputs else self._program(Forward, False)

        def losses(batch: Pairs) -> list[float]:
            with trained(self, False), no_grad():
                found, outputs = self._losses_of(batch, layers, batch.x.rows)
            self._measure(batch, outputs)
            return list(map(_number, found))

        return losses

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
        outputs: list[Sample] = []
        targets: list[Sample] = []
        losses: list[list[Any]] = [[] for _ in self.goals]
        for i, (row, target) in enumerate(zip(data.x.rows, data.y.rows), 1):
            with scope(f"sample {i}"):
                outputs.append(self.forward_named(row))
                targets.append(named(target, "y", "target"))
                columns = self._columns(data, outputs[-1:], targets[-1:])
                for goal, (ys, ps, _), found in zip(self.goals, columns, losses):
                    if goal.loss is not None and goal.loss.built_in:
                        found += goal.loss.per_sample(ys, ps)
        terms = []
        for goal, (ys, ps, weights), found in zip(
            self.goals, self._columns(data, outputs, targets), losses
        ):
            if goal.loss is not None:  # a user-defined loss sees only whole batches
                each = found if goal.loss.built_in else goal.loss.per_sample(ys, ps)
                reduced = goal.loss.reduced(each, weights)
                terms.append(reduced if goal.factor == 1.0 else reduced * goal.factor)
        value: Value = with_penalties(terms[0], [*terms[1:], *penalties(self)])
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
        (value, *_), _ = self._losses_of(data)
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
        optimizer = self._ready()
        return diagnose(self._curvatures(data), names, optimizer.rate, data.x.rows)

    def _why_stopped(self, epoch: int, source: Source[Pairs], before: State) -> str:
        """The message for a loss that is not finite. The epoch is run again under
        detect_anomaly."""
        optimizer = self._ready()
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

    def _ready(self) -> nn.Optimizer:
        if self.optimizer is None:
            raise GraphError(
                "A model must be compiled before it is trained or evaluated. Received: a call "
                "before compile. Write model.compile(optimizer='sgd', loss='mean_squared_error') "
                "first."
            )
        aimed = self.goals or self._wanted is None
        if aimed and all(goal.loss is None for goal in self.goals):
            raise GraphError(
                "There is no loss to compute. Received: a model compiled without one. "
                "Write model.compile(optimizer='sgd', loss='mean_squared_error')."
            )
        return self.optimizer

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
        inputs = self._inputs_of(x, of)  # which builds the model
        return pairs(inputs, y, sample_weight, targets=self._targets(), of=of)

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

    def _targets(self) -> Any:
        """The number of numbers in a target, or the ports of several; None if a user-defined loss
        may accept any number."""
        ports = []
        for i, (goal, answer) in enumerate(zip(self.goals, self.answers)):
            loss = goal.loss
            sparse = loss is not None and str(loss.row).startswith("sparse")
            width = None if loss is None or not loss.built_in else 1 if sparse else answer.width
            measured = any(measure.place == i for measure in self.measured.values())
            ports.append(Port(answer.name, width, loss is not None or measured))
        return ports if len(ports) > 1 else ports[0].width

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
        optimizer = self._ready()
        return State(
            [p.data for p in self._kept()],
            optimizer.state_dict(),
            [stream.getstate() for stream in self._streams()],
            source.rest,
        )

    def _restore(self, state: State, source: Source[Pairs]) -> None:
        optimizer = self._ready()
        set_numbers(self._kept(), state.weights)
        optimizer.load_state_dict(state.optimizer)
        for stream, numbers in zip(self._streams(), state.streams):
            stream.setstate(numbers)
        source.rest = state.rest


def _number(x: Any) -> float:
    return x.data if isinstance(x, Value) else number(x)


def _listed(logs: dict[str, float]) -> dict[str, list[float]]:
    return {name: [x] for name, x in logs.items()}


def _in_shape(rows: list[Any], shape: tuple[int, ...]) -> list[Any]:
    """Flat outputs of samples as nested lists, if they have several axes."""
    return [shaped(row, shape) for row in rows] if len(shape) > 1 else rows


def _as_it_is(part: Any, shape: tuple[int, ...]) -> Any:
    return part


def _form(data: Pairs) -> tuple[tuple[int, ...], tuple[bool, ...]]:
    """For each output, the width of its target, and whether samples have weights."""
    weights = data.weights or [None] * len(data.y.parts)
    return data.y.parts, tuple(column is not None for column in weights)
