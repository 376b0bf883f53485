"""Where the references are compared: anywhere, and with differences wherever no branch passes through the point."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch

from gradcheck.catalog import known_operators
from gradcheck.checks.cases import agreement_draws
from gradcheck.checks.derived import Opinions
from gradcheck.errors import ReferenceDisagreement
from gradcheck.grading.grade import grade_folder
from gradcheck.operators.record import Operator
from gradcheck.references.agreement import check_agreement
from gradcheck.references.store import ExpectedStore

OPERATORS = known_operators()
RELU, MAXIMUM = OPERATORS["relu"], OPERATORS["maximum"]
SOLUTIONS = Path(__file__).parents[2] / "solutions"

# Random points of these seeds lie near a kink; the last two are seeds of a whole class.
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


def check_at(operator: Operator, **inputs: list[float]) -> None:
    arrays = {name: np.asarray(values, dtype=np.float64) for name, values in inputs.items()}
    check_agreement(operator, arrays, np.ones(len(next(iter(arrays.values())))), {})


@pytest.mark.parametrize(("name", "seed"), NEAR_KINKS)
def test_the_references_agree_at_every_seed(name, seed):
    for operator in [OPERATORS[name]] if name in OPERATORS else OPERATORS.values():
        opinions(operator, seed).agree()


@pytest.mark.parametrize(("name", "seed"), [NEAR_KINKS[0], NEAR_KINKS[2]])
def test_a_right_answer_is_graded_there(name, seed):
    (report,) = grade_folder(SOLUTIONS, only=[name], seed=seed).exercises
    assert (report.status, report.score) == ("passed", report.max_score)


def test_a_kink_may_be_as_near_as_it_likes():
    """Finite differences of float64 would reach over it."""
    check_at(RELU, x=[1e-9, -1e-60, 3.0])
    check_at(MAXIMUM, x1=[5.0], x2=[float(np.nextafter(5.0, 6.0))])


class Covered(torch.autograd.Function):
    """Its backward is relu's; its forward is as good as relu's at 1 and at −2, but not around them."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x.relu() + 1e-5 * (x - 1) * (x + 2)

    @staticmethod
    def backward(ctx, upstream):
        (x,) = ctx.saved_tensors
        return upstream * (x > 0)


def test_differences_notice_what_autograd_covers_up():
    covered = replace(RELU, function=Covered.apply)
    with pytest.raises(ReferenceDisagreement, match="differences by x"):
        check_at(covered, x=[1.0, -2.0])


def test_at_a_kink_itself_differences_mean_nothing():
    check_at(RELU, x=[0.0, 1.0])
    check_at(MAXIMUM, x1=[5.0], x2=[5.0])
    with pytest.raises(ReferenceDisagreement, match="forward"):
        check_at(replace(RELU, function=lambda x: 1.001 * x.relu()), x=[0.0, 1.0])


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
    assert first.agreement_point().key in next(tmp_path.iterdir()).read_text()

    def never(*_arguments, **_options):
        pytest.fail("this should have come from the cache")

    monkeypatch.setattr("gradcheck.references.agreement.check_agreement", never)
    opinions(RELU, 3, tmp_path).agree()


def test_draws_differ_and_repeat():
    first, again = (list(islice(agreement_draws(RELU, 5), 3)) for _ in range(2))
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one.inputs["x"], other.inputs["x"])
    assert not np.array_equal(first[0].inputs["x"], first[1].inputs["x"])
