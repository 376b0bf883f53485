"""A class is graded: what was graded before is taken from the journal, everything else goes through the lanes.

The order of things makes a run repeatable: a report depends on the submission's content, the grader and the seed, and
on nothing that happened before it or beside it.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from gradcheck.catalog import find_exercise
from gradcheck.grading.batch.journal import Journal, key_of
from gradcheck.grading.batch.judge import Settings, raw_report, unjudged
from gradcheck.grading.batch.tasks import Answer, Facts, Grade, Prepare, Scan, Task
from gradcheck.grading.policy.applied import apply_policy
from gradcheck.grading.policy.course import Course
from gradcheck.grading.report import ungraded_in
from gradcheck.grading.sandbox.layers import Layer, warnings_of
from gradcheck.grading.submissions.places import Place

Progress = Callable[[str, int, int], None]
"""Told of a stage (`reading`, `preparing`, `grading`), how much of it is done, and of how much."""


class Lanes(Protocol):
    """Whatever does tasks: a `Pool` on this machine, a `ClusterPool` on many. Both say more about `run`."""

    def run(self, tasks: Iterable[Task]) -> Iterator[tuple[Task, Answer]]: ...


@dataclass(frozen=True)
class Graded:
    """One submission with its report before any policy. `reused`: it had been graded before this run."""

    facts: Facts
    report: dict[str, Any]
    seconds: float
    reused: bool

    def under(self, course: Course) -> dict[str, Any]:
        """The report with what was noticed about the submission and the sandbox, and the course's policy applied."""
        warnings = warnings_of([Layer(**each) for each in self.report["sandbox"]])
        noticed = {"problems": list(self.facts.problems), "unusual": list(self.facts.unusual), "warnings": warnings}
        return apply_policy({**self.report, **noticed}, course, self.facts)


def new_seed() -> int:
    """A seed that no submission can know: 48 random bits, which every JSON reader keeps exactly."""
    return secrets.randbits(48)


def grade_class(
    places: Sequence[Place], settings: Settings, journal: Journal, pool: Lanes, progress: Progress
) -> Iterator[Graded]:
    """Every submission, as soon as it is graded. Raises GradcheckError where nothing can be graded here; whatever was
    graded until then is in the journal.
    """
    grading = settings.grading
    facts = dict(_scanned(places, pool, progress))
    done = 0
    first_round = True

    def known(place: Place) -> Graded | None:
        key = key_of(facts[place.name].digest, grading)
        if key not in journal:
            return None
        entry = journal.entry(key)
        return Graded(facts[place.name], entry.report, entry.seconds, reused=first_round)

    rest = list(places)
    while rest:
        waiting = []
        for place in rest:
            found = known(place)
            if found is None:
                waiting.append(place)
                continue
            done += 1
            progress("grading", done, len(places))
            yield found
        if first_round:
            _prepare(waiting, facts, settings, pool, progress)
            first_round = False
        firsts = _first_of_each(waiting, facts)
        for task, answer in pool.run([Grade(place) for place in firsts]):
            assert isinstance(task, Grade)
            now = answer.facts or facts[task.place.name]  # it may have changed since it was read first
            # What the grader failed on is tried anew by the next run.
            if answer.report and not ungraded_in(answer.report):
                journal.write(key_of(now.digest, grading), answer.report, answer.seconds)
            done += 1
            progress("grading", done, len(places))
            yield Graded(now, answer.report or _given_up(now, settings), answer.seconds, reused=False)
        chosen = {place.name for place in firsts}
        rest = [place for place in waiting if place.name not in chosen]


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


def _prepare(places: list[Place], facts: dict[str, Facts], settings: Settings, pool: Lanes, progress: Progress) -> None:
    """The expected values of what somebody has handed in, the longest first."""
    started = {name for place in places for name in facts[place.name].started}
    names = [name for name in settings.exercises if name in started]
    names.sort(key=lambda name: -len(find_exercise(name).functions))
    for number, _ in enumerate(pool.run([Prepare(name) for name in names]), 1):
        progress("preparing", number, len(names))


def _given_up(facts: Facts, settings: Settings) -> dict[str, Any]:
    """The report of a submission at which two grading processes died."""
    told = "grading it ended two grading processes; grade it by itself, and tell whoever looks after the grader"
    return raw_report(
        facts.name, facts.digest, settings.seed, [], [unjudged(name, told) for name in settings.exercises]
    )
