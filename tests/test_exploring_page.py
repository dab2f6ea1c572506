"""The page in a real browser: what a reader does, and what the page must do then."""

from __future__ import annotations

import os
import random
import shutil

import pytest

import tinygrad_edu as tg
from tests.test_exploring import FLATS, NASTY, PRICES, small_loss, trained
from tinygrad_edu import Value, keras

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
ARGUMENTS = [
    "--no-sandbox", "--headless", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
MISSING = ""
try:
    from playwright.sync_api import sync_playwright
except ImportError:
    MISSING = "the page is not tested: the Python package playwright is missing"
if CHROMIUM is None:
    MISSING = "the page is not tested: there is no chromium"
if MISSING and not os.environ.get("REQUIRE_BROWSER"):
    pytest.skip(MISSING, allow_module_level=True)


@pytest.fixture(scope="module")
def browser():
    """One browser for all tests of this file."""
    if MISSING:
        pytest.fail(MISSING)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def desk(browser):
    """The window of most tests, one after the other: that of a desktop, without network."""
    page = browser.new_page(viewport={"width": 1280, "height": 900}, offline=True)
    yield page
    page.close()


@pytest.fixture
def visit(browser, desk, tmp_path):
    """Opens a written page; at the end no error was logged, and nothing else was asked for."""
    errors, requests, windows = [], [], []
    hear = {
        "pageerror": lambda error: errors.append(str(error)),
        "console": lambda said: errors.append(f"{said.type}: {said.text}"),
        "request": lambda request: requests.append(request.url),
    }

    def open_it(subject, **window):
        written = subject
        if not isinstance(subject, tg.Page):
            written = tg.explore(subject, tmp_path / "page.html")
        page = browser.new_page(offline=True, **window) if window else desk
        if page not in windows:
            windows.append(page)
            for event, heard in hear.items():
                page.on(event, heard)
        page.goto(written.path.resolve().as_uri())
        return page

    yield open_it
    for page in windows:
        page.evaluate("new Promise((done) => setTimeout(done))")  # what it is about to do, it does
        page.goto("about:blank") if page is desk else page.close()
        for event, heard in hear.items():
            page.remove_listener(event, heard)
    assert not errors
    assert not [url for url in requests if not url.startswith(("file:", "data:"))], requests


@pytest.fixture(scope="module")
def post(tmp_path_factory):
    """The post's model, its training recorded, as a page."""
    model, recorded = trained(epochs=40)
    path = tmp_path_factory.mktemp("post") / "model.html"
    return tg.explore(model, path, data=(FLATS, PRICES), training=recorded), model, recorded


def numbers(page) -> tuple[list[float], list[float]]:
    """All values and adjoints of the page, to the last bit."""
    found = page.evaluate(
        "[state.numbers.values, state.numbers.adjoint].map(a => [...a].map(String))"
    )
    return tuple([float(x.replace("Infinity", "inf")) for x in row] for row in found)


def expected(model, weights) -> tuple[list[float], list[float]]:
    """What Python says at these weights."""
    model.set_weights([[[weights[0]]], [weights[1]]])
    graph = tg.snapshot(model.loss_graph(FLATS, PRICES))
    return [node.data for node in graph.nodes], [node.adjoint for node in graph.nodes]


def close(got: list[float], right: list[float]) -> bool:
    return got == pytest.approx(right, rel=1e-12, abs=0.0, nan_ok=True)


def chosen(page, id: int) -> str:
    page.select_option("#node", str(id))
    return page.inner_text("#reason")


def shown(page, part: str) -> str:
    """The text of a part of the picture that is shown."""
    return page.locator(f".picture:visible [id$='-{part}']").text_content()


# ── The numbers ───────────────────────────────────────────────────────────────────────────


def test_every_epoch_and_every_slider_gives_pythons_numbers(visit, post):
    written, model, recorded = post
    page = visit(written)
    for epoch in (0, 1, 17, 40):
        page.evaluate(f"goTo({epoch})")
        values, adjoints = numbers(page)
        right = expected(model, recorded.epochs[epoch])
        assert close(values, right[0])
        assert close(adjoints, right[1])
    w, b = (
        page.locator("#sliders input[type=text]").nth(0),
        page.locator("#sliders input[type=text]").nth(1),
    )
    for weights in ((123.456, -7.0), (1e-300, 1e150), (-3.25, 0.1)):
        w.fill(repr(weights[0])), w.press("Enter")
        b.fill(repr(weights[1])), b.press("Enter")
        values, adjoints = numbers(page)
        right = expected(model, weights)
        assert close(values, right[0])
        assert close(adjoints, right[1])


def test_a_step_downhill_is_pythons_and_rewinding_gives_the_same_bits(visit, post):
    written, _, recorded = post
    page = visit(written)
    before = numbers(page)
    page.click("#descend")
    assert page.evaluate("[...state.parameters]") == pytest.approx(recorded.epochs[1], rel=1e-12)
    page.click("#descend-more")
    assert page.evaluate("state.run.length") == 102
    page.locator("#sliders input[type=range]").nth(2).press("ArrowRight")
    page.keyboard.press("Escape")
    page.click("#rewind")
    assert numbers(page) == before
    assert page.evaluate("[state.epoch, state.rate, state.run.length]") == [0, 0.01, 41]


def some_graph(rng: random.Random) -> Value:
    """Operations of all kinds over a few leaves, some of them used several times."""
    nodes = [
        Value(rng.uniform(0.2, 2.0), f"x{i}", rng.choice([None, "parameter"])) for i in range(4)
    ]
    for _ in range(25):
        a, b = rng.choice(nodes), rng.choice(nodes)
        one = [tg.tanh, tg.exp, tg.sigmoid, tg.relu, tg.erf, tg.softplus, tg.sin, tg.square, tg.abs]
        two = [tg.add, tg.mul, tg.sub, tg.maximum, tg.hypot, lambda x, y: x / (1.0 + y * y)]
        made = rng.choice(two)(a, b) if rng.random() < 0.5 else rng.choice(one)(a)
        nodes.append(tg.tanh(made) if abs(made.data) > 50 else made)
    return tg.sum(nodes[-6:]) + tg.logsumexp(nodes[-3:]) + tg.stop_gradient(nodes[5]) ** 1.5


@pytest.mark.parametrize("seed", range(3))
def test_any_graph_is_computed_as_python_does(visit, seed):
    loss = some_graph(random.Random(seed))
    page = visit(loss)
    graph = tg.snapshot(loss)
    values, adjoints = numbers(page)
    assert close(values, [node.data for node in graph.nodes])
    assert adjoints == pytest.approx([node.adjoint for node in graph.nodes], rel=1e-11, abs=1e-13)


# ── Steps ─────────────────────────────────────────────────────────────────────────────────


def test_stepping_by_keys_buttons_and_slider(visit):
    page = visit(small_loss())
    total = page.evaluate("STEPS.length")
    page.keyboard.press("Home")
    assert page.inner_text("#said").startswith("Start")
    assert shown(page, "v2-data") == "·"
    page.keyboard.press("ArrowRight")
    assert "forward: w × x = 0.5 × 2 = 1" in page.inner_text("#said")
    assert shown(page, "v2-data") == "1"
    page.click("#forth"), page.click("#back")
    assert page.evaluate("state.step") == 1
    page.focus("#step")
    page.keyboard.press("ArrowRight")
    assert page.evaluate("state.step") == 2
    page.click("#last")
    assert page.inner_text("#said").startswith("Done")
    assert page.evaluate("state.step") == total + 1
    assert shown(page, "v0-grad") == "d -8"
    page.keyboard.press("?")
    assert page.locator("#keys").is_visible()
    page.keyboard.press("Escape")
    assert not page.locator("#keys").is_visible()


def test_every_step_of_the_way_back_shows_what_it_has_computed(visit):
    page = visit(small_loss())
    page.click("#first")
    for step in range(1, page.evaluate("STEPS.length") + 1):
        page.keyboard.press("ArrowRight")
        shown = page.evaluate("DATA.op.map((_, id) => [valueShown(id), gradientShown(id)])")
        ids = page.evaluate("STEPS[state.step - 1]")
        back = step > page.evaluate("forwardSteps")
        assert all(shown[id][1 if back else 0] for id in ids)
        assert page.locator(".node.now").count() == len(ids)


def test_playing_and_pausing(visit):
    page = visit(small_loss())
    page.evaluate(
        "() => { window.setInterval = (f) => setTimeout(function again() {"
        " f(); if (playing.timer) setTimeout(again, 5); }, 5); }"
    )
    page.click("#first")
    page.keyboard.press("Space")
    for _ in range(100):
        if page.evaluate("state.step === END() && !playing.timer"):
            break
        page.wait_for_timeout(20)
    assert page.inner_text("#play") == "Play"


def test_all_samples_at_once_or_one_by_one(visit, post):
    page = visit(post[0])
    at_once = page.evaluate("STEPS.length")
    page.click("#together")
    assert page.evaluate("STEPS.length") > 4 * at_once
    page.keyboard.press("End")
    assert numbers(page)[1][page.evaluate("PARAMETERS[1]")] == pytest.approx(-80000.0)


def test_the_picture_follows_what_is_chosen(visit, post):
    page = visit(post[0])
    assert page.evaluate("DATA.scenes[state.scene].label") == "sample 1"
    page.click("#reason >> text=sample 5")
    assert page.evaluate("DATA.scenes[state.scene].label") == "sample 5"
    assert page.locator(".picture:visible .node.chosen").count() == 1
    page.locator(".picture:visible .node.parameter").first.click()
    assert page.evaluate("DATA.name[state.selected]") == "w"
    page.locator(".picture:visible .node.chosen").press("ArrowDown")
    assert page.evaluate("DATA.name[state.selected]") == "b"


def test_a_folded_card_is_unfolded_by_a_tap(visit, post):
    page = visit(post[0], viewport={"width": 390, "height": 844})
    cards = page.locator(".picture:visible .node")
    assert cards.count() == 3
    assert "7 samples" in cards.nth(1).text_content()
    cards.nth(1).click()
    assert page.evaluate("DATA.scenes[state.scene].label") == "sample 1"
    assert cards.count() > 4
    for _ in range(3):
        page.locator(".picture:visible .node.folded").first.click()
    assert page.locator(".picture:visible .node").count() == 13
    page.click("#fit")
    assert cards.count() == 3


def test_the_numbers_on_the_cards_are_those_of_the_page(visit, post):
    page = visit(post[0])
    page.evaluate("goTo(40)")
    slots = page.evaluate(
        "SCENES[state.scene].slots.map(({what, nodes, text}) => [text.textContent,"
        " what === 'data' ? rounded(state.numbers.values[nodes[0]])"
        " : `d ${signed(state.numbers.adjoint[nodes[0]])}`])"
    )
    assert slots
    assert all(shown == right for shown, right in slots), slots


# ── Why ───────────────────────────────────────────────────────────────────────────────────


def test_why_b_has_its_gradient_can_be_read_from_the_page(visit, post):
    page = visit(post[0])
    said = page.inner_text("#reason")
    for piece in (
        "−80000",
        "7 samples",
        "1 / 7 × 2 × (ŷ − y)",
        "80000 × ε",
        "ŷ = w × x + b",
    ):
        assert piece in said, said
    products = [-20000.0 * i / 7.0 for i in range(1, 8)]
    rows = page.locator(".terms:not(.paths) tbody tr td:last-child").all_inner_texts()
    got = [float(text.replace("−", "-")) for text in rows]
    assert got == pytest.approx(products, rel=1e-3)
    assert page.locator(".paths tbody tr").count() == 7


@pytest.mark.smoke
def test_every_card_and_every_edge_explains_itself(visit, post):
    """For each node the terms on the page add up to its gradient."""
    page = visit(post[0])
    for id in range(0, 54, 3):
        said = chosen(page, id)
        assert "undefined" not in said
        assert "NaN" not in said
    wrong = page.evaluate(
        "DATA.op.map((_, id) => id).filter((id) => id !== ROOT && Math.abs(USES[id].reduce("
        "(sum, use) => sum + state.numbers.adjoint[use.to] * local(use), 0)"
        " - state.numbers.adjoint[id]) > 1e-9)"
    )
    assert wrong == []
    chosen(page, 1)
    edge = page.locator(".picture:visible .edge .grip").nth(3)
    edge.dispatch_event("click")
    assert "×" in page.evaluate("edgeWords(SCENES[state.scene].links[3].edges)")


def test_every_number_is_in_the_table(visit, post):
    page = visit(post[0])
    page.click("#numbers summary")
    rows = page.locator("#table tbody tr").all_inner_texts()
    assert len(rows) == 54
    for id, (value, adjoint) in enumerate(zip(*numbers(page))):
        cells = rows[id].split("\t")
        assert float(cells[-2].replace("−", "-")) == value
        assert cells[-1] == "none" or float(cells[-1].replace("−", "-")) == adjoint
    page.click("#table tbody tr:last-child button")
    assert "grows by 1" in page.inner_text("#reason")


# ── Training and its views ────────────────────────────────────────────────────────────────


def test_all_views_move_with_the_epoch(visit, post):
    page = visit(post[0])

    def views():
        return [
            page.inner_html(f"#{id}")
            for id in ("line", "curve", "slope", "bowl", "reason", "update")
        ]

    before = views()
    assert page.locator("#line circle.target").count() == 7
    page.focus("#epoch")
    page.keyboard.press("End")
    after = views()
    assert all(x != y for x, y in zip(before, after))
    assert page.inner_text("#epoch-said").startswith("40 of 40")
    assert "b alone" in page.inner_text("#slope-name")
    chosen(page, 0)
    assert "w alone" in page.inner_text("#slope-name")
    assert "dloss/dw" in page.inner_text("#slope")
    page.click("#bowl .chart")
    assert page.evaluate("state.run.length") == 1
    assert "Your own" in page.inner_text("#where")
    page.locator("#sliders input[type=range]").first.focus()
    page.keyboard.press("PageUp")
    assert "moved" in page.inner_text("#where") or page.evaluate("state.run.length") == 1


def test_other_optimisers_are_shown_as_they_were(visit, tmp_path):
    model, recorded = trained(epochs=6, optimizer=keras.optimizers.Adam(50.0))
    page = visit(tg.explore(model, tmp_path / "a.html", data=(FLATS, PRICES), training=recorded))
    for epoch, weights in enumerate(recorded.epochs):
        page.evaluate(f"goTo({epoch})")
        assert page.evaluate("[...state.parameters]") == weights


# ── Predict, then see ─────────────────────────────────────────────────────────────────────


def ask(page, name: str) -> None:
    page.select_option("#asked", label=name)
    page.click("#answer button[type=submit]")


def answer(page, text: str) -> str:
    page.fill("#guess", text)
    page.press("#guess", "Enter")
    return page.inner_text("#verdict")


def test_a_gradient_is_asked_for_before_it_is_shown(visit, post):
    page = visit(post[0])
    ask(page, "b")
    assert shown(page, "v1-grad") == "d ?"
    for place in (
        "#reason",
        "#update",
        "#said",
        "#bowl",
        "#slope",
        ".picture:visible [id$='-v1-chip']",
    ):
        assert "80000" not in page.inner_html(place), place
    assert "Right" in answer(page, "−80 000")
    assert shown(page, "v1-grad") == "d -80000"
    ask(page, "w")
    page.click("#reveal")
    assert "−400000" in page.inner_text("#verdict")


@pytest.mark.parametrize(
    ("guess", "says"),
    [
        ("80000", "sign is wrong"),
        ("0", "value of b"),
        ("-2857.14", "one of 7 terms"),
        ("-80000/7", "mean of the 7 terms"),
        ("-560000", "∂loss/∂(Σ (ŷ − y)²)"),
        ("-40000", "A factor 2 is in ∂(ŷ − y)²/∂(ŷ − y) = 2 × (ŷ − y)."),
        ("280000", "the post's rule, Σ (y − ŷ)"),
        ("-400000", "gradient of w"),
        ("1", "One link is missing: ∂(ŷ − y)²/∂(ŷ − y)"),
        ("800", "the step"),
        ("-8000", "decimal point"),
        ("-8571.4", "7 terms"),
        ("12345", "sign is wrong too"),
        ("many", "Enter a number"),
    ],
)
def test_a_wrong_answer_gets_its_likely_mistake(asked_page, guess, says):
    assert says in answer(asked_page, guess), asked_page.inner_text("#verdict")


@pytest.fixture(scope="module")
def asked_page(browser, post):
    page = browser.new_page()
    page.goto(post[0].path.as_uri())
    ask(page, "b")
    yield page
    page.close()


def test_a_factor_that_is_not_there_is_not_missing(visit):
    """Half of the gradient may be a mistake at any link; only one that has a 2 is named."""
    a, b, c, f = (Value(x, name) for x, name in ((2.0, "a"), (-3.0, "b"), (10.0, "c"), (-2.0, "f")))
    page = visit((a * b + c) * f)
    ask(page, "a")
    assert answer(page, "3") == "That is half of the gradient: a factor 2 is missing."


def test_the_reader_of_the_post_is_recognised(visit, post):
    page = visit(post[0])
    ask(page, "w")
    for guess, rule in (("-1400000", "Σ (ŷ − y) × x"), ("1400000", "Σ (y − ŷ) × x")):
        said = answer(page, guess)
        assert f"That is the post's rule, {rule}; Keras's is 2/n times that" in said
        assert said.endswith("here 2/7.")


def test_the_mistakes_are_computed_from_the_graph(visit):
    """dloss/dw of (w·x − 3)² at w = ½, x = 5 is 2·(−½)·5 = −5."""
    w, x = Value(0.5, "w", "parameter"), Value(5.0, "x", "input")
    page = visit((w * x - 3.0) ** 2)
    ask(page, "w")
    assert "factor 2 is missing" in answer(page, "-2,5")
    assert "you used the value instead of its derivative" in answer(page, "1.25")
    assert "One link is missing: ∂(w × x)/∂w = x" in answer(page, "-1")
    assert "Right" in answer(page, "-10/2")


# ── What it looks like ────────────────────────────────────────────────────────────────────

OUTSIDE = """() => {
  const box = (element) => element.getBoundingClientRect();
  const cards = [...document.querySelectorAll('.picture .node')];
  return cards.filter((node) => node.getClientRects().length).flatMap((node) => {
    const card = box(node.querySelector(':scope > path, :scope > polygon'));
    const texts = [...node.querySelectorAll('text')].filter((text) => text.textContent);
    return texts.filter((text) => {
      const within = text.parentNode.matches('.chip') ? box(text.previousElementSibling) : card;
      const { left, right, top, bottom } = box(text);
      return left < within.left - 0.6 || right > within.right + 0.6
        || top < card.top - 1 || bottom > card.bottom + 1;
    }).map((text) => `${node.id}: ${text.textContent}`);
  });
}"""


def test_no_text_leaves_its_card(visit, post):
    page = visit(post[0])
    for scene in ("sample 1", "sample 7", "all of it"):
        page.select_option("#scene", label=scene)
        for w, b in (
            (0.0, 0.0),
            (9942.903307, 282.739456),
            (-1.2345e-7, 9.8765e211),
            (1e-310, -3.3e307),
        ):
            page.evaluate(f"startFrom(Float64Array.of({w}, {b}))")
            assert page.evaluate(OUTSIDE) == []


def softmax_page(path):
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.layers.Dense(3, "softmax", input_shape=[2])])
    model.compile("sgd", "sparse_categorical_crossentropy")
    return tg.explore(model, path, data=([[0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], [0, 1, 2]))


def hidden_layer_page(path):
    keras.utils.set_random_seed(1)
    layers = [keras.layers.Dense(8, "tanh", input_shape=[2]), keras.layers.Dense(1, "sigmoid")]
    model = keras.Sequential(layers)
    model.compile("sgd", "binary_crossentropy")
    return tg.explore(model, path, data=([[0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], [0, 1, 0]))


def test_a_link_leads_back_to_epoch_step_and_choice(visit, post):
    page = visit(post[0])
    page.evaluate("goTo(17)")
    page.evaluate("goToStep(5)")
    chosen(page, 1)
    page.wait_for_url("**#epoch=17&step=5&node=1")
    link = page.evaluate("location.href")
    page.goto("about:blank")
    page.goto(link)
    assert page.evaluate("[state.epoch, state.step, state.selected]") == [17, 5, 1]
    page.evaluate("location.hash = '#epoch=99999&step=-1&node=x'")
    page.wait_for_timeout(50)
    assert page.evaluate("[state.epoch, state.step, state.selected]") == [17, 5, 1]


def test_a_worksheet_has_blanks_and_a_second_sheet_the_answers(visit, post):
    page = visit(post[0], viewport={"width": 1280, "height": 800})
    page.evaluate("window.print = () => {}")
    page.click("#worksheet")
    page.emulate_media(media="print")
    blank, answers = page.locator(".sheet").all()
    assert blank.is_visible()
    assert not page.locator("main").is_visible()
    assert "80000" not in blank.inner_text()
    assert "dloss/db = ______" in blank.inner_text()
    assert "dloss/db = −80000" in answers.inner_text()
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    page.emulate_media(media="screen")
    assert page.locator("main").is_visible()


def test_sliders_have_names_of_their_own(visit, tmp_path):
    page = visit(softmax_page(tmp_path / "page.html"))
    names = page.locator("#sliders .slider span").all_text_contents()
    assert len(set(names)) == len(names) >= 9
    assert page.evaluate("DATA.samples.length") == 3
    assert "−log ŷ of the right class" in page.inner_text("#formulas")


def test_steps_by_layer(visit, tmp_path):
    page = visit(hidden_layer_page(tmp_path / "page.html"))
    page.select_option("#by", "layer")
    page.click("#first")
    said = []
    for _ in range(page.evaluate("STEPS.length")):
        page.click("#forth")
        said.append(page.inner_text("#said"))
    ways = [f"{words.split(': ')[0].split(', ')[1]} {words.split(': ')[1]}" for words in said]
    assert [way.split(",")[0] for way in ways[:3]] == [
        "forward dense", "forward dense_1", "forward the loss"
    ]  # fmt: skip
    assert [way.split(",")[0] for way in ways[3:]] == [
        "backward the loss", "backward dense_1", "backward dense"
    ]  # fmt: skip


def test_steps_are_those_of_the_optimiser_that_trained(visit, tmp_path):
    model, recorded = trained(epochs=3, optimizer=keras.optimizers.Adam(50.0))
    page = visit(tg.explore(model, tmp_path / "a.html", data=(FLATS, PRICES), training=recorded))
    assert "recorded training by Adam" in page.inner_text("#where")
    for rate in (50.0, 7.0):
        page.click("#rewind")
        field = page.locator("#sliders input[type=text]").last
        field.fill(repr(rate)), field.press("Enter")
        for _ in range(3):
            page.click("#descend")
        _, steps = trained(epochs=3, optimizer=keras.optimizers.Adam(rate))
        got = page.evaluate("state.run.map((row) => [...row])")
        assert [x for row in got for x in row] == pytest.approx(
            [x for row in steps.epochs for x in row], rel=1e-9
        )
    assert "by Adam" in page.inner_text("#where")


def test_a_schedule_is_named_and_begins_with_its_first_rate(visit, tmp_path):
    decay = keras.optimizers.schedules.CosineDecay(0.02, 4)
    for rule in (keras.optimizers.SGD, keras.optimizers.Adam):
        model, recorded = trained(epochs=4, optimizer=rule(decay))
        assert model.optimizer.rate == 0.0
        page = visit(
            tg.explore(model, tmp_path / "s.html", data=(FLATS, PRICES), training=recorded)
        )
        assert "A schedule changed its α" in page.inner_text("#where")
        assert page.evaluate("state.rate") == 0.02
        page.click("#descend")
        got = page.evaluate("[...state.parameters]")
        assert got == pytest.approx(recorded.epochs[1], rel=1e-9)


def test_divergence_is_explained_on_the_bowl(visit, post):
    page = visit(post[0])
    assert "stays below 2/λ = 0.048059" in page.inner_text("#bound")
    field = page.locator("#sliders input[type=text]").last
    field.fill("0.05"), field.press("Enter")
    assert "α = 0.05 is more than 2/λ = 0.048059" in page.inner_text("#bound")
    page.click("#descend-more")
    outside = page.evaluate(
        "[...document.querySelectorAll('#bowl polyline, #bowl circle')]"
        ".every((mark) => mark.closest('svg').classList.contains('chart') === false)"
    )
    assert outside  # they are in a frame that cuts them off
    ticks = page.locator("#bowl .tick text").all_text_contents()
    assert all(ticks)


def test_no_two_ticks_are_equal(visit):
    w, b = Value(1e6, "w", "parameter"), Value(0.5, "b", "parameter")
    page = visit((w * 1e-9 + b - 0.5) ** 2 + 1000.0)
    for chart in ("#slope", "#bowl"):
        for axis in ("middle", "end"):
            texts = page.locator(f"{chart} .tick text[text-anchor={axis}]").all_text_contents()
            assert len(set(texts)) == len(texts), texts


def test_steps_backward_show_their_arithmetic(visit, post):
    page = visit(post[0])
    page.click("#first")
    said = []
    for _ in range(page.evaluate("STEPS.length")):
        page.click("#forth")
        said.append(page.inner_text("#said"))
    error = next(words for words in said if "backward: dloss/d(ŷ − y)," in words)
    assert error.endswith("in sample 1 it is 0.1429 × (−20000) = −2857.")
    assert page.locator("#said").get_attribute("aria-live") == "polite"


def test_the_theme_can_be_chosen(visit):
    page = visit(small_loss())
    before = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.click("#theme")
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != before


def test_print_leaves_the_controls_out(visit, post):
    page = visit(post[0], viewport={"width": 1280, "height": 900})
    page.emulate_media(media="print")
    assert not page.locator(".stepper").is_visible()
    assert page.locator("#reason").is_visible()


# ── Graphs of other kinds ─────────────────────────────────────────────────────────────────


def test_graphs_of_other_kinds_open(visit):
    """A constant, nan and infinity, names of any kind, what only Python runs, no parameters."""
    mine = tg.op("only_python_runs", lambda x: float(int(x)), [lambda out, x: 1.0])
    x = Value(2.0, "x", "input")
    for loss in (Value(1.0), tg.log(Value(-1.0, "a")) + 1.0, Value(1.0, "a") / Value(0.0, "b"),
                 mine(Value(2.5, "a")) * 2.0, x * x, Value(0.0) * 3.0):  # fmt: skip
        page = visit(loss)
        page.keyboard.press("Home")
        for _ in range(4):
            page.keyboard.press("ArrowRight")
        page.click("#numbers summary")
        said = page.inner_text("body")
        assert "undefined" not in said
        graph = tg.snapshot(loss)
        assert close(numbers(page)[0], [node.data for node in graph.nodes])
    assert page.evaluate("LIVE")


def test_what_only_python_runs_is_shown_as_recorded(visit):
    mine = tg.op("only_python_runs", lambda x: float(int(x)), [lambda out, x: 1.0])
    page = visit(mine(Value(2.5, "a", "parameter")) * 2.0)
    assert "only_python_runs" in page.inner_text("#notice")
    assert "live sliders are off" in page.inner_text("#notice")
    assert page.locator("#sliders input").count() == 0
    assert numbers(page)[1] == [2.0, 2.0, 0.0, 1.0]


def test_names_of_any_kind_stay_text(visit):
    loss = tg.sum([Value(1.0, name) * Value(2.0, name, "parameter") for name in NASTY])
    loss.name = NASTY[0]
    page = visit(loss)
    for id in range(page.evaluate("COUNT")):
        page.evaluate(f"select({id})")
    page.click("#numbers summary")
    assert page.evaluate("document.querySelectorAll('img, script').length") == 2
    assert page.evaluate("document.documentElement.scrollWidth") <= 1280
    for name in ("</script><script>alert(1)</script>", "{{js}}", "家🏠é"):
        assert page.evaluate("(name) => DATA.name.includes(name)", name)


def test_a_large_graph_is_folded_and_says_so(visit):
    model = keras.Sequential([keras.layers.Dense(8, "relu"), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    xs = [[i / 10.0, 1.0 - i / 10.0] for i in range(40)]
    loss = model.loss_graph(xs, [x[0] for x in xs])
    page = visit(loss)
    assert page.evaluate("COUNT") > 1500
    assert "folded" in page.inner_text("#scene-note") or "one card" in page.inner_text(
        "#scene-note"
    )
    page.click("#descend")
    graph_loss = page.evaluate("state.numbers.values[ROOT]")
    assert graph_loss < loss.data
