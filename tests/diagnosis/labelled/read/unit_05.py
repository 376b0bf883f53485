from __future__ import annotations

import torch
import torch.nn.functional as F
from tests.diagnosis.labelled.read import wrong


# ---------------------------------------------------------------- mse
@wrong(
    "mse",
    "forward",
    "mean over the last axis only",
    "missing-reduction",
    "wrong-shape",
    right="The mean runs over the last axis only; one number, the mean over all elements, is wanted.",
)
def forward(y, y_bar):
    return ((y - y_bar) ** 2).mean(dim=-1)


@wrong(
    "mse",
    "forward",
    "(a − b)² taken for a² − b²",
    "wrong-function",
    "missing-term",
    right="Each is squared before the subtraction: the difference is to be squared.",
)
def forward(y, y_bar):
    return torch.mean(y**2 - y_bar**2)


@wrong(
    "mse",
    "backward",
    "y.size as in NumPy",
    "raised",
    right="y.size is a method in torch, not a number: y.numel() counts the elements.",
)
def backward(grad_output, y, y_bar):
    grad = 2 * grad_output * (y - y_bar) / y.size
    return grad, -grad


@wrong(
    "mse",
    "backward",
    "the gradient is averaged too",
    "extra-reduction",
    "wrong-shape",
    right="The mean is taken over the gradient itself; each element has its own, 2 (y − ȳ) divided by the count.",
)
def backward(grad_output, y, y_bar):
    grad = (2 * grad_output * (y - y_bar)).mean()
    return grad, -grad


@wrong(
    "mse",
    "backward",
    "divided by the rows only, and no minus for y_bar",
    "scaled-by-size",
    "sign-flipped",
    right="The gradient is divided by the rows, not by all elements; and that of y_bar has the wrong sign.",
)
def backward(grad_output, y, y_bar):
    n = len(y) if y.dim() else 1
    grad_y = grad_output * 2 / n * (y - y_bar)
    grad_y_bar = grad_output * 2 / n * (y - y_bar)
    return grad_y, grad_y_bar


# ---------------------------------------------------------------- nll
@wrong(
    "nll",
    "forward",
    "[:, labels] takes every label in every row",
    "wrong-index",
    "extra-term",
    right="log_probs[:, labels] takes all labels in each row; each row has one label of its own, [arange(B), labels].",
)
def forward(log_probs, labels):
    return -log_probs[:, labels].mean()


@wrong(
    "nll",
    "forward",
    "gather with labels of one axis",
    "raised",
    right="gather wants as many axes in the index as in log_probs: labels[:, None].",
)
def forward(log_probs, labels):
    picked = log_probs.gather(1, labels)
    return -picked.mean()


@wrong(
    "nll",
    "backward",
    "labels counted from one",
    "wrong-index",
    right="The entry to the left of the right one is set: labels count from 0, and labels − 1 is one too low.",
)
def backward(grad_output, log_probs, labels):
    B = labels.shape[0]
    grad = torch.zeros_like(log_probs)
    grad[torch.arange(B), labels - 1] = -1.0 / B
    return grad_output * grad


@wrong(
    "nll",
    "backward",
    "multiplied by log_probs",
    "extra-term",
    right="The gradient has log_probs as a factor; the cost is linear in it, so that −1/B alone remains.",
)
def backward(grad_output, log_probs, labels):
    one_hot = F.one_hot(labels, log_probs.shape[1])
    return -grad_output * one_hot * log_probs / len(labels)


@wrong(
    "nll",
    "backward",
    "float64 numbers written into float32 zeros",
    "raised",
    "wrong-dtype",
    right="torch.zeros makes float32, and grad_output may be float64: take zeros_like(log_probs).",
)
def backward(grad_output, log_probs, labels):
    B, K = log_probs.shape
    grad = torch.zeros(B, K)
    grad[torch.arange(B), labels] = -grad_output / B
    return grad


# ---------------------------------------------------------------- cross_entropy
@wrong(
    "cross_entropy",
    "forward",
    "1e-12 in the logarithm",
    "unstable",
    "extra-term",
    right="For small probabilities the 1e-12 in the logarithm bounds the loss: logsumexp needs no such guard.",
)
def forward(logits, labels):
    p = torch.softmax(logits, dim=1)
    rows = torch.arange(len(labels))
    return -torch.log(p[rows, labels] + 1e-12).mean()


@wrong(
    "cross_entropy",
    "forward",
    "logits taken for log-probabilities",
    "missing-term",
    right="The normalisation is missing: logits are no log-probabilities, logsumexp of the row must be taken off.",
)
def forward(logits, labels):
    return -logits.gather(1, labels.unsqueeze(1)).mean()


@wrong(
    "cross_entropy",
    "backward",
    "class number subtracted from the probabilities",
    "labels-as-numbers",
    right="The class numbers are subtracted; what is to be subtracted is 1 at the label's place (one-hot).",
)
def backward(grad_output, logits, labels):
    p = torch.softmax(logits, dim=1)
    return grad_output * (p - labels[:, None]) / len(labels)


@wrong(
    "cross_entropy",
    "backward",
    "labels index the rows",
    "wrong-index",
    "raised",
    right="grad[labels] picks whole rows; the 1 belongs at column labels_b of row b: grad[arange(B), labels].",
)
def backward(grad_output, logits, labels):
    grad = torch.softmax(logits, dim=1)
    grad[labels] -= 1
    return grad_output * grad / logits.shape[0]


@wrong(
    "cross_entropy",
    "backward",
    "one_hot without the number of classes",
    "edge-case",
    "raised",
    right="one_hot(labels) has as many columns as the largest label says; give it the number of classes, logits.shape[1].",
)
def backward(grad_output, logits, labels):
    target = F.one_hot(labels)
    return grad_output * (torch.softmax(logits, dim=-1) - target) / labels.numel()


# ---------------------------------------------------------------- bce_with_logits
@wrong(
    "bce_with_logits",
    "forward",
    "logarithm of a rounded sigmoid",
    "unstable",
    right="For large logits the sigmoid rounds to 0 or 1 and its logarithm is −inf or NaN: use softplus.",
)
def forward(logits, targets):
    p = torch.sigmoid(logits)
    return -(targets * torch.log(p) + (1 - targets) * torch.log(1 - p)).mean()


@wrong(
    "bce_with_logits",
    "forward",
    "binary_cross_entropy on logits",
    "raised",
    right="F.binary_cross_entropy wants probabilities between 0 and 1, and it gets logits.",
)
def forward(logits, targets):
    return F.binary_cross_entropy(logits, targets)


@wrong(
    "bce_with_logits",
    "backward",
    "sigmoid's derivative once more",
    "extra-term",
    right="The factor σ(1 − σ) is too many: it has cancelled, and σ(z) − t remains.",
)
def backward(grad_output, logits, targets):
    p = torch.sigmoid(logits)
    return grad_output * (p - targets) * p * (1 - p) / logits.numel()


@wrong(
    "bce_with_logits",
    "backward",
    "prediction 0 or 1 where the probability belongs",
    "wrong-function",
    right="The step (z > 0) stands where the probability σ(z) belongs.",
)
def backward(grad_output, logits, targets):
    prediction = (logits > 0).to(logits.dtype)
    return grad_output * (prediction - targets) / logits.numel()


@wrong(
    "bce_with_logits",
    "backward",
    "targets between 0 and 1 count as 0",
    "wrong-mask",
    "wrong-function",
    "edge-case",
    right="Only targets of exactly 1 are told from 0; targets between them must enter as they are, σ(z) − t.",
)
def backward(grad_output, logits, targets):
    p = torch.sigmoid(logits)
    grad = torch.where(targets == 1, p - 1, p)
    return grad_output * grad / logits.numel()
