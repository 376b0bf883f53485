"""What is no graded submission of one student is told first, on the console as on the page."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.reports.class_example import reports, summary_of
from tests.reports.plain_reports import beside
from tests.reports.plain_reports import class_lines as summary_lines

ADA = {"name": "Ada Lovelace", "email": "ada@example.org", "id": "42"}
ZOE = {"name": "Zoë Ng", "email": "", "id": "7"}


def class_with(**changes):
    summary = summary_of(reports(2))
    summary["roster"] = {
        "without_submission": changes.pop("without", []),
        "unmatched": changes.pop("unmatched", []),
        "several": changes.pop("several", []),
        "reasons": changes.pop("reasons", []),
        "unread_times": changes.pop("unread_times", []),
    }
    return {**summary, **changes}


def printed(summary) -> str:
    lines = list(summary_lines(summary, Path("graded")))
    assert max(map(len, lines)) <= 80
    return " ".join(" ".join(lines).split())


@pytest.mark.parametrize(
    ("found", "told"),
    [
        ({"unmatched": ["stranger"]}, "1 submission of nobody in the roster: stranger"),
        (
            {"unmatched": ["a"], "reasons": [{"submission": "a", "why": "several", "who": [ADA, ZOE]}]},
            "1 submission of nobody in the roster: a (it fits several of the roster: Ada Lovelace, Zoë Ng)",
        ),
        (
            {"unread_times": ["yesterday"]},
            "1 time in the roster is taken as unknown: without its offset it needs the course's timezone: yesterday",
        ),
        (
            {"undated": {"count": 2, "names": ["a", "b"]}},
            "2 submissions count as in time, since nobody knows when they were handed in: a, b",
        ),
        (
            {"several": [{"student": ADA, "submissions": ["ada", "ada-2"]}]},
            "1 student with several submissions, each of them graded: Ada Lovelace (ada, ada-2)",
        ),
        (
            {"ignored": [{"name": f"notes{n}.txt", "why": "no archive"} for n in range(5)]},
            (
                "5 entries beside the submissions, not graded: notes0.txt (no archive), notes1.txt (no archive), "
                "notes2.txt (no archive) and 2 more"
            ),
        ),
        ({"gone": ["eve"]}, "1 report of a submission that is gone: kept, counted nowhere: eve"),
        ({"without": [ZOE]}, "1 of the roster handed in nothing: Zoë Ng (7)"),
    ],
)
def test_each_kind_is_named_with_who_it_concerns(found, told):
    assert told in printed(class_with(**found))


def test_who_may_be_a_strangers_owner_is_not_said_to_have_handed_in_nothing():
    told = printed(class_with(without=[ZOE], unmatched=["stranger"]))
    assert "1 of the roster has no submission that is known to be theirs: Zoë Ng" in told
    assert "handed in nothing" not in told


def test_a_class_where_all_fits_has_none_of_it():
    assert list(beside(class_with())) == []
    assert list(beside(class_with() | {"roster": None})) == []
