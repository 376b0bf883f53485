"""Operators, as torch programs and in exact arithmetic: what the proofs of the rules draw their inputs for."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass, field

import flint
import numpy as np
import torch
import torch.nn.functional as F
from flint import arb

aten = torch.ops.aten
TWO = arb(2)
FAR = (-5e3, 5e3)
REAL, POSITIVE, UNIT = (-3.0, 3.0), (0.05, 4.0), (-0.95, 0.95)


@dataclass(frozen=True)
class RuleCase:
    """`program` takes tensors, `exact` arrays of balls; each input is drawn between `domain`'s bounds.

    `rounds`: the operator's own rounding is seen (a maximum or a move has none). `halves`: it has float16 kernels.
    """

    name: str
    program: Callable
    exact: Callable
    shapes: tuple = ((4,),)
    domain: tuple = REAL
    rounds: bool = True
    halves: bool = True
    domains: tuple = field(default=())

    def domain_of(self, place):
        return self.domains[place] if self.domains else self.domain


def each(function):
    return np.frompyfunc(function, 1, 1)


def pair(function):
    return np.frompyfunc(function, 2, 1)


def sum_of(array, axis=None):
    return np.asarray(array).sum(axis=axis)


def mean_of(array, axis=None):
    return sum_of(array, axis) / arb(array.size if axis is None else array.shape[axis])


def variance(array, axis, correction=1):
    center = np.expand_dims(mean_of(array, axis), axis)
    return sum_of((array - center) ** 2, axis) / arb(array.shape[axis] - correction)


def convolved(x, w, stride=1, padding=0):
    """x (N, C, L), w (O, C, K)."""
    zero = np.full((*x.shape[:2], padding), arb(0), dtype=object)
    x = np.concatenate([zero, x, zero], axis=2)
    length = (x.shape[2] - w.shape[2]) // stride + 1
    out = np.empty((x.shape[0], w.shape[0], length), dtype=object)
    for n, o, i in itertools.product(*map(range, out.shape)):
        out[n, o, i] = (x[n, :, i * stride : i * stride + w.shape[2]] * w[o]).sum()
    return out


def convolved_back(x, w, g):
    """The gradients of x ∗ w, stride 1, with respect to both."""
    gx, gw = np.full(x.shape, arb(0), dtype=object), np.full(w.shape, arb(0), dtype=object)
    for n, o, i in itertools.product(*map(range, g.shape)):
        gx[n, :, i : i + w.shape[2]] = gx[n, :, i : i + w.shape[2]] + g[n, o, i] * w[o]
        gw[o] = gw[o] + g[n, o, i] * x[n, :, i : i + w.shape[2]]
    return np.concatenate([gx.ravel(), gw.ravel()])


def back_program(x, w, g):
    found = torch.ops.aten.convolution_backward(g, x, w, None, [1], [0], [1], False, [0], 1, [True, True, False])
    return torch.cat([found[0].reshape(-1), found[1].reshape(-1)])


def matrix(array):
    return flint.arb_mat([list(row) for row in array])


def array_of(mat):
    return np.array(mat.entries(), dtype=object).reshape(mat.nrows(), mat.ncols())


def largest(array, axis):
    return np.apply_along_axis(lambda row: max(row, key=lambda b: float(b.mid())), axis, array)


def ordered(array):
    return np.array(sorted(array, key=lambda b: float(b.mid())), dtype=object)


def gelu(b):
    return b * (1 + (b / TWO.sqrt()).erf()) / 2


def gelu_slope(g, b):
    return g * ((1 + (b / TWO.sqrt()).erf()) / 2 + b * (-b * b / 2).exp() / (2 * arb.pi()).sqrt())


def layer_norm(x, w=None, b=None):
    c = x - mean_of(x, 1)[:, None]
    normed = c * each(lambda v: 1 / (v + arb(1e-5)).sqrt())(mean_of(c * c, 1))[:, None]
    return normed if w is None else normed * w + b


def norm_back(g, x, mean, rstd, w):
    """All that comes back, in one row."""
    wanted = [True, w is not None, w is not None]
    found = aten.native_layer_norm_backward(g, x, [5], mean, rstd, w, w, wanted)
    return torch.cat([each.reshape(-1) for each in found if each is not None and each.numel()])


def normed_back(g, x, mean, rstd, w):
    hat = (x - mean) * rstd
    h = g if w is None else g * w
    gx = rstd / arb(5) * (h * arb(5) - sum_of(h, 1)[:, None] - hat * sum_of(h * hat, 1)[:, None])
    return np.concatenate([gx.ravel()] if w is None else [gx.ravel(), sum_of(g * hat, 0), sum_of(g, 0)])


PLACE = torch.tensor([2, 0, 2])


def softmax(x):
    powers = each(lambda b: b.exp())(x)
    return powers / sum_of(powers, 1)[:, None]


def log_add(x, y):
    return (x.exp() + y.exp()).log()


def arctangent(y, x):
    return arb.atan2(y, x)


def spd(a):
    return (
        a @ a.mT + torch.eye(a.shape[-1], dtype=a.dtype, device=a.device)
        if isinstance(a, torch.Tensor)
        else a.dot(a.T) + EYE
    )


EYE = np.array([[arb(int(i == j)) for j in range(3)] for i in range(3)], dtype=object)


def dominant(a):
    """Far from singular, so that the radii stay small."""
    unit = 6 * torch.eye(3, dtype=a.dtype, device=a.device) if isinstance(a, torch.Tensor) else arb(6) * EYE
    return a + unit


def root_of(a):
    size = a.shape[0]
    lower = np.full(a.shape, arb(0), dtype=object)
    for j in range(size):
        lower[j, j] = (a[j, j] - sum_of(lower[j, :j] ** 2 if j else np.array([arb(0)]))).sqrt()
        for i in range(j + 1, size):
            rest = sum_of(lower[i, :j] * lower[j, :j]) if j else arb(0)
            lower[i, j] = (a[i, j] - rest) / lower[j, j]
    return lower


PUT = torch.tensor([2, 0])
INDEX = torch.tensor([0, 1, 0, 2, 0])


def gathered(x, v):
    out = x.copy()
    for place, value in zip(INDEX.tolist(), v, strict=True):
        out[place] = out[place] + value
    return out


def pooled(x):
    return np.array([[sum_of(row[i : i + 2]) / TWO for i in range(0, row.size - 1, 2)] for row in x[0]], dtype=object)[
        None
    ]


def complex_product(x, y):
    return torch.view_as_real(torch.view_as_complex(x) * torch.complex(y[:, 0], y[:, 1]).conj())


def complex_product_of(x, y):
    (a, b), (c, d) = x.T, y.T
    return np.stack([a * c + b * d, b * c - a * d], -1)


FUNCTIONS = [
    ("exp", lambda b: b.exp(), REAL),
    ("exp2", lambda b: TWO**b, REAL),
    ("expm1", lambda b: b.expm1(), REAL),
    ("log", lambda b: b.log(), POSITIVE),
    ("log1p", lambda b: b.log1p(), POSITIVE),
    ("log2", lambda b: b.log() / TWO.log(), POSITIVE),
    ("log10", lambda b: b.log() / arb(10).log(), POSITIVE),
    ("sqrt", lambda b: b.sqrt(), POSITIVE),
    ("rsqrt", lambda b: 1 / b.sqrt(), POSITIVE),
    ("tanh", lambda b: b.tanh(), REAL),
    ("sigmoid", lambda b: 1 / (1 + (-b).exp()), REAL),
    ("erf", lambda b: b.erf(), REAL),
    ("erfc", lambda b: b.erfc(), REAL),
    ("erfinv", lambda b: b.erfinv(), UNIT),
    ("sin", lambda b: b.sin(), REAL),
    ("cos", lambda b: b.cos(), REAL),
    ("tan", lambda b: b.tan(), UNIT),
    ("sinh", lambda b: b.sinh(), REAL),
    ("cosh", lambda b: b.cosh(), REAL),
    ("asin", lambda b: b.asin(), UNIT),
    ("acos", lambda b: b.acos(), UNIT),
    ("atan", lambda b: b.atan(), REAL),
    ("asinh", lambda b: b.asinh(), REAL),
    ("acosh", lambda b: b.acosh(), (1.05, 5.0)),
    ("atanh", lambda b: b.atanh(), UNIT),
    ("reciprocal", lambda b: 1 / b, POSITIVE),
    ("square", lambda b: b * b, REAL),
    ("lgamma", lambda b: b.lgamma(), POSITIVE),
    ("digamma", lambda b: b.digamma(), POSITIVE),
    ("i0", lambda b: b.bessel_i(arb(0)), REAL),
    ("abs", abs, REAL),
    ("neg", lambda b: -b, REAL),
    ("relu", lambda b: b if b > 0 else arb(0), REAL),
]

EXACT = {"abs", "neg", "relu"}

SPECIAL = [
    ("i0e", lambda b: b.bessel_i(arb(0)) * (-abs(b)).exp(), REAL),
    ("i1", lambda b: b.bessel_i(arb(1)), REAL),
    ("i1e", lambda b: b.bessel_i(arb(1)) * (-abs(b)).exp(), REAL),
    ("erfcx", lambda b: b.erfc() * (b * b).exp(), REAL),
    ("ndtri", lambda b: TWO.sqrt() * (2 * b - 1).erfinv(), (0.05, 0.95)),
]

CASES = [
    *[RuleCase(n, getattr(torch, n), each(f), domain=d, rounds=n not in EXACT) for n, f, d in FUNCTIONS],
    *[RuleCase(n, getattr(torch.special, n), each(f), domain=d, halves=False) for n, f, d in SPECIAL],
    RuleCase("polygamma", lambda x: torch.polygamma(1, x), each(lambda b: TWO.zeta(b)), domain=POSITIVE, halves=False),
    RuleCase("add", torch.add, lambda x, y: x + y, ((4,), (4,))),
    RuleCase("sub", torch.sub, lambda x, y: x - y, ((4,), (4,))),
    RuleCase("add_alpha", lambda x, y: torch.add(x, y, alpha=0.3), lambda x, y: x + arb(0.3) * y, ((4,), (4,))),
    RuleCase("rsub", lambda x: 0.7 - x, lambda x: arb(0.7) - x),
    RuleCase("mul", torch.mul, lambda x, y: x * y, ((4,), (4,))),
    RuleCase("mul_scalar", lambda x: x * 0.1, lambda x: x * arb(0.1)),
    RuleCase("div", torch.div, lambda x, y: x / y, ((4,), (4,)), domain=POSITIVE),
    RuleCase("div_scalar", lambda x: x / 0.3, lambda x: x / arb(0.3)),
    RuleCase("complex_product", complex_product, complex_product_of, ((4, 2), (4, 2)), halves=False),
    RuleCase("polar", lambda r, a: torch.view_as_real(torch.polar(r, a)), lambda r, a: np.stack([r * each(lambda b: b.cos())(a), r * each(lambda b: b.sin())(a)], -1), ((4,), (4,)), domains=(POSITIVE, REAL), halves=False),
    RuleCase("square_by_itself", lambda x: x * x, lambda x: x * x),
    RuleCase("pow_3", lambda x: x**3, lambda x: x**3),
    RuleCase("pow_half", lambda x: x**0.5, each(lambda b: b.sqrt()), domain=POSITIVE),
    RuleCase("pow_1.7", lambda x: x**1.7, each(lambda b: b ** arb(1.7)), domain=POSITIVE),
    RuleCase("pow_-2", lambda x: x**-2, each(lambda b: 1 / (b * b)), domain=POSITIVE),
    RuleCase("pow_tensor", torch.pow, pair(lambda b, e: b**e), ((4,), (4,)), domains=(POSITIVE, REAL)),
    RuleCase("pow_of_scalar", lambda x: 1.3**x, each(lambda b: arb(1.3) ** b)),
    RuleCase("atan2", torch.atan2, pair(arctangent), ((4,), (4,)), domain=POSITIVE),
    RuleCase("hypot", torch.hypot, pair(lambda a, b: (a * a + b * b).sqrt()), ((4,), (4,))),
    RuleCase("logaddexp", torch.logaddexp, pair(log_add), ((4,), (4,))),
    RuleCase("addcmul", lambda x, a, b: torch.addcmul(x, a, b, value=0.3), lambda x, a, b: x + arb(0.3) * a * b, ((4,),) * 3),
    RuleCase("addcdiv", torch.addcdiv, lambda x, a, b: x + a / b, ((4,),) * 3, domain=POSITIVE),
    RuleCase("lerp", torch.lerp, lambda x, y, w: x + w * (y - x), ((4,),) * 3),
    RuleCase("maximum", torch.maximum, pair(lambda a, b: a.max(b)), ((4,), (4,)), rounds=False),
    RuleCase("minimum", torch.minimum, pair(lambda a, b: a.min(b)), ((4,), (4,)), rounds=False),
    RuleCase("clamp", lambda x: x.clamp(-1, 0.5), each(lambda b: b.max(arb(-1)).min(arb(0.5))), rounds=False),
    RuleCase("amax", lambda x: x.amax(-1), lambda x: largest(x, -1), ((2, 5),), rounds=False),
    RuleCase("sort", lambda x: x.sort().values, ordered, ((6,),), rounds=False),
    RuleCase("topk", lambda x: x.topk(3).values, lambda x: ordered(x)[::-1][:3], ((6,),), rounds=False),
    RuleCase("median", torch.median, lambda x: ordered(x)[2], ((5,),), rounds=False),
    RuleCase("cummax", lambda x: x.cummax(0).values, lambda x: np.array([max(x[: i + 1], key=lambda b: float(b.mid())) for i in range(x.size)], dtype=object), ((6,),), rounds=False),
    RuleCase("max_pool", lambda x: F.max_pool2d(x, 2), lambda x: np.array([[max(x[0, 0, i : i + 2, j : j + 2].ravel(), key=lambda b: float(b.mid())) for j in (0, 2)] for i in (0, 2)], dtype=object)[None, None], ((1, 1, 4, 4),), rounds=False),
    RuleCase("adaptive_max_pool", lambda x: F.adaptive_max_pool2d(x, (2, 3)), lambda x: np.array([[max(x[0, i : i + 3, j : j + 2].ravel(), key=lambda b: float(b.mid())) for j in (0, 1, 2)] for i in (0, 2)], dtype=object)[None], ((1, 5, 4),), rounds=False),
    RuleCase("sum", torch.sum, sum_of, ((9,),)),
    RuleCase("sum_axis", lambda x: x.sum(0), lambda x: sum_of(x, 0), ((7, 3),)),
    RuleCase("mean", lambda x: x.mean(-1), lambda x: mean_of(x, 1), ((3, 7),)),
    RuleCase("cumsum", lambda x: x.cumsum(0), np.add.accumulate, ((8,),)),
    RuleCase("prod", torch.prod, lambda x: np.multiply.reduce(x), ((5,),)),
    RuleCase("cumprod", lambda x: x.cumprod(0), np.multiply.accumulate, ((5,),)),
    RuleCase("var", lambda x: x.var(-1), lambda x: variance(x, 1), ((2, 6),)),
    RuleCase("std", lambda x: x.std(-1), lambda x: each(lambda b: b.sqrt())(variance(x, 1)), ((2, 6),)),
    RuleCase("logsumexp", lambda x: x.logsumexp(-1), lambda x: each(lambda b: b.log())(sum_of(each(lambda b: b.exp())(x), 1)), ((2, 6),)),
    RuleCase("logcumsumexp", lambda x: x.logcumsumexp(0), lambda x: each(lambda b: b.log())(np.add.accumulate(each(lambda b: b.exp())(x))), ((6,),)),
    RuleCase("softmax", lambda x: x.softmax(-1), softmax, ((2, 6),)),
    RuleCase("softmax_far", lambda x: x.softmax(-1), softmax, ((2, 6),), domain=FAR, rounds=False),
    RuleCase("log_softmax", lambda x: x.log_softmax(0), lambda x: each(lambda b: b.log())(softmax(x.T)).T, ((6, 2),)),
    RuleCase("log_softmax_far", lambda x: x.log_softmax(1), lambda x: each(lambda b: b.log())(softmax(x)), ((2, 6),), domain=FAR),
    RuleCase("logsumexp_far", lambda x: x.logsumexp(1), lambda x: each(lambda b: b.log())(sum_of(each(lambda b: b.exp())(x), 1)), ((2, 6),), domain=FAR, rounds=False),
    RuleCase("softmax_back", lambda g, y: aten._softmax_backward_data(g, y, -1, y.dtype), lambda g, y: g * y - y * sum_of(g * y, 1)[:, None], ((2, 6),) * 2, domains=(REAL, (0.01, 0.95)), halves=False),
    RuleCase("log_softmax_back", lambda g, z: aten._log_softmax_backward_data(g, z, -1, z.dtype), lambda g, z: g - each(lambda b: b.exp())(z) * sum_of(g, 1)[:, None], ((2, 6),) * 2, domains=(REAL, (-6.0, -0.01)), halves=False),
    RuleCase("gelu", F.gelu, each(gelu)),
    RuleCase("gelu_back", aten.gelu_backward, pair(gelu_slope), ((4,), (4,))),
    RuleCase("silu", F.silu, each(lambda b: b / (1 + (-b).exp()))),
    RuleCase("silu_back", aten.silu_backward, pair(lambda g, b: g * (1 + b / (1 + b.exp())) / (1 + (-b).exp())), ((4,), (4,))),
    RuleCase("nll_back", lambda g, x: aten.nll_loss_backward(g, x, PLACE, None, 1, -100, 3 * torch.ones_like(g)), lambda g, x: np.array([[-g / arb(3) * int(PLACE[i] == j) for j in range(3)] for i in range(3)], dtype=object), ((), (3, 3)), halves=False),
    RuleCase("layer_norm", lambda x, w, b: F.layer_norm(x, (5,), w, b), layer_norm, ((3, 5), (5,), (5,))),
    RuleCase("layer_norm_alone", lambda x: F.layer_norm(x, (2, 3)), lambda x: layer_norm(x.reshape(3, 6)).reshape(3, 2, 3), ((3, 2, 3),)),
    RuleCase("layer_norm_back", norm_back, normed_back, ((3, 5), (3, 5), (3, 1), (3, 1), (5,)), domains=(REAL, REAL, REAL, POSITIVE, REAL), halves=False),
    RuleCase("layer_norm_back_alone", lambda g, x, m, r: norm_back(g, x, m, r, None), lambda g, x, m, r: normed_back(g, x, m, r, None), ((3, 5), (3, 5), (3, 1), (3, 1)), domains=(REAL, REAL, REAL, POSITIVE), halves=False),
    RuleCase("mm", torch.mm, lambda x, y: x.dot(y), ((3, 5), (5, 2))),
    RuleCase("mv", torch.mv, lambda x, y: x.dot(y), ((3, 5), (5,))),
    RuleCase("dot", torch.dot, lambda x, y: x.dot(y), ((6,), (6,))),
    RuleCase("bmm", torch.bmm, lambda x, y: np.stack([a.dot(b) for a, b in zip(x, y, strict=True)]), ((2, 3, 4), (2, 4, 2))),
    RuleCase("addmm", lambda c, x, y: torch.addmm(c, x, y, alpha=0.3), lambda c, x, y: c + arb(0.3) * x.dot(y), ((3, 2), (3, 5), (5, 2))),
    RuleCase("conv", lambda x, w: F.conv1d(x, w, stride=2, padding=1), lambda x, w: convolved(x, w, 2, 1), ((2, 2, 6), (3, 2, 3))),
    RuleCase("conv_back", back_program, convolved_back, ((2, 2, 6), (3, 2, 3), (2, 3, 4)), halves=False),
    RuleCase("index_add", lambda x, v: x.index_add(0, INDEX, v), gathered, ((3,), (5,))),
    RuleCase("scatter_add", lambda x, v: x.scatter_add(0, INDEX, v), gathered, ((3,), (5,))),
    RuleCase("index_put", lambda x, v: x.index_put((INDEX,), v, accumulate=True), gathered, ((3,), (5,))),
    RuleCase("put", lambda x, v: x.put(PUT.to(x.device), v), lambda x, v: np.array([v[1], x[1], v[0]], dtype=object), ((3,), (2,)), rounds=False),
    RuleCase("avg_pool", lambda x: F.avg_pool1d(x, 2), pooled, ((1, 2, 6),)),
    RuleCase("fmod", lambda x: torch.fmod(x, 7.0), lambda x: x, rounds=False),
    RuleCase("floor", torch.floor, each(lambda b: b.floor()), rounds=False),
    RuleCase("where", lambda x, y: torch.where(torch.tensor([True, False, True, False]), x, y), lambda x, y: np.where([True, False, True, False], x, y), ((4,), (4,)), rounds=False),
    RuleCase("det", lambda a: torch.linalg.det(dominant(a)), lambda a: np.asarray(matrix(dominant(a)).det(), dtype=object), ((3, 3),), halves=False),
    RuleCase("inv", lambda a: torch.linalg.inv(dominant(a)), lambda a: array_of(matrix(dominant(a)).inv()), ((3, 3),), halves=False),
    RuleCase("solve", lambda a, b: torch.linalg.solve(dominant(a), b), lambda a, b: array_of(matrix(dominant(a)).solve(matrix(b))), ((3, 3), (3, 2)), halves=False),
    RuleCase("cholesky", lambda a: torch.linalg.cholesky(spd(a)), lambda a: root_of(spd(a)), ((3, 3),), halves=False),
    RuleCase("cdist", lambda x, y: torch.cdist(x, y, compute_mode="donot_use_mm_for_euclid_dist"), lambda x, y: np.array([[sum_of((a - b) ** 2).sqrt() for b in y] for a in x], dtype=object), ((2, 3), (3, 3)), halves=False),
]  # fmt: skip


def balls(tensor):
    return (
        np.frompyfunc(lambda v: arb(float(v)), 1, 1)(tensor.to(torch.float64).numpy())
        if tensor.dim()
        else np.asarray(arb(tensor.item()), dtype=object)
    )


def outside(truth, mid, rad):
    """Entries of `truth` (balls) that certainly lie outside of mid ± rad."""
    flat = np.asarray(truth, dtype=object).reshape(-1)
    wrong = 0
    for value, center, reach in zip(flat, mid.reshape(-1).tolist(), rad.reshape(-1).tolist(), strict=True):
        if math.isinf(reach) or not arb(value).is_finite():
            continue
        wrong += bool(abs(value - arb(center)) > arb(reach))
    return wrong
