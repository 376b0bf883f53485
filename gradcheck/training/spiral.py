"""The spiral data of the practicum (equations 1a and 1b): three classes of 1,000 points that no line separates."""

from __future__ import annotations

import math

import numpy as np

from gradcheck.references.binding import Array
from gradcheck.references.expected import Floats

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


def initial_parameters(hidden: int, seed: int = 0, inputs: int = 2, classes: int = CLASSES) -> dict[str, Floats]:
    """Parameters of the two-layer network, uniform within ±1/√fan_in as `torch.nn.Linear` draws them."""
    rng = np.random.default_rng([seed, 3])

    def layer(rows: int, columns: int) -> tuple[Floats, Floats]:
        bound = 1 / math.sqrt(columns)
        return rng.uniform(-bound, bound, (rows, columns)), rng.uniform(-bound, bound, rows)

    (w_h, b_h), (w_y, b_y) = layer(hidden, inputs), layer(classes, hidden)
    return {"w_h": w_h, "b_h": b_h, "w_y": w_y, "b_y": b_y}
