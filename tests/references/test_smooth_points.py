"""Where the references are compared: clear of every branch, as far as a finite difference reaches."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from gradcheck.catalog import known_operators
from gradcheck.checks.cases import agreement_draws, generic_cases
from gradcheck.checks.opinion import Opinions
from gradcheck.errors import ReferenceDisagreement
from gradcheck.grading.grade import grade_folder
from gradcheck.operators.operator import Input, Operator
from gradcheck.references.agreement import check_agreement
from gradcheck.references.finite_differences import STEP
from gradcheck.references.smooth import is_smooth_around
from gradcheck.references.store import ExpectedStore

OPERATORS = known_operators()
RELU, MAXIMUM = OPERATORS["relu"], OPERATORS["maximum"]
SOLUTIONS = Path(__file__).parents[2] / "solutions"

# Random points of these seeds lie within the step of a kink; the last two are seeds of a whole class.
NEAR_KINKS = [
    ("relu", 256252263103954),
    ("relu", 1557661693544847),
    ("maximum", 8169632003087724),
    ("maximum", 2785732750689152),
    ("CLASS", 4187152225595),
    ("CLASS", 73210923044335),
]


def opinions(operator: Operator, seed: int, cache: Path | None = None) -> Opinions:
    return Opinions(operator, ExpectedStore(operator, cache), seed)


def of_vector(formula: str, function=None, **inputs: tuple[str, ...]) -> Operator:
    made = tuple(Input(name, shape, wrt=("j",)) for name, shape in (inputs or {"x": ("n",)}).items())
    return Operator("planted", formula, made, function or (lambda x: x), output_shape=("n",))


def smooth(operator: Operator, step: float = STEP, **inputs: list[float]) -> bool:
    arrays = {name: np.asarray(values, dtype=np.float64) for name, values in inputs.items()}
    return is_smooth_around(operator, arrays, np.ones(len(next(iter(arrays.values())))), {}, step)


@pytest.mark.parametrize(("name", "seed"), NEAR_KINKS)
def test_the_references_agree_at_every_seed(name, seed):
    for operator in [OPERATORS[name]] if name in OPERATORS else OPERATORS.values():
        opinions(operator, seed).agree()


@pytest.mark.parametrize(("name", "seed"), NEAR_KINKS[:4])
def test_a_random_point_within_the_step_of_a_kink_is_refused(name, seed):
    """The points at which finite differences contradict everybody else, and right answers were not graded."""
    case = generic_cases(OPERATORS[name], seed)[0]
    cotangent = opinions(OPERATORS[name], seed).point(case, None).cotangent
    with pytest.raises(ReferenceDisagreement, match="finite differences"):
        check_agreement(OPERATORS[name], case.inputs, cotangent, case.extra, step=STEP)
    assert not is_smooth_around(OPERATORS[name], case.inputs, cotangent, case.extra, STEP)


@pytest.mark.parametrize(("name", "seed"), [NEAR_KINKS[0], NEAR_KINKS[2]])
def test_a_right_answer_is_graded_there(name, seed):
    (report,) = grade_folder(SOLUTIONS, only=[name], seed=seed).exercises
    assert (report.status, report.score) == ("passed", report.max_score)


def test_a_kink_counts_as_near_up_to_the_largest_step():
    """It is in proportion to an input's size: 0.1 for 1, 0.5 for 5."""
    assert smooth(RELU, x=[0.11, -0.11, 3.0])
    assert not smooth(RELU, x=[0.09, 1.0, 3.0])
    assert not smooth(RELU, x=[1.0, 0.0])
    assert smooth(RELU, 0.01, x=[0.09, 1.0, 3.0])
    assert smooth(MAXIMUM, x1=[5.0], x2=[6.2])
    assert not smooth(MAXIMUM, x1=[5.0], x2=[6.0])  # both may move


@pytest.mark.parametrize(
    ("formula", "clear", "near"),
    [
        ("y[i] = x[i] * Max(x[i], 2)", 2.5, 2.1),
        ("y[i] = x[i] * Min(x[i], 2)", 2.5, 2.1),
        ("y[i] = Piecewise((x[i], x[i]**2 - 4 > 0), (2 * x[i], True))", 2.5, -1.9),
        ("y[i] = Piecewise((x[i], tanh(x[i]) >= 0), (0, True))", 0.5, -0.05),
        ("y[i] = 1 / (x[i] - 1)", 2.0, 1.05),
        ("y[i] = log(x[i])", 1.0, 0.05),
        ("y[i] = sqrt(x[i])", 1.0, 0.05),
    ],
)
def test_any_branch_and_any_pole_is_noticed(formula, clear, near):
    operator = of_vector(formula)
    # Max and Min have no derivative of ours: as a further form of a smooth operator they are looked at all the same.
    if "M" in formula:
        operator = replace(of_vector("y[i] = x[i]"), forward_forms=(formula.partition("=")[2].strip(),))
    assert smooth(operator, x=[clear])
    assert not smooth(operator, x=[near])


def test_an_entry_beside_itself_is_no_branch():
    """An argmax compares each entry with every entry, itself included."""
    wins = of_vector("y[i] = x[i] * Sum(Piecewise((1, x[i] >= x[k]), (0, True)), (k, 0, n-1))")
    assert smooth(wins, x=[1.0, 2.0, 3.0])
    assert not smooth(wins, x=[1.0, 1.1, 3.0])


def test_the_point_is_the_first_that_lies_clear(tmp_path):
    for seed in range(20):
        made = opinions(MAXIMUM, seed)
        point = made.agreement_point()
        for case in agreement_draws(MAXIMUM, seed):
            clear = is_smooth_around(MAXIMUM, case.inputs, point.cotangent, case.extra, STEP)
            same = np.array_equal(case.inputs["x1"], point.case.inputs["x1"])
            assert clear == same
            if clear:
                break


ZERO = "(1 + x[i])**2 - 1 - 2 * x[i] - x[i]**2"
"""Which balls do not know: the wider they are, the further they reach to either side."""


def test_where_no_point_lies_clear_differences_reach_less_far():
    made = opinions(of_vector(f"y[i] = Piecewise((x[i], {ZERO} + 3/10 > 0), (0, True))"), 0)
    assert made.agreement_point().step < STEP
    made.agree()


def test_where_a_branch_is_everywhere_nothing_is_compared():
    with pytest.raises(ReferenceDisagreement, match="lie clear"):
        opinions(of_vector(f"y[i] = Piecewise((x[i], {ZERO} > 0), (0, True))"), 0).agree()


def test_what_is_known_of_one_point_is_not_taken_for_another(tmp_path):
    """The references were found to agree at a seed; a record that is wrong elsewhere is still found there."""
    bad = {"now": False}

    def function(x):
        return x.relu() * (1.001 if bad["now"] else 1.0)

    operator = replace(RELU, function=function)
    first = opinions(operator, 0, tmp_path)
    first.agree()
    first.store.save()
    bad["now"] = True
    opinions(operator, 0, tmp_path).agree()  # kept, and not asked again
    with pytest.raises(ReferenceDisagreement):
        opinions(operator, 1, tmp_path).agree()


def test_a_kept_agreement_needs_no_formula(tmp_path, monkeypatch):
    """SymPy takes half a second: a passing exercise does without."""
    first = opinions(RELU, 3, tmp_path)
    first.agree()
    first.store.save()
    assert "point" in json.dumps(list(json.loads(next(tmp_path.iterdir()).read_text())))

    def never(*_arguments, **_options):
        pytest.fail("this should have come from the cache")

    monkeypatch.setattr("gradcheck.references.smooth.is_smooth_around", never)
    monkeypatch.setattr("gradcheck.references.agreement.check_agreement", never)
    opinions(RELU, 3, tmp_path).agree()


def test_draws_differ_and_repeat():
    first, again = (list(islice(agreement_draws(RELU, 5), 3)) for _ in range(2))
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one.inputs["x"], other.inputs["x"])
    assert not np.array_equal(first[0].inputs["x"], first[1].inputs["x"])
