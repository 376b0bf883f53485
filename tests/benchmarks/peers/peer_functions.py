"""What the tools are tried on: functions with right ways to write their backward, inputs, and wrong backwards.

Everything is plain torch code, so that all tools judge the same candidate: `forward(*inputs)` and
`backward(grad_output, *inputs)`, which returns a gradient for each input.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

Shape = tuple[int, ...]
Backward = Callable[..., tuple[Any, ...]]


@dataclass(frozen=True)
class Function:
    """`forward` is what is right, torch's own; `styles` are right backwards by name. `shapes` are those of the inputs,
    for a matrix of rows × columns.
    """

    name: str
    forward: Callable[..., Tensor]
    styles: dict[str, Backward]
    shapes: Callable[[int, int], tuple[Shape, ...]] = lambda rows, columns: ((rows, columns),)


@dataclass(frozen=True)
class Candidate:
    """A hand-written function that a tool is asked about, and what it should be."""

    function: Function
    backward: Backward
    forward: Callable[..., Tensor]


def right(function: Function, style: str = "") -> Candidate:
    return Candidate(function, function.styles[style or next(iter(function.styles))], function.forward)


def by_torch(forward: Callable[..., Tensor]) -> Backward:
    """The backward that torch has for its own function: one of the right ones."""

    def backward(g: Tensor, *inputs: Tensor) -> tuple[Tensor, ...]:
        with torch.enable_grad():
            leaves = [each.detach().requires_grad_() for each in inputs]
            return torch.autograd.grad(forward(*leaves), leaves, g)

    return backward


# ---- right backwards


def softmax(x):
    return F.softmax(x, -1)


def softmax_by_output(g, x):
    y = softmax(x)
    return (y * (g - (g * y).sum(-1, keepdim=True)),)


def softmax_by_jacobian(g, x):
    y = softmax(x)
    return (torch.einsum("bi,bij->bj", g, torch.diag_embed(y) - y[:, :, None] * y[:, None, :]),)


def softmax_by_row(g, x):
    grad = torch.empty_like(x)
    for row, (y, upstream) in enumerate(zip(softmax(x), g, strict=True)):
        grad[row] = y * upstream - y * torch.dot(y, upstream)
    return (grad,)


def log_softmax(x):
    return F.log_softmax(x, -1)


def log_softmax_by_sum(g, x):
    return (g - softmax(x) * g.sum(-1, keepdim=True),)


def log_softmax_by_output(g, x):
    return (g - log_softmax(x).exp() * (g @ torch.ones_like(g[0]))[:, None],)


def logsumexp(x):
    return torch.logsumexp(x, -1)


def logsumexp_by_softmax(g, x):
    return (g[:, None] * softmax(x),)


def logsumexp_by_output(g, x):
    return (g[:, None] * (x - x.amax(-1, keepdim=True)).exp() / (x - x.amax(-1, keepdim=True)).exp().sum(-1)[:, None],)


def layer_norm(x, weight, bias):
    return F.layer_norm(x, x.shape[-1:], weight, bias)


def normalised(x):
    centred = x - x.mean(-1, keepdim=True)
    scale = torch.rsqrt((centred * centred).mean(-1, keepdim=True) + 1e-5)
    return centred * scale, scale


def layer_norm_by_means(g, x, weight, bias):
    hat, scale = normalised(x)
    up = g * weight
    grad = scale * (up - up.mean(-1, keepdim=True) - hat * (up * hat).mean(-1, keepdim=True))
    return grad, (g * hat).sum(0), g.sum(0)


def layer_norm_by_sums(g, x, weight, bias):
    hat, scale = normalised(x)
    up, count = g * weight, x.shape[-1]
    grad = scale / count * (count * up - up.sum(-1, keepdim=True) - hat * (up * hat).sum(-1, keepdim=True))
    return grad, torch.einsum("ij,ij->j", g, hat), torch.ones_like(g[:, 0]) @ g


def layer_norm_in_steps(g, x, weight, bias):
    hat, scale = normalised(x)
    centred, count = x - x.mean(-1, keepdim=True), x.shape[-1]
    up = g * weight
    by_variance = (up * centred).sum(-1, keepdim=True) * (-0.5) * scale * scale * scale
    by_centred = up * scale + by_variance * 2 * centred / count
    return by_centred - by_centred.sum(-1, keepdim=True) / count, (g * hat).sum(0), g.sum(0)


def rms_norm(x, weight):
    return F.rms_norm(x, x.shape[-1:], weight, eps=1e-6)


def rms_norm_by_means(g, x, weight):
    scale = torch.rsqrt((x * x).mean(-1, keepdim=True) + 1e-6)
    hat, up = x * scale, g * weight
    return scale * (up - hat * (up * hat).mean(-1, keepdim=True)), (g * hat).sum(0)


def rms_norm_by_sums(g, x, weight):
    scale = 1 / torch.sqrt((x * x).sum(-1, keepdim=True) / x.shape[-1] + 1e-6)
    hat, up = x * scale, g * weight
    return up * scale - hat * scale * ((up * hat).sum(-1, keepdim=True) / x.shape[-1]), (hat * g).sum(0)


def gelu(x):
    return F.gelu(x)


def gelu_by_erf(g, x):
    return (g * (0.5 * (1 + torch.erf(x * math.sqrt(0.5))) + x * torch.exp(-0.5 * x * x) / math.sqrt(2 * math.pi)),)


def gelu_by_erfc(g, x):
    return (g * (0.5 * torch.erfc(-x * math.sqrt(0.5)) + x * (torch.exp(-0.5 * x * x) * math.sqrt(0.5 / math.pi))),)


def gelu_tanh(x):
    return F.gelu(x, approximate="tanh")


def gelu_tanh_by_output(g, x):
    scale = math.sqrt(2 / math.pi)
    t = torch.tanh(scale * (x + 0.044715 * x * x * x))
    return (g * (0.5 * (1 + t) + 0.5 * x * (1 - t * t) * scale * (1 + 3 * 0.044715 * x * x)),)


def silu_by_product(g, x):
    s = torch.sigmoid(x)
    return (g * s * (1 + x * (1 - s)),)


def silu_by_output(g, x):
    s = torch.sigmoid(x)
    return (g * (s + x * s * torch.sigmoid(-x)),)


def sigmoid_by_output(g, x):
    s = torch.sigmoid(x)
    return (g * s * (1 - s),)


def sigmoid_by_both(g, x):
    return (g * torch.sigmoid(x) * torch.sigmoid(-x),)


def tanh_by_output(g, x):
    y = torch.tanh(x)
    return (g * (1 - y * y),)


def tanh_by_factors(g, x):
    y = torch.tanh(x)
    return (g * ((1 - y) * (1 + y)),)


def linear_by_matmul(g, x, weight, bias):
    return g @ weight, g.mT @ x, g.sum(0)


def linear_by_einsum(g, x, weight, bias):
    return torch.einsum("bo,oi->bi", g, weight), torch.einsum("bo,bi->oi", g, x), torch.einsum("bo->o", g)


def linear_by_row(g, x, weight, bias):
    by_weight = torch.zeros_like(weight)
    for upstream, row in zip(g, x, strict=True):
        by_weight = by_weight + torch.outer(upstream, row)
    return torch.stack([upstream @ weight for upstream in g]), by_weight, g.sum(0)


def attention(q, k, v):
    return F.scaled_dot_product_attention(q[None], k[None], v[None])[0]


def attention_by_matmul(g, q, k, v):
    scale = q.shape[-1] ** -0.5
    p = softmax((q @ k.mT) * scale)
    by_p = g @ v.mT
    by_scores = p * (by_p - (by_p * p).sum(-1, keepdim=True)) * scale
    return by_scores @ k, by_scores.mT @ q, p.mT @ g


def labels(x):
    return torch.arange(x.shape[0]) * 7 % x.shape[-1]


def cross_entropy(x):
    return F.cross_entropy(x, labels(x))


def cross_entropy_by_one_hot(g, x):
    return (g * (softmax(x) - F.one_hot(labels(x), x.shape[-1]).to(x.dtype)) / x.shape[0],)


def cross_entropy_by_index(g, x):
    p = softmax(x)
    p[torch.arange(x.shape[0]), labels(x)] -= 1
    return (p * (g / x.shape[0]),)


def mse_by_mean(g, x, target):
    grad = 2 * (x - target) * g / x.numel()
    return grad, -grad


def mse_by_factor(g, x, target):
    grad = (x - target) * (g * (2 / x.numel()))
    return grad, -grad


def cumsum(x):
    return torch.cumsum(x, -1)


def cumsum_by_flip(g, x):
    return (g.flip(-1).cumsum(-1).flip(-1),)


def cumsum_by_matrix(g, x):
    return (g @ torch.ones(g.shape[-1], g.shape[-1], dtype=g.dtype).tril(),)


def normalise(x):
    return F.normalize(x, dim=-1, eps=1e-3)


def normalise_by_output(g, x):
    norm = torch.linalg.vector_norm(x, dim=-1, keepdim=True)
    inside = norm >= 1e-3
    norm = norm.clamp_min(1e-3)
    y = x / norm
    return (torch.where(inside, (g - y * (g * y).sum(-1, keepdim=True)) / norm, g / norm),)


def amax(x):
    return torch.amax(x, -1)


def amax_shared(g, x):
    ties = (x == x.amax(-1, keepdim=True)).to(x.dtype)
    return (g[:, None] * ties / ties.sum(-1, keepdim=True),)


def amax_first(g, x):
    return (torch.zeros_like(x).scatter(-1, x.argmax(-1, keepdim=True), g[:, None]),)


def with_weights(count: int) -> Callable[[int, int], tuple[Shape, ...]]:
    return lambda rows, columns: ((rows, columns), *[(columns,)] * count)


def alike(count: int) -> Callable[[int, int], tuple[Shape, ...]]:
    return lambda rows, columns: ((rows, columns),) * count


def named(name: str, forward: Callable[..., Tensor], styles: dict[str, Backward], **more: Any) -> Function:
    """A function, with torch's own backward as a further style."""
    return Function(name, forward, {**styles, "torch's own": by_torch(forward)}, **more)


FUNCTIONS = {
    each.name: each
    for each in (
        named(
            "softmax",
            softmax,
            {"by its output": softmax_by_output, "by its Jacobian": softmax_by_jacobian, "by row": softmax_by_row},
        ),
        named("log-softmax", log_softmax, {"by a sum": log_softmax_by_sum, "by its output": log_softmax_by_output}),
        named("logsumexp", logsumexp, {"by softmax": logsumexp_by_softmax, "by exponents": logsumexp_by_output}),
        named(
            "layer norm",
            layer_norm,
            {"by means": layer_norm_by_means, "by sums": layer_norm_by_sums, "in steps": layer_norm_in_steps},
            shapes=with_weights(2),
        ),
        named(
            "RMSNorm",
            rms_norm,
            {"by means": rms_norm_by_means, "by sums": rms_norm_by_sums},
            shapes=with_weights(1),
        ),
        named("gelu", gelu, {"by erf": gelu_by_erf, "by erfc": gelu_by_erfc}),
        named("gelu by tanh", gelu_tanh, {"by tanh": gelu_tanh_by_output}),
        named("silu", F.silu, {"as a product": silu_by_product, "as a sum": silu_by_output}),
        named("sigmoid", torch.sigmoid, {"by its output": sigmoid_by_output, "by both sides": sigmoid_by_both}),
        named("tanh", torch.tanh, {"by its output": tanh_by_output, "by factors": tanh_by_factors}),
        named(
            "relu",
            torch.relu,
            {
                "by a mask": lambda g, x: (g * (x > 0),),
                "by where": lambda g, x: (torch.where(x < 0, torch.zeros_like(g), g),),
            },
        ),
        named(
            "abs",
            torch.abs,
            {
                "by the sign": lambda g, x: (g * torch.sign(x),),
                "by where": lambda g, x: (torch.where(x > 0, g, -g),),
            },
        ),
        named("amax", amax, {"ties share": amax_shared, "the first takes all": amax_first}),
        named(
            "linear",
            F.linear,
            {"by matmul": linear_by_matmul, "by einsum": linear_by_einsum, "by row": linear_by_row},
            shapes=lambda rows, columns: ((rows, columns), (rows, columns), (rows,)),
        ),
        named("attention", attention, {"by matmul": attention_by_matmul}, shapes=alike(3)),
        named(
            "cross-entropy",
            cross_entropy,
            {"by a one-hot": cross_entropy_by_one_hot, "by an index": cross_entropy_by_index},
        ),
        named("mse", F.mse_loss, {"by the mean": mse_by_mean, "by a factor": mse_by_factor}, shapes=alike(2)),
        named("cumsum", cumsum, {"by flipping": cumsum_by_flip, "by a matrix": cumsum_by_matrix}),
        named("normalise", normalise, {"by its output": normalise_by_output}),
    )
}


# ---- inputs

DTYPES = (torch.float64, torch.float32, torch.bfloat16, torch.float16)
SCALES = (1e-8, 1e-4, 1e-2, 1.0, 1.0, 1.0, 10.0, 1e3, 1e6, 1e10)
SHAPES = ((1, 1), (1, 8), (3, 5), (4, 6), (2, 17), (5, 2), (1, 33))


def draw(kind: str, shape: Shape, scale: float, dtype: torch.dtype, generator: torch.Generator) -> Tensor:
    """Entries of a kind, times a scale."""
    normal = torch.randn(shape, generator=generator, dtype=torch.float64)
    match kind:
        case "ties":
            normal = (2 * normal).round() / 2
        case "zeros":
            normal = normal * (torch.rand(shape, generator=generator) < 0.5)
        case "equal":
            normal = torch.full_like(normal, float(torch.randn((), generator=generator)))
        case "wide":
            normal = normal * 10 ** (6 * torch.rand(shape, generator=generator, dtype=torch.float64) - 3)
    return (normal * scale).to(dtype)


def inputs_of(
    function: Function, rows: int, columns: int, dtype: torch.dtype, *, kind="normal", scale=1.0, seed=0
) -> tuple[Tensor, ...]:
    generator = torch.Generator().manual_seed(seed)
    return tuple(draw(kind, shape, scale, dtype, generator) for shape in function.shapes(rows, columns))


@dataclass(frozen=True)
class Case:
    """A right candidate and its inputs, told in such a way that it can be made again."""

    function: str
    style: str
    dtype: torch.dtype
    kind: str
    scale: float
    shape: Shape
    seed: int

    def made(self) -> tuple[Candidate, tuple[Tensor, ...]]:
        function = FUNCTIONS[self.function]
        inputs = inputs_of(function, *self.shape, self.dtype, kind=self.kind, scale=self.scale, seed=self.seed)
        return right(function, self.style), inputs

    def __str__(self) -> str:
        rows, columns = self.shape
        dtype = str(self.dtype).removeprefix("torch.")
        return (
            f"{self.function} {self.style}, {dtype}, {self.kind} × {self.scale:g}, {rows} × {columns}, seed {self.seed}"
        )


def right_cases(count: int) -> Iterator[Case]:
    """`count` right candidates, always the same, of all functions, styles, types, kinds of inputs, scales, shapes."""
    rng = random.Random(0)
    for seed in range(count):
        function = rng.choice(list(FUNCTIONS.values()))
        (dtype,) = rng.choices(DTYPES, (3, 3, 3, 1))
        small = dtype is torch.float16  # whose largest number is 65,504
        yield Case(
            function.name,
            rng.choice(list(function.styles)),
            dtype,
            rng.choice(("normal", "normal", "ties", "zeros", "equal", "wide"))
            if not small
            else rng.choice(("normal", "ties", "zeros")),
            rng.choice([each for each in SCALES if not small or 1e-2 <= each <= 10]),
            rng.choice(SHAPES),
            seed,
        )


# ---- planted errors of any size


def planted(candidate: Candidate, error: float, *, everywhere: bool) -> Candidate:
    """A relative error of this size in the first input's gradient: in all entries, or in the middle one alone."""

    def backward(g: Tensor, *inputs: Tensor) -> tuple[Tensor, ...]:
        first, *rest = candidate.backward(g, *inputs)
        wrong = first.clone()
        place = ... if everywhere else tuple(size // 2 for size in first.shape)
        wrong[place] = (first[place].double() * (1 + error)).to(first.dtype)
        return wrong, *rest

    return replace(candidate, backward=backward)
