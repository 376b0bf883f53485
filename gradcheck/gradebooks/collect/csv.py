"""Collected scores for their readers: a gradebook and the differences as CSV, and `gradcheck/collected/v1`."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from io import StringIO
from typing import Any

import msgspec

from gradcheck.gradebooks.collect.compare import ScoreComparison, StudentScore
from gradcheck.gradebooks.collect.regrade import Regrade
from gradcheck.gradebooks.collect.result import Result
from gradcheck.reports.escaping import csv_cell

SCHEMA = "gradcheck/collected/v1"
GRADEBOOK = (
    "name", "email", "id", "submission", "ci_score", "ci_max", "regrade_score", "regrade_max", "final", "source",
    "note",
)  # fmt: skip
DIFFERENCES = ("name", "email", "id", "submission", "ci_score", "ci_max", "regrade", "regrade_max", "why")
ADVISORY = "advisory"
"""What the final score reads where CI alone gave one: a word, so that no spreadsheet adds it up."""


def gradebook_csv(comparison: ScoreComparison) -> bytes:
    """A row for every student of the roster, in its order. UTF-8 with a byte order mark, as grades.csv has it."""
    return csv_bytes(GRADEBOOK, map(_gradebook_row, comparison.rows))


def differences_csv(comparison: ScoreComparison) -> bytes:
    """A row for every student of whom CI and the regrade say different things."""
    return csv_bytes(DIFFERENCES, (_difference_row(row) for row in comparison.rows if row.differs))


def collected_dict(
    comparison: ScoreComparison, ignored: Sequence[tuple[str, str]], problems: Sequence[str]
) -> dict[str, Any]:
    """`gradcheck/collected/v1` (docs/collect.md), without what the folder adds about its files."""
    return {
        "schema": SCHEMA,
        "regraded": comparison.regraded,
        "settled": comparison.settled and not problems,
        "students": [_student(row) for row in comparison.rows],
        "nobodys": [{"what": what, "why": why} for what, why in comparison.nobodys],
        "problems": list(problems),
        "ignored": [{"name": name, "why": why} for name, why in ignored],
    }


def _student(row: StudentScore) -> dict[str, Any]:
    return {
        **msgspec.to_builtins(row.student.named()),
        "submission": row.submission,
        "source": row.source,
        "final": row.final,
        "ci": _ci(row.ci),
        "regrade": _regrade(row.regrade),
        "clone": {**asdict(row.clone), "changed": list(row.clone.changed)} if row.clone else None,
        "differs": row.differs,
        "why": list(row.why),
        "matters": list(row.matters),
        "notes": list(row.notes),
        "all_ci": [_ci(each) for each in row.all_ci],
        "all_regrades": [_regrade(each) for each in row.all_regrades],
    }


def _ci(result: Result | None) -> dict[str, Any] | None:
    if result is None:
        return None
    return {
        "score": result.score, "max_score": result.max_score, "format": result.kind, "file": result.file,
        "when": result.when, "commit": result.commit,
    }  # fmt: skip


def _regrade(regrade: Regrade | None) -> dict[str, Any] | None:
    if regrade is None:
        return None
    kept = ("submission", "score", "final", "max_score", "commit", "submitted", "late_days", "late_penalty")
    found: Mapping[str, Any] = asdict(regrade)
    return {
        **{key: found[key] for key in kept},
        "hint_penalty": regrade.hint_penalty,
        "ungraded": list(regrade.ungraded),
    }


def _gradebook_row(row: StudentScore) -> list[str]:
    advisory = ADVISORY if row.source == "advisory" else ""
    note = "; ".join((*row.matters, *row.why, *row.notes))
    scores = (
        (row.ci.score, row.ci.max_score) if row.ci else (None, None),
        (row.regrade.score, row.regrade.max_score) if row.source == "regrade" and row.regrade else (None, None),
    )
    return [
        *_who(row),
        *(number(each) for pair in scores for each in pair),
        number(row.final) or advisory,
        row.source,
        csv_cell(note),
    ]


def _difference_row(row: StudentScore) -> list[str]:
    ci = (row.ci.score, row.ci.max_score) if row.ci else (None, None)
    regrade = (row.regrade.final, row.regrade.max_score) if row.regrade else (None, None)
    return [*_who(row), *map(number, (*ci, *regrade)), csv_cell("; ".join(row.why))]


def _who(row: StudentScore) -> list[str]:
    return [csv_cell(each) for each in (row.student.name, row.student.email, row.student.id, row.submission)]


def number(value: float | None) -> str:
    """A number with a decimal point; nothing for none."""
    return "" if value is None else f"{value:.4f}".rstrip("0").rstrip(".")


def csv_bytes(header: Sequence[str], rows: Iterable[Sequence[str]]) -> bytes:
    text = StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(header)
    writer.writerows(rows)
    return b"\xef\xbb\xbf" + text.getvalue().encode("utf-8")
