from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from tests.diagnosis.labelled.submission import Submission

SUBMISSIONS: list[Submission] = []
MORE: list[Submission] = []  # the same kind, kept apart: a second set that nobody has looked at yet
_seen: dict[tuple[str, ...], int] = {}


def wrong(exercise, function, name, *codes):
    def put(function_):
        unnamed = codes[0] == "unrecognised"
        key = ("unrecognised",) if unnamed else (exercise, function)
        turn = _seen[key] = _seen.get(key, -1) + 1
        first = name.startswith("two mistakes") or turn % (4 if unnamed else 2 if function == "backward" else 3) == 0
        (SUBMISSIONS if first else MORE).append(Submission(exercise, function, name, codes, function_))
        return function_

    return put


# ------------------------------------------------------------------------- mse
wrong("mse", "forward", "sum", "scaled-by-size")(lambda y, y_bar: ((y - y_bar) ** 2).sum())
wrong("mse", "forward", "by the rows", "scaled-by-size")(lambda y, y_bar: ((y - y_bar) ** 2).sum() / y.shape[0])
wrong("mse", "forward", "root", "unrecognised", "extra-term")(lambda y, y_bar: F.mse_loss(y_bar, y).sqrt())
wrong("mse", "forward", "one per row", "missing-reduction", "wrong-shape")(lambda y, y_bar: ((y - y_bar) ** 2).mean(-1))
wrong("mse", "forward", "absolute error", "unrecognised")(lambda y, y_bar: F.l1_loss(y_bar, y))
wrong("mse", "forward", "half the mean", "scaled-by-constant")(lambda y, y_bar: 0.5 * (y - y_bar).square().mean())
wrong("mse", "backward", "no mean", "scaled-by-size")(
    lambda grad_output, y, y_bar: (2 * grad_output * (y - y_bar), 2 * grad_output * (y_bar - y))
)
wrong("mse", "backward", "divides by the batch", "scaled-by-size")(
    lambda grad_output, y, y_bar: (2 * grad_output * (y - y_bar) / len(y), 2 * grad_output * (y_bar - y) / len(y))
)
wrong("mse", "backward", "no two", "scaled-by-constant")(
    lambda grad_output, y, y_bar: (grad_output * (y - y_bar) / y.numel(), grad_output * (y_bar - y) / y.numel())
)
wrong("mse", "backward", "no upstream", "missing-upstream")(
    lambda grad_output, y, y_bar: (2 * (y - y_bar) / y.numel(), 2 * (y_bar - y) / y.numel())
)
wrong("mse", "backward", "prediction first", "swapped-gradients", "sign-flipped")(
    lambda grad_output, y, y_bar: (2 * grad_output * (y_bar - y) / y.numel(), 2 * grad_output * (y - y_bar) / y.numel())
)
wrong("mse", "backward", "targets are constants", "returns-zero", "missing-term")(
    lambda grad_output, y, y_bar: (torch.zeros_like(y), 2 * grad_output * (y_bar - y) / y.numel())
)
wrong("mse", "backward", "neither two nor mean", "scaled-by-constant", "scaled-by-size")(
    lambda grad_output, y, y_bar: (grad_output * (y - y_bar), grad_output * (y_bar - y))
)
wrong("mse", "backward", "twelve elements", "hard-coded-size", "scaled-by-constant")(
    lambda grad_output, y, y_bar: (grad_output * (y - y_bar) / 6, grad_output * (y_bar - y) / 6)
)
wrong("mse", "backward", "averaged over the rows", "extra-reduction", "wrong-shape")(
    lambda grad_output, y, y_bar: (
        (2 * grad_output * (y - y_bar)).mean(0),
        (2 * grad_output * (y_bar - y)).mean(0),
    )
)
wrong("mse", "backward", "clipped gradient", "changes-upstream", "unrecognised", "extra-term")(
    lambda grad_output, y, y_bar: (
        (2 * grad_output * (y - y_bar) / y.numel()).clamp(-0.1, 0.1),
        (2 * grad_output * (y_bar - y) / y.numel()).clamp(-0.1, 0.1),
    )
)
wrong("mse", "backward", "prediction alone", "missing-term", "wrong-variable")(
    lambda grad_output, y, y_bar: (2 * grad_output * (y - y_bar) / y.numel(), 2 * grad_output * y_bar / y.numel())
)
wrong("mse", "backward", "two axes expected", "raised", "edge-size")(
    lambda grad_output, y, y_bar: (
        2 * grad_output * (y - y_bar) / (y.shape[0] * y.shape[1]),
        2 * grad_output * (y_bar - y) / (y.shape[0] * y.shape[1]),
    )
)


# ------------------------------------------------------------------------- nll
def picked(log_probs, labels):
    return log_probs[torch.arange(len(labels)), labels]


def hot(like, labels, dim=1):
    return torch.zeros_like(like).scatter(1, labels[:, None], 1.0)


wrong("nll", "forward", "without the minus", "sign-flipped")(lambda log_probs, labels: picked(log_probs, labels).mean())
wrong("nll", "forward", "sum", "scaled-by-size")(lambda log_probs, labels: -picked(log_probs, labels).sum())
wrong("nll", "forward", "per sample", "missing-reduction", "wrong-shape")(
    lambda log_probs, labels: -picked(log_probs, labels)
)
wrong("nll", "forward", "over all entries", "scaled-by-size")(
    lambda log_probs, labels: -(hot(log_probs, labels) * log_probs).mean()
)
wrong("nll", "forward", "every class picked", "wrong-index", "extra-term", "missing-mask")(
    lambda log_probs, labels: -log_probs[:, labels].mean()
)
wrong("nll", "forward", "logarithm again", "extra-term", "not-finite")(
    lambda log_probs, labels: -torch.log(-picked(log_probs, labels)).mean()
)
wrong("nll", "forward", "labels counted from one", "wrong-index", "labels-as-numbers")(
    lambda log_probs, labels: -picked(log_probs, labels - 1).mean()
)
wrong("nll", "forward", "label as weight", "labels-as-numbers")(
    lambda log_probs, labels: -(labels[:, None] * log_probs).sum() / len(labels)
)
wrong("nll", "backward", "no minus", "sign-flipped")(
    lambda grad_output, log_probs, labels: grad_output * hot(log_probs, labels) / len(labels)
)
wrong("nll", "backward", "no mean", "scaled-by-size")(
    lambda grad_output, log_probs, labels: -grad_output * hot(log_probs, labels)
)
wrong("nll", "backward", "divides by the classes", "scaled-by-size")(
    lambda grad_output, log_probs, labels: -grad_output * hot(log_probs, labels) / log_probs.shape[1]
)
wrong("nll", "backward", "no upstream", "missing-upstream")(
    lambda grad_output, log_probs, labels: -hot(log_probs, labels) / len(labels)
)
wrong("nll", "backward", "everywhere", "missing-mask", "extra-term")(
    lambda grad_output, log_probs, labels: -grad_output * torch.ones_like(log_probs) / len(labels)
)
wrong("nll", "backward", "value in its place", "wrong-variable", "extra-term")(
    lambda grad_output, log_probs, labels: -grad_output * hot(log_probs, labels) * log_probs / len(labels)
)
wrong("nll", "backward", "one over it", "extra-term", "wrong-variable", "unrecognised")(
    lambda grad_output, log_probs, labels: -grad_output * hot(log_probs, labels) / log_probs / len(labels)
)
wrong("nll", "backward", "with the softmax", "extra-term")(
    lambda grad_output, log_probs, labels: grad_output * (log_probs.exp() - hot(log_probs, labels)) / len(labels)
)


@wrong("nll", "backward", "whole columns", "wrong-index", "missing-mask", "extra-term")
def _(grad_output, log_probs, labels):
    grad = torch.zeros_like(log_probs)
    grad[:, labels] = -grad_output / len(labels)
    return grad


@wrong("nll", "backward", "label one further", "wrong-index")
def _(grad_output, log_probs, labels):
    grad = torch.zeros_like(log_probs)
    for b, label in enumerate(labels.tolist()):
        grad[b, label - 1] = -grad_output / len(labels)
    return grad


@wrong("nll", "backward", "first sample left out", "missing-term", "wrong-index")
def _(grad_output, log_probs, labels):
    grad = torch.zeros_like(log_probs)
    for b in range(1, len(labels)):
        grad[b, labels[b]] -= grad_output / len(labels)
    return grad


@wrong("nll", "backward", "written into the log-probabilities", "mutates-input", "aliases-input")
def _(grad_output, log_probs, labels):
    log_probs.zero_()
    log_probs[torch.arange(len(labels)), labels] = -grad_output / len(labels)
    return log_probs


@wrong("nll", "backward", "default dtype", "wrong-dtype", "low-precision")
def _(grad_output, log_probs, labels):
    return -grad_output.float() * F.one_hot(labels, log_probs.shape[1]).float() / len(labels)


# --------------------------------------------------------------- cross_entropy
C = "cross_entropy"
wrong(C, "forward", "logits picked only", "missing-term")(lambda logits, labels: -picked(logits, labels).mean())
wrong(C, "forward", "sum over the batch", "scaled-by-size")(
    lambda logits, labels: F.cross_entropy(logits, labels, reduction="sum")
)
wrong(C, "forward", "softmax twice", "extra-term", "wrong-variable")(
    lambda logits, labels: F.cross_entropy(torch.softmax(logits, 1), labels)
)
wrong(C, "forward", "log after softmax", "unstable", "not-finite")(
    lambda logits, labels: -picked(torch.softmax(logits, 1), labels).log().mean()
)
wrong(C, "forward", "probabilities not their logarithm", "missing-term", "unrecognised")(
    lambda logits, labels: -picked(torch.softmax(logits, 1), labels).mean()
)
wrong(C, "forward", "bits", "scaled-by-constant")(lambda logits, labels: F.cross_entropy(logits, labels) / math.log(2))
wrong(C, "forward", "normalised over the batch", "wrong-axis")(
    lambda logits, labels: -picked(logits.log_softmax(0), labels).mean()
)
wrong(C, "forward", "epsilon in the logarithm", "unstable", "low-precision", "extra-term")(
    lambda logits, labels: -torch.log(picked(torch.softmax(logits, 1), labels) + 1e-9).mean()
)
wrong(C, "backward", "sum over the batch", "scaled-by-size")(
    lambda grad_output, logits, labels: grad_output * (logits.softmax(1) - hot(logits, labels))
)
wrong(C, "backward", "divides by all entries", "scaled-by-size")(
    lambda grad_output, logits, labels: grad_output * (logits.softmax(1) - hot(logits, labels)) / logits.numel()
)
wrong(C, "backward", "label minus probability", "sign-flipped")(
    lambda grad_output, logits, labels: grad_output * (hot(logits, labels) - logits.softmax(1)) / len(labels)
)
wrong(C, "backward", "no one-hot", "missing-term")(
    lambda grad_output, logits, labels: grad_output * logits.softmax(1) / len(labels)
)
wrong(C, "backward", "no softmax", "missing-term")(
    lambda grad_output, logits, labels: -grad_output * hot(logits, labels) / len(labels)
)
wrong(C, "backward", "logits for probabilities", "wrong-variable")(
    lambda grad_output, logits, labels: grad_output * (logits - hot(logits, labels)) / len(labels)
)
wrong(C, "backward", "softmax down the batch", "wrong-axis")(
    lambda grad_output, logits, labels: grad_output * (logits.softmax(0) - hot(logits, labels)) / len(labels)
)
wrong(C, "backward", "label as a number", "labels-as-numbers", "wrong-variable")(
    lambda grad_output, logits, labels: grad_output * (logits.softmax(1) - labels[:, None]) / len(labels)
)
wrong(C, "backward", "no upstream", "missing-upstream")(
    lambda grad_output, logits, labels: (logits.softmax(1) - hot(logits, labels)) / len(labels)
)
wrong(C, "backward", "no upstream and no mean", "missing-upstream", "scaled-by-size")(
    lambda grad_output, logits, labels: logits.softmax(1) - hot(logits, labels)
)
wrong(C, "backward", "log-softmax minus one-hot", "wrong-variable")(
    lambda grad_output, logits, labels: grad_output * (logits.log_softmax(1) - hot(logits, labels)) / len(labels)
)
wrong(C, "backward", "only at the label", "missing-term", "diagonal-only", "extra-term")(
    lambda grad_output, logits, labels: grad_output * (logits.softmax(1) - 1) * hot(logits, labels) / len(labels)
)
wrong(C, "backward", "exponentials as they are", "unstable", "not-finite")(
    lambda grad_output, logits, labels: (
        grad_output * (logits.exp() / logits.exp().sum(1, keepdim=True) - hot(logits, labels)) / len(labels)
    )
)
wrong(C, "backward", "predicted class for the label", "wrong-variable", "ignores-argument")(
    lambda grad_output, logits, labels: grad_output * (logits.softmax(1) - hot(logits, logits.argmax(1))) / len(labels)
)
wrong(C, "backward", "ten classes", "hard-coded-size", "raised")(
    lambda grad_output, logits, labels: grad_output * (logits.softmax(1) - F.one_hot(labels, 10)) / len(labels)
)
wrong(C, "backward", "as many classes as seen", "edge-size", "raised")(
    lambda grad_output, logits, labels: grad_output * (logits.softmax(1) - F.one_hot(labels)) / len(labels)
)


@wrong(C, "backward", "ones in whole columns", "wrong-index", "extra-term")
def _(grad_output, logits, labels):
    grad = logits.softmax(1)
    grad[:, labels] -= 1
    return grad_output * grad / len(labels)


@wrong(C, "backward", "subtracts the batch's mean", "extra-term")
def _(grad_output, logits, labels):
    grad = logits.softmax(1) - hot(logits, labels)
    return grad_output * (grad - grad.mean(0)) / len(labels)


# ------------------------------------------------------------- bce_with_logits
B = "bce_with_logits"
wrong(B, "forward", "sum", "scaled-by-size")(
    lambda logits, targets: F.binary_cross_entropy_with_logits(logits, targets, reduction="sum")
)
wrong(B, "forward", "through the sigmoid", "unstable", "not-finite")(
    lambda logits, targets: (
        -(targets * torch.log(torch.sigmoid(logits)) + (1 - targets) * torch.log(1 - torch.sigmoid(logits))).mean()
    )
)
wrong(B, "forward", "logarithms clamped", "unstable", "low-precision")(
    lambda logits, targets: (
        -(
            targets * torch.sigmoid(logits).clamp(1e-7, 1 - 1e-7).log()
            + (1 - targets) * (1 - torch.sigmoid(logits)).clamp(1e-7, 1 - 1e-7).log()
        ).mean()
    )
)
wrong(B, "forward", "negatives forgotten", "missing-term")(
    lambda logits, targets: -(targets * F.logsigmoid(logits)).mean()
)
wrong(B, "forward", "target term with a plus", "sign-flipped")(
    lambda logits, targets: (F.softplus(logits) + targets * logits).mean()
)
wrong(B, "forward", "targets swapped", "wrong-variable", "sign-flipped")(
    lambda logits, targets: (F.softplus(logits) - (1 - targets) * logits).mean()
)
wrong(B, "forward", "sigmoid twice", "extra-term", "wrong-variable")(
    lambda logits, targets: F.binary_cross_entropy_with_logits(torch.sigmoid(logits), targets)
)
wrong(B, "forward", "element by element", "missing-reduction", "wrong-shape")(
    lambda logits, targets: F.softplus(logits) - targets * logits
)
wrong(B, "backward", "no mean", "scaled-by-size")(
    lambda grad_output, logits, targets: grad_output * (logits.sigmoid() - targets)
)
wrong(B, "backward", "rows only", "scaled-by-size")(
    lambda grad_output, logits, targets: grad_output * (logits.sigmoid() - targets) / len(logits)
)
wrong(B, "backward", "targets first", "sign-flipped")(
    lambda grad_output, logits, targets: grad_output * (targets - logits.sigmoid()) / logits.numel()
)
wrong(B, "backward", "logits for probabilities", "wrong-variable", "missing-term")(
    lambda grad_output, logits, targets: grad_output * (logits - targets) / logits.numel()
)
wrong(B, "backward", "no targets", "missing-term")(
    lambda grad_output, logits, targets: grad_output * logits.sigmoid() / logits.numel()
)
wrong(B, "backward", "sigmoid's slope too", "extra-term")(
    lambda grad_output, logits, targets: (
        grad_output * (logits.sigmoid() - targets) * logits.sigmoid() * (1 - logits.sigmoid()) / logits.numel()
    )
)
wrong(B, "backward", "no inner derivative", "missing-term", "missing-derivative", "extra-term")(
    lambda grad_output, logits, targets: (
        grad_output
        * (logits.sigmoid() - targets)
        / (logits.sigmoid() * (1 - logits.sigmoid()) + 1e-12)
        / logits.numel()
    )
)
wrong(B, "backward", "epsilon", "extra-term", "low-precision")(
    lambda grad_output, logits, targets: grad_output * (logits.sigmoid() - targets + 1e-6) / logits.numel()
)
wrong(B, "backward", "softmax for sigmoid", "wrong-axis", "unrecognised", "wrong-variable")(
    lambda grad_output, logits, targets: grad_output * (logits.softmax(-1) - targets) / logits.numel()
)
wrong(B, "backward", "hard decision", "unrecognised", "wrong-variable", "wrong-mask")(
    lambda grad_output, logits, targets: grad_output * ((logits > 0).to(logits.dtype) - targets) / logits.numel()
)
wrong(B, "backward", "targets rounded", "wrong-variable", "labels-as-numbers", "unrecognised")(
    lambda grad_output, logits, targets: grad_output * (logits.sigmoid() - targets.round()) / logits.numel()
)
wrong(B, "backward", "no upstream and other way", "missing-upstream", "sign-flipped")(
    lambda grad_output, logits, targets: (targets - logits.sigmoid()) / logits.numel()
)
wrong(B, "backward", "exp over one plus exp", "unstable", "not-finite")(
    lambda grad_output, logits, targets: grad_output * (logits.exp() / (1 + logits.exp()) - targets) / logits.numel()
)
wrong(B, "backward", "one gradient for both", "wrong-type")(
    lambda grad_output, logits, targets: (
        grad_output * (logits.sigmoid() - targets) / logits.numel(),
        -grad_output * logits / logits.numel(),
    )
)


# --------------------------------------------------------------- two at a time
wrong("mse", "backward", "two mistakes: no upstream and rows", "missing-upstream", "scaled-by-size")(
    lambda grad_output, y, y_bar: (2 * (y - y_bar) / len(y), 2 * (y_bar - y) / len(y))
)
wrong("nll", "backward", "two mistakes: sign and sum", "sign-flipped", "scaled-by-size")(
    lambda grad_output, log_probs, labels: grad_output * hot(log_probs, labels)
)
wrong(C, "backward", "two mistakes: sign and sum", "sign-flipped", "scaled-by-size")(
    lambda grad_output, logits, labels: grad_output * (hot(logits, labels) - logits.softmax(1))
)
wrong(C, "backward", "two mistakes: wrong axis and sum", "wrong-axis", "scaled-by-size")(
    lambda grad_output, logits, labels: grad_output * (logits.softmax(0) - hot(logits, labels))
)
wrong(C, "backward", "two mistakes: label as number and sum", "labels-as-numbers", "scaled-by-size")(
    lambda grad_output, logits, labels: grad_output * (logits.softmax(1) - labels[:, None])
)
wrong(B, "backward", "two mistakes: logits and sum", "wrong-variable", "missing-term", "scaled-by-size")(
    lambda grad_output, logits, targets: grad_output * (logits - targets)
)
