"""Gradient descent on the two-layer network, exactly: every gradient and every parameter with its tolerance.

The derived formulas of its modules in exact and in bounded numbers, so that what is asked of a network's gradient is
as principled as what is asked of one module's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from gradcheck.references.binding import Array
from gradcheck.references.expected import Expected, Floats, expect
from gradcheck.training.two_layers import layers, loss_and_slope, way_back

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class ExactStep:
    """One step: the parameters before it, and everything on the way back, by name, with tolerances.

    `flow` holds the gradients between the modules: dC/dlogits, dC/dactivations, dC/dhidden; `values` what passes
    between them on the way there.
    """

    before: dict[str, Floats]
    loss: Expected
    gradients: dict[str, Expected]
    flow: dict[str, Expected]
    values: dict[str, Expected]
    after: dict[str, Expected]


def exact_run(x: Floats, labels: Array, params: dict[str, Floats], lr: float, steps: int) -> list[ExactStep]:
    """Full-batch gradient descent in float64: the truth, and how far from it a right computation may be."""
    import torch

    given = {
        "x": torch.as_tensor(x),
        "labels": torch.as_tensor(labels),
        "params": {name: torch.as_tensor(value) for name, value in params.items()},
        "lr": lr,
    }
    found = expect(lambda **arguments: _run(**arguments, steps=steps), given, "float64", what="full backprop")
    return [ExactStep(**each | {"before": {name: e.value for name, e in each["before"].items()}}) for each in found]


def _run(x: Tensor, labels: Tensor, params: dict[str, Tensor], lr: Tensor, steps: int) -> list[dict[str, Any]]:
    done = []
    for _ in range(steps):
        values = layers(x, params)
        loss, slope = loss_and_slope(values["logits"], labels)
        gradients, flow = way_back(slope, x, params)
        after = {name: params[name] - lr * gradients[name] for name in params}
        done.append(
            {"before": params, "loss": loss, "gradients": gradients, "flow": flow, "values": values, "after": after}
        )
        params = after
    return done


def within(got: Array, expected: Expected, slack: Floats | float = 0.0) -> bool:
    """Whether every entry is what a right computation may give."""
    if got.shape != expected.value.shape:
        return False
    with np.errstate(all="ignore"):
        return bool((np.abs(got - expected.value) <= expected.tolerance + slack).all())
