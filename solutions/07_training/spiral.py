"""The spiral data set: K classes, each an arm that winds outwards (practicum).

X_k(t) = t (sin φ, cos φ) with φ = 2π/K (2t + k − 1 + noise_k(t)), k = 1 … K, at P values of t from 0 to 1.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor


def make_spiral(noise: Tensor, num_classes: int) -> tuple[Tensor, Tensor]:
    """x (K·P, 2) in noise's dtype and the labels (K·P,) int64, class after class; noise (K, P), num_classes = K.

    t takes P evenly spaced values, both ends included; a single point has t = 0. Labels are 0 … K − 1.
    """
    # t is the radius: every arm leaves the origin and ends on the unit circle. On the way 2t grows by two, which are
    # two K-ths of a turn; k − 1 sets off the arms a K-th of a turn from each other.
    num_points = noise.shape[1]
    t = torch.linspace(0, 1, num_points, dtype=noise.dtype)
    arms = []
    for label in range(num_classes):  # label = k − 1
        phi = 2 * math.pi / num_classes * (2 * t + label + noise[label])
        arms.append(torch.stack((t * torch.sin(phi), t * torch.cos(phi)), dim=1))
    labels = torch.arange(num_classes).repeat_interleave(num_points)
    return torch.cat(arms), labels
