"""Stubs follow from solutions, and give nothing away."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from gradcheck.authoring.stubs import stub_of, write_stubs
from gradcheck.catalog import all_exercises
from gradcheck.errors import GradcheckError

ROOT = Path(__file__).parent.parent.parent
EXERCISES = list(all_exercises().values())


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda exercise: exercise.name)
def test_the_committed_stub_is_what_its_solution_gives(exercise):
    source = (ROOT / "solutions" / exercise.path).read_text(encoding="utf-8")
    stub = (ROOT / "exercises" / exercise.path).read_text(encoding="utf-8")
    assert stub == stub_of(source, exercise), "run: make stubs"


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda exercise: exercise.name)
def test_a_stub_holds_no_line_of_the_answer(exercise):
    tree = ast.parse((ROOT / "solutions" / exercise.path).read_text(encoding="utf-8"))
    stub = (ROOT / "exercises" / exercise.path).read_text(encoding="utf-8")
    answers = [
        ast.unparse(statement)
        for function in tree.body
        if isinstance(function, ast.FunctionDef)
        for statement in function.body[1:]
    ]
    assert answers
    assert not [answer for answer in answers if answer in stub]
    assert "#" not in stub.replace("# TODO: your code here", "")


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda exercise: exercise.name)
def test_a_record_and_its_files_belong_together(exercise):
    tree = ast.parse((ROOT / "exercises" / exercise.path).read_text(encoding="utf-8"))
    written = {node.name: [a.arg for a in node.args.args] for node in tree.body if isinstance(node, ast.FunctionDef)}
    assert written == {graded.spec.name: list(graded.spec.parameters) for graded in exercise.functions}
    assert len(exercise.hints) >= 2
    assert exercise.max_score > 0


def test_no_file_lies_about_that_no_record_knows():
    for folder in ("exercises", "solutions"):
        found = {path.relative_to(ROOT / folder).as_posix() for path in (ROOT / folder).rglob("*.py")}
        assert found == {exercise.path for exercise in EXERCISES}


def test_a_learners_work_is_not_overwritten(tmp_path):
    (tmp_path / "solutions").symlink_to(ROOT / "solutions")
    mine = tmp_path / "exercises" / "04_modules" / "relu.py"
    mine.parent.mkdir(parents=True)
    mine.write_text("# my work\n")
    written = write_stubs(tmp_path)
    assert mine.read_text() == "# my work\n"
    assert len(written) == len(EXERCISES) - 1


def test_a_function_without_a_docstring_cannot_become_a_stub():
    exercise = all_exercises()["add"]
    with pytest.raises(GradcheckError, match="needs a docstring"):
        stub_of('"""Sum."""\ndef forward(x1, x2):\n    return x1 + x2\n', exercise)
