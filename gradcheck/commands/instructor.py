"""The instructor's commands: a course begun, graded, exported, collected. Adapters only; heavy imports come late."""

from __future__ import annotations

import json
import os
import shlex
import sys
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from gradcheck.errors import GradcheckError, Ungraded, explained
from gradcheck.showing.options import PATH, jobs, place, units

if TYPE_CHECKING:
    from gradcheck.classes.cluster import ClusterPool
    from gradcheck.classes.columns import Host
    from gradcheck.classes.judge import Settings
    from gradcheck.classes.pool import Pool
    from gradcheck.classes.written import FinalReport
    from gradcheck.gradebooks.collect.sources import Gathered
    from gradcheck.reports.feedback import ZipHost
    from gradcheck.submissions.roster import Roster

STATE = ".gradcheck"
"""In the folder of the reports: the journal with its seeds, and the expected values of the one in use."""
GRADED = "graded"
"""Below --out, where `collect --grade` puts its reports."""
MOST_BYTES = 64 * 1024 * 1024
"""Of a gradebook."""


@click.command()
@click.argument("dest", type=PATH)
@click.option("--title", required=True, help="Stands above every report.")
@click.option("--deadline", required=True, metavar="TIME", help="When it is due: 2026-10-01T23:59.")
@click.option("--timezone", default="", metavar="ZONE", help="By whose clocks: Europe/Berlin. Else by this machine's.")
@units
@place("--roster", help="Who is in it: name, email, id; or an export. It is copied.")
def course(dest: Path, **wishes: Any) -> None:
    """Begin a course's folder DEST: course.toml, the roster, and a .gitignore, since names and marks come to lie there.

    Nothing that is there already is touched.
    """
    from gradcheck.authoring.course import begin
    from gradcheck.reports.escaping import terminal_text

    for path in begin(dest, **wishes):
        click.echo(f"wrote {terminal_text(str(path))}")
    click.echo(f"next: edit {terminal_text(str(dest / 'course.toml'))}, then make what learners get: gradcheck release")


@click.command()
@click.argument("dest", type=PATH)
@units
@place("--course", "course_file", help="Exercises, points, deadline, what hints cost.")
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
    told = {"written": outcome.added, "renewed": outcome.renewed, "removed": outcome.removed}
    told |= {"unchanged": outcome.unchanged, "kept": outcome.kept}
    counts = ", ".join(f"{len(paths)} {what}" for what, paths in told.items() if paths)
    click.echo(f"{terminal_text(str(dest))}: {counts}")
    for path in outcome.removed:
        click.echo(f"  removed {terminal_text(path)}")
    for path in outcome.kept:
        click.echo(f"  kept    {terminal_text(path)}, which was changed since or is no file of the release's")


@click.command()
@click.argument("submissions", type=PATH)
@place("--out", required=True, help="The folder that reports are written to.")
@place("--course", "course_file", help="Exercises, points, deadline, roster, limits.")
@jobs("Submissions")
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
    from gradcheck import __version__
    from gradcheck.classes.journal import opened
    from gradcheck.classes.judge import grader_fingerprint
    from gradcheck.classes.policy import load_course
    from gradcheck.classes.report import GraderUsed
    from gradcheck.classes.run import grade_class, must_hold, settings_for
    from gradcheck.isolation.sandbox.layers import warnings_of
    from gradcheck.reports.terminal import shown_progress
    from gradcheck.reports.whole_class.folder import ClassFolder
    from gradcheck.reports.whole_class.text import summary_lines
    from gradcheck.reports.words import names_of
    from gradcheck.submissions.places import find

    course = load_course(course_file)
    places = find(submissions, course, exclude=[out])
    if not places:
        raise GradcheckError(f"there is no submission in {submissions}; each is a sub-folder or an archive of it")
    course = course.among(place.name for place in places)
    with opened(out / STATE) as journal:
        try:
            settings = settings_for(course, out / STATE / "expected", hidden=(submissions, out))
            folder = ClassFolder(out, course, GraderUsed(version=__version__, catalog=grader_fingerprint()))
            workers = min(jobs or os.cpu_count() or 1, len(places))
            with _pool(settings, workers, dask, require_sandbox=require_sandbox) as pool:
                must_hold(pool.ready(), required=require_sandbox)
                for warning in warnings_of(pool.layers):
                    click.echo(f"warning: {warning}", err=True)
                with shown_progress() as progress:
                    for graded in grade_class(places, settings, journal, pool, progress, repeat=seed):
                        folder.take(graded)
            summary = folder.finish(places.ignored)
        except KeyboardInterrupt:
            click.echo(f"\ngradcheck: stopped. {len(journal):,} graded submissions are kept. Go on with:", err=True)
            click.echo(f"  gradcheck {shlex.join(sys.argv[1:])}", err=True)
            sys.exit(130)
    for line in summary_lines(summary, out):
        click.echo(line)
    if found := summary.ungraded:
        raise Ungraded(f"the grader itself failed on {names_of([each.exercise for each in found])}; see above")


def _pool(settings: Settings, workers: int, dask: str | None, *, require_sandbox: bool) -> Pool | ClusterPool:
    if dask is None:
        from gradcheck.classes.pool import Pool

        return Pool(settings, workers)
    from gradcheck.classes.cluster import ClusterPool
    from gradcheck.reports.escaping import terminal_text

    def say(text: str) -> None:
        click.echo(f"warning: {terminal_text(text)}", err=True)

    return ClusterPool(settings, dask, workers, require_sandbox=require_sandbox, say=say)


@click.command()
@click.argument("out", metavar="OUT_DIR", type=PATH)
@click.option(
    "--format",
    "kind",
    type=click.Choice(["gradescope", "junit", "feedback-md", "feedback-html"]),
    required=True,
    help="gradescope: NAME/results.json; junit: NAME.xml; feedback: NAME.md, NAME.html.",
)
@place("--to", help="Where the files go; else a folder in OUT_DIR.")
@click.option(
    "--zip",
    "host",
    type=click.Choice(["moodle", "canvas"]),
    help="Feedback as the one zip that this host takes back; --to names it.",
)
@place("--submissions", help="With --zip canvas: what Canvas had downloaded, which knows the files' numbers.")
def export(out: Path, kind: str, to: Path | None, host: ZipHost | None, submissions: Path | None) -> None:
    """Write every report of OUT_DIR, which `gradcheck grade` made, for another reader.

    Where the grader itself failed on an exercise there are no points, and so no results.json for Gradescope.

    Exits 0; 3 when the grader failed on an exercise of some submission; 1 when some report is damaged. It is named, and
    all others are exported.
    """
    from gradcheck.reports.escaping import terminal_text
    from gradcheck.reports.stored import report_files
    from gradcheck.showing.text import plural

    folder, ending, text_of = _reader(kind)
    if host is not None:
        if folder != "feedback":
            raise GradcheckError(f"--zip is for feedback; give --format feedback-html or feedback-md instead of {kind}")
        target = to if to is not None else out / f"feedback-{host}.zip"
        found = _zipped(report_files(out), target, host, ending, submissions, text_of)
    else:
        target = to if to is not None else out / folder
        found = [_exported(path, _into(target / f"{path.stem}{ending}"), text_of) for path in report_files(out)]
    written = sum(each.written for each in found)
    click.echo(f"{written} {plural(written, 'file')} in {terminal_text(str(target))}")
    if any(each.ungraded for each in found):
        sys.exit(Ungraded.exit_status)
    sys.exit(1 if any(each.damaged for each in found) else 0)


class _Export(NamedTuple):
    """What became of a report. `damaged`: it has no place among the others, by a fault of its own or of its name."""

    written: bool
    ungraded: bool = False
    damaged: bool = False


_Put = Callable[["FinalReport", bytes | None], bool]
_TextOf = Callable[["FinalReport"], str]


def _reader(kind: str) -> tuple[str, str, _TextOf]:
    """The folder, the files' ending, and what makes their text."""
    from gradcheck.hosts.gradescope.result import gradescope_results
    from gradcheck.reports.feedback import feedback_html, feedback_markdown
    from gradcheck.reports.junit import junit_xml

    return {
        "gradescope": (
            "gradescope", "/results.json", lambda report: json.dumps(gradescope_results(report), indent=1) + "\n"
        ),
        "junit": ("junit", ".xml", junit_xml),
        "feedback-md": ("feedback", ".md", feedback_markdown),
        "feedback-html": ("feedback", ".html", feedback_html),
    }[kind]  # fmt: skip


def _into(target: Path) -> _Put:
    """Puts a text into a file, or removes the file where there is none: an earlier one is of another grading, and would
    pass for this one's.
    """

    def put(_: FinalReport, content: bytes | None) -> bool:
        if content is not None:
            _write(target, content)
            return True
        try:
            target.unlink(missing_ok=True)
        except OSError as error:
            raise GradcheckError(f"{target} cannot be removed: {error.strerror}; give --to another place") from None
        return True

    return put


def _write(path: Path, content: bytes) -> None:
    from gradcheck.grading.small_files import write_whole

    with explained(f"{path} cannot be written", "give --to another place"):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, content)


def _zipped(
    reports: list[Path], target: Path, host: ZipHost, ending: str, submissions: Path | None, text_of: _TextOf
) -> list[_Export]:
    """All in one zip; what has no place in it is named."""
    from gradcheck.reports.feedback import files_handed_in, needs_files, path_in_zip, zip_of

    handed_in = files_handed_in(submissions)
    files: dict[str, bytes] = {}

    def put(report: FinalReport, content: bytes | None) -> bool:
        name = report.submission
        place = path_in_zip(host, name, ending, handed_in)
        if place is None or content is None:
            hint = "; --submissions gives the download" if host == "canvas" and needs_files(name) else ""
            _say(f"{name} is not in the zip: its name has not the numbers that {host.capitalize()} gave it{hint}")
            return False
        files[place] = content
        return True

    found = [_exported(path, put, text_of) for path in reports]
    if files:
        _write(target, zip_of(sorted(files.items())))
    return found


def _exported(path: Path, put: _Put, text_of: _TextOf) -> _Export:
    """Whatever keeps a report from being written is told, and so is what the grader failed on."""
    from gradcheck.reports.stored import read_report
    from gradcheck.reports.words import names_of

    try:
        report = read_report(path)
    except GradcheckError as error:
        _say(str(error))
        return _Export(written=False, damaged=True)
    try:
        text = text_of(report)
    except Ungraded as reason:
        put(report, None)
        _say(f"{path.stem} is not exported: {reason}")
        return _Export(written=False, ungraded=True)
    if not put(report, text.encode("utf-8")):
        return _Export(written=False, ungraded=bool(report.ungraded), damaged=True)
    if names := report.ungraded:
        _say(f"{path.stem} has no mark: the grader itself failed on {names_of(names)}")
    return _Export(written=True, ungraded=bool(names))


def _say(text: str) -> None:
    from gradcheck.reports.escaping import terminal_text

    click.echo(f"gradcheck: {terminal_text(text)}", err=True)


@click.command()
@click.argument("out", metavar="OUT_DIR", type=PATH)
@click.argument("exported", metavar="EXPORTED.csv", type=PATH)
@click.option("--column", required=True, help="The column to fill, by its name.")
@place("--to", required=True, help="The new file, to be imported.")
@click.option("--canvas", "kind", flag_value="canvas", help="It is Canvas's; else this is guessed.")
@click.option("--moodle", "kind", flag_value="moodle", help="It is Moodle's.")
@click.option("--brightspace", "kind", flag_value="brightspace", help="It is Brightspace's.")
@click.option("--blackboard", "kind", flag_value="blackboard", help="It is Blackboard's.")
@click.option("--overwrite", is_flag=True, help="Replace grades that are there already; else they are kept and listed.")
def gradebook(out: Path, exported: Path, column: str, to: Path, kind: Host | None, overwrite: bool) -> None:
    """Fill the final scores of OUT_DIR into a copy of EXPORTED.csv, as Canvas, Moodle, Brightspace or Blackboard
    exported it.

    Nothing but the one column changes. A submission that the grader itself failed on has no score: its cell stays as
    it is, and it is listed.

    Exits 0; 3 when such a submission is among them; 1 when some submission's line was not found or not certain.
    """
    from gradcheck.gradebooks.fill import FinalScore, fill
    from gradcheck.grading.small_files import write_whole
    from gradcheck.reports.stored import read_class

    summary = read_class(out)
    content = _gradebook(exported)
    if os.path.lexists(to):
        raise GradcheckError(f"{to} exists already; a new file is written, so give --to another name or delete it")
    grades = [grade for row in summary.submissions for grade in FinalScore.of(row)]
    filled = fill(
        content,
        column,
        grades,
        file=str(exported),
        kind=kind,
        overwrite=overwrite,
        max_score=summary.max_score or None,
    )
    with explained(f"{to} cannot be written", "give --to another place"):
        write_whole(to, filled.content)
    for line in filled.lines():
        click.echo(line)
    click.echo(f"wrote {to}, for {filled.kind.capitalize()}; {exported} is as it was")
    sys.exit(Ungraded.exit_status if filled.ungraded else 0 if filled.complete else 1)


def _gradebook(path: Path) -> bytes:
    from gradcheck.grading.small_files import read_small

    try:
        content = read_small(path, MOST_BYTES)
    except OSError as error:
        raise GradcheckError(f"{path} cannot be read: {error.strerror}") from None
    if content is None:
        what = f"is not a plain file of at most {MOST_BYTES // 2**20} MiB" if path.exists() else "does not exist"
        raise GradcheckError(f"{path} {what}; give the CSV file that you exported")
    return content


@click.command()
@click.argument("sources", metavar="SOURCE...", nargs=-1, required=True, type=PATH)
@place("--out", required=True, help="Where gradebook.csv, collected.md and their like go.")
@place("--course", "course_file", help="The course; its [roster] says who is in it.")
@place("--roster", "roster_file", help="Who is in it, where the course does not say.")
@place("--regrade", help="What `gradcheck grade` wrote: it decides.")
@click.option("--grade", "grading", is_flag=True, help="Grade the clones of SOURCE first, then compare.")
@click.option("--require-sandbox", is_flag=True, help="With --grade: as `gradcheck grade` has it.")
@place("--release", help="The release as you made it, to tell what a learner has changed.")
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


@click.command()
@place("--json", "out", help="Write what was found (gradcheck/doctor/v1) here; - is standard output.")
def doctor(out: Path | None) -> None:
    """Say which layers of the sandbox hold on this machine, and why others do not.

    Each is tried in a process of its own that attacks it, harmlessly. Exits 0 when the baseline holds, which needs no
    rights, and 1 otherwise.
    """
    from gradcheck.isolation.sandbox.health import examine, lines
    from gradcheck.reports.terminal import screen_width

    health = examine()
    text = json.dumps(health.as_json(), indent=1) + "\n"
    if out is not None and str(out) == "-":
        click.echo(text, nl=False)
    else:
        colours = {"held": click.style("held", fg="green"), "missing": click.style("missing", fg="yellow")}
        for line in lines(health, screen_width(), colours):
            click.echo(line)
    if out is not None and str(out) != "-":
        with explained(f"{out} cannot be written", "give --json another place"):
            out.parent.mkdir(parents=True, exist_ok=True)
            out.write_text(text, encoding="utf-8")
        click.echo(f"written: {out}")
    sys.exit(1 if health.baseline_missing else 0)


COMMANDS = (course, release, grade, export, gradebook, collect, doctor)
