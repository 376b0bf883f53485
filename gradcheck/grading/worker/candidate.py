"""A submission in a worker, as the checks see it: a candidate whose calls go over a socket."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from gradcheck.checks.candidate import Candidate
from gradcheck.checks.outcome import Arguments, Fault, Outcome, Printed
from gradcheck.grading.worker import arguments as packing
from gradcheck.grading.worker import outcomes
from gradcheck.grading.worker.launch import Died, Lane, Worker
from gradcheck.grading.worker.wire import Malformed

GRACE_S = 1.0
"""A worker ends a call itself when its time is up, and then can say where it was; after this much more it is ended."""

MOST_DEATHS = 3
"""An exercise may cost so many workers; after that its calls are not made any more."""


@dataclass
class Sandboxed:
    """One submission in one lane: its files, its time, and the worker that holds it at the moment."""

    lane: Lane
    files: Mapping[str, tuple[str, bytes]]
    spent: float = 0.0
    """Seconds that answers were waited for. What the judge itself needs, on a slow machine, is nobody's time."""
    worker: Worker | None = None

    @property
    def left(self) -> float:
        """Seconds that the submission may still use."""
        return self.lane.bounds.submission_s - self.spent

    @property
    def time_is_up(self) -> bool:
        return self.left <= 0

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Count the block as the submission's time."""
        started = time.monotonic()
        try:
            yield
        finally:
            self.spent += time.monotonic() - started

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


class SandboxedCandidate:
    """The functions of one exercise of a submission that runs elsewhere."""

    def __init__(self, exercise: str, submission: Sandboxed) -> None:
        self.exercise, self.submission = exercise, submission
        self.printed = Printed()
        self.neighbour: Callable[[str], Candidate | None] = self._neighbour
        self.deaths = 0

    def call(self, function: str, arguments: Arguments, *, count: bool = False) -> Outcome:
        if self.submission.time_is_up:
            limit = self.submission.lane.bounds.submission_s
            return _ended("timed_out", "timeout", f"not called: the {limit:g} s for the whole submission are used up")
        if self.deaths >= MOST_DEATHS:
            return _ended("exited", "ended", f"not called: the file ended its process {self.deaths} times already")
        packed = packing.Packed()
        names = packing.pack(arguments, packed)
        header = {"do": "call", "exercise": self.exercise, "function": function, "arguments": names, "count": count}
        limit = self.submission.lane.bounds.call_s
        try:
            worker = self.submission.alive()
            with self.submission.waiting():
                # The first call loads the file, for which there is a limit of its own.
                until = time.monotonic() + min(2 * limit, self.submission.left) + GRACE_S
                answer, length = worker.ask(header, packed.bytes(), until=until)
                outcomes.must_fit(answer, length)
                body = worker.body(length, until=until)
            outcome, printed = outcomes.unpack(answer, body)
        except Died as died:
            self.deaths += 1
            if died.silent:
                return _ended("timed_out", "timeout", f"no result after {limit:g} s; the process was ended")
            return _ended("exited", "ended", died.text)
        except Malformed:
            self.deaths += 1
            self.submission.renew()
            return _ended("exited", "ended", "what came back is no result; a function returns plain torch tensors")
        self.printed.write(printed)
        return outcome

    def _neighbour(self, exercise: str) -> Candidate | None:
        return SandboxedCandidate(exercise, self.submission) if exercise in self.submission.files else None


def _ended(state: str, kind: str, text: str) -> Outcome:
    assert state in ("timed_out", "exited")
    return Outcome(state, fault=Fault(kind, text))  # type: ignore[arg-type]
