"""A learners' repository: made from a course, and renewed without touching what was changed in it since."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from gradcheck.course.release.contents import contents
from gradcheck.course.release.grader import grader_of
from gradcheck.course.release.stubs import stubs_of
from gradcheck.course.release.update import Outcome, must_be_ours, update
from gradcheck.errors import GradcheckError
from gradcheck.grading.policy.course import Course

_OURS = ("exercises", "solutions", "gradcheck", "tests", "docs", "examples", ".git", ".github", ".venv", ".gradcheck")
"""Folders of the project, which a release would mix with."""


@dataclass(frozen=True)
class Released:
    """What was done, file by file, and what the instructor should know of it."""

    outcome: Outcome
    notes: tuple[str, ...]


def release(dest: Path, course: Course, *, root: Path, grader: str = "") -> Released:
    """Write the learners' repository to `dest`, or bring the one that is there up to date.

    `root` is the project, from which the stubs come. `grader` is the requirement that installs gradcheck, such as
    `gradcheck==0.1.0`; empty: a wheel is put into the repository. Raises GradcheckError; nothing is written then, but
    where writing itself fails.
    """
    _must_be_apart(dest, root)
    must_be_ours(dest)
    installs = grader_of(grader, root)
    stubs, notes = stubs_of(course.exercises, root)
    return Released(update(dest, contents(course, stubs, installs)), notes)


def _must_be_apart(dest: Path, root: Path) -> None:
    target, project = Path(os.path.realpath(dest)), Path(os.path.realpath(root))
    if target == project or target in project.parents:
        raise GradcheckError(f"{dest} is where the project itself lies; a release needs a folder of its own")
    for name in _OURS:
        folder = project / name
        if target == folder or folder in target.parents:
            raise GradcheckError(f"{dest} lies in the project's own {name}/; give the release a folder beside it")
