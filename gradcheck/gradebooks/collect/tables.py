"""Tables of grades, as GitHub Classroom's and Gradescope's teachers export them: a row is a result."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping

from gradcheck.gradebooks.collect.result import Result, ResultsRead, Unusable, commit_in, score_of
from gradcheck.submissions.layout import printable

_NAMES = ("github_username", "username", "login", "roster_identifier", "student_repository_name", "email", "sid")
_SCORES = ("points_awarded", "total_score", "score")
_MOSTS = ("points_available", "max_points", "max_score", "points_possible")
_TIMES = ("submission_timestamp", "submission_time", "submitted")
_MOST_ROWS = 50_000


def read_table(content: bytes, file: str, assignment: str = "") -> ResultsRead | None:
    """The results of a CSV file; None where its columns are not those of a table of grades. Raises Unusable."""
    rows = _rows(content)
    header = [_column(cell) for cell in rows[0]] if rows else []
    names = [column for column in _NAMES if column in header]
    score, most = _first(_SCORES, header), _first(_MOSTS, header)
    if not (names and score and most):
        return None
    if len(rows) > _MOST_ROWS:
        raise Unusable(f"it has more than {_MOST_ROWS:,} rows")
    for column in (*names, score, most):
        if header.count(column) > 1:
            raise Unusable(f"it has two columns {column}")
    named = [(number, dict(zip(header, row, strict=False))) for number, row in enumerate(rows[1:], 2) if any(row)]
    chosen = _of_one_assignment(named, assignment)
    results: list[Result] = []
    problems: list[str] = []
    for number, row in chosen:
        where = f"{file}, row {number}"
        try:
            results += _result(row, names, score, most, where)
        except Unusable as reason:
            who = next((row[name].strip() for name in names if row.get(name, "").strip()), "")
            problems.append(printable(f"{where}{f' of {who}' if who else ''}: {reason}"))
    return ResultsRead(tuple(results), tuple(problems))


def _result(row: Mapping[str, str], names: list[str], score: str, most: str, where: str) -> list[Result]:
    """The row's result; none where it has no score, as of somebody who handed in nothing. Raises Unusable."""
    candidates = tuple(printable(row[name].strip()) for name in names if row.get(name, "").strip())
    if not candidates:
        raise Unusable("it names nobody")
    if not row.get(score, "").strip():
        return []
    earned, possible = _number(row[score], score), _number(row.get(most, ""), most)
    when = next((printable(row[column].strip()) for column in _TIMES if row.get(column, "").strip()), "")
    grain = 1.0 if earned.is_integer() and possible.is_integer() else 0.0
    return [
        Result(
            candidates, *score_of(earned, possible), "grades", where,
            when=when, commit=commit_in(row.get("commit", "")), grain=grain,
        )
    ]  # fmt: skip


def _of_one_assignment(rows: list[tuple[int, dict[str, str]]], wanted: str) -> list[tuple[int, dict[str, str]]]:
    found = sorted({row.get("assignment_name", "").strip() for _, row in rows} - {""})
    shown = printable(", ".join(found[:5]))
    if wanted and found and wanted not in found:
        raise Unusable(f"it has no assignment {wanted}; there are: {shown}")
    if not wanted and len(found) > 1:
        raise Unusable(f"it has several assignments ({shown}); choose one with --assignment")
    return [(number, row) for number, row in rows if not (wanted and found) or row["assignment_name"].strip() == wanted]


def _number(text: str, column: str) -> float:
    try:
        value = float(text.strip())
    except ValueError:
        raise Unusable(f"its {column} is no number") from None
    if math.isnan(value):
        raise Unusable(f"its {column} is nan")
    return value


def _rows(content: bytes) -> list[list[str]]:
    try:
        text = content.decode("utf-16" if content.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig")
        first = next((line for line in text.splitlines() if line.strip()), "")
        delimiter = max(",;\t", key=first.count)
        return list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))
    except UnicodeDecodeError as error:
        raise Unusable(f"it is no UTF-8 text (byte {error.start})") from None
    except csv.Error as error:
        raise Unusable(f"it is not readable as CSV: {error}") from None


def _column(cell: str) -> str:
    return "_".join(cell.strip().lower().replace("-", " ").replace("_", " ").split())


def _first(wanted: tuple[str, ...], header: list[str]) -> str:
    return next((column for column in wanted if column in header), "")
