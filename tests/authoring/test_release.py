"""What a release holds, and what it does not."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from gradcheck.authoring.release import release
from gradcheck.authoring.stubs import is_unsolved, stubs_of
from gradcheck.catalog import all_exercises, exercises_of
from gradcheck.classes.policy import Course, load_course
from gradcheck.commands.cli import cli
from gradcheck.errors import GradcheckError
from gradcheck.hosts.course_text import for_units
from tests.authoring.answers_in import Search, every_file

pytestmark = pytest.mark.outside

ROOT = Path(__file__).parent.parent.parent
SECRET = "Grace Hopper"
COURSE = """
[course]
title = "Week | 2 <b>"
[exercises]
units = ["04_modules", "05_losses"]
[points]
relu = 10
mse = 7
[deadline]
at = 2026-10-01T23:59:00+02:00
late = "per-day"
penalty_per_day = 10
max_days = 3
[deadline.extensions]
"grace@navy.mil" = 7
[hints]
costs = [0, 0, 5, 20]
[roster]
file = "roster.csv"
[submissions]
tag = "week2"
"""

FLOORS = ("gradcheck/catalog/", "gradcheck/operators/")
KNOWN_IN_THE_GRADER = {
    "linear_model.backward": "two products, each with the other's factor: a mistake in `add`",
    "linear.forward": "torch's own function of the operator, which learners may call (F.linear)",
    "normalise.forward": "the form, with other arrays in it: a mistake of backward takes the mean off grad_output",
    "normalise.backward": "the form, with other arrays in it: a mistake of forward divides the mean alone",
    "weight_decay.l2_gradient": "any product of 2 and two names",
}
"""Answers that the grader's own code holds somewhere, and why: it knows what is right, and is open to be read."""


@pytest.fixture(scope="module")
def released(tmp_path_factory):
    """A release of unit 04 of a course that has secrets."""
    folder = tmp_path_factory.mktemp("release")
    (folder / "course.toml").write_text(COURSE)
    (folder / "roster.csv").write_text(f"name,email,submission\n{SECRET},grace@navy.mil,cobol\n")
    dest = folder / "learners"
    release(dest, for_units(load_course(folder / "course.toml"), ["04"]), root=ROOT)
    return dest


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    dest = tmp_path_factory.mktemp("whole") / "learners"
    release(dest, Course(), root=ROOT)
    return dest


def test_it_holds_this_and_nothing_else(released):
    found = {path.relative_to(released).as_posix() for path in released.rglob("*") if path.is_file()}
    stubs = {f"exercises/{each.path}" for each in exercises_of("04_modules")}
    assert found == stubs | {
        ".devcontainer/devcontainer.json",
        ".github/workflows/classroom.yml",
        ".gitignore",
        ".gradcheck-release.json",
        "README.md",
        "conftest.py",
        "course.toml",
        "pytest.ini",
        "requirements.txt",
        "vendor/LICENSE",
        "vendor/gradcheck-0.1.0-py3-none-any.whl",
    }


def test_stubs_are_those_of_the_project(whole):
    for exercise in all_exercises().values():
        path = f"exercises/{exercise.path}"
        assert (whole / path).read_bytes() == (ROOT / path).read_bytes()


def test_no_answer_is_in_it(whole):
    search = Search()
    assert len(search.answers) > 80
    found = {
        name: answers for name, content in every_file(whole).items() if (answers := search.found_in(name, content))
    }
    assert {name for name in found if "!gradcheck/" not in name} == set()
    assert set().union(*found.values()) == set(KNOWN_IN_THE_GRADER)
    elsewhere = {name: answers for name, answers in found.items() if not name.partition("!")[2].startswith(FLOORS)}
    assert elsewhere == {}


@pytest.mark.parametrize("path", ["04_modules/softmax.py", "03_backpropagation/graph.py", "07_training/inference.py"])
def test_the_search_finds_an_answer_in_disguise(path):
    """Under other names, in a class, without comments, and as text."""
    search = Search()
    source = (ROOT / "solutions" / path).read_text(encoding="utf-8")
    stem = Path(path).stem
    everything = {each.name for each in search.answers if each.name.startswith(f"{stem}.")}
    renamed = source.replace("grad_output", "g").replace("logits", "scores").replace("parents", "above")
    inside = "class Mine:\n" + "".join(f"    {line}" for line in renamed.splitlines(keepends=True)[6:])
    inside = inside.replace("from __future__ import annotations", "")
    assert everything <= search.found_in("mine.py", inside.encode())
    bare = "\n".join(each.text for each in search.answers if each.name in everything and len(each.text) > 60)
    assert search.found_in("README.md", bare.encode())


def test_nobody_is_named_in_it(released):
    for name, content in every_file(released).items():
        if "!gradcheck/" not in name:
            assert SECRET.encode() not in content, name
            assert b"navy.mil" not in content, name
            assert b"cobol" not in content, name


def test_nothing_of_ours_but_the_package_is_in_the_wheel(released):
    names = [name.split("!")[1] for name in every_file(released) if "!" in name]
    assert {name.split("/")[0] for name in names} == {"gradcheck", "gradcheck-0.1.0.dist-info"}


def test_the_course_is_what_applies_to_all(released):
    course = load_course(released / "course.toml")
    assert course.exercises == tuple(each.name for each in exercises_of("04_modules"))
    assert course.points == {"relu": 10}
    assert course.deadline.at.isoformat() == "2026-10-01T23:59:00+02:00"
    assert course.deadline.penalty_per_day == 10
    assert not course.deadline.extensions
    assert course.hints.costs == (0, 0, 5, 20)
    assert course.roster is None
    assert course.at == "worktree"


def test_the_readme_tells_what_counts_and_when(released):
    text = (released / "README.md").read_text(encoding="utf-8")
    assert text.startswith("# Week \\| 2 &lt;b&gt;\n")
    assert "`exercises/04_modules/relu.py`: The rectifier, max(x, 0) | `forward`, `backward`, `jacobian` | 10 |" in text
    assert "Due Thursday 01 October 2026, 23:59 (UTC+02:00)" in text
    assert "costs 10 % of the points. After 3 days nothing counts.\n" in text
    assert "5 % after hint 3" in text
    assert "git push origin week2" in text
    assert "That score is advisory." in text
    assert "[[" not in text.replace("[[1", "")


def test_the_grader_is_pinned_and_comes_along(released):
    lines = (released / "requirements.txt").read_text().splitlines()
    assert lines[-1] == "./vendor/gradcheck-0.1.0-py3-none-any.whl"
    assert lines[1].startswith("torch==")
    assert all("==" in line for line in lines[1:-1])
    container = json.loads((released / ".devcontainer/devcontainer.json").read_text())
    assert container["postCreateCommand"].endswith("-m pip install --requirement requirements.txt")


@pytest.mark.parametrize(
    "requirement",
    [
        "gradcheck==0.1.0",
        "gradcheck[plots] == 0.1.0",
        "gradcheck @ https://example.org/gradcheck-0.1.0-py3-none-any.whl#sha256=ab",
        "gradcheck @ git+https://example.org/uni/gradcheck@v0.1.0",
    ],
)
def test_the_grader_may_be_installed_from_elsewhere(tmp_path, requirement):
    release(tmp_path / "r", Course(exercises=("relu",)), root=ROOT, grader=requirement)
    assert (tmp_path / "r/requirements.txt").read_text().splitlines()[-1] == requirement
    assert not (tmp_path / "r/vendor").exists()


@pytest.mark.parametrize(
    "requirement",
    [
        "gradcheck",
        "gradcheck>=0.1",
        "gradcheck==0.1\n--index-url x",
        "numpy==1",
        "-e .",
        "gradcheck @ git+https://a.b/c",
    ],
)
def test_a_grader_that_is_not_pinned_is_refused(tmp_path, requirement):
    with pytest.raises(GradcheckError, match="no pinned requirement"):
        release(tmp_path / "r", Course(exercises=("relu",)), root=ROOT, grader=requirement)
    assert not (tmp_path / "r").exists()


@pytest.fixture
def project(tmp_path):
    """A project with three exercises that may be worked in."""
    root = tmp_path / "project"
    for name in ("linear", "relu", "softmax"):
        for folder in ("exercises", "solutions"):
            target = root / folder / all_exercises()[name].path
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / folder / all_exercises()[name].path, target)
    return root


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace('raise NotImplementedError("forward is not written yet")', "return x.relu()"),
        lambda text: text.replace("# TODO: your code here", "# grad_output * (x > 0)", 1),
        lambda text: text + "\n\ndef mask(x):\n    return x > 0\n",
        lambda text: text + "\nMASK = '(x > 0)'\n",
        lambda text: text.replace("    # TODO: your code here", "    mask = x > 0", 1),
        lambda text: text + "def broken(:\n",
    ],
)
def test_what_the_instructor_wrote_into_an_exercise_is_not_released(project, change):
    mine = project / "exercises/04_modules/relu.py"
    stub = mine.read_text()
    mine.write_text(change(stub))
    assert mine.read_text() != stub
    files, notes = stubs_of(["relu", "linear"], project)
    assert files["exercises/04_modules/relu.py"].decode() == stub
    assert notes == ("exercises/04_modules/relu.py is more than a stub; the release has the stub of its solution",)
    shutil.rmtree(project / "solutions")
    with pytest.raises(
        GradcheckError, match=r"relu.py is more than a stub, and there is no solutions/04_modules/relu.py"
    ):
        stubs_of(["relu"], project)


def test_a_stub_with_another_docstring_is_the_instructors_choice(project):
    mine = project / "exercises/04_modules/relu.py"
    mine.write_text(mine.read_text().replace('"""', '"""Read chapter 6. ', 1))
    assert is_unsolved(mine.read_text(), all_exercises()["relu"])
    files, notes = stubs_of(["relu"], project)
    assert b"Read chapter 6." in files["exercises/04_modules/relu.py"]
    assert not notes


def test_no_solution_counts_as_unsolved():
    for exercise in all_exercises().values():
        assert not is_unsolved((ROOT / "solutions" / exercise.path).read_text(encoding="utf-8"), exercise)


def test_units_by_number_name_and_list():
    all_of = tuple(each.name for unit in ("04_modules", "05_losses") for each in exercises_of(unit))
    for named in (["04,05"], ["05_losses", "04_modules"], ["losses", "04"], ["04", "05,"]):
        assert for_units(Course(), named).exercises == all_of
    assert for_units(Course(), []) == Course()


@pytest.mark.parametrize(
    ("course", "units", "message"),
    [
        (Course(), ["4_module"], "no unit '4_module'; did you mean 04_modules?"),
        (Course(), ["zzz"], "no unit 'zzz'; there are: 01_models"),
        (Course(exercises=("relu",)), ["05"], "no exercise of 05_losses"),
        (Course(exercises=()), [], "no exercise at all"),
        (Course(exercises=("relu", "mse"), points={"relu": 0}), ["04"], "worth 0 points"),
    ],
)
def test_units_that_leave_nothing_are_refused(course, units, message):
    with pytest.raises(GradcheckError, match=message.replace("?", r"\?")):
        for_units(course, units)


def test_a_folder_that_is_no_project_has_nothing_to_release(tmp_path):
    with pytest.raises(GradcheckError, match="neither exercises/ nor solutions/"):
        release(tmp_path / "r", Course(), root=tmp_path, grader="gradcheck==0.1.0")
    assert not (tmp_path / "r").exists()


def test_the_command(tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    dest = str(tmp_path / "r")
    first = CliRunner().invoke(cli, ["release", dest, "--units", "05", "--grader", "gradcheck==0.1.0"])
    assert (first.exit_code, first.output) == (0, f"{dest}: 12 written\n")
    (tmp_path / "r/exercises/05_losses/mse.py").write_text("mine\n")
    again = CliRunner().invoke(cli, ["release", dest, "--units", "05,04", "--grader", "gradcheck==0.1.1"])
    assert again.exit_code == 0
    assert again.output.splitlines() == [
        f"{dest}: 10 written, 4 renewed, 7 unchanged, 1 kept",
        "  kept    exercises/05_losses/mse.py, which was changed since or is no file of the release's",
    ]
