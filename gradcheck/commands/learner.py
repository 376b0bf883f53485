"""The learner's commands: what is checked, what helps, what is trained. Adapters only; heavy imports come late."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gradcheck.errors import GradcheckError, Ungraded, explained
from gradcheck.showing.options import PATH, only, place, seeded

if TYPE_CHECKING:
    from gradcheck.classes.course_here import CourseHere
    from gradcheck.grading.desk_record import Noted
    from gradcheck.grading.report import ExerciseReport

STATE = Path(".gradcheck")
CACHE, PLOTS = STATE / "cache", STATE / "plots"

EXERCISES = Path("exercises")
_exercises = click.argument("folder", type=PATH, default=EXERCISES)
_folder = place("--folder", default=EXERCISES, show_default=True, help="Where your exercises are.")
_solutions = place("--solutions", default=Path("solutions"), show_default=True, help="Where the solutions are.")


@click.command()
@click.argument("folder", type=PATH)
@place("--json", "out", help="Write the report (gradcheck/report/v1) here; - is standard output.")
@only("Grade")
@seeded("all inputs and cotangents")
@click.option("--show-answer", is_flag=True, help="Print the correct values beside a failure.")
@click.option("--reproduce", is_flag=True, help="Print below a failure lines of torch that make the failing call.")
@place("--pictures", help="Draw wrong matrices here, as PNG files.")
def report(
    folder: Path,
    out: Path | None,
    only: tuple[str, ...],
    seed: int,
    show_answer: bool,
    reproduce: bool,
    pictures: Path | None,
) -> None:
    """Grade FOLDER, laid out like exercises/; a missing file reads as not started.

    Where a course.toml lies beside it, that says which exercises count and how much.
    Exits 0 when every exercise passed, 1 when something is left to do, 2 when nothing could be graded, 3 when the
    grader itself failed on an exercise: that one is neither passed nor failed, and no points are counted for it.
    """
    from gradcheck.grading.grade import grade_folder
    from gradcheck.reports.message import failures_text, line_of, total_lines
    from gradcheck.reports.stored import as_json

    if pictures is not None:
        from gradcheck.reports.heatmap_png import needs_matplotlib, save_pictures

        needs_matplotlib()  # before anybody waits for the grading
    quiet = out is not None and str(out) == "-"

    def progress(each: ExerciseReport) -> None:
        if not quiet:
            click.echo(line_of(each))

    course = course_of(folder)
    chosen = [course.find(name) for name in only] or list(course.exercises.values())
    graded = grade_folder(folder, exercises=chosen, seed=seed, cache=CACHE, progress=progress, state=STATE)
    if quiet:
        click.echo(as_json(graded), nl=False)
    else:
        for text in failures_text(graded, folder, show_answer=show_answer, reproduce=reproduce):
            click.echo("\n" + text)
        click.echo("")
        for line in total_lines(graded):
            click.echo(line)
    if out is not None and not quiet:
        with explained(f"{out} cannot be written", "give --json another place"):
            out.parent.mkdir(parents=True, exist_ok=True)
            out.write_text(as_json(graded), encoding="utf-8")
        click.echo(f"report: {out}")
    for path in save_pictures(graded, folder, pictures, CACHE) if pictures is not None else ():
        click.echo(f"picture: {path}", err=quiet)
    if graded.ungraded:
        sys.exit(Ungraded.exit_status)
    sys.exit(0 if all(each.status == "passed" for each in graded.exercises) else 1)


_limit = click.option(
    "--limit-s",
    type=click.FloatRange(min=0.1),
    default=10.0,
    show_default=True,
    help="Seconds that one call of yours may compute.",
)


@click.command()
@_exercises
@only("Show")
@_limit
def desk(folder: Path, only: tuple[str, ...], limit_s: float) -> None:
    """Open the desk on FOLDER: an exercise, its verdict after every save, hints.

    `gradcheck` alone does the same for exercises/. Where the screen is too small or none at all, plain lines come
    instead, as `gradcheck watch` has them.
    """
    from gradcheck.classes.course_here import course_here
    from gradcheck.desk.full_screen.start import open_desk, why_not
    from gradcheck.reports.terminal import paragraph, screen_width

    course = course_here(folder)
    if why := why_not():
        from gradcheck.desk.watch.plain import watch as watch_folder

        told = f"gradcheck: no desk here: {why}. Plain lines instead."
        click.echo("\n".join(paragraph(told, screen_width(), "")), err=True)
        sys.exit(watch_folder(folder, only, limit_s, STATE, course))
    sys.exit(open_desk(folder, only, limit_s, STATE, course))


@click.command()
@_exercises
@only("Watch")
@_limit
def watch(folder: Path, only: tuple[str, ...], limit_s: float) -> None:
    """Check an exercise of FOLDER again whenever you save it, and print lines.

    The verdict, how far you are, and what comes next, for pipes and small terminals; the desk does that and more on
    the whole screen.
    """
    from gradcheck.classes.course_here import course_here
    from gradcheck.desk.watch.plain import watch as watch_folder

    sys.exit(watch_folder(folder, only, limit_s, STATE, course_here(folder)))


@click.command("list")
@click.option("--check", is_flag=True, help="Grade everything first, instead of telling the last results.")
@_folder
def list_(check: bool, folder: Path) -> None:
    """List the exercises: state, points, hints taken, minutes and level.

    States are those of the last check of exactly what the file holds now; else it reads "not checked".
    """
    from rich.console import Console

    from gradcheck.desk.listing import entries, print_entries

    course = course_of(folder)
    if check:
        from gradcheck.grading.grade import grade_folder

        chosen = course.of_unit(folder.resolve().name) or list(course.exercises.values())
        with _checking(len(chosen)) as told:
            grade_folder(folder, exercises=chosen, cache=CACHE, state=STATE, shrink=False, progress=told)
    print_entries(Console(soft_wrap=False, legacy_windows=False), entries(folder, STATE, course), folder)


@contextmanager
def _checking(total: int) -> Iterator[Callable[[ExerciseReport], None]]:
    """How far the grading for the list is: a line that moves in a terminal, a line per exercise elsewhere."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    from gradcheck.reports.message import line_of

    console = Console(stderr=True, highlight=False, legacy_windows=False)
    if not console.is_terminal or console.is_dumb_terminal:
        yield lambda each: click.echo(line_of(each), err=True)
        return
    columns = (BarColumn(16), MofNCompleteColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("checking", total=total)
        yield lambda each: progress.update(task, advance=1, description=each.exercise.name)


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
    from gradcheck.reports.terminal import screen_width

    given = give_hint(find_exercise(name), folder, step)
    click.echo("\n".join(hint_lines(given, screen_width(), CACHE)))
    _tell_trouble(given.noted)


def _tell_trouble(noted: Noted) -> None:
    from gradcheck.desk.hints import trouble_lines
    from gradcheck.reports.terminal import screen_width

    for line in trouble_lines(noted, screen_width()):
        click.echo(line, err=True)


@click.command()
@click.argument("name")
def explain(name: str) -> None:
    """Explain the exercise NAME: definition, Jacobian, VJP, and a picture.

    This gives the formulas away: for a backward and a Jacobian they are the answer. `gradcheck hint` leads there in
    steps.
    """
    from gradcheck.desk.hints import explanation
    from gradcheck.reports.ink import showable
    from gradcheck.reports.terminal import screen_width

    exercise = course_of(Path("exercises")).find(name)
    # In colours where the output is a terminal that takes them, and nobody asked for none.
    colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    blocks = showable(getattr(sys.stdout, "encoding", None))
    click.echo("\n".join(explanation(exercise, screen_width(), CACHE, colour=colour, blocks=blocks)))


@click.command()
@click.argument("name")
@click.option("--give-up", is_flag=True, help="Show it although yours does not pass; this is recorded.")
@_folder
@_solutions
def solution(name: str, give_up: bool, folder: Path, solutions: Path) -> None:
    """Print the solution of the exercise NAME, once yours passes.

    With --give-up it is printed anyway; .desk.json and every report say so then. Exits 1 where it is not shown.
    """
    from gradcheck.desk.solutions import solution_of
    from gradcheck.reports.terminal import folder_option, paragraph, screen_width

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
    from gradcheck.desk.solutions import bring_back, carry_out, planned

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


def _can_ask() -> bool:
    return sys.stdin is not None and sys.stdin.isatty()


@click.command()
@_exercises
@place("--plots", default=PLOTS, show_default=True, help="Where pictures go.")
@click.option("--no-plots", is_flag=True, help="Draw nothing (matplotlib is not needed then).")
@click.option("--no-animation", is_flag=True, help="Draw no GIF of the training.")
@seeded("the data and the initial parameters")
def train(folder: Path, plots: Path, no_plots: bool, no_animation: bool, seed: int) -> None:
    """Train the networks of FOLDER on the practicum's spiral beside the reference network.

    First your files are checked as pytest does it, and what does not hold is named. Your modules, two_layer_net and
    training_loop start where the reference starts; gradients and parameters of the first steps are compared exactly,
    then the trained accuracy. Exits 0 when all that is written holds, 1 when something does not.
    """
    from gradcheck.desk.listing import entries
    from gradcheck.reports.training import train_folder

    course = course_of(folder)
    passed = {each.exercise.name for each in entries(folder, STATE, course) if each.state == "passed"}
    drawn, finished = None if no_plots else plots, passed == set(course.exercises)
    sys.exit(train_folder(folder, drawn, seed, CACHE, animated=not no_animation, finished=finished))


@click.command()
@_exercises
@place("--plots", default=PLOTS, show_default=True, help="Where the PNG goes.")
def ensemble(folder: Path, plots: Path) -> None:
    """The practicum's regression: five ReLU and five tanh networks, by FOLDER's mean_and_variance.

    Where there is data the networks agree; where there is none the variance says so. mean_and_variance is checked
    first: a picture of a wrong one says so in its titles. Exits 0 when it holds, 1 when it does not.
    """
    from gradcheck.reports.training import ensemble_of

    sys.exit(ensemble_of(folder, plots, CACHE))


COMMANDS = (desk, report, watch, list_, hint, explain, solution, reset, train, ensemble)


def course_of(folder: Path) -> CourseHere:
    """The course that a learner's folder belongs to; what is wrong with its course.toml is told on standard error."""
    from gradcheck.classes.course_here import course_here

    course = course_here(folder)
    if course.problem:
        click.echo(f"gradcheck: {course.problem}.", err=True)
    return course
