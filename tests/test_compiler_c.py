"""The C that a program is written as: compiled here, and held against the rows of the table.

The oracle runs a program lane by lane on `Op.compute`. Results must agree to the last bit
(any nan is like any other), hypot to 1 ulp. Many programs go into one file, as compiling is slow.
"""

from __future__ import annotations

import ctypes
import math
import random
import re
import shutil
import struct
import subprocess
import sys
from collections.abc import Sequence
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_edu as tg
from tinygrad_edu import Value
from tinygrad_edu.compiler import c_source as c
from tinygrad_edu.compiler.code import Code
from tinygrad_edu.core.table import BUILT_IN, TABLE
from tinygrad_edu.errors import BadArgument, NameUnknown

CC = shutil.which("cc")
needs_cc = pytest.mark.skipif(CC is None, reason="no C compiler `cc` on PATH")
WARNINGS = ["-std=c99", "-Wall", "-Wextra", "-pedantic", "-Werror"]
PRIMITIVES = sorted(TABLE[name].lower for name in BUILT_IN if TABLE[name].lower == name)
GUARD = 1234.5

EDGES = [
    0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 1.5, 2.5, -2.5, 3.0, -2.0, 0.1, 20.0, -37.3, 710.0, 1e-20,
    1e300, -1e300, 5e-324, -5e-324, 2.2250738585072014e-308, math.inf, -math.inf, math.nan,
]  # fmt: skip


def in_python(code: Code, inputs: Sequence[Sequence[float]], shared: Sequence[float]):
    """The meaning of the results, one lane after the other."""
    each, total, once = [], [-0.0 if inputs else 0.0] * len(code.total), []
    for lane in inputs or [[math.nan] * code.inputs]:
        slots = [*lane, *shared, *code.constants]
        for op, args in zip(code.ops, code.args):
            slots.append(TABLE[op].compute(*(slots[arg] for arg in args)))
        once = [slots[slot] for slot in code.once]
        if inputs:
            each += [slots[slot] for slot in code.each]
            total = [sum_ + slots[slot] for sum_, slot in zip(total, code.total)]
    return each, total, once


def compiled(folder: Path, texts: Sequence[str], *flags: str) -> ctypes.CDLL:
    path = folder / f"programs{len(list(folder.iterdir()))}"
    path.with_suffix(".c").write_text("\n".join(texts))
    subprocess.run(
        [CC, "-O2", "-ffp-contract=off", *WARNINGS, *flags, "-shared", "-fPIC",
         "-o", path.with_suffix(".so"), path.with_suffix(".c"), "-lm"], check=True,
    )  # fmt: skip
    return ctypes.CDLL(str(path.with_suffix(".so")))


def in_c(library: ctypes.CDLL, name: str, text: str, code: Code, inputs, shared):
    """The same from C, which must not write beside its results."""
    scratch = int(re.search(r"scratch  (\d+)", text).group(1))
    sizes = [len(inputs) * len(code.each), len(code.total), len(code.once), scratch]
    flat = [number for lane in inputs for number in lane]
    read = [(ctypes.c_double * len(numbers))(*numbers) for numbers in (flat, shared)]
    written = [(ctypes.c_double * (size + 2))(*[GUARD] * (size + 2)) for size in sizes]
    behind_guard = [ctypes.byref(buffer, 8) for buffer in written]
    library[name](ctypes.c_long(len(inputs)), *read, *behind_guard)
    assert all(buffer[0] == buffer[-1] == GUARD for buffer in written)
    assert list(map(bits, read[0])) == list(map(bits, flat))
    return [buffer[1:-1] for buffer in written[:3]]


def bits(x: float) -> bytes:
    return struct.pack("<d", math.nan if x != x else x)


def agree(found: float, right: float, ulps: int) -> bool:
    near = ulps > 0 and abs(found - right) <= ulps * math.ulp(right)
    return near or bits(found) == bits(right)


def check(folder: Path, cases, *flags: str) -> None:
    """Compile programs together and compare what they give; a case is code, inputs, shared."""
    texts = [c.c_source(code, f"p{i}") for i, (code, _, _) in enumerate(cases)]
    library = compiled(folder, texts, *flags)
    for i, (code, inputs, shared) in enumerate(cases):
        for found, right in zip(
            in_c(library, f"p{i}", texts[i], code, inputs, shared), in_python(code, inputs, shared)
        ):
            assert list(map(bits, found)) == list(map(bits, right)), code


@needs_cc
def test_every_primitive_at_every_edge(tmp_path: Path):
    codes = {
        op: Code(arity, 0, (), (op,), (tuple(range(arity)),), each=(arity,))
        for op in PRIMITIVES
        for arity in [TABLE[op].arity or 3]
    }
    texts = {op: c.c_source(code, f"p_{op}") for op, code in codes.items()}
    library = compiled(tmp_path, list(texts.values()))
    for op, code in codes.items():
        lanes = list(product(EDGES, repeat=min(code.inputs, 2)))
        lanes = [(*lane, lane[0], -1.5)[: code.inputs] for lane in lanes]
        (each, _, _) = in_c(library, f"p_{op}", texts[op], code, lanes, [])
        (right, _, _) = in_python(code, lanes, [])
        ulps = 1 if op == "hypot" else 0
        for lane, x, y in zip(lanes, each, right):
            assert agree(x, y, ulps), f"{op}{lane} is {x} in C and {y} in Python"


numbers = st.one_of(st.sampled_from(EDGES), st.floats(width=64))


@st.composite
def programs(draw: st.DrawFn):
    """A random program with numbers to run it on. hypot alone is not bit for bit."""
    rng = random.Random(draw(st.integers(0, 2**32)))
    inputs, shared, count = rng.randrange(4), rng.randrange(3), rng.choice((0, 1, 5, 30))
    constants = tuple(rng.choice(EDGES) for _ in range(rng.randrange(4)))
    slots, ops, args = inputs + shared + len(constants), [], []
    for _ in range(count):
        op = rng.choice([op for op in PRIMITIVES if op != "hypot"]) if slots else "sum"
        arity = rng.choice((0, 1, 2, 5, 40)) if op == "sum" else TABLE[op].arity
        ops.append(op)
        args.append(tuple(rng.randrange(slots) for _ in range(arity if slots else 0)))
        slots += 1
    code = Code(inputs, shared, constants, tuple(ops), tuple(args))
    chosen = [[rng.randrange(slots) for _ in range(rng.randrange(4))] if slots else []
              for _ in range(3)]  # fmt: skip
    varying = code.varying()
    code = code._replace(
        each=tuple(chosen[0]),
        total=tuple(chosen[1]),
        once=tuple(slot for slot in chosen[2] if not varying[slot]),
    )
    lane = st.lists(numbers, min_size=inputs, max_size=inputs)
    lanes = draw(st.lists(lane, max_size=4))
    return code, lanes, draw(st.lists(numbers, min_size=shared, max_size=shared))


@needs_cc
@pytest.mark.parametrize("largest", [500, 4], ids=["whole", "in parts"])
def test_random_programs(
    largest: int, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(c, "LARGEST_FUNCTION", largest)

    @settings(max_examples=max(2, settings.default.max_examples // 15))
    @given(st.lists(programs(), min_size=10, max_size=10))
    def run(cases):
        check(tmp_path_factory.mktemp("random"), cases)

    run()


@needs_cc
def test_totals_lanes_and_what_is_computed_once(tmp_path: Path):
    code = Code(1, 1, (0.5, math.nan, -math.inf), ("exp", "mul", "add", "sin"),
                ((1,), (0, 5), (6, 2), (4,)),
                each=(7, 0, 1, 3, 8), total=(7, 5, 2, 0), once=(5, 2, 1, 4))  # fmt: skip
    batches = [[], [[1.0]], [[-0.0]], [[0.1 * i] for i in range(33)]]
    check(tmp_path, [(code, batch, [0.3]) for batch in batches])


@needs_cc
def test_a_known_exponent_is_no_product_in_disguise(tmp_path: Path):
    """pow(x, 2.0) and x * x differ in the last bit of these."""
    xs = [1.5261283972998259, 1.6085631752029532, 1.6150431444203095, 1.4757266327664582]
    code = Code(1, 0, (2.0, -1.0, 0.5), ("pow",) * 3, ((0, 1), (0, 2), (0, 3)), each=(4, 5, 6))
    check(tmp_path, [(code, [[x] for x in xs], [])])


@needs_cc
def test_a_compiled_loss_and_its_gradient(tmp_path: Path):
    """`Program.c_source`, with a term that counts once per batch."""
    w, b = Value(0.5, name="w"), Value(0.1)
    x, y = Value(1.0, name="*/ flats"), Value(2.0)
    loss = (tg.tanh(w * x + b) - y) ** 2 + 0.25 * w**2
    program = tg.compile(loss, inputs=[x, y], parameters=[w, b], reduce="sum")
    text = program.c_source("loss")
    batch = [[0.1 * i, 1.0 - 0.2 * i] for i in range(5)]
    library = compiled(tmp_path, [text])
    _, total, once = in_c(library, "loss", text, program.code, batch, [0.5, 0.1])
    value, slopes = program.value_and_grad(batch)
    assert [a + b for a, b in zip(total, once)] == pytest.approx([value, *slopes], rel=1e-14)
    assert "shared[0] w" in text
    assert "shared[1]" not in text.split("*/")[0]  # it is unnamed


def ladder(rungs: int) -> Code:
    """A long program whose far ends meet: x·cos(…), and a sum of all."""
    ops, args = [], []
    for i in range(rungs):
        ops += ["cos", "mul"]
        args += [(0 if i == 0 else 2 * i,), (0, 2 * i + 1)]
    slots = tuple(range(1, 2 * rungs + 1))
    return Code(1, 0, (), (*ops, "sum"), (*args, slots), each=(2 * rungs + 1,), total=slots)


@needs_cc
def test_a_large_program_is_split_into_functions_of_bounded_size(tmp_path: Path):
    code = ladder(800)
    text = c.c_source(code)
    bodies = re.split(r"\n}\n", text)
    assert len(bodies) >= 4
    assert max(body.count(";\n") for body in bodies) <= 2 * c.LARGEST_FUNCTION
    assert max(map(len, text.splitlines())) <= 600
    check(tmp_path, [(code, [[0.5], [2.0]], [])])


@needs_cc
@pytest.mark.thorough
def test_a_very_large_program_compiles(tmp_path: Path):
    check(tmp_path, [(ladder(30_000), [[0.5]], [])])


def test_only_what_is_used_is_written():
    code = Code(1, 0, (7.25,), ("exp", "mod", "cbrt"), ((0,), (0, 0), (2,)), each=(4,))
    text = c.c_source(code)
    assert "7.25" not in text
    assert "mod" not in text
    assert text.count("program_cbrt") == 2


@needs_cc
@pytest.mark.thorough
def test_nothing_undefined_happens(tmp_path: Path):
    """The sanitizer of the compiler finds nothing, at any edge; in a process of its own."""
    codes = [
        Code(3, 0, (), (op,), (tuple(range(TABLE[op].arity or 3)),), each=(3,), total=(3,))
        for op in PRIMITIVES
    ]
    texts = [c.c_source(code, f"p{i}") for i, code in enumerate(codes)]
    library = compiled(tmp_path, texts, "-fsanitize=undefined,bounds-strict")
    program = f"""
import ctypes
library = ctypes.CDLL({library._name!r})
edges = {[x for x in EDGES if math.isfinite(x)]} + [float("inf"), -float("inf"), float("nan")]
flat = [x for a in edges for b in edges for x in (a, b, a)]
n = len(flat) // 3
inputs = (ctypes.c_double * len(flat))(*flat)
each, total = (ctypes.c_double * n)(), ctypes.c_double()
for i in range({len(codes)}):
    library[f"p{{i}}"](ctypes.c_long(n), inputs, None, each, ctypes.byref(total), None, None)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


HOSTILE = ["*/ int main(void) {", "a\nb", "a\\", "??/", "Σ_θ", "\x00", "‮x", "%s{0}@", "/*"]


@needs_cc
def test_names_cannot_leave_their_comment(tmp_path: Path):
    code = Code(len(HOSTILE), 0, (), ("neg",), ((0,),), each=(len(HOSTILE),))
    text = c.c_source(code, inputs=HOSTILE, each=["w₁"])
    comment, rest = text.split("*/", 1)
    assert rest.startswith("\n\n#include")
    assert "each[0] w1" in comment
    assert text.isascii()
    compiled(tmp_path, [text])


@pytest.mark.parametrize("name", ["", "1a", "a b", "a;", "π", "sin", "powf", "while", "main", "_x"])
def test_a_function_needs_a_name_of_its_own(name: str):
    with pytest.raises(BadArgument, match="Received"):
        c.c_source(Code(0, 0, (), (), ()), name)


def test_an_instruction_that_there_is_not():
    with pytest.raises(NameUnknown, match="system"):
        c.c_source(Code(1, 0, (), ("system",), ((0,),), each=(1,)))


def test_the_text_is_the_same_every_time():
    code = ladder(700)
    assert c.c_source(code) == c.c_source(code)
