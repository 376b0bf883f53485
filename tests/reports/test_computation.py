"""A failure drawn as a computation: its own numbers at the right arrows, the mark at the wrong one, never the answer."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest
import torch

from gradcheck.catalog import find_exercise
from gradcheck.checks.candidate import InProcessCandidate
from gradcheck.checks.engine import Verification
from gradcheck.checks.results import CheckResult, Counterexample, Marks
from gradcheck.classes.written import WrittenCheck, WrittenExercise, check_written, report_in
from gradcheck.grading.report import ExerciseReport
from gradcheck.reports.computation import Computation, computation_lines, computation_of, in_words
from gradcheck.reports.computation_svg import computation_svg
from gradcheck.reports.feedback import feedback_html
from gradcheck.reports.html import exercise_html
from gradcheck.reports.message import tensor_text
from gradcheck.reports.stored import check_result
from tests.checks.solutions import solution
from tests.reports.pages import Page

WIDTHS = (40, 52, 64, 80, 120)


def failures(name: str, **wrong) -> list[CheckResult]:
    exercise = find_exercise(name)
    functions = {each.spec.name: solution(name).get(each.spec.name) for each in exercise.functions}
    verification = Verification(InProcessCandidate({**functions, **wrong}), exercise.task)
    return [each for each in verification.results() if each.status in ("failed", "errored")]


def failure(name: str, **wrong) -> CheckResult:
    key = name, *wrong.values()
    if key not in FOUND:
        FOUND[key] = failures(name, **wrong)[0]
    return FOUND[key]


FOUND: dict[tuple, CheckResult] = {}


def read_back(result: CheckResult) -> CheckResult:
    """The failure as whoever reads the report has it."""
    written = msgspec.json.decode(msgspec.json.encode(check_written(result)), type=WrittenCheck)
    exercise = WrittenExercise(
        name=result.task, unit="04_modules", status="failed", score=0, max_score=1, checks=(written,)
    )
    return check_result(written, exercise)


def figures(computation: Computation) -> dict[str, tuple[str, str]]:
    """The numbers of each wire, forward and backward, as rows of text."""

    def told(figures) -> str:
        return "" if figures is None else " / ".join(" ".join(text for text, _ in line) for line in figures.grid)

    return {
        each.name: (told(each.forward), told(each.backward)) for each in (*computation.inputs, *computation.outputs)
    }


def marked(computation: Computation) -> dict[str, list[tuple[int, int]]]:
    found = {}
    for wire in (*computation.inputs, *computation.outputs):
        for each in filter(None, (wire.forward, wire.backward)):
            rows = enumerate(each.grid)
            found[wire.name] = [(down, i) for down, line in rows for i, (_, wrong) in enumerate(line) if wrong] or (
                found.get(wire.name, [])
            )
    return {name: places for name, places in found.items() if places}


def told(computation: Computation) -> str:
    lines = (text for width in WIDTHS for text, _ in computation_lines(computation, width, blocks=True))
    return "\n".join([*lines, in_words(computation), msgspec.json.encode(computation).decode()])


def two_layer_backward(grad_logits, x, params):
    right = solution("two_layer_net")["backward"](grad_logits, x, params)
    return {**right, "w_y": right["w_y"] * 1.5}


def softmax_backward(grad_output, x):
    return grad_output * torch.softmax(x, -1)


WRONG = {
    "relu": (
        {"backward": lambda grad_output, x: (x > 0).to(x.dtype)},
        {"x": ("1.", "1."), "y": ("1.", "2.")},
        {"x": [(0, 0)]},
    ),
    "add": (
        {"backward": lambda grad_output, x1, x2: (grad_output, 3 * grad_output)},
        {"x1": ("1.", "2."), "x2": ("2.", "6."), "y": ("3.", "2.")},
        {"x2": [(0, 0)]},
    ),
    "linear": (
        {"backward": lambda g, x, weight, bias: (g @ weight, (g.T @ x).tril() * 4 - (g.T @ x) * 3, g.sum(0))},
        {
            "x": ("1. 2.", "13. -8."),
            "weight": ("2. -1. / 3. -2.", "2. -12. / 3. 6."),
            "bias": ("-1. 3.", "2. 3."),
            "y": ("-1. 2.", "2. 3."),
        },
        {"weight": [(0, 1)]},
    ),
    "softmax": (
        {"backward": softmax_backward},
        {"x": ("1. 2.", "0.5379 2.193"), "y": ("0.2689 0.7311", "2. 3.")},
        {"x": [(0, 0), (0, 1)]},
    ),
    "mse": (
        {"backward": lambda g, y, y_bar: (g * (y - y_bar) / len(y), g * 2 * (y_bar - y) / len(y))},
        {"y": ("1.", "-2."), "y_bar": ("2.", "4."), "C": ("1.", "2.")},
        {"y": [(0, 0)]},
    ),
    "nll": (
        {"backward": lambda g, log_probs, labels: -g * torch.ones_like(log_probs) / len(log_probs)},
        {"log_probs": ("1. 2.", "-2. -2."), "labels": ("0", ""), "C": ("-1.", "2.")},
        {"log_probs": [(0, 1)]},
    ),
    "maximum": (
        {"backward": lambda g, x1, x2: (g * (x1 > x2), g * (x1 >= x2))},
        {"x1": ("1.", "0."), "x2": ("2.", "0."), "y": ("2.", "2.")},
        {"x2": [(0, 0)]},
    ),
    "two_layer_net": (
        {"backward": two_layer_backward},
        {
            "x": ("1.", ""),
            "w_h": ("2.", "6."),
            "b_h": ("-1.", "6."),
            "w_y": ("3.", "3."),
            "b_y": ("-2.", "2."),
            "logits": ("1.", "2."),
        },
        {"w_y": [(0, 0)]},
    ),
    "dropout": (
        {"backward": lambda grad_output, mask, p: grad_output * mask},
        {"x": ("", "2."), "mask": ("True", ""), "p": ("0.25", ""), "y": ("", "2.")},
        {"x": [(0, 0)]},
    ),
    "sigmoid": (
        {"forward": torch.tanh, "backward": None},
        {"x": ("1.", ""), "y": ("0.7616", "")},
        {"y": [(0, 0)]},
    ),
    "learning_rate": (
        {"step_decay": lambda lr, epoch, drop, every: lr * drop**epoch},
        {"lr": ("1.", ""), "epoch": ("3", ""), "drop": ("0.5", ""), "every": ("2", ""), "learning rate": ("0.125", "")},
        {"learning rate": [(0, 0)]},
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_the_numbers_are_those_of_the_case_and_the_mark_is_at_the_wrong_one(name):
    wrong, numbers, marks = WRONG[name]
    result = failure(name, **wrong)
    drawn = computation_of(result)
    assert figures(drawn) == numbers
    assert marked(drawn) == marks
    assert msgspec.convert(msgspec.json.decode(msgspec.json.encode(drawn)), Computation) == drawn
    assert computation_of(read_back(result)) == drawn
    example = result.counterexample
    right = numbers_of(example.expected)
    known = numbers_of((example.inputs, example.grad_output, example.got, example.output))
    assert not [each for each in right - known if f" {each}" in told(drawn) or f"[{each}" in told(drawn)]
    secret = replace(example, expected=changed(example.expected))
    hidden, shown = (computation_of(replace(result, counterexample=secret), show_answer=show) for show in (False, True))
    assert hidden == drawn
    assert "7531" not in told(hidden)
    assert "7531" in told(shown)
    assert {each.name for each in shown.told if each.right} == marks.keys()
    assert all(
        "correct" in "".join(text for text, _ in computation_lines(shown, width, blocks=True)) for width in WIDTHS
    )


def numbers_of(value) -> set[str]:
    if isinstance(value, dict):
        return numbers_of(list(value.values()))
    return (
        {tensor_text(value)}
        if not isinstance(value, (list, tuple))
        else {n for each in value for n in numbers_of(each)}
    )


def changed(value):
    """The same, of numbers that nothing else has."""
    if isinstance(value, dict):
        return {name: changed(each) for name, each in value.items()}
    return [changed(each) for each in value] if isinstance(value, list) else 7531.0


def test_it_is_drawn_from_left_to_right_where_there_is_room_and_else_from_above():
    drawn = computation_of(failure("relu", **WRONG["relu"][0]))
    wide = [
        ("                      ┌──────┐", ""),
        ("  x = [1.] ──────────▶│      │─ y = [1.] ──────────▶ C", ""),
        ("  your dC/dx = [1.✗] ◀│ relu │◀ grad_output = [2.] ─", "wrong"),
        ("                      └──────┘", ""),
        ("  ✗ wrong", "quiet"),
    ]
    assert computation_lines(drawn, 80, blocks=True) == wide
    narrow = [
        ("  v x = [1.]", ""),
        ("  ^ your dC/dx = [1.X]", "wrong"),
        ("  +------+", ""),
        ("  | relu |", ""),
        ("  +------+", ""),
        ("  v y = [1.]", ""),
        ("  ^ grad_output = [2.]", ""),
        ("  C", ""),
        ("  X wrong", "quiet"),
    ]
    assert computation_lines(drawn, 40, blocks=False) == narrow
    assert in_words(drawn) == (
        "x = [1.] goes into relu, which gives y = [1.]; "
        "on the way back grad_output = [2.] and your dC/dx = [1. (wrong)]"
    )


def linear_case(got, marks, **more) -> CheckResult:
    inputs = {"x": [[0.5] * 6] * 5, "weight": [[1.0] * 6] * 13, "bias": [-123.456] * 13}
    example = Counterexample(inputs, got, [[2.0] * 13] * 5, marks=marks, **more)
    return CheckResult("linear", "backward", "values", "failed", counterexample=example)


GRADIENTS = {"grad_x": [[1.25] * 6] * 5, "grad_weight": [[-0.125] * 6] * 13, "grad_bias": [0.001234] * 13}


@pytest.mark.parametrize("width", range(40, 121, 4))
@pytest.mark.parametrize("blocks", [True, False])
def test_it_fits_whatever_the_width(width, blocks):
    cases = [failure(name, **WRONG[name][0]) for name in ("softmax", "two_layer_net")] if width == 40 else []
    marks = Marks(((0, 1), (2, 3)), 2, 30, ("grad_x",), "dC/dx")
    for result in (*cases, linear_case(GRADIENTS, marks)):
        drawn = computation_of(result)
        lines = computation_lines(drawn, width, blocks=blocks)
        assert max(len(text) for text, _ in lines) <= width
        text = "\n".join(text for text, _ in lines)
        assert blocks or text.isascii()
        assert text.count("✗" if blocks else "X") == 1 + sum(map(len, marked(drawn).values()))
        assert {kind for _, kind in lines} == {"", "wrong", "quiet"}


def test_of_what_is_large_the_beginning_is_drawn_if_something_there_is_wrong():
    near, far = (Marks((place,), 1, 30, ("grad_x",), "dC/dx") for place in ((2, 3), (4, 5)))
    drawn = computation_of(linear_case(GRADIENTS, near))
    assert marked(drawn) == {"x": [(2, 3)]}
    assert "1.25✗, …],\n" in "\n".join(text for text, _ in computation_lines(drawn, 120, blocks=True))
    assert "[0.001234, 0.001234, 0.001234, 0.001234, 0.001234, 0.001234, …]" in in_words(drawn)
    assert [wire.name for wire in drawn.inputs if wire.unjudged] == ["weight", "bias"]
    assert "not compared yet: dC/dweight and dC/dbias" in in_words(drawn)
    assert computation_of(linear_case(GRADIENTS, far)) is None


def test_a_gradient_of_another_shape_is_marked_as_a_whole():
    found = failure("linear", backward=lambda g, x, weight, bias: (g @ weight, g.T @ x, g))
    assert found.check == "shape"
    drawn = computation_of(found)
    assert marked(drawn) == {"bias": [(0, 0), (0, 1), (1, 0), (1, 1)]}
    assert "the gradient by bias is 2 × 2, bias itself 2 entries" in in_words(drawn)
    assert "2 x 2" in "".join(text for text, _ in computation_lines(drawn, 80, blocks=False))


def test_the_output_is_told_only_where_the_learners_forward_holds():
    wrong = WRONG["softmax"][0]
    held, unheld = failures("softmax", **wrong), failures("softmax", **wrong, forward=lambda x: x)
    outputs = {each.id: each.counterexample.output for each in (*held, *unheld) if each.counterexample}
    assert outputs.pop("softmax.backward.values") is None  # of the second, whose forward is wrong
    (backward,) = (each for each in held if each.function == "backward")
    assert backward.counterexample.output == [pytest.approx([0.26894142, 0.73105858])]
    assert set(outputs.values()) == {None}
    (drawn,) = (computation_of(each) for each in unheld if each.function == "backward")
    assert drawn.outputs[0].forward is None
    assert "0.7311" not in told(drawn)


def test_what_is_no_computation_of_a_few_numbers_is_not_drawn():
    marks = Marks(((0,),), 1, 1)
    relu = CheckResult("relu", "backward", "values", "failed")
    case = Counterexample({"x": [1.0]}, [3.0], [2.0], marks=marks)
    assert computation_of(replace(relu, counterexample=case)) is not None
    for without in (
        relu,
        replace(relu, counterexample=replace(case, got=None)),
        replace(relu, counterexample=replace(case, marks=None)),
        replace(relu, counterexample=replace(case, grad_output=None)),
        replace(relu, counterexample=replace(case, inputs={"x": [[[1.0]]]})),
        replace(relu, counterexample=replace(case, inputs={"x": []})),
        replace(relu, counterexample=replace(case, inputs={"x": [["a"]]})),
        replace(relu, counterexample=replace(case, inputs={"x": {"y": {"z": 1.0}}})),
        replace(relu, counterexample=replace(case, got={"other": [3.0]}, marks=replace(marks, parts=("other",)))),
        replace(relu, counterexample=case, status="errored"),
        replace(relu, counterexample=case, check="purity"),
        replace(relu, counterexample=case, function="jacobian"),
        replace(relu, counterexample=case, function="nothing"),
        replace(relu, counterexample=case, task="nothing"),
    ):
        assert computation_of(without) is None
    hostile = replace(
        case, inputs={"x": [1.0], "\x1b[31m": [2.0]}, marks=replace(marks, parts=("x",)), got={"x": ["NaN"]}
    )
    lines = computation_lines(computation_of(replace(relu, counterexample=hostile)), 40, blocks=True)
    assert ("  ▲ your dC/dx = [NaN✗]", "wrong") in lines
    assert not [text for text, _ in lines if "\x1b" in text]


class Drawn(Page):
    """A page with the places of everything in its drawings."""

    closed = frozenset({"rect", "circle", "path"})
    void = frozenset({"meta"})

    def handle_starttag(self, tag, attrs):
        super().handle_starttag(tag, attrs)
        if tag == "svg" and not hasattr(self, "titles"):
            self.titles = []

    def handle_data(self, data):
        super().handle_data(data)
        if self.open[-2:] == ["svg", "title"]:
            self.titles.append(data)

    def all(self, tag: str, kind: str = "") -> list[dict[str, str]]:
        return [a for t, a in self.tags if t == tag and (not kind or a.get("class") == kind)]


def notebook(result: CheckResult, **how) -> str:
    return exercise_html(ExerciseReport(find_exercise(result.task), (result,)), **how)


@pytest.mark.parametrize("name", WRONG)
def test_a_page_draws_it_with_the_same_words_and_marks(name):
    result = failure(name, **WRONG[name][0])
    drawn = computation_of(result)
    page = Drawn(notebook(result))
    (svg,) = page.all("svg")[:1]
    assert (svg["role"], svg["aria-label"], page.titles[:1]) == ("img", in_words(drawn), [in_words(drawn)])
    assert len(page.all("g", "c-wrong")) == sum(map(len, WRONG[name][2].values()))
    assert len(page.all("path", "c-there")) == len(drawn.inputs) + len(drawn.outputs)
    assert len(page.all("path", "c-back")) == len([each for each in (*drawn.inputs, *drawn.outputs) if each.backward])
    expected = changed(result.counterexample.expected)
    secret = replace(result, counterexample=replace(result.counterexample, expected=expected))
    assert notebook(secret) == notebook(result)
    shown = notebook(secret, show_answer=True)
    assert len(Drawn(shown).all("g", "c-right")) == 1
    assert "7531" in shown


def test_nothing_of_it_lies_outside():
    near = Marks(((2, 3),), 1, 30, ("grad_x",), "dC/dx")
    for result in (linear_case(GRADIENTS, near), failure("two_layer_net", **WRONG["two_layer_net"][0])):
        made = computation_svg(computation_of(result))
        for column in made["columns"]:
            for wire in column["wires"]:
                top = column["y"] + wire["y"]
                assert 0 <= top
                assert top + wire["height"] <= made["height"]
                for part in wire["shown"]:
                    assert part["x"] + part["width"] <= column["width"]
                    assert all(each["x"] + each["width"] <= part["width"] for each in part["cells"])
                    assert part["y"] + part["height"] <= wire["height"]
            assert column["x"] + column["width"] <= made["width"]


def test_a_vector_goes_on_in_the_next_line_and_a_row_of_a_matrix_does_not():
    def lines(value) -> int:
        case = Counterexample(
            {"x": value}, value, value, marks=Marks(((0,) * (1 + isinstance(value[0], list)),), 1, 12)
        )
        made = computation_svg(computation_of(CheckResult("relu", "backward", "values", "failed", counterexample=case)))
        return len({cell["y"] for cell in made["columns"][0]["wires"][0]["shown"][0]["cells"]})

    assert lines([1.0] * 12) == 3
    assert lines([[1.0] * 6] * 2) == 2


def test_feedback_draws_it_from_the_report_and_a_name_of_anybodys_is_text():
    hostile = "<b>'\"&{{ 7 * 7 }}\x1b"
    marks = Marks(((0,),), 1, 1)
    case = Counterexample({"x": [1.0], hostile: [2.0]}, [3.0], [2.0], marks=marks, output=[1.0])
    relu = CheckResult("relu", "backward", "values", "failed", "it is wrong", counterexample=case)
    exercise = WrittenExercise(
        name="relu", unit="04_modules", status="failed", score=0, max_score=1, checks=(check_written(relu),)
    )
    plain = {"schema": "gradcheck/report/v1", "submission": "ada", "score": 0, "max_score": 1}
    report = report_in({**plain, "exercises": [msgspec.to_builtins(exercise)]})
    page = Drawn(feedback_html(report))
    assert len(page.all("g", "c-wrong")) == 1
    assert page.all("b") == []
    assert "{{ 7 * 7 }}" in page.all("svg")[0]["aria-label"]
    assert "y = [1.]" in page.all("svg")[0]["aria-label"]
    assert len(Drawn(notebook(relu)).all("g", "c-wrong")) == 1
    assert Drawn(notebook(relu)).all("b") == []
