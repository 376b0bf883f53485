"""grades.csv: a row per submission, a column per exercise, for spreadsheets and for scripts."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from io import StringIO
from typing import Any

from gradcheck.reports.escaping import csv_cell

STATUSES = ("passed", "failed", "errored", "not_started")
OPENING = ("name", "student", "email", "id", "final_score", "score", "max_score", "late_days")


def grades_csv(summary: Mapping[str, Any]) -> bytes:
    """The file's bytes, from `gradcheck/class/v1`: rows in the order of the summary, which is by name.

    UTF-8 with a byte order mark: without one, Excel on Windows reads names as another encoding and breaks every Müller;
    LibreOffice, Numbers, Google Sheets and pandas take it either way, and Python's csv with `utf-8-sig`. Lines end as
    RFC 4180 says. Text cannot become a formula; numbers have a decimal point and stay numbers.
    """
    text = StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    names = [each["name"] for each in summary["exercises"]]
    writer.writerow([*OPENING, *map(csv_cell, names), *STATUSES])
    writer.writerows(_rows(summary, names))
    return b"\xef\xbb\xbf" + text.getvalue().encode("utf-8")


def _rows(summary: Mapping[str, Any], names: list[str]) -> Iterator[list[str]]:
    for row in summary["submissions"]:
        student = row["student"] or {}
        yield [
            csv_cell(row["name"]),
            *(csv_cell(student.get(key, "")) for key in ("name", "email", "id")),
            *(_number(row[key]) for key in ("final_score", "score", "max_score", "late_days")),
            *(_number(row["exercises"][name]["score"]) if name in row["exercises"] else "" for name in names),
            *(_number(row["status"][status]) for status in STATUSES),
        ]


def _number(value: float) -> str:
    return f"{value:.4f}".rstrip("0").rstrip(".")
