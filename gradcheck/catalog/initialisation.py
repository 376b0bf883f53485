"""Weights that keep the size of what passes through a ReLU layer."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from gradcheck.catalog.exercise import About, Exercise, Misconception, function
from gradcheck.catalog.parts import chance
from gradcheck.checks.task import Edge, Property, Reference

if TYPE_CHECKING:
    from gradcheck.checks.drawing import Draw
    from gradcheck.checks.outcome import Arguments, Value

ORDER = 4

_SHAPES = ((1000, 40), (40, 1000))
"""Far from square: 2 / fan_in, 2 / fan_out and 2 / (fan_in + fan_out) lie far apart."""


def _sizes(draw: Draw) -> dict[str, Any]:
    # Enough entries for their mean square to say something.
    return {"fan_out": 16 * draw.size("O"), "fan_in": 16 * draw.size("I"), "generator": draw.generator()}


def _small(draw: Any) -> Iterator[Edge]:
    for fan_out, fan_in in ((1, 1), (1, 7), (7, 1), (3, 3), (200, 3)):
        yield f"{fan_out} × {fan_in}", {"fan_out": fan_out, "fan_in": fan_in, "generator": draw.generator()}


def _verdict(arguments: Arguments, value: Value) -> tuple[str, ...] | None:
    """The form, and a mean square that chance allows. About 25 results are judged: false alarms below 1e-10 in all."""
    import numpy as np
    import torch

    from gradcheck.checks.outcome import Returned

    shape = arguments["fan_out"], arguments["fan_in"]
    if not isinstance(value, Returned) or value.problem:
        return "type", "expected one plain torch.Tensor, the weight"
    if value.shape != shape:
        turned = ": it is transposed, one row per output" if value.shape == shape[::-1] else ""
        return "shape", f"the weight has shape {value.shape}; expected {shape}, (fan_out, fan_in){turned}"
    usual = str(torch.get_default_dtype()).removeprefix("torch.")
    if value.dtype != usual or value.values is None:
        return "dtype", f"the weight is {value.dtype}; expected {usual}, the default dtype"
    if not np.isfinite(value.values).all():
        return "values", "the weight holds NaN or infinity", "not-finite"
    square = float((value.values**2).mean()) * shape[1] / 2
    least, most = chance.square_bounds(value.values.size)
    if not least <= square <= most:
        return "values", f"the entries' mean square is {square:.3g} times 2 / fan_in: no chance explains that"
    return None


def _standardised(ask: Any, fan_out: int, fan_in: int) -> Any:
    """The weight divided by the standard deviation that it should have."""
    return ask.value(fan_out, fan_in, ask.generator()).values / math.sqrt(2 / fan_in)


def _normal(ask: Any) -> str | None:
    """Mean, size and shape of the distribution: 2 · 5 comparisons, each with false alarms of at most 1e-13."""
    import numpy as np

    for fan_out, fan_in in _SHAPES:
        w = np.sort(_standardised(ask, fan_out, fan_in).ravel())
        about = f"of {w.size} entries for fan_out = {fan_out} and fan_in = {fan_in}"
        if abs(w.mean()) > chance.normal_mean_bound(w.size):
            return f"the mean {about} is {w.mean():.3g} standard deviations; it should be 0"
        least, most = chance.square_bounds(w.size)
        if not least <= (w**2).mean() <= most:
            return (
                f"the standard deviation {about} is {math.sqrt((w**2).mean()):.3g} times √(2 / fan_in); "
                "it should be √(2 / fan_in)"
            )
        points = np.linspace(-4, 4, 161)
        right = np.asarray([(1 + math.erf(point / math.sqrt(2))) / 2 for point in points])
        below = np.searchsorted(w, points, side="right") / w.size
        if np.abs(below - right).max() > chance.distribution_bound(w.size):
            return f"mean and standard deviation {about} are right, but they are not normally distributed"
        # Beyond three standard deviations lie 0.27 %. Chernoff: the count is below a quarter of its expectation m with
        # probability at most exp(−0.28 m), above 2 m with at most exp(−m / 3); m = 108.
        count, expected = int((np.abs(w) > 3).sum()), math.erfc(3 / math.sqrt(2)) * w.size
        if not 0.25 * expected <= count <= 2 * expected:
            return (
                f"{count} {about} lie beyond three standard deviations, where a normal distribution has "
                f"{expected:.0f}: are the tails cut off?"
            )
    return None


def _independent(ask: Any) -> str | None:
    """Neighbours and halves do not go together: 2 · 4 comparisons, each with false alarms of at most 1e-13. That two
    rows of forty float32 numbers are equal by chance is beyond counting.
    """
    import numpy as np

    for fan_out, fan_in in _SHAPES:
        w = _standardised(ask, fan_out, fan_in)
        if len(np.unique(w, axis=0)) < fan_out or len(np.unique(w, axis=1).T) < fan_in:
            return "there are rows or columns that are equal; every entry is drawn anew"
        half, other = fan_out // 2, fan_in // 2
        pairs = (
            ("neighbouring rows", w[::2], w[1::2]),
            ("neighbouring columns", w[:, ::2], w[:, 1::2]),
            ("the upper and the lower half", w[:half], w[half:]),
            ("the left and the right half", w[:, :other], w[:, other:]),
        )
        for words, first, second in pairs:
            if abs((first * second).mean()) > chance.product_bound(first.size):
                return f"{words} are not independent: their correlation is {(first * second).mean():.2g}"
    return None


def _generator(ask: Any) -> str | None:
    """Of the generator's rules none is a matter of chance, but that two states lead to similar weights is: 1e-13."""
    told = chance.misused(ask, (20, 30))
    if told:
        return told
    first, second = (_standardised(ask, 100, 30) for _ in range(2))
    if (first * second).mean() > chance.product_bound(first.size):
        return "generators in different states lead to weights that are alike"
    return None


# What goes wrong.


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


EXERCISE = Exercise(
    name="initialisation",
    unit="06_tricks",
    title="Initialise the weights of a ReLU layer",
    about=About(
        statement=(
            "Training begins with random weights, and their size matters. Every output is a sum of fan_in terms, so "
            "that activations grow or shrink from layer to layer, and with depth they explode or vanish. For layers "
            "with ReLU, Kaiming He's rule draws the weights from a normal distribution with mean 0 and standard "
            "deviation √(2 / fan_in)."
        ),
        purpose=(
            "Lets a deep ReLU network learn from its first step on: what goes in keeps its size through all layers."
        ),
        torch=("torch.nn.init.kaiming_normal_",),
        idea=(
            "Variances of independent terms add up: a sum's mean square is fan_in · Var(w) times that of its inputs. "
            "ReLU keeps one half, so Var(w) is 2 / fan_in; standard normal numbers are multiplied by its root."
        ),
        minutes=15,
        difficulty=2,
    ),
    functions=(
        function(
            "kaiming_normal",
            "fan_out",
            "fan_in",
            "generator",
            points=2,
            reference=Reference(
                draw=_sizes,
                verdict=_verdict,
                edges=_small,
                names="the weight",
                usual=frozenset(("sizes",)),
                source="lecture part B: weight initialisation; He et al. 2015",
            ),
            properties=(
                Property("generator", _generator, false_alarms=1e-12),
                Property("distribution", _normal, false_alarms=1e-11),
                Property("independence", _independent, false_alarms=1e-11),
            ),
        ),
    ),
    hints=(
        "An output is a sum of fan_in terms. If all are independent with mean 0, what is the variance of the sum?",
        "ReLU throws away one half of what passes through it: how large must the variance of the weights be, so "
        "that the mean square of a layer's output is that of its input? A normal number times s has standard "
        "deviation s. torch's random functions take a generator=…; else they draw from a shared one.",
        "s_i = Σ_j w_ij x_j, so E[s_i²] = Σ_j E[w_ij²] E[x_j²] = fan_in · Var(w) · E[x²]; relu keeps E[relu(s)²] "
        "= E[s²] / 2, and that has to be E[x²].",
    ),
    formula=(
        "fan_in · Var(w) / 2 = 1, so Var(w) = 2 / fan_in\n"
        "w_ij = √(2 / fan_in) · n_ij, n_ij standard normal, drawn from generator\n"
        "i = 1, …, fan_out, j = 1, …, fan_in"
    ),
    misconceptions=(
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
    ),
)
