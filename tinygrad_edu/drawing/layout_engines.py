"""Rendering of DOT source with the layout engine that is installed.

The first choice is an engine that the user has registered, then graphviz-pure, which is installed
with this package and draws the same picture on every machine. No engine is imported, located or run
before something is rendered.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from typing import Any, Final, TypeAlias

from ..errors import BadArgument, DrawingError

Engine: TypeAlias = Callable[[str, str], "bytes | str"]

SECONDS: Final = 300  # a layout that takes longer is stopped
IN_PYODIDE: Final = sys.platform == "emscripten"  # Python that runs in JavaScript

_GET: Final = {
    "pdf": "pip install 'tinygrad-edu[pdf]' (or Graphviz, https://graphviz.org/download)",
    "svg": "pip install graphviz graphviz-pure (or Graphviz, https://graphviz.org/download)",
}
_GET_IN_PYODIDE: Final = (
    "load Graphviz for JavaScript, @viz-js/viz, and set globalThis.viz = await Viz.instance(); "
    "it draws svg"
)


class _Missing(Exception):
    """This engine is not installed or can't render this; the next one is tried."""


def render(source: str, form: str) -> bytes:
    """Lay out DOT source as "svg", "png" or "pdf" with the first engine that can.

    Raises:
        DrawingError: if there is none, with the packages to install; or if all of them failed.
    """
    reasons = []
    for name, engine in [*REGISTERED.items(), *ENGINES.items()]:
        try:
            drawn = engine(source, form)
        except _Missing as reason:
            reasons.append(str(reason))
        except DrawingError:
            raise
        except Exception as error:  # whatever it raises, the user gets one kind of error
            reasons.append(f"{name} failed: {str(error) or type(error).__name__}")
        else:
            if isinstance(drawn, (bytes, str)):
                return drawn.encode() if isinstance(drawn, str) else drawn
            reasons.append(f"{name} returned {type(drawn).__name__} instead of bytes or str")
    remedy = _GET_IN_PYODIDE if IN_PYODIDE else _GET.get(form, _GET["svg"])
    raise DrawingError(
        f"No layout engine could draw this graph as {form}. To get one: {remedy}; or pass your own "
        f"to tg.register_layout_engine. Tried: {'; '.join(reasons)}. "
        f"Without an engine, .text() and .source still work."
    )


def register_layout_engine(name: str, engine: Engine | None) -> None:
    """Draw pictures and pages with a user-defined layout engine, before all others are tried.

    Args:
        name: a name for error messages. If an engine of this name is registered, it is replaced.
        engine: a function of DOT source and a format, "svg", "png" or "pdf", that returns the
            picture as bytes or as a string. If it raises an exception, the next engine is tried.
            None removes the engine of this name.

    Raises:
        BadArgument: if the name isn't a string, or the engine neither a function nor None.

    >>> import tinygrad_edu as tg
    >>> def by_hand(source, form):
    ...     if form != "svg":
    ...         raise ValueError("draws only svg")
    ...     return '<svg xmlns="http://www.w3.org/2000/svg"><text>by hand</text></svg>'
    >>> tg.register_layout_engine("hand", by_hand)
    >>> "by hand" in tg.draw(tg.Value(2.0)).svg()
    True
    >>> tg.register_layout_engine("hand", None)
    """
    if not isinstance(name, str):
        raise BadArgument(f"The name of a layout engine must be a string. Received: {name!r}.")
    if engine is None:
        REGISTERED.pop(name, None)
    elif callable(engine):
        REGISTERED[name] = engine
    else:
        raise BadArgument(
            f"A layout engine must be a function of DOT source and a format, such as "
            f'"svg"; or None, to remove it. Received: {engine!r}.'
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
    return bytes(AGraph(string=source).draw(path=None, format=form, prog="dot"))


def _viz_js(source: str, form: str) -> str:
    """viz.js, Graphviz compiled to WebAssembly, where Python runs in JavaScript."""
    if not IN_PYODIDE:
        raise _Missing("viz.js is for Python in a browser")
    viz = _instance_of_viz()
    if form not in viz.formats.to_py():
        raise _Missing(f"viz.js draws no {form}")
    return str(viz.renderString(source, format=form))


def _instance_of_viz() -> Any:
    """The global ``viz`` of JavaScript, or the module that was registered under this name; or an
    instance that the global ``Viz`` makes, where Python may wait for it."""
    from importlib import import_module

    import js
    from pyodide.ffi import can_run_sync, run_sync

    try:
        registered: Any = import_module("viz")
    except ImportError:
        registered = None
    found = [getattr(js, "viz", None), registered, getattr(js, "Viz", None)]
    for one in found:
        if hasattr(one, "renderString"):
            return one
    makers = [one for one in found if hasattr(one, "instance")]
    if not makers:
        raise _Missing("viz.js is not loaded")
    if not can_run_sync():
        raise _Missing("viz.js is loaded, but has no instance yet")
    js.viz = run_sync(makers[0].instance())
    return js.viz


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


REGISTERED: dict[str, Engine] = {}  # by users; the newest name is the last
ENGINES: dict[str, Engine] = {
    "graphviz-pure": _graphviz_pure,
    "dot": _dot,
    "pygraphviz": _pygraphviz,
    "viz.js": _viz_js,
    "CairoSVG": _cairosvg,
}
