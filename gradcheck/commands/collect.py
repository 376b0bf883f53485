"""Scores back into the gradebook: collect. Adapters only; heavy imports come late."""

from __future__ import annotations

import shlex
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gradcheck.errors import GradcheckError, Ungraded

if TYPE_CHECKING:
    from gradcheck.gradebooks.collect.sources import Gathered
    from gradcheck.submissions.roster import Roster

_PATH = click.Path(path_type=Path)
GRADED = "graded"
"""Below --out, where --grade puts its reports."""


@click.command()
@click.argument("sources", metavar="SOURCE...", nargs=-1, required=True, type=_PATH)
@click.option("--out", type=_PATH, required=True, help="Where gradebook.csv, collected.md and their like go.")
@click.option("--course", "course_file", type=_PATH, help="The course; its [roster] says who is in it.")
@click.option("--roster", "roster_file", type=_PATH, help="Who is in it, where the course does not say.")
@click.option("--regrade", type=_PATH, help="What `gradcheck grade` wrote: it decides.")
@click.option("--grade", "grading", is_flag=True, help="Grade the clones of SOURCE first, then compare.")
@click.option("--require-sandbox", is_flag=True, help="With --grade: as `gradcheck grade` has it.")
@click.option("--release", type=_PATH, help="The release as you made it, to tell what a learner has changed.")
@click.option("--assignment", default="", help="Which one, where a file holds several.")
@click.pass_context
def collect(
    context: click.Context,
    sources: tuple[Path, ...],
    out: Path,
    course_file: Path | None,
    roster_file: Path | None,
    regrade: Path | None,
    grading: bool,
    require_sandbox: bool,
    release: Path | None,
    assignment: str,
) -> None:
    """Bring scores back into the roster's gradebook.

    SOURCE is a folder with an entry per student, clones or result files of CI, or a file with everybody's. What CI
    says is advisory; with --regrade or --grade the instructor's own grading decides, and differences are listed.

    Exits 0 when everything fits, 1 when somebody is missing, ambiguous or different, 2 when nothing could be collected,
    3 when the grader itself failed on an exercise in the regrade: its final score stays empty.
    """
    from gradcheck.gradebooks.collect.changes import load_release
    from gradcheck.gradebooks.collect.compare import compare, regrades_in
    from gradcheck.gradebooks.collect.sources import Gathered, must_exist
    from gradcheck.gradebooks.collect.written import must_be_free, summary_lines, write
    from gradcheck.hosts.commands import readers

    roster = _roster(course_file, roster_file)
    for source in sources:
        must_exist(source)
        if source.resolve() == out.resolve():
            raise GradcheckError(f"--out is {source} itself; give a folder beside it")
    known = must_be_free(out)
    if grading:
        regrade = regrade or out / GRADED
    exclude = [path for path in (out, regrade, release, roster_file, course_file) if path is not None]
    original = load_release(release) if release else None
    gathered = Gathered(assignment, original, exclude, readers())
    for source in sources:
        gathered.add(source)
    if grading:
        from gradcheck.commands.grade import grade

        with suppress(Ungraded):  # who it concerns is told below
            context.invoke(
                grade,
                submissions=_to_grade(gathered),
                out=regrade,
                course_file=course_file,
                require_sandbox=require_sandbox,
            )
    regrades = regrades_in(regrade) if regrade else None
    names = [each.name for each in gathered.clones] + [name for each in gathered.results for name in each.names]
    comparison = compare(roster.among(dict.fromkeys(names)), gathered.results, gathered.clones, regrades)
    write(out, known, comparison, [*gathered.ignored, *comparison.staffs], gathered.problems)
    for line in summary_lines(comparison, gathered.problems, out):
        click.echo(line)
    if gathered.clones and regrades is None:
        source = next(iter(gathered.with_clones), sources[0])
        course = f" --course {shlex.quote(str(course_file))}" if course_file else ""
        grade_command = f"gradcheck grade {shlex.quote(str(source))} --out {shlex.quote(str(out / GRADED))}{course}"
        click.echo(f"The clones were not graded; --grade does it, or:\n  {grade_command}")
    if any(row.source == "ungraded" for row in comparison.rows):
        sys.exit(Ungraded.exit_status)
    sys.exit(0 if comparison.settled and not gathered.problems else 1)


def _roster(course_file: Path | None, roster_file: Path | None) -> Roster:
    from gradcheck.classes.policy import load_course
    from gradcheck.classes.roster_file import load_roster

    course = load_course(course_file)
    if roster_file is not None:
        return load_roster(roster_file)
    if course.roster is None:
        told = f"{course_file} has no [roster]; add one" if course_file else "who is in the class is not known; give it"
        raise GradcheckError(f"{told}, or give --roster roster.csv (docs/course.md says what is in it)")
    return course.roster


def _to_grade(gathered: Gathered) -> Path:
    """The one source whose clones are graded."""
    if len(gathered.with_clones) != 1:
        many = ", ".join(map(str, gathered.with_clones))
        told = (
            f"only one folder of clones is graded at a time, and there are {many}" if many else "no SOURCE has clones"
        )
        raise GradcheckError(f"--grade: {told}; run gradcheck grade by itself, and give what it wrote as --regrade")
    (source,) = gathered.with_clones
    if source in gathered.with_folders_of_results:
        raise GradcheckError(
            f"--grade: {source} holds folders that are no clones, and grading would give them 0 points; move them to "
            "another folder, and give that as a SOURCE too"
        )
    return source


COMMANDS = (collect,)
