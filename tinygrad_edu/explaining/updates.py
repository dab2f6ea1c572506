"""One step of an optimiser explained: the rule as a formula, with symbols and with numbers.

An optimiser's own `update` is run on Terms, so a user-defined rule is explained like any other.
"""

from __future__ import annotations

from copy import copy
from itertools import groupby
from typing import Any, Final

from ..core.value import Value
from ..errors import BadArgument
from ..strings import short
from .document import Block, Explanation, Formula, Prose, Table, Title
from .notation import Math, derivative, equal, numeral, tex_name
from .simplifying import parts
from .symbols import Term, close

# The symbols of settings in papers.
_GREEK: Final = {
    "momentum": "μ", "beta_1": "β₁", "beta_2": "β₂", "beta": "β", "epsilon": "ε", "rho": "ρ",
    "weight_decay": "λ", "l1_regularization_strength": "l₁", "l2_regularization_strength": "l₂",
    "l2_shrinkage_regularization_strength": "s", "learning_rate_power": "p",
}  # fmt: skip


def explain_update(optimizer: Any, w: Value) -> Explanation:
    """Explain how the next step of an optimiser changes one parameter, in symbols and in numbers.

    The rule's own ``update`` is traced, so user-defined rules are explained too; a rule that can't
    be traced (because it calls `math.sqrt`, say) is shown in numbers only. Nothing changes.

    Args:
        optimizer: an `nn.Optimizer` with parameters, after ``backward()``.
        w: one of the parameters.

    Raises:
        BadArgument: if ``w`` is not one of its parameters, or ``optimizer`` is not an optimiser.

    >>> from tinygrad_edu import nn
    >>> w = Value(1.0, name="w")
    >>> (w * w).backward()
    >>> print(explain_update(nn.SGD([w], 0.1), w))
    Step 1 of SGD: w from 1 to 0.8
    ──────────────────────────────
    <BLANKLINE>
      g = dL/dw = 2
      mₜ = −α·g
         = −0.1·2
         = -0.2
      new w = w + mₜ
            = 1 + (-0.2)
            = 0.8
    <BLANKLINE>
    w moves by -0.2, against its gradient.
    """
    if not isinstance(w, Value):
        raise BadArgument(f"w must be a Value. Received: {w!r}.")
    if not hasattr(optimizer, "update_of"):
        raise BadArgument(
            f"An optimizer is needed, such as nn.SGD(parameters). Received: {optimizer!r}."
        )
    numbers = optimizer.update_of(w)
    name = short(w.name or "w").strip() or "w"
    weight = Math(name, tex_name(name))
    rule, step = type(optimizer).__name__, optimizer.iterations + 1
    blocks: list[Block] = [
        Title((f"Step {step} of {rule}: ", weight, " from ", numeral(numbers.before), " to ",
               numeral(numbers.after))),
    ]  # fmt: skip
    terms = _traced(optimizer, w, numbers, weight)
    lines = None if terms is None else _lines(optimizer, numbers, weight, terms)
    if lines is None:
        rows = [
            ("before", numeral(numbers.before)),
            ("gradient", numeral(numbers.gradient)),
            ("clipped gradient", numeral(numbers.clipped)),
            ("learning rate", numeral(numbers.learning_rate)),
            ("after weight decay", numeral(numbers.decayed)),
            *((key, numeral(x)) for key, x in numbers.memory.items()),
            ("after", numeral(numbers.after)),
        ]
        blocks += [
            Prose(("The rule can't be written as a formula; these are its numbers.",)),
            Table("lr", ("", "number"), tuple(rows)),
        ]
    else:
        blocks.append(Formula(tuple(tuple(side for side, _ in groupby(line)) for line in lines)))
    moved = numbers.after - numbers.before
    if moved and numbers.gradient:
        way = "against" if (moved < 0.0) == (numbers.gradient > 0.0) else "along"
        blocks.append(Prose((weight, " moves by ", numeral(moved), f", {way} its gradient.")))
    data = {
        "kind": "update",
        "optimizer": repr(optimizer),
        "rule": rule,
        "step": step,
        "by": {"name": w.name},
        **numbers._asdict(),
        "memory": dict(numbers.memory),
        "formulas": None if lines is None else [
            {"left": line[0].text, "formula": line[1].text, "latex": line[1].tex}
            for line in lines
        ],
    }  # fmt: skip
    return Explanation(blocks, data)


def _traced(optimizer: Any, w: Value, numbers: Any, weight: Math) -> dict[str, Term] | None:
    """The rule's memory, and "after", as formulas; None if it can't be traced."""
    settings = optimizer.settings()
    decayed = _new(weight, "decayed") if settings.get("weight_decay") else weight
    rate, t = _symbol("α", numbers.learning_rate), _symbol("t", float(optimizer.iterations + 1))
    (memory,) = [m for p, m in zip(optimizer.parameters, optimizer.memory) if p is w]
    old = {key: Term.named(_at(key, "ₜ₋₁", "t-1"), x) for key, x in memory.items()}
    rule = copy(optimizer)
    for key, x in settings.items():
        if type(x) is float and x != 0.0:  # bypasses the rule's own checks, which require floats
            object.__setattr__(rule, key, _symbol(_GREEK.get(key, key), x))
    try:
        g = _symbol("g", numbers.clipped)
        after, new = rule.update(Term.named(decayed, numbers.decayed), g, rate, t, old)
    except Exception:  # a user-defined rule may only work with floats
        return None
    terms = {
        key: term if isinstance(term, Term) else Term.number(term)
        for key, term in {**new, "after": after}.items()
    }
    wanted = {**numbers.memory, "after": numbers.after}
    if not all(close(term.values[0], wanted[key]) for key, term in terms.items()):
        return None  # it used numbers in a way that a formula can't show
    return terms


def _lines(optimizer: Any, numbers: Any, weight: Math, terms: dict[str, Term]) -> list[list[Math]]:
    """The rule's formulas: left side, symbols, numbers, result."""
    lines, decay = [_gradient(weight, numbers)], optimizer.settings().get("weight_decay")
    if decay:
        before, by = Term.named(weight, numbers.before), _symbol("λ", decay)
        rate = _symbol("α", numbers.learning_rate)
        lines.append(_line(_new(weight, "decayed"), before - before * by * rate, {}))
    names: dict[int, Math] = {}  # of the terms that have a line of their own
    for key, term in terms.items():
        left = _new(weight, "new") if key == "after" else _at(key, "ₜ", "t")
        lines.append(_line(left, term, names))
        if term.op is not None:
            names[id(term)] = left
    return lines


def _at(key: str, text: str, tex: str) -> Math:
    """The rule's memory under a name, at a step."""
    return Math(f"{short(key)}{text}", f"{{{tex_name(key)}}}_{{{tex}}}")


def _symbol(name: str, x: float) -> Term:
    return Term.named(Math(name, tex_name(name)), x)


def _new(weight: Math, what: str) -> Math:
    return Math(f"{what} {weight.text}", rf"{{{weight.tex}}}^{{\mathrm{{{what}}}}}")


def _gradient(weight: Math, numbers: Any) -> list[Math]:
    g, slope, raw = Math("g", "g"), derivative(Math("L", "L"), weight), numeral(numbers.gradient)
    if numbers.clipped == numbers.gradient or numbers.clipped != numbers.clipped:
        return [equal(g, slope), raw]
    clipped = [Math(f"{x.text}, clipped", rf"\text{{clipped }}\,{x.tex}") for x in (slope, raw)]
    return [g, *clipped, numeral(numbers.clipped)]


def _line(left: Math, term: Term, names: dict[int, Math]) -> list[Math]:
    numbers = {id(t): numeral(t.values[0]) for t in parts(term) if id(t) in names}
    return [left, term.math(names), term.math(numbers, numbers=True), numeral(term.values[0])]
