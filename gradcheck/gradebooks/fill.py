"""Grades filled into the file that an instructor exported from where grades are kept: one column, and nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from gradcheck.errors import GradcheckError
from gradcheck.gradebooks.layouts import NO_GRADE, Layout, Person, read_layout
from gradcheck.gradebooks.match import FinalScore, Matching, match
from gradcheck.reports.escaping import terminal_text
from gradcheck.reports.words import names_of
from gradcheck.submissions.columns import Host
from gradcheck.submissions.raw_csv import Sheet, read_sheet

_DIGITS = 4
"""Decimals of a score, as many as a report has."""
_NUMBER = re.compile(r"[+-]?\d+(?:[.,](\d+))?")


@dataclass
class Filled:
    """The new file, and what became of every grade and every line. `lines` says it to people."""

    kind: Host
    column: str
    matching: Matching
    content: bytes = b""
    entered: list[str] = field(default_factory=list)
    unchanged: int = 0
    replaced: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    by_name: list[str] = field(default_factory=list)
    ungraded: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def complete(self) -> bool:
        """Whether every submission found its line."""
        return not self.matching.unclear and not self.matching.absent

    def lines(self) -> Iterator[str]:
        """What happened, for a terminal."""
        wrote = len(self.entered) + len(self.replaced)
        same = f", {self.unchanged} were there already" if self.unchanged else ""
        yield f"{_count(wrote, 'grade')} entered into {terminal_text(self.column)!r}{same}"
        yield from self.notes
        yield from _listed("left as it was, since the grader itself failed and there is no score", self.ungraded)
        yield from _listed("replaced", self.replaced)
        yield from _listed("kept as it was", self.kept)
        yield from _listed("matched by name alone, have a look", self.by_name)
        unclear = [f"{grade.submission}: {why}" for grade, why in self.matching.unclear]
        yield from _listed("not entered, since it is not clear whose it is", unclear)
        yield from _listed("not entered, since nobody in the file fits", [e.submission for e in self.matching.absent])
        without = [person.shown for person in self.matching.without]
        yield from _listed("in the file, without a grade from this class", without)


def _listed(what: str, entries: Sequence[str]) -> Iterator[str]:
    if entries:
        yield f"{what} ({len(entries)}):"
        yield from (f"    {' '.join(terminal_text(entry).split())}" for entry in entries)


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def fill(
    content: bytes,
    column: str,
    grades: Sequence[FinalScore],
    *,
    file: str = "the file",
    kind: Host | None = None,
    overwrite: bool = False,
    max_score: float | None = None,
) -> Filled:
    """Fill `grades` into `column` of an exported file, guessing whose file it is unless `kind` says so. A grade that is
    there already stays, unless `overwrite`; so does whatever is there where a submission has no score, since the grader
    failed on it. `max_score` is what the class is graded out of.

    Raises GradcheckError where the file or the column cannot be used, and where not a single grade belongs into it.
    """
    sheet = read_sheet(content, file)
    layout = read_layout(sheet, column, kind, file)
    matching = match(grades, layout.people)
    if not matching.matched:
        raise GradcheckError(_nothing(grades, matching, file))
    filled = Filled(layout.kind, sheet.header[layout.column], matching)
    filled.notes += _notes(layout, max_score)
    comma = _decimal_comma(sheet)
    for each in matching.matched:
        who = f"{each.person.shown}, line {each.person.line.number} ({each.grade.submission})"
        if each.grade.score is None:
            filled.ungraded.append(f"{who}: {names_of(each.grade.ungraded)} ungraded")
            continue
        if each.by == "name":
            filled.by_name.append(who)
        _enter(filled, sheet, layout, each.person, _score_text(each.grade.score, comma=comma), who, overwrite)
    filled.content = sheet.content()
    return filled


def _nothing(grades: Sequence[FinalScore], matching: Matching, file: str) -> str:
    """Why not a single grade belongs into the file."""
    whose = f"none of the {_count(len({each.submission for each in grades}), 'submission')}"
    if not matching.unclear:
        return (
            f"{whose} belongs to anybody in {file}, so nothing was written; ids, e-mail addresses and names come from "
            "the roster in course.toml"
        )
    shown = [f"{grade.submission}: {why}" for grade, why in matching.unclear[:5]]
    more = [f"{len(matching.unclear) - 5} more"] if len(matching.unclear) > 5 else []
    each = "each fits twice" if len(matching.unclear) == len(grades) else f"{len(matching.unclear)} fit twice"
    return f"{whose} is clearly of one line of {file}, so nothing was written; {each}: {'; '.join([*shown, *more])}"


def _enter(filled: Filled, sheet: Sheet, layout: Layout, person: Person, score: str, who: str, overwrite: bool) -> None:
    before = person.line.value(layout.column).strip()
    if person.fixed:
        filled.kept.append(f"{who} {person.fixed}: {score} is not entered")
    elif before in NO_GRADE:
        sheet.put(person.line, layout.column, score)
        filled.entered.append(who)
    elif _same(before, score):
        filled.unchanged += 1
    elif overwrite:
        sheet.put(person.line, layout.column, score)
        filled.replaced.append(f"{who}: {before} is now {score}")
    else:
        filled.kept.append(f"{who}: {before}, and it would be {score} (--overwrite replaces it)")


def _same(before: str, score: str) -> bool:
    """Whether two numbers agree in the digits that the gradebook shows: it rounds, to two at least."""
    found = _NUMBER.fullmatch(before)
    if not found:
        return False
    shown = float(before.replace(",", "."))
    return abs(shown - float(score.replace(",", "."))) <= 0.5 * 10.0 ** -max(2, len(found[1] or "")) + 1e-9


def _score_text(score: float, *, comma: bool) -> str:
    text = f"{score:.{_DIGITS}f}".rstrip("0").rstrip(".")
    return text.replace(".", ",") if comma else text


def _decimal_comma(sheet: Sheet) -> bool:
    """Whether the file writes 7,5. Both services read 7.5 as well, but a spreadsheet may take it for the 7th of May."""
    found = [line.value(at).strip() for line in sheet.lines[1:] for at in range(len(line.cells))]
    commas = sum(re.fullmatch(r"-?\d+,\d+", each) is not None for each in found)
    return commas > sum(re.fullmatch(r"-?\d+\.\d+", each) is not None for each in found)


def _notes(layout: Layout, max_score: float | None) -> list[str]:
    possible = _NUMBER.fullmatch(layout.points_possible)
    if max_score is None or not possible:
        return []
    most = float(layout.points_possible.replace(",", "."))
    if abs(most - max_score) < 0.01:
        return []
    return [
        f"note: this column is out of {most:g} points, the class is graded out of {max_score:g}; nothing is rescaled"
    ]
