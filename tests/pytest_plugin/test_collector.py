"""What is collected and counted: whole folders, files, functions, checks, and pytest's own options."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Mapping
from itertools import takewhile
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from gradcheck.catalog import all_exercises
from tests.checks.totals import POINTS

pytestmark = pytest.mark.outside

Project = Callable[[Mapping[str, str]], Path]
RunPytest = Callable[..., "subprocess.CompletedProcess[str]"]
SourceOf = Callable[..., str]

RELU, ADD, NLL = "04_modules/relu.py", "04_modules/add.py", "05_losses/nll.py"
LOSSES = [exercise for exercise in all_exercises().values() if exercise.unit == "05_losses"]
CHECKS = {name: sum(len(each.spec.checks) for each in all_exercises()[name].functions) for name in all_exercises()}


def counts(done: subprocess.CompletedProcess[str]) -> dict[str, int]:
    """The last line of a run, by outcome."""
    last = done.stdout.splitlines()[-1]
    return {name: int(number) for number, name in re.findall(r"(\d+) (not started|\w+)", last.split(" in ")[0])}


def outcomes(done: subprocess.CompletedProcess[str]) -> dict[str, str]:
    """Of a verbose run, by node id, with or without workers."""
    found = {}
    for line in done.stdout.splitlines():
        if match := re.match(
            r"(?:\[gw\d+\] \[ *\d+%\] )?(?:(NOT STARTED|[A-Z]+) )?(exercises/\S+::\S+)(?: (.*))?$", line
        ):
            state = match[1] or re.match(r"NOT STARTED|[A-Z]*", match[3] or "")[0]  # type: ignore[index]
            if state:
                found[match[2]] = state
    return found


def progress(done: subprocess.CompletedProcess[str]) -> list[str]:
    lines = done.stdout.splitlines()
    begin = next(at for at, line in enumerate(lines) if re.fullmatch("=+ progress =+", line))
    return [line.rstrip() for line in takewhile(lambda line: line.strip() and line[0] != "=", lines[begin + 1 :])]


@pytest.fixture
def half_done(source_of: SourceOf) -> dict[str, str]:
    """relu with a wrong gradient and no Jacobian, add all right."""
    wrong = source_of(RELU).replace("return grad_output * (x > 0)", "return (x > 0).to(x.dtype)")
    wrong = wrong.replace("return torch.diag((x > 0).to(x.dtype))", 'raise NotImplementedError("later")')
    assert wrong.count("NotImplementedError") == 1
    assert "grad_output * " not in wrong
    return {RELU: wrong, ADD: source_of(ADD)}


def test_stubs_are_not_started_and_no_failures(project: Project, run_pytest: RunPytest, source_of: SourceOf) -> None:
    project({exercise.path: source_of(exercise.path, "exercises") for exercise in LOSSES})
    done = run_pytest("exercises")
    assert done.returncode == 1, done.stdout
    assert counts(done) == {"not started": sum(CHECKS[exercise.name] for exercise in LOSSES)}
    for section in ("FAILURES", "ERRORS", "short test summary", "warnings summary", "Traceback"):
        assert section not in done.stdout
    most = sum(exercise.max_score for exercise in LOSSES)
    lines = progress(done)
    assert lines[0].startswith("05_losses ")
    assert lines[0].endswith(f"0/{len(LOSSES)} exercises  0/{most} points")
    assert lines[1:5] == [
        f"0 of {most} points. Next: exercises/{LOSSES[0].path}",
        f"    {LOSSES[0].title}",
        f"    a hint:  gradcheck hint {LOSSES[0].name}",
        f"    check:   pytest exercises/{LOSSES[0].path}",
    ]
    assert lines[5] == f"Only a part was run: {len(LOSSES)} of {len(CHECKS)} exercises. In all: 0 of {POINTS:g} points."
    assert "gradcheck: seed 0 (change it with --gradcheck-seed N)" in done.stdout


def test_solutions_pass_and_what_is_not_there_is_told(
    project: Project, run_pytest: RunPytest, source_of: SourceOf
) -> None:
    root = project({exercise.path: source_of(exercise.path) for exercise in LOSSES})
    done = run_pytest("exercises", "--gradcheck-seed", "7", "--junitxml", "result.xml")
    assert done.returncode == 0, done.stdout
    total = sum(CHECKS[exercise.name] for exercise in LOSSES)
    assert counts(done) == {"passed": total}
    most = sum(exercise.max_score for exercise in LOSSES)
    lines = progress(done)
    assert lines[0].endswith(f"{len(LOSSES)}/{len(LOSSES)} exercises  {most}/{most} points")
    rest = len(CHECKS) - len(LOSSES)
    assert lines[1:] == [
        f"{most} of {most} points. All that is here has passed; {rest} of {len(CHECKS)} exercises are missing.",
        f"Only a part was run: {len(LOSSES)} of {len(CHECKS)} exercises. In all: {most} of {POINTS:g} points.",
    ]
    assert "gradcheck: seed 7 " in done.stdout
    cases = list(ET.parse(root / "result.xml").getroot().iter("testcase"))
    assert len(cases) == total
    assert len({(case.get("classname"), case.get("name")) for case in cases}) == total


def test_one_file_gives_one_outcome_per_check(
    project: Project, run_pytest: RunPytest, half_done: dict[str, str]
) -> None:
    root = project(half_done)
    done = run_pytest(f"exercises/{RELU}", "-v", "--junitxml", "result.xml")
    assert done.returncode == 1
    found = outcomes(done)
    assert len(found) == CHECKS["relu"]
    assert {node.partition("::")[0] for node in found} == {f"exercises/{RELU}"}
    by_function = {
        function: [state for node, state in found.items() if f"::{function}::" in node]
        for function in ("forward", "backward", "jacobian")
    }
    assert by_function == {
        "forward": ["PASSED"] * 7,
        "backward": ["PASSED"] * 5 + ["FAILED"] + ["SKIPPED"] * 2,
        "jacobian": ["NOT STARTED"] * 9,
    }
    assert counts(done) == {"failed": 1, "passed": 12, "skipped": 2, "not started": 9}
    assert "1 of 4 points. Next: exercises/04_modules/relu.py" in done.stdout
    suite = ET.parse(root / "result.xml").getroot()[0]
    assert suite.get("tests") == str(CHECKS["relu"]) == str(len(list(suite.iter("testcase"))))
    told = [failure.text or "" for failure in suite.iter("failure")]
    assert sum("relu.backward" in text for text in told) == 1
    # With workers the same, down to the summary.
    spread = run_pytest(f"exercises/{RELU}", "-v", "-n", "2")
    assert spread.returncode == 1
    assert outcomes(spread) == found
    assert counts(spread) == counts(done)
    assert progress(spread) == progress(done)


def test_parts_of_a_file(project: Project, run_pytest: RunPytest, half_done: dict[str, str]) -> None:
    project(half_done)
    done = run_pytest("exercises/04_modules", "-k", "jacobian and relu")
    assert done.returncode == 1
    others = sum(CHECKS[each.name] for each in all_exercises().values() if each.unit == "04_modules") - 9
    assert counts(done) == {"deselected": others, "not started": 9}
    done = run_pytest("04_modules/relu.py::backward::values", "04_modules/add.py", cwd="exercises")
    assert done.returncode == 1
    assert counts(done) == {"failed": 1, "passed": CHECKS["add"]}
    # Commands to copy work where the learner is.
    assert "  Again: pytest 04_modules/relu.py -k backward" in done.stdout
    assert "    check:   pytest 04_modules/relu.py" in done.stdout


def test_stop_at_the_first_failure_and_run_only_what_failed_again(
    project: Project, run_pytest: RunPytest, half_done: dict[str, str], source_of: SourceOf
) -> None:
    root = project(half_done)
    done = run_pytest(f"exercises/{ADD}", f"exercises/{RELU}", "-x")
    assert done.returncode == 1
    assert counts(done) == {"failed": 1, "passed": CHECKS["add"] + 12}
    assert "stopping after 1 failures" in done.stdout
    (root / "exercises" / RELU).write_text(source_of(RELU), encoding="utf-8")
    done = run_pytest(f"exercises/{ADD}", f"exercises/{RELU}", "--lf")
    assert done.returncode == 0, done.stdout
    assert counts(done)["passed"] == 1


def test_a_wrong_gradient_is_never_green(project: Project, run_pytest: RunPytest, half_done: dict[str, str]) -> None:
    # Both wait for values, which is not part of this run.
    project(half_done)
    done = run_pytest(f"exercises/{RELU}", "-k", "backward and (edge_cases or linearity)")
    assert done.returncode == 1
    assert counts(done) == {"failed": 2, "deselected": CHECKS["relu"] - 2}
    assert "differs from dC/dx" in done.stdout
    assert "All done" not in done.stdout


def test_a_right_jacobian_beside_a_wrong_gradient(project: Project, run_pytest: RunPytest, source_of: SourceOf) -> None:
    project({RELU: source_of(RELU).replace("return grad_output * (x > 0)", "return (x > 0).to(x.dtype)")})
    done = run_pytest(f"exercises/{RELU}", "-k", "jacobian", "-rs")
    # The Jacobian is right and says so; only its agreement with backward cannot be told, and costs no points.
    assert done.returncode == 0, done.stdout
    assert counts(done) == {"passed": 8, "skipped": 1, "deselected": CHECKS["relu"] - 9}
    assert "not checked until relu.backward.values holds" in done.stdout
    assert "All done" not in done.stdout


def test_what_is_left_is_told_with_what_was_found_before(
    project: Project, run_pytest: RunPytest, source_of: SourceOf
) -> None:
    stub = source_of(ADD, "exercises")
    root = project({RELU: source_of(RELU), ADD: stub})
    done = run_pytest(f"exercises/{RELU}")
    assert done.returncode == 0, done.stdout
    lines = progress(done)
    assert lines[0].split()[0] == "relu"
    assert lines[0].endswith("passed  4/4 points")
    assert [lines[1], *lines[-5:]] == [
        "  Passed without a hint.",
        f"4 of 4 points. Next: exercises/{ADD}",
        "    The sum of two tensors",
        "    a hint:  gradcheck hint add",
        f"    check:   pytest exercises/{ADD}",
        f"Only a part was run: 1 of {len(CHECKS)} exercises. In all: 4 of {POINTS:g} points.",
    ]
    # A part of the same file: its points stay what they are.
    lines = progress(run_pytest(f"exercises/{RELU}", "-k", "backward"))
    assert lines[0].endswith("passed  4/4 points")
    assert lines[1] == f"4 of 4 points. Next: exercises/{ADD}"
    assert " ".join(lines[5:]) == (
        f"Only a part was run: some checks of 1 of {len(CHECKS)} exercises; the others count as they were last checked. "
        f"In all: 4 of {POINTS:g} points."
    )
    # What was changed since counts as before, and is not said to be so now.
    (root / "exercises" / RELU).write_text(source_of(RELU) + "\n", encoding="utf-8")
    lines = progress(run_pytest(f"exercises/{RELU}", "-k", "backward"))
    assert lines[0].endswith("not checked  4/4 points")
    assert lines[1] == f"4 of 4 points. Next: exercises/{RELU}"


def test_a_terminal_without_utf8_keeps_the_lines_apart(
    project: Project, run_pytest: RunPytest, source_of: SourceOf
) -> None:
    project({RELU: source_of(RELU)})
    lines = progress(run_pytest(f"exercises/{RELU}", PYTHONUTF8="0", PYTHONIOENCODING="ascii", LC_ALL="C"))
    assert lines[:2] == ["relu  ########################  passed  4/4 points", "  Passed without a hint."]
    assert "\\n" not in "".join(lines)


def test_what_failed_is_run_again_and_what_is_not_started_is_not(
    project: Project, run_pytest: RunPytest, half_done: dict[str, str]
) -> None:
    project(half_done)
    assert counts(run_pytest(f"exercises/{RELU}"))["not started"] == 9
    done = run_pytest(f"exercises/{RELU}", "--lf")
    assert done.returncode == 1
    assert counts(done) == {"failed": 1, "deselected": CHECKS["relu"] - 1}
    assert progress(done)[0].endswith("failed  1/4 points")


def test_code_below_the_raise_fails_with_a_sentence(
    project: Project, run_pytest: RunPytest, source_of: SourceOf
) -> None:
    left = source_of(RELU).replace("    return grad_output", "    raise NotImplementedError\n    return grad_output")
    project({RELU: left})
    line = left.splitlines().index("    raise NotImplementedError") + 1
    done = run_pytest(f"exercises/{RELU}", "-k", "backward")
    assert counts(done) == {"failed": 1, "skipped": 8, "deselected": CHECKS["relu"] - 9}
    told = " ".join(done.stdout.split())
    assert f"the line `raise NotImplementedError` (line {line}) still stands above your code; delete it" in told
    assert "not started" not in done.stdout
