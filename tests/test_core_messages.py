"""Every error of the core, word for word: what happened, what was received, what to do."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import Any

import pytest

import tinygrad_edu as tg
from tinygrad_edu import Value
from tinygrad_edu.errors import (
    BadArgument,
    GraphError,
    NameUnknown,
    NotANumber,
    StaleGraph,
    TracingError,
)


def leaf(**rest: Any) -> Value:
    return Value(2.0, **rest)


def set_data(x: Value, data: Any) -> None:
    x.data = data


def set_grad(x: Value, grad: Any) -> None:
    x.grad = grad


def set_role(x: Value, role: Any) -> None:
    x.role = role


def changed_after(named: bool) -> None:
    """Differentiate a graph of which a leaf has changed."""
    x = leaf(name="rate") if named else leaf()
    y = x * 3.0
    if named:
        y.name = "loss"
    x.data = 5.0
    y.backward()


MESSAGES: list[tuple[Callable[[], Any], type[Exception], str]] = [
    # ── Calling rows ──
    (lambda: tg.sum(1.0, 2.0), NotANumber,
     "sum takes one iterable of numbers. Received: 1.0, 2.0. Write sum([a, b, c])."),
    (lambda: tg.norm(), NotANumber,
     "norm takes one iterable of numbers. Received: nothing. Write norm([a, b, c])."),
    (lambda: tg.sum([1.0], start=2.0), NotANumber,
     "sum takes one iterable of numbers. Received: [1.0]. Write sum([a, b, c])."),
    (lambda: tg.add(1.0), TypeError, "add(x, y) got 1 arguments."),
    (lambda: tg.add(1.0, 2.0, 3.0), TypeError, "add(x, y) got 3 arguments."),
    (lambda: tg.elu(1.0, beta=2.0, gamma=1.0), TypeError,
     "elu(x, alpha) got 1 arguments and beta, gamma."),
    (lambda: tg.elu(1.0, 2.0, alpha=2.0), TypeError, "elu(x, alpha) got 2 arguments and alpha."),
    # ── Values ──
    (lambda: set_data(leaf() * 3.0, "four"), GraphError,
     "The data of an interior node is the result of mul; only leaves can be set. Received: "
     "'four'. Change a leaf and compute again."),
    (lambda: Value(1.0, name=3), NotANumber, "A name must be a string. Received: 3."),
    (lambda: Value(1.0, role="weight"), NameUnknown,
     "Unknown role. Received: 'weight'. Known: constant, input, parameter, target."),
    (lambda: set_role(leaf(), "inputs"), NameUnknown,
     "Unknown role. Received: 'inputs'. Did you mean 'input'? "
     "Known: constant, input, parameter, target."),
    (lambda: copy.deepcopy(leaf() * 3.0), GraphError,
     "Recorded graphs are not copied or pickled, only leaves and Modules are. Received: the "
     "result of mul. Use v.detach() for a leaf with its number, or tg.replay(v) to record the "
     "expression again."),
    (lambda: tg.backward([leaf(), leaf()], [1.0]), BadArgument,
     "backward needs one seed per root. Received: 2 roots, 1 seeds."),
    (lambda: tg.backward([leaf(), 3.0]), NotANumber,
     "The roots of backward must be Values. Received: 3.0."),
    (lambda: tg.zero_grad([leaf(), 3.0]), NotANumber, "zero_grad takes Values. Received: 3.0."),
    # ── Walks ──
    (lambda: changed_after(named=False), StaleGraph,
     "the leaf was changed after the result of mul was computed from it, so the recorded graph "
     "no longer fits its numbers. It is 5.0 now. Compute the result again, or use "
     "tg.replay(result), then differentiate that."),
    (lambda: changed_after(named=True), StaleGraph,
     "the leaf 'rate' was changed after the result of mul 'loss' was computed from it, so the "
     "recorded graph no longer fits its numbers. It is 5.0 now. Compute the result again, or "
     "use tg.replay(result), then differentiate that."),
    # ── Blocks ──
    (lambda: tg.scope(""), BadArgument,
     "A scope needs a name, a non-empty string. Received: ''."),
    (lambda: tg.scope(3), BadArgument, "A scope needs a name, a non-empty string. Received: 3."),
    # ── Operators ──
    (lambda: leaf() + "1", NotANumber, "A real number is needed. Received: '1' (of type str)."),
    *[
        (lambda convert=convert, kind=kind: convert(leaf(name="w")), TypeError,
         f"{kind}() of a Value would lose its graph. Take the number with v.data, or stay in the "
         f"graph: tg.sin(v) instead of math.sin(v), tg.where(cond, a, b) instead of an if. "
         f"Received: Value(data=2.0, grad=0.0, name='w').")
        for kind, convert in {"float": float, "int": int, "bool": bool,
                              "trunc": math.trunc}.items()
    ],
    (lambda: round(leaf(), 2), BadArgument,
     "round(v) rounds a Value to a whole number; digits can't be given. Received: 2. To show "
     "fewer digits write f'{v:.2f}'."),
    # ── Derivatives ──
    (lambda: tg.gradients(3.0, [leaf()]), NotANumber, "gradients needs Values. Received: 3.0."),
    (lambda: tg.gradients(leaf(), [3.0]), NotANumber, "gradients needs Values. Received: 3.0."),
    (lambda: tg.grad(3.0)(1.0), NotANumber, "A function is needed. Received: 3.0."),
    (lambda: tg.grad(lambda x: [x * 2.0, 1.0])(1.0), BadArgument,
     "grad needs a function that returns one number. Received: one that returns "
     "[Value(data=2.0, grad=0.0), 1.0]. Use tg.jacobian for several."),
    (lambda: tg.grad(lambda x: [x * 2.0])(1.0), BadArgument,
     "grad needs a function that returns one number. Received: one that returns "
     "[Value(data=2.0, grad=0.0)]. Use tg.jacobian for several."),
    (lambda: tg.grad(lambda x: [])(1.0), BadArgument,
     "grad needs a function that returns one number. Received: one that returns []. Use "
     "tg.jacobian for several."),
    (lambda: tg.hvp(lambda x: [x, 2.0], (1.0,), (1.0,)), BadArgument,
     "a second derivative needs a function that returns one number. Received: one that returns "
     "[Value(data=1.0, grad=0.0), 2.0]. Use tg.jacobian for several."),
    (lambda: tg.vjp(lambda x: [x, x], 1.0)[1]([1.0]), BadArgument,
     "The cotangent must have the structure and shape of the result. A list of 2 is needed at "
     "cotangent. Received: [1.0]."),
    (lambda: tg.jvp(lambda x: x, [1.0], (1.0, 2.0)), BadArgument,
     "The tangents must have the structure and shape of the primals. A tuple of 1 is needed at "
     "tangents. Received: (1.0, 2.0)."),
    (lambda: tg.hvp(lambda x: x, [1.0], (1.0, 2.0)), BadArgument,
     "The vector must have the structure and shape of the primals. A tuple of 1 is needed at "
     "vector. Received: (1.0, 2.0)."),
]  # fmt: skip


@pytest.mark.parametrize(("action", "kind", "message"), MESSAGES,
                         ids=lambda x: x[:40] if isinstance(x, str) else "")  # fmt: skip
def test_its_words(action, kind, message):
    with pytest.raises(kind) as caught:
        action()
    assert str(caught.value) == message


# ── Reading a number while a function is traced ───────────────────────────────────────────

READING: list[tuple[str, Callable[[Value], Any]]] = [
    ("The data of a Value was read", lambda v: v.data),
    ("The data of a Value was set", lambda v: set_data(v, 1.0)),
    ("The grad of a Value was read", lambda v: v.grad),
    ("The grad of a Value was set", lambda v: set_grad(v, 1.0)),
    ("backward() was called (tg.grad(f) can be compiled)", lambda v: v.backward()),
    ("The number of a Value was formatted", lambda v: f"{v:.2f}"),
    ("A Value was copied", copy.copy),
    ("float() of a Value was asked for", float),
    ("int() of a Value was asked for", int),
    ("bool() of a Value was asked for", bool),
    ("trunc() of a Value was asked for", math.trunc),
    ("round() of a Value to some digits was asked for", lambda v: round(v, 2)),
]


@pytest.mark.parametrize("captured", [True, False])
@pytest.mark.parametrize(("words", "read"), READING, ids=[words for words, _ in READING])
def test_a_number_is_not_read_while_a_function_is_traced(words, read, captured):
    outer = leaf()

    def f(x: Value) -> Value:
        read(outer if captured else x)
        return x * outer

    with pytest.raises(TracingError) as caught:
        tg.jit(f)(1.0)
    assert str(caught.value).startswith(
        f"{words} while a function is traced for compilation: the program would keep the number "
        f"of this one call. Write conditions with tg.where(cond, a, b), stay in the graph "
        f"(tg.sin(v), v * 2.0), or make the argument static: tg.jit(f, static_argnums=...). "
        f'File "{__file__}", line '
    )
    assert (outer.data, outer.grad) == (2.0, 0.0)
