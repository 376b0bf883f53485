"""What the desk's keys do, and what is always on its screen, whatever the verdict. Graded in this process."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from gradcheck.catalog import all_exercises, find_exercise
from gradcheck.desk.full_screen.overlays import Finished, Listing, Page, Question, Solution
from gradcheck.desk.watch.session import WatchVerdict
from gradcheck.diagnosis.codes import CODES, thought
from gradcheck.grading.last_results import digest_of, names_of_checks, remember
from gradcheck.reports.terminal import paragraph
from tests.checks.totals import COUNT, POINTS
from tests.desk.desk_commands import place
from tests.desk.seat import FOLDER, MISTAKEN, STATE, Seat, furnish
from tests.desk.watch_terminal import one_line, solution

SIZES = ((80, 24), (40, 15), (120, 40))
RECORD = FOLDER / ".desk.json"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    furnish()


@pytest.fixture
def seat(home: None) -> Iterator[Seat]:
    """A desk at which relu's backward lacks grad_output."""
    with Seat() as seat:
        seat.save("relu", MISTAKEN, "failed")
        yield seat


def told() -> dict[str, dict[str, object]]:
    return json.loads(RECORD.read_text())["exercises"] if RECORD.exists() else {}


def test_each_hint_comes_below_the_task_and_is_recorded(seat):
    seat.press("h")
    assert seat.shows("Hint 1 of 4")
    seat.press("h")
    assert seat.shows("Hint 2 of 4")
    seat.press("h", "h")
    assert seat.shows("Hint 4 of 4", "grad_x_j")
    assert told() == {"relu": {"hint": 4, "gave_up": False}}
    seat.press("h")
    assert seat.shows("This is the last hint")
    seat.press("t")
    assert seat.shows("[missing-upstream]")
    assert not seat.shows("This is the last hint")  # a key has been pressed: it has been read


def test_hints_go_on_where_nothing_can_be_recorded_and_the_desk_says_so(seat, monkeypatch):
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("gradcheck.grading.desk_record.write_whole", full)
    for step in (1, 2):
        seat.press("h")
        assert seat.shows(f"Hint {step} of 4", "not recorded")
    seat.save("relu", solution("relu"), "passed")
    assert not seat.shows("without a hint")


def test_the_verdict_of_a_save_takes_the_place_of_a_hint(seat):
    seat.press("h")
    assert not seat.shows("[missing-upstream]")
    seat.save("relu", MISTAKEN + "\n", "failed")
    assert seat.shows("[missing-upstream]")


def test_the_list_is_searched_and_enter_opens_one(seat):
    seat.press("l")
    assert isinstance(seat.desk.screen, Listing)
    assert seat.shows("relu failed 2/4")
    seat.type("sig")
    assert seat.shows("sigmoid")
    assert not seat.shows("relu failed")
    seat.press("down", "up", "down", "enter")  # to vanishing_gradient, which fits as well
    assert seat.desk.current.name == "vanishing_gradient"
    seat.press("l")
    seat.type("nosuchexercise")
    assert seat.shows("Nothing fits.")
    seat.press("enter")
    assert isinstance(seat.desk.screen, Listing)
    seat.press("escape")
    assert seat.desk.current.name == "vanishing_gradient"


def test_the_list_takes_letters_that_are_keys_elsewhere(seat):
    seat.press("l")
    seat.type("qh open")
    assert isinstance(seat.desk.screen, Listing)
    assert seat.shows("Nothing fits.")


def test_next_goes_through_what_is_open_and_grades_what_is_begun(seat):
    seat.press("n")
    assert seat.desk.current.name == "add"  # duplicate is not there
    seat.save("linear", solution("linear").replace("return ", "return 2 * ", 1))
    seat.wait_until(lambda: seat.desk.current.name == "linear")
    seat.press("n")
    assert seat.desk.current.name == "relu"
    seat.wait_until(lambda: seat.desk.shown is not None)
    assert seat.shows("relu: failed")


def test_run_all_shows_the_first_that_does_not_pass(seat):
    place("add")
    place("softmax")
    seat.press("a")
    seat.wait_until(lambda: seat.shows("relu: failed", f"2 of {COUNT} exercises"))
    states = {entry.exercise.name: entry.state for entry in seat.desk.session.listed}
    assert [states[name] for name in ("add", "softmax", "relu")] == ["passed", "passed", "failed"]


def test_run_again_grades_what_was_saved_unnoticed(seat):
    seat.path("relu").write_text(solution("relu"))
    assert seat.shows("relu: failed")
    seat.press("r")
    seat.wait_for("relu: passed")


def test_reset_asks_and_keeps_the_file(seat):
    seat.press("x")
    assert isinstance(seat.desk.screen, Question)
    assert seat.shows("Replace exercises/04_modules/relu.py by its stub?")
    seat.press("n")
    assert seat.path("relu").read_text() == MISTAKEN
    seat.press("x", "y")
    assert "is not written yet" in seat.path("relu").read_text()
    (kept,) = (STATE / "backups" / "04_modules").iterdir()
    assert kept.read_text() == MISTAKEN
    assert seat.shows("Wrote exercises/04_modules/relu.py.")
    seat.press("x")
    assert seat.shows("is the stub already")


def test_the_solution_is_shown_once_it_passes_and_recorded_before(seat):
    seat.press("s")
    assert seat.shows("relu does not pass yet. Show its solution all the same?")
    seat.press("n")
    assert not isinstance(seat.desk.screen, Solution)
    assert told() == {}
    seat.save("relu", solution("relu"), "passed")
    seat.press("s")
    assert isinstance(seat.desk.screen, Solution)
    assert seat.shows("yours", "the solution")
    seat.press("escape")
    assert told() == {}
    seat.save("relu", MISTAKEN, "failed")
    seat.press("s", "y")
    assert isinstance(seat.desk.screen, Solution)
    assert told()["relu"]["gave_up"] is True


def test_where_there_is_no_solution_it_is_said(seat):
    seat.press("l")
    seat.type("softmax")
    seat.press("enter", "s")
    assert seat.shows("holds no solution of softmax")
    seat.press("x")
    assert seat.shows("the stub of softmax is made from")


def test_explain_asks_first_and_shows_the_mathematics(seat):
    before = seat.lines[0]
    seat.press("i")
    assert seat.shows("This gives the formulas away")
    seat.press("y")
    seat.wait_until(lambda: isinstance(seat.desk.screen, Page))
    assert seat.shows("Derived from it: Jacobian and VJP")
    seat.press("escape")
    assert seat.lines[0] == before


def test_the_failing_call_is_shown_and_copied(seat):
    seat.press("R")
    assert seat.shows("print(backward(grad_output, x))")
    assert "run_path" in seat.desk.clipboard
    seat.press("R")
    assert seat.shows("relu: failed")
    seat.save("relu", solution("relu"), "passed")
    seat.press("R")
    assert seat.shows("nothing to reproduce")


def test_the_keys_are_told_and_each_of_them_does_something(seat):
    seat.press("question_mark")
    for key, (_, _, sentence) in seat.desk.KEYS.items():
        assert seat.shows(f"{'?' if key == 'question_mark' else key} {sentence}")
        assert hasattr(seat.desk, f"action_{seat.desk.KEYS[key][0]}")


def test_the_line_of_keys_can_be_clicked(seat):
    seat.click("h hint")
    assert seat.shows("Hint 1 of 4")
    seat.click("? keys")
    assert isinstance(seat.desk.screen, Page)
    seat.press("escape")
    seat.press("x")
    seat.click("n no")
    assert not isinstance(seat.desk.screen, Question)


def test_arrows_scroll_what_is_seen(home):
    with Seat(40, 15) as seat:
        seat.save("relu", MISTAKEN, "failed")
        assert seat.shows("relu: failed")
        seat.press("down", "down", "down")
        assert not seat.shows("relu: failed")
        seat.press("k", "k", "k")
        assert seat.shows("relu: failed")
        seat.press("t", "end")
        assert seat.shows("jacobian(x)")
        seat.press("home")
        assert seat.shows("The rectifier, max(x, 0)")


def test_a_verdict_that_comes_while_something_lies_over_the_desk_is_there_afterwards(seat):
    seat.press("l")
    seat.save("relu", solution("relu"), "passed")
    assert isinstance(seat.desk.screen, Listing)
    seat.press("escape")
    assert seat.shows("relu: passed")


def longest(width: int) -> WatchVerdict:
    """A message longer than any that a grading gives, with the longest thought that there is."""
    specs = [graded.spec for each in all_exercises().values() for graded in each.functions]
    thoughts = {thought(code, spec) for code in CODES for spec in specs}
    thinking = max((paragraph(f"Think: {each}", width - 4, "  ", "  ") for each in thoughts), key=len)
    said = [f"  line {number} of what is said" for number in range(60)]
    lines = [*((line, "said") for line in said), *((line, "think") for line in thinking)]
    return WatchVerdict(find_exercise("relu"), "relu.py", "failed", 1.0, {"forward": "passed"}, {0: lines})


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_think_and_next_stay_on_the_screen_however_long_the_message_is(size):
    with Seat(*size) as seat:
        failed = longest(size[0])
        thinking = " ".join(line for line, kind in failed.failure[0] if kind == "think")
        ungraded = replace(failed, state="ungraded", failure={0: failed.failure[0][:60]})
        for verdict, following, end in (
            (failed, "relu", thinking),
            (ungraded, "add", "Next: add, The sum of two tensors"),
        ):
            seat.desk.session.focus = find_exercise(following)
            seat.call(partial(seat.desk.verdict, verdict, brief=False))
            assert seat.shows(end, "? keys q quit"), seat.text
            assert sum("of what is said" in line for line in seat.lines) >= 2, seat.text
            seat.press("pagedown", "pagedown", "end")
            assert seat.shows("line 59 of what is said", end, "? keys q quit"), seat.text


def test_the_verdict_is_made_anew_for_another_width(seat):
    for size in ((40, 15), (120, 40), (80, 24), (100, 30)):
        seat.resize(*size)
        assert seat.shows("relu: failed", "relu.backward [missing-upstream]", "Think:", "q quit"), seat.text
        assert seat.shows("To write") == (size[0] >= 100), seat.text
        assert max(map(len, seat.lines)) <= size[0]


def test_a_unit_that_is_complete_says_what_its_pieces_now_do(home):
    done([each.name for each in all_exercises().values() if each.unit == "04_modules" and each.name != "relu"])
    with Seat() as seat:
        seat.save("relu", solution("relu"), "passed")
        assert seat.grader.used == ["04_modules"]
        seat._post("answer", {"used": "Your network of 9 modules learns a line.", "fresh": True})
        seat.wait_for("Your network of 9 modules learns a line.")


def done(names: list[str]) -> None:
    """These have passed, and nothing was changed since."""
    for name in names:
        place(name)
        exercise = find_exercise(name)
        checks = dict.fromkeys(names_of_checks(exercise), "passed")
        remember(exercise, digest_of(FOLDER / exercise.path), checks, STATE)


def test_when_all_has_passed_the_end_is_shown_once(home):
    done([name for name in all_exercises() if name != "relu"])
    with Seat() as seat:
        seat.save("relu", solution("relu"), "passed")
        seat.wait_for(f"{POINTS:g} of {POINTS:g} points", "To read next")
        seat.save("relu", solution("relu") + "\n", "passed")
        assert [type(each) for each in seat.desk.screen_stack].count(Finished) == 1
        seat.press("escape")
        assert seat.shows("relu: passed", "All done.")
        seat.press("n")
        assert isinstance(seat.desk.screen, Finished)


def test_a_desk_at_which_all_has_passed_opens_with_the_end(home):
    done(list(all_exercises()))
    with Seat(40, 15) as seat:
        assert seat.shows("To read next") or isinstance(seat.desk.screen, Finished)
        seat.press("q")
        assert not isinstance(seat.desk.screen, Finished)


def test_a_problem_of_the_course_stands_where_it_is_seen(home):
    Path("course.toml").write_text('[exercises]\nonly = ["mse", "nosuch"]\n')
    for size in SIZES:
        with Seat(*size) as seat:
            assert seat.shows('only names "nosuch"'), seat.text


def test_what_is_open_beyond_what_is_shown_is_told(home):
    with Seat(80, 24, "relu") as seat:
        seat.save("relu", solution("relu"), "passed")
        assert seat.shows("All that is open here has passed. Next:")
        seat.press("n")
        assert seat.desk.current.name == "relu"


def test_a_file_that_is_missing_is_told_and_the_editor_is_not_opened(seat):
    seat.path("relu").unlink()
    seat.saved("relu")
    seat.wait_for("exercises/04_modules/relu.py is missing", "gradcheck reset relu")
    seat.press("e")
    assert seat.shows("x writes its")
    seat.press("x")
    assert "is not written yet" in seat.path("relu").read_text()


def test_of_several_saves_the_first_that_does_not_pass_is_shown(seat):
    for name in ("add", "softmax"):
        place(name)
    seat.saved("add", "relu", "softmax")
    seat.wait_until(lambda: not seat.desk.watching.waiting and not seat.grader.busy)
    assert seat.shows("relu: failed")
    assert one_line(seat.lines[0]).startswith("exercises/04_modules/relu.py")
