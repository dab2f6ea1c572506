"""A program as C99: one function that needs nothing but math.h.

Every primitive is an expression of C, or a call of a helper that is written into the file.
Python's `math` calls the same C library, so the results are the same to the last bit; only
`hypot` may differ by 1 ulp, since Python computes its own.
"""

from __future__ import annotations

import math
import re
import textwrap
import unicodedata
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Final, NamedTuple

from ..errors import BadArgument
from .code import PRIMITIVES, SPELLED, Code
from .transforms import only, with_short_sums

__all__ = ["c_source"]

# A helper calls only those before it.
HELPERS: Final = {
    "pow": """
/* Called through a variable: a compiler that knows it is pow makes x * x of pow(x, 2.0),
   which does not round alike. */
static double (*volatile @pow)(double, double) = pow;
""",
    "cbrt": """
static double @cbrt(double x)
{
    if (x == 0.0 || x - x != 0.0) /* zero, infinite or nan */
        return x;
    const double root = copysign(@pow(fabs(x), 1.0 / 3.0), x);
    return root - (root - x / (root * root)) / 3.0;
}
""",
    "mod": """
/* The remainder with the sign of the divisor. */
static double @mod(double x, double y)
{
    const double rest = fmod(x, y);
    if (rest == 0.0)
        return copysign(0.0, y);
    return (y < 0.0) != (rest < 0.0) ? rest + y : rest;
}
""",
    "floordiv": """
static double @floordiv(double x, double y)
{
    if (y == 0.0)
        return x / y;
    const double rest = fmod(x, y);
    double quotient = (x - rest) / y;
    if (rest != 0.0 && (y < 0.0) != (rest < 0.0))
        quotient -= 1.0;
    if (quotient == 0.0)
        return copysign(0.0, x / y);
    const double whole = floor(quotient);
    return quotient - whole > 0.5 ? whole + 1.0 : whole;
}
""",
}

# Names that a program can't have: the keywords of C99 and the functions of math.h.
_WORDS = """auto break case char const continue default do double else enum extern float for goto
    if inline int long main register restrict return short signed sizeof static struct switch
    typedef union unsigned void volatile while"""
_FUNCTIONS = """acos acosh asin asinh atan atan2 atanh cbrt ceil copysign cos cosh erf erfc exp
    exp2 expm1 fabs fdim floor fma fmax fmin fmod frexp hypot ilogb j0 j1 jn ldexp lgamma llrint
    llround log log10 log1p log2 logb lrint lround modf nan nearbyint nextafter nexttoward pow
    remainder remquo rint round scalbln scalbn sin sinh sqrt tan tanh tgamma trunc y0 y1 yn"""
TAKEN: Final = {
    *_WORDS.split(),
    *(name + suffix for name in _FUNCTIONS.split() for suffix in ("", "f", "l")),
}

LARGEST_FUNCTION: Final = 500
"""Statements per function: compilers take longer than linearly in the size of one."""

LONGEST_SUM: Final = 16
"""Terms per statement."""

ARGUMENTS: Final = ("inputs", "shared", "each", "total", "once", "scratch")


Names = Sequence[str | None]


class Statement(NamedTuple):
    """``form`` with the slots ``args`` filled in, kept as slot ``result`` or stored (None)."""

    result: int | None
    form: str
    args: tuple[int, ...]


def c_source(
    code: Code,
    name: str = "program",
    *,
    inputs: Names = (),
    shared: Names = (),
    each: Names = (),
    total: Names = (),
    once: Names = (),
) -> str:
    """The program as the text of a standalone C file with one function.

    It allocates nothing, keeps no state and needs only math.h; memory that it needs beyond the
    stack is passed as ``scratch``. A comment at its top explains how to compile and call it.

    Args:
        code: the program.
        name: of the function, an identifier of C.
        inputs, shared, each, total, once: names of the numbers, for the comment.

    Raises:
        BadArgument: if ``name`` is not an identifier of C or means something there, or if the
            program can't be run.

    >>> code = Code(2, 0, (), ("hypot",), ((0, 1),), each=(2,))
    >>> text = c_source(code, "length", inputs=["x", "y"])
    >>> print(text[text.index("void"):])
    void length(long n, const double *inputs, const double *shared,
                double *each, double *total, double *once, double *scratch)
    {
        (void)shared, (void)total, (void)once, (void)scratch;
        for (long lane = 0; lane < n; lane++) {
            const double x2 = hypot(inputs[0], inputs[1]);
            each[0] = x2;
            inputs += 2;
            each += 1;
        }
    }
    <BLANKLINE>
    """
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name) or name in TAKEN:
        raise BadArgument(
            f"The name of a C function must consist of letters, digits and underscores, begin "
            f"with a letter, and be neither a keyword of C nor a function of math.h. "
            f"Received: {name!r}."
        )
    needed, _ = only(code.checked(), code.each, code.total, code.once)
    fixed, each_lane, constants = _statements(with_short_sums(needed, LONGEST_SUM))
    forms = [statement.form for statement in (*fixed, *each_lane)]
    functions, body, lane, places = _written(code, fixed, each_lane, constants, name)
    if code.total:
        body += [
            f"for (long i = 0; i < {len(code.total)}; i++)",
            "    total[i] = n > 0 ? -0.0 : 0.0; /* -0.0 + x is x, even if that is -0.0 */",
        ]
    if lane:
        lane += [f"inputs += {code.inputs};"] if code.inputs else []
        lane += [f"each += {len(code.each)};"] if code.each else []
        body += ["for (long lane = 0; lane < n; lane++) {", *_indented(lane), "}"]
    main = _function(f"void {name}(long n, ", _unused(body, ("n", *ARGUMENTS)) + body)
    head = _head(code, name, dict(zip(ARGUMENTS, (inputs, shared, each, total, once))), places)
    return "\n".join([head, "#include <math.h>\n", *_helpers(forms, name), *functions, main])


def _statements(code: Code) -> tuple[list[Statement], list[Statement], dict[int, float]]:
    """The program as statements of C, those for once per call and those for every lane; and the
    constants.

    Constants are computed here, by the table: a compiler would do it too, but not with
    the digits of the C library.
    """
    constants = dict(enumerate(code.constants, code.inputs + code.shared))
    varies = code.varying()
    stores: dict[int, list[str]] = {}
    for form, slots in (
        ("each[{}] = {{0}};", code.each),
        ("total[{}] += {{0}};", code.total),
        ("once[{}] = {{0}};", code.once),
    ):
        for i, slot in enumerate(slots):
            stores.setdefault(slot, []).append(form.format(i))
    fixed: list[Statement] = []
    lane: list[Statement] = []
    for slot in range(code.slots):
        if slot >= code.first:
            op, args = code.ops[slot - code.first], code.args[slot - code.first]
            if all(arg in constants for arg in args):
                constants[slot] = PRIMITIVES[op].compute(*(constants[arg] for arg in args))
            else:
                terms = " + ".join(f"{{{i}}}" for i in range(len(args)))
                form = terms if op == "sum" else SPELLED[op].c
                (lane if varies[slot] else fixed).append(Statement(slot, form, args))
        for form in stores.get(slot, ()):
            (fixed if form.startswith("once") else lane).append(Statement(None, form, (slot,)))
    return fixed, lane, constants


def _written(
    code: Code,
    fixed: list[Statement],
    lane: list[Statement],
    constants: dict[int, float],
    name: str,
) -> tuple[list[str], list[str], list[str], int]:
    """Functions, the lines for once per call and those for every lane, and the size of the scratch.

    Those of a small program are the body of its function; those of a large one are divided into
    functions of bounded size, which pass numbers to each other in the scratch.
    """
    parts = [
        [phase[i : i + LARGEST_FUNCTION] for i in range(0, len(phase), LARGEST_FUNCTION)]
        for phase in (fixed, lane)
    ]
    alone = len(fixed) + len(lane) <= LARGEST_FUNCTION
    numbered = list(enumerate([*parts[0], *parts[1]]))
    home = {s.result: i for i, part in numbered for s in part if s.result is not None}
    places: dict[int, int] = {}
    if not alone:
        for i, part in numbered:
            for arg in (arg for statement in part for arg in statement.args):
                if home.get(arg, i) != i:
                    places.setdefault(arg, len(places))

    def text(slot: int, part: int) -> str:
        if slot in constants:
            return _literal(constants[slot])
        if slot < code.inputs:
            return f"inputs[{slot}]"
        if slot < code.inputs + code.shared:
            return f"shared[{slot - code.inputs}]"
        return f"x{slot}" if alone or home[slot] == part else f"scratch[{places[slot]}]"

    functions, bodies = [], []
    for i, part in numbered:
        lines = []
        for result, form, args in part:
            line = form.replace("@", f"{name}_").format(*(text(arg, i) for arg in args))
            lines.append(line if result is None else f"const double x{result} = {line};")
            if result in places:
                lines.append(f"scratch[{places[result]}] = x{result};")
        if not alone:
            functions.append(_function(f"static void {name}_part{i}(", _unused(lines) + lines))
            lines = [f"{name}_part{i}({', '.join(ARGUMENTS)});"]
        bodies.append(lines)
    once = len(parts[0])
    return functions, [*chain(*bodies[:once])], [*chain(*bodies[once:])], len(places)


def _function(start: str, lines: Iterable[str]) -> str:
    pad = " " * (start.index("(") + 1)
    return "\n".join(
        [
            f"{start}const double *inputs, const double *shared,",
            f"{pad}double *each, double *total, double *once, double *scratch)",
            "{",
            *_indented(lines),
            "}\n",
        ]
    )


def _unused(body: list[str], arguments: Iterable[str] = ARGUMENTS) -> list[str]:
    """A statement that keeps compilers from warning about unused arguments."""
    words = set(re.findall(r"\w+", " ".join(body)))
    unused = [f"(void){argument}" for argument in arguments if argument not in words]
    return [f"{', '.join(unused)};"] if unused else []


def _indented(lines: Iterable[str]) -> list[str]:
    return [f"    {line}" for line in lines]


def _helpers(forms: Iterable[str], name: str) -> list[str]:
    """The helpers that occur in the statements, and those that these call."""
    text = " ".join(forms)
    needed = []
    for helper in reversed(HELPERS):
        if f"@{helper}(" in text:
            needed.append(HELPERS[helper].lstrip().replace("@", f"{name}_"))
            text += HELPERS[helper]
    return needed[::-1]


def _literal(x: float) -> str:
    """A number that C reads back exactly: in decimal if it is short, otherwise in hexadecimal."""
    if math.isnan(x):
        return "NAN"
    if math.isinf(x):
        return "INFINITY" if x > 0.0 else "-INFINITY"
    return repr(x) if abs(x) < 1e6 and (x * 64.0).is_integer() else x.hex()


def _head(code: Code, name: str, named: dict[str, Names], places: int) -> str:
    counts = {
        "inputs": (code.inputs, "n rows of {}, a row for each lane"),
        "shared": (code.shared, "{}, the same for all lanes"),
        "each": (len(code.each), "n rows of {}: the results of each lane"),
        "total": (len(code.total), "{}: sums over the lanes, 0.0 when there is none"),
        "once": (len(code.once), "{}: results that depend on no input"),
        "scratch": (places, "{}, to be overwritten: each thread needs its own"),
    }
    lines = [
        f"/* {name}: a program of {len(code.ops)} instructions for n lanes (samples) at once.",
        "",
        "   Compile with   cc -O2 -ffp-contract=off   and link with   -lm",
        "   Then it gives the results of the program in Python to the last bit (hypot: 1 ulp),",
        "   given the same C library. Never compile it with -ffast-math.",
        "",
        "   The number of doubles that each argument points to (NULL will do for none):",
    ]
    for argument, (count, meaning) in counts.items():
        lines.append(f"       {argument:8} {meaning.format(count) if count else '0'}")
    for argument, names in named.items():
        listed = [f"{argument}[{i}] {_harmless(text)}" for i, text in enumerate(names) if text]
        if listed:
            wrapped = textwrap.wrap(", ".join(listed), 80, break_on_hyphens=False)
            lines += ["", *(f"   {line}" for line in wrapped)]
    return "\n".join(lines) + " */\n"


def _harmless(name: str) -> str:
    """A name for a comment, in which nothing can end the comment or continue a line."""
    plain = unicodedata.normalize("NFKD", str(name))[:60]
    return re.sub(r"[^A-Za-z0-9_.:()\[\]+-]", "_", plain)
