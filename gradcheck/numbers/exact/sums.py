"""Operators that reduce: sums, means, products, and what is made of them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from flint import arb

from gradcheck.numbers.exact.branches import extreme, several, signs
from gradcheck.numbers.exact.pointwise import logarithm, power
from gradcheck.numbers.exact.system import RULES, Array, Exact, ExactTensor

rule = RULES.rule

EXP = np.frompyfunc(arb.exp, 1, 1)
LOG = np.frompyfunc(logarithm, 1, 1)
SQRT = np.frompyfunc(arb.sqrt, 1, 1)
ABS = np.frompyfunc(abs, 1, 1)
SHIFT = np.frompyfunc(lambda ball: ball if ball.is_finite() else arb(0), 1, 1)
FLOAT = np.frompyfunc(float, 1, 1)


def total(balls: Array, dims: tuple[int, ...], keepdim: bool = False) -> Array:
    return np.asarray(balls.sum(axis=dims, keepdims=keepdim, initial=arb(0)), dtype=object)


def count(x: Any, dims: tuple[int, ...]) -> int:
    return math.prod(x.shape[d] for d in dims)


@rule("sum", "nansum")
def add_up(numbers: Exact, x: Any, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> ExactTensor:
    return numbers.keep(total(numbers.balls(x), several(x, dim), keepdim))


@rule("mean", "nanmean")
def mean(numbers: Exact, x: Any, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> ExactTensor:
    dims = several(x, dim)
    return numbers.keep(total(numbers.balls(x), dims, keepdim) / arb(count(x, dims)))


@rule("prod")
def product(numbers: Exact, x: Any, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> ExactTensor:
    balls = numbers.balls(x)
    return numbers.keep(balls.prod(axis=several(x, dim), keepdims=keepdim, initial=arb(1)))


@rule("cumsum")
def running_sum(numbers: Exact, x: Any, dim: int, *, dtype: Any = None) -> ExactTensor:
    balls = numbers.balls(x)
    return numbers.keep(np.add.accumulate(balls, axis=dim) if balls.ndim else balls)


@rule("cumprod")
def running_product(numbers: Exact, x: Any, dim: int, *, dtype: Any = None) -> ExactTensor:
    balls = numbers.balls(x)
    return numbers.keep(np.multiply.accumulate(balls, axis=dim) if balls.ndim else balls)


def squared_deviations(balls: Array, dims: tuple[int, ...], size: int) -> tuple[Array, Array]:
    middle = total(balls, dims, keepdim=True) / arb(size)
    return middle, (balls - middle) ** 2


def variance(
    numbers: Exact, x: Any, dim: Any, correction: float | None, keepdim: bool
) -> tuple[ExactTensor, ExactTensor]:
    """The variance and the mean."""
    dims, balls = several(x, dim), numbers.balls(x)
    size = count(x, dims)
    middle, squares = squared_deviations(balls, dims, size)
    left = size - (1 if correction is None else correction)
    spread = total(squares, dims, keepdim) / numbers.balls(max(0, left))
    return numbers.keep(spread), numbers.keep(middle if keepdim else np.asarray(middle, dtype=object).squeeze(dims))


@rule("var.correction")
def var(
    numbers: Exact, x: Any, dim: Any = None, *, correction: float | None = None, keepdim: bool = False
) -> ExactTensor:
    return variance(numbers, x, dim, correction, keepdim)[0]


@rule("var_mean.correction")
def var_and_mean(
    numbers: Exact, x: Any, dim: Any = None, *, correction: float | None = None, keepdim: bool = False
) -> tuple[ExactTensor, ExactTensor]:
    return variance(numbers, x, dim, correction, keepdim)


def prims_var(numbers: Exact, x: Any, dims: Any, correction: float = 1, **_: Any) -> ExactTensor:
    return variance(numbers, x, dims, correction, keepdim=False)[0]


RULES[torch.ops.prims.var.default] = prims_var


@rule("std.correction")
def deviation(
    numbers: Exact, x: Any, dim: Any = None, *, correction: float | None = None, keepdim: bool = False
) -> ExactTensor:
    return numbers.keep(SQRT(numbers.balls(variance(numbers, x, dim, correction, keepdim)[0])))


@rule("std_mean.correction")
def deviation_and_mean(
    numbers: Exact, x: Any, dim: Any = None, *, correction: float | None = None, keepdim: bool = False
) -> tuple[ExactTensor, ExactTensor]:
    spread, middle = variance(numbers, x, dim, correction, keepdim)
    return numbers.keep(SQRT(numbers.balls(spread))), middle


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


def softmax_of(balls: Array, dim: int) -> Array:
    powers = np.asarray(EXP(shifted(balls, (dim,))[1]), dtype=object)
    return np.asarray(powers / total(powers, (dim,), keepdim=True), dtype=object)


def along(x: Any, dim: int) -> int:
    size: int = max(1, x.dim())
    return dim % size


def rows(numbers: Exact, x: Any) -> Array:
    """The balls of a tensor of which one dimension is asked for: a single number is a row of one."""
    return np.asarray(np.atleast_1d(numbers.balls(x)), dtype=object)


@rule("logsumexp")
def log_sum_exp(numbers: Exact, x: Any, dim: Any, keepdim: bool = False) -> ExactTensor:
    return numbers.keep(log_sum_exp_of(numbers.balls(x), several(x, dim), keepdim))


@rule("logcumsumexp")
def running_log_sum_exp(numbers: Exact, x: Any, dim: int) -> ExactTensor:
    balls = rows(numbers, x)
    shift, rest = shifted(balls, (along(x, dim),))
    powers: Array = EXP(rest)
    result = LOG(np.add.accumulate(powers, axis=along(x, dim))) + shift
    return numbers.keep(np.asarray(result, dtype=object).reshape(tuple(x.shape)))


@rule("_softmax", "_safe_softmax")
def softmax(numbers: Exact, x: Any, dim: int, half_to_float: Any = None) -> ExactTensor:
    return numbers.keep(softmax_of(rows(numbers, x), along(x, dim)).reshape(tuple(x.shape)))


@rule("_log_softmax")
def log_softmax(numbers: Exact, x: Any, dim: int, half_to_float: bool) -> ExactTensor:
    balls = rows(numbers, x)
    result = balls - log_sum_exp_of(balls, (along(x, dim),), keepdim=True)
    return numbers.keep(np.asarray(result, dtype=object).reshape(tuple(x.shape)))


@rule("_softmax_backward_data")
def softmax_backward(numbers: Exact, g: Any, y: Any, dim: int, input_dtype: Any) -> ExactTensor:
    upstream, output = rows(numbers, g), rows(numbers, y)
    products = np.asarray(upstream * output, dtype=object)
    result = products - output * total(products, (along(y, dim),), keepdim=True)
    return numbers.keep(np.asarray(result, dtype=object).reshape(tuple(y.shape)))


@rule("_log_softmax_backward_data")
def log_softmax_backward(numbers: Exact, g: Any, y: Any, dim: int, input_dtype: Any) -> ExactTensor:
    upstream, output = rows(numbers, g), rows(numbers, y)
    result = upstream - EXP(output) * total(upstream, (along(y, dim),), keepdim=True)
    return numbers.keep(np.asarray(result, dtype=object).reshape(tuple(y.shape)))


# Norms.


def vector_norm(
    numbers: Exact,
    x: Any,
    ord: float = 2,  # noqa: A002
    dim: Any = None,
    keepdim: bool = False,
    *,
    dtype: Any = None,
) -> ExactTensor:
    dims, balls = several(x, dim), numbers.balls(x)
    if ord == 2:
        return numbers.keep(SQRT(total(balls * balls, dims, keepdim)))
    if ord == 0:
        apart = signs(numbers, x, 0) != 0
        return numbers.constant(apart.double().sum(dims, keepdim))
    sizes = np.asarray(ABS(balls), dtype=object)
    if math.isinf(ord):
        pick = torch.max if ord > 0 else torch.min
        return extreme(numbers, numbers.keep(sizes), list(dims), keepdim, pick)
    exponent = arb(ord)
    powered = total(power(sizes, exponent), dims, keepdim)
    return numbers.keep(power(powered, 1 / exponent))


rule("linalg_vector_norm")(vector_norm)


@rule("norm.ScalarOpt_dim", "norm.ScalarOpt_dim_dtype")
def norm(numbers: Exact, x: Any, p: float | None, dim: Any, keepdim: bool = False, *, dtype: Any = None) -> ExactTensor:
    return vector_norm(numbers, x, 2 if p is None else p, dim, keepdim)


@rule("norm.Scalar", "norm.ScalarOpt_dtype")
def norm_of_all(numbers: Exact, x: Any, p: float | None = 2, *, dtype: Any = None) -> ExactTensor:
    return vector_norm(numbers, x, 2 if p is None else p)


# Derivatives of losses that torch's decompositions scale by a rounded 1 / n.

MEAN = 1


def averaged(balls: Array, x: Any, reduction: int) -> Array:
    return balls / arb(max(1, x.numel())) if reduction == MEAN else balls


@rule("mse_loss_backward")
def mse_loss_backward(numbers: Exact, g: Any, x: Any, target: Any, reduction: int) -> ExactTensor:
    slope = 2 * (numbers.balls(x) - numbers.balls(target))
    return numbers.keep(averaged(slope * numbers.balls(g), x, reduction))
