"""Which programs of a model still fit it, and when its code is recorded again.

A program stays as long as nothing changed that it depends on, which `fingerprint` lists.
User-defined code may read what no fingerprint shows, so it is recorded again at each call.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from random import getstate, setstate
from typing import Any, TypeVar

from ..core.value import Value
from ..errors import NotTraceable, TinygradError, TracingError
from ..nn.metrics import Metric
from ..nn.module import Module
from ..nn.names import Named
from ..nn.optimizers import Optimizer
from .programs import Evaluation, Forward, Recording, Training, numbers
from .recording import OnlyPython, custom

T = TypeVar("T", Forward, Evaluation, Training)


_PLAIN = (float, int, str, bool, type(None))
_CHANGING = {  # what training itself changes, and what no program depends on
    Optimizer: {"memory", "iterations", "learning_rate", "name"},
    Metric: {"total", "weight", "outputs"},
    Module: {
        "training", "history", "stop_training", "metadata", "name", "given_name", "run_eagerly",
    },
}  # fmt: skip


def fingerprint(model: Any, beside: Collection[str] = ()) -> list[Any]:
    """All that the programs of a model depend on but the numbers of its weights.

    All attributes of layers, loss, metrics and optimiser: settings, functions,
    lists of weights, flags. Numbers and texts count by what they are, all else by identity.

    Args:
        model: compiled or not.
        beside: attributes of the model to leave out.
    """
    found: list[Any] = []
    seen: set[int] = set()
    waiting: list[Any] = [model]
    while waiting:
        x = waiting.pop()
        kind = type(x)
        if kind is Value or kind in _PLAIN:
            found += [x, x._role] if kind is Value else [x]
        elif id(x) in seen:
            found.append(id(x))
        elif kind in (list, tuple, dict):
            seen.add(id(x))
            found.append(len(x))
            waiting.extend(x)
            waiting.extend(x.values() if kind is dict else ())
        else:
            seen.add(id(x))
            found.append(x)
            if isinstance(x, (Module, Named, Optimizer)):
                changing = [names for base, names in _CHANGING.items() if isinstance(x, base)]
                skipped = set(beside if x is model else ()).union(*changing)
                waiting.extend(v for name, v in vars(x).items() if name not in skipped)
    return found


def same(one: Sequence[Any], other: Sequence[Any]) -> bool:
    """Whether two fingerprints are of the same model in the same state."""
    return len(one) == len(other) and all(
        a is b or (type(a) is type(b) and type(a) in _PLAIN and a == b) for a, b in zip(one, other)
    )


class Programs:
    """The programs of one model: each made when it is first wanted, and kept while it fits.

    Attributes:
        why_not: why the model runs in plain Python, if it has to; None as long as it has not.
    """

    def __init__(self) -> None:
        self.why_not: str | None = None
        self._made: dict[Any, tuple[Any, bool]] = {}  # and whether it contains user-defined code
        self._of: list[Any] = []

    def get(self, model: Any, kind: type[T], *about: Any) -> T | None:
        """The program of this kind, None where it can't be one.

        User-defined code may read state that no fingerprint shows: a global, an array, an attribute
        of its class. So it is recorded anew at each call, and the existing program stays if the
        recording is the same.

        Args:
            model: whose program it is; if it was changed, old ones are dropped.
            kind: `Training`, `Evaluation` or `Forward`.
            about: what else the program depends on, see there.
        """
        now, key = fingerprint(model), (kind, *about)
        if not same(now, self._of):
            self._made.clear()
            self._of = now
        made: T | None
        if key not in self._made:
            foreign = custom(fingerprint(model, kind.beside))
            made = self._attempt(model, key, foreign)
        else:
            made, foreign = self._made[key]
            if foreign and made is not None:
                made = self._attempt(model, key, foreign, made)
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
                        raise NotTraceable("Recorded twice, it gave two different programs.")
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
        return Programs, ()  # of a copied model they are made anew


@contextmanager
def trained(model: Module, training: bool) -> Iterator[None]:
    """Within, the layers know that they are trained, or used; then it is again as it was, since
    a callback may ask for either in the middle of an epoch."""
    was_training = model.training
    try:
        model.train(training)
        yield
    finally:
        model.train(was_training)


@contextmanager
def _unchanged(model: Module) -> Iterator[None]:
    """A block in which user-defined code is recorded: its changes to the model, and to Python's
    random numbers, are undone.

    Raises:
        NotTraceable: naming what it set, since a program would not.
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
    """Whether two recordings of the same compute something else. Leaves that were made on the
    way are others each time, and their numbers tell: as strings, since nan is not nan."""

    def shown(made: Recording) -> list[Any]:
        return [
            (code._replace(constants=()), [repr(x) for x in (*code.constants, *numbers(leaves))])
            for code, leaves in made.sketch
        ]

    return shown(one) != shown(other) or not same(one.streams, other.streams)
