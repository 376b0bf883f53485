"""CI's scores beside the instructor's regrade, student by student: the regrade decides, and differences are listed with
what may explain them. Nobody's owner is guessed.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from gradcheck.classes.written import FinalReport
from gradcheck.errors import GradcheckError
from gradcheck.gradebooks.collect.changes import Clone
from gradcheck.gradebooks.collect.result import Result, commit_in, shown
from gradcheck.reports.stored import read_report, report_files
from gradcheck.showing.text import plural
from gradcheck.submissions.layout import printable
from gradcheck.submissions.naming import folded
from gradcheck.submissions.roster import Match, Roster, Student

Source = Literal["regrade", "ungraded", "advisory", "ambiguous", "missing"]
_CLOSE = 1e-3
"""Of the full score: what printing with a few digits takes away."""
_MOST_CHANGES = 8


@dataclass(frozen=True)
class Regrade:
    """`score` is what was earned, `final` what is left after hints and lateness: None where it is no mark, since the
    grader failed on the exercises that `ungraded` names. `partly` counts the exercises that earned some of their
    points: what CI may have rounded.
    """

    submission: str
    score: float
    final: float | None
    max_score: float
    commit: str = ""
    submitted: str = ""
    digest: str = ""
    late_days: int = 0
    late_penalty: float = 0.0
    hint_penalty: float = 0.0
    exercises: int = 0
    partly: int = 0
    problems: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    """The id and the email that the grading's own roster found."""
    ungraded: tuple[str, ...] = ()

    @classmethod
    def of(cls, report: FinalReport) -> Regrade:
        mark, policy = report.final_score, report.policy
        return cls(
            report.submission,
            round(float(report.score), 4),
            None if mark is None else round(mark, 4),
            round(float(report.max_score), 4),
            commit=commit_in(shown(report.commit)),
            submitted=shown(report.submitted),
            digest=shown(report.digest),
            late_days=int(policy.late_days),
            late_penalty=float(policy.late_penalty),
            hint_penalty=float(policy.hint_penalty),
            exercises=len(report.exercises),
            partly=sum(0 < each.score < each.max_score for each in report.exercises),
            problems=tuple(map(printable, (*report.problems, *report.unusual)))[:20],
            keys=tuple(key for each in report.students[:1] for key in (each.id, each.email) if key),
            ungraded=tuple(map(printable, report.ungraded)),
        )


@dataclass(frozen=True)
class StudentScore:
    """One student. `ci` and `regrade` are None where there is none, or several that contradict each other.

    `source`    where the final score comes from: the regrade; CI alone, which is advisory; or why there is none. What
                is `ungraded` was regraded, and the grader itself failed on an exercise.
    `final`     the regrade's, and None without one.
    `matters`   sentences on what somebody has to look at; without any, the row is settled.
    `notes`     what else is worth knowing.
    `why`       CI and the regrade say different things of the student, a missing one included, and this explains it.
    """

    student: Student
    submission: str
    ci: Result | None
    regrade: Regrade | None
    clone: Clone | None
    source: Source
    final: float | None
    matters: tuple[str, ...]
    notes: tuple[str, ...]
    why: tuple[str, ...]
    all_ci: tuple[Result, ...] = ()
    all_regrades: tuple[Regrade, ...] = ()

    @property
    def differs(self) -> bool:
        return bool(self.why)


@dataclass(frozen=True)
class ScoreComparison:
    """Rows in the roster's order; what is nobody's, with the reason, as (what, why); and so what is of the staff, who
    try an assignment as a student would, and are looked for in no gradebook.
    """

    rows: tuple[StudentScore, ...]
    nobodys: tuple[tuple[str, str], ...]
    regraded: bool
    """Whether a regrade was given at all."""
    staffs: tuple[tuple[str, str], ...] = ()

    @property
    def settled(self) -> bool:
        return not self.nobodys and not any(row.matters or row.differs for row in self.rows)


def regrades_in(out: Path) -> list[Regrade]:
    """Every submission of the class as it was last graded; reports of submissions that have gone since do not count.

    Raises GradcheckError where one is missing or damaged: the regrade decides, so none of it is left out silently.
    """
    found = []
    for path in report_files(out):
        report = read_report(path)
        if report.submission != path.stem:
            raise GradcheckError(f"{path} is the report of {report.submission!r}; grade again")
        found.append(Regrade.of(report))
    return found


@dataclass
class _Of:
    """What is one student's."""

    results: list[Result] = field(default_factory=list)
    clones: list[Clone] = field(default_factory=list)
    regrades: list[Regrade] = field(default_factory=list)


def compare(
    roster: Roster, results: Sequence[Result], clones: Sequence[Clone], regrades: Sequence[Regrade] | None
) -> ScoreComparison:
    """`regrades` None: there was no regrade, so that CI's scores stay advisory."""
    of = {student: _Of() for student in roster.students}
    by_key = {folded(key): each for each in roster.students for key in (each.id, each.email) if key}
    nobodys: dict[tuple[str, str], None] = {}
    staffs: dict[tuple[str, str], None] = {}

    def owners(names: Sequence[str], what: str, keys: Sequence[str] = ()) -> Iterator[_Of]:
        """By the names, as for everything; a regrade else by what the grading's own roster has found."""
        owner = owner_of(roster, names)
        by_keys = tuple({by_key[folded(key)] for key in keys if folded(key) in by_key})
        if not owner.students and len(by_keys) == 1:
            owner = Owner(by_keys)
        if not owner.students:
            (staffs if owner.staff else nobodys)[what, owner.why] = None
        return (of[student] for student in owner.students)

    for result in results:
        for each in owners(result.names, f"result {result.file}"):
            each.results.append(result)
    for clone in clones:
        for each in owners((clone.name,), f"submission {clone.name}"):
            each.clones.append(clone)
    for regrade in regrades or ():
        for each in owners((regrade.submission,), f"regrade {regrade.submission}", regrade.keys):
            each.regrades.append(regrade)
    rows = [_row(student, of[student], regraded=regrades is not None, any_ci=bool(results)) for student in of]
    return ScoreComparison(tuple(rows), tuple(nobodys), regrades is not None, tuple(staffs))


def _row(student: Student, of: _Of, *, regraded: bool, any_ci: bool) -> StudentScore:
    matters: list[str] = []
    notes: list[str] = []
    why: tuple[str, ...] = ()
    ci = of.results[0] if len({(each.score, each.max_score) for each in of.results}) == 1 else None
    if len(of.results) > 1 and ci:
        notes.append(f"{len(of.results)} results that say the same")
    elif len(of.results) > 1:
        listed = (
            f"{each.score:g}/{each.max_score:g} in {each.file}{f' of {each.when}' if each.when else ''}"
            for each in of.results
        )
        matters.append(f"{len(of.results)} results from CI, none chosen: {'; '.join(listed)}")
    regrade = of.regrades[0] if len(of.regrades) == 1 else None
    if len(of.regrades) > 1:
        listed = (
            f"{'ungraded' if each.final is None else f'{each.final:g}'}/{each.max_score:g} as {each.submission}"
            for each in of.regrades
        )
        matters.append(f"{len(of.regrades)} submissions were regraded, none chosen: {'; '.join(listed)}")
    clone = _clone_of(of.clones, regrade, ci, notes)
    if regrade and regrade.final is None:
        matters.append(f"no score: the grader itself failed on {', '.join(regrade.ungraded)}; grade again")
    elif ci and regrade:
        agreement = agrees(ci, regrade)
        why = () if agreement else reasons(ci, regrade, clone)
        if agreement == "rounded":
            notes.append("CI rounds points down")
    elif regraded and any_ci and bool(of.results) != bool(of.regrades):
        why = ("CI has no result",) if of.regrades else ("the regrade has no such submission",)
    if not (of.results or of.regrades):
        matters.append(f"handed in as {of.clones[0].name}, but not graded" if of.clones else "nothing found")
    notes += ci.notes if ci else ()
    if regrade and regrade.late_days:
        notes.append(f"{_many(regrade.late_days, 'day')} late")
    notes += regrade.problems[:1] if regrade else ()
    if clone and clone.changed and not why:  # where they differ the reasons say it
        notes.append(f"differs from the release: {', '.join(clone.changed[:5])}")
    source: Source = (
        "ungraded" if regrade and regrade.final is None
        else "regrade" if regrade
        else "ambiguous" if len(of.regrades) > 1 or (of.results and not ci)
        else "advisory" if ci
        else "missing"
    )  # fmt: skip
    submission = regrade.submission if regrade else clone.name if clone else ci.names[0] if ci else ""
    return StudentScore(
        student, submission, ci, regrade, clone, source, regrade.final if regrade else None,
        tuple(matters), tuple(dict.fromkeys(notes)), why, tuple(of.results), tuple(of.regrades),
    )  # fmt: skip


def _clone_of(clones: list[Clone], regrade: Regrade | None, ci: Result | None, notes: list[str]) -> Clone | None:
    """The clone that the scores are of, by its name where there are several."""
    wanted = [folded(name) for name in ((regrade.submission,) if regrade else ci.names if ci else ())]
    named = [each for each in clones if folded(each.name) in wanted]
    if len(clones) > 1:
        notes.append(f"{len(clones)} submissions: {', '.join(each.name for each in clones)}")
    return (named or clones)[0] if clones and (named or len(clones) == 1) else None


@dataclass(frozen=True)
class Owner:
    """The student, or a team's; or nobody and why. `staff`: it is a teacher's, who is no student."""

    students: tuple[Student, ...]
    why: str = ""
    staff: bool = False


def owner_of(roster: Roster, names: Sequence[str]) -> Owner:
    """The one student whom all the names that are anybody's belong to, or the team: where one name is a team's and
    another a member's, it is the member's.

    A login is also tried as the end of a repository's name, so that `week2-ada` and `ada` both follow from the
    roster's pattern `*-ada`.
    """
    found: dict[tuple[Student, ...], str] = {}
    others: list[Match] = []
    for name in names:
        match = roster.match(name)
        if match.why == "nobody":
            match = roster.match(f"-{name}")
        if match.students:
            found.setdefault(match.students, name)
        elif match.why != "nobody":
            others.append(match)
    least = min(found, key=len, default=())
    if found and all(set(least) <= set(each) for each in found):
        return Owner(least)
    if found:
        told = (f"{name} is {' and '.join(map(str, students))}" for students, name in found.items())
        return Owner((), f"it names several students: {', '.join(told)}")
    why = others[0] if others else Match(why="nobody")
    return Owner((), why.reason, staff=why.why == "staff")


def agrees(ci: Result, regrade: Regrade) -> Literal["", "same", "rounded"]:
    """Whether CI says what the regrade decides, which has a final score. Where the greatest scores differ, the shares
    are compared.
    """
    assert regrade.final is not None
    if not regrade.max_score:
        return "" if ci.score else "same"
    if _equal(ci, regrade, regrade.final):
        return "same"
    return "rounded" if _rounded(ci, regrade, regrade.final) else ""


def reasons(ci: Result, regrade: Regrade, clone: Clone | None) -> tuple[str, ...]:
    """Why they may differ, what weighs most first. Never empty."""
    found = []
    if other := _other_work(ci, regrade, clone):
        found.append(other)
    if clone and clone.changed:
        more = f" and {len(clone.changed) - _MOST_CHANGES} more" if len(clone.changed) > _MOST_CHANGES else ""
        found.append(f"differs from the release: {', '.join(clone.changed[:_MOST_CHANGES])}{more}")
    if regrade.late_penalty:
        late = f"{_many(regrade.late_days, 'day')} late" if regrade.late_days else "late"
        found.append(f"{late}: {_many(regrade.late_penalty, 'point')} less")
    if regrade.hint_penalty:
        found.append(f"hints cost {_many(regrade.hint_penalty, 'point')}")
    penalised = regrade.late_penalty or regrade.hint_penalty
    if penalised and not _before_penalties(ci, regrade):
        found.append(f"and before that the regrade gave {regrade.score:g}")
    if ci.digest and ci.digest == regrade.digest and not penalised:
        found.append("the same files were graded, as far as CI says; by another grader, or the result was edited")
    return tuple(found) or ("nothing seen here explains it; look at the workflow's run",)


def _many(number: float, what: str) -> str:
    return f"{number:g} {plural(number, what)}"


def _equal(ci: Result, regrade: Regrade, score: float) -> bool:
    return math.isclose(ci.score / ci.max_score, score / regrade.max_score, abs_tol=_CLOSE)


def _rounded(ci: Result, regrade: Regrade, score: float) -> bool:
    """Where points come in grains: an exercise that is full stays full, another loses less than a grain of its points,
    and so does what penalties leave; greatest scores are rounded up.
    """
    more = ci.max_score - regrade.max_score
    if not ci.grain or not 0 <= more < max(1, regrade.exercises) * ci.grain:
        return False
    lost = score - ci.score
    partly = max(regrade.partly, 1 if score < regrade.score else 0)
    return -more <= lost and (lost < partly * ci.grain or lost <= 0)


def _before_penalties(ci: Result, regrade: Regrade) -> bool:
    return _equal(ci, regrade, regrade.score) or _rounded(ci, regrade, regrade.score)


def _other_work(ci: Result, regrade: Regrade, clone: Clone | None) -> str:
    """That the two graded different work, where that can be told."""
    theirs, ours = ci.commit, regrade.commit
    if theirs and ours:
        return f"another commit: CI graded {theirs[:10]}, the regrade {ours[:10]}" if theirs != ours else ""
    if theirs and clone and clone.commit and theirs != clone.commit:
        return f"another commit: CI graded {theirs[:10]}, the clone is at {clone.commit[:10]}"
    if ci.digest and regrade.digest and ci.digest != regrade.digest:
        return "the files that were graded are not the same"
    return ""
