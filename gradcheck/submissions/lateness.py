"""When something was due, how late it is, and what that costs.

Days are calendar days: the first late day ends when the clocks of the course show the deadline's time again, be it 23,
24 or 25 hours later. Where the course names no time zone the deadline's own offset stays, and a day has 24 hours.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Literal
from zoneinfo import ZoneInfo

from gradcheck.showing.text import plural

Late = Literal["none", "per-day", "zero-after"]
DAY = timedelta(days=1)
MOST_DAYS = 3650
"""What a course may say of days; a late rule that takes longer has no end."""

_MOST_STEPS = 32
_MARKED_LATE = re.compile(r"[^_]+_late_\d+(?:_.*)?", re.IGNORECASE)
_MONTHS = (
    ("january", "januar", "janvier", "enero", "janeiro"),
    ("february", "februar", "fevrier", "febrero", "fevereiro"),
    ("march", "marz", "mars", "marzo", "marco"),
    ("april", "avril", "abril"),
    ("may", "mai", "mayo", "maio"),
    ("june", "juni", "juin", "junio", "junho"),
    ("july", "juli", "juillet", "julio", "julho"),
    ("august", "aout", "agosto"),
    ("september", "septembre", "septiembre", "setembro"),
    ("october", "oktober", "octobre", "octubre", "outubro"),
    ("november", "novembre", "noviembre", "novembro"),
    ("december", "dezember", "decembre", "diciembre", "dezembro"),
)
"""English, German, French, Spanish, Portuguese, without accents."""
_MONTH_OF = {name: number for number, names in enumerate(_MONTHS, start=1) for name in names}
_CLOCK = re.compile(r"\b(\d{1,2}):(\d\d)(?::(\d\d))?\s*([ap])?\.?m?\b")


@dataclass(frozen=True)
class Deadline:
    """A deadline and what follows after it.

    `at`               in the course's time zone; else with its own offset from UTC.
    `grace_minutes`    nothing is late before these are over.
    `late`             none: only told. per-day: `penalty_per_day` percent of what was earned, for every day begun;
                       after `max_days` nothing is left. zero-after: nothing counts that is late.
    `extensions`       by email, id or submission's name, in small letters: another deadline, or so much longer.
    """

    at: datetime
    grace_minutes: float = 0
    late: Late = "none"
    penalty_per_day: float = 0
    max_days: int | None = None
    extensions: Mapping[str, datetime | timedelta] = field(default_factory=dict)

    def due(self, keys: Iterable[str]) -> datetime:
        """When it is due for whoever is called by one of `keys`; with several extensions the latest."""
        own = [self.extensions[key.lower()] for key in keys if key and key.lower() in self.extensions]
        times = [self._here(each) if isinstance(each, datetime) else _later(self.at, each) for each in own]
        return max(times, key=datetime.timestamp) if times else self.at

    def day_ends(self, due: datetime, day: int) -> datetime:
        """The last moment of a late day, the first of which is 1; of day 0, the last moment that is not late."""
        return _later(due, day * DAY).astimezone(UTC) + timedelta(minutes=self.grace_minutes)

    def days_late(self, due: datetime, submitted: datetime) -> int:
        """The days that have begun since it became late; 0 in time. One second late is one day."""
        over = submitted - self.day_ends(due, 0)
        if over <= timedelta(0):
            return 0
        day = max(1, over // DAY - 1)  # no clock was ever set by more than a day
        try:
            while submitted - self.day_ends(due, day) > timedelta(0):
                day += 1
        except OverflowError:  # the day ends after all calendars
            pass
        return day

    @property
    def last_day(self) -> int | None:
        """The last late day on which something is left of what was earned; None where that never ends."""
        if self.late == "none":
            return None
        if self.late == "zero-after":
            return 0
        ends = self.penalty_per_day * MOST_DAYS >= 100
        left = math.ceil(100 / self.penalty_per_day) - 1 if ends else None
        return min((each for each in (left, self.max_days) if each is not None), default=None)

    def steps(self, due: datetime) -> tuple[datetime, ...]:
        """The moments after each of which it costs more, the first ones where there are many."""
        if self.late == "none":
            return ()
        last = self.last_day
        return tuple(
            self.day_ends(due, day) for day in range(_MOST_STEPS if last is None else min(_MOST_STEPS, last + 1))
        )

    def share_lost(self, days: int) -> float:
        """How much of what was earned is lost by being so many days late: 0 to 1."""
        if days <= 0 or self.late == "none":
            return 0.0
        if self.late == "zero-after" or (self.max_days is not None and days > self.max_days):
            return 1.0
        return min(1.0, days * self.penalty_per_day / 100)

    def rule(self, days: int) -> str:
        """What was applied, for people."""
        count = f"{days} {plural(days, 'day')} late"
        if self.late == "none":
            return f"{count}, which costs nothing"
        if self.late == "zero-after":
            return f"{count}: nothing counts after the deadline"
        if self.max_days is not None and days > self.max_days:
            return f"{count}: nothing counts after {self.max_days} days"
        return f"{count}: {self.penalty_per_day:g} % of the points for each"

    def _here(self, extended: datetime) -> datetime:
        """By the course's clocks, if it names any."""
        return extended.astimezone(self.at.tzinfo) if isinstance(self.at.tzinfo, ZoneInfo) else extended


@dataclass(frozen=True)
class Later:
    """The commits after the one that counts: how many, of when the newest is (empty where its date cannot be), and how
    many of them were looked at and leave the exercises as they were; the others came too late to count.
    """

    count: int
    newest: str
    unchanged: int


@dataclass(frozen=True)
class InTime:
    """The last commit in time, where a late one counts: what an instructor may rather want to grade."""

    commit: str
    submitted: str


def marked_late(name: str) -> bool:
    """Whether a submission's name is one that Canvas gives to what came after its own due date."""
    return _MARKED_LATE.fullmatch(name) is not None


def _later(at: datetime, span: timedelta) -> datetime:
    """So much later by the clocks of its zone. Of a time that they show twice, or skip, the later one."""
    there = at + span
    return max(there.replace(fold=0), there.replace(fold=1), key=datetime.timestamp) if span else at


def moment(text: str) -> datetime | None:
    """An ISO 8601 time with an offset; None for anything else."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo is not None else None


def moment_text(seconds: float) -> str:
    """The text of a time that is known in seconds since 1970; empty for what can be no time of handing in, which a
    damaged commit or file may have.
    """
    try:
        return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds") if seconds > 0 else ""
    except (ValueError, OverflowError, OSError):
        return ""


def read_time(text: str) -> datetime | None:
    """The time that a cell says, with an offset where it has one; None for anything else.

    Moodle writes `Sunday, 4 October 2026, 11:59 PM` and the like in every language.
    """
    try:
        return datetime.fromisoformat(text.strip())
    except ValueError:
        pass
    plain = "".join(char for char in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(char))
    clock = _CLOCK.search(plain)
    if clock is None:
        return None
    date = plain[: clock.start()] + plain[clock.end() :]
    months = [_MONTH_OF[word] for word in re.findall(r"[a-z]+", date) if word in _MONTH_OF]
    numbers = re.findall(r"\d+", date)
    years, days = [n for n in numbers if len(n) == 4], [n for n in numbers if len(n) <= 2]
    if not len(months) == len(years) == len(days) == 1 or len(numbers) != 2:
        return None
    hour, half = int(clock[1]), clock[4]
    if half:
        hour = hour % 12 + (12 if half == "p" else 0) if 1 <= hour <= 12 else 24
    try:
        # The text says no zone; `with_offset` gives it the course's.
        return datetime(int(years[0]), months[0], int(days[0]), hour, int(clock[2]), int(clock[3] or 0))  # noqa: DTZ001
    except ValueError:
        return None


def with_offset(text: str, zone: tzinfo | None) -> str:
    """The same in ISO 8601 with an offset, by `zone` where the text has none; empty where it is not known."""
    found = read_time(text)
    if found is None or (found.tzinfo is None and zone is None):
        return ""
    # In the hour that a clock change repeats, the first of the two: the earlier one costs nobody anything.
    return (found if found.tzinfo is not None else found.replace(tzinfo=zone)).isoformat()
