"""What the catalog comes to today. Tests that expect a sum take it from here, so that a new exercise breaks none."""

from __future__ import annotations

from gradcheck.catalog import all_exercises
from gradcheck.catalog.exercise import Exercise

COUNT = len(all_exercises())
POINTS = sum(each.max_score for each in all_exercises().values())


def of_units(*units: str) -> list[Exercise]:
    return [each for each in all_exercises().values() if each.unit in units]
