"""The plots and the edges of docs/operations.md, beside Python's own math and known answers."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[1] / "docs"
KNOWN = {
    "sin": (math.sin, math.cos), "exp": (math.exp, math.exp), "sinh": (math.sinh, math.cosh),
    "tanh": (math.tanh, lambda x: 1.0 - math.tanh(x) ** 2), "log": (math.log, lambda x: 1.0 / x),
    "square": (lambda x: x * x, lambda x: 2.0 * x), "abs": (abs, lambda x: math.copysign(1.0, x)),
    "floor": (math.floor, lambda x: 0.0), "atan": (math.atan, lambda x: 1.0 / (1.0 + x * x)),
}  # fmt: skip


@pytest.mark.parametrize("name", KNOWN)
def test_a_plot_shows_the_function_and_its_slope(name):
    svg = (DOCS / "operations" / f"{name}.svg").read_text(encoding="utf-8")
    for kind, right in zip(("value", "slope"), KNOWN[name]):
        (path,) = re.findall(rf'class="{kind}" d="([^"]+)"', svg)
        points = [tuple(map(float, pair.split())) for pair in re.split("[ML]", path)[1:]]
        assert len(points) > 20
        for px, py in points:  # 96 × 64 pixels, 12 for each 1
            x = max((px - 48.0) / 12.0, 1e-9) if name == "log" else (px - 48.0) / 12.0
            nearby = [right(x + off) for off in (-0.005, 0.0, 0.005) if name != "log" or x > 0.02]
            ys = [32.0 - 12.0 * y for y in nearby]
            assert not ys or min(ys) - 0.6 <= py <= max(ys) + 0.6, (kind, x, py, ys)


def test_the_edges_are_those_that_are_known():
    text = (DOCS / "operations.md").read_text(encoding="utf-8")
    for line in (
        "| `abs(0)` | by x | 0 | 0 | 1 |", "| `clip(1, −1, 1)` | by x | 0 | 1 | 0.5 |",
        "| `log(−1)` | by x | nan | −1 | −1 |", "| `pow(0, 0)` | by x | 0 | 0 | nan |",
    ):  # fmt: skip
        assert line in text
    below = text.split("## Edges")[1]
    rows = [row.split(" | ") for row in below.splitlines() if row.startswith("| `")]
    assert len(rows) > 50
    assert not [row for row in rows if {row[3], row[4].removesuffix(" |")} <= {row[2], "—"}]


def test_the_page_is_light():
    files = [DOCS / "operations.md", *(DOCS / "operations").glob("*.svg")]
    assert len(files) > 50
    assert sum(path.stat().st_size for path in files) < 200_000
