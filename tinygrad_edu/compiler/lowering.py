"""Lowers recorded Values to a `Code`: composite rows become primitives, without duplicates.

One walk over the nodes, oldest first. A row that has ``lower`` is one instruction. Any other
row's ``value`` is itself an expression of rows: it is run once on symbols, which record a
*template* that is inserted wherever the row was recorded. Partials are templates too, and
`Lowering.gradients` inserts them along the reverse sweep `calculus.reverse`.

Three optimisations, none of which changes a bit of a result, are made at the same time:

- constant folding: an instruction whose arguments are all constants is computed here, by the
  row itself;
- common subexpressions: equal instructions with equal arguments share one slot;
- neutral operations are removed: x × 1, x ÷ 1, x − 0, −(−x); and x × −1 is −x. Neither x + 0 (−0 +
  0 is 0) nor x × 0 (inf × 0 is nan) nor x − x is among them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from operator import attrgetter
from typing import Any, NamedTuple

from ..core.calculus import reverse
from ..core.graph import wanted
from ..core.table import Op, number
from ..core.value import Number, Value
from ..errors import NotTraceable
from ..snapshots import uncollected
from .code import PRIMITIVES, Code
from .templates import Template, partials_template, row_template
from .transforms import only

__all__ = ["Flat", "Lowering", "flatten"]

_by_serial = attrgetter("_serial")


class Flat(NamedTuple):
    """A program, and the Values that it captured: the ends of the walk that are neither inputs nor
    shared, most of them leaves. Their numbers follow the shared ones at each
    call."""

    code: Code
    captured: tuple[Value, ...]


class Recording(NamedTuple):
    """A recorded expression as a program, with its leaves: all that `Program` needs, and all that
    a document of JSON holds.

    Attributes:
        code: the program.
        inputs: the names of its inputs.
        parameters, captured: the leaves whose numbers are shared, in this order.
        names, scopes: of slots, for readers.
        backward: the slot where the derivative begins, None if there is none.
        single: the program of a single sample, if it is another one.
        reduce: "mean" or "sum" of the totals.
    """

    code: Code
    inputs: tuple[str | None, ...]
    parameters: tuple[Value, ...]
    captured: tuple[Value, ...]
    names: Mapping[int, str]
    scopes: Mapping[int, str]
    backward: int | None
    single: Code | None = None
    reduce: str = "mean"


# ── Instructions, without duplicates ──────────────────────────────────────────────────────

# Primitives whose result may be in a slot already, whatever the arguments are.
_SAME = ("identity", "neg", "sum")

_SUM, _POW = PRIMITIVES["sum"], PRIMITIVES["pow"]

# Those that are always written, as long as no argument is a constant.
_PLAIN = tuple(name for name in PRIMITIVES if name not in ("identity", "neg"))


def _bits(x: float | None) -> Any:
    """A key that differs for 0.0 and −0.0, and is the same for every nan."""
    return x if x is None or (x == x and x != 0.0) else repr(x)


class _Writer:
    """The instructions of a program so far, and the tables that prevent duplicates.

    The constants that are given at the beginning have their final slots. Later ones are numbered
    −1, −2, ... until the program is finished.
    """

    def __init__(self, inputs: int, shared: int, floats: Iterable[float]) -> None:
        self.inputs, self.shared = inputs, shared
        unique = {_bits(x): x for x in floats}
        self.constants = list(unique.values())
        self.late: list[float] = []
        self.given = inputs + shared
        self.slot_of = {bits: slot for slot, bits in enumerate(unique, self.given)}
        self.first = self.given + len(unique)
        self.fixed = {*range(self.given, self.first)}  # the slots of constants
        self.ops: list[str] = []
        self.args: list[tuple[int, ...]] = []
        self.results: dict[str, dict[tuple[int, ...], int]] = {name: {} for name in PRIMITIVES}
        self.orphans = False  # whether there may be instructions that no result needs

    @property
    def next(self) -> int:
        return self.first + len(self.ops)

    def constant(self, x: float) -> int:
        """The slot of a plain number."""
        x = number(x)
        bits = _bits(x)
        slot = self.slot_of.get(bits)
        if slot is None:
            self.late.append(x)
            slot = self.slot_of[bits] = -len(self.late)
            self.fixed.add(slot)
        return slot

    def number(self, slot: int) -> float | None:
        """The constant in a slot, None if it holds something else."""
        if slot not in self.fixed:
            return None
        return self.late[-1 - slot] if slot < 0 else self.constants[slot - self.given]

    def emit(self, lower: str, args: tuple[int, ...]) -> int:
        """The slot of an instruction's result; the instruction is written unless there is one."""
        results = self.results.get(lower)
        if results is None:
            raise NotTraceable(
                f"No executor has the primitive {lower!r} that a row names as its lower. "
                f"Known: {', '.join(PRIMITIVES)}. Leave lower out: give the row a value made "
                f"of rows, and opaque=False."
            )
        slot = self._same(lower, args) if lower in _SAME else None
        if slot is None and not self.fixed.isdisjoint(args):
            slot = self._folded(lower, args)
        if slot is None:
            slot = results.setdefault(args, self.next)
            if slot == self.next:
                self.ops.append(lower)
                self.args.append(args)
        return slot

    def _same(self, lower: str, args: tuple[int, ...]) -> int | None:
        """The argument that equals the result."""
        x = args[0] if args else -1
        if lower == "identity" or (lower == "sum" and len(args) == 1):
            return x
        if lower == "neg" and x >= self.first and self.ops[x - self.first] == "neg":
            self.orphans = True
            return self.args[x - self.first][0]
        return None

    def _folded(self, lower: str, args: tuple[int, ...]) -> int | None:
        """The slot of the result if all the arguments are constants, or if one of them changes
        nothing or only the sign."""
        numbers = [self.number(slot) for slot in args]
        if None not in numbers:
            return self.constant(PRIMITIVES[lower].compute(*numbers))  # type: ignore[arg-type]
        for position, neutral in enumerate(PRIMITIVES[lower].neutral):
            if neutral is not None and _bits(numbers[position]) == _bits(neutral):
                return args[1 - position]
        if lower == "mul" and -1.0 in numbers:
            return self.emit("neg", (args[1 - numbers.index(-1.0)],))
        return None

    def times(self, x: float, y: float) -> float:
        """x · y, as `calculus` multiplies: floats are numbers, ints are slots."""
        if type(y) is float and y == 1.0:
            return x
        return self.emit("mul", (self.place(x), self.place(y)))

    def sum(self, terms: Sequence[float]) -> int:
        """The sum of numbers and slots."""
        return self.emit("sum", tuple([self.place(x) for x in terms]))

    def place(self, x: float) -> int:
        return self.constant(x) if type(x) is float else x  # type: ignore[return-value]

    def paste(self, template: Template, args: Sequence[int]) -> list[Any]:
        """The results of a template for these arguments, as slots (int) and floats."""
        slots, place = [*args], self.place
        for lower, places in template.steps:
            operands = [place(p) if type(p) is float else slots[p] for p in places]  # type: ignore[call-overload]
            slots.append(self.emit(lower, tuple(operands)))
        return [slots[out] if type(out) is int else out for out in template.outs]


# ── From Values ───────────────────────────────────────────────────────────────────────────


def flatten(
    inputs: Sequence[Value],
    shared: Sequence[Value] = (),
    *,
    each: Sequence[Number] = (),
    total: Sequence[Number] = (),
    once: Sequence[Number] = (),
    since: int = 0,
) -> Flat:
    """The expressions of ``each``, ``total`` and ``once`` as one program.

    Args:
        inputs: the Values whose numbers differ from lane to lane.
        shared: the Values whose numbers all lanes have in common.
        each, total, once: the results wanted, as `Code` names them.
        since: the serial number at which tracing began. Results recorded before it are captured
            with their numbers, and not computed again from their leaves.

    Raises:
        NotTraceable: if an operation was recorded that only Python can compute.

    >>> x, w = Value(3.0), Value(2.0)
    >>> flatten([x], [w], total=[(w * x + 1.0).relu()]).code
    Code(inputs=1, shared=1, constants=(1.0,), ops=('mul', 'add', 'relu'),
         args=((1, 0), (3, 2), (4,)), each=(), total=(5,), once=())
    """
    lowering = Lowering(inputs, shared, [*each, *total, *once], since)
    slots = [[lowering.slot(x) for x in wanted] for wanted in (each, total, once)]
    return Flat(lowering.code(*slots), lowering.captured)


class Lowering(_Writer):
    """A program that is being written.

    Args:
        inputs: the Values whose numbers differ from lane to lane.
        shared: the Values whose numbers all lanes have in common.
        roots: the results to compute.
        since: as in `flatten`.

    Attributes:
        captured: the leaves that the roots were made from and that are neither inputs nor
            shared, and nodes older than ``since``; their numbers follow the shared ones.
        slots: the slot of every node.
        backward: the slot where the derivative begins, None if there is none.

    >>> x, w = Value(3.0), Value(2.0)
    >>> loss = w * x * x
    >>> lowering = Lowering([x], [w], [loss])
    >>> (slope,) = lowering.gradients(loss, [w])
    >>> lowering.code(total=[lowering.slot(loss), slope]).ops
    ('mul', 'mul', 'mul')
    """

    @uncollected()
    def __init__(
        self,
        inputs: Sequence[Value],
        shared: Sequence[Value],
        roots: Sequence[Number],
        since: int = 0,
    ) -> None:
        values = [root for root in roots if isinstance(root, Value)]
        captured, nodes, floats = reachable(values, [*inputs, *shared], since)
        self.captured = tuple(captured)
        self.backward: int | None = None
        self.slots = {value: slot for slot, value in enumerate([*inputs, *shared, *captured])}
        rows: dict[Any, None] = dict.fromkeys([node.op for node in nodes])
        for op in rows:
            if op.lower is None:
                floats += row_template(op, op.arity or 2).constants()
        super().__init__(len(inputs), len(shared) + len(captured), floats)
        self._write(nodes)

    def _write(self, nodes: Sequence[Value]) -> None:
        """One instruction per interior node, or none if its result already has a slot.

        This is a tight loop for primitives of Values, as most nodes are; `_apply` does the rest.
        """
        slots, slot, write, read = self.slots, self.next, self.ops.append, self.args.append
        plain: dict[Any, Any] = {PRIMITIVES[name]: self.results[name] for name in _PLAIN}
        # All constants but these: with 0, ±1 and nan some instructions are not needed.
        constants = {x: at for x, at in self.slot_of.items() if x not in (1.0, -1.0)}
        op: Any
        args: Any
        for node in nodes:
            op = node.op
            results, operands = plain.get(op), node.args
            if results is None:
                args = None
            elif len(operands) == 2:
                x, y = operands
                a = constants.get(x) if type(x) is float else slots[x]
                b = constants.get(y) if type(y) is float else slots[y]
                args = None if a is None or b is None else (a, b)
            elif float in map(type, operands) or (op is _SUM and len(operands) == 1):
                args = None
            else:
                args = tuple([slots[arg] for arg in operands])
            if args is None:
                slots[node] = self._apply(op, operands)
                if self.number(slots[node]) is not None:
                    plain = {}  # a result of this node might be a constant too
                slot = self.next
                continue
            slots[node] = result = results.setdefault(args, slot)  # type: ignore[union-attr]
            if result == slot:
                write(op.lower)
                read(args)
                slot += 1

    def _apply(self, op: Op, operands: Sequence[Any]) -> int:
        """The slot of a row's result, for any row and operands."""
        args = tuple([self.slot(x) for x in operands])
        if op.lower is not None:
            return self.emit(op.lower, args)
        (out,) = self.paste(row_template(op, len(args)), args)
        return self.place(out)

    def slot(self, x: Number) -> int:
        """The slot of a node or a plain number."""
        return self.slots[x] if isinstance(x, Value) else self.constant(x)

    @uncollected()
    def gradients(self, root: Value, xs: Sequence[Value]) -> list[int]:
        """The slots of ∂root/∂x for each x; the instructions for them are written.

        This is `calculus.gradients` with slots instead of Values: the same sweep and partials.
        """
        self.orphans = True  # the root, if only its slopes are wanted
        if self.backward is None:
            self.backward = self.next
        return list(map(self.place, reverse({root: 1.0}, xs, self._partials, self.times, self.sum)))

    def recording(
        self,
        code: Code,
        inputs: Sequence[Value],
        parameters: Sequence[Value],
        names: Mapping[int, str] | None = None,
        single: Code | None = None,
        reduce: str = "mean",
    ) -> Recording:
        """The finished program with its leaves and the names of its slots: those of the nodes, and
        others."""
        return Recording(
            code,
            tuple(value.name for value in inputs),
            tuple(parameters),
            self.captured,
            {**(names or {}), **self._recorded("_name")},
            self._recorded("scope"),
            self.backward,
            single,
            reduce,
        )

    def _recorded(self, attribute: str) -> dict[int, str]:
        pairs = [(slot, getattr(node, attribute)) for node, slot in self.slots.items() if slot >= 0]
        return {slot: text for slot, text in reversed(pairs) if text is not None}  # the oldest's

    def _partials(self, node: Value, live: set[Value]) -> list[Any]:
        """The partials of a node for the live arguments, None for the others."""
        op, operands, slots = node.op, node.args, self.slots
        if op is None:
            return []
        asked = tuple([type(arg) is not float and arg in live and wanted(arg) for arg in operands])
        if True not in asked:
            return []
        exponent = operands[1] if op is _POW and type(operands[1]) is float else None
        template = partials_template(op, asked, _bits(exponent))
        return self.paste(template, [slots[node], *map(self.slot, operands)])

    def code(
        self, each: Sequence[int] = (), total: Sequence[int] = (), once: Sequence[int] = ()
    ) -> Code:
        """The finished program, whose results are the numbers in these slots.

        Unused instructions are left out, and `slots` is adjusted.
        """
        late, first, args = len(self.late), self.first, self.args

        def final(slot: int) -> int:
            return first - 1 - slot if slot < 0 else slot if slot < first else slot + late

        if late:
            args = [tuple(map(final, slots)) for slots in args]
            each, total, once = (list(map(final, slots)) for slots in (each, total, once))
        code = Code(
            self.inputs, self.shared, (*self.constants, *self.late), tuple(self.ops), tuple(args),
            tuple(each), tuple(total), tuple(once),
        )  # fmt: skip
        if late or self.orphans:
            code, moved = only(code, each, total, once)
            self.slots = {node: moved[final(slot)] for node, slot in self.slots.items()}
            if self.backward is not None:
                later = (moved[final(slot)] for slot in range(self.backward, self.next))
                self.backward = next((slot for slot in later if slot >= 0), None)
        return code


def reachable(
    roots: Sequence[Value], given: Sequence[Value], since: int = 0
) -> tuple[list[Value], list[Value], list[float]]:
    """The nodes of the roots' graph, down to the given Values: the ends, which are leaves and
    nodes older than ``since``; the interior nodes; both oldest first; and the plain numbers.
    (`graph.tape` also looks for stale leaves, which do no harm here.)"""
    floats: list[float] = []
    seen = set(given)
    waiting = [root for root in dict.fromkeys(roots) if root not in seen]
    seen.update(waiting)
    ends: list[Value] = []
    nodes: list[Value] = []
    see, wait = seen.add, waiting.append
    while waiting:
        node = waiting.pop()
        if node.op is None or node._serial < since:
            ends.append(node)
            continue
        nodes.append(node)
        for arg in node.args:
            if type(arg) is float:
                floats.append(arg)
            elif arg not in seen:
                see(arg)
                wait(arg)
    ends.sort(key=_by_serial)
    nodes.sort(key=_by_serial)
    return ends, nodes, floats
