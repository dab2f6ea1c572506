"""Why a model learns slowly or not at all: the shape of its loss, in numbers and words.

Near where it stands a loss is a bowl; the eigenvalues λ of its Hessian are the bowl's
curvatures. One step of gradient descent keeps 1 − α·λ of the error along each axis of the bowl,
so it converges only for α < 2/λ_max, and along the flattest axis it is slowest.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from math import frexp, fsum, hypot, inf, isfinite, ldexp, nan, sqrt
from typing import NamedTuple

from ..errors import BadArgument
from ..strings import legible

MOST_WEIGHTS = 200
ROUND = 1.5  # a condition number below which no direction is slow


class Diagnosis(NamedTuple):
    """What `diagnose` found; printed, it says so in words.

    Attributes:
        curvatures: the eigenvalues of the Hessian, the largest first.
        axes: for each of them the unit vector of weights along which it is.
        names: of the weights, in the order of the axes' numbers.
        learning_rate: the one in use.
        means, deviations: of each input over the samples.
    """

    curvatures: list[float]
    axes: list[list[float]]
    names: list[str]
    learning_rate: float
    means: list[float]
    deviations: list[float]

    @property
    def largest_rate(self) -> float:
        """Below this learning rate gradient descent converges here: 2/λ_max; nan if λ_max is."""
        steepest = self.curvatures[0]
        return 2.0 / steepest if steepest > 0.0 else inf if steepest <= 0.0 else nan

    @property
    def condition(self) -> float:
        """λ_max/λ_min: how many times as steep across as along; nan if they are."""
        flattest = self.curvatures[-1]
        return self.curvatures[0] / flattest if flattest > 0.0 else inf if flattest <= 0.0 else nan

    def __str__(self) -> str:
        steepest, flattest = self.curvatures[0], self.curvatures[-1]
        rate, bound = self.learning_rate, self.largest_rate
        verdict = (
            f"The learning rate {rate:g} is above the bound {bound:.7f}: every step overshoots "
            f"by more than it gains, and training diverges."
            if rate >= bound
            else f"The learning rate {rate:g} is below the bound {bound:.7f}: it converges here."
        )
        paragraphs = [
            f"The Hessian's largest eigenvalue is {steepest:.6g}, so gradient descent converges "
            f"only for learning rates below 2/{steepest:.6g} = {bound:.7f}. {verdict}"
        ]
        best = 2.0 / (steepest + flattest) if flattest > 0.0 else 0.0
        keep = 1.0 - best * flattest
        if not isfinite(steepest):
            paragraphs = [
                "The Hessian has numbers that are not finite: the inputs, targets or weights are "
                "too large for their products. So nothing can be said of the learning rate."
            ]
        elif flattest > 0.0 and self.condition < ROUND:
            paragraphs.append(
                f"The bowl is nearly round, {self.condition:.2f} times as steep across as along "
                f"(the condition number), so all directions learn alike: at the best rate, "
                f"{best:.6g}, a step takes away {1.0 - keep:.0%} of the error."
            )
        elif flattest > 0.0:
            slow = max(range(len(self.names)), key=lambda i: abs(self.axes[-1][i]))
            paragraphs.append(
                f"The bowl is {self.condition:.2f} times as steep across as along (the condition "
                f"number). Its flattest axis, with eigenvalue {flattest:.6g}, is mostly "
                f"{self.names[slow]}: even at the best rate, {best:.6g}, a step keeps "
                f"{keep:.1%} of the error there, which is why {self.names[slow]} is slow."
            )
        else:
            paragraphs.append(
                f"The smallest eigenvalue is {flattest:.6g}: along its axis the loss is flat or "
                f"bends down, so it is not a bowl here, and has no condition number."
            )
        worst = max(range(len(self.means)), key=lambda i: self._size(i))
        if self._size(worst) > 1.5 or min(map(self._size, range(len(self.means)))) < 0.5:
            places = ", ".join(
                f"{m:.4g} ± {d:.4g}" for m, d in zip(self.means[:5], self.deviations)
            )
            paragraphs.append(
                f"The inputs lie at {places}. Scaled to mean 0 and deviation 1, x ← (x − mean)/"
                f"deviation, each weighs as much as the bias: for a linear model the bowl becomes "
                f"round, and all weights learn at one speed."
            )
        text = "\n\n".join(textwrap.fill(paragraph, 78) for paragraph in paragraphs)
        return legible(text)

    def _size(self, i: int) -> float:
        return hypot(self.means[i], self.deviations[i])


def refuse_too_many(n: int) -> None:
    """Raise BadArgument if the Hessian of n weights is too large to diagnose."""
    if n > MOST_WEIGHTS:
        raise BadArgument(
            f"A Hessian is n × n numbers, which for this model is too many. "
            f"Received: n = {n} weights; at most {MOST_WEIGHTS} are diagnosed."
        )


def diagnose(
    hessian: Sequence[Sequence[float]],
    names: Sequence[str],
    learning_rate: float,
    rows: Sequence[Sequence[float]],
) -> Diagnosis:
    """The diagnosis of a loss with this Hessian, trained on these inputs at this rate.

    >>> print(diagnose([[40.0, 8.0], [8.0, 2.0]], ["w", "b"], 0.1, [[1.0], [7.0]]))
    The Hessian's largest eigenvalue is 41.6155, ...
    """
    pairs = sorted(zip(*eigen(hessian)), key=lambda pair: -pair[0])
    means, deviations = zip(*map(moments, zip(*rows)))
    return Diagnosis(
        [value for value, _ in pairs], [axis for _, axis in pairs], list(names),
        learning_rate, [*means], [*deviations],
    )  # fmt: skip


def moments(xs: Sequence[float]) -> tuple[float, float]:
    """The mean and the deviation of finite numbers of any size: nothing is squared.

    >>> moments([1e308, 1.5e308])
    (1.25e+308, 2.5e+307)
    """
    unit = _unit(xs)
    scaled = [x / unit for x in xs]
    mean = fsum(scaled) / len(xs)
    return mean * unit, hypot(*[x - mean for x in scaled]) / sqrt(len(xs)) * unit


def _unit(xs: Iterable[float]) -> float:
    """The largest power of two up to the largest of some numbers: dividing by it is exact."""
    return ldexp(1.0, frexp(max(map(abs, xs)))[1] - 1)


def eigen(matrix: Sequence[Sequence[float]]) -> tuple[list[float], list[list[float]]]:
    """Eigenvalues and unit eigenvectors of a symmetric matrix, by Jacobi's rotations (1846).

    Each rotation makes one pair of off-diagonal numbers 0; a few sweeps over all pairs make
    them all vanish, to the last digit. The eigenvalues are nan if a number is not finite.

    >>> values, vectors = eigen([[2.0, 1.0], [1.0, 2.0]])
    >>> sorted(round(value, 12) for value in values)
    [1.0, 3.0]
    """
    n = len(matrix)
    v = [[1.0 if i == j else 0.0 for j in range(n)] for i in range(n)]
    if not all(isfinite(x) for row in matrix for x in row):
        return [nan] * n, v
    unit = _unit(x for row in matrix for x in row)
    a = [[x / unit for x in row] for row in matrix]  # so that no product overflows
    for _ in range(60):
        if all(
            abs(a[i][j]) <= 1e-17 * sqrt(abs(a[i][i] * a[j][j])) for i in range(n) for j in range(i)
        ):
            break
        for p in range(n):
            for q in range(p + 1, n):
                if a[p][q] == 0.0:
                    continue
                theta = (a[q][q] - a[p][p]) / (2.0 * a[p][q])
                t = (1.0 if theta >= 0.0 else -1.0) / (abs(theta) + hypot(theta, 1.0))
                c = 1.0 / hypot(t, 1.0)
                s = t * c
                for row in (*a, *v):  # columns p and q
                    row[p], row[q] = c * row[p] - s * row[q], s * row[p] + c * row[q]
                a[p], a[q] = (
                    [c * x - s * y for x, y in zip(a[p], a[q])],
                    [s * x + c * y for x, y in zip(a[p], a[q])],
                )
                a[p][q] = a[q][p] = 0.0
    return [a[i][i] * unit for i in range(n)], [[v[i][j] for i in range(n)] for j in range(n)]
