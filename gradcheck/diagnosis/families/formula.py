"""Guesses in mathematics: mutants of the derived formulas, the record's misconceptions, and simple stand-ins."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from gradcheck.catalog import Exercise
from gradcheck.catalog.exercise import Misconception
from gradcheck.checks import compare
from gradcheck.checks.outcome import Argument, Arguments, Foreign, Returned, Value
from gradcheck.checks.task import FunctionSpec
from gradcheck.checks.trials import Trial
from gradcheck.diagnosis.evidence import Observation, Sighting
from gradcheck.diagnosis.guess import Context, Guess, Predicted, tensor_of, times
from gradcheck.diagnosis.matching import HUGE, close, explain_factor, factor_in_words, scale_of
from gradcheck.diagnosis.mistakes import KINDS, Mutant, code_of, mutant_in_words
from gradcheck.diagnosis.mutants import mutants, mutants_in_output, slips, terms
from gradcheck.references.expected import Floats


def mutated(context: Context) -> Iterator[Guess]:
    """Every mutant of the formulas that the function stands for or is composed of."""
    return _guessed(context, relevant_mutants(context))


def slipped(context: Context) -> Iterator[Guess]:
    """Every slip in one of them, for when nothing plainer explains it."""
    spec, operator = context.spec, context.operator
    used = context.calculator.used(context.observations[0].trial.arguments) if operator is None else []
    if operator is not None:
        names = [spec.wrt] if spec.role != "backward" else [each.name for each in operator.differentiable_inputs]
        used = [(operator, spec.role, name) for name in names if spec.role != "function"]
    made = (mutant for each in used for mutant in slips(*each))
    # A network has many formulas and takes its time: its plainest slips alone.
    plainest = made if operator else sorted(made, key=lambda each: KINDS[each.kind].cost)[:SLIPS_OF_A_NETWORK]
    yield from _guessed(context, plainest)


SLIPS_OF_A_NETWORK = 100


Explained = tuple[str, str, float]
"""A code, a sentence, and its cost."""


def of_terms(context: Context, observations: Sequence[Observation], name: str) -> Explained | None:
    """What came back is a sum of the right terms, each times some factor, which says what is wrong with it."""
    spec, operator = context.spec, context.operator
    places = [place for place, stem in enumerate(observations[0].stems) if stem == name]
    if operator is None or len(places) != 1 or spec.role == "function":
        return None
    place = places[0]
    wrt = operator.differentiable_inputs[place].name if spec.role == "backward" else spec.wrt
    made = terms(operator, spec.role, wrt)
    told: list[list[tuple[Observation, float]]] = [[] for _ in made]
    for each in observations if made else ():
        if each.exact and 0 < each.upstream <= HUGE:
            factors = _factors(context, each, place, made)
            if factors is None:
                return None
            for pairs, factor in zip(told, factors, strict=False):
                pairs.append((each, factor))
    if not told or len(told[0]) < LEAST_CALLS:
        return None
    return _wrong_terms(made, told)


LEAST_CALLS = 3


def _factors(context: Context, observation: Observation, place: int, made: Sequence[Mutant]) -> list[float] | None:
    """How many times each term is in what came back: none where this call cannot tell, None where no sum does it."""
    found = [context.calculator.result(observation.trial.arguments, each) for each in made]
    got = observation.got[place]
    if any(each is None or each[place].shape != got.shape for each in found):
        return None
    table: Floats = np.stack([each[place].reshape(-1) for each in found if each is not None], axis=1)
    if not np.isfinite(table).all() or not np.isfinite(got).all():
        return []
    factors, _, rank, _ = np.linalg.lstsq(table, got.reshape(-1), rcond=1e-6)
    if rank < len(made) or len(table) <= len(made):
        return []
    again = (table @ factors).reshape(got.shape)
    return list(factors) if close(got, again, "float64", scale_of(observation, got, table)) else None


def _wrong_terms(made: Sequence[Mutant], told: Sequence[Sequence[tuple[Observation, float]]]) -> Explained | None:
    found: list[tuple[str, str]] = []
    for mutant, pairs in zip(made, told, strict=True):
        if all(abs(factor) < _NOTHING for _, factor in pairs):
            found.append(("missing-term", f"a term of {mutant.of} is missing; {mutant.depends}"))
            continue
        factor = explain_factor(pairs)
        if factor is None or factor.kind in ("hard-coded", "scalar"):
            return None
        if factor.kind == "none":
            continue
        turned = factor.kind != "sign" and factor.value < 0
        size = factor_in_words(replace(factor, value=abs(factor.value)))
        words = f"is {size} times what it should be" + (", and has the wrong sign" if turned else "")
        words = "has the wrong sign" if factor.kind == "sign" else words
        code = {"sign": "sign-flipped", "size": "scaled-by-size"}.get(factor.kind, "scaled-by-constant")
        found.append((code, f"a term of {mutant.of} {words}; {mutant.depends}"))
    found.sort(key=lambda each: each[0])  # what is missing first, then what is too large, then signs
    text = "; besides, ".join(sentence for _, sentence in found)
    return (found[0][0], text, 0.85 + 0.6 * len(found)) if found else None


_NOTHING = 1e-9


def _guessed(context: Context, made: Iterable[Mutant]) -> Iterator[Guess]:
    for mutant in made:
        yield Guess(
            code_of(mutant),
            "",
            lambda o, m=mutant: context.calculator.result(o.trial.arguments, m),  # type: ignore[misc]
            KINDS[mutant.kind].cost,
            words=lambda full, m=mutant: mutant_in_words(m, composed=context.operator is None, full=full),  # type: ignore[misc]
        )


def relevant_mutants(context: Context) -> Iterator[Mutant]:
    """Those of the function's own operator, or of every VJP and output that its reference uses."""
    spec, operator = context.spec, context.operator
    if operator is not None:
        for mutant in mutants(operator):
            if mutant.role == spec.role and (spec.role != "jacobian" or mutant.wrt == spec.wrt):
                yield mutant
        for each in operator.differentiable_inputs:
            if spec.role == "backward" or (spec.role == "jacobian" and each.name == spec.wrt):
                yield from mutants_in_output(operator, spec.role, each.name)
        return
    for used, role, name in context.calculator.used(context.observations[0].trial.arguments):
        for mutant in mutants(used):
            if (mutant.role, mutant.wrt) == (role, name) and not mutant.partner:
                yield mutant
        if role != "forward":
            yield from mutants_in_output(used, role, name)


def misunderstood(context: Context, exercise: Exercise) -> Iterator[Guess]:
    """The record's misconceptions, run on the same arguments. Whoever wrote the record knows best: they cost little."""
    for each in exercise.misconceptions:
        if each.function == context.spec.name:
            text = each.text.replace("{", "{{").replace("}", "}}")
            yield Guess(each.code, text, partial(_run, each.wrong), 0.4, each.think, whole=True)


def _run(wrong: Callable[..., Any], observation: Observation) -> Predicted:
    value = _result_of(wrong, observation.trial)
    if value is None or compare.type_problem(observation.trial.template, value):
        return None
    return [_array(part) for part in compare.parts(observation.trial.template, value)]


def _result_of(wrong: Callable[..., Any], trial: Trial) -> Value | None:
    """What a record's wrong answer gives; None where it does not survive the case, as it need not."""
    from gradcheck.checks.tensors import Passed

    passed = Passed(trial.arguments)
    try:
        with np.errstate(all="ignore"):
            return passed.observe(wrong(*passed.values))
    except Exception:
        return None


def _array(part: Any) -> Floats | None:
    if isinstance(part, Returned):
        return None if part.values is None else np.asarray(part.values, dtype=np.float64)
    return None if isinstance(part, Foreign) else np.asarray(float(part))


def misconception_of(
    exercise: Exercise | None, spec: FunctionSpec, sightings: Sequence[Sighting], numbers: bool = True
) -> Misconception | None:
    """The record's misconception that gives what came back of all calls, in its numbers or in its form alone."""
    own = [each for each in exercise.misconceptions if each.function == spec.name] if exercise is not None else []
    return next((each for each in own if _comes_back(each.wrong, sightings, numbers)), None)


def _comes_back(wrong: Callable[..., Any], sightings: Sequence[Sighting], numbers: bool) -> bool:
    """Whether a wrong answer gives, call by call, what came back, in its `numbers` or in its form alone."""
    for each in sightings:
        value = _result_of(wrong, each.trial) if each.outcome.state == "returned" else None
        if value is None or not _alike(value, each.outcome.value, numbers):
            return False
    return True


def _alike(one: Any, other: Any, numbers: bool) -> bool:
    if isinstance(one, tuple) and isinstance(other, tuple):
        return len(one) == len(other) and all(_alike(*pair, numbers) for pair in zip(one, other, strict=True))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_alike(one[key], other[key], numbers) for key in one)
    if not numbers:
        return isinstance(one, Returned) and isinstance(other, Returned) and one.shape == other.shape
    first, second = (_array(each) if isinstance(each, (Returned, float)) else None for each in (one, other))
    if first is None or second is None:
        return bool(one == other)
    return first.shape == second.shape and np.allclose(first, second, rtol=1e-5, equal_nan=True)


def stand_ins(context: Context) -> Iterator[Guess]:
    """Something simple in the place of the result: grad_output, an input, the output, a product of two of them."""
    name = context.upstream
    if name == "grad_output":
        masked = context.operator is not None and "Piecewise" in context.operator.formula
        text = (
            f"{{what}} {{is}} {name} as it came: {'nothing is masked' if masked else 'the local derivative is missing'}"
        )
        code = "missing-mask" if masked else "missing-derivative"
        yield Guess(code, text, lambda o: _like(o, _upstream(o)), 0.8)
    for each in context.spec.parameters:
        if each != name and isinstance(context.observations[0].trial.arguments.get(each), Argument):
            text = f"{{what}} {{is}} {each} itself"
            cost = 1.2 if context.spec.role == "jacobian" else 0.8
            yield Guess("wrong-variable", text, lambda o, n=each: _like(o, tensor_of(n)(o)), cost)  # type: ignore[misc]
            if name:
                text = f"{{what}} {{is}} {name} times {each}, which is not the derivative"
                product = lambda o, n=each: _like(o, times(_upstream(o), tensor_of(n)(o)))  # noqa: E731
                yield Guess("wrong-variable", text, product, 1.05)
    output, forward = context.output, context.forward
    if output:
        text = f"{{what}} {{is}} the output {output} itself, not its derivative"
        yield Guess("wrong-variable", text, lambda o: _like(o, forward(o)), 0.8)
        if name == "grad_output":
            text = f"{{what}} {{uses}} the output {output} where {name} belongs"
            yield Guess("wrong-variable", text, context.what_if(partial(_as_upstream, forward)), 1.0)
        text = f"{{what}} {{is}} {name} times {output}, which is not the derivative"
        yield Guess("wrong-variable", text, lambda o: _like(o, times(_upstream(o), forward(o))), 1.05)


def _as_upstream(forward: Callable[[Observation], Floats | None], observation: Observation) -> Arguments | None:
    """The forward output in grad_output's place."""
    output, cotangent = forward(observation), observation.trial.arguments["grad_output"]
    fits = output is not None and output.shape == cotangent.values.shape
    return {"grad_output": replace(cotangent, values=output)} if fits else None


def diagonal(context: Context) -> Iterator[Guess]:
    """Only the Jacobian's diagonal, with grad_output or without."""
    operator = context.operator
    if context.spec.role != "backward" or operator is None or operator.flattened:
        return
    inputs = operator.differentiable_inputs
    if len(inputs) != 1 or inputs[0].shape != operator.output_shape or len(inputs[0].shape) != 1:
        return
    name = inputs[0].name

    def diagonals(observation: Observation) -> Floats | None:
        shape = observation.expected[0].shape
        rows = range(shape[0]) if len(shape) == 2 else [None]
        found = [context.calculator.jacobian(observation.trial.arguments, name, row) for row in rows]
        if any(each is None for each in found):
            return None
        return np.reshape([np.diag(each) for each in found], shape)  # type: ignore[arg-type]

    text = "{what} {takes} the Jacobian's diagonal only: every output depends on the other inputs too"
    yield Guess("diagonal-only", text, lambda o: _like(o, times(_upstream(o), diagonals(o))), 0.5)
    text = "{what} {is} the Jacobian's diagonal: the chain rule needs grad_output, and all of the Jacobian"
    yield Guess("missing-upstream", text, lambda o: _like(o, diagonals(o)), 0.6)


_upstream = tensor_of("grad_output")


def _like(observation: Observation, value: Floats | None) -> Predicted:
    """`value` in the place of every leaf that has its shape."""
    if value is None:
        return None
    return [value if leaf.shape == value.shape else None for leaf in observation.expected]
