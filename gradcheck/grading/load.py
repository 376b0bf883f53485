"""A file of a submission becomes a candidate. Loading runs the file, so the limits of a call hold for it too."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from gradcheck.catalog import Exercise, find_exercise
from gradcheck.checks.candidate import InProcessCandidate
from gradcheck.checks.limits import CALL_LIMIT_S
from gradcheck.checks.outcome import Outcome
from gradcheck.grading.execute import execute, unreadable
from gradcheck.grading.located import MAX_BYTES

if TYPE_CHECKING:
    from gradcheck.checks.trials import Benches


def load_candidate(
    exercise: Exercise, path: Path, shown: str = "", limit_s: float = CALL_LIMIT_S
) -> InProcessCandidate:
    """The functions of `path`. A file that cannot be read or run becomes a candidate whose every call says so. It can
    import what it could where a class is graded.

    `shown` is the name that messages use for the file.
    """
    shown = shown or path.name
    try:
        if not path.exists():
            return InProcessCandidate({}, shown, Outcome("not_started"), limit_s)
        size = path.stat().st_size
        if not path.is_file():
            return unreadable(shown, f"{shown} is not a file; the exercise {exercise.name} belongs there", limit_s)
        if size > MAX_BYTES:
            return unreadable(shown, f"{shown} has {size:,} bytes; an exercise has at most {MAX_BYTES:,}", limit_s)
        source = path.read_bytes()
    except OSError as error:
        return unreadable(shown, f"{shown} cannot be read: {error.strerror}", limit_s)
    module = f"gradcheck_submission_{zlib.crc32(str(path).encode())}_{exercise.name}"
    candidate = execute(source, module, shown, str(path), limit_s, as_in_a_worker=True)
    candidate.neighbour = lambda name: _neighbour(name, exercise, path, limit_s)
    return candidate


def _neighbour(name: str, exercise: Exercise, path: Path, limit_s: float) -> InProcessCandidate | None:
    """Another exercise of the submission that `path` belongs to."""
    other = find_exercise(name)
    root = path.parent.parent if path.parent.name == exercise.unit else path.parent
    places = (root / other.path, path.parent / f"{other.name}.py")
    found = next((place for place in places if place.is_file()), None)
    return load_candidate(other, found, found.name, limit_s) if found else None


# What a grading process keeps between gradings.


class Warm:
    """The benches of the `most` exercises that were asked for last."""

    def __init__(self, cache: Path | None, seed: int = 0, most: int = 6) -> None:
        self.cache, self.seed, self.most = cache, seed, most
        self._kept: dict[str, Benches] = {}

    def benches(self, exercise: Exercise) -> Benches:
        from gradcheck.checks.trials import Benches

        kept = self._kept.pop(exercise.name, None) or Benches(exercise.task, self.seed, self.cache)
        self._kept[exercise.name] = kept
        while len(self._kept) > self.most:
            del self._kept[next(iter(self._kept))]
        return kept

    def prepare(self, exercise: Exercise, seed: int | None = None) -> Iterator[None]:
        """Everything that a grading of `exercise` will need, in small steps, before there is anything to grade; drawn
        from `seed`, where that is given.
        """
        from gradcheck.checks.rounds import round_of

        benches = self.benches(exercise).drawn(self.seed if seed is None else seed)
        for spec in exercise.task.functions:
            for check in spec.checks:
                while round_of(benches, spec, check).make():
                    yield
        benches.save()
