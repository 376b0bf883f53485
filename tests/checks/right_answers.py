"""Right answers in many styles: loops, einsum, torch's own forward functions, explicit Jacobians, other subgradients.

By exercise and style, the functions that are written differently; the others are the solution's.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import sigmoid

Functions = dict[str, object]


def softmax_in_loops(x):
    y = torch.zeros(x.shape, dtype=x.dtype)
    for row, out in zip(x.reshape(-1, x.shape[-1]), y.view(-1, x.shape[-1]), strict=True):
        largest = max(row.tolist())
        exponentials = [math.exp(entry - largest) for entry in row.tolist()]
        for index, entry in enumerate(exponentials):
            out[index] = entry / sum(exponentials)
    return y


def by_jacobian(jacobian):
    def backward(grad_output, x):
        if x.dim() == 1:
            return grad_output @ jacobian(x)
        rows = [g @ jacobian(row) for g, row in zip(grad_output, x, strict=True)]
        return torch.stack(rows) if rows else x.clone()

    return backward


def softmax_jacobian(x):
    y = torch.softmax(x, 0)
    return y[:, None] * (torch.eye(len(x), dtype=x.dtype) - y[None])


def softmax_einsum(grad_output, x):
    y = torch.softmax(x, -1)
    return grad_output * y - torch.einsum("...i,...i,...j->...j", grad_output, y, y)


def softmax_by_logsumexp(grad_output, x):
    y = torch.exp(x - torch.logsumexp(x, -1, keepdim=True))
    return y * (grad_output - (grad_output * y).sum(-1, keepdim=True))


def log_softmax_jacobian(x):
    return torch.eye(len(x), dtype=x.dtype) - torch.softmax(x, 0)[None].expand(len(x), len(x))


def log_softmax_loops(grad_output, x):
    result = torch.zeros(x.shape, dtype=x.dtype)
    flat = zip(
        grad_output.reshape(-1, x.shape[-1]), x.reshape(-1, x.shape[-1]), result.view(-1, x.shape[-1]), strict=True
    )
    for g, row, out in flat:
        y = softmax_in_loops(row)
        for j in range(len(row)):
            out[j] = g[j] - y[j] * sum(g.tolist())
    return result


def by_branches(x):
    small = torch.exp(-x.abs())
    return torch.where(x >= 0, 1 / (1 + small), small / (1 + small))


def relu_in_place(grad_output, x):
    result = grad_output.clone()
    result[x <= 0] = 0
    return result


def relu_loops(grad_output, x):
    result = torch.zeros(x.shape, dtype=x.dtype)
    flat, entries, cotangents = result.view(-1), x.reshape(-1), grad_output.reshape(-1)
    for index in range(x.numel()):
        if entries[index] > 0:
            flat[index] = cotangents[index]
    return result


def split_by_place(grad_output, x1, x2):
    share = torch.linspace(0, 1, x1.numel(), dtype=x1.dtype).reshape(x1.shape)
    first = (x1 > x2).to(x1.dtype) + share * (x1 == x2)
    return grad_output * first, grad_output * (1 - first)


def split_in_halves(grad_output, x1, x2):
    tie = 0.5 * (x1 == x2)
    return grad_output * ((x1 > x2) + tie).to(x1.dtype), grad_output * ((x2 > x1) + tie).to(x1.dtype)


def linear_loops(grad_output, x, weight, bias):
    grad_x, grad_weight, grad_bias = (torch.zeros(each.shape, dtype=x.dtype) for each in (x, weight, bias))
    for b in range(len(x)):
        for o in range(len(weight)):
            grad_bias[o] += grad_output[b, o]
            for i in range(weight.shape[1]):
                grad_x[b, i] += grad_output[b, o] * weight[o, i]
                grad_weight[o, i] += grad_output[b, o] * x[b, i]
    return grad_x, grad_weight, grad_bias


def linear_einsum(grad_output, x, weight, bias):
    ones = torch.ones(len(x), dtype=x.dtype)
    return [grad_output.mm(weight), torch.einsum("bo,bi->oi", grad_output, x), ones @ grad_output]


def linear_outer(grad_output, x, weight, bias):
    outer = grad_output[:, :, None] * x[:, None, :]
    return (grad_output[:, :, None] * weight).sum(1), outer.sum(0), torch.sum(grad_output, 0)


def weight_jacobian_loops(x, weight, bias):
    result = torch.zeros(len(weight), *weight.shape, dtype=x.dtype)
    for o in range(len(weight)):
        result[o, o] = x
    return result


def nll_rows(log_probs, labels):
    return -sum(log_probs[b, labels[b]] for b in range(len(labels))) / len(labels)


def nll_scatter(grad_output, log_probs, labels):
    return torch.zeros_like(log_probs).scatter_(1, labels[:, None], -1.0) * grad_output / len(labels)


def nll_loops(grad_output, log_probs, labels):
    result = torch.zeros(log_probs.shape, dtype=log_probs.dtype)
    for b, label in enumerate(labels.tolist()):
        result[b, label] = -grad_output / len(labels)
    return result


def nll_one_hot(grad_output, log_probs, labels):
    return -grad_output * F.one_hot(labels, log_probs.shape[1]).to(log_probs.dtype) / len(labels)


def cross_entropy_in_place(grad_output, logits, labels):
    result = torch.exp(F.log_softmax(logits, 1))
    result[range(len(labels)), labels] -= 1
    return result.mul(grad_output).div(len(labels))


def cross_entropy_one_hot(grad_output, logits, labels):
    return grad_output * (torch.softmax(logits, -1) - F.one_hot(labels, logits.shape[1])) / len(labels)


def cross_entropy_chained(grad_output, logits, labels):
    upstream = nll_one_hot(grad_output, logits, labels)
    return upstream - torch.softmax(logits, -1) * upstream.sum(-1, keepdim=True)


def mse_loops(grad_output, y, y_bar):
    flat = [2 * (a - b) / y.numel() * grad_output for a, b in zip(y.reshape(-1), y_bar.reshape(-1), strict=True)]
    grad_y = torch.stack(flat).reshape(y.shape)
    return grad_y, torch.neg(grad_y)


class Kept:
    """What a learner who calls a Function's methods by hand passes for ctx."""

    def save_for_backward(self, *tensors):
        self.saved_tensors = tensors


class Softmax(torch.autograd.Function):
    """The output is kept."""

    @staticmethod
    def forward(ctx, x):
        shifted = (x - x.amax(-1, keepdim=True)).exp()
        y = shifted / shifted.sum(-1, keepdim=True)
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx, grad_output):
        (y,) = ctx.saved_tensors
        weighted = grad_output * y
        return weighted - y * weighted.sum(-1, keepdim=True)


class Tanh(torch.autograd.Function):
    """The output is kept, as an attribute of ctx."""

    @staticmethod
    def forward(ctx, x):
        ctx.y = torch.tanh(x)
        return ctx.y

    @staticmethod
    def backward(ctx, grad_output):
        return grad_output * (1 - ctx.y) * (1 + ctx.y)


class Relu(torch.autograd.Function):
    """The newer style: the input is kept by a method of its own."""

    @staticmethod
    def forward(x):
        return x.clamp(min=0)

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx, grad_output):
        (x,) = ctx.saved_tensors
        return grad_output.where(x > 0, torch.zeros_like(grad_output))


class CrossEntropy(torch.autograd.Function):
    """Two inputs, of which one has no gradient."""

    @staticmethod
    def forward(ctx, logits, labels):
        log_y = torch.log_softmax(logits, 1)
        ctx.save_for_backward(log_y, labels)
        return F.nll_loss(log_y, labels)

    @staticmethod
    def backward(ctx, grad_output):
        log_y, labels = ctx.saved_tensors
        return (log_y.exp() - F.one_hot(labels, log_y.shape[1])) * (grad_output / len(labels)), None


def relu_by_its_class(grad_output, x):
    kept = Kept()
    Relu.setup_context(kept, (x,), Relu.forward(x))
    return Relu.backward(kept, grad_output)


def by_its_class(function, grad_output, *inputs):
    kept = Kept()
    function.forward(kept, *inputs)
    return function.backward(kept, grad_output)


def clipped_sigmoid(x):
    return 1 / (1 + torch.exp(-x.clamp(-500, 500)))


RIGHT: dict[str, dict[str, Functions]] = {
    "softmax": {
        "a Function of its own": {"forward": Softmax.apply, "backward": lambda g, x: by_its_class(Softmax, g, x)},
        "torch": {"forward": lambda x: torch.softmax(x, -1), "backward": softmax_einsum},
        "logsumexp": {
            "forward": lambda x: torch.exp(x - torch.logsumexp(x, -1, keepdim=True)),
            "backward": softmax_by_logsumexp,
        },
        "loops": {
            "forward": softmax_in_loops,
            "backward": by_jacobian(softmax_jacobian),
            "jacobian": softmax_jacobian,
        },
    },
    "log_softmax": {
        "torch": {
            "forward": lambda x: F.log_softmax(x, -1),
            "backward": lambda g, x: g - F.softmax(x, -1) * g.sum(-1, keepdim=True),
        },
        "logsumexp": {
            "forward": lambda x: x - torch.logsumexp(x, -1, keepdim=True),
            "backward": by_jacobian(log_softmax_jacobian),
            "jacobian": log_softmax_jacobian,
        },
        "loops": {"backward": log_softmax_loops},
    },
    "sigmoid": {
        "clipped": {
            "forward": clipped_sigmoid,
            "backward": lambda g, x: g * clipped_sigmoid(x) * clipped_sigmoid(-x),
            "jacobian": lambda x: torch.diag(clipped_sigmoid(x) * clipped_sigmoid(-x)),
        },
        "both tails": {"forward": sigmoid, "backward": lambda g, x: g * sigmoid(x) * sigmoid(-x)},
        "branches": {"forward": by_branches, "backward": lambda g, x: g * (sigmoid(x) - sigmoid(x) ** 2)},
        "exponential": {"backward": lambda g, x: g * torch.exp(-x.abs()) / (1 + torch.exp(-x.abs())) ** 2},
        "softplus": {
            "forward": lambda x: torch.exp(-F.softplus(-x)),
            "backward": lambda g, x: g * torch.exp(-F.softplus(x) - F.softplus(-x)),
        },
        "cosh": {"forward": sigmoid, "backward": lambda g, x: g * 0.25 / torch.cosh(x / 2) ** 2},
    },
    "tanh": {
        "a Function of its own": {"forward": Tanh.apply, "backward": lambda g, x: by_its_class(Tanh, g, x)},
        "sigmoid": {"forward": lambda x: 2 * sigmoid(2 * x) - 1, "backward": lambda g, x: g / torch.cosh(x) ** 2},
        "factors": {"backward": lambda g, x: (1 - torch.tanh(x)) * (1 + torch.tanh(x)) * g},
        "both tails": {"backward": lambda g, x: 4 * g * sigmoid(2 * x) * sigmoid(-2 * x)},
    },
    "softplus": {
        "torch": {"forward": F.softplus, "backward": lambda g, x: g / (1 + torch.exp(-x))},
        "logaddexp": {
            "forward": lambda x: torch.logaddexp(x, torch.zeros_like(x)),
            "backward": lambda g, x: g * (1 - sigmoid(-x)),
        },
        "logsigmoid": {"forward": lambda x: -F.logsigmoid(-x), "backward": lambda g, x: g * by_branches(x)},
        "through the output": {"backward": lambda g, x: g * torch.exp(x - F.softplus(x))},
        "like torch's own gradient": {
            "backward": lambda g, x: torch.where(x > 20, g, g * sigmoid(x)),
            "jacobian": lambda x: torch.diag(torch.where(x > 20, torch.ones_like(x), sigmoid(x))),
        },
    },
    "relu": {
        "grad_output where nothing is stopped": {"backward": lambda g, x: g if (x > 0).all() else g * (x > 0)},
        "grad_output where it is zero": {"backward": lambda g, x: g * (x > 0) if g.any() else g},
        "a Function of its own": {"forward": Relu.apply, "backward": relu_by_its_class},
        "one at zero": {
            "forward": F.relu,
            "backward": lambda g, x: g * (x >= 0),
            "jacobian": lambda x: torch.diag((x >= 0).to(x.dtype)),
        },
        "half at zero": {
            "forward": lambda x: (x + x.abs()) / 2,
            "backward": lambda g, x: g * (torch.sign(x) + 1) / 2,
            "jacobian": lambda x: torch.diag((torch.sign(x) + 1) / 2),
        },
        "in place": {"forward": lambda x: x.clone().relu_(), "backward": relu_in_place},
        "loops": {"backward": relu_loops},
    },
    "maximum": {
        "first at ties": {
            "forward": lambda x1, x2: torch.where(x1 >= x2, x1, x2),
            "backward": lambda g, x1, x2: [g * (x1 >= x2), g * (x1 < x2)],
        },
        "halves": {"backward": split_in_halves},
        "by place": {"forward": torch.max, "backward": split_by_place},
    },
    "add": {
        "copies": {"backward": lambda g, x1, x2: (g.clone(), g.clone())},
        "list": {"forward": torch.add, "backward": lambda g, x1, x2: [g, g]},
        "ones": {"backward": lambda g, x1, x2: (g * torch.ones_like(x1), g * torch.ones_like(x2))},
    },
    "duplicate": {
        "list": {"forward": lambda x, copies: [x.clone() for _ in range(copies)], "backward": sum},
        "stack": {"backward": lambda gs: torch.stack(list(gs)).sum(0)},
        "expand": {
            "forward": lambda x, copies: tuple(x.expand(copies, *x.shape)),
            "backward": lambda gs: gs[0] if len(gs) == 1 else torch.stack(gs, -1).sum(-1),
        },
    },
    "linear": {
        "einsum": {"forward": F.linear, "backward": linear_einsum, "jacobian_x": lambda x, w, b: w.clone()},
        "loops": {"backward": linear_loops, "jacobian_weight": weight_jacobian_loops},
        "sum to size": {"backward": lambda g, x, w, b: (g.mm(w), g.t().mm(x), g.sum_to_size(b.shape))},
        "outer": {
            "forward": lambda x, w, b: torch.stack([w @ row + b for row in x]) if len(x) else x @ w.T,
            "backward": linear_outer,
            "jacobian_weight": lambda x, w, b: torch.einsum("op,i->opi", torch.eye(len(w), dtype=x.dtype), x),
        },
    },
    "mse": {
        "torch": {
            "forward": lambda y, y_bar: F.mse_loss(y_bar, y).item(),
            "backward": lambda g, y, y_bar: (2 * g / y.numel() * (y - y_bar), 2 * g / y.numel() * (y_bar - y)),
        },
        "expanded": {"forward": lambda y, y_bar: (y * y - 2 * y * y_bar + y_bar * y_bar).mean()},
        "loops": {"backward": mse_loops},
    },
    "nll": {
        "torch": {"forward": F.nll_loss, "backward": nll_one_hot},
        "scatter": {"forward": nll_rows, "backward": nll_scatter},
        "loops": {"backward": nll_loops},
    },
    "cross_entropy": {
        "a Function of its own": {
            "forward": CrossEntropy.apply,
            "backward": lambda g, z, t: by_its_class(CrossEntropy, g, z, t)[0],
        },
        "torch": {"forward": F.cross_entropy, "backward": cross_entropy_one_hot},
        "in place": {"forward": lambda z, t: F.nll_loss(F.log_softmax(z, 1), t), "backward": cross_entropy_in_place},
        "chained": {"backward": cross_entropy_chained},
    },
    "bce_with_logits": {
        "torch": {"forward": F.binary_cross_entropy_with_logits},
        "torch's own formula": {
            "forward": lambda z, t: ((1 - t) * z + F.softplus(-z)).mean(),
            "backward": lambda g, z, t: (torch.exp(z - F.softplus(z)) - t) * g / z.numel(),
        },
        "softplus": {
            "forward": lambda z, t: (F.softplus(z) - t * z).mean(),
            "backward": lambda g, z, t: g / z.numel() * ((1 - t) * sigmoid(z) - t * sigmoid(-z)),
        },
        "softplus twice": {"forward": lambda z, t: (t * F.softplus(-z) + (1 - t) * F.softplus(z)).mean()},
        "logsigmoid": {
            "forward": lambda z, t: -(t * F.logsigmoid(z) + (1 - t) * F.logsigmoid(-z)).mean(),
            "backward": lambda g, z, t: (by_branches(z) - t) * (g / z.numel()),
        },
    },
}
