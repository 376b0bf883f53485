"""torch.autograd on exact numbers, held against central differences of the forward in 700 bits."""

from __future__ import annotations

import flint
import numpy as np
import pytest
import torch
from torch.nn import functional as F

from gradcheck.numbers.differences import directional
from gradcheck.numbers.exact import Exact
from gradcheck.numbers.exact.system import arbs
from gradcheck.numbers.run import vjp

torch.manual_seed(0)
X = torch.randn(3, 4, dtype=torch.float64)
Y = torch.randn(3, 4, dtype=torch.float64)
V = torch.randn(4, dtype=torch.float64)
M = torch.randn(4, 3, dtype=torch.float64)
P = torch.rand(3, 4, dtype=torch.float64) + 0.5
"""Positive."""
Q = torch.rand(3, 4, dtype=torch.float64) * 0.8 + 0.1
"""Between 0 and 1."""
B = torch.randn(2, 3, 4, dtype=torch.float64)
C = torch.randn(2, 4, 2, dtype=torch.float64)
SEQUENCE = torch.randn(2, 4, 7, dtype=torch.float64)
IMAGE = torch.randn(2, 2, 5, 6, dtype=torch.float64)
LABELS = torch.tensor([1, 0, 3])
PLACES = torch.tensor([[0, 1, 1, 2], [2, 2, 0, 1]])
MASK = torch.tensor([[True, False, True, True], [False, True, True, False], [True, True, False, True]])
KERNEL = torch.randn(4, 2, 3, dtype=torch.float64)
WINDOW = torch.randn(4, 2, 2, 3, dtype=torch.float64)
BACK = torch.randn(2, 3, 2, 3, dtype=torch.float64)


def written(x):
    y = torch.zeros_like(x)
    y[1:] += x[:-1] * 2
    y[:, 0] = x.sum(1)
    y.mul_(x)
    return y.t().contiguous().view(-1)


def attention(x, y):
    return F.scaled_dot_product_attention(x[None, None], y[None, None], (x * y)[None, None])


def lstm_step(x, y):
    gates = x.sigmoid() * y.tanh() + (1 - x.sigmoid()) * y
    return gates.tanh() * F.silu(x)


UNARY = (
    {
        name: (getattr(torch, name), (X,))
        for name in "abs atan cos cosh erf erfc exp exp2 expm1 neg sigmoid sin sinh square tan tanh sinc asinh".split()
    }
    | {name: (getattr(torch, name), (P,)) for name in "log log10 log1p log2 reciprocal rsqrt sqrt lgamma".split()}
    | {name: (getattr(torch, name), (Q,)) for name in "acos asin atanh erfinv logit".split()}
)

FUNCTIONS = UNARY | {
    "digamma": (torch.digamma, (P,)),
    "add": (lambda x, y: torch.add(x, y, alpha=3), (X, V)),
    "sub": (lambda x, y: torch.sub(x, y, alpha=0.5) + (2 - y), (X, V)),
    "mul": (lambda x, y: x * y * 0.1, (X, V)),
    "div": (lambda x, y: x / y + 3 / y, (X, P)),
    "pow by a number": (lambda x: x**3 + x**2 + x**-1 + x**1, (P,)),
    "pow by a fraction": (lambda x: x**2.5 + x**0.5 + x**-1.5, (P,)),
    "pow of a number": (lambda x: 2.0**x, (X,)),
    "pow": (torch.pow, (P, X)),
    "addcmul": (lambda x, y, v: torch.addcmul(x, y, v, value=0.3), (X, Y, V)),
    "addcdiv": (lambda x, y, v: torch.addcdiv(x, y, v, value=0.3), (X, Y, P)),
    "lerp": (torch.lerp, (X, Y, Q)),
    "logaddexp": (torch.logaddexp, (X, Y)),
    "logaddexp2": (torch.logaddexp2, (X, Y)),
    "hypot": (torch.hypot, (X, Y)),
    "atan2": (torch.atan2, (X, Y)),
    "xlogy": (torch.xlogy, (X, P)),
    "relu": (torch.relu, (X,)),
    "leaky_relu": (F.leaky_relu, (X,)),
    "elu": (F.elu, (X,)),
    "selu": (F.selu, (X,)),
    "celu": (F.celu, (X,)),
    "gelu": (F.gelu, (X,)),
    "gelu by tanh": (lambda x: F.gelu(x, approximate="tanh"), (X,)),
    "silu": (F.silu, (X,)),
    "mish": (F.mish, (X,)),
    "softplus": (F.softplus, (X,)),
    "softplus, steep": (lambda x: F.softplus(x, beta=30, threshold=15), (X,)),
    "logsigmoid": (F.logsigmoid, (X,)),
    "softsign": (F.softsign, (X,)),
    "hardtanh": (F.hardtanh, (X,)),
    "hardswish": (F.hardswish, (X,)),
    "hardsigmoid": (F.hardsigmoid, (X,)),
    "tanhshrink": (F.tanhshrink, (X,)),
    "softshrink": (F.softshrink, (X,)),
    "threshold": (lambda x: F.threshold(x, 0.1, 5.0), (X,)),
    "glu": (F.glu, (X,)),
    "clamp": (lambda x: x.clamp(-0.5, 0.5), (X,)),
    "clamp by tensors": (lambda x, y: x.clamp(max=y) + x.clamp(min=y * 2), (X, Y)),
    "maximum": (torch.maximum, (X, Y)),
    "minimum": (torch.minimum, (X, Y)),
    "where": (lambda x, y: torch.where(x > y, x * y, y - x), (X, Y)),
    "masked_fill": (lambda x: x.masked_fill(MASK, 2.5).exp(), (X,)),
    "masked softmax": (lambda x: x.masked_fill(MASK, -torch.inf).softmax(-1), (X,)),
    "remainder": (lambda x: torch.remainder(x, 0.7) + torch.fmod(x, 0.3), (X,)),
    "floor": (lambda x: x * x.floor() + x.ceil() * x.round() * x.trunc(), (X,)),
    "sum": (lambda x: x.sum(0) * x.sum() + x.sum((0, 1), keepdim=True), (X,)),
    "mean": (lambda x: x.mean(0) * x.mean(), (X,)),
    "prod": (lambda x: x.prod(1), (X,)),
    "prod of all": (torch.prod, (X,)),
    "cumsum": (lambda x: x.cumsum(1), (X,)),
    "cumprod": (lambda x: x.cumprod(0), (X,)),
    "var": (lambda x: x.var(1) + x.var(), (X,)),
    "var, biased": (lambda x: x.var(1, correction=0, keepdim=True), (X,)),
    "std": (lambda x: x.std(1) * x.std(), (X,)),
    "var_mean": (lambda x: torch.var_mean(x, 1), (X,)),
    "logsumexp": (lambda x: x.logsumexp(1) * x.logsumexp((0, 1)), (X,)),
    "softmax": (lambda x: x.softmax(1), (X,)),
    "log_softmax": (lambda x: x.log_softmax(0), (X,)),
    "softmin": (lambda x: F.softmin(x, 1), (X,)),
    "norm": (lambda x: x.norm() * x.norm(dim=1).sum() + x.norm(p=1), (X,)),
    "norms": (lambda x: x.norm(p=3, dim=0) + x.norm(p=torch.inf, dim=0), (X,)),
    "normalize": (lambda x: F.normalize(x, dim=1), (X,)),
    "cosine_similarity": (lambda x, y: F.cosine_similarity(x, y), (X, Y)),
    "max": (lambda x: x.max() * x.max(1).values, (X,)),
    "min": (lambda x: x.min() * x.min(1).values, (X,)),
    "amax": (lambda x: x.amax(0) * x.amin(1).sum(), (X,)),
    "aminmax": (lambda x: torch.aminmax(x, dim=1), (X,)),
    "sort": (lambda x: x.sort(1).values * V, (X,)),
    "topk": (lambda x: x.topk(2, 1).values, (X,)),
    "median": (lambda x: x.median(1).values * x.median(), (X,)),
    "kthvalue": (lambda x: x.kthvalue(2, 1).values, (X,)),
    "cummax": (lambda x: x.cummax(1).values + x.cummin(0).values, (X,)),
    "gather": (lambda x: x.gather(1, PLACES), (X,)),
    "scatter": (lambda x, y: x.scatter(0, PLACES[:1], y), (X, Y[:1])),
    "scatter a number": (lambda x: x.scatter(0, PLACES, 3.0) ** 2, (X,)),
    "scatter_add": (lambda x, y: x.scatter_add(0, PLACES, y), (X, Y[:2])),
    "index_add": (lambda x, y: x.index_add(0, torch.tensor([2, 2, 0]), y, alpha=2), (X, Y)),
    "index": (lambda x: x[LABELS % 3] * x[:, [0, 0, 2, 1]], (X,)),
    "index_select": (lambda x: x.index_select(1, LABELS), (X,)),
    "index_put": (lambda x, y: x.index_put((LABELS[:2],), y, accumulate=False), (X, Y[:1])),
    "index_put, added": (lambda x, y: x.index_put((LABELS % 3,), y, accumulate=True), (X, Y)),
    "masked_select": (lambda x: x[MASK] ** 2, (X,)),
    "cat": (lambda x, y: torch.cat([x, y * 2]).T @ torch.stack([x, y])[0].new_ones(6, 1), (X, Y)),
    "pad": (lambda x: F.pad(x, (1, 2, 0, 1), value=0.7) ** 2, (X,)),
    "flip and roll": (lambda x: x.flip(0) * x.roll(1, 1), (X,)),
    "tril": (lambda x: x.tril() * x.triu(1).sum() + x.diagonal().sum(), (X,)),
    "repeat": (lambda x: x.repeat(2, 1) * x.repeat_interleave(2, 0), (X,)),
    "written in place": (written, (X,)),
    "unfold": (lambda x: x.unfold(1, 2, 1) ** 2, (X,)),
    "split": (lambda x: torch.cat([a * b for a, b in zip(x.split(2, 1), x.chunk(2, 1)[::-1], strict=True)]), (X,)),
    "matmul": (lambda x, m: x @ m, (X, M)),
    "mv": (lambda x, v: x @ v, (X, V)),
    "dot": (lambda v: v @ v, (V,)),
    "outer": (lambda x, v: torch.outer(v, x[:, 0]), (X, V)),
    "bmm": (torch.bmm, (B, C)),
    "addmm": (lambda x, m, c: torch.addmm(c[0, :3, :1], x, m, beta=2, alpha=0.5), (X, M, C)),
    "baddbmm": (lambda b, c: torch.baddbmm(b[:, :, :2], b, c, beta=0.5, alpha=2), (B, C)),
    "einsum": (lambda b, c: torch.einsum("bij,bjk,bij->bk", b, c, b), (B, C)),
    "linear": (lambda x, m, v: F.linear(x, m.T, v[:3]), (X, M, V)),
    "bilinear": (lambda x, y, b: F.bilinear(x, y, torch.stack([b[0].T @ b[0]] * 2)), (X, Y, B)),
    "conv1d": (lambda x, w, v: F.conv1d(x[:, :2], w, v, stride=2, padding=1), (SEQUENCE, KERNEL, V)),
    "conv1d in groups": (lambda x, w: F.conv1d(x, w, groups=2, dilation=2, padding=3), (SEQUENCE, KERNEL)),
    "conv2d": (lambda x, w, v: F.conv2d(x, w, v, stride=(2, 1), padding=(1, 0)), (IMAGE, WINDOW, V)),
    "conv2d, dilated": (lambda x, w: F.conv2d(x, w, dilation=(1, 2), padding=1), (IMAGE, WINDOW)),
    "conv1d, transposed": (
        lambda x, w: F.conv_transpose1d(x, w, stride=2, padding=1, output_padding=1, groups=2),
        (SEQUENCE, KERNEL),
    ),
    "conv2d, transposed": (lambda x, w: F.conv_transpose2d(x, w, stride=2, dilation=2), (IMAGE[:, :, :2, :2], BACK)),
    "windows": (lambda x: F.unfold(x, (2, 3), padding=1, stride=2) ** 2, (IMAGE,)),
    "windows added": (lambda x: F.fold(F.unfold(x, 2, padding=1) * 1.5, (5, 6), 2, padding=1), (IMAGE,)),
    "max_pool2d": (lambda x: F.max_pool2d(x, 2), (IMAGE,)),
    "avg_pool2d": (lambda x: F.avg_pool2d(x, 3, stride=2, padding=1), (IMAGE,)),
    "adaptive_avg_pool2d": (lambda x: F.adaptive_avg_pool2d(x, (2, 4)), (IMAGE,)),
    "interpolate": (lambda x: F.interpolate(x, scale_factor=2, mode="nearest"), (IMAGE,)),
    "embedding": (lambda m: F.embedding(PLACES % 3, m), (M,)),
    "layer_norm": (lambda x, v: F.layer_norm(x, (4,), v, v * 2), (X, V)),
    "group_norm": (lambda x: F.group_norm(x, 2), (SEQUENCE,)),
    "batch_norm": (lambda x, v: F.batch_norm(x, None, None, v, v * 2, training=True), (SEQUENCE, V)),
    "instance_norm": (F.instance_norm, (SEQUENCE,)),
    "mse_loss": (lambda x, y: F.mse_loss(x, y), (X, Y)),
    "l1_loss": (lambda x, y: F.l1_loss(x, y), (X, Y)),
    "smooth_l1_loss": (lambda x, y: F.smooth_l1_loss(x, y), (X, Y)),
    "huber_loss": (lambda x, y: F.huber_loss(x, y, delta=0.7), (X, Y)),
    "cross_entropy": (lambda x: F.cross_entropy(x, LABELS), (X,)),
    "cross_entropy, weighted": (lambda x: F.cross_entropy(x, LABELS, V.abs(), label_smoothing=0.1), (X,)),
    "nll_loss": (lambda x: F.nll_loss(x, LABELS, reduction="sum", ignore_index=0), (X,)),
    "kl_div": (lambda x, q: F.kl_div(x, q, reduction="batchmean"), (X, Q)),
    "binary_cross_entropy": (lambda q, p: F.binary_cross_entropy(q, p / 2), (Q, P)),
    "bce with logits": (lambda x, q: F.binary_cross_entropy_with_logits(x, q), (X, Q)),
    "poisson_nll_loss": (lambda x, p: F.poisson_nll_loss(x, p), (X, P)),
    "margin_ranking_loss": (lambda x, y: F.margin_ranking_loss(x, y, torch.ones(3, 4)), (X, Y)),
    "attention": (attention, (X, Y)),
    "gated": (lstm_step, (X, Y)),
}


def agree(found, expected):
    """To 1e-40, and provably: a ball that is too wide agrees with nothing."""
    return bool(abs(found - expected) < flint.arb(10) ** -40 * max(1, abs(float(expected))))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_autograd_on_exact_numbers_agrees_with_differences(name):
    function, args = FUNCTIONS[name]
    numbers = Exact(200)
    plain = torch.utils._pytree.tree_leaves(function(*args))
    generator = torch.Generator().manual_seed(1)
    cotangents = [
        torch.randn(y.shape, generator=generator, dtype=torch.float64) for y in plain if y.is_floating_point()
    ]
    directions = [torch.randn(x.shape, generator=generator, dtype=torch.float64) for x in args]
    _, gradients = vjp(numbers, function, args, cotangents)
    slopes = directional(function, args, directions)
    with flint.ctx.workprec(700):
        along = sum(
            np.sum(numbers.balls(gradient) * arbs(direction))
            for gradient, direction in zip(gradients, directions, strict=True)
            if gradient is not None
        )
        expected = sum(np.sum(slope * arbs(g)) for slope, g in zip(slopes, cotangents, strict=True))
    assert agree(along, expected), f"{float(along)} and {float(expected)}"
