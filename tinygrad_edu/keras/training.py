"""What a model does with data: compile, fit, evaluate, predict, and its loss as a graph."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Sequence
from math import isfinite, prod
from random import Random
from typing import Any, NamedTuple, TypeVar

from ..anomalies import detect_anomaly
from ..blocks import MODE
from ..core.calculus import gradients
from ..core.modes import caller, no_grad, scope
from ..core.ops import sum as total
from ..core.table import number
from ..core.value import Value, zero_grad
from ..errors import Anomaly, BadArgument, GraphError
from ..nn.layers import Sample, Shape, ShapedLayer
from ..nn.losses import Loss
from ..nn.losses import loss as named_loss
from ..nn.metrics import Metric
from ..nn.metrics import metric as named_metric
from ..nn.module import Module
from ..nn.neurons import subscript
from ..nn.optimizers import Optimizer
from ..nn.optimizers import optimizer as named_optimizer
from ..trees import as_array, flatten
from .callbacks import CallbackList, History, Progress
from .compiled import Evaluation, Forward, Programs, Training, custom, fingerprint, frozen, trained
from .data import Batched, Pairs, Stream, batches, is_stream, pairs, samples, split
from .diagnosis import MOST_WEIGHTS, Diagnosis, diagnose, eigen, refuse_too_many
from .engines import Task
from .seeding import fresh

T = TypeVar("T", Forward, Evaluation, Training)

_OF_BATCHES = (
    "on_train_batch_begin", "on_train_batch_end", "on_batch_begin", "on_batch_end",
)  # fmt: skip
_OF_EPOCHS = ("on_epoch_begin", "on_epoch_end")
_OF_TESTS = ("on_test_batch_begin", "on_test_batch_end")
_OF_PREDICTIONS = ("on_predict_batch_begin", "on_predict_batch_end")


class Diverged(UserWarning):
    """Training stopped at a loss that was no finite number."""


class RunsEagerly(UserWarning):
    """A model can't be compiled and is trained in plain Python."""


class State(NamedTuple):
    """All that training changes, so that it can be put back."""

    weights: list[float]
    optimizer: dict[str, Any]
    streams: list[Any]  # of the random numbers that shuffling and dropout draw


class Run(NamedTuple):
    """What one call of `fit` trains on, and whom it tells."""

    feed: Stream | Batched
    validation: Pairs | None
    batch_size: int | None  # of the validation
    told: CallbackList
    task: Task | None  # None if nobody knows how much will come


class Trainer(Module):
    """What `Model` and `Sequential` do with data; see there for making one."""

    def __init__(self) -> None:
        self.layers: list[ShapedLayer] = []
        self.random = fresh()  # of the initial weights, and of shuffling
        self.optimizer: Optimizer | None = None
        self.loss: Loss | None = None
        self.metrics: dict[str, Metric] = {}  # by the name that the history gives them
        self.history: History | None = None
        self.stop_training = False
        self.run_eagerly = False
        self.jit_compile: bool | str = "auto"
        self._programs = Programs()

    @property
    def input_shape(self) -> Shape | None:
        """The shape of one sample, None before the model is built."""
        raise NotImplementedError

    @property
    def output_shape(self) -> Shape | None:
        """The shape of the output for one sample, None before the model is built."""
        raise NotImplementedError

    def build(self, input_shape: Any) -> None:
        """Tell the shape of one sample."""
        raise NotImplementedError

    def forward(self, sample: Sample) -> Sample:
        """The outputs for the numbers of one sample."""
        raise NotImplementedError

    def count_params(self) -> int:
        """How many numbers the weights are."""
        return len(self.parameters())

    def compile(
        self,
        optimizer: Any = "rmsprop",
        loss: Any = None,
        metrics: Sequence[Any] | None = None,
        run_eagerly: bool = False,
        jit_compile: bool | str = "auto",
    ) -> None:
        """Say how to train.

        Args:
            optimizer: a name, or one of keras.optimizers.
            loss: a name, one of keras.losses, or a callable on Values.
            metrics: names, keras.metrics, or callables.
            run_eagerly: whether every sample is recorded anew, as a graph of Values that
                debuggers and prints can look into. False: one sample is recorded, compiled,
                and replayed for all others; the results are the same. Code of yours is
                recorded again before each call, and where callbacks hear epochs or batches
                before each of these; what it prints, it prints only then.
            jit_compile: who replays it. "auto": Python, and machine code as soon as that is
                worth its preparation, which goes on meanwhile; True: machine code at once;
                False: Python alone.

        Raises:
            NameUnknown: with the nearest known name.
            BadArgument: for another jit_compile.
        """
        if jit_compile not in (True, False, "auto"):
            raise BadArgument(f"jit_compile is True, False or 'auto'. Received: {jit_compile!r}.")
        chosen, loss = named_optimizer(optimizer), None if loss is None else named_loss(loss)
        found = [(m if isinstance(m, str) else named_metric(m).name, m) for m in metrics or ()]
        self.metrics = {name: named_metric(m) for name, m in found}
        self.optimizer, self.loss = chosen, loss
        self.run_eagerly, self.jit_compile = bool(run_eagerly), jit_compile
        self._programs = Programs()

    # ── Training ──────────────────────────────────────────────────────────────────────────

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
        stop_at_nonfinite: bool = True,
    ) -> History:
        """Train for some epochs, each one pass over all samples in batches.

        Args:
            x, y: inputs and targets: tuples, lists, arrays, Series, DataFrames; or x alone, a
                generator of batches ``(x, y)`` or ``(x, y, weights)``.
            batch_size: samples per step of the optimiser; 32 if not given.
            epochs: where to stop counting; training goes from ``initial_epoch`` to there.
            verbose: 0 silent, 1 a bar, 2 a line per epoch; "auto" chooses by the terminal.
            callbacks: one of keras.callbacks, or a list of them.
            validation_split: the share of the samples, the last ones, to validate on.
            validation_data: ``(x, y)`` or ``(x, y, weights)`` to validate on instead.
            shuffle: whether each epoch takes the samples in a new order.
            class_weight: a weight for each class, by its number.
            sample_weight: a weight for each sample.
            steps_per_epoch: of a generator, how many batches make an epoch.
            stop_at_nonfinite: stop at the first loss that is nan or infinite, put back the
                weights of the last finite epoch, and say why. False: go on, as Keras does.

        Returns:
            The history: ``history.history["loss"]`` is one number per epoch.

        Raises:
            GraphError: before compile, or without a loss.
            BadArgument: for lengths or shapes that do not fit, nan in the data, and the like.
            KeyboardInterrupt: as it came; the model is then that of the last epoch recorded.
        """
        self._ready()
        _whole("epochs", epochs)
        _whole("initial_epoch", initial_epoch)
        source = self._source(x, y, sample_weight, class_weight, steps_per_epoch)
        validation = None if validation_data is None else self._pairs(*validation_data)
        if validation is None and isinstance(source, Pairs):
            source, validation = split(source, validation_split)
        optimizer, _ = self._ready()
        optimizer.bind(self._trainable())
        feed: Stream | Batched
        if isinstance(source, Stream):
            feed, task = source, None
        else:
            feed = Batched(source, batch_size, self.random if shuffle else None)
            task = Task(len(source), feed.steps, epochs)
        self.history, self.stop_training = History(), False
        told = CallbackList(
            [callbacks, Progress(verbose), self.history], self,
            verbose=verbose, epochs=epochs, steps=feed.steps,
        )  # fmt: skip
        told.on_train_begin()
        run = Run(feed, validation, batch_size, told, task)
        why = self._train(run, self.history, initial_epoch, epochs, stop_at_nonfinite)
        told.on_train_end()
        if why is not None:
            warnings.warn(why, Diverged, stacklevel=2)
        return self.history

    def _train(
        self, run: Run, history: History, epoch: int, epochs: int, stop_at_nonfinite: bool
    ) -> str | None:
        """From one epoch on up to another: whole epochs, or none. Where nobody listens to
        epochs a program runs many at once.

        Returns:
            Why it stopped at a loss that is not finite, if it did.
        """
        optimizer, _ = self._ready()
        feed, told = run.feed, run.told
        by_batch = isinstance(feed, Stream) or any(map(told.hears, _OF_BATCHES))
        by_epoch = by_batch or run.validation is not None or any(map(told.hears, _OF_EPOCHS))
        by_epoch = by_epoch or custom([optimizer.learning_rate])  # a schedule may read the history
        most = 1 if by_epoch else epochs
        while epoch < epochs and not self.stop_training:
            before, replay, count = self._state(), None, 1
            try:
                told.on_epoch_begin(epoch)
                stepwise = by_batch or self.stop_training  # a callback may stop it at the begin
                if isinstance(feed, Batched) and not stepwise:
                    replay = self._replay(feed.data)
                    if replay is not None:
                        at_once = replay.at_once(len(feed.data), feed.steps)
                        count = min(most, epochs - epoch, at_once)
                logs = self._epochs(run, replay, count)
            except BaseException as error:  # Ctrl-C too: what is whole stays, and nothing else
                self._restore(before)
                if count > 1 and isinstance(error, Exception):
                    most = 1  # one by one then, up to the epoch that fails
                    continue
                self.eval()
                raise
            if not logs:
                break  # a generator that had nothing left
            losses = logs["loss"]
            finite = next((i for i, loss in enumerate(losses) if not isfinite(loss)), len(losses))
            if stop_at_nonfinite and finite < len(losses):
                self._restore(before)
                if not finite:
                    return self._why_stopped(epoch, feed.epoch, before)
                most = finite  # the epochs before it once more, and then that one alone
                continue
            if by_epoch:
                told_of = {name: x for name, (x,) in logs.items()}
                try:
                    told.on_epoch_end(epoch, told_of)
                except BaseException:  # the epoch is whole all the same, and the history last
                    if history.epoch[-1:] != [epoch]:
                        history.on_epoch_end(epoch, told_of)
                    raise
            else:
                history.extend(range(epoch, epoch + len(losses)), logs)
            epoch += len(losses)
        return None

    def _epochs(self, run: Run, replay: Training | None, count: int) -> dict[str, list[float]]:
        """Some epochs by a program, or one step by step; and what is told of each."""
        if replay is not None and isinstance(run.feed, Batched):
            logs = self._replayed(replay, run.feed, count, run.task)
        else:
            epoch = self._epoch(run.feed.epoch(), run.told, run.task)
            logs = {name: [x] for name, x in epoch.items()}
        if not logs:
            return logs
        if run.validation is not None and isfinite(logs["loss"][0]):
            found = self._test(run.validation, run.told, run.batch_size)
            logs.update({f"val_{name}": [x] for name, x in found.items()})
        if run.feed.exhausted:
            self.stop_training = True  # and it has said so
        return logs

    def _replayed(
        self, replay: Training, feed: Batched, epochs: int, task: Task | None
    ) -> dict[str, list[float]]:
        """Some epochs by a program: what `_epoch` tells of each, a list per name."""
        metrics, orders = self.metrics.values(), feed.orders(epochs)
        batches = [batch for order in orders for batch in order]
        records = iter(replay.run(feed.rows_for(replay), batches, task))
        logs: dict[str, list[float]] = {"loss": [], **{name: [] for name in self.metrics}}
        for order in orders:
            loss_sum, seen = 0.0, 0
            for metric in metrics:
                metric.reset()
            for batch in order:
                loss, *sums = next(records)
                loss_sum += loss * len(batch)
                seen += len(batch)
                if metrics:
                    replay.note(sums, len(batch), metrics)
            logs["loss"].append(loss_sum / seen)
            for name, metric in self.metrics.items():
                logs[name].append(metric.result())
        return logs

    def _epoch(
        self, feed: Iterable[Pairs], told: CallbackList, task: Task | None = None
    ) -> dict[str, float]:
        """One pass over all samples. The loss it tells is the mean over them, each batch's
        before its step, as Keras tells it."""
        loss_sum, seen = 0.0, 0
        for metric in self.metrics.values():
            metric.reset()
        logs: dict[str, float] = {}
        for step, batch in enumerate(feed):
            told.on_train_batch_begin(step)
            self.train()  # a callback may have used the model, or trained it
            loss_sum += self._step(batch, task) * len(batch)
            seen += len(batch)
            logs = {"loss": loss_sum / seen, **self._results()}
            told.on_train_batch_end(step, logs)
            if self.stop_training:
                break
        self.eval()
        return logs

    def _step(self, batch: Pairs, task: Task | None = None) -> float:
        """One step of the optimiser; the loss before it."""
        replay = self._replay(batch)
        if replay is not None:
            ((loss, *sums),) = replay.run(replay.rows(batch), [range(len(batch))], task)
            replay.note(sums, len(batch), self.metrics.values())
            return loss
        optimizer, loss_of = self._ready()
        layers = self._program(Forward, True)
        if layers is None:
            value, outputs = self._loss_of(batch)
        else:  # only what stands around the layers is recorded
            rows = layers.rows(batch.x.rows)
            outputs = layers.leaves(rows)
            value = self._with_penalties(loss_of(batch.y.rows, outputs, batch.weights))
        self.zero_grad()
        if isinstance(value, Value):
            value.backward()
            if layers is not None:
                layers.pull(rows, outputs)
        if optimizer.parameters:  # also if none of them matters to these samples: momentum goes on
            optimizer.step()
        zero_grad(frozen(self))  # no business of training, so a program computes none
        self._measure(batch, outputs)
        return _number(value)

    def _loss_of(self, data: Pairs) -> tuple[Any, list[Sample]]:
        """The loss of some samples with all penalties, and the outputs it is the loss of."""
        _, loss = self._ready()
        outputs = [self.forward(x) for x in self._given(data.x.rows)]
        return self._with_penalties(loss(data.y.rows, outputs, data.weights)), outputs

    def _given(self, rows: Sequence[Sequence[float]]) -> list[Sample]:
        """The samples as layers take them: code of a user's, which may ask what it is given, as
        Values, as while it is recorded; plain numbers are the same to all others, and faster."""
        if custom(fingerprint(self, Forward.beside)):
            return [[Value(x, role="constant") for x in row] for row in rows]
        return list(map(list, rows))

    # ── Programs ──────────────────────────────────────────────────────────────────────────

    def _program(self, kind: type[T], *about: Any) -> T | None:
        """The program of this kind; None where every sample is recorded anew."""
        if self.run_eagerly or MODE.get().sweep is not None:  # detect_anomaly wants to watch
            return None
        knew = self._programs.why_not
        found = self._programs.get(self, kind, *about)
        why = self._programs.why_not
        if why is not None and knew is None:
            warnings.warn_explicit(
                f"{self!r} can't be compiled, so all samples are recorded anew, which is slower "
                f"and gives the same results. {why} Or pass run_eagerly=True to compile.",
                RunsEagerly,
                *caller(),
            )
        return found

    def _replay(self, data: Pairs) -> Training | None:
        """Steps of the optimiser on such data as a program."""
        return self._program(Training, data.y.width, data.weights is not None)

    def _with_penalties(self, loss: Any) -> Any:
        penalties = [p for layer in self.layers for p in layer.penalties()]
        return total([loss, *penalties]) if penalties else loss

    def _measure(self, data: Pairs, outputs: list[Sample]) -> None:
        for metric in self.metrics.values():
            metric.update(data.y.rows, outputs, data.weights)

    def _results(self) -> dict[str, float]:
        return {name: metric.result() for name, metric in self.metrics.items()}

    def train_on_batch(self, x: Any, y: Any, sample_weight: Any = None) -> float:
        """One step of the optimiser on these samples; returns the loss before it."""
        data = self._pairs(x, y, sample_weight)
        optimizer, _ = self._ready()
        optimizer.bind(self._trainable())
        with trained(self, True):
            return self._step(data)

    # ── Using ─────────────────────────────────────────────────────────────────────────────

    def predict(
        self,
        x: Any,
        batch_size: int | None = None,
        verbose: int | str = 0,
        callbacks: Any = None,
    ) -> Any:
        """The outputs for each sample: nested lists, or an array if one went in.

        >>> from tinygrad_edu import keras
        >>> model = keras.Sequential([keras.layers.Dense(1, "linear", kernel_initializer="ones")])
        >>> model.predict([10, 20])
        [[10.0], [20.0]]
        """
        shape = self.input_shape
        data = samples(x, width=None if shape is None else prod(shape))
        self._build_for(data.shape)
        told = CallbackList([callbacks], self)
        rows: list[list[float]] = []
        told.on_predict_begin()
        by_batch = any(map(told.hears, _OF_PREDICTIONS))
        for step, chosen in enumerate(batches(len(data), batch_size)):
            told.on_predict_batch_begin(step)
            if by_batch or step == 0:  # a callback may have changed the model
                program = self._program(Forward, False)
            xs = [data.rows[i] for i in chosen]
            if program is not None:
                rows += program.outputs(xs)
            else:
                with trained(self, False), no_grad():
                    rows += [list(map(_number, self.forward(x))) for x in self._given(xs)]
            told.on_predict_batch_end(step, {"outputs": rows[-len(chosen) :]})
        told.on_predict_end()
        return as_array(rows) if data.from_array else rows

    def evaluate(
        self,
        x: Any,
        y: Any,
        batch_size: int | None = None,
        verbose: int | str = 0,
        sample_weight: Any = None,
        callbacks: Any = None,
        return_dict: bool = False,
    ) -> Any:
        """The loss over all samples, and the metrics if there are any.

        Returns:
            The loss; with metrics a list ``[loss, *metrics]``; or with ``return_dict`` by name.
        """
        told = CallbackList([callbacks], self)
        logs = self._test(self._pairs(x, y, sample_weight), told, batch_size)
        if return_dict:
            return logs
        return list(logs.values()) if self.metrics else logs["loss"]

    def _test(
        self, data: Pairs, told: CallbackList, batch_size: int | None = None
    ) -> dict[str, float]:
        for metric in self.metrics.values():
            metric.reset()
        loss_sum, seen = 0.0, 0
        logs: dict[str, float] = {}
        _, loss_of = self._ready()
        told.on_test_begin()
        by_batch = any(map(told.hears, _OF_TESTS))
        for step, chosen in enumerate(batches(len(data), batch_size)):
            told.on_test_batch_begin(step)
            if by_batch or step == 0:  # a callback may have changed the model
                program = self._program(Evaluation, data.y.width, data.weights is not None)
                layers = None if program else self._program(Forward, False)
            batch = data.take(chosen)
            if program is not None:
                value = program.batch(batch, self.metrics.values())
            elif layers is not None:
                outputs = layers.leaves(batch.x.rows)
                with no_grad():
                    value = self._with_penalties(loss_of(batch.y.rows, outputs, batch.weights))
                self._measure(batch, outputs)
            else:
                with trained(self, False), no_grad():
                    value, outputs = self._loss_of(batch)
                self._measure(batch, outputs)
            loss_sum += _number(value) * len(batch)
            seen += len(batch)
            logs = {"loss": loss_sum / seen, **self._results()}
            told.on_test_batch_end(step, logs)
        told.on_test_end(logs)
        return logs

    # ── Opened up ─────────────────────────────────────────────────────────────────────────

    def loss_graph(self, x: Any, y: Any, sample_weight: Any = None) -> Value:
        """The recorded loss of these samples, with names, roles and scopes told.

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
                inputs: Sample = _named(row, "x", "input")
                outputs.append(self.forward(inputs))
                targets.append(_named(target, "y", "target"))
                for j, output in enumerate(outputs[-1], 1):
                    if isinstance(output, Value) and output.op is not None:
                        output.name = subscript("ŷ", j, len(outputs[-1]))
                if loss.built_in:  # a loss of yours sees only whole batches
                    losses += loss.per_sample(targets[-1:], outputs[-1:])
        found = losses if loss.built_in else loss.per_sample(targets, outputs)
        value: Value = self._with_penalties(loss.reduced(found, data.weights))
        value.name = "loss"
        return value

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

    def why_diverging(self, x: Any, y: Any) -> Diagnosis:
        """Which learning rates these data allow, why some weights learn slowly, what helps.

        >>> from tinygrad_edu import keras
        >>> model = keras.Sequential([keras.layers.Dense(1, input_shape=[1])])
        >>> model.compile("sgd", "mse")
        >>> found = model.why_diverging((1, 2, 3, 4, 5, 6, 7), (1, 2, 3, 4, 5, 6, 7))
        >>> round(found.largest_rate, 7), round(found.condition, 2)
        (0.048059, 108.24)
        """
        data = self._pairs(x, y)  # which builds the model if it has to be
        names = [name for name, _ in self._named_weights()]
        refuse_too_many(len(names))  # before n sweeps are made for n weights
        optimizer, _ = self._ready()
        return diagnose(self._curvatures(data), names, optimizer.rate, data.x.rows)

    def _why_stopped(self, epoch: int, feed: Callable[[], Iterable[Pairs]], kept: State) -> str:
        """What to say when a loss is no finite number. The epoch is run once more, watched."""
        optimizer, _ = self._ready()
        first = "the sum over the batches overflowed"
        bound = self._bound(feed)
        try:
            with detect_anomaly():
                self._epoch(feed(), CallbackList([], self))
        except Anomaly as anomaly:
            first = str(anomaly).split(" File ")[0].rstrip(".")
        finally:
            self._restore(kept)
            self.eval()
        return (
            f"Training stopped in epoch {epoch + 1}: the loss was no finite number. The weights "
            f"are those of the epoch before. The learning rate was {optimizer.rate:g}"
            f"{bound}. First: {first}. A smaller rate, or inputs scaled to mean 0 and "
            f"deviation 1, may help: model.why_diverging(x, y) says more. "
            f"fit(..., stop_at_nonfinite=False) goes on regardless."
        )

    def _bound(self, feed: Callable[[], Iterable[Pairs]]) -> str:
        """The bound of the learning rate on the first batch, in words; nothing where it can't
        be known: a large model, or weights too large already for finite curvatures."""
        batch = next(iter(feed()), None)
        if batch is None or self.count_params() > MOST_WEIGHTS:
            return ""
        curvatures = self._curvatures(batch)
        if not all(isfinite(x) for row in curvatures for x in row):
            return ""
        largest = max(eigen(curvatures)[0])
        return f", its bound on these data 2/λ_max = {2.0 / largest:.7f}" if largest > 0.0 else ""

    # ── Inside ────────────────────────────────────────────────────────────────────────────

    def _ready(self) -> tuple[Optimizer, Loss]:
        if self.optimizer is None:
            raise GraphError(
                "A model is compiled before it is trained or evaluated. Received: a call before "
                "compile. Write model.compile(optimizer='sgd', loss='mean_squared_error') first."
            )
        if self.loss is None:
            raise GraphError(
                "There is no loss to compute. Received: a model compiled without one. "
                "Write model.compile(optimizer='sgd', loss='mean_squared_error')."
            )
        return self.optimizer, self.loss

    def _pairs(self, x: Any, y: Any, sample_weight: Any = None, class_weight: Any = None) -> Pairs:
        """Samples and targets that fit this model, which is built by them if it has to be."""
        self._ready()
        if self.input_shape is None:
            self.build(samples(x).shape)
        return pairs(
            x, y, sample_weight, class_weight, inputs=self._inputs_wanted(), targets=self._wanted()
        )

    def _source(
        self, x: Any, y: Any, sample_weight: Any, class_weight: Any, steps: int | None
    ) -> Pairs | Stream:
        if y is not None or not is_stream(x):
            return self._pairs(x, y, sample_weight, class_weight)
        if self.input_shape is None:
            raise BadArgument(
                "A generator does not tell the shape of a sample before training. Give the "
                "first layer its input_shape, or call model.build((n,))."
            )
        return Stream(
            x,
            steps,
            inputs=self._inputs_wanted(),
            targets=self._wanted(),
            class_weight=class_weight,
        )

    def _inputs_wanted(self) -> int | None:
        return None if self.input_shape is None else prod(self.input_shape)

    def _wanted(self) -> int | None:
        """How many numbers a target must have; a loss of yours may want any."""
        _, loss = self._ready()
        if not loss.built_in or self.output_shape is None:
            return None
        return 1 if loss.name.startswith("sparse") else prod(self.output_shape)

    def _build_for(self, shape: Shape) -> None:
        if self.input_shape is None:
            self.build(shape)

    def _named_weights(self) -> list[tuple[str, Value]]:
        """Each weight with a name for people: its layer's and its own."""
        return [
            (f"{layer.name}'s {value.name}", value)
            for layer in self.layers
            for value in layer.parameters()
        ]

    def _trainable(self) -> list[list[Value]]:
        """The weights that training may move, each a variable of its own."""
        return [
            flatten(weight)[0]
            for layer in self.layers
            if layer.trainable
            for weight in layer.weights()
        ]

    def _streams(self) -> list[Random]:
        """The sources of random numbers of this model and its layers."""
        return [self.random, *[r for layer in self.layers for r in layer.streams()]]

    def _state(self) -> State:
        optimizer, _ = self._ready()
        return State(
            [p.data for p in self.parameters()],
            optimizer.state_dict(),
            [stream.getstate() for stream in self._streams()],
        )

    def _restore(self, state: State) -> None:
        optimizer, _ = self._ready()
        for parameter, x in zip(self.parameters(), state.weights):
            parameter.data = x
        optimizer.load_state_dict(state.optimizer)
        for stream, found in zip(self._streams(), state.streams):
            stream.setstate(found)


def _named(numbers: Sequence[float], name: str, role: str) -> Sample:
    """Numbers as Values that a picture can name."""
    count = len(numbers)
    return [Value(x, subscript(name, j, count), role) for j, x in enumerate(numbers, 1)]


def _number(x: Any) -> float:
    return x.data if isinstance(x, Value) else number(x)


def _whole(name: str, n: Any) -> None:
    if not isinstance(n, int) or isinstance(n, bool) or n < 0:
        raise BadArgument(f"{name} is a whole number from 0. Received: {n!r}.")
