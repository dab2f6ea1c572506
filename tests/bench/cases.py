"""What `make bench` measures: a table of cases, each a few lines that are timed in turn."""

from __future__ import annotations

from typing import NamedTuple


class Line(NamedTuple):
    """One side of a case.

    Attributes:
        label: what the table calls it.
        side: the module in ``tests/bench/sides``.
        function: the function there.
        times: the first line should be at least so many times as fast as this one.
        within: this line should take at most so many times as long as the first.
        limit: this line should take at most so many seconds.
        size: where it is not the case's.
    """

    label: str
    side: str
    function: str
    times: float | None = None
    within: float | None = None
    limit: float | None = None
    size: int | None = None


class Case(NamedTuple):
    """Lines that are compared; the first is ours.

    Attributes:
        size, tiny: of the problem, and of the smallest that is worth running.
        spread: the longest time per node should be at most so many times the shortest.
        alike: whether all lines compute the same numbers, which is then checked.
    """

    title: str
    size: int
    tiny: int
    lines: tuple[Line, ...]
    spread: float | None = None
    alike: bool = True


CASES = {
    "mlp": Case(
        "MLP 2-16-16-1, 100 samples, hinge loss: value and gradient", 100, 3, (
            Line("tinygrad_edu", "ours", "mlp"),
            Line("NumPy by hand", "numpy", "mlp", times=2.0),
            Line("CasADi C -O3", "casadi", "mlp_in_c", times=2.0),
            Line("JAX jit", "jax", "mlp", times=2.0),
            Line("PyTorch eager", "torch", "mlp", times=10.0),
            Line("CasADi SX", "casadi", "mlp"),
            Line("micrograd", "micrograd", "mlp", times=10_000.0),
        ),
    ),
    "fit": Case(
        "The post's model, 500 epochs of fit, warmed up", 500, 2, (
            Line("tinygrad_edu", "ours", "fit", limit=2e-3),
            Line("Keras on JAX", "keras", "fit"),
        ),
        alike=False,  # Keras computes in float32
    ),
    "cold": Case(
        "The same, imports and first calls included: a process from start to end", 500, 2, (
            Line("tinygrad_edu", "ours", "cold", limit=0.5),
            Line("Keras on JAX", "keras", "cold"),
        ),
    ),
    "flat": Case(
        "One flat graph of 65,000 nodes: the MLP unrolled over 100 samples, replayed", 100, 2, (
            Line("tinygrad_edu", "ours", "flat"),
            Line("CasADi SX", "casadi", "flat", times=2.0),
        ),
    ),
    "recording": Case(
        "The same graph: what it costs to record and flatten it", 100, 2, (
            Line("built eagerly", "ours", "built"),
            Line("recorded, flattened", "ours", "recorded", within=2.0),
            Line("with its gradient", "ours", "recorded_with_gradient"),
        ),
        alike=False,
    ),
    "transformer": Case(
        "A transformer of scalars, 16 wide, on 8 tokens: value and gradient", 8, 1, (
            Line("tinygrad_edu", "ours", "transformer"),
            Line("tinygrad_edu, eager", "ours", "transformer_eager", times=200.0),
        ),
    ),
    "scale": Case(
        "Cost as work grows: the MLP unrolled, replayed", 0, 0, tuple(
            Line(f"{nodes:,} nodes", "ours", "scaled", size=nodes)
            for nodes in (10**3, 10**4, 10**5, 10**6)
        ),
        spread=2.0, alike=False,
    ),
    "smooth": Case(
        "8-8-8-1 with tanh, exp and log, 1,000 samples: value and gradient", 1000, 3, (
            Line("tinygrad_edu", "ours", "smooth"),
            Line("JAX jit", "jax", "smooth"),
            Line("NumPy by hand", "numpy", "smooth"),
            Line("CasADi C -O3", "casadi", "smooth_in_c"),
            Line("PyTorch eager", "torch", "smooth", times=2.0),
            Line("CasADi SX", "casadi", "smooth"),
        ),
    ),
    **{
        name: Case(
            f"{widths}, {size:,} samples, relu: value and gradient", size, 3, (
                Line("tinygrad_edu", "ours", name),
                Line("PyTorch eager", "torch", name, times=1.0),
                Line("JAX jit", "jax", name, times=1.0),
                Line("NumPy by hand", "numpy", name),
            ),
        )
        for name, widths, size in (
            ("wide_8", "8-64-64-1", 1000), ("wide_64", "64-64-64-1", 1000),
            ("wide_30", "30-100-100-1", 256), ("wide_784", "784-32-1", 500),
        )
    },
    "compile": Case(
        "Native compilation of a program of 1,000 nodes", 1000, 50, (
            Line("tinygrad_edu", "ours", "compilation", limit=1.0),
        ),
    ),
    "rosenbrock": Case(
        "Rosenbrock's function of 100 variables: value, gradient, Hessian", 100, 3, (
            Line("tinygrad_edu", "ours", "rosenbrock"),
            Line("CasADi SX", "casadi", "rosenbrock", times=1.0),
            Line("CasADi SX, sparse", "casadi", "rosenbrock_sparse"),
        ),
    ),
    "eager": Case(
        "Without compiling: one training step of the MLP on 50 samples", 50, 2, (
            Line("tinygrad_edu", "ours", "eager"),
            Line("micrograd", "micrograd", "eager", times=10.0),
        ),
    ),
    "import": Case(
        "A Python process that imports, beside one that does nothing", 0, 0, (
            Line("import tinygrad_edu", "ours", "imported"),
            Line("nothing", "ours", "nothing"),
        ),
        alike=False,
    ),
}  # fmt: skip

INSTALL = {
    "torch": "pip install torch==2.13.0",
    "jax": "pip install jax==0.10.2",
    "keras": "pip install keras==3.15.1 jax==0.10.2",
    "casadi": "pip install casadi==3.8.2",
    "micrograd": "pip install micrograd==0.1.0",
    "numpy": "pip install numpy",
}
"""How to get a peer. Its key is also the name of the module to import and of the side."""
