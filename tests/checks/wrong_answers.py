"""Wrong answers that other checkers pass, and that learners write. By exercise: a name, the check that must say so
first, and the functions that are wrong; the others are the solution's.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import torch
import torch._decomp
import torch.nn.functional as F
from torch import sigmoid

from tests.checks.solutions import solution

ANY = "any code"


class Wrong(NamedTuple):
    exercise: str
    name: str
    check: str
    code: str
    function: object

    @property
    def id(self) -> str:
        return f"{self.exercise}: {self.name}"


softmax_backward = solution("softmax")["backward"]
linear_backward = solution("linear")["backward"]
nll_backward = solution("nll")["backward"]
mse_backward = solution("mse")["backward"]


def one_entry_off(grad_output, x):
    result = softmax_backward(grad_output, x).clone()
    if result.numel():
        result.view(-1)[0] *= 1 + 1e-13
    return result


def clone_and_backward(grad_output, x):
    leaf = x.clone().requires_grad_()
    torch.softmax(leaf, -1).backward(grad_output)
    return leaf.grad


def parameter(grad_output, x):
    with torch.enable_grad():
        leaf = torch.nn.Parameter(x.clone())
        return torch.autograd.grad(torch.softmax(leaf, -1), leaf, grad_output)[0]


def factory(grad_output, x):
    leaf = torch.tensor(x.tolist(), dtype=x.dtype, requires_grad=True)
    return torch.autograd.grad(torch.softmax(leaf, -1), leaf, grad_output)[0]


def attribute(grad_output, x):
    leaf = x.clone()
    leaf.requires_grad = True
    return torch.autograd.grad(torch.softmax(leaf, -1), leaf, grad_output)[0]


def forward_mode(x):
    import torch.autograd.forward_ad as forward_ad

    columns = []
    with forward_ad.dual_level():
        for index in range(len(x)):
            tangent = torch.zeros_like(x)
            tangent[index] = 1
            dual = torch.softmax(forward_ad.make_dual(x, tangent), -1)
            columns.append(forward_ad.unpack_dual(dual).tangent)
    return torch.stack(columns, 1)


def softmax(x):
    return torch.softmax(x, -1)


def softmax_gradient(grad_output, x):
    leaf = x.clone().requires_grad_()
    return torch.autograd.grad(torch.softmax(leaf, -1), leaf, grad_output)[0]


def node(grad_output, x):
    return torch.nn.Parameter(x.clone()).relu().grad_fn(grad_output)


def in_a_thread(grad_output, x):
    with ThreadPoolExecutor(1) as threads:
        return threads.submit(softmax_gradient, grad_output, x).result()


def unseen(grad_output, x):
    with torch._C.DisableTorchFunction():
        return softmax_gradient(grad_output, x)


def unseen_in_a_thread(grad_output, x):
    with ThreadPoolExecutor(1) as threads:
        return threads.submit(unseen, grad_output, x).result()


def redispatched(grad_output, x):
    kernel = torch.ops.aten._softmax_backward_data.default
    cpu = torch._C.DispatchKeySet(torch._C.DispatchKey.CPU)
    return kernel.redispatch(cpu, grad_output, softmax(x), -1, x.dtype)


def decomposed(grad_output, x):
    formula = torch._decomp.decomposition_table[torch.ops.aten._softmax_backward_data.default]
    return formula(grad_output, softmax(x), -1, x.dtype)


def by_the_engine(grad_output, x):
    with HIDDEN():
        leaf = x.clone().requires_grad_()
        y = torch.softmax(leaf, -1)
        torch.autograd.Variable._execution_engine.run_backward((y,), (grad_output,), False, False, (), True, True)
        return leaf.grad


HIDDEN = torch._C.DisableTorchFunction  # taken before anything watches


def assumes_contiguous(x):
    return torch.as_strided(x, x.shape, torch.empty(x.shape).stride()).relu()


kept: dict[tuple[int, ...], object] = {}


def remembers(x):
    return kept.setdefault(tuple(x.shape), x.relu())


def one_buffer(grad_output, x):
    buffer = kept.setdefault(("buffer", tuple(x.shape), x.dtype), torch.empty_like(x))
    return torch.mul(grad_output, x > 0, out=buffer)


calls: list[None] = []


def counts(x):
    calls.append(None)
    return x.relu() + 1e-30 * len(calls)


def accumulates_in_place(grad_outputs):
    total = grad_outputs[0]
    for grad_output in grad_outputs[1:]:
        total += grad_output
    return total


def of_a_batch_only(x):
    return softmax(x) if x.dim() > 1 else x.exp() / x.exp().sum()


def thresholded(limit):
    return lambda x: torch.where(x > limit, x, torch.log1p(torch.exp(x.clamp(max=limit))))


def no_root_at_zero(grad_output, y, y_bar):
    first, second = mse_backward(grad_output, y, y_bar)
    return first * (y - y_bar) / (y - y_bar), second


def shares_one_output(x, weight, bias):
    jacobian = torch.eye(len(weight), dtype=x.dtype)[:, :, None] * x
    return x[None, None] if len(weight) == 1 else jacobian


AUTOGRAD = {
    "backward": clone_and_backward,
    "a parameter": parameter,
    "a factory's requires_grad": factory,
    "the attribute": attribute,
    "functional.vjp": lambda g, x: torch.autograd.functional.vjp(softmax, x, g)[1],
    "func.vjp": lambda g, x: torch.func.vjp(softmax, x)[1](g)[0],
    "the backward kernel": lambda g, x: torch._softmax_backward_data(g, softmax(x), -1, x.dtype),
    "a thread": in_a_thread,
    "unseen": unseen,
    "unseen in a thread": unseen_in_a_thread,
    "the engine": by_the_engine,
    "redispatch": redispatched,
    "the decomposition": decomposed,
    "aten's backward kernel": lambda g, x: torch.ops.aten._softmax_backward_data(g, softmax(x), -1, x.dtype),
}
AUTOGRAD_JACOBIAN = {
    "jacrev": torch.func.jacrev(softmax),
    "jacfwd": torch.func.jacfwd(softmax),
    "functional.jacobian": lambda x: torch.autograd.functional.jacobian(softmax, x),
    "forward mode": forward_mode,
}

WRONG = [
    *(Wrong("softmax", f"by {name}", "backward.purity", "uses-autograd", made) for name, made in AUTOGRAD.items()),
    *(
        Wrong("softmax", f"Jacobian by {name}", "jacobian.purity", "uses-autograd", made)
        for name, made in AUTOGRAD_JACOBIAN.items()
    ),
    Wrong("relu", "by a node", "backward.purity", "uses-autograd", node),
    Wrong("softmax", "zero", "backward.values", "", lambda g, x: torch.zeros_like(x)),
    Wrong("softmax", "|g|", "backward.values", "", lambda g, x: softmax_backward(g.abs(), x)),
    Wrong("softmax", "clipped g", "backward.values", "", lambda g, x: softmax_backward(g.clamp(-100, 100), x)),
    Wrong("softmax", "g of ones", "backward.values", "", lambda g, x: softmax_backward(torch.ones_like(g), x)),
    Wrong("softmax", "diagonal", "backward.values", "", lambda g, x: g * softmax(x) * (1 - softmax(x))),
    Wrong("softmax", "wrong axis", "forward.values", "", lambda x: torch.softmax(x, 0)),
    Wrong("softmax", "float32", "backward.dtype", "wrong-dtype", lambda g, x: softmax_backward(g.float(), x.float())),
    Wrong(
        "softmax",
        "float32 inside",
        "backward.values",
        "",
        lambda g, x: softmax_backward(g.float(), x.float()).to(x.dtype),
    ),
    Wrong("softmax", "relative error 2e-14", "backward.values", "", lambda g, x: softmax_backward(g, x) * (1 + 2e-14)),
    Wrong("softmax", "one entry off by 1e-13", "backward.values", "", one_entry_off),
    Wrong("softmax", "plus 1e-12", "forward.values", "", lambda x: softmax(x) + 1e-12),
    Wrong("softmax", "overflows", "forward.edge_cases", "not-finite", lambda x: x.exp() / x.exp().sum(-1, True)),
    Wrong("softmax", "squeezes a batch of one", "forward.edge_cases", "wrong-shape", lambda x: softmax(x).squeeze(0)),
    Wrong("softmax", "output for input", "backward.values", "", lambda g, x: softmax_backward(g, softmax(x))),
    Wrong("relu", "changes x", "forward.purity", "mutates-input", lambda x: x.relu_()),
    Wrong("relu", "changes g", "backward.purity", "mutates-input", lambda g, x: g.mul_(x > 0)),
    Wrong("relu", "resizes x", "forward.purity", "mutates-input", lambda x: x.unsqueeze_(0)[0].relu()),
    Wrong("relu", "no upstream", "backward.values", "", lambda g, x: (x > 0).to(x.dtype)),
    Wrong("relu", "mask of g", "backward.values", "", lambda g, x: g * (g > 0)),
    Wrong("relu", "sign", "backward.values", "", lambda g, x: -g * (x > 0)),
    Wrong("relu", "two at zero", "backward.edge_cases", "", lambda g, x: g * (x > 0) + 2 * g * (x == 0)),
    Wrong("relu", "below zero at zero", "backward.edge_cases", "", lambda g, x: g * (x > 0) - 0.1 * g * (x == 0)),
    Wrong("relu", "nearly zero", "backward.edge_cases", "", lambda g, x: g * (x > 1e-8)),
    Wrong("relu", "returns x", "backward.purity", "aliases-input", lambda g, x: x),
    Wrong("relu", "leaky", "forward.values", "", lambda x: torch.where(x > 0, x, 1e-3 * x)),
    Wrong("relu", "identity without axes", "forward.edge_cases", "", lambda x: x.relu() if x.dim() else x),
    Wrong("relu", "contiguous only", "forward.edge_cases", "", assumes_contiguous),
    Wrong("relu", "remembers", "forward.edge_cases", "", remembers),
    Wrong("relu", "one buffer", "backward.values", "mutates-input", one_buffer),
    Wrong("relu", "counts", "forward.purity", "nondeterministic", counts),
    Wrong("relu", "one size", "forward.edge_cases", "", lambda x: x.relu() if x.shape != (3, 7) else x),
    Wrong("relu", "None", "backward.type", "wrong-type", lambda g, x: None),
    Wrong("relu", "numpy", "backward.type", "wrong-type", lambda g, x: (g * (x > 0)).numpy()),
    Wrong("relu", "sparse", "backward.type", "wrong-type", lambda g, x: (g * (x > 0)).to_sparse()),
    Wrong("relu", "another device", "backward.dtype", "wrong-dtype", lambda g, x: g.to("meta")),
    Wrong("relu", "a row", "jacobian.shape", "wrong-shape", lambda x: (x > 0).to(x.dtype)),
    Wrong("softmax", "a single sample overflows", "forward.edge_cases", "not-finite", of_a_batch_only),
    Wrong("softmax", "g up to 1e5", "backward.values", "", lambda g, x: softmax_backward(g.clamp(-1e5, 1e5), x)),
    Wrong("relu", "small g dropped", "backward.values", "", lambda g, x: g * (x > 0) * (g.abs() > 1e-5)),
    Wrong("linear", "returns x in one case", "jacobian_weight.edge_cases", "aliases-input", shares_one_output),
    Wrong(
        "linear",
        "the weight itself where grad_output is the identity",
        "backward.values",
        "aliases-input",
        lambda g, x, w, b: (w[: len(x)] if torch.equal(g, torch.eye(*g.shape)) else g @ w, g.T @ x, g.sum(0)),
    ),
    Wrong(
        "relu",
        "x itself where all is one",
        "backward.edge_cases",
        "aliases-input",
        lambda g, x: x if (g == 1).all() and (x == 1).all() else g * (x > 0),
    ),
    Wrong(
        "maximum",
        "sets grad_output to zero where it is −1",
        "backward.values",
        "mutates-input",
        lambda g, a, b: (
            (g * (a >= b), -1.0 * (a < b) + 0 * g.zero_()) if (g == -1).all() else (g * (a >= b), g * (a < b))
        ),
    ),
    Wrong("linear", "no bias for zeros", "forward.edge_cases", "", lambda x, w, b: x @ w.T + b * (x != 0).any(1, True)),
    Wrong(
        "linear", "up to nine", "forward.edge_cases", "", lambda x, w, b: (x @ w.T + b) * (torch.arange(len(w)) < 10)
    ),
    Wrong("softplus", "x above 5", "forward.edge_cases", "", thresholded(5.0)),
    Wrong("softplus", "x above 15", "forward.edge_cases", "", thresholded(15.0)),
    Wrong("mse", "divides by the error", "backward.edge_cases", "not-finite", no_root_at_zero),
    Wrong("add", "once at ties", "forward.edge_cases", "", lambda a, b: torch.where(a == b, a, a + b)),
    Wrong("maximum", "both at ties", "backward.edge_cases", "", lambda g, a, b: (g * (a >= b), g * (b >= a))),
    Wrong("maximum", "neither at ties", "backward.edge_cases", "", lambda g, a, b: (g * (a > b), g * (b > a))),
    Wrong(
        "maximum",
        "nearly a tie",
        "backward.edge_cases",
        "",
        lambda g, a, b: (g * (a >= b - 1e-12), g * (a < b - 1e-12)),
    ),
    Wrong("maximum", "swapped", "backward.values", "", lambda g, a, b: (g * (a <= b), g * (a > b))),
    Wrong("maximum", "one gradient", "backward.type", "wrong-type", lambda g, a, b: g * (a > b)),
    Wrong(
        "linear",
        "bias unreduced",
        "backward.shape",
        "wrong-shape",
        lambda g, x, w, b: (*linear_backward(g, x, w, b)[:2], g),
    ),
    Wrong(
        "linear", "bias mean", "backward.values", "", lambda g, x, w, b: (*linear_backward(g, x, w, b)[:2], g.mean(0))
    ),
    Wrong(
        "linear",
        "bias with its axis",
        "backward.shape",
        "wrong-shape",
        lambda g, x, w, b: (*linear_backward(g, x, w, b)[:2], g.sum(0, True)),
    ),
    Wrong(
        "linear", "weight transposed", "backward.shape", "wrong-shape", lambda g, x, w, b: (g @ w, x.T @ g, g.sum(0))
    ),
    Wrong(
        "linear",
        "one part transposed",
        "backward.shape",
        "wrong-shape",
        lambda g, x, w, b: (g @ w, (g.T @ x).T, g.sum(0)),
    ),
    Wrong("linear", "two of three", "backward.type", "wrong-type", lambda g, x, w, b: (g @ w, g.T @ x)),
    Wrong("linear", "Jacobian transposed", "jacobian_x.shape", "transposed", lambda x, w, b: w.T),
    Wrong(
        "linear",
        "first output only",
        "jacobian_weight.values",
        "",
        lambda x, w, b: torch.ones(len(w), *w.shape, dtype=x.dtype) * x,
    ),
    Wrong("linear", "no bias", "forward.values", "", lambda x, w, b: x @ w.T),
    Wrong("softplus", "naive", "forward.edge_cases", ANY, lambda x: torch.log(1 + torch.exp(x))),
    Wrong(
        "softplus",
        "no tail",
        "forward.edge_cases",
        "",
        lambda x: torch.where(x > 30, x, torch.log(1 + torch.exp(x.clamp(max=30)))),
    ),
    Wrong("softplus", "nothing below −39", "forward.edge_cases", "", lambda x: F.softplus(x) * (x > -39)),
    Wrong("softplus", "nothing below −70", "forward.edge_cases", "", lambda x: F.softplus(x) * (x > -70)),
    Wrong("sigmoid", "clipped at ±60", "forward.edge_cases", "", lambda x: sigmoid(x.clamp(-60, 60))),
    Wrong("softplus", "tanh", "backward.values", "", lambda g, x: g * torch.tanh(x)),
    Wrong("sigmoid", "overflows", "forward.edge_cases", "not-finite", lambda x: torch.exp(x) / (1 + torch.exp(x))),
    Wrong(
        "sigmoid",
        "gradient overflows",
        "backward.edge_cases",
        "not-finite",
        lambda g, x: g * torch.exp(-x) / (1 + torch.exp(-x)) ** 2,
    ),
    Wrong("sigmoid", "no left tail", "forward.edge_cases", "", lambda x: 0.5 * (1 + torch.tanh(x / 2))),
    Wrong(
        "sigmoid", "at the output", "backward.values", "", lambda g, x: g * sigmoid(sigmoid(x)) * sigmoid(-sigmoid(x))
    ),
    Wrong("sigmoid", "y (1 + y)", "jacobian.values", "", lambda x: torch.diag(sigmoid(x) * (1 + sigmoid(x)))),
    Wrong(
        "tanh",
        "overflows",
        "forward.edge_cases",
        "not-finite",
        lambda x: (x.exp() - (-x).exp()) / (x.exp() + (-x).exp()),
    ),
    Wrong("tanh", "1 − y", "backward.values", "", lambda g, x: g * (1 - torch.tanh(x))),
    Wrong("log_softmax", "log of softmax", "forward.edge_cases", "not-finite", lambda x: torch.log(softmax(x))),
    Wrong("log_softmax", "epsilon", "forward.values", "", lambda x: torch.log(softmax(x) + 1e-9)),
    Wrong(
        "log_softmax",
        "overflows",
        "forward.edge_cases",
        "not-finite",
        lambda x: x - torch.log(x.exp().sum(-1, keepdim=True)),
    ),
    Wrong(
        "log_softmax",
        "transposed",
        "jacobian.orientation",
        "transposed",
        lambda x: solution("log_softmax")["jacobian"](x).T,
    ),
    Wrong("nll", "no 1/B", "backward.values", "", lambda g, p, t: nll_backward(g, p, t) * len(t)),
    Wrong("nll", "no upstream", "backward.values", "", lambda g, p, t: nll_backward(torch.ones_like(g), p, t)),
    Wrong("nll", "sum", "forward.values", "", lambda p, t: F.nll_loss(p, t, reduction="sum")),
    Wrong("mse", "batch only", "forward.values", "", lambda y, z: ((y - z) ** 2).sum() / len(y)),
    Wrong("mse", "twice the same", "backward.values", "", lambda g, y, z: (mse_backward(g, y, z)[0],) * 2),
    Wrong("mse", "one element", "forward.shape", "wrong-shape", lambda y, z: ((y - z) ** 2).mean().reshape(1)),
    Wrong("mse", "no 2", "backward.values", "", lambda g, y, z: tuple(each / 2 for each in mse_backward(g, y, z))),
    Wrong(
        "cross_entropy",
        "clamped",
        "forward.edge_cases",
        "",
        lambda z, t: -softmax(z)[range(len(t)), t].clamp(min=1e-12).log().mean(),
    ),
    Wrong("cross_entropy", "no label", "backward.values", "", lambda g, z, t: g * softmax(z) / len(t)),
    Wrong("bce_with_logits", "clamped", "forward.edge_cases", "", lambda z, t: F.binary_cross_entropy(sigmoid(z), t)),
    Wrong("bce_with_logits", "by rows", "backward.values", "", lambda g, z, t: g * (sigmoid(z) - t) / z.shape[0]),
    Wrong("duplicate", "the first", "backward.values", "", lambda gs: gs[0].clone()),
    Wrong("duplicate", "in place", "backward.purity", "mutates-input", accumulates_in_place),
    Wrong("duplicate", "mean", "backward.values", "", lambda gs: sum(gs) / len(gs)),
    Wrong("add", "halves", "backward.values", "", lambda g, a, b: (g / 2, g / 2)),
    Wrong("add", "inputs", "backward.purity", "aliases-input", lambda g, a, b: (a, b)),
    Wrong("add", "Python numbers", "forward.type", "wrong-type", lambda a, b: (a + b).tolist()),
]
