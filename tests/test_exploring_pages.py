"""Five pages of different kinds, in every window and both themes: each keeps the same promises."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import tinygrad_edu as tg
from tests.test_exploring import FLATS, PRICES, trained
from tests.test_exploring_page import browser  # noqa: F401, as it is a fixture
from tinygrad_edu import Value, keras

WINDOWS = ((1280, 800), (768, 1024), (390, 844))


def post(path: Path) -> Any:
    model, recorded = trained(epochs=20)
    return tg.explore(model, path, data=(FLATS, PRICES), training=recorded)


def adam(path: Path) -> Any:
    model, recorded = trained(epochs=5, optimizer=keras.optimizers.Adam(50.0))
    return tg.explore(model, path, data=(FLATS, PRICES), training=recorded)


def two_moons(count: int) -> tuple[list[list[float]], list[int]]:
    """Points on two half circles, one within the other."""
    points, classes = [], []
    for i in range(count):
        angle, upper = math.pi * (i // 2) / (count / 2 - 1), i % 2 == 0
        x, y = math.cos(angle), math.sin(angle)
        points.append([x, y] if upper else [1.0 - x, 0.5 - y])
        classes.append(0 if upper else 1)
    return points, classes


def moons(path: Path) -> Any:
    keras.utils.set_random_seed(1)
    layers = [keras.layers.Dense(8, "tanh", input_shape=[2]), keras.layers.Dense(1, "sigmoid")]
    model = keras.Sequential(layers)
    model.compile(keras.optimizers.SGD(0.5), "binary_crossentropy")
    data, recorded = two_moons(10), keras.callbacks.WeightHistory()
    model.fit(*data, epochs=200, verbose=0, callbacks=recorded)
    return tg.explore(model, path, data=data, training=recorded)


def softmax(path: Path) -> Any:
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.layers.Dense(3, "softmax", input_shape=[2])])
    model.compile("sgd", "sparse_categorical_crossentropy")
    return tg.explore(model, path, data=([[0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], [0, 1, 2]))


def own_loss(path: Path) -> Any:
    a, b, c, f = (Value(x, name, "parameter") for x, name in zip((2.0, -3.0, 10.0, -2.0), "abcf"))
    loss = tg.tanh((a * b + c) * 0.25) * f + a * a
    loss.name = "L"
    return tg.explore(loss, path)


PAGES: dict[str, Callable[[Path], Any]] = {
    "post": post, "moons": moons, "softmax": softmax, "adam": adam, "own loss": own_loss,
}  # fmt: skip

COMPLAINTS = """() => {
  const wrong = [];
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const parent = texts.currentNode.parentElement;
    if (!texts.currentNode.data.trim() || !parent.getClientRects().length) continue;
    if (parent.closest("script, style, title, .unseen, .skip, option")) continue;
    const svg = parent.closest("svg[viewBox]");
    const scale = svg ? svg.getBoundingClientRect().width / svg.viewBox.baseVal.width : 1;
    const size = parseFloat(getComputedStyle(parent).fontSize) * scale;
    if (size < 10.99) wrong.push(`${size} px: ${texts.currentNode.data}`);
  }
  const wide = document.documentElement.scrollWidth;
  if (wide > innerWidth) wrong.push(`the page is ${wide} wide`);
  const { svg, cards } = SCENES[state.scene];
  const drawn = svg.getBoundingClientRect().width;
  if (drawn > $("stages").clientWidth) wrong.push(`the picture is ${drawn} wide`);
  for (const { group } of cards)
    if (!/[\\p{L}\\p{N}]/u.test(group.textContent)) wrong.push(`${group.id} says nothing`);
  const pictures = [...document.querySelectorAll(".picture")];
  if (pictures.filter((e) => e.getClientRects().length).length !== 1) wrong.push("not one picture");
  for (const card of document.querySelectorAll("section.card, figure"))
    if (card.scrollHeight > card.clientHeight + 1 && getComputedStyle(card).overflowY === "visible")
      wrong.push(`something leaves ${card.id}`);
  for (const list of document.querySelectorAll("select"))
    if (new Set([...list.options].map((o) => o.text)).size < list.options.length)
      wrong.push(`two have one name in ${list.id}`);
  const sliders = [...document.querySelectorAll(".slider span")].map((e) => e.textContent);
  if (new Set(sliders).size < sliders.length) wrong.push(`two sliders have one name: ${sliders}`);
  for (const { hash } of document.querySelectorAll("a[href]"))
    if (!document.querySelector(hash)) wrong.push(`${hash} leads nowhere`);
  const ids = [...document.querySelectorAll("[id]")].map(({ id }) => id);
  if (new Set(ids).size < ids.length) wrong.push("two elements have one id");
  return wrong;
}"""
WHOLE = """() => {
  $("fit").click();
  const { svg } = SCENES[state.scene], stage = $("stages");
  const [high, frame] = [svg.getBoundingClientRect().height, stage.clientHeight];
  return alternatives().length < 2 || high <= frame + 1 ? [] : [`${high} is too high for ${frame}`];
}"""
SHOWN = ".picture:not([hidden])"
UNSEEN = """(parts) => parts.filter((part) => {
  const { top, bottom } = document.querySelector(part).getBoundingClientRect();
  return top < 0 || bottom > innerHeight;
})"""


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """The pages, each written once."""
    made: dict[str, str] = {}

    def of(name: str) -> str:
        if name not in made:
            path = tmp_path_factory.mktemp("pages") / "page.html"
            made[name] = PAGES[name](path).path.as_uri()
        return made[name]

    return of


DARK = {"post", "softmax"}  # CI looks at these in the dark too, `make thorough` at all
OPENED = [
    pytest.param(
        name, scheme, marks=[pytest.mark.thorough] * (scheme == "dark" and name not in DARK)
    )
    for name in PAGES
    for scheme in ("light", "dark")
]


@pytest.mark.parametrize(("name", "scheme"), OPENED)
def test_every_page_in_every_window(browser, written, name, scheme):  # noqa: F811
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page = browser.new_page(color_scheme=scheme, offline=True, reduced_motion="reduce")
    troubles: list[str] = []
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("console", lambda said: troubles.append(f"{said.type}: {said.text}"))
    page.on("request", lambda request: troubles.extend(
        [request.url] if not request.url.startswith(("file:", "data:")) else []))  # fmt: skip
    page.set_viewport_size(dict(zip(("width", "height"), WINDOWS[0])))
    page.goto(written(name))
    troubles += [f"step {step}: {part} is not in view" for step, part in stepped(page)]
    for width, height in WINDOWS:
        page.set_viewport_size({"width": width, "height": height})
        found = page.evaluate(COMPLAINTS) + page.evaluate(WHOLE)
        if width == WINDOWS[-1][0]:
            page.click("#numbers summary")
            page.click("#answer button[type=submit]")  # the quiz asks
            found += page.evaluate(COMPLAINTS)
        checked = axe.run(page)
        found += [checked.generate_report()] if checked.violations_count else []
        troubles += [f"{width} wide: {wrong}" for wrong in found]
    page.close()
    assert not troubles, "\n".join(troubles)


def stepped(page) -> list[tuple[int, str]]:
    """Parts that leave the window while the reader steps through the graph."""
    page.click("#first")
    unseen = []
    for step in range(1, 13):
        page.click("#forth")
        parts = ["#said", "#why-title", "#reason p", "#forth", f"{SHOWN} .node.chosen"]
        unseen += [(step, part) for part in page.evaluate(UNSEEN, parts)]
    return unseen


def test_a_window_that_was_narrow_shows_again_what_it_showed(browser, written):  # noqa: F811
    page = browser.new_page(viewport={"width": 1280, "height": 800}, offline=True)
    page.goto(written("moons"))
    before = page.evaluate("state.scene")
    page.set_viewport_size({"width": 390, "height": 844})
    page.wait_for_function(f"state.scene !== {before}")
    page.set_viewport_size({"width": 1280, "height": 800})
    page.wait_for_function(f"state.scene === {before}")
    page.close()


# ── Regions ───────────────────────────────────────────────────────────────────────────────


def classifier(last: str, loss: Any, units: int = 1) -> Any:
    keras.utils.set_random_seed(3)
    layers = [keras.layers.Dense(4, "tanh", input_shape=[2]), keras.layers.Dense(units, last)]
    model = keras.Sequential(layers)
    model.compile(keras.optimizers.SGD(0.3), loss)
    return model


POINTS = [[0.0, 1.0], [1.0, -0.5], [-1.0, 0.25], [0.5, 0.5], [2.0, 1.5]]
KINDS: dict[str, tuple[Any, list[Any], float | None, list[int]]] = {
    "two classes": (classifier("sigmoid", "binary_crossentropy"), [0, 1, 0, 1, 1], 0.5,
                    [0, 1, 0, 1, 1]),
    "scores": (classifier("linear", keras.losses.BinaryCrossentropy(from_logits=True)),
               [0, 1, 0, 1, 1], 0.0, [0, 1, 0, 1, 1]),
    "hinge": (classifier("tanh", "hinge"), [-1, 1, -1, 1, 1], 0.0, [0, 1, 0, 1, 1]),
    "numbered": (classifier("softmax", "sparse_categorical_crossentropy", 3), [0, 1, 2, 1, 0], None,
                 [0, 1, 2, 1, 0]),
    "one-hot": (classifier("softmax", "categorical_crossentropy", 3),
                [[1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 1, 0], [1, 0, 0]], None, [0, 1, 2, 1, 0]),
    "numbers": (classifier("linear", "mse"), [0.5, 1.5, -2.0, 3.0, 0.25], None, []),
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_regions_are_the_answers_of_the_model(browser, tmp_path, kind):  # noqa: F811
    """At places, and at the samples after every epoch, with the right classes ringed."""
    model, targets, threshold, classes = KINDS[kind]
    recorded = keras.callbacks.WeightHistory()
    model.fit(POINTS, targets, epochs=4, batch_size=5, verbose=0, callbacks=recorded)
    written = tg.explore(model, tmp_path / "p.html", data=(POINTS, targets), training=recorded)
    page = browser.new_page(offline=True)
    page.goto(written.path.as_uri())
    assert page.evaluate("CLASSES.of") == classes
    assert page.evaluate("DATA.threshold ?? null") == threshold
    for epoch in (0, 4):
        page.evaluate(f"goTo({epoch})")
        weights = recorded.epochs[epoch]
        for parameter, x in zip(model.parameters(), weights):
            parameter.data = x
        for place in ([0.3, -0.7], [1.25, 2.0], [-3.0, 0.0]):
            told = page.evaluate(f"answersAt({place})")
            assert told == pytest.approx([float(x) for x in model.predict([place])[0]], rel=1e-12)
        answers = [[float(x) for x in row] for row in model.predict(POINTS)]
        border = 0.0 if threshold is None else threshold
        chosen = [row.index(max(row)) if len(row) > 1 else int(row[0] > border) for row in answers]
        wrong = sum(a != b for a, b in zip(chosen, classes)) if classes else 0
        assert page.locator("#regions .wrong").count() == wrong
        assert page.locator("#regions .sample").count() == len(POINTS)
        label = page.locator("#regions svg.chart").get_attribute("aria-label")
        assert label.startswith("The plane of x₁ and x₂, with 5 samples.")
        right = sum(map(int, re.findall(r": (\d+) of \d+ right", label)))
        assert not classes or right == len(POINTS) - wrong
    page.locator("#regions .sample").nth(2).click()
    assert page.evaluate("SAMPLE[state.selected]") == 2
    page.close()


def test_no_regions_where_samples_depend_on_each_other(browser, tmp_path):  # noqa: F811
    """A sample's output that is computed from the others can't be computed elsewhere alone."""
    w = Value(0.5, "w", "parameter")
    inputs = []
    for i in (1, 2):
        with tg.scope(f"sample {i}"):
            inputs.append([Value(float(i), f"x{k}", "input") for k in (1, 2)])
    mean = (inputs[0][0] + inputs[1][0]) / 2.0
    losses = []
    for i, (a, b) in enumerate(inputs, 1):
        with tg.scope(f"sample {i}"):
            y = (a - mean) * w + b
            y.name = "ŷ"
            losses.append((y - Value(1.0, "y", "target")) ** 2)
    page = browser.new_page(offline=True)
    page.goto(tg.explore(tg.sum(losses), tmp_path / "page.html").path.as_uri())
    assert not page.locator("#regions-card").is_visible()
    page.close()
