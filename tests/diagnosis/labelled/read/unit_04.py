from __future__ import annotations

import math

import torch
from tests.diagnosis.labelled.read import wrong


# ---------------------------------------------------------------- linear
@wrong(
    "linear",
    "forward",
    "weight is not transposed",
    "raised",
    right="x (B, I) @ weight (O, I) does not fit: weight must be transposed.",
)
def forward(x, weight, bias):
    return torch.matmul(x, weight) + bias


@wrong(
    "linear",
    "backward",
    "grad_bias keeps the batch axis",
    "wrong-shape",
    right="grad_bias has shape (1, O) where bias is (O,): keepdim=True is too much.",
)
def backward(grad_output, x, weight, bias):
    grad_x = grad_output @ weight
    grad_weight = grad_output.transpose(0, 1) @ x
    grad_bias = grad_output.sum(0, keepdim=True)
    return grad_x, grad_weight, grad_bias


@wrong(
    "linear",
    "backward",
    "Python's sum over no samples is the number 0",
    "empty-batch",
    "wrong-type",
    right="For an empty batch Python's sum gives the number 0 where a tensor of zeros, shaped like weight, belongs.",
)
def backward(grad_output, x, weight, bias):
    grad_weight = sum(torch.outer(g, row) for g, row in zip(grad_output, x))
    return grad_output @ weight, grad_weight, grad_output.sum(dim=0)


@wrong(
    "linear",
    "jacobian_weight",
    "x for every pair of outputs",
    "missing-mask",
    "missing-term",
    right="Output o depends on row o of weight only: the entries with p ≠ o must be zero.",
)
def jacobian_weight(x, weight, bias):
    O, I = weight.shape
    return x.repeat(O, O, 1)


@wrong(
    "linear",
    "jacobian_x",
    "weight transposed, as in the formula x Wᵀ",
    "transposed",
    "wrong-shape",
    right="The Jacobian is transposed: rows are outputs and columns inputs, so it is weight itself.",
)
def jacobian_x(x, weight, bias):
    return weight.T.clone()


# ---------------------------------------------------------------- relu
@wrong(
    "relu",
    "forward",
    "Python's max of a tensor and 0",
    "raised",
    right="Python's max cannot compare a tensor with many entries with 0: torch.relu or clamp(min=0).",
)
def forward(x):
    return max(x, 0)


@wrong(
    "relu",
    "forward",
    "sets the negative entries of x to zero",
    "mutates-input",
    right="x[x < 0] = 0 writes into the argument itself.",
)
def forward(x):
    x[x < 0] = 0
    return x


@wrong(
    "relu",
    "backward",
    "mask taken from grad_output",
    "mask-from-upstream",
    right="The mask must ask where x is positive; here it asks where grad_output is.",
)
def backward(grad_output, x):
    grad = grad_output.clone()
    grad[grad < 0] = 0
    return grad


@wrong(
    "relu",
    "backward",
    "x, not 0, where x is negative",
    "wrong-variable",
    "extra-term",
    right="Where x is negative x itself comes back; the gradient is zero there.",
)
def backward(grad_output, x):
    return torch.where(x > 0, grad_output, x)


@wrong(
    "relu",
    "jacobian",
    "a diagonal of booleans",
    "wrong-dtype",
    right="A boolean matrix came back; the Jacobian has the dtype of x.",
)
def jacobian(x):
    return torch.diag(x > 0)


# ---------------------------------------------------------------- duplicate
@wrong(
    "duplicate",
    "forward",
    "always two copies",
    "hard-coded-size",
    "ignores-argument",
    right="Always two copies come back, whatever `copies` is.",
)
def forward(x, copies):
    return x, x


@wrong(
    "duplicate",
    "forward",
    "one stacked tensor, no tuple",
    "wrong-type",
    right="One tensor with a new axis came back; a tuple of `copies` tensors is wanted.",
)
def forward(x, copies):
    return x.unsqueeze(0).repeat_interleave(copies, dim=0)


@wrong(
    "duplicate",
    "backward",
    "first gradient times the number of copies",
    "wrong-variable",
    "missing-term",
    right="Only the first copy's gradient is used, times the number of copies; all of them are to be added up.",
)
def backward(grad_outputs):
    return grad_outputs[0] * len(grad_outputs)


@wrong(
    "duplicate",
    "backward",
    "mean over the copies",
    "scaled-by-size",
    right="The mean of the copies' gradients came back; their sum is wanted.",
)
def backward(grad_outputs):
    return torch.stack(list(grad_outputs)).mean(dim=0)


@wrong(
    "duplicate",
    "backward",
    "+= into the first gradient",
    "mutates-input",
    right="total += g changes grad_outputs[0] in place.",
)
def backward(grad_outputs):
    total = grad_outputs[0]
    for g in grad_outputs[1:]:
        total += g
    return total


# ---------------------------------------------------------------- add
@wrong(
    "add",
    "forward",
    "Python's sum(x1, x2)",
    "extra-reduction",
    "wrong-function",
    right="sum(x1, x2) adds up the rows of x1, beginning with x2; entry by entry it is x1 + x2.",
)
def forward(x1, x2):
    return sum(x1, x2)


@wrong(
    "add",
    "forward",
    "concatenated",
    "wrong-shape",
    "wrong-function",
    right="The tensors are put behind each other; they are to be added entry by entry.",
)
def forward(x1, x2):
    return torch.cat([x1, x2], dim=-1)


@wrong(
    "add",
    "backward",
    "one gradient for both",
    "wrong-type",
    right="One tensor came back where a tuple of two gradients belongs.",
)
def backward(grad_output, x1, x2):
    return grad_output


@wrong(
    "add",
    "backward",
    "product rule",
    "extra-term",
    right="Each gradient has the other input as a factor; that is the product's rule, and for a sum it is grad_output.",
)
def backward(grad_output, x1, x2):
    return grad_output * x2, grad_output * x1


@wrong(
    "add",
    "backward",
    "the gradient is shared out by half",
    "scaled-by-constant",
    right="Each input gets the whole of grad_output, not half of it.",
)
def backward(grad_output, x1, x2):
    half = 0.5 * grad_output
    return half, half.clone()


# ---------------------------------------------------------------- maximum
@wrong(
    "maximum",
    "forward",
    ".values on the maximum of two tensors",
    "wrong-type",
    right="torch.max(x1, x2) is a tensor already; its `.values` is a method, and that is what came back.",
)
def forward(x1, x2):
    return torch.max(x1, x2).values


@wrong(
    "maximum",
    "backward",
    "both get everything at a tie",
    "kink",
    right="At a tie both inputs get the whole of grad_output; the shares must add up to one.",
)
def backward(grad_output, x1, x2):
    return grad_output * (x1 >= x2), grad_output * (x2 >= x1)


@wrong(
    "maximum",
    "backward",
    "the smaller one gets the gradient",
    "wrong-mask",
    "swapped-gradients",
    right="The gradient goes to the smaller input; it belongs to the larger.",
)
def backward(grad_output, x1, x2):
    mask = (x1 < x2).to(x1.dtype)
    return mask * grad_output, (1 - mask) * grad_output


@wrong(
    "maximum",
    "backward",
    "nearly equal is split like a tie",
    "kink",
    "edge-case",
    right="Entries that are nearly equal are split as if they tied; only x1 == x2 is a tie.",
)
def backward(grad_output, x1, x2):
    tie = torch.isclose(x1, x2)
    grad_x1 = torch.where(x1 > x2, grad_output, torch.zeros_like(grad_output))
    grad_x1 = torch.where(tie, grad_output / 2, grad_x1)
    return grad_x1, grad_output - grad_x1


@wrong(
    "maximum",
    "backward",
    "relu's masks",
    "wrong-mask",
    right="The masks ask where each input is positive; they must ask which of the two is larger.",
)
def backward(grad_output, x1, x2):
    grad_x1 = grad_output * (x1 > 0)
    grad_x2 = grad_output * (x2 > 0)
    return grad_x1, grad_x2


# ---------------------------------------------------------------- sigmoid
@wrong(
    "sigmoid",
    "forward",
    "exp(x) / (1 + exp(x)) overflows",
    "unstable",
    right="For large x exp(x) overflows and inf / inf gives NaN.",
)
def forward(x):
    e = torch.exp(x)
    return e / (1 + e)


@wrong(
    "sigmoid",
    "forward",
    "math.exp of a tensor",
    "raised",
    right="math.exp takes one number only; for a tensor it is torch.exp.",
)
def forward(x):
    return 1 / (1 + math.exp(-x))


@wrong(
    "sigmoid",
    "backward",
    "x taken for y in y (1 − y)",
    "wrong-variable",
    right="In y (1 − y) x stands for y: the sigmoid of x belongs there.",
)
def backward(grad_output, x):
    return grad_output * x * (1 - x)


@wrong(
    "sigmoid",
    "backward",
    "1 − σ(x) written as σ(1 − x)",
    "wrong-function",
    "extra-term",
    right="The derivative is σ(x)(1 − σ(x)); σ(1 − x) is not 1 − σ(x).",
)
def backward(grad_output, x):
    return grad_output * torch.sigmoid(x) * torch.sigmoid(1 - x)


@wrong(
    "sigmoid",
    "jacobian",
    "a full outer product",
    "missing-mask",
    "extra-term",
    right="Entries off the diagonal must be zero: each output depends on its own input only.",
)
def jacobian(x):
    y = torch.sigmoid(x)
    return torch.outer(y, 1 - y)


# ---------------------------------------------------------------- tanh
@wrong(
    "tanh",
    "forward",
    "2σ(x) − 1 without the 2 in the argument",
    "missing-term",
    "wrong-function",
    "scaled-by-constant",
    right="tanh(x) is 2σ(2x) − 1: the factor 2 of the argument is missing.",
)
def forward(x):
    return 2 * torch.sigmoid(x) - 1


@wrong(
    "tanh",
    "backward",
    "(1 − y)² for 1 − y²",
    "wrong-function",
    right="The derivative is 1 − y², and (1 − y)² stands there: the square belongs to y alone.",
)
def backward(grad_output, x):
    return grad_output * (1 - torch.tanh(x)) ** 2


@wrong(
    "tanh",
    "backward",
    "lets autograd do it",
    "uses-autograd",
    right="The gradient comes from automatic differentiation; it is to be written by hand.",
)
def backward(grad_output, x):
    z = x.clone().detach().requires_grad_(True)
    y = torch.tanh(z)
    y.backward(grad_output)
    return z.grad


@wrong(
    "tanh",
    "jacobian",
    "finite differences",
    "low-precision",
    right="The entries are right to a few digits only: difference quotients stand in for the derivative 1 − y².",
)
def jacobian(x):
    h = 1e-4
    n = x.shape[0]
    J = torch.zeros(n, n, dtype=x.dtype)
    for j in range(n):
        e = torch.zeros_like(x)
        e[j] = h
        J[:, j] = (torch.tanh(x + e) - torch.tanh(x - e)) / (2 * h)
    return J


@wrong(
    "tanh",
    "jacobian",
    "subtracts y² from every entry of the identity",
    "missing-mask",
    "extra-term",
    right="Off the diagonal stands −y², where zero belongs: diag(1 − y²), not eye − y².",
)
def jacobian(x):
    y = torch.tanh(x)
    return torch.eye(len(x), dtype=x.dtype) - y**2


# ---------------------------------------------------------------- softplus
@wrong(
    "softplus",
    "forward",
    "guarded above, but log(1 + tiny) is 0",
    "unstable",
    "low-precision",
    right="For very negative x 1 + exp(x) rounds to 1 and the logarithm to 0: log1p keeps the digits.",
)
def forward(x):
    return torch.where(x > 20, x, torch.log(1 + torch.exp(x.clamp(max=20))))


@wrong(
    "softplus",
    "forward",
    "torch.logp1",
    "raised",
    right="torch has no logp1; it is called log1p.",
)
def forward(x):
    return torch.relu(x) + torch.logp1(torch.exp(-x.abs()))


@wrong(
    "softplus",
    "backward",
    "sign of the exponent",
    "sign-flipped",
    "wrong-function",
    right="The exponent has the wrong sign: the derivative is 1 / (1 + e^(−x)).",
)
def backward(grad_output, x):
    return grad_output / (1 + torch.exp(x))


@wrong(
    "softplus",
    "backward",
    "derivative of relu",
    "wrong-function",
    "wrong-mask",
    right="The step 0 or 1 is relu's derivative; softplus has the sigmoid.",
)
def backward(grad_output, x):
    mask = x > 0
    return mask * grad_output


@wrong(
    "softplus",
    "jacobian",
    "sigmoid after diag",
    "missing-mask",
    "extra-term",
    right="Off the diagonal stands sigmoid(0) = 0.5, where zero belongs: diag comes after the sigmoid.",
)
def jacobian(x):
    return torch.sigmoid(torch.diag(x))


# ---------------------------------------------------------------- softmax
@wrong(
    "softmax",
    "forward",
    "one maximum for the whole batch",
    "unstable",
    "raised",
    "empty-batch",
    right="One maximum is taken over the whole batch: it raises for an empty one, and rows far below it give 0 / 0; each row needs its own.",
)
def forward(x):
    e = torch.exp(x - x.max())
    return e / e.sum(dim=-1, keepdim=True)


@wrong(
    "softmax",
    "forward",
    "max(dim) gives a pair",
    "raised",
    right="x.max(dim=…) is a pair (values, indices) and cannot be subtracted: take .values, or amax.",
)
def forward(x):
    e = torch.exp(x - x.max(dim=-1, keepdim=True))
    return e / e.sum(dim=-1, keepdim=True)


@wrong(
    "softmax",
    "backward",
    "sum without keepdim",
    "raised",
    "wrong-axis",
    right="The sum over the last axis has shape (B,) and meets the columns: keepdim=True is missing.",
)
def backward(grad_output, x):
    y = torch.softmax(x, dim=-1)
    dot = (grad_output * y).sum(dim=-1)
    return y * (grad_output - dot)


@wrong(
    "softmax",
    "backward",
    "sigmoid's rule y (1 − y)",
    "diagonal-only",
    right="y (1 − y) is only the Jacobian's diagonal: every output depends on every input.",
)
def backward(grad_output, x):
    y = torch.softmax(x, dim=-1)
    return grad_output * y * (1 - y)


@wrong(
    "softmax",
    "jacobian",
    "y @ y taken for an outer product",
    "extra-reduction",
    "wrong-function",
    right="y @ y is one number; diag(y) minus the outer product of y with itself is wanted.",
)
def jacobian(x):
    y = torch.softmax(x, dim=0)
    return torch.diag(y) - y @ y


# ---------------------------------------------------------------- log_softmax
@wrong(
    "log_softmax",
    "forward",
    "log of softmax",
    "unstable",
    right="Small probabilities round to 0 and their logarithm to −inf: subtract logsumexp from x.",
)
def forward(x):
    return torch.log(torch.softmax(x, dim=-1))


@wrong(
    "log_softmax",
    "forward",
    "maximum subtracted in the exponent only",
    "missing-term",
    "extra-term",
    right="The maximum is subtracted inside exp and not outside: the result is too large by the maximum.",
)
def forward(x):
    m = x.amax(dim=-1, keepdim=True)
    return x - torch.log(torch.exp(x - m).sum(dim=-1, keepdim=True))


@wrong(
    "log_softmax",
    "backward",
    "softmax not multiplied by the sum of grad_output",
    "missing-term",
    right="softmax(x) must be multiplied by the sum of grad_output over the row; this factor is missing.",
)
def backward(grad_output, x):
    return grad_output - torch.softmax(x, dim=-1)


@wrong(
    "log_softmax",
    "backward",
    "grad_output summed over the whole batch",
    "wrong-axis",
    right="grad_output is summed over the whole batch; each row needs its own sum (dim=-1, keepdim=True).",
)
def backward(grad_output, x):
    p = torch.softmax(x, dim=-1)
    return grad_output - p * grad_output.sum()


@wrong(
    "log_softmax",
    "jacobian",
    "softmax down the columns",
    "transposed",
    right="The Jacobian is transposed: −p_j stands in column j, not in row j.",
)
def jacobian(x):
    p = torch.softmax(x, dim=0)
    return torch.eye(x.numel(), dtype=x.dtype) - p.unsqueeze(1)
