"""Names of nodes and samples on the page: each symbol means one number."""

from __future__ import annotations

import re
from collections import Counter
from math import nan
from typing import Any, Final

from ..core.spelling import NAME, SUM
from ..core.table import TABLE, Op
from ..drawing.folding import path as boxes
from ..drawing.labels import named, symbol
from ..explaining.symbols import Term
from ..snapshots import Graph, Node
from ..strings import SUBSCRIPTS, as_subscript, pattern, short
from . import patterns
from .patterns import written

MOST_CHARACTERS: Final = 20  # in a name that is a formula


def samples(graph: Graph) -> list[dict[str, Any]]:
    """The samples of a loss: each outermost scope that has a target in it. Without any target, as
    where targets are classes: several outermost scopes with inputs that differ by their number.

    For each: the ids of its inputs, its targets and its outputs. These are named ŷ, as those of
    models are, or else are what an operation compares with a target.
    """
    members: dict[str, list[Any]] = {}
    for node in graph.nodes:
        if boxes(node):
            members.setdefault(boxes(node)[0], []).append(node)

    def having(role: str) -> list[str]:
        return [scope for scope in members if role in {node.role for node in members[scope]}]

    numbered = Counter(map(pattern, having("input")))
    scopes = having("target") or [s for s in having("input") if numbered[pattern(s)] > 1]
    samples = []
    for scope in scopes:
        sample: dict[str, Any] = {"scope": scope, "x": [], "y": [], "out": []}
        for node in members[scope]:
            if node.role in ("input", "target"):
                sample["x" if node.role == "input" else "y"].append(node.id)
            args = [graph.nodes[arg] for arg in node.args]
            if any(arg.role == "target" for arg in args):
                sample["out"] += [arg.id for arg in args if arg.role not in ("target", "constant")]
        named_so = [n.id for n in members[scope] if named(n).rstrip(SUBSCRIPTS) == "ŷ"]
        sample["out"] = named_so or list(dict.fromkeys(sample["out"]))
        samples.append(sample)
    return samples


def alike(graph: Graph) -> list[int]:
    """A number for each node, the same for those that correspond in several samples: the k-th node
    of one and of another, if they are of the same row and their names are alike.

    >>> from tinygrad_edu import Value, scope, snapshot
    >>> w, errors = Value(1.0, name="w"), []
    >>> for i in (1, 2):
    ...     with scope(f"house {i}"):
    ...         errors.append(w - Value(3.0, "y", "target"))
    >>> alike(snapshot(errors[0] * errors[1]))
    [0, 1, 2, 1, 2, 3]
    """
    number = {sample["scope"]: i for i, sample in enumerate(samples(graph))}
    met, kinds, numbers = Counter[int](), dict[Any, int](), []
    for node in graph.nodes:
        sample = number.get(boxes(node)[0]) if boxes(node) else None
        key: Any = node.id
        if sample is not None:
            row, name = node.op.name if node.op else None, pattern(node.name or "")
            key = met[sample], row, node.role, name
            met[sample] += 1
        numbers.append(kinds.setdefault(key, len(kinds)))
    return numbers


def names(graph: Graph) -> list[str]:
    """The name of each node, without the number of its sample: the page shows that separately, and
    ŷ₁ to ŷ₇ are one ŷ in a formula.

    >>> from tinygrad_edu import Value, scope, snapshot
    >>> w, errors = Value(1.0, name="w"), []
    >>> for i in (1, 2):
    ...     with scope(f"house {i}"):
    ...         errors.append(w * 2.0 - Value(3.0, f"y{'₁₂'[i - 1]}", "target"))
    >>> [name for name in names(snapshot(errors[0] * errors[1])) if name]
    ['w', 'y', 'y']
    """
    number = {sample["scope"]: i for i, sample in enumerate(samples(graph), 1)}
    split: list[tuple[str, str]] = []  # the part before the subscript, and the subscript
    places: dict[str, set[int]] = {}  # the samples in which each part before a subscript occurs
    kept: set[str] = set()  # those whose subscript is not the number of a sample
    for node in graph.nodes:
        base = named(node).rstrip(SUBSCRIPTS + "0123456789")
        index = named(node)[len(base) :]
        split.append((base, index))
        if index:
            sample = number.get(boxes(node)[0], 0) if boxes(node) else 0
            places.setdefault(base, set()).add(sample)
            if not base or as_subscript(index) != as_subscript(sample):
                kept.add(base)
    return [
        base if base not in kept and len(places.get(base, ())) > 1 else base + index
        for base, index in split
    ]


def labels(graph: Graph) -> list[tuple[str, int]]:
    """The symbol of each node in a sentence, with its precedence: its name, else its formula in
    names, or the sign of its operation if that is too long; the root without a name is "result".

    Several nodes of one name are numbered, so that a symbol means one number, and its gradient is
    one number; only nodes that correspond in several samples share a symbol.

    >>> from tinygrad_edu import Value, snapshot
    >>> w, y = Value(1.0, name="w"), Value(2.0, name="y")
    >>> [label for label, _ in labels(snapshot((w * 3.0 - y) ** 2 + w))]
    ['w', 'y', '3', 'w × 3', 'w × 3 − y', '(w × 3 − y)²', 'result']
    >>> [label for label, _ in labels(snapshot(Value(1.0, "w") * Value(2.0, "w")))]
    ['w', 'w₍₂₎', 'result']
    """
    kinds, signs = alike(graph), set[int]()
    while True:
        terms = _terms(graph, kinds, signs)
        written_as: dict[int, set[str]] = {}
        for node, kind, term in zip(graph.nodes, kinds, terms):
            if node.op is not None:
                written_as.setdefault(kind, set()).add(written(term)[0])
        # Formulas of one kind whose constants differ can't be one symbol for all samples.
        differing = {kind for kind, texts in written_as.items() if len(texts) > 1} - signs
        if not differing:
            # A sign alone, such as +, is always in parentheses within a formula.
            return [
                (text, tightness if re.search(r"\w", text) else 0)
                for text, tightness in map(written, terms)
            ]
        signs |= differing


def _terms(graph: Graph, kinds: list[int], signs: set[int]) -> list[Term]:
    """The symbol of each node; those of some kinds are only the sign of their operation."""
    terms: list[Term] = []
    bare: list[bool] = []  # whether only the sign of the operation is left
    taken: dict[str, list[int]] = {}  # the kinds of nodes that have a label, in their order
    given, uses = names(graph), graph.uses()
    scopes = {sample["scope"] for sample in samples(graph)}
    sampled = [bool(boxes(node)) and boxes(node)[0] in scopes for node in graph.nodes]
    for node, kind in zip(graph.nodes, kinds):
        term: Term | None = None
        if given[node.id]:
            term = patterns.named(short(given[node.id]))
        elif node is graph.root:
            term = patterns.named("result")
        elif node.op is None:
            constant = node.role == "constant"
            term = Term.number(node.data) if constant else patterns.named("number")
        elif kind not in signs and not any(bare[arg] for arg in node.args):
            collects = any(sampled[arg] for arg in node.args) and not sampled[node.id]
            term = _formula(node.op, [terms[arg] for arg in node.args], collects)
        bare.append(term is None)
        number = term is not None and term.constant is not None
        term = term or patterns.named(sign(node))
        terms.append(term if number else _numbered(term, kind, taken))
        if given[node.id] and node.op is TABLE["identity"] and uses[node.args[0]] == 1:
            passed = node.args[0]  # only passed on, unchanged: the name of the copy is its own
            if not given[passed]:
                terms[passed], bare[passed] = terms[-1], False
    return terms


def sign(node: Node) -> str:
    """The sign of an operation, where its formula would be too long: its symbol in pictures, or its
    name if that symbol has an argument in it, as x² has; empty for a leaf."""
    return node.op.name if node.op and re.search("[xy]", node.op.symbol) else symbol(node)


def _formula(op: Op, args: list[Term], collects: bool) -> Term | None:
    """An operation in the names of its arguments; None if it is too long, or collects what has one
    name in several samples otherwise than in a sum."""
    if op.name == "sum" and (collects or len(args) > 3):
        return _summed(args)
    term = Term(op, tuple(args), (nan,))
    return term if not collects and len(written(term)[0]) <= MOST_CHARACTERS else None


def _numbered(term: Term, kind: int, taken: dict[str, list[int]]) -> Term:
    """A term whose formula is written like that of no node of another kind."""
    text, tightness = written(term)
    others = taken.setdefault(text, [])
    if kind not in others:
        others.append(kind)
    if kind == others[0]:
        return term
    base = text if tightness >= NAME else f"({text})"
    return patterns.named(f"{base}₍{as_subscript(others.index(kind) + 1)}₎")


def _summed(terms: list[Term]) -> Term | None:
    """The sum of many terms of the same name; None if their names differ."""
    texts = {re.sub(r"₍[₀-₉]+₎$", "", written(term)[0]) for term in terms}
    if len(texts) > 1:
        return None
    text, tightness = written(terms[0])
    return patterns.named(f"Σ {text if tightness > SUM else f'({text})'}")


MOST_IN_WHOLE: Final = 72  # characters of the formula of a whole graph, and nodes of that graph


def definition(graph: Graph) -> str:
    """The root as one formula of the leaves and of what has a name; empty if that is long, or if
    there are samples, which share their names.

    >>> from tinygrad_edu import Value, log, snapshot
    >>> w = Value(2.0, "w")
    >>> definition(snapshot(log(w * w + 1.0)))
    'result = log(w × w + 1)'
    """
    if len(graph.nodes) > MOST_IN_WHOLE or samples(graph):
        return ""
    given, root = labels(graph), graph.root
    terms: list[Term] = []
    for node, (label, _) in zip(graph.nodes, given):
        args = tuple(terms[arg] for arg in node.args)
        named_here = named(node) or node.op is None
        size = sum(term.size for term in args)
        if node is not root and (named_here or size > MOST_IN_WHOLE):
            number = node.op is None and node.role == "constant" and not named(node)
            terms.append(Term.number(node.data) if number else patterns.named(label))
        else:
            terms.append(Term(node.op, args, (nan,)))
    text = f"{given[-1][0]} = {written(terms[-1])[0]}"
    return text if root.op is not None and len(text) <= MOST_IN_WHOLE else ""
