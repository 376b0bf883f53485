"""Where a function is tried: its cases and trials, whether it belongs to an operator or has a reference of its own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from gradcheck.checks.cases import Case
from gradcheck.checks.task import FunctionSpec, Task
from gradcheck.checks.trials import Trial, Trials
from gradcheck.references.store import ExpectedStore

if TYPE_CHECKING:
    from gradcheck.checks.rounds import Round


class Bench(Protocol):
    """One function's cases and trials."""

    @property
    def store(self) -> ExpectedStore: ...

    def cases(self, group: str) -> list[Case]:
        """The `generic` cases or the `edge` cases."""
        ...

    def of(self, case: Case) -> list[Trial]:
        """All trials of a case."""
        ...

    def blind(self, case: Case) -> Trial:
        """The first call of a case; enough to see whether the function runs."""
        ...

    def formed(self, case: Case) -> Trial:
        """The first trial of a case with the form of its result; its numbers may be missing."""
        ...

    def agree(self) -> None:
        """Raises ReferenceDisagreement where the references contradict each other."""
        ...


@dataclass(frozen=True)
class OperatorBench:
    """A function of an operator. `beside_jacobian`: a backward that a Jacobian must agree with is tried where the two
    are compared as well, so that an error of its own is found in it and not in the Jacobian.
    """

    trials: Trials
    spec: FunctionSpec
    beside_jacobian: bool = False

    @property
    def store(self) -> ExpectedStore:
        return self.trials.store

    def cases(self, group: str) -> list[Case]:
        cases = self.trials.cases(group, sample=self.spec.role == "jacobian")
        return cases + self.trials.batches_of_one() if self.beside_jacobian and group == "edge" else cases

    def of(self, case: Case) -> list[Trial]:
        return self.trials.of(self.spec, case)

    def blind(self, case: Case) -> Trial:
        return self.trials.blind(self.spec, case)

    formed = blind

    def agree(self) -> None:
        self.trials.agree()


class Benches:
    """The benches of a task; functions of one operator share its trials and its store of expected values."""

    def __init__(self, task: Task, seed: int, cache: Path | None) -> None:
        self.task, self.seed, self.cache = task, seed, cache
        self._trials: dict[str, Trials] = {}
        self._benches: dict[str, Bench] = {}
        self._drawn: dict[int, Benches] = {}
        self.rounds: dict[tuple[str, str], Round] = {}
        """By function and check, what is asked for; see `rounds`."""

    def drawn(self, seed: int) -> Benches:
        """The same with everything drawn from another seed; made once, so that whoever asks shares it."""
        if seed == self.seed:
            return self
        if seed not in self._drawn:
            self._drawn[seed] = type(self)(self.task, seed, self.cache)
            self._drawn[seed]._drawn = self._drawn  # noqa: SLF001 — one of our own kind
        return self._drawn[seed]

    def of(self, spec: FunctionSpec) -> Bench:
        if spec.name not in self._benches:
            self._benches[spec.name] = self._reference(spec) if spec.reference else self._operator(spec)
        return self._benches[spec.name]

    def trials(self, spec: FunctionSpec) -> Trials:
        """The trials of the operator that a function belongs to."""
        operator = spec.operator or self.task.operator
        assert operator is not None, f"{self.task.name}.{spec.name} belongs to no operator and has no reference"
        if operator.name not in self._trials:
            self._trials[operator.name] = Trials(operator, ExpectedStore(operator, self.cache), self.seed)
        return self._trials[operator.name]

    def _operator(self, spec: FunctionSpec) -> Bench:
        return OperatorBench(self.trials(spec), spec, self.task.is_beside_jacobian(spec))

    def _reference(self, spec: FunctionSpec) -> Bench:
        from gradcheck.checks.reference_trials import ReferenceTrials

        assert spec.reference is not None
        store = ExpectedStore(f"{self.task.name}.{spec.name}", self.cache, spec.reference.fingerprint)
        return ReferenceTrials(spec, store, self.seed)

    def save(self) -> None:
        """Write what was computed anew."""
        for benches in (self, *self._drawn.values()):
            for store in {id(bench.store): bench.store for bench in benches._benches.values()}.values():  # noqa: SLF001
                store.save()
