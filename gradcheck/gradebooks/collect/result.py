"""Scores that CI or a host gave: what one is, the checks that no number in it escapes, and how each file is read.

JSON is told apart by what is in it: our own, or a host's, which its own reader knows. Of a table of grades, as GitHub
Classroom and Gradescope export them, a row is a result.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gradcheck.classes.raw_csv import read_sheet
from gradcheck.classes.written import SCHEMA, NotOfSchema, report_in
from gradcheck.submissions.layout import printable

MOST_POINTS = 1e9
MOST_TESTS = 10_000
_COMMIT = re.compile(r"(?:^|/)([0-9a-f]{40}(?:[0-9a-f]{24})?)/?$")
_NAMES = ("github_username", "username", "login", "roster_identifier", "student_repository_name", "email", "sid")
_SCORES = ("points_awarded", "total_score", "score")
_MOSTS = ("points_available", "max_points", "max_score", "points_possible")
_TIMES = ("submission_timestamp", "submission_time", "submitted")
_MOST_ROWS = 50_000


class Unusable(Exception):
    """Why a file or a row of it gives no score: a clause about it."""


@dataclass(frozen=True)
class Result:
    """A score as it came: advisory, since whoever may push may have written it.

    `names`  what it goes by, for the roster: a file's or folder's name, a login, an id; all have to be one person's.
    `format` report, classroom50, gradescope, classroom or grades: which format.
    `file`   where it was read, for people.
    `when`, `commit`, `digest`  of the graded work, empty where the format does not say.
    `grain`  the smallest number of points that could be given; 0: any. What is less was rounded away, per exercise.
    """

    names: tuple[str, ...]
    score: float
    max_score: float
    format: str
    file: str
    when: str = ""
    commit: str = ""
    digest: str = ""
    grain: float = 0.0
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class ResultsRead:
    """What one file gave: results, and sentences on what of it gives none."""

    results: tuple[Result, ...] = ()
    problems: tuple[str, ...] = ()


Reader = Callable[[Any, tuple[str, ...], str, str], ResultsRead | None]
"""Of a host: from parsed JSON, the names that its place gives, where it was read and which assignment is wanted. None
where the JSON is not that host's. Raises Unusable.
"""


def unknown(found: Any) -> Unusable:
    """Why nobody reads it."""
    if not isinstance(found, dict):
        return Unusable("it is not a JSON object")
    if isinstance(found.get("schema"), str):
        return Unusable(f"its schema {text_in(found, 'schema', 60)} is not read here")
    return Unusable("it is no result file that is known here")


def one_name(name: str) -> tuple[str, ...]:
    """What a result goes by; nothing where that is empty."""
    return (name,) if name else ()


def amount(value: Any, what: str) -> float:
    """A number of points. Raises Unusable for what is none: text, NaN, less than 0, beyond all sense."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise Unusable(f"its {what} is no number")
    if isinstance(value, float) and not math.isfinite(value):
        raise Unusable(f"its {what} is {value}")
    if value < 0:
        raise Unusable(f"its {what} is less than 0")
    if value > MOST_POINTS:
        raise Unusable(f"its {what} is absurdly large")
    return float(value)


def score_of(score: Any, most: Any) -> tuple[float, float]:
    """Both checked, and the one against the other. Raises Unusable."""
    earned, possible = amount(score, "score"), amount(most, "greatest score")
    if possible == 0:
        raise Unusable("it is out of 0 points, so nothing was graded")
    if earned > possible * (1 + 1e-9):
        raise Unusable(f"its score of {earned:g} is more than the {possible:g} there are")
    return round(min(earned, possible), 4), round(possible, 4)


def are_whole(*values: Any) -> bool:
    """Whether all are integers by type, as formats have them that know no parts of points."""
    return all(isinstance(value, int) for value in values)


def text_in(found: Mapping[str, Any], key: str, most: int = 200) -> str:
    """A short line of text; empty where there is none."""
    value = found.get(key)
    return shown(value, most) if isinstance(value, str) else ""


def shown(text: str, most: int = 200) -> str:
    """So much of somebody else's text as has room on a line."""
    return printable(text[:most])


def commit_in(text: str) -> str:
    """The commit that a text is, or that an address ends with; empty where neither."""
    found = _COMMIT.search(text.strip().lower())
    return found[1] if found else ""


def tests_in(found: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The tests of a result. Raises Unusable."""
    tests = found.get("tests")
    if not isinstance(tests, list) or not all(isinstance(test, dict) for test in tests):
        raise Unusable("its tests are no list of objects")
    if len(tests) > MOST_TESTS:
        raise Unusable(f"it has more than {MOST_TESTS:,} tests")
    return tests


def read_json(
    content: bytes, names: tuple[str, ...], file: str, assignment: str = "", *, readers: Sequence[Reader]
) -> ResultsRead:
    """The results of a JSON file. `names` is whose it is by its place; `assignment` picks one of several that a
    collected file holds; `readers` are the hosts'. Raises Unusable.
    """
    return _results_in(_parsed(content), names, file, assignment, readers)


def read_payload(content: bytes, names: tuple[str, ...], file: str, *, readers: Sequence[Reader]) -> ResultsRead:
    """The result of a file with GitHub Classroom's base64 text, `result=` before it or not. Raises Unusable."""
    text = b"".join(content.removeprefix(b"\xef\xbb\xbf").split()).removeprefix(b"result=")
    try:
        decoded = base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        raise Unusable("it is not base64") from None
    found = _parsed(decoded)
    if not isinstance(found, dict) or "assignments" in found:  # which is everybody's, and no step's
        raise unknown(found)
    return _results_in(found, names, file, "", readers)


def _results_in(
    found: Any, names: tuple[str, ...], file: str, assignment: str, readers: Sequence[Reader]
) -> ResultsRead:
    if isinstance(found, dict) and found.get("schema") == SCHEMA:
        return ResultsRead((_report(found, names, file),))
    read = (reader(found, names, file, assignment) for reader in readers)
    results = next((each for each in read if each is not None), None)
    if results is None:
        raise unknown(found)
    return results


def _parsed(content: bytes) -> Any:
    try:
        return json.loads(content.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        raise Unusable("it is damaged: it is not JSON") from None


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
        names or one_name(shown(report.submission)), score, most, "report", file,
        when=shown(report.submitted), commit=commit_in(shown(report.commit)), digest=shown(report.digest),
    )  # fmt: skip


def read_table(content: bytes, file: str, assignment: str = "") -> ResultsRead | None:
    """The results of a CSV file; None where its columns are not those of a table of grades. Raises Unusable, and
    GradcheckError for what is no CSV.
    """
    if not content.strip():
        return None
    sheet = read_sheet(content, file, by_hand=True, even=False)
    header = ["_".join(cell.lower().replace("-", " ").replace("_", " ").split()) for cell in sheet.header]
    names = [column for column in _NAMES if column in header]
    score, most = (next(filter(header.__contains__, wanted), "") for wanted in (_SCORES, _MOSTS))
    if not (names and score and most):
        return None
    if len(sheet.lines) > _MOST_ROWS:
        raise Unusable(f"it has more than {_MOST_ROWS:,} rows")
    for column in (*names, score, most):
        if header.count(column) > 1:
            raise Unusable(f"it has two columns {column}")
    rows = [
        (line.row, {column: line.value(at).strip() for at, column in enumerate(header)})
        for line in sheet.lines[1:]
        if not line.blank
    ]
    found: list[Result] = []
    problems: list[str] = []
    for number, row in _of_one_assignment(rows, assignment):
        where = f"{file}, row {number}"
        whose = tuple(printable(row[name]) for name in names if row[name])
        if not whose:
            problems.append(f"{where}: it names nobody")
        elif row[score]:  # or they handed in nothing
            try:
                found.append(_in_row(row, whose, score, most, where))
            except Unusable as reason:
                problems.append(printable(f"{where} of {whose[0]}: {reason}"))
    return ResultsRead(tuple(found), tuple(problems))


def _in_row(row: Mapping[str, str], whose: tuple[str, ...], score: str, most: str, where: str) -> Result:
    earned, possible = _number(row[score], score), _number(row[most], most)
    return Result(
        whose, *score_of(earned, possible), "grades", where,
        when=printable(next(filter(None, map(row.get, _TIMES)), "")), commit=commit_in(row.get("commit", "")),
        grain=1.0 if earned.is_integer() and possible.is_integer() else 0.0,
    )  # fmt: skip


def _of_one_assignment(rows: list[tuple[int, dict[str, str]]], wanted: str) -> list[tuple[int, dict[str, str]]]:
    found = sorted({row.get("assignment_name", "") for _, row in rows} - {""})
    shown = printable(", ".join(found[:5]))
    if wanted and found and wanted not in found:
        raise Unusable(f"it has no assignment {wanted}; there are: {shown}")
    if not wanted and len(found) > 1:
        raise Unusable(f"it has several assignments ({shown}); choose one with --assignment")
    return [(number, row) for number, row in rows if not (wanted and found) or row["assignment_name"] == wanted]


def _number(text: str, column: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise Unusable(f"its {column} is no number") from None
    if math.isnan(value):
        raise Unusable(f"its {column} is nan")
    return value
