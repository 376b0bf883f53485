"""The judge of a lane: it knows the expected values, asks a sandboxed worker for results, and compares.

All that the checks of an exercise ask for is asked first, in one batch that a worker has ready, of every exercise of a
submission in one worker. Where all checks pass by that, they have passed. Every other exercise is graded anew, each in
a fresh worker, so that none is touched by what another one did.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

from msgspec.structs import replace

from gradcheck import __version__
from gradcheck.catalog import Exercise, find_exercise
from gradcheck.checks.engine import Verification
from gradcheck.checks.file_code import AutodiffWords
from gradcheck.checks.limits import Budget, OwnTime
from gradcheck.checks.outcome import Call
from gradcheck.checks.results import Status, draws_from, failure_in_words, is_ours, show_traceback
from gradcheck.checks.rounds import Asked, AtOnce, everything
from gradcheck.checks.trials import Benches
from gradcheck.classes.written import SCHEMA, FinalReport, WrittenExercise, exercise_written, ungraded_of
from gradcheck.grading.desk_record import NO_HELP
from gradcheck.grading.execute import unreadable
from gradcheck.grading.grade import unless_we_fail, verification_of
from gradcheck.grading.load import Warm
from gradcheck.grading.report import ExerciseReport, all_alike, checks_of
from gradcheck.isolation.sandbox.layers import Layer
from gradcheck.isolation.worker.candidate import Sandboxed, SandboxedCandidate
from gradcheck.isolation.worker.launch import Bounds, lane_for
from gradcheck.references.kept import LIBRARIES
from gradcheck.submissions.layout import Submission

_ROOMS = (
    *("operators", "numbers", "references", "checks", "training", "catalog", "diagnosis"),
    *("grading", "submissions", "isolation", "classes"),
)

_BATCH_S = 3.0
"""Seconds of computing for all calls of an exercise, which a right submission makes in a hundredth of that."""

_KNOWN_STUBS = 500

SEARCHES_S = 25.0
"""Seconds of computing, by judge and submission, for all searches that a submission sets off: for small cases, and for
the names of mistakes. Nearly all need less than two.
"""


@dataclass(frozen=True)
class Settings:
    """What a run is graded by, besides the seed that draws every input. `cache` is a folder for expected values that no
    submission can read; `exercises` are names, in the catalog's order.
    """

    cache: Path
    exercises: tuple[str, ...]
    bounds: Bounds = field(default_factory=Bounds)
    searches_s: float = SEARCHES_S

    @property
    def grading(self) -> str:
        """A digest of all that a result depends on besides the submission and the seed."""
        bounds = (self.bounds.call_s, self.bounds.submission_s, self.bounds.memory_bytes, self.bounds.sandbox)
        said = repr((__version__, grader_fingerprint(), self.exercises, bounds, self.searches_s))
        return hashlib.sha256(said.encode()).hexdigest()


@cache
def grader_fingerprint() -> str:
    """Changes with any line of the rooms that decide about a result, and with the libraries' versions."""
    package = Path(__file__).parents[1]
    digest = hashlib.sha256()
    for room in _ROOMS:
        for path in sorted((package / room).rglob("*.py")):
            content = path.read_bytes()
            digest.update(f"{path.relative_to(package).as_posix()} {len(content)}\n".encode() + content)
    for library in LIBRARIES:
        digest.update(version(library).encode())
    return digest.hexdigest()[:16]


@dataclass(frozen=True)
class _Draw:
    """The seed that draws an exercise for everybody, and why nobody can be graded by it, if so."""

    seed: int
    why: Exception | None = None


class ReadyCalls(NamedTuple):
    """All that the checks of an exercise ask for, its calls, which workers have ready, and what they must come to,
    where that can be told by numbers alone.
    """

    asked: list[Asked]
    calls: list[Call]
    at_once: AtOnce | None


class Judge:
    """Grades submissions, one after the other, with inputs that a seed draws."""

    def __init__(self, settings: Settings, seed: int = 0) -> None:
        self.settings = settings
        self.lane = lane_for(settings.bounds)
        self._stubs: dict[bytes, None] = {}
        self._budget = Budget()
        self._made_for(seed)

    def draw_from(self, seed: int) -> None:
        """Go over to another seed; what was made ready for the one before is forgotten."""
        if seed != self.seed:
            self._made_for(seed)

    def _made_for(self, seed: int) -> None:
        self.seed = seed
        self.warm = Warm(self.settings.cache, seed, most=len(self.settings.exercises))
        self._draws: dict[str, _Draw] = {}
        self._batches: dict[str, ReadyCalls | None] = {}
        self._fixed: dict[tuple[str, str], WrittenExercise] = {}

    @property
    def layers(self) -> list[Layer]:
        """The layers of the sandbox that hold of every worker, and those that do not."""
        self.lane.start()
        return self.lane.layers

    def prepare(self, name: str) -> None:
        """Compute, or read, the expected values of an exercise."""
        self._draw(name)

    def _draw(self, name: str) -> _Draw:
        """The first draw of an exercise at which all references agree and have a bound, whatever is handed in."""
        if name not in self._draws:
            for seed in draws_from(self.seed):
                self._draws[name] = _Draw(seed, self._prepared(name, seed))
                if self._draws[name].why is None:
                    break
        return self._draws[name]

    def _prepared(self, name: str, seed: int) -> Exception | None:
        """Everything that an exercise needs, made at a draw; what went wrong with it."""
        try:
            for _ in self.warm.prepare(find_exercise(name), seed):
                pass
        except Exception as error:
            show_traceback(error)
            return error
        return None

    def _benches(self, name: str) -> Benches:
        return self.warm.benches(find_exercise(name)).drawn(self._draw(name).seed)

    def close(self) -> None:
        self.lane.stop()

    def grade(self, submission: Submission) -> FinalReport:
        """The report of a submission, before any policy: what its content alone decides. Raises SandboxFailure, and
        nothing that a submission could cause.
        """
        files = {
            name: (find_exercise(name).path, submission.sources[name])
            for name in self.settings.exercises
            if name in submission.sources
        }
        sandboxed = Sandboxed(self.lane, files)
        own = OwnTime()
        self._budget = Budget(self.settings.searches_s, lambda: own() + sandboxed.computed)
        found: dict[str, WrittenExercise] = {}
        try:
            for name in self._confirmed(files, sandboxed):
                found[name] = self._all(name, "passed")
            for name in self.settings.exercises:
                if name not in found:
                    found[name] = self._graded(name, submission, sandboxed)
        finally:
            sandboxed.end()
        exercises = [
            replace(found[name], hint=helped.hint, gave_up=helped.gave_up)
            for name in self.settings.exercises
            for helped in (submission.help.get(name, NO_HELP),)
        ]
        return raw_report(submission.name, submission.digest, self.seed, self.lane.layers, exercises)

    # In one batch.

    def _confirmed(self, files: Mapping[str, Any], sandboxed: Sandboxed) -> Iterator[str]:
        """The exercises that pass all checks by what one batch of calls brought."""
        for name, (_, source) in files.items():
            if sandboxed.time_is_up or _digest(name, source) in self._stubs:
                continue
            batch = self._batch(name)
            if batch is not None and self._passes(name, batch, sandboxed):
                yield name
        sandboxed.renew()

    def _passes(self, name: str, batch: ReadyCalls, sandboxed: Sandboxed) -> bool:
        try:
            candidate = SandboxedCandidate(name, sandboxed, _BATCH_S)
            if batch.at_once:
                sent = candidate.sent(batch.calls)
                came = sent.side_by_side() if sent else None
                return came is not None and batch.at_once.holds(came)
            verification = self._verification(find_exercise(name), candidate, shrink=False)
            verification.explain = None
            verification.ask_ahead(batch.asked, batch.calls)
            checks = checks_of(find_exercise(name))
            return candidate.is_well and all(verification.result(*check).ok for check in checks)
        except Exception as error:
            if not is_ours(error):
                raise
            show_traceback(error)
            sandboxed.renew()  # nothing is decided by this: the checks will see
            return False

    def _batch(self, name: str) -> ReadyCalls | None:
        if name not in self._batches:
            self._batches[name] = None if self._draw(name).why else self._made(name)
            self._benches(name).save()
        return self._batches[name]

    def _made(self, name: str) -> ReadyCalls | None:
        """None where there is none, or where we fail at making it: then the checks are asked, which say so."""
        task = find_exercise(name).task
        if any(spec.properties for spec in task.functions):
            return None  # which ask for more, one call after the other
        try:
            asked = everything(self._benches(name))
            calls = [each.call for each in asked]
            self.lane.teach(name, calls)
            at_once = AtOnce.of(self._benches(name), asked)
        except Exception as error:
            if not is_ours(error):
                raise
            show_traceback(error)
            return None
        return ReadyCalls(asked, calls, at_once)

    # By the checks.

    def _graded(self, name: str, submission: Submission, sandboxed: Sandboxed) -> WrittenExercise:
        exercise = find_exercise(name)
        refused = submission.refused.get(name)
        source = submission.sources.get(name)
        if refused is not None:
            return self._checked(exercise, unreadable(name, refused))
        if source is None or _digest(name, source) in self._stubs:
            return self._all(name, "not_started")
        sandboxed.renew()
        found = self._checked(exercise, SandboxedCandidate(name, sandboxed), AutodiffWords(source))
        why = self._draw(name).why
        if why and found.status != "not_started":
            return unjudged(
                name, failure_in_words(why, None)
            )  # some may fail before references are asked: nobody is graded
        if found.status == "not_started":
            while len(self._stubs) >= _KNOWN_STUBS:
                del self._stubs[next(iter(self._stubs))]
            self._stubs[_digest(name, source)] = None
        return found

    def _checked(self, exercise: Exercise, candidate: Any, words: AutodiffWords | None = None) -> WrittenExercise:
        def by_checks() -> ExerciseReport:
            verification = self._verification(exercise, candidate)
            verification.words, verification.budget = words, self._budget
            return ExerciseReport(exercise, tuple(verification.results()), seed=verification.drawn_again)

        # What a worker answers may be anything; that it confuses us must cost nobody else anything.
        return exercise_written(unless_we_fail(exercise, None, by_checks))

    def _verification(self, exercise: Exercise, candidate: Any, *, shrink: bool = True) -> Verification:
        verification = verification_of(exercise, candidate, self.seed, self.settings.cache, shrink, secret=True)
        verification.benches = self.warm.benches(exercise)
        verification.draw_from(self._draw(exercise.name).seed)
        return verification

    def _all(self, name: str, status: Status) -> WrittenExercise:
        """The exercise with all checks passed, or none started."""
        if (name, status) not in self._fixed:
            message, seed = "not started", None
            if status == "passed":
                used = self._draw(name).seed
                message, seed = "", None if used == self.seed else used
            self._fixed[name, status] = exercise_written(all_alike(find_exercise(name), status, message, seed))
        return self._fixed[name, status]


def raw_report(
    name: str, digest: str, seed: int, layers: Sequence[Layer], exercises: Sequence[WrittenExercise]
) -> FinalReport:
    """A report before any policy: what a submission's content alone decides."""
    return FinalReport(
        schema=SCHEMA,
        submission=name,
        seed=seed,
        score=round(sum(each.score for each in exercises), 4),
        max_score=round(sum(each.max_score for each in exercises), 4),
        ungraded=ungraded_of(exercises),
        digest=digest,
        sandbox=tuple(layers),
        exercises=tuple(exercises),
    )


def unjudged(name: str, why: str) -> WrittenExercise:
    """An exercise of which nobody can say anything, and why."""
    return exercise_written(all_alike(find_exercise(name), "ungraded", why))


def _digest(name: str, source: bytes) -> bytes:
    return hashlib.sha256(name.encode() + b"\0" + source).digest()
