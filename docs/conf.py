"""The site: ``make docs`` builds it in ``site/`` by Sphinx, from the pages in this folder.

It asks nothing of other servers. The small pages to step through are made by the engine itself,
each time the site is built. Code blocks run in the browser if npm could bring what they need.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import notebooks  # noqa: E402
from docutils import nodes  # noqa: E402

from docs.browser.marking import needs  # noqa: E402
from docs.browser.packing import Missing, pack  # noqa: E402
from tinygrad_edu import Value, __version__, explore, keras  # noqa: E402

project = "tinygrad_edu"
version = release = __version__
author = "the authors of tinygrad_edu"
copyright = author
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
html_theme = "furo"
html_title = "tinygrad_edu"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_js_files = ["site.js", "run.js"]
html_extra_path = ["_extra"]
html_copy_source = False
html_show_sourcelink = False
exclude_patterns = ["_extra", "browser", "slides"]
myst_heading_anchors = 3
# Links to files of the repository; docstrings, which are prose and not reStructuredText.
suppress_warnings = ["myst.xref_missing", "docutils", "ref.class", "ref.python"]
napoleon_use_ivar = True
autodoc_typehints = "none"
autodoc_member_order = "bysource"
default_role = "code"
pygments_style = "default"


def plainly(*arguments: Any) -> None:
    """Keep the signs of mathematics in docstrings from being read as markup: |g|, x*."""
    lines = arguments[-1]
    lines[:] = [
        line if line.lstrip().startswith((">>>", "...")) else re.sub(r"(?<!`)([|*])", r"\\\1", line)
        for line in lines
    ]


def setup(app: Any) -> None:
    """Called by Sphinx."""
    stages()
    notebooks.write(HERE / "_extra" / "notebooks")
    with tempfile.TemporaryDirectory() as parsed:
        build = [sys.executable, "-m", "sphinx", "-q", "-W", "-b", "revealjs", "-d", parsed]
        subprocess.run([*build, HERE / "slides", HERE / "_extra" / "slides"], check=True)
    try:
        pack(HERE / "_extra" / "python.js")
        app.connect("doctree-read", run_buttons)
    except Missing as reason:
        print(f"The site is built without Python in the browser: {reason}", file=sys.stderr)
        app.connect("doctree-read", without_run_buttons)
    app.connect("autodoc-process-docstring", plainly, priority=400)
    app.connect("html-page-context", offer)


def offer(app: Any, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Below its heading, a page offers its notebook, and chapter 1 its slides."""
    if page in notebooks.PAGES:
        links = f'<a href="notebooks/{page}.ipynb" download>This page as a notebook</a>'
        if page == "zero":
            links += ' · <a href="slides/index.html">slides for a class, with notes</a>'
        context["body"] = context["body"].replace("</h1>", f"</h1>\n<p>{links}</p>", 1)


def run_buttons(app: Any, document: nodes.document) -> None:
    """Mark the blocks below which run.js puts a button, and name the packages of the others."""
    blocks = list(document.findall(nodes.literal_block))
    for block, packages in zip(blocks, needs((b.get("language"), b.astext()) for b in blocks)):
        if packages:
            words = nodes.Text("Needs Python on your computer, and more than the browser has: ")
            note = nodes.paragraph("", "", words, nodes.literal("", install(packages)))
            note["classes"].append("needs")
            block.parent.insert(block.parent.index(block) + 1, note)
        elif packages is not None:
            block["classes"].append("runs")


def install(packages: list[str]) -> str:
    quoted = (f"'{package}'" if "[" in package else package for package in packages)
    return f"pip install {' '.join(quoted)}"


def without_run_buttons(app: Any, document: nodes.document) -> None:
    """Say on the scratch page that nothing runs in this copy of the site."""
    if app.env.docname == "scratch":
        reason = "This copy of the site was built without Python; make docs says what is missing."
        document[0].insert(1, nodes.warning("", nodes.paragraph("", reason)))


def stages() -> None:
    """Write the pages that chapter 1 shows in frames."""
    folder = HERE / "_extra" / "stages"
    folder.mkdir(parents=True, exist_ok=True)

    w, b = Value(8000.0, "w", "parameter"), Value(1000.0, "b", "parameter")
    error = w * Value(3.0, "flats", "input") + b - Value(30000.0, "price", "target")
    error.name = "error"
    loss = error**2
    loss.name = "loss"
    explore(loss, str(folder / "house.html"), learning_rate=0.01, title="One house")

    a = Value(2.0, "a", "parameter")
    c = a * 3.0
    c.name = "c"
    d = c + a
    d.name = "d"
    result = c * d
    result.name = "result"
    explore(result, str(folder / "ways.html"), learning_rate=0.01, title="Two ways")

    flats, prices = tuple(range(1, 8)), tuple(range(10000, 80000, 10000))
    model = keras.Sequential([keras.layers.Dense(1, kernel_initializer="zeros", input_shape=[1])])
    model.compile(keras.optimizers.SGD(0.01), "mse")
    path = keras.callbacks.WeightHistory()
    model.fit(flats, prices, epochs=500, verbose=0, callbacks=[path])
    explore(model, str(folder / "houses.html"), data=(flats, prices), training=path)
