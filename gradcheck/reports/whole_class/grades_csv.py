"""grades.csv: a row per student, a column per exercise, for spreadsheets and for scripts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gradcheck.classes.report import ClassReport, RosterGaps
from gradcheck.grading.report import GRADED
from gradcheck.reports.escaping import csv_file
from gradcheck.submissions.roster import StudentName

OPENING = ("name", "student", "email", "id", "final_score", "score", "max_score", "late_days")
NOTHING = "nothing handed in"
SEVERAL = "one of several of this student"
NOBODYS = "of nobody in the roster"


def grades_csv(summary: ClassReport) -> bytes:
    """The file's bytes, from `gradcheck/class/v1`: submissions in the order of the summary, which is by name, a row for
    every member of a team; then, in the roster's order, who handed in nothing: without a mark, which is for people to
    give, and with that as the note.

    Where the grader failed on an exercise, its cell and the totals are empty, since whatever imports the file would
    take a number for a mark; the column `ungraded` names the exercises.
    """
    names = [each.name for each in summary.exercises]
    return csv_file([[*OPENING, *names, *GRADED, "ungraded", "note"], *_rows(summary, names)])


def _rows(summary: ClassReport, names: list[str]) -> Iterator[list[str | float | None]]:
    roster = summary.roster or RosterGaps()
    several = {(name, *_key(each.student)) for each in roster.several for name in each.submissions}
    for row in summary.submissions:
        ungraded = row.ungraded
        totals = (None, None) if ungraded else (row.final_score, row.score)
        cells = {name: cell.score for name, cell in row.exercises.items() if name not in ungraded}
        nobodys = NOBODYS if summary.roster else ""
        for student in row.students or (None,):
            note = SEVERAL if (row.name, *_key(student)) in several else "" if student else nobodys
            yield [
                row.name,
                *_key(student),
                *totals,
                row.max_score,
                row.late_days,
                *map(cells.get, names),
                *(row.status[status] for status in GRADED),
                " ".join(ungraded),
                note,
            ]
    empty: Sequence[str] = [""] * (4 + len(names) + len(GRADED) + 1)
    for absent in roster.without_submission:
        yield ["", *_key(absent), *empty, NOTHING]


def _key(student: StudentName | None) -> tuple[str, str, str]:
    return (student.name, student.email, student.id) if student else ("", "", "")
