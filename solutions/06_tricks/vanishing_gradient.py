"""Why deep networks have ReLUs: gradients along a scalar chain z_{k+1} = h(w_k z_k) (lecture part B)."""

from __future__ import annotations

import math
from collections.abc import Callable


def slopes(x: float, weights: list[float], h: Callable[[float], float], slope: Callable[[float], float]) -> list[float]:
    """|dz_K/dz_k| for k = 0 … K, by one pass forward and one backward."""
    # The chain rule for one stage: dz_{k+1}/dz_k = h'(s_k) w_k with s_k = w_k z_k. Backwards from dz_K/dz_K = 1 each
    # entry is the next one times that factor; products of absolute values need no signs.
    sums = []
    z = x
    for w in weights:
        sums.append(w * z)
        z = h(sums[-1])
    found = [1.0]
    for w, s in zip(reversed(weights), reversed(sums), strict=True):
        found.append(found[-1] * abs(slope(s) * w))
    return found[::-1]


def sigmoid(s: float) -> float:
    small = math.exp(-abs(s))  # never overflows
    return 1 / (1 + small) if s >= 0 else small / (1 + small)


def sigmoid_chain(x: float, weights: list[float]) -> list[float]:
    """[|dz_K/dz_0|, …, |dz_K/dz_K|] with h the sigmoid and z_0 = x: K + 1 floats for K weights, the last is 1."""
    # h' = y (1 − y) is 1/4 at most: with weights of size 1 the gradient shrinks at least fourfold at every stage.
    return slopes(x, weights, sigmoid, lambda s: sigmoid(s) * sigmoid(-s))


def relu_chain(x: float, weights: list[float]) -> list[float]:
    """The same with h = relu. Where w_k z_k is 0, any slope from 0 to 1 is right."""
    # Above zero the slope is 1, whatever the depth: only the weights count. Below zero it is 0, and the chain is dead.
    return slopes(x, weights, lambda s: max(s, 0.0), lambda s: float(s > 0))
