"""Operators that add up: moves whose entries fall together, sums, means and what is made of them, products of matrices,
convolutions.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from itertools import chain
from typing import Any

import numpy as np
import torch
from flint import arb, arb_mat
from torch import Tensor
from torch.nn.functional import pad

from gradcheck.numbers.dispatch import NoRule, aten, axes_of, windows
from gradcheck.numbers.exact.branches import extreme, signs, truncated
from gradcheck.numbers.exact.pointwise import OF_ARRAYS, times
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


# Windows.


def padded_windows(handles: Tensor, window: Any, stride: Any, padding: Any, dilation: Any) -> Tensor:
    """What lies outside is 0."""
    return windows(pad(handles, [amount for amount in reversed(padding) for _ in range(2)]), window, stride, dilation)


def columns(handles: Tensor, window: Any, dilation: Any, padding: Any, stride: Any) -> Tensor:
    """(..., channels * window, places)."""
    seen = padded_windows(handles, window, stride, padding, dilation)
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
        return padded_windows(handles, self.kernel, self.stride, self.padding, [1, 1])


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


# Sums and means.

ABS, EXP, LOG, POWER, SQRT = (OF_ARRAYS[name] for name in ("abs", "exp", "log", "pow", "sqrt"))
FLOAT = np.frompyfunc(float, 1, 1)
MEAN = 1
"""How torch calls a reduction that averages."""


def total(balls: Array, dims: tuple[int, ...], keepdim: bool = False) -> Array:
    return np.asarray(balls.sum(axis=dims, keepdims=keepdim, initial=arb(0)), dtype=object)


def count(x: Any, dims: tuple[int, ...]) -> int:
    return math.prod(x.shape[d] for d in dims)


def mean(numbers: Exact, x: Any, dim: Any = None, keepdim: bool = False, dtype: Any = None) -> Array:
    dims = axes_of(x, dim)
    return total(numbers.balls(x), dims, keepdim) / arb(count(x, dims))


def product(numbers: Exact, x: Any, dim: Any = None, keepdim: bool = False, dtype: Any = None) -> Array:
    return np.asarray(numbers.balls(x).prod(axis=axes_of(x, dim), keepdims=keepdim, initial=arb(1)), dtype=object)


def running(add: np.ufunc, numbers: Exact, x: Any, dim: int, dtype: Any = None) -> Array:
    balls = numbers.balls(x)
    return np.asarray(add.accumulate(balls, axis=dim) if balls.ndim else balls, dtype=object)


def variance(
    numbers: Exact, x: Any, dim: Any = None, correction: float | None = None, keepdim: bool = False, *,
    root: bool = False, alone: bool = True, **_: Any,
) -> Any:  # fmt: skip
    """The variance or its `root`; if not `alone`, the mean too."""
    dims, balls = axes_of(x, dim), numbers.balls(x)
    size = count(x, dims)
    middle = np.asarray(total(balls, dims, keepdim=True) / arb(size), dtype=object)
    left = size - (1 if correction is None else correction)
    spread = total((balls - middle) ** 2, dims, keepdim) / numbers.balls(max(0, left))
    spread = SQRT(spread) if root else spread
    return spread if alone else (spread, middle if keepdim else middle.squeeze(dims))


def mse_loss_backward(numbers: Exact, g: Any, x: Any, target: Any, reduction: int) -> Array:
    """torch's decomposition scales by a rounded 1 / n."""
    slope = 2 * (numbers.balls(x) - numbers.balls(target)) * numbers.balls(g)
    return slope / arb(max(1, x.numel())) if reduction == MEAN else slope


# Sums of exponentials. What is largest is taken out first, since e to an enormous power has no finite ball.


def shifted(balls: Array, dims: tuple[int, ...]) -> tuple[Array, Array]:
    """Something near the largest along some dimensions, exact and finite, and the balls without it."""
    if balls.size == 0:
        return np.zeros_like(total(balls, dims, keepdim=True)), balls
    keys = np.asarray(FLOAT(balls), dtype=np.float64).reshape(balls.shape)
    largest = np.nan_to_num(keys.max(axis=dims, keepdims=True), nan=0.0, posinf=0.0, neginf=0.0)
    shift = np.asarray(np.frompyfunc(arb, 1, 1)(largest.astype(object)), dtype=object)
    return shift, np.asarray(balls - shift, dtype=object)


def log_sum_exp_of(balls: Array, dims: tuple[int, ...], keepdim: bool) -> Array:
    shift, rest = shifted(balls, dims)
    result = np.asarray(LOG(total(EXP(rest), dims, keepdim=True)) + shift, dtype=object)
    return result if keepdim else result.squeeze(dims)


def along_one(tensors: int, function: Callable[..., Array]) -> Callable[..., Array]:
    """A rule along one dimension of so many tensors: a single number is a row of one."""

    def computed(numbers: Exact, *args: Any) -> Array:
        last, dim = args[tensors - 1 : tensors + 1]
        rows = [np.asarray(np.atleast_1d(numbers.balls(each)), dtype=object) for each in args[:tensors]]
        return np.asarray(function(*rows, dim % max(1, last.dim())), dtype=object).reshape(tuple(last.shape))

    return computed


def softmax(x: Array, dim: int) -> Array:
    powers = np.asarray(EXP(shifted(x, (dim,))[1]), dtype=object)
    return powers / total(powers, (dim,), keepdim=True)


def softmax_backward(g: Array, y: Array, dim: int) -> Array:
    products = np.asarray(g * y, dtype=object)
    return products - y * total(products, (dim,), keepdim=True)


def running_log_sum_exp(x: Array, dim: int) -> Array:
    shift, rest = shifted(x, (dim,))
    return LOG(np.add.accumulate(EXP(rest), axis=dim)) + shift


# Norms.


def vector_norm(
    numbers: Exact, x: Any, p: float = 2, dim: Any = None, keepdim: bool = False, *, dtype: Any = None
) -> ExactTensor:
    dims, balls = axes_of(x, dim), numbers.balls(x)
    if p == 2:
        return numbers.keep(SQRT(total(balls * balls, dims, keepdim)))
    if p == 0:
        return numbers.constant((signs(numbers, x) != 0).double().sum(dims, keepdim))
    sizes = np.asarray(ABS(balls), dtype=object)
    if math.isinf(p):
        return extreme(numbers, numbers.keep(sizes), list(dims), keepdim, torch.max if p > 0 else torch.min)
    return numbers.keep(POWER(total(POWER(sizes, arb(p)), dims, keepdim), 1 / arb(p)))


def norm(numbers: Exact, x: Any, p: float | None = 2, *where: Any, dtype: Any = None) -> ExactTensor:
    return vector_norm(numbers, x, 2 if p is None else p, *where)


RULES.table(
    {
        "linalg_vector_norm": vector_norm,
        "norm.ScalarOpt_dim norm.ScalarOpt_dim_dtype norm.Scalar norm.ScalarOpt_dtype": norm,
    }
)

# Products of matrices.


def matrix_product(x: Array, y: Array) -> Array:
    """Of two matrices of balls; flint multiplies them."""
    shape = x.shape[0], y.shape[1]
    if 0 in (*x.shape, *y.shape):
        return np.full(shape, arb(0), dtype=object)
    product = arb_mat(x.tolist()) * arb_mat(y.tolist())
    result = np.empty(math.prod(shape), dtype=object)
    result[:] = product.entries()
    return result.reshape(shape)


def batched_product(x: Array, y: Array) -> Array:
    result = np.empty((x.shape[0], x.shape[1], y.shape[2]), dtype=object)
    for number, (left, right) in enumerate(zip(x, y, strict=True)):
        result[number] = matrix_product(left, right)
    return result


PRODUCTS: dict[str, Callable[[Array, Array], Array]] = {
    "mm": matrix_product,
    "bmm": batched_product,
    "mv": lambda x, y: matrix_product(x, y[:, None])[:, 0],
    "dot vdot": lambda x, y: matrix_product(x[None, :], y[:, None]).reshape(()),
}


def of_two(product: Callable[[Array, Array], Array]) -> Callable[..., Array]:
    return lambda n, x, y: product(n.balls(x), n.balls(y))


def onto_start(product: Callable[[Array, Array], Array]) -> Callable[..., Array]:
    """beta * start + alpha * product; a start times 0 is not looked at, as torch has it."""

    def computed(numbers: Exact, start: Any, x: Any, y: Any, *, beta: float = 1, alpha: float = 1) -> Array:
        found = product(numbers.balls(x), numbers.balls(y))
        result = found if alpha == 1 else np.asarray(found * numbers.balls(alpha), dtype=object)
        return result if beta == 0 else result + times(numbers, start, beta)

    return computed


# Convolutions, as products with what each window sees. A weight has the axes (out, in / groups, *window).


class Geometry:
    """How windows lie on the input of a convolution that is not transposed."""

    def __init__(self, weight: Any, stride: Any, padding: Any, dilation: Any, output_padding: Any, groups: int) -> None:
        self.spatial, self.window, self.groups = weight.dim() - 2, list(weight.shape[2:]), groups
        self.stride, self.padding, self.dilation, self.extra = (
            list(values) * self.spatial if len(values) == 1 else list(values)
            for values in (stride, padding, dilation, output_padding)
        )

    def columns(self, handles: Tensor, places: Any) -> Tensor:
        """(groups, batch * places, channels in a group * window): what the first so many windows see."""
        seen = padded_windows(handles, self.window, self.stride, self.padding, self.dilation)
        seen = seen[(slice(None), slice(None), *map(slice, places))]
        batch, channels = seen.shape[:2]
        high, wide = math.prod(places), math.prod(self.window)
        spread = seen.reshape(batch, self.groups, channels // self.groups, high, wide).permute(1, 0, 3, 2, 4)
        return spread.reshape(self.groups, batch * high, channels // self.groups * wide)

    def by_group(self, outputs: Array) -> Array:
        """(batch, channels, *places) → (groups, batch * places, channels in a group)."""
        batch, channels, *places = outputs.shape
        size = math.prod(places)
        spread = outputs.reshape(batch, self.groups, channels // self.groups, size)
        return spread.transpose(1, 0, 3, 2).reshape(self.groups, batch * size, channels // self.groups)

    def matrices(self, weight: Array) -> Array:
        """(groups, channels out of a group, channels into a group * window)."""
        return weight.reshape(self.groups, weight.shape[0] // self.groups, math.prod(weight.shape[1:]))

    def forward(self, numbers: Exact, x: Any, weight: Array, places: Any) -> Array:
        columns = numbers.balls(ExactTensor(self.columns(numbers.handles(x), places)))
        product = batched_product(columns, self.matrices(weight).transpose(0, 2, 1))
        batch, channels, size = x.shape[0], weight.shape[0], math.prod(places)
        spread = product.reshape(self.groups, batch, size, channels // self.groups)
        return spread.transpose(1, 0, 3, 2).reshape(batch, channels, *places)

    def to_input(self, outputs: Array, weight: Array, shape: Any) -> Array:
        """The adjoint of `forward` in x."""
        product = batched_product(self.by_group(outputs), self.matrices(weight))
        return gathered_back(lambda handles: self.columns(handles, outputs.shape[2:]), product, shape)

    def to_weight(self, numbers: Exact, outputs: Array, x: Any, shape: Any) -> Array:
        """The adjoint of `forward` in the weight."""
        columns = numbers.balls(ExactTensor(self.columns(numbers.handles(x), outputs.shape[2:])))
        return batched_product(self.by_group(outputs).transpose(0, 2, 1), columns).reshape(tuple(shape))

    def places(self, sizes: Any) -> list[int]:
        """How many windows there are along each spatial axis."""
        each = zip(sizes, self.padding, self.dilation, self.window, self.stride, strict=True)
        return [(size + 2 * pad - apart * (wide - 1) - 1) // step + 1 for size, pad, apart, wide, step in each]

    def sizes(self, places: Any) -> list[int]:
        """How large a transposed convolution's output is."""
        each = zip(places, self.padding, self.dilation, self.window, self.stride, self.extra, strict=True)
        return [(at - 1) * step - 2 * pad + apart * (wide - 1) + 1 + more for at, pad, apart, wide, step, more in each]


def convolution(
    numbers: Exact,
    x: Any,
    weight: Any,
    bias: Any,
    stride: Any,
    padding: Any,
    dilation: Any,
    transposed: bool,
    *more: Any,
) -> Array:
    geometry, kernel = Geometry(weight, stride, padding, dilation, *more), numbers.balls(weight)
    if transposed:
        shape = (x.shape[0], weight.shape[1] * geometry.groups, *geometry.sizes(x.shape[2:]))
        result = geometry.to_input(numbers.balls(x), kernel, shape)
    else:
        result = geometry.forward(numbers, x, kernel, geometry.places(x.shape[2:]))
    return result if bias is None else result + numbers.balls(bias).reshape(1, -1, *[1] * geometry.spatial)


def convolution_backward(
    numbers: Exact, g: Any, x: Any, weight: Any, bias_sizes: Any, stride: Any, padding: Any, dilation: Any,
    transposed: bool, output_padding: Any, groups: int, wanted: Any,
) -> tuple[Array | None, ...]:  # fmt: skip
    geometry = Geometry(weight, stride, padding, dilation, output_padding, groups)
    upstream, kernel = numbers.balls(g), numbers.balls(weight)
    to_x, to_weight, to_bias = None, None, None
    if wanted[0] and transposed:
        to_x = geometry.forward(numbers, g, kernel, list(x.shape[2:]))
    elif wanted[0]:
        to_x = geometry.to_input(upstream, kernel, x.shape)
    if wanted[1]:
        outputs, given = (numbers.balls(x), g) if transposed else (upstream, x)
        to_weight = geometry.to_weight(numbers, outputs, given, weight.shape)
    if wanted[2]:
        to_bias = total(upstream, (0, *range(2, g.dim())))
    return to_x, to_weight, to_bias


RULES.table(
    {
        "sum nansum": lambda n, x, dim=None, keepdim=False, dtype=None: total(n.balls(x), axes_of(x, dim), keepdim),
        "mean nanmean": mean,
        "prod": product,
        "cumsum": partial(running, np.add),
        "cumprod": partial(running, np.multiply),
        "var.correction": variance,
        "var_mean.correction": partial(variance, alone=False),
        "std.correction": partial(variance, root=True),
        "std_mean.correction": partial(variance, root=True, alone=False),
        "mse_loss_backward": mse_loss_backward,
        "logsumexp": lambda n, x, dim, keepdim=False: log_sum_exp_of(n.balls(x), axes_of(x, dim), keepdim),
        "logcumsumexp": along_one(1, running_log_sum_exp),
        "_softmax _safe_softmax": along_one(1, softmax),
        "_log_softmax": along_one(1, lambda x, dim: x - log_sum_exp_of(x, (dim,), keepdim=True)),
        "_softmax_backward_data": along_one(2, softmax_backward),
        "_log_softmax_backward_data": along_one(2, lambda g, y, dim: g - EXP(y) * total(g, (dim,), keepdim=True)),
        **{names: of_two(product) for names, product in PRODUCTS.items()},
        "addmm.default": onto_start(PRODUCTS["mm"]),
        "baddbmm.default": onto_start(PRODUCTS["bmm"]),
        "addmv": onto_start(PRODUCTS["mv"]),
        "convolution": convolution,
        "convolution_backward": convolution_backward,
    },
    kept,
)
RULES[torch.ops.prims.var.default] = kept(variance)
