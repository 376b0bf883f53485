"""Operators that lay entries elsewhere and are not torch's to do alone: they add what falls together, or join plain."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from flint import arb
from torch import Tensor
from torch.nn.functional import pad

from gradcheck.numbers.dispatch import NoRule, overloads
from gradcheck.numbers.exact.branches import signs, truncated
from gradcheck.numbers.exact.pointwise import times
from gradcheck.numbers.exact.system import RULES, Array, Exact, ExactTensor, arbs

rule = RULES.rule


# Choosing and joining: what stands among the numbers may be plain, and of whole numbers.


@rule("where.self", "where.ScalarOther", "where.ScalarSelf", "where.Scalar")
def where(numbers: Exact, condition: Tensor, x: Any, y: Any) -> ExactTensor:
    return ExactTensor(torch.where(condition, numbers.handles(x), numbers.handles(y)))


@rule("masked_fill")
def masked_fill(numbers: Exact, x: Any, mask: Tensor, value: Any) -> ExactTensor:
    return ExactTensor(torch.where(mask, numbers.handles(value), numbers.handles(x)))


@rule("cat")
def cat(numbers: Exact, tensors: Any, dim: int = 0) -> ExactTensor:
    return ExactTensor(torch.cat([numbers.handles(tensor) for tensor in tensors], dim))


@rule("stack")
def stack(numbers: Exact, tensors: Any, dim: int = 0) -> ExactTensor:
    return ExactTensor(torch.stack([numbers.handles(tensor) for tensor in tensors], dim))


# Moves that torch knows for floats only: done on the entries' places, which float64 holds exactly.


def moved(func: Any, handles: Tensor, *args: Any) -> Tensor:
    places = torch.arange(handles.numel(), dtype=torch.float64).reshape(handles.shape)
    return handles.reshape(-1)[func(places, *args).long()]


def move_of_floats(func: Any) -> Callable[..., ExactTensor]:
    return lambda numbers, x, *args: ExactTensor(moved(func, x.handles, *args))


for _operator in overloads(
    *(f"upsample_nearest{axes}d" for axes in "123"),
    *(f"reflection_pad{axes}d" for axes in "123"),
    *(f"replication_pad{axes}d" for axes in "123"),
):
    RULES[_operator] = move_of_floats(_operator)


def back_from(func: Any) -> Callable[..., ExactTensor]:
    """The adjoint of such a move, where torch's operator is given the input itself."""

    def computed(numbers: Exact, g: Any, x: Any, padding: Any) -> ExactTensor:
        shape = tuple(x.shape)
        return numbers.keep(gathered_back(lambda handles: moved(func, handles, padding), numbers.balls(g), shape))

    return computed


for _name in (f"{kind}_pad{axes}d" for kind in ("reflection", "replication") for axes in "123"):
    rule(f"{_name}_backward")(back_from(getattr(torch.ops.aten, _name).default))


def back_from_sizes(func: Any) -> Callable[..., ExactTensor]:
    """The adjoint of such a move, where torch's operator is given the sizes of output and input."""

    def computed(numbers: Exact, g: Any, output_size: Any, input_size: Any, *scales: Any) -> ExactTensor:
        return numbers.keep(
            gathered_back(
                lambda handles: moved(func, handles, output_size, *scales), numbers.balls(g), tuple(input_size)
            )
        )

    return computed


for _name in (f"upsample_nearest{axes}d" for axes in "123"):
    rule(f"{_name}_backward.default")(back_from_sizes(getattr(torch.ops.aten, _name).default))


# Adding at places.


def added_at(start: Array, places: Tensor, values: Array) -> Array:
    """`start`, with each value added at its place among the flat entries."""
    result = np.array(start, dtype=object).reshape(-1)
    np.add.at(result, places.reshape(-1).numpy(), np.broadcast_to(values, tuple(places.shape)).reshape(-1))
    return result.reshape(start.shape)


def zeros(shape: tuple[int, ...]) -> Array:
    return np.full(shape, arb(0), dtype=object)


def gathered_back(gather: Callable[[Tensor], Tensor], values: Array, shape: tuple[int, ...]) -> Array:
    """The adjoint of a gather that fills with zeros: to each entry the sum of what was read from it."""
    size = math.prod(shape)
    places = gather(torch.arange(1, size + 1).reshape(shape))
    return added_at(zeros((size + 1,)), places, values)[1:].reshape(shape)


def places_of(x: Any) -> Tensor:
    return torch.arange(x.numel()).reshape(x.shape)


def places_along(x: Any, dim: int, index: Tensor) -> Tensor:
    """Where scatter's index points among the flat entries of x."""
    if x.dim() == 0:
        return torch.zeros(index.shape, dtype=torch.int64)
    places = places_of(x)[
        tuple(slice(size) if d != dim % x.dim() else slice(None) for d, size in enumerate(index.shape))
    ]
    return torch.gather(places, dim, index)


@rule("scatter_add")
def scatter_add(numbers: Exact, x: Any, dim: int, index: Tensor, src: Any) -> ExactTensor:
    values = numbers.balls(src)[tuple(slice(size) for size in index.shape)]
    return numbers.keep(added_at(numbers.balls(x), places_along(x, dim, index), values))


@rule("index_add")
def index_add(numbers: Exact, x: Any, dim: int, index: Tensor, source: Any, *, alpha: float = 1) -> ExactTensor:
    places = places_of(x).index_select(dim, index.reshape(-1))
    return numbers.keep(added_at(numbers.balls(x), places.reshape(source.shape), times(numbers, source, alpha)))


@rule("index_put", "_unsafe_index_put")
def index_put(numbers: Exact, x: Any, indices: Any, values: Any, accumulate: bool = False) -> ExactTensor:
    if not accumulate:
        return ExactTensor(numbers.handles(x).index_put([*indices], numbers.handles(values)))
    chosen = tuple(slice(None) if index is None else index for index in indices)
    return numbers.keep(added_at(numbers.balls(x), places_of(x)[chosen], numbers.balls(values)))


@rule("put")
def put(numbers: Exact, x: Any, index: Tensor, source: Any, accumulate: bool = False) -> ExactTensor:
    if not accumulate:
        return ExactTensor(numbers.handles(x).put(index, numbers.handles(source)))
    return numbers.keep(added_at(numbers.balls(x), index % max(1, x.numel()), numbers.balls(source)))


@rule("embedding_dense_backward")
def embedding_backward(
    numbers: Exact, g: Any, indices: Tensor, num_weights: int, padding_idx: int, scale_grad_by_freq: bool
) -> ExactTensor:
    upstream = numbers.balls(g)
    if scale_grad_by_freq:
        often = torch.bincount(indices.reshape(-1), minlength=num_weights)[indices]
        upstream = np.asarray(upstream / numbers.balls(often.unsqueeze(-1)), dtype=object)
    shape = (num_weights, g.shape[-1])
    places = torch.arange(math.prod(shape)).reshape(shape)[indices]
    result = added_at(zeros(shape), places, upstream)
    if 0 <= padding_idx < num_weights:
        result[padding_idx] = arb(0)
    return numbers.keep(result)


# Windows: what a convolution or a pool sees at each place.


def windows(handles: Tensor, window: list[int], stride: list[int], padding: list[int], dilation: list[int]) -> Tensor:
    """(..., *places, *window) from (..., *sizes); what lies outside is 0."""
    spatial = len(window)
    seen = pad(handles, [amount for amount in reversed(padding) for _ in range(2)])
    first = seen.dim() - spatial
    for axis in range(spatial):
        seen = seen.unfold(first + axis, (window[axis] - 1) * dilation[axis] + 1, stride[axis])
    apart: tuple[Any, ...] = (Ellipsis, *[slice(None, None, step) for step in dilation])
    return seen[apart]


@rule("im2col")
def im2col(numbers: Exact, x: Any, kernel_size: Any, dilation: Any, padding: Any, stride: Any) -> ExactTensor:
    return ExactTensor(columns(numbers.handles(x), kernel_size, dilation, padding, stride))


def columns(handles: Tensor, window: Any, dilation: Any, padding: Any, stride: Any) -> Tensor:
    """(..., channels * window, places)."""
    seen = windows(handles, list(window), list(stride), list(padding), list(dilation))
    *batch, channels, high, wide, tall, broad = seen.shape
    first = len(batch)
    order = [*range(first), first, first + 3, first + 4, first + 1, first + 2]
    return seen.permute(order).reshape(*batch, channels * tall * broad, high * wide)


@rule("col2im")
def col2im(
    numbers: Exact, x: Any, output_size: Any, kernel_size: Any, dilation: Any, padding: Any, stride: Any
) -> ExactTensor:
    *batch, channels, _ = x.shape
    shape = (*batch, channels // math.prod(kernel_size), *output_size)
    return numbers.keep(
        gathered_back(lambda handles: columns(handles, kernel_size, dilation, padding, stride), numbers.balls(x), shape)
    )


@rule("unfold_backward")
def unfold_backward(numbers: Exact, g: Any, input_sizes: Any, dim: int, size: int, step: int) -> ExactTensor:
    shape = tuple(input_sizes)
    return numbers.keep(gathered_back(lambda handles: handles.unfold(dim, size, step), numbers.balls(g), shape))


# Means over windows, each with its own divisor.


def pooled(numbers: Exact, handles: Tensor, geometry: tuple[Any, ...], divisors: Array) -> Array:
    kernel, stride, padding = geometry
    seen = windows(handles, kernel, stride, padding, [1] * len(kernel))
    return np.asarray(numbers.balls(ExactTensor(seen)).sum(axis=(-2, -1)) / divisors, dtype=object)


def pool_geometry(kernel: Any, stride: Any, padding: Any) -> tuple[list[int], list[int], list[int]]:
    kernel, padding = list(kernel) * (2 // len(kernel)), list(padding) * (2 // len(padding))
    return kernel, (list(stride) * (2 // len(stride)) if stride else kernel), padding


def divisors_of(x: Any, geometry: tuple[Any, ...], ceil_mode: bool, all_counted: bool, divisor: int | None) -> Array:
    """By what each window's sum is divided: how many entries it has, padding included or not."""
    if ceil_mode:
        raise NoRule("Exact numbers have no rule for avg_pool2d with ceil_mode: pad the input instead.")
    kernel, stride, padding = geometry
    inside = torch.ones((1,) * (x.dim() - 2) + tuple(x.shape[-2:]), dtype=torch.int64)
    seen = windows(inside, kernel, stride, padding, [1, 1])
    counts = torch.full_like(seen[..., 0, 0], math.prod(kernel)) if all_counted else seen.sum((-2, -1))
    return arbs(counts if divisor is None else torch.full_like(counts, divisor))


@rule("avg_pool2d")
def avg_pool(
    numbers: Exact,
    x: Any,
    kernel_size: Any,
    stride: Any = (),
    padding: Any = (0,),
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> ExactTensor:
    geometry = pool_geometry(kernel_size, stride, padding)
    divisors = divisors_of(x, geometry, ceil_mode, count_include_pad, divisor_override)
    return numbers.keep(pooled(numbers, x.handles, geometry, divisors))


@rule("avg_pool2d_backward")
def avg_pool_backward(
    numbers: Exact,
    g: Any,
    x: Any,
    kernel_size: Any,
    stride: Any,
    padding: Any,
    ceil_mode: bool,
    count_include_pad: bool,
    divisor_override: int | None,
) -> ExactTensor:
    kernel, stride, padding = geometry = pool_geometry(kernel_size, stride, padding)
    shares = numbers.balls(g) / divisors_of(x, geometry, ceil_mode, count_include_pad, divisor_override)
    return numbers.keep(
        gathered_back(
            lambda handles: windows(handles, kernel, stride, padding, [1, 1]), shares[..., None, None], tuple(x.shape)
        )
    )


@rule("_adaptive_avg_pool2d_backward")
def adaptive_pool_backward(numbers: Exact, g: Any, x: Any) -> ExactTensor:
    upstream, result = numbers.balls(g), zeros(tuple(x.shape))
    (high, wide), (tall, broad) = g.shape[-2:], x.shape[-2:]
    for row in range(high):
        for column in range(wide):
            rows = slice(row * tall // high, -(-(row + 1) * tall // high))
            columns_ = slice(column * broad // wide, -(-(column + 1) * broad // wide))
            share = upstream[..., row, column] / ((rows.stop - rows.start) * (columns_.stop - columns_.start))
            result[..., rows, columns_] = result[..., rows, columns_] + np.asarray(share, dtype=object)[..., None, None]
    return numbers.keep(result)


# A change of dtype changes no number, unless it leaves the real ones.


@rule("_to_copy")
def to_copy(numbers: Exact, x: ExactTensor, *, dtype: Any = None, **layout: Any) -> Any:
    return converted(numbers, x, dtype)


def converted(numbers: Exact, x: ExactTensor, dtype: torch.dtype | None) -> Any:
    if dtype is None or dtype.is_floating_point:
        return ExactTensor(x.handles.clone())
    if dtype == torch.bool:
        return signs(numbers, x, 0) != 0
    whole = [int(float(truncated(ball.mid()))) for ball in numbers.balls(x).reshape(-1)]
    return torch.tensor(whole, dtype=dtype).reshape(x.shape)


RULES[torch.ops.prims.convert_element_type.default] = converted
