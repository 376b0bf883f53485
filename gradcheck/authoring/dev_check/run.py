"""`gradcheck dev check`: whether exercises may be given to learners, and what to do about those that may not."""

from __future__ import annotations

import tempfile
import traceback
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import gradcheck
from gradcheck.authoring.dev_check.files import file_problems
from gradcheck.authoring.dev_check.graded import graded
from gradcheck.authoring.dev_check.record import (
    FOLDERS,
    ExerciseVerdict,
    Problem,
    Record,
    answers_of,
    catalog_problems,
    reach_problems,
    read_catalog,
    read_record,
    record_problems,
    stray_problems,
)
from gradcheck.catalog import Exercise
from gradcheck.errors import GradcheckError, UnknownExercise
from gradcheck.grading.processes import Lost, Processes
from gradcheck.reports.terminal import paragraph
from gradcheck.showing.text import counted, did_you_mean

Progress = Callable[[str, int, int], None]
PACKAGE = Path(gradcheck.__file__).resolve().parent


def check(
    root: Path, names: Sequence[str], *, quick: bool, jobs: int, limit_s: float, progress: Progress
) -> Iterator[tuple[str, ExerciseVerdict]]:
    """Every exercise with its verdict, or those in `names`; at the end the files that belong to none.

    Raises GradcheckError where there is nothing to check in `root`, UnknownExercise for a name that is nowhere.
    """
    _must_be_a_checkout(root)
    records, unreadable = read_catalog()
    between = [*unreadable, *catalog_problems(records), *stray_problems(records, root)]
    wanted = _chosen(names, records, between)
    chosen = [each for each in records if each.exercise.name in wanted]
    with tempfile.TemporaryDirectory(prefix="gradcheck-") as cache:
        verdicts = _verdicts(chosen, Work(root, Path(cache), quick), jobs, limit_s, progress)
        for record in chosen:
            own = [each for each in between if each.exercise == record.exercise.name]
            between = [each for each in between if each not in own]
            found = next(verdicts)
            yield record.exercise.name, ExerciseVerdict((*own, *found.problems), found.refused)
    for name in dict.fromkeys(each.exercise for each in between if each.exercise in wanted):
        yield name, ExerciseVerdict(tuple(each for each in between if each.exercise == name))


def _verdicts(
    chosen: list[Record], work: Work, jobs: int, limit_s: float, progress: Progress
) -> Iterator[ExerciseVerdict]:
    """In the order of the records, each as soon as those before it are known."""
    done: dict[str, ExerciseVerdict] = {}
    records = {each.module: each for each in chosen}
    running = checked([each.module for each in chosen], work, jobs, limit_s)
    progress("checking", 0, len(chosen))
    for record in chosen:
        while record.module not in done:
            module, answer = next(running)
            if isinstance(answer, Failed):
                remedy = "look for a loop without end in its record or solution, or give it more with --limit-s"
                late = records[module]
                answer = ExerciseVerdict((Problem(late.exercise.name, late.file, answer.why, remedy),))
            done[module] = answer
            progress("checking", len(done), len(chosen))
        yield done[record.module]


def _must_be_a_checkout(root: Path) -> None:
    missing = [folder for folder in FOLDERS if not (root / folder).is_dir()]
    if missing:
        raise GradcheckError(
            f"there is no {missing[0]}/ in {root}; exercises are checked where gradcheck's source is, so run this there"
        )
    own = root / "gradcheck"
    if (own / "catalog").is_dir() and own.resolve() != PACKAGE:
        raise GradcheckError(
            f"the catalog here is not the one in use, which is {PACKAGE / 'catalog'}; "
            "run: python -m gradcheck dev check"
        )


def _chosen(names: Sequence[str], records: list[Record], between: list[Problem]) -> set[str]:
    known = {each.exercise.name for each in records} | {each.exercise for each in between}
    stems = [name.rstrip("/").rsplit("/", 1)[-1].removesuffix(".py") for name in names]
    for stem in stems:
        if stem not in known:
            advice = did_you_mean(stem, known, "gradcheck list shows those that there are")
            raise UnknownExercise(f"there is no exercise {stem!r}; {advice}")
    return set(stems) or known


def verdict_lines(name: str, verdict: ExerciseVerdict, width: int) -> Iterator[str]:
    """What people read of one exercise: that it is in order, or each problem with its remedy."""
    if not verdict.problems:
        refused = f", {verdict.refused} wrong answers refused" if verdict.refused else ""
        yield f"{name}: in order{refused}"
        return
    yield f"{name}:"
    for each in verdict.problems:
        yield from paragraph(f"{each.where}: {each.cause}", width, "  ", "  ")
        yield from paragraph(f"→ {each.remedy}", width, "    ", "  ")


def closing_line(verdicts: Sequence[ExerciseVerdict]) -> str:
    """How many problems there are."""
    problems = sum(len(each.problems) for each in verdicts)
    exercises = counted(len(verdicts), "exercise")
    if not problems:
        return f"{exercises} checked: no problem"
    bad = sum(bool(each.problems) for each in verdicts)
    return f"{exercises} checked: {counted(problems, 'problem')} in {bad}"


# One exercise, one check after the other.


def check_exercise(record: Record, root: Path, cache: Path, *, quick: bool = False) -> ExerciseVerdict:
    """All that can be said of one exercise by itself. Raises nothing."""
    exercise = record.exercise
    found: list[Problem] = []
    try:
        found += written_problems(exercise, root)
        if reach_problems(exercise) or not (root / "solutions" / exercise.path).is_file():
            return ExerciseVerdict(tuple(found))
        verdict = graded(exercise, root, cache, quick=quick)
        return ExerciseVerdict((*found, *verdict.problems), verdict.refused)
    except Exception as error:
        return ExerciseVerdict((*found, _raised(record, error)))


def written_problems(exercise: Exercise, root: Path) -> list[Problem]:
    """What is wrong with the record and the files as they are written; nothing is run."""
    told = record_problems(exercise, answers_of(exercise, root))
    return [*told, *reach_problems(exercise), *file_problems(exercise, root)]


def _raised(record: Record, error: Exception) -> Problem:
    """What a record raises when it is used, at the last place that its author may know."""
    if isinstance(error, GradcheckError):
        return Problem(record.exercise.name, record.file, str(error), "mend the record; the rest was not checked")
    frames = traceback.extract_tb(error.__traceback__)
    own = [
        each for each in frames if "catalog" in Path(each.filename).parts or "operators" in Path(each.filename).parts
    ]
    last = (own or frames)[-1]
    at = f"{Path(last.filename).name}, line {last.lineno}"
    cause = f"{type(error).__name__} came up while it was checked ({at}): {error}"
    return Problem(record.exercise.name, record.file, cause, "mend the record there; the rest was not checked")


# Processes that check exercises side by side. One that dies, or takes too long, costs its own exercise only.


@dataclass(frozen=True)
class Failed:
    """No verdict: why."""

    why: str


@dataclass(frozen=True)
class Work:
    """Where the files are, where expected values go, and whether wrong answers are left out."""

    root: Path
    cache: Path
    quick: bool


def _checking(work: Work) -> Generator[ExerciseVerdict | None, str, None]:
    """Checks the exercises of the catalog modules that it is sent."""
    module = yield None
    while True:
        record = read_record(module)
        assert isinstance(record, Record)
        module = yield check_exercise(record, work.root, work.cache, quick=work.quick)


def checked(
    modules: Sequence[str], work: Work, jobs: int, limit_s: float
) -> Iterator[tuple[str, ExerciseVerdict | Failed]]:
    """Every module with its verdict, in the order in which they are done."""

    def failed(why: Lost) -> Failed:
        late = f"its checks were not done after {limit_s:g} s"
        return Failed(late if why == "late" else "the process that checked it died")

    with Processes[str, ExerciseVerdict | Failed](
        _checking, (work,), min(jobs, len(modules)), lost=failed, limit_s=limit_s
    ) as processes:
        yield from processes.run(modules)
