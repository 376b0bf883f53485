"""The instructor's exports of a graded class: export, gradebook. Adapters only; heavy imports come late."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from gradcheck.errors import GradcheckError, Ungraded

if TYPE_CHECKING:
    from gradcheck.classes.columns import Host
    from gradcheck.classes.written import FinalReport
    from gradcheck.reports.feedback_zip import ZipHost

MOST_BYTES = 64 * 1024 * 1024
"""Of a gradebook."""


@click.command()
@click.argument("out", metavar="OUT_DIR", type=click.Path(path_type=Path))
@click.option(
    "--format",
    "kind",
    type=click.Choice(["gradescope", "junit", "feedback-md", "feedback-html"]),
    required=True,
    help="gradescope: NAME/results.json; junit: NAME.xml; feedback: NAME.md, NAME.html.",
)
@click.option("--to", type=click.Path(path_type=Path), help="Where the files go; else a folder in OUT_DIR.")
@click.option(
    "--zip",
    "host",
    type=click.Choice(["moodle", "canvas"]),
    help="Feedback as the one zip that this host takes back; --to names it.",
)
@click.option(
    "--submissions",
    type=click.Path(path_type=Path),
    help="With --zip canvas: what Canvas had downloaded, which knows the files' numbers.",
)
def export(out: Path, kind: str, to: Path | None, host: str | None, submissions: Path | None) -> None:
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
        found = _zipped(
            report_files(out), target, "moodle" if host == "moodle" else "canvas", ending, submissions, text_of
        )
    else:
        target = to if to is not None else out / folder
        found = [_exported(path, _into(target / f"{path.stem}{ending}"), text_of) for path in report_files(out)]
    written = sum(each.written for each in found)
    click.echo(f"{written} {plural(written, 'file')} in {terminal_text(str(target))}")
    sys.exit(
        Ungraded.exit_status
        if any(each.ungraded for each in found)
        else 1
        if any(each.damaged for each in found)
        else 0
    )


class _Export(NamedTuple):
    """What became of a report. `damaged`: it has no place among the others, by a fault of its own or of its name."""

    written: bool
    ungraded: bool = False
    damaged: bool = False


def _into(target: Path) -> Callable[[FinalReport, bytes | None], bool]:
    """Puts a text into a file, or removes the file where there is none: an earlier one is of another grading, and would
    pass for this one's.
    """

    def put(_: FinalReport, content: bytes | None) -> bool:
        if content is None:
            _remove(target)
        else:
            _write(target, content)
        return True

    return put


def _zipped(
    reports: list[Path],
    target: Path,
    host: ZipHost,
    ending: str,
    submissions: Path | None,
    text_of: Callable[[FinalReport], str],
) -> list[_Export]:
    """All in one zip; what has no place in it is named."""
    from gradcheck.reports.escaping import terminal_text
    from gradcheck.reports.feedback_zip import files_handed_in, needs_files, path_in_zip, zip_of

    handed_in = files_handed_in(submissions)
    files: dict[str, bytes] = {}

    def put(report: FinalReport, content: bytes | None) -> bool:
        name = report.submission
        place = path_in_zip(host, name, ending, handed_in)
        if place is None or content is None:
            hint = "; --submissions gives the download" if host == "canvas" and needs_files(name) else ""
            told = f"{name} is not in the zip: its name has not the numbers that {host.capitalize()} gave it{hint}"
            click.echo(f"gradcheck: {terminal_text(told)}", err=True)
            return False
        files[place] = content
        return True

    found = [_exported(path, put, text_of) for path in reports]
    if files:
        _write(target, zip_of(sorted(files.items())))
    return found


def _exported(
    path: Path, put: Callable[[FinalReport, bytes | None], bool], text_of: Callable[[FinalReport], str]
) -> _Export:
    """Whatever keeps a report from being written is told, and so is what the grader failed on."""
    from gradcheck.reports.escaping import terminal_text
    from gradcheck.reports.stored import read_report
    from gradcheck.reports.words import names_of

    try:
        report = read_report(path)
    except GradcheckError as error:
        click.echo(f"gradcheck: {terminal_text(str(error))}", err=True)
        return _Export(written=False, damaged=True)
    try:
        text = text_of(report)
    except Ungraded as reason:
        put(report, None)
        click.echo(f"gradcheck: {terminal_text(path.stem)} is not exported: {terminal_text(str(reason))}", err=True)
        return _Export(written=False, ungraded=True)
    if not put(report, text.encode("utf-8")):
        return _Export(written=False, ungraded=bool(report.ungraded), damaged=True)
    if names := report.ungraded:
        told = f"{path.stem} has no mark: the grader itself failed on {names_of(names)}"
        click.echo(f"gradcheck: {terminal_text(told)}", err=True)
    return _Export(written=True, ungraded=bool(names))


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise GradcheckError(f"{path} cannot be removed: {error.strerror}; give --to another place") from None


def _reader(kind: str) -> tuple[str, str, Callable[[FinalReport], str]]:
    """The folder, the files' ending, and what makes their text."""
    from gradcheck.hosts.gradescope.result import gradescope_results
    from gradcheck.reports.feedback import feedback_html, feedback_markdown
    from gradcheck.reports.junit import junit_xml

    def gradescope(report: FinalReport) -> str:
        return json.dumps(gradescope_results(report), indent=1) + "\n"

    return {
        "gradescope": ("gradescope", "/results.json", gradescope),
        "junit": ("junit", ".xml", junit_xml),
        "feedback-md": ("feedback", ".md", feedback_markdown),
        "feedback-html": ("feedback", ".html", feedback_html),
    }[kind]


def _write(path: Path, content: bytes) -> None:
    from gradcheck.grading.small_files import write_whole

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, content)
    except OSError as error:
        raise GradcheckError(f"{path} cannot be written: {error.strerror}; give --to another place") from None


@click.command()
@click.argument("out", metavar="OUT_DIR", type=click.Path(path_type=Path))
@click.argument("exported", metavar="EXPORTED.csv", type=click.Path(path_type=Path))
@click.option("--column", required=True, help="The column to fill, by its name.")
@click.option("--to", required=True, type=click.Path(path_type=Path), help="The new file, to be imported.")
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
    filled = fill(
        content,
        column,
        [grade for row in summary.submissions for grade in FinalScore.of(row)],
        file=str(exported),
        kind=kind,
        overwrite=overwrite,
        max_score=summary.max_score or None,
    )
    try:
        write_whole(to, filled.content)
    except OSError as error:
        raise GradcheckError(f"{to} cannot be written: {error.strerror}; give --to another place") from None
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


COMMANDS = (export, gradebook)
