"""Which submissions go to a cluster next, in shards of how many, and what is done with those that a worker died of."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from gradcheck.classes.tasks import Answer, Task
from gradcheck.submissions.submission import Submission

_MOST = 16
_MOST_BYTES = 8 << 20
_FLYING_BYTES = 256 << 20
_PER_WORKER = 2
"""Shards for each thread of a worker: one that it works on, and the next."""
_DEATHS = 2


@dataclass
class Piece:
    """A shard, here. `deaths` counts the workers that died while they graded it, `lost` how often it got lost
    otherwise.
    """

    submissions: Sequence[Submission]
    size: int
    mark: str = ""
    deaths: int = 0
    lost: int = 0


class Outgoing:
    """What is still to be sent. `reading` gives `total` answers to `Read`; nothing is read before it is needed."""

    def __init__(self, reading: Iterator[tuple[Task, Answer]], total: int) -> None:
        self._reading, self._unread = reading, total
        self._again: deque[Piece] = deque()
        self._unreadable: list[str] = []

    def __bool__(self) -> bool:
        return bool(self._again or self._unread or self._unreadable)

    def next(self, flying: Sequence[Piece], workers: int) -> Piece | None:
        """The next shard; None where enough are under way, or nothing is left."""
        most = _PER_WORKER * max(1, workers)
        if flying and (len(flying) >= most or sum(piece.size for piece in flying) >= _FLYING_BYTES):
            return None
        if self._again:
            return self._again.popleft()
        # Smaller towards the end, so that no worker waits for what another one has too much of.
        wanted = max(1, min(_MOST, self._unread // most))
        taken: list[Submission] = []
        size = 0
        while self._unread and len(taken) < wanted and size < _MOST_BYTES:
            task, answer = next(self._reading)
            self._unread -= 1
            if answer.submission is None:
                self._unreadable.append(task.place.name)  # type: ignore[union-attr]  # a Read has a place
                continue
            taken.append(answer.submission)
            size += _bytes(answer.submission)
        return Piece(taken, size) if taken else None

    def unreadable(self) -> list[str]:
        """The names of those that could not be read since this was asked last."""
        found, self._unreadable = self._unreadable, []
        return found

    def back(self, piece: Piece) -> None:
        """A shard that has to be sent once more, through no fault of its own."""
        self._again.append(piece)

    def again(self, piece: Piece) -> Sequence[Submission]:
        """A worker died at this shard. Its submissions go out alone, which costs fewer workers than halves would.

        Those are returned that are given up, being alone at which several workers died.
        """
        if len(piece.submissions) > 1:
            self._again += [Piece([submission], _bytes(submission)) for submission in piece.submissions]
            return ()
        piece.deaths += 1
        if piece.deaths >= _DEATHS:
            return piece.submissions
        self._again.append(piece)
        return ()


def _bytes(submission: Submission) -> int:
    return sum(map(len, submission.sources.values()))
