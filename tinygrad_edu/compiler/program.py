"""`Program`: a recorded expression, ready to be computed for many samples at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from functools import cached_property
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from ..blocks import entering
from ..core.graph import depends_on, tape, wanted
from ..core.modes import refuse_while_tracing
from ..core.ops import add, identity, stop_gradient
from ..core.ops import sum as sum_row
from ..core.table import is_real
from ..core.value import ROLES_SET, Number, Value, replay
from ..errors import BadArgument, NotANumber, StaleGraph, check_name
from . import python, serialization
from .arrays import SMALL, Results, arrays
from .lowering import Lowering, Recording, reachable
from .scheduler import Runner
from .traced import Roles
from .transforms import only

if TYPE_CHECKING:
    from .tensors import Tensors

__all__ = ["Program", "compile"]

REDUCTIONS: Final = ("mean", "sum")
_SUMS: Final = (add, sum_row, identity)
_ALONE: Final = {"value": "value of one sample", "all": "all of one sample"}


# ── From a graph ──────────────────────────────────────────────────────────────────────────


def compile(
    loss: Value | Sequence[Number],
    *,
    inputs: Value | Sequence[Value],
    parameters: Value | Sequence[Value] = (),
    reduce: str = "mean",
    executor: str = "auto",
    fastmath: bool = False,
    lift: bool = True,
) -> Program:
    """The recorded graph of one sample as a program for batches of them.

    A recorded graph is one fixed expression: branches that Python took when it was recorded
    (``if x.data > 0``) stay taken for every sample. Use `tg.where` for those.

    Args:
        loss: the result of one sample; or several results, for `Program.values` only.
        inputs: the leaves whose numbers differ from sample to sample, in the order of the columns
            of a batch.
        parameters: the leaves to differentiate by. Other leaves are read at each call. No
            gradient flows to a constant; if its role changes, compile the graph again.
        reduce: "mean" or "sum" of the loss over the samples. Terms of the loss that use no
            input, such as a regulariser, count once per batch and not once per sample: they are
            added at the end, except for a single sample, where they are added in their recorded
            order.
        executor: "auto" starts in Python and switches to machine code or tensors when that is worth
            it; "python", "machine", "native" and "tensors" are the choices.
        fastmath: whether native code may fuse and reorder arithmetic, at the cost of bits.
        lift: whether "auto" may switch to tensors, whose sums differ in their last bits.

    Raises:
        NotANumber: if loss, inputs or parameters are anything else.
        NotTraceable: if an operation was recorded that only Python can compute.
        MissingExtra: if the chosen executor needs llvmlite, which is not installed.

    >>> x, y = Value(0.0, name="x"), Value(0.0, name="y")
    >>> w = Value(2.0, name="w")
    >>> program = compile((w * x - y) ** 2 + 0.1 * w**2, inputs=[x, y], parameters=[w])
    >>> program.value([[1.0, 1.0], [2.0, 3.0]])
    1.4
    >>> loss, gradient = program.value_and_grad([[1.0, 1.0], [2.0, 3.0]])
    >>> loss, float(gradient[0])
    (1.4, 3.4)
    """
    check_name("reduction", reduce, REDUCTIONS)
    roots = _items(loss, "loss is a Value that was recorded, or a list of Values")
    for root in roots:
        if not (isinstance(root, Value) or is_real(root)):
            raise NotANumber(
                f"loss must be a recorded Value, or a flat list of Values. "
                f"Received: {root!r} in it. tg.ravel(tree)[0] returns such a list."
            )
    inputs, parameters = _leaves(inputs, "inputs"), _leaves(parameters, "parameters")
    if len({*inputs, *parameters}) < len(inputs) + len(parameters):
        raise BadArgument("Inputs and parameters must all be different Values.")
    single = roles = None
    if isinstance(loss, Value):
        roles = Roles(_live(loss, parameters), wanted)
        root = _current(loss)
        with entering(recording=True):
            parts = _terms(root, inputs)
        lowering = Lowering(inputs, parameters, [part for part in parts if part is not None])
        total, once = (_with_slopes(lowering, part, parameters) for part in parts)
        code = lowering.code(total=total, once=once)
        if total and once:
            unsplit = Lowering(inputs, [*parameters, *lowering.captured], [root])
            single = unsplit.code(total=_with_slopes(unsplit, root, parameters))
    else:
        lowering = Lowering(inputs, parameters, roots)
        code = lowering.code(each=[lowering.slot(root) for root in roots])
    slopes = zip(code.total[1:] or code.once[1:], parameters)
    names = {slot: f"d{w.name}" for slot, w in slopes if w.name and slot >= code.first}
    recording = lowering.recording(code, inputs, parameters, names, single, reduce)
    return Program(recording, executor, fastmath, roles, lift)


def _items(values: Any, what: str) -> list[Any]:
    """One Value, or several in an order, as a list."""
    if isinstance(values, Value):
        return [values]
    if isinstance(values, (str, bytes, Mapping, Set)) or not hasattr(values, "__iter__"):
        raise NotANumber(f"{what}. Received: {values!r}.")
    return list(values)


def _leaves(values: Any, what: str) -> list[Value]:
    """The inputs, or the parameters."""
    leaves = _items(values, f"{what} are a list of Values")
    for leaf in leaves:
        if not isinstance(leaf, Value) or leaf.op is not None:
            raise NotANumber(f"{what} must be leaves, Values that you created. Received: {leaf!r}.")
    return leaves


def _with_slopes(lowering: Lowering, part: Number | None, parameters: Sequence[Value]) -> list[int]:
    """The slots of a part of the loss and of its gradient; empty if the part is None."""
    if part is None:
        return []
    slopes = [lowering.slot(0.0)] * len(parameters)
    if isinstance(part, Value):
        slopes = lowering.gradients(part, parameters)
    return [lowering.slot(part), *slopes]


def _live(root: Value, parameters: Sequence[Value]) -> list[Value]:
    """The Values on whose roles the gradient of a root depends."""
    _, nodes, _ = reachable([root], parameters)
    return sorted(depends_on(nodes, parameters) - {root}, key=attrgetter("_serial"))


def _current(root: Value) -> Value:
    """The root, recorded again if some leaf has changed since: its numbers don't matter here."""
    try:
        tape(root)
    except StaleGraph:
        return replay(root)
    return root


def _terms(root: Value, inputs: Sequence[Value]) -> tuple[Number | None, Number | None]:
    """The root as a sum of two parts: the terms that depend on the inputs, and the others; None for
    a part without terms.

    Sums and + at the top are taken apart only as far as needed to separate these, so that all
    other sums keep the order of their terms. No gradient flows to the terms of
    a sum that is a constant, nor to a term that is one.
    """
    nodes = tape(root)
    varying, mixed = _dependent(nodes, inputs)
    uses = dict.fromkeys(nodes, 0.0)  # how often a term counts: sums may share it
    stopped = dict(uses)  # and how often without a gradient
    uses[root] = 1.0
    lanes: list[Number] = []
    regular: list[Number] = []
    for node in reversed(nodes):
        if node is not root and not wanted(node):
            uses[node], stopped[node] = 0.0, uses[node] + stopped[node]
        if node not in mixed:
            part = lanes if node in varying else regular
            for stops, times in ((False, uses[node]), (True, stopped[node])):
                if times:
                    term = stop_gradient(node) if stops else node
                    part.append(term if times == 1.0 else term * times)
            continue
        for arg in reversed(node.args):
            if type(arg) is float:
                regular.append(arg * (uses[node] + stopped[node]))
            else:
                uses[arg] += uses[node]
                stopped[arg] += stopped[node]
    return _total(lanes[::-1]), _total(regular[::-1])


def _dependent(nodes: Sequence[Value], inputs: Sequence[Value]) -> tuple[set[Value], set[Value]]:
    """The nodes of a tape that depend on the inputs, and the sums that have terms of both kinds."""
    varying, mixed = set(inputs), set[Value]()
    for node in nodes:
        if any(type(arg) is not float and arg in varying for arg in node.args):
            varying.add(node)
            if node.op in _SUMS and not all(
                type(arg) is not float and arg in varying and arg not in mixed for arg in node.args
            ):
                mixed.add(node)
    return varying, mixed


def _total(terms: list[Number]) -> Number | None:
    return sum_row(terms) if len(terms) > 1 else terms[0] if terms else None


# ── The program ───────────────────────────────────────────────────────────────────────────


class Report(NamedTuple):
    """How a program is run; printing it shows it line by line.

    Attributes:
        instructions, inputs, parameters: the size of the program.
        executor: the current executor, and ``why``.
        seconds: the time to prepare each executor.
        calls, lanes: the number of calls, and of samples in all of them.
        bytes: the working memory of a call.
    """

    instructions: int
    inputs: int
    parameters: int
    executor: str
    why: str
    seconds: dict[str, float]
    calls: int
    lanes: int
    bytes: int

    def __str__(self) -> str:
        took = ", ".join(f"{name} {seconds:.3f} s" for name, seconds in self.seconds.items())
        return (
            f"instructions  {self.instructions:,} from {self.inputs:,} inputs, "
            f"{self.parameters:,} parameters\n"
            f"executor      {self.executor}: {self.why}\n"
            f"prepared in   {took}\n"
            f"run           {self.calls:,} times for {self.lanes:,} lanes\n"
            f"memory        {self.bytes:,} bytes that a call works in"
        )


class Program:
    """A recorded expression that is computed for a batch of samples at once.

    Programs are made by `compile` and by ``tg.jit(f).program(...)``.

    Args:
        recording: the recorded expression, with its leaves.
        executor, fastmath, lift: as in `compile`.
        roles: those on which the derivatives in it depend; by default those of its parameters.

    Attributes:
        code: the program as plain data.
        inputs: the names of the columns of a batch.
        single: if terms count once, the loss and slopes of a single sample, whose terms are
            added in the order in which they were recorded; otherwise None, as code does that.
        parameters: the leaves to differentiate by.
        captured: the other Values, whose numbers are read at each call.
        reduce: "mean" or "sum".
    """

    def __init__(
        self,
        recording: Recording,
        executor: str = "auto",
        fastmath: bool = False,
        roles: Roles | None = None,
        lift: bool = True,
    ) -> None:
        self._recording, self._executor, self.fastmath = recording, executor, fastmath
        self.lift = lift
        self.code, self.inputs, self.parameters, self.captured = recording[:4]
        self.single, self.reduce = recording.single, recording.reduce
        self._roles = roles or Roles(() if self.code.each else self.parameters, wanted)
        self._runners: dict[str, Runner] = {}
        # Most calls pass the same arrays as the last one, which are not checked again. The views
        # of them are kept, because an array may be reshaped in place.
        self._batch: tuple[Any, Any] = object(), ()
        self._theta: tuple[Any, Any] = object(), ()
        self._out: Any = None
        if executor != "auto":
            self._runner("each" if self.code.each else "all")  # reports a missing extra now

    # ── Running ──

    def value(self, batch: Any, theta: Any = None) -> float:
        """The loss of a batch.

        Args:
            batch: n rows of ``len(inputs)`` numbers; a C-contiguous float64 array is fastest.
            theta: the numbers of the parameters; by default the current ones.

        Raises:
            BadArgument: if the shapes do not match, for the mean of an empty batch, or if the
                program has several results.
        """
        return self._reduced("value", batch, theta).front[0]  # type: ignore[no-any-return]

    def value_and_grad(self, batch: Any, theta: Any = None, out: Any = None) -> tuple[float, Any]:
        """The loss of a batch and its gradient by the parameters.

        Args:
            batch, theta: as for `value`.
            out: an array of float64 or a list to write the gradient to.

        Returns:
            The loss, and one number per parameter: an array, or a list without NumPy.

        Raises:
            BadArgument: as `value`; if ``out`` doesn't have one number per parameter; or if a
                Value between a parameter and the loss has become a constant, or stopped being one.
        """
        if self._roles.seen != ROLES_SET[0]:  # `Roles.changed` without its call
            self._refuse_roles()
        if out is not self._out and out is not None:
            self._check_out(out)
        results = self._reduced("all", batch, theta)
        if out is None:
            out = results.slopes.copy()
        else:
            out[:] = results.slopes
        return results.front[0], out

    def _refuse_roles(self) -> None:
        """Raise if a role has changed on which derivatives depend."""
        for value in self._roles.changed():
            raise BadArgument(
                f"The role of {value.name or value!r} is {value.role!r} now, and was different "
                f"when this program was recorded. Its derivatives depend on that role, as no "
                f"gradient flows to a constant. Set the role back, or make the program again "
                f"with tg.compile or tg.jit(f).program(...)."
            )

    def _check_out(self, out: Any) -> None:
        count, shape = len(self.parameters), getattr(out, "shape", None)
        fits = shape == (count,) and out.dtype == float and out.flags.writeable
        if not (fits or (shape is None and isinstance(out, list) and len(out) == count)):
            received = repr(out) if shape is None else f"an array of shape {shape}, {out.dtype}"
            raise BadArgument(
                f"out must be an array of float64, or a list, with one number per "
                f"parameter, {count}. Received: {received}."
            )
        self._out = out if shape else None  # lists may change their length

    def values(self, batch: Any, theta: Any = None) -> Any:
        """The results of every sample: n rows, or n numbers of a loss (without the terms that
        count once per batch).

        Raises:
            BadArgument: if the shapes do not match, if nothing depends on a sample, or if a role
                has changed on which derivatives among the results depend.
        """
        code = self.code
        if code.once and not code.total:
            raise BadArgument(
                "Nothing in this program depends on a sample. Call its value instead."
            )
        if code.each and self._roles.seen != ROLES_SET[0]:
            self._refuse_roles()
        numbers, runner, rows = arrays(), self._runner("each"), self._rows(batch)
        table = numbers.empty_table(len(rows), len(runner.code.each))
        runner(len(rows), rows, self._shared(theta), table, [], [])
        if code.total:
            return numbers.column(table)
        row, places = self._template
        return table if len(places) == len(row) else numbers.spread(table, row, places)

    @cached_property
    def _template(self) -> tuple[Any, Any]:
        """A row of results with its plain numbers (of a Hessian, most are 0), and the places of
        the others, which are computed."""
        code, row, places = self.code, [0.0] * len(self.code.each), []
        for place, slot in enumerate(code.each):
            constant = slot - code.inputs - code.shared
            if 0 <= constant < len(code.constants):
                row[place] = code.constants[constant]
            else:
                places.append(place)
        return arrays().template(row, places)  # type: ignore[no-any-return]

    def _reduced(self, wanted: str, batch: Any, theta: Any) -> Results:
        """The totals over the lanes, reduced, with the terms that count once."""
        rows, shared = self._rows(batch), self._shared(theta)
        n = len(rows)
        if n == 0 and self.code.total and self.reduce == "mean":
            raise BadArgument("The mean of an empty batch is undefined. Received: an empty batch.")
        if n == 1 and self.single is not None:
            wanted = _ALONE[wanted]
        runner = self._runners.get(wanted) or self._runner(wanted)
        results: Results = runner.results(n, rows, shared)
        if n != 1 or self.code.once:
            results.reduce(n if self.reduce == "mean" else 1)
        return results

    def _rows(self, batch: Any) -> Any:
        """The batch as a table of numbers."""
        if batch is self._batch[0]:
            return self._batch[1]
        try:
            rows = arrays().table_of(batch, len(self.inputs))
        except BadArgument as error:
            raise BadArgument(
                f"A batch must have one row per sample and {len(self.inputs)} columns "
                f"({', '.join(name or '?' for name in self.inputs)}). Received: {error}."
            ) from None
        except NotANumber as error:
            raise NotANumber(f"A batch must contain only numbers. {error}") from None
        if rows is batch and rows.nbytes <= SMALL:
            self._batch = batch, rows.view()
        return rows

    def _shared(self, theta: Any) -> Any:
        """The numbers that all lanes share: theta, and the current captured numbers."""
        if theta is self._theta[0]:
            return self._theta[1]
        count = len(self.parameters)
        if self.captured or (theta is None and count):
            refuse_while_tracing("The numbers that a Program reads from its Values were asked for")
        if theta is None:
            numbers = [value._data for value in self.parameters]
        else:
            try:
                numbers = arrays().numbers_of(theta, count)
            except BadArgument as error:
                raise BadArgument(
                    f"theta must have one number per parameter, {count}. Received: {error}."
                ) from None
            except NotANumber as error:
                raise NotANumber(f"theta must contain only numbers. {error}") from None
        if self.captured or theta is None:
            return arrays().of_floats([*numbers, *(value._data for value in self.captured)])
        if numbers is theta:
            self._theta = theta, numbers.view()
        return numbers

    def _runner(self, wanted: str) -> Runner:
        """The runner of the whole program ("all"), or of the part that a call needs."""
        runner = self._runners.get(wanted)
        if runner is None:
            code = self.single if self.single and wanted in _ALONE.values() else self.code
            if code.each and wanted != "each":
                raise BadArgument("This program has several results. Call values(batch) instead.")
            if wanted in ("value", _ALONE["value"]):
                code, _ = only(code, total=code.total[:1], once=code.once[:1])
            elif wanted == "each":
                _, places = self._template
                computed = [code.each[place] for place in places]
                code, _ = only(code, each=computed if code.each else code.total[:1])
            made = Runner(code, self._executor, self.fastmath, self.lift)
            runner = self._runners.setdefault(wanted, made)
        return runner

    # ── Reading it ──

    def source(self) -> str:
        """The program as runnable Python source, forward and then backward."""
        self._refuse_roles()
        recording = self._recording
        return python.source(self.code, recording.names, recording.scopes, recording.backward)

    def c_source(self, name: str = "program") -> str:
        """The program as a C file with one function of that name, which needs only math.h.

        It computes sums over the samples, even if ``reduce`` is "mean"; the comment at its top
        explains how to call it.
        """
        from .c_source import c_source

        self._refuse_roles()
        names = [value.name for value in self.parameters]
        slopes = ["loss", *(name and f"d{name}" for name in names)]
        return c_source(
            self.code,
            name,
            inputs=self.inputs,
            shared=[*names, *(value.name for value in self.captured)],
            total=slopes if self.code.total else (),
            once=slopes if self.code.once else (),
        )

    def tensors(self) -> Tensors:
        """The products of matrices and other operations on tensors in this program of scalars.

        Printing them shows mathematics; `Tensors.source` returns NumPy code.

        They are found by the structure of the program alone, however it was written. Two samples of
        a layer of two neurons:

        >>> x, w = ([Value(0.5, name=f"{a}{i}") for i in range(4)] for a in "xw")
        >>> layer = [w[0] * x[0] + w[1] * x[1], w[2] * x[0] + w[3] * x[1]]
        >>> program = compile([h.tanh() for h in layer], inputs=x[:2], parameters=w)
        >>> print(program.tensors())
        8 scalar instructions are 1 line of tensors. n is the number of samples.
        <BLANKLINE>
        h₁ = tanh(X @ W₁.T)    n × 2
        <BLANKLINE>
        X    n × 2, the inputs
        W₁   2 × 2, θ[0:4].reshape(2, 2)
        """
        from .tensors import Tensors

        self._refuse_roles()
        return Tensors(self.code, self._recording.backward, None if self.code.each else 1)

    def report(self) -> Report:
        """The size of the program, its executor and the reason, and the time to prepare it."""
        runners = self._runners.values() or [self._runner("each" if self.code.each else "all")]
        runner = max(runners, key=attrgetter("lanes"))  # that does most of the work
        return Report(
            len(self.code.ops),
            len(self.inputs),
            len(self.parameters),
            runner.executor,
            runner.why,
            dict(runner.seconds),
            runner.calls,
            runner.lanes,
            getattr(runner.kernels[0], "bytes", 8 * runner.code.slots),
        )

    # ── Elsewhere ──

    def to_json(self) -> str:
        """The program, with the current numbers of its parameters, as a string of JSON.

        >>> x, w = Value(0.0, name="x"), Value(3.0, name="w")
        >>> text = compile(w * x, inputs=[x], parameters=[w]).to_json()
        >>> Program.from_json(text).value([[2.0]])
        6.0
        """
        self._refuse_roles()
        return serialization.write(self._recording)

    @classmethod
    def from_json(cls, text: str, *, executor: str = "auto", fastmath: bool = False) -> Program:
        """The program from a string that `to_json` returned, with its own parameters.

        Raises:
            BadArgument: if it is anything else; none of it is run then.
        """
        recording = serialization.read(text)
        code, single, count = recording.code, recording.single, 1 + len(recording.parameters)
        check_name("reduction", recording.reduce, REDUCTIONS)
        each, *sums = len(code.each), len(code.total), len(code.once)
        if sums not in ([0, 0], *([] if each else [[0, count], [count, 0], [count, count]])):
            raise BadArgument(
                f"A program must have results for each sample, or the totals of a loss and its "
                f"{count - 1} slopes, maybe with as many that count once. Received: "
                f"{each} of each sample, {sums[0]} totals, {sums[1]} once."
            )
        if single is not None:
            results = len(single.each), len(single.total), len(single.once)
            if sums != [count, count] or results != (0, count, 0):
                raise BadArgument(
                    f"The program of a single sample has {count} totals, and accompanies one in "
                    f"which terms count once. Received: {results}, with {sums}."
                )
        return cls(recording, executor, fastmath)

    def __reduce__(self) -> tuple[Any, ...]:  # a copy has its own executors
        self._refuse_roles()
        return Program, (self._recording, self._executor, self.fastmath, self._roles, self.lift)

    def __repr__(self) -> str:
        return (
            f"<Program of {len(self.code.ops):,} instructions, {len(self.inputs)} inputs, "
            f"{len(self.parameters)} parameters>"
        )
