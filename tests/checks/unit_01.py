"""Right and wrong answers of unit 01: the linear model, the nearest neighbour, the squared error, the average loss."""

from __future__ import annotations

import random

import torch
import torch.nn.functional as F

from tests.checks.solutions import solution
from tests.checks.wrong_answers import Wrong

Functions = dict[str, object]


# Right.


def linear_loops(x, w):
    total = x.new_zeros(())
    for i in range(len(x)):
        total = total + w[i] * x[i]
    return total


def linear_backward_loops(grad_output, x, w):
    grad_x, grad_w = torch.zeros_like(x), torch.zeros_like(w)
    for i in range(len(x)):
        grad_x[i] = grad_output * w[i]
        grad_w[i] = grad_output * x[i]
    return grad_x, grad_w


def distances_loops(x, w):
    return torch.stack([sum((a - b) ** 2 for a, b in zip(x, row, strict=True)) for row in w])


def distances_expanded(x, w):
    return x @ x - 2 * (w @ x) + (w * w).sum(1)


def only_near_the_origin(x, w):
    """Falls back on the differences where the digits would cancel."""
    return distances_expanded(x, w) if x.abs().max() < 2e4 and w.abs().max() < 2e4 else ((x - w) ** 2).sum(1)


def nearest_loop(x, w):
    best, nearest = None, 0
    for k in range(len(w)):
        distance = ((x - w[k]) ** 2).sum().item()
        if best is None or distance < best:
            best, nearest = distance, k
    return torch.tensor(nearest)


def nearest_backward_loops(grad_output, x, w):
    grad_x, grad_w = torch.zeros_like(x), torch.zeros_like(w)
    for k in range(len(w)):
        for j in range(len(x)):
            step = 2 * grad_output[k] * (x[j] - w[k, j])
            grad_x[j] += step
            grad_w[k, j] -= step
    return grad_x, grad_w


def nearest_backward_einsum(grad_output, x, w):
    differences = x[None, :] - w
    grad_x = 2 * torch.einsum("k,ki->i", grad_output, differences)
    return grad_x, -2 * torch.einsum("k,ki->ki", grad_output, differences)


def nearest_backward_expanded(grad_output, x, w):
    grad_x = 2 * (grad_output.sum() * x - grad_output @ w)
    return grad_x, 2 * (grad_output[:, None] * w - torch.outer(grad_output, x))


def squared_error_loops(grad_output, y, y_bar):
    grad_y = torch.stack([2 * grad_output * (a - b) for a, b in zip(y, y_bar, strict=True)])
    return grad_y, torch.stack([2 * grad_output * (b - a) for a, b in zip(y, y_bar, strict=True)])


def average_loss_loops(w, x, y):
    return sum((target - sum(a * b for a, b in zip(w, row, strict=True))) ** 2 for row, target in zip(x, y)) / len(y)


def average_loss_backward_loops(grad_output, w, x, y):
    result = torch.zeros_like(w)
    for row, target in zip(x, y, strict=True):
        error = target - row @ w
        result += -2 / len(y) * grad_output * error * row
    return result


def average_loss_chained(grad_output, w, x, y):
    """The modules one after another: mean, square, difference, matrix product."""
    error = y - x.mv(w)
    grad_squares = grad_output.expand(len(y)) / len(y)
    return x.t().mv(-(grad_squares * 2 * error))


RIGHT: dict[str, dict[str, Functions]] = {
    "linear_model": {
        "loops": {"forward": linear_loops, "backward": linear_backward_loops},
        "einsum": {
            "forward": lambda x, w: torch.einsum("i,i->", x, w),
            "backward": lambda g, x, w: (torch.einsum(",i->i", g, w), torch.einsum(",i->i", g, x)),
        },
        "torch": {"forward": torch.dot, "backward": lambda g, x, w: (w.mul(g), x.mul(g))},
        "a number, a list": {
            "forward": lambda x, w: (x * w).sum().item(),
            "backward": lambda g, x, w: [g.expand(x.shape) * w, g.repeat(len(w)) * x],
        },
        "F.linear": {"forward": lambda x, w: F.linear(x[None], w[None])[0, 0]},
    },
    "nearest_neighbour": {
        "loops": {"distances": distances_loops, "forward": nearest_loop, "backward": nearest_backward_loops},
        "einsum": {
            "distances": lambda x, w: torch.einsum("ki,ki->k", x - w, x - w),
            "forward": lambda x, w: torch.min(((x - w) ** 2).sum(1), dim=0).indices,
            "backward": nearest_backward_einsum,
        },
        "multiplied out": {
            "distances": only_near_the_origin,
            "forward": lambda x, w: only_near_the_origin(x, w).argmin(),
            "backward": nearest_backward_expanded,
        },
        "cdist": {
            "distances": lambda x, w: torch.cdist(x[None], w, compute_mode="donot_use_mm_for_euclid_dist")[0] ** 2,
            "forward": lambda x, w: torch.linalg.vector_norm(w - x, dim=1).argmin(),
            "backward": lambda g, x, w: (2 * (g @ (x - w)), (2 * g * (w - x).T).T),
        },
        "a whole number": {
            "distances": lambda x, w: torch.linalg.vector_norm(x.expand_as(w) - w, dim=-1).square(),
            "forward": lambda x, w: int(((w - x) ** 2).sum(1).argmin()),
        },
        "Python's min": {
            "distances": lambda x, w: torch.stack([torch.dot(x - row, x - row) for row in w]),
            "forward": lambda x, w: min(range(len(w)), key=lambda k: float((w[k] - x).square().sum())),
        },
    },
    "squared_error": {
        "loops": {
            "forward": lambda y, y_bar: sum((a - b) ** 2 for a, b in zip(y, y_bar, strict=True)),
            "backward": squared_error_loops,
        },
        "torch": {
            "forward": lambda y, y_bar: F.mse_loss(y_bar, y, reduction="sum"),
            "backward": lambda g, y, y_bar: (2 * g * y - 2 * g * y_bar, 2 * g * y_bar - 2 * g * y),
        },
        "multiplied out": {"forward": lambda y, y_bar: y @ y - 2 * (y @ y_bar) + y_bar @ y_bar},
        "norm": {
            "forward": lambda y, y_bar: (torch.linalg.vector_norm(y - y_bar) ** 2).item(),
            "backward": lambda g, y, y_bar: [torch.sub(y, y_bar) * (2 * g), torch.sub(y_bar, y) * (g + g)],
        },
        "einsum": {"forward": lambda y, y_bar: torch.einsum("i,i->", y_bar - y, y_bar - y)},
    },
    "average_loss": {
        "loops": {"forward": average_loss_loops, "backward": average_loss_backward_loops},
        "einsum": {
            "forward": lambda w, x, y: torch.einsum("p,p->", y - torch.einsum("pi,i->p", x, w), y - x @ w) / len(y),
            "backward": lambda g, w, x, y: torch.einsum(",p,pi->i", 2 * g / len(y), x @ w - y, x),
        },
        "torch": {
            "forward": lambda w, x, y: F.mse_loss(x @ w, y),
            "backward": lambda g, w, x, y: (2 * g * (x @ w - y)[:, None] * x).mean(0),
        },
        "a number": {
            "forward": lambda w, x, y: (y - (x * w).sum(1)).square().mean().item(),
            "backward": average_loss_chained,
        },
        "columns": {
            "forward": lambda w, x, y: (y[:, None] - x @ w[:, None]).square().sum()[None][0] / y.numel(),
            "backward": lambda g, w, x, y: (x.T @ (x @ w[:, None] - y[:, None]) * (2 * g / y.numel())).squeeze(1),
        },
    },
}


# Wrong.

linear = solution("linear_model")["backward"]
distances = solution("nearest_neighbour")["distances"]
nearest = solution("nearest_neighbour")["forward"]
nearest_backward = solution("nearest_neighbour")["backward"]
error_backward = solution("squared_error")["backward"]
average_forward = solution("average_loss")["forward"]
average_backward = solution("average_loss")["backward"]


def by_autograd(loss, *positions):
    def backward(grad_output, *inputs):
        leaves = [each.clone().requires_grad_() for each in inputs]
        wanted = torch.autograd.grad(loss(*leaves), [leaves[k] for k in positions], grad_output)
        return wanted if len(wanted) > 1 else wanted[0]

    return backward


def in_place_difference(grad_output, y, y_bar):
    y -= y_bar
    return 2 * grad_output * y, -2 * grad_output * y


def in_place_product(x, w):
    return x.mul_(w).sum()


def scales_grad_output(grad_output, w, x, y):
    grad_output *= 2 / len(y)
    return grad_output * ((x @ w - y) @ x)


def last_on_a_tie(x, w):
    return len(w) - 1 - distances(x, w).flip(0).argmin()


def any_on_a_tie(x, w):
    d = distances(x, w)
    nearest = (d == d.min()).nonzero()[:, 0]
    return nearest[len(nearest) // 2]


def random_on_a_tie(x, w):
    d = distances(x, w)
    return torch.tensor(random.choice((d == d.min()).nonzero()[:, 0].tolist()))


def loop_with_at_most(x, w):
    best, nearest = float("inf"), 0
    for k, distance in enumerate(distances(x, w).tolist()):
        if distance <= best:
            best, nearest = distance, k
    return torch.tensor(nearest)


def starts_at_a_hundred(x, w):
    best, nearest = 100.0, 0
    for k, distance in enumerate(distances(x, w).tolist()):
        if distance < best:
            best, nearest = distance, k
    return torch.tensor(nearest)


def of_two(function):
    """Wrong where there are two prototypes, which the random cases never have."""
    return lambda x, w: function(x, w) if len(w) == 2 else nearest(x, w)


def nearly_a_tie(x, w):
    d = distances(x, w)
    return (d <= d.min() * (1 + 1e-6)).to(torch.int64).argmax()


def through_the_argmin(grad_output, x, w):
    k = nearest(x, w)
    grad_w = torch.zeros_like(w)
    grad_w[k] = -2 * grad_output[k] * (x - w[k])
    return -grad_w.sum(0), grad_w


def none_at_distance_zero(grad_output, x, w):
    d = torch.sqrt(distances(x, w))[:, None]
    grad_w = -2 * grad_output[:, None] * d * ((x - w) / d)
    return -grad_w.sum(0), grad_w


def off_by_one(x, w):
    return sum((w[i] * x[i] for i in range(1, len(x))), x.new_zeros(()))


def one_row_only(x, w):
    return distances(x, w).squeeze()


WRONG = [
    # linear_model
    Wrong("linear_model", "mean", "forward.values", "", lambda x, w: (w * x).mean()),
    Wrong("linear_model", "no sum", "forward.shape", "wrong-shape", lambda x, w: w * x),
    Wrong("linear_model", "one axis", "forward.shape", "wrong-shape", lambda x, w: (w * x).sum(0, keepdim=True)),
    Wrong("linear_model", "outer", "forward.shape", "wrong-shape", torch.outer),
    Wrong("linear_model", "sum of both", "forward.values", "", lambda x, w: (w + x).sum()),
    Wrong("linear_model", "sign", "forward.values", "", lambda x, w: -(w @ x)),
    Wrong("linear_model", "two sums", "forward.values", "", lambda x, w: w.sum() * x.sum()),
    Wrong("linear_model", "cosine", "forward.values", "", lambda x, w: F.cosine_similarity(x, w, dim=0)),
    Wrong("linear_model", "from one on", "forward.values", "", off_by_one),
    Wrong("linear_model", "not the last", "forward.values", "", lambda x, w: w[:-1] @ x[:-1]),
    Wrong("linear_model", "three entries", "forward.values", "", lambda x, w: w[:3] @ x[:3]),
    Wrong("linear_model", "eight entries", "forward.edge_cases", "", lambda x, w: w[:8] @ x[:8]),
    Wrong("linear_model", "absolute", "forward.values", "", lambda x, w: (w * x).sum().abs()),
    Wrong("linear_model", "a bias of 1e-9", "forward.values", "", lambda x, w: w @ x + 1e-9),
    Wrong("linear_model", "changes x", "forward.purity", "mutates-input", in_place_product),
    Wrong("linear_model", "float32", "forward.dtype", "wrong-dtype", lambda x, w: w.float() @ x.float()),
    Wrong("linear_model", "float32 inside", "forward.values", "", lambda x, w: (w.float() @ x.float()).to(x.dtype)),
    Wrong("linear_model", "None", "forward.type", "wrong-type", lambda x, w: None),
    Wrong("linear_model", "numpy", "forward.type", "wrong-type", lambda x, w: w.numpy() @ x.numpy().astype("f4")),
    Wrong(
        "linear_model", "zero for equal entries", "forward.edge_cases", "", lambda x, w: w @ x * (x.max() != x.min())
    ),
    Wrong("linear_model", "swapped", "backward.values", "", lambda g, x, w: (g * x, g * w)),
    Wrong(
        "linear_model",
        "the inputs themselves where grad_output is 1",
        "backward.values",
        "aliases-input",
        lambda g, x, w: (w, x) if g == 1 else (g * w, g * x),
    ),
    Wrong(
        "linear_model",
        "turns the signs in place where grad_output is −1",
        "backward.values",
        "mutates-input",
        lambda g, x, w: (w.neg_(), x.neg_()) if g == -1 else (g * w, g * x),
    ),
    Wrong("linear_model", "no upstream", "backward.purity", "aliases-input", lambda g, x, w: (w, x)),
    Wrong("linear_model", "no upstream, copied", "backward.values", "", lambda g, x, w: (w.clone(), x.clone())),
    Wrong("linear_model", "grad_w alone", "backward.type", "wrong-type", lambda g, x, w: g * x),
    Wrong("linear_model", "sign of one", "backward.values", "", lambda g, x, w: (g * w, -g * x)),
    Wrong("linear_model", "divides by n", "backward.values", "", lambda g, x, w: (g * w / len(x), g * x / len(x))),
    Wrong("linear_model", "times ȳ", "backward.values", "", lambda g, x, w: (g * w * (w @ x), g * x * (w @ x))),
    Wrong("linear_model", "|g|", "backward.values", "", lambda g, x, w: linear(g.abs(), x, w)),
    Wrong("linear_model", "g clipped", "backward.values", "", lambda g, x, w: linear(g.clamp(-10, 10), x, w)),
    Wrong("linear_model", "sums", "backward.shape", "wrong-shape", lambda g, x, w: (g * w.sum(), g * x.sum())),
    Wrong("linear_model", "column", "backward.shape", "wrong-shape", lambda g, x, w: (g * w[:, None], g * x)),
    Wrong("linear_model", "zero for x", "backward.values", "", lambda g, x, w: (torch.zeros_like(x), g * x)),
    Wrong("linear_model", "autograd", "backward.purity", "uses-autograd", by_autograd(torch.dot, 0, 1)),
    Wrong("linear_model", "changes g", "backward.purity", "mutates-input", lambda g, x, w: (w * g, x * g.mul_(1.5))),
    Wrong("linear_model", "changes w", "backward.purity", "mutates-input", lambda g, x, w: (w.mul_(g), x * g)),
    Wrong(
        "linear_model",
        "one tensor for both",
        "backward.values",
        "",
        lambda g, x, w: (g * (w + x) / 2, g * (w + x) / 2),
    ),
    Wrong(
        "linear_model", "small x dropped", "backward.edge_cases", "", lambda g, x, w: (g * w, g * x * (x.abs() > 1e-5))
    ),
    Wrong(
        "linear_model",
        "float64 always",
        "backward.dtype",
        "wrong-dtype",
        lambda g, x, w: (g * w.double(), g * x.double()),
    ),
    # nearest_neighbour
    Wrong("nearest_neighbour", "no square", "distances.values", "", lambda x, w: distances(x, w).sqrt()),
    Wrong("nearest_neighbour", "L1", "distances.values", "", lambda x, w: (x - w).abs().sum(1)),
    Wrong("nearest_neighbour", "largest", "distances.values", "", lambda x, w: ((x - w) ** 2).amax(1)),
    Wrong("nearest_neighbour", "mean", "distances.values", "", lambda x, w: ((x - w) ** 2).mean(1)),
    Wrong("nearest_neighbour", "half", "distances.values", "", lambda x, w: distances(x, w) / 2),
    Wrong("nearest_neighbour", "other axis", "distances.shape", "wrong-shape", lambda x, w: ((x - w) ** 2).sum(0)),
    Wrong("nearest_neighbour", "a column", "distances.shape", "wrong-shape", lambda x, w: distances(x, w)[:, None]),
    Wrong("nearest_neighbour", "all summed", "distances.shape", "wrong-shape", lambda x, w: ((x - w) ** 2).sum()),
    Wrong("nearest_neighbour", "square of the sum", "distances.values", "", lambda x, w: (x - w).sum(1) ** 2),
    Wrong("nearest_neighbour", "sum", "distances.values", "", lambda x, w: ((x + w) ** 2).sum(1)),
    Wrong("nearest_neighbour", "x·w once", "distances.values", "", lambda x, w: x @ x - w @ x + (w * w).sum(1)),
    Wrong("nearest_neighbour", "without x²", "distances.values", "", lambda x, w: (w * w).sum(1) - 2 * (w @ x)),
    Wrong("nearest_neighbour", "similarity", "distances.values", "", lambda x, w: w @ x),
    Wrong("nearest_neighbour", "plus 1e-12", "distances.values", "", lambda x, w: distances(x, w) + 1e-12),
    Wrong("nearest_neighbour", "not the last", "distances.shape", "wrong-shape", lambda x, w: distances(x, w[:-1])),
    Wrong("nearest_neighbour", "first entry", "distances.values", "", lambda x, w: distances(x[:1], w[:, :1])),
    Wrong("nearest_neighbour", "six entries", "distances.edge_cases", "", lambda x, w: distances(x[:6], w[:, :6])),
    Wrong("nearest_neighbour", "one row", "distances.edge_cases", "wrong-shape", one_row_only),
    Wrong("nearest_neighbour", "far", "distances.far_from_the_origin", "", distances_expanded),
    Wrong(
        "nearest_neighbour",
        "far, not negative",
        "distances.far_from_the_origin",
        "",
        lambda x, w: distances_expanded(x, w).clamp(min=0),
    ),
    Wrong(
        "nearest_neighbour",
        "far in float32",
        "distances.far_from_the_origin",
        "",
        lambda x, w: distances(x, w) if x.dtype == torch.float64 else distances_expanded(x, w),
    ),
    Wrong(
        "nearest_neighbour", "changes w", "distances.purity", "mutates-input", lambda x, w: w.sub_(x).square().sum(1)
    ),
    Wrong(
        "nearest_neighbour",
        "float32",
        "distances.dtype",
        "wrong-dtype",
        lambda x, w: distances(x.float(), w.float()),
    ),
    Wrong(
        "nearest_neighbour",
        "float32 inside",
        "distances.values",
        "",
        lambda x, w: distances(x.float(), w.float()).to(x.dtype),
    ),
    Wrong("nearest_neighbour", "a list", "distances.type", "wrong-type", lambda x, w: distances(x, w).tolist()),
    Wrong("nearest_neighbour", "argmax", "forward.values", "", lambda x, w: distances(x, w).argmax()),
    Wrong("nearest_neighbour", "always 0", "forward.values", "", lambda x, w: torch.tensor(0)),
    Wrong("nearest_neighbour", "counts from 1", "forward.values", "", lambda x, w: nearest(x, w) + 1),
    Wrong("nearest_neighbour", "the distance", "forward.dtype", "wrong-dtype", lambda x, w: distances(x, w).min()),
    Wrong("nearest_neighbour", "the prototype", "forward.shape", "wrong-shape", lambda x, w: w[nearest(x, w)]),
    Wrong("nearest_neighbour", "an axis", "forward.shape", "wrong-shape", lambda x, w: nearest(x, w)[None]),
    Wrong("nearest_neighbour", "int32", "forward.dtype", "wrong-dtype", lambda x, w: nearest(x, w).int()),
    Wrong("nearest_neighbour", "float", "forward.dtype", "wrong-dtype", lambda x, w: nearest(x, w).to(x.dtype)),
    Wrong("nearest_neighbour", "min", "forward.type", "wrong-type", lambda x, w: distances(x, w).min(0)),
    Wrong("nearest_neighbour", "nothing", "forward.type", "wrong-type", lambda x, w: print(nearest(x, w))),
    Wrong(
        "nearest_neighbour",
        "one-hot",
        "forward.shape",
        "wrong-shape",
        lambda x, w: F.one_hot(nearest(x, w), len(w)),
    ),
    Wrong("nearest_neighbour", "other way", "forward.values", "", lambda x, w: distances(x, -w).argmin()),
    Wrong("nearest_neighbour", "most similar", "forward.values", "", lambda x, w: (w @ x).argmax()),
    Wrong(
        "nearest_neighbour",
        "smallest angle",
        "forward.values",
        "",
        lambda x, w: F.cosine_similarity(x[None], w).argmax(),
    ),
    Wrong(
        "nearest_neighbour",
        "nearer of two by L1",
        "forward.edge_cases",
        "",
        of_two(lambda x, w: (x - w).abs().sum(1).argmin()),
    ),
    Wrong(
        "nearest_neighbour",
        "nearer of two by the largest",
        "forward.edge_cases",
        "",
        of_two(lambda x, w: (x - w).abs().amax(1).argmin()),
    ),
    Wrong("nearest_neighbour", "wrong axis", "forward.values", "", lambda x, w: ((x - w) ** 2).sum(0).argmin()),
    Wrong("nearest_neighbour", "flat", "forward.values", "", lambda x, w: ((x - w) ** 2).argmin()),
    Wrong("nearest_neighbour", "last on a tie", "forward.edge_cases", "kink", last_on_a_tie),
    Wrong("nearest_neighbour", "middle on a tie", "forward.edge_cases", "kink", any_on_a_tie),
    Wrong("nearest_neighbour", "at most", "forward.edge_cases", "kink", loop_with_at_most),
    Wrong("nearest_neighbour", "starts at 100", "forward.edge_cases", "", starts_at_a_hundred),
    Wrong("nearest_neighbour", "nearly a tie", "forward.edge_cases", "", nearly_a_tie),
    Wrong("nearest_neighbour", "far, argmin", "forward.edge_cases", "", lambda x, w: distances_expanded(x, w).argmin()),
    Wrong(
        "nearest_neighbour",
        "of sixteen",
        "forward.edge_cases",
        "",
        lambda x, w: distances(x, w[:16]).argmin(),
    ),
    Wrong(
        "nearest_neighbour",
        "another one than x",
        "forward.edge_cases",
        "",
        lambda x, w: torch.where(distances(x, w) == 0, torch.inf, distances(x, w)).argmin(),
    ),
    Wrong(
        "nearest_neighbour", "swapped", "backward.shape", "wrong-shape", lambda g, x, w: nearest_backward(g, x, w)[::-1]
    ),
    Wrong(
        "nearest_neighbour", "grad_w alone", "backward.type", "wrong-type", lambda g, x, w: nearest_backward(g, x, w)[1]
    ),
    Wrong("nearest_neighbour", "both signs", "backward.values", "", lambda g, x, w: nearest_backward(-g, x, w)),
    Wrong("nearest_neighbour", "no 2", "backward.values", "", lambda g, x, w: nearest_backward(g / 2, x, w)),
    Wrong(
        "nearest_neighbour",
        "no upstream",
        "backward.values",
        "",
        lambda g, x, w: nearest_backward(torch.ones_like(g), x, w),
    ),
    Wrong("nearest_neighbour", "argmin alone", "backward.values", "", through_the_argmin),
    Wrong("nearest_neighbour", "0/0", "backward.edge_cases", "not-finite", none_at_distance_zero),
    Wrong(
        "nearest_neighbour",
        "sign of w",
        "backward.values",
        "",
        lambda g, x, w: (nearest_backward(g, x, w)[0], -nearest_backward(g, x, w)[1]),
    ),
    Wrong(
        "nearest_neighbour",
        "sign of x",
        "backward.values",
        "",
        lambda g, x, w: (-nearest_backward(g, x, w)[0], nearest_backward(g, x, w)[1]),
    ),
    Wrong(
        "nearest_neighbour",
        "x unsummed",
        "backward.shape",
        "wrong-shape",
        lambda g, x, w: (-nearest_backward(g, x, w)[1], nearest_backward(g, x, w)[1]),
    ),
    Wrong(
        "nearest_neighbour",
        "x averaged",
        "backward.values",
        "",
        lambda g, x, w: (-nearest_backward(g, x, w)[1].mean(0), nearest_backward(g, x, w)[1]),
    ),
    Wrong(
        "nearest_neighbour",
        "g on the wrong axis",
        "backward.values",
        "",
        lambda g, x, w: (
            nearest_backward(g, x, w)[0],
            -2 * g[None, :] * (x - w) if len(g) == len(x) else nearest_backward(g, x, w)[1],
        ),
    ),
    Wrong(
        "nearest_neighbour",
        "g summed",
        "backward.values",
        "",
        lambda g, x, w: (nearest_backward(g, x, w)[0], -2 * g.sum() * (x - w)),
    ),
    Wrong("nearest_neighbour", "no gradient", "backward.values", "", lambda g, x, w: (x * 0, w * 0)),
    Wrong(
        "nearest_neighbour",
        "autograd",
        "backward.purity",
        "uses-autograd",
        by_autograd(lambda x, w: distances(x, w), 0, 1),
    ),
    Wrong(
        "nearest_neighbour",
        "changes g",
        "backward.purity",
        "mutates-input",
        lambda g, x, w: nearest_backward(g.mul_(1), x, w) if g.add_(1) is None else nearest_backward(g, x, w),
    ),
    # squared_error
    Wrong("squared_error", "mean", "forward.values", "", lambda y, y_bar: F.mse_loss(y, y_bar)),
    Wrong("squared_error", "half", "forward.values", "", lambda y, y_bar: 0.5 * ((y - y_bar) ** 2).sum()),
    Wrong("squared_error", "norm", "forward.values", "", lambda y, y_bar: torch.linalg.vector_norm(y - y_bar)),
    Wrong("squared_error", "absolute", "forward.values", "", lambda y, y_bar: (y - y_bar).abs().sum()),
    Wrong("squared_error", "no sum", "forward.shape", "wrong-shape", lambda y, y_bar: (y - y_bar) ** 2),
    Wrong("squared_error", "square of the sum", "forward.values", "", lambda y, y_bar: (y - y_bar).sum() ** 2),
    Wrong("squared_error", "squares apart", "forward.values", "", lambda y, y_bar: (y**2 - y_bar**2).sum()),
    Wrong("squared_error", "y·ȳ once", "forward.values", "", lambda y, y_bar: y @ y - y @ y_bar + y_bar @ y_bar),
    Wrong("squared_error", "plus", "forward.values", "", lambda y, y_bar: ((y + y_bar) ** 2).sum()),
    Wrong("squared_error", "negative", "forward.values", "", lambda y, y_bar: -((y - y_bar) ** 2).sum()),
    Wrong(
        "squared_error", "one axis", "forward.shape", "wrong-shape", lambda y, y_bar: ((y - y_bar) ** 2).sum(0, True)
    ),
    Wrong("squared_error", "plus 1e-12", "forward.values", "", lambda y, y_bar: ((y - y_bar) ** 2).sum() + 1e-12),
    Wrong("squared_error", "Huber", "forward.edge_cases", "", lambda y, y_bar: 2 * F.huber_loss(y, y_bar, "sum", 8.0)),
    Wrong(
        "squared_error", "changes y", "forward.purity", "mutates-input", lambda y, y_bar: y.sub_(y_bar).square().sum()
    ),
    Wrong("squared_error", "two entries", "forward.values", "", lambda y, y_bar: ((y - y_bar) ** 2)[:2].sum()),
    Wrong(
        "squared_error",
        "float32 inside",
        "forward.values",
        "",
        lambda y, y_bar: ((y.float() - y_bar.float()) ** 2).sum().to(y.dtype),
    ),
    Wrong("squared_error", "swapped", "backward.values", "", lambda g, y, y_bar: error_backward(g, y, y_bar)[::-1]),
    Wrong("squared_error", "no 2", "backward.values", "", lambda g, y, y_bar: error_backward(g / 2, y, y_bar)),
    Wrong(
        "squared_error", "of the mean", "backward.values", "", lambda g, y, y_bar: error_backward(g / len(y), y, y_bar)
    ),
    Wrong(
        "squared_error",
        "no upstream",
        "backward.values",
        "",
        lambda g, y, y_bar: error_backward(torch.ones_like(g), y, y_bar),
    ),
    Wrong(
        "squared_error",
        "the same for both",
        "backward.values",
        "",
        lambda g, y, y_bar: (2 * g * (y - y_bar), 2 * g * (y - y_bar)),
    ),
    Wrong("squared_error", "ȳ alone", "backward.type", "wrong-type", lambda g, y, y_bar: 2 * g * (y_bar - y)),
    Wrong(
        "squared_error", "None for y", "backward.type", "wrong-type", lambda g, y, y_bar: (None, 2 * g * (y_bar - y))
    ),
    Wrong(
        "squared_error",
        "zero for y",
        "backward.values",
        "",
        lambda g, y, y_bar: (torch.zeros_like(y), 2 * g * (y_bar - y)),
    ),
    Wrong("squared_error", "in place", "backward.purity", "mutates-input", in_place_difference),
    Wrong(
        "squared_error",
        "squared",
        "backward.values",
        "",
        lambda g, y, y_bar: (g * (y - y_bar) ** 2, -g * (y - y_bar) ** 2),
    ),
    Wrong("squared_error", "sign", "backward.values", "", lambda g, y, y_bar: error_backward(-g, y, y_bar)),
    Wrong(
        "squared_error", "summed", "backward.shape", "wrong-shape", lambda g, y, y_bar: (2 * g * (y - y_bar).sum(),) * 2
    ),
    Wrong(
        "squared_error",
        "signs alone",
        "backward.values",
        "",
        lambda g, y, y_bar: (2 * g * (y - y_bar).sign(), -2 * g * (y - y_bar).sign()),
    ),
    Wrong(
        "squared_error",
        "clipped errors",
        "backward.edge_cases",
        "",
        lambda g, y, y_bar: (2 * g * (y - y_bar).clamp(-9, 9), -2 * g * (y - y_bar).clamp(-9, 9)),
    ),
    Wrong(
        "squared_error",
        "autograd",
        "backward.purity",
        "uses-autograd",
        by_autograd(lambda y, y_bar: ((y - y_bar) ** 2).sum(), 0, 1),
    ),
    # average_loss
    Wrong("average_loss", "sum", "forward.values", "", lambda w, x, y: ((y - x @ w) ** 2).sum()),
    Wrong("average_loss", "half", "forward.values", "", lambda w, x, y: average_forward(w, x, y) / 2),
    Wrong("average_loss", "L over n", "forward.values", "", lambda w, x, y: ((y - x @ w) ** 2).sum() / x.shape[1]),
    Wrong("average_loss", "over P − 1", "forward.values", "", lambda w, x, y: ((y - x @ w) ** 2).sum() / (len(y) - 1)),
    Wrong("average_loss", "absolute", "forward.values", "", lambda w, x, y: (y - x @ w).abs().mean()),
    Wrong("average_loss", "root", "forward.values", "", lambda w, x, y: average_forward(w, x, y).sqrt()),
    Wrong("average_loss", "variance", "forward.values", "", lambda w, x, y: (y - x @ w).var(correction=0)),
    Wrong("average_loss", "per sample", "forward.shape", "wrong-shape", lambda w, x, y: (y - x @ w) ** 2),
    Wrong("average_loss", "broadcast", "forward.values", "", lambda w, x, y: ((y - (x @ w)[:, None]) ** 2).mean()),
    Wrong("average_loss", "first sample", "forward.values", "", lambda w, x, y: average_forward(w, x[:1], y[:1])),
    Wrong("average_loss", "not the last", "forward.values", "", lambda w, x, y: average_forward(w, x[:-1], y[:-1])),
    Wrong("average_loss", "square of the mean", "forward.values", "", lambda w, x, y: (y - x @ w).mean() ** 2),
    Wrong(
        "average_loss", "changes y", "forward.purity", "mutates-input", lambda w, x, y: y.sub_(x @ w).square().mean()
    ),
    Wrong("average_loss", "plus 1e-12", "forward.values", "", lambda w, x, y: average_forward(w, x, y) + 1e-12),
    Wrong(
        "average_loss", "weight decay", "forward.values", "", lambda w, x, y: average_forward(w, x, y) + 1e-6 * w @ w
    ),
    Wrong(
        "average_loss",
        "sum of gradients",
        "backward.values",
        "",
        lambda g, w, x, y: len(y) * average_backward(g, w, x, y),
    ),
    Wrong("average_loss", "no 2", "backward.values", "", lambda g, w, x, y: average_backward(g, w, x, y) / 2),
    Wrong("average_loss", "sign", "backward.values", "", lambda g, w, x, y: -average_backward(g, w, x, y)),
    Wrong(
        "average_loss",
        "of a mean over n",
        "backward.values",
        "",
        lambda g, w, x, y: average_backward(g, w, x, y) * len(y) / len(w),
    ),
    Wrong(
        "average_loss",
        "no upstream",
        "backward.values",
        "",
        lambda g, w, x, y: average_backward(torch.ones_like(g), w, x, y),
    ),
    Wrong(
        "average_loss", "without x", "backward.shape", "wrong-shape", lambda g, w, x, y: g * 2 / len(y) * (x @ w - y)
    ),
    Wrong("average_loss", "unsummed", "backward.shape", "wrong-shape", lambda g, w, x, y: g * (x @ w - y)[:, None] * x),
    Wrong(
        "average_loss",
        "mean of x",
        "backward.values",
        "",
        lambda g, w, x, y: 2 * g * (x @ w - y).mean() * x.mean(0),
    ),
    Wrong(
        "average_loss",
        "all three",
        "backward.type",
        "wrong-type",
        lambda g, w, x, y: (average_backward(g, w, x, y), x, y),
    ),
    Wrong(
        "average_loss",
        "a column",
        "backward.shape",
        "wrong-shape",
        lambda g, w, x, y: average_backward(g, w, x, y)[:, None],
    ),
    Wrong("average_loss", "without y", "backward.values", "", lambda g, w, x, y: 2 * g / len(y) * (x @ w) @ x),
    Wrong("average_loss", "without w", "backward.values", "", lambda g, w, x, y: -2 * g / len(y) * y @ x),
    Wrong("average_loss", "changes g", "backward.purity", "mutates-input", scales_grad_output),
    Wrong(
        "average_loss",
        "changes y",
        "backward.purity",
        "mutates-input",
        lambda g, w, x, y: y.sub_(x @ w) @ x * (-2 * g / len(y)),
    ),
    Wrong(
        "average_loss",
        "autograd",
        "backward.purity",
        "uses-autograd",
        by_autograd(lambda w, x, y: average_forward(w, x, y), 0),
    ),
    Wrong("average_loss", "P = 4", "backward.values", "", lambda g, w, x, y: average_backward(g, w, x, y) * len(y) / 4),
    Wrong(
        "average_loss",
        "transposed where square",
        "backward.edge_cases",
        "",
        lambda g, w, x, y: (
            average_backward(g, w, x, y) if x.shape[0] != x.shape[1] else 2 * g / len(y) * (x @ (x @ w - y))
        ),
    ),
    Wrong(
        "average_loss",
        "float32 inside",
        "backward.values",
        "",
        lambda g, w, x, y: average_backward(g.float(), w.float(), x.float(), y.float()).to(w.dtype),
    ),
    Wrong(
        "average_loss",
        "normalised",
        "backward.values",
        "",
        lambda g, w, x, y: F.normalize(average_backward(g, w, x, y), dim=0),
    ),
    Wrong(
        "average_loss",
        "clipped",
        "backward.edge_cases",
        "",
        lambda g, w, x, y: g * average_backward(torch.ones_like(g), w, x, y).clamp(-200, 200),
    ),
]
