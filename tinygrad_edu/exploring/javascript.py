"""The table as JavaScript: each row's value and partials, one line for each primitive.

So the page computes with exactly the expressions of the rows. Primitives that need more than one
line are functions in script/arithmetic.js.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from math import isinf, isnan
from typing import Any

from ..compiler.code import SPELLED
from ..compiler.templates import Template, partials_template, row_template, traced
from ..core import ops
from ..core.table import Op
from ..errors import NotTraceable
from ..nn.optimizers import CLIPS, SGD


def literal(x: float) -> str:
    """A number in JavaScript, to the last bit.

    >>> literal(0.1), literal(float("-inf")), literal(float("nan"))
    ('0.1', '-Infinity', 'NaN')
    """
    if isnan(x):
        return "NaN"
    return ("-" if x < 0 else "") + "Infinity" if isinf(x) else repr(float(x))


def function(template: Template, names: Sequence[str]) -> tuple[str, list[str]]:
    """The body of a JavaScript function that computes a template, and its results.

    Args:
        template: the expression.
        names: the variables that it is applied to.

    >>> from ..core.ops import exp2
    >>> function(row_template(exp2, 1), ["x"])
    ('const t0 = power(2.0, x); ', ['t0'])
    """
    called, variables = [*names], dict[str, str]()

    def text(x: float | None) -> str:
        return "null" if x is None else called[x] if type(x) is int else literal(x)

    for name, args in template.steps:
        texts = list(map(text, args))
        spelling = SPELLED[name].js
        line = spelling.join(texts) if name == "sum" else spelling.format(*texts)
        if name != "identity":
            line = variables.setdefault(line, f"t{len(variables)}")
        called.append(line)
    lines = "".join(f"const {variable} = {line}; " for line, variable in variables.items())
    return lines, list(map(text, template.outs))


def row(op: Op, count: int) -> str:
    """One row, applied to ``count`` arguments, as a JavaScript object.

    ``value`` is a function of the arguments, ``partials`` of the result and the arguments; it
    returns one number per argument, or null where no gradient ever flows.

    Raises:
        NotTraceable: if only Python can run it.

    >>> from ..core.ops import mul
    >>> print(row(mul, 2))
    {value: (x0, x1) => { const t0 = x0 * x1; return t0; },
     partials: (out, x0, x1) => { return [x1, x0]; }}
    """
    names = [f"x{i}" for i in range(count)]
    lines, (value,) = function(row_template(op, count), names)
    slope_lines, slopes = function(partials_template(op, (True,) * count, None), ["out", *names])
    of = ", ".join(names)
    return (
        f"{{value: ({of}) => {{ {lines}return {value}; }},\n"
        f" partials: ({', '.join(['out', *names])}) => "
        f"{{ {slope_lines}return [{', '.join(slopes)}]; }}}}"
    )


def key(op: Op, count: int) -> str:
    """The page's name for a row: its name, and for an n-ary row its number of arguments."""
    return op.name if op.arity is not None else f"{op.name}/{count}"


def rows(applied: Iterable[tuple[Op, int]]) -> tuple[str, list[str]]:
    """Every row that a graph uses, as one JavaScript object, and the names of those that can't be
    written, in order.

    >>> from ..core.ops import neg
    >>> print(rows([(neg, 1)])[0])
    {
    "neg": {value: (x0) => { const t0 = -x0; return t0; },
     partials: (out, x0) => { return [-1.0]; }}
    }
    """
    written: dict[str, str] = {}
    opaque: dict[str, None] = {}
    for op, count in applied:
        name = key(op, count)
        if name in written or op.name in opaque:
            continue
        try:
            written[name] = f"{json.dumps(name)}: {row(op, count)}"
        except NotTraceable:
            opaque[op.name] = None
    return "{\n" + ",\n".join(written.values()) + "\n}", list(opaque)


def rule(optimizer: Any) -> str | None:
    """An optimiser's rule as a JavaScript object: its memory before the first step, and a step of
    one parameter. None for plain gradient descent, and if it can't be written.

    >>> from ..nn import SGD
    >>> print(rule(SGD(0.1, momentum=0.5)).partition("const t1")[0])
    {start: [0.0], step: (w, g, rate, t, x0) => { const t0 = 0.5 * x0;
    >>> rule(SGD(0.1)) is None
    True
    """
    if optimizer is None or is_plain(optimizer) or any(getattr(optimizer, c) for c in CLIPS):
        return None
    start = optimizer.start()

    def step(w: Any, g: Any, rate: Any, t: Any, *memory: Any) -> list[Any]:
        new = optimizer.applied_to(w, g, g, rate, t, dict(zip(start, memory)))
        return [new.after, *(new.memory[key] for key in start)]

    try:
        names = ["w", "g", "rate", "t", *(f"x{i}" for i in range(len(start)))]
        lines, results = function(traced(ops.sub, step, len(names)), names)
    except Exception:  # a user-defined rule may only work with floats
        return None
    start_text = ", ".join(map(literal, start.values()))
    return (
        f"{{start: [{start_text}], step: ({', '.join(names)}) => "
        f"{{ {lines}return [{', '.join(results)}]; }}}}"
    )


def is_plain(optimizer: Any) -> bool:
    """Whether an optimiser's step is w − α · g, as that of SGD without momentum."""
    settings = optimizer.settings()
    return type(optimizer) is SGD and not any(
        settings[name] for name in settings if name not in ("learning_rate", "name")
    )


def optimizer_data(optimizer: Any) -> dict[str, Any]:
    """The name of the optimiser that trained a model, whether its steps are those of plain gradient
    descent, and whether a schedule changed its learning rate."""
    name = "" if optimizer is None else type(optimizer).__name__
    return {
        "optimizer": name,
        "plain": optimizer is None or is_plain(optimizer),
        "scheduled": optimizer is not None and callable(optimizer.learning_rate),
    }
