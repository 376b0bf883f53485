"""Softmax and log-softmax (lecture part B: softmax, logsoftmax)."""

from __future__ import annotations

from gradcheck.operators.record import Input, Operator

SOFTMAX = Operator(
    name="softmax",
    formula="y[i] = exp(x[i]) / Sum(exp(x[k]), (k, 0, C-1))",
    inputs=(Input("x", ("C",), wrt=("j",), batched=True),),
    output_shape=("C",),
    function=lambda x: x.softmax(-1),
    unbatched=True,
    stable=True,
    empty_batch=True,
    source="lecture part B: softmax; torch.nn.Softmax",
)

LOG_SOFTMAX = Operator(
    name="log_softmax",
    formula="y[i] = x[i] - log(Sum(exp(x[k]), (k, 0, C-1)))",
    inputs=(Input("x", ("C",), wrt=("j",), batched=True),),
    output_shape=("C",),
    function=lambda x: x.log_softmax(-1),
    unbatched=True,
    stable=True,
    empty_batch=True,
    source="lecture part B: logsoftmax; torch.nn.LogSoftmax",
)
