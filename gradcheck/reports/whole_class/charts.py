"""The class report's charts as places and lengths: plain numbers from `gradcheck/class/v1`, drawn by the template.

By hand, as matplotlib is an extra that whoever grades may lack, and its pictures would know neither the page's colours,
light and dark, nor the words under each mark.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from statistics import median, quantiles
from typing import Any

import msgspec

from gradcheck.classes.report import ExerciseCounts, SharedMistake
from gradcheck.grading.report import EXERCISE_STATUSES, GRADED
from gradcheck.showing.text import points

_WIDE, _TOP, _HIGH, _LEFT = 860, 38, 160, 14
_STEPS = (0.25, 0.5, 1, 2, 5, 10, 20, 25, 50, 100, 200, 250, 500, 1000)
_BINS = 16


def score_chart(scores: Sequence[float], most: float) -> dict[str, Any] | None:
    """How many submissions have which score: bars of equal steps from 0 to `most`, and the median's place.

    None where there is nothing to draw. A score above `most` is counted in the last bar.
    """
    finite = sorted(score for score in scores if math.isfinite(score))
    if not finite or not most > 0:
        return None
    step = next((each for each in _STEPS if most / each <= _BINS), most / _BINS)
    count = max(1, math.ceil(most / step - 1e-9))
    held = Counter(min(count - 1, max(0, int(score / step + 1e-9))) for score in finite)
    tallest = max(held.values())
    width = (_WIDE - _LEFT - 10) / count
    bars = []
    for place in range(count):
        high = round(_HIGH * held[place] / tallest, 1)
        low, up = points(place * step), points(min(most, (place + 1) * step))
        bars.append(
            {
                "x": round(_LEFT + place * width + 1, 1),
                "y": round(_TOP + _HIGH - high, 1),
                "width": round(width - 2, 1),
                "height": high,
                "count": held[place],
                "about": f"{low} {'to' if place == count - 1 else 'to below'} {up} points: {held[place]}",
            }
        )
    middle = median(finite)
    edges = [min(most, place * step) for place in range(count + 1)]
    return {
        "bars": bars,
        "ticks": [{"x": round(_LEFT + min(edge / step, count) * width, 1), "text": points(edge)} for edge in edges],
        "base": _TOP + _HIGH,
        "left": _LEFT,
        "right": _WIDE - 10,
        "width": _WIDE,
        "height": _TOP + _HIGH + 40,
        "median": round(_LEFT + min(count, max(0.0, middle / step)) * width, 1),
        "summary": _spread(finite),
    }


def _spread(scores: Sequence[float]) -> str:
    """The distribution in a sentence, for whoever does not see the chart."""
    if len(scores) == 1:
        return f"The one submission has {points(scores[0])} points."
    said = f"Half of the submissions have {points(median(scores))} points or more"
    if len(scores) >= 4:
        low, _, high = quantiles(scores, n=4, method="inclusive")
        said += f"; the middle half lies between {points(low)} and {points(high)}"
    return f"{said}. Lowest {points(scores[0])}, highest {points(scores[-1])}."


_BAR = 300


def difficulty(exercises: Sequence[ExerciseCounts]) -> list[dict[str, Any]]:
    """One row per exercise, those that fewest passed first, those that nobody started last. What the grader failed on
    is no part of any share: `total` are those that were graded, and a row without any comes at the very end.
    """
    rows = []
    for place, exercise in enumerate(exercises):
        counts = exercise.counts
        total = sum(counts[status] for status in GRADED)
        x = 0.0
        pieces: list[dict[str, Any]] = []
        for status in GRADED:
            width = _BAR * counts[status] / total if total else 0.0
            if width > 0:
                pieces.append({"status": status, "x": round(x, 2), "width": round(width, 2)})
            x += width
        rows.append(
            {
                **msgspec.structs.asdict(exercise),
                "place": place,
                "total": total,
                "passed": 100 * counts["passed"] / total if total else 0.0,
                "pieces": pieces,
            }
        )
    return sorted(
        rows,
        key=lambda row: (
            not row["total"],
            row["counts"]["not_started"] == row["total"],
            row["passed"],
            row["place"],
        ),
    )


SHAPES = {
    "p": "0h5v14h-5z", "f": "7h5v7h-5z", "e": "0h5v8h-5zm0 10h5v4h-5z", "n": "12.5h5v1.5h-5z",
    "u": "0h5v14h-5zm1.2 1.2v11.6h2.6v-11.6z",
}  # fmt: skip
"""A submission's exercises at a glance, told by shape as much as by colour: a full bar, half a bar, an exclamation
mark, a line on the ground, an empty frame. What follows `M x` in an SVG path."""

LETTERS = {status: status[0] for status in EXERCISE_STATUSES}
SIGNS = {"passed": "✓", "failed": "✗", "errored": "!", "not_started": "–", "ungraded": "?"}


def strip_places(exercises: Sequence[ExerciseCounts]) -> list[int]:
    """Where each exercise stands in a strip: steps of 7, a wider one between units."""
    places, x, unit = [], 0, exercises[0].unit if exercises else ""
    for exercise in exercises:
        x += 5 if exercise.unit != unit else 0
        unit = exercise.unit
        places.append(x)
        x += 7
    return places


def strip(states: str, places: Sequence[int]) -> dict[str, str]:
    """The path of each state's shapes, by its letter."""
    paths: dict[str, str] = {}
    for letter, x in zip(states, places, strict=True):
        paths[letter] = f"{paths.get(letter, '')}M{x} {SHAPES[letter]}"
    return paths


NO_RESULT = ("not-read", "unfinished", "raised", "exited", "timed-out", "missing-function", "unrecognised")
"""Codes that say that something went wrong, and little of what was thought."""


def misconception_map(misconceptions: Sequence[SharedMistake], submissions: int) -> dict[str, Any]:
    """A grid: a row per function, a column per code, the most frequent first; `NO_RESULT` are the last columns.

    A cell has the misconception's place in the list, its count, and a level of shading by the share of the class.
    """
    by_code: Counter[str] = Counter()
    people: dict[tuple[str, str], set[str]] = {}
    cells: dict[tuple[tuple[str, str], str], dict[str, Any]] = {}
    for place, each in enumerate(misconceptions):
        row = (each.exercise, each.function)
        by_code[each.code] += each.count
        people.setdefault(row, set()).update(each.who)
        cells[row, each.code] = {
            "place": place,
            "code": each.code,
            "count": each.count,
            "level": level(each.count, submissions),
        }
    codes = sorted(by_code, key=lambda code: (code in NO_RESULT, -by_code[code], code))
    rows: list[dict[str, Any]] = [
        {"name": f"{row[0]}.{row[1]}", "people": len(who), "cells": [cells.get((row, code)) for code in codes]}
        for row, who in people.items()
    ]
    rows.sort(key=lambda row: (-row["people"], row["name"]))
    return {"codes": [{"name": code, "count": by_code[code]} for code in codes], "rows": rows}


LEVELS = (5, 10, 20)
"""Shares of the class in percent, where the shading gets stronger."""


def level(count: int, submissions: int) -> int:
    share = 100 * count / submissions if submissions else 0.0
    return 1 + sum(share > each for each in LEVELS)
