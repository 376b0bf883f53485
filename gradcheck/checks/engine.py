"""Runs the checks of a task on a candidate. A check asks for its prerequisite first; each is run once, on demand."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from itertools import islice, takewhile
from pathlib import Path
from typing import Any, TypeVar

from gradcheck.checks import properties, wording
from gradcheck.checks.candidate import Candidate, InProcessCandidate
from gradcheck.checks.cases import Case, walk
from gradcheck.checks.file_code import AutodiffWords
from gradcheck.checks.judge import Judged, confused, ended, impure, judge, malformed
from gradcheck.checks.limits import WAITING, Allowance, Budget, OwnTime
from gradcheck.checks.outcome import Argument, Arguments, Call, Foreign, Outcome, Returned, Value
from gradcheck.checks.properties import Unfinished
from gradcheck.checks.results import (
    MOST_DRAWS,
    CheckResult,
    OwnFailure,
    draws_from,
    failure_in_words,
    is_ours,
    show_traceback,
)
from gradcheck.checks.rounds import Asked, Key, key_of, round_of
from gradcheck.checks.task import Confusion, FunctionSpec, Property, Task, default_task
from gradcheck.checks.trials import Bench, Benches, Trial, listed
from gradcheck.errors import FormulaError
from gradcheck.operators.record import Operator

T = TypeVar("T")
Explain = Callable[["Verification", FunctionSpec, CheckResult], CheckResult]


class Verification:
    """The checks of one task on one candidate.

    `seed` draws every input and cotangent. Where the grader itself fails everything is drawn again, from another seed
    (see `draws_from`): `seed` is then that one, and what fails at the last of `draws` is `ungraded`. In sentences the
    seed is not named where it is `secret`.
    `cache` is a folder for expected values, or None to keep them in memory.
    With `shrink` a failure is narrowed to a small counterexample; without, the failing case is shown as it is.
    `explain` gives a failure its diagnosis; it comes from the room above. `words` are those of the candidate's file,
    where it runs without autograd. `budget` is what all searches may spend; where it ran out, a failure is `cut_short`.
    """

    def __init__(
        self,
        candidate: Candidate,
        task: Task,
        *,
        seed: int = 0,
        cache: Path | None = None,
        shrink: bool = True,
        explain: Explain | None = None,
        draws: int = MOST_DRAWS,
        secret: bool = False,
    ) -> None:
        self.candidate, self.task, self.seed, self.shrink = candidate, task, seed, shrink
        self.explain, self.secret = explain, secret
        self.benches = Benches(task, seed, cache)
        self.first_seed, self._later = seed, list(draws_from(seed)[1:draws])
        self.failures: list[Exception] = []
        """The grader's own, at all draws."""
        self.words: AutodiffWords | None = None
        self.budget = Budget()
        self._results: dict[tuple[str, str], CheckResult] = {}
        self._outcomes: dict[Key, Outcome] = {}
        self.shown: dict[tuple[str, str], tuple[Trial, Outcome]] = {}
        """The call that a failure shows, by function and check, where a smaller one was looked for."""
        self._searched: dict[Hashable, Any] = {}

    def results(self) -> list[CheckResult]:
        """Every check of every function, in order, at one draw."""
        while True:
            seed = self.seed
            found = [self.result(spec.name, check) for spec in self.task.functions for check in spec.checks]
            if seed == self.seed:
                break
        self.save()
        return found

    @property
    def drawn_again(self) -> int | None:
        """The seed in use, where it is not the one that was asked for."""
        return None if self.seed == self.first_seed else self.seed

    def draw_from(self, seed: int) -> None:
        """Go over to one of the later draws; what was found before is forgotten."""
        self.benches, self.seed = self.benches.drawn(seed), seed
        self._later = self._later[self._later.index(seed) + 1 :] if seed in self._later else self._later
        self._results.clear()
        self._outcomes.clear()
        self.shown.clear()
        self._searched.clear()

    def save(self) -> None:
        """Keep the expected values that were computed anew."""
        self.benches.save()

    def result(self, function: str, check: str) -> CheckResult:
        """One check, after those it depends on; drawn again where the grader fails."""
        found = self._tried(function, check)
        while found is None:
            self.draw_from(self._later[0])
            found = self._tried(function, check)
        return found

    def _tried(self, function: str, check: str) -> CheckResult | None:
        try:
            return self._result(function, check)
        except OwnFailure:
            return None

    def _result(self, function: str, check: str) -> CheckResult:
        """One check at this draw. Raises OwnFailure where the grader fails and there is another draw."""
        key = function, check
        if key not in self._results:
            self._results[key] = self._found(self.task.function(function), check)
        return self._results[key]

    def _found(self, spec: FunctionSpec, check: str) -> CheckResult:
        cut = self.budget.cut
        try:
            found = self._run(spec, check)
            if found.status in ("failed", "errored"):
                found = replace(self._by_autograd(spec, found), waiting=spec.waiting_for(check))
                found = self._with_output(spec, found)
                found = self.explain(self, spec, found) if self.explain else found
                found = replace(found, cut_short=self.budget.cut > cut)
        except OwnFailure:
            raise  # by a check that this one asked for
        except Exception as error:
            if not is_ours(error):
                raise
            show_traceback(error)
            self.failures.append(error)
            if self._later:
                raise OwnFailure from error
            message = failure_in_words(error, None if self.secret else self.first_seed)
            return CheckResult(self.task.name, spec.name, check, "ungraded", message)
        return found

    def _run(self, spec: FunctionSpec, check: str) -> CheckResult:
        blank = CheckResult(self.task.name, spec.name, check, "passed")
        before = spec.prerequisite(check)
        if before:
            found = self._result(spec.name, before)
            if found.status == "not_started":
                return replace(blank, status="not_started", message="not started")
            if not found.ok:
                return _waits(blank, found)
        try:
            for confusion in spec.confusions:
                if confusion.check == check:
                    return self._confusion(spec, blank, confusion)
            for each in spec.properties:
                if each.check == check:
                    return self._property(spec, blank, each)
            run: Callable[[FunctionSpec, CheckResult], CheckResult] = getattr(self, f"_{check}")
            return run(spec, blank)
        except Unfinished as unfinished:
            trial = self._asked(blank, unfinished.arguments)
            return ended(spec, blank, trial, unfinished.outcome) or blank

    def _by_autograd(self, spec: FunctionSpec, found: CheckResult) -> CheckResult:
        """A failure as it is told where the function asked for automatic differentiation, and got nothing.

        What the function itself names explains any failure; what stands elsewhere in the file, only that nothing came.
        """
        if self.words is None or found.code in ("uses-autograd", "missing-function", "timed-out", "exited"):
            return found
        used = self.words.reached_by(spec.name)
        if not used and any(_empty(outcome) for key, outcome in self._outcomes.items() if key[0] == spec.name):
            used = self.words.anywhere
        return wording.refused(CheckResult(found.task, found.function, found.check, "passed"), used) if used else found

    def _with_output(self, spec: FunctionSpec, found: CheckResult) -> CheckResult:
        """The failure of a backward with what its forward gives at the same inputs, if the learner's forward holds."""
        example, forward = found.counterexample, self.task.forward_of(spec)
        if forward is None or example is None or example.got is None:
            return found
        inputs = {name: example.arguments[name] for name in forward.parameters}
        if sum(leaf.values.size for _, leaf in walk(inputs) if isinstance(leaf, Argument)) > _REDONE_BY_HAND:
            return found
        with self.searching():
            if not self._result(forward.name, "edge_cases").ok:
                return found
        try:
            row = self.bench(forward).reference.guessed("float64", [inputs])[0]
        except Exception:  # one number of a drawing: without it the failure stands as it is
            return found
        output, *others = (listed(each.value) for each in row.values())
        return found if others else replace(found, counterexample=replace(example, output=output))

    # One method per check, named like it, in their order.

    def _runs(self, spec: FunctionSpec, blank: CheckResult) -> CheckResult:
        for trial, outcome in self._came(spec, blank):
            if outcome.state == "not_started":
                return replace(blank, status="not_started", message="not started")
            failure = ended(spec, blank, trial, outcome)
            if failure and wording.is_of_the_file(outcome):
                return self._told_once(failure)
            return self.narrowed(spec, failure, trial, outcome, ended) if failure else blank
        raise AssertionError

    def _told_once(self, failure: CheckResult) -> CheckResult:
        """Why a file was not read, at its first function alone."""
        first = self.task.functions[0].name
        if failure.function == first:
            return failure
        found = self._result(first, "runs")
        blank = replace(failure, status="skipped", code="", lines=(), fault=None)
        return failure if found.ok else replace(_waits(blank, found), message=f"the file was not read: see {found.id}")

    def _form(self, spec: FunctionSpec, blank: CheckResult) -> CheckResult:
        """What came back has the right form, on every generic case; no number is looked at."""

        def judged(spec: FunctionSpec, blank: CheckResult, trial: Trial, outcome: Outcome) -> CheckResult | None:
            return ended(spec, blank, trial, outcome) or malformed(blank.check, blank, trial, outcome)

        for trial, outcome in self._came(spec, blank):
            failure = judged(spec, blank, trial, outcome)
            if failure:
                return self.narrowed(spec, failure, trial, outcome, judged)
        return blank

    _type = _shape = _dtype = _form

    def _purity(self, spec: FunctionSpec, blank: CheckResult) -> CheckResult:
        came = self._came(spec, blank)
        for case, (formed, outcome), (_, again) in zip(self.generic(spec), came, came, strict=False):
            # Whether grad_output is the answer where it came back is asked of the numbers, which `formed` may lack.
            trial = formed
            if impure(spec, blank, trial, outcome):
                trial = self.bench(spec).of(case)[0]
                unclean = impure(spec, blank, trial, outcome)
                if unclean:
                    return self.narrowed(spec, unclean, trial, outcome, impure)
            if not properties.same_result(outcome, again):
                return wording.nondeterministic(blank, trial, outcome, again, self._another(spec, case))
        return blank

    def _another(self, spec: FunctionSpec, case: Case) -> list[Call]:
        """A call of the function with other inputs than those of `case`."""
        others = (each for each in self.generic(spec) if each is not case)
        return [Call(spec.name, self.bench(spec).formed(each).arguments) for each in islice(others, 1)]

    def _linearity(self, spec: FunctionSpec, blank: CheckResult) -> CheckResult:
        for trials, outcomes in self._groups(spec, blank):
            found = properties.linearity(trials, outcomes)
            if found:
                return wording.not_linear(blank, *found)
        return blank

    def _agrees_with_backward(self, spec: FunctionSpec, blank: CheckResult) -> CheckResult:
        backward = self.task.backward_beside(spec)
        if backward is None:
            return blank
        # Where backward itself is wrong, at an edge too, nothing is said of a Jacobian.
        found = self._result(backward.name, "edge_cases")
        if not found.ok:
            return _waits(blank, found)
        position = properties.position_of(self.bench(spec))
        for trials, outcomes in self._groups(spec, blank):
            disagreement = properties.jacobian_against_backward(trials, outcomes, position)
            if disagreement:
                return wording.not_the_jacobian(blank, backward, trials[0], *disagreement)
        return blank

    def _compare(self, spec: FunctionSpec, blank: CheckResult) -> CheckResult:
        """Form and numbers of every trial of every case."""
        found = next(self._failing(spec, blank, judge), None)
        return self.narrowed(spec, *found) if found else blank

    _values = _compare

    def _edge_cases(self, spec: FunctionSpec, blank: CheckResult) -> CheckResult:
        """The same, but an exception, or one that did not come, is told only where no edge shows wrong results."""
        failing = self._failing(spec, blank, judge)
        found = next(failing, None)
        if found is None:
            return blank
        if _says_little(found[0]):
            allowance = Allowance(ON_EDGES_S, WAITING * ON_EDGES_S, OwnTime())
            with self.searching():
                for each in failing:
                    found = min(found, each, key=lambda one: _says_little(one[0]))
                    slow = each[2].state == "timed_out" or allowance.left() <= 0 or not self.budget.may_go_on()
                    if slow or not _says_little(found[0]):
                        break
        return self.narrowed(spec, *found)

    def narrowed(
        self, spec: FunctionSpec, failure: CheckResult, trial: Trial, outcome: Outcome, judged: Judged = judge
    ) -> CheckResult:
        """The same kind of failure on the smallest inputs that show it."""
        if not self.shrink or outcome.state in ("timed_out", "missing", "exited") or not self.budget.may_go_on():
            return failure
        from gradcheck.checks.shrink import FailedCall, smallest

        like = FailedCall(failure, trial, outcome)
        with self.searching():
            found = smallest(self.bench(spec), self.candidate, like, self.budget, judged) or like
        self.shown[spec.name, failure.check] = found.trial, found.outcome
        return found.failure

    @contextmanager
    def searching(self) -> Iterator[None]:
        """Calls in the block are for a search: they are paid from the budget, cost the candidate nothing, and what they
        print is nothing that a learner waits for.
        """
        if self.budget.in_use:  # a search within another
            yield
            return
        aside = getattr(self.candidate, "aside", nullcontext)
        with aside(), self.candidate.printed.muted(), self.budget.spending():
            yield

    def searched(self, key: Hashable, search: Callable[[], tuple[T, bool]]) -> T:
        """What a search finds, made once where it says that it came to its end."""
        if key in self._searched:
            known: T = self._searched[key]
            return known
        found, whole = search()
        if whole:
            self._searched[key] = found
        return found

    def _confusion(self, spec: FunctionSpec, blank: CheckResult, confusion: Confusion) -> CheckResult:
        """The result is not the right one in the wrong order."""

        def judged(spec: FunctionSpec, blank: CheckResult, trial: Trial, outcome: Outcome) -> CheckResult | None:
            return ended(spec, blank, trial, outcome) or confused(blank, confusion, trial, outcome)

        found = next(self._failing(spec, blank, judged), None)
        return self.narrowed(spec, *found, judged) if found else blank

    def _property(self, spec: FunctionSpec, blank: CheckResult, wanted: Property) -> CheckResult:
        from gradcheck.checks.properties import Ask

        ask = Ask(self.candidate, spec, self.task.name, self.seed)
        fails = wanted.holds(ask)
        if fails:
            return wording.failed(blank, *((fails,) if isinstance(fails, str) else fails))
        unclean = (impure(spec, blank, self._asked(blank, arguments), outcome) for outcome, arguments in ask.unclean)
        return next(filter(None, unclean), blank)

    @staticmethod
    def _asked(blank: CheckResult, arguments: Arguments) -> Trial:
        """The call of a property as a trial."""
        return Trial(Case(blank.check), arguments, (), ())

    # What the checks stand on.

    def bench(self, spec: FunctionSpec) -> Bench:
        return self.benches.of(spec)

    def generic(self, spec: FunctionSpec) -> list[Case]:
        return self.bench(spec).cases("generic")

    def outcome(self, spec: FunctionSpec, trial: Trial) -> Outcome:
        """The call of a trial, made once."""
        return next(self._known([Asked(trial, key_of(spec, trial))]))

    def ask_ahead(self, asked: Sequence[Asked], calls: Sequence[Call]) -> None:
        """Make the `calls` of trials before a check asks for them, or as many as the candidate makes in one go."""
        self._ask(asked, calls)

    def _ask(self, asked: Sequence[Asked], calls: Sequence[Call]) -> None:
        self._outcomes.update(zip((each.key for each in asked), self.candidate.call_many(calls), strict=False))

    def _known(self, asked: Sequence[Asked]) -> Iterator[Outcome]:
        """What came of calls, in their order. None is made before it is wanted, but then others with it."""
        for number, each in enumerate(asked):
            if each.key not in self._outcomes:
                unknown = [later for later in asked[number:] if later.key not in self._outcomes]
                self._ask(unknown, [later.call for later in unknown])
            yield self._outcomes[each.key]

    def _groups(self, spec: FunctionSpec, blank: CheckResult) -> Iterator[tuple[list[Trial], Iterator[Outcome]]]:
        """The trials of a check, group by group, and what came of them."""
        for group in round_of(self.benches, spec, blank.check).groups():
            yield [each.trial for each in group], self._known(group)

    def _came(self, spec: FunctionSpec, blank: CheckResult) -> Iterator[tuple[Trial, Outcome]]:
        """The trials of a check, and what came of each; those that are made are asked for together."""
        trials = round_of(self.benches, spec, blank.check)
        at = 0
        while trials.reaches(at):
            asked = trials.asked[at:]
            yield from zip((each.trial for each in asked), self._known(asked), strict=True)
            at += len(asked)

    def _failing(
        self, spec: FunctionSpec, blank: CheckResult, judged: Judged
    ) -> Iterator[tuple[CheckResult, Trial, Outcome]]:
        """The trials of a check that fail, and with what. All are right whose numbers are."""
        trials = round_of(self.benches, spec, blank.check)
        at = 0
        while trials.reaches(at):
            known = self._known(trials.asked[at:])
            outcomes = [next(known)]
            outcomes += (self._outcomes[each.key] for each in takewhile(self._is_known, trials.asked[at + 1 :]))
            for number in trials.suspects(at, outcomes):
                trial, outcome = trials.asked[number].trial, outcomes[number - at]
                failure = judged(spec, blank, trial, outcome)
                if failure:
                    yield failure, trial, outcome
            at += len(outcomes)

    def _is_known(self, asked: Asked) -> bool:
        return asked.key in self._outcomes


_REDONE_BY_HAND = 100
"""Of inputs with more numbers nobody looks at the output."""

ON_EDGES_S = 2.0
"""Seconds of computing, in which an edge is looked for that shows more than an exception."""


def _says_little(failure: CheckResult) -> int:
    """0 for a wrong result; more where all that is known is that no exception came, or one that is not explained."""
    return 2 if failure.status == "errored" else int(failure.code == "must-raise")


def _waits(blank: CheckResult, found: CheckResult) -> CheckResult:
    """A check that is not run because of `found`, or because of what that one waits for itself."""
    first = found.blocked_by or found.id
    return replace(blank, status="skipped", message=f"not checked until {first} holds", blocked_by=first)


def _empty(outcome: Outcome) -> bool:
    """Whether nothing came, or zeros alone."""
    return outcome.state == "raised" or (outcome.state == "returned" and _nothing(outcome.value))


def _nothing(value: Value) -> bool:
    if isinstance(value, tuple):
        return all(_nothing(part) for part in value)
    if isinstance(value, dict):
        return all(_nothing(part) for part in value.values())
    if isinstance(value, Returned):
        return value.values is None or not value.values.any()
    return value.description == "None" if isinstance(value, Foreign) else value == 0.0


def verify(
    candidate: object,
    operator: Operator | Task,
    *,
    seed: int = 0,
    cache: Path | None = None,
    shrink: bool = True,
) -> list[CheckResult]:
    """Check hand-written functions against an operator: forward and backward values, Jacobian, form, purity, edges.

    `candidate` is a module, a class or a dict that holds functions named as the task names them (`forward`, `backward`,
    `jacobian`), or a `Candidate`. `operator` is an `Operator` (its functions are then those of `default_task`) or a
    `Task`. Returns one `CheckResult` per function and check; every one is `passed` when all holds. Raises FormulaError
    when the operator's record cannot be read. Nothing that the candidate raises comes through.
    """
    task = operator if isinstance(operator, Task) else default_task(operator)
    wrapped = candidate if isinstance(candidate, Candidate) else InProcessCandidate(dict(_functions(candidate)))
    verification = Verification(wrapped, task, seed=seed, cache=cache, shrink=shrink)
    results = verification.results()
    for each in verification.failures:
        if isinstance(each, FormulaError):
            raise each
    return results


def _functions(holder: object) -> Iterator[tuple[str, object]]:
    if isinstance(holder, dict):
        yield from holder.items()
    else:
        yield from ((name, getattr(holder, name)) for name in dir(holder) if not name.startswith("__"))
