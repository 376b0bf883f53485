"""Pictures of matrices in the terminal: what is drawn where, at every width, and never the expected numbers."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
import torch

from gradcheck.catalog import all_exercises, find_exercise
from gradcheck.checks.candidate import InProcessCandidate
from gradcheck.checks.engine import Verification
from gradcheck.checks.results import CheckResult, Counterexample, Marks, where_of
from gradcheck.classes.written import case_written
from gradcheck.reports.heatmap import (
    draw_panel,
    jacobian_picture,
    notes,
    painted,
    picture_lines,
    picture_of,
)
from gradcheck.reports.ink import BLOCKS, showable
from gradcheck.reports.matrices import (
    NOT_FINITE,
    Comparison,
    as_array,
    comparison_of,
    flat,
    largest,
    levels,
    pooled,
    wrong_entries,
)
from tests.checks.solutions import solution

RIGHT = np.array([[0.7531, -0.2419, 0.0], [0.1367, 0.5283, -0.9173]])
GOT = np.array([[0.7531, 0.2419, 0.0], [0.1367, 0.0, -0.9173]])
WRONG = GOT != RIGHT


def heatmap_lines(values, *, marks=None, colour: bool = False) -> list[str]:
    """One matrix by itself."""
    array = np.asarray(values, dtype=np.float64)
    drawn = draw_panel("", flat(array, marks), largest(array), 76, BLOCKS)
    return painted([*drawn.rows, *notes([drawn], 80)], colour)


def comparison_lines(got, expected, wrong, **how) -> list[str]:
    """A picture without what it says above it."""
    lines = picture_lines(Comparison("", np.asarray(got), np.asarray(expected), wrong), **how)
    titles = (at for at, line in enumerate(lines) if "you returned" in line or line.split()[0] == "got")
    return lines[next(titles) :]


def cells(lines: list[str]) -> list[str]:
    """The inside of the first frame on every line."""
    return [found[1] for line in lines if (found := re.match(r" *│ ([^│]*)│", line))]


def plain(lines: list[str]) -> list[str]:
    return [re.sub(r"\x1b\[[0-9;]*m", "", line).rstrip() for line in lines]


def test_a_cell_shows_sign_and_size_and_no_number():
    lines = heatmap_lines([[1.0, -0.5, 0.0], [0.2, 1e-12, -1.0]])
    assert cells(lines) == ["+█ −▒  · ", "+░  · −█ "]
    assert not re.search(r"\d", "".join(lines))


def test_levels_are_steps_of_the_largest_entry():
    values = np.array([1.0, 0.75, 0.7501, 0.25, -0.26, 0.0, np.nan, -np.inf, -1.0])
    assert levels(values, 1.0).tolist() == [4, 3, 4, 1, -2, 0, NOT_FINITE, NOT_FINITE, -4]


def test_wrong_entries_are_marked_in_what_came_back_alone():
    lines = comparison_lines(GOT, RIGHT, WRONG)
    assert lines[0].split() == ["you", "returned", "expected"]
    assert [line.split("│")[1] for line in lines[2:4]] == [" +█ +▒✗ · ", " +░  ·✗−█ "]
    assert [line.split("│")[3] for line in lines[2:4]] == [" +█ −▒  · ", " +░ +▓ −█ "]
    assert lines[-1].strip().startswith("✗ wrong")


@pytest.mark.parametrize("letters", [False, True])
@pytest.mark.parametrize(("size", "width"), [(3, 80), (3, 40), (3, 24), (16, 80), (16, 40), (40, 80), (40, 40)])
def test_pictures_keep_to_the_width(size, width, letters):
    right = np.arange(size * size, dtype=float).reshape(size, size) - 7
    got = right.copy()
    got[-1, -1] = np.nan
    lines = comparison_lines(got, right, got != right, width=width, ascii=letters)
    assert max(map(len, lines)) <= width
    mark = "X" if letters else "✗"
    framed = [line for line in lines if re.match(r" *[│|]", line)]
    assert sum(line.count(mark) for line in framed) == 1
    if letters:
        assert "".join(lines).isascii()


def test_on_a_narrow_screen_panels_lie_below_each_other():
    assert sum(line.strip().startswith("┌") for line in comparison_lines(GOT, RIGHT, WRONG, width=40)) == 1
    wide = np.tile(RIGHT, (1, 3))
    assert sum(line.strip().startswith("┌") for line in comparison_lines(wide, wide, wide > 9, width=40)) == 2
    assert sum(line.strip().startswith("┌") for line in comparison_lines(wide, wide, wide > 9, width=80)) == 1


def test_colour_changes_nothing_but_colour():
    for build in (
        lambda colour: comparison_lines(GOT, RIGHT, WRONG, colour=colour),
        lambda colour: heatmap_lines(RIGHT, marks=WRONG, colour=colour),
        lambda colour: jacobian_picture(find_exercise("softmax"), colour=colour),
    ):
        without, with_colour = build(False), build(True)
        assert "\x1b" not in "".join(without)
        assert "\x1b[" in "".join(with_colour)
        assert plain(with_colour) == without


def test_what_a_stream_can_show():
    assert showable("utf-8")
    assert not any(showable(name) for name in ("ascii", "latin-1", "cp1252", None, "nosuchcodec"))


def test_shapes_that_differ_are_drawn_as_they_are():
    lines = comparison_lines(RIGHT.T, RIGHT, None)
    assert lines[0].split() == ["got", "3", "×", "2", "expected", "2", "×", "3"]
    assert [line.count("│") for line in lines[2:5]] == [4, 4, 2]
    assert "✗" not in "".join(lines)
    assert comparison_lines(RIGHT.T, RIGHT, None, ascii=True)[0].split()[:4] == ["got", "3", "x", "2"]
    assert "no entries" in "\n".join(comparison_lines(np.zeros((0, 3)), RIGHT, None))


def test_what_is_too_large_is_pooled_and_says_so():
    got = np.eye(64)
    got[5, 50] = -9.0
    lines = heatmap_lines(got, marks=got != np.eye(64))
    assert len(cells(lines)) == 16
    assert "−█✗" in cells(lines)[1]
    assert sum(line.count("✗") for line in cells(lines)) == 1
    assert lines[-1].strip() == "a cell stands for up to 4 by 4 entries, the largest shows"
    small, pool = pooled(flat(got), 16, 16)
    assert (small.values.shape, pool) == ((16, 16), (4, 4))
    assert pooled(flat(RIGHT), 16, 16)[1] == (1, 1)


def test_nan_and_infinity_are_seen():
    assert cells(heatmap_lines([[np.nan, np.inf], [1.0, -1.0]])) == [" ?  ? ", "+█ −█ "]
    assert cells(heatmap_lines([[np.nan, 0.0]])) == [" ?  · "]


@pytest.mark.parametrize("value", ["text", None, [[1.0], [2.0, 3.0]], [["1", "2"]], {"a": 1}, [[[[[[1.0]]]]]]])
def test_what_is_no_array_of_numbers_has_no_picture(value):
    assert as_array(value) is None


def test_three_axes_are_folded():
    got = np.zeros((2, 2, 3))
    got[0, 0], got[1, 1] = 1.0, 1.0
    assert flat(got, None, 2).values.shape == (2, 6)
    assert flat(got, None, 1).values.shape == (4, 3)
    lines = [line for line in jacobian_picture(find_exercise("linear")) if "┊" in line]
    assert [line.split("│")[3].count(" · ") for line in lines] == [3, 3]


def test_far_apart_matrices_are_shaded_each_by_itself():
    lines = comparison_lines(1e6 * RIGHT, RIGHT, WRONG | True)
    assert "each is shaded by its own largest entry" in " ".join(lines)
    assert lines[2].count(" +█✗−▒✗ ·✗") == 1
    assert lines[2].count("│ +█ −▒  · │") == 1
    # A factor of two shows.
    assert "│ +▒ −░  · │" in comparison_lines(2 * RIGHT, RIGHT, WRONG | True)[2]


# Which entries are wrong.


def test_the_graders_marks_decide_which_entries_are_wrong():
    got, right = np.array([[1.0, 5.0, 0.5]]), np.array([[2.0, 5.0, 0.0]])
    assert wrong_entries(got, right).tolist() == [[True, False, True]]
    # At a kink 0.5 may be right, too: the grader knows which entry is wrong.
    assert wrong_entries(got, right, Marks(((0, 0),), 1, 3)).tolist() == [[True, False, False]]
    assert wrong_entries(np.array(3.0), np.array(2.0), Marks(((),), 1, 1)).tolist()


def test_marks_of_another_shape_or_not_all_of_them_decide_nothing():
    got, right = np.array([[1.0, 5.0, 0.5]]), np.array([[2.0, 5.0, 0.0]])
    by_numbers = [[True, False, True]]
    assert wrong_entries(got, right, Marks(((0,),), 1, 3)).tolist() == by_numbers
    assert wrong_entries(got, right, Marks(((0, 1),), 1, 4)).tolist() == by_numbers
    assert wrong_entries(got, right, Marks(((0, 1),), 2, 3)).tolist() == by_numbers


def test_of_many_wrong_entries_all_are_drawn_and_three_are_told():
    exercise = find_exercise("tanh")
    wrong = lambda x: torch.where(x.abs() > x.abs().min(), x, torch.tanh(x))
    candidate = InProcessCandidate(solution("tanh") | {"forward": wrong})
    result = Verification(candidate, exercise.task, shrink=False).result("forward", "values")
    example = result.counterexample
    sizes = np.abs(example.inputs["x"])
    assert comparison_of(result).wrong.tolist() == (sizes > sizes.min()).tolist()
    assert example.marks.count == sizes.size - 1 > 3
    assert where_of(example).endswith(f" and {sizes.size - 4} more")
    assert where_of(example).count("[") == 3
    assert case_written(example).where == where_of(example)


def failed(got, expected=None, *, task="softmax", function="jacobian", check="values", marks=None, **inputs):
    example = Counterexample(inputs, got, inputs.pop("grad_output", None), expected=expected, marks=marks)
    return CheckResult(task, function, check, "failed", "m", counterexample=example)


def test_a_failure_of_form_is_compared_with_the_formula():
    x = [0.5, -1.0, 2.0]
    y = np.exp(x) / np.exp(x).sum()
    jacobian = np.diag(y) - np.outer(y, y)
    found = comparison_of(failed(jacobian[:2].tolist(), check="shape", x=x))
    assert found is not None
    assert found.summary == "jacobian: expected 3 × 3, got 2 × 3"
    assert np.allclose(found.expected, jacobian)
    weight, bias = [[1.0, 2.0], [3.0, 4.0]], [0.0, 1.0]
    transposed = failed(
        [[1.0, 3.0], [2.0, 4.0]], task="linear", function="jacobian_x", check="orientation", x=[1.0, 1.0], weight=weight,
        bias=bias,
    )  # fmt: skip
    found = comparison_of(transposed)
    assert found is not None
    assert found.wrong.tolist() == [[False, True], [True, False]]


def test_of_several_parts_the_wrong_one_is_drawn():
    got = {"grad_x": [[1.0, 2.0]], "grad_weight": [[1.0, 2.0]], "grad_bias": [1.0]}
    expected = {"grad_x": [[1.0, 2.0]], "grad_weight": [[-1.0, 2.0]], "grad_bias": [9.0]}
    marks = Marks(((0, 0),), 1, 2, ("grad_weight",), "dC/dweight")
    result = failed(got, expected, task="linear", function="backward", marks=marks)
    found = comparison_of(result)
    assert found is not None
    assert (found.name, found.wrong.tolist()) == ("grad_weight", [[True, False]])
    assert picture_of(result)[0].strip() == "grad_weight: 1 of 2 entries is wrong"
    shapes = failed(
        [[[1.0, 2.0]], [[1.0, 1.0], [2.0, 2.0]], [1.0]],
        task="linear", function="backward", check="shape", x=[[1.0, 2.0]], weight=[[1.0, 2.0]], bias=[0.0], grad_output=[[1.0]],
    )  # fmt: skip
    assert picture_of(shapes)[0].strip() == "grad_weight: expected 1 × 2, got 2 × 2"


@pytest.mark.parametrize(
    "result",
    [
        failed([1.0, 2.0], [1.0, 3.0]),
        failed([[2.0]], [[3.0]]),
        failed("a text", [[1.0, 2.0]]),
        failed([[1.0, 2.0]], [[1.0, 2.0]]),
        failed([[1.0, 2.0]], [[1.0, 3.0]], check="dtype"),
        failed([[1.0, 2.0]], None, task="nosuchtask"),
        failed([[1.0, 2.0]], None, check="shape"),
        CheckResult("softmax", "jacobian", "values", "passed"),
        CheckResult("softmax", "jacobian", "values", "failed"),
    ],
)
def test_nothing_of_two_axes_has_no_picture(result):
    assert picture_of(result) == []


def test_a_counterexample_too_small_for_a_pattern_is_drawn_larger():
    import torch

    def jacobian(x):
        print("again")
        y = x.softmax(-1)
        return torch.diag(y) + torch.outer(y, y)

    exercise = find_exercise("softmax")
    verification = Verification(InProcessCandidate({"jacobian": jacobian}), exercise.task)
    result = verification.result("jacobian", "values")
    assert verification.candidate.printed.take().startswith("again")
    small = replace(result.counterexample, inputs={"x": [1.0]}, got=[[2.0]], expected=[[0.0]])
    result = replace(result, counterexample=small)
    assert picture_of(result) == []
    lines = picture_of(result, verification)
    assert lines[0].strip() == "jacobian: every entry is wrong, at a larger example"
    assert [line.split("│")[3] for line in lines[3:6]] == [" +░ −░ −░ ", " −░ +░ −░ ", " −░ −░ +░ "]
    assert verification.candidate.printed.take() == ""
    # The expected numbers are in no line, not even rounded.
    found = comparison_of(result, verification)
    numbers = re.findall(r"\d\.\d+", "\n".join(lines))
    assert not numbers
    assert found.expected.size == 9


# The pattern of a derived Jacobian.


def test_patterns_of_jacobians():
    relu = cells(jacobian_picture(find_exercise("relu")))
    assert all(cell == " ·" for row, line in enumerate(relu) for column in range(4)
               if row != column for cell in [line[3 * column : 3 * column + 2]])  # fmt: skip
    assert {line[3 * row : 3 * row + 2] for row, line in enumerate(relu)} == {"+█", " ·"}
    softmax = cells(jacobian_picture(find_exercise("softmax")))
    signs = [[line[3 * column] for column in range(4)] for line in softmax]
    assert signs == [["+" if row == column else "−" for column in range(4)] for row in range(4)]
    assert "∂y/∂weight, 2 × 2 × 3" in jacobian_picture(find_exercise("linear"))[0]
    assert jacobian_picture(find_exercise("minibatches")) == []


@pytest.mark.parametrize("width", [40, 80])
def test_every_exercise_with_an_operator_has_a_pattern_that_fits(width):
    drawn = 0
    for exercise in all_exercises().values():
        lines = jacobian_picture(exercise, width=width)
        assert bool(lines) == any(not each.spec.reference for each in exercise.functions), exercise.name
        assert max(map(len, lines), default=0) <= width
        assert all(line.isascii() for line in jacobian_picture(exercise, width=width, ascii=True))
        drawn += bool(lines)
    assert drawn > 15
