"""How a course begins: course, release. Adapters only; heavy imports come late."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click


@click.command()
@click.argument("dest", type=click.Path(path_type=Path))
@click.option("--title", required=True, help="Stands above every report.")
@click.option("--deadline", required=True, metavar="TIME", help="When it is due: 2026-10-01T23:59.")
@click.option("--timezone", default="", metavar="ZONE", help="By whose clocks: Europe/Berlin. Else by this machine's.")
@click.option("--units", multiple=True, metavar="UNIT", help="These units only: 04_modules or 04; may be given again.")
@click.option(
    "--roster", type=click.Path(path_type=Path), help="Who is in it: name, email, id; or an export. It is copied."
)
def course(dest: Path, title: str, deadline: str, timezone: str, units: tuple[str, ...], roster: Path | None) -> None:
    """Begin a course's folder DEST: course.toml, the roster, and a .gitignore, since names and marks come to lie there.

    Nothing that is there already is touched.
    """
    from gradcheck.authoring.course import begin
    from gradcheck.reports.escaping import terminal_text

    for path in begin(dest, title=title, deadline=deadline, timezone=timezone, units=units, roster=roster):
        click.echo(f"wrote {terminal_text(str(path))}")
    click.echo(f"next: edit {terminal_text(str(dest / 'course.toml'))}, then make what learners get: gradcheck release")


@click.command()
@click.argument("dest", type=click.Path(path_type=Path))
@click.option("--units", multiple=True, metavar="UNIT", help="These units only: 04_modules or 04; may be given again.")
@click.option(
    "--course", "course_file", type=click.Path(path_type=Path), help="Exercises, points, deadline, what hints cost."
)
@click.option(
    "--host",
    type=click.Choice(("actions", "classroom50", "plain")),
    help="Who grades a push: our workflow, Classroom 50's, or nobody. Else as the release there has it, or actions.",
)
@click.option("--grader", default="", metavar="REQUIREMENT", help="Install gradcheck so; else DEST carries its wheel.")
def release(dest: Path, units: tuple[str, ...], course_file: Path | None, host: str | None, grader: str) -> None:
    """Write the learners' repository to DEST: stubs, README, settings, and for GitHub Actions a workflow.

    No solution, roster or extension is in it. Run again, it brings DEST up to date: files that were changed since are
    kept and listed. Run it in the project's folder.
    """
    from gradcheck.authoring.release import release as make
    from gradcheck.classes.policy import load_course
    from gradcheck.hosts.course_text import for_units
    from gradcheck.reports.escaping import terminal_text

    course = for_units(load_course(course_file), units)
    if course.deadline and course.deadline.at < datetime.now(UTC):
        due = course.deadline.at.isoformat(timespec="minutes")
        click.echo(f"note: the deadline, {due}, is over; [deadline] in {course_file} says so", err=True)
    made = make(dest, course, root=Path.cwd(), grader=grader, host=host or "")
    for note in made.notes:
        click.echo(f"note: {note}", err=True)
    outcome = made.outcome
    counts = [
        f"{len(paths)} {what}"
        for what, paths in (
            ("written", outcome.added),
            ("renewed", outcome.renewed),
            ("removed", outcome.removed),
            ("unchanged", outcome.unchanged),
            ("kept", outcome.kept),
        )
        if paths
    ]
    click.echo(f"{terminal_text(str(dest))}: {', '.join(counts)}")
    for path in outcome.removed:
        click.echo(f"  removed {terminal_text(path)}")
    for path in outcome.kept:
        click.echo(f"  kept    {terminal_text(path)}, which was changed since or is no file of the release's")


COMMANDS = (course, release)
