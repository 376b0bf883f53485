"""What goes wrong along a chain of stages: each mistake is made in a chain of plain numbers."""

from __future__ import annotations

import math
from collections.abc import Callable

from gradcheck.catalog.exercise import Misconception

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


VANISHING_GRADIENT_MISCONCEPTIONS = (
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
    # Negative numbers occur in some of the ordinary chains of relu only, and no stage of theirs is dead: a slope of 1
    # everywhere is for `dead_stages` to refuse.
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
)
