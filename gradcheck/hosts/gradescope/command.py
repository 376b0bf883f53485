"""Gradescope: `bundle gradescope` makes what is uploaded there, `host gradescope` is what runs there. Adapters only;
heavy imports come late.
"""

from __future__ import annotations

import sys
from pathlib import Path

import click

from gradcheck.errors import Ungraded

_PATH = click.Path(path_type=Path)


@click.command("gradescope")
@click.option(
    "--out",
    required=True,
    type=_PATH,
    help="The zip file, or the folder for autograder.zip. An earlier one is replaced.",
)
@click.option("--course", "course_file", type=_PATH, help="Exercises, points, deadline, roster, limits.")
@click.option("--units", multiple=True, metavar="UNIT", help="Only exercises of these units.")
@click.option(
    "--require-sandbox", is_flag=True, help="Grade nobody where a layer of the sandbox's baseline is missing."
)
def bundle(out: Path, course_file: Path | None, units: tuple[str, ...], require_sandbox: bool) -> None:
    """Make the zip file that is uploaded to Gradescope as an autograder.

    It holds the grader without solutions, and of the course what grading needs: no roster. docs/gradescope.md says
    what to set there.
    """
    from gradcheck.classes.policy import load_course
    from gradcheck.hosts.course_text import for_units
    from gradcheck.hosts.gradescope.bundle import limit_s, timeout_min, write_bundle
    from gradcheck.reports.escaping import terminal_text
    from gradcheck.showing.text import counted, points

    course = for_units(load_course(course_file), units)
    path = write_bundle(out, course, require_sandbox=require_sandbox)
    click.echo(f"wrote {terminal_text(str(path))}: {counted(len(course.exercises), 'exercise')}")
    click.echo(f"on Gradescope, set the assignment's autograder points to {points(course.max_score)}")
    click.echo(f"and its timeout to at least {timeout_min(limit_s(course))} minutes")


@click.command("gradescope")
@click.option("--submission", required=True, type=_PATH, help="The folder of what was handed in.")
@click.option("--metadata", required=True, type=_PATH, help="Its submission_metadata.json.")
@click.option("--course", "course_file", required=True, type=_PATH, help="The bundle's course.toml.")
@click.option("--out", required=True, type=_PATH, help="Where results.json goes.")
@click.option("--require-sandbox", is_flag=True, help="Refuse to grade where the sandbox's baseline is incomplete.")
def host(submission: Path, metadata: Path, course_file: Path, out: Path, require_sandbox: bool) -> None:
    """Grade one submission on Gradescope; what is printed is for the instructor.

    Exits 0 when it was graded, whatever the score; 3 when the grader itself failed on an exercise; else 2. Where it
    does not exit 0 there is no results.json, so that Gradescope says that the autograder failed.
    """
    from gradcheck.classes.policy import load_course
    from gradcheck.hosts.gradescope.autograde import host as grade
    from gradcheck.reports.escaping import terminal_text

    try:
        for line in grade(submission, metadata, load_course(course_file), out, require_sandbox=require_sandbox):
            click.echo(f"gradcheck: {terminal_text(line)}")
    except Ungraded as reason:
        click.echo(f"gradcheck: NOT GRADED: {terminal_text(str(reason))}")
        sys.exit(reason.exit_status)
