"""`gradcheck dev check`: whether exercises may be given to learners, and what to do about those that may not."""

from __future__ import annotations

import os
import signal
import tempfile
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from difflib import get_close_matches
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
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
from gradcheck.desk.paper import paragraph
from gradcheck.errors import GradcheckError, UnknownExercise
from gradcheck.grading.processes import end_with_parent

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
    running = checked([each.module for each in chosen], work, min(jobs, len(chosen)), limit_s)
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
            close = get_close_matches(stem, known, n=1, cutoff=0.5)
            advice = f"did you mean {close[0]}?" if close else "gradcheck list shows those that there are"
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
    exercises = f"{len(verdicts)} {'exercise' if len(verdicts) == 1 else 'exercises'}"
    if not problems:
        return f"{exercises} checked: no problem"
    bad = sum(bool(each.problems) for each in verdicts)
    return f"{exercises} checked: {problems} {'problem' if problems == 1 else 'problems'} in {bad}"


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


@dataclass
class _CheckLane:
    process: BaseProcess
    pipe: Connection
    module: str
    since: float


@dataclass(frozen=True)
class Work:
    """Where the files are, where expected values go, and whether wrong answers are left out."""

    root: Path
    cache: Path
    quick: bool


def serve(pipe: Connection, work: Work) -> None:
    """Check the exercises whose catalog modules come through the pipe, until it is closed or its owner is gone."""
    end_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for whoever runs the check; it ends its lanes itself
    os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    with suppress(EOFError, OSError):
        while True:
            record = read_record(pipe.recv())
            assert isinstance(record, Record)
            pipe.send(check_exercise(record, work.root, work.cache, quick=work.quick))


def checked(
    modules: Sequence[str], work: Work, jobs: int, limit_s: float
) -> Iterator[tuple[str, ExerciseVerdict | Failed]]:
    """Every module with its verdict, in the order in which they are done."""
    waiting = deque(modules)
    lanes: list[_CheckLane] = []
    try:
        while waiting or lanes:
            while waiting and len(lanes) < jobs:
                lanes.append(_started(work, waiting.popleft()))
            ready = wait([each.pipe for each in lanes], timeout=0.5)
            for each in list(lanes):
                if each.pipe in ready:
                    answer = _received(each)
                elif time.monotonic() - each.since > limit_s:
                    answer = Failed(f"its checks were not done after {limit_s:g} s")
                else:
                    continue
                yield each.module, answer
                if isinstance(answer, Failed) or not waiting:
                    lanes.remove(each)
                    _end(each)
                else:
                    _send(each, waiting.popleft())
    finally:
        for each in lanes:
            _end(each)


def _started(work: Work, module: str) -> _CheckLane:
    context = get_context("spawn")  # no thread, lock or library of this process is taken over half done
    ours, theirs = context.Pipe()
    process = context.Process(target=serve, args=(theirs, work), daemon=True, name="gradcheck-dev-check")
    process.start()
    theirs.close()
    lane = _CheckLane(process, ours, module, time.monotonic())
    _send(lane, module)
    return lane


def _send(lane: _CheckLane, module: str) -> None:
    lane.module, lane.since = module, time.monotonic()
    with suppress(OSError):  # a lane that has just died is found out when its answer is read
        lane.pipe.send(module)


def _received(lane: _CheckLane) -> ExerciseVerdict | Failed:
    try:
        answer = lane.pipe.recv()
    except (EOFError, OSError):
        return Failed("the process that checked it died")
    return answer if isinstance(answer, ExerciseVerdict) else Failed("the process that checked it sent no verdict")


def _end(lane: _CheckLane) -> None:
    with suppress(OSError):
        lane.pipe.close()
    lane.process.kill()
    lane.process.join(5)
