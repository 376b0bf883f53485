"""Convolutions of one axis and of two, as neural networks understand them: a window that moves over the input."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from gradcheck.operators.record import Input, Operator

if TYPE_CHECKING:
    from torch import Tensor

STRIDE, PADDING = 2, 1
"""Of `CONV1D_STRIDED`."""


def _convolved(name: str, **options: int) -> Callable[..., Tensor]:
    """A convolution of torch, which is imported when it is called."""

    def function(*tensors: Tensor) -> Any:
        import torch

        return getattr(torch, name)(*tensors, **options)

    return function


_ONE_AXIS = (
    Input("x", ("C", "L"), wrt=("p", "q"), batched=True),
    Input("weight", ("O", "C", "K"), wrt=("r", "s", "t")),
    Input("bias", ("O",), wrt=("r",)),
)

CONV1D = Operator(
    name="conv1d",
    formula="y[o, i] = Sum(Sum(weight[o, c, k] * x[c, i + k], (k, 0, K-1)), (c, 0, C-1)) + bias[o]",
    inputs=_ONE_AXIS,
    output_shape=("O", "L - K + 1"),
    function=_convolved("conv1d"),
    source="torch.nn.Conv1d",
)

CONV1D_STRIDED = Operator(
    name="conv1d_strided",
    formula=(
        f"y[o, i] = Sum(Sum(weight[o, c, k] * x[c, {STRIDE}*i + k - {PADDING}], (k, 0, K-1)), (c, 0, C-1)) + bias[o]"
    ),
    inputs=_ONE_AXIS,
    output_shape=("O", f"(L + {2 * PADDING} - K) // {STRIDE} + 1"),
    function=_convolved("conv1d", stride=STRIDE, padding=PADDING),
    source="torch.nn.Conv1d with stride and padding",
)

CONV2D = Operator(
    name="conv2d",
    formula=(
        "y[o, i, j] = Sum(Sum(Sum(weight[o, c, k, l] * x[c, i + k, j + l], (l, 0, W-1)), (k, 0, H-1)), (c, 0, C-1))"
        " + bias[o]"
    ),
    inputs=(
        Input("x", ("C", "M", "N"), wrt=("p", "q", "r"), batched=True),
        Input("weight", ("O", "C", "H", "W"), wrt=("s", "t", "u", "v")),
        Input("bias", ("O",), wrt=("s",)),
    ),
    output_shape=("O", "M - H + 1", "N - W + 1"),
    function=_convolved("conv2d"),
    source="torch.nn.Conv2d",
)
