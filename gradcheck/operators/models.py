"""Parametrised models and their losses (lecture part A: parametrised models, loss functions)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gradcheck.operators.operator import Input, Operator

if TYPE_CHECKING:
    from torch import Tensor


def _average_loss(w: Tensor, x: Tensor, y: Tensor) -> Tensor:
    return (y - x @ w).square().mean()


AVERAGE_LOSS = Operator(
    name="average_loss",
    formula="L = Sum((y[p] - Sum(w[i] * x[p, i], (i, 0, n-1)))**2, (p, 0, P-1)) / P",
    inputs=(Input("w", ("n",), wrt=("j",)), Input("x", ("P", "n")), Input("y", ("P",))),
    function=_average_loss,
    empty_batch=False,
    source="lecture part A, loss functions: average loss over a training set",
)
