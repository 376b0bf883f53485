"""Whatever says what is right is called with the candidate's inputs, on floats and on any numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gradcheck.errors import FormulaError, UsageError
from gradcheck.numbers.bounded import Bounded
from gradcheck.numbers.exact import Exact
from gradcheck.numbers.run import vjp
from gradcheck.verification.reference import ground_of


@dataclass
class Inputs:
    """The arguments of a call as a reference sees them: tensors by name, then a module's parameters."""

    tensors: dict[str, Tensor]
    parameters: tuple[str, ...] = ()
    others: tuple[Any, ...] = ()
    wrt: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        self.wrt = self.wrt or tuple(self.tensors)

    def arguments(self, tensors: Mapping[str, Any]) -> tuple[Any, ...]:
        return (*(tensors[name] for name in self.tensors if name not in self.parameters), *self.others)


@dataclass
class Subject:
    inputs: Inputs
    name: str = "MyOperator"

    def forward_of_own(self) -> Any:
        return lambda tensors: torch.exp(tensors["x"])


def entries(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape)), dtype=torch.float64)


def of(reference: Any, *others: Any, parameters: Any = (), wrt: tuple[str, ...] = (), **tensors: Tensor) -> Any:
    """The ground, and the outputs and gradients that exact numbers find with it."""
    named = dict(parameters)
    all_of_them = {**tensors, **{name: each.detach() for name, each in named.items()}}
    return ground_of(reference, Subject(Inputs(all_of_them, tuple(named), others, wrt)))  # type: ignore[arg-type]


def agree_on_all_numbers(ground: Any, tensors: dict[str, Tensor], cotangent: Tensor) -> None:
    """Floats, bounded and exact numbers find the same outputs and gradients."""
    names = tuple(tensors)

    def call(*values: Any) -> Any:
        return ground(dict(zip(names, values, strict=True)))

    leaves = [tensor.clone().requires_grad_() for tensor in tensors.values()]
    output = call(*leaves)
    wanted = torch.autograd.grad(output, leaves, cotangent)
    for numbers in (Bounded(torch.float64), Exact(200)):
        found, gradients = vjp(numbers, call, list(tensors.values()), cotangent)
        assert torch.allclose(middle(numbers, found), output.detach())
        for one, other in zip(gradients, wanted, strict=True):
            assert torch.allclose(middle(numbers, one), other)
        with torch.no_grad(), numbers:
            wrapped = {name: numbers.wrap(each) for name, each in tensors.items()}
            derived = ground.vjp(wrapped, numbers.wrap(cotangent))
        assert (derived is None) == (ground.operator is None)
        for name, other in zip(tensors, wanted, strict=True):
            assert derived is None or torch.allclose(middle(numbers, derived[name]), other)


def middle(numbers: Any, found: Any) -> Tensor:
    return found.parts[0] if isinstance(numbers, Bounded) else numbers.values(found)[0]


def test_a_function_is_called_with_all_arguments():
    ground = of(torch.softmax, -1, x=entries(2, 3))
    assert (ground.name, ground.own, ground.operator) == ("softmax", False, None)
    agree_on_all_numbers(ground, {"x": entries(2, 3)}, entries(2, 3))


def test_without_a_reference_the_own_forward_is_what_is_right():
    ground = of(None, x=entries(3))
    assert (ground.name, ground.own) == ("the forward of MyOperator", True)
    assert torch.equal(ground({"x": entries(3)}), entries(3).exp())


def test_a_module_is_called_at_the_candidates_parameters():
    candidate, module = nn.Linear(3, 2).double(), nn.Linear(3, 2).double()
    ground = of(module, parameters=candidate.named_parameters(), x=entries(4, 3))
    tensors = {"x": entries(4, 3), **{name: each.detach() for name, each in candidate.named_parameters()}}
    assert ground.name == "Linear"
    assert torch.equal(ground(tensors), candidate(entries(4, 3)))
    agree_on_all_numbers(ground, tensors, entries(4, 2))


def test_batch_norm_in_training_mode_leaves_no_trace_and_runs_on_all_numbers():
    module = nn.BatchNorm1d(3)
    before = {name: each.clone() for name, each in module.state_dict().items()}
    ground = of(module, parameters=module.named_parameters(), x=entries(5, 3))
    tensors = {"x": entries(5, 3), "weight": entries(3), "bias": entries(3) + 1}
    agree_on_all_numbers(ground, tensors, entries(5, 3))
    assert all(torch.equal(before[name], each) for name, each in module.state_dict().items())


def test_a_module_keeps_its_own_parameters_where_the_candidate_is_none():
    module = nn.Linear(3, 2)
    ground = of(module, x=entries(4, 3))
    assert torch.allclose(ground({"x": entries(4, 3)}), module.double()(entries(4, 3)))


def test_parameters_that_only_one_of_two_modules_has_are_named():
    with pytest.raises(UsageError, match="only the candidate has bias and only the reference has scale"):
        of(Scaled(), parameters=nn.LayerNorm(3).named_parameters(), x=entries(2, 3))


class Scaled(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight, self.scale = nn.Parameter(torch.ones(3)), nn.Parameter(torch.ones(3))


def test_a_modules_parameters_are_handed_to_a_function_by_keyword():
    candidate = nn.Linear(3, 2).double()
    ground = of(F.linear, parameters=candidate.named_parameters(), x=entries(4, 3))
    tensors = {"x": entries(4, 3), **{name: each.detach() for name, each in candidate.named_parameters()}}
    assert torch.equal(ground(tensors), candidate(entries(4, 3)))


def test_parameters_that_a_function_does_not_take_are_named():
    def function(x, weight):
        return x @ weight.T

    parameters = dict(nn.Linear(3, 2).double().named_parameters())
    with pytest.raises(UsageError, match="function does not take the parameters bias of the candidate"):
        of(function, parameters=parameters, x=entries(4, 3))
    assert of(function, parameters=parameters, wrt=("x", "weight"), x=entries(4, 3)).name == "function"


def test_what_cannot_say_what_is_right_is_refused():
    with pytest.raises(UsageError, match="the reference is int"):
        of(3, x=entries(2))


# Formulas.

SOFTMAX = "y[b,i] = exp(x[b,i])/Sum(exp(x[b,k]),(k,0,C-1))"
LINEAR = "y[o] = Sum(w[o,i]*x[i],(i,0,I-1)) + c[o]"


@pytest.mark.parametrize(
    ("formula", "function", "shapes"),
    [
        (SOFTMAX, lambda x: x.softmax(-1), {"x": (2, 3)}),
        ("y[i] = exp(x[i])/Sum(exp(x[k]),(k,0,C-1))", lambda x: x.softmax(-1), {"x": (3,)}),
        ("y[i] = exp(x[i])/Sum(exp(x[k]),(k,0,C-1))", lambda x: x.softmax(-1), {"x": (2, 3)}),  # a batch
        ("y[i] = x[i]/(1 + exp(-x[i]))", F.silu, {"x": (2, 2, 3)}),  # of any shape
        ("y[i] = a*x[i] + x[i]**2", lambda x, a: a * x + x * x, {"x": (3,), "a": ()}),
        (LINEAR, F.linear, {"x": (4, 3), "w": (2, 3), "c": (2,)}),
        ("y[i] = Piecewise((x[i], x[i] > 0), (0, True))", F.relu, {"x": (5,)}),
        ("C = Sum((x[i] - t[i])**2, (i, 0, n-1))/n", F.mse_loss, {"x": (4,), "t": (4,)}),
    ],
)
def test_a_formula_needs_no_declaration(formula, function, shapes):
    tensors = {name: entries(*shape) for name, shape in shapes.items()}
    ground = of(formula, **tensors)
    assert ground.operator is not None
    output = function(*tensors.values())
    assert torch.allclose(ground(tensors), output)
    agree_on_all_numbers(ground, tensors, entries(*output.shape))
    assert torch.allclose(ground.operator.function(*(tensors[each.name] for each in ground.operator.inputs)), output)


def test_inputs_of_other_names_follow_as_they_appear():
    tensors = {"weight": entries(2, 3), "input": entries(4, 3), "bias": entries(2)}
    ground = of(LINEAR, **tensors)
    assert torch.allclose(ground(tensors), F.linear(tensors["input"], tensors["weight"], tensors["bias"]))
    assert ground.vjp(tensors, entries(4, 2)).keys() == tensors.keys()


def test_the_rest_of_the_inputs_follow_where_some_have_the_names():
    tensors = {"input": entries(4, 3), "w": entries(2, 3), "bias": entries(2)}
    wanted = F.linear(*tensors.values())
    for formula in (LINEAR, "y[o] = bias[o] + Sum(w[o,i]*x[i],(i,0,I-1))"):
        assert torch.allclose(of(formula, **tensors)(tensors), wanted)


def test_a_modules_parameters_come_by_name_or_last():
    linear = nn.Linear(3, 2).double()
    tensors = {"x": entries(4, 3), **{name: each.detach() for name, each in linear.named_parameters()}}
    for formula in (
        "y[o] = Sum(weight[o,i]*x[i],(i,0,I-1)) + bias[o]",
        "y[o] = bias[o] + Sum(x[i]*weight[o,i],(i,0,I-1))",
        "y[o] = Sum(a[i]*w[o,i],(i,0,I-1)) + b_[o]",
    ):
        ground = of(formula, parameters=linear.named_parameters(), x=entries(4, 3))
        assert torch.allclose(ground(tensors), linear(entries(4, 3)))


def test_whole_numbers_are_labels_and_floats_scalars():
    labels = torch.tensor([2, 0])
    ground = of("C = -Sum(p[b, labels[b]], (b, 0, B-1)) / B", labels, p=entries(2, 3))
    assert torch.allclose(ground({"p": entries(2, 3)}), F.nll_loss(entries(2, 3), labels))
    scaled = of("y[i] = a*x[i]", 0.5, wrt=("x",), x=entries(3))
    assert torch.allclose(scaled({"x": entries(3)}), entries(3) / 2)


def test_an_operator_that_was_declared_is_bound_alike():
    operator = of(LINEAR, x=entries(4, 3), w=entries(2, 3), c=entries(2)).operator
    ground = of(operator, c=entries(2), x=entries(4, 3), w=entries(2, 3))
    assert ground.operator is operator
    assert ground({"x": entries(4, 3), "w": entries(2, 3), "c": entries(2)}).shape == (4, 2)


def test_a_formula_is_read_once():
    assert of(SOFTMAX, x=entries(2, 3)).operator is of(SOFTMAX, x=entries(4, 5)).operator


def test_a_wrong_formula_is_shown_with_the_place():
    with pytest.raises(FormulaError) as raised:
        of("y[i] = sin(x[i])", x=entries(3))
    said, shown, carets, *_ = str(raised.value).splitlines()
    assert "sin is not a function" in said
    assert shown[carets.index("^") : carets.rindex("^") + 1] == "sin(x[i])"


@pytest.mark.parametrize(
    ("formula", "shapes", "says"),
    [
        (SOFTMAX, {"x": (3,)}, r"x has the shape \[3\], and the formula reads x\[n, C\]"),
        (SOFTMAX, {"x": (2, 3, 4)}, r"x has the shape \[2, 3, 4\], and the formula reads x\[n, C\]"),
        (
            "y[i] = x[i] + z[i]",
            {"x": (3,), "z": (3, 1)},
            r"z has the shape \[3, 1\], .* n is \[3, 1\] here and \[3\] in x",
        ),
        (LINEAR, {"x": (4, 3), "w": (2, 5), "c": (2,)}, r"x has the shape \[4, 3\], .* I is 3 here and 5 in w"),
        ("y[i] = a*x[i]", {"x": (3,), "a": (3,)}, r"a has the shape \[3\], and the formula reads a, one number"),
        ("y[i] = x[i] + z[i]", {"x": (3,)}, "the formula has the inputs x, z, and the call has x"),
        ("y[i] = x[i]", {"x": (3,), "z": (3,)}, "the formula says nothing of z"),
        ("C = -Sum(p[b, labels[b]], (b, 0, B-1)) / B", {"p": (2, 3)}, "inputs p, labels, and the call has p"),
    ],
)
def test_inputs_that_do_not_fit_are_named_with_their_sizes(formula, shapes, says):
    with pytest.raises(UsageError, match=says):
        of(formula, **{name: entries(*shape) for name, shape in shapes.items()})


def test_labels_that_nothing_has_are_refused():
    with pytest.raises(UsageError, match="labels chooses among the 3 of p, and holds 1 to 3"):
        of("C = -Sum(p[b, labels[b]], (b, 0, B-1)) / B", torch.tensor([1, 3]), p=entries(2, 3))
