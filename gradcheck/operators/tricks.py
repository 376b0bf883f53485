"""Practical tricks (lecture part B): what normalised inputs, penalties on the weights and dropout compute."""

from __future__ import annotations

from gradcheck.operators.operator import Input, Operator

STANDARDISE = Operator(
    name="standardise",
    # The factor is 1 / max(σ, ε), a constant: as an input of its own it may be any number.
    formula="y[i] = (x[i] - mean[i]) * factor[i]",
    inputs=(Input("x", ("n",), wrt=("j",), batched=True), Input("mean", ("n",)), Input("factor", ("n",))),
    output_shape=("n",),
    function=lambda x, mean, factor: (x - mean) * factor,
    source="lecture part B, practical tricks: normalise the inputs",
)

SQUARED_NORM = Operator(
    name="squared_norm",
    formula="C = Sum(w[i]**2, (i, 0, n-1))",
    inputs=(Input("w", ("n",), wrt=("j",)),),
    function=lambda w: w.square().sum(),
    flattened=True,
    any_shape=True,
    source="lecture part B, practical tricks: weight decay, L2",
)

L1_NORM = Operator(
    name="l1_norm",
    formula="C = Sum(Piecewise((w[i], w[i] > 0), (-w[i], True)), (i, 0, n-1))",
    inputs=(Input("w", ("n",), wrt=("j",)),),
    function=lambda w: w.abs().sum(),
    flattened=True,
    any_shape=True,
    source="lecture part B, practical tricks: weight decay, L1",
)

MASKED = Operator(
    name="masked",
    formula="y[i] = x[i] * mask[i]",
    inputs=(Input("x", ("n",), wrt=("j",)), Input("mask", ("n",))),
    output_shape=("n",),
    function=lambda x, mask: x * mask,
    flattened=True,
    any_shape=True,
    source="lecture part B, practical tricks: dropout",
)
