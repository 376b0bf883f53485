"""How the gradient shrinks along a chain of sigmoids, and along one of ReLUs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from gradcheck.catalog.exercise import Exercise, function
from gradcheck.catalog.shared.vanishing_gradient_misconceptions import VANISHING_GRADIENT_MISCONCEPTIONS
from gradcheck.checks.reference import Edge, Leaf, Reference
from gradcheck.checks.task import Property
from gradcheck.operators.elementwise import RELU, SIGMOID

if TYPE_CHECKING:
    from gradcheck.checks.drawing import Draw
    from gradcheck.operators.operator import Operator
    from gradcheck.references.sweep import Sweep, Twin

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


def _slopes(sweep: Sweep, h: Operator, x: Twin, weights: list[Twin]) -> tuple[Twin, ...]:
    """|dz_K/dz_k|, from a sweep back through z_{k+1} = h(w_k z_k)."""
    sums = []
    for w in weights:
        sums.append(w * x)
        x = sweep.forward(h, x=sums[-1])
    slopes = [sweep.constant(1.0)]
    for w, before in zip(reversed(weights), reversed(sums), strict=True):
        slopes.append(sweep.vjp(h, slopes[-1], x=before)["x"] * w)
    return tuple(sweep.apply("Abs", each) for each in reversed(slopes))


def _sigmoid_chain(sweep: Sweep, x: Twin, weights: list[Twin]) -> tuple[Twin, ...]:
    return _slopes(sweep, SIGMOID, x, weights)


def _relu_chain(sweep: Sweep, x: Twin, weights: list[Twin]) -> tuple[Twin, ...]:
    return _slopes(sweep, RELU, x, weights)


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

EXERCISE = Exercise(
    name="vanishing_gradient",
    unit="06_tricks",
    title="Gradients that vanish in a chain of sigmoids",
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
    misconceptions=VANISHING_GRADIENT_MISCONCEPTIONS,
)
