"""Verdicts, progress and what comes next as lines, for any width."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from gradcheck.catalog import Exercise
from gradcheck.desk.listing import ListedExercise
from gradcheck.desk.watch import Line
from gradcheck.desk.watch.session import WatchVerdict
from gradcheck.desk.watch.worker import PRINTED
from gradcheck.grading.desk_record import Help
from gradcheck.reports.passing import passed_lines
from gradcheck.reports.terminal import formula_lines, paragraph
from gradcheck.reports.words import STYLES, WORDS
from gradcheck.showing.text import plural, points

_KINDS = {"said": "bold", "wrong": "red", "think": "cyan", "quiet": "dim", "command": "dim"}
"""How the lines of a failure are set (see `reports.message.Line`)."""


def head_line(verdict: WatchVerdict) -> str:
    """The state and the points."""
    scored = "no points are counted"
    if verdict.state != "ungraded":
        scored = f"{points(verdict.score)} of {points(verdict.exercise.max_score)} points"
    return f"{verdict.exercise.name}: {WORDS[verdict.state]}   {scored}"


def verdict_lines(verdict: WatchVerdict, width: int) -> list[Line]:
    """The state and the points, the functions, the first failure, what else failed, what was printed."""
    lines = styled(paragraph(head_line(verdict), width, ""), f"bold {STYLES[verdict.state]}")
    if verdict.state != "passed" and verdict.functions:
        states = ", ".join(f"{name} {WORDS[state]}" for name, state in verdict.functions.items())
        lines += styled(paragraph(states, width, ""), "dim")
    if verdict.failure:
        lines += [("", ""), *failure_lines(verdict, width)]
    return lines + more_lines(verdict, width) + printed_lines(verdict.printed, width)


def failure_lines(verdict: WatchVerdict, width: int, kept: Callable[[str], bool] = lambda _: True) -> list[Line]:
    """The first failure: its lines of the kinds that are `kept`."""
    return by_kind([line for line in verdict.failure_at(width) if kept(line[1])], width)


def by_kind(told: Iterable[Line], width: int) -> list[Line]:
    """Lines with what they are as lines with how that is set."""
    return [line for text, kind in told for line in styled(fitted([text], width), _KINDS.get(kind, ""))]


def passing_lines(exercise: Exercise, taken: Help, used: str, width: int) -> list[Line]:
    """What passing says: what the piece is for, torch's name for it, the idea, and what its unit now does."""
    lines = by_kind(passed_lines(exercise, width, hints=taken.hint, gave_up=taken.gave_up), width)
    return lines + (styled(paragraph(used, width, "", "  "), "green") if used else [])


def more_lines(verdict: WatchVerdict, width: int) -> list[Line]:
    """What failed besides."""
    if not verdict.more:
        return []
    count = len(verdict.more)
    names = ", ".join(verdict.more[:3]) + (", …" if count > 3 else "")
    told = "not graded" if verdict.state == "ungraded" else plural(count, "fails", "fail")
    return styled(paragraph(f"{count} more {told}: {names}", width, "  "), "")


def printed_lines(printed: Sequence[str], width: int) -> list[Line]:
    """What the learner's code printed, none where that is nothing."""
    if not any(line.strip() for line in printed):
        return []
    shown = [line if len(line) < width - 4 else line[: width - 6] + " …" for line in printed[:PRINTED]]
    rest = ["…"] if len(printed) > PRINTED else []
    return [("", ""), ("Your code printed:", "dim"), *styled([f"    {line}" for line in (*shown, *rest)], "")]


def next_lines(
    verdict: WatchVerdict | None, following: Exercise | None, shown: str, width: int, *, beyond: Exercise | None = None
) -> list[Line]:
    """Where to go on from here: after a pass, or where nothing was graded yet. `beyond` is what is open in the course
    when all that is watched has passed.
    """
    if following is None and verdict is not None and verdict.state != "passed":
        return []
    if following is None and beyond is not None:
        told = f"All that is watched has passed. Next: gradcheck watch --only {beyond.name}"
        return styled(paragraph(told, width, "", "    "), "bold") + styled(paragraph(beyond.title, width, "    "), "")
    if following is None:
        return [("All done.", "bold green")]
    if verdict is not None and verdict.state not in ("passed", "ungraded"):
        return []
    opening = "passed. " if verdict and verdict.state == "passed" else ""
    lines = styled(paragraph(f"{opening}Next: {shown}", width, "", "    "), "bold")
    return lines + styled(paragraph(following.title, width, "    "), "")


def progress_lines(listed: Sequence[ListedExercise], current: Exercise, width: int, *, blocks: bool) -> list[Line]:
    """A bar for the unit of the current exercise and one for all."""
    unit = [entry for entry in listed if entry.exercise.unit == current.unit]
    rows = [(current.unit, unit)] if len(unit) < len(listed) else []
    rows.append(("all", list(listed)))
    margin = max(len(name) for name, _ in rows)
    told = [_count(members, wide=width >= 70) for _, members in rows]
    length = max(6, min(24, width - margin - max(map(len, told)) - 4))
    lines = [
        f"{name:<{margin}}  {_bar(members, length, blocks=blocks)}  {count}"
        for (name, members), count in zip(rows, told, strict=True)
    ]
    return styled(fitted(lines, width), "")


def _count(members: Sequence[ListedExercise], *, wide: bool) -> str:
    done = f"{sum(entry.state == 'passed' for entry in members)} of {len(members)}"
    return f"{done} exercises, {points(_score(members))} of {points(_most(members))} points" if wide else done


def _bar(members: Sequence[ListedExercise], length: int, *, blocks: bool) -> str:
    full, empty = "█░" if blocks else "#."
    most = _most(members)
    filled = int(length * _score(members) / most) if most else 0
    return full * filled + empty * (length - filled)


def _score(members: Sequence[ListedExercise]) -> float:
    return sum(entry.score or 0.0 for entry in members)


def _most(members: Sequence[ListedExercise]) -> float:
    """What can be earned; an exercise that the grader failed on counts neither way."""
    return sum(entry.exercise.max_score for entry in members if entry.state != "ungraded")


def fitted(lines: Iterable[str], width: int) -> list[str]:
    """Lines as they stand; what is too wide goes on in the next one."""
    return list(formula_lines(lines, width, ""))


def styled(lines: Iterable[str], style: str) -> list[Line]:
    return [(line, style) for line in lines]
