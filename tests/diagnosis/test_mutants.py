"""The grader refuses every wrong answer that can be derived, unless algebra shows it to be right."""

from __future__ import annotations

import inspect
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import sympy as sp

from gradcheck.catalog import all_exercises, known_operators
from gradcheck.checks.results import where_of
from gradcheck.checks.trials import Benches
from gradcheck.diagnosis.calculator import Calculator
from gradcheck.diagnosis.mistakes import KINDS, Mutant, code_of, mutant_in_words
from gradcheck.diagnosis.mutants import function_of, is_equivalent, mutants, mutants_in_output, slips
from gradcheck.operators import all_operators
from gradcheck.references.derive import derive
from gradcheck.references.formula import OWN
from tests.diagnosis import diagnosed
from tests.diagnosis.answers import gives_away
from tests.diagnosis.diagnosed import EVERY, verification_of

EXERCISES = [each for each in all_exercises().values() if any(g.spec.role != "function" for g in each.functions)]
"""Those that ask for an operator's VJP or Jacobian; see test_composed_mutants for what is composed of operators."""
every_exercise = pytest.mark.parametrize("exercise", EXERCISES, ids=lambda exercise: exercise.name)

SAME = {"returns-zero"}
"""A term that makes all there is: without it the result is zero, and that is what is said."""


@pytest.fixture(scope="session")
def expected_values(tmp_path_factory):
    return tmp_path_factory.mktemp("expected")


def graded(mutant: Mutant, exercise, cache: Path, *, told: bool = False):
    """The checks of the function that the mutant stands for; the exercise's other functions are the solution's."""
    spec = function_of(mutant, exercise.task)
    verification = verification_of(
        exercise, {spec.name: Calculator(exercise.task, spec).as_function(mutant)}, cache, told=told
    )
    results = [verification.result(spec.name, check) for check in spec.checks]
    verification.save()
    return results


def operators_of(exercise):
    specs = [graded.spec for graded in exercise.functions if graded.spec.role != "function"]
    return list(dict.fromkeys(spec.operator or exercise.operator for spec in specs))


def asked_for(exercise) -> list[Mutant]:
    found = [mutant for operator in operators_of(exercise) for mutant in mutants(operator)]
    return [mutant for mutant in found if function_of(mutant, exercise.task)]


def unmutated(exercise) -> list[Mutant]:
    """The right answers, as mutants that nothing is wrong with."""
    found = []
    for operator in operators_of(exercise):
        derivation = derive(operator)
        forward = {"": (derivation.output,)}
        for role, formulas in (
            ("forward", forward),
            ("backward", derivation.vjps),
            ("jacobian", derivation.jacobians),
        ):
            for name, forms in formulas.items():
                found.append(Mutant(operator, role, name, "none", forms[0]))
    return [mutant for mutant in found if function_of(mutant, exercise.task)]


def same_numbers(mutant: Mutant, exercise) -> bool:
    """Whether it gives the right numbers at a random point: what does not is no matter for algebra."""
    spec = function_of(mutant, exercise.task)
    calculator = Calculator(exercise.task, spec)
    bench = Benches(exercise.task, 5, None).of(spec)
    arguments = bench.blind(bench.cases("generic")[0]).arguments
    right, wrong = calculator.result(arguments), calculator.result(arguments, mutant)
    return all(np.allclose(*each, rtol=1e-9) for each in zip(right, wrong, strict=True))


def named(mutant: Mutant) -> str:
    text = mutant_in_words(mutant, full=True) if mutant.kind in KINDS else "as it should be"
    return f"{mutant.role} by {mutant.wrt}, {mutant.kind}: {text}"


def test_no_operator_is_left_out():
    asked = {operator.name for exercise in EXERCISES for operator in operators_of(exercise)}
    beside = {"conv1d", "conv1d_strided", "conv2d"}
    """No exercise asks for them yet; tests/checks/test_convolutions.py holds them to the same."""
    assert asked | used_in_sweeps() | beside == set(known_operators())


def used_in_sweeps() -> set[str]:
    """The operators whose VJPs some composed reference uses."""
    names = set()
    for exercise in all_exercises().values():
        for graded in exercise.functions:
            if graded.spec.reference is not None and graded.spec.reference.compute is not None:
                names |= set(
                    re.findall(r"[A-Z][A-Z0-9_]+", inspect.getsource(inspect.getmodule(graded.spec.reference.compute)))
                )
    return {operator.name for operator in all_operators().values() if operator.name.upper() in names}


@pytest.mark.table(every=4)
@every_exercise
def test_the_right_formula_run_like_a_mutant_passes_every_check(exercise, expected_values):
    right = unmutated(exercise)
    assert right
    for each in right:
        results = graded(each, exercise, expected_values)
        assert [result.message for result in results if result.status != "passed"] == [], named(each)


@pytest.mark.table(every=4)
@every_exercise
def test_every_mutant_is_refused_under_its_own_name_or_shown_to_be_right(exercise, expected_values):
    wrong, survivors, raised, misnamed = 0, [], [], []
    for number, mutant in enumerate(asked_for(exercise)):
        told = number % EVERY == 0
        results = graded(mutant, exercise, expected_values, told=told)
        statuses = {result.status for result in results}
        failed = next((result for result in results if result.status == "failed"), None)
        if told and failed is not None and not {code_of(mutant), *SAME} & diagnosed.named(failed):
            misnamed.append(f"{named(mutant)} is called {failed.diagnosis.code}: {failed.message}")
        if told and failed is not None and gives_away(f"{failed.message} {where_of(failed.counterexample)}", exercise):
            misnamed.append(f"{named(mutant)} gives the answer away: {failed.message}")
        refused, right = statuses & {"failed", "errored"}, same_numbers(mutant, exercise) and is_equivalent(mutant)
        wrong += bool(refused)
        # The other way round too: what algebra calls right is never refused.
        if bool(refused) == right:
            survivors.append(f"{named(mutant)} ({'equivalent, but refused' if right else 'not refused'})")
        # A mutant that only raises would say nothing of the comparison of numbers.
        if "errored" in statuses:
            raised.append(named(mutant))
    assert survivors == []
    assert raised == []
    assert misnamed == []
    assert wrong >= 3


@pytest.mark.table
@every_exercise
def test_a_mutant_is_refused_for_its_numbers_and_not_for_its_form(exercise, expected_values):
    form = ("runs", "type", "shape", "dtype", "purity")
    for mutant in asked_for(exercise)[:5]:
        results = graded(mutant, exercise, expected_values)
        assert {result.status for result in results if result.check in form} == {"passed"}, named(mutant)


@pytest.mark.table
@every_exercise
def test_most_mutants_of_each_function_are_wrong(exercise):
    functions, right = Counter(), Counter()
    for mutant in asked_for(exercise):
        key = mutant.role, mutant.wrt
        functions[key] += 1
        right[key] += same_numbers(mutant, exercise)
    assert set(functions) == {(each.role, each.wrt) for each in unmutated(exercise)}
    assert {key: right[key] for key in functions if functions[key] - right[key] < 3} == {}
    assert all(2 * right[key] < functions[key] for key in functions)


@pytest.mark.table
@every_exercise
def test_mutants_differ_from_the_right_answer_and_from_each_other(exercise):
    right = {(each.role, each.wrt): each.formula.expression for each in unmutated(exercise)}
    seen = [
        (mutant.role, mutant.wrt, mutant.formula.expression)
        for mutant in asked_for(exercise)
        if mutant.kind != "swapped-gradients"
    ]
    assert len(seen) == len(set(seen))
    assert all(right[role, wrt] != expression for role, wrt, expression in seen)


def test_every_kind_of_mistake_occurs():
    operators = all_operators().values()
    kinds = {mutant.kind for operator in operators for mutant in mutants(operator)}
    kinds |= {mutant.kind for mutant in mutants_in_output(all_operators()["softmax"], "backward", "x")}
    assert kinds == {name for name, kind in KINDS.items() if not kind.slip}
    kinds = {
        slip.kind for operator in operators for role, wrt in formulas(operator) for slip in slips(operator, role, wrt)
    }
    assert kinds >= {name for name, kind in KINDS.items() if kind.slip}


def formulas(operator):
    names = [each.name for each in operator.differentiable_inputs]
    return [("forward", ""), *(("backward", name) for name in names), *(("jacobian", name) for name in names)]


def test_the_classic_mistakes_are_among_the_mutants():
    texts = {
        (mutant.operator.name, mutant.wrt, str(mutant.formula.expression).replace(OWN, ""))
        for operator in all_operators().values()
        for mutant in mutants(operator)
        if mutant.role == "backward"
    }
    assert ("linear", "bias", "g[0, p]") in texts  # the first sample only
    assert ("linear", "weight", "Sum(x[b, q], (b, 0, B - 1))") in texts  # no chain rule
    assert ("linear", "weight", "Sum(g[b, p]*x[b, q], (b, 0, B - 1))/B") in texts  # a mean where a sum belongs
    assert ("relu", "x", "Piecewise((1, x[j] > 0), (0, True))") in texts
    assert ("tanh", "x", "-tanh(tanh(x[j]))**2*g[j] + g[j]") in texts
    assert ("mse", "y", "g*(2*y[j] - 2*y_bar[j])") in texts  # not divided by n


@pytest.mark.table
@every_exercise
def test_equality_by_algebra_is_not_taken_for_granted(exercise):
    for each in unmutated(exercise):
        expression = each.formula.expression
        assert is_equivalent(replace(each, formula=replace(each.formula, expression=expression)))
        nearly = expression * (1 + sp.Rational(1, 10**6))
        assert not is_equivalent(replace(each, formula=replace(each.formula, expression=nearly)))


def test_a_mutant_of_a_function_that_is_not_asked_for_stands_for_none():
    task = all_exercises()["add"].task
    mutant = next(each for each in mutants(task.operator) if each.role == "jacobian")
    assert function_of(mutant, task) is None
