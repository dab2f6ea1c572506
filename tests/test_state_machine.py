"""A state machine: whatever is done to Values, in whichever order, thread and task, a naive model
says the same.

The model shares no code with the engine. Numbers are small dyadic fractions, which floats hold
exactly, so each comparison is one of equality. Gradients are sums over all paths, second
derivatives come from numbers with four parts, and a graph knows which version of each leaf it used.
"""

from __future__ import annotations

import asyncio
import copy
import pickle
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from typing import Any, NamedTuple

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
)

import tinygrad_edu as tg
from tinygrad_edu import Value
from tinygrad_edu.core.table import Op
from tinygrad_edu.errors import Anomaly, BadArgument, GraphError, StaleGraph

# ── The model: numbers ────────────────────────────────────────────────────────────────────


class Jet(NamedTuple):
    """x + a·α + b·β + ab·αβ, where α² = β² = 0: a value, two slopes and one second derivative."""

    x: Fraction
    a: Fraction = Fraction(0)
    b: Fraction = Fraction(0)
    ab: Fraction = Fraction(0)


def plus(*terms: Jet) -> Jet:
    return Jet(*map(sum, zip(Jet(Fraction(0)), *terms)))  # type: ignore[arg-type]


def times(p: Jet, q: Jet) -> Jet:
    return Jet(
        p.x * q.x,
        p.x * q.a + p.a * q.x,
        p.x * q.b + p.b * q.x,
        p.x * q.ab + p.a * q.b + p.b * q.a + p.ab * q.x,
    )


def scaled(p: Jet, by: Fraction | int) -> Jet:
    return Jet(*(part * by for part in p))


def larger(p: Jet, q: Jet) -> Jet:
    """At a tie the middle between both, as for any kink."""
    if p.x == q.x:
        return scaled(plus(p, q), Fraction(1, 2))
    return p if p.x > q.x else q


class Operation(NamedTuple):
    """One operation: in the engine, spelled in several ways, and in the model."""

    spelled: tuple[Callable[..., Any], ...]
    naive: Callable[..., Jet]
    degree: Callable[[list[int]], int] = max  # of the polynomial, to bound the numbers
    blocked: tuple[int, ...] = ()  # the arguments to which no gradient flows


gate = Op(
    "gate", lambda x, y: x * y, [lambda out, x, y: tg.stop_gradient(y), None], opaque=False
)  # fmt: skip
"""A product that is not differentiated by its second argument, although its slope is that."""

OPERATIONS: dict[str, Operation] = {
    "add": Operation((lambda x, y: x + y, tg.add), plus),
    "sub": Operation((lambda x, y: x - y, tg.sub), lambda p, q: plus(p, scaled(q, -1))),
    "mul": Operation((lambda x, y: x * y, tg.mul), times, sum),
    "neg": Operation((lambda x: -x, tg.neg), lambda p: scaled(p, -1)),
    "square": Operation(
        (lambda x: x**2, tg.square), lambda p: times(p, p), lambda degrees: 2 * degrees[0]
    ),
    "maximum": Operation((tg.maximum,), larger),
    "minimum": Operation(
        (tg.minimum,), lambda p, q: scaled(larger(scaled(p, -1), scaled(q, -1)), -1)
    ),
    "abs": Operation((abs, tg.abs), lambda p: scaled(p, (p.x > 0) - (p.x < 0))),
    "relu": Operation((tg.relu, lambda x: x.relu()), lambda p: p if p.x > 0 else Jet(Fraction(0))),
    "identity": Operation((lambda x: +x, tg.identity), lambda p: p),
    "sum": Operation((lambda *xs: tg.sum(xs),), plus),
    "where": Operation((tg.where,), lambda c, p, q: p if c.x else q),
    "stop_gradient": Operation((tg.stop_gradient,), lambda p: Jet(p.x), blocked=(0,)),
    "gate": Operation((gate,), lambda p, q: times(p, Jet(q.x)), sum, (1,)),
}
ARITY = {"sum": 3, "where": 3} | dict.fromkeys(
    ("add", "sub", "mul", "maximum", "minimum", "gate"), 2
)


# ── The model: graphs ─────────────────────────────────────────────────────────────────────


class Node:
    """A model of one Value."""

    def __init__(self, value: Fraction, op: str | None = None, args: Sequence[Any] = ()) -> None:
        self.value, self.op, self.args = value, op, tuple(args)
        self.grad = Fraction(0)
        self.name: str | None = None
        self.role: str | None = None
        self.scope: str | None = None
        self.version = 0
        self.used = [arg.version if isinstance(arg, Node) else 0 for arg in args]
        sizes = [arg.size for arg in args if isinstance(arg, Node)]
        self.size = 1 + sum(sizes)
        degrees = [arg.degree if isinstance(arg, Node) else 1 for arg in args]
        self.degree = OPERATIONS[op].degree(degrees) if op else 1

    def flowing(self) -> Iterator[Any]:
        """The arguments to which a gradient may flow, with the slope along each of these edges."""
        if self.op is None:
            return
        numbers = [Jet(number_of(arg)) for arg in self.args]
        operation = OPERATIONS[self.op]
        for i, arg in enumerate(self.args):
            if i not in operation.blocked:
                moved = [*numbers[:i], Jet(numbers[i].x, Fraction(1)), *numbers[i + 1 :]]
                yield i, arg, operation.naive(*moved).a

    def stale(self) -> bool:
        """Whether a derivative would need a number that a leaf no longer has."""
        edges = list(self.flowing())
        changed = any(
            isinstance(arg, Node) and arg.version != used for arg, used in zip(self.args, self.used)
        )
        return (bool(edges) and changed) or any(
            arg.stale() for _, arg, _ in edges if isinstance(arg, Node)
        )

    def outdated(self) -> bool:
        """Whether any number behind it has changed, also where no gradient flows."""
        return any(
            isinstance(arg, Node) and (arg.version != used or arg.outdated())
            for arg, used in zip(self.args, self.used)
        )

    def adjoints(self, seed: Fraction = Fraction(1)) -> dict[Node, Fraction]:
        """The sum over all paths from here of the product of slopes; 0 where none arrives."""
        total: dict[Node, Fraction] = defaultdict(Fraction)
        waiting = [(self, seed)]
        while waiting:
            node, weight = waiting.pop()
            total[node] += weight
            for _, arg, slope in node.flowing():
                if isinstance(arg, Node):
                    waiting.append((arg, slope * weight if arg.role != "constant" else 0 * weight))
        return total

    def leaves(self) -> list[Node]:
        if self.op is None:
            return [self]
        return list(dict.fromkeys(x for arg in self.nodes() for x in arg.leaves()))

    def nodes(self) -> list[Node]:
        return [arg for arg in self.args if isinstance(arg, Node)]

    def jet(self, at: dict[Node, Jet], through_constants: bool = True) -> Jet:
        """The expression computed again, with jets for some of its leaves."""
        if self.op is None:
            return at.get(self, Jet(self.value))
        args = [
            arg.jet(at, through_constants) if isinstance(arg, Node) else Jet(arg)
            for arg in self.args
        ]
        if not through_constants:
            args = [
                Jet(jet.x) if isinstance(arg, Node) and arg.op and arg.role == "constant" else jet
                for arg, jet in zip(self.args, args)
            ]
        return OPERATIONS[self.op].naive(*args)

    def constants_inside(self) -> bool:
        return any(arg.role == "constant" or arg.constants_inside() for arg in self.nodes())


def accumulate(roots: Sequence[tuple[Node, Any]]) -> None:
    """One backward pass."""
    total: dict[Node, Fraction] = defaultdict(Fraction)
    for root, seed in roots:
        for node, adjoint in root.adjoints(Fraction(seed)).items():
            total[node] += adjoint
    for node, adjoint in total.items():
        if node.op is not None:
            node.grad = adjoint
        elif node.role != "constant":
            node.grad += adjoint


def number_of(arg: Any) -> Fraction:
    return arg.value if isinstance(arg, Node) else arg


def function_of(root: Node, xs: Sequence[Node], values: dict[Node, Value]) -> Callable[..., Any]:
    """The expression as a function of some leaves, which captures the others."""

    def f(*numbers: Any) -> Any:
        at: dict[Node, Any] = dict(zip(xs, numbers))

        def computed(node: Any) -> Any:
            if not isinstance(node, Node):
                return float(node)
            if node not in at:
                if node.op is None:
                    return values[node]
                at[node] = OPERATIONS[node.op].spelled[0](*map(computed, node.args))
            return at[node]

        return computed(root)

    return f


def moved(xs: Sequence[Node], at: Sequence[Fraction], i: int = -1, j: int = -1) -> dict[Node, Jet]:
    """Jets of leaves at numbers, of which the i-th moves along α and the j-th along β."""
    return {x: Jet(at[k], Fraction(k == i), Fraction(k == j)) for k, x in enumerate(xs)}


class Expected(NamedTuple):
    """Value, gradient and Hessian of an expression by some leaves."""

    value: Fraction
    slopes: list[Fraction]
    bends: list[list[Fraction]]


def expected(root: Node, xs: Sequence[Node], at: Sequence[Fraction]) -> Expected:
    n = range(len(xs))
    return Expected(
        root.jet(moved(xs, at)).x,
        [root.jet(moved(xs, at, i)).a for i in n],
        [[root.jet(moved(xs, at, i, j)).ab for j in n] for i in n],
    )


# Each transform: of a function of n numbers, and of what it must return there along a direction.
TRANSFORMS: dict[str, tuple[Callable[..., Any], Callable[[Expected, list[Fraction]], Any]]] = {
    "call": (lambda f, n, d: f, lambda e, d: e.value),
    "grad": (lambda f, n, d: tg.grad(f, range(n)), lambda e, d: e.slopes),
    "value_and_grad": (
        lambda f, n, d: tg.value_and_grad(f, range(n)),
        lambda e, d: [e.value, *e.slopes],
    ),
    "vjp": (
        lambda f, n, d: lambda *xs: tg.vjp(f, *xs)[1](2.0),
        lambda e, d: [2 * s for s in e.slopes],
    ),
    "jvp": (lambda f, n, d: lambda *xs: tg.jvp(f, xs, d), lambda e, d: [e.value, dot(e.slopes, d)]),
    "hvp": (
        lambda f, n, d: lambda *xs: tg.hvp(f, xs, d),
        lambda e, d: [dot(row, d) for row in e.bends],
    ),
    "jacobian": (
        lambda f, n, d: tg.jacobian(lambda *xs: [f(*xs), xs[0]], range(n)),
        lambda e, d: [e.slopes, [Fraction(i == 0) for i in range(len(d))]],
    ),
    "forward jacobian": (
        lambda f, n, d: tg.jacobian(f, range(n), mode="forward"),
        lambda e, d: e.slopes,
    ),
    "hessian": (lambda f, n, d: tg.hessian(f, range(n)), lambda e, d: e.bends),
    "grad of grad": (
        lambda f, n, d: tg.grad(lambda *xs: tg.grad(f)(*xs), range(n)),
        lambda e, d: e.bends[0],
    ),
    "vmap": (
        lambda f, n, d: lambda *xs: tg.vmap(f)(*([x, x] for x in xs)),
        lambda e, d: [e.value] * 2,
    ),
    "vmap of grad": (
        lambda f, n, d: lambda *xs: tg.vmap(tg.grad(f))(*([x, x] for x in xs)),
        lambda e, d: [e.slopes[0]] * 2,
    ),
    "grad of jit": (lambda f, n, d: tg.grad(tg.jit(f), range(n)), lambda e, d: e.slopes),
}


def dot(xs: Sequence[Fraction], ys: Sequence[Any]) -> Fraction:
    return sum((x * Fraction(y) for x, y in zip(xs, ys)), Fraction(0))


def flat(tree: Any) -> list[Any]:
    """The numbers in nested lists, tuples and arrays, as exact fractions."""
    if isinstance(tree, Value):
        return [Fraction(tree.data)]
    if isinstance(tree, (float, Fraction)):
        return [Fraction(tree)]
    return [x for part in tree for x in flat(part)]


# ── The model: modes ──────────────────────────────────────────────────────────────────────


class Opening:
    """A block that was entered."""

    def __init__(self, kind: str, name: str, held: Callable[[], None]) -> None:
        self.kind, self.name, self.leave, self.ended = kind, name, held, False


class Place:
    """A thread or a task, in which blocks are open."""

    def __init__(self, run: Callable[[Callable[[], Any]], Any], open_: list[Opening]) -> None:
        self.run, self.open = run, open_

    def seen(self, kind: str) -> list[Opening]:
        return [opening for opening in self.open if opening.kind == kind and not opening.ended]

    def scope(self, *more: str) -> str | None:
        return "/".join([*(opening.name for opening in self.seen("scope")), *more]) or None


BLOCKS: dict[str, Callable[[str], Any]] = {
    "no_grad": lambda name: tg.no_grad(),
    "scope": tg.scope,
    "detect_anomaly": lambda name: tg.detect_anomaly(),
}


def entered(block: Any) -> Callable[[], None]:
    block.__enter__()
    return lambda: block.__exit__(None, None, None)


def entered_by_a_generator(block: Any) -> Callable[[], None]:
    def steps() -> Iterator[None]:
        with block:
            yield

    generator = steps()
    next(generator)
    return generator.close


class Task:
    """An asyncio task that runs what it is sent, in its own context."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.queue: asyncio.Queue[Any] = asyncio.Queue()
        self.task = loop.create_task(self.serve())

    async def serve(self) -> None:
        while (work := await self.queue.get()) is not None:
            f, result = work
            try:
                result.set_result(f())
            except BaseException as error:
                result.set_exception(error)

    def run(self, f: Callable[[], Any]) -> Any:
        async def sent() -> Any:
            result = self.loop.create_future()
            await self.queue.put((f, result))
            return await result

        return self.loop.run_until_complete(sent())

    def end(self) -> None:
        self.queue.put_nowait(None)
        self.loop.run_until_complete(self.task)


def in_blocks(kinds: Sequence[str], work: Callable[[], Any]) -> Callable[[], Any]:
    """Work that is done inside blocks of its own, which it decorates or opens."""
    for kind in kinds:
        work = BLOCKS[kind]("inner")(work)
    return work


# ── The model: programs ───────────────────────────────────────────────────────────────────


def frozen(node: Any, copies: dict[Node, Node]) -> Any:
    """An expression whose roles no longer change, with other leaves where copies has some."""
    if not isinstance(node, Node) or (node.op is None and node not in copies):
        return node
    if node not in copies:
        copies[node] = new = Node(node.value, node.op, [frozen(arg, copies) for arg in node.args])
        new.role = node.role
    return copies[node]


class Compiled:
    """A program: an expression, and whose numbers differ from sample to sample."""

    def __init__(self, root: Node, inputs: list[Node], parameters: list[Node], by: str) -> None:
        self.root, self.inputs, self.parameters, self.reduce = root, inputs, parameters, by
        self.constant = [x.role == "constant" for x in parameters]

    def roles_changed(self) -> bool:
        return self.constant != [x.role == "constant" for x in self.parameters]

    def copy(self) -> Compiled:
        """One with leaves of its own."""
        copies = {leaf: Node(leaf.value) for leaf in self.root.leaves()}
        for leaf, new in copies.items():
            new.role = leaf.role
        root = frozen(self.root, copies)
        return Compiled(
            root,
            [copies[x] for x in self.inputs],
            [copies[x] for x in self.parameters],
            self.reduce,
        )

    def __call__(self, rows: Any, theta: Any) -> tuple[Fraction, list[Fraction]]:
        """The loss of a batch and its slopes: what uses no input counts once."""
        numbers = [x.value for x in self.parameters] if theta is None else theta
        n = len(rows)
        total = [Fraction(0)] * (1 + len(numbers))
        for term, live in terms(self.root):
            varies = any(leaf in self.inputs for leaf in term.leaves())
            for row in rows if varies else rows[:1]:
                share = Fraction(1, n) if varies and self.reduce == "mean" else Fraction(1)
                at = dict(zip(self.inputs, map(Jet, map(Fraction, row))))
                for i in range(-1, len(numbers)):
                    at |= moved(self.parameters, list(map(Fraction, numbers)), i)
                    jet = term.jet(at, through_constants=False)
                    if i < 0:
                        total[0] += jet.x * share
                    elif live and not self.constant[i]:
                        total[1 + i] += jet.a * share
        return total[0], total[1:]


def terms(node: Any, live: bool = True) -> list[tuple[Node, bool]]:
    """The terms of the sums at the top of an expression, and whether a gradient flows there."""
    if not isinstance(node, Node):
        return [(Node(node), False)]
    if node.op not in ("add", "sum", "identity"):
        return [(node, live)]
    return [
        pair
        for arg in node.args
        for pair in terms(arg, live and not (isinstance(arg, Node) and arg.role == "constant"))
    ]


# ── The machine ───────────────────────────────────────────────────────────────────────────

small = st.integers(-3, 3)
names = st.sampled_from([None, "w", "x", "a b"])
roles = st.sampled_from([None, None, "parameter", "input", "target", "constant"])
within = st.lists(st.sampled_from([*BLOCKS]), max_size=1)
COPIES: dict[str, Callable[[Any], Any]] = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "pickle": lambda x: pickle.loads(pickle.dumps(x)),
}
LARGEST, DEEPEST = 24, 8  # nodes of an expression written as a tree, and its degree


class Modes(RuleBasedStateMachine):
    """Blocks that threads and tasks enter, and leave in any order."""

    places = Bundle("places")
    openings = Bundle("openings")

    def __init__(self) -> None:
        super().__init__()
        self.pool = ThreadPoolExecutor(1)
        self.loop = asyncio.new_event_loop()
        self.tasks: list[Task] = []
        self.open_blocks: list[tuple[Place, Opening]] = []

    @initialize(target=places)
    def begin(self) -> Any:
        self.main = Place(lambda f: f(), [])
        self.everywhere = [self.main, Place(lambda f: self.pool.submit(f).result(), [])]
        return multiple(*self.everywhere)

    @precondition(lambda self: len(self.tasks) < 3)
    @rule(target=places)
    def spawn(self) -> Place:
        """A task starts with a copy of the modes of its creator."""
        self.tasks.append(Task(self.loop))
        self.everywhere.append(Place(self.tasks[-1].run, list(self.main.open)))
        return self.everywhere[-1]

    @rule(
        target=openings,
        place=places,
        kind=st.sampled_from([*BLOCKS]),
        name=st.sampled_from("pqr"),
        enter=st.sampled_from([entered, entered_by_a_generator]),
    )
    def enter(self, place: Place, kind: str, name: str, enter: Any) -> Any:
        opening = Opening(kind, name, place.run(lambda: enter(BLOCKS[kind](name))))
        place.open.append(opening)
        self.open_blocks.append((place, opening))
        return place, opening

    @rule(opened=consumes(openings), elsewhere=st.booleans(), other=places)
    def leave(self, opened: Any, elsewhere: bool, other: Place) -> None:
        self.left(opened, other if elsewhere else opened[0])

    def left(self, opened: tuple[Place, Opening], by: Place) -> None:
        """Left in order, a block ends where it was entered; otherwise wherever it can be seen."""
        owner, opening = opened
        self.open_blocks.remove(opened)
        by.run(opening.leave)
        if by is owner and [x for x in owner.open if not x.ended][-1] is opening:
            owner.open.remove(opening)
        else:
            opening.ended = True

    def teardown(self) -> None:
        try:
            for opened in list(self.open_blocks):
                self.left(opened, opened[0])
            for task in self.tasks:
                task.end()
        finally:
            self.pool.shutdown()
            self.loop.close()


class OnlyModes(Modes):
    @invariant()
    def every_place_sees_its_own(self) -> None:
        for place in self.everywhere:
            product = place.run(lambda: self.x * self.x)
            assert product.scope == place.scope()
            assert (product.op is None) is bool(place.seen("no_grad"))
            if place.seen("detect_anomaly"):
                with pytest.raises(Anomaly):
                    place.run(lambda: tg.log(-self.x))

    x = Value(2.0)


class Machine(Modes):
    """Everything that is done to Values."""

    places = Modes.places
    values = Bundle("values")  # leaves and results, as nodes of the model
    results = Bundle("results")
    functions = Bundle("functions")
    programs = Bundle("programs")

    def __init__(self) -> None:
        super().__init__()
        self.alive: dict[Node, Value] = {}

    def keep(self, value: Value, node: Node) -> Node:
        self.alive[node] = value
        return node

    @initialize(target=values)
    def start(self) -> Any:
        """There is always a leaf and a result: rules that take several need one."""
        return multiple(*(self.keep(Value(x), Node(Fraction(x))) for x in (2, -1)))

    @initialize(target=results, x=values, y=values)
    def first(self, x: Node, y: Node) -> Node:
        value = self.alive[x] * self.alive[y]
        self.product = self.keep(value, Node(x.value * y.value, "mul", [x, y]))
        return self.product

    # ── Recording ──

    @rule(target=values, place=places, data=small, name=names, role=roles)
    def leaf(self, place: Place, data: int, name: Any, role: Any) -> Node:
        node = Node(Fraction(data))
        node.name, node.role, node.scope = name, role, place.scope()
        return self.keep(place.run(lambda: Value(data, name, role)), node)

    @rule(
        target=results,
        place=places,
        start=values | results,
        steps=st.lists(
            st.tuples(
                st.sampled_from([*OPERATIONS]),
                st.permutations([0, 1, 2]),
                st.tuples(values | results, small | values),
                st.integers(0, 1),
            ),
            min_size=1,
            max_size=6,
        ),
        inside=within,
    )
    def build(self, place: Place, start: Node, steps: Any, inside: Any) -> Any:
        """Each step applies an operation to the result of the last one and to others."""
        made = [start]
        for op, order, others, spelling in steps:
            args = [x if isinstance(x, Node) else Fraction(x) for x in (made[-1], *others)]
            args = [args[i] for i in order if i < ARITY.get(op, 1)]
            if not any(isinstance(arg, Node) for arg in args):
                continue
            node = self.apply(place, OPERATIONS[op], op, args, spelling, inside)
            made += [node] if node else []
        return multiple(*made[1:])

    def apply(
        self, place: Place, row: Operation, op: str, args: Any, spelling: int, inside: Any
    ) -> Node | None:
        node = Node(row.naive(*(Jet(number_of(arg)) for arg in args)).x, op, args)
        if node.size > LARGEST or node.degree > DEEPEST:
            return None
        spelled = row.spelled[spelling % len(row.spelled)]
        operands = [self.alive[arg] if isinstance(arg, Node) else float(arg) for arg in args]
        value = place.run(in_blocks(inside, lambda: spelled(*operands)))
        if place.seen("no_grad") or "no_grad" in inside:
            node = Node(node.value)
        node.scope = place.scope(*["inner"] * ("scope" in inside))
        return self.keep(value, node)

    @rule(place=places, node=results)
    def anomaly(self, place: Place, node: Node) -> None:
        """log(−1) is nan, and backward through √0 infinite: under detect_anomaly an error that
        leaves everything as it was."""
        minus, zero = Value(-1.0), Value(0.0)
        if not place.seen("detect_anomaly"):
            result = place.run(lambda: tg.log(minus))
            assert result.data != result.data
            return
        with pytest.raises(Anomaly):
            place.run(lambda: tg.log(minus))
        if not node.stale() and not self.main.seen("no_grad"):
            root = self.alive[node] + tg.sqrt(zero)
            with pytest.raises(Anomaly):
                place.run(root.backward)
            assert zero.grad == 0.0

    # ── Changing, copying, deleting ──

    @rule(node=values | results, place=places, data=small)
    def set_data(self, node: Node, place: Place, data: int) -> None:
        work = lambda: setattr(self.alive[node], "data", data)  # noqa: E731
        if node.op is not None:
            with pytest.raises(GraphError):
                place.run(work)
            return
        place.run(work)
        node.value = Fraction(data)
        node.version += 1

    @rule(node=values | results, name=names, role=roles)
    def rename(self, node: Node, name: Any, role: Any) -> None:
        value = self.alive[node]
        value.name, value.role = node.name, node.role = name, role

    @rule(node=values | results, grad=small)
    def set_grad(self, node: Node, grad: int) -> None:
        self.alive[node].grad = grad
        node.grad = Fraction(grad)

    @rule(nodes=st.lists(values | results, max_size=3), place=places)
    def zero_grad(self, nodes: list[Node], place: Place) -> None:
        place.run(lambda: tg.zero_grad([self.alive[node] for node in nodes]))
        for node in nodes:
            node.grad = Fraction(0)

    @rule(target=values, place=places, node=values | results)
    def detach(self, place: Place, node: Node) -> Node:
        new = Node(node.value)
        new.name, new.role, new.scope = node.name, node.role, place.scope()
        return self.keep(place.run(self.alive[node].detach), new)

    @rule(target=values, place=places, node=values | results, how=st.sampled_from([*COPIES]))
    def copied(self, place: Place, node: Node, how: str) -> Any:
        work = lambda: COPIES[how](self.alive[node])  # noqa: E731
        if node.op is not None:
            with pytest.raises(GraphError):
                place.run(work)
            return multiple()
        new = Node(node.value)
        new.grad, new.name, new.role, new.scope = node.grad, node.name, node.role, node.scope
        return self.keep(place.run(work), new)

    @rule(target=results, place=places, node=results)
    def replay(self, place: Place, node: Node) -> Any:
        recording = not place.seen("no_grad")
        made: dict[Node, Node] = {}

        def again(old: Any) -> Any:
            if not isinstance(old, Node) or old.op is None:
                return old
            if old not in made:
                args = [again(arg) for arg in old.args]
                naive = OPERATIONS[old.op].naive(*(Jet(number_of(arg)) for arg in args)).x
                made[old] = new = Node(naive, *[old.op, args] * recording)
                new.name, new.role, new.scope = old.name, old.role, old.scope
            return made[old]

        new = again(node)
        value = place.run(lambda: tg.replay(self.alive[node]))
        if new is node:
            assert value is self.alive[node]
            return multiple()
        waiting = [(value, new)]
        while waiting:  # what lies behind it is made anew, too
            v, n = waiting.pop()
            self.keep(v, n)
            waiting += [(a, b) for a, b in zip(v.args, n.args) if b in made.values()]
        return new

    @rule(target=results, node=consumes(results))
    def delete(self, node: Node) -> Any:
        """A result that others were computed from lives on behind them."""
        if node is self.product or node.op is None:
            return node
        del self.alive[node]
        return multiple()

    # ── Differentiating what was recorded ──

    @rule(
        place=places,
        roots=st.lists(st.tuples(results | values, small), min_size=1, max_size=3),
        at_once=st.booleans(),
    )
    def backward(self, place: Place, roots: Any, at_once: bool) -> None:
        roots = roots if at_once else roots[:1]
        values, seeds = [self.alive[node] for node, _ in roots], [seed for _, seed in roots]
        work = lambda: tg.backward(values, seeds) if at_once else values[0].backward(seeds[0])  # noqa: E731
        if any(node.stale() for node, _ in roots):
            with pytest.raises(StaleGraph):
                place.run(work)
            return
        place.run(work)
        accumulate(roots)

    @rule(roots=st.lists(results | values, min_size=2, max_size=4))
    def backward_in_threads(self, roots: list[Node]) -> None:
        """Passes that run at the same time, on graphs that share leaves."""
        roots = [node for node in roots if not node.stale()]
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda node: self.alive[node].backward(), roots))
        for root in roots:
            accumulate([(root, 1)])
        for node in {node for root in roots for node in root.adjoints()}:
            if node.op is not None:  # that of the last pass, whichever that was
                node.grad = Fraction(0)
                if node in self.alive:
                    self.alive[node].grad = 0.0

    @rule(place=places, root=results, xs=st.lists(values | results, min_size=1, max_size=3))
    def gradients(self, place: Place, root: Node, xs: list[Node]) -> None:
        by = [self.alive[x] for x in xs]
        work = lambda: tg.gradients(self.alive[root], by)  # noqa: E731
        if root.stale():
            with pytest.raises(StaleGraph):
                place.run(work)
            return
        slopes = place.run(work)
        adjoints = root.adjoints()
        assert flat(slopes) == [adjoints.get(x, Fraction(0)) for x in xs]
        plain = not (place.seen("no_grad") or root.constants_inside() or root.outdated())
        if plain and len(set(xs)) == len(xs) and all(x in root.leaves() for x in xs):
            if any(x.role == "constant" for x in xs):
                return
            bends = tg.gradients(slopes[0], by)
            assert flat(bends) == expected(root, xs, [x.value for x in xs]).bends[0]

    @rule(place=places, root=results)
    def snapshot(self, place: Place, root: Node) -> None:
        work = lambda: (tg.snapshot(self.alive[root]), tg.tree(self.alive[root]))  # noqa: E731
        if root.outdated():
            with pytest.raises(StaleGraph):
                place.run(work)
            return
        graph, tree = place.run(work)
        assert tree.splitlines()
        assert graph.root.data == root.value
        right = sorted((node.op or "", slope) for node, slope in root.adjoints().items() if slope)
        shown = sorted((x.op.name if x.op else "", x.adjoint) for x in graph.nodes if x.adjoint)
        assert [(op, Fraction(x)) for op, x in shown] == right

    # ── Functions and programs ──

    def function(self, root: Node, captured: Node) -> tuple[list[Node], Node, Any]:
        """An expression as a function of up to two leaves, which captures the other leaves and
        another value as it is."""
        xs = [x for x in root.leaves() if x is not captured][:2]
        of = function_of(root, xs, {leaf: self.alive[leaf] for leaf in root.leaves()})
        whole = Node(
            Fraction(0), "add", [root, captured if captured.op is None else captured.value]
        )
        other = self.alive[captured]
        return xs, whole, lambda *numbers: of(*numbers) + other

    @rule(
        place=places,
        root=results,
        captured=values | results,
        transform=st.sampled_from([*TRANSFORMS]),
        at=st.tuples(small, small),
        along=st.tuples(small, small),
        of_values=st.booleans(),
        inside=within,
    )
    def transform(
        self, place: Place, root: Node, captured: Node, transform: str,
        at: Any, along: Any, of_values: bool, inside: Any,
    ) -> None:  # fmt: skip
        xs, whole, f = self.function(root, captured)
        if xs and not captured.stale():
            make, _ = TRANSFORMS[transform]
            work = make(f, len(xs), [float(x) for x in along[: len(xs)]])
            self.holds(place, work, xs, whole, transform, at, along, of_values, inside)

    def holds(
        self, place: Place, f: Any, xs: Any, whole: Node, transform: str,
        at: Any, along: Any, of_values: bool, inside: Any,
    ) -> None:  # fmt: skip
        """A function gives what the model says."""
        numbers = [float(x) for x in at[: len(xs)]]
        given = list(map(Value, numbers)) if of_values else numbers
        result = place.run(in_blocks(inside, lambda: f(*given)))
        right = expected(whole, xs, [Fraction(x) for x in numbers])
        assert flat(result) == flat(TRANSFORMS[transform][1](right, along[: len(xs)]))

    @rule(
        target=functions,
        root=results,
        captured=values | results,
        transform=st.sampled_from(["call", "grad", "value_and_grad", "hessian", "jvp", "vmap"]),
        along=st.tuples(small, small),
    )
    def jit(self, root: Node, captured: Node, transform: str, along: Any) -> Any:
        xs, whole, f = self.function(root, captured)
        if not xs:
            return multiple()
        jitted = tg.jit(TRANSFORMS[transform][0](f, len(xs), [float(x) for x in along[: len(xs)]]))
        return xs, whole, jitted, transform, along, captured

    @rule(
        place=places, function=functions, at=st.tuples(small, small), of_values=st.booleans(),
        inside=within,
    )  # fmt: skip
    def call(self, place: Place, function: Any, at: Any, of_values: bool, inside: Any) -> None:
        """Captured leaves are read at each call: they may have changed in between."""
        xs, whole, jitted, transform, along, captured = function
        if captured.stale():
            return
        self.holds(place, jitted, xs, whole, transform, at, along, of_values, inside)

    @rule(
        target=programs,
        place=places,
        root=results,
        reduce=st.sampled_from(["mean", "sum"]),
        inputs=st.integers(0, 2),
    )
    def compile(self, place: Place, root: Node, reduce: str, inputs: int) -> Any:
        leaves = root.leaves()
        if root.op is None:
            return multiple()
        inputs, parameters = leaves[:inputs], leaves[inputs : inputs + 2]
        program = place.run(
            lambda: tg.compile(
                self.alive[root],
                inputs=[self.alive[x] for x in inputs],
                parameters=[self.alive[x] for x in parameters],
                reduce=reduce,
            )
        )
        model = Compiled(frozen(root, {}), inputs, parameters, reduce)
        return program, model

    @rule(
        target=programs,
        made=programs,
        how=st.sampled_from([*COPIES, "json"]),
    )
    def copy_program(self, made: Any, how: str) -> Any:
        program, model = made
        work = lambda: (  # noqa: E731
            tg.Program.from_json(program.to_json()) if how == "json" else COPIES[how](program)
        )
        if model.roles_changed():
            with pytest.raises(BadArgument):
                work()
            return multiple()
        return work(), model if how == "copy" else model.copy()

    @rule(
        place=places,
        made=programs,
        batch=st.sampled_from([1, 2, 4]).flatmap(
            lambda n: st.lists(st.tuples(small, small), min_size=n, max_size=n)
        ),
        theta=st.none() | st.tuples(small, small),
        inside=within,
    )
    def run(self, place: Place, made: Any, batch: Any, theta: Any, inside: Any) -> None:
        program, model = made
        rows = [[float(x) for x in row[: len(model.inputs)]] for row in batch]
        given = None if theta is None else [float(x) for x in theta[: len(model.parameters)]]
        value, slopes = model(rows, given)
        assert place.run(in_blocks(inside, lambda: program.value(rows, given))) == value
        work = in_blocks(inside, lambda: program.value_and_grad(rows, given))
        if model.roles_changed():
            with pytest.raises(BadArgument):
                place.run(work)
            return
        loss, gradient = place.run(work)
        assert (loss, list(gradient)) == (value, slopes)

    # ── What always holds ──

    @invariant()
    def everything_is_as_the_model_says(self) -> None:
        at = {id(value): node for node, value in self.alive.items()}
        for node, value in self.alive.items():
            assert (value.data, value.grad) == (node.value, node.grad)
            assert (value.name, value.role, value.scope) == (node.name, node.role, node.scope)
            assert (value.op and value.op.name) == node.op
            for arg, right in zip(value.args, node.args):
                assert type(arg) is float or at.get(id(arg), right) is right


LIMITS = settings(
    stateful_step_count=50,
    report_multiple_bugs=False,
    phases=[Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink],
)
TestModes, TestValues = OnlyModes.TestCase, Machine.TestCase
TestModes.settings = TestValues.settings = LIMITS
