"""`Module`: an object with parameters."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeGuard

from ..core.table import number
from ..core.value import Value, zero_grad
from ..errors import BadArgument
from ..notebooks import ends, table, wants_html
from ..trees import holds_values, members, register_container

if TYPE_CHECKING:
    from typing_extensions import Self

_PLAIN = frozenset({float, int, bool, str, type(None)})  # what holds no Value


def set_numbers(leaves: Sequence[Value], numbers: Iterable[Any]) -> None:
    """Set the data of leaves: of all or, after an error or Ctrl-C, of none."""
    before = [leaf._data for leaf in leaves]
    try:
        for leaf, x in zip(leaves, numbers):
            leaf.data = x
    except BaseException:
        for leaf, x in zip(leaves, before):
            leaf.data = x
        raise


class Module:
    """The base class of neurons, layers and models, which finds its own parameters.

    Every leaf Value in an attribute is a parameter unless its role is input, target or constant.
    That includes Values inside other Modules, lists, tuples, dicts, NumPy arrays, dataclasses and
    types registered with `register_container`. A shared parameter is listed once.

    >>> class Line(Module):
    ...     def __init__(self):
    ...         self.w, self.b = Value(2.0), Value(1.0)
    ...     def __call__(self, x):
    ...         return self.w * x + self.b
    >>> [name for name, _ in Line().named_parameters()]
    ['w', 'b']
    """

    training = False  # whether it is being trained; see `train`

    def _walk(self) -> Iterator[tuple[str, Value | Module]]:
        """This module and every Module and Value in its attributes, each once, with its path."""
        seen: dict[int, Any] = {}
        waiting: list[tuple[str, Any]] = [("", self)]
        while waiting:
            path, x = waiting.pop()
            if id(x) in seen:
                continue
            if isinstance(x, (Value, Module)):
                yield path, x
            inside = (
                () if isinstance(x, Value) else vars(x) if isinstance(x, Module) else members(x)
            )
            if inside is None:
                if not isinstance(x, (type, ModuleType)) and any(
                    map(_is_parameter, getattr(x, "__dict__", {}).values())
                ):
                    raise BadArgument(
                        f"The attribute {path!r} holds Values, but a {type(x).__name__} is neither "
                        f"a Module nor a container, so its parameters wouldn't be found. Make its "
                        f"class a Module, or call tg.register_container. Received: {x!r}."
                    )
                continue
            seen[id(x)] = x
            if isinstance(x, (set, frozenset)) and holds_values(x):
                raise BadArgument(
                    f"The attribute {path!r} is a set, which has no order to name parameters by. "
                    f"Use a list. Received: {x!r}."
                )
            waiting.extend(
                (f"{path}.{key}" if path else str(key), child)
                for key, child in reversed(list(dict(inside).items()))
                if type(child) not in _PLAIN  # most attributes: `fit` walks often
            )

    def named_parameters(self) -> Iterator[tuple[str, Value]]:
        """Each parameter with its path, such as ``layers.0.neurons.2.w.1``."""
        for path, node in self._walk():
            if _is_parameter(node):
                yield path, node

    def train(self, training: bool = True) -> Self:
        """Put this module and those inside it in training mode, which matters for dropout."""
        for _, part in self._walk():
            if isinstance(part, Module):
                part.training = training
        return self

    def eval(self) -> Self:
        """Put this module and those inside it in evaluation mode, for use after training."""
        return self.train(False)

    def state_dict(self) -> dict[str, float]:
        """The numbers of all parameters, by path.

        >>> from tinygrad_edu import nn
        >>> nn.Neuron(1, seed=0).state_dict().keys()
        dict_keys(['w.0', 'b'])
        """
        return {path: parameter.data for path, parameter in self.named_parameters()}

    def load_state_dict(self, state: Mapping[str, float]) -> None:
        """Set all parameters to the numbers of a `state_dict`.

        Raises:
            BadArgument: if a path is missing or unknown; nothing is changed then.
            NotANumber: if an entry is not a number; nothing is changed then.
        """
        parameters = dict(self.named_parameters())
        if parameters.keys() != state.keys():
            missing, unknown = parameters.keys() - state.keys(), state.keys() - parameters.keys()
            raise BadArgument(
                f"The state does not fit this module. Missing: {sorted(missing) or 'nothing'}. "
                f"Unknown: {sorted(unknown) or 'nothing'}."
            )
        numbers = {path: number(x) for path, x in state.items()}
        set_numbers(list(parameters.values()), [numbers[path] for path in parameters])

    def parameters(self) -> list[Value]:
        """All parameters, in the order in which they were made attributes."""
        return [parameter for _, parameter in self.named_parameters()]

    def __repr__(self) -> str:
        count = len(self.parameters())
        return f"<{type(self).__name__} of {count:,} parameter{'s' * (count != 1)}>"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        """For notebooks: a table of the parameters; if there are many, the first and last ones."""
        text = {"text/plain": repr(self)}
        if not wants_html(include, exclude):
            return text
        rows = [[path, f"{p.data:.6g}", f"{p.grad:.6g}"] for path, p in self.named_parameters()]
        shown = table(["parameter", "value", "gradient"], ends(rows)) if rows else ""
        heading = escape(repr(self) if len(repr(self)) <= 200 else f"{repr(self)[:199]}…")
        return {**text, "text/html": f"<p>{heading}</p>{shown}"}

    def zero_grad(self) -> None:
        """Set the gradient of every parameter to 0."""
        zero_grad(self.parameters())


def _is_parameter(x: Any) -> TypeGuard[Value]:
    return isinstance(x, Value) and x.op is None and x.role in (None, "parameter")


# Derivatives see the Values of a Module; it can't be an argument to differentiate by.
register_container(Module, vars, None)
