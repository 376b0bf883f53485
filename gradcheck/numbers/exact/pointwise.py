"""Operators that compute entry by entry."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

import numpy as np
from flint import arb

from gradcheck.numbers.dispatch import words
from gradcheck.numbers.exact.system import RULES, Array, Exact, kept

ZERO, ONE, MINUS_INFINITY = arb(0), arb(1), arb("-inf")


def logarithm(ball: arb) -> arb:
    # A mask of zeros and ones is turned by log into what a softmax leaves out.
    return MINUS_INFINITY if ball.is_zero() else ball.log()


def sigmoid(ball: arb) -> arb:
    return 1 / (1 + (-ball).exp())


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


def log_add_exp(x: arb, y: arb) -> arb:
    large, small = (x, y) if float(x) >= float(y) else (y, x)
    return large + (small - large).exp().log1p() if small.is_finite() else large


def mish_backward(g: arb, x: arb) -> arb:
    y = x.exp().log1p().tanh()
    return g * (y + x * (1 - y * y) * sigmoid(x))


def silu_backward(g: arb, x: arb) -> arb:
    y = sigmoid(x)
    return g * y * (1 + x * (1 - y))


ENTRYWISE: dict[str, Callable[..., arb]] = {
    **{
        name: getattr(arb, name)
        for name in words(
            "acos acosh asin asinh atan atanh cos cosh digamma erf erfc erfinv exp expm1 lgamma log1p rsqrt sin sinh "
            "sqrt tan tanh"
        )
    },
    "abs": abs,
    "exp2": lambda x: (x * arb(2).log()).exp(),
    "log": logarithm,
    "log10": lambda x: logarithm(x) / arb(10).log(),
    "log2": lambda x: logarithm(x) / arb(2).log(),
    "neg": operator.neg,
    "sigmoid": sigmoid,
    "sigmoid_backward": lambda g, y: g * y * (1 - y),
    "silu": lambda x: x * sigmoid(x),
    "silu_backward": silu_backward,
    "sinc": arb.sinc_pi,
    "tanh_backward": lambda g, y: g * (1 - y * y),
    "mish": lambda x: x * x.exp().log1p().tanh(),
    "mish_backward": mish_backward,
    "pow": power,
    "logaddexp": log_add_exp,
    "logaddexp2": lambda x, y: ((x * arb(2).log()).exp() + (y * arb(2).log()).exp()).log() / arb(2).log(),
    "hypot": lambda x, y: (x * x + y * y).sqrt(),
    "atan2": lambda y, x: arb.atan2(y, x),  # noqa: PLW0108 — in which NumPy sees two arguments
    "xlogy": lambda x, y: ZERO if x.is_zero() else x * y.log(),
}
"""Of one entry of each argument."""


def on_arrays(function: Callable[..., arb]) -> Callable[..., Array]:
    """A function of balls, of arrays of them; flint's own take one."""
    code = getattr(function, "__code__", None)
    applied: Callable[..., Array] = np.frompyfunc(function, code.co_argcount if code else 1, 1)
    return applied


OF_ARRAYS = {name: on_arrays(function) for name, function in ENTRYWISE.items()}


def entry_by_entry(function: Callable[..., Array]) -> Callable[..., Array]:
    return lambda n, *values: function(*map(n.balls, values))


RULES.table({name: kept(entry_by_entry(function)) for name, function in OF_ARRAYS.items()})


def times(numbers: Exact, values: Any, factor: float) -> Array:
    """Balls times the Python number that torch calls alpha, beta or value."""
    balls = numbers.balls(values)
    return balls if factor == 1 else np.asarray(balls * numbers.balls(factor), dtype=object)


def polygamma(numbers: Exact, order: int, x: Any) -> Array:
    if order == 0:
        return OF_ARRAYS["digamma"](numbers.balls(x))
    sign = (-1) ** (order + 1) * math.factorial(order)
    return on_arrays(lambda ball: sign * arb.zeta(arb(order + 1), ball))(numbers.balls(x))


# torch's own constants in gelu are rounded to float64; these are not.


def gelu_erf_backward(g: arb, x: arb) -> arb:
    density = (-x * x / 2).exp() / (2 * arb.pi()).sqrt()
    return g * ((1 + (x / arb(2).sqrt()).erf()) / 2 + x * density)


def gelu_inner(x: arb) -> tuple[arb, arb]:
    scale, cubic = (2 / arb.pi()).sqrt(), arb(44715) / 10**6
    return scale * (x + cubic * x * x * x), scale * (1 + 3 * cubic * x * x)


def gelu_tanh_backward(g: arb, x: arb) -> arb:
    inner, slope = gelu_inner(x)
    y = inner.tanh()
    return g * (1 + y + x * (1 - y * y) * slope) / 2


GELU = {
    "none": on_arrays(lambda x: x * (1 + (x / arb(2).sqrt()).erf()) / 2),
    "tanh": on_arrays(lambda x: x * (1 + gelu_inner(x)[0].tanh()) / 2),
}
GELU_BACKWARD = {"none": on_arrays(gelu_erf_backward), "tanh": on_arrays(gelu_tanh_backward)}
LOG_SIGMOID = on_arrays(lambda x: -(-x).exp().log1p())
LOG_SIGMOID_BACKWARD = on_arrays(lambda g, x: g / (1 + x.exp()))

# torch's definition of softplus: what lies beyond the threshold is left as it is.
SOFTPLUS = on_arrays(lambda x, beta, threshold: x if x * beta > threshold else (x * beta).exp().log1p() / beta)
SOFTPLUS_BACKWARD = on_arrays(lambda g, x, beta, threshold: g if x * beta > threshold else g / (1 + (-x * beta).exp()))

RULES.table(
    {
        "add": lambda n, x, y, alpha=1: n.balls(x) + times(n, y, alpha),
        "sub": lambda n, x, y, alpha=1: n.balls(x) - times(n, y, alpha),
        "mul": lambda n, x, y: n.balls(x) * n.balls(y),
        "div.Tensor div.Scalar true_divide": lambda n, x, y: n.balls(x) / n.balls(y),
        "lerp": lambda n, start, end, weight: n.balls(start) + n.balls(weight) * (n.balls(end) - n.balls(start)),
        "polygamma": polygamma,
        "gelu": lambda n, x, approximate="none": GELU[approximate](n.balls(x)),
        "gelu_backward": lambda n, g, x, approximate="none": GELU_BACKWARD[approximate](n.balls(g), n.balls(x)),
        "softplus": lambda n, x, beta=1, threshold=20: SOFTPLUS(n.balls(x), n.balls(beta), n.balls(threshold)),
        "softplus_backward": entry_by_entry(SOFTPLUS_BACKWARD),
        "log_sigmoid_backward": lambda n, g, x, buffer: LOG_SIGMOID_BACKWARD(n.balls(g), n.balls(x)),
    },
    kept,
)
RULES.table(
    {"log_sigmoid_forward": lambda n, x: (n.keep(LOG_SIGMOID(n.balls(x))), x.handles.new_empty(0))},
)
