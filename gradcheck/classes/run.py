"""A class is graded: what was graded before is taken from the journal, everything else goes through the lanes.

The order of things makes a run repeatable: a report depends on the submission's content, the grader and the seed, and
on nothing that happened before it or beside it. It also keeps a seed worthless for whoever knows it: everything is read
before the seed is drawn that judges it. A run that was interrupted goes on with its seed; as soon as there is something
to grade that had not been read then, whosever it is, all that is left to grade gets a new one.
"""

from __future__ import annotations

import dataclasses
import os
import sys
import tempfile
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from msgspec.structs import replace

from gradcheck.catalog import find_exercise
from gradcheck.classes.applied import apply_policy
from gradcheck.classes.journal import Journal, Seed, key_of, opened
from gradcheck.classes.judge import Settings, raw_report, unjudged
from gradcheck.classes.policy import Course
from gradcheck.classes.pool import Answer, Facts, Grade, Pool, Prepare, Scan, Task
from gradcheck.classes.written import FinalReport
from gradcheck.errors import GradcheckError
from gradcheck.isolation.sandbox.layers import Layer, baseline_missing, warnings_of
from gradcheck.isolation.worker.launch import Bounds
from gradcheck.submissions.places import Place

_MOST_LANES = 4
"""Side by side they compute expected values, at 0.3 GB each; a submission by itself goes through one of them."""

Progress = Callable[[str, int, int], None]
"""Told of a stage (`reading`, `preparing`, `grading`), how much of it is done, and of how much."""


class Lanes(Protocol):
    """Whatever does tasks: a `Pool` on this machine, a `ClusterPool` on many. Both say more about `run`."""

    def run(self, tasks: Iterable[Task]) -> Iterator[tuple[Task, Answer]]: ...


def settings_for(course: Course, cache: Path, hidden: Iterable[Path]) -> Settings:
    """`cache` is for expected values; `hidden` are further places that no submission may read."""
    limits = course.limits
    places = tuple(str(place.absolute()) for place in hidden)
    bounds = Bounds(limits.call_s, limits.submission_s, limits.memory_mib << 20, sys.platform == "linux", places)
    return Settings(cache.absolute(), course.exercises, bounds)


def must_hold(layers: Sequence[Layer], *, required: bool) -> None:
    """Raises GradcheckError where a layer of the sandbox's baseline is missing and that is `required`."""
    missing = baseline_missing(layers)
    if missing and required:
        why = {layer.name: layer.detail for layer in layers}
        told = "; ".join(f"{name}: {why.get(name, 'not known here')}" for name in missing)
        raise GradcheckError(f"the sandbox lacks {told}. See: gradcheck doctor; or grade without --require-sandbox")


@dataclass(frozen=True)
class GradedSubmission:
    """One submission with its report before any policy. `reused`: it had been graded before this run."""

    facts: Facts
    report: FinalReport
    seed: Seed
    seconds: float
    reused: bool

    def under(self, course: Course) -> FinalReport:
        """The report as it is published: with what was noticed about the submission and the sandbox, the course's
        policy applied, and without the seed before the course is closed.
        """
        report = replace(
            self.seed.published(self.report, closed=course.closed),
            problems=self.facts.problems,
            unusual=(*self.facts.unusual, *_cut_short(self.report)),
            warnings=tuple(warnings_of(self.report.sandbox)),
        )
        return apply_policy(report, course, self.facts)


def _cut_short(report: FinalReport) -> Iterator[str]:
    """What the instructor should know of a report whose searches were ended."""
    names = [each.name for each in report.exercises if any(check.cut_short for check in each.checks)]
    if names:
        yield (
            f"the time for searches was used up at {', '.join(names)}: what is shown there may be a larger case than "
            "need be, and the mistake without a name; no points depend on it"
        )


def grade_class(
    places: Sequence[Place],
    settings: Settings,
    journal: Journal,
    pool: Lanes,
    progress: Progress,
    *,
    repeat: int | None = None,
) -> Iterator[GradedSubmission]:
    """Every submission, as soon as it is graded. With `repeat`, the seed of an earlier run, only what was graded with
    that seed counts as graded. Raises GradcheckError where nothing can be graded here; whatever was graded until then
    is in the journal.
    """
    facts = dict(_scanned(places, pool, progress))
    grading = settings.grading
    keys = {name: key_of(each.digest, grading) for name, each in facts.items()}
    new = [place for place in places if not journal.holds(keys[place.name], repeat)]
    seed = _seed_for({facts[place.name].digest for place in new}, settings, journal, repeat)
    _prepare(new, facts, settings, seed, pool, progress)
    before = {place.name for place in places} - {place.name for place in new}
    done = 0
    rest = list(places)
    while rest:
        waiting = []
        for place in rest:
            if not journal.holds(keys[place.name], repeat):
                waiting.append(place)
                continue
            entry = journal.entry(keys[place.name], repeat)
            done += 1
            progress("grading", done, len(places))
            yield GradedSubmission(
                facts[place.name], entry.report, entry.seed, entry.seconds, reused=place.name in before
            )
        firsts = _first_of_each(waiting, facts)
        for task, answer in pool.run([Grade(place, seed.number) for place in firsts]):
            assert isinstance(task, Grade)
            now = answer.facts or facts[task.place.name]
            report = answer.report or _given_up(now, settings, seed)
            # The next run tries anew what the grader failed on, and what changed after it had been read: with that,
            # after the seed was drawn.
            if not report.ungraded and now.digest == facts[task.place.name].digest:
                journal.write(keys[task.place.name], report, answer.seconds)
            done += 1
            progress("grading", done, len(places))
            yield GradedSubmission(now, report, seed, answer.seconds, reused=False)
        chosen = {place.name for place in firsts}
        rest = [place for place in waiting if place.name not in chosen]


def grade_checkout(
    folder: Path,
    course: Course,
    *,
    name: str,
    submitted: str | None = None,
    require_sandbox: bool = False,
    progress: Progress | None = None,
    unusual: list[str] | None = None,
) -> FinalReport:
    """A folder's report, as `gradcheck grade` writes it (docs/report-v1.md), after the course's policy.

    `folder` holds `exercises/`, or is one of the other layouts that a submission may have; `name` is what the report
    calls it, and what the course's roster knows it by. The working tree is read, whatever the course says of commits.
    `submitted` is when it was handed in (ISO 8601 with an offset), where the host knows better than git. The report
    names its seed: each is drawn for one run alone, and no later one uses it. What is for the instructor alone is in no
    report of a host, which shows it to the learner; it goes to `unusual`.

    Raises GradcheckError where nothing can be graded on this machine, or with `require_sandbox` not safely.
    """
    lanes = max(1, min(_MOST_LANES, os.cpu_count() or 1, len(course.exercises)))
    place = Place(name, str(folder.absolute()), is_archive=False)
    with tempfile.TemporaryDirectory(prefix="gradcheck-") as made:
        state = Path(made)
        settings = settings_for(course, state / "expected", hidden=(folder, state))
        with opened(state) as journal, Pool(settings, lanes) as pool:
            must_hold(pool.ready(), required=require_sandbox)
            (graded,) = grade_class([place], settings, journal, pool, progress or (lambda *_: None))
    if submitted is not None:
        graded = dataclasses.replace(graded, facts=dataclasses.replace(graded.facts, submitted=submitted))
    report = graded.under(dataclasses.replace(course, closed=True))
    if unusual is not None:
        unusual += report.unusual
    # What is for the instructor alone is said where an instructor grades: a host shows this report to the learner.
    return replace(report, unusual=())


def _seed_for(digests: Collection[str], settings: Settings, journal: Journal, repeat: int | None) -> Seed:
    """The seed in use, where it may judge all of these contents; else another, drawn now that they have been read."""
    seed = journal.seed
    if seed is not None and journal.may_judge(digests) and repeat in (None, seed.number):
        return seed
    drawn = journal.start(Seed.drawn() if repeat is None else Seed.of(repeat), digests)
    if seed not in (None, drawn):
        for path in settings.cache.glob("*.json"):  # the expected values of a seed that is not used any more
            with suppress(OSError):
                path.unlink()
    return drawn


def _scanned(places: Sequence[Place], pool: Lanes, progress: Progress) -> Iterator[tuple[str, Facts]]:
    tasks = [Scan(place) for place in places]
    for number, (task, answer) in enumerate(pool.run(tasks), 1):
        assert isinstance(task, Scan)
        progress("reading", number, len(places))
        told = "it could not be read: reading it ended the process that did, twice"
        yield task.place.name, answer.facts or Facts(task.place.name, "unreadable", "", "", (told,), ())


def _first_of_each(places: list[Place], facts: dict[str, Facts]) -> list[Place]:
    """Of submissions with the same content one is graded; the others then find its report."""
    seen: dict[str, Place] = {}
    for place in places:
        seen.setdefault(facts[place.name].digest, place)
    return list(seen.values())


def _prepare(
    places: list[Place], facts: dict[str, Facts], settings: Settings, seed: Seed, pool: Lanes, progress: Progress
) -> None:
    """The expected values of what somebody has handed in, the longest first."""
    started = {name for place in places for name in facts[place.name].started}
    names = [name for name in settings.exercises if name in started]
    names.sort(key=lambda name: -len(find_exercise(name).functions))
    for number, _ in enumerate(pool.run([Prepare(name, seed.number) for name in names]), 1):
        progress("preparing", number, len(names))


def _given_up(facts: Facts, settings: Settings, seed: Seed) -> FinalReport:
    """The report of a submission at which two grading processes died."""
    told = "grading it ended two grading processes; grade it by itself, and tell whoever looks after the grader"
    return raw_report(facts.name, facts.digest, seed.number, [], [unjudged(name, told) for name in settings.exercises])
