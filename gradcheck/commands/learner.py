"""The learner's commands: hint, explain, solution, list, reset. Adapters only; heavy imports come late."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from gradcheck.errors import GradcheckError

if TYPE_CHECKING:
    from rich.console import Console

    from gradcheck.catalog import Exercise
    from gradcheck.classes.course_here import CourseHere
    from gradcheck.grading.report import ExerciseReport

STATE = Path(".gradcheck")
CACHE = STATE / "cache"

_Command = TypeVar("_Command", bound=Callable[..., None])


def _folder(command: _Command) -> _Command:
    return click.option(
        "--folder",
        type=click.Path(path_type=Path),
        default=Path("exercises"),
        show_default=True,
        help="Where your exercises are.",
    )(command)


def _solutions(command: _Command) -> _Command:
    return click.option(
        "--solutions",
        type=click.Path(path_type=Path),
        default=Path("solutions"),
        show_default=True,
        help="Where the solutions are.",
    )(command)


@click.command()
@click.argument("name")
@click.option("--step", type=click.IntRange(min=1), help="This one, not the next.")
@_folder
def hint(name: str, step: int | None, folder: Path) -> None:
    """Print the next hint for the exercise NAME.

    First a question, then the idea, the derivation's first line, at last the formula. How far you went is kept in
    .desk.json beside your exercises, and a report of them says so.
    """
    from gradcheck.catalog import find_exercise
    from gradcheck.desk.hints import give_hint, hint_lines
    from gradcheck.desk.paper import screen_width

    given = give_hint(find_exercise(name), folder, step)
    click.echo("\n".join(hint_lines(given, screen_width())))
    _tell_trouble(given.noted)


@click.command()
@click.argument("name")
def explain(name: str) -> None:
    """Explain the exercise NAME: definition, Jacobian, VJP, and a picture.

    This gives the formulas away: for a backward and a Jacobian they are the answer. `gradcheck hint` leads there in
    steps.
    """
    from gradcheck.desk.explanation import explanation
    from gradcheck.desk.paper import screen_width
    from gradcheck.reports.heatmap import showable

    exercise = course_of(Path("exercises")).find(name)
    blocks = showable(getattr(sys.stdout, "encoding", None))
    lines = explanation(exercise, screen_width(), colour=_colour(), blocks=blocks)
    click.echo("\n".join(lines))


@click.command()
@click.argument("name")
@click.option("--give-up", is_flag=True, help="Show it although yours does not pass; this is recorded.")
@_folder
@_solutions
def solution(name: str, give_up: bool, folder: Path, solutions: Path) -> None:
    """Print the solution of the exercise NAME, once yours passes.

    With --give-up it is printed anyway; .desk.json and every report say so then. Exits 1 where it is not shown.
    """
    from gradcheck.desk.paper import folder_option, paragraph, screen_width
    from gradcheck.desk.solution import solution_of

    exercise = course_of(folder).find(name)
    shown = solution_of(exercise, folder, solutions, give_up=give_up, cache=CACHE, state=STATE)
    # Beside the source, so that standard output is the source alone.
    click.echo("\n".join(paragraph(shown.told, screen_width(), "")), err=True)
    _tell_trouble(shown.noted)
    if not shown.source:
        where = folder_option(folder)
        click.echo(f"A hint:    gradcheck hint {exercise.name}{where}", err=True)
        click.echo(f"Recorded:  gradcheck solution {exercise.name} --give-up{where}", err=True)
        sys.exit(1)
    click.echo(shown.source, nl=False)


@click.command("list")
@click.option("--check", is_flag=True, help="Grade everything first, instead of telling the last results.")
@_folder
def list_(check: bool, folder: Path) -> None:
    """List the exercises: state, points, and hints taken.

    States are those of the last check of exactly what the file holds now; else it reads "not checked".
    """
    from rich.console import Console

    from gradcheck.desk.listing import entries, print_entries

    course = course_of(folder)
    if check:
        _check(folder, course)
    print_entries(Console(soft_wrap=False, legacy_windows=False), entries(folder, STATE, course), folder)


@click.command()
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
@_folder
@_solutions
def reset(name: str, yes: bool, folder: Path, solutions: Path) -> None:
    """Write the stub of the exercise NAME anew.

    Your file is kept in .gradcheck/backups/, and the command that brings it back is printed.
    """
    from gradcheck.catalog import find_exercise
    from gradcheck.desk.resetting import bring_back, carry_out, planned

    plan = planned(find_exercise(name), folder, solutions)
    if not plan.needed:
        click.echo(f"{plan.shown} is the stub already; nothing to do")
        return
    if plan.present and not yes:
        if not _can_ask():
            raise GradcheckError(f"{plan.shown} would be replaced, and there is no terminal to ask; add --yes")
        if not click.confirm(f"Replace {plan.shown} by its stub? Your file is kept in {STATE}/backups"):
            click.echo("nothing was changed")
            sys.exit(1)
    kept = carry_out(plan, STATE)
    click.echo(f"wrote {plan.shown}")
    if kept:
        click.echo(f"your file is kept: {kept.as_posix()}\nto bring it back:\n    {bring_back(plan, kept)}")


COMMANDS = (hint, explain, solution, list_, reset)


def course_of(folder: Path) -> CourseHere:
    """The course that a learner's folder belongs to; what is wrong with its course.toml is told on standard error."""
    from gradcheck.classes.course_here import course_here

    course = course_here(folder)
    if course.problem:
        click.echo(f"gradcheck: {course.problem}.", err=True)
    return course


def _can_ask() -> bool:
    return sys.stdin is not None and sys.stdin.isatty()


def _colour() -> bool:
    """Whether the output is a terminal that takes colours, and nobody asked for none."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _tell_trouble(noted: object) -> None:
    from gradcheck.desk.hints import trouble_lines
    from gradcheck.desk.paper import screen_width
    from gradcheck.grading.desk_record import Noted

    assert isinstance(noted, Noted)
    for line in trouble_lines(noted, screen_width()):
        click.echo(line, err=True)


def _check(folder: Path, course: CourseHere) -> None:
    """Grade the folder for the list: a line that moves in a terminal, a line per exercise elsewhere."""
    from rich.console import Console

    from gradcheck.grading.grade import grade_folder
    from gradcheck.reports.folder import line_of

    chosen = course.of_unit(folder.resolve().name) or list(course.exercises.values())

    console = Console(stderr=True, highlight=False, legacy_windows=False)
    if not console.is_terminal or console.is_dumb_terminal:
        grade_folder(
            folder,
            exercises=chosen,
            cache=CACHE,
            state=STATE,
            shrink=False,
            progress=lambda each: click.echo(line_of(each), err=True),
        )
        return
    _check_in_a_terminal(console, folder, chosen)


def _check_in_a_terminal(console: Console, folder: Path, chosen: list[Exercise]) -> None:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    from gradcheck.grading.grade import grade_folder

    columns = (BarColumn(16), MofNCompleteColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("checking", total=len(chosen))

        def told(report: ExerciseReport) -> None:
            progress.update(task, advance=1, description=report.exercise.name)

        grade_folder(folder, exercises=chosen, cache=CACHE, state=STATE, shrink=False, progress=told)
