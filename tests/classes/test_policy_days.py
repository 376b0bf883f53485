"""Days after a deadline are those of the course's calendar, and being later never makes them fewer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradcheck.classes import policy as courses
from gradcheck.classes.policy import Commit, Course, load_course
from gradcheck.errors import GradcheckError
from gradcheck.submissions.lateness import Deadline, marked_late, moment_text

BERLIN = ZoneInfo("Europe/Berlin")
SECOND = timedelta(seconds=1)


@pytest.fixture
def load(tmp_path):
    def from_text(text: str) -> Course:
        path = tmp_path / "course.toml"
        path.write_text(text, encoding="utf-8")
        return load_course(path)

    return from_text


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


CHANGES = [
    # Clocks are put back on the 25th of October and put forward on the 28th of March.
    ("2026-10-24T23:59:00", "2026-10-25T23:59:00+01:00", 25),
    ("2027-03-27T23:59:00", "2027-03-28T23:59:00+02:00", 23),
    ("2026-10-01T23:59:00", "2026-10-02T23:59:00+02:00", 24),
    ("2026-10-24T02:30:00", "2026-10-25T02:30:00+01:00", 25),  # comes twice: the later
    ("2027-03-27T02:30:00", "2027-03-28T03:30:00+02:00", 24),  # does not come: the later
    ("2027-03-28T03:00:00", "2027-03-29T03:00:00+02:00", 24),
]


@pytest.mark.parametrize(("due", "ends", "hours"), CHANGES)
@pytest.mark.parametrize("grace", [0, 15])
def test_a_change_of_the_clocks_costs_no_day(load, due, ends, hours, grace):
    course = load(f"[course]\ntimezone = 'Europe/Berlin'\n[deadline]\nat = {due}\ngrace_minutes = {grace}")
    rule, ended = course.deadline, at(ends) + timedelta(minutes=grace)
    assert rule.day_ends(rule.at, 1) - rule.day_ends(rule.at, 0) == timedelta(hours=hours)
    days = [
        rule.days_late(rule.at, ended + over) for over in (-timedelta(hours=hours), SECOND - timedelta(hours=hours))
    ]
    assert days == [0, 1]
    assert [rule.days_late(rule.at, ended + over) for over in (timedelta(0), SECOND)] == [1, 2]


def test_without_a_zone_a_day_has_24_hours(load):
    rule = load("[deadline]\nat = 2026-10-24T23:59:00+02:00").deadline
    assert rule.days_late(rule.at, at("2026-10-25T23:59:00+01:00")) == 2


def test_a_number_of_days_moves_a_deadline_by_the_calendar_too(load):
    text = (
        "[deadline]\nat = 2026-10-24T23:59:00\n[deadline.extensions]\na = 1\nb = 2026-10-26T12:00:00\nc = 0\nd = 0.5\n"
    )
    course = load("[course]\ntimezone = 'Europe/Berlin'\n" + text)
    dues = {name: course.due(name).isoformat() for name in "abcd"}
    assert dues == {
        "a": "2026-10-25T23:59:00+01:00", "b": "2026-10-26T12:00:00+01:00", "c": "2026-10-24T23:59:00+02:00",
        "d": "2026-10-25T11:59:00+01:00",
    }  # fmt: skip
    rule = course.deadline
    assert rule.days_late(course.due("a"), at("2026-10-26T23:59:00+01:00")) == 1


def test_an_extension_with_an_offset_of_its_own_has_the_courses_days(load):
    course = load(
        "[course]\ntimezone = 'Europe/Berlin'\n[deadline]\nat = 2026-10-20T23:59:00\n"
        "[deadline.extensions]\na = 2026-10-24T21:59:00Z"
    )
    assert course.deadline.days_late(course.due("a"), at("2026-10-25T23:59:00+01:00")) == 1


DUE = st.datetimes(datetime(1970, 1, 2), datetime(2100, 1, 1))  # noqa: DTZ001
ZONES = st.sampled_from(
    ["Europe/Berlin", "Pacific/Apia", "Australia/Lord_Howe", "America/St_Johns", "Africa/Casablanca", "UTC"]
)
AFTER = st.integers(-(10**4), 10**8)


@given(DUE, ZONES, st.integers(0, 1), AFTER, AFTER, st.sampled_from([0, 15, 2000.5]))
def test_later_is_never_fewer_days(local, zone, fold, first, second, grace):
    due = local.replace(tzinfo=ZoneInfo(zone), fold=fold).astimezone(UTC).astimezone(ZoneInfo(zone))
    rule = Deadline(due, grace, "per-day", 10)
    early, late = (due.astimezone(UTC) + timedelta(seconds=each) for each in sorted((first, second)))
    days = rule.days_late(due, early), rule.days_late(due, late)
    assert days[0] <= days[1]
    for days_late, submitted in zip(days, (early, late), strict=True):
        assert submitted <= rule.day_ends(due, days_late)
        assert not days_late or submitted > rule.day_ends(due, days_late - 1)
    assert rule.share_lost(days[0]) <= rule.share_lost(days[1])


@given(DUE, ZONES)
def test_the_ends_of_days_never_go_back(local, zone):
    due = local.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC).astimezone(ZoneInfo(zone))
    ends = [Deadline(due).day_ends(due, day) for day in range(6)]
    assert ends == sorted(ends)


@pytest.mark.parametrize(
    "submitted", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "9999-12-31T23:59:59Z"]
)
def test_the_ends_of_the_calendar_are_no_trouble(submitted):
    for zone in (UTC, BERLIN):
        due = datetime(9000, 1, 1, tzinfo=zone)
        assert (Deadline(due).days_late(due, at(submitted)) > 0) == submitted.startswith("9")


WRONG = {
    "[course]\ntimezone = 'Europe/Berln'": ("line 2", "is no time zone", "did you mean Europe/Berlin?"),
    "[course]\ntimezone = 'Europe'": ("is no time zone",),
    "[course]\ntimezone = '../../etc/passwd'": ("is no time zone",),
    "[course]\ntimezone = 'a\\u0000b'".replace("'", '"'): ("is no time zone",),
    "[course]\ntimezone = 2": ("is text in quotes",),
    "[deadline]\nat = 2026-02-30T12:00:00": ("not readable as TOML", "line 2"),
    "[deadline]\nat = 2026-10-01T12:00:00": ("lacks the offset from UTC, or [course] its timezone",),
    "[deadline]\nat = 0001-01-01T00:00:00+14:00": ("line 2", "a date from 1970 to 9000"),
    "[deadline]\nat = 9999-12-31T23:59:59Z": ("a date from 1970 to 9000, not of the year 9999",),
    "[course]\ntimezone = 'Europe/Berlin'\n[deadline]\nat = 2026-10-25T02:30:00": (
        "line 4", "show twice", "write 2026-10-25T02:30:00+02:00 or 2026-10-25T02:30:00+01:00",
    ),
    "[course]\ntimezone = 'Europe/Berlin'\n[deadline]\nat = 2027-03-28T02:30:00": ("line 4", "skip", "put forward"),
    "[course]\ntimezone = 'Europe/Berlin'\n[deadline]\nat = 2027-03-28": ("is a date and time",),
    "[submissions]\nat = 'late-days'": ("there are none", 'late = "per-day"'),
    "[deadline]\nat = 2026-10-01T12:00:00Z\n[submissions]\nat = 'late-days'": ("there are none",),
}  # fmt: skip


@pytest.mark.parametrize("text", WRONG, ids=[" ".join(text.split())[-50:] for text in WRONG])
def test_what_is_wrong_is_told_to_people(load, text):
    with pytest.raises(GradcheckError) as told:
        load(text)
    for words in WRONG[text]:
        assert words in str(told.value)


def test_a_system_without_zones_is_told_what_to_install(load, monkeypatch):
    monkeypatch.setattr(courses, "available_timezones", set)
    with pytest.raises(GradcheckError, match="pip install tzdata"):
        load("[course]\ntimezone = 'Europe/Berlin'")


LAST = [
    (Deadline(datetime(2026, 10, 1, tzinfo=UTC)), None),
    (Deadline(datetime(2026, 10, 1, tzinfo=UTC), late="zero-after"), 0),
    *(
        (Deadline(datetime(2026, 10, 1, tzinfo=UTC), 0, "per-day", penalty, most), last)
        for penalty, most, last in [
            (10, None, 9), (10, 3, 3), (10, 30, 9), (30, None, 3), (50, 9, 1), (100, None, 0), (100, 5, 0),
            (0, None, None), (0, 7, 7), (0.01, None, None), (5e-324, None, None), (5e-324, 3650, 3650),
        ]
    ),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "last"), LAST)
def test_the_last_day_is_the_last_that_leaves_something(rule, last):
    assert rule.last_day == last
    if last is not None:
        assert rule.share_lost(last) < 1 <= rule.share_lost(last + 1)


def test_how_far_a_clone_is_read_follows_from_the_late_rule(load):
    due = at("2026-10-24T23:59:00+02:00")
    text = "[course]\ntimezone = 'Europe/Berlin'\n[deadline]\nat = 2026-10-24T23:59:00\n"
    daily = text + "late = 'per-day'\npenalty_per_day = 40\n"
    ends = (due, at("2026-10-25T23:59:00+01:00"), at("2026-10-26T23:59:00+01:00"))
    assert load(daily).at == "late-days"
    assert load(daily).commit_wanted("x") == Commit(until=ends[2], steps=ends)
    assert load(daily + "max_days = 1").commit_wanted("x") == Commit(until=ends[1], steps=ends[:2])
    assert load(daily + "[submissions]\nat = 'deadline'").commit_wanted("x") == Commit(until=due)
    assert load(daily + "[submissions]\nat = 'head'").commit_wanted("x") == Commit(steps=ends)
    assert load(daily + "[submissions]\ntag = 'v1'").commit_wanted("x") == Commit("v1", steps=ends)
    for at_files in ("worktree", "mtime"):
        assert load(daily + f"[submissions]\nat = '{at_files}'").commit_wanted("x") is None
    free = load(text + "late = 'per-day'\npenalty_per_day = 0\n").commit_wanted("x")
    assert (free.until, len(free.steps)) == (None, 32)
    for rule in ("none", "zero-after"):
        assert load(text + f"late = '{rule}'").commit_wanted("x") == Commit(until=due)


def test_a_name_that_canvas_gives_to_what_is_late():
    for name in ("lovelaceada_LATE_123_456_relu", "lovelaceada_late_123_456_relu", "winterada_LATE_123"):
        assert marked_late(name)
    for name in ("lovelaceada_123_456_relu", "late", "kate_later_123", "_late_12", "ada_late_relu", "late_1_2"):
        assert not marked_late(name)


def test_what_can_be_no_time_of_handing_in_has_no_text():
    assert moment_text(1) == "1970-01-01T00:00:01+00:00"
    assert moment_text(1_790_000_000.9) == "2026-09-21T14:13:20+00:00"
    for seconds in (0, -5, 253402300800, 2**64 - 1, float("nan"), float("inf")):
        assert moment_text(seconds) == ""
