"""What goes wrong in a cascade of stages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gradcheck.catalog.exercise import Misconception

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


MULTI_STAGE_MISCONCEPTIONS = (
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
        "you took the slope of the state before the stage, so that the last slope is missing and z_0 has one too many",
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
        "the gradient is handed back without the slope of tanh; the weights' gradients have that of their own stage",
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
)
