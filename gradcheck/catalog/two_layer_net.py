"""Forward and backward through a network of two layers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gradcheck.catalog.exercise import Exercise, function
from gradcheck.catalog.shared import networks
from gradcheck.catalog.shared.two_layer_net_misconceptions import TWO_LAYER_NET_MISCONCEPTIONS
from gradcheck.checks.reference import Reference
from gradcheck.checks.task import Property

if TYPE_CHECKING:
    from gradcheck.checks.asking import Ask
    from gradcheck.checks.drawing import Draw

ORDER = 3


def _with_cotangent(draw: Draw) -> dict[str, Any]:
    data = networks.two_layer_data(draw)
    return {"grad_logits": draw.cotangent(draw.size("B"), draw.size("K"))} | data


def _forward_by_torch(x: Any, params: Any) -> Any:
    return (x @ params["w_h"].T + params["b_h"]).relu() @ params["w_y"].T + params["b_y"]


def _backward_by_torch(grad_logits: Any, x: Any, params: Any) -> Any:
    leaves = {name: each.clone().requires_grad_() for name, each in params.items()}
    _forward_by_torch(x, leaves).backward(grad_logits)
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
    import numpy as np

    before = x @ params["w_h"].T + params["b_h"]
    below = grad @ params["w_y"] * np.where(before == 0, at_kink, before > 0)
    return [below.T @ x, below.sum(0), grad.T @ np.maximum(before, 0), grad.sum(0)]


EXERCISE = Exercise(
    name="two_layer_net",
    unit="07_training",
    title="A network of two layers, forward and backward",
    functions=(
        function(
            "forward",
            "x",
            "params",
            reference=Reference(
                draw=networks.two_layer_data,
                compute=networks.two_layer_forward,
                opinion=_forward_by_torch,
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
                compute=networks.two_layer_backward,
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
    misconceptions=TWO_LAYER_NET_MISCONCEPTIONS,
)
