"""What `gradcheck new` reads out of a formula, and the torch code that it writes for one."""

from __future__ import annotations

import pytest

from gradcheck.authoring.new.plan import Wish, plan
from gradcheck.authoring.new.torch_code import NotWritten
from gradcheck.errors import FormulaError
from gradcheck.references.survey import survey


def read(text: str) -> None:
    plan(Wish("planted", text), lambda *_: None)


def marked(text: str) -> tuple[str, str]:
    """What a refusal says, and the place that it points at."""
    with pytest.raises(FormulaError) as raised:
        read(text)
    said, shown, carets, *_ = str(raised.value).splitlines()
    return said.removeprefix("the formula cannot be used: "), shown[carets.index("^") : carets.rindex("^") + 1]


@pytest.mark.parametrize(
    ("formula", "shapes"),
    [
        ("y[i] = exp(x[i]) / Sum(exp(x[k]), (k, 0, C-1))", {"x": ("C",)}),
        ("y[i] = x[i]", {"x": ("n",)}),
        ("y[i] = x[i] / K", {"x": ("K",)}),
        ("y[i, j] = u[i] * v[j]", {"u": ("n",), "v": ("m",)}),
        ("y[o] = Sum(w[o, i] * x[i], (i, 0, I-1)) + bias[o]", {"w": ("O", "I"), "x": ("I",), "bias": ("O",)}),
        ("C = -Sum(p[b, labels[b]], (b, 0, B-1)) / B", {"p": ("B", "K"), "labels": ("B",)}),
        ("y[i] = a * x[i]", {"x": ("n",), "a": ()}),
        ("y[i] = x[i] + Sum(x[k], (k, 0, width-1))", {"x": ("width",)}),
        ("y[m] = g[m] * x[2]", {"g": ("n",), "x": ("K",)}),
        ("y[o, i] = Sum(w[o, k] * x[i+k], (k, 0, K-1))", {"w": ("O", "K"), "x": ("L",)}),
        (
            "y[i, j] = Sum(Sum(w[h, v] * x[i+h, j+v], (h, 0, H-1)), (v, 0, W-1))",
            {"w": ("H", "W"), "x": ("L", "M")},
        ),
    ],
)
def test_sizes_follow_from_where_the_indices_stand(formula, shapes):
    assert survey(formula).shapes == shapes


@pytest.mark.parametrize(
    ("index", "size"),
    [
        ("i + k", "L - K + 1"),
        ("2*i + k", "(L - K) // 2 + 1"),
        ("2*i + k - 1", "(L - K + 2) // 2 + 1"),
        ("i + 2*k", "L - 2 * (K - 1)"),
        ("i - k", "L"),
        ("i + k + 1", "L - K"),
    ],
)
def test_a_window_has_as_many_places_as_fit(index, size):
    assert survey(f"y[i] = Sum(w[k] * x[{index}], (k, 0, K-1))").sizes["i"] == size


@pytest.mark.parametrize(
    ("formula", "says", "place"),
    [
        ("y[i] = sin(x[i])", "sin is not a function", "sin(x[i])"),
        ("y[i] = x[i] +* 2", "it cannot be read here", "*"),
        ("y[i] = x[k]", "the index k is neither on the left side nor in a Sum around", "k"),
        ("y[i] = x[i] + Sum(x[k], (k, 0, n-1)) * x[k]", "its Sum ends before this place", "k"),
        ("y[i] = Sum(x[k], (k, 0, n-1)) + Sum(x[k], (k, 0, n-1)) + x[i]", "the index k is in use already", "k"),
        ("y[i] = Sum(x[i], (i, 0, n-1))", "the index i is in use already", "i"),
        ("y[i, j] = x[i]", "the index j has no size", "j"),
        ("y[i, i] = x[i]", "the index i stands twice", "i"),
        ("y[i] = x[i] + Sum(x[k], (k, 1, n-1))", "a sum is written Sum(body, (k, 0, n-1))", "Sum(x[k], (k, 1, n-1))"),
        ("y[i] = x[i] * C * K", "K is the name of a size, and nothing here has that size", "K"),
        ("y[i] = x[i]**x[i]", "an exponent is a whole number", "x[i]"),
        ("y[i] = Max(x[i], 0)", "Max has a derivative that jumps", "Max(x[i], 0)"),
        ("y[i] = x[i] * i", "the index i stands by itself", "i"),
        ("y[i] = y[i] + x[i]", "y is the output", "y[i]"),
        ("y[i] = x[i] + x[i, i]", "x has one index elsewhere and 2 indices here", "x[i, i]"),
        ("y[i] = x[i] > 0", "a comparison stands in Piecewise only", "x[i] > 0"),
        ("y[i] = Piecewise((x[i], x[i] > 0))", "pairs of a value and a comparison", "(x[i], x[i] > 0)"),
        ("y[i] = x[i] * __import__('os')", "__import__ is not a function", "__import__('os')"),
        ("y[i] = x[i].real", "this is not part of the notation", "x[i].real"),
        ("y(i) = x[i]", "it cannot be read here (cannot assign to function call", "y"),
        ("(y) [i] = x[i] + grad_output[i]", "grad_output is the grader's own name", "grad_output"),
    ],
)
def test_a_refusal_points_at_the_place(formula, says, place):
    said, shown = marked(formula)
    assert says in said
    assert shown == place


def test_a_refusal_offers_the_exact_text():
    with pytest.raises(FormulaError, match=r"Write Piecewise\(\(x\[i\], x\[i\] > 0\), \(-\(x\[i\]\), True\)\)\."):
        survey("y[i] = Abs(x[i])")


def test_a_long_formula_is_shown_around_the_place():
    said, shown = marked("y[i] = " + " + ".join(["x[i]"] * 80) + " + sin(x[i])")
    assert ("sin is not" in said, shown) == (True, "sin(x[i])")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x[i]",
        "y[i] = ",
        "= x[i]",
        "y[i] = x[i]\0",
        "y = ξ[i]",
        "y[i] = " + "(" * 900 + "x[i]" + ")" * 900,
        "y[i] = " + "x" * 3000,
    ],
)
def test_nonsense_is_refused_in_words(text):
    with pytest.raises(FormulaError):
        survey(text)


def test_names_are_taken_for_sizes_where_inputs_are_drawn_by_them():
    from gradcheck.checks.cases import SIZES
    from gradcheck.references.survey import CUSTOMARY

    assert {*CUSTOMARY, "B", "copies"} == set(SIZES[0])


def test_one_axis_has_one_size():
    with pytest.raises(FormulaError, match="one axis has two sizes: k up to n and l up to C"):
        survey("y[i] = x[i] + Sum(x[k], (k, 0, n-1)) + Sum(x[l], (l, 0, C-1))")


# The torch code, for every operator that there is: the same numbers as the function written by hand.


def test_the_code_computes_what_every_operator_computes():
    import torch

    from gradcheck.authoring.new.torch_code import torch_code
    from gradcheck.catalog import known_operators
    from gradcheck.checks.cases import generic_cases
    from gradcheck.references.derive import derive

    compared = 0
    for operator in known_operators().values():
        if operator.name == "duplicate":
            continue  # takes a number of copies, which no formula has
        code = torch_code(operator, derive(operator).output)
        for case in generic_cases(operator, 0):
            arguments = {name: torch.tensor(values) for name, values in case.inputs.items()}
            torch.testing.assert_close(eval(code, {"torch": torch}, arguments), operator.function(*arguments.values()))
            compared += 1
    assert compared > 60


def test_the_code_of_gradients_computes_what_autograd_computes():
    import torch

    from gradcheck.authoring.new.torch_code import torch_code
    from gradcheck.catalog import known_operators
    from gradcheck.checks.cases import generic_cases
    from gradcheck.operators import Input
    from gradcheck.references.derive import COTANGENT, derive
    from gradcheck.references.typeset import compact

    beyond = set()
    for operator in known_operators().values():
        if operator.name == "duplicate":
            continue
        arrays = tuple(
            Input(name, operator.output_shape, batched=operator.batched) for name in (operator.output_name, COTANGENT)
        )
        case = generic_cases(operator, 0)[0]
        given = {name: torch.tensor(values) for name, values in case.inputs.items()}
        for each in operator.differentiable_inputs:
            tracked = {**given, each.name: given[each.name].clone().requires_grad_()}
            output = operator.function(*tracked.values())
            g = torch.randn(output.shape, dtype=output.dtype)
            (right,) = torch.autograd.grad(output, tracked[each.name], g)
            try:
                code = torch_code(operator, compact(operator, derive(operator).vjps[each.name][0]), arrays=arrays)
                code = code.replace(COTANGENT, "g")
            except NotWritten:
                beyond.add(operator.name)
                continue
            names = {**given, operator.output_name: output.detach(), "g": g}
            torch.testing.assert_close(eval(code, {"torch": torch}, names), right, msg=lambda m, c=code: f"{c}: {m}")
    # Labels choose, and windows slide backwards: these are for the author to write.
    assert beyond <= {"nll", "cross_entropy", "conv1d", "conv1d_strided", "conv2d"}


@pytest.mark.parametrize(
    "formula",
    [
        "y[o, i] = Sum(w[o, k] * x[i+k], (k, 0, K-1))",
        "y[i] = Sum(w[k] * x[3*i + 2*k - 1], (k, 0, K-1))",
        "y[o, i] = Sum(Sum(w[o, c, k] * x[c, 2*i + k - 1], (k, 0, K-1)), (c, 0, C-1)) + bias[o]",
        "y[i, j] = Sum(Sum(w[h, v] * x[i+h-1, 2*j+2*v], (h, 0, H-1)), (v, 0, W-1))",
    ],
)
def test_the_code_of_windows_computes_what_the_formula_says(formula):
    import torch

    from gradcheck.authoring.new.torch_code import torch_code
    from gradcheck.references.apply import forward
    from gradcheck.references.derive import derive

    operator = plan(Wish("planted", formula), lambda *_: None).operator
    sizes = {"L": 7, "M": 8, "K": 3, "O": 4, "C": 2, "H": 3, "W": 2, "n": 4}
    given = {each.name: torch.randn([sizes[size] for size in each.shape]).double() for each in operator.inputs}
    code = torch_code(operator, derive(operator).output)
    torch.testing.assert_close(eval(code, {"torch": torch}, given), forward(operator, **given))


@pytest.mark.parametrize("index", ["i - k", "i + k + 1", "i + 1", "i + n - k"])
def test_windows_that_are_no_windows_of_torch_are_left_to_the_author(index):
    from gradcheck.authoring.new.torch_code import torch_code
    from gradcheck.references.derive import derive

    operator = plan(Wish("planted", f"y[i] = Sum(w[k] * x[{index}], (k, 0, n-1))"), lambda *_: None).operator
    with pytest.raises(NotWritten, match="the index"):
        torch_code(operator, derive(operator).output)
