"""Programs for elsewhere: one `Code`, written for PyTorch, JAX, JavaScript, C, Python, sympy, ONNX.

Each language is a table from primitives to its own words, and a few lines around them. Nothing of
a model is known here: whatever can be compiled can be exported.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from ..core.graph import tape
from ..core.table import Op
from ..core.value import Value
from ..errors import BadArgument, MissingExtra, check_name
from ..files import write_whole
from . import python
from .array_words import ARRAYS, RELATIONS
from .c_source import c_source
from .code import SPELLED, Code
from .lowering import flatten
from .program import Program
from .templates import row_template
from .transforms import only

__all__ = ["FORMATS", "Exported", "export", "exported"]


class Exported(NamedTuple):
    """A function of the numbers of one sample, to be exported.

    Attributes:
        code: the program; its ``each`` are the results.
        theta: the shared numbers, such as weights.
        inputs: the names of the inputs, "" for none.
        name: what to call it there.
        graph: the inputs and results as Values, for formats that keep rows whole.
    """

    code: Code
    theta: Sequence[float]
    inputs: Sequence[str]
    name: str
    graph: tuple[Sequence[Value], Sequence[Any]] | None = None

    @property
    def whole(self) -> Code:
        """The program with the shared numbers as constants."""
        constants = (*self.theta, *self.code.constants)
        return self.code._replace(shared=0, constants=constants)


def export(
    x: Any,
    to: str | os.PathLike[str],
    format: str | None = None,
    *,
    inputs: Sequence[Value] | None = None,
    name: str = "model",
) -> Any:
    """A model, a program or a graph for another library or language.

    Args:
        x: a Value; several, as a list; a `Program`; or a model of ``tg.keras``, which has more
            formats, see its ``export``.
        to: a file, whose ending tells the format (.js, .c, .onnx); or the name of a format:
            "pytorch", "jax", "python", "javascript", "c", "onnx", "sympy".
        format: for a file whose ending doesn't tell it, such as .py.
        inputs: of a graph, the Values that become arguments, in order: by default those with the
            role "input", or where there are none, all leaves with a name, oldest first. Other
            leaves become numbers.
        name: of the function or class.

    Returns:
        The path of the file; without a file the source text, the bytes of the ONNX model, or the
        expression of sympy (a list for several results).

    All compute in float64 and agree to 1e-12, except where the other side has less: JAX without
    ``jax_enable_x64``, and erf in ONNX, compute in float32. Functions take arrays of samples
    whose last axis are the inputs.

    Raises:
        NotTraceable: if only Python can compute it.
        NameUnknown: for another format.
        BadArgument: for an ending that doesn't tell the format, or something else to export.
        MissingExtra: for ONNX or sympy, where the package is missing.

    >>> x, w = Value(3.0, name="x", role="input"), Value(2.0, name="w")
    >>> print(export(x * w, "javascript"), end="")
    // Made by tinygrad_edu: model(inputs) returns 1 result. Inputs: x.
    export function model(inputs) {
      const v2 = inputs[0] * 2.0;
      return [v2];
    }
    """
    if hasattr(type(x), "export"):
        return x.export(to, format)
    return written(exported(x, inputs, name), to, format)


def exported(x: Any, inputs: Sequence[Value] | None, name: str) -> Exported:
    """A graph or a program as what is exported."""
    if isinstance(x, Program):
        code = only(x.code, each=x.code.each or x.code.total[:1] or x.code.once[:1])[0]
        theta = [value.data for value in (*x.parameters, *x.captured)]
        return Exported(code, theta, [input or "" for input in x.inputs], name)
    roots = list(x) if isinstance(x, (list, tuple)) else [x]
    if not roots or not all(isinstance(root, Value) for root in roots):
        raise BadArgument(
            f"A Value, several in a list, a Program or a model of keras can be exported. Received: "
            f"{x!r}. A Module is exported by its results: call it on Values with the role input."
        )
    if inputs is None:
        leaves = [node for node in tape(*roots) if node.op is None]
        inputs = [leaf for leaf in leaves if leaf.role == "input"]
        inputs = inputs or [leaf for leaf in leaves if leaf.name]
    flat = flatten(inputs, each=roots)
    theta, names = [value.data for value in flat.captured], [value.name or "" for value in inputs]
    return Exported(flat.code, theta, names, name, (inputs, roots))


def written(what: Exported, to: str | os.PathLike[str], format: str | None = None) -> Any:
    """The text or object of that format; if ``to`` is a path, its file."""
    path = Path(to)
    if format is None and path.suffix and path.suffix not in ENDINGS:
        raise BadArgument(
            f"The ending {path.suffix!r} doesn't tell the format. Received: {str(to)!r}. Pass "
            f"format=, one of: {', '.join(FORMATS)}; or for models 'keras'."
        )
    chosen = format or ENDINGS.get(path.suffix, str(to))
    check_name("format", chosen, FORMATS)
    if not what.name.isidentifier():
        raise BadArgument(f"The name must be an identifier. Received: {what.name!r}.")
    made = FORMATS[chosen](what)
    if format is None and not path.suffix:
        return made
    write_whole(path, made if isinstance(made, bytes) else f"{made}".encode())
    return path


# ── Languages ─────────────────────────────────────────────────────────────────────────────


def _lines(
    code: Code, words: Mapping[str, str], statement: str, names: Sequence[str]
) -> tuple[list[str], list[str]]:
    """One line for each instruction, and the names of the results.

    Args:
        words: of each primitive, how it is written; of ``sum``, the sign between its terms.
        statement: a line, from the name of the result and how it is computed.
        names: of the inputs, the shared numbers and the constants.
    """
    called, lines = [*names], []
    for slot, (op, args) in enumerate(zip(code.ops, code.args), code.first):
        texts = [called[arg] for arg in args]
        called.append(f"v{slot}")
        if op != "sum":
            lines.append(statement.format(f"v{slot}", words[op].format(*texts)))
            continue
        part = words[op].join(texts[:50]) or "0.0"  # in parts: parsers recurse
        for start in range(50, len(texts), 50):
            lines.append(statement.format(f"v{slot}_{start}", part))
            part = words[op].join([f"v{slot}_{start}", *texts[start : start + 50]])
        lines.append(statement.format(f"v{slot}", part))
    return lines, [called[slot] for slot in code.each]


def _about(what: Exported) -> str:
    """A line for a comment, which no name can end."""
    count = len(what.code.each)
    named = ", ".join(re.sub(r"[^\w.]", "_", name) for name in what.inputs if name)
    return (
        f"Made by tinygrad_edu: {what.name}(inputs) returns {count} result{'s' * (count != 1)}."
        + (f" Inputs: {named}." if named else "")
    )


def _script(what: Exported) -> str:
    """JavaScript, with the helpers that it needs."""
    code = what.whole
    words = {name: spelling.js for name, spelling in SPELLED.items()}
    names = [f"inputs[{i}]" for i in range(code.inputs)]
    literals = [_literal(x, "Infinity", "NaN") for x in code.constants]
    lines, results = _lines(code, words, "const {} = {};", [*names, *literals])
    body = "".join(f"  {line}\n" for line in [*lines, f"return [{', '.join(results)}];"])
    text = f"export function {what.name}(inputs) {{\n{body}}}\n"
    if _HELPED & {*code.ops}:
        file = Path(__file__).parents[1] / "exploring" / "script" / "arithmetic.js"
        text = f"{file.read_text(encoding='utf-8')}\n{text}"
    return f"// {_about(what)}\n{text}"


_HELPED: Final = {name for name in SPELLED if re.match(r"[a-zA-Z]+\(", SPELLED[name].js)}


def _literal(x: float, infinity: str, nan: str) -> str:
    text = repr(x).replace("inf", infinity).replace("nan", nan)
    return f"({text})" if text.startswith("-") else text


def _c(what: Exported) -> str:
    return c_source(what.whole, what.name, inputs=what.inputs)


def _python(what: Exported) -> str:
    names = {i: name for i, name in enumerate(what.inputs) if name}
    call = f"\n\ndef {what.name}(inputs):\n    return run([inputs], ())[0][0]\n"
    return f'"""{_about(what)}"""\n\n{python.source(what.whole, names)}{call}'


def _with_arrays(what: Exported, module: str, array: str, **words: str) -> tuple[str, str]:
    """The constants, and the body of a function of ``x`` and ``theta``."""
    code = what.code
    counts = {"x[..., {}]": code.inputs, "theta[{}]": code.shared, "c[{}]": len(code.constants)}
    names = [form.format(i) for form, count in counts.items() for i in range(count)]
    cast = "({}).to(x.dtype)" if module == "torch" else "({}).astype(x.dtype)"
    table = {name: word.replace("m.", f"{module}.") for name, word in ARRAYS.items()}
    table |= {name: cast.format(SPELLED[name].c) for name in RELATIONS} | words
    lines, results = _lines(code, table, "{} = {}", names)
    parts = ", ".join(f"{module}.broadcast_to({result}, x.shape[:-1])" for result in results)
    body = [f"c = {array}", *lines, f"return {module}.stack([{parts}], -1)"]
    numbers = {"THETA": what.theta, "CONSTANTS": code.constants}
    texts = {
        name: ", ".join(_literal(float(x), 'float("inf")', 'float("nan")') for x in xs)
        for name, xs in numbers.items()
    }
    constants = "".join(f"{name} = [{text}]\n" for name, text in texts.items())
    return constants, "".join(f"    {line}\n" for line in body)


def _pytorch(what: Exported) -> str:
    constants, body = _with_arrays(
        what, "torch", "torch.tensor(CONSTANTS, dtype=x.dtype, device=x.device)",
        erf="torch.erf({0})", erfc="torch.erfc({0})",
    )  # fmt: skip
    kind = what.name.title().replace("_", "")
    return (
        f'"""{_about(what)}\n\n{kind}() is a module in float64, whose parameter theta can be '
        f'trained."""\n\nimport torch\n\n{constants}\n\n'
        f"def compute(x, theta):\n{body}\n\n"
        f"class {kind}(torch.nn.Module):\n"
        f"    def __init__(self):\n"
        f"        super().__init__()\n"
        f"        theta = torch.tensor(THETA, dtype=torch.float64)\n"
        f"        self.theta = torch.nn.Parameter(theta)\n\n"
        f"    def forward(self, x):\n"
        f"        return compute(torch.as_tensor(x, dtype=self.theta.dtype), self.theta.unbind())\n"
    )


def _jax(what: Exported) -> str:
    constants, body = _with_arrays(
        what, "jnp", "jnp.array(CONSTANTS, dtype=x.dtype)", pow="jnp.power({0}, {1})",
        erf="erf({0})", erfc="erfc({0})", cbrt="jnp.cbrt({0})",
    )  # fmt: skip
    return (
        f'"""{_about(what)}\n\nIn float64 after jax.config.update("jax_enable_x64", True), else '
        f'in float32."""\n\n'
        f"import jax.numpy as jnp\nfrom jax.scipy.special import erf, erfc\n\n{constants}\n\n"
        f"def {what.name}(x, theta=None):\n"
        f"    x = jnp.asarray(x, dtype=float)\n"
        f"    theta = jnp.asarray(THETA if theta is None else theta, dtype=x.dtype)\n{body}"
    )


# ── sympy ─────────────────────────────────────────────────────────────────────────────────


def _sympy(what: Exported) -> Any:
    """The results as expressions in symbols with the names of the inputs."""
    try:
        import sympy
    except ImportError as error:
        raise MissingExtra(
            "Expressions of sympy need the package: pip install 'tinygrad-edu[symbols]'"
        ) from error
    table = _sympy_words(sympy)
    symbols = [sympy.Symbol(name or f"x{i}", real=True) for i, name in enumerate(what.inputs)]

    def number(x: float) -> Any:
        return sympy.Integer(int(x)) if abs(x) < 2**53 and x.is_integer() else sympy.Float(x, 17)

    def applied(op: Op, args: list[Any]) -> Any:
        if op.name in table:
            return table[op.name](*args)
        template, places = row_template(op, len(args)), list(args)
        for name, slots in template.steps:
            places.append(table[name](*(places[x] if type(x) is int else number(x) for x in slots)))
        return places[template.outs[0]]

    if what.graph is None:
        code = what.whole
        slots = [*symbols, *map(number, code.constants)]
        for name, args in zip(code.ops, code.args):
            slots.append(table[name](*(slots[arg] for arg in args)))
        results = [slots[slot] for slot in code.each]
    else:
        inputs, roots = what.graph
        made: dict[Any, Any] = dict(zip(inputs, symbols))
        for node in tape(*(root for root in roots if isinstance(root, Value))):
            if node not in made:
                parts = [made[x] if isinstance(x, Value) else number(x) for x in node.args]
                made[node] = applied(node.op, parts) if node.op else number(node._data)
        results = [made[root] if isinstance(root, Value) else number(root) for root in roots]
    return results if len(results) > 1 else results[0]


def _sympy_words(s: Any) -> dict[str, Callable[..., Any]]:
    """Primitives in sympy; and rows whose formula is shorter than what is safe in floats."""
    half = s.Rational(1, 2)

    def if_(condition: Any, then: Any, otherwise: Any) -> Any:
        return s.Piecewise((then, condition), (otherwise, True), evaluate=False)

    def to_even(x: Any) -> Any:
        up = s.floor(x + half)
        return if_(s.Eq(s.Mod(x + half, 2), 1), up - 1, up)

    def sigmoid(x: Any) -> Any:
        return 1 / (1 + s.exp(-x))

    def gelu_tanh(x: Any) -> Any:
        cubic = s.sqrt(2 / s.pi) * (x + s.Float(0.044715, 17) * x**3)
        return x * (1 + s.tanh(cubic)) / 2

    relations = dict(zip(RELATIONS, (s.Lt, s.Le, s.Gt, s.Ge, s.Eq, s.Ne)))
    return {
        **{name: (lambda x, y, r=r: if_(r(x, y), 1, 0)) for name, r in relations.items()},
        **{name: getattr(s, name) for name in SPELLED if hasattr(s, name)},
        "abs": s.Abs, "mod": s.Mod, "ceil": s.ceiling, "round": to_even,
        "maximum": lambda x, y: s.Max(x, y, evaluate=False),
        "minimum": lambda x, y: s.Min(x, y, evaluate=False),
        "relu": lambda x: s.Max(x, 0, evaluate=False),
        "add": lambda x, y: x + y, "sub": lambda x, y: x - y, "mul": lambda x, y: x * y,
        "div": lambda x, y: x / y, "neg": lambda x: -x, "pow": lambda x, y: x**y,
        "square": lambda x: x**2, "reciprocal": lambda x: 1 / x, "identity": lambda x: x,
        "sum": lambda *xs: s.Add(*xs), "floordiv": lambda x, y: s.floor(x / y),
        "where": lambda c, x, y: if_(s.Ne(c, 0), x, y), "unless_nan": lambda x, y: x,
        "step": lambda x: if_(x > 0, 1, 0), "hypot": lambda x, y: s.sqrt(x**2 + y**2),
        "expm1": lambda x: s.exp(x) - 1, "log1p": lambda x: s.log(1 + x),
        "log2": lambda x: s.log(x) / s.log(2), "log10": lambda x: s.log(x) / s.log(10),
        "cbrt": lambda x: s.sign(x) * s.Abs(x) ** s.Rational(1, 3),
        "sigmoid": sigmoid, "silu": lambda x: x * sigmoid(x),
        "softplus": lambda x: s.log(1 + s.exp(x)), "log_sigmoid": lambda x: s.log(sigmoid(x)),
        "mish": lambda x: x * s.tanh(s.log(1 + s.exp(x))),
        "gelu": lambda x: x * (1 + s.erf(x / s.sqrt(2))) / 2, "gelu_tanh": gelu_tanh,
        "log_cosh": lambda x: s.log(s.cosh(x)), "sech2": lambda x: 1 / s.cosh(x) ** 2,
        "gaussian": lambda x: s.exp(-(x**2) / 2), "softsign": lambda x: x / (1 + s.Abs(x)),
        "squareplus": lambda x, b: (x + s.sqrt(x**2 + b)) / 2,
        "logaddexp": lambda x, y: s.log(s.exp(x) + s.exp(y)),
        "logsumexp": lambda *xs: s.log(s.Add(*map(s.exp, xs))),
        "norm": lambda *xs: s.sqrt(s.Add(*(x**2 for x in xs))),
    }  # fmt: skip


# ── ONNX ──────────────────────────────────────────────────────────────────────────────────

OPSET: Final = 18


class _Graph:
    """An ONNX graph that is being written: ``graph.Sin("x")`` adds a node and names its result."""

    def __init__(self, onnx: Any) -> None:
        self.helper, self.kinds = onnx.helper, onnx.TensorProto
        self.nodes: list[Any] = []
        self.numbers: dict[str, Any] = {}

    def __getattr__(self, op: str) -> Callable[..., str]:
        def added(*inputs: str | float, **attributes: Any) -> str:
            name = f"v{len(self.nodes)}"
            made = [x if isinstance(x, str) else self.number(x) for x in inputs]
            self.nodes.append(self.helper.make_node(op, made, [name], **attributes))
            return name

        return added

    def number(self, x: float) -> str:
        name = f"c_{float(x).hex()}"
        kind = self.kinds.DOUBLE
        self.numbers.setdefault(name, self.helper.make_tensor(name, kind, (), [float(x)]))
        return name

    # What the runtime has for float32 only is built of what it has for float64; the inverse
    # functions are begun in float32, and one step of Newton's gives the other digits.

    def single(self, op: str, x: str) -> str:
        rough = getattr(self, op)(self.Cast(x, to=self.kinds.FLOAT))
        return self.Cast(rough, to=self.kinds.DOUBLE)

    def is_number(self, x: str) -> str:
        return self.Equal(x, x)

    def one(self, condition: str) -> str:
        return self.Cast(condition, to=self.kinds.DOUBLE)

    def log1p(self, x: str) -> str:
        u = self.Add(1.0, x)
        near = self.Equal(u, 1.0)
        safe = self.Where(near, 2.0, u)
        return self.Where(near, x, self.Mul(self.Log(safe), self.Div(x, self.Sub(safe, 1.0))))

    def expm1(self, x: str) -> str:
        small = self.Mul(self.Tanh(self.Mul(x, 0.5)), self.Add(self.Exp(x), 1.0))
        return self.Where(self.Less(self.Abs(x), 1.0), small, self.Sub(self.Exp(x), 1.0))

    def cosh(self, x: str) -> str:
        return self.Mul(0.5, self.Add(self.Exp(x), self.Exp(self.Neg(x))))

    def atan(self, x: str) -> str:
        size = self.Abs(x)
        inverse = self.Greater(size, 1.0)  # atan(x) = π/2 − atan(1/x)
        z = self.Where(inverse, self.Reciprocal(size), size)
        y = self.single("Atan", z)
        s, c = self.Sin(y), self.Cos(y)
        off = self.Div(self.Sub(self.Mul(z, c), s), self.Add(c, self.Mul(z, s)))
        y = self.Add(y, off)
        y = self.Where(inverse, self.Sub(1.5707963267948966, y), y)
        return self.Mul(self.Sign(x), y)

    def asin(self, x: str) -> str:
        rest = self.Sqrt(self.Mul(self.Sub(1.0, x), self.Add(1.0, x)))
        y = self.single("Asin", x)
        off = self.Sub(self.Mul(x, self.Cos(y)), self.Mul(rest, self.Sin(y)))
        cube = self.Mul(off, self.Mul(off, off))
        return self.Add(y, self.Add(off, self.Div(cube, 6.0)))

    def acos(self, x: str) -> str:
        return self.Sub(1.5707963267948966, self.asin(x))

    def atan2(self, y: str, x: str) -> str:
        angle = self.atan(self.Div(y, x))
        half_turn = self.Where(self.Less(y, 0.0), -3.141592653589793, 3.141592653589793)
        behind = self.Where(self.Less(x, 0.0), half_turn, 0.0)
        upright = self.Mul(self.Sign(y), 1.5707963267948966)
        return self.Where(self.Equal(x, 0.0), upright, self.Add(angle, behind))

    def asinh(self, x: str) -> str:
        size = self.Abs(x)
        square = self.Mul(x, x)
        root = self.Sqrt(self.Add(square, 1.0))
        return self.Mul(
            self.Sign(x), self.log1p(self.Add(size, self.Div(square, self.Add(1.0, root))))
        )

    def acosh(self, x: str) -> str:
        z = self.Sub(x, 1.0)
        return self.log1p(self.Add(z, self.Sqrt(self.Mul(z, self.Add(x, 1.0)))))

    def atanh(self, x: str) -> str:
        return self.Mul(0.5, self.log1p(self.Div(self.Mul(2.0, x), self.Sub(1.0, x))))

    def mod(self, x: str, y: str) -> str:
        rest = self.Mod(x, y, fmod=1)
        opposite = self.Less(self.Mul(rest, y), 0.0)
        return self.Where(opposite, self.Add(rest, y), rest)


_ONNX: Final[dict[str, Callable[..., str]]] = {
    "identity": lambda g, x: x, "square": lambda g, x: g.Mul(x, x),
    "sum": lambda g, *xs: g.Sum(*xs) if xs else g.number(0.0),
    **{name: (lambda g, *xs, op=op: getattr(g, op)(*xs)) for name, op in {
        "add": "Add", "sub": "Sub", "mul": "Mul", "div": "Div", "neg": "Neg", "pow": "Pow",
        "abs": "Abs", "reciprocal": "Reciprocal", "maximum": "Max", "minimum": "Min",
        "floor": "Floor", "ceil": "Ceil", "round": "Round", "exp": "Exp", "log": "Log",
        "sqrt": "Sqrt", "sin": "Sin", "cos": "Cos", "tanh": "Tanh", "sign": "Sign",
    }.items()},
    **{name: (lambda g, *xs, op=op: g.one(getattr(g, op)(*xs))) for name, op in {
        "less": "Less", "less_equal": "LessOrEqual", "greater": "Greater",
        "greater_equal": "GreaterOrEqual", "equal": "Equal",
    }.items()},
    **{name: (lambda g, *xs, name=name: getattr(g, name)(*xs)) for name in (
        "log1p", "expm1", "cosh", "atan", "asin", "acos", "atan2", "asinh", "acosh", "atanh", "mod",
    )},
    "not_equal": lambda g, x, y: g.one(g.Not(g.Equal(x, y))),
    "where": lambda g, c, x, y: g.Where(g.Equal(c, 0.0), y, x),
    "unless_nan": lambda g, x, y: g.Where(g.is_number(y), x, y),
    "step": lambda g, x: g.Where(g.is_number(x), g.one(g.Greater(x, 0.0)), x),
    "relu": lambda g, x: g.Where(g.LessOrEqual(x, 0.0), 0.0, x),
    "floordiv": lambda g, x, y: g.Floor(g.Div(x, y)),
    "log2": lambda g, x: g.Div(g.Log(x), 0.6931471805599453),
    "log10": lambda g, x: g.Div(g.Log(x), 2.302585092994046),
    "cbrt": lambda g, x: g.Mul(g.Sign(x), g.Pow(g.Abs(x), 1.0 / 3.0)),
    "tan": lambda g, x: g.Div(g.Sin(x), g.Cos(x)),
    "sinh": lambda g, x: g.Mul(g.Tanh(x), g.cosh(x)),
    "hypot": lambda g, x, y: g.Sqrt(g.Add(g.Mul(x, x), g.Mul(y, y))),
    "erf": lambda g, x: g.single("Erf", x),
    "erfc": lambda g, x: g.Sub(1.0, g.single("Erf", x)),
}  # fmt: skip


def _onnx(what: Exported) -> bytes:
    """An ONNX model: float64 [samples, inputs] to float64 [samples, results]."""
    try:
        import onnx
    except ImportError as error:
        raise MissingExtra(
            "ONNX models need the package onnx: pip install 'tinygrad-edu[onnx]'"
        ) from error
    helper, code, g = onnx.helper, what.whole, _Graph(onnx)
    places = [
        helper.make_tensor(f"place{i}", onnx.TensorProto.INT64, (1,), [i])
        for i in range(code.inputs)
    ]
    places.append(helper.make_tensor("one", onnx.TensorProto.INT64, (1,), [1]))
    slots = [g.Gather("inputs", f"place{i}", axis=1) for i in range(code.inputs)]
    slots += map(g.number, code.constants)
    for op, args in zip(code.ops, code.args):
        slots.append(_ONNX[op](g, *(slots[arg] for arg in args)))
    shape = g.Concat(g.Shape("inputs", start=0, end=1), "one", axis=0)
    columns = [g.Expand(slots[slot], shape) for slot in code.each]
    g.nodes.append(helper.make_node("Concat", columns, ["outputs"], axis=1))
    kind = onnx.TensorProto.DOUBLE
    graph = helper.make_graph(
        g.nodes,
        what.name,
        [helper.make_tensor_value_info("inputs", kind, ["samples", code.inputs])],
        [helper.make_tensor_value_info("outputs", kind, ["samples", len(code.each)])],
        [*places, *g.numbers.values()],
        doc_string=_about(what),
    )
    opset = [helper.make_opsetid("", OPSET)]
    model = helper.make_model(
        graph, opset_imports=opset, ir_version=9, producer_name="tinygrad_edu"
    )
    onnx.checker.check_model(model)
    return model.SerializeToString()  # type: ignore[no-any-return]


FORMATS: Final[dict[str, Callable[[Exported], Any]]] = {
    "pytorch": _pytorch, "jax": _jax, "python": _python, "javascript": _script, "c": _c,
    "onnx": _onnx, "sympy": _sympy,
}  # fmt: skip
"""Every format by name."""

ENDINGS: Final = {".js": "javascript", ".mjs": "javascript", ".c": "c", ".onnx": "onnx"}
