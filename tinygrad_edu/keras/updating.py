"""The optimiser's step as a program: its rule is recorded for one weight and stands in the
program once for each.

    weights, memory, Σ gradients, rate ──the optimiser's rule──▶ new ones
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import chain
from typing import Any, NamedTuple

from ..compiler import Code
from ..compiler.traced import Trace
from ..core.modes import refuse_while_tracing
from ..core.value import Value
from ..errors import NotTraceable
from ..nn.optimizers import Optimizer
from .recording import Share, flattened, with_penalties

_STEPPING = ("step", "updates", "applied", "applied_to", "_clip", "_never_raising")


class Sums(NamedTuple):
    """The numbers that the step gives to the update, beside the gradients."""

    shares: Sequence[Share]  # whose sum is the loss
    apart: Sequence[Share]  # the losses of several outputs, which are passed on
    noted: int  # the weights and the metrics, which are passed on too
    penalties: int
    pulled: list[int]  # which weights have penalties


class Update:
    """The rule of an optimiser, recorded.

    Args:
        optimizer: bound to its weights.
        trace: in which it is recorded.

    Raises:
        NotTraceable: if it has a step of its own, or its rule reads what only it can know.
    """

    def __init__(self, optimizer: Optimizer, trace: Trace) -> None:
        self.optimizer, self.trace, self.names = optimizer, trace, list(optimizer.start())
        kind = type(optimizer)
        if any(getattr(kind, name) is not getattr(Optimizer, name) for name in _STEPPING):
            raise NotTraceable(
                f"{kind.__name__} has a step of its own. Write the rule as "
                f"update(self, w, g, rate, t, old), and it can be compiled."
            )
        w, g, rate, t = _fresh(4)
        old = dict(zip(self.names, _fresh(len(self.names))))
        with trace:
            update = _guarded(optimizer).applied_to(w, g, g, rate, t, old)
        after = [update.after, *(update.memory[name] for name in self.names)]
        self.rule = flattened(trace, [w, g, *old.values()], [rate, t], each=after)
        if self.rule.captured:
            raise NotTraceable(
                "The rule of the optimizer reads a Value that is not one of its arguments. Keep "
                "numbers in its settings, and its state in its memory."
            )

    def program(self, count: int, others: int, sums: Sums) -> Code:
        """One step of the optimiser, given the sums over the batch.

        Args:
            count: how many weights are trained.
            others: how many other numbers the layers read, which stay.
            sums: what the step gives.
        """
        weights, captured, last = _fresh(count), _fresh(others), _fresh(count)
        memory = [dict(zip(self.names, _fresh(len(self.names)))) for _ in range(count)]
        totals, parts = _fresh(len(sums.shares)), _fresh(len(sums.apart))
        noted, slopes = _fresh(sums.noted), [_fresh(count) for _ in sums.shares]
        fines, pulls = _fresh(sums.penalties), _fresh(len(sums.pulled))
        t, rate, n = _fresh(3)
        with self.trace:
            gradients = [
                _sum([share.reduced(x, n, noted) for share, x in zip(sums.shares, each)])
                for each in zip(*slopes)
            ]
            for i, pull in zip(sums.pulled, pulls):
                gradients[i] = gradients[i] + pull
            clipped = self.optimizer._clip(gradients)
            losses = [share.reduced(x, n, noted) for share, x in zip(sums.shares, totals)]
            value = _sum([*losses, *fines])
            apart = [share.reduced(x, n, noted) for share, x in zip(sums.apart, parts)]
        state = [*weights, *captured, *(kept[name] for kept in memory for name in self.names), t]
        shared = [
            *state, *last, *totals, *parts, *noted, *chain(*slopes), *fines, *pulls, rate, n,
        ]  # fmt: skip
        wanted = [*clipped, t + 1.0, *gradients, value, *apart, *noted]
        around = flattened(self.trace, [], shared, once=wanted)
        at = {value: slot for slot, value in enumerate(shared)}
        ends, step = around.code.once[:count], around.code.once[count]
        lanes = [
            [at[w], g, *(at[x] for x in old.values())] for w, g, old in zip(weights, ends, memory)
        ]
        code, moved = unrolled(around.code, self.rule.code, lanes, [at[rate], step])
        once = [
            *(w for w, *_ in moved), *(at[x] for x in captured),
            *(x for _, *kept in moved for x in kept), *code.once[count:],
        ]  # fmt: skip
        return code._replace(once=tuple(once))


def unrolled(
    around: Code, rule: Code, lanes: Sequence[Sequence[int]], shared: Sequence[int]
) -> tuple[Code, list[list[int]]]:
    """A program that is followed by another one for each of its lanes.

    Args:
        around: what comes first.
        rule: what is then done for each lane; what all lanes have in common only once.
        lanes: of each lane, the slots of ``around`` that are the inputs of the rule.
        shared: the slots of ``around`` that are the shared numbers of the rule.

    Returns:
        The whole, and of each lane the slots of what the rule wants in ``each``.

    Two numbers, each times the root of a third:

    >>> rule = Code(1, 1, (), ("sqrt", "mul"), ((1,), (0, 2)), each=(3,))
    >>> whole, results = unrolled(Code(0, 3, (), (), ()), rule, [[0], [1]], [2])
    >>> whole.ops, whole.args, results
    (('sqrt', 'mul', 'mul'), ((2,), (0, 3), (1, 3)), [[4], [5]])
    """
    start, more = around.first, len(rule.constants)
    moved = [*range(start), *range(start + more, around.slots + more)]
    ops, args = list(around.ops), [tuple([moved[x] for x in places]) for places in around.args]
    constants = range(start, start + more)
    varying, common = rule.varying(), dict[int, int]()
    results = []
    for lane in lanes:
        slots = [*(moved[x] for x in (*lane, *shared)), *constants]
        for op, places in zip(rule.ops, rule.args):
            place, new = len(slots), start + more + len(ops)
            slot = new if varying[place] else common.setdefault(place, new)
            if slot == new:
                ops.append(op)
                args.append(tuple([slots[x] for x in places]))
            slots.append(slot)
        results.append([slots[x] for x in rule.each])
    whole = Code(
        around.inputs, around.shared, (*around.constants, *rule.constants), tuple(ops),
        tuple(args), once=tuple([moved[x] for x in around.once]),
    )  # fmt: skip
    return whole, results


def _guarded(optimizer: Optimizer) -> Optimizer:
    """A stand-in while the rule is recorded, which hides the numbers that training changes."""
    kind: Any = type(optimizer)
    guard: Optimizer = object.__new__(_guard(kind))
    vars(guard).update(vars(optimizer))
    return guard


@lru_cache(maxsize=32)
def _guard(kind: type[Optimizer]) -> Any:
    def reading(name: str) -> property:
        remedy = "The arguments of update say it: rate, t (the number of the step) and old."
        return property(lambda _: refuse_while_tracing(f"{kind.__name__}.{name} was read", remedy))

    def setting(_: Any, name: str, value: Any) -> None:
        remedy = "What a rule remembers belongs into the memory that update returns."
        refuse_while_tracing(f"{kind.__name__}.{name} was set", remedy)

    names = ("learning_rate", "rate", "iterations", "memory")
    hiding = {"__setattr__": setting, **{name: reading(name) for name in names}}
    return type(kind.__name__, (kind,), {"__module__": kind.__module__, **hiding})


def _sum(terms: list[Any]) -> Any:
    return with_penalties(terms[0], terms[1:])


def _fresh(count: int) -> list[Value]:
    return [Value(0.5) for _ in range(count)]
