"""One checkout graded by itself, as a host of courses does it: sandboxed, with the course's policy applied."""

from __future__ import annotations

import dataclasses
import os
import tempfile
from pathlib import Path

from msgspec.structs import replace

from gradcheck.classes.journal import opened
from gradcheck.classes.policy import Course
from gradcheck.classes.pool import Pool
from gradcheck.classes.run import Progress, grade_class
from gradcheck.classes.settings_for import must_hold, settings_for
from gradcheck.classes.written import FinalReport
from gradcheck.submissions.places import Place

_MOST_LANES = 4
"""Side by side they compute expected values, at 0.3 GB each; the submission itself goes through one of them."""


def grade_checkout(
    folder: Path,
    course: Course,
    *,
    name: str,
    submitted: str | None = None,
    require_sandbox: bool = False,
    progress: Progress | None = None,
    unusual: list[str] | None = None,
) -> FinalReport:
    """A folder's report, as `gradcheck grade` writes it (docs/report-v1.md), after the course's policy.

    `folder` holds `exercises/`, or is one of the other layouts that a submission may have; `name` is what the report
    calls it, and what the course's roster knows it by. The working tree is read, whatever the course says of commits.
    `submitted` is when it was handed in (ISO 8601 with an offset), where the host knows better than git. The report
    names its seed: each is drawn for one run alone, and no later one uses it. What is for the instructor alone is in no
    report of a host, which shows it to the learner; it goes to `unusual`.

    Raises GradcheckError where nothing can be graded on this machine, or with `require_sandbox` not safely.
    """
    lanes = max(1, min(_MOST_LANES, os.cpu_count() or 1, len(course.exercises)))
    place = Place(name, str(folder.absolute()), is_archive=False)
    with tempfile.TemporaryDirectory(prefix="gradcheck-") as made:
        state = Path(made)
        settings = settings_for(course, state / "expected", hidden=(folder, state))
        with opened(state) as journal, Pool(settings, lanes) as pool:
            must_hold(pool.ready(), required=require_sandbox)
            (graded,) = grade_class([place], settings, journal, pool, progress or _quiet)
    if submitted is not None:
        graded = dataclasses.replace(graded, facts=dataclasses.replace(graded.facts, submitted=submitted))
    report = graded.under(dataclasses.replace(course, closed=True))
    if unusual is not None:
        unusual += report.unusual
    # What is for the instructor alone is said where an instructor grades: a host shows this report to the learner.
    return replace(report, unusual=())


def _quiet(_stage: str, _done: int, _of: int) -> None:
    """Nobody is watching."""
