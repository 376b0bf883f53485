"""Stubs from solutions: docstrings, imports and signatures stay; derivations, bodies and helpers go. The docstring says
on which hard inputs the exercise is graded.
"""

from __future__ import annotations

import ast
from pathlib import Path

from gradcheck.catalog import Exercise, all_exercises
from gradcheck.checks.traits import hard_inputs_in_words
from gradcheck.errors import GradcheckError

_QUOTES = '"""'
_BODY = '    # TODO: your code here\n    raise NotImplementedError("{name} is not written yet")\n'


def stub_of(source: str, exercise: Exercise) -> str:
    """The learner's file for a solution's source. Only the functions that the exercise asks for are kept."""
    tree = ast.parse(source)
    asked = {graded.spec.name for graded in exercise.functions}
    lines = source.splitlines(keepends=True)
    pieces, functions = [], []
    for node in tree.body:
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            pieces.append(_source(lines, node.lineno, node.end_lineno))
        elif isinstance(node, ast.FunctionDef) and node.name in asked:
            functions.append(_function(lines, node))
    docstring = _told(_source(lines, tree.body[0].lineno, tree.body[0].end_lineno), hard_inputs_in_words(exercise.task))
    future = [piece for piece in pieces if "__future__" in piece]
    torch = [piece for piece in pieces if piece.split()[1].startswith("torch") and piece.strip() != "import torch"]
    standard = [piece for piece in pieces if piece not in future and piece.split()[1].split(".")[0] != "torch"]
    groups = ("".join(future), "".join(standard), "".join(["import torch\n", *torch]))
    header = docstring + "\n" + "\n".join(group for group in groups if group)
    return header + "".join("\n\n" + function for function in functions)


def _told(docstring: str, sentence: str) -> str:
    """A docstring with a sentence more, on a line of its own."""
    if not sentence:
        return docstring
    return f"{docstring.rstrip().removesuffix(_QUOTES).rstrip()}\n\n{sentence}\n{_QUOTES}\n"


def _function(lines: list[str], node: ast.FunctionDef) -> str:
    docstring = node.body[0]
    if not (isinstance(docstring, ast.Expr) and isinstance(docstring.value, ast.Constant)):
        raise GradcheckError(f"line {node.lineno}: {node.name} needs a docstring, which is what a learner is given")
    return _source(lines, node.lineno, docstring.end_lineno) + _BODY.format(name=node.name)


def _source(lines: list[str], first: int, last: int | None) -> str:
    return "".join(lines[first - 1 : last])


def write_stubs(root: Path, names: list[str] | None = None, *, overwrite: bool = False) -> list[Path]:
    """Write `root/exercises/` from `root/solutions/`. A file that exists is kept unless `overwrite`; returns what was
    written.
    """
    written = []
    for exercise in all_exercises().values():
        if names and exercise.name not in names:
            continue
        target = root / "exercises" / exercise.path
        if target.exists() and not overwrite:
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        text = stub_of((root / "solutions" / exercise.path).read_text(encoding="utf-8"), exercise)
        target.write_text(text, encoding="utf-8")
        written.append(target)
    return written
