"""The proof of docs/trust.md can fail: each kind of error that it looks for is found."""

from __future__ import annotations

import math
import random
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.oracle import mp
from tests.trust import accuracy, graphs, plot, suite, tried
from tests.trust.__main__ import CHAPTERS, PAGE
from tests.trust.points import orders, points
from tinygrad_edu.core import ops
from tinygrad_edu.core.table import BUILT_IN, TABLE

DOCS = Path(__file__).parents[1] / "docs"


@pytest.mark.parametrize(
    ("got", "true", "ulps"),
    [
        (1.0, "1", 0.0), (1.0 + 2.0**-52, "1", 1.0), (1.0 - 2.0**-53, "1", 0.5), (3.0, "3", 0.0),
        (0.0, "5e-324", 1.0), (5e-324, "0", 1.0), (0.0, "1e-330", 2e-7), (math.inf, "1", math.inf),
        (math.nan, "1", math.inf), (1e300, "0", 2e623),
    ],
)  # fmt: skip
def test_an_error_in_ulp(got: float, true: str, ulps: float):
    assert accuracy.ulps(got, mp.mpf(true)) == pytest.approx(ulps, rel=0.02)


def test_a_wrong_derivative_is_seen():
    where = points(ops.tanh)[:20]
    right = [accuracy.exact(ops.tanh, args) for args in where]
    good = accuracy.ours(ops.tanh, where)
    wrong = [[y, slope * 1.001, *rest] for y, slope, *rest in good]
    assert all(error.worst < 1e3 for error in accuracy.errors(ops.tanh, where, right, good))
    assert accuracy.errors(ops.tanh, where, right, wrong)[1].most > 1e12


def test_every_row_has_points_and_every_library_the_same():
    for row in [TABLE[name] for name in sorted(BUILT_IN)]:
        if row.name in accuracy.peers.TABLE:
            assert len(points(row)) > 80
            assert points(row) == points(row)
            assert all(len(args) > max(map(len, orders(row))) - 4 for args in points(row))


def test_campaigns_find_a_wrong_slope(monkeypatch):
    found = list(tried.gradients(50, random.Random(1)))
    assert not found
    monkeypatch.setattr(ops.mul, "partials", (ops.mul.partials[0], lambda out, x, y: y))
    assert list(tried.gradients(50, random.Random(1)))


def test_campaigns_find_a_file_that_loads_though_damaged(monkeypatch):
    assert not list(tried.models(20, random.Random(1)))
    intact = tried.small_model()
    monkeypatch.setattr(tried, "load_model", lambda path: intact)
    assert list(tried.models(20, random.Random(1)))


@pytest.mark.parametrize("work", ["interrupts", "threads", "programs", "tables"])
def test_campaigns_run(work: str):
    assert not list(getattr(tried, work)(3, random.Random(2)))


def test_errors_in_threads_are_failures():
    assert len(tried.in_threads(lambda i: 1 / (i - 3))) == 1


def test_a_peer_with_other_numbers_is_seen():
    graphs_compared = graphs.expressions("jax")[:5]
    ours = []
    for start, steps in graphs_compared:
        leaves = [graphs.Value(x) for x in start]
        root = graphs.run(graphs.recorded, steps, leaves)
        root.backward()
        ours.append([root.data, *(leaf.grad for leaf in leaves)])
    assert max(graphs.errors("jax", ours)) == 0.0
    ours[3][0] += 1e-3
    assert max(graphs.errors("jax", ours)) > 1e-6


def test_shares_are_rounded_down():
    assert [suite.share(*x) for x in ((1, 1), (999, 1000), (0, 0))] == ["100 %", "99 %", "0 %"]


def test_the_page_has_every_chapter_and_nothing_failed():
    """If not: make trust."""
    page = PAGE.read_text(encoding="utf-8")
    for title, _ in CHAPTERS.values():
        assert re.search(rf"(?m)^## {re.escape(title)}\n\n\S", page), title
    campaigns = [
        re.search(rf"\| {re.escape(c.what)} \| ([\d,]+) \| .* \| (\d+) \|", page)
        for c in tried.CAMPAIGNS
    ]
    assert [c and c[2] for c in campaigns] == ["0"] * len(campaigns)
    assert page.count("Versions: ") == 1


def test_the_plot_is_drawn_from_any_errors():
    errors = [accuracy.Error(x, x, (1.0,), 1.0, "1") for x in (0.0, 3.0, math.inf)]
    report = accuracy.Report("tanh", 3, {"tinygrad_edu": [*errors, None], "jax": errors})
    for drawn in (plot.drawn([report]), (DOCS / "accuracy.svg").read_text(encoding="utf-8")):
        assert ElementTree.fromstring(drawn).tag.endswith("svg")
