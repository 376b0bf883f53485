"""Forward and backward through a network of two layers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gradcheck.catalog.exercise import About, Exercise, Misconception, function
from gradcheck.catalog.parts import networks
from gradcheck.checks.task import Property, Reference
from gradcheck.training import two_layers
from gradcheck.training.steps import (
    logits_of,
    network,
    through_softmax,
    way_back,
)

if TYPE_CHECKING:
    from gradcheck.checks.drawing import Draw
    from gradcheck.checks.properties import Ask

ORDER = 3


def _with_cotangent(draw: Draw) -> dict[str, Any]:
    data = networks.two_layer_data(draw)
    return {"grad_logits": draw.cotangent(draw.size("B"), draw.size("K"))} | data


def _backward_by_torch(grad_logits: Any, x: Any, params: Any) -> Any:
    leaves = {name: each.clone().requires_grad_() for name, each in params.items()}
    logits_of(x, leaves).backward(grad_logits)
    return {name: each.grad for name, each in leaves.items()}


def _kinks(ask: Ask) -> str | None:
    """One unit lies at its kink for one sample. Every t in [0, 1] is right there, the same t for all parameters.

    The results are affine in t, and the arguments small whole numbers: t is read off, and everything else must fit.
    """
    import numpy as np

    from gradcheck.checks.outcome import Returned

    def entries(*shape: int) -> Any:
        return ask.rng.choice([-3.0, -2.0, -1.0, 1.0, 2.0, 3.0], shape)

    for _ in range(3):
        x, w_h, w_y, grad = entries(3, 2), entries(4, 2), entries(2, 4), entries(3, 2)
        b_h = 0.5 - np.trunc(entries(4))
        # Sums of whole numbers and a half are never 0; the first unit alone is moved to its kink.
        b_h[0] = -(x[0] @ w_h[0])
        x[1:] += (x[1:] @ w_h[0] + b_h[0] == 0)[:, None] * w_h[0]  # the other samples move away from it
        named = {"w_h": w_h, "b_h": b_h, "w_y": w_y, "b_y": entries(2)}
        params = {name: ask.tensor(each) for name, each in named.items()}
        value = ask.value(ask.tensor(grad), ask.tensor(x), params)
        ends = [_by_hand(grad, x, named, at_kink) for at_kink in (0.0, 1.0)]
        parts = [value.get(name) if isinstance(value, dict) else None for name in named]
        got = [part.values for part in parts if isinstance(part, Returned) and part.values is not None]
        if [each.shape for each in got] != [each.shape for each in ends[0]]:
            return "where a hidden unit is exactly 0, the result has another form"
        flat, off, on = (np.concatenate([each.reshape(-1) for each in arrays]) for arrays in (got, *ends))
        step = on - off
        if not np.isfinite(flat).all():
            return "where a hidden unit is exactly 0, the gradient is not finite"
        t = float((flat - off) @ step / (step @ step)) if step.any() else 0.0
        # Every number here is a whole number or a half below 1000: all that rounds is the learner's own t.
        if not -1e-9 <= t <= 1 + 1e-9 or np.abs(flat - off - t * step).max() > 1e-9:
            return "where a hidden unit is exactly 0, the gradient is none that ReLU can have there (0 to 1)"
    return None


def _by_hand(grad: Any, x: Any, params: Any, at_kink: float) -> list[Any]:
    import torch

    gated = way_back(gate=lambda below, hidden: below * hidden.heaviside(hidden.new_tensor(at_kink)))
    tensors = {name: torch.as_tensor(each) for name, each in params.items()}
    return [each.numpy() for each in gated(torch.as_tensor(grad), torch.as_tensor(x), tensors).values()]


# What goes wrong.


def _sums_multiplied(grad_logits: Any, x: Any, params: dict[str, Any]) -> dict[str, Any]:
    return way_back(weight=lambda grad, seen: grad.sum(0)[:, None] * seen.sum(0))(grad_logits, x, params)


EXERCISE = Exercise(
    name="two_layer_net",
    unit="07_training",
    title="A network of two layers, forward and backward",
    about=About(
        statement=(
            "The practicum's network for the spiral: a hidden layer h = f(W_h x + b_h) and an output layer ŷ = g(W_y h "
            "+ b_y). Without f the two would be no more than one linear layer. Here f is ReLU, and the output is the "
            "logits, before any softmax. Its modules have all been written; what is new is to run them one after the "
            "other, forward and then back, for a whole batch."
        ),
        purpose=(
            "The smallest network that can bend its boundary: it separates the spiral's arms, where a linear model "
            "fails."
        ),
        torch=("torch.nn.Sequential",),
        idea=(
            "Compute the hidden layer again and walk back: the upper layer's gradients, what it hands down, ReLU's "
            "mask, the lower layer's gradients. Over the batch, weights and biases add up."
        ),
        minutes=35,
        difficulty=2,
    ),
    functions=(
        function(
            "forward",
            "x",
            "params",
            reference=Reference(
                draw=networks.two_layer_data,
                compute=two_layers.forward,
                opinion=logits_of,
                names="the logits",
                what="those of the network",
                source="lecture part A: a network in PyTorch; practicum: the spiral",
            ),
        ),
        function(
            "backward",
            "grad_logits",
            "x",
            "params",
            points=4,
            may_share=("grad_logits",),  # for a batch of one that row is the gradient of b_y
            reference=Reference(
                draw=_with_cotangent,
                compute=two_layers.backward,
                opinion=_backward_by_torch,
                names="the gradient",
                what="the chain rule",
                source="lecture part A: backpropagation; practicum: the spiral",
            ),
            properties=(Property("kinks", _kinks),),
        ),
    ),
    hints=(
        "Which of the forward pass's intermediate results do the gradients depend on? Compute these first.",
        "Go backwards module by module. What does the upper linear module hand down besides its own two "
        "gradients? The lower one gets a grad_output too: what has relu done to it? Each parameter serves all "
        "samples of the batch.",
        "With h = W_h x + b_h, a = relu(h) and g = dC/dlogits: dC/dW_y,kj = Σ_b g_bk ∂logits_bk/∂W_y,kj, dC/da_bj "
        "= Σ_k g_bk ∂logits_bk/∂a_bj, and dC/dh_bj = dC/da_bj · relu'(h_bj). From there on the same for W_h and "
        "b_h.",
    ),
    formula=(
        "forward:  h_bj = Σ_i W_h,ji x_bi + b_h,j, a_bj = relu(h_bj)\n"
        "          logits_bk = Σ_j W_y,kj a_bj + b_y,k\n"
        "backward: dW_y,kj = Σ_b g_bk a_bj, db_y,k = Σ_b g_bk\n"
        "          dh_bj = Σ_k g_bk W_y,kj where h_bj > 0, else 0\n"
        "          dW_h,ji = Σ_b dh_bj x_bi, db_h,j = Σ_b dh_bj"
    ),
    misconceptions=(
        Misconception(
            "forward",
            "missing-mask",
            "relu is missing between the layers: the network is linear",
            network(activation=lambda hidden: hidden),
            "Two linear modules, one after the other: is that more than one?",
        ),
        Misconception(
            "forward",
            "extra-term",
            "you put a relu behind the second layer too: no logit is negative",
            network(last=lambda logits: logits.relu()),
            "May a logit be negative?",
        ),
        Misconception(
            "forward",
            "wrong-index",
            "relu stands behind the second layer, where it belongs behind the first",
            network(activation=lambda hidden: hidden, last=lambda logits: logits.relu()),
            "Between which modules does relu stand?",
        ),
        Misconception(
            "forward",
            "wrong-index",
            "relu stands before the first layer: it cuts the inputs",
            network(first=lambda x: x.relu(), activation=lambda hidden: hidden),
            "Between which modules does relu stand?",
        ),
        Misconception(
            "forward",
            "wrong-function",
            "there is a sigmoid where relu belongs",
            network(activation=lambda hidden: hidden.sigmoid()),
            "Which function stands between the two layers?",
        ),
        Misconception(
            "forward",
            "wrong-function",
            "there is a tanh where relu belongs",
            network(activation=lambda hidden: hidden.tanh()),
            "Which function stands between the two layers?",
        ),
        Misconception(
            "forward",
            "extra-term",
            "you returned probabilities: there is a softmax too many",
            network(last=lambda logits: logits.softmax(1)),
            "Are logits scores, or probabilities?",
        ),
        Misconception(
            "forward",
            "extra-term",
            "you returned log-probabilities: there is a log-softmax too many",
            network(last=lambda logits: logits.log_softmax(1)),
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
            way_back(gate=lambda grad, _hidden: grad),
            "Where relu gave 0, does the output change when the hidden sum does?",
        ),
        Misconception(
            "backward",
            "wrong-variable",
            "you gave W_y what stands before relu, not what it was multiplied by",
            way_back(seen=lambda hidden: hidden),
            "Which vector did the second layer get to see in forward?",
        ),
        Misconception(
            "backward",
            "wrong-variable",
            "you multiplied by relu's value where its slope belongs",
            way_back(gate=lambda grad, hidden: grad * hidden.relu()),
            "How steep is relu at 3, and at 100?",
        ),
        Misconception(
            "backward",
            "mask-from-upstream",
            "you asked for the sign of the gradient, not for that of the hidden sum",
            way_back(gate=lambda grad, _hidden: grad.relu()),
            "What decided in forward whether a hidden unit was on?",
        ),
        Misconception(
            "backward",
            "changes-upstream",
            "relu was applied to the gradient too: where a hidden unit is on, a negative gradient got lost",
            way_back(gate=lambda grad, hidden: grad.relu() * (hidden > 0)),
            "Can a growing hidden unit make the loss smaller?",
        ),
        Misconception(
            "backward",
            "wrong-function",
            "you took the slope of a sigmoid for that of relu",
            way_back(gate=lambda grad, hidden: grad * hidden.sigmoid() * (1 - hidden.sigmoid())),
            "How steep is relu at 3, and at 100?",
        ),
        Misconception(
            "backward",
            "wrong-function",
            "you took the slope of tanh for that of relu",
            way_back(gate=lambda grad, hidden: grad * (1 - hidden.relu() ** 2)),
            "How steep is relu at 3, and at 100?",
        ),
        Misconception(
            "backward",
            "missing-term",
            "every hidden unit got the sum of the logits' gradients: W_y has no part in what is handed down",
            way_back(down=lambda grad, w_y: grad.sum(1, keepdim=True).expand(len(grad), w_y.shape[1])),
            "By how much does logit k change when hidden unit j does?",
        ),
        Misconception(
            "backward",
            "missing-term",
            "you computed the hidden sums without their bias: other units are on",
            way_back(with_bias=False),
            "Which sum did relu see in forward?",
        ),
        Misconception(
            "backward",
            "extra-reduction",
            "you summed both factors over the batch before you multiplied them: samples meet that do not belong "
            "together",
            _sums_multiplied,
            "Which sample's input belongs to which sample's gradient?",
        ),
        Misconception(
            "backward",
            "wrong-index",
            "you reshaped products that have to be turned: the numbers have lost their places",
            way_back(weight=lambda grad, seen: (seen.T @ grad).reshape(grad.shape[1], seen.shape[1])),
            "Reshape [[1, 2, 3], [4, 5, 6]] to (3, 2) and print it: is it what .T gives?",
        ),
        Misconception(
            "backward",
            "extra-term",
            "you went through a softmax: grad_logits is the gradient by the logits already",
            way_back(top=through_softmax),
            "Does forward end with a softmax?",
        ),
        Misconception(
            "backward",
            "extra-term",
            "you went through a relu behind the second layer, where there is none",
            way_back(top=lambda grad, logits: grad * (logits > 0)),
            "Between which modules does relu stand?",
        ),
    ),
)
