from __future__ import annotations

import math

import torch
from tests.diagnosis.labelled.read import wrong


# ---------------------------------------------------------------- dropout
@wrong(
    "dropout",
    "forward",
    "p = 1 is let through",
    "must-raise",
    right="p = 1 must raise ValueError; the check lets it through.",
)
def forward(x, p, generator):
    if p < 0 or p > 1:
        raise ValueError("p must be a probability")
    mask = torch.rand(x.shape, generator=generator) >= p
    return x * mask / (1 - p), mask


@wrong(
    "dropout",
    "forward",
    "keeps with probability p",
    "wrong-distribution",
    right="Entries are kept with probability p; p is the probability of being dropped.",
)
def forward(x, p, generator):
    if not 0 <= p < 1:
        raise ValueError(p)
    mask = torch.rand(x.shape, generator=generator) < p
    return torch.where(mask, x / (1 - p), torch.zeros_like(x)), mask


@wrong(
    "dropout",
    "forward",
    "one mask for all rows",
    "not-independent",
    right="All rows share one mask; every entry is to be drawn by itself (torch.rand(x.shape)).",
)
def forward(x, p, generator):
    if not 0 <= p < 1:
        raise ValueError("p must be in [0, 1)")
    mask = torch.rand(x.shape[-1:], generator=generator) >= p
    mask = mask.expand(x.shape)
    return x * mask / (1 - p), mask


@wrong(
    "dropout",
    "forward",
    "mask of floats, scale included",
    "wrong-dtype",
    right="The mask has floats in it; it is to be boolean, True where an entry is kept.",
)
def forward(x, p, generator):
    if p < 0 or p >= 1:
        raise ValueError("p outside [0, 1)")
    mask = (torch.rand(x.shape, generator=generator) >= p).to(x.dtype) / (1 - p)
    return x * mask, mask


@wrong(
    "dropout",
    "backward",
    "1 − mask with a boolean mask",
    "raised",
    right="1 − mask is not defined for booleans, and not wanted: mask is True where an entry is kept.",
)
def backward(grad_output, mask, p):
    return grad_output * (1 - mask) / (1 - p)


# ---------------------------------------------------------------- initialisation
@wrong(
    "initialisation",
    "kaiming_normal",
    "fan_out under the root",
    "wrong-distribution",
    "wrong-variable",
    right="The spread follows fan_out; the standard deviation is √(2 / fan_in).",
)
def kaiming_normal(fan_out, fan_in, generator):
    w = torch.randn(fan_out, fan_in, generator=generator)
    return w * math.sqrt(2 / fan_out)


@wrong(
    "initialisation",
    "kaiming_normal",
    "uniform, and between 0 and 1 at that",
    "wrong-distribution",
    right="The numbers are uniform (torch.rand) and never negative; normal ones are wanted (torch.randn).",
)
def kaiming_normal(fan_out, fan_in, generator):
    return torch.rand(fan_out, fan_in, generator=generator) * (2 / fan_in) ** 0.5


@wrong(
    "initialisation",
    "kaiming_normal",
    "(fan_in, fan_out)",
    "wrong-shape",
    "transposed",
    right="The weight has shape (fan_in, fan_out); (fan_out, fan_in) is wanted.",
)
def kaiming_normal(fan_out, fan_in, generator):
    std = math.sqrt(2.0 / fan_in)
    return std * torch.randn((fan_in, fan_out), generator=generator)


@wrong(
    "initialisation",
    "kaiming_normal",
    "generator as a third size",
    "raised",
    right="torch.randn takes the generator by name: generator=generator.",
)
def kaiming_normal(fan_out, fan_in, generator):
    return torch.randn(fan_out, fan_in, generator) * math.sqrt(2 / fan_in)


@wrong(
    "initialisation",
    "kaiming_normal",
    "torch.nn.init with the global generator",
    "ignores-generator",
    "nondeterministic",
    right="The numbers do not come from `generator`: nn.init draws from the global one.",
)
def kaiming_normal(fan_out, fan_in, generator):
    w = torch.empty(fan_out, fan_in)
    torch.nn.init.kaiming_normal_(w, mode="fan_in", nonlinearity="relu")
    return w


# ---------------------------------------------------------------- normalise
@wrong(
    "normalise",
    "fit",
    "1 for the spread of a constant column",
    "edge-case",
    right="For a constant column std comes back as 1; it is 0, and eps guards the division later.",
)
def fit(x):
    mean = x.mean(dim=0)
    std = ((x - mean) ** 2).mean(dim=0).sqrt()
    std[std == 0] = 1.0
    return mean, std


@wrong(
    "normalise",
    "forward",
    "std + eps",
    "extra-term",
    "wrong-function",
    right="eps is added to std; the larger of the two, max(std, eps), is wanted.",
)
def forward(x, mean, std, eps):
    return (x - mean) / (std + eps)


@wrong(
    "normalise",
    "forward",
    "writes eps into std",
    "mutates-input",
    right="std[std < eps] = eps changes the argument std: clamp(min=eps) makes a new tensor.",
)
def forward(x, mean, std, eps):
    std[std < eps] = eps
    return (x - mean) / std


@wrong(
    "normalise",
    "backward",
    "torch.max of a tensor and a float",
    "raised",
    right="torch.max does not take a float beside a tensor: std.clamp(min=eps).",
)
def backward(grad_output, x, mean, std, eps):
    return grad_output / torch.max(std, eps)


@wrong(
    "normalise",
    "backward",
    "mean treated as depending on x",
    "extra-term",
    right="The mean of grad_output is taken off as if `mean` depended on x; mean and std are constants.",
)
def backward(grad_output, x, mean, std, eps):
    s = std.clamp(min=eps)
    return (grad_output - grad_output.mean(dim=0)) / s


# ---------------------------------------------------------------- relu_rescaling
@wrong(
    "relu_rescaling",
    "rescale",
    "the bias is not scaled",
    "missing-term",
    right="b1 is not multiplied by alpha: the bias belongs to the first layer.",
)
def rescale(w1, b1, w2, alpha):
    if alpha <= 0:
        raise ValueError("alpha must be positive")
    return alpha * w1, b1.clone(), w2 / alpha


@wrong(
    "relu_rescaling",
    "rescale",
    "w2 multiplied too",
    "wrong-function",
    "scaled-by-constant",
    right="w2 is multiplied by alpha; it must be divided, so that the network stays the same.",
)
def rescale(w1, b1, w2, alpha):
    if alpha <= 0:
        raise ValueError("alpha must be positive")
    return alpha * w1, alpha * b1, alpha * w2


@wrong(
    "relu_rescaling",
    "rescale",
    "alpha = 0 passes",
    "must-raise",
    right="alpha = 0 must raise ValueError too; only negative ones are refused.",
)
def rescale(w1, b1, w2, alpha):
    if alpha < 0:
        raise ValueError("negative alpha")
    return w1 * alpha, b1 * alpha, w2 / alpha


@wrong(
    "relu_rescaling",
    "rescale",
    "assert for ValueError",
    "must-raise",
    "raised",
    right="For alpha ≤ 0 an AssertionError comes; it must be a ValueError.",
)
def rescale(w1, b1, w2, alpha):
    assert alpha > 0, "alpha must be positive"
    return w1 * alpha, b1 * alpha, w2 / alpha


@wrong(
    "relu_rescaling",
    "rescale",
    "scales the given weights in place",
    "mutates-input",
    right="*= and /= change the given weights themselves; new tensors are to be returned.",
)
def rescale(w1, b1, w2, alpha):
    if alpha <= 0:
        raise ValueError("alpha must be > 0")
    w1 *= alpha
    b1 *= alpha
    w2 /= alpha
    return w1, b1, w2


# ---------------------------------------------------------------- vanishing_gradient
@wrong(
    "vanishing_gradient",
    "sigmoid_chain",
    "slope at z_k, not at w_k z_k",
    "wrong-variable",
    "missing-term",
    right="The sigmoid's slope is taken at z_k; it belongs at w_k z_k.",
)
def sigmoid_chain(x, weights):
    def sigmoid(s):
        return 1 / (1 + math.exp(-s))

    zs = [x]
    for w in weights:
        zs.append(sigmoid(w * zs[-1]))
    grads = [1.0]
    for k in range(len(weights) - 1, -1, -1):
        y = sigmoid(zs[k])
        grads.insert(0, grads[0] * abs(weights[k]) * y * (1 - y))
    return grads


@wrong(
    "vanishing_gradient",
    "sigmoid_chain",
    "signs of the weights are kept",
    "sign-flipped",
    "missing-term",
    right="The absolute value is missing: for negative weights the entries come out negative.",
)
def sigmoid_chain(x, weights):
    z = x
    slopes = []
    for w in weights:
        z = 1 / (1 + math.exp(-w * z))
        slopes.append(w * z * (1 - z))
    grads = [1.0]
    for slope in reversed(slopes):
        grads.append(grads[-1] * slope)
    return grads[::-1]


@wrong(
    "vanishing_gradient",
    "sigmoid_chain",
    "a quarter for every slope",
    "wrong-function",
    "hard-coded-size",
    right="1/4 is the sigmoid's largest slope, not the slope everywhere: y (1 − y) at each stage.",
)
def sigmoid_chain(x, weights):
    grads = [1.0]
    for w in reversed(weights):
        grads.insert(0, 0.25 * abs(w) * grads[0])
    return grads


@wrong(
    "vanishing_gradient",
    "relu_chain",
    "a list as default argument keeps growing",
    "keeps-state",
    right="The result depends on earlier calls: the default list is made once and grows with every call.",
)
def relu_chain(x, weights, grads=[1.0]):
    sums = []
    z = x
    for w in weights:
        sums.append(w * z)
        z = max(w * z, 0.0)
    for w, s in zip(reversed(weights), reversed(sums)):
        grads.append(grads[-1] * (abs(w) if s > 0 else 0.0))
    return grads[::-1]


@wrong(
    "vanishing_gradient",
    "relu_chain",
    "torch.relu of a float",
    "raised",
    right="torch.relu takes tensors, and the chain has Python floats: max(s, 0.0).",
)
def relu_chain(x, weights):
    zs = [x]
    for w in weights:
        zs.append(torch.relu(w * zs[-1]))
    grads = [1.0]
    for k in reversed(range(len(weights))):
        slope = abs(weights[k]) if zs[k + 1] > 0 else 0.0
        grads = [grads[0] * slope] + grads
    return grads


# ---------------------------------------------------------------- weight_decay
@wrong(
    "weight_decay",
    "l2_gradient",
    "return is forgotten",
    "wrong-type",
    right="None came back: the function has no return.",
)
def l2_gradient(w, alpha):
    grad = 2 * alpha * w


@wrong(
    "weight_decay",
    "l1_gradient",
    "w / |w| is NaN at zero",
    "kink",
    "not-finite",
    right="At w = 0 the quotient w / |w| is NaN; any value from −alpha to alpha is wanted (torch.sign).",
)
def l1_gradient(w, alpha):
    return alpha * w / torch.abs(w)


@wrong(
    "weight_decay",
    "l1_gradient",
    "negative weights get nothing",
    "missing-mask",
    "wrong-mask",
    "missing-term",
    right="For negative weights zero comes back, where the slope is −alpha.",
)
def l1_gradient(w, alpha):
    return alpha * (w > 0).to(w.dtype)


@wrong(
    "weight_decay",
    "decayed_step",
    "the decay lacks lr",
    "missing-term",
    "ignores-learning-rate",
    right="The decay 2 alpha w lacks the factor lr.",
)
def decayed_step(w, grad, lr, alpha):
    return (1 - 2 * alpha) * w - lr * grad


@wrong(
    "weight_decay",
    "decayed_step",
    "the decay is applied after the step",
    "extra-term",
    right="The factor 1 − 2 lr alpha acts on the gradient's step as well; it belongs to the old w alone.",
)
def decayed_step(w, grad, lr, alpha):
    w = w - lr * grad
    w = w * (1 - 2 * lr * alpha)
    return w
