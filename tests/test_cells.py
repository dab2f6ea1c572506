"""The cells of the table that are no mathematics: what people read, domains, neutral elements."""

from __future__ import annotations

import itertools
import json
import math
from pathlib import Path

import pytest

from tinygrad_edu.core.table import BUILT_IN, TABLE, Op

ROWS = [TABLE[name] for name in sorted(BUILT_IN)]
every_row = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
LARGEST = 2.0**1023 * (2.0 - 2.0**-52)

CELLS = json.loads((Path(__file__).parent / "data/cells.json").read_text(encoding="utf-8"))


@every_row
def test_cells_that_no_oracle_checks_are_as_they_were_reviewed(row: Op):
    """How people read a row, where its tests look, what other languages call it: by hand."""
    spelled = row.spelled and [row.spelled.python, row.spelled.c, row.spelled.js]
    llvm = row.spelled.llvm if row.spelled and isinstance(row.spelled.llvm, str) else None
    cells = {"symbol": row.symbol, "tex": row.tex, "text": row.text, "sample": row.sample,
             "neutral": row.neutral, "spelled": spelled, "llvm": llvm}  # fmt: skip
    assert json.loads(json.dumps(cells)) == CELLS[row.name]
    assert repr(row.neutral) == repr(tuple(CELLS[row.name]["neutral"]))  # −0 is not 0


@every_row
def test_domain_and_kinks_answer_for_every_number(row: Op):
    edges = (0.0, -0.0, 1.0, -1.5, LARGEST, -LARGEST, 5e-324, math.inf, -math.inf, math.nan)
    for args in itertools.product(edges, repeat=row.arity or 2):
        if row.kinks is not None:
            assert isinstance(row.kinks(*args), (int, float))
        if row.domain is not None:
            assert type(row.domain(*args)) is bool


TINIEST, BELOW_1, ABOVE_1 = 5e-324, math.nextafter(1.0, 0.0), math.nextafter(1.0, 2.0)
# Arguments just inside each domain, and outside: on its border and beyond.
DOMAINS: dict[str, tuple[list[tuple[float, ...]], list[tuple[float, ...]]]] = {
    **{name: ([(1.0, TINIEST), (-1.0, -TINIEST)], [(1.0, 0.0), (1.0, -0.0)])
       for name in ("div", "mod", "floordiv")},
    **{name: ([(TINIEST,), (1.0,)], [(0.0,), (-TINIEST,), (-1.0,), (math.nan,)])
       for name in ("log", "log2", "log10", "sqrt")},
    **{name: ([(BELOW_1,), (-BELOW_1,), (0.0,)], [(1.0,), (-1.0,), (2.0,), (-2.0,), (math.nan,)])
       for name in ("asin", "acos", "atanh")},
    **{name: ([(1.0, TINIEST), (-1.0, 2.0)], [(1.0, 0.0), (1.0, -TINIEST), (1.0, -1.0)])
       for name in ("squareplus", "celu", "soft_shrink", "hard_shrink")},
    **{name: ([(TINIEST,), (-TINIEST,)], [(0.0,), (-0.0,)]) for name in ("reciprocal", "cbrt")},
    "pow": ([(TINIEST, -1.5), (2.0, 0.5), (0.0, ABOVE_1), (0.0, 2.0), (-2.0, 3.0), (-2.0, -3.0),
             (-TINIEST, 0.0), (-2.0, 1e300)],
            [(0.0, 1.0), (0.0, 0.5), (0.0, 0.0), (0.0, -1.0), (-2.0, 0.5), (-2.0, 1.5),
             (-2.0, math.inf), (-2.0, math.nan), (0.0, math.nan)]),
    "log1p": ([(-BELOW_1,), (0.0,)], [(-1.0,), (-2.0,), (math.nan,)]),
    "xlogy": ([(1.0, TINIEST), (0.0, 1.0), (-1.0, 2.0)], [(1.0, 0.0), (0.0, 0.0), (1.0, -1.0)]),
    "logit": ([(TINIEST,), (BELOW_1,)], [(0.0,), (1.0,), (-1.0,), (2.0,), (math.nan,)]),
    "acosh": ([(ABOVE_1,), (2.0,)], [(1.0,), (0.0,), (-2.0,), (math.nan,)]),
    "atan2": ([(0.0, TINIEST), (TINIEST, 0.0), (-TINIEST, -1.0), (1.0, -1.0)],
              [(0.0, 0.0), (0.0, -1.0), (-0.0, -1.0)]),
}  # fmt: skip


def test_every_row_with_a_domain_is_tried_at_its_border():
    assert set(DOMAINS) == {row.name for row in ROWS if row.domain is not None}


@pytest.mark.parametrize("name", sorted(DOMAINS))
def test_a_domain_is_open_and_ends_where_the_row_does(name: str):
    domain = TABLE[name].domain
    assert domain is not None
    inside, outside = DOMAINS[name]
    assert [args for args in inside if not domain(*args)] == []
    assert [args for args in outside if domain(*args)] == []


INF, NAN = math.inf, math.nan
# Results where Python's own functions raise, or where IEEE 754 has a rule.
AT_EDGES: dict[str, list[tuple[tuple[float, ...], float]]] = {
    "div": [((1.0, 0.0), INF), ((1.0, -0.0), -INF), ((-2.0, 0.0), -INF), ((0.0, 0.0), NAN)],
    "reciprocal": [((0.0,), INF), ((-0.0,), -INF)],
    "maximum": [((0.0, -0.0), -0.0), ((-0.0, 0.0), 0.0), ((NAN, 1.0), NAN), ((1.0, NAN), NAN)],
    "minimum": [((0.0, -0.0), -0.0), ((-0.0, 0.0), 0.0), ((NAN, 1.0), NAN), ((1.0, NAN), NAN)],
    "clip": [((0.0, -0.0, 1.0), -0.0), ((-0.0, -1.0, 0.0), 0.0), ((1.0, NAN, 2.0), NAN),
             ((1.0, 0.0, NAN), NAN), ((NAN, 0.0, 1.0), NAN), ((0.5, 2.0, 1.0), 1.0)],
    "mod": [((1.0, 0.0), NAN), ((INF, 2.0), NAN)],
    "floordiv": [((1.0, 0.0), INF), ((-1.0, 0.0), -INF), ((0.0, 0.0), NAN)],
    "pow": [((0.0, -1.0), INF), ((-0.0, -1.0), -INF), ((0.0, -2.0), INF),
            ((-2.0, 0.5), NAN), ((-10.0, 309.0), -INF), ((10.0, 309.0), INF),
            ((-10.0, 310.0), INF)],
    "floor": [((INF,), INF), ((-INF,), -INF), ((NAN,), NAN), ((-0.0,), -0.0)],
    "ceil": [((INF,), INF), ((-INF,), -INF), ((NAN,), NAN), ((-0.5,), -0.0)],
    "round": [((INF,), INF), ((-INF,), -INF), ((NAN,), NAN), ((-0.25,), -0.0)],
    "exp": [((1000.0,), INF), ((-1000.0,), 0.0)],
    "expm1": [((1000.0,), INF), ((-1000.0,), -1.0)],
    "exp2": [((1024.0,), INF), ((-1100.0,), 0.0)],
    "log": [((0.0,), -INF), ((-0.0,), -INF), ((-1.0,), NAN)],
    "log2": [((0.0,), -INF), ((-1.0,), NAN)],
    "log10": [((0.0,), -INF), ((-1.0,), NAN)],
    "log1p": [((-1.0,), -INF), ((-2.0,), NAN)],
    "sqrt": [((-1.0,), NAN), ((-0.0,), -0.0)],
    "sin": [((INF,), NAN)], "cos": [((INF,), NAN)], "tan": [((INF,), NAN)],
    "asin": [((1.5,), NAN), ((-1.5,), NAN)], "acos": [((1.5,), NAN), ((-1.5,), NAN)],
    "sinh": [((1000.0,), INF), ((-1000.0,), -INF)], "cosh": [((1000.0,), INF), ((-1000.0,), INF)],
    "acosh": [((0.5,), NAN)],
    "atanh": [((1.0,), INF), ((-1.0,), -INF), ((2.0,), NAN), ((-2.0,), NAN)],
}  # fmt: skip


def test_every_row_with_a_rule_of_its_own_is_tried_at_an_edge():
    assert {row.name for row in ROWS if row.at_edge is not None} <= set(AT_EDGES)


@pytest.mark.parametrize("name", sorted(AT_EDGES))
def test_edges_follow_ieee(name: str):
    for args, right in AT_EDGES[name]:
        assert repr(TABLE[name].compute(*args)) == repr(right), args


def test_the_bounds_of_clip_may_cross():
    """There its slopes change, too: each piece and border has a label of its own."""
    kinks = TABLE["clip"].kinks
    assert kinks is not None
    for x in (0.0, 5.0):
        assert len({kinks(x, low, 2.0) for low in (1.0, 2.0, 3.0)}) == 3
        assert kinks(x, 1.0, 2.0) == kinks(x, 1.5, 1.75)
