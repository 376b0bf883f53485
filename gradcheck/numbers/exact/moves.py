"""Operators that lay entries elsewhere and are not torch's to do alone: they add what falls together."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import chain
from typing import Any

import numpy as np
import torch
from flint import arb
from torch import Tensor
from torch.nn.functional import pad

from gradcheck.numbers.dispatch import NoRule, aten
from gradcheck.numbers.exact.branches import signs, truncated
from gradcheck.numbers.exact.pointwise import times
from gradcheck.numbers.exact.system import RULES, Array, Exact, ExactTensor, arbs, kept

# Moves that torch knows for floats only: done on the entries' places, which float64 holds exactly.


def moved(func: Any, handles: Tensor, *args: Any) -> Tensor:
    places = torch.arange(handles.numel(), dtype=torch.float64).reshape(handles.shape)
    return handles.reshape(-1)[func(places, *args).long()]


def move_of_floats(func: Any) -> Callable[..., ExactTensor]:
    return lambda numbers, x, *args: ExactTensor(moved(func, x.handles, *args))


NEAREST, *PADS = (
    [f"{kind}{axes}d" for axes in "123"] for kind in ("upsample_nearest", "reflection_pad", "replication_pad")
)

RULES.of_each(move_of_floats, *NEAREST, *chain(*PADS))


def gathered_back(gather: Callable[[Tensor], Tensor], values: Array, shape: Any) -> Array:
    """The adjoint of a gather that fills with zeros: to each entry the sum of what was read from it."""
    size = math.prod(shape)
    places = gather(torch.arange(1, size + 1).reshape(tuple(shape)))
    return added_at(zeros((size + 1,)), places, values)[1:].reshape(tuple(shape))


def back_from(func: Any) -> Callable[..., Array]:
    """The adjoint of such a move, where torch's operator is given the input itself."""
    return lambda n, g, x, padding: gathered_back(lambda z: moved(func, z, padding), n.balls(g), x.shape)


def back_from_sizes(func: Any) -> Callable[..., Array]:
    """The adjoint of such a move, where torch's operator is given the sizes of output and input."""
    return lambda n, g, output, given, *scales: gathered_back(
        lambda z: moved(func, z, output, *scales), n.balls(g), given
    )


# Adding at places.


def added_at(start: Array, places: Tensor, values: Array) -> Array:
    """`start`, with each value added at its place among the flat entries."""
    result = np.array(start, dtype=object).reshape(-1)
    np.add.at(result, places.reshape(-1).numpy(), np.broadcast_to(values, tuple(places.shape)).reshape(-1))
    return result.reshape(start.shape)


def zeros(shape: tuple[int, ...]) -> Array:
    return np.full(shape, arb(0), dtype=object)


def places_of(x: Any) -> Tensor:
    return torch.arange(x.numel()).reshape(x.shape)


def places_along(x: Any, dim: int, index: Tensor) -> Tensor:
    """Where scatter's index points among the flat entries of x."""
    if x.dim() == 0:
        return torch.zeros(index.shape, dtype=torch.int64)
    whole = tuple(slice(size) if d != dim % x.dim() else slice(None) for d, size in enumerate(index.shape))
    return torch.gather(places_of(x)[whole], dim, index)


def scatter_add(numbers: Exact, x: Any, dim: int, index: Tensor, src: Any) -> Array:
    values = numbers.balls(src)[tuple(slice(size) for size in index.shape)]
    return added_at(numbers.balls(x), places_along(x, dim, index), values)


def index_add(numbers: Exact, x: Any, dim: int, index: Tensor, source: Any, *, alpha: float = 1) -> Array:
    places = places_of(x).index_select(dim, index.reshape(-1))
    return added_at(numbers.balls(x), places.reshape(source.shape), times(numbers, source, alpha))


def index_put(numbers: Exact, x: Any, indices: Any, values: Any, accumulate: bool) -> Array:
    chosen = tuple(slice(None) if index is None else index for index in indices)
    return added_at(numbers.balls(x), places_of(x)[chosen], numbers.balls(values))


def put(numbers: Exact, x: Any, index: Tensor, source: Any, accumulate: bool) -> Array:
    return added_at(numbers.balls(x), index % max(1, x.numel()), numbers.balls(source))


def embedding_backward(
    numbers: Exact, g: Any, indices: Tensor, num_weights: int, padding_idx: int, scale_grad_by_freq: bool
) -> Array:
    upstream = numbers.balls(g)
    if scale_grad_by_freq:
        often = torch.bincount(indices.reshape(-1), minlength=num_weights)[indices]
        upstream = np.asarray(upstream / numbers.balls(often.unsqueeze(-1)), dtype=object)
    shape = (num_weights, g.shape[-1])
    places = torch.arange(math.prod(shape)).reshape(shape)[indices]
    result = added_at(zeros(shape), places, upstream)
    if 0 <= padding_idx < num_weights:
        result[padding_idx] = arb(0)
    return result


# Windows: what a convolution or a pool sees at each place.


def windows(handles: Tensor, window: Any, stride: Any, padding: Any, dilation: Any) -> Tensor:
    """(..., *places, *window) from (..., *sizes); what lies outside is 0."""
    spatial = len(window)
    seen = pad(handles, [amount for amount in reversed(padding) for _ in range(2)])
    first = seen.dim() - spatial
    for axis in range(spatial):
        seen = seen.unfold(first + axis, (window[axis] - 1) * dilation[axis] + 1, stride[axis])
    apart: tuple[Any, ...] = (Ellipsis, *[slice(None, None, step) for step in dilation])
    return seen[apart]


def columns(handles: Tensor, window: Any, dilation: Any, padding: Any, stride: Any) -> Tensor:
    """(..., channels * window, places)."""
    seen = windows(handles, window, stride, padding, dilation)
    *batch, channels, high, wide, tall, broad = seen.shape
    first = len(batch)
    order = [*range(first), first, first + 3, first + 4, first + 1, first + 2]
    return seen.permute(order).reshape(*batch, channels * tall * broad, high * wide)


def col2im(numbers: Exact, x: Any, output_size: Any, kernel: Any, *how: Any) -> Array:
    *batch, channels, _ = x.shape
    shape = (*batch, channels // math.prod(kernel), *output_size)
    return gathered_back(lambda handles: columns(handles, kernel, *how), numbers.balls(x), shape)


def unfold_backward(numbers: Exact, g: Any, input_sizes: Any, dim: int, size: int, step: int) -> Array:
    return gathered_back(lambda handles: handles.unfold(dim, size, step), numbers.balls(g), input_sizes)


# Means over windows, each with its own divisor.


class AverageWindows:
    """What each window of an average pooling sees, and by what its sum is divided: padding counts or not."""

    def __init__(
        self, x: Any, kernel: Any, stride: Any = (), padding: Any = (0,), ceil_mode: bool = False,
        all_counted: bool = True, divisor: int | None = None,
    ) -> None:  # fmt: skip
        if ceil_mode:
            raise NoRule("Exact numbers have no rule for avg_pool2d with ceil_mode: pad the input instead.")
        self.kernel, self.padding = (list(each) * (2 // len(each)) for each in (kernel, padding))
        self.stride = list(stride) * (2 // len(stride)) if stride else self.kernel
        seen = self.windows(torch.ones((1,) * (x.dim() - 2) + tuple(x.shape[-2:]), dtype=torch.int64))
        counts = torch.full_like(seen[..., 0, 0], math.prod(self.kernel)) if all_counted else seen.sum((-2, -1))
        self.divisors = arbs(counts if divisor is None else torch.full_like(counts, divisor))

    def windows(self, handles: Tensor) -> Tensor:
        return windows(handles, self.kernel, self.stride, self.padding, [1, 1])


def avg_pool(numbers: Exact, x: Any, *how: Any) -> Array:
    pool = AverageWindows(x, *how)
    return numbers.balls(ExactTensor(pool.windows(x.handles))).sum(axis=(-2, -1)) / pool.divisors


def avg_pool_backward(numbers: Exact, g: Any, x: Any, *how: Any) -> Array:
    pool = AverageWindows(x, *how)
    return gathered_back(pool.windows, (numbers.balls(g) / pool.divisors)[..., None, None], x.shape)


def adaptive_pool_backward(numbers: Exact, g: Any, x: Any) -> Array:
    upstream, result = numbers.balls(g), zeros(tuple(x.shape))
    (high, wide), (tall, broad) = g.shape[-2:], x.shape[-2:]
    for row in range(high):
        for column in range(wide):
            rows = slice(row * tall // high, -(-(row + 1) * tall // high))
            columns_ = slice(column * broad // wide, -(-(column + 1) * broad // wide))
            share = upstream[..., row, column] / ((rows.stop - rows.start) * (columns_.stop - columns_.start))
            result[..., rows, columns_] = result[..., rows, columns_] + np.asarray(share, dtype=object)[..., None, None]
    return result


RULES.table(
    {
        **{f"{name}_backward": back_from(getattr(aten, name).default) for names in PADS for name in names},
        **{f"{name}_backward.default": back_from_sizes(getattr(aten, name).default) for name in NEAREST},
        "scatter_add": scatter_add,
        "index_add": index_add,
        "index_put _unsafe_index_put": index_put,
        "put": put,
        "embedding_dense_backward": embedding_backward,
        "col2im": col2im,
        "unfold_backward": unfold_backward,
        "avg_pool2d": avg_pool,
        "avg_pool2d_backward": avg_pool_backward,
        "_adaptive_avg_pool2d_backward": adaptive_pool_backward,
    },
    kept,
)


def converted(numbers: Exact, x: ExactTensor, dtype: torch.dtype | None = None, **layout: Any) -> Any:
    """A change of dtype changes no number, unless it leaves the real ones."""
    if dtype is None or dtype.is_floating_point:
        return ExactTensor(x.handles.clone())
    if dtype == torch.bool:
        return signs(numbers, x) != 0
    whole = [int(float(truncated(ball.mid()))) for ball in numbers.balls(x).reshape(-1)]
    return torch.tensor(whole, dtype=dtype).reshape(x.shape)


RULES.table({"im2col": lambda n, x, *how: ExactTensor(columns(n.handles(x), *how)), "_to_copy": converted})
RULES[torch.ops.prims.convert_element_type.default] = converted
