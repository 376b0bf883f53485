"""Result files in JSON, told apart by what is in them: ours, Classroom 50's, Gradescope's, GitHub Classroom's."""

from __future__ import annotations

import base64
import binascii
import json
import math
from collections.abc import Mapping
from typing import Any

from gradcheck.classes.written import SCHEMA, NotOfSchema, report_in
from gradcheck.gradebooks.collect.result import (
    Result,
    ResultsRead,
    Unusable,
    amount,
    are_whole,
    commit_in,
    score_of,
    shown,
    tests_in,
    text_in,
)
from gradcheck.submissions.layout import printable

CLASSROOM50 = "classroom50/result/v1"
_WARNED = "provenance_warning"
"""Why Classroom 50 thinks that it was not its workflow which published a result."""
_MOST_ENTRIES = 50_000


def read_json(content: bytes, names: tuple[str, ...], file: str, assignment: str = "") -> ResultsRead:
    """The results of a JSON file. `names` is whose it is by its place; `assignment` picks one of several that a
    collected file holds. Raises Unusable.
    """
    found = _parsed(content)
    if isinstance(found, list):
        return ResultsRead((result_in(_newest(found), names, file),))
    if "assignments" in _object(found):
        return _collected(found, file, assignment)
    return ResultsRead((result_in(found, names, file),))


def read_payload(content: bytes, names: tuple[str, ...], file: str) -> ResultsRead:
    """The result of a file with GitHub Classroom's base64 text, `result=` before it or not. Raises Unusable."""
    text = b"".join(content.removeprefix(b"\xef\xbb\xbf").split()).removeprefix(b"result=")
    try:
        decoded = base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        raise Unusable("it is not base64") from None
    return ResultsRead((result_in(_object(_parsed(decoded)), names, file),))


def result_in(found: Mapping[str, Any], names: tuple[str, ...], file: str) -> Result:
    """The result that one JSON object is. Raises Unusable."""
    schema = found.get("schema")
    if schema == SCHEMA:
        return _report(found, names, file)
    if schema == CLASSROOM50:
        return _classroom50(found, names, file)
    if isinstance(schema, str):
        raise Unusable(f"its schema {text_in(found, 'schema', 60)} is not read here")
    if "version" in found and "max_score" in found:
        return _classroom(found, names, file)
    if "tests" in found:
        return _gradescope(found, names, file)
    raise Unusable("it is no result file that is known here")


def _parsed(content: bytes) -> Any:
    try:
        return json.loads(content.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        raise Unusable("it is damaged: it is not JSON") from None


def _object(found: Any) -> Mapping[str, Any]:
    if not isinstance(found, dict):
        raise Unusable("it is not a JSON object")
    return found


def _newest(found: list[Any]) -> Mapping[str, Any]:
    """The result of `results.json`, where `gh teacher download` keeps all submissions of a copy, the newest first."""
    if not found or not isinstance(found[0], dict) or "submission_tag" not in found[0]:
        raise Unusable("it is not a JSON object, nor a list of submissions")
    if not isinstance(found[0].get("result"), dict):
        raise Unusable("its newest submission has no result")
    warned = {key: value for key, value in found[0].items() if key == _WARNED}
    return {**found[0]["result"], **warned}


def _report(found: Mapping[str, Any], names: tuple[str, ...], file: str) -> Result:
    try:
        report = report_in(found)
    except NotOfSchema as why:
        score_of(found.get("final_score", found.get("score")), found.get("max_score"))  # what is wrong with a number
        raise Unusable(str(why)) from None
    if report.ungraded:
        raise Unusable(printable(f"the grader itself failed on {', '.join(report.ungraded)[:200]}, so it has no score"))
    score, most = score_of(report.final_score, report.max_score)
    return Result(
        names or _named(shown(report.submission)), score, most, "report", file,
        when=shown(report.submitted), commit=commit_in(shown(report.commit)), digest=shown(report.digest),
    )  # fmt: skip


def _classroom50(found: Mapping[str, Any], names: tuple[str, ...], file: str) -> Result:
    score, most = found.get("score"), found.get("max-score")
    for test in tests_in(found):
        score_of(test.get("score"), test.get("max-score") or 1)
    if not are_whole(score, most):
        raise Unusable("its scores are not whole numbers, as Classroom 50 has them")
    return Result(
        (*names, *_named(text_in(found, "owner"))), *score_of(score, most), "classroom50", file,
        when=text_in(found, "datetime"), commit=commit_in(text_in(found, "commit")), grain=1.0,
        notes=tuple(f"Classroom 50 warns of its release: {each}" for each in _named(text_in(found, _WARNED))),
    )  # fmt: skip


def _classroom(found: Mapping[str, Any], names: tuple[str, ...], file: str) -> Result:
    """The reporter's notice adds up the tests' scores, whatever its table shows."""
    tests = tests_in(found)
    if any(test.get("status") == "error" for test in tests):
        raise Unusable("the grader itself failed in it, so it has no score")
    earned = math.fsum(amount(test.get("score"), "test's score") for test in tests)
    score, most = score_of(earned, found.get("max_score"))
    return Result(names, score, most, "classroom", file, grain=max(1.0, most / max(1, len(tests))))


def _gradescope(found: Mapping[str, Any], names: tuple[str, ...], file: str) -> Result:
    """The score at the top comes before the tests' sum."""
    tests = [test for test in tests_in(found) if "max_score" in test]
    most = math.fsum(amount(test.get("max_score"), "test's max_score") for test in tests)
    earned = math.fsum(amount(test.get("score", 0), "test's score") for test in tests)
    score, most = score_of(found.get("score", earned), most)
    return Result(names, score, most, "gradescope", file)


def _collected(found: Mapping[str, Any], file: str, wanted: str) -> ResultsRead:
    """`scores.json`, as Classroom 50 collects it: of every owner the newest submission, which stands first."""
    assignments = found["assignments"]
    if not isinstance(assignments, dict) or not assignments:
        raise Unusable("its assignments are no object with an assignment in it")
    if wanted and wanted not in assignments:
        raise Unusable(f"it has no assignment {wanted}; there are: {_listed(assignments)}")
    if not wanted and len(assignments) > 1:
        raise Unusable(f"it has several assignments ({_listed(assignments)}); choose one with --assignment")
    slug = wanted or next(iter(assignments))
    entries = assignments[slug].get("entries") if isinstance(assignments[slug], dict) else None
    if not isinstance(entries, list) or len(entries) > _MOST_ENTRIES:
        raise Unusable("its entries are damaged")
    results: list[Result] = []
    problems: list[str] = []
    for number, entry in enumerate(entries, 1):
        _take(entry, f"{file}, entry {number}", results, problems)
    return ResultsRead(tuple(results), tuple(problems))


def _take(entry: Any, file: str, results: list[Result], problems: list[str]) -> None:
    try:
        results += _entry(entry, file)
    except Unusable as reason:
        owner = text_in(entry, "owner") if isinstance(entry, dict) else ""
        problems.append(f"{file}{f' of {owner}' if owner else ''}: {reason}")


def _entry(entry: Any, file: str) -> list[Result]:
    """One result for each who shares the entry. Raises Unusable."""
    if not isinstance(entry, dict) or not text_in(entry, "owner"):
        raise Unusable("it names no owner")
    submissions, members = entry.get("submissions"), entry.get("member_usernames") or []
    if not isinstance(submissions, list) or not submissions or not isinstance(submissions[0], dict):
        raise Unusable("it holds no submission")
    if not isinstance(members, list) or not all(isinstance(each, str) and each for each in members):
        raise Unusable("its members are damaged")
    newest = {key: value for key, value in submissions[0].items() if key != "owner"}
    newest.setdefault("schema", CLASSROOM50)
    logins = list(dict.fromkeys(members)) or [text_in(entry, "owner")]
    return [result_in(newest, (text_in({"login": login}, "login"),), file) for login in logins]


def _named(name: str) -> tuple[str, ...]:
    return (name,) if name else ()


def _listed(assignments: Mapping[str, Any]) -> str:
    shown = [text_in({"slug": slug}, "slug", 60) for slug in sorted(assignments)[:5]]
    return ", ".join(shown) + (", …" if len(assignments) > 5 else "")
