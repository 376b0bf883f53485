"""Operators that move values about: duplication, addition, maximum (lecture part B, basic modules); and the practical
tricks: what normalised inputs, penalties on the weights and dropout compute.
"""

from __future__ import annotations

from gradcheck.operators.record import Input, Operator

_PAIR = (Input("x1", ("n",), wrt=("j",)), Input("x2", ("n",), wrt=("j",)))


DUPLICATE = Operator(
    name="duplicate",
    formula="y[c, i] = x[i]",
    inputs=(Input("x", ("n",), wrt=("j",)),),
    output_shape=("copies", "n"),
    function=lambda x, copies: x.expand(copies, *x.shape),
    flattened=True,
    empty_batch=True,
    source="lecture part B, basic modules: duplicate",
)

ADD = Operator(
    name="add",
    formula="y[i] = x1[i] + x2[i]",
    inputs=_PAIR,
    output_shape=("n",),
    function=lambda x1, x2: x1 + x2,
    flattened=True,
    empty_batch=True,
    source="lecture part B, basic modules: add",
)

MAXIMUM = Operator(
    name="maximum",
    formula="y[i] = Piecewise((x1[i], x1[i] > x2[i]), (x2[i], True))",
    inputs=_PAIR,
    output_shape=("n",),
    function=lambda x1, x2: x1.maximum(x2),
    flattened=True,
    empty_batch=True,
    source="lecture part B, basic modules: max",
)


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
