"""A function with one place of it written otherwise: what goes wrong in a right program, or mends a wrong one."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator
from typing import Any

Way = tuple[tuple[str, int | None], ...]
"""The way from a function's tree to one of its nodes: field by field."""


def _walk(tree: ast.FunctionDef) -> Iterator[tuple[Way, ast.AST]]:
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


Rewriting = tuple[str, str, float, str, ast.AST | None]
"""The code of a mistake, a sentence, its cost, what is written instead of a node, and what the sentence is about."""


def rewritten(
    tree: ast.FunctionDef, ways: Callable[[ast.AST], Iterable[Rewriting]], seen: set[str]
) -> Iterator[tuple[str, ast.AST, Rewriting]]:
    """Every text of the function that is not `seen` yet, with one node written in one of its `ways`."""
    for way, node in _walk(tree):
        for each in ways(node):
            try:
                (made,) = ast.parse(each[3]).body
                part = made.value if isinstance(made, ast.Expr) and isinstance(node, ast.expr) else made
                text = _with_part(tree, way, part)
            except (SyntaxError, ValueError):
                continue
            if text not in seen:
                seen.add(text)
                yield text, node, each


def _with_part(tree: ast.FunctionDef, way: Way, instead: ast.AST) -> str:
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


def neighbours(number: int) -> set[int]:
    """Indices that stand for another by mistake."""
    return {number - 1, number + 1, 0, -1} - {number}


_IN = "in {{what}}"
_DEPS = "it depends on {deps}"
_TERM = ("missing-term", f"a term is missing from {{{{what}}}}; {_DEPS}", 1.1)
_FACTOR = ("missing-term", f"a factor is missing from {{{{what}}}}; {_DEPS}", 1.1)
_MATRIX = ("missing-term", f"a matrix is missing from a product in {{{{what}}}}; {_DEPS}", 1.2)
_UNDIVIDED = ("missing-term", f"{_IN} a division is missing; the divisor depends on {{deps}}", 1.1)
_TURNED = ("transposed", f"{_IN} a matrix is transposed; {_DEPS}", 1.1)
_DIVIDED_SLIP = ("wrong-function", f"{_IN} you divide where you should multiply by {{part}}", 1.3)
_MULTIPLIED_SLIP = ("wrong-function", f"{_IN} you multiply where you should divide by {{part}}", 1.2)
_ORDER = "the factors of {} stand in the wrong order"
TERM_TOO_MANY = ("extra-term", "in {} a term is too many", 1.1)
_FACTOR_TOO_MANY = ("extra-term", "in {} a factor is too many", 1.1)
_DIVISION_TOO_MANY = ("extra-term", "in {} a division is too many", 1.1)
_MUST_BE_TURNED = ("transposed", "a factor of {} must be transposed", 1.0)
_WRONG_ORDER_AND_TURNED = ("transposed", f"{_ORDER}, and one must be transposed", 1.3)
_ADDED = ("sign-flipped", "in {} you add what should be subtracted", 1.0)
_SUBTRACTED = ("sign-flipped", "in {} you subtract what should be added", 1.0)
_MULTIPLIED = ("wrong-function", "in {} you multiply where you should divide", 1.2)
_DIVIDED = ("wrong-function", "in {} you divide where you should multiply", 1.2)
_NO_MATRICES = ("wrong-function", "in {} a matrix product belongs, not one entry by entry", 1.2)
_BY_ENTRY = ("wrong-function", "{} is a matrix product, where entries meet one by one", 1.2)

Told = tuple[str, str, float] | None

OPERATIONS: dict[type[ast.operator], tuple[tuple[str, Told, str, Told], ...]] = {
    ast.Add: (
        ("{a} - {b}", ("sign-flipped", f"{_IN} you subtract what should be added; {_DEPS}", 1.1), "b", _ADDED),
        ("{a}", _TERM, "b", TERM_TOO_MANY),
        ("{b}", _TERM, "a", TERM_TOO_MANY),
        ("{a}*{b}", ("wrong-function", f"{_IN} you multiply where you should add; {_DEPS}", 1.4), "b", None),
    ),
    ast.Sub: (
        ("{a} + {b}", ("sign-flipped", f"{_IN} you add what should be subtracted; {_DEPS}", 1.1), "b", _SUBTRACTED),
        (
            "{b} - {a}",
            ("sign-flipped", f"{_IN} a difference is the wrong way round; {_DEPS}", 1.15),
            "",
            ("sign-flipped", "the difference {} is the wrong way round", 1.05),
        ),
        ("{a}", _TERM, "b", TERM_TOO_MANY),
        ("-{b}", _TERM, "a", TERM_TOO_MANY),
    ),
    ast.Mult: (
        ("{a}", _FACTOR, "b", _FACTOR_TOO_MANY),
        ("{b}", _FACTOR, "a", _FACTOR_TOO_MANY),
        ("{a} / {b}", _DIVIDED_SLIP, "b", _MULTIPLIED),
        ("{a} @ {b}", None, "", _NO_MATRICES),
    ),
    ast.Div: (
        ("{a}", _UNDIVIDED, "b", _DIVISION_TOO_MANY),
        ("{a} * {b}", _MULTIPLIED_SLIP, "b", _DIVIDED),
    ),
    ast.MatMult: (
        ("{a}", _MATRIX, "b", None),
        ("{b}", _MATRIX, "a", None),
        (
            "{b} @ {a}",
            ("transposed", "in {{what}} two factors of a matrix product are in the other order", 1.1),
            "",
            ("transposed", _ORDER, 1.0),
        ),
        ("{a}.mT @ {b}", _TURNED, "a", _MUST_BE_TURNED),
        ("{a} @ {b}.mT", _TURNED, "b", _MUST_BE_TURNED),
        ("{b} @ {a}.mT", None, "", _WRONG_ORDER_AND_TURNED),
        ("{b}.mT @ {a}", (*_TURNED[:2], 1.15), "b", _WRONG_ORDER_AND_TURNED),
        ("{a} * {b}", None, "", _BY_ENTRY),
    ),
    ast.FloorDiv: (
        ("{a} / {b}", ("wrong-function", "in {{what}} a quotient must be rounded down: that of {part}", 1.2), "", None),
    ),
}
"""By the operator between a and b what is written instead; the code, the sentence and the cost of that as somebody's
slip, and which side it is about; and the same where it mends what stands there.
"""


def operations(node: ast.BinOp, *, mend: bool) -> Iterator[Rewriting]:
    sides = {"a": node.left, "b": node.right}
    parts = {name: written(side) for name, side in sides.items()}
    for instead, slip, about, mending in OPERATIONS.get(type(node.op), ()):
        told = mending if mend else slip
        if told is not None:
            yield *told, instead.format(**parts), sides.get(about, node)
