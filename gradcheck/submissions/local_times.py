"""When something was handed in, as a table has it: with an offset, or in a host's words and the course's own time."""

from __future__ import annotations

import re
import unicodedata
from datetime import datetime, tzinfo

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
