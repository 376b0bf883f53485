"""The summary at the end of a run of pytest: what was run, as it stands now, and the one next step."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from io import StringIO
from pathlib import Path
from shutil import get_terminal_size
from typing import TYPE_CHECKING

from gradcheck.catalog import Exercise
from gradcheck.classes.course_here import CourseHere, course_here
from gradcheck.desk.listing import ListedExercise, entries, missing_lines, open_after
from gradcheck.errors import SubmissionError
from gradcheck.grading.desk_record import NO_HELP, Help, help_taken
from gradcheck.grading.last_results import LastResult, Memory, names_of_checks
from gradcheck.grading.report import State
from gradcheck.reports.passing import passed_lines
from gradcheck.reports.terminal import paragraph
from gradcheck.reports.words import STYLES, WORDS, not_your_fault
from gradcheck.showing.text import points

if TYPE_CHECKING:
    from rich.console import Console

_BAR = 24
_FEW = 3
_KINDS = {"said": "bold green", "quiet": "dim"}
"""How the lines about what has passed are set (see `reports.message.Line`)."""

Told = Mapping[str, str]
"""What one check came to: exercise, function, check, status, and the folder of the exercises as it can be typed."""


@dataclass(frozen=True)
class Touched:
    """An exercise of which `ran` checks ran, and what is known of it now. `seen` is its state where a look at its file
    tells it: it is missing, or a stub. `help` is what was taken.
    """

    known: LastResult
    ran: int
    seen: State | None
    help: Help

    @property
    def exercise(self) -> Exercise:
        return self.known.exercise

    @property
    def whole(self) -> bool:
        return self.ran == len(names_of_checks(self.exercise))

    @property
    def state(self) -> State:
        return self.seen or self.known.state

    @property
    def score(self) -> float:
        return self.known.score


@dataclass(frozen=True)
class Progress:
    """What ran, and the course around it: `listed` has every exercise of it, those that ran as they stand now."""

    touched: tuple[Touched, ...]
    listed: tuple[ListedExercise, ...]
    course: CourseHere
    prefix: str

    @property
    def part(self) -> bool:
        """Whether something of the course was left out."""
        ran = {each.exercise.name for each in self.touched if each.whole}
        return any(entry.exercise.name not in ran for entry in self.listed if entry.state != "missing")

    @property
    def following(self) -> Exercise | None:
        """What to do next: the first that is open of what ran, or else what comes after it in the course."""
        for each in self.touched:
            if each.state not in ("passed", "missing", "ungraded"):
                return each.exercise
        return open_after(self.listed, self.touched[-1].exercise)

    @property
    def new(self) -> list[Touched]:
        """What has passed as a whole, where so little was run that each can be told of."""
        passed = [each for each in self.touched if each.whole and each.state == "passed"]
        return passed if len(self.touched) <= _FEW else []

    def path(self, exercise: Exercise) -> str:
        return f"{self.prefix}{exercise.path}"


def progress_of(told: Sequence[Told], where: Path, state: Path) -> Progress:
    """What a run says about the folder that it ran last, as typed in `where`."""
    folder = told[-1]["folder"]
    course = course_here(where / folder)
    own = [record for record in told if record["folder"] == folder]
    try:
        listed = entries(where / folder, state, course)
    except SubmissionError:
        listed = []  # the folder was removed meanwhile
    seen = {entry.exercise.name: entry.state for entry in listed if entry.state in ("missing", "not_started")}
    touched = tuple(_touched(own, course, Memory(state), seen, help_taken(where / folder)))
    now = {each.exercise.name: each for each in touched}
    known = [
        replace(entry, state=now[entry.exercise.name].state, score=now[entry.exercise.name].score)
        if entry.exercise.name in now
        else entry
        for entry in listed
    ]
    return Progress(touched, tuple(known), course, "" if folder in ("", ".") else f"{folder}/")


def _touched(
    told: Iterable[Told], course: CourseHere, memory: Memory, seen: Mapping[str, State], helped: Mapping[str, Help]
) -> Iterable[Touched]:
    ran: dict[str, dict[str, str]] = {}
    digests: dict[str, str] = {}
    for record in told:
        ran.setdefault(record["exercise"], {})[f"{record['function']}.{record['check']}"] = record["status"]
        digests[record["exercise"]] = record["digest"]
    order = list(course.exercises)
    for name in sorted(ran, key=lambda each: order.index(each) if each in order else len(order)):
        known = memory.known(course.find(name), digests[name]).after(ran[name])
        yield Touched(known, len(ran[name]), seen.get(name), helped.get(name, NO_HELP))


def progress_text(progress: Progress, *, colour: bool, blocks: bool) -> str:
    """The summary as text, as wide as the terminal; `blocks` says whether that can show the bars' blocks."""
    from rich.console import Console

    text = StringIO()
    width = min(get_terminal_size().columns, 100)
    console = Console(
        file=text, width=width, force_terminal=colour, no_color=not colour, soft_wrap=True, legacy_windows=False
    )
    _print_bars(console, progress, "█░" if blocks else "#.")
    for each in progress.new:
        if len(progress.touched) > 1:
            console.print(each.exercise.name, style="bold", highlight=False)
        for line, kind in passed_lines(each.exercise, width - 2, hints=each.help.hint, gave_up=each.help.gave_up):
            console.print(f"  {line}", style=_KINDS.get(kind), markup=False, highlight=False)
    for line in _closing(progress, width):
        console.print(line, markup=False, highlight=False)
    return text.getvalue()


def _print_bars(console: Console, progress: Progress, drawn: str) -> None:
    """A line for each unit of which all was run, and for each exercise of the others."""
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2))

    def add(name: str, told: Text, score: float | None, most: float) -> None:
        filled = int(_BAR * (score or 0.0) / most) if most else 0
        bar = Text(drawn[0] * filled, style="green") + Text(drawn[1] * (_BAR - filled), style="dim")
        table.add_row(name, bar, told, f"{'–' if score is None else points(score)}/{points(most)} points")

    for unit in dict.fromkeys(each.exercise.unit for each in progress.touched):
        members = [each for each in progress.touched if each.exercise.unit == unit]
        there = [entry for entry in progress.listed if entry.exercise.unit == unit and entry.present]
        summed = all(each.whole and each.state != "ungraded" for each in members)
        if len(members) > 1 and summed and len(there) <= len(members):
            done = sum(each.state == "passed" for each in members)
            score, most = _sum(each.score for each in members), _sum(each.exercise.max_score for each in members)
            add(unit, Text(f"{done}/{len(members)} exercises"), score, most)
            continue
        for each in members:
            word = Text(WORDS[each.state], style=STYLES[each.state])
            add(each.exercise.name, word, None if each.state == "ungraded" else each.score, each.exercise.max_score)
    console.print(table)


def _closing(progress: Progress, width: int) -> Iterable[str]:
    graded = [each for each in progress.touched if each.state != "ungraded"]
    total, most = _sum(each.score for each in graded), _sum(each.exercise.max_score for each in graded)
    yield from _outlook(progress, f"{points(total)} of {points(most)} points.")
    if ungraded := [each.exercise.name for each in progress.touched if each.state == "ungraded"]:
        yield from paragraph(not_your_fault(ungraded), width, "")
    if progress.part:
        yield from paragraph(_part(progress), width, "")
    others = [each.exercise.name for each in progress.touched if each.exercise.name not in progress.course.exercises]
    if others:
        told = f"Not of this course, and not counted in it: {', '.join(others)}."
        yield from paragraph(told, width, "")
    yield from missing_lines(progress.listed, progress.path)
    if progress.course.problem:
        yield from paragraph(f"{progress.course.problem}.", width, "")


def _outlook(progress: Progress, scored: str) -> Iterable[str]:
    following = progress.following
    lost = [entry for entry in progress.listed if not entry.present]
    ungraded = any(entry.state == "ungraded" for entry in progress.listed)
    if following is None:
        yield f"{scored} {'The others are' if ungraded else 'All'} done."
    elif any(entry.exercise is following and not entry.present for entry in progress.listed):
        passed = "All that could be graded has passed" if ungraded else "All that is here has passed"
        yield f"{scored} {passed}; {len(lost)} of {len(progress.listed)} exercises are missing."
    else:
        path = progress.path(following)
        yield f"{scored} Next: {path}"
        yield f"    {following.title}"
        yield f"    a hint:  gradcheck hint {following.name}"
        yield f"    check:   pytest {path}"


def _part(progress: Progress) -> str:
    """What was left out, and what the points stand for then."""
    some = [each for each in progress.touched if not each.whole]
    unknown = [f"{each.exercise.name}.{function}" for each in some for function in each.known.unknown]
    own = [each for each in progress.touched if each.exercise.name in progress.course.exercises]
    count = f"{len(own)} of {len(progress.listed)} exercises"
    score = _sum(entry.score or 0.0 for entry in progress.listed)
    most = _sum(entry.exercise.max_score for entry in progress.listed)
    told = f"Only a part was run: {count}."
    if some:
        told = f"Only a part was run: some checks of {count}; the others count as they were last checked."
    if unknown:
        more = f" and {len(unknown) - 4} more" if len(unknown) > 4 else ""
        told += f" Not checked yet: {', '.join(unknown[:4])}{more}."
    return f"{told} In all: {points(score)} of {points(most)} points."


def _sum(values: Iterable[float]) -> float:
    return round(sum(values), 4)
