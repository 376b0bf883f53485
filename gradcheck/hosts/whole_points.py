"""A report's scores as whole points, for hosts that take integers only: rounded down, full only where all is right.

A host that shows passed / total × max_score in one place and the sum of the tests' scores in another agrees with itself
only where all tests of an exercise are worth the same. So an exercise is divided into tests of the same whole worth:
one for every point of a function where that comes to few, else one for every so many points.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from gradcheck.catalog import all_exercises
from gradcheck.classes.written import WrittenExercise

MOST_TESTS = 20
"""Of one exercise: more would hide what they say."""
REST = "rest"
"""Stands for a function's name in tests for what the functions' whole points leave over."""
_LEAST_TESTS = 3
"""Of an exercise that has as many points: with fewer, hardly any partial credit would be left."""
_GRACE = 1e-9
"""Scores are sums of fractions: 0.6 + 0.2 + 0.2 is a whole point."""
_ROUNDED = 1e-3
"""Reports round scores to four places."""


def whole(score: float, max_score: float) -> tuple[int, int]:
    """Score and most as integers: the most rounded up, the score down. Full exactly where `score` is full."""
    if max_score <= 0:
        return 0, 0
    most = max(1, math.ceil(max_score - _GRACE))
    if score >= max_score - _GRACE:
        return most, most
    return max(0, min(math.floor(score + _GRACE), most - 1)), most


@dataclass(frozen=True)
class Division:
    """How an exercise is divided: `tests` tests that are worth `worth` points each."""

    tests: int
    worth: int

    @property
    def max_score(self) -> int:
        return self.tests * self.worth


@dataclass(frozen=True)
class UnitTest:
    """Some points, which are there or not. `function` is REST for what whole points leave over, and empty where the
    exercise is not divided by its functions.
    """

    exercise: str
    function: str
    name: str
    passed: bool
    worth: int

    @property
    def score(self) -> int:
        return self.worth if self.passed else 0


@dataclass(frozen=True)
class _Share:
    """What a function earned of what it is worth."""

    function: str
    most: float
    earned: float
    complete: bool


def division_of(exercise: WrittenExercise, most: int = MOST_TESTS) -> Division:
    """The division of an exercise of a report (`stored.read_report`) into at most `most` tests.

    Its max_score is the exercise's, rounded up to a whole number, and a little further where that has no division that
    leaves partial credit: 23 points are shown as 24.
    """
    return _division(exercise.max_score, [share.most for share in _shares(exercise)], most)


def _division(max_score: float, shares: Sequence[float], most: int) -> Division:
    _, points = whole(0, max_score)
    exact = [round(share) for share in shares] if all(abs(share - round(share)) < _GRACE for share in shares) else []
    least = min(_LEAST_TESTS, points, most)
    for total in range(points, 2 * points + most) if points else ():
        found = [Division(tests, total // tests) for tests in range(most, least - 1, -1) if _even(tests, total)]
        if found:
            return next((each for each in found if all(share % each.worth == 0 for share in exact)), found[0])
    return Division(1, points)


def _even(tests: int, total: int) -> bool:
    """Whether passed / tests × total is exact in floating point too, in which hosts compute it, whatever passes."""
    worth, over = divmod(total, tests)
    return worth > 0 and not over and all(done / tests * total == done * worth for done in range(tests + 1))


def most_each(max_scores: Sequence[float], most: int) -> int:
    """How many tests an exercise may have, so that all of these exercises together have at most `most`, or one each."""
    for each in range(MOST_TESTS, 1, -1):
        if sum(_division(points, (), each).tests for points in max_scores) <= most:
            return each
    return 1


def common_divisions(exercises: Sequence[WrittenExercise], most: int) -> list[Division]:
    """One for each exercise, all worth the same, for a host that adds them up together: at most `most` tests in all,
    where there are not more exercises. One that counts nothing has no test.
    """
    points = [whole(0, exercise.max_score)[1] for exercise in exercises]
    counting = [each for each in points if each]
    room = max(most, len(counting))

    def fits(worth: int) -> bool:
        return sum(math.ceil(each / worth) for each in counting) <= room

    divisor = math.gcd(*counting)
    low = max(1, sum(counting) // max(room, 1))
    exact = [worth for worth in range(low, min(divisor, 4 * low) + 1) if divisor % worth == 0 and fits(worth)]
    worth = exact[0] if exact else low
    while not fits(worth):
        worth += 1
    return [Division(math.ceil(each / worth), worth) for each in points]


def unit_tests(exercise: WrittenExercise, division: Division | None = None) -> list[UnitTest]:
    """The tests of an exercise of a report, never none but where the division has none. Their scores add up to passed /
    total × max_score and to no more than was earned; all pass exactly where the exercise has passed.
    """
    division = division or division_of(exercise)
    complete = exercise.status == "passed"
    worth = division.worth
    # Rounding up has its limit: an exercise of 2.5 points is shown as 3, all of them for all of it.
    earned, _ = whole(exercise.score, exercise.max_score)
    passing = division.tests if complete else min(_times(earned, worth), division.tests - 1)
    shares = _shares(exercise)
    counts = [_times(share.most, worth) for share in shares]
    if not shares or not all(counts) or sum(counts) > division.tests:
        return list(_tests(exercise, "", division.tests, passing, worth))
    rights = [
        count if complete else min(count, _times(share.earned, worth))
        for share, count in zip(shares, counts, strict=True)
    ]
    rest = division.tests - sum(counts)
    left = min(rest, passing - sum(rights))
    if sum(rights) > passing:
        # A check that earns nothing did not pass: all points are there, and yet something is to be mended.
        where = next((number for number, share in enumerate(shares) if not share.complete), -1)
        rights[where] -= 1
    tests: list[UnitTest] = []
    for share, count, right in zip(shares, counts, rights, strict=True):
        tests += _tests(exercise, share.function, count, right, worth)
    return [*tests, *_tests(exercise, REST, rest, left, worth)]


def _times(points: float, worth: int) -> int:
    """How many tests of that worth the points are enough for."""
    return math.floor(points / worth + _GRACE) if worth else 0


def _tests(exercise: WrittenExercise, function: str, count: int, passed: int, worth: int) -> Iterator[UnitTest]:
    name = exercise.name
    if function:
        name += ", rest of the points" if function == REST else f".{function}"
    for number in range(count):
        first, last = number * worth + 1, (number + 1) * worth
        which = f"point {last}" if worth == 1 else f"points {first} to {last}"
        called = name if count == 1 else f"{name}, {which} of {count * worth}"
        yield UnitTest(exercise.name, function, called, number < passed, worth)


def _shares(exercise: WrittenExercise) -> list[_Share]:
    """By function, at the report's points. None where the report's checks are not those of the catalog."""
    record = all_exercises().get(exercise.name)
    by_function = exercise.by_function()
    if record is None or not record.max_score or {each.spec.name for each in record.functions} != set(by_function):
        return []
    scale = exercise.max_score / record.max_score
    shares = []
    for graded in record.functions:
        name, checks = graded.spec.name, by_function[graded.spec.name]
        if not set(checks) <= set(graded.spec.checks):
            return []
        earned = sum(record.points_of(name, check) for check, status in checks.items() if status == "passed")
        complete = set(checks.values()) == {"passed"}
        shares.append(_Share(name, graded.points * scale, earned * scale, complete))
    told = sum(share.earned for share in shares)
    return shares if abs(told - exercise.score) < _ROUNDED * max(1.0, scale) else []
