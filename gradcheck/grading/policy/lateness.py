"""When something was due, how late it is, and what that costs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

Late = Literal["none", "per-day", "zero-after"]
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Deadline:
    """A deadline and what follows after it.

    `at`               with an offset from UTC.
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
        times = [each if isinstance(each, datetime) else self.at + each for each in own]
        return max(times) if times else self.at

    def accepted_until(self, due: datetime) -> datetime:
        """The last moment that is not late."""
        return due + timedelta(minutes=self.grace_minutes)

    def days_late(self, due: datetime, submitted: datetime) -> int:
        """The days that have begun since it became late; 0 in time. One second late is one day."""
        over = submitted - self.accepted_until(due)
        return -(-over // DAY) if over > timedelta(0) else 0

    def share_lost(self, days: int) -> float:
        """How much of what was earned is lost by being so many days late: 0 to 1."""
        if days <= 0 or self.late == "none":
            return 0.0
        if self.late == "zero-after" or (self.max_days is not None and days > self.max_days):
            return 1.0
        return min(1.0, days * self.penalty_per_day / 100)

    def rule(self, days: int) -> str:
        """What was applied, for people."""
        count = f"{days} day late" if days == 1 else f"{days} days late"
        if self.late == "none":
            return f"{count}, which costs nothing"
        if self.late == "zero-after":
            return f"{count}: nothing counts after the deadline"
        if self.max_days is not None and days > self.max_days:
            return f"{count}: nothing counts after {self.max_days} days"
        return f"{count}: {self.penalty_per_day:g} % of the points for each"


def moment(text: str) -> datetime | None:
    """An ISO 8601 time with an offset; None for anything else."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo is not None else None
