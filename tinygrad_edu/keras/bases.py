"""The base classes of losses, metrics, initialisers and regularisers, with Keras's methods."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .. import nn
from ..nn import constraints
from ..nn.layers import snake
from ..nn.losses import Compared, samples
from ..nn.seeding import fresh
from ..nn.settings import check_dtype
from ..nn.tensors import Tensor, shaped
from ..nn.variables import Variable, variable
from ..trees import as_array, sizes
from .lookup import Made

_OF_VECTORS = frozenset({
    "categorical_accuracy", "categorical_crossentropy", "categorical_hinge", "cosine_similarity",
    "kl_divergence", "negative_cosine_similarity", "sparse_categorical_accuracy",
    "sparse_categorical_crossentropy", "sparse_top_k_categorical_accuracy",
    "top_k_categorical_accuracy",
})  # fmt: skip


class Loss(nn.Loss):
    """The base class of all losses. Yours overrides ``call``, which gets whole batches.

    Args:
        name: the name of this loss.
        reduction: see `nn.Loss`.
        dtype: see `nn.settings.check_dtype`.

    >>> class Cubic(Loss):
    ...     def call(self, y_true, y_pred):
    ...         return (y_pred - y_true) ** 3
    >>> Cubic()([[1.0], [2.0]], [[2.0], [4.0]])
    4.5
    """

    def __init__(
        self,
        name: str | None = None,
        reduction: str | None = "sum_over_batch_size",
        dtype: Any = None,
    ) -> None:
        check_dtype(dtype)
        super().__init__(self.call, reduction=reduction, name=name or snake(type(self).__name__))

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """The loss of a batch; flat lists are one sample, as in Keras."""
        if len(sizes(y_pred)) == 1:
            y_true, y_pred = [y_true], [y_pred]
        return super().__call__(y_true, y_pred, sample_weight)


class Metric(nn.Metric):
    """The base class of all metrics. Yours overrides ``update_state`` and ``result``, and keeps its
    numbers in variables.

    Args:
        dtype: see `nn.settings.check_dtype`.
        name: the name of this metric.

    >>> class Largest(Metric):
    ...     def __init__(self, name="largest", **settings):
    ...         super().__init__(name=name, **settings)
    ...         self.most = self.add_variable((), name="most")
    ...     def update_state(self, y_true, y_pred, sample_weight=None):
    ...         self.most.assign(max(abs(y_true - y_pred).max(), float(self.most)))
    ...     def result(self):
    ...         return self.most
    >>> largest = Largest()
    >>> float(largest([[1.0], [2.0]], [[2.0], [5.0]]))
    3.0
    """

    variables: Sequence[Variable] = ()

    def __init__(self, dtype: Any = None, name: str | None = None) -> None:
        check_dtype(dtype)
        # Not nn.Metric's, which resets: a subclass has no variables yet.
        Compared.__init__(self, self.update_state, name=name or snake(type(self).__name__))
        self.variables = []
        self.total = self.weight = 0.0

    def add_variable(
        self, shape: Any = (), initializer: Any = "zeros", dtype: Any = None, name: str = "variable"
    ) -> Variable:
        """A variable of this metric, which ``reset_state`` sets to 0."""
        check_dtype(dtype)
        made = variable(shape, initializer, name, trainable=False)
        self.variables = [*self.variables, made]
        return made

    add_weight = add_variable

    @property
    def is_mean(self) -> bool:
        """Whether it is the mean of a row of the table."""
        return (
            getattr(type(self), "engine", None) is nn.Metric
            and type(self).update_state is Metric.update_state
            and type(self).result is nn.Metric.result
        )

    def config(self) -> dict[str, Any]:
        """Everything to save."""
        if self.is_mean or not isinstance(self, Made):
            return super().config()
        return {"class": type(self).__name__, **self.arguments}

    def update(self, y_true: Any, y_pred: Any = None, sample_weight: Any = None) -> None:
        """Add a batch, as `fit` does."""
        if type(self).update_state is not Metric.update_state:
            y_true, y_pred = (
                Tensor(rows, (len(rows), len(rows[0]))) for rows in map(samples, (y_true, y_pred))
            )
        self.update_state(y_true, y_pred, sample_weight=sample_weight)

    def update_state(self, y_true: Any, y_pred: Any = None, sample_weight: Any = None) -> None:
        """Add a batch; see `nn.Metric.update`."""
        if self.row in _OF_VECTORS and len(sizes(y_pred)) == 1:
            y_true, y_pred = [y_true], [y_pred]
        super().update(y_true, y_pred, sample_weight)

    def reset(self) -> None:
        """Forget all samples, as `fit` does before each epoch."""
        self.reset_state()

    def reset_state(self) -> None:
        """Forget all samples."""
        if isinstance(self, Made):
            super().reset()
        for made in self.variables:
            made.assign(0.0)

    def __call__(self, *args: Any, **settings: Any) -> Any:
        """Add a batch, and return the result."""
        self.update_state(
            *[Tensor(x, sizes(x)) if type(x) is list else x for x in args], **settings
        )
        return self.result()


class Initializer(nn.Initializer):
    """The base class of all initialisers. Yours overrides ``__call__(self, shape, dtype=None)``,
    which returns an array."""

    def __init__(self) -> None:
        """A subclass has nothing to pass on."""

    def __call__(self, shape: Any, dtype: Any = None, **_: Any) -> Any:  # type: ignore[override]
        """New numbers in this shape, as an array if NumPy is installed."""
        check_dtype(dtype)
        whole = tuple(map(int, shape))
        return as_array(shaped(self.draw(whole, fresh()), whole))


class Regularizer(nn.Regularizer):
    """The base class of all regularisers. Yours overrides ``__call__(self, x)``, which gets the
    Values of a weight as an `nn.tensors.Tensor` and returns one."""

    def __init__(self) -> None:
        """A subclass has nothing to pass on."""


class Constraint(constraints.Constraint):
    """The base class of all constraints. Yours overrides ``__call__(self, w)``, which gets the
    numbers of a weight as an `nn.tensors.Tensor` and returns as many."""

    def __init__(self) -> None:
        """A subclass has nothing to pass on."""
