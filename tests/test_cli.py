"""The command line as it is typed: what it prints, where, and its exit codes."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import warm_start
from tests.checks.totals import POINTS

pytestmark = pytest.mark.outside

ROOT = Path(__file__).parents[1]
Gradcheck = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def gradcheck(tmp_path: Path) -> Gradcheck:
    """Runs the command in an empty folder. Whatever it is given, it never shows a traceback."""

    def run(*arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1", **settings}
        command = [*warm_start.python(), "-m", "gradcheck", *arguments]
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, encoding="utf-8", timeout=100, check=False
        )
        assert "Traceback" not in done.stdout + done.stderr
        return done

    return run


def refusal(done: subprocess.CompletedProcess[str]) -> str:
    """The one line, on standard error, of a command that could not be done."""
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("gradcheck: ")
    return line.removeprefix("gradcheck: ")


@pytest.fixture
def exercises(tmp_path: Path) -> Path:
    """A right relu, a wrong add; nothing else."""
    folder = tmp_path / "exercises" / "04_modules"
    folder.mkdir(parents=True)
    shutil.copy(ROOT / "solutions/04_modules/relu.py", folder)
    (folder / "add.py").write_text("def forward(x1, x2):\n    return x1 - x2\n")
    return tmp_path / "exercises"


def test_help_answers_at_once_and_names_every_command(gradcheck: Gradcheck) -> None:
    done = gradcheck("--help")
    assert (done.returncode, done.stderr) == (0, "")
    for command in ("formulas", "explain", "hint", "list", "report", "reset", "solution", "stubs"):
        assert f"\n  {command} " in done.stdout
    sections = re.split(r"^([A-Z][\w ]+):\n", done.stdout, flags=re.MULTILINE)
    shown = dict(zip(sections[1::2], sections[2::2], strict=True))
    assert list(shown) == ["Options", "Working on exercises", "Teaching a course", "Writing exercises"]
    for heading, command in zip(list(shown)[1:], ("  hint ", "  grade ", "  new "), strict=True):
        assert command in shown[heading]
    assert "\n  host " not in done.stdout  # which nobody types
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert gradcheck("--version").stdout.startswith("gradcheck, version ")


def test_help_and_hints_import_no_heavy_library(tmp_path: Path) -> None:
    script = (
        "import sys, gradcheck, gradcheck.commands.cli as cli\n"
        "for arguments in (['--help'], ['report', '--help'], ['hint', 'relu']):\n"
        "    cli.cli(arguments, standalone_mode=False)\n"
        "heavy = {'torch', 'sympy', 'flint', 'numpy', 'hypothesis', 'rich'} & set(sys.modules)\n"
        "print('HEAVY', sorted(heavy))\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1"}
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    assert done.stdout.splitlines()[-1] == "HEAVY []"


def test_formulas_prints_every_operator(gradcheck: Gradcheck) -> None:
    done = gradcheck("formulas")
    assert (done.returncode, done.stderr) == (0, "")
    blocks: dict[str, list[str]] = {}
    for line in done.stdout.splitlines():
        if line.startswith("    "):
            blocks[list(blocks)[-1]].append(line.strip())
        else:
            blocks[line] = []
    assert {"relu", "sigmoid", "tanh", "softplus", "softmax", "log_softmax", "linear", "mse", "nll"} <= set(blocks)
    for name, lines in blocks.items():
        assert any(line.startswith("∂") for line in lines), name
        assert any(line.startswith("grad_") for line in lines), name
        assert not any(word in line for line in lines for word in ("Sum(", "KroneckerDelta", "Piecewise", "**"))
    assert "∂y_i/∂x_j = y_i (δ_ij − y_j)" in blocks["softmax"]
    assert "grad_weight_pq = Σ_b g_bp x_bq" in blocks["linear"]


def test_formulas_of_some_and_on_a_narrow_console(gradcheck: Gradcheck) -> None:
    done = gradcheck("formulas", "softmax", "relu", PYTHONIOENCODING="ascii", PYTHONUTF8="0", LC_ALL="C")
    assert (done.returncode, done.stderr) == (0, "")
    assert [line for line in done.stdout.splitlines() if not line.startswith(" ")] == ["softmax", "relu"]
    told = refusal(gradcheck("formulas", "nosuch"))
    assert told.startswith("there is no operator 'nosuch'; there are: ")
    assert "softmax" in told
    assert "did you mean softmax?" in refusal(gradcheck("formulas", "sofmax"))


def test_report_exits_0_when_all_passed(gradcheck: Gradcheck, exercises: Path) -> None:
    done = gradcheck("report", "exercises", "--json", "out/relu.json", "--only", "relu")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0].split() == ["04_modules/relu.py", "passed", "4/4"]
    assert lines[-2:] == ["4 of 4 points", "report: out/relu.json"]
    written = json.loads((exercises.parent / "out/relu.json").read_text(encoding="utf-8"))
    assert (written["schema"], written["submission"], written["score"]) == ("gradcheck/report/v1", "exercises", 4)


def test_report_exits_1_when_something_is_left(gradcheck: Gradcheck, exercises: Path) -> None:
    done = gradcheck("report", "exercises", PYTHONIOENCODING="ascii", PYTHONUTF8="0", LC_ALL="C")
    assert (done.returncode, done.stderr) == (1, "")
    lines = done.stdout.splitlines()
    told = {line.split()[0]: line.split()[1:] for line in lines if line[:2].isdigit() and line[2] == "_"}
    assert told.pop("04_modules/relu.py") == ["passed", "4/4"]
    assert told.pop("04_modules/add.py") == ["failed", "0/3"]
    assert {states[0] for states in told.values()} == {"not"}
    # Wrong is told, not started is not.
    headlines = [line for line in lines if line.startswith("add.")]
    assert [line.split()[0] for line in headlines] == ["add.forward", "add.backward"]
    assert "  Again: pytest exercises/04_modules/add.py -k backward" in lines
    assert sum(line.startswith("  Again: ") for line in lines) == 2
    assert "correct:" not in done.stdout
    assert lines[-1] == f"4 of {POINTS:g} points"
    shown = gradcheck("report", "exercises", "--only", "add", "--show-answer")
    assert "      correct: " in shown.stdout


def test_json_on_standard_output_is_json_alone(gradcheck: Gradcheck, exercises: Path) -> None:
    done = gradcheck("report", str(exercises), "--json", "-", "--only", "add", "--seed", "5")
    assert (done.returncode, done.stderr) == (1, "")
    report = json.loads(done.stdout)
    assert (report["seed"], [each["name"] for each in report["exercises"]]) == (5, ["add"])


def test_report_exits_2_when_nothing_could_be_graded(gradcheck: Gradcheck, exercises: Path) -> None:
    assert refusal(gradcheck("report", "nosuchfolder")).startswith("nosuchfolder is not a folder; give one laid out")
    assert refusal(gradcheck("report", "exercises", "--only", "rellu")).endswith("did you mean relu?")
    told = refusal(gradcheck("report", "exercises", "--only", "relu", "--json", "exercises"))
    assert told == "exercises cannot be written: Is a directory; give --json another place"
    told = refusal(gradcheck("report", "exercises", "--only", "relu", "--json", "exercises/04_modules/add.py/x.json"))
    assert told.endswith("; give --json another place")
    assert "x.json cannot be written" in told


def test_hint(gradcheck: Gradcheck, exercises: Path) -> None:
    done = gradcheck("hint", "relu")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0] == "relu: The rectifier, max(x, 0)   (hint 1 of 4)"
    assert lines[-1] == "Next: gradcheck hint relu"
    assert max(map(len, lines)) <= 80
    assert "(hint 2 of 4)" in gradcheck("hint", "04_modules/relu.py").stdout
    assert json.loads((exercises / ".desk.json").read_text())["exercises"]["relu"]["hint"] == 2
    assert refusal(gradcheck("hint", "relu", "--step", "99")) == "relu has 4 hints; ask for --step 4"
    assert refusal(gradcheck("hint", "relo")).endswith("did you mean relu?")
    zero = gradcheck("hint", "relu", "--step", "0")
    assert zero.returncode == 2
    assert "not in the range" in zero.stderr


def test_stubs(gradcheck: Gradcheck, tmp_path: Path) -> None:
    assert "there is no solutions/ in " in refusal(gradcheck("stubs"))
    shutil.copytree(ROOT / "solutions", tmp_path / "solutions", ignore=shutil.ignore_patterns("__pycache__"))
    done = gradcheck("stubs", "relu")
    assert (done.returncode, done.stdout) == (0, "wrote exercises/04_modules/relu.py\n")
    stub = tmp_path / "exercises/04_modules/relu.py"
    assert stub.read_bytes() == (ROOT / "exercises/04_modules/relu.py").read_bytes()
    stub.write_text("mine")
    assert gradcheck("stubs", "relu").stdout == "nothing to write: every stub exists (--force overwrites them)\n"
    assert stub.read_text() == "mine"
    assert gradcheck("stubs", "relu", "--force").stdout == "wrote exercises/04_modules/relu.py\n"
    assert stub.read_text() != "mine"
    assert refusal(gradcheck("stubs", "relo")).endswith("did you mean relu?")


def test_what_click_refuses_is_a_usage_error(gradcheck: Gradcheck) -> None:
    for arguments in (["nosuchcommand"], ["report"], ["hint"], ["report", ".", "--seed", "x"]):
        done = gradcheck(*arguments)
        assert done.returncode == 2
        assert done.stderr.startswith("Usage: gradcheck")
        assert "Error: " in done.stderr
