"""CI's scores beside the instructor's regrade, student by student: the regrade decides, and differences are listed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeVar

from gradcheck.gradebooks.collect.clones import Clone
from gradcheck.gradebooks.collect.owners import Owner, owner_of
from gradcheck.gradebooks.collect.reasons import agrees, reasons
from gradcheck.gradebooks.collect.regrade import Regrade
from gradcheck.gradebooks.collect.result import Result
from gradcheck.submissions.naming import folded
from gradcheck.submissions.roster import Roster, Student

Source = Literal["regrade", "ungraded", "advisory", "ambiguous", "missing"]
T = TypeVar("T")


@dataclass(frozen=True)
class StudentScore:
    """One student. `ci` and `regrade` are None where there is none, or several that contradict each other.

    `source`    where the final score comes from: the regrade; CI alone, which is advisory; or why there is none. What
                is `ungraded` was regraded, and the grader itself failed on an exercise.
    `final`     the regrade's, and None without one.
    `matters`   sentences on what somebody has to look at; without any, the row is settled.
    `notes`     what else is worth knowing.
    `differs`   CI and the regrade say different things of the student, a missing one included; `why` explains.
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
    differs: bool
    why: tuple[str, ...]
    all_ci: tuple[Result, ...] = ()
    all_regrades: tuple[Regrade, ...] = ()


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
    nobodys: list[tuple[str, str]] = []
    staffs: list[tuple[str, str]] = []

    def share(what: str, items: Iterable[T], owner: Callable[[T], Owner], name: Callable[[T], str]) -> None:
        for item in items:
            found = owner(item)
            if not found.students:
                (staffs if found.staff else nobodys).append((name(item), found.why))
            for student in found.students:
                getattr(of[student], what).append(item)

    share("results", results, lambda each: owner_of(roster, each.names), lambda each: f"result {each.file}")
    share("clones", clones, lambda each: owner_of(roster, (each.name,)), lambda each: f"submission {each.name}")
    by_key = _by_key(roster)
    share("regrades", regrades or (), lambda each: _regraded(roster, by_key, each), lambda e: f"regrade {e.submission}")
    rows = [_row(student, of[student], regraded=regrades is not None, any_ci=bool(results)) for student in of]
    return ScoreComparison(
        tuple(rows), tuple(dict.fromkeys(nobodys)), regrades is not None, tuple(dict.fromkeys(staffs))
    )


def _by_key(roster: Roster) -> Mapping[str, Student]:
    return {folded(key): each for each in roster.students for key in (each.id, each.email) if key}


def _regraded(roster: Roster, by_key: Mapping[str, Student], regrade: Regrade) -> Owner:
    """By the submission's name, as for everything; else by what the grading's own roster has found."""
    owner = owner_of(roster, (regrade.submission,))
    if owner.students:
        return owner
    found = tuple(dict.fromkeys(by_key[folded(key)] for key in regrade.keys if folded(key) in by_key))
    return Owner(found) if len(found) == 1 else owner


def _row(student: Student, of: _Of, *, regraded: bool, any_ci: bool) -> StudentScore:
    matters: list[str] = []
    notes: list[str] = []
    ci, several_ci = _one_result(of.results, matters, notes)
    regrade, several_regrades = _one_regrade(of.regrades, matters)
    clone = _clone_of(of.clones, regrade, ci, notes)
    differs = False
    why: tuple[str, ...] = ()
    if regrade and regrade.final is None:
        matters.append(f"no score: the grader itself failed on {', '.join(regrade.ungraded)}; grade again")
    elif ci and regrade:
        agreement = agrees(ci, regrade)
        differs = not agreement
        why = reasons(ci, regrade, clone) if differs else ()
        if agreement == "rounded":
            notes.append("CI rounds points down")
    elif regraded and any_ci and bool(of.results) != bool(of.regrades):
        differs = True
        why = ("CI has no result",) if of.regrades else ("the regrade has no such submission",)
    if not (of.results or of.regrades):
        matters.append(f"handed in as {of.clones[0].name}, but not graded" if of.clones else "nothing found")
    notes += _noted(ci, regrade, clone, differs=differs)
    source: Source = (
        "ungraded" if regrade and regrade.final is None
        else "regrade" if regrade
        else "ambiguous" if several_regrades or several_ci
        else "advisory" if ci
        else "missing"
    )  # fmt: skip
    submission = regrade.submission if regrade else clone.name if clone else ci.names[0] if ci else ""
    return StudentScore(
        student, submission, ci, regrade, clone, source, regrade.final if regrade else None,
        tuple(matters), tuple(dict.fromkeys(notes)), differs, why, tuple(of.results), tuple(of.regrades),
    )  # fmt: skip


def _one_result(results: list[Result], matters: list[str], notes: list[str]) -> tuple[Result | None, bool]:
    """The result, and whether there are several that contradict each other: then none of them is chosen."""
    if len(results) < 2:
        return (results[0] if results else None), False
    listed = "; ".join(f"{each.score:g}/{each.max_score:g} in {_dated(each)}" for each in results)
    if len({(each.score, each.max_score) for each in results}) == 1:
        notes.append(f"{len(results)} results that say the same")
        return results[0], False
    matters.append(f"{len(results)} results from CI, none chosen: {listed}")
    return None, True


def _dated(result: Result) -> str:
    return f"{result.file} of {result.when}" if result.when else result.file


def _one_regrade(regrades: list[Regrade], matters: list[str]) -> tuple[Regrade | None, bool]:
    if len(regrades) < 2:
        return (regrades[0] if regrades else None), False
    listed = "; ".join(
        f"{'ungraded' if each.final is None else f'{each.final:g}'}/{each.max_score:g} as {each.submission}"
        for each in regrades
    )
    matters.append(f"{len(regrades)} submissions were regraded, none chosen: {listed}")
    return None, True


def _clone_of(clones: list[Clone], regrade: Regrade | None, ci: Result | None, notes: list[str]) -> Clone | None:
    """The clone that the scores are of, by its name where there are several."""
    wanted = [folded(name) for name in ((regrade.submission,) if regrade else ci.names if ci else ())]
    named = [each for each in clones if folded(each.name) in wanted]
    if len(clones) > 1:
        notes.append(f"{len(clones)} submissions: {', '.join(each.name for each in clones)}")
    return (named or clones)[0] if clones and (named or len(clones) == 1) else None


def _noted(ci: Result | None, regrade: Regrade | None, clone: Clone | None, *, differs: bool) -> list[str]:
    notes = list(ci.notes) if ci else []
    if regrade and regrade.late_days:
        notes.append(f"{regrade.late_days} {'day' if regrade.late_days == 1 else 'days'} late")
    if regrade and regrade.problems:
        notes.append(regrade.problems[0])
    if clone and clone.changed and not differs:  # where they differ the reasons say it
        notes.append(f"differs from the release: {', '.join(clone.changed[:5])}")
    return notes
