"""What the watcher knows of a folder, and where it goes on."""

from __future__ import annotations

from pathlib import Path

import pytest

from gradcheck.catalog import all_exercises, find_exercise
from gradcheck.classes.course_here import course_here, whole_catalog
from gradcheck.desk.watch.session import Session, WatchVerdict, exercises_to_watch
from gradcheck.grading.last_results import digest_of
from tests.desk.desk_commands import place

FOLDER, STATE = Path("exercises"), Path(".gradcheck")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def session(*names: str) -> Session:
    course = course_here(FOLDER)
    return Session(FOLDER, exercises_to_watch(FOLDER, names, course), STATE, course)


def passed(name: str) -> WatchVerdict:
    return WatchVerdict(find_exercise(name), f"{name}.py", "passed", 4.0, {"forward": "passed"})


def states(watched: Session) -> list[str]:
    return [entry.state for entry in watched.listed]


def test_what_was_graded_here_is_known_without_any_record_until_the_file_changes():
    path = place("relu")
    watched = session("relu", "add")
    assert states(watched) == ["not_checked", "not_started"]
    watched.record(passed("relu"), digest_of(path))
    watched.refresh()
    assert states(watched) == ["passed", "not_started"]
    path.write_text(path.read_text() + "# changed\n")
    watched.refresh()
    assert states(watched) == ["not_checked", "not_started"]
    assert not STATE.exists()


def test_the_next_exercise_comes_after_the_last_one_and_then_from_the_start():
    for name in ("linear", "relu", "add"):
        place(name, "exercises")
    watched = session("linear", "relu", "add")
    assert watched.open_after(None).name == "linear"
    assert watched.open_after(find_exercise("relu")).name == "add"
    assert watched.open_after(find_exercise("add")).name == "linear"
    for name in ("linear", "relu", "add"):
        watched.record(passed(name), "")
    assert watched.open_after(find_exercise("relu")) is None


def test_a_unit_and_a_folder_with_one_exercise_are_watched_as_such():
    place("relu")
    unit = [each.name for each in exercises_to_watch(FOLDER / "04_modules", (), whole_catalog())]
    assert unit == [each.name for each in all_exercises().values() if each.unit == "04_modules"]
    assert (
        len(exercises_to_watch(FOLDER, (), whole_catalog()))
        == len(exercises_to_watch(Path(), (), whole_catalog()))
        == len(all_exercises())
    )
    Path("one").mkdir()
    Path("one/relu.py").write_text("")
    assert [each.name for each in exercises_to_watch(Path("one"), (), whole_catalog())] == ["relu"]


def test_a_folder_that_is_gone_changes_nothing_that_is_known():
    path = place("relu")
    watched = session("relu")
    watched.record(passed("relu"), digest_of(path))
    FOLDER.rename("elsewhere")
    watched.refresh()
    assert states(watched) == ["passed"]
