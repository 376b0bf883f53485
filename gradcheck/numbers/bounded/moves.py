"""Rules for moves that add up where several entries come to lie on one another, as scatter_add does, and for other maps
that are linear in one argument, with weights that the operator itself gives.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch._ops import OpOverload

from gradcheck.numbers.bounded.number import RULES, UNIT64, Bounded, BoundedTensor, like, whole
from gradcheck.numbers.dispatch import Rule, aten

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


def index_add(numbers: Bounded, x: Any, dim: int, index: Tensor, source: Any, *, alpha: Any = 1) -> BoundedTensor:
    if alpha != 1:
        source = RULES[aten.mul.Tensor](numbers, source, alpha)
    return added_up(numbers, x, source, lambda p, q: torch.index_add(p, dim, index, q))


def adjoint(operator: OpOverload) -> Rule:
    """The backward of a move: entries that were copied from one come together again."""

    def apply(numbers: Bounded, upstream: BoundedTensor, *how: Any, **kw: Any) -> BoundedTensor:
        none = upstream.mid.new_zeros(())
        how = tuple(like(z) if isinstance(z, BoundedTensor) else z for z in how)
        return added_up(numbers, none, upstream, lambda _, g: operator(g, *how, **kw))

    return apply


def nearest(operator: OpOverload) -> Rule:
    """Each entry of the result is one of x's, with a factor of 1."""
    return lambda n, x, *how, **kw: n.exactly(operator(x.mid, *how, **kw), operator(x.rad, *how, **kw))


NEAREST = [
    *(f"{kind}{axes}d" for kind in ("upsample_nearest", "_upsample_nearest_exact") for axes in "123"),
    *(f"{kind}_pad{axes}d" for kind in ("reflection", "replication") for axes in "123"),
]

RULES.of_each(nearest, *NEAREST)
RULES.of_each(
    adjoint, *(f"{name}_backward" for name in NEAREST), "unfold_backward", "embedding_dense_backward", "col2im",
    "max_pool2d_with_indices_backward", "max_pool3d_with_indices_backward", "adaptive_max_pool2d_backward",
    "adaptive_max_pool3d_backward", "fractional_max_pool2d_backward", "fractional_max_pool3d_backward",
    "masked_scatter_backward",
)  # fmt: skip


def reduced(
    numbers: Bounded, x: Any, dim: int, index: Tensor, source: Any, how: str, *, include_self: bool = True
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


def index_reduce(
    numbers: Bounded, x: Any, dim: int, index: Tensor, source: Any, reduce: str, *, include_self: bool = True
) -> BoundedTensor:
    if not x.dim():
        return reduced(numbers, x, 0, index.reshape(()), source, reduce, include_self=include_self)
    shape = [1] * x.dim()
    shape[dim] = -1
    index = index.reshape(shape).expand(source.shape)
    return reduced(numbers, x, dim, index, source, reduce, include_self=include_self)


RULES.table(
    {
        "index_put _unsafe_index_put": lambda n, x, indices, values, accumulate: added_up(
            n, x, values, lambda p, q: aten.index_put.default(p, indices, q, True)
        ),
        "put": lambda n, x, index, source, accumulate: added_up(
            n, x, source, lambda p, q: torch.Tensor.put(p, index, q, True)
        ),
        "scatter_add": lambda n, x, dim, index, source: added_up(
            n, x, source, lambda p, q: torch.scatter_add(p, dim, index, q)
        ),
        "index_add": index_add,
        "scatter_reduce.two": reduced,
        "index_reduce": index_reduce,
    }
)


# Maps with weights.


def weighted(numbers: Bounded, x: Any, mapped: Any, terms: int, *, in_memory: bool) -> BoundedTensor:
    """A map with weights of one sign: what holds |x| and the radii is the map itself.

    `terms` is how many entries it adds up at most. A backward adds up in the tensor that it returns: `in_memory`.
    """
    x_mid, x_rad = whole(numbers.operand(x))
    return numbers.summed(
        mapped(x_mid),
        mapped(x_rad).abs(),
        mapped(x_mid.abs()).abs(),
        terms,
        roundings=terms + 2,
        underflow=numbers.subnormal,
        in_memory=in_memory,
    )


def pooling(operator: OpOverload) -> Rule:
    """The number of terms is at most that of the entries that one sample has."""
    name = operator.overloadpacket.__name__
    rank, backward = next(int(each) for each in name if each.isdigit()), name.endswith("_backward")

    def apply(numbers: Bounded, x: Any, *how: Any, **kw: Any) -> BoundedTensor:
        how = tuple(like(z) if isinstance(z, Tensor) else z for z in how)
        terms = math.prod(x.shape[-rank:])
        if not backward and "adaptive" not in name:
            terms = math.prod(how[0] * rank if len(how[0]) == 1 else how[0])
        return weighted(numbers, x, lambda z: operator(z, *how, **kw), max(1, terms), in_memory=backward)

    return apply


def interpolation(rank: int, entries: float, negative: bool, operator: OpOverload) -> Rule:
    """The weights are computed from positions, which lose up to the number of entries along an axis times the roundoff.

    `entries`   what the weights of one result sum to at most, in absolute value
    `negative`  some weights are: the largest |x| then bounds what the map makes of |x|
    """
    backward = operator.overloadpacket.__name__.endswith("_backward")

    def apply(numbers: Bounded, x: Any, *how: Any, **kw: Any) -> BoundedTensor:
        x_mid, x_rad = whole(numbers.operand(x))
        axes = tuple(range(x_mid.dim() - rank, x_mid.dim()))
        mid = operator(x_mid, *how, **kw)
        positions = sum(mid.shape[-rank:]) + sum(x.shape[-rank:])
        relative = (numbers.unit + UNIT64) * (16 + 16 * positions) * entries

        def most(z: Tensor) -> Tensor:
            return z.sum(axes, keepdim=True) if backward else z.amax(axes, keepdim=True)

        spread = entries * most(x_rad) if negative else operator(x_rad, *how, **kw) + 0 * mid
        rad = spread + relative * most(x_mid.abs() + x_rad)
        return numbers.made(mid, rad.expand(mid.shape), underflow=numbers.subnormal * x_mid.numel())

    return apply


RULES.of_each(
    pooling,
    *(
        f"{kind}{rank}d{way}"
        for kind in ("avg_pool", "_adaptive_avg_pool")
        for rank in "23"
        for way in ("", "_backward")
    ),
)
for _name, _how in {
    "upsample_linear1d": (1, 1.0, False),
    "upsample_bilinear2d": (2, 1.0, False),
    "upsample_trilinear3d": (3, 1.0, False),
    "upsample_bicubic2d": (2, 4.0, True),
    "_upsample_bilinear2d_aa": (2, 1.0, False),
    "_upsample_bicubic2d_aa": (2, 4.0, True),
}.items():
    RULES.of_each(partial(interpolation, *_how), _name, f"{_name}_backward")
