"""A submission in a worker, as the checks see it: a candidate whose calls go over a socket."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from gradcheck.checks.candidate import Candidate, Varied
from gradcheck.checks.limits import WAITING, Allowance
from gradcheck.checks.outcome import Call, Fault, Outcome, Printed
from gradcheck.isolation.worker import values
from gradcheck.isolation.worker.launch import Died, Lane, Worker
from gradcheck.isolation.worker.wire import Malformed

GRACE_S = 1.0
"""A worker ends a call itself when its time is up, and then can say where it was; after this much more it is ended."""

_PROMPT_S = 0.1
"""So long an answer may take without being waited for: there are thousands, and a busy machine delays each."""

_ASIDE_S = 1.0
"""Seconds of computing for a search after which the checks go on in a fresh worker."""

_BATCH_S = 3.0
"""Seconds of computing for a batch beyond what its last call may need: a worker begins no other call after one."""

MOST_DEATHS = 3
"""An exercise may cost so many workers; after that its calls are not made any more."""


@dataclass
class Sandboxed:
    """One submission in one lane: its files, its time, and the worker that holds it at the moment."""

    lane: Lane
    files: Mapping[str, tuple[str, bytes]]
    computed: float = 0.0
    """Seconds that it has computed. What other processes need, the judge among them, is nobody's time."""
    waited: float = 0.0
    """Seconds that its answers were waited for, beyond what any answer takes."""
    worker: Worker | None = None

    @property
    def time_is_up(self) -> bool:
        return bool(self.used_up)

    @property
    def used_up(self) -> str:
        """Which of its limits the submission has come to, in words."""
        bounds = self.lane.bounds
        if self.computed >= bounds.submission_s:
            return f"the {bounds.submission_s:g} s of computing for the whole submission are used up"
        if self.waited >= self._patience:
            return f"the whole submission has kept the grader waiting for {self._patience:.3g} s"
        return ""

    @property
    def _patience(self) -> float:
        return self.lane.bounds.patience_s(self.computed)

    @contextmanager
    def allowed(self, worker: Worker, computing_s: float, grace_s: float = 0.0) -> Iterator[Allowance]:
        """Time for an answer of `worker`, in the block, and counted as the submission's."""
        bounds = self.lane.bounds
        allowance = worker.allowance(
            min(computing_s, bounds.submission_s - self.computed) + grace_s,
            min(WAITING * computing_s, self._patience - self.waited) + grace_s,
        )
        try:
            yield allowance
        finally:
            self.computed += allowance.computed
            self.waited += max(0.0, allowance.elapsed - _PROMPT_S)

    def alive(self) -> Worker:
        """The worker; a new one where the last one was ended."""
        if self.worker is None or not self.worker.alive:
            self.worker = self.lane.worker(self.files)
        return self.worker

    def renew(self) -> None:
        """Go on in a fresh worker."""
        if self.worker is not None:
            self.worker.end()
        self.worker = None

    end = renew


class SandboxedCandidate(Candidate):
    """The functions of one exercise of a submission that runs elsewhere. `batch_s`: seconds of computing for a batch of
    calls, where that shall be less than a single call may need.
    """

    def __init__(self, exercise: str, submission: Sandboxed, batch_s: float = math.inf) -> None:
        self.exercise, self.submission, self.batch_s = exercise, submission, batch_s
        self.printed = Printed()
        self.neighbour: Callable[[str], Candidate | None] = self._neighbour
        self.deaths = 0
        self._one_by_one = False

    @property
    def is_well(self) -> bool:
        """Whether every batch of calls was answered."""
        return not (self._one_by_one or self.deaths)

    def call_many(self, calls: Sequence[Call]) -> list[Outcome]:
        if self.submission.time_is_up:
            return [_ended("timed_out", "timeout", f"not called: {self.submission.used_up}")]
        if self.deaths >= MOST_DEATHS:
            return [_ended("exited", "ended", f"not called: the file ended its process {self.deaths} times already")]
        limit = self.submission.lane.bounds.call_s
        if len(calls) > 1 and not self._one_by_one:
            with suppress(Died, Malformed):
                return self._asked(calls, min(2 * limit + _BATCH_S, self.batch_s)).outcomes()
            self.submission.renew()
            self._one_by_one = True  # which call it was will be seen
        try:
            # The first call loads the file, for which there is a limit of its own.
            return self._asked(calls[:1], 2 * limit).outcomes()
        except Died as died:
            self.deaths += 1
            if died.silent:
                told = self.submission.used_up or f"no result after {died.allowance.in_words(limit)}"
                return [_ended("timed_out", "timeout", f"{told}; the process was ended")]
            return [_ended("exited", "ended", died.text)]
        except Malformed:
            self.deaths += 1
            self.submission.renew()
            return [_ended("exited", "ended", "what came back is no result; a function returns plain torch tensors")]

    def vary(self, variants: Sequence[Varied]) -> list[str]:
        if self.submission.time_is_up or self.deaths >= MOST_DEATHS or not variants:
            return []
        with suppress(Died, Malformed):
            worker = self.submission.alive()
            with self.submission.allowed(worker, self.submission.lane.bounds.call_s, GRACE_S) as allowance:
                answer, _ = worker.ask(
                    {"do": "vary", "exercise": self.exercise, "variants": variants}, allowance=allowance
                )
            made = answer.get("made")
            return [each.name for each in variants if isinstance(made, list) and each.name in made]
        self.submission.renew()
        return []

    def sent(self, calls: Sequence[Call]) -> values.Sent | None:
        """What the worker answers to a batch, with no outcome made of it yet; None where nothing of use comes."""
        if not self.submission.time_is_up:
            with suppress(Died, Malformed):
                return self._asked(calls, self.batch_s)
        self.submission.renew()
        return None

    def _asked(self, calls: Sequence[Call], computing_s: float) -> values.Sent:
        """What the worker answers. Raises Died, Malformed."""
        worker = self.submission.alive()
        header, body = worker.request(calls)
        with self.submission.allowed(worker, computing_s, GRACE_S) as allowance:
            answer, length = worker.ask({"do": "call", "exercise": self.exercise, **header}, body, allowance=allowance)
            if values.length_of(answer, len(calls)) != length:
                raise Malformed
            sent = values.Sent(answer, worker.body(length, allowance=allowance), len(calls))
        self.printed.write(sent.printed)
        return sent

    def source_of(self, _function: str) -> tuple[bytes, int]:
        """The text of the file, where names tell what is what."""
        return self.submission.files[self.exercise][1] if self.exercise in self.submission.files else b"", 0

    @contextmanager
    def fresh(self, _kept: Collection[str]) -> Iterator[Candidate]:
        """The same functions in a worker in which none was called yet."""
        self.submission.renew()
        yield self

    @contextmanager
    def aside(self) -> Iterator[None]:
        """What calls in the block cost, time and workers, is not the submission's: no check asks for them."""
        submission = self.submission
        computed, waited, deaths = submission.computed, submission.waited, self.deaths
        try:
            yield
        finally:
            if submission.computed - computed > _ASIDE_S:
                submission.renew()  # the system counts a process's time too
            submission.computed, submission.waited, self.deaths = computed, waited, deaths

    def _neighbour(self, exercise: str) -> Candidate | None:
        return SandboxedCandidate(exercise, self.submission) if exercise in self.submission.files else None


def _ended(state: str, kind: str, text: str) -> Outcome:
    assert state in ("timed_out", "exited")
    return Outcome(state, fault=Fault(kind, text))  # type: ignore[arg-type]
