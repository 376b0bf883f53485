"""Small random programs on tensors of three by four, from every family of operators that the number systems know."""

from __future__ import annotations

import torch
from hypothesis import strategies as st
from torch.nn import functional as F

SHAPE = (3, 4)
MASK = torch.tensor([[True, False, True, True], [False, True, True, False], [True, True, False, True]])
PLACES = torch.tensor([[0, 1, 1, 2], [2, 2, 0, 1], [1, 0, 2, 0]])


def written(x, y):
    z = torch.zeros_like(x)
    z[1:] += x[:2]
    z[:, ::2].mul_(2).add_(y[:, 1::2])
    z[0] = y.mean(0)
    return z


def normalized(x, y):
    return (x - x.mean(1, keepdim=True)) / (x.var(1, keepdim=True, correction=0) + 0.1).sqrt() * y[:1]


def attended(x, y):
    return F.scaled_dot_product_attention(x[None], y[None], (x + y)[None])[0]


STEPS = {
    # pointwise
    "exp": lambda x, y: (x.tanh() * 2).exp(),
    "expm1": lambda x, y: x.tanh().expm1(),
    "log": lambda x, y: (x.square() + 0.5).log(),
    "log1p": lambda x, y: x.square().log1p(),
    "sqrt": lambda x, y: (x * x + 0.25).sqrt(),
    "rsqrt": lambda x, y: (1 + x * x).rsqrt(),
    "tanh": lambda x, y: x.tanh(),
    "sigmoid": lambda x, y: x.sigmoid(),
    "logsigmoid": lambda x, y: F.logsigmoid(x),
    "softplus": lambda x, y: F.softplus(x),
    "gelu": lambda x, y: F.gelu(x),
    "silu": lambda x, y: F.silu(x),
    "mish": lambda x, y: F.mish(x),
    "erf": lambda x, y: x.erf(),
    "sin": lambda x, y: x.sin(),
    "cos": lambda x, y: x.cos(),
    "atan": lambda x, y: x.atan(),
    "neg": lambda x, y: 1 - x,
    "reciprocal": lambda x, y: (1 + x * x).reciprocal(),
    "tenth": lambda x, y: x * 0.1 + 0.3,
    "cubed": lambda x, y: x.tanh() ** 3,
    "to a power": lambda x, y: x.sigmoid() ** 1.5,
    "power": lambda x, y: x.sigmoid() ** y.tanh(),
    "add": lambda x, y: x + y,
    "sub": lambda x, y: x - y,
    "mul": lambda x, y: x * y.tanh(),
    "div": lambda x, y: x / (1 + y.abs()),
    "lerp": lambda x, y: torch.lerp(x, y, 0.3),
    "addcmul": lambda x, y: torch.addcmul(x, y, x.tanh(), value=0.5),
    "logaddexp": lambda x, y: torch.logaddexp(x, y),
    "hypot": lambda x, y: (x * x + y * y + 1).sqrt(),
    # branches
    "relu": lambda x, y: x.relu(),
    "leaky": lambda x, y: F.leaky_relu(x, 0.2),
    "elu": lambda x, y: F.elu(x),
    "abs": lambda x, y: x.abs(),
    "clamp": lambda x, y: x.clamp(-0.7, 1.1),
    "maximum": lambda x, y: torch.maximum(x, y * 0.5),
    "minimum": lambda x, y: torch.minimum(x, y),
    "where": lambda x, y: torch.where(x > y, x * 2, y),
    "masked": lambda x, y: x.masked_fill(MASK, 0.25) * y,
    "without the largest": lambda x, y: x - x.amax(1, keepdim=True),
    "largest": lambda x, y: x.max(0).values.expand(3, 4) + y,
    "sort": lambda x, y: x.sort(1).values,
    "running largest": lambda x, y: x.cummax(1).values,
    # sums
    "centred": lambda x, y: x - x.mean(1, keepdim=True),
    "sum": lambda x, y: x.sum(0) * y.tanh(),
    "softmax": lambda x, y: x.softmax(1),
    "log_softmax": lambda x, y: x.log_softmax(0),
    "logsumexp": lambda x, y: x.logsumexp(1, keepdim=True) - y,
    "cumsum": lambda x, y: x.cumsum(1),
    "prod": lambda x, y: x.tanh().prod(1, keepdim=True) + y,
    "var": lambda x, y: x.var(1, keepdim=True) * y.tanh(),
    "norm": lambda x, y: x / (1 + y.norm(dim=1, keepdim=True)),
    "layer_norm": lambda x, y: F.layer_norm(x, (4,), y[0], y[1]),
    "normalized": normalized,
    "mse": lambda x, y: x * F.mse_loss(x, y).tanh(),
    "cross entropy": lambda x, y: F.cross_entropy(x, PLACES[:, 0], reduction="none")[:, None] * y,
    # products
    "mm": lambda x, y: x @ (y.T @ x).tanh(),
    "mv": lambda x, y: x * (x @ y[0])[:, None].tanh(),
    "addmm": lambda x, y: torch.addmm(x, y.tanh(), (x.T @ y).tanh(), beta=0.5, alpha=0.25),
    "bmm": lambda x, y: torch.bmm(x.view(3, 2, 2), y.view(3, 2, 2).tanh()).view(3, 4),
    "einsum": lambda x, y: torch.einsum("ij,kj,kl->il", x, y.tanh(), x.sigmoid()),
    "linear": lambda x, y: F.linear(x, torch.cat([y, y[:1]]).tanh(), y[0]),
    "conv1d": lambda x, y: F.conv1d(x[None], y.tanh()[:, :3].reshape(3, 1, 3), padding=1, groups=3)[0],
    "conv2d": lambda x, y: F.conv2d(x[None, None], y[None, None, :, :3].tanh(), padding=1)[0, 0],
    "attention": attended,
    # moves
    "flip": lambda x, y: x.flip(1) * 2,
    "roll": lambda x, y: x.roll(1, 0) - y,
    "cat": lambda x, y: torch.cat([x[:1], y[1:]]) * 3,
    "gather": lambda x, y: x.gather(0, PLACES),
    "scatter_add": lambda x, y: x.scatter_add(0, PLACES, y),
    "index_put": lambda x, y: x.index_put((PLACES[0],), y[0].expand(4, 4), accumulate=True),
    "embedding": lambda x, y: F.embedding(PLACES[:, 1], x) * y,
    "padded": lambda x, y: F.pad(x, (1, 1), value=0.5)[:, 2:] + F.pad(y, (2, 0))[:, :4],
    "windows": lambda x, y: x.unfold(0, 2, 1).sum(0)[None, :, 0] * y,
    "pooled": lambda x, y: F.avg_pool2d(x[None], 3, 1, 1)[0],
    "laid out": lambda x, y: x.t().contiguous().view(3, 4) + y.reshape(4, 3).t(),
    "written": written,
    "tril": lambda x, y: x.tril(1) + y.triu(),
}


def run(program, x, y):
    """Each step works on two of the values so far, and adds its own."""
    values = [x, y]
    for name, first, second in program:
        values.append(STEPS[name](values[first % len(values)], values[second % len(values)]))
    return values[-1]


def programs(smallest=3, largest=8):
    """Steps mostly work on the values of the steps just before."""
    step = st.tuples(st.sampled_from(list(STEPS)), st.sampled_from([-1, -2, -3, 0, 1]), st.integers(-4, 3))
    return st.lists(step, min_size=smallest, max_size=largest)


def tensors(scales=(1.0, 1e-3, 30.0)):
    def drawn(seed, scale):
        return torch.randn(SHAPE, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) * scale

    return st.builds(drawn, st.integers(0, 10**4), st.sampled_from(scales))
