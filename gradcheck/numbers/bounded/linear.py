"""Rules for maps that are linear in one argument, with weights that the operator itself gives."""

from __future__ import annotations

import math
from typing import Any

from torch import Tensor

from gradcheck.numbers.bounded.number import RULES, UNIT64, Bounded, BoundedTensor, like, rule, whole
from gradcheck.numbers.dispatch import overloads


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


def register_weighted(*names: str) -> None:
    """Poolings: the number of terms is at most that of the entries that one sample has."""
    for name in names:
        for overload in overloads(name):

            def apply(numbers: Bounded, x: Any, *how: Any, _func: Any = overload, **kw: Any) -> BoundedTensor:
                how = tuple(like(z) if isinstance(z, Tensor) else z for z in how)
                rank = next((int(digit) for digit in _func.overloadpacket.__name__ if digit.isdigit()), 1)
                terms = math.prod(x.shape[-rank:])
                if (
                    "backward" not in str(_func)
                    and how
                    and isinstance(how[0], list | tuple)
                    and "adaptive" not in str(_func)
                ):
                    terms = math.prod(how[0] * rank if len(how[0]) == 1 else how[0])
                return weighted(
                    numbers, x, lambda z: _func(z, *how, **kw), max(1, terms), in_memory="backward" in str(_func)
                )

            RULES[overload] = apply


register_weighted(
    "avg_pool2d", "avg_pool3d", "avg_pool2d_backward", "avg_pool3d_backward", "_adaptive_avg_pool2d",
    "_adaptive_avg_pool3d", "_adaptive_avg_pool2d_backward", "_adaptive_avg_pool3d_backward",
)  # fmt: skip


def register_interpolation(name: str, rank: int, entries: float, negative: bool) -> None:
    """The weights are computed from positions, which lose up to the number of entries along an axis times the roundoff.

    `entries`   what the weights of one result sum to at most, in absolute value
    `negative`  some weights are: the largest |x| then bounds what the map makes of |x|
    """
    for overload in overloads(name, f"{name}_backward"):

        def apply(numbers: Bounded, x: Any, *how: Any, _func: Any = overload, **kw: Any) -> BoundedTensor:
            x_mid, x_rad = whole(numbers.operand(x))
            axes = tuple(range(x_mid.dim() - rank, x_mid.dim()))
            backward = _func.overloadpacket.__name__.endswith("_backward")
            mid = _func(x_mid, *how, **kw)
            positions = sum(mid.shape[-rank:]) + sum(x.shape[-rank:])
            relative = (numbers.unit + UNIT64) * (16 + 16 * positions) * entries

            def most(z: Tensor) -> Tensor:
                return z.sum(axes, keepdim=True) if backward else z.amax(axes, keepdim=True)

            spread = entries * most(x_rad) if negative else _func(x_rad, *how, **kw) + 0 * mid
            rad = spread + relative * most(x_mid.abs() + x_rad)
            return numbers.made(mid, rad.expand(mid.shape), underflow=numbers.subnormal * x_mid.numel())

        RULES[overload] = apply


for _name, _rank, _entries, _negative in (
    ("upsample_linear1d", 1, 1.0, False),
    ("upsample_bilinear2d", 2, 1.0, False),
    ("upsample_trilinear3d", 3, 1.0, False),
    ("upsample_bicubic2d", 2, 4.0, True),
    ("_upsample_bilinear2d_aa", 2, 1.0, False),
    ("_upsample_bicubic2d_aa", 2, 4.0, True),
):
    register_interpolation(_name, _rank, _entries, _negative)


@rule("_trilinear")
def trilinear(
    numbers: Bounded, a: Any, b: Any, c: Any, add_a: Any, add_b: Any, add_c: Any, sum_over: Any, unroll_dim: int = 1
) -> Any:
    """A sum over a product of three, written out."""

    def compute(a: Tensor, b: Tensor, c: Tensor) -> Tensor:
        for axis in add_a:
            a = a.unsqueeze(axis)
        for axis in add_b:
            b = b.unsqueeze(axis)
        for axis in add_c:
            c = c.unsqueeze(axis)
        return (a * b * c).sum(list(sum_over))

    return numbers.again(compute, (a, b, c), {})
