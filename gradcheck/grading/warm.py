"""What a grading process keeps between gradings: an exercise's cases, calls and expected values are made once.

None of it depends on the learner's file: arguments are plain data, and every call gets tensors of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from gradcheck.catalog import Exercise
from gradcheck.checks.rounds import round_of
from gradcheck.checks.trials import Benches


class Warm:
    """The benches of the `most` exercises that were asked for last."""

    def __init__(self, cache: Path | None, seed: int = 0, most: int = 6) -> None:
        self.cache, self.seed, self.most = cache, seed, most
        self._kept: dict[str, Benches] = {}

    def benches(self, exercise: Exercise) -> Benches:
        kept = self._kept.pop(exercise.name, None) or Benches(exercise.task, self.seed, self.cache)
        self._kept[exercise.name] = kept
        while len(self._kept) > self.most:
            del self._kept[next(iter(self._kept))]
        return kept

    def prepare(self, exercise: Exercise, seed: int | None = None) -> Iterator[None]:
        """Everything that a grading of `exercise` will need, in small steps, before there is anything to grade; drawn
        from `seed`, where that is given.
        """
        benches = self.benches(exercise).drawn(self.seed if seed is None else seed)
        for spec in exercise.task.functions:
            for check in spec.checks:
                while round_of(benches, spec, check).make():
                    yield
        benches.save()
