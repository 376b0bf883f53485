"""What a class did, gathered one report at a time: `gradcheck/class/v1`, the same in whatever order they come.

A whole report is never kept. Of a submission its row is, a few hundred bytes; of a mistake that many share its text
is, once, beside the names of those who made it.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from hashlib import blake2b

from msgspec.structs import replace

from gradcheck.catalog import Exercise
from gradcheck.checks.results import FAULTS, Status
from gradcheck.classes.report import (
    SCHEMA,
    Cell,
    ClassReport,
    ClassRow,
    CourseTitle,
    ExerciseCounts,
    GraderFailure,
    GraderUsed,
    PublishedSeed,
    SharedMistake,
    SlowSubmission,
    Timings,
    Undated,
)
from gradcheck.classes.written import FinalReport, WrittenExercise
from gradcheck.grading.report import EXERCISE_STATUSES
from gradcheck.isolation.sandbox.layers import Layer
from gradcheck.submissions.roster import StudentName, TeamMember

_TEXT = 400
"""Characters of any one sentence; a submission may go on for pages."""

_PROBLEMS = 20
"""Sentences about one submission; its report has them all."""

_WARNINGS = 50
"""Different warnings of the class."""

_SLOWEST = 10

_KINDS = 64
"""Different texts of one misconception that are counted."""


class ClassSummary:
    """The class so far; `exercises` are those that count, in the catalog's order. An exercise that a report lacks reads
    as not started.
    """

    def __init__(self, course: CourseTitle, grader: GraderUsed, exercises: Sequence[Exercise]) -> None:
        self._course, self._grader = course, grader
        self._exercises = tuple(exercises)
        self._names = frozenset(each.name for each in exercises)
        self._points: dict[str, float] = {}  # as the reports have them: a course may set points of its own
        self._rows: dict[str, tuple[ClassRow, tuple[Cell, ...]]] = {}
        self._undated: set[str] = set()
        self._seeds: dict[str, PublishedSeed] = {}
        self._shared: dict[tuple[str, float, tuple[str, ...]], Cell] = {}
        self._mistakes: dict[tuple[str, str, str], _Mistake] = {}
        self._ungraded: dict[str, _Mistake] = {}
        self._layers: dict[str, _Layer] = {}
        self._warnings: set[str] = set()
        self._more_warnings = False
        self._slowest: list[tuple[float, str]] = []
        self._graded = self._reused = 0
        self._started, self._clock = datetime.now(UTC), time.monotonic()

    def add(self, report: FinalReport, *, seconds: float, reused: bool) -> None:
        """One report, with the policy applied. `reused`: it was not graded anew, so `seconds` says nothing. Raises
        ValueError for a submission that was added before.
        """
        name = report.submission
        if name in self._rows:
            raise ValueError(f"the submission {name!r} was added before")
        seed = PublishedSeed(report.seed_hash or None, report.seed, report.seed_salt or None)
        self._seeds[str(seed.seed_hash or seed.seed)] = seed
        graded = {each.name: each for each in report.exercises}
        self._rows[name] = _row(report), tuple(self._cell(graded.get(each.name)) for each in self._exercises)
        if report.policy.undated:
            self._undated.add(name)
        for exercise in graded.values():
            if exercise.name in self._names:
                self._points[exercise.name] = max(exercise.max_score, self._points.get(exercise.name, 0.0))
                self._note_mistakes(name, exercise)
        for place, layer in enumerate(report.sandbox):
            self._layers.setdefault(layer.name, _Layer()).add(place, layer.held, _short(layer.detail))
        self._warn(report.warnings)
        if reused:
            self._reused += 1
        else:
            self._graded += 1
            self._slowest = sorted([*self._slowest, (-seconds, name)])[:_SLOWEST]

    def _cell(self, exercise: WrittenExercise | None) -> Cell:
        """An exercise of a row. Most of a class share a few of these, so equal ones are one object."""
        key: tuple[Status, float, tuple[str, ...]] = ("not_started", 0.0, ())
        if exercise is not None:
            codes = dict.fromkeys(code for _, code, _ in _mistakes_of(exercise))
            key = (exercise.status, float(exercise.score), tuple(codes))
        return self._shared.setdefault(key, Cell(*key))

    def _note_mistakes(self, name: str, exercise: WrittenExercise) -> None:
        if exercise.status == "ungraded":
            why = next((each.message for each in exercise.checks if each.status == "ungraded"), "")
            self._ungraded.setdefault(exercise.name, _Mistake()).add(name, _short(why))
        for function, code, text in _mistakes_of(exercise):
            self._mistakes.setdefault((exercise.name, function, code), _Mistake()).add(name, text)

    def _warn(self, warnings: Iterable[str]) -> None:
        self._warnings.update(map(_short, warnings))
        while len(self._warnings) > _WARNINGS:  # the last of the alphabet goes, in whatever order they came
            self._warnings.remove(max(self._warnings))
            self._more_warnings = True

    def so_far(self) -> ClassReport:
        """All of it but `timings` depends on the reports alone."""
        names = sorted(self._rows)
        warnings = sorted(self._warnings)
        if self._more_warnings:
            warnings.append("There are more warnings; each submission's report has its own.")
        return ClassReport(
            schema=SCHEMA,
            course=self._course,
            grader=self._drawn_by(),
            sandbox=tuple(layer.of(name) for name, layer in sorted(self._layers.items(), key=_place)),
            warnings=tuple(warnings),
            undated=Undated(len(self._undated), tuple(sorted(self._undated))),
            ungraded=tuple(self._failures_of_the_grader()),
            max_score=math.fsum(map(self._most, self._exercises)),
            exercises=tuple(self._counted(place, each, names) for place, each in enumerate(self._exercises)),
            misconceptions=tuple(self._misconceptions()),
            submissions=tuple(self._submission(*self._rows[name]) for name in names),
            timings=self._timings(),
        )

    def _drawn_by(self) -> GraderUsed:
        """The seeds of the reports, as far as these publish them."""
        seeds = tuple(self._seeds[each] for each in sorted(self._seeds))
        return replace(self._grader, seed=seeds[0].seed if len(seeds) == 1 else None, seeds=seeds)

    def _counted(self, place: int, exercise: Exercise, names: Sequence[str]) -> ExerciseCounts:
        cells = [self._rows[name][1][place] for name in names]
        graded = [cell.score for cell in cells if cell.status != "ungraded"]
        # Nobody graded is no mean of 0; a class of nobody always had one.
        mean = round(math.fsum(graded) / max(1, len(graded)), 4) if graded or not cells else None
        return ExerciseCounts(exercise.name, exercise.unit, exercise.title, self._most(exercise), _counts(cells), mean)

    def _failures_of_the_grader(self) -> Iterator[GraderFailure]:
        for each in self._exercises:
            if found := self._ungraded.get(each.name):
                yield GraderFailure(each.name, *found.told())

    def _most(self, exercise: Exercise) -> float:
        return float(self._points.get(exercise.name, exercise.max_score))

    def _misconceptions(self) -> list[SharedMistake]:
        order = {each.name: place for place, each in enumerate(self._exercises)}
        found = [
            SharedMistake(exercise, function, code, *mistake.told())
            for (exercise, function, code), mistake in self._mistakes.items()
        ]
        return sorted(found, key=lambda each: (-each.count, order[each.exercise], each.function, each.code))

    def _submission(self, row: ClassRow, cells: tuple[Cell, ...]) -> ClassRow:
        exercises = {each.name: cell for each, cell in zip(self._exercises, cells, strict=True)}
        return replace(row, status=_counts(cells), exercises=exercises)

    def _timings(self) -> Timings:
        finished, wall = datetime.now(UTC), time.monotonic() - self._clock
        started, ended = (each.isoformat(timespec="seconds") for each in (self._started, finished))
        rate = round(60 * self._graded / wall, 1) if wall > 0 else 0.0
        slowest = tuple(SlowSubmission(name, round(-seconds, 3)) for seconds, name in self._slowest)
        return Timings(started, ended, round(wall, 3), self._graded, self._reused, rate, slowest)


def _row(report: FinalReport) -> ClassRow:
    """What is kept of a submission's report, besides its exercises."""
    problems = [_short(each) for each in (*report.problems, *report.unusual)]
    if len(problems) > _PROBLEMS:
        problems[_PROBLEMS - 1 :] = [f"There are {len(problems) - _PROBLEMS + 1} more; the report has them."]
    students = tuple(map(_member, report.students))
    first = StudentName(students[0].name, students[0].email, students[0].id) if students else None
    return ClassRow(
        name=report.submission,
        student=first,
        students=students,
        score=report.score,
        final_score=report.final_score,
        max_score=report.max_score,
        late_days=report.policy.late_days,
        ungraded=report.ungraded,
        problems=tuple(problems),
        report=f"reports/{report.submission}.json",
        feedback=f"feedback/{report.submission}.html",
    )


def _member(student: TeamMember) -> TeamMember:
    logins = tuple(map(_short, student.logins))
    return TeamMember(_short(student.name), _short(student.email), _short(student.id), logins)


class _Mistake:
    """Who made a mistake, and how it was worded.

    Every text is counted whose hash is among the smallest of all that came. Such a text was among them from the first
    time on, so its count is exact, and which ones are kept does not depend on the order. Wordings differ little, except
    where a submission chooses them: there a text that is kept stands for the rest, and memory stays bounded.
    """

    __slots__ = ("texts", "who")

    def __init__(self) -> None:
        self.who: set[str] = set()
        self.texts: dict[bytes, tuple[int, str]] = {}

    def add(self, name: str, text: str) -> None:
        self.who.add(name)
        key = blake2b(text.encode("utf-8", errors="replace"), digest_size=8).digest()
        count, _ = self.texts.get(key, (0, text))
        self.texts[key] = (count + 1, text)
        if len(self.texts) > _KINDS:
            del self.texts[max(self.texts)]

    def told(self) -> tuple[str, int, tuple[str, ...]]:
        """The wording of most, of how many it is, and of whom."""
        text = min(self.texts.values(), key=lambda entry: (-entry[0], entry[1]))[1]
        return text, len(self.who), tuple(sorted(self.who))


class _Layer:
    """A layer of the sandbox: held where it held for every submission; its detail is of one where it did not."""

    __slots__ = ("details", "place")

    def __init__(self) -> None:
        self.place = math.inf
        self.details: dict[bool, str] = {}

    def add(self, place: int, held: bool, detail: str) -> None:
        self.place = min(self.place, place)
        self.details[held] = min(self.details.get(held, detail), detail)

    def of(self, name: str) -> Layer:
        held = False not in self.details
        return Layer(name, held, self.details[held])


def _place(entry: tuple[str, _Layer]) -> tuple[float, str]:
    return entry[1].place, entry[0]


def _counts(cells: Iterable[Cell]) -> dict[str, int]:
    counts: dict[str, int] = dict.fromkeys(EXERCISE_STATUSES, 0)
    for cell in cells:
        counts[cell.status] += 1
    return counts


def _mistakes_of(exercise: WrittenExercise) -> Iterator[tuple[str, str, str]]:
    """Function, code and sentence of each mistake, once, however many checks show it. Where the grader itself failed
    nothing is said of the rest of the exercise either: it may come from the same defect.
    """
    if exercise.status == "ungraded":
        return
    seen = set()
    for check in exercise.checks:
        diagnosis = check.diagnosis
        if check.status not in FAULTS or not diagnosis:
            continue
        function, code = check.function, diagnosis.code
        if (function, code) not in seen:
            seen.add((function, code))
            yield function, code, _short(diagnosis.text or check.message)


def _short(text: str) -> str:
    whole = " ".join(text.split())
    return whole if len(whole) <= _TEXT else f"{whole[: _TEXT - 1]}…"
