"""`gradcheck explain`: one page per exercise, from its records, that fits the screen."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from gradcheck.catalog import all_exercises
from gradcheck.desk.hints import definition_of, explanation, formulas_of
from gradcheck.references.expected import Point
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


def shown(exercise, cache: Path | None) -> list[list[str]]:
    return [explanation(exercise, 80, cache), formulas_of(exercise, cache), definition_of(exercise, cache)]


def nothing_can_be_derived(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("gradcheck.references.typeset.formulas", "gradcheck.references.typeset.definition"):
        monkeypatch.setattr(name, None)
    monkeypatch.setattr(Point, "quick_jacobian", None)


def test_what_is_kept_is_what_is_derived_for_every_exercise(tmp_path, monkeypatch):
    first = [shown(exercise, tmp_path / "cache") for exercise in EXERCISES]
    assert first == [shown(exercise, None) for exercise in EXERCISES]
    nothing_can_be_derived(monkeypatch)
    assert [shown(exercise, tmp_path / "cache") for exercise in EXERCISES] == first


def test_the_definition_gives_no_derivative_away():
    for exercise in EXERCISES:
        lines = definition_of(exercise, None)
        assert lines == [formulas(operator)[0] for operator in exercise.operators]
        assert not any(line.startswith(("∂", "grad_")) for line in lines)


def test_a_poisoned_cache_is_not_believed_and_mended(tmp_path, monkeypatch):
    softmax = all_exercises()["softmax"]
    first = shown(softmax, tmp_path)
    [path] = tmp_path.iterdir()
    text = path.read_text()
    for poison in (text.replace("y_i (", "2 y_i ("), text[:-9], "\x1b[2J", ""):
        assert poison != text
        path.write_text(poison)
        assert shown(softmax, tmp_path) == first
        assert sorted(path.read_text()) == sorted(text)  # in the order in which it was asked for
    nothing_can_be_derived(monkeypatch)
    assert shown(softmax, tmp_path) == first


def test_a_cache_that_cannot_be_written_is_done_without(tmp_path):
    (tmp_path / "file").write_text("in the way")
    softmax = all_exercises()["softmax"]
    assert shown(softmax, tmp_path / "file" / "cache") == shown(softmax, None)


def test_another_example_is_another_picture(tmp_path, monkeypatch):
    softmax = all_exercises()["softmax"]
    first = explanation(softmax, 80, tmp_path)
    monkeypatch.setattr("gradcheck.reports.matrices._ENTRIES", (0.0, 3.0, 0.0, -1.0))
    second = explanation(softmax, 80, tmp_path)
    assert second != first
    assert second == explanation(softmax, 80)


@pytest.mark.outside
def test_from_the_cache_no_heavy_library_is_imported(tmp_path):
    script = (
        "import sys, gradcheck.commands.cli as cli\n"
        "for absent, arguments in (({'numpy'}, ['hint', 'softmax', '--step', '4']), (set(), ['explain', 'softmax'])):\n"
        "    cli.cli(arguments, standalone_mode=False)\n"
        "    print('HEAVY', sorted({'torch', 'sympy', 'flint', 'rich', *absent} & set(sys.modules)))\n"
    )

    def told() -> list[str]:
        done = subprocess.run(
            [sys.executable, "-c", script],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1"},
            capture_output=True,
            encoding="utf-8",
            check=True,
        )
        return done.stdout.splitlines()

    first, second = told(), told()
    heavy = [place for place, line in enumerate(first) if line.startswith("HEAVY")]
    assert [second[place] for place in heavy] == ["HEAVY []"] * 2
    assert all("sympy" in first[place] for place in heavy)
    assert [line for line in second if line != "HEAVY []"] == [line for line in first if not line.startswith("HEAVY")]
