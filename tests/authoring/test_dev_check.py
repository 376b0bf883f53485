"""`gradcheck dev check` refuses every kind of defect, says the remedy, and has nothing against what is in order."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

import numpy as np
import pytest

from gradcheck.authoring.dev_check.graded import _WrongAnswers
from gradcheck.catalog.exercise import Misconception
from gradcheck.checks.engine import Verification
from gradcheck.checks.task import Confusion, FunctionSpec, Property, Reference
from gradcheck.checks.trials import Bench
from gradcheck.grading.load import load_candidate
from tests.authoring.planted_exercise import planted

pytestmark = pytest.mark.outside


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("expected")


@pytest.fixture
def exercise(request, tmp_path, cache):
    return planted(getattr(request, "param", "add"), tmp_path, cache)


@pytest.mark.parametrize("exercise", ["add", "relu", "one_hot", "minibatches"], indirect=True)
def test_nothing_is_wrong_with_an_exercise_of_the_catalog(exercise):
    verdict = exercise.verdict(quick=False)
    assert verdict.problems == ()
    assert verdict.refused >= 3


# What is seen without grading wrong answers: the exercise, what is planted, cause and remedy.


def _graded(index, **changes):
    def plant(e):
        functions = list(e.exercise.functions)
        functions[index] = replace(functions[index], **changes)
        e.record(functions=tuple(functions))

    return plant


def _hint(number, text):
    def plant(e):
        hints = list(e.exercise.hints)
        hints[number - 1] = text
        e.record(hints=tuple(hints))

    return plant


def _about(**changes):
    return lambda e: e.record(about=replace(e.exercise.about, **changes))


def _misconception(text="you took the square", code="wrong-function", function="forward", think=""):
    def plant(e):
        mistake = Misconception(function, code, text, lambda *x: x[-1] * 3, think)
        e.record(misconceptions=(*e.exercise.misconceptions, mistake))

    return plant


@dataclass(frozen=True)
class _Knotted(FunctionSpec):
    """Checks that wait for each other, or for one that is not there."""

    knots: tuple[tuple[str, str], ...] = ()

    def prerequisite(self, check):
        return dict(self.knots).get(check, super().prerequisite(check))


def _knotted(*knots):
    def plant(e):
        spec = e.exercise.functions[0].spec
        known = {name: getattr(spec, name) for name in FunctionSpec.__dataclass_fields__}
        _graded(0, spec=_Knotted(**known, knots=knots))(e)

    return plant


def _moved(e):
    target = e.root / "solutions" / "05_losses" / "add.py"
    target.parent.mkdir()
    e.file("solutions").rename(target)


REFUSED = [
    # Files.
    (
        "a stub that is solved",
        "add",
        lambda e: e.edit("exercises", 'raise NotImplementedError("forward is not written yet")', "return x1 + x2"),
        r"exercises/04_modules/add\.py: forward is already solved: its body is more than NotImplementedError",
        r"gradcheck stubs add --force",
    ),
    (
        "a stub without a TODO",
        "add",
        lambda e: e.edit("exercises", "    # TODO: your code here\n", ""),
        r"exercises/.*: forward and backward have no # TODO",
        r"gradcheck stubs add --force",
    ),
    (
        "a stub that has moved on",
        "add",
        lambda e: e.edit("exercises", "shaped like both", "shaped like x1"),
        r"exercises/.*: it is not what its solution gives, from line 13 on",
        r"gradcheck stubs add --force",
    ),
    (
        "a missing stub",
        "add",
        lambda e: e.file("exercises").unlink(),
        r"exercises/04_modules/add\.py: there is no such file",
        r"gradcheck stubs add$",
    ),
    (
        "a missing solution",
        "add",
        lambda e: e.file("solutions").unlink(),
        r"solutions/04_modules/add\.py: there is no such file",
        r"write it, with forward\(x1, x2\) and backward\(grad_output, x1, x2\)",
    ),
    (
        "a stub that is no Python",
        "add",
        lambda e: e.edit("exercises", "def forward(", "def forward("[:-1]),
        r"exercises/.*: Python cannot read it: .*, line 12",
        r"gradcheck stubs add --force",
    ),
    (
        "a solution that is no Python",
        "add",
        lambda e: e.edit("solutions", "return x1 + x2", "return x1 +"),
        r"solutions/.*: Python cannot read it: .*, line 10",
        r"mend it",
    ),
    (
        "a solution that is no text",
        "add",
        lambda e: e.file("solutions").write_bytes(b"\xff\xfe"),
        r"solutions/.*: it cannot be read: it is not UTF-8 text",
        r"mend it",
    ),
    (
        "a function under another name",
        "add",
        lambda e: (e.edit("solutions", "def backward(", "def backwards("), e.edit("exercises", "\n\ndef backward", "")),
        r"solutions/.*: there is no function backward",
        r"define it as the record asks for it: def backward\(grad_output, x1, x2\)",
    ),
    (
        "a solution with another signature",
        "add",
        lambda e: e.edit("solutions", "def forward(x1: Tensor, x2: Tensor)", "def forward(x2: Tensor, x1: Tensor)"),
        r"solutions/.*: forward is defined as forward\(x2: Tensor, x1: Tensor\), but the record asks for forward\(x1, x2\)",
        r"let the two agree",
    ),
    (
        "a stub with another signature",
        "add",
        lambda e: e.edit("exercises", "def forward(x1: Tensor, x2: Tensor)", "def forward(*x1, x2)"),
        r"exercises/.*: forward is defined as forward\(\*x1, x2\)",
        r"let the two agree",
    ),
    (
        "a function without a docstring",
        "add",
        lambda e: e.edit("solutions", '    """y = x1 + x2, shaped like both."""\n', ""),
        r"solutions/.*: forward has no docstring",
        r"with shapes",
    ),
    (
        "a solution without a docstring",
        "add",
        lambda e: e.edit("solutions", '"""The sum of two', '# """The sum of two'),
        r"solutions/.*: it has no docstring",
        r"begin it with the definition",
    ),
    # The record by itself.
    ("no statement", "add", _about(statement=" "), r"its statement is not written yet", r"write it: what the lecture"),
    ("a purpose to be written", "add", _about(purpose="TODO: why"), r"its purpose is not written yet", r"one sentence"),
    ("no idea", "add", _about(idea=""), r"its idea is not written yet", r"write it: the idea"),
    ("a long statement", "add", _about(statement="so " * 167), r"its statement has 501 char", r"in at most 500"),
    ("a long purpose", "add", _about(purpose="so " * 54), r"its purpose has 162 characters", r"in at most 160"),
    ("a long idea", "add", _about(idea="so " * 81), r"its idea has 243 characters", r"in at most 240"),
    ("a purpose of two lines", "add", _about(purpose="Adds.\nAdds."), r"its purpose has 11 char", r"on one line"),
    (
        "a statement with the solution's code",
        "relu",
        _about(statement="It is grad_output*(x > 0)."),
        r"its statement gives the answer away: grad_output \* \(x > 0\)",
        r"not how it is differentiated",
    ),
    (
        "a purpose with the derived formula",
        "squared_error",
        _about(purpose="It gives g (2 y_j − 2ȳ_j)."),
        r"its purpose gives the answer away: g \(2 y_j − 2 ȳ_j\)",
        r"not how it is differentiated",
    ),
    (
        "a statement with a derivative",
        "tanh",
        _about(statement="The slope: dy/dx = 1 − y²."),
        r"its statement gives the answer away: dy/dx = 1 − y²",
        r"not how it is differentiated",
    ),
    (
        "a name that torch has not",
        "add",
        _about(torch=("torch.nn.functional.sofmax",)),
        r"there is no torch\.nn\.functional\.sofmax",
        r"torch's own name",
    ),
    ("a name of no torch", "add", _about(torch=("numpy.add",)), r"there is no numpy\.add", r"torch's own name"),
    ("a module for a name", "add", _about(torch=("torch.nn",)), r"there is no torch\.nn", r"torch's own name"),
    ("no minutes", "add", _about(minutes=0), r"it takes 0 minutes", r"5 to 90 minutes"),
    ("a day", "add", _about(minutes=480), r"it takes 480 minutes", r"5 to 90 minutes"),
    ("no difficulty", "add", _about(difficulty=0), r"its difficulty is 0", r"say 1, 2 or 3"),
    ("two hints", "add", lambda e: e.record(hints=e.exercise.hints[:2]), r"hint 3 of 3 is missing", r"derivation"),
    ("an empty hint", "add", _hint(1, "  "), r"hint 1 of 3 is missing", r"write it: a question that leads on"),
    ("a hint to be written", "add", _hint(2, "TODO: the idea"), r"hint 2 is still a TODO", r"write it: the idea"),
    ("a long hint", "add", _hint(2, "so " * 101), r"hint 2 has 302 characters", r"in at most 300"),
    (
        "a fourth hint",
        "add",
        lambda e: e.record(hints=(*e.exercise.hints, "And so on.")),
        r"only 3 of its 4 hints are ever shown",
        r"join or drop",
    ),
    (
        "a hint with the solution's code",
        "relu",
        _hint(2, "Return grad_output*(x > 0) at last."),
        r"hint 2 gives the answer away: grad_output \* \(x > 0\)",
        r"lead there",
    ),
    (
        "a hint with the derived formula",
        "squared_error",
        _hint(2, "grad_y is g (2 y_j − 2ȳ_j)."),
        r"hint 2 gives the answer away: g \(2 y_j − 2 ȳ_j\)",
        r"lead there",
    ),
    (
        "no last hint",
        "one_hot",
        lambda e: e.record(formula=""),
        r"the last hint has no formula, and none is derived",
        r"write the record's `formula`",
    ),
    ("a formula to be written", "one_hot", lambda e: e.record(formula="TODO"), r"still a TODO", r"write it"),
    ("no points", "add", _graded(0, points=0), r"forward is worth 0 points", r"points above 0"),
    ("points less than none", "add", _graded(1, points=-2), r"backward is worth -2 points", r"points above 0"),
    ("points without measure", "add", _graded(1, points=float("nan")), r"backward is worth nan", r"points above 0"),
    ("no title", "add", lambda e: e.record(title=" "), r"it has no title yet", r"write one"),
    (
        "an unknown code",
        "add",
        _misconception(code="wrong-idea"),
        r"the unknown code wrong-idea",
        r"docs/diagnoses\.md",
    ),
    (
        "a misconception of nothing",
        "add",
        _misconception(function="forwards"),
        r"is about forwards, which is not asked for",
        r"choose from forward, backward",
    ),
    (
        "a misconception that shouts",
        "add",
        _misconception("You took the square."),
        r"'You took the square\.' is not in the form",
        r"no full stop",
    ),
    ("a misconception to be written", "add", _misconception("TODO"), r"'TODO' is not written yet", r"one sentence"),
    (
        "a misconception that tells the answer",
        "relu",
        _misconception("you forgot that it is grad_output * (x > 0)"),
        r"gives the answer away: grad_output \* \(x > 0\)",
        r"say what was done",
    ),
    (
        "a thought that tells the answer",
        "relu",
        _misconception(think="Is it not torch.clamp(x, min=0)?"),
        r"gives the answer away: torch\.clamp\(x, min=0\)",
        r"say what was done",
    ),
    # Checks that cannot run, or cannot fail.
    (
        "a check of a name that is taken",
        "add",
        lambda e: e.spec("forward", properties=(Property("values", lambda _ask: None),)),
        r"forward has 2 checks called values: only one of them can ever run",
        r"another name",
    ),
    (
        "a check that waits for itself",
        "add",
        _knotted(("values", "edge_cases")),
        r"forward\.values never runs: it waits for itself \(values → edge_cases → values\)",
        r"runs before it",
    ),
    (
        "a check that waits for nothing",
        "add",
        _knotted(("values", "virtue")),
        r"forward\.values never runs: virtue, which it waits for, is no check of forward",
        r"runs before it",
    ),
    (
        "a Jacobian without a backward",
        "relu",
        lambda e: e.spec("backward", role="forward"),
        r"jacobian\.agrees_with_backward can never fail: the exercise asks for no backward",
        r"alone=True",
    ),
    (
        "a reference of nothing",
        "one_hot",
        lambda e: e.spec("one_hot", reference=Reference(draw=dict)),
        r"no result of one_hot can be wrong",
        r"give it one",
    ),
    (
        "no operator",
        "add",
        lambda e: e.record(operator=None, formula="dC/dx = g"),
        r"forward belongs to no operator and has no reference",
        r"name its operator",
    ),
    (
        "a Jacobian by nothing",
        "relu",
        lambda e: e.spec("jacobian", wrt="z"),
        r"jacobian differentiates by 'z'",
        r"choose from x",
    ),
    (
        "two functions of one name",
        "relu",
        lambda e: e.record(functions=(*e.exercise.functions, e.exercise.functions[0])),
        r"2 functions are called forward",
        r"a name of its own",
    ),
]

REFUSED_BY_GRADING = [
    (
        "a solution that is wrong",
        "add",
        lambda e: e.edit("solutions", "return x1 + x2", "return x1 - x2"),
        r"solutions/.*: the solution fails forward\.values: ",
        r"pytest solutions/04_modules/add\.py -k forward\); wrong answers are graded once it passes",
    ),
    (
        "a solution that is not written",
        "add",
        lambda e: e.edit("solutions", "return x1 + x2", "raise NotImplementedError"),
        r"solutions/.*: forward is not written yet",
        r"write them",
    ),
    (
        "a solution that cannot be loaded",
        "add",
        lambda e: e.edit("solutions", "def forward", "assert False\n\n\ndef forward"),
        r"solutions/04_modules/add\.py raised AssertionError when it was loaded",
        r"mend it",
    ),
    (
        "a wrong torch function",
        "add",
        lambda e: e.record(operator=replace(e.exercise.operator, function=lambda x1, x2: x1 + 2 * x2)),
        r"gradcheck/catalog/add\.py: add: the derived formula and forward disagree",
        r"nothing can be graded before",
    ),
    (
        "a torch function that is not written",
        "add",
        lambda e: e.record(operator=replace(e.exercise.operator, function=lambda *_: _not_yet())),
        r"the torch function of its operator is not written yet: later",
        r"mend the formula",
    ),
    (
        "a wrong second opinion",
        "one_hot",
        lambda e: e.spec(
            "one_hot", reference=replace(_reference(e), opinion=lambda labels, n: 1 - labels[:, None] * n)
        ),
        r"one_hot: the reference and its second opinion disagree",
        r"mend the formula",
    ),
    (
        "a record that raises",
        "one_hot",
        lambda e: e.spec("one_hot", reference=replace(_reference(e), draw=lambda _draw: {}["labels"])),
        r"KeyError came up while it was checked \(.*, line \d+\): 'labels'",
        r"mend the record there",
    ),
]


def _reference(e):
    return e.exercise.functions[0].spec.reference


def _not_yet():
    raise NotImplementedError("later")


def parametrised(rows):
    parameters = [pytest.param(*row[1:], id=row[0]) for row in rows]
    return pytest.mark.parametrize(("exercise", "plant", "cause", "remedy"), parameters, indirect=["exercise"])


@parametrised(REFUSED)
def test_a_defect_is_refused_with_cause_and_remedy(exercise, plant, cause, remedy):
    assert exercise.told_unrun() == []
    plant(exercise)
    told = exercise.told_unrun()
    assert any(re.search(f"{cause}.* -> .*{remedy}", each) for each in told), "\n".join(told)
    assert len(told) <= 2


@parametrised(REFUSED_BY_GRADING)
def test_what_grading_shows_is_refused_with_cause_and_remedy(exercise, plant, cause, remedy):
    plant(exercise)
    (told,) = exercise.told()
    assert re.search(f"{cause}.* -> .*{remedy}", told), told


def test_a_check_that_passes_although_nothing_is_written_is_found_by_grading(exercise):
    path = exercise.file("exercises")
    path.write_text(path.read_text() + "\n\nforward = Tensor.add\n")
    drifted, passed = exercise.told()
    assert "not what its solution gives" in drifted
    assert "forward.runs, forward.type, forward.shape and 4 more of the stub pass" in passed


def test_all_problems_are_told_in_one_run(exercise):
    exercise.record(title="", hints=()).edit("solutions", "return x1 + x2", "return x1 - x2")
    exercise.file("exercises").unlink()
    told = "\n".join(exercise.told())
    for each in ("no title", "hint 1", "hint 2", "hint 3", "there is no such file", "fails forward.values"):
        assert each in told


# Wrong answers.


@pytest.mark.parametrize("exercise", ["relu"], indirect=True)
def test_a_mutant_that_survives_is_told_with_what_is_wrong_with_it(exercise, monkeypatch, tmp_path):
    drawn = Bench.drawn

    def positive(self, case):
        return drawn(self, replace(case, kind=lambda *given: np.abs(case.kind(*given)) + 1))

    monkeypatch.setattr(Bench, "drawn", positive)
    exercise.cache = tmp_path / "expected"
    told = exercise.told(quick=False)
    missing = "a wrong backward passes every check: the gradient of x has no mask: what the forward pass holds back"
    assert any(missing in each for each in told), told
    # The stub names the hard inputs that are drawn, and other ones are drawn here.
    wanted = ("passes every check", "fail", "it is not what its solution gives")
    assert all(any(words in each for words in wanted) for each in told), told
    assert any("draw inputs, cotangents or edges on which the mistake shows" in each for each in told)


def test_a_misconception_that_is_right_or_does_not_run_is_refused(exercise):
    right = Misconception("forward", "wrong-function", "you added in the other order", lambda x1, x2: x2 + x1)
    broken = Misconception("forward", "wrong-function", "you took a root", lambda x1, _x2: x1.root())
    told = exercise.record(misconceptions=(right, broken)).told(quick=False)
    assert len(told) == 2
    assert "the misconception 'you added in the other order' passes every check of forward" in told[0]
    assert "the misconception 'you took a root' fails without a result" in told[1]


def _ignoring(ask):
    ask.value(ask.tensor([1.0]), ask.tensor([2.0]))


@pytest.mark.parametrize("holds", [lambda _ask: None, _ignoring], ids=["asks nothing", "does not look"])
def test_a_check_that_nothing_makes_fail_is_refused(exercise, holds):
    (told,) = exercise.spec("forward", properties=(Property("virtue", holds),)).told(quick=False)
    assert "nothing makes forward.virtue fail" in told
    assert "points would be given for nothing" in told


def test_a_confusion_that_is_within_the_tolerance_is_refused(exercise):
    nearly = Confusion("order", "transposed", "it is transposed", lambda right: right * (1 + 2**-52))
    (told,) = exercise.spec("forward", confusions=(nearly,)).told(quick=False)
    assert "nothing makes forward.order fail" in told


def test_wrong_answers_wait_for_the_solution(exercise):
    exercise.edit("solutions", "return x1 + x2", "return x1 - x2")
    assert exercise.verdict(quick=False).refused == 0


# What the grader itself fails on is neither in order nor a wrong answer that was refused.


def _fails_at(monkeypatch, function, check):
    plain = Verification.result

    def result(self, *wanted):
        found = plain(self, *wanted)
        failing = wanted == (function, check)
        return replace(found, status="ungraded", message="the references disagree") if failing else found

    monkeypatch.setattr(Verification, "result", result)


def test_a_solution_that_cannot_be_graded_is_a_problem_of_the_record(exercise, monkeypatch):
    _fails_at(monkeypatch, "backward", "values")
    found = [each for each in exercise.verdict(quick=True).problems if "grader" in each.cause]
    assert [(each.where, each.cause) for each in found] == [
        ("gradcheck/catalog/add.py", "the grader itself fails at backward.values: the references disagree")
    ]
    assert found[0].remedy.startswith("mend the record")


def test_a_wrong_answer_that_cannot_be_graded_is_no_survivor(exercise, monkeypatch):
    functions = load_candidate(exercise.exercise, exercise.root / "solutions" / exercise.exercise.path).functions
    wrong = _WrongAnswers(exercise.exercise, functions, exercise.cache)
    _fails_at(monkeypatch, "backward", "runs")
    found = [cause for cause, _ in wrong.problems() if "backward" in cause]
    assert found
    assert all(cause.startswith("the grader itself fails at a wrong backward") for cause in found)
