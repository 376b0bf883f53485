"""The references must agree before anything is graded.

The derived formula on exact numbers, torch.autograd on the torch function, and differences of the torch function reach
the same gradient by three roads; a mistake in a record (the formula, the torch function, a form) parts two of them.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from gradcheck.errors import ReferenceDisagreement
from gradcheck.operators.record import Operator
from gradcheck.references.binding import Array
from gradcheck.references.expected import Expected, Floats, Point


def check_agreement(
    operator: Operator, inputs: Mapping[str, Array], cotangent: Array, sizes: Mapping[str, int]
) -> None:
    """Compare all references at one point. Raises ReferenceDisagreement, naming input and entry.

    Differences are left out where a branch passes through the point itself: there they mean nothing. Their steps are so
    short that one which merely passes near does not matter.
    """
    point = Point(operator, inputs, "float64", sizes)
    output, (forward, gradients) = point.forward(), _by_autograd(operator, inputs, cotangent, sizes)
    _compare(operator, "forward", output, forward)
    expected = point.vjp(cotangent[None])[0]
    for name, gradient in gradients.items():
        _compare(operator, f"torch.autograd by {name}", expected[name], gradient)
    if output.other is None and all(each.other is None for each in expected.values()):
        for name, each in expected.items():
            _compare_differences(operator, inputs, cotangent, sizes, name, each)


def _compare_differences(
    operator: Operator,
    inputs: Mapping[str, Array],
    cotangent: Array,
    sizes: Mapping[str, int],
    name: str,
    expected: Expected,
) -> None:
    """Along one direction, in which every entry has a part: how fast Σ g·y changes there."""
    import torch

    from gradcheck.numbers.differences import directional
    from gradcheck.numbers.dispatch import NoRule

    arguments = [torch.as_tensor(np.asarray(inputs[each.name])) for each in operator.inputs]
    along = np.random.default_rng(0).standard_normal(expected.value.shape)
    directions = [torch.as_tensor(along) if each.name == name else None for each in operator.inputs]
    try:
        slopes = directional(lambda *tensors: operator.function(*tensors, *sizes.values()), [*arguments], directions)
    except NoRule:
        return  # nobody can run this torch function on exact numbers: two opinions are left
    change = np.array([float(ball.mid()) for ball in slopes[0].flat]).reshape(cotangent.shape) * cotangent
    right = expected.value * along
    tolerance = (expected.tolerance * np.abs(along)).sum() + 1e-12 * (np.abs(change).sum() + np.abs(right).sum())
    told = Expected(np.asarray(right.sum()), np.asarray(tolerance))
    _compare(operator, f"differences by {name}", told, np.asarray(change.sum()))


def _compare(operator: Operator, what: str, expected: Expected, value: Floats) -> None:
    excess = np.abs(value - expected.value) - expected.tolerance
    if expected.other is not None:
        inside = (value - expected.value) * (value - expected.other) <= 0
        excess = np.where(inside, -1.0, np.minimum(excess, np.abs(value - expected.other) - expected.tolerance))
    if not (excess <= 0).all():
        worst = np.unravel_index(int(np.nanargmax(excess)), excess.shape)
        raise ReferenceDisagreement(
            f"{operator.name}: the derived formula and {what} disagree at {list(map(int, worst))}: "
            f"{float(expected.value[worst])!r} against {float(value[worst])!r}"
        )


def _by_autograd(
    operator: Operator, inputs: Mapping[str, Array], cotangent: Array, sizes: Mapping[str, int]
) -> tuple[Floats, dict[str, Floats]]:
    """What the torch function gives in float64, and torch's gradient of every differentiable input."""
    import torch

    names = [an_input.name for an_input in operator.differentiable_inputs]
    arguments = {
        each.name: torch.as_tensor(np.asarray(inputs[each.name])).clone().requires_grad_(each.name in names)
        for each in operator.inputs
    }
    with torch.enable_grad():
        output = operator.function(*arguments.values(), *sizes.values())
        gradients = torch.autograd.grad(output, [arguments[name] for name in names], torch.as_tensor(cotangent))
    found = {name: gradient.numpy() for name, gradient in zip(names, gradients, strict=True)}
    return output.detach().numpy().astype(np.float64), found
