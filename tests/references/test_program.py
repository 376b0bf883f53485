"""Formulas become functions on torch tensors: forward, VJPs and Jacobians as torch has them, index arithmetic too."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import sympy as sp
import torch

from gradcheck.catalog import known_operators
from gradcheck.checks.cases import edge_cases, generic_cases
from gradcheck.errors import FormulaError
from gradcheck.operators import Input, Operator
from gradcheck.operators.convolution import CONV1D, CONV1D_STRIDED, CONV2D
from gradcheck.references.apply import Bound, forward, jacobian, recording, replaced, vjp
from gradcheck.references.derive import derive
from gradcheck.references.formula import Formula, array_symbol, index_symbol, size_symbol
from gradcheck.references.program import Program, program

EVERY = pytest.mark.parametrize("operator", known_operators().values(), ids=lambda operator: operator.name)
DEGENERATE = (
    "one of everything",
    "all sizes equal",
    "more entries",
    "a batch of one",
    "four axes",
    "no axis at all, positive",
    "one copy",
    "an empty batch",
    "no entries",
)
X = Input("x", ("n",), wrt=("j",))


def tensors_of(case) -> dict[str, torch.Tensor]:
    return {name: torch.from_numpy(np.array(array)) for name, array in case.inputs.items()}


def close(got: torch.Tensor, right: torch.Tensor) -> bool:
    return got.shape == right.shape and torch.allclose(got, right, rtol=1e-9, atol=1e-12)


@EVERY
def test_values_and_gradients_are_those_of_torch(operator):
    shapes = [case for case in edge_cases(operator, 0) if case.name in DEGENERATE]
    for case in (*generic_cases(operator, 0), *shapes):
        tensors = tensors_of(case)
        asked = {each.name: tensors[each.name].requires_grad_() for each in operator.differentiable_inputs}
        right = operator.function(*tensors.values(), *case.extra.values())
        cotangents = torch.randn(2, *right.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
        gradients = [torch.autograd.grad(right, list(asked.values()), each, retain_graph=True) for each in cotangents]
        with torch.no_grad():
            assert close(forward(operator, sizes=case.extra, **tensors), right), case.name
            stacked = vjp(operator, cotangents[0], sizes=case.extra, **tensors)
            bound = Bound(operator, tensors, case.extra)
            bound.give(cotangents)
            for place, name in enumerate(asked):
                assert close(stacked[name], gradients[0][place]), (case.name, name)
                both = torch.stack([each[place] for each in gradients])
                for form in derive(operator).vjps[name]:
                    assert close(bound.evaluate(form).reshape(both.shape), both), (case.name, form.expression)


@EVERY
def test_jacobians_are_those_of_torch(operator):
    if operator.name in ("nll", "cross_entropy"):
        pytest.skip("their torch functions take rows of samples")
    for case in generic_cases(operator, 1, sample=True):
        tensors = tensors_of(case)
        for each in operator.differentiable_inputs:

            def of(value, name=each.name, case=case, tensors=tensors):
                return operator.function(*(tensors | {name: value}).values(), *case.extra.values())

            right = torch.autograd.functional.jacobian(of, tensors[each.name])
            bound = Bound(operator, tensors, case.extra, sample=True)
            assert close(jacobian(operator, each.name, sizes=case.extra, **tensors), right), case.name
            for form in derive(operator).jacobians[each.name]:
                assert close(bound.evaluate(form), right), form.expression


@pytest.mark.parametrize(
    ("operator", "shapes"),
    [
        (CONV1D, {"x": (2, 3, 7), "weight": (4, 3, 3), "bias": (4,)}),
        (CONV1D_STRIDED, {"x": (2, 3, 8), "weight": (4, 3, 3), "bias": (4,)}),
        (CONV1D_STRIDED, {"x": (1, 2, 9), "weight": (3, 2, 4), "bias": (3,)}),
        (CONV2D, {"x": (2, 3, 6, 5), "weight": (4, 3, 3, 2), "bias": (4,)}),
    ],
)
def test_convolutions_are_those_of_torch(operator, shapes):
    tensors = {name: torch.randn(*shape, dtype=torch.float64).requires_grad_() for name, shape in shapes.items()}
    right = operator.function(*tensors.values())
    cotangent = torch.randn_like(right)
    with torch.no_grad():
        assert close(forward(operator, **tensors), right)
        gradients = vjp(operator, cotangent, **tensors)
        for name, gradient in zip(tensors, torch.autograd.grad(right, list(tensors.values()), cotangent), strict=True):
            assert close(gradients[name], gradient), name
        one = {name: tensor[0] if name == "x" else tensor for name, tensor in tensors.items()}
        for name in tensors:
            columns = jacobian(operator, name, **one)
            picked = vjp(operator, cotangent[:1], **(tensors | {"x": tensors["x"][:1]}))[name].reshape(-1)
            assert close(cotangent[0].reshape(-1) @ columns.reshape(cotangent[0].numel(), -1), picked), name


def test_a_convolution_needs_no_more_memory_than_its_products():
    """Of a long row and a short window: not the square of the row."""
    length, window = 10_000, 3
    for name in ("x", "weight"):
        made = program(derive(CONV1D).vjps[name][0])
        sizes = {"B′": 1, "C": 1, "O": 1, "L": length, "K": window}
        assert made.entries(sizes) <= length * window


def test_deltas_of_index_arithmetic_are_solved():
    texts = [str(derive(each).vjps["x"][0].expression) for each in (CONV1D, CONV1D_STRIDED, CONV2D)]
    assert not any("KroneckerDelta" in text or "Piecewise" in text for text in texts)
    assert "g′[b′, o, -k + q]" in texts[0]


def test_what_a_delta_picks_outside_of_a_sum_is_nothing():
    """Here the summand is not 0 by itself outside of the window."""
    text = "y[i] = Sum(Sum(exp(w[k]) * Sum(delta(h, i + k) * x[h], (h, 0, n-1)), (k, 0, K-1)), (l, 0, K-1))"
    operator = Operator("window", text, (X, Input("w", ("K",), wrt=("q",))), lambda x, w: x, ("n",))
    x, w = torch.randn(5, dtype=torch.float64), torch.randn(2, dtype=torch.float64)
    padded = torch.cat([x, x.new_zeros(1)])
    right = 2 * (w[0].exp() * padded[:5] + w[1].exp() * padded[1:])
    assert close(forward(operator, x=x, w=w), right)
    g = torch.randn(5, dtype=torch.float64)
    shifted = torch.cat([g.new_zeros(1), g])
    assert close(vjp(operator, g, x=x, w=w)["x"], 2 * (w[0].exp() * g + w[1].exp() * shifted[:5]))


def test_names_may_be_any():
    """Those that the engine uses itself too: g, b, m, B, M."""
    inputs = (Input("g", ("M", "B"), wrt=("p", "q"), batched=True), Input("b", ("B",), wrt=("q",)))
    operator = Operator("odd", "m[M] = Sum(g[M, B] * b[B], (B, 0, B-1))", inputs, lambda g, b: g @ b, ("M",))
    g, b = torch.randn(2, 3, 4, dtype=torch.float64), torch.randn(4, dtype=torch.float64)
    upstream = torch.randn(2, 3, dtype=torch.float64)
    assert close(forward(operator, g=g, b=b), g @ b)
    gradients = vjp(operator, upstream, g=g, b=b)
    assert close(gradients["g"], upstream[..., None] * b)
    assert close(gradients["b"], torch.einsum("km,kmb->b", upstream, g))


def test_labels_are_looked_up_and_reckoned_with():
    labels = Input("t", ("n",), kind="label", classes="K")
    operator = Operator("next", "y[i] = w[t[i] + 1]", (Input("w", ("K",), wrt=("q",)), labels), lambda w, t: w, ("n",))
    w, t = torch.tensor([5.0, 7.0, 9.0], dtype=torch.float64), torch.tensor([0, 2, 1, 0])
    assert forward(operator, w=w, t=t).tolist() == [7.0, 0.0, 9.0, 7.0]
    g = torch.tensor([1.0, 2.0, 3.0, 4.0], dtype=torch.float64)
    assert vjp(operator, g, w=w, t=t)["w"].tolist() == [0.0, 5.0, 3.0]
    with pytest.raises(IndexError, match="outside of its 3 entries"):
        forward(replace(operator, formula="y[i] = w[t[i]]"), w=w, t=torch.tensor([3, 0, 0, 0]))


@pytest.mark.parametrize(
    ("formula", "why"),
    [
        ("y[i] = x[k]", "neither an input"),
        ("y[i] = x", "1 axis; name each of them"),
        ("y[i] = x[i, 0]", "1 axis, but here stand 2"),
        ("y[i] = x[i] + w[i]", "runs over n entries, but this axis of w has K"),
        ("y[i] = x[x[i]]", "made of indices"),
        ("y[i] = x[i / 2]", "made of indices"),
        ("y[i] = x[i] ** x[i]", "exponent"),
        ("y[i] = x[i] / 0", "divides by 0"),
        ("y[i] = x[i] // 2", "for sizes and indices"),
        ("y[i] = exp(x[i], 2)", "exp takes 1"),
        ("y[i] = Piecewise((x[i], x[i] > 0))", "the last with True"),
        ("y[i] = Piecewise(x[i], 0)", "a choice is made of pairs"),
        ("y[i] = x[i] > 0", "a comparison stands in Piecewise only"),
        ("y[1] = x[0]", "do not match"),
        ("y[i = x[i]", "never closed"),
        ("y[i] = Sum(x[k], (k, 0, n-1, 2))", "a sum is written"),
        ("y[i] = Sum(x[k], (k, 0, x[0]))", "one of the sizes"),
        ("y[i] = x[i] * s", "both an input and a size"),
    ],
)
def test_a_formula_that_cannot_be_computed_says_what_to_write(formula, why):
    inputs = (
        X,
        Input("w", ("K",), wrt=("q",)),
        Input("s", ("s",) if "s" not in formula.split() else ()),
        Input("z", ("s",)),
    )
    with pytest.raises(FormulaError, match=why):
        derive(Operator("bad", formula, inputs, lambda *_: None, ("n",)))


def test_a_size_that_nothing_tells_is_named():
    operator = Operator("more", "y[i, k] = x[i]", (X,), lambda x: x, ("n", "copies"))
    with pytest.raises(FormulaError, match="how large copies is"):
        forward(operator, x=torch.ones(3, dtype=torch.float64))
    with pytest.raises(FormulaError, match="copies"):
        forward(replace(operator, output_shape=("n", "copies +")), x=torch.ones(3, dtype=torch.float64))


def test_numbers_are_divided_out_and_powers_multiplied():
    x = sp.IndexedBase("x", real=True)
    i = index_symbol("i")
    third = Formula(x[i] / 3 + sp.Rational(1, 3), (i,), {i: size_symbol("n")})
    value = Program(third)({"x": torch.tensor([1.0, 2.0], dtype=torch.float64)}, {"n": 2})
    assert value.tolist() == [1 / 3 + 1 / 3, 2 / 3 + 1 / 3]


def test_a_formula_is_replaced_within_a_block_and_its_uses_are_told():
    linear = known_operators()["linear"]
    x, weight, bias = (torch.randn(*shape, dtype=torch.float64) for shape in ((2, 3), (4, 3), (4,)))
    g = torch.randn(2, 4, dtype=torch.float64)
    right = derive(linear).vjps["bias"][0]
    with recording() as used:
        gradients = vjp(linear, g, x=x, weight=weight, bias=bias)
        forward(linear, x=x, weight=weight, bias=bias)
        gradients["bias"]
    assert list(used) == [(linear, "forward", ""), (linear, "backward", "bias")]
    with replaced(linear, "backward", "bias", replace(right, expression=2 * right.expression, programs={})):
        twice = vjp(linear, g, x=x, weight=weight, bias=bias)["bias"]
    assert close(twice, 2 * g.sum(0))
    assert close(vjp(linear, g, x=x, weight=weight, bias=bias)["bias"], g.sum(0))


def test_a_formula_may_hold_the_output():
    softmax = known_operators()["softmax"]
    form = derive(softmax).vjps["x"][0]
    b, j = form.indices
    x, g = torch.randn(2, 3, dtype=torch.float64), torch.randn(2, 3, dtype=torch.float64)
    wrong = Formula(array_symbol("y")[b, j] * array_symbol("g′")[b, j], form.indices, form.ranges)
    with replaced(softmax, "backward", "x", wrong):
        assert close(vjp(softmax, g, x=x)["x"], x.softmax(-1) * g)


def test_at_a_tie_a_comparison_can_go_either_way():
    relu = known_operators()["relu"]
    bound = Bound(relu, {"x": torch.zeros(2, dtype=torch.float64)}, {})
    bound.give(torch.tensor([[1.0, 2.0]], dtype=torch.float64))
    assert bound.value("backward", "x").tolist() == [[0.0, 0.0]]
    assert bound.value("backward", "x", flip=True).tolist() == [[1.0, 2.0]]


def test_branches_of_functions_have_derivatives_of_either_side():
    x = torch.tensor([-2.0, 0.0, 3.0], dtype=torch.float64)
    for text, left, right in (("Max(x[i], 0)", [0, 0, 1], [0, 1, 1]), ("Abs(x[i])", [-1, -1, 1], [-1, 1, 1])):
        operator = Operator("branch", f"y[i] = {text}", (X,), lambda x: x, ("n",), flattened=True)
        bound = Bound(operator, {"x": x}, {})
        bound.give(torch.ones(3, dtype=torch.float64))
        assert bound.value("backward", "x").tolist() == left
        assert bound.value("backward", "x", flip=True).tolist() == right


def test_an_empty_batch_is_no_special_case():
    linear = known_operators()["linear"]
    x, weight, bias = (torch.zeros(*shape, dtype=torch.float64) for shape in ((0, 3), (4, 3), (4,)))
    gradients = vjp(linear, torch.zeros(0, 4, dtype=torch.float64), x=x, weight=weight, bias=bias)
    assert {name: tuple(each.shape) for name, each in gradients.items()} == {
        "x": (0, 3),
        "weight": (4, 3),
        "bias": (4,),
    }
    assert not gradients["weight"].any()
