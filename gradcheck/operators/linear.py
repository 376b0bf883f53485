"""The linear module (lecture part B, basic modules)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gradcheck.operators.operator import Input, Operator

if TYPE_CHECKING:
    from torch import Tensor


def _linear(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    return x @ weight.T + bias


LINEAR = Operator(
    name="linear",
    formula="y[o] = Sum(weight[o, i] * x[i], (i, 0, I-1)) + bias[o]",
    inputs=(
        Input("x", ("I",), wrt=("q",), batched=True),
        Input("weight", ("O", "I"), wrt=("p", "q")),
        Input("bias", ("O",), wrt=("p",)),
    ),
    output_shape=("O",),
    function=_linear,
    empty_batch=True,
    source="lecture part B, basic modules: linear; torch.nn.Linear",
)
