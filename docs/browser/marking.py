"""Which code blocks of a page run in the browser, and which packages the others need."""

from __future__ import annotations

import ast
import doctest
import re
from collections.abc import Iterable
from symtable import SymbolTable, symtable

COMMAND = re.compile("tinygrad-edu( |$)")
# In the order in which they are looked for: what a block contains, and what pip must install.
NEEDS = {
    r"\bplots\b": "tinygrad-edu[plots]",
    r"\bhypothesis\b|\bstrategies\b": "tinygrad-edu[testing]",
    r"\bsklearn\b|\bestimators\b": "tinygrad-edu[sklearn]",
    r"\"sympy\"": "tinygrad-edu[symbols]",
    r"\.onnx\b": "tinygrad-edu[onnx]",
    r"\.keras\"\)": "tinygrad-edu[h5]",
    r"\.pdf\b": "tinygrad-edu[pdf]",
    r"\bpandas\b": "pandas",
    r"\bscipy\b": "scipy",
    r"\bnumpy\b": "numpy",
    r"(?m)^tinygrad-edu --": "tinygrad-edu",  # the demo, which writes a PNG, too
}


def needs(blocks: Iterable[tuple[str, str]]) -> list[list[str] | None]:
    """For each block (language and source) of a page in order: the packages to install, none if it
    runs in the browser; or None if it isn't code that a reader would run.

    A block that uses a name of one that doesn't run doesn't run either.

    >>> needs([("python", "import numpy as np"), ("python", ">>> np.ones(2)"), ("python", "1 + 1")])
    [['numpy'], ['numpy'], []]
    >>> needs([("sh", "make docs"), ("sh", "tinygrad-edu summary model.json")])
    [None, []]
    """
    lost: dict[str, list[str]] = {}  # names that no block in the browser defines
    return [_needs(language, source, lost) for language, source in blocks]


def _needs(language: str, source: str, lost: dict[str, list[str]]) -> list[str] | None:
    if language not in ("python", "sh"):
        return None
    if language == "sh" and not all(map(COMMAND.match, source.strip().splitlines())):
        return None
    wanted = [package for sign, package in NEEDS.items() if re.search(sign, source)]
    steps = names(source) if language == "python" else []
    defined = set().union(*(made for made, _ in steps))
    if not wanted:
        known: set[str] = set()
        for made, used in steps:
            wanted += [package for name in sorted(used - known) for package in lost.get(name, [])]
            known |= made
    wanted = list(dict.fromkeys(wanted))
    for name in defined:
        lost.pop(name, None)
        if wanted:
            lost[name] = wanted
    return wanted


def names(source: str) -> list[tuple[set[str], set[str]]]:
    """The names that each statement of a block defines, and those that it uses."""
    examples = doctest.DocTestParser().get_examples(source)
    tree = ast.parse("".join(example.source for example in examples) if examples else source)
    return [_step(step) for step in tree.body]


def _step(step: ast.stmt) -> tuple[set[str], set[str]]:
    defined, used = _names(symtable(ast.unparse(step), "<block>", "exec"), outermost=True)
    changed = [node.target for node in ast.walk(step) if isinstance(node, ast.AugAssign)]
    return defined, used | {target.id for target in changed if isinstance(target, ast.Name)}


def _names(table: SymbolTable, outermost: bool = False) -> tuple[set[str], set[str]]:
    """Python's own record of the names in a scope and in those inside it."""
    here = [symbol for symbol in table.get_symbols() if outermost or symbol.is_global()]
    defined = {symbol.get_name() for symbol in here if symbol.is_assigned() or symbol.is_imported()}
    used = {symbol.get_name() for symbol in here if symbol.is_referenced()}
    for child in table.get_children():
        inner = _names(child)
        defined, used = defined | inner[0], used | inner[1]
    return defined, used
