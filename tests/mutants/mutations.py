"""Mutants of a source file: one small error each, as an edit of its text.

Annotations, docstrings, imports, assertions and what only a type checker sees are left alone.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import filterfalse
from typing import NamedTuple

ARITHMETIC = {ast.Add: ("+", "-"), ast.Sub: ("-", "+"), ast.Mult: ("*", "/"), ast.Div: ("/", "*"),
              ast.FloorDiv: ("//", "/"), ast.Mod: ("%", "*"), ast.Pow: ("**", "*"),
              ast.BitOr: ("|", "&"), ast.BitAnd: ("&", "|")}  # fmt: skip
COMPARING = {ast.Lt: ("<", "<=", ">="), ast.LtE: ("<=", "<", ">"), ast.Gt: (">", ">=", "<="),
             ast.GtE: (">=", ">", "<"), ast.Eq: ("==", "!="), ast.NotEq: ("!=", "=="),
             ast.Is: ("is", "is not"), ast.IsNot: ("is not", "is"), ast.In: ("in", "not in"),
             ast.NotIn: ("not in", "in")}  # fmt: skip
DELETED = (ast.Assign, ast.AugAssign, ast.AnnAssign, ast.Expr, ast.Return, ast.Raise, ast.Delete,
           ast.Continue, ast.Break)  # fmt: skip
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
UNSEEN = (ast.Import, ast.ImportFrom, ast.Assert, ast.Global, ast.Nonlocal)


class Edit(NamedTuple):
    """Bytes of the source, and what replaces them."""

    start: int
    end: int
    new: str


@dataclass(frozen=True)
class Mutant:
    """One error in one place.

    Attributes:
        name: file, function and line with the change in brackets; unique in the file.
        scope: the row or function that it is in.
        edit: the change.
        shown: the change as a reader sees it, where the edit rewrites more.
        functions: those around it, innermost first, by their first line and name.
        statement: the lines of the smallest function, or top-level statement, that it is in.
    """

    name: str
    scope: str
    edit: Edit
    shown: Edit
    functions: tuple[tuple[int, str], ...]
    statement: tuple[int, int]

    def of(self, source: str) -> str:
        """The mutated source."""
        text = source.encode()
        return (text[: self.edit.start] + self.edit.new.encode() + text[self.edit.end :]).decode()


def mutants(source: str, path: str) -> list[Mutant]:
    """Every mutant of a source file, in the order of the places."""
    found = list(Finder(source).module())
    seen: Counter[str] = Counter()
    named = []
    for mutant in sorted(found, key=lambda m: (m.shown.start, m.shown.end)):
        name = f"{path} {mutant.name}"
        seen[name] += 1
        count = f" #{seen[name]}" if seen[name] > 1 else ""
        named.append(replace(mutant, name=name + count))
    return named


def functions(source: str) -> dict[tuple[int, str], str]:
    """The text of each function, by its first line and name; of lambdas on one line together."""
    texts: dict[tuple[int, str], str] = {}
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, FUNCTIONS):
            place = (_lines(node)[0], getattr(node, "name", "<lambda>"))
            texts[place] = texts.get(place, "") + ast.unparse(node)
    return texts


class Finder:
    """Walks through the syntax tree of a file."""

    def __init__(self, source: str) -> None:
        self.text = source.encode()  # in bytes, as the columns of the syntax tree are
        self.tree = ast.parse(source)
        self.starts = [0]
        for line in self.text.splitlines(keepends=True):
            self.starts.append(self.starts[-1] + len(line))

    def module(self) -> Iterator[Mutant]:
        for statement in filterfalse(_is_docstring, self.tree.body):
            yield from self.walk(statement, Place((), _names(statement), _lines(statement)))

    def walk(self, node: ast.AST, place: Place) -> Iterator[Mutant]:
        if isinstance(node, UNSEEN) or _for_type_checkers(node):
            return
        for edit, shown in self.edits(node):
            before = self.text[self.text.rfind(b"\n", 0, shown.start) + 1 : shown.start]
            after = self.text[shown.end : self.text.index(b"\n", shown.end)]
            change = f"[{_shortened(self.at(shown))} → {_shortened(shown.new)}]"
            line = " ".join(f"{before.decode()}{change}{after.decode()}".split())
            functions = tuple(place.functions)
            yield Mutant(f"{place.name}: {line}", place.name, edit, shown, functions, place.lines)
        inside = place
        if isinstance(node, FUNCTIONS):
            first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", ()))])
            name = getattr(node, "name", "<lambda>")
            inside = place.within(name, first)
            if not isinstance(node, ast.Lambda):
                inside = inside._replace(lines=_lines(node))
        elif isinstance(node, ast.ClassDef):
            inside = place.within(node.name)
        for child in _children(node):
            defaults = getattr(node, "args", None)
            yield from self.walk(child, place if child is defaults else inside)

    # ── What can be wrong with a node ─────────────────────────────────────────────────────

    def edits(self, node: ast.AST) -> Iterator[tuple[Edit, Edit]]:
        """Each error in the node itself: the edit, and the edit as shown."""
        for edit in self.spliced(node):
            yield edit, edit
        yield from self.rewritten(node)

    def spliced(self, node: ast.AST) -> Iterator[Edit]:
        """The errors that are edits of a few characters."""
        if isinstance(node, DELETED) and not _is_docstring(node):
            yield Edit(*self.span(node), "pass")
        if isinstance(node, ast.AugAssign) and type(node.op) in ARITHMETIC:
            old, new = ARITHMETIC[type(node.op)]
            where = self.between(node.target, node.value, old + "=")
            yield where._replace(new=new + "=")
            yield where._replace(new="=")
        elif isinstance(node, ast.BinOp) and type(node.op) in ARITHMETIC and not _is_text(node):
            old, new = ARITHMETIC[type(node.op)]
            yield self.between(node.left, node.right, old)._replace(new=new)
        elif isinstance(node, ast.Compare):
            operands = [node.left, *node.comparators]
            for left, op, right in zip(operands, node.ops, operands[1:]):
                old, *others = COMPARING[type(op)]
                for new in others:
                    yield self.between(left, right, old)._replace(new=new)
        elif isinstance(node, ast.UnaryOp):
            start, _ = self.span(node)
            yield Edit(start, start + (3 if isinstance(node.op, ast.Not) else 1), "")
        elif isinstance(node, ast.Constant):
            yield from (Edit(*self.span(node), new) for new in _other_constants(node.value))
        elif isinstance(node, (ast.If, ast.IfExp, ast.While)):
            choices = ["False"] if isinstance(node, ast.While) else ["True", "False"]
            yield from (Edit(*self.span(node.test), new) for new in choices)
        elif isinstance(node, ast.comprehension):
            yield from (Edit(*self.span(test), "True") for test in node.ifs)
        elif isinstance(node, ast.For):
            yield Edit(*self.span(node.iter), "()")
        elif isinstance(node, (ast.FunctionDef, ast.ClassDef, ast.AsyncFunctionDef)):
            for decorator in node.decorator_list:
                start, end = self.span(decorator)
                yield Edit(self.text.rindex(b"@", 0, start), end, "")
            yield from self.keyword_only(node)
        elif isinstance(node, ast.With):
            for item in node.items:
                if item.optional_vars is None:
                    yield Edit(*self.span(item.context_expr),
                               "__import__('contextlib').nullcontext()")  # fmt: skip
        elif isinstance(node, ast.Call):
            for left, right in zip(node.args, node.args[1:]):
                (start, a), (b, end) = self.span(left), self.span(right)
                first, between, second = (self.text[slice(*s)].decode()
                                          for s in ((start, a), (a, b), (b, end)))  # fmt: skip
                if first != second:
                    yield Edit(start, end, second + between + first)
            if len(node.args) == 1 and not node.keywords and _is_plain(node.args[0]):
                yield Edit(*self.span(node), f"({self.at(Edit(*self.span(node.args[0]), ''))})")

    def rewritten(self, node: ast.AST) -> Iterator[tuple[Edit, Edit]]:
        """The errors for which the whole node is written anew: something in it is dropped."""
        whole = self.span(node) if isinstance(node, ast.expr) else (0, 0)

        def without(field: str, item: ast.AST, shown: Edit) -> tuple[Edit, Edit]:
            kept = [x for x in getattr(node, field) if x is not item]
            if len(kept) == 1 and isinstance(node, ast.BoolOp):
                copy = kept[0]
            else:
                fields = {name: getattr(node, name) for name in node._fields}
                copy = type(node)(**{**fields, field: kept})
            return Edit(*whole, f"({ast.unparse(copy)})"), shown

        if isinstance(node, ast.BoolOp):
            old, new = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
            for left, right in zip(node.values, node.values[1:]):
                edit = self.between(left, right, old)._replace(new=new)
                yield edit, edit
            for value in node.values:
                yield without("values", value, Edit(*self.span(value), ""))
        elif isinstance(node, ast.Call):
            for keyword in node.keywords:
                yield without("keywords", keyword, Edit(*self.span(keyword), ""))
        elif isinstance(node, (ast.Tuple, ast.List, ast.Set)) and isinstance(
            getattr(node, "ctx", ast.Load()), ast.Load
        ):
            for element in node.elts if len(node.elts) > 1 else ():
                yield without("elts", element, Edit(*self.span(element), ""))
        elif isinstance(node, ast.JoinedStr):
            yield (edit := Edit(*whole, '""')), edit
            for part in node.values:
                if isinstance(part, ast.FormattedValue):
                    edit, _ = without("values", part, Edit(*whole, ""))
                    yield edit, Edit(*whole, f"without {{{ast.unparse(part.value)}}}")

    def keyword_only(self, node: ast.AST) -> Iterator[Edit]:
        args = getattr(node, "args", None)
        if args is not None and args.kwonlyargs and args.vararg is None:
            start, stop = self.span(node)[0], self.span(args.kwonlyargs[0])[0]
            star = self.text.rindex(b"*", start, stop)
            yield Edit(star, stop, "")

    # ── Places in the source ──────────────────────────────────────────────────────────────

    def span(self, node: ast.AST) -> tuple[int, int]:
        start = self.starts[node.lineno - 1] + node.col_offset
        return start, self.starts[node.end_lineno - 1] + node.end_col_offset

    def at(self, edit: Edit) -> str:
        return self.text[edit.start : edit.end].decode()

    def between(self, left: ast.AST, right: ast.AST, operator: str) -> Edit:
        """Where an operator stands between its operands."""
        start, end = self.span(left)[1], self.span(right)[0]
        pattern = r"\s+".join(map(re.escape, operator.encode().decode().split()))
        gap = re.sub(rb"#[^\n]*", lambda m: b" " * len(m[0]), self.text[start:end])
        match = re.search(pattern.encode(), gap)
        assert match is not None, (operator, gap)
        return Edit(start + match.start(), start + match.end(), operator)


class Place(NamedTuple):
    """Where in the file: the functions around, a name for people, the lines to hash."""

    functions: tuple[tuple[int, str], ...]
    name: str
    lines: tuple[int, int]

    def within(self, name: str, line: int | None = None) -> Place:
        functions = self.functions if line is None else ((line, name), *self.functions)
        if name != "<lambda>" and self.name != name:
            return self._replace(functions=functions, name=f"{self.name}.{name}".lstrip("."))
        return self._replace(functions=functions)


def _names(statement: ast.stmt) -> str:
    """The row or constant that a top-level statement defines."""
    targets = getattr(statement, "targets", None) or [getattr(statement, "target", None)]
    if isinstance(statement, (ast.Assign, ast.AnnAssign, ast.AugAssign)):
        return ", ".join(ast.unparse(target) for target in targets)
    return ""


def _lines(node: ast.AST) -> tuple[int, int]:
    return min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", ()))]), (
        node.end_lineno or node.lineno
    )


def _children(node: ast.AST) -> Iterator[ast.AST]:
    """The parts of a node that run."""
    if isinstance(node, ast.JoinedStr):
        return
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "decorator_list", "type_params", "bases"):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST) and not _is_docstring(child):
                yield child


def _is_docstring(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _for_type_checkers(node: ast.AST) -> bool:
    if isinstance(node, ast.If):
        return ast.unparse(node.test) == "TYPE_CHECKING"
    if isinstance(node, ast.FunctionDef):
        return any(ast.unparse(d) == "overload" for d in node.decorator_list)
    if isinstance(node, ast.ClassDef):
        return any(ast.unparse(base) == "Protocol" for base in node.bases)
    if isinstance(node, (ast.Assign, ast.AnnAssign)):
        targets = getattr(node, "targets", None) or [node.target]
        kind = ast.unparse(getattr(node, "annotation", None) or ast.Name(""))
        made = ast.unparse(node.value) if node.value else "TypeVar"
        return (
            any(ast.unparse(t) in ("__all__", "__slots__") for t in targets)
            or kind == "TypeAlias"
            or made.startswith(("TypeVar", "Callable["))
        )
    return False


def _is_text(node: ast.BinOp) -> bool:
    sides = (node.left, node.right)
    return any(
        isinstance(x, ast.JoinedStr) or (isinstance(x, ast.Constant) and isinstance(x.value, str))
        for x in sides
    )


def _is_plain(node: ast.AST) -> bool:
    return not isinstance(node, (ast.Starred, ast.GeneratorExp))


def _other_constants(value: object) -> Iterator[str]:
    if isinstance(value, bool):
        yield str(not value)
    elif isinstance(value, int):
        yield str(value + 1)
    elif isinstance(value, float):
        near = value == 0.0 or (abs(value) > 1e-6 and value + 1.0 != value)
        yield repr(value + 1.0 if near else value * 2.0)
    elif isinstance(value, str):
        yield '""' if value else '"XX"'


def _shortened(text: str, longest: int = 70) -> str:
    text = " ".join(text.split())
    return text if len(text) <= longest else f"{text[: longest - 25]} … {text[-20:]}"
