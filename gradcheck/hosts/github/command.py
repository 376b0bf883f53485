"""One step of a GitHub Classroom workflow: classroom. Adapters only; heavy imports come late."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gradcheck.errors import GradcheckError, Ungraded, explained

if TYPE_CHECKING:
    from gradcheck.classes.written import FinalReport
    from gradcheck.hosts.github.result import Told
_PATH = click.Path(path_type=Path)


@click.command()
@click.argument("names", metavar="[NAME]…", nargs=-1)
@click.option(
    "--folder", type=_PATH, default=Path(), show_default="the current folder",
    help="The checkout, which holds exercises/.",
)  # fmt: skip
@click.option(
    "--course", "course_file", type=_PATH,
    help="Exercises, points, deadline. Else FOLDER/course.toml, where there is one.",
)  # fmt: skip
@click.option("--save", type=_PATH, help="Write the report here, for the steps after this one.")
@click.option("--from", "stored", type=_PATH, help="Take the report of an earlier step instead of grading.")
@click.option("--output", type=_PATH, help="Append the result here, not to GITHUB_OUTPUT.")
@click.option("--require-sandbox", is_flag=True, help="Refuse to grade where the sandbox is incomplete.")
def classroom(
    names: tuple[str, ...],
    folder: Path,
    course_file: Path | None,
    save: Path | None,
    stored: Path | None,
    output: Path | None,
    require_sandbox: bool,
) -> None:
    """Grade a checkout as one step of a GitHub Classroom workflow.

    All exercises of the course, or those named. Appends result=… for the autograding reporter to the step's outputs.
    The step that grades writes the summary. Failures are shown beside the learner's lines, by the steps that take
    their report --from it, or by a step that does not --save one.

    Exits 0 when the checkout was graded, whatever the score; 3 when the grader itself failed on an exercise, which then
    has no result; else 2.
    """
    from gradcheck.catalog import find_exercise
    from gradcheck.hosts.github import workflow
    from gradcheck.reports.escaping import terminal_text
    from gradcheck.reports.stored import no_mark

    if save is not None and stored is not None:
        raise GradcheckError("--save and --from exclude each other: a report is made, or taken from an earlier step")
    try:
        chosen = list(dict.fromkeys(find_exercise(name).name for name in names))
        _must_be_there(folder)
        target = workflow.output_file(os.environ, output)
        with workflow.commands_stopped(os.environ, click.echo):
            if stored is None:
                report, job = _graded(folder, course_file, chosen, require_sandbox=require_sandbox)
            else:
                report, job = _taken(stored, chosen), []
            if save is not None:
                _saved(save, report)
            # Of all steps of a job GitHub shows twenty summaries: those that take a part of a report write none.
            summary = stored is None or not chosen
            told, shown = _delivered(report, job, chosen, folder, target, summary=summary, apart=save is not None)
    except GradcheckError as error:
        raise GradcheckError(terminal_text(str(error))) from None  # it may quote a course.toml that a learner wrote
    # After a step that fails no other step follows that would show them.
    for command in shown if save is None or told.result is None else ():
        click.echo(command)
    if told.result is None:
        raise Ungraded(terminal_text(no_mark(told.report)))


def _delivered(
    report: FinalReport,
    job: list[float],
    chosen: list[str],
    folder: Path,
    target: Path,
    *,
    summary: bool,
    apart: bool,
) -> tuple[Told, list[str]]:
    """What was told. Everything is written but the annotations, which come back. `apart`: the exercises have steps of
    their own, which show them.
    """
    from gradcheck.grading.sources import Sources
    from gradcheck.hosts.github import workflow
    from gradcheck.hosts.github.findings import MOST_OF_JOB, annotated, left_out, of_step
    from gradcheck.hosts.github.result import encoded, told_of
    from gradcheck.hosts.github.summary import summary_lines, summary_markdown
    from gradcheck.reports.escaping import terminal_text

    told = told_of(report, chosen, Sources(folder, workflow.path_from_root(os.environ, folder)), job)
    if told.result is not None:
        workflow.append_output(target, "result", encoded(told.result))
    for line in summary_lines(told):
        click.echo(line)
    found = annotated(told.found)
    unannotated = left_out(found, apart=apart and told.result is not None)
    if problem := workflow.append_summary(os.environ, summary_markdown(told, unannotated) if summary else ""):
        click.echo(f"gradcheck: {terminal_text(problem)}", err=True)
    # A report of some exercises of the course leaves the others their share.
    most = MOST_OF_JOB * len(report.exercises) // len(job) if job else MOST_OF_JOB
    return told, of_step(found, chosen, most)


def _must_be_there(folder: Path) -> None:
    if not folder.is_dir():
        raise GradcheckError(f"there is no folder {folder}; give --folder the checkout, which holds exercises/")


def _graded(
    folder: Path, course_file: Path | None, chosen: list[str], *, require_sandbox: bool
) -> tuple[FinalReport, list[float]]:
    """The report, and the points of all exercises of the course."""
    from gradcheck.classes.policy import load_course
    from gradcheck.classes.run import grade_checkout
    from gradcheck.submissions.git import checked_out

    beside = folder / "course.toml"
    course = load_course(course_file or (beside if beside.is_file() else None))
    _must_hold(chosen, course.exercises, "is not among the exercises of the course")
    job = [course.points_of(name) for name in course.exercises]
    wanted = replace(course, exercises=tuple(name for name in course.exercises if name in chosen or not chosen))
    name = os.environ.get("GITHUB_REPOSITORY", "").rpartition("/")[2] or folder.resolve().name or "submission"
    submitted = checked_out(folder) if course.deadline else None
    return grade_checkout(folder, wanted, name=name, submitted=submitted, require_sandbox=require_sandbox), job


def _taken(path: Path, chosen: list[str]) -> FinalReport:
    """The report of an earlier step."""
    from gradcheck.reports.stored import read_report

    if not path.exists():
        raise GradcheckError(f"there is no {path}; an earlier step makes it: gradcheck classroom --save {path}")
    report = read_report(path)
    _must_hold(chosen, [each.name for each in report.exercises], f"is not in {path}")
    return report


def _saved(path: Path, report: FinalReport) -> None:
    from gradcheck.grading.small_files import write_whole
    from gradcheck.reports.json_report import text_of

    with explained(f"{path} cannot be written", "give --save another place"):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, text_of(report).encode("utf-8"))


def _must_hold(chosen: list[str], there: Any, what: str) -> None:
    for name in chosen:
        if name not in there:
            raise GradcheckError(f"{name} {what}; there are: {', '.join(there) or 'none'}")


COMMANDS = (classroom,)
