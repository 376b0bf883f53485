"""Why deep networks have ReLUs: gradients along a scalar chain z_{k+1} = h(w_k z_k) (lecture part B).

Hard inputs are graded too: an empty list.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch


def sigmoid_chain(x: float, weights: list[float]) -> list[float]:
    """[|dz_K/dz_0|, …, |dz_K/dz_K|] with h the sigmoid and z_0 = x: K + 1 floats for K weights, the last is 1."""
    # TODO: your code here
    raise NotImplementedError("sigmoid_chain is not written yet")


def relu_chain(x: float, weights: list[float]) -> list[float]:
    """The same with h = relu. Where w_k z_k is 0, any slope from 0 to 1 is right."""
    # TODO: your code here
    raise NotImplementedError("relu_chain is not written yet")
