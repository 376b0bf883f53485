"""`not_started` is said of a stub only; whatever else comes to a `raise NotImplementedError` is told which, and where."""

from __future__ import annotations

import pytest

from gradcheck.catalog import find_exercise
from gradcheck.checks.engine import Verification
from gradcheck.checks.results import CheckResult
from gradcheck.grading.execute import execute
from gradcheck.grading.report import ExerciseReport

STUB = 'def forward(x):\n    """y."""\n    # TODO: your code here\n    raise NotImplementedError("forward is not written yet")\n'
RIGHT = "def forward(x):\n    return torch.softmax(x, -1)\n"
BACKWARD = "def backward(grad_output, x):\n    y = {call}\n    return y * (grad_output - (grad_output * y).sum(-1, keepdim=True))\n"
LATER = "def backward(grad_output, x):\n    raise NotImplementedError\n"


def results(source: str, exercise: str = "softmax") -> dict[str, CheckResult]:
    """What the checks say of a file, by function: of the first check that does not pass."""
    candidate = execute(f"import torch\n{source}".encode(), f"unwritten_{abs(hash(source))}", "file.py", "file.py", 10)
    task = find_exercise(exercise).task
    verification = Verification(candidate, task, shrink=False)
    found = {}
    for spec in task.functions:
        told = [verification.result(spec.name, check) for check in spec.checks]
        found[spec.name] = next((each for each in told if not each.ok), told[-1])
    return found


@pytest.mark.parametrize(
    "source",
    [
        STUB,
        "def forward(x):\n    raise NotImplementedError\n",
        "def forward(x):\n    'y'\n    ...\n    pass\n    raise NotImplementedError()\n",
        f"def helper(x):\n    return x\n\n{STUB}",
        "def stub(x):\n    raise NotImplementedError\n\nforward = stub\n",
        f"def wrapped(function):\n    return lambda *given: function(*given)\n\n@wrapped\n{STUB}",
    ],
)
def test_a_stub_is_not_started(source: str) -> None:
    told = results(source + LATER)
    assert {each.status for name, each in told.items() if name != "jacobian"} == {"not_started"}


TOLD = {
    "code below": (
        STUB + "    return torch.softmax(x, -1)\n",
        "forward",
        "the line `raise NotImplementedError` (line 5) still stands above your code; delete it",
    ),
    "code above": (
        "def forward(x):\n    y = torch.softmax(x, -1)\n    raise NotImplementedError\n",
        "forward",
        "your code goes on to `raise NotImplementedError` (line 4); return the result there",
    ),
    "a branch": (
        "def forward(x):\n    if x.ndim > 1:\n        raise NotImplementedError('a batch')\n    return torch.softmax(x, -1)\n",
        "forward",
        "forward comes to `raise NotImplementedError` (line 4) for these inputs",
    ),
    "two definitions": (
        f"{RIGHT}\n\n{STUB}",
        "forward",
        (
            "forward is written on line 2 and defined again below, with the line `raise NotImplementedError` (line 9); "
            "Python takes the last definition, so delete that one"
        ),
    ),
    "calls a stub": (
        STUB + BACKWARD.format(call="forward(x)"),
        "backward",
        "backward calls forward (line 7), which is not written yet",
    ),
    "by way of a helper": (
        STUB + BACKWARD.format(call="stable(x)") + "def stable(x):\n    return forward(x)\n",
        "backward",
        "backward calls forward by way of stable (line 10), which is not written yet",
    ),
    "in a comprehension": (
        STUB + BACKWARD.format(call="torch.stack([forward(row) for row in x])"),
        "backward",
        "backward calls forward (line 7), which is not written yet",
    ),
    "in a lambda": (
        STUB + "apply = lambda f, x: f(x)\n" + BACKWARD.format(call="apply(forward, x)"),
        "backward",
        "backward calls forward (line 8), which is not written yet",
    ),
    "calls what has code below": (
        STUB + "    return torch.softmax(x, -1)\n" + BACKWARD.format(call="forward(x)"),
        "backward",
        (
            "backward calls forward (line 8), where the line `raise NotImplementedError` (line 5) still stands above the "
            "code; delete that line"
        ),
    ),
    "a method": (
        "class S:\n    def forward(self, x):\n        raise NotImplementedError\n\ndef forward(x):\n    return S().forward(x)\n",
        "forward",
        "forward calls S.forward (line 7), which is not written yet",
    ),
    "when it is loaded": (
        STUB + "print(forward(torch.ones(3)))\n",
        "forward",
        (
            "file.py calls forward when it is loaded (line 6), and forward is not written yet; nothing in it was graded; mend "
            "it and run again"
        ),
    ),
    "outside of functions": (
        "raise NotImplementedError\n",
        "forward",
        (
            "file.py holds `raise NotImplementedError` outside of its functions (line 2); nothing in it was graded; mend it "
            "and run again"
        ),
    ),
}


@pytest.mark.parametrize(("source", "function", "sentence"), TOLD.values(), ids=TOLD)
def test_what_is_begun_is_told_which_line_and_which_function(source: str, function: str, sentence: str) -> None:
    told = results(source)[function]
    assert told.status == "errored"
    assert told.message == sentence
    assert told.code == ("raised" if sentence.startswith("file.py") else "unfinished")
    assert told.lines
    assert told.lines[0].startswith("file.py:")
    assert (told.counterexample is not None) == sentence.endswith("for these inputs")


def test_what_other_functions_are_is_not_touched_by_it() -> None:
    told = results(STUB + BACKWARD.format(call="torch.softmax(x, -1)") + "def jacobian(x):\n    return forward(x)\n")
    assert [told[name].status for name in ("forward", "backward", "jacobian")] == ["not_started", "passed", "errored"]


@pytest.mark.parametrize(
    ("exercise", "written", "called"),
    [("training_loop", "train", "train_step"), ("inference", "accuracy", "predict")],
)
def test_exercises_whose_functions_build_on_each_other(exercise: str, written: str, called: str) -> None:
    specs = {graded.spec.name: graded.spec for graded in find_exercise(exercise).functions}
    source = ""
    for name, spec in specs.items():
        taken = ", ".join(spec.parameters)
        body = (
            f"return {called}({', '.join(specs[called].parameters)})"
            if name == written
            else "raise NotImplementedError"
        )
        source += f"def {name}({taken}):\n    {body}\n"
    told = results(source, exercise)
    assert {name: each.status for name, each in told.items() if name != written} == dict.fromkeys(
        specs.keys() - {written}, "not_started"
    )
    assert told[written].status == "errored"
    assert told[written].message.startswith(f"{written} calls {called} (line ")
    assert told[written].message.endswith("), which is not written yet")


@pytest.mark.parametrize("place", ["function", "file"])
def test_what_torch_lacks_is_torchs_own_error(place: str) -> None:
    lacking = "torch.softmax(torch.tensor([1, 2]), 0)"
    source = f"def forward(x):\n    return {lacking}\n" if place == "function" else f"y = {lacking}\n{STUB}"
    told = results(source)["forward"]
    assert (told.status, told.code) == ("errored", "raised")
    assert "NotImplementedError" in told.message
    assert "not implemented for 'Long'" in told.message


def test_an_exercise_of_which_a_part_is_unfinished_is_no_untouched_one() -> None:
    told = results(STUB + BACKWARD.format(call="forward(x)") + "def jacobian(x):\n    raise NotImplementedError\n")
    report = ExerciseReport(find_exercise("softmax"), tuple(told.values()))
    assert (report.status, report.score) == ("errored", 0)
