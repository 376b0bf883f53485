"""`gradcheck list`: every exercise with what is known of it. Nothing is graded for it, so it is there at once."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
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
from gradcheck.reports.words import STYLES, WORDS, not_your_fault
from gradcheck.showing.text import counted, points

if TYPE_CHECKING:
    from rich.console import Console

_WIDE = 72
"""From so many columns on, the unit stands beside every exercise, not on a line of its own."""
_LONGEST_NAME = 18


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
    turned = [entry for entry in (*listed[start:], *listed[:start]) if entry.state not in ("passed", "ungraded")]
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
    if console.width >= _WIDE:
        _print_table(console, listed, "points", wide=True)
    else:
        for number, unit in enumerate(dict.fromkeys(entry.exercise.unit for entry in listed)):
            console.print(unit, style="bold", highlight=False, soft_wrap=True)
            members = [entry for entry in listed if entry.exercise.unit == unit]
            _print_table(console, members, "" if number else "pts", wide=False)
    for line in closing_lines(listed, folder):
        console.print(line, markup=False, highlight=False, soft_wrap=line.startswith("    "))


def _print_table(console: Console, listed: Sequence[ListedExercise], title: str, *, wide: bool) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(
        box=None, padding=(0, 3 if wide else 1, 0, 0), pad_edge=False, header_style="bold", show_header=bool(title)
    )
    if wide:
        table.add_column("unit")
    # One table per unit where it is narrow: their columns stand below each other by fixed widths.
    table.add_column("exercise", overflow="fold", min_width=_LONGEST_NAME)
    table.add_column("state", overflow="fold", min_width=len("not started"))
    table.add_column(title, justify="right", overflow="fold", min_width=4)
    table.add_column("hints" if wide else "hint", justify="right", overflow="fold", min_width=4)
    for entry in listed:
        cells = [
            Text(entry.exercise.name),
            Text(entry.word, style=STYLES[entry.state]),
            Text(_points(entry, wide)),
            Text(f"{entry.help.hint or ''}{'*' if entry.help.gave_up else ''}" or "-"),
        ]
        table.add_row(*[Text(entry.exercise.unit), *cells] if wide else cells)
    console.print(table)


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
    lines.append(f"{done} of {len(listed)} exercises passed, {points(total)} of {points(most)} points")
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
