"""Rules for moves that add up where several entries come to lie on one another, as scatter_add does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from gradcheck.numbers.bounded.number import RULES, Bounded, BoundedTensor, rule
from gradcheck.numbers.dispatch import aten, overloads

Laid = Callable[[Tensor, Tensor], Tensor]


def added_up(numbers: Bounded, onto: Any, values: Any, lay: Laid) -> BoundedTensor:
    """What `lay(onto, values)` makes by adding entries of `values` onto entries of `onto`.

    How many come together at most is counted by laying ones.
    """
    (x_mid, x_rad), (v_mid, v_rad) = numbers.operand(onto), numbers.operand(values)
    x_rad, v_rad = x_rad.expand(x_mid.shape), v_rad.expand(v_mid.shape).contiguous()
    counts = lay(torch.zeros_like(x_mid), torch.ones_like(v_mid))
    terms = 1 + int(counts.amax().item()) if counts.numel() else 1
    still = not bool(x_mid.any()) and not bool(x_rad.any())
    return numbers.summed(
        lay(x_mid, v_mid),
        lay(x_rad.contiguous(), v_rad),
        lay(x_mid.abs(), v_mid.abs()),
        terms - 1 if still else terms,
    )


@rule("index_put", "_unsafe_index_put")
def index_put(numbers: Bounded, x: Any, indices: Any, values: Any, accumulate: bool = False) -> BoundedTensor:
    if accumulate:
        return added_up(numbers, x, values, lambda p, q: aten.index_put.default(p, indices, q, True))
    (x_mid, x_rad), (v_mid, v_rad) = numbers.operand(x), numbers.operand(values)
    return BoundedTensor(
        aten.index_put.default(x_mid, indices, v_mid),
        aten.index_put.default(x_rad.expand(x_mid.shape).contiguous(), indices, v_rad.expand(v_mid.shape)),
    )


@rule("scatter_add")
def scatter_add(numbers: Bounded, x: Any, dim: int, index: Tensor, source: Any) -> BoundedTensor:
    return added_up(numbers, x, source, lambda p, q: torch.scatter_add(p, dim, index, q))


@rule("index_add")
def index_add(numbers: Bounded, x: Any, dim: int, index: Tensor, source: Any, *, alpha: Any = 1) -> BoundedTensor:
    if alpha != 1:
        source = RULES[aten.mul.Tensor](numbers, source, alpha)
    return added_up(numbers, x, source, lambda p, q: torch.index_add(p, dim, index, q))


@rule("put")
def put(numbers: Bounded, x: Any, index: Tensor, source: Any, accumulate: bool = False) -> BoundedTensor:
    if accumulate:
        return added_up(numbers, x, source, lambda p, q: torch.Tensor.put(p, index, q, True))
    (x_mid, x_rad), (v_mid, v_rad) = numbers.operand(x), numbers.operand(source)
    return BoundedTensor(
        torch.Tensor.put(x_mid, index, v_mid),
        torch.Tensor.put(x_rad.expand(x_mid.shape).contiguous(), index, v_rad.expand(v_mid.shape).contiguous()),
    )


def register_adjoint(name: str) -> None:
    """The backward of a move: entries that were copied from one come together again."""
    for overload in overloads(name):

        def apply(
            numbers: Bounded, upstream: BoundedTensor, *how: Any, _func: Any = overload, **kw: Any
        ) -> BoundedTensor:
            none = torch.zeros((), dtype=torch.float64)
            return added_up(numbers, none, upstream, lambda _, g: _func(g, *how, **kw))

        RULES[overload] = apply


for _name in ("unfold_backward", "embedding_dense_backward", "col2im"):
    register_adjoint(_name)
