"""What `gradcheck watch` says: verdicts and progress as lines of text, for any width."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gradcheck.catalog import Exercise
from gradcheck.desk.listing import ListedExercise
from gradcheck.desk.paper import formula_lines, paragraph
from gradcheck.desk.watch_worker import PRINTED
from gradcheck.grading.last_results import LastResult
from gradcheck.grading.report import State
from gradcheck.reports.words import STYLES, WORDS
from gradcheck.showing.text import plural, points

Line = tuple[str, str]
"""Text, and its style in the terms of rich."""


@dataclass(frozen=True)
class WatchVerdict:
    """What is known of an exercise after a grading, or why there was none.

    `functions` holds the status of each function, `failure` the lines of the first failure, each with what it is,
    `snippet` what reproduces it, `more` the checks that failed besides.
    """

    exercise: Exercise
    shown: str
    state: State
    score: float
    functions: Mapping[str, str] = field(default_factory=dict)
    failure: Sequence[Line] = ()
    snippet: str = ""
    more: Sequence[str] = ()
    printed: Sequence[str] = ()


def verdict_of(exercise: Exercise, shown: str, answer: Mapping[str, Any]) -> WatchVerdict:
    """The verdict in what the grading process answered."""
    functions: dict[str, str] = {}
    for function, _, status in answer["checks"]:
        functions[function] = _worse(functions.get(function, "passed"), status)
    checks = {f"{function}.{check}": status for function, check, status in answer["checks"]}
    score = LastResult(exercise, checks).score
    return WatchVerdict(
        exercise,
        shown,
        answer["state"],
        score,
        functions,
        answer["failure"],
        answer["snippet"],
        answer["more"],
        answer["printed"],
    )


_KINDS = {"said": "bold", "think": "cyan", "quiet": "dim"}
"""How the lines of a failure are set (see `reports.message.Line`)."""

_ORDER = ("passed", "skipped", "not_started", "failed", "errored", "ungraded")


def _worse(one: str, other: str) -> str:
    return max(one, other, key=_ORDER.index)


def verdict_lines(verdict: WatchVerdict, width: int) -> list[Line]:
    """The state and the points, the functions, the first failure, what else failed, what was printed."""
    exercise = verdict.exercise
    scored = "no points are counted"
    if verdict.state != "ungraded":
        scored = f"{points(verdict.score)} of {points(exercise.max_score)} points"
    head = f"{exercise.name}: {WORDS[verdict.state]}   {scored}"
    lines = _styled(paragraph(head, width, ""), f"bold {STYLES[verdict.state]}")
    if verdict.state != "passed" and verdict.functions:
        states = ", ".join(f"{name} {WORDS[state]}" for name, state in verdict.functions.items())
        lines += _styled(paragraph(states, width, ""), "dim")
    if verdict.failure:
        lines.append(("", ""))
        for text, kind in verdict.failure:
            lines += _styled(_fitted([text], width), _KINDS.get(kind, ""))
    if verdict.more:
        count = len(verdict.more)
        names = ", ".join(verdict.more[:3]) + (", …" if count > 3 else "")
        told = plural(count, "fails", "fail")
        told = "not graded" if verdict.state == "ungraded" else told
        lines += _styled(paragraph(f"{count} more {told}: {names}", width, "  "), "")
    return lines + _printed(verdict.printed, width)


def _printed(printed: Sequence[str], width: int) -> list[Line]:
    if not any(line.strip() for line in printed):
        return []
    shown = [line if len(line) < width - 4 else line[: width - 6] + " …" for line in printed[:PRINTED]]
    rest = ["…"] if len(printed) > PRINTED else []
    return [("", ""), ("Your code printed:", "dim"), *_styled([f"    {line}" for line in (*shown, *rest)], "")]


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
        return _styled(paragraph(told, width, "", "    "), "bold") + _styled(paragraph(beyond.title, width, "    "), "")
    if following is None:
        return [("All done.", "bold green")]
    if verdict is not None and verdict.state not in ("passed", "ungraded"):
        return []
    opening = "passed. " if verdict and verdict.state == "passed" else ""
    lines = _styled(paragraph(f"{opening}Next: {shown}", width, "", "    "), "bold")
    return lines + _styled(paragraph(following.title, width, "    "), "")


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
    return _styled(_fitted(lines, width), "")


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


def keys_lines(width: int) -> list[Line]:
    return _styled(paragraph("h hint   l list   n next   r run again   R reproduce   q quit", width, ""), "dim")


def cut(lines: list[Line], height: int) -> list[Line]:
    """What is too tall loses its end, never its beginning: that names the mistake."""
    if len(lines) <= height:
        return lines
    kept = lines[: max(1, height - 1)]
    return [*kept, (f"  … {len(lines) - len(kept)} more lines", "dim")]


def missing(exercise: Exercise, path: Path, shown: str, *, released: bool) -> WatchVerdict:
    """The file is not there. `released`: in a course's repository, which holds no solutions to make stubs from."""
    text = f"{shown} is missing"
    if path.is_symlink():
        text = f"{shown} is a link to a file that is not there"
    how = "If git knows it:" if released else "To write its stub anew:"
    command = f"git checkout {shown}" if released else f"gradcheck reset {exercise.name}"
    again = f"It is checked again as soon as it is back. {how}"
    told = [(f"{text}. {again}", "said"), (f"    {command}", "")]
    return WatchVerdict(exercise, shown, "missing", 0.0, failure=told)


def ended(exercise: Exercise, shown: str, why: str) -> WatchVerdict:
    """There is no verdict, because the process that ran the file is no more."""
    told = [*((line, "said") for line in why.splitlines()), (f"Nothing in {shown} was graded.", "")]
    return WatchVerdict(exercise, shown, "failed", 0.0, failure=told)


def _fitted(lines: Iterable[str], width: int) -> list[str]:
    return list(formula_lines(lines, width, ""))


def _styled(lines: Iterable[str], style: str) -> list[Line]:
    return [(line, style) for line in lines]
