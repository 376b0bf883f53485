"""The notebook to begin with, run as a learner runs it: untouched, solved, and with a mistake."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from gradcheck.authoring.notebook_to_begin import FILE, UNIT, notebook_text, write_notebook
from gradcheck.catalog import all_exercises

ROOT = Path(__file__).parents[2]
EXERCISES = {exercise.name: exercise for exercise in all_exercises().values() if exercise.unit == UNIT}


def solution_of(exercise):
    """What stands below the imports."""
    source = (ROOT / "solutions" / exercise.path).read_text(encoding="utf-8")
    imports = [node.end_lineno for node in ast.parse(source).body if isinstance(node, (ast.Import, ast.ImportFrom))]
    return "\n".join(source.splitlines()[imports[-1] :]).strip()


def run(notebook, folder, monkeypatch):
    """What each exercise's cell shows, as text."""
    for variable in ("IPYTHONDIR", "JUPYTER_RUNTIME_DIR"):
        monkeypatch.setenv(variable, str(folder / variable.lower()))
    client = NotebookClient(notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(folder)}})
    client.execute()
    shown = {cell.id: cell.outputs for cell in notebook.cells if cell.cell_type == "code"}
    assert shown.pop("imports") == []
    assert all(len(outputs) == 1 and "text/html" in outputs[0].data for outputs in shown.values())
    return {name: outputs[0].data["text/plain"] for name, outputs in shown.items()}


@pytest.fixture
def notebook():
    return nbformat.read(ROOT / FILE, as_version=4)


def put(notebook, name, functions):
    """Functions in the place of an exercise's stubs; the check stays."""
    cell = next(each for each in notebook.cells if each.id == name)
    cell.source = f"{functions}\n\n\n{cell.source.splitlines()[-1]}"


def test_the_committed_notebook_follows_from_the_catalog(notebook):
    assert (ROOT / FILE).read_text(encoding="utf-8") == notebook_text(ROOT), "run: make stubs"
    nbformat.validate(notebook)
    assert [cell.id for cell in notebook.cells if cell.cell_type == "code"] == ["imports", *EXERCISES]


def test_every_function_of_an_exercise_is_a_stub_and_is_checked(notebook):
    for name, exercise in EXERCISES.items():
        source = next(cell.source for cell in notebook.cells if cell.id == name)
        asked = [graded.spec.name for graded in exercise.functions]
        assert re.findall(r"(?m)^def (\w+)", source) == asked
        assert source.count("raise NotImplementedError") == len(asked)
        assert source.splitlines()[-1] == f'gradcheck.check("{name}", {", ".join(f"{each}={each}" for each in asked)})'


def test_a_learners_notebook_is_not_overwritten(tmp_path):
    (tmp_path / "solutions").symlink_to(ROOT / "solutions")
    assert write_notebook(tmp_path) == [tmp_path / FILE]
    (tmp_path / FILE).write_text("mine")
    assert write_notebook(tmp_path) == []
    assert (tmp_path / FILE).read_text() == "mine"
    assert write_notebook(tmp_path, overwrite=True) == [tmp_path / FILE]
    assert (tmp_path / FILE).read_text(encoding="utf-8") == notebook_text(ROOT)


@pytest.mark.outside
def test_as_it_is_every_cell_runs_and_says_that_nothing_is_started(notebook, tmp_path, monkeypatch):
    shown = run(notebook, tmp_path, monkeypatch)
    assert list(shown) == list(EXERCISES)
    for name, exercise in EXERCISES.items():
        for graded in exercise.functions:
            assert f"{name}.{graded.spec.name} is not started" in shown[name]


@pytest.mark.outside
def test_with_the_solutions_in_its_cells_everything_passes(notebook, tmp_path, monkeypatch):
    for name, exercise in EXERCISES.items():
        put(notebook, name, solution_of(exercise))
    shown = run(notebook, tmp_path, monkeypatch)
    assert {name: text for name, text in shown.items() if "): passed, " not in text} == {}
    assert list(shown) == list(EXERCISES)


@pytest.mark.outside
def test_a_mistake_in_a_cell_is_named_below_it(notebook, tmp_path, monkeypatch):
    notebook.cells = [cell for cell in notebook.cells if cell.id in {"imports", "relu"}]
    right = solution_of(EXERCISES["relu"])
    assert "return grad_output * (x > 0)" in right
    put(notebook, "relu", right.replace("return grad_output * (x > 0)", "return -grad_output * (x > 0)"))
    shown = run(notebook, tmp_path, monkeypatch)["relu"]
    assert "relu.backward   [sign-flipped]" in shown
    assert "relu.forward" not in shown
