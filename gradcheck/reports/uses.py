"""What the pieces of a unit do together once they are written: one line, with numbers that the learner's own code made.

Every use is small and what comes out of it is known, so that a piece which is wrong, whatever the checks say of it, is
praised for nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from gradcheck.checks.candidate import Candidate
from gradcheck.checks.limits import WAITING, Allowance, OwnTime
from gradcheck.checks.outcome import Argument, GeneratorArgument, Returned, Value, mapped
from gradcheck.references.expected import Floats
from gradcheck.training.assemble import AssembledNetwork
from gradcheck.training.network import SPREAD, initial_parameters
from gradcheck.training.suspects import as_arguments

Find = Callable[[str], Candidate | None]
Facts = dict[str, float]

COMPUTING_S = 3.0
"""Seconds that a use may compute in all its calls: three times what the slowest takes. One call has its own limit."""


class _OfNoUse(Exception):
    """A piece is missing, a call did not return, or what came back is not what a right piece gives."""


def use_of(unit: str, find: Find) -> str:
    """One line on what the pieces of a unit now do, as `find` has them; "" where they cannot be used."""
    use = _USES.get(unit)
    if use is None:
        return ""
    try:
        # What a piece returns may be of any type and shape: what cannot be calculated with is of no use either.
        with np.errstate(all="ignore"):
            facts = use.facts(_Pieces(find))
        _hold(all(math.isfinite(each) for each in facts.values()))
    except Exception:
        return ""
    return use.words.format(**facts)


class _Pieces:
    """The learner's functions, called with numbers for numbers."""

    def __init__(self, find: Find) -> None:
        self._find = find
        self._left = Allowance(COMPUTING_S, WAITING * COMPUTING_S, OwnTime())

    def of(self, exercise: str) -> Candidate:
        found = self._find(exercise)
        if found is None:
            raise _OfNoUse(exercise)
        return found

    def __call__(self, exercise: str, function: str, **arguments: Any) -> Any:
        return self.asked(self.of(exercise), function, arguments)

    def asked(self, candidate: Candidate, function: str, arguments: dict[str, Any]) -> Any:
        _hold(self._left.left() > 0)
        outcome = candidate.call(function, mapped(arguments, _given))
        _hold(outcome.state == "returned")
        return _numbers(outcome.value)


def _given(leaf: Any) -> Any:
    if not isinstance(leaf, np.ndarray):
        return leaf
    return Argument(leaf, "int64" if leaf.dtype.kind == "i" else str(leaf.dtype))


def _numbers(value: Value) -> Any:
    """Arrays, floats, and tuples and dicts of them."""
    if isinstance(value, Returned):
        return value.values
    if isinstance(value, dict):
        return {key: _numbers(part) for key, part in value.items()}
    return tuple(map(_numbers, value)) if isinstance(value, tuple) else value


def _hold(condition: object) -> None:
    if not condition:
        raise _OfNoUse


def _near(found: Any, wanted: Any) -> Any:
    """`found`, a number or an array, where it is what is wanted."""
    _hold(np.shape(found) == np.shape(wanted) and np.allclose(found, wanted, rtol=1e-4, atol=1e-12))
    return found


_X = np.stack((np.arange(-2.0, 4.0), np.ones(6)), axis=1)
_LINE = np.array([2.0, 1.0])
_Y = _X @ _LINE + np.array([0.1, -0.1, 0.2, -0.2, 0.1, -0.1])
"""Six points near a line."""


def _loss(w: Floats) -> float:
    return float(((_Y - _X @ w) ** 2).mean())


def _a_line(pieces: _Pieces) -> Facts:
    flat, line = (
        float(_near(pieces("average_loss", "forward", w=w, x=_X, y=_Y), _loss(w))) for w in (np.zeros(2), _LINE)
    )
    said = pieces("linear_model", "forward", x=np.array([10.0, 1.0]), w=_LINE)
    return {"flat": flat, "line": line, "said": float(_near(said, 21.0))}


_FULL_STEPS, _EPOCHS, _BATCH, _RATE = 20, 10, 2, 0.2


def _downhill(pieces: _Pieces) -> Facts:
    w = small = np.zeros(2)
    for _ in range(_FULL_STEPS):
        w = pieces("gradient_descent", "full_batch_step", w=w, x=_X, y=_Y, lr=_RATE)
    for epoch in range(_EPOCHS):
        lr = pieces("learning_rate", "cosine", lr=_RATE, epoch=epoch, total=_EPOCHS)
        order = GeneratorArgument(epoch)
        for batch in pieces("minibatches", "epoch_batches", num_samples=6, batch_size=_BATCH, generator=order):
            small = pieces("gradient_descent", "minibatch_step", w=small, x=_X, y=_Y, indices=batch, lr=lr)
    least = _loss(np.linalg.lstsq(_X, _Y, rcond=None)[0])
    _hold(_loss(w) < 1.01 * least and _loss(small) < 2 * least)
    return {"before": _loss(np.zeros(2)), "after": _loss(w), "slope": w[0], "offset": w[1], "small": _loss(small)}


_WIDTH, _STAGES = 6, 4


def _sweeps(pieces: _Pieces) -> Facts:
    a, b = 2.0, 3.0
    last = 2 * (a * b + math.sin(a))  # C is a square
    slopes = {("p", "a"): b, ("p", "b"): a, ("s", "a"): math.cos(a), ("u", "p"): 1.0, ("u", "s"): 1.0}
    jacobians = {edge: np.array([[slope]]) for edge, slope in (slopes | {("C", "u"): last}).items()}
    parents: dict[str, list[str]] = {"C": ["u"], "u": ["p", "s"], "p": ["a", "b"], "s": ["a"], "a": [], "b": []}
    ones = np.ones(1)
    found = pieces("graph", "backward", parents=parents, local_jacobians=jacobians, output="C", grad_output=ones)
    by_a = _near(found["a"], np.array([last * (b + math.cos(a))]))
    by_b = _near(found["b"], np.array([last * a]))
    return {"by_a": by_a[0], "by_b": by_b[0], **_measured(pieces)}


def _measured(pieces: _Pieces) -> Facts:
    """The gradients of a cascade, against what moving a weight does to its last state."""
    rng = np.random.default_rng(3)
    z0, up = rng.normal(size=(2, _WIDTH))
    weights = list(rng.normal(size=(_STAGES, _WIDTH, _WIDTH)) / math.sqrt(_WIDTH))
    states = pieces("multi_stage", "forward", z0=z0, weights=weights)
    _, slopes = pieces("multi_stage", "backward", grad_output=up, states=list(states), weights=weights)
    worst = 0.0
    for stage in range(_STAGES):
        ends = []
        for step in (1e-5, -1e-5):
            moved = [each.copy() for each in weights]
            moved[stage][1, 2] += step
            ends.append(up @ pieces("multi_stage", "forward", z0=z0, weights=moved)[-1])
        slope = (ends[0] - ends[1]) / 2e-5
        worst = max(worst, abs(float(_near(slopes[stage][1, 2], slope)) / slope - 1))
    return {"weights": sum(each.size for each in weights), "digits": math.floor(-math.log10(max(worst, 1e-12)))}


_CORNERS = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
_XOR = np.array([0, 1, 1, 0])
_XOR_STEPS, _XOR_HIDDEN = 100, 8


def _xor(pieces: _Pieces) -> Facts:
    parts = {name: pieces.of(name) for name in ("linear", "relu")}
    network = AssembledNetwork(parts).with_reference(["cross_entropy"])
    params = initial_parameters(_XOR_HIDDEN, classes=2)
    params = _trained(pieces, network, _CORNERS, _XOR, params, 1.0, _XOR_STEPS)[1]
    hidden = pieces("linear", "forward", x=_CORNERS, weight=params["w_h"], bias=params["b_h"])
    active = pieces("relu", "forward", x=hidden)
    logits = pieces("linear", "forward", x=active, weight=params["w_y"], bias=params["b_y"])
    sure = pieces("softmax", "forward", x=logits)[np.arange(4), _XOR].min()
    _hold(0.5 < sure <= 1)
    return {"sure": sure}


def _trained(
    pieces: _Pieces, network: Candidate, x: Floats, labels: Any, params: dict[str, Floats], lr: float, epochs: int
) -> tuple[list[float], dict[str, Floats]]:
    """The losses and the last parameters; in calls of few epochs, between which the time is looked at."""
    losses: list[float] = []
    for _ in range(0, epochs, 10):
        given = {"x": x, "labels": labels, "params": as_arguments(params, str(x.dtype)), "lr": lr, "epochs": 10}
        found, params = pieces.asked(network, "train", given)
        losses += map(float, found)
    return losses, params


def _prices(pieces: _Pieces) -> Facts:
    label = np.array([0])

    def price(first: float) -> float:
        logits = np.array([[first, 0.0, 0.0]])
        wanted = math.log(math.exp(first) + 2) - first
        return float(_near(pieces("cross_entropy", "forward", logits=logits, labels=label), wanted))

    guess, right, wrong = price(0.0), price(5.0), price(-5.0)
    logits, now, steps, one = np.zeros((1, 3)), guess, 0, np.asarray(1.0)
    while now > 0.1 and steps < 100:
        logits = logits - pieces("cross_entropy", "backward", grad_output=one, logits=logits, labels=label)
        now = pieces("cross_entropy", "forward", logits=logits, labels=label)
        steps += 1
    _hold(2 < steps < 100)
    return {"guess": guess, "right": right, "wrong": wrong, "steps": steps}


_DEPTH, _LAYER = 20, 64


def _depths(pieces: _Pieces) -> Facts:
    chain: dict[str, Any] = {"x": 0.5, "weights": [1.0] * _DEPTH}
    sigmoid = pieces("vanishing_gradient", "sigmoid_chain", **chain)[0]
    relu = pieces("vanishing_gradient", "relu_chain", **chain)[0]
    _hold(0 < sigmoid < 0.25**_DEPTH * 1.01 and relu == 1)
    rng = np.random.default_rng(6)
    signal = own = plain = rng.normal(size=(100, _LAYER))
    for layer in range(_DEPTH):
        generator = GeneratorArgument(layer)
        weight = pieces("initialisation", "kaiming_normal", fan_out=_LAYER, fan_in=_LAYER, generator=generator)
        own = np.maximum(own @ weight.T, 0)
        plain = np.maximum(plain @ rng.normal(0, 0.1, (_LAYER, _LAYER)).T, 0)
    kept, lost = (float(np.sqrt((each**2).mean() / (signal**2).mean())) for each in (own, plain))
    _hold(0.2 < kept < 5)
    return {"sigmoid": sigmoid, "kept": kept, "lost": lost}


_ARM, _SPIRAL_EPOCHS, _SPIRAL_RATE, _SPIRAL_HIDDEN = 200, 300, 1.5, 50


def _spiral(pieces: _Pieces) -> Facts:
    # The exercise's noise is in units of an arm's share of the circle, the practicum's in radians.
    noise = np.random.default_rng(2).normal(0, SPREAD * 3 / (2 * math.pi), (3, _ARM)).astype(np.float32)
    x, labels = pieces("spiral", "make_spiral", noise=noise, num_classes=3)
    x = x.astype(np.float32)
    params = initial_parameters(_SPIRAL_HIDDEN)
    network = pieces.of("training_loop")
    losses, params = _trained(pieces, network, x, labels, params, _SPIRAL_RATE, _SPIRAL_EPOCHS)
    logits = pieces("two_layer_net", "forward", x=x, params=as_arguments(params, "float32")).astype(np.float32)
    right = float(pieces("inference", "accuracy", logits=logits, labels=labels))
    _hold(0.9 < right <= 1 and losses[-1] < losses[0])
    return {"points": len(x), "before": losses[0], "after": losses[-1], "right": right}


@dataclass(frozen=True)
class _Use:
    """What is tried with a unit's pieces, and how it is told."""

    facts: Callable[[_Pieces], Facts]
    words: str


_USES = {
    "01_models_and_losses": _Use(
        _a_line,
        "For six points near a line your average_loss is {flat:.3g} at w = (0, 0) and {line:.2g} at w = (2, 1), with "
        "which your linear_model puts {said:.3g} at x = 10.",
    ),
    "02_gradient_descent": _Use(
        _downhill,
        "Your gradient descent walks down: from a loss of {before:.3g} at w = (0, 0) to {after:.2g} at "
        f"({{slope:.2f}}, {{offset:.2f}}) in {_FULL_STEPS} steps; {_EPOCHS} epochs of your minibatches, at the rates "
        "of your cosine, reach {small:.2g}.",
    ),
    "03_backpropagation": _Use(
        _sweeps,
        "Your graph differentiates C = (ab + sin a)² at a = 2, b = 3: ∂C/∂a = {by_a:.4g}, ∂C/∂b = {by_b:.4g}. In one "
        "sweep your multi_stage has the slopes of {weights:.0f} weights; four that were measured agree to {digits:.0f} "
        "digits.",
    ),
    "04_modules": _Use(
        _xor,
        f"Your linear and relu make a network: in {_XOR_STEPS} steps it learns XOR, which no linear model can; your "
        "softmax gives each of the four answers at least {sure:.1%}.",
    ),
    "05_losses": _Use(
        _prices,
        "Your cross_entropy asks {guess:.3f} = ln 3 of one who guesses among three, {right:.3f} of one who is sure and "
        "right, {wrong:.2f} of one who is sure and wrong; {steps:.0f} steps down its slope take the guess below 0.1.",
    ),
    "06_tricks": _Use(
        _depths,
        f"{_DEPTH} stages back your sigmoid_chain leaves {{sigmoid:.0e}} of the gradient, your relu_chain all of it. "
        f"Through {_DEPTH} layers of ReLUs your kaiming_normal keeps a signal at {{kept:.2f}} of its size; weights of "
        "size 0.1 leave {lost:.0e}.",
    ),
    "07_training": _Use(
        _spiral,
        "All of it is yours: on your spiral of {points:.0f} points your train takes the loss from {before:.2f} to "
        f"{{after:.2f}} in {_SPIRAL_EPOCHS} epochs, and by your accuracy your two_layer_net is right on {{right:.1%}}.",
    ),
}
