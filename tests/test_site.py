"""The site of ``make docs``: it builds without a warning, and every page is in order in a browser.

CI runs these tests; ``make test`` does not.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.test_exploring_page import browser  # noqa: F401, as it is a fixture

ROOT = Path(__file__).parents[1]
AXE = ("index", "zero", "operations", "reference", "homework", "search")
SMALL = """() => [...document.querySelectorAll('body *')]
  .filter((e) => e.getClientRects().length
    && [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim()))
  .map((e) => [parseFloat(getComputedStyle(e).fontSize), e.textContent.trim().slice(0, 30)])
  .filter(([size]) => size < 11)"""


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """The site, built anew; a warning is an error."""
    built = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", str(ROOT / "docs"), built],
        capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return built


def pages(site: Path) -> list[Path]:
    return sorted(site.glob("*.html"))


def test_every_page_of_the_docs_is_in_the_site(site):
    built = {page.stem for page in pages(site)}
    assert {page.stem for page in (ROOT / "docs").glob("*.md")} <= built
    assert {page.stem for page in (site / "stages").glob("*.html")} == {"house", "houses", "ways"}
    assert {path.name for path in (site / "notebooks").iterdir()} == {
        "build.ipynb",
        "the-post.ipynb",
        "tour.ipynb",
        "zero.ipynb",
    }


def test_no_link_is_broken(site):
    for page in pages(site):
        text = page.read_text(encoding="utf-8")
        for link in re.findall(r'(?:href|src)="([^"]*)"', text):
            where, _, anchor = link.partition("#")
            if link.startswith(("http:", "https:", "data:", "mailto:")):
                continue
            target = page.parent / where.split("?")[0] if where else page
            assert target.exists(), f"{page.name} links to {link}"
            if anchor and target.suffix == ".html":
                assert f'id="{anchor}"' in target.read_text(encoding="utf-8"), (page.name, link)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_is_in_order(site, browser, scheme):  # noqa: F811
    page = browser.new_page(color_scheme=scheme, offline=True)
    troubles: list[str] = []
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("console", lambda said: troubles.append(f"{said.type}: {said.text}"))
    page.on("request", lambda request: troubles.extend(
        [request.url] if not request.url.startswith(("file:", "data:")) else []))  # fmt: skip
    for path in pages(site):
        page.goto(path.as_uri())
        for width in (1280, 768, 390):
            page.set_viewport_size({"width": width, "height": 900})
            troubles += [f"{path.name}: {size} px: {text}" for size, text in page.evaluate(SMALL)]
            if page.evaluate("document.documentElement.scrollWidth") > width:
                troubles.append(f"{path.name} is wider than {width}")
    page.close()
    assert not troubles, troubles


SLIDE = """() => {
  const slide = Reveal.getCurrentSlide()
  const box = document.querySelector('.slides').getBoundingClientRect()
  const parts = [...slide.querySelectorAll(':scope > :not(aside), pre, td, img')]
  const outside = parts.filter((e) => {
    const r = e.getBoundingClientRect()
    return r.right > box.right + 1 || r.bottom > box.bottom + 1 || e.scrollWidth > e.clientWidth + 1
  })
  return [slide.querySelector('h1, h2').textContent, outside.length,
    slide.querySelectorAll('aside.notes').length]
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_slide_fits_and_has_notes(site, browser, scheme):  # noqa: F811
    size = {"width": 1280, "height": 720}
    page = browser.new_page(color_scheme=scheme, offline=True, viewport=size)
    troubles: list[str] = []
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("console", lambda said: troubles.append(f"{said.type}: {said.text}"))
    page.on("request", lambda request: troubles.extend(
        [request.url] if not request.url.startswith(("file:", "data:")) else []))  # fmt: skip
    page.goto((site / "slides" / "index.html").as_uri())
    page.wait_for_function("window.Reveal && Reveal.isReady()")
    count = page.evaluate("Reveal.getTotalSlides()")
    assert count >= 15
    for i in range(count):
        page.evaluate(f"Reveal.slide({i})")
        title, outside, notes = page.evaluate(SLIDE)
        troubles += [f"{title}: {outside} parts outside, {notes} notes"] * (outside or notes != 1)
        troubles += [f"{title}: {px} px: {text}" for px, text in page.evaluate(SMALL)]
    page.close()
    assert not troubles, troubles


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_are_accessible(site, browser, scheme):  # noqa: F811
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    page = browser.new_page(color_scheme=scheme, offline=True)
    for name in AXE:
        page.goto((site / f"{name}.html").as_uri())
        found = axe.Axe().run(page, options={"iframes": False})
        assert found.violations_count == 0, name + found.generate_report()
    page.close()
