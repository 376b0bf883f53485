"""The units that somebody names on a command line: `04_modules`, `04`, several of them, with commas or without."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from difflib import get_close_matches

from gradcheck.catalog import all_exercises
from gradcheck.classes.policy import Course
from gradcheck.errors import GradcheckError


def for_units(course: Course, named: Iterable[str]) -> Course:
    """The course with its exercises of these units only; all of them where no unit is named.

    Raises GradcheckError for a unit that there is not, and where no exercise or no point is left.
    """
    units = units_named(named)
    catalog = all_exercises()
    kept = tuple(name for name in course.exercises if not units or catalog[name].unit in units)
    if not kept:
        which = f"of {', '.join(units)}" if units else "at all"
        raise GradcheckError(f"the course has no exercise {which}; see [exercises] in its course.toml")
    chosen = replace(
        course, exercises=kept, points={name: course.points[name] for name in kept if name in course.points}
    )
    if not chosen.max_score:
        raise GradcheckError("the exercises of these units are worth 0 points together; see [points] in course.toml")
    return chosen


def units_named(named: Iterable[str]) -> list[str]:
    """The units' whole names, in the course's order. Raises GradcheckError for one that there is not."""
    known = list(dict.fromkeys(each.unit for each in all_exercises().values()))
    found = []
    for name in (part.strip() for each in named for part in each.split(",")):
        if not name:
            continue
        fitting = [unit for unit in known if name in {unit, unit.partition("_")[0], unit.partition("_")[2]}]
        if not fitting:
            close = get_close_matches(name, known, n=1, cutoff=0.4)
            advice = f"did you mean {close[0]}?" if close else f"there are: {', '.join(known)}"
            raise GradcheckError(f"there is no unit {name!r}; {advice}")
        found += fitting
    return [unit for unit in known if unit in found]
