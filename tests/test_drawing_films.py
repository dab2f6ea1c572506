"""Films: every frame is its graph's picture, and the pictures of docs/pictures.md are current."""

from __future__ import annotations

import re
import sys
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

import pytest
from sybil import Sybil
from sybil.parsers.markdown import PythonCodeBlockParser

import tinygrad_edu as tg
from tinygrad_edu import Graph, Value, errors, snapshot
from tinygrad_edu.drawing import film
from tinygrad_edu.drawing.layout import stage

SVG = "{http://www.w3.org/2000/svg}"


def training(epochs: int) -> list[Graph]:
    """(3w − 6)² at w = 0, 1, 2, … of gradient descent."""
    w, graphs = Value(0.0, "w", "parameter"), []
    for _ in range(epochs):
        loss = (w * 3.0 - Value(6.0, "y", "target")) ** 2
        loss.name = "loss"
        graphs.append(snapshot(loss))
        w.grad = 0.0
        loss.backward()
        w.data -= 0.02 * w.grad
    return graphs


GRAPHS = training(5)
SHOWN = film(GRAPHS, [f"epoch {i}" for i in range(5)], title="w learns", seconds=2.0)


def shown_at(frame: int) -> Counter[str]:
    """All texts of the film while a frame is on: those that no style hides then."""
    root = ElementTree.fromstring(SHOWN.svg())
    texts: Counter[str] = Counter()
    todo = [root]
    while todo:
        element = todo.pop()
        moment = re.search(r"\btg-(\d+)-(\d+)\b", element.get("class", ""))
        if moment and not int(moment[1]) <= frame <= int(moment[2]):
            continue
        if element.tag == f"{SVG}text":
            texts[element.text or ""] += 1
        todo += element
    return texts


@pytest.mark.parametrize("frame", range(5))
def test_while_a_frame_is_on_its_numbers_are(frame: int) -> None:
    alone = ElementTree.fromstring(SHOWN.frames()[frame])
    assert shown_at(frame) == Counter(text.text or "" for text in alone.iter(f"{SVG}text"))
    changes = stage(GRAPHS).frame(GRAPHS[frame])
    texts = Counter(change["text"] for change in changes.values() if "text" in change)
    assert not texts - shown_at(frame)
    assert f"epoch {frame}" in shown_at(frame)
    by_id = {one.get("id"): one for one in alone.iter()}
    for id, change in changes.items():
        if "class" in change:
            assert by_id[id].get("class") == change["class"]


def test_the_film_plays_by_itself_and_ends_with_the_last_frame() -> None:
    svg = SHOWN.svg()
    root = ElementTree.fromstring(svg)
    ids = [one.attrib["id"] for one in root.iter() if "id" in one.attrib]
    assert len(ids) == len(set(ids))
    moments = set(re.findall(r'class="(tg-\d+-\d+)"', svg))
    assert moments
    for moment in moments:
        assert f".{moment}{{animation:{moment} 12s step-end infinite}}" in svg
        assert f"@keyframes {moment}{{" in svg
    still = svg.index("@media (prefers-reduced-motion:no-preference)")
    assert all(svg.index(f"@keyframes {moment}") > still for moment in moments)
    for group in root.iter(f"{SVG}g"):
        if group.get("class") in moments:
            assert (group.get("visibility") == "hidden") == (
                not group.attrib["class"].endswith("-4")
            )
    assert "<script" not in svg


def test_what_does_not_change_is_drawn_once() -> None:
    same = film([GRAPHS[0]] * 3).svg()
    assert "@keyframes" not in same
    assert SHOWN.svg().count(">loss<") == 1
    assert SHOWN.svg().count(">epoch ") == 5


def test_saving(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert SHOWN.save(tmp_path / "a.svg").read_text(encoding="utf-8") == SHOWN.svg()
    content = film(GRAPHS[:2]).save(tmp_path / "a.gif").read_bytes()
    assert content[:6] == b"GIF89a"
    with pytest.raises(errors.BadArgument, match=r"\.svg or \.gif"):
        SHOWN.save(tmp_path / "a.mp4")
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(errors.MissingExtra, match=r"tinygrad-edu\[plots\]"):
        SHOWN.save(tmp_path / "b.gif")
    assert not (tmp_path / "b.gif").exists()


def test_notebook(monkeypatch: pytest.MonkeyPatch) -> None:
    assert SHOWN._repr_mimebundle_()["text/html"].count("<svg") == 1
    monkeypatch.setattr("tinygrad_edu.drawing.layout_engines.ENGINES", {})
    bundle = film(GRAPHS)._repr_mimebundle_()
    assert set(bundle) == {"text/plain"}
    assert "loss" in bundle["text/plain"]


def test_films_that_make_no_sense() -> None:
    with pytest.raises(errors.BadArgument, match="at least one frame"):
        film([])
    with pytest.raises(errors.BadArgument, match="2 captions for 5 frames"):
        film(GRAPHS, ["a", "b"])
    with pytest.raises(errors.GraphError, match="Graph 0 has 6 nodes, graph 1 has 1 node"):
        film([GRAPHS[0], Value(1.0)])
    with pytest.raises(errors.GraphError, match="Received"):
        film([3.0])
    with pytest.raises(errors.NameUnknown, match="auto"):
        film(GRAPHS, theme="audo")
    for seconds in (0.0, -1.0, float("nan")):
        with pytest.raises(errors.BadArgument, match="seconds"):
            film(GRAPHS, seconds=seconds)


def test_values_are_recorded_as_they_are_now() -> None:
    w = Value(1.0, "w")
    assert film([w * 2.0]).graphs == [tg.snapshot(w * 2.0)]


# --- the pictures of the docs

DOCS = Path(__file__).parents[1] / "docs"
PAGE = DOCS / "pictures.md"


def test_the_pictures_of_the_docs_are_current(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for example in Sybil([PythonCodeBlockParser()]).parse(PAGE).examples():
        example.evaluate()
    linked = re.findall(r"\]\((\S+\.svg)\)", PAGE.read_text(encoding="utf-8"))
    assert sorted(linked) == sorted(path.name for path in tmp_path.iterdir())
    for name in linked:
        made = (tmp_path / name).read_text(encoding="utf-8")
        same = f"docs/{name} is not what docs/pictures.md draws: run its code and copy the file"
        assert made == (DOCS / name).read_text(encoding="utf-8"), same
