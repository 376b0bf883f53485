"""`gradcheck.check` as it is used in a notebook."""

from __future__ import annotations

import linecache
import re
import subprocess
import sys

import pytest
import torch

import gradcheck
from gradcheck.catalog import find_exercise
from gradcheck.errors import GradcheckError, UnknownExercise


def forward(x):
    return x.softmax(-1)


def backward(grad_output, x):
    y = x.softmax(-1)
    return y * (grad_output - (grad_output * y).sum(-1, keepdim=True))


def half(grad_output, x):
    return 0.5 * backward(grad_output, x)


def flipped(x):
    y = x.softmax(-1)
    return torch.diag(y) + torch.outer(y, y)


def cell(source: str, name: str, number: int = 7):
    """A function as a notebook has it: compiled from text that is kept for tracebacks, with a name in angle brackets for
    its file.
    """
    namespace = {"torch": torch}
    file = f"<ipython-input-{number}-5f3e>"
    linecache.cache[file] = len(source), None, source.splitlines(keepends=True), file
    exec(compile(source, file, "exec"), namespace)
    return namespace[name]


@pytest.fixture(scope="module")
def wrong():
    return gradcheck.check("softmax", backward=half, jacobian=flipped)


def test_what_has_passed_as_a_whole_says_what_it_is_for():
    about = find_exercise("add").about
    right = {"forward": lambda x1, x2: x1 + x2, "backward": lambda grad_output, _x1, _x2: (grad_output, grad_output)}
    report = gradcheck.check("add", **right)
    flat = " ".join(str(report).split())
    assert flat.endswith(f"3 of 3 points {about.purpose} In torch: torch.add The idea: {about.idea}")
    assert max(map(len, str(report).splitlines())) <= 80
    assert about.purpose in report._repr_html_()
    assert "without a hint" not in flat + report._repr_html_()
    part = gradcheck.check("add", backward=right["backward"])
    assert part.passed
    bad = gradcheck.check("add", **right | {"forward": lambda x1, x2: x1 - x2})
    assert not bad.passed
    assert not any(about.purpose in text for each in (part, bad) for text in (str(each), each._repr_html_()))


def test_right_functions_pass_and_the_others_do_not_count():
    report = gradcheck.check("softmax", forward=forward, backward=backward)
    assert (report.passed, report.status, report.score, report.max_score) == (True, "passed", 4.0, 4.0)
    assert {result.function for result in report.results} == {"forward", "backward"}
    assert report.diagnoses == ()
    assert str(report) == repr(report) == "softmax (forward, backward): passed, 4 of 4 points"
    assert "passed" in report._repr_html_()
    assert "<section>" not in report._repr_html_()


def test_wrong_functions_are_told_as_everywhere(wrong):
    assert (wrong.passed, wrong.status, wrong.score, wrong.max_score) == (False, "failed", 0.0, 5.0)
    text = str(wrong)
    assert text.startswith("softmax (backward, jacobian): failed, 0 of 5 points\n\nsoftmax.backward ")
    assert "\nsoftmax.jacobian " in text
    assert "  More:  gradcheck hint softmax" in text
    assert "pytest" not in text  # there is no file to run it on
    codes = [found.code for found in wrong.diagnoses]
    assert codes == ["scaled-by-constant", "sign-flipped"]
    assert all(found.text in " ".join(text.split()) for found in wrong.diagnoses)


def test_a_picture_is_drawn_in_text_and_in_html(wrong):
    assert list(wrong.pictures) == ["softmax.backward.values", "softmax.jacobian.values"]
    assert "jacobian: every entry is wrong" in str(wrong)
    html = wrong._repr_html_()
    assert html.count("<svg ") == 3  # the backward's case, and two matrices
    assert (
        html.count('class="gc-mark"') == 2 + 4
    )  # backward's own counterexample, 1 × 2; jacobian's larger example, 3 × 3


def test_the_answer_is_not_told_unless_asked():
    """Right below two entries, so that the counterexample is 2 × 2 and its answer a number of its own."""

    def seven(x):
        y = x.softmax(-1)
        return torch.diag(y) - torch.outer(y, y) if len(x) < 2 else torch.full((len(x), len(x)), 7.0).to(x)

    report = gradcheck.check("softmax", jacobian=seven)
    found = report.pictures["softmax.jacobian.values"]
    values = {f"{abs(value):.4g}" for value in found.expected.reshape(-1)}
    assert all(len(value) > 3 for value in values)
    for text in (str(report), report._repr_html_()):
        assert "correct" not in text
        assert not any(value in text for value in values)
    shown = gradcheck.check("softmax", jacobian=seven, show_answer=True)
    for text in (str(shown), shown._repr_html_()):
        assert "correct" in text
        assert all(value in text for value in values)


def test_expected_numbers_of_the_larger_example_are_nowhere():
    def tripled(x):
        return torch.outer(x.softmax(-1), 3 + x.softmax(-1))

    wrong = gradcheck.check("softmax", backward=half, jacobian=tripled)
    for picture in wrong.pictures.values():
        for value in picture.expected.reshape(-1):
            digits = f"{abs(value):.5f}"[:6]
            assert digits not in wrong._repr_html_()
            assert digits not in str(wrong)


def test_a_jacobian_without_its_backward_is_not_compared_with_one():
    alone = gradcheck.check("softmax", jacobian=lambda x: torch.diag(forward(x)) - torch.outer(forward(x), forward(x)))
    assert alone.passed
    assert "agrees_with_backward" not in {result.check for result in alone.results}
    both = gradcheck.check("softmax", jacobian=flipped, backward=backward)
    assert "agrees_with_backward" in {result.check for result in both.results}


def test_what_is_not_started_reads_so():
    stub = cell("def backward(grad_output, x):\n    raise NotImplementedError\n", "backward")
    report = gradcheck.check("relu", backward=stub)
    assert report.status == "not_started"
    assert "relu.backward is not started" in str(report)
    assert "not started" in report._repr_html_()
    # In two cells, of which one uses the other.
    part = gradcheck.check("relu", forward=cell("def forward(x): return x.clamp(min=0)", "forward", 8), backward=stub)
    assert part.score == 1.0
    assert {result.status for result in part.results if result.function == "backward"} == {"not_started"}


def test_code_below_the_raise_is_not_called_not_started():
    left = cell(
        "def backward(grad_output, x):\n    raise NotImplementedError\n    return grad_output * (x > 0)\n", "backward"
    )
    report = gradcheck.check("relu", backward=left)
    assert report.status == "errored"
    told = "the line `raise NotImplementedError` (line 2) still stands above your code; delete it"
    assert report.results[0].message == told
    assert "not started" not in str(report)
    assert "(line 2) still stands" in " ".join(str(report).split())
    assert told in " ".join(report._repr_html_().split())


def test_an_error_in_a_cell_names_its_line_and_no_file():
    broken = cell("def backward(grad_output, x):\n    y = x + 1\n    return y.nothing\n", "backward")
    report = gradcheck.check("relu", backward=broken)
    assert report.status == "errored"
    assert report.results[0].lines[0] == "line 3 in backward"
    for text in (str(report), report._repr_html_()):
        assert "ipython-input" not in text
        assert "a tensor has no nothing" in " ".join(text.split())
    # Functions of several places: no line, no fault.
    mixed = gradcheck.check("relu", backward=broken, forward=lambda x: x.clamp(min=0))
    assert mixed.status == "errored"


@pytest.mark.parametrize(
    "function",
    [torch.relu, torch.nn.functional.relu, torch.nn.ReLU(), lambda *arguments: torch.relu(arguments[0])],
)
def test_anything_that_can_be_called_is_a_function(function):
    assert gradcheck.check("relu", forward=function).passed


def test_hostile_text_is_shown_not_done():
    def raising(grad_output, x):
        print("<b>printed</b>\x1b[2J")
        raise ValueError("<script>alert(1)</script>\x1b[31m" + "long " * 1000)

    report = gradcheck.check("relu", backward=raising)
    html = report._repr_html_()
    assert "<script>" not in html
    assert "&lt;script&gt;" in html
    assert "&lt;b&gt;printed&lt;/b&gt;" in html
    assert "\x1b" not in html + str(report)


def test_a_name_that_is_no_exercise_gets_a_suggestion():
    with pytest.raises(UnknownExercise, match=r"did you mean softmax\?"):
        gradcheck.check("sofmax", backward=backward)
    with pytest.raises(GradcheckError, match="given by its name, not by a function"):
        gradcheck.check(backward, backward=backward)


def test_a_name_that_is_no_function_is_refused_with_those_there_are():
    with pytest.raises(GradcheckError) as told:
        gradcheck.check("softmax", backwards=backward)
    assert str(told.value) == (
        "softmax has no function 'backwards'; did you mean backward? "
        "softmax has forward(x), backward(grad_output, x), jacobian(x)"
    )
    with pytest.raises(GradcheckError, match="backward is a Tensor, not a function; give the function itself"):
        gradcheck.check("softmax", backward=torch.ones(2))
    with pytest.raises(GradcheckError, match=r"there is no function to check; .*my_forward"):
        gradcheck.check("softmax")


def test_the_seed_draws_the_inputs():
    def doubled(x):  # where there are more entries than any small case has
        return torch.diag((x > 0).to(x.dtype)) * (2 if len(x) > 4 else 1)

    found = [gradcheck.check("relu", jacobian=doubled, seed=seed).report.told[0] for seed in (0, 0, 1)]
    first, again, other = (result.counterexample.inputs for result in found)
    assert first == again
    assert first != other


def test_nothing_is_written_where_no_project_is(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert gradcheck.check("relu", forward=torch.relu).passed
    assert list(tmp_path.iterdir()) == []
    (tmp_path / ".gradcheck").mkdir()
    assert gradcheck.check("relu", forward=torch.relu).passed
    assert list((tmp_path / ".gradcheck" / "cache").iterdir())


@pytest.mark.outside
def test_html_and_text_need_no_matplotlib_and_import_gradcheck_needs_nothing():
    script = (
        "import sys, gradcheck\n"
        "assert not {'torch', 'numpy', 'sympy', 'jinja2', 'rich'} & set(sys.modules)\n"
        "sys.modules['matplotlib'] = None\n"
        "report = gradcheck.check('add', forward=lambda x1, x2: x1 - x2)\n"
        "print(report, report._repr_html_()[:30])\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, encoding="utf-8", check=False)
    assert done.stderr == ""
    assert re.match(r"add \(forward\): failed, 0 of \d", done.stdout)
