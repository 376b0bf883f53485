"""The training loop of the two-layer network, by full-batch gradient descent (lecture part A; practicum, training).

Five steps make an update: forward, loss, clear the old gradients, backward, step. Gradients that are computed anew
need no clearing. params is a dict of w_h (H, n), b_h (H,), w_y (K, H) and b_y (K,), see two_layer_net; x is (B, n),
labels (B,) int64.
"""

from __future__ import annotations

import torch
from torch import Tensor


def loss_and_gradients(x: Tensor, labels: Tensor, params: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
    """The mean cross-entropy and its gradient for every parameter."""
    rows = torch.arange(labels.shape[0])
    hidden = x @ params["w_h"].T + params["b_h"]
    active = torch.relu(hidden)
    logits = active @ params["w_y"].T + params["b_y"]
    loss = (torch.logsumexp(logits, dim=1) - logits[rows, labels]).mean()
    # dC/dlogits = (softmax − one-hot) / B, see cross_entropy.
    grad_logits = torch.softmax(logits, dim=1)
    grad_logits[rows, labels] -= 1
    grad_logits = grad_logits / labels.shape[0]
    # From there down as in two_layer_net.
    grad_hidden = (grad_logits @ params["w_y"]) * (hidden > 0)
    grads = {
        "w_h": grad_hidden.T @ x,
        "b_h": grad_hidden.sum(dim=0),
        "w_y": grad_logits.T @ active,
        "b_y": grad_logits.sum(dim=0),
    }
    return loss, grads


def train_step(x: Tensor, labels: Tensor, params: dict[str, Tensor], lr: float) -> tuple[Tensor, dict[str, Tensor]]:
    """One update: the mean cross-entropy before it, and a new dict of parameters, p − lr · dC/dp; params stays."""
    # All gradients are those of the old parameters: none is updated before every gradient is there.
    loss, grads = loss_and_gradients(x, labels, params)
    return loss, {name: value - lr * grads[name] for name, value in params.items()}


def train(
    x: Tensor, labels: Tensor, params: dict[str, Tensor], lr: float, epochs: int
) -> tuple[list[Tensor], dict[str, Tensor]]:
    """One train_step an epoch, on all samples: the list of the losses, and the last parameters; params stays.

    With 0 epochs the list is empty and the parameters are the given ones.
    """
    losses = []
    for _ in range(epochs):
        loss, params = train_step(x, labels, params, lr)
        losses.append(loss)
    return losses, dict(params)
