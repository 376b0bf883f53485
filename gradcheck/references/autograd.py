"""The second opinion: torch.autograd on an operator's torch function."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from gradcheck.operators.operator import Operator
from gradcheck.references.binding import Array
from gradcheck.references.expected import Floats


def forward(operator: Operator, inputs: Mapping[str, Array], sizes: Mapping[str, int]) -> Floats:
    """The output in float64."""
    import torch

    with torch.no_grad():
        arguments = [torch.as_tensor(np.asarray(inputs[an_input.name])) for an_input in operator.inputs]
        result: Floats = operator.function(*arguments, *sizes.values()).numpy().astype(np.float64)
    return result


def vjp(
    operator: Operator, inputs: Mapping[str, Array], cotangent: Array, sizes: Mapping[str, int]
) -> dict[str, Floats]:
    """The gradient of every differentiable input, in float64. `sizes` holds integer arguments such as `copies`."""
    import torch

    names = [an_input.name for an_input in operator.differentiable_inputs]
    arguments = {
        an_input.name: torch.as_tensor(np.asarray(inputs[an_input.name])).clone().requires_grad_(an_input.name in names)
        for an_input in operator.inputs
    }
    with torch.enable_grad():
        output = operator.function(*arguments.values(), *sizes.values())
        gradients = torch.autograd.grad(output, [arguments[name] for name in names], torch.as_tensor(cotangent))
    return {name: gradient.numpy() for name, gradient in zip(names, gradients, strict=True)}
