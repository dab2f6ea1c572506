"""An engine's SVG, prepared for pages: clean, addressable, and coloured by classes.

The engine gets a theme whose colours only mark the parts (`themes.marks`). Here every such colour
is replaced by the real one and a class, so that a stylesheet can change it; numbers are centred in
their slots and get ids; tooltips become titles, and the engine's own titles (``<title>v3</title>``)
are removed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Final
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from ..errors import DrawingError
from ..strings import clean
from .dot import Slot
from .themes import FAINT, PICTURE, SHADES, Theme, marks

_NAMESPACE: Final = "http://www.w3.org/2000/svg"
_SVG: Final = f"{{{_NAMESPACE}}}"
_TOLD: Final = "{http://www.w3.org/1999/xlink}title"
_, _MEANT = marks()


def dress(
    drawn: str,
    slots: Mapping[str, Sequence[Slot]],
    theme: str,
    colours: Theme,
    label: str,
    *,
    prefix: str = "",
    style: str = "",
    titles: bool = True,
) -> str:
    """The engine's SVG of a marked DOT source as one ``<svg>`` element.

    Args:
        drawn: the output of the engine.
        slots: the numbers of each card, in the order in which they were written.
        theme: "light", "dark" or "auto", for the stylesheet.
        colours: those that are written into the elements, for programs that ignore stylesheets.
        label: a description of the picture, for those who can't see it.
        prefix: what every id begins with.
        style: the stylesheet to put inside.
        titles: whether cards and edges have tooltips.
    """
    try:
        root = ElementTree.fromstring(drawn)
    except ElementTree.ParseError as error:
        raise DrawingError(f"The layout engine wrote an invalid SVG: {error}.") from error
    _unwrapped(root, titles)
    for group in root.iter(f"{_SVG}g"):
        kind, *rest = group.get("class", "none").split()
        if "pale" in rest:
            group.set("opacity", f"{FAINT}")
        if kind == "node":
            _card(group, list(slots.get(group.get("id", ""), ())), colours)
        elif kind == "edge":
            _edge(group, colours)
        elif kind == "graph":  # the only number-like text of the picture as a whole
            for before, text in pairwise(list(group)):
                if _MEANT.get(before.get("fill", "")) == "slot":
                    text.set("id", "caption")
    for element in root.iter():
        element.tag = element.tag.removeprefix(_SVG)
        _coloured(element, colours)
        if "id" in element.attrib:
            element.set("id", prefix + element.attrib["id"])
    root.attrib = {
        "xmlns": _NAMESPACE,
        **{key: root.attrib[key] for key in ("width", "height", "viewBox") if key in root.attrib},
        "class": f"{PICTURE} tg-{theme}",
        "role": "img",
        "aria-label": clean(label),
        "font-family": "Helvetica,Arial,sans-serif",
    }
    if style:
        sheet = Element("style")
        sheet.text = style
        root.insert(0, sheet)
    return ElementTree.tostring(root, encoding="unicode")


def _unwrapped(root: Element, titles: bool) -> None:
    """Remove the links that Graphviz wraps around elements with a tooltip, and its own titles."""
    for parent in list(root.iter()):
        children: list[Element] = []
        tooltip = ""
        for child in parent:
            if child.tag == f"{_SVG}g" and len(child) == 1 and child[0].tag == f"{_SVG}a":
                tooltip = child[0].get(_TOLD, tooltip)
                children += child[0]
            elif child.tag != f"{_SVG}title":
                children.append(child)
        parent[:] = children
        parent.text = parent.text if parent.tag == f"{_SVG}text" else None
        parent.tail = "\n" if parent is not root else None
        if tooltip and titles:
            title = Element(f"{_SVG}title")
            title.text, title.tail = tooltip, "\n"
            parent.insert(0, title)


def _card(group: Element, slots: list[Slot], colours: Theme) -> None:
    """Give a card's numbers their ids; a chip and its text become one group."""
    todo = iter(list(group))
    group[:] = []
    for element in todo:
        name = _MEANT.get(element.get("fill", ""), "")
        if slots and (name == "slot" or name in SHADES):
            slot, text = slots.pop(0), next(todo)
            _centre(text, element)
            if slot.what == "data":
                text.set("id", slot.id)
                group.append(text)
                continue
            chip = SubElement(group, f"{_SVG}g", {
                "id": slot.id, "class": f"chip {name}", "fill": colours.get(name, "none"),
                "stroke": "none",
            })  # fmt: skip
            chip.tail = "\n"
            element.attrib = {"d": element.attrib["d"]}
            text.set("id", slot.id.removesuffix("chip") + "grad")
            text.set("fill", colours.get(f"{name}-ink", text.get("fill", "")))
            chip[:] = [element, text]
        else:
            group.append(element)


def _edge(group: Element, colours: Theme) -> None:
    """An edge has its colour and width once, as a group; its parts get ids."""
    id, ground = group.get("id", ""), None
    for element in list(group):
        if _MEANT.get(element.get("fill", "")) == "slot":
            ground = element
            group.remove(element)
        elif element.tag == f"{_SVG}text":
            element.attrib |= {"id": f"{id}-local", "stroke": "none"}
            if ground is not None:
                _centre(element, ground)
        elif element.tag != f"{_SVG}title":
            head = element.tag == f"{_SVG}polygon"
            colour = colours[_MEANT[element.attrib.pop("stroke")]]
            group.attrib |= {"stroke": colour, "stroke-width": element.get("stroke-width", "1")}
            element.attrib.pop("stroke-width", None)
            element.attrib |= {"id": f"{id}-path", "fill": "none"}
            if head:
                element.attrib |= {"id": f"{id}-arrow", "fill": colour, "class": "arrow"}


def _centre(text: Element, ground: Element) -> None:
    """Centre a label in its cell, so that any number fits there."""
    numbers = re.findall(r"-?[\d.]+", ground.get("points") or ground.get("d") or "")
    xs = [float(x) for x in numbers[0::2]]
    text.attrib |= {"x": f"{(min(xs) + max(xs)) / 2:.2f}", "text-anchor": "middle"}


def _coloured(element: Element, colours: Theme) -> None:
    """Real colours instead of marks, each with its class for a stylesheet."""
    classes = element.get("class", "").split()
    for attribute, letter in (("fill", "f"), ("stroke", "s")):
        name = _MEANT.get(element.get(attribute, ""))
        if name == "slot":
            element.set(attribute, "none")
        elif name:
            element.set(attribute, colours[name])
            classes.append(f"{letter}-{name}")
    if classes:
        element.set("class", " ".join(classes))
    for unneeded in ("font-family", "{http://www.w3.org/XML/1998/namespace}space"):
        element.attrib.pop(unneeded, None)
