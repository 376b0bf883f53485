from __future__ import annotations

import math

import torch
from tests.diagnosis.labelled.submission import Submission

SUBMISSIONS: list[Submission] = []


def wrong(exercise, function, name, *codes):
    def keep(f):
        SUBMISSIONS.append(Submission(exercise, function, name, codes, f))
        return f

    return keep


# ---------------------------------------------------------------- pointwise_chain
PC = "pointwise_chain"


@wrong(PC, "backward", "from the input side", "wrong-index")
def _(g, ds):
    grads = [g]
    for d in ds:
        grads.append(grads[-1] * d)
    return grads[::-1]


@wrong(PC, "backward", "clips on the way", "changes-upstream")
def _(g, ds):
    grads = [g]
    for d in ds[::-1]:
        grads.insert(0, (grads[0] * d).clamp(-1, 1))
    return grads


# ---------------------------------------------------------------- weighted_sum
WS = "weighted_sum"


wrong(WS, "backward", "minus in grad_w", "sign-flipped")(lambda g, z, w: (g @ w, -torch.outer(g, z)))
wrong(WS, "backward", "weights the forward way", "transposed", "wrong-index", "raised")(
    lambda g, z, w: (w @ g, torch.outer(g, z))
)
wrong(WS, "backward", "z transposed and no sum", "transposed", "missing-reduction")(
    lambda g, z, w: ((g[:, None] * w).T, torch.outer(g, z))
)

# ---------------------------------------------------------------- vector_chain_rule
VC = "vector_chain_rule"


@wrong(VC, "compose", "first one twice", "extra-term", "wrong-index")
def _(js):
    p = js[0]
    for j in js:
        p = j @ p
    return p


@wrong(VC, "compose", "single precision", "low-precision")
def _(js):
    p = js[0].float()
    for j in js[1:]:
        p = j.float() @ p
    return p.to(js[0].dtype)


# ---------------------------------------------------------------- cost_of_model
CM = "cost_of_model"


def jac(x, w):
    return torch.kron(torch.eye(w.shape[0], dtype=x.dtype), x[None])


wrong(CM, "grad_cost", "a column", "transposed", "wrong-shape")(lambda y, y_bar: 2 * (y_bar - y).reshape(-1, 1))
wrong(CM, "grad_cost", "mean", "scaled-by-size")(lambda y, y_bar: 2 * (y_bar - y)[None] / len(y))
wrong(CM, "grad_cost", "y_bar alone", "missing-term")(lambda y, y_bar: 2 * y_bar[None])
wrong(CM, "jacobian_model", "by x", "wrong-variable", "wrong-shape")(lambda x, w: w.clone())
wrong(CM, "jacobian_model", "not flattened", "wrong-shape", "wrong-flattening")(
    lambda x, w: jac(x, w).reshape(len(w), len(w), len(x))
)


@wrong(CM, "jacobian_model", "weights in the blocks", "wrong-variable")
def _(x, w):
    m, n = w.shape
    out = torch.zeros(m, m * n, dtype=x.dtype)
    for i in range(m):
        out[i, i * n : (i + 1) * n] = w[i]
    return out


@wrong(CM, "jacobian_model", "ones in the blocks", "missing-derivative", "missing-term")
def _(x, w):
    m, n = w.shape
    out = torch.zeros(m, m * n, dtype=x.dtype)
    for i in range(m):
        out[i, i * n : (i + 1) * n] = 1
    return out


wrong(CM, "gradient", "target missing", "missing-term")(lambda x, y, w: 2 * (w @ x)[None] @ jac(x, w))
wrong(CM, "gradient", "cost's factor missing", "missing-upstream", "missing-derivative")(
    lambda x, y, w: jac(x, w).sum(0, keepdim=True)
)
wrong(CM, "gradient", "no two, wrong sign", "scaled-by-constant", "sign-flipped")(
    lambda x, y, w: torch.einsum("i,j->ij", y - w @ x, x).reshape(1, -1)
)

# ---------------------------------------------------------------- multi_stage
MS = "multi_stage"


@wrong(MS, "forward", "last stage linear", "missing-term")
def _(z0, weights):
    states = [z0]
    for k, w in enumerate(weights):
        s = w @ states[-1]
        states.append(s if k == len(weights) - 1 else s.tanh())
    return states


def stage_backward(slope, order=-1, weight_state=0, carry=True, transpose=False, start=lambda g: g):
    def backward(g, states, weights):
        grad, out = start(g), []
        for k in range(len(weights) - 1, -1, -1):
            grad_s = (grad if carry else g) * slope(states, k, weights)
            outer = torch.outer(grad_s, states[k])
            out.append(outer.T if transpose else outer)
            grad = grad_s @ weights[k]
        return grad, out[::order]

    return backward


tanh_slope = lambda states, k, weights: 1 - states[k + 1] ** 2
wrong(MS, "backward", "tanh for its derivative", "wrong-variable")(stage_backward(lambda s, k, w: s[k + 1]))


@wrong(MS, "backward", "state after the stage", "wrong-index", "wrong-shape")
def _(g, states, weights):
    gw = []
    for z_out, w in zip(states[:0:-1], weights[::-1]):
        gs = g * (1 - z_out**2)
        gw.insert(0, gs.outer(z_out))
        g = gs @ w
    return g, gw


@wrong(MS, "backward", "slope at the state before", "wrong-index", "raised")
def _(g, states, weights):
    gw = [None] * len(weights)
    for k in range(len(weights))[::-1]:
        gs = g * (1 - states[k] ** 2)
        gw[k] = torch.outer(gs, states[k])
        g = weights[k].T @ gs
    return g, gw


@wrong(MS, "backward", "weights get local slopes only", "missing-upstream")
def _(g, states, weights):
    gw = [torch.outer(1 - z_out**2, z_in) for z_in, z_out in zip(states, states[1:])]
    for w, z in zip(weights[::-1], states[:0:-1]):
        g = (g * (1 - z**2)) @ w
    return g, gw


wrong(MS, "state_jacobian", "weights left out", "missing-term", "diagonal-only", "wrong-shape")(
    lambda z, w: torch.diag(1 - torch.tanh(w @ z) ** 2)
)
wrong(MS, "state_jacobian", "1 - s squared", "wrong-variable", "missing-term")(
    lambda z, w: (1 - (w @ z) ** 2)[:, None] * w
)
wrong(MS, "weight_jacobian", "w for z", "wrong-variable")(
    lambda z, w: torch.diag(1 - torch.tanh(w @ z) ** 2)[:, :, None] * w
)

# ---------------------------------------------------------------- graph
GR = "graph"


def order_of(parents):
    order = []
    while len(order) < len(parents):
        ready = [n for n in parents if n not in order and all(p in order for p in parents[n])]
        if not ready:
            raise ValueError("cycle")
        order += ready
    return order


@wrong(GR, "topological_order", "cycle passes in silence", "unrecognised")
def _(parents):
    seen, order = set(), []

    def visit(n):
        if n not in seen:
            seen.add(n)
            for p in parents[n]:
                visit(p)
            order.append(n)

    for n in parents:
        visit(n)
    return order


@wrong(GR, "backward", "first path only", "overwritten-not-accumulated", "missing-term")
def _(parents, jac, output, g):
    grads = {output: g}
    for child in order_of(parents)[::-1]:
        if child in grads:
            for p in parents[child]:
                grads.setdefault(p, grads[child] @ jac[child, p])
    return grads
