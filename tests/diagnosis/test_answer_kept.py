"""What is said of a mistake names its kind and what it depends on; the formula is for who asks for the answer."""

from __future__ import annotations

import pytest
import torch

from gradcheck.catalog import all_exercises, find_exercise
from gradcheck.checks.results import where_of
from gradcheck.classes.written import check_written
from gradcheck.diagnosis.mistakes import mutant_in_words
from gradcheck.diagnosis.mutants import mutants, mutants_in_output
from gradcheck.operators import all_operators
from gradcheck.reports.message import failure_text
from tests.diagnosis.answers import gives_away
from tests.diagnosis.diagnosed import first_failure


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("expected")


def everything(operator):
    found = list(mutants(operator))
    for each in operator.differentiable_inputs:
        found += mutants_in_output(operator, "backward", each.name) + mutants_in_output(operator, "jacobian", each.name)
    return found


@pytest.mark.table
@pytest.mark.parametrize("operator", all_operators().values(), ids=lambda operator: operator.name)
def test_no_mutant_is_named_by_the_formula(operator):
    exercises = [each for each in all_exercises().values() if operator in each.operators]
    exercises += [find_exercise("softmax")] * (not exercises)  # an operator that sweeps use: the rules for any text
    told = [f"{mutant.kind}: {mutant_in_words(mutant)}" for mutant in everything(operator)]
    assert {
        f"{each} ({what})" for each in told for exercise in exercises if (what := gives_away(each, exercise))
    } == set()


def test_the_criterion_knows_what_it_must_refuse():
    softmax, step = find_exercise("softmax"), find_exercise("weight_decay")
    assert gives_away("the term −y_bj (Σ_i g_bi y_bi) of the gradient of x is missing", softmax) == "a sum"
    assert gives_away("the factor y_i x_j is missing", softmax) == "the product y_i x_j"
    assert gives_away("you forgot y * x", softmax) == "the product y * x"
    assert gives_away("differs from (1 − 2 · lr · alpha) · w", step) == "the product lr · alpha"
    assert gives_away("the derivative is y_i (δ_ij − y_j)", softmax) == "the term y_i (δ_ij"
    assert gives_away("a term is missing; it depends on grad_output and the output y, summed over a row", softmax) == ""
    full = [mutant_in_words(each, full=True) for each in mutants(softmax.operator) if each.kind == "drop-term"]
    assert full
    assert all(gives_away(each, softmax) for each in full)


def test_no_record_gives_its_answer_away():
    found = []
    for exercise in all_exercises().values():
        texts = [each.text for each in exercise.misconceptions]
        texts += [graded.spec.reference.what for graded in exercise.functions if graded.spec.reference]
        found += [f"{exercise.name}: {text} ({what})" for text in texts if (what := gives_away(text, exercise))]
    assert found == []


def test_a_missing_term_is_described_and_its_formula_shown_on_request(cache):
    result = first_failure("softmax", "backward", lambda g, x: g * torch.softmax(x, -1), cache)
    told = (
        "a term is missing from the gradient of x; it depends on grad_output and the output y, summed over the classes"
    )
    assert result.message == result.diagnosis.text == told
    assert "Σ" not in failure_text(result, "softmax.py") + str(check_written(result))
    asked = " ".join(failure_text(result, "softmax.py", show_answer=True).split())
    assert "Answer: the term −y_bj (Σ_i g_bi y_bi) of the gradient of x is missing" in asked


def test_two_mistakes_keep_the_answer_too(cache):
    def wrong(g, x):
        y = torch.softmax(x, -1)
        return -2 * g * y

    result = first_failure("softmax", "backward", wrong, cache)
    assert gives_away(result.message, find_exercise("softmax")) == ""
    assert "Σ_i" in result.diagnosis.answer
    assert result.diagnosis.answer.endswith("besides, it is −2 times what it should be")


def test_what_a_step_differs_from_is_no_formula(cache):
    result = first_failure("weight_decay", "decayed_step", lambda w, g, lr, a: w.cos() - lr * g, cache)
    assert result.diagnosis.code == "unrecognised"
    assert gives_away(f"{result.message} {where_of(result.counterexample)}", find_exercise("weight_decay")) == ""


def test_a_term_too_many_is_no_formula_either(cache):
    for name, function, wrong in (
        ("sigmoid", "backward", lambda g, x: g * torch.sigmoid(x) * torch.sigmoid(-x) - 3 * g * x),
        ("tanh", "backward", lambda g, x: g * (1 - torch.tanh(x) ** 2) + x),
    ):
        exercise = find_exercise(name)
        result = first_failure(name, function, wrong, cache)
        assert result.diagnosis.code == "extra-term"
        assert "x" in result.message.rsplit("depends on", 1)[1]
        assert gives_away(result.message, exercise) == ""
