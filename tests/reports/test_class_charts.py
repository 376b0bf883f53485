"""The class report's charts: places, lengths, and what comes first."""

from __future__ import annotations

from gradcheck.classes.report import ExerciseCounts
from gradcheck.reports.whole_class.charts import SHAPES, difficulty, misconception_map, score_chart, strip, strip_places
from tests.reports.class_example import reports, summary_of
from tests.reports.plain_reports import typed


def test_scores_are_counted_in_equal_steps():
    chart = score_chart([0, 9.99, 10, 55, 135, 150], 135)
    assert [bar["count"] for bar in chart["bars"]] == [2, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2]
    assert [tick["text"] for tick in chart["ticks"]][-2:] == ["130", "135"]
    assert chart["bars"][0]["height"] == max(bar["height"] for bar in chart["bars"])
    assert chart["summary"].startswith(
        "Half of the submissions have 32.5 points or more; the middle half lies between 9.99 and 115."
    )
    assert score_chart([0.3, 1, 2, 3], 3)["bars"][-1]["count"] == 1
    assert score_chart([1.0], 3)["summary"] == "The one submission has 1 points."
    assert score_chart([], 3) is score_chart([1], 0) is None


def row(name, *counts):
    counted = dict(zip(("passed", "failed", "errored", "not_started"), counts, strict=False))
    return ExerciseCounts(name=name, unit=name[-1], title="", max_score=1, mean_score=0, counts=counted)


def test_the_hardest_exercise_comes_first_and_one_that_nobody_started_last():
    rows = difficulty([row("easy", 3, 1, 0, 0), row("new", 0, 0, 0, 4), row("hard", 1, 1, 1, 1)])
    assert [each["name"] for each in rows] == ["hard", "easy", "new"]
    assert [(piece["status"], piece["x"], piece["width"]) for piece in rows[1]["pieces"]] == [
        ("passed", 0, 225),
        ("failed", 225, 75),
    ]


def test_a_strip_tells_states_by_shape():
    assert SHAPES.keys() == {"p", "f", "e", "n", "u"}
    assert len(set(SHAPES.values())) == 5
    places = strip_places([row(name) for name in ("a", "aa", "b")])
    assert places == [0, 7, 19]
    assert strip("pfp", places) == {"p": f"M0 {SHAPES['p']}M19 {SHAPES['p']}", "f": f"M7 {SHAPES['f']}"}


def test_the_map_has_a_cell_for_every_mistake_the_frequent_first():
    summary = summary_of(reports(80))
    grid = misconception_map(typed(summary).misconceptions, 80)
    cells = [cell for row in grid["rows"] for cell in row["cells"] if cell]
    assert sorted(cell["place"] for cell in cells) == list(range(len(summary["misconceptions"])))
    for row in grid["rows"]:
        for code, cell in zip(grid["codes"], row["cells"], strict=True):
            if cell:
                each = summary["misconceptions"][cell["place"]]
                assert (row["name"], code["name"], cell["count"]) == (
                    f"{each['exercise']}.{each['function']}",
                    each["code"],
                    each["count"],
                )
                assert cell["level"] == 1 + sum(100 * each["count"] / 80 > share for share in (5, 10, 20))
    people = [row["people"] for row in grid["rows"]]
    assert people == sorted(people, reverse=True)
    assert grid["codes"][-1]["name"] in ("raised", "unrecognised", "timed-out")
