"""Estimators for scikit-learn: `Regressor` and `Classifier`, small networks of Values.

They are built on scikit-learn's own base classes, so pipelines, `GridSearchCV`, `cross_val_score`
and `clone` take them. The loss of all samples, recorded once and compiled, is minimised by SciPy's
L-BFGS: no learning rate, no batches, and the same result in each run.

Needs scikit-learn: ``pip install 'tinygrad-edu[sklearn]'``.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from .compiler import compile
from .core import ops
from .core.value import Value
from .errors import MissingExtra
from .keras.layers import Dense, Input
from .keras.models import Sequential
from .nn.layers import Sample
from .nn.module import set_numbers

try:
    import numpy as np
    from scipy.optimize import minimize
    from scipy.special import softmax
    from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.utils import check_random_state, column_or_1d
    from sklearn.utils.multiclass import check_classification_targets
    from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data
    from threadpoolctl import threadpool_limits
except ImportError as error:
    raise MissingExtra(
        "tinygrad_edu.estimators needs scikit-learn 1.6 or later. "
        "Install it with: pip install 'tinygrad-edu[sklearn]'"
    ) from error

__all__ = ["Classifier", "Regressor"]


class _Network(BaseEstimator):  # type: ignore[misc]
    """The settings and the training of both estimators."""

    def __init__(
        self,
        hidden: Sequence[int] = (),
        activation: str = "tanh",
        alpha: float = 1e-4,
        max_iter: int = 1000,
        tol: float = 1e-7,
        random_state: Any = None,
    ) -> None:
        self.hidden = hidden
        self.activation = activation
        self.alpha = alpha
        self.max_iter = max_iter
        self.tol = tol
        self.random_state = random_state

    def _train(self, X: Any, targets: Any, sample_weight: Any) -> None:
        """Fit a network with one output per column of the targets."""
        weights = _check_sample_weight(sample_weight, X, ensure_non_negative=True)
        model = Sequential()
        model.random = Random(int(check_random_state(self.random_state).randint(2**31)))
        model.add(Input((X.shape[1],)))
        for units in self.hidden:
            model.add(Dense(units, self.activation))
        model.add(Dense(targets.shape[1]))
        x, y = ([Value(0.5) for _ in range(table.shape[1])] for table in (X, targets))
        weight, parameters = Value(1.0), model.parameters()
        loss = weight * self._loss(y, model.forward(list(x)))
        kernels = [p for layer in model.layers for row in layer.weight_values()[0] for p in row]
        fine = 0.5 * self.alpha * ops.sum([kernel * kernel for kernel in kernels])
        program = compile(loss + fine, inputs=[*x, *y, weight], parameters=parameters)
        rows = np.column_stack([X, targets, weights / weights.mean()])

        def loss_and_slopes(theta: Any) -> Any:
            return program.value_and_grad(rows, theta)

        start, options = [p.data for p in parameters], {"maxiter": self.max_iter, "ftol": 0.0}
        with threadpool_limits(1, "blas"):  # for a few numbers, threads only wait for each other
            found = minimize(
                loss_and_slopes, start, jac=True, method="L-BFGS-B",
                options={**options, "gtol": self.tol},
            )  # fmt: skip
            theta = _polished(lambda theta: loss_and_slopes(theta)[1], found.x)
        set_numbers(parameters, theta)
        self.model_, self.n_iter_, self.loss_ = model, max(1, int(found.nit)), float(found.fun)
        if self.n_iter_ >= self.max_iter:
            warnings.warn(
                f"L-BFGS stopped after max_iter={self.max_iter} steps, before it was done. Scale "
                f"the features, or allow more steps.",
                ConvergenceWarning,
                stacklevel=3,
            )

    def _loss(self, y: Sequence[Any], out: Sample) -> Any:
        raise NotImplementedError

    def _outputs(self, X: Any) -> Any:
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, reset=False)
        return np.asarray(self.model_.predict(X))


def _polished(slopes: Callable[[Any], Any], theta: Any) -> Any:
    """Two of Newton's steps: near its minimum the loss has no more digits, but its slopes have.

    So weights and repeated rows give the same network to ten digits.
    """
    for _ in range(2 if len(theta) <= 300 else 0):
        here, h = slopes(theta), 1e-5
        bends = np.array([slopes(theta + e) - slopes(theta - e) for e in h * np.eye(len(theta))])
        nearer = theta - np.linalg.lstsq(bends / (2.0 * h), here, rcond=1e-9)[0]
        if not abs(slopes(nearer)).max() < abs(here).max():
            break
        theta = nearer
    return theta


class Regressor(RegressorMixin, _Network):  # type: ignore[misc]
    """A network for numbers, with the mean squared error.

    Args:
        hidden: the units of each hidden layer; without any, it is one linear neuron.
        activation: of the hidden layers.
        alpha: the penalty α/2 · Σ w² on all weights but the biases, beside the mean loss.
        max_iter: the most steps of L-BFGS.
        tol: it is done when no slope is larger.
        random_state: for the initial weights.

    Attributes:
        model_: the trained `keras.Sequential`, to be explained, drawn, saved or exported.
        n_iter_, loss_: the steps, and the loss that was reached.

    >>> Regressor().fit([[1.0], [2.0], [3.0]], [10.0, 20.0, 30.0]).predict([[10.0]]).round(1)
    array([100.])
    """

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Regressor:
        """Fit to a table of features and one target per row; a weight of 2 counts a row twice."""
        X, y = validate_data(self, X, y, dtype=np.float64, y_numeric=True)
        y = column_or_1d(y, warn=True).astype(np.float64)
        self._train(X, y[:, None], sample_weight)
        return self

    def predict(self, X: Any) -> Any:
        """One number per row."""
        return self._outputs(X)[:, 0]

    def _loss(self, y: Sequence[Any], out: Sample) -> Any:
        return (out[0] - y[0]) ** 2


class Classifier(ClassifierMixin, _Network):  # type: ignore[misc]
    """A network for labels of any kind, with softmax and the cross-entropy.

    Args:
        hidden, activation, alpha, max_iter, tol, random_state: as for `Regressor`.

    Attributes:
        classes_: the labels, sorted.
        model_: the trained `keras.Sequential`, whose outputs are logits, one per class.
        n_iter_, loss_: the steps, and the loss that was reached.

    >>> Classifier().fit([[1.0], [2.0], [3.0], [4.0]], ["a", "a", "b", "b"]).predict([[0.0], [9.0]])
    array(['a', 'b'], dtype='<U1')
    """

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Classifier:
        """Fit to a table of features and one label per row; a weight of 2 counts a row twice."""
        X, y = validate_data(self, X, y, dtype=np.float64)
        y = column_or_1d(y, warn=True)
        check_classification_targets(y)
        self.classes_, places = np.unique(y, return_inverse=True)
        self._train(X, np.eye(len(self.classes_))[places], sample_weight)
        return self

    def predict_proba(self, X: Any) -> Any:
        """The probability of each class, in the order of ``classes_``."""
        return softmax(self._outputs(X), axis=1)

    def predict(self, X: Any) -> Any:
        """The most probable label of each row."""
        places = self._outputs(X).argmax(axis=1)
        return self.classes_[places]

    def _loss(self, y: Sequence[Any], out: Sample) -> Any:
        return ops.logsumexp(out) - ops.sum([t * z for t, z in zip(y, out)])
