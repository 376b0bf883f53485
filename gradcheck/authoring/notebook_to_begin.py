"""`examples/week2.ipynb`: the exercises of the unit on modules as cells to fill in, each with its check. Made anew from
records and stubs by `gradcheck stubs`, as the stubs are from solutions; without outputs.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any

from gradcheck.authoring.stubs import stub_of
from gradcheck.catalog import Exercise, all_exercises

UNIT = "04_modules"
FILE = Path("examples") / "week2.ipynb"

_OPENING = """\
# Week 2 in a notebook: the modules

Each cell below is an exercise. Put your code in the place of a `raise NotImplementedError`, run the cell (Shift+Enter),
and the verdict appears below it: the mistake, a small case that shows it, one thing to think about. What you have not
written yet reads *not started*; you may begin anywhere.

- `backward(grad_output, …)` is the vector-Jacobian product: `grad_output` is dC/dy, the result dC/dx.
- `jacobian(…)` is J[i, j] = ∂y_i/∂x_j: rows are outputs, columns inputs.
- You may use any forward function of torch, but no autograd.
- `seed=7` in a check draws other inputs, `show_answer=True` prints the correct values, and `!gradcheck hint relu` in a
  cell of its own gives a hint.

Run this first:
"""
_IMPORTS = "import torch\nfrom torch import Tensor\n\nimport gradcheck"


def write_notebook(root: Path, *, overwrite: bool = False) -> list[Path]:
    """As `write_stubs`, of which it is one more."""
    target = root / FILE
    if target.exists() and not overwrite:
        return []
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(notebook_text(root), encoding="utf-8")
    return [target]


def notebook_text(root: Path) -> str:
    """The whole file, by the solutions in `root`."""
    cells = [_cell("begin", _OPENING), _cell("imports", _IMPORTS, code=True)]
    for exercise in all_exercises().values():
        if exercise.unit == UNIT:
            source = (root / "solutions" / exercise.path).read_text(encoding="utf-8")
            cells += _exercise(exercise, stub_of(source, exercise))
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    notebook = {
        "cells": cells,
        "metadata": {"kernelspec": kernel, "language_info": {"name": "python"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return json.dumps(notebook, ensure_ascii=False, indent=1) + "\n"


def _exercise(exercise: Exercise, stub: str) -> Iterator[dict[str, Any]]:
    """What is asked, and below it the functions with their check: in one cell, so that it checks no other exercise's
    `forward`.
    """
    tree = ast.parse(stub)
    _, *rules = (ast.get_docstring(tree) or "").split("\n\n")
    first = next(node.lineno for node in tree.body if isinstance(node, ast.FunctionDef))
    functions = "".join(stub.splitlines(keepends=True)[first - 1 :]).rstrip()
    given = ", ".join(f"{graded.spec.name}={graded.spec.name}" for graded in exercise.functions)
    yield _cell(f"{exercise.name}-asked", "\n\n".join([f"## {exercise.title}", exercise.about.statement, *rules]))
    yield _cell(exercise.name, f'{functions}\n\n\ngradcheck.check("{exercise.name}", {given})', code=True)


def _cell(name: str, source: str, *, code: bool = False) -> dict[str, Any]:
    lines = dedent(source).strip().splitlines(keepends=True)
    if code:
        return {
            "cell_type": "code",
            "execution_count": None,
            "id": name,
            "metadata": {},
            "outputs": [],
            "source": lines,
        }
    return {"cell_type": "markdown", "id": name, "metadata": {}, "source": lines}
