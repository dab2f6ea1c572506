"""`Neuron`, `Layer` and `MLP`: w·x + b, several neurons side by side, several layers in a row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from random import Random
from typing import Any

from ..core import ops
from ..core.modes import scope
from ..core.table import is_real
from ..core.value import Number, Value
from ..errors import BadArgument, check_whole
from ..strings import as_subscript
from .activations import activation
from .module import Module

Seed = int | Random | None


def subscript(name: str, i: int, of: int) -> str:
    """The name of one of several things, such as w₂; a single one has the name alone.

    >>> subscript("w", 12, of=20), subscript("w", 1, of=1)
    ('w₁₂', 'w')
    """
    return as_subscript(f"{name}{i}") if of > 1 else name


def weighted_sum(ws: Sequence[Value], xs: Sequence[Number], b: Value | None) -> Value:
    """Σ wᵢ·xᵢ + b, recorded as products and one Σ."""
    terms = [w * x for w, x in zip(ws, xs)]
    if b is not None:
        terms.append(b)
    total: Value = ops.sum(terms)
    return total


class Neuron(Module):
    """activation(Σ wᵢ·xᵢ + b): it records its products and one Σ.

    Args:
        nin: number of inputs.
        nonlin: False for a linear neuron, whatever the activation.
        activation: a name from `ACTIVATIONS` or a callable on Values.
        seed: for the initial weights, uniform in [-1, 1]; an int, or a random.Random to draw from.
            The global random state is never used. The bias starts at 0.

    >>> neuron = Neuron(2, nonlin=False, seed=0)
    >>> neuron.w[0].data, neuron.w[1].data = 2.0, 3.0
    >>> neuron([10.0, 100.0])
    Value(data=320.0, grad=0.0)
    """

    def __init__(
        self,
        nin: int,
        nonlin: bool = True,
        *,
        activation: str | Callable[[Any], Any] = "relu",
        seed: Seed = None,
    ) -> None:
        random = seed if isinstance(seed, Random) else Random(seed)
        self.w = [
            Value(
                random.uniform(-1.0, 1.0),
                name=subscript("w", i, nin),
                role="parameter",
            )
            for i in range(1, check_whole("The number of inputs", nin) + 1)
        ]
        self.b = Value(0.0, name="b", role="parameter")
        self.nonlin = bool(nonlin)
        named = _activation(activation)  # always looked up: a misspelt name is an error
        self.activation = named if nonlin else ops.identity

    def __call__(self, x: Sequence[Number] | Number) -> Value:
        """The output for one sample: ``nin`` numbers or Values (a single one needs no list).

        Raises:
            BadArgument: if there are more or fewer.
        """
        alone = not isinstance(x, list) and (isinstance(x, Value) or is_real(x))
        xs: Any = [x] if alone else x
        if len(xs) != len(self.w):
            raise BadArgument(
                f"This neuron takes {len(self.w)} inputs. Received: {len(xs)}. "
                f"Pass one sample, a list of {len(self.w)} numbers."
            )
        total = weighted_sum(self.w, xs, self.b)
        return total if self.activation is ops.identity else self.activation(total)

    def __repr__(self) -> str:
        kinds = {"relu": "ReLU", "identity": "Linear"}
        name = getattr(self.activation, "name", getattr(self.activation, "__name__", "?"))
        return f"{kinds.get(name, name)}Neuron({len(self.w)})"


_activation = activation  # a parameter of Neuron has the same name


class Layer(Module):
    """``nout`` neurons with the same inputs; arguments as for `Neuron`.

    Its output is a list, or with one neuron, that neuron's output. Each neuron records in its own
    scope.

    >>> Layer(2, 3, seed=0)([1.0, 2.0])[0].scope
    'neuron 1'
    """

    def __init__(self, nin: int, nout: int, *, seed: Seed = None, **neuron: Any) -> None:
        random = seed if isinstance(seed, Random) else Random(seed)
        count = check_whole("The number of neurons", nout)
        self.neurons = [Neuron(nin, **neuron, seed=random) for _ in range(count)]

    def __call__(self, x: Sequence[Number] | Number) -> Any:
        outputs = []
        for i, neuron in enumerate(self.neurons, 1):
            with scope(f"neuron {i}"):
                outputs.append(neuron(x))
        return outputs[0] if len(outputs) == 1 else outputs

    def __repr__(self) -> str:
        return f"Layer of [{', '.join(map(repr, self.neurons))}]"


class MLP(Module):
    """Layers one after the other. All have the activation except the last, which is linear.

    Args:
        nin: number of inputs.
        nouts: number of neurons of each layer.
        activation: of the hidden layers.
        seed: as for `Neuron`.

    >>> MLP(2, [16, 16, 1], seed=0)([0.5, -1.0]).scope
    'layer 3/neuron 1'
    """

    def __init__(
        self,
        nin: int,
        nouts: Sequence[int],
        *,
        activation: str | Callable[[Any], Any] = "relu",
        seed: Seed = None,
    ) -> None:
        random = seed if isinstance(seed, Random) else Random(seed)
        self.layers = [
            Layer(a, b, nonlin=i < len(nouts), activation=activation, seed=random)
            for i, (a, b) in enumerate(pairwise([nin, *nouts]), 1)
        ]

    def __call__(self, x: Sequence[Number] | Number) -> Any:
        for i, layer in enumerate(self.layers, 1):
            with scope(f"layer {i}"):
                x = layer(x)
        return x

    def __repr__(self) -> str:
        return f"MLP of [{', '.join(map(repr, self.layers))}]"
