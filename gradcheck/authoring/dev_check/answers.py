"""What nobody may be told before the last hint: the code of a solution, and the formulas that are derived."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from gradcheck.catalog import Exercise
from gradcheck.desk.hints import operators_of

LEAST = 12
"""Characters, spaces not counted, from which on an expression is more than a word that happens to be the same."""

_ALIKE = str.maketrans({"−": "-", "·": "*", "×": "*", "²": "**2", "’": "'"})


class Answers:
    """The expressions of a solution's code, and the right-hand sides of the derived VJPs and Jacobians."""

    def __init__(self, code: list[str], formulas: list[str]) -> None:
        self._known = [(text, _squeezed(text)) for text in (*code, *formulas)]
        self._known = [(text, squeezed) for text, squeezed in self._known if len(squeezed) >= LEAST]

    def given_away(self, *texts: str) -> str:
        """The longest answer that stands in one of the texts, or nothing."""
        spoken = [_squeezed(text) for text in texts]
        found = [text for text, squeezed in self._known if any(squeezed in each for each in spoken)]
        return max(found, key=len, default="")


def answers_of(exercise: Exercise, root: Path) -> Answers:
    """Those of one exercise. Raises FormulaError where a formula cannot be read."""
    from gradcheck.references.typeset import formulas

    try:
        tree = ast.parse((root / "solutions" / exercise.path).read_text(encoding="utf-8"))
    except (OSError, ValueError, SyntaxError):
        tree = ast.Module([], [])  # told of where files are checked
    code = [text for node in tree.body if isinstance(node, ast.FunctionDef) for text in _code(node)]
    lines = [line for operator in operators_of(exercise) for line in formulas(operator)[1:]]
    return Answers(code, [line.split(" = ", 1)[-1] for line in lines])


def _code(function: ast.FunctionDef) -> Iterator[str]:
    """What is computed in a function: whatever has an operator or takes an attribute."""
    for node in ast.walk(function):
        if isinstance(node, (ast.Return, ast.Assign, ast.AugAssign)) and node.value is not None:
            parts = (ast.BinOp, ast.UnaryOp, ast.Compare, ast.Attribute, ast.Subscript)
            if any(isinstance(each, parts) for each in ast.walk(node.value)):
                yield ast.unparse(node.value)


def _squeezed(text: str) -> str:
    return "".join(text.translate(_ALIKE).split())
