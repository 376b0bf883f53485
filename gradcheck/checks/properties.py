"""What holds between calls: same again, no shared memory, linearity, backward = grad_output · Jacobian."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gradcheck.checks import compare
from gradcheck.checks.asking import Unfinished
from gradcheck.checks.candidate import Candidate
from gradcheck.checks.cases import Case
from gradcheck.checks.outcome import Outcome, Returned, Value
from gradcheck.checks.task import FunctionSpec
from gradcheck.checks.trials import Bench, Trial
from gradcheck.references.expected import Expected, Floats


def same_result(first: Outcome, second: Outcome) -> bool:
    """Whether two calls with equal arguments gave the same, bit for bit."""
    return first.state == second.state and _same(first.value, second.value)


def _same(left: Value, right: Value) -> bool:
    if isinstance(left, Returned) and isinstance(right, Returned):
        if (left.shape, left.dtype) != (right.shape, right.dtype) or left.values is None or right.values is None:
            return (left.shape, left.dtype) == (right.shape, right.dtype)
        return bool(np.array_equal(left.values, right.values, equal_nan=left.values.dtype.kind == "f"))
    if isinstance(left, tuple) and isinstance(right, tuple):
        return len(left) == len(right) and all(_same(*pair) for pair in zip(left, right, strict=True))
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(_same(left[key], right[key]) for key in left)
    return bool(left == right) or (left != left and right != right)  # noqa: PLR0124 — NaN


def forbidden_sharing(spec: FunctionSpec, trial: Trial, outcome: Outcome) -> tuple[str, str] | None:
    """The returned tensor and the argument whose memory it shares, where it may not.

    grad_output may come back where it is the answer: the gradient of a bias for a batch of one, or whatever is
    multiplied by one. Elsewhere it is a forgotten factor.
    """
    if not trial.expected or compare.type_problem(trial.template, outcome.value):
        return None
    found = compare.parts(trial.template, outcome.value)
    for wanted, part, expected in zip(trial.wanted, found, trial.expected, strict=True):
        for name in part.shares_with if isinstance(part, Returned) else ():
            if may_share(spec, trial, name) or (is_upstream(name) and _answers(wanted, part, expected)):
                continue
            return wanted.name, name
    return None


def may_share(spec: FunctionSpec, trial: Trial, name: str) -> bool:
    """Whether a result may lie in the memory of the argument `name` by definition: of a list, only if it has no other
    entry (what is composed of one Jacobian is that Jacobian).
    """
    argument = name.split("[", maxsplit=1)[0]
    passed = trial.arguments.get(argument)
    return argument in spec.may_share and not (isinstance(passed, list) and len(passed) > 1)


def is_upstream(name: str) -> bool:
    """Whether an argument is grad_output, or one of grad_outputs."""
    return name.startswith("grad_output")


def _answers(wanted: compare.Wanted, part: Value, expected: Expected) -> bool:
    """Whether the part is right by its numbers. Without any it cannot be told."""
    if not isinstance(part, Returned) or part.values is None or part.shape != expected.value.shape:
        return False
    return compare.difference([wanted], [part], [expected]) is None


def linearity(bench: Bench, candidate: Candidate, case: Case) -> tuple[Trial, str] | None:
    """A trial whose result is not the sum of the results for the two cotangents it is the sum of. Raises Unfinished."""
    made = bench.linear(case)
    results: list[list[Floats]] = []
    for trial in made:
        outcome = _finished(candidate, bench.spec, trial)
        if compare.type_problem(trial.template, outcome.value):
            return trial, "the type"
        parts = compare.parts(trial.template, outcome.value)
        if compare.shape_problem(trial.wanted, parts):
            return trial, "the shape"
        results.append([compare.numbers(part) for part in parts])
    return not_linear(made, results)


def _finished(candidate: Candidate, spec: FunctionSpec, trial: Trial) -> Outcome:
    """A call that returned. Raises Unfinished."""
    outcome = candidate.call(spec.name, trial.arguments)
    if outcome.state != "returned":
        raise Unfinished(outcome, trial.arguments)
    return outcome


def not_linear(made: Sequence[Trial], results: Sequence[Sequence[Floats]]) -> tuple[Trial, str] | None:
    """The same of results: the parts that each of `linear_trials` gave."""
    for target, combined, words in (
        (
            2,
            [a + b for a, b in zip(results[0], results[1], strict=True)],
            "backward(g + h) = backward(g) + backward(h)",
        ),
        (3, [-2 * a for a in results[0]], "backward(−2 g) = −2 backward(g)"),
    ):
        for part, (got, want) in enumerate(zip(results[target], combined, strict=True)):
            slack = sum(made[k].expected[part].tolerance for k in (0, 1, target)) * 2
            if not (np.abs(got - want) <= slack).all():
                return made[target], words
    return None


def jacobian_against_backward(
    jacobians: Bench, backwards: Bench, candidate: Candidate, case: Case, batch: Case
) -> tuple[Trial, Floats, Floats] | None:
    """A cotangent for which backward of the `batch` of one is not grad_output · Jacobian of the `case`: the trial, and
    both sides. Raises Unfinished.
    """
    jacobian_trial = jacobians.of(case)[0]
    outcome = _finished(candidate, jacobians.spec, jacobian_trial)
    if not isinstance(outcome.value, Returned) or outcome.value.values is None:
        return jacobian_trial, np.zeros(0), np.zeros(0)
    jacobian = compare.numbers(outcome.value)
    position = position_of(jacobians)
    for trial in backwards.of(batch):
        came = _finished(candidate, backwards.spec, trial)
        if compare.type_problem(trial.template, came.value):
            return trial, np.zeros(0), np.zeros(0)
        part = compare.parts(trial.template, came.value)[position]
        if not isinstance(part, (Returned, float)) or compare.shape_problem([trial.wanted[position]], [part]):
            return trial, np.zeros(0), np.zeros(0)
        got = compare.numbers(part)
        agreement = Agreement(jacobian_trial, [trial], position)
        if not agreement.holds(jacobian, [got]):
            return trial, got, agreement.products(jacobian).reshape(got.shape)
    return None


def position_of(jacobians: Bench) -> int:
    """Which part of a backward's result is the gradient of what a Jacobian is taken by."""
    return [an_input.name for an_input in jacobians.operator.differentiable_inputs].index(jacobians.spec.wrt)


class Agreement:
    """backward = grad_output · Jacobian, for one case and some of its cotangents: what a Jacobian and the backwards'
    results may differ by follows from both tolerances.
    """

    def __init__(self, jacobian: Trial, backwards: Sequence[Trial], position: int) -> None:
        self.cotangents = np.stack([np.asarray(trial.cotangent).reshape(-1) for trial in backwards])
        own = np.stack([np.reshape(trial.expected[position].tolerance, -1) for trial in backwards])
        self._allowed = np.abs(self.cotangents) @ self._rows(jacobian.expected[0].tolerance) + own
        self._rounding = 1e-15 * np.abs(self.cotangents).max(axis=1, initial=0.0, keepdims=True)
        # At float32 the product is taken in float64, its factors are rounded.
        self._factor = 2.0 if backwards[0].case.dtype == "float32" else 1.0

    def _rows(self, jacobian: Floats) -> Floats:
        return jacobian.reshape(self.cotangents.shape[1], -1)

    def products(self, jacobian: Floats) -> Floats:
        """One row per cotangent."""
        return np.asarray(self.cotangents @ self._rows(jacobian))

    def holds(self, jacobian: Floats, results: Sequence[Floats]) -> bool:
        """Whether each backward's result is the product for its cotangent."""
        got = np.stack([result.reshape(-1) for result in results])
        allowed = (self._allowed + self._rounding * np.abs(jacobian).max(initial=0.0)) * self._factor
        return bool((np.abs(got - self.products(jacobian)) <= allowed).all())
