"""Rendering of DOT source with the layout engine that is installed.

The first choice is graphviz-pure, which is installed with this package and draws the same picture
on every machine. No engine is imported, located or run before something is rendered.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from ..errors import DrawingError

SECONDS: Final = 300  # a layout that takes longer is stopped

_GET: Final = {
    "pdf": "pip install 'tinygrad-edu[pdf]' (or Graphviz, https://graphviz.org/download)",
    "svg": "pip install graphviz graphviz-pure (or Graphviz, https://graphviz.org/download)",
}


class _Missing(Exception):
    """This engine is not installed or can't render this; the next one is tried."""


def render(source: str, form: str) -> bytes:
    """Lay out DOT source as "svg", "png" or "pdf" with the first engine that can.

    Raises:
        DrawingError: if there is none, with the packages to install; or if all of them failed.
    """
    reasons = []
    for engine in ENGINES:
        try:
            return engine(source, form)
        except _Missing as reason:
            reasons.append(str(reason))
    raise DrawingError(
        f"No layout engine could draw this graph as {form}. "
        f"To get one: {_GET.get(form, _GET['svg'])}. Tried: {'; '.join(reasons)}. "
        f"Without an engine, .text() and .source still work."
    )


def _graphviz_pure(source: str, form: str) -> bytes:
    """The program of the wheel graphviz-pure, located by its record of installed files, so that it
    need not be on PATH."""
    from importlib.metadata import PackageNotFoundError, files

    if form == "pdf":
        raise _Missing("graphviz-pure draws no pdf")
    try:
        installed = files("graphviz-pure") or []
    except PackageNotFoundError:
        raise _Missing("graphviz-pure is not installed") from None
    programs = [file for file in installed if file.stem == "graphviz-pure"]
    if not programs:
        raise _Missing("graphviz-pure is installed without its program")
    return _run(str(programs[0].locate()), source, form)


def _dot(source: str, form: str) -> bytes:
    """The program of an installed Graphviz."""
    from shutil import which

    program = which("dot")
    if program is None:
        raise _Missing("there is no dot on PATH")
    return _run(program, source, form)


def _pygraphviz(source: str, form: str) -> bytes:
    """The library inside pygraphviz, whose wheels contain all of Graphviz."""
    try:
        from pygraphviz import AGraph
    except ImportError:
        raise _Missing("pygraphviz is not installed") from None
    try:
        return bytes(AGraph(string=source).draw(path=None, format=form, prog="dot"))
    except Exception as error:  # whatever it raises, the user gets one kind of error
        raise _Missing(f"pygraphviz failed: {error}") from error


def _cairosvg(source: str, form: str) -> bytes:
    """CairoSVG, which converts the SVG of another engine."""
    if form != "pdf":
        raise _Missing("CairoSVG draws only pdf")
    try:
        from cairosvg import svg2pdf
    except (ImportError, OSError) as error:  # OSError: its C library, cairo, is missing
        raise _Missing(f"CairoSVG can't be used: {error}") from None
    # Few fonts have small digits, and cairo doesn't look for another font that does.
    small = re.compile(r'font-family="[^"]*"(?=[^>]*>[^<]*[₀-₉])')
    drawn = small.sub('font-family="DejaVu Sans"', render(source, "svg").decode())
    return bytes(svg2pdf(bytestring=drawn.encode()))


def _run(program: str, source: str, form: str) -> bytes:
    """Let the graphviz package run a program of our choice.

    Its functions always run the program named by the global DOT_BINARY, so we replace the first
    word of the command: this changes nothing global and is safe in threads.
    """
    from subprocess import CalledProcessError, TimeoutExpired

    try:
        from graphviz.backend.dot_command import command
        from graphviz.backend.execute import ExecutableNotFound, run_check
    except ImportError:
        raise _Missing("the package graphviz is not installed") from None
    try:
        return bytes(
            run_check(
                [program, *command("dot", form)[1:]],
                input=source.encode(),
                capture_output=True,
                quiet=True,
                timeout=SECONDS,
            ).stdout
        )
    except TimeoutExpired:
        raise DrawingError(
            f"Laying out this graph took longer than {SECONDS} s and was stopped. "
            f"Draw fewer cards: draw(x, limit=100)."
        ) from None
    except CalledProcessError as error:
        message = (error.stderr or b"").decode(errors="replace").strip()
        raise _Missing(f"{program} failed: {message[-300:] or error}") from error
    except (OSError, ExecutableNotFound) as error:
        raise _Missing(f"{program} can't be run: {error}") from error


ENGINES: list[Callable[[str, str], bytes]] = [_graphviz_pure, _dot, _pygraphviz, _cairosvg]
