"""CasADi: SX expressions, its virtual machine, and its C compiled at -O3.

All are called through `Function.buffer`, the way with the least overhead from Python.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import casadi as ca
import numpy as np

from .. import problems as p
from . import Work

_ALIVE: list[object] = []  # a buffer keeps nothing of what it points to alive


def _relu(z):
    return ca.fmax(z, 0.0)


def _work(function: ca.Function, arguments: Sequence[np.ndarray]) -> Work:
    """A step that calls the function on these arrays, all results in arrays that stay."""
    buffer, call = function.buffer()
    given = [np.ascontiguousarray(argument.ravel(order="F")) for argument in arguments]
    results = [np.zeros(function.nnz_out(i)) for i in range(function.n_out())]
    for i, argument in enumerate(given):
        buffer.set_arg(i, memoryview(argument))
    for i, result in enumerate(results):
        buffer.set_res(i, memoryview(result))

    def answer():
        call()
        return np.concatenate(results).tolist()

    _ALIVE.append((function, buffer, given, results))
    return Work(call, answer)


def _compiled(function: ca.Function) -> ca.Function:
    """The same function as C, compiled at -O3 and loaded."""
    if not shutil.which("cc"):
        raise RuntimeError("CasADi's C needs a C compiler, cc")
    folder = Path(tempfile.mkdtemp())
    generator = ca.CodeGenerator("compiled.c")
    generator.add(function)
    generator.generate(f"{folder}/")
    library = folder / "compiled.so"
    subprocess.run(
        ["cc", "-O3", "-shared", "-fPIC", "-o", library, folder / "compiled.c"],
        check=True,
    )
    loaded = ca.external(function.name(), str(library))
    shutil.rmtree(folder)
    return loaded


def _over_samples(loss, widths, xs, ys):
    """Mean loss and gradient: one sample's, mapped over all, with sums for results."""
    x, y, theta = ca.SX.sym("x", widths[0]), ca.SX.sym("y"), ca.SX.sym("theta", p.count(widths))
    value = loss(ca.vertsplit(theta), ca.vertsplit(x), y) * (1.0 / len(xs))
    sample = ca.Function("sample", [x, y, theta], [value, ca.gradient(value, theta)])
    mapped = sample.map("batch", "serial", len(xs), [2], [0, 1], {})
    return mapped, [np.array(xs).T, np.array(ys), np.array(p.start(p.count(widths)))]


def _hinge(samples: int):
    xs = p.rows(samples, 2)
    return _over_samples(
        lambda theta, x, y: p.hinge(theta, x, y, _relu), p.CLASSIFIER, xs, p.labels(xs)
    )


def _smooth(samples: int):
    xs = p.rows(samples, 8)
    return _over_samples(
        lambda theta, x, y: p.squared(theta, x, y, ca.tanh, ca.exp, ca.log),
        p.REGRESSOR, xs, p.targets(xs),
    )  # fmt: skip


def mlp(samples: int) -> Work:
    return _work(*_hinge(samples))


def mlp_in_c(samples: int) -> Work:
    function, arguments = _hinge(samples)
    return _work(_compiled(function), arguments)


def smooth(samples: int) -> Work:
    return _work(*_smooth(samples))


def smooth_in_c(samples: int) -> Work:
    function, arguments = _smooth(samples)
    return _work(_compiled(function), arguments)


def flat(samples: int) -> Work:
    xs = p.rows(samples, 2)
    theta = ca.SX.sym("theta", p.count(p.CLASSIFIER))
    parameters = ca.vertsplit(theta)
    loss = p.mean([p.hinge(parameters, x, y, _relu) for x, y in zip(xs, p.labels(xs))])
    function = ca.Function("flat", [theta], [loss, ca.gradient(loss, theta)])
    return _work(function, [np.array(p.start(p.count(p.CLASSIFIER)))])


def _rosenbrock(variables: int, dense: bool) -> Work:
    x = ca.SX.sym("x", variables)
    value = p.rosenbrock(ca.vertsplit(x))
    bends, slope = ca.hessian(value, x)
    results = [value, slope, ca.densify(bends) if dense else bends]
    function = ca.Function("rosenbrock", [x], results)
    start = np.array(p.start(variables, 1.0))
    return _work(function, [start])._replace(
        answer=lambda: [float(z) for y in function(start) for z in np.ravel(y.full())]
    )


def rosenbrock(variables: int) -> Work:
    return _rosenbrock(variables, dense=True)


def rosenbrock_sparse(variables: int) -> Work:
    return _rosenbrock(variables, dense=False)
