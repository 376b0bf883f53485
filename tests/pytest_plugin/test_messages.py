"""What a learner reads when a check fails, to the line."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

pytestmark = pytest.mark.outside

Project = Callable[[Mapping[str, str]], Path]
RunPytest = Callable[..., "subprocess.CompletedProcess[str]"]

RELU = "04_modules/relu.py"
FILE = f"exercises/{RELU}"
WRONG = """
import torch

def forward(x):
    print("forward saw", tuple(x.shape))
    x[x < 0] = 0
    return x

def backward(grad_output, x):
    for line in range(10_000):
        print("backward speaks", line)
    return (x > 0).to(x.dtype)

def helper(x):
    return x.nothing_of_that_name

def jacobian(x):
    return helper(x)
"""


def messages(done: subprocess.CompletedProcess[str]) -> dict[str, list[str]]:
    """The lines below each heading of the failures, without what was printed."""
    found: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in done.stdout.partition("= FAILURES =")[2].splitlines()[1:]:
        if line.startswith("="):
            break
        if line.startswith("___"):
            lines = found.setdefault(line.strip("_ "), [])
        elif line.startswith("---"):
            lines = []
        else:
            lines.append(line)
    return found


def numbers(lines: list[str]) -> dict[str, str]:
    """A counterexample's rows by label; a tensor of one number without its brackets."""
    rows = (re.fullmatch(r" {6}(.*(?: =|:|returned)) +\[+([^\[\]]*)\]+", line) for line in lines)
    return {row[1]: row[2] for row in rows if row}


def printed(done: subprocess.CompletedProcess[str], heading: str) -> str:
    own = re.split(r"\n[_=]{3,} ", done.stdout.partition(f" {heading} _")[2])[0]
    return own.partition("- Captured stdout call -")[2].partition("\n")[2]


def test_what_each_kind_of_failure_reads_like(project: Project, run_pytest: RunPytest) -> None:
    project({RELU: WRONG})
    done = run_pytest(FILE)
    assert done.returncode == 1
    told = messages(done)
    assert list(told) == ["relu.forward.purity", "relu.backward.values", "relu.jacobian.runs"]

    for function in ("forward", "backward", "jacobian"):
        (lines,) = (lines for heading, lines in told.items() if f".{function}." in heading)
        assert re.fullmatch(rf"relu\.{function}   \[[a-z-]+\]", lines[0])
        assert lines[1].startswith("  ")
        assert len(lines[1]) > 20
        assert f"  Again: pytest {FILE} -k {function}" in lines
        assert "  More:  gradcheck hint relu" in lines
        assert all(len(line) <= 80 for line in lines)
        assert all(line.strip() for line in lines)
    for machinery in ("gradcheck/checks", "gradcheck/pytest_plugin", "site-packages", "Traceback", "CheckNotPassed"):
        assert machinery not in done.stdout
    assert "correct:" not in done.stdout

    purity = "\n".join(told["relu.forward.purity"])
    assert "changes its argument x in place" in purity
    assert ".clone()" in purity
    assert "Not checked until this holds: values, edge cases" in purity

    # A small case that can be redone by hand: one number, of one digit, each tensor with its name.
    values = told["relu.backward.values"]
    assert numbers(values) == {"x =": "1.", "grad_output =": "2.", "you returned": "1."}
    assert "differs from dC/dx at [0" in "\n".join(values)
    assert values[-1] == "  Not checked until this holds: edge cases, linearity"

    # An exception of the file shows the file's own lines, outermost first.
    raised = told["relu.jacobian.runs"]
    number = {text: at for at, text in enumerate(WRONG.splitlines(), start=1)}
    at = raised.index(f"    {FILE}:{number['    return helper(x)']} in jacobian")
    assert raised[at : at + 4] == [
        f"    {FILE}:{number['    return helper(x)']} in jacobian",
        "        return helper(x)",
        f"    {FILE}:{number['    return x.nothing_of_that_name']} in helper",
        "        return x.nothing_of_that_name",
    ]
    assert "a tensor has no nothing_of_that_name" in " ".join(raised[1:3])

    # One line each in the list at the end.
    summary = [line for line in done.stdout.splitlines() if line.startswith("FAILED ")]
    assert [line.split(" - ")[0] for line in summary] == [
        f"FAILED {FILE}::forward::purity",
        f"FAILED {FILE}::backward::values",
        f"FAILED {FILE}::jacobian::runs",
    ]

    # What the file printed is kept with the failure, in bounds.
    assert "forward saw (" in printed(done, "relu.forward.purity")
    loud = printed(done, "relu.backward.values")
    assert "backward speaks" in loud
    assert "more characters not shown" in loud
    assert len(loud) < 10_000


def test_the_answer_is_shown_on_request_only(project: Project, run_pytest: RunPytest) -> None:
    project({RELU: WRONG})
    done = run_pytest(f"{FILE}::backward", "--show-answer")
    values = numbers(messages(done)["relu.backward.values"])
    assert values == {"x =": "1.", "grad_output =": "2.", "you returned": "1.", "correct:": "2."}


def test_the_failing_call_is_printed_on_request_only(project: Project, run_pytest: RunPytest) -> None:
    project({RELU: WRONG})
    opening = "# Paste this into python, started in this folder:"
    assert opening not in run_pytest(f"{FILE}::backward").stdout
    done = run_pytest(f"{FILE}::backward", "--reproduce")
    lines = done.stdout.partition(opening)[2].partition("\n---")[0].splitlines()
    assert f'backward = run_path("{FILE}")["backward"]' in lines
    assert lines[-3:] == [
        "grad_output = torch.tensor([2.0], dtype=torch.float64)",
        "x = torch.tensor([1.0], dtype=torch.float64)",
        "print(backward(grad_output, x))",
    ]


def test_a_tuple_of_gradients_names_the_wrong_one(
    project: Project, run_pytest: RunPytest, source_of: Callable[..., str]
) -> None:
    right = source_of("04_modules/linear.py")
    wrong = right.replace("grad_output.sum(dim=0)", "grad_output.mean(dim=0)")
    assert wrong != right
    project({"04_modules/linear.py": wrong})
    lines = messages(run_pytest("exercises/04_modules/linear.py::backward"))["linear.backward.values"]
    text = " ".join(" ".join(lines).split())
    assert "grad_bias differs from dC/dbias" in text
    assert "differs from dC/dweight" not in text
    assert all(len(line) <= 80 for line in lines)
    for label in ("x =", "weight =", "bias =", "grad_output =", "grad_x:", "grad_weight:", "grad_bias:"):
        assert sum(line.strip().startswith(label) for line in lines) == 1
