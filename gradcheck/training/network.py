"""The spiral data of the practicum (equations 1a and 1b), three classes of 1,000 points that no line separates, and the
reference: its networks in plain torch.nn, trained by torch's own optimisers.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np

from gradcheck.references.binding import Array
from gradcheck.references.expected import Floats

if TYPE_CHECKING:
    from torch import nn

HIDDEN = 100
Progress = Callable[[int, int, float], None]
"""Called with the epochs done, the number of epochs and the last loss."""


@dataclass
class History:
    """A training: the loss before each update, the accuracy after the last, the network."""

    network: nn.Module
    losses: list[float] = field(default_factory=list)
    accuracy: float = 0.0


def two_layer(kind: Literal["relu", "linear"] = "relu", hidden: int = HIDDEN, seed: int = 0) -> nn.Sequential:
    """2 → hidden → classes; without the ReLU it is a linear model, whatever its depth. Parameters are those of
    `initial_parameters`, so that a learner's network can start from the same place.
    """
    import torch
    from torch import nn

    first, last = nn.Linear(2, hidden), nn.Linear(hidden, CLASSES)
    params = initial_parameters(hidden, seed)
    with torch.no_grad():
        for layer, weight, bias in ((first, "w_h", "b_h"), (last, "w_y", "b_y")):
            layer.weight.copy_(torch.as_tensor(params[weight]))
            layer.bias.copy_(torch.as_tensor(params[bias]))
    return nn.Sequential(first, nn.ReLU(), last) if kind == "relu" else nn.Sequential(first, last)


def train(
    network: nn.Module,
    x: Floats,
    labels: Array,
    *,
    optimiser: Literal["sgd", "adam"] = "sgd",
    lr: float,
    epochs: int,
    progress: Progress | None = None,
) -> History:
    """Full-batch training on the mean cross-entropy, in float32 as the practicum does it."""
    import torch

    inputs, targets = torch.as_tensor(x, dtype=torch.float32), torch.as_tensor(labels)
    kinds = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam}
    steps = kinds[optimiser](network.parameters(), lr=lr)
    history = History(network)
    with torch.enable_grad():
        for epoch in range(epochs):
            steps.zero_grad()
            loss = torch.nn.functional.cross_entropy(network(inputs), targets)
            loss.backward()  # type: ignore[no-untyped-call]
            steps.step()
            history.losses.append(float(loss.detach()))
            if progress:
                progress(epoch + 1, epochs, history.losses[-1])
    with torch.no_grad():
        history.accuracy = float((network(inputs).argmax(1) == targets).float().mean())
    return history


CLASSES = 3
POINTS = 1000
SPREAD = 0.2
"""Standard deviation of a point's angle, in radians."""


def spiral(points: int = POINTS, classes: int = CLASSES, seed: int = 0) -> tuple[Floats, Array]:
    """x (classes · points, 2) class after class, and labels int64.

    X_k(t) = t (sin φ, cos φ) with φ = 2π/K (2t + k − 1) + noise, t from 0 to 1, k = 1 … K.
    """
    rng = np.random.default_rng([seed, 2])
    t = np.linspace(0.0, 1.0, points)
    arms = []
    for k in range(1, classes + 1):
        angle = 2 * math.pi / classes * (2 * t + k - 1) + SPREAD * rng.standard_normal(points)
        arms.append(t[:, None] * np.stack((np.sin(angle), np.cos(angle)), axis=1))
    return np.concatenate(arms), np.repeat(np.arange(classes), points)


def initial_parameters(hidden: int, seed: int = 0, classes: int = CLASSES) -> dict[str, Floats]:
    """Parameters of the two-layer network, uniform within ±1/√fan_in as `torch.nn.Linear` draws them."""
    rng = np.random.default_rng([seed, 3])

    def layer(rows: int, columns: int) -> tuple[Floats, Floats]:
        bound = 1 / math.sqrt(columns)
        return rng.uniform(-bound, bound, (rows, columns)), rng.uniform(-bound, bound, rows)

    (w_h, b_h), (w_y, b_y) = layer(hidden, 2), layer(classes, hidden)
    return {"w_h": w_h, "b_h": b_h, "w_y": w_y, "b_y": b_y}
