"""What a grading process keeps between gradings: an exercise's cases, calls and expected values are made once.

None of it depends on the learner's file: arguments are plain data, and every call gets tensors of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from gradcheck.catalog import Exercise
from gradcheck.checks.bench import Bench, Benches, OperatorBench
from gradcheck.checks.cases import Case
from gradcheck.checks.reference_trials import ReferenceTrials
from gradcheck.checks.task import FunctionSpec
from gradcheck.checks.trials import Trial
from gradcheck.references.store import ExpectedStore


@dataclass(frozen=True)
class _KeptOperatorBench(OperatorBench):
    made: dict[int, list[Trial]] = field(default_factory=dict)

    def of(self, case: Case) -> list[Trial]:
        # By identity: the bench keeps its cases, so that none is ever another's successor in memory.
        if id(case) not in self.made:
            self.made[id(case)] = super().of(case)
        return self.made[id(case)]


class _KeptReferenceTrials(ReferenceTrials):
    def __init__(self, spec: FunctionSpec, store: ExpectedStore, seed: int) -> None:
        super().__init__(spec, store, seed)
        self.kept: dict[str, list[Trial]] = {}

    def of(self, case: Case) -> list[Trial]:
        if case.name not in self.kept:
            self.kept[case.name] = super().of(case)
        return self.kept[case.name]


class KeptBenches(Benches):
    """The benches of a task, for many verifications of it."""

    def _operator(self, spec: FunctionSpec) -> Bench:
        return _KeptOperatorBench(self.trials(spec), spec, self.task.is_beside_jacobian(spec))

    def _reference(self, spec: FunctionSpec) -> Bench:
        assert spec.reference is not None
        store = ExpectedStore(f"{self.task.name}.{spec.name}", self.cache, spec.reference.fingerprint)
        return _KeptReferenceTrials(spec, store, self.seed)


class Warm:
    """The benches of the `most` exercises that were asked for last."""

    def __init__(self, cache: Path | None, seed: int = 0, most: int = 6) -> None:
        self.cache, self.seed, self.most = cache, seed, most
        self._kept: dict[str, KeptBenches] = {}

    def benches(self, exercise: Exercise) -> KeptBenches:
        kept = self._kept.pop(exercise.name, None) or KeptBenches(exercise.task, self.seed, self.cache)
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
            bench = benches.of(spec)
            bench.agree()
            yield
            for group in ("generic", "edge"):
                for case in bench.cases(group):
                    bench.of(case)
                    yield
        benches.save()
