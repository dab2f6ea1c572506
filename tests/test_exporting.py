"""Exports agree with ours: each is run by the other side, on random models and graphs."""

from __future__ import annotations

import ctypes
import importlib.util
import json
import math
import random
import shutil
import subprocess

import numpy as np
import pytest

import tinygrad_edu as tg
from tinygrad_edu import Value, keras, nn
from tinygrad_edu.compiler.exporting import ENDINGS, FORMATS
from tinygrad_edu.core.table import BUILT_IN
from tinygrad_edu.errors import BadArgument, NameUnknown, NotTraceable

KINKED = {"floor", "ceil", "round", "mod", "floordiv", "sign", "step"}  # of leaves, away from kinks
LEFT_OUT = {"unless_nan", "stop_gradient", "where"}  # where: below
ROWS = [tg.TABLE[name] for name in sorted(BUILT_IN - LEFT_OUT)]
SINGLE = {"erf", "erfc", "gelu"}  # in ONNX, in float32
COUNT = 100  # of graphs, and of models


def graph(seed):
    """A random graph of three inputs: one that is smooth and not large around where it is."""
    dice = random.Random(seed)
    inputs = [Value(dice.uniform(0.1, 0.9), f"x{i}", "input") for i in range(3)]
    nodes = [*inputs, Value(dice.uniform(0.1, 0.9), "w")]
    while len(nodes) < 14:
        row = dice.choice(ROWS)
        from_leaves = row.name in KINKED or row.arity == 2
        pool = nodes[:4] if from_leaves else nodes[-8:]
        args = [dice.choice(pool) for _ in range(row.arity or 3)]
        args = [1.7 if args[i + 1 :].count(arg) else arg for i, arg in enumerate(args)]
        if not any(isinstance(arg, Value) for arg in args):
            continue
        new = row(*args) if row.arity is not None else row(args)
        inside = row.domain is None or row.domain(
            *(x.data if isinstance(x, Value) else x for x in args)
        )
        if inside and 1e-3 < abs(new.data) < 20.0 and new.data % 0.5 > 1e-3:
            nodes.append(new)
    last = tg.where(tg.less(nodes[0], nodes[1]), nodes[-1], nodes[-2])
    return inputs, [last, nodes[-2] * nodes[-3]]


def activation(dice):
    return dice.choice([a for a in nn.ACTIVATIONS if a not in ("sparsemax",)])


def model(seed):
    dice = random.Random(seed)
    keras.set_random_seed(seed)
    layers = keras.layers
    if dice.random() < 0.5:
        made = keras.Sequential([
            layers.Dense(dice.randint(1, 4), activation(dice), input_shape=(3,)),
            layers.Dropout(0.5),
            layers.Dense(dice.randint(1, 3), activation(dice)),
        ])  # fmt: skip
    else:
        x = layers.Input((3,))
        h = layers.Dense(2, activation(dice))(x)
        made = keras.Model(x, layers.Dense(2, activation(dice))(layers.Concatenate()([x, h])))
    return made


POINTS = [[0.3, -0.7, 1.2], [1.5, 0.25, -0.5]]


def cases():
    """Every case: its name, what is exported, at which points, and our results."""
    for seed in range(COUNT):
        inputs, roots = graph(seed)
        at = [x.data for x in inputs]
        want = [[root.data for root in roots]]
        precise = not SINGLE & names_of(roots)
        yield f"graph{seed}", exporter(roots, inputs, f"graph{seed}"), [at], want, precise
    for seed in range(COUNT):
        made = model(seed)
        made.name = f"model{seed}"
        precise = not any("gelu" in str(layer.config()) for layer in made.layers)
        yield made.name, made.export, POINTS, made.predict(POINTS), precise


def exporter(roots, inputs, name):
    return lambda to: tg.export(roots, to, inputs=inputs, name=name)


def names_of(roots):
    waiting, names = list(roots), set()
    for node in waiting:
        names |= {node.op.name} if node.op else set()
        waiting += [arg for arg in node.args if isinstance(arg, Value)]
    return names


@pytest.fixture(scope="module")
def every():
    return list(cases())


def agree(got, want, rel=1e-12):
    assert np.shape(got) == np.shape(want)
    assert np.allclose(got, want, rtol=rel, atol=rel), (got, want)


def test_javascript(every, tmp_path):
    if shutil.which("node") is None:
        pytest.skip("node is not installed")
    lines = []
    for name, export, _, _, _ in every:
        assert export(tmp_path / f"{name}.mjs") == tmp_path / f"{name}.mjs"
        lines.append(f"import {{ {name} }} from './{name}.mjs';")
    calls = ", ".join(
        f"{json.dumps(points)}.map((p) => {name}(p))" for name, _, points, _, _ in every
    )
    (tmp_path / "all.mjs").write_text(
        "\n".join(lines) + f"\nconsole.log(JSON.stringify([{calls}]));\n", encoding="utf-8"
    )
    done = subprocess.run(["node", "all.mjs"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for got, (_, _, _, want, _) in zip(json.loads(done.stdout), every):
        agree(got, want)


def test_c(every, tmp_path):
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("there is no C compiler")
    text = "".join(export("c") for _, export, _, _, _ in every)
    (tmp_path / "all.c").write_text(text, encoding="utf-8")
    command = [
        compiler,
        "-O1",
        "-ffp-contract=off",
        "-shared",
        "-fPIC",
        "all.c",
        "-o",
        "all.so",
        "-lm",
    ]
    subprocess.run(command, cwd=tmp_path, check=True)
    library = ctypes.CDLL(str(tmp_path / "all.so"))
    for name, _, points, want, _ in every:
        given = (ctypes.c_double * (3 * len(points)))(*np.ravel(points))
        each = (ctypes.c_double * (len(want) * len(want[0])))()
        scratch = (ctypes.c_double * 100)()
        getattr(library, name)(ctypes.c_long(len(points)), given, None, each, None, None, scratch)
        agree(np.reshape(each, np.shape(want)), want)


def test_sympy(every):
    sympy = pytest.importorskip("sympy")
    for name, export, points, want, _ in every[::10]:
        results = export("sympy")
        results = results if isinstance(results, list) else [results]
        symbols = sympy.symbols("x0 x1 x2", real=True)
        f = sympy.lambdify(symbols, results, "math")
        agree([f(*point) for point in points], want, 1e-11)
        assert {*results[0].free_symbols} <= {*symbols}, name


def test_python(every):
    for name, export, points, want, _ in every:
        space = {}
        exec(export("python"), space)
        agree([space[name](point) for point in points], want, 1e-15)


def test_onnx(every):
    pytest.importorskip("onnx", reason="ONNX is not installed")
    runtime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    runtime.set_default_logger_severity(4)
    options = runtime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    for name, export, points, want, precise in every:
        session = runtime.InferenceSession(
            export("onnx"), options, providers=["CPUExecutionProvider"]
        )
        (got,) = session.run(None, {"inputs": np.array(points)})
        assert got.dtype == np.float64, name
        agree(got, want, 1e-12 if precise else 1e-5)


def test_pytorch(every):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    for name, export, points, want, _ in every:
        space = {}
        exec(export("pytorch"), space)
        module = space[name.title()]()
        got = module(torch.tensor(points, dtype=torch.float64))
        agree(got.detach().numpy(), want)
        if name.startswith("model"):
            got.sum().backward()
            assert module.theta.grad.shape == module.theta.shape


def test_jax(every):
    jax = pytest.importorskip("jax", reason="JAX is not installed")
    jax.config.update("jax_enable_x64", True)
    for name, export, points, want, _ in every:
        space = {}
        exec(export("jax"), space)
        agree(np.array(space[name](np.array(points))), want)


@pytest.mark.parametrize("name", sorted(BUILT_IN))
def test_every_row_is_written_in_every_language(name):
    """No row is missing in the tables of words."""
    row = tg.TABLE[name]
    args = [Value(0.6, f"x{i}", "input") for i in range(row.arity or 3)]
    result = row(*args) if row.arity is not None else row(args)
    for format in FORMATS:
        if importlib.util.find_spec({"onnx": "onnx", "sympy": "sympy"}.get(format, "json")):
            assert tg.export(result, format)


def test_what_is_exported():
    x, w = Value(3.0, name="x", role="input"), Value(2.0, name="w")
    assert "inputs[0] * 2.0" in tg.export(x * w, "javascript")
    y = Value(5.0, name="y")
    assert "inputs[1] * inputs[0]" in tg.export(y * w, "javascript")  # no role: all with names
    assert "inputs[0] * 2.0" in tg.export(y * w, "javascript", inputs=[y])
    assert "5.0 * inputs[0]" in tg.export(y * w, "javascript", inputs=[w])
    program = tg.compile(tg.tanh(x * w), inputs=[x], parameters=[w])
    space = {}
    exec(tg.export(program, "python"), space)
    assert space["model"]([3.0]) == [math.tanh(6.0)]
    jitted = tg.jit(lambda v: [v[0] * v[1], v[0] + 1.0])
    exec(tg.export(jitted.program([1.0, 2.0]), "python", name="f"), space)
    assert space["f"]([3.0, 4.0]) == [12.0, 4.0]


def test_a_name_cannot_leave_its_comment():
    evil = Value(1.0, name='*/ """ \n }; alert(1) //', role="input")
    for format in ("javascript", "c", "python", "pytorch", "jax"):
        text = tg.export(evil * 2.0, format)
        assert "; alert" not in text
    exec(tg.export(evil * 2.0, "python"), {})
    for name in ("a b", "a;b", "", "1a"):
        with pytest.raises(BadArgument, match="identifier"):
            tg.export(evil * 2.0, "javascript", name=name)


def test_mistakes(tmp_path):
    x = Value(1.0, name="x")
    with pytest.raises(NameUnknown, match="onnx"):
        tg.export(x * 2.0, "onxx")
    with pytest.raises(BadArgument, match=r"'\.py' doesn't tell the format.*pytorch.*keras"):
        tg.export(x * 2.0, tmp_path / "model.py")  # Python, PyTorch or JAX?
    assert tg.export(x * 2.0, tmp_path / "model.py", "jax").read_text().count("jnp")
    assert list(tmp_path.iterdir()) == [tmp_path / "model.py"]
    for junk in (1.0, "x", [], [1.0], None, nn.MLP(2, [1])):
        with pytest.raises(BadArgument, match="can be exported"):
            tg.export(junk, "c")
    with pytest.raises(BadArgument, match="no weights"):
        keras.Sequential([keras.layers.Dense(1)]).export("c")
    row = tg.op("only_python", lambda x: 2.0 * x, [lambda out, x: 2.0])
    with pytest.raises(NotTraceable, match="only_python"):
        tg.export(row(x), "javascript")
    assert set(ENDINGS.values()) <= set(FORMATS)
