"""A cascade of stages, each a matrix and a point-wise function."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from gradcheck.catalog.exercise import Exercise, function, jacobian
from gradcheck.catalog.shared.multi_stage_misconceptions import MULTI_STAGE_MISCONCEPTIONS
from gradcheck.checks.reference import Edge, Reference
from gradcheck.operators.backpropagation import STAGE, WEIGHTED_SUM

if TYPE_CHECKING:
    from gradcheck.checks.drawing import Draw
    from gradcheck.references.sweep import Sweep, Twin

ORDER = 5


def _sizes(draw: Draw) -> list[int]:
    count = min(4, draw.size("K"))  # exact numbers are slow
    return [draw.size(f"d{k}") for k in range(count + 1)]


def _inputs(draw: Draw, sizes: list[int]) -> dict[str, Any]:
    weights = [draw.tensor(rows, columns) for columns, rows in itertools.pairwise(sizes)]
    return {"z0": draw.tensor(sizes[0]), "weights": weights}


def _trained(draw: Draw, sizes: list[int]) -> dict[str, Any]:
    """The states are what forward gives in the dtype of the arguments."""
    import numpy as np

    from gradcheck.checks.draws import rounded

    grad_output = draw.cotangent(sizes[-1])
    inputs = _inputs(draw, sizes)
    states = [inputs["z0"]]
    for weight in inputs["weights"]:
        values = rounded(np.tanh(weight.values @ states[-1].values), draw.dtype)
        states.append(type(weight)(values, draw.dtype, weight.layout))
    return {"grad_output": grad_output, "states": states, "weights": inputs["weights"]}


def _forward(sweep: Sweep, z0: Twin, weights: list[Twin]) -> tuple[Twin, ...]:
    states = [z0]
    for weight in weights:
        states.append(sweep.forward(STAGE, z=states[-1], w=weight))
    return tuple(states)


def _backward(sweep: Sweep, grad_output: Twin, states: list[Twin], weights: list[Twin]) -> tuple[Any, ...]:
    # A state is rounded, so tanh(W z) computed anew differs a little from the one that is given. Either will do.
    either = [states[0]]
    for given, weight in zip(states[1:], weights, strict=True):
        again = 1 + sweep.apply("tanh", weight @ either[-1]) - 1  # rounds like 2 σ(2s) − 1 too
        either.append(sweep.union(given, again))
    grad = grad_output
    grad_weights: list[Twin] = []
    for before, after, weight in zip(either[-2::-1], either[:0:-1], reversed(weights), strict=True):
        grads = sweep.vjp(WEIGHTED_SUM, grad * (1 - after * after), z=before, w=weight)
        grad = grads["z"]
        grad_weights.insert(0, grads["w"])
    return grad, tuple(grad_weights)


def _forward_by_torch(z0: Any, weights: list[Any]) -> list[Any]:
    states = [z0]
    for weight in weights:
        states.append((weight @ states[-1]).tanh())
    return states


def _by_autograd(grad_output: Any, states: list[Any], weights: list[Any]) -> Any:
    import torch

    leaves = [states[0].clone().requires_grad_(), *(weight.clone().requires_grad_() for weight in weights)]
    grad_z0, *grad_weights = torch.autograd.grad(_forward_by_torch(leaves[0], leaves[1:])[-1], leaves, grad_output)
    return grad_z0, grad_weights


def _at_the_origin(rng: Any, shape: tuple[int, ...], _earlier: Any) -> Any:
    """Vectors are zero, square matrices the identity: where tanh has slope 1, a stage's Jacobian is its weight."""
    import numpy as np

    square = len(shape) == 2 and shape[0] == shape[1] > 1
    return np.zeros(shape) if len(shape) < 2 else np.eye(shape[0]) if square else rng.standard_normal(shape)


def _without_weights(rng: Any, shape: tuple[int, ...], _earlier: Any) -> Any:
    import numpy as np

    return np.zeros(shape) if len(shape) == 2 else rng.standard_normal(shape)


def _edges_of(make: Any) -> Any:
    def edges(draw: Any) -> Iterator[Edge]:
        yield "one stage", make(draw, [4, 3])
        yield "two stages through a single number", make(draw, [3, 1, 2])
        yield "one input, one output", make(draw, [1, 3, 1])
        yield "six stages of two", make(draw, [2] * 7)
        # A result that equals an argument: what comes through the identity, a weight, a state.
        still = type(draw)(draw.rng, draw.dtype, kind=_at_the_origin)
        yield "the identity at the origin", make(still, [3, 3, 2])
        plain = {"one output, at the origin": _at_the_origin, "one output, no weights": _without_weights}
        for words, kind in plain.items():
            made = make(type(draw)(draw.rng, draw.dtype, kind=kind), [3, 1])
            yield words, made | ({"grad_output": draw.argument([1.0])} if "grad_output" in made else {})

    return edges


EXERCISE = Exercise(
    name="multi_stage",
    unit="03_backpropagation",
    title="A cascade of stages",
    functions=(
        function(
            "forward",
            "z0",
            "weights",
            reference=Reference(
                draw=lambda draw: _inputs(draw, _sizes(draw)),
                compute=_forward,
                opinion=_forward_by_torch,
                edges=_edges_of(_inputs),
                names="z",
                source="lecture part A: multi-stage graphs",
            ),
        ),
        function(
            "backward",
            "grad_output",
            "states",
            "weights",
            reference=Reference(
                draw=lambda draw: _trained(draw, _sizes(draw)),
                compute=_backward,
                opinion=_by_autograd,
                edges=_edges_of(_trained),
                names=("grad_z0", "grad_weights"),
                what="the chain rule",
                source="lecture part A: multi-stage graphs, the gradients of states and parameters",
            ),
            points=3,
        ),
        jacobian("z", "w", wrt="z", name="state_jacobian", operator=STAGE, alone=True),
        jacobian("z", "w", wrt="w", name="weight_jacobian", operator=STAGE, alone=True),
    ),
    hints=(
        "Take the stage apart: s = W z, then tanh. How does each of the two hand a gradient back? Which of the states "
        "holds the tanh of stage k already? And on which rows of W does entry i of the new state depend?",
        "tanh' = 1 − tanh². At stage k you hold dC/dz_(k+1): make dC/ds_k of it first; both dC/dz_k and dC/dW_k follow "
        "from that one. A Jacobian is the slope of entry i times the derivative of s_i, without a sum over i.",
        "dC/ds_i = dC/dz'_i ∂z'_i/∂s_i, where z'_i = tanh(s_i) and s_i = Σ_j w_ij z_j; then dC/dz_j = "
        "Σ_i dC/ds_i ∂s_i/∂z_j, dC/dw_pq = Σ_i dC/ds_i ∂s_i/∂w_pq, and ∂z'_i/∂z_j = ∂z'_i/∂s_i ∂s_i/∂z_j.",
    ),
    formula=(
        "forward:  z_(k+1),i = tanh(Σ_j W_k,ij z_k,j)\n"
        "backward: dC/ds_k,i = dC/dz_(k+1),i (1 − z_(k+1),i²), dC/dz_K = g\n"
        "          dC/dW_k,ij = dC/ds_k,i z_k,j\n"
        "          dC/dz_k,j = Σ_i dC/ds_k,i W_k,ij, k = K − 1, …, 0\n"
        "state_jacobian:  ∂z'_i/∂z_j = (1 − z'_i²) w_ij\n"
        "weight_jacobian: ∂z'_i/∂w_pq = (1 − z'_i²) δ_ip z_q"
    ),
    misconceptions=MULTI_STAGE_MISCONCEPTIONS,
)
