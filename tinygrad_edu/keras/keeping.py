"""The programs of a model: when they are kept, and when its code is recorded again.

A program stays as long as nothing changed that it depends on, which `fingerprint` lists.
User-defined code may read what no fingerprint shows, so it is recorded again at each call.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from random import getstate, setstate
from typing import Any, TypeVar

from ..blocks import enclosed
from ..core.value import Value
from ..errors import NotTraceable, TinygradError, TracingError
from ..nn.metrics import Metric
from ..nn.module import Module
from ..nn.names import Named
from ..nn.optimizers import Optimizer
from ..nn.variables import Variable
from .goals import Goal, Measure
from .programs import Evaluation, Forward, Recording, Training, numbers
from .recording import OnlyPython, custom

T = TypeVar("T", Forward, Evaluation, Training)


_PLAIN = (float, int, str, bool, type(None))
_CHANGING = {  # attributes that training changes, and those on which no program depends
    Optimizer: {"memory", "iterations", "learning_rate", "name"},
    Metric: {"total", "weight", "outputs"},
    Module: {
        "training", "history", "stop_training", "metadata", "name", "given_name", "run_eagerly",
        "_wanted",
    },
}  # fmt: skip


def fingerprint(model: Any, beside: Collection[str] = ()) -> list[Any]:
    """Everything that the programs of a model depend on, except the numbers of its weights.

    All attributes of layers, loss, metrics and optimiser: settings, functions,
    lists of weights, flags. Numbers and strings are compared by value, everything else by identity.

    Args:
        model: compiled or not.
        beside: attributes of the model to leave out.
    """
    parts: list[Any] = []
    seen: set[int] = set()
    waiting: list[Any] = [model]
    while waiting:
        x = waiting.pop()
        kind = type(x)
        if kind is Value or kind in _PLAIN:
            parts += [x, x._role] if kind is Value else [x]
        elif id(x) in seen:
            parts.append(id(x))
        elif kind in (list, tuple, dict, Variable, Goal, Measure):
            seen.add(id(x))
            parts.append(len(x))
            waiting.extend(x)
            waiting.extend(x.values() if kind is dict else ())
        else:
            seen.add(id(x))
            parts.append(x)
            if isinstance(x, (Module, Named, Optimizer)):
                changing = [names for base, names in _CHANGING.items() if isinstance(x, base)]
                skipped = set(beside if x is model else ()).union(*changing)
                waiting.extend(v for name, v in vars(x).items() if name not in skipped)
    return parts


def same(one: Sequence[Any], other: Sequence[Any]) -> bool:
    """Whether two fingerprints are of the same model in the same state."""
    return len(one) == len(other) and all(
        a is b or (type(a) is type(b) and type(a) in _PLAIN and a == b) for a, b in zip(one, other)
    )


class Programs:
    """The programs of one model: each is created at its first use, and kept while it is valid.

    Attributes:
        why_not: the reason why the model runs in plain Python; None if it doesn't.
    """

    def __init__(self) -> None:
        self.why_not: str | None = None
        self._made: dict[Any, tuple[Any, bool]] = {}  # and whether it contains user-defined code
        self._of: list[Any] = []

    def get(self, model: Any, kind: type[T], *about: Any) -> T | None:
        """The program of this kind, None if it can't be compiled.

        User-defined code may read state that no fingerprint shows: a global, an array, an attribute
        of its class. So it is recorded anew at each call, and the existing program stays if the
        recording is the same.

        Args:
            model: the model; if it has changed, old programs are dropped.
            kind: `Training`, `Evaluation` or `Forward`.
            about: the other arguments of that class.
        """
        now, key = fingerprint(model), (kind, *about)
        if not same(now, self._of):
            self._made.clear()
            self._of = now
        made: T | None
        if key not in self._made:
            foreign = custom(fingerprint(model, kind.beside))
            made = enclosed(self._attempt, model, key, foreign)
        else:
            made, foreign = self._made[key]
            if foreign and made is not None:
                made = enclosed(self._attempt, model, key, foreign, made)
        self._made[key] = made, foreign
        return made

    def _attempt(self, model: Any, key: Any, foreign: bool, kept: Any = None) -> Any:
        """The current recording, or the program that was kept if it does the same."""
        kind, *about = key
        try:
            with trained(model, kind is Training or about == [True]):
                if foreign:
                    with _unchanged(model):
                        made = kind(model, *about)
                        if kept is not None and not _differ(made, kept):
                            return kept
                        again = kind(model, *about)
                    if _differ(made, again):
                        raise NotTraceable("Two recordings of it gave different programs.")
                else:
                    made = kind(model, *about)
                made.ready()
                return made
        except OnlyPython:
            return None
        except TinygradError as error:  # plain Python will raise others at their places
            self.why_not = str(error) if isinstance(error, TracingError) else self.why_not
        except Exception as error:
            self.why_not = f"It raised {type(error).__name__} while it was recorded: {error}."
        return None

    def __reduce__(self) -> tuple[Any, ...]:
        return Programs, ()  # a copied model creates its own


@contextmanager
def trained(model: Module, training: bool) -> Iterator[None]:
    """A block in which the layers are in training mode, or not; it restores the mode, because a
    callback may change it in the middle of an epoch."""
    was_training = model.training
    try:
        model.train(training)
        yield
    finally:
        try:
            model.train(was_training)
        except BaseException:  # Ctrl-C in the middle of it
            model.train(was_training)
            raise


@contextmanager
def _unchanged(model: Module) -> Iterator[None]:
    """A block in which user-defined code is recorded: its changes to the model, and to Python's
    random numbers, are undone.

    Raises:
        NotTraceable: naming the attribute that it set, which a program would not set.
    """
    parts = [part for _, part in model._walk() if isinstance(part, Module)]
    before, drawn = [dict(vars(part)) for part in parts], getstate()
    changed: list[str] = []
    try:
        yield
    finally:
        setstate(drawn)
        for part, kept in zip(parts, before):
            now = vars(part)
            names = [
                name for name in {**kept, **now} if not same([now.get(name)], [kept.get(name)])
            ]
            changed += [f"{type(part).__name__}.{name}" for name in names]
            if names:
                now.clear()
                now.update(kept)
    if changed:
        raise NotTraceable(
            f"Its code sets {changed[0]} for each sample, which a program does not do."
        )


def _differ(one: Recording, other: Recording) -> bool:
    """Whether two recordings of the same code differ. New leaves are compared by their numbers, as
    strings, because nan is not equal to nan."""

    def shown(made: Recording) -> list[Any]:
        return [
            (code._replace(constants=()), [repr(x) for x in (*code.constants, *numbers(leaves))])
            for code, leaves in made.sketch
        ]

    return shown(one) != shown(other) or not same(one.streams, other.streams)
