"""LLVM's language, written as arithmetic: `x * y + 1.0` on `Real`s becomes three instructions.

A `Function` collects the lines of one function; a `Real` is one of its values, a number or a
row of `LANES` numbers, and its operators write instructions. So a primitive or a whole
numerical method is written once, with Python's operators, for one sample and for eight.
`compiled` turns the text of some functions into machine code in memory.
"""

from __future__ import annotations

import atexit
import ctypes
import struct
import sys
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache, wraps
from typing import Any, ClassVar, TypeVar, cast

from ..errors import MissingExtra
from ..locks import lock

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T", bound="Lanes")

LANES = 8
"""Samples that are computed at once, on every machine: LLVM splits a row of eight numbers
into as many registers as needed, so results do not depend on their width."""

FAST = " reassoc contract arcp nsz afn"
"""The liberties of ``fastmath``: fused and reordered arithmetic, but nan and inf stay."""


class Function:
    """The text of one LLVM function.

    Args:
        name: its name.
        parameters: the LLVM types of its parameters, by name.
        result: the type and the value that it returns.
        lanes: how many numbers a `Real` made here holds, unless said otherwise.
        fastmath: whether arithmetic may take the liberties of `FAST`.

    >>> f = Function("scaled", {"p": "ptr", "i": "i64"}, lanes=1)
    >>> f.store(2.0 * f.load("%p", 3), "%p", f.whole("i") + 1)
    >>> print(f.text())
    define void @scaled(ptr noalias %p, i64 %i) {
    entry:
      %1 = getelementptr double, ptr %p, i64 3
      %2 = load double, ptr %1, align 8
      %3 = fmul double 0x4000000000000000, %2
      %4 = add i64 %i, 1
      %5 = getelementptr double, ptr %p, i64 %4
      store double %3, ptr %5, align 8
      ret void
    }
    """

    def __init__(
        self,
        name: str,
        parameters: dict[str, str],
        result: str = "void",
        *,
        lanes: int = LANES,
        fastmath: bool = False,
    ) -> None:
        pointers = {"ptr": "ptr noalias"}  # the arguments of a kernel never overlap
        self.parameters = ", ".join(f"{pointers.get(t, t)} %{p}" for p, t in parameters.items())
        self.name = name
        self.result = result
        self.lanes = lanes
        self.flags = FAST if fastmath else ""
        self.entry: list[str] = []
        self.lines: list[str] = []
        self.declared: set[str] = set()
        self.count = 0
        self.label = "entry"

    def whole(self, parameter: str) -> Whole:
        """A parameter of type i64."""
        return Whole(self, f"%{parameter}", 1)

    def write(self, line: str) -> None:
        self.lines.append(f"  {line}")

    def value(self, line: str) -> str:
        """Write an instruction that has a result, and give the result's name."""
        self.count += 1
        self.lines.append(f"  %{self.count} = {line}")
        return f"%{self.count}"

    def real(self, x: Real | float) -> Real:
        """A constant as a `Real`."""
        if isinstance(x, Real):
            return x
        return Real(self, repeated("double", x, self.lanes), self.lanes)

    def load(self, pointer: str, index: int | Whole, lanes: int = 0) -> Real:
        """The `Real` that begins at pointer[index], counted in numbers."""
        lanes = lanes or self.lanes
        line = f"load {kind('double', lanes)}, ptr {self.place(pointer, index)}, align 8"
        return Real(self, self.value(line), lanes)

    def store(self, x: Real, pointer: str, index: int | Whole) -> None:
        self.write(f"store {x.typed}, ptr {self.place(pointer, index)}, align 8")

    def place(self, pointer: str, index: int | Whole, of: str = "double") -> str:
        return self.value(f"getelementptr {of}, ptr {pointer}, i64 {index}")

    def field(self, pointer: str, index: int | Whole, of: str = "i64") -> Whole:
        """An integer from an array of i64 or i32, as i64."""
        name = self.value(f"load {of}, ptr {self.place(pointer, index, of)}")
        return Whole(self, name if of == "i64" else self.value(f"sext {of} {name} to i64"), 1)

    def pointer(self, pointer: str, index: int | Whole) -> str:
        """A pointer from an array of pointers."""
        return self.value(f"load ptr, ptr {self.place(pointer, index, 'ptr')}")

    def c_function(self, name: str) -> str:
        """A pointer to a function of the C library."""
        address = ctypes.cast(getattr(library(), name), ctypes.c_void_p).value
        return self.value(f"inttoptr i64 {address} to ptr")

    def call(self, pointer: str, *args: Real) -> Real:
        """The result of a function of `Real`s."""
        return args[0].result(f"call {args[0].type} {pointer}({_listed(args)})")

    def intrinsic(self, name: str, *args: Real) -> Real:
        """One of LLVM's own functions, for which every processor has an instruction."""
        of = args[0].type
        name = f"@llvm.{name}.{f'v{args[0].lanes}f64' if args[0].lanes > 1 else 'f64'}"
        self.declared.add(f"declare {of} {name}({', '.join([of] * len(args))})")
        return args[0].result(f"call{self.flags} {of} {name}({_listed(args)})")

    def kept(self, x: Real) -> str:
        """A place in the function's own memory, which holds x."""
        place = f"%kept{len(self.entry)}"
        self.entry.append(f"  {place} = alloca {x.type}")
        self.store(x, place, 0)
        return place

    @contextmanager
    def exactly(self) -> Iterator[None]:
        """Inside, arithmetic takes no liberties."""
        flags, self.flags = self.flags, ""
        yield
        self.flags = flags

    def block(self, label: str) -> None:
        self.lines.append(f"{label}:")
        self.label = label

    @contextmanager
    def repeat(self, times: Whole, carry: Real | None = None) -> Iterator[Loop]:
        """``for i in range(times)``; ``carry`` is a number handed from round to round."""
        loop = Loop(self, carry)
        number, before = loop.number, self.label
        self.write(f"br label %head{number}")
        self.block(f"head{number}")
        head = len(self.lines)
        self.write(f"%more{number} = icmp slt i64 %i{number}, {times}")
        self.write(f"br i1 %more{number}, label %body{number}, label %done{number}")
        self.block(f"body{number}")
        yield loop
        self.write(f"%next{number} = add i64 %i{number}, 1")
        phis = [f"  %i{number} = phi i64 [0, %{before}], [%next{number}, %{self.label}]"]
        if carry is not None:
            rounds = f"[{carry}, %{before}], [{loop.carried}, %{self.label}]"
            phis.append(f"  %carry{number} = phi {carry.type} {rounds}")
            loop.carried = Real(self, f"%carry{number}", carry.lanes)
        self.lines[head:head] = phis
        self.write(f"br label %head{number}")
        self.block(f"done{number}")

    def copy(self, source: str, target: str, count: Whole) -> None:
        """Copy so many numbers from one place to another."""
        memcpy = self.c_function("memcpy")
        self.value(f"call ptr {memcpy}(ptr {target}, ptr {source}, i64 {count * 8})")

    @contextmanager
    def when(self, condition: Truth) -> Iterator[None]:
        """A block of code that runs only if the condition holds."""
        self.count += 1
        number = self.count
        self.write(f"br {condition.typed}, label %then{number}, label %end{number}")
        self.block(f"then{number}")
        yield
        self.write(f"br label %end{number}")
        self.block(f"end{number}")

    def text(self) -> str:
        """The whole function."""
        of = self.result.rpartition(" ")[0] or self.result
        head = f"define {of} @{self.name}({self.parameters}) {{"
        return "\n".join([head, "entry:", *self.entry, *self.lines, f"  ret {self.result}", "}"])


def _listed(args: Sequence[Real]) -> str:
    return ", ".join(x.typed for x in args)


class Loop:
    """A running loop of `Function.repeat`: its index, and the number it carries."""

    def __init__(self, f: Function, carry: Real | None) -> None:
        f.count += 1
        self.number = f.count
        self.index = Whole(f, f"%i{self.number}", 1)
        if carry is not None:
            self.carried = Real(f, f"%carry{self.number}", carry.lanes)


class Lanes:
    """A value of a `Function`: its name there, and how many lanes it holds.

    Operators write instructions. A plain number among the operands is the same in every lane.
    """

    __slots__ = ("f", "lanes", "name")

    scalar: ClassVar[str]  # the LLVM type of one lane
    comparison: ClassVar[str]

    def __init__(self, f: Function, name: str, lanes: int) -> None:
        self.f, self.name, self.lanes = f, name, lanes

    def __str__(self) -> str:
        return self.name

    @property
    def type(self) -> str:
        """The LLVM type."""
        return kind(self.scalar, self.lanes)

    @property
    def typed(self) -> str:
        """Its name after its type."""
        return f"{self.type} {self.name}"

    def result(self: T, line: str) -> T:
        """The result of an instruction, of the same type."""
        return type(self)(self.f, self.f.value(line), self.lanes)

    def operands(self, x: Any, y: Any) -> str:
        """Two operands, of which this is one: the type and the names."""
        names = [
            z.name if isinstance(z, Lanes) else repeated(self.scalar, z, self.lanes) for z in (x, y)
        ]
        return f"{self.type} {', '.join(names)}"

    def compare(self, predicate: str, other: Lanes | float) -> Truth:
        line = f"{self.comparison} {predicate} {self.operands(self, other)}"
        return Truth(self.f, self.f.value(line), self.lanes)


def _operator(instruction: str) -> Callable[[T, T | float], T]:
    return lambda x, y: x.result(f"{instruction} {x.operands(x, y)}")


def _arithmetic(
    instruction: str,
) -> tuple[Callable[[Real, Real | float], Real], Callable[[Real, float], Real]]:
    """An operator, and its reflection, which has a number on the left."""
    return (
        lambda x, y: x.result(f"{instruction}{x.f.flags} {x.operands(x, y)}"),
        lambda y, x: y.result(f"{instruction}{y.f.flags} {y.operands(x, y)}"),
    )


def _comparison(predicate: str) -> Callable[[Real, Real | float], Truth]:
    return lambda x, y: x.compare(predicate, y)


class Real(Lanes):
    """A double or a row of them. Comparisons give a `Truth`."""

    __slots__ = ()
    scalar, comparison = "double", "fcmp"

    __add__, __radd__ = _arithmetic("fadd")
    __sub__, __rsub__ = _arithmetic("fsub")
    __mul__, __rmul__ = _arithmetic("fmul")
    __truediv__, __rtruediv__ = _arithmetic("fdiv")

    def __neg__(self) -> Real:
        return self.result(f"fneg{self.f.flags} {self.typed}")

    __lt__ = _comparison("olt")
    __le__ = _comparison("ole")
    __gt__ = _comparison("ogt")
    __ge__ = _comparison("oge")
    equals = _comparison("oeq")
    differs = _comparison("une")

    def is_nan(self) -> Truth:
        return self.compare("uno", self)

    def bits(self) -> Whole:
        """The same 64 bits, as an integer."""
        line = f"bitcast {self.typed} to {kind('i64', self.lanes)}"
        return Whole(self.f, self.f.value(line), self.lanes)

    def lane(self, i: int) -> Real:
        """One number of a row."""
        return Real(self.f, self.f.value(f"extractelement {self.typed}, i32 {i}"), 1)

    def with_lane(self, i: int, x: Real) -> Real:
        """The row with one number replaced."""
        return self.result(f"insertelement {self.typed}, {x.typed}, i32 {i}")

    def spread(self, lanes: int) -> Real:
        """A row of this one number."""
        if lanes == self.lanes:
            return self
        first = Real(self.f, "poison", lanes).with_lane(0, self)
        mask = f"<{lanes} x i32> zeroinitializer"
        return first.result(f"shufflevector {first.typed}, {first.type} poison, {mask}")


class Whole(Lanes):
    """A 64-bit integer or a row of them: counters, offsets, the bits of a double."""

    __slots__ = ()
    scalar, comparison = "i64", "icmp"

    __add__, __sub__, __mul__ = _operator("add"), _operator("sub"), _operator("mul")
    __floordiv__ = _operator("sdiv")  # for operands that are not negative
    __and__, __or__ = _operator("and"), _operator("or")
    __lshift__, __rshift__ = _operator("shl"), _operator("lshr")

    def real(self) -> Real:
        """The double with these 64 bits."""
        line = f"bitcast {self.typed} to {kind('double', self.lanes)}"
        return Real(self.f, self.f.value(line), self.lanes)


class Truth(Lanes):
    """A condition, or a row of them."""

    __slots__ = ()
    scalar = "i1"

    __and__, __or__ = _operator("and"), _operator("or")

    def __invert__(self) -> Truth:
        return self.result(f"xor {self.operands(self, 1)}")

    def everywhere(self) -> Truth:
        """Whether it holds in every lane of a row."""
        bits = self.f.value(f"bitcast {self.typed} to i{self.lanes}")
        return Truth(self.f, self.f.value(f"icmp eq i{self.lanes} {bits}, -1"), 1)

    def where(self, x: Real | float, y: Real | float) -> Real:
        """x where the condition holds, y elsewhere."""
        x, y = self.f.real(x), self.f.real(y)
        return x.result(f"select {self.typed}, {x.typed}, {y.typed}")


def kind(scalar: str, lanes: int) -> str:
    """The LLVM type of some lanes of a scalar type."""
    return scalar if lanes == 1 else f"<{lanes} x {scalar}>"


def repeated(scalar: str, x: float, lanes: int) -> str:
    """A constant of that type, the same in every lane; doubles in hexadecimal."""
    constant = str(x)
    if scalar == "double":
        constant = f"0x{struct.unpack('<Q', struct.pack('<d', x))[0]:016X}"
    return constant if lanes == 1 else f"<{', '.join([f'{scalar} {constant}'] * lanes)}>"


# ── From text to machine code ─────────────────────────────────────────────────────────────


class MachineCode:
    """Functions in memory. They are freed with this object, so callers must keep it.

    Args:
        engine: of LLVM, which owns that memory.
        names: of the functions.

    Attributes:
        addresses: of the functions, by their names.
    """

    def __init__(self, engine: Any, names: Sequence[str]) -> None:
        self.addresses = {name: int(engine.get_function_address(name)) for name in names}
        # The engine must be closed before the context of its module. In a cycle of references
        # Python's collector would finalise both in any order; arguments of `finalize` are in none.
        weakref.finalize(self, _close, engine).atexit = False


def _close(engine: Any) -> None:
    with _COMPILING:  # not during a fork: LLVM has locks of its own
        if sys.is_finalizing():  # llvmlite may be half gone, and could not close it
            _never_freed(engine)
        else:
            engine.close()


_never_freed = ctypes.PYFUNCTYPE(None, ctypes.py_object)(("Py_IncRef", ctypes.pythonapi))


def compiled(functions: Sequence[Function], level: int = 2) -> MachineCode:
    """Machine code for this processor, made by LLVM's code generator alone.

    There is nothing to simplify in this code, so LLVM's optimiser is not run: it would
    cost most of the time, and might change bits of the results.

    Args:
        functions: they may call each other by name.
        level: how hard the code generator tries, from 0 (quick) to 3.
    """
    llvm = binding()
    declared = sorted(set().union(*(f.declared for f in functions)))
    text = "\n".join([*declared, *(f.text() for f in functions)])
    with _COMPILING:
        module = llvm.parse_assembly(text, llvm.create_context())
        # Constants must lie within reach of short addresses: this manager sees to it.
        engine = llvm.create_mcjit_compiler(module, _target_machine(level), use_lmm=True)
        engine.finalize_object()
        return MachineCode(engine, [f.name for f in functions])


_COMPILING = lock()


def once(f: F) -> F:
    """`functools.cache` for results that must be made only once, even by several threads.

    Of two results, the one that is not cached would take its machine code with it.
    """
    making, cached = lock(), lru_cache(None)(f)

    @wraps(f)
    def locked(*args: Any) -> Any:
        with making:
            return cached(*args)

    return cast(F, locked)


@once
def binding() -> Any:
    """llvmlite's binding, ready for this processor.

    Raises:
        MissingExtra: if llvmlite is not installed.
    """
    try:
        import numpy  # noqa: F401 (with a lock: a fork would leave Python's own of it closed)
        from llvmlite import binding as llvm
    except ImportError as error:
        raise MissingExtra(
            "Native code needs llvmlite and NumPy, which are not installed. "
            "Install them with: pip install 'tinygrad-edu[compiler]'"
        ) from error
    with _COMPILING:
        llvm.initialize_native_target()
        llvm.initialize_native_asmprinter()
    # Python aborts if it ends while a thread is in LLVM. It waits for that thread, and lets no
    # other in.
    atexit.register(_COMPILING.acquire)
    return llvm


@once
def library() -> ctypes.CDLL:
    """The C library."""
    for name in (None, "libm.so.6", "ucrtbase"):  # this process; Linux; Windows
        try:
            library = ctypes.CDLL(name)
            library.erf  # noqa: B018  # the lookup is the question
        except (AttributeError, OSError, TypeError):
            continue
        return library
    raise ImportError("The mathematical functions of the C library could not be found.")


def c(name: str, *args: Real) -> Real:
    """A function of the C library, lane after lane."""
    f, result = args[0].f, args[0]
    function = f.c_function(name)
    if result.lanes == 1:
        return f.call(function, *args)
    for i in range(result.lanes):
        result = result.with_lane(i, f.call(function, *[x.lane(i) for x in args]))
    return result


def _target_machine(level: int) -> Any:
    llvm = binding()
    return llvm.Target.from_default_triple().create_target_machine(
        cpu=llvm.get_host_cpu_name(),
        features=llvm.get_host_cpu_features().flatten(),
        opt=level,
        reloc="pic",
        codemodel="small",
        jit=True,
    )
