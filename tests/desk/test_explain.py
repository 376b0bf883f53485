"""`gradcheck explain`: one page per exercise, from its records, that fits the screen."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from gradcheck.catalog import all_exercises
from gradcheck.desk.hints import explanation
from gradcheck.references.typeset import formulas
from tests import warm_start
from tests.desk.desk_commands import ROOT, refused, run

EXERCISES = list(all_exercises().values())


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda exercise: exercise.name)
@pytest.mark.parametrize("width", [80, 40])
def test_every_page_fits_the_screen_and_has_everything(exercise, width):
    lines = explanation(exercise, width)
    assert max(map(len, lines)) <= width
    text = " ".join(" ".join(lines).split())
    for graded in exercise.functions:
        assert f"{graded.spec.name}({', '.join(graded.spec.parameters)})" in text
    for operator in exercise.operators:
        assert all(" ".join(line.split()) in text for line in formulas(operator))
        assert operator.source.split(";")[0] in text
    for line in exercise.formula.split("\n"):
        assert " ".join(line.split()) in text
    sources = [graded.spec.reference.source for graded in exercise.functions if graded.spec.reference]
    assert all(source.split("; ")[-1] in text for source in sources)
    assert ("The Jacobian at a small example" in lines) == bool(exercise.operators)
    assert not any("\x1b" in line for line in lines)


def test_the_page_of_softmax(monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    done = run("explain", "softmax")
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    assert lines[0] == "softmax: From scores to probabilities"
    for line in (
        "    lecture part B: softmax",
        "    forward(x)                 1 point",
        "    backward(grad_output, x)   3 points",
        "    y_i = exp(x_i) / (Σ_k exp(x_k))",
        "    ∂y_i/∂x_j = y_i (δ_ij − y_j)",
        "    grad_x_bj = y_bj (g_bj − Σ_i g_bi y_bi)",
        "The Jacobian at a small example",
    ):
        assert line in lines
    assert "█" in done.out
    assert refused("explain", "sofmax").endswith("did you mean softmax?")
    assert refused("explain", "qqqq").startswith("there is no exercise 'qqqq'; there are: ")


def test_the_help_says_that_it_gives_the_formula_away():
    assert "This gives the formulas away" in run("explain", "--help").out


@pytest.mark.outside
def test_a_narrow_pipe_that_knows_few_characters(tmp_path: Path):
    environment = {k: v for k, v in os.environ.items() if k != "FORCE_COLOR"}
    environment |= {"PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "cp1252", "PYTHONUTF8": "0", "COLUMNS": "40"}
    command = [*warm_start.python(), "-m", "gradcheck", "explain", "relu"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, timeout=100, check=True)
    text = done.stdout.decode("cp1252")
    assert max(map(len, text.splitlines())) <= 40
    assert "    dy/dx, 4 x 4" in text
    assert "@" in text
    assert "\x1b" not in text
