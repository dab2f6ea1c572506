"""`Variable`: numbers with a shape and a name, as user-defined layers and metrics keep them."""

from __future__ import annotations

from random import Random
from typing import Any

from ..core.table import number
from ..core.value import Value
from ..errors import BadArgument
from ..trees import as_array, flatten, register_container, sizes
from .initializers import initializer as initializer_for
from .module import set_numbers
from .seeding import fresh
from .tensors import Tensor, shaped


class Variable(Tensor):
    """Values in nested lists, with arithmetic as in `nn.tensors.Tensor`.

    Attributes:
        name: in Keras's words, such as "kernel".
        path: the names of its layer and of itself, such as "dense/kernel".
        trainable: whether training may change it.

    >>> w = Variable([[Value(1.0), Value(2.0)]], "kernel")
    >>> w.assign_add([[1.0, 1.0]])
    >>> w
    <Variable kernel, shape=(1, 2), value=[[2.0, 3.0]]>
    """

    def __init__(
        self,
        values: Any,
        name: str = "variable",
        trainable: bool = True,
        shape: tuple[int, ...] | None = None,
        path: str | None = None,
    ) -> None:
        self.shape = sizes(values) if shape is None else shape
        super().__init__(values, self.shape)
        self.name, self.trainable, self.path = name, trainable, path or name

    differentiated_in_place = True  # by `grad` and the like: the model that has it uses it, too
    dtype = "float64"
    regularizer: Any = None
    constraint: Any = None

    @property
    def value(self) -> Any:
        """The Values, as an array of NumPy; a single Value if the shape is ()."""
        return self.__array__()[()]

    def numbers(self) -> Any:
        """The numbers, in nested lists."""
        return shaped([value.data for value in flatten(list(self))[0]], self.shape)

    def numpy(self) -> Any:
        """The numbers, as an array if NumPy is installed."""
        return as_array(self.numbers())

    def assign(self, x: Any) -> None:
        """Set the numbers.

        Args:
            x: numbers in the shape of the variable, or one for all.

        Raises:
            BadArgument: for another shape; nothing is changed then.
            NotANumber: for something that is not a number; nothing is changed then.
        """
        values = flatten(list(self))[0]
        numbers = [v.data if isinstance(v, Value) else number(v) for v in flatten(x)[0]]
        given = sizes(x)
        if not given and len(numbers) == 1:
            numbers *= len(values)
        elif given != self.shape:
            raise BadArgument(f"{self.name} has the shape {self.shape}. Received: {given}.")
        set_numbers(values, numbers)

    def assign_add(self, x: Any) -> None:
        """Add to the numbers; see `assign`."""
        self.assign(self.__array__() + _plain(x))

    def assign_sub(self, x: Any) -> None:
        """Subtract from the numbers; see `assign`."""
        self.assign(self.__array__() - _plain(x))

    def __float__(self) -> float:
        (value,) = flatten(list(self))[0]
        return float(value.data)

    def __repr__(self) -> str:
        return f"<Variable {self.path}, shape={self.shape}, value={self.numbers()!r}>"


def _rebuilt(variable: Variable, members: dict[int, Any]) -> Tensor:
    """The variable itself, if its Values are the same; else a tensor of its shape."""
    items = list(members.values())
    mine, given = flatten(list(variable))[0], flatten(items)[0]
    same = len(mine) == len(given) and all(x is y for x, y in zip(mine, given))
    return variable if same else Tensor(items, variable.shape)


register_container(Variable, lambda variable: dict(enumerate(variable)), _rebuilt)


def _plain(x: Any) -> Any:
    return x if isinstance(x, Tensor) or not isinstance(x, list) else Tensor(x, sizes(x))


def variable(
    shape: Any,
    initializer: Any = "zeros",
    name: str = "variable",
    trainable: bool = True,
    random: Random | None = None,
) -> Variable:
    """A new variable.

    Args:
        shape: a tuple of sizes, or one size.
        initializer: see `nn.initializer`.
        name: its name.
        trainable: whether training may change it.
        random: draws the numbers.

    >>> variable((2,), "ones", "scale")
    <Variable scale, shape=(2,), value=[1.0, 1.0]>
    """
    whole = tuple(map(int, shape)) if hasattr(shape, "__iter__") else (int(shape),)
    drawn = initializer_for(initializer).draw(whole or (1,), random or fresh())
    role = "parameter" if trainable else "constant"
    values = [Value(x, name, role) for x in drawn]
    nested = shaped(values, whole)
    return Variable(nested if whole else [nested], name, trainable, whole)
