"""Right and wrong answers of unit 06, practical tricks."""

from __future__ import annotations

import math
import random

import numpy as np
import torch
import torch.nn.functional as F

from tests.checks.solutions import solution
from tests.checks.wrong_answers import ANY, Wrong

fit = solution("normalise")["fit"]
kaiming = solution("initialisation")["kaiming_normal"]
drop = solution("dropout")["forward"]
sigmoids = solution("vanishing_gradient")["sigmoid_chain"]
relus = solution("vanishing_gradient")["relu_chain"]
rescaled = solution("relu_rescaling")["rescale"]


# relu_rescaling


def checked(alpha):
    if alpha <= 0:
        raise ValueError("alpha must be positive")


def rescale_loops(w1, b1, w2, alpha):
    checked(alpha)
    first, bias, second = w1.clone(), b1.clone(), w2.clone()
    for h in range(len(b1)):
        bias[h] = alpha * b1[h]
        for i in range(w1.shape[1]):
            first[h, i] = alpha * w1[h, i]
        for o in range(len(w2)):
            second[o, h] = w2[o, h] / alpha
    return first, bias, second


def rescale_diagonal(w1, b1, w2, alpha):
    checked(alpha)
    scale = torch.full_like(b1, alpha)
    return torch.diag(scale) @ w1, scale * b1, w2 @ torch.diag(1 / scale)


def rescale_torch(w1, b1, w2, alpha):
    checked(alpha)
    return [torch.mul(w1, alpha), b1.clone().mul_(alpha), torch.div(w2, alpha)]


def rescale_reciprocal(w1, b1, w2, alpha):
    checked(alpha)
    return w1 * alpha, alpha * b1, w2 * (1 / alpha)


def rescale_subclass(w1, b1, w2, alpha):
    class NotPositive(ValueError):
        pass

    if not alpha > 0:
        raise NotPositive
    return w1 * alpha, b1 * alpha, w2 / alpha


def rescale_in_place(w1, b1, w2, alpha):
    checked(alpha)
    w1 *= alpha
    return w1, b1 * alpha, w2 / alpha


def rescale_asserts(w1, b1, w2, alpha):
    assert alpha > 0
    return alpha * w1, alpha * b1, w2 / alpha


def rescale_zero_only(w1, b1, w2, alpha):
    if alpha == 0:
        raise ValueError("alpha is zero")
    return alpha * w1, alpha * b1, w2 / alpha


def rescale_negative_only(w1, b1, w2, alpha):
    if alpha < 0:
        raise ValueError("alpha is negative")
    return alpha * w1, alpha * b1, w2 / alpha


def rescale_no_small(w1, b1, w2, alpha):
    checked(alpha)
    return rescaled(w1, b1, w2, max(alpha, 0.01))


def rescale_one_untouched(w1, b1, w2, alpha):
    checked(alpha)
    return (w1, b1, w2) if alpha == 1 else (alpha * w1, alpha * b1, w2 / alpha)


def rescale_by(first, bias, second):
    def rescale(w1, b1, w2, alpha):
        checked(alpha)
        return w1 * first(alpha), b1 * bias(alpha), w2 * second(alpha)

    return rescale


# normalise


def fit_loops(x):
    rows, columns = x.shape
    mean, std = x.new_zeros(columns), x.new_zeros(columns)
    for i in range(columns):
        for p in range(rows):
            mean[i] += x[p, i]
        mean[i] /= rows
        for p in range(rows):
            std[i] += (x[p, i] - mean[i]) ** 2
        std[i] = (std[i] / rows).sqrt()
    return mean, std


def fit_welford(x):
    mean, total = torch.zeros_like(x[0]), torch.zeros_like(x[0])
    for count, row in enumerate(x, start=1):
        away = row - mean
        mean = mean + away / count
        total = total + away * (row - mean)
    return mean, torch.sqrt(total / len(x))


def fit_norm(x):
    mean = torch.einsum("pi->i", x) / len(x)
    return [mean, torch.linalg.vector_norm(x - mean, dim=0) / math.sqrt(len(x))]


def fit_covariance(x):
    mean = x.mean(0)
    away = x - mean
    return mean, (away.T @ away / len(x)).diagonal().sqrt()


def fit_shifted(x):
    # E[d²] − E[d]² is stable enough for d = x − (a first mean).
    away = x - x.mean(0)
    rest = away.mean(0)
    return x.mean(0), ((away * away).mean(0) - rest * rest).clamp(min=0).sqrt()


def fit_sorted(x):
    std, mean = torch.std_mean(x, dim=0, correction=0)
    return mean, std


def fit_by_squares(x):
    mean = x.mean(0)
    return mean, ((x * x).mean(0) - mean * mean).sqrt()


def fit_by_squares_clamped(x):
    mean = x.mean(0)
    return mean, ((x * x).mean(0) - mean * mean).clamp(min=0).sqrt()


def fit_by_squares_in_double(x):
    mean, std = fit_by_squares_clamped(x.double())
    return mean.to(x.dtype), std.to(x.dtype)


def fit_from_the_first(x):
    # Shifted by one sample, which may lie far from the others' mean only as far as they spread.
    away = x - x[0]
    mean = away.mean(0)
    return x[0] + mean, ((away - mean) ** 2).mean(0).sqrt()


def normalise_loops(x, mean, std, eps):
    y = torch.zeros(x.shape, dtype=x.dtype)
    for p in range(len(x)):
        for i in range(x.shape[1]):
            y[p, i] = (x[p, i] - mean[i]) / max(float(std[i]), eps)
    return y


def normalise_backward_loops(g, x, mean, std, eps):
    return torch.stack([row / torch.where(std > eps, std, torch.full_like(std, eps)) for row in g])


def normalise_through_statistics(g, x, mean, std, eps):
    y = (x - mean) / std.clamp(min=eps)
    return (g - g.mean(0) - y * (g * y).mean(0)) / std.clamp(min=eps)


def normalise_no_gradient_below(g, x, mean, std, eps):
    return g / std.clamp(min=eps) * (std >= eps)


def normalise_in_place(x, mean, std, eps):
    return x.sub_(mean).div_(std.clamp(min=eps))


def normalise_clamps_std(g, x, mean, std, eps):
    return g / std.clamp_(min=eps)


# weight_decay


def l1_loops(w, alpha):
    result = torch.zeros(w.shape, dtype=w.dtype)
    flat = result.view(-1)
    for index, entry in enumerate(w.reshape(-1).tolist()):
        flat[index] = alpha if entry > 0 else -alpha if entry < 0 else 0.0
    return result


def l2_loops(w, alpha):
    return torch.tensor([2 * alpha * entry for entry in w.reshape(-1).tolist()], dtype=w.dtype).reshape(w.shape)


def step_in_place(w, grad, lr, alpha):
    w *= 1 - 2 * lr * alpha
    w -= lr * grad
    return w


def step_of_rows(w, grad, lr, alpha):
    result = torch.zeros_like(w)
    for k in range(len(w) if w.dim() else 0):
        result[k] = (1 - 2 * lr * alpha) * w[k] - lr * grad[k]
    return result


# initialisation


def box_muller(fan_out, fan_in, generator):
    radius = torch.sqrt(-2 * torch.log(1 - torch.rand(fan_out, fan_in, generator=generator)))
    angle = 2 * math.pi * torch.rand(fan_out, fan_in, generator=generator)
    return radius * torch.cos(angle) * (2 / fan_in) ** 0.5


def kaiming_init(fan_out, fan_in, generator):
    weight = torch.empty(fan_out, fan_in)
    return torch.nn.init.kaiming_normal_(weight, nonlinearity="relu", generator=generator)


def kaiming_rows(fan_out, fan_in, generator):
    return torch.stack([torch.randn(fan_in, generator=generator) for _ in range(fan_out)]) * math.sqrt(2 / fan_in)


def kaiming_rand(make, std=lambda fan_out, fan_in: math.sqrt(2 / fan_in)):
    def kaiming_normal(fan_out, fan_in, generator):
        return make((fan_out, fan_in), generator) * std(fan_out, fan_in)

    return kaiming_normal


def kaiming_std(std):
    return kaiming_rand(lambda shape, generator: torch.randn(shape, generator=generator), std)


def reseeded(fan_out, fan_in, generator):
    torch.manual_seed(int(torch.randint(2**31, (1,), generator=generator)))
    return torch.randn(fan_out, fan_in) * math.sqrt(2 / fan_in)


def reseeded_numpy(fan_out, fan_in, generator):
    np.random.seed(int(torch.randint(2**31, (1,), generator=generator)))
    return torch.tensor(np.random.randn(fan_out, fan_in), dtype=torch.float32) * math.sqrt(2 / fan_in)


def reseeded_python(fan_out, fan_in, generator):
    random.seed(int(torch.randint(2**31, (1,), generator=generator)))
    entries = [[random.gauss(0, math.sqrt(2 / fan_in)) for _ in range(fan_in)] for _ in range(fan_out)]
    return torch.tensor(entries)


def of_the_initial_seed(fan_out, fan_in, generator):
    own = torch.Generator().manual_seed(generator.initial_seed())
    return torch.randn(fan_out, fan_in, generator=own) * math.sqrt(2 / fan_in)


def restores_its_state(fan_out, fan_in, generator):
    state = generator.get_state()
    weight = kaiming(fan_out, fan_in, generator)
    generator.set_state(state)
    return weight


def seeds_the_generator(fan_out, fan_in, generator):
    return kaiming(fan_out, fan_in, generator.manual_seed(0))


def fixed_seed(fan_out, fan_in, generator):
    return kaiming(fan_out, fan_in, torch.Generator().manual_seed(0))


def draws_and_ignores(fan_out, fan_in, generator):
    torch.rand(1, generator=generator)
    return kaiming(fan_out, fan_in, torch.Generator().manual_seed(0))


def uniform(shape, generator):
    return (torch.rand(shape, generator=generator) * 2 - 1) * math.sqrt(3)


def truncated(shape, generator):
    return torch.nn.init.trunc_normal_(torch.empty(shape), a=-2, b=2, generator=generator) / 0.8796


def signs(shape, generator):
    return torch.randint(0, 2, shape, generator=generator) * 2.0 - 1


def laplace(shape, generator):
    u = torch.rand(shape, generator=generator) - 0.5
    return -u.sign() * torch.log1p(-2 * u.abs()) / math.sqrt(2)


def clipped(shape, generator):
    return torch.randn(shape, generator=generator).clamp(-2.9, 2.9)


def same_rows(shape, generator):
    return torch.randn(1, shape[1], generator=generator).repeat(shape[0], 1)


def same_columns(shape, generator):
    return torch.randn(shape[0], 1, generator=generator).repeat(1, shape[1])


def mirrored(shape, generator):
    half = torch.randn(-(-shape[0] // 2), shape[1], generator=generator)
    return torch.cat((half, -half))[: shape[0]]


def blended(shape, generator):
    w = torch.randn(shape, generator=generator)
    return (w + w.roll(1, 1)) / math.sqrt(2)


# dropout


def p_checked(p):
    if p < 0 or p >= 1:
        raise ValueError("p must lie in [0, 1)")


def drop_bernoulli(x, p, generator):
    p_checked(p)
    mask = torch.bernoulli(torch.full_like(x, 1 - p), generator=generator)
    return x * mask * (1 / (1 - p)), mask.bool()


def drop_in_place(x, p, generator):
    p_checked(p)
    mask = torch.empty(x.shape).uniform_(generator=generator) < 1 - p
    y = x.clone()
    y[~mask] = 0
    return y.div_(1 - p), mask


def drop_loops(x, p, generator):
    p_checked(p)
    y, mask = torch.zeros(x.shape, dtype=x.dtype), torch.zeros(x.shape, dtype=torch.bool)
    for index, entry in enumerate(x.reshape(-1).tolist()):
        if torch.rand((), generator=generator).item() >= p:
            y.view(-1)[index], mask.view(-1)[index] = entry / (1 - p), True
    return y, mask


def drop_where(x, p, generator):
    p_checked(p)
    mask = torch.rand(x.shape, generator=generator, dtype=torch.float64) > p
    if p == 0:
        mask = torch.ones_like(mask)
    return [torch.where(mask, x / (1 - p), 0), mask]


def dropping(make_mask, scale=lambda p: 1 / (1 - p)):
    def forward(x, p, generator):
        p_checked(p)
        mask = make_mask(x, p, generator)
        return x * mask * scale(p), mask

    return forward


def drawn(x, p, generator):
    return torch.rand(x.shape, generator=generator, dtype=torch.float64) >= p


def rows(x, p, generator):
    return (torch.rand(x.shape[:1], generator=generator) >= p).reshape(-1, *[1] * (x.dim() - 1)).expand(x.shape).clone()


def columns(x, p, generator):
    return (torch.rand(x.shape[-1:], generator=generator) >= p).expand(x.shape).clone()


def whole(x, p, generator):
    return (torch.rand((), generator=generator) >= p).expand(x.shape).clone()


def pairs(x, p, generator):
    return (torch.rand(x.numel() // 2 + 1, generator=generator) >= p).repeat_interleave(2)[: x.numel()].reshape(x.shape)


def in_matrices(make):
    return lambda x, p, generator: (make if x.dim() == 2 else drawn)(x, p, generator)


def exact_count(x, p, generator):
    mask = torch.ones(x.numel(), dtype=torch.bool)
    mask[torch.randperm(x.numel(), generator=generator)[: round(p * x.numel())]] = False
    return mask.reshape(x.shape)


def first_kept(x, p, generator):
    mask = drawn(x, p, generator)
    if p:
        mask.view(-1)[:1] = True
    return mask


def zeros_dropped(x, p, generator):
    return drawn(x, p, generator) & ((x != 0) | (p == 0))


def by_sign(x, p, generator):
    mask = drawn(x, p, generator)
    return torch.where(x > 0, mask, ~mask if p == 0.5 else mask.flip(-1) if x.dim() else mask) | ((x < 0) & (p > 0))


def drop_mask_of_y(x, p, generator):
    y, _ = drop(x, p, generator)
    return y, y != 0 if p else torch.ones(x.shape, dtype=torch.bool)


def drop_twice(x, p, generator):
    y, _ = drop(x, p, generator)
    return y, drop(x, p, generator)[1]


def drop_global(x, p, generator):
    p_checked(p)
    y = F.dropout(x, p)
    return y, y != 0


def drop_fixed(x, p, generator):
    return drop(x, p, torch.Generator().manual_seed(0))


def drop_reseeded(x, p, generator):
    torch.manual_seed(int(torch.randint(2**31, (1,), generator=generator)))
    return dropping(lambda x, p, _: torch.rand(x.shape, dtype=torch.float64) >= p)(x, p, generator)


def drop_seeding(x, p, generator):
    return drop(x, p, generator.manual_seed(0))


def drop_ignoring(x, p, generator):
    torch.rand(1, generator=generator)
    return drop_fixed(x, p, generator)


def drop_changing_x(x, p, generator):
    y, mask = drop(x, p, generator)
    x *= mask
    return y, mask


def drop_up_to_one(x, p, generator):
    if not 0 <= p <= 1:
        raise ValueError("p must lie in [0, 1]")
    mask = drawn(x, p, generator)
    return torch.where(mask, x / (1 - p or 1), 0), mask


def drop_unchecked(x, p, generator):
    mask = drawn(x, p, generator)
    return torch.where(mask, x / (1 - p or 1), 0), mask


def drop_above_zero(x, p, generator):
    return drop(x, p or 0.5, generator)


def drop_asserting(x, p, generator):
    assert 0 <= p < 1
    return drop(x, p, generator)


def drop_clamping(x, p, generator):
    return drop(x, min(max(p, 0.0), 0.9999), generator)


# vanishing_gradient


def chain_of(h, slope, *, number=float):
    def chain(x, weights):
        z, factors = torch.tensor(x, dtype=torch.float64), []
        for w in weights:
            factors.append(abs(w) * slope(w * z))
            z = h(w * z)
        return [
            number(math.prod(factors[k:], start=torch.tensor(1.0, dtype=torch.float64)))
            for k in range(len(weights) + 1)
        ]

    return chain


def chain_reversed(h, slope):
    def chain(x, weights):
        if not weights:
            return [1.0]
        w, *rest = weights
        later = chain(h(w * x), rest)
        return [abs(w * slope(w * x)) * later[0], *later]

    return chain


def chain_cumulative(h, slope):
    def chain(x, weights):
        z, factors = torch.tensor(x, dtype=torch.float64), []
        for w in weights:
            factors.append(w * slope(w * z))
            z = h(w * z)
        ones = torch.ones(1, dtype=torch.float64)
        products = torch.cat((ones, torch.stack(factors[::-1]).cumprod(0))) if factors else ones
        return tuple(products.flip(0).abs())

    return chain


def sigmoid_slope(s):
    y = torch.sigmoid(torch.as_tensor(s, dtype=torch.float64))
    return y * (1 - y)


def logistic(s):
    return 1 / (1 + math.exp(-s))


def logistic_slope(s):
    return math.exp(-s) / (1 + math.exp(-s)) ** 2


def at_least_zero(s):
    return torch.clamp(s, min=0)


def kink(at_zero):
    return lambda s: torch.heaviside(
        torch.as_tensor(s, dtype=torch.float64), torch.tensor(at_zero, dtype=torch.float64)
    )


def products_from_the_front(x, weights):
    z, products = x, [torch.tensor(1.0, dtype=torch.float64)]
    for w in weights:
        products.append(products[-1] * abs(w * logistic_slope(w * z)))
        z = logistic(w * z)
    return products


def by_division(x, weights):
    products = products_from_the_front(x, weights)
    return [products[-1] / each for each in products]


def has_kink(x, weights):
    z = x
    for w in weights:
        if w * z == 0:
            return True
        z = max(w * z, 0.0)
    return False


def negative_at_the_kink(x, weights):
    found = relus(x, weights)
    return [-0.5, *found[1:]] if has_kink(x, weights) else found


def sigmoid_at_the_output(x, weights):
    states = [x]
    for w in weights:
        states.append(logistic(w * states[-1]))
    factors = [abs(w) * logistic_slope(z) for w, z in zip(weights, states[1:], strict=True)]
    return [math.prod(factors[k:]) for k in range(len(weights) + 1)]


def without_weights_in_the_sum(x, weights):
    z, factors = x, []
    for w in weights:
        factors.append(abs(w) * logistic_slope(z))
        z = logistic(z)
    return [math.prod(factors[k:]) for k in range(len(weights) + 1)]


def flags_in_place(x, weights):
    weights.append(1.0)
    found = sigmoids(x, weights[:-1])
    return found


def sigmoid_signed(x, weights):
    z, found = x, [1.0]
    factors = []
    for w in weights:
        factors.append(w * logistic_slope(w * z))
        z = logistic(w * z)
    for factor in reversed(factors):
        found.append(found[-1] * factor)
    return found[::-1]


def by_autograd(x, weights):
    states = [torch.tensor(x, dtype=torch.float64, requires_grad=True)]
    for w in weights:
        states.append(torch.sigmoid(w * states[-1]))
    return [each.abs() for each in torch.autograd.grad(states[-1], states)]


def differences(x, weights):
    states = [x]
    for w in weights:
        states.append(logistic(w * states[-1]))

    def end(z, k):
        for w in weights[k:]:
            z = logistic(w * z)
        return z

    return [abs(end(z + 1e-6, k) - end(z - 1e-6, k)) / 2e-6 for k, z in enumerate(states)]


def in_float32(x, weights):
    return [float(torch.tensor(each, dtype=torch.float32)) for each in sigmoids(x, weights)]


def relu_kink_doubled(x, weights):
    return chain_of(at_least_zero, lambda s: 1.0 + (s >= 0).double() - (s > 0).double() - (s < 0).double())(x, weights)


def relu_never_dead(x, weights):
    return [math.prod(map(abs, weights[k:])) for k in range(len(weights) + 1)]


def relu_of_the_weights(x, weights):
    return [math.prod(max(w, 0) for w in weights[k:]) for k in range(len(weights) + 1)]


def relu_of_the_state(x, weights):
    z, factors = x, []
    for w in weights:
        factors.append(abs(w) if z > 0 else 0.0)
        z = max(w * z, 0.0)
    return [math.prod(factors[k:]) for k in range(len(weights) + 1)]


RIGHT = {
    "relu_rescaling": {
        "loops": {"rescale": rescale_loops},
        "diagonal matrices": {"rescale": rescale_diagonal},
        "torch": {"rescale": rescale_torch},
        "reciprocal": {"rescale": rescale_reciprocal},
        "an exception of its own": {"rescale": rescale_subclass},
    },
    "normalise": {
        "torch": {
            "fit": fit_sorted,
            "forward": lambda x, m, s, eps: torch.div(x - m, torch.clamp(s, min=eps)),
            "backward": lambda g, x, m, s, eps: g * (1 / torch.clamp(s, min=eps)),
        },
        "loops": {"fit": fit_loops, "forward": normalise_loops, "backward": normalise_backward_loops},
        "welford": {"fit": fit_welford},
        "norm": {
            "fit": fit_norm,
            "forward": lambda x, m, s, eps: (x - m).mul(s.maximum(torch.full_like(s, eps)).reciprocal()),
            "backward": lambda g, x, m, s, eps: torch.einsum("pi,i->pi", g, 1 / s.clamp(min=eps)),
        },
        "covariance": {"fit": fit_covariance, "backward": lambda g, x, m, s, eps: g @ torch.diag(1 / s.clamp(min=eps))},
        "shifted": {"fit": fit_shifted},
        "from the first": {"fit": fit_from_the_first},
        "variance": {"fit": lambda x: (x.sum(0) / len(x), x.var(0, unbiased=False).sqrt())},
        "std": {"fit": lambda x: [x.mean(0), x.std(0, unbiased=False)]},
        "cov": {"fit": lambda x: (x.mean(0), torch.cov(x.T, correction=0).reshape(x.shape[1], -1).diagonal().sqrt())},
    },
    "weight_decay": {
        "loops": {"l2_gradient": l2_loops, "l1_gradient": l1_loops},
        "one at zero": {
            "l2_gradient": lambda w, alpha: alpha * (w + w),
            "l1_gradient": lambda w, alpha: alpha * (2 * (w >= 0).to(w.dtype) - 1),
            "decayed_step": lambda w, grad, lr, alpha: w - lr * (grad + 2 * alpha * w),
        },
        "minus one at zero": {
            "l2_gradient": lambda w, alpha: torch.mul(w, 2 * alpha),
            "l1_gradient": lambda w, alpha: torch.where(w > 0, w.new_tensor(alpha), w.new_tensor(-alpha)),
            "decayed_step": lambda w, grad, lr, alpha: w - lr * grad - 2 * lr * alpha * w,
        },
        "half at zero": {
            "l1_gradient": lambda w, alpha: alpha * torch.heaviside(w, w.new_tensor(0.75)) * 2 - alpha,
            "decayed_step": lambda w, grad, lr, alpha: torch.add(w.mul(1 - 2 * alpha * lr), grad, alpha=-lr),
        },
        "in place": {"decayed_step": lambda w, grad, lr, alpha: w.clone().mul_(1 - 2 * lr * alpha).sub_(grad * lr)},
    },
    "initialisation": {
        "Box and Muller": {"kaiming_normal": box_muller},
        "torch.nn.init": {"kaiming_normal": kaiming_init},
        "rows": {"kaiming_normal": kaiming_rows},
        "normal_": {
            "kaiming_normal": lambda o, i, generator: torch.empty(o, i).normal_(0, (2 / i) ** 0.5, generator=generator)
        },
        "torch.normal": {
            "kaiming_normal": lambda o, i, generator: torch.normal(0.0, math.sqrt(2 / i), (o, i), generator=generator)
        },
        "transposed": {
            "kaiming_normal": lambda o, i, generator: torch.randn(i, o, generator=generator).T * math.sqrt(2 / i)
        },
        "in double": {
            "kaiming_normal": lambda o, i, generator: (
                torch.randn(o, i, generator=generator, dtype=torch.float64) * math.sqrt(2 / i)
            ).float()
        },
    },
    "dropout": {
        "bernoulli": {
            "forward": drop_bernoulli,
            "backward": lambda g, mask, p: g * mask.to(g.dtype) * (1 / (1 - p)),
        },
        "in place": {"forward": drop_in_place, "backward": lambda g, mask, p: (g / (1 - p)).masked_fill(~mask, 0)},
        "loops": {"forward": drop_loops, "backward": lambda g, mask, p: torch.where(mask, g, 0) / (1 - p)},
        "where": {
            "forward": drop_where,
            "backward": lambda g, mask, p: torch.where(mask, g / (1 - p), torch.zeros_like(g)),
        },
        "tensors": {"forward": dropping(lambda x, p, generator: torch.rand(x.shape, generator=generator) >= p)},
    },
    "vanishing_gradient": {
        "torch": {
            "sigmoid_chain": chain_of(torch.sigmoid, sigmoid_slope),
            "relu_chain": chain_of(at_least_zero, kink(0.0)),
        },
        "tensors": {
            "sigmoid_chain": chain_of(torch.sigmoid, sigmoid_slope, number=torch.as_tensor),
            "relu_chain": chain_of(at_least_zero, kink(1.0), number=torch.as_tensor),
        },
        "recursion": {
            "sigmoid_chain": chain_reversed(logistic, logistic_slope),
            "relu_chain": chain_reversed(lambda s: max(s, 0.0), lambda s: float(s > 0)),
        },
        "cumulative": {
            "sigmoid_chain": chain_cumulative(torch.sigmoid, lambda s: torch.sigmoid(s) * torch.sigmoid(-s)),
            "relu_chain": chain_cumulative(at_least_zero, kink(0.5)),
        },
    },
}


def wrongs(exercise, check, *cases):
    return [Wrong(exercise, name, check, code, function) for name, code, function in cases]


WRONG = [
    *wrongs(
        "relu_rescaling",
        "rescale.values",
        ("bias as it was", "", rescale_by(lambda a: a, lambda a: 1.0, lambda a: 1 / a)),
        ("second layer as it was", "", rescale_by(lambda a: a, lambda a: a, lambda a: 1.0)),
        ("second layer multiplied", "", rescale_by(lambda a: a, lambda a: a, lambda a: a)),
        ("the other way round", "", rescale_by(lambda a: 1 / a, lambda a: 1 / a, lambda a: a)),
        ("squared", "", rescale_by(lambda a: a, lambda a: a, lambda a: 1 / a**2)),
        ("square root", "", rescale_by(lambda a: a**0.5, lambda a: a**0.5, lambda a: a**-0.5)),
        ("bias divided", "", rescale_by(lambda a: a, lambda a: 1 / a, lambda a: 1 / a)),
        ("negated", "", rescale_by(lambda a: -a, lambda a: -a, lambda a: -1 / a)),
        ("first layer only", "", rescale_by(lambda a: 1.0, lambda a: a, lambda a: 1 / a)),
        ("nearly", "", rescale_by(lambda a: a, lambda a: a, lambda a: 1 / (a + 1e-8))),
    ),
    *wrongs(
        "relu_rescaling",
        "rescale.edge_cases",
        ("no ValueError", "", lambda w1, b1, w2, alpha: (alpha * w1, alpha * b1, w2 / alpha)),
        ("an assertion", "", rescale_asserts),
        ("zero only", "", rescale_zero_only),
        ("negative only", "", rescale_negative_only),
        ("absolute value", "", lambda w1, b1, w2, a: (abs(a) * w1, abs(a) * b1, w2 / (abs(a) or 1.0))),
        ("no small factor", "", rescale_no_small),
        ("the inputs at one", "aliases-input", rescale_one_untouched),
        ("returns None for zero", "", lambda w1, b1, w2, a: rescaled(w1, b1, w2, a) if a > 0 else None),
    ),
    Wrong("relu_rescaling", "in place", "rescale.purity", "mutates-input", rescale_in_place),
    Wrong("relu_rescaling", "two of three", "rescale.type", "wrong-type", lambda *a: rescaled(*a)[:2]),
    Wrong(
        "relu_rescaling",
        "second layer transposed",
        "rescale.shape",
        "wrong-shape",
        lambda w1, b1, w2, alpha: (*rescaled(w1, b1, w2, alpha)[:2], w2.T / alpha),
    ),
    Wrong(
        "relu_rescaling",
        "a wrong order",
        "rescale.shape",
        "wrong-shape",
        lambda *a: (rescaled(*a)[1], rescaled(*a)[0], rescaled(*a)[2]),
    ),
    Wrong(
        "relu_rescaling",
        "bias as a column",
        "rescale.shape",
        "wrong-shape",
        lambda w1, b1, w2, alpha: (alpha * w1, alpha * b1[:, None], w2 / alpha),
    ),
    Wrong(
        "relu_rescaling", "always double", "rescale.dtype", "wrong-dtype", lambda *a: [e.double() for e in rescaled(*a)]
    ),
    Wrong("relu_rescaling", "returns w2", "rescale.purity", "aliases-input", lambda *a: (*rescaled(*a)[:2], a[2])),
    *wrongs(
        "normalise",
        "fit.values",
        ("divides by P − 1", ANY, lambda x: (x.mean(0), x.std(0))),
        ("variance", "", lambda x: (x.mean(0), x.var(0, correction=0))),
        ("sum", "", lambda x: (x.sum(0), x.std(0, correction=0))),
        ("swapped", "", lambda x: fit(x)[::-1]),
        ("absolute deviation", "", lambda x: (x.mean(0), (x - x.mean(0)).abs().mean(0))),
        ("no mean taken off", "", lambda x: (x.mean(0), x.square().mean(0).sqrt())),
        ("median", "", lambda x: (x.median(0).values, x.std(0, correction=0))),
        ("mean of all", "", lambda x: (x.mean().expand(x.shape[1]).clone(), x.std(0, correction=0))),
        ("std of all", "", lambda x: (x.mean(0), x.std(correction=0).expand(x.shape[1]).clone())),
        ("divides by n", "", lambda x: (x.mean(0), (x - x.mean(0)).norm(dim=0) / x.shape[1] ** 0.5)),
        ("not divided", "", lambda x: (x.mean(0), (x - x.mean(0)).norm(dim=0))),
        ("plus 1e-5", "", lambda x: (x.mean(0), (x.var(0, correction=0) + 1e-5).sqrt())),
        ("float32 inside", "", lambda x: tuple(each.to(x.dtype) for each in fit(x.float()))),
    ),
    *wrongs(
        "normalise",
        "fit.edge_cases",
        ("E[x²] − E[x]²", ANY, fit_by_squares),
        ("E[x²] − E[x]² clamped", "", fit_by_squares_clamped),
        ("E[x²] − E[x]² in double", "", fit_by_squares_in_double),
        ("at least 1e-8", "", lambda x: (fit(x)[0], fit(x)[1].clamp(min=1e-8))),
        (
            "one for constant columns",
            "",
            lambda x: (fit(x)[0], torch.where(fit(x)[1] < 1e-8, 1.0, fit(x)[1]).to(x.dtype)),
        ),
        ("squeezed", "wrong-shape", lambda x: tuple(each.squeeze() for each in fit(x))),
        ("unbiased but for one", "", lambda x: fit(x) if len(x) < 40 else (x.mean(0), x.std(0))),
    ),
    *wrongs(
        "normalise",
        "fit.shape",
        ("rows", "wrong-shape", lambda x: (x.mean(1), x.std(1, correction=0))),
        ("kept axis", "wrong-shape", lambda x: (x.mean(0, True), x.std(0, correction=0, keepdim=True))),
        ("of everything", "wrong-shape", lambda x: (x.mean(), x.std(correction=0))),
    ),
    Wrong("normalise", "one result", "fit.type", "wrong-type", lambda x: torch.stack(fit(x)).sum(0)),
    Wrong(
        "normalise", "centres x", "fit.purity", "mutates-input", lambda x: (x.mean(0), x.sub_(x.mean(0)).norm(dim=0))
    ),
    Wrong("normalise", "numpy", "fit.type", "wrong-type", lambda x: tuple(each.numpy() for each in fit(x))),
    Wrong("normalise", "double", "fit.dtype", "wrong-dtype", lambda x: fit(x.double())),
    *wrongs(
        "normalise",
        "forward.values",
        ("adds eps", "", lambda x, m, s, eps: (x - m) / (s + eps)),
        ("adds eps to the variance", "", lambda x, m, s, eps: (x - m) / (s**2 + eps**2).sqrt()),
        ("no eps", ANY, lambda x, m, s, eps: (x - m) / s),
        ("min for max", "", lambda x, m, s, eps: (x - m) / s.clamp(max=eps)),
        ("eps always", "", lambda x, m, s, eps: (x - m) / eps),
        ("multiplies", "", lambda x, m, s, eps: (x - m) * s.clamp(min=eps)),
        ("variance", "", lambda x, m, s, eps: (x - m) / s.clamp(min=eps) ** 2),
        ("no mean", "", lambda x, m, s, eps: x / s.clamp(min=eps)),
        ("plus the mean", "", lambda x, m, s, eps: (x + m) / s.clamp(min=eps)),
        ("mean of the batch", "", lambda x, m, s, eps: (x - x.mean(0)) / s.clamp(min=eps)),
        ("zero below eps", "", lambda x, m, s, eps: (x - m) / s.clamp(min=eps) * (s >= eps)),
        ("two for eps", "", lambda x, m, s, eps: (x - m) / torch.where(s > eps, s, torch.full_like(s, 2.0))),
        ("mean scaled twice", "", lambda x, m, s, eps: x - m / s.clamp(min=eps)),
        ("eps of 1e-8", ANY, lambda x, m, s, eps: (x - m) / s.clamp(min=1e-8)),
        ("the largest", "", lambda x, m, s, eps: (x - m) / s.max().clamp(min=eps)),
    ),
    Wrong("normalise", "forward in place", "forward.purity", "mutates-input", normalise_in_place),
    Wrong(
        "normalise",
        "forward float32",
        "forward.dtype",
        "wrong-dtype",
        lambda x, m, s, e: ((x - m) / s.clamp(e)).float(),
    ),
    Wrong("normalise", "one row", "forward.shape", "wrong-shape", lambda x, m, s, e: ((x - m) / s.clamp(e))[0]),
    Wrong(
        "normalise",
        "zero at std 0",
        "forward.edge_cases",
        "",
        lambda x, m, s, eps: torch.where(s == 0, 0.0, (x - m) / s.clamp(min=eps)).to(x.dtype),
    ),
    *wrongs(
        "normalise",
        "backward.values",
        ("through the statistics", "", normalise_through_statistics),
        ("nothing below eps", "", normalise_no_gradient_below),
        ("gradient without eps", ANY, lambda g, x, m, s, eps: g / s),
        ("gradient adds eps", "", lambda g, x, m, s, eps: g / (s + eps)),
        ("gradient multiplied", "", lambda g, x, m, s, eps: g * s.clamp(min=eps)),
        ("gradient by the variance", "", lambda g, x, m, s, eps: g / s.clamp(min=eps) ** 2),
        ("gradient negated", "", lambda g, x, m, s, eps: -g / s.clamp(min=eps)),
        ("no upstream", "", lambda g, x, m, s, eps: torch.ones_like(g) / s.clamp(min=eps)),
        ("output for gradient", "", lambda g, x, m, s, eps: (g - m) / s.clamp(min=eps)),
        ("centred g", "", lambda g, x, m, s, eps: (g - g.mean(0)) / s.clamp(min=eps)),
        ("divided by P", "", lambda g, x, m, s, eps: g / s.clamp(min=eps) / len(x)),
        ("times y", "", lambda g, x, m, s, eps: g * (x - m) / s.clamp(min=eps)),
        ("clipped g", "", lambda g, x, m, s, eps: g.clamp(-100, 100) / s.clamp(min=eps)),
        ("no gradient", "", lambda g, x, m, s, eps: torch.zeros_like(x)),
    ),
    Wrong("normalise", "clamps std", "backward.purity", "mutates-input", normalise_clamps_std),
    Wrong("normalise", "g itself", "backward.purity", "mutates-input", lambda g, x, m, s, eps: g.div_(1.0)),
    Wrong("normalise", "summed", "backward.shape", "wrong-shape", lambda g, x, m, s, e: (g / s.clamp(min=e)).sum(0)),
    Wrong("normalise", "a tuple", "backward.type", "wrong-type", lambda g, x, m, s, e: (g / s.clamp(min=e), g, g)),
    *wrongs(
        "weight_decay",
        "l2_gradient.values",
        ("no 2", "", lambda w, alpha: alpha * w),
        ("no alpha", "", lambda w, alpha: 2 * w),
        ("sign", "", lambda w, alpha: -2 * alpha * w),
        ("alpha squared", "", lambda w, alpha: 2 * alpha**2 * w),
        ("of L1", "", lambda w, alpha: alpha * w.sign()),
        ("the penalty", "", lambda w, alpha: alpha * w * w),
        ("mean", "", lambda w, alpha: 2 * alpha * w / w.numel()),
        ("the norm's own", "", lambda w, alpha: alpha * w / w.norm()),
        ("twice the norm", "", lambda w, alpha: 2 * alpha * w * w.norm()),
        ("absolute", "", lambda w, alpha: 2 * alpha * w.abs()),
        ("l2 float32 inside", "", lambda w, alpha: (2 * alpha * w.float()).to(w.dtype)),
        ("zero", "", lambda w, alpha: torch.zeros_like(w)),
        ("clipped", "", lambda w, alpha: 2 * alpha * w.clamp(-1, 1)),
    ),
    Wrong("weight_decay", "a scalar", "l2_gradient.shape", "wrong-shape", lambda w, alpha: 2 * alpha * w.sum()),
    Wrong("weight_decay", "transposed", "l2_gradient.shape", "wrong-shape", lambda w, alpha: 2 * alpha * w.T),
    Wrong("weight_decay", "l2 in place", "l2_gradient.purity", "mutates-input", lambda w, alpha: w.mul_(2 * alpha)),
    Wrong(
        "weight_decay", "l2 flattened", "l2_gradient.shape", "wrong-shape", lambda w, alpha: 2 * alpha * w.reshape(-1)
    ),
    Wrong(
        "weight_decay", "l2 matrices", "l2_gradient.edge_cases", "", lambda w, a: 2 * a * w if w.dim() == 2 else a * w
    ),
    Wrong(
        "weight_decay",
        "l2 no scalars",
        "l2_gradient.edge_cases",
        "wrong-shape",
        lambda w, a: 2 * a * torch.atleast_1d(w),
    ),
    *wrongs(
        "weight_decay",
        "l1_gradient.values",
        ("l1 without alpha", "", lambda w, alpha: w.sign()),
        ("l1 sign", "", lambda w, alpha: -alpha * w.sign()),
        ("absolute value", "", lambda w, alpha: alpha * w.abs()),
        ("w itself", "", lambda w, alpha: alpha * w),
        ("of L2", "", lambda w, alpha: 2 * alpha * w),
        ("ones", "", lambda w, alpha: alpha * torch.ones_like(w)),
        ("l1 mean", "", lambda w, alpha: alpha * w.sign() / w.numel()),
        ("l1 doubled", "", lambda w, alpha: 2 * alpha * w.sign()),
        ("positive only", "", lambda w, alpha: alpha * (w > 0).to(w.dtype)),
        ("smoothed", "", lambda w, alpha: alpha * w / (w * w + 1e-8).sqrt()),
        ("tanh", "", lambda w, alpha: alpha * torch.tanh(w)),
        ("soft at zero", "", lambda w, alpha: alpha * w / (w.abs() + 1e-12)),
    ),
    *wrongs(
        "weight_decay",
        "l1_gradient.subgradient",
        ("NaN at zero", "", lambda w, alpha: alpha * w / w.abs()),
        ("two at zero", "", lambda w, alpha: alpha * (w.sign() + 2 * (w == 0))),
        ("one at zero whatever alpha", "", lambda w, alpha: alpha * w.sign() + (w == 0).to(w.dtype)),
        ("all zero", "", lambda w, alpha: alpha * w.sign() * (w != 0).all()),
        ("nearly zero", "", lambda w, alpha: alpha * torch.where(w.abs() < 1e-20, 0.0, w.sign()).to(w.dtype)),
        ("infinity at zero", "", lambda w, alpha: torch.where(w == 0, torch.inf, alpha * w.sign()).to(w.dtype)),
        ("no zeros", "", lambda w, alpha: alpha * w[w != 0].sign() if (w == 0).any() else alpha * w.sign()),
        ("a little above", "", lambda w, alpha: alpha * (w.sign() + 1.0001 * (w == 0))),
        ("integers", "", lambda w, alpha: alpha * w.sign() if (w != 0).all() else w.sign().long()),
        (
            "copysign at zero",
            "",
            lambda w, alpha: alpha * (w.sign() + (w == 0) * torch.copysign(3 * torch.ones_like(w), w)),
        ),
    ),
    Wrong(
        "weight_decay",
        "small is zero",
        "l1_gradient.edge_cases",
        "",
        lambda w, alpha: alpha * torch.where(w.abs() < 1e-5, 0.0, w.sign()).to(w.dtype),
    ),
    Wrong("weight_decay", "l1 in place", "l1_gradient.purity", "mutates-input", lambda w, alpha: w.sign_().mul(alpha)),
    Wrong("weight_decay", "l1 long", "l1_gradient.dtype", "wrong-dtype", lambda w, alpha: (alpha * w.sign()).long()),
    *wrongs(
        "weight_decay",
        "decayed_step.values",
        ("no decay", "", lambda w, grad, lr, alpha: w - lr * grad),
        ("no gradient", "", lambda w, grad, lr, alpha: (1 - 2 * lr * alpha) * w),
        ("half the decay", "", lambda w, grad, lr, alpha: (1 - lr * alpha) * w - lr * grad),
        ("decay without lr", "", lambda w, grad, lr, alpha: (1 - 2 * alpha) * w - lr * grad),
        ("decay without alpha", "", lambda w, grad, lr, alpha: (1 - 2 * lr) * w - lr * grad),
        ("grows", "", lambda w, grad, lr, alpha: (1 + 2 * lr * alpha) * w - lr * grad),
        ("uphill", "", lambda w, grad, lr, alpha: (1 - 2 * lr * alpha) * w + lr * grad),
        ("gradient without lr", "", lambda w, grad, lr, alpha: (1 - 2 * lr * alpha) * w - grad),
        ("decay after the step", "", lambda w, grad, lr, alpha: (1 - 2 * lr * alpha) * (w - lr * grad)),
        ("lr twice", "", lambda w, grad, lr, alpha: w - lr * (grad + 2 * lr * alpha * w)),
        ("L1 decay", "", lambda w, grad, lr, alpha: w - lr * (grad + alpha * w.sign())),
        ("lr and alpha swapped", "", lambda w, grad, lr, alpha: (1 - 2 * lr * alpha) * w - alpha * grad),
        ("the change only", "", lambda w, grad, lr, alpha: -2 * lr * alpha * w - lr * grad),
        ("grad decays", "", lambda w, grad, lr, alpha: w - (1 - 2 * lr * alpha) * lr * grad),
        ("squared decay", "", lambda w, grad, lr, alpha: (1 - lr * alpha) ** 2 * w - lr * grad),
        ("exponential decay", "", lambda w, grad, lr, alpha: math.exp(-2 * lr * alpha) * w - lr * grad),
        ("clipped grad", "", lambda w, grad, lr, alpha: (1 - 2 * lr * alpha) * w - lr * grad.clamp(-1, 1)),
    ),
    Wrong("weight_decay", "step in place", "decayed_step.purity", "mutates-input", step_in_place),
    Wrong("weight_decay", "rows only", "decayed_step.edge_cases", "", step_of_rows),
    Wrong(
        "weight_decay",
        "turns once at most",
        "decayed_step.edge_cases",
        "",
        lambda w, grad, lr, alpha: max(1 - 2 * lr * alpha, -1.0) * w - lr * grad,
    ),
    Wrong(
        "weight_decay",
        "w at alpha ½",
        "l2_gradient.edge_cases",
        "aliases-input",
        lambda w, alpha: w if alpha == 0.5 else 2 * alpha * w,
    ),
    Wrong(
        "weight_decay",
        "w at lr 0",
        "decayed_step.edge_cases",
        "aliases-input",
        lambda w, grad, lr, alpha: w if lr == 0 else (1 - 2 * lr * alpha) * w - lr * grad,
    ),
    Wrong("weight_decay", "two results", "decayed_step.type", "wrong-type", lambda w, grad, lr, alpha: (w, grad)),
    *wrongs(
        "initialisation",
        "kaiming_normal.values",
        ("1 / fan_in", "", kaiming_std(lambda o, i: math.sqrt(1 / i))),
        ("2 / fan_out", "", kaiming_std(lambda o, i: math.sqrt(2 / o))),
        ("variance for deviation", "", kaiming_std(lambda o, i: 2 / i)),
        ("Glorot's", "", kaiming_std(lambda o, i: math.sqrt(2 / (o + i)))),
        ("6 / fan_in", "", kaiming_std(lambda o, i: math.sqrt(6 / i))),
        ("2 / √fan_in", "", kaiming_std(lambda o, i: 2 / math.sqrt(i))),
        ("√2 fan_in", "", kaiming_std(lambda o, i: math.sqrt(2 * i))),
        ("half zeros", "", kaiming_rand(lambda s, g: torch.randn(s, generator=g) * signs(s, g).relu())),
        ("0.01", "", kaiming_std(lambda o, i: 0.01)),
        ("one", "", kaiming_std(lambda o, i: 1.0)),
        ("zeros", "", lambda o, i, generator: torch.zeros(o, i)),
        ("positive only", "", kaiming_rand(lambda shape, generator: torch.rand(shape, generator=generator))),
        ("NaN", "not-finite", lambda o, i, generator: torch.full((o, i), torch.nan)),
        ("empty", ANY, lambda o, i, generator: torch.full((o, i), 1e30)),
    ),
    *wrongs(
        "initialisation",
        "kaiming_normal.shape",
        ("transposed", "wrong-shape", lambda o, i, generator: kaiming(o, i, generator).T),
        ("swapped", "wrong-shape", lambda o, i, generator: kaiming(i, o, generator)),
        ("flat", "wrong-shape", lambda o, i, generator: kaiming(o, i, generator).reshape(-1)),
        ("square", "wrong-shape", lambda o, i, generator: kaiming(i, i, generator)),
    ),
    *wrongs(
        "initialisation",
        "kaiming_normal.purity",
        ("the global generator", "nondeterministic", lambda o, i, generator: torch.randn(o, i) * math.sqrt(2 / i)),
        ("init's default", "nondeterministic", lambda o, i, _: torch.nn.init.kaiming_normal_(torch.empty(o, i))),
        (
            "numpy's generator",
            "nondeterministic",
            lambda o, i, generator: torch.tensor(np.random.randn(o, i) * math.sqrt(2 / i), dtype=torch.float32),
        ),
        (
            "Python's generator",
            "nondeterministic",
            lambda o, i, _: torch.tensor([[random.gauss(0, math.sqrt(2 / i)) for _ in range(i)] for _ in range(o)]),
        ),
        (
            "a fresh seed",
            "nondeterministic",
            lambda o, i, _: kaiming(o, i, torch.Generator().manual_seed(torch.Generator().seed())),
        ),
    ),
    *wrongs(
        "initialisation",
        "kaiming_normal.generator",
        ("a seed of its own", "", fixed_seed),
        ("the initial seed", "", of_the_initial_seed),
        ("puts the state back", "", restores_its_state),
        ("seeds the global one", "", reseeded),
        ("seeds numpy's", "", reseeded_numpy),
        ("seeds Python's", "", reseeded_python),
        ("seeds the generator", "", seeds_the_generator),
        ("draws and ignores", "", draws_and_ignores),
    ),
    *wrongs(
        "initialisation",
        "kaiming_normal.distribution",
        ("uniform", "", kaiming_rand(uniform)),
        ("signs only", "", kaiming_rand(signs)),
        ("Laplace", "", kaiming_rand(laplace)),
        ("truncated", "", kaiming_rand(truncated)),
        ("clipped at 2.9", "", kaiming_rand(clipped)),
        ("shifted", "", kaiming_rand(lambda shape, g: torch.randn(shape, generator=g) * 0.995 + 0.1)),
        ("2 / (fan_in − 1)", "", kaiming_std(lambda o, i: math.sqrt(2 / i) if i < 900 else math.sqrt(2 / o))),
        ("the larger of both", "", kaiming_std(lambda o, i: math.sqrt(2 / (i if max(o, i) < 900 else max(o, i))))),
    ),
    *wrongs(
        "initialisation",
        "kaiming_normal.independence",
        ("mirrored", "", kaiming_rand(mirrored)),
        ("blended", "", kaiming_rand(blended)),
    ),
    *wrongs(
        "initialisation",
        "kaiming_normal.edge_cases",
        ("eight percent more", "", kaiming_std(lambda o, i: 1.08 * math.sqrt(2 / i))),
        ("squeezed", "wrong-shape", lambda o, i, g: kaiming(o, i, g).squeeze()),
    ),
    Wrong(
        "initialisation",
        "rows sorted",
        "kaiming_normal.generator",
        "",
        kaiming_rand(lambda s, g: torch.randn(s, generator=g).sort(1).values),
    ),
    Wrong("initialisation", "double", "kaiming_normal.dtype", "wrong-dtype", lambda o, i, g: kaiming(o, i, g).double()),
    Wrong("initialisation", "half", "kaiming_normal.dtype", "wrong-dtype", lambda o, i, g: kaiming(o, i, g).half()),
    Wrong("initialisation", "a list", "kaiming_normal.type", "wrong-type", lambda o, i, g: kaiming(o, i, g).tolist()),
    Wrong("initialisation", "nothing", "kaiming_normal.type", "wrong-type", lambda o, i, g: None),
    *wrongs(
        "dropout",
        "forward.values",
        (
            "not scaled",
            "missing-term",
            lambda x, p, g: ((x * drop(x, p, g)[1]), drop(x, p, g.manual_seed(g.initial_seed()))[1]),
        ),
        ("scaled by 1 − p", "", dropping(drawn, lambda p: 1 - p)),
        ("scaled by 1 / p", "", dropping(drawn, lambda p: 1 / p if p else 1.0)),
        ("scaled by 1 / (1 − p)²", "", dropping(drawn, lambda p: 1 / (1 - p) ** 2)),
        ("another mask", "", drop_twice),
        (
            "the mask of what is dropped",
            "",
            lambda x, p, g: (drop(x, p, g)[0], ~drop(x, p, g.manual_seed(g.initial_seed()))[1]),
        ),
        ("x itself", "", lambda x, p, g: (x.clone(), drop(x, p, g)[1])),
        ("scaled before zero", "", lambda x, p, g: (x / (1 - p), drop(x, p, g)[1])),
        (
            "scaled by the fraction kept",
            "",
            lambda x, p, g: (lambda m: (x * m / m.double().mean().clamp(min=0.1).to(x.dtype), m))(drop(x, p, g)[1]),
        ),
    ),
    *wrongs(
        "dropout",
        "forward.type",
        ("y alone", "wrong-type", lambda x, p, g: drop(x, p, g)[0]),
        ("three results", "wrong-type", lambda x, p, g: (*drop(x, p, g), p)),
        ("a mask as a list", "wrong-type", lambda x, p, g: (drop(x, p, g)[0], drop(x, p, g)[1].tolist())),
    ),
    *wrongs(
        "dropout",
        "forward.dtype",
        ("a float mask", "wrong-dtype", lambda x, p, g: (drop(x, p, g)[0], drop(x, p, g)[1].to(x.dtype))),
        ("a scaled mask", "wrong-dtype", lambda x, p, g: (drop(x, p, g)[0], drop(x, p, g)[1] / (1 - p))),
        ("an integer mask", "wrong-dtype", lambda x, p, g: (drop(x, p, g)[0], drop(x, p, g)[1].long())),
        ("always double", "wrong-dtype", lambda x, p, g: drop(x.double(), p, g)),
        ("swapped", "wrong-dtype", lambda x, p, g: drop(x, p, g)[::-1]),
    ),
    *wrongs(
        "dropout",
        "forward.purity",
        (
            "the global generator",
            "nondeterministic",
            lambda x, p, g: dropping(lambda x, p, _: torch.rand(x.shape) >= p)(x, p, g),
        ),
        ("F.dropout", "nondeterministic", drop_global),
        ("changes x", "mutates-input", drop_changing_x),
        ("numpy", "nondeterministic", dropping(lambda x, p, _: torch.tensor(np.random.rand(*x.shape) >= p))),
    ),
    *wrongs(
        "dropout",
        "forward.generator",
        ("a seed of its own", "", drop_fixed),
        (
            "the seed of numpy",
            "",
            dropping(lambda x, p, g: torch.tensor(np.random.default_rng(g.initial_seed()).random(tuple(x.shape)) >= p)),
        ),
        ("seeds the global one", "", drop_reseeded),
        (
            "nothing dropped",
            "",
            lambda x, p, g: (p_checked(p), dropping(lambda x, p, _: torch.ones(x.shape, dtype=torch.bool))(x, p, g))[1],
        ),
    ),
    *wrongs(
        "dropout",
        "forward.fraction",
        ("p kept", "", dropping(lambda x, p, g: drawn(x, 1 - p if p else 0, g))),
        ("everything kept", "", dropping(lambda x, p, g: drawn(x, p, g) | True)),
        ("everything dropped", "", dropping(lambda x, p, g: drawn(x, p, g) & (p == 0))),
        ("half", "", dropping(lambda x, p, g: drawn(x, 0.5 if p else 0, g))),
        ("a normal number", "", dropping(lambda x, p, g: (torch.randn(x.shape, generator=g) >= p) | (p == 0))),
        ("p squared", "", dropping(lambda x, p, g: drawn(x, p * p, g))),
        ("zeros dropped", "", dropping(zeros_dropped)),
        ("the mask of y", "", drop_mask_of_y),
        ("negative ones kept", "", dropping(by_sign)),
        ("drops twice", "", dropping(lambda x, p, g: drawn(x, p, g) & drawn(x, p, g))),
    ),
    *wrongs(
        "dropout",
        "forward.independence",
        ("the same columns in every row", "", dropping(in_matrices(columns))),
        ("pairs", "", dropping(pairs)),
        ("a number of its own", "", dropping(exact_count)),
        ("the first is kept", "", dropping(first_kept)),
        ("draws and ignores", "", drop_ignoring),
        ("seeds the generator", "", drop_seeding),
    ),
    Wrong("dropout", "whole rows", "forward.independence", "", dropping(in_matrices(rows))),
    Wrong("dropout", "all or nothing", "forward.fraction", "", dropping(whole)),
    *wrongs(
        "dropout",
        "forward.edge_cases",
        ("p = 1 allowed", "", drop_up_to_one),
        ("p unchecked", "", drop_unchecked),
        ("p = 0 for the default", "wrong-mask", drop_above_zero),
        ("an assertion", "", drop_asserting),
        ("p clamped", "", drop_clamping),
        ("at least one axis", "wrong-shape", lambda x, p, g: drop(torch.atleast_1d(x), p, g)),
        (
            "a number is kept",
            "missing-term",
            lambda x, p, g: drop(x, p, g) if x.dim() else (x.clone(), drop(x, p, g)[1] | True),
        ),
    ),
    Wrong("dropout", "flat", "forward.shape", "wrong-shape", lambda x, p, g: drop(x.reshape(-1), p, g)),
    Wrong(
        "dropout",
        "one row of masks",
        "forward.shape",
        "wrong-shape",
        lambda x, p, g: (drop(x, p, g)[0], drop(x[0], p, g)[1]),
    ),
    *wrongs(
        "dropout",
        "backward.values",
        ("no scale", "", lambda g, mask, p: g * mask),
        ("no mask", "", lambda g, mask, p: g / (1 - p)),
        ("the other mask", "", lambda g, mask, p: g * ~mask / (1 - p)),
        ("gradient by 1 − p", "", lambda g, mask, p: g * mask * (1 - p)),
        ("gradient by p", "", lambda g, mask, p: g * mask / p),
        ("no upstream", "", lambda g, mask, p: mask.to(g.dtype) / (1 - p)),
        ("scaled twice", "", lambda g, mask, p: g * mask / (1 - p) ** 2),
        ("negated", "", lambda g, mask, p: -g * mask / (1 - p)),
        ("scaled by the fraction kept", "", lambda g, mask, p: g * mask / mask.to(g.dtype).mean().clamp(min=0.1)),
        (
            "a mask of its own",
            ANY,
            lambda g, mask, p: g * (torch.rand(g.shape, generator=torch.Generator().manual_seed(0)) >= p) / (1 - p),
        ),
        ("gradient float32 inside", "", lambda g, mask, p: (g.float() * mask / (1 - p)).to(g.dtype)),
        ("zero", "", lambda g, mask, p: torch.zeros_like(g)),
        ("clipped g", "", lambda g, mask, p: g.clamp(-100, 100) * mask / (1 - p)),
    ),
    Wrong("dropout", "g in place", "backward.purity", "mutates-input", lambda g, mask, p: g.mul_(mask).div(1 - p)),
    Wrong("dropout", "g returned", "backward.purity", "aliases-input", lambda g, mask, p: g),
    Wrong("dropout", "kept entries only", "backward.shape", "wrong-shape", lambda g, mask, p: g[mask] / (1 - p)),
    Wrong("dropout", "double mask", "backward.dtype", "wrong-dtype", lambda g, mask, p: g * (mask.double() / (1 - p))),
    *wrongs(
        "vanishing_gradient",
        "sigmoid_chain.values",
        ("signed", "", sigmoid_signed),
        ("at the output", "", sigmoid_at_the_output),
        ("sums without weights", "", without_weights_in_the_sum),
        ("no weights", "", chain_reversed(logistic, lambda s: 0.25)),
        (
            "factors without weights",
            "",
            lambda x, w: [s / math.prod(map(abs, w[k:])) for k, s in enumerate(sigmoids(x, w))],
        ),
        ("dz_k/dz_0", "", products_from_the_front),
        ("reversed", "", lambda x, w: sigmoids(x, w)[::-1]),
        ("derivative of tanh", "", chain_reversed(logistic, lambda s: 1 - math.tanh(s) ** 2)),
        ("tanh chain", "", chain_reversed(math.tanh, lambda s: 1 - math.tanh(s) ** 2)),
        ("y (1 + y)", "", chain_reversed(logistic, lambda s: logistic(s) * (1 + logistic(s)))),
        ("y for y'", "", chain_reversed(logistic, logistic)),
        ("differences", "", differences),
        ("float32", "", in_float32),
        ("the weights reversed", "", lambda x, w: sigmoids(x, w[::-1])),
        ("by ReLU", "", relus),
        ("ones", "", lambda x, w: [1.0] * (len(w) + 1)),
        ("last is zero", "", lambda x, w: [*sigmoids(x, w)[:-1], 0.0]),
        ("running product from the front", "", lambda x, w: [math.prod(sigmoids(x, w)[:k]) for k in range(len(w) + 1)]),
    ),
    *wrongs(
        "vanishing_gradient",
        "sigmoid_chain.type",
        ("no last entry", "wrong-type", lambda x, w: sigmoids(x, w)[:-1]),
        ("the first alone", "wrong-type", lambda x, w: sigmoids(x, w)[0]),
        ("one tensor", "wrong-type", lambda x, w: torch.tensor(sigmoids(x, w))),
        ("the states too", "wrong-type", lambda x, w: (sigmoids(x, w), w)),
    ),
    Wrong("vanishing_gradient", "changes weights", "sigmoid_chain.purity", "mutates-input", flags_in_place),
    Wrong("vanishing_gradient", "by autograd", "sigmoid_chain.purity", "uses-autograd", by_autograd),
    Wrong(
        "vanishing_gradient",
        "float32 tensors",
        "sigmoid_chain.dtype",
        "wrong-dtype",
        lambda x, w: [torch.tensor(each) for each in sigmoids(x, w)],
    ),
    Wrong(
        "vanishing_gradient",
        "tensors of one",
        "sigmoid_chain.shape",
        "wrong-shape",
        lambda x, w: [torch.tensor([each], dtype=torch.float64) for each in sigmoids(x, w)],
    ),
    *wrongs(
        "vanishing_gradient",
        "sigmoid_chain.edge_cases",
        ("nothing without weights", ANY, lambda x, w: sigmoids(x, w) if w else []),
        ("vanished early", "", lambda x, w: [each if each > 1e-12 else 0.0 for each in sigmoids(x, w)]),
        (
            "ten stages",
            "",
            lambda x, w: sigmoids(x, w) if len(w) < 11 else [0.0] * (len(w) - 10) + sigmoids(x, w)[-11:],
        ),
        ("saturated", "", chain_reversed(logistic, lambda s: logistic_slope(s) if abs(s) < 5 else 0.0)),
        ("by division", "not-finite", by_division),
    ),
    *wrongs(
        "vanishing_gradient",
        "relu_chain.values",
        ("relu's slope at the output", "", lambda x, w: [1.0] * (len(w) + 1)),
        ("relu reversed", "", lambda x, w: relus(x, w)[::-1]),
        ("by sigmoid", "", sigmoids),
        ("leaky", "", chain_reversed(lambda s: max(s, 0.0), lambda s: 1.01 if s > 0 else 0.01)),
        ("relu of the weights reversed", "", lambda x, w: relus(x, w[::-1])),
        ("times the state", "", chain_reversed(lambda s: max(s, 0.0), lambda s: max(s, 0.0))),
        ("dead", "", lambda x, w: [0.0] * len(w) + [1.0]),
    ),
    *wrongs(
        "vanishing_gradient",
        "relu_chain.edge_cases",
        ("never dead", "", relu_never_dead),
        ("one below zero", "", chain_reversed(lambda s: max(s, 0.0), lambda s: 1.0)),
        ("leaky below zero", "", chain_reversed(lambda s: max(s, 0.01 * s), lambda s: 1.0 if s > 0 else 0.01)),
        ("nothing without weights", ANY, lambda x, w: relus(x, w) if w else []),
    ),
    Wrong("vanishing_gradient", "relu of the state", "relu_chain.values", "", relu_of_the_state),
    Wrong("vanishing_gradient", "relu of the weights", "relu_chain.values", "", relu_of_the_weights),
    *wrongs(
        "vanishing_gradient",
        "relu_chain.dead_stages",
        ("two at the kink", "", chain_reversed(lambda s: max(s, 0.0), lambda s: 2.0 if s == 0 else float(s > 0))),
        ("NaN at the kink", "", chain_reversed(lambda s: max(s, 0.0), lambda s: float(s > 0) if s else math.nan)),
        ("minus one half at the kink", "", negative_at_the_kink),
        ("stops where it is dead", "", lambda x, w: [0.0] if has_kink(x, w) else relus(x, w)),
        ("alive behind the kink", "", lambda x, w: [*relus(x, w)[:-1], 0.0] if has_kink(x, w) else relus(x, w)),
        ("all one at the kink", "", lambda x, w: [1.0] * (len(w) + 1) if has_kink(x, w) else relus(x, w)),
    ),
]
