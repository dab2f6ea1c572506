"""A picture as TikZ, for papers: its text is set by LaTeX, in the fonts of the document."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

_INHERITED: Final = ("fill", "stroke", "stroke-width", "opacity")
_POINT: Final = re.compile(r"(-?[\d.]+),(-?[\d.]+)")


def tikz(svg: str) -> str:
    r"""An ``<svg>`` element of a picture as a tikzpicture; it needs the packages tikz and amsmath.

    >>> print(tikz('<svg><polygon fill="none" stroke="#FF0000" points="0,0 9,0 9,5 0,0"/></svg>'))
    \begin{tikzpicture}[x=1bp, y=-1bp]
    \draw[draw={rgb,255:red,255;green,0;blue,0}, line width=1bp] (0,0) -- (9,0) -- (9,5) -- (0,0);
    \end{tikzpicture}
    """
    body = _shapes(ElementTree.fromstring(svg), {})
    return "\n".join([r"\begin{tikzpicture}[x=1bp, y=-1bp]", *body, r"\end{tikzpicture}"])


def _shapes(element: Element, around: dict[str, str]) -> Iterator[str]:
    """The commands that draw an element and those in it."""
    style = around | {key: element.attrib[key] for key in _INHERITED if key in element.attrib}
    name = element.tag.rpartition("}")[2]
    if name == "text":
        yield _text(element, style)
    elif name in ("path", "polygon", "polyline", "ellipse"):
        yield rf"\draw[{_options(element, style)}] {_path(name, element)};"
    for child in element:
        yield from _shapes(child, style)


def _options(element: Element, style: dict[str, str]) -> str:
    fill, stroke = (_colour(style.get(key, "none")) for key in ("fill", "stroke"))
    return ", ".join(filter(None, [
        fill and f"fill={fill}",
        f"draw={stroke}, line width={style.get('stroke-width', '1')}bp" if stroke else "draw=none",
        "dashed" if element.get("stroke-dasharray") else "",
        f"opacity={style['opacity']}" if "opacity" in style else "",
    ]))  # fmt: skip


def _colour(code: str) -> str:
    """A colour as TikZ reads it; empty for none."""
    if not code.startswith("#"):
        return ""
    red, green, blue = bytes.fromhex(code[1:])
    return f"{{rgb,255:red,{red};green,{green};blue,{blue}}}"


def _path(name: str, element: Element) -> str:
    if name == "ellipse":
        cx, cy, rx, ry = (element.attrib[key] for key in ("cx", "cy", "rx", "ry"))
        return f"({cx},{cy}) ellipse [x radius={rx}bp, y radius={ry}bp]"
    points = [f"({x},{y})" for x, y in _POINT.findall(element.get("points") or element.attrib["d"])]
    if "C" not in element.get("d", ""):
        return " -- ".join(points)
    first, *rest = points  # after it, every third point is on the curve
    curves = zip(rest[0::3], rest[1::3], rest[2::3])
    return first + "".join(f" .. controls {a} and {b} .. {to}" for a, b, to in curves)


def _text(element: Element, style: dict[str, str]) -> str:
    from ..explaining.notation import in_tex

    sides = {"start": "base west", "middle": "base", "end": "base east"}
    size = element.get("font-size", "11")
    bold = r"\bfseries" if element.get("font-weight") == "bold" else ""
    font = rf"\fontsize{{{size}bp}}{{{size}bp}}\selectfont\sffamily{bold}"
    options = ["inner sep=0", f"anchor={sides[element.get('text-anchor', 'start')]}",
               f"text={_colour(style.get('fill', '#000000'))}", f"font={font}",
               f"opacity={style.get('opacity', '1')}"]  # fmt: skip
    place = f"({element.attrib['x']},{element.attrib['y']})"
    return rf"\node[{', '.join(options)}] at {place} {{{in_tex((element.text or '').strip())}}};"
