"""Random weights of the right size for a layer with ReLU (lecture part B, weight initialisation)."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def kaiming_normal(fan_out: int, fan_in: int, generator: torch.Generator) -> Tensor:
    """A weight (fan_out, fan_in) of the default dtype: independent, normal, mean 0, standard deviation √(2 / fan_in).

    Every number is drawn from `generator`; the same state gives the same weight.
    """
    # s = Σ_i w_i x_i has E[s²] = fan_in · Var(w) · E[x²] for independent w_i with mean 0. s is as often positive as
    # negative, so relu keeps half of it: E[relu(s)²] = E[s²] / 2. The size stays from layer to layer when
    #     fan_in · Var(w) / 2 = 1,  hence  Var(w) = 2 / fan_in.
    return math.sqrt(2 / fan_in) * torch.randn(fan_out, fan_in, generator=generator)
