"""The learners' repository: stubs, a README, the settings of pytest, of a dev container and perhaps of CI, the grader.

It is made from a course, and renewed without touching what was changed in it since.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from gradcheck.authoring.stubs import stubs_of
from gradcheck.authoring.update import HOSTS, Updated, host_of, update
from gradcheck.catalog import all_exercises
from gradcheck.classes.policy import Course, HintCosts
from gradcheck.errors import GradcheckError
from gradcheck.hosts.course_text import course_text
from gradcheck.hosts.github.workflow import WORKFLOW, workflow
from gradcheck.hosts.grader import PYTHON, TORCH_CPU_INDEX, grader_wheel, pinned
from gradcheck.reports.escaping import markdown_text
from gradcheck.showing.templating import filled
from gradcheck.showing.text import points

_TEMPLATES = Path(__file__).parent / "templates" / "release"
_FILES = {
    "README.md": "README.md",
    "conftest.py": "conftest.py",
    "course.toml": "course.toml",
    "devcontainer.json": ".devcontainer/devcontainer.json",
    "gitignore": ".gitignore",
    "pytest.ini": "pytest.ini",
    "requirements.txt": "requirements.txt",
}
"""A template, and where its text goes: a package does not carry files whose names begin with a dot by itself."""
_PINNED = re.compile(
    r"gradcheck(\[[a-z,]+\])?( ?== ?[0-9][A-Za-z0-9.!+-]*"
    r"| @ https://[!-~]+\.(whl|zip|tar\.gz)([?#][!-~]*)?"
    r"| @ git\+https://[^\s@]+@[A-Za-z0-9._/+-]+(#[!-~]*)?)"
)
"""A version, a file, or a commit or tag: what installs the same grader tomorrow."""


_OURS = ("exercises", "solutions", "gradcheck", "tests", "docs", "examples", ".git", ".github", ".venv", ".gradcheck")
"""Folders of the project, which a release would mix with."""


@dataclass(frozen=True)
class Released:
    """What was done, file by file, for which host, and what the instructor should know of it."""

    outcome: Updated
    host: str
    notes: tuple[str, ...]


def release(dest: Path, course: Course, *, root: Path, grader: str = "", host: str = "") -> Released:
    """Write the learners' repository to `dest`, or bring the one that is there up to date.

    `root` is the project, from which the stubs come. `grader` is the requirement that installs gradcheck, such as
    `gradcheck==0.1.0`; empty: a wheel is put into the repository. `host` is one of HOSTS; empty: that of the release
    which is there, or else the first. Raises GradcheckError; nothing is written then, but where writing itself fails.
    """
    _must_be_apart(dest, root)
    host = host or host_of(dest) or HOSTS[0]
    installs = grader_of(grader, root)
    stubs, notes = stubs_of(course.exercises, root)
    outcome = update(dest, contents(course, stubs, installs, host), host=host)
    return Released(outcome, host, (*notes, *_graded_twice(outcome, host)))


def _graded_twice(outcome: Updated, host: str) -> tuple[str, ...]:
    """A workflow that somebody has changed stays; with another host that is more than a file left over."""
    kept = [path for path in outcome.kept if path.startswith(WORKFLOW.rpartition("/")[0])] if host != HOSTS[0] else []
    return tuple(f"{path} was kept, since it was changed, and goes on grading each push; delete it" for path in kept)


def _must_be_apart(dest: Path, root: Path) -> None:
    target, project = Path(os.path.realpath(dest)), Path(os.path.realpath(root))
    if target == project or target in project.parents:
        raise GradcheckError(f"{dest} is where the project itself lies; a release needs a folder of its own")
    for name in _OURS:
        folder = project / name
        if target == folder or folder in target.parents:
            raise GradcheckError(f"{dest} lies in the project's own {name}/; give the release a folder beside it")


def contents(
    course: Course, stubs: Mapping[str, bytes], grader: GraderRequirement, host: str = HOSTS[0]
) -> dict[str, bytes]:
    """Every file by its path, for one of HOSTS. Of the course learners get what applies to all of them: no roster,
    nobody's extension.
    """
    values = {
        "course": course,
        "course_text": course_text(for_learners(course)),
        "due": course.deadline,
        "exercises": [_shown(name, course) for name in course.exercises],
        "grader": grader.line,
        "hints": _hints(course.hints),
        "host": host,
        "max_score": points(course.max_score),
        "pinned": pinned(),
        "python": PYTHON,
        "title": markdown_text(course.title) or "Backpropagation by hand",
        "torch_index": TORCH_CPU_INDEX,
    }
    made = {path: filled(_TEMPLATES / name, **values).encode() for name, path in _FILES.items()}
    if host == "actions":  # Classroom 50 adds a workflow of its own: with ours, each push would be graded twice
        made[WORKFLOW] = workflow(course.exercises).encode()
    return {**made, **stubs, **grader.files}


def for_learners(course: Course) -> Course:
    """The course as every learner may read it. A checkout is graded as it is, whatever is read of the clones later."""
    deadline = replace(course.deadline, extensions={}) if course.deadline else None
    return replace(course, roster=None, deadline=deadline, tag="", at="worktree")


def _shown(name: str, course: Course) -> dict[str, str]:
    exercise = all_exercises()[name]
    return {
        "name": name,
        "path": f"exercises/{exercise.path}",
        "title": markdown_text(exercise.title),
        "functions": ", ".join(f"`{each.spec.name}`" for each in exercise.functions),
        "points": points(course.points_of(name)),
    }


def _hints(hints: HintCosts) -> str:
    """What each costs, in words; they do not add up."""
    said = [f"{points(cost)} % after hint {number}" for number, cost in enumerate(hints.costs, start=1)]
    return ", ".join(
        [*said, f"{points(hints.gave_up)} % where the solution was shown first"] if hints.gave_up else said
    )


@dataclass(frozen=True)
class GraderRequirement:
    """Its line in requirements.txt, and the files that this line needs."""

    line: str
    files: Mapping[str, bytes]


def grader_of(requirement: str, root: Path) -> GraderRequirement:
    """`requirement`, if it is pinned; where it is empty, the grader's own wheel in `vendor/`, with its licence.

    Raises GradcheckError.
    """
    if requirement:
        if not _PINNED.fullmatch(requirement):
            raise GradcheckError(
                f"--grader {requirement!r} is no pinned requirement; write gradcheck==0.1.0, "
                "gradcheck @ https://…/gradcheck-0.1.0-py3-none-any.whl, or gradcheck @ git+https://…@TAG"
            )
        return GraderRequirement(requirement, {})
    name, wheel = grader_wheel()
    files = {f"vendor/{name}": wheel}
    licence = root / "LICENSE"
    if licence.is_file():
        files["vendor/LICENSE"] = licence.read_bytes()
    return GraderRequirement(f"./vendor/{name}", files)
