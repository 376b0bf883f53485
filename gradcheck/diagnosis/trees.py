"""A function's syntax tree with one place of it written otherwise."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any

Way = tuple[tuple[str, int | None], ...]
"""The way from a function's tree to one of its nodes: field by field."""


def walk(tree: ast.FunctionDef) -> Iterator[tuple[Way, ast.AST]]:
    """Every node of the body, and the way to it; no annotation and no default."""
    queue: list[tuple[Way, ast.AST]] = [((("body", number),), each) for number, each in enumerate(tree.body)]
    while queue:
        way, node = queue.pop(0)
        yield way, node
        for field, value in ast.iter_fields(node):
            if field == "annotation":
                continue
            if isinstance(value, ast.AST):
                queue.append(((*way, (field, None)), value))
            elif isinstance(value, list):
                queue += [((*way, (field, n)), each) for n, each in enumerate(value) if isinstance(each, ast.AST)]


def parsed(text: str, like: ast.AST) -> ast.AST:
    (made,) = ast.parse(text).body
    return made.value if isinstance(made, ast.Expr) and isinstance(like, ast.expr) else made


def with_part(tree: ast.FunctionDef, way: Way, instead: ast.AST) -> str:
    """The function's text with another part at the end of `way`; the tree stays as it is."""
    node: Any = tree
    for field, number in way[:-1]:
        node = getattr(node, field) if number is None else getattr(node, field)[number]
    field, number = way[-1]
    before = getattr(node, field)
    after = instead if number is None else [*before[:number], instead, *before[number + 1 :]]
    setattr(node, field, after)
    try:
        return ast.unparse(tree)
    finally:
        setattr(node, field, before)


class DataFlow:
    """Which parameters a part of a function depends on, through all that is assigned on the way."""

    def __init__(self, tree: ast.FunctionDef, parameters: tuple[str, ...]) -> None:
        self.own = [each.arg for each in (*tree.args.args, *tree.args.kwonlyargs)]
        self.parameters = [each for each in self.own if each in parameters]
        self.whole = {
            each.arg for each in tree.args.args if isinstance(each.annotation, ast.Name) and each.annotation.id == "int"
        }
        self.assigned: dict[str, list[ast.AST]] = {}
        for node in ast.walk(tree):
            if isinstance(node, ast.Assign):
                for target in node.targets:
                    self._note(target, node.value)
            elif isinstance(node, (ast.AugAssign, ast.AnnAssign)) and node.value is not None:
                self._note(node.target, node.value)
            elif isinstance(node, (ast.For, ast.comprehension)):
                self._note(node.target, node.iter)
            elif isinstance(node, ast.Call) and getattr(node.func, "attr", "") in ("append", "insert"):
                assert isinstance(node.func, ast.Attribute)
                self._note(node.func.value, node.args[-1])
        self.local = [name for name in self.assigned if name not in self.own]
        self.uses: dict[str, set[str]] = {}
        for node in ast.walk(tree):
            for field, value in ast.iter_fields(node):
                for each in value if isinstance(value, list) else [value]:
                    if isinstance(each, ast.Name):
                        self.uses.setdefault(each.id, set()).add(f"{type(node).__name__}.{field}")

    def alike(self, name: str) -> Iterator[str]:
        """The other names that are used like this one: added up, called with, indexed."""
        own = self.uses.get(name, set())
        for other in (*self.own, *self.local):
            if other != name and own & self.uses.get(other, set()) - {"Assign.targets", "Tuple.elts"}:
                yield other

    def _note(self, target: ast.AST, value: ast.AST) -> None:
        for node in ast.walk(target):
            if isinstance(node, ast.Name):
                self.assigned.setdefault(node.id, []).append(value)

    def of(self, part: ast.AST) -> tuple[str, ...]:
        seen: set[str] = set()
        queue = [part]
        while queue:
            for node in ast.walk(queue.pop()):
                if isinstance(node, ast.Name) and node.id not in seen:
                    seen.add(node.id)
                    queue += self.assigned.get(node.id, [])
        return tuple(name for name in self.parameters if name in seen)


def written(node: ast.expr) -> str:
    """A part of an expression as it is written, in brackets where it is more than a word."""
    text = ast.unparse(node)
    return text if isinstance(node, (ast.Name, ast.Constant, ast.Call, ast.Subscript, ast.Attribute)) else f"({text})"


def whole_number(node: ast.expr) -> int | None:
    try:
        value = ast.literal_eval(node)
    except ValueError:
        return None
    return value if type(value) is int else None
