"""Operators that compute entry by entry."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

import numpy as np
from flint import arb
from torch import Tensor

from gradcheck.numbers.exact.system import RULES, Array, Exact, ExactTensor

rule = RULES.rule


def entrywise(*names: str) -> Callable[[Callable[..., arb]], Callable[..., Array]]:
    """Register a function of balls as the rule of an operator that computes entry by entry; what it is on arrays."""

    def register(function: Callable[..., arb]) -> Callable[..., Array]:
        on_arrays: Callable[..., Array] = np.frompyfunc(function, function.__code__.co_argcount, 1)

        def computed(numbers: Exact, *values: Any) -> ExactTensor:
            return numbers.keep(on_arrays(*[numbers.balls(value) for value in values]))

        rule(*names)(computed)
        return on_arrays

    return register


ZERO, ONE, MINUS_INFINITY = arb(0), arb(1), arb("-inf")


def logarithm(ball: arb) -> arb:
    # A mask of zeros and ones is turned by log into what a softmax leaves out.
    return MINUS_INFINITY if ball.is_zero() else ball.log()


def sigmoid(ball: arb) -> arb:
    return 1 / (1 + (-ball).exp())


UNARY: dict[str, Callable[[arb], arb]] = {
    "abs": abs,
    "acos": arb.acos,
    "acosh": arb.acosh,
    "asin": arb.asin,
    "asinh": arb.asinh,
    "atan": arb.atan,
    "atanh": arb.atanh,
    "cos": arb.cos,
    "cosh": arb.cosh,
    "digamma": arb.digamma,
    "erf": arb.erf,
    "erfc": arb.erfc,
    "erfinv": arb.erfinv,
    "exp": arb.exp,
    "exp2": lambda ball: (ball * arb(2).log()).exp(),
    "expm1": arb.expm1,
    "lgamma": arb.lgamma,
    "log": logarithm,
    "log10": lambda ball: logarithm(ball) / arb(10).log(),
    "log1p": arb.log1p,
    "log2": lambda ball: logarithm(ball) / arb(2).log(),
    "neg": operator.neg,
    "reciprocal": lambda ball: 1 / ball,
    "rsqrt": arb.rsqrt,
    "sigmoid": sigmoid,
    "silu": lambda ball: ball * sigmoid(ball),
    "sin": arb.sin,
    "sinc": arb.sinc_pi,
    "sinh": arb.sinh,
    "sqrt": arb.sqrt,
    "square": lambda ball: ball * ball,
    "tan": arb.tan,
    "tanh": arb.tanh,
}


def of_one(function: Callable[[arb], arb]) -> Callable[[Exact, Any], ExactTensor]:
    on_arrays = np.frompyfunc(function, 1, 1)
    return lambda numbers, x: numbers.keep(on_arrays(numbers.balls(x)))


for _name, _function in UNARY.items():
    rule(_name)(of_one(_function))


def times(numbers: Exact, values: Any, factor: float) -> Array:
    """Balls times the Python number that torch calls alpha, beta or value."""
    balls = numbers.balls(values)
    return balls if factor == 1 else np.asarray(balls * numbers.balls(factor), dtype=object)


@rule("add")
def add(numbers: Exact, x: Any, y: Any, alpha: float = 1) -> ExactTensor:
    return numbers.keep(numbers.balls(x) + times(numbers, y, alpha))


@rule("sub")
def subtract(numbers: Exact, x: Any, y: Any, alpha: float = 1) -> ExactTensor:
    return numbers.keep(numbers.balls(x) - times(numbers, y, alpha))


@rule("rsub")
def subtract_from(numbers: Exact, x: Any, y: Any, alpha: float = 1) -> ExactTensor:
    return numbers.keep(numbers.balls(y) - times(numbers, x, alpha))


@rule("mul")
def multiply(numbers: Exact, x: Any, y: Any) -> ExactTensor:
    return numbers.keep(numbers.balls(x) * numbers.balls(y))


@rule("div.Tensor", "div.Scalar", "true_divide")
def divide(numbers: Exact, x: Any, y: Any) -> ExactTensor:
    return numbers.keep(numbers.balls(x) / numbers.balls(y))


@rule("addcmul")
def add_product(numbers: Exact, x: Any, a: Any, b: Any, value: float = 1) -> ExactTensor:
    return numbers.keep(numbers.balls(x) + times(numbers, a, value) * numbers.balls(b))


@rule("addcdiv")
def add_quotient(numbers: Exact, x: Any, a: Any, b: Any, value: float = 1) -> ExactTensor:
    return numbers.keep(numbers.balls(x) + times(numbers, a, value) / numbers.balls(b))


@rule("lerp")
def between(numbers: Exact, start: Any, end: Any, weight: Any) -> ExactTensor:
    first = numbers.balls(start)
    return numbers.keep(first + numbers.balls(weight) * (numbers.balls(end) - first))


@entrywise("pow")
def power(base: arb, exponent: arb) -> arb:
    whole = exponent.unique_fmpz() if exponent.is_exact() else None
    if whole is not None and abs(whole) <= 64:  # multiplied out: flint's own has no answer for a ball around zero
        return whole_power(base, int(whole))
    if base.is_zero() and exponent > 0:
        return ZERO
    if exponent * 2 == 1:
        return base.sqrt()
    return base**exponent


def whole_power(base: arb, exponent: int) -> arb:
    if exponent < 0:
        return 1 / whole_power(base, -exponent)
    result = ONE
    for bit in f"{exponent:b}":
        result = result * result
        if bit == "1":
            result = result * base
    return result


@entrywise("logaddexp")
def log_add_exp(x: arb, y: arb) -> arb:
    large, small = (x, y) if float(x) >= float(y) else (y, x)
    return large + (small - large).exp().log1p() if small.is_finite() else large


@entrywise("logaddexp2")
def log_add_exp2(x: arb, y: arb) -> arb:
    two = arb(2).log()
    return ((x * two).exp() + (y * two).exp()).log() / two


@entrywise("hypot")
def hypotenuse(x: arb, y: arb) -> arb:
    return (x * x + y * y).sqrt()


@entrywise("atan2")
def angle(y: arb, x: arb) -> arb:
    return arb.atan2(y, x)


@entrywise("xlogy")
def x_log_y(x: arb, y: arb) -> arb:
    return ZERO if x.is_zero() else x * y.log()


@rule("polygamma")
def polygamma(numbers: Exact, order: int, x: Any) -> ExactTensor:
    if order == 0:
        return numbers.keep(np.frompyfunc(arb.digamma, 1, 1)(numbers.balls(x)))
    sign = (-1) ** (order + 1) * math.factorial(order)
    return numbers.keep(np.frompyfunc(lambda ball: sign * arb.zeta(arb(order + 1), ball), 1, 1)(numbers.balls(x)))


@entrywise("tanh_backward")
def tanh_backward(g: arb, y: arb) -> arb:
    return g * (1 - y * y)


@entrywise("sigmoid_backward")
def sigmoid_backward(g: arb, y: arb) -> arb:
    return g * y * (1 - y)


@entrywise("mish")
def mish(x: arb) -> arb:
    return x * x.exp().log1p().tanh()


@entrywise("mish_backward")
def mish_backward(g: arb, x: arb) -> arb:
    y = x.exp().log1p().tanh()
    return g * (y + x * (1 - y * y) * sigmoid(x))


@entrywise("silu_backward")
def silu_backward(g: arb, x: arb) -> arb:
    y = sigmoid(x)
    return g * y * (1 + x * (1 - y))


LOG_SIGMOID = np.frompyfunc(lambda x: -(-x).exp().log1p(), 1, 1)
LOG_SIGMOID_BACKWARD = np.frompyfunc(lambda g, x: g / (1 + x.exp()), 2, 1)


@rule("log_sigmoid_forward")
def log_sigmoid(numbers: Exact, x: Any) -> tuple[ExactTensor, Tensor]:
    return numbers.keep(LOG_SIGMOID(numbers.balls(x))), x.handles.new_empty(0)


@rule("log_sigmoid_backward")
def log_sigmoid_backward(numbers: Exact, g: Any, x: Any, buffer: Tensor) -> ExactTensor:
    return numbers.keep(LOG_SIGMOID_BACKWARD(numbers.balls(g), numbers.balls(x)))


# torch's own constants in gelu are rounded to float64; these are not.


def gelu_erf(x: arb) -> arb:
    return x * (1 + (x / arb(2).sqrt()).erf()) / 2


def gelu_erf_backward(g: arb, x: arb) -> arb:
    density = (-x * x / 2).exp() / (2 * arb.pi()).sqrt()
    return g * ((1 + (x / arb(2).sqrt()).erf()) / 2 + x * density)


def gelu_inner(x: arb) -> tuple[arb, arb]:
    scale, cubic = (2 / arb.pi()).sqrt(), arb(44715) / 10**6
    return scale * (x + cubic * x * x * x), scale * (1 + 3 * cubic * x * x)


def gelu_tanh(x: arb) -> arb:
    return x * (1 + gelu_inner(x)[0].tanh()) / 2


def gelu_tanh_backward(g: arb, x: arb) -> arb:
    inner, slope = gelu_inner(x)
    y = inner.tanh()
    return g * (1 + y + x * (1 - y * y) * slope) / 2


GELU = {"none": np.frompyfunc(gelu_erf, 1, 1), "tanh": np.frompyfunc(gelu_tanh, 1, 1)}
GELU_BACKWARD = {"none": np.frompyfunc(gelu_erf_backward, 2, 1), "tanh": np.frompyfunc(gelu_tanh_backward, 2, 1)}


@rule("gelu")
def gelu(numbers: Exact, x: Any, approximate: str = "none") -> ExactTensor:
    return numbers.keep(GELU[approximate](numbers.balls(x)))


@rule("gelu_backward")
def gelu_backward(numbers: Exact, g: Any, x: Any, approximate: str = "none") -> ExactTensor:
    return numbers.keep(GELU_BACKWARD[approximate](numbers.balls(g), numbers.balls(x)))
