"""Operators that add up: sums, means and what is made of them, products of matrices, convolutions."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from flint import arb, arb_mat

from gradcheck.numbers.exact.branches import extreme, several, signs
from gradcheck.numbers.exact.moves import gathered_back, windows
from gradcheck.numbers.exact.pointwise import OF_ARRAYS, times
from gradcheck.numbers.exact.system import RULES, Array, Exact, ExactTensor, kept

ABS, EXP, LOG, POWER, SQRT = (OF_ARRAYS[name] for name in ("abs", "exp", "log", "pow", "sqrt"))
FLOAT = np.frompyfunc(float, 1, 1)
MEAN = 1
"""How torch calls a reduction that averages."""


def total(balls: Array, dims: tuple[int, ...], keepdim: bool = False) -> Array:
    return np.asarray(balls.sum(axis=dims, keepdims=keepdim, initial=arb(0)), dtype=object)


def count(x: Any, dims: tuple[int, ...]) -> int:
    return math.prod(x.shape[d] for d in dims)


def mean(numbers: Exact, x: Any, dim: Any = None, keepdim: bool = False, dtype: Any = None) -> Array:
    dims = several(x, dim)
    return total(numbers.balls(x), dims, keepdim) / arb(count(x, dims))


def product(numbers: Exact, x: Any, dim: Any = None, keepdim: bool = False, dtype: Any = None) -> Array:
    return np.asarray(numbers.balls(x).prod(axis=several(x, dim), keepdims=keepdim, initial=arb(1)), dtype=object)


def running(add: np.ufunc, numbers: Exact, x: Any, dim: int, dtype: Any = None) -> Array:
    balls = numbers.balls(x)
    return np.asarray(add.accumulate(balls, axis=dim) if balls.ndim else balls, dtype=object)


def variance(
    numbers: Exact, x: Any, dim: Any = None, correction: float | None = None, keepdim: bool = False, *,
    root: bool = False, alone: bool = True, **_: Any,
) -> Any:  # fmt: skip
    """The variance or its `root`; if not `alone`, the mean too."""
    dims, balls = several(x, dim), numbers.balls(x)
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
    dims, balls = several(x, dim), numbers.balls(x)
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


def trilinear(
    numbers: Exact, x: Any, weight: Any, y: Any, for_x: Any, for_weight: Any, for_y: Any, summed: Any, unroll: int = 1
) -> Array:
    """The sum of products of three, each stretched along some axes; how it is unrolled changes nothing."""
    product = arb(1)
    for factor, axes in ((x, for_x), (weight, for_weight), (y, for_y)):
        product = product * np.expand_dims(numbers.balls(factor), tuple(axes))
    return total(np.asarray(product, dtype=object), tuple(summed))


# Convolutions, as products with what each window sees. A weight has the axes (out, in / groups, *window).


class Geometry:
    """How windows lie on the input of a convolution that is not transposed."""

    def __init__(self, weight: Any, stride: Any, padding: Any, dilation: Any, output_padding: Any, groups: int) -> None:
        self.spatial, self.window, self.groups = weight.dim() - 2, list(weight.shape[2:]), groups
        self.stride, self.padding, self.dilation, self.extra = (
            list(values) * self.spatial if len(values) == 1 else list(values)
            for values in (stride, padding, dilation, output_padding)
        )

    def columns(self, handles: torch.Tensor, places: Any) -> torch.Tensor:
        """(groups, batch * places, channels in a group * window): what the first so many windows see."""
        seen = windows(handles, self.window, self.stride, self.padding, self.dilation)
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
        "sum nansum": lambda n, x, dim=None, keepdim=False, dtype=None: total(n.balls(x), several(x, dim), keepdim),
        "mean nanmean": mean,
        "prod": product,
        "cumsum": partial(running, np.add),
        "cumprod": partial(running, np.multiply),
        "var.correction": variance,
        "var_mean.correction": partial(variance, alone=False),
        "std.correction": partial(variance, root=True),
        "std_mean.correction": partial(variance, root=True, alone=False),
        "mse_loss_backward": mse_loss_backward,
        "logsumexp": lambda n, x, dim, keepdim=False: log_sum_exp_of(n.balls(x), several(x, dim), keepdim),
        "logcumsumexp": along_one(1, running_log_sum_exp),
        "_softmax _safe_softmax": along_one(1, softmax),
        "_log_softmax": along_one(1, lambda x, dim: x - log_sum_exp_of(x, (dim,), keepdim=True)),
        "_softmax_backward_data": along_one(2, softmax_backward),
        "_log_softmax_backward_data": along_one(2, lambda g, y, dim: g - EXP(y) * total(g, (dim,), keepdim=True)),
        **{names: of_two(product) for names, product in PRODUCTS.items()},
        "addmm.default": onto_start(PRODUCTS["mm"]),
        "baddbmm.default": onto_start(PRODUCTS["bmm"]),
        "addmv": onto_start(PRODUCTS["mv"]),
        "_trilinear": trilinear,
        "convolution": convolution,
        "convolution_backward": convolution_backward,
    },
    kept,
)
RULES[torch.ops.prims.var.default] = kept(variance)
