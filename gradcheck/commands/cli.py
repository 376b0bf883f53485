"""The command line: `gradcheck …` or `python -m gradcheck …`. Adapters only; heavy imports come late."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from gradcheck import __version__
from gradcheck.commands.author import COMMANDS as AUTHORING
from gradcheck.commands.collect import COMMANDS as COLLECTING
from gradcheck.commands.doctor import doctor
from gradcheck.commands.export import COMMANDS as EXPORTS
from gradcheck.commands.grade import grade
from gradcheck.commands.learner import CACHE, COMMANDS, STATE, course_of
from gradcheck.commands.release import COMMANDS as RELEASING
from gradcheck.errors import GradcheckError, Ungraded
from gradcheck.hosts.commands import COMMANDS as HOSTS
from gradcheck.hosts.github.command import COMMANDS as CLASSROOM

PLOTS = STATE / "plots"


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 80})
@click.version_option(__version__, prog_name="gradcheck")
def cli() -> None:
    """Learn backpropagation by writing it: grade gradients and Jacobians.

    Learners mostly use pytest: pytest exercises/04_modules/relu.py
    """


@cli.command()
@click.argument("names", nargs=-1)
def formulas(names: tuple[str, ...]) -> None:
    """Print the derived Jacobian and VJP of every operator, or of NAMES.

    g stands for grad_output, δ_ij is 1 where i = j and 0 elsewhere.
    """
    from gradcheck.catalog import known_operators
    from gradcheck.references.typeset import formulas as lines_of
    from gradcheck.showing.text import did_you_mean

    operators = known_operators()
    unknown = [name for name in names if name not in operators]
    if unknown:
        raise GradcheckError(f"there is no operator {unknown[0]!r}; {did_you_mean(unknown[0], operators)}")
    for name in names or operators:
        click.echo(name)
        for line in lines_of(operators[name]):
            click.echo(f"    {line}")


@cli.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--json",
    "out",
    type=click.Path(path_type=Path),
    help="Write the report (gradcheck/report/v1) here; - is standard output.",
)
@click.option("--only", multiple=True, metavar="NAME", help="Grade this exercise only; may be given again.")
@click.option("--seed", type=int, default=0, show_default=True, help="Draws all inputs and cotangents.")
@click.option("--show-answer", is_flag=True, help="Print the correct values beside a failure.")
@click.option("--reproduce", is_flag=True, help="Print below a failure lines of torch that make the failing call.")
@click.option("--pictures", type=click.Path(path_type=Path), help="Draw wrong matrices here, as PNG files.")
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
    from gradcheck.grading.report import ExerciseReport
    from gradcheck.reports.folder import failures_text, line_of, total_lines
    from gradcheck.reports.json_report import as_json

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
        try:
            out.parent.mkdir(parents=True, exist_ok=True)
            out.write_text(as_json(graded), encoding="utf-8")
        except OSError as error:
            raise GradcheckError(f"{out} cannot be written: {error.strerror}; give --json another place") from None
        click.echo(f"report: {out}")
    for path in save_pictures(graded, folder, pictures, CACHE) if pictures is not None else ():
        click.echo(f"picture: {path}", err=quiet)
    if graded.ungraded:
        sys.exit(Ungraded.exit_status)
    sys.exit(0 if all(each.status == "passed" for each in graded.exercises) else 1)


@cli.command()
@click.argument("names", nargs=-1)
@click.option("--force", is_flag=True, help="Overwrite files that exist. What was in them is lost.")
def stubs(names: tuple[str, ...], force: bool) -> None:
    """Write exercises/ anew from solutions/, or only NAMES. Existing files are kept."""
    from gradcheck.authoring.stubs import write_stubs
    from gradcheck.catalog import find_exercise

    root = Path.cwd()
    if not (root / "solutions").is_dir():
        raise GradcheckError(f"there is no solutions/ in {root}; stubs are made from it, so run this where it is")
    written = write_stubs(root, [find_exercise(name).name for name in names], overwrite=force)
    for path in written:
        click.echo(f"wrote {path.relative_to(root)}")
    if not written:
        click.echo("nothing to write: every stub exists (--force overwrites them)")


@cli.command()
@click.argument("folder", type=click.Path(path_type=Path), default=Path("exercises"))
@click.option("--plots", type=click.Path(path_type=Path), default=PLOTS, show_default=True, help="Where PNG files go.")
@click.option("--no-plots", is_flag=True, help="Draw nothing (matplotlib is not needed then).")
@click.option("--seed", type=int, default=0, show_default=True, help="Draws the data and the initial parameters.")
def train(folder: Path, plots: Path, no_plots: bool, seed: int) -> None:
    """Train the networks of FOLDER on the practicum's spiral beside the reference network.

    First your files are checked as pytest does it, and what does not hold is named. Your modules, two_layer_net and
    training_loop start where the reference starts; gradients and parameters of the first steps are compared exactly,
    then the trained accuracy. Exits 0 when all that is written holds, 1 when something does not.
    """
    from gradcheck.reports.training import train_folder

    sys.exit(train_folder(folder, None if no_plots else plots, seed, CACHE))


@cli.command()
@click.argument("folder", type=click.Path(path_type=Path), default=Path("exercises"))
@click.option("--plots", type=click.Path(path_type=Path), default=PLOTS, show_default=True, help="Where the PNG goes.")
def ensemble(folder: Path, plots: Path) -> None:
    """The practicum's regression: five ReLU and five tanh networks, by FOLDER's mean_and_variance.

    Where there is data the networks agree; where there is none the variance says so. mean_and_variance is checked
    first: a picture of a wrong one says so in its titles. Exits 0 when it holds, 1 when it does not.
    """
    from gradcheck.reports.training import ensemble_of

    sys.exit(ensemble_of(folder, plots, CACHE))


@cli.command()
@click.argument("folder", type=click.Path(path_type=Path), default=Path("exercises"))
@click.option("--only", multiple=True, metavar="NAME", help="Watch this exercise only; may be given again.")
@click.option(
    "--limit-s",
    type=click.FloatRange(min=0.1),
    default=10.0,
    show_default=True,
    help="Seconds that one call of yours may compute.",
)
def watch(folder: Path, only: tuple[str, ...], limit_s: float) -> None:
    """Check an exercise of FOLDER again whenever you save it.

    The verdict, how far you are, and what comes next. Keys: h hint, l list, n next exercise, r run again, R reproduce,
    q quit.
    """
    from gradcheck.classes.course_here import course_here
    from gradcheck.desk.watch import watch as watch_folder

    sys.exit(watch_folder(folder, only, limit_s, STATE, course_here(folder)))


for command in (*COMMANDS, grade, *EXPORTS, doctor, *RELEASING, *CLASSROOM, *COLLECTING, *HOSTS, *AUTHORING):
    cli.add_command(command)


def main() -> None:
    """Run the command line; what gradcheck says on purpose is printed without a traceback."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a narrow console shows ? for δ rather than fail
    try:
        cli(prog_name="gradcheck")
    except GradcheckError as error:
        click.echo(f"gradcheck: {error}", err=True)
        sys.exit(error.exit_status)
    except KeyboardInterrupt:
        click.echo("gradcheck: stopped", err=True)
        sys.exit(130)
