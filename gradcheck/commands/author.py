"""The commands of whoever writes exercises: begun, shown, checked. Adapters only; heavy imports come late."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import click

from gradcheck.errors import GradcheckError
from gradcheck.showing.options import jobs


@click.command()
@click.argument("name")
@click.option("--formula", required=True, help="In index notation: y[i] = exp(x[i]) / Sum(exp(x[k]), (k, 0, n-1)).")
@click.option("--unit", default="", help="Its folder. Else 04_modules, or 05_losses where the output is a scalar.")
@click.option("--new-unit", is_flag=True, help="The unit is new.")
@click.option("--title", default="", help="Else the name.")
@click.option("--points", default="", metavar="1,2,1", help="Of forward, backward and jacobian.")
@click.option(
    "--input",
    "inputs",
    multiple=True,
    metavar="NAME[:KIND]",
    help="Inputs are passed in the order given here, others after them. KIND: constant or probability (no gradient), "
    "or label:SIZE.",
)
@click.option("--batch", multiple=True, metavar="NAME", help="An input with an axis of samples; may be given again.")
@click.option("--no-batch", is_flag=True, help="Only ever a single sample.")
@click.option(
    "--any-shape/--no-any-shape",
    default=None,
    help="The one index runs over tensors of any shape. Else so where y[i] depends on no other entry.",
)
@click.option("--stable", is_flag=True, help="Results must be accurate for inputs up to ±1e4.")
@click.option("--solve", is_flag=True, help="Write the solution's bodies too, where they pass every check.")
def new(name: str, points: str, batch: tuple[str, ...], no_batch: bool, **wishes: Any) -> None:
    """Begin exercise NAME from its formula: record, solution and stub.

    Jacobian, gradient, torch function and wrong answers are derived and tried before anything is written. The hints
    and the solution's bodies are yours to write; gradcheck dev check says what is missing.
    """
    from gradcheck.authoring.new.create import create, next_step
    from gradcheck.authoring.new.plan import Wish

    if no_batch and batch:
        raise GradcheckError("--batch and --no-batch exclude each other; give one of them")
    try:
        worth = tuple(float(each) for each in points.split(",")) if points else ()
    except ValueError:
        raise GradcheckError(f"--points {points!r}: write numbers with commas between them: 1,2,1") from None
    chosen = () if no_batch else batch or None
    root = Path.cwd()
    for path in create(root, Wish(name=name, points=worth, batch=chosen, **wishes), click.echo):
        click.echo(f"wrote {path.relative_to(root)}")
    click.echo(next_step(root, name))


@click.command()
@click.argument("names", nargs=-1)
@click.option("--force", is_flag=True, help="Overwrite files that exist. What was in them is lost.")
def stubs(names: tuple[str, ...], force: bool) -> None:
    """Write exercises/ and examples/week2.ipynb anew from solutions/, or only the exercises NAMES. Existing files are
    kept.
    """
    from gradcheck.authoring.notebook_to_begin import write_notebook
    from gradcheck.authoring.stubs import write_stubs
    from gradcheck.catalog import find_exercise

    root = Path.cwd()
    if not (root / "solutions").is_dir():
        raise GradcheckError(f"there is no solutions/ in {root}; stubs are made from it, so run this where it is")
    written = write_stubs(root, [find_exercise(name).name for name in names], overwrite=force)
    written += [] if names else write_notebook(root, overwrite=force)
    for path in written:
        click.echo(f"wrote {path.relative_to(root)}")
    if not written:
        click.echo("nothing to write: every stub exists (--force overwrites them)")


@click.command()
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


@click.group()
def dev() -> None:
    """For whoever writes exercises."""


@dev.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--quick", is_flag=True, help="Grade no wrong answers: files, record, stub and solution only.")
@jobs("Exercises")
@click.option(
    "--limit-s",
    type=click.FloatRange(min=1),
    default=900.0,
    show_default=True,
    help="Seconds that one exercise may take.",
)
def check(names: tuple[str, ...], quick: bool, jobs: int | None, limit_s: float) -> None:
    """Say what keeps an exercise from being given to learners: all, or NAMEs.

    Every problem with its remedy: a stub that is solved, hints that are missing, a solution that fails, a wrong answer
    that passes, a check that cannot fail. Run it where gradcheck's source is.

    Exits 0 when there is no problem, 1 when there is one.
    """
    from gradcheck.authoring.dev_check.run import check as checked
    from gradcheck.authoring.dev_check.run import closing_line, verdict_lines
    from gradcheck.reports.escaping import terminal_text
    from gradcheck.reports.terminal import screen_width, shown_progress

    verdicts = []
    jobs = jobs or os.cpu_count() or 1
    with shown_progress() as progress:
        found = checked(Path.cwd(), names, quick=quick, jobs=jobs, limit_s=limit_s, progress=progress)
        for name, verdict in found:
            verdicts.append(verdict)
            for line in verdict_lines(name, verdict, screen_width()):
                click.echo(terminal_text(line))
    click.echo(closing_line(verdicts))
    sys.exit(1 if any(each.problems for each in verdicts) else 0)


COMMANDS = (new, stubs, formulas, dev)
