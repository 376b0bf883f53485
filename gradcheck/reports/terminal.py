"""The summary at the end of a run: a bar per unit, points, and the one next step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from io import StringIO
from shutil import get_terminal_size
from typing import TYPE_CHECKING

from gradcheck.catalog import Exercise, all_exercises
from gradcheck.reports.ungraded import not_your_fault

if TYPE_CHECKING:
    from rich.console import Console

_BAR = 24


def progress_text(told: Sequence[Mapping[str, str]], *, colour: bool) -> str:
    """The summary of a run as text, as wide as the terminal."""
    from rich.console import Console

    text = StringIO()
    width = min(get_terminal_size().columns, 100)
    console = Console(
        file=text, width=width, force_terminal=colour, no_color=not colour, soft_wrap=True, legacy_windows=False
    )
    print_progress(console, told)
    return text.getvalue()


def print_progress(console: Console, told: Sequence[Mapping[str, str]]) -> None:
    """The summary of a run, from one record per check: exercise, function, check, status, folder.

    A run of some checks only (-k, --lf) does not show the rest to be wrong: what did not run does not count against.
    """
    found: dict[str, dict[tuple[str, str], str]] = {}
    for record in told:
        found.setdefault(record["exercise"], {})[record["function"], record["check"]] = record["status"]
    exercises = [exercise for exercise in all_exercises().values() if exercise.name in found]
    scores = {
        exercise.name: sum(
            exercise.points_of(*which) for which, status in found[exercise.name].items() if status == "passed"
        )
        for exercise in exercises
    }
    passed = {name: set(statuses.values()) == {"passed"} for name, statuses in found.items()}
    ungraded = [each for each in exercises if "ungraded" in found[each.name].values()]
    graded = [each for each in exercises if each not in ungraded]
    folder = told[-1]["folder"]
    if graded:
        prefix = f"{folder}/" if folder not in ("", ".") else ""
        print_summary(
            console, graded, scores, passed, prefix, ending="The others are done." if ungraded else "All done."
        )
    if ungraded:
        console.print(not_your_fault([each.name for each in ungraded]), highlight=False)


def print_summary(
    console: Console,
    exercises: Sequence[Exercise],
    scores: Mapping[str, float],
    passed: Mapping[str, bool],
    prefix: str = "exercises/",
    ending: str = "All done.",
) -> None:
    """One line per unit, the total, and the first exercise that is not complete with its commands."""
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2))
    for unit in dict.fromkeys(exercise.unit for exercise in exercises):
        members = [exercise for exercise in exercises if exercise.unit == unit]
        done = sum(passed.get(exercise.name, False) for exercise in members)
        score = sum(scores.get(exercise.name, 0.0) for exercise in members)
        most = sum(exercise.max_score for exercise in members)
        filled = int(_BAR * score / most) if most else 0
        bar = Text("█" * filled, style="green") + Text("░" * (_BAR - filled), style="dim")
        table.add_row(unit, bar, f"{done}/{len(members)} exercises", f"{points(score)}/{points(most)} points")
    console.print(table)
    total = sum(scores.get(exercise.name, 0.0) for exercise in exercises)
    most = sum(exercise.max_score for exercise in exercises)
    open_ones = [exercise for exercise in exercises if not passed.get(exercise.name, False)]
    if open_ones:
        following = open_ones[0]
        console.print(f"{points(total)} of {points(most)} points. Next: {prefix}{following.path}", highlight=False)
        console.print(f"    {following.title}", highlight=False)
        console.print(f"    a hint:  gradcheck hint {following.name}", highlight=False)
        console.print(f"    check:   pytest {prefix}{following.path}", highlight=False)
    else:
        console.print(f"{points(total)} of {points(most)} points. {ending}", highlight=False)


def points(value: float) -> str:
    """1, 2.5, 0.33: no more digits than needed."""
    return f"{value:.2f}".rstrip("0").rstrip(".")
