"""What `gradcheck grade` left in a folder, read again: reports one by one, the class, and failures as check results.

A report may have been damaged since, and every string in it may be a hostile submission's: nothing is taken on trust.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from gradcheck.checks.results import FAULTS, STATUSES, CheckResult, Counterexample, Diagnosis, Marks
from gradcheck.errors import GradcheckError
from gradcheck.grading.report import SCHEMA, mark_of, ungraded_in
from gradcheck.grading.small_files import read_small
from gradcheck.grading.submissions.naming import safe_name
from gradcheck.reports.terminal import points

CLASS_SCHEMA = "gradcheck/class/v1"
MOST_BYTES = 64 * 1024 * 1024
_LONGEST = 600
"""Characters of any one text that are shown; what a submission wrote may go on for pages."""
_DEEPEST = 8


def report_files(out: Path) -> list[Path]:
    """The reports of the class in a folder that `gradcheck grade` made, sorted; not those of submissions that have gone
    since. GradcheckError where there are none, or a name is none that we give.
    """
    names = [row["name"] for row in read_class(out)["submissions"]]
    for name in names:
        if safe_name(name) != name:
            raise GradcheckError(f"{out / 'class.json'} is damaged: {name!r} is no name of a submission; {_first(out)}")
    if not names:
        raise GradcheckError(f"there are no reports in {out}; {_first(out)}")
    return [out / "reports" / f"{name}.json" for name in sorted(names)]


def read_report(path: Path) -> dict[str, Any]:
    """A report, its shape checked as far as the exports rely on it. GradcheckError names the file and what is wrong."""
    report = _read_json(path)
    problem = _problem(report)
    if problem:
        raise GradcheckError(f"{path} is no report that can be exported: {problem}; grade the submission again")
    return report


def read_class(out: Path) -> dict[str, Any]:
    """`class.json` of a folder that `gradcheck grade` made."""
    path = out / "class.json"
    if not path.exists():
        raise GradcheckError(f"there is no {path}; {_first(out)}")
    summary = _read_json(path)
    rows = summary.get("submissions")
    if summary.get("schema") != CLASS_SCHEMA or not isinstance(rows, list):
        raise GradcheckError(f"{path} is not of the schema {CLASS_SCHEMA}; {_first(out)}")
    for row in rows:
        if (
            not isinstance(row, dict)
            or not isinstance(row.get("name"), str)
            or not _marked(row, row.get("final_score"))
        ):
            raise GradcheckError(f"{path} has a submission without a name or a final score; {_first(out)}")
        if not _whose_holds(row):
            raise GradcheckError(f"{path}: what it says of the student of {row['name']!r} is damaged; {_first(out)}")
    return summary


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


def _problem(report: Mapping[str, Any]) -> str:
    if report.get("schema") != SCHEMA:
        return f"its schema is not {SCHEMA}"
    if not isinstance(report.get("submission"), str):
        return "it has no submission's name"
    if not all(_number(report.get(key)) for key in ("score", "max_score")):
        return "it has no score"
    if not _strings(report.get("ungraded", [])):
        return "its list of ungraded exercises is damaged"
    if "final_score" in report and not _marked(report, report["final_score"]):
        return "its final score is no number"
    policy = report.get("policy", {})
    if not isinstance(policy, dict) or not all(_number(policy.get(key, 0)) for key in _AMOUNTS):
        return "its policy is damaged"
    if not _whose_holds(report):
        return "what it says of the student is damaged"
    exercises = report.get("exercises")
    if not isinstance(exercises, list) or not all(map(_exercise_holds, exercises)):
        return "its exercises are damaged"
    return ""


_AMOUNTS = ("late_days", "late_penalty", "hint_penalty")


def _whose_holds(record: Mapping[str, Any]) -> bool:
    """Whether it says of nobody, of a student, or of a team's members who they are."""
    one, all_of = record.get("student"), record.get("students", [])
    return (one is None or _is_student(one)) and isinstance(all_of, list) and all(map(_is_student, all_of))


def _is_student(student: Any) -> bool:
    return (
        isinstance(student, dict)
        and all(isinstance(student.get(key, ""), str) for key in ("name", "email", "id"))
        and _strings(student.get("logins", []))
    )


def _strings(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)


def _marked(record: Mapping[str, Any], final: Any) -> bool:
    """Whether it has a final score, or none for the one reason that there is: the grader failed."""
    return _number(final) or (final is None and bool(ungraded_in(record)))


def _number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e15


def _exercise_holds(exercise: Any) -> bool:
    return (
        isinstance(exercise, dict)
        and all(isinstance(exercise.get(key), str) for key in ("name", "unit"))
        and exercise.get("status") in STATUSES
        and all(_number(exercise.get(key)) for key in ("score", "max_score"))
        and _number(exercise.get("hint_penalty", 0))
        and isinstance(exercise.get("checks"), list)
        and all(
            isinstance(check, dict)
            and isinstance(check.get("id"), str)
            and check["id"].count(".") >= 2
            and check.get("status") in STATUSES
            for check in exercise["checks"]
        )
    )


def penalties(report: Mapping[str, Any]) -> list[str]:
    """Sentences that say why fewer points count than were earned; none where all of them do. How many fewer is not
    known before there is a mark.
    """
    policy = report.get("policy") or {}
    marked = mark_of(report) is not None
    said = []
    days = int(policy.get("late_days", 0))
    late = f"Handed in {days} {'day' if days == 1 else 'days'} late" if days else "Handed in late"
    if policy.get("late_penalty"):
        said.append(f"{late}: {_fewer(policy['late_penalty'])}." if marked else f"{late}.")
    if policy.get("hint_penalty") and marked:
        said.append(f"Hints and solutions that were shown: {_fewer(policy['hint_penalty'])}.")
    note = policy.get("note")
    if isinstance(note, str) and note.strip():
        said.append(clipped(note.strip()[:1].upper() + note.strip()[1:]))
    return said


def _fewer(penalty: float) -> str:
    return f"{points(penalty)} {'point' if penalty == 1 else 'points'} less"


def problems(report: Mapping[str, Any]) -> list[str]:
    """What was noticed about the submission as a whole."""
    return [clipped(each) for each in _list(report.get("problems")) if isinstance(each, str)][:20]


def checks_by_function(exercise: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """The status of every check, by function and check, in the report's order."""
    found: dict[str, dict[str, str]] = {}
    for check in exercise["checks"]:
        _, function, name = _parts(check["id"])
        found.setdefault(function, {})[name] = check["status"]
    return found


def failures(exercise: Mapping[str, Any]) -> Iterator[CheckResult]:
    """The checks that did not pass for a reason of their own, as the grader had them, texts cut to what is shown."""
    for check in exercise["checks"]:
        if check["status"] in FAULTS:
            yield check_result(check, exercise)


def ungraded_checks(exercise: Mapping[str, Any]) -> Iterator[CheckResult]:
    """The checks that the grader itself failed on, with its reasons."""
    for check in exercise["checks"]:
        if check["status"] == "ungraded":
            yield check_result(check, exercise)


def check_result(check: Mapping[str, Any], exercise: Mapping[str, Any]) -> CheckResult:
    """One check of an exercise of a report. What its schema does not know is left out."""
    _, function, name = _parts(check["id"])
    skipped = [other for other, status in checks_by_function(exercise)[function].items() if status == "skipped"]
    stopped = check["status"] in FAULTS
    return CheckResult(
        clipped(exercise["name"]),
        clipped(function),
        clipped(name),
        check["status"],
        _text(check.get("message")),
        counterexample=_counterexample(check.get("counterexample")),
        lines=tuple(_text(line) for line in _list(check.get("location")) if isinstance(line, str))[:8],
        waiting=tuple(map(clipped, skipped)) if stopped else (),
        diagnosis=_diagnosis(check.get("diagnosis")),
    )


def _parts(identity: str) -> tuple[str, str, str]:
    exercise, function, name = identity.split(".", 2)
    return exercise, function, name


def _diagnosis(found: Any) -> Diagnosis | None:
    if not isinstance(found, dict) or not isinstance(found.get("code"), str):
        return None
    return Diagnosis(clipped(found["code"], 40), _text(found.get("text")), think=_text(found.get("think")))


def _counterexample(found: Any) -> Counterexample | None:
    if not isinstance(found, dict) or not isinstance(found.get("inputs"), dict):
        return None
    return Counterexample(
        _bounded(found["inputs"]),
        _bounded(found.get("got")),
        _bounded(found.get("grad_output")),
        _text(found.get("where")),
        _text(found.get("about")),
        marks=_marks(found.get("marks")),
    )


def _marks(found: Any) -> Marks | None:
    """None where there are none, or where they are not what we write."""
    try:
        entries = tuple(tuple(map(int, place)) for place in found["entries"])
        return Marks(entries, int(found["count"]), int(found["of"]), tuple(map(_text, found.get("parts", ()))))
    except (TypeError, ValueError, KeyError, AttributeError):
        return None


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
        return {clipped(str(name), 60): _bounded(each, depth + 1) for name, each in value.items()}
    return value


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: Any) -> str:
    return clipped(value) if isinstance(value, str) else ""


def clipped(text: str, most: int = _LONGEST) -> str:
    """A text of somebody else's making, cut where it goes on and on."""
    return text if len(text) <= most else f"{text[:most]} … {len(text):,} characters"
