"""The linear module (lecture part B, basic modules)."""

from __future__ import annotations

from gradcheck.operators.operator import Input, Operator

LINEAR = Operator(
    name="linear",
    formula="y[o] = Sum(weight[o, i] * x[i], (i, 0, I-1)) + bias[o]",
    inputs=(
        Input("x", ("I",), wrt=("q",), batched=True),
        Input("weight", ("O", "I"), wrt=("p", "q")),
        Input("bias", ("O",), wrt=("p",)),
    ),
    output_shape=("O",),
    function=lambda x, weight, bias: x @ weight.T + bias,
    empty_batch=True,
    source="lecture part B, basic modules: linear; torch.nn.Linear",
)
