"""`gradcheck/report/v1` as it is written and read: a record for each of its objects, documented in docs/report-v1.md.

A report is made once from what grading found (`write_down`), and read once from JSON that may be anybody's
(`report_in`): everything between hands on these records. Fields stand in the order in which they are written.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType
from msgspec.structs import replace

from gradcheck.checks.results import DIGITS, CheckResult, Counterexample, Status, Tally, where_of
from gradcheck.grading.report import ExerciseReport, Report
from gradcheck.isolation.sandbox.layers import Layer
from gradcheck.showing.text import clean, in_json
from gradcheck.submissions.lateness import InTime, Later
from gradcheck.submissions.roster import StudentName, TeamMember

SCHEMA: Literal["gradcheck/report/v1"] = "gradcheck/report/v1"

_MOST = 10**15
_MOST_MARKS = 64
"""Entries that a report names one by one."""
Amount = Annotated[int, Meta(gt=-_MOST, lt=_MOST)] | Annotated[float, Meta(gt=-_MOST, lt=_MOST)]
"""Of points, or of days: nothing that anybody could not write out."""


class WrittenDiagnosis(Struct, frozen=True, omit_defaults=True):
    """Which mistake was made, without the answer."""

    code: str
    text: str
    confidence: float | UnsetType = UNSET
    think: str = ""
    cases: tuple[str, ...] = ()
    also: tuple[str, ...] = ()


class WrittenMarks(Struct, frozen=True, omit_defaults=True):
    """Which entries are wrong: `count` of `of`, the first of them by their indices."""

    entries: tuple[tuple[int, ...], ...]
    count: int
    of: int
    parts: tuple[str, ...] = ()
    spread: Tally | None = None


class WrittenCase(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A case that shows the fault, without the correct value; `output` is that of a forward which holds. Tensors are
    nested lists; what of a number JSON lacks is a string.
    """

    inputs: dict[str, Any]
    grad_output: Any = None
    got: Any = None
    where: str = ""
    marks: WrittenMarks | None = None
    about: str = ""
    digits: int = DIGITS
    output: Any = None


class WrittenCheck(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One check of one function."""

    id: Annotated[str, Meta(pattern=r"\.[\s\S]*\.", description="exercise.function.check")]
    status: Status
    message: str
    diagnosis: WrittenDiagnosis | None = None
    counterexample: WrittenCase | None = None
    cut_short: bool = False
    location: tuple[str, ...] = ()

    @property
    def function(self) -> str:
        return self.id.split(".", 2)[1]

    @property
    def name(self) -> str:
        return self.id.split(".", 2)[2]


class WrittenExercise(Struct, frozen=True, kw_only=True):
    """One exercise. `seed` is there where it is not the report's, `hint_penalty` where a course takes something off."""

    name: str
    unit: str
    status: Status
    score: Amount
    max_score: Amount
    hint: int = 0
    gave_up: bool = False
    seed: int | UnsetType | None = UNSET
    hint_penalty: Amount | UnsetType = UNSET
    checks: tuple[WrittenCheck, ...]

    @property
    def help_cost(self) -> float:
        return 0.0 if self.hint_penalty is UNSET else self.hint_penalty

    def by_function(self) -> dict[str, dict[str, str]]:
        """The status of every check, by function and check, in the report's order."""
        found: dict[str, dict[str, str]] = {}
        for check in self.checks:
            found.setdefault(check.function, {})[check.name] = check.status
        return found


class WrittenReport(Struct, frozen=True, kw_only=True):
    """One submission, as `gradcheck report` writes it."""

    schema: Literal["gradcheck/report/v1"]
    submission: str
    seed: int | None = None
    score: Amount
    max_score: Amount
    ungraded: tuple[str, ...] = ()
    exercises: tuple[WrittenExercise, ...]


class AppliedPolicy(Struct, frozen=True, kw_only=True):
    """How a course comes from what was earned to what counts."""

    earned: Amount = 0
    due: str = ""
    undated: bool = False
    late_days: Amount = 0
    late_penalty: Amount = 0
    hint_penalty: Amount = 0
    note: str = ""


class FinalReport(WrittenReport, frozen=True, kw_only=True):
    """One submission of a class, as `gradcheck grade` writes it; what a plain report lacks is empty."""

    digest: str = ""
    sandbox: tuple[Layer, ...] = ()
    seed_hash: str = ""
    seed_salt: str | UnsetType = UNSET
    problems: tuple[str, ...] = ()
    unusual: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    student: StudentName | None = None
    students: tuple[TeamMember, ...] = ()
    submitted: str = ""
    commit: str = ""
    later_commits: Later | None = None
    in_time_commit: InTime | None = None
    policy: AppliedPolicy = AppliedPolicy()
    final_score: Amount | None = None
    """The mark: what counts, and None where it is none, since the grader failed on an exercise."""


# Written.


def write_down(report: Report) -> WrittenReport:
    """A report that was just made, as it may leave this process."""
    return WrittenReport(
        schema=SCHEMA,
        submission=report.submission,
        seed=report.seed,
        score=report.score,
        max_score=report.max_score,
        ungraded=report.ungraded,
        exercises=tuple(map(exercise_written, report.exercises)),
    )


def exercise_written(report: ExerciseReport) -> WrittenExercise:
    """One exercise of a report."""
    # Nothing was drawn for what is not started, whatever was made ready for it.
    own_seed = report.seed is not None and report.status != "not_started"
    return WrittenExercise(
        name=report.exercise.name,
        unit=report.exercise.unit,
        status=report.status,
        score=report.score,
        max_score=report.max_score,
        hint=report.help.hint,
        gave_up=report.help.gave_up,
        seed=report.seed if own_seed else UNSET,
        checks=tuple(map(check_written, report.results)),
    )


def check_written(result: CheckResult) -> WrittenCheck:
    told, known = None, result.diagnosis
    if known:
        told = WrittenDiagnosis(known.code, clean(known.text), known.confidence, known.think, known.cases, known.also)
    elif result.code:
        told = WrittenDiagnosis(result.code, clean(result.message))
    return WrittenCheck(
        id=result.id,
        status=result.status,
        message=clean(result.message),
        diagnosis=told,
        counterexample=case_written(result.counterexample) if result.counterexample else None,
        cut_short=result.cut_short,
        location=tuple(map(clean, result.lines)),
    )


def case_written(example: Counterexample) -> WrittenCase:
    marks = example.marks
    return WrittenCase(
        inputs={name: in_json(value) for name, value in example.inputs.items()},
        grad_output=in_json(example.grad_output),
        got=in_json(example.got),
        where=where_of(example),
        marks=WrittenMarks(marks.entries[:_MOST_MARKS], marks.count, marks.of, marks.parts, marks.spread)
        if marks
        else None,
        about=example.about,
        digits=example.digits,
        output=in_json(example.output),
    )


# Read.

_NO_REPORT = {
    "schema": f"its schema is not {SCHEMA}",
    "submission": "it has no submission's name",
    "score": "it has no score",
    "max_score": "it has no score",
    "ungraded": "its list of ungraded exercises is damaged",
    "final_score": "its final score is no number",
    "policy": "its policy is damaged",
    "student": "what it says of the student is damaged",
    "students": "what it says of the student is damaged",
    "exercises": "its exercises are damaged",
}


class NotOfSchema(ValueError):
    """What was read is no report; says why."""


def report_in(found: Mapping[str, Any]) -> FinalReport:
    """The report that a JSON object is, whoever wrote it. What a plain report or an older version lacks is filled in:
    its mark, the exercises that the grader failed on, the students. Raises NotOfSchema.
    """
    try:
        report = msgspec.convert(found, FinalReport)
    except (ValueError, RecursionError):
        field = damaged_field(found, FinalReport)
        raise NotOfSchema(_NO_REPORT.get(field, f"what it says of {field or 'itself'} is damaged")) from None
    ungraded = tuple(dict.fromkeys((*report.ungraded, *ungraded_of(report.exercises))))
    final = report.final_score if "final_score" in found else report.score
    if final is None and not ungraded:
        raise NotOfSchema(_NO_REPORT["final_score"])
    students = report.students or members(report.student)
    return replace(report, ungraded=ungraded, final_score=None if ungraded else final, students=students)


def ungraded_of(exercises: Iterable[WrittenExercise]) -> tuple[str, ...]:
    """Those that the grader itself failed on."""
    return tuple(each.name for each in exercises if each.status == "ungraded")


def members(student: StudentName | None) -> tuple[TeamMember, ...]:
    """Who they all are, where only one is told."""
    return () if student is None else (TeamMember(student.name, student.email, student.id),)


def damaged_field(found: Mapping[str, Any], kind: type[Struct]) -> str:
    """The first field of a JSON object that a record of this kind cannot have, or that is missing; empty: none is."""
    for field in msgspec.structs.fields(kind):
        if field.name not in found:
            if field.required:
                return field.name
            continue
        try:
            msgspec.convert(found[field.name], field.type)
        except (ValueError, RecursionError):
            return field.name
    return ""
