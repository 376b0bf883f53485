"""course.toml: what it says is what counts, and what is wrong with it is told where it stands."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from gradcheck.catalog import all_exercises
from gradcheck.classes.policy import CallLimits, Commit, Course, load_course
from gradcheck.errors import GradcheckError
from gradcheck.grading.desk_record import Help
from tests.checks.totals import of_units

DOCS = Path(__file__).parents[2] / "docs" / "course.md"
ROSTER = "name,email,id,submission\nAda Lovelace,ada@uni.edu,1815,\nAlan Turing,alan@uni.edu,1912,enigma-*\n"


@pytest.fixture
def load(tmp_path):
    def from_text(text: str | bytes, roster: str = ROSTER) -> Course:
        (tmp_path / "roster.csv").write_text(roster, encoding="utf-8")
        path = tmp_path / "course.toml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return load_course(path)

    return from_text


def test_without_a_file_everything_counts_and_nothing_is_due():
    course = load_course(None)
    assert course == Course()
    assert course.exercises == tuple(all_exercises())
    assert course.max_score == sum(each.max_score for each in all_exercises().values())
    assert (course.deadline, course.roster, course.limits) == (None, None, CallLimits(10, 120, 2048))
    assert course.hints.percent(Help(4, gave_up=True)) == 0
    assert course.commit_wanted("alice") is None


def test_an_empty_file_is_no_file(load):
    assert load("") == Course()


def test_the_example_of_the_documentation_is_read(load):
    (example,) = re.findall(r"```toml\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)
    course = load(example)
    assert course.title == "Deep Learning, week 2"
    assert course.exercises == tuple(each.name for each in of_units("04_modules", "05_losses"))
    assert course.points == {"relu": 10, "softmax": 20}
    assert course.deadline is not None
    assert course.deadline.late == "per-day"
    assert course.deadline.penalty_per_day == 10
    assert course.due("ada") == datetime(2026, 10, 8, 23, 59, tzinfo=timezone(timedelta(hours=2)))
    assert course.due("enigma-machine") == course.deadline.at + timedelta(days=2)
    assert course.hints.percent(Help(3)) == 5
    assert course.hints.percent(Help(1, gave_up=True)) == 100
    assert course.limits == CallLimits(10, 120, 2048)
    assert course.at == "late-days"


def test_every_key_is_documented():
    text = DOCS.read_text(encoding="utf-8")
    for key in ("title", "units", "only", "at", "grace_minutes", "late", "penalty_per_day", "max_days", "extensions",
                "costs", "gave_up", "file", "call_s", "submission_s", "memory_mib", "tag",
                "timezone"):  # fmt: skip
        assert f"`{key}`" in text, key


def test_exercises_are_chosen_by_unit_and_by_name(load):
    units = load('[exercises]\nunits = ["05_losses"]').exercises
    assert units == tuple(each.name for each in of_units("05_losses"))
    assert load('[exercises]\nonly = ["softmax", "relu"]').exercises == ("relu", "softmax")
    assert load('[exercises]\nunits = ["05_losses"]\nonly = ["nll"]').exercises == ("nll",)


def test_points_replace_those_of_the_catalog(load):
    course = load('[exercises]\nonly = ["relu", "add"]\n[points]\nrelu = 10.5')
    assert (course.points_of("relu"), course.points_of("add")) == (10.5, 3)
    assert course.max_score == 13.5
    assert load("[points]\nrelu = 0").points_of("relu") == 0


def test_which_commit_is_wanted(load):
    day = "[deadline]\nat = 2026-10-01T12:00:00Z\ngrace_minutes = 5\n"
    at = datetime(2026, 10, 1, 12, tzinfo=UTC)
    assert load(day).commit_wanted("x") == Commit(until=at + timedelta(minutes=5))
    assert load(day + "[deadline.extensions]\nX = 1").commit_wanted("x") == Commit(
        until=at + timedelta(days=1, minutes=5)
    )
    assert load(day + '[submissions]\nat = "head"').commit_wanted("x") == Commit()
    assert load(day + '[submissions]\nat = "worktree"').commit_wanted("x") is None
    assert load(day + '[submissions]\ntag = "v1"').commit_wanted("x") == Commit(tag="v1")
    assert load('[submissions]\nat = "head"').commit_wanted("x") == Commit()


def test_several_keys_of_a_student_name_the_latest_extension(load):
    text = "[deadline]\nat = 2026-10-01T12:00:00Z\n[deadline.extensions]\n1815 = 1\n'ADA@uni.edu' = 3\n"
    course = load(text + '[roster]\nfile = "roster.csv"')
    assert course.deadline is not None
    assert course.due("1815") == course.due("ada") == course.deadline.at + timedelta(days=3)
    assert course.due("nobody") == course.deadline.at


def test_a_byte_order_mark_and_windows_lines_are_no_trouble(load):
    assert load(b"\xef\xbb\xbf[course]\r\ntitle = 'x'\r\n").title == "x"


DUE = "[deadline]\nat = 2026-10-01T12:00:00Z\n"
WRONG = {
    "[course]\ntitel = 'x'": ("line 2", "[course] titel", "is no key", "did you mean title?", "There are: title"),
    "[corse]\ntitle = 'x'": ("line 1", "corse is no table", "did you mean course?", "There are: course, exercises"),
    "title = 'x'": ("line 1", "title is no key in this file", "There are:"),
    "course = 'x'": ("line 1", "course is a table", "write [course]"),
    "[course]\ntitle = 7": ("line 2", "is text in quotes, not 7"),
    "[exercises]\n\nunits = '04_modules'": ("line 3", "is a list of names", '["01_models_and_losses"]'),
    "[exercises]\nunits = ['04_module']": ("line 2", '"04_module"', "no such unit", "did you mean 04_modules?"),
    "[exercises]\nonly = ['softmx']": ("line 2", "no such exercise", "did you mean softmax?"),
    "[exercises]\nonly = []": ("names no exercise", "leave the key out"),
    "[exercises]\nonly = [1]": ("is a list of names, as in",),
    "[exercises]\nunits = ['05_losses']\nonly = ['relu']": ("line 3", "names relu", "04_modules is not among units"),
    "[points]\nsoftmx = 3": ("line 2", "softmx is no key in [points]", "did you mean softmax?"),
    "[points]\nrelu = '3'": ("line 2", "is a number from 0 to 1e+06", '"3"'),
    "[points]\nrelu = true": ("is a number", "not true"),
    "[points]\nrelu = -1": ("is a number from 0", "-1"),
    "[points]\nrelu = nan": ("is a number",),
    "[points]\nrelu = inf": ("is a number",),
    "[exercises]\nonly = ['add']\n[points]\nrelu = 3": ("line 4", "gets points but is not among [exercises]"),
    "[exercises]\nonly = ['relu']\n[points]\nrelu = 0": ("leaves no points to earn",),
    "[deadline]\ngrace_minutes = 5": ("[deadline] at is a date and time", "2026-10-01T23:59:00+02:00"),
    "[deadline]\nat = '2026-10-01T12:00:00Z'": ("line 2", "without quotes"),
    "[deadline]\nat = 2026-10-01T12:00:00": ("line 2", "lacks the offset from UTC"),
    "[deadline]\nat = 2026-10-01": ("line 2", "is a date and time"),
    DUE + "late = 'perday'": ("line 3", 'is one of "none", "per-day", "zero-after"', "did you mean per-day?"),
    DUE + "late = ['none']": ("is one of",),
    DUE + "late = 'per-day'": ("penalty_per_day is needed",),
    DUE + "penalty_per_day = 10": ("line 3", 'has no effect unless late = "per-day"'),
    DUE + "late = 'zero-after'\nmax_days = 3": ("line 4", "has no effect"),
    DUE + "late = 'per-day'\npenalty_per_day = 101": ("from 0 to 100, not 101",),
    DUE + "late = 'per-day'\npenalty_per_day = 1\nmax_days = 1.5": ("whole number, not 1.5",),
    DUE + "grace_minutes = -1": ("from 0",),
    DUE + "grace = 1": ("did you mean grace_minutes?",),
    DUE + "extensions = 3": ("extensions is a table", "[deadline.extensions]"),
    DUE + "[deadline.extensions]\nx = 'later'": ("line 4", "a new deadline", "or a number of days"),
    DUE + "[deadline.extensions]\nx = -1": ("line 4", "from 0 to"),
    DUE + "[deadline.extensions]\nx = true": ("line 4", "is a number"),
    DUE + "[deadline.extensions]\nx = 2026-10-01": ("line 4", "a new deadline"),
    DUE + "[deadline.extensions]\nx = 2026-10-01T12:00:00": ("lacks the offset",),
    DUE + "[deadline.extensions]\n'adda@uni.edu' = 1\n[roster]\nfile = 'roster.csv'": (
        "line 4", "nobody's email or id", "did you mean ada@uni.edu?",
    ),
    "[hints]\ncosts = [1, 2, 3]": ("line 2", "a list of 4 percentages", "[0, 0, 5, 20]"),
    "[hints]\ncosts = 5": ("a list of 4 percentages",),
    "[hints]\ncosts = [0, 0, 0, 101]": ("from 0 to 100, not 101",),
    "[hints]\ngaveup = 5": ("did you mean gave_up?",),
    "[roster]\nfile = 'nosuch.csv'": ("nosuch.csv cannot be read: No such file",),
    "[roster]\nfile = 3": ("is text in quotes",),
    "[limits]\ncall_s = 0": ("from 0.01 to 3600, not 0",),
    "[limits]\nmemory_mib = 100": ("from 1024",),
    "[limits]\ncall_s = 200": ("line 2", "one call may take 200 s, the whole submission 120 s"),
    "[limits]\nsubmission_s = 5": ("line 2", "one call may take 10 s"),
    "[submissions]\nat = 'deadline'": ("there is none; add [deadline]",),
    "[submissions]\ntag = '../x'": ("is the name of a git tag",),
    "[submissions]\ntag = '--all'": ("is the name of a git tag",),
    "[submissions]\ntag = 'v1'\nat = 'head'": ("keep one of them",),
    "[course\n\n": ("not readable as TOML", "line 1"),
    "[course]\ntitle = 'a'\ntitle = 'b'\n\n": ("not readable as TOML", "line 3"),
}  # fmt: skip


@pytest.mark.parametrize("text", WRONG, ids=[" ".join(text.split())[-50:] for text in WRONG])
def test_what_is_wrong_is_told_where_it_stands(load, text):
    with pytest.raises(GradcheckError) as told:
        load(text)
    for words in WRONG[text]:
        assert words in str(told.value)
    assert ".toml" in str(told.value) or ".csv" in str(told.value)
    assert "\n" not in str(told.value).strip()


def test_what_is_no_text_or_no_file_is_told(load, tmp_path):
    with pytest.raises(GradcheckError, match="no UTF-8 text"):
        load("title = 'é'".encode("latin-1"))
    for path in (tmp_path / "nosuch.toml", tmp_path):
        with pytest.raises(GradcheckError, match="cannot be read"):
            load_course(path)


def test_a_course_cannot_be_changed():
    with pytest.raises(AttributeError):
        Course().title = "x"  # type: ignore[misc]
