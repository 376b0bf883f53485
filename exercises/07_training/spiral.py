"""The spiral data set: K classes, each an arm that winds outwards (practicum).

X_k(t) = t (sin φ, cos φ) with φ = 2π/K (2t + k − 1 + noise_k(t)), k = 1 … K, at P values of t from 0 to 1.

Hard inputs are graded too: strided memory, entries up to ±1e4, exact zeros and ties.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor


def make_spiral(noise: Tensor, num_classes: int) -> tuple[Tensor, Tensor]:
    """x (K·P, 2) in noise's dtype and the labels (K·P,) int64, class after class; noise (K, P), num_classes = K.

    t takes P evenly spaced values, both ends included; a single point has t = 0. Labels are 0 … K − 1.
    """
    # TODO: your code here
    raise NotImplementedError("make_spiral is not written yet")
