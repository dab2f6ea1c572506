"""The primitives in the words of NumPy, which PyTorch and JAX share but for a few."""

from __future__ import annotations

from typing import Final

from .code import SPELLED

__all__ = ["ARRAYS", "RELATIONS"]

ARRAYS: Final = {
    **{name: f"m.{name}({{0}})" for name in (
        "abs", "exp", "expm1", "log", "log1p", "log2", "log10", "sqrt", "sin", "cos", "tan",
        "sinh", "cosh", "tanh", "floor", "ceil", "round",
    )},
    **{name: f"m.arc{name[1:]}({{0}})" for name in (
        "asin", "acos", "atan", "asinh", "acosh", "atanh",
    )},
    **{name: f"m.{word}({{0}}, {{1}})" for name, word in {
        "pow": "pow", "maximum": "maximum", "minimum": "minimum", "atan2": "arctan2",
        "hypot": "hypot", "mod": "remainder", "floordiv": "floor_divide",
    }.items()},
    **{name: SPELLED[name].c for name in ("identity", "add", "sub", "mul", "div", "neg", "square",
                                          "reciprocal", "sum")},
    "where": "m.where({0} != 0.0, {1}, {2})",
    "unless_nan": "m.where({1} == {1}, {0}, {1})",
    "sign": "m.where({0} > 0.0, 1.0, m.where({0} < 0.0, -1.0, {0} + 0.0))",
    "step": "m.where({0} > 0.0, 1.0, m.where({0} == {0}, 0.0, {0}))",
    "relu": "m.where(({0} > 0.0) | ({0} != {0}), {0}, 0.0)",
    "cbrt": "m.sign({0}) * m.abs({0}) ** (1.0 / 3.0)",
    "erf": "m.erf({0})",
    "erfc": "m.erfc({0})",
}  # fmt: skip
"""Of each primitive an expression, where "m" stands for the module; of ``sum``, the sign."""

RELATIONS: Final = ("less", "less_equal", "greater", "greater_equal", "equal", "not_equal")
"""Comparisons, spelled as in C; of arrays they give truths, not numbers."""
