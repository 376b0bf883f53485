"""Matrix products and convolutions, and the derivatives of the latter."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from flint import arb, arb_mat
from torch import Tensor

from gradcheck.numbers.exact.moves import gathered_back, windows
from gradcheck.numbers.exact.pointwise import times
from gradcheck.numbers.exact.sums import total
from gradcheck.numbers.exact.system import RULES, Array, Exact, ExactTensor

rule = RULES.rule


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


@rule("mm")
def mm(numbers: Exact, x: Any, y: Any) -> ExactTensor:
    return numbers.keep(matrix_product(numbers.balls(x), numbers.balls(y)))


@rule("bmm")
def bmm(numbers: Exact, x: Any, y: Any) -> ExactTensor:
    return numbers.keep(batched_product(numbers.balls(x), numbers.balls(y)))


@rule("mv")
def mv(numbers: Exact, x: Any, y: Any) -> ExactTensor:
    return numbers.keep(matrix_product(numbers.balls(x), numbers.balls(y)[:, None])[:, 0])


@rule("dot", "vdot")
def dot(numbers: Exact, x: Any, y: Any) -> ExactTensor:
    return numbers.keep(matrix_product(numbers.balls(x)[None, :], numbers.balls(y)[:, None]).reshape(()))


def scaled_sum(numbers: Exact, start: Any, product: Array, beta: float, alpha: float) -> ExactTensor:
    """beta * start + alpha * product; a start times 0 is not looked at, as torch has it."""
    result = product if alpha == 1 else np.asarray(product * numbers.balls(alpha), dtype=object)
    return numbers.keep(result if beta == 0 else result + times(numbers, start, beta))


@rule("addmm.default")
def addmm(numbers: Exact, start: Any, x: Any, y: Any, *, beta: float = 1, alpha: float = 1) -> ExactTensor:
    return scaled_sum(numbers, start, matrix_product(numbers.balls(x), numbers.balls(y)), beta, alpha)


@rule("baddbmm.default")
def baddbmm(numbers: Exact, start: Any, x: Any, y: Any, *, beta: float = 1, alpha: float = 1) -> ExactTensor:
    return scaled_sum(numbers, start, batched_product(numbers.balls(x), numbers.balls(y)), beta, alpha)


@rule("addmv")
def addmv(numbers: Exact, start: Any, x: Any, y: Any, *, beta: float = 1, alpha: float = 1) -> ExactTensor:
    product = matrix_product(numbers.balls(x), numbers.balls(y)[:, None])[:, 0]
    return scaled_sum(numbers, start, product, beta, alpha)


@rule("_trilinear")
def trilinear(
    numbers: Exact,
    x: Any,
    weight: Any,
    y: Any,
    expand_x: Any,
    expand_weight: Any,
    expand_y: Any,
    summed: Any,
    unroll_dim: int = 1,
) -> ExactTensor:
    """The sum of products of three, each stretched along some axes; how it is unrolled changes nothing."""
    product = arb(1)
    for factor, axes in ((x, expand_x), (weight, expand_weight), (y, expand_y)):
        product = product * np.expand_dims(numbers.balls(factor), tuple(axes))
    return numbers.keep(total(np.asarray(product, dtype=object), tuple(summed)))


# Convolutions, as products with what each window sees. A weight has the axes (out, in / groups, *window).


class Geometry:
    """How windows lie on the input of a convolution that is not transposed."""

    def __init__(self, stride: Any, padding: Any, dilation: Any, groups: int, window: Any, spatial: int) -> None:
        def each(values: Any) -> list[int]:
            return list(values) * spatial if len(values) == 1 else list(values)

        self.stride, self.padding, self.dilation = each(stride), each(padding), each(dilation)
        self.groups, self.window = groups, list(window)

    def columns(self, handles: Tensor, places: Any) -> Tensor:
        """(groups, batch * places, channels in a group * window): what each of the first windows sees."""
        seen = windows(handles, self.window, self.stride, self.padding, self.dilation)
        seen = seen[(slice(None), slice(None), *map(slice, places))]
        batch, channels, *rest = seen.shape
        places, window = rest[: len(rest) // 2], rest[len(rest) // 2 :]
        spread = seen.reshape(batch, self.groups, channels // self.groups, math.prod(places), math.prod(window))
        return spread.permute(1, 0, 3, 2, 4).reshape(
            self.groups, batch * math.prod(places), channels // self.groups * math.prod(window)
        )

    def by_group(self, outputs: Array) -> Array:
        """(batch, channels, *places) → (groups, batch * places, channels in a group)."""
        batch, channels, *places = outputs.shape
        size = math.prod(places)
        spread = outputs.reshape(batch, self.groups, channels // self.groups, size)
        return spread.transpose(1, 0, 3, 2).reshape(self.groups, batch * size, channels // self.groups)

    def matrices(self, weight: Array) -> Array:
        """(groups, channels out of a group, channels into a group * window)."""
        return weight.reshape(self.groups, weight.shape[0] // self.groups, math.prod(weight.shape[1:]))

    def forward(self, numbers: Exact, x: Any, weight: Array, places: list[int]) -> Array:
        columns = numbers.balls(ExactTensor(self.columns(numbers.handles(x), places)))
        product = batched_product(columns, self.matrices(weight).transpose(0, 2, 1))
        batch, channels, size = x.shape[0], weight.shape[0], math.prod(places)
        spread = product.reshape(self.groups, batch, size, channels // self.groups)
        return spread.transpose(1, 0, 3, 2).reshape(batch, channels, *places)

    def to_input(self, outputs: Array, weight: Array, shape: tuple[int, ...]) -> Array:
        """The adjoint of `forward` in x."""
        product = batched_product(self.by_group(outputs), self.matrices(weight))
        return gathered_back(lambda handles: self.columns(handles, outputs.shape[2:]), product, shape)

    def to_weight(self, numbers: Exact, outputs: Array, x: Any, shape: tuple[int, ...]) -> Array:
        """The adjoint of `forward` in the weight."""
        columns = numbers.balls(ExactTensor(self.columns(numbers.handles(x), outputs.shape[2:])))
        return batched_product(self.by_group(outputs).transpose(0, 2, 1), columns).reshape(shape)

    def places(self, sizes: Any) -> list[int]:
        """How many windows there are along each spatial axis."""
        return [
            (size + 2 * pad - dilation * (window - 1) - 1) // stride + 1
            for size, pad, dilation, window, stride in zip(
                sizes, self.padding, self.dilation, self.window, self.stride, strict=True
            )
        ]

    def sizes(self, places: Any, extra: Any) -> list[int]:
        """How large a transposed convolution's output is."""
        return [
            (place - 1) * stride - 2 * pad + dilation * (window - 1) + 1 + more
            for place, pad, dilation, window, stride, more in zip(
                places, self.padding, self.dilation, self.window, self.stride, extra, strict=True
            )
        ]


@rule("convolution")
def convolution(
    numbers: Exact,
    x: Any,
    weight: Any,
    bias: Any,
    stride: Any,
    padding: Any,
    dilation: Any,
    transposed: bool,
    output_padding: Any,
    groups: int,
) -> ExactTensor:
    spatial = x.dim() - 2
    geometry = Geometry(stride, padding, dilation, groups, weight.shape[2:], spatial)
    kernel = numbers.balls(weight)
    if transposed:
        extra = list(output_padding) * spatial if len(output_padding) == 1 else list(output_padding)
        shape = (x.shape[0], weight.shape[1] * groups, *geometry.sizes(x.shape[2:], extra))
        result = geometry.to_input(numbers.balls(x), kernel, shape)
    else:
        result = geometry.forward(numbers, x, kernel, geometry.places(x.shape[2:]))
    if bias is not None:
        result = result + numbers.balls(bias).reshape(1, -1, *[1] * spatial)
    return numbers.keep(result)


@rule("convolution_backward")
def convolution_backward(
    numbers: Exact,
    g: Any,
    x: Any,
    weight: Any,
    bias_sizes: Any,
    stride: Any,
    padding: Any,
    dilation: Any,
    transposed: bool,
    output_padding: Any,
    groups: int,
    output_mask: Any,
) -> tuple[ExactTensor | None, ...]:
    geometry = Geometry(stride, padding, dilation, groups, weight.shape[2:], x.dim() - 2)
    upstream, kernel, shape = numbers.balls(g), numbers.balls(weight), tuple(weight.shape)
    to_x, to_weight, to_bias = None, None, None
    if output_mask[0] and transposed:
        to_x = numbers.keep(geometry.forward(numbers, g, kernel, list(x.shape[2:])))
    elif output_mask[0]:
        to_x = numbers.keep(geometry.to_input(upstream, kernel, tuple(x.shape)))
    if output_mask[1] and transposed:
        to_weight = numbers.keep(geometry.to_weight(numbers, numbers.balls(x), g, shape))
    elif output_mask[1]:
        to_weight = numbers.keep(geometry.to_weight(numbers, upstream, x, shape))
    if output_mask[2]:
        to_bias = numbers.keep(total(upstream, (0, *range(2, g.dim()))))
    return to_x, to_weight, to_bias
