"""How the gradient shrinks along a chain of sigmoids, and along one of ReLUs."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from gradcheck.catalog.exercise import About, Exercise, Misconception, function
from gradcheck.checks.task import Edge, Leaf, Property, Reference
from gradcheck.operators.elementwise import RELU, SIGMOID
from gradcheck.references import apply

if TYPE_CHECKING:
    from torch import Tensor

    from gradcheck.checks.drawing import Draw
    from gradcheck.operators.record import Operator

ORDER = 6


def _any_chain(draw: Draw) -> dict[str, Any]:
    return {"x": draw.number(-2.0, 2.0), "weights": [draw.number(-3.0, 3.0) for _ in range(draw.size("K"))]}


def _live_chain(draw: Draw) -> dict[str, Any]:
    """All states are positive, the last perhaps not: no sum is at the kink."""
    x = draw.number(0.5, 2.0)
    weights = [draw.number(0.25, 2.0) for _ in range(draw.size("K"))]
    if draw.whole(0, 1):
        x, weights[0] = -x, -weights[0]
    return {"x": x, "weights": weights}


def _slopes(h: Operator, x: Tensor, weights: list[Tensor]) -> tuple[Tensor, ...]:
    """|dz_K/dz_k|, on the way back through z_{k+1} = h(w_k z_k)."""
    sums = []
    for w in weights:
        sums.append(w * x)
        x = apply.forward(h, x=sums[-1])
    slopes = [x.new_ones(())]
    for w, before in zip(reversed(weights), reversed(sums), strict=True):
        slopes.append(apply.vjp(h, slopes[-1], x=before)["x"] * w)
    return tuple(each.abs() for each in reversed(slopes))


def _sigmoid_chain(x: Tensor, weights: list[Tensor]) -> tuple[Tensor, ...]:
    return _slopes(SIGMOID, x, weights)


def _relu_chain(x: Tensor, weights: list[Tensor]) -> tuple[Tensor, ...]:
    return _slopes(RELU, x, weights)


def _sigmoid_chains(draw: Any) -> Iterator[Edge]:
    def numbers(count: int, low: float, high: float) -> list[float]:
        return [draw.number(low, high) for _ in range(count)]

    yield "no stage", {"x": 0.7, "weights": []}
    yield "one stage, at zero", {"x": 0.0, "weights": [1.0]}
    yield "weights of both signs", {"x": -0.4, "weights": [1.0, -2.0, 0.5, -1.0]}
    yield "a weight of zero", {"x": 0.5, "weights": [2.0, 0.0, -1.5, 1.0]}
    yield "weights that make up for it", {"x": 0.1, "weights": [-4.0, 4.0, -4.0]}
    yield "saturated stages", {"x": 6.0, "weights": [2.0, 8.0, -9.0]}
    yield "thirty stages", {"x": 0.5, "weights": numbers(30, -1.0, 1.0)}
    yield "thirty large weights", {"x": 0.5, "weights": numbers(30, 2.0, 4.0)}
    yield "thirty tiny weights", {"x": 0.5, "weights": numbers(30, 1e-15, 1e-14)}


def _relu_chains(draw: Any) -> Iterator[Edge]:
    def numbers(count: int, low: float, high: float) -> list[float]:
        return [draw.number(low, high) for _ in range(count)]

    yield "no stage", {"x": 0.7, "weights": []}
    yield "one stage", {"x": 2.0, "weights": [0.5]}
    yield "one stage below zero", {"x": 2.0, "weights": [-0.5]}
    yield "both negative", {"x": -1.5, "weights": [-2.0, 0.5]}
    yield "the last stage below zero", {"x": 1.0, "weights": [2.0, 0.5, -1.0]}
    yield "thirty stages", {"x": 0.5, "weights": numbers(30, 0.5, 1.5)}
    yield "thirty large weights", {"x": 0.5, "weights": numbers(30, 2.0, 4.0)}
    yield "thirty small weights", {"x": 0.5, "weights": numbers(30, 1e-9, 1e-8)}


def _dead(ask: Any) -> str | None:
    """Behind a stage below zero every state is 0, and each later stage has a slope anywhere between 0 and |w|."""
    chains = (
        (1.0, [2.0, -0.5, 3.0, -1.5]),
        (-1.0, [2.0, 0.5, 0.25]),
        (1.0, [1.5, 0.0, 2.0]),
        (0.0, [2.0, -0.5]),
    )
    for x, weights in chains:
        came = ask.value(x, weights)
        found = [_number(each) for each in came] if isinstance(came, tuple) else []
        slopes = [each for each in found if each is not None]
        if not len(slopes) == len(found) == len(weights) + 1:
            return f"for x = {x} and weights = {weights} it must return {len(weights) + 1} numbers as well"
        if slopes[-1] != 1:
            return f"for x = {x} and weights = {weights} the last entry is {slopes[-1]}; dz_K/dz_K is 1"
        z = x
        for k, w in enumerate(weights):
            most = slopes[k + 1] * abs(w) * (1 + 2.0**-50) if w * z >= 0 else 0.0
            if not 0 <= slopes[k] <= most:
                return (
                    f"for x = {x} and weights = {weights} entry {k} is {slopes[k]:g}, but the slope of stage {k} lies "
                    f"between 0 and {abs(w) if w * z >= 0 else 0:g}, and what follows has {slopes[k + 1]:g}"
                )
            if w * z > 0 and slopes[k] * (1 + 2.0**-50) < slopes[k + 1] * abs(w):
                return f"for x = {x} and weights = {weights} stage {k} lies above the kink: its slope is {abs(w):g}"
            z = max(w * z, 0.0)
    return None


def _number(value: Any) -> float | None:
    if isinstance(value, float):
        return value
    values = getattr(value, "values", None)
    return float(values) if values is not None and values.shape == () else None


def _opinion(h: Any) -> Any:
    def slopes(x: float, weights: list[float]) -> list[Any]:
        import torch

        states = [torch.tensor(x, dtype=torch.float64, requires_grad=True)]
        for w in weights:
            states.append(h(w * states[-1]))
        return [each.abs() for each in torch.autograd.grad(states[-1], states)]

    return slopes


_NAMES = Leaf("|dz_K/dz|", "scalar")

# What goes wrong.


Function = Callable[[float], float]
Slope = Callable[[float, float, float, float], float]
"""A stage's slope from its weight w, the state z before it, the sum s and the state y after it."""
Stage = tuple[float, float, float, float]
Chain = Callable[[float, list[float]], list[float]]


def _sigmoid(s: float) -> float:
    return 0.5 + 0.5 * math.tanh(s / 2)


def _bell(s: float) -> float:
    """The slope of the sigmoid at s."""
    return _sigmoid(s) * _sigmoid(-s)


def _relu(s: float) -> float:
    return max(s, 0.0)


def _stages(h: Function, x: float, weights: list[float]) -> list[Stage]:
    """(w, z, s, y) of every stage."""
    found = []
    for w in weights:
        found.append((w, x, w * x, h(w * x)))
        x = found[-1][3]
    return found


def _products(factors: list[float]) -> list[float]:
    """Of the last 0, 1, 2, … factors, the most first."""
    found = [1.0]
    for factor in reversed(factors):
        found.append(found[-1] * factor)
    return found[::-1]


def _chain(h: Function, slope: Slope) -> Chain:
    return lambda x, weights: _products([abs(slope(*each) * each[0]) for each in _stages(h, x, weights)])


def _product_without_weights(h: Function, slope: Slope) -> Chain:
    return lambda x, weights: _products([abs(slope(*each)) for each in _stages(h, x, weights)])


def _stages_alone(h: Function, slope: Slope) -> Chain:
    return lambda x, weights: [*(abs(slope(*each) * each[0]) for each in _stages(h, x, weights)), 1.0]


def _from_the_start(h: Function, slope: Slope) -> Chain:
    return lambda x, weights: _products([abs(slope(*each) * each[0]) for each in _stages(h, x, weights)][::-1])[::-1]


def _signed(h: Function, slope: Slope) -> Chain:
    return lambda x, weights: _products([slope(*each) * each[0] for each in _stages(h, x, weights)])


def _weights_not_reversed(h: Function, slope: Slope) -> Chain:
    def slopes(x: float, weights: list[float]) -> list[float]:
        stages = _stages(h, x, weights)
        return _products([abs(slope(*each) * w) for each, w in zip(stages, reversed(weights), strict=True)])

    return slopes


def _by_the_weights(h: Function, slope: Slope) -> Chain:
    return lambda x, weights: _products([abs(slope(*each) * each[1]) for each in _stages(h, x, weights)])


def _forward_without_weights(x: float, weights: list[float]) -> list[float]:
    factors = []
    for w in weights:
        factors.append(abs(_bell(x) * w))
        x = _sigmoid(x)
    return _products(factors)


def _by_the_states_of_sigmoids(x: float, weights: list[float]) -> list[float]:
    return _products([abs(_bell(s) * w) for w, _, s, _ in _stages(_sigmoid, x, weights)])


EXERCISE = Exercise(
    name="vanishing_gradient",
    unit="06_tricks",
    title="Gradients that vanish in a chain of sigmoids",
    about=About(
        statement=(
            "Sigmoids lose the gradient with depth, ReLUs keep it. The derivative of a chain is a product with a "
            "factor for every stage. A sigmoid is steep nowhere and flat far from zero, so its factors are small and "
            "the product dies away as the chain grows. For the lecture this is the reason to build deep networks with "
            "ReLU."
        ),
        purpose=(
            "Why deep networks of sigmoids hardly learnt, and what one looks at when the lower layers of a network "
            "stand still."
        ),
        torch=(),
        idea=(
            "Forward once for the sums at which slopes are taken; then back from 1, each entry the next one times "
            "|slope · weight|. A sigmoid's slope is at most 1/4, ReLU's is 1 above zero."
        ),
        minutes=20,
        difficulty=2,
    ),
    functions=(
        function(
            "sigmoid_chain",
            "x",
            "weights",
            reference=Reference(
                draw=_any_chain,
                compute=_sigmoid_chain,
                opinion=_opinion(lambda s: s.sigmoid()),
                edges=_sigmoid_chains,
                names=_NAMES,
                usual=frozenset(("sizes",)),
                what="|dz_K/dz_k| by the chain rule",
                source="lecture part B: sigmoids in a deep network",
            ),
        ),
        function(
            "relu_chain",
            "x",
            "weights",
            reference=Reference(
                draw=_live_chain,
                compute=_relu_chain,
                opinion=_opinion(lambda s: s.relu()),
                edges=_relu_chains,
                names=_NAMES,
                usual=frozenset(("sizes",)),
                what="|dz_K/dz_k| by the chain rule",
                source="lecture part B: ReLU in a deep network",
            ),
            properties=(Property("dead_stages", _dead),),
        ),
    ),
    hints=(
        "What is dz_{k+1}/dz_k for z_{k+1} = h(w_k z_k)? Both the slope of h and the weight have their part in "
        "it. How large is the slope of a sigmoid at best?",
        "dz_K/dz_k is a product of such factors. How does it differ from dz_K/dz_{k+1}? Go through the chain once "
        "to get the sums s_k = w_k z_k, where the slopes are taken, then backwards from dz_K/dz_K.",
        "|dz_K/dz_k| = |dz_K/dz_{k+1}| · |dz_{k+1}/dz_k|, and dz_{k+1}/dz_k = d/dz_k h(s_k) with s_k = w_k z_k. "
        "The last entry is |dz_K/dz_K| = 1.",
    ),
    formula=(
        "s_k = w_k z_k, z_{k+1} = h(s_k), z_0 = x\n"
        "|dz_K/dz_K| = 1\n"
        "|dz_K/dz_k| = |dz_K/dz_{k+1}| · |h'(s_k) w_k|, k = K − 1, …, 0\n"
        "sigmoid_chain: h'(s) = σ(s) (1 − σ(s))\n"
        "relu_chain:    h'(s) = 1 for s > 0, 0 for s < 0"
    ),
    misconceptions=(
        Misconception(
            "sigmoid_chain",
            "wrong-variable",
            "you took the slopes at the states, not at what enters each function",
            _chain(_sigmoid, lambda _w, z, _s, _y: _bell(z)),
            "What does the sigmoid of stage k get to see?",
        ),
        Misconception(
            "sigmoid_chain",
            "wrong-variable",
            "you took the slopes at what the sigmoid gives, not at what it gets: it was applied twice",
            _chain(_sigmoid, lambda _w, _z, _s, y: _bell(y)),
            "Is your y (1 − y) made of the sigmoid's result, or of a sigmoid of it?",
        ),
        Misconception(
            "sigmoid_chain",
            "wrong-variable",
            "you put the sums into y (1 − y) where the sigmoid's results belong",
            _chain(_sigmoid, lambda _w, _z, s, _y: s * (1 - s)),
            "Between which two numbers does the y in y (1 − y) lie?",
        ),
        Misconception(
            "sigmoid_chain",
            "missing-term",
            "you multiplied the slopes of the sigmoids: the weights are missing in the product",
            _product_without_weights(_sigmoid, lambda _w, _z, s, _y: _bell(s)),
            "By how much does w z change when z does?",
        ),
        Misconception(
            "sigmoid_chain",
            "missing-derivative",
            "you multiplied the weights: the slopes of the sigmoids are missing in the product",
            _chain(_sigmoid, lambda _w, _z, _s, _y: 1.0),
            "The chain rule has a factor for each function on the way. How many are there in one stage?",
        ),
        Misconception(
            "sigmoid_chain",
            "missing-term",
            "each entry is the slope of its own stage alone: what follows is missing",
            _stages_alone(_sigmoid, lambda _w, _z, s, _y: _bell(s)),
            "A change of z_0 has to go through how many stages until it is at the end?",
        ),
        Misconception(
            "sigmoid_chain",
            "wrong-index",
            "you multiplied from the beginning: those are the derivatives of each state by the first",
            _from_the_start(_sigmoid, lambda _w, _z, s, _y: _bell(s)),
            "Which entry must be 1, the first or the last?",
        ),
        Misconception(
            "sigmoid_chain",
            "sign-flipped",
            "the signs of negative weights are still there",
            _signed(_sigmoid, lambda _w, _z, s, _y: _bell(s)),
            "Can an absolute value be negative?",
        ),
        Misconception(
            "sigmoid_chain",
            "wrong-index",
            "you went back through the stages, but through the weights from the first on",
            _weights_not_reversed(_sigmoid, lambda _w, _z, s, _y: _bell(s)),
            "Which weight belongs to the last stage?",
        ),
        Misconception(
            "sigmoid_chain",
            "wrong-variable",
            "you multiplied by the states: those are derivatives by the weights",
            _by_the_weights(_sigmoid, lambda _w, _z, s, _y: _bell(s)),
            "By how much does w z change when z does, and by how much when w does?",
        ),
        Misconception(
            "sigmoid_chain",
            "missing-term",
            "you went forwards without the sigmoid: your sums are products of weights",
            _chain(lambda s: s, lambda _w, _z, s, _y: _bell(s)),
            "Which number does stage 1 get from stage 0?",
        ),
        Misconception(
            "sigmoid_chain",
            "ignores-argument",
            "you went forwards without the weights: your slopes are those of another chain",
            _forward_without_weights,
            "Which number does the sigmoid of stage 0 get?",
        ),
        Misconception(
            "sigmoid_chain",
            "wrong-variable",
            "you took the largest slope that a sigmoid can have at every stage: the states have no influence",
            _chain(_sigmoid, lambda _w, _z, _s, _y: 0.25),
            "Where is a sigmoid that steep, and where are your sums?",
        ),
        Misconception(
            "sigmoid_chain",
            "wrong-variable",
            "you put the sigmoid's value where its slope belongs",
            _chain(_sigmoid, lambda _w, _z, _s, y: y),
            "How steep is a sigmoid far to the right, where it is nearly 1?",
        ),
        Misconception(
            "sigmoid_chain",
            "wrong-function",
            "you took the slope of relu for that of the sigmoid",
            _chain(_sigmoid, lambda _w, _z, s, _y: float(s > 0)),
            "Is a sigmoid flat to the left of zero?",
        ),
        Misconception(
            "sigmoid_chain",
            "wrong-function",
            "you took the slope of tanh at the sums for that of the sigmoid",
            _chain(_sigmoid, lambda _w, _z, s, _y: 1 - math.tanh(s) ** 2),
            "How large is the slope of a sigmoid at 0?",
        ),
        Misconception(
            "sigmoid_chain",
            "wrong-function",
            "you took the slope of tanh for that of the sigmoid",
            _chain(_sigmoid, lambda _w, _z, _s, y: 1 - y * y),
            "How large is the slope of a sigmoid at 0?",
        ),
        # Negative numbers occur in some of the ordinary chains of relu only, and no stage of theirs is dead: a slope
        # of 1 everywhere is for `dead_stages` to refuse.
        Misconception(
            "relu_chain",
            "missing-term",
            "you multiplied the slopes of the relus: the weights are missing in the product",
            _product_without_weights(_relu, lambda _w, _z, s, _y: float(s > 0)),
            "By how much does w z change when z does?",
        ),
        Misconception(
            "relu_chain",
            "wrong-mask",
            "you asked for the sign of the weight: a negative one cuts the chain",
            _chain(_relu, lambda w, _z, _s, _y: float(w > 0)),
            "What does relu see of stage k: the weight, or the sum?",
        ),
        Misconception(
            "relu_chain",
            "wrong-variable",
            "you put relu's value where its slope belongs",
            _chain(_relu, lambda _w, _z, _s, y: y),
            "How much does relu(s) grow from s = 3 to s = 3.1?",
        ),
        Misconception(
            "relu_chain",
            "missing-term",
            "each entry is the slope of its own stage alone: what follows is missing",
            _stages_alone(_relu, lambda _w, _z, s, _y: float(s > 0)),
            "A change of z_0 has to go through how many stages until it is at the end?",
        ),
        Misconception(
            "relu_chain",
            "wrong-index",
            "you multiplied from the beginning: those are the derivatives of each state by the first",
            _from_the_start(_relu, lambda _w, _z, s, _y: float(s > 0)),
            "Which entry must be 1, the first or the last?",
        ),
        Misconception(
            "relu_chain",
            "sign-flipped",
            "the signs of negative weights are still there",
            _signed(_relu, lambda _w, _z, s, _y: float(s > 0)),
            "Can an absolute value be negative?",
        ),
        Misconception(
            "relu_chain",
            "wrong-index",
            "you went back through the stages, but through the weights from the first on",
            _weights_not_reversed(_relu, lambda _w, _z, s, _y: float(s > 0)),
            "Which weight belongs to the last stage?",
        ),
        Misconception(
            "relu_chain",
            "wrong-variable",
            "you multiplied by the states: those are derivatives by the weights",
            _by_the_weights(_relu, lambda _w, _z, s, _y: float(s > 0)),
            "By how much does w z change when z does, and by how much when w does?",
        ),
        Misconception(
            "relu_chain",
            "wrong-function",
            "you took the slope of a sigmoid for that of relu",
            _chain(_relu, lambda _w, _z, s, _y: _bell(s)),
            "How much does relu(s) grow from s = 3 to s = 3.1?",
        ),
        Misconception(
            "relu_chain",
            "wrong-function",
            "you went forwards through sigmoids: the states are those of the other chain",
            _by_the_states_of_sigmoids,
            "Which function makes the states of this chain?",
        ),
    ),
)
