"""What goes wrong in a network of two layers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gradcheck.catalog.exercise import Misconception
from gradcheck.catalog.shared.layers import (
    gated,
    handed_down,
    itself,
    product_over_batch,
    relu,
    through_softmax,
    upstream,
)

Function = Callable[[Any], Any]
Pair = Callable[[Any, Any], Any]


def _forward(
    *, first: Function = itself, activation: Function = relu, last: Function = itself
) -> Callable[[Any, dict[str, Any]], Any]:
    """The network with other functions before, between and behind its layers."""

    def forward(x: Any, params: dict[str, Any]) -> Any:
        hidden = first(x) @ params["w_h"].T + params["b_h"]
        return last(activation(hidden) @ params["w_y"].T + params["b_y"])

    return forward


def _backward(
    *,
    top: Pair = upstream,
    down: Pair = handed_down,
    gate: Pair = gated,
    seen: Function = relu,
    weight: Pair = product_over_batch,
    with_bias: bool = True,
) -> Callable[[Any, Any, dict[str, Any]], dict[str, Any]]:
    """The gradients with one step of the way back done in another way. `top` makes the gradient by the logits from
    grad_logits and the logits, `down` hands it to the hidden units, `gate` through relu; `seen` is what W_y was
    multiplied by, and `weight` makes a weight's gradient.
    """

    def backward(grad_logits: Any, x: Any, params: dict[str, Any]) -> dict[str, Any]:
        hidden = x @ params["w_h"].T + (params["b_h"] if with_bias else 0)
        grad = top(grad_logits, hidden.relu() @ params["w_y"].T + params["b_y"])
        below = gate(down(grad, params["w_y"]), hidden)
        return {"w_h": weight(below, x), "b_h": below.sum(0), "w_y": weight(grad, seen(hidden)), "b_y": grad.sum(0)}

    return backward


def _sums_multiplied(grad_logits: Any, x: Any, params: dict[str, Any]) -> dict[str, Any]:
    return _backward(weight=lambda grad, seen: grad.sum(0)[:, None] * seen.sum(0))(grad_logits, x, params)


TWO_LAYER_NET_MISCONCEPTIONS = (
    Misconception(
        "forward",
        "missing-mask",
        "relu is missing between the layers: the network is linear",
        _forward(activation=lambda hidden: hidden),
        "Two linear modules, one after the other: is that more than one?",
    ),
    Misconception(
        "forward",
        "extra-term",
        "you put a relu behind the second layer too: no logit is negative",
        _forward(last=lambda logits: logits.relu()),
        "May a logit be negative?",
    ),
    Misconception(
        "forward",
        "wrong-index",
        "relu stands behind the second layer, where it belongs behind the first",
        _forward(activation=lambda hidden: hidden, last=lambda logits: logits.relu()),
        "Between which modules does relu stand?",
    ),
    Misconception(
        "forward",
        "wrong-index",
        "relu stands before the first layer: it cuts the inputs",
        _forward(first=lambda x: x.relu(), activation=lambda hidden: hidden),
        "Between which modules does relu stand?",
    ),
    Misconception(
        "forward",
        "wrong-function",
        "there is a sigmoid where relu belongs",
        _forward(activation=lambda hidden: hidden.sigmoid()),
        "Which function stands between the two layers?",
    ),
    Misconception(
        "forward",
        "wrong-function",
        "there is a tanh where relu belongs",
        _forward(activation=lambda hidden: hidden.tanh()),
        "Which function stands between the two layers?",
    ),
    Misconception(
        "forward",
        "extra-term",
        "you returned probabilities: there is a softmax too many",
        _forward(last=lambda logits: logits.softmax(1)),
        "Are logits scores, or probabilities?",
    ),
    Misconception(
        "forward",
        "extra-term",
        "you returned log-probabilities: there is a log-softmax too many",
        _forward(last=lambda logits: logits.log_softmax(1)),
        "Are logits scores, or logarithms of probabilities?",
    ),
    Misconception(
        "forward",
        "wrong-index",
        "the first bias is added behind relu",
        lambda x, params: ((x @ params["w_h"].T).relu() + params["b_h"]) @ params["w_y"].T + params["b_y"],
        "To which module does the bias belong, and does relu see it?",
    ),
    Misconception(
        "forward",
        "missing-term",
        "the first layer's bias is missing",
        lambda x, params: (x @ params["w_h"].T).relu() @ params["w_y"].T + params["b_y"],
        "Which parameters of the dict did you not use?",
    ),
    Misconception(
        "forward",
        "missing-term",
        "the second layer's bias is missing",
        lambda x, params: (x @ params["w_h"].T + params["b_h"]).relu() @ params["w_y"].T,
        "Which parameters of the dict did you not use?",
    ),
    Misconception(
        "backward",
        "missing-mask",
        "relu has no part in your gradient: all of it gets through",
        _backward(gate=lambda grad, _hidden: grad),
        "Where relu gave 0, does the output change when the hidden sum does?",
    ),
    Misconception(
        "backward",
        "wrong-variable",
        "you gave W_y what stands before relu, not what it was multiplied by",
        _backward(seen=lambda hidden: hidden),
        "Which vector did the second layer get to see in forward?",
    ),
    Misconception(
        "backward",
        "wrong-variable",
        "you multiplied by relu's value where its slope belongs",
        _backward(gate=lambda grad, hidden: grad * hidden.relu()),
        "How steep is relu at 3, and at 100?",
    ),
    Misconception(
        "backward",
        "mask-from-upstream",
        "you asked for the sign of the gradient, not for that of the hidden sum",
        _backward(gate=lambda grad, _hidden: grad.relu()),
        "What decided in forward whether a hidden unit was on?",
    ),
    Misconception(
        "backward",
        "changes-upstream",
        "relu was applied to the gradient too: where a hidden unit is on, a negative gradient got lost",
        _backward(gate=lambda grad, hidden: grad.relu() * (hidden > 0)),
        "Can a growing hidden unit make the loss smaller?",
    ),
    Misconception(
        "backward",
        "wrong-function",
        "you took the slope of a sigmoid for that of relu",
        _backward(gate=lambda grad, hidden: grad * hidden.sigmoid() * (1 - hidden.sigmoid())),
        "How steep is relu at 3, and at 100?",
    ),
    Misconception(
        "backward",
        "wrong-function",
        "you took the slope of tanh for that of relu",
        _backward(gate=lambda grad, hidden: grad * (1 - hidden.relu() ** 2)),
        "How steep is relu at 3, and at 100?",
    ),
    Misconception(
        "backward",
        "missing-term",
        "every hidden unit got the sum of the logits' gradients: W_y has no part in what is handed down",
        _backward(down=lambda grad, w_y: grad.sum(1, keepdim=True).expand(len(grad), w_y.shape[1])),
        "By how much does logit k change when hidden unit j does?",
    ),
    Misconception(
        "backward",
        "missing-term",
        "you computed the hidden sums without their bias: other units are on",
        _backward(with_bias=False),
        "Which sum did relu see in forward?",
    ),
    Misconception(
        "backward",
        "extra-reduction",
        "you summed both factors over the batch before you multiplied them: samples meet that do not belong together",
        _sums_multiplied,
        "Which sample's input belongs to which sample's gradient?",
    ),
    Misconception(
        "backward",
        "wrong-index",
        "you reshaped products that have to be turned: the numbers have lost their places",
        _backward(weight=lambda grad, seen: (seen.T @ grad).reshape(grad.shape[1], seen.shape[1])),
        "Reshape [[1, 2, 3], [4, 5, 6]] to (3, 2) and print it: is it what .T gives?",
    ),
    Misconception(
        "backward",
        "extra-term",
        "you went through a softmax: grad_logits is the gradient by the logits already",
        _backward(top=through_softmax),
        "Does forward end with a softmax?",
    ),
    Misconception(
        "backward",
        "extra-term",
        "you went through a relu behind the second layer, where there is none",
        _backward(top=lambda grad, logits: grad * (logits > 0)),
        "Between which modules does relu stand?",
    ),
)
