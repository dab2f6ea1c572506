"""Derivatives of functions, as functions, of any order and in any combination.

Each transform runs the function once on fresh Values and sweeps over what was recorded:
backwards with adjoints (`grad`, `vjp`) or forwards with tangents (`jvp`), in both cases with
the partials of the table. There are no dual numbers and no second set of rules.

Floats in, floats out; Values in, Values out. A sweep with Values records itself, so it can be
drawn, and differentiated again. Inside a function that is being differentiated, a derivative that
depends on the outer variables is a Value too, in whichever thread or task it is computed. Every
call differentiates with respect to its own Values, so nested calls never confuse their variables.
None of these functions writes ``.grad``.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

from ..blocks import MODE, entering
from ..errors import BadArgument, NotANumber
from ..trees import Rebuild, flatten, holds_values, is_several, kept, matched, number, positions
from . import ops
from .graph import depends_on, local_numbers, tape, wanted
from .value import Number, Value, recorded

__all__ = ["grad", "gradients", "hvp", "jvp", "value_and_grad", "vjp"]


Part: TypeAlias = "tuple[Sequence[Value], set[Value]]"
"""Nodes of a graph, oldest first, and those of them that depend on the variables."""

# ── The two sweeps ────────────────────────────────────────────────────────────────────────


def reverse(
    seeds: Mapping[Value, Any],
    xs: Sequence[Value],
    partials: Callable[[Value, set[Value]], Sequence[Any]],
    times: Callable[[Any, Any], Any],
    add: Callable[[list[Any]], Any],
    part: Part | None = None,
) -> list[Any]:
    """Reverse mode: the adjoints of ``xs`` from those of the roots, as any kind of number.

    Args:
        seeds: the adjoints of the roots.
        partials: ``partials(node, live)`` are those of a node for its arguments in ``live``,
            which the xs flow into; None for the others.
        times, add: how these numbers are multiplied, and summed where a node is reached over
            several edges: by one Σ, as in a picture of the chain rule.
        part: the nodes `between` the xs and the roots, where they are known.
    """
    nodes, live = between(xs, seeds) if part is None else part
    arriving: dict[Value, list[Any]] = {root: [seed] for root, seed in seeds.items()}
    adjoint: dict[Value, Any] = {}
    for node in reversed(nodes):
        if node not in live or node not in arriving:
            continue
        terms = arriving.pop(node)
        adjoint[node] = upstream = terms[0] if len(terms) == 1 else add(terms)
        for arg, local in zip(node.args, partials(node, live)):
            if local is not None:
                arriving.setdefault(arg, []).append(times(upstream, local))
    return [adjoint.get(x, 0.0) for x in xs]


def pull(
    seeds: Mapping[Value, Number], xs: Sequence[Value], record: bool, part: Part | None = None
) -> list[Number]:
    """The adjoints of ``xs`` as floats, or with ``record`` as Values, by the same partials."""
    partials = lambda node, live: _locals(node, live, record)  # noqa: E731
    return reverse(seeds, xs, partials, _times, ops.sum, part)


def push(part: Part, tangents: Mapping[Value, Number], record: bool) -> dict[Any, Number]:
    """Forward mode: the tangents of all nodes of a part of a graph from those of some."""
    tangent: dict[Any, Number] = dict(tangents)
    nodes, live = part
    for node in nodes:
        if node in tangents or node not in live:
            continue
        terms = [
            _times(tangent[arg], local)
            for arg, local in zip(node.args, _locals(node, tangent, record))
            if local is not None
        ]
        if terms:
            tangent[node] = terms[0] if len(terms) == 1 else ops.sum(terms)
    return tangent


def between(xs: Sequence[Value], roots: Iterable[Number]) -> Part:
    """The nodes of the roots' graph, oldest first, and those that depend on the xs.

    A trace may reject some: it has only the numbers of nodes older than itself.
    """
    nodes = tape(*[root for root in roots if isinstance(root, Value)], through_stops=False)
    live = depends_on(nodes, xs)
    trace = MODE.get().trace or next((x.trace for x in live if x.trace is not None), None)
    if trace is not None:
        trace.check(live)
    return nodes, live


def _locals(node: Value, live: Container[Value], record: bool) -> list[Any]:
    """The partials of a node for the live arguments, None for the others."""
    if node.op is None:
        return []
    if not record:
        return [
            local if type(arg) is not float and arg in live else None
            for arg, local in zip(node.args, local_numbers(node))
        ]
    return node.op.locals(node, node.args, [wanted(arg) and arg in live for arg in node.args])


def _times(x: Number, y: Number) -> Number:
    """x · y; factors of exactly ±1 are not recorded, which changes no bit of the result."""
    for one, other in ((x, y), (y, x)):
        if type(one) is float and (one == 1.0 or one == -1.0):
            return other if one == 1.0 else -other
    return x * y


# ── Running a function on fresh Values ────────────────────────────────────────────────────


class Run(NamedTuple):
    """A function that was run once: its variables and its outputs."""

    variables: list[Value]
    like_input: Rebuild
    outputs: list[Any]
    like_output: Rebuild
    record: bool  # whether the caller wants Values

    def give(self, x: Number) -> Number:
        """A result as a float or a Value, as the caller needs."""
        if self.record:
            return x if isinstance(x, Value) else lifted(x)
        return x.data if isinstance(x, Value) else number(x)

    def input(self, numbers: Sequence[Number]) -> Any:
        """Numbers in the structure of the input, as floats or Values."""
        return self.like_input([self.give(x) for x in numbers])

    def output(self, numbers: Sequence[Number]) -> Any:
        """Numbers in the structure of the output, as floats or Values."""
        return self.like_output([self.give(x) for x in numbers])

    def wanting(self, given: Sequence[Number]) -> Run:
        """The same run, with Values as results if some of the numbers are Values."""
        return self._replace(record=self.record or any(isinstance(x, Value) for x in given))

    def scalar(self, transform: str) -> Any:
        """The only output, which may be an array without axes."""
        returned = self.like_output(self.outputs)
        if len(self.outputs) == 1 and (
            returned is self.outputs[0] or getattr(returned, "shape", None) == ()
        ):
            return self.outputs[0]
        raise BadArgument(
            f"{transform} needs a function that returns one number. Received: one that "
            f"returns {returned!r}. Use tg.jacobian for several."
        )

    def seeded(self, cotangents: Sequence[Number]) -> dict[Value, Number]:
        """The recorded outputs, with their initial adjoints."""
        seeds: dict[Value, Number] = {}
        for output, cotangent in zip(self.outputs, cotangents):
            if isinstance(output, Value):
                seeds[output] = seeds[output] + cotangent if output in seeds else cotangent
        return seeds


def run_on_values(
    f: Callable[..., Any],
    args: tuple[Any, ...],
    named: dict[str, Any],
    argnums: int | Sequence[int],
) -> Run:
    if not callable(f):
        raise NotANumber(f"A function is needed. Received: {f!r}.")
    chosen, tupled = positions(argnums, len(args)), is_several(argnums)
    by = tuple(args[i] for i in chosen) if tupled else args[chosen[0]]
    numbers, like_input = flatten(by)
    with entering(recording=True, nested=True):
        # A number becomes a leaf, a Value a fresh identity node: in either case a variable that
        # no other derivative, outer or inner, uses. The Values of a model's variables stay, because
        # the function may call the model instead of using its arguments.
        own = kept(by if tupled else [by])
        variables = [x if id(x) in own else lifted(x) for x in numbers]
        fresh = like_input(variables)
        called = list(args)
        for i, part in zip(chosen, fresh if tupled else [fresh]):
            called[i] = part
        _running[key := id(variables)] = variables
        try:
            outputs, like_output = flatten(f(*called, **named))
        finally:
            del _running[key]  # no call, after which Ctrl-C would be raised
    record = holds_values([*args, *named.values()]) or is_symbolic(outputs)
    return Run(variables, like_input, outputs, like_output, record)


_running: dict[int, list[Value]] = {}
"""The variables of every derivative whose function is running, in any thread."""


def is_symbolic(results: Sequence[Any]) -> bool:
    """Whether results must stay Values, because they will be differentiated or replayed.

    Either a function is being traced for compilation, here or where one of the results comes
    from; or a result depends on a variable of a derivative whose function is still running.
    """
    values = [x for x in results if isinstance(x, Value)]
    if MODE.get().trace is not None or any(x.trace is not None for x in values):
        return True
    variables = {x for run in list(_running.values()) for x in run}
    if not variables:
        return False
    oldest = min(x._serial for x in variables)
    seen = set(values)
    while values:
        node = values.pop()
        if node in variables:
            return True
        if node._serial > oldest:
            new = [arg for arg in node.args if type(arg) is not float and arg not in seen]
            seen.update(new)
            values += new
    return False


def lifted(x: Number) -> Value:
    """A number or a Value as a Value on which nothing else depends.

    In a trace it is not a leaf, because a program reads leaves again at each call.
    """
    if isinstance(x, Value):
        return ops.identity(x)
    return recorded(ops.identity, (x,), x) if MODE.get().trace is not None else Value(x)


def like(f: Any, derivative: Callable[..., Any]) -> Callable[..., Any]:
    """Give the derivative the signature of f, for `inspect.signature`."""
    derivative.__wrapped__ = f  # type: ignore[attr-defined]
    return derivative


# ── The transforms ────────────────────────────────────────────────────────────────────────


def gradients(y: Value, xs: Sequence[Value]) -> list[Value]:
    """dy/dx for each x as Values, recorded by the same partials that compute numbers.

    They can be drawn, and differentiated again; ``.grad`` is not written.

    Args:
        y: the result to differentiate.
        xs: Values from which it was computed, leaves or interior nodes. A Value on which it does
            not depend has gradient 0.

    Raises:
        StaleGraph: if a leaf has changed since ``y`` was computed.

    >>> x = Value(3.0)
    >>> (slope,) = gradients(x * x * x, [x])
    >>> (bend,) = gradients(slope, [x])
    >>> slope.data, bend.data
    (27.0, 18.0)
    """
    xs = [xs] if isinstance(xs, Value) else list(xs)
    for v in (y, *xs):
        if not isinstance(v, Value):
            raise NotANumber(f"gradients needs Values. Received: {v!r}.")
    return [g if isinstance(g, Value) else Value(g) for g in pull({y: 1.0}, xs, record=True)]


def value_and_grad(f: Callable[..., Any], argnums: int | Sequence[int] = 0) -> Callable[..., Any]:
    """The function that returns ``(f(...), grad(f)(...))`` from one run of f.

    Arguments as in `grad`.

    >>> value_and_grad(lambda x: x * x)(3.0)
    (9.0, 6.0)
    """

    def value_and_grad_of_f(*args: Any, **named: Any) -> tuple[Any, Any]:
        run = run_on_values(f, args, named, argnums)
        y = run.scalar("grad")
        slopes = pull(run.seeded([1.0]), run.variables, run.record)
        return run.give(y), run.input(slopes)

    return like(f, value_and_grad_of_f)


def grad(f: Callable[..., Any], argnums: int | Sequence[int] = 0) -> Callable[..., Any]:
    """The gradient of f, a function that returns one number, in reverse mode.

    Args:
        f: an ordinary Python function of Values.
        argnums: the position of the argument to differentiate by, or several positions.

    Returns:
        A function of the same arguments. Its result has the structure of the argument (a number, or
        nested lists, tuples, dicts and arrays of numbers); for several arguments it is a tuple.

    Raises:
        BadArgument: if f returns more than one number, or argnums is invalid.

    >>> grad(lambda x: x**3)(2.0)
    12.0
    >>> grad(grad(lambda x: x**3))(2.0)
    12.0
    >>> grad(lambda p: p["w"] * 3.0 + p["b"])({"w": 2.0, "b": 1.0})
    {'w': 3.0, 'b': 1.0}
    """
    both = value_and_grad(f, argnums)

    def grad_of_f(*args: Any, **named: Any) -> Any:
        return both(*args, **named)[1]

    return like(f, grad_of_f)


def vjp(f: Callable[..., Any], *primals: Any) -> tuple[Any, Callable[[Any], tuple[Any, ...]]]:
    """f(*primals) and its pullback: cotangent of the result ↦ cotangents of the primals.

    One reverse sweep per call of the pullback: the vector-Jacobian product vᵀJ.

    >>> y, pullback = vjp(lambda x, y: [x * y, x + y], 2.0, 3.0)
    >>> y, pullback([1.0, 0.0])
    ([6.0, 5.0], (3.0, 2.0))
    """
    run = run_on_values(f, primals, {}, range(len(primals)))

    def pullback(cotangent: Any) -> tuple[Any, ...]:
        cotangents = matched(cotangent, run.like_output(run.outputs), "cotangent", "result")
        wanting = run.wanting(cotangents)
        swept = pull(run.seeded(cotangents), run.variables, wanting.record)
        return wanting.input(swept)  # type: ignore[no-any-return]

    return run.output(run.outputs), pullback


def jvp(f: Callable[..., Any], primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
    """f(*primals) and its derivative along the tangents, in forward mode.

    One sweep over the recorded nodes, oldest first: the Jacobian-vector product Jv.

    Args:
        primals: the arguments of f, as a tuple or list.
        tangents: the direction, of the same structure: lists, tuples and arrays match by
            position, dicts by key.

    Returns:
        ``(y, dy)``, both of the shape of f's result.

    Raises:
        BadArgument: if the tangents have another structure.

    >>> jvp(lambda x, y: x * y, (2.0, 3.0), (1.0, 0.0))
    (6.0, 3.0)
    """
    run = run_on_values(f, tuple(primals), {}, range(len(primals)))
    directions = matched(tangents, tuple(primals), "tangents", "primals")
    run = run.wanting(directions)
    return run.output(run.outputs), run.output(_along(run, run.outputs, directions))


def _along(run: Run, outputs: Sequence[Number], directions: Sequence[Number]) -> list[Number]:
    """The tangent of each output; a plain number that f returned has tangent 0."""
    part = between(run.variables, outputs)
    tangents = push(part, dict(zip(run.variables, directions)), run.record)
    return [tangents.get(y, 0.0) if isinstance(y, Value) else 0.0 for y in outputs]


def slopes_of(run: Run) -> list[Number]:
    """The gradient of a scalar function, recorded."""
    run.scalar("a second derivative")
    with entering(recording=True):
        return pull(run.seeded([1.0]), run.variables, record=True)


def hvp(f: Callable[..., Any], primals: Sequence[Any], v: Sequence[Any]) -> tuple[Any, ...]:
    """The Hessian of f times a vector, forward over reverse: two sweeps, no matrix.

    Args:
        primals: the arguments of f, as a tuple or list; f returns one number.
        v: the vector, of the same shape.

    Returns:
        A tuple of the shape of the primals.

    >>> hvp(lambda x, y: x * x * y, (2.0, 3.0), (1.0, 0.0))
    (6.0, 4.0)
    """
    run = run_on_values(f, tuple(primals), {}, range(len(primals)))
    directions = matched(v, tuple(primals), "vector", "primals")
    run = run.wanting(directions)
    result: tuple[Any, ...] = run.input(_along(run, slopes_of(run), directions))
    return result
