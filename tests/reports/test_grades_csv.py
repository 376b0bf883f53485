"""grades.csv as programs read it."""

from __future__ import annotations

import csv
import io

from gradcheck.catalog import all_exercises
from tests.checks.totals import COUNT, POINTS
from tests.reports.class_example import report, reports, summary_of
from tests.reports.plain_reports import grades_csv

NAMES = list(all_exercises())
HEADER = [
    "name",
    "student",
    "email",
    "id",
    "final_score",
    "score",
    "max_score",
    "late_days",
    *NAMES,
    "passed",
    "failed",
    "errored",
    "not_started",
    "ungraded",
    "note",
]


def read(summary) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(grades_csv(summary).decode("utf-8-sig"), newline="")))


def test_a_row_has_all_there_is_to_say():
    student = {"name": "Jürgen Müller", "email": "j@example.org", "id": "10042"}
    found = [
        report("juergen", wrong=[("softmax", "backward", "missing-term", "x")], student=student, late=2),
        report("ada", started=3),
    ]
    first, second = read(summary_of(found))
    assert list(first) == HEADER
    assert (first["name"], first["student"], first["not_started"]) == ("ada", "", str(len(NAMES) - 3))
    assert (second["student"], second["email"], second["id"]) == ("Jürgen Müller", "j@example.org", "10042")
    assert (second["final_score"], second["score"], second["max_score"], second["late_days"]) == (
        f"{POINTS - 13:g}",
        f"{POINTS - 3:g}",
        f"{POINTS:g}",
        "2",
    )
    assert (second["softmax"], second["relu"], second["passed"], second["failed"]) == ("3", "4", str(COUNT - 1), "1")


def test_numbers_are_numbers():
    for row in read(summary_of(reports(20))):
        for name in HEADER[4:-2]:
            assert float(row[name]) >= 0
            assert "e" not in row[name]
        assert float(row["score"]) == round(sum(float(row[name]) for name in NAMES), 4)


def test_a_spreadsheet_sees_the_encoding_and_the_lines():
    content = grades_csv(summary_of(reports(3)))
    assert content.startswith(b"\xef\xbb\xbfname,student,")
    assert content.count(b"\r\n") == content.count(b"\n") == 4


def test_nothing_that_somebody_wrote_is_a_formula_or_a_line():
    student = {"name": '=HYPERLINK("http://x";"y")', "email": "@SUM(1)\r\n=2", "id": "+49\x1b[31m"}
    row = read(summary_of([report("-1+1|cmd", student=student)]))[0]
    assert row["name"] == "'-1+1|cmd"
    assert row["student"] == '\'=HYPERLINK("http://x";"y")'
    assert row["email"] == "'@SUM(1) =2"
    assert row["id"] == "'+49[31m"


def test_half_a_surrogate_pair_stops_nobody():
    assert (
        read(summary_of([report("a", student={"name": "x\udcff", "email": "", "id": ""})]))[0]["student"] == "x\ufffd"
    )


def test_a_class_of_nobody_has_a_header():
    assert grades_csv(summary_of([])).decode("utf-8-sig").splitlines() == [",".join(HEADER)]


def test_all_of_the_roster_is_in_it_and_every_member_of_a_team():
    team = [{"name": "Ada", "email": "a@x", "id": "1"}, {"name": "Bo", "email": "", "id": "2"}]
    found = [report("team-3", started=3), report("one", student=team[1]), report("two"), report("zed")]
    found[0]["students"] = team
    summary = summary_of(found)
    summary["roster"] = {
        "without_submission": [{"name": "=Cy", "email": "c@x", "id": "3"}],
        "unmatched": ["two", "zed"],
        "several": [{"student": team[1], "submissions": ["one", "team-3"]}],
    }
    rows = read(summary)
    assert [(row["name"], row["student"], row["note"]) for row in rows] == [
        ("one", "Bo", "one of several of this student"),
        ("team-3", "Ada", ""),
        ("team-3", "Bo", "one of several of this student"),
        ("two", "", "of nobody in the roster"),
        ("zed", "", "of nobody in the roster"),
        ("", "'=Cy", "nothing handed in"),
    ]
    assert rows[1]["final_score"] == rows[2]["final_score"] != ""
    assert {value for key, value in rows[-1].items() if key not in ("student", "email", "id", "note")} == {""}
