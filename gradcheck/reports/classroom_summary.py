"""The summary of a CI run, in Markdown for GitHub's page and in plain lines for its log: points, states, diagnoses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from gradcheck.grading.report import mark_of, ungraded_in
from gradcheck.reports.classroom_findings import TOLD, Finding, Sources, findings
from gradcheck.reports.escaping import markdown_text, terminal_text
from gradcheck.reports.stored import clipped, penalties, problems
from gradcheck.reports.terminal import points
from gradcheck.reports.ungraded import not_your_fault

MOST_BYTES = 400_000
"""GitHub shows 1 MiB of one step, in which other commands may have written too."""
_LONGEST = 300
_STATES = {
    "passed": "complete",
    "failed": "something to mend",
    "errored": "stopped by an error",
    "not_started": "not started",
    "skipped": "waits",
    "ungraded": "not graded: the grader itself failed",
}
_ROOM = "More was found than a summary can hold; the steps' logs have the rest."


def summary_markdown(report: Mapping[str, Any], results: Mapping[str, Mapping[str, Any]], sources: Sources) -> str:
    """Of a report (`stored.read_report`) and the results that its exercises' steps give; an exercise that the grader
    itself failed on has none. Ends in a newline.
    """
    blocks = [f"## {points(report['score'])} of {points(report['max_score'])} points"]
    whole, most = _sums(results.values())
    if names := ungraded_in(report):
        blocks = ["## Not graded: the grader itself failed", markdown_text(not_your_fault(names))]
    elif (whole, most) != (report["score"], report["max_score"]):
        blocks.append(f"The table of the autograding step counts whole points, rounded down: {whole} of {most}.")
    blocks += [markdown_text(each) for each in _policy(report)]
    if told := problems(report):
        blocks.append("\n".join(["About the files:", "", *(f"- {markdown_text(each)}" for each in told)]))
    blocks.append(_table(("exercise", "points", "of", "whole points", "state"), _exercises(report, results)))
    if found := [each for each in _found(report, sources) if each.state in TOLD]:
        blocks += ["### What to mend", _table(("function", "mistake", "what", "line"), map(_row, found))]
    return _within(blocks)


def _sums(results: Any) -> tuple[int, int]:
    kept = list(results)
    return sum(test["score"] for each in kept for test in each["tests"]), sum(each["max_score"] for each in kept)


def _policy(report: Mapping[str, Any]) -> Iterator[str]:
    counted, mark = penalties(report), mark_of(report)
    if mark is not None and points(mark) != points(report["score"]):
        yield f"Were this commit handed in, {points(mark)} points would count. {' '.join(counted)}"
    elif counted:
        yield " ".join(counted)
    policy = report.get("policy") or {}
    if policy.get("due") and report.get("submitted"):
        dates = f"by the date of its commit, {report['submitted']}; it was due {policy['due']}"
        late = f"Late {dates}. Your instructor decides what counts as late."
        yield late if policy.get("late_days") else f"In time {dates}."


def _exercises(report: Mapping[str, Any], results: Mapping[str, Mapping[str, Any]]) -> Iterator[Sequence[str]]:
    for each in report["exercises"]:
        graded = each["name"] in results
        whole, most = _sums([results[each["name"]]] if graded else [])
        yield (
            f"{clipped(each['unit'], 60)}/{clipped(each['name'], 60)}",
            points(each["score"]) if graded else "–",
            points(each["max_score"]),
            f"{whole} / {most}" if graded else "–",
            _STATES[each["status"]],
        )


def _found(report: Mapping[str, Any], sources: Sources) -> list[Finding]:
    return [each for exercise in report["exercises"] for each in findings(exercise, sources)]


def _row(found: Finding) -> Sequence[str]:
    mistake = "not graded" if found.state == "ungraded" else found.code
    line = f"{found.path}, line {found.line}" if found.line else found.path
    return f"{found.exercise}.{found.function}", mistake, clipped(found.what, _LONGEST), line


def _table(head: Sequence[str], rows: Any) -> str:
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


def summary_lines(report: Mapping[str, Any], results: Mapping[str, Mapping[str, Any]], sources: Sources) -> list[str]:
    """The same in short, for the job's log: no line of it is a command to the runner."""
    lines = []
    for exercise in report["exercises"]:
        told = _STATES[exercise["status"]]
        if exercise["name"] in results:
            whole, most = _sums([results[exercise["name"]]])
            exact = points(exercise["score"])
            more = "" if exact == str(whole) else f" ({exact} exactly)"
            told = f"{whole} of {most} points{more}, {told}"
        lines.append(f"{clipped(exercise['name'], 60)}: {told}")
        for each in findings(exercise, sources):
            if each.state in TOLD:
                code = f" [{each.code}]" if each.code else ""
                line = f", line {each.line}" if each.line else ""
                lines.append(f"  {each.function}{line}: {clipped(' '.join(each.what.split()), _LONGEST)}{code}")
    whole, most = _sums(results.values())
    exact = f"{points(report['score'])} of {points(report['max_score'])}"
    if ungraded_in(report):
        lines.append("no points in all, since not all was graded")
    else:
        lines.append(
            f"{whole} of {most} points in all" + (f" ({exact} exactly)" if exact != f"{whole} of {most}" else "")
        )
    lines += [*_policy(report), *problems(report)]
    return [terminal_text(line.replace("\n", " ")) for line in lines]
