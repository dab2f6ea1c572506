"""The page to step through: pictures, words and training histories in one HTML file.

    a loss -> snapshot (snapshots.py) -> its columns as JSON (page)
                                      -> its pictures (stages)
                                      -> its rows in JavaScript (javascript), as formulas (formulas)
    all of it in page.html, with page.css and the files of script/

The page computes by itself: no server, no network. Its arithmetic is traced from the table.
"""

from __future__ import annotations

from .page import Page, explore

__all__ = ["Page", "explore"]
