"""What grading a class leaves behind: `reports/NAME.json`, `feedback/NAME.html`, `class.json`, `grades.csv`,
`index.html`, and a `.gitignore`, since names and marks belong in no repository.

Reports are written one by one as they come, each in one step; what is kept for the whole class is its summary. Nothing
outside these names is touched, and nothing is removed but half-written files of a run that was killed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import msgspec
from msgspec.structs import replace

from gradcheck.catalog import find_exercise
from gradcheck.classes.policy import Course
from gradcheck.classes.report import (
    ClassReport,
    CourseTitle,
    GraderUsed,
    IgnoredEntry,
    RosterGaps,
)
from gradcheck.classes.run import GradedSubmission
from gradcheck.classes.summary import ClassSummary
from gradcheck.errors import GradcheckError, explained
from gradcheck.grading.small_files import write_whole
from gradcheck.reports.feedback import feedback_html
from gradcheck.reports.stored import text_of
from gradcheck.submissions.roster import Student

_HALF = re.compile(r"\..+\.(?:json|csv|html)\.\d+\.part")


class ClassFolder:
    """Takes graded submissions, and writes. Raises GradcheckError where the folder cannot be written."""

    def __init__(self, out: Path, course: Course, grader: GraderUsed) -> None:
        self.out, self.course = out, course
        due = course.deadline.at.isoformat() if course.deadline else ""
        exercises = [find_exercise(name) for name in course.exercises]
        self._summary = ClassSummary(CourseTitle(course.title, due), grader, exercises)
        self._people: dict[str, Sequence[Student]] = {}
        for folder in (out, out / "reports", out / "feedback"):
            self._made(folder)
            _swept(folder)
        if not (out / ".gitignore").exists():
            self._write(out / ".gitignore", b"*\n")

    def take(self, graded: GradedSubmission) -> None:
        """Apply the course's policy to a report and write it."""
        report, name = graded.under(self.course), graded.facts.name
        self._write(self.out / "reports" / f"{name}.json", text_of(report).encode())
        self._write(self.out / "feedback" / f"{name}.html", feedback_html(report).encode())
        self._summary.add(report, seconds=graded.seconds, reused=graded.reused)
        self._people[name] = graded.facts.people

    def finish(self, ignored: Sequence[tuple[str, str]]) -> ClassReport:
        """Write what is about the whole class; the summary. `ignored` are entries that are no submissions, and why."""
        from gradcheck.reports.whole_class.grades_csv import grades_csv
        from gradcheck.reports.whole_class.html import class_html

        summary = replace(
            self._summary.so_far(),
            ignored=tuple(IgnoredEntry(name, why) for name, why in ignored),
            gone=self._gone(),
            roster=RosterGaps.of(self.course.roster, self._people) if self.course.roster else None,
        )
        text = json.dumps(msgspec.to_builtins(summary), indent=1, ensure_ascii=False, allow_nan=False) + "\n"
        self._write(self.out / "class.json", text.encode())
        self._write(self.out / "grades.csv", grades_csv(summary))
        self._write(self.out / "index.html", class_html(summary).encode())
        return summary

    def _gone(self) -> tuple[str, ...]:
        """The submissions that an earlier run graded and that are not there any more. Their reports stay: a folder that
        was moved by mistake should cost nobody anything.
        """
        found = ((path.stem, path.name) for path in (self.out / "reports").glob("*.json"))
        return tuple(sorted(stem for stem, name in found if stem not in self._people and not name.startswith(".")))

    def _made(self, folder: Path) -> None:
        with explained(f"{folder} cannot be made", "give --out another place"):
            folder.mkdir(parents=True, exist_ok=True)

    def _write(self, path: Path, content: bytes) -> None:
        try:
            write_whole(path, content)
        except OSError as error:
            raise GradcheckError(
                f"{path} cannot be written: {error.strerror}. What was graded is kept in the journal; "
                "mend that and run the same command again"
            ) from None


def _swept(folder: Path) -> None:
    """Remove what `write_whole` left behind where it was killed."""
    for path in folder.glob(".*.part"):
        if _HALF.fullmatch(path.name):
            with suppress(OSError):
                path.unlink()
