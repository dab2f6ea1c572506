"""The numbers of PyTorch and JAX at the points of the rows: ``python -m tests.trust.peers torch``.

It runs in the interpreter that has the peer and writes one line of JSON: the version, and for
every row that the peer has too the value and the derivatives at each point, in float64.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from importlib import metadata
from itertools import product
from pathlib import Path
from typing import Any

from tinygrad_edu.core.table import TABLE, Op

from .graphs import expressions, run
from .points import Args, By, orders, points, tree

Function = Callable[..., Any]
Numbers = list[list[Any]]  # of each point: value and derivatives, None where there is none
NONE = 1.25e-299  # stands for what a peer cannot differentiate
PEERS = {"torch": "PyTorch", "jax": "JAX"}


def _torch() -> dict[str, Function]:
    import torch
    from torch.nn import functional as f

    same = (
        "abs acos acosh add asin asinh atan atan2 atanh ceil cos cosh div erf erfc exp exp2 expm1 "
        "floor hypot log log10 log1p log2 logaddexp maximum minimum mul neg pow reciprocal round "
        "sigmoid sign sin sinh sqrt square sub tan tanh where xlogy logit"
    )
    special = {
        "clip": torch.clamp,
        "degrees": torch.rad2deg,
        "gelu": f.gelu,
        "gelu_tanh": lambda x: f.gelu(x, approximate="tanh"),
        "hard_sigmoid": f.hardsigmoid,
        "hard_silu": f.hardswish,
        "hard_tanh": f.hardtanh,
        "identity": lambda x: x * 1.0,
        "log_sigmoid": f.logsigmoid,
        "logsumexp": lambda *xs: torch.logsumexp(torch.stack(xs), 0),
        "mish": f.mish,
        "mod": torch.remainder,
        "norm": lambda *xs: torch.linalg.vector_norm(torch.stack(xs), dim=0),
        "radians": torch.deg2rad,
        "relu": f.relu,
        "relu6": f.relu6,
        "selu": f.selu,
        "silu": f.silu,
        "softplus": f.softplus,
        "softsign": f.softsign,
        "sum": lambda *xs: torch.stack(xs).sum(0),
        "tanh_shrink": f.tanhshrink,
        "where": lambda c, x, y: torch.where(c != 0, x, y),
    }
    return {**{name: getattr(torch, name) for name in same.split()}, **special}


def _jax() -> dict[str, Function]:
    import jax
    import jax.numpy as jnp
    from jax import nn

    jax.config.update("jax_enable_x64", True)
    same = (
        "abs acos acosh add asin asinh atan atan2 atanh cbrt ceil cos cosh exp exp2 expm1 floor "
        "hypot log log10 log1p log2 logaddexp maximum minimum pow reciprocal round sign sin sinh "
        "sqrt square tan tanh degrees radians"
    )
    special = {
        "celu": nn.celu,
        "clip": jnp.clip,
        "div": jnp.divide,
        "elu": nn.elu,
        "erf": jax.scipy.special.erf,
        "erfc": jax.scipy.special.erfc,
        "gelu": lambda x: nn.gelu(x, approximate=False),
        "gelu_tanh": nn.gelu,
        "hard_sigmoid": nn.hard_sigmoid,
        "hard_silu": nn.hard_silu,
        "hard_tanh": nn.hard_tanh,
        "identity": lambda x: x,
        "leaky_relu": nn.leaky_relu,
        "log_sigmoid": nn.log_sigmoid,
        "logit": jax.scipy.special.logit,
        "logsumexp": lambda *xs: jax.scipy.special.logsumexp(jnp.stack(xs)),
        "mish": nn.mish,
        "mod": jnp.remainder,
        "mul": jnp.multiply,
        "neg": jnp.negative,
        "norm": lambda *xs: jnp.linalg.norm(jnp.stack(xs)),
        "relu": nn.relu,
        "relu6": nn.relu6,
        "selu": nn.selu,
        "sigmoid": nn.sigmoid,
        "silu": nn.silu,
        "softplus": nn.softplus,
        "softsign": nn.soft_sign,
        "squareplus": nn.squareplus,
        "sub": jnp.subtract,
        "sum": lambda *xs: jnp.sum(jnp.stack(xs)),
        "where": lambda c, x, y: jnp.where(c != 0, x, y),
        "xlogy": jax.scipy.special.xlogy,
    }
    return {**{name: getattr(jnp, name) for name in same.split()}, **special}


def _by_torch(f: Function, where: Sequence[Args], order: Sequence[By]) -> Numbers:
    import torch

    def slope(y: Any, i: int) -> Any:
        if not y.requires_grad:
            return torch.zeros_like(y)
        try:
            (g,) = torch.autograd.grad(y.sum(), leaves[i], create_graph=True, allow_unused=True)
        except RuntimeError:  # the function has no further derivative
            return torch.full_like(y, NONE)
        return torch.zeros_like(y) if g is None else g

    columns = torch.tensor(where, dtype=torch.float64).T
    leaves = [column.clone().requires_grad_() for column in columns]
    results = torch.stack([y.detach() for y in tree(order, f(*leaves), slope)])
    return [[None if z == NONE else z for z in numbers] for numbers in results.T.tolist()]


def _by_jax(f: Function, where: Sequence[Args], order: Sequence[By]) -> Numbers:
    import jax
    import jax.numpy as jnp

    columns = jnp.array(where).T
    results = tree(order, f, jax.grad)
    return jnp.stack([jax.vmap(g)(*columns) for g in results]).T.tolist()


# fmt: off
SINGLE = (
    0.0, -0.0, 0.5, -0.5, 1.0, -1.0, 2.0, -2.0, 3.0, -3.0, 6.0, 40.0, -40.0, 1000.0, -1000.0,
    1e300, -1e300, 1e-300, math.inf, -math.inf, math.nan,
)
SEVERAL = (0.0, -0.0, 1.0, -1.0, 2.0, -2.0, 0.5, math.inf, -math.inf, math.nan)
# fmt: on


def edges(row: Op) -> list[Args]:
    """Kinks, poles, ends of domains, ties, infinities and nan: there libraries differ."""
    if row.arity is None or (row.arity == 2 and not row.defaults):
        return list(product(SEVERAL, repeat=2))
    rest = {"clip": (-1.0, 1.0), "where": (2.0, 3.0)}.get(row.name, row.defaults)
    return [(x, *rest) for x in SINGLE]


def slopes(where: Sequence[Args]) -> list[By]:
    """The value, and the slope by each argument."""
    return [(), *((i,) for i in range(len(where[0])))]


def answers(peer: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The rows that the peer has, with its numbers at the points and at the edges."""
    functions, by = {"torch": (_torch, _by_torch), "jax": (_jax, _by_jax)}[peer]
    for name, f in functions().items():
        row = TABLE[name]
        at = edges(row)
        yield (
            name,
            {
                "points": by(f, points(row), orders(row)),
                "edges": by(f, at, slopes(at)),
            },
        )


def _gradient_by_torch(f: Function, start: Sequence[float]) -> Any:
    import torch

    leaves = [torch.tensor(x, dtype=torch.float64, requires_grad=True) for x in start]
    y = f(*leaves)
    return y.detach(), torch.autograd.grad(y, leaves, allow_unused=True)


def _gradient_by_jax(f: Function, start: Sequence[float]) -> Any:
    import jax

    return jax.value_and_grad(f, range(len(start)))(*start)


def graphs(peer: str) -> Numbers:
    """The value and the gradient of random graphs."""
    functions, gradient = {"torch": (_torch, _gradient_by_torch), "jax": (_jax, _gradient_by_jax)}[
        peer
    ]
    rows = functions()
    every = []
    for start, steps in expressions(peer):
        f = partial(run, lambda name, *args: rows[name](*args), steps)
        value, slopes = gradient(lambda *xs, f=f: f(list(xs)), start)
        every.append([0.0 if x is None else float(x) for x in (value, *slopes)])
    return every


def numbers(peer: str) -> Any:
    """The numbers of a peer, None if it isn't installed. They come from a process of its own, as
    its threads must not be forked; TRUST_PEERS names an interpreter that has the peers."""
    python = os.environ.get("TRUST_PEERS", sys.executable)
    code = f"import importlib.util as u; raise SystemExit(u.find_spec({peer!r}) is None)"
    if subprocess.run([python, "-c", code]).returncode:
        return None
    done = subprocess.run(
        [python, "-W", "ignore", "-m", "tests.trust.peers", peer],
        check=True, capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )  # fmt: skip
    return json.loads(done.stdout)


if __name__ == "__main__":
    library = sys.argv[1]
    found = {"rows": dict(answers(library)), "graphs": graphs(library)}
    print(json.dumps({"version": metadata.version(library), **found}))
