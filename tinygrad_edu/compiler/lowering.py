"""From recorded Values to a `Code`: composite rows become primitives, and nothing is twice.

One walk over the nodes, oldest first. A row that has ``lower`` is one instruction. Any other
row's ``value`` is itself an expression of rows: it is run once on symbols, and what they write
down, a *template*, is pasted wherever the row was recorded.

On the way three things are saved, and none of them changes a bit of a result:

- constant folding: an instruction whose arguments are all constants is computed here, by the
  row itself;
- common subexpressions: the same instruction with the same arguments is one slot;
- what changes nothing: x × 1, x ÷ 1, x − 0, −(−x). Neither x + 0 (−0 + 0 is 0) nor x × 0
  (inf × 0 is nan) nor x − x is among them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import Any, NamedTuple

from ..errors import NotTraceable
from ..ops import Op, number
from ..value import Number, Value
from .code import PRIMITIVES, Code

__all__ = ["Flat", "flatten"]

_by_serial = attrgetter("_serial")


class Flat(NamedTuple):
    """A graph as a program, and what of the graph the program still needs.

    Attributes:
        code: the program. Its shared numbers are those that were asked for, and then those of
            the captured leaves.
        captured: leaves that are neither inputs nor shared; whoever runs the program reads
            their numbers each time.
        nodes: the slot of every node of the graph, oldest first.
    """

    code: Code
    captured: tuple[Value, ...]
    nodes: dict[Value, int]


def flatten(
    inputs: Sequence[Value],
    shared: Sequence[Value] = (),
    *,
    each: Sequence[Number] = (),
    total: Sequence[Number] = (),
    once: Sequence[Number] = (),
) -> Flat:
    """The expressions of ``each``, ``total`` and ``once`` as one program.

    Args:
        inputs: the Values whose numbers differ from lane to lane. They need not be leaves:
            the walk goes no further.
        shared: the Values whose numbers all lanes have in common.
        each, total, once: the results wanted, as `Code` names them.

    Raises:
        NotTraceable: if an operation was recorded that only Python can compute.

    >>> x, w = Value(3.0), Value(2.0)
    >>> flatten([x], [w], total=[(w * x + 1.0).relu()]).code
    Code(inputs=1, shared=1, constants=(1.0,), ops=('mul', 'add', 'relu'),
         args=((1, 0), (3, 2), (4,)), each=(), total=(5,), once=())
    """
    roots = [*each, *total, *once]
    values = [root for root in roots if isinstance(root, Value)]
    leaves, interior, floats = _reachable(values, [*inputs, *shared])
    writer = _Writer(len(inputs) + len(shared) + len(leaves))
    composites = {(node.op, len(node.args)) for node in interior if node.op.lower is None}
    writer.reserve(floats)
    for op, count in sorted(composites, key=lambda pair: (pair[0].name, pair[1])):
        writer.reserve(template(op, count).constants())
    writer.reserve([number(x) for x in roots if not isinstance(x, Value)])
    place = {value: slot for slot, value in enumerate([*inputs, *shared, *leaves])}
    writer.write(interior, place)

    def slots(wanted: Sequence[Number]) -> tuple[int, ...]:
        return tuple(
            place[x] if isinstance(x, Value) else writer.constant(number(x)) for x in wanted
        )

    code, moved = writer.finished(
        len(inputs), len(shared) + len(leaves), slots(each), slots(total), slots(once)
    )
    if moved is not None:
        place = {value: moved[slot] for value, slot in place.items() if slot in moved}
    return Flat(code, tuple(leaves), place)


def _reachable(
    roots: Sequence[Value], known: Sequence[Value]
) -> tuple[list[Value], list[Value], list[float]]:
    """What the roots were made from, down to the known Values: the leaves and the interior
    nodes, oldest first, and the plain numbers among their arguments."""
    leaves: list[Value] = []
    floats: list[float] = []
    seen = set(known)
    nodes = [root for root in dict.fromkeys(roots) if root not in seen]
    seen.update(nodes)
    for node in nodes:  # which grows while it is read
        if node.op is None:
            leaves.append(node)
            continue
        for arg in node.args:
            if type(arg) is float:
                floats.append(arg)
            elif arg not in seen:
                seen.add(arg)
                nodes.append(arg)
    leaves.sort(key=_by_serial)
    return leaves, sorted((v for v in nodes if v.op is not None), key=_by_serial), floats


class _Writer:
    """The instructions so far, and the tables that keep anything from being there twice.

    Constants that are known before the first instruction have their final slots; one that is
    only found by folding is numbered −1, −2, ... until the end.
    """

    def __init__(self, first: int) -> None:
        self.fixed = first  # the slot of the first constant
        self.constants: list[float] = []
        self.slot_of: dict[Any, int] = {}  # of a constant
        self.late: list[float] = []
        self.ops: list[str] = []
        self.args: list[tuple[int, ...]] = []
        self.known: dict[str, dict[tuple[int, ...], int]] = {name: {} for name in PRIMITIVES}
        self.folded = False  # whether some node turned out to be a constant
        self.orphans = False  # whether an instruction may have lost its only reader

    def reserve(self, floats: Iterable[float]) -> None:
        for x in floats:
            key = _bits(x)
            if key not in self.slot_of:
                self.slot_of[key] = self.fixed + len(self.constants)
                self.constants.append(x)
        self.first = self.fixed + len(self.constants)

    def constant(self, x: float) -> int:
        """The slot of a constant."""
        key = _bits(x)
        slot = self.slot_of.get(key)
        if slot is None:
            self.late.append(x)
            slot = self.slot_of[key] = -len(self.late)
        return slot

    def number(self, slot: int) -> float | None:
        """The constant in a slot, None if it holds something else."""
        if slot < 0:
            return self.late[-1 - slot]
        return self.constants[slot - self.fixed] if self.fixed <= slot < self.first else None

    def write(self, nodes: Sequence[Value], place: dict[Value, int]) -> None:
        """One instruction per node, or none where it is known already.

        A tight loop for what most nodes are: primitives of Values. `emit` does all the rest.
        """
        ops, instructions, slot = self.ops, self.args, self.first
        known = {name: self.known[name] for name in _PLAIN}
        for node in nodes:
            op = node.op
            assert op is not None
            lower, operands = op.lower, node.args
            table = None if self.folded else known.get(lower)  # type: ignore[arg-type]
            if table is None:
                args = None
            elif len(operands) == 2:
                a, b = operands
                args = None if type(a) is float or type(b) is float else (place[a], place[b])
            elif float in map(type, operands) or (lower == "sum" and len(operands) == 1):
                args = None
            else:
                args = tuple([place[arg] for arg in operands])
            if args is None:
                places = [self.constant(x) if type(x) is float else place[x] for x in operands]
                place[node] = self.apply(op, tuple(places))
                slot = self.first + len(ops)
                continue
            place[node] = found = table.setdefault(args, slot)  # type: ignore[union-attr]
            if found == slot:
                ops.append(lower)  # type: ignore[arg-type]
                instructions.append(args)
                slot += 1

    def apply(self, op: Op, args: tuple[int, ...]) -> int:
        """The slot of a row's result."""
        if op.lower is None:
            return self.paste(template(op, len(args)), args)
        return self.emit(op.lower, args)

    def emit(self, lower: str, args: tuple[int, ...]) -> int:
        """The slot of one instruction's result, which is written unless it is known."""
        numbers = [self.number(arg) for arg in args]
        if None not in numbers:
            self.folded = True
            return self.constant(number(PRIMITIVES[lower].compute(*numbers)))  # type: ignore[arg-type]
        if lower == "identity" or (lower == "sum" and len(args) == 1):
            return args[0]
        if lower == "sum" and len(args) == 2:
            lower = "add"
        if lower in _NEUTRAL:
            for position, neutral in _NEUTRAL[lower]:
                if _bits(numbers[position]) == neutral:
                    return args[1 - position]
        if lower == "neg" and args[0] >= self.first and self.ops[args[0] - self.first] == "neg":
            self.orphans = True
            return self.args[args[0] - self.first][0]
        if lower not in self.known:
            raise NotTraceable(
                f"No executor knows the primitive {lower!r} that a row names as its lower. "
                f"Known: {', '.join(PRIMITIVES)}. Give the row opaque=False instead, and a "
                f"value made of rows."
            )
        slot = self.first + len(self.ops)
        found = self.known[lower].setdefault(args, slot)
        if found == slot:
            self.ops.append(lower)
            self.args.append(args)
        return found

    def paste(self, template: Template, args: tuple[int, ...]) -> int:
        """The slot of a composite row's result, its template filled with these arguments."""
        slots = list(args)
        for lower, places in template.steps:
            slots.append(
                self.emit(
                    lower,
                    tuple([slots[p] if type(p) is int else self.constant(p) for p in places]),
                )
            )
        out = template.out
        return slots[out] if type(out) is int else self.constant(out)

    def finished(
        self,
        inputs: int,
        shared: int,
        each: tuple[int, ...],
        total: tuple[int, ...],
        once: tuple[int, ...],
    ) -> tuple[Code, dict[int, int] | None]:
        """The program, and where its slots went if they had to be numbered anew."""
        if not self.late and not self.orphans:
            code = Code(
                inputs, shared, tuple(self.constants), tuple(self.ops), tuple(self.args),
                each, total, once,
            )  # fmt: skip
            return code, None
        return self._compacted(inputs, shared, each, total, once)

    def _compacted(
        self,
        inputs: int,
        shared: int,
        each: tuple[int, ...],
        total: tuple[int, ...],
        once: tuple[int, ...],
    ) -> tuple[Code, dict[int, int]]:
        """Without the instructions and constants that nothing wanted depends on."""
        live = {*each, *total, *once}
        for i in range(len(self.ops) - 1, -1, -1):
            if self.first + i in live:
                live.update(self.args[i])
        moved = {slot: slot for slot in range(self.fixed)}
        constants = []
        for slot in (*range(self.fixed, self.first), *range(-1, -1 - len(self.late), -1)):
            if slot in live:
                moved[slot] = self.fixed + len(constants)
                constants.append(self.number(slot))
        kept = [i for i in range(len(self.ops)) if self.first + i in live]
        start = self.fixed + len(constants)
        moved.update((self.first + i, start + new) for new, i in enumerate(kept))
        code = Code(
            inputs,
            shared,
            tuple(constants),  # type: ignore[arg-type]
            tuple(self.ops[i] for i in kept),
            tuple(tuple(moved[slot] for slot in self.args[i]) for i in kept),
            *(tuple(moved[slot] for slot in slots) for slots in (each, total, once)),
        )
        return code, moved


# Primitives that nothing is simplified about, as long as no argument is a constant.
_PLAIN = tuple(name for name in PRIMITIVES if name not in ("identity", "neg"))

# The operand that leaves the other one as it is, to the last bit: (its position, its bits).
_NEUTRAL: dict[str, list[tuple[int, Any]]] = {
    "mul": [(1, 1.0), (0, 1.0)],
    "div": [(1, 1.0)],
    "sub": [(1, "0.0")],
    "add": [(1, "-0.0"), (0, "-0.0")],
}


def _bits(x: float | None) -> Any:
    """A key that keeps apart what == does not (0.0 and −0.0), and together what it does (nan)."""
    return x if x is None or (x == x and x != 0.0) else repr(x)


# ── Composite rows ────────────────────────────────────────────────────────────────────────


class Template(NamedTuple):
    """A composite row, written out in primitives.

    Attributes:
        steps: per instruction the primitive and its arguments: a float, or a place that counts
            the row's arguments first and then the steps.
        out: the place of the result, or a float.
    """

    steps: tuple[tuple[str, tuple[int | float, ...]], ...]
    out: int | float

    def constants(self) -> list[float]:
        """The plain numbers in it."""
        places = [place for _, args in self.steps for place in args]
        return [x for x in (*places, self.out) if type(x) is float]


class _Symbol:
    """A number that is a place in a template; what is done with it is written down there."""

    __slots__ = ("place", "steps", "whose")

    def __init__(self, place: int, steps: list[tuple[str, tuple[Any, ...]]], whose: int) -> None:
        self.place, self.steps, self.whose = place, steps, whose

    @staticmethod
    def interpret(op: Op, args: Sequence[Any]) -> Any:
        """What a row makes of arguments of which one is a symbol (see `ops.Op`)."""
        if op.opaque:
            raise _opaque(op)
        if op.lower is None:
            return op.value(*args)
        symbol = next(arg for arg in args if isinstance(arg, _Symbol))
        places = tuple(arg.place if isinstance(arg, _Symbol) else number(arg) for arg in args)
        symbol.steps.append((op.lower, places))
        return _Symbol(symbol.whose + len(symbol.steps) - 1, symbol.steps, symbol.whose)


def _operator(name: str) -> tuple[Any, Any]:
    row = PRIMITIVES[name]
    return (
        lambda self, other: _Symbol.interpret(row, (self, other)),
        lambda self, other: _Symbol.interpret(row, (other, self)),
    )


for _name, _row in {
    "add": "add",
    "sub": "sub",
    "mul": "mul",
    "truediv": "div",
    "pow": "pow",
}.items():
    _forward, _reflected = _operator(_row)
    setattr(_Symbol, f"__{_name}__", _forward)
    setattr(_Symbol, f"__r{_name}__", _reflected)
for _name in ("neg", "abs"):
    setattr(_Symbol, f"__{_name}__", lambda x, row=PRIMITIVES[_name]: _Symbol.interpret(row, (x,)))


_templates: dict[tuple[Op, int], Template] = {}


def template(op: Op, count: int) -> Template:
    """The primitives of a composite row of so many arguments, found once.

    >>> from tinygrad_edu import ops
    >>> template(ops.softsign, 1).steps
    (('abs', (0,)), ('add', (1.0, 1)), ('div', (0, 2)))
    """
    made = _templates.get((op, count))
    if made is None:
        if op.opaque:
            raise _opaque(op)
        steps: list[tuple[str, tuple[Any, ...]]] = []
        try:
            out = op.value(*(_Symbol(place, steps, count) for place in range(count)))
            result = out.place if isinstance(out, _Symbol) else number(out)
        except (TypeError, ValueError) as error:
            raise NotTraceable(
                f"The value of the row {op.name!r} is no expression of rows: {error} Write it "
                f"with tg.exp and tg.where, without math.exp and if; or leave opaque=True."
            ) from error
        made = _templates[op, count] = Template(tuple(steps), result)
    return made


def _opaque(op: Op) -> NotTraceable:
    return NotTraceable(
        f"The row {op.name!r} computes on floats in Python only, so it can't be compiled. Make "
        f"its value of rows (tg.exp(x) for math.exp(x), tg.where for an if) and pass "
        f"opaque=False to tg.op, or use it without tg.jit and tg.compile."
    )
