"""A cascade of stages, each a matrix and a point-wise function."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from gradcheck.catalog.exercise import About, Exercise, Misconception, function, jacobian
from gradcheck.checks.task import Edge, Reference
from gradcheck.operators.backpropagation import STAGE, WEIGHTED_SUM
from gradcheck.references import apply

if TYPE_CHECKING:
    from torch import Tensor

    from gradcheck.checks.drawing import Draw

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

    from gradcheck.checks.drawing import rounded

    grad_output = draw.cotangent(sizes[-1])
    inputs = _inputs(draw, sizes)
    states = [inputs["z0"]]
    for weight in inputs["weights"]:
        values = rounded(np.tanh(weight.values @ states[-1].values), draw.dtype)
        states.append(type(weight)(values, draw.dtype, weight.layout))
    return {"grad_output": grad_output, "states": states, "weights": inputs["weights"]}


def _forward(z0: Tensor, weights: list[Tensor]) -> tuple[Tensor, ...]:
    states = [z0]
    for weight in weights:
        states.append(apply.forward(STAGE, z=states[-1], w=weight))
    return tuple(states)


def _backward(grad_output: Tensor, states: list[Tensor], weights: list[Tensor]) -> tuple[Tensor, tuple[Tensor, ...]]:
    # A state is rounded, so tanh(W z) computed anew differs a little from the one that is given. Either will do.
    known = [states[0]]
    for given, weight in zip(states[1:], weights, strict=True):
        again = 1 + (weight @ known[-1]).tanh() - 1  # rounds like 2 σ(2s) − 1 too
        known.append(apply.either(given, again))
    grad = grad_output
    grad_weights: list[Tensor] = []
    for before, after, weight in zip(known[-2::-1], known[:0:-1], reversed(weights), strict=True):
        grads = apply.vjp(WEIGHTED_SUM, grad * (1 - after * after), z=before, w=weight)
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


# What goes wrong.


Slope = Callable[[Any, Any, Any], Any]
"""The slope of a stage from the state before it, the state after it, and the weights."""


def _cascade(stage: Callable[[Any, Any], Any]) -> Callable[[Any, list[Any]], list[Any]]:
    def forward(z0: Any, weights: list[Any]) -> list[Any]:
        states = [z0.clone()]
        for weight in weights:
            states.append(stage(states[-1], weight))
        return states

    return forward


def _last_stage_linear(z0: Any, weights: list[Any]) -> list[Any]:
    states = _cascade(lambda z, w: (w @ z).tanh())(z0, weights)
    return [*states[:-1], weights[-1] @ states[-2]]


def _first_state_squashed(z0: Any, weights: list[Any]) -> list[Any]:
    states = _cascade(lambda z, w: (w @ z).tanh())(z0, weights)
    return [z0.tanh(), *states[1:]]


def _starts_squashed(z0: Any, weights: list[Any]) -> list[Any]:
    states = _cascade(lambda z, w: (w @ z).tanh())(z0.tanh(), weights)
    return [z0.clone(), *states[1:]]


def _right_slope(_before: Any, after: Any, _weight: Any) -> Any:
    return 1 - after**2


def _with_slopes(
    for_weights: Slope = _right_slope, for_states: Slope = _right_slope
) -> Callable[[Any, list[Any], list[Any]], Any]:
    """backward with other slopes where the gradients of the weights are made, or where those of the states are."""

    def backward(grad_output: Any, states: list[Any], weights: list[Any]) -> Any:
        grad_weights: list[Any] = []
        grad = grad_output
        for k in reversed(range(len(weights))):
            stage = states[k], states[k + 1], weights[k]
            grad_weights.insert(0, (grad * for_weights(*stage))[:, None] * states[k])
            grad = (grad * for_states(*stage)) @ weights[k]
        return grad, grad_weights

    return backward


def _both(slope: Slope) -> Callable[[Any, list[Any], list[Any]], Any]:
    return _with_slopes(slope, slope)


def _slope_of_the_state_before(grad_output: Any, states: list[Any], weights: list[Any]) -> Any:
    grad_weights: list[Any] = []
    grad = grad_output
    for k in reversed(range(len(weights))):
        grad_weights.insert(0, grad[:, None] * states[k])
        grad = (grad @ weights[k]) * (1 - states[k] ** 2)
    return grad, grad_weights


def _state_after_the_stage(grad_output: Any, states: list[Any], weights: list[Any]) -> Any:
    grad_weights: list[Any] = []
    grad = grad_output
    for k in reversed(range(len(weights))):
        grad = grad * (1 - states[k + 1] ** 2)
        grad_weights.insert(0, grad[:, None] * states[k + 1])
        grad = grad @ weights[k]
    return grad, grad_weights


def _before_the_first_weights(grad_output: Any, states: list[Any], weights: list[Any]) -> Any:
    _, grad_weights = _both(_right_slope)(grad_output, states, weights)
    grad = grad_output
    for k in reversed(range(1, len(weights))):
        grad = (grad * (1 - states[k + 1] ** 2)) @ weights[k]
    return grad * (1 - states[1] ** 2), grad_weights


def _local_slopes_for_weights(grad_output: Any, states: list[Any], weights: list[Any]) -> Any:
    grad_z0, _ = _both(_right_slope)(grad_output, states, weights)
    return grad_z0, [(1 - after**2)[:, None] * before for before, after in itertools.pairwise(states)]


def _last_stage_without_slope(grad_output: Any, states: list[Any], weights: list[Any]) -> Any:
    return _both(lambda _before, after, _weight: 1 - after**2 if after is not states[-1] else after * 0 + 1)(
        grad_output, states, weights
    )


def _slope_before_the_weights(grad_output: Any, states: list[Any], weights: list[Any]) -> Any:
    """The slope of a stage beside each of its weights alone, as if the tanh came before the sum."""
    grad_weights: list[Any] = []
    grad = grad_output
    for k in reversed(range(len(weights))):
        slope = 1 - (weights[k] * states[k]).tanh() ** 2
        grad_weights.insert(0, grad[:, None] * slope * states[k])
        grad = grad @ (slope * weights[k])
    return grad, grad_weights


def _only_the_last_weights(grad_output: Any, states: list[Any], weights: list[Any]) -> Any:
    grad_z0, grad_weights = _both(_right_slope)(grad_output, states, weights)
    return grad_z0, [*(each * 0 for each in grad_weights[:-1]), grad_weights[-1]]


def _on_the_diagonal(slope: Any, z: Any) -> Any:
    return slope.diag()[:, :, None] * z


EXERCISE = Exercise(
    name="multi_stage",
    unit="03_backpropagation",
    title="A cascade of stages",
    about=About(
        statement=(
            "A deep network is a cascade of stages, each with a state and with parameters of its own. A stage has two "
            "Jacobians: one by the state that enters, through which the gradient reaches the stages below, and one by "
            "its parameters, which gives the gradient that training uses. Here a stage is z_(k+1) = tanh(W_k z_k)."
        ),
        purpose=(
            "The skeleton of every deep network: a forward pass that keeps its states, and one sweep back that visits "
            "each stage once."
        ),
        torch=("torch.nn.Sequential",),
        idea=(
            "Take a stage apart. Through tanh first, whose slope follows from the state that is already there; then "
            "through the weighted sum, which hands one gradient to its weights and one to the state below."
        ),
        minutes=45,
        difficulty=3,
    ),
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
    misconceptions=(
        Misconception(
            "backward",
            "wrong-index",
            "in the gradients of the weights the state after the stage stands where the one before it belongs",
            _state_after_the_stage,
            "Which state did weights[k] meet in forward: the one before the stage or the one after it?",
        ),
        Misconception(
            "backward",
            "missing-term",
            "you stopped before the first weights: this is the gradient of what weights[0] gives, not of z0",
            _before_the_first_weights,
            "How many entries has z0, and how many has yours?",
        ),
        Misconception(
            "backward",
            "missing-upstream",
            "the gradients of the weights are those of their own stages alone: nothing comes in from above",
            _local_slopes_for_weights,
            "How does weights[0] reach C? Which stages lie on that way?",
        ),
        Misconception(
            "state_jacobian",
            "missing-term",
            "you returned the slopes alone, on a diagonal: the weights are missing",
            lambda z, weight: (1 - (weight @ z).tanh() ** 2).diag(),
            "Through what does z go before it meets tanh?",
        ),
        Misconception(
            "forward",
            "missing-term",
            "the last stage has no tanh",
            _last_stage_linear,
            "Is the last of the K stages another kind of stage?",
        ),
        Misconception(
            "forward",
            "wrong-index",
            "you applied tanh to the state first and multiplied by the weights after that",
            _cascade(lambda z, w: w @ z.tanh()),
            "Which comes first in z_(k+1) = tanh(W_k z_k)?",
        ),
        Misconception(
            "forward",
            "missing-term",
            "no stage has a tanh: the whole cascade is one matrix product",
            _cascade(lambda z, w: w @ z),
            "Can a state have an entry larger than 1?",
        ),
        Misconception(
            "forward",
            "wrong-function",
            "you took the sigmoid where tanh belongs",
            _cascade(lambda z, w: (w @ z).sigmoid()),
            "Which of the two can be negative?",
        ),
        Misconception(
            "forward",
            "extra-term",
            "the first of your states is tanh of z_0, not z_0 itself",
            _first_state_squashed,
            "Which stage does z_0 come from?",
        ),
        Misconception(
            "forward",
            "extra-term",
            "the first stage gets tanh of z_0, not z_0 itself",
            _starts_squashed,
            "What does stage 0 take in?",
        ),
        Misconception(
            "backward",
            "missing-derivative",
            "the slope of tanh is missing from every stage: you handed back through the matrices alone",
            _both(lambda _before, after, _weight: after * 0 + 1),
            "What does a saturated tanh make of a small change?",
        ),
        Misconception(
            "backward",
            "wrong-index",
            "you took the slope of the state before the stage, so that the last slope is missing and z_0 has "
            "one too many",
            _slope_of_the_state_before,
            "Which of z_k and z_(k+1) is the tanh of stage k?",
        ),
        Misconception(
            "backward",
            "missing-term",
            "the slope of the last stage is missing: you took grad_output for the gradient before the tanh",
            _last_stage_without_slope,
            "Is grad_output dC/dz_K, or dC/ds of the last stage?",
        ),
        Misconception(
            "backward",
            "wrong-function",
            "you applied tanh to the state once more: what is stored has been through it already",
            _both(lambda _before, after, _weight: 1 - after.tanh() ** 2),
            "Is states[k + 1] the argument of the tanh, or what comes out of it?",
        ),
        Misconception(
            "backward",
            "wrong-variable",
            "you put the sum s = W z into the slope where its tanh belongs",
            _both(lambda before, _after, weight: 1 - (weight @ before) ** 2),
            "Can the slope of tanh be negative?",
        ),
        Misconception(
            "backward",
            "wrong-function",
            "you took the slope of the sigmoid where that of tanh belongs",
            _both(lambda _before, after, _weight: after * (1 - after)),
            "How steep is tanh at 0?",
        ),
        Misconception(
            "backward",
            "missing-term",
            "the square is missing from the slope of tanh",
            _both(lambda _before, after, _weight: 1 - after),
            "tanh is as steep at −2 as it is at 2. Is your slope?",
        ),
        Misconception(
            "backward",
            "missing-derivative",
            "the gradients of the weights lack the slope of tanh; those of the states have it",
            _with_slopes(for_weights=lambda _before, after, _weight: after * 0 + 1),
            "On its way to C, does a change of W_k go through the tanh of its own stage?",
        ),
        Misconception(
            "backward",
            "missing-derivative",
            "the gradient is handed back without the slope of tanh; the weights' gradients have that of their "
            "own stage",
            _with_slopes(for_states=lambda _before, after, _weight: after * 0 + 1),
            "On its way to C, does a change of z_k go through the tanh of the next stage?",
        ),
        Misconception(
            "backward",
            "wrong-function",
            "each weight has a slope of its own in yours: the tanh is taken of the sum, not of its terms",
            _slope_before_the_weights,
            "How many tanh does a stage with d_out outputs have?",
        ),
        Misconception(
            "backward",
            "missing-term",
            "only the last weights have a gradient: those of the earlier stages are zero",
            _only_the_last_weights,
            "Does C change when a weight of the first stage does?",
        ),
        Misconception(
            "state_jacobian",
            "wrong-variable",
            "you took the slope at z, along the columns: it belongs to the outputs",
            lambda z, w: (1 - z.tanh() ** 2) * w,
            "Is the tanh taken of z, or of W z?",
        ),
        Misconception(
            "state_jacobian",
            "wrong-variable",
            "you took the input z for what comes out of the tanh",
            lambda z, w: (1 - z**2) * w,
            "Which state is a tanh of this stage: z, or z'?",
        ),
        Misconception(
            "state_jacobian",
            "wrong-function",
            "each weight has a slope of its own in yours: the tanh is taken of the sum, not of its terms",
            lambda z, w: (1 - (w * z).tanh() ** 2) * w,
            "How many tanh does a stage with d_out outputs have?",
        ),
        Misconception(
            "state_jacobian",
            "wrong-function",
            "you applied tanh twice before you took the slope",
            lambda z, w: (1 - (w @ z).tanh().tanh() ** 2)[:, None] * w,
            "At which number is the slope of tanh taken: at s, or at tanh(s)?",
        ),
        Misconception(
            "state_jacobian",
            "wrong-variable",
            "you put the sum s = W z into the slope where its tanh belongs",
            lambda z, w: (1 - (w @ z) ** 2)[:, None] * w,
            "Can the slope of tanh be negative?",
        ),
        Misconception(
            "state_jacobian",
            "wrong-function",
            "you took the slope of the sigmoid where that of tanh belongs",
            lambda z, w: ((w @ z).tanh() * (1 - (w @ z).tanh()))[:, None] * w,
            "How steep is tanh at 0?",
        ),
        Misconception(
            "weight_jacobian",
            "extra-term",
            "every output depends on every row of w here: the zeros are missing",
            lambda z, w: (1 - (w @ z).tanh() ** 2)[:, None, None] * z.expand(w.shape),
            "Does z'_0 change when an entry of w's second row does?",
        ),
        Misconception(
            "weight_jacobian",
            "wrong-variable",
            "you put the rows of w where z belongs",
            lambda z, w: _on_the_diagonal(1 - (w @ z).tanh() ** 2, w),
            "By how much does w_pq z_q grow when w_pq does?",
        ),
        Misconception(
            "weight_jacobian",
            "extra-term",
            "the weights still stand in the Jacobian: you put in the whole terms of the sum",
            lambda z, w: _on_the_diagonal(1 - (w @ z).tanh() ** 2, w * z),
            "How steep is w z as a function of w?",
        ),
        Misconception(
            "weight_jacobian",
            "wrong-function",
            "you applied tanh twice before you took the slope",
            lambda z, w: _on_the_diagonal(1 - (w @ z).tanh().tanh() ** 2, z),
            "At which number is the slope of tanh taken: at s, or at tanh(s)?",
        ),
        Misconception(
            "weight_jacobian",
            "wrong-function",
            "you took the slope of the sigmoid where that of tanh belongs",
            lambda z, w: _on_the_diagonal((w @ z).tanh() * (1 - (w @ z).tanh()), z),
            "How steep is tanh at 0?",
        ),
    ),
)
