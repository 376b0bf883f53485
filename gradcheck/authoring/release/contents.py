"""What is in a learners' repository: stubs, a README, the settings of pytest, of a dev container and perhaps of CI, the
grader.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from dataclasses import replace

from gradcheck.authoring.course_text import course_text
from gradcheck.authoring.filled import filled
from gradcheck.authoring.pins import TORCH_CPU_INDEX, pinned
from gradcheck.authoring.release.grader import GraderRequirement
from gradcheck.catalog import all_exercises
from gradcheck.classes.policy import Course, HintCosts
from gradcheck.errors import GradcheckError
from gradcheck.reports.escaping import markdown_text
from gradcheck.showing.text import points

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
WORKFLOWS = ".github/workflows"
_ONLY_ON: dict[str, dict[str, str]] = {
    "actions": {"classroom.yml": f"{WORKFLOWS}/classroom.yml"},
    "classroom50": {},
    "plain": {},
}
"""By where pushes are graded. Classroom 50 adds a workflow of its own: with ours, each push would be graded twice."""
HOSTS = tuple(_ONLY_ON)
_NAME = re.compile(r"[a-z][a-z0-9_]*")


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
        "python": f"{sys.version_info[0]}.{sys.version_info[1]}",
        "runners": _runners(course.exercises),
        "title": markdown_text(course.title) or "Backpropagation by hand",
        "torch_index": TORCH_CPU_INDEX,
    }
    files = {**_FILES, **_ONLY_ON[host]}
    made = {path: filled(f"release/{name}", values) for name, path in files.items()}
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


def _runners(names: tuple[str, ...]) -> dict[str, str]:
    """Each exercise and the step that reports it: the reporter finds its results as RUNNER_RESULTS, and takes letters
    and digits only. Names come from the catalog, and still no other character may get into a workflow.
    """
    found: dict[str, str] = {}
    for name in names:
        step = name.replace("_", "")
        if not _NAME.fullmatch(name) or step in {*found.values(), "grade"}:
            raise GradcheckError(f"the exercise {name!r} needs another name: a workflow's step cannot be called by it")
        found[name] = step
    return found
