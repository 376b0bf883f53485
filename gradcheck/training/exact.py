"""Gradient descent on the two-layer network, exactly: every gradient and every parameter with its tolerance.

A reverse sweep of the derived VJPs in ball arithmetic, so that what is asked of a network's gradient is as principled
as what is asked of one module's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from gradcheck.operators.elementwise import RELU
from gradcheck.operators.linear import LINEAR
from gradcheck.operators.losses import CROSS_ENTROPY
from gradcheck.references.binding import Array
from gradcheck.references.expected import Expected, Floats
from gradcheck.references.sweep import Sweep, Twin

BACKWARD_PATH = ("b_y", "w_y", "b_h", "w_h")
"""The parameters in the order in which a backward pass reaches them."""


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
    sweep = Sweep("float64")
    inputs, rate = sweep.input(x), sweep.input(lr)
    now = {name: sweep.input(value) for name, value in params.items()}
    done = []
    for _ in range(steps):
        found = _step(sweep, inputs, labels, now)
        after = {name: now[name] - rate * found["gradients"][name] for name in now}
        expected: dict[str, Any] = {
            group: {name: sweep.expected(twin) for name, twin in found[group].items()}
            for group in ("gradients", "flow", "values")
        }
        done.append(
            ExactStep(
                {name: sweep.expected(twin).value for name, twin in now.items()},
                sweep.expected(found["loss"]),
                expected["gradients"],
                expected["flow"],
                expected["values"],
                {name: sweep.expected(twin) for name, twin in after.items()},
            )
        )
        now = after
    return done


def _step(sweep: Sweep, x: Twin, labels: Array, params: dict[str, Twin]) -> dict[str, Any]:
    hidden = sweep.forward(LINEAR, x=x, weight=params["w_h"], bias=params["b_h"])
    active = sweep.forward(RELU, x=hidden)
    logits = sweep.forward(LINEAR, x=active, weight=params["w_y"], bias=params["b_y"])
    loss = sweep.forward(CROSS_ENTROPY, logits=logits, labels=labels)
    to_logits = sweep.vjp(CROSS_ENTROPY, 1.0, logits=logits, labels=labels)["logits"]
    second = sweep.vjp(LINEAR, to_logits, x=active, weight=params["w_y"], bias=params["b_y"])
    to_hidden = sweep.vjp(RELU, second["x"], x=hidden)["x"]
    first = sweep.vjp(LINEAR, to_hidden, x=x, weight=params["w_h"], bias=params["b_h"])
    return {
        "loss": loss,
        "gradients": {"b_y": second["bias"], "w_y": second["weight"], "b_h": first["bias"], "w_h": first["weight"]},
        "flow": {"logits": to_logits, "activations": second["x"], "hidden": to_hidden},
        "values": {"hidden": hidden, "activations": active, "logits": logits},
    }


def within(got: Array, expected: Expected, slack: Floats | float = 0.0) -> bool:
    """Whether every entry is what a right computation may give."""
    if got.shape != expected.value.shape:
        return False
    with np.errstate(all="ignore"):
        return bool((np.abs(got - expected.value) <= expected.tolerance + slack).all())
