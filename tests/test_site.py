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
AXE = ("index", "zero", "operations", "reference", "homework", "search", "scratch")
SMALL = """() => [...document.querySelectorAll('body *')]
  .filter((e) => e.getClientRects().length
    && [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim()))
  .map((e) => [parseFloat(getComputedStyle(e).fontSize), e.textContent.trim().slice(0, 30)])
  .filter(([size]) => size < 11)"""


DARK = pytest.param("dark", marks=pytest.mark.thorough)  # sizes are the same in the dark


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """The site, built anew; a warning is an error."""
    built = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", str(ROOT / "docs"), built],
        capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    if os.environ.get("REQUIRE_BROWSER"):
        assert (built / "python.js").exists(), done.stderr
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


@pytest.mark.parametrize("scheme", ["light", DARK])
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


@pytest.mark.parametrize("scheme", ["light", DARK])
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


# ── Python in the page ────────────────────────────────────────────────────────────────────

MINUTES = 5 * 60_000  # on a busy machine
# Sizes in a picture are in points: its 9 are 12 pixels.
LEGIBLE = "article .run-bar *, article .output :not(svg *)"


@pytest.fixture
def window(site, browser):  # noqa: F811
    """A window without network; at the end it logged nothing, and asked for nothing elsewhere."""
    if not (site / "python.js").exists():
        pytest.skip("npm could not install what runs Python in a page")
    page = browser.new_page(offline=True)
    page.set_default_timeout(MINUTES)
    troubles: list[str] = []
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("console", lambda said: troubles.append(f"{said.type}: {said.text}"))
    here = ("file:", "data:", "blob:")
    page.on("request", lambda request: request.url.startswith(here) or troubles.append(request.url))
    yield page
    page.close()
    assert not troubles, troubles


def ran(page, block: str) -> str:
    """The line beside the button of a block, when the block has ended."""
    page.get_by_role("button", name=f"Run {block}", exact=True).wait_for()
    return page.locator(".run-bar", has=page.get_by_label(f"Run {block}", exact=True)).inner_text()


def output(page, block: str):
    return page.get_by_role("region", name=f"Output of {block}", exact=True)


def in_order(page) -> None:
    """Accessible, legible and not too wide, in both schemes and on a phone."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        found = axe.Axe().run(page, options={"iframes": False, "preload": False})
        assert found.violations_count == 0, scheme + found.generate_report()
    for width in (1280, 390):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert not page.evaluate(SMALL.replace("body *", LEGIBLE))


def test_a_block_runs_after_those_above_it(site, window):
    window.goto((site / "zero.html").as_uri())
    assert window.evaluate("globalThis.PYTHON === undefined"), "Python is loaded before a click"
    window.get_by_label("Run block 6", exact=True).click()
    assert "after the 5 blocks above" in ran(window, "block 6")
    assert output(window, "block 1").inner_text().strip() == "25000.0"
    assert "(-30000.0, -10000.0, -10000.0)" in output(window, "block 6").inner_text()
    picture = output(window, "block 6").get_by_role("img", name="zero-house.svg")
    assert picture.evaluate("(image) => image.decode().then(() => image.naturalWidth)") > 500
    window.get_by_label("Run block 6", exact=True).click()
    window.get_by_label("Run block 6", exact=True).wait_for()
    assert "after" not in ran(window, "block 6")
    in_order(window)


def test_the_scratch_page(site, window):
    window.goto((site / "scratch.html").as_uri())
    code = window.get_by_label("Python code")
    assert "keras.layers.Dense(units=1, input_shape=[1])" in code.input_value()
    window.get_by_label("Run your code").click()
    assert "Ran in" in ran(window, "your code")
    price = float(output(window, "your code").inner_text().strip().strip("[]"))
    assert price == pytest.approx(99712, abs=50)
    for number, tag in ((1, "svg"), (2, "pre"), (3, "iframe")):
        window.get_by_label(f"Run block {number}", exact=True).click()
        assert "Ran in" in ran(window, f"block {number}")
        assert output(window, f"block {number}").locator(tag).count()
    assert "dloss/dw" in output(window, "block 2").inner_text()
    frame = output(window, "block 3").frame_locator("iframe")
    assert frame.get_by_role("heading", level=1).inner_text()
    in_order(window)


def test_the_editor(site, window):
    """A link that holds code, keys, errors, and Stop."""
    window.goto((site / "zero.html").as_uri())
    window.get_by_label("Edit block 2", exact=True).click()
    code = window.get_by_label("Python code")
    assert code.input_value().startswith(
        "flats, price = 3.0, 30000.0\ndef guess(w, b):\n    return"
    )
    assert code.input_value().endswith("guess(8001.0, 1000.0) - guess(8000.0, 1000.0)")
    window.goto((site / "scratch.html").as_uri())
    code.fill("if True:\n")
    code.press("End")
    code.press("Tab")
    code.press_sequentially("1 / 0")
    assert code.input_value() == "if True:\n    1 / 0"
    code.press("Escape")
    code.press("Tab")
    assert window.evaluate("document.activeElement.textContent") == "Run"
    window.keyboard.press("Shift+Tab")
    code.press("Control+Enter")
    assert "It raised an error" in ran(window, "your code")
    assert "ZeroDivisionError: division by zero" in output(window, "your code").inner_text()
    assert "line 2" in output(window, "your code").inner_text()
    code.fill("print('begun')\nwhile True:\n    pass")
    code.press("Control+Enter")
    output(window, "your code").get_by_text("begun").wait_for()
    window.get_by_label("Stop your code").click()
    assert "Stopped. The next run starts Python anew." in ran(window, "your code")
    code.fill("1 + 1")
    code.press("Control+Enter")
    assert "Ran in" in ran(window, "your code")
    assert output(window, "your code").inner_text().strip() == "2"
