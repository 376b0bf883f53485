"""The instructor's command: grade a class. An adapter only; heavy imports come late."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gradcheck.errors import GradcheckError, Ungraded

if TYPE_CHECKING:
    from gradcheck.classes.cluster import ClusterPool
    from gradcheck.classes.judge import Settings
    from gradcheck.classes.policy import Course
    from gradcheck.classes.pool import Pool

STATE = ".gradcheck"
"""In the folder of the reports: the journal with its seeds, and the expected values of the one in use."""


@click.command()
@click.argument("submissions", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The folder that reports are written to.")
@click.option(
    "--course", "course_file", type=click.Path(path_type=Path), help="Exercises, points, deadline, roster, limits."
)
@click.option("--jobs", type=click.IntRange(min=1), default=None, help="Submissions at once; as many as cores.")
@click.option(
    "--seed", type=click.IntRange(0, 2**53), default=None, help="Repeat a run: the seed of its reports or its journal."
)
@click.option(
    "--require-sandbox", is_flag=True, help="Refuse to run where a layer of the sandbox's baseline is missing."
)
@click.option("--dask", metavar="SCHEDULER", help="Grade on a Dask cluster: its address, or its scheduler file.")
def grade(
    submissions: Path,
    out: Path,
    course_file: Path | None,
    jobs: int | None,
    seed: int | None,
    require_sandbox: bool,
    dask: str | None,
) -> None:
    """Grade a class: every sub-folder or archive of SUBMISSIONS, which is a folder or a zip.

    Each holds exercises/NN_unit/name.py, or files that can be nothing else; what is not clear is named. Every
    submission runs in a sandbox. Started again, the command grades only what has changed since.

    Exits 0 when every submission was graded, whatever the scores; 2 when nothing could be graded; 3 when the grader
    itself failed on an exercise of some submission, which then has no mark.
    """
    from gradcheck.classes.journal import opened
    from gradcheck.classes.policy import load_course
    from gradcheck.submissions.places import find

    course = load_course(course_file)
    places = find(submissions, course, exclude=[out])
    if not places:
        raise GradcheckError(f"there is no submission in {submissions}; each is a sub-folder or an archive of it")
    course = course.among(place.name for place in places)
    with opened(out / STATE) as journal:
        try:
            jobs = jobs or os.cpu_count() or 1
            _grade(submissions, places, out, course, journal, jobs, seed, require_sandbox=require_sandbox, dask=dask)
        except KeyboardInterrupt:
            click.echo(f"\ngradcheck: stopped. {len(journal):,} graded submissions are kept. Go on with:", err=True)
            click.echo(f"  gradcheck {shlex.join(sys.argv[1:])}", err=True)
            sys.exit(130)


def _grade(
    submissions: Path,
    places: Any,
    out: Path,
    course: Course,
    journal: Any,
    jobs: int,
    seed: int | None,
    *,
    require_sandbox: bool,
    dask: str | None,
) -> None:
    from gradcheck import __version__
    from gradcheck.classes.judge import grader_fingerprint
    from gradcheck.classes.report import GraderUsed
    from gradcheck.classes.run import grade_class, must_hold, settings_for
    from gradcheck.isolation.sandbox.layers import warnings_of
    from gradcheck.reports.whole_class.folder import ClassFolder
    from gradcheck.reports.whole_class.progress import shown_progress
    from gradcheck.reports.whole_class.text import summary_lines
    from gradcheck.reports.words import names_of

    settings = settings_for(course, out / STATE / "expected", hidden=(submissions, out))
    grader = GraderUsed(version=__version__, catalog=grader_fingerprint())
    folder = ClassFolder(out, course, grader)
    with _pool(settings, min(jobs, len(places)), dask, require_sandbox=require_sandbox) as pool:
        must_hold(pool.ready(), required=require_sandbox)
        for warning in warnings_of(pool.layers):
            click.echo(f"warning: {warning}", err=True)
        with shown_progress() as progress:
            for graded in grade_class(places, settings, journal, pool, progress, repeat=seed):
                folder.take(graded)
    summary = folder.finish(places.ignored)
    for line in summary_lines(summary, out):
        click.echo(line)
    if found := summary.ungraded:
        raise Ungraded(f"the grader itself failed on {names_of([each.exercise for each in found])}; see above")


def _pool(settings: Settings, jobs: int, dask: str | None, *, require_sandbox: bool) -> Pool | ClusterPool:
    if dask is None:
        from gradcheck.classes.pool import Pool

        return Pool(settings, jobs)
    from gradcheck.classes.cluster import ClusterPool
    from gradcheck.reports.escaping import terminal_text

    def say(text: str) -> None:
        click.echo(f"warning: {terminal_text(text)}", err=True)

    return ClusterPool(settings, dask, jobs, require_sandbox=require_sandbox, say=say)
