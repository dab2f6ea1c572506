"""The slides of chapter 1: ``docs/conf.py`` builds them by sphinx-revealjs, whose reveal.js comes
with it. They ask nothing of other servers."""

from __future__ import annotations

project = "Backprop from zero"
language = "en"
extensions = ["myst_parser", "sphinx_revealjs"]
root_doc = "index"
myst_enable_extensions = ["colon_fence"]
default_role = "code"
pygments_style = "default"
revealjs_html_theme = "revealjs-simple"
revealjs_style_theme = "white"
revealjs_static_path = ["_static"]
revealjs_css_files = ["slides.css"]
revealjs_script_plugins = [{"name": "RevealNotes", "src": "revealjs/plugin/notes/notes.js"}]
revealjs_script_conf = {
    "hash": True, "slideNumber": "c/t", "width": 1280, "height": 720, "margin": 0.03,
    "transition": "none", "center": False,
}  # fmt: skip
