"""What the programs of a model depend on, as a list that can be compared."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from ..core.value import Value
from ..nn.metrics import Metric
from ..nn.module import Module
from ..nn.names import Named
from ..nn.optimizers import Optimizer

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

    Whatever layers, loss, metrics and optimiser have as attributes: settings, functions,
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


def custom(atoms: Sequence[Any]) -> bool:
    """Whether part of a fingerprint is code of a user's, which might do something else each
    time that it is called."""
    package = __name__.partition(".")[0]
    for atom in atoms:
        code = type(atom) if isinstance(atom, (Module, Named, Optimizer)) else atom
        if callable(code) and not str(getattr(code, "__module__", "")).startswith(f"{package}."):
            return True
    return False
