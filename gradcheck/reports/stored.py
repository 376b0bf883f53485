"""Reports as JSON: `gradcheck/report/v1` (docs/report-v1.md) written down, and what `gradcheck grade` left in a folder
read again, with failures as check results.

A report may have been damaged since, and every string in it may be a hostile submission's: nothing is taken on trust.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from gradcheck.checks.results import FAULTS, CheckResult, Counterexample, Diagnosis, Marks
from gradcheck.classes.report import ClassReport, class_in
from gradcheck.classes.written import (
    FinalReport,
    NotOfSchema,
    WrittenCase,
    WrittenCheck,
    WrittenExercise,
    WrittenReport,
    report_in,
    write_down,
)
from gradcheck.errors import GradcheckError, Ungraded
from gradcheck.grading.report import Report
from gradcheck.grading.small_files import read_small
from gradcheck.reports.words import REPORT_IT, names_of
from gradcheck.showing.text import clipped, plural, points
from gradcheck.submissions.naming import safe_name


def as_json(report: Report) -> str:
    """A report that was just made as JSON text, ending in a newline."""
    return text_of(write_down(report))


def text_of(report: WrittenReport) -> str:
    """A report as JSON text: a line per check, so that two reports can be compared by eye.

    json's own indentation is written in Python and takes longer than grading does.
    """
    plain = msgspec.to_builtins(report)
    exercises = ",\n".join(map(_exercise, plain.pop("exercises")))
    opening = [f" {_line(key)}: {_line(value)}" for key, value in plain.items()]
    return "{\n" + ",\n".join([*opening, f' "exercises": [\n{exercises}\n ]']) + "\n}\n"


def _exercise(exercise: Mapping[str, Any]) -> str:
    opening = [f"{_line(key)}: {_line(value)}" for key, value in exercise.items() if key != "checks"]
    checks = ",\n".join(f"    {_line(check)}" for check in exercise["checks"])
    return "  {" + ", ".join([*opening, f'"checks": [\n{checks}\n   ]']) + "}"


def _line(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


MOST_BYTES = 64 * 1024 * 1024
_DEEPEST = 8


def report_files(out: Path) -> list[Path]:
    """The reports of the class in a folder that `gradcheck grade` made, sorted; not those of submissions that have gone
    since. GradcheckError where there are none, or a name is none that we give.
    """
    names = [row.name for row in read_class(out).submissions]
    for name in names:
        if safe_name(name) != name:
            raise GradcheckError(f"{out / 'class.json'} is damaged: {name!r} is no name of a submission; {_first(out)}")
    if not names:
        raise GradcheckError(f"there are no reports in {out}; {_first(out)}")
    return [out / "reports" / f"{name}.json" for name in sorted(names)]


def read_report(path: Path) -> FinalReport:
    """A report. GradcheckError names the file and what is wrong with it."""
    try:
        return report_in(_read_json(path))
    except NotOfSchema as why:
        raise GradcheckError(f"{path} is no report that can be exported: {why}; grade the submission again") from None


def read_class(out: Path) -> ClassReport:
    """`class.json` of a folder that `gradcheck grade` made."""
    path = out / "class.json"
    if not path.exists():
        raise GradcheckError(f"there is no {path}; {_first(out)}")
    try:
        return class_in(_read_json(path))
    except NotOfSchema as why:
        raise GradcheckError(f"{path}{why}; {_first(out)}") from None


def _first(out: Path) -> str:
    return f"run this first: gradcheck grade SUBMISSIONS --out {out}"


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = read_small(path, MOST_BYTES)
    except OSError as error:
        raise GradcheckError(f"{path} cannot be read: {error.strerror}") from None
    if content is None and not path.exists():
        raise GradcheckError(f"there is no {path}; grade the submission again")
    if content is None:
        raise GradcheckError(f"{path} is not a plain file of at most {MOST_BYTES // 2**20} MiB")
    try:
        found = json.loads(content.decode("utf-8"))
    except (ValueError, RecursionError):
        raise GradcheckError(f"{path} is damaged: it is not JSON; grade the submission again") from None
    if not isinstance(found, dict):
        raise GradcheckError(f"{path} is damaged: it is not a JSON object; grade the submission again")
    return found


def penalties(report: FinalReport) -> list[str]:
    """Sentences that say why fewer points count than were earned; none where all of them do. How many fewer is not
    known before there is a mark.
    """
    policy, marked = report.policy, report.final_score is not None
    said = []
    days = int(policy.late_days)
    late = f"Handed in {days} {plural(days, 'day')} late" if days else "Handed in late"
    if policy.late_penalty:
        said.append(f"{late}: {_fewer(policy.late_penalty)}." if marked else f"{late}.")
    if policy.hint_penalty and marked:
        said.append(f"Hints and solutions that were shown: {_fewer(policy.hint_penalty)}.")
    if note := policy.note.strip():
        said.append(clipped(note[:1].upper() + note[1:]))
    return said


def _fewer(penalty: float) -> str:
    return f"{points(penalty)} {plural(penalty, 'point')} less"


def problems(report: FinalReport) -> list[str]:
    """What was noticed about the submission as a whole."""
    return [clipped(each) for each in report.problems[:20]]


def failures(exercise: WrittenExercise) -> Iterator[CheckResult]:
    """The checks that did not pass for a reason of their own, as the grader had them, texts cut to what is shown."""
    return (check_result(check, exercise) for check in exercise.checks if check.status in FAULTS)


def ungraded_checks(exercise: WrittenExercise) -> Iterator[CheckResult]:
    """The checks that the grader itself failed on, with its reasons."""
    return (check_result(check, exercise) for check in exercise.checks if check.status == "ungraded")


def check_result(check: WrittenCheck, exercise: WrittenExercise) -> CheckResult:
    """One check of an exercise of a report."""
    skipped = [other for other, status in exercise.by_function()[check.function].items() if status == "skipped"]
    told, case = check.diagnosis, check.counterexample
    return CheckResult(
        clipped(exercise.name),
        clipped(check.function),
        clipped(check.name),
        check.status,
        clipped(check.message),
        counterexample=_counterexample(case) if case else None,
        lines=tuple(map(clipped, check.location[:8])),
        waiting=tuple(map(clipped, skipped)) if check.status in FAULTS else (),
        diagnosis=Diagnosis(clipped(told.code, 40), clipped(told.text), think=clipped(told.think)) if told else None,
    )


def _counterexample(case: WrittenCase) -> Counterexample:
    marks = case.marks
    return Counterexample(
        _bounded(case.inputs),
        _bounded(case.got),
        _bounded(case.grad_output),
        clipped(case.where),
        clipped(case.about),
        marks=Marks(marks.entries, marks.count, marks.of, tuple(map(clipped, marks.parts))) if marks else None,
        digits=max(1, min(case.digits, 17)),
        output=_bounded(case.output),
    )


def _bounded(value: Any, depth: int = 0) -> Any:
    if isinstance(value, str):
        return clipped(value.replace("\n", " "), 200)
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, (list, dict)) and depth == _DEEPEST:
        return "…"
    if isinstance(value, list):
        return [_bounded(each, depth + 1) for each in value]
    if isinstance(value, dict):
        return {clipped(name, 60): _bounded(each, depth + 1) for name, each in value.items()}
    return value


def must_be_marked(report: FinalReport) -> float:
    """The mark of a report, for hosts, which take any number for one. Raises Ungraded."""
    mark = report.final_score
    if mark is None:
        raise Ungraded(no_mark(report))
    return mark


def no_mark(report: FinalReport) -> str:
    """Why there is no mark, with the grader's own first reason, for whoever would give it."""
    why = next((found for each in report.exercises for found in ungraded_checks(each)), None)
    told = f" ({why.function}: {why.message})" if why is not None and why.message else ""
    return (
        f"the grader itself failed on {names_of(report.ungraded)}{told}. That is no fault of the submission, so "
        f"there is no mark, not even 0. Grade it again, with another seed. {REPORT_IT}"
    )
