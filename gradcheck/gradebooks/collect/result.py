"""One score that CI or a host gave, and the checks that no number in it escapes."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from gradcheck.submissions.layout import printable

MOST_POINTS = 1e9
MOST_TESTS = 10_000
_COMMIT = re.compile(r"(?:^|/)([0-9a-f]{40}(?:[0-9a-f]{24})?)/?$")


class Unusable(Exception):
    """Why a file or a row of it gives no score: a clause about it."""


@dataclass(frozen=True)
class Result:
    """A score as it came: advisory, since whoever may push may have written it.

    `names`  what it goes by, for the roster: a file's or folder's name, a login, an id; all have to be one person's.
    `kind`   report, classroom50, gradescope, classroom or grades: which format.
    `file`   where it was read, for people.
    `when`, `commit`, `digest`  of the graded work, empty where the format does not say.
    `grain`  the smallest number of points that could be given; 0: any. What is less was rounded away, per exercise.
    """

    names: tuple[str, ...]
    score: float
    max_score: float
    kind: str
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
