"""`gradcheck list`: every exercise with what is known of it. Nothing is graded for it, so it is there at once."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gradcheck.catalog import Exercise
from gradcheck.checks.file_code import only_raises, tree_of
from gradcheck.classes.course_here import CourseHere
from gradcheck.errors import SubmissionError
from gradcheck.grading.desk_record import NO_HELP, Help, help_taken
from gradcheck.grading.last_results import Memory, digest_of
from gradcheck.grading.located import MAX_BYTES, locate, shown_path
from gradcheck.grading.report import State
from gradcheck.grading.small_files import read_small
from gradcheck.reports.terminal import folder_option
from gradcheck.reports.words import LEVELS, STYLES, WORDS, not_your_fault
from gradcheck.showing.text import counted, points

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

_KEPT = 4
"""So many columns are shown on any screen."""
_LONG = 100
"""From so many minutes on, hours are told."""


@dataclass(frozen=True)
class ListedExercise:
    """One exercise: `score` is None where nothing is known of what the file holds now; `present`: the file is there."""

    exercise: Exercise
    state: State
    score: float | None
    help: Help
    present: bool = True

    @property
    def word(self) -> str:
        return WORDS[self.state]

    @property
    def is_open(self) -> bool:
        """Whether something is left to do: where the grader itself failed, nothing is."""
        return self.state not in ("passed", "ungraded")


def entries(folder: Path, state: Path, course: CourseHere) -> list[ListedExercise]:
    """Every exercise of the course as `folder` has it, or of the unit that it is: by the last result of just what its
    file holds, as `state` remembers it.

    Raises SubmissionError when `folder` is no folder.
    """
    if not folder.is_dir():
        raise SubmissionError(f"{folder} is not a folder; give one laid out like exercises/ (04_modules/relu.py, …)")
    members = course.of_unit(folder.resolve().name) or list(course.exercises.values())
    memory, helped = Memory(state), help_taken(folder)
    found = []
    for exercise in members:
        path = locate(folder, exercise)
        standing, score = _standing(exercise, path, memory, promised=course.file is not None and not course.problem)
        present = path.exists() or path.is_symlink()
        found.append(ListedExercise(exercise, standing, score, helped.get(exercise.name, NO_HELP), present))
    return found


def _standing(exercise: Exercise, path: Path, memory: Memory, *, promised: bool) -> tuple[State, float | None]:
    if promised and not path.exists():
        return "missing", 0.0
    if is_not_started(exercise, path):
        return "not_started", 0.0
    last = memory.known(exercise, digest_of(path))
    return last.state, last.score if last.checks and last.state != "ungraded" else None


def open_after(listed: Sequence[ListedExercise], exercise: Exercise | None) -> Exercise | None:
    """The next exercise that has not passed, after `exercise` and round again; the first without one. None when all
    have, as far as they can be graded. What is not there comes last.
    """
    names = [entry.exercise.name for entry in listed]
    start = names.index(exercise.name) + 1 if exercise is not None and exercise.name in names else 0
    turned = [entry for entry in (*listed[start:], *listed[:start]) if entry.is_open]
    there = [entry for entry in turned if entry.present]
    return next((entry.exercise for entry in there or turned), None)


def missing_lines(listed: Sequence[ListedExercise], shown: Callable[[Exercise], str]) -> list[str]:
    """What the course promises and the folder has not got, and how it comes back."""
    lost = [shown(entry.exercise) for entry in listed if entry.state == "missing"]
    if not lost:
        return []
    files = counted(len(lost), "file of the course is", "files of the course are")
    rest = [f"    … and {len(lost) - 3} more"] if len(lost) > 3 else []
    commands = [f"    git checkout {path}" for path in lost[:3]]
    return [f"{files} missing here. To have git bring back what it knows:", *commands, *rest]


def is_not_started(exercise: Exercise, path: Path) -> bool:
    """Whether a file is absent, or every function of the exercise in it does nothing but raise NotImplementedError."""
    try:
        if not path.exists():
            return True
        content = read_small(path, MAX_BYTES)
        if content is None or b"NotImplementedError" not in content:
            return False
    except (OSError, ValueError):
        return False
    tree = tree_of(content)
    if tree is None or not all(isinstance(node, _DEFINES) or _is_text(node) for node in tree.body):
        return False  # what else happens when it is loaded is to be seen
    asked = {graded.spec.name for graded in exercise.functions}
    named = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name in asked]
    return sorted(node.name for node in named) == sorted(asked) and all(map(only_raises, named))


_DEFINES = (ast.FunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom)


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def print_entries(console: Console, listed: Sequence[ListedExercise], folder: Path) -> None:
    """The table, the sum of what is known, and what to do next. Fits 40 columns."""
    for line in (*_table(listed, console.width), *closing_lines(listed, folder)):
        console.print(line, markup=False, highlight=False, soft_wrap=str(line).startswith("    "))


def _table(listed: Sequence[ListedExercise], width: int) -> Iterator[Text]:
    """Unit after unit. Where there is no room the points lose what they are of, then the last columns go."""
    from rich.text import Text

    columns, gap = _columns(listed, wide=True), "   "
    if _needed(columns, gap) > width:
        columns, gap = _columns(listed, wide=False), " "
    while len(columns) > _KEPT and _needed(columns, gap) > width:
        columns.pop()
    padded = [[f"{cell:{side}{max(map(len, cells))}}" for cell in cells] for side, cells in columns]
    title, *rows = zip(*padded, strict=True)
    yield Text(gap.join(title).rstrip(), style="bold")
    unit = ""
    for entry, (name, state, *rest) in zip(listed, rows, strict=True):
        if entry.exercise.unit != unit:
            unit = entry.exercise.unit
            left = _minutes(each for each in listed if each.exercise.unit == unit)
            yield Text.assemble((unit, "bold"), (f"   {left} min left" if left else "", "dim"))
        yield Text.assemble(name + gap, (state, STYLES[entry.state]), gap, gap.join(rest).rstrip())


def _columns(listed: Sequence[ListedExercise], *, wide: bool) -> list[tuple[str, list[str]]]:
    """How the cells are set, and the cells, of which the first is the title."""
    return [
        ("<", ["exercise", *(entry.exercise.name for entry in listed)]),
        ("<", ["state", *(entry.word for entry in listed)]),
        (">", ["points" if wide else "pts", *(_points(entry, wide) for entry in listed)]),
        (">", ["hints" if wide else "hint", *(_helped(entry) for entry in listed)]),
        (">", ["min", *(str(entry.exercise.about.minutes) for entry in listed)]),
        ("<", ["level", *(LEVELS[entry.exercise.about.difficulty] for entry in listed)]),
    ]


def _needed(columns: Sequence[tuple[str, list[str]]], gap: str) -> int:
    return sum(max(map(len, cells)) for _, cells in columns) + len(gap) * (len(columns) - 1)


def _minutes(listed: Iterable[ListedExercise]) -> int:
    """What those take that are open."""
    return sum(entry.exercise.about.minutes for entry in listed if entry.is_open)


def time_left(listed: Sequence[ListedExercise]) -> str:
    """How long what is open takes, nothing where nothing is."""
    minutes = _minutes(listed)
    if minutes < _LONG:
        return f"about {minutes} minutes left" if minutes else ""
    return f"about {counted(round(minutes / 60), 'hour')} left"


def closing_lines(listed: Sequence[ListedExercise], folder: Path) -> list[str]:
    """What stands below the table."""
    lines = [""]
    if any(entry.help.gave_up for entry in listed):
        lines.append("* the solution was shown before it passed")
    unknown = sum(entry.state == "not_checked" for entry in listed)
    done = sum(entry.state == "passed" for entry in listed)
    ungraded = [entry.exercise.name for entry in listed if entry.state == "ungraded"]
    total = sum(entry.score or 0.0 for entry in listed)
    most = sum(entry.exercise.max_score for entry in listed if entry.state != "ungraded")
    told = f"{done} of {len(listed)} exercises passed, {points(total)} of {points(most)} points"
    lines.append("; ".join(filter(None, (told, time_left(listed)))))
    if ungraded:
        lines.append(not_your_fault(ungraded))
    if unknown:
        lines += [f"{unknown} not checked as they are now:", f"    gradcheck list --check{folder_option(folder)}"]
    lines += missing_lines(listed, lambda exercise: shown_path(locate(folder, exercise)))
    following = open_after(listed, None)
    if following and not all(entry.state in ("passed", "missing") for entry in listed):
        lines += [f"Next: {following.title}", f"    pytest {shown_path(locate(folder, following))}"]
    return lines


def _points(entry: ListedExercise, wide: bool) -> str:
    got = "?" if entry.score is None else points(entry.score)
    return f"{got}/{points(entry.exercise.max_score)}" if wide else got


def _helped(entry: ListedExercise) -> str:
    return f"{entry.help.hint or ''}{'*' if entry.help.gave_up else ''}" or "-"
