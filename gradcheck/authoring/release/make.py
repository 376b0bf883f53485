"""A learners' repository: made from a course, and renewed without touching what was changed in it since."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from gradcheck.authoring.release.contents import HOSTS, WORKFLOWS, contents
from gradcheck.authoring.release.grader import grader_of
from gradcheck.authoring.release.stubs import stubs_of
from gradcheck.authoring.release.update import Updated, host_of, update
from gradcheck.classes.policy import Course
from gradcheck.errors import GradcheckError

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
    kept = [path for path in outcome.kept if path.startswith(f"{WORKFLOWS}/")] if host != HOSTS[0] else []
    return tuple(f"{path} was kept, since it was changed, and goes on grading each push; delete it" for path in kept)


def _must_be_apart(dest: Path, root: Path) -> None:
    target, project = Path(os.path.realpath(dest)), Path(os.path.realpath(root))
    if target == project or target in project.parents:
        raise GradcheckError(f"{dest} is where the project itself lies; a release needs a folder of its own")
    for name in _OURS:
        folder = project / name
        if target == folder or folder in target.parents:
            raise GradcheckError(f"{dest} lies in the project's own {name}/; give the release a folder beside it")
