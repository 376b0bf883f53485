"""What holds between calls: same again, no shared memory, linearity, backward = grad_output · Jacobian. A record's own
properties ask for results by `Ask`.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from gradcheck.checks import compare
from gradcheck.checks.candidate import Candidate
from gradcheck.checks.outcome import Argument, Arguments, GeneratorArgument, Outcome, Returned, Value
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


def linearity(made: Sequence[Trial], outcomes: Iterable[Outcome]) -> tuple[Trial, str, Sequence[Trial]] | None:
    """Of the trials that `Bench.linear` made, one whose result is not the sum of the results for the two cotangents it
    is the sum of, and the trials with these. Raises Unfinished.
    """
    results: list[list[Floats]] = []
    for trial, outcome in zip(made, map(_finished, made, outcomes), strict=True):
        if compare.type_problem(trial.template, outcome.value):
            return trial, "the type", ()
        parts = compare.parts(trial.template, outcome.value)
        if compare.shape_problem(trial.wanted, parts):
            return trial, "the shape", ()
        results.append([compare.numbers(part) for part in parts])
    for target, summands, combined, words in (
        (
            2,
            2,
            [a + b for a, b in zip(results[0], results[1], strict=True)],
            "backward(g + h) = backward(g) + backward(h)",
        ),
        (3, 1, [-2 * a for a in results[0]], "backward(−2 g) = −2 backward(g)"),
    ):
        for part, (got, want) in enumerate(zip(results[target], combined, strict=True)):
            slack = sum(made[k].expected[part].tolerance for k in (0, 1, target)) * 2
            if not (np.abs(got - want) <= slack).all():
                return made[target], words, made[:summands]
    return None


def _finished(trial: Trial, outcome: Outcome) -> Outcome:
    """What came of a call that returned. Raises Unfinished."""
    if outcome.state != "returned":
        raise Unfinished(outcome, trial.arguments)
    return outcome


def jacobian_against_backward(
    made: Sequence[Trial], outcomes: Iterable[Outcome], position: int
) -> tuple[Trial, Floats, Floats] | None:
    """The first of `made` is a Jacobian's trial, the others are of a backward for a batch of one, at the same point.
    One of these whose result is not grad_output · Jacobian, in the part that stands at `position`, and both sides.
    Raises Unfinished.
    """
    came = map(_finished, made, outcomes)
    outcome = next(came)
    if not isinstance(outcome.value, Returned) or outcome.value.values is None:
        return made[0], np.zeros(0), np.zeros(0)
    jacobian = compare.numbers(outcome.value)
    for trial, each in zip(made[1:], came, strict=True):
        if compare.type_problem(trial.template, each.value):
            return trial, np.zeros(0), np.zeros(0)
        part = compare.parts(trial.template, each.value)[position]
        if not isinstance(part, (Returned, float)) or compare.shape_problem([trial.wanted[position]], [part]):
            return trial, np.zeros(0), np.zeros(0)
        got, (product, allowed) = compare.numbers(part), _agreement(made[0], jacobian, trial, position)
        if not (np.abs(got.reshape(-1) - product) <= allowed).all():
            return trial, got, product.reshape(got.shape)
    return None


def position_of(jacobians: Bench) -> int:
    """Which part of a backward's result is the gradient of what a Jacobian is taken by."""
    return [an_input.name for an_input in jacobians.operator.differentiable_inputs].index(jacobians.spec.wrt)


def _agreement(of_jacobian: Trial, jacobian: Floats, trial: Trial, position: int) -> tuple[Floats, Floats]:
    """grad_output · Jacobian for a backward's trial, and what its result may differ by: both tolerances tell."""
    cotangent = np.asarray(trial.cotangent).reshape(-1)

    def product(rows: Floats, vector: Floats) -> Floats:
        return np.asarray(vector @ rows.reshape(cotangent.size, -1))

    allowed = product(of_jacobian.expected[0].tolerance, np.abs(cotangent))
    allowed = allowed + np.reshape(trial.expected[position].tolerance, -1)
    allowed += 1e-15 * np.abs(cotangent).max(initial=0.0) * np.abs(jacobian).max(initial=0.0)
    # At float32 the product is taken in float64, its factors are rounded.
    return product(jacobian, cotangent), allowed * (2.0 if trial.case.dtype == "float32" else 1.0)


class Unfinished(Exception):
    """A call that did not return."""

    def __init__(self, outcome: Outcome, arguments: Arguments) -> None:
        super().__init__(outcome.state)
        self.outcome, self.arguments = outcome, arguments


class Ask:
    """Calls of one function (or, by name, another of the same file). `rng` is seeded by the run's seed. `unclean` are
    the calls that changed an argument or used what is forbidden, with their arguments: no property asks for that.
    """

    def __init__(self, candidate: Candidate, spec: FunctionSpec, task: str, seed: int) -> None:
        self.candidate, self.spec, self.seed = candidate, spec, seed
        self.unclean: list[tuple[Outcome, Arguments]] = []
        self.rng = np.random.default_rng([seed, zlib.crc32(f"{task} {spec.name} property".encode())])
        self._state = int(self.rng.integers(0, 2**31))

    def outcome(self, *arguments: Any, function: str = "", count: bool = False) -> Outcome:
        """The outcome of a call with arguments in the order of the signature. Raises Unfinished."""
        named = dict(zip(self.spec.parameters, arguments, strict=False)) if not function else _numbered(arguments)
        came = self.candidate.call(function or self.spec.name, named, count=count)
        if came.state != "returned":
            raise Unfinished(came, named)
        if came.mutated or came.refused:
            self.unclean.append((came, named))
        return came

    def value(self, *arguments: Any) -> Value:
        """What came back. Raises Unfinished."""
        return self.outcome(*arguments).value

    def generator(self) -> GeneratorArgument:
        """A generator in a state that no earlier one had."""
        self._state += 1  # counted, not drawn: a state that comes twice would be chance that no property expects
        return GeneratorArgument(self._state)

    def neighbour(self, exercise: str) -> Candidate | None:
        """The same learner's file for another exercise, if there is one."""
        find = getattr(self.candidate, "neighbour", None)
        found: Candidate | None = find(exercise) if find else None
        return found

    def tensor(self, values: Any, dtype: str = "float64") -> Argument:
        return Argument(np.asarray(values), dtype)


def _numbered(arguments: tuple[Any, ...]) -> Arguments:
    return {f"argument {number}": each for number, each in enumerate(arguments)}
