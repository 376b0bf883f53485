"""What one student gets back: what holds, then the first thing to mend in each exercise; in plain data, as Markdown, as
a page, and in the one zip that Moodle and Canvas take back.

For every exercise that is not complete, in the course's order: the first check that stopped, its smallest case, one
thing to think about, and the commands to go on with. Never the correct value: no report holds it.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from gradcheck.catalog import all_exercises
from gradcheck.checks.results import FAULTS, CheckResult, Counterexample, Marks, where_of
from gradcheck.classes.written import FinalReport, WrittenExercise
from gradcheck.errors import GradcheckError
from gradcheck.reports.computation import computation_of
from gradcheck.reports.computation_svg import computation_svg
from gradcheck.reports.escaping import markdown_code_block, markdown_text, visible
from gradcheck.reports.grids import Grid, grid_of
from gradcheck.reports.message import hanging, tensor_text, tensors_in
from gradcheck.reports.stored import failures, penalties, problems
from gradcheck.reports.words import not_your_fault
from gradcheck.showing.templating import environment
from gradcheck.showing.text import clipped, plural, points

if TYPE_CHECKING:
    from jinja2 import Template

_IN_FULL = 6
"""Exercises that are shown with their case; of more the rest is told in a line each, so that it stays readable."""
_GRID = 24
"""Entries that the page shows as a table."""


@dataclass(frozen=True)
class Row:
    """A tensor of a case as text, and where it is small as a `grid` of entries, each with whether it is wrong."""

    name: str
    text: str
    grid: Grid = ()


@dataclass(frozen=True)
class Item:
    """An exercise to go on with. `others` are further functions that something of their own stopped, `unwritten` those
    that are not started.
    """

    name: str
    unit: str
    title: str
    score: str
    max_score: str
    right: tuple[str, ...]
    found: CheckResult
    rows: tuple[Row, ...]
    notes: tuple[str, ...]
    others: tuple[str, ...]
    unwritten: tuple[str, ...]

    @property
    def path(self) -> str:
        return f"exercises/{self.unit}/{self.name}.py"

    @property
    def code(self) -> str:
        return self.found.diagnosis.code if self.found.diagnosis else ""

    @property
    def headline(self) -> str:
        """The exercise in a line."""
        return f"{self.found.function}: {self.found.message}" + (f" [{self.code}]" if self.code else "")

    @property
    def computation(self) -> dict[str, Any] | None:
        """The case as a page draws it."""
        drawn = computation_of(self.found)
        return computation_svg(drawn) if drawn else None

    @property
    def again(self) -> str:
        """The command that checks it again."""
        return f"pytest {self.path} -k {self.found.function}"


@dataclass(frozen=True)
class Feedback:
    """All that is said, in the order in which it is said, unescaped. `ungraded` is a sentence on what the grader itself
    failed on; `score` is empty then, and `earned` and `max_score` are those of the other exercises.
    """

    who: str
    ungraded: str
    score: str
    earned: str
    max_score: str
    penalties: tuple[str, ...]
    problems: tuple[str, ...]
    complete: tuple[tuple[str, tuple[str, ...]], ...]
    items: tuple[Item, ...]
    brief: tuple[Item, ...]
    untouched: tuple[tuple[str, tuple[str, ...]], ...]

    @property
    def counted(self) -> str:
        """What leads to the penalties and the notes on them."""
        if self.score in ("", self.earned):
            return "About the points:"
        return f"You earned {self.earned} points; {self.score} of them count:"

    @property
    def opening(self) -> str:
        """One sentence on where things stand."""
        done, todo = sum(len(names) for _, names in self.complete), len(self.items) + len(self.brief)
        if not done and not todo and self.ungraded:
            return "Nothing else is written yet." if self.untouched else ""
        if not done and not todo:
            return "Nothing is written yet. Any exercise is a good one to begin with; each stands for itself."
        if not todo and not self.untouched:
            return "Every other exercise is complete." if self.ungraded else "Every exercise is complete."
        if not done:
            these = "these" if self.ungraded else "the exercises"
            return f"None of {these} is complete yet. What stopped each is below, with a case to redo by hand."
        held = f"{done} {plural(done, 'exercise is', 'exercises are')} complete"
        if not todo:
            return f"{held}, and nothing that you wrote is wrong."
        return f"{held}; for {todo} more, what to look at next is below."


def feedback_of(report: FinalReport) -> Feedback:
    """What is said about a report as `stored.read_report` gives it."""
    who = ", ".join(filter(None, (each.name for each in report.students)))
    unfinished = [each for each in report.exercises if each.status in FAULTS]
    graded = [each for each in report.exercises if each.status != "ungraded"]
    names, mark = report.ungraded, report.final_score
    items = [item for item in map(_item, unfinished) if item is not None]
    return Feedback(
        clipped(who or report.submission, 120),
        not_your_fault(names) if names else "",
        "" if mark is None else points(mark),
        points(report.score),
        points(report.max_score if mark is not None else sum(each.max_score for each in graded)),
        tuple(penalties(report)),
        tuple(problems(report)),
        _by_unit(each for each in report.exercises if each.status == "passed"),
        tuple(items[:_IN_FULL]),
        tuple(items[_IN_FULL:]),
        _by_unit(each for each in report.exercises if each.status == "not_started"),
    )


def _by_unit(exercises: Iterator[WrittenExercise]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    units = groupby(exercises, key=lambda each: str(each.unit))
    return tuple((clipped(unit, 60), tuple(clipped(each.name, 60) for each in group)) for unit, group in units)


def _item(exercise: WrittenExercise) -> Item | None:
    found = next(failures(exercise), None)
    if found is None:  # some functions hold and the rest are not started
        found = _unfinished(exercise)
    if found is None:
        return None
    record = all_exercises().get(exercise.name)
    functions = exercise.by_function()
    right = [name for name, checks in functions.items() if set(checks.values()) == {"passed"}]
    example = found.counterexample
    # What keeps a file from being read stops every function of it, and is said once.
    stopped = [each.function for each in failures(exercise) if each.message != found.message]
    unwritten = [name for name, checks in functions.items() if "not_started" in checks.values()]
    return Item(
        clipped(exercise.name, 60),
        clipped(exercise.unit, 60),
        record.title if record else "",
        points(exercise.score),
        points(exercise.max_score),
        tuple(clipped(name, 60) for name in right),
        found,
        tuple(_rows(example)) if example else (),
        tuple(filter(None, (where_of(example), f"with {example.about}" if example.about else ""))) if example else (),
        tuple(name for name in dict.fromkeys(stopped) if name != found.function),
        tuple(clipped(name, 60) for name in unwritten if name != found.function),
    )


def _unfinished(exercise: WrittenExercise) -> CheckResult | None:
    for function, checks in exercise.by_function().items():
        if "not_started" in checks.values():
            return CheckResult(clipped(exercise.name, 60), function, "", "not_started", "is not written yet")
    return None


def _rows(example: Counterexample) -> Iterator[Row]:
    digits = example.digits
    for name, value in example.inputs.items():
        yield from _tensors(name, value, digits)
    if example.grad_output is not None:
        yield from _tensors("grad_output", example.grad_output, digits)
    if isinstance(example.got, dict):
        for name, value in example.got.items():
            wrong = example.marks if example.marks and name in example.marks.parts else None
            yield from _tensors(f"your {name}", value, digits, wrong)
    elif example.got is not None:
        yield from _tensors("you returned", example.got, digits, example.marks)


def _tensors(name: str, given: Any, digits: int, marks: Marks | None = None) -> Iterator[Row]:
    for own, value in tensors_in(name, given):
        text = value if isinstance(value, str) else tensor_text(value, len(own) + 3, digits=digits)
        # All or none: where some are not known, an unmarked entry would read as a right one.
        wrong = marks.entries if marks and marks.all_known and value is given else ()
        yield Row(own, clipped(text), grid_of(value, digits, _GRID, wrong))


def feedback_markdown(report: FinalReport) -> str:
    """The feedback as Markdown, ending in a newline."""
    said = feedback_of(report)
    blocks = [f"# Feedback for {markdown_text(said.who)}"]
    if said.ungraded:
        blocks.append(f"**There is no mark yet.** {markdown_text(said.ungraded)}")
        blocks.append(f"{said.earned} of {said.max_score} points in the other exercises. {said.opening}".strip())
    else:
        blocks.append(f"**{said.score} of {said.max_score} points.** {said.opening}")
    if said.penalties:
        blocks.append("\n".join([said.counted, "", *(f"- {markdown_text(each)}" for each in said.penalties)]))
    if said.problems:
        blocks.append("\n".join(["About the files:", "", *(f"- {markdown_text(each)}" for each in said.problems)]))
    if said.complete:
        blocks += ["## Complete", _lists(said.complete)]
    if said.items:
        blocks += ["## What to look at next", *(_markdown_item(item) for item in said.items)]
    if said.brief:
        lines = [f"- {_code(item.name)}, {markdown_text(item.headline)}" for item in said.brief]
        blocks += ["### After these", "\n".join(lines)]
    if said.untouched:
        blocks += ["## Not started yet", _lists(said.untouched)]
    return "\n\n".join(blocks) + "\n"


def _markdown_item(item: Item) -> str:
    blocks = [f"### {_code(item.name)} {markdown_text(item.title)} ({item.score} of {item.max_score} points)"]
    if item.right:
        blocks.append(f"Right so far: {', '.join(map(_code, item.right))}.")
    code = f" ({_code(item.code)})" if item.code else ""
    blocks.append(f"**{_code(item.found.function)}** {markdown_text(item.found.message)}{code}")
    if item.found.lines:
        blocks.append(markdown_code_block("\n".join(item.found.lines)))
    if item.rows:
        margin = max(len(row.name) for row in item.rows)
        lines = [hanging(f"{row.name:<{margin}} = ", row.text) for row in item.rows]
        blocks.append(markdown_code_block("\n".join((*lines, *item.notes))))
    if item.found.diagnosis and item.found.diagnosis.think:
        blocks.append(f"> Think: {markdown_text(item.found.diagnosis.think)}")
    if item.others:
        blocks.append(f"Then: {', '.join(map(_code, item.others))}.")
    if item.unwritten:
        blocks.append(f"Not written yet: {', '.join(map(_code, item.unwritten))}.")
    blocks.append(f"- Check it again: {_code(item.again)}\n- A hint: {_code(f'gradcheck hint {item.name}')}")
    return "\n\n".join(blocks)


def _lists(units: Sequence[tuple[str, tuple[str, ...]]]) -> str:
    return "\n".join(f"- {_code(unit)}: {', '.join(map(_code, names))}" for unit, names in units)


def _code(text: str) -> str:
    """A span of code that `text` cannot close: names are plain, and where one is not, it is shown as text."""
    return f"`{text}`" if re.fullmatch(r"[\w./ \-]+", text) and text == text.strip() else markdown_text(text)


def feedback_html(report: FinalReport) -> str:
    """The feedback as a page of its own: nothing loaded, no script, everything escaped."""
    return _template().render(said=feedback_of(report))


@cache
def _template() -> Template:
    return environment(visible).get_template("feedback.html")


ZipHost = Literal["moodle", "canvas"]

_MOODLE = re.compile(r"(?P<who>.+)_(?P<number>\d+)_(?P<plugin>assign(?:submission|feedback)_[a-z]+)(?:_.*)?")
_CANVAS = re.compile(r"(?P<who>[^_]+(?:_late)?)_(?P<number>\d+)_(?P<file>\d+)(?:_.*|\..*)?", re.IGNORECASE)
_CANVAS_GROUPED = re.compile(r"[^_]+(?:_late)?_\d+", re.IGNORECASE)
_MOST_FILES = 200_000


def path_in_zip(host: ZipHost, submission: str, ending: str, handed_in: Mapping[str, str]) -> str | None:
    """Where a submission's feedback belongs; None where its name says no number of the host's. `handed_in` has, of
    submissions that came as several files, one of those.
    """
    if host == "moodle":
        found = _MOODLE.fullmatch(submission)
        if not found:
            return None
        # The number is the second of the parts between underscores: nothing before it may have one.
        return f"{found['who'].replace('_', ' ')}_{found['number']}_{found['plugin']}/feedback{ending}"
    found = _CANVAS.fullmatch(handed_in.get(submission, submission))
    return f"{found['who']}_{found['number']}_{found['file']}_feedback{ending}" if found else None


def files_handed_in(source: Path | None) -> dict[str, str]:
    """Of every submission in what Canvas had downloaded, a folder or the zip as it came, one file's name."""
    names = sorted(_names_in(source)) if source else []
    found: dict[str, str] = {}
    for name in names:
        if _CANVAS.fullmatch(name):
            parts = name.split("_")
            late = parts[1].lower() == "late"
            found.setdefault("_".join(parts[: 3 if late else 2]), name)
    return found


def needs_files(submission: str) -> bool:
    """Whether only the download can tell which file of a person's Canvas wants to hear of."""
    return _CANVAS_GROUPED.fullmatch(submission) is not None


def zip_of(files: Iterable[tuple[str, bytes]]) -> bytes:
    """The zip: the same bytes for the same files."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, data in files:
            packed.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)
    return content.getvalue()


def _names_in(source: Path) -> Sequence[str]:
    try:
        if source.is_dir():
            return [path.name for path in source.iterdir() if path.is_file()]
        with zipfile.ZipFile(source) as packed:
            return [name.rsplit("/", 1)[-1] for name in packed.namelist()[:_MOST_FILES]]
    except (OSError, zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise GradcheckError(
            f"{source} cannot be read: {error}; give the folder or the zip of submissions that Canvas made"
        ) from None
