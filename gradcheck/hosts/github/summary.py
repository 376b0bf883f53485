"""What a CI run says in words, in Markdown for GitHub's page and in plain lines for its log: points, states, mistakes.

Points are the whole ones that the reporter's table shows: a second number beside them would only raise the question
which of the two counts. What was earned exactly is in the report.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from textwrap import wrap

from gradcheck.classes.written import FinalReport, WrittenExercise
from gradcheck.grading.report import state_of
from gradcheck.hosts.github.findings import TOLD, Finding, exercise_path
from gradcheck.hosts.github.result import ReporterResult, Told
from gradcheck.reports.escaping import markdown_text, terminal_text
from gradcheck.reports.message import WIDTH
from gradcheck.reports.stored import clipped, penalties, problems
from gradcheck.reports.words import names_of, not_your_fault
from gradcheck.showing.text import plural, points

MOST_BYTES = 400_000
"""GitHub shows 1 MiB of one step, in which other commands may have written too."""
_LONGEST = 300
_STATES = {
    "passed": "complete",
    "failed": "something to mend",
    "unfinished": "right so far, not finished",
    "not_started": "not started",
    "ungraded": "not graded: the grader itself failed",
}
"""By state of an exercise (`grading.report`)."""
_ROOM = "More was found than a summary can hold; the steps' logs have the rest."
_ROUNDED = "Points are counted in whole ones here, rounded down."


def summary_markdown(told: Told, unannotated: int = 0) -> str:
    """Of what a step tells; an exercise that the grader itself failed on has no result. So many as `unannotated` of its
    mistakes no step shows beside the learner's lines. Ends in a newline.
    """
    report = told.report
    whole, most = _sums(told)
    blocks = [f"## {whole} of {most} points"]
    if names := report.ungraded:
        blocks = ["## Not graded: the grader itself failed", markdown_text(not_your_fault(names))]
    blocks += [markdown_text(each) for each in _policy(report, whole)]
    if _is_rounded(told):
        blocks.append(_ROUNDED)
    if said := problems(report):
        blocks.append("\n".join(["About the files:", "", *(f"- {markdown_text(each)}" for each in said)]))
    blocks.append(_table(("exercise", "points", "of", "state"), _exercises(told)))
    if found := [one for each in report.exercises for one in told.found[each.name] if one.state in TOLD]:
        blocks.append("### What to mend")
        if unannotated:
            blocks.append(
                f"{unannotated} more of these {'is' if unannotated == 1 else 'are'} not shown beside the lines of your "
                "files, since GitHub shows no more than 50 of a run. They are all in this table."
            )
        blocks.append(_table(("function", "mistake", "what", "line"), map(_row, found)))
    return _within(blocks)


def _sums(told: Told) -> tuple[int, int]:
    results = told.results.values()
    return sum(each.score for each in results), sum(each.max_score for each in results)


def _is_rounded(told: Told) -> bool:
    """Whether the whole points of an exercise are fewer than it earned."""
    scores = {each.name: each.score for each in told.report.exercises}
    return any(points(scores[name]) != str(result.score) for name, result in told.results.items())


def _policy(report: FinalReport, whole: int) -> Iterator[str]:
    counted, mark = penalties(report), report.final_score
    if mark is not None and points(mark) != points(report.score):
        # Of points that were rounded nothing can be taken off that would come to the sum.
        would = f"{points(mark)} points" if points(report.score) == str(whole) else "fewer points"
        yield f"Were this commit handed in, {would} would count. {' '.join(counted)}"
    elif counted:
        yield " ".join(counted)
    policy = report.policy
    if policy.due and report.submitted:
        dates = f"by the date of its commit, {report.submitted}; it was due {policy.due}"
        late = f"Late {dates}. Your instructor decides what counts as late."
        yield late if policy.late_days else f"In time {dates}."


def _exercises(told: Told) -> Iterator[Sequence[str]]:
    for each in told.report.exercises:
        result = told.results.get(each.name)
        whole, most = (str(result.score), str(result.max_score)) if result else ("–", points(each.max_score))
        yield f"{clipped(each.unit, 60)}/{clipped(each.name, 60)}", whole, most, _STATES[_state(each)]


def _state(exercise: WrittenExercise) -> str:
    return state_of(check.status for check in exercise.checks) if exercise.checks else exercise.status


def _row(found: Finding) -> Sequence[str]:
    mistake = "not graded" if found.state == "ungraded" else found.code
    line = f"{found.path}, line {found.line}" if found.line else found.path
    return f"{found.exercise}.{found.function}", mistake, clipped(found.what, _LONGEST), line


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    lines += [f"| {' | '.join(map(markdown_text, row))} |" for row in rows]
    return "\n".join(lines)


def _within(blocks: Sequence[str]) -> str:
    """All blocks, or so many whole lines of them as there is room for."""
    text = "\n\n".join(blocks) + "\n"
    content = text.encode("utf-8")
    if len(content) <= MOST_BYTES:
        return text
    kept = content[:MOST_BYTES].decode("utf-8", errors="ignore").rpartition("\n")[0]
    return f"{kept}\n\n{_ROOM}\n"


def summary_lines(told: Told) -> list[str]:
    """The same in sentences for the job's log, in 80 columns: no line of it is a command to the runner."""
    said: list[tuple[str, str]] = []
    """Each with how its lines after the first are indented."""
    report = told.report
    alone = len(report.exercises) == 1
    for exercise in report.exercises:
        result, found = told.results.get(exercise.name), told.found[exercise.name]
        said += [(line, "    ") for line in _told(exercise, result, found, alone=alone)]
    whole, most = _sums(told)
    if not report.ungraded:
        said += [] if alone else [(f"All together: {whole} of {most} points.", "")]
    elif not alone:
        said.append(("There are no points in all yet, since not all was graded.", ""))
    said += [(_ROUNDED, "")] if _is_rounded(told) else []
    said += [(line, "") for line in (*_policy(report, whole), *problems(report))]
    # Escaped first, which makes texts longer, and again: a line that was broken may begin as a command does.
    lines = [
        line
        for text, further in said
        for line in wrap(_one_line(text), WIDTH, subsequent_indent=further, break_on_hyphens=False) or [""]
    ]
    return [terminal_text(line) for line in lines]


def _one_line(text: str) -> str:
    return terminal_text(text.replace("\n", " ")).replace("\n", " ")


def _told(
    exercise: WrittenExercise, result: ReporterResult | None, found: Sequence[Finding], *, alone: bool
) -> Iterator[str]:
    """The sentences on an exercise; where a step tells of nothing else, with the commands to go on with."""
    name, path = clipped(exercise.name, 60), exercise_path(exercise.unit, exercise.name)
    if result is None:
        yield not_your_fault([name])
    else:
        yield f"{name} has {result.score} of {result.max_score} points. {_OPENINGS[_state(exercise)]}"
    for each in found:
        if each.state in TOLD:
            code = f" [{each.code}]" if each.code else ""
            line = f", line {each.line}" if each.line else ""
            yield f"  {each.function}{line}: {clipped(' '.join(each.what.split()), _LONGEST)}{code}"
    if unwritten := [each.function for each in found if each.state == "not_started"]:
        if len(unwritten) < len({each.function for each in found}) or _state(exercise) == "unfinished":
            yield f"  {names_of(unwritten)} {plural(len(unwritten), 'is', 'are')} not written yet."
        elif alone:
            yield f"  Write it in {path}."
    if alone and _state(exercise) == "failed":
        yield f"  See a case of it: pytest {path}"
        yield f"  A hint: gradcheck hint {name}"


_OPENINGS = {
    "passed": "It is complete.",
    "failed": "This is to be mended:",
    "unfinished": "What is written is right.",
    "not_started": "It is not started.",
}
