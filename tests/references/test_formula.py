"""Formulas are read, differentiated and collapsed as the notation says."""

from __future__ import annotations

from dataclasses import replace

import pytest
import sympy as sp
import torch

from gradcheck.errors import FormulaError
from gradcheck.operators import Input, Operator, all_operators
from gradcheck.references.apply import Bound
from gradcheck.references.derive import collapse, derive
from gradcheck.references.formula import BATCH, array_symbol, index_symbol, read_formula, size_symbol
from gradcheck.references.typeset import formulas

SOFTMAX = all_operators()["softmax"]


@pytest.mark.parametrize(
    ("formula", "why"),
    [
        ("y[i] = exp(x[i]) / Sum(exp(x[i]), (i, 0, C-1))", "in use already"),
        ("y[i] = exp(x[i]) / Sum(exp(x[j]), (j, 0, C-1))", "reserved for derivatives"),
        ("y[i] = exp(z[i])", "only an input"),
        ("y[i] = exp(x[q])", "neither an input"),
        ("y[i] = sin(x[i])", "not a function of the notation"),
        ("y[i] = __import__('os').system('true')", "not part of the notation"),
        ("y[i] = x[i] +", "cannot be read"),
        ("exp(x[i])", "no left side"),
        ("y[i, k] = x[i]", "do not match"),
        ("y[i] = Sum(x[k], (k, 1, C-1))", "a sum is written"),
        ("y[i] = Sum(x[k], (k, 0, C*C-1))", "one of the sizes"),
    ],
)
def test_a_formula_that_cannot_be_meant_is_refused_with_its_reason(formula, why):
    with pytest.raises(FormulaError, match=why):
        derive(replace(SOFTMAX, formula=formula))


def test_a_sum_over_a_delta_picks_one_term():
    i, j, k = (index_symbol(name) for name in "ijk")
    x, n = array_symbol("x"), size_symbol("n")
    whole = sp.Sum(sp.KroneckerDelta(k, j) * x[k] ** 2 + 3 * x[i], (k, 0, n - 1))
    assert sp.expand(collapse(whole) - (x[j] ** 2 + 3 * n * x[i])) == 0


def test_a_delta_inside_a_branch_is_found():
    j, k = index_symbol("j"), index_symbol("k")
    x, n = array_symbol("x"), size_symbol("n")
    branch = sp.Piecewise((sp.KroneckerDelta(j, k), x[k] > 0), (0, True))
    assert collapse(sp.Sum(branch, (k, 0, n - 1))) == sp.Piecewise((1, x[j] > 0), (0, True))


def test_derivatives_are_the_textbooks():
    linear = derive(all_operators()["linear"])
    assert str(linear.vjps["weight"][0].expression) == "Sum(g′[b′, p]*x[b′, q], (b′, 0, B′ - 1))"
    assert str(linear.vjps["bias"][0].expression) == "Sum(g′[b′, p], (b′, 0, B′ - 1))"
    assert "∂y_i/∂x_j = y_i (δ_ij − y_j)" in formulas(SOFTMAX)
    assert "∂y_i/∂x_j = y_i δ_ij (1 − y_i)" in formulas(all_operators()["sigmoid"])


def test_a_product_of_branches_holds_where_both_hold():
    # SymPy folds it into one Piecewise with "and" in its conditions.
    text = "y[i] = Piecewise((1, x[i] > 1), (2, True)) * Piecewise((3, x[i] < 2), (5, True))"
    operator = Operator("steps", text, (Input("x", ("n",), wrt=("j",)),), lambda x: x, ("n",), flattened=True)
    folded = replace(read_formula(operator), expression=sp.piecewise_fold(read_formula(operator).expression))
    assert folded.expression.atoms(sp.And)
    bound = Bound(operator, {"x": torch.tensor([0.0, 1.5, 3.0], dtype=torch.float64)}, {})
    for formula in (read_formula(operator), folded):
        assert bound.evaluate(formula).tolist() == [6.0, 3.0, 5.0]


def test_two_samples_do_not_mix():
    batched = derive(SOFTMAX).vjps["x"][0].expression
    assert batched.free_symbols & {BATCH}


def test_a_scalar_input_can_be_differentiated():
    inputs = (Input("a", ()), Input("x", ("n",)))
    square = Operator("square", "y = a**2 * x[0]", inputs, function=lambda a, x: a * a * x[0])
    definition = read_formula(square).expression
    assert str(derive(square).jacobians["a"][0].expression) == "2*a*x[0]"
    assert definition.has(sp.Symbol("a", real=True))
