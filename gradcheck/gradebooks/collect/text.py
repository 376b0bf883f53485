"""Collected scores in a few lines for the terminal, and as a Markdown file to read from top to bottom."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from textwrap import wrap

from gradcheck.gradebooks.collect.compare import ScoreComparison, StudentScore
from gradcheck.reports.escaping import markdown_text, terminal_text, visible
from gradcheck.showing.text import points

_WIDTH = 80
_TOP = 10


def summary_lines(comparison: ScoreComparison, problems: Sequence[str], out: Path) -> Iterator[str]:
    """Counts, then who has to be looked at and why, then where everything is."""
    rows = comparison.rows
    yield f"{len(rows):,} {'student' if len(rows) == 1 else 'students'}: {', '.join(_counts(comparison))}"
    yield from _listed("to look at", [f"{row.student}: {'; '.join(row.matters)}" for row in rows if row.matters])
    yield from _listed("different from the regrade", [_difference(row) for row in rows if row.differs])
    yield from _listed("nobody's", [f"{what}: {why}" for what, why in comparison.nobodys])
    yield from _listed("no score from", list(problems))
    if any(row.source == "advisory" for row in rows):
        told = (
            "Scores of CI are advisory: whoever may push may have changed its grader. Grade the commits yourself, and "
            "give what `gradcheck grade` wrote as --regrade."
        )
        yield from wrap(told, _WIDTH)
    yield f"gradebook: {out / 'gradebook.csv'}"
    yield f"all of it: {out / 'collected.md'}"


def _counts(comparison: ScoreComparison) -> Iterator[str]:
    words = (
        ("regrade", "regraded"), ("ungraded", "not graded, since the grader itself failed"),
        ("advisory", "with a score of CI alone"), ("ambiguous", "ambiguous"),
        ("missing", "without a score"),
    )  # fmt: skip
    for source, told in words:
        count = sum(row.source == source for row in comparison.rows)
        if count:
            yield f"{count:,} {told}"


def _listed(heading: str, lines: Sequence[str]) -> Iterator[str]:
    if not lines:
        return
    yield f"{heading}:"
    for line in lines[:_TOP]:
        shown = " ".join(visible(line).split())
        parts = wrap(shown, _WIDTH, initial_indent="  ", subsequent_indent="    ", break_on_hyphens=False)
        yield from map(terminal_text, parts)  # line by line: where one is broken, a job's runner could see a command
    if len(lines) > _TOP:
        yield f"  and {len(lines) - _TOP:,} more"


def _difference(row: StudentScore) -> str:
    return f"{row.student}: CI {_ci(row)}, regrade {_regrade(row)} ({'; '.join(row.why)})"


def _ci(row: StudentScore) -> str:
    if row.ci is None:
        return "none"
    return f"{points(row.ci.score)}/{points(row.ci.max_score)}"


def _regrade(row: StudentScore) -> str:
    if row.regrade is None or row.regrade.final is None:
        return "none"
    return f"{points(row.regrade.final)}/{points(row.regrade.max_score)}"


def collected_markdown(comparison: ScoreComparison, ignored: Sequence[tuple[str, str]], problems: Sequence[str]) -> str:
    """The whole result for people: what to look at, the differences with their reasons, what was left aside."""
    return "\n".join(_markdown(comparison, ignored, problems)) + "\n"


def _markdown(
    comparison: ScoreComparison, ignored: Sequence[tuple[str, str]], problems: Sequence[str]
) -> Iterator[str]:
    yield "# Collected scores"
    yield ""
    yield (
        "The final score is the regrade's. A score of CI is advisory: whoever may push may have changed its grader."
        if comparison.regraded
        else "Nothing was regraded. Every score here is CI's, and advisory."
    )
    yield ""
    yield f"{len(comparison.rows):,} in the roster: {', '.join(_counts(comparison))}."
    looked = [row for row in comparison.rows if row.matters]
    yield from _section("To look at", [f"{row.student}: {'; '.join(row.matters)}" for row in looked])
    yield from _differences([row for row in comparison.rows if row.differs])
    yield from _section("Of nobody in the roster", [f"{what}: {why}" for what, why in comparison.nobodys])
    yield from _section("No score could be read", problems)
    yield from _section("Ignored", [f"{name}: {why}" for name, why in ignored])


def _section(heading: str, lines: Sequence[str]) -> Iterator[str]:
    if lines:
        yield from ("", f"## {heading}", "")
        yield from (f"- {markdown_text(line)}" for line in lines)


def _differences(rows: Sequence[StudentScore]) -> Iterator[str]:
    if rows:
        yield from ("", "## CI and the regrade differ", "", "| who | CI | regrade | why |", "|---|---|---|---|")
        for row in rows:
            who, why = markdown_text(str(row.student)), markdown_text("; ".join(row.why))
            yield f"| {who} | {_ci(row)} | {_regrade(row)} | {why} |"
