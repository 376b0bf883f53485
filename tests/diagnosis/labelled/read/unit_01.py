from __future__ import annotations

import torch
from tests.diagnosis.labelled.read import wrong


# ---------------------------------------------------------------- linear_model
@wrong(
    "linear_model",
    "forward",
    "products are never summed",
    "missing-reduction",
    "wrong-shape",
    right="The products w_i x_i come back one by one; their sum, a number without axes, is wanted.",
)
def forward(x, w):
    return x * w


@wrong(
    "linear_model",
    "forward",
    "row times column leaves a 1 by 1 matrix",
    "wrong-shape",
    right="The result has shape (1, 1) where no axes belong.",
)
def forward(x, w):
    row = w.reshape(1, -1)
    column = x.reshape(-1, 1)
    return row @ column


@wrong(
    "linear_model",
    "backward",
    "@ with a grad_output without axes",
    "raised",
    right="grad_output has no axes and cannot stand beside @: it is to be multiplied with *.",
)
def backward(grad_output, x, w):
    grad_x = grad_output @ w
    grad_w = grad_output @ x
    return grad_x, grad_w


@wrong(
    "linear_model",
    "backward",
    "grad_w built on grad_x, not on grad_output",
    "extra-term",
    "wrong-variable",
    right="grad_w has a factor w too many: it starts from grad_x where grad_output belongs.",
)
def backward(grad_output, x, w):
    grad_x = grad_output * w
    grad_w = grad_x * x
    return grad_x, grad_w


@wrong(
    "linear_model",
    "backward",
    "divided by n as if the model were a mean",
    "scaled-by-size",
    right="Both gradients are divided by n, the number of entries; the model is a sum and not a mean.",
)
def backward(grad_output, x, w):
    n = x.shape[0]
    return grad_output * w / n, grad_output * x / n


# ---------------------------------------------------------------- nearest_neighbour
@wrong(
    "nearest_neighbour",
    "distances",
    "squeeze takes the only prototype's axis too",
    "edge-size",
    "wrong-shape",
    right="With a single prototype squeeze() takes its axis too: the result must keep (K,), so squeeze(0).",
)
def distances(x, w):
    d = torch.linalg.norm(w.unsqueeze(0) - x, dim=2).squeeze()
    return d**2


@wrong(
    "nearest_neighbour",
    "forward",
    "smallest distance, not its index",
    "wrong-dtype",
    "wrong-function",
    right="The smallest distance itself came back; its index k, an int64, is wanted.",
)
def forward(x, w):
    d = ((x - w) ** 2).sum(dim=1)
    return d.min(dim=0)[0]


@wrong(
    "nearest_neighbour",
    "forward",
    "the last of equally near prototypes wins",
    "kink",
    "edge-case",
    right="Where two prototypes are equally near, the first must win; here the last does.",
)
def forward(x, w):
    best = 0
    best_distance = None
    for k in range(w.shape[0]):
        d = ((x - w[k]) ** 2).sum()
        if best_distance is None or d <= best_distance:
            best = k
            best_distance = d
    return torch.tensor(best)


@wrong(
    "nearest_neighbour",
    "backward",
    "grad_output (K,) times a matrix (K, n) without a new axis",
    "raised",
    right="grad_output (K,) meets the columns of x − w (K, n); it needs an axis behind, grad_output[:, None].",
)
def backward(grad_output, x, w):
    diff = 2 * grad_output * (x - w)
    return diff.sum(dim=0), -diff


@wrong(
    "nearest_neighbour",
    "backward",
    "gradient for the nearest prototype only",
    "wrong-mask",
    "missing-term",
    right="All K distances have a gradient, and only the nearest prototype got one; the argmin has no part in it.",
)
def backward(grad_output, x, w):
    k = ((x - w) ** 2).sum(dim=1).argmin()
    grad_w = torch.zeros_like(w)
    grad_w[k] = -2 * grad_output[k] * (x - w[k])
    grad_x = 2 * grad_output[k] * (x - w[k])
    return grad_x, grad_w


# ---------------------------------------------------------------- squared_error
@wrong(
    "squared_error",
    "forward",
    "sums first, then squares",
    "wrong-function",
    "extra-reduction",
    right="The differences are summed before they are squared; each is to be squared first.",
)
def forward(y, y_bar):
    return (y - y_bar).sum() ** 2


@wrong(
    "squared_error",
    "forward",
    "subtracts in place",
    "mutates-input",
    right="y -= y_bar changes the argument y in place.",
)
def forward(y, y_bar):
    y -= y_bar
    return (y * y).sum()


@wrong(
    "squared_error",
    "backward",
    "the norm where the difference belongs",
    "wrong-shape",
    "extra-reduction",
    right="A number came back for each gradient: the derivative by entry i is 2 (y_i − ȳ_i), not 2 ‖y − ȳ‖.",
)
def backward(grad_output, y, y_bar):
    grad = 2 * grad_output * torch.linalg.norm(y - y_bar)
    return grad, -grad


@wrong(
    "squared_error",
    "backward",
    "neg_ turns both gradients round",
    "sign-flipped",
    right="grad_y has the wrong sign: neg_() changed it in place, and both results are one tensor.",
)
def backward(grad_output, y, y_bar):
    grad_y = 2 * grad_output * (y - y_bar)
    grad_y_bar = grad_y.neg_()
    return grad_y, grad_y_bar


@wrong(
    "squared_error",
    "backward",
    "returns NumPy arrays",
    "wrong-type",
    right="NumPy arrays came back where torch tensors belong.",
)
def backward(grad_output, y, y_bar):
    error = y.numpy() - y_bar.numpy()
    g = grad_output.numpy()
    return 2 * g * error, -2 * g * error


# ---------------------------------------------------------------- average_loss
@wrong(
    "average_loss",
    "forward",
    "keepdim leaves an axis of one",
    "wrong-shape",
    right="The result has shape (1,) where no axes belong.",
)
def forward(w, x, y):
    error = y - x @ w
    return (error**2).mean(dim=0, keepdim=True)


@wrong(
    "average_loss",
    "forward",
    "column minus row makes a P by P table",
    "extra-term",
    "wrong-axis",
    right="y as a column minus x @ w is a P × P table of all pairs; only y_p with its own prediction belongs in the mean.",
)
def forward(w, x, y):
    y = y.reshape(-1, 1)
    prediction = x @ w
    return ((y - prediction) ** 2).mean()


@wrong(
    "average_loss",
    "backward",
    "divides by all entries of x",
    "scaled-by-size",
    right="The gradient is too small by the factor n: it is divided by P·n and not by P.",
)
def backward(grad_output, w, x, y):
    error = y - x @ w
    return -2 * grad_output * (error @ x) / x.numel()


@wrong(
    "average_loss",
    "backward",
    "x @ error without a transpose",
    "raised",
    right="x (P, n) @ error (P,) does not fit: the sum runs over the samples, so x.T @ error or error @ x.",
)
def backward(grad_output, w, x, y):
    error = y - x @ w
    return grad_output * (-2 / len(y)) * (x @ error)


@wrong(
    "average_loss",
    "backward",
    "loop begins at the second sample",
    "missing-term",
    right="The first sample's term is missing from the sum.",
)
def backward(grad_output, w, x, y):
    P = x.shape[0]
    grad = torch.zeros_like(w)
    for p in range(1, P):
        error = y[p] - x[p] @ w
        grad = grad - 2 * error * x[p]
    return grad_output * grad / P
