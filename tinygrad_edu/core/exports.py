"""The built-in rows, by name. Made from the table by tests/generate.py."""

from .ops import abs as abs
from .ops import acos as acos
from .ops import acosh as acosh
from .ops import add as add
from .ops import asin as asin
from .ops import asinh as asinh
from .ops import atan as atan
from .ops import atan2 as atan2
from .ops import atanh as atanh
from .ops import cbrt as cbrt
from .ops import ceil as ceil
from .ops import celu as celu
from .ops import clip as clip
from .ops import cos as cos
from .ops import cosh as cosh
from .ops import degrees as degrees
from .ops import div as div
from .ops import elu as elu
from .ops import equal as equal
from .ops import erf as erf
from .ops import erfc as erfc
from .ops import exp as exp
from .ops import exp2 as exp2
from .ops import expm1 as expm1
from .ops import floor as floor
from .ops import floordiv as floordiv
from .ops import gaussian as gaussian
from .ops import gelu as gelu
from .ops import gelu_tanh as gelu_tanh
from .ops import greater as greater
from .ops import greater_equal as greater_equal
from .ops import hard_shrink as hard_shrink
from .ops import hard_sigmoid as hard_sigmoid
from .ops import hard_silu as hard_silu
from .ops import hard_tanh as hard_tanh
from .ops import hypot as hypot
from .ops import identity as identity
from .ops import leaky_relu as leaky_relu
from .ops import less as less
from .ops import less_equal as less_equal
from .ops import log as log
from .ops import log10 as log10
from .ops import log1p as log1p
from .ops import log2 as log2
from .ops import log_cosh as log_cosh
from .ops import log_sigmoid as log_sigmoid
from .ops import logaddexp as logaddexp
from .ops import logit as logit
from .ops import logsumexp as logsumexp
from .ops import maximum as maximum
from .ops import minimum as minimum
from .ops import mish as mish
from .ops import mod as mod
from .ops import mul as mul
from .ops import neg as neg
from .ops import norm as norm
from .ops import not_equal as not_equal
from .ops import pow as pow
from .ops import radians as radians
from .ops import reciprocal as reciprocal
from .ops import relu as relu
from .ops import relu6 as relu6
from .ops import round as round
from .ops import sech2 as sech2
from .ops import selu as selu
from .ops import sigmoid as sigmoid
from .ops import sign as sign
from .ops import silu as silu
from .ops import sin as sin
from .ops import sinh as sinh
from .ops import soft_shrink as soft_shrink
from .ops import softplus as softplus
from .ops import softsign as softsign
from .ops import sqrt as sqrt
from .ops import square as square
from .ops import squareplus as squareplus
from .ops import step as step
from .ops import stop_gradient as stop_gradient
from .ops import sub as sub
from .ops import sum as sum
from .ops import tan as tan
from .ops import tanh as tanh
from .ops import tanh_shrink as tanh_shrink
from .ops import where as where
from .ops import xlogy as xlogy

__all__ = [
    "abs", "acos", "acosh", "add", "asin", "asinh", "atan", "atan2", "atanh", "cbrt", "ceil",
    "celu", "clip", "cos", "cosh", "degrees", "div", "elu", "equal", "erf", "erfc", "exp", "exp2",
    "expm1", "floor", "floordiv", "gaussian", "gelu", "gelu_tanh", "greater", "greater_equal",
    "hard_shrink", "hard_sigmoid", "hard_silu", "hard_tanh", "hypot", "identity", "leaky_relu",
    "less", "less_equal", "log", "log10", "log1p", "log2", "log_cosh", "log_sigmoid", "logaddexp",
    "logit", "logsumexp", "maximum", "minimum", "mish", "mod", "mul", "neg", "norm", "not_equal",
    "pow", "radians", "reciprocal", "relu", "relu6", "round", "sech2", "selu", "sigmoid", "sign",
    "silu", "sin", "sinh", "soft_shrink", "softplus", "softsign", "sqrt", "square", "squareplus",
    "step", "stop_gradient", "sub", "sum", "tan", "tanh", "tanh_shrink", "where", "xlogy",
]
