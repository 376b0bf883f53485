"""Operators that move values about: duplication, addition, maximum (lecture part B, basic modules)."""

from __future__ import annotations

from gradcheck.operators.operator import Input, Operator

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
