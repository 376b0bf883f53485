"""The linear module."""

from __future__ import annotations

from typing import Any

from gradcheck.catalog.exercise import About, Exercise, Misconception, backward, forward, jacobian
from gradcheck.operators.models import LINEAR

ORDER = 1


def _grad_weight_reshaped(grad_output: Any, x: Any, weight: Any, _bias: Any) -> Any:
    return grad_output @ weight, (x.T @ grad_output).reshape(weight.shape), grad_output.sum(0)


def _samples_summed_apart(grad_output: Any, x: Any, weight: Any, _bias: Any) -> Any:
    return grad_output @ weight, grad_output.sum(0).outer(x.sum(0)), grad_output.sum(0)


def _times_weight(grad_output: Any, x: Any, weight: Any, _bias: Any) -> Any:
    return grad_output @ weight, grad_output.T @ x * weight, grad_output.sum(0)


def _times_x(grad_output: Any, x: Any, weight: Any, _bias: Any) -> Any:
    return grad_output @ weight * x, grad_output.T @ x, grad_output.sum(0)


def _times_bias(grad_output: Any, x: Any, weight: Any, bias: Any) -> Any:
    return grad_output @ weight, grad_output.T @ x, grad_output.sum(0) * bias


def _as_before_a_relu(grad_output: Any, x: Any, weight: Any, bias: Any) -> Any:
    masked = grad_output * (x @ weight.T + bias > 0)
    return masked @ weight, masked.T @ x, masked.sum(0)


def _identity(weight: Any) -> Any:
    return weight.new_ones(len(weight)).diag()[:, :, None]


EXERCISE = Exercise(
    name="linear",
    unit="04_modules",
    title="The linear module, y = x Wᵀ + b",
    about=About(
        statement=(
            "A linear module multiplies by a matrix and adds a bias, so that each output is a weighted sum of all "
            "inputs. The lecture writes Y = W X with a sample in each column; torch writes y = x Wᵀ + b with a sample "
            "in each row, and so do we. Going back, three gradients are asked for: by x, by W and by b."
        ),
        purpose=(
            "Most parameters of most networks sit in this module: in a transformer it makes the queries, keys and "
            "values."
        ),
        torch=("torch.nn.functional.linear", "torch.nn.Linear"),
        idea=(
            "Follow the indices. x reaches the outputs of its own sample; weight and bias serve all samples, so theirs "
            "add up over the batch. Each sum is a matrix product, and the shapes leave only one."
        ),
        minutes=30,
        difficulty=2,
    ),
    operator=LINEAR,
    functions=(
        forward("x", "weight", "bias"),
        backward("grad_output", "x", "weight", "bias", points=3, returns="tuple"),
        jacobian("x", "weight", "bias", wrt="x", name="jacobian_x", may_share=("weight",)),
        jacobian("x", "weight", "bias", wrt="weight", name="jacobian_weight"),
    ),
    hints=(
        "Which entries of y does x_bi reach, and with which factor each? Which does weight_oi reach, and which "
        "bias_o? C changes by the sum over all of these ways.",
        "The weight and the bias are shared by all samples of the batch: what does that say about their "
        "gradients? Find the matrix product that has your sum as its entry (o, i). For one sample and one y_o "
        "nothing is summed: the Jacobians hold the factors themselves.",
        "dC/dx_bi = Σ_o g_bo ∂y_bo/∂x_bi, dC/dweight_oi = Σ_b g_bo ∂y_bo/∂weight_oi, dC/dbias_o = Σ_b g_bo "
        "∂y_bo/∂bias_o, with y_bo = Σ_k weight_ok x_bk + bias_o. For one sample, J[o, p, i] = ∂/∂weight_pi Σ_k "
        "weight_ok x_k.",
    ),
    misconceptions=(
        Misconception(
            "forward",
            "wrong-index",
            "you reshaped the weight to (I, O) where it has to be turned: its numbers have lost their places",
            lambda x, weight, bias: x @ weight.reshape(weight.T.shape) + bias,
            "Reshape [[1, 2, 3], [4, 5, 6]] to (3, 2) and print it: is it what .T gives?",
        ),
        Misconception(
            "forward",
            "wrong-function",
            "you multiplied by the bias where it is to be added",
            lambda x, weight, bias: x @ weight.T * bias,
            "Which y does a bias of zero give?",
        ),
        Misconception(
            "forward",
            "extra-term",
            "you put a relu behind the module: all that is negative has become zero",
            lambda x, weight, bias: (x @ weight.T + bias).relu(),
            "Is there anything in the definition that is not linear?",
        ),
        Misconception(
            "forward",
            "extra-term",
            "you put a sigmoid behind the module: everything lies between 0 and 1",
            lambda x, weight, bias: (x @ weight.T + bias).sigmoid(),
            "Is there anything in the definition that is not linear?",
        ),
        Misconception(
            "forward",
            "extra-reduction",
            "you added the sum of all biases to every output",
            lambda x, weight, bias: x @ weight.T + bias.sum(),
            "How many biases does one output have?",
        ),
        Misconception(
            "backward",
            "wrong-index",
            "you reshaped a product of shape (I, O) to the weight's shape where it has to be turned",
            _grad_weight_reshaped,
            "Which index comes first in your product, and which in weight?",
        ),
        Misconception(
            "backward",
            "extra-reduction",
            "you added up the samples of x and of grad_output each by itself and multiplied the two sums",
            _samples_summed_apart,
            "Which x does grad_output of sample b have to meet, in the sum over b?",
        ),
        Misconception(
            "backward",
            "extra-term",
            "you multiplied the weight's gradient by the weight: the parameter stays in its own derivative",
            _times_weight,
            "How steep is w x as a function of w?",
        ),
        Misconception(
            "backward",
            "extra-term",
            "you multiplied the gradient of x by x: the variable stays in its own derivative",
            _times_x,
            "How steep is w x as a function of x?",
        ),
        Misconception(
            "backward",
            "extra-term",
            "you multiplied the bias's gradient by the bias: the parameter stays in its own derivative",
            _times_bias,
            "How steep is s + b as a function of b?",
        ),
        Misconception(
            "backward",
            "extra-term",
            "you let grad_output through only where y is positive, as if a relu came after the module",
            _as_before_a_relu,
            "Is there a kink in y = x Wᵀ + b?",
        ),
        Misconception(
            "jacobian_x",
            "extra-term",
            "you multiplied each column by x_i: these are the terms of y, not yet their derivatives",
            lambda x, weight, _bias: weight * x,
            "How steep is w x as a function of x?",
        ),
        Misconception(
            "jacobian_x",
            "extra-term",
            "you kept the bias: it stands in every row, added to the weights",
            lambda _x, weight, bias: weight + bias[:, None],
            "By how much does the bias change when x does?",
        ),
        Misconception(
            "jacobian_x",
            "wrong-variable",
            "every row is x: that is the derivative by a row of the weight",
            lambda x, weight, _bias: x.repeat(len(weight), 1),
            "In weight_oi x_i, which of the two moves, and which is its factor?",
        ),
        Misconception(
            "jacobian_x",
            "extra-term",
            "you set the rows to zero whose output is negative, as if a relu came after the module",
            lambda x, weight, bias: weight * (weight @ x + bias > 0)[:, None],
            "Is there a kink in y = x Wᵀ + b?",
        ),
        Misconception(
            "jacobian_weight",
            "wrong-variable",
            "you filled the blocks with the weight itself",
            lambda _x, weight, _bias: _identity(weight) * weight,
            "In weight_oi x_i, which of the two moves, and which is its factor?",
        ),
        Misconception(
            "jacobian_weight",
            "extra-term",
            "you filled the blocks with weight times x: the parameter stays in its own derivative",
            lambda x, weight, _bias: _identity(weight) * weight * x,
            "How steep is w x as a function of w?",
        ),
        Misconception(
            "jacobian_weight",
            "extra-term",
            "you set the blocks to zero whose output is negative, as if a relu came after the module",
            lambda x, weight, bias: _identity(weight) * x * (weight @ x + bias > 0)[:, None, None],
            "Is there a kink in y = x Wᵀ + b?",
        ),
    ),
)
