"""What goes wrong when weights are drawn."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from gradcheck.catalog.exercise import Misconception


def _times(scale: Callable[[int, int], float]) -> Callable[[int, int, Any], Any]:
    """Standard normal numbers times a wrong factor."""

    def weight(fan_out: int, fan_in: int, generator: Any) -> Any:
        import torch

        return scale(fan_out, fan_in) * torch.randn(fan_out, fan_in, generator=generator)

    return weight


def _zeros(fan_out: int, fan_in: int, _generator: Any) -> Any:
    import torch

    return torch.zeros(fan_out, fan_in)


def _uniform(bounds: Callable[[int], tuple[float, float]]) -> Callable[[int, int, Any], Any]:
    def weight(fan_out: int, fan_in: int, generator: Any) -> Any:
        import torch

        least, most = bounds(fan_in)
        return least + (most - least) * torch.rand(fan_out, fan_in, generator=generator)

    return weight


INITIALISATION_MISCONCEPTIONS = (
    # Numbers tell these only of a learner who draws as here; for all others the verdict and the properties speak.
    Misconception(
        "kaiming_normal",
        "wrong-function",
        "you multiplied by the variance: the root is missing",
        _times(lambda _fan_out, fan_in: 2 / fan_in),
        "Multiply random numbers by 3. By what does their variance grow?",
    ),
    Misconception(
        "kaiming_normal",
        "wrong-variable",
        "you took fan_out where the number of inputs belongs",
        _times(lambda fan_out, _fan_in: math.sqrt(2 / fan_out)),
        "How many terms does the sum have that makes one output?",
    ),
    Misconception(
        "kaiming_normal",
        "wrong-function",
        "you took the mean of fan_in and fan_out, as Xavier does for tanh",
        _times(lambda fan_out, fan_in: math.sqrt(2 / (fan_in + fan_out))),
        "Which of the two sizes decides how large one output is?",
    ),
    Misconception(
        "kaiming_normal",
        "missing-term",
        "the weights are right for a layer without relu: what relu throws away is not made up for",
        _times(lambda _fan_out, fan_in: math.sqrt(1 / fan_in)),
        "Which part of the mean square is left behind relu?",
    ),
    Misconception(
        "kaiming_normal",
        "missing-term",
        "the weights are standard normal: nothing is scaled",
        _times(lambda _fan_out, _fan_in: 1.0),
        "How large does an output become that adds up a thousand such terms?",
    ),
    Misconception(
        "kaiming_normal",
        "wrong-function",
        "you took the root of the 2 alone",
        _times(lambda _fan_out, fan_in: math.sqrt(2) / fan_in),
        "How far does the root reach?",
    ),
    Misconception(
        "kaiming_normal",
        "wrong-function",
        "you divided by the standard deviation that you should multiply by",
        _times(lambda _fan_out, fan_in: math.sqrt(fan_in / 2)),
        "Should weights be larger or smaller when there are more inputs?",
    ),
    Misconception(
        "kaiming_normal",
        "scaled-by-constant",
        "relu's factor 2 has got into the denominator",
        _times(lambda _fan_out, fan_in: math.sqrt(1 / (2 * fan_in))),
        "relu halves the mean square. Do the weights have to be larger for it, or smaller?",
    ),
    Misconception(
        "kaiming_normal",
        "hard-coded-size",
        "the weights have the standard deviation 0.01, whatever fan_in is",
        _times(lambda _fan_out, _fan_in: 0.01),
        "What is left of a signal after ten layers with such weights?",
    ),
    Misconception(
        "kaiming_normal",
        "wrong-function",
        "the 2 stands before the root",
        _times(lambda _fan_out, fan_in: 2 / math.sqrt(fan_in)),
        "How far does the root reach?",
    ),
    Misconception(
        "kaiming_normal",
        "wrong-function",
        "you took the bound of the uniform version for the standard deviation",
        _times(lambda _fan_out, fan_in: math.sqrt(6 / fan_in)),
        "A uniform number between −a and a has which standard deviation?",
    ),
    Misconception(
        "kaiming_normal",
        "returns-zero",
        "all weights are zero",
        _zeros,
        "What distinguishes one hidden unit from the next, if both start alike?",
    ),
    Misconception(
        "kaiming_normal",
        "wrong-distribution",
        "you drew uniformly between 0 and a bound: no weight is negative",
        _uniform(lambda fan_in: (0.0, math.sqrt(2 / fan_in))),
        "What mean should the weights have?",
    ),
    Misconception(
        "kaiming_normal",
        "wrong-distribution",
        "you drew uniformly, and took the standard deviation for the bound",
        _uniform(lambda fan_in: (-math.sqrt(2 / fan_in), math.sqrt(2 / fan_in))),
        "Which function of torch draws normally distributed numbers?",
    ),
    Misconception(
        "kaiming_normal",
        "wrong-distribution",
        "you drew uniformly between −1/√fan_in and 1/√fan_in, as torch's Linear does",
        _uniform(lambda fan_in: (-1 / math.sqrt(fan_in), 1 / math.sqrt(fan_in))),
        "Which function of torch draws normally distributed numbers, and which spread does relu ask for?",
    ),
)
