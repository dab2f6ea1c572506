"""Optimisers: ten rules by which gradients change parameters, as Keras defines them, in float64.

Each rule is one method, `update`. It takes a parameter w, its gradient g, the learning rate, the
number t of the step (from 1) and the rule's memory of this parameter, and returns the new w and the
new memory. It consists of arithmetic and rows of the table, without an `if` on a number, so it can
be recorded on Values and compiled for training. `Optimizer` contains everything that the rules
share: parameters, learning rate, clipping, decay, saving.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import reduce
from inspect import Parameter, Signature
from itertools import chain
from math import inf, isfinite, nan
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, TypeAlias

from ..core.ops import abs, clip, equal, less, maximum, sign, sqrt, square, where
from ..core.ops import sum as total
from ..core.table import is_real, number
from ..core.value import Value, plain
from ..errors import BadArgument, NotANumber, check_name, check_whole
from ..ieee import Ieee
from ..trees import flatten
from .names import check_known
from .schedules import schedule_from_config
from .settings import (
    Flag,
    Fraction,
    NotNegative,
    NotPositive,
    Positive,
    Rate,
    Settings,
    from_config,
)

__all__ = [
    "OPTIMIZERS", "SGD", "Adadelta", "Adagrad", "Adam", "AdamW", "Adamax", "Ftrl", "Lion", "Nadam",
    "Optimizer", "RMSprop", "Update", "optimizer", "optimizer_from_config",
]  # fmt: skip

Memory: TypeAlias = dict[str, float]
"""A rule's memory of one parameter from step to step: named numbers."""

CLIPS = ("clipvalue", "clipnorm", "global_clipnorm")


class LearningRate(float):
    """The learning rate of an optimiser: a number that ``assign`` changes, as in Keras.

    >>> descent = SGD(learning_rate=0.5)
    >>> descent.learning_rate.assign(0.25)
    >>> descent.learning_rate
    0.25
    """

    owner: Optimizer

    def assign(self, rate: Any) -> None:
        """Set the learning rate of the optimiser."""
        self.owner.learning_rate = float(rate)

    def numpy(self) -> float:
        """The number itself."""
        return float(self)


class Update(NamedTuple):
    """The numbers of one parameter's update, in the order in which they are computed."""

    before: float
    """The parameter."""
    gradient: float
    """dL/dw, as computed by ``backward``."""
    clipped: float
    """The gradient after clipping."""
    learning_rate: float
    """α at this step."""
    decayed: float
    """The parameter after weight decay: w − w·decay·α."""
    memory: Memory
    """The rule's memory after the step: momenta, averages of squares, ..."""
    after: float
    """The new parameter."""


class InKerasOrder(type):
    """Classes that may be called as in Keras: with the learning rate first, and the other settings
    by place in Keras's order.
    """

    fixed: dict[str, Any]
    first: tuple[str, ...]

    def order(cls) -> list[str]:
        """The settings in Keras's order: first the rule's own ones."""
        shared = ["weight_decay", "clipnorm", "clipvalue", "global_clipnorm"]
        every = [f.name for f in fields(cls) if f.metadata.get("setting", True)]  # type: ignore[arg-type]
        own = [x for x in every if x not in (*cls.first, *shared, "name")]
        rest = [x for x in shared if x not in cls.first]
        return [*cls.first, *own, *rest, *cls.fixed, "name"]

    def _settings(cls, args: tuple[Any, ...], settings: dict[str, Any]) -> dict[str, Any]:
        """The settings by name, without those of Keras that keep their default."""
        order = cls.order()
        if len(args) > len(order):
            raise BadArgument(f"{cls.__name__} has {len(order)} settings. Received: {len(args)}.")
        for name, x in zip(order, args):
            if name in settings:
                raise BadArgument(
                    f"{cls.__name__} got {name} by place and by name. Received: {x!r} and "
                    f"{settings[name]!r}."
                )
        given = {**dict(zip(order, args)), **settings}
        for name, x in settings.items():
            hint = _OLDER.get(name)
            if hint and name not in order:
                raise BadArgument(f"{cls.__name__} has no {name}. Received: {x!r}. Use {hint}.")
            if name != "parameters":
                check_name(f"setting of {cls.__name__}", name, order)
        for name in cls.fixed.keys() & given.keys():
            x = given.pop(name)
            if x != cls.fixed[name]:
                raise BadArgument(
                    f"{cls.__name__} computes with {name}={cls.fixed[name]!r} alone. "
                    f"Received: {x!r}."
                )
        return given

    if not TYPE_CHECKING:  # which knows the arguments from the dataclass

        def __call__(cls, *args: Any, **settings: Any) -> Any:
            owner = next(each for each in cls.__mro__ if "__init__" in vars(each))
            if "__dataclass_fields__" not in vars(owner):  # a user-defined __init__
                return super().__call__(*args, **settings)
            if args and _is_rate(args[0]):
                return super().__call__(**cls._settings(args, settings))
            named = cls._settings((), settings)
            return super().__call__(*args, **named)

        @property
        def __signature__(cls) -> Signature:
            """Keras's arguments in their order, and the parameters by name."""
            usual = {f.name: f.default for f in fields(cls)} | cls.fixed
            either = Parameter.POSITIONAL_OR_KEYWORD
            given = [Parameter(name, either, default=usual[name]) for name in cls.order()]
            parameters = Parameter("parameters", Parameter.KEYWORD_ONLY, default=None)
            return Signature([*given, parameters])


_OLDER = {
    "lr": "learning_rate",
    "decay": "a schedule such as InverseTimeDecay as the learning rate",
}
"""Settings of older versions of Keras."""


@dataclass(eq=False, repr=False, kw_only=True)
class Optimizer(Settings, metaclass=InKerasOrder):
    """The base class of all optimisers.

    Pass the parameters as the first argument, or later to `bind` or the first `step`. If the first
    argument is a number or a schedule, it is the learning rate, as in Keras, and the other settings
    may follow in Keras's order: ``SGD(0.1, 0.9)`` is ``SGD(learning_rate=0.1, momentum=0.9)``.
    Settings may be changed at any time and are checked each time.

    Args:
        parameters: the Values to change. A list among them is one variable, such as the
            weights of a layer: ``clipnorm`` measures each variable as a whole.
        learning_rate: α, a finite number from 0, or a schedule: any function of the number
            of steps taken so far.
        weight_decay: before each update w ← w − w·weight_decay·α, for biases too. It is
            decoupled from the gradient, whatever the rule.
        clipvalue: each gradient is clipped to at most this size.
        clipnorm: the gradient of each variable is scaled down to at most this norm.
        global_clipnorm: all gradients together are scaled down to at most this norm. (Pascanu,
            Mikolov & Bengio, "On the difficulty of training recurrent neural networks", 2013.)
        name: any name; it has no effect.

    Attributes:
        parameters: a list of Values; None before they are bound.
        memory: the rule's memory, one dict per parameter.
        iterations: number of steps taken.

    Raises:
        NotANumber: for a setting or a parameter that is not a number.
        BadArgument: for a setting beyond its limits, or more than one way of clipping.

    A new rule is a dataclass with ``update`` and, if it remembers anything, ``start``:

    >>> @dataclass(eq=False, repr=False)
    ... class SignDescent(Optimizer):
    ...     def update(self, w, g, rate, t, old):
    ...         return w - rate * sign(g), {}
    >>> w = Value(1.0)
    >>> (w * w).backward()
    >>> SignDescent([w], 0.25).step()
    >>> w.data
    0.75
    """

    first: ClassVar[tuple[str, ...]] = ("learning_rate",)
    fixed: ClassVar[dict[str, Any]] = {
        "use_ema": False, "ema_momentum": 0.99, "ema_overwrite_frequency": None,
        "loss_scale_factor": None, "gradient_accumulation_steps": None,
    }  # fmt: skip
    """Settings of Keras that keep their default here."""

    parameters: Any = field(default=None, kw_only=False, metadata={"setting": False})
    learning_rate: Rate = field(default=0.001, kw_only=False)
    weight_decay: NotNegative | None = None
    clipvalue: Positive | None = None
    clipnorm: Positive | None = None
    global_clipnorm: Positive | None = None
    name: str | None = None

    def start(self) -> Memory:
        """The rule's memory of a parameter before its first step."""
        return {}

    def update(self, w: float, g: float, rate: float, t: int, old: Memory) -> tuple[float, Memory]:
        """The rule: returns the new parameter and the new memory. It has no side effects, and reads
        only its arguments among the things that training changes; otherwise `fit` can't compile it.

        Args:
            w: the parameter, after weight decay.
            g: its gradient, after clipping.
            rate: the learning rate of this step.
            t: the number of this step, from 1.
            old: the memory that `update` returned last time, or `start`.
        """
        raise NotImplementedError(f"{type(self).__name__} needs a method update.")

    def __post_init__(self) -> None:
        parameters, self.parameters = self.parameters, None
        self.memory: list[Memory] = []
        self.iterations = 0
        self._sizes: list[int] = []  # the number of parameters in each variable
        if _is_rate(parameters):
            self.learning_rate = parameters
        elif parameters is not None:
            self.bind(parameters)

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "learning_rate":
            if isinstance(value, Mapping):  # a schedule from JSON, ours or Keras's
                keras = "class_name" in value
                value = schedule_from_config(
                    {"class": value["class_name"], **value["config"]} if keras else value
                )
            if callable(value):
                object.__setattr__(self, name, value)
                return
        others = set(CLIPS) - {name} if name in CLIPS and value is not None else ()
        for other in others:
            if getattr(self, other) is not None:
                raise BadArgument(
                    f"Gradients can be clipped in only one way. Received: {name}={value!r} and "
                    f"{other}={getattr(self, other)!r}. Leave one of them out."
                )
        super().__setattr__(name, value)
        if name == "learning_rate":
            rate = LearningRate(value)
            rate.owner = self
            object.__setattr__(self, name, rate)

    def get_config(self) -> dict[str, Any]:
        """Every setting by name, with those of Keras that keep their default, in Keras's form.

        Raises:
            BadArgument: if the learning rate is a function, which JSON can't store.

        >>> SGD(0.5).get_config()["learning_rate"], SGD(0.5).get_config()["use_ema"]
        (0.5, False)
        """
        settings, rate = super().get_config(), self.learning_rate
        if isinstance(rate, Settings):
            settings["learning_rate"] = {
                "module": "keras.optimizers.schedules", "class_name": type(rate).__name__,
                "config": rate.get_config(), "registered_name": None,
            }  # fmt: skip
        return {**settings, "name": self.name or type(self).__name__.lower(), **self.fixed}

    def bind(self, parameters: Any) -> None:
        """Set the parameters to change, with a fresh memory.

        Binding the same ones again keeps the memory.

        Args:
            parameters: Values, or lists of Values that are one variable each; or a Module.

        Raises:
            NotANumber: if one is not a Value.
            BadArgument: if one is not a leaf or is listed twice, or if steps were already taken
                with other parameters.
        """
        variables = _variables(parameters)
        flat = [parameter for variable in variables for parameter in variable]
        if self.parameters is None or list(map(id, flat)) != list(map(id, self.parameters)):
            if self.iterations:
                raise BadArgument(
                    f"This {type(self).__name__} has taken {self.iterations} steps with "
                    f"{len(self.parameters)} other parameters. Received: {len(flat)} parameters. "
                    f"Make a new optimizer for them."
                )
            state = {"parameters": flat, "memory": [self.start() for _ in flat]}
            vars(self).update(state)  # at once, so that Ctrl-C can't come in between
        self._sizes = list(map(len, variables))

    @property
    def rate(self) -> float:
        """The learning rate of the next step, as a number even if a schedule computes it.

        Raises:
            BadArgument: if the schedule returns anything but a finite number from 0.
        """
        return self.rate_at(self.iterations)

    def rate_at(self, step: int) -> float:
        """The learning rate after ``step`` steps; raises as `rate` does."""
        if not callable(self.learning_rate):
            return self.learning_rate
        rate = number(self.learning_rate(step))
        if not isfinite(rate) or rate < 0.0:
            raise BadArgument(
                f"A schedule must return learning rates, finite numbers from 0. Received: {rate!r} "
                f"at step {step} from {self.learning_rate!r}."
            )
        return rate

    def step(self, parameters: Any = None) -> None:
        """Update every parameter once: all of them or, if there is an error, none.

        Args:
            parameters: parameters to `bind` first, if that was not done yet.

        Raises:
            BadArgument: if there are no parameters, or the schedule doesn't return a learning rate.
        """
        if parameters is not None:
            self.bind(parameters)
        updates, memory, t = self.updates(), self.memory, self.iterations
        try:
            for parameter, update in zip(self.parameters, updates):
                parameter.data = update.after
            self.memory = [update.memory for update in updates]
            self.iterations = t + 1
        except BaseException:  # Ctrl-C
            for parameter, update in zip(self.parameters, updates):
                parameter.data = update.before
            self.memory, self.iterations = memory, t
            raise

    def apply(self, grads: Any, trainable_variables: Any = None) -> None:
        """A `step` with these gradients, as in Keras.

        Args:
            grads: a gradient for each variable, in its shape.
            trainable_variables: the variables; those of the last step if not given.

        Raises:
            BadArgument: if the gradients do not have the shapes of the variables.

        >>> w = Value(1.0)
        >>> SGD(0.5).apply([4.0], [w])
        >>> w.data
        -1.0
        """
        if trainable_variables is not None:
            self.bind(trainable_variables)
        slopes = [list(map(plain, flatten(grad)[0])) for grad in grads]
        if list(map(len, slopes)) != self._sizes:
            raise BadArgument(
                f"A gradient is needed for each variable, in its shape: of {self._sizes} numbers. "
                f"Received: gradients of {list(map(len, slopes))} numbers."
            )
        for parameter, slope in zip(self.parameters, chain(*slopes)):
            parameter.grad = slope
        self.step()

    def apply_gradients(self, grads_and_vars: Iterable[tuple[Any, Any]]) -> None:
        """`apply` of pairs of a gradient and its variable, as ``zip(grads, variables)`` gives."""
        grads, variables = zip(*grads_and_vars)
        self.apply(grads, variables)

    def updates(self) -> list[Update]:
        """The update of each parameter by the next `step`; nothing changes."""
        if self.parameters is None:
            raise BadArgument(
                f"{type(self).__name__} has no parameters yet. Write "
                f"{type(self).__name__}(model.parameters()), or optimizer.bind(parameters)."
            )
        weights = [parameter.data for parameter in self.parameters]
        gradients = [parameter.grad for parameter in self.parameters]
        return self.applied(weights, gradients, self.rate, self.iterations + 1, self.memory)

    def applied(
        self,
        weights: Sequence[Any],
        gradients: Sequence[Any],
        rate: Any,
        t: Any,
        memory: Sequence[Mapping[str, Any]],
    ) -> list[Update]:
        """Decay, clipping and the rule, on numbers or on Values (which records them); nothing
        changes.

        Args:
            weights: the parameters before the step, in the order of `parameters`.
            gradients: dL/dw of each.
            rate: the learning rate.
            t: the number of the step, from 1.
            memory: the rule's memory of each.

        >>> w, g, rate = Value(1.0), Value(2.0), Value(0.1)
        >>> (update,) = SGD([w]).applied([w], [g], rate, 1, [{"m": 0.0}])
        >>> update.after.data, update.after.op
        (0.8, <op add(x, y)>)
        """
        each = zip(weights, gradients, self._clip(gradients), memory)
        return [self.applied_to(w, raw, g, rate, t, old) for w, raw, g, old in each]

    def applied_to(
        self, before: Any, raw: Any, g: Any, rate: Any, t: Any, old: Mapping[str, Any]
    ) -> Update:
        """Decay and the rule for one parameter: `applied` after clipping; nothing changes.

        Args:
            before: the parameter before the step.
            raw, g: its gradient before and after clipping.
            rate, t: the learning rate and the number of the step, from 1.
            old: the rule's memory of it.
        """
        decay = self.weight_decay
        w = before - before * decay * rate if decay else before
        after, kept = self._never_raising(w, g, rate, t, old)
        return Update(before, raw, g, rate, w, kept, after)

    def update_of(self, parameter: Value) -> Update:
        """The update of one parameter by the next `step`; nothing changes.

        Raises:
            BadArgument: if it is not one of the parameters.

        >>> w = Value(1.0)
        >>> (w * w).backward()
        >>> update = SGD([w], 0.1, momentum=0.9).update_of(w)
        >>> update.gradient, update.memory, update.after
        (2.0, {'m': -0.2}, 0.8)
        """
        for mine, update in zip(self.parameters, self.updates()):
            if mine is parameter:
                return update
        raise BadArgument(
            f"This Value is not a parameter of the optimizer. Received: {parameter!r}."
        )

    def _never_raising(self, w: Any, g: Any, rate: Any, t: Any, old: Any) -> tuple[Any, Memory]:
        """The rule on plain floats; if Python raises (0 / 0), with IEEE arithmetic."""
        try:
            return self.update(w, g, rate, t, old)
        except (ArithmeticError, ValueError):
            kept: Memory = {name: Ieee(x) for name, x in old.items()}
            after, memory = self.update(Ieee(w), Ieee(g), Ieee(rate), t, kept)
            return float(after), {name: float(x) for name, x in memory.items()}

    def _clip(self, gradients: Sequence[Any]) -> Sequence[Any]:
        if self.clipvalue is not None:
            bound = self.clipvalue
            return [clip(g, -bound, bound) for g in gradients]
        if self.global_clipnorm is not None:
            return _shrunk(gradients, self.global_clipnorm)
        if self.clipnorm is not None:
            rest = iter(gradients)
            variables = [[next(rest) for _ in range(size)] for size in self._sizes]
            return [g for variable in variables for g in _shrunk(variable, self.clipnorm)]
        return gradients

    def __repr__(self) -> str:
        changed = (
            f"{name}={value!r}"
            for name, value in self.settings().items()
            if name == "learning_rate" or value != getattr(type(self), name)
        )
        return f"{type(self).__name__}({', '.join(changed)})"

    def state_dict(self) -> dict[str, Any]:
        """Everything that steps have changed, as JSON can store it, exact to the bit.

        Together with `config` it suffices to resume training as if it had not been interrupted.

        >>> w = Value(1.0)
        >>> (w * w).backward()
        >>> descent = SGD([w], learning_rate=0.25, momentum=0.5)
        >>> descent.step()
        >>> descent.state_dict()
        {'class': 'SGD', 'iterations': 1, 'memory': {'m': [-0.5]}}
        """
        return {
            "class": type(self).__name__,
            "iterations": self.iterations,
            "memory": {name: [kept[name] for kept in self.memory] for name in self.start()},
        }

    def load_state_dict(self, state: Any) -> None:
        """Load the result of `state_dict`, for as many parameters in the same order.

        Raises:
            BadArgument: if it belongs to another optimizer, or to another number of parameters;
                nothing is changed then.
            NotANumber: if an entry is not a number.
        """
        keys, mine = {"class", "iterations", "memory"}, type(self).__name__
        if not isinstance(state, Mapping) or state.keys() != keys:
            raise BadArgument(
                f"The state of an optimizer must be a dict with {', '.join(sorted(keys))}, as "
                f"state_dict() returns. Received: "
                f"{sorted(map(str, state)) if isinstance(state, Mapping) else state!r}."
            )
        iterations, columns = state["iterations"], state["memory"]
        if state["class"] != mine:
            raise BadArgument(f"This is a {mine}. Received: the state of a {state['class']!r}.")
        iterations = check_whole("The number of iterations", iterations, 0)
        if not isinstance(columns, Mapping) or columns.keys() != self.start().keys():
            raise BadArgument(
                f"{mine} stores {', '.join(self.start()) or 'nothing'}. Received: "
                f"{', '.join(map(str, columns)) if isinstance(columns, Mapping) else columns!r}."
            )
        count = len(self.parameters or ())
        for name, column in columns.items():
            if not isinstance(column, list) or len(column) != count:
                raise BadArgument(
                    f"This {mine} has {count} parameters to change. Received: "
                    f"{len(column) if isinstance(column, list) else repr(column)} for {name!r}. "
                    f"Bind the parameters of the model that was saved, then load."
                )
        numbers = {name: list(map(number, column)) for name, column in columns.items()}
        memory = [{name: numbers[name][i] for name in numbers} for i in range(count)]
        vars(self).update(memory=memory, iterations=iterations)  # at once


def _is_rate(x: Any) -> bool:
    """Whether the first argument is a learning rate: a number or a schedule."""
    return is_real(x) or (callable(x) and not hasattr(type(x), "parameters"))  # a Module has those


def _variables(parameters: Any) -> list[list[Value]]:
    """The parameters of each variable: leaves, without duplicates."""
    if hasattr(type(parameters), "parameters"):
        parameters = parameters.parameters()
    if isinstance(parameters, Value) or not isinstance(parameters, Iterable):
        parameters = [parameters]
    variables = [flatten(variable)[0] for variable in parameters]
    seen: set[int] = set()
    for parameter in (p for variable in variables for p in variable):
        if not isinstance(parameter, Value):
            raise NotANumber(
                f"The parameters of an optimizer must be Values. Received: {parameter!r}."
            )
        if parameter.op is not None:
            raise BadArgument(
                f"The parameters of an optimizer must be leaves. Received: the result of "
                f"{parameter.op.name}, {parameter!r}. Pass the Values it was made from."
            )
        if id(parameter) in seen:
            raise BadArgument(f"A parameter is listed twice. Received: {parameter!r}.")
        seen.add(id(parameter))
    return variables


def _shrunk(gradients: Sequence[Any], bound: float) -> list[Any]:
    """The gradients times min(1, bound / norm); all nan if their norm is not finite."""
    largest = reduce(maximum, map(abs, gradients), 0.0)
    unit = where(equal(largest, 0.0), 1.0, largest)  # so that no square overflows or underflows
    norm = unit * sqrt(total([square(g / unit) for g in gradients]))
    scale = where(less(norm, inf), bound / maximum(norm, bound), nan)
    return [g * scale for g in gradients]


# The rules ------------------------------------------------------------------------------------


@dataclass(eq=False, repr=False, kw_only=True)
class SGD(Optimizer):
    """Gradient descent, optionally with momentum.

        m ← μ·m − α·g
        w ← w + m                  or, with Nesterov's look ahead, w + μ·m − α·g

    Without momentum that is w ← w − α·g. The learning rate is part of m, so a schedule affects only
    later gradients.

    Robbins & Monro 1951; Polyak 1964 (momentum); Nesterov 1983, in the form of Sutskever et
    al., "On the importance of initialization and momentum in deep learning", 2013.

    Args:
        momentum: μ, from 0 to below 1.
        nesterov: whether to look ahead.

    The other arguments and errors are those of `Optimizer`.

    >>> w = Value(1.0)
    >>> (w * w).backward()
    >>> SGD([w], learning_rate=0.1).step()
    >>> w.data
    0.8
    """

    learning_rate: Rate = field(default=0.01, kw_only=False)
    momentum: Fraction = 0.0
    nesterov: Flag = False

    def start(self) -> Memory:
        return {"m": 0.0}

    def update(self, w: float, g: float, rate: float, t: int, old: Memory) -> tuple[float, Memory]:
        m = self.momentum * old["m"] - rate * g
        ahead = self.momentum * m - rate * g if self.nesterov else m
        return w + ahead, {"m": m}


@dataclass(eq=False, repr=False, kw_only=True)
class Adam(Optimizer):
    """Each parameter has its own pace: mean gradient over root mean square gradient.

        m ← m + (g − m)·(1 − β₁)
        v ← v + (g² − v)·(1 − β₂)
        w ← w − α·√(1 − β₂ᵗ)/(1 − β₁ᵗ) · m / (√v + ε)

    m and v start at 0; the fraction of powers corrects for that. With ``amsgrad`` the root is of
    the largest v so far, so the pace of a parameter never increases again.

    Kingma & Ba, "Adam: A Method for Stochastic Optimization", 2015; Reddi, Kale & Kumar, "On
    the Convergence of Adam and Beyond", 2018 (amsgrad). ε is the paper's "ε hat", and is 1e-7.

    Args:
        beta_1: β₁, how much of the mean gradient is kept.
        beta_2: β₂, how much of the mean square is kept.
        epsilon: ε, against division by 0.
        amsgrad: whether to use the largest v.

    The other arguments and errors are those of `Optimizer`.

    >>> w = Value(1.0)
    >>> (w * w).backward()
    >>> Adam([w], learning_rate=0.1).step()  # the first step is α long, whatever the gradient
    >>> round(w.data, 6)
    0.9
    """

    beta_1: Fraction = 0.9
    beta_2: Fraction = 0.999
    epsilon: NotNegative = 1e-7
    amsgrad: Flag = False

    def start(self) -> Memory:
        return {"m": 0.0, "v": 0.0, "v_max": 0.0}

    def update(self, w: float, g: float, rate: float, t: int, old: Memory) -> tuple[float, Memory]:
        m = old["m"] + (g - old["m"]) * (1.0 - self.beta_1)
        v = old["v"] + (g * g - old["v"]) * (1.0 - self.beta_2)
        v_max = maximum(v, old["v_max"])
        below = sqrt(v_max if self.amsgrad else v) + self.epsilon
        pace = rate * sqrt(1.0 - self.beta_2**t) / (1.0 - self.beta_1**t)
        return w - m * pace / below, {"m": m, "v": v, "v_max": v_max}


@dataclass(eq=False, repr=False, kw_only=True)
class AdamW(Adam):
    """`Adam` with weight decay from the start: w ← w − w·decay·α, then Adam's step.

    Loshchilov & Hutter, "Decoupled Weight Decay Regularization", 2019.

    Args:
        weight_decay: 0.004 if not given.

    The other arguments and errors are those of `Adam`.

    >>> w = Value(1.0)  # its gradient is 0: only the decay moves it
    >>> AdamW([w], learning_rate=0.5, weight_decay=0.5).step()
    >>> w.data
    0.75
    """

    first: ClassVar[tuple[str, ...]] = ("learning_rate", "weight_decay")

    weight_decay: NotNegative | None = 0.004


@dataclass(eq=False, repr=False, kw_only=True)
class Nadam(Optimizer):
    """`Adam` with Nesterov's lookahead.

        uₜ = β₁·(1 − ½·0.96ᵗ),  Uₜ = u₁·u₂·…·uₜ
        m ← m + (g − m)·(1 − β₁)
        v ← v + (g² − v)·(1 − β₂)
        m̂ = uₜ₊₁·m / (1 − Uₜ₊₁) + (1 − uₜ)·g / (1 − Uₜ)
        v̂ = v / (1 − β₂ᵗ)
        w ← w − α·m̂ / (√v̂ + ε)

    Dozat, "Incorporating Nesterov Momentum into Adam", 2016.

    Args:
        beta_1: β₁, the limit of the momentum uₜ.
        beta_2: β₂, how much of the mean square is kept.
        epsilon: ε, against division by 0.

    The other arguments and errors are those of `Optimizer`.

    >>> w = Value(1.0)
    >>> (w * w).backward()
    >>> Nadam([w], learning_rate=0.1).step()
    >>> w.data < 0.9  # it looks ahead: further than Adam
    True
    """

    beta_1: Fraction = 0.9
    beta_2: Fraction = 0.999
    epsilon: NotNegative = 1e-7

    def start(self) -> Memory:
        return {"m": 0.0, "v": 0.0, "U": 1.0}

    def update(self, w: float, g: float, rate: float, t: int, old: Memory) -> tuple[float, Memory]:
        u = self.beta_1 * (1.0 - 0.5 * 0.96**t)
        u_next = self.beta_1 * (1.0 - 0.5 * 0.96 ** (t + 1))
        U = old["U"] * u
        m = old["m"] + (g - old["m"]) * (1.0 - self.beta_1)
        v = old["v"] + (g * g - old["v"]) * (1.0 - self.beta_2)
        m_hat = u_next * m / (1.0 - U * u_next) + (1.0 - u) * g / (1.0 - U)
        v_hat = v / (1.0 - self.beta_2**t)
        return w - m_hat * rate / (sqrt(v_hat) + self.epsilon), {"m": m, "v": v, "U": U}


@dataclass(eq=False, repr=False, kw_only=True)
class Adamax(Optimizer):
    """`Adam` with the largest gradient, which decays, instead of the root mean square.

        m ← m + (g − m)·(1 − β₁)
        u ← max(β₂·u, |g|)
        w ← w − α / (1 − β₁ᵗ) · m / (u + ε)

    Kingma & Ba, "Adam: A Method for Stochastic Optimization", 2015, section 7.1.

    Args:
        beta_1: β₁, how much of the mean gradient is kept.
        beta_2: β₂, how slowly the largest gradient decays.
        epsilon: ε, against division by 0.

    The other arguments and errors are those of `Optimizer`.

    >>> w = Value(1.0)
    >>> (w * w).backward()
    >>> Adamax([w], learning_rate=0.1).step()
    >>> round(w.data, 6)
    0.9
    """

    beta_1: Fraction = 0.9
    beta_2: Fraction = 0.999
    epsilon: NotNegative = 1e-7

    def start(self) -> Memory:
        return {"m": 0.0, "u": 0.0}

    def update(self, w: float, g: float, rate: float, t: int, old: Memory) -> tuple[float, Memory]:
        m = old["m"] + (g - old["m"]) * (1.0 - self.beta_1)
        u = maximum(abs(g), self.beta_2 * old["u"])
        return w - rate * m / ((1.0 - self.beta_1**t) * (u + self.epsilon)), {"m": m, "u": u}


@dataclass(eq=False, repr=False, kw_only=True)
class RMSprop(Optimizer):
    """The gradient over its root mean square.

        v ← ρ·v + (1 − ρ)·g²
        a ← ρ·a + (1 − ρ)·g
        m ← μ·m + α·g / √(v + ε)       centered: √(v − a² + ε), the standard deviation
        w ← w − m

    ε is inside the root.

    Hinton, "Neural Networks for Machine Learning", lecture 6e, 2012; Graves, "Generating
    Sequences With Recurrent Neural Networks", 2013 (centered).

    Args:
        rho: ρ, how much of the averages is kept.
        momentum: μ, from 0 to below 1.
        epsilon: ε, against division by 0.
        centered: whether to subtract the mean gradient.

    The other arguments and errors are those of `Optimizer`.

    >>> w = Value(1.0)
    >>> (w * w).backward()
    >>> RMSprop([w], learning_rate=0.1).step()  # 0.1·2 / √(0.1·2²)
    >>> round(w.data, 6)
    0.683772
    """

    rho: Fraction = 0.9
    momentum: Fraction = 0.0
    epsilon: NotNegative = 1e-7
    centered: Flag = False

    def start(self) -> Memory:
        return {"v": 0.0, "a": 0.0, "m": 0.0}

    def update(self, w: float, g: float, rate: float, t: int, old: Memory) -> tuple[float, Memory]:
        v = self.rho * old["v"] + (1.0 - self.rho) * (g * g)
        a = self.rho * old["a"] + (1.0 - self.rho) * g
        variance = v - a * a + self.epsilon if self.centered else v + self.epsilon
        # Rounding makes this negative for a constant gradient: Keras gives nan there.
        variance = where(less(variance, 0.0), self.epsilon, variance)
        m = self.momentum * old["m"] + rate * g / sqrt(variance)
        return w - m, {"v": v, "a": a, "m": m}


@dataclass(eq=False, repr=False, kw_only=True)
class Adagrad(Optimizer):
    """The gradient over the root of the sum of all its squares so far.

        s ← s + g²
        w ← w − α·g / √(s + ε)

    Duchi, Hazan & Singer, "Adaptive Subgradient Methods for Online Learning and Stochastic
    Optimization", 2011.

    Args:
        initial_accumulator_value: s at the start; 0.1 keeps the first steps short.
        epsilon: ε, against division by 0.

    The other arguments and errors are those of `Optimizer`.

    >>> w = Value(1.0)
    >>> (w * w).backward()
    >>> Adagrad([w], learning_rate=0.1).step()  # 0.1·2 / √(0.1 + 2²)
    >>> round(w.data, 6)
    0.901227
    """

    initial_accumulator_value: NotNegative = 0.1
    epsilon: NotNegative = 1e-7

    def start(self) -> Memory:
        return {"s": self.initial_accumulator_value}

    def update(self, w: float, g: float, rate: float, t: int, old: Memory) -> tuple[float, Memory]:
        s = old["s"] + g * g
        return w - rate * g / sqrt(s + self.epsilon), {"s": s}


@dataclass(eq=False, repr=False, kw_only=True)
class Adadelta(Optimizer):
    """The gradient over its root mean square, times the root mean square of the steps so far.

        v ← ρ·v + (1 − ρ)·g²
        d = √(s + ε) / √(v + ε) · g
        s ← ρ·s + (1 − ρ)·d²
        w ← w − α·d

    So a step has the unit of the parameter. The paper has no learning rate (α = 1); Keras's
    default of 0.001 is slow.

    Zeiler, "ADADELTA: An Adaptive Learning Rate Method", 2012.

    Args:
        rho: ρ, how much of the averages is kept.
        epsilon: ε, which also sets the first step.

    The other arguments and errors are those of `Optimizer`.

    >>> w = Value(1.0)
    >>> (w * w).backward()
    >>> Adadelta([w], learning_rate=1.0).step()
    >>> round(w.data, 6)
    0.998586
    """

    rho: Fraction = 0.95
    epsilon: NotNegative = 1e-7

    def start(self) -> Memory:
        return {"v": 0.0, "s": 0.0}

    def update(self, w: float, g: float, rate: float, t: int, old: Memory) -> tuple[float, Memory]:
        v = self.rho * old["v"] + (1.0 - self.rho) * (g * g)
        d = sqrt(old["s"] + self.epsilon) * g / sqrt(v + self.epsilon)
        s = self.rho * old["s"] + (1.0 - self.rho) * (d * d)
        return w - rate * d, {"v": v, "s": s}


@dataclass(eq=False, repr=False, kw_only=True)
class Ftrl(Optimizer):
    """Follow the regularised leader: w becomes the one that would have been best so far.

        n' = n + g²
        z ← z + g + 2·shrinkage·w − (n'ᵖ − nᵖ)/α · w         p = −learning_rate_power
        w ← (clip(z, −l₁, l₁) − z) / (n'ᵖ/α + 2·l₂ + β/α)

    It solves for w anew at each step, so w is exactly 0 where |z| ≤ l₁, and the first step almost
    forgets the parameter's initial number. At α = 0 nothing moves.

    McMahan et al., "Ad Click Prediction: a View from the Trenches", 2013.

    Args:
        learning_rate_power: −p, up to 0.
        initial_accumulator_value: n at the start.
        l1_regularization_strength: l₁.
        l2_regularization_strength: l₂.
        l2_shrinkage_regularization_strength: shrinkage, which is added to the gradient.
        beta: β, a lower limit of the denominator.

    The other arguments and errors are those of `Optimizer`.

    >>> w = Value(1.0)
    >>> (w * w).backward()
    >>> Ftrl([w], l1_regularization_strength=2000.0).step()
    >>> w.data
    0.0
    """

    learning_rate_power: NotPositive = -0.5
    initial_accumulator_value: NotNegative = 0.1
    l1_regularization_strength: NotNegative = 0.0
    l2_regularization_strength: NotNegative = 0.0
    l2_shrinkage_regularization_strength: NotNegative = 0.0
    beta: NotNegative = 0.0

    def start(self) -> Memory:
        return {"n": self.initial_accumulator_value, "z": 0.0}

    def update(self, w: float, g: float, rate: float, t: int, old: Memory) -> tuple[float, Memory]:
        p, l1 = -self.learning_rate_power, self.l1_regularization_strength
        n = old["n"] + g * g
        pull = g + 2.0 * self.l2_shrinkage_regularization_strength * w
        z = old["z"] + pull - (n**p - old["n"] ** p) / rate * w
        l2 = self.l2_regularization_strength + self.beta / (2.0 * rate)
        after = (clip(z, -l1, l1) - z) / (n**p / rate + 2.0 * l2)
        still = equal(rate, 0.0)  # the formula would divide by 0, and Keras gives nan
        kept = {"n": where(still, old["n"], n), "z": where(still, old["z"], z)}
        return where(still, w, after), kept


@dataclass(eq=False, repr=False, kw_only=True)
class Lion(Optimizer):
    """Uses only the sign of the momentum: every step has length α.

        w ← w − α·sign(β₁·m + (1 − β₁)·g)
        m ← β₂·m + (1 − β₂)·g

    Chen et al., "Symbolic Discovery of Optimization Algorithms", 2023.

    Args:
        beta_1: β₁, the weight of m in the sign; with 0, the sign of the gradient decides.
        beta_2: β₂, how much of m is kept.

    The other arguments and errors are those of `Optimizer`.

    >>> w = Value(1.0)
    >>> (w * w).backward()
    >>> Lion([w], learning_rate=0.25).step()
    >>> w.data
    0.75
    """

    beta_1: Fraction = 0.9
    beta_2: Fraction = 0.99

    def start(self) -> Memory:
        return {"m": 0.0}

    def update(self, w: float, g: float, rate: float, t: int, old: Memory) -> tuple[float, Memory]:
        step = rate * sign(self.beta_1 * old["m"] + (1.0 - self.beta_1) * g)
        return w - step, {"m": self.beta_2 * old["m"] + (1.0 - self.beta_2) * g}


OPTIMIZERS: dict[str, type[Optimizer]] = {
    cls.__name__.lower(): cls
    for cls in (Adadelta, Adagrad, Adam, AdamW, Adamax, Ftrl, Lion, Nadam, RMSprop, SGD)
}
"""Every optimiser by Keras's name. Add your own here, and `optimizer` finds it."""


def optimizer(which: Any) -> Optimizer:
    """The optimiser of that name, with its defaults; an optimiser is returned as it is.

    Args:
        which: a name from `OPTIMIZERS`, in any case; an `Optimizer`; or a dict from ``config()``.

    Raises:
        NameUnknown: with the nearest known name.
        BadArgument: for anything else.

    >>> optimizer("adam")
    Adam(learning_rate=0.001)
    """
    if isinstance(which, Optimizer):
        return which
    if isinstance(which, Mapping):
        return optimizer_from_config(which)
    if not isinstance(which, str):
        raise BadArgument(
            f"An optimizer must be a name such as 'sgd' or an object such as SGD(0.01). "
            f"Received: {which!r}."
        )
    check_known("optimizer", which.lower(), OPTIMIZERS)
    return OPTIMIZERS[which.lower()]()


def optimizer_from_config(config: Any) -> Optimizer:
    """The optimiser that ``config()`` described, with no parameters yet.

    Raises:
        BadArgument: if it is not such a dict, or a setting is beyond its limits.
        NameUnknown: if the optimiser or a setting is unknown.

    >>> optimizer_from_config(SGD(learning_rate=0.1, momentum=0.9).config())
    SGD(learning_rate=0.1, momentum=0.9)
    """
    return from_config("optimizer", OPTIMIZERS, config)
