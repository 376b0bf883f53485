"""Checking functions that live in a notebook: no file, the verdict below the cell."""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from gradcheck.catalog import Exercise
from gradcheck.checks.candidate import InProcessCandidate
from gradcheck.checks.results import CheckResult, Diagnosis, Status
from gradcheck.checks.task import FunctionSpec
from gradcheck.classes.course_here import course_here
from gradcheck.errors import GradcheckError
from gradcheck.grading.grade import verification_of
from gradcheck.grading.report import ExerciseReport
from gradcheck.reports.matrices import Comparison, comparison_of
from gradcheck.reports.message import Line
from gradcheck.reports.passing import passed_texts
from gradcheck.reports.terminal import WIDTH, paragraph
from gradcheck.reports.words import WORDS, not_your_fault
from gradcheck.showing.text import did_you_mean, points

CACHE = Path(".gradcheck") / "cache"


@dataclass(frozen=True, repr=False)
class Checked:
    """The checks of the functions that were given. A notebook shows it as HTML, everything else as text.

    `exercise` is the record with these functions only, so `max_score` counts nothing else. `pictures` holds, by check,
    the matrices of failures that have any; `printed` what the functions printed; `whole`: no function was left out.
    """

    exercise: Exercise
    results: tuple[CheckResult, ...]
    seed: int = 0  # that was really used
    show_answer: bool = False
    pictures: Mapping[str, Comparison] = field(default_factory=dict)
    printed: str = ""
    whole: bool = False

    @property
    def report(self) -> ExerciseReport:
        return ExerciseReport(self.exercise, self.results)

    @property
    def status(self) -> Status:
        return self.report.status

    @property
    def passed(self) -> bool:
        return self.status == "passed"

    @property
    def score(self) -> float:
        return self.report.score

    @property
    def max_score(self) -> float:
        return self.exercise.max_score

    @property
    def diagnoses(self) -> tuple[Diagnosis, ...]:
        """One for each failure whose mistake is known."""
        known = (
            result.diagnosis or (Diagnosis(result.code, result.message) if result.code else None)
            for result in self.report.told
        )
        return tuple(filter(None, known))

    def __str__(self) -> str:
        from gradcheck.reports.heatmap import picture_lines
        from gradcheck.reports.ink import showable
        from gradcheck.reports.message import failure_text

        given = ", ".join(graded.spec.name for graded in self.exercise.functions)
        opening = f"{self.exercise.name} ({given}): {WORDS[self.report.state]}"
        if self.status == "ungraded":
            blocks = [f"{opening}. {not_your_fault([self.exercise.name])}"]
        else:
            blocks = [f"{opening}, {points(self.score)} of {points(self.max_score)} points"]
        for result in self.report.told:
            text = failure_text(result, self.exercise.name, show_answer=self.show_answer)
            # There is no file to run pytest on: running the cell again is what checks it again.
            lines = [line for line in text.split("\n") if not line.startswith("  Again: ")]
            if result.id in self.pictures:
                blocks_shown = showable(getattr(sys.stdout, "encoding", None))
                lines += picture_lines(self.pictures[result.id], ascii=not blocks_shown)
            blocks.append("\n".join(lines))
        blocks += [f"{self.exercise.name}.{name} is not started" for name in _not_started(self.results)]
        blocks += ["\n".join(line for text, _ in self._passed for line in paragraph(text, WIDTH, "", "  "))]
        return "\n\n".join(filter(None, blocks))

    __repr__ = __str__

    def _repr_html_(self) -> str:
        from gradcheck.reports.html import exercise_html

        return exercise_html(
            self.report,
            pictures=self.pictures,
            show_answer=self.show_answer,
            printed=self.printed,
            passed=self._passed,
        )

    @property
    def _passed(self) -> list[Line]:
        """What is said where every function of the exercise was given, and passed."""
        return passed_texts(self.exercise) if self.whole and self.passed else []


def check(exercise: str, *, seed: int = 0, show_answer: bool = False, **functions: Callable[..., Any]) -> Checked:
    """Check functions of an exercise: `gradcheck.check("softmax", backward=my_backward)`.

    Each function is given by the name that the exercise has for it (`forward`, `backward`, `jacobian`, …); those left
    out are not checked and do not count. `seed` draws all inputs and cotangents. With `show_answer` the correct values
    stand beside a failure. Raises UnknownExercise with a suggestion, and GradcheckError for a name that is no function
    of the exercise, for something that is no function, and when none is given.
    """
    record = course_here(Path("exercises")).find(_name(exercise))
    chosen = _chosen(record, functions)
    part = replace(record, functions=tuple(graded for graded in record.functions if graded.spec.name in chosen))
    filename = _file_of(chosen)
    candidate = InProcessCandidate(chosen, filename)
    # The one place where a notebook's checks are put together: trainings and diagnoses come with them.
    verification = verification_of(part, candidate, seed, CACHE if CACHE.parent.is_dir() else None)
    # Without the backward that was left out there is nothing to agree with.
    left_out = () if part.task.with_role("backward") else ("agrees_with_backward",)
    found = [result for result in verification.results() if result.check not in left_out]
    printed = candidate.printed.take()
    drawn = ((result.id, comparison_of(result, verification)) for result in found)
    pictures = {name: picture for name, picture in drawn if picture is not None}
    results = tuple(_without_file(result, filename) for result in found)
    whole = len(part.functions) == len(record.functions)
    return Checked(part, results, verification.seed, show_answer, pictures, printed, whole)


def _name(exercise: object) -> str:
    if isinstance(exercise, str):
        return exercise
    raise GradcheckError(
        f"the exercise is given by its name, not by a {type(exercise).__name__}; "
        'for example gradcheck.check("softmax", backward=my_backward)'
    )


def _chosen(exercise: Exercise, functions: Mapping[str, object]) -> dict[str, Callable[..., Any]]:
    specs = {graded.spec.name: graded.spec for graded in exercise.functions}
    has = f"{exercise.name} has {', '.join(_signature(spec) for spec in specs.values())}"
    first = next(iter(specs))
    example = f'gradcheck.check("{exercise.name}", {first}=my_{first})'
    chosen: dict[str, Callable[..., Any]] = {}
    for name, given in functions.items():
        if name not in specs:
            advice = f"{did_you_mean(name, specs, '', cutoff=0.6)} {has}".lstrip()
            raise GradcheckError(f"{exercise.name} has no function {name!r}; {advice}")
        if not callable(given):
            raise GradcheckError(
                f"{name} is a {type(given).__name__}, not a function; give the function itself: {example}"
            )
        chosen[name] = given
    if not chosen:
        raise GradcheckError(f"there is no function to check; {has}. For example {example}")
    return chosen


def _signature(spec: FunctionSpec) -> str:
    return f"{spec.name}({', '.join(spec.parameters)})"


def _file_of(functions: Mapping[str, Callable[..., Any]]) -> str:
    """Where the functions are written, if all are in one place (a cell has a file name too); else empty: then the
    lines of an error cannot be told from ours.
    """
    codes = (getattr(inspect.unwrap(function), "__code__", None) for function in functions.values())
    names = {code.co_filename if code else "" for code in codes}
    return names.pop() if len(names) == 1 else ""


def _without_file(result: CheckResult, filename: str) -> CheckResult:
    """Places in the learner's cell by line: a cell's file name says nothing to people."""
    if not filename:
        return result
    place = re.compile(rf"^{re.escape(filename)}:(?=\d)")
    return replace(result, lines=tuple(place.sub("line ", line) for line in result.lines))


def _not_started(results: tuple[CheckResult, ...]) -> list[str]:
    return list(dict.fromkeys(result.function for result in results if result.status == "not_started"))
