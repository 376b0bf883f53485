"""Classroom 50: `bundle classroom50` makes what is uploaded there, `host classroom50` is what runs there.

Adapters only; heavy imports come late.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import click

from gradcheck.errors import explained

_PATH = click.Path(path_type=Path)


@click.command("classroom50")
@click.option("--out", type=_PATH, required=True, help="The assignment's folder; made or renewed.")
@click.option("--course", "course_file", type=_PATH, help="Exercises, points, hints, limits.")
@click.option("--units", multiple=True, metavar="UNIT", help="Only exercises of this unit; may be given again.")
@click.option("--declarative", is_flag=True, help="tests.json, a test per function, in place of autograder.py.")
def bundle(out: Path, course_file: Path | None, units: tuple[str, ...], declarative: bool) -> None:
    """Make the folder CLASSROOM/autograders/ASSIGNMENT of the course's repository.

    It holds the grader, and nothing of the roster or the deadline: the host publishes it.
    """
    from gradcheck.classes.policy import load_course
    from gradcheck.hosts.classroom50.bundle import write_bundle
    from gradcheck.reports.escaping import terminal_text

    names, size = write_bundle(out, load_course(course_file), units, declarative=declarative)
    click.echo(f"{terminal_text(str(out))}: {', '.join(names)} ({size / 1e6:.1f} MB)")
    click.echo("Commit these files as CLASSROOM/autograders/ASSIGNMENT of your classroom50 repository.")


@click.command("classroom50")
@click.option("--checkout", type=_PATH, default=".", help="The submission.")
@click.option("--course", "course_file", type=_PATH, help="The bundle's course.toml.")
@click.option("--out", type=_PATH, required=True, help="A folder for result.json and the rest.")
def host(checkout: Path, course_file: Path | None, out: Path) -> None:
    """Grade one submission on Classroom 50.

    Who it is from is read from the host's variables. Exits 0 when it was graded, whatever the score; 3 when the
    grader itself failed on an exercise: there is no result.json then.
    """
    from gradcheck.classes.policy import load_course
    from gradcheck.classes.run import grade_checkout
    from gradcheck.grading.small_files import write_whole
    from gradcheck.hosts.classroom50.result import classroom50_result, function_outcomes, identity, release_body

    course = load_course(course_file)
    report = grade_checkout(checkout, course, name=os.environ.get("OWNER") or "submission", require_sandbox=True)
    result = classroom50_result(report, identity(os.environ))
    files = {
        "result.json": json.dumps(result, indent=1) + "\n",
        "release-body.md": release_body(report, result),
        "functions.json": json.dumps(function_outcomes(report), indent=1) + "\n",
    }
    with explained(f"{out} cannot be written to", "give --out another place"):
        out.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            write_whole(out / name, text.encode("utf-8"))
    click.echo(f"{result['score']} of {result['max-score']} points")
