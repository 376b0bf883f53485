"""Rules for moves that add up where several entries come to lie on one another, as scatter_add does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from gradcheck.numbers.bounded.number import RULES, Bounded, BoundedTensor, like, rule, whole
from gradcheck.numbers.dispatch import aten, overloads

Laid = Callable[[Tensor, Tensor], Tensor]


def added_up(numbers: Bounded, onto: Any, values: Any, lay: Laid) -> BoundedTensor:
    """What `lay(onto, values)` makes by adding entries of `values` onto entries of `onto`.

    How many come together at most is counted by laying ones.
    """
    (x_mid, x_rad), (v_mid, v_rad) = whole(numbers.operand(onto)), whole(numbers.operand(values))
    counts = lay(torch.zeros_like(x_mid), torch.ones_like(v_mid))
    terms = 1 + int(counts.amax().item()) if counts.numel() else 1
    still = not bool(x_mid.any()) and not bool(x_rad.any())
    return numbers.summed(
        lay(x_mid, v_mid),
        lay(x_rad, v_rad),
        lay(x_mid.abs(), v_mid.abs()),
        terms - 1 if still else terms,
        in_memory=True,
    )


@rule("index_put", "_unsafe_index_put")
def index_put(numbers: Bounded, x: Any, indices: Any, values: Any, accumulate: bool) -> BoundedTensor:
    return added_up(numbers, x, values, lambda p, q: aten.index_put.default(p, indices, q, True))


@rule("scatter_add")
def scatter_add(numbers: Bounded, x: Any, dim: int, index: Tensor, source: Any) -> BoundedTensor:
    return added_up(numbers, x, source, lambda p, q: torch.scatter_add(p, dim, index, q))


@rule("index_add")
def index_add(numbers: Bounded, x: Any, dim: int, index: Tensor, source: Any, *, alpha: Any = 1) -> BoundedTensor:
    if alpha != 1:
        source = RULES[aten.mul.Tensor](numbers, source, alpha)
    return added_up(numbers, x, source, lambda p, q: torch.index_add(p, dim, index, q))


@rule("put")
def put(numbers: Bounded, x: Any, index: Tensor, source: Any, accumulate: bool) -> BoundedTensor:
    return added_up(numbers, x, source, lambda p, q: torch.Tensor.put(p, index, q, True))


def register_adjoint(name: str) -> None:
    """The backward of a move: entries that were copied from one come together again."""
    for overload in overloads(name):

        def apply(
            numbers: Bounded, upstream: BoundedTensor, *how: Any, _func: Any = overload, **kw: Any
        ) -> BoundedTensor:
            none = upstream.mid.new_zeros(())
            how = tuple(like(z) if isinstance(z, BoundedTensor) else z for z in how)
            return added_up(numbers, none, upstream, lambda _, g: _func(g, *how, **kw))

        RULES[overload] = apply


for _name in (
    "unfold_backward", "embedding_dense_backward", "col2im", "replication_pad1d_backward", "replication_pad2d_backward",
    "replication_pad3d_backward", "reflection_pad1d_backward", "reflection_pad2d_backward", "reflection_pad3d_backward",
    "max_pool2d_with_indices_backward", "max_pool3d_with_indices_backward", "adaptive_max_pool2d_backward",
    "adaptive_max_pool3d_backward", "fractional_max_pool2d_backward", "fractional_max_pool3d_backward",
    "upsample_nearest1d_backward", "upsample_nearest2d_backward", "upsample_nearest3d_backward",
    "_upsample_nearest_exact1d_backward", "_upsample_nearest_exact2d_backward", "_upsample_nearest_exact3d_backward",
    "masked_scatter_backward",
):  # fmt: skip
    register_adjoint(_name)


def register_nearest(name: str) -> None:
    """Each entry of the result is one of x's, with a factor of 1."""
    for overload in overloads(name):
        RULES[overload] = lambda numbers, x, *how, _func=overload, **kw: numbers.exactly(
            _func(x.mid, *how, **kw), _func(x.rad, *how, **kw)
        )


for _name in (
    "upsample_nearest1d", "upsample_nearest2d", "upsample_nearest3d", "_upsample_nearest_exact1d",
    "_upsample_nearest_exact2d", "_upsample_nearest_exact3d", "reflection_pad1d", "reflection_pad2d",
    "reflection_pad3d", "replication_pad1d", "replication_pad2d", "replication_pad3d",
):  # fmt: skip
    register_nearest(_name)


def reduced(
    numbers: Bounded, x: Any, dim: int, index: Tensor, source: Any, how: str, include_self: bool
) -> BoundedTensor:
    """scatter_reduce on each part: extremes move no further than what moves furthest."""
    (x_mid, x_rad), (v_mid, v_rad) = whole(numbers.operand(x)), whole(numbers.operand(source))

    def lay(onto: Tensor, values: Tensor, reduction: str) -> Tensor:
        return torch.scatter_reduce(onto, dim, index, values, reduction, include_self=include_self)

    counts = lay(torch.ones_like(x_mid), torch.ones_like(v_mid), "sum")
    terms = int(counts.amax().item()) + 1 if counts.numel() else 1
    if how in ("sum", "mean"):
        summed = numbers.summed(
            lay(x_mid, v_mid, "sum"),
            lay(x_rad, v_rad, "sum"),
            lay(x_mid.abs(), v_mid.abs(), "sum"),
            terms,
            in_memory=True,
        )
        counted: BoundedTensor = RULES[aten.div.Tensor](numbers, summed, counts) if how == "mean" else summed
        return counted
    mid = lay(x_mid, v_mid, how)
    if how in ("amax", "amin"):
        rad = lay(x_rad, v_rad, "amax")
        near = torch.gather(mid, dim, index)
        values = v_mid[tuple(slice(0, size) for size in index.shape)]
        reach = torch.gather(rad, dim, index) * 2
        numbers.unclear += int((((values - near).abs() <= reach) & (values != near)).sum())
        numbers.ties += max(0, int((values == near).sum()) - mid.numel())
        return numbers.exactly(mid, rad)
    furthest = lay(x_mid.abs() + x_rad, v_mid.abs() + v_rad, how)
    return numbers.made(mid, furthest - mid.abs() + 4 * terms * (numbers.unit + 2.0**-53) * furthest)


@rule("scatter_reduce.two")
def scatter_reduce(
    numbers: Bounded, x: Any, dim: int, index: Tensor, source: Any, reduce: str, *, include_self: bool = True
) -> BoundedTensor:
    return reduced(numbers, x, dim, index, source, reduce, include_self)


@rule("index_reduce")
def index_reduce(
    numbers: Bounded, x: Any, dim: int, index: Tensor, source: Any, reduce: str, *, include_self: bool = True
) -> BoundedTensor:
    if not x.dim():
        index = index.reshape(())
        return reduced(numbers, x, 0, index, source, reduce, include_self)
    shape = [1] * x.dim()
    shape[dim] = -1
    return reduced(numbers, x, dim, index.reshape(shape).expand(source.shape), source, reduce, include_self)
