"""The summary of a run: what it touched, how the rest stands, what comes next. To the printed text, at 80 columns."""

from __future__ import annotations

from pathlib import Path

import pytest

from gradcheck.catalog import find_exercise
from gradcheck.desk.progress import progress_of, progress_text
from gradcheck.grading.desk_record import note
from gradcheck.grading.last_results import digest_of, names_of_checks, remember_run
from gradcheck.reports.passing import passed_lines
from tests.checks.totals import COUNT, POINTS
from tests.desk.desk_commands import place

STATE = Path(".gradcheck")
FOLDER = Path("exercises")


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")


def course(*names: str, more: str = "") -> None:
    only = ", ".join(f'"{name}"' for name in names)
    Path("course.toml").write_text(f"[exercises]\nonly = [{only}]\n{more}")


def ran(name: str, status: str = "passed", *only: str, keep: bool = True) -> list[dict[str, str]]:
    """What a run tells of an exercise; of these functions or checks only, where some are named."""
    exercise = find_exercise(name)
    wanted = [check for check in names_of_checks(exercise) if not only or check in only or check.split(".")[0] in only]
    told = [
        {
            "exercise": name,
            "function": check.split(".")[0],
            "check": check.split(".")[1],
            "status": status,
            "folder": "exercises",
            "digest": digest_of(FOLDER / exercise.path),
        }
        for check in wanted
    ]
    if keep:
        remember_run(told, STATE)
    return told


def whole(*told: list[dict[str, str]]) -> list[str]:
    records = [record for each in told for record in each]
    lines = progress_text(progress_of(records, Path.cwd(), STATE), colour=False, blocks=True).splitlines()
    assert max(map(len, lines)) <= 80
    return [line.rstrip() for line in lines]


def told_of(name: str) -> list[str]:
    return [f"  {line}" for line, _ in passed_lines(find_exercise(name), 78, hints=0, gave_up=False)]


def shown(*told: list[dict[str, str]]) -> list[str]:
    """Without what is told of exercises that passed."""
    names = {record["exercise"] for each in told for record in each}
    passed = [line for name in names for line in told_of(name)]
    return [line for line in whole(*told) if line not in (*passed, *names)]


def test_all_done_is_said_of_the_whole_course_only():
    course("relu", "add")
    place("relu")
    place("add")
    assert shown(ran("relu"))[1:] == [
        "4 of 4 points. Next: exercises/04_modules/add.py",
        "    The sum of two tensors",
        "    a hint:  gradcheck hint add",
        "    check:   pytest exercises/04_modules/add.py",
        "Only a part was run: 1 of 2 exercises. In all: 4 of 7 points.",
    ]
    # relu is known to be right, so after add all is done, whatever the catalog has besides.
    assert shown(ran("add"))[1:] == [
        "3 of 3 points. All done.",
        "Only a part was run: 1 of 2 exercises. In all: 7 of 7 points.",
    ]
    assert shown(ran("relu"), ran("add")) == [
        "04_modules  ████████████████████████  2/2 exercises  7/7 points",
        "7 of 7 points. All done.",
    ]


def test_what_has_passed_as_a_whole_says_what_it_is_for():
    course("relu", "add", "tanh", "sigmoid")
    for name in ("relu", "add", "tanh", "sigmoid"):
        place(name)
    told = told_of("relu")
    assert told[0] == "  Passed without a hint."
    assert whole(ran("relu"))[1 : len(told) + 1] == told
    # Two beside each other have their names above; what failed, and what was run in part, has nothing to tell.
    lines = whole(ran("relu"), ran("add"))
    assert lines[2 : len(told) + 3] == ["relu", *told]
    assert lines.count("  Passed without a hint.") == 2
    lines = whole(ran("relu"), ran("add", "failed"), ran("tanh", "passed", "forward"))
    assert lines.count("  Passed without a hint.") == 1
    assert "relu" in lines
    assert not {"add", "tanh"} & set(lines)
    # A run of many is not flooded.
    assert not any(line.startswith("  Passed") for line in whole(*map(ran, ("relu", "add", "tanh", "sigmoid"))))


@pytest.mark.parametrize("taken", [{"hint": 1}, {"gave_up": True}], ids=str)
def test_without_a_hint_is_said_only_where_it_is_true(taken):
    course("relu", "add")
    place("relu")
    note(FOLDER, "relu", **taken)
    lines = whole(ran("relu"))
    assert "Passed without" not in " ".join(lines)
    assert "In torch: torch.nn.functional.relu, torch.nn.ReLU" in " ".join(lines)


def test_of_the_whole_catalog_not_even_what_is_here_is_all():
    place("relu")
    assert shown(ran("relu"))[1:] == [
        f"4 of 4 points. All that is here has passed; {COUNT - 1} of {COUNT} exercises are missing.",
        f"Only a part was run: 1 of {COUNT} exercises. In all: 4 of {POINTS:g} points.",
    ]


def test_a_part_of_a_file_that_was_never_checked_says_so():
    course("relu", "add")
    place("relu")
    place("add", "exercises")
    lines = shown(ran("relu", "passed", "forward"))
    assert lines[0] == "relu  ██████░░░░░░░░░░░░░░░░░░  not checked  1/4 points"
    assert lines[1] == "1 of 4 points. Next: exercises/04_modules/relu.py"
    assert " ".join(lines[5:]) == (
        "Only a part was run: some checks of 1 of 2 exercises; the others count as they were last checked. Not checked "
        "yet: relu.backward, relu.jacobian. In all: 1 of 7 points."
    )


def test_points_are_the_courses():
    course("relu", "add", more="[points]\nrelu = 10\n")
    place("relu")
    place("add", "exercises")
    lines = shown(ran("relu", "passed", "backward"))
    assert lines[0] == "relu  ████████████░░░░░░░░░░░░  not checked  5/10 points"
    assert " ".join(lines).endswith("In all: 5 of 13 points.")


def test_what_runs_besides_the_course_is_shown_and_counts_for_nothing():
    course("add")
    place("relu")
    place("add")
    ran("add")
    lines = shown(ran("relu", "failed"))
    assert lines[0] == "relu  ░░░░░░░░░░░░░░░░░░░░░░░░  failed  0/4 points"
    assert lines[-2:] == [
        "Only a part was run: 0 of 1 exercises. In all: 3 of 3 points.",
        "Not of this course, and not counted in it: relu.",
    ]


def test_what_the_course_promises_and_the_folder_has_not_is_told():
    course("relu", "add", "tanh")
    place("relu")
    lines = shown(ran("relu"), ran("add", "not_started"))
    assert lines == [
        "04_modules  █████████████░░░░░░░░░░░  1/2 exercises  4/7 points",
        "4 of 7 points. All that is here has passed; 2 of 3 exercises are missing.",
        "2 files of the course are missing here. To have git bring back what it knows:",
        "    git checkout exercises/04_modules/add.py",
        "    git checkout exercises/04_modules/tanh.py",
    ]
    assert shown(ran("add", "not_started", "forward"))[0] == "add  ░░░░░░░░░░░░░░░░░░░░░░░░  missing  0/3 points"


def test_a_state_that_cannot_be_kept_is_known_for_this_run():
    course("relu", "add")
    STATE.write_text("a file where the folder should be")
    place("relu")
    place("add")
    assert shown(ran("relu", keep=False), ran("add", "failed", keep=False)) == [
        "04_modules  █████████████░░░░░░░░░░░  1/2 exercises  4/7 points",
        "4 of 7 points. Next: exercises/04_modules/add.py",
        "    The sum of two tensors",
        "    a hint:  gradcheck hint add",
        "    check:   pytest exercises/04_modules/add.py",
    ]


def test_the_graders_own_failure_is_no_points_and_no_failure():
    course("relu")
    place("relu")
    lines = shown(ran("relu", "passed", "forward") + ran("relu", "ungraded", "backward", "jacobian"))
    assert lines[0] == "relu  ░░░░░░░░░░░░░░░░░░░░░░░░  ungraded  –/4 points"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("[exercises\n", "course.toml is not readable as TOML: "),
        (
            '[exercises]\nonly = ["rellu"]\n',
            'course.toml, line 2: [exercises] only names "rellu", but there is no such exercise; did you mean relu?',
        ),
        (b"\xff\xfe", "course.toml is no UTF-8 text (byte 0); save it as UTF-8"),
        (None, "course.toml is not a plain file of at most 1000 kB"),
        ("#" * 1_000_001, "course.toml is not a plain file of at most 1000 kB"),
        ('[roster]\nfile = "nobody.csv"\n', "nobody.csv cannot be read: No such file or directory"),
    ],
    ids=["no TOML", "unknown exercise", "no text", "a folder", "too long", "a roster that is elsewhere"],
)
def test_a_course_that_cannot_be_read_is_one_sentence_and_the_catalog(content, told):
    if content is None:
        Path("course.toml").mkdir()
    else:
        Path("course.toml").write_bytes(content if isinstance(content, bytes) else content.encode())
    place("relu")
    lines = shown(ran("relu"))
    assert lines[1] == f"4 of 4 points. All that is here has passed; {COUNT - 1} of {COUNT} exercises are missing."
    flat = " ".join(lines)
    assert told in flat
    assert flat.endswith("Until then all exercises of gradcheck are counted.")
    assert flat.count("course.toml") + flat.count("roster") >= 1


def test_a_course_that_is_a_broken_link():
    Path("course.toml").symlink_to("nowhere.toml")
    place("relu")
    assert "course.toml cannot be read: No such file or directory." in " ".join(shown(ran("relu")))
