"""Operators that move values about: duplication, addition, maximum (lecture part B, basic modules)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gradcheck.operators.operator import Input, Operator

if TYPE_CHECKING:
    from torch import Tensor

_PAIR = (Input("x1", ("n",), wrt=("j",)), Input("x2", ("n",), wrt=("j",)))


def _duplicate(x: Tensor, copies: int) -> Tensor:
    return x.expand(copies, *x.shape)


def _add(x1: Tensor, x2: Tensor) -> Tensor:
    return x1 + x2


def _maximum(x1: Tensor, x2: Tensor) -> Tensor:
    return x1.maximum(x2)


DUPLICATE = Operator(
    name="duplicate",
    formula="y[c, i] = x[i]",
    inputs=(Input("x", ("n",), wrt=("j",)),),
    output_shape=("copies", "n"),
    function=_duplicate,
    flattened=True,
    empty_batch=True,
    source="lecture part B, basic modules: duplicate",
)

ADD = Operator(
    name="add",
    formula="y[i] = x1[i] + x2[i]",
    inputs=_PAIR,
    output_shape=("n",),
    function=_add,
    flattened=True,
    empty_batch=True,
    source="lecture part B, basic modules: add",
)

MAXIMUM = Operator(
    name="maximum",
    formula="y[i] = Piecewise((x1[i], x1[i] > x2[i]), (x2[i], True))",
    inputs=_PAIR,
    output_shape=("n",),
    function=_maximum,
    flattened=True,
    empty_batch=True,
    source="lecture part B, basic modules: max",
)
